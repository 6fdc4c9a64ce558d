"""Convolutions of several fields to the same channels, added up in one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class Rows(NamedTuple):
    r"""
    Some outputs of a layer, from `first` to before `last`.

    Those from `twice` on are doubled: gates that are squashed by a hyperbolic tangent
    are then squashed by a logistic function as all others are,
    $\tanh(g) = 2 \sigma(2 g) - 1$, which is much faster on a CPU.
    """

    layer: nn.Conv2d
    first: int
    last: int
    twice: tuple[int, int] = (0, 0)

    def weight(self) -> Tensor:
        """Their kernels."""
        return self._doubled(self.layer.weight)

    def bias(self) -> Tensor:
        """Their biases."""
        assert self.layer.bias is not None
        return self._doubled(self.layer.bias)

    def _doubled(self, values: Tensor) -> Tensor:
        values = values[self.first : self.last]
        if self.twice[0] == self.twice[1]:
            return values
        factor = torch.ones(len(values), dtype=values.dtype, device=values.device)
        factor[self.twice[0] : self.twice[1]] = 2.0
        return values * factor.reshape(-1, *(1,) * (values.ndim - 1))


@dataclass(frozen=True, eq=False)
class Fused:
    r"""
    Convolutions of several fields to the same channels, added up in one.

    $W_1 * a + b_1 + W_2 * b + b_2$ is one convolution of the channels of $a$ and $b$
    side by side. A field that is not there is one of zeros, whose convolution is not
    computed.

    Parameters
    ----------
    weight
        Kernels, of all fields side by side, in full precision.
    bias
        Their biases, added up.
    widths
        Channels of each field.
    dtype
        Precision to compute in. Gradients of the weights add up over the frames in
        full precision.
    squashed
        Whether the sum is squashed by the logistic function $\sigma$.
    """

    weight: Tensor
    bias: Tensor
    widths: tuple[int, ...]
    dtype: torch.dtype
    squashed: bool = False

    @classmethod
    def of(
        cls,
        *parts: Rows,
        dtype: torch.dtype,
        embedding: Tensor | None = None,
        squashed: bool = True,
    ) -> "Fused":
        """
        Fuse layers of equal kernels.

        Parameters
        ----------
        parts
            Outputs of one layer for each field.
        dtype
            Precision to compute in.
        embedding
            Where the first layer sees a linear embedding, the matrix of that: it is
            merged into the layer, which then takes what is embedded.
        squashed
            As above.
        """
        kernels = [part.weight() for part in parts]
        if embedding is not None:
            kernels[0] = torch.einsum("ochw,ci->oihw", kernels[0], embedding)
        bias = torch.stack([part.bias() for part in parts]).sum(0)
        widths = tuple(kernel.shape[1] for kernel in kernels)
        return cls(_beside(kernels), bias, widths, dtype, squashed)

    def __call__(self, *fields: Tensor | None) -> Tensor:
        """Add up the convolutions of the fields, in the order of the layers."""
        weight = self.weight
        if any(field is None for field in fields):
            parts = torch.split(weight, list(self.widths), dim=1)
            known = [p for p, f in zip(parts, fields, strict=True) if f is not None]
            weight = _beside(known)
        there = [field for field in fields if field is not None]
        made: Tensor = _Together.apply(
            weight, self.bias, self.dtype, self.squashed, *there
        )
        return made


def _beside(kernels: Sequence[Tensor]) -> Tensor:
    return torch.cat(list(kernels), 1).contiguous(memory_format=torch.channels_last)


class _Together(torch.autograd.Function):
    """A convolution of fields side by side, which keeps no copy of them."""

    @staticmethod
    def forward(
        ctx: Any,
        weight: Tensor,
        bias: Tensor,
        dtype: torch.dtype,
        squashed: bool,
        *fields: Tensor,
    ) -> Tensor:
        padding = weight.shape[-1] // 2
        made = F.conv2d(
            _side_by_side(fields, dtype), weight.to(dtype), bias.to(dtype), 1, padding
        )
        if squashed:
            made.sigmoid_()
        ctx.save_for_backward(weight, made if squashed else None, *fields)
        ctx.dtype = dtype
        return made

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        weight, made, *fields = ctx.saved_tensors
        gradient = gradient.to(ctx.dtype).contiguous(memory_format=torch.channels_last)
        if made is not None:
            gradient = torch.ops.aten.sigmoid_backward(gradient, made)
        needed = ctx.needs_input_grad
        padding = weight.shape[-1] // 2
        whole, *found = torch.ops.aten.convolution_backward(
            gradient,
            _side_by_side(fields, ctx.dtype),
            weight.to(ctx.dtype),
            [len(weight)],
            [1, 1],
            [padding, padding],
            [1, 1],
            False,
            [0, 0],
            1,
            [any(needed[4:]), needed[0], needed[1]],
        )
        # in full precision, as those of the layer add up over frames
        by_layer = (None if g is None else g.to(weight.dtype) for g in found)
        by_field: list[Tensor | None] = [None] * len(fields)
        if whole is not None:
            parts = torch.split(whole, [field.shape[1] for field in fields], dim=1)
            by_field = [
                part.to(field.dtype) if wanted else None
                for part, field, wanted in zip(parts, fields, needed[4:], strict=True)
            ]
        return (*by_layer, None, None, *by_field)


def _side_by_side(fields: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
    if len(fields) == 1:
        return fields[0].to(dtype)
    return torch.cat([field.to(dtype) for field in fields], 1)
