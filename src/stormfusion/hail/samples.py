"""Pixels of a catalog to learn from: what is seen of each, and whether hail is told."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm.auto import tqdm

from stormfusion.data.audit import PIECE, READ_ERRORS
from stormfusion.data.event import Event
from stormfusion.data.task import regular
from stormfusion.errors import CatalogError, GridMismatchError
from stormfusion.grids import places
from stormfusion.hail.labels import Paths, paths_of
from stormfusion.hail.neighborhood import Neighborhood

THINNED = 3
"""Pixels a third of the distance apart are looked at."""

STRATA = 16
"""Pixels without a report are drawn from each of so many strengths of their peak."""

DRAWN = 100_000
"""About so many of them are drawn from a catalog, at least `FEWEST` of a stratum."""

FEWEST = 20

MORNING = 6
"""Hour, by the sun, at which a day begins: few storms live through it."""

_BYTES = 256 // STRATA


@dataclass(frozen=True, eq=False)
class Samples:
    """
    Pixels that were looked at, each standing for `weight` of them.

    Parameters
    ----------
    peak, core, mean
        What is seen of each, as `Seen` has it.
    hit
        Whether a report is near.
    weight
        How many pixels each stands for.
    day
        Number of the day, which begins at six in the morning by the sun.
    """

    peak: NDArray[np.uint8]
    core: NDArray[np.uint8]
    mean: NDArray[np.uint8]
    hit: NDArray[np.bool_]
    weight: NDArray[np.float64]
    day: NDArray[np.int64]

    def where(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> "Samples":
        """The chosen ones."""
        return Samples(*(getattr(self, each.name)[chosen] for each in fields(self)))

    @classmethod
    def joined(cls, parts: Sequence["Samples"]) -> "Samples":
        """All of several."""
        return cls(
            *(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls))
        )


@dataclass(frozen=True)
class Drawn:
    """The pixels of a catalog, from how many of its events, and which reports."""

    samples: Samples
    events: int
    reports: int
    start: pd.Timestamp
    end: pd.Timestamp

    @property
    def counts(self) -> dict[str, int]:
        """From how much there is to learn."""
        return {
            "days": int(np.unique(self.samples.day[self.samples.hit]).size),
            "events": self.events,
            "reports": self.reports,
            "pixels": round(float(self.samples.weight.sum())),
        }

    @property
    def span(self) -> dict[str, str]:
        """The times of the first and last frame."""
        return {"start": self.start.isoformat(), "end": self.end.isoformat()}


def draw(
    events: Sequence[Event],
    reports: pd.DataFrame,
    around: Neighborhood,
    *,
    interval: int,
    seed: int,
    progress: bool,
) -> Drawn:
    """
    Look at the pixels of events, thinned in space, one window after the other.

    All those near a report are kept. Of the others some are drawn of each event, day
    and strength of the peak, and weigh as many as they were drawn from, so that the
    weighted share of hits is that of all pixels looked at.

    Parameters
    ----------
    events
        Storms of one interval and spacing, all with the variable.
    reports
        Reports of hail that counts, as `checked_reports` makes them.
    around
        What is seen of a pixel.
    interval
        Seconds between frames.
    seed
        Of the draw.
    progress
        Whether to show it.

    Raises
    ------
    CatalogError
        If no report lies in the times and places of the events, or none can be read.
    GridMismatchError
        If the projection of an event is unknown.
    """
    step = np.timedelta64(interval, "s")
    most = max(FEWEST, DRAWN // (STRATA * max(len(events), 1)))
    timely = np.zeros(len(reports), dtype=bool)
    placed = np.zeros(len(reports), dtype=bool)
    begins, ends = (reports[n].to_numpy("datetime64[ns]") for n in ("time", "end_time"))
    parts: list[Samples] = []
    failed: dict[str, str] = {}
    for number, event in enumerate(
        tqdm(events, disable=not progress, desc="hail", unit="event")
    ):
        frames = event.stored(around.variable)
        if frames.grid.crs is None:
            raise GridMismatchError(
                f"the projection of event {event.id!r} is unknown, so that reports "
                "have no place in it; add a CF grid mapping or a 'crs' attribute"
            )
        during = (begins <= frames.time[-1]) & (ends > frames.time[0] - step)
        timely |= during
        paths = paths_of(reports[during], frames.grid)
        paths = paths.where(paths.over(frames.grid, around.distance))
        placed[np.flatnonzero(during)[paths.number]] = True
        rng = np.random.default_rng([seed, number])
        try:
            found = list(_windows(event, paths, around, interval, rng))
        except READ_ERRORS as error:
            failed[event.id] = str(error)
            continue
        if found:
            parts.append(_thinned(Samples.joined(found), most, rng))
    _tell(failed, events)
    if not parts:
        raise CatalogError(
            f"no event holds {around.frames} frames {interval} s apart that can be "
            f"read, wanted one window of {around.variable} or more; give longer events"
        )
    if not placed.any():
        raise CatalogError(
            f"none of {len(reports)} reports lies in the catalog: "
            f"{int((~timely).sum())} are at other times than its events, "
            f"{int((timely & ~placed).sum())} elsewhere; give reports of its days and "
            "region, with their times in UTC"
        )
    first = min(event.stored(around.variable).time[0] for event in events)
    last = max(event.stored(around.variable).time[-1] for event in events)
    return Drawn(
        Samples.joined(parts),
        events=len(parts),
        reports=int(placed.sum()),
        start=pd.Timestamp(first),
        end=pd.Timestamp(last),
    )


def day_of(time: np.datetime64, longitude: float) -> int:
    """
    Number of the day that a moment [UTC] belongs to, at a longitude [degrees].

    It begins at six in the morning by the sun, so that the storms of an evening belong
    to one day, wherever midnight in Greenwich is.

    Examples
    --------
    >>> evening = np.datetime64("2019-05-20T23:50"), np.datetime64("2019-05-21T00:10")
    >>> len({day_of(time, -98.0) for time in evening})
    1
    """
    hours = (time - np.datetime64(0, "s")) / np.timedelta64(1, "h")
    shift = 0.0 if np.isnan(longitude) else longitude / 15.0
    return int(np.floor((hours + shift - MORNING) / 24.0))


def _windows(
    event: Event,
    paths: Paths,
    around: Neighborhood,
    interval: int,
    rng: np.random.Generator,
) -> Iterator[Samples]:
    """The pixels of each window of an event, windows side by side."""
    frames = event.stored(around.variable)
    grid, time, length = frames.grid, frames.time, around.frames
    step = [max(1, round(around.distance / THINNED / s)) for s in around.spacing]
    _, east = places(
        grid, grid.y[[0, -1]].mean(keepdims=True), grid.x.mean(keepdims=True)
    )
    even = np.concatenate([[True], regular(time, interval)])
    whole = max(PIECE // (4 * length * grid.shape[0] * grid.shape[1]), 1) * length
    for start in range(0, time.size - length + 1, whole):
        held = event[around.variable][start : start + whole].to_numpy()
        for first in range(0, len(held) - length + 1, length):
            at = start + first
            if not even[at + 1 : at + length].all():
                continue
            end = time[at + length - 1]
            seen = around.window(held[first : first + length])
            rows, columns = (
                np.arange(rng.integers(min(by, size)), size, by)
                for by, size in zip(step, grid.shape, strict=True)
            )
            some = np.ix_(rows, columns)
            told = paths.during(end - length * np.timedelta64(interval, "s"), end)
            hit = told.near(grid, rows, columns, around.distance)
            enough = np.full(hit.shape, fill_value=True)
            if seen.enough is not None:
                enough = seen.enough[some]
            day = np.full(int(enough.sum()), day_of(end, float(east[0])))
            yield Samples(
                peak=seen.peak[some][enough].astype(np.uint8),
                core=seen.core[some][enough].astype(np.uint8),
                mean=seen.mean[some][enough].astype(np.uint8),
                hit=hit[enough],
                weight=np.ones(day.size),
                day=day,
            )


def _thinned(samples: Samples, most: int, rng: np.random.Generator) -> Samples:
    """All hits, and of the others at most this many of a day and strength."""
    misses = np.flatnonzero(~samples.hit)
    misses = rng.permutation(misses)
    # what is dry is all alike
    strength = np.where(samples.peak == 0, 0, 1 + samples.peak.astype(int) // _BYTES)
    group = (STRATA + 1) * samples.day + strength
    misses = misses[np.argsort(group[misses], kind="stable")]
    _, group = np.unique(group[misses], return_inverse=True)
    counts = np.bincount(group)
    rank = np.arange(group.size) - np.repeat(counts.cumsum() - counts, counts)
    dry = strength[misses] == 0
    kept = rank < np.where(dry, 1, most)
    weight = counts[group] / np.minimum(counts[group], np.where(dry, 1, most))
    hits = np.flatnonzero(samples.hit)
    found = samples.where(np.concatenate([hits, misses[kept]]))
    found.weight[hits.size :] *= weight[kept]
    return found


def _tell(failed: dict[str, str], events: Sequence[Event]) -> None:
    """Warn of events that could not be read."""
    if failed:
        name, reason = next(iter(failed.items()))
        warnings.warn(
            f"{len(failed)} of {len(events)} events cannot be read and are left out, "
            f"such as {name!r} ({reason})",
            UserWarning,
            stacklevel=4,
        )
