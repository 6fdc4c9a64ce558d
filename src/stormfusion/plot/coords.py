"""Checks of labelled frames, their places on the ground and their moments."""

import datetime as dt
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import xarray as xr

from stormfusion.plot.canvas import wanted
from stormfusion.plot.colors import Paint
from stormfusion.plot.units import powers

_MINUTES = {"s": 1 / 60, "seconds": 1 / 60, "min": 1.0, "minutes": 1.0}
_HOURS = {"h": 60.0, "hours": 60.0}

SLIMMEST = 0.15
"""Shorter over longer side of a map as it is drawn, at the least."""

Lead: TypeAlias = str | dt.timedelta | np.timedelta64


@dataclass(frozen=True)
class Axis:
    """One horizontal coordinate: pixel centres, upward, and their name and unit."""

    values: np.ndarray[Any, np.dtype[np.float64]]
    step: float
    label: str
    kind: str

    @property
    def edges(self) -> tuple[float, float]:
        """Outer edges of the first and the last pixel."""
        return (
            float(self.values[0] - self.step / 2),
            float(self.values[-1] + self.step / 2),
        )

    @property
    def regular(self) -> bool:
        """True if the pixels are of one size."""
        steps = np.diff(self.values)
        return bool(np.allclose(steps, self.step, rtol=0.0, atol=0.02 * self.step))


def frame(given: Any, *, role: str = "array") -> xr.DataArray:
    """Give a map as floats on (y, x), both upward, or say why it cannot be drawn."""
    array = labelled(given, role=role)
    spare = [dim for dim in array.dims if dim not in ("y", "x")]
    array = array.squeeze([dim for dim in spare if array.sizes[dim] == 1])
    if set(array.dims) != {"y", "x"}:
        shown = ", ".join(map(str, array.dims))
        spare = [str(dim) for dim in spare if dim in array.dims]
        hint = (
            f"choose one with .isel({spare[0]}=-1)"
            if spare
            else "rename its dimensions"
        )
        raise ValueError(f"{role} has dims ({shown}), but a map has (y, x); {hint}")
    if 0 in array.shape:
        raise ValueError(f"{role} has no pixels: its shape is {array.shape}")
    array = array.transpose("y", "x")
    for dim in ("y", "x"):
        if dim in array.coords:
            steps = np.diff(np.asarray(array[dim].values, dtype=float))
            if steps.size and not (np.all(steps > 0) or np.all(steps < 0)):
                raise ValueError(
                    f"the {dim} coordinate of {role} goes back and forth; sort it with "
                    f".sortby({dim!r})"
                )
            if steps.size and steps[0] < 0:
                array = array.isel({dim: slice(None, None, -1)})
    return array.astype(np.result_type(array.dtype, np.float32), copy=False)


def labelled(array: Any, *, role: str) -> xr.DataArray:
    """Refuse what is not a DataArray of numbers."""
    hint = (
        "an xarray.DataArray; pick a variable of a Dataset, or name the dimensions of "
        "bare numbers"
    )
    found: xr.DataArray = wanted(array, xr.DataArray, role=role, hint=hint)
    if found.dtype.kind not in "biuf":
        raise TypeError(
            f"{role} holds {found.dtype}, wanted numbers; convert with .astype(float)"
        )
    return found


def axis(array: xr.DataArray, dim: str) -> Axis:
    """Read a horizontal coordinate of a frame."""
    size = array.sizes[dim]
    if dim not in array.coords:
        return Axis(np.arange(size, dtype=float), 1.0, f"{dim} [pixel]", "pixel")
    coordinate = array[dim]
    values = np.asarray(coordinate.values, dtype=float)
    step = _step(array, dim)
    units = str(coordinate.attrs.get("units", ""))
    if units.lower() in ("m", "metre", "meter", "metres", "meters"):
        return Axis(values, step, f"{dim} [km]", "metre")
    if units.lower().startswith("degree"):
        name = {"y": "latitude", "x": "longitude"}[dim]
        return Axis(values, step, f"{name} [degrees]", "degree")
    return Axis(values, step, f"{dim} [{units}]" if units else dim, "other")


def aspect(array: xr.DataArray) -> float:
    """
    Height of a unit of y over width of a unit of x: 1, except in degrees.

    Maps of few rows or columns are stretched, for else they would be but a line.
    """
    true = _aspect(array)
    found = true * _extent(array)
    return float(true * np.clip(found, SLIMMEST, 1 / SLIMMEST) / found)


def ratio(array: xr.DataArray) -> float:
    """Height of the drawn map over its width."""
    return float(np.clip(aspect(array) * _extent(array), 0.3, 3.0))


def _step(array: xr.DataArray, dim: str) -> float:
    """From pixel to pixel; a lone one is as wide as those of the other axis."""
    for name in (dim, {"y": "x", "x": "y"}.get(dim, dim)):
        if array.sizes[name] > 1 and name in array.coords:
            steps = np.diff(np.asarray(array[name].values, dtype=float))
            return float(np.median(steps))
    return 1.0


def _aspect(array: xr.DataArray) -> float:
    y = axis(array, "y")
    if y.kind != "degree":
        return 1.0
    middle = min(abs(sum(y.edges) / 2), 80.0)
    return float(1.0 / np.cos(np.deg2rad(middle)))


def _extent(array: xr.DataArray) -> float:
    """Height of a map over its width, in its own coordinates."""
    (bottom, top), (left, right) = axis(array, "y").edges, axis(array, "x").edges
    return (top - bottom) / (right - left)


def quantity(array: xr.DataArray) -> str:
    """What an array holds: `long_name [units]`."""
    name = array.attrs.get("long_name", array.name)
    words = "value" if name is None else str(name).replace("_", " ")
    units = array.attrs.get("units")
    return words if units is None else f"{words} [{powers(str(units))}]"


def minutes(lead: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Lead times in minutes."""
    values = np.asarray(lead.values)
    if values.dtype.kind == "m":
        return np.asarray(values / np.timedelta64(1, "m"), dtype=float)
    units = str(lead.attrs.get("units", ""))
    factor = (_MINUTES | _HOURS).get(units)
    if factor is None or values.dtype.kind not in "iuf":
        raise ValueError(
            f"lead is {values.dtype} in {units!r}; give it as timedelta64, or as "
            "numbers with units 'minutes'"
        )
    return np.asarray(values * factor, dtype=float)


def moment(array: xr.DataArray) -> str:
    """When a frame is valid, in words, from its scalar coordinates."""
    parts = []
    if "lead" in array.coords and array["lead"].ndim == 0:
        parts.append(f"+{float(minutes(array['lead'])):g} min")
    if "time" in array.coords and array["time"].ndim == 0:
        parts.append(clock(array["time"].values))
    if "member" in array.coords and array["member"].ndim == 0:
        parts.append(f"member {array['member'].item()}")
    return ", ".join(part for part in parts if part)


def clock(time: Any) -> str:
    """Spell a time, without seconds where there are none."""
    values = np.asarray(time)
    if values.dtype.kind != "M":
        return str(values)
    if np.isnat(values):
        return ""
    return pd.Timestamp(str(values)).strftime("%Y-%m-%d %H:%M UTC")


def at_lead(array: xr.DataArray, lead: Any, *, role: str) -> xr.DataArray:
    """Pick one lead time; the last if none is named."""
    if "lead" not in array.dims:
        return array
    if lead is None:
        return array.isel(lead=-1)
    timed = isinstance(lead, np.timedelta64)  # which is a number to numpy
    if isinstance(lead, int | float | np.number) and not timed:
        raise TypeError(f"lead {lead!r} has no unit; write '{lead} min' or a timedelta")
    try:
        asked = pd.Timedelta(lead) / pd.Timedelta(minutes=1)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"lead is {lead!r}, wanted a time with its unit, such as '30 min'"
        ) from error
    known = minutes(array["lead"])
    found = np.flatnonzero(np.isclose(known, asked))
    if not found.size:
        shown = ", ".join(f"{value:g}" for value in known)
        raise ValueError(
            f"{role} has no lead time of {asked:g} min; choose one of {shown} min"
        )
    return array.isel(lead=int(found[0]))


def at_valid_time(array: xr.DataArray, forecast: xr.DataArray) -> xr.DataArray:
    """Pick the frame observed when a forecast frame is valid; NaN where none was."""
    if "time" not in array.dims:
        return array
    if "time" not in forecast.coords or "time" not in array.coords:
        raise ValueError(
            "observed has frames in time, but the valid time of the forecast is not "
            "known; give observed on lead, or the forecast a time coordinate on lead"
        )
    return array.reindex(time=[forecast["time"].values]).isel(time=0)


def remark(array: xr.DataArray, paint: Paint) -> str:
    """Say why a map is bare, if it is."""
    values = array.values
    if np.isnan(values).all():
        return "no data"
    if paint.floor is not None and np.nanmax(values) < paint.floor * (1 - 1e-6):
        if paint.percent:
            return f"nothing from {paint.floor:.0%} up"
        units = powers(str(array.attrs.get("units", "")))
        return f"nothing from {paint.floor:.2g} {units} up".replace("  ", " ")
    return ""
