"""MotionRNN: cells of MIM, whose output moves on by a flow that they remember."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stormfusion.nn.cells import Cell, Seen, Stepped, flags
from stormfusion.nn.fused import Fused
from stormfusion.nn.mim import MemoryInMemory, MIMCell, memory_in_memory
from stormfusion.nn.predrnn import SpatioTemporal, SpatioTemporalCell
from stormfusion.nn.recurrent import Recurrent
from stormfusion.nn.warping import warped

FILTERS = 9
"""Flows of each pixel: a neighbourhood of 3 x 3."""
TREND = 0.5
"""How far the trend of the flow follows the flow, each frame."""


@dataclass(frozen=True)
class MotionRNN(Recurrent):
    r"""
    MotionRNN on `MIM`: what a cell puts out moves on by a flow that it remembers.

    $$\begin{aligned}
    F'_t &= u \odot z + (1 - u) \odot F_{t-1} \\
    D_t &= D_{t-1} + \alpha (F_{t-1} - D_{t-1}) \\
    F_t &= F'_t + D_t \\
    H'_t &= g \odot H_t + (1 - g) \odot \mathrm{Dec}(
    m \odot \mathrm{Warp}(\mathrm{Enc}(H_t), F_t)) \\
    X'_t &= H'_t + (1 - o) \odot X_t
    \end{aligned}$$

    with $u$ and $z$ those of a gated recurrent unit that sees $\mathrm{Enc}(H_t)$ and
    $F_{t-1}$; $F$ nine flows of each pixel at half the resolution, $D$ their trend,
    $\alpha = 0.5$, and $m$ the share of each flow. $X'_t$ is what the next layer sees:
    what the cell saw passes by where its output gate $o$ is closed. The last layer puts
    out $H_t$.

    Of 3 layers and 64 channels the published form has 3,780,370 parameters for one
    input channel. 808,667 of them never learn: the 775,488 of `MIM`, and 33,179 that
    move the output of the last layer, which is not used. Without these, which is
    `lean`, the forecasts and the gradients of all other parameters are the same.

    In the public code the flows of the samples of a batch are mixed up, unless it is
    a batch of one, and a flow of zero does not give the field itself; here each
    sample moves by its own, and a flow of zero moves nothing. Grids of an odd size get
    one more row or column of zeros at half the resolution.

    Parameters
    ----------
    hidden, layers, kernel, patch, checkpoint, truncate, residual
        As in `Recurrent`; `hidden` is a multiple of 4.
    lean
        Whether to leave out what never learns.

    Raises
    ------
    ValueError
        If a size is not a whole number above zero, `hidden` no multiple of 4, or the
        kernel even.

    References
    ----------
    Wu, H., Z. Yao, J. Wang, and M. Long, 2021: MotionRNN: A flexible model for video
    prediction with spacetime-varying motions. *CVPR 2021*,
    <https://arxiv.org/abs/2103.02243>.

    Examples
    --------
    >>> from stormfusion.nn import parameter_count
    >>> shape = {"channels": 1, "history": 10, "leads": 10}
    >>> parameter_count(MotionRNN(lean=False).build(**shape))
    3780370
    >>> parameter_count(MotionRNN().build(**shape))
    2971703
    """

    name: ClassVar[str] = "motionrnn"

    lean: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        flags("MotionRNN", lean=self.lean)
        if self.hidden % 4:
            raise ValueError(
                f"MotionRNN needs a hidden that is a multiple of 4, as its flows work "
                f"on a quarter of it, but got {self.hidden}; take "
                f"{4 * (self.hidden // 4 + 1)}"
            )

    def cell(self, layer: int) -> Cell:
        """Make the cell of a layer, 0 the lowest, with fresh weights."""
        base = memory_in_memory(layer, self.hidden, self.kernel, lean=self.lean)
        assert isinstance(base, SpatioTemporalCell | MIMCell)
        last = layer == self.layers - 1
        motion = None if last and self.lean else Motion(self.hidden)
        return MotionCell(base, motion, last=last)


class Moving(NamedTuple):
    """Fused weights of a `MotionCell`."""

    base: SpatioTemporal | MemoryInMemory
    embed: Fused | None


class MotionCell(Cell):
    """One layer of a `MotionRNN`."""

    def __init__(
        self,
        base: SpatioTemporalCell | MIMCell,
        motion: "Motion | None",
        *,
        last: bool,
    ) -> None:
        super().__init__()
        self.base = base
        self.motion = motion
        self.last = last

    def ready(self, dtype: torch.dtype, embedding: Tensor | None) -> Moving:
        """Fuse the weights for one roll-out."""
        embed = None
        if embedding is not None:
            bias = embedding.new_zeros(len(embedding))
            embed = Fused(
                embedding[:, :, None, None], bias, (embedding.shape[1],), dtype
            )
        return Moving(self.base.ready(dtype, embedding), embed)

    def forward(self, ready: Moving, seen: Seen) -> Stepped:
        """See the next frame."""
        if self.last:
            return ready.base.step(seen)
        assert self.motion is not None
        state, flows = seen.state, None
        if state is not None:
            state, flows = state[:-2], state[-2:]
        stepped = ready.base.step(seen._replace(state=state))
        (hidden, *memories), shared, gate = stepped
        assert gate is not None
        moved, *flows = self.motion(hidden, flows)
        embedded = seen.now if ready.embed is None else ready.embed(seen.now)
        # the highway: where the cell puts out little, what it saw passes it by
        passed = torch.addcmul(moved + embedded, gate, embedded, value=-1)
        return Stepped((passed, *memories, *flows), shared)


class Motion(nn.Module):
    r"""
    The gated unit that finds a flow, and moves what a cell puts out along it.

    $$F' = u \odot z + (1 - u) \odot F, \quad D' = D + \alpha (F - D), \quad
    F_{t} = F' + D'$$

    with the flow $F$ and its trend $D$, $\alpha = 0.5$, at half the resolution. A grid
    of an odd size has one more row or column of zeros there.

    Parameters
    ----------
    hidden
        Channels of the cell.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        quarter, flow = hidden // 4, 2 * FILTERS
        self.encode = nn.Conv2d(hidden, quarter, 2, stride=2)
        self.update = nn.Conv2d(quarter + flow, flow, 1)
        self.reset = nn.Conv2d(quarter + flow, flow, 1)
        self.renew = nn.Conv2d(quarter + flow, flow, 1)
        self.mask = nn.Conv2d(quarter, FILTERS, 1)
        self.narrow = nn.Conv2d(quarter * FILTERS, quarter, 1)
        self.decode = nn.ConvTranspose2d(quarter, hidden, 4, stride=2, padding=1)
        self.gate = nn.Conv2d(2 * hidden, hidden, 1)

    def forward(
        self, hidden: Tensor, flows: Sequence[Tensor] | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """
        Move what a cell puts out.

        Parameters
        ----------
        hidden
            What it puts out.
        flows
            The flow and its trend; none at the start, where both are zero.

        Returns
        -------
        tuple of Tensor
            What it puts out then, the flow and its trend.
        """
        height, width = hidden.shape[-2:]
        exact = hidden.to(self.encode.weight.dtype)
        seen = self.encode(F.pad(exact, (0, width % 2, 0, height % 2)))
        if flows is None:
            still = seen.new_zeros(len(seen), 2 * FILTERS, *seen.shape[2:])
            flows = still, still
        flow, trend = flows
        both = torch.cat((seen, flow), 1)
        u, r = self.update(both).sigmoid(), self.reset(both).sigmoid()
        z = self.renew(torch.cat((seen, r * flow), 1)).tanh()
        trend = torch.lerp(trend, flow, TREND)
        flow = torch.lerp(flow, z, u) + trend
        mask = self.mask(seen).sigmoid()
        carried = [
            mask[:, at : at + 1] * warped(seen, flow[:, 2 * at : 2 * at + 2])
            for at in range(FILTERS)
        ]
        # of each channel the fields that each flow brought, one after the other
        beside = torch.stack(carried, 2).flatten(1, 2)
        moved = self.decode(self.narrow(beside))[..., :height, :width]
        g = self.gate(torch.cat((moved, exact), 1)).sigmoid()
        return torch.lerp(moved, exact, g).to(hidden.dtype), flow, trend
