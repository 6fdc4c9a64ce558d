"""How alike the edges: differences of gradients."""

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from stormfusion.verification.blocks import map_sums, missing
from stormfusion.verification.pairs import (
    Dims,
    described,
    error_units,
    pair,
    ratio,
    summed,
)

Bare = npt.NDArray[Any]


def gdl_sums(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    alpha: int = 1,
    over: Dims = None,
) -> xr.Dataset:
    """
    Sum differences of gradients over neighbours; see `gdl`.

    Parameters
    ----------
    forecast, observed, alpha, over
        As in `gdl`.

    Returns
    -------
    Dataset
        `gdl_pairs`, the neighbours, as int64, and `gdl_sum`. Sums of several samples
        with the same `alpha` `merge`.

    Examples
    --------
    >>> observed = xr.DataArray([[0.0, 1.0, 0.5]], dims=("y", "x"))
    >>> sums = gdl_sums(0 * observed, observed)
    >>> sums.gdl_pairs.item(), sums.gdl_sum.item()
    (2, 1.5)
    """
    if alpha not in (1, 2):
        raise ValueError(f"the exponent alpha must be 1 or 2, but got {alpha!r}")
    f, o = pair(forecast, observed, members=True)
    dims = summed(o, over)
    found = map_sums(partial(_gdl, alpha=alpha), f, o, dims, sizes={"part": 2})
    pairs = found.isel(part=0).astype(np.int64)
    units = error_units(o.attrs.get("units"), squared=alpha == 2)
    total = described(found.isel(part=1), "sum of the GDL", units)
    return xr.Dataset(
        {
            "gdl_pairs": described(pairs, "neighbours that are not missing"),
            "gdl_sum": total.assign_attrs(order=alpha),
        }
    )


def gdl_score(sums: xr.Dataset) -> xr.DataArray:
    """
    The mean gradient difference of its sums.

    Parameters
    ----------
    sums
        As from `gdl_sums`, or several of these merged.

    Returns
    -------
    DataArray
        NaN where no two neighbours are valid.

    Examples
    --------
    >>> gdl_score(xr.Dataset({"gdl_pairs": 2, "gdl_sum": 1.5})).item()
    0.75
    """
    score = ratio(sums["gdl_sum"], sums["gdl_pairs"])
    units = sums["gdl_sum"].attrs.get("units")
    return described(score, "gradient difference loss", units)


def gdl(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    alpha: int = 1,
    over: Dims = None,
) -> xr.DataArray:
    r"""
    Gradient difference loss: whether edges are as steep as observed.

    $$\frac{1}{N} \sum \Big| |f_j - f_i| - |o_j - o_i| \Big|^\alpha$$

    over the $N$ pairs of neighbours $i$, $j$ along `y` and along `x` of which neither
    is missing. The benchmark HKO-7 and its followers give the *sum* over a frame, with
    $\alpha = 1$ and values from 0 to 1: for a frame of $H \times W$ pixels without
    gaps, $N = H (W - 1) + (H - 1) W$ times this mean.

    Parameters
    ----------
    forecast
        One forecast, or an ensemble along `member`: its score is the mean of those of
        the members, not that of their mean.
    observed
        The observations on the grid of `forecast`, with `y` and `x`. A pixel is missing
        if it is in `observed` or in any member.
    alpha
        The exponent, 1 or 2.
    over
        Dimensions to average besides `y` and `x`; all but `lead` if not given.

    Returns
    -------
    DataArray
        In the units of `observed`, to the power of `alpha`, best 0; NaN where no two
        neighbours are valid. An infinite value makes it infinite or NaN.

    References
    ----------
    Mathieu, M., C. Couprie, and Y. LeCun, 2016: Deep multi-scale video prediction
    beyond mean square error. *ICLR 2016*, <https://arxiv.org/abs/1511.05440>.

    Examples
    --------
    >>> observed = xr.DataArray([[0.0, 1.0, 0.5]], dims=("y", "x"))
    >>> gdl(0 * observed, observed).item(), gdl(-observed, observed).item()
    (0.75, 0.0)
    """
    return gdl_score(gdl_sums(forecast, observed, alpha=alpha, over=over))


def _gdl(f: Bare, o: Bare, *, alpha: int) -> Bare:
    """Neighbours of a map, and the sum of the differences of their gradients."""
    gone, observed = missing(f, o), o.astype(np.float64)
    total = np.zeros(2)
    with np.errstate(invalid="ignore"):  # of infinite values
        for axis in (0, 1):
            edges = np.abs(np.diff(observed, axis=axis))
            size = edges.shape[axis]
            first, second = (gone.take(range(k, k + size), axis=axis) for k in (0, 1))
            valid = ~(first | second)
            total[0] += np.count_nonzero(valid)
            for member in f:
                steps = np.abs(np.diff(member.astype(np.float64), axis=axis))
                steps = np.abs(steps - edges) ** alpha
                total[1] += np.sum(steps, where=valid) / len(f)
    return total
