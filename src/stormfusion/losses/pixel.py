"""Losses that compare pixel by pixel."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from stormfusion.losses.base import Loss
from stormfusion.losses.fields import mean
from stormfusion.types import Future, Scalar, Valid


@dataclass(frozen=True)
class MSE(Loss):
    r"""
    Mean squared error.

    $$\mathrm{MSE} = \frac{1}{N} \sum_{i=1}^{N} (\hat{x}_i - x_i)^2$$

    over the $N$ valid pixels of the whole batch.

    Examples
    --------
    >>> import torch
    >>> observed = torch.tensor([[[[0.0, 0.5, 1.0, float("nan")]]]])
    >>> MSE()(torch.zeros(1, 1, 1, 4), observed, ~observed.isnan())
    tensor(0.4167)
    """

    name: ClassVar[str] = "mse"
    kind: ClassVar[Literal["pixel", "shaping"]] = "pixel"

    def compare(self, forecast: Future, observed: Future, valid: Valid) -> Scalar:
        """Compute the loss; see `Loss.compare`."""
        return mean((forecast - observed).square(), valid)


@dataclass(frozen=True)
class MAE(Loss):
    r"""
    Mean absolute error.

    $$\mathrm{MAE} = \frac{1}{N} \sum_{i=1}^{N} |\hat{x}_i - x_i|$$

    over the $N$ valid pixels of the whole batch.

    Examples
    --------
    >>> import torch
    >>> observed = torch.tensor([[[[0.0, 0.5, 1.0, float("nan")]]]])
    >>> MAE()(torch.zeros(1, 1, 1, 4), observed, ~observed.isnan())
    tensor(0.5000)
    """

    name: ClassVar[str] = "mae"
    kind: ClassVar[Literal["pixel", "shaping"]] = "pixel"

    def compare(self, forecast: Future, observed: Future, valid: Valid) -> Scalar:
        """Compute the loss; see `Loss.compare`."""
        return mean((forecast - observed).abs(), valid)
