"""Radar reflectivity and rain rate."""

import numpy as np

from stormfusion.units.arrays import Array, Bare, apply


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
    >>> import xarray as xr
    >>> reflectivity = xr.DataArray([-32.0, 23.0, 39.0], dims="x")
    >>> reflectivity_to_rain_rate(reflectivity).round(1).values
    array([ 0.,  1., 10.])
    """
    _check_power_law(a, b)

    def invert(z: Bare) -> Bare:
        return np.where(z <= dry, 0.0, (10.0 ** (z / 10.0) / a) ** (1.0 / b))

    return apply(invert, reflectivity, "rain_rate")


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
    >>> import xarray as xr
    >>> rain_rate = xr.DataArray([0.0, 1.0, 10.0], dims="x")
    >>> rain_rate_to_reflectivity(rain_rate).round(1).values
    array([-32.,  23.,  39.])
    """
    _check_power_law(a, b)

    def law(r: Bare) -> Bare:
        floor = (10.0 ** (dry / 10.0) / a) ** (1.0 / b)
        z = 10.0 * np.log10(a) + 10.0 * b * np.log10(np.maximum(r, floor))
        return np.asarray(np.where(r <= floor, dry, z))

    return apply(law, rain_rate, "reflectivity")


def _check_power_law(a: float, b: float) -> None:
    if not all(isinstance(n, int | float | np.number) and n > 0 for n in (a, b)):
        raise ValueError(
            f"Z = a R^b needs a > 0 and b > 0, but got a={a!r} and b={b!r}"
        )
