"""Fields as small codes: 254 values in a table, nothing, and missing."""

import base64
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PARTLY, NEVER, MISSING = 253, 254, 255
"""Codes of a window known in part, of what does not come at all, and of the unknown."""
STEPS = 200
"""Steps of a probability, each of half a percent."""

Values = NDArray[np.float32]
Code = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Codes:
    """
    A table of at most 254 values, and the number of the nearest for each of a field.

    Parameters
    ----------
    table
        The values, ascending.
    note
        How near they are, in words.
    no_less, no_more
        Whether what is above the first value never gets its code, so that a small
        probability is not 0; and what is below the last, so that a large one is not 1.

    Examples
    --------
    >>> codes = probability_codes()
    >>> codes.encode(np.array([0, 0.001, 0.3, 0.999, 1, np.nan], np.float32))
    array([  0,   1,  60, 199, 200, 255], dtype=uint8)
    """

    table: Values
    note: str
    no_less: bool = False
    no_more: bool = False

    def encode(self, values: Values, never: NDArray[np.bool_] | None = None) -> Code:
        """Codes of a field: missing where it is NaN, but for where it never comes."""
        middles = (self.table[1:] + self.table[:-1]) / 2
        found = np.searchsorted(middles, values, side="right")
        last = self.table.size - 1
        if self.no_less:
            found[(found == 0) & (values > self.table[0])] = 1
        if self.no_more:
            found[(found == last) & (values < self.table[-1])] = last - 1
        found = np.where(np.isnan(values), MISSING, found).astype(np.uint8)
        if never is not None:
            found[never] = NEVER
        return np.asarray(found)


def probability_codes() -> Codes:
    """Codes of probabilities, in steps of half a percent."""
    table = (np.arange(STEPS + 1) / STEPS).astype(np.float32)
    return Codes(table, "to half a percent", no_less=True, no_more=True)


def codes_of(fields: list[Values], *, floor: float | None) -> Codes:
    """
    Codes for all fields of a quantity: their own values if these are few.

    Otherwise the table is even; or, where a `floor` tells from where on there is
    something to see, of values that each are the same share above the one before.

    Examples
    --------
    >>> few = codes_of([np.array([0.0, 2.5, 2.5, 7.0, np.nan], np.float32)], floor=None)
    >>> few.table, few.note
    (array([0. , 2.5, 7. ], dtype=float32), 'as they are')
    """
    table = _distinct(fields)
    if table is not None:
        return Codes(table, "as they are")
    known = [field for field in fields if np.isfinite(field).any()]
    low = min(float(np.nanmin(field)) for field in known)
    high = max(float(np.nanmax(field)) for field in known)
    if floor is not None and low >= 0 and high > floor > 0:
        above = np.geomspace(floor / 4, high, NEVER - 1)
        share = above[1] / above[0] - 1
        table = np.append(0.0, above).astype(np.float32)
        return Codes(table, f"within {50 * share:.1g} %", no_less=True)
    table = np.linspace(low, high, NEVER).astype(np.float32)
    return Codes(table, f"within {(high - low) / (NEVER - 1) / 2:.1g}")


def _distinct(fields: list[Values]) -> Values | None:
    """The values of fields, None where they are too many."""
    found = np.empty(0, dtype=np.float32)
    for field in fields:
        known = field[np.isfinite(field)]
        # a part tells most often that all are too many
        for part in (known[:: max(1, known.size // 4096)], known):
            found = np.union1d(found, part).astype(np.float32)
            if found.size > NEVER:
                return None
    return found if found.size else np.zeros(1, dtype=np.float32)


def pack(codes: Code) -> str:
    """
    Text of a field of codes: a letter, and what zlib makes of it in base64.

    The letter is `d` where each row is told as differences, from left to right, which
    may take less, and `v` else.

    Examples
    --------
    >>> pack(np.zeros((64, 64), np.uint8))[:1]
    'v'
    """
    change = codes.copy()
    change[:, 1:] -= codes[:, :-1]  # rolls over below 0
    ways = {"v": codes, "d": change}
    packed = {key: zlib.compress(way.tobytes(), 9) for key, way in ways.items()}
    key = min(packed, key=lambda each: (len(packed[each]), each != "v"))
    return key + base64.b64encode(packed[key]).decode("ascii")


def coarse(values: Values, factor: int, *, least: bool = False) -> Values:
    """
    The largest value of each block of `factor` by `factor` pixels, or the least.

    A missing pixel does not count; where all of a block are missing, it is. Blocks at
    the lower and the right edge may be smaller.

    Examples
    --------
    >>> field = np.array([[0.1, 0.5, 0.2], [np.nan, 0.3, np.nan]], np.float32)
    >>> coarse(field, 2)
    array([[0.5, 0.2]], dtype=float32)
    """
    if factor == 1:
        return values
    bare, pick = (np.inf, np.minimum) if least else (-np.inf, np.maximum)
    filled = np.where(np.isnan(values), np.float32(bare), values)
    for axis, size in enumerate(values.shape):
        filled = pick.reduceat(filled, np.arange(0, size, factor), axis=axis)
    return np.where(np.isinf(filled), np.float32(np.nan), filled)
