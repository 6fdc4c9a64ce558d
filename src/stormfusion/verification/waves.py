"""The waves of a map: their power, summed in classes of wavelength."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.fft

WAVELENGTHS: tuple[float, ...] = tuple(2.0 ** (i / 2) for i in range(19))
"""Edges of the classes of wavelength [km]: 1, 1.41, 2, 2.83, 4, ..., 512."""

Bare = npt.NDArray[Any]


def wave_sums(
    f: Bare, o: Bare, numbers: Callable[[Bare], Bare], spacing: tuple[float, float]
) -> Bare:
    """
    Modes, forecast power and observed power of one map, by class of wavelength.

    Parameters
    ----------
    f, o
        Members `(member, y, x)` and the observed map `(y, x)`. What is missing in any
        of them is 0 in all.
    numbers
        Makes of values the numbers to be compared.
    spacing
        Distance between rows and between columns [km].

    Returns
    -------
    ndarray
        `(3, class)`; zeros where no pixel is valid. The power of the forecast is the
        mean of that of the members.

    Examples
    --------
    >>> noise = np.random.default_rng(0).random((4, 4))
    >>> wave_sums(noise[None], noise, np.asarray, (1.0, 1.0)).sum(1)[0]
    np.float64(15.0)
    """
    dtype = np.dtype(np.result_type(f, o, np.float32))
    plan = _plan(*o.shape, *spacing, dtype)
    frames = (*f, o)
    with np.errstate(over="ignore", invalid="ignore"):
        fields = [numbers(frame.astype(dtype, copy=False)) for frame in frames]
        complete = all(np.isfinite(field.sum()) for field in fields)
    if not complete:
        valid = np.logical_and.reduce([np.isfinite(field) for field in fields])
        if not valid.any():
            return np.zeros((3, len(WAVELENGTHS) - 1))
        fields = [np.where(valid, field, 0) for field in fields]
    *members, observed = (_power(field, plan) for field in fields)
    return np.stack([plan.modes, np.mean(members, axis=0), observed])


def has_waves(shape: tuple[int, int], spacing: tuple[float, float]) -> bool:
    """
    Whether a grid has a wave of any class.

    Examples
    --------
    >>> has_waves((8, 8), (1.0, 1.0)), has_waves((8, 8), (0.001, 0.001))
    (True, False)
    """
    return bool(_plan(*shape, *spacing, np.dtype(np.float32)).modes.any())


@dataclass(frozen=True, eq=False)
class _Plan:
    """What maps of one size share: the window, and which waves are of which class."""

    window: Bare
    total: float
    square: float
    waves: Bare
    starts: Bare
    classes: Bare
    modes: Bare
    factor: float


@lru_cache(maxsize=8)
def _plan(height: int, width: int, dy: float, dx: float, dtype: np.dtype[Any]) -> _Plan:
    """Waves as places in the result of `rfft2`, those of each class together."""
    ky, kx = np.fft.fftfreq(height, dy), np.fft.rfftfreq(width, dx)
    with np.errstate(divide="ignore"):
        # an edge is met in spite of rounding, and halves of octaves are counted from 0
        found = np.floor(0.0001 - 2.0 * np.log2(np.hypot(ky[:, None], kx))).ravel()
    size = len(WAVELENGTHS) - 1
    number = np.where((found < 0) | (found >= size), size, found).astype(np.intp)
    waves = np.argsort(number, kind="stable")[: np.count_nonzero(number < size)]
    classes, starts = np.unique(number[waves], return_index=True)
    twice = np.ones((height, kx.size))
    twice[:, _conjugates(width)] = 2.0
    modes = np.bincount(number, twice.ravel(), size + 1)[:size]
    hann = [np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 2 for n in (height, width)]
    window = np.outer(*hann)
    square = float(np.sum(window**2))
    return _Plan(
        window=window.astype(dtype),
        total=float(window.sum()),
        square=square,
        waves=waves,
        starts=starts,
        classes=classes,
        modes=modes,
        factor=dy * dx / square,
    )


def _conjugates(width: int) -> slice:
    """Columns of `rfft2` that stand for a wave and its conjugate."""
    return slice(1, (width + 1) // 2)


def _power(field: Bare, plan: _Plan) -> Bare:
    r"""$|F|^2 \Delta y \Delta x / \sum w^2$ by class; 0 where it is rounding alone."""
    window, number = plan.window, field.dtype.type
    mean = _sum(np.einsum("yx,yx->y", field, window)) / plan.total
    part = np.multiply(field - number(mean), window)
    # in float32 what the mean leaves may be no longer small, so once more
    part -= number(_sum(part.sum(1)) / plan.total) * window
    flat = part.ravel()
    scale = float(np.dot(flat, flat)) + mean**2 * plan.square
    waves = scipy.fft.rfft2(part, overwrite_x=True)
    power = np.square(waves.real)
    power += np.square(waves.imag)
    power[:, _conjugates(field.shape[1])] *= 2
    found = np.zeros(plan.modes.size)
    if plan.waves.size:
        sorted_by_class = power.ravel()[plan.waves]
        sums = np.add.reduceat(sorted_by_class, plan.starts, dtype=np.float64)
        found[plan.classes] = sums
    least = 20 * float(np.finfo(field.dtype).eps) ** 2 * scale
    return np.where(found > least * plan.modes, found * plan.factor, 0.0)


def _sum(rows: Bare) -> float:
    return float(rows.sum(dtype=np.float64))
