"""Windows read from events: stored integers, as they lie in the files."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stormfusion.data.event import Event, Frames, Times, latest
from stormfusion.data.packing import Packing
from stormfusion.data.scaling import Scaling, scaling_for
from stormfusion.data.task import Task, regular
from stormfusion.errors import CorruptFileError
from stormfusion.grids import Grid, Regridder


@dataclass(frozen=True, eq=False)
class Stack:
    """
    The frames of one variable as stored, and the way to the target's grid.

    Parameters
    ----------
    stored
        Stored numbers with the dimensions (time, y, x), of an integer type where the
        file has one.
    packing, scaling
        What turns them into physical values, and those into network numbers.
    present
        Which frames there are; the others hold another time's and count as missing.
    regridder
        The way to the target's grid, None where they lie on it.
    flips
        Axes of that grid to be reversed for a map as it is read.
    """

    stored: Tensor
    packing: Packing
    scaling: Scaling
    present: Tensor
    regridder: Regridder | None = None
    flips: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Sample:
    """
    One window: a stack for each input, None where an event lacks it, and the target.

    Parameters
    ----------
    inputs, target
        Stacks of frames; no target where none was asked for.
    history
        Number of frames of the inputs.
    shape
        Rows and columns of the window, on the target's grid.
    origin
        Id of the event, its first frame, row and column: what tells it from others.
    failed
        Ids of events that could not be read when this window was drawn, and why.
    """

    inputs: tuple[Stack | None, ...]
    target: Stack | None
    history: int
    shape: tuple[int, int]
    origin: tuple[str, int, int, int]
    failed: tuple[tuple[str, str], ...] = ()


def principal(event: Event, task: Task) -> Frames:
    """
    The frames whose times and grid a window follows: the target's, where it is.

    Examples
    --------
    >>> from stormfusion import Catalog
    >>> event = Catalog.synthetic(events=1, size=64)[0]
    >>> principal(event, Task.infer([event], inputs=("ir107",))).variable
    'vil'
    """
    if task.target in event.frames:
        return event.frames[task.target]
    return next(iter(event.frames.values()))


def starts(event: Event, task: Task, *, stride: int = 1) -> NDArray[np.int64]:
    """
    First frames of the windows of an event in which no frame is missing or late.

    Parameters
    ----------
    event, task
        Which storm, and what is mapped; without the task's target there is no window.
    stride
        Frames from one window to the next.

    Returns
    -------
    ndarray
        Positions among the frames of the target.

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

    Raises
    ------
    CatalogError
        If the frames to be forecast are asked for and the event has none.
    IndexError
        If the window does not lie within the frames of the target.
    OSError
        If a file cannot be read.

    Examples
    --------
    >>> from stormfusion import Catalog
    >>> event = Catalog.synthetic(events=1, size=64)[0]
    >>> sample = take(event, Task.infer([event]), 0)
    >>> sample.inputs[0].stored.shape, sample.inputs[0].stored.dtype
    (torch.Size([13, 64, 64]), torch.uint8)
    """
    main = event.stored(task.target) if target else principal(event, task)
    length = task.frames if target else task.history
    if not 0 <= start <= main.time.size - length:
        raise IndexError(
            f"a window of {length} frames from frame {start} does not lie within the "
            f"{main.time.size} frames of event {event.id!r}; choose one of its starts"
        )
    rows = slice(*(rows or slice(None)).indices(main.grid.shape[0]))
    columns = slice(*(columns or slice(None)).indices(main.grid.shape[1]))
    grid = main.grid.crop(rows, columns)
    history = slice(start, start + task.history)
    stacks: list[Stack | None] = []
    for variable in task.inputs:
        frames = event.frames.get(variable)
        if frames is None:
            stacks.append(None)
        elif variable == main.variable:
            stacks.append(_stack(frames, history, rows, columns))
        else:
            stacks.append(_aligned(frames, main.time[history], grid))
    wanted = None
    if target:
        first = start + task.history + task.first_lead - 1
        wanted = _stack(main, slice(first, first + task.leads), rows, columns)
    origin = (event.id, start, rows.start, columns.start)
    return Sample(tuple(stacks), wanted, task.history, grid.shape, origin)


def _stack(frames: Frames, span: slice, rows: slice, columns: slice) -> Stack:
    stored = frames.read(span, rows, columns)
    if stored.shape[0] != span.stop - span.start:
        raise CorruptFileError(
            f"{stored.shape[0]} frames of {frames.variable!r} were read, wanted "
            f"{span.stop - span.start}; the file is shorter than its catalog says"
        )
    present = torch.ones(stored.shape[0], dtype=torch.bool)
    scaling = scaling_for(frames.variable)
    flips = frames.grid.flips
    return Stack(tensor_of(stored), frames.packing, scaling, present, flips=flips)


def _aligned(frames: Frames, time: Times, grid: Grid) -> Stack | None:
    """Another variable's latest frames at these times, and the way to this grid."""
    at = latest(frames.time, time)
    if (at < 0).all():
        return None
    needed = Regridder.between(frames.grid, grid).trimmed()
    if needed is None:
        return None
    rows, columns, regridder = needed
    first, last = int(at[at >= 0].min()), int(at.max())
    stored = frames.read(slice(first, last + 1), rows, columns)
    return Stack(
        tensor_of(stored[np.maximum(at - first, 0)]),
        frames.packing,
        scaling_for(frames.variable),
        torch.from_numpy(at >= 0),
        regridder,
        grid.flips,
    )


def tensor_of(stored: NDArray[Any]) -> Tensor:
    """
    A tensor of a dtype that every device has.

    Examples
    --------
    >>> tensor_of(np.array([1, 2], dtype=np.uint16))
    tensor([1, 2], dtype=torch.int32)
    """
    wider = {"uint16": "int32", "uint32": "int64", "float64": "float32"}
    dtype = wider.get(stored.dtype.name, stored.dtype.name)
    stored = np.ascontiguousarray(stored, dtype=dtype)
    # a read-only array must be copied before a tensor may share its memory
    return torch.from_numpy(stored if stored.flags.writeable else stored.copy())
