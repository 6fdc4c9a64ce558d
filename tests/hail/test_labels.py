"""Where and when a report is: on grids of either kind and order, on its way."""

import numpy as np
import pandas as pd
import pytest

from stormfusion.data.reports import checked_reports
from stormfusion.grids import Grid, places
from stormfusion.hail.labels import coordinates, paths_of

LAEA = "+proj=laea +lat_0=38 +lon_0=-98 +units=m +a=6370997.0 +ellps=sphere"
NOON = pd.Timestamp("2019-06-01 12:00")


def minutes(count):
    return np.datetime64(NOON, "ns") + np.timedelta64(count, "m")


def report(latitude=38.0, longitude=-98.0, **columns):
    found = {"latitude": [latitude], "longitude": [longitude], "size": [25.4]}
    return checked_reports(pd.DataFrame({"time": [NOON], **found, **columns}))


def projected(rows=41, columns=61):
    y = (np.arange(rows) - rows // 2) * 1000.0
    x = (np.arange(columns) - columns // 2) * 1000.0
    return Grid(y, x, LAEA)


def everywhere(grid):
    return np.arange(grid.shape[0]), np.arange(grid.shape[1])


@pytest.mark.parametrize(
    ("start", "end", "inside"),
    [(-5, 0, True), (0, 5, False), (-1, 1, True), (-10, -5, False), (1, 6, False)],
)
def test_a_moment_lies_in_a_window_whose_end_belongs_to_it(start, end, inside):
    paths = paths_of(report(), projected())
    assert paths.during(minutes(start), minutes(end)).number.size == inside


@pytest.mark.parametrize(
    ("start", "end", "inside"),
    [(-5, 0, True), (10, 15, True), (25, 30, True), (30, 35, False), (-5, -1, False)],
)
def test_a_report_of_half_an_hour(start, end, inside):
    paths = paths_of(report(end_time=[NOON + pd.Timedelta("30min")]), projected())
    assert paths.during(minutes(start), minutes(end)).number.size == inside


def test_the_disk_about_a_report():
    grid = projected()
    near = paths_of(report(), grid).near(grid, *everywhere(grid), 10e3)
    y, x = np.meshgrid(grid.y, grid.x, indexing="ij")
    np.testing.assert_array_equal(near, np.hypot(y, x) <= 10e3)


def test_a_way_is_gone_at_an_even_speed():
    grid = projected()
    latitude, longitude = places(grid, np.array([0.0]), np.array([20e3]))
    columns = {
        "end_time": [NOON + pd.Timedelta("20min")],
        "end_latitude": latitude,
        "end_longitude": longitude,
    }
    paths = paths_of(report(**columns), grid)
    gone = paths.during(minutes(5), minutes(10))
    np.testing.assert_allclose(gone.x, [[5e3, 10e3]], atol=1.0)
    near = gone.near(grid, np.array([20]), everywhere(grid)[1], 2000.0)
    assert grid.x[near[0]].tolist() == [1000.0 * km for km in range(3, 13)]
    whole = paths.near(grid, np.array([20]), everywhere(grid)[1], 2000.0)
    assert grid.x[whole[0]].tolist() == [1000.0 * km for km in range(-2, 23)]


def test_rows_and_columns_of_either_order():
    grid = projected()
    turned = Grid(grid.y[::-1], grid.x[::-1], LAEA)
    place = report(38.07, -98.12)
    near = paths_of(place, grid).near(grid, *everywhere(grid), 10e3)
    other = paths_of(place, turned).near(turned, *everywhere(turned), 10e3)
    assert near.any()
    np.testing.assert_array_equal(other[::-1, ::-1], near)


@pytest.mark.parametrize("west", [-98.5, 261.5])
def test_degrees_are_measured_in_metres(west):
    grid = Grid(np.arange(60.0, 61.0, 0.01), west + np.arange(100) * 0.01, degrees=True)
    near = paths_of(report(60.5, -98.0), grid).near(grid, *everywhere(grid), 11_200.0)
    rows, columns = np.nonzero(near)
    # 0.1 degrees of latitude are 11.12 km; of longitude there, half of that
    assert (rows.min(), rows.max()) == (40, 60)
    assert (columns.min(), columns.max()) == (30, 70)


def test_a_report_across_the_date_line():
    grid = Grid(np.arange(-1.0, 1.0, 0.1), 179.0 + np.arange(20) * 0.1, degrees=True)
    _, x = coordinates(grid, pd.Series([0.0]), pd.Series([-179.5]))
    np.testing.assert_allclose(x, 180.5)


def test_which_reports_touch_a_map():
    grid = projected()  # 40 by 60 km
    north = [38.0, 38.2, 38.26, 38.5]
    reports = pd.concat([report(latitude) for latitude in north], ignore_index=True)
    over = paths_of(reports, grid).over(grid, 10e3)
    assert over.tolist() == [True, True, True, False]
    degrees = Grid(np.arange(38, 38.4, 0.01), -98 + np.arange(40) * 0.01, degrees=True)
    east = [report(38.2, -98.1), report(38.2, -98.2)]
    paths = paths_of(pd.concat(east, ignore_index=True), degrees)
    assert paths.over(degrees, 10e3).tolist() == [True, False]


def test_no_reports_are_near_nothing():
    grid = projected()
    nothing = paths_of(report()[:0], grid)
    assert nothing.during(minutes(0), minutes(5)).number.size == 0
    assert not nothing.near(grid, *everywhere(grid), 10e3).any()
    assert nothing.over(grid, 10e3).size == 0
