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
