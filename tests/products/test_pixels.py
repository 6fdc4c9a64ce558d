"""Points and polygons of a GeoDataFrame, in any projection."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from stormfusion import Footprint
from stormfusion.grids import Grid
from stormfusion.products.files.pixels import pixels_of
from stormfusion.products.files.places import at_places

geopandas = pytest.importorskip(
    "geopandas", reason="geopandas is not installed; it comes with the extra 'geo'"
)
shapely = pytest.importorskip("shapely")


def degrees(*geometries) -> geopandas.GeoDataFrame:
    return geopandas.GeoDataFrame(geometry=list(geometries), crs="EPSG:4326")


def numbered(first: float = 0.0) -> xr.Dataset:
    """A degree from pixel to pixel, each with a number of its own."""
    x = first + np.arange(6.0)
    grid = Grid(np.arange(5.0), x, "EPSG:4326", degrees=True)
    values = np.arange(30.0).reshape(5, 6)
    hazard = (("hazard", "y", "x"), values[None] / 100)
    return xr.Dataset(
        {
            "window_mean": (("y", "x"), values),
            "window_probability": hazard,
            "arrival": hazard,
        },
        {"hazard": ["vil >= 12 kg m-2"], **grid.coords()},
    )


def test_points_are_as_in_a_table(made) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {"lat": 38 + rng.random(50) * 0.06, "lon": -98 + rng.random(50) * 0.1},
        index=np.arange(50)[::-1],
    )
    points = geopandas.points_from_xy(table.lon, table.lat, crs="EPSG:4326")
    frame = geopandas.GeoDataFrame(table, geometry=points)
    wanted = at_places(made, table)
    for crs in ("EPSG:4326", "EPSG:3857", "EPSG:32614"):
        found = Footprint(made).at(frame.to_crs(crs))
        assert not hasattr(found, "geometry")
        pd.testing.assert_frame_equal(found, wanted)


def test_a_polygon_has_the_largest_of_what_it_touches() -> None:
    frame = degrees(
        shapely.box(0.6, 0.6, 2.4, 1.2),  # columns 1 and 2 of row 1
        shapely.box(0.5, 0.5, 1.5, 1.5),  # one pixel, and not those at its rim
        shapely.box(2.9, 2.9, 3.1, 3.1),  # within a pixel
        shapely.MultiPolygon(
            [shapely.box(0, 0, 0.1, 0.1), shapely.box(4, 3, 4.1, 3.1)]
        ),
        shapely.box(-0.5, -0.5, 5.5, 4.5),  # all
    )
    found = at_places(numbered(), frame)
    assert found["mean"].tolist() == [8, 7, 21, 22, 29]
    assert found["inside"].all()
    told = found["probability[vil >= 12 kg m-2]"]
    np.testing.assert_allclose(told, found["mean"] / 100)
    # of arrivals the first
    told = found["arrival[vil >= 12 kg m-2]"]
    np.testing.assert_allclose(told, [0.07, 0.07, 0.21, 0.0, 0.0])


def test_a_polygon_may_cross_the_rim_or_hold_missing_pixels() -> None:
    made = numbered()
    made["window_mean"][4, 5] = np.nan
    made["window_mean"][0, 0] = np.nan
    frame = degrees(
        shapely.box(3.6, 3.6, 9, 9),
        shapely.box(-0.2, -0.2, 0.2, 0.2),
        shapely.box(20, 20, 21, 21),
        shapely.Polygon(),
        None,
    )
    with pytest.warns(UserWarning, match=r"2 of 5 places lie outside of the domain, o"):
        found = at_places(made, frame)
    assert found["inside"].tolist() == [False, True, False, False, False]
    np.testing.assert_array_equal(found["mean"], [28, np.nan, np.nan, np.nan, np.nan])


def test_polygons_in_another_projection() -> None:
    frame = degrees(shapely.box(0.6, 0.6, 2.4, 1.2), shapely.box(3, 3, 3.2, 3.2))
    found = at_places(numbered(), frame.to_crs("EPSG:3857"))
    assert found["mean"].tolist() == [8, 21]


@pytest.mark.parametrize("first", [357.0, -3.0])
def test_longitudes_either_way(first) -> None:
    frame = degrees(shapely.box(-1.2, 1, -0.8, 1.2), shapely.box(358.8, 1, 359.2, 1.2))
    found = at_places(numbered(first), frame)
    assert found["mean"].tolist() == [8, 8]


@pytest.mark.parametrize(("down", "left"), [(True, False), (False, True), (True, True)])
def test_whichever_way_the_grid_runs(grid_of, footprint_of, down, left) -> None:
    grid = grid_of(down=down, left=left)
    made = footprint_of(grid)
    x, y = np.sort(grid.x), np.sort(grid.y)
    box = shapely.box(x[2] - 400, y[3] - 400, x[4] + 400, y[5] + 400)
    frame = geopandas.GeoDataFrame(geometry=[box], crs=grid.crs)
    inside = made.window_mean.sortby(["y", "x"])[3:6, 2:5]
    found = at_places(made, frame)
    assert found["mean"].item() == inside.max().item()


def test_what_cannot_be_placed() -> None:
    line = degrees(shapely.LineString([[0, 0], [1, 1]]))
    with pytest.raises(ValueError, match=r"places are LineString, wanted points and"):
        at_places(numbered(), line)
    with pytest.raises(ValueError, match=r"no projection, wanted one; say it with"):
        at_places(numbered(), line.set_crs(None, allow_override=True))


def test_an_empty_table(made) -> None:
    assert len(at_places(made, degrees())) == 0
    assert pixels_of(degrees(), Grid.of(made)).owner.size == 0


def test_a_polygon_with_a_hole_does_not_touch_what_is_in_it() -> None:
    ring = shapely.box(0.6, 0.6, 4.4, 3.4) - shapely.box(0.9, 0.9, 4.1, 3.1)
    found = pixels_of(degrees(ring), Grid.of(numbered()))
    touched = set(zip(found.row.tolist(), found.column.tolist(), strict=True))
    assert (2, 2) not in touched
    assert {(1, 1), (3, 4)} <= touched
