"""Yes or no: hits, misses, false alarms, correct negatives, and scores of them."""

from collections.abc import Callable

import numpy as np
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


def contingency(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    threshold: Thresholds,
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
    dims = summed(observed, over)
    valid = forecast.notnull() & observed.notnull()
    n = valid.sum(dims)

    def table(t: float) -> xr.Dataset:
        f, o = exceeds(forecast, t) & valid, exceeds(observed, t) & valid
        hits, forecast_yes, observed_yes = ((f & o).sum(dims), f.sum(dims), o.sum(dims))
        counts = {
            "hits": hits,
            "misses": observed_yes - hits,
            "false_alarms": forecast_yes - hits,
            "correct_negatives": n - forecast_yes - observed_yes + hits,
        }
        return xr.Dataset(
            {
                name: described(count.astype(np.int64), name.replace("_", " "))
                for name, count in counts.items()
            }
        )

    return per_threshold(table, threshold, observed)


Formula = Callable[
    [xr.DataArray, xr.DataArray, xr.DataArray, xr.DataArray], xr.DataArray
]


def _ets(
    h: xr.DataArray, m: xr.DataArray, f: xr.DataArray, r: xr.DataArray
) -> xr.DataArray:
    h_r = ratio((h + m) * (h + f), h + m + f + r)
    return ratio(h - h_r, h + m + f - h_r)


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
    names = ("hits", "misses", "false_alarms", "correct_negatives")
    h, m, f, r = (counts[name].astype(np.float64) for name in names)
    return xr.Dataset(
        {
            name: described(formula(h, m, f, r), long_name)
            for name, (long_name, formula) in CATEGORICAL.items()
        }
    )
