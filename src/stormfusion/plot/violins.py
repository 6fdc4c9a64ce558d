"""Violins: how errors are distributed, lead by lead and forecast beside forecast."""

import os
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import xarray as xr

from stormfusion.plot import canvas, coords, series
from stormfusion.plot.units import powers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]

POINTS = 201
"""Points at which a density is drawn."""


def violins(
    dataset: xr.Dataset,
    *,
    tails: float = 0.01,
    title: str | None = None,
    path: str | os.PathLike[str] | None = None,
) -> "Figure":
    """
    Draw how the errors of one or several forecasts are distributed.

    A violin is the density of the errors, mirrored, as wide as all others at its
    widest; the bar in it goes from the lower to the upper quartile, and the dot is the
    median. It ends where `tails` of the errors are beyond, above and below.

    Parameters
    ----------
    dataset
        `error` along `sample`, and along `lead` or one other dimension, such as
        `stage`, and `forecast` where there are several, as
        `verification.error_distribution` gives; join several with
        `xr.concat(each, "forecast").assign_coords(forecast=names)`. Missing errors
        (NaN) are left out, and so are infinite ones.
    tails
        Share of the errors that is cut off at each end, 0 to below 0.25.
    title
        A title. If none is given, what the distribution leaves out, where it does.
    path
        Where to save the picture, if anywhere.

    Returns
    -------
    Figure
        The figure: a group of violins for each lead, one for each forecast.

    References
    ----------
    Hintze, J. L., and R. D. Nelson, 1998: Violin plots: a box plot-density trace
    synergism. *Amer. Stat.*, **52**, 181-184,
    <https://doi.org/10.1080/00031305.1998.10480559>.

    Examples
    --------
    >>> import stormfusion.plot as plot
    >>> dataset = xr.Dataset(
    ...     {"error": (("lead", "sample"), [[0.0, 1.0, 2.0], [-3.0, 0.0, 4.0]])},
    ...     coords={"lead": np.array([300, 600], dtype="timedelta64[s]")},
    ... )
    >>> dataset.error.attrs = {"long_name": "forecast - observed", "units": "mm h-1"}
    >>> ax = plot.violins(dataset).axes[0]
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('lead time [min]', 'forecast - observed [mm h⁻¹]')
    """
    errors = _checked(dataset)
    if not 0 <= tails < 0.25:
        raise ValueError(f"tails is {tails!r}; give a share below 0.25, such as 0.01")
    (group,) = [str(d) for d in errors.dims if d not in ("sample", "forecast")]
    forecasts, count = series.forecasts(errors), errors.sizes[group]
    many = len(forecasts)
    width = float(np.clip(1.2 + count * (0.28 + 0.3 * many), 5.6, 11.0))
    figure = canvas.blank(width, 4.2)
    ax = figure.subplots()
    ax.axhline(0.0, color=canvas.FAINT, lw=1.0, ls="--", zorder=1.5)
    room = 0.86 / many
    half = 0.45 * room
    points = 2 * half * 72 * (width - 1.0) / count
    drawn = False
    for place, (name, some) in enumerate(forecasts):
        color = series.look_of(place, name)["color"]
        named = False
        for at in range(count):
            values = np.asarray(some.isel({group: at}).values, dtype=float)
            values = values[np.isfinite(values)]
            if not values.size:
                continue
            middle = at + (place - (many - 1) / 2) * room
            label = None if named else name
            ends = _violin(ax, values, (middle, half), tails, color=color, label=label)
            _summary(ax, ends, middle, points)
            named = drawn = True
    if not drawn:
        canvas.note(ax, "no errors to draw")
    ax.set_xlim(-0.6, count - 0.4)
    words, label = _words(errors, group)
    ax.set_xticks(range(count), words)
    ax.set_xlabel(label)
    ax.set_ylabel(coords.quantity(errors))
    canvas.style(ax, grid=True)
    ax.grid(visible=False, axis="x")
    _thin(ax, words, width=width)
    if drawn:
        legend = "dot: median, bar: quartiles"
        legend += f", {100 * tails:g} % beyond each end" if tails else ""
        ax.set_title(legend, loc="right", fontsize=8.5, color=canvas.FAINT, pad=5)
    series.legend(figure, ax)
    canvas.headline(figure, _left_out(dataset) if title is None else title)
    return canvas.finish(figure, path=path)


def density(values: Floats, low: float, high: float) -> tuple[Floats, Floats]:
    """
    A smooth density of values between two of them, 1 at its highest.

    It is that of a Gaussian kernel of Silverman's width, of values in fine classes.
    """
    spread = float(values.std())
    middle = float(np.subtract(*np.percentile(values, [75, 25]))) / 1.349
    # half of the values may be one, such as 0, and others far beyond the ends
    width = 0.9 * (min(spread, middle) or spread) * values.size**-0.2
    width = min(width, (high - low) / 4)
    at = np.linspace(low, high, POINTS)
    step = at[1] - at[0]
    if not step > 0:
        return at[:1], np.ones(1)
    edges = np.append(at - step / 2, at[-1] + step / 2)
    # values beyond the ends are part of the density at the ends
    reach = max(1, int(np.ceil(4 * width / step)))
    wide = np.concatenate(
        [
            edges[0] - step * np.arange(reach, 0, -1),
            edges,
            edges[-1] + step * np.arange(1, reach + 1),
        ]
    )
    counts = np.histogram(values, wide)[0].astype(float)
    kernel = np.exp(
        -0.5 * (step * np.arange(-reach, reach + 1) / max(width, step)) ** 2
    )
    smooth = np.convolve(counts, kernel, mode="valid")
    return at, smooth / smooth.max()


def _violin(
    ax: "Axes",
    values: Floats,
    place: tuple[float, float],
    tails: float,
    *,
    color: str,
    label: str | None,
) -> Floats:
    """Draw one at its middle, half as wide as told; give its quartiles."""
    middle, half = place
    levels = [tails, 0.25, 0.5, 0.75, 1 - tails]
    low, *quartiles, high = np.quantile(values, levels)
    at, dense = density(values, float(low), float(high))
    left, right = middle - half * dense, middle + half * dense
    paint: dict[str, Any] = {"facecolor": color, "edgecolor": color, "alpha": 0.45}
    ax.fill_betweenx(at, left, right, label=label, linewidth=0.9, zorder=2, **paint)
    return np.array(quartiles)


def _summary(ax: "Axes", quartiles: Floats, middle: float, points: float) -> None:
    """Draw a bar and a dot that suit a violin so many points wide."""
    lower, median, upper = quartiles
    thick, size = np.clip([points / 11, points / 7], [1.2, 2.4], [2.6, 4.4])
    ax.plot([middle] * 2, [lower, upper], color=canvas.INK, lw=thick, zorder=3)
    ax.plot(
        [middle],
        [median],
        marker="o",
        markersize=size,
        markerfacecolor="white",
        markeredgecolor=canvas.INK,
        markeredgewidth=0.35 * thick,
        zorder=4,
    )


def _checked(dataset: xr.Dataset) -> xr.DataArray:
    hint = "an xarray.Dataset of errors; give what verification.error_distribution does"
    canvas.wanted(dataset, xr.Dataset, role="dataset", hint=hint)
    if "error" not in dataset:
        raise ValueError(
            f"the dataset holds {sorted(map(str, dataset.data_vars))} and no 'error'; "
            "make it with verification.error_distribution"
        )
    errors = dataset["error"]
    groups = [str(d) for d in errors.dims if d not in ("sample", "forecast")]
    if "sample" not in errors.dims or len(groups) > 1:
        shown = ", ".join(map(str, errors.dims))
        raise ValueError(
            f"error has dims ({shown}), but the chart has sample, forecast and one "
            "other, such as lead; choose one with .isel"
        )
    return errors if groups else errors.expand_dims("all")


def _words(errors: xr.DataArray, group: str) -> tuple[list[str], str]:
    """What stands under each group of violins, and under all."""
    if group == "lead":
        if group not in errors.coords:
            return [str(i + 1) for i in range(errors.sizes[group])], "lead"
        minutes = coords.minutes(errors["lead"])
        return [f"{minute:g}" for minute in minutes], "lead time [min]"
    if group not in errors.coords:
        return [""] * errors.sizes[group], ""
    words = [str(value) for value in errors[group].values.tolist()]
    return words, coords.quantity(errors[group])


def _thin(ax: "Axes", words: list[str], *, width: float) -> None:
    """Leave out labels where there is no room for all of them."""
    longest = max(map(len, words), default=0)
    room = (width - 1.0) * 72 / max(len(words), 1)
    every = int(np.ceil((0.64 * 9 * longest + 6) / room))
    if every > 1:
        kept = range(every - 1, len(words), every)
        ax.set_xticks(list(kept), [words[i] for i in kept])


def _left_out(dataset: xr.Dataset) -> str | None:
    threshold = dataset.attrs.get("threshold")
    if threshold is None:
        return None
    units = dataset["error"].attrs.get("units", "")
    return powers(
        f"errors where forecast or observed ≥ {threshold:.3g} {units}".strip()
    )
