"""Outlines of the areas where a map reaches a level."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ring = NDArray[np.float64]
_CLEAR = 1e-3
"""Distance of values from the level below which lines would meet at a vertex."""


@dataclass(frozen=True, eq=False)
class Outline:
    """
    One contiguous area of a map.

    Parameters
    ----------
    rings
        The outer ring and those of the holes, closed, each of points (x, y) in the
        map's coordinates.
    pixels
        Rows and columns of the pixels inside, all those that reach the level.

    Examples
    --------
    >>> (area,) = outlines(np.ones((2, 2)), np.arange(2.0), np.arange(2.0), 0.5)
    >>> len(area.rings), area.pixels[0].size
    (1, 4)
    """

    rings: tuple[Ring, ...]
    pixels: tuple[NDArray[np.intp], NDArray[np.intp]]


def outlines(values: NDArray[Any], y: Ring, x: Ring, level: float) -> list[Outline]:
    """
    The contiguous areas where a map is at or above a level.

    Between the centres of pixels the map is interpolated. Areas end at the edges of
    the outermost pixels and of missing ones, half a pixel from their neighbours'
    centres. Every pixel `>= level` lies inside an area, and no other one: the line is
    drawn at the level, or, where that is nearer to the least value that reaches it,
    halfway from there to the largest that does not. So areas of a higher level lie in
    those of a lower one, however few values there are.

    Parameters
    ----------
    values
        With the dimensions (y, x), from 0 to 1; NaN where missing.
    y, x
        Centres of rows and columns, evenly spaced, either way.
    level
        Above 0, at most 1.

    Returns
    -------
    list of Outline
        The largest number of pixels first.

    Examples
    --------
    >>> risk = np.zeros((5, 5))
    >>> risk[1:4, 1:4] = 1
    >>> risk[2, 2] = np.nan
    >>> (area,) = outlines(risk, np.arange(5.0), np.arange(5.0), 0.5)
    >>> len(area.rings), area.pixels[0].size
    (2, 8)
    """
    import contourpy
    from scipy import ndimage

    values = np.asarray(values, dtype=np.float64)
    inside = reaches(values, level)
    if not inside.any():
        return []
    field = _refined(values) - _line(values, inside, level)
    apart = np.maximum(np.abs(field), _CLEAR)
    field = np.where(np.isnan(field), np.nan, np.where(field > 0, apart, -apart))
    # pixels that only meet in a corner, between two missing ones, stay apart
    field[2:-2:2, 2:-2:2][_diagonal(~np.isnan(values))] = -_CLEAR
    # where a pixel is missing its centre is masked, and with it the pixel and no more
    columns, rows = _edges(x), _edges(y)
    generator = contourpy.contour_generator(
        columns,
        rows,
        np.ma.masked_invalid(field),
        corner_mask=False,
        fill_type=contourpy.FillType.OuterOffset,
    )
    areas: Any = generator.filled(0.0, np.inf)
    labels, _ = ndimage.label(inside)
    order = np.argsort(labels, axis=None, kind="stable")
    starts = np.flatnonzero(np.diff(labels.flat[order], prepend=0))
    grouped = np.split(order, starts)[1:]
    # one pixel of each group tells in which area it lies
    row, column = np.unravel_index([group[0] for group in grouped], labels.shape)
    found = []
    for corners, ends in zip(*areas, strict=True):
        rings = tuple(np.asarray(corners[a:b]) for a, b in pairwise(ends))
        mine = np.flatnonzero(_within(rings, x[column], y[row]))
        pixels = np.sort(np.concatenate([grouped[number] for number in mine]))
        found.append(Outline(rings, divmod(pixels, values.shape[1])))
    return sorted(found, key=lambda area: -area.pixels[0].size)


def reaches(values: NDArray[Any], level: float) -> NDArray[np.bool_]:
    """
    Where values are at or above a level, both taken as 32-bit numbers.

    Examples
    --------
    >>> reaches(np.array([np.float32(0.7), 0.6, np.nan]), 0.7).tolist()
    [True, False, False]
    """
    return np.asarray(values, dtype=np.float32) >= np.float32(level)


def _line(values: Ring, inside: NDArray[np.bool_], level: float) -> float:
    """Where the line is drawn: at the level, but never beyond the middle of its gap."""
    below = values[~inside & ~np.isnan(values)]
    most = float(below.max()) if below.size else 0.0
    return min(float(level), (float(values[inside].min()) + most) / 2)


def _refined(values: Ring) -> Ring:
    """
    Values at the centres, edges and corners of pixels, means of the known ones there.

    The centre of pixel (i, j) is at (2 i + 1, 2 j + 1).
    """
    rows, columns = values.shape
    total = np.zeros((2 * rows + 1, 2 * columns + 1))
    count = np.zeros_like(total)
    known = ~np.isnan(values)
    filled = np.where(known, values, 0.0)
    for i in (0, 1, 2):
        for j in (0, 1, 2):
            part = np.s_[i : i + 2 * rows : 2, j : j + 2 * columns : 2]
            total[part] += filled
            count[part] += known
    with np.errstate(invalid="ignore", divide="ignore"):
        means: Ring = total / count
    return means


def _diagonal(known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The inner corners of which two of the four pixels are known, not side by side."""
    a, b, c, d = known[:-1, :-1], known[:-1, 1:], known[1:, :-1], known[1:, 1:]
    found: NDArray[np.bool_] = (a == d) & (b == c) & (a != b)
    return found


def _edges(centres: Ring) -> Ring:
    """Edges and centres of pixels, one after the other."""
    step = float(centres[-1] - centres[0]) / (centres.size - 1)
    return float(centres[0]) + step * (np.arange(2 * centres.size + 1) - 1.0) / 2


def _within(rings: tuple[Ring, ...], x: Ring, y: Ring) -> NDArray[np.bool_]:
    """Which points lie in the outer ring and in none of the holes."""
    (west, south), (east, north) = rings[0].min(axis=0), rings[0].max(axis=0)
    found: NDArray[np.bool_] = (west < x) & (x < east) & (south < y) & (y < north)
    near = np.flatnonzero(found)
    x0, y0 = np.concatenate([ring[:-1] for ring in rings]).T
    x1, y1 = np.concatenate([ring[1:] for ring in rings]).T
    for py in np.unique(y[near]):
        here = near[y[near] == py]
        crosses = (y0 > py) != (y1 > py)
        a, b, c, d = x0[crosses], y0[crosses], x1[crosses], y1[crosses]
        lines = np.sort(a + (py - b) / (d - b) * (c - a))
        found[here] = np.searchsorted(lines, x[here]) % 2 == 1
    return found
