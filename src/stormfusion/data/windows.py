"""Windows of frames: stored integers on the host, network numbers on the device."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from stormfusion.data.event import Event, Frames, latest
from stormfusion.data.packing import Packing
from stormfusion.data.scaling import Scaling, numbers, scaling_for
from stormfusion.data.task import Task, regular
from stormfusion.errors import CatalogError, CorruptFileError
from stormfusion.grids import Grid, Regridder
from stormfusion.types import Future, Past, Valid

READ_ERRORS = (OSError, ValueError, RuntimeError)
KNOWN_AREA = 0.5
"""A pixel is known where at least this share of its area is."""


@dataclass(frozen=True, eq=False)
class Stack:
    """The frames of one variable as stored, and the way to the target's grid."""

    stored: Tensor
    packing: Packing
    scaling: Scaling
    present: Tensor
    regridder: Regridder | None = None


@dataclass(frozen=True, eq=False)
class Sample:
    """
    One window: a stack for each input, None where an event lacks it, and the target.

    `failed` names events that could not be read when this window was drawn.
    """

    inputs: tuple[Stack | None, ...]
    target: Stack | None
    shape: tuple[int, int]
    failed: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, eq=False)
class Batch:
    """Network numbers on the device; `valid` is where the target was observed."""

    past: Past
    future: Future
    valid: Valid


def principal(event: Event, task: Task) -> Frames:
    """The frames whose times and grid a window follows: the target's, where it is."""
    if task.target in event.frames:
        return event.frames[task.target]
    return next(iter(event.frames.values()))


def starts(event: Event, task: Task, *, stride: int = 1) -> NDArray[np.int64]:
    """
    First frames of the windows of an event in which no frame is missing or late.

    Examples
    --------
    >>> from stormfusion import Catalog
    >>> event = Catalog.synthetic(events=1, size=64)[0]
    >>> starts(event, Task.infer([event]), stride=12)
    array([ 0, 12, 24])
    """
    if task.target not in event.frames:
        return np.zeros(0, dtype=np.int64)
    time = event.frames[task.target].time
    good = regular(time, task.interval)
    count = time.size - task.frames + 1
    found = [
        start
        for start in range(0, max(count, 0), stride)
        if good[start : start + task.frames - 1].all()
    ]
    return np.array(found, dtype=np.int64)


def take(
    event: Event,
    task: Task,
    start: int,
    *,
    rows: slice | None = None,
    columns: slice | None = None,
    target: bool = True,
) -> Sample:
    """
    Read one window as stored integers.

    Parameters
    ----------
    event, task
        Which storm, and what is mapped.
    start
        Position of the first observed frame among those of the target.
    rows, columns
        Part of the target's grid; all of it by default.
    target
        Whether to read the frames to be forecast. Without it no frame after the last
        observed one is touched.
    """
    main = principal(event, task)
    rows = slice(*(rows or slice(None)).indices(main.grid.shape[0]))
    columns = slice(*(columns or slice(None)).indices(main.grid.shape[1]))
    grid = main.grid.crop(rows, columns)
    history = slice(start, start + task.history)
    stacks: list[Stack | None] = []
    for variable in task.inputs:
        frames = event.frames.get(variable)
        if frames is None:
            stacks.append(None)
        elif frames is main:
            stacks.append(_stack(frames, history, rows, columns))
        else:
            stacks.append(_aligned(frames, main.time[history], grid))
    wanted = None
    if target:
        first = start + task.history + task.first_lead - 1
        wanted = _stack(main, slice(first, first + task.leads), rows, columns)
    return Sample(tuple(stacks), wanted, grid.shape)


def batch(samples: Sequence[Sample], device: torch.device | str = "cpu") -> Batch:
    """
    Network numbers of some windows of one size, made on the device.

    Missing data becomes 0, the dry value, and is told by the validity channel.
    """
    past, future, valid = [], [], []
    for sample in samples:
        channels = []
        length = next(s.stored.shape[0] for s in sample.inputs if s is not None)
        for stack in sample.inputs:
            if stack is None:
                empty = torch.zeros((2, length, *sample.shape), device=device)
                channels.append(empty)
            else:
                value, known = realize(stack, device)
                channels.append(torch.stack((value, known.float())))
        past.append(torch.cat(channels).transpose(0, 1))
        if sample.target is not None:
            value, known = realize(sample.target, device)
            future.append(value)
            valid.append(known)
    shape = (len(samples), 0, *samples[0].shape)
    return Batch(
        torch.stack(past),
        torch.stack(future) if future else torch.zeros(shape, device=device),
        torch.stack(valid)
        if valid
        else torch.zeros(shape, device=device, dtype=torch.bool),
    )


def realize(stack: Stack, device: torch.device | str) -> tuple[Tensor, Tensor]:
    """Network numbers of a stack on the target's grid, and where they are known."""
    value = numbers(stack.stored.to(device), stack.packing, stack.scaling)
    known = torch.isfinite(value) & stack.present.to(device)[:, None, None]
    value = torch.where(known, value, torch.zeros_like(value))
    regridder = stack.regridder
    if regridder is None:
        return value, known
    if regridder.nearest is not None:
        index = torch.from_numpy(regridder.nearest).to(device)
        inside = index >= 0
        index = index.clamp(min=0).flatten()
        value = value.flatten(1)[:, index].unflatten(1, regridder.shape)
        known = known.flatten(1)[:, index].unflatten(1, regridder.shape) & inside
        return torch.where(known, value, torch.zeros_like(value)), known
    rows = torch.from_numpy(regridder.rows).to(device)
    columns = torch.from_numpy(regridder.columns).to(device).T
    area = rows @ known.float() @ columns
    total = rows @ value @ columns
    known = area >= KNOWN_AREA
    return torch.where(
        known, total / area.clamp(min=1e-6), torch.zeros_like(area)
    ), known


class RandomWindows(Dataset[Sample]):
    """
    Windows drawn at random: an event, a time, and a part of the grid, rain preferred.

    An event is drawn in proportion to the windows it holds, in time and on its grid.

    Which window is drawn depends on the seed and the position alone, and positions go
    on from epoch to epoch, so a training that was interrupted draws the same ones. An event that cannot
    be read is passed over, and named in the sample that was drawn instead.

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
        self.choices = [(e, s) for e, s in drawn if s.size]
        areas = [e.frames[task.target].grid.shape for e, _ in self.choices]
        room = np.array([np.prod(area) / np.prod(size) for area in areas])
        self.weights = room * np.array([s.size for _, s in self.choices])
        if not self.choices:
            raise CatalogError(
                f"no event has {task.frames} unbroken frames of {task.target!r} "
                f"({task.history} observed and {task.leads} to forecast); use longer "
                "events, or a smaller history= or leads="
            )

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
                return Sample(sample.inputs, sample.target, sample.shape, tuple(failed))
        raise CorruptFileError(
            f"{len(failed)} events in a row cannot be read, the first is "
            f"{failed[0][0]!r} ({failed[0][1]}); catalog.check() lists all"
        )

    def _order(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Events to try one after the other, in an order of this draw's own."""
        chance = rng.random(self.weights.size) ** (1 / self.weights)
        return np.asarray(np.argsort(-chance)[:16], dtype=np.int64)

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
        wet = _box_means(number > 0.1, height // step, width // step)
        weight = wet + 0.02
        flat = int(rng.choice(weight.size, p=(weight / weight.sum()).ravel()))
        top, left = np.unravel_index(flat, weight.shape)
        y = min(int(top) * step + int(rng.integers(step)), room[0])
        x = min(int(left) * step + int(rng.integers(step)), room[1])
        return slice(y, y + height), slice(x, x + width)


def window_size(
    events: Sequence[Event], task: Task, *, largest: int = 256
) -> tuple[int, int]:
    """Rows and columns that fit in every event, in steps of 16 where there is room."""
    shapes = [
        e.frames[task.target].grid.shape for e in events if task.target in e.frames
    ]
    sizes = [min(largest, *(shape[axis] for shape in shapes)) for axis in (0, 1)]
    height, width = (n if n < 32 else n // 16 * 16 for n in sizes)
    return height, width


def _stack(frames: Frames, span: slice, rows: slice, columns: slice) -> Stack:
    stored = frames.read(span, rows, columns)
    if stored.shape[0] != span.stop - span.start:
        raise CorruptFileError(
            f"{stored.shape[0]} frames of {frames.variable!r} were read, wanted "
            f"{span.stop - span.start}; the file is shorter than its catalog says"
        )
    present = torch.ones(stored.shape[0], dtype=torch.bool)
    return Stack(_tensor(stored), frames.packing, scaling_for(frames.variable), present)


def _aligned(frames: Frames, time: np.ndarray, grid: Grid) -> Stack | None:
    """Another variable's latest frames at these times, and the way to this grid."""
    at = latest(frames.time, time)
    if (at < 0).all():
        return None
    first, last = int(at[at >= 0].min()), int(at.max())
    stored = frames.read(slice(first, last + 1), slice(None), slice(None))
    stored = stored[np.maximum(at - first, 0)]
    same = frames.grid.same_as(grid)
    return Stack(
        _tensor(stored),
        frames.packing,
        scaling_for(frames.variable),
        torch.from_numpy(at >= 0),
        None if same else Regridder.between(frames.grid, grid),
    )


def _tensor(stored: NDArray) -> Tensor:
    """A tensor of a dtype that every device has."""
    wider = {"uint16": "int32", "uint32": "int64", "float64": "float32"}
    dtype = wider.get(stored.dtype.name, stored.dtype.name)
    stored = np.ascontiguousarray(stored, dtype=dtype)
    # a read-only array must be copied before a tensor may share its memory
    return torch.from_numpy(stored if stored.flags.writeable else stored.copy())


def _box_means(wet: NDArray[np.bool_], height: int, width: int) -> NDArray[np.float64]:
    """Mean over every box of this size, by its first row and column."""
    height, width = min(height, wet.shape[0]), min(width, wet.shape[1])
    total = np.pad(wet.astype(np.float64), ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    boxes = total[height:, width:] - total[:-height, width:]
    boxes = boxes - total[height:, :-width] + total[:-height, :-width]
    return boxes / (height * width)
