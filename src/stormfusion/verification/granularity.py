"""How fine a map of probabilities is: the width of its edges, in kilometres."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from stormfusion.verification.blocks import map_sums
from stormfusion.verification.counts import reaching
from stormfusion.verification.pairs import (
    Dims,
    Thresholds,
    checked_thresholds,
    described,
    pair,
    ratio,
    summed,
    threshold_label,
)
from stormfusion.verification.spacing import spacing_of

Bare = npt.NDArray[Any]

ROWS = 16
"""Of a map that are looked at at a time: few enough to stay in cache."""


def granularity_sums(
    forecast: xr.DataArray,
    *,
    threshold: Thresholds | None = None,
    over: Dims = None,
) -> xr.Dataset:
    """
    Sum uncertain area and length of contours; see `granularity`.

    Parameters
    ----------
    forecast, threshold, over
        As in `granularity`.

    Returns
    -------
    Dataset
        `granularity_cells`, the squares between four valid pixels, as int64,
        `uncertain_area` [km2] and `contour_length` [km]. Sums of several samples
        `merge`.

    Examples
    --------
    >>> edge = xr.DataArray([[0.0, 1.0], [0.0, 1.0]], dims=("y", "x"))
    >>> sums = granularity_sums(edge)
    >>> sums.contour_length.item(), sums.uncertain_area.round(3).item()
    (1.0, 0.167)
    """
    dims = getattr(forecast, "dims", ())
    if "member" in dims and threshold is None:
        raise ValueError(
            "forecast has a dimension 'member' and no threshold; pass the threshold of "
            "the event, or one map of probabilities, such as Ensemble.probability gives"
        )
    if "member" in dims and not forecast.sizes["member"]:
        raise ValueError("forecast has no members; give one or more")
    one = forecast.isel(member=0, drop=True) if "member" in dims else forecast
    return grain_sums(forecast, one, threshold=threshold, over=over)


def grain_sums(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    threshold: Thresholds | None,
    over: Dims = None,
) -> xr.Dataset:
    """
    As `granularity_sums`, but only where something is observed.

    Examples
    --------
    >>> edge = xr.DataArray([[0.0, 1.0, 0.0]] * 2, dims=("y", "x"))
    >>> grain_sums(edge, edge.where([True, True, False]), threshold=None)[
    ...     "granularity_cells"
    ... ].item()
    1
    """
    f, o = pair(forecast, observed, members=True)
    spacing, where = spacing_of(o)
    limits = None
    if threshold is not None:
        limits = np.atleast_1d(checked_thresholds(threshold)).tolist()
    sums = map_sums(
        lambda f, o: _grains(f, o, limits, spacing),
        f,
        o,
        summed(o, over),
        sizes={"threshold": len(limits or "p"), "part": 3},
    )
    cells, area, length = (sums.isel(part=number) for number in range(3))
    state = xr.Dataset(
        {
            "granularity_cells": described(cells.astype(np.int64), "cells that count"),
            "uncertain_area": described(area, "integral of p (1 - p)", "km2"),
            "contour_length": described(length, "mean length of contours", "km"),
        }
    )
    for name in ("uncertain_area", "contour_length"):
        state[name].attrs |= {"comment": where.lstrip(", ")} if where else {}
    if threshold is None:
        return state.isel(threshold=0)
    label = threshold_label(threshold, observed)
    state = state if label.ndim else state.isel(threshold=0)
    return state.assign_coords(threshold=label)


def granularity_score(sums: xr.Dataset) -> xr.DataArray:
    """
    The granularity of its sums.

    Parameters
    ----------
    sums
        As from `granularity_sums`, or several of these merged.

    Returns
    -------
    DataArray
        Kilometres; NaN where no map has a contour.

    Examples
    --------
    >>> sums = xr.Dataset({"uncertain_area": 30.0, "contour_length": 60.0})
    >>> granularity_score(sums).item()
    3.0
    """
    area, length = sums["uncertain_area"], sums["contour_length"]
    score = described(
        6.0 * ratio(area, length.where(length > 0)), "granularity of probability", "km"
    )
    return score.assign_attrs({k: v for k, v in area.attrs.items() if k == "comment"})


def granularity(
    forecast: xr.DataArray,
    *,
    threshold: Thresholds | None = None,
    over: Dims = None,
) -> xr.DataArray:
    r"""
    Granularity of a map of probabilities: how wide its edges are.

    $$\frac{6 \int p \, (1 - p) \, dA}{\int |\nabla p| \, dA}$$

    is an area over a length: the area in which the map leaves it open whether there is
    an event, over the length of its contours (the integral below the line is the mean
    length of the contours of all probabilities from 0 to 1). The factor makes it a
    width: that over which $p$ rises in a straight line from 0 to 1. So a moving average
    of width $w$ makes of a sharp edge one of granularity $w$, and a Gaussian of
    standard deviation $\sigma$ one of $6 / \sqrt{\pi} \, \sigma \approx 3.4 \, \sigma$,
    and of more, up to $5 \, \sigma$ or so, where storms are smaller than the blur or
    melt together in it.
    That of yes and no, $p$ being 0 or 1, is the distance between two pixels, and none
    is finer. Where all is certain nothing is added, so that it does not matter how much
    of the domain is dry. Between pixel centers the map is taken to be bilinear, and its
    slope to be the root of the mean square in each square of four pixels: the mean
    itself at straight edges, and some 5 percent more in noise.

    **It measures sharpness, not skill.** Random noise of 0 and 1 is as fine as the
    truth: read it beside `brier` or `reliability`. What it sees as fine are edges
    between yes and no. A plateau of $p = 0.5$ counts as uncertain in all its area,
    however sharp its rim, and weak noise on top of it makes it little finer.

    Parameters
    ----------
    forecast
        Probabilities, 0 to 1, on a grid with the dimensions `y` and `x`; or, with a
        threshold, an ensemble along `member`, whose probability is the share of
        members that reach it. A square between four pixels counts only if all four are
        valid, in all members. If there are no coordinates, a pixel counts as 1 km wide,
        and `comment` says so.
    threshold
        One or several; an event is `value >= threshold`. A single forecast is as fine
        as its grid.
    over
        Dimensions to pool besides `y` and `x`; all but `lead` if not given. Areas and
        lengths are summed before they are divided.

    Returns
    -------
    DataArray
        Kilometres, from about a pixel; it may exceed the domain where a map hardly
        varies. NaN where it is constant, missing or not two pixels wide.

    Raises
    ------
    ValueError
        If probabilities are not from 0 to 1, on Dask when they are computed.

    References
    ----------
    Federer, H., 1959: Curvature measures. *Trans. Amer. Math. Soc.*, **93**, 418-491,
    <https://doi.org/10.1090/S0002-9947-1959-0110078-1> (its coarea formula).

    Examples
    --------
    >>> north = np.repeat([[0.0], [1.0]], 20, axis=0)
    >>> sharp = xr.DataArray(north * np.ones(40), dims=("y", "x"))
    >>> granularity(sharp).round(1).item()
    1.0
    >>> granularity(sharp.rolling(y=5, center=True).mean()).round(1).item()
    5.0
    """
    return granularity_score(granularity_sums(forecast, threshold=threshold, over=over))


def _grains(
    f: Bare, o: Bare, limits: Sequence[float] | None, spacing: tuple[float, float]
) -> Bare:
    """What `_edges` gives for the probabilities of each limit of one map."""
    if limits is None:
        shares = [_checked(f[0])]
    else:
        shares = list(reaching(f, limits) / np.float64(len(f)))
    largest = f.max(0)
    if np.isnan(largest.min(initial=0)) or np.isnan(o.min(initial=0)):
        gone = np.isnan(largest) | np.isnan(o)
        shares = [np.where(gone, np.nan, share) for share in shares]
    return np.stack([_edges(share, spacing) for share in shares])


def _checked(p: Bare) -> Bare:
    known = p[~np.isnan(p)]
    if known.size and not (known.min() >= -1e-6 and known.max() <= 1 + 1e-6):
        raise ValueError(
            "without a threshold the forecast is a probability in 0 to 1, but got "
            f"{known.min():g} to {known.max():g}; pass a threshold for values"
        )
    return np.asarray(p.astype(np.float64).clip(0.0, 1.0))


def _edges(p: Bare, spacing: tuple[float, float]) -> Bare:
    """Cells, the integral of p (1 - p) and that of the gradient, of a bilinear map."""
    total = np.zeros(3)
    for first in range(0, len(p) - 1, ROWS):
        total += _cells(p[first : first + ROWS + 1], spacing)
    return total


def _cells(p: Bare, spacing: tuple[float, float]) -> Bare:
    """The same of some rows, between which are the cells."""
    dy, dx = spacing
    left, right = p[:, :-1], p[:, 1:]
    both, product, along, down = (
        left + right,
        p[:-1] * p[1:],
        right - left,
        np.diff(p.T).T,
    )
    # p^2 on the sides of the cells, and across them
    side = both * both - left * right
    square = side[:-1] + side[1:]
    square += (product[:, :-1] + product[:, 1:] + both[:-1] * both[1:]) / 2
    uncertain = (both[:-1] + both[1:]) / 4 - square / 9
    # the root of the mean square over the cell; the gradient in its middle would not
    # see a chessboard
    slope = _mean_square(along[:-1], along[1:], dx)
    slope += _mean_square(down[:, :-1], down[:, 1:], dy)
    np.sqrt(slope, out=slope)
    np.maximum(uncertain, 0.0, out=uncertain)
    cells, length = slope.size, float(slope.sum())
    if np.isnan(length):
        valid = ~np.isnan(slope)
        cells = int(np.count_nonzero(valid))
        slope, uncertain = slope[valid], uncertain[valid]
        length = float(slope.sum())
    return np.array([cells, dy * dx * uncertain.sum(), dy * dx * length])


def _mean_square(a: Bare, b: Bare, step: float) -> Bare:
    """Of what goes in a straight line from one value to another, over a step."""
    found: Bare = a + b
    found *= found
    found -= a * b
    found /= 3 * step * step
    return found
