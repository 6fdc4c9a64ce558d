"""Noise whose texture and strength are those of the rain nearby."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from stormfusion.classical.aligned import Aligned
from stormfusion.classical.autoregression import AR2
from stormfusion.classical.cascade import bands
from stormfusion.classical.noise import Noise

TILE = 128
"""Size of the square whose texture noise has in its middle [pixels]."""
HALF = TILE // 2


class LocalNoise:
    r"""
    Noise with the power spectrum that the field has around each place.

    The domain is covered by squares of 128 pixels, each overlapping the next by half.
    What is white is the same for all of them. In each it gets the amplitude $A(\kappa)$
    of the field there, and each level the variance that the field's level has there; a
    place gets the mean of the squares that it lies in, by weights that fall from one at
    the middle of a square to zero at its edge, and as strong as they are in the mean.
    Levels whose waves are longer than half a square are made as `Noise` makes them, of
    the whole domain.

    Parameters
    ----------
    aligned
        The last frames, of which the last has the texture.
    weight
        How much each pixel counts, from 0, for the variance of its surroundings.
    deviation
        Standard deviation of each level, of the whole domain.
    model
        What becomes of each level.
    leads
        Number of frames.

    References
    ----------
    Nerini, D., N. Besic, I. Sideris, U. Germann, and L. Foresti, 2017: A non-stationary
    stochastic ensemble generator for radar rainfall fields based on the short-space
    Fourier transform. *Hydrol. Earth Syst. Sci.*, **21**, 2777-2797,
    <https://doi.org/10.5194/hess-21-2777-2017>.

    Examples
    --------
    Rain on the left, and none on the right:

    >>> from stormfusion.classical import Cascade
    >>> rain = torch.rand(3, 128, 384, generator=torch.manual_seed(0))
    >>> rain[..., 128:] = 0.0
    >>> velocity, cascade = torch.zeros(1, 2, 128, 384), Cascade.of(128, 384)
    >>> aligned = Aligned.of(rain, velocity, cascade, dry=0.0, least=0.0)
    >>> model = AR2.fitted(torch.full((6,), 0.8), torch.full((6,), 0.6))
    >>> deviation, everywhere = torch.zeros(6), torch.ones(128, 384)
    >>> noise = LocalNoise(aligned, everywhere, deviation, model, leads=2)
    >>> drawn = noise.draw(torch.Generator().manual_seed(1))[0]
    >>> drawn[:, :64].std().item() > 0.1, drawn[:, -64:].abs().max().item() < 1e-5
    (True, True)
    """

    def __init__(
        self,
        aligned: Aligned,
        weight: Float[Tensor, "y x"],
        deviation: Float[Tensor, " level"],
        model: AR2,
        leads: int,
    ) -> None:
        cascade, field = aligned.cascade, aligned.values[2]
        device = field.device
        self.leads = leads
        self.shape = tuple(field.shape)
        small = [n for n, wave in enumerate(cascade.centres) if wave <= HALF]
        large = torch.ones_like(deviation)
        large[small] = 0.0
        self.wide = Noise(cascade, field, deviation * large, model, leads)
        self.window = _window(device)
        longer = max(cascade.height, cascade.width)
        filters = bands((TILE, TILE), longer, len(cascade.centres), device)[small]
        shown = self._tiles(field[None])[0]
        inside = self._tiles(torch.ones_like(field)[None])[0] * self.window
        mean = _total(shown * inside) / _total(inside).clamp(min=1e-6)
        amplitude = torch.fft.rfft2((shown - mean) * inside).abs()
        amplitude[..., 0, 0] = 0.0
        near = self._tiles(weight[None])[0] * self.window
        total = near.sum((-2, -1)).clamp(min=1e-6)
        share = weight / weight.sum().clamp(min=1e-6)
        response = model.response(leads)
        shares = torch.zeros((leads, *amplitude.shape), device=device)
        for level, one in zip(small, filters, strict=True):
            values = aligned.level(level)[2:]
            # large scales of a small domain hold its mean
            values = values - (values * share).sum()
            varies = (self._tiles(values.square())[0] * near).sum((-2, -1)) / total
            own = _common(amplitude * one, amplitude * one)
            gain = torch.where(own > 0, (varies / own.clamp(min=1e-20)).sqrt(), 0.0)
            part = amplitude * one * gain[..., None, None]
            for ago in range(leads):
                shares[ago] += part * response[ago, level]
        self.filters = shares
        self.even = self._even(shares[0])

    def draw(self, generator: torch.Generator) -> Float[Tensor, "lead y x"]:
        """Noise of every frame, its mean over members zero."""
        found = self.wide.draw(generator)
        height, width = self.shape
        rows, columns = (-(-size // HALF) + 1 for size in self.shape)
        fresh = torch.randn(
            (self.leads, (rows + 1) * HALF, (columns + 1) * HALF),
            generator=generator,
            device=generator.device,
        )
        total = torch.zeros_like(fresh)
        for row in range(rows):
            some = slice(row * HALF, row * HALF + TILE)
            tiles = fresh[:, some].unfold(-1, TILE, HALF).movedim(1, -2)
            wave = torch.fft.rfft2(tiles)
            mixed = self.filters[0, row] * wave
            for ago in range(1, self.leads):
                mixed[ago:] += self.filters[ago, row] * wave[:-ago]
            made = torch.fft.irfft2(mixed, s=(TILE, TILE)) * self.window
            for first in (0, 1):
                # squares next but one to each other touch
                strip = made[:, first::2].movedim(1, 2).flatten(2)
                start = first * HALF
                total[:, some, start : start + strip.shape[-1]] += strip
        found += total[:, HALF : HALF + height, HALF : HALF + width] * self.even
        return found

    def _even(self, amplitude: Tensor) -> Float[Tensor, "y x"]:
        """
        What makes up for what cancels where squares meet.

        There the standard deviation is to be the mean of theirs. It would be if they
        were alike wave by wave; those of one texture are alike in the mean alone.
        """
        rows, columns = (size - 1 for size in amplitude.shape[:2])
        falls = self.window[HALF, HALF:]
        corners = []
        for down, row in enumerate((falls, 1 - falls)):
            for along, column in enumerate((falls, 1 - falls)):
                part = amplitude[down : down + rows, along : along + columns]
                corners.append((part, row[:, None] * column))
        size = amplitude.new_zeros((rows, columns, HALF, HALF))
        variance = torch.zeros_like(size)
        for one, share in corners:
            size += share * _common(one, one)[..., None, None].sqrt()
            for other, too in corners:
                variance += share * too * _common(one, other)[..., None, None]
        even = torch.where(variance > 0, size / variance.sqrt().clamp(min=1e-20), 1.0)
        height, width = self.shape
        return even.movedim(2, 1).flatten(2).flatten(0, 1)[:height, :width]

    def _tiles(self, fields: Float[Tensor, "batch y x"]) -> Tensor:
        """Squares of a field, zero beyond its edge."""
        rest = [(-size) % HALF + HALF for size in fields.shape[-2:]]
        wide = F.pad(fields, (HALF, rest[1], HALF, rest[0]))
        return wide.unfold(-2, TILE, HALF).unfold(-2, TILE, HALF)


def _total(values: Tensor) -> Tensor:
    """The sum of each square."""
    return values.sum((-2, -1), keepdim=True)


def _common(one: Tensor, other: Tensor) -> Tensor:
    """Covariance of what two amplitudes make of the same white noise."""
    twice = torch.full_like(one[0, 0, 0], 2.0)
    twice[0] = twice[-1] = 1.0
    total: Tensor = (one * other * twice).sum((-2, -1))
    return total / (TILE * TILE)


def _window(device: torch.device) -> Tensor:
    """Weights of a square, which with those of its neighbors sum to one."""
    turn = torch.arange(TILE, device=device) * (2 * torch.pi / TILE)
    across = 0.5 - 0.5 * torch.cos(turn)
    return across[:, None] * across
