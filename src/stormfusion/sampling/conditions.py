"""What an error depends on: the amount forecast, its surroundings, its scale."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

RAIN = 0.1
"""Network number from which on a pixel counts as rain."""

AMOUNT_EDGES = (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6,
                0.65, 0.7, 0.75, 0.8, 0.85)  # fmt: skip
SURROUND_EDGES = (0.02, 0.06, 0.12, 0.2, 0.3, 0.42, 0.55)
LEVELS = 160
TOP = 1.25
QUANTILES = 65
RINGS = 64


def conditions_of(forecast: Tensor, radius: int) -> tuple[Tensor, Tensor]:
    """Bin of the forecast amount, and of its mean over the surroundings."""
    amount = torch.bucketize(forecast, edges_of(AMOUNT_EDGES, forecast), right=True)
    window = 2 * radius + 1
    around = forecast[None].clamp(min=0)
    for size, pad in (((window, 1), (radius, 0)), ((1, window), (0, radius))):
        around = F.avg_pool2d(around, size, 1, pad, count_include_pad=False)
    edges = edges_of(SURROUND_EDGES, forecast)
    return amount, torch.bucketize(around[0], edges, right=True)


def near_rain(forecast: Tensor, radius: int) -> Tensor:
    """Where rain is forecast within a radius."""
    rain = (forecast >= RAIN).float()[None]
    for size, pad in (
        ((2 * radius + 1, 1), (radius, 0)),
        ((1, 2 * radius + 1), (0, radius)),
    ):
        rain = F.max_pool2d(rain, size, 1, pad)
    return rain[0] > 0


def position_of(forecast: Tensor) -> Tensor:
    """Where an amount lies between the centre of its bin and that of its neighbour."""
    edges = edges_of((0.0, *AMOUNT_EDGES, 0.9), forecast)
    centres = (edges[1:] + edges[:-1]) / 2
    return (
        torch.bucketize(forecast, centres, right=True) - 1 + _between(forecast, centres)
    )


def _between(values: Tensor, centres: Tensor) -> Tensor:
    upper = torch.bucketize(values, centres, right=True).clamp(1, centres.numel() - 1)
    low, high = centres[upper - 1], centres[upper]
    inside = (values >= centres[0]) & (values < centres[-1])
    return torch.where(inside, (values - low) / (high - low), 0.0)


def rings_of(height: int, width: int, *, whole: bool = True) -> NDArray[Any]:
    """Ring of each wave: its cycles per pixel, of which half one is the last."""
    ky = np.fft.fftfreq(height)[:, None]
    kx = np.fft.rfftfreq(width)[None, :]
    ring: NDArray[Any] = np.hypot(ky, kx) / 0.5 * (RINGS - 1)
    if not whole:
        return ring
    return np.asarray(np.rint(ring).astype(np.int64).clip(0, RINGS - 1))


def edges_of(values: tuple[float, ...], like: Tensor) -> Tensor:
    """Edges of bins, where a tensor is."""
    return torch.tensor(values, device=like.device, dtype=torch.float32)
