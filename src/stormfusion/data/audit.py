"""What a catalog says of its events: their table, their places, their faults."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stormfusion.data.event import Event, Frames

READ_ERRORS = (OSError, ValueError, RuntimeError)


def table_of(events: Sequence[Event]) -> pd.DataFrame:
    """A row for each event, of what it knows without being read."""
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
    return pd.DataFrame(rows, index=index, columns=columns)


def problem_of(frames: Frames) -> str | None:
    """What is wrong with the frames of a variable, all of them read; None if nothing."""
    everything = slice(None)
    try:
        values = frames.packing.decode(frames.read(everything, everything, everything))
    except FileNotFoundError as error:
        return f"absent: {error}"
    except READ_ERRORS as error:
        return f"corrupt: {error}"
    if np.isnan(values).all():
        return "all missing"
    steps = np.diff(frames.time)
    if steps.size and (steps <= np.timedelta64(0)).any():
        return "frames out of order"
    return None


def centres_of(
    events: Sequence[Event],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Latitude and longitude of each event's centre [degrees], NaN where unknown."""
    from pyproj import Transformer

    centres = np.full((2, len(events)), np.nan)
    makers: dict[str, Any] = {}
    for i, event in enumerate(events):
        grid = next(iter(event.frames.values())).grid
        y, x = float(grid.y.mean()), float(grid.x.mean())
        if grid.degrees:
            centres[:, i] = y, x
        elif grid.crs is not None:
            if grid.crs not in makers:
                makers[grid.crs] = Transformer.from_crs(
                    grid.crs, "EPSG:4326", always_xy=True
                )
            longitude, latitude = makers[grid.crs].transform(x, y)
            centres[:, i] = latitude, longitude
    return centres[0], centres[1]
