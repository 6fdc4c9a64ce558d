"""What sharpness costs: skill against sharpness, one point for each forecast."""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import xarray as xr

from stormfusion.plot import canvas, coords, labels, series
from stormfusion.plot.colors import LINES
from stormfusion.plot.points import LOW, gathered, weight_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Panel: TypeAlias = "tuple[Axes, labels.Floats]"

_MANY = 12
"""More points than this are not named one by one where they stand."""


def tradeoff(
    dataset: xr.Dataset | Mapping[str, xr.Dataset],
    *,
    skill: str = "csi",
    sharpness: str = "perceptual",
    threshold: float | str | Sequence[float | str] | None = None,
    lead: coords.Lead | float | None = None,
    title: str | None = None,
    path: str | os.PathLike[str] | None = None,
) -> "Figure":
    """
    Draw skill against sharpness, to see what sharpness costs.

    Right is sharper and up is more skilful: axes of distances and errors are turned.
    The weights of a sweep are joined by a line; its weight 0 and the chosen weight are
    marked, and the CSI is shaded that costs more than the sweep allowed. The sweep
    chose by all thresholds together, so in one panel the chosen may lie in the shade.

    Parameters
    ----------
    dataset
        Scores on `weight`, as `Nowcaster.tune` gives, or on `forecast`, as
        `Nowcaster.evaluate` gives, and on `lead` and `threshold` where there are
        several. Or such evaluations of several runs by name: the first forecast of each
        is the run's, and the others are drawn once if they are the same in all.
    skill
        A score such as `"csi"`, `"fss"`, `"crps"` or `"mse"`.
    sharpness
        `"perceptual"`, `"lpips"` or `"spectrum_ratio"`.
    threshold
        One or several of the thresholds of the score; all of them by default.
    lead
        One lead time, such as `"30 min"`; a bare number is in minutes. By default, the
        mean over the lead times at which all points of a panel are defined. A point
        that is nowhere defined (NaN) is left out.
    title
        A title above the panels.
    path
        Where to save the picture, if anywhere.

    Returns
    -------
    Figure
        The figure, one panel for each threshold.

    Examples
    --------
    >>> import stormfusion.plot as plot
    >>> dataset = xr.Dataset(
    ...     {
    ...         "csi": ("weight", [0.42, 0.41, 0.33]),
    ...         "perceptual": ("weight", [0.9, 0.5, 0.4]),
    ...     },
    ...     coords={"weight": [0.0, 0.03, 0.3]},
    ...     attrs={"chosen_weight": 0.03, "cost": 0.05},
    ... )
    >>> ax = plot.tradeoff(dataset).axes[0]
    >>> ax.get_xlabel(), [text.get_text() for text in ax.texts]
    ('perceptual distance (sharper →)', ['0', '0.03', '0.3'])
    """
    points = gathered(
        dataset, skill=skill, sharpness=sharpness, threshold=threshold, lead=lead
    )
    count = points.sizes.get("threshold", 1)
    rows, columns = canvas.tiles(count)
    wide, high = (3.7, 3.3) if count > 1 else (6.0, 4.2)
    figure = canvas.blank(wide * columns + 0.6, high * rows + 0.8)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True)
    panels: list[Panel] = []
    for index, ax in enumerate(grid.ravel()):
        if index >= count:
            ax.set_visible(False)
            continue
        some = series.pick(points, "threshold", index)
        canvas.style(ax, grid=True)
        at = _places(ax, some, width=wide - 0.3)
        panels.append((ax, at))
        ax.set_ylim(_limits(at[:, 1], turned=skill in LOW))
        if np.isnan(at).all():
            canvas.note(ax, f"no {skill} and {sharpness} defined")
        elif "weight" in points.coords:
            _sweep(ax, at, some, limited=skill == "csi")
        else:
            _scatter(ax, at, some)
        if index + columns >= count:
            words = f"{points['sharpness'].attrs['words']} (sharper~→)"
            words = canvas.wrapped(words, width=wide - 0.4, size=10.0)
            ax.set_xlabel(f"{words}\n{_leads(points)}".strip().replace("~", " "))
            ax.tick_params(labelbottom=True)
        if index % columns == 0:
            # turned with its label, the arrow points up
            ax.set_ylabel(f"{points['skill'].attrs['words']}\n(more skilful →)")
    values = np.concatenate([at[:, 0] for _, at in panels])
    if sharpness == "spectrum_ratio" and (values > 0.5).any():
        values = np.append(values, 1.0)
        for ax, _ in panels:
            _mark_observed(ax)
    panels[0][0].set_xlim(_limits(values, turned=sharpness != "spectrum_ratio"))
    canvas.headline(figure, title)
    _name(figure, panels, points)
    return canvas.finish(figure, path=path)


def _places(ax: "Axes", some: xr.Dataset, *, width: float) -> labels.Floats:
    """Rows of x and y, NaN where undefined, under a heading that says of what."""
    order = [dim for dim in ("point", "lead") if dim in some.dims]
    both = [some[key].transpose(*order).values for key in ("sharpness", "skill")]
    heads = [series.reached(some["threshold"])] if "threshold" in some.coords else []
    known = np.isfinite(both[0]) & np.isfinite(both[1])
    if "lead" in some.dims:
        # a lead that only some points have would favour or harm them
        alive = known.any(axis=1)
        used = known[alive].all(axis=0) & alive.any()
        if 0 < used.sum() < used.size:
            heads.append(f"mean over {used.sum()} of {used.size} leads")
        known = alive & used.any()
        both = [
            np.where(used, values, 0.0).sum(axis=1) / max(used.sum(), 1)
            for values in both
        ]
    if heads:
        canvas.heading(ax, ", ".join(heads), width=width, size=10.5)
    return np.where(known[:, None], np.stack(both, axis=1), np.nan)


def _limits(values: labels.Floats, *, turned: bool) -> tuple[float, float]:
    """Ends of an axis, with room for labels around the values."""
    values = values[np.isfinite(values)]
    low, high = (values.min(), values.max()) if values.size else (0.0, 1.0)
    room = 0.16 * (high - low) or 0.1 * abs(high) or 0.1
    ends = (float(low - room), float(high + room))
    return ends[::-1] if turned else ends


def _sweep(ax: "Axes", at: labels.Floats, some: xr.Dataset, *, limited: bool) -> None:
    x, y = at[np.isfinite(at).all(axis=1)].T
    term = some.attrs.get("term")
    words = f"weight of {term}" if term else "weight"
    words = str(some["weight"].attrs.get("long_name", words))
    look: dict[str, Any] = {"color": LINES[0], "marker": "o", "markersize": 5}
    ax.plot(x, y, lw=1.5, label=words, zorder=3, **look)
    weights = some["weight"].values.astype(float)
    dots: dict[str, Any] = {"ls": "", "zorder": 4}
    for (x0, y0), weight in zip(at, weights, strict=True):
        if weight == 0 and np.isfinite(y0):
            look = {"marker": "s", "color": canvas.INK, "markersize": 7}
            ax.plot(x0, y0, label="weight 0, the reference", **look, **dots)
            if limited:
                _limit(ax, y, y0, some.attrs.get("cost"))
        if weight == _chosen(some) and np.isfinite(y0):
            look = {"marker": "o", "mfc": "none", "mec": LINES[1], "mew": 2.0}
            label = f"chosen, {weight_words(weight)}"
            ax.plot(x0, y0, label=label, markersize=13, **look, **dots)


def _limit(ax: "Axes", values: labels.Floats, reference: float, cost: Any) -> None:
    """Shade the CSI that is more than `cost` below that of weight 0."""
    if cost is None or not reference > 0:
        return
    least = (1 - float(cost)) * reference
    ax.set_ylim(_limits(np.append(values, least), turned=False))
    label = f"more than {100 * float(cost):.3g} % below weight 0"
    low, _ = ax.get_ylim()
    ax.axhspan(low, least, color="#f6e7de", lw=0, zorder=0, label=label)
    ax.axhline(least, color=LINES[1], lw=0.9, ls=(0, (4, 2)), zorder=1)


def _chosen(some: xr.Dataset) -> float:
    """The chosen weight as it stands in the sweep; NaN if there is none."""
    weights = some["weight"].values.astype(float)
    chosen = some.attrs.get("chosen_weight")
    if chosen is None:
        return np.nan
    same = weights[np.isclose(weights, float(chosen), rtol=1e-6, atol=0.0)]
    return float(same[0]) if same.size else np.nan


def _scatter(ax: "Axes", at: labels.Floats, some: xr.Dataset) -> None:
    for place, ((x, y), name) in enumerate(zip(at, _names(some), strict=True)):
        plain = "persistence" if name.startswith("persistence (") else name
        look = series.look_of(place, plain) | {"markersize": 8, "linestyle": ""}
        # when the colours come again, another marker
        look["marker"] = series.look_of(place + place // len(LINES), plain)["marker"]
        ax.plot(x, y, label=_broken(name, width=3.4), mec="white", **look)


def _mark_observed(ax: "Axes") -> None:
    ax.axvline(1.0, color=canvas.FAINT, lw=1.0, ls=(0, (1, 2)), zorder=1)
    words = ax.annotate(
        "observed",
        (1.0, 0.02),
        xycoords=ax.get_xaxis_transform(),
        xytext=(-4, 0),
        textcoords="offset points",
        ha="right",
        fontsize=8.5,
        color=canvas.FAINT,
    )
    words.set_in_layout(False)


def _name(figure: "Figure", panels: Sequence[Panel], points: xr.Dataset) -> None:
    """Name the points where they stand, if there is room, else in a legend."""
    names = _names(points)
    fullest = max((ax for ax, _ in panels), key=lambda ax: len(ax.lines))
    if "weight" in points.coords:
        _legend(figure, fullest)
        if len(names) > _MANY or not _labelled(figure, panels, points, names):
            kept = points["weight"].values == _chosen(points)
            kept[[0, -1]] = True
            names = np.where(kept, names, "").tolist()
            _labelled(figure, panels, points, names, keep=True)
        return
    texts = [_broken(name, width=1.6) for name in names]
    crowded = len(names) > _MANY or any(text.count("\n") > 2 for text in texts)
    if crowded or not _labelled(figure, panels, points, texts):
        _legend(figure, fullest)


def _legend(figure: "Figure", ax: "Axes") -> None:
    """Name the marks under the panels; a long legend lengthens the figure."""
    series.legend(figure, ax)
    for legend in figure.legends:
        high = float(legend.get_window_extent().height) / figure.dpi
        figure.set_figheight(figure.get_figheight() + max(high - 0.6, 0.0))


def _labelled(
    figure: "Figure",
    panels: Sequence[Panel],
    points: xr.Dataset,
    texts: Sequence[str],
    *,
    keep: bool = False,
) -> bool:
    """Label the points of all panels, or none of them where one lacks room."""
    line = "weight" in points.coords
    radii = np.full(len(texts), 4.5)
    if line:
        radii[points["weight"].values == _chosen(points)] = 7.5
    figure.draw_without_rendering()
    found, free = [], True
    for ax, at in panels:
        drawn = np.flatnonzero(np.isfinite(at[:, 1])).tolist()
        some = [texts[place] for place in drawn]
        if some:
            look: dict[str, Any] = {"radii": radii[drawn], "line": line}
            written, fits = labels.beside(ax, at[drawn], some, **look)
            found += written
            free &= fits
    if not (free or keep):
        for label in found:
            label.remove()
    return free


def _names(points: xr.Dataset) -> list[str]:
    return [str(name) for name in points["point"].values]


def _broken(name: str, *, width: float) -> str:
    """Break a long name, a recipe at its plus signs."""
    if " " in name:
        return canvas.wrapped(name, width=width, size=9.0)
    lines = canvas.wrapped(name.replace("+", "+ "), width=width, size=9.0)
    return lines.replace("+ ", "+")


def _leads(points: xr.Dataset) -> str:
    if "lead" not in points.dims:
        return ""
    lead = coords.minutes(points["lead"])
    if lead.size == 1:
        return f"lead {lead[0]:g} min"
    return f"mean over leads {lead.min():g} to {lead.max():g} min"
