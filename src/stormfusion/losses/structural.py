"""Losses that compare neighbourhoods: structure and edges."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from stormfusion.losses.base import Loss
from stormfusion.losses.fields import mean
from stormfusion.types import Future, Scalar, Valid

WINDOW = 11
"""Width of the window of SSIM [pixels]."""

SIGMA = 1.5
"""Standard deviation of its Gaussian weights [pixels]."""


@dataclass(frozen=True)
class SSIM(Loss):
    r"""
    One minus the structural similarity.

    $$1 - \mathrm{SSIM} = 1 - \left\langle
    \frac{(2 \mu_{\hat{x}} \mu_x + C_1)(2 \sigma_{\hat{x}x} + C_2)}
    {(\mu_{\hat{x}}^2 + \mu_x^2 + C_1)(\sigma_{\hat{x}}^2 + \sigma_x^2 + C_2)}
    \right\rangle$$

    with means $\mu$, variances $\sigma^2$ and covariance $\sigma_{\hat{x}x}$ under
    a Gaussian window of 11 x 11 pixels and standard deviation 1.5,
    $C_1 = (K_1 L)^2$, $C_2 = (K_2 L)^2$, $K_1 = 0.01$, $K_2 = 0.03$ and the data range
    $L = 1$ of network numbers. The mean $\langle \cdot \rangle$ is over the windows
    that lie inside their frame and touch no missing pixel.

    Where both fields are dry the similarity is 1, so on mostly dry maps the loss is
    small whatever the storms do. Under
    `torch.set_float32_matmul_precision("high")` a GPU has too few digits for the
    variances of intense, smooth rain; leave it at `"highest"`.

    Raises
    ------
    ValueError
        If height or width is less than 11 pixels.

    References
    ----------
    Wang, Z., A. C. Bovik, H. R. Sheikh, and E. P. Simoncelli, 2004: Image quality
    assessment: From error visibility to structural similarity. *IEEE Trans. Image
    Process.*, **13**, 600-612, <https://doi.org/10.1109/TIP.2003.819861>.

    Examples
    --------
    Of two even fields only the means differ, here 0.5 and 0:

    >>> observed = torch.full((1, 1, 16, 16), 0.5)
    >>> valid = torch.ones(1, 1, 16, 16, dtype=torch.bool)
    >>> SSIM()(torch.zeros(1, 1, 16, 16), observed, valid)
    tensor(0.9996)
    >>> SSIM()(observed, observed, valid)
    tensor(0.)
    """

    name: ClassVar[str] = "ssim"
    kind: ClassVar[Literal["pixel", "shaping"]] = "shaping"

    @property
    def least(self) -> int:
        """Width of its window [pixels]."""
        return WINDOW

    def compare(self, forecast: Future, observed: Future, valid: Valid) -> Scalar:
        """Compute the loss; see `Loss.compare`."""
        height, width = forecast.shape[-2:]
        C_1, C_2 = 0.01**2, 0.03**2
        rows, columns = _window(height, valid.device), _window(width, valid.device)

        def local(field: Tensor) -> Tensor:
            return rows @ field @ columns.T

        mu_f, mu_o = local(forecast), local(observed)
        var_f = local(forecast.square()) - mu_f.square()
        var_o = local(observed.square()) - mu_o.square()
        covariance = local(forecast * observed) - mu_f * mu_o
        similarity = (
            (2 * mu_f * mu_o + C_1)
            * (2 * covariance + C_2)
            / ((mu_f.square() + mu_o.square() + C_1) * (var_f + var_o + C_2))
        )
        missing = (rows > 0).float() @ (~valid).float() @ (columns > 0).float().T
        return mean(1 - similarity, missing == 0)


def _window(size: int, device: torch.device) -> Tensor:
    # One row of weights per window that fits. Products of matrices, not convolutions:
    # GPUs round those to ten bits by default, which the variances do not survive.
    starts = torch.arange(size - WINDOW + 1, dtype=torch.float32, device=device)
    pixels = torch.arange(size, dtype=torch.float32, device=device)
    distance = pixels - starts[:, None] - WINDOW // 2
    weights = torch.exp(-distance.square() / (2 * SIGMA**2))
    weights = weights.masked_fill(distance.abs() > WINDOW // 2, 0.0)
    return weights / weights.sum(dim=1, keepdim=True)


@dataclass(frozen=True)
class GDL(Loss):
    r"""
    Gradient difference loss, which asks whether edges are as steep as observed.

    $$\mathrm{GDL} = \frac{1}{N} \sum \Big|
    |\hat{x}_j - \hat{x}_i| - |x_j - x_i| \Big|^\alpha$$

    over the $N$ pairs of neighbours $i$, $j$ along rows and columns of which neither
    is missing.

    Parameters
    ----------
    alpha
        Exponent $\alpha$, 1 or 2.

    Raises
    ------
    ValueError
        If `alpha` is anything else.

    References
    ----------
    Mathieu, M., C. Couprie, and Y. LeCun, 2016: Deep multi-scale video prediction
    beyond mean square error. *ICLR 2016*, <https://arxiv.org/abs/1511.05440>.

    Examples
    --------
    >>> observed = torch.tensor([[[[0.0, 1.0, 0.5, float("nan")]]]])
    >>> GDL()(torch.zeros(1, 1, 1, 4), observed, ~observed.isnan())
    tensor(0.7500)
    >>> GDL(alpha=2)(torch.zeros(1, 1, 1, 4), observed, ~observed.isnan())
    tensor(0.6250)
    """

    name: ClassVar[str] = "gdl"
    kind: ClassVar[Literal["pixel", "shaping"]] = "shaping"

    alpha: int = 1

    def __post_init__(self) -> None:
        if self.alpha not in (1, 2):
            raise ValueError(f"GDL needs an alpha of 1 or 2, but got {self.alpha!r}")

    def compare(self, forecast: Future, observed: Future, valid: Valid) -> Scalar:
        """Compute the loss; see `Loss.compare`."""
        differences, pairs = [], []
        for axis in (-2, -1):
            steps = forecast.diff(dim=axis).abs() - observed.diff(dim=axis).abs()
            steps = steps.abs() if self.alpha == 1 else steps.square()
            size = valid.shape[axis] - 1
            both = valid.narrow(axis, 0, size) & valid.narrow(axis, 1, size)
            differences.append(steps.flatten())
            pairs.append(both.flatten())
        return mean(torch.cat(differences), torch.cat(pairs))
