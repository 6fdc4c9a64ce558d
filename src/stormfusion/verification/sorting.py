"""Members in order: a network of exchanges, over many pairs at a time."""

import threading
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

Bare = npt.NDArray[Any]


@lru_cache(maxsize=64)
def exchanges(count: int) -> tuple[tuple[int, int, int], ...]:
    """
    Exchanges that put rows in rising order: Batcher's odd-even merge sort.

    Parameters
    ----------
    count
        How many rows.

    Returns
    -------
    tuple of (int, int, int)
        First, last and step: of the rows from first to before last, each is exchanged
        with the one that is a step further, if that is smaller.

    References
    ----------
    Batcher, K. E., 1968: Sorting networks and their applications. *AFIPS Spring Joint
    Computer Conference*, 307-314, <https://doi.org/10.1145/1468075.1468121>.

    Examples
    --------
    >>> exchanges(3)
    ((0, 1, 1), (0, 1, 2), (1, 2, 1))
    """
    found: list[tuple[int, int, int]] = []
    merged = 1
    while merged < count:
        step = merged
        while step:
            rows = [
                low
                for start in range(step % merged, count - step, 2 * step)
                for low in range(start, min(start + step, count - step))
                if low // (2 * merged) == (low + step) // (2 * merged)
            ]
            found += _runs(rows, step)
            step //= 2
        merged *= 2
    return tuple(found)


def _runs(rows: list[int], step: int) -> list[tuple[int, int, int]]:
    """Neighbouring rows together, as many as do not overlap their partners."""
    runs: list[tuple[int, int, int]] = []
    for row in sorted(rows):
        if runs and row == runs[-1][1] and row - runs[-1][0] < step:
            runs[-1] = (runs[-1][0], row + 1, step)
        else:
            runs.append((row, row + 1, step))
    return runs


def sort_rows(rows: Bare, spare: Bare) -> None:
    """
    Put each column in rising order, in place; a NaN makes its column NaN.

    Parameters
    ----------
    rows
        `(member, pair)` of floating-point numbers.
    spare
        Room for half of it.

    Examples
    --------
    >>> rows = np.array([[3.0, 1.0], [1.0, np.nan], [2.0, 0.0]])
    >>> sort_rows(rows, np.empty((2, 2)))
    >>> rows
    array([[ 1., nan],
           [ 2., nan],
           [ 3., nan]])
    """
    for first, last, step in exchanges(len(rows)):
        low, high = rows[first:last], rows[first + step : last + step]
        least = np.minimum(low, high, out=spare[: last - first])
        np.maximum(low, high, out=high)
        low[...] = least


class _Scratch(threading.local):
    """Room that a thread keeps, so that blocks need not ask the system for it."""

    def __init__(self) -> None:
        self.held: dict[Any, Bare] = {}

    def room(self, use: str, shape: tuple[int, ...], dtype: Any) -> Bare:
        key, size = (use, np.dtype(dtype)), int(np.prod(shape))
        held = self.held.get(key)
        if held is None or held.size < size:
            held = self.held[key] = np.empty(size, dtype)
        return held[:size].reshape(shape)


_SCRATCH = _Scratch()


def scratch(use: str, shape: tuple[int, ...], dtype: Any) -> Bare:
    """
    Room of this thread for one use, with whatever was left in it.

    Examples
    --------
    >>> scratch("rows", (2, 3), np.float32).shape
    (2, 3)
    """
    return _SCRATCH.room(use, shape, dtype)


def crps_pairs(f: Bare, o: Bare, *, fair: bool) -> Bare:
    """
    The CRPS of each pair; see `crps` for the formula.

    Parameters
    ----------
    f, o
        Members and observations, `(member, ...)` and `(...)`.
    fair
        Whether the score is the fair one.

    Returns
    -------
    ndarray
        Exactly 0 where all are equal, NaN where one is missing.

    Examples
    --------
    >>> crps_pairs(np.array([[0.0], [0.0], [1.0]]), np.array([0.0]), fair=False).round(3)
    array([0.111])
    """
    members, shape = len(f), o.shape
    f, o = f.reshape(members, o.size), o.reshape(o.size)
    pairs = o.size
    dtype = np.result_type(f.dtype, o.dtype, np.float32)
    half = (members + 1) // 2
    rows = scratch("rows", (members, pairs), dtype)
    spare = scratch("spare", (half, pairs), dtype)
    np.copyto(rows, f)
    error = np.zeros(pairs, dtype)
    for part in (slice(half), slice(half, None)):
        apart = np.subtract(rows[part], o, out=spare[: len(rows[part])])
        error += np.abs(apart, out=apart).sum(0)
    score = error.astype(np.float64) / members
    if members > 1:
        sort_rows(rows, spare)
        # ties are exact: differences of equal members are 0
        inner = members // 2
        spread = np.subtract(rows[: -inner - 1 : -1], rows[:inner], out=spare[:inner])
        weight = np.arange(members - 1, 0, -2, dtype=dtype)
        between = (weight @ spread).astype(np.float64)
        score -= between / (members * (members - 1 if fair else members))
        # it is never negative but for rounding
        np.maximum(score, 0.0, out=score)
    return score.reshape(shape)
