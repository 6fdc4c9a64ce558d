"""The paper the pictures are drawn on: figures, frames, titles, files."""

import io
import os
import textwrap
from functools import partial
from typing import TYPE_CHECKING, Any

from stormfusion.writing import as_path, replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#1f2933"
FAINT = "#52606d"
FRAME = "#9aa5b1"
GRID = "#e4e7eb"


def blank(width: float, height: float, *, layout: str = "constrained") -> "Figure":
    """Make a figure that pyplot does not know; notebooks show it as a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(
        figsize=(width, height),
        dpi=100,
        layout=layout,  # type: ignore[arg-type]
        facecolor="white",
    )
    if layout == "constrained":
        # inches; titles keep off the edge
        figure.set_layout_engine("constrained", w_pad=0.08, h_pad=0.1)
    vars(figure)["_repr_png_"] = partial(_png, figure)
    return figure


def finish(figure: "Figure", *, path: str | os.PathLike[str] | None) -> "Figure":
    """Save the figure if a path is given, and hand it back."""
    if path is None:
        return figure
    place = as_path(path)
    known = sorted(figure.canvas.get_supported_filetypes())
    if place.suffix.lower().removeprefix(".") not in known:
        raise ValueError(
            f"path is {str(path)!r}, wanted a name with the ending of a picture, such "
            f"as '{place.stem}.png'; choose one of {', '.join(known)}"
        )
    with replacing(place) as temporary:
        figure.savefig(temporary, dpi=150)
    return figure


def wanted(value: Any, kind: type | tuple[type, ...], *, role: str, hint: str) -> Any:
    """Give a value of the kind back; of another, say what was wanted."""
    if isinstance(value, kind):
        return value
    plain = value is None or isinstance(value, str | int | float)
    shown = repr(value) if plain else f"a {type(value).__name__}"
    raise TypeError(f"{role} is {shown}, wanted {hint}")


def tiles(count: int) -> tuple[int, int]:
    """Rows and columns of a few panels, at most three beside each other."""
    columns = 2 if count == 4 else min(count, 3)
    return -(-count // columns), columns


def style(ax: "Axes", *, grid: bool = False) -> None:
    """Give axes their thin frame and quiet ticks."""
    ax.set_facecolor("white")
    ax.tick_params(labelsize=9, labelcolor=FAINT, color=FRAME, width=0.6, length=3)
    ax.xaxis.label.set(fontsize=10, color=INK)
    ax.yaxis.label.set(fontsize=10, color=INK)
    ax.spines[:].set(edgecolor=FRAME, linewidth=0.6)
    if grid:
        ax.grid(visible=True, color=GRID, linewidth=0.8)
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)


def heading(
    ax: "Axes", title: str, *, width: float, size: float = 11.0, pad: float = 7.0
) -> None:
    """Title axes at their left; a long title wraps in `width` inches."""
    text = wrapped(title, width=width, size=size)
    ax.set_title(text, loc="left", fontsize=size, color=INK, pad=pad)


def headline(figure: "Figure", title: str | None) -> None:
    """Title a whole figure; a long title wraps."""
    if title:
        text = wrapped(title, width=figure.get_figwidth() - 0.4, size=13.0)
        figure.suptitle(text, fontsize=13, color=INK)


def wrapped(text: str, *, width: float, size: float) -> str:
    """Break a text into lines that fit `width` inches at a font size in points."""
    columns = max(12, int(width * 72 / (0.54 * size)))
    return "\n".join(textwrap.fill(line, columns) for line in str(text).splitlines())


def note(ax: "Axes", text: str, *, size: float = 10.0, bare: bool = True) -> None:
    """
    Write a remark in the middle of axes that have nothing to show.

    Where they are not bare, what is under it is covered.
    """
    cover = {"facecolor": "white", "edgecolor": "none", "pad": 4.0}
    words = ax.text(
        0.5,
        0.5,
        text,
        transform=ax.transAxes,
        ha="center",
        va="center",
        fontsize=size,
        color=FAINT,
        bbox=None if bare else cover,
    )
    words.set_in_layout(False)  # or long ones would squeeze small axes


def _png(figure: "Figure") -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=figure.dpi)
    return buffer.getvalue()
