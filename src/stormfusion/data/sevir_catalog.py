"""SEVIR's catalog as a table: typed, repaired, and placed on the map."""

import io
import warnings
from functools import lru_cache

import numpy as np
import pandas as pd

from stormfusion.data import files
from stormfusion.data.sevir_frames import OFFSETS, PACKINGS
from stormfusion.errors import CatalogError

PROJECTION = "+proj=laea +lat_0=38 +lon_0=-98 +units=m +a=6370997.0 +ellps=sphere"
"""SEVIR's projection: equal areas on a sphere, centred on the United States."""

VARIABLES = tuple(PACKINGS)
"""SEVIR's variables, the one that leads an event first."""

_TEXT = ("id", "file_name", "img_type", "time_utc", "minute_offsets", "event_type")
CORNERS = ("llcrnrlat", "llcrnrlon", "urcrnrlat", "urcrnrlon")
_SIZES = ("size_x", "size_y", "height_m", "width_m")
WHOLE = ("episode_id", "event_id")
_REQUIRED = (
    *("id", "file_name", "file_index", "img_type", "time_utc"),
    *(*CORNERS[:2], *_SIZES),
)
_COLUMNS = (*_TEXT, "proj", "file_index", *CORNERS, *_SIZES, *WHOLE, "pct_missing")
_DATES = ("%m/%d/%y %H:%M", "%m/%d/%Y %H:%M", "%m/%d/%y %H:%M:%S", "%m/%d/%Y %H:%M:%S")


def read_rows(
    catalog: str,
    wanted: tuple[str, ...],
    *,
    strict: bool = False,
    options: files.Options = None,
) -> pd.DataFrame:
    """
    Read the rows of a SEVIR catalog that can be used.

    Parameters
    ----------
    catalog
        Path or URL of the catalog.
    wanted
        Variables to take.
    strict
        Whether an incomplete row is an error.
    options
        What fsspec is told to reach a URL.

    Returns
    -------
    DataFrame
        The catalog's columns, and `variable`, `time` (UTC), `offsets` (minutes to each
        frame), `crs`, `left` and `bottom` (the lower left corner [m]).

    Raises
    ------
    FileNotFoundError
        If the catalog is not there.
    CatalogError
        If it lacks columns, rows or the variables.
    """
    rows = _read(catalog, options)
    rows = _select(rows, wanted, catalog)
    rows = _without_duplicates(rows, catalog)
    rows = _complete(rows, catalog, strict)
    if rows.empty:
        raise CatalogError(
            f"{catalog} has no usable row with {', '.join(wanted)}; read the warnings "
            "before this, and correct the catalog"
        )
    return _georeferenced(rows, catalog)


def count_rows(count: int) -> str:
    """`1 row` or `2 rows`."""
    return f"{count} row{'s'[: count != 1]}"


def warn(message: str) -> None:
    """Say what was left out or repaired."""
    warnings.warn(message, UserWarning, stacklevel=4)


def _read(catalog: str, options: files.Options) -> pd.DataFrame:
    """The catalog's own columns, typed."""
    content = files.read_bytes(catalog, options)
    try:
        rows = pd.read_csv(
            io.BytesIO(content),
            encoding="utf-8-sig",
            usecols=lambda name: name.strip() in _COLUMNS,
            dtype=str,
            low_memory=False,
        )
    except ValueError as error:
        raise CatalogError(
            f"{catalog} is not a readable table ({str(error).strip()}); wanted SEVIR's "
            "catalog as comma-separated text"
        ) from error
    rows = rows.rename(columns=str.strip)
    lacking = [name for name in _REQUIRED if name not in rows]
    if lacking:
        raise CatalogError(
            f"{catalog} lacks the columns {', '.join(lacking)}, wanted SEVIR's "
            "catalog; check that this is the file"
        )
    rows = rows.reindex(columns=list(_COLUMNS))
    for name in ("file_index", *CORNERS, *_SIZES, *WHOLE, "pct_missing"):
        rows[name] = pd.to_numeric(rows[name], errors="coerce").astype(float)
    for name in WHOLE:
        rows[name] = rows[name].round().astype("Int64")
    for name in ("id", "img_type", "file_name"):
        rows[name] = rows[name].str.strip()
    rows["time"] = _dates(rows["time_utc"])
    return rows


def _dates(text: "pd.Series[str]") -> "pd.Series[pd.Timestamp]":
    """Times of ISO or American texts, NaT where a text is neither."""
    text = text.str.strip()
    found = pd.to_datetime(text, format="ISO8601", errors="coerce", utc=True)
    for form in _DATES:
        if found.isna().any():
            more = pd.to_datetime(text, format=form, errors="coerce", utc=True)
            found = found.fillna(more)
    return found.dt.tz_localize(None).astype("datetime64[ns]")


def _select(rows: pd.DataFrame, wanted: tuple[str, ...], catalog: str) -> pd.DataFrame:
    rows["variable"] = rows["img_type"].str.lower().replace({"lght": "lightning"})
    unknown = rows[~rows["variable"].isin(VARIABLES)]
    if len(unknown):
        kinds = sorted(unknown["img_type"].fillna("none").unique())
        warn(
            f"{count_rows(len(unknown))} of {catalog} have an unknown img_type "
            f"({', '.join(kinds[:3])}) and are left out"
        )
    held = [v for v in VARIABLES if (rows["variable"] == v).any()]
    rows = rows[rows["variable"].isin(wanted)].copy()
    if rows.empty:
        raise CatalogError(
            f"{catalog} lists {', '.join(held) or 'no event'}, wanted "
            f"{', '.join(wanted)}; ask for a variable that it lists"
        )
    return rows


def _without_duplicates(rows: pd.DataFrame, catalog: str) -> pd.DataFrame:
    twice = rows["id"].notna() & rows.duplicated(["id", "variable"], keep=False)
    if twice.any():
        ids = list(dict.fromkeys(rows.loc[twice, "id"]))
        some = ", ".join(ids[:3]) + (", ..." if len(ids) > 3 else "")
        warn(
            f"{catalog} lists {len(ids)} event{'s'[: len(ids) > 1]} more than once for "
            f"one variable ({some}); which row is right is unknown, so that the "
            "variable is left out"
        )
    return rows[~twice].copy()


def _complete(rows: pd.DataFrame, catalog: str, strict: bool) -> pd.DataFrame:
    """Rows that say what, when and where; their times and sizes as plain values."""
    rows["offsets"] = rows["minute_offsets"].map(_offsets)
    rows.loc[rows["variable"] == "lightning", "file_index"] = 0.0
    needed = rows[["id", "file_name", "time", "offsets", "file_index"]].notna()
    sizes = np.isfinite(rows[[*CORNERS[:2], *_SIZES]].to_numpy(dtype=float))
    large = rows[["size_x", "size_y"]].ge(2) & rows[["size_x", "size_y"]].lt(1e5)
    spread = rows[["height_m", "width_m"]].gt(0)
    whole = (
        needed.all(axis=1) & sizes.all(axis=1) & large.all(axis=1) & spread.all(axis=1)
    )
    lost = rows[~whole]
    if len(lost):
        first = lost["id"].iloc[0]
        whose = f"that of event {first!r}" if isinstance(first, str) else "one of no id"
        said = (
            f"{count_rows(len(lost))} of {catalog} lack an id, file, time, place or "
            f"size, as {whose}"
        )
        if strict:
            raise CatalogError(f"{said}; correct the catalog, or open without strict")
        warn(f"{said}, and are left out")
    kept: pd.DataFrame = rows[whole].copy()
    return kept


@lru_cache(maxsize=256)
def _offsets(text: str | float) -> tuple[int, ...] | None:
    """Minutes from the event's time to each frame; None where they cannot be read."""
    if not isinstance(text, str) or not text.strip():
        return OFFSETS
    try:
        return tuple(int(part) for part in text.split(":"))
    except ValueError:
        return None


def _georeferenced(rows: pd.DataFrame, catalog: str) -> pd.DataFrame:
    """Projection of each row, and its lower left corner in it [m]."""
    from pyproj import Proj

    readable = {text: _projection(text) for text in rows["proj"].unique()}
    damaged = rows["proj"].map(lambda text: readable[text] is None)
    rows["crs"] = rows["proj"].map(lambda text: readable[text] or PROJECTION)
    if damaged.any():
        warn(
            f"the projection of {count_rows(int(damaged.sum()))} of {catalog} cannot "
            f"be read ({rows.loc[damaged, 'proj'].iloc[0]!r}) and is taken to be "
            f"SEVIR's own, {PROJECTION}"
        )
    for crs in rows["crs"].unique():
        here = rows["crs"] == crs
        corner = rows.loc[here, "llcrnrlon"], rows.loc[here, "llcrnrlat"]
        x, y = Proj(crs)(*(c.to_numpy(dtype=float) for c in corner))
        rows.loc[here, "left"], rows.loc[here, "bottom"] = x, y
    return rows


def _projection(text: object) -> str | None:
    """A projection as clean text, SEVIR's own always the same; None if unreadable."""
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    clean = " ".join(text.split()) if isinstance(text, str) else ""
    if clean == PROJECTION:
        return PROJECTION
    try:
        crs = CRS.from_user_input(clean)
    except CRSError:
        return None
    if not crs.is_projected:
        return None
    return PROJECTION if crs.equals(CRS.from_user_input(PROJECTION)) else clean
