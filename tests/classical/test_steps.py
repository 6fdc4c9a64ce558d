"""The nowcast of STEPS: its options, its frames and units, and files that keep it."""

from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.classical.fields import frames_of, sees_these_alone, translation
from torch import Tensor

from stormfusion import Catalog, Nowcaster
from stormfusion.classical import (
    CLASSICS,
    Classic,
    Extrapolation,
    Persistence,
    Scenarios,
    Steps,
    motion,
)
from stormfusion.classical.classic import WET
from stormfusion.data.scaling import scaling_for
from stormfusion.data.task import Task

SHAPE = (48, 64)
TASK = Task(("rain_rate",), "rain_rate", 4, 3, 300, (1000.0, 1000.0))
TARGETS = ["rain_rate", "reflectivity", "vil", "rain", "mesh"]
EVERY = pytest.mark.parametrize("target", TARGETS)


def built(target: str = "rain_rate", spec: Steps | None = None, **task: Any) -> Classic:
    whole = replace(TASK, inputs=(target,), target=target, **task)
    return (spec or Steps(levels=4)).build(whole)


def past_of(frames: Tensor) -> Tensor:
    """A past of `(batch, time, y, x)`; what is NaN is missing."""
    known = ~frames.isnan()
    return torch.stack((frames.nan_to_num(0.0), known.float()), 2)


def storm(
    step: tuple[float, float] = (1.0, -2.0), *, count: int = 4, seed: int = 0
) -> Tensor:
    """Frames of the past, one of a batch."""
    frames = frames_of(translation(*step), SHAPE, count=count, seed=seed)
    return frames.clamp(0, 0.99)[None]


# ------------------------------------------------------------------------ its options


@pytest.mark.parametrize("levels", [1, 0, -2, 2.0, 6.5, "6", None, True])
def test_levels_are_a_whole_number_from_two(levels: Any) -> None:
    with pytest.raises(ValueError, match=r"levels is .*, wanted a whole number, 2 or"):
        Steps(levels=levels)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"motion": "darts"},
            r"motion is 'darts', wanted one of .*, 'spectral'",
        ),
        ({"motion": None}, r"motion is None, wanted one of 'lucas-kanade'"),
        ({"noise": "ssft"}, r"noise is 'ssft', wanted one of 'global', 'local'"),
        ({"motion_errors": "yes"}, r"motion_errors is 'yes', wanted one of True, Fal"),
    ],
)
def test_options_that_are_not_known_name_those_that_are(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Steps(**options)


OTHERS = [
    Steps(levels=5),
    Steps(motion="spectral"),
    Steps(noise="local"),
    Steps(motion_errors=False),
]


def test_it_is_a_value() -> None:
    assert Steps() == Steps(6, "lucas-kanade", "global", motion_errors=True)
    assert len({Steps(), Steps(), *OTHERS, *OTHERS}) == 5
    with pytest.raises(FrozenInstanceError):
        Steps().levels = 4  # type: ignore[misc]
    assert CLASSICS["steps"] is Steps
    assert not list(built().parameters())


@pytest.mark.parametrize("spec", [Steps(), *OTHERS], ids=str)
def test_it_reads_as_what_makes_it(spec: Steps) -> None:
    assert eval(repr(spec), {"Steps": Steps}) == spec


@pytest.mark.parametrize("spec", OTHERS, ids=str)
def test_every_option_makes_other_members(spec: Steps) -> None:
    # rain that grows on one side, so that its texture is not the same everywhere
    past = past_of(storm() * torch.linspace(0.2, 1.0, SHAPE[1]) + 0.02)
    one, other = (
        built(spec=s).scenarios(past).member(0, seed=0) for s in (Steps(), spec)
    )
    assert not torch.allclose(one, other, rtol=1e-3, atol=1e-3, equal_nan=True)


# -------------------------------------------------------------------------- in files


def test_a_file_keeps_the_options(tmp_path: Path) -> None:
    storms = Catalog.synthetic(events=3, size=48)
    now = storms[0].time[34]
    spec = Steps(levels=3, motion="spectral", noise="local", motion_errors=False)
    kept, plain = (
        Nowcaster(recipe, history=4, leads=2, device="cpu")
        for recipe in (spec, "steps")
    )
    path = kept.fit(storms).save(tmp_path / "storm.safetensors")
    loaded = Nowcaster.load(path, device="cpu")
    assert repr(loaded) == repr(kept)
    ours, theirs, others = (
        n.ensemble(storms[0], members=2, reference_time=now).dataset
        for n in (loaded, kept, plain)
    )
    assert ours.identical(theirs)
    assert float(ours.vil.max()) > 1.0
    assert not others.vil.equals(ours.vil)


# ----------------------------------------------------------------------- its targets


@pytest.mark.parametrize("target", ["ir107", "ir069", "vis", "lightning"])
def test_other_targets_are_refused(target: str) -> None:
    with pytest.raises(
        ValueError, match=rf"target is '{target}', 'steps' .*; take 'extrapolation'"
    ):
        built(target)


@EVERY
def test_forecasts_have_the_amounts_of_the_last_frame(target: str) -> None:
    past = past_of(storm((0.0, 0.0)))
    module = built(target, Steps(levels=4, motion_errors=False))
    scaling = scaling_for(target)
    observed = scaling.denormalize(past[0, -1, 0])
    wet = observed >= WET[target]
    dry = scaling.denormalize(torch.tensor(0.0))
    wanted = torch.where(wet, observed, dry).flatten().sort().values
    member = module.physical(module.scenarios(past).member(1, seed=0))
    for found in (*module.nowcast(past)[0], *member):
        values = found.flatten().sort().values
        # a step of ranks holds a few pixels, and those of 300 wet ones are near
        shares = torch.tensor([0.6, 0.7, 0.8, 0.9, 0.95, 0.99])
        torch.testing.assert_close(
            values.quantile(shares), wanted.quantile(shares), rtol=0.03, atol=0.05
        )
        assert values[0] == pytest.approx(float(dry), abs=1e-3)


def test_reflectivity_is_the_rain_rate_of_the_same_number() -> None:
    past = past_of(storm())
    one, other = (built(t)(past) for t in ("rain_rate", "reflectivity"))
    assert torch.equal(one.isnan(), other.isnan())
    # rain begins at 0.1 mm/h and at 7 dBZ, a hundredth of a decibel apart
    off = (one - other)[~one.isnan()].abs()
    assert (off < 1e-3).float().mean() > 0.98
    assert off.max() < 1.1 * built().wet()


@EVERY
def test_numbers_out_are_those_of_its_physical_values(target: str) -> None:
    past, module = past_of(storm()), built(target)
    wanted = module.scaling.normalize(module.nowcast(past))
    torch.testing.assert_close(module(past), wanted, equal_nan=True)
    assert module(past).shape == (1, 3, *SHAPE)


@EVERY
def test_rain_is_what_its_unit_says(target: str) -> None:
    amount = scaling_for(target).denormalize(torch.tensor(built(target).wet()))
    assert amount.item() == pytest.approx(WET[target], rel=1e-3)


@EVERY
def test_dry_stays_dry(target: str) -> None:
    module, past = built(target), past_of(torch.zeros(1, 4, *SHAPE))
    dry = scaling_for(target).denormalize(torch.zeros(3, *SHAPE))
    torch.testing.assert_close(module.nowcast(past)[0], dry)
    member = module.physical(module.scenarios(past).member(0, seed=0))
    torch.testing.assert_close(member, dry)


# -------------------------------------------------------------------- its scenarios


def test_scenarios_are_those_of_its_frames_and_options() -> None:
    frames = storm()
    frames[0, -1, 3:7, 3:9] = torch.nan
    task = {"leads": 5, "interval": 240, "spacing": (1000.0, 3000.0)}
    spec = Steps(levels=3, motion="spectral", noise="local", motion_errors=False)
    module = built("reflectivity", spec, **task)
    found = module.scenarios(past_of(frames))
    velocity = motion(frames[:, -3:], method="spectral")
    least = scaling_for("reflectivity").normalize(torch.tensor(7.0)).item()
    wanted = Scenarios(
        frames[:, -3:],
        scaling_for("rain_rate").denormalize(frames[0, -1]),
        velocity,
        least,
        leads=5,
        interval=240,
        spacing=2000.0,
        levels=3,
        noise="local",
        errors=None,
    )
    # of an uneven grid the mean
    assert (found.spacing, found.interval) == (wanted.spacing, wanted.interval)
    for one, two in (
        (found.mean(), wanted.mean()),
        (found.member(4, seed=1), wanted.member(4, seed=1)),
    ):
        assert one.shape == (5, *SHAPE)
        torch.testing.assert_close(one, two, rtol=1e-3, atol=1e-3, equal_nan=True)


def test_motion_has_errors_unless_told_otherwise() -> None:
    past = past_of(storm())
    assert built(spec=Steps()).scenarios(past).errors is not None
    assert built(spec=Steps(motion_errors=False)).scenarios(past).errors is None


def test_a_batch_is_forecast_as_each_alone() -> None:
    some = [storm(), storm((0.5, 1.0), seed=3), torch.zeros(1, 4, *SHAPE)]
    module = built()
    together = module.nowcast(past_of(torch.cat(some)))
    for number, frames in enumerate(some):
        alone = module.nowcast(past_of(frames))[0]
        near = (together[number] - alone).abs().nan_to_num(0.0)
        # a rounding may change the rank of a pixel
        assert near.mean() <= 1e-3 * alone.nan_to_num(0.0).mean() + 1e-6


def test_it_sees_its_own_frames_alone() -> None:
    past = past_of(storm())
    other = past.clone()
    other[:, 0] = torch.rand(other[:, 0].shape)
    sees_these_alone(built(), past, other)


# -------------------------------------------------------------- five minutes apart


APART = [
    (60, 5),
    (120, 3),
    (150, 2),
    (240, 1),
    (300, 1),
    (360, 1),
    (600, 1),
    (900, 1),
]
SPECS = [Steps(), Extrapolation()]


def numbered(count: int) -> Tensor:
    """A past whose frames hold their own number, 0 the last."""
    ago = torch.arange(count).flip(0).float()
    return past_of(ago[None, :, None, None].expand(1, count, 2, 2))


def module_of(spec: Any, interval: int) -> Classic:
    return spec.build(replace(TASK, interval=interval, history=30))


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.name)
@pytest.mark.parametrize(("interval", "apart"), APART)
def test_frames_are_five_minutes_apart_where_there_are_as_many(
    spec: Any, interval: int, apart: int
) -> None:
    module = module_of(spec, interval)
    assert module.most == 1 + 2 * apart
    for count in (module.most, module.most + 1, module.most + 4, 30):
        past = numbered(count)
        assert module.apart(past) == apart
        seen = module.frames(past)[0, :, 0, 0]
        assert seen.tolist() == [2 * apart, apart, 0]
    # as near to five minutes as whole frames are
    near = [abs(n * interval - 300) for n in range(1, 9)]
    assert abs(apart * interval - 300) == min(near)


@pytest.mark.parametrize("interval", [60, 120, 150, 300, 900])
@pytest.mark.parametrize("count", range(3, 14))
def test_with_fewer_frames_they_are_as_far_apart_as_can_be(
    interval: int, count: int
) -> None:
    module = module_of(Steps(), interval)
    apart = module.apart(numbered(count))
    seen = module.frames(numbered(count))[0, :, 0, 0]
    assert seen.tolist() == [2 * apart, apart, 0]
    assert apart == min(dict(APART)[interval], (count - 1) // 2)


@pytest.mark.parametrize("interval", [60, 300, 900])
def test_of_two_frames_or_one_all_are_seen(interval: int) -> None:
    module = module_of(Extrapolation(), interval)
    for count in (1, 2):
        seen = module.frames(numbered(count))[0, :, 0, 0]
        assert seen.tolist() == list(range(count))[::-1]


@pytest.mark.parametrize("interval", [60, 300])
def test_persistence_sees_the_last_alone(interval: int) -> None:
    module = module_of(Persistence(), interval)
    assert module.most == 1
    assert module.frames(numbered(7))[0, :, 0, 0].tolist() == [0]


@pytest.mark.parametrize("interval", [60, 120, 150, 300, 900])
@pytest.mark.parametrize("count", [3, 6, 12])
def test_motion_is_per_frame_however_far_apart_they_are(
    interval: int, count: int
) -> None:
    frames = storm((0.4, -0.8), count=count)
    module, past = module_of(Steps(), interval), past_of(frames)
    velocity, apart = module.velocity(past), module.apart(past)
    seen = frames[:, [-1 - 2 * apart, -1 - apart, -1]]
    torch.testing.assert_close(velocity * apart, motion(seen))
    y, x = velocity[0, :, 12:-12, 12:-12].mean((1, 2)).tolist()
    # of 0.9 pixels, to a tenth of one; two frames further apart are two times as far
    assert (y, x) == (pytest.approx(0.4, abs=0.1), pytest.approx(-0.8, abs=0.1))


def test_members_know_how_far_apart_frames_are() -> None:
    past = past_of(storm((0.2, -0.4), count=12))
    assert module_of(Steps(), 120).scenarios(past).apart == 3
    assert module_of(Steps(), 300).scenarios(past).apart == 1
    assert module_of(Steps(), 120).scenarios(past[:, :4]).apart == 1


# ------------------------------------------------------------------- too little to see


def test_one_frame_only_is_an_error_that_says_so() -> None:
    with pytest.raises(ValueError, match=r"got 1 frame, wanted two or more"):
        built()(past_of(storm(count=1)))


def test_two_frames_are_an_error_at_the_door() -> None:
    with pytest.raises(ValueError, match=r"history is 2, 'steps' needs 3"):
        Nowcaster("steps", history=2)


@pytest.mark.parametrize("spec", [Steps(), Steps(noise="local")], ids=str)
def test_all_missing_gives_nothing_known(spec: Steps) -> None:
    module = built(spec=spec)
    past = past_of(torch.full((1, 4, *SHAPE), torch.nan))
    assert module(past).isnan().all()
    assert module.scenarios(past).member(0, seed=0).isnan().all()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA here")
@EVERY
def test_a_gpu_forecasts_alike(target: str) -> None:
    past = past_of(storm((1.3, -2.6)))
    ours, theirs = built(target)(past), built(target)(past.to("cuda")).cpu()
    assert (ours.isnan() == theirs.isnan()).float().mean() > 0.999
    both = ~ours.isnan() & ~theirs.isnan()
    # a rounding may change the rank of a pixel
    assert (ours - theirs)[both].abs().mean() < 1e-3
