"""Depth of rain from rain rates: integrated in time along the motion of the rain."""

import math

import numpy as np
import torch
import torch.nn.functional as F
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from stormfusion.classical.flow import motion
from stormfusion.classical.trajectories import AT_ONCE
from stormfusion.classical.warping import rows_and_columns
from stormfusion.data.scaling import scaling_for
from stormfusion.units import VARIABLES, as_ours

FINEST = 24
"""Parts of an interval, at most."""
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
        first = as_ours(initial, "rain_rate").transpose("y", "x").to_numpy()
        if first.shape != ours.shape[-2:]:
            raise ValueError(
                f"the initial frame has the shape {first.shape}, wanted that of the "
                f"others, {ours.shape[-2:]}; give it on their grid"
            )
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
            self.initial = torch.from_numpy(np.asarray(initial, dtype=np.float32))
        self.hours = np.diff(ends, prepend=0.0) / 3600.0

    @torch.no_grad()
    def __call__(self, rates: NDArray[np.float32]) -> NDArray[np.float32]:
        """Depths [mm] of rates [mm h-1], both with the dimensions (lead, y, x)."""
        frames = torch.from_numpy(np.ascontiguousarray(rates, dtype=np.float32))
        depths = np.empty(rates.shape, dtype=np.float32)
        velocity = self._velocity(frames)
        most = max(AT_ONCE // frames[0].numel(), 1)
        start = 0
        while start < len(frames):
            hours, stop = float(self.hours[start]), start + 1
            same = np.isclose(self.hours, hours, rtol=1e-6)
            while stop < min(len(frames), start + most) and same[stop] and start > 0:
                stop += 1
            after = frames[start:stop]
            before = frames[start - 1 : stop - 1] if start else self.initial
            mean = between(before, after, velocity * hours)
            if start and before is not None:
                mean[before.isnan()] = torch.nan
            depths[start:stop] = (mean * hours).numpy()
            start = stop
        return depths

    def _velocity(self, frames: Tensor) -> Tensor:
        """Motion of the frames in the middle [pixels per hour]."""
        still = torch.zeros((2, *frames.shape[-2:]))
        if self.initial is not None:
            frames = (
                torch.cat((self.initial[None], frames[:3]))
                if (len(frames) < 3)
                else frames
            )
        if not self.advection or len(frames) < 2:
            return still
        middle = max(len(frames) // 2 - 1, 0)
        chosen = frames[middle : middle + 3]
        numbers = scaling_for("rain_rate").normalize(chosen)
        velocity: Tensor = motion(numbers[None])[0] / float(self.hours[-1])
        return velocity


def between(before: Tensor | None, after: Tensor, shift: Tensor) -> Tensor:
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

    Examples
    --------
    >>> frames = torch.zeros(2, 1, 6)
    >>> frames[0, 0, 1], frames[1, 0, 3] = 4.0, 4.0
    >>> shift = torch.tensor([0.0, 2.0])[:, None, None].expand(2, 1, 6)
    >>> between(frames[:1], frames[1:], shift)[0, 0].round(decimals=3).tolist()
    [0.0, 1.0, 2.0, 1.0, 0.0, 0.0]
    """
    height, width = after.shape[-2:]
    furthest = float(shift.abs().amax())
    parts = min(max(math.ceil(furthest - 1e-3), 1), FINEST)
    rows, columns = rows_and_columns(height, width, after.device)
    plain = after
    sides = [(after.nan_to_num(0.0), _known(after), 1.0)]
    if before is not None:
        before = before.reshape(after.shape)
        sides.append((before.nan_to_num(0.0), _known(before), -1.0))
        # what stays where it is, for what comes from where nothing is known
        plain = torch.where(before.isnan(), after, (before + after) / 2)
    total = torch.zeros_like(after)
    for part in range(parts):
        tau = (part + 0.5) / parts
        value, weight = torch.zeros_like(after), torch.zeros_like(after[:1])
        for frames, known, sign in sides:
            share, away = (tau, 1 - tau) if sign > 0 else (1 - tau, tau)
            place = torch.stack(
                (
                    (2 * (columns + sign * away * shift[1]) + 1) / width - 1,
                    (2 * (rows + sign * away * shift[0]) + 1) / height - 1,
                ),
                -1,
            )
            value += share * _at(frames, place)
            weight = weight + share * _at(known, place)
        total += torch.where(weight > LEAST, value / weight, plain)
    return torch.where(after.isnan(), torch.nan, total / parts)


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
