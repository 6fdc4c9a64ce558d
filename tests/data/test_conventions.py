"""Other people's data: told, converted, and unpacked as xarray does it."""

import h5netcdf
import numpy as np
import pytest
import torch
import xarray as xr
from tests.data.radar_arrays import LAEA, axis, minutes, rain, ramp, write

from stormfusion import Catalog
from stormfusion.data import conventions
from stormfusion.data.conventions import (
    packing_of,
    standardize,
    units_of,
    variable_of,
    variables_of,
)
from stormfusion.data.scaling import SCALINGS, numbers
from stormfusion.errors import CatalogError, GridMismatchError

# ----------------------------------------------------------------- the quantity


@pytest.mark.parametrize(
    ("name", "attrs", "variable"),
    [
        ("v", {"standard_name": "rainfall_rate"}, "rain_rate"),
        ("v", {"standard_name": "Precipitation_Flux"}, "rain_rate"),
        ("v", {"standard_name": "equivalent_reflectivity_factor"}, "reflectivity"),
        ("v", {"standard_name": "thickness_of_rainfall_amount"}, "rain"),
        ("dbz", {"standard_name": "rainfall_rate", "units": "mm h-1"}, "rain_rate"),
        ("DBZH", {"units": "dBZ"}, "reflectivity"),
        ("refl", {"units": "dB"}, "reflectivity"),
        ("th", {"units": "dBZ"}, "reflectivity"),
        ("th", {"units": "K"}, None),
        ("RR", {"units": "mm/h"}, "rain_rate"),
        ("rr", {"units": "mm"}, "rain"),
        ("rain", {"units": "mm h-1"}, "rain_rate"),
        ("rain", {}, "rain"),
        ("precipitation", {"units": "kg m-2"}, "rain"),
        ("VIL", {"units": "kg m-2"}, "vil"),
        ("composite", {"units": "dbz"}, "reflectivity"),
        ("composite", {"units": "mm per hour"}, "rain_rate"),
        ("composite", {"units": "mm hr-1"}, "rain_rate"),
        ("composite", {"units": "mm h**-1"}, "rain_rate"),
        ("composite", {"units": "mm/hour"}, "rain_rate"),
        ("zdr", {"units": "dB"}, None),
        ("wind", {"units": "m s-1"}, None),
        ("snow", {"units": "mm"}, None),
        ("odd", {"units": "mm furlong?"}, None),
        ("height", {}, None),
    ],
)
def test_variable_of(name, attrs, variable):
    assert variable_of(xr.DataArray([0.0], name=name, attrs=attrs)) == variable


def test_two_candidates_ask_for_rename():
    both = rain(ramp(2), name="one").assign(two=rain(ramp(2), name="two")["two"])
    with pytest.raises(CatalogError, match="both 'one' and 'two' look like rain_rate"):
        variables_of(both)
    assert variables_of(both, {"two": "rain_rate"}) == {"rain_rate": "two"}
    assert variables_of(both, {"two": "rain"}) == {"rain": "two", "rain_rate": "one"}


@pytest.mark.parametrize(
    ("rename", "message"),
    [
        ({"none": "rain"}, "rename names 'none', the dataset has v"),
        ({"v": "hail"}, "rename makes 'v' a 'hail', wanted one of vil"),
    ],
)
def test_rename_says_what_is_wrong(rename, message):
    with pytest.raises(CatalogError, match=message):
        variables_of(rain(ramp(2), name="v"), rename)


def test_rename_names_each_once():
    both = rain(ramp(2), name="a").assign(b=rain(ramp(2), name="b")["b"])
    with pytest.raises(CatalogError, match="two variables one name"):
        variables_of(both, {"a": "vil", "b": "vil"})


def test_unknown_variables_are_listed_with_their_units():
    with pytest.raises(CatalogError, match=r"none of the variables wind \[m s-1\] is"):
        Catalog.from_xarray(rain(ramp(2), name="wind", units="m s-1"))


@pytest.mark.parametrize("dtype", [str, bool, object, complex])
def test_what_are_no_numbers_says_of_which_type(dtype):
    odd = rain(ramp(2))
    odd["rain_rate"] = odd["rain_rate"].astype(dtype)
    shown = odd["rain_rate"].dtype
    for rename in (None, {"rain_rate": "rain"}):
        with pytest.raises(CatalogError, match=rf"'rain_rate' holds {shown}, wanted"):
            Catalog.from_xarray(odd, rename=rename)
    beside = odd.assign(dbz=rain(ramp(2), name="dbz", units="dBZ")["dbz"])
    assert variables_of(beside) == {"reflectivity": "dbz"}


def test_what_lies_on_no_map_does_not_count():
    dataset = rain(ramp(2), name="dbz", units="dBZ")
    dataset["swath"] = (("scan", "ray"), np.zeros((3, 4)), {"units": "dBZ"})
    assert variables_of(dataset) == {"reflectivity": "dbz"}


# -------------------------------------------------------------------- the units


@pytest.mark.parametrize(
    ("units", "factor"),
    [
        ("mm h-1", 1.0),
        ("mm/h", 1.0),
        ("mm/hr", 1.0),
        ("mm hr-1", 1.0),
        ("mm per hour", 1.0),
        ("kg m-2 s-1", 3600.0),
        ("kg m**-2 s**-1", 3600.0),
        ("kg/m2/s", 3600.0),
        ("m s-1", 3.6e6),
        ("mm s-1", 3600.0),
        ("mm d-1", 1 / 24),
    ],
)
def test_rain_rates_become_millimetres_per_hour(units, factor):
    values = ramp(2) / max(factor, 1)
    catalog = Catalog.from_xarray(rain(values, units=units))
    np.testing.assert_allclose(
        catalog[0]["rain_rate"].values, values * factor, rtol=1e-5
    )


def test_kelvin_becomes_celsius():
    kelvin = 190 + ramp(2) / 2
    catalog = Catalog.from_xarray(rain(kelvin, name="ir107", units="K"))
    np.testing.assert_allclose(
        catalog[0]["ir107"].values, kelvin - 273.15, rtol=1e-5, atol=1e-4
    )


def test_decibels_in_any_case():
    for units in ("dBZ", "dbz", "DBZ", "dB"):
        low = ramp(2) / 2
        catalog = Catalog.from_xarray(rain(low, name="dbz", units=units))
        np.testing.assert_array_equal(catalog[0]["reflectivity"].values, low)


def test_units_of_another_kind_say_so():
    with pytest.raises(ValueError, match="'m s-2' does not convert to 'mm h-1'"):
        Catalog.from_xarray(
            rain(ramp(2), name="v", units="m s-2"), rename={"v": "rain_rate"}
        )


def test_without_units_one_warning(tmp_path):
    with pytest.warns(
        UserWarning, match="taken 'rain_rate' as rain_rate in mm h-1"
    ) as w:
        Catalog.from_xarray(rain(ramp(2), units=None))
    assert len(w) == 1
    for number in range(3):
        frame = rain(ramp(1), units=" ", time=minutes(5 * number))
        write(frame, tmp_path / f"{number}.nc")
    with pytest.warns(UserWarning, match="no units are given") as w:
        catalog = Catalog.open(tmp_path)
    assert len(w) == 1
    assert len(catalog[0].time) == 3
    assert units_of(xr.DataArray(0.0, attrs={"units": " "})) is None


def test_infinite_pixels_are_missing():
    values = ramp(2)
    values[0, 0, 0], values[1, 1, 1] = np.inf, -np.inf
    out = Catalog.from_xarray(rain(values))[0]["rain_rate"].values
    assert np.isnan(out).sum() == 2
    assert np.isnan(out[0, 0, 0])


# ------------------------------------------------------------------ the packing

PACKED = {
    "int16": ("i2", {"scale_factor": 0.01, "add_offset": 5.0}, -32768, {}),
    "uint8": ("u1", {"scale_factor": 0.5, "add_offset": 8.0}, 255, {}),
    "unsigned": ("i1", {"scale_factor": 0.5}, -1, {"_Unsigned": "true"}),
    "int32": ("i4", {"scale_factor": 1e-3}, -9999, {}),
    "float32": ("f4", {}, -9999.9, {}),
    "float64": ("f8", {}, 1e20, {}),
    "no fill": ("i2", {"scale_factor": 0.1}, None, {}),
}


@pytest.mark.parametrize("kind", PACKED)
@pytest.mark.parametrize("name", ["_FillValue", "missing_value"])
def test_packed_numbers_equal_xarrays_own_decoding(tmp_path, kind, name):
    dtype, scaling, fill, more = PACKED[kind]
    values = np.arange(2 * 4 * 5).reshape(2, 4, 5).astype(dtype)
    if fill is not None:
        values[0, 1, 2] = fill
    values[1, 0, 0] = -3 if kind in ("int16", "unsigned") else 3
    path = tmp_path / "p.nc"
    with h5netcdf.File(path, "w") as file:
        file.dimensions = {"time": 2, "y": 4, "x": 5}
        file.create_variable("time", ("time",), data=np.array([0, 5]))
        file["time"].attrs["units"] = "minutes since 2019-06-01"
        for each, count in (("y", 4), ("x", 5)):
            file.create_variable(each, (each,), data=axis(count))
        fills = {}
        if fill is not None and name == "_FillValue":
            fills = {"fillvalue": np.array(fill, dtype)}
        stored = file.create_variable("rr", ("time", "y", "x"), data=values, **fills)
        attrs = {"units": "mm h-1", **scaling, **more}
        if fill is not None and name == "missing_value":
            attrs["missing_value"] = np.array([fill], dtype)
        for key, value in attrs.items():
            stored.attrs[key] = value
    with xr.open_dataset(path, engine="h5netcdf") as truth:
        expected = truth.rr.values.astype("float32")
    catalog = Catalog.open(path)
    frames = catalog[0].stored("rain_rate")
    raw = frames.read(slice(None), slice(None), slice(None))
    wide = {"unsigned": "uint8", "float64": "float32"}.get(kind, np.dtype(dtype).name)
    assert raw.dtype == frames.packing.dtype == wide
    if (kind, name) == ("unsigned", "missing_value"):
        expected[0, 1, 2] = np.nan  # xarray compares -1 with 255 here
    assert np.isnan(expected).sum() == (fill is not None)
    np.testing.assert_allclose(catalog[0]["rain_rate"].values, expected, rtol=1e-6)


def test_decoded_data_are_not_unpacked_twice(tmp_path):
    dataset = rain(ramp(2))
    encoding = {"rain_rate": {"dtype": "int16", "scale_factor": 0.1, "_FillValue": -1}}
    write(dataset, tmp_path / "p.nc", encoding=encoding)
    with xr.open_dataset(tmp_path / "p.nc") as opened:
        out = Catalog.from_xarray(opened)[0]["rain_rate"].values
    np.testing.assert_allclose(out, ramp(2), rtol=1e-6)


def test_packing_of_a_signed_number_stored_as_unsigned():
    attrs = {"units": "mm", "_Unsigned": "false", "_FillValue": 255}
    packing = packing_of(xr.DataArray(np.uint8([0]), attrs=attrs), "rain")
    assert (packing.dtype, packing.missing) == ("int8", (-1.0,))


def test_packed_coordinates_are_unpacked(tmp_path):
    dataset = rain(ramp(2), y=axis(4)[::-1])
    packing = {"dtype": "int16", "scale_factor": 100.0, "add_offset": 500.0}
    write(dataset, tmp_path / "p.nc", encoding={"y": packing, "x": packing})
    grid = Catalog.open(tmp_path / "p.nc")[0].stored("rain_rate").grid
    np.testing.assert_allclose(grid.y, axis(4)[::-1])
    np.testing.assert_allclose(grid.x, axis(5))


# --------------------------------------------------------------- the dimensions


@pytest.mark.parametrize(
    "names",
    [("lat", "lon"), ("latitude", "longitude"), ("rlat", "rlon"), ("yc", "xc")],
)
def test_dimensions_by_name(names):
    dataset = rain(ramp(2)).rename(y=names[0], x=names[1])
    for each in names:
        dataset[each].attrs.clear()
    if names[0] != "yc":
        dataset = dataset.assign_coords({n: dataset[n] / 1e5 for n in names})
    grid = Catalog.from_xarray(dataset)[0].stored("rain_rate").grid
    assert grid.shape == (4, 5)
    assert grid.degrees == (names[0] != "yc")


def test_dimensions_by_standard_name_or_axis():
    dataset = rain(ramp(2)).rename(y="rows", x="columns", time="when")
    dataset["rows"].attrs = {"standard_name": "projection_y_coordinate", "units": "m"}
    dataset["columns"].attrs = {"axis": "X", "units": "m"}
    dataset["when"].attrs = {"standard_name": "time"}
    swapped = dataset.transpose("columns", "when", "rows")
    storm = Catalog.from_xarray(swapped)[0]
    np.testing.assert_array_equal(storm["rain_rate"].values, ramp(2))


def test_one_frame_with_a_scalar_time():
    dataset = rain(ramp(1)).isel(time=0)
    for each in (dataset, dataset.reset_coords("time")):
        storm = Catalog.from_xarray(each)[0]
        assert storm.time[0] == dataset.time.values
        np.testing.assert_array_equal(storm["rain_rate"].values, ramp(1))


def test_dimensions_of_one_element_are_dropped():
    dataset = rain(ramp(2)).expand_dims(height=[1000.0], axis=1)
    assert Catalog.from_xarray(dataset)[0]["rain_rate"].shape == (2, 4, 5)


def refused(dataset, message, error=GridMismatchError):
    with pytest.raises(error, match=message):
        Catalog.from_xarray(dataset)


def test_other_dimensions_say_so():
    dataset = rain(ramp(2)).expand_dims(height=[0.0, 1.0])
    refused(dataset, "select one height with .isel")
    refused(rain(ramp(2)).rename(y="ray"), "rename its horizontal dimensions")
    refused(rain(ramp(2)).isel(time=0, drop=True), "has no time")


def test_grids_that_are_none_say_so():
    refused(rain(ramp(2)).drop_vars("y"), "'y' has no coordinate.*assign_coords")
    uneven = rain(ramp(2), y=np.array([0.0, 1.0, 2.0, 5.0]))
    refused(uneven, "steps from 1 to 3, wanted even spacing; regrid")
    greenwich = rain(ramp(2), x=np.array([359.0, 359.5, 0.0, 0.5, 1.0]))
    refused(greenwich, r"let it run on with np.unwrap\(x, period=360\)")
    curved = rain(ramp(2)).drop_vars(["y", "x"])
    places = np.zeros((4, 5))
    curved = curved.assign_coords(lat=(("y", "x"), places), lon=(("y", "x"), places))
    refused(curved, "'y' has no coordinate, wanted metres or degrees")


def test_coordinates_of_other_variables_do_no_harm():
    dataset = rain(ramp(2)).assign_coords(level=[1, 2, 3])
    dataset["u"] = (("level",), np.zeros(3))
    assert Catalog.from_xarray(dataset)[0].variables == ("rain_rate",)


# --------------------------------------------------------------------- the times


def test_times_that_are_none_say_so():
    out = rain(ramp(3), time=minutes(0, 10, 5))
    refused(out, "out of order in time.*sortby", CatalogError)
    twice = rain(ramp(3), time=minutes(0, 5, 5))
    refused(twice, "twice in time.*drop_duplicates", CatalogError)
    time = minutes(0, 5, 10)
    time[1] = "NaT"
    refused(
        rain(ramp(3), time=time), "1 frames of 'rain_rate' have no time", CatalogError
    )
    refused(rain(ramp(3), time=np.arange(3)), "have no dates", CatalogError)
    refused(rain(ramp(3)).drop_vars("time"), "have no dates", CatalogError)


def test_cftime():
    days = xr.date_range("2019-06-01", periods=3, freq="5min", use_cftime=True)
    storm = Catalog.from_xarray(rain(ramp(3), time=days))[0]
    assert (storm.time.values == minutes(0, 5, 10)).all()
    odd = xr.date_range(
        "2019-06-01", periods=3, freq="5min", calendar="360_day", use_cftime=True
    )
    refused(rain(ramp(3), time=odd), "calendar 360_day", CatalogError)


# ---------------------------------------------------------------- the projection


def test_the_projection_of_a_file_is_kept(tmp_path):
    write(rain(ramp(2), crs=LAEA), tmp_path / "r.nc")
    opened = Catalog.open(tmp_path / "r.nc")[0].stored("rain_rate").grid
    assert opened.crs == LAEA
    assert Catalog.from_xarray(rain(ramp(2), crs=LAEA))[0].stored("rain_rate").grid.crs


def test_the_projection_may_be_an_attribute_of_the_dataset():
    dataset = rain(ramp(2)).assign_attrs(projection=LAEA)
    assert Catalog.from_xarray(dataset)[0].stored("rain_rate").grid.crs == LAEA


def test_standardize_reads_nothing(tmp_path):
    write(rain(ramp(2)).rename(y="lat", x="lon"), tmp_path / "r.nc")
    with xr.open_dataset(tmp_path / "r.nc") as opened:
        array = standardize(conventions.array_of(opened, "rain_rate"))
        assert array.dims == ("time", "y", "x")
        assert not array.variable._in_memory


@pytest.mark.parametrize("fill", [-9999.0, -999.0, -99.0])
@pytest.mark.parametrize("kind", ["float32", "int16", "int32"])
def test_a_fill_value_that_is_not_declared_is_missing(kind, fill):
    values = ramp(6)
    values[:, 1, 2] = fill
    made = rain(values.astype(kind))
    event = Catalog.from_xarray(made)[0]
    found = event["rain_rate"].to_numpy()
    assert np.isnan(found[:, 1, 2]).all()
    assert np.isnan(found).sum() == 6
    frames = event.stored("rain_rate")
    stored = torch.from_numpy(frames.read(slice(0, 6), slice(0, 4), slice(0, 5)))
    number = numbers(stored, frames.packing, SCALINGS["rain_rate"])
    np.testing.assert_array_equal(number.isnan().numpy(), np.isnan(found))


def test_what_is_nearly_dry_or_very_weak_is_not_missing():
    slightly = rain(np.full((3, 4, 4), -1e-4, dtype="float32"))
    assert not np.isnan(Catalog.from_xarray(slightly)[0]["rain_rate"]).any()
    weak = rain(np.full((3, 4, 4), -99.9), name="dbz", units="dBZ")
    assert not np.isnan(Catalog.from_xarray(weak)[0]["reflectivity"]).any()


def test_coordinates_without_units_that_can_hardly_be_metres():
    made = rain(ramp(6))
    kilometres = made.assign_coords(y=made.y.values / 1000, x=made.x.values / 1000)
    with pytest.raises(GridMismatchError, match=r"no units and steps of 1 .* 'km' or"):
        Catalog.from_xarray(kilometres)
    for name in ("y", "x"):
        kilometres[name].attrs["units"] = "km"
    assert Catalog.from_xarray(kilometres)[0].stored("rain_rate").grid.spacing[0] == 1e3
    bare = made.assign_coords(
        y=made.y.values, x=made.x.values
    )  # a kilometre, in metres
    Catalog.from_xarray(bare)


@pytest.mark.parametrize(
    ("factor", "units", "message"),
    [
        (1e-3, "m", r"are in 'm': pixels 1 m apart; if they are kilometres set .*'km'"),
        (
            1.0,
            "km",
            r"are in 'km': pixels 1e\+06 m apart; if they are metres set .*'m'",
        ),
    ],
)
def test_coordinates_in_units_that_can_hardly_be_theirs(factor, units, message):
    made = rain(ramp(6))
    places = {n: (n, factor * made[n].values, {"units": units}) for n in ("y", "x")}
    with pytest.warns(UserWarning, match=message):
        Catalog.from_xarray(made.assign_coords(places))
