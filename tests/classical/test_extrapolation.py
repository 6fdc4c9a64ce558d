"""The nowcast by extrapolation: network numbers of the past in, those ahead out."""

from dataclasses import replace

import pytest
import torch
from tests.classical.fields import (
    frames_of,
    rotation,
    sees_these_alone,
    translation,
)
from torch import Tensor

from stormfusion.classical import (
    CLASSICS,
    Classic,
    Extrapolation,
    extrapolated,
    motion,
)
from stormfusion.data.scaling import scaling_for
from stormfusion.data.task import Task

TASK = Task(("vil",), "vil", 4, 6, 300, (1000.0, 1000.0))
SHAPE = (96, 128)
TARGETS = ["vil", "reflectivity", "rain_rate"]

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA here")


def built(target: str = "vil", spec: Extrapolation | None = None) -> Classic:
    task = replace(TASK, inputs=(target,), target=target)
    return (spec or Extrapolation()).build(task)


def past_of(frames: Tensor) -> Tensor:
    """A past of `(batch, time, y, x)`; what is NaN is missing."""
    known = ~frames.isnan()
    return torch.stack((frames.nan_to_num(0.0, torch.inf), known.float()), 2)


def storm(step: tuple[float, float] = (1.0, -2.0), **options: float) -> Tensor:
    """Four frames of the past and six to come, `(time, y, x)`."""
    frames = frames_of(translation(*step), SHAPE, count=10, **options)
    return frames.clamp(0, 0.99)


# ------------------------------------------------------------ what it forecasts


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("method", ["lucas-kanade", "spectral"])
def test_rain_that_only_moves_is_known_ahead(target: str, method: str) -> None:
    frames = storm()
    forecast = built(target, Extrapolation(motion=method))(past_of(frames[None, :4]))[0]
    assert forecast.shape == (6, *SHAPE)
    for lead in range(6):
        known = ~forecast[lead].isnan()
        assert known.float().mean() > 0.8
        true = frames[4 + lead]
        error = (forecast[lead] - true)[known].square().mean().sqrt()
        persisted = (frames[3] - true)[known].square().mean().sqrt()
        assert error < persisted / 4


@pytest.mark.parametrize("target", TARGETS)
def test_it_is_the_last_frame_carried_by_the_motion_in_amounts(target: str) -> None:
    frames = storm()[:4]
    frames[-1, 40:44, 30:40] = torch.nan
    module = built(target, Extrapolation("spectral", "bicubic"))
    found = module.nowcast(past_of(frames[None]))[0]

    twin = scaling_for("rain_rate" if target == "reflectivity" else target)
    amounts = twin.denormalize(frames[-1])
    velocity = motion(frames[None, -3:], method="spectral")
    wanted = extrapolated(amounts, velocity, 6, mode="bicubic")
    if target == "reflectivity":
        wanted = scaling_for(target).denormalize(twin.normalize(wanted))
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-3, equal_nan=True)
    numbers = module(past_of(frames[None]))[0]
    wanted = scaling_for(target).normalize(wanted)
    torch.testing.assert_close(numbers, wanted, rtol=1e-4, atol=1e-3, equal_nan=True)


def test_between_two_pixels_lies_the_mean_of_their_rain_rates() -> None:
    module = built("reflectivity")
    velocity = torch.zeros(1, 2, 1, 8)
    velocity[:, 1] = 0.5
    numbers = torch.zeros(1, 1, 1, 8)
    numbers[..., 4:] = 0.7
    found = module.along(numbers, velocity)[0, 0, 0]
    rates = scaling_for("rain_rate")
    mean = rates.denormalize(torch.tensor(0.7)) / 2
    decibels = scaling_for("reflectivity").denormalize(rates.normalize(mean))
    assert found[4] == pytest.approx(float(decibels), abs=1e-3)
    assert found[4] > 0.5 * (39 - 10)


@pytest.mark.parametrize("target", TARGETS)
def test_dry_stays_dry_and_known(target: str) -> None:
    forecast = built(target)(past_of(torch.zeros(1, 4, *SHAPE)))
    torch.testing.assert_close(forecast, torch.zeros(1, 6, *SHAPE), rtol=0, atol=1e-6)


@pytest.mark.parametrize("target", TARGETS)
def test_a_single_wet_pixel_stays_where_it_is(target: str) -> None:
    frames = torch.zeros(1, 4, *SHAPE)
    for time in range(4):
        frames[0, time, 20, 30 + 2 * time] = 0.8
    forecast = built(target)(past_of(frames))
    torch.testing.assert_close(
        forecast, frames[:, 3:].expand(-1, 6, -1, -1), rtol=0, atol=1e-3
    )


def test_a_constant_field_stays_constant() -> None:
    forecast = built()(past_of(torch.full((1, 4, *SHAPE), 0.5)))
    torch.testing.assert_close(
        forecast, torch.full((1, 6, *SHAPE), 0.5), rtol=0, atol=1e-3
    )


def test_nearest_pixels_keep_their_values() -> None:
    frames = storm((1.3, -2.6))[None, :4]
    last = built().scaling.denormalize(frames[0, -1])
    module = built(spec=Extrapolation(interpolation="nearest"))
    found = module.nowcast(past_of(frames))
    known = found[~found.isnan()]
    nearest = torch.searchsorted(last.flatten().sort().values, known)
    values = last.flatten().sort().values
    gap = torch.minimum(
        (values[nearest.clamp(max=len(values) - 1)] - known).abs(),
        (values[(nearest - 1).clamp(min=0)] - known).abs(),
    )
    assert gap.max() <= 1e-5 * last.max()


# ------------------------------------------------------------- what is missing


def test_what_comes_from_beyond_the_edge_is_missing_and_not_dry() -> None:
    forecast = built()(past_of(storm((0.0, 4.0))[None, :4]))[0]
    for lead in range(6):
        blind = forecast[lead].isnan().float().mean(0)
        # a motion off by a twentieth moves the border by as much
        width = 4 * (lead + 1)
        assert blind[: int(0.95 * width - 1)].min() == 1
        assert blind[int(1.05 * width) + 2 :].max() == 0


def test_a_region_without_data_is_carried_along() -> None:
    frames = storm((0.0, 4.0))[:4]
    frames[:, 40:52, 60:74] = torch.nan
    forecast = built()(past_of(frames[None]))[0]
    assert forecast[5, 43:49, 87:95].isnan().all()
    assert forecast[5, :36, 40:].isfinite().all()
    assert forecast[5, 40:52, 64:80].isfinite().all()


def test_all_missing_gives_nothing_known() -> None:
    forecast = built()(past_of(torch.full((1, 4, *SHAPE), torch.nan)))
    assert forecast.shape == (1, 6, *SHAPE)
    assert forecast.isnan().all()


@pytest.mark.parametrize("frame", [0, 1, 2])
def test_a_whole_earlier_frame_missing_does_not_make_the_last_unknown(
    frame: int,
) -> None:
    frames = storm()[:4]
    frames[frame] = torch.nan
    forecast = built()(past_of(frames[None]))[0]
    assert forecast.isfinite().float().mean() > 0.8


def test_the_last_frame_missing_leaves_nothing_to_carry() -> None:
    frames = storm()[:4]
    frames[-1] = torch.nan
    assert built()(past_of(frames[None])).isnan().all()


def test_infinite_values_spoil_no_more_than_their_neighbors() -> None:
    spoilt = storm()[:4]
    missing = spoilt.clone()
    spoilt[-1, 40, 60], missing[-1, 40, 60] = torch.inf, torch.nan
    forecast, wanted = built()(past_of(spoilt[None])), built()(past_of(missing[None]))
    for lead in range(1, 7):
        far = torch.ones(SHAPE, dtype=torch.bool)
        y, x = 40 + lead, 60 - 2 * lead
        far[y - 2 : y + 3, x - 2 : x + 3] = False
        torch.testing.assert_close(
            forecast[0, lead - 1, far],
            wanted[0, lead - 1, far],
            rtol=0,
            atol=1e-5,
            equal_nan=True,
        )


# --------------------------------------------------------------- any past, any grid


def test_it_looks_at_the_last_three_frames_of_the_target() -> None:
    past = past_of(storm()[None, :4])
    other = past.clone()
    other[:, 0] = torch.rand(other[:, 0].shape)
    sees_these_alone(built(), past, other)


def test_one_frame_only_is_an_error_that_says_so() -> None:
    with pytest.raises(ValueError, match=r"got 1 frame, wanted two or more"):
        built()(past_of(storm()[None, :1]))


@pytest.mark.parametrize("shape", [(37, 48), (7, 5), (1, 40), (40, 1), (1, 1)], ids=str)
def test_grids_of_any_size(shape: tuple[int, int]) -> None:
    frames = frames_of(translation(0.6, -0.8), shape, count=4, waves=(8, 24), dry=-1.5)
    frames = frames.clamp(0, 0.99)
    forecast = built()(past_of(frames[None]))
    assert forecast.shape == (1, 6, *shape)
    known = forecast[~forecast.isnan()]
    assert (known >= -1e-6).all()
    assert (known <= frames[-1].max() + 1e-3).all()


def test_a_batch_is_forecast_as_each_alone() -> None:
    turning = frames_of(rotation(0.03, 48, 64), SHAPE, count=4, seed=3).clamp(0, 0.99)
    some = [storm()[:4], turning, torch.zeros(4, *SHAPE)]
    some.append(torch.full((4, *SHAPE), torch.nan))
    together = built()(past_of(torch.stack(some)))
    for number, frames in enumerate(some):
        alone = built()(past_of(frames[None]))[0]
        torch.testing.assert_close(
            together[number], alone, rtol=0, atol=1e-3, equal_nan=True
        )


def test_half_precision_around_it_changes_nothing() -> None:
    past = past_of(storm()[None, :4])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        forecast = built()(past)
    torch.testing.assert_close(
        forecast, built()(past), rtol=0, atol=1e-5, equal_nan=True
    )


@needs_cuda
@pytest.mark.parametrize("target", TARGETS)
def test_a_gpu_forecasts_alike(target: str) -> None:
    past = past_of(storm((1.3, -2.6))[None, :4])
    ours, theirs = built(target)(past), built(target)(past.to("cuda")).cpu()
    assert (ours.isnan() == theirs.isnan()).float().mean() > 0.999
    both = ~ours.isnan() & ~theirs.isnan()
    torch.testing.assert_close(theirs[both], ours[both], rtol=0, atol=1e-3)


# ---------------------------------------------------------------- the description


def test_it_is_a_value_and_has_no_weights() -> None:
    assert Extrapolation() == Extrapolation(motion="lucas-kanade")
    assert Extrapolation() != Extrapolation(interpolation="nearest")
    assert len({Extrapolation(), Extrapolation(), Extrapolation("spectral")}) == 2
    assert CLASSICS["extrapolation"] is Extrapolation
    assert not list(built().parameters())
    assert built().scenarios(past_of(storm()[None, :4])) is None


def test_options_that_are_not_known_name_those_that_are() -> None:
    with pytest.raises(ValueError, match=r"motion is 'darts', wanted .*'spectral'"):
        Extrapolation(motion="darts")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"interpolation is 'cubic', .*'bicubic'"):
        Extrapolation(interpolation="cubic")  # type: ignore[arg-type]
