"""Calibrated members: by their quantiles, lead by lead, and by their spread."""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from stormfusion.calibration.cases import Sample
from stormfusion.data.scaling import Linear, VilCode, scaling_for
from stormfusion.footprint import Histogram
from stormfusion.verification.probabilistic import crps_of_pairs

STRENGTHS = (0.0, 0.5, 1.0)
"""Shares of the way to the quantiles observed that are tried."""
SPREADS = (0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.4, 1.6, 1.8, 2.0)
"""Factors of the spread that are tried."""
FEWEST = 50
"""Values that must reach a level, in forecasts and observations, to tell of it."""

Values = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class MemberMap:
    r"""
    What is done to members, in network numbers and lead by lead.

    A number $q$ becomes $q + s\, (G^{-1}(F(q)) - q)$, with the distribution $F$ of what
    members had and $G$ of what came, and then $m + a\, (q - m)$, with the mean $m$ of
    the members at the pixel. Dry stays dry. The strength $s$ and the spread $a$ of each
    lead are those of the lowest CRPS, with $s = 0$ and $a = 1$ among them.

    Parameters
    ----------
    variable
        Of the members.
    table
        $G^{-1}(F(q))$ by lead, at the numbers of `Histogram`.
    strength, spread
        By lead.
    """

    variable: str
    table: NDArray[np.float64]
    strength: NDArray[np.float64]
    spread: NDArray[np.float64]

    @property
    def spreads(self) -> bool:
        """Whether it needs the mean of the members."""
        return bool((self.spread != 1.0).any())

    @property
    def identity(self) -> bool:
        """Whether it changes nothing."""
        return not self.spreads and not self.strength.any()

    def numbers(self, member: Values) -> Values:
        """Network numbers of members, the first dimension the lead."""
        found = np.asarray(scaling_for(self.variable).normalize(member))
        levels = _levels(self.variable)
        for lead, share in enumerate(self.strength):
            if not share:
                continue
            one = found[lead]
            there = self._moves(one)
            told = one[there]
            goal = np.interp(told, levels, self.table[lead])
            # beyond the table as far off as at its end
            goal += np.maximum(told - levels[-1], 0.0)
            one[there] = told + share * (goal - told)
        return found

    def values(self, numbers: Values, mean: Values | None) -> Values:
        """Members of their numbers, which change, and of the mean of all of them."""
        if self.spreads:
            assert mean is not None
            for lead, factor in enumerate(self.spread):
                if factor == 1.0:
                    continue
                one, there = numbers[lead], self._moves(numbers[lead])
                middle = mean[lead][there]
                one[there] = middle + factor * (one[there] - middle)
        if self._dries:
            np.maximum(numbers, 0.0, out=numbers)
        scaling = scaling_for(self.variable)
        if isinstance(scaling, VilCode):
            numbers = np.rint(255.0 * numbers) / np.float32(255.0)
        return np.asarray(scaling.denormalize(numbers), dtype=np.float32)

    @property
    def _dries(self) -> bool:
        return not isinstance(scaling_for(self.variable), Linear)

    def _moves(self, numbers: Values) -> NDArray[np.bool_]:
        """What is changed: what is wet, of a variable that can be dry."""
        return numbers > 0 if self._dries else ~np.isnan(numbers)


def fit_members(sample: Sample, variable: str) -> MemberMap:
    """The map of the lowest CRPS over some pixels, lead by lead."""
    leads = len(sample.observed)
    plain = _plain(leads, variable)
    made = replace(plain, table=_table(sample, variable))
    best, lowest = plain, scored(sample, plain)
    for strength in STRENGTHS[1:]:
        tried = replace(made, strength=np.full(leads, strength))
        best, lowest = _better(best, lowest, tried, scored(sample, tried))
    kept = replace(best, table=made.table)
    numbers = kept.numbers(sample.members)
    mean = _mean(numbers)
    for factor in SPREADS:
        tried = replace(kept, spread=np.full(leads, factor))
        members = tried.values(numbers.copy(), mean)
        found = _ratio(summed(members, sample.observed))
        best, lowest = _better(best, lowest, tried, found)
    return replace(best, table=made.table)


def scored(sample: Sample, mapping: MemberMap) -> NDArray[np.float64]:
    """Mean fair CRPS by lead, in the variable's units."""
    return _ratio(summed(applied(sample.members, mapping), sample.observed))


def summed(members: Values, observed: Values) -> NDArray[np.float64]:
    """Sum of the fair CRPS by lead, and its pairs; of (lead, member, pixel)."""
    total = np.zeros((2, len(observed)))
    for lead, (some, truth) in enumerate(zip(members, observed, strict=True)):
        score = crps_of_pairs(some, truth, fair=len(some) > 1)
        known = ~np.isnan(score)
        total[:, lead] = np.where(known, score, 0.0).sum(), known.sum()
    return total


def _ratio(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(sums[0] / np.maximum(sums[1], 1))


def applied(members: Values, mapping: MemberMap) -> Values:
    """Members as a map makes them, of (lead, member, pixel)."""
    if mapping.identity:
        return members
    numbers = mapping.numbers(members)
    return mapping.values(numbers, _mean(numbers) if mapping.spreads else None)


def _mean(numbers: Values) -> Values:
    """Mean of the members that know a pixel, for each of them."""
    known = ~np.isnan(numbers)
    total = np.where(known, numbers, 0.0).sum(1, keepdims=True)
    mean = total / np.maximum(known.sum(1, keepdims=True), 1)
    return np.broadcast_to(mean.astype(np.float32), numbers.shape)


def _better(
    best: MemberMap,
    lowest: NDArray[np.float64],
    tried: MemberMap,
    found: NDArray[np.float64],
) -> tuple[MemberMap, NDArray[np.float64]]:
    """The better of two maps at each lead; the first where they tie."""
    wins = found < lowest
    return (
        replace(
            tried,
            strength=np.where(wins, tried.strength, best.strength),
            spread=np.where(wins, tried.spread, best.spread),
        ),
        np.where(wins, found, lowest),
    )


def _plain(leads: int, variable: str) -> MemberMap:
    levels = _levels(variable)
    table = np.broadcast_to(levels, (leads, levels.size)).copy()
    return MemberMap(variable, table, np.zeros(leads), np.ones(leads))


@cache
def _levels(variable: str) -> NDArray[np.float64]:
    """The numbers at which the table is held."""
    bounds = Histogram((0,), scaling_for(variable)).bounds
    return np.linspace(*bounds, 256)


def _table(sample: Sample, variable: str) -> NDArray[np.float64]:
    """Number that came as often as each was forecast, by lead."""
    levels, scaling = _levels(variable), scaling_for(variable)
    leads = len(sample.observed)
    reached = np.zeros((2, leads, levels.size + 1))
    known = ~np.isnan(sample.members).any(1) & ~np.isnan(sample.observed)
    for lead in range(leads):
        there = known[lead]
        for kind, values in enumerate(
            (sample.members[lead][:, there], sample.observed[lead][there])
        ):
            number = np.asarray(scaling.normalize(values)).ravel()
            place = np.searchsorted(levels, number + 1e-6, side="right")
            reached[kind, lead] = np.bincount(place, minlength=levels.size + 1)
    # with those of the leads beside it
    padded = np.pad(reached, ((0, 0), (1, 1), (0, 0)), mode="edge")
    reached = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
    # how many reach each level, as shares of all
    above = reached[..., ::-1].cumsum(-1)[..., ::-1][..., 1:]
    total = np.maximum(reached.sum(-1, keepdims=True), 1.0)
    shares = above / total
    table = np.empty((leads, levels.size))
    for lead in range(leads):
        table[lead] = _matched(levels, shares[:, lead], above[:, lead])
    return table


def _matched(
    levels: NDArray[np.float64], shares: NDArray[np.float64], above: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The level that is reached as often in the second as each is in the first."""
    forecast, observed = shares
    # falling shares turned round, for interpolation wants rising ones
    goal = np.interp(forecast, observed[::-1], levels[::-1])
    enough = np.flatnonzero((above >= 4 * FEWEST).all(0))
    last = int(enough[-1]) if enough.size else 0
    shift = goal[last] - levels[last] if enough.size else 0.0
    goal[last + 1 :] = levels[last + 1 :] + shift
    return np.asarray(np.maximum.accumulate(np.maximum(goal, levels[0])))
