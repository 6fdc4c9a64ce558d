"""A logistic regression that never falls, and its calibration."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from stormfusion.hail.samples import Samples

Vector = NDArray[np.float64]

RAMPS = 8
"""Straight pieces that a curve is made of."""

LEVELS = 256
FEATURES = ("peak", "core", "mean")

_CODES = np.arange(LEVELS) / (LEVELS - 1)
BASIS = np.clip(_CODES[:, None] * RAMPS - np.arange(RAMPS), 0.0, 1.0)
"""Ramps from 0 to 1 of a whole number from 0 to 255, `(number, ramp)`."""


@dataclass(frozen=True, eq=False)
class Curves:
    r"""
    The logit of a probability, a sum of curves that never fall.

    $\eta = b + T_1(\mathrm{peak}) + T_2(\mathrm{core}) + T_3(\mathrm{mean})$, each
    curve a sum of eight ramps with weights of 0 or more.

    Parameters
    ----------
    intercept
        The constant $b$.
    weights
        Of the ramps, `(feature, ramp)`.
    """

    intercept: float
    weights: Vector

    @property
    def tables(self) -> Vector:
        """Value of each curve at each whole number, `(feature, number)`."""
        return np.asarray(self.weights @ BASIS.T)

    def logit(self, samples: Samples) -> Vector:
        """The logit at each pixel."""
        found = np.full(samples.peak.size, self.intercept)
        for name, table in zip(FEATURES, self.tables, strict=True):
            found += table[getattr(samples, name)]
        return found


@dataclass(frozen=True)
class Calibration:
    r"""
    What a probability is worth: $\mathrm{logit}\,q = a \ln p - b \ln (1 - p) + c$.

    With $a, b \ge 0$ it never falls; $a = b = 1$ and $c = 0$ changes nothing.

    References
    ----------
    Kull, M., T. Silva Filho, and P. Flach, 2017: Beta calibration: a well-founded and
    easily implemented improvement on logistic calibration for binary classifiers.
    *Proc. AISTATS*, **54**, 623-631, <https://proceedings.mlr.press/v54/kull17a.html>.

    Examples
    --------
    >>> Calibration(1.0, 1.0, 0.0).probability(np.zeros(1))
    array([0.5])
    """

    a: float
    b: float
    c: float

    def probability(self, logit: NDArray[Any]) -> NDArray[Any]:
        """Calibrated probability, in the type of the logit."""
        a, b, c = (logit.dtype.type(each) for each in (self.a, self.b, self.c))
        return np.asarray(_sigmoid(a * -_softplus(-logit) + b * _softplus(logit) + c))


def fit_curves(samples: Samples, ridge: float, start: Curves | None = None) -> Curves:
    r"""
    The curves that make the samples likeliest, held back by a ridge.

    Minimizes $\sum_i w_i \left(\ln(1 + e^{\eta_i}) - y_i \eta_i\right) / \sum_i w_i y_i
    + \lambda \sum v^2 / 2$ over the intercept and the weights $v \ge 0$.

    Parameters
    ----------
    samples
        Hits among them.
    ridge
        $\lambda$, above 0.
    start
        Where to begin.
    """
    y, w = samples.hit.astype(np.float64), samples.weight
    hits = float((w * y).sum())
    columns = [getattr(samples, name) for name in FEATURES]
    shape = (len(FEATURES), RAMPS)

    def loss(theta: Vector) -> tuple[float, Vector]:
        curves = Curves(theta[0], theta[1:].reshape(shape))
        eta = curves.logit(samples)
        value = float((w * (_softplus(eta) - y * eta)).sum()) / hits
        slope = w * (expit(eta) - y) / hits
        by_ramp = [np.bincount(c, slope, LEVELS) @ BASIS for c in columns]
        gradient = np.concatenate([[slope.sum()], *by_ramp])
        gradient[1:] += ridge * theta[1:]
        return value + 0.5 * ridge * float(theta[1:] @ theta[1:]), gradient

    share = hits / float(w.sum())
    theta = np.zeros(1 + np.prod(shape))
    theta[0] = np.log(share / (1.0 - share))
    if start is not None:
        theta = np.concatenate([[start.intercept], start.weights.ravel()])
    bounds = [(None, None), *[(0.0, None)] * (theta.size - 1)]
    options = {"maxiter": 500, "ftol": 1e-9}
    best = minimize(
        loss, theta, jac=True, method="L-BFGS-B", bounds=bounds, options=options
    )
    return Curves(float(best.x[0]), best.x[1:].reshape(shape))


def fit_calibration(
    logit: Vector, hit: NDArray[np.bool_], weight: Vector
) -> Calibration:
    """
    The calibration that makes hits likeliest, held back a little towards none.

    Examples
    --------
    >>> logit = np.repeat([-1.0, 1.0], 1000)
    >>> hit = np.tile(np.arange(1000) < 500, 2)  # says nothing of the logit
    >>> found = fit_calibration(logit, hit, np.ones(2000))
    >>> found.probability(logit[[0, -1]]).round(1)
    array([0.5, 0.5])
    """
    y = hit.astype(np.float64)
    hits = float((weight * y).sum())
    above, below = _softplus(logit), -_softplus(-logit)  # -ln(1 - p) and ln p

    def loss(theta: Vector) -> tuple[float, Vector]:
        eta = theta[0] * below + theta[1] * above + theta[2]
        value = float((weight * (_softplus(eta) - y * eta)).sum()) / hits
        slope = weight * (expit(eta) - y) / hits
        gradient = np.array([slope @ below, slope @ above, slope.sum()])
        off = theta[:2] - 1.0
        gradient[:2] += HELD * off
        return value + 0.5 * HELD * float(off @ off), gradient

    best = minimize(
        loss,
        np.array([1.0, 1.0, 0.0]),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, None), (0.0, None), (None, None)],
        options={"maxiter": 500, "ftol": 1e-10},
    )
    return Calibration(*(float(each) for each in best.x))


HELD = 1e-3
"""Ridge about a calibration that changes nothing."""


def _softplus(x: NDArray[Any]) -> NDArray[Any]:
    """The logarithm of 1 + e^x, without overflow and in the type of x."""
    return np.asarray(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))


def _sigmoid(x: NDArray[Any]) -> NDArray[Any]:
    small = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1, small) / (1 + small))
