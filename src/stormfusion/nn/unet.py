"""The U-Net: frames stacked as channels, an encoder, a decoder, and skips."""

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stormfusion.nn.blocks import (
    AnyGrid,
    ChannelNorm,
    Patches,
    doubled,
    positive_integers,
    zeroed,
)
from stormfusion.types import Future, Past


@dataclass(frozen=True)
class UNet:
    r"""
    A U-Net over the input frames stacked as channels.

    Each of `depth` levels has two 3 x 3 convolutions, each followed by a
    `ChannelNorm` and a GELU, and halves the resolution by the maximum of 2 x 2
    pixels, so that the peak of a storm survives. The way back doubles the resolution
    by repetition and joins the features of the same level.

    Parameters
    ----------
    width
        Channels of the first level. They double with every level, up to eight times.
    depth
        Halvings of the resolution. Maps need at least $patch \cdot 2^{depth}$ pixels
        each way.
    patch
        Pixels, in each direction, that are taken together as channels of the first
        level: 2 makes the network four times as fast as 1.

    Raises
    ------
    ValueError
        If a parameter is not a whole number above zero.

    References
    ----------
    Ronneberger, O., P. Fischer, and T. Brox, 2015: U-Net: Convolutional networks for
    biomedical image segmentation. *MICCAI 2015*, 234-241,
    <https://doi.org/10.1007/978-3-319-24574-4_28>.

    Examples
    --------
    >>> unet = UNet(width=8, depth=2).build(channels=2, history=13, leads=12)
    >>> unet(torch.zeros(1, 13, 2, 40, 50)).shape
    torch.Size([1, 12, 40, 50])
    """

    name: ClassVar[str] = "unet"

    width: int = 32
    depth: int = 3
    patch: int = 2

    def __post_init__(self) -> None:
        positive_integers("UNet", width=self.width, depth=self.depth, patch=self.patch)

    def build(self, *, channels: int, history: int, leads: int) -> nn.Module:
        """Build the module with fresh weights; see `Network.build`."""
        positive_integers("UNet", channels=channels, history=history, leads=leads)
        widths = [self.width * min(2**level, 8) for level in range(self.depth + 1)]
        area = self.patch**2
        body = Patches(
            _UNet(area * channels * history, area * leads, widths), self.patch
        )
        return AnyGrid(
            body,
            what="UNet",
            channels=channels,
            history=history,
            multiple=self.patch * 2**self.depth,
        )


def _convolutions(channels: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1),
        ChannelNorm(width),
        nn.GELU(),
        nn.Conv2d(width, width, 3, padding=1),
        ChannelNorm(width),
        nn.GELU(),
    )


class _UNet(nn.Module):
    def __init__(self, channels: int, leads: int, widths: list[int]) -> None:
        super().__init__()
        self.encoder = nn.ModuleList(
            _convolutions(fewer, width)
            for fewer, width in zip([channels, *widths[:-1]], widths, strict=True)
        )
        # Narrowed before it is doubled, while pixels are few.
        self.narrow = nn.ModuleList(
            nn.Conv2d(coarse, width, 1) for width, coarse in pairwise(widths)
        )
        self.decoder = nn.ModuleList(
            _convolutions(2 * width, width) for width in widths[:-1]
        )
        self.head = zeroed(nn.Conv2d(widths[0], leads, 1))

    def forward(self, past: Past) -> Future:
        hidden: Tensor = self.encoder[0](past.flatten(1, 2))
        skips = []
        for level in list(self.encoder)[1:]:
            skips.append(hidden)
            hidden = level(F.max_pool2d(hidden, 2))
        ascent = zip(skips, self.narrow, self.decoder, strict=True)
        for skip, narrow, level in reversed(list(ascent)):
            hidden = level(torch.cat([skip, doubled(narrow(hidden))], dim=1))
        forecast: Tensor = self.head(hidden)
        return forecast
