"""PredRNN: cells that share a memory, which wanders up the layers and on in time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from stormfusion.nn.gates import Fused, Rows, remembered, told
from stormfusion.nn.recurrent import Cell, Recurrent, State, convolution


@dataclass(frozen=True)
class PredRNN(Recurrent):
    name: ClassVar[str] = "predrnn"

    def cell(self, layer: int) -> Cell:
        return SpatioTemporalCell(self.hidden, self.kernel)


class Stepped(NamedTuple):
    """What a cell remembers, its output first; what all share; its output gate."""

    state: tuple[Tensor, ...]
    shared: Tensor
    gate: Tensor


class SpatioTemporal(NamedTuple):
    """Fused weights of a `SpatioTemporalCell`."""

    own: Fused
    common: Fused
    out: Fused
    mixed: Fused

    def step(
        self, seen: Tensor, below: Tensor | None, state: State, shared: Tensor | None
    ) -> Stepped:
        """See the next frame."""
        hidden, memory = state or (None, None)
        memory = remembered(self.own(seen, hidden), memory)
        return self.put_out(seen, hidden, (memory,), shared)

    def put_out(
        self,
        seen: Tensor,
        hidden: Tensor | None,
        memories: tuple[Tensor, ...],
        shared: Tensor | None,
    ) -> Stepped:
        """Put out what the first of the memories, and the shared one, let expect."""
        shared = remembered(self.common(seen, shared), shared)
        gate = self.out(seen, hidden, memories[0], shared)
        hidden = told(gate, self.mixed(memories[0], shared))
        return Stepped((hidden, *memories), shared, gate)


class SpatioTemporalCell(Cell):
    def __init__(self, hidden: int, kernel: int, *, forgets: bool = True) -> None:
        super().__init__()
        self.width = hidden
        gates = 4 if forgets else 3
        self.of_input = convolution(hidden, gates * hidden, kernel)
        self.of_hidden = convolution(hidden, gates * hidden, kernel)
        self.shared_of_input = convolution(hidden, 3 * hidden, kernel)
        self.shared_of_shared = convolution(hidden, 3 * hidden, kernel)
        self.out_of_memory = convolution(hidden, hidden, kernel)
        self.out_of_shared = convolution(hidden, hidden, kernel)
        self.mix = nn.Conv2d(2 * hidden, hidden, 1)

    def ready(
        self, dtype: torch.dtype, embedding: Tensor | None, *, first: int = 0
    ) -> SpatioTemporal:
        width, last = self.width, self.of_input.out_channels
        options: Any = {"dtype": dtype, "embedding": embedding}
        own = (self.of_input, self.of_hidden)
        shared = (self.shared_of_input, self.shared_of_shared)
        out = (self.out_of_memory, self.out_of_shared)
        assert self.mix.bias is not None
        return SpatioTemporal(
            Fused.of(*rows(own, first, last - width, tanh=width), **options),
            Fused.of(*rows(shared, 0, 3 * width, tanh=width), **options),
            Fused.of(*rows(own, last - width, last), *rows(out, 0, width), **options),
            Fused(self.mix.weight, self.mix.bias, (width, width), dtype),
        )

    def forward(
        self,
        ready: SpatioTemporal,
        seen: Tensor,
        below: Tensor | None,
        state: State,
        shared: Tensor | None,
    ) -> tuple[tuple[Tensor, ...], Tensor | None]:
        stepped = ready.step(seen, below, state, shared)
        return stepped.state, stepped.shared


def rows(
    layers: Sequence[nn.Conv2d], first: int, last: int, *, tanh: int = 0
) -> list[Rows]:
    """The same outputs of some layers, the last `tanh` of them for a tangent."""
    count = last - first
    return [Rows(layer, first, last, (count - tanh, count)) for layer in layers]
