"""Probabilities of events beside what happened: the Brier score and its parts."""

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from stormfusion.verification.blocks import Sums, block_sums
from stormfusion.verification.counts import reaches, reaching
from stormfusion.verification.pairs import (
    Dims,
    Thresholds,
    checked_thresholds,
    described,
    pair,
    ratio,
    summed,
    threshold_label,
    unitless,
)

Bare = npt.NDArray[Any]

PARTS = {
    "count": "pairs in the bin",
    "probability_sum": "sum of the forecast probabilities",
    "probability_squared": "sum of their squares",
    "event_sum": "events that occurred",
    "event_probability": "sum of the forecast probabilities of events that occurred",
    "log_sum": "sum of the logarithmic score",
}


def probability_sums(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    threshold: Thresholds | None = None,
    bins: int | None = None,
    over: Dims = None,
) -> xr.Dataset:
    """
    Sum probabilities and events by bins of the probability.

    All scores of probabilities come from these sums: `brier`, `reliability`, `roc` and
    what goes with them, in one pass over the data.

    Parameters
    ----------
    forecast
        Probabilities, 0 to 1; or, with a threshold, an ensemble along `member`, whose
        probability is the share of members that reach it, or one forecast, whose
        probability is 0 or 1. A pixel with a missing member is missing.
    observed
        1 for an event and 0 for none; or, with a threshold, the variable. Missing
        pairs are not counted.
    threshold
        One or several; an event is `value >= threshold`.
    bins
        Bins of equal width, each with its lower end and the last with 1. If not given,
        an ensemble of $M$ members has $M + 1$, one for each probability it can give,
        and other forecasts have 10.
    over
        Dimensions to pool; all but `lead` if not given.

    Returns
    -------
    Dataset
        Along `bin`, whose labels are the middles of the bins, or the probabilities
        themselves where each has a bin: `count` and `event_sum` as int64,
        `probability_sum`, `probability_squared`, `event_probability` and `log_sum`.
        Sums of several samples `merge` where their bins are equal.

    Examples
    --------
    >>> forecast = xr.DataArray([0.1, 0.9, 1.0], dims="x")
    >>> observed = xr.DataArray([0, 0, 1], dims="x")
    >>> probability_sums(forecast, observed, bins=2)["count"].values
    array([1, 2])
    """
    if bins is not None and (not isinstance(bins, int | np.integer) or bins < 1):
        raise ValueError(f"bins is {bins!r}; give a whole number, 1 or more")
    if threshold is None:
        forecast, observed = unitless(forecast), unitless(observed)
    forecast, observed = pair(forecast, observed, members=threshold is not None)
    dims = summed(observed, over)
    if threshold is None:
        bins = 10 if bins is None else int(bins)
        sizes = {"bin": bins, "part": len(PARTS)}
        found = block_sums(_binned(bins), forecast, observed, dims, sizes=sizes)
        return _labelled(found, (np.arange(bins) + 0.5) / bins)
    members = forecast.sizes.get("member", 1)
    limits = np.atleast_1d(checked_thresholds(threshold))
    sizes = {"threshold": limits.size, "share": members + 1, "event": 2}
    shares = block_sums(_shares(limits), forecast, observed, dims, sizes=sizes)
    label = threshold_label(threshold, observed)
    shares = shares.isel(threshold=0) if label.ndim == 0 else shares
    found, middles = _of_shares(shares, members, bins)
    return _labelled(found, middles).assign_coords(threshold=label)


def probability_scores(sums: xr.Dataset) -> xr.Dataset:
    r"""
    Scores of probabilities, from their sums.

    The Brier score $\overline{(p - o)^2}$ of probabilities $p$ and events $o$ is taken
    apart exactly, whatever the bins:

    $$REL - RES + UNC + WITHIN$$

    with the reliability $\sum_k n_k (\bar p_k - \bar o_k)^2 / n$, the resolution
    $\sum_k n_k (\bar o_k - \bar o)^2 / n$, the uncertainty $\bar o (1 - \bar o)$, and
    what varies within the bins, $\sum_k \sum (p - \bar p_k)^2 / n - 2 \sum_k
    \sum (o - \bar o_k)(p - \bar p_k) / n$, which is 0 where each probability has a bin.

    Parameters
    ----------
    sums
        As from `probability_sums`, or several of these merged.

    Returns
    -------
    Dataset
        `brier`, `brier_reliability`, `brier_resolution`, `brier_uncertainty`,
        `brier_within`; `brier_skill`, $1 - BS / UNC$ against the observed frequency;
        `log_score`; `sharpness`, the standard deviation of the probabilities, 0 where
        all are alike; and `base_rate`. NaN where there is no pair.

    References
    ----------
    Murphy, A. H., 1973: A new vector partition of the probability score. *J. Appl.
    Meteor.*, **12**, 595-600,
    <https://doi.org/10.1175/1520-0450(1973)012%3C0595:ANVPOT%3E2.0.CO;2>.

    Stephenson, D. B., C. A. S. Coelho, and I. T. Jolliffe, 2008: Two extra components
    in the Brier score decomposition. *Wea. Forecasting*, **23**, 752-757,
    <https://doi.org/10.1175/2007WAF2006116.1>.

    Examples
    --------
    >>> forecast = xr.DataArray([0.0, 0.5, 0.5, 1.0], dims="x")
    >>> observed = xr.DataArray([0, 0, 1, 1], dims="x")
    >>> scores = probability_scores(probability_sums(forecast, observed, bins=3))
    >>> scores.brier.item(), scores.brier_skill.item()
    (0.125, 0.5)
    """
    n, p, pp, o, po, log = (sums[name].astype(np.float64) for name in PARTS)
    total = n.sum("bin")
    base_rate = ratio(o.sum("bin"), total)
    brier = ratio((pp - 2.0 * po + o).sum("bin"), total)
    uncertainty = base_rate * (1.0 - base_rate)
    mean_p, mean_o = (ratio(part, n).fillna(0.0) for part in (p, o))
    reliability = ratio((n * (mean_p - mean_o) ** 2).sum("bin"), total)
    resolution = ratio((n * (mean_o - base_rate) ** 2).sum("bin"), total)
    within = ratio((pp - n * mean_p**2 - 2.0 * (po - mean_p * o)).sum("bin"), total)
    square = ratio(pp.sum("bin"), total)
    variance = square - ratio(p.sum("bin"), total) ** 2
    # what is left of the difference of two equal sums is rounding alone
    variance = variance.where(~(variance <= 1e-12 * square), 0.0)
    skill = (1.0 - ratio(brier, uncertainty)).where(uncertainty > 0)
    scores = {
        "brier": (brier, "Brier score"),
        "brier_reliability": (reliability, "reliability part of the Brier score"),
        "brier_resolution": (resolution, "resolution part of the Brier score"),
        "brier_uncertainty": (uncertainty, "uncertainty part of the Brier score"),
        "brier_within": (within, "part of the Brier score within the bins"),
        "brier_skill": (skill, "Brier skill score against the observed frequency"),
        "log_score": (ratio(log.sum("bin"), total), "logarithmic score"),
        "sharpness": (variance**0.5, "standard deviation of probabilities"),
        "base_rate": (base_rate, "observed frequency of the event"),
    }
    return xr.Dataset({name: described(*score) for name, score in scores.items()})


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
    forecast, observed, threshold, over
        As in `probability_sums`; missing pairs are not counted.

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
    sums = probability_sums(forecast, observed, threshold=threshold, over=over)
    return probability_scores(sums)["brier"]


def brier_skill(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    threshold: Thresholds | None = None,
    over: Dims = None,
) -> xr.DataArray:
    r"""
    Brier skill score against the observed frequency, $1 - BS / (\bar o (1 - \bar o))$.

    The frequency is that of the sample itself, which no forecast could know.

    Parameters
    ----------
    forecast, observed, threshold, over
        As in `probability_sums`; missing pairs are not counted.

    Returns
    -------
    DataArray
        Best 1; NaN where the event occurred always or never [1].

    Examples
    --------
    >>> forecast = xr.DataArray([0.0, 0.5, 0.5, 1.0], dims="x")
    >>> brier_skill(forecast, xr.DataArray([0, 0, 1, 1], dims="x")).item()
    0.5
    """
    sums = probability_sums(forecast, observed, threshold=threshold, over=over)
    return probability_scores(sums)["brier_skill"]


def log_score(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    threshold: Thresholds | None = None,
    over: Dims = None,
) -> xr.DataArray:
    r"""
    Logarithmic score, $-\overline{\ln p}$ of the probability $p$ of what happened.

    Parameters
    ----------
    forecast, observed, threshold, over
        As in `probability_sums`; missing pairs are not counted. Of an ensemble, the
        probability is not $k / M$ of $k$ members but $(k + 1/2) / (M + 1)$: that none
        of them has the event does not mean that it cannot be. With a threshold, one
        forecast is an ensemble of one, and its probabilities are 1/4 and 3/4.

    Returns
    -------
    DataArray
        From 0, best 0 [1]; infinite where something happened whose forecast
        probability was 0, NaN where there is no pair.

    Examples
    --------
    >>> forecast = xr.DataArray([0.5, 1.0], dims="x")
    >>> log_score(forecast, xr.DataArray([1, 1], dims="x")).round(3).item()
    0.347
    """
    sums = probability_sums(forecast, observed, threshold=threshold, over=over)
    return probability_scores(sums)["log_score"]


def check_probabilities(p: Bare, o: Bare) -> None:
    """
    Refuse what is no probability, or no event; NaN is missing.

    Examples
    --------
    >>> check_probabilities(np.array([1.5]), np.array([1]))
    Traceback (most recent call last):
    ValueError: without a threshold the forecast is a probability in 0 to 1, but got 1.5
    to 1.5; pass a threshold for values
    """
    if ((p < 0) | (p > 1)).any():
        raise ValueError(
            "without a threshold the forecast is a probability in 0 to 1, but got "
            f"{np.nanmin(p):g} to {np.nanmax(p):g}; pass a threshold for values"
        )
    if ((o != 0) & (o != 1) & ~np.isnan(o)).any():
        raise ValueError(
            "without a threshold the observations are 1 for an event and 0 for none, "
            f"but got {np.nanmin(o):g} to {np.nanmax(o):g}; pass a threshold, or "
            "use Hazard.occurs"
        )


def _binned(bins: int) -> Sums:
    """Sums of probabilities and events of a block, by bin."""

    def block(f: Bare, o: Bare) -> Bare:
        check_probabilities(f, o)
        rows, valid = o.shape[1], ~(np.isnan(f[0]) | np.isnan(o))
        p, event = f[0][valid].astype(np.float64), o[valid].astype(np.float64)
        # 0.7 in float32 is less than 7 tenths: it still belongs in the upper bin
        number = np.minimum((p * bins + 1e-6).astype(np.intp), bins - 1)
        number += bins * np.broadcast_to(np.arange(rows), o.shape)[valid]
        with np.errstate(divide="ignore"):
            log = -np.log(np.where(event > 0, p, 1.0 - p))
        weights = (None, p, p * p, event, p * event, log)
        sums = [np.bincount(number, weight, rows * bins) for weight in weights]
        return np.stack(sums, axis=-1).reshape(rows, bins, len(weights))

    return block


def _shares(limits: npt.NDArray[np.float64]) -> Sums:
    """Pairs of a block by the number of members that reach a limit, and by event."""

    def block(f: Bare, o: Bare) -> Bare:
        cells, rows = 2 * (len(f) + 1), o.shape[1]
        valid = None
        if np.isnan(f.min(initial=0)) or np.isnan(o.min(initial=0)):
            valid = ~(np.isnan(f).any(0) | np.isnan(o))
        counts = np.empty((rows, limits.size, cells))
        for number, share in enumerate(reaching(f, limits)):
            cell = 2 * share.astype(np.intp) + reaches(o, limits[number])
            if rows > 1:
                cell += cells * np.arange(rows)
            found = np.bincount(
                cell.ravel() if valid is None else cell[valid], minlength=rows * cells
            )
            counts[:, number] = found.reshape(rows, cells)
        return counts.reshape(rows, limits.size, cells // 2, 2)

    return block


def _of_shares(
    shares: xr.DataArray, members: int, bins: int | None
) -> tuple[xr.DataArray, Bare]:
    """The sums by bin, and the middles of the bins."""
    k = np.arange(members + 1)
    p = k / members
    if bins is None:
        number, middles = k, p
    else:
        number = np.minimum((p * bins + 1e-6).astype(np.intp), bins - 1)
        middles = (np.arange(bins) + 0.5) / bins
    into = xr.DataArray(
        number == np.arange(middles.size)[:, None], dims=("bin", "share")
    )
    occurred, none = shares.isel(event=1), shares.isel(event=0)
    n, chance = occurred + none, xr.DataArray(p, dims="share")
    # not 0 where no member has it, nor 1 where all have
    refined = xr.DataArray((k + 0.5) / (members + 1.0), dims="share")
    log = -occurred * np.log(refined) - none * np.log(1.0 - refined)
    parts = (n, n * chance, n * chance**2, occurred, occurred * chance, log)
    sums = xr.concat(parts, "part", coords="minimal", compat="override")
    return xr.dot(sums, into.astype(np.float64), dim="share"), middles


def _labelled(found: xr.DataArray, middles: Bare) -> xr.Dataset:
    state = xr.Dataset()
    for part, (name, long_name) in enumerate(PARTS.items()):
        value = found.isel(part=part, drop=True).transpose(..., "bin")
        if name in ("count", "event_sum"):
            value = value.round().astype(np.int64)
        state[name] = described(value, long_name)
    what = {"long_name": "middle of the bin of forecast probabilities", "units": "1"}
    return state.assign_coords(bin=xr.DataArray(middles, dims="bin", attrs=what))
