"""The nowcaster: fit, predict, ensemble, footprint, evaluate, save, load."""

import hashlib
import json
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm.auto import tqdm

from stormfusion import __version__, checkpoint, training
from stormfusion.classical import Persistence
from stormfusion.data import gridded, scaling
from stormfusion.data.catalog import Catalog
from stormfusion.data.event import Event, Frames
from stormfusion.data.labels import forecast_array
from stormfusion.data.task import Task, regular
from stormfusion.data.windows import (
    READ_ERRORS,
    RandomWindows,
    batch,
    principal,
    realize,
    starts,
    take,
    window_size,
)
from stormfusion.ensemble import Ensemble
from stormfusion.errors import (
    CatalogError,
    CheckpointError,
    GridMismatchError,
    NotFittedError,
)
from stormfusion.footprint import PERCENTILES, Accumulator, Footprint, check_hazards
from stormfusion.hazards import Hazard
from stormfusion.losses import MSE, Loss, WeightedSum
from stormfusion.nn import NETWORKS, FromMotion, Network, parameter_count, tiling
from stormfusion.recipe import Recipe
from stormfusion.sampling import Dressing, ErrorStatistics
from stormfusion.verification import Tally

RADIUS = 12
"""Rain may turn up this many pixels from where it is forecast."""


@dataclass(frozen=True, eq=False)
class _Fitted:
    """What fitting adds to a nowcaster."""

    task: Task
    network: nn.Module
    dressing: Dressing | None
    log: pd.DataFrame
    notes: dict[str, Any]


@dataclass(frozen=True, eq=False)
class _Forecast:
    """A deterministic forecast in network numbers, with what labels it."""

    numbers: Tensor
    missing: NDArray[np.bool_]
    task: Task
    frames: Frames
    reference_time: pd.Timestamp

    def label(self, numbers: Tensor) -> xr.DataArray:
        values = self.physical(numbers)
        return forecast_array(values, self.task, self.frames.grid, self.reference_time)

    def physical(self, numbers: Tensor) -> NDArray[np.float32]:
        scale = scaling.scaling_for(self.task.target)
        values = scale.denormalize(numbers.float()).cpu().numpy()
        return np.where(self.missing, np.float32(np.nan), values)


class Nowcaster:
    """
    A nowcast of the next hour, and an ensemble of possible futures.

    Parameters
    ----------
    recipe
        What to train and by what, such as `"unet+mse"`; or a network of your own,
        with `loss`. `"persistence"` needs no training.
    loss
        The loss, where `recipe` is a network.
    inputs, target
        Variables it sees and the one it forecasts; by default the radar variable that
        the catalog holds. Each input may have a grid of its own.
    history, leads
        Number of frames it sees and forecasts.
    device
        `"auto"`, `"cpu"`, `"cuda"`, `"mps"`.
    seed
        Of the weights, the training windows and the members.

    Examples
    --------
    >>> from stormfusion import Catalog
    >>> catalog = Catalog.synthetic(events=3, size=64)
    >>> forecast = Nowcaster("persistence").predict(catalog[0])
    >>> forecast.vil.dims, str(forecast.lead.values[0].astype("timedelta64[m]"))
    (('lead', 'y', 'x'), '5 minutes')
    """

    def __init__(
        self,
        recipe: str | Recipe | Network | nn.Module,
        *,
        loss: Loss | WeightedSum | None = None,
        inputs: Sequence[str] | None = None,
        target: str | None = None,
        history: int = 13,
        leads: int = 12,
        device: str = "auto",
        seed: int = 0,
    ) -> None:
        if isinstance(inputs, str):
            raise TypeError(
                f"inputs is the text {inputs!r}, wanted a sequence of names; write "
                f"inputs=({inputs!r},)"
            )
        if isinstance(recipe, str):
            recipe = Recipe.parse(recipe)
        self.recipe = recipe if isinstance(recipe, Recipe) else None
        if isinstance(recipe, Recipe):
            if loss is not None:
                raise TypeError(
                    f"recipe {str(recipe)!r} names its loss already; pass a network, "
                    "such as UNet(), with loss="
                )
            classic = recipe.is_classic
            self._network: Any = Persistence() if classic else recipe.network_spec()
            self._loss = None if classic else recipe.loss()
        else:
            if not isinstance(recipe, nn.Module) and not hasattr(recipe, "build"):
                raise TypeError(
                    f"got a {type(recipe).__name__} as network, wanted a recipe such as "
                    "'unet+mse', a description such as UNet(), or a torch module"
                )
            self._network = recipe
            self._loss = WeightedSum.of(MSE() if loss is None else loss)
        self.inputs = None if inputs is None else tuple(inputs)
        self.target = target
        self.history = history
        self.leads = leads
        self.device = training.best_device() if device == "auto" else device
        self.seed = seed
        self._fitted: _Fitted | None = None

    @property
    def name(self) -> str:
        """The recipe, or what stands for it where objects were given."""
        if self.recipe is not None:
            return str(self.recipe)
        return f"{type(self._network).__name__.lower()}+{self._loss}"

    @property
    def log(self) -> pd.DataFrame:
        """The training curves, a row for each epoch."""
        return self._checked().log.copy()

    @property
    def task(self) -> Task:
        """What the fitted model maps."""
        return self._checked().task

    @property
    def network(self) -> nn.Module:
        """The fitted torch module."""
        return self._checked().network

    def __repr__(self) -> str:
        if self._fitted is None:
            return f"<Nowcaster {self.name}, not fitted>"
        count = parameter_count(self._fitted.network)
        task = self._fitted.task
        return (
            f"<Nowcaster {self.name}, {count:,} parameters: {task.history} frames of "
            f"{', '.join(task.inputs)} to {task.leads} of {task.target}>"
        )

    def fit(
        self,
        catalog: Catalog,
        *,
        validation: Catalog | None = None,
        epochs: int | None = None,
        time_limit: float | None = None,
        batch_size: int = 8,
        learning_rate: float = 1e-3,
        checkpoint: str | Path | None = None,
        strict: bool = False,
        progress: bool = True,
    ) -> Self:
        """
        Train on a catalog.

        Parameters
        ----------
        catalog
            Events to learn from.
        validation
            Events to choose the best weights by and to measure the errors on; by
            default the last 15 % of the catalog in time.
        epochs
            Passes, at most: 30 by default, or as many as `time_limit` allows.
        time_limit
            Seconds of training, at most.
        batch_size
            Windows in a step of the optimizer.
        learning_rate
            The highest, after the warm-up.
        checkpoint
            A file that keeps the training after every epoch. If it is there, training
            goes on from it.
        strict
            Stop at the first event that cannot be read, rather than skip it.
        progress
            Draw a progress bar.

        Returns
        -------
        Nowcaster
            Itself.

        Raises
        ------
        CatalogError
            If the catalog is empty, lacks a variable, or holds no window long enough.
        GridMismatchError
            If its grids differ in spacing.
        """
        if not len(catalog):
            raise CatalogError("the catalog is empty, wanted events to learn from")
        task = Task.infer(
            list(catalog),
            inputs=self.inputs,
            target=self.target,
            history=self.history,
            leads=self.leads,
        )
        catalog, validation, note = _validation(catalog, validation, task)
        network = self._build(task)
        fabric = training.make_fabric(self.device)
        size = window_size(list(catalog), task)
        windows = RandomWindows(
            list(catalog),
            task,
            size=size,
            count=max(128, 3 * len(catalog)),
            seed=self.seed,
            strict=strict,
        )
        fixed = None
        if validation is not None:
            fixed = RandomWindows(
                list(validation),
                task,
                size=window_size(list(validation), task, largest=min(size)),
                count=min(max(32, 2 * len(validation)), 256),
                seed=self.seed + 1,
                strict=strict,
            )
        plan = training.Plan(
            epochs=(30 if time_limit is None else 100_000)
            if epochs is None
            else epochs,
            time_limit=time_limit,
            batch_size=batch_size,
            learning_rate=learning_rate,
            seed=self.seed,
        )
        notes = {
            "fingerprint": _fingerprint(catalog),
            "events": len(catalog),
            "validated": note,
            "precision": str(fabric._precision.precision),
        }
        log = pd.DataFrame(columns=["epoch", "loss"])
        if self._loss is not None:
            at = training.train(
                network,
                self._loss,
                windows,
                fixed,
                plan,
                fabric=fabric,
                progress=progress,
                state=None if checkpoint is None else Path(checkpoint).expanduser(),
                header={**asdict(plan), **self._identity(task), **notes},
            )
            log = training.table(at)
        network = _placed(network, self.device)
        dressing = _measure(
            network, task, windows if fixed is None else fixed, self.device
        )
        self._fitted = _Fitted(task, network, dressing, log, notes)
        return self

    def predict(
        self,
        event: Event | xr.Dataset,
        *,
        reference_time: object | None = None,
    ) -> xr.Dataset:
        """
        The deterministic nowcast.

        Parameters
        ----------
        event
            A storm, or a dataset with time, y and x.
        reference_time
            Time of the last frame to be seen; the last there is by default. No later
            frame is read.

        Returns
        -------
        Dataset
            The target with the dimensions (lead, y, x), in its units; NaN where it was
            missing in every frame seen.

        Raises
        ------
        CatalogError
            If there are too few unbroken frames, a variable is absent, or all is
            missing.
        GridMismatchError
            If the spacing is not the model's.
        """
        made = self._forecast(event, reference_time)
        return self._stamped(made.label(made.numbers).to_dataset())

    def ensemble(
        self,
        event: Event | xr.Dataset,
        *,
        members: int = 20,
        reference_time: object | None = None,
        seed: int | None = None,
    ) -> Ensemble:
        """
        An ensemble of possible futures: the nowcast, dressed in its past errors.

        Parameters
        ----------
        event, reference_time
            As in `predict`.
        members
            How many. Member 7 is the same however many are asked for.
        seed
            Another one gives other members; that of the nowcaster by default.
        """
        _check_members(members)
        made = self._forecast(event, reference_time)
        drawn = self._members(made, range(members), seed)
        values = np.stack([made.physical(m) for m in drawn])
        array = forecast_array(values, made.task, made.frames.grid, made.reference_time)
        return Ensemble(self._stamped(array.to_dataset()))

    def footprint(
        self,
        event: Event | xr.Dataset,
        *hazards: str | Hazard,
        members: int = 100,
        percentiles: Sequence[float] = PERCENTILES,
        reference_time: object | None = None,
        seed: int | None = None,
    ) -> Footprint:
        """
        The footprint of an ensemble, member by member: memory does not grow with them.

        Parameters
        ----------
        event, reference_time
            As in `predict`.
        hazards
            One or more, such as `"vil >= 12 kg m-2"`.
        members, seed
            As in `ensemble`.
        percentiles
            From 0 to 100.
        """
        _check_members(members)
        made = self._forecast(event, reference_time)
        found = check_hazards(hazards, made.task.target)
        gathered = Accumulator(made.label(made.numbers), found, percentiles=percentiles)
        for member in self._members(made, range(members), seed):
            gathered.add(made.physical(member))
        return Footprint(self._stamped(gathered.finish().dataset))

    def evaluate(
        self,
        catalog: Catalog,
        *,
        thresholds: Sequence[float] | None = None,
        scales: Sequence[int] = (1, 5, 17),
        members: int = 10,
        strict: bool = False,
        progress: bool = True,
    ) -> xr.Dataset:
        """
        Score hindcasts of a whole catalog, with persistence beside them.

        Parameters
        ----------
        catalog
            Events that were not learned from. Of each, every window is forecast whose
            first lead follows the last lead of the one before.
        thresholds
            Of events, in the target's units; the usual ones by default.
        scales
            Widths of the windows of the fractions skill score [pixels], odd.
        members
            Members of the ensemble whose CRPS is given; 0 for none.
        strict
            Stop at the first event that cannot be read, rather than skip it.
        progress
            Draw a progress bar.

        Returns
        -------
        Dataset
            Scores by forecast (this one and persistence), lead, threshold and scale.
            Counts are pooled over all pixels and windows before they are divided.
        """
        task = self._task_for(catalog)
        tally = Tally(task.target, thresholds=thresholds, scales=scales)
        todo = [
            (event, int(start))
            for event in catalog
            for start in starts(event, task, stride=task.leads)
        ]
        failed: dict[str, str] = {}
        for event, start in tqdm(todo, disable=not progress, desc="evaluate"):
            try:
                self._score(event, start, task, tally, members)
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
                stacklevel=2,
            )
        if not tally.cases:
            raise CatalogError(
                f"no event has {task.frames} unbroken frames of {task.target!r} that "
                "can be read; evaluate on longer events"
            )
        return self._stamped(tally.dataset())

    def save(self, path: str | Path) -> Path:
        """
        Write a checkpoint: safetensors with a JSON header, whole or not at all.

        Parameters
        ----------
        path
            Where to, such as `"storm.safetensors"`.
        """
        fitted = self._checked()
        tensors = {f"network.{k}": v for k, v in fitted.network.state_dict().items()}
        if fitted.dressing is not None:
            for key, value in fitted.dressing.to_tensors().items():
                tensors[f"dressing.{key}"] = value
        variables = dict.fromkeys((*fitted.task.inputs, fitted.task.target))
        header = {
            **self._identity(fitted.task),
            "scalings": {
                v: scaling.to_header(scaling.scaling_for(v)) for v in variables
            },
            "notes": fitted.notes,
            "log": fitted.log.to_dict("list"),
            "versions": {"stormfusion": __version__, "torch": torch.__version__},
        }
        return checkpoint.save(path, tensors, header)

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        device: str = "auto",
        network: Network | nn.Module | None = None,
    ) -> "Nowcaster":
        """
        Read a checkpoint that `save` wrote; no code in it is run.

        Parameters
        ----------
        path
            The file.
        device
            Where to forecast; any, whatever the training's.
        network
            The network, where it was one of your own.
        """
        tensors, header = checkpoint.load(path)
        if "task" not in header:
            raise CheckpointError(
                f"{str(path)!r} keeps a training that was interrupted, wanted a file of "
                "Nowcaster.save; go on with fit(checkpoint=...)"
            )
        task = Task.from_header(header["task"])
        for variable, held in header["scalings"].items():
            if scaling.scaling_for(variable) != scaling.from_header(held):
                raise CheckpointError(
                    f"{str(path)!r} scales {variable} by {held}, this version by "
                    f"{scaling.scaling_for(variable)}; install the version that wrote it"
                )
        if header["recipe"] is not None:
            made = cls(header["recipe"], device=device, seed=header["seed"])
        else:
            made = cls(
                _rebuilt(header, network, path), device=device, seed=header["seed"]
            )
        made.inputs, made.target = task.inputs, task.target
        made.history, made.leads = task.history, task.leads
        module = made._build(task)
        weights = _named(tensors, "network.")
        try:
            module.load_state_dict(weights)
        except RuntimeError as error:
            raise CheckpointError(
                f"the weights of {str(path)!r} do not fit {made.name}; pass the network "
                "they were trained with"
            ) from error
        dressing = _named(tensors, "dressing.")
        made._fitted = _Fitted(
            task,
            _placed(module, made.device),
            Dressing.from_tensors(dressing) if dressing else None,
            pd.DataFrame(header["log"]),
            header["notes"],
        )
        return made

    def _checked(self) -> _Fitted:
        if self._fitted is None:
            raise NotFittedError(
                f"nowcaster {self.name!r} is not fitted; call fit(catalog) first, or "
                "Nowcaster.load a fitted one"
            )
        return self._fitted

    def _build(self, task: Task) -> nn.Module:
        if isinstance(self._network, nn.Module):
            return self._network
        moving = task.autoregressive and not isinstance(self._network, Persistence)
        extra = 2 if moving else 0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            body: nn.Module = self._network.build(
                channels=task.channels + extra,
                history=task.history,
                leads=task.leads + extra,
            )
        return FromMotion(body, task.leads) if moving else body

    def _ready(self, events: Sequence[Event]) -> tuple[Task, nn.Module]:
        if self._fitted is None and isinstance(self._network, Persistence):
            task = Task.infer(
                events,
                inputs=self.inputs,
                target=self.target,
                history=self.history,
                leads=self.leads,
            )
            return task, self._build(task)
        fitted = self._checked()
        return fitted.task, fitted.network

    def _task_for(self, catalog: Catalog) -> Task:
        if not len(catalog):
            raise CatalogError("the catalog is empty, wanted events to forecast")
        task, _ = self._ready(list(catalog))
        for event in catalog:
            if task.target in event.frames:
                task.check(event)
        return task

    def _forecast(
        self, event: Event | xr.Dataset, reference_time: object | None
    ) -> _Forecast:
        if isinstance(event, xr.Dataset | xr.DataArray):
            event = gridded.event_of_dataset(event)
        if not isinstance(event, Event):
            raise TypeError(
                f"got a {type(event).__name__}, wanted an Event or an xarray Dataset; "
                "forecast one event of a catalog, catalog[0]"
            )
        task, network = self._ready([event])
        task.check(event)
        frames = principal(event, task)
        last = _position(event, frames.time, reference_time)
        start = last - task.history + 1
        if start < 0 or not regular(frames.time[start : last + 1], task.interval).all():
            raise CatalogError(
                f"event {event.id!r} has no {task.history} unbroken frames up to "
                f"{frames.time[last]}, the model sees as many; choose a later "
                "reference_time or longer data"
            )
        return self._run(event, start, task, network)

    def _run(
        self, event: Event, start: int, task: Task, network: nn.Module
    ) -> _Forecast:
        frames = principal(event, task)
        data = batch([take(event, task, start, target=False)], self.device)
        with torch.inference_mode():
            numbers = tiling.forecast(network, data.past)[0].float()
        known = data.past[0, :, 1] > 0
        seen = known[-1] if isinstance(self._network, Persistence) else known.any(0)
        if not bool(known.any()):
            raise CatalogError(
                f"all {task.history} frames of {task.inputs[0]!r} of event {event.id!r} "
                "are missing, there is nothing to forecast from; choose another time"
            )
        reference = pd.Timestamp(frames.time[start + task.history - 1])
        missing = ~seen.cpu().numpy()
        return _Forecast(numbers, missing, task, frames, reference)

    def _members(
        self, made: _Forecast, members: range, seed: int | None
    ) -> Iterator[Tensor]:
        fitted = self._checked()
        if fitted.dressing is None:
            raise NotFittedError(
                f"nowcaster {self.name!r} has measured no errors; fit it with validation"
            )
        base = self.seed if seed is None else seed
        when = int(made.reference_time.timestamp()) % 2**32
        mixed = int(np.random.SeedSequence((base, when)).generate_state(1)[0])
        drawn = fitted.dressing.members(made.numbers, members=members, seed=mixed)
        bytes_ = made.task.target == "vil"
        with torch.inference_mode():
            for member in tqdm(
                drawn, total=len(members), desc="members", delay=3, leave=False
            ):
                yield (255 * member).round() / 255 if bytes_ else member

    def _score(
        self, event: Event, start: int, task: Task, tally: Tally, members: int
    ) -> None:
        _, network = self._ready([event])
        made = self._run(event, start, task, network)
        window = take(event, task, start)
        assert window.target is not None
        value, known = realize(window.target, "cpu")
        value = torch.where(known, value, torch.nan)
        scale = scaling.scaling_for(task.target)
        grid, when = made.frames.grid, made.reference_time
        observed = forecast_array(
            np.asarray(scale.denormalize(value).numpy()), task, grid, when
        )
        forecasts = {self.name: made.label(made.numbers)}
        ensembles = {}
        if not isinstance(self._network, Persistence):
            last = batch([window], self.device).past[0, -1]
            kept = torch.where(last[1] > 0, last[0], torch.nan)
            numbers = kept[None].repeat(task.leads, 1, 1)
            forecasts["persistence"] = forecast_array(
                scale.denormalize(numbers).cpu().numpy(), task, grid, when
            )
        if members and self._fitted is not None:
            drawn = self._members(made, range(members), None)
            values = np.stack([made.physical(m) for m in drawn])
            ensembles[self.name] = forecast_array(values, task, grid, when)
        tally.add(forecasts, observed, ensembles=ensembles)

    def _identity(self, task: Task) -> dict[str, Any]:
        network = None
        for key, kind in NETWORKS.items():
            if type(self._network) is kind:
                network = {"name": key, "options": asdict(self._network)}
        return {
            "recipe": None if self.recipe is None else str(self.recipe),
            "network": network,
            "name": self.name,
            "seed": self.seed,
            "task": task.to_header(),
        }

    def _stamped(self, dataset: xr.Dataset) -> xr.Dataset:
        origin = {"recipe": self.name, "stormfusion": __version__}
        return dataset.assign_attrs({**origin, **dataset.attrs})


def _validation(
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
            stacklevel=3,
        )
        return catalog, None, "on the training windows"
    return earlier, later, "on the last events in time"


def _measure(
    network: nn.Module, task: Task, windows: RandomWindows, device: str
) -> Dressing:
    statistics = ErrorStatistics(task.leads, RADIUS)
    with torch.inference_mode():
        for number in range(len(windows)):
            data = batch([windows[number]], device)
            if not bool(data.valid.any()):
                continue
            forecast = network(data.past)[0].float()
            valid = data.valid[0] & (data.past[0, :, 1] > 0).any(0)
            statistics.add(forecast, data.future[0], valid)
    return statistics.finish()


def _placed(network: nn.Module, device: str) -> nn.Module:
    """The network on its device, in the memory layout it is used in, to forecast."""
    network = network.to(device).eval()
    training.channels_last(network)
    return network


def _position(event: Event, time: NDArray[Any], reference_time: object | None) -> int:
    if reference_time is None:
        return int(time.size) - 1
    wanted = np.datetime64(pd.Timestamp(reference_time).to_datetime64(), "ns")  # type: ignore[arg-type]
    at = np.flatnonzero(time == wanted)
    if at.size == 0:
        nearest = time[int(np.argmin(np.abs(time - wanted)))]
        raise CatalogError(
            f"event {event.id!r} has no frame at reference_time {wanted}, the nearest is "
            f"{nearest}; choose one of event.time"
        )
    return int(at[0])


def _fingerprint(catalog: Catalog) -> str:
    """What tells one set of events from another: their ids and times."""
    text = json.dumps([(e.id, str(e.time[0]), len(e.time)) for e in catalog])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _check_members(members: int) -> None:
    if not isinstance(members, int | np.integer) or members < 2:
        raise ValueError(f"members is {members!r}, wanted a whole number, 2 or more")


def _named(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)
    }


def _rebuilt(
    header: dict[str, Any], network: Network | nn.Module | None, path: str | Path
) -> Any:
    if network is not None:
        return network
    held = header["network"]
    if held is None:
        raise CheckpointError(
            f"{str(path)!r} holds weights of a network of your own, {header['name']!r}; "
            "pass it with network="
        )
    return NETWORKS[held["name"]](**held["options"])
