"""Forecasts of an event, and hindcasts of a whole catalog beside persistence."""

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from torch import nn
from tqdm.auto import tqdm

from stormfusion import sampling
from stormfusion.classical import Persistence
from stormfusion.data.catalog import Catalog
from stormfusion.data.event import Event
from stormfusion.data.task import Task, lacks
from stormfusion.data.windows import starts
from stormfusion.errors import CatalogError
from stormfusion.losses import Loss
from stormfusion.nowcaster.building import as_event, whole
from stormfusion.sampling import Dressing, Forecast
from stormfusion.verification import Tally


@dataclass(frozen=True, eq=False)
class Hindcaster:
    """
    A network on its device, and how its forecasts are made.

    Parameters
    ----------
    name
        Of the forecasts.
    task, network, dressing
        What is forecast, by what, and its past errors where they were measured.
    device
        Where the network is.
    seed
        Of the members.
    persistence
        Whether the network repeats the last frame.
    """

    name: str
    task: Task
    network: nn.Module
    dressing: Dressing | None
    device: str
    seed: int
    persistence: bool

    def forecast(self, event: Any, reference_time: object | None) -> Forecast:
        """Forecast an event, or a dataset, from the frame of a time."""
        event = as_event(event)
        self.task.check(event)
        start = sampling.first_frame(event, self.task, reference_time)
        made = self._run(event, start)
        if made.stale:
            goes = "is missing" if self.persistence else "goes on from what came before"
            warnings.warn(
                f"nothing was observed in the last {made.stale} of the frames that are "
                f"seen, up to {made.reference_time}; the forecast {goes}. Choose a "
                "reference_time with data if there is one",
                UserWarning,
                stacklevel=3,
            )
        return made

    def members(
        self, made: Forecast, members: int, seed: int | None
    ) -> Iterator[NDArray[np.float32]]:
        """Members of a forecast, one after the other."""
        members = whole("members", members, least=2)
        seed = self.seed if seed is None else whole("seed", seed, least=0)
        assert self.dressing is not None
        return made.members(self.dressing, range(members), seed=seed)

    def stack(self, made: Forecast, members: int, seed: int | None) -> xr.DataArray:
        """All members of a forecast in memory, labelled."""
        drawn = self.members(made, members, seed)
        shape = (members, *made.numbers.shape)
        try:
            values = np.empty(shape, dtype=np.float32)
        except (MemoryError, ValueError) as error:
            size = 4 * math.prod(shape) / 2**30
            raise MemoryError(
                f"{members} members take {size:,.0f} GiB, more than there is; ask for "
                "fewer, or for nowcaster.footprint(...), whose memory does not grow "
                "with them"
            ) from error
        for number, member in enumerate(drawn):
            values[number] = member
        return made.label(values)

    def score(
        self,
        catalog: Catalog,
        *,
        thresholds: Sequence[float] | None,
        scales: Sequence[int],
        members: int,
        distances: Sequence[Loss] | None,
        by_case: bool = False,
        strict: bool,
        progress: bool,
    ) -> Tally:
        """Score every hindcast window of a catalog."""
        tally = Tally(
            self.task.target,
            thresholds=thresholds,
            scales=scales,
            distances=distances,
            by_case=by_case,
        )
        task = self.task
        members = whole("members", members, least=0)
        if task.target not in catalog.variables:
            raise CatalogError(lacks("the catalog", catalog.variables, task.target))
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
            except (OSError, CatalogError) as error:
                if strict:
                    raise
                failed.setdefault(event.id, str(error))
        name, why = next(iter(failed.items()), ("", ""))
        if not tally.cases:
            because = f" (the first is {name!r}: {why})" if failed else ""
            raise CatalogError(
                f"no event has {task.frames} unbroken frames of {task.target!r} that "
                f"can be read{because}; evaluate on longer events"
            )
        if failed:
            noun = "event" if len(failed) == 1 else "events"
            warnings.warn(
                f"{len(failed)} of {len(catalog)} {noun} could not be forecast in "
                f"full, the first is {name!r}: {why}; catalog.check() lists what is "
                "damaged",
                UserWarning,
                stacklevel=3,
            )
        return tally

    def _add(self, event: Event, start: int, tally: Tally, members: int) -> None:
        task, made = self.task, self._run(event, start)
        forecasts = {self.name: made.array()}
        if not self.persistence:
            plain = replace(task, inputs=(task.target,))
            still = Persistence().build(channels=2, history=1, leads=task.leads)
            kept = sampling.run(still, event, start, plain, "cpu", last_only=True)
            forecasts["persistence"] = kept.array()
        ensembles = {}
        if members and self.dressing is not None:
            ensembles[self.name] = self.stack(made, members, None)
        observed = sampling.observation(event, start, task)
        tally.add(forecasts, observed, ensembles=ensembles, event=event.id)

    def _run(self, event: Event, start: int) -> Forecast:
        return sampling.run(
            self.network,
            event,
            start,
            self.task,
            self.device,
            last_only=self.persistence,
        )
