"""How large the areas are where a hazard is likely, by lead time."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stormfusion.plot import canvas
from stormfusion.plot.colors import probabilities

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STYLES = ("-", "--", ":", "-.")


def extents(
    areas: NDArray[np.float64],
    *,
    leads: Sequence[float],
    hazards: Sequence[str],
    levels: Sequence[float],
) -> "Figure":
    """
    Draw areas [km2] by lead time, a panel for each hazard and a curve for each level.

    Parameters
    ----------
    areas
        By hazard, lead and level; NaN is a gap.
    leads
        Lead times [min].
    hazards
        Their names.
    levels
        Probabilities from which on a pixel counts.
    """
    count = len(hazards)
    rows, columns = canvas.tiles(count)
    figure = canvas.blank(2.9 * columns + 0.5, 1.55 * rows + 0.25)
    figure.set_layout_engine("constrained", w_pad=0.06, h_pad=0.03)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True).ravel()
    shades: Any = probabilities("safe").cmap(np.linspace(0.45, 0.95, len(levels)))
    for index, ax in enumerate(grid):
        ax.set_visible(index < count)
        if index >= count:
            continue
        for number, level in enumerate(levels):
            ax.plot(
                leads,
                areas[index, :, number],
                color=shades[number],
                linestyle=_STYLES[number % len(_STYLES)],
                marker="o",
                markersize=3,
                linewidth=1.6,
                label=f"{level:.0%} or more",
            )
        canvas.style(ax, grid=True)
        canvas.heading(ax, hazards[index], width=2.9, size=9.5, pad=5.0)
        known = areas[index][np.isfinite(areas[index])]
        ax.set_ylim(0, max(1.08 * float(known.max(initial=0.0)), 1.0))
        ax.ticklabel_format(axis="y", style="plain")
        if not known.size:
            canvas.note(ax, "no data")
        if index % columns == 0:
            ax.set_ylabel("area [km²]")
        if index + columns >= count:
            ax.set_xlabel("lead time [min]")
            ax.tick_params(labelbottom=True)
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside upper center",
        ncols=len(labels) or 1,
        frameon=False,
        fontsize=8.5,
        labelcolor=canvas.INK,
    )
    return figure
