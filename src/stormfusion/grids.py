"""Grids: regular coordinates, their spacing and projection, and maps between them."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from stormfusion.errors import GridMismatchError

METRES_PER_DEGREE = 111_195.0
LATITUDE_LONGITUDE = "EPSG:4326"


@dataclass(frozen=True, eq=False)
class Grid:
    """
    A regular grid: the centres of its rows and columns, and its projection.

    Parameters
    ----------
    y, x
        Centres of rows and columns, evenly spaced and monotone in either direction
        [m, or degrees where `degrees` is true].
    crs
        The projection, as text that PROJ understands, or None where it is unknown.
    degrees
        Whether the coordinates are latitudes and longitudes.

    Raises
    ------
    GridMismatchError
        If a coordinate is not a regular one.

    Examples
    --------
    >>> grid = Grid(np.arange(3) * 1000.0, np.arange(4) * 1000.0)
    >>> grid.shape, grid.spacing
    ((3, 4), (1000.0, 1000.0))
    """

    y: NDArray[np.float64]
    x: NDArray[np.float64]
    crs: str | None = None
    degrees: bool = False

    def __post_init__(self) -> None:
        for name in ("y", "x"):
            values = np.asarray(getattr(self, name), dtype=np.float64)
            object.__setattr__(self, name, values)
            _check_regular(name, values)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return self.y.size, self.x.size

    @cached_property
    def steps(self) -> tuple[float, float]:
        """Distance between rows and between columns, in the coordinates' units."""
        return _step(self.y), _step(self.x)

    @cached_property
    def spacing(self) -> tuple[float, float]:
        """Distance between rows and between columns [m], at the centre of the grid."""
        dy, dx = self.steps
        if not self.degrees:
            return dy, dx
        shrink = float(np.cos(np.deg2rad(self.y.mean())))
        return dy * METRES_PER_DEGREE, dx * METRES_PER_DEGREE * shrink

    def crop(self, rows: slice, columns: slice) -> "Grid":
        """The part of the grid in these rows and columns."""
        return Grid(self.y[rows], self.x[columns], self.crs, self.degrees)

    def same_as(self, other: "Grid") -> bool:
        """Whether both grids have the same points and no different projections."""
        return (
            self.shape == other.shape
            and same_projection(self, other)
            and all(
                bool(np.allclose(a, b, rtol=0.0, atol=1e-3 * step))
                for a, b, step in zip(
                    (self.y, self.x), (other.y, other.x), self.steps, strict=True
                )
            )
        )

    def coords(self) -> dict[str, xr.Variable]:
        """Coordinates for a labelled array on this grid, its grid mapping included."""
        if self.degrees:
            y = {"units": "degrees_north", "standard_name": "latitude"}
            x = {"units": "degrees_east", "standard_name": "longitude"}
        else:
            y = {"units": "m", "standard_name": "projection_y_coordinate"}
            x = {"units": "m", "standard_name": "projection_x_coordinate"}
        found = {"y": xr.Variable("y", self.y, y), "x": xr.Variable("x", self.x, x)}
        if self.crs is not None:
            found["crs"] = xr.Variable((), np.int32(0), _grid_mapping(self.crs))
        return found

    @classmethod
    def of(cls, array: xr.DataArray | xr.Dataset) -> "Grid":
        """
        Read the grid of a labelled array with the dimensions `y` and `x`.

        Raises
        ------
        GridMismatchError
            If the array has no `y` and `x`, no coordinates on them, or uneven ones.
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
        units = str(array["y"].attrs.get("units", "")).lower()
        degrees = units.startswith("degree")
        factor = 1000.0 if units in {"km", "kilometre", "kilometer"} else 1.0
        crs = _projection(array) or (LATITUDE_LONGITUDE if degrees else None)
        return cls(
            array["y"].to_numpy() * factor, array["x"].to_numpy() * factor, crs, degrees
        )


def same_projection(one: Grid, other: Grid) -> bool:
    """Whether two grids share a projection; an unknown one is taken to agree."""
    if one.degrees != other.degrees:
        return False
    if one.crs is None or other.crs is None or one.crs == other.crs:
        return True
    return bool(_parse(one.crs).equals(_parse(other.crs)))


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
    from pyproj import Transformer

    grid = Grid.of(array)
    if grid.crs is None:
        raise GridMismatchError(
            "the projection of this grid is unknown, wanted a CF grid mapping or a "
            "'crs' attribute; add one before asking for latitudes"
        )
    x, y = np.meshgrid(grid.x, grid.y)
    if grid.degrees:
        longitude, latitude = x, y
    else:
        geographic = Transformer.from_crs(grid.crs, LATITUDE_LONGITUDE, always_xy=True)
        longitude, latitude = geographic.transform(x, y)
    dims = ("y", "x")
    return xr.Dataset(
        {
            "latitude": (dims, latitude, {"units": "degrees_north"}),
            "longitude": (dims, longitude, {"units": "degrees_east"}),
        },
        coords=grid.coords(),
    )


@dataclass(frozen=True, eq=False)
class Regridder:
    """
    Bring fields from one grid to another by their coordinates.

    Where both share a projection, each target pixel takes the mean of the source
    pixels it covers, by area (a coarser source is repeated, a finer one averaged);
    `rows` and `columns` hold the weights. Otherwise it takes the nearest source pixel,
    whose position `nearest` holds (-1 outside the source).
    """

    rows: NDArray[np.float32] | None
    columns: NDArray[np.float32] | None
    nearest: NDArray[np.int64] | None
    shape: tuple[int, int]

    @classmethod
    def between(cls, source: Grid, target: Grid) -> "Regridder":
        """The map from `source` to `target`."""
        if same_projection(source, target):
            rows = overlap(source.y, target.y)
            return cls(rows, overlap(source.x, target.x), None, target.shape)
        if source.crs is None or target.crs is None:
            raise GridMismatchError(
                "one grid is in degrees and the other, in metres, has no projection; "
                "add a grid mapping to it"
            )
        return cls(None, None, _nearest(source, target), target.shape)

    def apply(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """Regrid the last two axes; a pixel with under half its area known is NaN."""
        if self.nearest is not None:
            flat = values.reshape(*values.shape[:-2], -1)
            taken = flat[..., np.maximum(self.nearest, 0)]
            return np.where(self.nearest >= 0, taken, np.nan).astype(np.float32)
        assert self.rows is not None
        assert self.columns is not None
        known = np.isfinite(values)
        filled = np.where(known, values, 0.0).astype(np.float32)
        total = self.rows @ filled @ self.columns.T
        area = self.rows @ known.astype(np.float32) @ self.columns.T
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(area >= 0.5, total / area, np.nan).astype(np.float32)


def overlap(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray:
    """
    Share of each target cell that each source cell covers, along one axis.

    Examples
    --------
    >>> overlap(np.array([0.0, 2.0]), np.array([-0.5, 0.5, 1.5, 2.5]))
    array([[1., 0.], [1., 0.], [0., 1.], [0., 1.]], dtype=float32)
    """
    half_source, half_target = _step(source) / 2, _step(target) / 2
    lower = np.maximum(source - half_source, (target - half_target)[:, None])
    upper = np.minimum(source + half_source, (target + half_target)[:, None])
    share = np.clip(upper - lower, 0.0, None) / (2 * half_target)
    return np.asarray(np.where(share < 1e-6, 0.0, share), dtype=np.float32)


def _nearest(source: Grid, target: Grid) -> NDArray[np.int64]:
    from pyproj import Transformer

    x, y = np.meshgrid(target.x, target.y)
    across = Transformer.from_crs(target.crs, source.crs, always_xy=True)
    x, y = across.transform(x, y)
    row = np.rint((y - source.y[0]) / (source.y[1] - source.y[0]))
    column = np.rint((x - source.x[0]) / (source.x[1] - source.x[0]))
    height, width = source.shape
    with np.errstate(invalid="ignore"):
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    flat = np.where(inside, row * width + column, -1)
    return np.asarray(flat, dtype=np.int64)


def _check_regular(name: str, values: NDArray[np.float64]) -> None:
    if values.ndim != 1 or values.size < 2:
        raise GridMismatchError(
            f"coordinate {name!r} has shape {values.shape}, wanted one dimension with "
            "at least 2 points; a grid needs rows and columns"
        )
    steps = np.diff(values)
    mean = steps.mean()
    if (
        not np.isfinite(mean)
        or mean == 0
        or np.abs(steps - mean).max() > abs(mean) / 50
    ):
        raise GridMismatchError(
            f"coordinate {name!r} steps from {steps.min():g} to {steps.max():g}, wanted "
            "even spacing; regrid the data to a regular grid first"
        )


def _step(values: NDArray[np.float64]) -> float:
    return float(abs(values[-1] - values[0]) / (values.size - 1))


def _projection(array: xr.DataArray | xr.Dataset) -> str | None:
    """Text of the projection that CF, rioxarray or plain attributes give."""
    names = [array.attrs.get("grid_mapping"), array.encoding.get("grid_mapping")]
    if isinstance(array, xr.Dataset):
        names += [
            found
            for variable in array.data_vars.values()
            for found in (
                variable.attrs.get("grid_mapping"),
                variable.encoding.get("grid_mapping"),
            )
        ]
    pool = array.variables if isinstance(array, xr.Dataset) else array.coords
    for name in [*names, "crs", "spatial_ref"]:
        if name is None or name not in pool:
            continue
        attrs = pool[name].attrs
        for key in ("crs_wkt", "spatial_ref", "proj4", "proj4_params"):
            if attrs.get(key):
                return str(attrs[key])
        if attrs.get("grid_mapping_name"):
            from pyproj import CRS

            return str(CRS.from_cf(attrs).to_wkt())
    for key in ("crs", "proj4", "projection", "proj"):
        if isinstance(array.attrs.get(key), str):
            return str(array.attrs[key])
    return None


@lru_cache(maxsize=64)
def _parse(crs: str):  # type: ignore[no-untyped-def]  # pyproj ships no types
    from pyproj import CRS

    return CRS.from_user_input(crs)


@lru_cache(maxsize=64)
def _grid_mapping(crs: str) -> dict[str, object]:
    return dict(_parse(crs).to_cf())
