"""One step of the optimizer: turned, balanced, in as many parts as memory asks for."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from lightning_fabric import Fabric
from torch import Tensor

from stormfusion.data.task import Task
from stormfusion.data.windows import Batch, Sample, batch
from stormfusion.losses import WeightedSum, balance
from stormfusion.nn.teaching import Teacher
from stormfusion.training.plan import Plan, Progress
from stormfusion.types import Future, Scalar

GAIN = 0.25
"""Largest logarithm by which a batch is made stronger or weaker."""


FOLLOW = 0.2
"""How far a balanced weight, in its logarithm, goes toward a new measurement."""

FIRST = 8
"""Steps at the beginning of the training in each of which the weights are measured."""


class Change(NamedTuple):
    """
    How a batch is changed: mirrored along y, along x, transposed, made stronger.

    The network numbers of the target are multiplied by `gain`, those seen and those to
    be forecast: of reflectivity and rain that is another climate's storms, a light
    rain turned into a moderate one. The other variables are left as they are.
    """

    flip_y: bool = False
    flip_x: bool = False
    swap: bool = False
    gain: float = 1.0


@dataclass(frozen=True, eq=False)
class Stepper:
    """What every step of a training needs."""

    fabric: Fabric
    model: Any
    optimizer: Any
    loss: WeightedSum
    plan: Plan
    reconstructs: bool = False
    """Whether it tells the observed frames, too, which then are learned from."""

    def shown(
        self, count: int, task: Task, done: float, lots: torch.Generator
    ) -> Tensor | None:
        """Draw which frames are shown, if there is a schedule for it."""
        if self.plan.sampling is None:
            return None
        return self.plan.sampling.shown(
            done, batch=count, history=task.history, leads=task.leads, generator=lots
        )

    def step(
        self,
        samples: list[Sample],
        change: Change,
        at: Progress,
        *,
        measure: bool,
        shown: Tensor | None = None,
    ) -> float:
        """
        One step of the optimizer, with the windows in parts that fit in memory.

        Parameters
        ----------
        samples
            Windows of the step.
        change
            How all of them are turned, and made stronger.
        at
            Where the training stands; the size of a part is halved in it where memory
            runs out, and the weights of the balanced terms are kept in it.
        measure
            Whether to measure those weights anew.
        shown
            Which frames a recurrent network is shown; the observed ones by default.

        Returns
        -------
        float
            The loss; NaN if nothing was observed.
        """
        whole = changed(batch(samples, self.fabric.device), change)
        seen = int(whole.valid.sum())
        while True:
            try:
                total = self._backward(whole, at, measure=measure, shown=shown)
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
        self, whole: Batch, at: Progress, *, measure: bool, shown: Tensor | None
    ) -> float:
        """
        Gradients of all windows, part by part; returns the loss.

        A part weighs as many pixels as were observed in it, as in a step of one part.
        """
        total, size = 0.0, at.micro_batch
        learned = reconstructed(whole) if self.reconstructs else whole
        seen = max(int(learned.valid.sum()), 1)
        self.optimizer.zero_grad(set_to_none=True)
        for first in range(0, len(whole.past), size):
            part = slice(first, first + size)
            data = _part(learned, part)
            last = first + size >= len(whole.past)
            with self.fabric.no_backward_sync(self.model, enabled=not last):
                forecast = self._forecast(_part(whole, part), shown, part)
                if measure or set(self.loss.unbalanced) - set(at.weights):
                    self._balance(forecast, data, at)
                    measure = False
                value = self.loss_of(forecast, data, at.weights)
                value = value * (int(data.valid.sum()) / seen)
                self.fabric.backward(value)
            total += float(value.detach())
        return total

    def _forecast(self, data: Batch, shown: Tensor | None, part: slice) -> Future:
        """The leads; of a network that reconstructs the observed frames before them."""
        if not self.reconstructs:
            forecast: Tensor = self.model(data.past)
        elif shown is None:
            teacher = Teacher.silent(data.past, leads=data.future.shape[1])
            forecast = self.model(data.past, teacher=teacher)
        else:
            own = shown[part].to(data.past.device)
            teacher = Teacher(own, data.future, data.valid)
            forecast = self.model(data.past, teacher=teacher)
        return forecast.float()

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
        at.measured += 1
        # the mean of the first measurements, then a slow follower of the later ones
        share = max(1 / at.measured, FOLLOW)
        for name, weight in found.items():
            held = at.weights.get(name, weight)
            at.weights[name] = held ** (1 - share) * weight**share


def reconstructed(data: Batch) -> Batch:
    """
    What a network that reconstructs learns from: all frames but the first.

    Examples
    --------
    >>> past, future = torch.ones(1, 3, 2, 4, 4), torch.zeros(1, 2, 4, 4)
    >>> reconstructed(Batch(past, future, future == 0)).future.shape
    torch.Size([1, 4, 4, 4])
    """
    return Batch(
        data.past,
        torch.cat((data.past[:, 1:, 0], data.future), 1),
        torch.cat((data.past[:, 1:, 1] > 0, data.valid), 1),
    )


def _part(data: Batch, part: slice) -> Batch:
    return Batch(data.past[part], data.future[part], data.valid[part])


def change_at(generator: torch.Generator, *, stronger: bool) -> Change:
    """A change at random; `stronger` allows a gain."""
    a, b, c, d = torch.rand(4, generator=generator).tolist()
    gain = math.exp(GAIN * (2 * d - 1)) if stronger else 1.0
    return Change(a < 0.5, b < 0.5, c < 0.5, gain)


def changed(data: Batch, change: Change) -> Batch:
    """One of the eight symmetries of the square (of the four of an oblong), a gain."""
    flips = [axis for axis, flip in ((-2, change.flip_y), (-1, change.flip_x)) if flip]
    swap = change.swap and data.past.shape[-1] == data.past.shape[-2]

    def apply(tensor: Tensor) -> Tensor:
        tensor = tensor.flip(flips) if flips else tensor
        return tensor.transpose(-1, -2) if swap else tensor

    past, future = data.past, data.future
    if change.gain != 1.0:
        # the target comes first, and of each variable its values
        gain = torch.ones(past.shape[2], device=past.device)
        gain[0] = change.gain
        past, future = past * gain[:, None, None], future * change.gain
    return Batch(apply(past), apply(future), apply(data.valid))


def _out_of_memory(error: RuntimeError) -> bool:
    text = str(error).lower()
    signs = ("out of memory", "can't allocate memory", "not enough memory")
    return isinstance(error, torch.OutOfMemoryError) or any(s in text for s in signs)
