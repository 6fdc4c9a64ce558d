"""Frames of labelled arrays and of files that xarray opens, and those kept of them."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import uuid4

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from stormfusion.data import conventions
from stormfusion.data.datasets import Stamp, open_file, stamp_of
from stormfusion.data.event import Times
from stormfusion.data.packing import Packing
from stormfusion.errors import CorruptFileError
from stormfusion.grids import Grid

CACHE_BYTES = 2**30
"""Frames that a process keeps, those used last."""


class Source(Protocol):
    """Where whole frames come from."""

    def frame(self, number: int) -> NDArray[Any]:
        """One whole frame, as stored."""
        ...


@dataclass(frozen=True, eq=False)
class ArraySource:
    """
    Frames of a labelled array that is already open.

    `token` names the array in the cache: no other has it, in this process or another.
    """

    array: xr.DataArray
    token: str = field(default_factory=lambda: uuid4().hex)

    def frame(self, number: int) -> NDArray[Any]:
        """One whole frame, as stored."""
        if self.array.variable._in_memory:
            return self._load(number)
        return cache.get((self.token, number), lambda: self._load(number))

    def _load(self, number: int) -> NDArray[Any]:
        return np.asarray(self.array.isel(time=number).to_numpy())


@dataclass(frozen=True, eq=False)
class FileSource:
    """
    Frames of a variable of some files.

    Parameters
    ----------
    paths
        The files.
    stamps
        What each file's size and time were when it was understood: the numbers of a
        file that was written anew since may mean something else.
    name
        Name of the variable in them.
    where
        File, and position in it, of each frame.
    packings
        The packing of each file, where they differ: the frames are then decoded.
    options
        What fsspec is told to reach them.
    """

    paths: tuple[str, ...]
    stamps: tuple[Stamp, ...]
    name: str
    where: tuple[tuple[int, int], ...]
    packings: tuple[Packing, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    def frame(self, number: int) -> NDArray[Any]:
        """One whole frame, as stored."""
        file, position = self.where[number]
        key = (self.paths[file], self.stamps[file], self.name, position)
        frame = cache.get(key, lambda: self._load(file, position))
        if not self.packings:
            return frame
        packing = self.packings[file]
        return packing.decode(frame.astype(packing.dtype, copy=False))

    def _load(self, file: int, position: int) -> NDArray[Any]:
        path = self.paths[file]
        if stamp_of(path) != self.stamps[file]:
            raise CorruptFileError(
                f"{path!r} was changed after its catalog was opened; open it again"
            )
        dataset = open_file(path, self.options)
        try:
            array = conventions.standardize(dataset[self.name])
            return np.asarray(array.isel(time=position).to_numpy())
        except (OSError, RuntimeError, ValueError, LookupError, TypeError) as error:
            raise CorruptFileError(
                f"frame {position} of {path!r} cannot be read ({error}); the file "
                "seems to be damaged: fetch it again"
            ) from error


@dataclass(frozen=True, eq=False)
class GriddedFrames:
    """
    Frames of a variable of a gridded source: some of its times, rows and columns.

    Parameters
    ----------
    variable, time, grid, packing
        As in `Frames`.
    source
        Where whole frames come from.
    first, corner
        The first frame, and the first row and column, among the source's.
    """

    variable: str
    time: Times
    grid: Grid
    packing: Packing
    source: Source
    first: int = 0
    corner: tuple[int, int] = (0, 0)

    def read(self, frames: slice, rows: slice, columns: slice) -> NDArray[Any]:
        """Stored numbers of these frames, rows and columns, a copy of their own."""
        height, width = self.grid.shape
        top, left = self.corner
        upper, lower, _ = rows.indices(height)
        start, stop, _ = columns.indices(width)
        rows = slice(top + upper, top + lower)
        columns = slice(left + start, left + stop)
        picked = range(*frames.indices(self.time.size))
        shape = (len(picked), max(lower - upper, 0), max(stop - start, 0))
        out = np.empty(shape, self.packing.dtype)
        # a fill value may be too large for 32 bits: it becomes infinite, so missing
        with np.errstate(over="ignore"):
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


class FrameCache:
    """
    The frames used last, up to a number of bytes.

    Examples
    --------
    >>> small = FrameCache(limit=100)
    >>> for number in range(3):
    ...     _ = small.get(number, lambda: np.zeros(50, dtype=np.uint8))
    >>> small.held, len(small)
    (100, 2)
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0
        self._frames: OrderedDict[Hashable, NDArray[Any]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._frames)

    def get(self, key: Hashable, load: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """The frame of this key, loaded if it is not held; it cannot be written."""
        with self._lock:
            if key in self._frames:
                self._frames.move_to_end(key)
                return self._frames[key]
        frame = load().view()
        frame.flags.writeable = False
        with self._lock:
            if key not in self._frames and frame.nbytes <= self.limit:
                self._frames[key] = frame
                self.held += frame.nbytes
                while self.held > self.limit:
                    self.held -= self._frames.popitem(last=False)[1].nbytes
        return frame

    def clear(self) -> None:
        """Let all frames go."""
        with self._lock:
            self._frames.clear()
            self.held = 0


cache = FrameCache(CACHE_BYTES)
