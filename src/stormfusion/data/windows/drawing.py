"""Windows drawn from events, at random and yet the same every time."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from stormfusion.data.audit import READ_ERRORS
from stormfusion.data.event import Event
from stormfusion.data.scaling import scaling_for
from stormfusion.data.task import Task
from stormfusion.data.windows.reading import Sample, starts, take
from stormfusion.errors import CatalogError, CorruptFileError


class RandomWindows(Dataset[Sample]):
    """
    Windows drawn at random: an event, a time, and a part of the grid, rain preferred.

    An event is drawn in proportion to the windows it holds, in time and on its grid.
    Which window is drawn depends on the seed and the position alone, and positions go
    on from epoch to epoch, so a training that was interrupted draws the same ones. An
    event that cannot be read is passed over, and named in the sample that was drawn
    instead.

    Parameters
    ----------
    events, task
        What to draw from, for what.
    size
        Rows and columns of a window; an event smaller than that is not drawn.
    count
        Number of windows in an epoch; later positions are drawn likewise.
    seed
        Seed of the draws.
    strict
        Raise an error for an event that cannot be read.

    Raises
    ------
    CatalogError
        If no event has enough unbroken frames, or none is as large as a window.
    CorruptFileError
        When drawing, if 16 events in a row cannot be read, or all there are.

    Examples
    --------
    >>> from stormfusion import Catalog
    >>> events = list(Catalog.synthetic(events=2, size=64))
    >>> windows = RandomWindows(events, Task.infer(events), size=(32, 32), count=4)
    >>> windows[3].shape
    (32, 32)
    """

    def __init__(
        self,
        events: Sequence[Event],
        task: Task,
        *,
        size: tuple[int, int],
        count: int,
        seed: int = 0,
        strict: bool = False,
    ) -> None:
        self.task = task
        self.size = size
        self.count = count
        self.seed = seed
        self.strict = strict
        drawn = [(e, starts(e, task)) for e in events]
        long = [(e, s) for e, s in drawn if s.size]
        if not long:
            raise CatalogError(
                f"no event has {task.frames} unbroken frames of {task.target!r} "
                f"({task.history} observed and {task.leads} to forecast); use longer "
                "events, or a smaller history= or leads="
            )
        shapes = [e.frames[task.target].grid.shape for e, _ in long]
        fits = [h >= size[0] and w >= size[1] for h, w in shapes]
        if not any(fits):
            raise CatalogError(
                f"no event is as large as a window of {size[0]} x {size[1]} pixels, "
                f"the largest has {max(shapes)}; use smaller windows or larger events"
            )
        self.choices = [c for c, fit in zip(long, fits, strict=True) if fit]
        areas = [np.prod(s) for s, fit in zip(shapes, fits, strict=True) if fit]
        room = np.array(areas, dtype=np.float64) / np.prod(size)
        self.weights = room * np.array([found.size for _, found in self.choices])

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Sample:
        rng = np.random.default_rng((self.seed, index))
        failed: list[tuple[str, str]] = []
        for number in self._order(rng):
            event, found = self.choices[number]
            start = int(rng.choice(found))
            try:
                rows, columns = self._place(event, start, rng)
                sample = take(event, self.task, start, rows=rows, columns=columns)
            except READ_ERRORS as error:
                if self.strict:
                    raise
                failed.append((event.id, str(error)))
            else:
                return replace(sample, failed=tuple(failed))
        raise CorruptFileError(
            f"{len(failed)} events in a row cannot be read, the first is "
            f"{failed[0][0]!r} ({failed[0][1]}); catalog.check() lists all"
        )

    def _order(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Events to try one after the other, in an order of this draw's own."""
        # the first to arrive of Poisson processes with these rates, then the second
        arrival = rng.exponential(size=self.weights.size) / self.weights
        return np.asarray(np.argsort(arrival)[:16], dtype=np.int64)

    def _place(
        self, event: Event, start: int, rng: np.random.Generator
    ) -> tuple[slice, slice]:
        frames = event.frames[self.task.target]
        height, width = self.size
        room = (frames.grid.shape[0] - height, frames.grid.shape[1] - width)
        if room == (0, 0):
            return slice(0, height), slice(0, width)
        step = max(1, min(height, width) // 32)
        last = start + self.task.history - 1
        stored = frames.read(slice(last, last + 1), slice(None), slice(None))
        values = frames.packing.decode(stored[0, ::step, ::step]).astype(np.float64)
        number = scaling_for(frames.variable).normalize(values)
        box = (max(height // step, 1), max(width // step, 1))
        # the more rain the likelier; dry ones seldom, unknown ones next to never
        weight = _box_means(number > 0.1, *box)
        weight = weight + 0.02 * _box_means(np.isfinite(number), *box) + 1e-6
        flat = int(rng.choice(weight.size, p=(weight / weight.sum()).ravel()))
        top, left = np.unravel_index(flat, weight.shape)
        y = min(int(top) * step + int(rng.integers(step)), room[0])
        x = min(int(left) * step + int(rng.integers(step)), room[1])
        return slice(y, y + height), slice(x, x + width)


def window_size(
    events: Sequence[Event], task: Task, *, largest: int = 256
) -> tuple[int, int]:
    """
    Rows and columns that fit in every event, in steps of 16 where there is room.

    Examples
    --------
    >>> from stormfusion import Catalog
    >>> events = list(Catalog.synthetic(events=1, size=(60, 100)))
    >>> window_size(events, Task.infer(events))
    (48, 96)
    """
    shapes = [
        e.frames[task.target].grid.shape for e in events if task.target in e.frames
    ]
    sizes = [min([largest, *(shape[axis] for shape in shapes)]) for axis in (0, 1)]
    height, width = (n if n < 32 else n // 16 * 16 for n in sizes)
    return height, width


def _box_means(wet: NDArray[np.bool_], height: int, width: int) -> NDArray[np.float64]:
    """Mean over every box of this size, by its first row and column."""
    height, width = min(height, wet.shape[0]), min(width, wet.shape[1])
    total = np.pad(wet.astype(np.float64), ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    boxes = total[height:, width:] - total[:-height, width:]
    boxes = boxes - total[height:, :-width] + total[:-height, :-width]
    # sums of whole numbers, but a difference may be a little under nothing
    return np.asarray(np.maximum(boxes, 0.0) / (height * width))
