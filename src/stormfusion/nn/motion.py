"""Motion of the last frames, and a head that forecasts what moving them leaves."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stormfusion.types import Future, Past

COARSE = 4
"""Motion is sought on frames coarsened by this factor."""
REACH = 7
"""Largest displacement that is sought [coarse pixels]."""
WINDOW = 25
"""Width of the neighbourhood that moves together [coarse pixels]."""
BACK = 3
"""Frames over which a displacement is sought, where the history has as many."""


FADE = 16.0
"""Distance over which a frame fades beyond its edge [pixels]."""


class FromMotion(nn.Module):
    r"""
    A body on top of advection: last frame, moved, plus what the body adds.

    The forecast of lead $l$ is $X_0(p - l\\,(v + \delta v)) + r_l(p)$: the last
    observed frame $X_0$, carried along by the motion $v$ of the last frames, as block
    matching finds it, and by the body's correction $\delta v$; then what the body adds
    of growth and decay, $r_l$. A body whose last layer starts at zero starts as
    extrapolation.

    Parameters
    ----------
    body
        A module made for `channels + 2` input channels (the motion is appended) and
        `leads + 2` outputs.
    leads
        Number of leads.
    """

    def __init__(self, body: nn.Module, leads: int) -> None:
        super().__init__()
        self.body = body
        self.leads = leads

    def forward(self, past: Past) -> Future:
        """Forecast from `past`."""
        velocity = motion(past)
        shape = (*past.shape[:2], 2, *past.shape[-2:])
        told = (0.2 * velocity)[:, None].expand(shape)
        out: Tensor = self.body(torch.cat((past, told), dim=2))
        correction = F.avg_pool2d(out[:, :2].float(), 9, 1, 4, count_include_pad=False)
        moved = advect(past[:, -1, 0], velocity + 4.0 * correction, self.leads)
        return moved + out[:, 2:]


@torch.no_grad()
def motion(past: Past) -> Tensor:
    """
    Motion of the first variable, by block matching [pixels per frame].

    Parameters
    ----------
    past
        Network numbers; with a history of one frame the motion is zero.

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
    >>> motion(past)[0, :, 28, 34].round().tolist()
    [0.0, 2.0]
    """
    history, height, width = past.shape[1], *past.shape[-2:]
    back = min(BACK, history - 1)
    if back == 0 or min(height, width) < 2 * COARSE:
        return past.new_zeros((past.shape[0], 2, height, width))
    values = past[:, (-1 - back, -1), 0].float()
    pad = (0, -width % COARSE, 0, -height % COARSE)
    coarse = F.avg_pool2d(F.pad(values, pad), COARSE)
    # the first frame twice: a shift beyond the edge compares with nothing
    before, now = coarse[:, :1], coarse[:, 1:]
    rows, columns = now.shape[-2:]
    padded = F.pad(before, (REACH, REACH, REACH, REACH))
    inside = F.pad(torch.ones_like(before[:1]), (REACH, REACH, REACH, REACH))
    energy = _blur(now.square()) + _blur(before.square())
    across = torch.arange(-REACH, REACH + 1, device=past.device)
    costs, shifts = [], []
    for dy in range(-REACH, REACH + 1):
        top = REACH - dy
        spans = [slice(REACH - dx, REACH - dx + columns) for dx in across.tolist()]
        part = torch.cat([padded[..., top : top + rows, span] for span in spans], 1)
        seen = torch.cat([inside[..., top : top + rows, span] for span in spans], 1)
        difference = _blur((now - part).square() * seen) / _blur(seen).clamp(min=0.1)
        # of equal matches, the least motion
        least = 2e-4 * (dy * dy + across * across)[:, None, None]
        costs.append(difference / (energy + 1e-4) + least)
        shifts += [(dy, dx) for dx in across.tolist()]
    cost = torch.cat(costs, dim=1)
    lowest = cost.amin(1, keepdim=True)
    weight = torch.softmax(-(cost - lowest) / (0.03 * lowest.clamp(min=0.02)), dim=1)
    offsets = torch.tensor(shifts, device=past.device, dtype=torch.float32)
    found = torch.einsum("bsyx,sd->bdyx", weight, offsets)
    # where nothing rains there is nothing to match
    found = found * (energy / (energy + 1e-4))
    found = _blur(found) * (COARSE / back)
    large = F.interpolate(found, scale_factor=float(COARSE), mode="nearest")
    smooth = F.avg_pool2d(large, 9, 1, 4, count_include_pad=False)
    return smooth[..., :height, :width]


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
        top = y.detach().floor().clamp(max=max(height - 2, 0))
        left = x.detach().floor().clamp(max=max(width - 2, 0))
        down, right = y - top, x - left
        corner = (top * width + left).long().reshape(batch, -1)
        low, high = _pair(flat, corner, right), _pair(flat, corner + width, right)
        # what comes from outside is like the edge at first, and then not known to rain
        fade = torch.exp(-outside / FADE)
        moved.append((low * (1 - down) + high * down) * fade)
    return torch.stack(moved, dim=1)


def _pair(flat: Tensor, corner: Tensor, right: Tensor) -> Tensor:
    """Two neighbours in a row, weighted."""
    left_value = flat.gather(1, corner).view_as(right)
    right_value = flat.gather(1, corner + 1).view_as(right)
    return left_value * (1 - right) + right_value * right


def _blur(values: Tensor) -> Tensor:
    """Mean over the neighbourhood, one axis after the other."""
    half = WINDOW // 2
    along = F.avg_pool2d(values, (WINDOW, 1), 1, (half, 0), count_include_pad=False)
    return F.avg_pool2d(along, (1, WINDOW), 1, (0, half), count_include_pad=False)
