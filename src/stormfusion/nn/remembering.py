"""Rolling out frame by frame, and how much of it is kept for the gradient."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import psutil
import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.checkpoint import checkpoint

SHARE = 2 / 3
"""Share of the free memory that a roll-out may keep for the gradient."""


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
    now, told = Rolled(), []

    def several(first: int, last: int, now: Rolled) -> tuple[Rolled, list[Tensor]]:
        found = []
        for at in range(first, last):
            now = step(at, now)
            if now.told is not None:
                found.append(now.told)
        return now, found

    done = 0
    if not torch.is_grad_enabled():
        checkpointed = False
    if checkpointed is None:
        # the second step is the first that has something to remember
        done = min(2, steps)
        kept = _Kept()
        for at in range(done):
            with kept.counted() if at else _as_is():
                now, found = several(at, at + 1, now)
            told += found
        device = now.states[0][0].device if now.states else torch.device("cpu")
        checkpointed = kept.bytes * (steps - done) > SHARE * _free(device)
    length = math.ceil(math.sqrt(steps)) if checkpointed else steps - done
    # the last frames, whose gradient is the first to be taken, are kept in any case
    bounds = [*range(steps, done, -length), done][::-1] if steps > done else []
    for first, last in zip(bounds, bounds[1:], strict=False):
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
    """Counts what is kept for the gradient [bytes]."""

    def __init__(self) -> None:
        self.bytes = 0
        self._known: set[int] = set()

    @contextmanager
    def counted(self) -> Iterator[None]:
        with saved_tensors_hooks(self._count, _itself):
            yield

    def _count(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self._known:
            self._known.add(storage.data_ptr())
            self.bytes += storage.nbytes()
        return tensor


def _itself(tensor: Tensor) -> Tensor:
    return tensor


@contextmanager
def _as_is() -> Iterator[None]:
    yield


def _free(device: torch.device) -> float:
    """Memory that can still be had [bytes]."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return free + held
    return float(psutil.virtual_memory().available)
