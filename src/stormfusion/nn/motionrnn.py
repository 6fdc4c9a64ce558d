"""MotionRNN: cells of MIM, whose output moves on by a flow that they remember."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stormfusion.nn.gates import Fused
from stormfusion.nn.mim import MemoryInMemory, MIMCell, memory_in_memory
from stormfusion.nn.predrnn import SpatioTemporal, SpatioTemporalCell
from stormfusion.nn.recurrent import Cell, Recurrent, State
from stormfusion.nn.warping import warped

FILTERS = 9
"""Flows of each pixel: a neighbourhood of 3 x 3."""
TREND = 0.5
"""How far the trend of the flow follows the flow, each frame."""


@dataclass(frozen=True)
class MotionRNN(Recurrent):
    name: ClassVar[str] = "motionrnn"

    lean: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.hidden % 4:
            raise ValueError(
                f"MotionRNN needs a hidden that is a multiple of 4, as its flows work "
                f"on a quarter of it, but got {self.hidden}; take "
                f"{4 * (self.hidden // 4 + 1)}"
            )

    def cell(self, layer: int) -> Cell:
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
        embed = None
        if embedding is not None:
            bias = embedding.new_zeros(len(embedding))
            embed = Fused(
                embedding[:, :, None, None], bias, (embedding.shape[1],), dtype
            )
        return Moving(self.base.ready(dtype, embedding), embed)

    def forward(
        self,
        ready: Moving,
        seen: Tensor,
        below: Tensor | None,
        state: State,
        shared: Tensor | None,
    ) -> tuple[tuple[Tensor, ...], Tensor | None]:
        if self.last:
            stepped = ready.base.step(seen, below, state, shared)
            return stepped.state, stepped.shared
        assert self.motion is not None
        own, flows = (None, None) if state is None else (state[:-2], state[-2:])
        stepped = ready.base.step(seen, below, own, shared)
        hidden, *memories = stepped.state
        moved, *flows = self.motion(hidden, flows)
        embedded = seen if ready.embed is None else ready.embed(seen)
        # the highway: where the cell puts out little, what it saw passes it by
        passed = torch.addcmul(moved + embedded, stepped.gate, embedded, value=-1)
        return (passed, *memories, *flows), stepped.shared


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
