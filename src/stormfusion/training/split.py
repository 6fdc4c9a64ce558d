"""Which events to learn from, and which to validate on."""

import hashlib
import json
import warnings

from stormfusion.data.catalog import Catalog
from stormfusion.data.task import Task
from stormfusion.data.windows import starts
from stormfusion.errors import CatalogError


def validation_split(
    catalog: Catalog, validation: Catalog | None, task: Task
) -> tuple[Catalog, Catalog | None, str]:
    """The events to learn from, those to validate on, and what to say of it."""
    if validation is not None:
        shared = validation.table.index.intersection(catalog.table.index)
        if len(shared):
            raise CatalogError(
                f"{len(shared)} events are both in the catalog and in validation, the "
                f"first is {shared[0]!r}; split them with catalog.split"
            )
        for event in validation:
            if task.target in event.frames:
                task.check(event)
        return catalog, validation, "on events given"
    try:
        earlier, later = catalog.split(0.85)
    except CatalogError:
        earlier, later = catalog, None
    parts = (earlier, later)
    if later is None or not all(
        any(starts(event, task).size for event in part) for part in parts if part
    ):
        warnings.warn(
            f"a catalog of {len(catalog)} event(s) leaves none to validate on: the "
            "ensemble is fitted on the training windows and will be too sure; give "
            "validation=, or cut more events with a duration",
            UserWarning,
            stacklevel=4,
        )
        return catalog, None, "on the training windows"
    return earlier, later, "on the last events in time"


def fingerprint(catalog: Catalog) -> str:
    """What tells one set of events from another: their ids and times."""
    text = json.dumps([(e.id, str(e.time[0]), len(e.time)) for e in catalog])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
