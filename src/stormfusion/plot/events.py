"""Performance diagrams: detections, false alarms, bias and CSI in one picture."""

import os
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import xarray as xr

from stormfusion.plot import canvas, coords, labels, series
from stormfusion.plot.units import bracketed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Along: TypeAlias = Literal["threshold", "lead"]

COUNTS = ("hits", "misses", "false_alarms")
RATIOS = ("success_ratio", "pod")

_CSI = tuple(step / 10 for step in range(1, 10))
_BIAS = np.array([0.25, 0.5, 0.75, 1.0, 4 / 3, 2.0, 4.0])
_RAYS = (0.45, 2.2, 1.0, 0.25, 4.0)
"""Frequency biases along which the CSI may be written, the best first."""


def performance(
    dataset: xr.Dataset,
    *,
    along: Along | None = None,
    title: str | None = None,
    path: str | os.PathLike[str] | None = None,
) -> "Figure":
    r"""
    Draw how many events were forecast, and how many of the forecast ones came.

    A point has the success ratio $h / (h + f)$ and the probability of detection
    $h / (h + m)$ of hits $h$, false alarms $f$ and misses $m$; the best place is the
    upper right corner. Both tell the critical success index (curved lines) and the
    frequency bias $(h + f) / (h + m)$ (dashed lines): above the diagonal events are
    forecast too often.

    Parameters
    ----------
    dataset
        `hits`, `misses` and `false_alarms`, as `Nowcaster.evaluate`,
        `verification.verify` and `verification.contingency` give, on `threshold`,
        `lead` and `forecast` where there are several. Or `success_ratio` and `pod`,
        which are drawn as they are. A point without an event is left out.
    along
        What the points of a curve are. `"threshold"`: the counts of all leads are added
        up before they are divided; ratios of several leads are refused, for their mean
        is not the ratio of all. `"lead"`: each lead is a point, and each threshold has
        a panel. By default thresholds where there are several, else leads.
    title
        A title above the panels.
    path
        Where to save the picture, if anywhere.

    Returns
    -------
    Figure
        The figure, one curve for each forecast.

    References
    ----------
    Roebber, P. J., 2009: Visualizing multiple measures of forecast quality. *Wea.
    Forecasting*, **24**, 601-608, <https://doi.org/10.1175/2008WAF2222159.1>.

    Examples
    --------
    >>> import stormfusion.plot as plot
    >>> counts = {"hits": [8, 3], "misses": [2, 3], "false_alarms": [8, 1]}
    >>> dataset = xr.Dataset(
    ...     {name: ("threshold", number) for name, number in counts.items()},
    ...     coords={"threshold": [1.0, 5.0]},
    ... )
    >>> curve = plot.performance(dataset).axes[0].lines[0]
    >>> curve.get_xdata(), curve.get_ydata()
    (array([0.5 , 0.75]), array([0.8, 0.5]))
    """
    if along not in (None, "threshold", "lead"):
        raise ValueError(f"along is {along!r}; choose 'threshold' or 'lead'")
    given = _checked(dataset)
    if along is None:
        one = given.sizes.get("threshold", 1) == 1
        along = "lead" if one and given.sizes.get("lead", 1) > 1 else "threshold"
    if along == "lead" and "lead" not in given.dims:
        raise ValueError("the dataset has no lead to draw along; leave along= out")
    points = _ratios(given, along)
    panels = points.sizes.get("threshold", 1) if along == "lead" else 1
    rows, columns = canvas.tiles(panels)
    size = 5.0 if panels == 1 else 3.4
    figure = canvas.blank((size + 0.5) * columns + 0.4, (size + 0.6) * rows + 0.4)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    drawn = []
    for index, ax in enumerate(grid):
        if index >= panels:
            ax.set_visible(False)
            continue
        some = points
        if along == "lead":
            some = series.pick(points, "threshold", index)
        drawn.append((ax, *_curves(ax, some, along)))
        canvas.heading(ax, _head(some, given, along), width=size, size=10.5)
        last = index + 1 == panels or (index + 1) % columns == 0
        _background(ax, drawn[-1][1], last=last)
        if index + columns >= panels:
            ax.set_xlabel("success ratio")
        if index % columns == 0:
            ax.set_ylabel("probability of detection")
    series.legend(figure, grid[0])
    canvas.headline(figure, title)
    figure.draw_without_rendering()
    for ax, at, texts in drawn:
        _label(ax, at, texts)
    return canvas.finish(figure, path=path)


def _checked(dataset: xr.Dataset) -> xr.Dataset:
    """Counts, or else ratios, in the order of thresholds and leads."""
    what, maker = "a performance diagram", "verification.contingency"
    ready = isinstance(dataset, xr.Dataset) and all(name in dataset for name in RATIOS)
    counted = not ready or all(name in dataset for name in COUNTS)
    names = COUNTS if counted else RATIOS
    given = series.scored(dataset, *names, what=what, maker=maker)[list(names)]
    for name in names:
        series.check_dims(given[name], ("forecast", "lead", "threshold"))
    for dim in ("threshold", "lead"):
        if dim in given.indexes and given[dim].dtype.kind in "iufm":
            given = given.sortby(dim)
    return given


def _ratios(given: xr.Dataset, along: Along) -> xr.Dataset:
    """Success ratio and POD of the counts of all leads, or of each."""
    pooled = along == "threshold" and given.sizes.get("lead", 1) > 1
    if along == "threshold" and not pooled:
        given = series.at_lead(given, None)
    if RATIOS[0] in given:
        if pooled:
            raise ValueError(
                f"the dataset has the ratios of {given.sizes['lead']} leads and not "
                "the counts, but the mean of ratios is not the ratio of all; give "
                f"{', '.join(COUNTS)} of verification.contingency, choose a lead with "
                ".isel(lead=-1), or draw along='lead'"
            )
        return given
    if pooled:
        # a lead that one forecast lacks is not added up, which would be unfair
        given = given.sum("lead", skipna=False)
    h, m, f = (given[name].astype(float) for name in COUNTS)
    parts = {"success_ratio": h + f, "pod": h + m}
    return xr.Dataset({name: h / n.where(n > 0) for name, n in parts.items()})


def _head(some: xr.Dataset, given: xr.Dataset, along: Along) -> str:
    """Say what the points are, what the panel is of, and which leads are in it."""
    if along == "lead":
        return f"{series.head(some)}, by lead time [min]".removeprefix(", ")
    parts = []
    if given.sizes.get("lead", 1) > 1:
        parts.append(series.together(given))
    if "threshold" in some.dims:
        units = some["threshold"].attrs.get("units", "")
        parts.insert(0, bracketed("by threshold", units))
    return series.head(some, *parts)


def _curves(
    ax: "Axes", some: xr.Dataset, along: Along
) -> tuple[labels.Floats, list[str]]:
    """Draw a curve for each forecast; give its points and their names."""
    found, texts = [np.empty((0, 2))], []
    names = _names(some, along)
    for place, (name, curve) in enumerate(series.forecasts(some)):
        order = [dim for dim in (along,) if dim in curve.dims]
        both = [np.atleast_1d(curve[key].transpose(*order).values) for key in RATIOS]
        at = np.stack(both, axis=1)
        known = np.isfinite(at).all(axis=1)
        look = series.look_of(place, name) | {"markersize": 6, "mec": "white"}
        (line,) = ax.plot(*at[known].T, label=name, zorder=3, **look)
        # an empty line that is not clipped upsets the layout
        line.set_clip_on(not known.any())
        found.append(at[known])
        texts += [text for text, drawn in zip(names, known, strict=True) if drawn]
    at = np.concatenate(found)
    if not len(at):
        canvas.note(ax, "no event forecast, or none observed", bare=False)
    return at, texts


def _names(some: xr.Dataset, along: Along) -> list[str]:
    """What stands beside the points of a curve."""
    if along not in some.dims:
        return [""]
    if along not in some.coords:
        return [""] * some.sizes[along]
    if along == "lead":
        return [f"{minute:g}" for minute in coords.minutes(some["lead"])]
    values = some["threshold"].values.tolist()
    return [v if isinstance(v, str) else f"{v:.3g}" for v in values]


def _background(ax: "Axes", at: labels.Floats, *, last: bool) -> None:
    """Draw the lines of equal CSI and of equal bias, and say how much."""
    from matplotlib.collections import LineCollection

    # collections, since labels of points keep off what are lines of axes
    curves = [_where(csi, np.geomspace(csi, 1 / csi, 99)) for csi in _CSI]
    rays = [[(0.0, 0.0), (min(1.0, 1 / b), min(1.0, b))] for b in _BIAS]
    look: dict[str, Any] = {"color": "#b8c2cc", "linewidths": 0.8, "zorder": 1}
    words = "critical success index"
    ax.add_collection(LineCollection(curves, label=words, **look))
    look |= {"linestyles": (0, (4, 3))}
    ax.add_collection(LineCollection(rays, label="frequency bias", **look))
    ax.set(xlim=(0, 1), ylim=(0, 1), box_aspect=1.0)
    canvas.style(ax)
    for csi, (x, y) in zip(_CSI, _free(at).tolist(), strict=True):
        ax.text(
            x,
            y,
            f"{csi:g}",
            ha="center",
            va="center",
            fontsize=8,
            color=canvas.FAINT,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
            zorder=1.5,
        )
    same = (np.positive, np.positive)
    edges: list[Any] = [
        ax.secondary_xaxis("top", functions=same),
        ax.secondary_yaxis("right", functions=same),
    ]
    for edge, chosen in zip(edges, (_BIAS[_BIAS > 1], _BIAS[_BIAS <= 1]), strict=True):
        edge.set_ticks(
            np.minimum(chosen, 1 / chosen), [f"{bias:.3g}" for bias in chosen]
        )
        canvas.style(edge)
        edge.spines[:].set_visible(False)
    if last:
        edges[1].set_ylabel("frequency bias")


def _where(csi: Any, bias: Any) -> labels.Floats:
    """Success ratio and POD of a CSI and a frequency bias."""
    x = (1 + 1 / bias) / (1 + 1 / csi)
    return np.stack([x, bias * x], axis=-1)


def _free(at: labels.Floats) -> labels.Floats:
    """Where the CSI is written: along the ray on which it hides the least."""
    csi = np.array(_CSI)
    # a high CSI goes with a bias near 1 alone
    reach = 0.65 * np.abs(np.log(csi))
    found = [_where(csi, np.exp(np.clip(np.log(ray), -reach, reach))) for ray in _RAYS]
    if not len(at):
        return found[0]
    gaps = [
        np.hypot(*(spots[:, None] - at).transpose(2, 0, 1)).min() for spots in found
    ]
    clear = [gap > 0.06 for gap in gaps]
    return found[clear.index(True) if any(clear) else int(np.argmax(gaps))]


def _label(ax: "Axes", at: labels.Floats, texts: list[str]) -> None:
    """Name the points of all curves; where there is no room, some of the first."""
    radii = np.full(len(at), 3.0)
    written, free = labels.beside(ax, at, _merged(ax, at, texts), radii=radii, size=8.5)
    if free:
        return
    for label in written:
        label.remove()
    first = np.size(ax.lines[0].get_xdata())
    own = [text if place < first else "" for place, text in enumerate(texts)]
    own = _merged(ax, at, own)
    named = [place for place, text in enumerate(own) if text]
    ends = named[:1] + named[1:][-1:]
    for place in [*ends, *(each for each in named if each not in ends)]:
        lone = [text if each == place else "" for each, text in enumerate(own)]
        written, free = labels.beside(ax, at, lone, radii=radii, size=8.5)
        if not free and place not in ends:
            written[0].remove()


def _merged(ax: "Axes", at: labels.Floats, texts: list[str]) -> list[str]:
    """Name points that coincide once: the first and the last of them."""
    words = [""] * len(texts)
    for group in labels.together(ax, at):
        named = list(dict.fromkeys(texts[place] for place in group if texts[place]))
        if named:
            words[group[0]] = ", ".join(named)
        if len(named) > 2:
            words[group[0]] = f"{named[0]} to {named[-1]}"
    return words
