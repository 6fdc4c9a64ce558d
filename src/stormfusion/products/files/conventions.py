"""A footprint by the CF conventions, and as it was before."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import xarray as xr

from stormfusion.grids import Grid, latitude_longitude, projection_of
from stormfusion.grids.projections import grid_mapping
from stormfusion.products.files.provenance import plain, version
from stormfusion.units import VARIABLES

CONVENTIONS = "CF-1.11"
ADDED = "of the centre of the pixel, computed from y, x and the grid mapping"
"""The comment by which latitudes and longitudes are known that were added."""

PLANE = ("y", "x")
DIMENSIONS = {
    "probability": ("hazard", "lead", *PLANE),
    "window_probability": ("hazard", *PLANE),
    "percentile": ("quantile", "lead", *PLANE),
    "window_percentile": ("quantile", *PLANE),
    "mean": ("lead", *PLANE),
    "spread": ("lead", *PLANE),
    "window_mean": PLANE,
    "accumulation": PLANE,
    "accumulation_percentile": ("quantile", *PLANE),
    "arrival": ("hazard", *PLANE),
    "arrival_lower": ("hazard", *PLANE),
    "arrival_upper": ("hazard", *PLANE),
    "duration": ("hazard", *PLANE),
    "displacement": ("hazard", "lead"),
    "window_displacement": ("hazard",),
    "known": ("lead", *PLANE),
}
"""The variables of a footprint, and the dimensions of each."""

OF_THE_WINDOW = (
    "window_probability",
    "window_percentile",
    "window_mean",
    "window_displacement",
    "arrival",
    "arrival_lower",
    "arrival_upper",
    "duration",
    "accumulation",
    "accumulation_percentile",
)
"""What speaks of all lead times together."""

CELL_METHODS = {
    "window_percentile": "time: maximum",
    "window_mean": "time: maximum",
    "accumulation": "time: sum",
    "accumulation_percentile": "time: sum",
}
"""What was done over the lead times, in CF's words; what over members, names tell."""

AS_THE_VARIABLE = ("percentile", "window_percentile", "mean", "window_mean")
"""What has the standard name of the variable itself."""

LEAPS = "leap_seconds: none"
"""Every minute has 60 seconds in the times of numpy and pandas."""

_COORDINATES: dict[str, dict[str, str]] = {
    "hazard": {"long_name": "hazard"},
    "lead": {"standard_name": "forecast_period", "long_name": "lead time"},
    "time": {
        "standard_name": "time",
        "long_name": "valid time",
        "units_metadata": LEAPS,
    },
    "reference_time": {
        "standard_name": "forecast_reference_time",
        "long_name": "time of the last observed frame",
        "units_metadata": LEAPS,
    },
    "quantile": {"units": "1", "long_name": "quantile of the members"},
    "y": {"axis": "Y", "long_name": "y of the centre of the pixel"},
    "x": {"axis": "X", "long_name": "x of the centre of the pixel"},
}
_CLOCK = {"units": "seconds since 1970-01-01 00:00:00", "calendar": "standard"}
_MINUTE, _SECOND = (np.timedelta64(n, "s") for n in (60, 1))


def conventional(dataset: xr.Dataset) -> xr.Dataset:
    """
    A footprint as CF-1.11 wants it in a file.

    Latitudes and longitudes are added where the grid is projected, and to attributes
    and coordinates what CF asks for; attributes that no file holds become text. The
    encoding says how times are written, and that no coordinate has a fill value.

    Parameters
    ----------
    dataset
        As in `Footprint`.

    Returns
    -------
    Dataset
        With the same values. `Footprint.open` undoes what was added.

    Examples
    --------
    >>> made = xr.Dataset(
    ...     {"mean": (("lead", "y", "x"), np.zeros((1, 2, 2), "float32"))},
    ...     Grid(np.arange(2.0), np.arange(2.0), "EPSG:4326", degrees=True).coords(),
    ... )
    >>> found = conventional(made.assign_attrs(validated=None))
    >>> found.attrs["Conventions"], "validated" in found.attrs
    ('CF-1.11', False)
    >>> found["mean"].attrs["grid_mapping"]
    'crs'
    """
    dataset = dataset.copy()
    for name in dataset.variables:
        variable = dataset[name]
        variable.encoding = {}
        variable.attrs = _encodable(variable.attrs)
        if variable.dtype.kind == "O":
            dataset[str(name)] = variable.astype(str)
    dataset = _placed(dataset)
    for name in map(str, dataset.coords):
        dataset[name].attrs = {**_COORDINATES.get(name, {}), **dataset[name].attrs}
        dataset[name].encoding = _coded(dataset[name])
    auxiliary = [
        str(name)
        for name, coord in dataset.coords.items()
        if coord.dtype.kind in "UO" or name not in {*dataset.dims, "crs"}
    ]
    for name in map(str, dataset.data_vars):
        variable = dataset[name]
        if {*PLANE} <= {*variable.dims} and "crs" in dataset.coords:
            variable.attrs["grid_mapping"] = "crs"
        elif variable.attrs.get("grid_mapping") not in dataset.coords:
            variable.attrs.pop("grid_mapping", None)
        variable.attrs = {**_described(name, dataset), **variable.attrs}
        beside = [n for n in auxiliary if {*dataset[n].dims} <= {*variable.dims}]
        # None keeps xarray from naming the grid mapping there
        variable.encoding["coordinates"] = " ".join(beside) or None
        if variable.dtype.kind == "f":
            variable.encoding["_FillValue"] = variable.dtype.type(np.nan)
    dataset.attrs = _headed(dataset)
    return dataset


def as_before(dataset: xr.Dataset) -> xr.Dataset:
    """
    A dataset from a file, its grid mapping a coordinate and what was added gone.

    Examples
    --------
    >>> read = xr.Dataset({"mean": ("x", [1.0]), "crs": 0})
    >>> list(as_before(read).coords)
    ['crs']
    """
    mappings = {
        str(place["grid_mapping"])
        for array in dataset.data_vars.values()
        for place in (array.attrs, array.encoding)
        if place.get("grid_mapping")
    }
    dataset = dataset.set_coords(sorted({"crs", *mappings} & {*dataset.data_vars}))
    for name, array in dataset.data_vars.items():
        if "grid_mapping" in array.encoding:
            dataset[name].attrs["grid_mapping"] = array.encoding["grid_mapping"]
    added = [
        name
        for name in ("latitude", "longitude")
        if name in dataset.coords and dataset[name].attrs.get("comment") == ADDED
    ]
    return dataset.drop_vars(added)


def _placed(dataset: xr.Dataset) -> xr.Dataset:
    """With a whole grid mapping, and latitudes and longitudes beside projected axes."""
    if not {*PLANE} <= {*dataset.dims} & {*dataset.coords}:
        return dataset
    grid = Grid.of(dataset)
    projection = projection_of(dataset)
    for name, own in grid.coords().items():
        if name not in dataset.coords:
            continue
        if name == "crs":
            same = grid.crs == projection
        else:
            same = np.array_equal(own.values, dataset[name].to_numpy())
        if not same:
            # it was in another unit
            dataset = dataset.assign_coords({name: own})
        dataset[name].attrs = {**own.attrs, **dataset[name].attrs}
        if name != "crs" and grid.degrees:
            # CF asks whether degrees are north or east
            dataset[name].attrs["units"] = own.attrs["units"]
    if grid.crs is None:
        return dataset
    if "crs" not in dataset.coords:
        mapping = xr.Variable((), np.int32(0), _encodable(grid_mapping(grid.crs)))
        dataset = dataset.assign_coords(crs=mapping)
    standard = dataset["y"].attrs.get("standard_name")
    if standard == "latitude" or {"latitude", "longitude"} & {*dataset.coords}:
        return dataset
    for place, array in latitude_longitude(dataset).data_vars.items():
        attrs = {"standard_name": place, "long_name": place, "comment": ADDED}
        placed = (PLANE, array.to_numpy(), {**array.attrs, **attrs})
        dataset = dataset.assign_coords({place: placed})
    return dataset


def _coded(coord: xr.DataArray) -> dict[str, Any]:
    """How a coordinate is written."""
    if coord.dtype.kind == "m":
        values = coord.to_numpy()
        for units, step in (("minutes", _MINUTE), ("seconds", _SECOND)):
            if not (values % step).astype(np.int64).any():
                return {"units": units, "dtype": "int32"}
        return {"units": "seconds", "dtype": "float64", "_FillValue": None}
    if coord.dtype.kind in "UO":
        # characters: by CF a coordinate of its dimension's name holds numbers, and
        # these are labels, which variables name under "coordinates"
        return {"dtype": "S1", "char_dim_name": f"{coord.name}_length"}
    if coord.dtype.kind == "M":
        nanoseconds = coord.to_numpy().astype("datetime64[ns]").astype(np.int64)
        whole = not (nanoseconds % 10**9).any()
        return {**_CLOCK, "dtype": "int64"} if whole else {"_FillValue": None}
    return {"_FillValue": None} if coord.dtype.kind == "f" else {}


def _described(name: str, dataset: xr.Dataset) -> dict[str, str]:
    """What CF has a word for in a variable."""
    found = {}
    variable = VARIABLES.get(str(dataset.attrs.get("variable")))
    if name in CELL_METHODS:
        found["cell_methods"] = CELL_METHODS[name]
    if variable is None or dataset[name].attrs.get("units") != variable.units:
        return found
    if name in AS_THE_VARIABLE and variable.standard_name is not None:
        found["standard_name"] = variable.standard_name
    if name in {*AS_THE_VARIABLE, "spread"} and variable.units == "degC":
        kind = "difference" if name == "spread" else "on_scale"
        found["units_metadata"] = f"temperature: {kind}"
    return found


def _headed(dataset: xr.Dataset) -> dict[str, Any]:
    """The attributes of the file."""
    attrs = _encodable(dataset.attrs)
    source = f"stormfusion {attrs.get('stormfusion', version())}"
    if "recipe" in attrs:
        source += f", {attrs['recipe']}"
    when = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    line = f"{when} written by stormfusion {version()}"
    history = "\n".join(filter(None, (attrs.get("history"), line)))
    about = {
        "stormfusion": version(),
        "title": f"Footprint of {attrs.get('variable', 'a storm')}",
        "source": source,
        "comment": "probabilities and percentiles of the members of an ensemble",
    }
    return {**about, **attrs, "Conventions": CONVENTIONS, "history": history}


def _encodable(attrs: Any) -> dict[str, Any]:
    """Attributes that any file holds."""
    found = {}
    for name, value in dict(attrs).items():
        numbers = isinstance(value, np.ndarray) and value.dtype.kind in "iuf"
        text = value if numbers else plain(value)
        if text is not None:
            found[str(name)] = text
    return found
