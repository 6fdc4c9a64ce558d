"""Members from a deterministic forecast: dressing it in its own past errors."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stormfusion.sampling.conditions import (
    AMOUNT_EDGES,
    DEVIATES,
    RINGS,
    SURROUND_EDGES,
    place_of,
    rings_of,
    surroundings,
)


@dataclass(frozen=True, eq=False)
class Dressing:
    r"""
    Noise that looks like a forecast's past errors.

    A member has, at each pixel, the value that lies at the quantile $\Phi(\varepsilon)$
    of what was observed in the past where a like amount was forecast in like
    surroundings. The field $\varepsilon$ is Gaussian noise with the power spectrum of
    the past errors, each told as such a deviate. It passes from lead time to lead time
    as $\varepsilon_l = \rho_l \varepsilon_{l-1} + \sqrt{1 - \rho_l^2}\, \eta_l$, with
    the errors' own correlation $\rho_l$. So members are as spread, as skewed and as
    rough as the errors are; where no rain is forecast within reach they stay dry. That
    reach grows with lead time, from about half of `radius`.

    Parameters
    ----------
    quantiles
        Observed amount by lead, forecast amount, surroundings and normal deviate.
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
        fitting = self.fitted_to(forecast)
        for number in members:
            member = forecast.clamp(min=0.0).clone()
            member.view(-1)[fitting.where] = fitting.draw(number, seed)
            yield member

    def fitted_to(self, forecast: Tensor) -> "Fitting":
        """Find all of a forecast's members that does not depend on the member."""
        around, near = surroundings(forecast, self.radius)
        where = near.flatten().nonzero()[:, 0]
        leads, amounts, surrounds, deviates = self.quantiles.shape
        lead = where // forecast[0].numel()
        amount = place_of(forecast.flatten()[where], AMOUNT_EDGES)
        surround = place_of(around.flatten()[where], SURROUND_EDGES)
        rows, weights = [], []
        for a, b in ((0, 0), (0, 1), (1, 0), (1, 1)):
            row, row_share = _neighbour(amount, a, amounts)
            column, column_share = _neighbour(surround, b, surrounds)
            rows.append(((lead * amounts + row) * surrounds + column) * deviates)
            weights.append(row_share * column_share)
        return Fitting(
            where,
            torch.stack(rows),
            torch.stack(weights),
            self.quantiles.flatten().to(forecast.device),
            self._filters(*forecast.shape[-2:])[:leads].to(forecast.device),
            self.memory.tolist(),
            (forecast.shape[-2], forecast.shape[-1]),
        )

    def _filters(self, height: int, width: int) -> Tensor:
        """Amplitude of each wave of a grid, so that the noise has variance one."""
        ring = rings_of(height, width)
        lower = np.minimum(ring.astype(np.int64), RINGS - 1)
        upper = np.minimum(lower + 1, RINGS - 1)
        share = torch.from_numpy((ring - lower).clip(0, 1).astype(np.float32))
        power = self.power[:, lower] * (1 - share) + self.power[:, upper] * share
        # rfft2 holds the waves between the first and the last column only once
        twice = torch.full((width // 2 + 1,), 2.0)
        twice[0] = 1.0
        if width % 2 == 0:
            twice[-1] = 1.0
        total = (power * twice).sum((-2, -1), keepdim=True)
        return (power / total.clamp(min=1e-30) * height * width).sqrt()

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


@dataclass(frozen=True, eq=False)
class Fitting:
    """
    A dressing fitted to one forecast.

    Parameters
    ----------
    where
        Positions, in the flattened forecast, at which members differ.
    rows, weights
        Of each of them, the four rows of `quantiles` that it lies between.
    quantiles
        Observed amounts, a row of normal deviates for every bin.
    filters, memory
        Amplitudes of the noise, and its correlation in time, by lead.
    shape
        Rows and columns of the grid.
    """

    where: Tensor
    rows: Tensor
    weights: Tensor
    quantiles: Tensor
    filters: Tensor
    memory: list[float]
    shape: tuple[int, int]

    def draw(self, number: int, seed: int) -> Tensor:
        """The values of a member at `where`."""
        lowest, highest = float(DEVIATES[0]), float(DEVIATES[-1])
        last = DEVIATES.numel() - 1
        noise = self.noise(number, seed).view(-1)[self.where]
        at = (noise - lowest).mul_(last / (highest - lowest)).clamp_(0.0, last - 1e-3)
        step = at.floor()
        rest = at - step
        step = step.long()
        result = torch.zeros_like(rest)
        for row, weight in zip(self.rows, self.weights, strict=True):
            index = row + step
            low, high = self.quantiles[index], self.quantiles[index + 1]
            result += torch.lerp(low, high, rest) * weight
        return result

    def noise(self, number: int, seed: int) -> Tensor:
        """The Gaussian field of a member, with the dimensions (lead, y, x)."""
        generator = torch.Generator().manual_seed(_member_seed(seed, number))
        white = torch.randn((len(self.memory), *self.shape), generator=generator)
        waves = torch.fft.rfft2(white.to(self.filters.device)) * self.filters
        fields: Tensor = torch.fft.irfft2(waves, s=self.shape)
        for lead in range(1, len(self.memory)):
            keep = self.memory[lead]
            fields[lead] *= math.sqrt(1 - keep**2)
            fields[lead] += keep * fields[lead - 1]
        return fields


def _neighbour(place: Tensor, offset: int, count: int) -> tuple[Tensor, Tensor]:
    """The bin below a place, or that above it, and how much it weighs."""
    lower = place.floor()
    share = place - lower
    index = (lower.long() + offset).clamp(0, count - 1)
    return index, share if offset else 1 - share


def _member_seed(seed: int, number: int) -> int:
    return int(
        np.random.SeedSequence((seed, number)).generate_state(1, np.uint64)[0] >> 1
    )
