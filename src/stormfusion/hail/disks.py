"""The largest value and the sum within a distance of each pixel, exact and fast."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Whole = NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True)
class Disk:
    """
    The pixels whose centres lie within a distance of a pixel's.

    It is worked row by row: a disk is a stack of strips, the largest value of a strip
    comes from two that are powers of two long, its sum from two cumulated sums.

    Parameters
    ----------
    widths
        Pixels that the disk reaches to either side of its middle column, in the middle
        row and in each row further out, on both sides of it.

    Examples
    --------
    >>> disk = Disk.within(1500.0, (1000.0, 1000.0))
    >>> disk.widths, disk.size
    ((1, 1), 9)
    >>> field = np.zeros((3, 4), dtype=np.uint8)
    >>> field[0, 0] = 7
    >>> disk.largest(field)
    array([[7, 7, 0, 0],
           [7, 7, 0, 0],
           [0, 0, 0, 0]], dtype=uint8)
    """

    widths: tuple[int, ...]

    @classmethod
    def within(cls, distance: float, spacing: tuple[float, float]) -> "Disk":
        """The disk of a radius on a grid of this spacing in y and x, all in metres."""
        dy, dx = spacing
        up = np.arange(int(distance / dy + 1e-9) + 1) * dy
        reach = np.sqrt(np.maximum(distance**2 - up**2, 0.0))
        return cls(tuple(int(width / dx + 1e-9) for width in reach))

    @property
    def size(self) -> int:
        """Number of pixels."""
        strips = [2 * width + 1 for width in self.widths]
        return 2 * sum(strips) - strips[0]

    @cached_property
    def dtype(self) -> "np.dtype[Any]":
        """The least type that holds a sum of bytes over the disk."""
        return np.dtype(np.uint16 if self.size * 255 < 2**16 else np.uint32)

    def largest(self, field: Whole) -> Whole:
        """The largest value within the disk about each pixel; 0 beyond the map."""
        columns, widest = field.shape[1], self.widths[0]
        tables = [np.pad(field, ((0, 0), (widest, widest)))]
        for power in range((2 * widest + 1).bit_length() - 1):
            last, step = tables[-1], 2**power
            tables.append(np.maximum(last[:, :-step], last[:, step:]))

        def strip(width: int) -> Whole:
            length = 2 * width + 1
            power = length.bit_length() - 1
            left = widest - width
            right = left + length - 2**power
            table = tables[power]
            return np.maximum(
                table[:, left : left + columns], table[:, right : right + columns]
            )

        return self._stacked(strip, np.maximum)

    def total(self, field: Whole) -> Whole:
        """The sum of bytes within the disk about each pixel; 0 beyond the map."""
        columns, widest = field.shape[1], self.widths[0]
        sums = np.zeros((field.shape[0], columns + 2 * widest + 1), self.dtype)
        inner = sums[:, widest + 1 : widest + 1 + columns]
        # what runs over the type is taken away again by the difference of two sums
        np.cumsum(field, axis=1, dtype=self.dtype, out=inner)
        sums[:, widest + 1 + columns :] = inner[:, -1:]

        def strip(width: int) -> Whole:
            left, right = widest - width, widest + width + 1
            return np.subtract(
                sums[:, right : right + columns], sums[:, left : left + columns]
            )

        return self._stacked(strip, np.add)

    def _stacked(self, strip: Callable[[int], Whole], join: Any) -> Whole:
        """Join the strips of the rows above and below each pixel with its own."""
        found = strip(self.widths[0])
        rows, width, line = len(found), self.widths[0], found.copy()
        for off, wanted in enumerate(self.widths[1:], start=1):
            if off >= rows:
                break
            if wanted != width:
                width, line = wanted, strip(wanted)
            join(found[off:], line[:-off], out=found[off:])
            join(found[:-off], line[off:], out=found[:-off])
        return found


@lru_cache(maxsize=16)
def in_map(disk: Disk, shape: tuple[int, int]) -> Whole:
    """
    How many pixels of the disk about each pixel lie on a map of this shape.

    Examples
    --------
    >>> in_map(Disk((1, 0)), (2, 3))
    array([[3, 4, 3],
           [3, 4, 3]], dtype=uint16)
    """
    found = disk.total(np.ones(shape, dtype=np.uint8))
    found.flags.writeable = False
    return found
