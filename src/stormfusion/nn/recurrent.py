"""Recurrent networks: a frame in, the next one out, its own forecasts fed back."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stormfusion.nn.blocks import check_past, positive_integers, zeroed
from stormfusion.nn.cells import Cell, Stack, flags, odd
from stormfusion.nn.inputs import Inputs
from stormfusion.nn.remembering import Rolled, rolled
from stormfusion.nn.teaching import Teacher
from stormfusion.types import Future, Past


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
        what lies between again for the gradient: half the memory, for a fifth to two
        fifths more time. By default where it would not fit in two thirds of the free
        memory.
    truncate
        Frames after which gradients no longer flow back through what is remembered;
        through all by default.
    residual
        Whether it tells the change since the frame that it sees, and not the next frame
        itself: $\hat X_{t+1} = X_t + W_{out} * f(W_{in} * X_t)$. The weights of the
        head then start at zero, so that training starts from persistence. As published
        it does not.

    Raises
    ------
    ValueError
        If a size is not a whole number above zero, or the kernel is even.
    TypeError
        If `residual` is neither true nor false.

    References
    ----------
    The sizes of all of them are those of Ma, Z., H. Zhang, and J. Liu, 2022: Focal
    frame loss: A simple but effective loss for precipitation nowcasting. *IEEE J. Sel.
    Topics Appl. Earth Obs. Remote Sens.*, **15**,
    <https://doi.org/10.1109/JSTARS.2022.3194522>.

    Examples
    --------
    Trained on large grids it works on patches, unless it is told otherwise:

    >>> from stormfusion.nn import PredRNN
    >>> PredRNN().sized(384, 384) == PredRNN(patch=4)
    True
    >>> predrnn = PredRNN(hidden=8, patch=4).build(channels=2, history=5, leads=3)
    >>> predrnn(torch.zeros(1, 5, 2, 41, 30)).shape
    torch.Size([1, 3, 41, 30])
    """

    name: ClassVar[str]

    hidden: int = 64
    layers: int = 3
    kernel: int = 3
    patch: int | None = None
    checkpoint: bool | None = None
    truncate: int | None = None
    residual: bool = False

    def __post_init__(self) -> None:
        what = type(self).__name__
        sizes = {"hidden": self.hidden, "layers": self.layers, "kernel": self.kernel}
        optional = {"patch": self.patch, "truncate": self.truncate}
        known = {name: size for name, size in optional.items() if size is not None}
        positive_integers(what, **sizes, **known)
        odd(what, kernel=self.kernel)
        flags(what, residual=self.residual)
        if not (self.checkpoint is None or isinstance(self.checkpoint, bool)):
            raise ValueError(
                f"{what} needs a checkpoint of True, False or None, which decides by "
                f"the free memory, but got {self.checkpoint!r}"
            )

    @abstractmethod
    def cell(self, layer: int) -> Cell:
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

        Unlike those of other networks its last layer does not start at zero, unless
        it is `residual`.
        """
        what = type(self).__name__
        positive_integers(what, channels=channels, history=history, leads=leads)
        area = (self.patch or 1) ** 2
        cells = [self.cell(layer) for layer in range(self.layers)]
        stack = Stack(cells, channels * area, self.hidden, area)
        if self.residual:
            zeroed(stack.head)
        return Rollout(stack, self, channels=channels, history=history, leads=leads)


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
            multiple=1,
        )
        kind = past.device.type
        dtype = self.stack.head.weight.dtype
        if torch.is_autocast_enabled(kind):
            dtype = torch.get_autocast_dtype(kind)
        with torch.autocast(kind, enabled=False):
            inputs = Inputs(past, ahead, teacher, leads=self.leads, patch=patch)
            told = self._told(inputs, dtype, every=teacher is not None)
            found = F.pixel_shuffle(told.contiguous(), patch)[..., 0, :, :]
        return found[..., : past.shape[-2], : past.shape[-1]]

    def _told(self, inputs: Inputs, dtype: torch.dtype, *, every: bool) -> Tensor:
        """What is told of every frame but the first, or of the leads, in patches."""
        ready = self.stack.ready(dtype)

        def step(at: int, now: Rolled) -> Rolled:
            truncate = self.spec.truncate
            if truncate is not None and at and at % truncate == 0:
                now = now.detached()
            frame = inputs.frame(at, now.told)
            new: Rolled = self.stack(ready, frame, now)
            if every or at >= self.history - 1:
                assert new.states is not None
                top = new.states[-1][0]
                told = ready.head(top.to(self.stack.head.weight.dtype))
                if self.spec.residual:
                    told = told + frame[:, : told.shape[1]]
                new = new.telling(told)
            return new

        frames = rolled(step, self.steps, self.spec.checkpoint)
        return torch.stack(frames, 1)
