import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr

from stormfusion import Catalog, Nowcaster, plot
from stormfusion.errors import CatalogError, CheckpointError, WeightsError
from stormfusion.losses import GDL, MAE, MSE, SSIM, Perceptual
from stormfusion.nn import UNet
from stormfusion.training import AdamHD

SMALL = UNet(width=4, depth=1)
QUICK: dict[str, Any] = {"epochs": 1, "members": 2, "progress": False}


@pytest.fixture(scope="module")
def parts() -> tuple[Catalog, Catalog]:
    storms = Catalog.synthetic(events=3, size=48, frames=26, variables=["vil"], seed=3)
    return storms[:2], storms[2:]


@pytest.fixture(scope="module")
def tuned(parts) -> xr.Dataset:
    return Nowcaster(SMALL).tune(
        parts[0], validation=parts[1], weights=(0.05, 0.5), **QUICK
    )


def test_a_sweep_is_labelled(tuned: xr.Dataset) -> None:
    assert tuned.weight.values.tolist() == [0.0, 0.05, 0.5]
    assert tuned.weight.attrs["long_name"] == "weight of perceptual"
    assert tuned.csi.dims == ("weight", "lead", "threshold")
    for name in ("crps", "mse", "perceptual", "spectrum_ratio"):
        assert tuned[name].dims == ("weight", "lead")
        assert bool(tuned[name].notnull().any())
    assert tuned.training_loss.dims == ("weight", "epoch")
    assert tuned.validation_loss.shape == tuned.validation_csi.shape == (3, 1)
    assert tuned.csi_cost.values[0] == 0
    assert tuned.attrs["term"] == "perceptual"
    assert "file" not in tuned


def test_the_largest_weight_that_costs_little_is_chosen(tuned: xr.Dataset) -> None:
    csi = tuned.csi.mean("lead").mean("threshold").values
    cost = 1 - csi / csi[0]
    np.testing.assert_allclose(tuned.csi_cost, cost)
    chosen = max(w for w, c in zip((0.0, 0.05, 0.5), cost, strict=True) if c <= 0.05)
    assert tuned.attrs["chosen_weight"] == chosen
    assert tuned.attrs["cost"] == 0.05


def test_weight_0_is_the_nowcaster_without_the_term(tuned: xr.Dataset, parts) -> None:
    plain = Nowcaster(SMALL).fit(
        parts[0], validation=parts[1], epochs=1, progress=False
    )
    scores = plain.evaluate(parts[1], members=2, progress=False)
    own = scores.sel(forecast=plain.name)
    np.testing.assert_array_equal(own.csi, tuned.csi.sel(weight=0))
    np.testing.assert_array_equal(own.perceptual, tuned.perceptual.sel(weight=0))


@pytest.mark.filterwarnings("ignore:the chosen weight")
def test_the_tuned_nowcaster_is_left_alone(parts) -> None:
    nowcaster = Nowcaster(SMALL, loss=MSE() + 3.0 * GDL())
    options = {**QUICK, "term": "gdl", "weights": (0.1,), "cost": 1.0}
    tuned = nowcaster.tune(parts[0], validation=parts[1], **options)
    assert "not fitted" in repr(nowcaster)
    assert tuned.weight.values.tolist() == [0.0, 0.1]
    # its own weight of the term is replaced
    assert tuned.attrs["recipe"] == "unet+mse+0.1*gdl"
    assert tuned.attrs["chosen_weight"] == 0.1


def test_damaged_weights_of_lpips_leave_it_out(parts, monkeypatch) -> None:
    from stormfusion.nowcaster import tuning

    def damaged(self) -> None:
        raise WeightsError("the file of AlexNet is damaged; delete it")

    monkeypatch.setattr(tuning, "available", lambda net: True)
    monkeypatch.setattr(tuning.LPIPS, "prepare", damaged)
    sweep = tuning.Sweep(Nowcaster(SMALL), Perceptual(), {}, {}, None, False)
    fitted = Nowcaster(SMALL).fit(
        parts[0], validation=parts[1], epochs=1, progress=False
    )
    with pytest.warns(UserWarning, match=r"no LPIPS: .*delete it"):
        found = sweep._distances(fitted)
    assert [loss.name for loss in found] == ["perceptual"]


def test_a_recipe_gives_a_recipe() -> None:
    from stormfusion.nowcaster.tuning import Sweep

    def name(recipe: str, weight: float) -> str:
        sweep = Sweep(Nowcaster(recipe), Perceptual(), {}, {}, None, False)
        return sweep._name(sweep._base(), weight)

    assert name("unet+mae+perceptual", 0.03) == "unet+mae+0.03*perceptual"
    assert name("resunet", 0.5) == "resunet+mse+0.5*perceptual"
    assert name("unet+ssim", 0.0) == "unet+mse+ssim"


def test_default_weights_go_from_a_third_to_ten_times_the_balanced_one(parts) -> None:
    from stormfusion.nowcaster.tuning import Sweep

    sweep = Sweep(Nowcaster(SMALL), SSIM(), {}, {}, None, False)
    found = sweep._default(sweep._base(), parts[0])
    assert len(found) == 4
    assert all(0 < w < math.inf for w in found)
    ratios = np.array(found) / found[1]
    np.testing.assert_allclose(ratios, [1 / 3, 1, 3, 10], rtol=0.1)


def test_a_folder_keeps_the_nowcasters_and_goes_on(
    parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tuned: xr.Dataset
) -> None:
    folder = tmp_path / "sweep"
    options = {**QUICK, "validation": parts[1], "folder": folder}
    first = Nowcaster(SMALL).tune(parts[0], weights=(0.05,), **options)
    assert sorted(p.name for p in folder.iterdir()) == [
        "perceptual-0.05.nc",
        "perceptual-0.05.safetensors",
        "perceptual-0.nc",
        "perceptual-0.safetensors",
    ]
    assert all(Path(file).is_absolute() for file in first.file.values)
    loaded = Nowcaster.load(first.file.sel(weight=0.05).item())
    assert loaded.predict(parts[1][0]).vil.shape == (12, 48, 48)

    trained = []
    fit = Nowcaster.fit

    def counted(self, *args, **options):
        trained.append(self.name)
        return fit(self, *args, **options)

    monkeypatch.setattr(Nowcaster, "fit", counted)
    second = Nowcaster(SMALL).tune(parts[0], weights=(0.05, 0.5), **options)
    assert trained == ["unet+mse+0.5*perceptual"]
    for name in ("csi", "perceptual", "training_loss", "csi_cost"):
        np.testing.assert_array_equal(second[name], tuned[name])
    (folder / "perceptual-0.05.safetensors").unlink()
    Nowcaster(SMALL).tune(parts[0], weights=(0.05,), **options)
    assert trained[1:] == ["unet+mse+0.05*perceptual"]
    with pytest.raises(CheckpointError, match="another sweep, which differs in seed;"):
        Nowcaster(SMALL, seed=1).tune(parts[0], weights=(0.05,), **options)
    options["optimizer"] = AdamHD()
    with pytest.raises(CheckpointError, match="sweep, which differs in optimizer;"):
        Nowcaster(SMALL).tune(parts[0], weights=(0.05,), **options)
    del options["optimizer"]
    (folder / "perceptual-0.nc").write_bytes(b"no netCDF")
    with pytest.raises(CheckpointError, match="cannot be read"):
        Nowcaster(SMALL).tune(parts[0], weights=(0.05,), **options)


def test_an_interrupted_sweep_goes_on(
    parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tuned: xr.Dataset
) -> None:
    options = {
        **QUICK,
        "validation": parts[1],
        "folder": tmp_path,
        "weights": (0.05, 0.5),
    }

    def interrupted(self, *args, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Nowcaster, "evaluate", interrupted)
        with pytest.raises(KeyboardInterrupt):
            Nowcaster(SMALL).tune(parts[0], **options)
    # trained, but not scored: the training is taken as it is
    assert [p.name for p in tmp_path.iterdir()] == ["perceptual-0.training"]
    again = Nowcaster(SMALL).tune(parts[0], **options)
    np.testing.assert_array_equal(again.csi, tuned.csi)
    assert not list(tmp_path.glob("*.training"))


def test_a_module_of_ones_own_is_not_trained_twice(parts) -> None:
    module = SMALL.build(channels=2, history=13, leads=12)
    before = {k: v.clone() for k, v in module.state_dict().items()}
    options = {**QUICK, "validation": parts[1], "weights": (0.5,), "term": "gdl"}
    tuned = Nowcaster(module).tune(parts[0], **options)
    assert tuned.sizes["weight"] == 2
    after = module.state_dict()
    assert all(torch.equal(before[k], after[k]) for k in before)


def test_the_picture(tuned: xr.Dataset) -> None:
    figure = plot.tradeoff(tuned)
    assert any("sharper" in ax.get_xlabel() for ax in figure.axes)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"weights": (-0.1,)}, ValueError, "-0.1 of 'perceptual'.*finite ones, 0 or"),
        ({"weights": (math.inf,)}, ValueError, "inf of 'perceptual'"),
        ({"weights": (math.nan,)}, ValueError, "nan of 'perceptual'"),
        ({"weights": "0.1, 0.2"}, ValueError, "wanted numbers such as"),
        ({"weights": 0.1}, ValueError, "wanted numbers such as"),
        ({"weights": (True,)}, ValueError, "not true or false"),
        ({"members": -1}, ValueError, "members"),
        ({"thresholds": (math.nan,)}, ValueError, "threshold is"),
        ({"term": "perceptul"}, ValueError, "wanted a loss such as Perceptual"),
        ({"term": "mse"}, ValueError, "without 'mse' has no pixel term"),
        ({"cost": 5}, ValueError, "cost is 5, wanted a share"),
        ({"epochs": 0}, ValueError, "epochs"),
    ],
)
def test_bad_arguments(options, error, message: str, parts) -> None:
    with pytest.raises(error, match=message):
        Nowcaster(SMALL).tune(
            parts[0], validation=parts[1], **{**QUICK, "weights": (0.1,), **options}
        )


def test_what_would_fail_later_fails_before_training(
    monkeypatch: pytest.MonkeyPatch, parts
) -> None:
    monkeypatch.setattr(Nowcaster, "fit", lambda *_, **__: pytest.fail("trained"))
    small = Catalog.synthetic(events=3, size=24, frames=26, variables=["vil"])
    with pytest.raises(ValueError, match="at least 32 x 32 pixels, but an event leav"):
        Nowcaster(SMALL).tune(small, weights=(0.1,), **QUICK)
    for wrong in ({"members": -1}, {"thresholds": ()}, {"thresholds": "high"}):
        with pytest.raises((ValueError, TypeError)):
            Nowcaster(SMALL).tune(parts[0], weights=(0.1,), **{**QUICK, **wrong})


def test_a_choice_that_means_nothing_is_told(parts) -> None:
    options = {**QUICK, "validation": parts[1], "weights": (0.1,)}
    with pytest.warns(UserWarning, match="no threshold was reached"):
        tuned = Nowcaster(SMALL).tune(parts[0], thresholds=(900.0,), **options)
    assert tuned.attrs["chosen_weight"] == 0


def test_a_choice_that_is_no_sharper_is_told(tuned: xr.Dataset) -> None:
    from stormfusion.nowcaster.tuning import Sweep

    sweep = Sweep(Nowcaster(SMALL), Perceptual(), {}, {}, None, False)
    same = tuned.isel(weight=[0, 0]).drop_vars("weight")
    with pytest.warns(UserWarning, match=r"weight 0\.3 .* is no sharper than weight 0"):
        found = sweep._labelled(same, [0.0, 0.3], sweep._base(), 0.05)
    assert found.attrs["chosen_weight"] == 0.3


def test_what_cannot_be_tuned(parts, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'persistence' is not trained"):
        Nowcaster("persistence").tune(parts[0], validation=parts[1], **QUICK)
    with (
        pytest.raises(CatalogError, match="leaves none to score on"),
        pytest.warns(UserWarning, match="leaves none to validate on"),
    ):
        Nowcaster(SMALL).tune(parts[0][:1], weights=(0.1,), **QUICK)
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="wanted a folder"):
        Nowcaster(SMALL).tune(parts[0], folder=tmp_path / "file", **QUICK)
    with pytest.raises(ValueError, match="a pixel term and is not balanced"):
        Nowcaster(SMALL).tune(parts[0], validation=parts[1], term=MAE(), **QUICK)
