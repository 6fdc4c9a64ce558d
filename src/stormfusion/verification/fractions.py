"""Squared fractions of events in windows around each pixel of a map."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from stormfusion.verification.counts import reaches, reaching
from stormfusion.verification.probability import check_probabilities

Bare = npt.NDArray[Any]

BAND = 128
"""Rows whose windows are taken at a time: what they hold stays in cache."""
STEPS = 16
"""Rows that are added up before the sums of such rows are."""


def fraction_sums(
    f: Bare, o: Bare, limits: Sequence[float | None], scales: list[int]
) -> Bare:
    """
    Windows, (p_f - p_o)^2, p_f^2 + p_o^2, events and pixels of one map.

    Parameters
    ----------
    f, o
        Members `(member, y, x)` and observations `(y, x)`.
    limits
        Of events; None for one forecast of probabilities.
    scales
        Widths of the windows, odd.

    Returns
    -------
    ndarray
        `(limit, scale, 5)`. Counts are exact, and squares of them are summed in single
        precision over a few rows, in double from there on.

    Examples
    --------
    >>> fraction_sums(np.eye(3)[None], np.eye(3), [1.0], [1])
    array([[[9., 0., 6., 3., 9.]]])
    """
    result = np.zeros((len(limits), len(scales), 5))
    gone = valid = None
    if np.isnan(f.min(initial=0)) or np.isnan(o.min(initial=0)):
        gone = np.isnan(f).any(0) | np.isnan(o)
        valid = _Windows((~gone[None]).astype(np.int32), scales)
    certain = [limit for limit in limits if limit is not None]
    counts = [None] if len(certain) < len(limits) else [*reaching(f, certain)]
    for row, limit, count in zip(result, limits, counts, strict=True):
        share, event = _fields(f, o, limit, count, gone)
        row[:, 3] = np.count_nonzero(event)
        row[:, 4] = o.size if gone is None else o.size - np.count_nonzero(gone)
        kind = _holding(2 * len(f) * min(max(scales) ** 2, o.size))
        if limit is None:
            kind = share.dtype
        both = np.stack([share + event, share - event]).astype(kind, copy=False)
        tables = _Windows(both, scales)
        row[:, :3] = _squares(tables, valid, scales)
        row[:, 1:3] /= 1 if limit is None else len(f) ** 2
    return result


def _holding(largest: int) -> Any:
    """The shortest type that holds what is in a window."""
    return np.int16 if largest < 2**15 else np.int32 if largest < 2**31 else np.int64


def _fields(
    f: Bare, o: Bare, limit: float | None, count: Bare | None, gone: Bare | None
) -> tuple[Bare, Bare]:
    """How many members reach the limit, and all or none; or the probabilities."""
    if limit is None or count is None:
        check_probabilities(f, o)
        share, event = (a.astype(np.float64) for a in (f[0], o))
    else:
        kind = _holding(2 * len(f))
        share, event = count.astype(kind), reaches(o, limit).astype(kind)
        event *= len(f)
    if gone is not None:
        share[gone] = event[gone] = 0
    return share, event


class _Windows:
    """
    Sums over windows around each pixel, cut at the edge.

    They come from sums over all pixels before each corner. These may overflow: what a
    window holds is the difference of four, which is right as long as it fits itself.
    """

    def __init__(self, fields: Bare, scales: list[int]) -> None:
        self.fields = fields
        self.shape = height, width = fields.shape[1:]
        self.most = top, left = [min(max(scales) // 2, size - 1) for size in self.shape]
        rows = -(-(height + 1 + 2 * top) // STEPS) * STEPS
        shape = (len(fields), rows, width + 1 + 2 * left)
        self.table = table = np.zeros(shape, fields.dtype)
        inner = table[:, top + 1 : top + 1 + height, left + 1 : left + 1 + width]
        np.cumsum(fields, axis=2, dtype=fields.dtype, out=inner)
        if left:
            table[:, :, -left:] = table[:, :, -left - 1, None]
        # down the columns in two walks, of many rows at a time
        parts = table.reshape(len(fields), -1, STEPS, shape[2])
        for row in range(1, STEPS):
            parts[:, :, row] += parts[:, :, row - 1]
        for part in range(1, parts.shape[1]):
            parts[:, part] += parts[:, part - 1, -1:]

    def of(self, scale: int, rows: slice) -> Bare:
        """The sums over windows of a width around the pixels of some rows."""
        if scale == 1:
            return self.fields[:, rows]
        up, aside = (min(scale // 2, size - 1) for size in self.shape)
        top, left = self.most
        first, last = rows.start + top, rows.stop + top
        columns = slice(left - aside, left + self.shape[1] + aside + 1)
        below = self.table[:, first + up + 1 : last + up + 1, columns]
        strip = below - self.table[:, first - up : last - up, columns]
        width = 2 * aside + 1
        return np.asarray(strip[:, :, width:] - strip[:, :, :-width])


def _squares(tables: _Windows, valid: _Windows | None, scales: list[int]) -> Bare:
    """Windows that count, and their (p_f - p_o)^2 and p_f^2 + p_o^2, by scale."""
    height, width = tables.shape
    kind = np.float64 if tables.table.dtype.kind == "f" else np.float32
    total = np.zeros((len(scales), 3))
    room = np.empty((2, min(BAND, height), width), kind)
    for start in range(0, height, BAND):
        rows = slice(start, min(start + BAND, height))
        squares = room[:, : rows.stop - start]
        for number, scale in enumerate(scales):
            sums = tables.of(scale, rows)
            np.copyto(squares, sums)
            np.square(squares, out=squares)
            if valid is None:
                count = squares[0].size
                found = squares @ _shares(width, scale, kind)
                found = found @ _shares(height, scale, np.float64)[rows]
            else:
                n = valid.of(scale, rows)[0]
                inside = np.outer(_pixels(height, scale)[rows], _pixels(width, scale))
                counts = 2 * n >= inside
                count = np.count_nonzero(counts)
                squares *= (counts / np.maximum(n, 1) ** 2.0).astype(kind)
                found = squares.sum((1, 2), dtype=np.float64)
            # p_f^2 + p_o^2 is half of (p_f + p_o)^2 + (p_f - p_o)^2
            total[number] += np.array([count, found[1], (found[0] + found[1]) / 2])
    return total


@lru_cache(maxsize=256)
def _shares(size: int, scale: int, kind: Any) -> Bare:
    """The square of the share that each pixel has of a window, along an axis."""
    return np.asarray(1.0 / _pixels(size, scale) ** 2.0).astype(kind)


def _pixels(size: int, scale: int) -> Bare:
    """How many pixels of the domain a window around each has along an axis."""
    at = np.arange(size)
    last, first = np.minimum(at + scale // 2 + 1, size), np.maximum(at - scale // 2, 0)
    return np.asarray(last - first)
