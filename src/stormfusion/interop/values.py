"""What the numbers of pysteps mean: their unit, and the transform they went through."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from stormfusion.units import VARIABLES, exceeds, rain_rate_to_reflectivity

Values = NDArray[np.floating[Any]]

UNITS = {"mm/h": "rain_rate", "mm": "rain", "dBZ": "reflectivity"}
TRANSFORMS = (None, "dB", "sqrt", "BoxCox", "log")

DRIZZLE = 0.1
"""Rain of less counts as none [mm h-1]; the default of pysteps."""

DECIBELS = -100.0
"""No rain in decibels is about -15, and fill values are far below this."""


def bare(array: Any) -> Values:
    """
    A copy of an array as floating-point numbers; masked ones are missing.

    Examples
    --------
    >>> bare(np.ma.masked_equal([1, -9], -9))
    array([ 1., nan])
    """
    masked = isinstance(array, np.ma.MaskedArray)
    try:
        found = np.asarray(array)
    except ValueError:  # rows of different lengths
        found = np.empty(0, dtype=object)
    if found.dtype.kind not in "iuf":
        raise TypeError(
            f"array is a {type(array).__name__} of {found.dtype}, wanted real numbers; "
            "pass what the nowcast of pysteps returned"
        )
    is_floating = found.dtype.kind == "f"
    dtype = found.dtype.newbyteorder("=") if is_floating else np.dtype(np.float64)
    copied = np.array(found, dtype=dtype)
    if masked:
        copied[np.ma.getmaskarray(array)] = np.nan
    return copied


def physical(values: Values, metadata: Mapping[str, Any]) -> tuple[Values, str]:
    """
    Values with their transform undone, and which of our variables they are.

    Examples
    --------
    >>> metadata = {"unit": "mm/h", "transform": "dB", "threshold": -10.0}
    >>> physical(np.array([-15.0, -10.0, 10.0, np.nan]), metadata)
    (array([ 0. ,  0.1, 10. ,  nan]), 'rain_rate')
    """
    unit, transform = metadata["unit"], metadata["transform"]
    if not isinstance(unit, str) or unit not in UNITS:
        raise ValueError(
            f"metadata has the unit {unit!r}, wanted {', '.join(map(repr, UNITS))}; "
            "convert with pysteps.utils.to_rainrate, or label the array yourself"
        )
    known = transform is None or isinstance(transform, str)
    if not known or transform not in TRANSFORMS:
        raise ValueError(
            f"metadata has the transform {transform!r}, wanted "
            f"{', '.join(map(repr, TRANSFORMS))}; undo it in pysteps first"
        )
    variable = UNITS[unit]
    if variable == "reflectivity":
        if transform != "dB":
            raise ValueError(
                f"metadata has the unit 'dBZ' and the transform {transform!r}, which "
                "to pysteps is Z [mm6 m-3]; set the transform to 'dB' if the values "
                "are dBZ, else call pysteps.utils.to_reflectivity"
            )
        return values, variable
    finite = np.isfinite(values)
    least = float(values.min(where=finite, initial=np.inf))
    if transform is None:
        if DECIBELS <= least < VARIABLES[variable].lowest:
            raise ValueError(
                f"array has values down to {least:g} {unit} and the transform None, "
                "wanted 0 or more; set metadata['transform'] to 'dB' if they are "
                "decibels, or make them NaN if they are missing"
            )
        return values, variable
    if transform == "sqrt":
        return np.square(np.maximum(values, 0)), variable
    threshold = _threshold(metadata, some=bool(finite.any()))
    if transform == "dB" and threshold < least == 0.0:
        raise ValueError(
            f"array has no value below 0 and the transform 'dB' with the threshold "
            f"{threshold:g}, wanted decibels; the transform seems undone, so set "
            "metadata['transform'] to None"
        )
    # what was too little to count before the transform is none after it
    dry = ~exceeds(values, threshold) & ~np.isnan(values)
    with np.errstate(over="ignore", invalid="ignore"):
        undone = _undone(values, transform, metadata)
    undone[dry] = 0.0
    return undone, variable


def number(metadata: Mapping[str, Any], key: str) -> float:
    """
    A finite number of the metadata, in whatever kind of array it comes.

    Examples
    --------
    >>> number({"x1": np.float32(0.5)}, "x1")
    0.5
    """
    found = np.asarray(metadata[key])
    if found.dtype.kind in "iuf" and found.size == 1 and np.isfinite(found).all():
        return float(found.item())
    raise ValueError(
        f"metadata has {key}={metadata[key]!r}, wanted one finite number; correct it"
    )


def values_of(
    forecast: xr.DataArray, accutime: float | None
) -> tuple[Values, dict[str, Any]]:
    """
    A forecast's values as a copy, and what pysteps says of them.

    Examples
    --------
    >>> rain = xr.DataArray([0.0, 2.0], dims="x", name="rain_rate")
    >>> values_of(rain, 5.0)[1]
    {'unit': 'mm/h', 'transform': None, 'zerovalue': 0.0, 'threshold': 0.1}
    """
    variable = str(forecast.name)
    units = {ours: unit for unit, ours in UNITS.items()}
    if variable not in units:
        raise ValueError(
            f"pysteps has no unit for {variable}, wanted {', '.join(units)}; convert "
            "the members to one of them"
        )
    values = bare(forecast.to_numpy())
    told: dict[str, Any] = {"unit": units[variable], "transform": None}
    if variable == "reflectivity":
        attrs = forecast.attrs
        law = {k: attrs[f"zr_{k}"] for k in "ab" if f"zr_{k}" in attrs}
        threshold = float(rain_rate_to_reflectivity(np.array(DRIZZLE), **law))
        least = float(np.fmin.reduce(values, axis=None))
        zero = least if least < threshold else threshold - 5.0
        return values, {
            **told, "transform": "dB", "zerovalue": zero, "threshold": threshold
        }  # fmt: skip
    threshold = DRIZZLE
    if variable == "rain":
        accutime = forecast.attrs.get("accutime", accutime)
        told["accutime"] = accutime
        threshold = DRIZZLE if accutime is None else DRIZZLE * accutime / 60.0
    return values, {**told, "zerovalue": 0.0, "threshold": threshold}


def _threshold(metadata: Mapping[str, Any], *, some: bool) -> float:
    """The least transformed value that is rain; any will do where there is no value."""
    found = np.asarray(metadata.get("threshold"))
    if found.dtype.kind in "iuf" and found.size == 1:
        threshold = float(found.item())
        if np.isfinite(threshold) or not some:
            return threshold
    raise ValueError(
        f"metadata has the threshold {metadata.get('threshold')!r} and the transform "
        f"{metadata['transform']!r}, wanted the least transformed value that is rain; "
        "write metadata['threshold'] = -10.0 for 0.1 mm/h in decibels"
    )


def _undone(values: Values, transform: str, metadata: Mapping[str, Any]) -> Values:
    if transform == "dB":
        return np.asarray(10.0 ** (values / 10.0))
    power = number(metadata, "BoxCox_lambda") if "BoxCox_lambda" in metadata else 0.0
    if power == 0.0:
        return np.asarray(np.exp(values))
    return np.asarray((power * values + 1.0) ** (1.0 / power))
