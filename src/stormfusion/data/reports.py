"""Tables of reports of hail on the ground: when, where and how large."""

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

COLUMNS = (
    *("id", "time", "end_time", "size", "latitude", "longitude"),
    *("end_latitude", "end_longitude"),
)
"""
The columns of a table of reports.

`time` and `end_time` are in UTC, `size` is in mm, places are in degrees.
"""

INCH = 25.4

LARGEST = 300.0
"""Hail above this diameter [mm] is a typing error: the largest known had 203 mm."""

LONGEST = pd.Timedelta("1D")
"""A report of longer hail than this is a typing error."""


def checked_reports(reports: pd.DataFrame) -> pd.DataFrame:
    """
    A table of reports with all its columns, ordered by time.

    Parameters
    ----------
    reports
        A row for each report with at least `time` [UTC, or with a zone], `size` [mm],
        `latitude` and `longitude` [degrees]. Where `end_time`, `end_latitude` and
        `end_longitude` are absent or empty, a report ends where it begins.

    Returns
    -------
    DataFrame
        A new table with the columns `COLUMNS`.

    Raises
    ------
    TypeError
        If it is no table.
    ValueError
        If it lacks a column, or a value is missing or impossible.

    Examples
    --------
    >>> table = pd.DataFrame(
    ...     {
    ...         "time": [pd.Timestamp("2019-05-20 18:00-06:00")],
    ...         "size": [25.4],
    ...         "latitude": [38.0],
    ...         "longitude": [-98.0],
    ...     }
    ... )
    >>> checked_reports(table)["end_time"].item()
    Timestamp('2019-05-21 00:00:00')
    """
    wanted = "wanted a table with the columns time, size [mm], latitude and longitude"
    if not isinstance(reports, pd.DataFrame):
        raise TypeError(
            f"reports are {type(reports).__name__}, {wanted}; read it with "
            "stormfusion.data.read_hail_reports"
        )
    lacking = [c for c in ("time", "size", "latitude", "longitude") if c not in reports]
    if lacking:
        raise ValueError(
            f"reports have the columns {', '.join(map(str, reports.columns))}, {wanted}"
            f"; add {', '.join(lacking)}"
        )
    found = pd.DataFrame(index=pd.RangeIndex(len(reports)))
    ids = reports.get("id", reports.index)
    found["id"] = np.asarray(ids).astype(str).astype(object)
    for name in ("time", "end_time"):
        given = reports[name] if name in reports else reports["time"]
        found[name] = _utc(given, name)
    found["end_time"] = found["end_time"].fillna(found["time"])
    for name in COLUMNS[3:]:
        begin = name.removeprefix("end_")
        given = reports[name] if name in reports else reports[begin]
        found[name] = pd.to_numeric(given, errors="coerce").to_numpy(np.float64)
    fill_ends(found)
    wrong = faults(found)
    if wrong:
        said = ", ".join(f"{count} {reason}" for reason, count in wrong.items())
        raise ValueError(
            f"of {len(found)} reports {said}; wanted a time, a place and a size above "
            "0 mm of each; drop the others"
        )
    found = found.sort_values(["time", "id"], kind="stable", ignore_index=True)
    return found[list(COLUMNS)]


def fill_ends(found: pd.DataFrame) -> None:
    """Let a report without a whole end place end where it begins; wrap longitudes."""
    absent = found[["end_latitude", "end_longitude"]].isna().any(axis=1)
    for name in ("latitude", "longitude"):
        found[f"end_{name}"] = found[f"end_{name}"].mask(absent, found[name])
    for name in ("longitude", "end_longitude"):
        east = found[name]
        found[name] = east.mask((east > 180) & (east <= 360), east - 360)


def checks(found: pd.DataFrame, unknown: Any = False) -> dict[str, Any]:
    """Where a report has which fault, by its words."""
    north = found[["latitude", "end_latitude"]].abs()
    east = found[["longitude", "end_longitude"]]
    place = found[["latitude", "longitude"]]
    lasting = found["end_time"] - found["time"]
    return {
        "without a place": place.isna().any(axis=1),
        "without a size": ~(found["size"] > 0),
        "in an unknown time zone": pd.Series(unknown, index=found.index),
        "without a time": found["time"].isna(),
        f"above {LARGEST:g} mm": found["size"] > LARGEST,
        "at an impossible place": (north > 90).any(axis=1)
        | ((east < -180) | (east > 360)).any(axis=1),
        "that end before they begin": lasting < pd.Timedelta(0),
        f"of more than {LONGEST / pd.Timedelta('1h'):g} h": lasting > LONGEST,
    }


def faults(found: pd.DataFrame, *, unknown: Any = False) -> dict[str, int]:
    """How many reports have which fault first."""
    counts: Counter[str] = Counter()
    left = pd.Series(data=True, index=found.index)
    for reason, wrong in checks(found, unknown).items():
        counts[reason] += int((wrong & left).sum())
        left &= ~wrong
    return {reason: count for reason, count in counts.items() if count}


def sound(found: pd.DataFrame) -> Any:
    """Which reports have no fault."""
    wrong = pd.concat(list(checks(found).values()), axis=1)
    return ~wrong.any(axis=1)


def _utc(given: Any, name: str) -> Any:
    """Times in UTC without a zone, NaT where there is none."""
    try:
        times = pd.to_datetime(pd.Series(np.asarray(given)), utc=True, format="ISO8601")
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"the column {name!r} of the reports holds no times ({error}), wanted "
            "times in UTC; convert it with pd.to_datetime"
        ) from error
    return times.dt.tz_localize(None).astype("datetime64[ns]")
