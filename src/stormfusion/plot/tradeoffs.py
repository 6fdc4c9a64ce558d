"""What sharpness costs: skill against sharpness, one point for each forecast."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from stormfusion.plot import canvas, coords, labels, series
from stormfusion.plot.colors import LINES
from stormfusion.plot.points import LOW, gathered, lead_words, placed, weight_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D


@dataclass(frozen=True)
class Panel:
    """Axes, the rows of x and y in them, the leads [min] used, and what is written."""

    ax: "Axes"
    at: labels.Floats
    leads: labels.Floats
    marks: "list[Line2D]" = field(default_factory=list)
    remarks: list[tuple[str, list[labels.Spot], bool]] = field(default_factory=list)


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
    marked, and the CSI is shaded that costs more than the sweep allowed; where that is
    far below all points, its limit is only told. The sweep chose by all thresholds
    together, so in one panel the chosen may lie in the shade. Points that coincide
    share a label, and the marks beneath are drawn larger.

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
        mean over the lead times at which all points of a panel are defined; where
        panels differ in these, the head of each names its own. A point that is nowhere
        defined (NaN) is left out.
    title
        A title above the panels.
    path
        Where to save the picture, if anywhere.

    Returns
    -------
    Figure
        The figure, one panel for each threshold at which a point is defined; the
        others are named in a line below.

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
    parts = [series.pick(points, "threshold", index) for index in range(count)]
    found = [placed(part) for part in parts]
    shown = [i for i, (at, _) in enumerate(found) if np.isfinite(at).any()]
    bare = [part for i, part in enumerate(parts) if count > 1 and i not in shown]
    shown = shown or [0]
    rows, columns = canvas.tiles(len(shown))
    wide, high = (3.7, 3.3) if len(shown) > 1 else (6.0, 4.2)
    figure = canvas.blank(wide * columns + 0.6, high * rows + 0.8)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True).ravel()
    panels = [Panel(ax, *found[i]) for ax, i in zip(grid, shown, strict=False)]
    for ax in grid[len(shown) :]:
        ax.set_visible(False)
    heads, below = _words(points, [panel.leads for panel in panels])
    for index, (panel, i) in enumerate(zip(panels, shown, strict=True)):
        ax = panel.ax
        canvas.style(ax, grid=True)
        labels.plain(ax)
        ax.set_ylim(_limits(panel.at[:, 1], turned=skill in LOW))
        if np.isnan(panel.at).all():
            canvas.note(ax, f"no {skill} and {sharpness} defined")
        elif "weight" in points.coords:
            _sweep(panel, parts[i], limited=skill == "csi")
        else:
            _scatter(panel, parts[i])
        head = heads[index]
        if "threshold" in points.coords and len(bare) < count:
            head = f"{series.reached(parts[i]['threshold'])}, {head}".strip(", ")
        canvas.heading(ax, head, width=wide - 0.3, size=10.5)
        if index + columns >= len(shown):
            words = f"{points['sharpness'].attrs['words']} (sharper~→)"
            words = canvas.wrapped(words, width=wide - 0.4, size=10.0)
            ax.set_xlabel(f"{words}\n{below}".strip().replace("~", " "))
            ax.tick_params(labelbottom=True)
        if index % columns == 0:
            # turned with its label, the arrow points up
            ax.set_ylabel(f"{points['skill'].attrs['words']}\n(more skilful →)")
    values = np.concatenate([panel.at[:, 0] for panel in panels])
    if sharpness == "spectrum_ratio" and (values > 0.5).any():
        values = np.append(values, 1.0)
        for panel in panels:
            _mark_observed(panel)
    panels[0].ax.set_xlim(_limits(values, turned=sharpness != "spectrum_ratio"))
    canvas.headline(figure, title)
    _name(figure, panels, points, remark=_bare(bare, skill, sharpness))
    return canvas.finish(figure, path=path)


def _words(points: xr.Dataset, leads: Sequence[labels.Floats]) -> tuple[list[str], str]:
    """Say which leads the points are of: of each panel, and once under all."""
    none = [""] * len(leads)
    if "lead" not in points.dims or not any(used.size for used in leads):
        return none, ""
    every = coords.minutes(points["lead"])
    words = [lead_words(used, every) for used in leads]
    if len(set(words)) > 1:
        return words, "mean over the leads named above"
    return none, words[0] if leads[0].size == 1 else f"mean over {words[0]}"


def _bare(bare: Sequence[xr.Dataset], skill: str, sharpness: str) -> str:
    """Name the thresholds that have no panel, and say why they have none."""
    whys: dict[str, list[str]] = {}
    for part in bare:
        # CSI and FSS lack only where neither forecast nor observed has an event
        never = skill in ("csi", "fss") and bool(part["skill"].isnull().all())
        why = "never reached" if never else f"no {skill} and {sharpness} defined"
        whys.setdefault(why, []).append(series.reached(part["threshold"]))
    return "; ".join(f"{why}: {', '.join(which)}" for why, which in whys.items())


def _limits(values: labels.Floats, *, turned: bool) -> tuple[float, float]:
    """Ends of an axis, with room for labels around the values."""
    values = values[np.isfinite(values)]
    low, high = (values.min(), values.max()) if values.size else (0.0, 1.0)
    # what differs by less is noise, and its ticks would have eight digits and more
    same = high - low <= 1e-4 * max(abs(low), abs(high))
    room = (0.1 * abs(high) or 0.1) if same else 0.16 * (high - low)
    ends = (float(low - room), float(high + room))
    return ends[::-1] if turned else ends


def _sweep(panel: Panel, some: xr.Dataset, *, limited: bool) -> None:
    ax, at = panel.ax, panel.at
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
                _limit(panel, y, y0, some.attrs.get("cost"))
        if weight == _chosen(some) and np.isfinite(y0):
            look = {"marker": "o", "mfc": "none", "mec": LINES[1], "mew": 2.0}
            label = f"chosen, {weight_words(weight)}"
            ax.plot(x0, y0, label=label, markersize=13, **look, **dots)


def _limit(panel: Panel, values: labels.Floats, reference: float, cost: Any) -> None:
    """Shade the CSI that is more than `cost` below that of weight 0, if it is near."""
    if cost is None or not reference > 0:
        return
    least = (1 - float(cost)) * reference
    label = f"more than {100 * float(cost):.3g} % below weight 0"
    ax = panel.ax
    low, high = ax.get_ylim()
    if least < min(low, values.min() - 0.6 * np.ptp(values)):
        # the points would share less than half of the panel
        words = f"{100 * float(cost):.3g} % below weight 0: {least:.3g} ↓"
        panel.remarks.append((words, labels.CORNERS, False))
        return
    low = min(low, least - 0.06 * (high - least))
    ax.set_ylim(low, high)
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


def _scatter(panel: Panel, some: xr.Dataset) -> None:
    for place, ((x, y), name) in enumerate(zip(panel.at, _names(some), strict=True)):
        plain = "persistence" if name.startswith("persistence (") else name
        look = series.look_of(place, plain) | {"markersize": 8, "linestyle": ""}
        # when the colours come again, another marker
        look["marker"] = series.look_of(place + place // len(LINES), plain)["marker"]
        label = _broken(name, width=3.4)
        panel.marks.extend(panel.ax.plot(x, y, label=label, mec="white", **look))


def _mark_observed(panel: Panel) -> None:
    panel.ax.axvline(1.0, color=canvas.FAINT, lw=1.0, ls=(0, (1, 2)), zorder=1)
    panel.remarks.append(("observed", labels.upright(1.0), True))


def _name(
    figure: "Figure", panels: Sequence[Panel], points: xr.Dataset, *, remark: str
) -> None:
    """Name the points where they stand, if there is room, else in a legend."""
    names = _names(points)
    fullest = max((panel.ax for panel in panels), key=lambda ax: len(ax.lines))
    figure.draw_without_rendering()
    labels.thin(panels[0].ax)
    if "weight" in points.coords:
        _legend(figure, fullest, remark=remark)
        if len(names) > _MANY or not _labelled(figure, panels, points, names):
            kept = points["weight"].values == _chosen(points)
            kept[[0, -1]] = True
            names = np.where(kept, names, "").tolist()
            _labelled(figure, panels, points, names, keep=True)
        return
    texts = [_broken(name, width=1.6) for name in names]
    crowded = len(names) > _MANY or any(text.count("\n") > 2 for text in texts)
    if remark and not crowded:
        _under(figure, remark)
    if crowded or not _labelled(figure, panels, points, texts):
        _legend(figure, fullest, remark=remark)
        _labelled(figure, panels, points, [""] * len(names), keep=True)


def _under(figure: "Figure", remark: str) -> None:
    figure.supxlabel(_filled(figure, remark), fontsize=9, color=canvas.FAINT)


def _filled(figure: "Figure", remark: str) -> str:
    """Break a remark between thresholds, not within one."""
    whole = remark.replace(" ", "~").replace(",~", ", ").replace(";~", "; ")
    lines = canvas.wrapped(whole, width=figure.get_figwidth() - 0.4, size=9.0)
    return lines.replace("~", " ")


def _legend(figure: "Figure", ax: "Axes", *, remark: str) -> None:
    """Name the marks under the panels; a long legend lengthens the figure."""
    series.legend(figure, ax)
    if remark and not figure.legends:
        _under(figure, remark)
    for legend in figure.legends:
        if remark:
            # one block under the panels: two would lie over each other
            figure.supxlabel("")
            legend.set_title(_filled(figure, remark))
            legend.get_title().set(fontsize=9, color=canvas.FAINT)
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
    figure.draw_without_rendering()
    found, free = [], True
    for panel in panels:
        radii = np.full(len(texts), 4.5)
        if "weight" in points.coords:
            radii[points["weight"].values == _chosen(points)] = 7.5
        words = _merged(panel, texts, radii)
        drawn = np.flatnonzero(np.isfinite(panel.at[:, 1])).tolist()
        if not drawn:
            continue
        ax, at, radii = panel.ax, panel.at[drawn], radii[drawn]
        for text, spots, data in panel.remarks:
            look: dict[str, Any] = {"points": at, "radii": radii, "data": data}
            found.append(labels.remark(ax, text, spots, **look))
        some = [words[place] for place in drawn]
        written, fits = labels.beside(ax, at, some, radii=radii)
        found += written
        free &= fits and all(text.count("\n") < 6 for text in some)
    if not (free or keep):
        for label in found:
            label.remove()
        for mark in (mark for panel in panels for mark in panel.marks):
            mark.set_markersize(8.0)  # as the legend is to show it
    return free


def _merged(panel: Panel, texts: Sequence[str], radii: labels.Floats) -> list[str]:
    """Name points that coincide in one label, and let each mark be seen."""
    words = [""] * len(texts)
    for group in labels.together(panel.ax, panel.at):
        named = [texts[place] for place in group if texts[place]]
        apart = ", " if sum(map(len, named)) < 24 else ",\n"
        words[group[0]] = apart.join(named)
        radii[group[0]] = radii[group].max()
        step = min(5.0, 18.0 / len(group))
        for above, place in enumerate(reversed(group)):
            if panel.marks:
                # the first lies undermost, and looks out from under the others
                panel.marks[place].set_markersize(8.0 + step * above)
                radii[place] = 4.5 + step / 2 * above
    return words


def _names(points: xr.Dataset) -> list[str]:
    return [str(name) for name in points["point"].values]


def _broken(name: str, *, width: float) -> str:
    """Break a long name, a recipe at its plus signs."""
    if " " in name:
        return canvas.wrapped(name, width=width, size=9.0)
    lines = canvas.wrapped(name.replace("+", "+ "), width=width, size=9.0)
    return lines.replace("+ ", "+")
