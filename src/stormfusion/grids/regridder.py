"""Maps that bring fields from one grid to another."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stormfusion.errors import GridMismatchError
from stormfusion.grids.grid import Axis, Grid, same_projection, step_of
from stormfusion.grids.projections import transformer

KNOWN_AREA = 0.5 - 1e-5
"""A pixel is known where at least half its area is, give or take rounding."""


@dataclass(frozen=True, eq=False)
class Regridder:
    """
    Bring fields from one grid to another by their coordinates.

    Where both share a projection, each target pixel takes the mean of the source
    pixels it covers, by area (a coarser source is repeated, a finer one averaged);
    `rows` and `columns` hold the weights. Otherwise it takes the nearest source pixel,
    whose position `nearest` holds (-1 outside the source).

    Parameters
    ----------
    rows, columns
        Shares of the source's rows and columns in the target's, or None.
    nearest
        Position of each target pixel in the flattened source, or None.
    shape, source_shape
        Rows and columns of the target and of the source.

    Examples
    --------
    >>> fine = Grid(np.arange(4) * 1000.0, np.arange(4) * 1000.0)
    >>> coarse = Grid(np.array([500.0, 2500.0]), np.array([500.0, 2500.0]))
    >>> Regridder.between(fine, coarse).apply(np.arange(16.0).reshape(4, 4))
    array([[ 2.5,  4.5],
           [10.5, 12.5]], dtype=float32)
    """

    rows: NDArray[np.float32] | None
    columns: NDArray[np.float32] | None
    nearest: NDArray[np.int64] | None
    shape: tuple[int, int]
    source_shape: tuple[int, int]

    @classmethod
    def between(cls, source: Grid, target: Grid) -> "Regridder":
        """
        The map from `source` to `target`.

        Raises
        ------
        GridMismatchError
            If one grid is in degrees and the projection of the other is unknown.
        """
        if same_projection(source, target):
            rows = overlap(source.y, target.y)
            # longitudes may be counted from -180 or from 0
            turns = (-360.0, 0.0, 360.0) if source.degrees else (0.0,)
            columns = sum(overlap(source.x + turn, target.x) for turn in turns)
            columns = np.asarray(columns, dtype=np.float32)
            return cls(rows, columns, None, target.shape, source.shape)
        if source.crs is None or target.crs is None:
            raise GridMismatchError(
                "one grid is in degrees and the other, in metres, has no projection; "
                "add a grid mapping to it"
            )
        return cls(None, None, _nearest(source, target), target.shape, source.shape)

    def apply(self, values: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Regrid the last two axes; a pixel with under half its area known is NaN."""
        if self.nearest is not None:
            flat = values.reshape(*values.shape[:-2], -1)
            taken = flat[..., np.maximum(self.nearest, 0)]
            taken = np.where(np.isfinite(taken) & (self.nearest >= 0), taken, np.nan)
            return taken.astype(np.float32)
        assert self.rows is not None
        assert self.columns is not None
        known = np.isfinite(values)
        filled = np.where(known, values, 0.0).astype(np.float32)
        total = self.rows @ filled @ self.columns.T
        area = self.rows @ known.astype(np.float32) @ self.columns.T
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(area >= KNOWN_AREA, total / area, np.nan).astype(np.float32)

    def trimmed(self) -> "tuple[slice, slice, Regridder | None] | None":
        """
        The rows and columns of the source that are needed, and the map from them.

        None if the grids do not touch. In place of the map stands None where it would
        change nothing: the target is a part of the source.
        """
        if self.nearest is not None:
            inside = self.nearest[self.nearest >= 0]
            if not inside.size:
                return None
            width = self.source_shape[1]
            rows, columns = _span(inside // width), _span(inside % width)
            row, column = self.nearest // width, self.nearest % width
            count = (rows.stop - rows.start, columns.stop - columns.start)
            moved = (row - rows.start) * count[1] + column - columns.start
            moved = np.where(self.nearest >= 0, moved, -1)
            return rows, columns, Regridder(None, None, moved, self.shape, count)
        assert self.rows is not None
        assert self.columns is not None
        touched = [np.flatnonzero(w.any(axis=0)) for w in (self.rows, self.columns)]
        if not all(t.size for t in touched):
            return None
        rows, columns = (_span(t) for t in touched)
        down, across = self.rows[:, rows], self.columns[:, columns]
        if all(
            w.shape[0] == w.shape[1] and np.allclose(w, np.eye(len(w)), atol=1e-3)
            for w in (down, across)
        ):
            return rows, columns, None
        count = (down.shape[1], across.shape[1])
        return rows, columns, Regridder(down, across, None, self.shape, count)


def overlap(source: Axis, target: Axis) -> NDArray[np.float32]:
    """
    Share of each target cell that each source cell covers, along one axis.

    Examples
    --------
    >>> overlap(np.array([0.0, 2.0]), np.array([-0.5, 0.5, 1.5, 2.5]))
    array([[1., 0.], [1., 0.], [0., 1.], [0., 1.]], dtype=float32)
    """
    half_source, half_target = abs(step_of(source)) / 2, abs(step_of(target)) / 2
    lower = np.maximum(source - half_source, (target - half_target)[:, None])
    upper = np.minimum(source + half_source, (target + half_target)[:, None])
    share = np.clip(upper - lower, 0.0, None) / (2 * half_target)
    return np.asarray(np.where(share < 1e-6, 0.0, share), dtype=np.float32)


def _nearest(source: Grid, target: Grid) -> NDArray[np.int64]:
    x, y = np.meshgrid(target.x, target.y)
    x, y = transformer(target.crs, source.crs).transform(x, y)
    if source.degrees:
        middle = (source.x[0] + source.x[-1]) / 2
        x = middle + (x - middle + 180.0) % 360.0 - 180.0
    height, width = source.shape
    with np.errstate(invalid="ignore"):
        # a point half-way between two pixels belongs to the second
        row = np.floor((y - source.y[0]) / step_of(source.y) + 0.5)
        column = np.floor((x - source.x[0]) / step_of(source.x) + 0.5)
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        flat = np.where(inside, row * width + column, -1)
    return np.asarray(flat, dtype=np.int64)


def _span(positions: NDArray[np.intp] | NDArray[np.int64]) -> slice:
    return slice(int(positions.min()), int(positions.max()) + 1)
