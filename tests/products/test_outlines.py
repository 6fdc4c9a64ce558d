"""Outlines: every pixel on its side of the line, and polygons that are valid."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from stormfusion.products.files.outlines import outlines, reaches

shapely = pytest.importorskip(
    "shapely", reason="shapely is not installed; it comes with the extra 'geo'"
)


def areas(values, level, *, y=None, x=None):
    """The polygons and their pixels."""
    values = np.asarray(values, dtype=np.float32)
    y = np.arange(values.shape[0], dtype=float) if y is None else y
    x = np.arange(values.shape[1], dtype=float) if x is None else x
    found = outlines(values, y, x, level)
    return found, [shapely.Polygon(area.rings[0], area.rings[1:]) for area in found]


SHAPES = arrays.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=9)
FEW = st.sampled_from([0.0, 0.125, 0.25, 0.5, 0.75, 1.0, np.nan])
MANY = st.floats(0, 1, width=32) | st.just(np.nan)


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(arrays.arrays("f4", SHAPES, elements=e) for e in (FEW, MANY)),
    st.sampled_from([0.125, 0.3, 0.5, 1.0]),
    st.tuples(st.sampled_from([1, -1]), st.sampled_from([1, -1])),
)
def test_a_pixel_is_inside_if_it_reaches_the_level(values, level, turn) -> None:
    y, x = (
        np.arange(n, dtype=float)[::t] for n, t in zip(values.shape, turn, strict=True)
    )
    found, polygons = areas(values, level, y=y, x=x)
    wanted = reaches(values, level)
    seen = np.zeros(values.shape, dtype=int)
    for area, polygon in zip(found, polygons, strict=True):
        assert polygon.is_valid, shapely.is_valid_reason(polygon)
        rows, columns = area.pixels
        assert rows.size
        assert shapely.contains_xy(polygon, x[columns], y[rows]).all()
        seen[rows, columns] += 1
    np.testing.assert_array_equal(seen, wanted)
    together = shapely.union_all(polygons)
    px, py = np.meshgrid(x, y)
    assert not shapely.intersects_xy(together, px[~wanted], py[~wanted]).any()
    # one area does not lie in another
    assert sum(p.area for p in polygons) == pytest.approx(together.area, abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(
    st.one_of(arrays.arrays("f4", SHAPES, elements=e) for e in (FEW, MANY)),
    st.lists(
        st.sampled_from([0.125, 0.2, 0.25, 0.3, 0.49, 0.5, 0.75, 1.0]),
        min_size=2,
        max_size=2,
        unique=True,
    ).map(sorted),
)
def test_areas_of_a_higher_level_lie_in_those_of_a_lower_one(values, levels) -> None:
    wide, narrow = (shapely.union_all(areas(values, level)[1]) for level in levels)
    # lines that would meet at a vertex are drawn a thousandth of a pixel apart
    assert narrow.difference(wide.buffer(0.01)).area < 1e-9


def test_a_disk_has_the_area_of_its_pixels() -> None:
    rows, columns = np.mgrid[:80, :90]
    distance = np.hypot(rows - 40, columns - 45)
    (found,), (polygon,) = areas(distance <= 20, 0.5)
    assert polygon.area == pytest.approx((distance <= 20).sum(), rel=0.01)
    assert found.pixels[0].size == (distance <= 20).sum()
    # of a smooth hill the line is where the hill is as high as the level
    (_,), (polygon,) = areas(np.clip(1 - distance / 40, 0, 1), 0.5)
    assert polygon.area == pytest.approx(np.pi * 20**2, rel=0.005)


def test_a_ring_has_a_hole_and_two_blobs_are_two() -> None:
    rows, columns = np.mgrid[:40, :40]
    distance = np.hypot(rows - 20, columns - 20)
    (found,), (polygon,) = areas((distance > 5) & (distance < 15), 0.5)
    assert len(found.rings) == 2
    assert not polygon.contains(shapely.Point(20, 20))
    blobs = np.zeros((20, 20))
    blobs[2:5, 2:5] = blobs[10:18, 10:18] = 1
    found, polygons = areas(blobs, 0.5)
    assert [area.pixels[0].size for area in found] == [64, 9]
    assert not polygons[0].intersects(polygons[1])
    # an island in the hole is another area, and not of the ring
    island = np.where((distance > 5) & (distance < 15), 1.0, 0.0)
    island[19:22, 19:22] = 1
    found, _ = areas(island, 0.5)
    assert [area.pixels[0].size for area in found][-1] == 9


def test_all_of_a_map_and_none_of_it() -> None:
    _, (polygon,) = areas(np.ones((3, 5)), 0.5)
    # to the edges of the outermost pixels
    assert polygon.bounds == (-0.5, -0.5, 4.5, 2.5)
    assert polygon.area == 15
    _, (polygon,) = areas(np.ones((3, 5)), 1.0)
    assert polygon.area == 15
    assert areas(np.zeros((3, 5)), 0.5) == ([], [])
    assert areas(np.full((3, 5), np.nan), 0.5) == ([], [])


def test_an_area_ends_at_the_edge_of_missing_pixels() -> None:
    risk = np.ones((5, 6))
    risk[1:3, 2:4] = np.nan
    risk[:, 5] = np.nan
    (found,), (polygon,) = areas(risk, 0.5)
    assert len(found.rings) == 2
    assert polygon.bounds == (-0.5, -0.5, 4.5, 4.5)
    assert polygon.area == 25 - 4
    # two known pixels that meet in a corner only
    (_, _), polygons = areas([[1, np.nan], [np.nan, 1]], 0.5)
    assert not polygons[0].intersects(polygons[1])
    assert sum(p.area for p in polygons) == pytest.approx(2, rel=1e-3)


def test_ties_lie_inside() -> None:
    # float32(0.7) is below 0.7
    risk = np.zeros((5, 5), dtype=np.float32)
    risk[2, 1:4] = 0.7
    (found,), (polygon,) = areas(risk, 0.7)
    assert found.pixels[0].tolist() == [2, 2, 2]
    # the line runs halfway to what is below
    assert polygon.bounds == pytest.approx((0.5, 1.5, 3.5, 2.5), abs=0.01)


def test_between_pixels_the_map_is_interpolated() -> None:
    # from 0.2 to 1 the level 0.6 is halfway
    _, (polygon,) = areas([[0.2, 1.0], [0.2, 1.0]], 0.6)
    assert polygon.bounds == pytest.approx((0.5, -0.5, 1.5, 1.5), abs=0.01)
    _, (polygon,) = areas([[0.2, 1.0], [0.2, 1.0]], 0.4)
    assert polygon.bounds[0] == pytest.approx(0.25, abs=0.01)


def test_thousands_of_areas_take_no_minute() -> None:
    risk = np.random.default_rng(0).random((200, 200))
    found, polygons = areas(risk, 0.5)
    assert len(found) > 500
    assert all(polygon.is_valid for polygon in polygons)
