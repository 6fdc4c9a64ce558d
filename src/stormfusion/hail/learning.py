"""Curves and a calibration learned from samples, and judged on days not seen."""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from stormfusion.errors import CatalogError
from stormfusion.hail.logistic import Calibration, Curves, fit_calibration, fit_curves
from stormfusion.hail.samples import Samples

RIDGES = (1.0, 0.1, 0.01, 0.001)
"""Strengths of the ridge that are tried."""


@dataclass(frozen=True)
class Learned:
    """
    What was learned from all samples, and what was said of each when it was not seen.

    Parameters
    ----------
    curves, calibration
        Learned from all.
    ridge
        The strength that did best on days not seen.
    probability
        Of each sample, by curves and a calibration learned without its day.
    folds
        How many groups of days were left out in turn.
    """

    curves: Curves
    calibration: Calibration
    ridge: float
    probability: NDArray[np.float64]
    folds: int


def learn(samples: Samples, *, folds: int, seed: int, progress: bool) -> Learned:
    """
    Learn from samples, days left out in turn.

    Parameters
    ----------
    samples
        Hits among them, on two days or more.
    folds
        Groups of days; fewer where fewer days have hits, with a warning.
    seed
        Of the draw of the groups.
    progress
        Whether to show it.

    Raises
    ------
    CatalogError
        If there is no hit, no miss, or hits on one day only.
    """
    if not samples.hit.any() or samples.hit.all():
        found = "every" if samples.hit.any() else "no"
        raise CatalogError(
            f"{found} pixel that was looked at is near a report, wanted some that are "
            "and some that are not; give a larger catalog, or another size or distance"
        )
    days = np.unique(samples.day[samples.hit]).size
    if days < 2:
        raise CatalogError(
            "hail is reported on 1 day of the catalog, wanted 2 or more, so that days "
            "can be left out to see what was learned; give events of more days"
        )
    if days < folds:
        warnings.warn(
            f"hail is reported on {days} days, so that {days} folds are made of them "
            f"in place of {folds}",
            UserWarning,
            stacklevel=3,
        )
    fold = folds_of(samples, min(folds, days), seed)
    held: dict[float, NDArray[np.float64]] = {}
    losses = {}
    before: dict[int, Curves] = {}
    for ridge in tqdm(RIDGES, disable=not progress, desc="hail", unit="ridge"):
        held[ridge], before = left_out(samples, fold, ridge, before)
        losses[ridge] = _loss(held[ridge], samples)
    best = min(losses, key=losses.__getitem__)
    logit = held[best]
    probability = np.empty(logit.size)
    for number in range(fold.max() + 1):
        out = fold == number
        calibration = fit_calibration(
            logit[~out], samples.hit[~out], samples.weight[~out]
        )
        probability[out] = calibration.probability(logit[out])
    return Learned(
        fit_curves(samples, best),
        fit_calibration(logit, samples.hit, samples.weight),
        best,
        probability,
        int(fold.max() + 1),
    )


def folds_of(samples: Samples, folds: int, seed: int) -> NDArray[np.int64]:
    """
    Which fold each sample is in: a day is in one, and hits are spread over all.

    Examples
    --------
    >>> byte, one = np.zeros(6, dtype=np.uint8), np.ones(6)
    >>> hit, day = np.array([1, 0, 1, 0, 1, 0]) > 0, np.array([1, 1, 2, 2, 3, 3])
    >>> fold = folds_of(Samples(byte, byte, byte, hit, one, day), 3, seed=0)
    >>> sorted(fold[::2].tolist()), (fold[::2] == fold[1::2]).tolist()
    ([0, 1, 2], [True, True, True])
    """
    days, where = np.unique(samples.day, return_inverse=True)
    hits = np.bincount(where, samples.weight * samples.hit)
    pixels = np.bincount(where, samples.weight)
    mixed = np.random.default_rng(seed).permutation(days.size)
    order = mixed[np.lexsort((-pixels[mixed], -hits[mixed]))]
    full = np.zeros((2, folds))
    chosen = np.empty(days.size, dtype=np.int64)
    for day in order:
        # where hits are fewest; days without one, where pixels are
        chosen[day] = np.lexsort((full[1], full[0]) if hits[day] else (full[1],))[0]
        full[:, chosen[day]] += hits[day], pixels[day]
    return chosen[where]


def left_out(
    samples: Samples,
    fold: NDArray[np.int64],
    ridge: float,
    before: dict[int, Curves] | None = None,
) -> tuple[NDArray[np.float64], dict[int, Curves]]:
    """The logit of each sample by curves learned without its fold, and these."""
    logit = np.empty(fold.size)
    found = {}
    for number in range(int(fold.max()) + 1):
        out = fold == number
        start = (before or {}).get(number)
        found[number] = fit_curves(samples.where(~out), ridge, start)
        logit[out] = found[number].logit(samples.where(out))
    return logit, found


def _loss(logit: NDArray[np.float64], samples: Samples) -> float:
    """Logarithmic score of logits, summed."""
    each = np.logaddexp(0.0, logit) - samples.hit * logit
    return float((samples.weight * each).sum())
