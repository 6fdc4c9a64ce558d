"""What a catalog says of its events: their table, their places, their faults."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm.auto import tqdm

from stormfusion.data.event import Event, Frames
from stormfusion.errors import CatalogError
from stormfusion.grids import Grid, places

READ_ERRORS = (OSError, ValueError, RuntimeError)
"""What reading a damaged file may raise."""

PIECE = 2**28
"""Bytes of physical values that are looked at together."""


def table_of(events: Sequence[Event]) -> pd.DataFrame:
    """
    A row for each event, of what it knows without being read.

    Examples
    --------
    >>> from stormfusion import Catalog
    >>> list(table_of([Catalog.synthetic(events=1, size=64)[0]]).columns)
    ['time', 'end', 'frames', 'variables', 'event_type', 'seed']
    """
    rows = [
        {
            "time": event.time[0],
            "end": event.time[-1],
            "frames": len(event.time),
            "variables": event.variables,
            **event.attrs,
        }
        for event in events
    ]
    columns = None if rows else ["time", "end", "frames", "variables"]
    index = pd.Index([event.id for event in events], name="id", dtype=object)
    table = pd.DataFrame(rows, index=index, columns=columns)
    return table if rows else table.astype({"time": "datetime64[ns]"})


def checked_table(events: Sequence[Event], table: pd.DataFrame | None) -> pd.DataFrame:
    """A copy of the table, which lists the events, or one of what they know."""
    if table is None:
        table = table_of(events)
    ids = [event.id for event in events]
    twice = pd.Index(ids).duplicated()
    if twice.any():
        raise CatalogError(
            f"two events have the id {ids[int(np.argmax(twice))]!r}, wanted ids that "
            "differ; rename the files, drop one, or give another prefix="
        )
    if list(table.index) != ids:
        raise CatalogError(
            f"the table lists {len(table)} events and there are {len(ids)}, or in "
            "another order; give a row for each event"
        )
    if "time" not in table:
        raise CatalogError(
            f"the table has the columns {', '.join(map(str, table.columns))}, wanted "
            "'time' among them; add the time of each event's first frame"
        )
    return table.copy()


def problems_of(
    events: Sequence[Event], *, progress: bool
) -> list[tuple[str, str | None, str]]:
    """Id, variable and problem of every variable that has one, all of them read."""
    found: list[tuple[str, str | None, str]] = []
    for event in tqdm(events, disable=not progress, desc="check", unit="event"):
        for variable, frames in event.frames.items():
            problem = problem_of(frames)
            if problem is not None:
                found.append((event.id, variable, problem))
    return found


def problem_of(frames: Frames) -> str | None:
    """
    What is wrong with the frames of a variable, all of them read; None if nothing.

    Examples
    --------
    >>> from stormfusion import Catalog
    >>> event = Catalog.synthetic(events=1, size=64)[0]
    >>> problem_of(event.stored("vil")) is None
    True
    """
    everything = slice(None)
    shape = (frames.time.size, *frames.grid.shape)
    step = max(1, PIECE // (4 * shape[1] * shape[2]))
    seen = False
    try:
        for start in range(0, shape[0], step):
            span = slice(start, min(start + step, shape[0]))
            stored = frames.read(span, everything, everything)
            if stored.shape != (span.stop - span.start, *shape[1:]):
                return f"truncated: {stored.shape} was read in place of {shape}"
            seen = seen or not bool(np.isnan(frames.packing.decode(stored)).all())
    except FileNotFoundError as error:
        return f"absent: {error}"
    except (*READ_ERRORS, LookupError, TypeError) as error:
        return f"corrupt: {error}"
    if not seen:
        return "all missing"
    steps = np.diff(frames.time)
    if steps.size and not (steps > np.timedelta64(0)).all():
        return "frames out of order"
    return None


def centres_of(
    events: Sequence[Event],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    Latitude and longitude of each event's centre [degrees], NaN where unknown.

    Examples
    --------
    >>> from stormfusion import Catalog
    >>> latitude, longitude = centres_of([Catalog.synthetic(events=1, size=64)[0]])
    >>> bool(20 < latitude[0] < 55), bool(-130 < longitude[0] < -60)
    (True, True)
    """
    centres = np.full((2, len(events)), np.nan)
    alike: dict[tuple[str | None, bool], list[int]] = {}
    grids: list[Grid] = []
    for i, event in enumerate(events):
        grid = next(iter(event.frames.values())).grid
        grids.append(grid)
        alike.setdefault((grid.crs, grid.degrees), []).append(i)
    for members in alike.values():
        y = np.array([grids[i].y.mean() for i in members])
        x = np.array([grids[i].x.mean() for i in members])
        latitude, longitude = places(grids[members[0]], y, x)
        centres[:, members] = latitude, (longitude + 180.0) % 360.0 - 180.0
    return centres[0], centres[1]
