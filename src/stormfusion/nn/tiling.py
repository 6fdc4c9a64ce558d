"""Large domains, tile by tile."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from stormfusion.types import Future, Past

TILE = 768
HALO = 128
ALIGNED = 32


def forecast(
    network: Callable[[Tensor], Tensor],
    past: Past,
    *,
    tile: int = TILE,
    halo: int = HALO,
) -> Future:
    """
    Run a network on a domain of any size.

    A domain larger than a tile and its halo is cut into overlapping tiles, whose
    forecasts are joined with weights that fall linearly in the middle of the overlap.
    What a network finds in a map as a whole, such as the motion and what is carried
    along by it, is then each tile's own.

    Parameters
    ----------
    network
        A network whose normalization sees no more than its receptive field, so that a
        tile's forecast is that of the whole.
    past
        Network numbers.
    tile
        Rows and columns of a tile's own part.
    halo
        Rows and columns that tiles see beyond it.

    Examples
    --------
    >>> past = torch.rand(1, 2, 2, 50, 70)
    >>> tiled = forecast(lambda past: past[:, -1:, 0], past, tile=32, halo=8)
    >>> bool(torch.allclose(tiled[:, 0], past[:, -1, 0]))
    True
    """
    height, width = past.shape[-2:]
    if height <= tile + 2 * halo and width <= tile + 2 * halo:
        return network(past)
    total: Tensor | None = None
    weight = torch.zeros((height, width), device=past.device)
    for rows in _spans(height, tile, halo):
        for columns in _spans(width, tile, halo):
            part = network(past[..., rows, columns])
            share = torch.outer(_ramp(rows, height, halo), _ramp(columns, width, halo))
            share = share.to(past.device)
            if total is None:
                shape = (*part.shape[:2], height, width)
                total = torch.zeros(shape, device=past.device)
            total[..., rows, columns] += part * share
            weight[rows, columns] += share
    assert total is not None
    return total / weight


def _spans(size: int, tile: int, halo: int) -> Iterator[slice]:
    count = max(-(-size // tile), 1)
    for number in range(count):
        start, stop = number * size // count, (number + 1) * size // count
        # a tile begins where the strides of the whole map begin
        first = max(start - halo, 0) // ALIGNED * ALIGNED
        yield slice(first, min(stop + halo, size))


def _ramp(span: slice, size: int, halo: int) -> Tensor:
    """
    Weight along one axis: 1 within, falling to nearly 0 in the middle of the halo.

    The outer half of the halo does not count: there a tile sees its own edge.
    """
    at = torch.arange(span.start, span.stop, dtype=torch.float32) + 0.5
    rise, fall = torch.ones_like(at), torch.ones_like(at)
    if span.start > 0:
        rise = (at - span.start) / halo - 0.5
    if span.stop < size:
        fall = (span.stop - at) / halo - 0.5
    return torch.minimum(rise, fall).clamp(1e-6, 1.0)
