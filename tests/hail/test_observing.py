"""Reports as a field to verify against: which frames, which pixels, which sizes."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from stormfusion.errors import GridMismatchError
from stormfusion.grids import Grid
from stormfusion.hail import reported
from stormfusion.verification import brier

LAEA = "+proj=laea +lat_0=38 +lon_0=-98 +units=m +a=6370997.0 +ellps=sphere"
NOON = pd.Timestamp("2019-06-01 12:00")


@pytest.fixture
def like():
    y, x = (np.arange(count) * 1000.0 - 10e3 for count in (21, 25))
    lead = np.arange(1, 7) * np.timedelta64(5, "m").astype("timedelta64[ns]")
    coords = {
        "lead": lead,
        "time": ("lead", NOON.to_datetime64() + lead),
        **Grid(y, x, LAEA).coords(),
    }
    return xr.DataArray(
        np.zeros((2, 6, 21, 25)),
        dims=("member", "lead", "y", "x"),
        coords=coords,
        attrs={"grid_mapping": "crs"},
    )


@pytest.fixture
def reports():
    time = [NOON + pd.Timedelta("12min"), NOON + pd.Timedelta("2min")]
    return pd.DataFrame(
        {"time": time, "size": [25.4, 19.05], "latitude": 38.0, "longitude": -98.0}
    )


def test_a_report_counts_near_it_and_for_the_window_after_it(reports, like):
    found = reported(reports, like, distance="4 km", window="10 min")
    assert found.dims == ("lead", "y", "x")
    # 12 min after noon: frames at 15 and 20 min look back on it
    assert (found.max(["y", "x"]) == [0, 0, 1, 1, 0, 0]).all()
    y, x = np.meshgrid(like["y"], like["x"], indexing="ij")
    np.testing.assert_array_equal(found[2] > 0, np.hypot(y, x) <= 4000.0)
    assert found.attrs["grid_mapping"] == "crs"
    assert "25.4 mm or more was reported within 4 km" in found.attrs["long_name"]
    smaller = reported(reports, like, size=19.05, distance="4 km", window="10 min")
    assert (smaller.max(["y", "x"]) == [1, 1, 1, 1, 0, 0]).all()


def test_it_scores_a_probability(reports, like):
    found = reported(reports, like, distance="4 km")
    assert brier(found, found, over=("lead", "y", "x")).item() == 0.0


def test_turned_rows_are_turned(reports, like):
    turned = like.isel(y=slice(None, None, -1))
    found = reported(reports, like).isel(y=slice(None, None, -1))
    xr.testing.assert_identical(reported(reports, turned), found)


def test_what_is_refused(reports, like):
    with pytest.raises(ValueError, match="frames along 'lead' have no times"):
        reported(reports, like.drop_vars("time"))
    with pytest.raises(GridMismatchError, match="projection of this grid is unknown"):
        reported(reports, like.drop_vars("crs"))
    with pytest.raises(ValueError, match="wanted 'lead' or 'time'"):
        reported(reports, like.isel(lead=0))
    with pytest.raises(TypeError, match="reports are list"):
        reported([], like)
    with pytest.raises(ValueError, match="size is 'x'"):
        reported(reports, like, size="x")
