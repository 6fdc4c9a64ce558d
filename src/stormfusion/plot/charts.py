"""Curves: how training went, how reliable probabilities are, how skill fades."""

import os
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from stormfusion.plot import canvas, coords
from stormfusion.plot.colors import LINES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARKERS = "os^Dvph"


def training(
    log: pd.DataFrame,
    *,
    title: str | None = None,
    path: str | os.PathLike[str] | None = None,
) -> "Figure":
    """
    Draw the loss and the CSI of each epoch.

    The epoch with the lowest validation loss is marked in both panels.

    Parameters
    ----------
    log
        One row for each epoch, such as `Nowcaster.log`: columns `epoch` and `loss`,
        and, where known, `validation_loss`, `csi` and `seconds`. Missing entries are
        passed over.
    title
        A title. If none is given, the number of epochs and the time they took.
    path
        Where to save the picture, if anywhere.

    Returns
    -------
    Figure
        The figure, loss above and CSI below.

    Examples
    --------
    >>> import stormfusion.plot as plot
    >>> log = pd.DataFrame({"epoch": [1, 2], "loss": [0.4, 0.3], "csi": [0.2, 0.3]})
    >>> [ax.get_ylabel() for ax in plot.training(log).axes]
    ['loss', 'CSI']
    """
    from matplotlib.ticker import MaxNLocator

    lacking = [name for name in ("epoch", "loss") if name not in log.columns]
    if lacking or not len(log):
        raise ValueError(
            f"the log lacks {', '.join(lacking) or 'rows'}; give the log of a fitted "
            "nowcaster, with the columns epoch and loss"
        )
    figure = canvas.blank(7.4, 5.4)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    names = {"loss": "training", "validation_loss": "validation"}
    losses = [
        _curve(above, log, name, color=LINES[i], label=label)
        for i, (name, label) in enumerate(names.items())
    ]
    csi = _curve(below, log, "csi", color=LINES[2], label="CSI")
    values = np.concatenate(losses)
    if values.size and values.min() > 0 and values.max() > 20 * values.min():
        above.set_yscale("log")
    if not values.size:
        canvas.note(above, "no loss recorded")
    if not csi.size:
        canvas.note(below, "no CSI recorded")
    for ax, label in ((above, "loss"), (below, "CSI")):
        ax.set_ylabel(label)
        canvas.style(ax, grid=True)
    below.set_xlabel("epoch")
    below.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    _mark_best(above, below, log)
    if above.get_legend_handles_labels()[0]:
        above.legend(frameon=False, fontsize=9, labelcolor=canvas.INK)
    canvas.headline(figure, _effort(log) if title is None else title)
    return canvas.finish(figure, path=path)


def reliability(
    dataset: xr.Dataset,
    *,
    title: str | None = None,
    path: str | os.PathLike[str] | None = None,
) -> "Figure":
    """
    Draw how often an event happened when it was forecast with a given probability.

    A reliable forecast follows the diagonal. Where the dataset holds `base_rate`, its
    climatology is drawn too, and the area is shaded in which a point adds to the Brier
    skill score against it. Below: how often each probability was forecast.

    Parameters
    ----------
    dataset
        `forecast_probability`, `observed_frequency` and `count` on `bin`, and on
        `forecast` and `threshold` where there are several. Empty bins are NaN.
    title
        A title above the diagrams.
    path
        Where to save the picture, if anywhere.

    Returns
    -------
    Figure
        The figure, one diagram for each threshold and one curve for each forecast.

    References
    ----------
    Hsu, W., and A. H. Murphy, 1986: The attributes diagram: a geometrical framework for
    assessing the quality of probability forecasts. *Int. J. Forecasting*, **2**,
    285-293, <https://doi.org/10.1016/0169-2070(86)90048-8>.

    Examples
    --------
    >>> import stormfusion.plot as plot
    >>> dataset = xr.Dataset(
    ...     {
    ...         "forecast_probability": ("bin", [0.1, 0.5, 0.9]),
    ...         "observed_frequency": ("bin", [0.2, 0.5, 0.8]),
    ...         "count": ("bin", [90, 20, 5]),
    ...     }
    ... )
    >>> plot.reliability(dataset).axes[0].get_xlabel()
    'forecast probability'
    """
    names = ("forecast_probability", "observed_frequency", "count")
    lacking = [name for name in names if name not in dataset]
    if lacking:
        raise ValueError(
            f"a reliability diagram needs {', '.join(names)}, but the dataset lacks "
            f"{', '.join(lacking)}; make it with verification.reliability"
        )
    for name in names:
        _only(dataset[name], ("bin", "forecast", "threshold"), needed="bin")
    columns = dataset.sizes.get("threshold", 1)
    figure = canvas.blank(4.1 * columns + 0.4, 5.5)
    grid = figure.subplots(
        2, columns, squeeze=False, sharex=True, sharey="row", height_ratios=(4, 1)
    )
    for column in range(columns):
        some = _pick(dataset, "threshold", column)
        above, below = grid[:, column]
        _diagram(above, below, some)
        if "threshold" in dataset.coords:
            canvas.heading(above, _threshold(some["threshold"]), width=4.0)
        below.set_xlabel("forecast probability")
        above.set_xlabel("forecast probability")
        above.xaxis.label.set_visible(False)
    grid[0, 0].set_ylabel("observed frequency")
    grid[1, 0].set_ylabel("count")
    _legend(figure, grid[0, 0])
    canvas.headline(figure, title)
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
    if score not in dataset:
        raise ValueError(
            f"the dataset holds no {score!r}; choose one of "
            f"{sorted(map(str, dataset.data_vars))}"
        )
    array = dataset[score]
    _only(array, ("lead", "forecast", "threshold"), needed="lead")
    lead = coords.minutes(array["lead"])
    count = array.sizes.get("threshold", 1)
    columns = min(count, 3)
    rows = -(-count // columns)
    figure = canvas.blank(max(5.6, 3.7 * columns + 0.6), 3.1 * rows + 0.8)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for index, ax in enumerate(grid.ravel()):
        if index >= count:
            ax.set_visible(False)
            continue
        some = _pick(array, "threshold", index)
        for place, (name, curve) in enumerate(_forecasts(some)):
            ax.plot(lead, curve.values, label=name, **_look(place, name))
        if not np.isfinite(some.values).any():
            canvas.note(ax, f"no {score} defined")
        canvas.style(ax, grid=True)
        if "threshold" in array.coords:
            canvas.heading(ax, _threshold(some["threshold"]), width=3.4, size=10.5)
        if index + columns >= count:
            ax.set_xlabel("lead time [min]")
            ax.tick_params(labelbottom=True)
        if index % columns == 0:
            ax.set_ylabel(_score_label(array, score))
    finite = array.values[np.isfinite(array.values)]
    if finite.size and finite.min() >= 0:
        grid[0, 0].set_ylim(0, max(float(finite.max()) * 1.08, 1e-3))
    grid[0, 0].set_xlim(0, float(lead.max()) * 1.03)
    _legend(figure, grid[0, 0])
    canvas.headline(figure, title)
    return canvas.finish(figure, path=path)


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


def _mark_best(above: "Axes", below: "Axes", log: pd.DataFrame) -> None:
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
    above.axvline(best["epoch"], label=f"best, epoch {best['epoch']:g}", **dots)
    below.axvline(best["epoch"], **dots)


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


def _diagram(above: "Axes", below: "Axes", dataset: xr.Dataset) -> None:
    from matplotlib.ticker import PercentFormatter

    above.plot([0, 1], [0, 1], color=canvas.FAINT, lw=1.0, ls="--", label="reliable")
    base = dataset["base_rate"].values if "base_rate" in dataset else np.empty(0)
    rates = [float(rate) for rate in np.unique(base) if np.isfinite(rate)]
    for rate in rates:
        label = "climatology" if rate == rates[0] else None
        above.axhline(rate, color=canvas.FAINT, lw=1.0, ls=":", label=label)
    if len(rates) == 1:
        for end in (0.0, 1.0):
            x = np.sort([end, rates[0]])
            middle = (x + rates[0]) / 2
            above.fill_between(x, middle, end, color="#eef2f6", lw=0, zorder=0)
    several = dataset.sizes.get("forecast", 1) > 1
    for place, (name, some) in enumerate(_forecasts(dataset)):
        x = some["forecast_probability"].values.astype(float)
        y = some["observed_frequency"].values.astype(float)
        number = np.nan_to_num(some["count"].values.astype(float))
        kept = np.isfinite(x) & np.isfinite(y)
        look = _look(place, name)
        above.plot(x[kept], y[kept], label=name, clip_on=False, **look)
        if not kept.any():
            canvas.note(above, "no data")
        used = np.isfinite(x) & (number > 0)
        if several:
            below.plot(x[used], number[used], **look)
        else:
            gap = np.diff(np.sort(x[np.isfinite(x)]))
            width = 0.8 * float(gap.min()) if gap.size else 0.08
            below.bar(x[used], number[used], width=width, color=look["color"])
    if np.nanmax(np.append(dataset["count"].values.astype(float), 1.0)) > 50:
        below.set_yscale("log")
    above.set(xlim=(0, 1), ylim=(0, 1), box_aspect=1.0)
    below.set_box_aspect(0.25)
    below.minorticks_off()
    above.yaxis.set_major_formatter(PercentFormatter(1.0))
    below.xaxis.set_major_formatter(PercentFormatter(1.0))
    for ax in (above, below):
        canvas.style(ax, grid=True)
    above.tick_params(labelbottom=False)


def _forecasts(data: Any) -> list[tuple[str, Any]]:
    if "forecast" not in data.dims:
        return [("forecast", data)]
    labels = data["forecast"].values
    return [(str(labels[i]), data.isel(forecast=i)) for i in range(len(labels))]


def _look(place: int, name: str) -> dict[str, Any]:
    look = {
        "color": LINES[place % len(LINES)],
        "marker": _MARKERS[place % len(_MARKERS)],
        "markersize": 4,
        "linewidth": 1.7,
    }
    if name == "persistence":
        look |= {"color": "#7b8794", "linestyle": "--"}
    return look


def _only(array: xr.DataArray, dims: tuple[str, ...], *, needed: Hashable) -> None:
    spare = [str(dim) for dim in array.dims if dim not in dims]
    shown = ", ".join(map(str, array.dims))
    if spare:
        raise ValueError(
            f"{array.name} has dims ({shown}), but the chart has only "
            f"{', '.join(dims)}; choose one with .isel({spare[0]}=0)"
        )
    if needed not in array.dims:
        raise ValueError(f"{array.name} has dims ({shown}), but {needed} is needed")


def _pick(data: Any, dim: str, index: int) -> Any:
    return data.isel({dim: index}) if dim in data.dims else data


def _threshold(coordinate: xr.DataArray) -> str:
    value = coordinate.item()
    if isinstance(value, str):
        return value.replace(">=", "≥")
    units = coordinate.attrs.get("units", "")
    return f"≥ {value:.3g} {units}".strip()


def _score_label(array: xr.DataArray, score: str) -> str:
    name = str(array.attrs.get("long_name", score.upper()))
    units = array.attrs.get("units", "1")
    return name if units in ("1", "") else f"{name} [{units}]"


def _legend(figure: "Figure", ax: "Axes") -> None:
    handles, labels = ax.get_legend_handles_labels()
    if len(labels) < 2:
        return
    # inches: the words, and a handle with its gaps before each
    widths, room = [0.075 * len(label) + 0.6 for label in labels], figure.get_figwidth()
    columns = len(labels) if sum(widths) < room else max(1, int(room / max(widths)))
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=columns,
        frameon=False,
        fontsize=9.5,
        labelcolor=canvas.INK,
    )
