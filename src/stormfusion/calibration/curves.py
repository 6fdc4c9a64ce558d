"""Calibrated probabilities: how often what was said with a probability came."""

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.float64]
Curve = NDArray[np.float64]
Method: TypeAlias = Literal["auto", "isotonic", "beta", "none"]
METHODS = ("auto", "isotonic", "beta", "none")
TRUSTED = 100.0
"""Forecasts of each probability that are taken to have been right, beside the known."""


def isotonic(pairs: Counts, events: Counts) -> Curve:
    """
    Frequencies that never fall, nearest to those of the events.

    Parameters
    ----------
    pairs, events
        How many forecasts there were of each probability, from 0 to 1 in even steps,
        and how many events came.

    Returns
    -------
    ndarray
        The calibrated probability of each; between those that were forecast it is
        linear, and beyond them that of the last.

    References
    ----------
    Zadrozny, B., and C. Elkan, 2002: Transforming classifier scores into accurate
    multiclass probability estimates. *Proc. KDD*, 694-699.

    Examples
    --------
    >>> isotonic(np.array([10.0, 0.0, 10.0]), np.array([2.0, 0.0, 6.0]))
    array([0.2, 0.4, 0.6])
    """
    from scipy.optimize import isotonic_regression

    met = np.flatnonzero(pairs > 0)
    nodes = np.arange(pairs.size)
    if not met.size:
        return nodes / max(pairs.size - 1, 1)
    rates = events[met] / pairs[met]
    found = isotonic_regression(rates, weights=pairs[met]).x
    curve: Curve = np.interp(nodes, met, np.clip(found, 0.0, 1.0))
    return curve


def beta(pairs: Counts, events: Counts) -> Curve:
    r"""
    Beta calibration: $\mathrm{logit}\, c = a \ln p - b \ln(1 - p) + d$.

    $a, b \ge 0$, so that it never falls; fitted by maximum likelihood, held to the
    identity ($a = b = 1$, $d = 0$) as by one pair of each kind. $p = (k + 1/2)/(M + 1)$
    of $k$ of $M$ members.

    Parameters
    ----------
    pairs, events
        As in `isotonic`.

    References
    ----------
    Kull, M., T. Silva Filho, and P. Flach, 2017: Beta calibration: a well-founded and
    easily implemented improvement on logistic calibration for binary classifiers.
    *Proc. AISTATS*, 623-631.

    Examples
    --------
    >>> pairs = np.full(11, 1e4)
    >>> curve = beta(pairs, pairs * np.linspace(0, 1, 11) ** 2)
    >>> bool(curve[5] < 0.3)
    True
    """
    from scipy.optimize import minimize

    size = pairs.size
    chance = (np.arange(size) + 0.5) / size
    terms = np.stack((np.log(chance), -np.log1p(-chance), np.ones(size)))
    start = np.array([1.0, 1.0, 0.0])
    scale = max(float(pairs.sum()), 1.0)

    def cost(theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logit = theta @ terms
        # ln(1 + e^z) - y z, summed
        loss = (np.logaddexp(0.0, logit) * pairs - logit * events).sum()
        rate = 1.0 / (1.0 + np.exp(-logit))
        slope = terms @ (rate * pairs - events)
        off = theta - start
        total = float(loss + 0.5 * (off**2).sum()) / scale
        return total, (slope + off) / scale

    bounds = [(0.0, None), (0.0, None), (None, None)]
    solved = minimize(cost, start, jac=True, bounds=bounds, method="L-BFGS-B")
    curve: Curve = 1.0 / (1.0 + np.exp(-(solved.x @ terms)))
    return curve


def identity(pairs: Counts, events: Counts) -> Curve:
    """
    Probabilities as they are.

    Examples
    --------
    >>> identity(np.ones(3), np.ones(3))
    array([0. , 0.5, 1. ])
    """
    del events
    return np.arange(pairs.size) / max(pairs.size - 1, 1)


MAKERS: dict[Method, Callable[[Counts, Counts], Curve]] = {
    "none": identity,
    "beta": beta,
    "isotonic": isotonic,
}


def brier_of(curve: Curve, pairs: Counts, events: Counts) -> float:
    """
    Sum of the squared errors of calibrated probabilities.

    Examples
    --------
    >>> brier_of(np.array([0.0, 1.0]), np.array([2.0, 2.0]), np.array([0.0, 1.0]))
    1.0
    """
    return float((pairs * curve**2 - 2.0 * curve * events + events).sum())


def chosen(
    tables: Sequence[tuple[Counts, Counts]], method: Method, *, most: float
) -> tuple[Method, Curve]:
    """
    The curve of a method, or of the one that does best on folds held out.

    Each curve is held to the identity by `TRUSTED` forecasts of each probability: what
    was hardly ever said is not known to be wrong. One that leaves more than `most`
    gives way to the identity, and that, where the method may be chosen, to the isotonic
    one.

    Parameters
    ----------
    tables
        Pairs and events of each fold.
    method
        One of `METHODS`.
    most
        Sum of the squared errors that must not be exceeded on the tables themselves.
    """
    pairs = np.sum([p for p, _ in tables], axis=0)
    events = np.sum([e for _, e in tables], axis=0)
    name = method
    if method == "auto":
        costs = {maker: held_out(tables, maker) for maker in MAKERS}
        name = min(costs, key=lambda maker: costs[maker])
    last: Method = "isotonic" if method == "auto" else "none"
    order: tuple[Method, ...] = (name, "none", last)
    for each in order:
        curve = made(each, pairs, events)
        if brier_of(curve, pairs, events) <= most:
            return each, curve
    return last, made(last, pairs, events)


def made(method: Method, pairs: Counts, events: Counts) -> Curve:
    """
    The curve of a method, held to the identity.

    Examples
    --------
    >>> made("isotonic", np.array([900.0, 0.0]), np.array([90.0, 0.0]))
    array([0.09, 1.  ])
    """
    plain = identity(pairs, events)
    return MAKERS[method](pairs + TRUSTED, events + TRUSTED * plain)


def held_out(tables: Sequence[tuple[Counts, Counts]], method: Method) -> float:
    """Sum of squared errors on each fold of the curve fitted on the others."""
    if len(tables) < 2:
        # nothing is held out: the simplest that may help
        return {"none": 2.0, "beta": 0.0, "isotonic": 1.0}[method]
    total = 0.0
    for number, (pairs, events) in enumerate(tables):
        rest = [t for other, t in enumerate(tables) if other != number]
        curve = made(
            method,
            np.sum([p for p, _ in rest], axis=0),
            np.sum([e for _, e in rest], axis=0),
        )
        total += brier_of(curve, pairs, events)
    return total
