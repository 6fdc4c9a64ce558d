"""The nowcaster: fit, predict, ensemble, footprint, evaluate, save, load."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import pandas as pd
import xarray as xr
from torch import nn

from stormfusion import __version__
from stormfusion.classical import Persistence
from stormfusion.data.catalog import Catalog
from stormfusion.data.event import Event
from stormfusion.data.task import Task
from stormfusion.ensemble import Ensemble
from stormfusion.errors import NotFittedError
from stormfusion.footprint import PERCENTILES, Accumulator, Footprint, check_hazards
from stormfusion.hazards import Hazard
from stormfusion.losses import Loss, WeightedSum
from stormfusion.nn import Network, parameter_count
from stormfusion.nowcaster import building, files, fitting
from stormfusion.nowcaster.fitting import Fitted
from stormfusion.nowcaster.hindcast import Hindcaster
from stormfusion.recipe import Recipe
from stormfusion.training.device import checked_device


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
        `"auto"` for the best there is, or `"cpu"`, `"cuda"`, `"mps"`.
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
        self.recipe, self._network, self._loss = building.understood(recipe, loss)
        self.inputs = building.checked_inputs(inputs, target)
        self.target = target
        self.history = building.whole("history", history, least=1)
        self.leads = building.whole("leads", leads, least=1)
        self.device = checked_device(device)
        self.seed = building.whole("seed", seed, least=0)
        self._fitted: Fitted | None = None

    @property
    def name(self) -> str:
        """The recipe, or what stands for it where objects were given."""
        if self.recipe is not None:
            return str(self.recipe)
        loss = "loss" if self._loss is None else self._loss
        return f"{type(self._network).__name__.lower()}+{loss}"

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
        resume: str | Path | None = None,
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
        resume
            A file that keeps the training after every epoch. If it is there, training
            goes on from it; where it is finished it is taken as it is. One of other
            data or settings, `epochs` among them, is refused.
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
        building.check_catalog(catalog, "to learn from")
        if validation is not None:
            building.check_catalog(validation, "to validate on")
        task = self._infer(list(catalog))
        self._fitted = fitting.fit(
            building.build(self._network, task, self.seed),
            building.known_loss(self._loss, self._network),
            catalog,
            validation,
            task=task,
            settings=fitting.Settings(
                epochs, time_limit, batch_size, learning_rate, resume, strict, progress
            ),
            device=self.device,
            seed=self.seed,
            identity=self._identity(task),
        )
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
            Time of the last frame that is read; by default the last there is.

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
        made = self._caster(event).forecast(event, reference_time)
        return self._stamped(made.array().to_dataset())

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
        caster = self._caster(event, dressed=True)
        made = caster.forecast(event, reference_time)
        return Ensemble(self._stamped(caster.stack(made, members, seed).to_dataset()))

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
        caster = self._caster(event, dressed=True)
        found = check_hazards(hazards, caster.task.target)
        made = caster.forecast(event, reference_time)
        gathered = Accumulator(made.array(), found, percentiles=percentiles)
        for member in caster.members(made, members, seed):
            gathered.add(member)
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
        building.check_catalog(catalog, "to forecast")
        tally = self._caster(*catalog).score(
            catalog,
            thresholds=thresholds,
            scales=scales,
            members=members,
            strict=strict,
            progress=progress,
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
        return files.write(path, self._checked(), self._identity(self.task))

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        device: str = "auto",
        network: Network | nn.Module | None = None,
        loss: Loss | WeightedSum | None = None,
    ) -> "Nowcaster":
        """
        Read a checkpoint that `save` wrote; no code in it is run.

        Parameters
        ----------
        path
            The file.
        device
            Where to forecast; any, whatever the training's.
        network, loss
            The network and the loss, where they were your own; the loss is needed only
            to fit again.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        CheckpointError
            If it is cut short, or not one of ours.
        """
        saved = files.read(path, network, loss)
        made = cls(saved.recipe, device=device, **saved.options())
        made._loss = saved.loss
        network = building.build(made._network, saved.task, made.seed)
        made._fitted = saved.restore(network, made.device)
        return made

    def _checked(self) -> Fitted:
        if self._fitted is None:
            raise NotFittedError(
                f"nowcaster {self.name!r} is not fitted; call fit(catalog) first, or "
                "Nowcaster.load a fitted one"
            )
        return self._fitted

    def _caster(self, *events: Event | xr.Dataset, dressed: bool = False) -> Hindcaster:
        still = isinstance(self._network, Persistence)
        if self._fitted is None and still and not dressed:
            task = self._infer([building.as_event(event) for event in events])
            network, dressing = building.build(self._network, task, self.seed), None
        else:
            fitted = self._checked()
            task, network, dressing = fitted.task, fitted.network, fitted.dressing
        setting = (self.name, task, network, dressing, self.device, self.seed)
        return Hindcaster(*setting, persistence=still)

    def _infer(self, events: Sequence[Event]) -> Task:
        frames = {"history": self.history, "leads": self.leads}
        return Task.infer(events, inputs=self.inputs, target=self.target, **frames)

    def _identity(self, task: Task) -> dict[str, Any]:
        known = {"name": self.name, "seed": self.seed, "task": task.to_header()}
        return known | building.described(self.recipe, self._network, self._loss)

    def _stamped(self, dataset: xr.Dataset) -> xr.Dataset:
        origin = {"recipe": self.name, "stormfusion": __version__}
        if self._fitted is not None:
            origin["validated"] = self._fitted.notes["validated"]
        return dataset.assign_attrs(origin | dataset.attrs)
