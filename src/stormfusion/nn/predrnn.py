"""PredRNN: cells that share a memory, which wanders up the layers and on in time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from stormfusion.nn.cells import Cell, Seen, Stepped, convolution
from stormfusion.nn.fused import Fused, Rows
from stormfusion.nn.gates import remembered, told
from stormfusion.nn.recurrent import Recurrent


@dataclass(frozen=True)
class PredRNN(Recurrent):
    r"""
    PredRNN: long short-term memories, and one more that all layers share.

    $$\begin{aligned}
    C_t &= f \odot C_{t-1} + i \odot g \\
    M &= f' \odot M' + i' \odot g' \\
    o &= \sigma(W_{xo} * X_t + W_{ho} * H_{t-1} + W_{co} * C_t + W_{mo} * M + b_o) \\
    H_t &= o \odot \tanh(W_{11} * [C_t, M])
    \end{aligned}$$

    $f$ and $i$ are $\sigma$, and $g$ is $\tanh$, of convolutions of $X_t$ and
    $H_{t-1}$; $f'$, $i'$ and $g'$ those of $X_t$ and $M'$, the shared memory as the
    layer below left it, and for the lowest layer as the highest left it one frame
    before. Of 3 layers and 64 channels it has 1,797,505 parameters for one input
    channel.

    Neither the normalization nor the bias of one in the forget gate of some public
    code is here: nothing in the paper asks for them.

    Parameters
    ----------
    hidden, layers, kernel, patch, checkpoint, truncate, residual
        As in `Recurrent`.

    References
    ----------
    Wang, Y., M. Long, J. Wang, Z. Gao, and P. S. Yu, 2017: PredRNN: Recurrent neural
    networks for predictive learning using spatiotemporal LSTMs. *NeurIPS 30*.

    Wang, Y., and Coauthors, 2023: PredRNN: A recurrent neural network for
    spatiotemporal predictive learning. *IEEE Trans. Pattern Anal. Mach. Intell.*,
    **45**, 2208-2225, <https://arxiv.org/abs/2103.09504>.

    Examples
    --------
    >>> from stormfusion.nn import parameter_count
    >>> predrnn = PredRNN().build(channels=1, history=10, leads=10)
    >>> parameter_count(predrnn)
    1797505
    """

    name: ClassVar[str] = "predrnn"

    def cell(self, layer: int) -> Cell:
        """Make the cell of a layer, 0 the lowest, with fresh weights."""
        return SpatioTemporalCell(self.hidden, self.kernel)


class SpatioTemporal(NamedTuple):
    """Fused weights of a `SpatioTemporalCell`."""

    own: Fused
    common: Fused
    out: Fused
    mixed: Fused

    def step(self, seen: Seen) -> Stepped:
        """See the next frame."""
        hidden, memory = seen.state or (None, None)
        return self.put_out(seen, remembered(self.own(seen.now, hidden), memory))

    def put_out(self, seen: Seen, *memories: Tensor) -> Stepped:
        """Put out what the first of the memories, and the shared one, let expect."""
        hidden = None if seen.state is None else seen.state[0]
        shared = remembered(self.common(seen.now, seen.shared), seen.shared)
        gate = self.out(seen.now, hidden, memories[0], shared)
        hidden = told(gate, self.mixed(memories[0], shared))
        return Stepped((hidden, *memories), shared, gate)


class SpatioTemporalCell(Cell):
    """One layer of a `PredRNN`; inside a lean `MIM`, without a gate that forgets."""

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
        """Fuse the weights for one roll-out."""
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

    def forward(self, ready: SpatioTemporal, seen: Seen) -> Stepped:
        """See the next frame."""
        return ready.step(seen)


def rows(
    layers: Sequence[nn.Conv2d], first: int, last: int, *, tanh: int = 0
) -> list[Rows]:
    """The same outputs of some layers, the last `tanh` of them for a tangent."""
    count = last - first
    return [Rows(layer, first, last, (count - tanh, count)) for layer in layers]
