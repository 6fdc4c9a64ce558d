"""What a forecast's past errors look like: how large, and of what texture."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stormfusion.sampling.conditions import (
    AMOUNT_EDGES,
    DEVIATES,
    LEVELS,
    RINGS,
    SURROUND_EDGES,
    TOP,
    bin_of,
    rings_of,
    surroundings,
)

SMOOTH = 0.2
"""Cycles per pixel above which no texture is kept: the jump from dry to wet at the edge
of every rain area has power there, and noise of such power would make specks."""
FEW = 300.0
"""Pixels of a bin that weigh as much as what it borrows: neighbours are much alike."""


class ErrorAmounts:
    """
    How often each observed amount came where an amount was forecast.

    Held per lead time, and for surroundings of some raininess. Pixels with no rain
    forecast within reach stay dry in every member, and are not counted.

    Parameters
    ----------
    leads
        Number of leads.
    radius
        Of the surroundings [pixels].
    """

    def __init__(self, leads: int, radius: int) -> None:
        self.radius = radius
        bins = (len(AMOUNT_EDGES) + 1, len(SURROUND_EDGES) + 1, LEVELS)
        self.counts = np.zeros((leads, *bins), dtype=np.int64)
        self.known = 0

    def add(self, forecast: Tensor, observed: Tensor, valid: Tensor) -> None:
        """
        Count one window.

        Parameters
        ----------
        forecast, observed
            Network numbers with the dimensions (lead, y, x).
        valid
            Where both are known.
        """
        row, near = _rows(torch.where(valid, forecast, 0.0), self.radius)
        level = (observed * (LEVELS / TOP)).long().clamp(0, LEVELS - 1)
        # level 0 is kept for no rain at all
        level = torch.where(observed > 0, level.clamp(min=1), 0)
        shape = self.counts.shape[1:]
        flat = row * LEVELS + level
        size = math.prod(shape)
        for lead in range(len(self.counts)):
            chosen = flat[lead][valid[lead] & near[lead]].cpu()
            found = torch.bincount(chosen, minlength=size).numpy()
            self.counts[lead] += found.reshape(shape)
        self.known += int(valid.sum())

    def quantiles(self) -> Tensor:
        """
        Quantiles of the observed amount in every bin, at each normal deviate.

        A bin that was seldom met borrows from its lead's bins of the same amount, and
        from the same bin of the neighbouring leads. An amount that was seldom forecast
        borrows the errors of the next lower one.
        """
        if not self.known:
            raise ValueError(
                "no validation window holds a pixel where forecast and observation are "
                "both known, wanted some to measure the errors; use other validation "
                "data"
            )
        seen = self.counts.astype(np.float64)
        leads = np.pad(seen, ((1, 1), (0, 0), (0, 0), (0, 0)), mode="edge")
        seen = seen + 0.25 * (leads[:-2] + leads[2:])
        prior = np.stack([_by_amount(lead.sum(1)) for lead in seen])[:, :, None]
        share = (seen + FEW * prior) / (seen.sum(-1, keepdims=True) + FEW)
        cumulative = share.cumsum(-1)
        cumulative /= cumulative[..., -1:]
        wanted = torch.special.ndtr(DEVIATES.double()).numpy()
        width = TOP / LEVELS
        flat = cumulative.reshape(-1, LEVELS)
        found = np.empty((flat.shape[0], wanted.size))
        for row, curve in enumerate(flat):
            level = np.searchsorted(curve, wanted).clip(0, LEVELS - 1)
            below = np.where(level > 0, curve[level - 1], 0.0)
            inside = (wanted - below) / np.maximum(curve[level] - below, 1e-12)
            value = width * (level + inside.clip(0, 1))
            found[row] = np.where(level == 0, 0.0, value)
        shape = (*self.counts.shape[:-1], wanted.size)
        return torch.from_numpy(found.reshape(shape).astype(np.float32))


class ErrorTexture:
    """
    Power spectrum of the errors by lead, and their correlation from lead to lead.

    An error is told by the normal deviate at which the observed amount lies among those
    that came in the past: so the amounts that it makes have the texture of those seen.

    Parameters
    ----------
    quantiles
        Observed amounts, as `ErrorAmounts` finds them.
    radius
        Of the surroundings [pixels].
    """

    def __init__(self, quantiles: Tensor, radius: int) -> None:
        leads = quantiles.shape[0]
        self.quantiles = quantiles.flatten(1, 2)
        self.radius = radius
        self.power = np.zeros((leads, RINGS))
        self.samples = np.zeros((leads, RINGS))
        self.products = np.zeros((leads, 3))

    def add(self, forecast: Tensor, observed: Tensor, valid: Tensor) -> None:
        """Add one window, given as in `ErrorAmounts.add`."""
        row, near = _rows(torch.where(valid, forecast, 0.0), self.radius)
        row, chosen = row.cpu(), (valid & near).cpu()
        deviate = torch.zeros(forecast.shape)
        for lead, table in enumerate(self.quantiles):
            known = chosen[lead]
            values = observed[lead].cpu()[known][:, None]
            deviate[lead][known] = _deviate(table[row[lead][known]], values)
        height, width = forecast.shape[-2:]
        window = torch.outer(torch.hann_window(height), torch.hann_window(width))
        waves = torch.fft.rfft2(deviate * window).abs().square().double().numpy()
        ring = np.rint(rings_of(height, width)).astype(np.int64).clip(0, RINGS - 1)
        met = np.bincount(ring.ravel(), minlength=RINGS)
        for lead, spectrum in enumerate(waves):
            if chosen[lead].any():
                found = np.bincount(ring.ravel(), spectrum.ravel(), RINGS)
                self.power[lead] += found
                self.samples[lead] += met
        both = chosen[1:] & chosen[:-1]
        before, after = deviate[:-1] * both, deviate[1:] * both
        for slot, product in enumerate((before * after, before**2, after**2)):
            self.products[1:, slot] += product.double().sum((-2, -1)).numpy()

    def spectrum(self) -> Tensor:
        """Power by lead and ring; rings never met take from those around them."""
        rings = np.arange(RINGS)
        waves = 0.5 * rings / (RINGS - 1)  # cycles per pixel
        filled = np.ones_like(self.power)
        for lead, (power, samples) in enumerate(
            zip(self.power, self.samples, strict=True)
        ):
            met = power > 0
            if met.any():
                filled[lead] = np.interp(rings, rings[met], power[met] / samples[met])
        smooth = filled * np.exp(-((waves / SMOOTH) ** 2))
        return torch.from_numpy(smooth.astype(np.float32))

    def memory(self) -> Tensor:
        """Correlation with the lead before, from 0 to 0.99."""
        both, before, after = self.products.T
        scale = np.sqrt(before * after)
        found = np.where(scale > 0, both / np.maximum(scale, 1e-12), 0.0)
        return torch.from_numpy(np.clip(found, 0.0, 0.99).astype(np.float32))


def _rows(forecast: Tensor, radius: int) -> tuple[Tensor, Tensor]:
    """Row of `quantiles` for each pixel, and whether rain is forecast within reach."""
    around, near = surroundings(forecast, radius)
    amount = bin_of(forecast, AMOUNT_EDGES)
    return amount * (len(SURROUND_EDGES) + 1) + bin_of(around, SURROUND_EDGES), near


def _deviate(rows: Tensor, values: Tensor) -> Tensor:
    """Normal deviate at which each value lies in its row: the mean over a plateau."""
    last = DEVIATES.numel() - 1
    low = torch.searchsorted(rows, values).clamp(max=last)[:, 0]
    high = (torch.searchsorted(rows, values, right=True) - 1).clamp(0, last)[:, 0]
    low, high = DEVIATES[torch.minimum(low, high)], DEVIATES[torch.maximum(low, high)]
    # the mean of a normal deviate between two bounds
    density = torch.exp(-(low**2) / 2) - torch.exp(-(high**2) / 2)
    share = torch.special.ndtr(high) - torch.special.ndtr(low)
    mean = density / math.sqrt(2 * math.pi) / share.clamp(min=1e-6)
    return torch.where(high - low > 0.1, mean, (low + high) / 2)


def _by_amount(seen: NDArray[np.float64]) -> NDArray[np.float64]:
    """What comes where an amount is forecast, as shares of the levels."""
    edges = np.array((0.0, *AMOUNT_EDGES, 2 * AMOUNT_EDGES[-1] - AMOUNT_EDGES[-2]))
    centre = np.rint((edges[1:] + edges[:-1]) / 2 * LEVELS / TOP).astype(int)
    centre[0] = 0
    shares = np.zeros_like(seen)
    for amount, row in enumerate(seen):
        total = row.sum()
        if not seen[: amount + 1].any():
            shares[amount, centre[amount]] = 1.0  # nothing is known of its errors
        elif not seen[:amount].any():
            shares[amount] = row / total
        else:
            shift = centre[amount] - centre[amount - 1]
            moved = np.zeros(LEVELS)
            moved[1 + shift :] = shares[amount - 1, 1 : LEVELS - shift]
            moved[-1] += shares[amount - 1, LEVELS - shift :].sum()
            moved[0] = shares[amount - 1, 0]
            shares[amount] = (row + FEW * moved) / (total + FEW)
    return shares
