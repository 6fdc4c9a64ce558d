"""Members from a deterministic forecast: dressing it in its own past errors."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stormfusion.sampling.conditions import (
    RINGS,
    conditions_of,
    near_rain,
    position_of,
    rings_of,
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
    errors' own correlation $\rho_l$. So members are as spread, as skewed and as rough
    as the errors are; where no rain is forecast within `radius` pixels they stay dry.

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
        _, surround = conditions_of(forecast, self.radius)
        position = position_of(forecast)
        nearby = near_rain(forecast, self.radius)
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
        ring = rings_of(height, width, whole=False)
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
        fields: list[Tensor] = []
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


def _member_seed(seed: int, number: int) -> int:
    return int(
        np.random.SeedSequence((seed, number)).generate_state(1, np.uint64)[0] >> 1
    )
