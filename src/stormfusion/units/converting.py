"""Units, read as in CF or as in a text, and the way from one to another."""

import re
import warnings
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from stormfusion.units.arrays import Array, numbers
from stormfusion.units.variables import FILL, VARIABLES


def conversion(units: str, to: str) -> tuple[float, float]:
    """
    Scale and offset between two units, so that `y = scale * x + offset`.

    Units are written as in CF (`"kg m-2"`, `"mm h-1"`) or as in a text (`"mm/h"`).
    Rain may be a depth or a mass of water: 1 mm is 1 kg m-2.

    Parameters
    ----------
    units, to
        What the values are in, and what they shall be in.

    Returns
    -------
    tuple of float
        Scale and offset.

    Examples
    --------
    >>> conversion("kg m-2 s-1", "mm h-1")
    (3600.0, 0.0)
    >>> conversion("degC", "K")
    (1.0, 273.15)
    """
    import pint

    source, goal, quantity = _parse(units), _parse(to), _registry().Quantity
    try:
        zero, one = (quantity(x, source).to(goal, "water").m for x in (0.0, 1.0))
    except pint.PintError as error:
        law = ", or use reflectivity_to_rain_rate" if "dBZ" in (units, to) else ""
        raise ValueError(
            f"{units!r} does not convert to {to!r}; give units of the same kind{law}"
        ) from error
    # the last digits are rounding: 274.15 - 273.15 is 1, and 3600.0000000000005 3600
    digits = 15 if zero == 0 else 12
    return float(f"{one - zero:.{digits}g}"), float(f"{zero:.{digits}g}")


def convert(values: Array, units: str, to: str) -> Array:
    """
    Convert values from one unit to another, as `conversion` says.

    Parameters
    ----------
    values
        Any quantity. Missing values stay missing, float32 stays float32.
    units, to
        What the values are in, and what they shall be in, such as `"mm/h"`.

    Returns
    -------
    DataArray or ndarray
        The converted values; a DataArray has `to` as its `units`.

    Examples
    --------
    >>> import numpy as np
    >>> convert(np.array([1.0, 2.0]), "inch", "mm")
    array([25.4, 50.8])
    """
    values, (scale, offset) = numbers(values), conversion(units, to)
    converted = values if (scale, offset) == (1.0, 0.0) else values * scale + offset
    if isinstance(values, xr.DataArray):
        return converted.assign_attrs(values.attrs | {"units": to})
    return converted


def in_units(values: Array, to: str) -> Array:
    """
    Values in some units: a DataArray that tells its own is converted.

    Anything else is taken to be in these units.

    Parameters
    ----------
    values
        Any quantity.
    to
        The units that are wanted.

    Raises
    ------
    ValueError
        If the units that it tells do not convert.

    Examples
    --------
    >>> rain = xr.DataArray([0.001], dims="x", attrs={"units": "m/h"})
    >>> in_units(rain, "mm h-1").values
    array([1.])
    """
    if not isinstance(values, xr.DataArray):
        return values
    text = str(values.attrs.get("units", "")).strip()
    return convert(values, text, to) if text else values


def as_ours(array: xr.DataArray, variable: str) -> xr.DataArray:
    """
    Values of a variable in its units, impossible ones missing.

    Reflectivity of minus infinity, no echo at all, is the lowest that is possible.

    Parameters
    ----------
    array
        In any units of the kind; without units it is taken to be in ours, with a
        warning.
    variable
        Which of `VARIABLES`.

    Raises
    ------
    ValueError
        If the units do not convert.

    Warns
    -----
    UserWarning
        If there are no units, or values above all weather that are no fill values.

    Examples
    --------
    >>> rain = xr.DataArray([0.001, -9999.0], dims="x", attrs={"units": "m/h"})
    >>> as_ours(rain, "rain_rate").values
    array([ 1., nan])
    """
    known = VARIABLES[variable]
    text = str(array.attrs.get("units", "")).strip()
    if array.dtype == np.float16:
        # too coarse to convert in, and too small for many units
        array = array.astype(np.float32)
    if not text:
        warnings.warn(
            f"{variable!r} has no units and is taken to be in {known.units}; set "
            "attrs['units'] if it is in others",
            UserWarning,
            stacklevel=4,
        )
        text = known.units
    values: xr.DataArray = convert(array, text, known.units)
    if known.units == "dBZ" and values.dtype.kind == "f":
        # the logarithm of no echo at all, which is an observation
        values = values.where(values != -np.inf, known.lowest)
    if values.chunks is None:
        least, most = ends(values.values)
        if not (least < known.lowest or most > known.highest):
            return values
        fill = (abs(values) >= FILL) & np.isfinite(values)
        beyond = int(((values > known.highest) & ~fill).sum())
        if beyond:
            warnings.warn(
                f"{beyond} of {values.size} values of {variable!r} are above "
                f"{known.highest:g} {known.units}, which no weather is, and count as "
                "missing; check attrs['units'], or mask them",
                UserWarning,
                stacklevel=4,
            )
    return values.where((values >= known.lowest) & (values <= known.highest))


def ends(values: npt.NDArray[Any]) -> tuple[float, float]:
    """
    The least and the largest value, NaN where there is none.

    Examples
    --------
    >>> ends(np.array([2.0, np.nan, 1.0]))
    (1.0, 2.0)
    """
    if not values.size:
        return np.nan, np.nan
    least, most = values.min(), values.max()
    if np.isnan(least):
        least, most = (f.reduce(values, axis=None) for f in (np.fmin, np.fmax))
    return float(least), float(most)


@cache
def _registry() -> Any:
    """Pint's units, spelled as in CF, with reflectivity and water besides."""
    import pint

    power = re.compile(r"(?<=[A-Za-z])(?=[-+]?\d)")
    spelling = [lambda text: power.sub("**", text.replace("%", "percent"))]
    registry: Any = pint.UnitRegistry(preprocessors=spelling)
    registry.define("dBZ = [reflectivity_factor] = dBz = DBZ")
    registry.define("@alias degree_Celsius = Celsius = degrees_celsius = deg_C")
    registry.define("@alias count = flash = flashes")
    water: Any = pint.Context("water")
    density = registry.Quantity(1000.0, "kg/m**3")
    for per in ("", "/[time]"):
        mass, depth = f"[mass]/[length]**2{per}", f"[length]{per}"
        water.add_transformation(mass, depth, lambda _, value: value / density)
        water.add_transformation(depth, mass, lambda _, value: value * density)
    registry.add_context(water)
    return registry


def _parse(units: str) -> Any:
    try:
        return _registry().parse_units("" if units.strip() == "1" else units)
    except Exception as error:  # pint's tokenizer raises whatever it meets
        raise ValueError(
            f"unknown units {units!r}; write them as in CF, such as 'mm h-1'"
        ) from error
