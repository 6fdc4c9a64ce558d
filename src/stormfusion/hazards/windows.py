"""Windows of time: what happens in the last minutes before each frame."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

DIGITS = 4
"""Decimals of a depth of rain [mm] that are compared with a threshold."""


def depth(values: NDArray[Any]) -> NDArray[Any]:
    """
    A sum of rain, rounded to a ten-thousandth of a millimetre.

    So six times a sixth of 10 mm is 10 mm, and an event of 10 mm or more.

    Examples
    --------
    >>> depth(np.float32([1.6666666]).repeat(6).sum(keepdims=True, dtype="float64"))
    array([10.])
    """
    return np.asarray(np.round(values, DIGITS))


@dataclass(frozen=True, eq=False)
class Windows:
    """
    Windows of one length that end at the frames of a forecast.

    Parameters
    ----------
    window
        How long they are.
    ends
        Time of each frame since the start of the forecast [s], rising, evenly spaced.
    name
        What the window is of, for errors.

    Raises
    ------
    ValueError
        If no whole number of intervals makes a window, or the forecast is shorter.

    Examples
    --------
    >>> frames = 300.0 * np.arange(1, 5)
    >>> windows = Windows(timedelta(minutes=10), frames, "rain >= 1 mm in 10 min")
    >>> windows.steps, windows.whole
    (2, array([False,  True,  True,  True]))
    """

    window: timedelta
    ends: NDArray[np.float64]
    name: str

    def __post_init__(self) -> None:
        seconds, interval = self.window.total_seconds(), self.interval
        ratio = seconds / interval
        if abs(ratio - round(ratio)) > 1e-6 or round(ratio) < 1:
            raise ValueError(
                f"hazard {self.name!r} has a window of {seconds / 60:g} min, wanted a "
                f"multiple of the {interval / 60:g} min from one frame to the next; "
                f"write 'in {max(round(ratio), 1) * interval / 60:g} min'"
            )
        if not self.whole.any():
            known = self.ends[-1] - self.start
            raise ValueError(
                f"hazard {self.name!r} has a window of {seconds / 60:g} min, longer "
                f"than the forecast of {known / 60:g} min; shorten it, or forecast "
                "more leads"
            )

    @property
    def interval(self) -> float:
        """Time from one frame to the next [s]."""
        steps = np.diff(self.ends)
        interval = float(steps[0]) if steps.size else float(self.ends[0])
        if steps.size and np.abs(steps - interval).max() > 1e-3 * interval:
            raise ValueError(
                f"hazard {self.name!r} has a window, but the frames are "
                f"{steps.min() / 60:g} to {steps.max() / 60:g} min apart, wanted even "
                "steps; select some, or ask without a window"
            )
        if interval <= 0:
            raise ValueError(
                f"hazard {self.name!r} has a window, but the one frame is at the start "
                "of the forecast, wanted one after it; give more leads"
            )
        return interval

    @property
    def start(self) -> float:
        """
        From when on windows can begin [s].

        That is the start of the forecast, or the first frame where those before it are
        left out: what fell up to then fell in more than an interval.
        """
        first = float(self.ends[0])
        return first if first > self.interval * (1 + 1e-3) else 0.0

    @property
    def steps(self) -> int:
        """Intervals in a window."""
        return round(self.window.total_seconds() / self.interval)

    @property
    def whole(self) -> NDArray[np.bool_]:
        """Whether the window that ends at each frame lies within the forecast."""
        begins = self.ends - self.window.total_seconds()
        inside: NDArray[np.bool_] = begins >= self.start - 1e-6
        return inside

    def total(self, depths: NDArray[Any]) -> NDArray[np.float32]:
        """
        Sum over each window of what fell in the interval before each frame.

        Parameters
        ----------
        depths
            With the dimensions (..., lead, y, x); NaN where missing.

        Returns
        -------
        ndarray
            NaN before the first whole window, and where an interval of it is missing.
        """
        first = int(np.argmax(self.whole))
        found = np.full(depths.shape, np.nan, dtype=np.float32)
        for last in range(first, depths.shape[-3]):
            parts = depths[..., max(last + 1 - self.steps, 0) : last + 1, :, :]
            found[..., last, :, :] = depth(parts.sum(-3, dtype=np.float64))
        return found

    def any(self, event: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """
        Whether an event is in a frame of each window; of (..., lead, y, x).

        The window that ends at `t` holds the frames after `t - window` up to `t`.
        """
        found = event.copy()
        for back in range(1, min(self.steps, event.shape[-3])):
            found[..., back:, :, :] |= event[..., :-back, :, :]
        return found


def ends_of(array: xr.DataArray, name: str) -> tuple[str, NDArray[np.float64]]:
    """
    The dimension of time of an array, and when its frames are [s].

    Leads are counted from the reference time; observed frames from one interval before
    the first of them.

    Examples
    --------
    >>> lead = np.array([5, 10], "timedelta64[m]").astype("timedelta64[ns]")
    >>> ends_of(xr.DataArray([0, 1], dims="lead", coords={"lead": lead}), "rain")
    ('lead', array([300., 600.]))
    """
    for dim in ("lead", "time"):
        if dim in array.dims and dim in array.coords:
            values = array[dim].to_numpy()
            if values.dtype.kind in "mM":
                since = values - values[0] if dim == "time" else values
                seconds = since.astype("timedelta64[ns]").astype(np.int64) / 1e9
                if dim == "time":
                    seconds = seconds + (seconds[1] if seconds.size > 1 else 0.0)
                return dim, seconds
    raise ValueError(
        f"hazard {name!r} has a window, but the values have no times along "
        f"{', '.join(map(str, array.dims)) or 'no dimension'}; give them the "
        "coordinate lead or time"
    )
