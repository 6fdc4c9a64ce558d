"""Hazards as texts: `"rain >= 10 mm in 30 min within 5 km"` in its parts."""

import difflib
import math
import re
from datetime import timedelta
from typing import Any, NamedTuple, NoReturn

import numpy as np
import pandas as pd

from stormfusion.units import VARIABLES, conversion

HAIL = "hail"
"""A hazard that no radar measures: the size of hail on the ground [mm]."""
UNITS: dict[str, str] = {
    **{name: known.units for name, known in VARIABLES.items()},
    HAIL: "mm",
}
"""The units in which the threshold of a hazard of each variable is held."""

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_HAZARD = re.compile(
    rf"(?P<variable>\w+)\s*(?P<operator>[<>=!≥≤]+)\s*(?P<threshold>{_NUMBER})"
    r"\s*(?P<rest>.*)"
)
_CLAUSE = re.compile(
    rf"(?:^|\s)(?P<word>in|within|over|during)\s+(?P<number>{_NUMBER})\s*"
    r"(?P<units>[A-Za-zµ]+)\s*$"
)
_LOOSE = re.compile(r"(?:^|\s)(?:in|within|over|during)\s+(?:a|an|the|next|last)\b.*$")


class Parts(NamedTuple):
    """What a text says of a hazard."""

    variable: str
    threshold: float
    units: str
    window: timedelta | None
    distance: float | None


def read(text: str) -> Parts:
    """
    The parts of a hazard's text.

    Raises
    ------
    ValueError
        If it cannot be read.

    Examples
    --------
    >>> read("rain >= 10 mm in 30 min")
    Parts(variable='rain', threshold=10.0, units='mm', window=..., distance=None)
    """
    match = _HAZARD.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        _refuse(text, "cannot be read", "write it like 'vil >= 12 kg m-2'")
    variable, operator, threshold, rest = match.groups()
    if operator not in (">=", "≥"):
        _refuse(
            text,
            f"compares with {operator!r}",
            "an event is 'value >= threshold', and nothing else is known",
        )
    window = distance = None
    units = rest.strip()
    while (clause := _CLAUSE.search(units)) is not None:
        words = clause["word"], float(clause["number"]), clause["units"]
        units = units[: clause.start()].strip()
        if _is_a(words[2], "s"):
            if window is not None:
                _refuse(text, "names two windows", "name one, such as 'in 30 min'")
            window = _window(text, *words)
        elif _is_a(words[2], "m"):
            if distance is not None:
                _refuse(text, "names two distances", "name one, such as 'within 5 km'")
            distance = _distance(text, *words)
        else:
            _refuse(
                text,
                f"says {clause.group().strip()!r}",
                "write a window as 'in 30 min' and a distance as 'within 5 km'",
            )
    if (loose := _LOOSE.search(units)) is not None:
        _refuse(
            text,
            f"says {loose.group().strip()!r}",
            "write a number and a unit, such as 'in 30 min' or 'within 5 km'",
        )
    if not units:
        unit = UNITS.get(variable, "mm")
        example = f"{variable} >= {threshold} {'inch' if unit == 'mm' else unit}"
        if window is None and unit != "mm":
            example = f"{variable} >= {threshold} {unit}"
        _refuse(text, "has no units", f"write '{example}{text_of(window, distance)}'")
    return Parts(variable, float(threshold), units, window, distance)


def text_of(window: timedelta | None, distance: float | None) -> str:
    """
    Window and distance as they stand in a text.

    Examples
    --------
    >>> text_of(timedelta(minutes=30), 5000.0)
    ' in 30 min within 5 km'
    """
    found = ""
    if window is not None:
        minutes, left = divmod(window, timedelta(minutes=1))
        seconds = repr(window.total_seconds()).removesuffix(".0")
        found += f" in {seconds} s" if left else f" in {minutes} min"
    if distance is not None:
        found += f" within {_plain(distance / 1000.0)} km"
    return found


def checked_variable(variable: Any) -> str:
    """The name of a variable, or a sentence that names the nearest."""
    name = str(variable)
    if name not in UNITS:
        close = difflib.get_close_matches(name.lower(), UNITS, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ValueError(
            f"unknown variable {variable!r} in a hazard{hint} "
            f"(known variables: {', '.join(UNITS)})"
        )
    return name


def checked_threshold(variable: str, threshold: Any, units: str) -> float:
    """The threshold in the units that hazards of the variable have."""
    number = isinstance(threshold, int | float | np.number)
    if not number or isinstance(threshold, bool) or not math.isfinite(threshold):
        raise ValueError(
            f"a hazard of {variable} has the threshold {threshold!r}; give a finite "
            "number"
        )
    value = float(threshold)
    try:
        scale, offset = conversion(units, UNITS[variable])
    except ValueError as error:
        raise ValueError(f"a hazard of {variable}: {error}") from error
    if (scale, offset) != (1.0, 0.0):
        value = float(f"{scale * value + offset:.12g}")
    if not math.isfinite(value):
        raise ValueError(
            f"a hazard of {variable} has the threshold {threshold!r} {units}; give a "
            "finite number"
        )
    known = VARIABLES[variable if variable in VARIABLES else "mesh"]
    if not known.lowest <= value <= known.highest:
        raise ValueError(
            f"a hazard of {variable} has the threshold {value:g} {UNITS[variable]}, "
            f"wanted {known.lowest:g} to {known.highest:g}, beyond which values count "
            "as missing; check its units"
        )
    return value + 0.0  # -0.0 becomes 0.0


def checked_window(window: Any) -> timedelta | None:
    """
    A window as a timedelta; a text has units.

    Examples
    --------
    >>> checked_window("30 min"), checked_window(np.timedelta64(1, "h"))
    (datetime.timedelta(seconds=1800), datetime.timedelta(seconds=3600))
    """
    if window is None:
        return None
    advice = "wanted a time such as '30 min' or a timedelta"
    if isinstance(window, int | float) or not isinstance(
        window, str | timedelta | np.timedelta64
    ):
        raise TypeError(f"window is {window!r}, {advice}")
    try:
        if isinstance(window, str):
            number, units = _quantity(window)
            seconds = number * conversion(units, "s")[0]
        else:
            seconds = pd.Timedelta(window).total_seconds()
        found = timedelta(seconds=round(seconds, 3))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"window is {window!r}, {advice} ({error})") from error
    if not found > timedelta(0):
        raise ValueError(f"window is {window!r}, {advice} that is longer than zero")
    return found


def checked_distance(distance: Any) -> float | None:
    """
    A distance in metres; a text has units.

    Examples
    --------
    >>> checked_distance("5 km"), checked_distance(800)
    (5000.0, 800.0)
    """
    if distance is None:
        return None
    advice = "wanted a distance such as '5 km', or metres"
    if isinstance(distance, bool) or not isinstance(
        distance, str | int | float | np.number
    ):
        raise TypeError(f"distance is {distance!r}, {advice}")
    try:
        if isinstance(distance, str):
            number, units = _quantity(distance)
            metres = number * conversion(units, "m")[0]
        else:
            metres = float(distance)
    except ValueError as error:
        raise ValueError(f"distance is {distance!r}, {advice} ({error})") from error
    if not 0 < metres < math.inf:
        raise ValueError(f"distance is {distance!r}, {advice}, more than zero")
    return float(f"{metres:.9g}")


def _window(text: str, word: str, number: float, units: str) -> timedelta:
    if word != "in":
        _refuse(text, f"says {word!r} of a time", f"write 'in {number:g} {units}'")
    found = checked_window(f"{number!r} {units}")
    assert found is not None
    return found


def _distance(text: str, word: str, number: float, units: str) -> float:
    if word != "within":
        _refuse(
            text, f"says {word!r} of a distance", f"write 'within {number:g} {units}'"
        )
    found = checked_distance(f"{number!r} {units}")
    assert found is not None
    return found


def _quantity(text: str) -> tuple[float, str]:
    match = re.fullmatch(rf"\s*({_NUMBER})\s*([A-Za-zµ]+)\s*", text)
    if match is None:
        raise ValueError("a number and a unit are wanted")
    return float(match[1]), match[2]


def _is_a(units: str, of: str) -> bool:
    try:
        conversion(units, of)
    except ValueError:
        return False
    return True


def _plain(number: float) -> str:
    return repr(float(f"{number:.9g}")).removesuffix(".0")


def _refuse(text: str, found: str, advice: str) -> NoReturn:
    raise ValueError(f"hazard {text!r} {found}; {advice}")
