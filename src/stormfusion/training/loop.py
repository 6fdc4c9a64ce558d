"""The training loop, whole and visible."""

import math
import os
import time
from collections.abc import Iterator
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm.auto import tqdm

from stormfusion.data.scaling import Linear, scaling_for
from stormfusion.data.windows import RandomWindows, Sample, batch
from stormfusion.errors import CatalogError
from stormfusion.losses import WeightedSum
from stormfusion.training.fabric import channels_last
from stormfusion.training.optimizers import built
from stormfusion.training.plan import Plan, Progress, Store, rate, time_share
from stormfusion.training.step import FIRST, Change, Stepper, change_at
from stormfusion.verification.tensors import counts

CSI_THRESHOLDS = {"vil": 0.7753, "rain_rate": 1.0, "reflectivity": 23.0, "rain": 0.1}
"""Events that the progress bar counts, in the variable's units; VIL's is byte 74."""


def train(  # noqa: PLR0912, PLR0915  # the loop is whole on purpose
    network: nn.Module,
    loss: WeightedSum,
    windows: RandomWindows,
    validation: RandomWindows | None,
    plan: Plan,
    *,
    fabric: Fabric,
    progress: bool = True,
    store: Store | None = None,
) -> Progress:
    """
    Train a network in place; it ends with the weights of its best epoch.

    Parameters
    ----------
    network, loss
        What to train, and by what; a term without a weight is balanced in the first
        steps, and again on the first batch of every epoch, its weight following the
        measured one slowly.
    windows, validation
        What to draw from; without validation the training loss decides what is best.
    plan
        How.
    fabric
        Device and precision.
    progress
        Whether to draw a progress bar.
    store
        What keeps the training after every epoch; an interrupted one goes on from it.

    Returns
    -------
    Progress
        Its curves, and the events that could not be read.

    Raises
    ------
    CatalogError
        If every pixel to be forecast is missing.
    FloatingPointError
        If the loss is not finite.
    """
    channels_last(network)
    optimizer = built(plan.optimizer, _groups(network), lr=plan.learning_rate)
    adaptive = getattr(optimizer, "adaptive_rate", False)
    at, best = Progress(), _copy(network)
    if store is not None and (held := store.read()) is not None:
        at, best = _resume(network, optimizer, *held)
    model, optimizer = fabric.setup(network, optimizer)
    reconstructs = getattr(network, "reconstructs", False)
    stepper = Stepper(fabric, model, optimizer, loss, plan, reconstructs)
    at.precision = str(fabric._precision.precision)
    own = max(plan.batch_size // fabric.world_size, 1)
    at.micro_batch = min(at.micro_batch or own, own)
    per_epoch = max(len(windows) // (own * fabric.world_size), 1)
    began = time.monotonic() - at.elapsed
    scaling = scaling_for(windows.task.target)
    stronger = windows.task.autoregressive and not isinstance(scaling, Linear)
    reserve, done = 0.0, at.step / (per_epoch * plan.epochs)
    show = progress and fabric.is_global_zero
    bar = _bar(plan, at, show=show)
    try:
        while at.epoch < plan.epochs and not (at.stale >= plan.patience and done > 0.5):
            if at.rows and _agreed(fabric, time_share(plan, began, reserve)) >= 1:
                break
            model.train()
            lap = time.monotonic()
            losses: list[float] = []
            first = at.epoch * per_epoch * own * fabric.world_size
            drawn = plan.seed * 100_003 + at.epoch
            generator = torch.Generator().manual_seed(drawn)
            # lots of their own: windows are turned alike whatever is shown of them
            lots = torch.Generator().manual_seed(drawn + 50_021)
            for samples in _load(windows, first, per_epoch, own, fabric):
                spent = _agreed(fabric, time_share(plan, began, reserve))
                if spent >= 1 and losses:
                    break
                done = max(at.step / (per_epoch * plan.epochs), spent)
                for group in () if adaptive else optimizer.param_groups:
                    group["lr"] = plan.learning_rate * rate(done, plan.warmup)
                at.failed.update(f for sample in samples for f in sample.failed)
                change = change_at(generator, stronger=stronger and plan.augment)
                change = change if plan.augment else Change()
                measure = not losses or at.step < FIRST
                shown = stepper.shown(len(samples), windows.task, done, lots)
                losses.append(
                    stepper.step(samples, change, at, measure=measure, shown=shown)
                )
                at.step += 1
                if not at.rows and validation is not None:
                    # a guess until it is measured: no gradient, a third of the work
                    each = (time.monotonic() - lap) / (len(losses) * own)
                    reserve = each / 3 * len(validation)
                _show(bar, plan, at, began, f"loss {_mean(losses):.4f}")
            row = {
                "epoch": at.epoch + 1,
                "loss": _across(fabric, _mean(losses)),
                "learning_rate": optimizer.param_groups[0]["lr"],
                "windows": len(losses) * own * fabric.world_size,
                "micro_batch": at.micro_batch,
                # not a number where there was nothing to measure it on
                **{
                    f"weight_{name}": at.weights.get(name, math.nan)
                    for name in stepper.loss.unbalanced
                },
            }
            if math.isnan(row["loss"]):
                raise CatalogError(
                    f"every pixel of {windows.task.target!r} to be forecast is missing "
                    f"in {row['windows']} windows; check the data with catalog.check()"
                )
            at.reference = at.weights | at.reference
            if validation is not None:
                pause = time.monotonic()
                row |= validate(model, stepper, validation, at)
                reserve = time.monotonic() - pause
            row["seconds"] = time.monotonic() - lap
            at.rows.append(row)
            at.epoch += 1
            score = _agreed(fabric, row.get("validation_loss", row["loss"]))
            if score < at.best:
                at.best, at.stale, best = score, 0, _copy(network)
            else:
                at.stale += 1
            at.elapsed = time.monotonic() - began
            at.rates = [float(group["lr"]) for group in optimizer.param_groups]
            if store is not None and fabric.is_global_zero:
                store.write(_tensors(network, best, optimizer), vars(at))
            csi = f", CSI {row['csi']:.3f}" if "csi" in row else ""
            _show(bar, plan, at, began, f"epoch {at.epoch}, loss {score:.4f}{csi}")
    finally:
        bar.close()
        # an interrupted training, too, leaves the best weights it found
        network.load_state_dict(best)
    return at


def validate(
    model: nn.Module, stepper: Stepper, windows: RandomWindows, at: Progress
) -> dict[str, float]:
    """Loss and CSI over fixed windows, all leads together."""
    model.eval()
    variable = windows.task.target
    threshold = torch.tensor(CSI_THRESHOLDS.get(variable, 1.0))
    number = float(scaling_for(variable).normalize(threshold))
    total, seen, hits, either = 0.0, 0, 0, 0
    size = max(at.micro_batch, 1)
    with torch.no_grad():
        for samples in _load(windows, 0, 0, size, stepper.fabric):
            at.failed.update(f for sample in samples for f in sample.failed)
            data = batch(samples, stepper.fabric.device)
            count = int(data.valid.sum())
            if not count:
                continue
            forecast = model(data.past).float()
            total += count * float(stepper.loss_of(forecast, data, at.reference))
            seen += count
            known = data.future.where(data.valid, math.nan)
            hit, miss, alarm, _ = counts(forecast, known, thresholds=[number])[0]
            hits, either = hits + int(hit), either + int(hit + miss + alarm)
    if not seen:
        raise CatalogError(
            f"every pixel of {variable!r} to be forecast in validation is missing; "
            "give other validation data"
        )
    return {
        "validation_loss": total / seen,
        "csi": hits / either if either else math.nan,
    }


def _load(
    windows: RandomWindows, first: int, steps: int, size: int, fabric: Fabric
) -> Iterator[list[Sample]]:
    """Batches of this process, of some steps; without steps, of all windows."""
    world, rank = (fabric.world_size, fabric.global_rank) if steps else (1, 0)
    stop = first + steps * size * world if steps else len(windows)
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


def _resume(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    tensors: dict[str, Tensor],
    progress: dict[str, Any],
) -> tuple[Progress, dict[str, Tensor]]:
    def named(prefix: str) -> dict[str, Tensor]:
        return {
            key.removeprefix(prefix): value
            for key, value in tensors.items()
            if key.startswith(prefix)
        }

    network.load_state_dict(named("network."))
    state = optimizer.state_dict()
    for key, value in named("optimizer.").items():
        number, slot = key.split(".", 1)
        state["state"].setdefault(int(number), {})[slot] = value
    for group, lr in zip(state["param_groups"], progress["rates"], strict=True):
        group["lr"] = lr
    optimizer.load_state_dict(state)
    return Progress(**progress), named("best.")


def _tensors(
    network: nn.Module, best: dict[str, Tensor], optimizer: Any
) -> dict[str, Tensor]:
    found = {f"network.{k}": v for k, v in network.state_dict().items()}
    found |= {f"best.{k}": v for k, v in best.items()}
    for number, slots in optimizer.state_dict()["state"].items():
        for slot, value in slots.items():
            found[f"optimizer.{number}.{slot}"] = torch.as_tensor(value)
    return found


def _bar(plan: Plan, at: Progress, *, show: bool) -> "tqdm[Any]":
    """A progress bar that counts epochs, or seconds where time decides."""
    if plan.time_limit is None:
        total, unit = plan.epochs, "epoch"
        return tqdm(
            total=total, initial=at.epoch, unit=unit, disable=not show, desc="fit"
        )
    total = math.ceil(plan.time_limit)
    form = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt} of {total_fmt} s{postfix}"
    return tqdm(total=total, disable=not show, desc="fit", bar_format=form)


def _show(bar: "tqdm[Any]", plan: Plan, at: Progress, began: float, text: str) -> None:
    """Where the training stands, on its bar."""
    bar.set_postfix_str(text, refresh=False)
    now = at.epoch if plan.time_limit is None else int(time.monotonic() - began)
    bar.update(max(min(now, bar.total or now) - bar.n, 0))


def _groups(network: nn.Module) -> list[dict[str, Any]]:
    """Weights decay as the optimizer says; biases and normalizations do not."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim > 1]},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


def _copy(network: nn.Module) -> dict[str, Tensor]:
    return {k: v.detach().cpu().clone() for k, v in network.state_dict().items()}


def _mean(losses: list[float]) -> float:
    """Mean of the steps in which something was observed."""
    known = [value for value in losses if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def _across(fabric: Fabric, value: float) -> float:
    """Mean over all processes that saw something."""
    if fabric.world_size == 1:
        return value
    known = not math.isnan(value)
    pair = torch.tensor([value if known else 0.0, float(known)])
    both = fabric.all_reduce(pair, reduce_op="sum")
    assert isinstance(both, Tensor)
    total, count = both.tolist()
    return total / count if count else math.nan


def _agreed(fabric: Fabric, value: float) -> float:
    """The largest value of all processes, so that they decide alike."""
    if fabric.world_size == 1:
        return value
    most = fabric.all_reduce(torch.tensor(value), reduce_op="max")
    assert isinstance(most, Tensor)
    return float(most)
