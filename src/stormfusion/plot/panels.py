"""Maps side by side under one colour bar: forecast beside truth, lead by lead."""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import xarray as xr

from stormfusion.plot import canvas, coords, maps
from stormfusion.plot.colors import paint

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure


Rows: TypeAlias = dict[str, list[xr.DataArray]]


def triplet(
    input: xr.DataArray,
    observed: xr.DataArray,
    forecast: xr.DataArray,
    *,
    lead: coords.Lead | None = None,
    cmap: "str | Colormap" = "standard",
    title: str | None = None,
    path: str | os.PathLike[str] | None = None,
) -> "Figure":
    """
    Draw the last input, the truth and the forecast side by side.

    The three maps share their colours, one colour bar and the extent of the forecast.

    Parameters
    ----------
    input
        What the forecast started from: (y, x), or (time, y, x), of which the last frame
        is drawn.
    observed
        The truth, on (y, x), on `lead`, or on `time`; then the frame of the forecast's
        valid time is drawn.
    forecast
        The forecast: (y, x) or (lead, y, x).
    lead
        Which lead time to draw, such as `"30 min"`. The last if none is named.
    cmap
        Colours, as in `field`.
    title
        A title above the three maps.
    path
        Where to save the picture, if anywhere.

    Returns
    -------
    Figure
        The figure; its maps are `figure.axes[:3]`.

    Examples
    --------
    >>> import stormfusion.plot as plot
    >>> vil = xr.DataArray(np.zeros((2, 4, 4)), dims=("time", "y", "x"), name="vil")
    >>> figure = plot.triplet(vil[0], vil[1], vil[0])
    >>> [ax.get_title(loc="left") for ax in figure.axes[:3]]
    ['last input', 'observed', 'forecast']
    """
    for role, array in (("input", input), ("observed", observed)):
        coords.labelled(array, role=role)
    coords.labelled(forecast, role="forecast")
    last = input.isel(time=-1) if "time" in input.dims else input
    future = coords.at_lead(forecast, lead, role="forecast")
    future = coords.frame(future, role="forecast")
    when = _same_lead(forecast, future) if lead is None else lead
    truth = coords.at_valid_time(
        coords.at_lead(observed, when, role="observed"), future
    )
    panels = {
        "last input": coords.frame(last, role="input"),
        "observed": coords.frame(truth, role="observed"),
        "forecast": future,
    }
    brush = paint(list(panels.values()), cmap=cmap)
    shape = coords.ratio(panels["forecast"])
    wide, high = maps.panel(shape, largest=3.7)
    figure = canvas.blank(3 * (wide + 0.15) + 1.9, high + (1.5 if title else 1.1))
    axes = figure.subplots(1, 3, sharex=True, sharey=True)
    for ax, (name, array) in zip(axes, panels.items(), strict=True):
        image = maps.draw(ax, array, brush)
        words = "\n".join(filter(None, (name, coords.moment(array))))
        canvas.heading(ax, words, width=wide, size=10.5)
        if ax is not axes[0]:
            ax.set_ylabel("")
    x, y = (coords.axis(panels["forecast"], dim) for dim in ("x", "y"))
    axes[0].set(xlim=x.edges, ylim=y.edges)
    missing = any(map(maps.has_missing, panels.values()))
    label = coords.quantity(panels["observed"])
    maps.bar(axes[-1], image, brush, label=label, missing=missing, height=high)
    canvas.headline(figure, title)
    return canvas.finish(figure, path=path)


def strip(
    forecast: xr.DataArray | Mapping[str, xr.DataArray],
    *,
    observed: xr.DataArray | None = None,
    leads: Sequence[coords.Lead] | None = None,
    cmap: "str | Colormap" = "standard",
    title: str | None = None,
    path: str | os.PathLike[str] | None = None,
) -> "Figure":
    """
    Draw forecasts lead time by lead time, one row each, under the truth.

    More than eight lead times are wrapped, truth and forecasts together. All maps
    share their colours. A bar in the first one tells the scale.

    Parameters
    ----------
    forecast
        A forecast on (lead, y, x), or several by name. Without `observed` and `leads`
        also fields on (time, y, x), drawn at up to six of their times.
    observed
        The truth on (lead, y, x), or on (time, y, x) and then matched to the valid
        times of the first forecast. Times that were not observed are shown as missing.
    leads
        Which lead times to draw, such as `["10 min", "60 min"]`. If none are named, up
        to six, the last among them.
    cmap
        Colours, as in `field`.
    title
        A title above the maps.
    path
        Where to save the picture, if anywhere.

    Returns
    -------
    Figure
        The figure; its maps come first in `figure.axes`, row by row.

    Examples
    --------
    >>> import stormfusion.plot as plot
    >>> lead = np.array([10, 20], dtype="timedelta64[m]").astype("timedelta64[ns]")
    >>> vil = xr.DataArray(
    ...     np.zeros((2, 4, 4)), dims=("lead", "y", "x"), coords={"lead": lead}
    ... )
    >>> figure = plot.strip({"unet": vil, "persistence": vil})
    >>> [ax.get_title() for ax in figure.axes[:2]]
    ['+10 min', '+20 min']
    """
    forecasts = forecast if isinstance(forecast, Mapping) else {"": forecast}
    if not forecasts:
        raise ValueError("there is no forecast to draw; give at least one")
    for name, array in forecasts.items():
        coords.labelled(array, role=name or "forecast")
    if observed is not None:
        coords.labelled(observed, role="observed")
    past = all("time" in a.dims and "lead" not in a.dims for a in forecasts.values())
    past = past and observed is None and leads is None
    alone = "observed" if past else "forecast"
    named = {name or alone: array for name, array in forecasts.items()}
    rows, heads = _by_time(named) if past else _by_lead(named, observed, leads)
    everything = [array for row in rows.values() for array in row]
    brush = paint(everything, cmap=cmap)
    wide, high = maps.panel(coords.ratio(everything[0]), largest=1.9)
    columns = _columns(len(heads), len(rows))
    blocks = -(-len(heads) // columns)
    lines = blocks * len(rows)
    figure = canvas.blank(
        columns * (wide + 0.06) + 1.7,
        lines * (high + 0.06) + 0.3 * blocks + (0.5 if title else 0.1),
        layout="compressed",
    )
    grid = figure.subplots(lines, columns, squeeze=False)
    for number, (name, row) in enumerate(rows.items()):
        # every forecast has a line in each block
        cells = grid[number :: len(rows)]
        for ax, array in zip(cells.ravel(), row, strict=False):
            image = maps.draw(ax, array, brush, size=8.0)
            ax.set(xticks=[], yticks=[], xlabel="", ylabel="")
        for ax in cells.ravel()[len(row) :]:
            ax.set_visible(False)
        words = canvas.wrapped(name, width=high, size=10.5)
        for ax in cells[:, 0]:
            ax.set_ylabel(words, fontsize=10.5, color=canvas.INK)
    for ax, head in zip(grid[:: len(rows)].ravel(), heads, strict=False):
        ax.set_title(head, fontsize=10.5, color=canvas.INK)
    _scale_bar(grid[0, 0], everything[0])
    scale = figure.colorbar(
        image,
        ax=list(grid.ravel()),
        extendfrac=0.1 / (lines * high),
        fraction=0.05,
        pad=0.012,
        aspect=10 * lines * high,
    )
    missing = any(map(maps.has_missing, everything))
    label = coords.quantity(everything[0])
    maps.dress(
        scale.ax, scale, brush, label=label, missing=missing, height=lines * high
    )
    canvas.headline(figure, title)
    return canvas.finish(figure, path=path)


def _same_lead(forecast: xr.DataArray, frame: xr.DataArray) -> coords.Lead | None:
    if "lead" not in forecast.dims or "lead" not in forecast.coords:
        return None
    return _lead(float(coords.minutes(frame["lead"])))


def _by_lead(
    forecasts: Mapping[str, xr.DataArray],
    observed: xr.DataArray | None,
    leads: Sequence[coords.Lead] | None,
) -> tuple[Rows, list[str]]:
    for name, array in forecasts.items():
        if "lead" not in array.dims or "lead" not in array.coords:
            shown = ", ".join(map(str, array.dims))
            raise ValueError(
                f"{name} has dims ({shown}), but a strip needs lead times; "
                "give it the dimension and the coordinate lead"
            )
    first = next(iter(forecasts.values()))
    if leads is None:
        lengths = coords.minutes(first["lead"])[
            _spread(first.sizes["lead"], first=False)
        ]
        leads = [_lead(value) for value in lengths]
    if isinstance(leads, str) or not isinstance(leads, Iterable):
        raise TypeError(
            f"leads are {leads!r}, wanted a list of lead times, such as ['30 min']"
        )
    leads = list(leads)
    if not leads:
        raise ValueError("leads is empty; name at least one, such as '30 min'")
    frames = {
        name: [coords.at_lead(array, lead, role=name) for lead in leads]
        for name, array in forecasts.items()
    }
    marks = next(iter(frames.values()))
    if observed is not None:
        truth = [
            coords.at_valid_time(coords.at_lead(observed, lead, role="observed"), mark)
            for lead, mark in zip(leads, marks, strict=True)
        ]
        frames = {"observed": truth, **frames}
    heads = [f"+{float(coords.minutes(mark['lead'])):g} min" for mark in marks]
    return _checked(frames), heads


def _by_time(fields: Mapping[str, xr.DataArray]) -> tuple[Rows, list[str]]:
    first = next(iter(fields.values()))
    places = _spread(first.sizes["time"], first=True)
    marks = [first.isel(time=place) for place in places]
    frames = {
        name: marks
        if array is first
        else [coords.at_valid_time(array, m) for m in marks]
        for name, array in fields.items()
    }
    heads = [
        coords.moment(mark) or f"frame {place + 1}"
        for place, mark in zip(places, marks, strict=True)
    ]
    return _checked(frames), [head.replace(" ", "\n", 1) for head in heads]


def _checked(frames: Rows) -> Rows:
    return {
        name: [coords.frame(array, role=name) for array in row]
        for name, row in frames.items()
    }


def _columns(count: int, rows: int) -> int:
    """Maps beside each other: up to eight, or what leaves few gaps on a square page."""
    if count <= 8:
        return count
    gaps = {n: -count % n for n in range(10, 4, -1)}
    return min(gaps, key=lambda n: 2 * gaps[n] + abs(n - rows * -(-count // n)))


def _spread(count: int, *, first: bool) -> list[int]:
    if not count:
        raise ValueError("there are no frames to draw: time or lead has length 0")
    start, most = (0, 5) if first else (-1, 6)
    length = count - 1 - start
    # five maps of even steps rather than six of uneven ones
    steps = next((n for n in (most, most - 1) if length % n == 0), most)
    places = np.linspace(start, count - 1, steps + 1)
    return sorted({round(float(place)) for place in places if place >= 0})


def _lead(minutes: float) -> np.timedelta64:
    return np.timedelta64(round(float(minutes) * 60), "s")


def _scale_bar(ax: "Axes", array: xr.DataArray) -> None:
    from matplotlib.patheffects import withStroke

    x = coords.axis(array, "x")
    if x.kind not in ("metre", "degree"):
        return
    unit, word = (1000.0, " km") if x.kind == "metre" else (1.0, "°")
    width = (x.edges[1] - x.edges[0]) / unit
    power = 10.0 ** np.floor(np.log10(width / 3))
    length = max(step * power for step in (1, 2, 5) if step * power <= width / 3)
    halo = [withStroke(linewidth=3, foreground="white")]
    ax.plot(
        [0.06, 0.06 + length / width],
        [0.06, 0.06],
        transform=ax.transAxes,
        color=canvas.INK,
        linewidth=1.5,
        path_effects=halo,
        solid_capstyle="butt",
    )
    ax.text(
        0.06,
        0.09,
        f"{length:g}{word}",
        transform=ax.transAxes,
        fontsize=8,
        color=canvas.INK,
        path_effects=halo,
    )
