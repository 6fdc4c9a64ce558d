"""Where the pixels of a map lie: north up, west left, on the globe and in size."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from stormfusion.errors import GridMismatchError
from stormfusion.grids import Grid, places
from stormfusion.grids.projections import LATITUDE_LONGITUDE, transformer

Floats = NDArray[np.float64]

RADIUS = 6371.0
"""Of the Earth [km]."""
FINEST = 129
"""Most nodes along a side of the net that leads from pixels to the globe."""


@dataclass(frozen=True, eq=False)
class Ground:
    """
    Where the pixels of a footprint lie, read as a map: north up and west left.

    Places on it are told in pixels, `row` down and `column` right of the upper left
    corner: the centre of the first pixel is at 0.5 and 0.5.

    Parameters
    ----------
    y, x
        Centres of rows, from north to south, and of columns, from west to east.
    flips
        Which of the axes y (-2) and x (-1) of the dataset run the other way.
    kind
        What the coordinates are: `"metre"`, `"degree"`, or `"pixel"` where there are
        none.
    grid
        The grid of the dataset, None where it has no coordinates.

    Examples
    --------
    >>> field = xr.DataArray(np.zeros((2, 3)), dims=("y", "x"))
    >>> ground = Ground.of(field.assign_coords(y=[0.0, 1e3], x=[0.0, 1e3, 2e3]))
    >>> ground.y, ground.flips
    (array([1000.,    0.]), (-2,))
    """

    y: Floats
    x: Floats
    flips: tuple[int, ...]
    kind: str
    grid: Grid | None

    @classmethod
    def of(cls, array: xr.DataArray | xr.Dataset) -> "Ground":
        """Read the ground of a labelled array; without coordinates y points up."""
        if "y" not in array.coords and "x" not in array.coords:
            y, x = (np.arange(array.sizes[d], dtype=np.float64) for d in ("y", "x"))
            return cls(y[::-1], x, (-2,), "pixel", None)
        grid = Grid.of(array)
        y, x = (
            axis[::-1] if number in grid.flips else axis
            for number, axis in ((-2, grid.y), (-1, grid.x))
        )
        return cls(y, x, grid.flips, "degree" if grid.degrees else "metre", grid)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.y.size, self.x.size

    def read(self, array: xr.DataArray) -> NDArray[np.float32]:
        """A field's values as they lie on the map."""
        values = array.transpose("y", "x").to_numpy()
        return np.asarray(np.flip(values, self.flips), dtype=np.float32)

    @cached_property
    def steps(self) -> tuple[float, float]:
        """From row to row, negative, and from column to column."""
        y, x = self.y, self.x
        return (
            float((y[-1] - y[0]) / max(y.size - 1, 1)),
            float((x[-1] - x[0]) / max(x.size - 1, 1)),
        )

    @cached_property
    def aspect(self) -> float:
        """Height over width of a pixel as it is drawn."""
        dy, dx = self.steps
        if self.kind != "degree":
            return abs(dy / dx)
        middle = min(abs(float(self.y.mean())), 80.0)
        return float(abs(dy / dx) / np.cos(np.deg2rad(middle)))

    @property
    def is_known(self) -> bool:
        """Whether latitudes and longitudes are known."""
        return self.grid is not None and self.grid.crs is not None

    def on_globe(self, row: Floats, column: Floats) -> Floats:
        """
        Points of the unit sphere at places of the map, x, y and z on the last axis.

        NaN where the projection has no place. Points are smooth where longitudes jump
        and at the poles, so that they can be drawn straight between.
        """
        dy, dx = self.steps
        assert self.grid is not None
        y, x = self.y[0] + (row - 0.5) * dy, self.x[0] + (column - 0.5) * dx
        spots = places(self.grid, *np.broadcast_arrays(y, x))
        # infinite where the projection shows no place of the Earth
        latitude, longitude = (
            np.radians(np.where(np.isfinite(each), each, np.nan)) for each in spots
        )
        return np.stack(
            [
                np.cos(latitude) * np.cos(longitude),
                np.cos(latitude) * np.sin(longitude),
                np.sin(latitude),
            ],
            axis=-1,
        )

    @cached_property
    def net(self) -> Floats | None:
        """
        Points of the unit sphere at the nodes of a net over the map, edge to edge.

        It is as fine as need be for places between its nodes to be within a tenth of
        a pixel of where they are. None where the projection is unknown.
        """
        if not self.is_known or self.grid is None:
            return None
        rows, columns = self.shape
        allowed = 0.1 * min(self.grid.spacing) / 1e3 / RADIUS
        nodes = 17
        while True:
            row, column = np.linspace(0, rows, nodes), np.linspace(0, columns, nodes)
            net = self.on_globe(row[:, None], column[None])
            middle = self.on_globe(
                (row[1:] + row[:-1])[:, None] / 2, (column[1:] + column[:-1])[None] / 2
            )
            between = (net[1:, 1:] + net[1:, :-1] + net[:-1, 1:] + net[:-1, :-1]) / 4
            between /= np.linalg.norm(between, axis=-1, keepdims=True)
            off = np.linalg.norm(between - middle, axis=-1)
            known = off[np.isfinite(off)]
            if not known.size:
                return None
            if known.max() <= allowed or nodes >= FINEST:
                return net
            nodes = 2 * nodes - 1

    @cached_property
    def areas(self) -> Floats:
        """
        Area of each pixel [km2], as a field or a column that broadcasts to one.

        That of the Earth's surface where the projection is known, and NaN beside the
        Earth; else that of the coordinates, and NaN where there are none.
        """
        if self.grid is None:
            return np.full((1, 1), np.nan)
        if self.kind == "degree":
            wide, high = self.grid.metres()
            column = wide * high / 1e6
            return column[::-1] if -2 in self.flips else column
        dy, dx = self.grid.steps
        plain = np.full((1, 1), dy * dx / 1e6)
        scale = self._areal_scale() if self.is_known else None
        return plain if scale is None else plain / scale

    def _areal_scale(self) -> Floats | None:
        """Area on the map over area on the Earth, None where it cannot be told."""
        from scipy.ndimage import map_coordinates

        y, x = (np.linspace(axis[0], axis[-1], 33) for axis in (self.y, self.x))
        scale = self._scale_at(y, x)
        if scale is None or np.isnan(scale).all():
            return None
        if np.isnan(scale).any():
            # at the rim of the Earth it changes from pixel to pixel
            return self._scale_at(self.y, self.x)
        spots = (np.linspace(0, 32, count) for count in self.shape)
        at = np.meshgrid(*spots, indexing="ij")
        return np.asarray(map_coordinates(scale, at, order=1))

    def _scale_at(self, y: Floats, x: Floats) -> Floats | None:
        """The areal scale at rows and columns, NaN beside the Earth."""
        from pyproj import Proj
        from pyproj.exceptions import ProjError

        assert self.grid is not None
        there = transformer(self.grid.crs, LATITUDE_LONGITUDE)
        longitude, latitude = there.transform(*np.meshgrid(x, y))
        known = np.isfinite(longitude) & np.isfinite(latitude)
        found = np.full(known.shape, np.nan)
        if not known.any():
            return found
        try:
            told = Proj(self.grid.crs).get_factors(longitude[known], latitude[known])
        except ProjError:
            return None
        scale = np.asarray(told.areal_scale, dtype=np.float64)
        found[known] = np.where(np.isfinite(scale) & (scale > 0), scale, np.nan)
        return found

    def located(self, row: float, column: float) -> tuple[float, float] | None:
        """Latitude and longitude of a place of the map, None where not known."""
        if self.grid is None or not self.is_known:
            return None
        dy, dx = self.steps
        y = np.array(self.y[0] + (row - 0.5) * dy)
        x = np.array(self.x[0] + (column - 0.5) * dx)
        latitude, longitude = (float(each) for each in places(self.grid, y, x))
        known = np.isfinite(latitude) and np.isfinite(longitude)
        return (latitude, longitude) if known else None

    def find(self, latitude: float, longitude: float) -> tuple[float, float] | None:
        """
        Row and column of a place, None where it is not on the map.

        Raises
        ------
        GridMismatchError
            If the projection is unknown.
        """
        if self.grid is None or self.grid.crs is None:
            raise GridMismatchError(
                "the projection of this footprint is unknown, wanted one to find "
                "places by latitude and longitude; add a CF grid mapping, or leave "
                "places out"
            )
        there = transformer(LATITUDE_LONGITUDE, self.grid.crs)
        x, y = there.transform(longitude, latitude)
        if self.kind == "degree":  # 350 may be written as -10
            x += 360.0 * round((float(self.x.mean()) - x) / 360.0)
        dy, dx = self.steps
        row, column = (y - self.y[0]) / dy + 0.5, (x - self.x[0]) / dx + 0.5
        rows, columns = self.shape
        inside = 0 <= row < rows and 0 <= column < columns
        return (float(row), float(column)) if inside else None


def check_places(places: Any) -> dict[str, tuple[float, float]]:
    """
    Latitudes and longitudes of places by name, or a sentence.

    A table has them in its columns, and names in its index, or in a column `name`.

    Raises
    ------
    TypeError
        If `places` are no mapping of names to two numbers, and no table of them.
    ValueError
        If a latitude is not between -90 and 90, or a longitude not finite.

    Examples
    --------
    >>> check_places({"Zurich": (47.38, 8.54)})
    {'Zurich': (47.38, 8.54)}
    """
    if places is None:
        return {}
    form = "wanted names with latitude and longitude, such as {'Zurich': (47.4, 8.5)}"
    if isinstance(places, pd.DataFrame):
        places = _of_table(places)
    if not isinstance(places, Mapping):
        raise TypeError(f"places are a {type(places).__name__}, {form}")
    found = {}
    for name, spot in places.items():
        pair = tuple(spot) if isinstance(spot, tuple | list) else ()
        if len(pair) != 2 or not all(isinstance(each, Real) for each in pair):
            raise TypeError(f"the place {name!r} is at {spot!r}, {form}")
        latitude, longitude = (float(each) for each in pair)
        if not abs(latitude) <= 90 or not abs(longitude) <= 360:
            raise ValueError(
                f"the place {name!r} is at {spot!r}, wanted a latitude from -90 to 90 "
                "and then a longitude [degrees]; check their order"
            )
        found[str(name)] = (latitude, longitude)
    return found


def _of_table(places: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """The places of a table, by its names, those that are there twice numbered."""
    columns = []
    for name in ("latitude", "longitude"):
        known = [each for each in (name, name[:3]) if each in places.columns]
        if not known:
            raise ValueError(
                f"the table of places has the columns "
                f"{', '.join(map(repr, places.columns)) or 'none'}, wanted latitude "
                "and longitude [degrees]; rename them"
            )
        columns.append(places[known[0]].astype(float))
    named = "name" in places.columns and isinstance(places.index, pd.RangeIndex)
    names = pd.Series(places["name"] if named else places.index).astype(str)
    number = names.groupby(names.to_numpy()).cumcount().to_numpy() + 1
    labels = [f"{n} ({k})" if k > 1 else n for n, k in zip(names, number, strict=True)]
    return dict(zip(labels, zip(*columns, strict=True), strict=True))
