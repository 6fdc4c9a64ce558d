"""Lightning of SEVIR events: tables of flashes, counted on a grid."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stormfusion.data.event import Times
from stormfusion.data.files import open_hdf5, reading
from stormfusion.data.packing import Packing
from stormfusion.data.sevir_frames import OFFSETS, PACKINGS, Place, times_of
from stormfusion.errors import CorruptFileError
from stormfusion.grids import Grid

LIGHTNING_SIZE = 48
"""Rows and columns of the grid on which flashes are counted."""


@dataclass(frozen=True, eq=False)
class SevirLightning:
    """
    Flashes of one event, counted on its frames; see `count_flashes`.

    SEVIR writes an empty table for an event without flashes. A file without the
    event's table says nothing about its flashes: that is a damaged file, not zeros.

    Parameters
    ----------
    id
        Id of the event, the name of its table.
    file
        Path or URL of the file.
    time_utc
        Nominal time of the event, to which the flashes' times are relative.
    place
        Where the 48 x 48 pixels lie.
    binning
        Which flashes belong to a frame, as `count_flashes` takes it.
    options
        What fsspec is told to reach the file.
    """

    id: str
    file: str
    time_utc: np.datetime64
    place: Place
    binning: str = "leading"
    options: Mapping[str, Any] | None = field(default=None, repr=False)

    @property
    def variable(self) -> str:
        """`lightning`."""
        return "lightning"

    @property
    def packing(self) -> Packing:
        """Flashes are counts."""
        return PACKINGS["lightning"]

    @cached_property
    def time(self) -> Times:
        """Valid time of each frame."""
        return times_of(self.time_utc, OFFSETS)

    @cached_property
    def grid(self) -> Grid:
        """Centres and projection of the pixels."""
        return self.place.grid()

    def read(self, frames: slice, rows: slice, columns: slice) -> NDArray[Any]:
        """
        Numbers of flashes with the dimensions (time, y, x).

        Raises
        ------
        CorruptFileError
            If the file is damaged or has no table of this event.
        """
        stored = open_hdf5(self.file, self.options).dataset(self.id)
        if stored.ndim != 2 or stored.shape[1] < 5:
            raise CorruptFileError(
                f"{self.file} holds a table of shape {stored.shape} for {self.id!r}, "
                "wanted 5 columns (time, latitude, longitude, x, y); download it again"
            )
        with reading(self.file):
            table = stored[:, :5]
        counts = count_flashes(table, binning=self.binning)
        return np.ascontiguousarray(counts[frames, rows, columns])


def count_flashes(
    table: NDArray[Any], *, binning: str = "leading"
) -> NDArray[np.int16]:
    r"""
    Count the flashes of an event in each pixel and frame.

    Parameters
    ----------
    table
        One row per flash: time relative to the event's [s], latitude, longitude, and
        position in x and y on the 48 x 48 grid. Flashes outside of it are dropped.
    binning
        `"leading"`: a frame at time $T$ holds the flashes in $(T - 5\,min, T]$, so
        that it knows nothing of what comes after it; earlier and later flashes are
        dropped. `"sevir"`: those in $[T, T + 5\,min)$, as SEVIR's own code counts
        them; the first frame also holds all before it, the last all after it. A
        nowcast made from these sees five minutes of the future.

    Returns
    -------
    ndarray
        Number of flashes, with the dimensions (time, y, x).

    Examples
    --------
    >>> flash = np.array([[1.0, 35.0, -97.0, 10.2, 20.7]])  # one second after frame 24
    >>> np.argwhere(count_flashes(flash)).tolist()
    [[25, 20, 10]]
    >>> np.argwhere(count_flashes(flash, binning="sevir")).tolist()
    [[24, 20, 10]]
    """
    check_binning(binning)
    edges = 60.0 * np.array(OFFSETS)
    size = LIGHTNING_SIZE
    seconds, x, y = (table[:, i].astype(np.float64) for i in (0, 3, 4))
    with np.errstate(invalid="ignore"):
        kept = np.isfinite(seconds) & (x >= 0) & (x < size) & (y >= 0) & (y < size)
        if binning == "leading":
            kept &= (seconds > edges[0] - 300.0) & (seconds <= edges[-1])
    if binning == "leading":
        frame = np.searchsorted(edges, seconds[kept], side="left")
    else:
        frame = np.maximum(np.searchsorted(edges, seconds[kept], side="right") - 1, 0)
    cell = (frame * size + y[kept].astype(int)) * size + x[kept].astype(int)
    counts = np.bincount(cell, minlength=edges.size * size * size)
    most = np.iinfo(np.int16).max
    return np.minimum(counts, most).astype(np.int16).reshape(-1, size, size)


def check_binning(binning: str) -> None:
    """Raise a sentence unless `binning` is one that `count_flashes` knows."""
    if binning not in ("leading", "sevir"):
        raise ValueError(
            f"lightning binning is {binning!r}, wanted 'leading' (flashes up to a "
            "frame) or 'sevir' (flashes after it, as in SEVIR's own code)"
        )
