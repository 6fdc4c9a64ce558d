"""SEVIR: its catalog as a table and events that read their own frames."""

import os
from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd

from stormfusion.data import files
from stormfusion.data.event import Event, Frames
from stormfusion.data.selection import names_of
from stormfusion.data.sevir_catalog import (
    CORNERS,
    VARIABLES,
    WHOLE,
    count_rows,
    read_rows,
    warn,
)
from stormfusion.data.sevir_frames import Place, SevirRaster
from stormfusion.data.sevir_lightning import (
    LIGHTNING_SIZE,
    SevirLightning,
    check_binning,
)
from stormfusion.errors import CatalogError

_FOLDERS = ("data/{0}", "{0}", "{1}", "data/{1}")
_TABLE = ["time", "event_type", *WHOLE, *CORNERS, "pct_missing", "variables"]


def is_sevir(
    path: str | os.PathLike[str], *, storage_options: files.Options = None
) -> bool:
    """
    Whether a path is SEVIR's catalog, or a folder or URL that holds one.

    A folder whose catalog has another name than `CATALOG.csv` and that holds netCDF
    files as well is taken for a folder of these.

    Parameters
    ----------
    path
        A local path or an fsspec URL.
    storage_options
        What fsspec is told to reach it.

    Examples
    --------
    >>> is_sevir("CATALOG.csv"), is_sevir("memory://radar")
    (True, False)
    """
    text = os.fspath(path)
    if any(sign in text for sign in "*?["):
        return False
    if text.lower().endswith(".csv"):
        return True
    names = _catalogs(text, storage_options)
    exact = any(name.lower() == "catalog.csv" for name in names)
    return exact or (bool(names) and not _holds_gridded(text))


def open_sevir(
    path: str | os.PathLike[str],
    *,
    variables: Iterable[str] | None = None,
    lightning: str = "leading",
    strict: bool = False,
    storage_options: files.Options = None,
) -> tuple[pd.DataFrame, tuple[Event, ...]]:
    """
    Read SEVIR's catalog and make its events, which read their frames when asked.

    An id that the catalog lists more than once for one variable loses that variable.
    What is left out or repaired is said in a warning that counts it.

    Parameters
    ----------
    path
        The folder or fsspec URL that holds the catalog (`CATALOG.csv`, or another csv
        with "catalog" in its name) and the files, or the catalog itself. The files may
        lie in `data/vil/2019/`, `vil/2019/`, `data/` or beside the catalog.
    variables
        Which of `vil`, `ir107`, `ir069`, `vis` and `lightning` to take; all by default.
    lightning
        Which flashes belong to a frame: those up to it (`"leading"`), or those after
        it, as in SEVIR's own code (`"sevir"`).
    strict
        Whether an absent file or an incomplete row is an error.
    storage_options
        What fsspec is told to reach a URL. S3 needs no sign-in unless they say so.

    Returns
    -------
    tuple of DataFrame and tuple of Event
        One row and one event per id, in the catalog's order. `pct_missing` is a
        fraction from 0 to 1, and that of the event's first variable.

    Raises
    ------
    FileNotFoundError
        If there is no catalog, or, where `strict`, a file of it is absent.
    CatalogError
        If the catalog lacks columns, rows or the variables.
    """
    wanted = _wanted(variables)
    check_binning(lightning)
    root, catalog = _find(path, storage_options)
    rows = read_rows(catalog, wanted, strict=strict, options=storage_options)
    rows = _with_files(rows, root, storage_options, strict)
    rows["order"] = pd.factorize(rows["id"])[0]
    rows["rank"] = rows["variable"].map(VARIABLES.index)
    rows = rows.sort_values(["order", "rank"], kind="stable")
    events = _events(rows, lightning, dict(storage_options or {}) or None)
    return _table(rows, events), events


def _wanted(variables: Iterable[str] | None) -> tuple[str, ...]:
    if variables is None:
        return VARIABLES
    wanted = names_of(variables)
    for each in wanted:
        if each not in VARIABLES:
            raise CatalogError(
                f"SEVIR has no variable {each!r}; choose among {', '.join(VARIABLES)}"
            )
    if not wanted:
        raise CatalogError(
            f"variables are empty, wanted at least one of {', '.join(VARIABLES)}"
        )
    return wanted


def _holds_gridded(root: str) -> bool:
    url = files.normalize(root)
    return files.is_local(url) and any(Path(url).glob("*.nc"))


def _catalogs(root: str, options: files.Options) -> list[str]:
    """Names of the catalogs in a folder or at a URL; the exact name stands alone."""
    url = files.normalize(root)
    if files.is_local(url):
        folder = Path(url)
        names = [p.name for p in folder.iterdir()] if folder.is_dir() else []
    else:
        system, inner = files.filesystem(url, options)
        if system.exists(f"{inner.rstrip('/')}/CATALOG.csv"):
            return ["CATALOG.csv"]
        try:
            listed = system.ls(inner, detail=False)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            listed = []
        names = [str(name).rstrip("/").rsplit("/", 1)[-1] for name in listed]
    found = [n for n in names if "catalog" in n.lower() and n.lower().endswith(".csv")]
    exact = [n for n in found if n == "CATALOG.csv"]
    exact = exact or [n for n in found if n.lower() == "catalog.csv"]
    return sorted(exact or found)


def _find(path: str | os.PathLike[str], options: files.Options) -> tuple[str, str]:
    """The folder of the files, and the catalog in it."""
    url = files.normalize(path)
    if url.lower().endswith(".csv"):
        return url.replace("\\", "/").rsplit("/", 1)[0], url
    found = _catalogs(url, options)
    if not found:
        raise FileNotFoundError(
            f"there is no SEVIR catalog at {url}, wanted a folder or URL with "
            "CATALOG.csv; check the path"
        )
    if len(found) > 1:
        raise CatalogError(
            f"{url} holds {len(found)} catalogs ({', '.join(found)}), wanted one; open "
            "the one you mean"
        )
    return url, f"{url}/{found[0]}"


def _with_files(
    rows: pd.DataFrame, root: str, options: files.Options, strict: bool
) -> pd.DataFrame:
    """Rows whose file is there, or all of them where no file is."""
    names = [str(name) for name in rows["file_name"].unique()]
    places = _locate(names, root, options)
    rows["file"] = rows["file_name"].map(places)
    absent = rows[rows["file"].isna()]
    if absent.empty:
        return rows
    example = f"{root}/{_FOLDERS[0].format(absent['file_name'].iloc[0])}"
    if strict:
        raise FileNotFoundError(
            f"there is no file {example}, which the catalog names; download it, or "
            "open without strict"
        )
    if len(absent) == len(rows):
        warn(
            f"none of the {len(names)} files that the catalog names is here, such as "
            f"{example}: the events can be listed, but reading them will fail"
        )
        whole = {name: f"{root}/{_FOLDERS[0].format(name)}" for name in names}
        rows["file"] = rows["file_name"].map(whole)
        return rows
    warn(
        f"{count_rows(len(absent))} of the catalog name files that are not here, such "
        f"as {example}, and are left out"
    )
    return rows[rows["file"].notna()].copy()


def _locate(names: list[str], root: str, options: files.Options) -> dict[str, str]:
    """Where each file lies, for those that are there."""
    remote: set[str] | None = None
    if not files.is_local(root):
        system, inner = files.filesystem(root, options)
        inner = inner.rstrip("/")
        remote = {str(p)[len(inner) :].lstrip("/") for p in system.find(inner)}
    places = {}
    for name in names:
        for folder in _FOLDERS:
            candidate = folder.format(name, name.rsplit("/", 1)[-1])
            path = f"{root}/{candidate}"
            if candidate in remote if remote is not None else Path(path).is_file():
                places[name] = path
                break
    return places


def _events(
    rows: pd.DataFrame, lightning: str, options: Mapping[str, Any] | None
) -> tuple[Event, ...]:
    made = []
    for _, group in groupby(rows.itertuples(index=False), key=lambda row: row.order):
        held: list[Any] = list(group)
        frames = {row.variable: _frames(row, lightning, options) for row in held}
        known = {"event_type": held[0].event_type, "pct_missing": held[0].pct_missing}
        attrs: dict[str, object] = {k: v for k, v in known.items() if not pd.isna(v)}
        numbers = {name: getattr(held[0], name) for name in WHOLE}
        attrs |= {name: int(n) for name, n in numbers.items() if not pd.isna(n)}
        attrs["storm"] = held[0].id.startswith("S")
        made.append(Event(held[0].id, frames, attrs))
    return tuple(made)


def _frames(row: Any, lightning: str, options: Mapping[str, Any] | None) -> Frames:
    flashes = row.variable == "lightning"
    columns, rows = (
        LIGHTNING_SIZE if flashes else int(size) for size in (row.size_x, row.size_y)
    )
    dx, dy = row.width_m / columns, row.height_m / rows
    place = Place(row.crs, row.left, row.bottom, dx, dy, columns, rows)
    time = row.time.to_datetime64()
    if flashes:
        return SevirLightning(row.id, row.file, time, place, lightning, options)
    index = int(row.file_index)
    return SevirRaster(
        row.variable, row.id, row.file, index, time, row.offsets, place, options
    )


def _table(rows: pd.DataFrame, events: tuple[Event, ...]) -> pd.DataFrame:
    table = rows.drop_duplicates("order").set_index("id")
    table["variables"] = [event.variables for event in events]
    return table[_TABLE]
