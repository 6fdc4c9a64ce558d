"""Everything that can be said of a forecast, in one dataset."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import TypeAlias, TypeVar

import numpy as np
import xarray as xr

from stormfusion.losses import Loss
from stormfusion.verification.diagrams import reliability_scores, roc_scores
from stormfusion.verification.everything import grains
from stormfusion.verification.granularity import granularity_score
from stormfusion.verification.pairs import check_array, complete, pair, unitless
from stormfusion.verification.probability import (
    PARTS,
    probability_scores,
    probability_sums,
)
from stormfusion.verification.protocols import (
    Protocol,
    protocol_scores,
    protocol_sums,
)
from stormfusion.verification.spatial import (
    checked_scales,
    fss_score,
    fss_sums,
    skillful_scale,
    useful_fss,
)
from stormfusion.verification.states import merge
from stormfusion.verification.tally import Tally

Forecast: TypeAlias = xr.DataArray | Mapping[str, xr.DataArray]


def verify(
    forecast: Forecast | Iterable[Forecast],
    observed: xr.DataArray | Iterable[xr.DataArray],
    *,
    variable: str | None = None,
    thresholds: Sequence[float] | None = None,
    scales: Sequence[int] = (1, 5, 17),
    bins: int = 10,
    distances: Sequence[Loss] | None = None,
    probability: bool = False,
    protocol: str | Protocol | None = None,
    interval: float | None = None,
    against: str | None = None,
) -> xr.Dataset:
    """
    Score a forecast by everything that suits it.

    Parameters
    ----------
    forecast
        One forecast, such as `(lead, y, x)`; an ensemble, along `member` besides;
        probabilities of an event, with `probability=True`; several of these by name,
        which are scored on the same pairs. Or an iterable of any of these, one for
        each case, of which one is in memory at a time.
    observed
        What came, on the grid of the forecast; for probabilities 1 for an event and 0
        for none. Or an iterable of these, as many as there are cases. Missing pairs are
        not counted.
    variable
        What is scored, such as `"rain_rate"`; the name of `observed` if not given. One
        of the house has its usual thresholds, and units are converted.
    thresholds
        Of events, `value >= threshold`, in the units of the variable.
    scales
        Widths of the windows of the fractions skill score [pixels], odd.
    bins
        Bins of the reliability diagram.
    distances
        Losses that compare whole maps, each a score under its name. By default the
        perceptual distance, where the encoder of the library knows the variable; none
        with `distances=()`, which is faster.
    probability
        Whether the forecast is one of probabilities.
    protocol
        One of `PROTOCOLS`, or its name: then the scores are those of that protocol
        alone, of VIL, and the other arguments do not matter.
    interval
        Level of the interval of each score over the cases, such as 0.9: those of
        iterables, in the order of time. Cases whose observations have the same scalar
        coordinate `event` are drawn together. For scores of probabilities and of
        protocols see `bootstrap`.
    against
        With `interval`, the forecast that the others are compared with in each draw.

    Returns
    -------
    Dataset
        Scores as from `Tally.dataset`, by `forecast` if there are several, by lead,
        threshold and scale; of probabilities the Brier score with its parts, the
        reliability diagram, the ROC area, the fractions skill score and `granularity`;
        or the scores of the protocol. With `interval` also `<score>_lower` and
        `<score>_upper`, and with `against` `<score>_better`; see `Tally.dataset`.

    Raises
    ------
    ValueError
        If the thresholds of the variable are not known, iterables differ in length,
        there is no case, or only one for an interval.
    GridMismatchError
        If a forecast does not lie on the grid of its observations.

    Examples
    --------
    >>> import numpy as np
    >>> observed = xr.DataArray(np.eye(32), dims=("y", "x"), name="rain_rate")
    >>> scores = verify(observed.roll(x=1), observed, thresholds=[0.5], scales=[1, 5])
    >>> scores.csi.item(), scores.fss.round(2).values.tolist()
    (0.0, [[0.0, 0.94]])
    """
    if isinstance(forecast, np.ndarray) or isinstance(observed, np.ndarray):
        raise TypeError(
            "got a NumPy array, whose dimensions have no names; give both as "
            "xr.DataArray(values, dims=('lead', 'y', 'x')), an ensemble with 'member'"
        )
    cases = _cases(forecast, observed)
    if interval is not None and (probability or protocol is not None):
        raise ValueError(
            "intervals of scores of probabilities and of protocols are not made by "
            "verify; join the sums of the cases and pass them to bootstrap, such as "
            "bootstrap(xr.concat(sums, 'case'), probability_scores)"
        )
    if against is not None and interval is None:
        raise ValueError(
            f"against is {against!r}, but no interval is asked for; pass interval=0.9"
        )
    if protocol is not None:
        return _by_protocol(cases, protocol)
    if probability:
        return _of_probabilities(cases, checked_scales(scales), bins)
    tally: Tally | None = None
    single = False
    for ours, theirs in cases:
        single = isinstance(ours, xr.DataArray)
        given = {"forecast": ours} if isinstance(ours, xr.DataArray) else ours
        if tally is None:
            name = theirs.name if variable is None else variable
            tally = Tally(
                str(name),
                thresholds=thresholds,
                scales=scales,
                bins=bins,
                distances=distances,
                by_case=interval is not None,
            )
        tally.add(given, theirs)
    scores = _some(tally).dataset(interval=interval, against=against)
    return scores.isel(forecast=0, drop=True) if single else scores


Cases: TypeAlias = Iterable[tuple[Forecast, xr.DataArray]]


def _cases(
    forecast: Forecast | Iterable[Forecast],
    observed: xr.DataArray | Iterable[xr.DataArray],
) -> Cases:
    if isinstance(observed, xr.DataArray):
        if not isinstance(forecast, xr.DataArray | Mapping):
            raise TypeError(
                f"forecast is a {type(forecast).__name__} and observed one DataArray; "
                "give one variable of a dataset, such as dataset['vil'], forecasts by "
                "name, or as many observations as there are cases"
            )
        return [(forecast, observed)]
    if isinstance(forecast, xr.DataArray | Mapping):
        raise TypeError(
            f"forecast is of one case and observed a {type(observed).__name__}; give "
            "both as one case, or both as iterables of cases"
        )
    return _zipped(forecast, observed)


def _zipped(
    forecast: Iterable[Forecast], observed: Iterable[xr.DataArray]
) -> Iterator[tuple[Forecast, xr.DataArray]]:
    """One of each at a time."""
    for number, (ours, theirs) in enumerate(zip_longest(forecast, observed)):
        if ours is None or theirs is None:
            short = "forecasts" if ours is None else "observations"
            raise ValueError(
                f"the {short} end after {number} cases and the others go on; give as "
                "many of both"
            )
        check_array(theirs, "observed")
        if not isinstance(ours, Mapping):
            check_array(ours, "forecast")
        yield ours, theirs


def _by_protocol(cases: Cases, protocol: str | Protocol) -> xr.Dataset:
    total: dict[str, xr.Dataset] = {}
    for ours, theirs in cases:
        given = {"": ours} if isinstance(ours, xr.DataArray) else ours
        known = _known_to_all(given, theirs)
        for name, forecast in given.items():
            sums = protocol_sums(forecast, known, protocol=protocol)
            total[name] = merge(total[name], sums) if name in total else sums
    scores = [protocol_scores(s, protocol=protocol) for s in _some(total).values()]
    if list(total) == [""]:
        return scores[0]
    joined = xr.concat(scores, "forecast", combine_attrs="override")
    return joined.assign_coords(forecast=list(total))


def _of_probabilities(cases: Cases, scales: list[int], bins: int) -> xr.Dataset:
    total: dict[str, xr.Dataset] = {}
    for ours, theirs in cases:
        given = {"": ours} if isinstance(ours, xr.DataArray) else ours
        given = {name: unitless(forecast) for name, forecast in given.items()}
        known = _known_to_all(given, unitless(theirs))
        for name, forecast in given.items():
            parts = [probability_sums(forecast, known, bins=bins)]
            if {"y", "x"} <= set(known.dims):
                parts.append(fss_sums(forecast, known, scale=scales))
                parts += grains(forecast, known)
            sums = xr.merge(parts, combine_attrs="drop_conflicts")
            total[name] = merge(total[name], sums) if name in total else sums
    found = []
    for sums in _some(total).values():
        scores = probability_scores(sums)
        pooled = sums[list(PARTS)]
        if "lead" in pooled.dims:
            pooled = pooled.sum("lead")
        scores = scores.drop_vars("base_rate").assign(reliability_scores(pooled))
        scores["roc_area"] = roc_scores(sums)["roc_area"]
        if "fss_numerator" in sums:
            scores["fss"], scores["fss_useful"] = fss_score(sums), useful_fss(sums)
            scores["granularity"] = granularity_score(sums)
            if len(scales) > 1:
                scores["skillful_scale"] = skillful_scale(sums)
        found.append(scores)
    if list(total) == [""]:
        return found[0]
    return xr.concat(found, "forecast").assign_coords(forecast=list(total))


def _known_to_all(
    given: Mapping[str, xr.DataArray], observed: xr.DataArray
) -> xr.DataArray:
    """Observations, missing wherever one of the forecasts is: all have equal pairs."""
    for forecast in given.values():
        bare, _ = pair(forecast, observed, members=True)
        known = complete(bare)
        observed = observed.where(known.values if known.chunks is None else known.data)
    return observed


Found = TypeVar("Found", Tally, dict[str, xr.Dataset])


def _some(found: Found | None) -> Found:
    """What was found, if there was a case."""
    if not found:
        raise ValueError("there is no case to score; give one or more")
    return found
