"""Fitting: windows, training, and the errors that dress an ensemble."""

import json
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from torch import Tensor, nn
from torch.backends import cudnn

from stormfusion import checkpoint, sampling
from stormfusion.data.catalog import Catalog
from stormfusion.data.task import Task
from stormfusion.data.windows import RandomWindows, window_size
from stormfusion.errors import CheckpointError
from stormfusion.losses import WeightedSum
from stormfusion.nowcaster.building import check_module
from stormfusion.sampling import Dressing
from stormfusion.training.fabric import channels_last, make_fabric
from stormfusion.training.optimizers import Makes, told
from stormfusion.training.plan import Plan
from stormfusion.training.schedules import ScheduledSampling
from stormfusion.training.split import fingerprint, validation_split
from stormfusion.writing import writable


@dataclass(frozen=True, eq=False)
class Fitted:
    """What fitting adds to a nowcaster."""

    task: Task
    network: nn.Module
    dressing: Dressing
    log: pd.DataFrame
    notes: dict[str, Any]


@dataclass(frozen=True)
class Settings:
    """What `Nowcaster.fit` was told."""

    epochs: int | None
    time_limit: float | None
    batch_size: int
    learning_rate: float
    optimizer: Makes
    sampling: ScheduledSampling | None
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
    from stormfusion.training.loop import train  # brings Lightning, in two seconds

    loss = None if loss is None else loss.bound(task.target)
    for term in () if loss is None else loss.terms:
        if task.leads < term.loss.frames:
            raise ValueError(
                f"{term.loss.name!r} compares {term.loss.frames} leads, but this task "
                f"has leads={task.leads}; forecast more, or leave the term out"
            )
        term.loss.prepare()
        if (why := term.loss.beware(task.target)) is not None:
            text = f"{term.loss.name!r} compares {task.target}, but {why}"
            warnings.warn(text, UserWarning, stacklevel=3)
    catalog, validation, note = validation_split(catalog, validation, task)
    windows, fixed = _windows(catalog, validation, task, seed, settings.strict)
    epochs = settings.epochs
    if epochs is None:
        epochs = 30 if settings.time_limit is None else 100_000
    plan = Plan(
        epochs=epochs,
        time_limit=settings.time_limit,
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        optimizer=settings.optimizer,
        sampling=settings.sampling,
        seed=seed,
    )
    notes: dict[str, Any] = {
        "fingerprint": fingerprint(catalog),
        "events": len(catalog),
        "validated": note,
    }
    log, failed = pd.DataFrame(columns=["epoch", "loss"]), {}
    if loss is not None:
        check_module(network, task, windows.size)
        notes["optimizer"] = told(plan.optimizer)
        notes["sampling"] = None if plan.sampling is None else plan.sampling.told()
        store = None
        if settings.resume is not None:
            checked = "" if validation is None else fingerprint(validation)
            header = {**asdict(plan), **identity, **notes, "validation": checked}
            store = TrainingFile(writable(settings.resume), header)
        fabric = make_fabric(device, precision=store.precision() if store else None)
        notes["precision"] = str(fabric._precision.precision)
        # of the ways to convolve on CUDA, one that gives the same numbers every time
        with cudnn.flags(enabled=True, deterministic=True, benchmark=False):
            reached = train(
                network,
                loss,
                windows,
                None if validation is None else fixed,
                plan,
                fabric=fabric,
                progress=settings.progress,
                store=store,
            )
        log, failed = reached.table(), reached.failed
    network = placed(network, device)
    sources = (fixed,) if validation is None else (fixed, windows)
    dressing, used = sampling.measure(network, task, sources, device, failed)
    notes["validated"] += _measured_on(used)
    if failed:
        name, why = next(iter(failed.items()))
        noun = "event" if len(failed) == 1 else "events"
        warnings.warn(
            f"{len(failed)} {noun} could not be read and were skipped, the first is "
            f"{name!r}: {why}; catalog.check() lists all",
            UserWarning,
            stacklevel=3,
        )
    return Fitted(task, network, dressing, log, notes)


def _measured_on(used: tuple[int, ...]) -> str:
    """What to say of the windows that the errors were measured on."""
    own, *others = used
    text = f", errors measured on {own} window{'s' * (own != 1)}"
    return f"{text} of theirs and {others[0]} of the training" if any(others) else text


def _windows(
    catalog: Catalog, validation: Catalog | None, task: Task, seed: int, strict: bool
) -> tuple[RandomWindows, RandomWindows]:
    """Windows to learn from, and fixed ones to validate and to measure errors on."""
    size = window_size(list(catalog), task)
    count = max(128, 3 * len(catalog))
    windows = RandomWindows(
        list(catalog), task, size=size, count=count, seed=seed, strict=strict
    )
    if validation is None:
        return windows, windows
    fixed = RandomWindows(
        list(validation),
        task,
        size=window_size(list(validation), task, largest=max(size)),
        count=min(max(32, 2 * len(validation)), 256),
        seed=seed + 1,
        strict=strict,
    )
    return windows, fixed


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
        held = found.get("training", {})
        wanted = json.loads(json.dumps(self.header))
        differing = [k for k in wanted if held.get(k) != wanted[k]]
        if "progress" not in found or differing:
            names = f" ({', '.join(differing)} differ)" if held else ""
            raise CheckpointError(
                f"{str(self.path)!r} is not of this training{names}, wanted one of the "
                "same recipe, task, data and settings; delete it or name another file"
            )
        return tensors, found["progress"]

    def precision(self) -> Any:
        """The precision in which the training began, if the file is there."""
        held = self.read()
        return None if held is None else held[1]["precision"]

    def write(self, tensors: Mapping[str, Tensor], progress: dict[str, Any]) -> None:
        """Keep them, in place of those before."""
        header = {"training": self.header, "progress": progress}
        checkpoint.save(self.path, tensors, header)


def placed(network: nn.Module, device: str) -> nn.Module:
    """The network on its device, in the memory layout it is used in, to forecast."""
    network = network.to(device).eval()
    channels_last(network)
    return network
