"""The residual U-Net: pre-normalized residual blocks, skips that add."""

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

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
class ResUNet:
    r"""
    A U-Net of residual blocks over the input frames stacked as channels.

    Each of `depth` levels has a block $h + g(h)$ on the way down and one on the way
    up, where $g$ is twice a `ChannelNorm`, a GELU and a 3 x 3 convolution. The second
    convolution starts at zero, so that every block starts as the identity. Strided
    convolutions halve the resolution; the features of the same level are added on the
    way back.

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
    He, K., X. Zhang, S. Ren, and J. Sun, 2016: Identity mappings in deep residual
    networks. *ECCV 2016*, 630-645, <https://doi.org/10.1007/978-3-319-46493-0_38>.

    Examples
    --------
    >>> import torch
    >>> resunet = ResUNet(width=8, depth=2).build(channels=2, history=13, leads=12)
    >>> resunet(torch.zeros(1, 13, 2, 40, 50)).shape
    torch.Size([1, 12, 40, 50])
    """

    name: ClassVar[str] = "resunet"

    width: int = 32
    depth: int = 3
    patch: int = 2

    def __post_init__(self) -> None:
        positive_integers(
            "ResUNet", width=self.width, depth=self.depth, patch=self.patch
        )

    def build(self, *, channels: int, history: int, leads: int) -> nn.Module:
        """Build the module with fresh weights; see `Network.build`."""
        positive_integers("ResUNet", channels=channels, history=history, leads=leads)
        widths = [self.width * min(2**level, 8) for level in range(self.depth + 1)]
        area = self.patch**2
        body = Patches(
            _ResUNet(area * channels * history, area * leads, widths), self.patch
        )
        return AnyGrid(
            body,
            what="ResUNet",
            channels=channels,
            history=history,
            multiple=self.patch * 2**self.depth,
        )


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            ChannelNorm(width),
            nn.GELU(),
            nn.Conv2d(width, width, 3, padding=1),
            ChannelNorm(width),
            nn.GELU(),
            zeroed(nn.Conv2d(width, width, 3, padding=1)),
        )

    def forward(self, hidden: Tensor) -> Tensor:
        change: Tensor = self.branch(hidden)
        return hidden + change


class _ResUNet(nn.Module):
    def __init__(self, channels: int, leads: int, widths: list[int]) -> None:
        super().__init__()
        steps = list(pairwise(widths))
        self.stem = nn.Conv2d(channels, widths[0], 3, padding=1)
        self.encoder = nn.ModuleList(_Residual(width) for width in widths)
        self.down = nn.ModuleList(
            nn.Conv2d(fine, coarse, 2, stride=2) for fine, coarse in steps
        )
        self.narrow = nn.ModuleList(
            nn.Conv2d(coarse, fine, 1) for fine, coarse in steps
        )
        self.decoder = nn.ModuleList(_Residual(width) for width in widths[:-1])
        self.norm = ChannelNorm(widths[0])
        self.head = zeroed(nn.Conv2d(widths[0], leads, 1))

    def forward(self, past: Past) -> Future:
        hidden: Tensor = self.encoder[0](self.stem(past.flatten(1, 2)))
        skips = []
        for down, block in zip(self.down, list(self.encoder)[1:], strict=True):
            skips.append(hidden)
            hidden = block(down(hidden))
        ascent = zip(skips, self.narrow, self.decoder, strict=True)
        for skip, narrow, block in reversed(list(ascent)):
            hidden = block(skip + doubled(narrow(hidden)))
        forecast: Tensor = self.head(nn.functional.gelu(self.norm(hidden)))
        return forecast
