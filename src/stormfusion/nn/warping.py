"""Fields that are carried along by a flow."""

import torch
import torch.nn.functional as F
from torch import Tensor

GATHERED = ("mps",)
"""Devices on which the gradient of `grid_sample` may be missing."""


def warped(field: Tensor, flow: Tensor) -> Tensor:
    """
    What a field holds where a flow points to from each pixel.

    Parameters
    ----------
    field
        `(batch, channel, y, x)`.
    flow
        `(batch, 2, y, x)`: along x, then along y, in pixels. A flow of zero gives the
        field itself, to rounding. Between pixels it is bilinear, and zero beyond the
        edge.

    Returns
    -------
    Tensor
        The field there, in the precision of `flow`, which is single at least.

    Examples
    --------
    >>> field = torch.arange(8.0).reshape(1, 1, 2, 4)
    >>> flow = torch.zeros(1, 2, 2, 4)
    >>> torch.equal(warped(field, flow), field)
    True
    >>> flow[:, 0] = 1.0
    >>> warped(field, flow)[0, 0].tolist()
    [[1.0, 2.0, 3.0, 0.0], [5.0, 6.0, 7.0, 0.0]]
    """
    height, width = field.shape[-2:]
    flow = flow.to(torch.promote_types(flow.dtype, torch.float32))
    field = field.to(flow.dtype)
    x = torch.arange(width, dtype=flow.dtype, device=flow.device) + flow[:, 0]
    rows = torch.arange(height, dtype=flow.dtype, device=flow.device)
    y = rows[:, None] + flow[:, 1]
    if field.device.type in GATHERED:
        return _gathered(field, y, x)
    # -1 and 1 are the outer edges of the first and last pixel, not their centres,
    # which are one place where there is one pixel only
    places = torch.stack(((2 * x + 1) / width, (2 * y + 1) / height), dim=-1) - 1
    return F.grid_sample(field, places, align_corners=False)


def _gathered(field: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """The same, of operators that every device has."""
    height, width = field.shape[-2:]
    flat = field.flatten(2)
    top, left = y.detach().floor(), x.detach().floor()
    found = torch.zeros_like(field)
    for down in (0, 1):
        for right in (0, 1):
            row, column = top + down, left + right
            within = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            share = (1 - (y - row).abs()) * (1 - (x - column).abs())
            share = torch.where(within, share, 0.0)
            row, column = row.clamp(0, height - 1), column.clamp(0, width - 1)
            place = (row * width + column).long().flatten(1)[:, None]
            taken = flat.gather(2, place.expand(-1, flat.shape[1], -1))
            found = found + share[:, None] * taken.reshape(field.shape)
    return found
