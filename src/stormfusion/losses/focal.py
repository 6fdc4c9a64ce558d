"""Losses that look hardest at the frames that are hardest to forecast."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from stormfusion.losses.balanced import Balanced
from stormfusion.losses.base import Loss
from stormfusion.losses.fields import mean
from stormfusion.types import Future, Scalar, Valid

EQUAL = 1e-6
"""Share of the largest difference by which the others are equal to it: rounding."""


@dataclass(frozen=True, kw_only=True)
class Focal(Loss):
    """What the focal frame losses of plain errors share; see `FFMSE`."""

    kind: ClassVar[Literal["pixel", "shaping"]] = "pixel"

    k: float = 2.0
    eps: float = 0.01

    def __post_init__(self) -> None:
        check_focus(self.name, self.k, self.eps)


@dataclass(frozen=True, kw_only=True)
class FFMSE(Focal):
    r"""
    Focal frame mean squared error: the mean squared error, frames weighted.

    $$\mathrm{FF\text{-}MSE} = \frac{1}{N} \sum_t W_t \sum_{i \in t}
    (\hat{x}_i - x_i)^2, \quad
    W_t = \left(\frac{D_t - \min_s D_s}{\max_s D_s - \min_s D_s} + \epsilon\right)^k$$

    over the frames $t$ of every sequence and their valid pixels $i$, $N$ in the whole
    batch, with the mean absolute difference $D_t$ of a frame; minimum and maximum are
    over the frames $s$ of the same sequence that have a valid pixel. The easiest frame
    of a sequence weighs $\epsilon^k$ and the hardest $(1 + \epsilon)^k$, whatever the
    size of the differences.

    The weight is a number, not a function of the forecast: no gradient flows through
    it. If it did, a network would be rewarded for a worse forecast of the easiest
    frame, as that brings the weights of all others down.

    Where all $D_t$ of a sequence are equal, or it has one frame, $W_t = 1$; and so it
    is with $k = 0$, which is the plain mean squared error.

    The frames are those that the loss is called with: the leads, and in the training of
    a recurrent network also the observed frames that it reconstructs on its way, for
    which the paper wrote it.

    Parameters
    ----------
    k
        How much harder it looks at hard frames than at easy ones; 0 or more.
    eps
        What keeps the easiest frame from weighing nothing, above zero.

    Raises
    ------
    ValueError
        If `k` is negative, `eps` is not above zero, or either is not finite.

    References
    ----------
    Ma, Z., H. Zhang, and J. Liu, 2022: Focal frame loss: A simple but effective loss
    for precipitation nowcasting. *IEEE J. Sel. Topics Appl. Earth Obs. Remote Sens.*,
    **15**, <https://doi.org/10.1109/JSTARS.2022.3194522>.

    Examples
    --------
    Two frames: of the first 0.1 is missing, of the second 0.3, which alone counts.

    >>> observed = torch.tensor([0.1, 0.3]).reshape(1, 2, 1, 1)
    >>> FFMSE()(0 * observed, observed, observed > 0)
    tensor(0.0459)
    >>> FFMSE(k=0)(0 * observed, observed, observed > 0)
    tensor(0.0500)
    """

    name: ClassVar[str] = "ff_mse"

    def compare(self, forecast: Future, observed: Future, valid: Valid) -> Scalar:
        """Compute the loss; see `Loss.compare`."""
        W = frame_weights(forecast, observed, valid, k=self.k, eps=self.eps)
        return mean(W[..., None, None] * (forecast - observed).square(), valid)


@dataclass(frozen=True, kw_only=True)
class FFMAE(Focal):
    r"""
    Focal frame mean absolute error: the mean absolute error, frames weighted.

    $$\mathrm{FF\text{-}MAE} = \frac{1}{N} \sum_t W_t \sum_{i \in t} |\hat{x}_i - x_i|$$

    with the weights of `FFMSE`, where all else is said.

    Parameters
    ----------
    k, eps
        As in `FFMSE`.

    Raises
    ------
    ValueError
        As in `FFMSE`.

    Examples
    --------
    >>> observed = torch.tensor([0.1, 0.3]).reshape(1, 2, 1, 1)
    >>> FFMAE()(0 * observed, observed, observed > 0)
    tensor(0.1530)
    """

    name: ClassVar[str] = "ff_mae"

    def compare(self, forecast: Future, observed: Future, valid: Valid) -> Scalar:
        """Compute the loss; see `Loss.compare`."""
        W = frame_weights(forecast, observed, valid, k=self.k, eps=self.eps)
        return mean(W[..., None, None] * (forecast - observed).abs(), valid)


@dataclass(frozen=True, kw_only=True)
class FFL(Balanced):
    r"""
    Focal frame loss: balanced errors of frames that are weighted.

    $$\mathrm{FFL} = \frac{1}{N} \sum_t W_t \sum_{i \in t}
    w(x_i) \left[(\hat{x}_i - x_i)^2 + |\hat{x}_i - x_i|\right]$$

    with the weights $W_t$ of frames of `FFMSE` and those of pixels $w$ of `BMSE`: hard
    rain and hard frames at once, B-MSE and B-MAE together. The difference $D_t$ by
    which a frame is hard is the plain one, without $w$.

    Parameters
    ----------
    k, eps
        As in `FFMSE`.
    thresholds, weights, a, b, variable
        As in `BMSE`.

    Raises
    ------
    ValueError
        As in `FFMSE` and `BMSE`.

    References
    ----------
    As of `FFMSE` and `BMSE`.

    Examples
    --------
    >>> observed = torch.tensor([0.1, 0.3]).reshape(1, 2, 1, 1)
    >>> FFL().bound("rain_rate")(0 * observed, observed, observed > 0)
    tensor(0.1989)
    """

    name: ClassVar[str] = "ffl"

    k: float = 2.0
    eps: float = 0.01

    def __post_init__(self) -> None:
        check_focus(self.name, self.k, self.eps)
        super().__post_init__()

    def compare(self, forecast: Future, observed: Future, valid: Valid) -> Scalar:
        """Compute the loss; see `Loss.compare`."""
        W = frame_weights(forecast, observed, valid, k=self.k, eps=self.eps)
        w = self.pixel_weights(observed)
        error = forecast - observed
        return mean(W[..., None, None] * w * (error.square() + error.abs()), valid)


@torch.no_grad()
def frame_weights(
    forecast: Future, observed: Future, valid: Valid, *, k: float, eps: float
) -> Float[Tensor, "batch lead"]:
    """
    What each frame weighs in its sequence, by how far off it is; see `FFMSE`.

    Parameters
    ----------
    forecast, observed
        Network numbers, zero where not valid.
    valid
        Where `observed` was observed.
    k, eps
        As in `FFMSE`.

    Returns
    -------
    Tensor
        The weights; 1 in frames without a valid pixel.

    Examples
    --------
    >>> forecast = torch.tensor([1.0, 1.5, 2.0, 3.0]).reshape(1, 4, 1, 1)
    >>> frame_weights(forecast, 0 * forecast, forecast > 0, k=2.0, eps=0.01)
    tensor([[1.0000e-04, 6.7600e-02, 2.6010e-01, 1.0201e+00]])
    """
    pixels = valid.sum((-2, -1))
    D = (forecast - observed).abs().sum((-2, -1)) / pixels.clamp(min=1)
    seen = pixels > 0
    least = torch.where(seen, D, torch.inf).amin(1, keepdim=True)
    most = torch.where(seen, D, 0.0).amax(1, keepdim=True)
    # before the power: of 0 / 0 no power makes a number
    apart = seen & (most - least > EQUAL * most)
    share = torch.where(apart, (D - least) / (most - least), 1.0)
    return torch.where(apart, (share + eps) ** k, 1.0)


def check_focus(name: str, k: float, eps: float) -> None:
    """
    Refuse what makes no weight of a frame.

    Examples
    --------
    >>> check_focus("ffl", -1.0, 0.01)
    Traceback (most recent call last):
    ValueError: 'ffl' got k=-1.0, wanted a finite number, 0 or more; ...
    """
    if not (_is_number(k) and 0 <= k < math.inf):
        raise ValueError(
            f"{name!r} got k={k!r}, wanted a finite number, 0 or more; 2 is the "
            "paper's, and 0 weighs all frames alike"
        )
    if not (_is_number(eps) and 0 < eps < math.inf):
        raise ValueError(
            f"{name!r} got eps={eps!r}, wanted a finite number above zero, such as "
            "0.01; at 0 the easiest frame of a sequence teaches nothing"
        )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)
