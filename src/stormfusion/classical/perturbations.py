"""How far the motion of a member may be from that of the last frames."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class MotionErrors:
    r"""
    Standard deviation of the error of motion, which grows with the lead $t$ [min].

    $$\sigma(t) = a\, t^b + c$$

    in km/h, along the motion and across it. The defaults are three times what was
    fitted to Lucas-Kanade motion over Finland and Switzerland and is published with
    pysteps: with that the members were too much alike.

    Parameters
    ----------
    along, across
        $a$, $b$ and $c$.

    References
    ----------
    Bowler, N. E., C. E. Pierce, and A. W. Seed, 2006: STEPS: A probabilistic
    precipitation forecasting scheme which merges an extrapolation nowcast with
    downscaled NWP. *Quart. J. Roy. Meteor. Soc.*, **132**, 2127-2155,
    <https://doi.org/10.1256/qj.04.100>.

    Examples
    --------
    >>> errors = MotionErrors()
    >>> [round(errors.deviation(minutes)[0], 1) for minutes in (5, 30, 60)]
    [4.0, 14.0, 19.7]
    """

    along: tuple[float, float, float] = (6.95911905, 0.33734287, -7.94918583)
    across: tuple[float, float, float] = (5.72309841, 0.33446594, -6.19810986)

    def deviation(self, minutes: float) -> tuple[float, float]:
        """Standard deviation along the motion and across it [km/h]."""
        found = [max(a * minutes**b + c, 0.0) for a, b, c in (self.along, self.across)]
        return found[0], found[1]

    def draw(
        self, generator: torch.Generator, *, leads: int, interval: float, spacing: float
    ) -> Float[Tensor, "lead 2"]:
        """
        What one member is faster than the motion, by lead [pixels per frame].

        Two numbers are drawn, from a Laplace distribution, and grow with the lead.

        Parameters
        ----------
        generator
            Source of the numbers.
        leads
            How many.
        interval
            Between frames [s].
        spacing
            Of the grid [m].
        """
        device = generator.device
        # the difference of two exponential numbers, of unit variance
        drawn = torch.empty((2, 2), device=device).exponential_(generator=generator)
        drawn = (drawn[0] - drawn[1]) / 2**0.5
        times = [(lead + 1) * interval / 60 for lead in range(leads)]
        size = torch.tensor([self.deviation(t) for t in times], device=device)
        return drawn * size * (interval / 3.6 / spacing)
