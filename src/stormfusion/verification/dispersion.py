"""Whether members are like what comes: rank histogram, spread beside error."""

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from stormfusion.verification.blocks import block_sums, counted, missing
from stormfusion.verification.counts import reaches
from stormfusion.verification.pairs import (
    Dims,
    described,
    error_units,
    member_count,
    one_threshold,
    pair,
    ratio,
    summed,
)

Bare = npt.NDArray[Any]


def rank_sums(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    threshold: float | None = None,
    over: Dims = None,
) -> xr.Dataset:
    """
    Count pairs by how many members lie below the observation, and how many tie.

    Parameters
    ----------
    forecast, observed, threshold, over
        As in `rank_histogram`.

    Returns
    -------
    Dataset
        `rank_pairs` as int64 along `below` and `ties`. Sums of several samples `merge`.

    Examples
    --------
    >>> forecast = xr.DataArray([[1.0, 2.0], [3.0, 3.0]], dims=("x", "member"))
    >>> sums = rank_sums(forecast, xr.DataArray([1.5, 3.0], dims="x"))
    >>> sums.rank_pairs.sel(below=0, ties=2).item()
    1
    """
    if threshold is not None:
        threshold = one_threshold(threshold)
    forecast, observed = pair(forecast, observed, members=True)
    dims, members = summed(observed, over), member_count(forecast)
    kind = np.uint8 if members < 2**8 else np.uint32
    size = members + 1

    def block(f: Bare, o: Bare) -> Bare:
        below, ties, rows = np.zeros(o.shape, kind), np.zeros(o.shape, kind), o.shape[1]
        for member in f:
            below += member < o
            ties += member == o
        valid = ~(np.isnan(f).any(0) | np.isnan(o))
        if threshold is not None:
            valid &= reaches(f.max(0), threshold) | reaches(o, threshold)
        cell = size * below.astype(np.intp) + ties
        if rows > 1:
            cell += size**2 * np.arange(rows)
        cell = cell.ravel() if valid.all() else cell[valid]
        counts = np.bincount(cell, minlength=rows * size**2)
        return counts.reshape(rows, size, size).astype(np.float64)

    sizes = {"below": size, "ties": size}
    found = block_sums(block, forecast, observed, dims, sizes=sizes)
    numbers = np.arange(size)
    found = found.assign_coords(below=numbers, ties=numbers).astype(np.int64)
    pairs = described(found, "pairs").assign_attrs(settings=f"threshold {threshold}")
    return xr.Dataset({"rank_pairs": pairs})


def rank_score(sums: xr.Dataset, *, seed: int = 0) -> xr.DataArray:
    """
    The rank histogram of its sums.

    Parameters
    ----------
    sums
        As from `rank_sums`, or several of these merged.
    seed
        Of the ranks of ties.

    Returns
    -------
    DataArray
        As from `rank_histogram`.

    Examples
    --------
    >>> forecast = xr.DataArray([0.0, 0.0, 0.0], dims="member")
    >>> sums = rank_sums(forecast, xr.DataArray(0.0))
    >>> rank_score(4000 * sums).sum().item()
    4000
    """
    pairs = sums["rank_pairs"].transpose(..., "below", "ties")
    size = pairs.sizes["below"]
    if pairs.chunks is not None:
        # one chunk, so that the draws are those of the whole
        pairs = pairs.chunk(dict.fromkeys(pairs.dims, -1))

    def drawn(counts: Bare) -> Bare:
        generator = np.random.default_rng(seed)
        ranks = np.zeros((*counts.shape[:-2], size), np.int64)
        for ties in range(size):
            chances = np.full(ties + 1, 1.0 / (ties + 1))
            for below in range(size - ties):
                shared = counts[..., below, ties]
                if shared.any():
                    taken = generator.multinomial(shared, chances)
                    ranks[..., below : below + ties + 1] += taken
        return ranks

    found = xr.apply_ufunc(
        drawn,
        pairs,
        input_core_dims=[["below", "ties"]],
        output_core_dims=[["rank"]],
        dask="parallelized",
        output_dtypes=[np.int64],
        dask_gufunc_kwargs={"output_sizes": {"rank": size}},
    )
    found = found.assign_coords(rank=np.arange(size))
    return described(found, "pairs by rank of the observation")


def rank_histogram(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    threshold: float | None = None,
    seed: int = 0,
    over: Dims = None,
) -> xr.DataArray:
    """
    How often the observation has each rank among the members.

    Flat where observations are like members. An observation that ties with members
    takes one of the ranks they share, drawn at random.

    Parameters
    ----------
    forecast
        An ensemble with the dimension `member`. A pixel with a missing member is
        missing.
    observed
        The observations on the grid of `forecast`. Missing pairs are not counted.
    threshold
        Count only pairs in which a member or the observation reaches this. Without it,
        dry pixels, where all tie, flatten the histogram of rain.
    seed
        Of the ranks of ties.
    over
        Dimensions to count over; all but `lead` if not given.

    Returns
    -------
    DataArray
        int64 along `rank`, 0 to M: the number of members below the observation. The
        histograms of several samples add.

    Examples
    --------
    >>> forecast = xr.DataArray([[1.0, 2.0], [1.0, 2.0]], dims=("x", "member"))
    >>> rank_histogram(forecast, xr.DataArray([1.5, 3.0], dims="x")).values
    array([0, 1, 1])
    """
    sums = rank_sums(forecast, observed, threshold=threshold, over=over)
    return rank_score(sums, seed=seed)


def spread_sums(
    forecast: xr.DataArray, observed: xr.DataArray, *, over: Dims = None
) -> xr.Dataset:
    """
    Sum the variance of members and the squared error of their mean; see `spread_skill`.

    Parameters
    ----------
    forecast, observed, over
        As in `spread_skill`.

    Returns
    -------
    Dataset
        `spread_pairs` as int64, `variance_sum` and `mean_squared_error_sum`. Sums of
        several samples `merge`, if they have the same number of members.

    Examples
    --------
    >>> forecast = xr.DataArray([[1.0, 3.0]], dims=("x", "member"))
    >>> sums = spread_sums(forecast, xr.DataArray([4.0], dims="x"))
    >>> sums.variance_sum.item(), sums.mean_squared_error_sum.item()
    (3.0, 4.0)
    """
    forecast, observed = pair(forecast, observed, members=True)
    dims, members = summed(observed, over), member_count(forecast)
    if members < 2:
        raise ValueError(
            "the spread needs 2 or more members, but got 1; score one forecast by rmse"
        )

    def block(f: Bare, o: Bare) -> Bare:
        # in double precision few pairs fit the cache
        step = max(2**16 // members, 64)
        parts = range(0, len(o), step)
        found = [few(f[:, i : i + step], o[i : i + step]) for i in parts]
        return np.asarray(np.sum(found, axis=0))

    def few(f: Bare, o: Bare) -> Bare:
        with np.errstate(invalid="ignore"):  # of infinite values
            # less the observation, which leaves little to be lost in the squares
            apart = np.subtract(f, o, dtype=np.float64)
            mean = apart.mean(0)
            error, apart = mean**2, apart - mean
            variance = np.einsum("mpr,mpr->pr", apart, apart) / (members - 1)
        valid = np.isfinite(error)
        if not valid.all():
            valid = ~missing(f, o)
        parts = (np.where(valid, part, 0.0).sum(0) for part in (variance, error))
        return np.stack([counted(valid), *parts], axis=-1)

    found = block_sums(block, forecast, observed, dims, sizes={"part": 3})
    n, variance, error = (found.isel(part=part) for part in range(3))
    # as if the observation was one more member
    variance = variance * (members + 1) / members
    units = error_units(observed.attrs.get("units"), squared=True)
    state = xr.Dataset(
        {
            "spread_pairs": described(n.astype(np.int64), "pairs that are not missing"),
            "variance_sum": described(variance, "sum of (M + 1) / M s^2", units),
            "mean_squared_error_sum": described(
                error, "sum of squared errors of the mean", units
            ),
        }
    )
    state["variance_sum"].attrs["settings"] = f"{members} members"
    units = observed.attrs.get("units")
    return state.assign_attrs({"units": units} if units else {})


def spread_scores(sums: xr.Dataset) -> xr.Dataset:
    """
    Spread and error of their sums.

    Parameters
    ----------
    sums
        As from `spread_sums`, or several of these merged.

    Returns
    -------
    Dataset
        As from `spread_skill`.

    Examples
    --------
    >>> forecast = xr.DataArray([[1.0, 3.0]], dims=("x", "member"))
    >>> sums = spread_sums(forecast, xr.DataArray([4.0], dims="x"))
    >>> spread_scores(sums).rmse.item()
    2.0
    """
    n = sums["spread_pairs"]
    spread = ratio(sums["variance_sum"], n) ** 0.5
    error = ratio(sums["mean_squared_error_sum"], n) ** 0.5
    units = error_units(sums.attrs.get("units"))
    return xr.Dataset(
        {
            "spread": described(spread, "spread of the members", units),
            "rmse": described(error, "error of the ensemble mean", units),
            "ratio": described(ratio(spread, error), "spread by error"),
        }
    )


def spread_skill(
    forecast: xr.DataArray, observed: xr.DataArray, *, over: Dims = None
) -> xr.Dataset:
    r"""
    Spread of an ensemble beside the error of its mean.

    The spread is $\sqrt{(M + 1) / M \cdot \overline{s^2}}$ with the unbiased variance
    $s^2$ of $M$ members: it equals the error where members and observation are alike.

    Parameters
    ----------
    forecast
        An ensemble of 2 or more members along `member`. A pixel with a missing member
        is missing.
    observed
        The observations on the grid of `forecast`. Missing pairs are not counted.
    over
        Dimensions to average over; all but `lead` if not given.

    Returns
    -------
    Dataset
        `spread` and `rmse` of the mean in the units of `observed`, and `ratio`, the
        first by the second; all NaN where there is no pair. A member that is infinite
        makes `rmse` infinite, and the others NaN.

    Examples
    --------
    >>> forecast = xr.DataArray([[1.0, 3.0]], dims=("x", "member"))
    >>> result = spread_skill(forecast, xr.DataArray([4.0], dims="x"))
    >>> result.spread.round(3).item(), result.rmse.item()
    (1.732, 2.0)
    """
    return spread_scores(spread_sums(forecast, observed, over=over))
