"""The errors of a network over some windows."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from stormfusion.data.task import Task
from stormfusion.data.windows import RandomWindows, Sample, batch
from stormfusion.sampling.dressing import Dressing
from stormfusion.sampling.statistics import ErrorAmounts, ErrorTexture

RADIUS = 12
"""Rain may turn up about this many pixels from where it is forecast."""

TEXTURES = 32
"""Windows on which the texture of the errors is measured, at most."""

ENOUGH = 32
"""Windows whose errors tell enough to do without those that were learned from."""


def measure(
    network: nn.Module,
    task: Task,
    sources: Sequence[RandomWindows],
    device: str,
    failed: dict[str, str],
) -> tuple[Dressing, tuple[int, ...]]:
    """
    The dressing that the errors over some windows make.

    Parameters
    ----------
    network, task, device
        What forecasts, what, and where.
    sources
        Windows to measure on, those not learned from first. Those after them are used
        where there are fewer than `ENOUGH` before. Of windows of one event that lie
        next to each other in time and space, which tell the same, one is counted.
    failed
        Events that cannot be read are named in it.

    Returns
    -------
    tuple of Dressing and tuple of int
        How many windows were used of each source.
    """
    amounts = ErrorAmounts(task.leads, RADIUS)
    used: list[list[int]] = []
    seen: set[tuple[str, int, int, int]] = set()
    tries = None
    for source in sources:
        used.append([])
        for number in range(len(source))[:tries]:
            sample = source[number]
            failed.update(sample.failed)
            place = _place(sample, task)
            compared = None if place in seen else _compared(network, sample, device)
            if compared is not None and bool(compared[-1].any()):
                seen.add(place)
                used[-1].append(number)
                amounts.add(*compared)
        tries = max(ENOUGH - len(seen), 0)
    quantiles = amounts.quantiles()
    texture = ErrorTexture(quantiles, RADIUS)
    chosen = [
        (source, n) for source, some in zip(sources, used, strict=True) for n in some
    ]
    for source, number in chosen[:TEXTURES]:
        texture.add(*_compared(network, source[number], device))
    dressing = Dressing(quantiles, texture.spectrum(), texture.memory(), RADIUS)
    return dressing, tuple(map(len, used))


def _place(sample: Sample, task: Task) -> tuple[str, int, int, int]:
    """Event, time and part of the grid, as roughly as windows are long and wide."""
    name, start, row, column = sample.origin
    height, width = sample.shape
    return name, start // task.leads, row // height, column // width


def _compared(
    network: nn.Module, sample: Sample, device: str
) -> tuple[Tensor, Tensor, Tensor]:
    """Forecast, observed, and where both are known, of a window."""
    data = batch([sample], device)
    with torch.inference_mode():
        forecast = network(data.past)[0].float()
        valid = data.valid[0] & (data.past[0, :, 1] > 0).any(0)
        valid &= forecast.isfinite()
    return forecast.nan_to_num(0.0), data.future[0], valid
