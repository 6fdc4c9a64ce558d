"""Areas on the globe: across 180 degrees, about poles, and where nobody knows."""

import sys

import numpy as np
import pytest

from stormfusion.errors import GridMismatchError
from stormfusion.grids import Grid
from stormfusion.products.files.lonlat import area_of, polygons_of
from stormfusion.products.files.outlines import outlines

shapely = pytest.importorskip(
    "shapely", reason="shapely is not installed; it comes with the extra 'geo'"
)


def drawn(values, grid: Grid, level: float = 0.5):
    return [polygons_of(area, grid) for area in outlines(values, grid.y, grid.x, level)]


def globe(first: float, count: int = 20) -> Grid:
    """A degree from pixel to pixel, from a longitude on, about the equator."""
    x = first + np.arange(count, dtype=float)
    return Grid(np.arange(-5.0, 6.0), x, "EPSG:4326", degrees=True)


def test_longitudes_either_way_are_the_same() -> None:
    risk = np.zeros((11, 20))
    risk[4:7, 5:9] = 1
    ((east,),) = drawn(risk, globe(200.0))
    ((west,),) = drawn(risk, globe(-160.0))
    np.testing.assert_allclose(east[0], west[0])
    assert -180 <= east[0][:, 0].min() <= east[0][:, 0].max() <= 180


@pytest.mark.parametrize("first", [170.0, -190.0])
def test_an_area_across_180_degrees_is_cut(first) -> None:
    risk = np.zeros((11, 20))
    risk[3:8, 5:15] = 1
    risk[5, 10] = 0
    (parts,) = drawn(risk, globe(first))
    assert len(parts) == 2
    shapes = [shapely.Polygon(outer, holes) for outer, *holes in parts]
    assert all(shape.is_valid for shape in shapes)
    assert all(s.bounds[0] >= -180 and s.bounds[2] <= 180 for s in shapes)
    assert all(shapely.LinearRing(outer).is_ccw for outer, *_ in parts)
    # as large as the same area elsewhere
    (elsewhere,) = drawn(risk, globe(20.0))
    assert area_of(parts) == pytest.approx(area_of(elsewhere), rel=1e-4)
    sides = sorted(shape.bounds[0] for shape in shapes)
    assert sides == pytest.approx([-180.0, 174.5], abs=0.1)


def test_cutting_needs_shapely(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "shapely", None)
    with pytest.raises(ModuleNotFoundError, match=r"crosses .* 180 .*fusion\[geo\]"):
        drawn(np.ones((11, 20)), globe(170.0))


def test_a_belt_around_the_globe() -> None:
    risk = np.zeros((11, 360))
    risk[5] = 1
    (parts,) = drawn(risk, globe(0.0, 360))
    total = area_of(parts)
    assert len(parts) == 2
    # the equator, and the length of a degree across it
    assert total == pytest.approx(40_075 * 110.574, rel=0.005)


def test_an_area_about_a_pole_is_refused() -> None:
    polar = "+proj=stere +lat_0=90 +lat_ts=60 +lon_0=10"
    x = 10_000.0 * np.arange(-10, 11)
    grid = Grid(x, x, polar)
    risk = np.zeros((21, 21))
    risk[8:13, 8:13] = 1
    with pytest.raises(GridMismatchError, match=r"lies about a pole, which no polygon"):
        drawn(risk, grid)
    risk[:] = 0
    risk[2:5, 2:5] = 1
    ((polygon,),) = drawn(risk, grid)
    assert shapely.Polygon(polygon[0]).is_valid


def test_an_unknown_projection_is_refused() -> None:
    grid = Grid(np.arange(3.0), np.arange(3.0))
    with pytest.raises(GridMismatchError, match=r"unknown, wanted one for longitudes"):
        drawn(np.ones((3, 3)), grid)


def test_an_area_beyond_the_projection_is_refused() -> None:
    view = "+proj=ortho +lat_0=0 +lon_0=0"
    x = 1e6 * np.arange(-9.0, 10.0)
    with pytest.raises(GridMismatchError, match=r"beyond what the projection of this"):
        drawn(np.ones((19, 19)), Grid(x, x, view))


@pytest.mark.parametrize("step", [1.0, 100.0, 1000.0])
def test_coordinates_are_as_fine_as_the_grid(grid_of, step) -> None:
    grid = grid_of((12, 12), step=step)
    risk = np.random.default_rng(0).integers(0, 2, (12, 12))
    for parts in drawn(risk, grid):
        for outer, *holes in parts:
            assert shapely.Polygon(outer, holes).is_valid
