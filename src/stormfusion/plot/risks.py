"""Maps of risk: the probability of a hazard, and the footprint of a storm."""

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from stormfusion.plot import arrivals, canvas, coords, maps
from stormfusion.plot import contours as lines
from stormfusion.plot.colors import probabilities
from stormfusion.plot.units import hazard_words
from stormfusion.units import VARIABLES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure


def probability(
    array: xr.DataArray,
    *,
    ax: "Axes | None" = None,
    contours: Sequence[float] = (0.1, 0.3, 0.5, 0.7, 0.9),
    cmap: "str | Colormap" = "safe",
    title: str | None = None,
    colorbar: bool = True,
    path: str | os.PathLike[str] | None = None,
) -> "Figure":
    """
    Draw a map of probabilities with contours, labelled where they are few.

    Probabilities below one percent stay bare; missing ones are light grey.

    Parameters
    ----------
    array
        Probabilities between 0 and 1, with dims `y` and `x`.
    ax
        Axes to draw into. A new figure if none are given.
    contours
        Probabilities of the lines. None are drawn if it is empty.
    cmap
        `"safe"`, or any matplotlib colormap.
    title
        A title. If none is given, the hazard of the array (its attribute or coordinate
        `hazard`) and its time.
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
    >>> risk = xr.DataArray(
    ...     [[0.0, 0.2], [0.6, 1.0]], dims=("y", "x"), attrs={"hazard": "vil >= 12"}
    ... )
    >>> plot.probability(risk).axes[0].get_title(loc="left")
    'vil ≥ 12'
    """
    array = risk_frame(array)
    brush = probabilities(cmap)
    figure, ax = maps.place(array, ax, bar=colorbar)
    image = maps.draw(ax, array, brush)
    lines.contour(ax, array, contours)
    if colorbar:
        maps.bar(ax, image, brush, label="probability", missing=maps.has_missing(array))
    known = (hazard_of(array), coords.moment(array))
    maps.entitle(ax, ", ".join(filter(None, known)) if title is None else title)
    return canvas.finish(figure, path=path)


def footprint(
    dataset: xr.Dataset,
    *,
    quantile: float = 0.9,
    cmap: "str | Colormap" = "standard",
    arrival: bool = False,
    title: str | None = None,
    path: str | os.PathLike[str] | None = None,
) -> "Figure":
    """
    Draw what a storm may touch: each hazard's probability, and a percentile.

    The maps are those of the whole window (`window_probability`,
    `window_percentile`); where the dataset holds only lead times (`probability`,
    `percentile`), the last one is drawn and named. Where a window is not known it is
    grey, and hatched if its probability is known at a lead time.

    Parameters
    ----------
    dataset
        A footprint, such as `Footprint.dataset`. Of the four variables one is enough.
    quantile
        The percentile to draw, between 0 and 1; the nearest one at hand is taken.
    cmap
        Colours of the percentile, as in `field`.
    arrival
        Whether to draw when each hazard arrives too, as in `plot.arrival`.
    title
        A title. If none is given, the start and the length of the forecast.
    path
        Where to save the picture, if anywhere.

    Returns
    -------
    Figure
        The figure, one panel for each hazard and one for the percentile; below them one
        for the arrival of each hazard, if asked for.

    Examples
    --------
    >>> import stormfusion.plot as plot
    >>> dataset = xr.Dataset(
    ...     {"window_probability": (("hazard", "y", "x"), [[[0.0, 0.5], [0.9, 1.0]]])},
    ...     coords={"hazard": ["vil >= 12 kg m-2"]},
    ... )
    >>> plot.footprint(dataset).axes[0].get_title(loc="left")
    'vil ≥ 12 kg m⁻²'
    """
    hint = "an xarray.Dataset; give Footprint.dataset"
    canvas.wanted(dataset, xr.Dataset, role="dataset", hint=hint)
    figure = sheet(dataset, quantile=quantile, cmap=cmap, arrival=arrival, largest=3.8)
    canvas.headline(figure, _window(dataset) if title is None else title)
    return canvas.finish(figure, path=path)


def sheet(
    dataset: xr.Dataset,
    *,
    quantile: float = 0.9,
    cmap: "str | Colormap" = "standard",
    arrival: bool = False,
    largest: float,
) -> "Figure":
    """Draw the maps of a footprint, the longer side of each `largest` inches."""
    from matplotlib.ticker import MaxNLocator

    risks = _risks(dataset)
    percentile = _percentile(dataset, quantile)
    shown = risks if percentile is None else [*risks, coords.frame(percentile)]
    times = arrivals.fields(dataset, arrivals.which(dataset)) if arrival else []
    shown = [*shown, *times]
    count = len(shown)
    if not count:
        raise ValueError(
            "a footprint holds probability or percentile, of a lead or of the window "
            f"(window_probability), but this dataset {sorted(map(str, dataset))}; "
            "make it with Ensemble.footprint"
        )
    rows, columns, tiles = _tiles(len(shown) - len(times), len(times))
    wide, high = maps.panel(coords.ratio(shown[0]), largest=largest)
    figure = canvas.blank(
        columns * (wide + 0.75) + 1.6, rows * (high + 0.75) + 0.6, layout="compressed"
    )
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for tile, spare in enumerate(grid):
        spare.set_visible(tile in tiles)
    grid = grid[tiles]
    _draw_risks(grid, risks, lines.partly(dataset), wide=wide, high=high)
    if percentile is not None:
        place = len(risks)
        maps.field(shown[place], ax=grid[place], cmap=cmap, title=_share(percentile))
    if times:
        places = grid[count - len(times) :]
        arrivals.panels(places, times, high=high, noun="arrival of ")
    for tile, ax in zip(tiles, grid, strict=True):
        if tile % columns:
            ax.set_ylabel("")
        if tile + columns in tiles:
            ax.set_xlabel("")
        if largest < 3.0:  # few places, so that their names have room
            for side, size in ((ax.xaxis, "x"), (ax.yaxis, "y")):
                if shown[0].sizes[size] > 3:
                    side.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    return figure


def _draw_risks(
    grid: Iterable["Axes"],
    risks: Sequence[xr.DataArray],
    partly: xr.DataArray | None,
    *,
    wide: float,
    high: float,
) -> None:
    """Draw maps of probabilities, hatched where these are known in part."""
    brush, drawn = probabilities("safe"), []
    for number, (ax, risk) in enumerate(zip(grid, risks, strict=False)):
        image = maps.draw(ax, risk, brush)
        drawn.append(lines.draw(ax, risk, (0.1, 0.5, 0.9)))
        if partly is not None:
            one = partly.isel(hazard=number) if "hazard" in partly.dims else partly
            lines.hatch(ax, one)
        words = ", ".join(filter(None, (hazard_of(risk), coords.moment(risk))))
        canvas.heading(ax, words or "probability", width=wide)
        if risk is risks[-1]:
            maps.bar(
                ax,
                image,
                brush,
                label="probability",
                missing=any(maps.has_missing(risk) for risk in risks),
                partly=lines.HATCH if partly is not None else None,
                height=high,
            )
    lines.label(drawn)


def _tiles(maps: int, times: int) -> tuple[int, int, list[int]]:
    """Rows, columns and the places of maps; times have rows of their own below."""
    if maps + times <= 3 or not times:
        rows, columns = canvas.tiles(maps + times)
        return rows, columns, list(range(maps + times))
    columns = min(max(maps, times), 4)
    above, below = -(-maps // columns), -(-times // columns)
    first = above * columns
    places = [*range(maps), *range(first, first + times)]
    return above + below, columns, places


def hazard_of(array: xr.DataArray) -> str:
    """Name the hazard of a probability, as its attributes or coordinates tell it."""
    name = array.attrs.get("hazard")
    if name is None and "hazard" in array.coords and array["hazard"].ndim == 0:
        name = array["hazard"].item()
    return "" if name is None else hazard_words(str(name))


def risk_frame(given: Any) -> xr.DataArray:
    """A map of probabilities, or a sentence that says why it is none."""
    array = coords.frame(given)
    values = array.values[np.isfinite(array.values)]
    if values.size and (values.min() < -1e-6 or values.max() > 1 + 1e-6):
        raise ValueError(
            f"probabilities lie between 0 and 1, but these reach from "
            f"{values.min():g} to {values.max():g}; divide percentages by 100"
        )
    return array


def _risks(dataset: xr.Dataset) -> list[xr.DataArray]:
    risk = _windowed(dataset, "probability")
    if risk is None:
        return []
    if "hazard" not in risk.dims:
        return [risk_frame(risk)]
    return [risk_frame(risk.isel(hazard=i)) for i in range(risk.sizes["hazard"])]


def _percentile(dataset: xr.Dataset, quantile: float) -> xr.DataArray | None:
    array = _windowed(dataset, "percentile")
    if array is None:
        return None
    # the table is that of the variable whose percentile it is
    variable = dataset.attrs.get("variable", array.name)
    array = array.rename(variable)
    long = str(array.attrs.get("long_name", "")).startswith("percentile of")
    if variable in VARIABLES and long:  # the title says that it is one
        array.attrs["long_name"] = VARIABLES[variable].long_name
    if "quantile" not in array.dims:
        return array
    if not isinstance(quantile, int | float | np.number) or not 0 <= quantile <= 1:
        raise ValueError(f"quantile is {quantile!r}, wanted from 0 to 1, such as 0.9")
    known = np.asarray(array["quantile"].values, dtype=float)
    known = known / 100 if known.max() > 1 else known
    return array.isel(quantile=int(np.abs(known - quantile).argmin()))


def _windowed(dataset: xr.Dataset, name: str) -> xr.DataArray | None:
    if f"window_{name}" in dataset:
        return dataset[f"window_{name}"]
    if name in dataset:
        return coords.at_lead(dataset[name], None, role=name)
    return None


def _share(array: xr.DataArray) -> str:
    if "quantile" not in array.coords:
        return "percentile"
    share = float(array["quantile"])
    percent = share * 100 if share <= 1 else share
    moment = coords.moment(array)
    return f"{percent:g}th percentile" + (f", {moment}" if moment else "")


def _window(dataset: xr.Dataset) -> str:
    parts = ["Footprint"]
    if "lead" in dataset.coords:
        parts.append(f"of the next {coords.minutes(dataset['lead']).max():g} min")
    if "reference_time" in dataset.coords and dataset["reference_time"].ndim == 0:
        parts.append(f"from {coords.clock(dataset['reference_time'].values)}")
    return " ".join(parts)
