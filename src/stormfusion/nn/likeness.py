"""How far apart the features of two maps are: place by place, and in their texture."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

TEXTURE = 0.5
"""Share of texture in the distance; the rest is place by place."""
TILE = 16
"""Pixels, each way, over which texture is taken together."""
FINE = 2
"""Depths whose texture is compared, the first ones: details of 2 to 8 pixels."""
GAIN = 3.0
"""Brings the texture of storms that have nothing to do with each other to about 1."""
FAINT = 0.1
"""An amplitude below which differences hardly count."""


def in_place(
    ours: Sequence[Tensor],
    theirs: Sequence[Tensor],
    spreads: Sequence[Tensor],
    valid: Tensor,
    shares: Sequence[float],
    *,
    changes: bool = False,
) -> Tensor:
    """
    Sum the squared distance of features, place by place.

    Parameters
    ----------
    ours, theirs
        Features of each depth, `(frame, channel, y, x)`, of frames `(batch, lead)`.
    spreads
        What the channels of each depth are divided by.
    valid
        The share that is valid of each pixel, `(batch, lead, y, x)`; of pairs of
        frames, if `changes`.
    shares
        How much each depth counts.
    changes
        Whether to compare the changes from one frame to the next.

    Returns
    -------
    Tensor
        `(batch, lead)`, in pixels.

    Examples
    --------
    >>> features = [torch.ones(1, 8, 16, 16)]
    >>> zeros, valid = [0 * features[0]], torch.ones(1, 1, 32, 32)
    >>> in_place(features, zeros, [torch.full((8,), 0.5)], valid, [1.0]) / valid.sum()
    tensor([[2.]])
    """
    total = torch.zeros(valid.shape[:2], device=valid.device)
    frames = (valid.shape[0], valid.shape[1] + changes)
    for depth, share in enumerate(shares):
        if not share:
            continue
        apart = ours[depth] - theirs[depth]
        apart = apart.reshape(*frames, *apart.shape[1:])
        if changes:
            apart = apart.diff(dim=1)
        size = 2 ** (depth + 1)
        known = F.avg_pool2d(valid, size)
        weight = 1 / (2 * len(spreads[depth]) * spreads[depth].square())
        squared = torch.einsum("blcyx,c->blyx", apart.square(), weight)
        total = total + share * size**2 * (squared * known).sum((2, 3))
    return total


def in_texture(
    ours: Sequence[Tensor],
    theirs: Sequence[Tensor],
    spreads: Sequence[Tensor],
    valid: Tensor,
) -> Tensor:
    """
    Sum the squared distance of the amplitudes of features, tile by tile.

    Where a storm goes is uncertain, and the mean of its features at a place is then
    near nothing. How strong they are around there is not: so a map that is smoothed
    is far, however uncertain the places.

    Parameters
    ----------
    ours, theirs, spreads, valid
        As in `in_place`, of maps whose size is a multiple of `TILE`.

    Returns
    -------
    Tensor
        `(batch, lead)`, in pixels.

    Examples
    --------
    >>> noise = torch.randn(1, 8, 16, 16, generator=torch.Generator().manual_seed(0))
    >>> valid = torch.ones(1, 1, 32, 32)
    >>> moved, gone = noise.roll(8, -1), 0 * noise
    >>> one = [torch.ones(8)]
    >>> near, far = (in_texture([n], [noise], one, valid) for n in (moved, gone))
    >>> bool(10 * near < far)
    True
    """
    total = torch.zeros(valid.shape[:2], device=valid.device)
    depths = min(FINE, len(ours))
    for depth in range(depths):
        size = 2 ** (depth + 1)
        known = F.avg_pool2d(valid, size).flatten(0, 1)[:, None]
        weight = _summed(known, TILE // size)
        whole = bool((known == 1).all())
        loud = []
        for features in (ours, theirs):
            square = features[depth].square()
            square = _summed(square if whole else square * known, TILE // size)
            square = square / weight.clamp(min=1e-6)
            square = square / spreads[depth].square()[:, None, None]
            loud.append((square + FAINT**2).sqrt())
        squared = (loud[0] - loud[1]).square().mean(1, keepdim=True) / 2
        summed = (squared * weight).sum((1, 2, 3)).reshape(valid.shape[:2])
        total = total + GAIN / depths * size**2 * summed
    return total


def _summed(values: Tensor, size: int) -> Tensor:
    """Sums over tiles; along rows first, which is faster than a pooling."""
    *front, height, width = values.shape
    along = values.reshape(*front, height, width // size, size).sum(-1)
    return along.reshape(*front, height // size, size, width // size).sum(-2)
