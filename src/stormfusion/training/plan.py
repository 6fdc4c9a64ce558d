"""How to train, where a training stands, and what keeps it."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pandas as pd
from torch import Tensor

from stormfusion.training.optimizers import AdamW, Makes, check_optimizer
from stormfusion.training.schedules import ScheduledSampling


@dataclass(frozen=True)
class Plan:
    """
    How to train.

    Parameters
    ----------
    epochs
        Passes over the training windows, at most.
    time_limit
        Seconds, at most, with validation, but one step at least; the learning rate
        comes down as the time runs out, unless the optimizer adapts it.
    batch_size
        Windows in a step. Where they do not fit in memory together, a step takes
        several smaller ones.
    learning_rate
        The highest one, after the warm-up; the first one where the optimizer adapts it.
    optimizer
        What makes the steps: a description, a class of torch, or a callable like it.
    warmup
        Share of the training in which the learning rate rises.
    clip
        Largest norm of a gradient.
    patience
        Epochs without a better validation loss before training ends, once its second
        half has begun: before, the learning rate is still too high to tell.
    augment
        Turn and mirror each batch at random, and make its rain stronger or weaker.
    sampling
        Which frames a recurrent network is shown; none for the observed ones alone.
    seed
        Of the order of windows, of the augmentation and of the frames that are shown.

    Raises
    ------
    ValueError
        If a number is out of range.
    TypeError
        If nothing makes an optimizer.
    """

    epochs: int = 30
    time_limit: float | None = None
    batch_size: int = 8
    learning_rate: float = 1e-3
    optimizer: Makes = AdamW()  # noqa: RUF009  # frozen
    warmup: float = 0.05
    clip: float = 1.0
    patience: int = 10
    augment: bool = True
    sampling: ScheduledSampling | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "patience"):
            value = getattr(self, name)
            whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
            if not whole or value < 1:
                raise ValueError(
                    f"{name} is {value!r}, wanted a whole number, 1 or more"
                )
        for name in ("time_limit", "learning_rate", "clip"):
            value = getattr(self, name)
            number = isinstance(value, int | float | np.number)
            if value is not None and not (number and 0 < value < math.inf):
                raise ValueError(f"{name} is {value!r}, wanted a number above zero")
        check_optimizer(self.optimizer)


@dataclass
class Progress:
    """
    Where a training stands; what a resumed one needs.

    `weights` are those of the balanced terms, `measured` how often they were measured,
    and `reference` the first of them: by those the validation losses of all epochs
    compare. `rates` are the learning rates of the optimizer's groups.
    """

    epoch: int = 0
    step: int = 0
    elapsed: float = 0.0
    best: float = math.inf
    stale: int = 0
    micro_batch: int = 0
    precision: str = ""
    measured: int = 0
    weights: dict[str, float] = field(default_factory=dict)
    reference: dict[str, float] = field(default_factory=dict)
    rates: list[float] = field(default_factory=list)
    rows: list[dict[str, float]] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    def table(self) -> pd.DataFrame:
        """The training curves, a row for each epoch."""
        return pd.DataFrame(self.rows)


class Store(Protocol):
    """What keeps a training after every epoch, so that it can go on from there."""

    def read(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Tensors and progress of a training that was interrupted, if there is one."""
        ...

    def write(self, tensors: Mapping[str, Tensor], progress: dict[str, Any]) -> None:
        """Keep them, in place of those before."""
        ...


def time_share(plan: Plan, began: float, reserve: float = 0.0) -> float:
    """Share of the time limit that has passed, with some seconds kept in reserve."""
    if plan.time_limit is None:
        return 0.0
    return (time.monotonic() - began + reserve) / max(plan.time_limit, 1e-9)


def rate(done: float, warmup: float) -> float:
    """
    Share of the highest learning rate when a share of the training is done.

    It rises in a straight line over the warm-up and falls as a cosine to a hundredth.

    Examples
    --------
    >>> [round(rate(done, 0.1), 2) for done in (0.0, 0.1, 0.55, 1.0)]
    [0.01, 1.0, 0.5, 0.01]
    """
    if done < warmup:
        return max(done / warmup, 0.01)
    turn = math.pi * min((done - warmup) / (1 - warmup), 1.0)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(turn))
