"""TrajGRU: cells that carry what they remember along flows that they find."""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from stormfusion.nn.blocks import positive_integers
from stormfusion.nn.gates import Fused
from stormfusion.nn.predrnn import rows
from stormfusion.nn.recurrent import Cell, Recurrent, State, convolution
from stormfusion.nn.warping import warped

LEAK = 0.2
"""Slope of the rectifiers below zero."""


@dataclass(frozen=True)
class TrajGRU(Recurrent):
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

    def cell(self, layer: int) -> Cell:
        return TrajGRUCell(self)


class Trajectories(NamedTuple):
    """Fused weights of a `TrajGRUCell`."""

    gates: Fused
    sought: Fused
    flows: Fused
    carried: Fused


class TrajGRUCell(Cell):
    def __init__(self, spec: TrajGRU) -> None:
        super().__init__()
        hidden, flow, kernel = spec.hidden, spec.flow_hidden, spec.flow_kernel
        self.of_input = convolution(hidden, 3 * hidden, spec.kernel)
        self.flow_of_input = convolution(hidden, flow, kernel)
        self.flow_of_hidden = convolution(hidden, flow, kernel)
        self.flow = convolution(flow, 2 * spec.links, kernel)
        self.carried = nn.Conv2d(hidden * spec.links, 3 * hidden, 1)

    def ready(self, dtype: torch.dtype, embedding: Tensor | None) -> Trajectories:
        def fused(*layers: nn.Conv2d, embedding: Tensor | None = None) -> Fused:
            parts = rows(layers, 0, layers[0].out_channels)
            return Fused.of(*parts, dtype=dtype, embedding=embedding, squashed=False)

        return Trajectories(
            fused(self.of_input, embedding=embedding),
            fused(self.flow_of_input, self.flow_of_hidden, embedding=embedding),
            fused(self.flow),
            fused(self.carried),
        )

    def forward(
        self,
        ready: Trajectories,
        seen: Tensor,
        below: Tensor | None,
        state: State,
        shared: Tensor | None,
    ) -> tuple[tuple[Tensor, ...], Tensor | None]:
        of_input = ready.gates(seen)
        if state is None:
            # zeros stay zeros wherever they are carried
            bias = ready.carried.bias.to(of_input.dtype)
            of_hidden = bias[:, None, None].expand_as(of_input)
            hidden = torch.zeros_like(of_input.chunk(3, 1)[0])
        else:
            (hidden,) = state
            flows = ready.flows(F.leaky_relu(ready.sought(seen, hidden), LEAK))
            project = ready.carried
            of_hidden = _Carried.apply(
                hidden, flows, project.weight, project.bias, project.dtype
            )
        return (_GRU.apply(of_input, of_hidden, hidden),), None


class _Carried(torch.autograd.Function):
    """
    A memory carried along each of several flows, and all of that put together.

    As many copies of the memory as there are flows are made again for the gradient,
    and not kept.
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        flows: Tensor,
        weight: Tensor,
        bias: Tensor,
        dtype: torch.dtype,
    ) -> Tensor:
        ctx.save_for_backward(hidden, flows, weight)
        ctx.dtype = dtype
        carried = _along(hidden, flows).to(dtype)
        made = F.conv2d(carried, weight.to(dtype), bias.to(dtype))
        return made.contiguous(memory_format=torch.channels_last)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        hidden, flows, weight = ctx.saved_tensors
        with torch.enable_grad():
            hidden = hidden.detach().requires_grad_()
            flows = flows.detach().requires_grad_()
            carried = _along(hidden, flows)
        by_carried, by_weight, by_bias = torch.ops.aten.convolution_backward(
            gradient.contiguous(),
            carried.detach().to(ctx.dtype),
            weight.to(ctx.dtype),
            [len(weight)],
            [1, 1],
            [0, 0],
            [1, 1],
            False,
            [0, 0],
            1,
            [True, True, True],
        )
        by_hidden, by_flows = torch.autograd.grad(
            carried, (hidden, flows), by_carried.to(carried.dtype)
        )
        exact = (by_weight.to(weight.dtype), by_bias.to(weight.dtype))
        return by_hidden, by_flows, *exact, None


def _along(hidden: Tensor, flows: Tensor) -> Tensor:
    """A memory along each flow: `(batch, link * channel, y, x)`."""
    links = flows.shape[1] // 2
    found = [
        # all flows at once, which a CPU shares among its cores
        warped(one.expand(links, -1, -1, -1), -flow.unflatten(0, (links, 2)))
        for one, flow in zip(hidden.split(1), flows, strict=True)
    ]
    return torch.stack(found).flatten(1, 2)


class _GRU(torch.autograd.Function):
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
        return torch.lerp(new, hidden, z)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_made: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        gates, carried, new, hidden = ctx.saved_tensors
        z, r = gates.chunk(2, 1)
        by_new = by_made * (1 - z) * torch.where(new > 0, 1.0, LEAK).to(z.dtype)
        by_gates = torch.cat((by_made * (hidden - new), by_new * carried), 1)
        by_gates = torch.ops.aten.sigmoid_backward(by_gates, gates)
        return (
            torch.cat((by_gates, by_new), 1),
            torch.cat((by_gates, by_new * r), 1),
            by_made * z,
        )
