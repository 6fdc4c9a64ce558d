"""Fields carried along by their motion, backward from each pixel."""

import math
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from stormfusion.classical.flow import Velocity
from stormfusion.classical.warping import sampled, warped

Path: TypeAlias = Float[Tensor, "batch lead 2 rows columns"]
"""Displacements at nodes of the grid, down the rows and along them [pixels]."""

Mode: TypeAlias = Literal["bilinear", "nearest", "bicubic"]

NODE = 8
"""Distance between the places for which trajectories are solved [pixels], at most."""
STRIDE = 4.0
"""Longest way in one step along a trajectory [pixels]."""
AT_ONCE = 2**21
"""Pixels that are carried at once, at most, but for those of one field."""


@torch.no_grad()
def displacements(
    velocity: Velocity,
    leads: int,
    *,
    faster: Float[Tensor, "batch lead 2"] | None = None,
) -> Path:
    r"""
    How far back what arrives at a place was at the start, by lead [pixels].

    The trajectory is solved backward in time, $\dot x = -v(x)$ with a motion that does
    not change, by the midpoint rule in steps of at most 4 pixels. Beyond the edge the
    motion is that of the edge. It is solved once, for all fields that are carried along
    by this motion, and at places some 8 pixels apart, between which displacement and
    motion are linear; `carried` takes it from there.

    Parameters
    ----------
    velocity
        [pixels per frame]; see `motion`.
    leads
        Number of frames ahead.
    faster
        By how much what is carried is faster than that on the way to each lead, along
        the motion and to the right of it [pixels per frame]; of a batch of members.

    References
    ----------
    Germann, U., and I. Zawadzki, 2002: Scale-dependence of the predictability of
    precipitation from continental radar images. Part I. *Mon. Wea. Rev.*, **130**,
    2859-2873,
    <https://doi.org/10.1175/1520-0493(2002)130%3C2859:SDOTPO%3E2.0.CO;2>.

    Examples
    --------
    >>> velocity = torch.ones(1, 2, 33, 33)
    >>> displacements(velocity, 12)[0, :, 0, 2, 2].tolist()[:3]
    [1.0, 2.0, 3.0]
    """
    height, width = velocity.shape[-2:]
    device = velocity.device
    at_y, at_x = _nodes(height, device)[:, None], _nodes(width, device)
    # places and speeds in nodes from here on
    rows, columns = at_y.shape[0], at_x.shape[0]
    node = torch.tensor(
        (
            max(height - 1, 1) / max(rows - 1, 1),
            max(width - 1, 1) / max(columns - 1, 1),
        ),
        device=device,
    )[:, None, None]
    spread = at_y.expand(rows, columns)[None], at_x.expand(rows, columns)[None]
    steady = warped(velocity, *spread) / node
    batch = velocity.shape[0] if faster is None else faster.shape[0]
    row = torch.arange(rows, device=device)[:, None].expand(batch, rows, columns)
    column = torch.arange(columns, device=device).expand(batch, rows, columns)
    fastest = float((steady * node).abs().amax())
    if faster is not None:
        fastest += float(faster.abs().amax())
        speed = (steady * node).square().sum(1, keepdim=True).sqrt()
        ahead = steady * node / speed.clamp(min=1e-6)
        right = torch.stack((ahead[:, 1], -ahead[:, 0]), 1)
    steps = min(max(math.ceil(fastest / STRIDE), 1), 16)
    y, x = row.float(), column.float()
    found = []
    for lead in range(leads):
        now = steady
        if faster is not None:
            along, across = faster[:, lead, :, None, None, None].unbind(1)
            now = steady + (along * ahead + across * right) / node
        now = now / steps
        for _ in range(steps):
            first = warped(now, y, x)
            middle = warped(now, y - first[:, 0] / 2, x - first[:, 1] / 2)
            y, x = y - middle[:, 0], x - middle[:, 1]
        found.append(torch.stack((row - y, column - x), 1) * node)
    return torch.stack(found, 1)


def _nodes(size: int, device: torch.device) -> Tensor:
    """Places along an axis, the first and the last pixel among them."""
    return torch.linspace(
        0, size - 1, max(-(-(size - 1) // NODE) + 1, 1), device=device
    )


@torch.no_grad()
def carried(
    fields: Float[Tensor, "batch y x"],
    displacement: Float[Tensor, "batch 2 rows columns"],
    *,
    mode: Mode = "bilinear",
) -> Float[Tensor, "batch y x"]:
    """
    Fields carried along: each pixel takes the value from where it was at the start.

    Every lead is taken from the field itself and not from the lead before, so that it
    is interpolated once: what the interpolation smooths does not grow with the lead.

    Parameters
    ----------
    fields
        In any unit, NaN where missing. Interpolated as rain rate [mm h-1] rather than
        in decibels it keeps its mass, but for what leaves the domain, and for
        convergence: where the motion converges the field is not compressed.
    displacement
        As `displacements` gives it; of one field, or of as many as there are.
    mode
        `"bilinear"`, `"nearest"`, which smooths nothing and is half a pixel off, or
        `"bicubic"`, which smooths less, and is cut to the range of its field.

    Returns
    -------
    Tensor
        NaN where it comes from beyond the edge, or from a pixel that is missing: never
        dry because it is not known. Next to a missing pixel that one counts as the mean
        of its known neighbours.

    Examples
    --------
    >>> field = torch.arange(5.0).expand(1, 5, 5)
    >>> moved = carried(field, displacements(torch.ones(1, 2, 5, 5), 2)[:, 1])
    >>> moved[0, 2].round(decimals=3)
    tensor([nan, nan, 0., 1., 2.])
    """
    missing = fields.isnan()
    return Carrier(missing)(_filled(fields, missing), displacement, mode=mode)


class Carrier:
    """
    Carries fields that are missing in the same places.

    Parameters
    ----------
    missing
        Where; of one map for all fields, or of each.
    """

    def __init__(self, missing: Bool[Tensor, "batch y x"]) -> None:
        self.known = (~missing[:, None]).float()

    def __call__(
        self,
        fields: Float[Tensor, "batch y x"],
        displacement: Float[Tensor, "batch 2 rows columns"],
        *,
        mode: Mode = "bilinear",
    ) -> Float[Tensor, "batch y x"]:
        """Fields carried along, which have numbers where they are missing, too."""
        place = _places(displacement, *fields.shape[-2:])
        sizes = (max(len(fields), len(place)), -1, -1, -1)
        place, value = place.expand(sizes), fields[:, None].expand(sizes)
        found = sampled(value, place, mode)
        if mode == "bicubic":
            low, high = value.amin((2, 3), True), value.amax((2, 3), True)
            found = found.clamp(low, high)
        # beyond the edge by more than half a pixel, the nearest is none
        known = F.grid_sample(
            self.known.expand(sizes), place, mode="nearest", align_corners=False
        )
        return found.masked_fill_(known == 0, torch.nan)[:, 0]


def _places(displacement: Tensor, height: int, width: int) -> Tensor:
    """Where each pixel comes from, as `grid_sample` counts it."""
    rows, columns = displacement.shape[-2:]
    device = displacement.device
    y, x = _nodes(height, device)[:, None], _nodes(width, device)
    # x before y, as they are in the last dimension
    node = torch.stack((x - displacement[:, 1], y - displacement[:, 0]), 2)
    # from the edges of the pixels, for between the centers of one there is no way
    size = torch.tensor((float(width), float(height)), device=device)[:, None]
    node = (2 * node + 1) / size - 1
    # half precision would round places by a pixel
    with torch.autocast(device.type, enabled=False):
        along = node @ _between(width, columns, device).T
        # the matrix of the columns first, which are then whole rows of pairs
        pairs = along.transpose(2, 3).flatten(2)
        place: Tensor = _between(height, rows, device) @ pairs
    return place.reshape(-1, height, width, 2)


def _between(size: int, nodes: int, device: torch.device) -> Tensor:
    """Shares of the nodes in each pixel, linear between two of them."""
    place = torch.arange(size, device=device) * ((nodes - 1) / max(size - 1, 1))
    node = torch.arange(nodes, device=device)
    return (1 - (place[:, None] - node).abs()).clamp(min=0)


def _filled(fields: Tensor, missing: Tensor) -> Tensor:
    """Missing pixels as the mean of their known neighbours, or zero."""
    if not bool(missing.any()):
        return fields
    fields = fields.masked_fill(missing, 0.0)
    # bicubic interpolation looks two pixels far
    for _ in range(2):
        both = torch.stack((fields, (~missing).float()), 1)
        both = F.pad(both, (1, 1, 1, 1))
        both = both[..., :-2, :] + both[..., 1:-1, :] + both[..., 2:, :]
        value, known = (both[..., :-2] + both[..., 1:-1] + both[..., 2:]).unbind(1)
        fields = torch.where(missing, value / known.clamp(min=1.0), fields)
        missing = known == 0
    return fields


@torch.no_grad()
def extrapolated(
    field: Float[Tensor, "y x"],
    velocity: Velocity,
    leads: int,
    *,
    mode: Mode = "bilinear",
) -> Float[Tensor, "lead y x"]:
    """
    A field carried along to every lead; see `displacements` and `carried`.

    Parameters
    ----------
    field
        NaN where missing.
    velocity
        Of this one field [pixels per frame].
    leads
        Number of frames ahead.
    mode
        As in `carried`.

    Examples
    --------
    >>> field = torch.arange(5.0).expand(5, 5)
    >>> extrapolated(field, torch.ones(1, 2, 5, 5), 2)[1, 2].round(decimals=3)
    tensor([nan, nan, 0., 1., 2.])
    """
    path = displacements(velocity, leads)[0]
    missing = field.isnan()[None]
    carrier, filled = Carrier(missing), _filled(field[None], missing)
    found = torch.empty((leads, *field.shape), device=field.device)
    some = max(AT_ONCE // field.numel(), 1)
    for first in range(0, leads, some):
        last = first + some
        found[first:last] = carrier(filled, path[first:last], mode=mode)
    return found
