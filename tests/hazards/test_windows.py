"""Hazards in a window of time: sums of rain, and events of the last minutes."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from stormfusion.hazards import Hazard, Windows

nan = np.nan


def series(values, minutes, variable: str = "rain", units: str = "mm") -> xr.DataArray:
    """Values at some leads [min]."""
    leads = np.array(minutes).astype("timedelta64[m]").astype("timedelta64[ns]")
    return xr.DataArray(
        np.asarray(values, dtype=np.float32),
        dims="lead",
        coords={"lead": leads},
        name=variable,
        attrs={"units": units},
    )


def found(text: str, array: xr.DataArray) -> list[float]:
    return Hazard.parse(text).occurs(array).values.tolist()


def test_rain_is_summed_over_the_window() -> None:
    rain = series([1, 2, 3, 0, 0], [5, 10, 15, 20, 25])
    np.testing.assert_array_equal(
        found("rain >= 5 mm in 10 min", rain), [nan, 0, 1, 0, 0]
    )
    np.testing.assert_array_equal(
        found("rain >= 5 mm in 15 min", rain), [nan, nan, 1, 1, 0]
    )
    np.testing.assert_array_equal(found("rain >= 2 mm in 5 min", rain), [0, 1, 1, 0, 0])
    # without a window each frame stands for itself
    assert found("rain >= 2 mm", rain) == [0, 1, 1, 0, 0]


def test_six_parts_of_ten_millimetres_are_ten_millimetres() -> None:
    rain = series([1.6666666] * 6, range(5, 35, 5))
    assert found("rain >= 10 mm in 30 min", rain)[-1] == 1
    assert found("rain >= 10.001 mm in 30 min", rain)[-1] == 0
    tenths = series([0.1] * 12, range(5, 65, 5))
    assert found("rain >= 1.2 mm in 1 h", tenths)[-1] == 1
    assert found("rain >= 1.2 mm in 1 h", tenths.astype("float64"))[-1] == 1


def test_other_variables_reach_it_at_any_time_in_the_window() -> None:
    vil = series([0, 13, 0, 0, 12], [5, 10, 15, 20, 25], "vil", "kg m-2")
    text = "vil >= 12 kg m-2 in 10 min"
    np.testing.assert_array_equal(found(text, vil), [nan, 1, 1, 0, 1])
    # the window holds the frames after t - 10 min, up to t
    assert found("vil >= 12 kg m-2 in 5 min", vil) == [0, 1, 0, 0, 1]


def test_a_window_with_a_missing_frame_is_missing() -> None:
    text = "rain >= 1 mm in 10 min"
    rain = series([5, nan, 5, 5, 0], [5, 10, 15, 20, 25])
    np.testing.assert_array_equal(found(text, rain), [nan, nan, nan, 1, 1])
    vil = series([50, nan, 50, 0, 0], [5, 10, 15, 20, 25], "vil", "kg m-2")
    np.testing.assert_array_equal(
        found("vil >= 12 kg m-2 in 10 min", vil), [nan, nan, nan, 1, 0]
    )


def test_the_first_lead_may_be_the_start() -> None:
    # what is at lead 0 fell before the start
    rain = series([50, 1, 2, 3], [0, 5, 10, 15])
    np.testing.assert_array_equal(
        found("rain >= 3 mm in 10 min", rain), [nan, nan, 1, 1]
    )
    np.testing.assert_array_equal(
        found("rain >= 30 mm in 10 min", rain), [nan, nan, 0, 0]
    )


def test_where_leads_were_left_out_windows_begin_later() -> None:
    # of what fell up to the first lead nobody knows in what time it did
    rain = series([9, 1, 2, 3], [15, 20, 25, 30])
    np.testing.assert_array_equal(
        found("rain >= 3 mm in 10 min", rain), [nan, nan, 1, 1]
    )
    with pytest.raises(ValueError, match="longer than the forecast of 15 min"):
        found("rain >= 3 mm in 20 min", rain)
    # an interval that began before the start is none either
    early = series([9, 1, 2], [2, 7, 12])
    np.testing.assert_array_equal(found("rain >= 3 mm in 10 min", early), [nan, nan, 1])


def test_observed_frames_have_times() -> None:
    time = np.datetime64("2020-01-01", "ns") + np.arange(4) * np.timedelta64(5, "m")
    rain = xr.DataArray(
        np.array([[1.0, 2.0], [0.0, 2.0], [4.0, 0.0], [0.0, 0.0]]),
        dims=("time", "x"),
        coords={"time": time},
        attrs={"units": "mm"},
    )
    occurs = Hazard.parse("rain >= 4 mm in 10 min").occurs(rain)
    assert occurs.dims == ("time", "x")
    np.testing.assert_array_equal(occurs, [[nan, nan], [0, 1], [1, 0], [1, 0]])
    with pytest.raises(ValueError, match="at the start of the forecast"):
        Hazard.parse("rain >= 4 mm in 10 min").occurs(rain[:1])


def test_dimensions_keep_their_order_and_coordinates() -> None:
    rng = np.random.default_rng(0)
    rain = xr.DataArray(
        rng.gamma(1.0, 2.0, (4, 3, 2, 5)),
        dims=("x", "member", "y", "lead"),
        coords={
            "lead": np.arange(1, 6) * np.timedelta64(300, "s").astype("m8[ns]"),
            "x": np.arange(4) * 1000.0,
            "y": np.arange(2)[::-1] * 1000.0,
            "source": ("member", ["a", "b", "c"]),
        },
        attrs={"units": "mm"},
    )
    occurs = Hazard.parse("rain >= 6 mm in 15 min").occurs(rain)
    assert occurs.dims == rain.dims
    assert set(occurs.coords) == set(rain.coords)
    total = rain.rolling(lead=3).sum().transpose(*rain.dims)
    np.testing.assert_array_equal(occurs, (total >= 6).where(total.notnull()))
    assert occurs.attrs["units"] == "1"
    assert occurs.name is None


def test_units_of_the_values_count() -> None:
    inches = series([0.1, 0.1], [5, 10], units="inch")
    assert found("rain >= 5.08 mm in 10 min", inches)[-1] == 1
    assert found("rain >= 5.09 mm in 10 min", inches)[-1] == 0


@pytest.mark.parametrize(
    ("minutes", "text", "helpful"),
    [
        ([5, 10, 15], "rain >= 1 mm in 7 min", r"multiple of the 5 min.*'in 5 min'"),
        ([5, 10, 15], "rain >= 1 mm in 2 min", r"multiple of the 5 min.*'in 5 min'"),
        ([5, 10, 15], "rain >= 1 mm in 13 min", r"write 'in 15 min'"),
        ([5, 10, 15], "rain >= 1 mm in 20 min", r"longer than the forecast of 15 min"),
        ([5, 10, 20], "rain >= 1 mm in 10 min", r"5 to 10 min apart, wanted even"),
        ([0], "rain >= 1 mm in 10 min", r"give more leads"),
        ([5, 10, 20], "vil >= 1 kg m-2 in 10 min", r"ask without a window"),
    ],
)
def test_windows_that_do_not_fit(minutes, text: str, helpful: str) -> None:
    name = Hazard.parse(text).variable
    units = {"rain": "mm", "vil": "kg m-2"}[name]
    with pytest.raises(ValueError, match=helpful):
        found(text, series(np.ones(len(minutes)), minutes, name, units))


def test_windows_need_times() -> None:
    rain = series([1, 2], [5, 10])
    with pytest.raises(ValueError, match="no times along lead; give them the coord"):
        found("rain >= 1 mm in 10 min", rain.drop_vars("lead"))
    with pytest.raises(ValueError, match="no times along lead"):
        found("rain >= 1 mm in 10 min", rain.assign_coords(lead=[5, 10]))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_sums_and_events_agree_with_loops(data) -> None:
    count = data.draw(st.integers(1, 8))
    steps = data.draw(st.integers(1, count))
    cell = st.sampled_from([0.0, 1.0, 2.5, 7.0, np.nan])
    values = np.array(data.draw(st.lists(cell, min_size=count, max_size=count)))
    minutes = 10 * np.arange(1, count + 1)
    window = f"in {10 * steps} min"
    total, ever = [], []
    for last in range(count):
        part = values[last + 1 - steps : last + 1] if last + 1 >= steps else [nan]
        gone = np.isnan(part).any()
        total.append(nan if gone else float(np.sum(part) >= 5))
        ever.append(nan if gone else float(np.max(part) >= 5))
    rain = series(values, minutes)
    np.testing.assert_array_equal(found(f"rain >= 5 mm {window}", rain), total)
    vil = series(values, minutes, "vil", "kg m-2")
    np.testing.assert_array_equal(found(f"vil >= 5 kg m-2 {window}", vil), ever)


def test_windows_know_when_they_are_whole() -> None:
    hazard = Hazard.parse("rain >= 1 mm in 10 min")
    assert hazard.window is not None
    windows = Windows(hazard.window, np.array([900.0, 1200.0, 1500.0]), str(hazard))
    assert windows.whole.tolist() == [False, False, True]
    windows = Windows(hazard.window, np.array([300.0, 600.0]), str(hazard))
    assert windows.whole.tolist() == [False, True]
