"""Probability matching, and the reach of rain around rain."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from stormfusion.classical.warping import resized

BINS = 4096
"""Steps in which amounts are ranked."""
COARSE = 4
"""Size of the blocks on which the reach of rain is held [pixels]."""


class Matching:
    """
    Gives a field the distribution that was observed, whatever its own.

    The pixel that ranks as the $r$-th highest gets the $r$-th highest observed amount,
    ranks told apart in 4096 steps up to the field's highest; within a step it is
    linear. What ranks behind all observed rain is dry.

    Parameters
    ----------
    observed
        Amounts observed, in the unit that fields are to get; zero where dry, and where
        they are missing: there fields must be zero, too.

    References
    ----------
    Ebert, E. E., 2001: Ability of a poor man's ensemble to predict the probability and
    distribution of precipitation. *Mon. Wea. Rev.*, **129**, 2461-2480,
    <https://doi.org/10.1175/1520-0493(2001)129%3C2461:AOAPMS%3E2.0.CO;2>.

    Examples
    --------
    >>> matching = Matching(torch.tensor([[0.0, 5.0, 1.0, 0.0]]))
    >>> field = torch.tensor([[0.1, 0.4, 0.9, 0.2]])
    >>> matching(field).round(decimals=1).tolist()
    [[0.0, 1.0, 5.0, 0.0]]
    """

    def __init__(self, observed: Float[Tensor, "y x"]) -> None:
        self.highest = observed[observed > 0].sort(descending=True).values

    def __call__(self, field: Float[Tensor, "y x"]) -> Float[Tensor, "y x"]:
        """Amounts for a field of at least zero; where it is zero it is dry."""
        if not self.highest.numel():
            return torch.zeros_like(field)
        step = field * ((BINS - 0.5) / field.amax().clamp(min=1e-20))
        first = step.int()
        count = torch.bincount(first.flatten(), minlength=BINS)
        above = count.flip(0).cumsum(0).flip(0)
        # amounts of the lowest and of the highest pixel in each step
        lowest, highest = self._ranked(above - 1), self._ranked(above - count)
        chosen = first.flatten()
        low = lowest.index_select(0, chosen).view_as(field)
        high = highest.index_select(0, chosen).view_as(field)
        return torch.lerp(low, high, step.sub_(first)).masked_fill_(field <= 0, 0.0)

    def _ranked(self, rank: Tensor) -> Tensor:
        """The observed amount of each rank from 0; none behind the last."""
        last = self.highest.numel() - 1
        return torch.where(rank > last, 0.0, self.highest[rank.clamp(0, last)])


def spread(field: Float[Tensor, "y x"]) -> Float[Tensor, "y x"]:
    """
    A field whose values above zero begin just there, in the same order.

    Examples
    --------
    >>> spread(torch.tensor([[0.0, 5.0, 5.5, 6.0]])).round(decimals=2).tolist()
    [[0.0, 0.0, 0.5, 1.0]]
    """
    wet = field > 0
    low = torch.where(wet, field, torch.inf).amin()
    step = (field.amax() - low) / BINS
    return torch.where(wet, (field - low + step).clamp(min=1e-20), 0.0)


def reach(
    wet: Bool[Tensor, "*batch y x"], pixels: float
) -> Float[Tensor, "*batch y x"]:
    """
    1 where it rains, from there falling to 0 over some pixels.

    It is held on blocks of 4 pixels, and linear between them.

    Examples
    --------
    >>> wet = torch.zeros(1, 40, 40, dtype=torch.bool)
    >>> wet[0, 20, 20] = True
    >>> near = reach(wet, 10.0)[0]
    >>> near[20, 20].item(), near[20, 30].item() < 0.4, near[20, 38].item()
    (1.0, True, 0.0)
    """
    height, width = wet.shape[-2:]
    flat = wet.reshape(-1, 1, height, width).float()
    flat = F.pad(flat, (0, -width % COARSE, 0, -height % COARSE))
    rows, columns = (size // COARSE for size in flat.shape[-2:])
    # down the rows first: a maximum of whole rows is the fastest there is
    block = flat.reshape(-1, 1, rows, COARSE, columns * COARSE).amax(3)
    block = block.reshape(-1, 1, rows, columns, COARSE).amax(4)
    times = max(round(pixels / COARSE), 1)
    total = block
    for _ in range(times):
        block = _widened(block)
        total = total + block
    near = resized(total / (times + 1), rows * COARSE, columns * COARSE)
    # between blocks, a lone pixel would lose some of it
    return near[..., :height, :width].reshape(wet.shape).maximum(wet.float())


def _widened(block: Tensor) -> Tensor:
    """The greatest of each block and its eight neighbours."""
    rows = F.pad(block, (0, 0, 1, 1))
    block = torch.maximum(rows[..., :-2, :], rows[..., 2:, :]).maximum(block)
    columns = F.pad(block, (1, 1))
    return torch.maximum(columns[..., :-2], columns[..., 2:]).maximum(block)
