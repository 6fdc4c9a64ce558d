"""Futures: the observed amounts, in other places; known scales stay, others vary."""

from typing import Any

import pytest
import torch
from tests.classical.fields import frames_of, translation
from tests.classical.futures import (
    BOTH,
    DUST,
    LEADS,
    LEAST,
    SHAPE,
    amounts_of,
    both,
    changing,
    distributed,
    drawn,
    everywhere,
    futures,
    still,
)
from torch import Tensor
from torch.nn.functional import max_pool2d

from stormfusion.classical import Cascade, MotionErrors, extrapolated
from stormfusion.classical.matching import BINS


def by_level(fields: Tensor) -> Tensor:
    """Levels of fields without their mean, `(level, ..., y, x)`."""
    height, width = fields.shape[-2:]
    levels = Cascade.of(height, width, levels=4).levels(fields)
    return levels - levels.mean((-2, -1), keepdim=True)


def agree(samples: Tensor, expected: float | Tensor, errors: float = 4.0) -> None:
    """The mean of independent samples is what was expected, within its error."""
    error = samples.std(0) / len(samples) ** 0.5
    assert (error > 0).all()
    assert ((samples.mean(0) - expected).abs() <= errors * error).all()


# --------------------------------------------------------------- the amounts observed


@BOTH
@pytest.mark.parametrize("made", [changing, everywhere])
def test_members_have_the_observed_distribution(made: Any, noise: Any) -> None:
    frames = made()
    for member in drawn(futures(frames, noise=noise), 3):
        for field in member:
            distributed(field, amounts_of(frames[-1]))


@pytest.mark.parametrize("made", [changing, everywhere])
def test_the_mean_has_the_observed_distribution(made: Any) -> None:
    frames = made()
    for field in futures(frames).mean():
        distributed(field, amounts_of(frames[-1]))


def test_rain_everywhere_stays_everywhere() -> None:
    frames = everywhere()
    found = drawn(futures(frames), 4)
    observed = amounts_of(frames[-1])
    # the mass is that of the observed, but for some pixels that came out below zero
    torch.testing.assert_close(
        found.mean((2, 3)), observed.mean().expand(4, LEADS), rtol=0.05, atol=0
    )
    assert (found > 0).float().mean() > 0.95


def test_faint_rain_is_no_amount() -> None:
    frames = changing()
    faint = frames.clone()
    faint[frames < LEAST] = 0.9 * LEAST
    wet, least = frames[-1] >= LEAST, amounts_of(torch.tensor(LEAST))
    for found in both(futures(faint)):
        # those of the step that the last amount is in may have some of it
        some = 16 * wet.numel() // BINS
        assert ((found > DUST).sum((1, 2)) <= wet.sum() + some).all()
        assert (((found > DUST) & (found < least)).sum((1, 2)) <= some).all()
        torch.testing.assert_close(
            found.amax((1, 2)), amounts_of(frames[-1]).max().expand(LEADS)
        )


# ------------------------------------------------------------------------ its members


@BOTH
def test_a_member_is_the_same_however_many_are_drawn(noise: Any) -> None:
    frames = changing()
    few, many = (
        list(futures(frames, noise=noise, leads=2).members(numbers, seed=3))
        for numbers in (range(10), range(39, -1, -1))
    )
    for number in (0, 7, 9):
        assert torch.equal(few[number], many[39 - number])
    alone = futures(frames, noise=noise, leads=2).member(7, seed=3)
    assert torch.equal(alone, few[7])


@BOTH
def test_members_and_seeds_differ(noise: Any) -> None:
    scenarios = futures(changing(), noise=noise)
    members = [scenarios.member(n, seed=s) for n, s in [(0, 0), (1, 0), (0, 1), (1, 1)]]
    for number, one in enumerate(members):
        for other in members[:number]:
            assert (one - other).abs().mean() > 0.1 * one.mean()


@pytest.mark.parametrize("errors", [None, MotionErrors()])
def test_a_seed_says_all(errors: MotionErrors | None) -> None:
    before = torch.random.get_rng_state()
    one, again = (
        drawn(futures(changing(), velocity=still(SHAPE, (1.0, 2.0)), errors=errors), 2)
        for _ in range(2)
    )
    torch.testing.assert_close(one, again, rtol=0, atol=0, equal_nan=True)
    assert torch.equal(torch.random.get_rng_state(), before)


@BOTH
def test_members_know_nothing_of_each_other(noise: Any) -> None:
    """What two have in common beyond the mean of many others is its error alone."""
    found = drawn(futures(changing(), noise=noise), 72)
    off = found[:32] - found[32:].mean(0)
    product = (off[::2] * off[1::2]).mean((2, 3))
    variance = off.square().mean((0, 2, 3))
    agree(product, variance / 41)
    assert (product.std(0) / 16**0.5 < 0.1 * variance).all()


def test_the_mean_of_many_is_known_as_well_as_their_number_says() -> None:
    found = drawn(futures(everywhere()), 80)
    one, other = found[:40].mean(0), found[40:].mean(0)
    variance = found.var(0)
    ratio = (one - other).square().mean((1, 2)) / (variance.mean((1, 2)) / 20)
    # of large scales there are few in a map
    assert ((ratio > 0.3) & (ratio < 2.5)).all()


def test_the_mean_of_many_is_smooth() -> None:
    frames = everywhere()
    found = drawn(futures(frames), 50)
    alone = by_level(found[:, -1])[-1].square().mean()
    together = by_level(found[:, -1].mean(0))[-1].square().mean()
    # nothing is left of the smallest scales but a share of chance
    assert together < 3 / 50 * alone
    assert by_level(amounts_of(frames[-1]))[-1].square().mean() > 0.5 * alone


# ---------------------------------------------------- what is known, and for how long


@BOTH
def test_spread_grows_with_the_lead(noise: Any) -> None:
    # of large scales that change, too
    frames = torch.stack([everywhere(seed=n)[0] for n in range(3)])
    frames = everywhere(seed=9) + 0.1 * frames
    found = drawn(futures(frames, noise=noise), 24)
    spread = found.var(0).mean((1, 2)).sqrt()
    assert spread[0] > 0
    assert spread[-1] > spread[0]
    kept = torch.stack([correlation(m, amounts_of(frames[-1])) for m in found])
    # the mean correlation with what was observed falls by more than its error
    mean, error = kept.mean(0), kept.std(0) / len(found) ** 0.5
    assert (mean.diff() < 2 * error[1:]).all()
    assert mean[-1] < mean[0] - 4 * error[0]


def correlation(fields: Tensor, observed: Tensor) -> Tensor:
    """Of each lead with what was observed."""
    one, other = fields - fields.mean((-2, -1), True), observed - observed.mean()
    size = one.square().mean((-2, -1)) * other.square().mean()
    return (one * other).mean((-2, -1)) / size.sqrt()


def test_small_scales_are_forgotten_first() -> None:
    frames = everywhere((64, 80))
    observed = amounts_of(frames[-1])
    found = drawn(futures(frames), 8)
    kept = torch.stack(
        [
            (level * of).mean((0, 2, 3)) / (level.square().mean((0, 2, 3)) ** 0.5)
            for level, of in zip(by_level(found), by_level(observed), strict=True)
        ]
    )
    kept /= by_level(observed).square().mean((-2, -1)).sqrt()[:, None]
    # of the largest scale there is one wave in the map
    assert (kept[1:].diff(dim=0) < 0).all()
    assert kept[1, -1] > 0.5
    assert kept[-1, -1] < 0.2


def test_the_mean_is_the_smoother_the_later() -> None:
    lasting = everywhere((64, 80), seed=2)
    # of each scale some part is new
    fresh = torch.stack([everywhere((64, 80), seed=n)[0] for n in (5, 6, 7)])
    found = futures(lasting + 0.2 * fresh, leads=6).mean()
    levels = by_level(found).square().mean((-2, -1))
    rough = levels[-1] / levels.sum(0)
    assert (rough.diff() <= 1e-4).all()
    assert rough[-1] < 0.5 * rough[0]
    observed = by_level(amounts_of((lasting + 0.2 * fresh)[-1])).square().mean((-2, -1))
    assert rough[0] < observed[-1] / observed.sum()


def test_the_mean_is_no_matter_of_chance() -> None:
    torch.manual_seed(0)
    one = futures(changing()).mean()
    torch.manual_seed(1)
    assert torch.equal(one, futures(changing()).mean())


def test_rain_that_does_not_change_stays() -> None:
    frames = changing()[2].expand(3, -1, -1).clone()
    scenarios = futures(frames)
    for found in (scenarios.mean(), scenarios.member(0, seed=0)):
        assert (correlation(found, amounts_of(frames[-1])) > 0.95).all()


@BOTH
def test_rain_stays_within_reach_of_rain(noise: Any) -> None:
    frames = changing((64, 160))
    frames[..., 24:] = 0.0
    scenarios = futures(frames, noise=noise, leads=2)
    found = drawn(scenarios, 6)
    # 20 pixels, 5 km in five minutes, and what is held in blocks of four
    assert not found[:, 0, :, 24 + 33 :].any()
    assert not found[:, 1, :, 24 + 66 :].any()
    assert found[:, 0, :, 24 : 24 + 20].any()
    assert not scenarios.mean()[0, :, 24 + 33 :].any()


@BOTH
def test_rain_reaches_out_from_where_it_has_come_to(noise: Any) -> None:
    """Around each member's own rain: at last further than from what was observed."""
    frames = torch.stack([changing((64, 160), seed=n)[0] for n in range(3)])
    frames[..., 24:] = 0.0
    for member in drawn(futures(frames, noise=noise, leads=6), 4):
        wet = (member > 0).float()
        near = max_pool2d(wet, 2 * 33 + 1, stride=1, padding=33)
        assert not wet[1:][near[:-1] == 0].any()
        assert wet[-1, :, 24 + 33 :].any()


def test_rain_reaches_out_by_a_speed() -> None:
    """A kilometer a minute: forty pixels of 250 m in ten, and twenty besides."""
    frames = torch.stack([changing((64, 160), seed=n)[0] for n in range(3)])
    frames[..., 24:] = 0.0
    options = {"interval": 600, "leads": 1}
    fine, coarse = (
        drawn(futures(frames, spacing=spacing, **options), 8).amax((0, 1, 2))
        for spacing in (250.0, 4000.0)
    )
    assert fine[24 + 33 :].any()
    assert not fine[24 + 68 :].any()
    assert not coarse[24 + 31 :].any()


# ----------------------------------------------------------------------- where it goes


@BOTH
def test_what_comes_from_beyond_the_edge_is_missing_as_in_extrapolation(
    noise: Any,
) -> None:
    frames, velocity = changing(), still(SHAPE, (2.3, -1.7))
    frames[:, 10:14, 20:30] = torch.nan
    scenarios = futures(frames, velocity=velocity, noise=noise)
    wanted = extrapolated(frames[-1], velocity, LEADS).isnan()
    assert wanted.any()
    assert torch.equal(scenarios.mean().isnan(), wanted)
    assert torch.equal(scenarios.member(3, seed=0).isnan(), wanted)


@pytest.mark.parametrize("step", [(2, -1), (-1, 2)], ids=str)
def test_members_of_moving_rain_are_those_of_rain_at_rest_moved(
    step: tuple[int, int],
) -> None:
    frames = torch.zeros(3, 120, 128)
    frames[:, 44:76, 44:80] = changing((32, 36), dry=-1.5)
    down, along = step
    moving = frames.clone()
    for ago in (1, 2):
        moving[2 - ago] = frames[2 - ago].roll((-down * ago, -along * ago), (0, 1))
    velocity = still((120, 128), (float(down), float(along)))
    rest, carried = futures(frames), futures(moving, velocity=velocity)
    pairs = [(rest.mean(), carried.mean())]
    pairs += [(rest.member(n, seed=0), carried.member(n, seed=0)) for n in range(2)]
    for one, other in pairs:
        for lead in range(LEADS):
            way = down * (lead + 1), along * (lead + 1)
            there = one[lead].roll(way, (0, 1))
            known = ~other[lead].isnan()
            assert known.float().mean() > 0.8
            off = (there - other[lead])[known].abs()
            # a rounding may change the rank of a pixel
            assert off.mean() < 1e-3 * one[lead].mean()


def arriving(field: Tensor, along: int) -> Tensor:
    """Frames of what moves along the columns and is there in the last one."""
    return torch.stack([field.roll(-along * ago, 1) for ago in (2, 1, 0)])


def test_displacements_of_members_are_as_large_as_the_errors() -> None:
    """A blob that does not change; its middle is where its motion took it."""
    shape, leads, count = (80, 96), 3, 150
    y, x = torch.arange(80.0)[:, None], torch.arange(96.0)
    blob = (0.9 - ((y - 40) ** 2 + (x - 44) ** 2).sqrt() / 12).clamp(min=0)
    options = {"interval": 600, "spacing": 2000.0, "leads": leads}
    errors, velocity = MotionErrors(), still(shape, (0.0, 1.0))
    scenarios = futures(arriving(blob, 1), velocity=velocity, errors=errors, **options)
    found = drawn(scenarios, count).nan_to_num(0.0)
    total = found.sum((2, 3))
    middle = torch.stack(((found * y).sum((2, 3)), (found * x).sum((2, 3))), -1)
    middle = middle / total[..., None] - torch.tensor((40.0, 44.0))
    middle[..., 1] -= torch.arange(1, leads + 1)
    # kilometres per hour for ten minutes, on pixels of two kilometres
    way = [errors.deviation(10 * n) for n in range(1, leads + 1)]
    wanted = torch.tensor(way).cumsum(0).flip(1) / 6 / 2
    variance = middle.square().mean(0)
    # of a Laplace distribution: the variance of a square is five times its square
    assert ((variance / wanted.square() - 1).abs() < 4 * (5 / count) ** 0.5).all()
    agree(middle, 0.0)


def test_without_errors_a_blob_goes_where_its_motion_takes_it() -> None:
    y, x = torch.arange(48.0)[:, None], torch.arange(64.0)
    blob = (0.9 - ((y - 24) ** 2 + (x - 24) ** 2).sqrt() / 12).clamp(min=0)
    frames, velocity = arriving(blob, 2), still(SHAPE, (0.0, 2.0))
    found = drawn(futures(frames, velocity=velocity), 4).nan_to_num(0.0)
    middle = (found * x).sum((2, 3)) / found.sum((2, 3))
    wanted = 24 + 2 * torch.arange(1.0, LEADS + 1)
    torch.testing.assert_close(middle, wanted.expand(4, -1), rtol=0, atol=0.5)


# --------------------------------------------------------------- frames closer in time


def test_motion_is_per_frame_however_far_apart_they_are() -> None:
    """Rain that moves three pixels from one frame to the third after it: no change."""
    frames, velocity = frames_of(translation(0, 3), SHAPE), still(SHAPE, (0.0, 1.0))
    wanted = extrapolated(amounts_of(frames[-1]), velocity, LEADS)
    for member in drawn(futures(frames, velocity=velocity, apart=3), 3):
        off = (member - wanted)[..., LEADS:]
        assert off.square().mean() < 0.05**2 * wanted[..., LEADS:].square().mean()


def test_members_vary_alike_whatever_the_time_between_frames() -> None:
    """Frames two minutes apart of which every third is looked at, and those alone."""
    frames = everywhere()
    often = futures(frames, interval=120, apart=3, leads=6)
    seldom = futures(frames, interval=360, leads=2)
    many, few = drawn(often, 24)[:, 2::3], drawn(seldom, 24, seed=1)
    one, other = (m.var(0).mean((1, 2)) for m in (many, few))
    torch.testing.assert_close(one, other, rtol=0.15, atol=0)
    torch.testing.assert_close(
        often.mean()[2::3], seldom.mean(), rtol=0.05, atol=0.05 * float(few.mean())
    )
    # and between the frames that are looked at it grows
    assert (drawn(often, 24).var(0).mean((1, 2))[:3].diff() > 0).all()


# ------------------------------------------------------------------------- any device


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA here")
@BOTH
def test_a_gpu_makes_such_members(noise: Any) -> None:
    frames, velocity = changing(), still(SHAPE, (1.0, -2.0))
    ours = futures(frames, velocity=velocity, noise=noise)
    theirs = futures(
        frames.cuda(), velocity=velocity.cuda(), noise=noise, errors=MotionErrors()
    )
    member, again = (theirs.member(3, seed=1) for _ in range(2))
    assert member.is_cuda
    torch.testing.assert_close(member, again, rtol=0, atol=0, equal_nan=True)
    # at the edge of what is known a rounding decides, and elsewhere of ranks
    one, other = ours.mean(), theirs.mean().cpu()
    assert (one.isnan() == other.isnan()).float().mean() > 0.99
    assert (one - other).abs().nanmean() < 1e-3 * one.nanmean()
