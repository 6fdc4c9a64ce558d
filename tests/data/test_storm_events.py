"""The reports of hail in files of the Storm Events Database."""

import gzip
import re
import warnings

import numpy as np
import pandas as pd
import pytest
from tests.data.storm_events_files import COLUMNS, write_details

from stormfusion.data import read_hail_reports
from stormfusion.data.reports import COLUMNS as OURS
from stormfusion.data.storm_events import utc_offset
from stormfusion.errors import CatalogError, CorruptFileError

NAME = "StormEvents_details-ftp_v1.0_d2019_c20240117.csv"


def read(tmp_path, *rows, name=NAME, **options):
    return read_hail_reports(write_details(tmp_path / name, rows, **options))


@pytest.mark.parametrize("packed", ["", ".gz"])
def test_a_row_becomes_a_report(tmp_path, packed):
    reports = read(tmp_path, {}, name=NAME + packed)
    assert list(reports.columns) == list(OURS)
    assert reports.dtypes.map(str).to_dict() == {
        "id": "object",
        **dict.fromkeys(("time", "end_time"), "datetime64[ns]"),
        **dict.fromkeys(OURS[3:], "float64"),
    }
    row = reports.iloc[0]
    assert row["id"] == "806424"
    assert row["time"] == pd.Timestamp("2019-04-28 20:05")
    assert row["end_time"] == pd.Timestamp("2019-04-28 20:10")
    assert row["size"] == 44.45
    assert row[list(OURS[4:])].tolist() == [41.29, -99.38, 41.31, -99.36]


@pytest.mark.parametrize(
    ("zone", "state", "utc"),
    [
        ("CST-6", "NEBRASKA", "2019-04-28 20:05"),
        ("EST-5", "OHIO", "2019-04-28 19:05"),
        ("AST-4", "PUERTO RICO", "2019-04-28 18:05"),
        ("PST-8", "OREGON", "2019-04-28 22:05"),
        ("AKST-9", "ALASKA", "2019-04-28 23:05"),
        ("HST-10", "HAWAII", "2019-04-29 00:05"),
        ("SST-11", "AMERICAN SAMOA", "2019-04-29 01:05"),
        ("GST10", "GUAM", "2019-04-28 04:05"),
        ("CST", "KANSAS", "2019-04-28 20:05"),
        ("CSt", "KANSAS", "2019-04-28 20:05"),
        ("CDT", "KANSAS", "2019-04-28 19:05"),
        ("CDT-5", "KANSAS", "2019-04-28 19:05"),
        ("AST", "PUERTO RICO", "2019-04-28 18:05"),
        ("AST", "ALASKA", "2019-04-28 23:05"),
        ("SST", "GUAM", "2019-04-28 04:05"),
        ("GMT", "KANSAS", "2019-04-28 14:05"),
    ],
)
def test_local_standard_time_becomes_utc(tmp_path, zone, state, utc):
    reports = read(tmp_path, {"CZ_TIMEZONE": zone, "STATE": state})
    assert reports["time"].item() == pd.Timestamp(utc)


def test_summer_time_changes_nothing(tmp_path):
    # at 14:05 CST on a day of July clocks in Nebraska show 15:05
    row = {"BEGIN_DATE_TIME": "28-JUL-19 14:05:00"}
    end = {"END_DATE_TIME": "28-JUL-19 14:05:00"}
    assert read(tmp_path, row | end)["time"].item() == pd.Timestamp("2019-07-28 20:05")


@pytest.mark.parametrize("zone", ["UNK", "CSC", "", "CST-77", None, "6"])
def test_an_unknown_zone_is_unknown(zone):
    assert np.isnan(utc_offset(zone))


@pytest.mark.parametrize(
    ("begin", "end", "year", "found"),
    [
        ("28-APR-55 14:05:00", "28-APR-55 14:05:00", "1955", "1955-04-28 20:05"),
        ("28-APR-55 14:05:00", "28-APR-55 14:05:00", "", "1955-04-28 20:05"),
        ("28-APR-49 14:05:00", "28-APR-49 14:05:00", "", "2049-04-28 20:05"),
        ("28-APR-55 14:05:00", "28-APR-55 14:05:00", "2055", "2055-04-28 20:05"),
        ("31-DEC-99 23:59:00", "01-JAN-00 00:01:00", "1999", "2000-01-01 05:59"),
    ],
)
def test_the_century(tmp_path, begin, end, year, found):
    row = {"BEGIN_DATE_TIME": begin, "END_DATE_TIME": end, "YEAR": year}
    reports = read(tmp_path, row)
    assert reports["time"].item() == pd.Timestamp(found)
    assert reports["end_time"].item() - reports["time"].item() <= pd.Timedelta("2min")


def test_headers_of_either_case_and_other_events(tmp_path):
    rows = [{}, {"EVENT_TYPE": "Thunderstorm Wind", "MAGNITUDE": "61.00"}]
    reports = read(tmp_path, *rows, header=[c.lower() for c in COLUMNS])
    assert len(reports) == 1
    assert read(tmp_path, {"EVENT_TYPE": "HAIL "})["size"].item() == 44.45


def test_a_report_without_an_end_ends_where_it_begins(tmp_path):
    row = {"END_LAT": "", "END_LON": "", "END_DATE_TIME": ""}
    found = read(tmp_path, row).iloc[0]
    assert found["end_time"] == found["time"]
    assert found["end_latitude"] == 41.29
    half = read(tmp_path, {"END_LAT": "41.5", "END_LON": ""}).iloc[0]
    assert (half["end_latitude"], half["end_longitude"]) == (41.29, -99.38)


FAULTS = {
    "without a place": {"BEGIN_LAT": ""},
    "without a size": {"MAGNITUDE": "0"},
    "in an unknown time zone": {"CZ_TIMEZONE": "UNK"},
    "without a time": {"BEGIN_DATE_TIME": "4/28/2019 14:05"},
    "above 300 mm": {"MAGNITUDE": "175"},
    "at an impossible place": {"END_LON": "-993.8"},
    "that end before they begin": {"END_DATE_TIME": "28-APR-19 14:04:00"},
    "of more than 24 h": {"END_DATE_TIME": "30-APR-19 14:04:00"},
}


@pytest.mark.parametrize("reason", FAULTS)
def test_a_row_with_a_fault_is_left_out_and_counted(tmp_path, reason):
    file = write_details(tmp_path / NAME, [{}, FAULTS[reason], FAULTS[reason]])
    said = re.escape(f"2 of 3 reports of hail are left out: 2 {reason}")
    with pytest.warns(UserWarning, match=said):
        reports = read_hail_reports(file)
    assert reports["id"].tolist() == ["806424"]


def test_one_warning_counts_all_faults(tmp_path):
    file = write_details(tmp_path / NAME, [{}, *FAULTS.values()])
    with pytest.warns(UserWarning, match="8 of 9 reports") as told:
        read_hail_reports(file)
    assert len(told) == 1
    assert all(f"1 {reason}" in str(told[0].message) for reason in FAULTS)


def test_nothing_left_is_an_error(tmp_path):
    file = write_details(tmp_path / NAME, [FAULTS["without a size"]])
    with (
        pytest.warns(UserWarning, match="1 without a size"),
        pytest.raises(CatalogError, match="1 reports of hail, none with a place"),
    ):
        read_hail_reports(file)
    write_details(file, [{"EVENT_TYPE": "Tornado"}])
    with (
        pytest.warns(UserWarning, match="none of them is hail"),
        pytest.raises(CatalogError, match="0 reports of hail"),
    ):
        read_hail_reports(file)


def test_several_files_without_duplicates_in_the_order_of_time(tmp_path):
    late = {"BEGIN_DATE_TIME": "28-APR-20 14:05:00", "YEAR": "2020", "EVENT_ID": "1"}
    late["END_DATE_TIME"] = late["BEGIN_DATE_TIME"]
    write_details(tmp_path / NAME.replace("2019", "2020"), [late])
    write_details(tmp_path / NAME, [{}, {"EVENT_ID": "7"}])
    newer = NAME.replace("c20240117", "c20250117")
    write_details(tmp_path / newer, [{"EVENT_ID": "7", "MAGNITUDE": "2.00"}])
    by_pattern = read_hail_reports(str(tmp_path / "StormEvents_*.csv"))
    assert by_pattern["id"].tolist() == ["7", "806424", "1"] or by_pattern[
        "id"
    ].tolist() == ["806424", "7", "1"]
    assert by_pattern.set_index("id")["size"]["7"] == 50.8
    listed = read_hail_reports([tmp_path / NAME, tmp_path / newer])
    assert sorted(listed["id"]) == ["7", "806424"]


def test_a_file_of_something_else(tmp_path):
    file = tmp_path / "StormEvents_fatalities.csv"
    file.write_text("FAT_YEARMONTH,EVENT_ID\n201904,1\n")
    with pytest.raises(CatalogError, match="lacks the columns EVENT_TYPE, BEGIN_DATE"):
        read_hail_reports(file)
    file.write_text("")
    with pytest.raises(CatalogError, match="lacks the columns EVENT_ID"):
        read_hail_reports(file)
    with pytest.raises(FileNotFoundError, match="no file"):
        read_hail_reports(tmp_path / "absent.csv")


def test_a_damaged_file(tmp_path):
    file = write_details(tmp_path / f"{NAME}.gz", [{}] * 50)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(CorruptFileError, match="cannot be unpacked to its end"):
        read_hail_reports(file)
    whole = write_details(tmp_path / NAME, [{}]).read_bytes()
    file.write_bytes(gzip.compress(whole + b'1,"' + b"x," * 99))
    with pytest.raises(CorruptFileError, match="no whole table"):
        read_hail_reports(file)


def test_foreign_letters_in_a_story_do_no_harm(tmp_path):
    file = write_details(tmp_path / NAME)
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"golf", b"\xf1"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(read_hail_reports(file)) == 1
