"""What a radar encoder is made of: its depths, and the variables it is for."""

from collections.abc import Sequence

from stormfusion.data.scaling import scaling_for

WIDTHS = (16, 32, 64, 64)
"""Channels of each depth of the encoder."""
SHARES = (0.0, 0.25, 0.5, 0.25)
"""How much each depth counts in the distance."""


def checked_variables(variables: Sequence[str]) -> tuple[str, ...]:
    """
    Variables that have network numbers.

    Examples
    --------
    >>> checked_variables(["vil"])
    ('vil',)
    """
    if isinstance(variables, str) or not variables:
        raise ValueError(
            f"variables are {variables!r}, wanted one or several, such as ('vil',)"
        )
    for variable in variables:
        scaling_for(variable)
    return tuple(variables)


def checked_depths(
    widths: Sequence[int], shares: Sequence[float]
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """
    Channels of each depth, and how much it counts.

    Examples
    --------
    >>> checked_depths([8, 16], [0.0, 1.0])
    ((8, 16), (0.0, 1.0))
    """
    whole = all(isinstance(w, int) and not isinstance(w, bool) for w in widths)
    if not widths or not whole or min(widths) < 1:
        raise ValueError(
            f"widths are {tuple(widths)}, wanted channels of one or several depths, "
            f"such as {WIDTHS}"
        )
    least, total = min(shares, default=-1), sum(shares)
    if len(shares) != len(widths) or not least >= 0 or not abs(total - 1) <= 1e-6:
        raise ValueError(
            f"shares are {tuple(shares)}, wanted {len(widths)}, one for each depth, "
            "that are 0 or more and add up to 1"
        )
    return tuple(widths), tuple(float(share) for share in shares)
