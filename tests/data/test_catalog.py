"""Catalogs: collections that do not change, chosen from and split by whole events."""

import os
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.data.radar_arrays import axis, event, held, minutes, rain, ramp
from tests.data.sevir_files import write_sevir

from stormfusion import Catalog
from stormfusion.data import files
from stormfusion.data.event import Event
from stormfusion.errors import CatalogError

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("STORMFUSION_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture(scope="module")
def year():
    return Catalog.synthetic(events=12, size=48, frames=3)


def storm(id, time="2019-06-01T00:00", *, variables=("rain_rate",), **attrs):
    start = np.datetime64(time, "ns") + (minutes(0, 5) - minutes(0))
    frames = {v: held(v, ramp(2), time=start) for v in variables}
    return Event(id, frames, attrs)


# --------------------------------------------------------------------- collection


def test_len_iteration_and_items(year):
    assert len(year) == 12
    assert [e.id for e in year] == list(year.table.index)
    assert year[0] is year["synthetic-0-0000"]
    assert year[-1] is year["synthetic-0-0011"]
    assert year[np.int64(3)].id == "synthetic-0-0003"
    assert "synthetic-0-0003" in year
    assert year[3] in year
    assert "synthetic-1-0003" not in year
    part = year[2:8:2]
    assert isinstance(part, Catalog)
    assert list(part.table.index) == [f"synthetic-0-{n:04d}" for n in (2, 4, 6)]
    assert len(year[20:]) == 0


def test_items_that_are_none(year):
    with pytest.raises(KeyError, match="no event 'S1' among 12"):
        year["S1"]
    for at in (12, -13):
        with pytest.raises(IndexError, match=f"event {at} of a catalog of 12"):
            year[at]
    for odd in (1.5, [0, 1], None):
        with pytest.raises(TypeError, match="wanted a position, an id or a slice"):
            year[odd]


def test_repr(year):
    assert repr(year) == (
        "<Catalog of 12 events, 2019-01-01 to 2019-12-01: "
        "vil, ir069, ir107, vis, lightning>"
    )
    assert repr(year[:1]).startswith("<Catalog of 1 event, ")
    assert repr(year[:0]) == "<Catalog of 0 events>"


def test_does_not_change(year):
    table = year.table
    table["time"] = pd.Timestamp(0)
    table.loc["synthetic-0-0000", "frames"] = 99
    assert year.table["time"].nunique() == 12
    assert year.table["frames"].tolist() == [3] * 12
    own = pd.DataFrame({"time": [pd.Timestamp(0)]}, index=["a"])
    catalog = Catalog([storm("a")], own)
    own["time"] = pd.Timestamp("2030")
    assert catalog.table["time"].tolist() == [pd.Timestamp(0)]
    with pytest.raises(TypeError):
        year[0] = year[1]


def test_the_table_says_what_the_events_know():
    catalog = Catalog([storm("a", event_type="Hail"), storm("b", "2019-07-01")])
    table = catalog.table
    assert list(table.index) == ["a", "b"]
    assert table.index.name == "id"
    assert table.loc["a", "end"] == pd.Timestamp("2019-06-01T00:05")
    assert table["frames"].tolist() == [2, 2]
    assert table["variables"].tolist() == [("rain_rate",)] * 2
    assert table["event_type"].tolist()[0] == "Hail"
    assert pd.isna(table.loc["b", "event_type"])


@pytest.mark.parametrize(
    ("events", "table", "message"),
    [
        ([storm("a"), storm("b"), storm("a")], None, "two events have the id 'a'"),
        ([storm("a")], pd.DataFrame({"time": []}), "lists 0 events and there are 1"),
        (
            [storm("a")],
            pd.DataFrame({"t": [1]}, index=["a"]),
            "columns t, wanted 'time'",
        ),
    ],
)
def test_tables_that_do_not_fit(events, table, message):
    with pytest.raises(CatalogError, match=message):
        Catalog(events, table)


def test_pickles(year):
    again = pickle.loads(pickle.dumps(year))
    pd.testing.assert_frame_equal(again.table, year.table)
    frames = year[0].stored("vil"), again[0].stored("vil")
    one, other = (f.read(slice(None), slice(None), slice(None)) for f in frames)
    np.testing.assert_array_equal(one, other)


# -------------------------------------------------------------------------- union


def test_union(year):
    both = year[:5] | year[3:8]
    assert list(both.table.index) == list(year[:8].table.index)
    assert len(year | year) == 12
    assert len(year[:0] | year[:2]) == 2
    assert len(year[:2] | year[:0]) == 2
    other = Catalog([storm("a")])
    union = year[:1] | other
    assert union.variables[-1] == "rain_rate"
    assert union["a"]["rain_rate"].shape == (2, 4, 5)
    with pytest.raises(TypeError):
        year | [1]


def test_union_of_different_events_with_one_id_says_so():
    one = Catalog.from_xarray(rain(ramp(3)))
    same = Catalog.from_xarray(rain(ramp(3)))
    assert len(one | same) == 1
    elsewhere = rain(ramp(3), x=axis(5) + 5e5)
    later = rain(ramp(3), time=minutes(0, 6, 12))
    another = rain(ramp(3), name="ir107", units="K")
    for dataset in (elsewhere, later, another):
        with pytest.raises(CatalogError, match="two different events have the id"):
            one | Catalog.from_xarray(dataset)
    assert len(one | Catalog.from_xarray(elsewhere, prefix="east")) == 2


# -------------------------------------------------------------------------- where


def test_where_time(year):
    months = [t.month for t in year.table["time"]]
    assert months == [1, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    late = year.where(time=slice("2019-07-02", None))
    assert late.table["time"].min() >= pd.Timestamp("2019-07-02")
    exact = year.table["time"].iloc[3]
    assert len(year.where(time=slice(exact, exact))) == 1
    assert len(year.where(time=slice("2019", "2019"))) == 12
    assert len(year.where(time=slice(None, "2019-01"))) == 2
    assert len(year.where(time=slice(None, None))) == 12


def test_where_time_means_the_whole_last_day():
    catalog = Catalog([storm("a", "2019-06-30T18:00"), storm("b", "2019-07-01T00:00")])
    assert list(catalog.where(time=slice("2019-06-30", "2019-06-30")).table.index) == [
        "a"
    ]
    zone = pd.Timestamp("2019-06-30T20:00", tz="Etc/GMT-2")
    assert len(catalog.where(time=slice(None, zone))) == 1
    assert len(catalog.where(time=slice(None, "2019-06-30T17:59"))) == 0


def test_where_time_wants_a_slice(year):
    with pytest.raises(TypeError, match="wanted a slice"):
        year.where(time="2019-06")
    with pytest.raises(ValueError, match="got the time 'soon'"):
        year.where(time=slice("soon", None))


def test_where_type_and_predicate():
    catalog = Catalog(
        [storm("a", event_type="Hail", n=1), storm("b", event_type="Flood", n=2)]
    )
    assert catalog.where(event_type="Hail")[0].id == "a"
    assert len(catalog.where(event_type=["Hail", "Flood"])) == 2
    assert len(catalog.where(time=slice("2030", None), event_type="Hail")) == 0
    for none in ("Tornado", ["Hail", "Tornado"]):
        with pytest.raises(CatalogError, match=r"type 'Tornado', it has Flood, Hail;"):
            catalog.where(event_type=none)
    assert catalog.where(lambda t: t["n"] > 1)[0].id == "b"
    assert len(catalog.where(lambda t: t["n"] > 1, event_type="Hail")) == 0
    with pytest.raises(TypeError, match="wanted true or false for each of 2 rows"):
        catalog.where(lambda t: t["n"] + 1)
    with pytest.raises(TypeError, match="wanted true or false"):
        catalog.where(lambda t: True)
    with pytest.raises(CatalogError, match="no column 'event_type', it has time"):
        Catalog([storm("a")]).where(event_type="Hail")


def test_where_predicate_of_missing_values_is_not_met():
    table = pd.DataFrame(
        {"time": [pd.Timestamp(0)] * 2, "n": pd.array([1, None], dtype="Int64")},
        index=["a", "b"],
    )
    catalog = Catalog([storm("a"), storm("b")], table)
    assert list(catalog.where(lambda t: t["n"] == 1).table.index) == ["a"]


def test_where_variables(year):
    catalog = Catalog(
        [
            storm("a", variables=("vil", "ir107", "lightning")),
            storm("b", "2019-07-01", variables=("vil",)),
        ]
    )
    assert len(catalog.where(variables="vil")) == 2
    both = catalog.where(variables=("ir107", "vil"))
    assert list(both.table.index) == ["a"]
    assert both.variables == ("vil", "ir107", "lightning")
    slim = catalog.where(variables=("ir107", "vil"), only=True)
    assert slim.variables == ("vil", "ir107")
    assert slim.table["variables"].tolist() == [("vil", "ir107")]
    with pytest.raises(CatalogError, match="no variable 'mesh', it has vil"):
        catalog.where(variables=("mesh",))


def place(id, latitude, longitude, *, degrees=True):
    y, x = latitude + np.array([-0.5, 0.5]), longitude + np.array([-0.5, 0.5])
    crs = "EPSG:4326"
    if not degrees:
        y = x = np.array([-500.0, 500.0])
        crs = f"+proj=laea +lat_0={latitude} +lon_0={longitude}"
    frames = held("rain_rate", ramp(2, 2, 2), y=y, x=x, crs=crs, degrees=degrees)
    return event(frames, id=id)


def test_where_box():
    catalog = Catalog(
        [
            place("a", 40.0, -100.0),
            place("b", 40.0, 260.0),
            place("c", 40.0, -100.0, degrees=False),
            place("d", -20.0, 179.0),
            place("e", -20.0, -179.0, degrees=False),
            storm("nowhere"),
        ]
    )
    ids = lambda *box: "".join(catalog.where(box=box).table.index)  # noqa: E731
    assert ids(-105, 35, -95, 45) == "abc"
    assert ids(255, 35, 265, 45) == "abc"
    assert ids(-105, 41, -95, 45) == ""
    assert ids(170, -30, -170, -10) == "de"
    assert ids(170, -30, 180, -10) == "d"
    assert ids(-180, -90, 180, 90) == "abcde"
    with pytest.raises(ValueError, match="west, south, east, north"):
        catalog.where(box=(-105, 45, -95, 35))


def test_where_of_nothing():
    empty = Catalog.synthetic(events=1, size=48).where(time=slice("2030", None))
    assert len(empty) == 0
    assert len(empty.where(time=slice("2030", None), box=(-1, -1, 1, 1))) == 0
    assert empty.variables == ()
    assert len(empty.check(progress=False)) == 0


# -------------------------------------------------------------------------- split


def test_split_before(year):
    earlier, later = year.split(before="2019-06-01")
    assert (len(earlier), len(later)) == (5, 7)
    assert earlier.table["time"].max() < pd.Timestamp("2019-06-01")
    at = year.table["time"].iloc[4]
    assert len(year.split(before=at)[1]) == 8
    assert len(year.split(before=at.tz_localize("UTC"))[1]) == 8


@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.5, 0.75, 0.99])
def test_split_fraction(year, fraction):
    earlier, later = year.split(fraction)
    assert len(earlier) == min(max(round(12 * fraction), 1), 11)
    assert not set(earlier.table.index) & set(later.table.index)
    assert earlier.table["time"].max() < later.table["time"].min()


def test_split_keeps_equal_times_together():
    times = ["2019-06-01"] * 5 + ["2019-06-02"] * 4 + ["2019-06-03"]
    catalog = Catalog([storm(f"e{i}", t) for i, t in enumerate(times)])
    for fraction in (0.05, 0.5, 0.6, 0.7, 0.8, 0.97):
        earlier, later = catalog.split(fraction)
        assert len(earlier) in (5, 9)
        assert not set(earlier.table["time"]) & set(later.table["time"])
    shuffled = Catalog([catalog[i] for i in (9, 0, 5, 6, 1, 2, 7, 3, 4, 8)])
    assert set(shuffled.split(0.5)[0].table.index) == {f"e{i}" for i in range(5)}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "a fraction or before="),
        ({"fraction": 0.5, "before": "2019"}, "a fraction or before="),
        ({"fraction": 0}, "fraction is 0, wanted a number between"),
        ({"fraction": 1.0}, "fraction is 1.0"),
        ({"fraction": float("nan")}, "fraction is nan"),
        ({"fraction": "2019-06-01"}, "for a time write split"),
        ({"before": "2018"}, "12 events from 2019-01-01 .* leaves one part empty"),
        ({"before": "2020"}, "leaves one part empty"),
    ],
)
def test_splits_that_are_none(year, given, message):
    with pytest.raises(ValueError, match=message):
        year.split(**given)


def test_split_of_one_time_or_nothing():
    catalog = Catalog([storm("a"), storm("b")])
    with pytest.raises(CatalogError, match="events of more than one time"):
        catalog.split(0.5)
    with pytest.raises(CatalogError, match="splitting 0 events leaves one part"):
        catalog[:0].split(0.5)
    with pytest.raises(
        CatalogError, match=r"splitting 1 event from 2019-06-01 .* one "
    ):
        catalog[:1].split(0.5)


# ----------------------------------------------------------------- SEVIR, in short


def test_open_sevir(tmp_path):
    write_sevir(tmp_path)
    catalog = Catalog.open(tmp_path, variables=("vil", "ir107"))
    assert catalog.variables == ("vil", "ir107")
    assert "S728503" in catalog
    assert catalog.where(event_type="Hail")[0]["vil"].shape[0] == 49
    with pytest.raises(ValueError, match="are for gridded files"):
        Catalog.open(tmp_path, duration="1h")
    path = tmp_path / "s.nc"
    catalog["S728503"].to_dataset(like="ir107").to_netcdf(path, engine="h5netcdf")
    assert Catalog.open(path)["s-20190601T1632"].variables[0] == "vil"
    files.close_all()


# ----------------------------------------------------------------------- real data

REAL = {
    "bom02_20180616": ("rain_rate", 61, 360, (512, 512), (500, 500)),
    "dwd_radolan_ry_20210823": ("rain_rate", 12, 300, (900, 900), (1000, 1000)),
    "fmi_20160928": ("reflectivity", 40, 300, (1226, 760), (1000, 1000)),
    "mch_20150515": ("rain_rate", 40, 300, (640, 710), (1000, 1000)),
    "mch_20170131": ("rain_rate", 40, 300, (640, 710), (1000, 1000)),
    "mrms_20190610_conus_east": ("rain_rate", 36, 120, (3500, 3400), (1112, 882)),
    "mrms_mesh_20240228": ("mesh", 1, None, (3500, 7000), (1112, 882)),
    "mrms_mesh_max1440_20240228": ("mesh", 1, None, (3500, 7000), (1112, 882)),
    "opera_20180824": ("rain_rate", 24, 900, (2200, 1900), (2000, 2000)),
    "pair_gpm_dpr_bom66_20141206": ("reflectivity", 1, None, (300, 300), (1e3, 1e3)),
    "smhi_openmrg_20150827": ("reflectivity", 145, 300, (48, 37), (2000, 2000)),
}
UNITS = {"rain_rate": "mm h-1", "reflectivity": "dBZ", "mesh": "mm"}


@pytest.mark.realdata
@pytest.mark.parametrize("name", REAL)
def test_real_files_are_what_their_readme_says(name):
    path = DATA / f"{name}.nc"
    if not path.exists():
        pytest.skip(f"no {path}; set STORMFUSION_DATA to the folder of real radar")
    variable, count, interval, shape, spacing = REAL[name]
    catalog = Catalog.open(path)
    assert len(catalog) == 1
    storm = catalog[0]
    assert storm.variables[0] == variable
    frames = storm.stored(variable)
    assert frames.time.size == count
    if interval is not None:
        assert set(np.diff(frames.time) / np.timedelta64(1, "s")) == {interval}
    assert frames.grid.shape == shape
    assert frames.grid.spacing == pytest.approx(spacing, rel=0.01)
    assert frames.grid.crs is not None
    assert frames.grid.y[0] > frames.grid.y[-1]  # the first row is in the north
    array = storm[variable]
    assert array.attrs["units"] == UNITS[variable]
    frame = array[count // 2].values
    known = frame[np.isfinite(frame)]
    assert known.size
    assert known.min() >= (-35 if variable == "reflectivity" else 0)
    assert 0 < known.max() < 700


@pytest.mark.realdata
def test_real_files_open_together():
    if not DATA.is_dir():
        pytest.skip(f"no {DATA}; set STORMFUSION_DATA to the folder of real radar")
    catalog = Catalog.open(f"{DATA}/*.nc")
    # the two fields of hail on one grid are two products, so no sequence
    assert len(catalog) == len(list(DATA.glob("*.nc")))
    assert len(catalog.where(box=(-10, 45, 32, 72))) == 6
    assert len(catalog.where(box=(140, -40, 160, -20))) == 2
    windows = Catalog.open(f"{DATA}/mch_*.nc", duration="2h", size=256, events=3)
    assert len(windows) == 3
    assert windows.table["wet_fraction"].min() > 0.2
    assert all(len(e.time) == 25 for e in windows)


@pytest.mark.parametrize("path", [None, 42, [3], {"a": 1}])
def test_what_cannot_be_opened(path):
    with pytest.raises(TypeError, match=r"wanted text or a Path, or a list of them"):
        Catalog.open(path)


@pytest.mark.parametrize("path", ["", "  ", [""], ["radar.nc", ""]])
def test_a_path_that_is_empty(path):
    with pytest.raises(ValueError, match=r"path is .*, wanted a file, folder or URL"):
        Catalog.open(path)


@pytest.mark.parametrize("lightning", ["sevir", "x"])
def test_lightning_is_for_sevir(tmp_path, lightning):
    path = tmp_path / "radar.nc"
    rain(ramp(3)).to_netcdf(path, engine="h5netcdf")
    with pytest.raises(ValueError, match=rf"lightning='{lightning}' is for SEVIR, and"):
        Catalog.open(path, lightning=lightning)
    files.close_all()


@pytest.mark.parametrize("dataset", [None, np.zeros((3, 4, 4))])
def test_what_is_not_labelled(dataset):
    with pytest.raises(TypeError, match=r"wanted an xarray Dataset or DataArray"):
        Catalog.from_xarray(dataset)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 48.0}, r"size is 48.0, wanted whole numbers of pixels"),
        ({"size": (48,)}, r"size is \(48,\), wanted whole numbers"),
        ({"size": True}, r"size is True, wanted whole numbers"),
        ({"duration": 60}, r"duration is 60, wanted a time with its unit"),
        ({"duration": "60"}, r"duration is '60', wanted a time with its unit"),
        ({"duration": "an hour"}, r"duration is 'an hour', wanted a time"),
        ({"max_missing": "half"}, r"max_missing is 'half', wanted a share"),
    ],
)
def test_odd_arguments_of_cuts(options, message):
    storm = Catalog.synthetic(events=1, size=64, variables=("vil",))[0].to_dataset()
    with pytest.raises(CatalogError, match=message):
        Catalog.from_xarray(storm, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 48.0}, r"size is 48.0, wanted whole numbers of pixels"),
        ({"interval": "x"}, r"interval is 'x', wanted a time with its unit"),
        ({"interval": 5}, r"interval is 5, wanted a time with its unit"),
        ({"frames": 2.5}, r"frames is 2.5, wanted a whole number"),
        ({"events": 10**9}, r"events is 1000000000, wanted at most 100000; make sev"),
        ({"frames": 10**9}, r"frames is 1000000000, wanted at most 100000"),
        ({"size": 0}, r"size is 0, wanted 8 pixels or more each way"),
        ({"size": (64, 7)}, r"size is \(64, 7\), wanted 8 pixels or more"),
    ],
)
def test_odd_arguments_of_synthetic(options, message):
    with pytest.raises(CatalogError, match=message):
        Catalog.synthetic(**options)


def test_odd_conditions():
    catalog = Catalog.synthetic(events=2, size=64, variables=("vil",))
    with pytest.raises(ValueError, match=r"box is \(1,\), wanted \(west, south"):
        catalog.where(box=(1,))
    with pytest.raises(ValueError, match=r"box is 3, wanted \(west, south"):
        catalog.where(box=3)
    with pytest.raises(TypeError, match=r"event_type is 3, wanted a type"):
        catalog.where(event_type=3)
    with pytest.raises(TypeError, match=r"variables are 3, wanted names such as"):
        catalog.where(variables=3)
    for condition in ("vil > 3", {"frames": 3}, catalog.table["frames"] > 3):
        with pytest.raises(TypeError, match=r"wanted a function of the table; write"):
            catalog.where(condition)
    with pytest.raises(TypeError, match=r"got True, wanted a position"):
        catalog[True]
    with pytest.raises(ValueError, match=r"got the time 5, wanted a date"):
        catalog.split(before=5)
    with pytest.raises(TypeError, match=r"rename is 3, wanted \{'name in the data'"):
        Catalog.from_xarray(catalog[0].to_dataset(), rename=3)
    with pytest.raises(ValueError, match=r"got the time 'yesterday', wanted a date"):
        catalog.split(before="yesterday")


class EndpointError(Exception):
    """As botocore has them: no built-in."""


class ConnectorError(OSError):
    """As aiohttp has them: a built-in of another name."""


@pytest.mark.parametrize(
    "error", [EndpointError, ConnectorError, ConnectionRefusedError, TimeoutError]
)
def test_an_error_of_a_library_that_fetches_is_said_in_a_sentence(monkeypatch, error):
    def fail(*args, **options):
        raise error("no route")

    monkeypatch.setattr("stormfusion.data.opening.sevir.is_sevir", fail)
    with pytest.raises(ConnectionError, match=r"cannot be reached .*no route.*; check"):
        Catalog.open("s3://sevir")


def test_an_error_of_a_local_file_speaks_for_itself(monkeypatch, tmp_path):
    def fail(*args, **options):
        raise PermissionError("no entry")

    monkeypatch.setattr("stormfusion.data.opening.sevir.is_sevir", fail)
    with pytest.raises(PermissionError, match=r"^no entry$"):
        Catalog.open(tmp_path)


def test_storage_options_are_a_mapping():
    with pytest.raises(TypeError, match=r"storage_options is 3, wanted options of fss"):
        Catalog.open("memory://radar", storage_options=3)
