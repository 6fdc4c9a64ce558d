"""Radar reflectivity and rain rate."""

import difflib
from dataclasses import dataclass

import numpy as np

from stormfusion.units.arrays import Array, Bare, apply
from stormfusion.units.converting import in_units

DRY = -32.0
"""Reflectivity [dBZ] that is no rain, where a law says nothing else."""


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float | np.number) and bool(np.isfinite(value))


@dataclass(frozen=True)
class ZRLaw:
    """
    A power law $Z = a R^b$ between reflectivity and rain rate.

    $Z$ is linear reflectivity [mm6 m-3] and $R$ rain rate [mm h-1].

    Parameters
    ----------
    a, b
        Its coefficients, both positive.
    cap
        Reflectivity [dBZ] above which more means hail, not more rain: it counts as the
        cap. None where the law has none.
    dry
        This reflectivity [dBZ] or less is no rain at all.
    source
        Who uses it, and where it is written down.

    Raises
    ------
    ValueError
        If a number is out of range.

    Examples
    --------
    >>> ZRLaw(300.0, 1.4, cap=53.0).cap
    53.0
    """

    a: float
    b: float
    cap: float | None = None
    dry: float = DRY
    source: str = ""

    def __post_init__(self) -> None:
        if not all(_is_finite(n) and n > 0 for n in (self.a, self.b)):
            raise ValueError(
                f"Z = a R^b needs a > 0 and b > 0, but got a={self.a!r} and "
                f"b={self.b!r}"
            )
        if not isinstance(self.dry, int | float | np.number) or np.isnan(self.dry):
            raise ValueError(f"dry is {self.dry!r}, wanted a reflectivity [dBZ]")
        if self.cap is None:
            return
        if not _is_finite(self.cap):
            raise ValueError(
                f"cap is {self.cap!r}, wanted a reflectivity [dBZ] such as 53.0; leave "
                "it out where there is none"
            )
        if self.cap <= self.dry:
            raise ValueError(
                f"cap is {self.cap!r} dBZ, wanted more than dry, which is {self.dry!r} "
                "dBZ; raise the one or lower the other"
            )


ZR_LAWS: dict[str, ZRLaw] = {
    "marshall-palmer": ZRLaw(
        200.0, 1.6, source="stratiform rain; Marshall and Palmer 1948, J. Meteor. 5"
    ),
    "hko": ZRLaw(
        58.53, 1.56, dry=-10.0, source="Hong Kong Observatory; code of HKO-7, NIPS 2017"
    ),
    "dwd": ZRLaw(256.0, 1.42, source="Deutscher Wetterdienst; RADOLAN"),
    "wsr-88d": ZRLaw(
        300.0, 1.4, cap=53.0, source="summer convection; US National Weather Service"
    ),
}
"""
The laws that have a name.

`"hko"` has $b = 1.56$: the 1.056 that Ma et al. (2022) print is a slip, and would make
10 000 mm h-1 of 60 dBZ. Its data end at -10 dBZ, so this is no rain. `"wsr-88d"` is
capped at 53 dBZ, 103.8 mm h-1.
"""


def reflectivity_to_rain_rate(
    reflectivity: Array,
    *,
    law: str | ZRLaw | None = None,
    a: float | None = None,
    b: float | None = None,
    cap: float | None = None,
    dry: float | None = None,
) -> Array:
    """
    Convert radar reflectivity to rain rate.

    Inverts the power law $Z = a R^b$ between linear reflectivity $Z$ [mm6 m-3] and
    rain rate $R$ [mm h-1]. Hail is capped only by a law that has a cap, or by `cap`.

    Parameters
    ----------
    reflectivity
        Radar reflectivity [dBZ]; a DataArray whose `units` are others is converted.
        Missing values stay missing.
    law
        One of `ZR_LAWS`, by its name (`"marshall-palmer"`, `"hko"`, `"dwd"`,
        `"wsr-88d"`), or a `ZRLaw`; by default Marshall and Palmer's.
    a, b
        Or the coefficients of the power law, both positive: 200 and 1.6 by default.
    cap
        More than this reflectivity [dBZ] counts as this; by default that of the law.
        To use a law without its cap, give its `a` and `b`.
    dry
        This reflectivity [dBZ] or less is no rain at all; composites differ. By default
        that of the law: -10 for `"hko"`, and -32 for the others.

    Returns
    -------
    DataArray or ndarray
        Rain rate [mm h-1] on the coordinates of `reflectivity`.

    Raises
    ------
    ValueError
        If a law is unknown, or given together with `a` or `b`; if a number is out of
        range; or if the `units` of a DataArray do not convert.

    References
    ----------
    Marshall, J. S., and W. McK. Palmer, 1948: The distribution of raindrops with
    size. *J. Meteor.*, **5**, 165-166.

    Shi, X., et al., 2017: Deep learning for precipitation nowcasting: a benchmark and a
    new model. *NIPS*, 5617-5627.

    Examples
    --------
    >>> import xarray as xr
    >>> reflectivity = xr.DataArray([-32.0, 23.0, 39.0], dims="x")
    >>> reflectivity_to_rain_rate(reflectivity).round(1).values
    array([ 0.,  1., 10.])
    >>> reflectivity_to_rain_rate(np.array([53.0, 60.0]), law="wsr-88d").round(1)
    array([103.8, 103.8])
    """
    z_r = _law(law, a, b, cap, dry)

    def invert(z: Bare) -> Bare:
        capped = z if z_r.cap is None else np.minimum(z, z_r.cap)
        rate = (10.0 ** (capped / 10.0) / z_r.a) ** (1.0 / z_r.b)
        return np.where(z <= z_r.dry, 0.0, rate)

    return apply(invert, in_units(reflectivity, "dBZ"), "rain_rate")


def rain_rate_to_reflectivity(
    rain_rate: Array,
    *,
    law: str | ZRLaw | None = None,
    a: float | None = None,
    b: float | None = None,
    cap: float | None = None,
    dry: float | None = None,
) -> Array:
    """
    Convert rain rate to radar reflectivity by the power law $Z = a R^b$.

    Parameters
    ----------
    rain_rate
        Rain rate [mm h-1]; a DataArray whose `units` are others is converted. Missing
        values stay missing.
    law, a, b, cap, dry
        As in `reflectivity_to_rain_rate`. `dry` [dBZ] is the least that is returned,
        and `cap` [dBZ] the most: more rain than that of the cap gives the cap, since no
        reflectivity stands for it.

    Returns
    -------
    DataArray or ndarray
        Radar reflectivity [dBZ] on the coordinates of `rain_rate`.

    Raises
    ------
    ValueError
        As in `reflectivity_to_rain_rate`.

    Examples
    --------
    >>> import xarray as xr
    >>> rain_rate = xr.DataArray([0.0, 1.0, 10.0], dims="x")
    >>> rain_rate_to_reflectivity(rain_rate).round(1).values
    array([-32.,  23.,  39.])
    >>> rain_rate_to_reflectivity(np.array([0.0, 30.0, 200.0]), law="wsr-88d").round(1)
    array([-32. ,  45.5,  53. ])
    """
    z_r = _law(law, a, b, cap, dry)

    def power(r: Bare) -> Bare:
        floor = (10.0 ** (z_r.dry / 10.0) / z_r.a) ** (1.0 / z_r.b)
        z = 10.0 * np.log10(z_r.a) + 10.0 * z_r.b * np.log10(np.maximum(r, floor))
        if z_r.cap is not None:
            z = np.minimum(z, z_r.cap)
        return np.asarray(np.where(r <= floor, z_r.dry, z))

    return apply(power, in_units(rain_rate, "mm h-1"), "reflectivity")


def _law(
    law: str | ZRLaw | None,
    a: float | None,
    b: float | None,
    cap: float | None,
    dry: float | None,
) -> ZRLaw:
    """The law that is asked for, with the cap and the dry value that are."""
    if law is not None and not (a is None and b is None):
        raise ValueError(
            f"got law={law!r} and a={a!r}, b={b!r}, wanted a law or its coefficients; "
            "leave one of them out"
        )
    known = _named("marshall-palmer" if law is None else law)
    return ZRLaw(
        known.a if a is None else a,
        known.b if b is None else b,
        cap=known.cap if cap is None else cap,
        dry=known.dry if dry is None else dry,
        source=known.source,
    )


def _named(law: str | ZRLaw) -> ZRLaw:
    if isinstance(law, ZRLaw):
        return law
    if not isinstance(law, str):
        raise TypeError(
            f"law is {law!r}, wanted a name such as 'dwd' or a ZRLaw; give the "
            "coefficients as a= and b="
        )
    if law not in ZR_LAWS:
        near = difflib.get_close_matches(law.lower(), ZR_LAWS, n=1, cutoff=0.0)
        raise ValueError(
            f"unknown law {law!r}; did you mean {near[0]!r}? (known laws: "
            f"{', '.join(ZR_LAWS)})"
        )
    return ZR_LAWS[law]
