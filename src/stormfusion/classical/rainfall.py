"""Depth of rain from rain rates: integrated in time along the motion of the rain."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from stormfusion.classical.flow import motion
from stormfusion.classical.warping import resized, rows_and_columns
from stormfusion.data.scaling import scaling_for
from stormfusion.errors import GridMismatchError
from stormfusion.units import VARIABLES, as_ours

FINEST = 24
"""Parts of an interval, at most."""
BAND = 2**17
"""Pixels of the rows that are worked on at once."""
AT_ONCE = 2**19
"""Pixels of all intervals that are."""
LARGE = 2**22
"""Pixels of a map, above which its motion is that of a coarser one."""
LEAST = 0.01
"""Share of what is between the frames that must be known, to tell it from them."""


def rainfall(
    rain_rate: xr.DataArray,
    *,
    initial: xr.DataArray | None = None,
    advection: bool = True,
) -> xr.DataArray:
    r"""
    Depth of rain that falls in the interval before each frame.

    Between two frames rain moves. Summing the frames as they are leaves the gaps and
    ridges of a fishbone where a shower moves further than its width in an interval. So
    the rate between them is that of both, each carried along the motion $v$ [pixels per
    interval],

    $$R(x, \tau) = (1 - \tau)\, R_0(x - \tau v) + \tau\, R_1(x + (1 - \tau)\, v),$$

    and its mean over $\tau$ is taken at the midpoints of parts in which nothing moves
    further than a pixel (of 24 parts at most). Without motion this is the mean of both
    frames. The motion is that of the three frames in the middle; see `motion`.

    Parameters
    ----------
    rain_rate
        With the dimensions (..., lead or time, y, x), in any units of rain rate: the
        rate at each moment. Leads are counted from the start of the forecast, a time
        from one interval before the first frame.
    initial
        The frame at the start, of the dimensions (y, x), such as the last one observed.
        Without it, or where it is missing, the first interval has the rain of the first
        frame, carried back; where the first lead is 0, that frame is the one at the
        start.
    advection
        Whether the rain moves between the frames.

    Returns
    -------
    DataArray
        `rain` [mm] on the coordinates of `rain_rate`, of the interval before each
    XX

    Raises
    ------
    ValueError
        If there are no times, they do not rise, or the grids differ.

    References
    ----------
    Anagnostou, E. N., and W. F. Krajewski, 1999: Real-time radar rainfall estimation.
    Part I: Algorithm formulation. *J. Atmos. Oceanic Technol.*, **16**, 189-197.

    Examples
    --------
    >>> lead = np.array([5, 10, 15], "timedelta64[m]").astype("timedelta64[ns]")
    >>> rate = xr.DataArray(
    ...     np.full((3, 4, 4), 12.0),
    ...     dims=("lead", "y", "x"),
    ...     coords={"lead": lead},
    ...     attrs={"units": "mm h-1"},
    ... )
    >>> rainfall(rate)[:, 0, 0].values
    array([1., 1., 1.], dtype=float32)
    """
    if not isinstance(rain_rate, xr.DataArray):
        raise TypeError(
            f"got a {type(rain_rate).__name__}, wanted a DataArray of rain rates; pass "
            "one variable, such as dataset['rain_rate']"
        )
    dim = next((d for d in ("lead", "time") if d in rain_rate.dims), None)
    if (
        dim is None
        or dim not in rain_rate.coords
        or not {"y", "x"} <= {*rain_rate.dims}
    ):
        raise ValueError(
            f"rain rates have dimensions {rain_rate.dims}, wanted lead or time with "
            "their coordinate, y and x; rename or assign them"
        )
    order = rain_rate.dims
    ours = as_ours(rain_rate, "rain_rate").transpose(..., dim, "y", "x")
    first = None
    if initial is not None:
        first = _on_the_grid(initial, ours)
    summed = Rainfall(seconds(ours[dim]), initial=first, advection=advection)
    frames = ours.to_numpy().astype(np.float32, copy=False)
    stacked = frames.reshape(-1, *frames.shape[-3:])
    found = np.stack([summed(one) for one in stacked]).reshape(frames.shape)
    known = VARIABLES["rain"]
    attrs = {"units": known.units, "long_name": known.long_name}
    mapping = {k: v for k, v in rain_rate.attrs.items() if k == "grid_mapping"}
    made = ours.copy(data=found).transpose(*order).rename("rain")
    made.attrs = {**attrs, "standard_name": known.standard_name, **mapping}
    return made


def _on_the_grid(initial: xr.DataArray, frames: xr.DataArray) -> NDArray[Any]:
    """The initial frame, if its rows and columns are those of the others."""
    if set(initial.dims) != {"y", "x"}:
        raise ValueError(
            f"the initial frame has dimensions {initial.dims}, wanted y and x; select "
            "one time"
        )
    found = as_ours(initial, "rain_rate").transpose("y", "x")
    if found.shape != frames.shape[-2:]:
        raise GridMismatchError(
            f"the initial frame has the shape {found.shape}, wanted that of the "
            f"others, {frames.shape[-2:]}; give it on their grid"
        )
    for dim in ("y", "x"):
        if dim in found.coords and dim in frames.coords:
            one, other = found[dim].to_numpy(), frames[dim].to_numpy()
            step = np.ptp(other) / max(other.size - 1, 1)
            if not np.allclose(one, other, rtol=1e-9, atol=1e-3 * step):
                raise GridMismatchError(
                    f"the initial frame and the others differ in {dim} (from "
                    f"{one[0]:g} to {one[-1]:g}, and from {other[0]:g} to "
                    f"{other[-1]:g}); give it on their grid"
                )
    return found.to_numpy()


def seconds(times: xr.DataArray) -> NDArray[np.float64]:
    """
    When frames are, counted from the start of the forecast [s].

    Examples
    --------
    >>> time = xr.DataArray(np.array(["2020-01-01", "2020-01-02"], "M8[ns]"), dims="t")
    >>> seconds(time)
    array([ 86400., 172800.])
    """
    values = times.to_numpy()
    if values.dtype.kind not in "mM":
        raise ValueError(
            f"{times.name} holds {values.dtype}, wanted times; for minutes write "
            ".astype('timedelta64[m]')"
        )
    since = values - values[0] if values.dtype.kind == "M" else values
    found = since.astype("timedelta64[ns]").astype(np.int64) / 1e9
    if values.dtype.kind == "M":
        found = found + (found[1] if found.size > 1 else 0.0)
    if np.any(np.diff(found) <= 0) or found[0] < 0 or found[-1] == 0:
        raise ValueError(
            f"{times.name} runs from {found[0] / 60:g} to {found[-1] / 60:g} min, "
            "wanted rising times after the start, two frames or more of observations; "
            "sort or select them"
        )
    return np.asarray(found, dtype=np.float64)


class Rainfall:
    """
    Depths from rates, one sequence of frames after the other; see `rainfall`.

    Parameters
    ----------
    ends
        When the frames are, since the start of the forecast [s], rising.
    initial
        The frame at the start (y, x) [mm h-1], NaN where missing, if there is one.
    advection
        Whether the rain moves between the frames.
    """

    def __init__(
        self,
        ends: NDArray[np.float64],
        *,
        initial: NDArray[np.floating] | None = None,
        advection: bool = True,
    ) -> None:
        self.ends = ends
        self.advection = advection
        self.initial = None
        if initial is not None and ends[0] > 0:
            first = np.ascontiguousarray(initial, dtype=np.float32)
            self.initial = torch.from_numpy(first)
        self.hours = np.diff(ends, prepend=0.0) / 3600.0

    def __call__(self, rates: NDArray[np.float32]) -> NDArray[np.float32]:
        """Depths [mm] of rates [mm h-1], both with the dimensions (lead, y, x)."""
        depths = np.empty(rates.shape, dtype=np.float32)
        for rows, part in self._bands(rates):
            depths[:, rows] = part
        return depths

    def total(self, rates: NDArray[np.float32]) -> NDArray[np.float64]:
        """Depth [mm] of all intervals together (y, x), of rates (lead, y, x)."""
        total = np.empty(rates.shape[1:])
        for rows, part in self._bands(rates):
            total[rows] = part.sum(0, dtype=np.float64)
        return total

    @torch.no_grad()
    def _bands(
        self, rates: NDArray[np.float32]
    ) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Depths of some rows at a time, so that large maps take little memory."""
        frames = torch.from_numpy(np.ascontiguousarray(rates, dtype=np.float32))
        velocity = self._velocity(frames)
        fastest = float(velocity.abs().amax())
        height, width = frames.shape[-2:]
        step = max(BAND // width, 1)
        for top in range(0, height, step):
            rows = slice(top, min(top + step, height))
            yield rows, self._depths(frames, velocity, fastest, rows).numpy()

    def _depths(
        self, frames: Tensor, velocity: Tensor, fastest: float, rows: slice
    ) -> Tensor:
        """Depths of some rows."""
        depths = torch.empty(len(frames), rows.stop - rows.start, frames.shape[-1])
        most = max(AT_ONCE // depths[0].numel(), 1)
        start = 0
        while start < len(frames):
            hours, stop = float(self.hours[start]), start + 1
            same = np.isclose(self.hours, hours, rtol=1e-6)
            while stop < min(len(frames), start + most) and same[stop] and start > 0:
                stop += 1
            before = frames[start - 1 : stop - 1] if start else self.initial
            mean = between(
                before,
                frames[start:stop],
                velocity[:, rows] * hours,
                rows=rows,
                furthest=fastest * hours,
            )
            if start and before is not None:
                mean = torch.where(before[:, rows].isnan(), torch.nan, mean)
            depths[start:stop] = mean * hours
            start = stop
        return depths

    def _velocity(self, frames: Tensor) -> Tensor:
        """Motion of the frames in the middle [pixels per hour]."""
        height, width = frames.shape[-2:]
        times = self.ends / 3600.0
        if self.initial is not None and len(frames) < 3:
            frames = torch.cat((self.initial[None], frames))
            times = np.concatenate(([0.0], times))
        if not self.advection or len(frames) < 2:
            return torch.zeros((2, height, width))
        middle = max(len(frames) // 2 - 1, 0)
        steps = np.diff(times[middle : middle + 3])
        even = len(steps) < 2 or abs(steps[1] - steps[0]) < 0.01 * steps[0]
        chosen = frames[None, middle : middle + (3 if even else 2)]
        # large maps move as smoothly as small ones
        coarse = math.ceil(math.sqrt(height * width / LARGE))
        if coarse > 1:
            chosen = F.avg_pool2d(
                chosen, coarse, ceil_mode=True, count_include_pad=False
            )
        velocity = motion(scaling_for("rain_rate").normalize(chosen))
        if coarse > 1:
            velocity = coarse * resized(velocity, height, width)
        return velocity[0] / float(steps[0])


def between(
    before: Tensor | None,
    after: Tensor,
    shift: Tensor,
    *,
    rows: slice | None = None,
    furthest: float | None = None,
) -> Tensor:
    """
    Mean over an interval of frames that move.

    Parameters
    ----------
    before, after
        Frames at its start and its end, of the dimensions (interval, y, x), NaN where
        missing. The mean is missing where the second is; where the first is, or if it
        is None, it is that of the second alone.
    shift
        How far the rain moves in it, down the rows and along them [pixels].
    rows
        Which to give, and of which the shift is; all by default.
    furthest
        The largest shift of all, if there are more.

    Examples
    --------
    >>> frames = torch.zeros(2, 1, 6)
    >>> frames[0, 0, 1], frames[1, 0, 3] = 4.0, 4.0
    >>> shift = torch.tensor([0.0, 2.0])[:, None, None].expand(2, 1, 6)
    >>> between(frames[:1], frames[1:], shift)[0, 0].round(decimals=3).tolist()
    [0.0, 1.0, 2.0, 1.0, 0.0, 0.0]
    """
    height, width = after.shape[-2:]
    rows = slice(0, height) if rows is None else rows
    furthest = float(shift.abs().amax()) if furthest is None else furthest
    parts = min(max(math.ceil(furthest - 1e-3), 1), FINEST)
    reach = math.ceil(furthest) + 1
    top, bottom = max(rows.start - reach, 0), min(rows.stop + reach, height)
    plain = after[:, rows]
    near = after[:, top:bottom]
    sides = [(near.nan_to_num(0.0), _known(near), 1.0)]
    missing = plain.isnan()
    if before is not None:
        before = before.reshape(after.shape)
        near = before[:, top:bottom]
        sides.append((near.nan_to_num(0.0), _known(near), -1.0))
        # what stays where it is, for what comes from where nothing is known
        here = before[:, rows]
        plain = torch.where(here.isnan(), plain, (here + plain) / 2)
    total = torch.zeros_like(plain)
    if not any(bool(frames.any()) for frames, _, _ in sides):
        return torch.where(missing, torch.nan, total)
    down, along = rows_and_columns(rows.stop - rows.start, width, after.device)
    down = down + (rows.start - top)
    for part in range(parts):
        tau = (part + 0.5) / parts
        value, weight = torch.zeros_like(plain), torch.zeros_like(plain[:1])
        for frames, known, sign in sides:
            share, away = (tau, 1 - tau) if sign > 0 else (1 - tau, tau)
            place = torch.stack(
                (
                    (2 * (along + sign * away * shift[1]) + 1) / width - 1,
                    (2 * (down + sign * away * shift[0]) + 1) / (bottom - top) - 1,
                ),
                -1,
            )
            value += share * _at(frames, place)
            weight = weight + share * _at(known, place)
        total += torch.where(weight > LEAST, value / weight, plain)
    return torch.where(missing, torch.nan, total / parts)


def _known(frames: Tensor) -> Tensor:
    """Which pixels are known: of one map for all frames where they all are."""
    missing = frames.isnan()
    if not bool(missing.any()):
        return torch.ones_like(frames[:1])
    return (~missing).to(frames.dtype)


def _at(frames: Tensor, place: Tensor) -> Tensor:
    """Values at the places, fading to nothing beyond the edge."""
    found: Tensor = F.grid_sample(
        frames[None], place[None], padding_mode="zeros", align_corners=False
    )
    return found[0]
