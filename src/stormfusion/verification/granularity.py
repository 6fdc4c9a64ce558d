"""How fine a map of probabilities is: the width of its edges, in kilometres."""

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from stormfusion.verification.blocks import map_sums
from stormfusion.verification.counts import reaches
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
    f, o = pair(forecast, one, members=True)
    spacing, where = spacing_of(o)
    limits = [None]
    if threshold is not None:
        limits = list(np.atleast_1d(checked_thresholds(threshold)))
    sums = map_sums(
        lambda f, _: np.stack([_edges(_share(f, t), spacing) for t in limits]),
        f,
        o,
        summed(o, over),
        sizes={"threshold": len(limits), "part": 3},
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
    label = threshold_label(threshold, one)
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
    of the domain is dry. Between pixel centers the map is taken to be bilinear.

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


def _share(f: Bare, threshold: float | None) -> Bare:
    """Probabilities of one map, NaN where a member is missing."""
    if threshold is None:
        p = f[0].astype(np.float64)
        known = p[~np.isnan(p)]
        if known.size and not (known.min() >= -1e-6 and known.max() <= 1 + 1e-6):
            raise ValueError(
                "without a threshold the forecast is a probability in 0 to 1, but got "
                f"{known.min():g} to {known.max():g}; pass a threshold for values"
            )
        return np.asarray(p.clip(0.0, 1.0))
    count = np.zeros(f.shape[1:])
    for member in f:
        count += reaches(member, threshold)
    count /= len(f)
    return np.where(np.isnan(f.max(0)), np.nan, count)


def _edges(p: Bare, spacing: tuple[float, float]) -> Bare:
    """Cells, the integral of p (1 - p) and that of the gradient, of a bilinear map."""
    dy, dx = spacing
    a, b, c, d = p[:-1, :-1], p[:-1, 1:], p[1:, :-1], p[1:, 1:]
    mean = (a + b + c + d) / 4
    square = a * (a + b + c) + b * (b + d) + c * (c + d) + d * d + (a * d + b * c) / 2
    uncertain = mean - square / 9
    # the root of the mean square over the cell; the gradient in its middle would not
    # see a chessboard
    steps = ((b - a, d - c, dx), (c - a, d - b, dy))
    slope = np.sqrt(sum((u * u + u * v + v * v) / (3 * h * h) for u, v, h in steps))
    valid = ~np.isnan(slope)
    area = dy * dx * np.where(valid, np.maximum(uncertain, 0.0), 0.0).sum()
    length = dy * dx * np.where(valid, slope, 0.0).sum()
    return np.array([np.count_nonzero(valid), area, length])
