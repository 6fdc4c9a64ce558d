"""Events cut out of long sequences."""

import contextlib
import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import pandas as pd

from stormfusion.data.event import Event, Frames
from stormfusion.data.selection import by_variables, names_of, only_variables
from stormfusion.data.task import RADAR, interval, regular
from stormfusion.errors import CatalogError

WET = {"reflectivity": 10.0, "rain_rate": 0.1, "vil": 0.1, "rain": 0.1}
"""From which value on a pixel is wet, in the variable's units."""


class Cuttable(Frames, Protocol):
    """Frames of which a part can be taken."""

    def cut(self, frames: slice, rows: slice, columns: slice) -> Any:
        """The same frames, fewer of them on a part of the grid."""
        ...


@dataclass(frozen=True)
class Cuts:
    """
    How events are cut out of a sequence.

    Parameters
    ----------
    duration
        Time from the first to the last frame of an event; None for each unbroken run.
    size
        Pixels of an event, a number or (y, x); None for the whole grid.
    max_missing
        Leave out windows of which a larger share is missing.
    events
        Keep this many, those with the most rain; None for all.

    Raises
    ------
    CatalogError
        If one of them is out of range.

    Examples
    --------
    >>> Cuts(duration="1h").frames(300)
    13
    """

    duration: str | pd.Timedelta | None = None
    size: int | tuple[int, int] | None = None
    max_missing: float = 0.5
    events: int | None = None

    def __post_init__(self) -> None:
        if self.duration is not None:
            span_of(self.duration, name="duration")
        share = isinstance(self.max_missing, int | float | np.number)
        if not share or not 0 <= self.max_missing <= 1:
            raise CatalogError(
                f"max_missing is {self.max_missing!r}, wanted a share from 0 to 1"
            )
        if self.size is not None:
            object.__setattr__(self, "size", pixels(self.size))
        if self.events is not None and (
            not isinstance(self.events, int | np.integer) or self.events < 1
        ):
            raise CatalogError(
                f"events is {self.events!r}, wanted a whole number, 1 or more"
            )
        if self.events is not None and not self.measured:
            raise CatalogError(
                f"events={self.events} ranks windows by their rain, but there are no "
                "windows to rank; give a duration or a size"
            )

    @property
    def asked(self) -> bool:
        """Whether anything is to be cut or ranked."""
        return self.measured or self.events is not None

    @property
    def measured(self) -> bool:
        """Whether windows are cut, whose rain and gaps are looked at."""
        return self.duration is not None or self.size is not None

    def frames(self, seconds: int) -> int | None:
        """Frames of an event at this interval [s], None for as many as there are."""
        if self.duration is None:
            return None
        return int(span_of(self.duration).total_seconds() // seconds) + 1

    def tiles(self, shape: tuple[int, int]) -> list[tuple[slice, slice]]:
        """Rows and columns of the events on a grid of this shape, about its middle."""
        if self.size is None:
            return [(slice(0, shape[0]), slice(0, shape[1]))]
        height, width = pixels(self.size)
        if not (2 <= height <= shape[0] and 2 <= width <= shape[1]):
            raise CatalogError(
                f"size {height} x {width} does not fit the grid of {shape[0]} x "
                f"{shape[1]} pixels; choose one from 2 x 2 up to that"
            )
        top, left = (shape[0] % height) // 2, (shape[1] % width) // 2
        return [
            (slice(y, y + height), slice(x, x + width))
            for y in range(top, shape[0] - height + 1, height)
            for x in range(left, shape[1] - width + 1, width)
        ]


def pixels(size: Any) -> tuple[int, int]:
    """
    Rows and columns that a size asks for: a whole number, or two.

    Examples
    --------
    >>> pixels(256), pixels((128, 256))
    ((256, 256), (128, 256))
    """
    both = (size, size) if isinstance(size, int | np.integer) else size
    if (
        not isinstance(both, tuple | list)
        or len(both) != 2
        or not all(isinstance(n, int | np.integer) for n in both)
        or isinstance(size, bool)
    ):
        raise CatalogError(
            f"size is {size!r}, wanted whole numbers of pixels, such as 256 or "
            "(256, 384)"
        )
    return int(both[0]), int(both[1])


def span_of(value: Any, *, name: str = "time") -> pd.Timedelta:
    """
    A time above zero, with its unit; days, hours and so on in either case.

    Raises
    ------
    CatalogError
        If it is none, as the argument `name`.

    Examples
    --------
    >>> span_of("1d 4H")
    Timedelta('1 days 04:00:00')
    """
    wanted = isinstance(value, str | dt.timedelta | np.timedelta64)
    if wanted and any(sign.isalpha() or sign == ":" for sign in str(value)):
        if isinstance(value, str) and not value.startswith("P"):
            # pandas deprecates these letters in the other case
            letter = r"(?<=[\d ])[dwHS](?![A-Za-z])"
            value = re.sub(letter, lambda unit: unit[0].swapcase(), value)
        with contextlib.suppress(ValueError):
            span = pd.Timedelta(value)
            if span > pd.Timedelta(0):
                return span
    raise CatalogError(
        f"{name} is {value!r}, wanted a time with its unit, such as '5min', '4h' or "
        "'1 day'"
    )


def cut(found: Mapping[str, Cuttable], *, prefix: str, cuts: Cuts) -> list[Event]:
    """
    Cut sequences into events: regular in time, and of one size where asked.

    A missing or late frame of the principal variable ends an event. Of the others, an
    event holds the frames of its time, on their whole grids.

    Parameters
    ----------
    found
        The frames of each variable.
    prefix
        Beginning of the events' ids; the time of the first frame follows, and the
        first row and column of a window.
    cuts
        How they are cut.
    """
    principal = next((v for v in RADAR if v in found), next(iter(found)))
    main = found[principal]
    events = []
    for run in _runs(main, cuts):
        for rows, columns in cuts.tiles(main.grid.shape):
            frames = main.cut(run, rows, columns)
            attrs: dict[str, object] = {}
            if cuts.measured:
                wet, missing = _wetness(frames)
                if missing > cuts.max_missing:
                    continue
                attrs = {"wet_fraction": wet, "missing_fraction": missing}
            first = pd.Timestamp(frames.time[0])
            name = f"{prefix}-{first:%Y%m%dT%H%M}"
            if first.second:
                name += f"{first:%S}"
            if cuts.size is not None:
                name += f"-y{rows.start}x{columns.start}"
            held = {principal: frames}
            for variable, others in found.items():
                if variable != principal:
                    near = _during(others, frames)
                    held |= {} if near is None else {variable: near}
            events.append(Event(name, held, attrs))
    return events


def wettest(
    found: Sequence[Event], cuts: Cuts, *, variables: Sequence[str] | None = None
) -> list[Event]:
    """
    Events in the order of their times, the wettest where only some are kept.

    Raises
    ------
    CatalogError
        If there is none, or none that holds the variables.
    """
    if not found:
        raise CatalogError(
            "no window holds an event: the unbroken sequences are shorter than the "
            "duration, or too many pixels are missing; choose a shorter duration, "
            "another size, or a larger max_missing"
        )
    chosen = sorted(found, key=lambda e: (e.time[0], e.id))
    if variables is not None:
        wanted = names_of(variables)
        keep = by_variables(chosen, wanted)
        kept = [e for e, each in zip(chosen, keep, strict=True) if each]
        chosen = only_variables(kept, wanted)
    if cuts.events is not None:
        rain = np.array([float(str(e.attrs["wet_fraction"])) for e in chosen])
        first = np.sort(np.argsort(-rain, kind="stable")[: cuts.events])
        chosen = [chosen[i] for i in first]
    return chosen


def _runs(main: Frames, cuts: Cuts) -> list[slice]:
    """Unbroken frames, as long as asked."""
    count = main.time.size
    if count < 2:
        return [slice(0, count)] if cuts.duration is None and count else []
    seconds = interval(main.time)
    breaks = np.flatnonzero(~regular(main.time, seconds)) + 1
    edges = [0, *breaks.tolist(), count]
    runs = [slice(a, b) for a, b in pairwise(edges)]
    length = cuts.frames(seconds)
    if length is None:
        return runs
    return [
        slice(start, start + length)
        for run in runs
        for start in range(run.start, run.stop - length + 1, length)
    ]


def _during(frames: Cuttable, main: Frames) -> Cuttable | None:
    """The frames of another variable that an event may use: none is later."""
    steps = [interval(t) for t in (frames.time, main.time) if t.size > 1]
    before = np.timedelta64(max(steps, default=0), "s")
    start = int(np.searchsorted(frames.time, main.time[0] - before))
    stop = int(np.searchsorted(frames.time, main.time[-1], side="right"))
    if stop <= start:
        return None
    part: Cuttable = frames.cut(slice(start, stop), slice(0, None), slice(0, None))
    return part


def _wetness(frames: Frames) -> tuple[float, float]:
    """Share of the pixels where it rains, and share that is missing, in six frames."""
    everywhere = slice(None)
    count = frames.time.size
    wet = missing = total = 0
    for number in np.unique(np.linspace(0, count - 1, min(count, 6)).astype(int)):
        stored = frames.read(slice(number, number + 1), everywhere, everywhere)
        values = frames.packing.decode(stored)
        wet += int((values >= WET.get(frames.variable, 0.1)).sum())
        missing += int(np.isnan(values).sum())
        total += values.size
    return wet / max(total - missing, 1), missing / total
