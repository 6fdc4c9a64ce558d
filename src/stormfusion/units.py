"""Physical quantities: their units, VIL bytes, reflectivity and rain, and events."""

import re
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import xarray as xr

Bare: TypeAlias = npt.NDArray[Any]
Array = TypeVar("Array", xr.DataArray, Bare)
"""A labelled or a bare array: what comes in is what goes out."""


class Variable(NamedTuple):
    """What a variable of the house is measured in, and what it is called."""

    units: str
    long_name: str
    standard_name: str | None = None


_BRIGHTNESS = "toa_brightness_temperature"
VARIABLES: dict[str, Variable] = {
    "vil": Variable("kg m-2", "vertically integrated liquid"),
    "reflectivity": Variable(
        "dBZ", "radar reflectivity", "equivalent_reflectivity_factor"
    ),
    "rain_rate": Variable("mm h-1", "rain rate", "rainfall_rate"),
    "rain": Variable("mm", "rain accumulation", "thickness_of_rainfall_amount"),
    "mesh": Variable("mm", "maximum expected size of hail"),
    "ir069": Variable("degC", "brightness temperature at 6.9 um", _BRIGHTNESS),
    "ir107": Variable("degC", "brightness temperature at 10.7 um", _BRIGHTNESS),
    "vis": Variable("1", "reflectance at 0.64 um", "toa_bidirectional_reflectance"),
    "lightning": Variable("count", "lightning flashes per pixel and interval"),
}
"""Every variable of the house with its units, long name and CF standard name."""


def exceeds(values: Array, threshold: float | Array) -> Array:
    """
    Whether each value is an event, `value >= threshold`.

    The threshold is first rounded to the floating-point type of the values, so that
    a float32 field reaches a threshold given in full precision.

    Parameters
    ----------
    values
        Any quantity. A missing value is no event: mask it where that matters.
    threshold
        The least value of an event, in the units of `values`.

    Returns
    -------
    DataArray or ndarray
        True where the event occurs, broadcast over `values` and `threshold`.

    Examples
    --------
    >>> vil = xr.DataArray([0.0, 3.53, np.nan, 12.0], dims="x")
    >>> exceeds(vil, 3.53).values
    array([False,  True, False,  True])
    """
    limit = threshold if isinstance(threshold, xr.DataArray) else np.asarray(threshold)
    if np.issubdtype(values.dtype, np.floating):
        limit = limit.astype(values.dtype)
    event: Array = values >= limit
    return event


# SEVIR's code below 19, where it is not yet exponential: straight between these.
_CODES = np.array([0.0, 5.0, 6.0, 18.0, 19.0])
_VILS = np.array([0.0, 0.0, 4 / 90.66, 16 / 90.66, np.exp((19 - 83.9) / 38.9)])


def vil_from_code(code: Array) -> Array:
    r"""
    Decode SEVIR's number for vertically integrated liquid, between bytes too.

    $$V = \begin{cases} 0 & c \le 5 \\ (c - 2) / 90.66 & 6 \le c \le 18 \\
    \exp((c - 83.9) / 38.9) & 19 \le c \le 254 \end{cases}$$

    with straight lines from 5 to 6 and from 18 to 19, where the bytes have steps: it
    is continuous, never falls, and equals `vil_from_bytes` on whole numbers.

    Parameters
    ----------
    code
        SEVIR's code, 0 to 254; numbers beyond are clipped. Missing stays missing.

    Returns
    -------
    DataArray or ndarray
        VIL [kg m-2], in the floating-point type of `code`.

    Examples
    --------
    >>> vil_from_code(np.array([0.0, 18.0, 133.0, 254.0])).round(2)
    array([ 0.  ,  0.18,  3.53, 79.26])
    """

    def decode(c: Bare) -> Bare:
        c = np.minimum(c.astype(np.float64), 254.0)
        low = np.interp(c, _CODES, _VILS)
        return np.where(c < 19, low, np.exp((c - 83.9) / 38.9))

    return _apply(decode, code, "vil")


def vil_to_code(vil: Array) -> Array:
    """
    Encode VIL as SEVIR's number before rounding, so that `vil_from_code` inverts it.

    Parameters
    ----------
    vil
        VIL [kg m-2], clipped to the code. Missing stays missing.

    Returns
    -------
    DataArray or ndarray
        SEVIR's code, 0 where dry and 5 to 254 elsewhere, in the type of `vil`.

    Examples
    --------
    >>> vil_to_code(np.array([0.0, 0.1765, 3.5332, 100.0])).round(1)
    array([  0.,  18., 133., 254.])
    """

    def encode(v: Bare) -> Bare:
        v = v.astype(np.float64)
        low = np.where(v <= 0, 0.0, np.interp(v, _VILS[1:], _CODES[1:]))
        high = 83.9 + 38.9 * np.log(np.maximum(v, _VILS[-1]))
        return np.where(v < _VILS[-1], low, np.minimum(high, 254.0))

    return _apply(encode, vil)


def vil_from_bytes(bytes: Array) -> Array:
    """
    Decode the bytes in which SEVIR stores vertically integrated liquid.

    Parameters
    ----------
    bytes
        Whole numbers, 0 to 255, of any integer type; 255 is SEVIR's missing.

    Returns
    -------
    DataArray or ndarray
        VIL [kg m-2] as float32, NaN where missing.

    Examples
    --------
    >>> vil_from_bytes(np.array([0, 5, 16, 133, 255], dtype=np.uint8)).round(4)
    array([0.    , 0.    , 0.1544, 3.5332,    nan], dtype=float32)
    """
    if not np.issubdtype(bytes.dtype, np.integer):
        raise TypeError(
            f"got bytes of type {bytes.dtype}, not whole numbers; use vil_from_code"
        )
    table = vil_from_code(np.append(np.arange(255.0), np.nan)).astype(np.float32)

    def decode(b: Bare) -> Bare:
        if b.size and (b.min() < 0 or b.max() > 255):
            found = f"{b.min()} to {b.max()}"
            raise ValueError(f"got bytes {found}; SEVIR's own lie in 0 to 255")
        return np.take(table, b)

    return _apply(decode, bytes, "vil", np.float32)


def vil_to_bytes(vil: Array) -> Array:
    """
    Encode vertically integrated liquid as SEVIR stores it.

    The inverse of `vil_from_bytes`, but for bytes 1 to 5, which mean 0 and become 0.

    Parameters
    ----------
    vil
        VIL [kg m-2]. More than 79.26 becomes 254, missing becomes 255.

    Returns
    -------
    DataArray or ndarray
        The nearest code as uint8.

    Examples
    --------
    >>> vil_to_bytes(np.array([0.0, 3.5, 500.0, np.nan]))
    array([  0, 133, 254, 255], dtype=uint8)
    """

    def encode(v: Bare) -> Bare:
        code = np.rint(vil_to_code(v))
        return np.where(np.isnan(code), 255.0, np.where(code < 6, 0.0, code))

    return _apply(encode, vil, dtype=np.uint8)


def reflectivity_to_rain_rate(
    reflectivity: Array, *, a: float = 200.0, b: float = 1.6, dry: float = -32.0
) -> Array:
    """
    Convert radar reflectivity to rain rate.

    Inverts the power law $Z = a R^b$ between linear reflectivity $Z$ [mm6 m-3] and
    rain rate $R$ [mm h-1]. Hail is not capped.

    Parameters
    ----------
    reflectivity
        Radar reflectivity [dBZ]. Missing values stay missing.
    a, b
        Coefficients of the power law, both positive; Marshall and Palmer's.
    dry
        This reflectivity [dBZ] or less is no rain at all; composites differ.

    Returns
    -------
    DataArray or ndarray
        Rain rate [mm h-1] on the coordinates of `reflectivity`.

    References
    ----------
    Marshall, J. S., and W. McK. Palmer, 1948: The distribution of raindrops with
    size. *J. Meteor.*, **5**, 165-166.

    Examples
    --------
    >>> reflectivity = xr.DataArray([-32.0, 23.0, 39.0], dims="x")
    >>> reflectivity_to_rain_rate(reflectivity).round(1).values
    array([ 0.,  1., 10.])
    """
    _check_power_law(a, b)

    def invert(z: Bare) -> Bare:
        return np.where(z <= dry, 0.0, (10.0 ** (z / 10.0) / a) ** (1.0 / b))

    return _apply(invert, reflectivity, "rain_rate")


def rain_rate_to_reflectivity(
    rain_rate: Array, *, a: float = 200.0, b: float = 1.6, dry: float = -32.0
) -> Array:
    """
    Convert rain rate to radar reflectivity by the power law $Z = a R^b$.

    Parameters
    ----------
    rain_rate
        Rain rate [mm h-1]. Missing values stay missing.
    a, b, dry
        As in `reflectivity_to_rain_rate`; `dry` [dBZ] is the least that is returned.

    Returns
    -------
    DataArray or ndarray
        Radar reflectivity [dBZ] on the coordinates of `rain_rate`.

    Examples
    --------
    >>> rain_rate = xr.DataArray([0.0, 1.0, 10.0], dims="x")
    >>> rain_rate_to_reflectivity(rain_rate).round(1).values
    array([-32.,  23.,  39.])
    """
    _check_power_law(a, b)

    def law(r: Bare) -> Bare:
        floor = (10.0 ** (dry / 10.0) / a) ** (1.0 / b)
        z = 10.0 * np.log10(a) + 10.0 * b * np.log10(np.maximum(r, floor))
        return np.asarray(np.where(r <= floor, dry, z))

    return _apply(law, rain_rate, "reflectivity")


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
    >>> convert(np.array([1.0, 2.0]), "inch", "mm")
    array([25.4, 50.8])
    """
    scale, offset = conversion(units, to)
    converted = values if (scale, offset) == (1.0, 0.0) else values * scale + offset
    if isinstance(values, xr.DataArray):
        return converted.assign_attrs(values.attrs | {"units": to})
    return converted


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


def _check_power_law(a: float, b: float) -> None:
    if a <= 0 or b <= 0:
        raise ValueError(f"Z = a R^b needs a > 0 and b > 0, but got a={a} and b={b}")


def _apply(
    function: Callable[[Bare], Bare], values: Array, name: str = "", dtype: Any = None
) -> Array:
    """Apply a function of bare arrays; floating-point values keep their type."""
    is_floating = np.issubdtype(values.dtype, np.floating)
    dtype = dtype or (values.dtype if is_floating else np.float64)

    def typed(bare: Bare) -> Bare:
        return np.asarray(function(bare)).astype(dtype, copy=False)

    if not isinstance(values, xr.DataArray):
        return typed(values)
    options: Any = {"dask": "parallelized", "output_dtypes": [dtype]}
    result: xr.DataArray = xr.apply_ufunc(typed, values, keep_attrs=False, **options)
    if name:
        units, long_name, _ = VARIABLES[name]
        result = result.assign_attrs(units=units, long_name=long_name)
    return result.rename(name or None)
