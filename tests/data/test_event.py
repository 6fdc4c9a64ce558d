"""Events: lazy, labelled, and brought to one grid by their coordinates."""

import pickle
import subprocess
import sys

import matplotlib.figure
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from tests.data.radar_arrays import LAEA, axis, event, held, minutes, ramp

from stormfusion import Catalog
from stormfusion.data.event import Event, latest
from stormfusion.data.packing import Packing
from stormfusion.errors import CatalogError, GridMismatchError

NEVER = -1


# ------------------------------------------------------------- labelled data


def test_attributes():
    storm = event(held("rain_rate", ramp(2), crs=LAEA))
    array = storm["rain_rate"]
    assert array.name == "rain_rate"
    assert array.dims == ("time", "y", "x")
    assert array.dtype == np.float32
    assert array.attrs == {
        "units": "mm h-1",
        "long_name": "rain rate",
        "standard_name": "rainfall_rate",
        "grid_mapping": "crs",
    }
    assert array.time.attrs["standard_name"] == "time"
    assert "crs_wkt" in array.crs.attrs
    assert storm.variables == ("rain_rate",)
    assert storm.time.tolist() == list(pd.DatetimeIndex(minutes(0, 5)))
    np.testing.assert_array_equal(array.values, ramp(2))


def test_nothing_is_read_before_it_is_asked_for():
    frames = held("rain_rate", ramp(6))
    array = event(frames)["rain_rate"]
    part = array.sel(time=slice(minutes(10)[0], None)).isel(y=slice(1, 3), x=2)
    assert repr(part)
    assert frames.log == []
    np.testing.assert_array_equal(part.values, ramp(6)[2:, 1:3, 2])
    assert frames.log == [(slice(2, 6), slice(1, 3), slice(2, 3))]


@pytest.mark.parametrize(
    "key",
    [
        (slice(None, None, 2), slice(None), slice(None)),
        (slice(None, None, -1), slice(3, 0, -2), slice(None, None, -3)),
        (slice(4, 1, -2), slice(-2, None), -1),
        (0, 1, 2),
        (-1, slice(0, 0), slice(None)),
        ([3, 0, 3], slice(None), [4, 1]),
        (np.array([True, False, True, False, False, True]), 0, slice(1, 4)),
    ],
)
def test_any_index_is_that_of_the_whole_array(key):
    values = ramp(6)
    array = event(held("rain_rate", values))["rain_rate"]
    whole = xr.DataArray(values, dims=("time", "y", "x"))
    np.testing.assert_array_equal(array[key].values, whole[key].values)


def test_missing_and_infinite_are_nan():
    values = np.array([[[0.0, np.inf], [np.nan, -np.inf]]], dtype="float32")
    storm = event(held("rain_rate", values, packing=Packing("float32")))
    np.testing.assert_array_equal(
        storm["rain_rate"].values, [[[0.0, np.nan], [np.nan, np.nan]]]
    )


def test_unknown_variable_names_those_there_are():
    storm = event(held("rain_rate", ramp(2)))
    with pytest.raises(CatalogError, match="no variable 'vil', it has rain_rate"):
        storm["vil"]
    for odd in (["rain_rate"], 0, None):
        with pytest.raises(
            TypeError, match=r"wanted the name of one variable, such as"
        ):
            storm[odd]
    with pytest.raises(CatalogError, match="at least one"):
        Event("e", {})


def test_is_not_changed_through_what_it_was_made_of():
    frames = {"rain_rate": held("rain_rate", ramp(2))}
    storm = Event("e", frames)
    frames["vil"] = held("vil", ramp(2))
    assert storm.variables == ("rain_rate",)


# ------------------------------------------------------------ latest frames


@pytest.mark.parametrize(
    ("available", "wanted", "at"),
    [
        ((0, 5, 10), (0, 5, 10), (0, 1, 2)),
        ((0, 5, 10), (-1, 4.99, 9.99), (NEVER, 0, 1)),
        ((0, 15, 30), (5, 10, 15, 20), (0, 0, 1, 1)),
        ((0, 15, 30), (44, 46), (2, NEVER)),
        ((0, 1, 2, 3, 4, 5), (3.5,), (3,)),
        ((0,), (0, 5, 11), (0, 0, NEVER)),
        ((7,), (7,), (0,)),
        ((7,), (8,), (NEVER,)),
        ((10, 0, 5), (4, 9, 14), (1, 2, 0)),
    ],
)
def test_latest(available, wanted, at):
    found = latest(minutes(*available), minutes(*wanted))
    assert found.tolist() == list(at)


def test_latest_of_nothing():
    none = np.array([], dtype="datetime64[ns]")
    assert latest(none, minutes(0, 5)).tolist() == [NEVER, NEVER]


def test_latest_is_never_later():
    rng = np.random.default_rng(0)
    for _ in range(200):
        available = np.sort(minutes(*rng.uniform(0, 60, rng.integers(1, 12))))
        wanted = np.sort(minutes(*rng.uniform(-10, 80, 8)))
        at = latest(available, wanted)
        held_ = at >= 0
        assert (available[at[held_]] <= wanted[held_]).all()


# ------------------------------------------------- several variables by hand


def three_sensors():
    """
    Radar of 1 km north up, infrared of 2 km south up, lightning of 8 km, on 16 km.

    Infrared is 10 y + x of its pixel, in units of 2 km from the southwest corner.
    """
    radar = ramp(3, 16, 16)
    y, x = np.ogrid[:8, :8]
    infrared = np.broadcast_to(-(10.0 * y + x), (3, 8, 8)).copy()
    infrared[:, 0, 0] = np.nan
    flashes = np.array([[[1.0, 2.0], [3.0, 4.0]]] * 3)
    return event(
        held("rain_rate", radar, y=axis(16)[::-1]),
        held("ir107", infrared, y=axis(8, 2000.0), x=axis(8, 2000.0)),
        held("lightning", flashes, y=axis(2, 8000.0), x=axis(2, 8000.0)),
    )


def test_to_dataset_goes_by_coordinates():
    dataset = three_sensors().to_dataset(like="rain_rate")
    assert dict(dataset.sizes) == {"time": 3, "y": 16, "x": 16}
    infrared, lightning = dataset.ir107[0].values, dataset.lightning[0].values
    for row in range(16):
        for column in range(16):
            south = (15 - row) // 2, column // 2
            if south == (0, 0):
                assert np.isnan(infrared[row, column])
            else:
                assert infrared[row, column] == -(10 * south[0] + south[1])
            octet = (15 - row) // 8, column // 8
            assert lightning[row, column] == 1 + 2 * octet[0] + octet[1]
    assert dataset.ir107.attrs["units"] == "degC"
    assert dataset.lightning.attrs["long_name"].startswith("lightning")
    assert dataset.attrs == {"id": "e"}


def test_to_dataset_like_a_coarser_variable_averages():
    dataset = three_sensors().to_dataset(like="ir107")
    assert dict(dataset.sizes) == {"time": 3, "y": 8, "x": 8}
    # the southwest pixel holds rows 14 and 15, columns 0 and 1 of the radar
    assert dataset.rain_rate[0, 0, 0] == pytest.approx((140 + 141 + 150 + 151) / 4)
    assert dataset.rain_rate[2, 7, 7] == pytest.approx(200 + (14 + 15 + 24 + 25) / 4)


def test_to_dataset_takes_no_later_frame():
    late = held("ir107", ramp(3), time=minutes(1, 6, 11))
    dataset = event(held("rain_rate", ramp(3)), late).to_dataset()
    assert np.isnan(dataset.ir107[0]).all()
    np.testing.assert_array_equal(dataset.ir107[1:], ramp(3)[:2])
    assert late.last_read == 1


def test_to_dataset_where_a_variable_covers_a_part():
    east = held("ir107", ramp(1, 4, 5), x=axis(5, first=2500.0))
    out = event(held("rain_rate", ramp(1)), east).to_dataset().ir107[0].values
    assert np.isnan(out[:, :2]).all()
    np.testing.assert_array_equal(out[:, 2:], ramp(1)[0, :, :3])


def test_to_dataset_through_another_projection():
    degrees = held(
        "ir107",
        np.broadcast_to(np.arange(20.0)[:, None], (1, 20, 30)).copy(),
        y=37.0 + 0.1 * np.arange(20),
        x=-99.5 + 0.1 * np.arange(30),
        crs="EPSG:4326",
        degrees=True,
    )
    radar = held(
        "rain_rate", ramp(1), y=axis(4, 20_000.0), x=axis(5, 20_000.0), crs=LAEA
    )
    out = event(radar, degrees).to_dataset().ir107[0].values
    # 0.1 degree is 11.1 km: rows 10, 30, 50 and 70 km north of 38N
    assert out[:, 0].tolist() == [11.0, 13.0, 14.0, 16.0]
    unknown = held("rain_rate", ramp(1))
    with pytest.raises(GridMismatchError, match="add a grid mapping"):
        event(unknown, degrees).to_dataset()


def test_to_dataset_writes_as_netcdf(tmp_path):
    storm = Event(
        "S1",
        {"rain_rate": held("rain_rate", ramp(2), crs=LAEA)},
        {"storm": True, "event_id": np.int64(7), "type": "Hail", "odd": (1, 2)},
    )
    storm.to_dataset().to_netcdf(tmp_path / "s.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "s.nc") as back:
        assert back.attrs == {"id": "S1", "storm": 1, "event_id": 7, "type": "Hail"}
        np.testing.assert_array_equal(back.rain_rate, ramp(2))
    again = Catalog.open(tmp_path / "s.nc")[0]
    assert again.stored("rain_rate").grid.same_as(storm.stored("rain_rate").grid)
    assert again.stored("rain_rate").grid.crs is not None


# ------------------------------------------------------------------ pictures


def test_plot_and_animate(tmp_path):
    storm = Catalog.synthetic(events=1, size=48, frames=3)[0]
    assert isinstance(storm.plot(), matplotlib.figure.Figure)
    assert isinstance(storm.plot("ir107"), matplotlib.figure.Figure)
    storm.plot(path=tmp_path / "storm.png")
    assert (tmp_path / "storm.png").read_bytes()[1:4] == b"PNG"
    for odd in (3, None):
        with pytest.raises(TypeError, match=r"path is .*, wanted text or a Path"):
            storm.animate(odd)
    path = storm.animate(tmp_path / "storm.gif", fps=10)
    assert path.read_bytes()[:3] == b"GIF"


# ------------------------------------------------------------------- pickles


def test_pickles_across_processes(tmp_path):
    ramp_ = xr.Dataset(
        {"rain_rate": (("time", "y", "x"), ramp(3), {"units": "mm h-1"})},
        coords={"time": minutes(0, 5, 10), "y": axis(4), "x": axis(5)},
    )
    ramp_.to_netcdf(tmp_path / "r.nc", engine="h5netcdf")
    catalog = Catalog.open(tmp_path / "r.nc") | Catalog.synthetic(events=1, size=48)
    assert catalog[0]["rain_rate"].values[2, 3, 4] == 234.0
    (tmp_path / "c.pkl").write_bytes(pickle.dumps((catalog, catalog[1])))
    code = (
        "import pickle, pathlib; "
        f"c, e = pickle.loads(pathlib.Path({str(tmp_path / 'c.pkl')!r}).read_bytes()); "
        "print(c.table.index[0], float(c[0]['rain_rate'][2, 3, 4]), "
        "int(e.stored('vil').read(slice(0, 9), slice(None), slice(None)).sum()))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    total = catalog[1].stored("vil").read(slice(0, 9), slice(None), slice(None)).sum()
    assert out == [catalog[0].id, "234.0", str(int(total))]
