"""Losses that weigh an error by how hard it rained."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import ClassVar, Literal, Self

import numpy as np
import torch

from stormfusion.data.scaling import scaling_for
from stormfusion.losses.base import Loss
from stormfusion.losses.fields import mean
from stormfusion.losses.weights import checked_weight
from stormfusion.types import Future, Scalar, Valid
from stormfusion.units import rain_rate_to_reflectivity

RATES: tuple[float, ...] = (2.0, 5.0, 10.0, 30.0)
"""Rain rates from which an error weighs more [mm h-1], as for HKO-7."""

WEIGHTS: tuple[float, ...] = (1.0, 2.0, 5.0, 10.0, 30.0)
"""What it weighs below the first of them, and from each on."""

COLUMN = 4.0
"""Depth of the column of rain that is taken for a VIL [km]."""


@dataclass(frozen=True, kw_only=True)
class Balanced(Loss):
    """What the balanced losses share: the weight of a pixel; see `BMSE`."""

    kind: ClassVar[Literal["pixel", "shaping"]] = "pixel"

    thresholds: Sequence[float] | None = None
    weights: Sequence[float] = WEIGHTS
    a: float = 200.0
    b: float = 1.6
    variable: str | None = None

    def __post_init__(self) -> None:
        steps = checked_thresholds(self.name, self.thresholds)
        weights = tuple(
            checked_weight(f"a pixel in {self.name}", w) for w in self.weights
        )
        wanted = 1 + len(RATES if steps is None else steps)
        if len(weights) != wanted:
            raise ValueError(
                f"{self.name!r} got {len(weights)} weights, wanted {wanted}: one for "
                f"what is below the {wanted - 1} thresholds, and one from each on"
            )
        for name, value in (("a", self.a), ("b", self.b)):
            if not 0 < value < math.inf:
                raise ValueError(
                    f"{self.name!r} got {name}={value!r}, but Z = a R^b needs finite "
                    "numbers above zero, such as a=200, b=1.6"
                )
        object.__setattr__(self, "thresholds", steps)
        object.__setattr__(self, "weights", weights)
        if self.variable is not None:
            levels(self.name, self.variable, steps, self.a, self.b)

    def bound(self, variable: str) -> Self:
        """A copy that knows of which variable its numbers are; see `Loss.bound`."""
        if self.variable not in (None, variable):
            raise ValueError(
                f"{self.name!r} is for {self.variable}, but the target is {variable}; "
                "leave its variable= out"
            )
        return replace(self, variable=variable)

    def pixel_weights(self, observed: Future) -> Future:
        """
        What an error weighs at each pixel.

        Parameters
        ----------
        observed
            Network numbers of the variable.

        Returns
        -------
        Future
            The weights.

        Raises
        ------
        ValueError
            If the loss does not know the variable.
        """
        if self.variable is None:
            raise ValueError(
                f"{self.name!r} weighs errors by the observed rain, but does not know "
                "of which variable its numbers are; call "
                f"{type(self).__name__}().bound('rain_rate'), which Nowcaster.fit does "
                "by itself"
            )
        steps = None if self.thresholds is None else tuple(self.thresholds)
        sign, found = levels(self.name, self.variable, steps, self.a, self.b)
        edges = torch.tensor(found, device=observed.device)
        weights = torch.tensor(tuple(self.weights), device=observed.device)
        signed = (sign * observed.detach()).contiguous()
        passed = torch.bucketize(signed, edges, right=True)
        return weights[passed]


@dataclass(frozen=True, kw_only=True)
class BMSE(Balanced):
    r"""
    Balanced mean squared error, in which an error in heavy rain weighs more.

    $$\mathrm{B\text{-}MSE} = \frac{1}{N} \sum_{i=1}^{N} w(x_i) (\hat{x}_i - x_i)^2$$

    over the $N$ valid pixels of the whole batch, with the weight of the *observed* rain
    rate: 1 below 2 mm h-1, 2 from 2, 5 from 5, 10 from 10 and 30 from 30 mm h-1 on.
    A false alarm weighs as a dry pixel does, so a network that is trained by it
    forecasts more rain than falls.

    HKO-7, where it comes from, gives the sum over the pixels of a frame: this value
    times their number. It is not divided by the sum of the weights, so a batch with a
    storm in it pulls harder than one without.

    The rain rate is that of the observation, whatever the network forecasts:

    * of `rain_rate` the rate itself;
    * of `reflectivity` the rate of $Z = a R^b$. The default is Marshall and Palmer's,
      as elsewhere in the library. HKO-7's own is `a=58.53, b=1.56`, by which the same
      echo is more than twice as much rain: pass it to repeat that benchmark;
    * of `vil` it is an **assumption**, for no law turns VIL into a rain rate: that of a
      column of rain, 4 km deep, with the same Marshall-Palmer drops all the way up,
      $V = 4 \cdot 3.44 \cdot 10^{-3} (a R^b)^{4/7}$, so that 2, 5, 10 and 30 mm h-1
      are 0.54, 1.24, 2.33 and 6.4 kg m-2. Hail and deeper storms hold more.

    For all other variables give thresholds and weights.

    Parameters
    ----------
    thresholds
        Values of the variable, in its own units and rising, from each of which on
        (`>=`) an error weighs more. Without them the rain rates above.
    weights
        One for what is below all thresholds, and one from each on; above zero.
    a, b
        Coefficients of $Z = a R^b$, by which rain rates become reflectivity and VIL.
    variable
        Of what the network numbers are. `Nowcaster.fit` says so itself, by `bound`.

    Raises
    ------
    ValueError
        If thresholds do not rise or are beyond what the network numbers hold, weights
        are not above zero or of another count, or the variable is neither of the three
        and no thresholds are given. When it is called, if it knows no variable.

    References
    ----------
    Shi, X., and Coauthors, 2017: Deep learning for precipitation nowcasting: A
    benchmark and a new model. *NeurIPS 2017*, <https://arxiv.org/abs/1706.03458>.

    Examples
    --------
    >>> from stormfusion.data.scaling import scaling_for
    >>> rain_rate = torch.tensor([[[[0.0, 2.0, 30.0, float("nan")]]]])  # [mm h-1]
    >>> observed = scaling_for("rain_rate").normalize(rain_rate)
    >>> BMSE().bound("rain_rate")(observed + 0.1, observed, ~observed.isnan())
    tensor(0.1100)
    >>> BMSE(thresholds=(5.0,), weights=(1.0, 4.0)).bound("mesh").variable
    'mesh'
    """

    name: ClassVar[str] = "bmse"

    def compare(self, forecast: Future, observed: Future, valid: Valid) -> Scalar:
        """Compute the loss; see `Loss.compare`."""
        w = self.pixel_weights(observed)
        return mean(w * (forecast - observed).square(), valid)


@dataclass(frozen=True, kw_only=True)
class BMAE(Balanced):
    r"""
    Balanced mean absolute error, in which an error in heavy rain weighs more.

    $$\mathrm{B\text{-}MAE} = \frac{1}{N} \sum_{i=1}^{N} w(x_i) |\hat{x}_i - x_i|$$

    with the weights of `BMSE`, where all else is said. HKO-7 trains on the sum of both,
    `"unet+bmse+bmae"`.

    Parameters
    ----------
    thresholds, weights, a, b, variable
        As in `BMSE`.

    Raises
    ------
    ValueError
        As in `BMSE`.

    Examples
    --------
    >>> observed = torch.zeros(1, 1, 2, 2)
    >>> BMAE().bound("vil")(observed + 0.1, observed, observed == 0)
    tensor(0.1000)
    """

    name: ClassVar[str] = "bmae"

    def compare(self, forecast: Future, observed: Future, valid: Valid) -> Scalar:
        """Compute the loss; see `Loss.compare`."""
        w = self.pixel_weights(observed)
        return mean(w * (forecast - observed).abs(), valid)


def checked_thresholds(
    name: str, thresholds: Sequence[float] | None
) -> tuple[float, ...] | None:
    """
    Thresholds as rising numbers, if there are any.

    Examples
    --------
    >>> checked_thresholds("bmse", [5, 2])
    Traceback (most recent call last):
    ValueError: 'bmse' got the thresholds [5, 2], wanted finite numbers that rise...
    """
    if thresholds is None:
        return None
    try:
        found = tuple(float(value) for value in thresholds)
    except (TypeError, ValueError):
        found = ()
    rising = all(one < other for one, other in pairwise(found))
    if not found or not rising or not all(map(math.isfinite, found)):
        raise ValueError(
            f"{name!r} got the thresholds {thresholds!r}, wanted finite numbers that "
            "rise, such as (2, 5, 10, 30)"
        )
    return found


@lru_cache(maxsize=64)
def levels(
    name: str,
    variable: str,
    thresholds: tuple[float, ...] | None,
    a: float,
    b: float,
) -> tuple[float, tuple[float, ...]]:
    """
    The network numbers from which an error weighs more.

    Parameters
    ----------
    name
        Of the loss, for the error.
    variable
        Of what the numbers are.
    thresholds
        Its values; those of `RATES` if none are given.
    a, b
        Coefficients of $Z = a R^b$.

    Returns
    -------
    tuple
        1, or -1 where numbers fall as values rise, as those of temperatures do; and the
        numbers times that, rising. Each is lowered by the few last bits in which
        devices and precisions differ, so that the threshold itself reaches it.

    Examples
    --------
    >>> sign, (first, *_) = levels("bmse", "reflectivity", (25.0,), 200.0, 1.6)
    >>> sign, round(first, 6)
    (1.0, 0.5)
    """
    scaling = scaling_for(variable)
    if thresholds is None:
        thresholds = _of_rates(name, variable, a, b)
    values = np.array(thresholds)
    numbers = scaling.normalize(values)
    back = scaling.denormalize(numbers)
    far = ~np.isclose(back, values, rtol=1e-3, atol=1e-6)
    if far.any():
        raise ValueError(
            f"{name!r} got the threshold {values[far][0]:.6g} of {variable}, which its "
            f"network numbers hold as {back[far][0]:.6g}; choose others"
        )
    below, above = scaling.normalize(values[0] + np.array([-1.0, 1.0]))
    sign = 1.0 if above > below else -1.0
    rounded = [sign * numbers, sign * scaling.normalize(values.astype(np.float32))]
    least = np.min([x.astype(np.float32) for x in rounded], axis=0)
    return sign, tuple((least - 4 * np.abs(np.spacing(least))).tolist())


def _of_rates(name: str, variable: str, a: float, b: float) -> tuple[float, ...]:
    rates = np.array(RATES)
    if variable == "rain_rate":
        return RATES
    if variable == "reflectivity":
        return tuple(rain_rate_to_reflectivity(rates, a=a, b=b).tolist())
    if variable == "vil":
        water = 3.44e-3 * (a * rates**b) ** (4 / 7)  # [g m-3], or [kg m-2] per km
        return tuple((COLUMN * water).tolist())
    raise ValueError(
        f"{name!r} weighs errors by the rain rate, for which there is no law from "
        f"{variable}; give thresholds= of {variable} and weights=, one more of them"
    )
