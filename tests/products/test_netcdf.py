"""CF netCDF: by the rules, and the same when read again."""

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from pyproj import CRS

from stormfusion import Footprint
from stormfusion.grids import Grid
from stormfusion.products.files.conventions import DIMENSIONS, conventional
from stormfusion.products.files.netcdf import write_netcdf

GRIDS = {
    "sevir": {},
    "radolan": {"crs": "+proj=stere +lat_0=90 +lat_ts=60 +lon_0=10 +R=6370040"},
    "europe": {"crs": "EPSG:3035", "origin": (3e6, 4e6), "down": True},
    "degrees": {"crs": "EPSG:4326", "degrees": True, "step": 0.1, "down": True},
    "turned": {
        "crs": "+proj=ob_tran +o_proj=longlat +o_lon_p=0 +o_lat_p=39.25 +lon_0=18",
        "degrees": True,
        "step": 0.1,
    },
    "nowhere": {"crs": None},
}
LABELS = "hazard shares the same name as one of its dimensions"
"""A recommendation that labels do not follow, so that xarray has them as an index."""


def told(report: dict) -> list[str]:
    """What the checker has to say, whatever its weight."""
    return [
        message
        for weight in ("high_priorities", "medium_priorities", "low_priorities")
        for result in report[weight]
        for message in result["msgs"]
    ]


def test_kilometres_are_written_as_metres(tmp_path, footprint_of) -> None:
    grid = Grid(1e3 * np.arange(4), 1e3 * np.arange(5))
    made = footprint_of(grid)
    raw = "+proj=laea +lat_0=46.8 +lon_0=8.2 +units=km +ellps=GRS80"
    made = made.assign_coords(y=grid.y / 1e3, x=grid.x / 1e3)
    made = made.assign_coords(crs=((), 0, CRS(raw).to_cf()))
    with xr.open_dataset(write_netcdf(made, tmp_path / "km.nc")) as read:
        assert read.y.attrs["units"] == read.x.attrs["units"] == "m"
        np.testing.assert_array_equal(read.x, grid.x)
        np.testing.assert_allclose(read.latitude[0, 0], 46.8)
        unit = CRS(read.crs.attrs["crs_wkt"]).axis_info[0].unit_name
    assert unit == "metre"


def test_degrees_are_written_as_north_and_east(tmp_path, footprint_of) -> None:
    grid = Grid(46.0 - 0.1 * np.arange(4), 8.0 + 0.1 * np.arange(5), degrees=True)
    made = footprint_of(grid)
    for dim in "yx":
        made[dim].attrs = {"units": "degrees"}
    with xr.open_dataset(write_netcdf(made, tmp_path / "degrees.nc")) as read:
        assert read.y.attrs["units"] == "degrees_north"
        assert read.x.attrs["units"] == "degrees_east"


def test_the_checker_of_cf_finds_no_fault(tmp_path, grid_of, footprint_of) -> None:
    checker = shutil.which("compliance-checker", path=Path(sys.executable).parent)
    if checker is None:
        pytest.skip("compliance-checker is not installed; it comes with the extra dev")
    paths = []
    for name, options in GRIDS.items():
        made = footprint_of(grid_of(**options))
        paths.append(write_netcdf(made, tmp_path / f"{name}.nc"))
    for variable in ("rain_rate", "reflectivity", "ir107", "lightning", "mesh"):
        made = footprint_of(variable=variable).assign_attrs(variable=variable)
        units = {"rain_rate": "mm h-1", "reflectivity": "dBZ", "ir107": "degC"}
        for name in (
            "percentile",
            "window_percentile",
            "mean",
            "spread",
            "window_mean",
        ):
            made[name].attrs["units"] = units.get(variable, "mm")
        paths.append(write_netcdf(made, tmp_path / f"{variable}.nc"))
    out = tmp_path / "report.json"
    command = [checker, "--test=cf:1.11", "--format=json_new", f"--output={out}"]
    ran = subprocess.run(
        [*command, *map(str, paths)], capture_output=True, text=True, check=False
    )
    assert out.exists(), ran.stderr
    assert "exceptions occurred" not in ran.stderr + ran.stdout
    reports = json.loads(out.read_text())
    assert len(reports) == len(paths)
    for path in paths:
        assert [*told(reports[str(path)]["cf:1.11"])] == [LABELS], path.name


@pytest.mark.parametrize("name", GRIDS)
def test_xarray_reads_the_same_dataset(name, tmp_path, grid_of, footprint_of) -> None:
    made = footprint_of(grid_of(**GRIDS[name]))
    before = made.copy(deep=True)
    path = write_netcdf(made, tmp_path / "risk.nc")
    xr.testing.assert_identical(made, before)
    assert all(not made[n].encoding for n in made.variables)
    with xr.open_dataset(path) as opened:
        added = [n for n in ("latitude", "longitude") if n in opened.coords]
        assert bool(added) == (name not in ("degrees", "nowhere"))
        xr.testing.assert_equal(opened.drop_vars(added), made)
        assert opened.lead.dtype == "timedelta64[ns]"
        assert opened.probability.dims == made.probability.dims
        assert opened.sel(hazard="vil >= 12 kg m-2", lead="5min").probability.size
        for variable in made.variables:
            attrs = opened[variable].attrs
            assert {**attrs, **made[variable].attrs} == attrs
        assert {**opened.attrs, **made.attrs} == opened.attrs
    again = Footprint.open(path).dataset
    xr.testing.assert_equal(again, made)
    assert again.coords.keys() == made.coords.keys()


def test_what_the_file_says(made, tmp_path) -> None:
    path = write_netcdf(made, tmp_path / "risk.nc")
    with xr.open_dataset(path, decode_cf=False) as raw:
        assert raw.attrs["Conventions"] == "CF-1.11"
        assert raw.attrs["source"] == "stormfusion 0.1.0.dev0, steps"
        assert raw.attrs["stormfusion"] == "0.1.0.dev0"
        for name in ("recipe", "training_data", "calibration", "title", "history"):
            assert raw.attrs[name]
        assert raw.lead.attrs["units"] == "minutes"
        assert raw.lead.values.tolist() == [5, 10]
        assert raw.lead.attrs["standard_name"] == "forecast_period"
        assert raw.time.attrs["standard_name"] == "time"
        assert raw.reference_time.attrs["standard_name"] == "forecast_reference_time"
        assert raw.hazard.dtype.kind == "S"
        assert "crs" not in raw.window_mean.attrs["coordinates"].split()
        assert raw.crs.attrs["grid_mapping_name"] == "lambert_azimuthal_equal_area"
        assert raw.window_mean.attrs["cell_methods"] == "time: maximum"
        for name in raw.variables:
            filled = "_FillValue" in raw[name].attrs
            assert filled == (name in DIMENSIONS), name
            if name in DIMENSIONS and "y" in DIMENSIONS[name]:
                assert raw[name].attrs["grid_mapping"] == "crs"


def test_latitudes_are_those_of_the_pixels(made, tmp_path) -> None:
    with xr.open_dataset(write_netcdf(made, tmp_path / "risk.nc")) as opened:
        assert opened.latitude.dims == ("y", "x")
        np.testing.assert_allclose(opened.latitude[0, 0], 38.0, atol=1e-6)
        np.testing.assert_allclose(opened.longitude[0, 0], -98.0, atol=1e-6)
        assert (opened.latitude.diff("y") > 0).all()


def test_latitudes_of_others_stay(made, tmp_path) -> None:
    own = made.assign_coords(latitude=(("y", "x"), np.ones((8, 11))))
    again = Footprint.open(write_netcdf(own, tmp_path / "risk.nc")).dataset
    assert (again.latitude == 1).all()
    assert "longitude" not in again.coords


def test_attributes_that_no_file_holds(made, tmp_path) -> None:
    attrs = {
        "none": None,
        "bool": True,
        "never": np.False_,
        "dict": {"a": [1, None]},
        "when": datetime(2019, 6, 1, tzinfo=UTC),
        "path": Path("a"),
        "stamp": np.datetime64("2019-06-01", "ns"),
        "list": ["a", 1],
        "nan": float("nan"),
        "floats": np.array([1.5, 2.5]),
    }
    made = made.assign_attrs(attrs)
    made["mean"].attrs["method"] = {"a": 1}
    made["y"].attrs["bounds_known"] = False
    for write in ("to_netcdf", "to_zarr"):
        path = getattr(Footprint(made), write)(tmp_path / write)
        found = Footprint.open(path).dataset
        assert not {"none", "nan"} & {*found.attrs}
        assert (found.attrs["bool"], found.attrs["never"]) == (1, 0)
        assert json.loads(found.attrs["dict"]) == {"a": [1, None]}
        assert json.loads(found.attrs["list"]) == ["a", 1]
        assert found.attrs["when"] == "2019-06-01T00:00:00+00:00"
        assert found.attrs["stamp"] == "2019-06-01T00:00:00Z"
        assert np.asarray(found.attrs["floats"]).tolist() == [1.5, 2.5]
        assert found["mean"].attrs["method"] == '{"a": 1}'
        assert found["y"].attrs["bounds_known"] == 0


@pytest.mark.parametrize(
    ("seconds", "units"), [((90, 180), "seconds"), ((0.5, 1.25), "seconds")]
)
def test_leads_of_parts_of_a_minute(made, tmp_path, seconds, units) -> None:
    ahead = (1e9 * np.array(seconds)).astype("timedelta64[ns]")
    start = made.reference_time.values + np.timedelta64(1, "ms")
    made = made.assign_coords(
        lead=ahead, time=("lead", start + ahead), reference_time=start
    )
    path = write_netcdf(made, tmp_path / "risk.nc")
    with xr.open_dataset(path, decode_cf=False) as raw:
        assert raw.lead.attrs["units"] == units
    xr.testing.assert_equal(Footprint.open(path).dataset, made)


def test_without_times_hazards_or_percentiles(made, tmp_path) -> None:
    bare = made[["mean"]].drop_vars(["time", "reference_time"])
    path = write_netcdf(bare, tmp_path / "risk.nc")
    xr.testing.assert_equal(Footprint.open(path).dataset, bare)
    assert Footprint.open(path).hazards == ()


def test_written_again_it_keeps_its_history(made, tmp_path) -> None:
    path = write_netcdf(made, tmp_path / "risk.nc")
    again = write_netcdf(Footprint.open(path).dataset, tmp_path / "again.nc")
    found = Footprint.open(again).dataset
    xr.testing.assert_equal(found, made)
    assert found.attrs["history"].count("written by stormfusion") == 2


def test_a_crs_attribute_becomes_a_grid_mapping(made) -> None:
    told = made.drop_vars("crs").assign_attrs(crs="EPSG:3035")
    found = conventional(told)
    assert found.crs.attrs["grid_mapping_name"] == "lambert_azimuthal_equal_area"
    assert found["mean"].attrs["grid_mapping"] == "crs"
    assert Grid.of(found).crs is not None
