"""Nowcasters in files: the same to the last bit, or a sentence."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.nowcaster.test_estimator import Own

from stormfusion import Catalog, Nowcaster, checkpoint
from stormfusion.data import scaling
from stormfusion.data.scaling import Linear
from stormfusion.errors import CheckpointError
from stormfusion.losses import GDL, MAE, MSE, Loss
from stormfusion.nn import ResUNet, UNet
from stormfusion.training import AdamHD


@pytest.fixture(scope="module")
def path(fitted: Nowcaster, tmp_path_factory) -> Path:
    return fitted.save(tmp_path_factory.mktemp("saved") / "storm.safetensors")


def test_a_loaded_nowcaster_is_the_same(
    fitted: Nowcaster, storms: Catalog, path: Path
) -> None:
    loaded = Nowcaster.load(path, device="cpu")
    assert loaded.predict(storms[0]).identical(fitted.predict(storms[0]))
    ours, theirs = (n.ensemble(storms[0], members=3) for n in (loaded, fitted))
    assert ours.dataset.identical(theirs.dataset)
    assert repr(loaded) == repr(fitted)
    assert loaded.log.equals(fitted.log)
    assert (loaded.task, loaded.seed, loaded.inputs) == (fitted.task, 0, ("vil",))
    again = loaded.save(path.with_name("again.safetensors"))
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("device", ["auto", "cpu", torch.device("cpu")], ids=str)
def test_to_another_device(path: Path, storms: Catalog, device) -> None:
    loaded = Nowcaster.load(path, device=device)
    assert loaded.predict(storms[0])["vil"].notnull().all()
    with pytest.raises(ValueError, match=r"device 'cuda:77' is not on this machine"):
        Nowcaster.load(path, device="cuda:77")


def test_a_recipe_names_its_network(still: Nowcaster, tmp_path: Path) -> None:
    path = still.save(tmp_path / "still.safetensors")
    with pytest.raises(TypeError, match=r"holds recipe 'persistence', which names"):
        Nowcaster.load(path, network=UNet())


def test_persistence_and_its_errors(
    still: Nowcaster, storms: Catalog, tmp_path: Path
) -> None:
    loaded = Nowcaster.load(still.save(tmp_path / "still.safetensors"), device="cpu")
    ours, theirs = (n.ensemble(storms[0], members=2) for n in (loaded, still))
    assert ours.dataset.identical(theirs.dataset)
    assert loaded.name == "persistence"


@pytest.mark.parametrize("part", [0.05, 0.5, 0.97])
def test_a_file_cut_short(path: Path, tmp_path: Path, part: float) -> None:
    content = path.read_bytes()
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(content[: int(part * len(content))])
    with pytest.raises(
        CheckpointError, match=r"is no whole checkpoint .* copy it again"
    ):
        Nowcaster.load(cut)


def test_a_training_file_is_no_nowcaster(
    storms: Catalog, tmp_path: Path, path: Path
) -> None:
    training = tmp_path / "training.safetensors"
    nowcaster = Nowcaster(UNet(width=4, depth=1), device="cpu")
    nowcaster.fit(storms, time_limit=0.01, resume=training, progress=False)
    with pytest.raises(CheckpointError, match=r"keeps a training that was interrupted"):
        Nowcaster.load(training)
    for other, differing in (
        (Nowcaster(UNet(width=8, depth=1), device="cpu"), "network"),
        (Nowcaster(UNet(width=4, depth=1), loss=MAE(), device="cpu"), "name, loss"),
    ):
        with pytest.raises(
            CheckpointError, match=rf"\({differing} differ\), wanted one"
        ):
            other.fit(storms, time_limit=0.01, resume=training, progress=False)
    with pytest.raises(CheckpointError, match=r"\(optimizer differ\), wanted one"):
        nowcaster.fit(
            storms,
            time_limit=0.01,
            optimizer=AdamHD(),
            resume=training,
            progress=False,
        )
    with pytest.raises(CheckpointError, match=r"events, .*differ"):
        nowcaster.fit(storms[:4], time_limit=0.01, resume=training, progress=False)
    with pytest.raises(CheckpointError, match=r"is not of this training, wanted one"):
        nowcaster.fit(storms, time_limit=0.01, resume=path, progress=False)


def test_another_scaling_is_refused(path: Path, monkeypatch) -> None:
    monkeypatch.setitem(scaling.SCALINGS, "vil", Linear(0.0, 80.0))
    with pytest.raises(CheckpointError, match=r"scales vil by .* install the version"):
        Nowcaster.load(path)


def test_a_network_of_another_version_is_refused(path: Path, tmp_path: Path) -> None:
    tensors, header = checkpoint.load(path)
    header["network"]["name"] = "unet9000"
    other = checkpoint.save(tmp_path / "other.safetensors", tensors, header)
    with pytest.raises(
        CheckpointError, match=r"holds a network 'unet9000', which this"
    ):
        Nowcaster.load(other)


@pytest.mark.parametrize("key", ["scalings", "task", "loss", "seed"])
def test_a_header_without_a_part_is_refused(
    path: Path, tmp_path: Path, key: str
) -> None:
    tensors, header = checkpoint.load(path)
    del header[key]
    other = checkpoint.save(tmp_path / "other.safetensors", tensors, header)
    with pytest.raises(CheckpointError, match=r"cannot be understood|keeps a training"):
        Nowcaster.load(other)


def test_tensors_that_forecast_nothing_are_refused(path: Path, tmp_path: Path) -> None:
    tensors, header = checkpoint.load(path)
    other = tmp_path / "other.safetensors"
    name = next(n for n in tensors if n.startswith("network."))
    spoilt = tensors[name].clone()
    spoilt.view(-1)[0] = torch.nan
    checkpoint.save(other, tensors | {name: spoilt}, header)
    with pytest.raises(CheckpointError, match=r"network\..* is not finite"):
        Nowcaster.load(other)
    checkpoint.save(other, tensors | {"dressing.power": spoilt}, header)
    with pytest.raises(CheckpointError, match=r"dressing\..* is not finite"):
        Nowcaster.load(other)
    fewer = {n: t for n, t in tensors.items() if n != "dressing.power"}
    checkpoint.save(other, fewer, header)
    with pytest.raises(CheckpointError, match=r"do not fit"):
        Nowcaster.load(other)


def test_weights_of_another_network_are_refused(path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"holds UNet\(.* leave network= out"):
        Nowcaster.load(path, device="cpu", network=ResUNet(width=4, depth=1))


def test_objects_come_back_with_their_options(storms: Catalog, tmp_path: Path) -> None:
    made = Nowcaster(
        ResUNet(width=4, depth=1), loss=MSE() + 0.25 * GDL(alpha=2.0), device="cpu"
    ).fit(storms, time_limit=0.01, progress=False)
    path = made.save(tmp_path / "storm.safetensors")
    loaded = Nowcaster.load(path, device="cpu")
    assert loaded.name == made.name == "resunet+mse+0.25*gdl"
    assert loaded._network == ResUNet(width=4, depth=1)
    assert loaded._loss == made._loss
    assert loaded._loss.terms[1].loss.alpha == 2.0
    loaded.fit(storms, time_limit=0.01, progress=False)


class Quartic(Loss):
    """A loss of the user's own."""

    name = "quartic"
    kind = "pixel"

    def compare(self, forecast, observed, valid):
        return (forecast - observed)[valid].pow(4).mean()


def test_a_network_and_a_loss_of_ones_own(storms: Catalog, tmp_path: Path) -> None:
    made = Nowcaster(Own(), loss=Quartic(), device="cpu")
    made.fit(storms, time_limit=0.01, progress=False)
    path = made.save(tmp_path / "own.safetensors")
    with pytest.raises(CheckpointError, match=r"'own\+quartic'; pass it with network="):
        Nowcaster.load(path)
    loaded = Nowcaster.load(path, device="cpu", network=Own())
    assert loaded.predict(storms[0]).vil.identical(made.predict(storms[0]).vil)
    with pytest.raises(TypeError, match=r"loaded without its loss, .* name it in Nowc"):
        loaded.fit(storms, progress=False)
    both = Nowcaster.load(path, device="cpu", network=Own(), loss=Quartic())
    assert both.name == "own+quartic"
    both.fit(storms, time_limit=0.01, progress=False)


def test_a_save_that_fails_leaves_the_old_file(
    fitted: Nowcaster, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()

    def fail(*args: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        fitted.save(path)
    assert path.read_bytes() == before
    assert not [p for p in path.parent.iterdir() if p.name.startswith(".")]
    with pytest.raises(FileNotFoundError, match=r"does not exist, .* make it first"):
        fitted.save(path.parent / "none" / "storm.safetensors")


def test_weights_are_float32_and_finite(path: Path) -> None:
    tensors, header = checkpoint.load(path)
    for name, tensor in tensors.items():
        if tensor.is_floating_point():
            assert tensor.dtype == torch.float32, name
            assert tensor.isfinite().all(), name
    assert header["notes"]["events"] == 4
    assert np.isfinite(header["log"]["loss"]).all()
