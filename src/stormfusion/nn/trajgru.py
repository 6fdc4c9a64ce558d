"""TrajGRU: cells that carry what they remember along flows that they find."""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from stormfusion.nn.blocks import positive_integers
from stormfusion.nn.cells import Cell, Seen, Stepped, convolution, odd
from stormfusion.nn.fused import Fused
from stormfusion.nn.gates import exact
from stormfusion.nn.predrnn import rows
from stormfusion.nn.recurrent import Recurrent
from stormfusion.nn.warping import warped

LEAK = 0.2
"""Slope of the rectifiers below zero."""


@dataclass(frozen=True)
class TrajGRU(Recurrent):
    r"""
    TrajGRU: what is remembered is carried along flows that the network finds.

    $$\begin{aligned}
    U_1, V_1, \ldots, U_L, V_L &= \gamma(X_t, H_{t-1}) \\
    \tilde H &= \textstyle\sum_l W_l * \mathrm{Warp}(H_{t-1}, -U_l, -V_l) + b \\
    z, r &= \sigma(W_x * X_t + b_x + \tilde H) \\
    n &= \rho(W_x * X_t + b_x + r \odot \tilde H) \\
    H_t &= (1 - z) \odot n + z \odot H_{t-1}
    \end{aligned}$$

    with rows of $W$ and $b$ of their own for each gate, a leaky rectifier $\rho$ of
    slope 0.2, and $\gamma$ two layers of convolutions with that rectifier between them.
    The $W_l$ are 1 x 1. Of 3 layers, 64 channels and 10 flows it has 1,057,213
    parameters for one input channel. That is the network of the second paper as far as
    its count and its memory tell; it does not say how its flows are found.

    In some public code a flow of zero does not give the field itself but blurs it; here
    it moves nothing. What comes from beyond the edge is zero.

    Parameters
    ----------
    hidden, layers, kernel, patch, checkpoint, truncate, residual
        As in `Recurrent`.
    links
        Flows of each pixel, $L$.
    flow_hidden, flow_kernel
        Channels and width [pixels, odd] of the convolutions that find the flows.

    Raises
    ------
    ValueError
        If a size is not a whole number above zero, or a width is even.

    References
    ----------
    Shi, X., and Coauthors, 2017: Deep learning for precipitation nowcasting: A
    benchmark and a new model. *NeurIPS 30*, <https://arxiv.org/abs/1706.03458>.

    Examples
    --------
    >>> from stormfusion.nn import parameter_count
    >>> trajgru = TrajGRU().build(channels=1, history=10, leads=10)
    >>> parameter_count(trajgru)
    1057213
    """

    name: ClassVar[str] = "trajgru"

    links: int = 10
    flow_hidden: int = 32
    flow_kernel: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        positive_integers(
            "TrajGRU",
            links=self.links,
            flow_hidden=self.flow_hidden,
            flow_kernel=self.flow_kernel,
        )
        odd("TrajGRU", flow_kernel=self.flow_kernel)

    def cell(self, layer: int) -> Cell:
        """Make the cell of a layer, 0 the lowest, with fresh weights."""
        return TrajGRUCell(self)


class Trajectories(NamedTuple):
    """Fused weights of a `TrajGRUCell`."""

    gates: Fused
    sought: Fused
    flows: Fused
    carried: Fused


class TrajGRUCell(Cell):
    """One layer of a `TrajGRU`."""

    def __init__(self, spec: TrajGRU) -> None:
        super().__init__()
        hidden, flow, kernel = spec.hidden, spec.flow_hidden, spec.flow_kernel
        self.of_input = convolution(hidden, 3 * hidden, spec.kernel)
        self.flow_of_input = convolution(hidden, flow, kernel)
        self.flow_of_hidden = convolution(hidden, flow, kernel)
        self.flow = convolution(flow, 2 * spec.links, kernel)
        self.carried = nn.Conv2d(hidden * spec.links, 3 * hidden, 1)

    def ready(self, dtype: torch.dtype, embedding: Tensor | None) -> Trajectories:
        """Fuse the weights for one roll-out."""

        def fused(*layers: nn.Conv2d, embedding: Tensor | None = None) -> Fused:
            parts = rows(layers, 0, layers[0].out_channels)
            return Fused.of(*parts, dtype=dtype, embedding=embedding, squashed=False)

        return Trajectories(
            fused(self.of_input, embedding=embedding),
            fused(self.flow_of_input, self.flow_of_hidden, embedding=embedding),
            fused(self.flow),
            fused(self.carried),
        )

    def forward(self, ready: Trajectories, seen: Seen) -> Stepped:
        """See the next frame."""
        of_input = ready.gates(seen.now)
        if seen.state is None:
            # zeros stay zeros wherever they are carried
            bias = ready.carried.bias.to(of_input.dtype)
            of_hidden = bias[:, None, None].expand_as(of_input)
            hidden = exact(torch.zeros_like(of_input.chunk(3, 1)[0]))
        else:
            (hidden,) = seen.state
            flows = ready.flows(F.leaky_relu(ready.sought(seen.now, hidden), LEAK))
            of_hidden = _carried(hidden, flows, ready.carried)
        return Stepped((_GRU.apply(of_input, of_hidden, hidden),))


def _carried(hidden: Tensor, flows: Tensor, layer: Fused) -> Tensor:
    """A memory carried along each of several flows, and all of that put together."""
    links, dtype = flows.shape[1] // 2, flows.dtype
    found = [
        # all flows at once, which a CPU shares among its cores
        warped(one.expand(links, -1, -1, -1), -flow.unflatten(0, (links, 2)))
        for one, flow in zip(hidden, flows, strict=True)
    ]
    # one window is most of what a CPU is given, and so large that a copy tells
    all_found = found[0][None] if len(found) == 1 else torch.stack(found)
    made = F.conv2d(
        all_found.flatten(1, 2).to(dtype), layer.weight.to(dtype), layer.bias.to(dtype)
    )
    return made.contiguous(memory_format=torch.channels_last)


class _GRU(torch.autograd.Function):
    """The update of a gated recurrent unit, of what it remembers in full precision."""

    @staticmethod
    def forward(
        ctx: Any, of_input: Tensor, of_hidden: Tensor, hidden: Tensor
    ) -> Tensor:
        width = hidden.shape[1]
        gates = (of_input[:, : 2 * width] + of_hidden[:, : 2 * width]).sigmoid_()
        z, r = gates.chunk(2, 1)
        carried = of_hidden[:, 2 * width :].clone()
        new = F.leaky_relu(torch.addcmul(of_input[:, 2 * width :], r, carried), LEAK)
        ctx.save_for_backward(gates, carried, new, hidden)
        return torch.lerp(exact(new), hidden, exact(z))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_made: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        gates, carried, new, hidden = ctx.saved_tensors
        z, r = exact(gates).chunk(2, 1)
        by_new = torch.ops.aten.leaky_relu_backward(
            by_made * (1 - z), exact(new), LEAK, True
        )
        by_gates = torch.cat((by_made * (hidden - new), by_new * carried), 1)
        by_gates = torch.ops.aten.sigmoid_backward(by_gates, exact(gates))
        by_input = torch.cat((by_gates, by_new), 1).to(gates.dtype)
        by_hidden = torch.cat((by_gates, by_new * r), 1).to(gates.dtype)
        return by_input, by_hidden, by_made * z
