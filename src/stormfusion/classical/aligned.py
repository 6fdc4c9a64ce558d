"""The last frames brought to one place, and what their scales keep from one to next."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from stormfusion.classical.cascade import Cascade
from stormfusion.classical.flow import Velocity
from stormfusion.classical.trajectories import carried, displacements


class Kept(NamedTuple):
    """
    What each level keeps from frame to frame.

    Its correlations, its standard deviation in the last frame, and how many times that
    is what it was in the frame before.
    """

    lag_1: Float[Tensor, " level"]
    lag_2: Float[Tensor, " level"]
    deviation: Float[Tensor, " level"]
    growth: Float[Tensor, " level"]


@dataclass(frozen=True, eq=False)
class Aligned:
    """
    Three frames at the place of the last one, split into levels.

    Parameters
    ----------
    values
        Above the dry, which is zero. A pixel that has come from beyond the edge, or is
        missing, has the value of the frame after.
    known
        Where all three are known.
    cascade
        Of the domain.

    Examples
    --------
    Rain that moves and does not change:

    >>> rain = torch.rand(96, 96, generator=torch.manual_seed(0)).expand(3, 96, 96)
    >>> frames = torch.stack([frame.roll(2 * i, 1) for i, frame in enumerate(rain)])
    >>> velocity = torch.zeros(1, 2, 96, 96)
    >>> velocity[:, 1] = 2.0
    >>> aligned = Aligned.of(frames, velocity, Cascade.of(96, 96), dry=0.0, least=0.0)
    >>> kept = aligned.kept(torch.ones(96, 96))
    >>> bool((kept.lag_1 > 0.99).all())
    True
    """

    values: Float[Tensor, "3 y x"]
    known: Bool[Tensor, "y x"]
    cascade: Cascade

    @classmethod
    def of(
        cls,
        frames: Float[Tensor, "3 y x"],
        velocity: Velocity,
        cascade: Cascade,
        *,
        dry: float,
        least: float,
    ) -> "Aligned":
        """
        Frames brought to the place of the last by their motion.

        Parameters
        ----------
        frames
            Network numbers, NaN where missing.
        velocity
            From one of them to the next [pixels].
        cascade
            Of the domain.
        dry
            Network number that counts as zero, below all rain.
        least
            Network number from which on a pixel is wet.
        """
        back = displacements(velocity, 2)[0]
        first, middle = carried(frames[:2], back.flip(0))
        last = frames[2]
        known = first.isfinite() & middle.isfinite() & last.isfinite()
        middle = torch.where(middle.isnan(), last, middle)
        first = torch.where(first.isnan(), middle, first)
        still = torch.stack((first, middle, last))
        return cls(torch.where(still >= least, still - dry, 0.0), known, cascade)

    @cached_property
    def waves(self) -> Tensor:
        """The transforms of all three."""
        return self.cascade.transform(self.values)

    def level(self, number: int) -> Float[Tensor, "3 y x"]:
        """One level of all three."""
        return self.cascade.back(self.waves * self.cascade.filters[number])

    def kept(self, weight: Float[Tensor, "y x"]) -> Kept:
        """
        Correlations from frame to frame, and standard deviations, of each level.

        They are those of the pixels where it rains, or may: taken over a domain that is
        mostly dry, noise would be too weak where it rains, and the contrast between wet
        and dry, which lasts, would pass for a memory of the rain.

        Parameters
        ----------
        weight
            How much each pixel counts, from 0. Those that are not known in all three
            frames do not, unless none is: then a frame that is missing counts as the
            one after it.

        Returns
        -------
        Kept
            NaN where a level does not vary.
        """
        there = weight * self.known
        weight = there if bool(there.any()) else weight
        share = weight / weight.sum().clamp(min=1e-12)
        found = []
        for number in range(len(self.cascade.filters)):
            level = self.level(number)
            off = (level - (level * share).sum((-2, -1), keepdim=True)).flatten(1)
            found.append((off * share.flatten()) @ off.T)
        both = torch.stack(found)
        size = torch.diagonal(both, dim1=1, dim2=2).sqrt()
        lag_1 = (both[:, 0, 1] + both[:, 1, 2]) / (
            size[:, 0] * size[:, 1] + size[:, 1] * size[:, 2]
        )
        lag_2 = both[:, 0, 2] / (size[:, 0] * size[:, 2])
        return Kept(lag_1, lag_2, size[:, 2], size[:, 2] / size[:, 1])
