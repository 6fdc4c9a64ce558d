"""The training loop, whole and visible."""

import math
import os
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm.auto import tqdm

from stormfusion import checkpoint
from stormfusion.data.scaling import scaling_for
from stormfusion.data.windows import Batch, RandomWindows, batch
from stormfusion.errors import CatalogError, CheckpointError
from stormfusion.losses import WeightedSum, balance

CSI_THRESHOLDS = {"vil": 0.7753, "rain_rate": 1.0, "reflectivity": 23.0, "rain": 0.1}
"""Events that the progress bar counts, in the variable's units; VIL's is byte 74."""


@dataclass(frozen=True)
class Plan:
    """
    How to train.

    Parameters
    ----------
    epochs
        Passes over the training windows, at most.
    time_limit
        Seconds, at most; the learning rate comes down as the time runs out.
    batch_size
        Windows in a step. Where they do not fit in memory together, a step takes
        several smaller ones.
    learning_rate, weight_decay
        Of AdamW; the rate is the highest one, after the warm-up.
    warmup
        Share of the training in which the learning rate rises.
    clip
        Largest norm of a gradient.
    patience
        Epochs without a better validation loss before training ends.
    augment
        Turn and mirror each batch at random.
    seed
        Of the order of windows and of the augmentation.
    """

    epochs: int = 30
    time_limit: float | None = None
    batch_size: int = 8
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    warmup: float = 0.05
    clip: float = 1.0
    patience: int = 10
    augment: bool = True
    seed: int = 0


@dataclass
class Progress:
    """Where a training stands; what a resumed one needs."""

    epoch: int = 0
    step: int = 0
    elapsed: float = 0.0
    best: float = math.inf
    stale: int = 0
    micro_batch: int = 0
    weights: dict[str, float] = field(default_factory=dict)
    rows: list[dict[str, float]] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def make_fabric(device: str = "auto") -> Fabric:
    """
    A Fabric for a device, in the precision that the device computes fastest.

    Under `torchrun` every process gets its own device.
    """
    name = best_device() if device == "auto" else device
    kind, _, index = name.partition(":")
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    local = int(os.environ.get("LOCAL_WORLD_SIZE", str(processes)))
    devices: Any = [int(index)] if index and processes == 1 else local
    fabric = Fabric(
        accelerator=kind,
        devices=devices,
        num_nodes=max(processes // local, 1),
        strategy="ddp" if processes > 1 else "auto",
        precision="bf16-mixed" if computes_bfloat16(kind) else "32-true",
    )
    if processes > 1:
        fabric.launch()
    return fabric


def best_device() -> str:
    """The device to use where none is named: `cuda`, `mps` or `cpu`."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


@cache
def computes_bfloat16(kind: str) -> bool:
    """
    Whether a device convolves clearly faster in bfloat16 than in float32.

    CUDA devices that have it do. Of CPUs some are twice as fast and others four times
    as slow, and their flags do not tell, so it is tried once in a process.
    """
    if kind == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if kind != "cpu":
        return False
    layer = nn.Conv2d(32, 32, 3, padding=1).to(memory_format=torch.channels_last)
    field_ = torch.zeros((2, 32, 96, 96)).to(memory_format=torch.channels_last)
    took = {}
    for dtype in (torch.float32, torch.bfloat16):
        enabled = dtype == torch.bfloat16
        laps = []
        for _ in range(4):
            began = time.perf_counter()
            with torch.autocast("cpu", dtype=dtype, enabled=enabled):
                layer(field_).float().sum().backward()
            laps.append(time.perf_counter() - began)
        took[dtype] = min(laps[1:])
    return took[torch.bfloat16] < 0.8 * took[torch.float32]


def train(
    network: nn.Module,
    loss: WeightedSum,
    windows: RandomWindows,
    validation: RandomWindows | None,
    plan: Plan,
    *,
    fabric: Fabric,
    progress: bool = True,
    state: Path | None = None,
    header: dict[str, Any] | None = None,
) -> Progress:
    """
    Train a network in place; it ends with the weights of its best epoch.

    Parameters
    ----------
    network, loss
        What to train, and by what; a term without a weight is balanced on the first
        batch of every epoch, its weight following the measured one slowly.
    windows, validation
        What to draw from; without validation the training loss decides what is best.
    plan
        How.
    fabric
        Device and precision.
    progress
        Whether to draw a progress bar.
    state, header
        A file that holds the training after every epoch, from which an interrupted
        one resumes, and what must agree for it to do so.

    Raises
    ------
    CatalogError
        If every pixel to be forecast is missing.
    CheckpointError
        If `state` belongs to another training.
    FloatingPointError
        If the loss is not finite.
    """
    channels_last(network)
    optimizer = torch.optim.AdamW(
        _groups(network, plan.weight_decay), lr=plan.learning_rate
    )
    at = Progress(micro_batch=plan.batch_size)
    best = _copy(network)
    if state is not None and state.exists():
        at, best = _resume(state, network, optimizer, header or {})
    model, optimizer = fabric.setup(network, optimizer)
    own = max(plan.batch_size // fabric.world_size, 1)
    at.micro_batch = min(at.micro_batch or own, own)
    per_epoch = max(len(windows) // (own * fabric.world_size), 1)
    total = per_epoch * plan.epochs
    began = time.monotonic() - at.elapsed
    show = progress and fabric.is_global_zero
    bar = tqdm(total=plan.epochs, initial=at.epoch, disable=not show, desc="fit")
    try:
        while at.epoch < plan.epochs and at.stale < plan.patience:
            model.train()
            lap = time.monotonic()
            losses: list[float] = []
            first = at.epoch * per_epoch * own * fabric.world_size
            generator = torch.Generator().manual_seed(plan.seed * 100_003 + at.epoch)
            for samples in _load(windows, first, per_epoch, own, fabric):
                done = max(at.step / total, _share(plan, began))
                for group in optimizer.param_groups:
                    group["lr"] = plan.learning_rate * rate(done, plan.warmup)
                at.failed.update(f for sample in samples for f in sample.failed)
                turn = _turn(generator) if plan.augment else (False, False, False)
                if not losses:
                    _rebalance(model, loss, batch(samples[:1], fabric.device), at)
                losses.append(
                    _step(fabric, model, optimizer, loss, samples, turn, plan, at)
                )
                at.step += 1
                bar.set_postfix_str(f"loss {np.nanmean(losses):.4f}")
                if _share(plan, began) >= 1:
                    break
            row = {
                "epoch": at.epoch,
                "loss": _mean(fabric, losses),
                "learning_rate": optimizer.param_groups[0]["lr"],
                "windows": len(losses) * own * fabric.world_size,
                "micro_batch": at.micro_batch,
                **{f"weight_{name}": w for name, w in at.weights.items()},
            }
            if math.isnan(row["loss"]):
                raise CatalogError(
                    f"every pixel of {windows.task.target!r} to be forecast is missing "
                    f"in {row['windows']} windows; check the data with catalog.check()"
                )
            if validation is not None:
                row |= validate(model, loss, validation, at, fabric=fabric)
            row["seconds"] = time.monotonic() - lap
            at.rows.append(row)
            at.epoch += 1
            score = row.get("validation_loss", row["loss"])
            if score < at.best or not math.isfinite(at.best):
                at.best, at.stale, best = score, 0, _copy(network)
            else:
                at.stale += 1
            at.elapsed = time.monotonic() - began
            if state is not None and fabric.is_global_zero:
                _store(state, network, best, optimizer, header or {}, at)
            csi = f", CSI {row['csi']:.3f}" if "csi" in row else ""
            bar.set_postfix_str(f"loss {score:.4f}{csi}")
            bar.update()
            if _share(plan, began) >= 1:
                break
    finally:
        bar.close()
        # an interrupted training, too, leaves the best weights it found
        network.load_state_dict(best)
    _warn_failed(at.failed)
    return at


def validate(
    model: nn.Module,
    loss: WeightedSum,
    windows: RandomWindows,
    at: Progress,
    *,
    fabric: Fabric,
) -> dict[str, float]:
    """Loss and CSI over fixed windows, all leads together."""
    model.eval()
    variable = windows.task.target
    threshold = torch.tensor(CSI_THRESHOLDS.get(variable, 1.0))
    number = float(scaling_for(variable).normalize(threshold))
    losses, hits, either = [], 0, 0
    size = max(at.micro_batch, 1)
    steps = math.ceil(len(windows) / size)
    with torch.no_grad():
        for samples in _load(windows, 0, steps, size, fabric, shard=False):
            data = batch(samples, fabric.device)
            if not bool(data.valid.any()):
                continue
            forecast = model(data.past).float()
            parts = loss.parts(forecast, data.future, data.valid)
            losses.append(float(loss.total(parts, at.weights)))
            yes = (forecast >= number) & data.valid
            event = (data.future >= number) & data.valid
            hits += int((yes & event).sum())
            either += int((yes | event).sum())
    return {
        "validation_loss": float(np.mean(losses)) if losses else math.nan,
        "csi": hits / either if either else math.nan,
    }


def rate(done: float, warmup: float) -> float:
    """
    Share of the highest learning rate when a share of the training is done.

    It rises in a straight line over the warm-up and falls as a cosine to a hundredth.

    Examples
    --------
    >>> [round(rate(done, 0.1), 2) for done in (0.0, 0.1, 0.55, 1.0)]
    [0.01, 1.0, 0.51, 0.01]
    """
    if done < warmup:
        return max(done / warmup, 0.01)
    turn = math.pi * min((done - warmup) / (1 - warmup), 1.0)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(turn))


def _step(
    fabric: Fabric,
    model: Any,
    optimizer: Any,
    loss: WeightedSum,
    samples: list[Any],
    turn: tuple[bool, bool, bool],
    plan: Plan,
    at: Progress,
) -> float:
    """One step of the optimizer, in as many parts as memory asks for."""
    while True:
        size = at.micro_batch
        parts = [samples[i : i + size] for i in range(0, len(samples), size)]
        total, weight = 0.0, 0
        try:
            optimizer.zero_grad(set_to_none=True)
            for number, part in enumerate(parts):
                data = _turned(batch(part, fabric.device), turn)
                with fabric.no_backward_sync(model, enabled=number < len(parts) - 1):
                    forecast = model(data.past).float()
                    terms = loss.parts(forecast, data.future, data.valid)
                    value = loss.total(terms, at.weights)
                    fabric.backward(value * (len(part) / len(samples)))
                if bool(data.valid.any()):
                    total += float(value.detach()) * len(part)
                    weight += len(part)
        except (torch.OutOfMemoryError, RuntimeError) as error:
            if not _out_of_memory(error) or size == 1:
                raise
            at.micro_batch = max(size // 2, 1)
            if fabric.device.type == "cuda":
                torch.cuda.empty_cache()
            continue
        if weight and not math.isfinite(total):
            raise FloatingPointError(
                f"the loss is {total} in step {at.step}, wanted a finite one; lower "
                "learning_rate= or the weights of the loss"
            )
        fabric.clip_gradients(model, optimizer, max_norm=plan.clip)
        optimizer.step()
        return total / weight if weight else math.nan


def _out_of_memory(error: RuntimeError) -> bool:
    text = str(error).lower()
    return (
        isinstance(error, torch.OutOfMemoryError)
        or "out of memory" in text
        or "can't allocate memory" in text
        or "not enough memory" in text
    )


def _rebalance(model: nn.Module, loss: WeightedSum, data: Batch, at: Progress) -> None:
    if not loss.unbalanced or not bool(data.valid.any()):
        return
    with torch.no_grad():
        forecast = model(data.past).float()
    if bool((forecast == data.future)[data.valid].all()):
        return  # a dry window tells nothing of the gradients
    for name, weight in balance(loss, forecast, data.future, data.valid).items():
        held = at.weights.get(name)
        at.weights[name] = weight if held is None else held**0.8 * weight**0.2


def _load(
    windows: RandomWindows,
    first: int,
    steps: int,
    size: int,
    fabric: Fabric,
    *,
    shard: bool = True,
) -> Iterator[list[Any]]:
    world, rank = (fabric.world_size, fabric.global_rank) if shard else (1, 0)
    stop = first + steps * size * world if shard else len(windows)
    workers = 0 if fabric.device.type == "cpu" else min(4, (os.cpu_count() or 2) // 2)
    return iter(
        DataLoader(
            windows,
            batch_size=size,
            sampler=range(first + rank, stop, world),
            collate_fn=list,
            num_workers=workers,
        )
    )


def _share(plan: Plan, began: float) -> float:
    """Share of the time limit that has passed."""
    if plan.time_limit is None:
        return 0.0
    return (time.monotonic() - began) / max(plan.time_limit, 1e-9)


def _turn(generator: torch.Generator) -> tuple[bool, bool, bool]:
    a, b, c = (torch.rand(3, generator=generator) < 0.5).tolist()
    return a, b, c


def _turned(data: Batch, turn: tuple[bool, bool, bool]) -> Batch:
    """One of the eight symmetries of the square; of the four of an oblong."""
    flips = [axis for axis, flip in zip((-2, -1), turn[:2], strict=True) if flip]
    swap = turn[2] and data.past.shape[-1] == data.past.shape[-2]

    def apply(tensor: Tensor) -> Tensor:
        tensor = tensor.flip(flips) if flips else tensor
        return tensor.transpose(-1, -2) if swap else tensor

    return Batch(apply(data.past), apply(data.future), apply(data.valid))


def _groups(network: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Weights decay; biases and normalizations do not."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


def channels_last(network: nn.Module) -> None:
    """Lay the kernels of plane convolutions out as they compute fastest."""
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(
                memory_format=torch.channels_last
            )


def _copy(network: nn.Module) -> dict[str, Tensor]:
    return {k: v.detach().cpu().clone() for k, v in network.state_dict().items()}


def _mean(fabric: Fabric, losses: list[float]) -> float:
    mean = float(np.nanmean(losses)) if not np.isnan(losses).all() else math.nan
    if fabric.world_size == 1:
        return mean
    return float(fabric.all_reduce(torch.tensor(mean), reduce_op="mean"))


def _store(
    path: Path,
    network: nn.Module,
    best: dict[str, Tensor],
    optimizer: Any,
    header: dict[str, Any],
    at: Progress,
) -> None:
    tensors = {f"network.{k}": v for k, v in network.state_dict().items()}
    tensors |= {f"best.{k}": v for k, v in best.items()}
    tensors |= checkpoint.flatten(optimizer.state_dict(), "optimizer.")
    checkpoint.save(path, tensors, {"training": header, "progress": vars(at)})


def _resume(
    path: Path, network: nn.Module, optimizer: Any, header: dict[str, Any]
) -> tuple[Progress, dict[str, Tensor]]:
    tensors, found = checkpoint.load(path)
    if found.get("training") != _plain(header):
        raise CheckpointError(
            f"{str(path)!r} belongs to another training, wanted one of the same recipe, "
            "task, data and settings; delete it or name another file"
        )

    def named(prefix: str) -> dict[str, Tensor]:
        return {
            k.removeprefix(prefix): v
            for k, v in tensors.items()
            if k.startswith(prefix)
        }

    network.load_state_dict(named("network."))
    state = optimizer.state_dict()
    state["state"] = checkpoint.unflatten(tensors, "optimizer.")
    optimizer.load_state_dict(state)
    return Progress(**found["progress"]), named("best.")


def _plain(header: dict[str, Any]) -> Any:
    import json

    return json.loads(json.dumps(header))


def _warn_failed(failed: dict[str, str]) -> None:
    if failed:
        name, why = next(iter(failed.items()))
        noun = "event" if len(failed) == 1 else "events"
        warnings.warn(
            f"{len(failed)} {noun} could not be read and were skipped, the first is "
            f"{name!r}: {why}; catalog.check() lists all",
            UserWarning,
            stacklevel=3,
        )


def table(at: Progress) -> pd.DataFrame:
    """The training curves, a row for each epoch."""
    return pd.DataFrame(at.rows)
