"""What an error depends on: the amount forecast, its surroundings, its scale."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

RAIN = 0.1
"""Network number from which on a pixel counts as rain."""

AMOUNT_EDGES = (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6,
                0.65, 0.7, 0.75, 0.8, 0.85)  # fmt: skip
"""Bins of the amount forecast [network numbers]; they are open at both ends."""
SURROUND_EDGES = (0.002, 0.01, 0.03, 0.06, 0.12, 0.2, 0.3, 0.42, 0.55)
"""Bins of its mean over the surroundings."""
LEVELS = 160
"""Bins of the amount observed, from 0 to `TOP`; the first is for no rain at all."""
TOP = 1.25
DEVIATES = torch.linspace(-4.0, 4.0, 129)
"""Standard normal deviates at which the quantiles of a bin are held."""
RINGS = 64
"""Wavenumbers at which the power of the errors is held."""


def reaches(leads: int, radius: int) -> tuple[int, ...]:
    """
    How far from where it is forecast rain may turn up, by lead [pixels].

    Examples
    --------
    >>> reaches(12, 12)[0], reaches(12, 12)[-1]
    (8, 30)
    """
    return tuple(radius // 2 + 2 * lead for lead in range(1, leads + 1))


def surroundings(forecast: Tensor, radius: int) -> tuple[Tensor, Tensor]:
    """Mean amount within reach of each pixel, and whether rain is forecast there."""
    amount, rain = forecast.clamp(min=0), (forecast >= RAIN).float()
    ones = torch.ones_like(amount[0])
    around, near = [], []
    for lead, reach in enumerate(reaches(forecast.shape[0], radius)):
        around.append(_sums(amount[lead], reach) / _sums(ones, reach))
        near.append(_sums(rain[lead], reach) > 0.5)
    return torch.stack(around), torch.stack(near)


def _sums(values: Tensor, reach: int) -> Tensor:
    """Sum over the square within reach of each pixel, as far as it is in the frame."""
    for axis in (-2, -1):
        size = values.shape[axis]
        at = torch.arange(size, device=values.device)
        total = values.cumsum(axis)
        last = total.index_select(axis, (at + reach).clamp(max=size - 1))
        before = total.index_select(axis, (at - reach - 1).clamp(min=0))
        inside = (at > reach).float()
        values = last - before * (inside[:, None] if axis == -2 else inside)
    return values


def bin_of(values: Tensor, edges: tuple[float, ...]) -> Tensor:
    """Bin in which a value lies."""
    return torch.bucketize(values, _tensor(edges, values), right=True)


def place_of(values: Tensor, edges: tuple[float, ...]) -> Tensor:
    """
    Where a value lies among the centres of the bins: 1.5 between the second and third.

    Examples
    --------
    >>> place_of(torch.tensor([0.0, 1.0, 2.0, 9.0]), (1.0, 2.0))
    tensor([0.0000, 0.5000, 1.5000, 2.0000])
    """
    last = 2 * edges[-1] - edges[-2]
    bounds = _tensor((0.0, *edges, last), values)
    centres = (bounds[1:] + bounds[:-1]) / 2
    upper = torch.bucketize(values, centres, right=True).clamp(1, centres.numel() - 1)
    low, high = centres[upper - 1], centres[upper]
    return upper - 1 + ((values - low) / (high - low)).clamp(0.0, 1.0)


def rings_of(height: int, width: int) -> NDArray[Any]:
    """Ring of each wave: its cycles per pixel, of which half one is the last."""
    ky = np.fft.fftfreq(height)[:, None]
    kx = np.fft.rfftfreq(width)[None, :]
    ring: NDArray[Any] = np.hypot(ky, kx) / 0.5 * (RINGS - 1)
    return ring


def _tensor(values: tuple[float, ...], like: Tensor) -> Tensor:
    return torch.tensor(values, device=like.device, dtype=torch.float32)
