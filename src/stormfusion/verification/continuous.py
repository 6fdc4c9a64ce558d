"""How far off: errors of a quantity, from sums that add."""

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import xarray as xr

from stormfusion.verification.blocks import block_sums
from stormfusion.verification.pairs import (
    Dims,
    described,
    error_units,
    pair,
    ratio,
    summed,
)

Bare = npt.NDArray[Any]
Array = TypeVar("Array", xr.DataArray, Bare)


def error_sums(
    forecast: xr.DataArray, observed: xr.DataArray, *, over: Dims = None
) -> xr.Dataset:
    r"""
    Sum errors, and what their correlation needs, in one pass.

    A correlation is a small difference of large sums where the mean is large, as that
    of temperatures in kelvin. So each value $x = l + t$ is split into $l$, its first 11
    binary figures, and $t$, all others. Sums of $l$, $l^2$ and $l_f l_o$ are exact for
    up to about $10^9$ pairs, and what is missing from the sums of $x$, $x^2$ and $f o$
    is small. Both are kept, so that states add as ever, and the variance is right to 7
    digits where the mean is a million times the spread.

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
        `pairs` as int64, and the sums `error`, `absolute_error` and `squared_error`;
        and, in two parts along `figures` whose total they are, `forecast_sum`,
        `observed_sum`, `forecast_squared`, `observed_squared` and `product`. Sums of
        several samples `merge`.

    Examples
    --------
    >>> forecast = xr.DataArray([3.0, 1.0, np.nan], dims="x")
    >>> sums = error_sums(forecast, xr.DataArray([1.0, 2.0, 3.0], dims="x"))
    >>> int(sums.pairs), float(sums.error), float(sums.squared_error)
    (2, 1.0, 5.0)
    >>> sums.forecast_squared.sum("figures").item()
    10.0
    """
    forecast, observed = pair(forecast, observed)
    dims, parts = summed(observed, over), len(_PLAIN) + 2 * len(_SPLIT)
    found = block_sums(_errors, forecast, observed, dims, sizes={"part": parts})
    sums = {name: found.isel(part=i) for i, name in enumerate(_PLAIN)}
    for i, name in enumerate(_SPLIT):
        first = len(_PLAIN) + 2 * i
        sums[name] = found.isel(part=slice(first, first + 2)).rename(part="figures")
    sums["pairs"] = sums["pairs"].astype(np.int64)
    state = xr.Dataset(
        {
            k: described(v, f"sum of {k}".replace("_", " "), None)
            for k, v in sums.items()
        }
    ).assign_coords(figures=list(_FIGURES))
    state["pairs"].attrs = {"long_name": "pairs that are not missing", "units": "1"}
    return state.assign_attrs(
        {"units": observed.attrs["units"]} if "units" in observed.attrs else {}
    )


_PLAIN = ("pairs", "error", "absolute_error", "squared_error")
_SPLIT = (
    *("forecast_sum", "observed_sum"),
    *("forecast_squared", "observed_squared", "product"),
)
_FIGURES = ("leading", "trailing")


def _errors(f: Bare, o: Bare) -> Bare:
    """The sums of a block by row: those of `_PLAIN`, then both parts of `_SPLIT`."""
    f, o = f[0].T.astype(np.float64), o.T.astype(np.float64)
    gone = np.isnan(f) | np.isnan(o)
    if gone.any():
        f, o = np.where(gone, 0.0, f), np.where(gone, 0.0, o)
    with np.errstate(invalid="ignore"):  # of infinite values
        error, l_f, l_o = f - o, _leading(f), _leading(o)
        t_f, t_o = f - l_f, o - l_o
        sums = (
            *((~gone).sum(1), error.sum(1), np.abs(error).sum(1), _dot(error, error)),
            *(l_f.sum(1), t_f.sum(1), l_o.sum(1), t_o.sum(1)),
            *(_dot(l_f, l_f), _dot(t_f, f + l_f)),
            *(_dot(l_o, l_o), _dot(t_o, o + l_o)),
            *(_dot(l_f, l_o), _dot(l_f, t_o) + _dot(t_f, o)),
        )
    return np.stack(sums, axis=-1)


def _dot(a: Bare, b: Bare) -> Bare:
    return np.asarray(np.matmul(a[:, None, :], b[:, :, None])[:, 0, 0])


def _leading(values: Array) -> Array:
    """Round to 11 binary figures, whose squares can be added without rounding."""
    large = (2.0**42 + 1.0) * values  # whose last place is 2^42 that of the values
    return large - (large - values)


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
        or observations are constant, which is a spread of less than about 1e-8 of the
        mean.

    Examples
    --------
    >>> f = xr.DataArray([3.0, 1.0], dims="x")
    >>> o = xr.DataArray([1.0, 2.0], dims="x")
    >>> scores = error_scores(error_sums(f, o))
    >>> float(scores.mse), float(scores.mean_error), float(scores.correlation)
    (2.5, 0.5, -1.0)
    """
    n = sums["pairs"].astype(np.float64).where(sums["pairs"] > 0)
    mse = ratio(sums["squared_error"], n)
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
            "correlation": described(_correlation(sums, n), "Pearson correlation"),
        }
    )


def _correlation(sums: xr.Dataset, n: xr.DataArray) -> xr.DataArray:
    f, o = _about(sums["forecast_sum"], n), _about(sums["observed_sum"], n)
    squares = ((f, f, "forecast_squared"), (o, o, "observed_squared"))
    f_variance, o_variance = (_covariance(sums[k], a, b, n) for a, b, k in squares)
    covariance = _covariance(sums["product"], f, o, n)
    # each root by itself: the product of two small variances is 0 too soon
    spread = _not_rounding(f_variance, sums["forecast_squared"], n) ** 0.5
    spread = spread * _not_rounding(o_variance, sums["observed_squared"], n) ** 0.5
    return ratio(covariance, spread.where(spread > 0)).clip(-1.0, 1.0)


_About = tuple[xr.DataArray, xr.DataArray, xr.DataArray]


def _about(total: xr.DataArray, n: xr.DataArray) -> _About:
    """A round number near the mean, both parts of the sum, and what the mean lacks."""
    leading, trailing = (total.sel(figures=name, drop=True) for name in _FIGURES)
    near = _leading(ratio(leading + trailing, n).fillna(0.0))
    return near, total, ratio((leading - near * n) + trailing, n)


def _covariance(
    products: xr.DataArray, f: _About, o: _About, n: xr.DataArray
) -> xr.DataArray:
    """Mean of (f - near f)(o - near o), less the product of what the means lack."""
    (near_f, sum_f, rest_f), (near_o, sum_o, rest_o) = f, o
    # of the leading figures all is exact, of the trailing ones all is small
    parts = (products - near_f * sum_o) - near_o * sum_f
    leading, trailing = (parts.sel(figures=name, drop=True) for name in _FIGURES)
    return ratio((leading + n * near_f * near_o) + trailing, n) - rest_f * rest_o


def _not_rounding(
    variance: xr.DataArray, squares: xr.DataArray, n: xr.DataArray
) -> xr.DataArray:
    """Zero where what is left of the difference of two sums is rounding alone."""
    least = 1e-16 * ratio(squares.sum("figures", skipna=False), n)
    return variance.where(~(variance <= least), 0.0)


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
