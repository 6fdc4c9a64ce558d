"""Forecasts beside observations: checks before a score, and what scores share."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import xarray as xr

from stormfusion.errors import GridMismatchError
from stormfusion.units import conversion

Thresholds: TypeAlias = float | Sequence[float] | npt.NDArray[Any] | xr.DataArray
Dims: TypeAlias = str | Iterable[str] | None


def pair(
    forecast: xr.DataArray, observed: xr.DataArray, *, members: bool = False
) -> tuple[xr.DataArray, xr.DataArray]:
    """
    Forecast and observed, checked to lie on one grid and freed of other labels.

    Fields of other sizes or at other places are refused: xarray would score what
    remains of them without a word.

    Parameters
    ----------
    forecast
        The forecast, with a dimension `member` only where `members` allows it.
    observed
        The observations, with the dimensions of the forecast but `member`.
    members
        Whether the forecast may be an ensemble.

    Returns
    -------
    tuple of DataArray
        Both in the order of dimensions of `observed`, members first, with index
        coordinates only.

    Examples
    --------
    >>> rain = xr.DataArray([0.0, 1.0], dims="x", coords={"x": [0.5, 1.5]})
    >>> pair(rain, rain.assign_coords(x=[1.5, 2.5]))
    Traceback (most recent call last):
    ...
    stormfusion.errors.GridMismatchError: forecast and observed lie at other places ...
    """
    for name, array in (("forecast", forecast), ("observed", observed)):
        check_array(array, name)
    if "member" in forecast.dims and not members:
        raise ValueError(
            "forecast has a dimension 'member', but this score is of one forecast; "
            "take forecast.mean('member'), or a score of ensembles such as crps"
        )
    dims = [dim for dim in forecast.dims if dim != "member"]
    if set(dims) != set(observed.dims):
        raise ValueError(
            f"forecast has the dimensions {tuple(dims)} and observed "
            f"{observed.dims}; give both the same, such as ('lead', 'y', 'x') by "
            "observed.sel(time=forecast.time)"
        )
    _check_units(forecast, observed)
    _check_times(forecast, observed)
    labels = {}
    for dim in observed.dims:
        _check_places(forecast, observed, str(dim))
        source = observed if dim in observed.indexes else forecast
        if dim in source.indexes:
            labels[dim] = source[dim].reset_coords(drop=True)
    order = [*(["member"] if "member" in forecast.dims else []), *observed.dims]
    bare = [
        array.reset_coords(drop=True).drop_vars(labels, errors="ignore")
        for array in (forecast.transpose(*order), observed)
    ]
    return bare[0].assign_coords(labels), bare[1].assign_coords(labels)


def check_array(array: Any, name: str = "this") -> None:
    """Refuse what is no labelled array."""
    if not isinstance(array, xr.DataArray):
        raise TypeError(
            f"{name} is a {type(array).__name__}, not a DataArray; pass one variable "
            "with named dimensions, such as dataset['vil']"
        )


def _check_units(forecast: xr.DataArray, observed: xr.DataArray) -> None:
    f, o = forecast.attrs.get("units"), observed.attrs.get("units")
    if f is None or o is None or f == o or conversion(f, o) == (1.0, 0.0):
        return
    raise ValueError(
        f"forecast is in {f!r} and observed in {o!r}; bring one to the units of the "
        "other with stormfusion.units.convert"
    )


def _check_times(forecast: xr.DataArray, observed: xr.DataArray) -> None:
    """Refuse observations of other valid times, where both are told."""
    both = "time" in forecast.coords and "time" in observed.coords
    if "time" in observed.dims or not both:
        return
    f, o = forecast["time"], observed["time"]
    if (
        f.dims == o.dims
        and f.shape == o.shape
        and not np.array_equal(f, o, equal_nan=True)
    ):
        first = [str(np.ravel(a.values)[0]).removesuffix(".000000000") for a in (f, o)]
        raise GridMismatchError(
            f"forecast and observed are of other times (from {first[0]} and from "
            f"{first[1]}); select the observed frames of the forecast, or drop the "
            "coordinate with .drop_vars('time') if it is not the valid time"
        )


def one_threshold(threshold: Any) -> float:
    """
    One finite threshold, and no list of them.

    Examples
    --------
    >>> one_threshold(5)
    5.0
    """
    values = checked_thresholds(threshold)
    if values.ndim:
        raise ValueError(f"threshold is {threshold!r}; give one number")
    return float(values)


def _check_places(forecast: xr.DataArray, observed: xr.DataArray, dim: str) -> None:
    if forecast.sizes[dim] != observed.sizes[dim]:
        raise GridMismatchError(
            f"forecast and observed differ in {dim} ({forecast.sizes[dim]} and "
            f"{observed.sizes[dim]} points); bring one to the grid of the other, such "
            "as with .coarsen or .interp_like"
        )
    if dim not in forecast.indexes or dim not in observed.indexes:
        return
    f, o = forecast[dim].values, observed[dim].values
    if "f" in (f.dtype.kind, o.dtype.kind):
        spacing = np.abs(np.diff(o)).min() if o.size > 1 else np.abs(o).max(initial=0)
        same = np.allclose(f, o, rtol=0, atol=1e-3 * float(spacing))
    else:
        same = np.array_equal(f, o)
    if not same:
        raise GridMismatchError(
            f"forecast and observed lie at other places in {dim} ({_told(f)} "
            f"and {_told(o)}, {f.size} points each); bring one to the grid of "
            "the other, such as with .sel, .sortby or .interp_like"
        )


def _told(places: npt.NDArray[Any]) -> str:
    if places.dtype.kind == "m":
        minutes = places[[0, -1]] / np.timedelta64(1, "m")
        return f"{minutes[0]:g} to {minutes[1]:g} min"
    return f"{places[0]} to {places[-1]}"


def summed(observed: xr.DataArray, over: Dims) -> list[str]:
    """
    The dimensions that a score sums over: all but `lead`, or those named.

    Examples
    --------
    >>> summed(xr.DataArray(np.zeros((2, 3, 3)), dims=("lead", "y", "x")), None)
    ['y', 'x']
    """
    dims = [str(dim) for dim in observed.dims]
    if over is None:
        return [dim for dim in dims if dim != "lead"]
    named = [over] if isinstance(over, str) else list(over)
    if unknown := [dim for dim in named if dim not in dims]:
        raise ValueError(
            f"cannot sum over {unknown}; the observations have the dimensions {dims}"
        )
    return named


def per_threshold(
    state: Callable[[float], xr.Dataset], threshold: Thresholds, observed: xr.DataArray
) -> xr.Dataset:
    """
    The sums for one threshold, or for several along the dimension `threshold`.

    Examples
    --------
    >>> rain = xr.DataArray([1.0, 2.0], dims="x")
    >>> wet = lambda t: xr.Dataset({"wet": (rain >= t).sum()})
    >>> per_threshold(wet, [1, 2], rain).wet.sel(threshold=2).item()
    1
    """
    labels = threshold_label(threshold, observed)
    if labels.ndim == 0:
        return state(float(labels)).assign_coords(threshold=labels)
    states = [state(float(value)) for value in labels.values]
    joined = xr.concat(
        states, dim="threshold", coords="minimal", compat="override", join="exact"
    )
    return joined.assign_coords(threshold=labels).transpose(..., "threshold")


def threshold_label(threshold: Thresholds, observed: xr.DataArray) -> xr.DataArray:
    """
    The coordinate of one threshold, or of several.

    Examples
    --------
    >>> threshold_label(5, xr.DataArray(0.0, attrs={"units": "mm"})).attrs["units"]
    'mm'
    """
    values = checked_thresholds(threshold)
    attrs = {"long_name": "threshold, reached where value >= threshold"}
    if "units" in observed.attrs:
        attrs["units"] = observed.attrs["units"]
    dims = "threshold" if values.ndim else ()
    return xr.DataArray(values, dims=dims, name="threshold", attrs=attrs)


def checked_thresholds(threshold: Thresholds) -> npt.NDArray[np.float64]:
    """
    One finite threshold, without a dimension, or several that differ, with one.

    Examples
    --------
    >>> checked_thresholds([1, 5])
    array([1., 5.])
    """
    try:
        given = np.asarray(threshold)
        # text that spells a number is none
        values = given.astype(np.float64) if given.dtype.kind in "iuf" else np.empty(0)
        unique = np.unique(values[np.isfinite(values)])
        sound = values.ndim <= 1 and 0 < values.size == unique.size
    except (TypeError, ValueError):
        sound = False
    if not sound:
        raise ValueError(
            f"threshold is {threshold!r}; give a finite number, or several that "
            "differ, such as [3.5, 12]"
        )
    return values


def member_count(forecast: xr.DataArray) -> int:
    """
    How many members an ensemble has, one or more.

    Examples
    --------
    >>> member_count(xr.DataArray([1.0, 2.0], dims="member"))
    2
    """
    if "member" not in forecast.dims:
        raise ValueError(
            f"forecast has the dimensions {forecast.dims} and no 'member'; score one "
            "forecast by mae, which is its CRPS, or give it a dimension 'member'"
        )
    if forecast.sizes["member"] == 0:
        raise ValueError("forecast has no members; give one or more")
    return forecast.sizes["member"]


def unitless(array: xr.DataArray) -> xr.DataArray:
    """
    Without units, as probabilities and events are, whatever they were made of.

    Examples
    --------
    >>> unitless(xr.DataArray(1.0, attrs={"units": "mm h-1"})).attrs
    {}
    """
    if not isinstance(array, xr.DataArray) or "units" not in array.attrs:
        return array
    bare = array.copy(deep=False)
    del bare.attrs["units"]
    return bare


def complete(forecast: xr.DataArray) -> xr.DataArray:
    """
    Where nothing is missing, of an ensemble in no member.

    Examples
    --------
    >>> rain = xr.DataArray([[1.0, 2.0], [np.nan, 3.0]], dims=("member", "x"))
    >>> complete(rain).values
    array([False,  True])
    """
    if forecast.sizes.get("member"):
        # the largest is missing if one is, and takes no room
        forecast = forecast.max("member", skipna=False)
    return forecast.notnull()


def ratio(part: xr.DataArray, whole: xr.DataArray) -> xr.DataArray:
    """
    Divide without a warning: 0/0 is NaN, for there is nothing to score.

    Examples
    --------
    >>> ratio(xr.DataArray([1, 0]), xr.DataArray([2, 0])).values
    array([0.5, nan])
    """

    def divide(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> Any:
        # here, for on Dask it is done later
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.true_divide(a, b)

    found: xr.DataArray = xr.apply_ufunc(
        divide, part, whole, dask="parallelized", output_dtypes=[np.float64]
    )
    return found


def described(
    score: xr.DataArray, long_name: str, units: str | None = "1"
) -> xr.DataArray:
    """
    A score that says what it is.

    Examples
    --------
    >>> described(xr.DataArray(0.5), "critical success index").attrs["units"]
    '1'
    """
    score = score.rename(None)
    score.attrs = {"long_name": long_name} | ({"units": units} if units else {})
    return score


def error_units(units: str | None, *, squared: bool = False) -> str | None:
    """
    The units of a difference, or of its square.

    Examples
    --------
    >>> error_units("kg m-2", squared=True), error_units("degC")
    ('(kg m-2)^2', 'K')
    """
    if units is None or units == "1":
        return units
    units = "K" if units in ("degC", "celsius", "Celsius") else units
    return f"({units})^2" if squared else units
