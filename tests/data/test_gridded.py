"""Gridded files: joined, cut into events, cached, and never stale."""

import gc
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from tests.data.radar_arrays import LAEA, axis, minutes, rain, ramp, write

from stormfusion import Catalog
from stormfusion.data import datasets, sources
from stormfusion.data.cutting import Cuts
from stormfusion.data.datasets import open_file, stamp_of
from stormfusion.data.gridded import event_of_dataset
from stormfusion.data.sources import ArraySource, FrameCache
from stormfusion.errors import (
    CatalogError,
    CorruptFileError,
    GridMismatchError,
    MissingExtraError,
)

EVERYTHING = slice(None), slice(None), slice(None)


@pytest.fixture(autouse=True)
def _closed():
    yield
    datasets.close_all()
    sources.cache.clear()


def values_of(storm, variable="rain_rate"):
    return storm[variable].values


# -------------------------------------------------------------------- the frames


def test_cut_frames_read_their_part(tmp_path):
    write(rain(ramp(8, 8, 10)), tmp_path / "r.nc")
    frames = Catalog.open(tmp_path / "r.nc")[0].stored("rain_rate")
    part = frames.cut(slice(2, 6), slice(1, 7), slice(3, 9))
    twice = part.cut(slice(1, 3), slice(2, 4), slice(0, 2))
    np.testing.assert_array_equal(
        twice.read(*EVERYTHING), ramp(8, 8, 10)[3:5, 3:5, 3:5]
    )
    assert twice.grid.y.tolist() == axis(8)[3:5].tolist()
    assert (twice.time == minutes(15, 20)).all()
    inner = part.read(slice(1, 3), slice(0, 2), slice(4, 99))
    np.testing.assert_array_equal(inner, ramp(8, 8, 10)[3:5, 1:3, 7:9])


def test_what_is_read_is_a_copy():
    dataset = rain(ramp(2))
    storm = event_of_dataset(dataset)
    storm.stored("rain_rate").read(*EVERYTHING)[:] = 7
    np.testing.assert_array_equal(dataset.rain_rate, ramp(2))


# --------------------------------------------------------------------- the cache


def test_the_cache_is_bounded_to_the_byte():
    cache = FrameCache(limit=1000)
    loads = []

    def load(number, size=300):
        loads.append(number)
        return np.full(size, number % 250, "uint8")

    for number in range(10):
        assert cache.get(number, lambda n=number: load(n))[0] == number
        assert cache.held == sum(f.nbytes for f in cache._frames.values()) <= 1000
    assert len(cache) == 3
    cache.get(9, lambda: load(9))
    cache.get(7, lambda: load(7))
    assert loads == [*range(10)]
    cache.get(10, lambda: load(10))  # 8 was used longest ago
    cache.get(7, lambda: load(7))
    assert loads[-1] == 10
    cache.get(11, lambda: load(11, 5000))  # too large to be kept
    assert len(cache) == 3


def test_cached_frames_cannot_be_written():
    frame = FrameCache(100).get(0, lambda: np.zeros(3))
    with pytest.raises(ValueError, match="read-only"):
        frame[0] = 1


def test_a_new_array_in_the_place_of_an_old_one_has_its_own_frames(tmp_path):
    """The cache once knew arrays by an id that the next array could have."""
    for number in range(6):
        write(rain(ramp(2) + number), tmp_path / f"{number}.nc")
    for number in range(6):
        with xr.open_dataset(tmp_path / f"{number}.nc") as dataset:
            storm = event_of_dataset(dataset)
            np.testing.assert_array_equal(values_of(storm), ramp(2) + number)
        del storm, dataset
        gc.collect()
    tokens = {ArraySource(rain(ramp(1)).rain_rate).token for _ in range(50)}
    assert len(tokens) == 50


def test_a_lazy_array_is_read_once_for_each_frame(tmp_path):
    write(rain(ramp(3)), tmp_path / "r.nc")
    with xr.open_dataset(tmp_path / "r.nc") as dataset:
        storm = event_of_dataset(dataset)
        values_of(storm)
        held = len(sources.cache)
        values_of(storm)
        assert len(sources.cache) == held == 3


# --------------------------------------------------------------- files that change


def test_a_changed_file_is_opened_anew(tmp_path):
    path = write(rain(ramp(2)), tmp_path / "r.nc")
    old = Catalog.open(path)
    np.testing.assert_array_equal(values_of(old[0]), ramp(2))
    assert open_file(str(path)) is open_file(str(path))
    stamp = stamp_of(str(path))
    path.unlink()
    write(rain(ramp(2) / 5, units="mm min-1"), path)
    os.utime(path, ns=(0, stamp[2] + 10**9))
    fresh = Catalog.open(path)
    np.testing.assert_allclose(values_of(fresh[0]), 12 * ramp(2), rtol=1e-6)
    sources.cache.clear()
    # its numbers mean something else now: the old catalog must not read them
    with pytest.raises(CorruptFileError, match="changed after its catalog was opened"):
        values_of(old[0])
    np.testing.assert_allclose(values_of(fresh[0]), 12 * ramp(2), rtol=1e-6)


def test_an_absent_file_says_so(tmp_path):
    path = write(rain(ramp(2)), tmp_path / "r.nc")
    storm = Catalog.open(path)[0]
    datasets.close_all()
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"r.nc"):
        values_of(storm)


def test_few_files_stay_open(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "MAX_OPEN", 3)
    for number in range(6):
        write(rain(ramp(1), time=minutes(5 * number)), tmp_path / f"{number}.nc")
    storm = Catalog.open(tmp_path)[0]
    assert values_of(storm).shape == (6, 4, 5)
    assert len(datasets._open.datasets) == 3


# ------------------------------------------------------------------ joined in time


def test_single_times_are_one_sequence_in_the_order_of_time(tmp_path):
    for name, number in (("z", 0), ("a", 2), ("m", 1)):
        frame = rain(ramp(3)[number : number + 1], time=minutes(5 * number))
        write(frame, tmp_path / f"{name}.nc")
    catalog = Catalog.open(tmp_path / "*.nc")
    assert len(catalog) == 1
    assert (catalog[0].time.values == minutes(0, 5, 10)).all()
    np.testing.assert_array_equal(values_of(catalog[0]), ramp(3))
    assert catalog[0].id == "z-20190601T0000"


def test_single_times_with_packings_of_their_own_are_one_sequence(tmp_path):
    for number in range(3):
        frame = rain(ramp(3)[number : number + 1], time=minutes(5 * number))
        packing = {"dtype": "int16", "scale_factor": 0.1 * (1 + number)}
        encoding = {"rain_rate": packing | {"_FillValue": -5}}
        frame.rain_rate[0, 0, 0] = np.nan
        write(frame, tmp_path / f"{number}.nc", encoding=encoding)
    storm = Catalog.open(tmp_path)[0]
    expected = ramp(3)
    expected[:, 0, 0] = np.nan
    np.testing.assert_allclose(values_of(storm), expected, atol=0.16)


def test_two_files_of_one_time_say_so(tmp_path):
    for name in ("a", "b"):
        write(rain(ramp(1)), tmp_path / f"{name}.nc")
    with pytest.raises(CatalogError, match=r"a.nc' and .*b.nc' both hold rain_rate at"):
        Catalog.open(tmp_path)


def test_grids_that_differ_are_not_joined(tmp_path):
    for number in range(4):
        x = axis(5) + (number // 2) * 500.0
        frame = rain(ramp(1), time=minutes(5 * number), x=x)
        write(frame, tmp_path / f"{number}.nc")
    assert [len(e.time) for e in Catalog.open(tmp_path)] == [2, 2]


def hourly(tmp_path):
    for hour in range(3):
        time = minutes(*(60 * hour + 5 * np.arange(12)))
        frames = ramp(36)[12 * hour : 12 * hour + 12]
        write(rain(frames, time=time), tmp_path / f"h{hour}.nc")


def test_longer_files_are_events_and_one_sequence_where_a_duration_is_asked(tmp_path):
    hourly(tmp_path)
    assert [len(e.time) for e in Catalog.open(tmp_path)] == [12, 12, 12]
    two = Catalog.open(tmp_path, duration="80min")
    assert [len(e.time) for e in two] == [17, 17]
    np.testing.assert_array_equal(values_of(two[1]), ramp(36)[17:34])


def test_a_missing_file_is_a_gap(tmp_path):
    hourly(tmp_path)
    (tmp_path / "h1.nc").unlink()
    events = Catalog.open(tmp_path, duration="40min")
    assert [str(e.time[0])[11:16] for e in events] == ["00:00", "02:00"]


# ------------------------------------------------------------------ what is there


def test_wildcards_folders_lists_and_home(tmp_path, monkeypatch):
    for number in range(3):
        time = minutes(*(60 * number + np.array([0.0, 5])))
        write(rain(ramp(2), time=time), tmp_path / f"r{number}.nc")
    (tmp_path / "notes.txt").write_text("no radar")
    inner = tmp_path / "inner"
    inner.mkdir()
    write(rain(ramp(2), time=minutes(600, 605)), inner / "r9.nc")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    names = [tmp_path / "r2.nc", str(tmp_path / "r0.nc"), tmp_path / "r2.nc"]
    counts = {
        "folder": Catalog.open(tmp_path),
        "home": Catalog.open("~"),
        "wildcard": Catalog.open("~/r*.nc"),
        "question": Catalog.open("r?.nc"),
        "brackets": Catalog.open(str(tmp_path / "r[01].nc")),
        "deep": Catalog.open("**/*.nc"),
        "list": Catalog.open(names),
        "path": Catalog.open(Path("r1.nc")),
        "file url": Catalog.open(f"file://{tmp_path}/r1.nc"),
    }
    found = {k: len(c) for k, c in counts.items()}
    assert list(found.values()) == [3, 3, 3, 3, 2, 4, 2, 1, 1]
    monkeypatch.chdir("/")
    assert values_of(counts["path"][0]).shape == (2, 4, 5)


def test_a_name_with_brackets_is_a_file_if_there_is_one(tmp_path):
    path = write(rain(ramp(2)), tmp_path / "radar[1].nc")
    assert len(Catalog.open(path)) == 1


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("none", "no file or folder .*none"),
        ("none.nc", "no file or folder .*none.nc"),
        ("*.nc", "no file matches"),
        ("", "neither a SEVIR catalog .* nor netCDF"),
    ],
)
def test_nothing_there_says_so(tmp_path, path, message):
    with pytest.raises(FileNotFoundError, match=message):
        Catalog.open(str(tmp_path / path))
    with pytest.raises(FileNotFoundError, match="empty list"):
        Catalog.open([])


def truncated(path: Path, share=0.5) -> Path:
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    return path


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.6, 0.97])
def test_a_truncated_file_says_so(tmp_path, share):
    path = truncated(write(rain(ramp(20, 30, 30)), tmp_path / "r.nc"), share)
    with pytest.raises(CorruptFileError, match=r"r.nc' is not a file that xarray can"):
        Catalog.open(path)


def test_a_foreign_file_says_so(tmp_path):
    path = tmp_path / "r.nc"
    path.write_text("this is no radar")
    with pytest.raises(CorruptFileError, match="fetch it again or convert it"):
        Catalog.open(path)


def test_damaged_files_among_others_are_counted_in_one_warning(tmp_path):
    for number in range(4):
        time = minutes(*(60 * number + np.array([0.0, 5])))
        write(rain(ramp(2), time=time), tmp_path / f"r{number}.nc")
    truncated(tmp_path / "r1.nc")
    (tmp_path / "r2.nc").write_text("no radar")
    xr.Dataset({"orography": (("y", "x"), np.zeros((4, 5)))}).to_netcdf(
        tmp_path / "s.nc", engine="h5netcdf"
    )
    with pytest.warns(UserWarning, match=r"3 of 5 files are skipped.*r1.nc") as w:
        catalog = Catalog.open(tmp_path)
    assert len(w) == 1
    assert [e.id[:2] for e in catalog] == ["r0", "r3"]
    report = catalog.check(progress=False)
    assert [Path(p).name for p in report["id"]] == ["r1.nc", "r2.nc", "s.nc"]
    assert report["variable"].isna().all()
    with pytest.raises(CorruptFileError, match=r"r1.nc"):
        Catalog.open(tmp_path, strict=True)


def test_where_no_file_is_of_use_the_first_says_why(tmp_path):
    for name in ("a", "b"):
        write(rain(ramp(2), name="wind", units="m s-1"), tmp_path / f"{name}.nc")
    with pytest.raises(CatalogError, match=r"none of the variables wind \[m s-1\]"):
        Catalog.open(tmp_path)


def damaged_chunk(path: Path) -> Path:
    """A file that opens, and whose frames cannot be read."""
    encoding = {"rain_rate": {"zlib": True, "chunksizes": (1, 30, 30)}}
    noise = np.random.default_rng(0).random((4, 30, 30)).astype("float32")
    write(rain(noise), path, encoding=encoding)
    raw = bytearray(path.read_bytes())
    raw[-2500:-2000] = bytes(500)
    raw[len(raw) // 2 : len(raw) // 2 + 3000] = bytes(3000)
    path.write_bytes(bytes(raw))
    return path


def test_a_file_damaged_within_is_found_by_check(tmp_path):
    path = damaged_chunk(tmp_path / "r.nc")
    try:
        catalog = Catalog.open(path)
    except CorruptFileError:
        pytest.skip("the damage hit the header")
    report = catalog.check(progress=False)
    assert report["problem"].tolist()[0].startswith("corrupt: frame ")
    with pytest.raises(CorruptFileError, match="seems to be damaged"):
        values_of(catalog[0])
    write(rain(ramp(4, 30, 30), time=minutes(60, 65, 70, 75)), tmp_path / "s.nc")
    with pytest.warns(UserWarning, match="1 of 2 files are skipped"):
        assert len(Catalog.open(tmp_path, duration="15min")) == 1


def test_grib_without_its_package_says_so(tmp_path):
    pytest.importorskip("xarray")
    try:
        import cfgrib  # noqa: F401
    except ImportError:
        (tmp_path / "r.grib2").write_bytes(b"GRIB")
        with pytest.raises(MissingExtraError, match=r"stormfusion\[geo\]"):
            Catalog.open(tmp_path / "r.grib2")


def test_zarr(tmp_path):
    pytest.importorskip("zarr")
    for name in ("r.zarr", "store"):
        rain(ramp(3), crs=LAEA).to_zarr(tmp_path / name, zarr_format=2)
        storm = Catalog.open(tmp_path / name)[0]
        np.testing.assert_array_equal(values_of(storm), ramp(3))
        assert storm.stored("rain_rate").grid.crs == LAEA
    assert len(Catalog.open(f"{tmp_path}/*.zarr")) == 1


def test_a_url(tmp_path):
    import fsspec

    path = write(rain(ramp(3)), tmp_path / "r.nc")
    memory = fsspec.filesystem("memory")
    memory.pipe("/radar/r.nc", path.read_bytes())
    for url in ("memory://radar/r.nc", "memory://radar", "memory://radar/*.nc"):
        catalog = Catalog.open(url)
        np.testing.assert_array_equal(values_of(catalog[0]), ramp(3))
    with pytest.raises(FileNotFoundError, match=r"no file 'memory://radar/none.nc'"):
        Catalog.open("memory://radar/none.nc")


# ------------------------------------------------------------ cut out of sequences


def test_gaps_split_events():
    time = minutes(0, 5, 10, 20, 25, 40)
    catalog = Catalog.from_xarray(rain(ramp(6), time=time))
    assert [len(e.time) for e in catalog] == [3, 2, 1]
    np.testing.assert_array_equal(values_of(catalog[1]), ramp(6)[3:5])
    assert list(catalog.table.index)[1] == "event-20190601T0020"


def test_duration_is_from_the_first_to_the_last_frame():
    catalog = Catalog.from_xarray(rain(ramp(30)), duration="1h")
    assert [len(e.time) for e in catalog] == [13, 13]
    assert catalog[1].time[-1] - catalog[1].time[0] == pd.Timedelta("1h")
    gap = minutes(*(5 * np.arange(12)), *(65 + 5 * np.arange(18)))
    catalog = Catalog.from_xarray(rain(ramp(30), time=gap), duration="1h")
    assert [str(e.time[0])[11:16] for e in catalog] == ["01:05"]


@pytest.mark.parametrize(
    "text", ["1d 2H", "1D 2h", "26h", "P1DT2H", "1 d2 H", "1 day 2 h"]
)
def test_a_duration_may_be_spelled_in_either_case(text):
    assert Cuts(duration=text).frames(3600) == 27


def test_size_tiles_the_middle_of_the_grid():
    catalog = Catalog.from_xarray(rain(ramp(2, 11, 9)), size=(4, 3))
    assert len(catalog) == 2 * 3
    assert catalog[0].id == "event-20190601T0000-y1x0"
    np.testing.assert_array_equal(values_of(catalog[1]), ramp(2, 11, 9)[:, 1:5, 3:6])


def test_the_wettest_are_kept_in_the_order_of_time():
    values = np.zeros((12, 4, 4), "float32")
    for window, wet in enumerate((1, 4, 0, 3)):
        values[3 * window : 3 * window + 3, 0, :wet] = 5.0
    dataset = rain(values)
    catalog = Catalog.from_xarray(dataset, duration="10min")
    assert catalog.table["wet_fraction"].tolist() == [1 / 16, 4 / 16, 0, 3 / 16]
    best = Catalog.from_xarray(dataset, duration="10min", events=2)
    assert [str(t)[11:16] for t in best.table["time"]] == ["00:15", "00:45"]


def test_windows_with_too_much_missing_are_left_out():
    values = np.ones((2, 4, 8), "float32")
    values[:, :, :2] = np.nan
    values[:, :3, 4:] = np.nan
    dataset = rain(values)
    assert len(Catalog.from_xarray(dataset, size=4)) == 1
    assert len(Catalog.from_xarray(dataset, size=4, max_missing=0.75)) == 2
    assert len(Catalog.from_xarray(dataset)) == 1
    table = Catalog.from_xarray(dataset, size=4, max_missing=1).table
    assert table["missing_fraction"].tolist() == [0.5, 0.75]
    assert table["wet_fraction"].tolist() == [1.0, 1.0]
    with pytest.raises(CatalogError, match="no window holds an event"):
        Catalog.from_xarray(dataset, size=4, max_missing=0.1)


@pytest.mark.parametrize(
    ("cuts", "message"),
    [
        ({"size": 9}, "size 9 x 9 does not fit the grid of 4 x 5"),
        ({"size": 1}, "from 2 x 2 up"),
        ({"duration": "0min"}, "wanted a time with its unit"),
        ({"duration": "9h"}, "no window holds an event"),
        ({"size": 4, "max_missing": 2}, "wanted a share from 0 to 1"),
        ({"size": 4, "events": 0}, "events is 0, wanted a whole number"),
        ({"events": 3}, "give a duration or a size"),
        ({"variables": ("vil",)}, "no variable 'vil', it has rain_rate"),
    ],
)
def test_cuts_out_of_range(cuts, message):
    with pytest.raises(CatalogError, match=message):
        Catalog.from_xarray(rain(ramp(3)), **cuts)


def test_other_variables_keep_their_grids_and_no_later_frame():
    radar = rain(ramp(24, 8, 8))
    coarse = rain(ramp(9, 4, 4), time=minutes(*(15 * np.arange(9))), name="ir107")
    coarse = coarse.rename(time="when", y="rows", x="columns")
    coarse["when"].attrs["standard_name"] = "time"
    coarse["rows"].attrs["standard_name"] = "projection_y_coordinate"
    coarse["columns"].attrs["standard_name"] = "projection_x_coordinate"
    coarse["ir107"].attrs["units"] = "degC"
    catalog = Catalog.from_xarray(radar.merge(coarse), duration="55min", size=4)
    assert catalog.variables == ("rain_rate", "ir107")
    assert len(catalog) == 2 * 4
    last = catalog[-1]
    infrared = last.stored("ir107")
    assert infrared.grid.shape == (4, 4)
    assert infrared.time[-1] <= last.time[-1]
    assert (infrared.time == minutes(45, 60, 75, 90, 105)).all()


def test_event_of_dataset_keeps_gaps_and_puts_radar_first():
    dataset = rain(ramp(3), time=minutes(0, 5, 30), name="ir107", units="K")
    dataset["dbz"] = rain(ramp(3), name="dbz", units="dBZ").dbz.variable
    storm = event_of_dataset(dataset.assign_attrs(id="S7"))
    assert storm.id == "S7"
    assert storm.variables == ("reflectivity", "ir107")
    assert len(storm.time) == 3
    array = event_of_dataset(dataset["dbz"])
    assert array.variables == ("reflectivity",)


def test_an_array_without_a_name_is_told_by_its_units():
    array = rain(ramp(2)).rain_rate.rename(None)
    assert Catalog.from_xarray(array).variables == ("rain_rate",)


def test_uneven_grids_of_files_say_so(tmp_path):
    write(rain(ramp(2), y=np.array([0.0, 1.0, 2.0, 9.0])), tmp_path / "r.nc")
    with pytest.raises(GridMismatchError, match="even spacing"):
        Catalog.open(tmp_path / "r.nc")


def test_accumulations_are_a_variable_too(tmp_path):
    write(rain(ramp(3), name="RAINNC_5min", units="mm"), tmp_path / "r.nc")
    with pytest.raises(CatalogError, match="say which with rename"):
        Catalog.open(f"{tmp_path}/*.nc")
    catalog = Catalog.open(f"{tmp_path}/*.nc", rename={"RAINNC_5min": "rain"})
    assert catalog[0]["rain"].attrs["units"] == "mm"
    write(rain(ramp(3) / 10, name="precip_accum", units="inch"), tmp_path / "r.nc")
    catalog = Catalog.open(f"{tmp_path}/*.nc")
    np.testing.assert_allclose(values_of(catalog[0], "rain"), 2.54 * ramp(3), rtol=1e-6)


def test_times_in_a_zone_become_utc():
    made = rain(ramp(3))
    zoned = pd.DatetimeIndex(made.time.values, tz="UTC").tz_convert("Europe/Paris")
    objects = made.assign_coords(time=("time", zoned.astype(object)))
    found = Catalog.from_xarray(objects)[0]
    np.testing.assert_array_equal(found.time.values, made.time.values)


def test_a_dataset_without_frames_is_refused():
    with pytest.raises(CatalogError, match=r"has no frame, wanted one or more"):
        Catalog.from_xarray(rain(ramp(3)).isel(time=slice(0)))


def test_two_products_on_one_grid_are_no_sequence(tmp_path):
    for number, name in enumerate(("hail now", "hail of a day")):
        frame = rain(ramp(1), time=minutes(5 * number), name="mesh", units="mm")
        frame.mesh.attrs["long_name"] = name
        frame.to_netcdf(tmp_path / f"{number}.nc", engine="h5netcdf")
    assert len(Catalog.open(f"{tmp_path}/*.nc")) == 2
