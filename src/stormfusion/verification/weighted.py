"""The CRPS of what matters: threshold-weighted, for heavy rain or for cold tops."""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr

from stormfusion.verification.blocks import Sums, block_sums, counted
from stormfusion.verification.pairs import (
    Dims,
    Thresholds,
    checked_thresholds,
    described,
    error_units,
    member_count,
    pair,
    ratio,
    summed,
    threshold_label,
)
from stormfusion.verification.probabilistic import crps_of_pairs

Bare = npt.NDArray[Any]
Tail = Literal["upper", "lower"]


def twcrps_sums(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    threshold: Thresholds,
    tail: Tail = "upper",
    fair: bool = True,
    over: Dims = None,
) -> xr.Dataset:
    """
    Sum the threshold-weighted CRPS over pairs; see `twcrps`.

    Parameters
    ----------
    forecast, observed, threshold, tail, fair, over
        As in `twcrps`.

    Returns
    -------
    Dataset
        `twcrps_pairs` as int64 and `twcrps_sum`, by threshold. Sums of several samples
        `merge`, if they are of one tail and alike fair.

    Raises
    ------
    ValueError
        If `tail` is unknown, or there are no members, or one for the fair score.

    Examples
    --------
    >>> forecast = xr.DataArray([[0.0, 4.0, 8.0]], dims=("x", "member"))
    >>> observed = xr.DataArray([0.0], dims="x")
    >>> sums = twcrps_sums(forecast, observed, threshold=[0, 5], fair=False)
    >>> sums.twcrps_sum.round(3).values
    array([2.222, 0.333])
    """
    if tail not in ("upper", "lower"):
        raise ValueError(
            f"tail is {tail!r}; give 'upper' for what is above the threshold, or "
            "'lower' for what is below"
        )
    forecast, observed = pair(forecast, observed, members=True)
    dims, members = summed(observed, over), member_count(forecast)
    if fair and members < 2:
        raise ValueError(
            "the fair threshold-weighted CRPS needs 2 or more members, but got 1; pass "
            "fair=False, which gives the absolute error in the tail"
        )
    label = threshold_label(threshold, observed)
    limits = np.atleast_1d(checked_thresholds(threshold))
    sizes = {"threshold": limits.size, "part": 2}
    block = _in_tail(limits, tail, fair=fair)
    found = block_sums(block, forecast, observed, dims, sizes=sizes)
    pairs, total = (found.isel(part=part) for part in range(2))
    units = error_units(observed.attrs.get("units"))
    state = xr.Dataset(
        {
            "twcrps_pairs": described(
                pairs.astype(np.int64), "pairs that are not missing"
            ),
            "twcrps_sum": described(total, "sum of the threshold-weighted CRPS", units),
        }
    )
    state["twcrps_sum"].attrs |= {"tail": tail, "fair": int(fair)}
    state = state if label.ndim else state.isel(threshold=0)
    return state.assign_coords(threshold=label)


def twcrps_score(sums: xr.Dataset) -> xr.DataArray:
    """
    The mean threshold-weighted CRPS of its sums.

    Parameters
    ----------
    sums
        As from `twcrps_sums`, or several of these merged.

    Returns
    -------
    DataArray
        By threshold, NaN where there is no pair.

    Examples
    --------
    >>> twcrps_score(xr.Dataset({"twcrps_pairs": 4, "twcrps_sum": 1.0})).item()
    0.25
    """
    attrs = sums["twcrps_sum"].attrs
    fair = "fair " if attrs.get("fair") else ""
    where = f" of the {attrs['tail']} tail" if "tail" in attrs else ""
    score = ratio(sums["twcrps_sum"], sums["twcrps_pairs"])
    words = f"{fair}threshold-weighted continuous ranked probability score{where}"
    return described(score, words, attrs.get("units"))


def twcrps(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    threshold: Thresholds,
    tail: Tail = "upper",
    fair: bool = True,
    over: Dims = None,
) -> xr.DataArray:
    r"""
    Threshold-weighted CRPS of an ensemble: how good it is where it matters.

    $$\frac{1}{M} \sum_i |v(x_i) - v(y)| - \frac{1}{2 K} \sum_{i,j} |v(x_i) - v(x_j)|,
    \qquad v(z) = \max(z, t)$$

    for members $x_i$, the observation $y$ and the threshold $t$, with $K = M (M - 1)$
    for the fair score and $K = M^2$ for that of the ensemble as a distribution. For the
    lower tail, $v(z) = \min(z, t)$. It is the `crps` of what exceeds the threshold: the
    integral of Brier scores over all thresholds from $t$ on, not over all of them. So
    both tails together are the CRPS, and a forecaster gains nothing by crying wolf, as
    one does where only the cases with heavy rain are scored: the dry cases count, and
    their false alarms with them.

    Exact where members tie. What forecasts do on the other side of the threshold does
    not matter at all, and a pair wholly on it scores 0: values are small where events
    are rare, and can be compared for one threshold only.

    Parameters
    ----------
    forecast
        An ensemble with the dimension `member`. A pixel with a missing member is
        missing.
    observed
        The observations on the grid of `forecast`. Missing pairs are not counted.
    threshold
        One or several, in the units of `observed`.
    tail
        `"upper"` for what is above the threshold, such as heavy rain, `"lower"` for
        what is below, such as the temperature of cold cloud tops.
    fair
        Whether to score the distribution that the members are drawn from, which needs
        2 or more of them, or the members themselves. Neither is ever negative.
    over
        Dimensions to average over; all but `lead` if not given, and `()` for a map.

    Returns
    -------
    DataArray
        In the units of `observed`, best 0, by threshold; NaN where there is no pair.

    Raises
    ------
    ValueError
        If `tail` is unknown, or there are no members, or one for the fair score.

    References
    ----------
    Gneiting, T., and R. Ranjan, 2011: Comparing density forecasts using threshold- and
    quantile-weighted scoring rules. *J. Bus. Econ. Stat.*, **29**, 411-422,
    <https://doi.org/10.1198/jbes.2010.08110>.

    Allen, S., D. Ginsbourger, and J. Ziegel, 2023: Evaluating forecasts for high-impact
    events using transformed kernel scores. *SIAM/ASA J. Uncertain. Quantif.*, **11**,
    906-940, <https://doi.org/10.1137/22M1532184>.

    Examples
    --------
    >>> forecast = xr.DataArray([0.0, 0.0, 4.0, 12.0], dims="member")
    >>> twcrps(forecast, xr.DataArray(14.0), threshold=10, fair=False).item()
    3.125
    >>> twcrps(forecast, xr.DataArray(0.0), threshold=[10, 20], fair=False).values
    array([0.125, 0.   ])
    """
    sums = twcrps_sums(
        forecast, observed, threshold=threshold, tail=tail, fair=fair, over=over
    )
    return twcrps_score(sums)


def _in_tail(limits: npt.NDArray[np.float64], tail: Tail, *, fair: bool) -> Sums:
    """Pairs and scores of a block, for each limit."""
    chain = np.maximum if tail == "upper" else np.minimum

    def block(f: Bare, o: Bare) -> Bare:
        dtype = np.result_type(f.dtype, o.dtype, np.float32)
        farthest = chain(chain.reduce(f, axis=0), o, dtype=dtype)
        sums = np.empty((o.shape[1], limits.size, 2))
        for number, limit in enumerate(limits.astype(dtype)):
            # where all are on the other side the score is 0; NaN equals nothing, so it
            # counts as inside and scores NaN
            inside = chain(farthest, limit, dtype=dtype) != limit
            score = np.zeros(o.shape)
            if inside.any():
                x, y = (chain(a, limit, dtype=dtype) for a in (f[:, inside], o[inside]))
                score[inside] = crps_of_pairs(x, y, fair=fair)
            valid = ~np.isnan(score)
            sums[:, number, 0] = counted(valid)
            sums[:, number, 1] = np.where(valid, score, 0.0).sum(0)
        return sums

    return block
