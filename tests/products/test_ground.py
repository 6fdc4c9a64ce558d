"""Where the pixels of a map lie: places, areas and the net to the globe."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from tests.products.pages import LAEA

from stormfusion.grids import Grid, places
from stormfusion.products.pages.areas import areas
from stormfusion.products.pages.ground import RADIUS, Ground, check_places

STEREOGRAPHIC = "+proj=stere +lat_0=90 +lat_ts=60 +lon_0=10 +R=6370040"
MERCATOR = "EPSG:3857"
KM = 1000.0


def ground(grid: Grid) -> Ground:
    shape = grid.y.size, grid.x.size
    return Ground.of(xr.DataArray(np.zeros(shape), grid.coords(), ("y", "x")))


def away(net, grid: Ground, row: float, column: float) -> float:
    """Distance [km] of a place by the net, as the page finds it, from where it is."""
    u = np.array([row / grid.shape[0] * (net.shape[0] - 1)])
    v = np.array([column / grid.shape[1] * (net.shape[1] - 1)])
    i, j = int(min(u[0], net.shape[0] - 2)), int(min(v[0], net.shape[1] - 2))
    a, b = u[0] - i, v[0] - j
    point = (1 - a) * ((1 - b) * net[i, j] + b * net[i, j + 1])
    point = point + a * ((1 - b) * net[i + 1, j] + b * net[i + 1, j + 1])
    point = point / np.linalg.norm(point)
    truth = grid.on_globe(np.array([row]), np.array([column]))[0]
    return float(np.linalg.norm(point - truth) * RADIUS)


@pytest.mark.parametrize(
    ("crs", "y", "x", "degrees"),
    [
        (LAEA, (-3e5, 3e5), (-3e5, 3e5), False),
        (STEREOGRAPHIC, (-4.6e6, -3.7e6), (-5e5, 4e5), False),
        # the pole, and where longitudes jump, on the map
        (STEREOGRAPHIC, (-4e5, 4e5), (-4e5, 4e5), False),
        ("EPSG:4326", (20.0, 55.0), (-94.0, -60.0), True),
        ("EPSG:4326", (-20.0, -10.0), (175.0, 185.0), True),
    ],
)
def test_the_net_finds_places_to_a_tenth_of_a_pixel(crs, y, x, degrees) -> None:
    grid = Grid(np.linspace(*y, 600), np.linspace(*x, 500), crs, degrees)
    found = ground(grid)
    net = found.net
    assert net is not None
    rng = np.random.default_rng(1)
    for row, column in zip(
        rng.uniform(0, 600, 40), rng.uniform(0, 500, 40), strict=True
    ):
        assert away(net, found, row, column) < 0.1 * min(grid.spacing) / KM


def test_pixels_beside_the_earth_have_no_area() -> None:
    side = np.linspace(-5.5e6, 5.5e6, 100)
    crs = "+proj=geos +h=35785831 +lon_0=0 +sweep=y +ellps=WGS84"
    grid = Grid(side, side, crs)
    disk = ground(grid).areas
    # what is seen from there: the cap within 81.3 degrees, of the whole sphere
    cap = 2 * np.pi * 6371.0**2 * (1 - 6371.0 / (6371.0 + 35785.831))
    assert np.nansum(disk) == pytest.approx(cap, rel=0.03)
    assert disk[50, 50] == pytest.approx((11e3 / 99) ** 2, rel=0.01)
    assert np.isnan(disk[0, 0])
    chance = xr.DataArray(np.ones((1, 100, 100)), dims=("hazard", "y", "x"))
    data = chance.assign_coords(grid.coords()).to_dataset(name="window_probability")
    assert areas(data, Ground.of(data), [0.5]).item() == pytest.approx(np.nansum(disk))


@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("leftward", [False, True])
def test_places_are_found_where_their_pixel_is(down, leftward) -> None:
    y, x = np.arange(50) * KM, np.arange(70) * KM
    grid = Grid(y[::-1] if down else y, x[::-1] if leftward else x, LAEA)
    latitude, longitude = places(grid, np.array([12 * KM]), np.array([33 * KM]))
    spot = ground(grid).find(float(latitude[0]), float(longitude[0]))
    # the middle of the pixel that is 12 rows from the southernmost
    assert spot == pytest.approx((50 - 12 - 0.5, 33.5), abs=1e-3)
    back = ground(grid).located(*spot)
    assert back == pytest.approx((latitude[0], longitude[0]), abs=1e-6)


def test_longitudes_may_be_written_around_the_world() -> None:
    grid = Grid(np.linspace(40, 30, 11), np.linspace(260, 270, 11), None, degrees=True)
    found = ground(grid)
    assert found.find(35.0, -95.0) == pytest.approx((5.5, 5.5))
    assert found.find(35.0, 265.0) == pytest.approx((5.5, 5.5))
    assert found.find(35.0, 0.0) is None


def test_a_place_at_the_edge_is_on_the_map_once() -> None:
    grid = Grid(np.arange(5.0), np.arange(5.0), None, degrees=True)
    assert ground(grid).find(4.5, -0.5) == (0.0, 0.0)
    assert ground(grid).find(-0.5, 0.0) is None
    assert ground(grid).find(4.51, 0.0) is None


def test_areas_are_those_of_the_earth() -> None:
    # at 60 degrees north Mercator's square kilometres are a quarter of one
    y = 8.4e6 + np.arange(4) * KM
    mercator = ground(Grid(y, np.arange(4) * KM, MERCATOR))
    np.testing.assert_allclose(mercator.areas, 0.25, rtol=0.01)
    equal = ground(Grid(np.arange(4) * KM, np.arange(4) * KM, LAEA))
    np.testing.assert_allclose(equal.areas, 1.0, rtol=1e-6)
    unknown = ground(Grid(np.arange(4) * KM, np.arange(4) * 2 * KM))
    np.testing.assert_allclose(unknown.areas, 2.0)


@pytest.mark.parametrize("down", [False, True])
def test_areas_in_degrees_shrink_to_the_north(down) -> None:
    y = np.array([0.0, 30.0, 60.0])
    grid = Grid(y[::-1] if down else y, np.array([0.0, 1.0]), None, degrees=True)
    column = ground(grid).areas[:, 0] / (30 * 111.195 * 111.195)
    np.testing.assert_allclose(column, [0.5, np.cos(np.pi / 6), 1.0])


def test_areas_count_each_pixel_where_it_is() -> None:
    risk = np.zeros((1, 3, 2), np.float32)
    risk[0, 2] = [0.7, np.nan]  # the southernmost row, at the equator
    coords = {
        "y": ("y", [60.0, 30.0, 0.0], {"units": "degrees_north"}),
        "x": ("x", [0.0, 1.0], {"units": "degrees_east"}),
    }
    data = xr.Dataset({"window_probability": (("hazard", "y", "x"), risk)}, coords)
    found = areas(data, Ground.of(data), [0.7, 0.8])
    np.testing.assert_allclose(found, [[[30 * 111.195 * 111.195, 0]]])


def test_shapes_of_pixels() -> None:
    degrees = ground(Grid(np.arange(59.0, 62), np.arange(3.0), None, degrees=True))
    assert degrees.aspect == pytest.approx(2.0)
    oblong = ground(Grid(np.arange(3) * 2 * KM, np.arange(3) * KM))
    assert oblong.aspect == 2.0


def test_names_are_those_of_a_column_and_each_is_there_once() -> None:
    table = pd.DataFrame({"lat": [46.0, 47.0, 48.0], "lon": [8.0, 8.5, 9.0]})
    assert [*check_places(table)] == ["0", "1", "2"]
    named = table.assign(name=["Depot", "Lugano", "Depot"])
    assert check_places(named)["Depot (2)"] == (48.0, 9.0)
    assert [*check_places(named)] == ["Depot", "Lugano", "Depot (2)"]
    assert [*check_places(named.set_index(pd.Index(["a", "b", "c"])))] == [*"abc"]
