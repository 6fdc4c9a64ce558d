"""A field as a sum of scales: bandpass filters in the Fourier domain, on any grid."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

MARGIN = 16
"""Pixels beyond the domain, at least, so that its opposite edges do not meet."""


@dataclass(frozen=True, eq=False)
class Cascade:
    r"""
    Bandpass filters that split a field into levels, from the largest scale down.

    Level $k$ is the field times $f_k(\kappa)$ in the Fourier domain, where $\kappa$ is
    the wavenumber in cycles per longer side $L$ of the domain. The filters are
    Gaussians of $\log_q \kappa$, centred on $q^{k + 1/2}$ with $q^K = L / 2$ for $K$
    levels, divided by their sum: so the levels sum to the field. The mean is in the
    first two, nearly all of it in the first. The domain is extended by at least 16
    pixels to a size that transforms fast, by what its edge holds, tapered; wavenumbers
    are those of the extended grid, the same along both axes.

    Parameters
    ----------
    height, width
        Of the domain [pixels], any.
    filters
        One per level, on the half plane of `torch.fft.rfft2`.
    centres
        Wavelength at the centre of each level [pixels].
    shape
        Of the extended domain.

    References
    ----------
    Pulkkinen, S., and others, 2019: Pysteps: an open-source Python library for
    probabilistic precipitation nowcasting (v1.0). *Geosci. Model Dev.*, **12**,
    4185-4219, <https://doi.org/10.5194/gmd-12-4185-2019>.

    Examples
    --------
    >>> cascade = Cascade.of(37, 48, levels=4)
    >>> field = torch.rand(37, 48)
    >>> bool(torch.allclose(cascade.levels(field).sum(0), field, atol=1e-5))
    True
    """

    height: int
    width: int
    filters: Float[Tensor, "level y wave"]
    centres: tuple[float, ...]
    shape: tuple[int, int]

    @classmethod
    def of(
        cls,
        height: int,
        width: int,
        *,
        levels: int = 6,
        device: torch.device | str = "cpu",
    ) -> "Cascade":
        """
        The cascade of a domain.

        Parameters
        ----------
        height, width
            Of the domain [pixels].
        levels
            How many, two or more.
        device
            Where the filters are.

        Raises
        ------
        ValueError
            If there are fewer than two levels, or pixels.
        """
        if levels < 2:
            raise ValueError(f"levels is {levels!r}, wanted 2 or more; 6 is usual")
        longer = max(height, width)
        if longer < 2:
            raise ValueError(
                f"the domain has {height} x {width} pixels, wanted 2 or more along one "
                "side to have scales; use a larger one"
            )
        shape = (fast(height + MARGIN), fast(width + MARGIN))
        ratio = (longer / 2) ** (1 / levels)
        centres = tuple(longer / ratio ** (k + 0.5) for k in range(levels))
        filters = bands(shape, longer, levels, device)
        return cls(height, width, filters, centres, shape)

    def transform(self, fields: Float[Tensor, "*batch y x"]) -> Tensor:
        """The Fourier transform of fields on the extended domain."""
        found: Tensor = torch.fft.rfft2(self.extended(fields))
        return found

    def back(self, transformed: Tensor) -> Float[Tensor, "*batch y x"]:
        """Fields of their transform, on the domain."""
        whole = torch.fft.irfft2(transformed, s=self.shape)
        found: Tensor = whole[..., : self.height, : self.width]
        return found

    def levels(
        self, fields: Float[Tensor, "*batch y x"]
    ) -> Float[Tensor, "level *batch y x"]:
        """The levels of fields, which sum to them."""
        transformed = self.transform(fields)
        return torch.stack([self.back(transformed * f) for f in self.filters])

    def extended(self, fields: Float[Tensor, "*batch y x"]) -> Tensor:
        """
        Fields on the extended domain, which joins their opposite edges smoothly.

        Examples
        --------
        >>> extended = Cascade.of(4, 4, levels=2).extended(torch.ones(4, 4))
        >>> bool(torch.allclose(extended, torch.ones(20, 20)))
        True
        """
        found = fields
        for axis, size in ((-2, self.shape[0]), (-1, self.shape[1])):
            inside = fields.shape[axis]
            first = found.narrow(axis, 0, 1)
            last = found.narrow(axis, inside - 1, 1)
            count = size - inside
            share = torch.arange(1, count + 1, device=fields.device) / (count + 1)
            share = share[:, None] if axis == -2 else share
            found = torch.cat((found, last + share * (first - last)), axis)
        return found


def bands(
    shape: tuple[int, int], longer: int, levels: int, device: torch.device | str = "cpu"
) -> Float[Tensor, "level y wave"]:
    """
    The filters of each level of a domain, on a grid that may be another.

    Examples
    --------
    >>> bool(torch.allclose(bands((8, 8), 64, 4).sum(0), torch.ones(8, 5)))
    True
    """
    step = math.log(max((longer / 2) ** (1 / levels), 1.0 + 1e-3))
    waves = wavenumbers(shape, device) * longer
    place = torch.log(waves.clamp(min=1e-6)) / step
    centre = torch.arange(levels, device=device)[:, None, None] + 0.5
    # a wave longer than the domain is of the first level, as is the mean
    place = place.clamp(0.5, levels - 0.5)
    weight = torch.exp(-2.0 * (place - centre) ** 2)
    return weight / weight.sum(0)


def wavenumbers(
    shape: tuple[int, int], device: torch.device | str = "cpu"
) -> Float[Tensor, "y wave"]:
    """
    Cycles per pixel of each wave of `torch.fft.rfft2`, whatever its direction.

    Examples
    --------
    >>> round(wavenumbers((4, 8))[1, 4].item(), 3)
    0.559
    """
    down = torch.fft.fftfreq(shape[0], device=device)[:, None]
    along = torch.fft.rfftfreq(shape[1], device=device)
    found: Tensor = (down.square() + along.square()).sqrt()
    return found


def fast(size: int) -> int:
    """
    The next even size whose only prime factors are 2, 3 and 5.

    Examples
    --------
    >>> [fast(size) for size in (512, 760, 1226)]
    [512, 768, 1250]
    """
    size += size % 2
    while True:
        rest = size
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return size
        size += 2


def products(
    cascade: Cascade, one: Tensor, other: Tensor
) -> Float[Tensor, "*batch level"]:
    r"""
    Sum over all waves but the mean of the product of two fields, by level.

    By Parseval it is the covariance of the levels $f_k * a$ and $f_k * b$ over the
    extended domain, up to a factor that is the same for all.

    Examples
    --------
    >>> cascade = Cascade.of(32, 32, levels=3)
    >>> wave = cascade.transform(torch.rand(32, 32))
    >>> bool((products(cascade, wave, -wave) < 0).all())
    True
    """
    # waves that the half plane holds once stand for two
    width = cascade.shape[1]
    twice = torch.full((one.shape[-1],), 2.0, device=one.device)
    twice[0] = 1.0
    twice[width // 2] = 1.0  # the size is even
    # in real numbers: older versions of MPS take a conjugate for the number itself
    product = (one.real * other.real + one.imag * other.imag) * twice
    product[..., 0, 0] = 0.0
    return torch.einsum("kyw,...yw->...k", cascade.filters.square(), product)


def tapered(fields: Float[Tensor, "*batch y x"]) -> Float[Tensor, "*batch y x"]:
    """
    Fields that fade to zero over the outer tenth of the domain.

    Examples
    --------
    >>> tapered(torch.ones(20, 20))[0, 10].item() < 0.2
    True
    """
    found = fields
    for axis in (-2, -1):
        size = fields.shape[axis]
        rim = max(size // 10, 1)
        at = torch.arange(size, device=fields.device)
        inward = (torch.minimum(at, size - 1 - at) + 0.5) / rim
        weight = 0.5 - 0.5 * torch.cos(math.pi * inward.clamp(max=1.0))
        found = found * (weight[:, None] if axis == -2 else weight)
    return found


def padded(values: Tensor, shape: tuple[int, int]) -> Tensor:
    """
    Values with zeros below and to the right, up to a shape.

    Examples
    --------
    >>> padded(torch.ones(1, 1), (1, 3)).tolist()
    [[1.0, 0.0, 0.0]]
    """
    height, width = values.shape[-2:]
    return F.pad(values, (0, shape[1] - width, 0, shape[0] - height))
