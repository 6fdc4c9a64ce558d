"""The loss of ensembles."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from stormfusion.losses.base import Loss
from stormfusion.losses.fields import mean
from stormfusion.types import Future, Members, Scalar, Valid


@dataclass(frozen=True)
class CRPS(Loss):
    r"""
    Fair continuous ranked probability score of an ensemble.

    $$\mathrm{CRPS} = \frac{1}{N} \sum_{n=1}^{N} \left[\frac{1}{M} \sum_i |x_i - y|
    - \frac{1}{2 M (M - 1)} \sum_{i,j} |x_i - x_j|\right]$$

    over the $N$ valid pixels of the whole batch, for the members $x_i$ of a forecast of
    `(batch, member, lead, y, x)` and the observation $y$ of `(batch, lead, y, x)`. It
    is smallest where the members are drawn from what may happen, neither all alike nor
    too far apart, and its expectation does not depend on how many there are. It is
    exact where members tie, as dry ones do, and its gradient is then that of all pairs,
    which pushes equal members neither apart nor together. Memory grows with $M$, not
    with its square.

    **Of a single forecast, `(batch, lead, y, x)` or one member, it is the absolute
    error**, as by `MAE`: it asks for the median and knows no spread. So is training by
    a recipe such as `"unet+crps"`, which warns: the network of a `Nowcaster` forecasts
    one. It is for a training loop of your own, on a network that forecasts members.

    As a score it is `verification.crps`.

    References
    ----------
    Ferro, C. A. T., 2014: Fair scores for ensemble forecasts. *Quart. J. Roy. Meteor.
    Soc.*, **140**, 1917-1923, <https://doi.org/10.1002/qj.2270>.

    Examples
    --------
    >>> members = torch.tensor([0.0, 0.0, 1.0]).reshape(1, 3, 1, 1, 1)
    >>> observed = torch.full((1, 1, 1, 1), 0.5)
    >>> CRPS()(members, observed, observed > 0)
    tensor(0.1667)
    >>> CRPS()(members[:, 0], observed, observed > 0)
    tensor(0.5000)
    """

    name: ClassVar[str] = "crps"
    kind: ClassVar[Literal["pixel", "shaping"]] = "pixel"
    members: ClassVar[bool] = True

    def beware(self, variable: str) -> str | None:
        """What its name promises and a single forecast does not hold."""
        del variable
        return (
            "the 'crps' of a single forecast is its absolute error, which knows no "
            "spread; write 'mae' to say so"
        )

    def compare(
        self, forecast: Future | Members, observed: Future, valid: Valid
    ) -> Scalar:
        """Compute the loss; see `Loss.compare`."""
        if forecast.ndim == observed.ndim:
            return mean((forecast - observed).abs(), valid)
        M = forecast.shape[1]
        # less the observation, so that it is exact where all are equal
        apart = forecast - observed[:, None]
        score = apart.abs().mean(1)
        if M > 1:
            score = score - (_steps(apart) * apart).sum(1) / (M * (M - 1))
        return mean(score, valid)


@torch.no_grad()
def _steps(members: Tensor) -> Tensor:
    r"""
    Of each member the number that is less, minus that which is greater.

    Times the members and summed it is half the sum of $|x_i - x_j|$ over all pairs, of
    which it is the gradient too: where members tie, that of either sign would do, and
    only this one treats them alike.
    """
    last = members.movedim(1, -1).contiguous()
    ordered = last.sort(-1).values
    less = torch.searchsorted(ordered, last, out_int32=True)
    upto = torch.searchsorted(ordered, last, right=True, out_int32=True)
    steps = (less + upto - members.shape[1]).movedim(-1, 1)
    return steps.to(members.dtype)
