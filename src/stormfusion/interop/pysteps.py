"""Arrays beside a dictionary, as pysteps has them, and labelled forecasts."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from stormfusion.data.labels import label
from stormfusion.grids import Grid
from stormfusion.interop.places import grid_of, places_of
from stormfusion.interop.times import MINUTE, Interval, leads_of, span, times_of
from stormfusion.interop.values import bare, number, physical, values_of

NEEDED = ("unit", "transform", "x1", "y1", "x2", "y2", "yorigin")

LAW = ("zr_a", "zr_b")
"""Coefficients of Z = a R^b, with which pysteps turns reflectivity into rain."""


def from_pysteps(
    array: ArrayLike,
    metadata: Mapping[str, Any],
    *,
    reference_time: object | None = None,
    interval: Interval | None = None,
) -> xr.Dataset:
    """
    Label a forecast of pysteps; see `Ensemble.from_pysteps`.

    Examples
    --------
    >>> metadata = {"unit": "mm/h", "transform": None, "yorigin": "upper"}
    >>> metadata |= {"x1": 0.0, "x2": 4.0, "y1": 0.0, "y2": 3.0, "cartesian_unit": "km"}
    >>> found = from_pysteps(np.zeros((2, 6, 3, 4)), metadata, interval="5min")
    >>> found.rain_rate.dims, found.y.values
    (('member', 'lead', 'y', 'x'), array([2500., 1500.,  500.]))
    """
    values = bare(array)
    if values.ndim not in (3, 4) or not values.size:
        raise ValueError(
            f"array has the shape {values.shape}, wanted (member, lead, y, x), or "
            "(lead, y, x) of one member, with one or more of each; pass what the "
            "nowcast of pysteps returned"
        )
    if values.ndim == 3:
        values = values[None]
    if not isinstance(metadata, Mapping):
        raise TypeError(
            f"metadata is a {type(metadata).__name__}, wanted pysteps' dictionary of "
            "it; pass what the importer returned, or the last transformation"
        )
    absent = [key for key in NEEDED if key not in metadata]
    if absent:
        raise ValueError(
            f"metadata has no {', '.join(absent)}, wanted {', '.join(NEEDED)}; start "
            "from what the importer returned"
        )
    values, variable = physical(values, metadata)
    leads, reference = leads_of(
        metadata, values.shape[1], reference_time=reference_time, interval=interval
    )
    grid = grid_of(metadata, (values.shape[2], values.shape[3]))
    forecast = label(values, variable, grid=grid, leads=leads, reference_time=reference)
    if grid.crs is not None and "+proj=" in grid.crs:
        forecast["crs"].attrs["proj4"] = grid.crs
    if variable == "rain" and metadata.get("accutime") is not None:
        whole = span(metadata["accutime"], name="accutime")
        forecast.attrs["accutime"] = float(whole.astype(np.int64) / MINUTE)
    told = [key for key in LAW if metadata.get(key) is not None]
    forecast.attrs.update({key: number(metadata, key) for key in told})
    dataset = forecast.to_dataset()
    if metadata.get("institution") is not None:
        dataset.attrs["institution"] = str(metadata["institution"])
    return dataset


def to_pysteps(
    dataset: xr.Dataset, variable: str
) -> tuple[NDArray[np.floating[Any]], dict[str, Any]]:
    """
    A forecast as pysteps has it; see `Ensemble.to_pysteps`.

    Examples
    --------
    >>> metadata = {"unit": "dBZ", "transform": "dB", "yorigin": "lower"}
    >>> metadata |= {"x1": 0.0, "x2": 4.0, "y1": 0.0, "y2": 3.0, "cartesian_unit": "km"}
    >>> found = from_pysteps(np.zeros((2, 6, 3, 4)), metadata, interval="5min")
    >>> array, again = to_pysteps(found, "reflectivity")
    >>> array.shape, again["x2"], again["cartesian_unit"], again["yorigin"]
    ((2, 6, 3, 4), 4000.0, 'm', 'lower')
    """
    forecast = dataset[variable].transpose("member", "lead", "y", "x")
    times = times_of(forecast)
    values, meaning = values_of(forecast, times["accutime"])
    grid = Grid.of(forecast)
    if grid.x[0] > grid.x[-1]:
        # pysteps has no word for columns that run from east to west
        values = values[..., ::-1].copy()
    text = forecast["crs"].attrs.get("proj4") if "crs" in forecast.coords else None
    law = {key: forecast.attrs[key] for key in LAW if key in forecast.attrs}
    metadata = {**places_of(grid, text), **times, **meaning, **law}
    if "institution" in dataset.attrs:
        metadata["institution"] = dataset.attrs["institution"]
    return values, metadata
