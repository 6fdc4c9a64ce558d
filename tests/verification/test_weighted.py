import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stormfusion.verification import (
    brier,
    crps,
    crps_sums,
    merge,
    twcrps,
    twcrps_score,
    twcrps_sums,
)

FEW = settings(max_examples=25, deadline=None)


def line(values, **attrs):
    return xr.DataArray(np.asarray(values), dims="x", attrs=attrs)


def members(values, **attrs):
    return xr.DataArray(np.asarray(values), dims=("member", "x"), attrs=attrs)


def scored(values, observed, **options):
    forecast = xr.DataArray(np.asarray(values, float), dims="member")
    return twcrps(forecast, xr.DataArray(float(observed)), **options).item()


@pytest.mark.parametrize(
    ("values", "observed", "threshold", "tail", "means"),
    [
        # as 2, 2, 4, 8 and 5
        ([0, 1, 4, 8], 5, 2, "upper", (10 / 4 - 40 / 32, 10 / 4 - 40 / 24)),
        # as 0, 1, 2, 2 and 2
        ([0, 1, 4, 8], 5, 2, "lower", (3 / 4 - 14 / 32, 3 / 4 - 14 / 24)),
        # a false alarm of one member of three: as 5, 5, 8 and 5
        ([0, 0, 8], 0, 5, "upper", (3 / 3 - 12 / 18, 3 / 3 - 12 / 12)),
        # a miss
        ([0, 0, 5], 9, 5, "upper", (4, 4)),
        # ties with the observation, with the threshold and among members
        ([3, 3, 5, 5], 5, 3, "upper", (4 / 4 - 16 / 32, 4 / 4 - 16 / 24)),
        ([3, 3, 5, 5], 3, 3, "upper", (4 / 4 - 16 / 32, 4 / 4 - 16 / 24)),
        # nobody is in the tail
        ([0, 1, 2], 2, 2, "upper", (0, 0)),
        ([0, 1, 2], 1, 3, "upper", (0, 0)),
        ([0, 1, 2], 1, 0, "lower", (0, 0)),
        ([2, 2], 2, 0, "upper", (0, 0)),
        # a threshold of 0, and one below it
        ([-3, 1], -1, 0, "upper", (1 / 2 - 2 / 8, 1 / 2 - 2 / 4)),
        ([-3, 1], -1, -2, "lower", (1 / 2 - 2 / 8, 1 / 2 - 2 / 4)),
    ],
)
def test_by_hand(values, observed, threshold, tail, means):
    """Scores of the members as a distribution, and fair ones."""
    options = {"threshold": threshold, "tail": tail}
    ecdf, fair = means
    assert scored(values, observed, fair=False, **options) == pytest.approx(ecdf)
    assert scored(values, observed, **options) == pytest.approx(fair, abs=1e-15)


def test_of_one_member_is_the_absolute_error_in_the_tail():
    x, y = members([[1.0, 9.0, 7.0]]), line([4.0, 1.0, 6.0])
    found = twcrps(x, y, threshold=5, fair=False, over=())
    assert found.values.tolist() == [0, 4, 1]
    with pytest.raises(ValueError, match=r"2 or more members, but got 1; pass fair=Fa"):
        twcrps(x, y, threshold=5)


def test_several_thresholds_in_one_pass():
    x, y = members([[0.0, 9.0], [4.0, 9.0]], units="mm"), line([8.0, 9.0], units="mm")
    found = twcrps(x, y, threshold=[6, 2], over=())
    assert found.dims == ("x", "threshold")
    assert found.threshold.values.tolist() == [6, 2]
    assert found.threshold.attrs["units"] == found.attrs["units"] == "mm"
    for limit in (2, 6):
        one = twcrps(x, y, threshold=limit, over=())
        assert one.dims == ("x",)
        assert one.threshold.item() == limit
        xr.testing.assert_identical(one, found.sel(threshold=limit))


def test_it_says_what_it_is():
    x, y = members([[0.0], [4.0]]), line([8.0], units="degC")
    found = twcrps(x, y, threshold=-50, tail="lower")
    assert found.attrs["units"] == "K"
    assert found.attrs["long_name"].startswith("fair threshold-weighted")
    assert found.attrs["long_name"].endswith("of the lower tail")
    plain = twcrps(x, line([8.0]), threshold=1, fair=False)
    assert "units" not in plain.attrs
    assert plain.attrs["long_name"].startswith("threshold-weighted")
    states = [twcrps_sums(x, y, threshold=-50, tail="lower") for _ in range(2)]
    xr.testing.assert_identical(twcrps_score(merge(*states)), found)


def test_it_keeps_the_lead():
    x = xr.DataArray(np.full((4, 2, 3), 6.0), dims=("member", "lead", "x"))
    y = xr.DataArray([[7.0] * 3, [9.0] * 3], dims=("lead", "x"))
    found = twcrps(x.transpose("x", "lead", "member"), y, threshold=[5, 8])
    assert found.dims == ("lead", "threshold")
    assert found.values.tolist() == [[1, 0], [3, 1]]
    assert twcrps(x, y, threshold=5, over=("lead", "x")).item() == 2


def test_it_is_the_integral_of_brier_scores_from_the_threshold_on():
    rng = np.random.default_rng(0)
    x, y = members(rng.integers(0, 9, (6, 40))), line(rng.integers(0, 9, 40))
    # whole numbers: the Brier score is constant between them
    parts = brier(x, y, threshold=np.arange(3, 9) + 0.5)
    found = twcrps(x, y, threshold=3, fair=False)
    assert found.item() == pytest.approx(parts.sum().item())
    below = brier(x, y, threshold=np.arange(0, 3) + 0.5)
    found = twcrps(x, y, threshold=3, tail="lower", fair=False)
    assert found.item() == pytest.approx(below.sum().item())


@pytest.mark.parametrize("tail", ["upper", "lower"])
def test_a_missing_member_makes_the_pair_missing(tail):
    # missing, and all others on the far side of the threshold: still not counted
    x = members([[1.0, 1.0, 1.0, 9.0], [3.0, np.nan, 3.0, 9.0]])
    y = line([2.0, 1.0, np.nan, np.nan])
    sums = twcrps_sums(x, y, threshold=[0, 2, 8], tail=tail)
    assert sums.twcrps_pairs.values.tolist() == [1, 1, 1]
    assert sums.twcrps_pairs.dtype == np.int64
    one = twcrps(x[:, :1], y[:1], threshold=[0, 2, 8], tail=tail)
    xr.testing.assert_identical(twcrps_score(sums), one)
    assert twcrps(x[:, 1:], y[1:], threshold=[2, 8], tail=tail).isnull().all()
    missing = twcrps(x, y, threshold=2, tail=tail, over=()).isnull()
    assert missing.values.tolist() == [False, True, True, True]


def test_no_pair_at_all():
    x, y = members(np.zeros((3, 0))), line(np.zeros(0))
    assert twcrps_sums(x, y, threshold=[1, 2]).twcrps_pairs.values.tolist() == [0, 0]
    assert np.isnan(twcrps(x, y, threshold=1))


def test_no_reflectivity_at_all_is_below_any_threshold():
    x = members([[-np.inf, -np.inf], [-np.inf, 40.0]])
    found = twcrps(x, line([-np.inf, 30.0]), threshold=20.0, fair=False, over=())
    np.testing.assert_allclose(found, [0, 10 - 40 / 8])


def test_single_precision_is_scored_in_it():
    x, y = np.float32([[0.1, 20.1], [0.3, 20.1]]), np.float32([0.1, 20.1])
    # 0.1 in single precision is not more than 0.1
    assert twcrps(members(x[:, 1:]), line(y[1:]), threshold=20.1).item() == 0
    found = twcrps(members(x), line(y), threshold=0.1, fair=False, over=())
    np.testing.assert_allclose(found, [0.05, 0], atol=1e-7)
    single = crps(members(x), line(y), fair=False, over=())
    np.testing.assert_array_equal(found, single)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, bool])
def test_whole_numbers(dtype):
    rng = np.random.default_rng(0)
    x, y = (rng.integers(0, 2, shape).astype(dtype) for shape in ((5, 30), 30))
    if dtype is not bool:
        x, y = 100 * x, 100 * y
    options = {"threshold": [-1, 0.4, 70.5], "over": ()}
    found = twcrps(members(x), line(y), **options)
    expected = twcrps(members(x.astype(float)), line(y.astype(float)), **options)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("over", [None, ("lead", "x"), ()])
def test_dask_is_numpy_later(over):
    rng = np.random.default_rng(1)
    values = rng.gamma(0.5, 4, (6, 3, 90)).round()
    values[0, 0, :5] = np.nan
    x = xr.DataArray(values[1:], dims=("member", "lead", "x"))
    y = xr.DataArray(values[0], dims=("lead", "x"))
    options = {"threshold": [2, 5], "over": over}
    found = twcrps(x.chunk(x=20, member=2), y.chunk(x=31), **options)
    assert found.chunks is not None
    xr.testing.assert_allclose(found.compute(), twcrps(x, y, **options))


def test_it_refuses_what_it_cannot_score():
    x, y = members([[1.0], [2.0]]), line([1.0])
    with pytest.raises(ValueError, match="tail is 'middle'; give 'upper'"):
        twcrps(x, y, threshold=1, tail="middle")
    with pytest.raises(ValueError, match=r"no 'member'.*mae"):
        twcrps(y, y, threshold=1)
    with pytest.raises(ValueError, match="no members"):
        twcrps(x[:0], y, threshold=1, fair=False)
    for limit in (np.nan, np.inf, "5", [], [1, 1]):
        with pytest.raises(ValueError, match="give a finite number"):
            twcrps(x, y, threshold=limit)
    with pytest.raises(ValueError, match="bring one to the units"):
        twcrps(x.assign_attrs(units="mm"), y.assign_attrs(units="cm"), threshold=1)
    with pytest.raises(ValueError, match="cannot sum over"):
        twcrps(x, y, threshold=1, over="time")


SAMPLES = hnp.arrays(
    np.float32,
    st.tuples(st.just(4), st.integers(0, 12)),
    elements=st.sampled_from([0, 0, 1, 2, 5, np.nan]),
)
LIMITS = st.sampled_from([-1.0, 0.0, 1.0, 1.5, 5.0, 7.0])
TAILS = st.sampled_from(["upper", "lower"])


def both(sample):
    return members(sample[1:]), line(sample[0])


@FEW
@given(SAMPLES, LIMITS, st.booleans())
def test_both_tails_together_are_the_crps(sample, limit, fair):
    upper, lower = (
        twcrps_sums(*both(sample), threshold=limit, tail=tail, fair=fair)
        for tail in ("upper", "lower")
    )
    whole = crps_sums(*both(sample), fair=fair)
    assert upper.twcrps_pairs == lower.twcrps_pairs == whole.crps_pairs
    total = (upper.twcrps_sum + lower.twcrps_sum).item()
    assert total == pytest.approx(whole.crps_sum.item(), abs=1e-5)


@FEW
@given(SAMPLES, TAILS, st.booleans())
def test_beyond_all_values_it_is_the_crps_or_nothing(sample, tail, fair):
    found = twcrps(*both(sample), threshold=[-9, 9], tail=tail, fair=fair)
    all_of_it, nothing = found if tail == "upper" else found[::-1]
    np.testing.assert_array_equal(all_of_it, crps(*both(sample), fair=fair))
    assert nothing.fillna(0) == 0


@FEW
@given(SAMPLES, SAMPLES, LIMITS, TAILS)
def test_sums_add_like_concatenated_fields(first, second, limit, tail):
    def sums(sample):
        return twcrps_sums(*both(sample), threshold=[limit, 2.5], tail=tail)

    whole = sums(np.concatenate([first, second], axis=1))
    added = merge(sums(first), sums(second))
    xr.testing.assert_equal(added.twcrps_pairs, whole.twcrps_pairs)
    xr.testing.assert_allclose(added, whole)
    xr.testing.assert_allclose(twcrps_score(added), twcrps_score(whole))


@FEW
@given(SAMPLES, LIMITS, TAILS, st.booleans(), st.permutations([1, 2, 3]))
def test_order_of_members_does_not_matter(sample, limit, tail, fair, order):
    options = {"threshold": limit, "tail": tail, "fair": fair}
    shuffled = twcrps(members(sample[order]), line(sample[0]), **options)
    xr.testing.assert_allclose(twcrps(*both(sample), **options), shuffled)


@FEW
@given(SAMPLES, LIMITS, TAILS, st.booleans())
def test_never_negative_and_never_more_than_the_crps(sample, limit, tail, fair):
    options = {"fair": fair, "over": ()}
    found = twcrps(*both(sample), threshold=limit, tail=tail, **options)
    known = ~np.isnan(sample).any(axis=0)
    assert (found.notnull().values == known).all()
    assert (found.values[known] >= 0).all()
    assert (found.values <= crps(*both(sample), **options).values + 1e-6)[known].all()


@FEW
@given(SAMPLES, LIMITS, TAILS)
def test_a_perfect_forecast_scores_zero(sample, limit, tail):
    perfect = members(np.tile(sample[0], (3, 1)))
    found = twcrps(perfect, line(sample[0]), threshold=limit, tail=tail, over=())
    assert found.fillna(0).values.tolist() == [0.0] * sample.shape[1]


@FEW
@given(SAMPLES, LIMITS, TAILS)
def test_what_happens_on_the_other_side_does_not_matter(sample, limit, tail):
    beyond = sample < limit if tail == "upper" else sample > limit
    other = np.where(beyond, np.float32(limit), sample)
    xr.testing.assert_equal(
        twcrps(*both(sample), threshold=limit, tail=tail, over=()),
        twcrps(*both(other), threshold=limit, tail=tail, over=()),
    )


@FEW
@given(SAMPLES, LIMITS)
def test_the_tails_are_mirror_images(sample, limit):
    options = {"over": ()}
    xr.testing.assert_allclose(
        twcrps(*both(sample), threshold=limit, tail="lower", **options),
        twcrps(*both(-sample), threshold=-limit, **options).assign_coords(
            threshold=limit
        ),
    )


@FEW
@given(SAMPLES, LIMITS, TAILS)
def test_missing_pairs_are_as_dropped(sample, limit, tail):
    kept = sample[:, ~np.isnan(sample).any(axis=0)]
    options = {"threshold": limit, "tail": tail}
    xr.testing.assert_allclose(
        twcrps(*both(sample), **options), twcrps(*both(kept), **options)
    )


def test_blocks_of_several_rows_are_those_of_one():
    rng = np.random.default_rng(2)
    values = rng.gamma(0.5, 4, (6, 200, 7)).round()
    values[0, 3, 2] = np.nan
    x = xr.DataArray(values[1:], dims=("member", "time", "x"))
    y = xr.DataArray(values[0], dims=("time", "x"))
    found = twcrps(x, y, threshold=[1, 4], over="x")
    for time in (0, 3, 199):
        one = twcrps(x[:, time], y[time], threshold=[1, 4])
        xr.testing.assert_allclose(found.isel(time=time), one)
