"""Network numbers of windows, made on the device."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from stormfusion.data.scaling import numbers, physical
from stormfusion.data.windows.reading import Sample, Stack
from stormfusion.grids import KNOWN_AREA
from stormfusion.types import Future, Past, Valid


@dataclass(frozen=True, eq=False)
class Batch:
    """
    Network numbers on the device.

    Parameters
    ----------
    past
        A value and a validity (1 where observed) for each input in turn.
    future
        The target, 0 where it was not observed.
    valid
        Where the target was observed.
    """

    past: Past
    future: Future
    valid: Valid


def batch(samples: Sequence[Sample], device: torch.device | str = "cpu") -> Batch:
    """
    Network numbers of some windows of one size, made on the device.

    Missing data becomes 0, the dry value, and is told by the validity channel.

    Parameters
    ----------
    samples
        Windows, all of one size, all with the frames to be forecast or all without.
    device
        Where the numbers are made and stay.

    Examples
    --------
    >>> from stormfusion import Catalog
    >>> from stormfusion.data.task import Task
    >>> from stormfusion.data.windows import take
    >>> event = Catalog.synthetic(events=1, size=64)[0]
    >>> data = batch([take(event, Task.infer([event]), 0)])
    >>> data.past.shape, data.future.shape
    (torch.Size([1, 13, 2, 64, 64]), torch.Size([1, 12, 64, 64]))
    """
    past, future, valid = [], [], []
    for sample in samples:
        channels = []
        for stack in sample.inputs:
            if stack is None:
                shape = (2, sample.history, *sample.shape)
                channels.append(torch.zeros(shape, device=device))
            else:
                value, known = realize(stack, device)
                channels.append(torch.stack((value, known.float())))
        past.append(torch.cat(channels).transpose(0, 1))
        if sample.target is not None:
            value, known = realize(sample.target, device)
            future.append(value)
            valid.append(known)
    if future:
        return Batch(torch.stack(past), torch.stack(future), torch.stack(valid))
    none = torch.zeros((len(samples), 0, *samples[0].shape), device=device)
    return Batch(torch.stack(past), none, none > 0)


def realize(stack: Stack, device: torch.device | str) -> tuple[Tensor, Tensor]:
    """
    Network numbers of a stack on the target's grid, and where they are known.

    Their first row is in the north and their first column in the west, however the
    rows and columns of the data run: a network sees all maps as they are read.

    Pixels are averaged as physical values, as `Regridder.apply` does, and scaled then.

    Examples
    --------
    >>> from stormfusion import Catalog
    >>> from stormfusion.data.task import Task
    >>> from stormfusion.data.windows import take
    >>> event = Catalog.synthetic(events=1, size=64)[0]
    >>> task = Task.infer([event], inputs=("ir107",))
    >>> value, known = realize(take(event, task, 0).inputs[0], "cpu")
    >>> value.shape, bool(known.all())
    (torch.Size([13, 64, 64]), True)
    """
    stored, present = stack.stored.to(device), stack.present.to(device)[:, None, None]
    regridder = stack.regridder
    if regridder is None:
        value = numbers(stored, stack.packing, stack.scaling)
        known = torch.isfinite(value) & present
        return _dry_where_unknown(value, known, stack.flips)
    value = physical(stored, stack.packing)
    known = torch.isfinite(value) & present
    value = torch.where(known, value, torch.zeros_like(value))
    if regridder.nearest is not None:
        index = torch.from_numpy(regridder.nearest).to(device)
        inside, index = index >= 0, index.clamp(min=0).flatten()
        shape = (-1, *regridder.shape)
        value = value.flatten(1)[:, index].reshape(shape)
        known = known.flatten(1)[:, index].reshape(shape) & inside
    else:
        rows = torch.as_tensor(regridder.rows).to(device)
        columns = torch.as_tensor(regridder.columns).to(device).T
        area = rows @ known.float() @ columns
        value = rows @ value @ columns / area.clamp(min=1e-6)
        known = area >= KNOWN_AREA
    return _dry_where_unknown(stack.scaling.normalize(value), known, stack.flips)


def _dry_where_unknown(
    value: Tensor, known: Tensor, flips: tuple[int, ...]
) -> tuple[Tensor, Tensor]:
    value = torch.where(known, value, torch.zeros_like(value))
    return (value.flip(flips), known.flip(flips)) if flips else (value, known)
