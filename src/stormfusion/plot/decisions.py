"""What probabilities tell apart, and what that is worth: ROC and economic value."""

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from stormfusion.plot import canvas, coords, labels, series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NAMED = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Probabilities that are written beside a ROC curve, if it has them or others near."""

_UNDEFINED = "undefined: the event\ncame always or never"

_APART = 26.0
"""Least distance between points that are named [pt]."""


def roc(
    dataset: xr.Dataset,
    *,
    lead: coords.Lead | None = None,
    title: str | None = None,
    path: str | os.PathLike[str] | None = None,
) -> "Figure":
    """
    Draw how well probabilities tell events from the rest.

    Each point is a probability from which on a warning is given: upward the share of
    events that were warned of, to the right the share of the rest that was. The further
    a curve is above the diagonal, the better; whether probabilities are reliable it
    does not show, so look at `reliability` too.

    Parameters
    ----------
    dataset
        `pod` and `pofd` along `bin`, and on `forecast`, `threshold` and `lead` where
        there are several, as `verification.roc` gives; and `roc_area`, which stands in
        the legend. Join several forecasts with
        `xr.concat(each, "forecast").assign_coords(forecast=names)`; bins that one of
        them lacks (NaN) are left out.
    lead
        The lead time, such as `"30 min"`; the last by default. To take all leads
        together, score with `over=("lead", "y", "x")`: curves of several leads have no
        mean.
    title
        A title above the panels.
    path
        Where to save the picture, if anywhere.

    Returns
    -------
    Figure
        The figure, one panel for each threshold and one curve for each forecast. A few
        probabilities are named at the first curve that has some.

    References
    ----------
    Mason, S. J., and N. E. Graham, 2002: Areas beneath the relative operating
    characteristics (ROC) and relative operating levels (ROL) curves. *Quart. J. Roy.
    Meteor. Soc.*, **128**, 2145-2166, <https://doi.org/10.1256/003590002320603584>.

    Examples
    --------
    >>> import stormfusion.plot as plot
    >>> dataset = xr.Dataset(
    ...     {"pod": ("bin", [1.0, 0.9, 0.4]), "pofd": ("bin", [1.0, 0.3, 0.1])},
    ...     coords={"bin": [0.0, 0.5, 1.0]},
    ... )
    >>> ax = plot.roc(dataset.assign(roc_area=0.83)).axes[0]
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['no skill', 'forecast, area 0.83']
    """
    names, maker = ("pod", "pofd"), "verification.roc"
    given = series.scored(dataset, *names, what="a ROC curve", maker=maker)
    if "bin" not in given["pod"].dims:
        raise ValueError(
            "pod is that of one warning, but a ROC curve has one for each probability, "
            "along bin; make it with verification.roc"
        )
    given = series.at_lead(series.beside(given, *names, "roc_area"), lead)
    for name in names:
        series.check_dims(given[name], ("bin", "forecast", "threshold"), needed="bin")
    given = given.sortby("bin") if "bin" in given.coords else given
    return canvas.finish(detections(given, size=4.3, title=title), path=path)


def detections(
    given: xr.Dataset, *, size: float, title: str | None = None, legend: bool = True
) -> "Figure":
    """Draw ROC curves, in panels of `size` inches."""
    figure, grid = _tiles(given, size=size)
    drawn = []
    for index, ax in enumerate(grid):
        some = series.pick(given, "threshold", index)
        drawn.append((ax, *_curves(ax, some)))
        canvas.heading(ax, series.head(some), width=size - 0.3, size=10.5)
    if legend:
        _name_curves(figure, grid, size)
    _outer(grid, "probability of false detection", "probability of detection")
    canvas.headline(figure, title)
    figure.draw_without_rendering()
    for ax, at, texts in drawn:
        radii = np.full(len(at), 3.0)
        labels.beside(ax, at, _apart(ax, at, texts), radii=radii, size=8.5)
    return figure


def value(
    dataset: xr.Dataset | xr.DataArray,
    *,
    lead: coords.Lead | None = None,
    title: str | None = None,
    path: str | os.PathLike[str] | None = None,
) -> "Figure":
    """
    Draw what a forecast is worth, by what protection costs.

    The share of what a perfect forecast would save beyond the climatology, for who
    loses 1 where an event comes without protection and pays the cost/loss ratio for it.
    It is the envelope of all probabilities at which protection could be taken: each
    user takes the one that pays best. Where value is 0 the climatology is as good.

    Parameters
    ----------
    dataset
        The value along `cost_loss`, and on `forecast`, `threshold` and `lead` where
        there are several, as `verification.economic_value` gives, or a Dataset that
        holds it as `economic_value`. Where that holds a `base_rate` too, such as the
        one of `verification.reliability`, it is marked: there the climatology helps
        least, and the value is highest. Undefined values (NaN) are left out.
    lead
        The lead time, such as `"30 min"`; the last by default. To take all leads
        together, score with `over=("lead", "y", "x")`.
    title
        A title above the panels.
    path
        Where to save the picture, if anywhere.

    Returns
    -------
    Figure
        The figure, one panel for each threshold and one curve for each forecast. Where
        the value is highest at a ratio below 0.05, for events are rare, the ratios
        stand on a logarithmic axis.

    References
    ----------
    Richardson, D. S., 2000: Skill and relative economic value of the ECMWF ensemble
    prediction system. *Quart. J. Roy. Meteor. Soc.*, **126**, 649-667,
    <https://doi.org/10.1002/qj.49712656313>.

    Examples
    --------
    >>> import stormfusion.plot as plot
    >>> worth = xr.DataArray(
    ...     [0.1, 0.5, 0.2], dims="cost_loss", coords={"cost_loss": [0.1, 0.3, 0.6]}
    ... )
    >>> ax = plot.value(worth.to_dataset(name="economic_value")).axes[0]
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('cost of protection / loss', 'relative economic value')
    """
    name, maker = "economic_value", "verification.economic_value"
    given = series.scored(dataset, name, what="a picture of value", maker=maker)
    if "cost_loss" not in given.coords:
        raise ValueError(
            "economic_value has no coordinate cost_loss; make it with "
            "verification.economic_value"
        )
    given = series.at_lead(series.beside(given, name, "base_rate"), lead)
    dims = ("cost_loss", "forecast", "threshold")
    series.check_dims(given[name], dims, needed="cost_loss")
    given = given.sortby("cost_loss")
    return canvas.finish(worths(given, size=3.6, title=title), path=path)


def worths(
    given: xr.Dataset, *, size: float, title: str | None = None, legend: bool = True
) -> "Figure":
    """Draw curves of economic value, in panels of `size` inches."""
    from matplotlib.ticker import StrMethodFormatter

    figure, grid = _tiles(given, size=size)
    limits = _reach(given)
    for index, ax in enumerate(grid):
        some = series.pick(given, "threshold", index)
        _worth(ax, some)
        canvas.heading(ax, series.head(some), width=size - 0.2, size=10.5)
        if limits[0] > 0:
            ax.set_xscale("log")
            ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            ax.minorticks_off()
        ax.set(xlim=limits, ylim=(0.0, 1.0))
    _outer(grid, "cost of protection / loss", "relative economic value")
    if legend:
        series.legend(figure, *grid)
    canvas.headline(figure, title)
    return figure


def _tiles(given: xr.Dataset, *, size: float) -> "tuple[Figure, list[Axes]]":
    """A figure with a panel for each threshold."""
    count = given.sizes.get("threshold", 1)
    rows, columns = canvas.tiles(count)
    size = size if count > 1 else size + 0.8
    figure = canvas.blank(size * columns + 0.5, size * rows + 0.6)
    grid = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for ax in grid[count:]:
        ax.set_visible(False)
    return figure, grid[:count]


def _outer(grid: "list[Axes]", x: str, y: str) -> None:
    """Name the axes at the left of and below all panels."""
    _, columns = canvas.tiles(len(grid))
    for index, ax in enumerate(grid):
        canvas.style(ax, grid=True)
        if index + columns >= len(grid):
            ax.set_xlabel(x)
        if index % columns == 0:
            ax.set_ylabel(y)


def _curves(ax: "Axes", some: xr.Dataset) -> tuple[labels.Floats, list[str]]:
    """Draw a ROC curve for each forecast; give its points and which to name."""
    ax.plot([0, 1], [0, 1], color=canvas.FAINT, lw=1.0, ls="--", label="no skill")
    found, texts, named = [np.empty((0, 2))], [], False
    for place, (name, curve) in enumerate(series.forecasts(some)):
        at = np.stack([curve["pofd"].values, curve["pod"].values], axis=1).astype(float)
        known = np.isfinite(at).all(axis=1)
        look = series.look_of(place, name) | {"markersize": 5, "mec": "white"}
        whole = np.append(at[known], [[0.0, 0.0]], axis=0) if known.any() else at[known]
        label = _areal(curve, name) if known.any() else None
        (line,) = ax.plot(*whole.T, label=label, zorder=3, **look)
        # no warning at all is where each curve ends, but no probability
        line.set(markevery=list(range(known.sum())), clip_on=not known.any())
        words = _from(curve, known)
        named |= (mine := not named and known.sum() > 3)
        found.append(at[known])
        texts += words if mine else [""] * int(known.sum())
    if len(found) == 1 or not sum(map(len, found)):
        canvas.note(ax, _UNDEFINED, bare=False)
    ax.set(xlim=(0, 1), ylim=(0, 1), box_aspect=1.0)
    return np.concatenate(found), texts


def _areal(curve: xr.Dataset, name: str) -> str:
    if "roc_area" not in curve:
        return name
    area = float(curve["roc_area"])
    return f"{name}, area {area:.2f}" if np.isfinite(area) else name


def _name_curves(figure: "Figure", grid: "list[Axes]", size: float) -> None:
    """Name curves in their panels; under a lone one where words would cover them."""
    words = grid[0].get_legend_handles_labels()[1]
    if len(grid) == 1 and 0.075 * max(map(len, words)) > 0.45 * size:  # inches
        series.legend(figure, *grid)
        return
    look: dict[str, Any] = {"fontsize": 9, "labelcolor": canvas.INK, "frameon": False}
    for ax in grid:
        ax.legend(loc="lower right", **look)


def _from(curve: xr.Dataset, known: Any) -> list[str]:
    """The probability from which on each bin warns; the first always does."""
    if "bin" not in curve.coords or not known.any():
        return [""] * int(known.sum())
    middles = curve["bin"].values[known].astype(float)
    # unless each probability has a bin, bins are named by their middles
    width = np.diff(middles).min(initial=1.0)
    lower = middles - (width / 2 if np.isclose(middles[0], width / 2) else 0.0)
    wanted = {int(np.abs(lower - p).argmin()) for p in _NAMED} - {0}
    return [f"{100 * p:.3g}%" if i in wanted else "" for i, p in enumerate(lower)]


def _apart(ax: "Axes", at: labels.Floats, texts: list[str]) -> list[str]:
    """Leave out names of points that are near one named before."""
    places = ax.transData.transform(at) * 72 / ax.figure.dpi
    kept: list[int] = []
    for place, text in enumerate(texts):
        gaps = [np.hypot(*(places[place] - places[other])) for other in kept]
        if text and min(gaps, default=np.inf) >= _APART:
            kept.append(place)
    return [text if place in kept else "" for place, text in enumerate(texts)]


def _reach(given: xr.Dataset) -> tuple[float, float]:
    """Ends of the axis of cost/loss ratios; from above 0 on it is logarithmic."""
    worth = given["economic_value"]
    best = worth.where(worth > 0).dropna("cost_loss", how="all")
    ratios = given["cost_loss"].values.astype(float)
    if not best.size or ratios[0] <= 0:
        return 0.0, 1.0
    peaks = best.idxmax("cost_loss").values
    if not np.nanmin(peaks) < 0.05:
        return 0.0, 1.0
    base = given["base_rate"].values if "base_rate" in given else np.empty(0)
    rare = [float(rate) for rate in base.ravel() if rate > 0]
    return min([float(ratios[0]), *(0.8 * rate for rate in rare)]), 1.0


def _worth(ax: "Axes", some: xr.Dataset) -> None:
    base = some["base_rate"].values if "base_rate" in some else np.empty(0)
    # a rate of 0 or 1 has no place between costs, nor a value
    for place, rate in enumerate(r for r in np.unique(base) if 0 < r < 1):
        label = None if place else "base rate"
        ax.axvline(rate, color=canvas.FAINT, lw=1.0, ls=(0, (1, 2)), label=label)
    drawn = False
    for place, (name, curve) in enumerate(series.forecasts(some)):
        x = curve["cost_loss"].values.astype(float)
        y = curve["economic_value"].values.astype(float)
        known = np.isfinite(y)
        drawn |= bool(known.any())
        look = series.look_of(place, name) | {"marker": ""}
        ax.plot(x[known], y[known], label=name if known.any() else None, **look)
    if not drawn:
        canvas.note(ax, _UNDEFINED)
