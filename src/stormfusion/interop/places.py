"""Where the pixels of a pysteps forecast lie: corners, projection, and centres."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from stormfusion.errors import GridMismatchError
from stormfusion.grids import Grid, proj4, same_projection
from stormfusion.grids.projections import LATITUDE_LONGITUDE, parses
from stormfusion.interop.values import number

Edges = tuple[float, float]

PLANET = 1e5
"""An Earth with a radius below this is measured in kilometres."""

LENGTHS = re.compile(r"(?<=\+)(a|b|R|h|x_0|y_0)=([-+.\deE]+)")


def grid_of(metadata: Mapping[str, Any], shape: tuple[int, int]) -> Grid:
    """
    The grid that pysteps' corners describe, in metres or degrees.

    Examples
    --------
    >>> metadata = {"x1": 0.0, "x2": 3.0, "y1": -4.0, "y2": 0.0, "yorigin": "upper"}
    >>> grid_of({**metadata, "cartesian_unit": "km"}, (2, 3)).y
    array([-1000., -3000.])
    """
    crs, degrees, factor = _projection(metadata)
    if metadata["yorigin"] not in ("upper", "lower"):
        raise ValueError(
            f"metadata has the yorigin {metadata['yorigin']!r}, wanted 'upper' where "
            "the first row is the northernmost, else 'lower'; correct it"
        )
    y, x = (
        _centres(_edges(metadata, axis, count), count) * factor
        for axis, count in zip("yx", shape, strict=True)
    )
    return Grid(y[::-1] if metadata["yorigin"] == "upper" else y, x, crs, degrees)


def places_of(grid: Grid, text: object = None) -> dict[str, Any]:
    """
    The corners of a grid and its projection, as pysteps has them.

    A `text` that says the same as the projection of the grid is taken in its place.

    Examples
    --------
    >>> grid = Grid(np.array([500.0, 1500.0]), np.array([500.0, 1500.0, 2500.0]))
    >>> places = places_of(grid)
    >>> places["x1"], places["x2"], places["yorigin"]
    (0.0, 3000.0, 'lower')
    """
    dy, dx = grid.steps
    (south, north), (west, east) = (
        (float(axis.min()), float(axis.max())) for axis in (grid.y, grid.x)
    )
    return {
        "projection": None if grid.crs is None else _as_proj4(grid, text),
        "x1": west - dx / 2,
        "y1": south - dy / 2,
        "x2": east + dx / 2,
        "y2": north + dy / 2,
        "xpixelsize": dx,
        "ypixelsize": dy,
        "cartesian_unit": "degrees" if grid.degrees else "m",
        "yorigin": "upper" if grid.y[0] > grid.y[-1] else "lower",
    }


def _edges(metadata: Mapping[str, Any], axis: str, count: int) -> Edges:
    low, high = (number(metadata, f"{axis}{end}") for end in (1, 2))
    if not low < high:
        raise GridMismatchError(
            f"metadata has {axis}1={low:g} and {axis}2={high:g}, wanted the lower-left "
            "corner before the upper-right one; correct them"
        )
    size = f"{axis}pixelsize"
    if metadata.get(size) is not None:
        pixel = number(metadata, size)
        # sizes are often rounded; a pixel more or less is no rounding
        if abs(high - low - count * pixel) > 0.5 * abs(pixel):
            raise GridMismatchError(
                f"metadata has {size}={pixel:g} and {axis}1={low:g} to {axis}2="
                f"{high:g}, which the array divides into {count} of "
                f"{(high - low) / count:g}; correct the corners or the pixel size"
            )
    return low, high


def _centres(edges: Edges, count: int) -> Any:
    half = (edges[1] - edges[0]) / count / 2
    return np.linspace(edges[0] + half, edges[1] - half, count)


def _projection(metadata: Mapping[str, Any]) -> tuple[str | None, bool, float]:
    """Text of the projection, whether it is of degrees, and metres per unit."""
    text, unit = metadata.get("projection"), metadata.get("cartesian_unit")
    crs, geographic, kilometres = None, None, False
    if text is not None:
        crs, geographic, kilometres = _parsed(text)
    if unit is None:
        if geographic is None:
            raise ValueError(
                "metadata has neither cartesian_unit nor projection, wanted 'm', 'km' "
                "or 'degrees'; set metadata['cartesian_unit']"
            )
        unit = "degrees" if geographic else "km" if kilometres else "m"
    factor = {"m": 1.0, "km": 1000.0, "deg": 1.0}.get(
        "deg" if str(unit).lower().startswith("deg") else str(unit)
    )
    if factor is None:
        raise ValueError(
            f"metadata has the cartesian_unit {unit!r}, wanted 'm', 'km' or 'degrees'; "
            "convert the corners and pixel sizes"
        )
    degrees = str(unit).lower().startswith("deg")
    if geographic is not None and geographic != degrees:
        raise GridMismatchError(
            f"metadata has the cartesian_unit {unit!r} and the projection {text!r}, "
            "wanted both of degrees or both of a length; correct one of them"
        )
    if degrees and crs is None:
        crs = proj4(LATITUDE_LONGITUDE)
    return crs, degrees, factor


def _parsed(text: Any) -> tuple[str, bool, bool]:
    """A projection of metres, whether it is of degrees, and whether it was of km."""
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        if not isinstance(text, str):
            raise CRSError("no text")  # noqa: TRY301
        crs = CRS.from_user_input(text)
    except CRSError as error:
        raise ValueError(
            f"metadata has the projection {text!r}, wanted text that PROJ understands, "
            "such as '+proj=laea +lat_0=52 +lon_0=10', or None; correct it"
        ) from error
    metric, in_kilometres = re.subn(r"\+units=km\b", "+units=m", text)
    if crs.ellipsoid is not None and crs.ellipsoid.semi_major_metre < PLANET:
        # as in files of KNMI, whose Earth measures 6378.137
        metric, in_kilometres = LENGTHS.sub(_thousandfold, metric), 1
    geographic = bool(crs.is_geographic)
    axes = CRS.from_user_input(metric).axis_info
    if not geographic and any(axis.unit_name != "metre" for axis in axes):
        raise GridMismatchError(
            f"metadata has the projection {text!r} of {axes[0].unit_name}, wanted "
            "degrees, metres or '+units=km'; convert it and the corners"
        )
    return metric, geographic, bool(in_kilometres)


def _thousandfold(found: re.Match[str]) -> str:
    return f"{found[1]}={1000 * float(found[2]):.15g}"


def _as_proj4(grid: Grid, text: object) -> str:
    if isinstance(text, str) and "+proj=" in text and parses(text):
        told = Grid(grid.y, grid.x, text, grid.degrees)
        if same_projection(grid, told):
            return text
    assert grid.crs is not None
    return proj4(grid.crs)
