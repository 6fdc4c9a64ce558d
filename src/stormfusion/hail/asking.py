"""What may be asked of a model of hail: sizes, windows, variables, fields."""

import datetime as dt
import math
import re
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from stormfusion import units
from stormfusion.data import Catalog
from stormfusion.data.cutting import span_of
from stormfusion.data.reports import LARGEST
from stormfusion.data.task import lacks
from stormfusion.errors import CatalogError
from stormfusion.hail.neighborhood import VARIABLES

_LENGTH = re.compile(
    r"(?P<number>[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?)\s*(?P<unit>.+)"
)

LONGEST = 255
"""Frames of a window, at the most."""


@dataclass(frozen=True)
class Wanted:
    """What hail counts: its least size [mm], how far away [m] and how long before."""

    size: float
    distance: float
    window: dt.timedelta


def checked(size: Any, distance: Any, window: Any) -> Wanted:
    """
    What hail counts, in mm and m, or a sentence.

    Examples
    --------
    >>> wanted = checked("1 inch", "10 km", "15 min")
    >>> wanted.size, wanted.distance, str(wanted.window)
    (25.4, 10000.0, '0:15:00')
    """
    millimetres = length(size, "mm", name="size", example="1 inch")
    if millimetres > LARGEST:
        raise ValueError(
            f"size is {size!r}, {millimetres:g} mm, wanted a diameter of hail up to "
            f"{LARGEST:g} mm; name its units, such as '1 inch'"
        )
    metres = length(distance, "m", name="distance", example="10 km")
    try:
        span = span_of(window, name="window")
    except CatalogError as error:
        raise ValueError(str(error)) from error
    return Wanted(millimetres, metres, span.to_pytimedelta())


def check_whole(value: Any, *, name: str, least: int) -> None:
    """Refuse what is no whole number from `least` on."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < least:
        raise ValueError(f"{name} is {value!r}, wanted a whole number, {least} or more")


def length(value: Any, unit: str, *, name: str, example: str) -> float:
    """
    A length above zero: a number in `unit`, or a text with units of its own.

    Examples
    --------
    >>> length("0.75 inch", "mm", name="size", example="1 inch")
    19.05
    """
    wanted = f"{name} is {value!r}, wanted a length such as {example!r}, or in {unit}"
    number = value
    match = _LENGTH.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is not None:
        try:
            scale, _ = units.conversion(match["unit"], unit)
        except ValueError as error:
            raise ValueError(f"{wanted} ({error})") from error
        number = float(f"{float(match['number']) * scale:.12g}")
    plain = isinstance(number, int | float | np.number) and not isinstance(number, bool)
    if not plain or not 0 < float(number) < math.inf:
        raise ValueError(wanted)
    return float(number)


def variable_of(catalog: Catalog, variable: str | None) -> str:
    """
    The variable to learn from: the one named, or the first there is.

    Examples
    --------
    >>> variable_of(Catalog.synthetic(events=1, size=64), None)
    'vil'
    """
    held = catalog.variables
    if variable is None:
        variable = next((v for v in VARIABLES if v in held), None)
    if variable == "mesh" or (variable is None and "mesh" in held):
        raise ValueError(
            "'mesh' is a size of hail itself, wanted radar that hail is learned from; "
            "take a plain exceedance, such as the hazard 'mesh >= 1 inch'"
        )
    if variable is not None and variable not in VARIABLES:
        raise ValueError(
            f"variable is {variable!r}, wanted one of {', '.join(VARIABLES)}, which "
            "are larger where hail is likelier"
        )
    if variable is None or variable not in held:
        raise CatalogError(lacks("the catalog", held, variable or "vil"))
    return variable


def frames_of(window: dt.timedelta, interval: float) -> int:
    """
    Frames of a window at an interval [s], or a sentence.

    Examples
    --------
    >>> frames_of(dt.timedelta(minutes=15), 300)
    3
    """
    seconds = window.total_seconds()
    frames = round(seconds / interval)
    if frames < 1 or abs(frames * interval - seconds) > 1e-3 * seconds:
        raise ValueError(
            f"a window of {seconds:g} s does not hold a whole number of frames "
            f"{interval:g} s apart; give window='{max(frames, 1) * interval:g} s', or "
            "select frames at another interval"
        )
    if frames > LONGEST:
        raise ValueError(
            f"a window of {seconds:g} s holds {frames} frames, wanted {LONGEST} at "
            "most; give a shorter one"
        )
    return frames


def check_distance(distance: float, spacing: tuple[float, float]) -> None:
    """Refuse a distance that holds one pixel only."""
    if distance < max(spacing):
        raise ValueError(
            f"distance is {distance:g} m, wanted that between pixels or more, "
            f"{max(spacing):.6g} m; give a larger one"
        )


def large_enough(reports: pd.DataFrame, size: float) -> pd.DataFrame:
    """
    The reports of hail that counts.

    Raises
    ------
    CatalogError
        If there is none.
    """
    found = reports[reports["size"] >= size - 1e-6]
    if found.empty:
        largest = (
            f", the largest of {reports['size'].max():g} mm" if len(reports) else ""
        )
        raise CatalogError(
            f"got {len(reports)} reports{largest}, wanted some of hail of {size:g} mm "
            "or more; give others, or a smaller size"
        )
    return found.reset_index(drop=True)


def check_values(values: Any, variable: str) -> str:
    """The dimension along which the frames of a field lie, or a sentence."""
    if not isinstance(values, xr.DataArray):
        raise TypeError(
            f"got {type(values).__name__}, wanted a DataArray of {variable!r}; pass "
            f"one variable, such as dataset[{variable!r}]"
        )
    if values.name != variable:
        raise ValueError(
            f"got {values.name!r}, this model of hail was learned from {variable!r}; "
            f"pass that, or name the array with .rename({variable!r})"
        )
    return frames_along(values)


def frames_along(values: xr.DataArray) -> str:
    """
    The dimension of the frames, `lead` or `time`, beside `y` and `x`.

    Examples
    --------
    >>> frames_along(xr.DataArray(np.zeros((2, 3, 4)), dims=("lead", "y", "x")))
    'lead'
    """
    steps = [dim for dim in ("lead", "time") if dim in values.dims]
    if len(steps) != 1 or not {"y", "x"} <= set(values.dims):
        raise ValueError(
            f"got the dimensions {tuple(map(str, values.dims))}, wanted 'lead' or "
            "'time', 'y' and 'x' among them"
        )
    return steps[0]


def interval_of(steps: xr.DataArray, interval: float) -> float:
    """
    Seconds between frames along `lead` or `time`; those of one frame are the model's.

    Examples
    --------
    >>> lead = np.array([5, 10], "timedelta64[m]").astype("timedelta64[ns]")
    >>> interval_of(xr.DataArray(lead, dims="lead"), 300)
    300.0
    """
    if steps.dtype.kind not in "mM":
        raise ValueError(
            f"{str(steps.name)!r} holds no times, wanted them along the frames; add "
            "them with .assign_coords"
        )
    apart = np.diff(steps.to_numpy()) / np.timedelta64(1, "s")
    if not apart.size:
        return interval
    if apart.min() <= 0 or apart.max() - apart.min() > 0.2 * abs(apart.min()):
        raise ValueError(
            f"frames are {apart.min():g} to {apart.max():g} s apart, wanted one step "
            "forward in time; select an unbroken run of them"
        )
    return float(np.median(apart))


def check_interval(got: float, interval: float) -> None:
    """Refuse frames at another interval than the model's."""
    if not abs(float(got) - interval) <= 0.1 * interval:
        raise ValueError(
            f"frames are {got:g} s apart, this model of hail was learned from frames "
            f"{interval:g} s apart, of which its window holds a whole number; select "
            "frames at that interval, or fit a model on data like it"
        )


def warn_of_nothing(reliability: xr.Dataset) -> None:
    """Warn where probabilities were no better than the base rate."""
    skill = float(reliability["brier_skill"])
    if not skill > 0:
        warnings.warn(
            "nothing was learned of hail: on days left out the probabilities were no "
            f"better than the base rate (Brier skill {skill:.3f}); give more events "
            "and reports, or another size, and do not use this model",
            UserWarning,
            stacklevel=3,
        )
