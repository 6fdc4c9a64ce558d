"""Which frames a recurrent network is shown while it learns: scheduled sampling."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

Schedule = Callable[[float], float]
"""A probability, by the share of the training that is done, both 0 to 1."""

_CHECKED = 101
"""Shares of the training at which a schedule is looked at before it is used."""


def _is_probability(value: object) -> bool:
    return isinstance(value, int | float | np.number) and bool(0.0 <= value <= 1.0)


@dataclass(frozen=True)
class Ramp:
    """
    A probability that goes from one value to another in a straight line.

    Parameters
    ----------
    start, stop
        Its values, 0 to 1.
    begin, end
        Shares of the training at which it leaves the one and reaches the other.

    Raises
    ------
    ValueError
        If a number leaves 0 to 1, or `end` comes before `begin`.

    Examples
    --------
    >>> ramp = Ramp(1.0, 0.0, end=0.5)
    >>> ramp(0.0), ramp(0.25), ramp(0.9)
    (1.0, 0.5, 0.0)
    """

    start: float
    stop: float
    begin: float = 0.0
    end: float = 1.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not _is_probability(value):
                raise ValueError(f"{name} of a ramp is {value!r}, wanted 0 to 1")
        if self.end < self.begin:
            raise ValueError(
                f"a ramp from {self.begin} to {self.end} runs backwards, wanted an end "
                "after its begin; exchange them"
            )

    def __call__(self, done: float) -> float:
        """Probability when a share of the training is done."""
        if done >= self.end:
            return self.stop
        if done <= self.begin:
            return self.start
        past = (done - self.begin) / (self.end - self.begin)
        return (1.0 - past) * self.start + past * self.stop


@dataclass(frozen=True)
class Approach:
    r"""
    A probability that stays, then approaches 1 ever more slowly, then is 1.

    $$p = 1 - (1 - p_0) \, e^{-(d - b) / s}$$

    for a share $d$ of the training from $b$ on.

    Parameters
    ----------
    start
        The probability $p_0$ before.
    begin, end
        Shares of the training from which it rises, and from which it is 1.
    scale
        The share $s$ in which the distance to 1 falls by a factor of $e$.

    Raises
    ------
    ValueError
        If a number leaves 0 to 1, `scale` is 0, or `end` comes before `begin`.

    Examples
    --------
    >>> rise = Approach(0.5, begin=0.25, end=0.5, scale=0.0625)
    >>> [round(rise(done), 2) for done in (0.1, 0.25, 0.3125, 0.5)]
    [0.5, 0.5, 0.82, 1.0]
    """

    start: float
    begin: float
    end: float
    scale: float

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not _is_probability(value):
                raise ValueError(f"{name} of an approach is {value!r}, wanted 0 to 1")
        if self.end < self.begin or self.scale == 0.0:
            raise ValueError(
                f"an approach from {self.begin} to {self.end} with a scale of "
                f"{self.scale} gets nowhere, wanted an end after its begin and a scale "
                "above 0"
            )

    def __call__(self, done: float) -> float:
        """Probability when a share of the training is done."""
        if done >= self.end:
            return 1.0
        past = max(done - self.begin, 0.0)
        return 1.0 - (1.0 - self.start) * math.exp(-past / self.scale)


@dataclass(frozen=True)
class ScheduledSampling:
    """
    Which frames a recurrent network is shown in training, and which are its own.

    At each step a network sees the observed frame or what it told of it itself, by
    lot, for each window and frame. A network that is always shown the truth never
    learns to live with its errors; one that never is learns from wrong frames at
    first. In forecasting it is shown the observed frames, and none beyond.

    Parameters
    ----------
    forecast
        Probability to be shown a frame that is to be forecast, by the share of the
        training that is done; by default from 1 down to 0 in a straight line.
    observed
        Probability to be shown an observed frame other than the first; 1 by default.

    Raises
    ------
    TypeError
        If one of them is no function of a number.
    ValueError
        If one of them leaves 0 to 1.

    References
    ----------
    Bengio, S., O. Vinyals, N. Jaitly, and N. Shazeer, 2015: Scheduled sampling for
    sequence prediction with recurrent neural networks. *NeurIPS 2015*,
    <https://arxiv.org/abs/1506.03099>.

    Examples
    --------
    >>> sampling = ScheduledSampling(forecast=lambda done: 0.5 * (1.0 - done))
    >>> sampling.forecast(0.5)
    0.25
    >>> ScheduledSampling(forecast=lambda done: 1.5 - done)
    Traceback (most recent call last):
    ValueError: the schedule 'forecast' is 1.5 when a share of 0 of the training is ...
    """

    forecast: Schedule = field(default=Ramp(1.0, 0.0))  # frozen
    observed: Schedule = field(default=Ramp(1.0, 1.0))  # frozen

    def __post_init__(self) -> None:
        for name in ("forecast", "observed"):
            if not callable(getattr(self, name)):
                raise TypeError(
                    f"the schedule {name!r} is {getattr(self, name)!r}, wanted a "
                    "function of the share of the training that is done, such as "
                    "Ramp(1.0, 0.0)"
                )
            for step in range(_CHECKED):
                self.probability(name, step / (_CHECKED - 1))

    @classmethod
    def reverse(cls) -> Self:
        r"""
        Reverse scheduled sampling, the schedules of PredRNN-V2.

        In the first third of the training both probabilities are 0.5. In the second,
        that of observed frames is $1 - 0.5 \, e^{-15 (d - 1/3)}$, and that of frames
        to be forecast falls to 0 in a straight line. In the last they are 1 and 0.

        References
        ----------
        Wang, Y., et al., 2023: PredRNN: A recurrent neural network for spatiotemporal
        predictive learning. *IEEE Trans. Pattern Anal. Mach. Intell.*, **45**,
        2208-2225, <https://arxiv.org/abs/2103.09504>.

        Examples
        --------
        >>> reverse = ScheduledSampling.reverse()
        >>> [round(reverse.observed(done), 2) for done in (0.0, 0.4, 0.7)]
        [0.5, 0.82, 1.0]
        >>> [round(reverse.forecast(done), 2) for done in (0.0, 0.5, 0.7)]
        [0.5, 0.25, 0.0]
        """
        third = 1 / 3
        return cls(
            forecast=Ramp(0.5, 0.0, begin=third, end=2 * third),
            observed=Approach(0.5, begin=third, end=2 * third, scale=third / 5),
        )

    def probability(self, name: str, done: float) -> float:
        """The probability of a schedule, `"forecast"` or `"observed"`, if it is one."""
        schedule = getattr(self, name)
        try:
            value = schedule(done)
        except TypeError as error:
            raise TypeError(
                f"the schedule {name!r} is {schedule!r}, wanted a function of one "
                f"number, the share of the training that is done ({error})"
            ) from error
        try:
            # a text that reads as a number is none
            number = math.nan if isinstance(value, str) else float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not _is_probability(number):
            told = repr(value) if math.isnan(number) else f"{number:g}"
            raise ValueError(
                f"the schedule {name!r} is {told} when a share of {done:g} of the "
                "training is done, wanted a probability of 0 to 1; clip it"
            )
        return number

    def shown(
        self,
        done: float,
        *,
        batch: int,
        history: int,
        leads: int,
        generator: torch.Generator,
    ) -> Bool[Tensor, "batch step"]:
        """
        Draw the frames that are shown; the first always is.

        Parameters
        ----------
        done
            Share of the training, 0 to 1.
        batch, history, leads
            Windows, and the frames that each has.
        generator
            Where the lots come from.

        Examples
        --------
        >>> lots = torch.Generator().manual_seed(0)
        >>> shape = {"batch": 1, "history": 2, "leads": 3, "generator": lots}
        >>> ScheduledSampling().shown(1.0, **shape)
        tensor([[ True,  True, False, False]])
        """
        done = min(max(done, 0.0), 1.0)
        share = torch.full((history + leads - 1,), self.probability("forecast", done))
        share[:history] = self.probability("observed", done)
        share[0] = 1.0
        return torch.rand(batch, len(share), generator=generator) < share

    def told(self) -> dict[str, list[float]]:
        """Both schedules in numbers, for what is resumed to be compared with."""
        shares = [step / 20 for step in range(21)]
        return {
            name: [round(self.probability(name, done), 9) for done in shares]
            for name in ("forecast", "observed")
        }
