"""Grids by hand: their coordinates, projections, and the way from one to another."""

import pickle

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS, Transformer

from stormfusion.errors import GridMismatchError
from stormfusion.grids import (
    Grid,
    Regridder,
    latitude_longitude,
    measured,
    overlap,
    places,
    proj4,
    same_projection,
)

LAEA = "+proj=laea +lat_0=38 +lon_0=-98 +a=6370997 +b=6370997"


def grid(rows, columns, spacing=1000.0, *, y0=None, x0=None, **more):
    y = (spacing / 2 if y0 is None else y0) + spacing * np.arange(rows)
    x = (spacing / 2 if x0 is None else x0) + spacing * np.arange(columns)
    return Grid(y, x, **more)


# ------------------------------------------------------------------- grids


def test_coordinates_are_copied_and_read_only():
    y = np.arange(3) * 1000.0
    made = Grid(y, y)
    y[0] = 99.0
    assert made.y[0] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        made.y[0] = 1.0


@pytest.mark.parametrize(
    "values", [[0.0, 1.0, 3.0], [0.0, 0.0], [1.0], [0.0, np.nan, 2.0], [[0.0, 1.0]]]
)
def test_uneven_coordinates_are_refused(values):
    with pytest.raises(GridMismatchError, match="coordinate 'y'"):
        Grid(np.array(values), np.arange(3.0))


def test_a_missing_row_is_told_even_at_the_end_of_a_long_axis():
    y = np.arange(2000.0)
    y[-1] += 1.0
    with pytest.raises(GridMismatchError, match="even spacing"):
        Grid(y, np.arange(3.0))


@pytest.mark.parametrize(
    ("crs", "unit", "units"),
    [
        ("+proj=laea +lat_0=46.8 +lon_0=8.2 +units=km +ellps=GRS80", 1e3, "km"),
        ("+proj=laea +lat_0=46.8 +lon_0=8.2 +units=km +ellps=GRS80", 1e3, None),
        ("+proj=laea +lat_0=46.8 +lon_0=8.2 +units=km +ellps=GRS80", 1.0, "m"),
        ("EPSG:2263", 1200 / 3937, None),
        ("EPSG:2263", 1.0, "m"),
        ("EPSG:7415", 1.0, "m"),
        ("EPSG:3035", 1.0, None),
    ],
)
def test_projections_of_any_unit_put_points_where_proj_does(crs, unit, units):
    there = CRS(crs).area_of_use
    known = (there.west, there.south) if there else (8.0, 46.0)
    own = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    per = CRS(crs).axis_info[0].unit_conversion_factor
    x, y = (value * per / unit for value in own.transform(*known))
    step, attrs = 1000.0 / unit, {} if units is None else {"units": units}
    field = xr.DataArray(
        np.zeros((2, 3)),
        dims=("y", "x"),
        coords={
            "y": ("y", y - step * np.arange(2), attrs),
            "x": ("x", x + step * np.arange(3), attrs),
            "crs": ((), 0, CRS(crs).to_cf()),
        },
        attrs={"grid_mapping": "crs"},
    )
    made = Grid.of(field)
    np.testing.assert_allclose(made.spacing, 1000.0)
    latitude, longitude = places(made, made.y[:1], made.x[:1])
    np.testing.assert_allclose((longitude[0], latitude[0]), known, atol=1e-5)
    # and once more, of what it writes itself
    again = Grid.of(field.drop_vars("crs").assign_coords(made.coords()))
    assert again.same_as(made)
    np.testing.assert_array_equal(again.x, made.x)


@pytest.mark.parametrize(
    ("crs", "attrs", "factor", "east"),
    [
        ("+proj=longlat +pm=paris", {"units": "degrees_east"}, 1.0, 2.33722917),
        ("+proj=longlat +pm=paris", {}, 1.0, 2.33722917),
        ("EPSG:4807", {}, 0.9, 2.33722917),
        ("EPSG:4326", {}, 1.0, 0.0),
    ],
)
def test_longitudes_are_from_greenwich(crs, attrs, factor, east):
    coords = {
        "y": ("y", 50 - np.arange(3) / 100, attrs),
        "x": ("x", 5 + np.arange(3) / 100, attrs),
    }
    field = xr.DataArray(np.zeros((3, 3)), coords, dims=("y", "x"), attrs={"crs": crs})
    made = Grid.of(field)
    assert made.degrees
    np.testing.assert_allclose(made.x, factor * field.x + east, atol=1e-6)
    np.testing.assert_allclose(made.y, factor * field.y)
    assert Grid.of(field.assign_coords(made.coords())).same_as(made)
    assert made.crop(slice(0, 2), slice(0, 2)).x[0] == made.x[0]


def test_float32_latitudes_are_even():
    y = (55.0 - 0.01 * np.arange(3500)).astype("float32")
    assert Grid(y, y, degrees=True).steps[0] == pytest.approx(0.01, rel=1e-5)


def test_spacing_of_degrees_is_metres_at_the_centre():
    made = grid(3, 3, 0.5, y0=59.5, x0=10.0, degrees=True)
    assert made.spacing == pytest.approx((55_597.5, 55_597.5 * 0.5))


def test_of_reads_kilometres_and_descending_rows():
    array = xr.DataArray(
        np.zeros((3, 2)),
        coords={"y": ("y", [2.0, 1.0, 0.0], {"units": "km"}), "x": [0.0, 500.0]},
        dims=("y", "x"),
    )
    made = Grid.of(array)
    assert made.y.tolist() == [2000.0, 1000.0, 0.0]
    assert made.steps == (1000.0, 500.0)


@pytest.mark.parametrize("units", ["rad", "1", "K"])
def test_of_refuses_units_that_are_no_length(units):
    array = xr.DataArray(
        np.zeros((2, 2)),
        coords={"y": ("y", [0.0, 1.0], {"units": units}), "x": [0.0, 1.0]},
        dims=("y", "x"),
    )
    with pytest.raises(GridMismatchError, match="degrees or a unit of length"):
        Grid.of(array)


def test_of_refuses_degrees_beside_metres():
    array = xr.DataArray(
        np.zeros((2, 2)),
        coords={"y": ("y", [0.0, 1.0], {"units": "degrees_north"}), "x": [0.0, 1.0]},
        dims=("y", "x"),
    )
    with pytest.raises(GridMismatchError, match="one of 'y' and 'x' is in degrees"):
        Grid.of(array)


def test_of_wants_y_and_x_with_coordinates():
    array = xr.DataArray(np.zeros((2, 2)), dims=("y", "x"))
    with pytest.raises(GridMismatchError, match=r"assign_coords"):
        Grid.of(array)
    with pytest.raises(GridMismatchError, match="rename the horizontal"):
        Grid.of(array.rename(y="scan", x="ray"))


@pytest.mark.parametrize("key", ["crs_wkt", "spatial_ref", "proj4", "cf"])
def test_of_finds_the_projection_of_a_grid_mapping(key):
    from pyproj import CRS

    crs = CRS("+proj=stere +lat_0=90 +lat_ts=60 +lon_0=10 +a=6370040 +b=6370040")
    cf = {k: v for k, v in crs.to_cf().items() if k != "crs_wkt"}
    attrs = {"crs_wkt": {"crs_wkt": crs.to_wkt()}, "proj4": {"proj4": crs.to_wkt()}}
    attrs |= {"spatial_ref": {"spatial_ref": crs.to_wkt()}, "cf": cf}
    array = xr.DataArray(
        np.zeros((2, 2)),
        coords={"y": [0.0, 1e3], "x": [0.0, 1e3], "laea": ((), 0, attrs[key])},
        dims=("y", "x"),
        attrs={"grid_mapping": "laea: x y"},
    )
    found = Grid.of(array)
    assert found.crs is not None
    assert same_projection(found, Grid(found.y, found.x, crs.to_wkt()))


def test_text_that_is_no_projection_counts_for_nothing():
    array = xr.DataArray(
        np.zeros((2, 2)),
        coords={"y": [0.0, 1e3], "x": [0.0, 1e3]},
        dims=("y", "x"),
        attrs={"projection": "Lambert or so"},
    )
    assert Grid.of(array).crs is None


def test_coords_round_trip():
    made = grid(3, 4, crs=LAEA)
    array = xr.DataArray(
        np.zeros((3, 4)),
        coords=made.coords(),
        dims=("y", "x"),
        attrs={"grid_mapping": "crs"},
    )
    assert Grid.of(array).same_as(made)
    assert array.x.attrs["standard_name"] == "projection_x_coordinate"


def test_spheres_and_poles_have_the_names_that_cf_asks_for():
    points = np.arange(3) * 1000.0
    sevir = Grid(points, points, "+proj=laea +lat_0=38 +lon_0=-98 +R=6370997")
    attrs = sevir.coords()["crs"].attrs
    assert attrs["grid_mapping_name"] == "lambert_azimuthal_equal_area"
    assert attrs["semi_major_axis"] == attrs["semi_minor_axis"] == 6370997
    assert "Spherical" in attrs["crs_wkt"]
    bare = {k: v for k, v in attrs.items() if k != "crs_wkt"}
    field = xr.DataArray(np.zeros((3, 3)), sevir.coords(), ("y", "x"))
    field["crs"].attrs = bare
    assert same_projection(Grid.of(field), sevir)
    for lat, parallel in ((90, 60), (-90, -71)):
        text = f"+proj=stere +lat_0={lat} +lat_ts={parallel} +lon_0=10 +R=6370040"
        attrs = Grid(points, points, text).coords()["crs"].attrs
        assert attrs["latitude_of_projection_origin"] == lat
        assert attrs["standard_parallel"] == parallel
    web = Grid(points, points, "EPSG:3857").coords()["crs"].attrs
    assert set(web) == {"crs_wkt"}


def test_pickles():
    made = pickle.loads(pickle.dumps(grid(3, 4, crs=LAEA)))
    assert made.same_as(grid(3, 4, crs=LAEA))


def test_latitude_longitude_of_degrees_is_themselves_and_of_a_turned_pole_is_not():
    plain = grid(2, 2, 1.0, y0=10.0, x0=20.0, degrees=True, crs="EPSG:4326")
    assert places(plain, np.array([10.0]), np.array([20.0])) == (10.0, 20.0)
    from pyproj import CRS

    rotated = CRS.from_cf(
        {
            "grid_mapping_name": "rotated_latitude_longitude",
            "grid_north_pole_latitude": 39.25,
            "grid_north_pole_longitude": -162.0,
        }
    ).to_wkt()
    made = Grid(np.array([-1.0, 0.0]), np.array([0.0, 1.0]), rotated, degrees=True)
    latitude, longitude = places(made, np.array([0.0]), np.array([0.0]))
    assert latitude[0] == pytest.approx(50.75, abs=0.01)
    assert longitude[0] == pytest.approx(18.0, abs=0.01)
    assert made.coords()["y"].attrs["standard_name"] == "grid_latitude"
    assert not same_projection(made, plain)


def test_latitude_longitude_without_projection_says_so():
    array = xr.DataArray(
        np.zeros((2, 2)), coords={"y": [0.0, 1e3], "x": [0.0, 1e3]}, dims=("y", "x")
    )
    with pytest.raises(GridMismatchError, match="projection of this grid is unknown"):
        latitude_longitude(array)


def test_one_projection_in_two_spellings():
    from pyproj import CRS

    one, other = grid(9, 9, crs=LAEA), grid(9, 9, crs=CRS(LAEA).to_wkt())
    assert same_projection(one, other)
    assert one.same_as(other)
    assert not one.same_as(grid(9, 9, crs="EPSG:3035"))
    crs84 = grid(9, 9, 0.01, degrees=True, crs="OGC:CRS84")
    assert same_projection(crs84, grid(9, 9, 0.01, degrees=True, crs="EPSG:4326"))


# -------------------------------------------------------------- regridding


def test_fine_to_coarse_is_the_mean():
    values = np.arange(16.0).reshape(4, 4)
    coarse = Regridder.between(grid(4, 4), grid(2, 2, 2000.0)).apply(values)
    assert coarse.tolist() == [[2.5, 4.5], [10.5, 12.5]]


def test_coarse_to_fine_repeats():
    values = np.array([[1.0, 2.0], [3.0, 4.0]])
    fine = Regridder.between(grid(2, 2, 2000.0), grid(4, 4)).apply(values)
    assert fine.tolist() == [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]


def test_rows_that_descend_are_placed_by_their_coordinates():
    south_up = grid(3, 2)
    north_up = Grid(south_up.y[::-1], south_up.x)
    values = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    assert not south_up.same_as(north_up)
    turned = Regridder.between(north_up, south_up).apply(values)
    assert turned.tolist() == values[::-1].tolist()


def test_offset_by_a_quarter_pixel_is_weighted_by_area():
    source, target = grid(2, 4), grid(2, 3, x0=750.0)
    values = np.array([[0.0, 4.0, 8.0, 12.0]] * 2)
    moved = Regridder.between(source, target).apply(values)
    assert moved[0] == pytest.approx([1.0, 5.0, 9.0])


def test_half_known_is_known_and_less_is_not():
    values = np.full((1, 4, 4), 6.0)
    values[0, :2, :1] = np.nan  # half of the first coarse pixel
    values[0, :2, 2:] = np.nan
    values[0, 2, 2] = np.nan
    values[0, 2, 3] = np.inf
    values[0, 3, 2] = np.nan  # a quarter is left of the last
    coarse = Regridder.between(grid(4, 4), grid(2, 2, 2000.0)).apply(values)[0]
    assert coarse[0, 0] == 6.0
    assert np.isnan(coarse[0, 1])
    assert coarse[1, 0] == 6.0
    assert np.isnan(coarse[1, 1])


def test_outside_the_source_is_missing():
    target = grid(4, 4, x0=2500.0)
    out = Regridder.between(grid(4, 4), target).apply(np.ones((4, 4)))
    assert np.isfinite(out[:, :2]).all()
    assert np.isnan(out[:, 2:]).all()


def test_longitudes_from_0_and_from_minus_180_meet():
    west = grid(2, 3, 1.0, x0=-98.0, degrees=True)
    east = grid(2, 3, 1.0, x0=262.0, degrees=True)
    values = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    assert Regridder.between(east, west).apply(values).tolist() == values.tolist()
    across = grid(2, 4, 1.0, x0=178.5, degrees=True)
    dateline = np.array([[-179.5], [-178.5]]).ravel()
    target = Grid(across.y, dateline, degrees=True)
    out = Regridder.between(across, target).apply(np.arange(8.0).reshape(2, 4))
    assert out.tolist() == [[2.0, 3.0], [6.0, 7.0]]


def test_text_with_plus_signs_of_any_spelling():
    from pyproj import CRS

    for text in (LAEA, CRS(LAEA).to_wkt(), "EPSG:3035", "EPSG:4326"):
        found = proj4(text)
        assert found.startswith("+proj=")
        assert "+type" not in found
        degrees = text == "EPSG:4326"
        one, other = (grid(3, 4, 1.0, crs=c, degrees=degrees) for c in (text, found))
        assert same_projection(one, other)
    for text in ('LOCAL_CS["a hall",UNIT["metre",1]]', "EPSG:5701"):
        with pytest.raises(ValueError, match="has no text with plus signs, wanted one"):
            proj4(text)


def test_another_projection_takes_the_nearest_pixel():
    target = Grid(np.array([-1e5, 0.0, 1e5]), np.array([-1e5, 0.0, 1e5]), LAEA)
    rows, columns = np.arange(30.0, 46.0, 0.05), np.arange(252.0, 270.0, 0.05)
    source = Grid(rows, columns, "EPSG:4326", degrees=True)
    latitude = np.broadcast_to(rows[:, None], source.shape)
    longitude = np.broadcast_to(columns, source.shape)
    bring = Regridder.between(source, target)
    y, x = np.meshgrid(target.y, target.x, indexing="ij")
    true = places(target, y, x)
    assert np.abs(bring.apply(latitude) - true[0]).max() <= 0.0251
    assert np.abs(bring.apply(longitude) - 360 - true[1]).max() <= 0.0251
    hole = np.array(latitude)
    hole[150:170, :] = np.inf
    assert np.isnan(bring.apply(hole)[1]).all()


def test_nearest_does_not_drift_with_rounded_coordinates():
    """The first step alone, in float32, would be off by a pixel at the far end."""
    rows = (20.0 + 0.01 * np.arange(3000)).astype("float32")
    source = Grid(rows, rows + 240.0, "EPSG:4326", degrees=True)
    point = Grid(np.array([0.0, 5e5]), np.array([0.0, 1e3]), LAEA)
    bring = Regridder.between(source, point)
    latitude = np.broadcast_to(source.y[:, None], source.shape)
    y, x = np.meshgrid(point.y, point.x, indexing="ij")
    assert np.abs(bring.apply(latitude) - places(point, y, x)[0]).max() < 0.0051


def test_nearest_outside_is_missing():
    target = Grid(np.array([0.0, 1e5]), np.array([0.0, 1e5]), LAEA)
    source = grid(3, 3, 1.0, y0=0.0, x0=0.0, degrees=True, crs="EPSG:4326")
    bring = Regridder.between(source, target)
    assert np.isnan(bring.apply(np.ones((3, 3)))).all()
    assert bring.trimmed() is None


def test_degrees_and_metres_without_projection_say_so():
    with pytest.raises(GridMismatchError, match="add a grid mapping"):
        Regridder.between(grid(3, 3, 1.0, degrees=True, crs="EPSG:4326"), grid(3, 3))


steps = st.sampled_from([500.0, 1000.0, 1500.0, 2000.0, 8000.0])


@given(steps, steps, st.integers(2, 9), st.integers(-3000, 3000), st.booleans())
def test_trimmed_maps_the_same(source_step, target_step, count, shift, descending):
    source = grid(12, 11, source_step)
    if descending:
        source = Grid(source.y[::-1], source.x)
    target = grid(count, 3, target_step, y0=2000.0 + shift, x0=3000.0 + shift / 2)
    values = np.random.default_rng(count).normal(size=(2, 12, 11))
    values[0, 3:5, 2] = np.nan
    whole = Regridder.between(source, target)
    part = whole.trimmed()
    if part is None:
        assert np.isnan(whole.apply(values)).all()
        return
    rows, columns, rest = part
    cropped = values[:, rows, columns]
    out = cropped.astype("float32") if rest is None else rest.apply(cropped)
    np.testing.assert_allclose(out, whole.apply(values), rtol=1e-5, atol=1e-5)


def test_trimmed_of_a_part_is_a_crop():
    whole = grid(10, 10)
    rows, columns, rest = Regridder.between(
        whole, whole.crop(slice(2, 5), slice(4, 8))
    ).trimmed()
    assert (rows, columns, rest) == (slice(2, 5), slice(4, 8), None)


def test_trimmed_nearest():
    rows, columns = np.arange(30.0, 46.0, 0.1), np.arange(-108.0, -90.0, 0.1)
    source = Grid(rows, columns, "EPSG:4326", degrees=True)
    target = grid(5, 4, 20_000.0, crs=LAEA)
    values = np.arange(float(rows.size * columns.size)).reshape(source.shape)
    whole = Regridder.between(source, target)
    down, across, rest = whole.trimmed()
    assert down.stop - down.start < 20
    assert np.array_equal(rest.apply(values[down, across]), whole.apply(values))


@given(steps, steps, st.integers(2, 9), st.integers(2, 9))
def test_a_constant_stays_what_it_is(source_step, target_step, rows, columns):
    out = Regridder.between(
        grid(12, 12, source_step), grid(rows, columns, target_step)
    ).apply(np.full((12, 12), 7.0))
    known = np.isfinite(out)
    np.testing.assert_allclose(out[known], 7.0, rtol=1e-5)


def test_overlap_rows_add_up_to_the_covered_share():
    share = overlap(np.array([0.5, 1.5, 2.5]), np.array([0.0, 2.0, 4.0]))
    assert share.sum(axis=1).tolist() == [0.5, 1.0, 0.0]


@pytest.mark.parametrize("told", ["standard_name", "crs"])
def test_degrees_are_known_without_units(told: str) -> None:
    y, x = 50 - 0.01 * np.arange(4), 8 + 0.01 * np.arange(5)
    field = xr.DataArray(np.zeros((4, 5)), dims=("y", "x"), coords={"y": y, "x": x})
    if told == "crs":
        field = field.assign_attrs(crs="EPSG:4326")
    else:
        field.y.attrs["standard_name"] = "latitude"
        field.x.attrs["standard_name"] = "longitude"
    grid = Grid.of(field)
    assert grid.degrees
    assert grid.spacing[0] == pytest.approx(1111.95)
    if told == "crs":
        wide = field.assign_coords(y=field.y * 1e5, x=field.x * 1e5)
        assert not Grid.of(wide.assign_attrs(crs="EPSG:3035")).degrees


@pytest.mark.parametrize(
    ("y", "x"),
    [((80, 100), (0, 20)), ((4e6, 4.1e6), (5e5, 6e5)), ((0, 10), (800, 810))],
)
def test_degrees_end_at_the_poles(y, x) -> None:
    with pytest.raises(GridMismatchError, match=r"degrees, wanted up to .* in metres"):
        Grid(np.linspace(*y, 11), np.linspace(*x, 11), degrees=True)


def test_rows_may_reach_the_poles() -> None:
    for end in (90.0, 90.4):
        assert Grid(
            np.arange(end - 10, end + 0.5), np.arange(5.0), degrees=True
        ).degrees


@pytest.mark.parametrize("step", [0.01, 1.0, 9.0])
def test_what_has_no_units_and_is_too_fine_for_metres_is_refused(step: float) -> None:
    points = step * np.arange(4)
    field = xr.DataArray(
        np.zeros((4, 4)), dims=("y", "x"), coords={"y": points, "x": points}
    )
    with pytest.raises(GridMismatchError, match=r"no units and steps of .*'degrees'"):
        measured(field)
    assert Grid.of(field).spacing[0] == pytest.approx(step)
    for unit, metres in (("degrees", 111_195.0), ("km", 1e3), ("m", 1.0)):
        for dim in ("y", "x"):
            field[dim].attrs["units"] = unit
        assert measured(field).spacing[0] == pytest.approx(step * metres)
