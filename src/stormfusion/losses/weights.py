"""Weights: which are allowed, and how they are written."""

import math
from decimal import Decimal
from numbers import Real
from typing import Any


def checked_weight(name: str, weight: Any) -> float:
    """
    Refuse a weight that is not a finite number above zero.

    Parameters
    ----------
    name
        What it weighs, for the error.
    weight
        The weight.

    Returns
    -------
    float
        The weight.

    Raises
    ------
    ValueError
        If it is anything else.

    Examples
    --------
    >>> checked_weight("ssim", -1.0)
    Traceback (most recent call last):
    ValueError: the weight of 'ssim' must be a finite number above zero, but got -1.0
    """
    number = isinstance(weight, Real) and not isinstance(weight, bool)
    if not (number and 0 < float(weight) < math.inf):
        raise ValueError(
            f"the weight of {name!r} must be a finite number above zero, "
            f"but got {weight!r}"
        )
    return float(weight)


def weight_text(weight: float) -> str:
    """
    Write a weight as the shortest decimal that reads back as the same number.

    There is no exponent, whose plus sign would divide a recipe.

    Parameters
    ----------
    weight
        A finite number above zero.

    Returns
    -------
    str
        Digits, with a point where needed.

    Examples
    --------
    >>> [weight_text(weight) for weight in (2.0, 0.1, 1e-7, 1e16)]
    ['2', '0.1', '0.0000001', '10000000000000000']
    """
    return format(Decimal(repr(float(weight))), "f").removesuffix(".0")
