"""Rank histograms: where the observation falls among the members of an ensemble."""

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from stormfusion.plot import canvas, coords, series
from stormfusion.plot.labels import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEVEL = 0.9
"""How often the bar of a flat histogram lies in the band."""


def ranks(
    dataset: xr.Dataset | xr.DataArray,
    *,
    lead: coords.Lead | None = None,
    title: str | None = None,
    path: str | os.PathLike[str] | None = None,
) -> "Figure":
    """
    Draw how often the observation had each rank among the members.

    Bars are relative to a flat histogram, the one of members which are like what
    comes. High at both ends, the ensemble is too sure; high in the middle, not sure
    enough; high at the right, too low. The band holds 90 percent of the bars that
    chance alone makes of a flat histogram, if pairs are independent. Neighbouring
    pixels and leads are not, so the band is a lower bound: a bar outside may still be
    chance.

    Parameters
    ----------
    dataset
        Pairs along `rank`, and on `lead` and `forecast` where there are several, as
        `verification.rank_histogram` gives, or a Dataset that holds them as
        `rank_histogram`, as `Nowcaster.evaluate` and `verification.verify` give.
        Ensembles may differ in size: ranks that one does not have are missing (NaN).
        Shares that add to 1 are drawn without a band. Forecasts without any pair, such
        as single ones beside ensembles, are left out.
    lead
        One lead time, such as `"30 min"`. By default the pairs of all leads are added.
    title
        A title above the panels.
    path
        Where to save the picture, if anywhere.

    Returns
    -------
    Figure
        The figure, one panel for each forecast.

    References
    ----------
    Hamill, T. M., 2001: Interpretation of rank histograms for verifying ensemble
    forecasts. *Mon. Wea. Rev.*, **129**, 550-560,
    <https://doi.org/10.1175/1520-0493(2001)129%3C0550:IORHFV%3E2.0.CO;2>.

    Examples
    --------
    >>> import stormfusion.plot as plot
    >>> pairs = xr.DataArray([60, 20, 40], dims="rank", name="rank_histogram")
    >>> ax = plot.ranks(pairs.to_dataset()).axes[0]
    >>> [round(float(bar.get_height()), 3) for bar in ax.containers[0]]
    [1.5, 0.5, 1.0]
    """
    name, maker = "rank_histogram", "verification.rank_histogram, of an ensemble"
    given = series.scored(dataset, name, what="a rank histogram", maker=maker)[[name]]
    parts = []
    if lead is None and given.sizes.get("lead", 1) > 1:
        parts.append(series.together(given))
    else:
        given = series.at_lead(given, lead)
    pairs = given[name]
    series.check_dims(pairs, ("rank", "lead", "forecast"), needed="rank")
    counted = _are_counts(pairs.values)
    if "lead" in pairs.dims:
        if not counted:
            raise ValueError(
                "rank_histogram holds shares of several leads, which do not add; give "
                "the counts of verification.rank_histogram, or choose one with lead="
            )
        pairs = pairs.sum("lead", min_count=1)
    every = [
        (series.look_of(place, label)["color"], series.head(some, *parts), some)
        for place, (label, some) in enumerate(series.forecasts(pairs))
    ]
    shown = [each for each in every if _known(each[2].values).sum() > 0] or every[:1]
    rows, columns = canvas.tiles(len(shown))
    wide, high = (5.8, 3.7) if len(shown) == 1 else (3.7, 3.1)
    figure = canvas.blank(wide * columns + 0.4, high * rows + 0.6)
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for ax in grid[len(shown) :]:
        ax.set_visible(False)
    for index, (ax, (color, head, some)) in enumerate(zip(grid, shown, strict=False)):
        _bars(ax, _known(some.values), color=color, counted=counted)
        canvas.heading(ax, head, width=wide - 0.3, size=10.5)
        if index + columns >= len(shown):
            ax.set_xlabel("members below the observation")
        if index % columns == 0:
            ax.set_ylabel("pairs, relative to flat")
    series.legend(figure, grid[0])
    canvas.headline(figure, title)
    return canvas.finish(figure, path=path)


def band(pairs: float, ranks: int) -> tuple[float, float]:
    """Between which counts a bar of so many pairs is, where all ranks are as likely."""
    from scipy.special import bdtrik

    shares = np.array([(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    low, high = np.ceil(bdtrik(shares, pairs, 1 / ranks))
    return max(float(low), 0.0), float(high)


def _bars(ax: "Axes", values: Floats, *, color: str, counted: bool) -> None:
    from matplotlib.ticker import MaxNLocator

    canvas.style(ax, grid=True)
    ax.grid(visible=False, axis="x")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.set_xlim(-0.7, max(values.size, 1) - 0.3)
    total = values.sum()
    if not total > 0:
        canvas.note(ax, "no pairs counted")
        return
    flat = total / values.size
    ax.bar(np.arange(values.size), values / flat, width=0.86, color=color)
    ax.axhline(1.0, color=canvas.INK, lw=1.0, ls="--", label="flat")
    if counted and values.size > 1:
        low, high = (end / flat for end in band(total, values.size))
        words = f"{100 * LEVEL:g}% of flat ones, if pairs were independent"
        look: dict[str, Any] = {
            "facecolor": canvas.INK,
            "edgecolor": "none",
            "alpha": 0.25,
        }
        ax.axhspan(low, high, label=words, zorder=2.5, **look)


def _known(values: Floats) -> Floats:
    """The ranks that an ensemble has; those of larger ones are missing."""
    values = np.asarray(values, dtype=float)
    return values[np.isfinite(values)]


def _are_counts(values: Floats) -> bool:
    known = _known(values)
    return bool((known == np.round(known)).all() and known.sum() != 1)
