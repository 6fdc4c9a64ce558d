"""Cells of recurrent networks, and a stack of them that sees one frame."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from stormfusion.nn.fused import Fused
from stormfusion.nn.remembering import Rolled

State = tuple[Tensor, ...] | None
"""What a cell remembers, its output first; nothing at the start."""


class Seen(NamedTuple):
    """
    What a cell sees of a frame, and what it remembers of those before.

    Parameters
    ----------
    now
        Output of the layer below, or the frame.
    before
        What the layer below had put out one frame before.
    state
        What the cell remembers.
    shared
        What all layers remember together.
    """

    now: Tensor
    before: Tensor | None
    state: State
    shared: Tensor | None


class Stepped(NamedTuple):
    """
    What a cell remembers after a frame.

    Parameters
    ----------
    state
        What it remembers itself, its output first.
    shared
        What all layers remember together.
    gate
        Its output gate, where a layer around it asks for that.
    """

    state: tuple[Tensor, ...]
    shared: Tensor | None = None
    gate: Tensor | None = None


class Cell(nn.Module, ABC):
    """One layer of a recurrent network."""

    @abstractmethod
    def ready(self, dtype: torch.dtype, embedding: Tensor | None) -> Any:
        """
        Fuse the weights for one roll-out.

        Parameters
        ----------
        dtype
            Precision of the convolutions.
        embedding
            The matrix of the linear embedding of what the cell sees, if it is not to
            be applied before: `(hidden, channels + 1)`, the last for a field of ones.
        """

    @abstractmethod
    def forward(self, ready: Any, seen: Seen) -> Stepped:
        """See the next frame with the fused weights."""


def odd(what: str, /, **widths: int) -> None:
    """
    Refuse a convolution that has no centre, and would change the size of the map.

    Parameters
    ----------
    what
        Whose it is, for the error.
    **widths
        Widths by name [pixels].

    Raises
    ------
    ValueError
        If one of them is even.

    Examples
    --------
    >>> odd("ConvLSTM", kernel=4)
    Traceback (most recent call last):
    ValueError: ConvLSTM needs an odd kernel, which has a centre, but got 4; take 5
    """
    for name, width in widths.items():
        if width % 2 == 0:
            raise ValueError(
                f"{what} needs an odd {name}, which has a centre, but got {width}; "
                f"take {width + 1}"
            )


def flags(what: str, /, **given: bool) -> None:
    """
    Refuse a choice that is neither true nor false.

    Parameters
    ----------
    what
        Whose choices they are, for the error.
    **given
        The choices by name.

    Raises
    ------
    TypeError
        If one of them is something else.

    Examples
    --------
    >>> flags("ConvLSTM", residual="no")
    Traceback (most recent call last):
    TypeError: ConvLSTM needs True or False as its residual, but got 'no'
    """
    for name, choice in given.items():
        if not isinstance(choice, bool):
            raise TypeError(
                f"{what} needs True or False as its {name}, but got {choice!r}"
            )


def convolution(channels: int, width: int, kernel: int) -> nn.Conv2d:
    """A convolution that leaves the size of the map as it is."""
    return nn.Conv2d(channels, width, kernel, padding=kernel // 2)


def _plain(layer: nn.Conv2d, dtype: torch.dtype) -> Fused:
    assert layer.bias is not None
    return Fused(layer.weight, layer.bias, (layer.in_channels,), dtype)


@dataclass(frozen=True, eq=False)
class Ready:
    """Weights of a stack, fused for one roll-out."""

    cells: list[Any]
    embed: Fused | None
    head: Fused


class Stack(nn.Module):
    """
    An embedding, cells on top of each other, and a head.

    Parameters
    ----------
    cells
        From the lowest up.
    channels, hidden, out
        Channels of a frame, of the cells and of what is told.
    """

    def __init__(self, cells: list[Cell], channels: int, hidden: int, out: int) -> None:
        super().__init__()
        self.embed = nn.Conv2d(channels, hidden, 1)
        self.cells = nn.ModuleList(cells)
        self.head = nn.Conv2d(hidden, out, 1)

    @property
    def merges(self) -> bool:
        """Whether the embedding is merged into the lowest cell: linear, as both are."""
        return self.embed.in_channels + 1 < self.embed.out_channels

    def ready(self, dtype: torch.dtype) -> Ready:
        """Fuse all weights for one roll-out."""
        matrix = None
        weight, bias = self.embed.weight, self.embed.bias
        if self.merges:
            assert bias is not None
            # its bias as the weight of a field of ones, which is zero beyond the edge
            # as what is embedded is
            matrix = torch.cat((weight[:, :, 0, 0], bias[:, None]), 1)
        cells = [
            cell.ready(dtype, None if layer else matrix)
            for layer, cell in enumerate(cast(Iterable[Cell], self.cells))
        ]
        embed = None if self.merges else _plain(self.embed, dtype)
        return Ready(cells, embed, _plain(self.head, self.head.weight.dtype))

    def forward(self, ready: Ready, frame: Tensor, rolled: Rolled) -> Rolled:
        """See the next frame; what is told of the one after is left to the head."""
        if ready.embed is None:
            seen = torch.cat((frame, torch.ones_like(frame[:, :1])), 1)
        else:
            seen = ready.embed(frame)
        before = rolled.states or (None,) * len(self.cells)
        shared, states = rolled.shared, []
        for layer, cell in enumerate(self.cells):
            under = before[layer - 1] if layer else None
            below = None if under is None else under[0]
            known = Seen(seen, below, before[layer], shared)
            state, shared, _ = cell(ready.cells[layer], known)
            states.append(state)
            seen = state[0]
        return Rolled(tuple(states), shared)
