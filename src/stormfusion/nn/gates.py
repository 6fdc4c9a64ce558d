"""Arithmetic of the gates of cells, in few passes over them."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


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
    r"""$\tanh(c) = 2 \sigma(2 c) - 1$, which is much faster on a CPU."""
    return (content * 2).sigmoid_().mul_(2).sub_(1)


def exact(values: Tensor) -> Tensor:
    """The same, in single precision at least."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
