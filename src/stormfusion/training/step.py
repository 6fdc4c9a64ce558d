"""One step of the optimizer: turned, balanced, in as many parts as memory asks for."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from stormfusion.data.windows import Batch, Sample, batch
from stormfusion.losses import WeightedSum, balance
from stormfusion.training.plan import Plan, Progress
from stormfusion.types import Future, Scalar

Turn = tuple[bool, bool, bool]
"""Mirror along y, mirror along x, swap y and x."""


@dataclass(frozen=True, eq=False)
class Stepper:
    """What every step of a training needs."""

    fabric: Fabric
    model: Any
    optimizer: Any
    loss: WeightedSum
    plan: Plan

    def step(
        self, samples: list[Sample], turn: Turn, at: Progress, *, measure: bool
    ) -> float:
        """
        One step of the optimizer, with the windows in parts that fit in memory.

        Parameters
        ----------
        samples
            Windows of the step.
        turn
            How all of them are turned.
        at
            Where the training stands; the size of a part is halved in it where memory
            runs out, and the weights of the balanced terms are kept in it.
        measure
            Whether to measure those weights anew.

        Returns
        -------
        float
            The loss; NaN if nothing was observed.
        """
        whole = turned(batch(samples, self.fabric.device), turn)
        seen = int(whole.valid.sum())
        while True:
            try:
                total = self._backward(whole, max(seen, 1), at, measure=measure)
            except RuntimeError as error:  # torch.OutOfMemoryError is one
                if not _out_of_memory(error) or at.micro_batch == 1:
                    raise
                at.micro_batch //= 2
                if self.fabric.device.type == "cuda":
                    torch.cuda.empty_cache()
                continue
            if not math.isfinite(total):
                raise FloatingPointError(
                    f"the loss is {total} in step {at.step}, wanted a finite one; "
                    "lower learning_rate= or the weights of the loss"
                )
            norm = self.fabric.clip_gradients(
                self.model,
                self.optimizer,
                max_norm=self.plan.clip,
                error_if_nonfinite=False,
            )
            if norm is not None and not math.isfinite(norm):
                raise FloatingPointError(
                    f"the gradient has norm {float(norm)} in step {at.step}, wanted a "
                    "finite one; lower learning_rate= or the weights of the loss"
                )
            self.optimizer.step()
            return total if seen else math.nan

    def _backward(
        self, whole: Batch, seen: int, at: Progress, *, measure: bool
    ) -> float:
        """
        Gradients of all windows, part by part; returns the loss.

        A part weighs as many pixels as were observed in it, as in a step of one part.
        """
        total, size = 0.0, at.micro_batch
        self.optimizer.zero_grad(set_to_none=True)
        for first in range(0, len(whole.past), size):
            data = Batch(
                whole.past[first : first + size],
                whole.future[first : first + size],
                whole.valid[first : first + size],
            )
            last = first + size >= len(whole.past)
            with self.fabric.no_backward_sync(self.model, enabled=not last):
                forecast = self.model(data.past).float()
                if measure or set(self.loss.unbalanced) - set(at.weights):
                    self._balance(forecast, data, at)
                    measure = False
                value = self.loss_of(forecast, data, at.weights)
                value = value * (int(data.valid.sum()) / seen)
                self.fabric.backward(value)
            total += float(value.detach())
        return total

    def loss_of(
        self, forecast: Future, data: Batch, weights: Mapping[str, float]
    ) -> Scalar:
        """The loss with some weights of the balanced terms; 0 for one not measured."""
        known = {name: weights.get(name, 0.0) for name in self.loss.unbalanced}
        parts = self.loss.parts(forecast, data.future, data.valid)
        return self.loss.total(parts, known)

    def _balance(self, forecast: Future, data: Batch, at: Progress) -> None:
        """Let the weights of the balanced terms follow their measured values."""
        exact = (forecast.detach() == data.future) | ~data.valid
        if not self.loss.unbalanced or bool(exact.all()):
            return  # a dry map tells nothing of the gradients
        found = balance(self.loss, forecast.detach(), data.future, data.valid)
        for name, weight in found.items():
            held = at.weights.get(name)
            at.weights[name] = weight if held is None else held**0.8 * weight**0.2


def turn_at(generator: torch.Generator) -> Turn:
    """A turn at random."""
    a, b, c = (torch.rand(3, generator=generator) < 0.5).tolist()
    return a, b, c


def turned(data: Batch, turn: Turn) -> Batch:
    """One of the eight symmetries of the square; of the four of an oblong."""
    flips = [axis for axis, flip in zip((-2, -1), turn[:2], strict=True) if flip]
    swap = turn[2] and data.past.shape[-1] == data.past.shape[-2]

    def apply(tensor: Tensor) -> Tensor:
        tensor = tensor.flip(flips) if flips else tensor
        return tensor.transpose(-1, -2) if swap else tensor

    return Batch(apply(data.past), apply(data.future), apply(data.valid))


def _out_of_memory(error: RuntimeError) -> bool:
    text = str(error).lower()
    signs = ("out of memory", "can't allocate memory", "not enough memory")
    return isinstance(error, torch.OutOfMemoryError) or any(s in text for s in signs)
