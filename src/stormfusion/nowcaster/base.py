"""What estimators share: what they are made of, their name, their files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import pandas as pd
import xarray as xr
from torch import nn

from stormfusion import __version__
from stormfusion.calibration import Calibration
from stormfusion.classical import Untrained
from stormfusion.data.event import Event
from stormfusion.data.task import Task
from stormfusion.device import checked_device
from stormfusion.errors import NotFittedError
from stormfusion.losses import Loss, WeightedSum
from stormfusion.nn import Network
from stormfusion.nowcaster import building, files
from stormfusion.nowcaster.fitting import Fitted
from stormfusion.recipe import Recipe


class Estimator:
    """
    A recipe and its task, fitted or not: its name, its log, its file.

    Parameters
    ----------
    recipe, loss, inputs, target, history, leads, device, seed
        As in `Nowcaster`.
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
        self.history = building.whole("history", history, least=1)
        self.inputs = building.checked_inputs(inputs, target, self.history)
        self.target = target
        self.leads = building.whole("leads", leads, least=1)
        self.device = checked_device(device)
        self.seed = building.whole("seed", seed, least=0, most=building.LARGEST_SEED)
        building.check_untrained(self._network, self.history, self.inputs, target)
        self._fitted: Fitted | None = None
        self._called: str | None = None
        self.calibration: Calibration | None = None

    @property
    def name(self) -> str:
        """The recipe, or what stands for it where objects were given."""
        if self.recipe is not None:
            return str(self.recipe)
        if isinstance(self._network, Untrained):
            return self._network.name
        if self._loss is None and self._called is not None:
            return self._called
        loss = "loss" if self._loss is None else self._loss
        return f"{type(self._network).__name__.lower()}+{loss}"

    @property
    def log(self) -> pd.DataFrame:
        """
        The training curves, a row for each epoch.

        Of every balanced term there is the effective weight, such as
        `weight_perceptual`; NaN where nothing could be measured, as on dry maps. A
        weight that was written stands in the name instead.
        """
        return self._checked().log.copy()

    @property
    def task(self) -> Task:
        """What the fitted model maps."""
        return self._checked().task

    @property
    def network(self) -> nn.Module:
        """The fitted torch module."""
        return self._checked().network

    def save(self, path: str | Path) -> Path:
        """
        Write a checkpoint: safetensors with a JSON header, whole or not at all.

        Parameters
        ----------
        path
            Where to, such as `"storm.safetensors"`.
        """
        return files.write(
            path, self._checked(), self._identity(self.task), self.calibration
        )

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        device: str = "auto",
        network: Network | nn.Module | None = None,
        loss: Loss | WeightedSum | None = None,
    ) -> Self:
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
        made._called = saved.header["name"]
        known = building.patched(made._network, saved.header.get("patch"))
        network = building.build(known, saved.task, made.seed)
        made._fitted = saved.restore(network, made.device)
        made.calibration = saved.calibration()
        return made

    def _checked(self) -> Fitted:
        if self._fitted is None and isinstance(self._network, Untrained):
            raise NotFittedError(
                f"nowcaster {self.name!r} is not fitted; call fit(catalog) to measure "
                "its errors, for an ensemble of them or a file; to forecast it needs "
                "none, and is made anew by its name"
            )
        if self._fitted is None:
            raise NotFittedError(
                f"nowcaster {self.name!r} is not fitted; call fit(catalog) first, or "
                "Nowcaster.load a fitted one"
            )
        return self._fitted

    def _infer(self, events: Sequence[Event]) -> Task:
        frames = {"history": self.history, "leads": self.leads}
        return Task.infer(events, inputs=self.inputs, target=self.target, **frames)

    def _identity(self, task: Task) -> dict[str, Any]:
        terms = () if self._loss is None else self._loss.terms
        digests = {t.loss.name: t.loss.digest for t in terms if t.loss.digest}
        known = {"name": self.name, "seed": self.seed, "task": task.to_header()}
        known |= {"digests": digests}
        return known | building.described(self.recipe, self._network, self._loss)

    def _stamped(self, dataset: xr.Dataset) -> xr.Dataset:
        origin = {"recipe": self.name, "stormfusion": __version__}
        if self._fitted is not None:
            origin["validated"] = self._fitted.notes["validated"]
            origin["training_data"] = self._fitted.notes["fingerprint"]
        return dataset.assign_attrs(origin | dataset.attrs)
