"""Which events of a catalog are meant: by time, type, place and variables."""

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from stormfusion.data.audit import centres_of
from stormfusion.data.event import Event
from stormfusion.errors import CatalogError

Mask = NDArray[np.bool_]


def moment(value: object, *, last: bool = False) -> pd.Timestamp:
    """
    A time in UTC; of a date, month or year in text its first moment, or its last.

    Examples
    --------
    >>> moment("2019-06", last=True).day
    30
    >>> moment("2019-06-01T02:00+02:00")
    Timestamp('2019-06-01 00:00:00')
    """
    if isinstance(value, xr.DataArray | np.ndarray) and value.ndim == 0:
        value = np.asarray(value)[()]
    wanted = "wanted a date such as '2019-06-01' or '2019-06'"
    if not isinstance(value, str | dt.date | np.datetime64):
        raise ValueError(f"got the time {value!r}, {wanted}")  # noqa: TRY004  # as below
    try:
        time = pd.Timestamp(value)
        if last and isinstance(value, str) and time.tzinfo is None:
            time = pd.Period(value).end_time
    except (TypeError, ValueError) as error:
        raise ValueError(f"got the time {value!r}, {wanted}") from error
    if pd.isna(time):
        raise ValueError(f"got the time {value!r}, {wanted}")
    return time if time.tzinfo is None else time.tz_convert("UTC").tz_localize(None)


def position(ids: "pd.Index[Any]", key: object) -> int:
    """Where the event of this id, or of this position, lies."""
    if isinstance(key, str):
        at = np.flatnonzero(ids == key)
        if at.size == 0:
            raise KeyError(
                f"no event {key!r} among {len(ids)}; catalog.table.index lists them"
            )
        return int(at[0])
    if not isinstance(key, int | np.integer) or isinstance(key, bool):
        raise TypeError(
            f"got {key!r}, wanted a position, an id or a slice; choose events by a "
            "condition with .where"
        )
    if not -len(ids) <= key < len(ids):
        raise IndexError(f"event {key} of a catalog of {len(ids)}; count from 0")
    return int(key)


def names_of(wanted: str | Iterable[str]) -> tuple[str, ...]:
    """
    Names of variables: of one, or of several.

    Examples
    --------
    >>> names_of("vil"), names_of(["vil", "ir107"])
    (('vil',), ('vil', 'ir107'))
    """
    if isinstance(wanted, str):
        return (wanted,)
    names = tuple(wanted) if isinstance(wanted, Iterable) else (wanted,)
    if not all(isinstance(name, str) for name in names):
        raise TypeError(
            f"variables are {wanted!r}, wanted names such as 'vil' or ['vil', 'ir107']"
        )
    return names


def by_type(table: pd.DataFrame, event_type: str | Sequence[str]) -> Mask:
    """Events of one or more types."""
    if "event_type" not in table:
        raise CatalogError(
            "the table has no column 'event_type', it has "
            f"{', '.join(map(str, table.columns))}; choose by one of them"
        )
    types = [event_type] if isinstance(event_type, str) else event_type
    if not isinstance(types, Iterable):
        raise TypeError(
            f"event_type is {event_type!r}, wanted a type such as 'Hail', or several"
        )
    types = list(types)
    known = sorted(map(str, table["event_type"].dropna().unique()))
    for each in types:
        if each not in known:
            raise CatalogError(
                f"the catalog has no event of type {each!r}, it has "
                f"{', '.join(known) or 'none'}; ask for one of them"
            )
    return table["event_type"].isin(types).to_numpy(dtype=bool)


def by_time(table: pd.DataFrame, span: slice) -> Mask:
    """Events whose first frame lies in a span of time, both ends included."""
    if not isinstance(span, slice) or span.step is not None:
        raise TypeError(
            f"time is {span!r}, wanted a slice; write slice('2019-06-01', '2019-06-30')"
        )
    keep = np.ones(len(table), dtype=bool)
    if span.start is not None:
        keep &= (table["time"] >= moment(span.start)).to_numpy(dtype=bool)
    if span.stop is not None:
        keep &= (table["time"] <= moment(span.stop, last=True)).to_numpy(dtype=bool)
    return keep


def by_box(events: Sequence[Event], box: tuple[float, float, float, float]) -> Mask:
    """Events whose centre lies within west, south, east and north [degrees]."""
    try:
        west, south, east, north = map(float, box)
        sound = south <= north and bool(np.isfinite([west, south, east, north]).all())
    except (TypeError, ValueError):
        sound = False
    if not sound:
        raise ValueError(
            f"box is {box!r}, wanted (west, south, east, north) in degrees, south "
            "below north"
        )
    latitude, longitude = centres_of(events)
    # counted eastwards from the box's west: a box may cross the date line
    width = east - west if east >= west else east - west + 360.0
    inside = (longitude - west) % 360.0 <= width
    return np.asarray(inside & (latitude >= south) & (latitude <= north))


def by_variables(events: Sequence[Event], wanted: Sequence[str]) -> Mask:
    """Events that hold all of these variables."""
    held = variables_of(events)
    for variable in wanted:
        if variable not in held:
            raise CatalogError(
                f"the catalog has no variable {variable!r}, it has "
                f"{', '.join(held) or 'none'}; ask for one of them"
            )
    return np.array([set(wanted) <= set(e.variables) for e in events], dtype=bool)


def by_predicate(table: pd.DataFrame, predicate: Callable[[pd.DataFrame], Any]) -> Mask:
    """Events whose row of the table meets a condition."""
    if not callable(predicate):
        raise TypeError(
            f"the condition is {predicate!r}, wanted a function of the table; write "
            "where(lambda table: table['frames'] > 24), or name what you choose by, "
            "such as where(variables='vil')"
        )
    answers = np.asarray(predicate(table))
    if answers.shape != (len(table),) or answers.dtype.kind not in "bO":
        raise TypeError(
            f"the condition answers {answers.dtype} of shape {answers.shape}, wanted "
            f"true or false for each of {len(table)} rows of the table"
        )
    # a condition on a value that is missing is not met
    return np.array([each is not pd.NA and bool(each) for each in answers], dtype=bool)


def variables_of(events: Sequence[Event]) -> tuple[str, ...]:
    """Variables that at least one event holds, principal ones first."""
    return tuple(dict.fromkeys(v for event in events for v in event.variables))


def only_variables(events: Sequence[Event], wanted: Sequence[str]) -> list[Event]:
    """Events without their other variables, the principal one still first."""
    return [
        Event(e.id, {v: f for v, f in e.frames.items() if v in wanted}, e.attrs)
        for e in events
    ]


def listing(events: Sequence[Event], table: pd.DataFrame) -> pd.DataFrame:
    """The table, with the variables that the events now have."""
    if "variables" not in table:
        return table
    names = pd.Series([e.variables for e in events], index=table.index, dtype=object)
    return table.assign(variables=names)


def earlier(table: pd.DataFrame, fraction: float | None, before: object | None) -> Mask:
    """Events of the earlier part, of two of which neither is empty."""
    if (fraction is None) == (before is None):
        raise ValueError(
            "split wants a fraction or before=, and not both; write catalog.split(0.8) "
            "or catalog.split(before='2019-06-01')"
        )
    time = table["time"]
    count = f"{len(table)} event{'s'[: len(table) != 1]}"
    span = f" from {time.min()} to {time.max()}" if len(table) else ""
    if before is not None:
        cut = moment(before)
    else:
        if not isinstance(fraction, int | float | np.number) or not 0 < fraction < 1:
            raise ValueError(
                f"fraction is {fraction!r}, wanted a number between 0 and 1; for a "
                "time write split(before=...)"
            )
        starts, ranks = np.unique(np.sort(time.to_numpy()), return_index=True)
        if starts.size < 2:
            raise CatalogError(
                f"splitting {count}{span} leaves one part empty, for events of one "
                "time stay together; split events of more than one time, such as those "
                "that a shorter duration= cuts"
            )
        # the first time has no event before it
        near = np.abs(ranks[1:] - float(fraction) * len(table))
        cut = pd.Timestamp(starts[1 + int(np.argmin(near))])
    first = (time < cut).to_numpy(dtype=bool)
    if first.all() or not first.any():
        raise CatalogError(
            f"splitting {count}{span} before {cut} leaves one part empty; choose "
            "another time, or events of more than one time"
        )
    return first


def fresh(events: Sequence[Event], others: Sequence[Event]) -> Mask:
    """Which of the others are not among the events; one id is one event."""
    held = {event.id: event for event in events}
    for other in others:
        if other.id in held and not _is_same(held[other.id], other):
            raise CatalogError(
                f"two different events have the id {other.id!r}; give one of the "
                "catalogs another prefix="
            )
    return np.array([other.id not in held for other in others], dtype=bool)


def _is_same(one: Event, other: Event) -> bool:
    """Whether the variables of two events have the same frames."""
    shared = [v for v in one.variables if v in other.frames]
    return bool(shared) and all(
        np.array_equal(one.frames[v].time, other.frames[v].time)
        and one.frames[v].grid.same_as(other.frames[v].grid)
        for v in shared
    )
