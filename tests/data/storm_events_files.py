"""Small files in the exact layout of Storm Events details, with known content."""

import csv
import gzip
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

COLUMNS = (
    *("BEGIN_YEARMONTH", "BEGIN_DAY", "BEGIN_TIME", "END_YEARMONTH", "END_DAY"),
    *("END_TIME", "EPISODE_ID", "EVENT_ID", "STATE", "STATE_FIPS", "YEAR"),
    *("MONTH_NAME", "EVENT_TYPE", "CZ_TYPE", "CZ_FIPS", "CZ_NAME", "WFO"),
    *("BEGIN_DATE_TIME", "CZ_TIMEZONE", "END_DATE_TIME", "INJURIES_DIRECT"),
    *("INJURIES_INDIRECT", "DEATHS_DIRECT", "DEATHS_INDIRECT", "DAMAGE_PROPERTY"),
    *("DAMAGE_CROPS", "SOURCE", "MAGNITUDE", "MAGNITUDE_TYPE", "FLOOD_CAUSE"),
    *("CATEGORY", "TOR_F_SCALE", "TOR_LENGTH", "TOR_WIDTH", "TOR_OTHER_WFO"),
    *("TOR_OTHER_CZ_STATE", "TOR_OTHER_CZ_FIPS", "TOR_OTHER_CZ_NAME", "BEGIN_RANGE"),
    *("BEGIN_AZIMUTH", "BEGIN_LOCATION", "END_RANGE", "END_AZIMUTH", "END_LOCATION"),
    *("BEGIN_LAT", "BEGIN_LON", "END_LAT", "END_LON", "EPISODE_NARRATIVE"),
    *("EVENT_NARRATIVE", "DATA_SOURCE"),
)
NUMBERS = {
    *("BEGIN_YEARMONTH", "BEGIN_DAY", "BEGIN_TIME", "END_YEARMONTH", "END_DAY"),
    *("END_TIME", "EPISODE_ID", "EVENT_ID", "STATE_FIPS", "YEAR", "CZ_FIPS"),
}
"""Columns that stand without quotation marks."""

HAIL = {
    "BEGIN_YEARMONTH": "201904",
    "BEGIN_DAY": "28",
    "BEGIN_TIME": "1405",
    "END_YEARMONTH": "201904",
    "END_DAY": "28",
    "END_TIME": "1410",
    "EPISODE_ID": "135000",
    "EVENT_ID": "806424",
    "STATE": "NEBRASKA",
    "STATE_FIPS": "31",
    "YEAR": "2019",
    "MONTH_NAME": "April",
    "EVENT_TYPE": "Hail",
    "CZ_TYPE": "C",
    "CZ_FIPS": "41",
    "CZ_NAME": "CUSTER",
    "WFO": "LBF",
    "BEGIN_DATE_TIME": "28-APR-19 14:05:00",
    "CZ_TIMEZONE": "CST-6",
    "END_DATE_TIME": "28-APR-19 14:10:00",
    "INJURIES_DIRECT": "0",
    "DAMAGE_PROPERTY": "0.00K",
    "SOURCE": "Trained Spotter",
    "MAGNITUDE": "1.75",
    "BEGIN_LOCATION": "ANSLEY",
    "BEGIN_LAT": "41.29",
    "BEGIN_LON": "-99.38",
    "END_LAT": "41.31",
    "END_LON": "-99.36",
    "DATA_SOURCE": "CSV",
    "EVENT_NARRATIVE": 'Hail, of "golf ball" size.\nIt lasted five minutes.',
}


def write_details(
    path: Path,
    rows: Iterable[Mapping[str, str]] = ({},),
    *,
    header: Iterable[str] = COLUMNS,
) -> Path:
    """Write rows, each what it has of its own beside `HAIL`."""
    text = io.StringIO()
    text.write(",".join(header) + "\n")
    for number, row in enumerate(rows):
        whole = {**HAIL, "EVENT_ID": str(806424 + number), **row}
        cells = []
        for name in COLUMNS:
            value = whole.get(name, "")
            out = io.StringIO()
            quoting = csv.QUOTE_MINIMAL if name in NUMBERS else csv.QUOTE_ALL
            csv.writer(out, quoting=quoting, lineterminator="").writerow([value])
            cells.append(out.getvalue().strip('"') if value == "" else out.getvalue())
        text.write(",".join(cells) + "\n")
    content = text.getvalue().encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path
