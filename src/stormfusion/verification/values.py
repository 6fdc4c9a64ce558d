"""Forecasts and observations in the units of the house, as far as they are possible."""

import warnings

import numpy as np
import xarray as xr

from stormfusion.units import VARIABLES, as_ours, convert
from stormfusion.units.converting import ends
from stormfusion.verification.pairs import check_array


def in_ours(
    variable: str, observed: xr.DataArray, *forecasts: xr.DataArray
) -> list[xr.DataArray]:
    """
    Observations and forecasts in the units of a variable of the house.

    One without units is taken to be in those of the first that has some, or in ours.
    Impossible observations are missing. A forecast that is too large to be is not: it
    is the largest possible value, so that what exploded scores badly, and a warning
    says so. One that is too small by less than 1 is the smallest possible value, for
    networks give such where it is dry; one by more, such as a fill value, is missing,
    with a warning.
    Values on Dask are treated alike, but not looked at, so nothing warns.

    Examples
    --------
    >>> rain = xr.DataArray([1.0, -9.0], dims="x", attrs={"units": "cm h-1"})
    >>> observed, forecast = in_ours("rain_rate", rain, abs(rain).drop_attrs())
    >>> observed.values, forecast.values
    (array([10., nan]), array([10., 90.]))
    """
    arrays = (observed, *forecasts)
    for array in arrays:
        check_array(array)
    known = VARIABLES[variable]
    given = [array.attrs["units"] for array in arrays if "units" in array.attrs]
    told = {"units": [*given, known.units][0]}
    first, *others = (array.assign_attrs(told | array.attrs) for array in arrays)
    ours = [as_ours(first, variable)]
    for other in others:
        units = str(other.attrs["units"]).strip() or known.units
        values = convert(other, units, known.units)
        if known.units == "dBZ" and values.dtype.kind == "f":
            values = values.where(values != -np.inf, known.lowest)
        values = _nearly(values, known.lowest)
        if values.chunks is None:
            least, most = ends(values.values)
            if not (least < known.lowest or most > known.highest):
                ours.append(values)
                continue
            _warn_of_impossible(variable, least, most)
        most_possible = values.clip(max=known.highest, keep_attrs=True)
        ours.append(as_ours(most_possible, variable))
    return ours


def _nearly(values: xr.DataArray, lowest: float) -> xr.DataArray:
    """What is less than 1 below the smallest possible value is that."""
    if values.dtype.kind != "f" or not np.isfinite(lowest):
        return values
    if values.chunks is None and not ends(values.values)[0] < lowest:
        return values
    # what begins at 0 may be a little below it by rounding, and is nothing there
    least = 0.0 if -1.0 < lowest < 0.0 else lowest
    slight = (values < lowest) & (values > least - 1.0)
    return values.where(~slight, least)


def _warn_of_impossible(variable: str, least: float, most: float) -> None:
    known = VARIABLES[variable]
    if most > known.highest:
        warnings.warn(
            f"a forecast of {variable!r} has values up to {most:.3g} {known.units}, "
            f"beyond all weather; they are scored as {known.highest:g}. Mend the "
            "forecast",
            UserWarning,
            stacklevel=4,
        )
    if least < known.lowest:
        warnings.warn(
            f"a forecast of {variable!r} has values down to {least:.3g} {known.units}, "
            "below all weather; their pixels are not scored. Mend the forecast, or "
            "make them NaN if they are missing",
            UserWarning,
            stacklevel=4,
        )
