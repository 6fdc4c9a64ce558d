"""Fitting: windows, training, and the errors that dress an ensemble."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from torch import Tensor, nn

from stormfusion import checkpoint, sampling, training
from stormfusion.data.catalog import Catalog
from stormfusion.data.task import Task
from stormfusion.data.windows import RandomWindows, window_size
from stormfusion.errors import CheckpointError
from stormfusion.losses import WeightedSum
from stormfusion.sampling import Dressing


@dataclass(frozen=True, eq=False)
class Fitted:
    """What fitting adds to a nowcaster."""

    task: Task
    network: nn.Module
    dressing: Dressing | None
    log: pd.DataFrame
    notes: dict[str, Any]


@dataclass(frozen=True)
class Settings:
    """What `Nowcaster.fit` was told."""

    epochs: int | None
    time_limit: float | None
    batch_size: int
    learning_rate: float
    resume: str | Path | None
    strict: bool
    progress: bool


def fit(
    network: nn.Module,
    loss: WeightedSum | None,
    catalog: Catalog,
    validation: Catalog | None,
    *,
    task: Task,
    settings: Settings,
    device: str,
    seed: int,
    identity: dict[str, Any],
) -> Fitted:
    """Train a network, if it has a loss, and measure its errors."""
    catalog, validation, note = training.validation_split(catalog, validation, task)
    fabric = training.make_fabric(device)
    size = window_size(list(catalog), task)
    windows = RandomWindows(
        list(catalog),
        task,
        size=size,
        count=max(128, 3 * len(catalog)),
        seed=seed,
        strict=settings.strict,
    )
    fixed = windows
    if validation is not None:
        fixed = RandomWindows(
            list(validation),
            task,
            size=window_size(list(validation), task, largest=max(size)),
            count=min(max(32, 2 * len(validation)), 256),
            seed=seed + 1,
            strict=settings.strict,
        )
    epochs = settings.epochs
    if epochs is None:
        epochs = 30 if settings.time_limit is None else 100_000
    plan = training.Plan(
        epochs=epochs,
        time_limit=settings.time_limit,
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        seed=seed,
    )
    notes = {
        "fingerprint": training.fingerprint(catalog),
        "events": len(catalog),
        "validated": note,
        "precision": str(fabric._precision.precision),
    }
    log = pd.DataFrame(columns=["epoch", "loss"])
    if loss is not None:
        store = None
        if settings.resume is not None:
            header = {**asdict(plan), **identity, **notes}
            store = TrainingFile(Path(settings.resume).expanduser(), header)
        reached = training.train(
            network,
            loss,
            windows,
            None if validation is None else fixed,
            plan,
            fabric=fabric,
            progress=settings.progress,
            store=store,
        )
        log = reached.table()
    network = placed(network, device)
    dressing = sampling.measure(network, task, fixed, device)
    return Fitted(task, network, dressing, log, notes)


@dataclass(frozen=True)
class TrainingFile:
    """A file that keeps a training; its header must agree for it to go on."""

    path: Path
    header: dict[str, Any]

    def read(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Tensors and progress, if the file is there."""
        if not self.path.exists():
            return None
        tensors, found = checkpoint.load(self.path)
        if found.get("training") != json.loads(json.dumps(self.header)):
            raise CheckpointError(
                f"{str(self.path)!r} belongs to another training, wanted one of the "
                "same recipe, task, data and settings; delete it or name another file"
            )
        return tensors, found["progress"]

    def write(self, tensors: Mapping[str, Tensor], progress: dict[str, Any]) -> None:
        """Keep them, in place of those before."""
        header = {"training": self.header, "progress": progress}
        checkpoint.save(self.path, tensors, header)


def placed(network: nn.Module, device: str) -> nn.Module:
    """The network on its device, in the memory layout it is used in, to forecast."""
    network = network.to(device).eval()
    training.channels_last(network)
    return network
