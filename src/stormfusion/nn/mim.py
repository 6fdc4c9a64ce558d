"""Memory in memory: cells that remember what changes, and what stays."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from stormfusion.nn.gates import Fused, remembered, told, written
from stormfusion.nn.predrnn import (
    SpatioTemporal,
    SpatioTemporalCell,
    Stepped,
    rows,
)
from stormfusion.nn.recurrent import Cell, Recurrent, State, convolution


@dataclass(frozen=True)
class MIM(Recurrent):
    name: ClassVar[str] = "mim"

    lean: bool = True

    def cell(self, layer: int) -> Cell:
        return memory_in_memory(layer, self.hidden, self.kernel, lean=self.lean)


def memory_in_memory(layer: int, hidden: int, kernel: int, *, lean: bool) -> Cell:
    """
    The cell of a layer of MIM.

    The lowest has no layer below whose change it could remember. As published it
    computes what it would remember, and does not use it.
    """
    if layer == 0 and lean:
        return SpatioTemporalCell(hidden, kernel)
    return MIMCell(hidden, kernel, lean=lean, lowest=layer == 0)


class MemoryInMemory(NamedTuple):
    """Fused weights of an `MIMCell`."""

    base: SpatioTemporal
    change: Fused
    change_out: Fused
    stay: Fused
    stay_out: Fused

    def step(
        self, seen: Tensor, below: Tensor | None, state: State, shared: Tensor | None
    ) -> Stepped:
        """See the next frame."""
        hidden, memory, changing, staying = state or (None,) * 4
        change = seen if below is None else seen - below
        changing = remembered(self.change(change, changing), changing)
        change = told(self.change_out(change, changing), changing)
        staying = remembered(self.stay(change, memory), staying)
        kept = told(self.stay_out(change, memory, staying), staying)
        memory = kept + written(self.base.own(seen, hidden))
        return self.base.put_out(seen, hidden, (memory, changing, staying), shared)


class MIMCell(Cell):
    def __init__(self, hidden: int, kernel: int, *, lean: bool, lowest: bool) -> None:
        super().__init__()
        self.lowest = lowest
        self.base = SpatioTemporalCell(hidden, kernel, forgets=not lean or lowest)
        self.change_of_change = convolution(hidden, 3 * hidden, kernel)
        self.change_of_memory = convolution(hidden, 3 * hidden, kernel)
        self.change_out_of_change = convolution(hidden, hidden, kernel)
        self.change_out_of_memory = convolution(hidden, hidden, kernel)
        self.stay_of_change = convolution(hidden, 4 * hidden, kernel)
        self.stay_of_memory = convolution(hidden, 4 * hidden, kernel)
        self.stay_out_of_memory = convolution(hidden, hidden, kernel)

    def ready(
        self, dtype: torch.dtype, embedding: Tensor | None
    ) -> SpatioTemporal | MemoryInMemory:
        if self.lowest:
            return self.base.ready(dtype, embedding)
        assert embedding is None
        width = self.base.width
        # what stays comes from the memory within, not from a gate that forgets
        forgotten = self.base.of_input.out_channels - 3 * width
        change = (self.change_of_change, self.change_of_memory)
        change_out = (self.change_out_of_change, self.change_out_of_memory)
        stay = (self.stay_of_change, self.stay_of_memory)
        return MemoryInMemory(
            self.base.ready(dtype, None, first=forgotten),
            Fused.of(*rows(change, 0, 3 * width, tanh=width), dtype=dtype),
            Fused.of(*rows(change_out, 0, width), dtype=dtype),
            Fused.of(*rows(stay, 0, 3 * width, tanh=width), dtype=dtype),
            Fused.of(
                *rows(stay, 3 * width, 4 * width),
                *rows([self.stay_out_of_memory], 0, width),
                dtype=dtype,
            ),
        )

    def forward(
        self,
        ready: SpatioTemporal | MemoryInMemory,
        seen: Tensor,
        below: Tensor | None,
        state: State,
        shared: Tensor | None,
    ) -> tuple[tuple[Tensor, ...], Tensor | None]:
        stepped = ready.step(seen, below, state, shared)
        return stepped.state, stepped.shared
