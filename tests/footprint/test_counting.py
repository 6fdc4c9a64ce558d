"""Counts and moments of members as they come, beside all of them at once."""

import tracemalloc

import numpy as np
import pytest
from tests.test_footprint import labelled, stored

from stormfusion.footprint import Accumulator
from stormfusion.footprint.counting import Counts, Known, Moments
from stormfusion.footprint.ordering import KEPT

nan = np.nan
SHAPE = (3, 4, 5)


def members(seed: int, count: int, gaps: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = rng.gamma(0.5, 10.0, (count, *SHAPE)).astype(np.float32)
    values[rng.random(values.shape) < gaps] = nan
    return values


@pytest.mark.parametrize("gaps", [0.0, 0.3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("late", [0, 3])
def test_moments_are_those_of_all(gaps: float, weighted: bool, late: int) -> None:
    values = members(0, 12, gaps)
    # the first few may know everything
    values[:late] = members(1, 12, 0.0)[:late]
    weights = (
        np.random.default_rng(2).uniform(0.1, 2.0, 12) if weighted else np.ones(12)
    )
    known = Known(SHAPE, np.float32 if weighted else np.uint16)
    moments = Moments(SHAPE)
    for value, weight in zip(values, weights, strict=True):
        there = ~np.isnan(value)
        some = None if there.all() else there
        always = None if some is None else there.all(0)
        known.add(some, always, float(weight))
        moments.add(value, some, float(weight), known.by_lead())
    there = ~np.isnan(values)
    share = there * weights[:, None, None, None]
    total, squares = share.sum(0), (share**2).sum(0)
    np.testing.assert_allclose(
        np.broadcast_to(known.by_lead(), SHAPE), total, rtol=1e-5
    )
    np.testing.assert_allclose(
        np.broadcast_to(known.in_window(), SHAPE[1:]),
        (there.all(1) * weights[:, None, None]).sum(0),
        rtol=1e-5,
    )
    mean = np.nansum(share * np.nan_to_num(values), 0) / total
    np.testing.assert_allclose(moments.mean, mean, rtol=1e-4)
    excess = np.nansum(share * (np.nan_to_num(values) - mean) ** 2, 0)
    spread = np.sqrt(excess / (total - squares / total))
    np.testing.assert_allclose(moments.spread(known), spread, rtol=1e-3)


def test_a_large_mean_leaves_its_variance() -> None:
    # a sum of squares would lose it in single precision
    known, moments = Known((1, 1, 1), np.uint16), Moments((1, 1, 1))
    values = 20_000 + np.random.default_rng(0).normal(0, 1, 400)
    for value in values:
        known.add(None, None, 1.0)
        moments.add(np.full((1, 1, 1), value, np.float32), None, 1.0, known.by_lead())
    assert moments.spread(known).item() == pytest.approx(values.std(ddof=1), rel=0.02)


def test_one_member_has_no_spread() -> None:
    known, moments = Known((1, 1, 2), np.float32), Moments((1, 1, 2))
    for there in ([True, True], [False, True]):
        mask = np.array(there).reshape(1, 1, 2)
        known.add(mask, mask[0], 0.3)
        moments.add(np.ones((1, 1, 2), np.float32), mask, 0.3, known.by_lead())
    assert np.isnan(moments.spread(known)).ravel().tolist() == [True, False]


def test_chances_count_as_what_they_are() -> None:
    # hail is told as a chance: the largest of a window is that of the window
    counts = Counts((3, 1, 2), np.float32)
    chance = np.array([[[0.2, 0.0]], [[0.5, 0.0]], [[0.4, 1.0]]], dtype=np.float32)
    counts.add(chance, None, 1.0)
    counts.add(np.zeros_like(chance), None, 1.0)
    assert counts.over is not None
    np.testing.assert_allclose(counts.over[:, 0] / 2, chance[:, 0] / 2)
    np.testing.assert_allclose(counts.first.sum(0).ravel(), [0.5, 1.0])
    when = counts.arrival((0.1, 0.5, 0.9), np.array([5.0, 10.0, 15.0], np.float32))
    np.testing.assert_array_equal(when[:, 0, 0], [5, 10, 10])
    np.testing.assert_array_equal(when[:, 0, 1], [15, 15, 15])
    missing = Counts((3, 1, 2), np.float32)
    missing.add(chance, np.array([[False, True]]), 1.0)
    np.testing.assert_allclose(missing.first.sum(0).ravel(), [0, 1])


@pytest.mark.parametrize("by_lead", [True, False])
def test_memory_does_not_grow_with_the_members(by_lead: bool) -> None:
    rng = np.random.default_rng(3)
    held = []
    for count in (KEPT + 10, 500):
        like = labelled(np.zeros((1, 3, 24, 24))).isel(member=0, drop=True)
        tracemalloc.start()
        gathered = Accumulator(
            like, ["vil >= 12 kg m-2", "vil >= 1 kg m-2 in 10 min"], by_lead=by_lead
        )
        for _ in range(count):
            gathered.add(stored(rng, (3, 24, 24)))
        held.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
    assert held[1] < 1.01 * held[0]


def test_the_values_that_are_kept_are_no_more_than_a_table() -> None:
    like = labelled(np.zeros((1, 3, 24, 24))).isel(member=0, drop=True)
    gathered = Accumulator(like, ())
    for _ in range(KEPT):
        gathered.add(np.full((3, 24, 24), 30.0, np.float32))
    histogram = gathered.histogram
    assert histogram is not None
    assert sum(kept.nbytes for kept in histogram.kept) * 2 == histogram.counts.nbytes
