"""Events opened: those of SEVIR, and those cut out of gridded files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from stormfusion.data import gridded, sevir
from stormfusion.data.cutting import Cuts, wettest
from stormfusion.data.event import Event
from stormfusion.data.paths import expand
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
    options: Mapping[str, Any],
) -> Opened:
    """Open what a path names, SEVIR or gridded files; see `Catalog.open`."""
    if isinstance(variables, str):
        variables = (variables,)
    many = isinstance(path, list | tuple) and all(
        isinstance(each, str | Path) for each in path
    )
    if not many and not isinstance(path, str | Path):
        raise TypeError(
            f"path is {path!r}, wanted text or a Path, or a list of them; for an open "
            "dataset write Catalog.from_xarray"
        )
    if rename is not None and not isinstance(rename, Mapping):
        raise TypeError(
            f"rename is {rename!r}, wanted {{'name in the data': 'rain_rate'}}"
        )
    try:
        return _opened(
            path,
            variables=variables,
            rename=rename,
            cuts=cuts,
            lightning=lightning,
            strict=strict,
            options=options,
        )
    except (OSError, ValueError, TypeError, LookupError, RuntimeError, ImportError):
        raise
    except Exception as error:
        # the libraries that fetch URLs have exceptions of their own
        raise ConnectionError(
            f"{path!r} cannot be reached ({type(error).__name__}: {error}); check the "
            "address, the connection and storage_options="
        ) from error


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
    cut, skipped = gridded.events_of_files(
        expand(path, options), rename=rename, options=options, cuts=cuts, strict=strict
    )
    return wettest(cut, cuts, variables=variables), None, skipped
