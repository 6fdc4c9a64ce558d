import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stormfusion.verification import (
    brier,
    brier_sums,
    merge,
    reliability,
    reliability_scores,
    reliability_sums,
)

FEW = settings(max_examples=25, deadline=None)


def line(values):
    return xr.DataArray(np.asarray(values), dims="x")


def members(values):
    return xr.DataArray(np.asarray(values), dims=("member", "x"))


def test_brier_by_hand():
    score = brier(line([0.0, 0.5, 1.0]), line([0, 1, 0]))
    assert score.item() == pytest.approx(1.25 / 3)
    x = members([[9.0, 1.0], [9.0, 9.0], [1.0, 9.0], [9.0, 9.0]])
    expected = ((0.75 - 1) ** 2 + (0.75 - 0) ** 2) / 2
    assert brier(x, line([5.0, 4.0]), threshold=5).item() == pytest.approx(expected)


def test_brier_of_one_forecast_is_the_share_of_errors():
    score = brier(line([9.0, 9.0, 1.0]), line([9.0, 1.0, 1.0]), threshold=[5, 0])
    assert score.values == pytest.approx([1 / 3, 0])


def test_missing_pairs_are_not_counted():
    p, o = line([0.5, np.nan, 0.5]), line([1.0, 1.0, np.nan])
    assert brier(p, o).item() == 0.25
    assert reliability(p, o)["count"].sum().item() == 1
    x = members([[9.0, 9.0], [9.0, np.nan]])
    assert brier_sums(x, line([9.0, 9.0]), threshold=5).brier_pairs.item() == 1
    assert reliability(x, line([9.0, 9.0]), threshold=5)["count"].sum().item() == 1
    assert np.isnan(brier(line([np.nan]), line([1.0])))


@pytest.mark.parametrize("probability", [-0.1, 1.1, 50.0])
def test_probabilities_lie_in_0_to_1(probability):
    for score in (brier, reliability):
        with pytest.raises(ValueError, match=r"in 0 to 1.*pass a threshold"):
            score(line([0.5, probability]), line([0.0, 1.0]))


def test_events_are_0_or_1():
    with pytest.raises(ValueError, match=r"Hazard\.occurs"):
        brier(line([0.5, 0.5]), line([0.0, 0.5]))


def test_members_need_a_threshold():
    with pytest.raises(ValueError, match="dimension 'member'"):
        brier(members([[0.0]]), line([0.0]))


def test_brier_decomposes_where_each_probability_has_its_bin():
    rng = np.random.default_rng(0)
    m = 10
    p = line(rng.integers(0, m + 1, 5000) / m)
    o = line((rng.random(5000) < 0.2 + 0.5 * p.values).astype(float))
    diagram = reliability(p, o, bins=m + 1)
    n = diagram["count"] / 5000
    rate = diagram.base_rate.item()
    rel = (n * (diagram.forecast_probability - diagram.observed_frequency) ** 2).sum()
    res = (n * (diagram.observed_frequency - rate) ** 2).sum()
    np.testing.assert_allclose(diagram.forecast_probability, np.arange(m + 1) / m)
    assert brier(p, o).item() == pytest.approx((rel - res).item() + rate * (1 - rate))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_edges_belong_to_the_upper_bin_and_1_to_the_last(dtype):
    p = line(np.arange(11).astype(dtype) / dtype(10))
    count = reliability(p, line(np.zeros(11)), bins=10)["count"]
    assert count.values.tolist() == [1] * 9 + [2]
    np.testing.assert_allclose(count.bin, np.arange(10) / 10 + 0.05)


def test_empty_bins_are_nan():
    diagram = reliability(line([0.0, 0.1]), line([0, 1]), bins=2)
    assert diagram["count"].values.tolist() == [2, 0]
    assert diagram["count"].dtype == np.int64
    np.testing.assert_allclose(diagram.observed_frequency, [0.5, np.nan])
    np.testing.assert_allclose(diagram.forecast_probability, [0.05, np.nan])
    assert diagram.base_rate.item() == 0.5
    with pytest.raises(ValueError, match="1 or more"):
        reliability(line([0.0]), line([0]), bins=0)
    with pytest.raises(ValueError, match=r"bins is '10'; give a whole number"):
        reliability(line([0.0]), line([0]), bins="10")


def test_reliability_keeps_what_is_not_pooled():
    rng = np.random.default_rng(1)
    x = xr.DataArray(rng.random((4, 2, 3, 3)), dims=("member", "lead", "y", "x"))
    x = x.assign_coords(lead=[5, 10])
    y = x.isel(member=0)
    diagram = reliability(x, y, threshold=[0.2, 0.6], bins=5)
    assert diagram["count"].dims == ("lead", "threshold", "bin")
    for lead in (5, 10):
        for t in (0.2, 0.6):
            one = reliability(x.sel(lead=lead), y.sel(lead=lead), threshold=t, bins=5)
            both = diagram.sel(lead=lead, threshold=t)
            np.testing.assert_array_equal(both["count"], one["count"])
            np.testing.assert_array_equal(
                both.observed_frequency, one.observed_frequency
            )


SAMPLES = hnp.arrays(
    np.float64,
    st.tuples(st.just(2), st.integers(0, 20)),
    elements=st.sampled_from([0.0, 0.25, 0.5, 1.0, np.nan]),
)


def events(sample):
    return line(sample[0]), line(np.where(np.isnan(sample[1]), np.nan, sample[1] > 0.3))


@FEW
@given(SAMPLES, SAMPLES)
def test_sums_add_like_concatenated_fields(first, second):
    whole = np.concatenate([first, second], axis=1)
    for sums in (brier_sums, reliability_sums):
        both = merge(sums(*events(first)), sums(*events(second)))
        xr.testing.assert_allclose(both, sums(*events(whole)))


@FEW
@given(SAMPLES)
def test_a_perfect_forecast(sample):
    _, o = events(sample)
    assert np.isnan(brier(o, o)) or brier(o, o) == 0
    diagram = reliability_scores(reliability_sums(o, o))
    np.testing.assert_allclose(diagram.forecast_probability, diagram.observed_frequency)
