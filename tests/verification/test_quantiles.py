import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stormfusion.verification import (
    crps,
    mae,
    merge,
    pinball_score,
    pinball_sums,
    quantile_score,
)

FEW = settings(max_examples=25, deadline=None)


def members(values, dims=("member", "x"), **attrs):
    return xr.DataArray(np.asarray(values), dims=dims, attrs=attrs)


def line(values, **attrs):
    return members(values, ("x",), **attrs)


def test_by_hand():
    forecast, observed = line([3.0, 3.0, 3.0]), line([1.0, 3.0, 7.0])
    found = quantile_score(forecast, observed, quantile=0.9, over=())
    np.testing.assert_allclose(found, [0.1 * 2, 0, 0.9 * 4])
    assert found.coords["quantile"] == 0.9
    assert quantile_score(forecast, observed, quantile=0.9).item() == pytest.approx(
        3.8 / 3
    )


def test_the_median_of_one_forecast_is_half_its_absolute_error():
    f, o = line([1.0, 5.0, np.nan]), line([2.0, 3.0, 1.0])
    found = quantile_score(f, o, quantile=0.5).item()
    assert found == mae(f, o).item() / 2 == 0.75


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (0.001, 1),
        (0.2, 1),
        (0.2001, 2),
        (0.21, 2),
        (0.4, 2),
        (0.5, 3),
        (0.6, 3),
        (0.61, 4),
        (0.999, 5),
    ],
)
def test_the_quantile_of_members_is_the_lowest_reached_by_that_share(level, expected):
    forecast = members([[4.0], [1.0], [5.0], [3.0], [2.0]])
    # the score of an observation at 0 is (1 - level) times the quantile
    found = quantile_score(forecast, line([0.0]), quantile=level).item()
    assert found == pytest.approx((1 - level) * expected)


@pytest.mark.parametrize("count", [7, 10, 49, 100])
def test_rounding_does_not_move_a_rank(count):
    forecast = members(np.arange(1.0, count + 1)[:, None])
    levels = np.arange(1, count) / count
    found = quantile_score(forecast, line([0.0]), quantile=levels) / (1 - levels)
    np.testing.assert_allclose(found, np.arange(1, count))


def test_twice_the_mean_over_all_levels_is_the_crps():
    rng = np.random.default_rng(0)
    forecast = members(rng.integers(0, 5, (8, 30)).astype(float))
    observed = line(rng.integers(0, 5, 30).astype(float))
    levels = (np.arange(8) + 0.5) / 8  # exact, for the score is straight between ranks
    scores = quantile_score(forecast, observed, quantile=levels, over=())
    expected = crps(forecast, observed, fair=False, over=())
    np.testing.assert_allclose(2 * scores.mean("quantile"), expected, atol=1e-12)


def test_no_other_value_scores_better_among_the_members_themselves():
    values = np.array([0.0, 0.0, 1.0, 4.0, 9.0])
    observed = line(values)
    ensemble = members(np.tile(values[:, None], 5))
    for level in (0.1, 0.5, 0.7, 0.9):
        best = quantile_score(ensemble, observed, quantile=level).item()
        for other in np.linspace(0, 9, 91):
            single = quantile_score(line([other] * 5), observed, quantile=level)
            assert best <= single.item() + 1e-12


def test_quantiles_are_found_by_their_labels():
    f = members([[9.0, 9.0], [1.0, 2.0], [5.0, 5.0]], ("quantile", "x"))
    f = f.assign_coords(quantile=[0.9, 0.1, 0.5])
    observed = line([0.0, 0.0])
    found = quantile_score(f, observed, quantile=[0.1, 0.9])
    np.testing.assert_allclose(found, [0.9 * 1.5, 0.1 * 9])
    assert found["quantile"].values.tolist() == [0.1, 0.9]
    one = quantile_score(f.transpose("x", "quantile"), observed, quantile=0.1)
    assert one.dims == ()
    assert one.item() == pytest.approx(0.9 * 1.5)
    rounded = f.assign_coords(quantile=np.array([0.9, 0.1, 0.5], np.float32))
    xr.testing.assert_identical(
        quantile_score(rounded, observed, quantile=[0.1, 0.9]), found
    )


def test_quantiles_as_xarray_gives_them():
    rng = np.random.default_rng(0)
    ensemble, observed = members(rng.random((10, 20))), line(rng.random(20))
    levels = [0.25, 0.5]
    given = ensemble.quantile(levels, "member", method="inverted_cdf")
    xr.testing.assert_allclose(
        quantile_score(given, observed, quantile=levels),
        quantile_score(ensemble, observed, quantile=levels),
    )
    one = ensemble.quantile(0.25, "member", method="inverted_cdf")
    quantile_score(one, observed, quantile=0.25)
    with pytest.raises(ValueError, match=r"has the quantiles \[0.25\], but wanted"):
        quantile_score(one, observed, quantile=0.5)


def test_a_level_that_the_forecast_does_not_have():
    f = members([[9.0], [1.0]], ("quantile", "x"))
    with pytest.raises(ValueError, match="label them with"):
        quantile_score(f, line([0.0]), quantile=0.9)
    f = f.assign_coords(quantile=[0.9, 0.1])
    with pytest.raises(ValueError, match=r"has the quantiles \[0.9, 0.1\], but wanted"):
        quantile_score(f, line([0.0]), quantile=[0.9, 0.5])
    with pytest.raises(ValueError, match="so it is one quantile"):
        quantile_score(line([1.0]), line([0.0]), quantile=[0.9, 0.5])
    both = f.expand_dims(member=2)
    with pytest.raises(ValueError, match="has both dimensions"):
        quantile_score(both, line([0.0]), quantile=0.9)
    named = members([["a"], ["b"]], ("quantile", "x")).assign_coords(
        quantile=["a", "b"]
    )
    with pytest.raises(ValueError, match="label them with"):
        quantile_score(named, line([0.0]), quantile=0.9)


@pytest.mark.parametrize(
    "quantile", [0, 1, -0.1, 1.5, np.nan, [], [0.5, 0.5], "0.5", [[0.1]], True, None]
)
def test_a_level_that_is_none(quantile):
    with pytest.raises(ValueError, match="give a level between 0 and 1"):
        quantile_score(members([[1.0]]), line([0.0]), quantile=quantile)


def test_what_is_no_forecast():
    with pytest.raises(TypeError, match="not a DataArray"):
        quantile_score(np.zeros(1), line([0.0]), quantile=0.5)
    with pytest.raises(ValueError, match="no members"):
        quantile_score(members(np.zeros((0, 1))), line([0.0]), quantile=0.5)


def test_missing_pairs_are_not_counted():
    f = members([[1.0, 1.0, np.nan, 1.0], [2.0, 2.0, 2.0, 2.0]])
    o = line([0.0, np.nan, 0.0, 0.0])
    sums = pinball_sums(f, o, quantile=[0.5, 0.9])
    assert sums.pinball_pairs.values.tolist() == [2, 2]
    np.testing.assert_allclose(sums.pinball_sum, [0.5 * 2, 0.1 * 4])
    nothing = line([np.nan])
    assert np.isnan(quantile_score(nothing, nothing, quantile=0.5))


def test_a_missing_quantile_is_missing_for_its_level():
    f = members([[1.0, np.nan], [2.0, 2.0]], ("quantile", "x"))
    f = f.assign_coords(quantile=[0.5, 0.9])
    sums = pinball_sums(f, line([0.0, 0.0]), quantile=[0.5, 0.9])
    assert sums.pinball_pairs.values.tolist() == [1, 2]


def test_bytes_do_not_wrap_around():
    f = members(np.array([[0], [255]], np.uint8))
    found = quantile_score(f, line(np.array([3], np.uint8)), quantile=[0.5, 0.9])
    np.testing.assert_allclose(found, [0.5 * 3, 0.1 * 252])


def test_units_and_names():
    found = quantile_score(members([[1.0]]), line([1.0], units="degC"), quantile=0.5)
    assert found.attrs == {"long_name": "quantile score (pinball loss)", "units": "K"}
    assert found["quantile"].attrs["long_name"] == "level of the quantile"


SAMPLES = hnp.arrays(
    np.float32,
    st.tuples(st.just(4), st.integers(0, 70)),
    elements=st.one_of(st.just(np.nan), st.integers(-9, 9)),
)


@FEW
@given(SAMPLES, SAMPLES)
def test_sums_add_like_concatenated_cases(first, second):
    def sums(sample):
        return pinball_sums(members(sample[1:]), line(sample[0]), quantile=[0.25, 0.5])

    whole = sums(np.concatenate([first, second], axis=1))
    xr.testing.assert_identical(merge(sums(first), sums(second)), whole)


@FEW
@given(SAMPLES, st.permutations(range(3)))
def test_the_order_of_members_does_not_matter(sample, order):
    f, o = members(sample[1:]), line(sample[0])
    one = pinball_sums(f, o, quantile=[0.1, 0.6])
    xr.testing.assert_identical(
        pinball_sums(f[list(order)], o, quantile=[0.1, 0.6]), one
    )


@FEW
@given(SAMPLES)
def test_a_perfect_forecast(sample):
    o = line(sample[0])
    score = quantile_score(o.expand_dims(member=3), o, quantile=[0.1, 0.5])
    assert (np.isnan(score) | (score == 0)).all()


def test_over_and_dask():
    pytest.importorskip("dask")
    rng = np.random.default_rng(0)
    dims = ("member", "lead", "x")
    f, o = members(rng.random((5, 3, 40)), dims), members(rng.random((3, 40)), dims[1:])
    f[1, 1, 1] = np.nan
    for over in (None, "lead", ["lead", "x"]):
        eager = quantile_score(f, o, quantile=[0.1, 0.9], over=over)
        assert eager.dims[-1] == "quantile"
        lazy = quantile_score(
            f.chunk({"x": 13, "member": 2}),
            o.chunk({"lead": 1}),
            quantile=[0.1, 0.9],
            over=over,
        )
        assert lazy.chunks is not None
        xr.testing.assert_allclose(lazy.compute(), eager)
    state = pinball_sums(f, o, quantile=0.1)
    xr.testing.assert_allclose(pinball_score(state), quantile_score(f, o, quantile=0.1))
