"""Reliability diagrams: how often an event came at each forecast probability."""

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from stormfusion.plot import canvas, series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


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
    skill score against it. Where it holds consistency bars, these reach as far as
    chance would move a reliable forecast. Below: how often each probability was
    forecast.

    Parameters
    ----------
    dataset
        `forecast_probability`, `observed_frequency` and `count` on `bin`, and on
        `forecast` and `threshold` where there are several. Empty bins are NaN. For the
        bars `consistency_lower` and `consistency_upper`, as `verification.reliability`
        gives.
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
    maker = "verification.reliability or Nowcaster.evaluate"
    series.scored(dataset, *names, what="a reliability diagram", maker=maker)
    for name in names:
        series.check_dims(dataset[name], ("bin", "forecast", "threshold"), needed="bin")
    size = 4.1 if dataset.sizes.get("threshold", 1) == 1 else 3.3
    figure = attributes(dataset, size=size)
    canvas.headline(figure, title)
    return canvas.finish(figure, path=path)


def attributes(dataset: xr.Dataset, *, size: float) -> "Figure":
    """Draw diagrams that each are `size` inches wide."""
    count = dataset.sizes.get("threshold", 1)
    rows, columns = canvas.tiles(count)
    figure = canvas.blank(size * columns + 0.4, (1.25 * size + 0.2) * rows + 0.75)
    grid = figure.subplots(
        2 * rows,
        columns,
        squeeze=False,
        sharex=True,
        sharey="row",
        height_ratios=(4, 1) * rows,
    )
    for index in range(rows * columns):
        row, column = divmod(index, columns)
        above, below = grid[2 * row : 2 * row + 2, column]
        if index >= count:
            above.set_visible(False)
            below.set_visible(False)
            continue
        some = series.pick(dataset, "threshold", index)
        _diagram(above, below, some)
        if "threshold" in dataset.coords:
            canvas.heading(above, series.reached(some["threshold"]), width=size)
        for ax in (above, below):
            ax.set_xlabel("forecast probability")
            ax.xaxis.label.set_visible(ax is below and index + columns >= count)
        below.tick_params(labelbottom=index + columns >= count)
        if column == 0:
            above.set_ylabel("observed frequency")
            below.set_ylabel("count")
    series.legend(figure, *grid[::2].ravel())
    return figure


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
    for place, (name, some) in enumerate(series.forecasts(dataset)):
        x = some["forecast_probability"].values.astype(float)
        y = some["observed_frequency"].values.astype(float)
        number = np.nan_to_num(some["count"].values.astype(float))
        kept = np.isfinite(x) & np.isfinite(y)
        look = series.look_of(place, name)
        label = name if kept.any() else None
        above.plot(x[kept], y[kept], label=label, clip_on=False, **look)
        if not kept.any():
            canvas.note(above, "no data")
        _bars(above, some, x, look["color"])
        used = np.isfinite(x) & (number > 0)
        if several:
            below.plot(x[used], number[used], **look)
        else:
            gap = np.diff(np.sort(x[np.isfinite(x)]))
            # bins may be narrow where probabilities are small
            width = max(0.8 * float(gap.min()), 0.008) if gap.size else 0.08
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


def _bars(ax: "Axes", some: xr.Dataset, x: "np.ndarray", color: str) -> None:
    """Draw how far from the diagonal chance would move a reliable forecast."""
    if not {"consistency_lower", "consistency_upper"} <= set(some.data_vars):
        return
    ends = [
        some[f"consistency_{end}"].values.astype(float) for end in ("lower", "upper")
    ]
    known = np.isfinite([x, *ends]).all(axis=0)
    if known.any():
        low, high = (end[known] for end in ends)
        look: dict[str, Any] = {"color": color, "alpha": 0.35, "linewidth": 3.0}
        ax.vlines(x[known], low, high, label="by chance", zorder=1.5, **look)
