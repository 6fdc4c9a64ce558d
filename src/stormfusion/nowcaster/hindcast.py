"""Hindcasts of a whole catalog, scored beside persistence."""

import warnings
from dataclasses import dataclass, replace

import numpy as np
from torch import nn
from tqdm.auto import tqdm

from stormfusion import sampling
from stormfusion.classical import Persistence
from stormfusion.data.audit import READ_ERRORS
from stormfusion.data.catalog import Catalog
from stormfusion.data.event import Event
from stormfusion.data.task import Task
from stormfusion.data.windows import starts
from stormfusion.errors import CatalogError, GridMismatchError
from stormfusion.sampling import Dressing
from stormfusion.verification import Tally


@dataclass(frozen=True, eq=False)
class Hindcaster:
    """A fitted network, and how its hindcasts are made."""

    name: str
    task: Task
    network: nn.Module
    dressing: Dressing | None
    device: str
    seed: int
    persistence: bool

    def score(
        self,
        catalog: Catalog,
        tally: Tally,
        *,
        members: int,
        strict: bool,
        progress: bool,
    ) -> Tally:
        """Add every hindcast window of a catalog to a tally."""
        task = self.task
        for event in catalog:
            if task.target in event.frames:
                task.check(event)
        todo = [
            (event, int(start))
            for event in catalog
            for start in starts(event, task, stride=task.leads)
        ]
        failed: dict[str, str] = {}
        for event, start in tqdm(todo, disable=not progress, desc="evaluate"):
            try:
                self._add(event, start, tally, members)
            except READ_ERRORS as error:
                if strict or isinstance(error, GridMismatchError):
                    raise
                failed[event.id] = str(error)
        if failed:
            name, why = next(iter(failed.items()))
            warnings.warn(
                f"{len(failed)} of {len(catalog)} events were skipped, the first is "
                f"{name!r}: {why}",
                UserWarning,
                stacklevel=3,
            )
        if not tally.cases:
            raise CatalogError(
                f"no event has {task.frames} unbroken frames of {task.target!r} that "
                "can be read; evaluate on longer events"
            )
        return tally

    def _add(self, event: Event, start: int, tally: Tally, members: int) -> None:
        task, last_only = self.task, self.persistence
        made = sampling.run(
            self.network, event, start, task, self.device, last_only=last_only
        )
        forecasts = {self.name: made.array()}
        if not self.persistence:
            plain = replace(task, inputs=(task.target,))
            still = Persistence().build(channels=2, history=1, leads=task.leads)
            kept = sampling.run(still, event, start, plain, "cpu", last_only=True)
            forecasts["persistence"] = kept.array()
        ensembles = {}
        if members and self.dressing is not None:
            drawn = made.members(self.dressing, range(members), seed=self.seed)
            ensembles[self.name] = made.label(np.stack(list(drawn)))
        observed = sampling.observation(event, start, task)
        tally.add(forecasts, observed, ensembles=ensembles)
