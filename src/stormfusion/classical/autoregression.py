"""Autoregressive models of second order, of each level of a cascade."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

MOST = 0.9999
"""Greatest correlation from frame to frame that a level is given."""


@dataclass(frozen=True, eq=False)
class AR2:
    r"""
    $x_t = \phi_1 x_{t-1} + \phi_2 x_{t-2} + \phi_0 \epsilon_t$, of unit variance.

    Parameters
    ----------
    phi_1, phi_2
        Coefficients, one of each level.
    phi_0
        Standard deviation of what is new at each step.

    Examples
    --------
    >>> model = AR2.fitted(torch.tensor([0.9]), torch.tensor([0.81]))
    >>> round(model.phi_1.item(), 3), round(model.phi_2.item(), 3)
    (0.9, 0.0)
    """

    phi_1: Float[Tensor, " level"]
    phi_2: Float[Tensor, " level"]
    phi_0: Float[Tensor, " level"]

    @classmethod
    def fitted(
        cls, lag_1: Float[Tensor, " level"], lag_2: Float[Tensor, " level"]
    ) -> "AR2":
        r"""
        The model with given correlations, by the Yule-Walker equations.

        $$\phi_1 = \rho_1 \frac{1 - \rho_2}{1 - \rho_1^2}, \quad
        \phi_2 = \frac{\rho_2 - \rho_1^2}{1 - \rho_1^2}, \quad
        \phi_0^2 = 1 - \phi_1 \rho_1 - \phi_2 \rho_2$$

        Correlations that no stationary series has, as estimates from few frames may be,
        are brought to the nearest that one has: $0 \le \rho_1 < 1$, and $\rho_2$ from
        the bound $\rho_1^{-2} (3 \rho_1^2 - 2 + 2 (1 - \rho_1^2)^{3/2})$, below which
        the series would oscillate, to $\rho_1$.

        Parameters
        ----------
        lag_1, lag_2
            Correlation with the frame before, and with the one before that; NaN, as of
            a level that holds nothing, counts as zero.

        References
        ----------
        Bowler, N. E., C. E. Pierce, and A. W. Seed, 2006: STEPS: A probabilistic
        precipitation forecasting scheme which merges an extrapolation nowcast with
        downscaled NWP. *Quart. J. Roy. Meteor. Soc.*, **132**, 2127-2155,
        <https://doi.org/10.1256/qj.04.100>.
        """
        one = lag_1.double().nan_to_num(0.0).clamp(0.0, MOST)
        square = one.square()
        least = (3 * square - 2 + 2 * (1 - square) ** 1.5) / square.clamp(min=1e-12)
        # without correlation the bound is 0 / 0; near it, a quarter of the square
        least = torch.where(square > 1e-4, least, -square / 4)
        two = lag_2.double().nan_to_num(0.0)
        two = torch.minimum(torch.maximum(two, least), one)
        phi_1 = one * (1 - two) / (1 - square)
        phi_2 = (two - square) / (1 - square)
        phi_0 = (1 - phi_1 * one - phi_2 * two).clamp(min=0.0).sqrt()
        return cls(*(part.to(lag_1.dtype) for part in (phi_1, phi_2, phi_0)))

    def kept(self, leads: int) -> Float[Tensor, "lead 2 level"]:
        """
        Shares of the last frame, and of the one before, in the mean of each lead.

        Examples
        --------
        >>> model = AR2.fitted(torch.tensor([0.5]), torch.tensor([0.25]))
        >>> model.kept(2)[:, 0, 0].tolist()
        [0.5, 0.25]
        """
        one, zero = torch.ones_like(self.phi_1), torch.zeros_like(self.phi_1)
        now, before = torch.stack((one, zero)), torch.stack((zero, one))
        found = []
        for _ in range(leads):
            now, before = self.phi_1 * now + self.phi_2 * before, now
            found.append(now)
        return torch.stack(found)

    def response(self, leads: int) -> Float[Tensor, "lead level"]:
        r"""
        What is left after $0, 1, \ldots$ steps of what was new at one.

        Examples
        --------
        >>> model = AR2.fitted(torch.tensor([0.5]), torch.tensor([0.25]))
        >>> (model.response(3)[:, 0] / model.phi_0).tolist()
        [1.0, 0.5, 0.25]
        """
        now, before = self.phi_0, torch.zeros_like(self.phi_0)
        found = [now]
        for _ in range(leads - 1):
            now, before = self.phi_1 * now + self.phi_2 * before, now
            found.append(now)
        return torch.stack(found)
