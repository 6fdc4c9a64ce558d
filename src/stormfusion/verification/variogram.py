"""Whether the maps of an ensemble are as rough as the observed: the variogram score."""

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from stormfusion.verification.blocks import map_sums, missing
from stormfusion.verification.multivariate import (
    checked_members,
    is_whole,
    with_units,
)
from stormfusion.verification.pairs import Dims, described, error_units, ratio, summed
from stormfusion.verification.spacing import spacing_of

Bare = npt.NDArray[Any]


def variogram_sums(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    lags: Sequence[int] = (1, 2, 4, 8),
    order: float = 0.5,
    fair: bool = True,
    over: Dims = None,
) -> xr.Dataset:
    """
    Sum the squared errors of variograms over pairs of pixels; see `variogram_score`.

    Parameters
    ----------
    forecast, observed, lags, order, fair, over
        As in `variogram_score`.

    Returns
    -------
    Dataset
        `variogram_pairs` as int64, `variogram_weight`, the sum of their weights, and
        `variogram_sum`. Sums of several samples `merge`.

    Examples
    --------
    >>> forecast = xr.DataArray(np.zeros((2, 1, 3)), dims=("member", "y", "x"))
    >>> observed = xr.DataArray([[0.0, 0.0, 4.0]], dims=("y", "x"))
    >>> sums = variogram_sums(forecast, observed, lags=[1])
    >>> sums.variogram_pairs.item(), sums.variogram_sum.item()
    (2, 4.0)
    """
    f, o = checked_members(forecast, observed, "variogram", fair=fair)
    if not isinstance(order, int | float | np.number) or not 0 < order < np.inf:
        raise ValueError(f"order is {order!r}; give a number above 0, such as 0.5")
    steps = _checked_lags(lags, o)
    spacing, where = spacing_of(o)
    found = map_sums(
        lambda f, o: _variograms(f, o, steps, spacing, float(order), fair=fair),
        f,
        o,
        summed(o, over),
        sizes={"part": 3},
    )
    state = xr.Dataset(
        {
            "variogram_pairs": found.isel(part=0).astype(np.int64),
            "variogram_weight": found.isel(part=1),
            "variogram_sum": found.isel(part=2),
        }
    )
    state["variogram_pairs"].attrs = {"long_name": "pairs of pixels that count"}
    weight = {"long_name": "sum of their weights", "units": "km-1"}
    state["variogram_weight"].attrs = weight
    if where:
        state["variogram_weight"].attrs["comment"] = f"weights{where}"
    kind = "fair" if fair else "not fair"
    state["variogram_sum"].attrs = {
        "long_name": "weighted sum of squared errors",
        "order": float(order),
        "settings": f"lags {sorted(steps)}, {kind}",
    }
    return with_units(state, o)


def variogram_mean(sums: xr.Dataset) -> xr.DataArray:
    """
    The variogram score of its sums.

    Parameters
    ----------
    sums
        As from `variogram_sums`, or several of these merged.

    Returns
    -------
    DataArray
        The weighted mean, NaN where there is no pair of pixels.

    Examples
    --------
    >>> sums = {"variogram_weight": 4.0, "variogram_sum": 1.0}
    >>> variogram_mean(xr.Dataset(sums)).item()
    0.25
    """
    power = 2 * float(sums["variogram_sum"].attrs.get("order", 0.5))
    units = error_units(sums.attrs.get("units"))
    if units not in (None, "1") and power != 1:
        units = f"({units})^{power:g}"
    score = ratio(sums["variogram_sum"], sums["variogram_weight"])
    return described(score, "variogram score", units)


def variogram_score(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    lags: Sequence[int] = (1, 2, 4, 8),
    order: float = 0.5,
    fair: bool = True,
    over: Dims = None,
) -> xr.DataArray:
    r"""
    Variogram score of an ensemble: whether its maps are as rough as the observed.

    $$\frac{\sum_{a,b} w_{ab} \left(|y_a - y_b|^p - \frac{1}{M} \sum_i
    |x_{ia} - x_{ib}|^p \right)^2}{\sum_{a,b} w_{ab}}$$

    over pairs of pixels $a$ and $b$ that are a lag apart in a row or in a column, with
    weights $w_{ab}$ of one over their distance [km]. Being a weighted mean it does not
    grow with the map. It is blind to a constant added to a field, so it stands beside
    the CRPS, not in its place. The fair score is less by the part of it that is due to
    having few members, $s^2 / M$ with their unbiased variance $s^2$ of
    $|x_{ia} - x_{ib}|^p$, and can thus be negative.

    Parameters
    ----------
    forecast
        An ensemble with the dimension `member`. A pixel with a missing member is
        missing.
    observed
        The observations on the grid of `forecast`, with the dimensions `y` and `x`. A
        pair of pixels counts only if both are valid. If there are no coordinates, a
        pixel counts as 1 km wide.
    lags
        Distances of the pairs [pixels], each in rows and in columns.
    order
        The power $p$, above 0. At 0.5 a few extreme pixels do not decide.
    fair
        Whether to score the distribution that the members are drawn from, which needs
        2 or more of them, or the members themselves.
    over
        Dimensions to average besides `y` and `x`; all but `lead` if not given.

    Returns
    -------
    DataArray
        In the units of `observed` to the power of `2 * order`, best 0; NaN where there
        is no pair of pixels. An infinite value makes it infinite or NaN.

    References
    ----------
    Scheuerer, M., and T. M. Hamill, 2015: Variogram-based proper scoring rules for
    probabilistic forecasts of multivariate quantities. *Mon. Wea. Rev.*, **143**,
    1321-1334, <https://doi.org/10.1175/MWR-D-14-00269.1>.

    Examples
    --------
    >>> observed = xr.DataArray([[0.0, 4.0, 0.0, 4.0]], dims=("y", "x"))
    >>> members = xr.concat([0 * observed, observed], "member")
    >>> variogram_score(members, observed, lags=[1], fair=False).item()
    1.0
    """
    sums = variogram_sums(
        forecast, observed, lags=lags, order=order, fair=fair, over=over
    )
    return variogram_mean(sums)


def _checked_lags(lags: Sequence[int], o: xr.DataArray) -> list[int]:
    values = list(lags) if np.ndim(lags) == 1 else []
    if not values or not all(is_whole(lag) and lag > 0 for lag in values):
        raise ValueError(
            f"lags are {lags!r}; give whole numbers of pixels, 1 or more, such as "
            "[1, 2, 4, 8]"
        )
    if len(set(values)) < len(values):
        raise ValueError(f"lags are {lags!r}; give each of them once")
    longest = max(o.sizes["y"], o.sizes["x"]) - 1
    if max(values) > longest:
        raise ValueError(
            f"no two pixels of {o.sizes['y']} x {o.sizes['x']} are {max(values)} "
            f"apart; give lags up to {longest}"
        )
    return [int(lag) for lag in values]


def _variograms(
    f: Bare,
    o: Bare,
    lags: list[int],
    spacing: tuple[float, float],
    order: float,
    *,
    fair: bool,
) -> Bare:
    """Pairs, their weights and weighted squared errors, one lag after the other."""
    dtype = np.result_type(f.dtype, o.dtype, np.float32)
    members, total = len(f), np.zeros(3)

    def steps(field: Bare, axis: int, lag: int) -> Bare:
        field = np.moveaxis(field, axis, 0).astype(dtype, copy=False)
        step = np.abs(field[lag:] - field[:-lag])
        return np.asarray(np.sqrt(step) if order == 0.5 else step**order)

    for axis, lag in product((0, 1), lags):
        if lag >= o.shape[axis]:
            continue
        with np.errstate(invalid="ignore"):  # of infinite values
            known = steps(o, axis, lag).astype(np.float64)
            mean, square = np.zeros(known.shape), np.zeros(known.shape)
            for member in f:
                # less the observed, for the variance of what is nearly equal
                difference = steps(member, axis, lag) - known
                mean += difference
                if fair:
                    square += difference**2
            mean /= members
            error = mean**2
            if fair:
                error -= (square / members - error) / (members - 1)
        valid = np.isfinite(error)
        if not valid.all():
            gone = np.moveaxis(missing(f, o), axis, 0)
            valid = ~(gone[lag:] | gone[:-lag])
        count, weight = np.count_nonzero(valid), 1 / (lag * spacing[axis])
        total += count, weight * count, weight * error[valid].sum()
    return total
