"""Arithmetic of gated cells: one convolution for all gates, few passes over them."""

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
    $\tanh(g) = 2 \sigma(2 g) - 1$, which takes a tenth of the time.
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
        padding, needed = weight.shape[-1] // 2, ctx.needs_input_grad
        whole, by_weight, by_bias = torch.ops.aten.convolution_backward(
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
        by_field: list[Tensor | None] = [None] * len(fields)
        if whole is not None:
            parts = torch.split(whole, [field.shape[1] for field in fields], dim=1)
            by_field = [
                part.to(field.dtype) if wanted else None
                for part, field, wanted in zip(parts, fields, needed[4:], strict=True)
            ]
        # in full precision, as those of many frames are added up
        exact = (
            None if g is None else g.to(weight.dtype) for g in (by_weight, by_bias)
        )
        return (*exact, None, None, *by_field)


def _side_by_side(fields: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
    if len(fields) == 1:
        return fields[0].to(dtype)
    return torch.cat([field.to(dtype) for field in fields], 1)


def remembered(gates: Tensor, memory: Tensor | None) -> Tensor:
    r"""
    Update a memory by its gates: $m' = f \odot m + i \odot (2 g - 1)$.

    Parameters
    ----------
    gates
        $f$, $i$ and $g$ side by side, squashed to 0..1.
    memory
        What is remembered; none at the start, which is a memory of zeros.

    Returns
    -------
    Tensor
        The new memory, in full precision.

    Examples
    --------
    >>> gates = torch.tensor([0.5, 1.0, 0.75]).reshape(1, 3, 1, 1)
    >>> remembered(gates, torch.full((1, 1, 1, 1), 4.0)).item()
    2.5
    """
    made: Tensor = _Remembered.apply(gates, memory, 3)
    return made


def written(gates: Tensor) -> Tensor:
    r"""
    What gates write into a memory: $i \odot (2 g - 1)$.

    Parameters
    ----------
    gates
        $i$ and $g$ side by side, squashed to 0..1.

    Returns
    -------
    Tensor
        What is written, in full precision.

    Examples
    --------
    >>> written(torch.tensor([0.5, 1.0]).reshape(1, 2, 1, 1)).item()
    0.5
    """
    made: Tensor = _Remembered.apply(gates, None, 2)
    return made


def told(gate: Tensor, content: Tensor) -> Tensor:
    r"""
    Let a gate pass what a memory holds: $o \odot \tanh(c)$.

    Parameters
    ----------
    gate
        $o$, squashed to 0..1; the result has its precision.
    content
        $c$.

    Returns
    -------
    Tensor
        What is passed on.

    Examples
    --------
    >>> told(torch.full((1, 1, 1, 1), 0.5), torch.full((1, 1, 1, 1), 50.0)).item()
    0.5
    """
    made: Tensor = _Told.apply(gate, content)
    return made


def lstm(gates: Tensor, memory: Tensor | None) -> tuple[Tensor, Tensor]:
    r"""
    The update of a long short-term memory, `remembered` and `told` at once.

    Parameters
    ----------
    gates
        $f$, $i$, $g$ and $o$ side by side, squashed to 0..1.
    memory
        What is remembered, $c$; none at the start.

    Returns
    -------
    tuple of Tensor
        $h = o \odot \tanh(c')$ in the precision of the gates, and
        $c' = f \odot c + i \odot (2 g - 1)$ in full precision.

    Examples
    --------
    >>> gates = torch.full((1, 4, 1, 1), 0.5)
    >>> hidden, memory = lstm(gates, torch.full((1, 1, 1, 1), 4.0))
    >>> round(hidden.item(), 3), memory.item()
    (0.482, 2.0)
    """
    hidden, kept = _LSTM.apply(gates, memory)
    return hidden, kept


class _Remembered(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gates: Tensor, memory: Tensor | None, parts: int) -> Tensor:
        ctx.save_for_backward(gates, memory)
        ctx.parts = parts
        return _remember(exact(gates).chunk(parts, 1), memory)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_made: Tensor) -> tuple[Tensor, Tensor | None, None]:
        gates, memory = ctx.saved_tensors
        by_gates = torch.empty_like(gates)
        squashed = exact(gates).chunk(ctx.parts, 1)
        into = by_gates.chunk(ctx.parts, 1)
        return by_gates, _back_remember(squashed, memory, by_made, into), None


class _Told(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gate: Tensor, content: Tensor) -> Tensor:
        ctx.save_for_backward(gate, content)
        return _tell(exact(gate), content).to(gate.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_made: Tensor) -> tuple[Tensor, Tensor]:
        gate, content = ctx.saved_tensors
        by_made = exact(by_made)
        held = _squash(exact(content))
        through = by_made * exact(gate)
        by_content = torch.addcmul(through, through * held, held, value=-1)
        return (by_made * held).to(gate.dtype), by_content.to(content.dtype)


class _LSTM(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, gates: Tensor, memory: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        *inner, o = exact(gates).chunk(4, 1)
        kept = _remember(inner, memory)
        ctx.save_for_backward(gates, memory, kept)
        return _tell(o, kept).to(gates.dtype), kept

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, by_hidden: Tensor, by_kept: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        gates, memory, kept = ctx.saved_tensors
        by_hidden = exact(by_hidden)
        *inner, o = exact(gates).chunk(4, 1)
        by_gates = torch.empty_like(gates)
        *by_inner, by_o = by_gates.chunk(4, 1)
        held = _squash(kept)
        by_o.copy_(by_hidden * held)
        through = by_hidden * o
        through = torch.addcmul(through, through * held, held, value=-1).add_(by_kept)
        return by_gates, _back_remember(inner, memory, through, by_inner)


def _remember(gates: Sequence[Tensor], memory: Tensor | None) -> Tensor:
    """With the gates $f$, $i$ and $g$, or without $f$ where nothing is remembered."""
    *f, i, g = gates
    made = (i * g).mul_(2).sub_(i)
    return made if memory is None else made.addcmul_(f[0], memory)


def _back_remember(
    gates: Sequence[Tensor],
    memory: Tensor | None,
    by_made: Tensor,
    by_gates: Sequence[Tensor],
) -> Tensor | None:
    """Gradient by the memory; those by the gates are written into `by_gates`."""
    *f, i, g = gates
    *by_f, by_i, by_g = by_gates
    by_i.copy_((by_made * g).mul_(2).sub_(by_made))
    by_g.copy_((by_made * i).mul_(2))
    if memory is None:
        for by_kept in by_f:
            by_kept.zero_()
        return None
    by_f[0].copy_(by_made * memory)
    return by_made * f[0]


def _tell(o: Tensor, content: Tensor) -> Tensor:
    return _squash(exact(content)).mul_(o)


def _squash(content: Tensor) -> Tensor:
    r"""$\tanh(c) = 2 \sigma(2 c) - 1$, a tenth of the time of the one of a library."""
    return (content * 2).sigmoid_().mul_(2).sub_(1)


def exact(values: Tensor) -> Tensor:
    """The same, in single precision at least."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
