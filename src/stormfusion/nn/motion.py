"""Motion of the last frames, and frames that are carried along by it."""

import torch
import torch.nn.functional as F
from torch import Tensor

from stormfusion.types import Future, Past

COARSE = 4
"""Motion is sought on frames coarsened by this factor."""
REACH = 7
"""Largest displacement that is sought [coarse pixels]."""
WINDOW = 25
"""Width of the neighbourhood that moves together [coarse pixels]."""
UNSEEN = 0.3
"""Cost of a shift that compares with nothing, as a share of the energy."""
BACK = 3
"""Frames over which a displacement is sought, where the history has as many."""
FADE = 16.0
"""Distance over which a frame fades beyond its edge [pixels]."""


@torch.no_grad()
def motion(past: Past) -> Tensor:
    """
    Motion of the first variable, by block matching [pixels per frame].

    Parameters
    ----------
    past
        Network numbers; with a history of one frame the motion is zero. Where the
        validity, the second channel, is zero nothing is compared.

    Returns
    -------
    Tensor
        `(batch, 2, y, x)`: along y, then along x. It is zero where nothing tells.

    Examples
    --------
    >>> frame = torch.zeros(64, 64)
    >>> frame[20:36, 20:36] = torch.rand(16, 16, generator=torch.manual_seed(0))
    >>> frames = [frame.roll(2 * step, dims=1) for step in range(4)]
    >>> past = torch.stack(frames)[None, :, None]
    >>> motion(past)[0, :, 28, 34].round().abs().tolist()
    [0.0, 2.0]
    """
    history, height, width = past.shape[1], *past.shape[-2:]
    back = min(BACK, history - 1)
    if back == 0 or min(height, width) < 2 * COARSE:
        return torch.zeros((past.shape[0], 2, height, width), device=past.device)
    # half precision would round a displacement of some pixels by a tenth of one
    with torch.autocast(past.device.type, enabled=False):
        return _matched(past[:, (-1 - back, -1)].float(), back)


def carried_on(past: Past) -> Past:
    """
    The first variable, each missing pixel as it was last seen before.

    Examples
    --------
    >>> past = torch.tensor([[[3.0, 1.0], [0.0, 0.0]]])[..., None, None]
    >>> carried_on(past)[0, :, :, 0, 0].tolist()
    [[3.0, 1.0], [3.0, 1.0]]
    """
    value, known = past[:, 0, 0], past[:, 0, 1]
    found = [torch.stack((value, known), 1)]
    for step in range(1, past.shape[1]):
        seen = past[:, step, 1]
        value = torch.where(seen > 0, past[:, step, 0], value)
        known = torch.where(seen > 0, seen, known)
        found.append(torch.stack((value, known), 1))
    return torch.stack(found, 1)


def _matched(past: Past, back: int) -> Tensor:
    """Motion from the first to the second of two frames that are `back` apart."""
    height, width = past.shape[-2:]
    pad = (0, -width % COARSE, 0, -height % COARSE)
    before, now = F.avg_pool2d(F.pad(past[:, :, 0], pad), COARSE).chunk(2, dim=1)
    known = past[:, :, 1] if past.shape[2] > 1 else torch.ones_like(past[:, :, 0])
    whole = (F.avg_pool2d(F.pad(known, pad), COARSE) > 0.99).float()
    known_before, known_now = whole.chunk(2, dim=1)
    rows, columns = now.shape[-2:]
    padded = F.pad(before, (REACH, REACH, REACH, REACH))
    # a shift from beyond the edge compares with nothing
    inside = F.pad(known_before, (REACH, REACH, REACH, REACH))
    means = (_means(rows, past.device), _means(columns, past.device))
    energy = _blur(now.square() + before.square(), means)
    across = torch.arange(-REACH, REACH + 1, device=past.device)
    known_share = _blur(known_now, means).clamp(min=0.01)
    costs = []
    for dy in range(-REACH, REACH + 1):
        top = REACH - dy
        spans = [slice(REACH - dx, REACH - dx + columns) for dx in across.tolist()]
        part = torch.cat([padded[..., top : top + rows, span] for span in spans], 1)
        seen = torch.cat([inside[..., top : top + rows, span] for span in spans], 1)
        seen = seen * known_now
        share = _blur(seen, means)
        difference = _blur((now - part).square() * seen, means) / share.clamp(min=0.01)
        # of equal matches, the least motion, and what compares the most
        least = 2e-4 * (dy * dy + across * across)[:, None, None]
        unseen = (1 - share / known_share).clamp(min=0).square()
        costs.append(difference / (energy + 1e-4) + least + UNSEEN * unseen)
    found = _lowest(torch.cat(costs, dim=1))
    # where nothing rains there is nothing to match
    found = found * (energy / (energy + 1e-4))
    found = _blur(found, means) * (COARSE / back)
    large = F.interpolate(found, scale_factor=float(COARSE), mode="nearest")
    smooth = F.avg_pool2d(large, 9, 1, 4, count_include_pad=False)
    return smooth[..., :height, :width]


def _lowest(cost: Tensor) -> Tensor:
    """The displacement of least cost, to a fraction of a pixel by a parabola."""
    side = 2 * REACH + 1
    best = cost.argmin(1, keepdim=True)
    row = torch.div(best, side, rounding_mode="floor")
    column = best - row * side
    centre = row.clamp(1, side - 2) * side + column.clamp(1, side - 2)
    middle = cost.gather(1, centre)
    found = []
    for position, stride in ((row, side), (column, 1)):
        before, after = cost.gather(1, centre - stride), cost.gather(1, centre + stride)
        bend = (before - 2 * middle + after).clamp(min=1e-6)
        offset = (0.5 * (before - after) / bend).clamp(-0.5, 0.5)
        edge = (position == 0) | (position == side - 1)
        found.append(position - REACH + torch.where(edge, 0.0, offset))
    return torch.cat(found, dim=1)


def advect(frame: Tensor, velocity: Tensor, leads: int) -> Future:
    """
    Carry a frame along, backward from each pixel in a straight line.

    Parameters
    ----------
    frame
        `(batch, y, x)`.
    velocity
        `(batch, 2, y, x)` [pixels per frame]; along y, then along x.
    leads
        Number of frames ahead.

    Examples
    --------
    >>> frame = torch.arange(5.0).expand(1, 5, 5)
    >>> velocity = torch.tensor([0.0, 1.0])[None, :, None, None].expand(1, 2, 5, 5)
    >>> advect(frame, velocity, 2)[0, 1, 0].tolist()
    [0.0, 0.0, 0.0, 1.0, 2.0]
    """
    batch, height, width = frame.shape
    flat = frame.float().reshape(batch, -1)
    row = torch.arange(height, device=frame.device, dtype=torch.float32)[:, None]
    column = torch.arange(width, device=frame.device, dtype=torch.float32)
    moved = []
    for lead in range(1, leads + 1):
        from_y, from_x = row - lead * velocity[:, 0], column - lead * velocity[:, 1]
        y, x = from_y.clamp(0, height - 1), from_x.clamp(0, width - 1)
        outside = (from_y - y).abs() + (from_x - x).abs()
        # a network that diverged must not make positions outside of memory
        top = y.detach().nan_to_num(0.0).floor().clamp(max=max(height - 2, 0))
        left = x.detach().nan_to_num(0.0).floor().clamp(max=max(width - 2, 0))
        down, right = y - top, x - left
        corner = (top.long() * width + left.long()).reshape(batch, -1)
        low, high = _pair(flat, corner, right), _pair(flat, corner + width, right)
        # what comes from outside is like the edge at first, and then not known to rain
        fade = torch.exp(-outside / FADE)
        moved.append((low * (1 - down) + high * down) * fade)
    return torch.stack(moved, dim=1)


def _pair(flat: Tensor, corner: Tensor, right: Tensor) -> Tensor:
    """Two neighbours in a row, weighted; one beyond the frame weighs nothing."""
    last = flat.shape[1] - 1
    left_value = flat.gather(1, corner.clamp(max=last)).view_as(right)
    right_value = flat.gather(1, (corner + 1).clamp(max=last)).view_as(right)
    return left_value * (1 - right) + right_value * right


def _blur(values: Tensor, means: tuple[Tensor, Tensor]) -> Tensor:
    """Mean over the neighbourhood, as far as it lies within the frame."""
    return means[0] @ (values @ means[1].T)


def _means(size: int, device: torch.device) -> Tensor:
    """Matrix of the means over `WINDOW` neighbours along an axis."""
    at = torch.arange(size, device=device)
    near = ((at[:, None] - at).abs() <= WINDOW // 2).float()
    return near / near.sum(1, keepdim=True)
