"""Rolling out frame by frame, and how much of it is kept for the gradient."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import psutil
import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.checkpoint import checkpoint

SHARE = 2 / 3
"""Share of the free memory that a roll-out may keep for the gradient."""
MEASURED = 3
"""Frames after which it is known what each keeps: the first remembers nothing yet."""


@dataclass(frozen=True, eq=False)
class Rolled:
    """
    Where a roll-out stands.

    Parameters
    ----------
    states
        What each cell remembers.
    shared
        What all cells remember together.
    told
        What was told of the next frame.
    """

    states: tuple[tuple[Tensor, ...], ...] | None = None
    shared: Tensor | None = None
    told: Tensor | None = None

    @property
    def device(self) -> torch.device:
        """Where it is computed."""
        return torch.device("cpu") if self.states is None else self.states[0][0].device

    def telling(self, told: Tensor) -> "Rolled":
        """The same, with what is told of the next frame."""
        return replace(self, told=told)

    def detached(self) -> "Rolled":
        """The same, through which no gradient flows."""
        states = self.states and tuple(
            tuple(t.detach() for t in state) for state in self.states
        )
        rest = (None if t is None else t.detach() for t in (self.shared, self.told))
        return Rolled(states, *rest)


Step = Callable[[int, Rolled], Rolled]


def rolled(step: Step, steps: int, checkpointed: bool | None) -> list[Tensor]:
    """
    Roll out.

    Parameters
    ----------
    step
        What leads from one frame to the next.
    steps
        How many.
    checkpointed
        Whether to keep only what is remembered every few frames, and to compute what
        lies between again for the gradient; none to decide by the free memory.

    Returns
    -------
    list of Tensor
        What was told, from the first time that something was.
    """

    def several(first: int, last: int, now: Rolled) -> tuple[Rolled, list[Tensor]]:
        found = []
        for at in range(first, last):
            now = step(at, now)
            if now.told is not None:
                found.append(now.told)
        return now, found

    now, done = Rolled(), 0
    told: list[Tensor] = []
    if not torch.is_grad_enabled() or (checkpointed is None and steps <= MEASURED):
        checkpointed = False
    if checkpointed is None:
        # each frame after these keeps as much as the last of them does
        frame, done = _Kept(), MEASURED
        now, told = several(0, done - 2, now)
        for at in (done - 2, done - 1):
            frame.bytes = 0
            with saved_tensors_hooks(frame.count, _itself):
                now, found = several(at, at + 1, now)
            told += found
        checkpointed = frame.bytes * (steps - done) > SHARE * _free(now.device)
        if checkpointed:
            now, told, done = Rolled(), [], 0  # what these kept is let go, too
    # l frames are held whole, and what is remembered, up to half of one, n / l times
    length = math.ceil(math.sqrt(steps / 2)) if checkpointed else steps - done
    # the last frames, whose gradient is the first to be taken, are kept in any case
    bounds = [*range(steps, done, -length), done][::-1] if steps > done else []
    for first, last in pairwise(bounds):
        if last < steps:
            now, found = checkpoint(
                several,
                first,
                last,
                now,
                use_reentrant=False,
                preserve_rng_state=False,
            )
        else:
            now, found = several(first, last, now)
        told += found
    return told


class _Kept:
    """Counts what is kept for the gradient that was not before [bytes]."""

    def __init__(self) -> None:
        self.bytes = 0
        self._known: set[int] = set()

    def count(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self._known:
            self._known.add(storage.data_ptr())
            self.bytes += storage.nbytes()
        # not the tensor itself: an output that its own function keeps never goes
        return tensor.detach()


def _itself(tensor: Tensor) -> Tensor:
    return tensor


def _free(device: torch.device) -> float:
    """Memory that can still be had [bytes]."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return free + held
    return float(psutil.virtual_memory().available)
