"""When a hazard arrives: maps of lead times."""

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from stormfusion.plot import canvas, coords, maps
from stormfusion.plot.colors import times
from stormfusion.plot.units import hazard_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NEVER = -1.0
"""Stands for no arrival: bare, not missing."""


def arrival(
    dataset: xr.Dataset,
    *,
    hazard: str | None = None,
    least: float = 0.1,
    title: str | None = None,
    path: str | os.PathLike[str] | None = None,
) -> "Figure":
    """
    Draw when a hazard arrives: the median lead time at which it first occurs.

    What comes soon is dark. The median is over the members in which the hazard occurs,
    so a pixel is drawn only where it occurs in enough of them (`least`); the others
    stay bare. Pixels without data are light grey.

    Parameters
    ----------
    dataset
        A footprint, such as `Footprint.dataset`: `arrival` [min] on `hazard`, `y` and
        `x`, NaN where the hazard comes in no member. With `window_probability`, pixels
        without data are told from those that are not reached.
    hazard
        Which hazard, as the dataset writes it; all of them by default.
    least
        Least probability over the window for a pixel to be drawn, from 0 to 1. Without
        `window_probability` all arrivals are drawn.
    title
        A title. If none is given, the start of the forecast.
    path
        Where to save the picture, if anywhere.

    Returns
    -------
    Figure
        The figure, one panel for each hazard.

    Examples
    --------
    >>> import stormfusion.plot as plot
    >>> dataset = xr.Dataset(
    ...     {"arrival": (("hazard", "y", "x"), [[[5.0, 10.0], [20.0, np.nan]]])},
    ...     coords={"hazard": ["vil >= 12 kg m-2"]},
    ... )
    >>> plot.arrival(dataset).axes[0].get_title(loc="left")
    'vil ≥ 12 kg m⁻²'
    """
    hint = "an xarray.Dataset; give Footprint.dataset"
    canvas.wanted(dataset, xr.Dataset, role="dataset", hint=hint)
    if not isinstance(least, int | float | np.number) or not 0 <= least <= 1:
        raise ValueError(f"least is {least!r}, wanted a probability from 0 to 1")
    shown = fields(dataset, which(dataset, hazard), least=float(least))
    rows, columns = canvas.tiles(len(shown))
    wide, high = maps.panel(coords.ratio(shown[0]), largest=4.6)
    figure = canvas.blank(
        columns * (wide + 0.75) + 1.4, rows * (high + 0.75) + 0.6, layout="compressed"
    )
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for spare in grid[len(shown) :]:
        spare.set_visible(False)
    panels(grid[: len(shown)], shown, high=high)
    for index, ax in enumerate(grid[: len(shown)]):
        ax.yaxis.label.set_visible(index % columns == 0)
        ax.xaxis.label.set_visible(index + columns >= len(shown))
    canvas.headline(figure, _start(dataset) if title is None else title)
    return canvas.finish(figure, path=path)


def fields(
    dataset: xr.Dataset, hazards: Iterable[int], *, least: float = 0.1
) -> list[xr.DataArray]:
    """Maps of arrival times, where they are to be drawn; where not, a negative one."""
    if "arrival" not in dataset:
        raise ValueError(
            f"this dataset has no arrival times, only "
            f"{', '.join(map(str, dataset.data_vars)) or 'no variable'}; make a "
            "footprint that has them"
        )
    found = []
    for number in hazards:
        one = dataset["arrival"]
        one = one.isel(hazard=number) if "hazard" in one.dims else one
        shown = one.fillna(_NEVER)
        if "window_probability" in dataset:
            risk = dataset["window_probability"]
            risk = risk.isel(hazard=number) if "hazard" in risk.dims else risk
            # in single precision as the probabilities are
            likely = risk >= risk.dtype.type(least)
            shown = shown.where(likely, _NEVER).where(risk.notnull())
        leads = dataset["lead"] if "lead" in dataset.coords else None
        last = float(one.max()) if leads is None else coords.minutes(leads).max()
        hidden = bool(one.notnull().any()) and not bool((shown >= 0).any())
        shown.attrs = {
            **one.attrs,
            "last": last if np.isfinite(last) else 1.0,
            "none": f"below {least:.0%} everywhere" if hidden else "in no member",
        }
        found.append(coords.frame(shown))
    return found


def panels(
    grid: "Iterable[Axes]",
    shown: Sequence[xr.DataArray],
    *,
    high: float,
    noun: str = "",
) -> None:
    """Draw maps of arrival times into axes, with a colour bar beside the last."""
    brush = times(max(float(one.attrs["last"]) for one in shown))
    for ax, one in zip(grid, shown, strict=True):
        image = maps.draw(ax, one, brush, said=False)
        if not (one.values >= 0).any():
            none = str(one.attrs.get("none", "in no member"))
            canvas.note(ax, "no data" if np.isnan(one.values).all() else none)
        canvas.heading(ax, f"{noun}{_name(one)}", width=max(high, 2.5))
        if one is shown[-1]:
            missing = any(map(maps.has_missing, shown))
            label = "median arrival [min]"
            maps.bar(ax, image, brush, label=label, missing=missing, height=high)


def which(dataset: xr.Dataset, hazard: str | None = None) -> list[int]:
    """Numbers of the hazards that are drawn: the one that is named, or all."""
    if "arrival" in dataset and "hazard" not in dataset["arrival"].dims:
        return [0]
    known = [str(h) for h in dataset["hazard"].values] if "hazard" in dataset else []
    if hazard is None:
        return list(range(len(known))) or [0]
    if str(hazard) not in known:
        raise ValueError(
            f"this dataset has no hazard {str(hazard)!r}, it has "
            f"{', '.join(map(repr, known)) or 'none'}; choose one of them"
        )
    return [known.index(str(hazard))]


def _name(array: xr.DataArray) -> str:
    words: Any = array["hazard"].item() if "hazard" in array.coords else "arrival"
    return hazard_words(str(words))


def _start(dataset: xr.Dataset) -> str:
    text = "Median arrival"
    if "reference_time" in dataset.coords and not dataset["reference_time"].ndim:
        text += f" after {coords.clock(dataset['reference_time'].values)}"
    return text
