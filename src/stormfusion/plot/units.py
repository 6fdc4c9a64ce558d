"""Units and hazards as one reads them."""

import re

_POWERS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def powers(text: str) -> str:
    """
    Write the exponents of units as such.

    Examples
    --------
    >>> powers("kg m-2"), powers("ir107")
    ('kg m⁻²', 'ir107')
    """
    return re.sub(
        r"\b([A-Za-z]+)(-?\d)\b", lambda found: _raised(*found.groups()), text
    )


def _raised(unit: str, power: str) -> str:
    return unit + power.translate(_POWERS)


def hazard_words(hazard: str) -> str:
    """
    A hazard as one reads it.

    Examples
    --------
    >>> hazard_words("rain_rate >= 5 mm h-1")
    'rain rate ≥ 5 mm h⁻¹'
    """
    words = hazard.replace(">=", "≥").replace("<=", "≤").replace("_", " ")
    return powers(words)


def bracketed(words: str, units: str) -> str:
    """
    What a number is, with its units.

    Examples
    --------
    >>> bracketed("rain rate", "mm h-1"), bracketed("CSI", "1"), bracketed("score", "")
    ('rain rate [mm h⁻¹]', 'CSI', 'score')
    """
    return words if units in ("1", "") else f"{words} [{powers(units)}]"
