"""A loss of waves: how much detail there is, and whether it lies where it was seen."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Literal

import torch
from torch import Tensor

from stormfusion.losses.base import Loss
from stormfusion.types import Future, Scalar, Valid

FAINT = 0.01
"""Mean square below which a map counts as dry, softly."""

QUIET = 1e-5
"""Mean power of a class of waves that is none, softly; as of noise that no eye sees."""

STILL = 1e-6
"""Power of a wave that is none, softly."""


@dataclass(frozen=True, kw_only=True)
class Spectral(Loss):
    r"""
    Fourier amplitude, correlation and power spectrum, for detail in its place.

    $$\frac{1}{N} \sum_t n_t \left(s_A A_t + s_C C_t + s_P P_t\right)$$

    over the frames $t$ of the batch, $n_t$ valid pixels of $N$. With the orthonormal
    Fourier transforms $\hat{F}_k$ and $F_k$ of forecast and observation,

    $$A_t = \frac{\sum_k (|\hat{F}_k| - |F_k|)^2}{\sum_k |F_k|^2 + c}, \qquad
    C_t = 1 - \frac{\Re \sum_k \hat{F}_k F_k^* + c}
    {\sqrt{\sum_k |\hat{F}_k|^2 + c} \, \sqrt{\sum_k |F_k|^2 + c}},$$

    $$P_t = \frac{1}{R} \sum_r \left(\frac{1}{2} \ln \frac{\hat{S}_r + \varepsilon}
    {S_r + \varepsilon}\right)^2$$

    with the mean power $S_r$ in each of $R$ classes of wavelength, half an octave wide,
    of the map under a Hann window. $c = 0.01 \, n_t$ and $\varepsilon = 10^{-5}$ keep
    dry maps and waves that are noise from counting as storms do.

    The amplitude $A$ and the power $P$ ask how much of every wave there is, wherever it
    lies: what was smoothed away is missing, and a storm that is displaced is not. They
    cannot tell where it belongs. The correlation $C$ can, and by Parseval's theorem it
    is that of the pixels; it does not mind smooth maps. Together they ask for detail,
    and for detail in its place.

    Amplitude and correlation are those of FACL. That takes one of the two at random in
    each step of a training, the amplitude ever more often, and no other loss; here all
    terms stand in every step, beside a pixel loss, and nothing is random. There the
    sums of the correlation run over the whole batch; here each frame is compared for
    itself, so that a batch may be cut into parts. The amplitude is there divided by
    the number of pixels, here by what was observed; $P$ and $c$ are ours.

    Missing pixels are zero, which is dry, in both maps: the edge of what was seen is a
    step in both, and what the forecast says beyond it is not seen. The waves are those
    of pixels, whether the sides of a map are equal or not, and the map repeats beyond
    its edges.

    Parameters
    ----------
    amplitude, correlation, power
        The shares $s_A$, $s_C$ and $s_P$; 0 leaves a term out. That of the power is
        small, for a logarithm is steep: of a smoothed forecast it then has a gradient
        about as large as that of each other term.

    Raises
    ------
    ValueError
        If a share is negative or not finite, or all are 0; if a map has less than 8
        pixels each way.

    References
    ----------
    Yan, C.-W., S. Q. Foo, V. H. Trinh, D.-Y. Yeung, K.-H. Wong, and W.-K. Wong, 2024:
    Fourier amplitude and correlation loss: Beyond using L2 loss for skillful
    precipitation nowcasting. *NeurIPS 2024*, <https://arxiv.org/abs/2410.23159>.

    Examples
    --------
    >>> observed = torch.zeros(1, 1, 32, 48)
    >>> observed[..., 12:20, 12:20] = 0.6
    >>> valid = torch.ones(1, 1, 32, 48, dtype=torch.bool)
    >>> displaced = Spectral()(observed.roll(8, -1), observed, valid)
    >>> bool(0 < displaced < Spectral()(0 * observed, observed, valid))
    True
    >>> Spectral(correlation=0, power=0)(observed.roll(8, -1), observed, valid).round(
    ...     decimals=6
    ... )
    tensor(0.)
    """

    name: ClassVar[str] = "spectral"
    kind: ClassVar[Literal["pixel", "shaping"]] = "shaping"

    amplitude: float = 1.0
    correlation: float = 1.0
    power: float = 0.03

    def __post_init__(self) -> None:
        shares = (self.amplitude, self.correlation, self.power)
        if not all(0 <= share < math.inf for share in shares) or not any(shares):
            raise ValueError(
                f"'spectral' got the shares {shares} of amplitude, correlation and "
                "power, wanted finite numbers, 0 or more, of which one is above zero"
            )

    @property
    def least(self) -> int:
        """Rows and columns in which there are waves to tell apart [pixels]."""
        return 8

    def compare(self, forecast: Future, observed: Future, valid: Valid) -> Scalar:
        """Compute the loss; see `Loss.compare`."""
        pixels = valid.sum((-2, -1))
        c = FAINT * pixels.clamp(min=1)
        total = torch.zeros_like(c)
        if self.amplitude:
            total = total + self.amplitude * _amplitude(forecast, observed, c)
        if self.correlation:
            total = total + self.correlation * _correlation(forecast, observed, c)
        if self.power:
            total = total + self.power * _power(forecast, observed)
        return (pixels * total).sum() / pixels.sum().clamp(min=1)


def _amplitude(forecast: Future, observed: Future, c: Tensor) -> Tensor:
    twice = waves(*forecast.shape[-2:], forecast.device)[0]

    def size(field: Future) -> Tensor:
        # the root of a wave that is not there has no slope
        return (_squares(field) + STILL).sqrt()

    squares = (size(forecast) - size(observed)).square()
    seen = observed.square().sum((-2, -1))
    return (twice * squares).sum((-2, -1)) / (seen + c)


def _correlation(forecast: Future, observed: Future, c: Tensor) -> Tensor:
    # the sums over waves are those over pixels
    both = (forecast * observed).sum((-2, -1)) + c
    f = forecast.square().sum((-2, -1)) + c
    o = observed.square().sum((-2, -1)) + c
    return 1 - both / (f.sqrt() * o.sqrt())


def _power(forecast: Future, observed: Future) -> Tensor:
    shape = forecast.shape[-2:]
    twice, rings, count = waves(*shape, forecast.device)
    hann = _hann(shape[0], forecast.device)[:, None] * _hann(shape[1], forecast.device)

    def logarithm(field: Future) -> Tensor:
        S = (twice * _squares(hann * field)).flatten(-2) @ rings
        power: Tensor = S / count + QUIET
        return power.log()

    ratio: Tensor = logarithm(forecast) - logarithm(observed)
    return (ratio / 2).square().mean(-1)


def _squares(field: Future) -> Tensor:
    F: Tensor = torch.fft.rfft2(field, norm="ortho")
    return F.real.square() + F.imag.square()


def _hann(size: int, device: torch.device) -> Tensor:
    at = torch.arange(size, dtype=torch.float32, device=device)
    return torch.sin(torch.pi * (at + 0.5) / size).square()


@lru_cache(maxsize=8)
def waves(
    height: int, width: int, device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """
    The waves of a map, as they stand in the result of `rfft2`.

    Parameters
    ----------
    height, width
        Of the map [pixels].
    device
        Where the answer is wanted.

    Returns
    -------
    tuple of Tensor
        How many waves each place stands for, one or two; whether each is in each class
        of wavelength, from the shortest on; and the number of waves of each class. The
        mean of the map, which is no wave, is in none.

    Examples
    --------
    >>> twice, rings, count = waves(45, 67, torch.device("cpu"))
    >>> twice.sum().item() == 45 * 67, count.sum().item() == 45 * 67 - 1
    (True, True)
    """
    with torch.inference_mode(mode=False):
        ky = torch.fft.fftfreq(height, dtype=torch.float64)
        kx = torch.fft.rfftfreq(width, dtype=torch.float64)
        k = torch.hypot(ky[:, None], kx)
        twice = torch.full_like(k, 2.0)
        twice[:, 0] = 1.0
        if width % 2 == 0:
            twice[:, -1] = 1.0
        # halves of octaves; an edge is met in spite of rounding
        octaves = torch.floor(1e-4 - 2 * torch.log2(k.clamp(min=1e-9)))
        octaves = octaves.masked_fill(k == 0, -1).flatten()
        known = torch.tensor(sorted({o for o in octaves.tolist() if o >= 0}))
        rings = (octaves[:, None] == known).float().to(device)
        twice = twice.float().to(device)
        return twice, rings, twice.flatten() @ rings
