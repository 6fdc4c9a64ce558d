"""Events opened: those of SEVIR, and those cut out of gridded files and images."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from stormfusion.data import gridded, hko7, radolan, sevir
from stormfusion.data.cutting import Cuts, wettest
from stormfusion.data.event import Event
from stormfusion.data.files import is_local
from stormfusion.data.frame_files import Skipped, events_of_frames
from stormfusion.data.paths import expand
from stormfusion.data.selection import names_of
from stormfusion.errors import CatalogError

Opened = tuple[Sequence[Event], pd.DataFrame | None, tuple[tuple[str, str], ...]]
"""Events, their table where the source has one, and the files that were skipped."""


def open_events(
    path: str | Path | Sequence[str | Path],
    *,
    variables: Sequence[str] | None,
    rename: Mapping[str, str] | None,
    cuts: Cuts,
    lightning: str,
    strict: bool,
    options: Mapping[str, Any] | None,
) -> Opened:
    """Open what a path names, SEVIR or gridded files; see `Catalog.open`."""
    places = _places(path)
    for name, value, example in (
        ("rename", rename, "{'name in the data': 'rain_rate'}"),
        ("storage_options", options, "options of fsspec such as {'anon': True}"),
    ):
        if value is not None and not isinstance(value, Mapping):
            raise TypeError(f"{name} is {value!r}, wanted {example}")
    try:
        return _opened(
            path,
            variables=None if variables is None else names_of(variables),
            rename=rename,
            cuts=cuts,
            lightning=lightning,
            strict=strict,
            options=dict(options or {}),
        )
    except Exception as error:
        if _is_said(error, remote=not all(map(is_local, places))):
            raise
        raise ConnectionError(
            f"{path!r} cannot be reached ({type(error).__name__}: {error}); check the "
            "address, the connection and storage_options="
        ) from error


def _places(path: Any) -> list[str]:
    """The paths and URLs that are named, none of them empty."""
    places = list(path) if isinstance(path, list | tuple) else [path]
    if not all(isinstance(each, str | Path) for each in places):
        raise TypeError(
            f"path is {path!r}, wanted text or a Path, or a list of them; for an open "
            "dataset write Catalog.from_xarray"
        )
    if not all(str(each).strip() for each in places):
        raise ValueError(
            f"path is {path!r}, wanted a file, folder or URL; name one ('.' is the "
            "folder you are in)"
        )
    return list(map(str, places))


def _is_said(error: Exception, *, remote: bool) -> bool:
    """Whether an error is a sentence already; those of what fetches URLs are not."""
    builtin = (OSError, ValueError, TypeError, LookupError, RuntimeError, ImportError)
    if not remote or not isinstance(error, builtin):
        return isinstance(error, builtin)
    ours = type(error).__module__ in ("builtins", "stormfusion.errors")
    return ours and not isinstance(
        error, ConnectionError | PermissionError | TimeoutError
    )


def _opened(
    path: str | Path | Sequence[str | Path],
    *,
    variables: Sequence[str] | None,
    rename: Mapping[str, str] | None,
    cuts: Cuts,
    lightning: str,
    strict: bool,
    options: Mapping[str, Any],
) -> Opened:
    if isinstance(path, str | Path) and sevir.is_sevir(path, storage_options=options):
        if rename is not None or cuts.asked:
            raise ValueError(
                f"rename, duration, size and events are for gridded files, and "
                f"{str(path)!r} is a SEVIR catalog, whose events are cut already; "
                "leave them out"
            )
        table, found = sevir.open_sevir(
            path,
            variables=variables,
            lightning=lightning,
            strict=strict,
            storage_options=options,
        )
        if not found:
            raise CatalogError(
                f"the SEVIR catalog at {str(path)!r} lists no event with "
                f"{', '.join(variables) if variables else 'any variable'}; check the "
                "path and the variables"
            )
        return found, table, ()
    if lightning != "leading":
        raise ValueError(
            f"lightning={lightning!r} is for SEVIR, and {str(path)!r} is no SEVIR "
            "catalog; leave it out"
        )
    paths = expand(path, options)
    cut, skipped = _cut(paths, rename=rename, options=options, cuts=cuts, strict=strict)
    if skipped:
        warnings.warn(
            f"{len(skipped)} of {len(paths)} files are skipped, the first is "
            f"{skipped[0][0]!r} ({skipped[0][1]}); strict=True stops at it",
            UserWarning,
            stacklevel=4,
        )
    return wettest(cut, cuts, variables=variables), None, skipped


def _cut(
    paths: Sequence[str],
    *,
    rename: Mapping[str, str] | None,
    options: Mapping[str, Any],
    cuts: Cuts,
    strict: bool,
) -> tuple[list[Event], tuple[Skipped, ...]]:
    """The events of files, which are all of one layout."""
    layouts: dict[str, str] = {}
    for path in paths:
        layouts.setdefault(_layout(path), path)
    if len(layouts) > 1:
        examples = " and ".join(f"{path!r} ({name})" for name, path in layouts.items())
        raise CatalogError(
            f"got {examples}, wanted files of one kind; open each kind on its own and "
            "join the catalogs with '|'"
        )
    layout = next(iter(layouts))
    if layout == "xarray":
        return gridded.events_of_files(
            paths, rename=rename, options=options, cuts=cuts, strict=strict
        )
    if rename is not None:
        raise ValueError(
            f"rename is for files that xarray opens, and {paths[0]!r} is of {layout}, "
            "whose variable is known; leave it out"
        )
    understand = hko7.understand if layout == "HKO-7" else radolan.understand
    return events_of_frames(
        paths, understand, options=options, cuts=cuts, strict=strict
    )


def _layout(path: str) -> str:
    if hko7.is_image(path):
        return "HKO-7"
    return "RADOLAN" if radolan.is_composite(path) else "xarray"
