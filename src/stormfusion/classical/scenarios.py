"""Futures of the last frames: small scales are forgotten, and made anew."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from stormfusion.classical.aligned import Aligned, Kept
from stormfusion.classical.autoregression import AR2
from stormfusion.classical.cascade import Cascade
from stormfusion.classical.flow import Frames, Velocity
from stormfusion.classical.local import LocalNoise
from stormfusion.classical.matching import Matching, reach, spread
from stormfusion.classical.noise import Noise
from stormfusion.classical.perturbations import MotionErrors
from stormfusion.classical.trajectories import Carrier, displacements

Texture: TypeAlias = Literal["global", "local"]

RIM = 20.0
"""Pixels over which the chance of rain falls off around rain."""
GROWTH = 1.0
"""Speed at which rain may reach out, besides [km/min]."""
TRACE = 0.01
"""Share of the last frame that its mean future keeps, to have an order at all."""
GAP = 0.05
"""How far the dry lies below the least rain, in network numbers."""


@dataclass(frozen=True, eq=False)
class Scenarios:
    r"""
    Possible futures of the last frames, one after the other.

    Frames are brought to the place of the last one by the motion and split into levels
    of scale. Each level, of zero mean and unit variance, goes on by an AR(2) model with
    the correlations that it had between the frames (`AR2`). Noise of the field's own
    texture (`Noise`) takes the place of what is forgotten: of small scales in minutes,
    of large ones in hours. The sum of the levels rains within reach of rain alone
    (`reach`, growing from lead to lead around the member's own rain), gets the amounts
    of the last observed frame (`Matching`), and is carried along by a motion with an
    error of the member's own (`MotionErrors`).

    Parameters
    ----------
    frames
        The last three: `(1, 3, y, x)` network numbers, NaN where missing.
    amounts
        The last of them as what adds up, such as rain rate, 0 where nothing falls;
        in the unit of the members.
    velocity
        Of the frames [pixels per frame].
    least
        Network number from which on a pixel is wet.
    leads
        Number of frames ahead.
    interval
        Between frames [s].
    spacing
        Of the grid [m].
    levels
        Of the cascade.
    apart
        How many frames lie from one of the three to the next.
    noise
        `"global"` for the texture of the whole field, `"local"` for that of the rain
        nearby; see `LocalNoise`.
    errors
        Of the motion; none for the same motion in all members.
    """

    frames: Frames
    amounts: Float[Tensor, "y x"]
    velocity: Velocity
    least: float
    leads: int
    interval: float
    spacing: float
    levels: int = 6
    apart: int = 1
    noise: Texture = "global"
    errors: MotionErrors | None = field(default_factory=MotionErrors)

    def mean(self) -> Float[Tensor, "lead y x"]:
        """
        S-PROG: what of the last frame is still known at each lead, without noise.

        It is smooth where small scales are forgotten, and matched to the amounts of the
        last frame. NaN where it would come from beyond the edge.
        """
        path = displacements(self.velocity, self.leads)[0]
        found = torch.empty((self.leads, *self.amounts.shape), device=path.device)
        near = self._near
        for lead, smooth in enumerate(self._kept):
            # where nothing is left of it, the order of the last frame is
            here = smooth + TRACE * self._aligned.values[2]
            found[lead] = self._matching(spread(here.clamp(min=0) * near))
            near = self._reach(found[lead] > 0)
        return self._carrier(found, path)

    def members(
        self, numbers: range, *, seed: int
    ) -> Iterator[Float[Tensor, "lead y x"]]:
        """Members one after the other; one is the same however many there are."""
        for number in numbers:
            yield self.member(number, seed=seed)

    def member(self, number: int, *, seed: int) -> Float[Tensor, "lead y x"]:
        """One member; NaN where it would come from beyond the edge."""
        device = self.amounts.device
        mixed = np.random.SeedSequence((seed, number)).generate_state(1, np.uint64)[0]
        generator = torch.Generator(device).manual_seed(int(mixed >> np.uint64(1)))
        path = self._path(generator)
        found = self._noise.draw(generator)
        found += self._kept
        near = self._near
        for lead in range(self.leads):
            here = found[lead].clamp_(min=0).mul_(near)
            found[lead] = self._matching(here)
            near = self._reach(found[lead] > 0)
        return self._carrier(found, path)

    @cached_property
    def _aligned(self) -> Aligned:
        height, width = self.amounts.shape
        return Aligned.of(
            self.frames[0, -3:],
            self.velocity * self.apart,
            Cascade.of(height, width, levels=self.levels, device=self.amounts.device),
            dry=self.least - GAP,
            least=self.least,
        )

    @cached_property
    def _levels(self) -> Kept:
        return self._aligned.kept(self._near)

    @cached_property
    def _model(self) -> AR2:
        return AR2.fitted(self._levels.lag_1, self._levels.lag_2, apart=self.apart)

    @cached_property
    def _kept(self) -> Float[Tensor, "lead y x"]:
        """The mean of all futures, before it is carried along."""
        cascade, waves = self._aligned.cascade, self._aligned.waves
        found = torch.empty((self.leads, *self.amounts.shape), device=waves.device)
        growth = self._levels.growth.nan_to_num(0.0, 0.0, 0.0)
        for lead, (now, before) in enumerate(self._model.kept(self.leads)):
            one = torch.einsum("k,kyw->yw", now, cascade.filters)
            other = torch.einsum("k,kyw->yw", before * growth, cascade.filters)
            wave = one * waves[2] + other * waves[1]
            wave[0, 0] = waves[2, 0, 0]
            found[lead] = cascade.back(wave)
        return found

    @cached_property
    def _noise(self) -> Noise | LocalNoise:
        aligned, deviation = self._aligned, self._levels.deviation
        if self.noise == "local":
            weight = self._near
            return LocalNoise(aligned, weight, deviation, self._model, self.leads)
        field = aligned.values[2]
        return Noise(aligned.cascade, field, deviation, self._model, self.leads)

    @cached_property
    def _matching(self) -> Matching:
        wet = self.frames[0, -1] >= self.least
        return Matching(torch.where(wet, self.amounts, 0.0))

    def _path(self, generator: torch.Generator) -> Tensor:
        if self.errors is None:
            return displacements(self.velocity, self.leads)[0]
        faster = self.errors.draw(
            generator, leads=self.leads, interval=self.interval, spacing=self.spacing
        )
        return displacements(self.velocity, self.leads, faster=faster[None])[0]

    def _reach(self, wet: Tensor) -> Tensor:
        grown = GROWTH * self.interval / 60 / (self.spacing / 1000)
        return reach(wet, RIM + grown) * self._known

    @cached_property
    def _near(self) -> Tensor:
        """Where it may rain at the first lead."""
        return self._reach(self.frames[0, -1] >= self.least)

    @cached_property
    def _known(self) -> Tensor:
        return self.frames[0, -1].isfinite().float()

    @cached_property
    def _carrier(self) -> Carrier:
        return Carrier(self.frames[:, -1].isnan())
