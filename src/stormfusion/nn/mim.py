"""Memory in memory: cells that remember what changes, and what stays."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from stormfusion.nn.cells import Cell, Seen, Stepped, convolution, flags
from stormfusion.nn.fused import Fused
from stormfusion.nn.gates import remembered, told, written
from stormfusion.nn.predrnn import (
    SpatioTemporal,
    SpatioTemporalCell,
    rows,
)
from stormfusion.nn.recurrent import Recurrent


@dataclass(frozen=True)
class MIM(Recurrent):
    r"""
    Memory in memory: a PredRNN whose memories have two of their own inside.

    One remembers how the output of the layer below changes from frame to frame, the
    other what stays when that is taken into account; together they replace the gate
    that forgets:

    $$\begin{aligned}
    D_t &= X_t - X_{t-1} \\
    N_t &= f_n \odot N_{t-1} + i_n \odot g_n, \qquad
    D'_t = o_n \odot \tanh(N_t) \\
    S_t &= f_s \odot S_{t-1} + i_s \odot g_s, \qquad
    T_t = o_s \odot \tanh(S_t) \\
    C_t &= T_t + i \odot g
    \end{aligned}$$

    The gates of $N$ see $D_t$ and $N_{t-1}$, and $o_n$ the new $N_t$; those of $S$ see
    $D'_t$ and $C_{t-1}$, and $o_s$ the new $S_t$, too. All else is as in `PredRNN`, and
    so is the lowest layer, with no layer below whose change it could remember.

    Of 3 layers and 64 channels the published form has 3,680,833 parameters for one
    input channel. 775,488 of them never learn: the inner memories of the lowest layer
    are computed and not used (627,776), and so are the forget gates of the others
    (147,712). Without these, which is `lean`, the forecasts and the gradients of all
    other parameters are the same.

    Parameters
    ----------
    hidden, layers, kernel, patch, checkpoint, truncate, residual
        As in `Recurrent`.
    lean
        Whether to leave out what never learns.

    References
    ----------
    Wang, Y., J. Zhang, H. Zhu, M. Long, J. Wang, and P. S. Yu, 2019: Memory in memory:
    A predictive neural network for learning higher-order non-stationarity from
    spatiotemporal dynamics. *CVPR 2019*, <https://arxiv.org/abs/1811.07490>.

    Examples
    --------
    >>> from stormfusion.nn import parameter_count
    >>> shape = {"channels": 1, "history": 10, "leads": 10}
    >>> parameter_count(MIM(lean=False).build(**shape))
    3680833
    >>> parameter_count(MIM().build(**shape))
    2905345
    """

    name: ClassVar[str] = "mim"

    lean: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        flags("MIM", lean=self.lean)

    def cell(self, layer: int) -> Cell:
        """Make the cell of a layer, 0 the lowest, with fresh weights."""
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

    def step(self, seen: Seen) -> Stepped:
        """See the next frame."""
        hidden, memory, changing, staying = seen.state or (None,) * 4
        change = seen.now if seen.before is None else seen.now - seen.before
        changing = remembered(self.change(change, changing), changing)
        change = told(self.change_out(change, changing), changing)
        staying = remembered(self.stay(change, memory), staying)
        kept = told(self.stay_out(change, memory, staying), staying)
        memory = kept + written(self.base.own(seen.now, hidden))
        return self.base.put_out(seen, memory, changing, staying)


class MIMCell(Cell):
    """One layer of a `MIM` but, if lean, the lowest."""

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
        """Fuse the weights for one roll-out."""
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

    def forward(self, ready: SpatioTemporal | MemoryInMemory, seen: Seen) -> Stepped:
        """See the next frame."""
        return ready.step(seen)
