"""Recurrent networks: a frame in, the next one out, its own forecasts fed back."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stormfusion.nn.blocks import check_past, positive_integers
from stormfusion.nn.gates import Fused
from stormfusion.nn.remembering import Rolled, rolled
from stormfusion.nn.teaching import Teacher
from stormfusion.types import Future, Past

State = tuple[Tensor, ...] | None
"""What a cell remembers, its output first; nothing at the start."""


@dataclass(frozen=True)
class Recurrent(ABC):
    r"""
    A recurrent network of stacked cells, and how it is rolled out.

    $$\hat X_{t+1} = W_{out} * f(W_{in} * X_t)$$

    One step sees a frame and what the cells remember of those before, and tells the
    next frame. It is rolled out over the observed frames, each of which it reconstructs
    from those before it, and on over the leads, where it sees its own forecasts. The
    embedding $W_{in}$ and the head $W_{out}$ are 1 x 1 convolutions; nothing is
    normalized, and states begin at zero.

    At the leads the other variables stand as they were last seen, with a validity of
    zero. The validity of the network's own frames is 1 where the pixel was observed at
    any time. What is computed ahead, such as `"extrapolation"`, stands beside the frame
    from which its time is forecast.

    Parameters
    ----------
    hidden
        Channels of every layer.
    layers
        Cells on top of each other.
    kernel
        Width of the convolutions [pixels], odd.
    patch
        Pixels, in each direction, that are taken together as channels: the cells then
        work on a map that is coarser by that, while no pixel is averaged away. 1 is the
        published form. By default a nowcaster chooses it for the grid that it learns
        from, see `sized`, and without one it is 1.
    checkpoint
        Whether to keep what the cells remember every few frames only, and to compute
        what lies between again for the gradient: less than half the memory for a third
        more time. By default where it would not fit in two thirds of the free memory.
    truncate
        Frames after which gradients no longer flow back through what is remembered;
        through all by default.

    Raises
    ------
    ValueError
        If a size is not a whole number above zero, or the kernel is even.
    """

    name: ClassVar[str]

    hidden: int = 64
    layers: int = 3
    kernel: int = 3
    patch: int | None = None
    checkpoint: bool | None = None
    truncate: int | None = None

    def __post_init__(self) -> None:
        what = type(self).__name__
        sizes = {"hidden": self.hidden, "layers": self.layers, "kernel": self.kernel}
        optional = {"patch": self.patch, "truncate": self.truncate}
        known = {name: size for name, size in optional.items() if size is not None}
        positive_integers(what, **sizes, **known)
        if self.kernel % 2 == 0:
            raise ValueError(
                f"{what} needs an odd kernel, which has a centre, but got "
                f"{self.kernel}; take {self.kernel + 1}"
            )
        if self.checkpoint not in (None, True, False):
            raise ValueError(
                f"{what} needs a checkpoint of True, False or None, which decides by "
                f"the free memory, but got {self.checkpoint!r}"
            )

    @abstractmethod
    def cell(self, layer: int) -> "Cell":
        """Make the cell of a layer, 0 the lowest, with fresh weights."""

    def sized(self, height: int, width: int) -> Self:
        """
        Choose the patch for a grid, where none was named.

        Parameters
        ----------
        height, width
            Rows and columns of the largest grid to learn from.

        Returns
        -------
        Recurrent
            With a patch of 1 up to 160 pixels each way, 2 up to 320, and 4 beyond.

        Examples
        --------
        >>> from stormfusion.nn import ConvLSTM
        >>> ConvLSTM().sized(384, 384).patch
        4
        """
        if self.patch is not None:
            return self
        longest = max(height, width)
        return replace(self, patch=1 if longest <= 160 else 2 if longest <= 320 else 4)

    def build(self, *, channels: int, history: int, leads: int) -> "Rollout":
        """
        Build the module with fresh weights; see `Network.build`.

        Unlike those of other networks its last layer does not start at zero.
        """
        what = type(self).__name__
        positive_integers(what, channels=channels, history=history, leads=leads)
        area = (self.patch or 1) ** 2
        cells = [self.cell(layer) for layer in range(self.layers)]
        stack = Stack(cells, channels * area, self.hidden, area)
        return Rollout(stack, self, channels=channels, history=history, leads=leads)


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
    def forward(
        self,
        ready: Any,
        seen: Tensor,
        below: Tensor | None,
        state: State,
        shared: Tensor | None,
    ) -> tuple[tuple[Tensor, ...], Tensor | None]:
        """
        See the next frame.

        Parameters
        ----------
        ready
            Its fused weights.
        seen
            Output of the layer below, or the frame.
        below
            What the layer below had put out one frame before.
        state
            What the cell remembers.
        shared
            What all layers remember together.

        Returns
        -------
        tuple
            What it remembers now, its output first, and what is shared.
        """


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
            for layer, cell in enumerate(self.cells)
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
            state, shared = cell(ready.cells[layer], seen, below, before[layer], shared)
            states.append(state)
            seen = state[0]
        return Rolled(tuple(states), shared)


class Rollout(nn.Module):
    """
    A stack of cells, rolled out over what was observed and on over the leads.

    Parameters
    ----------
    stack
        The cells.
    spec
        What they were built from.
    channels, history, leads
        What they were built for.

    Examples
    --------
    >>> from stormfusion.nn import ConvLSTM
    >>> module = ConvLSTM(hidden=4).build(channels=2, history=3, leads=5)
    >>> past = torch.zeros(1, 3, 2, 7, 5)
    >>> module(past).shape
    torch.Size([1, 5, 7, 5])

    In training it tells the observed frames, too, but for the first:

    >>> module(past, teacher=Teacher.silent(past, leads=5)).shape
    torch.Size([1, 7, 7, 5])
    """

    reconstructs: ClassVar[bool] = True
    """With a teacher it tells the observed frames, too, as training asks for."""

    def __init__(
        self, stack: Stack, spec: Recurrent, *, channels: int, history: int, leads: int
    ) -> None:
        super().__init__()
        self.stack = stack
        self.spec = spec
        self.channels = channels
        self.history = history
        self.leads = leads

    @property
    def steps(self) -> int:
        """Frames that are seen, or told: all but one."""
        return self.history + self.leads - 1

    def forward(
        self,
        past: Past,
        ahead: Past | None = None,
        teacher: Teacher | None = None,
    ) -> Future:
        """
        Forecast from `past`.

        Parameters
        ----------
        past
            The observed frames.
        ahead
            The last channels of `past`, as they are known for all leads but the last.
        teacher
            In training, the frames to be forecast, and which of them are shown.

        Returns
        -------
        Future
            The leads; with a teacher the observed frames but the first before them.
        """
        patch = self.spec.patch or 1
        check_past(
            past,
            what=type(self.spec).__name__,
            channels=self.channels,
            history=self.history,
            multiple=patch,
            smaller="patch",
        )
        kind = past.device.type
        dtype = self.stack.head.weight.dtype
        if torch.is_autocast_enabled(kind):
            dtype = torch.get_autocast_dtype(kind)
        with torch.autocast(kind, enabled=False):
            inputs = Inputs(past, ahead, teacher, patch)
            told = self._told(inputs, dtype, every=teacher is not None)
            found = F.pixel_shuffle(told.contiguous(), patch)[..., 0, :, :]
        return found[..., : past.shape[-2], : past.shape[-1]]

    def _told(self, inputs: "Inputs", dtype: torch.dtype, *, every: bool) -> Tensor:
        """What is told of every frame but the first, or of the leads, in patches."""
        ready = self.stack.ready(dtype)

        def step(at: int, now: Rolled) -> Rolled:
            truncate = self.spec.truncate
            if truncate is not None and at and at % truncate == 0:
                now = now.detached()
            new: Rolled = self.stack(ready, inputs.frame(at, now.told), now)
            if every or at >= self.history - 1:
                assert new.states is not None
                top = new.states[-1][0]
                new = new.telling(ready.head(top.to(self.stack.head.weight.dtype)))
            return new

        told = rolled(step, self.steps, self.spec.checkpoint)
        return torch.stack(told, 1)


class Inputs:
    """
    The frames that a network sees, in patches: observed ones, then its own.

    Parameters
    ----------
    past, ahead, teacher
        As in `Rollout`.
    patch
        Pixels, in each direction, that are channels of one.
    """

    def __init__(
        self, past: Past, ahead: Past | None, teacher: Teacher | None, patch: int
    ) -> None:
        self.history, channels = past.shape[1:3]
        height, width = past.shape[-2:]
        pad = (0, -width % patch, 0, -height % patch)

        def coarse(tensor: Tensor) -> Tensor:
            # dry, and not observed, beyond the edge
            tensor = F.pad(tensor, pad) if any(pad) else tensor
            if not tensor.shape[-3]:  # no channels, which torch leaves as they are
                return tensor[..., ::patch, ::patch]
            return F.pixel_unshuffle(tensor, patch)

        area = patch**2
        self.past = coarse(past)
        self.value = slice(0, area)
        known = past[:, :, 1:2].amax(1) if channels > 1 else past[:, 0, :0]
        self.known = coarse(known)
        others = past[:, -1, 2:].clone()
        count = others.shape[1] - (0 if ahead is None else ahead.shape[2])
        others[:, 1:count:2] = 0.0  # not observed then
        self.held = coarse(others[:, :count])
        self.ahead = None if ahead is None else coarse(ahead)
        self.shown = None if teacher is None else teacher.shown
        if teacher is not None and teacher.future is not None:
            assert teacher.valid is not None
            future = torch.where(teacher.valid, teacher.future, 0.0)
            self.future = coarse(future[:, :, None])
            self.valid = coarse(teacher.valid[:, :, None].to(past.dtype))
            if channels < 2:
                self.valid = self.valid[:, :, :0]

    def frame(self, at: int, told: Tensor | None) -> Tensor:
        """The frame that is seen at a time, of what was told before and what is so."""
        shown = None if self.shown is None else self.shown[:, at]
        if at < self.history:
            frame = self.past[:, at]
            if shown is None or told is None or bool(shown.all()):
                return _laid(frame)
            own = torch.cat((told, self.known, frame[:, told.shape[1] * 2 :]), 1)
        else:
            assert told is not None
            others = self._others(at - self.history)
            own = torch.cat((told, self.known, *others), 1)
            if shown is None or not bool(shown.any()):
                return _laid(own)
            lead = at - self.history
            frame = torch.cat((self.future[:, lead], self.valid[:, lead], *others), 1)
        return _laid(torch.where(shown[:, None, None, None], frame, own))

    def _others(self, lead: int) -> list[Tensor]:
        ahead = [] if self.ahead is None else [self.ahead[:, lead]]
        return [self.held, *ahead]


def _laid(frame: Tensor) -> Tensor:
    return frame.contiguous(memory_format=torch.channels_last)
