"""Is it better, or was it luck: intervals of scores by drawing cases anew."""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from stormfusion.verification.distributions import percentiles
from stormfusion.verification.goals import GOALS, Goal, opponents
from stormfusion.verification.pairs import described, ratio
from stormfusion.verification.states import check_state

Bare = npt.NDArray[Any]
Score: TypeAlias = Callable[[xr.Dataset], xr.DataArray | xr.Dataset]

NUMBERS = 2**22
"""Numbers of resampled sums that are held at a time."""
FEW = 10
"""Blocks, below which an interval is not to be trusted."""


def bootstrap(
    states: xr.Dataset,
    score: Score,
    *,
    dim: str = "case",
    block: int | None = None,
    samples: int = 1000,
    level: float = 0.9,
    seed: int = 0,
    against: str | None = None,
    goal: str | Goal | None = None,
) -> xr.Dataset:
    r"""
    The interval of a score, or of the difference to that of another forecast.

    Cases are drawn anew, with replacement; their sums are added and scored; the
    interval holds the middle of the scores of many such samples (percentiles). Cases
    that follow each other are alike, so they are drawn in blocks of neighbours (Kuensch
    1989): case by case, intervals would be too narrow. The blocks go round from the
    last case to the first (Politis and Romano 1992), so that each is drawn as often.

    Where `states` have a coordinate `event` along `dim`, an event is drawn whole, with
    all its cases, and blocks are of neighbouring events, in the order of their first
    cases.

    Parameters
    ----------
    states
        Sums of single cases along `dim`, in the order of time: states such as those of
        `contingency`, `error_sums` or `fss_sums`, joined by `xr.concat`. A case without
        a pair has zeros. Those on Dask are computed.
    score
        What makes scores of the sums of all cases, such as `categorical_scores`,
        `fss_score` or `lambda sums: categorical_scores(sums).csi`. It is called with
        many samples at once, along a dimension `sample` that it must keep.
    dim
        The dimension of cases.
    block
        Cases, or events, of a block. By default $n^{1/3}$ of $n$, rounded, the order of
        growth that is best for variances (Hall et al. 1995); take more where cases
        overlap, such as the windows of one storm.
    samples
        How many to draw.
    level
        Share of the samples in the interval.
    seed
        Of the draws.
    against
        Which of the forecasts along the dimension `forecast` to compare the others
        with. All see the same draws, so that what is hard for all cancels out (Hamill
        1999, Gilleland 2020).
    goal
        With `against`, which way is better: a name in `GOALS`, or a `Goal`. By default
        that of the name of the score, or of the function: `crps_score` has `crps`.

    Returns
    -------
    Dataset
        `estimate`, the score of all cases; `lower` and `upper`, the ends of the
        interval; and `undefined`, the number of samples in which the score is NaN, as
        where no event was drawn: they are left out, so the interval is that of samples
        in which there is something to score. With `against` these are of the score less
        that of the baseline, and `better` is the share of samples in which it is the
        better one, a tie counting half; NaN where no goal is known. Of a Dataset of
        scores all of this is along a dimension `score`, with their `units`.

    Warns
    -----
    UserWarning
        If there are fewer than 10 blocks: such intervals are too narrow.

    References
    ----------
    Gilleland, E., 2020: Bootstrap methods for statistical inference. Part I:
    Comparative forecast verification for continuous variables. *J. Atmos. Oceanic
    Technol.*, **37**, 2117-2134, <https://doi.org/10.1175/JTECH-D-20-0069.1>.

    Hall, P., J. L. Horowitz, and B.-Y. Jing, 1995: On blocking rules for the bootstrap
    with dependent data. *Biometrika*, **82**, 561-574,
    <https://doi.org/10.1093/biomet/82.3.561>.

    Hamill, T. M., 1999: Hypothesis tests for evaluating numerical precipitation
    forecasts. *Wea. Forecasting*, **14**, 155-167,
    <https://doi.org/10.1175/1520-0434(1999)014%3C0155:HTFENP%3E2.0.CO;2>.

    Kuensch, H. R., 1989: The jackknife and the bootstrap for general stationary
    observations. *Ann. Statist.*, **17**, 1217-1241,
    <https://doi.org/10.1214/aos/1176347265>.

    Politis, D. N., and J. P. Romano, 1992: A circular block-resampling procedure for
    stationary data. *Exploring the Limits of Bootstrap*, R. LePage and L. Billard,
    Eds., Wiley, 263-270.

    Examples
    --------
    >>> from stormfusion.verification import contingency, categorical_scores
    >>> rain = np.arange(400.0).reshape(40, 10) % 7
    >>> observed = xr.DataArray(rain, dims=("case", "x"))
    >>> forecasts = {"net": observed.roll(x=1), "persistence": observed.roll(x=3)}
    >>> tables = [
    ...     contingency(forecast, observed, threshold=4, over="x")
    ...     for forecast in forecasts.values()
    ... ]
    >>> states = xr.concat(tables, "forecast").assign_coords(forecast=list(forecasts))
    >>> csi = lambda sums: categorical_scores(sums).csi
    >>> found = bootstrap(states, csi, against="persistence").sel(forecast="net")
    >>> found.estimate.round(2).item(), found.better.item()
    (0.28, 1.0)
    >>> bool(found.lower < found.estimate < found.upper)
    True
    """
    check_numbers(samples, level)
    cases = Cases.of(states, dim)
    length = checked_block(block, cases)
    estimate = _scored(score, cases.total)
    parts = [
        _scored(score, sums, drawn=True)
        for sums in resampled(cases, length, samples, seed)
    ]
    drawn = xr.concat(parts, "sample", coords="minimal", compat="override")
    name = str(estimate.attrs.get("long_name", estimate.name or "score"))
    units = estimate.attrs.get("units")
    found = {}
    if against is not None:
        others = opponents(estimate, against)
        costs = _costs(drawn, _goals(goal, estimate, score))
        better = wins(costs, others, against)
        found["better"] = described(better, f"share of samples better than {against}")
        estimate, drawn = (_less(a, others, against) for a in (estimate, drawn))
        name = f"{name} less that of {against}"
    drawn = drawn.transpose("sample", *estimate.dims)
    ends = percentiles(drawn.values, np.array([(1 - level) / 2, (1 + level) / 2]))
    undefined = drawn.isnull().sum("sample").astype(np.int64)
    found = {
        "estimate": described(estimate, name, units),
        "lower": estimate.copy(data=ends[0]),
        "upper": estimate.copy(data=ends[1]),
        "undefined": described(undefined, "samples in which the score is undefined"),
    } | found
    for end in ("lower", "upper"):
        words = f"{end} end of the {100 * level:g} % interval of the {name}"
        found[end] = described(found[end], words, units)
    result = xr.Dataset(found)
    comment = (
        f"percentiles of samples drawn in blocks of {length} {cases.what}, "
        f"of {cases.number}; a sample in which the score is undefined is left out"
    )
    told = {"level": level, "samples": samples, "seed": seed, "block": length}
    return result.assign_attrs(told | {"comment": comment})


@dataclass(frozen=True)
class Cases:
    """Sums of what is drawn: in rows of numbers, and all of them together."""

    rows: dict[str, Bare]
    total: xr.Dataset
    number: int
    what: str

    @classmethod
    def of(cls, states: xr.Dataset, dim: str) -> Self:
        """Check the states, and add those of an event."""
        if not isinstance(states, xr.Dataset):
            raise TypeError(
                f"states is a {type(states).__name__}, not a Dataset; pass sums of "
                "single cases, such as from contingency, joined by xr.concat"
            )
        check_state(states)
        if dim not in states.dims or "sample" in states.dims:
            raise ValueError(
                f"states have the dimensions {tuple(map(str, states.dims))}; join "
                f"those of single cases with xr.concat(states, {dim!r}), and let none "
                "be 'sample', which is that of the draws"
            )
        if stray := [str(name) for name in states if dim not in states[name].dims]:
            raise ValueError(
                f"{stray} have no dimension {dim!r}; give the sums of every case, or "
                "drop them with .drop_vars"
            )
        states = states.transpose(dim, ...).compute()
        what = "cases"
        if "event" in states.coords and states["event"].dims == (dim,):
            states, what = _events(states, dim), "events"
        number = states.sizes[dim]
        if number < 2:
            raise ValueError(
                f"an interval needs 2 or more {what}, but got {number}; score more"
            )
        wide: dict[str, Any] = {}
        for name, sums in states.items():
            if sums.dtype.kind not in "biuf" or bool(sums.isnull().any()):
                raise ValueError(
                    f"states hold {str(name)!r} with missing values, or no numbers; "
                    "give sums, such as from contingency or error_sums, which are 0 "
                    "where there is nothing to count, and not scores"
                )
            wide[str(name)] = sums.astype(float if sums.dtype.kind == "f" else int)
        total = states.assign(wide).sum(dim, keep_attrs=True)
        rows = {
            name: sums.values.reshape(number, -1).astype(np.float64)
            for name, sums in wide.items()
        }
        return cls(rows, total, number, what)


def _events(states: xr.Dataset, dim: str) -> xr.Dataset:
    """The sums of each event, in the order of their first cases."""
    places, labels = pd.factorize(states["event"].values)
    if (places < 0).any():
        raise ValueError(
            "the event of some cases is missing; name it, or drop the coordinate with "
            ".drop_vars('event') to draw single cases"
        )
    bare = states.drop_vars([n for n, c in states.coords.items() if dim in c.dims])
    added = {}
    for name, sums in bare.items():
        dtype = np.float64 if sums.dtype.kind == "f" else np.int64
        values = np.zeros((len(labels), *sums.shape[1:]), dtype)
        np.add.at(values, places, sums.values)
        added[name] = (sums.dims, values, sums.attrs)
    rest = bare.drop_vars(list(bare.data_vars))
    return rest.assign(added)


def resampled(
    cases: Cases, length: int, samples: int, seed: int
) -> Iterator[xr.Dataset]:
    """Sums of samples along `sample`, some at a time: counts of cases times sums."""
    n = cases.number
    wide = sum(rows.shape[1] for rows in cases.rows.values())
    batch = max(1, NUMBERS // max(wide, n))
    generator = np.random.default_rng(seed)
    for first in range(0, samples, batch):
        some = min(batch, samples - first)
        starts = generator.random((some, -(-n // length)))
        starts = (starts * n).astype(np.int64)
        places = (starts[..., None] + np.arange(length)).reshape(some, -1)[:, :n] % n
        cells = places + n * np.arange(some)[:, None]
        counts = np.bincount(cells.ravel(), minlength=some * n).reshape(some, n)
        weights = counts.astype(np.float64)
        sums = {}
        for name, rows in cases.rows.items():
            like = cases.total[name]
            values = (weights @ rows).reshape(some, *like.shape).astype(like.dtype)
            sums[name] = (("sample", *like.dims), values, like.attrs)
        yield cases.total.assign(sums)


def _scored(score: Score, sums: xr.Dataset, *, drawn: bool = False) -> xr.DataArray:
    """What a function makes of sums; several scores along the dimension `score`."""
    found = score(sums)
    if not isinstance(found, xr.Dataset | xr.DataArray):
        raise TypeError(
            f"score gives a {type(found).__name__}, not a DataArray or Dataset; let it "
            "work on labelled sums, such as lambda sums: categorical_scores(sums).csi"
        )
    one = isinstance(found, xr.DataArray)
    arrays = [found] if one else list(found.data_vars.values())
    if drawn and any("sample" not in array.dims for array in arrays):
        raise ValueError(
            "score gives no dimension 'sample'; let it keep all dimensions of the sums "
            "that it does not name, for it is called with many samples at once"
        )
    if isinstance(found, xr.DataArray):
        return found.astype(np.float64)
    units = [array.attrs.get("units", "") for array in arrays]
    joined = found.to_dataarray("score").astype(np.float64).rename(None)
    joined.attrs = {"long_name": "score"}
    return joined.assign_coords(units=("score", units))


def _goals(
    goal: str | Goal | None, estimate: xr.DataArray, score: Score
) -> list[Goal | None]:
    """Which way is better: of one score, or of each along `score`."""
    if isinstance(goal, Goal):
        return [goal]
    if goal is not None:
        names = [goal]
    elif "score" in estimate.dims:
        names = estimate["score"].values.tolist()
    else:
        function = str(getattr(score, "__name__", "score"))
        names = [str(estimate.name or function.removesuffix("_score"))]
    goals = [GOALS.get(name) for name in names]
    if not any(goals):
        raise ValueError(
            f"it is not known which way is better of {names}; pass goal, such as "
            f"'csi' or Goal(0.0, 'lower') (known: {', '.join(GOALS)})"
        )
    return goals


def _costs(drawn: xr.DataArray, goals: list[Goal | None]) -> xr.DataArray:
    if "score" not in drawn.dims or len(goals) == 1:
        (goal,) = goals
        return drawn if goal is None else goal.cost(drawn)
    each = [drawn.isel(score=[i]) for i in range(len(goals))]
    costs = [
        one * np.nan if goal is None else goal.cost(one)
        for one, goal in zip(each, goals, strict=True)
    ]
    return xr.concat(costs, "score")


def wins(costs: xr.DataArray, others: list[str], against: str) -> xr.DataArray:
    """Share of samples in which each of the others costs less; a tie counts half."""
    ours = costs.sel(forecast=others)
    theirs = costs.sel(forecast=against, drop=True)
    share = (ours < theirs) + 0.5 * (ours == theirs)
    known = ours.notnull() & theirs.notnull()
    return ratio(share.where(known, 0.0).sum("sample"), known.sum("sample"))


def _less(array: xr.DataArray, others: list[str], against: str) -> xr.DataArray:
    with np.errstate(invalid="ignore"):
        return array.sel(forecast=others) - array.sel(forecast=against, drop=True)


def checked_block(block: int | None, cases: Cases) -> int:
    """How many cases to draw in a row; warns where there are few blocks of these."""
    n, what = cases.number, cases.what
    whole = isinstance(block, int | np.integer) and not isinstance(block, bool)
    if block is not None and not (whole and 1 <= block <= n // 2):
        raise ValueError(
            f"block is {block!r}; give a whole number of {what}, 1 to {n // 2}, which "
            f"is half of the {n} there are"
        )
    length = round(n ** (1 / 3)) if block is None else int(block)
    if n // length < FEW:
        warnings.warn(
            f"{n} {what} make {n // length} blocks of {length}: with fewer than {FEW} "
            f"the interval is too narrow; score more {what}",
            UserWarning,
            stacklevel=3,
        )
    return length


def check_numbers(samples: int, level: float) -> None:
    """Whether there are samples beyond both ends of the interval."""
    if not 0 < level < 1:
        raise ValueError(f"level is {level!r}; give a share, such as 0.9")
    whole = isinstance(samples, int | np.integer) and not isinstance(samples, bool)
    least = int(np.ceil(2 / (1 - level) - 1e-9))
    if not whole or samples < least:
        raise ValueError(
            f"samples is {samples!r}; a level of {level:g} needs {least} or more, one "
            "beyond each end"
        )
