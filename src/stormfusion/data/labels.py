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
    return label(
        values,
        task.target,
        grid=grid,
        leads=task.lead_times(),
        reference_time=reference_time,
    )


def label(
    values: NDArray[np.floating[Any]],
    variable: str,
    *,
    grid: Grid,
    leads: NDArray[np.timedelta64],
    reference_time: "pd.Timestamp | np.datetime64[Any] | None",
) -> xr.DataArray:
    """
    Label a forecast of a variable, whoever made it.

    Parameters
    ----------
    values
        With the dimensions (lead, y, x), or (member, lead, y, x), in our units.
    variable
        Which of `VARIABLES` they are.
    grid
        Their grid.
    leads
        Their lead times.
    reference_time
        Time of the last observed frame, UTC. Where it is unknown, None, they have no
        valid times.

    Returns
    -------
    DataArray
        The values with their units, `lead`, valid `time`, `reference_time`, `y` and
        `x`, and members counted from 0.

    Examples
    --------
    >>> grid = Grid(np.arange(4) * 1000.0, np.arange(5) * 1000.0)
    >>> leads = np.array([5, 10], "timedelta64[m]")
    >>> values = np.zeros((3, 2, 4, 5))
    >>> forecast = label(values, "vil", grid=grid, leads=leads, reference_time=None)
    >>> forecast.dims, "time" in forecast.coords
    (('member', 'lead', 'y', 'x'), False)
    """
    known = units.VARIABLES[variable]
    leads = leads.astype("timedelta64[ns]")
    period = ("lead", leads, {"standard_name": "forecast_period"})
    coords: dict[str, Any] = {"lead": period}
    if reference_time is not None:
        reference = pd.Timestamp(reference_time).to_datetime64()
        reference = reference.astype("datetime64[ns]")
        told = {"standard_name": "forecast_reference_time"}
        coords["time"] = ("lead", reference + leads, {"standard_name": "time"})
        coords["reference_time"] = ((), reference, told)
    coords |= grid.coords()
    attrs: dict[str, object] = {"units": known.units, "long_name": known.long_name}
    if known.standard_name is not None:
        attrs["standard_name"] = known.standard_name
    if "crs" in coords:
        attrs["grid_mapping"] = "crs"
    dims: tuple[str, ...] = ("lead", "y", "x")
    if values.ndim == 4:
        dims = ("member", *dims)
        coords["member"] = np.arange(values.shape[0])
    return xr.DataArray(values, dims=dims, coords=coords, name=variable, attrs=attrs)
