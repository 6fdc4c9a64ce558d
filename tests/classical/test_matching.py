"""Probability matching: the observed amounts, in the order of the forecast."""

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from stormfusion.classical import Matching
from stormfusion.classical.matching import BINS, reach

FEW = settings(max_examples=15, deadline=None)
SEEDS = st.integers(0, 2**31)
AMOUNTS = st.lists(st.sampled_from([0, 0, 0, 0.1, 0.5, 1, 1, 2, 7, 30]), min_size=12)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def apart(wet: int, shape: tuple[int, int] = (9, 14), seed: int = 0) -> Tensor:
    """A field whose wet pixels differ by a step at least; the others are dry."""
    count = shape[0] * shape[1]
    values = torch.zeros(count)
    steps = torch.randperm(BINS - 2, generator=seeded(seed))[:wet] + 2
    values[torch.randperm(count, generator=seeded(seed + 1))[:wet]] = steps.float()
    return values.view(shape)


def rainy(wet: int, shape: tuple[int, int] = (9, 14), seed: int = 0) -> Tensor:
    """Amounts as rain has them: many small ones, a few large."""
    drawn = torch.randn(shape[0] * shape[1], generator=seeded(seed)).exp()
    drawn[wet:] = 0.0
    return drawn[torch.randperm(len(drawn), generator=seeded(seed))].view(shape)


def ranked(field: Tensor) -> Tensor:
    return field.flatten().sort(descending=True).values


def bounds(observed: Tensor, field: Tensor) -> tuple[Tensor, Tensor]:
    """
    Amounts between which each wet pixel of a field must be.

    Of those within a step of it, any may be before it or behind.
    """
    amounts = torch.cat((ranked(observed), torch.zeros(field.numel())))
    values = field.flatten().double()
    step = 1.0001 * values.max() / (BINS - 0.5)
    before = (values[None] > values[:, None] + step).sum(1)
    behind = (values[None] >= values[:, None] - step).sum(1) - 1
    low, high = amounts[behind], amounts[before]
    return low.view_as(field), high.view_as(field)


# -------------------------------------------------------- the observed distribution


@FEW
@given(SEEDS, st.integers(0, 126), st.floats(1e-3, 1e6))
def test_the_distribution_is_the_observed_one(
    seed: int, wet: int, scale: float
) -> None:
    observed, field = rainy(wet, seed=seed), apart(wet, seed=seed)
    found = Matching(observed)(scale * field)
    assert torch.equal(found > 0, field > 0)
    torch.testing.assert_close(ranked(found), ranked(observed))


@FEW
@given(SEEDS, st.integers(1, 126), st.integers(0, 126))
def test_each_rank_has_its_amount(seed: int, wet: int, observed_wet: int) -> None:
    """Fewer wet pixels keep the highest amounts; of too many the last are dry."""
    observed, field = rainy(observed_wet, seed=seed), apart(wet, seed=seed)
    found = Matching(observed)(field)
    expected = torch.zeros(126)
    expected[:wet] = ranked(observed)[:wet]
    torch.testing.assert_close(ranked(found), expected)
    order = field.flatten().argsort(descending=True)
    torch.testing.assert_close(found.flatten()[order[:wet]], expected[:wet])
    assert int((found > 0).sum()) == min(wet, observed_wet)


@FEW
@given(SEEDS, st.floats(0.1, 1))
def test_amounts_of_a_smooth_field_are_within_a_step(seed: int, share: float) -> None:
    shape = (40, 50)
    observed = rainy(int(2000 * share), shape, seed)
    field = torch.randn(shape, generator=seeded(seed)).clamp(min=0).square()
    found = Matching(observed)(field)
    low, high = bounds(observed, field)
    wet = field > 0
    assert (found[wet] >= low[wet] * (1 - 1e-5)).all()
    assert (found[wet] <= high[wet] * (1 + 1e-5)).all()
    assert not found[~wet].any()


@pytest.mark.parametrize("wet", [300, 1200, 2000])
def test_the_quantiles_are_the_observed_ones(wet: int) -> None:
    shape = (40, 50)
    observed = rainy(wet, shape)
    field = torch.rand(shape, generator=seeded(1)) + 0.05
    found = Matching(observed)(field)
    shares = torch.arange(0.05, 0.96, 0.05)
    expected = observed.flatten().quantile(shares)
    torch.testing.assert_close(
        found.flatten().quantile(shares), expected, rtol=0.05, atol=1e-6
    )
    assert found.mean() == pytest.approx(observed.mean().item(), rel=0.05)
    assert found.max() <= observed.max()


# ----------------------------------------------------------------- the order, and ties


@FEW
@given(AMOUNTS, AMOUNTS)
@example([1] * 12, [0] * 11 + [30])
@example([0] * 11 + [30], [1] * 12)
def test_the_order_stays_whatever_the_ties(field: list, observed: list) -> None:
    values = torch.tensor(field, dtype=torch.float32)[None]
    amounts = torch.tensor(observed, dtype=torch.float32)[None]
    found = Matching(amounts)(values)
    assert found.isfinite().all()
    assert not found[values == 0].any()
    by_value = found.flatten()[values.flatten().argsort()]
    assert (by_value.diff() >= -1e-5).all()
    for value in values.unique():
        assert len(found[values == value].unique()) == 1
    if values.any():
        low, high = bounds(amounts, values)
        wet = values > 0
        assert (found[wet] >= low[wet] - 1e-5).all()
        assert (found[wet] <= high[wet] + 1e-5).all()


@FEW
@given(SEEDS)
def test_the_order_of_a_smooth_field_stays(seed: int) -> None:
    field = torch.randn(40, 50, generator=seeded(seed)).exp()
    found = Matching(rainy(1500, (40, 50), seed))(field).flatten()
    by_value = found[field.flatten().argsort()]
    assert (by_value.diff() >= -1e-5 * by_value[1:]).all()
    assert by_value.diff().max() > 0


def test_the_unit_of_the_field_does_not_matter() -> None:
    field, matching = rainy(100), Matching(rainy(80, seed=1))
    torch.testing.assert_close(matching(1024.0 * field), matching(field))


def test_the_field_is_left_as_it_was() -> None:
    field = rainy(100)
    before = field.clone()
    Matching(rainy(80, seed=1))(field)
    assert torch.equal(field, before)


# -------------------------------------------------------------------- little to match


def test_nothing_observed_is_dry() -> None:
    assert not Matching(torch.zeros(9, 14))(rainy(50)).any()


@pytest.mark.parametrize("wet", [0, 1, 126])
def test_a_dry_field_stays_dry(wet: int) -> None:
    assert torch.equal(Matching(rainy(wet))(torch.zeros(9, 14)), torch.zeros(9, 14))


def test_a_single_wet_pixel_gets_the_highest_amount() -> None:
    field = torch.zeros(9, 14)
    field[4, 5] = 1e-3
    observed = rainy(50)
    found = Matching(observed)(field)
    assert found[4, 5] == observed.max()
    assert torch.equal(found > 0, field > 0)


def test_a_single_amount_goes_to_the_highest_pixel() -> None:
    observed = torch.zeros(9, 14)
    observed[0, 0] = 7.0
    field = apart(60)
    found = Matching(observed)(field)
    assert found.flatten()[field.argmax()] == 7.0
    assert found.sum() == 7.0


def test_one_amount_everywhere_stays_that() -> None:
    everywhere = torch.full((9, 14), 3.0)
    found = Matching(everywhere)(torch.full((9, 14), 0.7))
    torch.testing.assert_close(found, everywhere)
    torch.testing.assert_close(Matching(everywhere)(apart(126)), everywhere)


@pytest.mark.parametrize("scale", [1e-12, 1e12, 1e30, 1e34])
def test_huge_and_tiny_amounts(scale: float) -> None:
    observed, field = rainy(70), apart(70)
    expected = ranked(observed)
    found = ranked(Matching(scale * observed)(field))
    torch.testing.assert_close(found / scale, expected)
    torch.testing.assert_close(ranked(Matching(observed)(scale * field)), expected)


# ------------------------------------------------------------------ the reach of rain


def single(shape: tuple[int, int], y: int, x: int) -> Tensor:
    wet = torch.zeros(shape, dtype=torch.bool)
    wet[y, x] = True
    return wet


def distance(shape: tuple[int, int], y: int, x: int) -> Tensor:
    """Along rows or columns, whichever is more [pixels]."""
    rows = (torch.arange(shape[0]) - y).abs()[:, None]
    return torch.maximum(rows, (torch.arange(shape[1]) - x).abs())


PLACES = [((60, 90), 30, 41), ((57, 70), 0, 69), ((61, 83), 60, 3)]


@pytest.mark.parametrize(("shape", "y", "x"), PLACES, ids=str)
@pytest.mark.parametrize("pixels", [10.0, 25.0, 40.0])
def test_the_chance_of_rain_falls_from_rain(
    shape: tuple[int, int], y: int, x: int, pixels: float
) -> None:
    near = reach(single(shape, y, x), pixels)
    far = distance(shape, y, x)
    assert near.shape == shape
    # it is held on blocks of four pixels: exact to two, and where it rains to one
    assert 1 - 4 / pixels <= near[y, x] <= 1
    assert not near[far >= pixels + 8].any()
    assert (near[far <= pixels - 8] > 0).all()
    assert ((near - (1 - far / pixels).clamp(min=0)).abs() <= 8 / pixels).all()
    # away from it in all four directions, once beyond its own block
    before = (near[y, : x + 1].flip(0), near[: y + 1, x].flip(0))
    for line in (near[y, x:], near[y:, x], *before):
        assert (line[4:].diff() <= 1e-6).all()


def test_it_is_one_inside_rain() -> None:
    wet = torch.zeros(37, 50, dtype=torch.bool)
    wet[10:30, 20:45] = True
    near = reach(wet, 12.0)
    # but for the rim, where blocks are half of rain
    assert (near[16:24, 26:39] == 1).all()
    assert (near[wet] >= 0.75).all()
    assert torch.equal(reach(torch.ones(37, 50), 12.0), torch.ones(37, 50))


@FEW
@given(st.integers(1, 30), st.integers(1, 30), SEEDS, st.floats(0.5, 60))
def test_any_map_has_a_reach_between_zero_and_one(
    height: int, width: int, seed: int, pixels: float
) -> None:
    wet = torch.rand(2, 3, height, width, generator=seeded(seed)) < 0.05
    near = reach(wet, pixels)
    assert near.shape == wet.shape
    assert (near >= 0).all()
    assert (near <= 1).all()
    assert (near[wet] > 0).all()
    for one, other in np.ndindex(2, 3):
        alone = reach(wet[one, other], pixels)
        assert torch.equal(near[one, other], alone)
        assert bool(alone.any()) == bool(wet[one, other].any())


@FEW
@given(SEEDS, st.floats(4, 30), st.floats(0, 20))
def test_more_rain_and_longer_reaches_reach_further(
    seed: int, pixels: float, longer: float
) -> None:
    few = torch.rand(33, 46, generator=seeded(seed)) < 0.01
    many = few | (torch.rand(33, 46, generator=seeded(seed + 1)) < 0.01)
    near = reach(few, pixels)
    assert (reach(many, pixels) >= near - 1e-6).all()
    assert (reach(few, pixels + longer) >= near - 1e-6).all()


def test_a_map_may_end_anywhere() -> None:
    wet = torch.rand(40, 60, generator=seeded(3)) < 0.01
    wet[37:], wet[:, 50:] = False, False
    found = reach(wet[:37, :50], 10.0)
    # the last blocks go on beyond it; nothing else does
    torch.testing.assert_close(found[:, :48], reach(wet, 10.0)[:37, :48])
    assert found[:, 48:].any()


def test_turned_rain_has_a_turned_reach() -> None:
    wet = torch.rand(64, 96, generator=seeded(3)) < 0.02
    wet[:20], wet[36:], wet[:, :20], wet[:, 60:] = False, False, False, False
    assert wet.any()
    near = reach(wet, 10.0)
    torch.testing.assert_close(reach(wet.flip(0, 1), 10.0), near.flip(0, 1))
    torch.testing.assert_close(reach(wet.T, 10.0), near.T)
    moved = reach(wet.roll((8, 12), (0, 1)), 10.0)
    torch.testing.assert_close(moved, near.roll((8, 12), (0, 1)))
