"""Labels for forecasts: leads, times, grid and units."""

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from stormfusion import units
from stormfusion.data.task import Task
from stormfusion.grids import Grid


def forecast_array(
    values: NDArray[np.float32],
    task: Task,
    grid: Grid,
    reference_time: pd.Timestamp | np.datetime64,
) -> xr.DataArray:
    """
    Label a forecast.

    Parameters
    ----------
    values
        Physical values with the dimensions (lead, y, x), or (member, lead, y, x).
    task
        Whose target and lead times they have.
    grid
        Their grid.
    reference_time
        Time of the last observed frame.
    """
    known = units.VARIABLES[task.target]
    coords = grid.coords()
    attrs: dict[str, object] = {"units": known.units, "long_name": known.long_name}
    if known.standard_name is not None:
        attrs["standard_name"] = known.standard_name
    if "crs" in coords:
        attrs["grid_mapping"] = "crs"
    reference = np.datetime64(reference_time, "ns")
    leads = task.lead_times()
    dims = ("lead", "y", "x") if values.ndim == 3 else ("member", "lead", "y", "x")
    array = xr.DataArray(
        values,
        dims=dims,
        coords={
            "lead": ("lead", leads, {"standard_name": "forecast_period"}),
            "time": ("lead", reference + leads, {"standard_name": "time"}),
            "reference_time": (
                (),
                reference,
                {"standard_name": "forecast_reference_time"},
            ),
            **coords,
        },
        name=task.target,
        attrs=attrs,
    )
    if "member" in dims:
        array = array.assign_coords(member=np.arange(values.shape[0]))
    return array
