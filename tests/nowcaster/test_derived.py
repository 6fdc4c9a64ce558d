"""Inputs derived from the target's past: what they hold, and that they hold no more."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor, nn

from stormfusion import Catalog, Nowcaster
from stormfusion.classical import Extrapolation, motion
from stormfusion.data.event import Event
from stormfusion.data.task import Task
from stormfusion.data.windows import batch, take
from stormfusion.errors import CheckpointError
from stormfusion.nn import UNet
from stormfusion.nowcaster.building import build
from stormfusion.nowcaster.derived import FAST, Deriving, added

BOTH = ("extrapolation", "motion")
TASK = Task(("vil",), "vil", 4, 6, 300, (1e3, 1e3), derived=BOTH)
SMALL = UNet(width=4, depth=1)


class Seen(nn.Module):
    """It forecasts nothing, and tells what it saw."""

    def forward(self, past: Tensor) -> Tensor:
        self.past = past
        return past[:, :1, 0]


def seen(task: Task, past: Tensor) -> Tensor:
    """The derived channels that a network gets."""
    body = Seen()
    Deriving(body, task)(past)
    torch.testing.assert_close(body.past[:, :, : past.shape[2]], past, rtol=0, atol=0)
    return body.past[:, :, past.shape[2] :]


def rain(
    *shape: int, step: tuple[int, int] = (0, 0), seed: int = 0
) -> Float[Tensor, "batch time channel y x"]:
    """Four frames of showers that move by a step, all of them known."""
    noise = torch.rand(1, 1, *shape, generator=torch.manual_seed(seed))
    field = 3 * (nn.functional.avg_pool2d(noise, 9, 1, 4) - 0.45).clamp(min=0)
    frames = [field[0, 0].roll((step[0] * t, step[1] * t), (0, 1)) for t in range(4)]
    value = torch.stack(frames)
    return torch.stack((value, torch.ones_like(value)), 1)[None]


@pytest.fixture(scope="module")
def guided(storms: Catalog) -> Nowcaster:
    nowcaster = Nowcaster(
        SMALL, device="cpu", inputs=("ir107", "motion", "vil", "extrapolation"), seed=4
    )
    return nowcaster.fit(storms, epochs=2, progress=False)


# -------------------------------------------------------------- what they hold


@pytest.mark.parametrize(
    ("derived", "history", "leads", "count"),
    [
        (("motion",), 4, 6, 2),
        (("extrapolation",), 4, 6, 4),
        (("extrapolation",), 13, 12, 2),
        (BOTH, 2, 5, 8),
    ],
)
def test_the_number_of_channels(
    derived: tuple[str, ...], history: int, leads: int, count: int
) -> None:
    task = replace(TASK, derived=derived, history=history, leads=leads)
    past = torch.zeros(1, history, 2, 24, 40)
    assert task.channels == 2
    assert sum(added(task).values()) == count
    assert seen(task, past).shape == (1, history, count, 24, 40)
    assert build(SMALL, task, 0)(past).shape == (1, leads, 24, 40)


@pytest.mark.parametrize("target", ["vil", "reflectivity", "rain_rate"])
def test_they_are_what_the_classics_find(target: str) -> None:
    task = replace(TASK, inputs=(target,), target=target)
    past = rain(64, 80, step=(1, -2))
    past[:, :, 1, 10:14, 20:26] = 0
    found = seen(task, past)[0]
    expected = Extrapolation().build(task)(past)[0]
    known = expected.isfinite()
    assert 0 < int((~known).sum()) < known.numel() / 2
    # the first lead beside the first frame; six leads fill a channel and half another
    value = torch.cat((found[:, 0], found[:, 1]))
    valid = torch.cat((found[:, 2], found[:, 3]))
    torch.testing.assert_close(value[:6], expected.nan_to_num(0.0), rtol=0, atol=0)
    torch.testing.assert_close(valid[:6], known.float(), rtol=0, atol=0)
    assert not value[6:].any()
    assert not valid[6:].any()
    frames = torch.where(past[:, :, 1] > 0, past[:, :, 0], torch.nan)
    for frame in found[:, 4:]:
        torch.testing.assert_close(FAST * frame, motion(frames)[0])


def test_the_motion_of_rain_is_in_its_channels() -> None:
    found = seen(replace(TASK, derived=("motion",)), rain(96, 96, step=(1, -3)))
    middle = FAST * found[0, :, :, 24:72, 24:72].mean((2, 3))
    torch.testing.assert_close(
        middle, torch.tensor([1.0, -3.0]).expand(4, 2), rtol=0.05, atol=0.05
    )


def test_missing_pixels_are_not_known_later() -> None:
    past = rain(64, 64)
    past[:, -1, 1, 20:30] = 0
    value, valid = seen(replace(TASK, leads=4), past)[0, :, :2].unbind(1)
    assert not valid[:, 21:29].any()
    assert not value[valid == 0].any()
    assert valid[:, 40:].all()
    nothing = seen(TASK, torch.zeros(1, 4, 2, 40, 40))
    assert not nothing.any()


def test_what_comes_from_beyond_the_edge_is_not_known() -> None:
    past = rain(96, 96, step=(0, 3))
    valid = seen(replace(TASK, leads=4), past)[0, :, 1]
    assert not valid[3, 20:70, :10].any()
    assert valid[3, 20:70, 16:].all()


def test_one_of_a_batch_is_as_it_is_alone() -> None:
    one, other = rain(48, 64, step=(2, 1)), rain(48, 64, step=(-1, 3), seed=1)
    both = seen(TASK, torch.cat((one, other)))
    alone = torch.cat((seen(TASK, one), seen(TASK, other)))
    torch.testing.assert_close(both, alone, rtol=1e-4, atol=1e-4)


def test_half_precision_rounds_no_places() -> None:
    past = rain(64, 300, step=(1, 2))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = seen(TASK, past)
    torch.testing.assert_close(found, seen(TASK, past), rtol=0, atol=0)


def test_no_gradient_flows_into_them() -> None:
    past = rain(32, 32, step=(1, 0)).requires_grad_()
    assert not Deriving(Seen(), TASK).channels(past).requires_grad


@pytest.mark.parametrize("shape", [(5, 40), (32, 32), (4, 4)], ids=str)
def test_small_maps(shape: tuple[int, int]) -> None:
    found = seen(TASK, torch.rand(2, 4, 2, *shape).round())
    assert found.shape == (2, 4, 6, *shape)
    assert found.isfinite().all()


# -------------------------------------------------------------- no look ahead


def test_later_frames_change_nothing(guided: Nowcaster, storms: Catalog) -> None:
    event = storms[0]
    whole = event.to_dataset(like="vil")[["vil", "ir107"]]
    changed = whole.where(whole.time <= event.time[13], 20.0)
    one, other = (
        guided.predict(each, reference_time=event.time[13]) for each in (whole, changed)
    )
    assert one.identical(other)


def test_training_sees_no_later_frame(storms: Catalog) -> None:
    """Of a window with its future, the channels are those of its past alone."""
    event: Event = storms[0]
    task = Task.infer([event], inputs=BOTH, history=4, leads=6)
    data = batch([take(event, task, 5)])
    frames = event["vil"].load()
    frames[9:] = 50.0
    spoilt = batch([take(Catalog.from_xarray(frames.to_dataset())[0], task, 5)])
    assert not torch.equal(data.future, spoilt.future)
    found, other = (seen(task, each.past) for each in (data, spoilt))
    torch.testing.assert_close(found, other, rtol=1e-4, atol=1e-4)


# -------------------------------------------------------------- a nowcaster with them


def test_trained_saved_and_loaded(
    guided: Nowcaster, storms: Catalog, tmp_path: Path
) -> None:
    assert guided.task.inputs == ("vil", "ir107")
    assert guided.task.derived == BOTH
    assert guided.task.channels == 4
    assert len(guided.log) == 2
    assert "13 frames of vil, ir107, extrapolation, motion to 12" in repr(guided)
    path = guided.save(tmp_path / "guided.safetensors")
    loaded = Nowcaster.load(path, device="cpu")
    assert loaded.predict(storms[0]).identical(guided.predict(storms[0]))
    ours, theirs = (n.ensemble(storms[0], members=2) for n in (loaded, guided))
    assert ours.dataset.identical(theirs.dataset)
    assert loaded.task == guided.task
    assert loaded.inputs == ("vil", "ir107", *BOTH)
    assert repr(loaded) == repr(guided)
    loaded.fit(storms, time_limit=0.01, progress=False)
    assert loaded.task == guided.task


def test_scored_beside_classics(guided: Nowcaster, storms: Catalog) -> None:
    scores = guided.evaluate(
        storms[4:],
        scales=[1],
        members=0,
        baselines=("persistence", "extrapolation"),
        progress=False,
    )
    assert scores.forecast.values.tolist() == [
        "unet+mse",
        "persistence",
        "extrapolation",
    ]


def test_a_training_of_other_inputs_is_not_gone_on_with(
    storms: Catalog, tmp_path: Path
) -> None:
    path = tmp_path / "training.safetensors"
    options: dict[str, Any] = {"time_limit": 0.01, "resume": path, "progress": False}
    Nowcaster(SMALL, device="cpu", inputs=BOTH).fit(storms, **options)
    again = Nowcaster(SMALL, device="cpu", inputs=("vil", *reversed(BOTH)))
    assert again.fit(storms, **options).task.seen == ("vil", *BOTH)
    with pytest.raises(CheckpointError, match=r"task differ"):
        Nowcaster(SMALL, device="cpu", inputs=("vil", "motion")).fit(storms, **options)


@pytest.mark.filterwarnings("ignore:the chosen weight")
def test_tuning_keeps_them(storms: Catalog, tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "term": "gdl",
        "weights": (0.1,),
        "time_limit": 0.01,
        "members": 0,
        "folder": tmp_path,
        "thresholds": (0.1,),
        "progress": False,
    }
    tuned = Nowcaster(SMALL, device="cpu", inputs=BOTH).tune(storms, **options)
    best = Nowcaster.load(tuned.file.sel(weight=0.1).item(), device="cpu")
    assert best.inputs == ("vil", *BOTH)
    with pytest.raises(CheckpointError, match=r"which differs in task"):
        Nowcaster(SMALL, device="cpu", inputs=("vil",)).tune(storms, **options)


def test_a_checkpoint_from_before_there_were_any(
    fitted: Nowcaster, storms: Catalog
) -> None:
    header = fitted.task.to_header()
    assert header.pop("derived") == ()
    assert Task.from_header(header) == fitted.task


# -------------------------------------------------------------- a module of one's own


class Mixing(nn.Module):
    """Each forecast frame from all channels of all frames."""

    def __init__(self, channels: int, history: int = 4, leads: int = 6) -> None:
        super().__init__()
        self.mix = nn.Conv2d(channels * history, leads, 1)

    def forward(self, past: Tensor) -> Tensor:
        mixed: Tensor = self.mix(past.flatten(1, 2))
        return mixed


def test_a_module_gets_the_further_channels(storms: Catalog, tmp_path: Path) -> None:
    options: dict[str, Any] = {"inputs": BOTH, "history": 4, "leads": 6}
    nowcaster = Nowcaster(Mixing(2 + 4 + 2), device="cpu", **options)
    nowcaster.fit(storms, time_limit=0.01, progress=False)
    assert nowcaster.name == "mixing+mse"
    path = nowcaster.save(tmp_path / "mixing.safetensors")
    loaded = Nowcaster.load(path, device="cpu", network=Mixing(8))
    assert loaded.predict(storms[0]).equals(nowcaster.predict(storms[0]))


def test_a_module_for_other_channels_is_told_of_them(storms: Catalog) -> None:
    options: dict[str, Any] = {"inputs": BOTH, "history": 4, "leads": 6}
    nowcaster = Nowcaster(Mixing(2), device="cpu", **options)
    with pytest.raises(
        ValueError,
        match=r"Mixing failed on a past of \(1, 4, 8, 32, 32\) .*8 channels.* are "
        r"2 of vil, 4 of extrapolation, 2 of motion",
    ):
        nowcaster.fit(storms, progress=False)
    short = Nowcaster(Mixing(8, leads=5), device="cpu", **options)
    returned = r"Mixing returned \(1, 5, 32, 32\) for a past of \(1, 4, 8, .* of motion"
    with pytest.raises(ValueError, match=returned):
        short.fit(storms, progress=False)


# -------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"inputs": ("vil", "motoin")}, r"'motoin' has no sca.* vil, .* and 'motion'"),
        ({"inputs": ("vil", "motion", "motion")}, r"one or more variables, each once"),
        ({"inputs": ("motion",), "history": 1}, r"history is 1, 'motion' .* 2 frames"),
        (
            {"inputs": ("ir107", "motion"), "target": "vil"},
            r"'motion' is derived from the past of the target, 'vil'; name that among",
        ),
        ({"inputs": ("vil",), "target": "motion"}, r"'motion' has no scaling"),
        ({"recipe": "extrapolation", "inputs": ("motion",)}, r"leave inputs= out"),
        ({"recipe": "steps", "inputs": ("vil", "motion")}, r"leave inputs= out"),
    ],
)
def test_wrong_inputs_fail_at_once(options: dict[str, Any], message: str) -> None:
    recipe = options.get("recipe", "unet")
    rest = {name: value for name, value in options.items() if name != "recipe"}
    with pytest.raises(ValueError, match=message):
        Nowcaster(recipe, **rest)


def test_a_target_that_only_the_catalog_tells(storms: Catalog) -> None:
    nowcaster = Nowcaster(SMALL, device="cpu", inputs=("ir107", "motion"))
    with pytest.raises(ValueError, match=r"the past of the target, 'vil'; name that"):
        nowcaster.fit(storms, progress=False)
    made = Task.infer(list(storms), inputs=("motion",), target="ir107")
    assert made.seen == ("ir107", "motion")
    assert np.isfinite(seen(made, torch.rand(1, 13, 2, 32, 32)).numpy()).all()
