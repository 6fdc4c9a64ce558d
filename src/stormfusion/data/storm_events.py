"""The Storm Events Database of the NWS: its reports of hail."""

import gzip
import io
import re
import warnings
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stormfusion.data import files
from stormfusion.data.paths import expand
from stormfusion.data.reports import COLUMNS, INCH, faults, fill_ends, sound
from stormfusion.errors import CatalogError, CorruptFileError

STANDARD = {
    "GMT": 0,
    "UTC": 0,
    "AST": -4,
    "ADT": -3,
    "EST": -5,
    "EDT": -4,
    "CST": -6,
    "CDT": -5,
    "MST": -7,
    "MDT": -6,
    "PST": -8,
    "PDT": -7,
    "AKST": -9,
    "AKDT": -8,
    "HST": -10,
    "SST": -11,
    "GST": 10,
    "CHST": 10,
}
"""Hours that a time zone written without a number is ahead of UTC."""

LOCAL = {("AST", "ALASKA"): -9, ("ADT", "ALASKA"): -8, ("SST", "GUAM"): 10}
"""The same where one word meant two zones, by state."""

_NEEDED = (
    *("EVENT_ID", "EVENT_TYPE", "BEGIN_DATE_TIME", "CZ_TIMEZONE", "END_DATE_TIME"),
    *("MAGNITUDE", "BEGIN_LAT", "BEGIN_LON", "END_LAT", "END_LON"),
)
_USED = (*_NEEDED, "YEAR", "STATE")
_ZONE = re.compile(r"(?P<name>[A-Z]+)(?P<hours>[+-]?\d{1,2})?")
_TIME = (
    r"^(?P<day>\d{1,2})-(?P<month>[A-Z]{3})-(?P<year>\d{2}) "
    r"(?P<clock>\d{1,2}:\d{2}:\d{2})$"
)
_MONTHS = (
    *("JAN", "FEB", "MAR", "APR", "MAY", "JUN"),
    *("JUL", "AUG", "SEP", "OCT", "NOV", "DEC"),
)


def read_hail_reports(
    path: str | Path | Sequence[str | Path],
    *,
    storage_options: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """
    Read the hail in files of the NWS Storm Events Database.

    The files are those called `StormEvents_details-ftp_v1.0_dYYYY_cYYYYMMDD.csv.gz`.
    Their times are local standard time all the year, whose distance from UTC each row
    tells (`CST-6`, `GST10`); files before 2007 name the zone alone. Their sizes are
    inches, rounded to those of coins and balls by the people who saw the hail.

    Parameters
    ----------
    path
        One or more files, packed by gzip or not, wildcards allowed. Of reports that
        come twice, by their `EVENT_ID`, the one of the last file is kept.
    storage_options
        For URLs: options of their fsspec file system.

    Returns
    -------
    DataFrame
        A row for each report, ordered by time: `id` (its `EVENT_ID`), `time` and
        `end_time` (UTC, without a zone), `size` (diameter [mm]), `latitude` and
        `longitude`, `end_latitude` and `end_longitude` [degrees]. A report without an
        end ends where it begins. Rows without a place, a size, a time or a known zone,
        and those with impossible ones, are left out; one warning counts them.

    Raises
    ------
    FileNotFoundError
        If there is no file.
    CatalogError
        If a file lacks the columns of Storm Events details, or no report is left.
    CorruptFileError
        If a file cannot be unpacked or read.

    References
    ----------
    National Centers for Environmental Information: Storm Events Database,
    <https://www.ncei.noaa.gov/stormevents/>.

    Examples
    --------
    >>> import tempfile
    >>> row = {
    ...     "EVENT_ID": 806424,
    ...     "EVENT_TYPE": "Hail",
    ...     "BEGIN_DATE_TIME": "28-APR-19 14:05:00",
    ...     "CZ_TIMEZONE": "CST-6",
    ...     "END_DATE_TIME": "28-APR-19 14:10:00",
    ...     "MAGNITUDE": "1.75",
    ...     **{"BEGIN_LAT": 41.2, "BEGIN_LON": -98.1, "END_LAT": "", "END_LON": ""},
    ... }
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "StormEvents_details-ftp_v1.0_d2019_c20240117.csv")
    ...     pd.DataFrame([row]).to_csv(file, index=False)
    ...     reports = read_hail_reports(file)
    >>> reports.loc[0, ["time", "size", "end_latitude"]].astype(str).tolist()
    ['2019-04-28 20:05:00', '44.45', '41.2']
    """
    rows = [
        _hail(_read(file, storage_options), file)
        for file in expand(path, dict(storage_options or {}))
    ]
    joined = pd.concat(rows, ignore_index=True)
    joined = joined.drop_duplicates("EVENT_ID", keep="last").reset_index(drop=True)
    reports = _decoded(joined)
    if reports.empty:
        raise CatalogError(
            f"{path!r} holds {len(joined)} reports of hail, none with a place, a time "
            "and a size; name files of other years"
        )
    return reports


def utc_offset(zone: object, state: object = "") -> float:
    """
    Hours that a time zone of Storm Events is ahead of UTC, NaN where it is unknown.

    A number in it is taken at its word: a zone does not change with the season.

    Examples
    --------
    >>> [utc_offset(zone) for zone in ("CST-6", "GST10", "EDT", "CSt", "UNK")]
    [-6.0, 10.0, -4.0, -6.0, nan]
    >>> utc_offset("AST", "ALASKA")
    -9.0
    """
    match = _ZONE.fullmatch(str(zone).strip().upper())
    if match is None:
        return np.nan
    name, hours = match.groups()
    if hours is None:
        place = name, str(state).strip().upper()
        return float(LOCAL.get(place, STANDARD.get(name, np.nan)))
    return float(hours) if abs(int(hours)) <= 14 else np.nan


def _read(file: str, options: files.Options) -> pd.DataFrame:
    """The columns of a file that are used, as text."""
    content = files.read_bytes(file, options)
    try:
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
        table = pd.read_csv(
            io.BytesIO(content),
            encoding="utf-8-sig",
            encoding_errors="replace",
            usecols=lambda name: name.strip().upper() in _USED,
            dtype=str,
            low_memory=False,
        )
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise CorruptFileError(
            f"{file!r} cannot be unpacked to its end ({error}); fetch it again"
        ) from error
    except pd.errors.ParserError as error:
        raise CorruptFileError(
            f"{file!r} is no whole table ({str(error).strip()}); fetch it again"
        ) from error
    except ValueError:  # no such column, or nothing at all
        table = pd.DataFrame()
    table = table.rename(columns=lambda name: name.strip().upper())
    lacking = [name for name in _NEEDED if name not in table]
    if lacking:
        raise CatalogError(
            f"{file!r} lacks the columns {', '.join(lacking)}, wanted a file of Storm "
            "Events details (StormEvents_details-ftp_v1.0_d2019_c20240117.csv.gz); "
            "check that this is one"
        )
    return table.reindex(columns=list(_USED))


def _hail(table: pd.DataFrame, file: str) -> pd.DataFrame:
    kinds = table["EVENT_TYPE"].str.strip().str.upper()
    found = table[kinds == "HAIL"]
    if found.empty:
        warnings.warn(
            f"{file!r} holds {len(table)} events and none of them is hail",
            UserWarning,
            stacklevel=4,
        )
    return found


def _decoded(rows: pd.DataFrame) -> pd.DataFrame:
    """The reports that rows hold, those without a fault; a warning counts the rest."""
    zones = zip(rows["CZ_TIMEZONE"], rows["STATE"], strict=True)
    hours = np.array([utc_offset(*each) for each in zones], dtype=np.float64)
    ahead = pd.to_timedelta(pd.Series(hours, dtype=np.float64), unit="h")
    begin, year = _times(rows["BEGIN_DATE_TIME"], pd.to_numeric(rows["YEAR"], "coerce"))
    end, _ = _times(rows["END_DATE_TIME"], year, later=True)
    found = pd.DataFrame(index=rows.index)
    found["id"] = rows["EVENT_ID"].str.strip().fillna("").astype(object)
    found["time"] = (begin - ahead).astype("datetime64[ns]")
    found["end_time"] = (end - ahead).astype("datetime64[ns]").fillna(found["time"])
    found["size"] = pd.to_numeric(rows["MAGNITUDE"], errors="coerce") * INCH
    for name, column in (("latitude", "LAT"), ("longitude", "LON")):
        for prefix, end_of in (("BEGIN", ""), ("END", "end_")):
            values = pd.to_numeric(rows[f"{prefix}_{column}"], errors="coerce")
            found[end_of + name] = values.astype(np.float64)
    fill_ends(found)
    found["size"] = found["size"].astype(np.float64).round(2)
    unknown = np.isnan(hours) & begin.notna().to_numpy()
    wrong = faults(found, unknown=unknown)
    if wrong:
        said = ", ".join(f"{count} {reason}" for reason, count in wrong.items())
        warnings.warn(
            f"{sum(wrong.values())} of {len(found)} reports of hail are left out: "
            f"{said}",
            UserWarning,
            stacklevel=3,
        )
    kept: pd.DataFrame = found[sound(found)].sort_values(["time", "id"], kind="stable")
    return kept.reset_index(drop=True).reindex(columns=list(COLUMNS))


def _times(
    text: "pd.Series[Any]", year: "pd.Series[Any]", *, later: bool = False
) -> tuple["pd.Series[Any]", "pd.Series[Any]"]:
    """
    Local times, and their years of four digits.

    Of an end, the year is that of the beginning or one that follows it.
    """
    parts = text.str.strip().str.upper().str.extract(_TIME)
    short = pd.to_numeric(parts["year"], errors="coerce")
    if later:
        full = year + (short - year) % 100
    else:
        guess = short + np.where(short >= 50, 1900, 2000)  # the records begin in 1950
        full = guess.where(year.isna() | (year % 100 != short), year)
    month = {name: f"{number:02d}" for number, name in enumerate(_MONTHS, start=1)}
    iso = (
        full.fillna(0).astype(int).astype(str).str.zfill(4)
        + ("-" + parts["month"].map(month) + "-" + parts["day"].str.zfill(2))
        + (" " + parts["clock"].str.zfill(8))
    )
    iso = iso.where(full.notna())
    times = pd.to_datetime(iso, format="%Y-%m-%d %H:%M:%S", errors="coerce")
    return times, full
