"""Frozen networks that learnt from ImageNet, and the distances they see."""

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from stormfusion.nn.pretrained import (
    RANDOM,
    available,
    imported,
    loaded,
    model,
    place,
)

__all__ = ["RANDOM", "Frozen", "available", "lpips", "place", "trunk", "vgg"]

# slices of VGG-16 that end with relu1_2, relu2_2, relu3_3 and relu4_3
_VGG_SLICES = ((0, 4), (4, 9), (9, 16), (16, 23))

Frames = Float[Tensor, "frame y x"]
"""Network numbers, each frame on its own."""

Cells = Float[Tensor, "frame row column"]
"""A distance for each place of a layer of features, which is coarser than a frame."""


class Frozen(nn.Module):
    """
    A module that is used and never trained.

    Its weights need no gradient, and it evaluates whatever the module that holds it
    does: `train()` turns no dropout on. Gradients pass through to its inputs.

    Parameters
    ----------
    body
        The module, which is frozen in place.

    Examples
    --------
    >>> frozen = Frozen(nn.Sequential(nn.Linear(2, 2), nn.Dropout()))
    >>> nn.Sequential(frozen).train()[0].training
    False
    >>> any(weight.requires_grad for weight in frozen.parameters())
    False
    """

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.requires_grad_(requires_grad=False)
        self.eval()

    def train(self, mode: bool = True) -> "Frozen":
        """Stay in evaluation mode, whatever `mode` says."""
        del mode
        return super().train(mode=False)

    def forward(self, *inputs: Any) -> Any:
        """Pass the inputs to the body."""
        return self.body(*inputs)


class _VggDistance(nn.Module):
    r"""Mean over channels of $(\phi_l(\hat{x}) - \phi_l(x))^2$, layer by layer."""

    mean: Tensor
    std: Tensor

    def __init__(self, features: nn.Sequential) -> None:
        super().__init__()
        self.slices = nn.ModuleList(features[i:j] for i, j in _VGG_SLICES)
        for name, values in (
            ("mean", [0.485, 0.456, 0.406]),
            ("std", [0.229, 0.224, 0.225]),
        ):
            self.register_buffer(name, torch.tensor(values)[:, None, None])

    def features(self, frames: Frames) -> list[Tensor]:
        hidden = (frames[:, None] - self.mean) / self.std
        found = []
        # A ReLU in place changes the convolution before it. Each slice ends with one,
        # and the next begins with a pooling, so no captured output is changed.
        for part in self.slices:
            hidden = part(hidden)
            found.append(hidden)
        return found

    def forward(self, forecast: Frames, observed: Frames) -> list[Cells]:
        with torch.no_grad():
            wanted = self.features(observed)
        found = self.features(forecast)
        return [
            (f - o).square().mean(dim=1) for f, o in zip(found, wanted, strict=True)
        ]


class _LpipsDistance(nn.Module):
    r"""$\sum_c w_{lc} (\hat{u}_{lc} - u_{lc})^2$ of unit features, layer by layer."""

    def __init__(self, metric: nn.Module) -> None:
        super().__init__()
        self.metric: Any = metric

    def features(self, frames: Frames) -> list[Tensor]:
        grey = (2.0 * frames - 1.0)[:, None].expand(-1, 3, -1, -1)
        return [_unit(h) for h in self.metric.net(self.metric.scaling_layer(grey))]

    def heads(self) -> list[nn.Module]:
        return [getattr(self.metric, f"lin{layer}") for layer in range(self.metric.L)]

    def forward(self, forecast: Frames, observed: Frames) -> list[Cells]:
        with torch.no_grad():
            wanted = self.features(observed)
        found = self.features(forecast)
        return [
            head((f - o).square())[:, 0]
            for head, f, o in zip(self.heads(), found, wanted, strict=True)
        ]


def _unit(features: Tensor) -> Tensor:
    # As lpips.normalize_tensor. There the slope of the root is infinite where the sum
    # is zero, as that of faint features is in float32, and the gradient NaN.
    squares = features.square().sum(dim=1, keepdim=True).clamp(min=1e-30)
    return features / (squares.sqrt() + 1e-10)


def trunk(net: str, weights: str | Path | None = None) -> nn.Sequential:
    """
    Build the convolutions of a network that learnt to tell the images of ImageNet.

    Parameters
    ----------
    net
        `"alex"` for AlexNet, `"squeeze"` for SqueezeNet 1.1 or `"vgg"` for VGG-16.
    weights
        A file of the network's `state_dict`, `.pth` or `.safetensors`, whole or of its
        `features`. By default the file in torchvision's cache, downloaded if it is not
        there. `"random"` for a trunk that learnt nothing, the same each time: its
        features mean nothing, and serve tests and timing only.

    Returns
    -------
    Sequential
        The `features` of torchvision's model.

    Raises
    ------
    WeightsError
        If the weights are not to be had, or the file is damaged or another network's.
    ImportError
        If torchvision does not work.

    Examples
    --------
    >>> features = trunk("alex", "random")
    >>> features(torch.zeros(1, 3, 64, 64)).shape
    torch.Size([1, 256, 1, 1])
    """
    models = imported("torchvision.models")
    with _undisturbed():
        with torch.device("meta"):
            features: nn.Sequential = models.get_model(
                model(net), weights=None
            ).features
        wanted = {n: tuple(t.shape) for n, t in features.state_dict().items()}
        tensors = _drawn(wanted) if weights == RANDOM else loaded(net, weights, wanted)
        features.to_empty(device="cpu").float().load_state_dict(tensors)
    return features


def vgg(
    weights: str | Path | None = None, *, device: torch.device | str = "cpu"
) -> Frozen:
    """
    Distance of frames in four layers of VGG-16.

    Parameters
    ----------
    weights
        As in `trunk`.
    device
        Where to compare. The module is kept, and moves.

    Returns
    -------
    Frozen
        Maps two batches of frames, forecast and observed, to the squared distance of
        their features in relu1_2, relu2_2, relu3_3 and relu4_3, each a mean over the
        channels. Gradients flow to the forecast.

    Raises
    ------
    WeightsError
        As in `trunk`.

    Examples
    --------
    >>> frames = torch.rand(2, 16, 16)
    >>> [tuple(layer.shape) for layer in vgg("random")(frames, frames)]
    [(2, 16, 16), (2, 8, 8), (2, 4, 4), (2, 2, 2)]
    """
    return _on(device, _vgg(*_key("vgg", weights)))


def lpips(
    net: str,
    weights: str | Path | None = None,
    *,
    device: torch.device | str = "cpu",
) -> Frozen:
    """
    Distance of frames in the layers of LPIPS, with the heads that `lpips` ships.

    Parameters
    ----------
    net
        `"alex"`, `"squeeze"` or `"vgg"`.
    weights
        Of the trunk, as in `trunk`.
    device
        Where to compare. The module is kept, and moves.

    Returns
    -------
    Frozen
        Maps two batches of frames, forecast and observed, to their distance in each
        layer. LPIPS is the sum over the layers. Gradients flow to the forecast.

    Raises
    ------
    WeightsError
        As in `trunk`.

    Examples
    --------
    >>> frames = torch.rand(1, 32, 32)
    >>> layers = lpips("alex", "random")(frames, frames)
    >>> len(layers), layers[0].shape
    (5, torch.Size([1, 7, 7]))
    """
    return _on(device, _lpips(*_key(net, weights)))


def _key(net: str, weights: str | Path | None) -> tuple[str, str, bool]:
    """What tells modules apart: the network, its file, and if that is a cache's."""
    if weights == RANDOM:
        return net, RANDOM, False
    return net, str(place(net, weights)), weights is None


@lru_cache(maxsize=4)
def _vgg(net: str, path: str, cached: bool) -> Frozen:
    features = trunk(net, None if cached else path)
    with torch.inference_mode(mode=False):
        return Frozen(_VggDistance(features).float())


@lru_cache(maxsize=4)
def _lpips(net: str, path: str, cached: bool) -> Frozen:
    package = imported("lpips")
    features = trunk(net, None if cached else path).state_dict()
    with _undisturbed():
        metric = package.LPIPS(net=net, pnet_rand=True, spatial=True, verbose=False)
        # its names are those of the trunk, after the slice that holds the layer
        names = metric.net.state_dict()
        metric.net.load_state_dict({n: features[n.partition(".")[2]] for n in names})
        return Frozen(_LpipsDistance(metric).float())


def _on(device: torch.device | str, module: Frozen) -> Frozen:
    with torch.inference_mode(mode=False):
        return module.to(device)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Build on the CPU what can be trained through, and leave no trace."""
    with (
        torch.inference_mode(mode=False),
        torch.device("cpu"),
        torch.random.fork_rng(devices=[]),
        warnings.catch_warnings(),
    ):
        # lpips calls torchvision as its older versions wanted to be called
        warnings.simplefilter("ignore", UserWarning)
        yield


def _drawn(wanted: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Weights that keep the spread of what they see (He et al. 2015), without bias."""
    generator = torch.Generator().manual_seed(0)
    drawn = {}
    for name, shape in wanted.items():
        tensor = torch.zeros(shape, dtype=torch.float32)
        if len(shape) == 4:
            nn.init.kaiming_normal_(tensor, nonlinearity="relu", generator=generator)
        drawn[name] = tensor
    return drawn
