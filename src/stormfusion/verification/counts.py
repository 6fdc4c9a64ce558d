"""Yes or no: hits, misses, false alarms, correct negatives, and scores of them."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from stormfusion.verification.blocks import block_sums, counted, map_sums
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

Bare = npt.NDArray[Any]


def contingency(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    threshold: Thresholds,
    pool: int | None = None,
    over: Dims = None,
) -> xr.Dataset:
    """
    Count hits, misses, false alarms and correct negatives.

    Parameters
    ----------
    forecast
        One forecast, in the units of the observations.
    observed
        The observations on the grid of `forecast`. A pair of which either is missing
        is not counted.
    threshold
        One or several; an event is `value >= threshold`.
    pool
        Width of squares [pixels] that each count as one pair, of the largest forecast
        and the largest observed value in them. They do not overlap, and begin where
        `y` and `x` are smallest; a square that is cut by the other edges is left out,
        and so is one of which more than half is missing.
    over
        Dimensions to sum over; all but `lead` if not given.

    Returns
    -------
    Dataset
        `hits`, `misses`, `false_alarms` and `correct_negatives` as int64, by threshold
        and what was not summed over. Tables of several samples `merge`.

    Examples
    --------
    >>> forecast = xr.DataArray([9.0, 9.0, 1.0, 1.0, np.nan], dims="x")
    >>> observed = xr.DataArray([9.0, 1.0, 9.0, 1.0, 9.0], dims="x")
    >>> table = contingency(forecast, observed, threshold=5)
    >>> [int(table[name]) for name in table]
    [1, 1, 1, 1]
    """
    forecast, observed = pair(forecast, observed)
    thresholds = np.atleast_1d(checked_thresholds(threshold))
    sizes = {"threshold": thresholds.size, "part": 4}
    block = _counting(thresholds)
    if pool is None:
        dims = summed(observed, over)
        counts = block_sums(block, forecast, observed, dims, sizes=sizes)
    else:
        width = _checked_pool(pool, observed)
        # the squares are the same in whatever order the rows and columns come
        for dim in ("y", "x"):
            if dim in observed.indexes and observed[dim][0] > observed[dim][-1]:
                turned = {dim: slice(None, None, -1)}
                forecast, observed = forecast.isel(turned), observed.isel(turned)
        dims = _pooled_dims(observed, over)

        def pooled(f: Bare, o: Bare) -> Bare:
            f, o = _largest(f[0], o, width)
            return np.asarray(block(f.reshape(1, -1, 1), o.reshape(-1, 1))[0])

        counts = map_sums(pooled, forecast, observed, dims, sizes=sizes)
    label = threshold_label(threshold, observed)
    counts = counts.astype(np.int64)
    table = xr.Dataset(
        {
            name: described(counts.isel(part=i, drop=True), name.replace("_", " "))
            for i, name in enumerate(COUNTS)
        }
    ).assign_coords(threshold=label if label.ndim else label.expand_dims("threshold"))
    if pool is not None:
        table = table.assign_coords(
            pool=((), pool, {"long_name": "width of the squares", "units": "1"})
        )
    return table if label.ndim else table.isel(threshold=0)


COUNTS = ("hits", "misses", "false_alarms", "correct_negatives")


def _counting(thresholds: npt.NDArray[np.float64]) -> Callable[[Bare, Bare], Bare]:
    """The table of each row of a block of pairs."""

    def block(f: Bare, o: Bare) -> Bare:
        f, pairs = f[0], np.full(o.shape[1], o.shape[0])
        if np.isnan(f.min()) or np.isnan(o.min()):
            gone = np.isnan(f) | np.isnan(o)
            pairs = pairs - counted(gone)
            f, o = (np.where(gone, -np.inf, a) for a in (f, o))
        counts = np.empty((o.shape[1], thresholds.size, 4))
        forecast, observed = np.empty(o.shape, bool), np.empty(o.shape, bool)
        for number, threshold in enumerate(thresholds):
            reaches(f, threshold, out=forecast)
            reaches(o, threshold, out=observed)
            yes, occurred = counted(forecast), counted(observed)
            hits = counted(np.logical_and(forecast, observed, out=forecast))
            row = (hits, occurred - hits, yes - hits, pairs - yes - occurred + hits)
            counts[:, number] = np.stack(row, axis=-1)
        return counts

    return block


def reaches(values: Bare, threshold: float, *, out: Bare | None = None) -> Bare:
    """
    Whether each value is an event, compared in the type of the values.

    Parameters
    ----------
    values, threshold
        An event is `value >= threshold`; NaN is none.
    out
        Where to write it, if there is room already.

    Examples
    --------
    >>> reaches(np.array([73, 74, 75], np.uint8), 73.5)
    array([False,  True,  True])
    """
    if values.dtype.kind == "f":
        return np.asarray(
            np.greater_equal(values, values.dtype.type(threshold), out=out)
        )
    if values.dtype.kind == "b":
        values = values.view(np.uint8)
    ends, least = np.iinfo(values.dtype), np.ceil(threshold)
    if least > ends.max:
        return np.asarray(np.not_equal(values, values, out=out))
    limit = values.dtype.type(max(least, ends.min))
    return np.asarray(np.greater_equal(values, limit, out=out))


def reaching(
    members: Bare, limits: Sequence[float] | Bare, *, room: int = 2**19
) -> npt.NDArray[Any]:
    """
    How many members reach each limit.

    Parameters
    ----------
    members
        `(member, ...)`; NaN reaches none.
    limits
        Of events, `value >= limit`.
    room
        Bytes of members to look at a time: few enough to stay in cache for all limits.

    Returns
    -------
    ndarray
        `(limit, ...)`, as whole numbers of the shortest type that holds them.

    Examples
    --------
    >>> reaching(np.array([[0, 1, 2], [1, 2, 3]]), [1, 2])
    array([[1, 2, 2],
           [0, 1, 2]], dtype=uint8)
    """
    shape, number = members.shape[1:], len(members)
    kind = np.uint8 if number < 2**8 else np.uint32
    flat = members.reshape(number, -1)
    found = np.empty((len(limits), flat.shape[1]), kind)
    step = max(room // max(number * members.itemsize, 1), 64)
    for first in range(0, flat.shape[1], step):
        # together, for rows a power of two apart would drive each other out
        part = np.ascontiguousarray(flat[:, first : first + step])
        event = np.empty(part.shape, bool)
        for row, limit in zip(found, limits, strict=True):
            into = row[first : first + step]
            if number == 1:
                reaches(part[0], limit, out=into.view(bool))
                continue
            reaches(part, limit, out=event)
            np.add.reduce(event.view(np.uint8), axis=0, dtype=kind, out=into)
    return found.reshape(len(limits), *shape)


def _checked_pool(pool: int, observed: xr.DataArray) -> int:
    if not isinstance(pool, int | np.integer) or isinstance(pool, bool) or pool < 1:
        raise ValueError(
            f"pool is {pool!r}; give a whole number of pixels, 1 or more, such as 4"
        )
    short = [d for d in ("y", "x") if observed.sizes.get(d, pool) < pool]
    if short:
        raise ValueError(
            f"squares of {pool} pixels do not fit {short[0]} of "
            f"{observed.sizes[short[0]]}; take a smaller pool"
        )
    return int(pool)


def _pooled_dims(observed: xr.DataArray, over: Dims) -> list[str]:
    dims = summed(observed, over)
    if not {"y", "x"} <= set(dims):
        raise ValueError(
            f"pooled pairs are summed over y and x, but over is {over!r}; name both"
        )
    return dims


def _largest(f: Bare, o: Bare, width: int) -> tuple[Bare, Bare]:
    """The largest value of each square; NaN where half of it is missing."""
    rows, columns = (size // width for size in o.shape)
    shape = (rows, width, columns, width)
    f, o = (a[: rows * width, : columns * width].reshape(shape) for a in (f, o))
    if not (np.isnan(f.min()) or np.isnan(o.min())):
        return f.max((1, 3)), o.max((1, 3))
    gone = np.isnan(f) | np.isnan(o)
    few = 2 * gone.sum((1, 3)) > width**2
    f, o = (np.where(gone, -np.inf, a).max((1, 3)) for a in (f, o))
    return np.where(few, np.nan, f), o


Formula = Callable[
    [xr.DataArray, xr.DataArray, xr.DataArray, xr.DataArray], xr.DataArray
]


def _ets(
    h: xr.DataArray, m: xr.DataArray, f: xr.DataArray, r: xr.DataArray
) -> xr.DataArray:
    h_r = ratio((h + m) * (h + f), h + m + f + r)
    return ratio(h - h_r, h + m + f - h_r)


def _sedi(
    h: xr.DataArray, m: xr.DataArray, f: xr.DataArray, r: xr.DataArray
) -> xr.DataArray:
    hit, false = ratio(h, h + m), ratio(f, f + r)
    tiny = np.finfo(np.float64).tiny
    a, b, c, d = (
        xr.apply_ufunc(np.log, x.clip(tiny), dask="allowed")
        for x in (false, hit, 1 - hit, 1 - false)
    )
    index: xr.DataArray = (a - b - d + c) / (a + b + c + d)
    # the limits, where a logarithm is infinite
    best, worst = (hit == 1) | (false == 0), (hit == 0) | (false == 1)
    index = index.where(~best, 1.0).where(~worst, -1.0).where(~(best & worst))
    known = hit.notnull() & false.notnull()
    return index.where(known)


CATEGORICAL: dict[str, tuple[str, Formula]] = {
    "csi": ("critical success index", lambda h, m, f, r: ratio(h, h + m + f)),
    "pod": ("probability of detection", lambda h, m, f, r: ratio(h, h + m)),
    "far": ("false alarm ratio", lambda h, m, f, r: ratio(f, h + f)),
    "pofd": ("probability of false detection", lambda h, m, f, r: ratio(f, f + r)),
    "success_ratio": ("success ratio", lambda h, m, f, r: ratio(h, h + f)),
    "bias": ("frequency bias", lambda h, m, f, r: ratio(h + f, h + m)),
    "hss": (
        "Heidke skill score",
        lambda h, m, f, r: ratio(
            2 * (h * r - m * f), (h + m) * (m + r) + (h + f) * (f + r)
        ),
    ),
    "ets": ("equitable threat score", _ets),
    "pss": (
        "Peirce skill score",
        lambda h, m, f, r: ratio(h, h + m) - ratio(f, f + r),
    ),
    "sedi": ("symmetric extremal dependence index", _sedi),
}
"""Long name and formula of each score of hits, misses, false alarms, rejections."""


def categorical_scores(counts: xr.Dataset) -> xr.Dataset:
    """
    Every score of a contingency table.

    Parameters
    ----------
    counts
        As from `contingency`, or several of these merged.

    Returns
    -------
    Dataset
        The scores named in `CATEGORICAL`, on the coordinates of `counts`. A score of
        nothing, 0/0, is NaN; the frequency bias is infinite where events were forecast
        and none occurred.

    Examples
    --------
    >>> table = {"hits": 2, "misses": 1, "false_alarms": 1, "correct_negatives": 6}
    >>> categorical_scores(xr.Dataset(table)).csi.item()
    0.5
    """
    h, m, f, r = (counts[name].astype(np.float64) for name in COUNTS)
    return xr.Dataset(
        {
            name: described(formula(h, m, f, r), long_name)
            for name, (long_name, formula) in CATEGORICAL.items()
        }
    )
