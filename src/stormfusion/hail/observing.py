"""Reports of hail as a field: what probabilities of them are verified against."""

import datetime as dt

import numpy as np
import pandas as pd
import xarray as xr

from stormfusion.data.reports import checked_reports
from stormfusion.errors import GridMismatchError
from stormfusion.grids import Grid
from stormfusion.hail import asking
from stormfusion.hail.labels import paths_of


def reported(
    reports: pd.DataFrame,
    like: xr.DataArray,
    *,
    size: str | float = "1 inch",
    distance: str | float = "10 km",
    window: str | dt.timedelta = "15 min",
) -> xr.DataArray:
    """
    Where hail was reported near a pixel, in the window up to each frame.

    It is what a `HailModel` of the same size, distance and window tells the probability
    of: give both to `stormfusion.verification`.

    Parameters
    ----------
    reports
        As `HailModel.fit` takes them.
    like
        An array with `y`, `x` and a projection, and with frames along `time`, or along
        `lead` with the coordinate `time`.
    size, distance, window
        As in `HailModel.fit`.

    Returns
    -------
    DataArray
        `hail_reported` [1], 1 where a report was near and 0 where none was, on the
        frames and the grid of `like`. It is never missing: nobody tells where nobody
        looked.

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong, or the frames have no times.
    GridMismatchError
        If the projection is unknown.

    Examples
    --------
    >>> from stormfusion import Catalog
    >>> from stormfusion.data import synthetic_reports
    >>> catalog = Catalog.synthetic(events=4, size=64, frames=13)
    >>> reports = synthetic_reports(catalog)
    >>> event = catalog[reports["id"][0].rsplit("-", 2)[0]]
    >>> near = reported(reports, event["vil"], size="0.25 inch")
    >>> near.dims, float(near.max())
    (('time', 'y', 'x'), 1.0)
    """
    wanted = asking.checked(size, distance, window)
    step = asking.frames_along(like)
    if "time" not in like.coords or like["time"].dims != (step,):
        raise ValueError(
            f"the frames along {step!r} have no times, wanted the coordinate 'time' on "
            "them; add it with .assign_coords"
        )
    grid = Grid.of(like)
    if grid.crs is None:
        raise GridMismatchError(
            "the projection of this grid is unknown, so that reports have no place in "
            "it; add a CF grid mapping or a 'crs' attribute"
        )
    table = checked_reports(reports)
    paths = paths_of(table[table["size"] >= wanted.size - 1e-6], grid)
    paths = paths.where(paths.over(grid, wanted.distance))
    span = np.timedelta64(wanted.window)
    rows, columns = (np.arange(count) for count in grid.shape)
    found = np.zeros((like.sizes[step], *grid.shape), dtype=np.float32)
    for number, end in enumerate(like["time"].to_numpy()):
        told = paths.during(end - span, end)
        found[number] = told.near(grid, rows, columns, wanted.distance)
    frame = like.transpose(..., step, "y", "x")
    others = dict.fromkeys(frame.dims[:-3], 0)
    made = frame.isel(others, drop=True).copy(data=found).rename("hail_reported")
    kept = {k: v for k, v in like.attrs.items() if k == "grid_mapping"}
    minutes = wanted.window / dt.timedelta(minutes=1)
    made.attrs = {
        "units": "1",
        "long_name": (
            f"whether hail of {wanted.size:g} mm or more was reported within "
            f"{wanted.distance / 1000:g} km in the {minutes:g} min before"
        ),
        **kept,
    }
    return made
