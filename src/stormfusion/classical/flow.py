"""Motion of the last frames, by optical flow that missing data does not mislead."""

import math
from collections.abc import Iterator
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from stormfusion.classical.cascade import fast
from stormfusion.classical.warping import resized, rows_and_columns, warped

Frames: TypeAlias = Float[Tensor, "batch time y x"]
"""Network numbers of one variable, NaN where missing."""

Velocity: TypeAlias = Float[Tensor, "batch 2 y x"]
"""Displacement from frame to frame [pixels]: down the rows, then along them."""

SCALES = (32, 16, 8, 4, 2)
"""Sizes to which frames are coarsened, one after the other [pixels]."""
COARSE = 4
"""Size to which they are coarsened to see how far they moved as a whole [pixels]."""
FARTHEST = 48
"""How far that may be, at most [pixels per frame]."""
CELL = 8
"""Size of the cells on which the motion is held [pixels]."""
WINDOWS = (64.0, 32.0, 16.0, 8.0)
"""Standard deviations of the neighbourhoods that move together [pixels]."""
WAVES = 6
"""Cosine waves along each axis that the spectral method knows."""
PRIOR = 1e-4
"""How strongly a small neighbourhood holds to the motion of the larger one."""
DOUBT = 0.02
"""The same, by how badly the frames match there."""
STIFF = 0.05
"""How strongly a motion that changes evenly over the map is held to none."""
ENOUGH = 25
"""Pixels of rain in two frames in a row without which no motion is told."""
LEAST = 0.5
"""Share of the pixels of a coarse one that are known, if it is."""
FEWEST = 16
"""Known pixels of a scale in each frame without which it tells nothing."""
RAIN = 0.1
"""Network number from which on a pixel counts as rain."""

Method: TypeAlias = Literal["lucas-kanade", "spectral"]


@torch.no_grad()
def motion(frames: Frames, *, method: Method = "lucas-kanade") -> Velocity:
    r"""
    Motion of the last frames [pixels per frame].

    Sought is the $v$ for which $I_t(x) = I_{t-1}(x - v)$, from the shift of up to 48
    pixels by which the frames as a whole match best, then from coarse frames to fine
    ones. At each scale the earlier frame of a pair is carried along by the motion known
    so far, and what is left is found from gradients: with
    $A = \sum_w w\, \nabla I\, \nabla I^T$ and $b = -\sum_w w\, \nabla I\, \partial_t I$
    over all pairs, the `"lucas-kanade"` method solves

    $$(A_s + \lambda)\, (v_s - v_{s-1}) = (b - A v_{s-1})_s$$

    first for the whole map, where the motion may change evenly from one side to the
    other, then for neighbourhoods $s$ that shrink from 64 to 8 pixels: each keeps to
    the motion of the larger one where it holds too little rain to tell, or rain that
    does not match: $\lambda$ grows with the mean square of what is left of the
    difference. So dry areas move with the rain around them. A scale changes the motion
    by one of its pixels at most, and not at all where fewer than 16 of them are known.
    The `"spectral"` method finds a sum of cosine waves, the long ones first. Pixels
    count by the square of their amount (times that of the gradient), pairs with a
    missing pixel or one from beyond the edge not at all.

    Parameters
    ----------
    frames
        Two or more; those before the last three are not looked at.
    method
        `"lucas-kanade"`, or `"spectral"`, which is smoother and less exact.

    Returns
    -------
    Tensor
        Never NaN. Zero everywhere where there are not 25 pixels of rain in two frames
        in a row; see `moving`.

    Raises
    ------
    ValueError
        If there are fewer than two frames, or the method is not known.

    References
    ----------
    Lucas, B. D., and T. Kanade, 1981: An iterative image registration technique with an
    application to stereo vision. *Proc. IJCAI*, 674-679.

    Ruzanski, E., V. Chandrasekar, and Y. Wang, 2011: The CASA nowcasting system.
    *J. Atmos. Oceanic Technol.*, **28**, 640-655,
    <https://doi.org/10.1175/2011JTECHA1496.1>.

    Examples
    --------
    >>> rain = torch.rand(96, 96, generator=torch.manual_seed(0))
    >>> rain = F.avg_pool2d(rain[None, None], 9, 1, 4)[0, 0]
    >>> frames = torch.stack([rain.roll(2 * step, dims=1) for step in range(3)])
    >>> motion(frames[None])[0, :, 48, 48].round().abs().tolist()
    [0.0, 2.0]
    """
    if method not in ("lucas-kanade", "spectral"):
        raise ValueError(
            f"method is {method!r}, wanted 'lucas-kanade' or 'spectral'; leave it out "
            "for the first"
        )
    if frames.shape[1] < 2:
        raise ValueError(
            f"got {frames.shape[1]} frame, wanted two or more to see motion; use more "
            "history"
        )
    height, width = frames.shape[-2:]
    # half precision would round a displacement of some pixels by a tenth of one
    with torch.autocast(frames.device.type, enabled=False):
        frames, share = _without_gap(frames[:, -3:].float())
        rows, columns = _whole(height) // CELL, _whole(width) // CELL
        cells = _shift(frames)[:, :, None, None].expand(-1, -1, rows, columns)
        for amount, known, scale in _pyramid(frames):
            products = _products(amount, known, cells, scale)
            # gradients of a scale see no further than a pixel of it
            told = _solved(products, cells, scale, method)
            change = (told - cells).clamp(-scale, scale)
            enough = known.flatten(2).sum(2) >= FEWEST
            pairs = (enough[:, 1:] & enough[:, :-1]).any(1)
            cells = cells + change * pairs[:, None, None, None]
        found = resized(cells, _whole(height), _whole(width))[..., :height, :width]
        found = torch.where(found.isfinite(), found, 0.0)
        velocity: Velocity = found * (moving(frames) * share)[:, None, None, None]
    return velocity


def _without_gap(frames: Frames) -> tuple[Frames, Float[Tensor, " batch"]]:
    """Frames of which two in a row are there, and the share of their motion in one."""
    gap = ~frames.isfinite().flatten(2).any(2)
    middle = gap[:, 1] if frames.shape[1] == 3 else torch.zeros_like(gap[:, 0])
    moved = torch.stack((frames[:, 1 % frames.shape[1]], frames[:, 0]), 1)
    moved = torch.cat((moved, frames[:, 2:]), 1)
    found = torch.where(middle[:, None, None, None], moved, frames)
    return found, torch.where(middle, 0.5, 1.0)


def moving(frames: Frames) -> Bool[Tensor, " batch"]:
    """
    Whether there is rain enough to tell motion: 25 pixels in two frames in a row.

    A frame between two others that is wholly missing does not count.

    Examples
    --------
    >>> moving(torch.zeros(1, 3, 32, 32)).tolist()
    [False]
    """
    frames, _ = _without_gap(frames[:, -3:])
    wet = (frames >= RAIN) & frames.isfinite()
    enough = wet.flatten(2).sum(2) >= ENOUGH
    return (enough[:, 1:] & enough[:, :-1]).any(1)


def _whole(size: int) -> int:
    """The next multiple of the coarsest scale."""
    return -(-size // SCALES[0]) * SCALES[0]


def _shift(frames: Frames) -> Float[Tensor, "batch 2"]:
    """Where the frames as a whole match best, to a few pixels: where to start from."""
    known = frames.isfinite().float()
    value = frames.nan_to_num(0.0, 0.0, 0.0)
    pad = [part for size in frames.shape[:1:-1] for part in (0, -size % COARSE)]
    known, value = (F.avg_pool2d(F.pad(v, pad), COARSE) for v in (known, value))
    mean = value.sum((-2, -1), True) / known.sum((-2, -1), True).clamp(min=1e-6)
    value = value - mean * known
    # what is left of a constant field is rounding
    value = torch.where(value.abs() > 1e-5 * mean.abs(), value, 0.0)
    rows, columns = value.shape[-2:]
    # beyond the edge there is nothing, for as far as a shift may be
    reach = [min(FARTHEST // COARSE, size // 3) for size in (rows, columns)]
    shape = fast(rows + reach[0]), fast(columns + reach[1])
    wave = torch.fft.rfft2(value, s=shape)
    before, now = wave[:, :-1], wave[:, 1:]
    real = before.real * now.real + before.imag * now.imag
    imaginary = before.real * now.imag - before.imag * now.real
    match = torch.fft.irfft2(torch.complex(real, imaginary).sum(1), s=shape)
    match = match.roll(reach, (-2, -1))
    match = match[..., : 2 * reach[0] + 1, : 2 * reach[1] + 1]
    y, x = (torch.arange(-far, far + 1, device=match.device) for far in reach)
    # of two that match alike, the nearer
    away = (y[:, None].square() + x.square()).sqrt() * (COARSE / FARTHEST)
    most, best = (match * (1 - 0.2 * away)).flatten(1).max(1)
    down, along = best // x.numel() - reach[0], best % x.numel() - reach[1]
    found: Tensor = COARSE * torch.stack((down, along), 1) * (most > 0)[:, None].float()
    return found


def _pyramid(frames: Frames) -> Iterator[tuple[Frames, Frames, int]]:
    """Frames coarsened and blurred, where they are known, and the scale."""
    height, width = frames.shape[-2:]
    pad = (0, _whole(width) - width, 0, _whole(height) - height)
    known = F.pad(frames.isfinite().float(), pad)
    value = F.pad(frames.nan_to_num(0.0, 0.0, 0.0), pad)
    levels: list[tuple[Tensor, Tensor, int]] = []
    for scale in reversed(SCALES):
        step = scale if not levels else 2
        known, value = F.avg_pool2d(known, step), F.avg_pool2d(value, step)
        levels.append((value, known, scale))
    for value, known, scale in reversed(levels):
        whole = (known >= LEAST).float()
        mean = value / known.clamp(min=1e-3) * whole
        yield _blurred(mean) / _blurred(whole).clamp(min=1e-3), whole, scale


def _products(amount: Frames, known: Frames, cells: Velocity, scale: int) -> Tensor:
    """A and b of the normal equations, per cell: yy, yx, xx, y, x."""
    height, width = amount.shape[-2:]
    velocity = resized(cells, height, width) / scale
    row, column = rows_and_columns(height, width, amount.device)
    from_y, from_x = row - velocity[:, 0], column - velocity[:, 1]
    inside = (from_y >= 0) & (from_y <= height - 1)
    inside &= (from_x >= 0) & (from_x <= width - 1)
    total: Tensor | None = None
    for later in range(1, amount.shape[1]):
        earlier = torch.stack((amount[:, later - 1], known[:, later - 1]), 1)
        moved = warped(earlier, from_y, from_x)
        before, now = moved[:, 0], amount[:, later]
        both = inside & (moved[:, 1] > 0.9) & (known[:, later] > 0)
        middle = (before + now) / 2
        weight = torch.where(both, middle.square(), 0.0)
        gy, gx = _gradients(middle)
        # the equation for the whole motion, not for what it is to be changed by
        change = gy * velocity[:, 0] + gx * velocity[:, 1] - (now - before)
        wy, wx = weight * gy, weight * gx
        left = weight * (now - before).square()
        parts = (wy * gy, wy * gx, wx * gx, wy * change, wx * change, left)
        part = torch.stack(parts, 1)
        total = part if total is None else total + part
    assert total is not None
    # from coarse pixels to those of the frames
    units = torch.tensor(
        [scale**-2.0] * 3 + [1.0 / scale] * 2 + [1.0], device=amount.device
    )
    total = total * units[:, None, None]
    if scale < CELL:
        return F.avg_pool2d(total, CELL // scale)
    return F.interpolate(total, scale_factor=float(scale // CELL), mode="nearest")


def _solved(products: Tensor, cells: Velocity, scale: int, method: str) -> Velocity:
    """The motion of each cell."""
    rows, columns = products.shape[-2:]
    prior = PRIOR / scale**2
    products, left = products[:, :5], products[:, 5:]
    doubt = 1e-12 + DOUBT * left.mean((-2, -1))[..., None]
    found = cells.mean((-2, -1), keepdim=True).expand(-1, -1, rows, columns)
    whole = _remaining(products, found).mean((-2, -1), keepdim=True)
    found = found + _solve(whole, doubt)
    if method == "spectral":
        return found + _waves(_remaining(products, found), prior + doubt, scale)
    found = found + _slopes(_remaining(products, found), doubt)
    for window in WINDOWS:
        if window < scale:
            break
        spread = window / CELL
        near = (_weights(size, spread, products.device) for size in (rows, columns))
        down, along = near
        doubt = DOUBT * (down @ left @ along)[:, 0]
        more = down @ _remaining(products, found) @ along
        found = found + _solve(more, prior + doubt)
    return found


def _remaining(products: Tensor, found: Velocity) -> Tensor:
    """The normal equations of what a motion lacks."""
    yy, yx, xx, y, x = products.unbind(1)
    down, along = found.unbind(1)
    y, x = y - yy * down - yx * along, x - yx * down - xx * along
    return torch.stack((yy, yx, xx, y, x), 1)


def _solve(products: Tensor, prior: Tensor | float) -> Velocity:
    """Two equations in two unknowns, drawn towards zero."""
    yy, yx, xx, y, x = products.unbind(1)
    yy, xx = yy + prior, xx + prior
    # for of a straight edge the difference is next to nothing
    size = (yy * xx - yx * yx).clamp(min=1e-30)
    return torch.stack(((y * xx - x * yx) / size, (x * yy - y * yx) / size), 1)


def _slopes(products: Tensor, prior: Tensor) -> Velocity:
    """A motion that changes evenly over the map, as where all turns or shears."""
    yy, _, xx, _, _ = products.flatten(2).unbind(1)
    down, along = (
        torch.linspace(-1, 1, size, device=products.device)
        for size in products.shape[-2:]
    )
    one = torch.ones(products.shape[-2:], device=products.device)
    basis = torch.stack((one, down[:, None] * one, along * one)).flatten(1)
    free = torch.tensor((0.0, STIFF, STIFF), device=products.device)
    held = free * (yy + xx).sum(1, keepdim=True) / 2
    return _fitted(products, basis, held + prior[:, 0] * basis.shape[1])


def _waves(products: Tensor, prior: Tensor, scale: int) -> Velocity:
    """A sum of cosine waves."""
    rows, columns = products.shape[-2:]
    # none that few cells, or the few pixels of a coarse frame, cannot tell
    least = 2 * max(CELL, scale) // CELL
    known = [min(WAVES, max(size // least, 1)) for size in (rows, columns)]
    down, along = (
        torch.cos(
            math.pi
            * torch.arange(waves, device=products.device)[:, None]
            * (torch.arange(size, device=products.device) + 0.5)
            / size
        )
        for size, waves in zip((rows, columns), known, strict=True)
    )
    basis = torch.einsum("ay,bx->abyx", down, along).reshape(known[0] * known[1], -1)
    # short waves are held to zero the more
    a, b = (torch.arange(waves, device=products.device) for waves in known)
    stiff = (a[:, None] ** 2 + b**2).flatten() + 0.1
    return _fitted(products, basis, prior[:, 0] * (rows * columns / WAVES**2) * stiff)


def _fitted(
    products: Tensor,
    basis: Float[Tensor, "function cell"],
    stiff: Float[Tensor, "batch function"],
) -> Velocity:
    """The sum of some functions that fits best, each held to zero so much."""
    yy, yx, xx, y, x = products.flatten(2).unbind(1)
    parts = [torch.einsum("ip,bp,jp->bij", basis, a, basis) for a in (yy, yx, xx)]
    top, bottom = torch.cat(parts[:2], 2), torch.cat(parts[1:], 2)
    right = torch.cat([torch.einsum("ip,bp->bi", basis, b) for b in (y, x)], 1)
    matrix = torch.cat((top, bottom), 1) + torch.diag_embed(
        torch.cat((stiff, stiff), 1)
    )
    # in double, which not every device has
    solved = torch.linalg.solve(matrix.cpu().double(), right.cpu().double())
    shares = solved.to(basis).reshape(-1, 2, len(basis))
    found: Tensor = (shares @ basis).reshape(-1, 2, *products.shape[-2:])
    return found


def _gradients(values: Tensor) -> tuple[Tensor, Tensor]:
    """Central differences, zero at the edges, as on a map one pixel wide."""
    down, along = torch.zeros_like(values), torch.zeros_like(values)
    down[..., 1:-1, :] = (values[..., 2:, :] - values[..., :-2, :]) / 2
    along[..., 1:-1] = (values[..., 2:] - values[..., :-2]) / 2
    return down, along


def _blurred(values: Frames) -> Frames:
    """Weights of 1, 2, 1 along both axes; beyond the edge as at it."""
    rows = F.pad(values, (0, 0, 1, 1), mode="replicate")
    values = rows[..., :-2, :] + 2 * values + rows[..., 2:, :]
    columns = F.pad(values, (1, 1, 0, 0), mode="replicate")
    return (columns[..., :-2] + 2 * values + columns[..., 2:]) / 16


def _weights(size: int, spread: float, device: torch.device) -> Tensor:
    """Matrix that sums neighbours along an axis by a Gaussian."""
    at = torch.arange(size, device=device, dtype=torch.float32)
    near = torch.exp(-((at[:, None] - at) ** 2) / (2 * spread**2))
    near = torch.where(near > 1e-9, near, 0.0)  # the least numbers are slow
    return near / (math.sqrt(2 * math.pi) * spread)
