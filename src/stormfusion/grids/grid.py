"""A regular grid: where its pixels lie, and how far apart."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from stormfusion import units
from stormfusion.errors import GridMismatchError
from stormfusion.grids.projections import (
    LATITUDE_LONGITUDE,
    grid_mapping,
    is_geographic,
    is_turned,
    parses,
    projection_of,
    standard,
    transformer,
)

METRES_PER_DEGREE = 111_195.0
FINEST = 10.0
"""No weather radar has pixels closer than this [m]: such coordinates are no metres."""
_DEGREES = ("latitude", "longitude", "grid_latitude", "grid_longitude")

Axis = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Grid:
    """
    A regular grid: the centres of its rows and columns, and its projection.

    Parameters
    ----------
    y, x
        Centres of rows and columns, evenly spaced and monotone in either direction
        [m, or degrees where `degrees` is true]. They are copied and cannot be written.
    crs
        The projection, as text that PROJ understands, or None where it is unknown. One
        in another unit, such as kilometres or feet, becomes the like in metres, and
        longitudes from another prime meridian become those from Greenwich.
    degrees
        Whether the coordinates are latitudes and longitudes.

    Raises
    ------
    GridMismatchError
        If a coordinate is not a regular one, or latitudes lie beyond the poles.

    Examples
    --------
    >>> grid = Grid(np.arange(3) * 1000.0, np.arange(4) * 1000.0)
    >>> grid.shape, grid.spacing
    ((3, 4), (1000.0, 1000.0))
    """

    y: Axis
    x: Axis
    crs: str | None = None
    degrees: bool = False

    def __post_init__(self) -> None:
        east = 0.0
        if self.crs is not None and parses(self.crs):
            known = standard(self.crs)
            object.__setattr__(self, "crs", known.crs)
            east = known.east if self.degrees else 0.0
        for name, shift in (("y", 0.0), ("x", east)):
            values = np.array(getattr(self, name), dtype=np.float64) + shift
            values.flags.writeable = False
            object.__setattr__(self, name, values)
            _check_regular(name, values)
        if self.degrees:
            _check_degrees(self.y, self.x)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return self.y.size, self.x.size

    @cached_property
    def steps(self) -> tuple[float, float]:
        """Distance between rows and between columns, in the coordinates' units."""
        return abs(step_of(self.y)), abs(step_of(self.x))

    @cached_property
    def spacing(self) -> tuple[float, float]:
        """Distance between rows and between columns [m], at the centre of the grid."""
        dy, dx = self.steps
        if not self.degrees:
            return dy, dx
        shrink = float(np.cos(np.deg2rad(self.y.mean())))
        return dy * METRES_PER_DEGREE, dx * METRES_PER_DEGREE * shrink

    def metres(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """
        Distance between columns and between rows [m], a column of all rows.

        Examples
        --------
        >>> grid = Grid(np.array([60.0, 59.0]), np.array([10.0, 11.0]), degrees=True)
        >>> [part.round(-3).ravel().tolist() for part in grid.metres()]
        [[56000.0, 57000.0], [111000.0, 111000.0]]
        """
        dy, dx = self.steps
        if not self.degrees:
            return np.full((self.y.size, 1), dx), np.full((self.y.size, 1), dy)
        along = np.cos(np.radians(self.y))[:, None] * METRES_PER_DEGREE
        return dx * along, np.full((self.y.size, 1), dy * METRES_PER_DEGREE)

    @cached_property
    def flips(self) -> tuple[int, ...]:
        """
        Axes, of the last two, to be reversed for a map as it is read.

        That is with its first row in the north and its first column in the west.

        Examples
        --------
        >>> Grid(np.arange(3) * 1000.0, np.arange(4) * 1000.0).flips
        (-2,)
        """
        wrong = (step_of(self.y) > 0, step_of(self.x) < 0)
        return tuple(
            axis for axis, is_wrong in zip((-2, -1), wrong, strict=True) if is_wrong
        )

    def crop(self, rows: slice, columns: slice) -> "Grid":
        """The part of the grid in these rows and columns."""
        return Grid(self.y[rows], self.x[columns], self.crs, self.degrees)

    def same_as(self, other: "Grid") -> bool:
        """Whether both grids have the same points and no different projections."""
        return (
            self.shape == other.shape
            and all(
                bool(np.allclose(a, b, rtol=0.0, atol=1e-3 * step))
                for a, b, step in zip(
                    (self.y, self.x), (other.y, other.x), self.steps, strict=True
                )
            )
            and same_projection(self, other)
        )

    def coords(self) -> dict[str, xr.Variable]:
        """Coordinates for a labelled array on this grid, its grid mapping included."""
        if self.degrees and is_turned(self.crs):
            y = {"units": "degrees", "standard_name": "grid_latitude"}
            x = {"units": "degrees", "standard_name": "grid_longitude"}
        elif self.degrees:
            y = {"units": "degrees_north", "standard_name": "latitude"}
            x = {"units": "degrees_east", "standard_name": "longitude"}
        else:
            y = {"units": "m", "standard_name": "projection_y_coordinate"}
            x = {"units": "m", "standard_name": "projection_x_coordinate"}
        found = {"y": xr.Variable("y", self.y, y), "x": xr.Variable("x", self.x, x)}
        if self.crs is not None:
            found["crs"] = xr.Variable((), np.int32(0), grid_mapping(self.crs))
        return found

    @classmethod
    def of(cls, array: xr.DataArray | xr.Dataset) -> "Grid":
        """
        Read the grid of a labelled array with the dimensions `y` and `x`.

        Coordinates in any unit of length become metres; without units they are degrees
        where their `standard_name` or the projection says so, and else taken to be in
        the unit of the projection, metres where that is unknown, see `measured`. The
        projection is that of a CF grid mapping, of rioxarray's `spatial_ref`, or of an
        attribute `crs`, `proj4`, `projection` or `proj`.

        Raises
        ------
        GridMismatchError
            If the array has no `y` and `x`, no coordinates on them, uneven ones, or
            some in units that are neither degrees nor a length.
        """
        for name in ("y", "x"):
            if name not in array.dims:
                raise GridMismatchError(
                    f"got dimensions {tuple(map(str, array.dims))}, wanted 'y' and 'x' "
                    "among them; rename the horizontal dimensions"
                )
            if name not in array.coords:
                raise GridMismatchError(
                    f"dimension {name!r} has no coordinate, wanted metres or degrees; "
                    "assign the grid's coordinates with .assign_coords"
                )
        crs = projection_of(array)
        degrees = _is_bare(array) and is_geographic(crs)
        y, y_degrees = _in_metres(array["y"], degrees=degrees)
        x, x_degrees = _in_metres(array["x"], degrees=degrees)
        if y_degrees != x_degrees:
            raise GridMismatchError(
                "one of 'y' and 'x' is in degrees and the other is not; correct the "
                "units of the coordinates"
            )
        if crs and _is_bare(array) and is_geographic(crs) == y_degrees:
            y, x = (values * standard(crs).factor for values in (y, x))
        crs = crs or (LATITUDE_LONGITUDE if y_degrees else None)
        return cls(y, x, crs, y_degrees)


def measured(array: xr.DataArray | xr.Dataset) -> Grid:
    """
    The grid of a labelled array of which distances are asked, as `Grid.of` reads it.

    Raises
    ------
    GridMismatchError
        As `Grid.of`, and if `y` and `x` have no units and are too fine for metres.

    Examples
    --------
    >>> rain = xr.DataArray(np.zeros((2, 2)), dims=("y", "x"))
    >>> measured(rain.assign_coords(y=[0.0, 1e3], x=[0.0, 1e3])).spacing
    (1000.0, 1000.0)
    """
    grid = Grid.of(array)
    if _is_bare(array) and not grid.degrees and min(grid.steps) < FINEST:
        raise GridMismatchError(
            f"'y' and 'x' have no units and steps of {grid.steps[0]:.3g} and "
            f"{grid.steps[1]:.3g}, too small for metres; write their units, such as "
            "array.y.attrs['units'] = 'km' or 'degrees', or drop both with "
            ".drop_vars(['y', 'x'])"
        )
    return grid


def same_projection(one: Grid, other: Grid) -> bool:
    """
    Whether two grids share a projection; an unknown one is taken to agree.

    Projections written in different ways agree if they put the corners of the first
    grid within a hundredth of its spacing.

    Examples
    --------
    >>> points = np.arange(3) * 1000.0
    >>> laea = "+proj=laea +lat_0=38 +lon_0=-98"
    >>> same_projection(Grid(points, points, laea), Grid(points, points))
    True
    >>> same_projection(Grid(points, points, laea), Grid(points, points, "EPSG:3035"))
    False
    """
    if one.degrees != other.degrees:
        return False
    if one.crs is None or other.crs is None or one.crs == other.crs:
        return True
    if one.degrees:
        turned = is_turned(one.crs), is_turned(other.crs)
        if turned == (False, False):
            return True
    x, y = np.meshgrid(one.x[[0, -1]], one.y[[0, -1]])
    there = transformer(one.crs, other.crs).transform(x, y)
    off = [np.abs(a - b).max() for a, b in zip(there, (x, y), strict=True)]
    return bool(max(off) <= 0.01 * min(one.steps))


def latitude_longitude(array: xr.DataArray | xr.Dataset) -> xr.Dataset:
    """
    Latitude and longitude of every pixel.

    Parameters
    ----------
    array
        A labelled array with `y`, `x` and a grid mapping.

    Returns
    -------
    Dataset
        `latitude` and `longitude` [degrees], each with the dimensions `y` and `x`.

    Raises
    ------
    GridMismatchError
        If the projection is unknown.

    Examples
    --------
    >>> y, x = np.array([0.0, 1000.0]), np.array([0.0, 1000.0])
    >>> laea = "+proj=laea +lat_0=38 +lon_0=-98 +a=6370997 +b=6370997"
    >>> field = xr.DataArray(
    ...     np.zeros((2, 2)), coords=Grid(y, x, laea).coords(), dims=("y", "x")
    ... )
    >>> float(latitude_longitude(field).latitude[0, 0].round(3))
    38.0
    """
    grid = Grid.of(array)
    if grid.crs is None:
        raise GridMismatchError(
            "the projection of this grid is unknown, wanted a CF grid mapping or a "
            "'crs' attribute; add one before asking for latitudes"
        )
    x, y = np.meshgrid(grid.x, grid.y)
    latitude, longitude = places(grid, y, x)
    dims = ("y", "x")
    return xr.Dataset(
        {
            "latitude": (dims, latitude, {"units": "degrees_north"}),
            "longitude": (dims, longitude, {"units": "degrees_east"}),
        },
        coords=grid.coords(),
    )


def places(grid: Grid, y: Axis, x: Axis) -> tuple[Axis, Axis]:
    """
    Latitudes and longitudes [degrees] of points given in a grid's own coordinates.

    NaN where the grid's projection is unknown.

    Examples
    --------
    >>> grid = Grid(np.arange(3.0), np.arange(3.0), degrees=True, crs="EPSG:4326")
    >>> places(grid, np.array([1.0]), np.array([2.0]))
    (array([1.]), array([2.]))
    """
    if grid.crs is None:
        unknown = np.full(np.shape(y), np.nan)
        return unknown, unknown
    if grid.degrees and not is_turned(grid.crs):
        return y, x
    longitude, latitude = transformer(grid.crs, LATITUDE_LONGITUDE).transform(x, y)
    return np.asarray(latitude), np.asarray(longitude)


def _check_regular(name: str, values: Axis) -> None:
    if values.ndim != 1 or values.size < 2:
        raise GridMismatchError(
            f"coordinate {name!r} has shape {values.shape}, wanted one dimension with "
            "at least 2 points; a grid needs rows and columns"
        )
    steps = np.diff(values)
    step = step_of(values)
    even = np.linspace(values[0], values[-1], values.size)
    if not np.isfinite(step) or step == 0 or not _close(values, even, 0.1 * abs(step)):
        wraps = steps.max() - steps.min() > 300 and np.abs(values).max() <= 360
        advice = (
            f"let it run on with np.unwrap({name}, period=360)"
            if wraps
            else "regrid the data to a regular grid first"
        )
        raise GridMismatchError(
            f"coordinate {name!r} steps from {steps.min():g} to {steps.max():g}, "
            f"wanted even spacing; {advice}"
        )


def _check_degrees(y: Axis, x: Axis) -> None:
    """No latitude lies beyond a pole, but for the half of a pixel."""
    for name, values, most in (("y", y, 90.0), ("x", x, 720.0)):
        far = values[np.abs(values).argmax()]
        if abs(far) > most + abs(step_of(values)) / 2:
            raise GridMismatchError(
                f"coordinate {name!r} reaches {far:g} degrees, wanted up to {most:g}; "
                "look whether it is in metres, or 'y' and 'x' are swapped"
            )


def _is_bare(array: xr.DataArray | xr.Dataset) -> bool:
    """Whether neither coordinate has units."""
    return not any(str(array[d].attrs.get("units", "")).strip() for d in "yx")


def _close(values: Axis, even: Axis, most: float) -> bool:
    return bool((np.abs(values - even) <= most).all())


def step_of(values: Axis) -> float:
    """Distance from one point to the next, negative where the values descend."""
    return float((values[-1] - values[0]) / (values.size - 1))


def _in_metres(coord: xr.DataArray, *, degrees: bool) -> tuple[Axis, bool]:
    """Values of a coordinate in metres, or as they are where it is in degrees."""
    text = str(coord.attrs.get("units", "")).strip()
    values = np.asarray(coord.to_numpy(), dtype=np.float64)
    named = coord.attrs.get("standard_name") in _DEGREES
    if text.lower().startswith("deg") or (not text and (named or degrees)):
        return values, True
    if not text:
        return values, False
    try:
        factor, _ = units.conversion(text, "m")
    except ValueError as error:
        raise GridMismatchError(
            f"coordinate {str(coord.name)!r} is in {text!r}, wanted degrees or a unit "
            "of length such as 'm' or 'km'; convert it with .assign_coords"
        ) from error
    return values * factor, False
