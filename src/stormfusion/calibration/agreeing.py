"""Probabilities of several hazards, brought to agree with one another."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stormfusion.hazards import Hazard


def implies(hard: Hazard, easy: Hazard) -> bool:
    """
    Whether one hazard never comes without the other.

    It reaches a higher threshold, in a shorter window, at a shorter distance, or is as
    the other in some of these.

    Examples
    --------
    >>> here = Hazard.parse("rain_rate >= 10 mm h-1")
    >>> implies(here, Hazard.parse("rain_rate >= 5 mm h-1 within 3 km"))
    True
    >>> implies(here, Hazard.parse("rain_rate >= 20 mm h-1 within 3 km"))
    False
    """
    none = timedelta(0)
    return (
        (hard.variable, hard.sums) == (easy.variable, easy.sums)
        and hard.threshold >= easy.threshold
        and (hard.window or none) <= (easy.window or none)
        and (hard.distance or 0.0) <= (easy.distance or 0.0)
    )


def agree(
    values: NDArray[np.floating[Any]],
    hazards: Sequence[Hazard],
    calibrated: Sequence[bool],
) -> None:
    """
    Move probabilities, in place, until no hazard is likelier than one that it implies.

    Of two that are calibrated the harder one comes down; one that is not goes to where
    those that are leave it room. What is missing stays so.

    Parameters
    ----------
    values
        Probabilities, hazards on the first axis.
    hazards
        What they are of.
    calibrated
        Which of them have a curve.
    """
    known = ~np.isnan(values)
    numbers = range(len(hazards))
    sure = [n for n in numbers if calibrated[n]]
    # what implies more is harder, and comes later
    sure.sort(key=lambda n: sum(implies(hazards[n], hazards[m]) for m in sure))
    for place, hard in enumerate(sure):
        for easy in sure[:place]:
            if implies(hazards[hard], hazards[easy]):
                np.fmin(values[hard], values[easy], out=values[hard], where=known[hard])
    for free in set(numbers) - set(sure):
        for other in sure:
            own, its = values[free], values[other]
            if implies(hazards[other], hazards[free]):
                np.fmax(own, its, out=own, where=known[free])
            if implies(hazards[free], hazards[other]):
                np.fmin(own, its, out=own, where=known[free])
