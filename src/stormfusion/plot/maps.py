"""Single maps: the field itself, its frame and its colour bar."""

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from stormfusion.plot import canvas, coords
from stormfusion.plot.colors import MISSING, Paint, paint

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure


def field(
    array: xr.DataArray,
    *,
    ax: "Axes | None" = None,
    cmap: "str | Colormap" = "standard",
    title: str | None = None,
    colorbar: bool = True,
    path: str | os.PathLike[str] | None = None,
) -> "Figure":
    """
    Draw one map in the colours its variable is known by.

    The table is chosen by the array's name (`vil`, `reflectivity`, `rain_rate`, `rain`,
    `mesh`, `ir069`, `ir107`, `vis`, `lightning`), or else by its units; anything else
    is drawn in even colours over its range. Dry pixels, below the first class, stay
    bare. Missing pixels are a flat light grey, named beside the colour bar. North is up
    whatever the order of the rows. The axes keep the units of the coordinates, so
    that what you draw on top fits, and metres are labelled in kilometres.

    Parameters
    ----------
    array
        A map with dims `y` and `x`.
    ax
        Axes to draw into. A new figure if none are given.
    cmap
        `"standard"`, or `"safe"` for the same classes in colours that colour-blind
        readers can order, or any matplotlib colormap.
    title
        A title. If none is given, the time and lead time of the array.
    colorbar
        Whether to draw the colour bar.
    path
        Where to save the picture, if anywhere.

    Returns
    -------
    Figure
        The figure; its map is `figure.axes[0]`.

    Examples
    --------
    >>> import stormfusion.plot as plot
    >>> kilometres = {"units": "m"}
    >>> rain_rate = xr.DataArray(
    ...     [[0.0, 12.0], [np.nan, 3.0]],
    ...     coords={
    ...         "y": ("y", [1500.0, 500.0], kilometres),
    ...         "x": ("x", [500.0, 1500.0], kilometres),
    ...     },
    ...     name="rain_rate",
    ...     attrs={"units": "mm h-1", "long_name": "rain rate"},
    ... )
    >>> figure = plot.field(rain_rate)
    >>> figure.axes[0].get_xlabel()
    'x [km]'
    """
    array = coords.frame(array)
    brush = paint([array], cmap=cmap)
    figure, ax = place(array, ax, bar=colorbar)
    image = draw(ax, array, brush)
    if colorbar:
        bar(ax, image, brush, label=coords.quantity(array), missing=has_missing(array))
    entitle(ax, coords.moment(array) if title is None else title)
    return canvas.finish(figure, path=path)


def draw(
    ax: "Axes",
    array: xr.DataArray,
    brush: Paint,
    *,
    said: bool = True,
    size: float = 10.0,
) -> "ScalarMappable":
    """Paint a frame, label its axes, and say so if it is bare."""
    x, y = coords.axis(array, "x"), coords.axis(array, "y")
    values = np.clip(array.values, -1e30, 1e30)
    image: ScalarMappable
    if x.regular and y.regular:
        image = ax.imshow(
            values,
            cmap=brush.cmap,
            norm=brush.norm,
            extent=(*x.edges, *y.edges),
            origin="lower",
            interpolation="nearest",
        )
    else:
        image = ax.pcolormesh(
            x.values, y.values, values, cmap=brush.cmap, norm=brush.norm
        )
    ground(ax, array)
    if said and (text := coords.remark(array, brush)):
        canvas.note(ax, text, size=size, bare=not has_missing(array))
    return image


def ground(ax: "Axes", array: xr.DataArray) -> None:
    """Give axes the shape of a frame's ground, and label its places."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    ax.set_aspect(coords.aspect(array))
    canvas.style(ax)
    for side, dim in ((ax.xaxis, "x"), (ax.yaxis, "y")):
        one = coords.axis(array, dim)
        side.set_label_text(one.label)
        side.set_major_locator(MaxNLocator(7, steps=[1, 2, 2.5, 5, 10]))
        if len(one.values) < 4:
            side.set_ticks(one.values)
        if one.kind == "metre":
            side.set_major_formatter(FuncFormatter(_kilometres))


def bar(
    ax: "Axes",
    image: "ScalarMappable",
    brush: Paint,
    *,
    label: str,
    missing: bool,
    partly: str | None = None,
    height: float | None = None,
) -> None:
    """Draw a colour bar as high as its map, and what grey and hatches mean under it."""
    (left, right), (bottom, top) = sorted(ax.get_xlim()), sorted(ax.get_ylim())
    aspect = ax.get_aspect()
    tall = 1.0 if aspect == "auto" else float(aspect) * (top - bottom) / (right - left)
    wide = 0.04 * max(1.0, tall)
    box = ax.inset_axes((1.0 + 0.75 * wide, 0.0, wide, 1.0))
    figure = ax.get_figure(root=True)
    assert figure is not None
    scale = figure.colorbar(image, cax=box, extendfrac=0.05)
    if height is None:
        height = 0.9 * figure.get_figheight() * ax.get_position().height
    dress(box, scale, brush, label=label, missing=missing, height=height, partly=partly)


def dress(
    box: "Axes",
    scale: Any,
    brush: Paint,
    *,
    label: str,
    missing: bool,
    height: float,
    partly: str | None = None,
) -> None:
    """Tick and label a colour bar that is `height` inches high."""
    from matplotlib.patches import Patch

    if brush.ticks is not None:
        each = int(np.ceil(len(brush.ticks) * 0.16 / height))
        ticks = brush.ticks[::-each][::-1]  # the highest tells most
        words = [f"{t:.0%}" if brush.percent else f"{t:.3g}" for t in ticks]
        scale.set_ticks(ticks, labels=words)
    scale.outline.set(edgecolor=canvas.FRAME, linewidth=0.6)
    box.minorticks_off()
    canvas.style(box)
    box.set_ylabel(canvas.wrapped(label, width=height, size=10.0), fontsize=10.0)
    if missing:
        meant: list[tuple[str | None, str]] = [(None, "no data")]
        if partly is not None:
            meant.append((partly, "some leads only"))
        box.legend(
            handles=[
                Patch(fc=MISSING, ec=canvas.FRAME, lw=0.6, hatch=hatch, label=text)
                for hatch, text in meant
            ],
            loc="upper left",
            bbox_to_anchor=(0.0, -0.1 / height),
            borderaxespad=0.0,
            borderpad=0.0,
            handlelength=1.1,
            handleheight=1.1,
            handletextpad=0.5,
            frameon=False,
            fontsize=9,
            labelcolor=canvas.FAINT,
        )


def has_missing(array: xr.DataArray) -> bool:
    """True if a pixel of a frame has no data."""
    return bool(np.isnan(array.values).any())


def panel(ratio: float, *, largest: float) -> tuple[float, float]:
    """Width and height of a map whose longer side is `largest` inches."""
    return (largest / max(1.0, ratio), largest * min(1.0, ratio))


def place(
    array: xr.DataArray, ax: "Axes | None", *, bar: bool
) -> "tuple[Figure, Axes]":
    """Find the axes for a single map, on a new figure of its shape if need be."""
    if ax is not None:
        from matplotlib.axes import Axes

        hint = "matplotlib axes; make some with figure.subplots()"
        canvas.wanted(ax, Axes, role="ax", hint=hint)
        figure = ax.get_figure(root=True)
        if figure is None:
            raise ValueError("ax belongs to no figure; make it with figure.subplots()")
        return figure, ax
    wide, high = panel(coords.ratio(array), largest=6.0)
    figure = canvas.blank(max(3.6, wide + (2.0 if bar else 0.9)), max(2.8, high + 0.9))
    return figure, figure.subplots()


def entitle(ax: "Axes", title: str, *, pad: float = 7.0) -> None:
    """Title a single map, in lines that fit its figure, `pad` [pt] above it."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    room = figure.get_figwidth() * ax.get_position().width
    canvas.heading(ax, title, width=max(room, 2.5), pad=pad)


def _kilometres(value: float, _: object) -> str:
    return f"{value / 1000:.10g}".replace("-", "\N{MINUS SIGN}")
