"""Losses that compare what networks see that learnt from photographs."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from stormfusion.losses.base import Loss
from stormfusion.nn import imagenet
from stormfusion.types import Future, Scalar, Valid

LEAST = {"alex": 31, "squeeze": 17, "vgg": 16}
"""Height and width that the network of LPIPS can take [pixels]."""


@dataclass(frozen=True)
class VGG(Loss):
    r"""
    Distance between the features that VGG-16 sees.

    $$\mathrm{VGG} = \frac{1}{4} \sum_{l=1}^{4}
    \frac{\sum_i w_{li} \, \frac{1}{C_l} \lVert \phi_l(\hat{x})_i - \phi_l(x)_i
    \rVert_2^2}{\sum_i w_{li}}$$

    with the $C_l$ features $\phi_l$ in relu1_2, relu2_2, relu3_3 and relu4_3 of a
    network that learnt to tell the photographs of ImageNet, frozen. A cell $i$ of layer
    $l$ stands for $2^{l-1} \times 2^{l-1}$ pixels, and its weight $w_{li}$ is the
    share of them that is valid.

    Each lead is a frame of its own: network numbers, 0 to 1, as grey. They are not
    clipped, so that a forecast beyond them is led back.

    The network needs much memory: some 150 MB for each frame of 256 x 256 pixels.

    Parameters
    ----------
    weights
        A local file of weights, `.pth` or `.safetensors`, of torchvision's VGG-16. By
        default torchvision's own, from its cache or else downloaded (528 MB), when
        training starts. `"random"` for a network that learnt nothing: tests and timing
        only, as its features mean nothing.

    Raises
    ------
    WeightsError
        If the weights are not to be had. Random ones never take their place unasked.
    ValueError
        If height or width is less than 8 pixels.

    References
    ----------
    Johnson, J., A. Alahi, and L. Fei-Fei, 2016: Perceptual losses for real-time style
    transfer and super-resolution. *ECCV 2016*, 694-711,
    <https://doi.org/10.1007/978-3-319-46475-6_43>.

    Simonyan, K., and A. Zisserman, 2015: Very deep convolutional networks for
    large-scale image recognition. *ICLR 2015*, <https://arxiv.org/abs/1409.1556>.

    Examples
    --------
    >>> observed = torch.rand(1, 2, 16, 16)
    >>> valid = torch.ones(1, 2, 16, 16, dtype=torch.bool)
    >>> loss = VGG(weights="random")
    >>> loss(observed, observed, valid)
    tensor(0.)
    >>> bool(loss(observed / 2, observed, valid) > 0)
    True
    """

    name: ClassVar[str] = "vgg"
    kind: ClassVar[Literal["pixel", "shaping"]] = "shaping"

    weights: str | Path | None = None

    def __post_init__(self) -> None:
        _set_path(self, self.weights)

    @property
    def least(self) -> int:
        """What the deepest layer stands for [pixels]."""
        return 8

    def prepare(self) -> None:
        """Load the network; see `Loss.prepare`."""
        imagenet.vgg(self.weights)

    def compare(self, forecast: Future, observed: Future, valid: Valid) -> Scalar:
        """Compute the loss; see `Loss.compare`."""
        distance = imagenet.vgg(self.weights, device=forecast.device)
        share = valid.flatten(0, 1).float()
        layers: list[Tensor] = []
        for cells in distance(forecast.flatten(0, 1), observed.flatten(0, 1)):
            if layers:
                # as the network's own pooling, which drops an odd row and column
                share = F.avg_pool2d(share, 2)
            total = share.sum()
            weight = torch.where(total > 0, total, torch.ones_like(total))
            layers.append((share * cells).sum() / weight)
        return torch.stack(layers).mean()


@dataclass(frozen=True)
class LPIPS(Loss):
    r"""
    Learned perceptual image patch similarity.

    $$\mathrm{LPIPS} = \Big\langle \sum_l U \sum_c w_{lc}
    (\hat{u}_{lc} - u_{lc})^2 \Big\rangle$$

    with the features $u_{lc}$ of layer $l$ and channel $c$ of a network that learnt to
    tell the photographs of ImageNet, divided in each place by their length over the
    channels, the weights $w_{lc} \ge 0$ that make it agree with how alike people find
    two photographs, and the bilinear interpolation $U$ from the layer to the pixels.
    The mean $\langle \cdot \rangle$ is over the valid pixels. Network and weights are
    frozen.

    Each lead is a frame of its own: network numbers, 0 to 1, as grey. They are not
    clipped, so that a forecast beyond them is led back.

    Parameters
    ----------
    net
        `"alex"`, `"vgg"` or `"squeeze"`.
    weights
        A local file of weights, `.pth` or `.safetensors`, of torchvision's AlexNet,
        VGG-16 or SqueezeNet 1.1. By default torchvision's own, from its cache or else
        downloaded (233, 528 or 5 MB), when training starts.
    pnet_rand
        Take a network that learnt nothing: tests and timing only, as the value is not
        LPIPS.

    Raises
    ------
    WeightsError
        If the weights are not to be had. Random ones never take their place unasked.
    ValueError
        If `net` is another, if `weights` are given for a random network, or if height
        or width is less than 31 (`"alex"`), 16 (`"vgg"`) or 17 (`"squeeze"`) pixels.

    References
    ----------
    Zhang, R., P. Isola, A. A. Efros, E. Shechtman, and O. Wang, 2018: The unreasonable
    effectiveness of deep features as a perceptual metric. *CVPR 2018*, 586-595,
    <https://doi.org/10.1109/CVPR.2018.00068>.

    Examples
    --------
    >>> observed = torch.rand(1, 2, 32, 32)
    >>> valid = torch.ones(1, 2, 32, 32, dtype=torch.bool)
    >>> loss = LPIPS(pnet_rand=True)
    >>> loss(observed, observed, valid)
    tensor(0.)
    >>> bool(loss(observed / 2, observed, valid) > 0)
    True
    """

    name: ClassVar[str] = "lpips"
    kind: ClassVar[Literal["pixel", "shaping"]] = "shaping"

    net: str = "alex"
    weights: str | Path | None = None
    pnet_rand: bool = False

    def __post_init__(self) -> None:
        if self.net not in LEAST:
            raise ValueError(
                f"LPIPS has no net {self.net!r}, wanted one of {', '.join(LEAST)}"
            )
        if not isinstance(self.pnet_rand, bool):
            raise TypeError(
                f"LPIPS needs a pnet_rand that is true or false, but got "
                f"{self.pnet_rand!r}"
            )
        if self.weights == imagenet.RANDOM:
            raise ValueError(
                "LPIPS has no weights called 'random', wanted a file; for a random "
                "network, in tests, write pnet_rand=True"
            )
        if self.pnet_rand and self.weights is not None:
            raise ValueError(
                f"LPIPS got weights={str(self.weights)!r} and pnet_rand=True, which "
                "reads none; leave one of them out"
            )
        _set_path(self, self.weights)

    @property
    def least(self) -> int:
        """What the network can take [pixels]."""
        return LEAST[self.net]

    def prepare(self) -> None:
        """Load the network; see `Loss.prepare`."""
        imagenet.lpips(self.net, self._trunk)

    def compare(self, forecast: Future, observed: Future, valid: Valid) -> Scalar:
        """Compute the loss; see `Loss.compare`."""
        distance = imagenet.lpips(self.net, self._trunk, device=forecast.device)
        counted = valid.flatten(0, 1).float()
        total = counted.new_zeros(())
        for cells in distance(forecast.flatten(0, 1), observed.flatten(0, 1)):
            # The sum over the valid pixels of the interpolated cells, from the other
            # end: how much of the valid pixels each cell is interpolated to. CUDA has
            # no gradient of an interpolation that is the same every time.
            rows = _interpolation(cells.shape[-2], valid.shape[-2], valid.device)
            columns = _interpolation(cells.shape[-1], valid.shape[-1], valid.device)
            total = total + (rows @ counted @ columns.T * cells).sum()
        return total / counted.sum().clamp(min=1)

    @property
    def _trunk(self) -> str | Path | None:
        return imagenet.RANDOM if self.pnet_rand else self.weights


def _interpolation(
    cells: int, pixels: int, device: torch.device
) -> Float[Tensor, "cells pixels"]:
    unit = torch.eye(cells, dtype=torch.float32, device=device)[None]
    return F.interpolate(unit, size=pixels, mode="linear", align_corners=False)[0]


def _set_path(loss: Any, weights: Any) -> None:
    """Keep the path as text, as JSON holds it; where it leads to shows later."""
    if weights is None:
        return
    if not isinstance(weights, str | Path) or not str(weights):
        raise TypeError(
            f"{type(loss).__name__} needs weights that are the path of a file, or none "
            f"for torchvision's own, but got {weights!r}"
        )
    text = str(weights)
    if isinstance(weights, Path) and text == imagenet.RANDOM:
        text = f".{os.sep}{text}"  # a file of that name, not the word
    object.__setattr__(loss, "weights", text)
