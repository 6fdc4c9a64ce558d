"""Forecasts of an event, and hindcasts of a whole catalog beside baselines."""

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
from stormfusion.calibration import Calibration
from stormfusion.classical import Classic
from stormfusion.data.catalog import Catalog
from stormfusion.data.event import Event
from stormfusion.data.task import Task, lacks
from stormfusion.data.windows import starts
from stormfusion.errors import CatalogError
from stormfusion.losses import Loss
from stormfusion.nowcaster.building import LARGEST_SEED, as_event, whole
from stormfusion.recipe import Recipe
from stormfusion.sampling import ClassicForecast, Dressing, Forecast
from stormfusion.units import as_ours
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
    calibration
        Of the members, if there is one.
    """

    name: str
    task: Task
    network: nn.Module
    dressing: Dressing | None
    device: str
    seed: int
    calibration: Calibration | None = None

    def forecast(
        self, event: Any, reference_time: object | None
    ) -> Forecast | ClassicForecast:
        """Forecast an event, or a dataset, from the frame of a time."""
        event = as_event(event)
        self.task.check(event)
        task = self.task
        classic = isinstance(self.network, Classic)
        if isinstance(self.network, Classic):
            task = _shortened(task, self.network, self.name, event, reference_time)
        start = sampling.first_frame(event, task, reference_time)
        made = sampling.run(self.network, event, start, task, self.device)
        if made.stale:
            goes = "is missing" if classic else "goes on from what came before"
            warnings.warn(
                f"nothing was observed in the last {made.stale} of the frames that are "
                f"seen, up to {made.reference_time}; the forecast {goes}. Choose a "
                "reference_time with data if there is one",
                UserWarning,
                stacklevel=3,
            )
        return made

    def initial(
        self, event: Any, made: Forecast | ClassicForecast
    ) -> xr.DataArray | None:
        """The last observed frame of the target, if it is observed; NaN if missing."""
        event = as_event(event)
        if self.task.target not in event.frames:
            return None
        frames = event[self.task.target]
        time = made.reference_time.to_datetime64()
        if time not in frames["time"].to_numpy():
            return None
        frame = as_ours(frames.sel(time=time), self.task.target)
        plain = made.array().isel(lead=0, drop=True)
        if frame.shape != plain.shape:
            return None
        name = str(plain.attrs.get("long_name", self.task.target))
        found = plain.copy(data=frame.to_numpy().astype(np.float32))
        found.attrs["long_name"] = f"last observed {name}"
        return found.rename("initial").drop_vars("time", errors="ignore")

    def members(
        self, made: Forecast | ClassicForecast, members: int, seed: int | None
    ) -> Iterator[NDArray[np.float32]]:
        """Members of a forecast, one after the other."""
        members = whole("members", members, least=2)
        seed = (
            self.seed
            if seed is None
            else whole("seed", seed, least=0, most=LARGEST_SEED)
        )
        if self.calibration is None:
            return made.members(self.dressing, range(members), seed=seed)
        self.calibration.check(made.array())
        drawn = Drawn(made, self.dressing, range(members), seed)
        return self.calibration.members(drawn)

    @property
    def samples(self) -> bool:
        """Whether it makes ensembles, of its own or from measured errors."""
        own = isinstance(self.network, Classic) and self.network.samples
        return own or self.dressing is not None

    def beside(self, name: str) -> "Hindcaster":
        """A nowcast without training of the same task, of the target alone."""
        task = replace(self.task, inputs=(self.task.target,), derived=())
        network = Recipe.parse(name).classic().build(task)
        if task.history < network.least:
            raise ValueError(
                f"history is {task.history}, {name!r} needs {network.least} frames; "
                "give the nowcaster as many, or leave it out of the baselines"
            )
        return Hindcaster(name, task, network, None, self.device, self.seed)

    def stack(
        self, made: Forecast | ClassicForecast, members: int, seed: int | None
    ) -> xr.DataArray:
        """All members of a forecast in memory, labelled."""
        drawn = self.members(made, members, seed)
        shape = (members, *made.shape)
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
        baselines: "Sequence[Hindcaster]" = (),
        by_case: bool = False,
        strict: bool,
        progress: bool,
    ) -> Tally:
        """Score every hindcast window of a catalog, with baselines beside it."""
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
                self._add(event, start, tally, members, baselines)
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

    def _add(
        self,
        event: Event,
        start: int,
        tally: Tally,
        members: int,
        baselines: "Sequence[Hindcaster]",
    ) -> None:
        forecasts, ensembles = {}, {}
        for caster in (self, *baselines):
            made = sampling.run(
                caster.network, event, start, caster.task, caster.device
            )
            forecasts[caster.name] = made.array()
            if members and caster.samples:
                ensembles[caster.name] = caster.stack(made, members, None)
        observed = sampling.observation(event, start, self.task)
        tally.add(forecasts, observed, ensembles=ensembles, event=event.id)


@dataclass(frozen=True, eq=False)
class Drawn:
    """Members of a forecast that can be gone through more than once."""

    made: Forecast | ClassicForecast
    dressing: Dressing | None
    numbers: range
    seed: int

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        return self.made.members(self.dressing, self.numbers, seed=self.seed)


def _shortened(
    task: Task, network: Classic, name: str, event: Event, reference_time: object | None
) -> Task:
    """The task with as many frames as the nowcast looks at and as there are."""
    most = min(task.history, network.most)
    there = sampling.unbroken(event, task, reference_time, most=most)
    if there < network.least:
        noun = "frame" if there == 1 else "frames"
        raise CatalogError(
            f"event {event.id!r} has {there} {noun} without a gap up to the reference "
            f"time, {name!r} needs {network.least}; choose a later reference_time, "
            "longer data, or 'persistence', which needs one"
        )
    return replace(task, history=there)
