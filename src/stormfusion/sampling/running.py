"""A network, or a nowcast without training, run on a storm."""

from typing import Any

import numpy as np
import pandas as pd
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import nn

from stormfusion.classical import Classic
from stormfusion.data.event import Event
from stormfusion.data.labels import forecast_array
from stormfusion.data.selection import moment
from stormfusion.data.task import Task, regular
from stormfusion.data.windows import batch, principal, realize, take
from stormfusion.errors import CatalogError
from stormfusion.nn import tiling
from stormfusion.sampling.classics import ClassicForecast
from stormfusion.sampling.forecast import Forecast, outward, physical


def run(
    network: nn.Module,
    event: Event,
    start: int,
    task: Task,
    device: str,
) -> Forecast | ClassicForecast:
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

    Returns
    -------
    Forecast or ClassicForecast
        Of a network, a pixel is missing if it is in all frames; a nowcast without
        training tells itself what is.
    """
    frames = principal(event, task)
    data = batch([take(event, task, start, target=False)], device)
    known = data.past[0, :, 1] > 0
    if not bool(known.any()):
        raise CatalogError(
            f"all {task.history} frames of {task.inputs[0]!r} of event {event.id!r} "
            "are missing, there is nothing to forecast from; choose another time"
        )
    reference = pd.Timestamp(frames.time[start + task.history - 1])
    stale = int(known.flatten(1).any(1).flip(0).nonzero()[0])
    if isinstance(network, Classic):
        return ClassicForecast(network, data.past, task, frames, reference, stale)
    with torch.inference_mode():
        numbers = tiling.forecast(network, data.past)[0].float()
    missing = (~known.any(0)).cpu().numpy()
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


def unbroken(
    event: Event, task: Task, reference_time: object | None, *, most: int
) -> int:
    """How many frames without a gap end at a reference time, of so many at most."""
    time = principal(event, task).time
    last = _position(event, time, reference_time)
    seen = time[max(last - most + 1, 0) : last + 1]
    gaps = np.flatnonzero(~regular(seen, task.interval))
    return int(seen.size if not gaps.size else seen.size - 1 - gaps[-1])


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
