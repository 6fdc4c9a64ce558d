"""What a forecast's past errors look like."""

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
from stormfusion.sampling.dressing import Dressing

FEW = 300.0
"""Pixels of a bin that weigh as much as what it borrows: neighbours are much alike."""


class ErrorStatistics:
    """
    What a forecast's errors look like, counted over validation windows.

    Held per lead time: how often each observed amount came where an amount was
    forecast, in surroundings of some raininess; the power spectrum of the errors; and
    how the errors of one lead time correlate with those of the one before. Pixels with
    no rain forecast within reach stay dry in every member, and are not counted.
    """

    def __init__(self, leads: int, radius: int) -> None:
        self.leads = leads
        self.radius = radius
        bins = (len(AMOUNT_EDGES) + 1, len(SURROUND_EDGES) + 1, LEVELS)
        self.counts = np.zeros((leads, *bins), dtype=np.int64)
        self.known = 0
        self.power = np.zeros((leads, RINGS))
        self.samples = np.zeros((leads, RINGS))
        self.covariance = np.zeros(leads)
        self.variance = np.zeros((leads, 2))

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
        forecast = torch.where(valid, forecast, 0.0)
        observed = torch.where(valid, observed, 0.0)
        around, near = surroundings(forecast, self.radius)
        amount = bin_of(forecast, AMOUNT_EDGES)
        surround = bin_of(around, SURROUND_EDGES)
        level = (observed * (LEVELS / TOP)).long().clamp(0, LEVELS - 1)
        # level 0 is kept for no rain at all
        level = torch.where(observed > 0, level.clamp(min=1), level)
        shape = self.counts.shape[1:]
        flat = (amount * shape[1] + surround) * shape[2] + level
        for lead in range(self.leads):
            known = valid[lead] & near[lead]
            found = torch.bincount(flat[lead][known].cpu(), minlength=math.prod(shape))
            self.counts[lead] += found.numpy().reshape(shape)
        self.known += int(valid.sum())
        self._add_spectra(forecast, observed, valid)

    def _add_spectra(self, forecast: Tensor, observed: Tensor, valid: Tensor) -> None:
        error = (observed - forecast).cpu()
        height, width = error.shape[-2:]
        window = torch.outer(torch.hann_window(height), torch.hann_window(width))
        spectrum = torch.fft.rfft2(error * window).abs().square().double().numpy()
        ring = np.rint(rings_of(height, width)).astype(np.int64).clip(0, RINGS - 1)
        for lead in range(self.leads):
            self.power[lead] += np.bincount(ring.ravel(), spectrum[lead].ravel(), RINGS)
            self.samples[lead] += np.bincount(ring.ravel(), minlength=RINGS)
        both = (valid[1:] & valid[:-1]).cpu()
        before, after = error[:-1] * both, error[1:] * both
        self.covariance[1:] += (before * after).sum((-2, -1)).double().numpy()
        self.variance[1:, 0] += before.square().sum((-2, -1)).double().numpy()
        self.variance[1:, 1] += after.square().sum((-2, -1)).double().numpy()

    def finish(self) -> "Dressing":
        """The dressing these statistics make."""
        if not self.known:
            raise ValueError(
                "no validation window holds a pixel where forecast and observation are "
                "both known, wanted some to measure the errors; use other validation "
                "data"
            )
        with np.errstate(invalid="ignore", divide="ignore"):
            power = np.where(self.samples > 0, self.power / self.samples, 0.0)
            scale = np.sqrt(self.variance[:, 0] * self.variance[:, 1])
            memory = np.where(scale > 0, self.covariance / scale, 0.0)
        return Dressing(
            torch.from_numpy(_quantiles(self.counts).astype(np.float32)),
            torch.from_numpy(_filled(power).astype(np.float32)),
            torch.from_numpy(np.clip(memory, 0.0, 0.99).astype(np.float32)),
            self.radius,
        )


def _quantiles(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """
    Quantiles of the observed amount in every bin, at each normal deviate.

    A bin that was seldom met borrows from its lead's bins of the same amount, and from
    the same bin of the neighbouring leads. An amount that was seldom forecast borrows
    the errors of the next lower one.
    """
    seen = counts.astype(np.float64)
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
        found[row] = np.where(level == 0, 0.0, width * (level + inside.clip(0, 1)))
    return found.reshape(*counts.shape[:-1], wanted.size)


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


def _filled(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rings that a small window never met, from those around them."""
    rings = np.arange(RINGS)
    filled = np.ones_like(power)
    for lead, row in enumerate(power):
        met = row > 0
        if met.any():
            filled[lead] = np.interp(rings, rings[met], row[met])
    return filled
