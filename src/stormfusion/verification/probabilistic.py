"""The continuous ranked probability score of ensembles."""

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from stormfusion.verification.blocks import block_sums, counted, missing
from stormfusion.verification.pairs import (
    Dims,
    described,
    error_units,
    member_count,
    pair,
    ratio,
    summed,
)

Bare = npt.NDArray[Any]

BYTES = 2**20
"""Of members that are sorted at a time: few enough to stay in cache."""


def crps_sums(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    fair: bool = True,
    over: Dims = None,
) -> xr.Dataset:
    """
    Sum the continuous ranked probability score over pairs; see `crps`.

    Parameters
    ----------
    forecast, observed, fair, over
        As in `crps`.

    Returns
    -------
    Dataset
        `crps_pairs` as int64 and `crps_sum`. Sums of several samples `merge`.

    Examples
    --------
    >>> forecast = xr.DataArray([[0.0, 0.0, 1.0]], dims=("x", "member"))
    >>> observed = xr.DataArray([0.0], dims="x")
    >>> crps_sums(forecast, observed, fair=False).crps_sum.round(3).item()
    0.111
    """
    forecast, observed = pair(forecast, observed, members=True)
    dims, members = summed(observed, over), member_count(forecast)
    if fair and members < 2:
        raise ValueError(
            "the fair CRPS needs 2 or more members, but got 1; pass fair=False, which "
            "gives the absolute error"
        )

    def block(f: Bare, o: Bare) -> Bare:
        score = crps_of_pairs(f, o, fair=fair)
        valid = ~np.isnan(score)
        total = np.where(valid, score, 0.0).sum(0)
        return np.stack([counted(valid), total], axis=-1)

    found = block_sums(block, forecast, observed, dims, sizes={"part": 2})
    state = xr.Dataset(
        {
            "crps_pairs": found.isel(part=0).astype(np.int64),
            "crps_sum": found.isel(part=1),
        }
    )
    state["crps_pairs"].attrs = {"long_name": "pairs that are not missing"}
    settings = "fair" if fair else "not fair"
    state["crps_sum"].attrs = {"long_name": "sum of the CRPS", "settings": settings}
    units = observed.attrs.get("units")
    return state.assign_attrs({"units": units} if units else {})


def crps(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    fair: bool = True,
    over: Dims = None,
) -> xr.DataArray:
    r"""
    Continuous ranked probability score of an ensemble.

    $$\frac{1}{M} \sum_i |x_i - y| - \frac{1}{2 K} \sum_{i,j} |x_i - x_j|$$

    for members $x_i$ and the observation $y$, with $K = M (M - 1)$ for the fair score,
    whose expectation does not depend on the number of members, and $K = M^2$ for the
    score of the ensemble as a distribution. Exact where members tie.

    Parameters
    ----------
    forecast
        An ensemble with the dimension `member`. A pixel with a missing member is
        missing.
    observed
        The observations on the grid of `forecast`. Missing pairs are not counted.
    fair
        Whether to score the distribution that the members are drawn from, which needs
        2 or more of them, or the members themselves. Neither is ever negative.
    over
        Dimensions to average over; all but `lead` if not given, and `()` for a map.

    Returns
    -------
    DataArray
        In the units of `observed`, best 0; NaN where there is no pair, and infinite
        where a member or the observation is and the others are not the same.

    References
    ----------
    Ferro, C. A. T., 2014: Fair scores for ensemble forecasts. *Quart. J. Roy. Meteor.
    Soc.*, **140**, 1917-1923, <https://doi.org/10.1002/qj.2270>.

    Examples
    --------
    >>> forecast = xr.DataArray([0.0, 0.0, 0.0, 5.0, 6.0], dims="member")
    >>> crps(forecast, xr.DataArray(0.0), fair=False).round(2).item()
    0.84
    """
    sums = crps_sums(forecast, observed, fair=fair, over=over)
    return crps_score(sums, fair=fair)


def crps_score(sums: xr.Dataset, *, fair: bool = True) -> xr.DataArray:
    """
    The mean CRPS of its sums.

    Parameters
    ----------
    sums
        As from `crps_sums`, or several of these merged.
    fair
        What the sums are of, for the label.

    Returns
    -------
    DataArray
        The mean, NaN where there is no pair.

    Examples
    --------
    >>> crps_score(xr.Dataset({"crps_pairs": 4, "crps_sum": 1.0})).item()
    0.25
    """
    return described(
        ratio(sums["crps_sum"], sums["crps_pairs"]),
        f"{'fair ' if fair else ''}continuous ranked probability score",
        error_units(sums.attrs.get("units")),
    )


def crps_of_pairs(f: Bare, o: Bare, *, fair: bool) -> Bare:
    """The score of each pair; sum_ij |x_i - x_j| = 2 sum_i (2i - M - 1) x_(i)."""
    members = len(f)
    dtype = np.result_type(f.dtype, o.dtype, np.float32)
    columns, y = f.reshape(members, o.size), o.reshape(o.size)
    score = np.empty(o.size)
    step = max(BYTES // (members * dtype.itemsize) // 64 * 64, 64) + 16
    # the rows of what is turned below are no power of two apart, which caches dislike
    room = np.empty((2, members * min(step, o.size)), dtype)
    weight = np.arange(1 - members, members, 2, dtype=dtype)
    for first in range(0, o.size, step):
        part = slice(first, min(first + step, o.size))
        off, x = room[:, : members * (part.stop - first)]
        off, x = off.reshape(members, -1), x.reshape(-1, members)
        with np.errstate(invalid="ignore"):
            # less the observation, so that the score is exact where all are equal
            np.subtract(columns[:, part], y[part], out=off, dtype=dtype)
            np.copyto(x, off.T)
            np.abs(off, out=off)
            score[part] = np.ones(members, dtype) @ off
            score[part] /= members
            if members > 1:
                # members last, for NumPy sorts short rows in registers
                x.sort(axis=-1)
                between = (x @ weight).astype(np.float64)
                score[part] -= between / (members * (members - 1 if fair else members))
    np.maximum(score, 0.0, out=score)  # below it by rounding alone
    if np.isnan(score).any():
        # infinite values leave no number, and are not missing
        odd = np.isnan(score) & ~missing(columns, y)
        score[odd] = np.where((columns == y).all(0), 0.0, np.inf)[odd]
    return score.reshape(o.shape)
