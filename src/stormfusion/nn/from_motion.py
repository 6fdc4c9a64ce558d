"""A head that forecasts by motion first: extrapolate, smooth where due, then add."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stormfusion.nn.blocks import Network
from stormfusion.nn.motion import advect, carried_on, motion
from stormfusion.types import Future, Past

SCALES = (1, 4, 16)
"""Sizes to which an extrapolated frame is smoothed [pixels]."""
START = 3.0
"""How much the unsmoothed frame is preferred before training, as a logit."""
FASTEST = 4.0
"""A correction of the motion of one, as the body tells it [pixels per frame]."""


class FromMotion(nn.Module):
    r"""
    A body on top of advection: the last frame, moved, smoothed where due, and changed.

    The forecast of lead $l$ at pixel $p$ is

    $$\hat X_l(p) = \sum_s w_{l,s}(p)\, \bar X^{(s)}_l(p) + r_l(p), \quad
    X_l(p) = X_0(p - l\,(v + \delta v))$$

    The last observed frame $X_0$ is carried along by the motion $v$ of the last
    frames, as block matching finds it, and by the body's correction $\delta v$. A
    pixel that is missing in it stands as it was last seen. Then
    $\bar X^{(s)}$, smoothed to a size $s$, is mixed by shares $w$ that the body gives
    for every pixel and lead: small scales are predictable for minutes, large ones for
    an hour. What grows and decays is in $r$. The body sees the extrapolated frames
    besides the observed ones. Before training the mixture is nearly all unsmoothed
    and the rest zero: it starts as extrapolation.

    Parameters
    ----------
    body
        A module made for the channels and leads that `around` asks for.
    leads
        Number of leads.

    References
    ----------
    Seed, A. W., 2003: A dynamic and spatial scaling approach to advection forecasting.
    *J. Appl. Meteor.*, **42**, 381-388,
    <https://doi.org/10.1175/1520-0450(2003)042%3C0381:ADASSA%3E2.0.CO;2>.

    Examples
    --------
    For a storm that stands still:

    >>> from stormfusion.nn import UNet
    >>> network = UNet(width=2, depth=1)
    >>> module = FromMotion.around(network, channels=2, history=4, leads=3)
    >>> past = torch.zeros(1, 4, 2, 32, 32)
    >>> past[..., 0, 8:20, 8:20] = 0.5
    >>> past[..., 1, :, :] = 1.0
    >>> forecast = module(past)
    >>> bool((forecast[:, 2] - past[:, -1, 0]).abs().mean() < 0.01)
    True
    """

    start: Tensor

    def __init__(self, body: nn.Module, leads: int) -> None:
        super().__init__()
        self.body = body
        self.leads = leads
        start = torch.tensor([START] + [0.0] * (len(SCALES) - 1))
        self.register_buffer("start", start[:, None, None], persistent=False)

    @classmethod
    def around(
        cls, network: Network, *, channels: int, history: int, leads: int
    ) -> "FromMotion":
        """
        Build a network as the body: it gets further channels, and further outputs.

        The extrapolated frames stand beside the observed ones, the first beside the
        first, in as many channels as the leads need.
        """
        body = network.build(
            channels=channels + -(-leads // history),
            history=history,
            leads=leads * (1 + len(SCALES)) + 2,
        )
        return cls(body, leads)

    def forward(self, past: Past) -> Future:
        """Forecast from `past`."""
        known = carried_on(past[:, :, :2])
        last, velocity = known[:, -1, 0], motion(known)
        ahead = beside(advect(last, velocity, self.leads), history=past.shape[1])
        out: Tensor = self.body(torch.cat((past, ahead), dim=2)).float()
        parts = [2, self.leads, self.leads * len(SCALES)]
        turn, added, shares = torch.split(out, parts, dim=1)
        turn = F.avg_pool2d(turn, 9, 1, 4, count_include_pad=False)
        moved = smoothed(advect(last, velocity + FASTEST * turn, self.leads))
        shares = shares.reshape(moved.shape) + self.start
        mixed: Tensor = (shares.softmax(2) * moved).sum(2)
        return mixed + added


def smoothed(frames: Future) -> Tensor:
    """
    Frames smoothed to each of `SCALES`: `(batch, lead, scale, y, x)`.

    Examples
    --------
    >>> smoothed(torch.ones(1, 12, 30, 50)).shape
    torch.Size([1, 12, 3, 30, 50])
    """
    found = [frames]
    # products of matrices, not interpolation, whose gradient on CUDA is not repeatable;
    # in half precision they would be too rough
    with torch.autocast(frames.device.type, enabled=False):
        for scale in SCALES[1:]:
            coarse = F.avg_pool2d(
                frames.float(), scale, ceil_mode=True, count_include_pad=False
            )
            rows, columns = (
                _between(size, scale, frames.device) for size in frames.shape[-2:]
            )
            found.append(rows @ coarse @ columns.T)
    return torch.stack(found, dim=2)


def _between(size: int, scale: int, device: torch.device) -> Tensor:
    """Weights of coarse pixels in fine ones, linear between the coarse centres."""
    count = -(-size // scale)
    fine = torch.arange(size, device=device, dtype=torch.float32)
    place = ((fine + 0.5) / scale - 0.5).clamp(0, count - 1)
    coarse = torch.arange(count, device=device, dtype=torch.float32)
    return (1 - (place[:, None] - coarse).abs()).clamp(min=0)


def beside(frames: Future, *, history: int) -> Past:
    """
    Frames of all leads as channels of the observed times, zero where there is no lead.

    Examples
    --------
    >>> frames = torch.arange(1.0, 4.0).reshape(1, 3, 1, 1)
    >>> beside(frames, history=2)[0, :, :, 0, 0].tolist()
    [[1.0, 3.0], [2.0, 0.0]]
    """
    batch, leads, height, width = frames.shape
    channels = -(-leads // history)
    room = frames.new_zeros((batch, channels * history - leads, height, width))
    padded = torch.cat((frames, room), 1)
    return padded.reshape(batch, channels, history, height, width).transpose(1, 2)
