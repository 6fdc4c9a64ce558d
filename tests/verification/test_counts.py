import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stormfusion import verification
from stormfusion.units import vil_from_bytes
from stormfusion.verification import (
    CATEGORICAL,
    categorical_scores,
    contingency,
    merge,
)

FEW = settings(max_examples=25, deadline=None)

COUNTS = ("hits", "misses", "false_alarms", "correct_negatives")


def table(hits, misses, false_alarms, correct_negatives):
    return xr.Dataset(
        dict(zip(COUNTS, (hits, misses, false_alarms, correct_negatives), strict=True))
    )


def counted(forecast, observed, threshold):
    forecast, observed = (xr.DataArray(a, dims="x") for a in (forecast, observed))
    counts = contingency(forecast, observed, threshold=threshold)
    return [int(counts[name]) for name in COUNTS]


# Finley's tornadoes (1884): 28 hits, 23 misses, 72 false alarms, 2680 rejections.
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("csi", 28 / 123),
        ("pod", 28 / 51),
        ("far", 72 / 100),
        ("pofd", 72 / 2752),
        ("success_ratio", 28 / 100),
        ("bias", 100 / 51),
        ("hss", 0.355),
        ("ets", 0.216),
        ("pss", 0.523),
        ("sedi", 0.753),
    ],
)
def test_finleys_tornadoes(name, value):
    score = categorical_scores(table(28, 23, 72, 2680))[name]
    assert score.item() == pytest.approx(value, abs=5e-4)
    assert score.attrs["long_name"]
    assert score.attrs["units"] == "1"


def test_heidke_has_its_factor_of_two():
    scores = categorical_scores(table(28, 23, 72, 2680))
    assert scores.hss.item() == pytest.approx(2 * scores.ets / (1 + scores.ets))
    assert categorical_scores(table(5, 0, 0, 5)).hss.item() == 1


@pytest.mark.parametrize(
    ("counts", "undefined"),
    [
        ((0, 0, 0, 0), set(CATEGORICAL)),
        (
            (0, 0, 0, 9),
            set(CATEGORICAL) - {"pofd"},
        ),
        ((0, 0, 3, 6), {"pod", "pss", "sedi"}),
        ((0, 3, 0, 6), {"far", "success_ratio", "sedi"}),
        ((9, 0, 0, 0), {"pofd", "hss", "ets", "pss", "sedi"}),
    ],
)
def test_nothing_by_nothing_is_nan(counts, undefined):
    scores = categorical_scores(table(*counts))
    assert {name for name in scores if np.isnan(scores[name])} == undefined


def test_bias_is_infinite_where_nothing_was_observed():
    assert categorical_scores(table(0, 0, 3, 6)).bias.item() == np.inf


def test_counts_of_a_continent_do_not_overflow():
    n = 10**12
    scores = categorical_scores(table(n, n, n, 5 * n))
    assert scores.hss.item() == pytest.approx(2 * 4 / (2 * 6 + 2 * 6))


def test_by_hand():
    assert counted([9, 9, 1, 1], [9, 1, 9, 1], 5) == [1, 1, 1, 1]


def test_an_event_is_at_least_the_threshold():
    assert counted([5.0, 4.9], [5.0, 5.0], 5) == [1, 1, 0, 0]
    assert counted([0.0, 0.0005], [0.0, -1.0], 0) == [1, 0, 1, 0]


def test_a_pair_with_a_missing_value_is_not_counted():
    forecast = [np.nan, 9, np.nan, 1, 9]
    observed = [9, np.nan, np.nan, np.nan, 9]
    assert counted(forecast, observed, 5) == [1, 0, 0, 0]


def test_all_missing_is_no_pair():
    assert counted([np.nan], [np.nan], 5) == [0, 0, 0, 0]


def test_bytes_and_values_agree():
    rng = np.random.default_rng(0)
    f, o = rng.integers(0, 255, (2, 500), dtype=np.uint8)
    for level in (16, 74, 133, 160, 181, 219):
        exact = np.exp((level - 83.9) / 38.9) if level > 18 else (level - 2) / 90.66
        by_value = counted(vil_from_bytes(f), vil_from_bytes(o), exact)
        assert counted(f, o, level) == by_value
        mixed = counted(vil_from_bytes(f).astype(np.float64), vil_from_bytes(o), exact)
        assert sum(mixed) == 500


def test_counts_by_lead_and_threshold():
    observed = xr.DataArray([[1.0, 2.0, 3.0], [4.0, 5.0, np.nan]], dims=("lead", "x"))
    counts = contingency(observed, observed, threshold=[2, 4])
    assert counts.hits.dims == ("lead", "threshold")
    assert counts.hits.dtype == np.int64
    assert counts.hits.values.tolist() == [[2, 0], [2, 2]]
    assert counts.correct_negatives.values.tolist() == [[1, 3], [0, 0]]


@pytest.mark.parametrize("name", CATEGORICAL)
def test_the_direct_functions_are_the_scores_of_the_counts(name):
    rng = np.random.default_rng(1)
    forecast, observed = (
        xr.DataArray(rng.random((2, 5, 6)), dims=("lead", "y", "x")) for _ in range(2)
    )
    score = getattr(verification, name)
    expected = categorical_scores(contingency(forecast, observed, threshold=[0.3, 0.7]))
    xr.testing.assert_identical(
        score(forecast, observed, threshold=[0.3, 0.7]), expected[name]
    )
    pooled = contingency(forecast, observed, threshold=0.3, over=("lead", "y", "x"))
    assert (
        score(forecast, observed, threshold=0.3, over=("lead", "y", "x")).item()
        == categorical_scores(pooled)[name].item()
    )


SAMPLES = hnp.arrays(
    np.float32,
    st.tuples(st.just(2), st.integers(0, 20)),
    elements=st.sampled_from([0, 1, 2, 3, np.nan]),
)


@FEW
@given(SAMPLES, SAMPLES)
def test_tables_add_like_concatenated_fields(first, second):
    def count(sample):
        f, o = (xr.DataArray(row, dims="x") for row in sample)
        return contingency(f, o, threshold=[0, 1.5, 3])

    whole = count(np.concatenate([first, second], axis=1))
    xr.testing.assert_identical(merge(count(first), count(second)), whole)


@FEW
@given(SAMPLES)
def test_missing_pairs_are_as_dropped(sample):
    kept = sample[:, ~np.isnan(sample).any(axis=0)]
    assert counted(*sample, 1.5) == counted(*kept, 1.5)


@FEW
@given(SAMPLES)
def test_ranges_and_the_perfect_forecast(sample):
    counts = table(*counted(*sample, 1.5))
    scores = categorical_scores(counts)
    for name in ("csi", "pod", "far", "pofd", "success_ratio"):
        assert np.isnan(scores[name]) or 0 <= scores[name] <= 1
    for name, least in (("hss", -1), ("ets", -1 / 3), ("pss", -1)):
        assert np.isnan(scores[name]) or least - 1e-12 <= scores[name] <= 1
    perfect = categorical_scores(table(*counted(sample[0], sample[0], 1.5)))
    for name in ("csi", "pod", "success_ratio", "bias", "hss", "ets", "pss"):
        assert np.isnan(perfect[name]) or perfect[name] == 1
