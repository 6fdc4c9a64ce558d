"""Motion as arrows: where the rain goes, and how fast."""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import xarray as xr

from stormfusion.errors import GridMismatchError
from stormfusion.plot import canvas, coords, maps
from stormfusion.plot.colors import paint
from stormfusion.units import convert

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

Floats: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]

_METRES_PER_SECOND = ("", "m s-1", "m/s", "m s^-1", "m s**-1")
_APART = 0.25
"""Distance between arrows [inches], within the least and the most of them."""
_LEAST, _MOST = 6, 25
"""How many arrows stand along the longer side, where there are as many pixels."""
_STILL = 0.01
"""Speed below which nothing moves [m s-1]; rounding makes as much."""
_STEADY = 0.5
"""Least share of the speed that the mean motion keeps where it has one direction."""
_POINTS = ("N", "NE", "E", "SE", "S", "SW", "W", "NW")
_GAP, _SMALL, _LINE = 6.0, 9.5, 12.5
"""Gap between the map and the words above it, their size and their lines' [pt]."""


@dataclass(frozen=True)
class Arrows:
    """Arrows that stand at `x` and `y`, and the room [units of x] that each has."""

    x: Floats
    y: Floats
    u: Floats
    v: Floats
    room: float

    @property
    def top(self) -> float:
        """The speed [m s-1] that fills the room; few arrows are faster."""
        return float(np.percentile(np.hypot(self.u, self.v), 95))


def motion(
    motion: xr.Dataset,
    *,
    over: xr.DataArray | None = None,
    ax: "Axes | None" = None,
    cmap: "str | Colormap" = "standard",
    title: str | None = None,
    colorbar: bool = True,
    path: str | os.PathLike[str] | None = None,
) -> "Figure":
    """
    Draw the motion of the rain as arrows, over the rain if it is given.

    An arrow is the mean motion of the pixels about it that move; about twenty stand
    along the longer side of the map, fewer in small axes, and no more than pixels.
    Where the motion is missing, or nothing moves, stands none. The arrow above the map
    tells the scale. Beside it stand the median speed of all pixels that move, and the
    direction of their mean motion, if most share it: that of the map, whose north is up
    whatever the order of the rows.

    Parameters
    ----------
    motion
        What `Nowcaster.motion` returns: `u` [m s-1], the speed along `x`, positive to
        where `x` grows, and `v` [m s-1], along `y`, positive to where `y` grows, both
        with dims `y` and `x`. Speeds in other units are converted; without units they
        are taken to be in m s-1. A pixel that lacks one of them is missing.
    over
        The field that moves, such as the last frame, on the grid of `motion`. It is
        drawn as by `field`.
    ax
        Axes to draw into. A new figure if none are given.
    cmap
        Colours of `over`, as in `field`.
    title
        A title. If none is given, the times of `over` and of the motion.
    colorbar
        Whether to draw the colour bar of `over`.
    path
        Where to save the picture, if anywhere.

    Returns
    -------
    Figure
        The figure; its map is `figure.axes[0]`.

    Raises
    ------
    TypeError
        If `motion` is not a Dataset, or `over` not a DataArray.
    ValueError
        If `motion` lacks `u` or `v`, has them on other dims or in units of no speed, or
        all of it is missing.
    GridMismatchError
        If `over` lies on another grid.

    Examples
    --------
    >>> import stormfusion.plot as plot
    >>> east = xr.DataArray(np.full((4, 4), 8.0), dims=("y", "x"))
    >>> figure = plot.motion(xr.Dataset({"u": east, "v": 0.75 * east}))
    >>> figure.axes[0].texts[0].get_text()
    'median 10 m/s towards NE'
    """
    u, v = _components(motion)
    moving = _moving(u, v)
    ground = u if over is None else _beneath(over, u)
    figure, ax = maps.place(ground, ax, bar=colorbar and over is not None)
    wide, high = _inches(ax, ground)
    arrows = _thinned(u, v, moving, wide, high)
    remarks = ["" if arrows.u.size else "no motion found"]
    if over is None:
        x, y = coords.axis(ground, "x"), coords.axis(ground, "y")
        ax.set(xlim=x.edges, ylim=y.edges)
        maps.ground(ax, ground)
    else:
        brush = paint([ground], cmap=cmap)
        image = maps.draw(ax, ground, brush, said=False)
        if colorbar:
            missing = maps.has_missing(ground)
            label = coords.quantity(ground)
            maps.bar(ax, image, brush, label=label, missing=missing)
        remarks.insert(0, coords.remark(ground, brush))
    lines = 0
    if arrows.u.size:
        lines = _draw(ax, arrows, _summary(u, v, moving), wide, high)
    if text := "\n".join(filter(None, remarks)):
        canvas.note(ax, canvas.wrapped(text, width=wide - 0.2, size=10.0), bare=False)
    if title is None:
        title = _moments(u, None if over is None else ground)
    maps.entitle(ax, title, pad=7.0 + _LINE * lines)
    return canvas.finish(figure, path=path)


def _components(motion: Any) -> tuple[xr.DataArray, xr.DataArray]:
    """Both speeds [m s-1] on (y, x), both upward, or why they cannot be drawn."""
    hint = "an xarray.Dataset of u and v; give what Nowcaster.motion returns"
    canvas.wanted(motion, xr.Dataset, role="motion", hint=hint)
    lacking = [name for name in ("u", "v") if name not in motion]
    if lacking:
        raise ValueError(
            f"motion holds {sorted(map(str, motion))} and lacks {' and '.join(lacking)}"
            "; give the speeds along x and y as u and v [m s-1], as Nowcaster.motion "
            "returns them"
        )
    u, v = (_speed(motion[name], role=name) for name in ("u", "v"))
    return u, v


def _speed(given: xr.DataArray, *, role: str) -> xr.DataArray:
    array = coords.frame(given, role=role).compute()
    units = str(array.attrs.get("units", "")).strip()
    if units in _METRES_PER_SECOND:
        return array
    try:
        return convert(array, units, "m s-1")
    except ValueError as error:
        raise ValueError(
            f"{role} is in {units!r}, wanted a speed in 'm s-1'; convert it with "
            "the spacing and the interval of the frames"
        ) from error


def _moving(u: xr.DataArray, v: xr.DataArray) -> Any:
    """Which pixels move, of those that have a motion."""
    speed = np.hypot(u.values, v.values)
    known = np.isfinite(speed)
    if not known.any():
        raise ValueError(
            f"motion has no pixel with both u and v: all {known.size} are missing; "
            "give finite speeds, 0 where nothing moves"
        )
    return known & (speed >= _STILL)


def _beneath(over: Any, u: xr.DataArray) -> xr.DataArray:
    """The field beneath, if it lies where the motion does."""
    field = coords.frame(over, role="over").compute()
    for dim in ("y", "x"):
        known, asked = coords.axis(field, dim), coords.axis(u, dim)
        here, there, near = known.values, asked.values, 1e-3 * asked.step
        if here.size != there.size or not np.allclose(here, there, rtol=0, atol=near):
            raise GridMismatchError(
                f"over has {_told(here)} along {dim}, but motion {_told(there)}; draw "
                "the field that the motion was found in, or bring one to the grid of "
                "the other with .sel or .interp_like"
            )
    return field


def _told(places: Floats) -> str:
    return f"{places.size} points from {places[0]:.10g} to {places[-1]:.10g}"


def _inches(ax: "Axes", array: xr.DataArray) -> tuple[float, float]:
    """Width and height of the map that axes have room for."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    wide, high = ax.bbox.width / figure.dpi, ax.bbox.height / figure.dpi
    ratio = coords.ratio(array)
    wide = min(wide, high / ratio)
    return wide, wide * ratio


def _thinned(
    u: xr.DataArray, v: xr.DataArray, moving: Any, wide: float, high: float
) -> Arrows:
    """Mean motion in cells of about the same width and height on the map."""
    axes = coords.axis(u, "x"), coords.axis(u, "y")
    longer = max(wide, high)
    most = float(np.clip(longer / _APART, _LEAST, _MOST)) / longer
    (x, columns), (y, rows) = (
        _cells(axis.values, max(1, round(most * side)))
        for axis, side in zip(axes, (wide, high), strict=True)
    )

    def summed(values: Any) -> Floats:
        found = np.add.reduceat(values, rows, axis=0, dtype=np.float64)
        return np.asarray(np.add.reduceat(found, columns, axis=1))

    count = np.maximum(summed(moving), 1.0)
    mean_u, mean_v = (summed(np.where(moving, a.values, 0.0)) / count for a in (u, v))
    drawn = np.hypot(mean_u, mean_v) >= _STILL
    at_x, at_y = np.meshgrid(x, y)
    room = min(wide / len(x), high / len(y), longer / _LEAST)
    left, right = axes[0].edges
    room *= (right - left) / wide
    return Arrows(at_x[drawn], at_y[drawn], mean_u[drawn], mean_v[drawn], room)


def _cells(places: Floats, most: int) -> tuple[Floats, Any]:
    """Middles of even cells of whole pixels, and the pixel at which each begins."""
    edges = np.linspace(0.0, places.size, min(places.size, most) + 1)
    middles = (edges[:-1] + edges[1:]) / 2 - 0.5
    begin = np.ceil(edges[:-1] - 0.5).astype(int)
    return np.interp(middles, np.arange(places.size), places), begin


def _draw(ax: "Axes", arrows: Arrows, summary: str, wide: float, high: float) -> int:
    """Draw arrows, their key and their summary; give the lines above the map."""
    from matplotlib.patheffects import withStroke

    left, right = ax.get_xlim()
    quiver = ax.quiver(
        arrows.x,
        arrows.y,
        arrows.u,
        arrows.v,
        angles="uv",
        pivot="mid",
        scale_units="x",
        scale=arrows.top / arrows.room,
        units="inches",
        width=0.02,
        headwidth=4.0,
        headlength=4.5,
        headaxislength=4.0,
        color=canvas.INK,
        zorder=2.5,
        path_effects=[withStroke(linewidth=1.8, foreground="white")],
    )
    speed = _round(arrows.top)
    share = speed * arrows.room / arrows.top / (right - left)
    ax.quiverkey(
        quiver,
        1.0 - share,
        1.0 + (_GAP + 0.5 * _SMALL) / (72 * high),
        speed,
        f"{speed:g} m/s",
        labelpos="W",
        labelsep=0.06,
        labelcolor=canvas.FAINT,
        fontproperties={"size": _SMALL},
    )
    beside = canvas.wrapped(summary, width=wide * (1.0 - share) - 0.75, size=_SMALL)
    # on a narrow map the words stand above the key
    above = "\n" in beside
    text = canvas.wrapped(summary, width=max(wide, 2.5), size=_SMALL)
    ax.annotate(
        text,
        (0.0, 1.0),
        xycoords="axes fraction",
        xytext=(0.0, _GAP + _LINE * above),
        textcoords="offset points",
        va="bottom",
        fontsize=_SMALL,
        color=canvas.FAINT,
    )
    return 1 + above + text.count("\n")


def _round(speed: float) -> float:
    """The round number that is nearest to a speed."""
    power = 10.0 ** np.floor(np.log10(speed))
    known = [step * power for step in (1, 2, 5, 10)]
    return float(min(known, key=lambda each: abs(np.log(each / speed))))


def _summary(u: xr.DataArray, v: xr.DataArray, moving: Any) -> str:
    """Median speed of what moves, and the point of the compass that most goes to."""
    east, north = u.values[moving], v.values[moving]
    speed = np.hypot(east, north)
    mean_u, mean_v, mean = (
        float(values.mean(dtype=np.float64)) for values in (east, north, speed)
    )
    point = _POINTS[round(float(np.degrees(np.arctan2(mean_u, mean_v))) / 45) % 8]
    steady = np.hypot(mean_u, mean_v) >= _STEADY * mean
    median = float(f"{np.median(speed):.2g}")
    return f"median {median:g} m/s" + (
        f" towards {point}" if steady else " in various directions"
    )


def _moments(motion: xr.DataArray, over: xr.DataArray | None) -> str:
    """When the field beneath is valid, and of when the motion is, if of another."""
    shown = "" if over is None else coords.moment(over)
    times = [motion[n] for n in ("reference_time", "time") if n in motion.coords]
    known = [coords.clock(time.values) for time in times if not time.ndim]
    if not known or known[0] in shown:
        return shown
    return ", ".join(filter(None, (shown, f"motion of {known[0]}")))
