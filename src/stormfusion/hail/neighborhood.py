"""What a model of hail sees at a pixel: the radar around it, over a window."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stormfusion.data.scaling import VilCode, scaling_for
from stormfusion.hail.disks import Disk, Whole, in_map

VARIABLES = ("vil", "reflectivity", "rain_rate")
"""What a model may see: radar that is larger where hail is likelier."""

LEVELS = 256
"""A variable is told in so many whole numbers, evenly spaced in the network's."""

CORE = 4
"""A core is averaged over this part of the distance."""

KNOWN = 0.5
"""Share of the disk and window without which nothing is said of a pixel."""


Frame: TypeAlias = tuple[Whole, NDArray[np.bool_] | None]
"""Whole numbers of a frame, and which are known; None for all."""


class Seen(NamedTuple):
    """
    What is seen of the window up to one frame, at each pixel, each from 0 to 255.

    None of them falls where the variable rises anywhere.
    """

    peak: Whole  # the largest value
    core: Whole  # the largest mean over a small disk: one pixel alone is no core
    mean: Whole  # the mean of the largest values in time
    enough: NDArray[np.bool_] | None  # where enough is known; None for everywhere


@dataclass(frozen=True)
class Neighborhood:
    """
    The disk about each pixel, and the frames that are looked back on.

    Parameters
    ----------
    variable
        One of `VARIABLES`.
    distance
        Radius of the disk [m].
    frames
        Frames of the window, the last one included.
    spacing
        Distance between rows and between columns [m].

    Examples
    --------
    >>> around = Neighborhood("vil", 1000.0, 2, (1000.0, 1000.0))
    >>> vil = np.zeros((2, 3, 4), dtype=np.float32)
    >>> vil[0, 1, 0] = 32.2
    >>> list(around.see(vil))[1].peak
    array([[219,   0,   0,   0],
           [219, 219,   0,   0],
           [219,   0,   0,   0]], dtype=uint8)
    """

    variable: str
    distance: float
    frames: int
    spacing: tuple[float, float]

    @cached_property
    def disk(self) -> Disk:
        """The pixels within the distance."""
        return Disk.within(self.distance, self.spacing)

    @cached_property
    def core(self) -> Disk:
        """The pixels within a quarter of it, the next ones always among them."""
        least = max(self.spacing)
        return Disk.within(max(self.distance / CORE, least), self.spacing)

    def see(self, values: NDArray[np.floating[Any]]) -> Iterator[Seen]:
        """
        What is seen up to each frame of physical values (time, y, x), NaN if missing.

        The first frames have fewer before them than the window holds.
        """
        recent: list[Frame] = []
        for frame in values:
            recent = [*recent, self._frame(frame)][-self.frames :]
            yield self._seen(recent)

    def window(self, values: NDArray[np.floating[Any]]) -> Seen:
        """What is seen up to the last frame of one window (time, y, x)."""
        return self._seen([self._frame(frame) for frame in values])

    def _frame(self, values: NDArray[np.floating[Any]]) -> "Frame":
        missing = np.isnan(values)
        return codes(values, self.variable), ~missing if missing.any() else None

    def _seen(self, recent: "list[Frame]") -> Seen:
        strongest = recent[0][0]
        for code, _ in recent[1:]:
            strongest = np.maximum(strongest, code)
        shape = (strongest.shape[0], strongest.shape[1])
        ever, share = None, None
        if any(known is not None for _, known in recent):
            times = np.zeros(shape, dtype=np.uint8)
            for _, known in recent:
                times += 1 if known is None else known
            ever = (times > 0).astype(np.uint8)
            share = self.disk.total(times) / (len(recent) * self.disk.size)
        elif in_map(self.disk, shape).min() < KNOWN * self.disk.size:
            share = in_map(self.disk, shape) / self.disk.size
        return Seen(
            peak=self.disk.largest(strongest),
            core=self.disk.largest(_mean(self.core, strongest, ever)),
            mean=_mean(self.disk, strongest, ever),
            enough=None if share is None else share >= KNOWN,
        )


def codes(values: NDArray[np.floating[Any]], variable: str) -> Whole:
    """
    Physical values as whole numbers from 0 to 255, 0 where dry or missing.

    Those of VIL are SEVIR's bytes.

    Examples
    --------
    >>> codes(np.array([0.0, 32.2, np.nan], dtype=np.float32), "vil")
    array([  0, 219,   0], dtype=uint8)
    """
    scaling = scaling_for(variable)
    highest = 1.0 if isinstance(scaling, VilCode) else 1.25
    dry = float(scaling.denormalize(np.zeros(1))[0])
    found = np.zeros(values.shape, dtype=np.uint8)
    wet = values > dry  # NaN is not
    numbers = scaling.normalize(values[wet].astype(np.float32, copy=False))
    numbers = np.rint(numbers * np.float32((LEVELS - 1) / highest))
    found[wet] = np.minimum(numbers, LEVELS - 1)
    return found


def _mean(disk: Disk, field: Whole, known: Whole | None) -> Whole:
    """Mean over the pixels of the disk that are known, to the nearest whole number."""
    shape = (field.shape[0], field.shape[1])
    part = _part(disk, shape) if known is None else _of_one(disk.total(known))
    mean = np.multiply(disk.total(field), part, dtype=np.float32)
    mean += np.float32(0.5)
    return mean.astype(np.uint8)


@lru_cache(maxsize=16)
def _part(disk: Disk, shape: tuple[int, int]) -> NDArray[np.float32]:
    return _of_one(in_map(disk, shape))


def _of_one(count: Whole) -> NDArray[np.float32]:
    return np.float32(1.0) / np.maximum(count, np.uint16(1)).astype(np.float32)
