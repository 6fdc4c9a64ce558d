"""The convolutional LSTM."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from stormfusion.nn.cells import Cell, Seen, Stepped, convolution
from stormfusion.nn.fused import Fused, Rows
from stormfusion.nn.gates import lstm
from stormfusion.nn.recurrent import Recurrent


@dataclass(frozen=True)
class ConvLSTM(Recurrent):
    r"""
    The convolutional long short-term memory.

    $$\begin{aligned}
    f, i, o &= \sigma(W_x * X_t + W_h * H_{t-1} + b) \\
    g &= \tanh(W_x * X_t + W_h * H_{t-1} + b) \\
    C_t &= f \odot C_{t-1} + i \odot g \\
    H_t &= o \odot \tanh(C_t)
    \end{aligned}$$

    with rows of $W$ and $b$ of their own for each gate. $X_t$ is the output of the
    layer below. It has no peepholes, which the first paper had. Of 3 layers and 64
    channels it has 886,465 parameters for one input channel.

    Parameters
    ----------
    hidden, layers, kernel, patch, checkpoint, truncate, residual
        As in `Recurrent`.

    References
    ----------
    Shi, X., Z. Chen, H. Wang, D.-Y. Yeung, W.-K. Wong, and W.-C. Woo, 2015:
    Convolutional LSTM network: A machine learning approach for precipitation
    nowcasting. *NeurIPS 28*, <https://arxiv.org/abs/1506.04214>.

    Examples
    --------
    >>> from stormfusion.nn import parameter_count
    >>> convlstm = ConvLSTM().build(channels=1, history=10, leads=10)
    >>> parameter_count(convlstm)
    886465
    """

    name: ClassVar[str] = "convlstm"

    def cell(self, layer: int) -> Cell:
        """Make the cell of a layer, 0 the lowest, with fresh weights."""
        return ConvLSTMCell(self.hidden, self.kernel)


class ConvLSTMCell(Cell):
    """One layer of a `ConvLSTM`."""

    def __init__(self, hidden: int, kernel: int) -> None:
        super().__init__()
        self.of_input = convolution(hidden, 4 * hidden, kernel)
        self.of_hidden = convolution(hidden, 4 * hidden, kernel)

    def ready(self, dtype: torch.dtype, embedding: Tensor | None) -> Fused:
        """Fuse the weights for one roll-out."""
        width = self.of_hidden.in_channels
        layers = (self.of_input, self.of_hidden)
        twice = (2 * width, 3 * width)  # the gate that is squashed by a tangent
        parts = [Rows(layer, 0, 4 * width, twice) for layer in layers]
        return Fused.of(*parts, dtype=dtype, embedding=embedding)

    def forward(self, ready: Fused, seen: Seen) -> Stepped:
        """See the next frame."""
        hidden, memory = seen.state or (None, None)
        return Stepped(lstm(ready(seen.now, hidden), memory))
