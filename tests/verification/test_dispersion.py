import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stormfusion.verification import (
    merge,
    rank_histogram,
    rank_score,
    rank_sums,
    spread_scores,
    spread_skill,
    spread_sums,
)

FEW = settings(max_examples=25, deadline=None)


def line(values):
    return xr.DataArray(np.asarray(values), dims="x")


def members(values):
    return xr.DataArray(np.asarray(values), dims=("member", "x"))


SAMPLES = hnp.arrays(
    np.float32,
    st.tuples(st.just(4), st.integers(0, 12)),
    elements=st.sampled_from([0, 0, 1, 2, 5, np.nan]),
)


@FEW
@given(SAMPLES, SAMPLES)
def test_sums_add_like_concatenated_fields(first, second):
    whole = np.concatenate([first, second], axis=1)
    for sums in (rank_sums, spread_sums):
        one, other, both = (
            sums(members(sample[1:]), line(sample[0]))
            for sample in (first, second, whole)
        )
        xr.testing.assert_allclose(merge(one, other), both)


@FEW
@given(SAMPLES, st.permutations([1, 2, 3]))
def test_order_of_members_does_not_matter(sample, order):
    x, shuffled, y = members(sample[1:]), members(sample[order]), line(sample[0])
    xr.testing.assert_identical(rank_histogram(x, y), rank_histogram(shuffled, y))
    xr.testing.assert_allclose(spread_skill(x, y), spread_skill(shuffled, y))


@FEW
@given(SAMPLES)
def test_missing_pairs_are_as_dropped(sample):
    kept = sample[:, ~np.isnan(sample).any(axis=0)]
    for score in (rank_histogram, spread_skill):
        ours = score(members(sample[1:]), line(sample[0]))
        xr.testing.assert_allclose(ours, score(members(kept[1:]), line(kept[0])))


def test_rank_histogram_without_ties():
    x = members([[1, 1, 1, 1], [2, 2, 2, 2], [3, 3, 3, 3]])
    y = line([0.0, 1.5, 2.5, 9.0])
    assert rank_histogram(x, y).values.tolist() == [1, 1, 1, 1]
    assert rank_histogram(x, y)["rank"].values.tolist() == [0, 1, 2, 3]


def test_ties_take_their_ranks_at_random_and_reproducibly():
    x, y = members(np.zeros((3, 8000))), line(np.zeros(8000))
    count = rank_histogram(x, y, seed=1)
    assert count.values == pytest.approx([2000] * 4, rel=0.1)
    xr.testing.assert_identical(count, rank_histogram(x, y, seed=1))
    assert not count.identical(rank_histogram(x, y, seed=2))
    x = members([[0.0] * 900, [0.0] * 900, [5.0] * 900])
    partly = rank_histogram(x, line([0.0] * 900))
    assert partly.values[:3] == pytest.approx([300] * 3, rel=0.2)
    assert partly.values[3] == 0


def test_rank_histogram_of_rain_leaves_out_the_dry():
    x = members([[0.0, 0.0, 2.0], [0.0, 3.0, 3.0]])
    y = line([0.0, 0.0, 0.5])
    assert rank_histogram(x, y, threshold=1.0).sum().item() == 2
    assert rank_histogram(x, y).sum().item() == 3
    # only the observation reaches it
    alone = rank_histogram(x[:, :1], line([9.0]), threshold=1.0)
    assert alone.values.tolist() == [0, 0, 1]


def test_spread_equals_error_where_members_are_like_observations():
    rng = np.random.default_rng(3)
    values = rng.normal(size=(3, 60_000))
    result = spread_skill(members(values[1:]), line(values[0]))
    assert result.ratio.item() == pytest.approx(1, abs=0.02)
    assert result.rmse.item() == pytest.approx(1.2247, abs=0.02)
    with pytest.raises(ValueError, match="2 or more members"):
        spread_skill(members(values[1:2]), line(values[0]))


def test_a_rank_is_that_of_the_pair_whatever_the_chunks():
    pytest.importorskip("dask")
    rng = np.random.default_rng(0)
    x = xr.DataArray(
        rng.integers(0, 3, (5, 2, 6, 7)), dims=("member", "lead", "y", "x")
    )
    y = x.isel(member=0) + rng.integers(0, 2, (2, 6, 7))
    chunked = x.chunk(member=2, y=3, x=4), y.chunk(lead=1, x=5)
    for score in (rank_histogram, spread_skill):
        lazy, eager = score(*chunked), score(x, y)
        assert lazy.chunks
        xr.testing.assert_allclose(lazy.compute(), eager)


def test_each_tie_shares_its_ranks_alone():
    x = members([[1.0] * 3000, [1.0] * 3000, [0.0] * 3000, [4.0] * 3000])
    count = rank_histogram(x, line([1.0] * 3000))
    assert count.values[[0, 4]].tolist() == [0, 0]
    assert count.values[1:4] == pytest.approx([1000] * 3, rel=0.1)


def test_ranks_of_several_leads_are_kept_apart():
    x = xr.DataArray(np.arange(3.0), dims="member") + xr.zeros_like(
        xr.DataArray(np.zeros((2, 5)), dims=("lead", "x"))
    )
    y = xr.DataArray([[-1.0] * 5, [9.0] * 5], dims=("lead", "x"))
    assert rank_score(rank_sums(x, y)).values.tolist() == [[5, 0, 0, 0], [0, 0, 0, 5]]
    maps = rank_histogram(x, y, over=())
    assert maps.sizes == {"lead": 2, "x": 5, "rank": 4}
    assert maps.sum("x").values.tolist() == [[5, 0, 0, 0], [0, 0, 0, 5]]


def test_spread_by_hand():
    x, y = members([[1.0, np.nan], [3.0, 1.0]]), line([4.0, 1.0])
    sums = spread_sums(x, y)
    assert sums.spread_pairs.item() == 1
    scores = spread_scores(sums)
    assert scores.spread.item() == pytest.approx(3**0.5)  # 3/2 of the variance of 2
    assert scores.rmse.item() == 2
    assert np.isnan(spread_scores(spread_sums(x[:, 1:], y[1:])).ratio)


def test_spread_of_large_values_is_not_lost():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(5, 500))
    far = spread_skill(members(values[1:] + 1e8), line(values[0] + 1e8))
    near = spread_skill(members(values[1:]), line(values[0]))
    xr.testing.assert_allclose(far, near, rtol=1e-6)


def test_an_infinite_member_is_not_missing():
    x, y = members([[1.0, np.inf], [3.0, 1.0], [2.0, 1.0]]), line([4.0, 1.0])
    scores = spread_skill(x, y)
    assert scores.rmse == np.inf
    assert np.isnan(scores.spread)
    assert spread_sums(x, y).spread_pairs.item() == 2
    assert np.isnan(spread_skill(x[:, :1], y[:1] * np.inf).spread)
    # beside a missing member it is missing
    x[1, 1] = np.nan
    xr.testing.assert_identical(spread_skill(x, y), spread_skill(x[:, :1], y[:1]))


@pytest.mark.parametrize("count", [255, 256, 300])
def test_more_members_than_a_byte_can_count(count):
    x = members(np.arange(float(count))[:, None] * [1, 1, 0])
    y = line([count + 1.0, 9.5, 0.0])
    sums = rank_sums(x, y).rank_pairs
    assert sums.sel(below=count, ties=0) == 1
    assert sums.sel(below=10, ties=0) == 1
    assert sums.sel(below=0, ties=count) == 1
    assert sums.sum() == 3
