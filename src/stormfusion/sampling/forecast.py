"""A network run on a storm: one forecast, its labels and its members."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm.auto import tqdm

from stormfusion.data.event import Event, Frames
from stormfusion.data.labels import forecast_array
from stormfusion.data.scaling import scaling_for
from stormfusion.data.selection import moment
from stormfusion.data.task import Task, regular
from stormfusion.data.windows import (
    RandomWindows,
    Sample,
    batch,
    principal,
    realize,
    take,
)
from stormfusion.errors import CatalogError
from stormfusion.grids import Grid
from stormfusion.nn import tiling
from stormfusion.sampling.dressing import Dressing
from stormfusion.sampling.statistics import ErrorAmounts, ErrorTexture

RADIUS = 12
"""Rain may turn up about this many pixels from where it is forecast."""

TEXTURES = 32
"""Windows on which the texture of the errors is measured, at most."""

ENOUGH = 32
"""Windows whose errors tell enough to do without those that were learned from."""


@dataclass(frozen=True, eq=False)
class Forecast:
    """
    A deterministic forecast in network numbers, with what labels it.

    Inside, its first row is in the north and its first column in the west; what leaves
    it, `array` and `members`, has the order of the data's own rows and columns.
    """

    numbers: Tensor
    missing: NDArray[np.bool_]
    task: Task
    frames: Frames
    reference_time: pd.Timestamp
    stale: int = 0
    """How many of the last frames seen hold nothing at all."""

    def label(self, values: NDArray[np.float32]) -> xr.DataArray:
        """Physical values, of this forecast or of its members, with their labels."""
        return forecast_array(values, self.task, self.frames.grid, self.reference_time)

    def array(self) -> xr.DataArray:
        """The forecast itself, labelled."""
        return self.label(outward(self._physical(self.numbers), self.frames.grid))

    def members(
        self, dressing: Dressing, members: range, *, seed: int
    ) -> Iterator[NDArray[np.float32]]:
        """
        Members, physical values one after the other.

        VIL is rounded to the 256 values that SEVIR stores.
        """
        when = int(self.reference_time.timestamp()) % 2**32
        mixed = int(np.random.SeedSequence((seed, when)).generate_state(1)[0])
        fitting = dressing.fitted_to(self.numbers)
        where = fitting.where.cpu().numpy()
        base = self._physical(self._stored(self.numbers))
        hole = np.broadcast_to(self.missing, base.shape).ravel()[where]
        target = self.task.target
        for number in tqdm(members, desc="members", delay=3, leave=False):
            # a context around the yield would hold in the caller's code, too
            with torch.inference_mode():
                drawn = self._stored(fitting.draw(number, mixed))
                values = physical(drawn, target)
            values[hole] = np.nan
            member = base.copy()
            member.ravel()[where] = values
            yield outward(member, self.frames.grid)

    def _physical(self, numbers: Tensor) -> NDArray[np.float32]:
        """Physical values of network numbers, NaN where nothing was seen."""
        values = physical(numbers, self.task.target)
        return np.where(self.missing, np.float32(np.nan), values)

    def _stored(self, numbers: Tensor) -> Tensor:
        return (255 * numbers).round() / 255 if self.task.target == "vil" else numbers


def physical(numbers: Tensor, variable: str) -> NDArray[np.float32]:
    """
    Physical values of network numbers, as events compare them with a threshold.

    What was a hundredth on disk comes back from the logarithm within a millionth of it.
    So values are rounded, to a ten-thousandth below 10 and a thousandth above: a value
    that was on a threshold is on it again. VIL goes through a table and stays.

    Examples
    --------
    >>> physical(scaling_for("rain_rate").normalize(torch.tensor([4.97])), "rain_rate")
    array([4.97], dtype=float32)
    """
    values: NDArray[np.float32] = (
        scaling_for(variable).denormalize(numbers.float()).cpu().numpy()
    )
    if variable == "vil":
        return values
    return np.where(np.abs(values) < 10, values.round(4), values.round(3))


def outward(values: NDArray[np.float32], grid: Grid) -> NDArray[np.float32]:
    """Values with the north in their first row, in the order of a grid's own rows."""
    return np.ascontiguousarray(np.flip(values, grid.flips))


def run(
    network: nn.Module,
    event: Event,
    start: int,
    task: Task,
    device: str,
    *,
    last_only: bool = False,
) -> Forecast:
    """
    Forecast from the frames of an event that begin at `start`.

    Parameters
    ----------
    network
        On its device.
    event, start, task
        What it sees; no frame after the last observed one is read.
    device
        Where.
    last_only
        Whether a pixel is missing in the forecast if it is in the last frame; it is
        otherwise if it is in all of them.
    """
    frames = principal(event, task)
    data = batch([take(event, task, start, target=False)], device)
    known = data.past[0, :, 1] > 0
    if not bool(known.any()):
        raise CatalogError(
            f"all {task.history} frames of {task.inputs[0]!r} of event {event.id!r} "
            "are missing, there is nothing to forecast from; choose another time"
        )
    with torch.inference_mode():
        numbers = tiling.forecast(network, data.past)[0].float()
    seen = known[-1] if last_only else known.any(0)
    reference = pd.Timestamp(frames.time[start + task.history - 1])
    stale = int(known.flatten(1).any(1).flip(0).nonzero()[0])
    missing = (~seen).cpu().numpy()
    return Forecast(numbers, missing, task, frames, reference, stale)


def observation(event: Event, start: int, task: Task) -> xr.DataArray:
    """
    What came in the frames that a forecast from `start` is of.

    It is taken through the variable's scaling, as the forecast is: values below the
    least that the network knows (reflectivity under -10 dBZ) are that least one.
    """
    window = take(event, task, start)
    assert window.target is not None
    value, known = realize(window.target, "cpu")
    value = torch.where(known, value, torch.nan)
    values = physical(value, task.target)
    frames = principal(event, task)
    values = outward(values, frames.grid)
    reference = frames.time[start + task.history - 1]
    return forecast_array(values, task, frames.grid, reference)


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
    return forecast, data.future[0], valid


def first_frame(event: Event, task: Task, reference_time: object | None) -> int:
    """Where the frames begin that a forecast from a reference time sees."""
    time = principal(event, task).time
    last = _position(event, time, reference_time)
    start = last - task.history + 1
    if start < 0 or not regular(time[start : last + 1], task.interval).all():
        raise CatalogError(
            f"event {event.id!r} has no {task.history} unbroken frames up to "
            f"{time[last]}, the model sees as many; choose a later reference_time or "
            "longer data"
        )
    return start


def _position(event: Event, time: NDArray[Any], reference_time: object | None) -> int:
    if reference_time is None:
        return int(time.size) - 1
    try:
        wanted = moment(reference_time).to_datetime64()
    except ValueError as error:
        raise ValueError(
            f"reference_time is {str(reference_time)[:80]!r}, wanted one time, such "
            "as event.time[12] or '2019-06-01T12:00'"
        ) from error
    at = np.flatnonzero(time == wanted)
    if at.size == 0:
        nearest = time[int(np.argmin(np.abs(time - wanted)))]
        raise CatalogError(
            f"event {event.id!r} has no frame at reference_time {wanted}, the nearest "
            f"is {nearest}; choose one of event.time"
        )
    return int(at[0])
