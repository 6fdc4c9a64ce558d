"""Radar and satellite sequences that xarray can open, cut into events."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from stormfusion.data import conventions
from stormfusion.data.event import Event, Times
from stormfusion.data.packing import Packing
from stormfusion.data.task import RADAR, interval, regular
from stormfusion.errors import CatalogError, CorruptFileError, MissingExtraError
from stormfusion.grids import Grid

CACHE_BYTES = 2**30
WET_NUMBER = {"reflectivity": 10.0, "rain_rate": 0.1, "vil": 0.1, "rain": 0.1}

_cache: OrderedDict[tuple[object, ...], NDArray] = OrderedDict()


@dataclass(frozen=True, eq=False)
class ArraySource:
    """Frames of a labelled array that is already open."""

    array: xr.DataArray

    def frame(self, number: int) -> NDArray:
        """One whole frame, as stored."""
        if self.array.variable._in_memory:
            return np.asarray(self.array.isel(time=number).to_numpy())
        return _cached((id(self.array), number), lambda: self._load(number))

    def _load(self, number: int) -> NDArray:
        return np.asarray(self.array.isel(time=number).to_numpy())


@dataclass(frozen=True, eq=False)
class FileSource:
    """Frames of a variable of some files, each frame (file, position in the file)."""

    paths: tuple[str, ...]
    name: str
    where: tuple[tuple[int, int], ...]
    options: Mapping[str, Any] = field(default_factory=dict)

    def frame(self, number: int) -> NDArray:
        """One whole frame, as stored."""
        path = self.paths[self.where[number][0]]
        return _cached(
            (path, self.name, self.where[number][1]), lambda: self._load(number)
        )

    def _load(self, number: int) -> NDArray:
        file, position = self.where[number]
        dataset = open_file(self.paths[file], self.options)
        array = conventions.standardize(dataset[self.name])
        try:
            return np.asarray(array.isel(time=position).to_numpy())
        except (OSError, RuntimeError, ValueError) as error:
            raise CorruptFileError(
                f"frame {position} of {self.paths[file]!r} cannot be read ({error}); "
                "the file seems to be damaged: fetch it again"
            ) from error


@dataclass(frozen=True, eq=False)
class GriddedFrames:
    """Frames of a variable of a gridded source: some of its times, rows and columns."""

    variable: str
    time: Times
    grid: Grid
    packing: Packing
    source: ArraySource | FileSource
    first: int = 0
    corner: tuple[int, int] = (0, 0)

    def read(self, frames: slice, rows: slice, columns: slice) -> NDArray:
        """Stored numbers of these frames, rows and columns."""
        height, width = self.grid.shape
        top, left = self.corner
        upper, lower, _ = rows.indices(height)
        start, stop, _ = columns.indices(width)
        rows = slice(top + upper, top + lower)
        columns = slice(left + start, left + stop)
        picked = range(*frames.indices(self.time.size))
        out = np.empty((len(picked), lower - upper, stop - start), self.packing.dtype)
        for i, number in enumerate(picked):
            out[i] = self.source.frame(self.first + number)[rows, columns]
        return out

    def cut(self, frames: slice, rows: slice, columns: slice) -> "GriddedFrames":
        """The same frames, fewer of them on a part of the grid."""
        return GriddedFrames(
            self.variable,
            self.time[frames],
            self.grid.crop(rows, columns),
            self.packing,
            self.source,
            self.first + (frames.start or 0),
            (self.corner[0] + (rows.start or 0), self.corner[1] + (columns.start or 0)),
        )


def open_file(path: str, options: Mapping[str, Any] | None = None) -> xr.Dataset:
    """Open a file with its numbers as stored; a sentence says why where it fails."""
    key = (path, "dataset")
    if key in _open:
        return _open[key]
    local = "://" not in path
    if local and not Path(path).exists():
        raise FileNotFoundError(
            f"there is no file {path!r}; check the path, relative to {Path.cwd()}"
        )
    engine: str | None = None
    target: Any = path
    extra: dict[str, Any] = {}
    if path.rstrip("/").endswith(".zarr"):
        engine = "zarr"
        extra = {"storage_options": dict(options or {})} if not local else {}
    elif path.endswith((".grib", ".grib2", ".grb", ".grb2")):
        engine = "cfgrib"
    elif not local:
        import fsspec

        engine, target = "h5netcdf", fsspec.open(path, **dict(options or {})).open()
    try:
        dataset = xr.open_dataset(
            target, engine=engine, mask_and_scale=False, decode_timedelta=False, **extra
        )
    except (ImportError, ModuleNotFoundError) as error:
        raise MissingExtraError(
            f"{path!r} needs the {engine} package, which is not installed; run "
            "pip install 'stormfusion[geo]'"
        ) from error
    except (OSError, ValueError, KeyError, RuntimeError, EOFError) as error:
        if engine is not None and "unrecognized engine" in str(error):
            raise MissingExtraError(
                f"{path!r} needs the {engine} package, which is not installed; run "
                "pip install 'stormfusion[geo]'"
            ) from error
        raise CorruptFileError(
            f"{path!r} is not a file that xarray can open, wanted whole netCDF, zarr or "
            f"GRIB; fetch it again or convert it ({type(error).__name__})"
        ) from error
    while len(_open) >= 64:
        _open.pop(next(iter(_open))).close()
    _open[key] = dataset
    return dataset


_open: dict[tuple[str, str], xr.Dataset] = {}


def frames_of_array(array: xr.DataArray, variable: str) -> GriddedFrames:
    """The frames of one labelled array, its units and packing understood."""
    array = conventions.standardize(array)
    packing = conventions.packing_of(array, variable)
    time = _times(array)
    return GriddedFrames(variable, time, Grid.of(array), packing, ArraySource(array))


def events_of_dataset(
    dataset: xr.Dataset,
    *,
    rename: Mapping[str, str] | None = None,
    prefix: str = "event",
    **cuts: Any,
) -> list[Event]:
    """The events of one open dataset."""
    return cut(_frames_of_dataset(dataset, rename), prefix=prefix, **cuts)


def event_of_dataset(dataset: xr.Dataset | xr.DataArray) -> Event:
    """A dataset as one event, gaps in time and all."""
    if isinstance(dataset, xr.DataArray):
        dataset = dataset.to_dataset(name=dataset.name or "variable")
    found = _frames_of_dataset(dataset, None)
    main = next((v for v in RADAR if v in found), next(iter(found)))
    ordered = {main: found[main], **found}
    return Event(str(dataset.attrs.get("id", "dataset")), ordered)


def _frames_of_dataset(
    dataset: xr.Dataset, rename: Mapping[str, str] | None
) -> dict[str, GriddedFrames]:
    coords = {n: dataset[n] for n in dataset.coords}
    return {
        variable: frames_of_array(dataset[name].assign_coords(coords), variable)
        for variable, name in conventions.variables_of(dataset, rename).items()
    }


def events_of_files(
    paths: Sequence[str],
    *,
    rename: Mapping[str, str] | None = None,
    options: Mapping[str, Any] | None = None,
    **cuts: Any,
) -> list[Event]:
    """
    The events of some files; files that follow each other in time are one sequence.
    """
    sequences: dict[tuple[object, ...], list[tuple[str, dict[str, GriddedFrames]]]] = {}
    for path in paths:
        dataset = open_file(path, options)
        named = conventions.variables_of(dataset, rename)
        coords = {n: dataset[n] for n in dataset.coords}
        found, shape = {}, []
        for variable, name in named.items():
            frames = frames_of_array(dataset[name].assign_coords(coords), variable)
            where = tuple((0, i) for i in range(frames.time.size))
            source = FileSource((path,), name, where, options or {})
            found[variable] = GriddedFrames(
                variable, frames.time, frames.grid, frames.packing, source
            )
            grid = frames.grid
            corners = (
                *grid.shape,
                *grid.y[[0, -1]].tolist(),
                *grid.x[[0, -1]].tolist(),
            )
            shape.append((variable, name, frames.packing, corners))
        single = all(frames.time.size == 1 for frames in found.values())
        # a file with a sequence of its own is an event of its own
        key = ("steps", *shape) if single else ("sequence", path)
        sequences.setdefault(key, []).append((path, found))
    events = []
    for members in sequences.values():
        prefix = Path(members[0][0].rstrip("/")).stem.split(".")[0]
        events += cut(_join([found for _, found in members]), prefix=prefix, **cuts)
    return events


def cut(
    found: Mapping[str, GriddedFrames],
    *,
    prefix: str,
    duration: str | pd.Timedelta | None = None,
    size: int | tuple[int, int] | None = None,
    max_missing: float = 0.5,
) -> list[Event]:
    """Cut sequences into events: regular in time, and of one size where asked."""
    principal = next((v for v in RADAR if v in found), next(iter(found)))
    main = found[principal]
    if main.time.size == 1:
        runs = [slice(0, 1)]
    else:
        seconds = interval(main.time)
        breaks = np.flatnonzero(~regular(main.time, seconds)) + 1
        edges = [0, *breaks.tolist(), main.time.size]
        runs = [slice(a, b) for a, b in zip(edges[:-1], edges[1:], strict=True)]
        if duration is not None:
            length = int(pd.Timedelta(duration).total_seconds() // seconds) + 1
            runs = [
                slice(start, start + length)
                for run in runs
                for start in range(run.start, run.stop - length + 1, length)
            ]
    events = []
    for run in runs:
        for rows, columns in _tiles(main.grid.shape, size):
            frames = main.cut(run, rows, columns)
            attrs: dict[str, object] = {}
            if duration is not None or size is not None:
                attrs["wet_fraction"], attrs["missing_fraction"] = _wetness(frames)
                if float(str(attrs["missing_fraction"])) > max_missing:
                    continue
            name = f"{prefix}-{pd.Timestamp(frames.time[0]):%Y%m%dT%H%M}"
            if size is not None:
                name += f"-y{rows.start}x{columns.start}"
            others = {v: _around(f, frames) for v, f in found.items() if v != principal}
            events.append(Event(name, {principal: frames, **others}, attrs))
    return events


def _around(frames: GriddedFrames, main: GriddedFrames) -> GriddedFrames:
    """The frames of another variable that an event of the principal one may use."""
    step = np.timedelta64(interval(frames.time) if frames.time.size > 1 else 0, "s")
    start = int(np.searchsorted(frames.time, main.time[0] - step))
    stop = int(np.searchsorted(frames.time, main.time[-1], side="right"))
    whole = slice(0, None)
    if frames.grid.same_as(main.grid) or stop <= start:
        return frames.cut(slice(start, max(stop, start + 1)), whole, whole)
    return frames.cut(slice(start, stop), whole, whole)


def _join(parts: Sequence[Mapping[str, GriddedFrames]]) -> dict[str, GriddedFrames]:
    """Files that hold one time each, in the order of their times."""
    if len(parts) == 1:
        return dict(parts[0])
    joined = {}
    for variable, first in parts[0].items():
        members = sorted((p[variable] for p in parts), key=lambda f: f.time[0])
        sources = [f.source for f in members]
        paths = tuple(p for s in sources if isinstance(s, FileSource) for p in s.paths)
        time = np.concatenate([f.time for f in members])
        _check_order(time, variable)
        assert isinstance(first.source, FileSource)
        source = FileSource(
            paths,
            first.source.name,
            tuple((i, 0) for i in range(len(paths))),
            first.source.options,
        )
        joined[variable] = GriddedFrames(
            variable, time, first.grid, first.packing, source
        )
    return joined


def _tiles(
    shape: tuple[int, int], size: int | tuple[int, int] | None
) -> list[tuple[slice, slice]]:
    if size is None:
        return [(slice(0, shape[0]), slice(0, shape[1]))]
    height, width = (size, size) if isinstance(size, int) else size
    if not (2 <= height <= shape[0] and 2 <= width <= shape[1]):
        raise CatalogError(
            f"size {height} x {width} does not fit the grid of {shape[0]} x {shape[1]} "
            "pixels; choose a smaller one"
        )
    top, left = (shape[0] % height) // 2, (shape[1] % width) // 2
    return [
        (slice(y, y + height), slice(x, x + width))
        for y in range(top, shape[0] - height + 1, height)
        for x in range(left, shape[1] - width + 1, width)
    ]


def _wetness(frames: GriddedFrames) -> tuple[float, float]:
    """Share of the pixels where it rains, and share that is missing."""
    everywhere = slice(None)
    count = frames.time.size
    wet = missing = total = 0
    for number in np.unique(np.linspace(0, count - 1, min(count, 6)).astype(int)):
        stored = frames.read(slice(number, number + 1), everywhere, everywhere)
        values = frames.packing.decode(stored)
        wet += int((values >= WET_NUMBER.get(frames.variable, 0.1)).sum())
        missing += int(np.isnan(values).sum())
        total += values.size
    return wet / max(total - missing, 1), missing / total


def _times(array: xr.DataArray) -> Times:
    time = np.asarray(array["time"].to_numpy()).astype("datetime64[ns]")
    _check_order(time, str(array.name))
    return time


def _check_order(time: Times, variable: str) -> None:
    steps = np.diff(time) / np.timedelta64(1, "s")
    if np.isnat(time).any():
        raise CatalogError(f"{variable!r} has frames without a time; drop them")
    if (steps <= 0).any():
        at = int(np.argmax(steps <= 0))
        kind = "twice" if steps[at] == 0 else "out of order"
        raise CatalogError(
            f"frames of {variable!r} are {kind} in time, {time[at]} is followed by "
            f"{time[at + 1]}; sort them with .sortby('time') and drop duplicates"
        )


def _cached(key: tuple[object, ...], load: Any) -> NDArray:
    """Keep the most recently used frames, up to a gigabyte, in each process."""
    if key in _cache:
        _cache.move_to_end(key)
        return _cache[key]
    frame: NDArray = load()
    _cache[key] = frame
    held = sum(f.nbytes for f in _cache.values()) if len(_cache) % 16 == 0 else 0
    while held > CACHE_BYTES and len(_cache) > 1:
        held -= _cache.popitem(last=False)[1].nbytes
    return frame
