"""The convolutional LSTM."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from stormfusion.nn.gates import Fused, Rows, lstm
from stormfusion.nn.recurrent import Cell, Recurrent, convolution


@dataclass(frozen=True)
class ConvLSTM(Recurrent):
    name: ClassVar[str] = "convlstm"

    def cell(self, layer: int) -> Cell:
        return ConvLSTMCell(self.hidden, self.kernel)


class ConvLSTMCell(Cell):
    def __init__(self, hidden: int, kernel: int) -> None:
        super().__init__()
        self.of_input = convolution(hidden, 4 * hidden, kernel)
        self.of_hidden = convolution(hidden, 4 * hidden, kernel)

    def ready(self, dtype: torch.dtype, embedding: Tensor | None) -> Fused:
        width = self.of_hidden.in_channels
        layers = (self.of_input, self.of_hidden)
        twice = (2 * width, 3 * width)  # the gate that is squashed by a tangent
        parts = [Rows(layer, 0, 4 * width, twice) for layer in layers]
        return Fused.of(*parts, dtype=dtype, embedding=embedding)

    def forward(self, ready, seen, below, state, shared):
        hidden, memory = state or (None, None)
        hidden, memory = lstm(ready(seen, hidden), memory)
        return (hidden, memory), None
