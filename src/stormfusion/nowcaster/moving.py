"""Motion as a labelled field [m s-1]."""

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import xarray as xr

from stormfusion import sampling
from stormfusion.classical import Extrapolation, moving
from stormfusion.data.windows import principal
from stormfusion.nowcaster.building import as_event
from stormfusion.nowcaster.hindcast import Hindcaster


def field_of_motion(
    caster: Hindcaster, event: Any, reference_time: object | None, method: Any
) -> xr.Dataset:
    """The motion of an event's last frames, as `Nowcaster.motion` describes it."""
    event = as_event(event)
    enough = max(caster.task.history, Extrapolation.module.least)
    seeing = replace(caster, task=replace(caster.task, history=enough))
    plain = seeing.beside(Extrapolation.name)
    made = plain.forecast(event, reference_time)
    assert isinstance(made, sampling.ClassicForecast)
    frames = made.classic.frames(made.past)
    with torch.inference_mode():
        velocity = made.classic.velocity(made.past, method=method)
        down, along = velocity[0].cpu().numpy()
        told = bool(moving(frames)[0])
    grid = principal(event, made.task).grid
    # rows from the north and columns from the west, as networks see them
    north, east = (np.flip(part, grid.flips) for part in (-down, along))
    width, height = grid.metres()
    values = {"u": east * width, "v": north * height}
    found = xr.Dataset(
        {
            name: (("y", "x"), (speed / made.task.interval).astype(np.float32))
            for name, speed in values.items()
        },
        coords=grid.coords(),
    )
    for name, towards in (("u", "x"), ("v", "y")):
        found[name].attrs = {"units": "m s-1", "long_name": f"motion along {towards}"}
        if "crs" in found.coords:
            found[name].attrs["grid_mapping"] = "crs"
    reference = made.reference_time.to_datetime64().astype("datetime64[ns]")
    told_by = {"standard_name": "forecast_reference_time"}
    found = found.assign_coords(reference_time=((), reference, told_by))
    found.attrs["motion"] = method if told else "none: too little rain to tell it"
    if not told:
        warnings.warn(
            f"fewer than 25 pixels rain in both of two frames up to "
            f"{made.reference_time}, or are known there, so the motion is given as "
            "zero; choose a reference_time with more rain",
            UserWarning,
            stacklevel=3,
        )
    return found
