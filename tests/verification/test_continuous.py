import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stormfusion.verification import (
    correlation,
    error_scores,
    error_sums,
    mae,
    mean_error,
    merge,
    mse,
    rmse,
)

FEW = settings(max_examples=25, deadline=None)


def line(values, **attrs):
    return xr.DataArray(np.asarray(values), dims="x", attrs=attrs)


def test_by_hand():
    forecast, observed = line([1.0, 5.0, 2.0]), line([2.0, 2.0, 4.0])
    assert mse(forecast, observed).item() == pytest.approx(14 / 3)
    assert rmse(forecast, observed).item() == pytest.approx((14 / 3) ** 0.5)
    assert mae(forecast, observed).item() == 2
    assert mean_error(forecast, observed).item() == 0
    assert mean_error(forecast + 1, observed).item() == 1
    expected = np.corrcoef(forecast, observed)[0, 1]
    assert correlation(forecast, observed).item() == pytest.approx(expected)


def test_missing_pairs_are_not_counted():
    forecast = line([1.0, np.nan, 3.0, np.nan])
    observed = line([2.0, 5.0, np.nan, np.nan])
    assert mse(forecast, observed).item() == 1
    assert error_sums(forecast, observed).pairs.item() == 1


def test_nothing_is_nan_without_a_warning():
    nothing = line([np.nan, np.nan])
    for score in (mse, rmse, mae, mean_error, correlation):
        assert np.isnan(score(nothing, nothing))


def test_bytes_do_not_wrap_around():
    forecast = line(np.array([0, 255], np.uint8))
    assert mean_error(forecast, line(np.array([1, 0], np.uint8))).item() == 127
    assert mse(forecast, line(np.array([255, 0], np.uint8))).item() == 255**2


def test_sums_are_in_double_precision():
    n = 200_000
    forecast = line(np.full(n, 0.1, np.float32))
    sums = error_sums(forecast, 0 * forecast)
    assert sums.error.item() == pytest.approx(n * float(np.float32(0.1)), rel=1e-12)


def test_the_correlation_of_a_constant_is_nan():
    varying = line([1.0, 2.0, 4.0])
    for constant in (0.1, 0.0, 273.15, 1e-9):
        assert np.isnan(correlation(line([constant] * 3), varying))
        assert np.isnan(correlation(varying, line([constant] * 3)))


def test_the_correlation_of_kelvin():
    rng = np.random.default_rng(0)
    f, o = rng.normal(270, 0.5, (2, 1000))
    expected = np.corrcoef(f, o)[0, 1]
    assert correlation(line(f), line(o)).item() == pytest.approx(expected, abs=1e-7)
    assert correlation(line(f), line(-f)).item() == pytest.approx(-1)


def correlated(mean, spread, n=5000):
    """Two fields of normal numbers about a mean, and their correlation."""
    rng = np.random.default_rng(1)
    f, noise = rng.normal(0, 1, (2, n))
    f, o = (mean + spread * x for x in (f, 0.6 * f + 0.8 * noise))
    return f, o, np.corrcoef(f, o)[0, 1]


@pytest.mark.parametrize(
    ("mean", "spread", "error"),
    [
        (250, 5, 1e-12),
        (-250, 0.01, 1e-9),
        (1e6, 1, 1e-6),
        (-1e6, 1, 1e-6),
        (1e6, 1e6, 1e-12),
        (1e-9, 1e-12, 1e-9),
        (1e30, 1e27, 1e-9),
    ],
)
def test_a_large_mean_does_not_drown_the_correlation(mean, spread, error):
    f, o, expected = correlated(mean, spread)
    found = correlation(line(f), line(o)).item()
    assert found == pytest.approx(expected, abs=error)
    parts = np.split(np.arange(f.size), 10)
    states = [error_sums(line(f[part]), line(o[part])) for part in parts]
    assert error_scores(merge(*states)).correlation.item() == pytest.approx(
        expected, abs=error
    )


def test_a_large_mean_of_one_field_alone():
    f, o, expected = correlated(0, 1)
    for forecast, observed in ((f + 1e6, o), (f, o + 1e6), (f - 1e6, o + 1e6)):
        found = correlation(line(forecast), line(observed)).item()
        assert found == pytest.approx(expected, abs=1e-6)


def test_fields_of_other_sizes_in_one_state():
    # dry and calm, then warm: the leading figures have other places
    f, o = np.r_[correlated(1e-3, 1e-4)[:2]].reshape(2, -1)
    g, p = np.r_[correlated(300, 1)[:2]].reshape(2, -1)
    expected = np.corrcoef(np.r_[f, g], np.r_[o, p])[0, 1]
    both = merge(error_sums(line(f), line(o)), error_sums(line(g), line(p)))
    assert error_scores(both).correlation.item() == pytest.approx(expected, abs=1e-12)


def test_both_parts_are_the_sum():
    f, o, _ = correlated(250, 5)
    sums = error_sums(line(f), line(o))
    for name, expected in {
        "forecast_sum": f.sum(),
        "observed_sum": o.sum(),
        "forecast_squared": f @ f,
        "observed_squared": o @ o,
        "product": f @ o,
    }.items():
        total = sums[name].sum("figures").item()
        assert total == pytest.approx(expected, rel=1e-13), name
    # of so few figures that all their sums are exact
    leading = sums.forecast_squared.sel(figures="leading").item()
    assert (leading * 2**10).is_integer()


def test_infinite_errors():
    scores = error_scores(error_sums(line([np.inf, 1.0, 3.0]), line([1.0, 2.0, 3.0])))
    assert scores.mse == scores.mae == scores.mean_error == np.inf
    assert np.isnan(scores.correlation)


def test_dask_is_numpy():
    pytest.importorskip("dask")
    f, o, _ = correlated(250, 5, n=240)
    f[::7] = np.nan
    f, o = (xr.DataArray(a.reshape(4, 60), dims=("lead", "x")) for a in (f, o))
    for over in (None, "lead", ["lead", "x"], []):
        eager = error_scores(error_sums(f, o, over=over))
        chunks = {"lead": 2, "x": 17}
        lazy = error_scores(error_sums(f.chunk(chunks), o.chunk(chunks), over=over))
        assert all(score.chunks is not None for score in lazy.values())
        xr.testing.assert_allclose(lazy.compute(), eager, rtol=1e-12)


@pytest.mark.parametrize(
    ("units", "plain", "squared"),
    [
        ("kg m-2", "kg m-2", "(kg m-2)^2"),
        ("degC", "K", "(K)^2"),
        ("1", "1", "1"),
    ],
)
def test_units(units, plain, squared):
    observed = line([1.0], units=units)
    assert mae(observed, observed).attrs["units"] == plain
    assert mse(observed, observed).attrs["units"] == squared
    assert mse(observed, observed).attrs["long_name"] == "mean squared error"
    assert "units" not in mae(line([1.0]), line([1.0])).attrs


SAMPLES = hnp.arrays(
    np.float32,
    st.tuples(st.just(2), st.integers(0, 20)),
    elements=st.one_of(st.just(np.nan), st.integers(-100, 100)),
)


@FEW
@given(SAMPLES, SAMPLES)
def test_sums_add_like_concatenated_fields(first, second):
    def sums(sample):
        return error_sums(line(sample[0]), line(sample[1]))

    whole = sums(np.concatenate([first, second], axis=1))
    xr.testing.assert_identical(merge(sums(first), sums(second)), whole)


@FEW
@given(SAMPLES)
def test_missing_pairs_are_as_dropped(sample):
    kept = sample[:, ~np.isnan(sample).any(axis=0)]
    sums = error_sums(line(sample[0]), line(sample[1]))
    xr.testing.assert_identical(sums, error_sums(line(kept[0]), line(kept[1])))


@FEW
@given(SAMPLES)
def test_a_perfect_forecast(sample):
    scores = error_scores(error_sums(line(sample[0]), line(sample[0])))
    for name in ("mse", "rmse", "mae", "mean_error"):
        assert np.isnan(scores[name]) or scores[name] == 0
    assert np.isnan(scores.correlation) or scores.correlation == pytest.approx(1)
