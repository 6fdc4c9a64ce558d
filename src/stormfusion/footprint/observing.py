"""What came: observations at the times of a forecast, and the hazards in them."""

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from stormfusion.errors import GridMismatchError
from stormfusion.footprint.fields import Fields, Means, Reading
from stormfusion.grids import Grid, same_projection, title
from stormfusion.hazards import Hazard
from stormfusion.units import as_ours


def occurred(
    observed: xr.DataArray,
    like: xr.DataArray,
    hazards: tuple[Hazard, ...],
    means: Means,
    initial: NDArray[Any] | None,
) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]:
    """
    Where each hazard came, by lead and in the window; NaN where that is not known.

    Parameters
    ----------
    observed
        What came, (lead, y, x), of the variable and in the units of `like`.
    like
        The forecast, for its labels.
    hazards, means, initial
        As of a footprint.
    """
    fields = Fields(like, hazards, means, initial)
    values = observed.transpose("lead", "y", "x").to_numpy()
    missing = np.isnan(values)
    reading = Reading(fields, values, ~missing if missing.any() else None)
    by_lead: list[Any] = [None] * len(hazards)
    in_window: list[Any] = [None] * len(hazards)
    for group in fields.groups:
        found, there = reading.of(group)
        whole = slice(None)
        if group.windows is not None:
            whole = slice(int(np.argmax(group.windows.whole)), None)
        for number, event in zip(
            group.hazards, reading.events(group, found, there), strict=True
        ):
            came = event.astype(np.float32)
            ever = came[whole].max(0)
            if there is not None:
                came = np.where(there, came, np.nan)
                ever = np.where(there[whole].all(0), ever, np.nan)
            by_lead[number], in_window[number] = came, ever
    return by_lead, in_window


def at_leads(
    observed: xr.DataArray | xr.Dataset, forecast: xr.Dataset | xr.DataArray, name: str
) -> xr.DataArray:
    """The observation at a forecast's valid times, with its leads."""
    if not isinstance(observed, xr.DataArray | xr.Dataset):
        raise TypeError(
            f"observed is a {type(observed).__name__}, wanted an xarray DataArray or "
            "Dataset of the frames that came; give them with lead or time"
        )
    if isinstance(observed, xr.Dataset):
        if name not in observed:
            raise ValueError(
                f"observed has no variable {name!r}, it has "
                f"{', '.join(map(str, observed.data_vars)) or 'none'}; rename one"
            )
        observed = observed[name]
    observed = as_ours(observed, name)
    if "member" in observed.dims:
        raise ValueError(
            "observed has the dimension member, wanted what came; select one of them"
        )
    for dim in ("lead", "time"):
        if dim in observed.indexes and not observed.indexes[dim].is_unique:
            raise ValueError(
                f"observed has a {dim} twice, wanted each once; call "
                f"observed.drop_duplicates({dim!r})"
            )
    observed = _in_place(observed, forecast)
    if "lead" in observed.dims:
        return observed
    if "time" not in observed.dims:
        raise ValueError(
            f"observed has dimensions {observed.dims}, wanted lead or time; give the "
            "frames that follow the reference time"
        )
    if "time" in forecast.coords:
        wanted = np.atleast_1d(forecast["time"].to_numpy())
    elif {"reference_time", "lead"} <= set(forecast.coords):
        start = forecast["reference_time"].to_numpy()
        wanted = np.atleast_1d(start + forecast["lead"].to_numpy())
    else:
        raise ValueError(
            "the forecast has no valid times, its leads cannot be found in observed; "
            "give it the coordinate reference_time, or observed the dimension lead"
        )
    absent = ~np.isin(wanted, observed["time"].to_numpy())
    if absent.any():
        first, *_, last = np.datetime_as_string(wanted[[0, 0, -1]], "s")
        raise ValueError(
            f"observed has no frame at {np.datetime_as_string(wanted[absent][0], 's')} "
            f"and the forecast has; give all frames from {first} to {last}"
        )
    chosen = observed.sel(time=wanted).drop_vars("time").rename(time="lead")
    return chosen.assign_coords(lead=forecast["lead"].to_numpy())


def _in_place(
    observed: xr.DataArray, forecast: xr.Dataset | xr.DataArray
) -> xr.DataArray:
    """The observation, with the places of the forecast where they are these."""
    sizes = [array.sizes.get(dim, 0) for array in (observed, forecast) for dim in "yx"]
    if min(sizes) < 2 or not {"y", "x"} <= {*observed.coords} & {*forecast.coords}:
        return observed
    own, wanted = Grid.of(observed), Grid.of(forecast)
    if own.degrees == wanted.degrees and not same_projection(own, wanted):
        raise GridMismatchError(
            f"observed is in the projection {title(own.crs)} and the forecast in "
            f"{title(wanted.crs)}, wanted the same; regrid it with grids.Regridder"
        )
    if not own.same_as(wanted):
        return observed
    return observed.assign_coords(y=forecast["y"], x=forecast["x"])


def at_start(
    observed: xr.DataArray | xr.Dataset, forecast: xr.Dataset, name: str
) -> NDArray[Any] | None:
    """The frame observed at the start of a forecast, if it was given too."""
    if isinstance(observed, xr.Dataset):
        observed = observed[name]
    if "time" not in observed.dims or "reference_time" not in forecast.coords:
        return None
    time = forecast["reference_time"].to_numpy()
    if time not in observed["time"].to_numpy():
        return None
    frame = as_ours(observed.sel(time=time), name)
    return np.asarray(frame.transpose("y", "x").to_numpy(), dtype=np.float32)
