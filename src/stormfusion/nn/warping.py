"""Fields that are carried along by a flow."""

import torch
import torch.nn.functional as F
from torch import Tensor


def warped(field: Tensor, flow: Tensor) -> Tensor:
    """
    What a field holds where a flow points to from each pixel.

    Parameters
    ----------
    field
        `(batch, channel, y, x)`.
    flow
        `(batch, 2, y, x)`: along x, then along y, in pixels. A flow of zero gives the
        field itself. Between pixels it is bilinear, and zero beyond the edge.

    Returns
    -------
    Tensor
        The field there, in the precision of `flow`, which is single at least.

    Examples
    --------
    >>> field = torch.arange(6.0).reshape(1, 1, 2, 3)
    >>> flow = torch.zeros(1, 2, 2, 3)
    >>> torch.equal(warped(field, flow), field)
    True
    >>> flow[:, 0] = 1.0
    >>> warped(field, flow)[0, 0].tolist()
    [[1.0, 2.0, 0.0], [4.0, 5.0, 0.0]]
    """
    height, width = field.shape[-2:]
    flow = flow.to(torch.promote_types(flow.dtype, torch.float32))
    options = {"dtype": flow.dtype, "device": flow.device}
    x, y = torch.arange(width, **options), torch.arange(height, **options)
    # pixel centres at -1 and 1 are those of the first and last pixel
    at_x = (flow[:, 0] + x) * (2.0 / max(width - 1, 1)) - 1.0
    at_y = (flow[:, 1] + y[:, None]) * (2.0 / max(height - 1, 1)) - 1.0
    places = torch.stack((at_x, at_y), dim=-1)
    return F.grid_sample(field.to(flow.dtype), places, align_corners=True)
