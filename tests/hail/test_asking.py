"""What may be asked of a model of hail, and what is refused with a sentence."""

import datetime as dt

import numpy as np
import pytest
import xarray as xr

from stormfusion import Catalog
from stormfusion.errors import CatalogError
from stormfusion.hail import asking


@pytest.mark.parametrize(
    ("size", "millimetres"),
    [("1 inch", 25.4), ("0.75 inch", 19.05), (25.4, 25.4), ("2 cm", 20.0), (3, 3.0)],
)
def test_sizes_become_millimetres(size, millimetres):
    assert asking.checked(size, "10 km", "15 min").size == millimetres


@pytest.mark.parametrize("distance", ["10 km", 10_000, "10000 m", 1e4])
def test_distances_become_metres(distance):
    wanted = asking.checked("1 inch", distance, dt.timedelta(minutes=15))
    assert wanted.distance == 10_000.0
    assert wanted.window == dt.timedelta(minutes=15)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"size": 0}, "size is 0, wanted a length such as '1 inch'"),
        ({"size": "-1 inch"}, "size is '-1 inch'"),
        ({"size": "1 hour"}, "does not convert to 'mm'"),
        ({"size": "large"}, "size is 'large'"),
        ({"size": True}, "size is True"),
        ({"size": "1 m"}, "size is '1 m', 1000 mm, wanted a diameter of hail up to"),
        ({"distance": float("inf")}, "distance is inf"),
        ({"distance": None}, "distance is None"),
        ({"window": 15}, "window is 15, wanted a time with its unit"),
        ({"window": "-15 min"}, "window is '-15 min'"),
    ],
)
def test_what_counts_is_refused(wrong, said):
    given = {"size": "1 inch", "distance": "10 km", "window": "15 min"}
    with pytest.raises(ValueError, match=said):
        asking.checked(**(given | wrong))


@pytest.mark.parametrize("value", [1, 2.5, True, "3", None])
def test_numbers_are_whole(value):
    asking.check_whole(np.int64(2), name="folds", least=2)
    with pytest.raises(ValueError, match=f"folds is {value!r}, wanted a whole number"):
        asking.check_whole(value, name="folds", least=2)


def test_the_variable():
    radar = Catalog.synthetic(events=1, size=16, variables=["ir107", "rain_rate"])
    assert asking.variable_of(radar, None) == "rain_rate"
    with pytest.raises(CatalogError, match="no variable 'vil', it has ir107, rain"):
        asking.variable_of(radar, "vil")
    with pytest.raises(ValueError, match="variable is 'ir107', wanted one of vil, re"):
        asking.variable_of(radar, "ir107")
    with pytest.raises(ValueError, match="'mesh' is a size of hail itself"):
        asking.variable_of(radar, "mesh")
    cold = radar.where(variables=["ir107"], only=True)
    with pytest.raises(CatalogError, match="no variable 'vil', it has ir107"):
        asking.variable_of(cold, None)


def test_a_catalog_of_mesh_alone():
    storm = Catalog.synthetic(events=1, size=16, frames=3)[0]["vil"].load()
    mesh = storm.rename("mesh").assign_attrs(units="mm")
    with pytest.raises(ValueError, match="take a plain exceedance"):
        asking.variable_of(Catalog.from_xarray(mesh.to_dataset()), None)


@pytest.mark.parametrize(("minutes", "frames"), [(5, 1), (15, 3), (60, 12)])
def test_a_window_holds_whole_frames(minutes, frames):
    assert asking.frames_of(dt.timedelta(minutes=minutes), 300) == frames


@pytest.mark.parametrize(
    ("minutes", "interval", "said"),
    [
        (12, 300, "720 s does not hold a whole number of frames 300 s apart"),
        (2, 300, "give window='300 s'"),
        (60 * 24, 300, "holds 288 frames, wanted 255 at most"),
    ],
)
def test_another_window_is_refused(minutes, interval, said):
    with pytest.raises(ValueError, match=said):
        asking.frames_of(dt.timedelta(minutes=minutes), interval)


def test_a_distance_below_the_spacing_is_refused():
    asking.check_distance(1000.0, (1000.0, 700.0))
    with pytest.raises(ValueError, match="distance is 999 m, wanted that between"):
        asking.check_distance(999.0, (1000.0, 700.0))


def test_the_interval_of_frames():
    time = np.datetime64("2019-06-01", "ns") + np.arange(3) * np.timedelta64(2, "m")
    assert asking.interval_of(xr.DataArray(time, dims="time"), 300) == 120.0
    assert asking.interval_of(xr.DataArray(time[:1], dims="time"), 300) == 300
    with pytest.raises(ValueError, match="-120 to -120 s apart"):
        asking.interval_of(xr.DataArray(time[::-1], dims="time"), 300)
