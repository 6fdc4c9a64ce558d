"""The probability-matched mean: where the mean has it, as much as members have."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def matched(
    mean: NDArray[Any], members: NDArray[Any], weights: NDArray[np.float64] | None
) -> NDArray[np.float32]:
    """
    The values of all members, put where the mean has their rank.

    Parameters
    ----------
    mean
        A map (y, x), NaN where missing.
    members
        Maps (member, y, x), NaN where missing.
    weights
        Of the members; all alike if None.

    Returns
    -------
    ndarray
        With the distribution of the members' values at the pixels where the mean is
        known: of $n$ pixels the $i$-th in order has the quantile $(i - 1/2) / n$. Where
        the mean ties, as where it is dry, pixels share the mean of their values.

    Examples
    --------
    >>> members = np.array([[[0.0, 4.0, 0.0]], [[0.0, 0.0, 4.0]]])
    >>> mean = np.array([[0.0, 2.1, 2.0]])
    >>> matched(mean, members, None)
    array([[0., 4., 0.]], dtype=float32)
    """
    known = ~np.isnan(mean)
    found = np.full(mean.shape, np.nan, dtype=np.float32)
    count = int(known.sum())
    if not count:
        return found
    values = members[:, known]
    share = np.ones(len(values)) if weights is None else weights
    weight = np.broadcast_to(share[:, None], values.shape)
    there = ~np.isnan(values)
    values, weight = values[there], weight[there]
    order = np.argsort(values, kind="stable")
    values, reached = values[order], weight[order].cumsum()
    wanted = (np.arange(count) + 0.5) / count * reached[-1]
    quantiles = values[np.searchsorted(reached, wanted * (1 - 1e-12))]
    _, place, ties = np.unique(mean[known], return_inverse=True, return_counts=True)
    shared = np.bincount(np.repeat(np.arange(ties.size), ties), weights=quantiles)
    found[known] = (shared / ties)[place]
    return found
