"""The pixels of a grid that hold points and that polygons touch."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stormfusion.errors import GridMismatchError
from stormfusion.grids import Grid
from stormfusion.grids.projections import LATITUDE_LONGITUDE, is_turned, transformer

Index = NDArray[np.intp]
Numbers = NDArray[np.float64]
_RIM = 1e-3
"""Pixels by which a point may lie outside: coordinates are rounded in files."""


@dataclass(frozen=True, eq=False)
class Pixels:
    """
    The pixels of places.

    Parameters
    ----------
    owner
        The place of each pixel.
    row, column
        Where it is.
    inside
        Of each place, whether it lies in the domain, all of it.
    outside
        Of each place, whether it does not; neither is so where nobody knows where it
        lies.

    Examples
    --------
    >>> grid = Grid(np.arange(3.0), np.arange(3.0))
    >>> pixels_at(grid, np.array([2.0]), np.array([0.0])).gather(np.eye(3))
    array([0.])
    """

    owner: Index
    row: Index
    column: Index
    inside: NDArray[np.bool_]
    outside: NDArray[np.bool_]

    def gather(self, values: NDArray[Any], *, least: bool = False) -> Numbers:
        """
        The largest known value of the pixels of each place, or the smallest.

        NaN where there is none.

        Parameters
        ----------
        values
            With the dimensions (y, x).
        least
            Whether the smallest one is wanted.
        """
        found = np.full(self.inside.size, np.nan)
        choose = np.fmin if least else np.fmax
        choose.at(found, self.owner, values[self.row, self.column].astype(np.float64))
        return found


def in_grid(
    grid: Grid, latitude: Numbers, longitude: Numbers
) -> tuple[Numbers, Numbers]:
    """
    Places in a grid's own coordinates; infinite where its projection cannot show them.

    Raises
    ------
    GridMismatchError
        If the projection is unknown.

    Examples
    --------
    >>> grid = Grid(np.arange(4.0), np.arange(350.0, 354.0), "EPSG:4326", degrees=True)
    >>> [part.tolist() for part in in_grid(grid, np.array([2.0]), np.array([-8.0]))]
    [[352.0], [2.0]]
    """
    if grid.crs is None:
        raise _unknown()
    if _plain(grid):
        x, y = longitude, latitude
    else:
        x, y = transformer(LATITUDE_LONGITUDE, grid.crs).transform(longitude, latitude)
    if grid.degrees:
        x = x - 360.0 * np.round((x - grid.x.mean()) / 360.0)
    return np.asarray(x), np.asarray(y)


def pixels_at(grid: Grid, x: Numbers, y: Numbers) -> Pixels:
    """
    The pixel that holds each point, given in the grid's own coordinates.

    The domain ends half a pixel beyond the outermost centres. A point between two
    pixels is in that of the higher index.

    Examples
    --------
    >>> grid = Grid(np.arange(4.0)[::-1], np.arange(4.0))
    >>> found = pixels_at(grid, np.array([0.2, 3.6]), np.array([-0.5, 0.0]))
    >>> found.row, found.column, found.inside
    (array([3]), array([0]), array([ True, False]))
    """
    row, in_rows = _index(grid.y, y)
    column, in_columns = _index(grid.x, x)
    inside = in_rows & in_columns
    outside = ~inside & ~np.isnan(x) & ~np.isnan(y)
    return Pixels(np.flatnonzero(inside), row[inside], column[inside], inside, outside)


def pixels_of(places: Any, grid: Grid) -> Pixels:
    """
    The pixels that the geometries of a GeoDataFrame touch with more than their rim.

    Parameters
    ----------
    places
        A GeoDataFrame of points and polygons, in any projection.
    grid
        With a known projection.

    Raises
    ------
    ValueError
        If the projection of the places is unknown, or some are neither points nor
        polygons.
    GridMismatchError
        If that of the grid is unknown.

    Examples
    --------
    >>> import geopandas, shapely
    >>> grid = Grid(np.arange(4.0), np.arange(4.0), "EPSG:4326", degrees=True)
    >>> area = geopandas.GeoDataFrame(geometry=[shapely.box(1, 1, 2.4, 1.2)], crs=4326)
    >>> pixels_of(area, grid).column
    array([1, 2])
    """
    import shapely

    if places.crs is None:
        raise ValueError(
            "the places have no projection, wanted one; say it with "
            "places.set_crs('EPSG:4326')"
        )
    kinds = set(places.geom_type.dropna()) - {"Point", "Polygon", "MultiPolygon"}
    if kinds:
        raise ValueError(
            f"places are {', '.join(sorted(kinds))}, wanted points and polygons; "
            "choose those, or take places.buffer(...)"
        )
    geometry = np.asarray(places.geometry.to_crs(_crs_of(grid)))
    parts, owner = shapely.get_parts(geometry, return_index=True)
    full = ~shapely.is_empty(parts)
    parts, owner = _beside(parts[full], grid), owner[full]
    is_point = shapely.get_type_id(parts) == 0
    there = np.zeros(len(places), dtype=bool)
    there[owner] = True
    inside = there.copy()
    points = pixels_at(grid, *shapely.get_coordinates(parts[is_point]).T)
    inside[owner[is_point][~points.inside]] = False
    found = [(owner[is_point][points.owner], points.row, points.column)]
    for part, place in zip(parts[~is_point], owner[~is_point], strict=True):
        row, column, whole = _touched(part, grid)
        inside[place] &= whole
        found.append((np.full(row.size, place, dtype=np.intp), row, column))
    owners, rows, columns = (np.concatenate(e) for e in zip(*found, strict=True))
    return Pixels(owners, rows, columns, inside, there & ~inside)


def _touched(part: Any, grid: Grid) -> tuple[Index, Index, bool]:
    """Rows and columns that a polygon touches, and whether all of it is inside."""
    import shapely

    west, south, east, north = part.bounds
    ends = np.array([[west, east], [south, north]])
    if not np.isfinite(ends).all():
        return np.empty(0, np.intp), np.empty(0, np.intp), False
    spans, whole = [], True
    for centres, values in ((grid.x, ends[0]), (grid.y, ends[1])):
        index, within = _index(centres, values)
        whole &= bool(within.all())
        spans.append(np.arange(max(index.min() - 1, 0), index.max() + 2))
    columns, rows = (
        span[span < centres.size]
        for span, centres in zip(spans, (grid.x, grid.y), strict=True)
    )
    row, column = (each.ravel() for each in np.meshgrid(rows, columns, indexing="ij"))
    dy, dx = grid.steps
    y, x = grid.y[row], grid.x[column]
    boxes = shapely.box(x - dx / 2, y - dy / 2, x + dx / 2, y + dy / 2)
    shapely.prepare(part)
    hit = shapely.intersects(part, boxes)
    hit[hit] = ~shapely.touches(part, boxes[hit])
    return row[hit], column[hit], whole


def _index(centres: Numbers, values: Numbers) -> tuple[Index, NDArray[np.bool_]]:
    """The pixel of each value along an axis, and whether it lies in the domain."""
    step = float(centres[-1] - centres[0]) / (centres.size - 1)
    place = (np.asarray(values, dtype=np.float64) - float(centres[0])) / step
    last = centres.size - 1
    inside = (place >= -0.5 - _RIM) & (place <= last + 0.5 + _RIM)
    place = np.clip(np.where(np.isnan(place), 0.0, place), 0.0, last)
    index = np.minimum(np.floor(place + 0.5), last).astype(np.intp)
    return index, inside


def _crs_of(grid: Grid) -> str:
    if grid.crs is None:
        raise _unknown()
    return LATITUDE_LONGITUDE if _plain(grid) else grid.crs


def _plain(grid: Grid) -> bool:
    """Whether the coordinates are latitudes and longitudes, of the usual pole."""
    return grid.degrees and not is_turned(grid.crs)


def _beside(parts: NDArray[Any], grid: Grid) -> NDArray[Any]:
    """Geometries moved by whole turns to where the grid has its longitudes."""
    import shapely

    if not grid.degrees:
        return parts
    middle = shapely.bounds(parts)[:, [0, 2]].mean(axis=1)
    turns = np.round((middle - grid.x.mean()) / 360.0)
    points, number = shapely.get_coordinates(parts, return_index=True)
    points[:, 0] -= 360.0 * turns[number]
    moved: NDArray[Any] = shapely.set_coordinates(parts.copy(), points)
    return moved


def _unknown() -> GridMismatchError:
    return GridMismatchError(
        "the projection of this grid is unknown, wanted one to find places; give the "
        "data a CF grid mapping, or an attribute 'crs', before forecasting"
    )
