"""The 3-D convolutional baseline: space and time together, then a mix of times."""

from contextlib import nullcontext
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from stormfusion.nn.blocks import (
    AnyGrid,
    ChannelNorm,
    doubled,
    positive_integers,
    zeroed,
)
from stormfusion.types import Future, Past


@dataclass(frozen=True)
class Conv3D:
    """
    Convolutions over time, height and width, and a learned mix of the time axis.

    Five 3 x 3 x 3 convolutions of `width`, 2, 4, 2 and 1 times `width` channels, the
    layout of the StormFlow baseline, here at full, half, quarter, half and full
    resolution, and each followed by a `ChannelNorm` and a GELU. The baseline averaged
    its features over time, which leaves no direction in which to extrapolate. Here
    the channels of all input frames stand side by side at every pixel, and two
    1 x 1 convolutions map them to the lead times.

    Parameters
    ----------
    width
        Channels at full resolution.

    Raises
    ------
    ValueError
        If `width` is not a whole number above zero.

    Examples
    --------
    >>> import torch
    >>> conv3d = Conv3D(width=4).build(channels=2, history=13, leads=12)
    >>> conv3d(torch.zeros(1, 13, 2, 18, 25)).shape
    torch.Size([1, 12, 18, 25])
    """

    name: ClassVar[str] = "conv3d"

    width: int = 16

    def __post_init__(self) -> None:
        positive_integers("Conv3D", width=self.width)

    def build(self, *, channels: int, history: int, leads: int) -> nn.Module:
        """Build the module with fresh weights; see `Network.build`."""
        positive_integers("Conv3D", channels=channels, history=history, leads=leads)
        body = _Conv3D(channels, history, leads, self.width)
        return AnyGrid(
            body, what="Conv3D", channels=channels, history=history, multiple=4
        )


def _convolution(channels: int, width: int, *, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(channels, width, 3, stride=(1, stride, stride), padding=1),
        ChannelNorm(width),
        nn.GELU(),
    )


def _doubled_frames(hidden: Tensor) -> Tensor:
    # Frames pass as channels, as not every device repeats pixels in three dimensions.
    batch, channels, frames, _, _ = hidden.shape
    fine = doubled(hidden.flatten(1, 2))
    return fine.reshape(batch, channels, frames, *fine.shape[2:])


class _Conv3D(nn.Module):
    def __init__(self, channels: int, history: int, leads: int, width: int) -> None:
        super().__init__()
        self.level_1 = _convolution(channels, width)
        self.level_2 = _convolution(width, 2 * width, stride=2)
        self.level_4 = _convolution(2 * width, 4 * width, stride=2)
        self.narrow_2 = nn.Conv3d(4 * width, 2 * width, 1)
        self.back_2 = _convolution(2 * width, 2 * width)
        self.narrow_1 = nn.Conv3d(2 * width, width, 1)
        self.back_1 = _convolution(width, width)
        self.mix = nn.Sequential(
            nn.Conv2d(width * history, 4 * width, 1),
            ChannelNorm(4 * width),
            nn.GELU(),
            zeroed(nn.Conv2d(4 * width, leads, 1)),
        )

    def forward(self, past: Past) -> Future:
        # of fewer frames than four, CPUs read in bfloat16 what no one wrote
        few = past.device.type == "cpu" and past.shape[1] < 4
        exact = torch.autocast("cpu", enabled=False) if few else nullcontext()
        with exact:
            return self._forecast(past)

    def _forecast(self, past: Past) -> Future:
        full: Tensor = self.level_1(past.transpose(1, 2))
        half: Tensor = self.level_2(full)
        quarter: Tensor = self.level_4(half)
        half = self.back_2(half + _doubled_frames(self.narrow_2(quarter)))
        full = self.back_1(full + _doubled_frames(self.narrow_1(half)))
        forecast: Tensor = self.mix(full.flatten(1, 2))
        return forecast
