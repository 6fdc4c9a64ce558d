"""Neighbourhoods: whether something happens within a distance of each pixel."""

import numpy as np
from numpy.typing import NDArray

from stormfusion.grids import Grid

FARTHEST = 1e9
"""More than there is between two places [m]."""


class Nearby:
    """
    The pixels within a distance of each pixel of a grid, from centre to centre.

    Parameters
    ----------
    grid
        In metres or degrees; where it is in degrees, columns get closer to the poles.
    distance
        [m].

    Examples
    --------
    >>> grid = Grid(np.arange(3) * 1000.0, np.arange(4) * 1000.0)
    >>> event = np.zeros((3, 4), dtype=bool)
    >>> event[0, 0] = True
    >>> Nearby(grid, 1500.0)(event).astype(int)
    array([[1, 1, 0, 0],
           [1, 1, 0, 0],
           [0, 0, 0, 0]])
    """

    def __init__(self, grid: Grid, distance: float) -> None:
        width, height = grid.metres()
        distance = min(distance, FARTHEST)
        reach = np.floor(distance / float(height[0, 0]) + 1e-9)
        self.reach = int(min(reach, grid.shape[0] - 1))
        offsets = np.arange(self.reach + 1) * float(height[0, 0])
        half = np.sqrt(np.maximum(distance**2 - offsets**2, 0.0))
        # of each row, and of each row that lies so many away
        columns = np.floor(half[None] / width + 1e-9)
        self.columns = np.minimum(columns, grid.shape[1]).astype(np.int64)
        self.even = bool((self.columns == self.columns[:1]).all())

    def __call__(self, event: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """
        Whether there is an event within the distance, of maps (..., y, x).

        What lies beyond the edge is not known and counts as none.
        """
        found = np.zeros_like(event)
        if not event.any():
            return found
        maps = event.reshape(-1, *event.shape[-2:])
        for one, out in zip(maps, found.reshape(maps.shape), strict=True):
            if one.any():
                self._spread(one, out)
        return found

    def _spread(self, event: NDArray[np.bool_], found: NDArray[np.bool_]) -> None:
        height, width = event.shape
        counts = np.zeros((height, width + 1), dtype=np.int32)
        np.cumsum(event, axis=1, out=counts[:, 1:])
        rows = np.flatnonzero(counts[:, -1])
        top, bottom = int(rows[0]), int(rows[-1]) + 1
        for away in range(self.reach + 1):
            if self.even:
                wide = _along(counts[top:bottom], int(self.columns[0, away]))
            for shift in {away, -away}:
                first, last = max(top + shift, 0), min(bottom + shift, height)
                if first >= last:
                    continue
                if self.even:
                    found[first:last] |= wide[first - shift - top : last - shift - top]
                    continue
                # the circle about a pixel is as wide as its own row says
                source = counts[first - shift : last - shift]
                reach = self.columns[first:last, away, None]
                place = np.arange(width)
                high = np.minimum(place + reach + 1, width)
                low = np.maximum(place - reach, 0)
                found[first:last] |= np.take_along_axis(
                    source, high, 1
                ) > np.take_along_axis(source, low, 1)


def _along(counts: NDArray[np.int32], reach: int) -> NDArray[np.bool_]:
    """Whether there is one within so many columns, of counts from the left."""
    width = counts.shape[1] - 1
    high = np.minimum(np.arange(width) + reach + 1, width)
    low = np.maximum(np.arange(width) - reach, 0)
    return np.asarray(counts[:, high] > counts[:, low])
