"""Labels beside points, placed so that they hide neither points nor each other."""

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

_HORIZONTAL = {1: "left", -1: "right", 0: "center"}
_VERTICAL = {1: "bottom", -1: "top", 0: "center"}


def beside(
    ax: "Axes",
    points: Floats,
    texts: Sequence[str],
    *,
    radii: Floats,
    line: bool = False,
    size: float = 9.0,
) -> "tuple[list[Annotation], bool]":
    """
    Write a text beside each point, and tell whether all found room.

    Points are rows of x and y, their marks have `radii` in points; one without a text
    only keeps its own room. The layout of the figure must be settled, for nothing moves
    afterwards. Where `line` says that the points are joined, labels keep off the line
    if they can.
    """
    from matplotlib.patheffects import withStroke

    at = ax.transData.transform(points)
    point = ax.figure.dpi / 72  # in pixels
    frame = np.asarray(ax.get_window_extent().extents)
    taken = [
        _box(place, (0, 0), 2 * radius * point, 2 * radius * point)
        for place, radius in zip(at, radii, strict=True)
    ]
    taken += [np.asarray(text.get_window_extent().extents) for text in ax.texts]
    path = _path(at) if line else np.empty((0, 2))
    labels, free = [], True
    for (x, y), place, radius, text in zip(points, at, radii, texts, strict=True):
        if not text:
            continue
        label = ax.annotate(
            text,
            (x, y),
            xytext=(0, 0),
            textcoords="offset points",
            fontsize=size,
            color=canvas.INK,
            linespacing=1.15,
            path_effects=[withStroke(linewidth=2.5, foreground="white", alpha=0.8)],
        )
        label.set_in_layout(False)
        extent = label.get_window_extent()
        best, least, room = _CHOICES[0], np.inf, taken[0]
        for rank, (side, gap) in enumerate(_CHOICES):
            middle = place + np.array(side) * (radius + gap) * point * _shrink(side)
            box = _box(middle, side, extent.width, extent.height)
            hidden = sum(_overlap(box, other) for other in taken)
            hidden += extent.width * extent.height - _overlap(box, frame)
            crossed = ((path > box[:2]) & (path < box[2:])).all(axis=1).sum()
            cost = hidden + 12 * crossed + 3 * rank
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


def _path(at: Floats) -> Floats:
    """Places along the line through all points, about four pixels apart."""
    parts = [
        np.linspace(start, end, max(2, int(np.hypot(*(end - start)) / 4)))
        for start, end in itertools.pairwise(at)
    ]
    path: Floats = np.concatenate([np.empty((0, 2)), *parts])
    return path
