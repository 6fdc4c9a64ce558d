"""Percentiles: sorted, from bytes that are kept, and from counts of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stormfusion.data.scaling import SCALINGS, scaling_for
from stormfusion.footprint import ordered, rank
from stormfusion.footprint.ordering import KEPT, Histogram
from stormfusion.units import vil_from_bytes

nan = np.nan
PERCENTILES = [0, 1, 10, 25, 50, 75, 90, 99, 100]


def naive(values, weights, percentile: float) -> float:
    """The least value that this share of the weight does not exceed."""
    pairs = sorted((v, w) for v, w in zip(values, weights, strict=True) if v == v and w)
    total = sum(w for _, w in pairs)
    reached = 0.0
    for value, weight in pairs:
        reached += weight
        if reached >= percentile / 100 * total * (1 - 1e-9):
            return value
    return nan


CELLS = st.sampled_from([0.0, 1.0, 2.0, 5.0, nan])


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(CELLS, st.integers(0, 3)), min_size=1, max_size=12),
    st.floats(0, 100),
)
def test_ordered_beside_a_loop(pairs, percentile: float) -> None:
    values, weights = (np.array(part, dtype=float) for part in zip(*pairs, strict=True))
    if not weights.any():
        weights += 1
    (found,) = ordered(values[:, None], [percentile], weights=weights)
    np.testing.assert_array_equal(found, [naive(values, weights, percentile)])
    (found,) = ordered(values[:, None], [percentile])
    np.testing.assert_array_equal(
        found, [naive(values, np.ones(values.size), percentile)]
    )
    (found,) = ordered(values[:, None], [percentile], weights=np.full(values.size, 0.1))
    np.testing.assert_array_equal(
        found, [naive(values, np.ones(values.size), percentile)]
    )


def test_ordered_leaves_its_input_and_keeps_its_shape() -> None:
    values = np.random.default_rng(0).random((5, 2, 3, 4)).astype(np.float32)
    before = values.copy()
    for weights in (None, np.arange(1.0, 6.0)):
        found = ordered(values, [0, 100], weights=weights)
        assert found.shape == (2, 2, 3, 4)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, [values.min(0), values.max(0)])
    np.testing.assert_array_equal(values, before)


def counted(values: np.ndarray, *, weights=None) -> Histogram:
    histogram = Histogram(
        values.shape[1:], scaling_for("vil"), weighted=weights is not None
    )
    for number, value in enumerate(values):
        histogram.add(value, 1.0 if weights is None else float(weights[number]))
    return histogram


@pytest.mark.parametrize("members", [2, KEPT - 1, KEPT, KEPT + 1, 300, 700])
@pytest.mark.parametrize("weighted", [False, True], ids=["alike", "weights"])
def test_however_many_members_vil_is_exact(members: int, weighted: bool) -> None:
    rng = np.random.default_rng(members)
    codes = rng.integers(0, 255, (members, 3, 7), dtype=np.uint8)
    codes[rng.random(codes.shape) < 0.5] = 0
    codes[:, 0, 0], codes[:, 0, 1], codes[:, 0, 2] = (
        0,
        99,
        rng.integers(90, 95, members),
    )
    values = vil_from_bytes(codes)
    values[rng.random(values.shape) < 0.1] = nan
    values[:, 1, 1], values[1:, 1, 2], values[:-1, 1, 3] = nan, nan, nan
    weights = rng.uniform(0.2, 3.0, members) if weighted else None
    histogram = counted(values, weights=weights)
    assert len(histogram.kept) == (members if members <= KEPT else 0)
    there = ~np.isnan(values)
    share = np.ones(members) if weights is None else weights
    known = (there * share[:, None, None]).sum(0)
    known = known.astype(np.float32 if weighted else np.uint16)
    found = histogram.ordered(PERCENTILES, known)
    # sums of weights are rounded, and a percentile is theirs to a thousandth
    least, most = (
        ordered(values, np.clip(np.array(PERCENTILES) + off, 0, 100), weights=weights)
        for off in ((-0.002, 0.002) if weighted else (0, 0))
    )
    some = there.any(0)
    assert (found[:, some] >= least[:, some] * (1 - 1e-6)).all()
    assert (found[:, some] <= most[:, some] * (1 + 1e-6)).all()


def test_a_pixel_that_is_always_wet_is_never_dry() -> None:
    # sums of weights are rounded: what they leave is no dry member
    rng = np.random.default_rng(0)
    weights = rng.random(500) / 7
    values = np.full((500, 1, 1), vil_from_bytes(np.array([90], np.uint8))[0])
    for members in (100, 500):
        some = weights[:members]
        histogram = counted(values[:members], weights=some)
        known = np.float32(0)
        for weight in some:
            known = np.float32(known + np.float32(weight))
        found = histogram.ordered([0, 50], known)
        np.testing.assert_allclose(found, values[0, 0, 0], rtol=1e-6)


def test_only_what_is_met_takes_memory() -> None:
    histogram = Histogram((50, 50), scaling_for("rain_rate"))
    values = np.zeros((50, 50), dtype=np.float32)
    values[3, 4] = 7.0
    for _ in range(KEPT):
        histogram.add(values)
    assert histogram.met == 1
    assert sum(kept.nbytes for kept in histogram.kept) == KEPT
    histogram.add(values)
    assert not histogram.kept
    assert histogram.counts[0].sum() == KEPT + 1
    assert not histogram.counts[1:].any()


@pytest.mark.parametrize("variable", sorted(SCALINGS))
def test_every_variable_is_told_within_its_bound(variable: str) -> None:
    rng = np.random.default_rng(1)
    scaling = scaling_for(variable)
    values = scaling.denormalize(rng.uniform(0, 1, (9, 200))).astype(np.float32)
    histogram = Histogram((200,), scaling)
    for value in values:
        histogram.add(value)
    found = histogram.ordered([50], np.uint16(9))[0]
    exact = ordered(values, [50])[0]
    low, high = histogram.bounds
    apart = np.abs(scaling.normalize(found) - scaling.normalize(exact))
    assert apart.max() <= (high - low) / 255 / 2 + 1e-6
    assert histogram.note("") == ("exact" if variable == "vil" else histogram.note(""))
    assert histogram.note("mm")


@pytest.mark.parametrize("members", [1, 2, 7, 1000, 65535])
def test_ranks_are_of_members(members: int) -> None:
    assert rank(0, members) == 1
    assert rank(100, members) == members
    for number in (1, members // 2 or 1, members):
        assert rank(100.0 * number / members, members) == number
