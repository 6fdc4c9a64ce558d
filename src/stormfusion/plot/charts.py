"""Curves: how training went, and how skill fades with lead time."""

import os
import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from stormfusion.plot import canvas, coords, series
from stormfusion.plot.colors import LINES
from stormfusion.plot.units import bracketed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def training(
    log: pd.DataFrame,
    *,
    title: str | None = None,
    path: str | os.PathLike[str] | None = None,
) -> "Figure":
    """
    Draw the loss and the CSI of each epoch, and the weights of balanced terms.

    The epoch with the lowest validation loss is marked in all panels.

    Parameters
    ----------
    log
        One row for each epoch, such as `Nowcaster.log`: columns `epoch` and `loss`,
        and, where known, `validation_loss`, `csi`, `seconds`, and `weight_<term>`, the
        balanced weight of a shaping term. Missing entries are passed over.
    title
        A title. If none is given, the number of epochs and the time they took.
    path
        Where to save the picture, if anywhere.

    Returns
    -------
    Figure
        The figure, loss above and CSI below; under them, a low panel of balanced
        weights, one line for each term, if the log holds any. Values that span more
        than a factor of 20 stand on a logarithmic axis.

    Examples
    --------
    >>> import stormfusion.plot as plot
    >>> log = pd.DataFrame({"epoch": [1, 2], "loss": [0.4, 0.3], "csi": [0.2, 0.3]})
    >>> [ax.get_ylabel() for ax in plot.training(log).axes]
    ['loss', 'CSI']
    """
    from matplotlib.ticker import MaxNLocator

    canvas.wanted(
        log, pd.DataFrame, role="log", hint="a DataFrame; give the log of a nowcaster"
    )
    lacking = [name for name in ("epoch", "loss") if name not in log.columns]
    if lacking or not len(log):
        raise ValueError(
            f"the log lacks {', '.join(lacking) or 'rows'}; give the log of a fitted "
            "nowcaster, with the columns epoch and loss"
        )
    weighed = [
        str(name)
        for name in log.columns
        if str(name).startswith("weight_") and log[name].notna().any()
    ]
    heights = (3.0, 2.0, 1.6) if weighed else (3.0, 2.0)
    figure = canvas.blank(7.4, 0.4 + sum(heights))
    axes = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
    above, below = axes[:2]
    names = {"loss": "training", "validation_loss": "validation"}
    losses = [
        _curve(above, log, name, color=LINES[i], label=label)
        for i, (name, label) in enumerate(names.items())
    ]
    csi = _curve(below, log, "csi", color=LINES[2], label="CSI")
    _scale(above, losses)
    if not sum(map(len, losses)):
        canvas.note(above, "no loss recorded")
    if not csi.size:
        canvas.note(below, "no CSI recorded")
    if weighed:
        _weights(axes[2], log, weighed)
    for ax, label in zip(axes, ("loss", "CSI", "balanced weight"), strict=False):
        ax.set_ylabel(label)
        canvas.style(ax, grid=True)
    axes[-1].set_xlabel("epoch")
    below.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    _mark_best(axes, log)
    if above.get_legend_handles_labels()[0]:
        above.legend(frameon=False, fontsize=9, labelcolor=canvas.INK)
    canvas.headline(figure, _effort(log) if title is None else title)
    return canvas.finish(figure, path=path)


def scores(
    dataset: xr.Dataset,
    *,
    score: str = "csi",
    title: str | None = None,
    path: str | os.PathLike[str] | None = None,
) -> "Figure":
    """
    Draw a score against lead time, for each forecast and threshold.

    Parameters
    ----------
    dataset
        Scores by name on `lead`, and on `forecast` and `threshold` where there are
        several, such as `Nowcaster.evaluate` gives. Undefined scores (NaN) are gaps.
        An interval, `<score>_lower` and `<score>_upper`, is a band.
    score
        Which of them to draw.
    title
        A title above the panels.
    path
        Where to save the picture, if anywhere.

    Returns
    -------
    Figure
        The figure, one panel for each threshold and one curve for each forecast.

    Examples
    --------
    >>> import stormfusion.plot as plot
    >>> dataset = xr.Dataset(
    ...     {"csi": (("forecast", "lead"), [[0.6, 0.4], [0.5, 0.2]])},
    ...     coords={
    ...         "forecast": ["unet", "persistence"],
    ...         "lead": np.array([300, 600], dtype="timedelta64[s]"),
    ...     },
    ... )
    >>> figure = plot.scores(dataset)
    >>> figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()
    ('lead time [min]', 'CSI')
    """
    figure = curves(dataset, score=score, wide=5.6)
    canvas.headline(figure, title)
    return canvas.finish(figure, path=path)


def curves(dataset: xr.Dataset, *, score: str, wide: float) -> "Figure":
    """Draw a score against lead time; a lone panel's figure is `wide` inches."""
    series.check_scores(dataset)
    if score not in dataset:
        raise ValueError(
            f"the dataset holds no {score!r}; choose one of "
            f"{sorted(map(str, dataset.data_vars))}"
        )
    array = dataset[score]
    series.check_dims(array, ("lead", "forecast", "threshold"), needed="lead")
    names = [f"{score}_{end}" for end in ("lower", "upper")]
    ends = [dataset[name] for name in names if name in dataset]
    for end in ends:
        series.check_dims(end, ("lead", "forecast", "threshold"), needed="lead")
    ends = ends if len(ends) == 2 else []
    lead = coords.minutes(array["lead"])
    count = array.sizes.get("threshold", 1)
    rows, columns = canvas.tiles(count)
    whole = wide if count == 1 else 3.7 * columns + 0.6
    figure = canvas.blank(whole, (3.1 * rows + 0.8) * min(1.0, whole / 5.6))
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for index, ax in enumerate(grid.ravel()):
        if index >= count:
            ax.set_visible(False)
            continue
        some = series.pick(array, "threshold", index)
        for place, (name, curve) in enumerate(series.forecasts(some)):
            look = series.look_of(place, name)
            known = bool(np.isfinite(curve.values).any())
            ax.plot(lead, curve.values, label=name if known else None, **look)
            if ends:
                own = (series.pick(end, "threshold", index) for end in ends)
                band = [series.pick(end, "forecast", place).values for end in own]
                ax.fill_between(lead, *band, color=look["color"], alpha=0.15, lw=0)
        if not np.isfinite(some.values).any():
            canvas.note(ax, f"no {score} defined")
        canvas.style(ax, grid=True)
        if "threshold" in array.coords:
            canvas.heading(ax, series.reached(some["threshold"]), width=3.4, size=10.5)
        if index + columns >= count:
            ax.set_xlabel("lead time [min]")
            ax.tick_params(labelbottom=True)
        if index % columns == 0:
            ax.set_ylabel(_score_label(array, score))
    drawn = np.concatenate([a.values.ravel() for a in (array, *ends)])
    finite = drawn[np.isfinite(drawn)]
    if finite.size and finite.min() >= 0:
        grid[0, 0].set_ylim(0, max(float(finite.max()) * 1.08, 1e-3))
    grid[0, 0].set_xlim(0, float(lead.max()) * 1.03)
    series.legend(figure, *grid.ravel())
    return figure


def _curve(
    ax: "Axes", log: pd.DataFrame, name: str, *, color: str, label: str
) -> "np.ndarray[Any, np.dtype[np.float64]]":
    if name not in log.columns:
        return np.empty(0)
    rows = log[["epoch", name]].astype(float).dropna()
    if len(rows):
        look: dict[str, Any] = (
            {"marker": "o", "markersize": 3.5} if len(rows) <= 60 else {}
        )
        ax.plot(rows["epoch"], rows[name], color=color, lw=1.7, label=label, **look)
    return rows[name].to_numpy(dtype=float)


def _weights(ax: "Axes", log: pd.DataFrame, names: list[str]) -> None:
    """Draw the balanced weight of each term; the legend stands above the lines."""
    drawn = []
    for place, name in enumerate(names, start=3):
        color, label = LINES[place % len(LINES)], name.removeprefix("weight_")
        drawn.append(_curve(ax, log, name, color=color, label=label))
    _scale(ax, drawn)
    ax.legend(
        frameon=False,
        fontsize=9,
        labelcolor=canvas.INK,
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        borderaxespad=0.0,
        ncols=3,
    )


def _scale(ax: "Axes", curves: "list[np.ndarray[Any, np.dtype[np.float64]]]") -> None:
    """Give values that span more than a factor of 20 a logarithmic axis."""
    values = np.concatenate(curves)
    if values.size and values.min() > 0 and values.max() > 20 * values.min():
        ax.set_yscale("log")


def _mark_best(axes: "Iterable[Axes]", log: pd.DataFrame) -> None:
    if "validation_loss" not in log.columns:
        return
    rows = log[["epoch", "validation_loss"]].astype(float).dropna()
    if not len(rows):
        return
    best = rows.iloc[int(rows["validation_loss"].to_numpy().argmin())]
    dots: dict[str, Any] = {
        "color": canvas.FAINT,
        "linewidth": 1.0,
        "linestyle": (0, (1, 2)),
    }
    for ax in axes:
        ax.axvline(best["epoch"], label=f"best, epoch {best['epoch']:g}", **dots)


def _effort(log: pd.DataFrame) -> str:
    words = f"{len(log)} epoch" + ("s" if len(log) > 1 else "")
    seconds = log["seconds"].astype(float).sum() if "seconds" in log.columns else 0.0
    if seconds <= 0:
        return words
    if seconds < 120:
        return f"{words} in {seconds:.0f} s"
    if seconds < 7200:
        return f"{words} in {seconds / 60:.0f} min"
    return f"{words} in {seconds / 3600:.1f} h"


def _score_label(array: xr.DataArray, score: str) -> str:
    name = str(array.attrs.get("long_name", score.upper()))
    # in lines that fit beside a panel
    return textwrap.fill(bracketed(name, str(array.attrs.get("units", "1"))), 32)
