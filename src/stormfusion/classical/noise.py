"""Noise with the texture of a field, that fades level by level as an AR model says."""

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from stormfusion.classical.autoregression import AR2
from stormfusion.classical.cascade import Cascade, padded, products, tapered

FAINT = 1e-6
"""Share of a field's greatest value that is texture; numbers are no more precise."""


class Noise:
    r"""
    Noise with the power spectrum of a field, of which each level has its own memory.

    A white field $\epsilon_s$ at each step has, in the Fourier domain, the amplitude
    $A(\kappa)$ of the field, and each level $k$ of it the variance that the field's
    level has, $\sigma_k^2$. An AR(2) model per level carries it on. All of that is
    linear and the same everywhere, so that the sum of the levels at a step is

    $$\hat n_t = \sum_{s \le t} H_{t-s}\, \hat\epsilon_s, \quad
    H_j = A \sum_k \frac{\sigma_k}{s_k} f_k\, \psi_{k,j}$$

    with the filters $f_k$, the response $\psi_{k,j}$ of the model to what was new $j$
    steps ago and the standard deviation $s_k$ that level has of itself: the levels need
    not be held apart, and a member takes one transform for each lead.

    Parameters
    ----------
    cascade
        Of the domain.
    field
        Whose texture the noise has; zero where dry.
    deviation
        Standard deviation of each level.
    model
        What becomes of each level.
    leads
        Number of steps.

    References
    ----------
    Seed, A. W., C. E. Pierce, and K. Norman, 2013: Formulation and evaluation of a
    scale decomposition-based stochastic precipitation nowcast scheme. *Water Resour.
    Res.*, **49**, 6624-6641, <https://doi.org/10.1002/wrcr.20536>.

    Examples
    --------
    >>> cascade = Cascade.of(64, 64, levels=3)
    >>> model = AR2.fitted(torch.full((3,), 0.8), torch.full((3,), 0.6))
    >>> noise = Noise(cascade, torch.rand(64, 64), torch.ones(3), model, leads=2)
    >>> noise.draw(torch.Generator().manual_seed(1)).shape
    torch.Size([2, 64, 64])
    """

    def __init__(
        self,
        cascade: Cascade,
        field: Float[Tensor, "y x"],
        deviation: Float[Tensor, " level"],
        model: AR2,
        leads: int,
    ) -> None:
        self.cascade = cascade
        self.leads = leads
        amplitude = spectrum(cascade, field)
        size = cascade.shape[0] * cascade.shape[1]
        own = (products(cascade, amplitude, amplitude) / size).sqrt()
        gain = torch.where(own > 0, deviation / own.clamp(min=1e-20), 0.0)
        shares = gain * model.response(leads)
        filters = torch.einsum("jk,kyw->jyw", shares, cascade.filters)
        # twice each, for the real and the imaginary part that lie side by side
        self.filters = (filters * amplitude.real).repeat_interleave(2, dim=-1)

    def draw(self, generator: torch.Generator) -> Float[Tensor, "lead y x"]:
        """Noise of every step, its mean over members zero."""
        fresh = torch.view_as_real(white(self.cascade.shape, self.leads, generator))
        fresh = fresh.flatten(-2)
        found = torch.empty_like(fresh)
        torch.mul(fresh, self.filters[0], out=found)
        for ago in range(1, self.leads):
            found[ago:].addcmul_(fresh[:-ago], self.filters[ago])
        pairs = found.reshape(*found.shape[:-1], -1, 2)
        return self.cascade.back(torch.view_as_complex(pairs))


def spectrum(
    cascade: Cascade, field: Float[Tensor, "y x"]
) -> Complex[Tensor, "y wave"]:
    """
    Amplitude of each wave of a field, its mean left out.

    The field fades to zero towards the edges, so that the jump from one edge to the
    opposite one is not taken for texture.

    Examples
    --------
    >>> cascade = Cascade.of(32, 32, levels=2)
    >>> spectrum(cascade, torch.ones(32, 32))[0, 0].item()
    0j
    """
    texture = field - field.mean()
    # what is left of a constant field is rounding
    texture = torch.where(texture.abs() > FAINT * field.abs().amax(), texture, 0.0)
    faded = padded(tapered(texture), cascade.shape)
    amplitude: Tensor = torch.fft.rfft2(faded).abs()
    amplitude[0, 0] = 0.0
    return amplitude.to(torch.complex64)


def white(
    shape: tuple[int, int], leads: int, generator: torch.Generator
) -> Complex[Tensor, "lead y wave"]:
    """
    The transform of white noise of unit variance, drawn as such.

    Examples
    --------
    >>> wave = white((64, 32), 1, torch.Generator().manual_seed(0))
    >>> abs(torch.fft.irfft2(wave, s=(64, 32)).std().item() - 1) < 0.05
    True
    """
    height, width = shape
    drawn = torch.randn(
        (leads, height, width // 2 + 1, 2),
        generator=generator,
        device=generator.device,
    )
    drawn *= (height * width / 2) ** 0.5
    conjugate = torch.tensor((1.0, -1.0), device=drawn.device)
    for column in (0, width // 2):
        # a real field has conjugate waves at opposite wavenumbers
        one = drawn[:, :, column]
        other = one.flip(1).roll(1, dims=1) * conjugate
        drawn[:, :, column] = (one + other) / 2**0.5
    return torch.view_as_complex(drawn)
