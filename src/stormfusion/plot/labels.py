"""Labels of points, remarks and ticks, placed so that none hides another."""

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from stormfusion.plot import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation

Floats: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]

_SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))
_CHOICES = [(side, gap) for gap in (3.0, 10.0) for side in _SIDES]
"""Where a label may stand, the best first: the side of its point, and how far [pt]."""

_LEVELS = ((0.0, 1), (1.0, -1), (0.25, 0), (0.75, 0), (0.5, 0))
"""Heights at which a line may be named, and to which side of them the words stand."""

Spot: TypeAlias = tuple[tuple[float, float], tuple[int, int]]
"""A place in axes, and the side of it at which words stand."""

CORNERS: list[Spot] = [((x, y), (1 - 2 * x, 1 - 2 * y)) for y in (0, 1) for x in (0, 1)]

_HORIZONTAL = {1: "left", -1: "right", 0: "center"}
_VERTICAL = {1: "bottom", -1: "top", 0: "center"}


def beside(
    ax: "Axes",
    points: Floats,
    texts: Sequence[str],
    *,
    radii: Floats,
    size: float = 9.0,
) -> "tuple[list[Annotation], bool]":
    """
    Write a text beside each point, and tell whether all found room.

    Points are rows of x and y, their marks have `radii` in points; one without a text
    only keeps its own room. The layout of the figure must be settled, for nothing moves
    afterwards. Labels keep off the lines in the axes if they can.
    """
    at = ax.transData.transform(points)
    point = ax.figure.dpi / 72  # in pixels
    frame = np.asarray(ax.get_window_extent().extents)
    taken = _taken(ax, at, radii)
    path = _path(ax)
    labels, free = [], True
    for (x, y), place, radius, text in zip(points, at, radii, texts, strict=True):
        if not text:
            continue
        label = _written(ax, text, (x, y), size=size, color=canvas.INK)
        extent = label.get_window_extent()
        best, least, room = _CHOICES[0], np.inf, taken[0]
        for rank, (side, gap) in enumerate(_CHOICES):
            middle = place + np.array(side) * (radius + gap) * point * _shrink(side)
            box = _box(middle, side, extent.width, extent.height)
            hidden = sum(_overlap(box, other) for other in taken)
            hidden += extent.width * extent.height - _overlap(box, frame)
            cost = hidden + 12 * _crossed(box, path) + 3 * rank
            if cost < least:
                best, least, room = (side, gap), cost, box
                clear = hidden < 0.03 * extent.width * extent.height
        side, gap = best
        label.set_position(tuple(np.array(side) * (radius + gap) * _shrink(side)))
        label.set(ha=_HORIZONTAL[side[0]], va=_VERTICAL[side[1]])
        taken.append(room)
        labels.append(label)
        free &= bool(clear)
    return labels, free


def remark(
    ax: "Axes",
    text: str,
    spots: Sequence[Spot],
    *,
    points: Floats,
    radii: Floats,
    data: bool = False,
) -> "Annotation":
    """
    Write a faint remark at the spot where it hides least, the first such.

    Spots are in parts of the axes; where `data`, their x is a value of the x axis.
    Points and marks are as in `beside`, to be called after this.
    """
    at = ax.transData.transform(points)
    gap = 4 * ax.figure.dpi / 72
    frame = np.asarray(ax.get_window_extent().extents)
    taken, path = _taken(ax, at, radii), _path(ax)
    grid = ax.get_xaxis_transform() if data else ax.transAxes
    label = _written(ax, text, spots[0][0], size=8.5, color=canvas.FAINT)
    label.xycoords = grid
    extent = label.get_window_extent()
    costs = []
    for place, side in spots:
        middle = grid.transform(place) + np.array(side) * gap
        box = _box(middle, side, extent.width, extent.height)
        hidden = sum(_overlap(box, other) for other in taken)
        hidden += extent.width * extent.height - _overlap(box, frame)
        # in whole pixels, so that the better spot wins where none hides anything
        costs.append(round(hidden + 12 * _crossed(box, path)))
    label.xy, side = spots[int(np.argmin(costs))]
    label.set_position((4 * side[0], 4 * side[1]))
    label.set(ha=_HORIZONTAL[side[0]], va=_VERTICAL[side[1]])
    return label


def upright(x: float) -> list[Spot]:
    """Where the name of an upright line at x may stand, the best first."""
    return [((x, y), (side, up)) for y, up in _LEVELS for side in (-1, 1)]


def together(ax: "Axes", points: Floats, *, reach: float = 3.0) -> list[list[int]]:
    """
    Group the points that lie within `reach` [pt] of the first of their group.

    Each point is in one group, in order; a point that is not finite is in none.
    """
    at = ax.transData.transform(points) * 72 / ax.figure.dpi
    groups: list[list[int]] = []
    for place in np.flatnonzero(np.isfinite(at).all(axis=1)).tolist():
        for group in groups:
            if np.hypot(*(at[place] - at[group[0]])) < reach:
                group.append(place)
                break
        else:
            groups.append([place])
    return groups


def plain(ax: "Axes") -> None:
    """Write the ticks of both axes in full: no exponent, no offset to add in mind."""
    from matplotlib.ticker import ScalarFormatter

    for axis in (ax.xaxis, ax.yaxis):
        formatter = ScalarFormatter(useOffset=False)
        formatter.set_scientific(False)
        axis.set_major_formatter(formatter)


def thin(ax: "Axes", *, gap: float = 8.0) -> None:
    """Set as many ticks on the x axis as have `gap` [pt] between their labels."""
    from matplotlib.ticker import MaxNLocator

    low, high = sorted(ax.get_xlim())
    for most in range(7, 0, -1):
        locator = MaxNLocator(most, steps=[1, 2, 2.5, 5, 10])
        every = np.asarray(locator.tick_values(low, high))
        ticks = every[(every >= low) & (every <= high)].tolist()
        texts = ax.xaxis.get_major_formatter().format_ticks(ticks)
        # a digit is 0.64 of its height wide
        width = 0.64 * 9 * max(map(len, texts), default=0)
        at = ax.transData.transform([(tick, ax.get_ylim()[0]) for tick in ticks])
        steps = np.abs(np.diff(at[:, 0])) * 72 / ax.figure.dpi
        if not steps.size or steps.min() >= width + gap:
            break
    ax.xaxis.set_major_locator(locator)


def _written(
    ax: "Axes", text: str, place: tuple[float, float], *, size: float, color: str
) -> "Annotation":
    from matplotlib.patheffects import withStroke

    label = ax.annotate(
        text,
        place,
        xytext=(0, 0),
        textcoords="offset points",
        fontsize=size,
        color=color,
        linespacing=1.15,
        path_effects=[withStroke(linewidth=2.5, foreground="white", alpha=0.8)],
    )
    label.set_in_layout(False)
    return label


def _taken(ax: "Axes", at: Floats, radii: Floats) -> list[Floats]:
    """Boxes of the marks and words that are in axes already."""
    sizes = 2 * radii * ax.figure.dpi / 72
    marks = [
        _box(*each) for each in zip(at, [(0, 0)] * len(at), sizes, sizes, strict=True)
    ]
    return marks + [np.asarray(text.get_window_extent().extents) for text in ax.texts]


def _crossed(box: Floats, path: Floats) -> int:
    """How many places of a path are in a box."""
    return int(((path > box[:2]) & (path < box[2:])).all(axis=1).sum())


def _shrink(side: tuple[int, int]) -> float:
    """Bring labels at the corners as near as those at the sides."""
    return 0.6 if all(side) else 1.0


def _box(place: Floats, side: tuple[int, int], width: float, height: float) -> Floats:
    """Left, bottom, right and top of a box at one side of a place."""
    size = np.array([width, height])
    low = place + (np.array(side) - 1) / 2 * size
    box: Floats = np.concatenate([low, low + size])
    return box


def _overlap(one: Floats, other: Floats) -> float:
    width, height = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    return max(float(width), 0.0) * max(float(height), 0.0)


def _path(ax: "Axes") -> Floats:
    """Places along all lines in axes, about four pixels apart."""
    parts = [np.empty((0, 2))]
    for line in ax.lines:
        if line.get_linestyle() != "None":
            at = line.get_transform().transform(line.get_xydata())
            parts += [
                np.linspace(start, end, max(2, int(np.hypot(*(end - start)) / 4)))
                for start, end in itertools.pairwise(at)
            ]
    return np.concatenate(parts)
