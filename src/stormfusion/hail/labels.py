"""Where and when hail was reported, on the grid and in the windows of an event."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stormfusion.grids import Grid
from stormfusion.grids.projections import LATITUDE_LONGITUDE, is_turned, transformer

Times = NDArray[np.datetime64]
Axis = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Paths:
    """
    Reports as ways on a grid: straight, and gone at an even speed.

    Parameters
    ----------
    number
        Which report of the table each is.
    begin, end
        Times [UTC], equal for a report of one moment.
    y, x
        Where it begins and ends, `(report, 2)`, in the grid's own coordinates.
    """

    number: NDArray[np.int64]
    begin: Times
    end: Times
    y: Axis
    x: Axis

    def during(self, start: np.datetime64, end: np.datetime64) -> "Paths":
        """
        The part of each way that was gone after `start` and up to `end`.

        Examples
        --------
        >>> hours = np.array(["2019-06-01T12", "2019-06-01T13"], "datetime64[ns]")
        >>> way = np.array([[0.0, 60.0]])
        >>> paths = Paths(np.array([0]), hours[:1], hours[1:], way, way)
        >>> paths.during(hours[0], np.datetime64("2019-06-01T12:15")).x
        array([[ 0., 15.]])
        """
        chosen = self.where((self.begin <= end) & (self.end > start))
        lasting = np.maximum((chosen.end - chosen.begin) / SECOND, 1e-9)
        share = np.stack(
            [
                (np.maximum(chosen.begin, start) - chosen.begin) / SECOND / lasting,
                (np.minimum(chosen.end, end) - chosen.begin) / SECOND / lasting,
            ],
            axis=1,
        )
        gone = (np.diff(way, axis=1) * share for way in (chosen.y, chosen.x))
        y, x = (a[:, :1] + b for a, b in zip((chosen.y, chosen.x), gone, strict=True))
        return Paths(chosen.number, chosen.begin, chosen.end, y, x)

    def where(self, chosen: Any) -> "Paths":
        """The chosen ones."""
        return Paths(*(getattr(self, each.name)[chosen] for each in fields(self)))

    def near(
        self,
        grid: Grid,
        rows: NDArray[np.int64],
        columns: NDArray[np.int64],
        distance: float,
    ) -> Mask:
        """
        Which pixels, where rows and columns cross, have a way this near [m].

        Examples
        --------
        >>> now = np.array(["2019-06-01T12"], "datetime64[ns]")
        >>> way = np.array([[0.0, 1000.0]])
        >>> paths = Paths(np.array([0]), now, now, np.zeros((1, 2)), way)
        >>> grid = Grid(np.arange(2) * 1000.0, np.arange(4) * 1000.0)
        >>> paths.near(grid, np.arange(2), np.arange(4), 1000.0)
        array([[ True,  True,  True, False],
               [ True,  True, False, False]])
        """
        across, down = grid.metres()
        scale_x = across[rows] / grid.steps[1]
        scale_y = down[rows] / grid.steps[0]
        found = np.zeros((rows.size, columns.size), dtype=bool)
        for way_y, way_x in zip(self.y, self.x, strict=True):
            y0, y1 = ((end - grid.y[rows])[:, None] * scale_y for end in way_y)
            x0, x1 = ((end - grid.x[columns]) * scale_x for end in way_x)
            long_y, long_x = y1 - y0, x1 - x0
            square = np.maximum(long_y**2 + long_x**2, 1e-9)
            # how far along its way it is nearest
            at = np.clip(-(y0 * long_y + x0 * long_x) / square, 0.0, 1.0)
            gap = np.hypot(y0 + at * long_y, x0 + at * long_x)
            found |= gap <= distance + 1e-3  # a millimetre: map projections round
        return found

    def over(self, grid: Grid, distance: float) -> Mask:
        """Which ways touch the rectangle of a grid, widened by a distance [m]."""
        across, down = grid.metres()
        found = np.ones(self.number.size, dtype=bool)
        for way, axis, metres, step in (
            (self.y, grid.y, down, grid.steps[0]),
            (self.x, grid.x, across, grid.steps[1]),
        ):
            reach = distance * step / metres.min()
            found &= way.max(axis=1, initial=-np.inf) >= axis.min() - reach
            found &= way.min(axis=1, initial=np.inf) <= axis.max() + reach
        return found


SECOND = np.timedelta64(1, "s")


def paths_of(reports: pd.DataFrame, grid: Grid) -> Paths:
    """
    The ways of reports on a grid; those that its projection cannot show are left out.

    Examples
    --------
    >>> time = pd.to_datetime(["2019-06-01"])
    >>> both = {"latitude": [38.0], "longitude": [262.0]}
    >>> ends = {f"end_{name}": place for name, place in both.items()}
    >>> reports = pd.DataFrame({"time": time, "end_time": time, **both, **ends})
    >>> laea = "+proj=laea +lat_0=38 +lon_0=-98 +units=m"
    >>> grid = Grid(np.arange(3) * 1000.0, np.arange(3) * 1000.0, laea)
    >>> paths_of(reports, grid).x.round(3) + 0.0
    array([[0., 0.]])
    """
    y, x = (
        np.stack([ahead, behind], axis=1)
        for ahead, behind in zip(
            coordinates(grid, reports["latitude"], reports["longitude"]),
            coordinates(grid, reports["end_latitude"], reports["end_longitude"]),
            strict=True,
        )
    )
    there = np.isfinite(y).all(axis=1) & np.isfinite(x).all(axis=1)
    begin, end = (reports[name].to_numpy("datetime64[ns]") for name in TIMES)
    return Paths(np.arange(len(reports)), begin, end, y, x).where(there)


TIMES = ("time", "end_time")


def coordinates(
    grid: Grid, latitude: "pd.Series[float]", longitude: "pd.Series[float]"
) -> tuple[Axis, Axis]:
    """
    A grid's own coordinates of places [degrees], which the grid must have a map of.

    Examples
    --------
    >>> grid = Grid(np.array([50.0, 51.0]), np.array([359.0, 360.0]), degrees=True)
    >>> coordinates(grid, pd.Series([50.5]), pd.Series([-0.5]))
    (array([50.5]), array([359.5]))
    """
    north = np.asarray(latitude, dtype=np.float64)
    east = np.asarray(longitude, dtype=np.float64)
    if grid.degrees and not is_turned(grid.crs):
        middle = grid.x.mean()
        return north, (east - middle + 180.0) % 360.0 - 180.0 + middle
    x, y = transformer(LATITUDE_LONGITUDE, grid.crs).transform(east, north)
    return np.asarray(y, dtype=np.float64), np.asarray(x, dtype=np.float64)
