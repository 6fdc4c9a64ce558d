"""How far off: errors of a quantity, from sums that add."""

import numpy as np
import xarray as xr

from stormfusion.verification.pairs import (
    Dims,
    described,
    error_units,
    pair,
    ratio,
    summed,
)


def error_sums(
    forecast: xr.DataArray, observed: xr.DataArray, *, over: Dims = None
) -> xr.Dataset:
    """
    Sum errors, and what their correlation needs, in double precision.

    Parameters
    ----------
    forecast
        One forecast, in the units of `observed`.
    observed
        The observations on the grid of `forecast`. A pair of which either is missing
        is not counted.
    over
        Dimensions to sum over; all but `lead` if not given.

    Returns
    -------
    Dataset
        `pairs` as int64, and the sums `error`, `absolute_error`, `squared_error`,
        `forecast_sum`, `observed_sum`, `forecast_squared`, `observed_squared` and
        `product`. Sums of several samples `merge`.

    Examples
    --------
    >>> forecast = xr.DataArray([3.0, 1.0, np.nan], dims="x")
    >>> sums = error_sums(forecast, xr.DataArray([1.0, 2.0, 3.0], dims="x"))
    >>> int(sums.pairs), float(sums.error), float(sums.squared_error)
    (2, 1.0, 5.0)
    """
    forecast, observed = pair(forecast, observed)
    dims = summed(observed, over)
    valid = forecast.notnull() & observed.notnull()
    f = forecast.astype(np.float64).where(valid, 0.0)
    o = observed.astype(np.float64).where(valid, 0.0)
    error = f - o
    terms = {
        "error": error,
        "absolute_error": abs(error),
        "squared_error": error**2,
        "forecast_sum": f,
        "observed_sum": o,
        "forecast_squared": f**2,
        "observed_squared": o**2,
        "product": f * o,
    }
    sums = {"pairs": valid.sum(dims).astype(np.int64)}
    sums |= {name: term.sum(dims) for name, term in terms.items()}
    state = xr.Dataset()
    for name, value in sums.items():
        state[name] = described(value, f"sum of {name}".replace("_", " "), None)
    state["pairs"].attrs = {"long_name": "pairs that are not missing", "units": "1"}
    return state.assign_attrs(
        {"units": observed.attrs["units"]} if "units" in observed.attrs else {}
    )


def error_scores(sums: xr.Dataset) -> xr.Dataset:
    """
    Every score of the sums of errors.

    Parameters
    ----------
    sums
        As from `error_sums`, or several of these merged.

    Returns
    -------
    Dataset
        `mse`, `rmse`, `mae`, `mean_error` and `correlation`, on the coordinates of
        `sums`; NaN where there is no pair. The correlation is NaN too where forecast
        or observations are constant.

    Examples
    --------
    >>> f = xr.DataArray([3.0, 1.0], dims="x")
    >>> o = xr.DataArray([1.0, 2.0], dims="x")
    >>> scores = error_scores(error_sums(f, o))
    >>> float(scores.mse), float(scores.mean_error), float(scores.correlation)
    (2.5, 0.5, -1.0)
    """
    n = sums["pairs"].astype(np.float64)
    mse = ratio(sums["squared_error"], n)
    f, o = ratio(sums["forecast_sum"], n), ratio(sums["observed_sum"], n)
    f_variance = _variance(ratio(sums["forecast_squared"], n), f)
    o_variance = _variance(ratio(sums["observed_squared"], n), o)
    covariance = ratio(sums["product"], n) - f * o
    # each root by itself: the product of two small variances is 0 too soon
    spread = f_variance**0.5 * o_variance**0.5
    correlation = ratio(covariance.where(spread > 0, 0.0), spread).clip(-1.0, 1.0)
    units = sums.attrs.get("units")
    plain, squared = error_units(units), error_units(units, squared=True)
    mae = ratio(sums["absolute_error"], n)
    mean_error = ratio(sums["error"], n)
    return xr.Dataset(
        {
            "mse": described(mse, "mean squared error", squared),
            "rmse": described(mse**0.5, "root mean squared error", plain),
            "mae": described(mae, "mean absolute error", plain),
            "mean_error": described(mean_error, "mean of forecast - observed", plain),
            "correlation": described(correlation, "Pearson correlation"),
        }
    )


def _variance(mean_square: xr.DataArray, mean: xr.DataArray) -> xr.DataArray:
    """Zero where what is left of the difference of two sums is rounding alone."""
    variance = mean_square - mean**2
    return variance.where(~(variance <= 1e-12 * mean_square), 0.0)


def mse(
    forecast: xr.DataArray, observed: xr.DataArray, *, over: Dims = None
) -> xr.DataArray:
    """
    Mean squared error.

    Parameters
    ----------
    forecast, observed, over
        As in `error_sums`; missing pairs are not counted.

    Returns
    -------
    DataArray
        In the units of `observed` squared; NaN where there is no pair.

    Examples
    --------
    >>> observed = xr.DataArray([1.0, 2.0], dims="x", attrs={"units": "mm"})
    >>> mse(observed + 2, observed).item()
    4.0
    """
    return error_scores(error_sums(forecast, observed, over=over))["mse"]


def rmse(
    forecast: xr.DataArray, observed: xr.DataArray, *, over: Dims = None
) -> xr.DataArray:
    """
    Root mean squared error: the root of the pooled mean.

    Parameters
    ----------
    forecast, observed, over
        As in `error_sums`; missing pairs are not counted.

    Returns
    -------
    DataArray
        In the units of `observed`; NaN where there is no pair.

    Examples
    --------
    >>> observed = xr.DataArray([1.0, 2.0], dims="x", attrs={"units": "mm"})
    >>> rmse(observed + 2, observed).item()
    2.0
    """
    return error_scores(error_sums(forecast, observed, over=over))["rmse"]


def mae(
    forecast: xr.DataArray, observed: xr.DataArray, *, over: Dims = None
) -> xr.DataArray:
    """
    Mean absolute error, which is the CRPS of a single forecast.

    Parameters
    ----------
    forecast, observed, over
        As in `error_sums`; missing pairs are not counted.

    Returns
    -------
    DataArray
        In the units of `observed`; NaN where there is no pair.

    Examples
    --------
    >>> observed = xr.DataArray([1.0, 2.0], dims="x", attrs={"units": "mm"})
    >>> mae(observed - 2, observed).item()
    2.0
    """
    return error_scores(error_sums(forecast, observed, over=over))["mae"]


def mean_error(
    forecast: xr.DataArray, observed: xr.DataArray, *, over: Dims = None
) -> xr.DataArray:
    """
    Mean of `forecast - observed`, positive where too much is forecast.

    Parameters
    ----------
    forecast, observed, over
        As in `error_sums`; missing pairs are not counted.

    Returns
    -------
    DataArray
        In the units of `observed`; NaN where there is no pair.

    Examples
    --------
    >>> observed = xr.DataArray([1.0, 2.0], dims="x", attrs={"units": "mm"})
    >>> mean_error(observed - 2, observed).item()
    -2.0
    """
    return error_scores(error_sums(forecast, observed, over=over))["mean_error"]


def correlation(
    forecast: xr.DataArray, observed: xr.DataArray, *, over: Dims = None
) -> xr.DataArray:
    """
    Pearson correlation of forecast and observations.

    Parameters
    ----------
    forecast, observed, over
        As in `error_sums`; missing pairs are not counted.

    Returns
    -------
    DataArray
        -1 to 1; NaN where either is constant or there is no pair [1].

    Examples
    --------
    >>> observed = xr.DataArray([1.0, 2.0, 4.0], dims="x")
    >>> correlation(3 * observed + 1, observed).round(6).item()
    1.0
    """
    return error_scores(error_sums(forecast, observed, over=over))["correlation"]
