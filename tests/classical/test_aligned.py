"""Frames at one place: what moves is kept, what changes is not, what is not known."""

import numpy as np
import pytest
import torch
from tests.classical.fields import frames_of, motion_of, rotation, translation
from torch import Tensor

from stormfusion.classical import AR2, Aligned, Cascade
from stormfusion.classical.aligned import Kept

SHAPE = (48, 64)
LEVELS = 4
CASCADE = Cascade.of(*SHAPE, levels=LEVELS)
STILL = torch.zeros(1, 2, *SHAPE)
EVERYWHERE = torch.ones(SHAPE)
NEVER_DRY = -1e6


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def steady(down: float, along: float) -> Tensor:
    speed = torch.tensor((float(down), float(along)))
    return speed[None, :, None, None].expand(1, 2, *SHAPE)


def brought(
    frames: Tensor, velocity: Tensor = STILL, *, least: float = 0.0, dry: float = 0.0
) -> Aligned:
    return Aligned.of(frames, velocity, CASCADE, dry=dry, least=least)


def noisy(seed: int = 0, count: int = 3) -> Tensor:
    """Frames of white noise that know nothing of each other."""
    return torch.randn(count, *SHAPE, generator=seeded(seed))


def agree(samples: Tensor, expected: float | Tensor, errors: float = 4.0) -> None:
    """The mean of independent samples is what was expected, within its error."""
    error = samples.std(0) / len(samples) ** 0.5
    assert (error > 0).all()
    assert ((samples.mean(0) - expected).abs() <= errors * error).all()


# ------------------------------------------------------------ at the place of the last


@pytest.mark.parametrize("step", [(0, 0), (3, -2), (-1, 4)], ids=str)
def test_frames_come_to_the_place_of_the_last(step: tuple[int, int]) -> None:
    frames = frames_of(translation(*step), SHAPE)
    aligned = brought(frames, steady(*step))
    for frame in aligned.values:
        torch.testing.assert_close(frame, frames[2], rtol=0, atol=1e-5)
    # what came from beyond the edge is known in the last frame alone
    wanted = torch.ones(SHAPE, dtype=torch.bool)
    down, along = (2 * part for part in step)
    wanted[: max(down, 0)], wanted[SHAPE[0] + min(down, 0) :] = False, False
    wanted[:, : max(along, 0)], wanted[:, SHAPE[1] + min(along, 0) :] = False, False
    assert torch.equal(aligned.known, wanted)


def test_each_frame_is_its_own_way_from_the_last() -> None:
    frames = torch.zeros(3, *SHAPE)
    frames[0, 20, 20], frames[1, 21, 23], frames[2, 22, 26] = 1.0, 2.0, 3.0
    values = brought(frames, steady(1, 3)).values
    torch.testing.assert_close(
        values[:, 22, 26], torch.tensor([1.0, 2.0, 3.0]), rtol=0, atol=1e-4
    )
    assert values.sum().item() == pytest.approx(6, abs=1e-3)


def test_rain_counts_from_the_dry() -> None:
    frames = torch.zeros(3, *SHAPE)
    frames[:, 5, 5], frames[:, 5, 6], frames[:, 5, 7] = 0.29, 0.31, 0.7
    found = brought(frames, least=0.3, dry=0.25).values
    torch.testing.assert_close(
        found[:, 5, 5:8],
        torch.tensor([0.0, 0.06, 0.45]).expand(3, 3),
        rtol=0,
        atol=1e-5,
    )
    assert torch.equal(found > 0, frames >= 0.3)


@pytest.mark.parametrize("frame", [0, 1, 2])
def test_a_missing_pixel_has_the_value_of_the_frame_after(frame: int) -> None:
    frames = torch.rand(3, *SHAPE, generator=seeded())
    holed = frames.clone()
    holed[frame, 7, 9] = torch.nan
    aligned = brought(holed)
    wanted = frames.clone()
    wanted[frame, 7, 9] = frames[frame + 1, 7, 9] if frame < 2 else 0.0
    torch.testing.assert_close(aligned.values, wanted, rtol=0, atol=1e-5)
    assert not aligned.known[7, 9]
    assert int((~aligned.known).sum()) == 1


def test_levels_are_those_of_the_cascade() -> None:
    frames = noisy()
    aligned = brought(frames, least=NEVER_DRY)
    for number, wanted in enumerate(CASCADE.levels(frames)):
        torch.testing.assert_close(aligned.level(number), wanted, rtol=0, atol=1e-4)


# ----------------------------------------------------------------- of their pixels


@pytest.mark.parametrize("even", [True, False])
def test_statistics_are_those_of_weighted_pixels(even: bool) -> None:
    frames = noisy(1).cumsum(0)
    corner = torch.linspace(0, 1, SHAPE[1]) ** 3
    weight = EVERYWHERE if even else corner * torch.rand(SHAPE, generator=seeded(2))
    kept = brought(frames, least=NEVER_DRY).kept(weight)
    for number, level in enumerate(CASCADE.levels(frames)):
        flat, share = level.flatten(1).double().numpy(), weight.flatten().numpy()
        wanted = np.cov(flat, aweights=share, ddof=0)
        size = np.sqrt(np.diag(wanted))
        one = (wanted[0, 1] + wanted[1, 2]) / (size[0] * size[1] + size[1] * size[2])
        two = wanted[0, 2] / (size[0] * size[2])
        found = [part[number].item() for part in kept]
        expected = [one, two, size[2], size[2] / size[1]]
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_the_unit_of_the_weight_does_not_matter() -> None:
    aligned = brought(noisy())
    weight = torch.rand(SHAPE, generator=seeded(1))
    for one, other in zip(aligned.kept(weight), aligned.kept(7 * weight), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


# ------------------------------------------------------------ what is kept, what is not


@pytest.mark.parametrize("step", [(2, -3), (-1, 4)], ids=str)
def test_rain_that_only_moves_is_kept_entirely(step: tuple[int, int]) -> None:
    """Over the edge there flows in what was not seen before; that is no change."""
    kept = brought(frames_of(translation(*step), SHAPE), steady(*step)).kept(EVERYWHERE)
    assert (kept.lag_1 > 0.999).all()
    assert (kept.lag_2 > 0.999).all()
    torch.testing.assert_close(kept.growth, torch.ones(LEVELS), rtol=1e-3, atol=0)


@pytest.mark.parametrize("turn", [0.03, -0.05])
def test_rain_that_turns_is_kept_at_all_scales_it_has(turn: float) -> None:
    back = rotation(turn, 23.5, 31.5)
    frames, velocity = frames_of(back, SHAPE, waves=(12, 48)), motion_of(back, SHAPE)
    kept = brought(frames, velocity[None]).kept(EVERYWHERE)
    # interpolated between pixels, waves of 12 pixels lose some per cent
    large = torch.tensor(CASCADE.centres) > 12
    assert large.sum() == 2
    assert (kept.lag_1[large] > 0.95).all()
    assert (kept.lag_2[large] > 0.95).all()


def test_rain_that_grows_keeps_its_pattern() -> None:
    last = frames_of(translation(0, 0), SHAPE)[2]
    kept = brought(torch.stack((last / 1.44, last / 1.2, last))).kept(EVERYWHERE)
    torch.testing.assert_close(kept.growth, torch.full((LEVELS,), 1.2))
    torch.testing.assert_close(kept.lag_1, torch.ones(LEVELS))
    torch.testing.assert_close(kept.lag_2, torch.ones(LEVELS))


def test_of_rain_that_is_replaced_nothing_is_kept() -> None:
    found = [brought(noisy(n).abs()).kept(EVERYWHERE) for n in range(60)]
    for lag in ("lag_1", "lag_2"):
        agree(torch.stack([getattr(kept, lag) for kept in found]), 0.0)


def test_what_flowed_in_does_not_count_as_kept() -> None:
    """Half of the map was not seen before; what was seen is new."""
    found = []
    for number in range(60):
        frames = noisy(number).abs()
        frames[:2, :, 32:] = torch.nan
        found.append(brought(frames).kept(EVERYWHERE))
    small = torch.tensor(CASCADE.centres) < 8
    for lag in ("lag_1", "lag_2"):
        # at the border alone waves reach over from the half that was filled
        mean = torch.stack([getattr(kept, lag) for kept in found]).mean(0)[small]
        assert (mean.abs() < 0.2).all()


# ------------------------------------------------------------------ models come back


def evolved(memory: AR2, number: int, steps: int = 12) -> Tensor:
    """The last three of some steps of levels that each go on by a model."""
    generator = seeded(number)
    made = torch.zeros(2, LEVELS, *SHAPE)
    before, now = made
    found = []
    phi_1, phi_2, phi_0 = (
        part[:, None, None] for part in (memory.phi_1, memory.phi_2, memory.phi_0)
    )
    for _ in range(steps):
        fresh = torch.randn(LEVELS, *SHAPE, generator=generator)
        # each level of a white field of its own
        new = torch.stack([CASCADE.levels(f)[k] for k, f in enumerate(fresh)])
        now, before = phi_1 * now + phi_2 * before + phi_0 * new, now
        found.append(now.sum(0))
    return torch.stack(found[-3:])


def jackknifed(lags: Tensor) -> tuple[Tensor, Tensor]:
    """Parameters of a model of mean correlations, and how well they are known."""

    def parameters(some: Tensor) -> Tensor:
        model = AR2.fitted(*some.mean(0))
        return torch.stack((model.phi_1, model.phi_2))

    count = len(lags)
    rest = [parameters(torch.cat((lags[:n], lags[n + 1 :]))) for n in range(count)]
    spread = torch.stack(rest).var(0, unbiased=False)
    return parameters(lags), ((count - 1) * spread).sqrt()


def test_the_model_of_a_simulated_series_comes_back() -> None:
    one, two = torch.full((LEVELS,), 0.8), torch.full((LEVELS,), 0.55)
    model = AR2.fitted(one, two)
    lags = []
    for number in range(40):
        kept = brought(evolved(model, number), least=NEVER_DRY).kept(EVERYWHERE)
        lags.append(torch.stack((kept.lag_1, kept.lag_2)))
    found, error = jackknifed(torch.stack(lags))
    wanted = torch.stack((model.phi_1, model.phi_2))
    # of the largest level there are a few waves in a map, too few for its correlations
    known = torch.tensor(CASCADE.centres) < max(SHAPE) / 3
    assert known.sum() == 3
    assert (error[:, known] < 0.1).all()
    assert ((found - wanted).abs() <= 4 * error)[:, known].all()


def test_each_level_has_its_own_memory() -> None:
    one = torch.tensor([0.95, 0.8, 0.5, 0.1])
    model = AR2.fitted(one, one.square())
    found = [brought(evolved(model, n), least=NEVER_DRY) for n in range(10)]
    lag_1 = torch.stack([aligned.kept(EVERYWHERE).lag_1 for aligned in found]).mean(0)
    assert (lag_1.diff() < 0).all()
    assert lag_1[1] > 0.6
    assert lag_1[3] < 0.3


# ----------------------------------------------------------------- where it rains


def test_the_deviation_is_that_of_the_rain_not_of_the_dry() -> None:
    rain = noisy(3).abs() + 1.0
    part = rain.clone()
    part[..., 24:] = 0.0
    # further from the dry than small waves reach
    weight = torch.zeros(SHAPE)
    weight[:, :16] = 1.0
    whole, rainy, diluted = (
        brought(frames).kept(where)
        for frames, where in ((rain, weight), (part, weight), (part, EVERYWHERE))
    )
    small = torch.tensor(CASCADE.centres) < 8
    assert small.sum() == 2
    torch.testing.assert_close(
        rainy.deviation[small], whole.deviation[small], rtol=0.05, atol=0
    )
    assert (diluted.deviation[3] < 0.75 * rainy.deviation[3]).all()


def test_pixels_without_weight_do_not_count() -> None:
    frames = noisy(4)
    weight = torch.zeros(SHAPE)
    weight[:, :32] = 1.0
    other = frames.clone()
    other[..., 48:] = torch.randn(3, 48, 16, generator=seeded(9)) * 5
    one, two = (brought(f, least=NEVER_DRY).kept(weight) for f in (frames, other))
    # the smallest waves do not reach that far
    for part in ("lag_1", "lag_2", "deviation"):
        first, second = getattr(one, part)[3], getattr(two, part)[3]
        torch.testing.assert_close(first, second, rtol=0.05, atol=0.02)


# --------------------------------------------------------------------- little is known


def told(kept: Kept) -> AR2:
    """The model of what is kept, which has to be one."""
    model = AR2.fitted(kept.lag_1, kept.lag_2)
    for part in (model.phi_1, model.phi_2, model.phi_0):
        assert part.isfinite().all()
    return model


def test_without_earlier_frames_levels_count_as_kept_entirely() -> None:
    frames = frames_of(translation(0, 0), SHAPE)
    frames[:2] = torch.nan
    aligned = brought(frames)
    assert not aligned.known.any()
    kept = aligned.kept(EVERYWHERE)
    torch.testing.assert_close(kept.lag_1, torch.ones(LEVELS))
    torch.testing.assert_close(kept.lag_2, torch.ones(LEVELS))
    assert (kept.deviation > 0).all()
    assert (told(kept).phi_0 < 0.05).all()


@pytest.mark.parametrize("value", [0.0, torch.nan])
def test_nothing_to_measure_is_nan_that_a_model_takes(value: float) -> None:
    kept = brought(torch.full((3, *SHAPE), value)).kept(EVERYWHERE)
    assert kept.lag_1.isnan().all()
    assert kept.lag_2.isnan().all()
    assert not kept.deviation.any()
    model = told(kept)
    torch.testing.assert_close(model.phi_0, torch.ones(LEVELS))


def test_without_weight_nothing_is_measured() -> None:
    kept = brought(noisy()).kept(torch.zeros(SHAPE))
    assert kept.lag_1.isnan().all()
    assert not kept.deviation.any()
    told(kept)


def test_a_constant_field_does_not_vary() -> None:
    kept = brought(torch.full((3, *SHAPE), 0.7)).kept(EVERYWHERE)
    assert (kept.deviation < 1e-6).all()
    told(kept)


def test_a_level_that_does_not_vary_leaves_the_others_as_they_are() -> None:
    """A wave that is the longest there is, and whose other levels are rounding."""
    x = torch.arange(SHAPE[1])
    wave = (1 + torch.cos(2 * torch.pi * x / SHAPE[1])).expand(*SHAPE)
    kept = brought(wave.expand(3, *SHAPE)).kept(EVERYWHERE)
    assert kept.deviation[0] > 10 * kept.deviation[-1]
    assert kept.lag_1[0] == pytest.approx(1, abs=1e-4)
    told(kept)


@pytest.mark.parametrize("shape", [(37, 48), (7, 5), (1, 40), (2, 2)], ids=str)
def test_any_domain(shape: tuple[int, int]) -> None:
    cascade = Cascade.of(*shape, levels=3)
    velocity = torch.full((1, 2, *shape), 0.4)
    frames = torch.rand(3, *shape, generator=seeded())
    aligned = Aligned.of(frames, velocity, cascade, dry=0.0, least=0.1)
    assert aligned.values.shape == (3, *shape)
    kept = aligned.kept(torch.ones(shape))
    assert ((kept.lag_1.abs() <= 1 + 1e-5) | kept.lag_1.isnan()).all()
    told(kept)
