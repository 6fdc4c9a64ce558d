"""Hazards within a distance: beside circles drawn pixel by pixel."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from stormfusion.errors import GridMismatchError
from stormfusion.grids import Grid
from stormfusion.grids.grid import METRES_PER_DEGREE
from stormfusion.hazards import Hazard, Nearby

TEXT = "vil >= 12 kg m-2 within {}"


def disk(event: np.ndarray, grid: Grid, distance: float) -> np.ndarray:
    """Every pixel asks every other one how far away it is."""
    width, height = grid.metres()
    rows, columns = np.indices(event.shape)
    found = np.zeros_like(event)
    for row, column in np.ndindex(event.shape):
        down = (rows - row) * height[0, 0]
        along = (columns - column) * width[row, 0]
        near = np.hypot(down, along) <= distance * (1 + 1e-9)
        found[row, column] = event[near].any()
    return found


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_it_is_the_circle_about_each_pixel(data) -> None:
    rows, columns = data.draw(st.integers(2, 9)), data.draw(st.integers(2, 9))
    seed = data.draw(st.integers(0, 2**16))
    degrees = data.draw(st.booleans())
    dy, dx = data.draw(st.sampled_from([(1.0, 1.0), (2.0, 1.0), (1.0, 3.0)]))
    up, right = data.draw(st.booleans()), data.draw(st.booleans())
    scale = 0.01 if degrees else 1000.0
    y = (60.0 if degrees else 0.0) + dy * scale * np.arange(rows)
    x = dx * scale * np.arange(columns)
    grid = Grid(y if up else y[::-1], x if right else x[::-1], degrees=degrees)
    distance = data.draw(st.sampled_from([500.0, 1000.0, 1112.0, 2237.0, 5000.0, 3e5]))
    rng = np.random.default_rng(seed)
    event = rng.random((3, rows, columns)) < data.draw(
        st.sampled_from([0.0, 0.05, 0.4])
    )
    expected = np.array([disk(one, grid, distance) for one in event])
    np.testing.assert_array_equal(Nearby(grid, distance)(event), expected)


def vil(event: np.ndarray, y: np.ndarray, x: np.ndarray, **attrs: str) -> xr.DataArray:
    values = np.where(np.isnan(event), np.nan, 20.0 * event)
    return xr.DataArray(
        values.astype(np.float32),
        dims=("y", "x"),
        coords={"y": ("y", y, attrs), "x": ("x", x, attrs)},
        name="vil",
        attrs={"units": "kg m-2"},
    )


def test_neighbours_by_hand() -> None:
    event = np.zeros((5, 5))
    event[2, 2] = 1
    plane = vil(event, np.arange(5) * 1000.0, np.arange(5) * 1000.0)
    cross = np.zeros((5, 5))
    cross[2, 1:4] = cross[1:4, 2] = 1
    # from centre to centre, 1000 m is near, and the diagonal is not
    np.testing.assert_array_equal(
        Hazard.parse(TEXT.format("1 km")).occurs(plane), cross
    )
    near = Hazard.parse(TEXT.format("999 m")).occurs(plane)
    np.testing.assert_array_equal(near, event)
    whole = Hazard.parse(TEXT.format("1.5 km")).occurs(plane)
    assert whole.sum() == 9
    kilometres = plane.assign_coords(
        {d: (d, plane[d].values / 1000, {"units": "km"}) for d in ("y", "x")}
    )
    again = Hazard.parse(TEXT.format("1 km")).occurs(kilometres)
    np.testing.assert_array_equal(again, cross)


@pytest.mark.parametrize("up", [True, False])
def test_columns_get_closer_to_the_poles(up: bool) -> None:
    # at 60 degrees north a degree of longitude is half as long as at the equator
    y, x = 60.0 + 0.01 * np.arange(-4, 5), 0.01 * np.arange(9)
    event = np.zeros((9, 9))
    event[4, 4] = 1
    degrees = {"units": "degrees"}
    plane = vil(event, y if up else y[::-1], x, **degrees)
    reach = 0.02 * METRES_PER_DEGREE + 1.0
    occurs = Hazard("vil", 12, "kg m-2", distance=reach).occurs(plane)
    assert occurs.isel(x=4).values.tolist() == [0, 0, 1, 1, 1, 1, 1, 0, 0]
    assert occurs.isel(y=4).values.tolist() == [1] * 9
    south = plane.assign_coords(y=plane.y - 60.0)
    occurs = Hazard("vil", 12, "kg m-2", distance=reach).occurs(south)
    assert occurs.isel(y=4).values.tolist() == [0, 0, 1, 1, 1, 1, 1, 0, 0]


def test_each_row_has_its_own_circle() -> None:
    # a tall grid in degrees: north rows reach over more columns than south ones
    y, x = np.linspace(0.0, 80.0, 9), np.arange(40.0)
    grid = Grid(y, x, degrees=True)
    event = np.zeros((9, 40), dtype=bool)
    event[:, 0] = True
    wide = Nearby(grid, 3 * METRES_PER_DEGREE)(event).sum(1)
    assert wide[0] == 4
    assert np.all(np.diff(wide) >= 0)
    assert wide[-1] == 1 + int(3 / np.cos(np.radians(80.0)))
    turned = Nearby(Grid(y[::-1], x, degrees=True), 3 * METRES_PER_DEGREE)(event[::-1])
    np.testing.assert_array_equal(turned.sum(1), wide[::-1])


def test_missing_pixels_stay_missing_and_hide_nothing() -> None:
    event = np.zeros((3, 4))
    event[1, 1], event[1, 2], event[0, 0] = 1, np.nan, np.nan
    plane = vil(event, np.arange(3) * 1000.0, np.arange(4) * 1000.0)
    occurs = Hazard.parse(TEXT.format("2 km")).occurs(plane)
    expected = np.ones((3, 4))
    expected[0, 0] = expected[1, 2] = np.nan
    expected[0, 3] = expected[2, 3] = 0
    np.testing.assert_array_equal(occurs, expected)


def test_windows_and_distances_together() -> None:
    rain = xr.DataArray(
        np.zeros((3, 4, 5)),
        dims=("lead", "y", "x"),
        coords={
            "lead": np.arange(1, 4) * np.timedelta64(300, "s").astype("m8[ns]"),
            "y": np.arange(4)[::-1] * 1000.0,
            "x": np.arange(5) * 1000.0,
        },
        name="rain",
        attrs={"units": "mm"},
    )
    # two pixels with half each do not make a whole
    rain[0, 1, 1], rain[1, 1, 1], rain[2, 1, 2] = 2.0, 3.0, 3.0
    occurs = Hazard.parse("rain >= 5 mm in 10 min within 1 km").occurs(rain)
    assert np.isnan(occurs[0]).all()
    assert occurs[1].sum() == 5
    assert occurs[2].sum() == 0


def test_any_distance_is_looked_at() -> None:
    grid = Grid(np.arange(3) * 1000.0, np.arange(4) * 1000.0)
    event = np.zeros((3, 4), dtype=bool)
    event[0, 0] = True
    assert Nearby(grid, 1e300)(event).all()
    assert (Nearby(grid, 1e-300)(event) == event).all()
    pole = Grid(np.array([89.0, 90.0]), np.arange(4.0), degrees=True)
    assert Nearby(pole, 1000.0)(event[:2])[0].tolist() == [True, False, False, False]


def test_a_distance_needs_a_grid() -> None:
    bare = xr.DataArray(np.zeros((3, 3)), dims=("y", "x"), attrs={"units": "kg m-2"})
    with pytest.raises(GridMismatchError, match="assign the grid's coordinates"):
        Hazard.parse(TEXT.format("1 km")).occurs(bare)
