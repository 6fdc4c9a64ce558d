"""Radar and satellite sequences that xarray can open."""

import warnings
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from tqdm.auto import tqdm

from stormfusion.data import conventions
from stormfusion.data.cutting import Cuts, cut
from stormfusion.data.datasets import Stamp, open_file, stamp_of
from stormfusion.data.event import Event, Times
from stormfusion.data.packing import FLOAT
from stormfusion.data.sources import ArraySource, FileSource, GriddedFrames
from stormfusion.data.task import RADAR, interval
from stormfusion.errors import CatalogError, CorruptFileError, MissingExtraError
from stormfusion.grids import FINEST, Grid, measured, tell_of_lost_projection

FAR = 2e5
"""No weather radar has pixels further apart than this [m]."""


def events_of_dataset(
    dataset: xr.Dataset | xr.DataArray,
    cuts: Cuts,
    *,
    rename: Mapping[str, str] | None = None,
    prefix: str = "event",
) -> list[Event]:
    """The events cut out of one open dataset; see `Catalog.from_xarray`."""
    if not isinstance(dataset, xr.Dataset | xr.DataArray):
        raise TypeError(
            f"got a {type(dataset).__name__}, wanted an xarray Dataset or DataArray "
            "with time, y and x; label bare numbers, or open files with Catalog.open"
        )
    if rename is not None and not isinstance(rename, Mapping):
        raise TypeError(
            f"rename is {rename!r}, wanted {{'name in the data': 'rain_rate'}}"
        )
    found, unitless = _frames_of(dataset, rename)
    conventions.warn_without_units(unitless)
    return cut(found, prefix=prefix, cuts=cuts)


def event_of_dataset(dataset: xr.Dataset | xr.DataArray) -> Event:
    """
    A dataset as one event, gaps in time and all.

    Raises
    ------
    CatalogError
        If no variable is known, or the frames are out of order.
    GridMismatchError
        If a grid is not a regular one.

    Examples
    --------
    >>> from stormfusion import Catalog
    >>> storm = Catalog.synthetic(events=1, size=64)[0].to_dataset()
    >>> event_of_dataset(storm).variables
    ('vil', 'ir069', 'ir107', 'vis', 'lightning')
    """
    found, unitless = _frames_of(dataset, None)
    conventions.warn_without_units(unitless)
    main = next((v for v in RADAR if v in found), next(iter(found)))
    return Event(str(dataset.attrs.get("id", "dataset")), {main: found[main], **found})


def events_of_files(
    paths: Sequence[str],
    *,
    rename: Mapping[str, str] | None = None,
    options: Mapping[str, Any] | None = None,
    cuts: Cuts | None = None,
    strict: bool = False,
) -> tuple[list[Event], tuple[tuple[str, str], ...]]:
    """
    The events of some files, and the files that are no use, with the reason.

    Files that hold one time each and share a grid are one sequence, in the order of
    their times. Of files that hold more, each is a sequence; where a duration is to be
    cut out of them, those that follow each other in time are one.

    Raises
    ------
    CatalogError, GridMismatchError, CorruptFileError
        If a file is no use, and `strict` is set or none is of use.
    """
    groups: dict[Hashable, list[dict[str, GriddedFrames]]] = {}
    failed: list[tuple[str, Exception]] = []
    unitless: dict[str, str] = {}
    for path in tqdm(paths, desc="open", unit="file", delay=3, leave=False):
        try:
            found, missing = _frames_of(open_file(path, options), rename)
            kind = _kind(found)
        except MissingExtraError:
            raise
        except (OSError, ValueError) as error:
            if strict:
                raise
            failed.append((path, error))
            continue
        unitless |= missing
        stamp = stamp_of(path)
        part = {v: _in_file(f, path, stamp, options or {}) for v, f in found.items()}
        groups.setdefault(kind, []).append(part)
    conventions.warn_without_units(unitless)
    cuts = cuts or Cuts()
    events: list[Event] = []
    readable = 0
    for parts in groups.values():
        for sequence in _sequences(parts, joined=cuts.duration is not None):
            first = _first_path(sequence)
            try:
                events += cut(_join(sequence), prefix=_stem(first), cuts=cuts)
                readable += 1
            except CorruptFileError as error:
                if strict:
                    raise
                failed.append((first, error))
    if failed and not readable:
        raise failed[0][1]
    reasons = tuple((path, str(error)) for path, error in failed)
    return events, reasons


def _frames_of(
    dataset: xr.Dataset | xr.DataArray, rename: Mapping[str, str] | None
) -> tuple[dict[str, GriddedFrames], dict[str, str]]:
    """The frames of each variable we know, and the variables without units."""
    if isinstance(dataset, xr.DataArray):
        dataset = dataset.to_dataset(name=dataset.name or "variable")
    found, unitless = {}, {}
    for variable, name in conventions.variables_of(dataset, rename).items():
        array = conventions.standardize(conventions.array_of(dataset, name))
        packing = conventions.packing_of(array, variable)
        if conventions.units_of(array) is None:
            unitless[name] = variable
        source = ArraySource(array)
        time, grid = _times(array), measured(array)
        _doubt(array, grid)
        tell_of_lost_projection(array, name, stacklevel=4)
        found[variable] = GriddedFrames(variable, time, grid, packing, source)
    return found, unitless


def _doubt(array: xr.DataArray, grid: Grid) -> None:
    """Warn of coordinates that can hardly be in the units they pass for."""
    if grid.degrees or (min(grid.steps) >= FINEST and max(grid.steps) <= FAR):
        return
    text = array["y"].attrs.get("units") or array["x"].attrs.get("units")
    said = f"are in {text!r}" if text else "have no units and are taken to be metres"
    close = min(grid.steps) < FINEST
    length, unit = ("kilometres", "km") if close else ("metres", "m")
    warnings.warn(
        f"y and x of {str(array.name)!r} {said}: pixels {min(grid.steps):g} m apart; "
        f"if they are {length} set their attrs['units'] = {unit!r}",
        UserWarning,
        stacklevel=5,
    )


def _in_file(
    frames: GriddedFrames, path: str, stamp: Stamp, options: Mapping[str, Any]
) -> GriddedFrames:
    """The frames of an open dataset as frames of its file, which pickle."""
    assert isinstance(frames.source, ArraySource)
    name = str(frames.source.array.name)
    where = tuple((0, i) for i in range(frames.time.size))
    source = FileSource((path,), (stamp,), name, where, options=options)
    return GriddedFrames(
        frames.variable, frames.time, frames.grid, frames.packing, source
    )


def _kind(found: Mapping[str, GriddedFrames]) -> Hashable:
    """What files have in common that can be one sequence: products and grids."""
    kind: list[Hashable] = []
    for variable, frames in found.items():
        assert isinstance(frames.source, ArraySource)
        array, grid = frames.source.array, frames.grid
        product = (variable, str(array.name), str(array.attrs.get("long_name", "")))
        ends = np.concatenate([grid.y[[0, -1]], grid.x[[0, -1]]])
        steps = np.repeat(grid.steps, 2)
        places = tuple(np.rint(100 * ends / steps).tolist())
        kind.append((*product, grid.shape, places, grid.crs))
    return tuple(kind)


def _sequences(
    parts: list[dict[str, GriddedFrames]], *, joined: bool
) -> Iterable[list[dict[str, GriddedFrames]]]:
    """Which files are one sequence."""
    longer = [p for p in parts if any(f.time.size > 1 for f in p.values())]
    if joined and longer:
        longer = parts
    else:
        single = [p for p in parts if all(f.time.size == 1 for f in p.values())]
        if single:
            yield single
    chain: list[dict[str, GriddedFrames]] = []
    for part in sorted(longer, key=lambda part: next(iter(part.values())).time[0]):
        if chain and not (joined and _follows(part, chain[-1])):
            yield chain
            chain = []
        chain.append(part)
    if chain:
        yield chain


def _follows(
    part: Mapping[str, GriddedFrames], other: Mapping[str, GriddedFrames]
) -> bool:
    """Whether a file goes on where another one ends, with no frame between missing."""
    return all(
        np.timedelta64(0, "s")
        < frames.time[0] - other[variable].time[-1]
        <= np.timedelta64(int(1.5 * interval(other[variable].time)), "s")
        for variable, frames in part.items()
        if other[variable].time.size > 1
    )


def _join(parts: Sequence[Mapping[str, GriddedFrames]]) -> dict[str, GriddedFrames]:
    """Files in the order of their times, as one sequence."""
    if len(parts) == 1:
        return dict(parts[0])
    joined = {}
    for variable, first in parts[0].items():
        members = sorted((p[variable] for p in parts), key=lambda f: f.time[0])
        sources = [_source(f) for f in members]
        for one, other in pairwise(members):
            if other.time[0] <= one.time[-1]:
                a, b = (_source(f).paths[0] for f in (one, other))
                raise CatalogError(
                    f"{a!r} and {b!r} both hold {variable} at {other.time[0]}; leave "
                    "one of them out"
                )
        packings = tuple(f.packing for f in members)
        alike = len(set(packings)) == 1
        source = FileSource(
            tuple(s.paths[0] for s in sources),
            tuple(s.stamps[0] for s in sources),
            sources[0].name,
            tuple((i, j) for i, f in enumerate(members) for j in range(f.time.size)),
            () if alike else packings,
            sources[0].options,
        )
        time = np.concatenate([f.time for f in members])
        packing = first.packing if alike else FLOAT
        joined[variable] = GriddedFrames(variable, time, first.grid, packing, source)
    return joined


def _source(frames: GriddedFrames) -> FileSource:
    assert isinstance(frames.source, FileSource)
    return frames.source


def _first_path(parts: Sequence[Mapping[str, GriddedFrames]]) -> str:
    first = min((next(iter(p.values())) for p in parts), key=lambda f: f.time[0])
    return _source(first).paths[0]


def _stem(path: str) -> str:
    return Path(path.rstrip("/")).stem.split(".")[0]


def _times(array: xr.DataArray) -> Times:
    """Times of frames, in order and without doubt."""
    name = str(array.name)
    time = array["time"].to_numpy() if "time" in array.coords else None
    if time is not None and time.dtype == object:
        time = _from_objects(time, name)
    if time is None or time.dtype.kind != "M":
        raise CatalogError(
            f"frames of {name!r} have no dates, wanted datetime64 as coordinate "
            "'time'; decode them with xr.decode_cf, or assign them with .assign_coords"
        )
    if not time.size:
        raise CatalogError(f"{name!r} has no frame, wanted one or more; select others")
    time = time.astype("datetime64[ns]")
    if np.isnat(time).any():
        raise CatalogError(
            f"{int(np.isnat(time).sum())} frames of {name!r} have no time; drop them "
            "with .sel(time=ds.time.notnull())"
        )
    steps = np.diff(time) / np.timedelta64(1, "s")
    if (steps <= 0).any():
        at = int(np.argmax(steps <= 0))
        kind = "twice" if steps[at] == 0 else "out of order"
        raise CatalogError(
            f"frames of {name!r} are {kind} in time, {time[at]} is followed by "
            f"{time[at + 1]}; sort them with .sortby('time') and drop duplicates with "
            ".drop_duplicates('time')"
        )
    return time


def _from_objects(time: NDArray[Any], name: str) -> NDArray[Any]:
    """Times that are Python objects, in a time zone or a calendar, in UTC."""
    if time.size and all(getattr(t, "tzinfo", None) is not None for t in time):
        return pd.DatetimeIndex(time, tz="UTC").tz_localize(None).to_numpy()
    calendars = {str(getattr(t, "calendar", "none")) for t in time}
    if not calendars <= {"standard", "gregorian", "proleptic_gregorian"}:
        raise CatalogError(
            f"frames of {name!r} have times of the calendar "
            f"{', '.join(sorted(calendars))}, wanted the standard one; convert them "
            "with .convert_calendar('standard')"
        )
    return np.array([t.isoformat() for t in time], dtype="datetime64[ns]")
