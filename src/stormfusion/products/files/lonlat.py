"""Outlines as the rings that GeoJSON wants: longitudes and latitudes, turned right."""

from typing import Any

import numpy as np

from stormfusion.errors import GridMismatchError
from stormfusion.grids import Grid, places
from stormfusion.products.files.outlines import Outline, Ring

Rings = tuple[Ring, ...]
_DETAIL = 1e-4
"""Pixels that coordinates are rounded to, or finer."""


def polygons_of(outline: Outline, grid: Grid) -> list[Rings]:
    """
    One area in longitudes and latitudes on WGS84, cut where it crosses 180 degrees.

    Parameters
    ----------
    outline
        In the coordinates of the grid.
    grid
        With a known projection.

    Returns
    -------
    list of tuple of ndarray
        For each polygon, mostly one, its outer ring, counterclockwise, and those of
        its holes, clockwise, all closed [degrees].

    Raises
    ------
    GridMismatchError
        If the projection is unknown, or the area cannot be drawn on such a map: it
        lies about a pole, or beyond what the projection shows.
    ModuleNotFoundError
        If it crosses 180 degrees and shapely is not installed.

    Examples
    --------
    >>> ring = np.array([[0.0, 0], [0, 1], [1, 1], [0, 0]])
    >>> grid = Grid(np.arange(2.0), np.arange(2.0), "EPSG:4326", degrees=True)
    >>> ((outer,),) = polygons_of(Outline((ring,), None), grid)
    >>> outer.tolist()
    [[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]]
    """
    check_projection(grid)
    rings = [_degrees(ring, grid) for ring in outline.rings]
    middle = rings[0][:, 0].min() + 180.0
    # the west of the outer ring from -180 to 180, its holes within it
    rings[0][:, 0] -= 360.0 * np.floor(middle / 360.0)
    centre = np.ptp(rings[0][:, 0]) / 2 + rings[0][:, 0].min()
    for hole in rings[1:]:
        hole[:, 0] += 360.0 * np.round((centre - hole[:, 0].mean()) / 360.0)
    digits = int(np.ceil(np.log10(111_195.0 / min(grid.spacing) / _DETAIL)))
    cut = [tuple(rings)] if rings[0][:, 0].max() <= 180.0 else _cut(rings)
    return [
        tuple(
            np.round(_turned(ring, left=number == 0), max(digits, 5))
            for number, ring in enumerate(polygon)
        )
        for polygon in cut
    ]


def check_projection(grid: Grid) -> None:
    """A sentence where longitudes and latitudes cannot be told."""
    if grid.crs is None:
        raise GridMismatchError(
            "the projection of this grid is unknown, wanted one for longitudes and "
            "latitudes; give the data a CF grid mapping, or an attribute 'crs', before "
            "forecasting"
        )


def area_of(polygons: list[Rings]) -> float:
    """
    The area of polygons on the ellipsoid of WGS84 [km2], without that of their holes.

    Examples
    --------
    >>> ring = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1], [0, 0]])
    >>> round(area_of([(ring,)]))
    12309
    """
    from pyproj import Geod

    geod = Geod(ellps="WGS84")
    total = 0.0
    for outer, *holes in polygons:
        total += abs(geod.polygon_area_perimeter(*outer.T)[0])
        total -= sum(abs(geod.polygon_area_perimeter(*hole.T)[0]) for hole in holes)
    return float(total / 1e6)


def _degrees(ring: Ring, grid: Grid) -> Ring:
    """A ring in longitudes and latitudes, its longitudes without a jump."""
    latitude, longitude = places(grid, ring[:, 1], ring[:, 0])
    if not (np.isfinite(latitude).all() and np.isfinite(longitude).all()):
        raise GridMismatchError(
            "an area reaches beyond what the projection of this grid shows; crop the "
            "data to where it has latitudes and longitudes"
        )
    longitude = np.unwrap(longitude, period=360.0)
    if abs(longitude[-1] - longitude[0]) > 180.0:
        raise GridMismatchError(
            "an area lies about a pole, which no polygon of longitudes and latitudes "
            "encloses; crop the data, or write netCDF or GeoTIFF"
        )
    return np.column_stack([longitude, np.clip(latitude, -90.0, 90.0)])


def _turned(ring: Ring, *, left: bool) -> Ring:
    """The ring counterclockwise, so that its inside is to the left, or clockwise."""
    x, y = (ring - ring.min(axis=0)).T
    twice = float((x[:-1] * y[1:] - x[1:] * y[:-1]).sum())
    return ring if (twice > 0) == left else ring[::-1]


def _cut(rings: list[Ring]) -> list[Rings]:
    """The parts of a polygon on either side of 180 degrees, as RFC 7946 asks."""
    try:
        import shapely
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "an area crosses the longitude of 180 degrees, and cutting it there needs "
            "shapely, which is not installed; pip install 'stormfusion[geo]'"
        ) from error
    whole = shapely.Polygon(rings[0], rings[1:])
    found: list[Rings] = []
    for turn in (0.0, 360.0):
        side = shapely.box(turn - 180.0, -90.0, turn + 180.0, 90.0)
        part: Any = shapely.intersection(whole, side)
        for piece in getattr(part, "geoms", [part]):
            if piece.area > 0:
                back = np.array([turn, 0.0])
                edges = (piece.exterior, *piece.interiors)
                found.append(tuple(np.array(e.coords)[:, :2] - back for e in edges))
    return found
