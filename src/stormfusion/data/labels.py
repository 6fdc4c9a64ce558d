"""Labels for forecasts: leads, times, grid and units."""

from typing import Any

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
    reference_time: "pd.Timestamp | np.datetime64[Any]",
) -> xr.DataArray:
    """
    Label a forecast.

    Parameters
    ----------
    values
        Physical values with the dimensions (lead, y, x), or (member, lead, y, x); NaN
        where missing.
    task
        Whose target and lead times they have.
    grid
        Their grid.
    reference_time
        Time of the last observed frame, UTC.

    Returns
    -------
    DataArray
        The values with their units, `lead`, valid `time`, `reference_time`, `y` and
        `x`, and members counted from 0.

    Examples
    --------
    >>> task = Task(("vil",), "vil", 2, 3, 300, (1000.0, 1000.0))
    >>> grid = Grid(np.arange(4) * 1000.0, np.arange(5) * 1000.0)
    >>> values = np.zeros((3, 4, 5), dtype=np.float32)
    >>> forecast = forecast_array(values, task, grid, pd.Timestamp("2019-06-01 12:00"))
    >>> forecast.units, str(forecast.time.values[0])[:16]
    ('kg m-2', '2019-06-01T12:05')
    """
    known = units.VARIABLES[task.target]
    coords = grid.coords()
    attrs: dict[str, object] = {"units": known.units, "long_name": known.long_name}
    if known.standard_name is not None:
        attrs["standard_name"] = known.standard_name
    if "crs" in coords:
        attrs["grid_mapping"] = "crs"
    reference = pd.Timestamp(reference_time).to_datetime64().astype("datetime64[ns]")
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
