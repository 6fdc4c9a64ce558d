"""Lines over maps of probabilities, and hatches where they are known in part."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from stormfusion.plot import canvas, coords

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.contour import ContourSet

_CROWD = 24
"""With more contours than this a map has none of them labelled: the colours tell."""
HATCH = "////"


def contour(ax: "Axes", array: xr.DataArray, contours: Sequence[float]) -> None:
    """Draw lines of equal probability, labelled where they are few."""
    label([draw(ax, array, contours)])


def draw(
    ax: "Axes", array: xr.DataArray, contours: Sequence[float]
) -> "ContourSet | None":
    """Draw lines of equal probability, None where there are none."""
    try:
        asked = np.sort(np.ravel(np.asarray(contours, dtype=float)))
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"contours are {contours!r}, wanted probabilities, such as (0.1, 0.5)"
        ) from error
    values = np.ma.masked_invalid(array.values)
    if min(array.shape) < 2 or not values.count():
        return None
    levels = asked[(values.min() < asked) & (asked < values.max())]
    if not levels.size:
        return None
    x, y = coords.axis(array, "x").values, coords.axis(array, "y").values
    return ax.contour(x, y, values, levels, colors=canvas.INK, linewidths=0.8)


def label(every: "Sequence[ContourSet | None]") -> None:
    """Label the lines of maps that are compared, of all of them or of none."""
    from matplotlib.patheffects import withStroke

    drawn = [lines for lines in every if lines is not None]
    if any(sum(map(len, lines.allsegs)) > _CROWD for lines in drawn):
        for lines in drawn:
            lines.set_linewidth(0.5)
        return
    every_text, bare = [], False
    for lines in drawn:
        texts = lines.axes.clabel(
            lines, inline=False, fmt=lambda level: f"{level:.0%}", fontsize=8
        )
        (left, right), (bottom, top) = (
            sorted(ends) for ends in (lines.axes.get_xlim(), lines.axes.get_ylim())
        )
        for text in texts:
            text.set_path_effects([withStroke(linewidth=2.6, foreground="white")])
            across, up = text.get_position()
            depth = (across - left) / (right - left), (up - bottom) / (top - bottom)
            text.set_visible(all(0.04 < part < 0.96 for part in depth))
        every_text += texts
        bare |= not any(text.get_visible() for text in texts)
    if bare and len(drawn) > 1:
        for text in every_text:
            text.set_visible(False)


def partly(dataset: xr.Dataset) -> "xr.DataArray | None":
    """
    Where the window is not known and a lead is, by hazard if there are hazards.

    None where that cannot be told, or is nowhere.

    Examples
    --------
    >>> dims = ("hazard", "lead", "y", "x")
    >>> risk = xr.DataArray([[[[0.1, 0.2]], [[0.1, np.nan]]]], dims=dims)
    >>> whole = risk.max("lead", skipna=False)
    >>> partly(xr.Dataset({"probability": risk, "window_probability": whole})).values
    array([[[False,  True]]])
    """
    if not {"probability", "window_probability"} <= set(dataset.data_vars):
        return None
    known = dataset["probability"].notnull()
    known = known.any("lead") if "lead" in known.dims else known
    found = dataset["window_probability"].isnull() & known
    return found if bool(found.any()) else None


def hatch(ax: "Axes", where: xr.DataArray) -> None:
    """Hatch pixels."""
    frame = coords.frame(where.astype(np.float32))
    if min(frame.shape) < 1 or not bool(frame.any()):
        return
    sides: list[Any] = [_sides(coords.axis(frame, dim)) for dim in ("x", "y")]
    whole = np.repeat(np.repeat(frame.values, 2, axis=0), 2, axis=1)
    found = ax.contourf(*sides, whole, [0.5, 1.5], colors="none", hatches=[HATCH])
    found.set_edgecolor(canvas.FRAME)
    found.set_linewidth(0.0)


def _sides(axis: coords.Axis) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """Both sides of each pixel, so that it is drawn whole."""
    low, high = axis.edges
    middles = (axis.values[1:] + axis.values[:-1]) / 2
    return np.repeat(np.concatenate([[low], middles, [high]]), 2)[1:-1]
