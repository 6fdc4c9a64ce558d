"""Skill and detail by scale: the fractions skill score, and the power spectrum."""

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from stormfusion.plot import canvas, coords, series
from stormfusion.plot.colors import MISSING, colormap
from stormfusion.plot.units import bracketed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LOW = 0.01
"""Ratios of power below this are drawn at the bottom."""


def fractions(
    dataset: xr.Dataset | xr.DataArray,
    *,
    lead: coords.Lead | None = None,
    spacing: float | None = None,
    title: str | None = None,
    path: str | os.PathLike[str] | None = None,
) -> "Figure":
    """
    Draw from which scale on a forecast is useful, for each threshold.

    A table of the fractions skill score: the width of the window to the right, the
    threshold upward. Cells are outlined where the score is useful, half way or more
    from that of a random forecast to 1.

    Parameters
    ----------
    dataset
        `fss`, and `fss_useful` for the outline, on `scale` and `threshold`, and on
        `lead` and `forecast` where there are several, as `Nowcaster.evaluate` and
        `verification.verify` give; or the DataArray of `verification.fss`. A score that
        is not defined (NaN), for there was no event, is grey.
    lead
        The lead time, such as `"30 min"`; the last by default. Leads are never
        averaged.
    spacing
        Width of a pixel [km]. With it scales are in kilometres, else in pixels.
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
    Roberts, N. M., and H. W. Lean, 2008: Scale-selective verification of rainfall
    accumulations from high-resolution forecasts of convective events. *Mon. Wea. Rev.*,
    **136**, 78-97, <https://doi.org/10.1175/2007MWR2123.1>.

    Examples
    --------
    >>> import stormfusion.plot as plot
    >>> score = xr.DataArray(
    ...     [[0.4, 0.7], [0.1, 0.3]],
    ...     dims=("threshold", "scale"),
    ...     coords={"threshold": [1.0, 5.0], "scale": [1, 9]},
    ... )
    >>> ax = plot.fractions(score.to_dataset(name="fss"), spacing=2.0).axes[0]
    >>> ax.get_xlabel(), [text.get_text() for text in ax.texts]
    ('width of the window [km]', ['0.40', '0.70', '0.10', '0.30'])
    """
    name, maker = "fss", "verification.verify, or verification.fss with several scales"
    if spacing is not None and not _is_positive(spacing):
        raise ValueError(f"spacing is {spacing!r}; give the width of a pixel [km]")
    given = series.scored(dataset, name, what="a table of scales", maker=maker)
    given = series.at_lead(series.beside(given, name, "fss_useful"), lead)
    series.check_dims(given[name], ("forecast", "threshold", "scale"))
    given = _table(given)
    every = series.forecasts(given)
    rows, columns = canvas.tiles(len(every))
    wide = float(np.clip(0.75 * given.sizes["scale"], 2.4, 8.0))
    high = float(np.clip(0.42 * given.sizes["threshold"], 1.2, 6.0))
    headed = any(series.head(some) for _, some in every)
    each = high + (0.5 if headed else 0.15)
    figure = canvas.blank((wide + 0.2) * columns + 1.0, each * rows + 0.9)
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for ax in grid[len(every) :]:
        ax.set_visible(False)
    for index, (ax, (_, some)) in enumerate(zip(grid, every, strict=False)):
        _cells(ax, some)
        canvas.heading(ax, series.head(some), width=wide, size=10.5)
        _name_cells(ax, some, spacing)
        ax.xaxis.label.set_visible(index + columns >= len(every))
        ax.yaxis.label.set_visible(index % columns == 0)
    figure.supxlabel(_explained(given), fontsize=9, color=canvas.FAINT)
    canvas.headline(figure, title)
    return canvas.finish(figure, path=path)


def spectrum(
    dataset: xr.Dataset | xr.DataArray,
    *,
    lead: coords.Lead | None = None,
    title: str | None = None,
    path: str | os.PathLike[str] | None = None,
) -> "Figure":
    """
    Draw how much of the observed detail a forecast has, by wavelength.

    The power of the forecast over that of the observations, from long waves at the left
    to short ones at the right: 1 is as much detail as observed, less is smoother.
    Whether the detail is in its place a spectrum does not show. The effective
    resolution is where the ratio first falls below a half; an upright line marks
    it, and the legend tells it.

    Parameters
    ----------
    dataset
        `spectrum` along `wavelength` [km], and `effective_resolution` where it is to be
        marked, on `lead` and `forecast` where there are several, as
        `Nowcaster.evaluate` and `verification.verify` give; or the DataArray of
        `verification.spectrum_ratio`. Wavelengths without power (NaN), and those at
        which only the forecast has some (infinite), are left out.
    lead
        The lead time, such as `"30 min"`; the last by default. Leads are never
        averaged.
    title
        A title above the picture.
    path
        Where to save the picture, if anywhere.

    Returns
    -------
    Figure
        The figure, one curve for each forecast. Ratios that span more than a factor of
        20 stand on a logarithmic axis, those below 0.01 at its bottom.

    References
    ----------
    Skamarock, W. C., 2004: Evaluating mesoscale NWP models using kinetic energy
    spectra. *Mon. Wea. Rev.*, **132**, 3019-3032, <https://doi.org/10.1175/MWR2830.1>.

    Examples
    --------
    >>> import stormfusion.plot as plot
    >>> power = xr.DataArray(
    ...     [0.2, 0.6, 1.0], dims="wavelength", coords={"wavelength": [4.0, 8.0, 16.0]}
    ... )
    >>> ax = plot.spectrum(power.to_dataset(name="spectrum")).axes[0]
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('wavelength [km]', 'forecast / observed power')
    """
    name, maker = "spectrum", "verification.verify or verification.spectrum_ratio"
    given = series.scored(dataset, name, what="a picture of spectra", maker=maker)
    if "wavelength" not in given.coords:
        raise ValueError(f"spectrum has no coordinate wavelength; make it with {maker}")
    given = series.at_lead(series.beside(given, name, "effective_resolution"), lead)
    series.check_dims(given[name], ("wavelength", "forecast"), needed="wavelength")
    given = given.sortby("wavelength")
    figure = canvas.blank(6.6, 4.6)
    ax = figure.subplots()
    low = _axes(ax, given)
    ax.axhline(1.0, color=canvas.FAINT, lw=1.0, ls="--", label="as observed")
    ax.axhline(0.5, color=canvas.FAINT, lw=1.0, ls=(0, (1, 2)), label="half of it")
    drawn = False
    for place, (label, some) in enumerate(series.forecasts(given)):
        x = some["wavelength"].values.astype(float)
        y = some[name].values.astype(float)
        kept = np.isfinite(y)
        drawn |= bool(kept.any())
        look = series.look_of(place, label)
        words, at = _resolved(some)
        ax.plot(x[kept], np.maximum(y[kept], low), label=label + words, **look)
        if np.isfinite(at):
            look |= {"marker": "", "linewidth": 2.5, "linestyle": (0, (1, 1))}
            ax.plot([at, at], [low, 0.5], **look)
    if not drawn:
        canvas.note(ax, "no power", bare=False)
    canvas.heading(ax, series.head(given), width=6.0, size=10.5)
    about = canvas.wrapped(given[name].attrs.get("comment", ""), width=5.6, size=10.0)
    ax.set_xlabel(f"wavelength [km]\n{about}".strip())
    ax.set_ylabel("forecast / observed power")
    series.legend(figure, ax)
    canvas.headline(figure, title)
    return canvas.finish(figure, path=path)


def _table(given: xr.Dataset) -> xr.Dataset:
    """Scores by threshold and scale, both upward, even where there is only one."""
    for dim in ("threshold", "scale"):
        if dim not in given.dims:
            given = given.expand_dims(dim)
        if dim in given.coords and given[dim].dtype.kind in "iuf":
            given = given.sortby(dim)
    return given


def _cells(ax: "Axes", some: xr.Dataset) -> None:
    """Paint the table, write the scores and outline the useful ones."""
    from matplotlib.collections import LineCollection

    score = some["fss"].transpose("threshold", "scale")
    values = score.values.astype(float)
    paint = colormap("YlGnBu", safe="YlGnBu").with_extremes(bad=MISSING)
    look: dict[str, Any] = {"cmap": paint, "vmin": 0.0, "vmax": 1.0}
    ax.imshow(values, origin="lower", aspect="auto", interpolation="none", **look)
    for (row, column), value in np.ndenumerate(values):
        words = f"{value:.2f}" if np.isfinite(value) else "-"
        color = "white" if value > 0.55 else canvas.INK
        ax.text(column, row, words, ha="center", va="center", fontsize=9, color=color)
    if "fss_useful" in some:
        useful = (score >= some["fss_useful"]).transpose("threshold", "scale").values
        lines = LineCollection(_outline(useful), color="#d55e00", linewidths=2.2)
        lines.set(clip_on=False, capstyle="projecting", zorder=3)
        ax.add_collection(lines)


def _outline(inside: "np.ndarray") -> list[list[tuple[float, float]]]:
    """The edges between cells that are inside and those that are not."""
    edges = []
    framed = np.pad(inside, 1)
    for row, column in np.argwhere(framed[1:] != framed[:-1]).tolist():
        edges.append([(column - 1.5, row - 0.5), (column - 0.5, row - 0.5)])
    for row, column in np.argwhere(framed[:, 1:] != framed[:, :-1]).tolist():
        edges.append([(column - 0.5, row - 1.5), (column - 0.5, row - 0.5)])
    return edges


def _name_cells(ax: "Axes", some: xr.Dataset, spacing: float | None) -> None:
    """Say what the rows and the columns of a table are."""
    canvas.style(ax)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    texts = {}
    for dim in ("scale", "threshold"):
        texts[dim] = [""] * some.sizes[dim]
        if dim in some.coords:
            factor = spacing if dim == "scale" and spacing is not None else 1
            texts[dim] = [
                each if isinstance(each, str) else f"{each * factor:.3g}"
                for each in some[dim].values.tolist()
            ]
    ax.set_xticks(range(some.sizes["scale"]), texts["scale"])
    ax.set_yticks(range(some.sizes["threshold"]), texts["threshold"])
    ax.set_xlabel(f"width of the window [{'pixel' if spacing is None else 'km'}]")
    if "threshold" in some.coords:
        units = str(some["threshold"].attrs.get("units", ""))
        named = some["threshold"].dtype.kind in "OU"
        ax.set_ylabel("hazard" if named else bracketed("threshold", units))


def _explained(given: xr.Dataset) -> str:
    """What the outline and the grey of a table mean."""
    words = ["fractions skill score"]
    if "fss_useful" in given:
        words.append("outlined: useful")
    if bool(given["fss"].isnull().any()):
        words.append("grey: no event")
    return "; ".join(words)


def _axes(ax: "Axes", given: xr.Dataset) -> float:
    """Scale the axes of spectra; give the lowest ratio that can be seen."""
    from matplotlib.ticker import NullLocator, StrMethodFormatter

    canvas.style(ax, grid=True)
    ratios = given["spectrum"]
    rows = ratios.transpose("wavelength", ...).values.astype(float)
    known = np.isfinite(rows.reshape(len(rows), -1)).any(axis=1)
    lengths = given["wavelength"].values.astype(float)
    lengths = lengths[known] if known.any() else lengths
    ax.set_xscale("log", base=2)
    ax.set_xlim(lengths.max() * 1.15, lengths.min() / 1.15)
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    values = rows[np.isfinite(rows)]
    high = float(max(values.max(initial=1.0), 1.0))
    low = float(min(values.min(initial=0.5), 0.5))
    if high > 20 * low:
        low = max(low, _LOW) / 1.3
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        ax.set_ylim(low, high * 1.3)
    else:
        low = 0.0
        ax.set_ylim(low, 1.1 * high)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_minor_locator(NullLocator())
    return low


def _resolved(some: xr.Dataset) -> tuple[str, float]:
    """The effective resolution of a forecast in words, and where it is [km]."""
    if "effective_resolution" not in some:
        return "", np.nan
    at = float(some["effective_resolution"])
    if np.isinf(at):
        return ", resolves no scale", np.nan
    return (f", resolves {at:.3g} km", at) if np.isfinite(at) else ("", np.nan)


def _is_positive(value: object) -> bool:
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return number and 0 < float(value) < np.inf  # type: ignore[arg-type]
