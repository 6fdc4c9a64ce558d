"""Members from a deterministic forecast: dressing it in its own past errors."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
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


class ErrorStatistics:
    """
    What a forecast's errors look like, counted over validation windows.

    Held per lead time: how often each observed amount came where an amount was
    forecast, in surroundings of some raininess; the power spectrum of the errors; and
    how the errors of one lead time correlate with those of the one before.
    """

    def __init__(self, leads: int, radius: int) -> None:
        self.leads = leads
        self.radius = radius
        bins = (len(AMOUNT_EDGES) + 1, len(SURROUND_EDGES) + 1, LEVELS)
        self.counts = np.zeros((leads, *bins), dtype=np.int64)
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
        amount, surround = _conditions(forecast, self.radius)
        level = (observed * (LEVELS / TOP)).long().clamp(0, LEVELS - 1)
        # level 0 is kept for no rain at all
        level = torch.where(observed > 0, level.clamp(min=1), level)
        shape = self.counts.shape[1:]
        flat = (amount * shape[1] + surround) * shape[2] + level
        for lead in range(self.leads):
            known = valid[lead]
            found = torch.bincount(flat[lead][known].cpu(), minlength=math.prod(shape))
            self.counts[lead] += found.numpy().reshape(shape)
        self._add_spectra(forecast, observed, valid)

    def _add_spectra(self, forecast: Tensor, observed: Tensor, valid: Tensor) -> None:
        error = (observed - forecast).cpu()
        height, width = error.shape[-2:]
        window = torch.outer(torch.hann_window(height), torch.hann_window(width))
        spectrum = torch.fft.rfft2(error * window).abs().square().double().numpy()
        ring = _rings(height, width)
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
        if not self.counts.any():
            raise ValueError(
                "no validation window holds a pixel where forecast and observation are "
                "both known, wanted some to measure the errors; use other validation data"
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


@dataclass(frozen=True, eq=False)
class Dressing:
    r"""
    Noise that looks like a forecast's past errors.

    A member has, at each pixel, the value that lies at the quantile $u$ of what was
    observed in the past where a like amount was forecast in like surroundings. The
    field of $u = \Phi(\varepsilon)$ is Gaussian noise $\varepsilon$ with the power
    spectrum of the past errors, and passes from lead time to lead time as
    $\varepsilon_l = \rho_l \varepsilon_{l-1} + \sqrt{1 - \rho_l^2}\, \eta_l$ with the
    errors' own correlation $\rho_l$. So members are as spread, as skewed and as rough as
    the errors are; where no rain is forecast within `radius` pixels they stay dry.

    Parameters
    ----------
    quantiles
        Observed amount by lead, forecast amount, surroundings and quantile.
    power
        Power of the errors by lead and wavenumber, from 0 to half a cycle per pixel.
    memory
        Correlation of the errors with those one lead time before.
    radius
        Of the surroundings [pixels].
    """

    quantiles: Tensor
    power: Tensor
    memory: Tensor
    radius: int

    def members(
        self, forecast: Tensor, *, members: range, seed: int
    ) -> Iterator[Tensor]:
        """
        Members one after the other, each from the seed and its own number alone.

        Parameters
        ----------
        forecast
            Network numbers with the dimensions (lead, y, x).
        members
            Numbers of the members; member 7 is the same whoever asks.
        seed
            Seed of the noise.
        """
        device = forecast.device
        height, width = forecast.shape[-2:]
        _, surround = _conditions(forecast, self.radius)
        position = _position(forecast)
        nearby = _nearby(forecast, self.radius)
        filters = self._filters(height, width).to(device)
        table = self.quantiles.to(device)
        for number in members:
            generator = torch.Generator().manual_seed(_member_seed(seed, number))
            noise = self._noise(filters, height, width, generator, device)
            u = 0.5 * (1 + torch.erf(noise / math.sqrt(2)))
            value = _look_up(table, position, surround, u)
            yield torch.where(nearby, value, forecast.clamp(min=0.0))

    def _filters(self, height: int, width: int) -> Tensor:
        """Amplitude of each wave of a grid, so that the noise has variance one."""
        ring = _rings(height, width, whole=False)
        lower = np.minimum(ring.astype(np.int64), RINGS - 1)
        upper = np.minimum(lower + 1, RINGS - 1)
        share = torch.from_numpy((ring - lower).clip(0, 1).astype(np.float32))
        power = self.power[:, lower] * (1 - share) + self.power[:, upper] * share
        power[:, 0, 0] = power[:, 0, 0] * 0.5
        # rfft2 holds the waves between the first and the last column only once
        twice = torch.full((width // 2 + 1,), 2.0)
        twice[0] = 1.0
        if width % 2 == 0:
            twice[-1] = 1.0
        total = (power * twice).sum((-2, -1), keepdim=True)
        return (power / total.clamp(min=1e-30) * height * width).sqrt()

    def _noise(
        self,
        filters: Tensor,
        height: int,
        width: int,
        generator: torch.Generator,
        device: torch.device,
    ) -> Tensor:
        fields = []
        for lead in range(filters.shape[0]):
            white = torch.randn((height, width), generator=generator).to(device)
            colored = torch.fft.irfft2(
                torch.fft.rfft2(white) * filters[lead], s=(height, width)
            )
            if fields:
                keep = float(self.memory[lead])
                colored = keep * fields[-1] + math.sqrt(1 - keep**2) * colored
            fields.append(colored)
        return torch.stack(fields)

    def to_tensors(self) -> dict[str, Tensor]:
        """What a checkpoint holds of it."""
        return {
            "quantiles": self.quantiles,
            "power": self.power,
            "memory": self.memory,
            "radius": torch.tensor(self.radius),
        }

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor]) -> "Dressing":
        """The dressing a checkpoint holds."""
        values: dict[str, Any] = dict(tensors)
        return cls(**{**values, "radius": int(values["radius"])})


def _conditions(forecast: Tensor, radius: int) -> tuple[Tensor, Tensor]:
    """Bin of the forecast amount, and of its mean over the surroundings."""
    amount = torch.bucketize(forecast, _edges(AMOUNT_EDGES, forecast), right=True)
    window = 2 * radius + 1
    around = forecast[None].clamp(min=0)
    for size, pad in (((window, 1), (radius, 0)), ((1, window), (0, radius))):
        around = F.avg_pool2d(around, size, 1, pad, count_include_pad=False)
    edges = _edges(SURROUND_EDGES, forecast)
    return amount, torch.bucketize(around[0], edges, right=True)


def _nearby(forecast: Tensor, radius: int) -> Tensor:
    """Where rain is forecast within a radius."""
    rain = (forecast >= RAIN).float()[None]
    for size, pad in (
        ((2 * radius + 1, 1), (radius, 0)),
        ((1, 2 * radius + 1), (0, radius)),
    ):
        rain = F.max_pool2d(rain, size, 1, pad)
    return rain[0] > 0


def _position(forecast: Tensor) -> Tensor:
    """Where an amount lies between the centre of its bin and that of its neighbour."""
    edges = _edges((0.0, *AMOUNT_EDGES, 0.9), forecast)
    centres = (edges[1:] + edges[:-1]) / 2
    return (
        torch.bucketize(forecast, centres, right=True) - 1 + _between(forecast, centres)
    )


def _between(values: Tensor, centres: Tensor) -> Tensor:
    upper = torch.bucketize(values, centres, right=True).clamp(1, centres.numel() - 1)
    low, high = centres[upper - 1], centres[upper]
    inside = (values >= centres[0]) & (values < centres[-1])
    return torch.where(inside, (values - low) / (high - low), 0.0)


def _look_up(table: Tensor, position: Tensor, surround: Tensor, u: Tensor) -> Tensor:
    """Observed amount at quantile `u`, between the bins of the forecast amount."""
    leads, amounts, surrounds, levels = table.shape
    flat = table.flatten()
    lower = position.floor().clamp(0, amounts - 1)
    share = (position - lower).clamp(0, 1)
    at = (u * (levels - 1)).clamp(0, levels - 1.001)
    step = at.floor()
    rest = at - step
    lead = torch.arange(leads, device=table.device)[:, None, None]
    result = torch.zeros_like(u)
    for offset, weight in ((0, 1 - share), (1, share)):
        row = (lower.long() + offset).clamp(max=amounts - 1)
        base = ((lead * amounts + row) * surrounds + surround) * levels + step.long()
        value = flat[base] * (1 - rest) + flat[base + 1] * rest
        result = result + weight * value
    return result


def _quantiles(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """
    Quantiles of the observed amount in every bin.

    A bin that was seldom met borrows from its lead's bins of the same amount, and from
    the same bin of the neighbouring leads.
    """
    seen = counts.astype(np.float64)
    leads = np.pad(seen, ((1, 1), (0, 0), (0, 0), (0, 0)), mode="edge")
    seen = seen + 0.25 * (leads[:-2] + leads[2:])
    total = seen.sum(-1, keepdims=True)
    by_amount = seen.sum(2, keepdims=True)
    by_amount = by_amount / by_amount.sum(-1, keepdims=True).clip(min=1)
    lead_mean = seen.sum((1, 2), keepdims=True)
    lead_mean = lead_mean / lead_mean.sum(-1, keepdims=True).clip(min=1)
    empty = by_amount.sum(-1, keepdims=True) == 0
    prior = np.where(empty, lead_mean, by_amount)
    share = (seen + 50.0 * prior) / (total + 50.0)
    cumulative = share.cumsum(-1)
    cumulative /= cumulative[..., -1:].clip(min=1e-12)
    wanted = np.linspace(0.0, 1.0, QUANTILES).clip(1e-4, 1 - 1e-4)
    width = TOP / LEVELS
    flat = cumulative.reshape(-1, LEVELS)
    found = np.empty((flat.shape[0], QUANTILES))
    upper_edges = np.arange(1, LEVELS + 1) * width
    for row, curve in enumerate(flat):
        level = np.searchsorted(curve, wanted).clip(0, LEVELS - 1)
        below = np.where(level > 0, curve[level - 1], 0.0)
        inside = (wanted - below) / np.maximum(curve[level] - below, 1e-12)
        value = upper_edges[level] - width * (1 - inside.clip(0, 1))
        found[row] = np.where(level == 0, 0.0, value)
    return found.reshape(*counts.shape[:-1], QUANTILES)


def _rings(height: int, width: int, *, whole: bool = True) -> NDArray[Any]:
    """Ring of each wave: its cycles per pixel, of which half one is the last."""
    ky = np.fft.fftfreq(height)[:, None]
    kx = np.fft.rfftfreq(width)[None, :]
    ring = np.hypot(ky, kx) / 0.5 * (RINGS - 1)
    if not whole:
        return ring
    return np.rint(ring).astype(np.int64).clip(0, RINGS - 1)


def _filled(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rings that a small window never met, from those around them."""
    rings = np.arange(RINGS)
    filled = np.ones_like(power)
    for lead, row in enumerate(power):
        met = row > 0
        if met.any():
            filled[lead] = np.interp(rings, rings[met], row[met])
    return filled


def _edges(values: tuple[float, ...], like: Tensor) -> Tensor:
    return torch.tensor(values, device=like.device, dtype=torch.float32)


def _member_seed(seed: int, number: int) -> int:
    return int(
        np.random.SeedSequence((seed, number)).generate_state(1, np.uint64)[0] >> 1
    )
