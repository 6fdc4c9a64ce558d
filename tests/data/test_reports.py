"""Tables of reports: what is filled in, and what is refused."""

import numpy as np
import pandas as pd
import pytest

from stormfusion.data.reports import COLUMNS, checked_reports


def table(**columns):
    found = {
        "time": pd.to_datetime(["2019-06-02 01:00", "2019-06-01 23:00"]),
        "size": [25.4, 44.45],
        "latitude": [38.0, 39.0],
        "longitude": [-98.0, -99.0],
    }
    return pd.DataFrame(found | columns)


def test_what_is_absent_is_filled_in_and_time_orders():
    found = checked_reports(table())
    assert list(found.columns) == list(COLUMNS)
    assert found["size"].tolist() == [44.45, 25.4]
    assert found["id"].tolist() == ["1", "0"]
    pd.testing.assert_series_equal(found["end_time"], found["time"], check_names=False)
    assert found["end_longitude"].tolist() == [-99.0, -98.0]


def test_the_table_that_was_given_stays():
    given = table()
    checked_reports(given)
    pd.testing.assert_frame_equal(given, table())


def test_a_checked_table_stays_as_it_is():
    found = checked_reports(table(end_latitude=[38.5, 39.5], end_longitude=[-98, -99]))
    pd.testing.assert_frame_equal(checked_reports(found), found)


def test_longitudes_of_either_kind_are_those_of_one():
    found = checked_reports(table(longitude=[262.0, -98.0]))
    assert found["longitude"].tolist() == [-98.0, -98.0]
    assert found["end_longitude"].tolist() == [-98.0, -98.0]


def test_zones_become_utc():
    times = pd.to_datetime(["2019-06-02 01:00-06:00"] * 2)
    found = checked_reports(table(time=times))
    assert found["time"].tolist() == [pd.Timestamp("2019-06-02 07:00")] * 2


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"size": [0.0, 25.4]}, "1 without a size"),
        ({"size": ["large", 25.4]}, "1 without a size"),
        ({"size": [1000.0, 25.4]}, "1 above 300 mm"),
        ({"latitude": [np.nan, 38.0]}, "1 without a place"),
        ({"latitude": [91.0, 38.0]}, "1 at an impossible place"),
        ({"longitude": [-98.0, 362.0]}, "1 at an impossible place"),
        ({"time": [pd.NaT, pd.Timestamp("2019-06-01")]}, "1 without a time"),
        ({"end_time": pd.to_datetime(["2019-06-01"] * 2)}, "2 that end before they"),
        ({"end_time": pd.to_datetime(["2019-07-01"] * 2)}, "2 of more than 24 h"),
    ],
)
def test_a_fault_is_an_error_that_counts(columns, reason):
    with pytest.raises(ValueError, match=f"of 2 reports {reason}"):
        checked_reports(table(**columns))


def test_what_is_no_table_of_reports():
    with pytest.raises(TypeError, match=r"reports are dict.*read_hail_reports"):
        checked_reports({"time": []})
    with pytest.raises(ValueError, match="add size, latitude, longitude"):
        checked_reports(pd.DataFrame({"time": []}))
    with pytest.raises(ValueError, match="'time' of the reports holds no times"):
        checked_reports(table(time=["soon", "later"]))
