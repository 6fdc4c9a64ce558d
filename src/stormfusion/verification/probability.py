"""Probabilities of events beside what happened: Brier score and reliability."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import xarray as xr

from stormfusion.units import exceeds
from stormfusion.verification.pairs import (
    Dims,
    Thresholds,
    described,
    pair,
    per_threshold,
    ratio,
    summed,
)

Weights: TypeAlias = Mapping[str, xr.DataArray | None]


def event_sums(
    state: Callable[[xr.DataArray, xr.DataArray], xr.Dataset],
    forecast: xr.DataArray,
    observed: xr.DataArray,
    threshold: Thresholds | None,
) -> xr.Dataset:
    """
    The sums of probabilities and events, for every threshold.

    Parameters
    ----------
    state
        Takes probabilities and events, NaN where missing, and gives sums.
    forecast
        With a threshold, an ensemble or one forecast, whose probability is the share
        of members that reach it; without, probabilities. A pixel with a missing member
        is missing.
    observed
        The observations; without a threshold, 1 for an event and 0 for none.
    threshold
        One, several, or None.

    Returns
    -------
    Dataset
        What `state` gives, along `threshold` if there are several.

    Examples
    --------
    >>> members = xr.DataArray([[1.0, 9.0]], dims=("x", "member"))
    >>> show = lambda p, o: xr.Dataset({"p": p, "o": o})
    >>> event_sums(show, members, xr.DataArray([9.0], dims="x"), 5).p.values
    array([0.5])
    """
    if threshold is None:
        p, o = pair(forecast, observed)
        check_probabilities(p, o)
        return state(p.astype(np.float64), o.astype(np.float64))
    forecast, observed = pair(forecast, observed, members=True)
    forecast_valid, observed_valid = forecast.notnull(), observed.notnull()
    if "member" in forecast.dims:
        forecast_valid = forecast_valid.all("member")

    def at(t: float) -> xr.Dataset:
        event = exceeds(forecast, t)
        p = event.mean("member") if "member" in event.dims else event.astype(np.float64)
        o = exceeds(observed, t).astype(np.float64)
        return state(p.where(forecast_valid), o.where(observed_valid))

    return per_threshold(at, threshold, observed)


def check_probabilities(p: xr.DataArray, o: xr.DataArray) -> None:
    """
    Refuse what is no probability, or no event.

    Examples
    --------
    >>> check_probabilities(xr.DataArray(1.5), xr.DataArray(1))
    Traceback (most recent call last):
    ValueError: without a threshold the forecast is a probability in 0 to 1, but got
    1.5 to 1.5; pass a threshold for values
    """
    if bool(((p < 0) | (p > 1)).any()):
        raise ValueError(
            "without a threshold the forecast is a probability in 0 to 1, but got "
            f"{float(p.min()):g} to {float(p.max()):g}; pass a threshold for values"
        )
    if bool(((o != 0) & (o != 1) & o.notnull()).any()):
        raise ValueError(
            "without a threshold the observations are 1 for an event and 0 for none, "
            f"but got {float(o.min()):g} to {float(o.max()):g}; pass a threshold, or "
            "use Hazard.occurs"
        )


def brier_sums(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    threshold: Thresholds | None = None,
    over: Dims = None,
) -> xr.Dataset:
    """
    Sum the squared errors of probabilities; see `brier`.

    Parameters
    ----------
    forecast, observed, threshold, over
        As in `brier`.

    Returns
    -------
    Dataset
        `brier_pairs` as int64 and `brier_sum`. Sums of several samples `merge`.

    Examples
    --------
    >>> forecast = xr.DataArray([0.5, 1.0], dims="x")
    >>> brier_sums(forecast, xr.DataArray([1, 1], dims="x")).brier_sum.item()
    0.25
    """

    def state(p: xr.DataArray, o: xr.DataArray) -> xr.Dataset:
        dims = summed(observed, over)
        error = (p - o) ** 2
        valid = error.notnull()
        pairs = valid.sum(dims).astype(np.int64)
        total = error.where(valid, 0.0).sum(dims)
        return xr.Dataset(
            {
                "brier_pairs": described(pairs, "pairs that are not missing"),
                "brier_sum": described(total, "sum of squared errors"),
            }
        )

    return event_sums(state, forecast, observed, threshold)


def brier(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    threshold: Thresholds | None = None,
    over: Dims = None,
) -> xr.DataArray:
    r"""
    Brier score, $\overline{(p - o)^2}$ of probabilities $p$ and events $o$.

    Parameters
    ----------
    forecast
        Probabilities, 0 to 1; or, with a threshold, an ensemble along `member`, whose
        probability is the share of members that reach it.
    observed
        1 for an event and 0 for none; or, with a threshold, the variable. Missing
        pairs are not counted.
    threshold
        One or several; an event is `value >= threshold`.
    over
        Dimensions to average over; all but `lead` if not given.

    Returns
    -------
    DataArray
        0 to 1, best 0; NaN where there is no pair [1].

    Examples
    --------
    >>> forecast = xr.DataArray([[1.0, 9.0], [9.0, 9.0]], dims=("x", "member"))
    >>> brier(forecast, xr.DataArray([9.0, 9.0], dims="x"), threshold=5).item()
    0.125
    """
    sums = brier_sums(forecast, observed, threshold=threshold, over=over)
    return described(ratio(sums["brier_sum"], sums["brier_pairs"]), "Brier score")


def reliability_sums(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    threshold: Thresholds | None = None,
    bins: int = 10,
    over: Dims = None,
) -> xr.Dataset:
    """
    Sum probabilities and events by bins of the probability; see `reliability`.

    Parameters
    ----------
    forecast, observed, threshold, bins, over
        As in `reliability`.

    Returns
    -------
    Dataset
        `count` as int64, `probability_sum` and `event_sum` along `bin`, whose labels
        are the middles of the bins. Sums of several samples `merge`.

    Examples
    --------
    >>> forecast = xr.DataArray([0.1, 0.9, 1.0], dims="x")
    >>> observed = xr.DataArray([0, 0, 1], dims="x")
    >>> reliability_sums(forecast, observed, bins=2)["count"].values
    array([1, 2])
    """
    if not isinstance(bins, int | np.integer) or bins < 1:
        raise ValueError(f"bins is {bins!r}; give a whole number, 1 or more")
    middles = xr.DataArray(
        (np.arange(bins) + 0.5) / bins,
        dims="bin",
        attrs={"long_name": "middle of the bin of forecast probabilities"},
    )

    def state(p: xr.DataArray, o: xr.DataArray) -> xr.Dataset:
        # 0.7 in float32 is less than 7 tenths: it still belongs in the upper bin
        number = p.where(o.notnull()).fillna(-1.0) * bins + 1e-6
        index = (number // 1).clip(-1, bins - 1).astype(np.int64)
        weights: Weights = {"count": None, "probability_sum": p, "event_sum": o}
        sums = histogram(index, weights, summed(observed, over), "bin", bins)
        sums["count"] = sums["count"].astype(np.int64)
        return sums.assign_coords(bin=middles)

    return event_sums(state, forecast, observed, threshold).transpose(..., "bin")


def reliability_scores(sums: xr.Dataset) -> xr.Dataset:
    """
    The reliability diagram of its sums.

    Parameters
    ----------
    sums
        As from `reliability_sums`, or several of these merged.

    Returns
    -------
    Dataset
        As from `reliability`.

    Examples
    --------
    >>> sums = {"count": 4, "probability_sum": 1.0, "event_sum": 2.0}
    >>> sums = xr.Dataset({name: ("bin", [value]) for name, value in sums.items()})
    >>> reliability_scores(sums).observed_frequency.values
    array([0.5])
    """
    n, p, o = (sums[name] for name in ("count", "probability_sum", "event_sum"))
    base_rate = ratio(o.sum("bin"), n.sum("bin"))
    return xr.Dataset(
        {
            "forecast_probability": described(ratio(p, n), "mean forecast probability"),
            "observed_frequency": described(ratio(o, n), "observed frequency"),
            "count": described(n, "pairs in the bin"),
            "base_rate": described(base_rate, "observed frequency of the event"),
        }
    )


def reliability(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    threshold: Thresholds | None = None,
    bins: int = 10,
    over: Dims = None,
) -> xr.Dataset:
    """
    Reliability diagram: how often an event happens, by its forecast probability.

    Parameters
    ----------
    forecast
        Probabilities, 0 to 1; or, with a threshold, an ensemble along `member`, whose
        probability is the share of members that reach it.
    observed
        1 for an event and 0 for none; or, with a threshold, the variable. Missing
        pairs are not counted.
    threshold
        One or several; an event is `value >= threshold`.
    bins
        Number of bins of equal width, each with its lower end and the last with 1.
        One more than there are members keeps every probability apart.
    over
        Dimensions to pool; all but `lead` if not given.

    Returns
    -------
    Dataset
        `forecast_probability`, the mean in each bin, `observed_frequency` and `count`
        along `bin`, and `base_rate`. Empty bins are NaN [1].

    Examples
    --------
    >>> forecast = xr.DataArray([0.1, 0.3, 0.9], dims="x")
    >>> diagram = reliability(forecast, xr.DataArray([0, 1, 1], dims="x"), bins=2)
    >>> diagram.observed_frequency.values
    array([0.5, 1. ])
    """
    sums = reliability_sums(
        forecast, observed, threshold=threshold, bins=bins, over=over
    )
    return reliability_scores(sums)


def histogram(
    index: xr.DataArray,
    weights: Weights,
    dims: list[str],
    name: str,
    size: int,
) -> xr.Dataset:
    """
    Sum weights, or count, by an index, 0 to `size - 1`; -1 is left out.

    Examples
    --------
    >>> index = xr.DataArray([0, 2, 2, -1], dims="x")
    >>> histogram(index, {"count": None}, ["x"], "bin", 3)["count"].values
    array([1, 0, 2])
    """
    kept = [str(dim) for dim in index.dims if dim not in dims]
    index = index.transpose(*kept, *dims)
    shape = tuple(index.sizes[dim] for dim in kept)
    rows = int(np.prod(shape))
    flat = index.to_numpy().reshape(rows, -1)
    # each row has a cell for what is not counted, before the others
    cells = (flat + 1 + (size + 1) * np.arange(rows)[:, None]).ravel()
    result = {}
    for key, weight in weights.items():
        values: npt.NDArray[Any] | None = None
        if weight is not None:
            values = weight.transpose(*index.dims).to_numpy().ravel()
        total = np.bincount(cells, values, rows * (size + 1))
        result[key] = ((*kept, name), total.reshape(*shape, size + 1)[..., 1:])
    labels = {dim: index[dim] for dim in kept if dim in index.indexes}
    return xr.Dataset(result, coords=labels)
