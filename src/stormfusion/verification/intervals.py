"""Intervals of every score of many cases at once."""

from collections.abc import Callable

import numpy as np
import xarray as xr

from stormfusion.verification.distributions import percentiles
from stormfusion.verification.goals import GOALS, opponents
from stormfusion.verification.pairs import described
from stormfusion.verification.resampling import (
    Cases,
    check_numbers,
    checked_block,
    resampled,
    wins,
)


def intervals(
    states: xr.Dataset,
    scores: Callable[[xr.Dataset], xr.Dataset],
    *,
    level: float = 0.9,
    against: str | None = None,
    block: int | None = None,
    samples: int = 1000,
    seed: int = 0,
) -> xr.Dataset:
    """
    The ends of the interval of each score that has a goal; see `bootstrap`.

    All scores see the same draws of cases.

    Parameters
    ----------
    states
        Sums of single cases along `case`, and maybe with a coordinate `event`.
    scores
        What makes scores of the sums of all cases, by name.
    level, block, samples, seed
        As in `bootstrap`.
    against
        Which of the forecasts to compare the others with, if any.

    Returns
    -------
    Dataset
        For each score in `GOALS` of the scores `<score>_lower` and `<score>_upper`,
        and with `against` `<score>_better`, the share of samples in which a forecast
        has a better score than that one; NaN for itself.

    Examples
    --------
    >>> states = xr.Dataset({"crps_sum": ("case", np.arange(40.0))})
    >>> states["crps_pairs"] = xr.ones_like(states.crps_sum)
    >>> mean = lambda sums: xr.Dataset({"crps": sums.crps_sum / sums.crps_pairs})
    >>> found = intervals(states, mean)
    >>> bool(found.crps_lower < 19.5 < found.crps_upper)
    True
    """
    check_numbers(samples, level)
    if against is not None:
        opponents(states, against)
    cases = Cases.of(states, "case")
    length = checked_block(block, cases)
    drawn: dict[str, list[xr.DataArray]] = {}
    for sums in resampled(cases, length, samples, seed):
        for name, score in scores(sums).items():
            if name in GOALS:
                drawn.setdefault(str(name), []).append(score.astype(np.float32))
    found = xr.Dataset()
    ends = np.array([(1 - level) / 2, (1 + level) / 2])
    for name, parts in drawn.items():
        each = xr.concat(parts, "sample", coords="minimal", compat="override")
        each = each.transpose("sample", ...)
        lower, upper = percentiles(each.values.astype(np.float64), ends)
        like, units = each.isel(sample=0, drop=True), parts[0].attrs.get("units")
        told = str(parts[0].attrs.get("long_name", name))
        for end, values in (("lower", lower), ("upper", upper)):
            words = f"{end} end of the {100 * level:g} % interval of the {told}"
            found[f"{name}_{end}"] = described(like.copy(data=values), words, units)
        if against is not None:
            others = opponents(like, against)
            better = wins(GOALS[name].cost(each), others, against)
            better = better.reindex(forecast=like["forecast"]).transpose(*like.dims)
            words = f"share of samples in which the {told} is better than of {against}"
            found[f"{name}_better"] = described(better, words)
    return found.assign_attrs(
        interval_level=level,
        interval_samples=samples,
        interval_seed=seed,
        interval_comment=(
            f"percentiles of samples drawn in blocks of {length} {cases.what}, of "
            f"{cases.number}; a sample in which a score is undefined is left out"
        ),
    )
