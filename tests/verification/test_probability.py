import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stormfusion.verification import (
    brier,
    brier_skill,
    log_score,
    merge,
    probability_scores,
    probability_sums,
    reliability,
    reliability_scores,
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
    assert probability_sums(x, line([9.0, 9.0]), threshold=5)["count"].sum() == 1
    assert reliability(x, line([9.0, 9.0]), threshold=5)["count"].sum().item() == 1
    # missing in the observations alone
    x, y = members([[9.0, 9.0], [9.0, 1.0]]), line([np.nan, 9.0])
    assert probability_sums(x, y, threshold=[5, -9])["count"].sum("bin").max() == 1
    assert brier(x, y, threshold=5).item() == 0.25
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


@pytest.mark.parametrize("bins", [11, 5, 1])
def test_brier_decomposes_whatever_the_bins(bins):
    rng = np.random.default_rng(0)
    m = 10
    p = line(rng.integers(0, m + 1, 5000) / m)
    o = line((rng.random(5000) < 0.2 + 0.5 * p.values).astype(float))
    scores = probability_scores(probability_sums(p, o, bins=bins))
    parts = (
        scores.brier_reliability
        - scores.brier_resolution
        + scores.brier_uncertainty
        + scores.brier_within
    )
    assert scores.brier.item() == pytest.approx(((p - o) ** 2).mean().item())
    assert parts.item() == pytest.approx(scores.brier.item(), abs=1e-12)
    assert (abs(scores.brier_within.item()) < 1e-12) == (bins == 11)
    rate = o.mean().item()
    assert scores.brier_uncertainty.item() == pytest.approx(rate * (1 - rate))
    assert scores.sharpness.item() == pytest.approx(p.std().item())


def test_parts_of_the_brier_score_by_hand():
    # two of four at 0.25, none of which came; three of four at 0.75
    p, o = line([0.25] * 4 + [0.75] * 4), line([0, 0, 0, 0, 1, 1, 1, 0])
    scores = probability_scores(probability_sums(p, o, bins=2))
    assert scores.brier_reliability.item() == pytest.approx(0.5 * 0.25**2)
    assert scores.brier_resolution.item() == pytest.approx(0.375**2)
    assert scores.brier_skill.item() == pytest.approx(1 - scores.brier / (15 / 64))


@pytest.mark.parametrize("p", [0.1, 0.3, 1 / 3, 0.9, 0.0])
@pytest.mark.parametrize("count", [3, 99_999])
def test_probabilities_that_are_all_alike_have_no_sharpness(p, count):
    sums = probability_sums(line(np.full(count, p)), line(np.arange(count) % 2))
    assert probability_scores(sums).sharpness.item() == 0
    nothing = probability_sums(line([np.nan]), line([1.0]))
    assert np.isnan(probability_scores(nothing).sharpness)


def test_each_share_of_members_has_its_bin():
    rng = np.random.default_rng(1)
    x, y = members(rng.random((4, 200))), line(rng.random(200))
    sums = probability_sums(x, y, threshold=0.5)
    assert sums.bin.values.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert sums["count"].dtype == sums.event_sum.dtype == np.int64
    share = (x >= 0.5).mean("member")
    direct = probability_sums(share, (y >= 0.5).astype(float), bins=5)
    for name in ("count", "event_sum", "probability_sum", "event_probability"):
        np.testing.assert_allclose(sums[name], direct[name])
    in_tens = probability_sums(x, y, threshold=0.5, bins=10)
    both = probability_sums(share, (y >= 0.5).astype(float), bins=10)
    np.testing.assert_allclose(in_tens["count"], both["count"])


@pytest.mark.parametrize("count", [10, 49, 255, 300])
def test_shares_of_any_number_of_members(count):
    # k of them reach the limit, and k / M * M may be less than k
    k = np.arange(count + 1)
    x = members(np.arange(count)[:, None] < k)
    y = line(k % 2)
    alone = probability_sums(x, y, threshold=1)
    assert (alone["count"] == 1).all()
    np.testing.assert_allclose(alone.probability_sum, k / count)
    binned = probability_sums(x, y, threshold=1, bins=count)
    assert binned["count"].values.tolist() == [1] * (count - 1) + [2]


def test_sharpness_may_be_small():
    sums = probability_sums(line([0.4999, 0.5001]), line([0, 1]))
    assert probability_scores(sums).sharpness.item() == pytest.approx(1e-4)


def test_log_score_by_hand():
    p, o = line([0.5, 0.25, 1.0]), line([1, 0, 1])
    expected = -(np.log(0.5) + np.log(0.75)) / 3
    assert log_score(p, o).item() == pytest.approx(expected)
    assert log_score(line([0.0, 1.0]), line([1, 1])).item() == np.inf
    # none of three members is an eighth, not never
    x = members([[0.0], [0.0], [0.0]])
    assert log_score(x, line([1.0]), threshold=1).item() == pytest.approx(np.log(8))
    # one forecast is an ensemble of one
    alone = log_score(line([2.0, 2.0]), line([2.0, 0.0]), threshold=1, over=())
    np.testing.assert_allclose(alone, -np.log([0.75, 0.25]))


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


def test_probabilities_of_several_leads_are_kept_apart():
    rng = np.random.default_rng(0)
    p, o = rng.random((3, 7)), rng.integers(0, 2, (3, 7)) * 1.0
    p[1, 2] = o[2, :4] = np.nan
    fields = [xr.DataArray(a, dims=("lead", "x")) for a in (p, o)]
    sums = probability_sums(*fields)
    assert sums["count"].sum("bin").values.tolist() == [7, 6, 3]
    np.testing.assert_allclose(brier(*fields), np.nanmean((p - o) ** 2, axis=1))
    maps = brier(*fields, over=())
    np.testing.assert_allclose(maps, (p - o) ** 2)


def test_a_skill_without_an_event_or_with_nothing_else_is_nan():
    for what in (0.0, 1.0):
        assert np.isnan(brier_skill(line([0.5, 0.2]), line([what, what])))


def test_dask_gives_the_same():
    pytest.importorskip("dask")
    rng = np.random.default_rng(1)
    x = xr.DataArray(rng.random((4, 2, 6, 7)), dims=("member", "lead", "y", "x"))
    x = x.where(rng.random(x.shape) > 0.02)
    y = xr.DataArray(rng.random((2, 6, 7)), dims=("lead", "y", "x"))
    eager = probability_sums(x, y, threshold=[0.2, 0.6])
    lazy = probability_sums(x.chunk(y=3), y.chunk(x=2), threshold=[0.2, 0.6])
    assert lazy["count"].chunks
    xr.testing.assert_allclose(lazy.compute(), eager)
    p, o = x.isel(member=0), (y > 0.5).astype(float)
    xr.testing.assert_allclose(
        probability_sums(p.chunk(y=3), o.chunk()).compute(), probability_sums(p, o)
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
    for sums in (probability_sums,):
        both = merge(sums(*events(first)), sums(*events(second)))
        xr.testing.assert_allclose(both, sums(*events(whole)))


@FEW
@given(SAMPLES)
def test_a_perfect_forecast(sample):
    _, o = events(sample)
    assert np.isnan(brier(o, o)) or brier(o, o) == 0
    diagram = reliability_scores(probability_sums(o, o))
    np.testing.assert_allclose(diagram.forecast_probability, diagram.observed_frequency)
