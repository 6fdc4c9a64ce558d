"""Corners and projections of pysteps by hand, and what does not agree."""

import numpy as np
import pytest

from stormfusion.errors import GridMismatchError
from stormfusion.grids import Grid, places
from stormfusion.interop.places import grid_of, places_of

LAEA = "+proj=laea +lat_0=52 +lon_0=10 +x_0=4321000 +y_0=3210000 +ellps=GRS80"
CORNERS = {"x1": 0.0, "x2": 4.0, "y1": -3.0, "y2": 0.0, "yorigin": "upper"}
METRES = {
    "x1": 4_000_000.0,
    "x2": 4_004_000.0,
    "y1": 3_000_000.0,
    "y2": 3_003_000.0,
    "xpixelsize": 1000.0,
    "ypixelsize": 1000.0,
    "cartesian_unit": "m",
    "yorigin": "lower",
    "projection": LAEA,
}
SHAPE = (3, 4)


def test_centres_by_hand() -> None:
    grid = grid_of(METRES, SHAPE)
    assert grid.x.tolist() == [4_000_500, 4_001_500, 4_002_500, 4_003_500]
    assert grid.y.tolist() == [3_000_500, 3_001_500, 3_002_500]
    assert (grid.crs, grid.degrees) == (LAEA, False)
    upper = grid_of({**METRES, "yorigin": "upper"}, SHAPE)
    assert upper.y.tolist() == grid.y.tolist()[::-1]


def test_kilometres_become_metres() -> None:
    grid = grid_of({**CORNERS, "cartesian_unit": "km"}, SHAPE)
    assert grid.x.tolist() == [500, 1500, 2500, 3500]
    assert grid.y.tolist() == [-500, -1500, -2500]
    assert grid.crs is None


@pytest.mark.parametrize("unit", ["degrees", "degree", "deg", "Degrees", None])
def test_degrees_stay_degrees(unit) -> None:
    metadata = {**CORNERS, "cartesian_unit": unit, "projection": "+proj=longlat"}
    grid = grid_of(metadata, SHAPE)
    assert grid.degrees
    assert grid.x.tolist() == [0.5, 1.5, 2.5, 3.5]
    told = places_of(grid)
    assert told["cartesian_unit"] == "degrees"
    assert "+proj=longlat" in told["projection"]


def test_a_projection_of_kilometres_becomes_one_of_metres() -> None:
    metadata = {**CORNERS, "x1": 4000.0, "x2": 4004.0, "y1": 3000.0, "y2": 3003.0}
    metadata |= {"projection": f"{LAEA} +units=km"}
    for unit in ({}, {"cartesian_unit": "km"}):
        grid = grid_of({**metadata, **unit}, SHAPE)
        expected = grid_of({**METRES, "yorigin": "upper"}, SHAPE)
        assert grid.same_as(expected)
        assert grid.crs == f"{LAEA} +units=m"


@pytest.mark.parametrize("unit", ["km", None])
def test_an_earth_measured_in_kilometres(unit) -> None:
    """Files of KNMI have one."""
    from pyproj import Proj

    text = "+proj=stere +lat_0=90 +lon_0=0 +lat_ts=60 +a=6378.137 +b=6356.752 +x_0=7"
    metadata = {**CORNERS, "y1": -4415.0, "y2": -4412.0, "projection": text}
    grid = grid_of({**metadata, "cartesian_unit": unit}, SHAPE)
    assert grid.y.tolist() == [-4_412_500, -4_413_500, -4_414_500]
    latitude, longitude = places(grid, grid.y, grid.x[:3])
    lon, lat = Proj(text)(grid.x[:3] / 1000, grid.y / 1000, inverse=True)
    np.testing.assert_allclose(latitude, lat, atol=1e-9)
    np.testing.assert_allclose(longitude, lon, atol=1e-9)
    assert "+a=6378137 +b=6356752 +x_0=7000" in places_of(grid, grid.crs)["projection"]


def test_pixel_sizes_may_be_absent_or_rounded() -> None:
    for more in ({"xpixelsize": None}, {"xpixelsize": 999.9}, {"ypixelsize": 1000}):
        assert grid_of({**METRES, **more}, SHAPE).spacing == (1000, 1000)


@pytest.mark.parametrize(
    ("more", "shape", "message"),
    [
        ({"xpixelsize": 500.0}, SHAPE, "xpixelsize=500 and x1=4e.*into 4 of 1000; cor"),
        (
            {"ypixelsize": 2000.0},
            SHAPE,
            "ypixelsize=2000 and .*into 3 of 1000; corr",
        ),
        ({}, (4, 4), "ypixelsize=1000 and .* into 4 of 750; correct the corners or"),
        ({}, (3, 3), "xpixelsize=1000 and .* into 3 of 1333.33; correct the corners"),
        ({"x2": 3_000_000.0}, SHAPE, "x1=4e.06 and x2=3e.06, wanted the lower-left"),
        ({"y2": 3_000_000.0}, SHAPE, "y1=3e.06 and y2=3e.06, wanted the lower-left"),
        ({"cartesian_unit": "degrees"}, SHAPE, "wanted both of degrees or both of a l"),
        ({"projection": "+proj=longlat"}, SHAPE, "the cartesian_unit 'm' and the proj"),
        ({"projection": "EPSG:2263"}, SHAPE, "of US survey foot, wanted degrees, met"),
    ],
)
def test_what_does_not_agree(more: dict, shape, message: str) -> None:
    with pytest.raises(GridMismatchError, match=message):
        grid_of({**METRES, **more}, shape)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"x1": None}, "x1=None, wanted one finite number; correct it"),
        ({"y2": np.nan}, "y2=nan, wanted one finite number"),
        ({"x2": "4004000"}, "x2='4004000', wanted one finite number"),
        ({"xpixelsize": [1000, 1000]}, "wanted one finite number"),
        ({"yorigin": "top"}, "yorigin 'top', wanted 'upper' where the first row is"),
        ({"yorigin": None}, "yorigin None, wanted 'upper'"),
        ({"cartesian_unit": "miles"}, "cartesian_unit 'miles', wanted 'm', 'km' or"),
        ({"cartesian_unit": None, "projection": None}, "neither cartesian_unit nor pr"),
        ({"projection": "somewhere"}, "projection 'somewhere', wanted text that PROJ"),
        ({"projection": ""}, "projection '', wanted text that PROJ understands"),
        ({"projection": 3035}, "projection 3035, wanted text that PROJ understands"),
    ],
)
def test_what_is_no_place(more: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        grid_of({**METRES, **more}, SHAPE)


def test_a_row_alone_is_no_grid() -> None:
    with pytest.raises(GridMismatchError, match="wanted one dimension with at least 2"):
        grid_of({**METRES, "ypixelsize": None}, (1, 4))


def test_corners_by_hand() -> None:
    grid = Grid(np.array([2500.0, 1500.0]), np.array([0.0, 500.0, 1000.0]), LAEA)
    told = places_of(grid, LAEA)
    assert told == {
        "projection": LAEA,
        "cartesian_unit": "m",
        "yorigin": "upper",
        "x1": -250.0,
        "x2": 1250.0,
        "y1": 1000.0,
        "y2": 3000.0,
        "xpixelsize": 500.0,
        "ypixelsize": 1000.0,
    }
    assert places_of(Grid(grid.y, grid.x))["projection"] is None


@pytest.mark.parametrize(
    "text", ["+proj=laea +lat_0=40", "+proj=nothing", "EPSG:3035", 7, None]
)
def test_text_that_says_something_else_is_not_taken(text: object) -> None:
    grid = grid_of(METRES, SHAPE)
    found = places_of(Grid(grid.y, grid.x, "EPSG:3035"), text)["projection"]
    assert found.startswith("+proj=laea +lat_0=52 +lon_0=10 +x_0=4321000")
    assert "type" not in found
