"""Frames of SEVIR events, as its HDF5 files store them: time is the last axis."""

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from math import prod
from typing import Any

import h5py
import numpy as np
import torch
from numpy.typing import NDArray

from stormfusion.data.event import Times
from stormfusion.data.files import Hdf5, open_hdf5, reading
from stormfusion.data.packing import VIL_BYTES, Packing
from stormfusion.errors import CorruptFileError
from stormfusion.grids import Grid

# Only VIL's code for missing is documented. No reflectance or temperature comes near
# the lowest 16-bit number (-3.3 and -327.68 degC), so it is taken to mean missing.
_LOWEST = (-32768.0,)
PACKINGS = {
    "vil": VIL_BYTES,
    "ir107": Packing("int16", scale=1e-2, missing=_LOWEST),
    "ir069": Packing("int16", scale=1e-2, missing=_LOWEST),
    "vis": Packing("int16", scale=1e-4, missing=_LOWEST),
    "lightning": Packing("int16"),
}
"""How SEVIR stores each variable, the one that leads an event first."""

OFFSETS = tuple(range(-120, 121, 5))
"""Nominal times of the 49 frames of an event [min]."""

BAND_BYTES = 1 << 19
"""Bytes that are read at a time: they stay in the processor's cache."""


@dataclass(frozen=True)
class Place:
    """
    Where the frames of an event lie: their lower left corner, spacing and size.

    Row 0 is the southernmost. The coordinates are made when they are asked for: a
    catalog has 75,000 of these.
    """

    crs: str
    left: float
    bottom: float
    dx: float
    dy: float
    columns: int
    rows: int

    def grid(self) -> Grid:
        """The centres of the pixels."""
        y = self.bottom + self.dy * (np.arange(self.rows, dtype=np.float64) + 0.5)
        x = self.left + self.dx * (np.arange(self.columns, dtype=np.float64) + 0.5)
        return Grid(y, x, self.crs)


@dataclass(frozen=True, eq=False)
class SevirRaster:
    """
    Frames of one variable of one event, as (event, y, x, time) in an HDF5 file.

    Parameters
    ----------
    variable
        Name of the variable; its dataset has the same.
    id
        Id of the event, which the file must hold at `index`.
    file
        Path or URL of the file.
    index
        Position of the event in it.
    time_utc
        Nominal time of the event.
    offsets
        Minutes from it to each frame.
    place
        Where the pixels lie.
    options
        What fsspec is told to reach the file.
    """

    variable: str
    id: str
    file: str
    index: int
    time_utc: np.datetime64
    offsets: tuple[int, ...]
    place: Place
    options: Mapping[str, Any] | None = field(default=None, repr=False)

    @cached_property
    def time(self) -> Times:
        """Valid time of each frame."""
        return times_of(self.time_utc, self.offsets)

    @cached_property
    def grid(self) -> Grid:
        """Centres and projection of the pixels."""
        return self.place.grid()

    @property
    def packing(self) -> Packing:
        """How the stored numbers become physical values."""
        return PACKINGS[self.variable]

    def read(self, frames: slice, rows: slice, columns: slice) -> NDArray[Any]:
        """
        Stored numbers, contiguous, with the dimensions (time, y, x).

        An event that lies in one piece, uncompressed, in a local file is read past
        HDF5, a band of rows at a time, and transposed in the processor's cache.

        Raises
        ------
        CorruptFileError
            If the file is damaged, or holds another event or shape at this position.
        """
        handle = open_hdf5(self.file, self.options)
        stored = handle.dataset(self.variable)
        self._check(handle, stored)
        height, width, times = stored.shape[1:]
        f0, f1 = _bounds("frames", frames, times)
        r0, r1 = _bounds("rows", rows, height)
        c0, c1 = _bounds("columns", columns, width)
        values = np.empty((f1 - f0, r1 - r0, c1 - c0), self.packing.dtype)
        if not values.size:
            return values

        def turn(bands: Iterator[tuple[int, NDArray[Any]]]) -> None:
            for top, band in bands:
                part = values[:, top - r0 : top - r0 + len(band)]
                # row by row, as an assignment would not: a row fits the innermost cache
                np.positive(band.transpose(0, 2, 1), out=part.transpose(1, 0, 2))

        address = _address(handle, stored, self.index)
        if address is None:
            cut = slice(r0, r1), slice(c0, c1), slice(f0, f1)
            turn(_through_hdf5(handle, stored, self.index, cut))
            return values
        window = slice(c0, c1), slice(f0, f1)
        parts = [
            _past_hdf5(handle, stored, address, slice(first, last), window)
            for first, last in pairwise(_shares(r0, r1, stored))
        ]
        if len(parts) == 1:
            turn(parts[0])
        else:
            with ThreadPoolExecutor(len(parts)) as pool:
                list(pool.map(turn, parts))
        return values

    def _check(self, handle: Hdf5, stored: h5py.Dataset) -> None:
        name, place = self.variable, self.place
        shape = (place.rows, place.columns, len(self.offsets))
        if stored.ndim != 4 or stored.shape[1:] != shape:
            raise CorruptFileError(
                f"{self.file} holds {name!r} with the shape {stored.shape}, wanted "
                f"{('events', *shape)} as (event, y, x, time); download it again, or "
                "correct its rows of the catalog"
            )
        if not np.can_cast(stored.dtype, self.packing.dtype, "safe"):
            raise CorruptFileError(
                f"{self.file} holds {name!r} as {stored.dtype}, wanted "
                f"{self.packing.dtype}; download it again"
            )
        if not 0 <= self.index < stored.shape[0]:
            raise CorruptFileError(
                f"{self.file} holds {stored.shape[0]} events, the catalog has "
                f"{self.id!r} at {self.index}; download both again"
            )
        ids = handle.ids
        if ids is not None and ids[self.index : self.index + 1] != [self.id]:
            raise CorruptFileError(
                f"{self.file} holds {''.join(ids[self.index : self.index + 1])!r} at "
                f"{self.index}, the catalog has {self.id!r} there; download both again"
            )


def times_of(time_utc: np.datetime64, offsets: tuple[int, ...]) -> Times:
    """Times of frames that lie some minutes from a nominal time."""
    minutes = np.array(offsets, dtype="timedelta64[m]")
    return np.asarray(time_utc.astype("datetime64[ns]") + minutes)


def _bounds(axis: str, part: slice, size: int) -> tuple[int, int]:
    start, stop, step = part.indices(size)
    if step != 1:
        raise ValueError(
            f"{axis} have the step {step}, wanted 1; read them all, then select"
        )
    return start, max(start, stop)


def _address(handle: Hdf5, stored: h5py.Dataset, index: int) -> int | None:
    """Where an event begins in its file, or None unless it lies in one plain piece."""
    plan = stored.id.get_create_plist()
    if handle.descriptor is None or not stored.dtype.isnative or stored.is_virtual:
        return None
    if plan.get_nfilters() or plan.get_external_count():
        return None
    size = prod(stored.shape[1:]) * stored.dtype.itemsize
    if stored.chunks is None:
        address = stored.id.get_offset()
        return None if address is None else int(address) + index * size
    if stored.chunks != (1, *stored.shape[1:]):
        return None
    address = stored.id.get_chunk_info_by_coord((index, 0, 0, 0)).byte_offset
    return None if address is None else int(address)


def _shares(top: int, bottom: int, stored: h5py.Dataset) -> list[int]:
    """Edges of the rows that each thread reads: one, or where it pays one per core."""
    size = (bottom - top) * prod(stored.shape[2:]) * stored.dtype.itemsize
    # a worker of a DataLoader is told to use one thread
    threads = min(torch.get_num_threads(), 4, size // (2 * BAND_BYTES)) or 1
    return [top + (bottom - top) * number // threads for number in range(threads + 1)]


def _past_hdf5(
    handle: Hdf5,
    stored: h5py.Dataset,
    address: int,
    rows: slice,
    window: tuple[slice, slice],
) -> Iterator[tuple[int, NDArray[Any]]]:
    """Bands of rows with these columns and frames; each overwrites the one before."""
    _, _, width, times = stored.shape
    row_bytes = width * times * stored.dtype.itemsize
    step = max(1, BAND_BYTES // row_bytes)
    buffer = np.empty((step, width, times), stored.dtype)
    for first in range(rows.start, rows.stop, step):
        band = buffer[: min(step, rows.stop - first)]
        _fill(handle, band, address + first * row_bytes)
        yield first, band[:, *window]


def _fill(handle: Hdf5, band: NDArray[Any], address: int) -> None:
    """Read into an array; a file that ends before it is full is corrupt."""
    assert handle.descriptor is not None
    left = band.data.cast("B")
    while left.nbytes:
        count = os.preadv(handle.descriptor, [left], address)
        if not count:
            raise CorruptFileError(
                f"{handle.url} is not whole (it ends before byte {address}); download "
                "it again"
            )
        left, address = left[count:], address + count


def _through_hdf5(
    handle: Hdf5, stored: h5py.Dataset, index: int, part: tuple[slice, slice, slice]
) -> Iterator[tuple[int, NDArray[Any]]]:
    """
    Bands of rows with these columns and frames, from any HDF5 file.

    HDF5 unpacks whole chunks and is slow to pick from them, so that an axis is cut
    short only where the chunks are shorter than it.
    """
    rows, columns, frames = part
    _, _, width, times = stored.shape
    chunks = stored.chunks or stored.shape
    c0, c1 = (columns.start, columns.stop) if chunks[2] < width else (0, width)
    f0, f1 = (frames.start, frames.stop) if chunks[3] < times else (0, times)
    block = np.empty((rows.stop - rows.start, c1 - c0, f1 - f0), stored.dtype)
    with reading(handle.url):
        stored.read_direct(block, np.s_[index, rows, c0:c1, f0:f1])
    block = block[:, columns.start - c0 : columns.stop - c0]
    block = block[:, :, frames.start - f0 : frames.stop - f0]
    step = max(1, BAND_BYTES // (width * times * stored.dtype.itemsize))
    for first in range(0, len(block), step):
        yield rows.start + first, block[first : first + step]
