"""What a variable of somebody's dataset is: by standard name, units or name."""

import warnings
from collections.abc import Mapping

import numpy as np
import xarray as xr

from stormfusion import units
from stormfusion.data.packing import Packing
from stormfusion.errors import CatalogError, GridMismatchError

STANDARD_NAMES = {
    "rainfall_rate": "rain_rate",
    "precipitation_rate": "rain_rate",
    "lwe_precipitation_rate": "rain_rate",
    "rainfall_flux": "rain_rate",
    "precipitation_flux": "rain_rate",
    "equivalent_reflectivity_factor": "reflectivity",
    "radar_equivalent_reflectivity_factor": "reflectivity",
    "rainfall_amount": "rain",
    "precipitation_amount": "rain",
    "lwe_thickness_of_precipitation_amount": "rain",
}
NAMES = {
    "rain_rate": "rain_rate", "rainrate": "rain_rate", "rain_intensity": "rain_rate",
    "preciprate": "rain_rate", "precip_rate": "rain_rate", "prate": "rain_rate",
    "precip_intensity": "rain_rate", "precipitation_rate": "rain_rate",
    "rate": "rain_rate", "rr": "rain_rate",
    "reflectivity": "reflectivity", "dbz": "reflectivity", "dbzh": "reflectivity",
    "refc": "reflectivity", "refl": "reflectivity", "th": "reflectivity",
    "zh": "reflectivity",
    "vil": "vil", "vertically_integrated_liquid": "vil",
    "mesh": "mesh",
    "rain": "rain", "precip_accum": "rain", "rainfall": "rain",
    "ir069": "ir069", "ir107": "ir107", "vis": "vis", "lightning": "lightning",
}  # fmt: skip
UNITS = {"dbz": "reflectivity", "mm h-1": "rain_rate", "mm/h": "rain_rate",
         "mm/hr": "rain_rate", "mm hr-1": "rain_rate", "mm h**-1": "rain_rate"}  # fmt: skip
AXES = {
    "time": ("time", "valid_time", "t"),
    "y": ("y", "lat", "latitude", "south_north", "northing", "yc", "nj"),
    "x": ("x", "lon", "longitude", "west_east", "easting", "xc", "ni"),
}
AXIS_NAMES = {
    "time": "time",
    "projection_y_coordinate": "y", "latitude": "y", "grid_latitude": "y",
    "projection_x_coordinate": "x", "longitude": "x", "grid_longitude": "x",
}  # fmt: skip


def variable_of(array: xr.DataArray) -> str | None:
    """
    The canonical name of an array's quantity, or None if it is not one of ours.

    Examples
    --------
    >>> variable_of(xr.DataArray([0.0], attrs={"units": "dBZ"}, name="composite"))
    'reflectivity'
    """
    standard = str(array.attrs.get("standard_name", "")).lower()
    if standard in STANDARD_NAMES:
        return STANDARD_NAMES[standard]
    name = str(array.name).lower()
    if name in NAMES:
        return NAMES[name]
    unit = str(array.attrs.get("units", "")).strip().lower()
    return UNITS.get(unit)


def variables_of(
    dataset: xr.Dataset, rename: Mapping[str, str] | None = None
) -> dict[str, str]:
    """
    The names, in a dataset, of the variables we know.

    Raises
    ------
    CatalogError
        If there is none, or two that are the same quantity.
    """
    rename = dict(rename or {})
    for name, variable in rename.items():
        if name not in dataset.data_vars:
            raise CatalogError(
                f"rename names {name!r}, the dataset has "
                f"{', '.join(map(str, dataset.data_vars)) or 'no variable'}; "
                "write {'name in the data': 'name here'}"
            )
        if variable not in units.VARIABLES:
            raise CatalogError(
                f"rename makes {name!r} a {variable!r}, wanted one of "
                f"{', '.join(units.VARIABLES)}"
            )
    found: dict[str, str] = {v: n for n, v in rename.items()}
    for name, array in dataset.data_vars.items():
        variable = variable_of(array)
        flat = array.ndim < 2 or array.dtype.kind not in "iuf" or name in rename
        if variable is None or flat or found.get(variable) in rename:
            continue
        if variable in found:
            raise CatalogError(
                f"both {found[variable]!r} and {str(name)!r} look like {variable}; say "
                f"which with rename={{{str(name)!r}: {variable!r}}}"
            )
        found[variable] = str(name)
    if not found:
        raise CatalogError(
            f"none of the variables {', '.join(map(str, dataset.data_vars)) or '(none)'} "
            "is one we know by standard_name, units or name; say which with "
            "rename={'name': 'rain_rate'}"
        )
    return found


def standardize(array: xr.DataArray) -> xr.DataArray:
    """
    Bring an array to the dimensions (time, y, x), without reading it.

    Raises
    ------
    GridMismatchError
        If it has other dimensions, or coordinates that are not one-dimensional.
    """
    renames = {}
    for dim in array.dims:
        axis = _axis(array, str(dim))
        if axis is not None and axis not in array.dims:
            renames[str(dim)] = axis
    clash = [n for n in renames.values() if n in array.coords and n not in renames]
    array = array.drop_vars(clash).rename(renames)
    if "time" not in array.dims:
        scalar = next((n for n in AXES["time"] if n in array.coords), None)
        if scalar is None or array[scalar].ndim:
            raise GridMismatchError(
                f"{array.name!r} has no time, its dimensions are {array.dims}; add one "
                "with .expand_dims(time=[...])"
            )
        time = array[scalar].to_numpy()
        array = array.drop_vars(scalar).expand_dims(time=[time])
    extra = [str(d) for d in array.dims if d not in ("time", "y", "x")]
    if any(array.sizes[d] != 1 for d in extra):
        raise GridMismatchError(
            f"{array.name!r} has dimensions {array.dims}, wanted time, y and x; select "
            f"one {extra[0]} with .isel"
        )
    array = array.isel(dict.fromkeys(extra, 0), drop=True)
    for axis in ("y", "x"):
        if axis not in array.dims:
            raise GridMismatchError(
                f"{array.name!r} has dimensions {array.dims}, wanted time, y and x; "
                "rename its horizontal dimensions"
            )
    return array.transpose("time", "y", "x")


def packing_of(array: xr.DataArray, variable: str) -> Packing:
    """
    How the stored numbers of an array become values in our units.

    Numbers that are still packed are told by the CF attributes that an unmasked,
    unscaled `xarray.open_dataset` leaves on them.
    """
    attrs = array.attrs
    wanted = units.VARIABLES[variable].units
    if "units" in attrs:
        factor, shift = units.conversion(str(attrs["units"]), wanted)
    else:
        warnings.warn(
            f"variable {str(array.name)!r} has no units; taken as {variable} in {wanted}",
            UserWarning,
            stacklevel=2,
        )
        factor, shift = 1.0, 0.0
    scale = float(attrs.get("scale_factor", 1.0))
    offset = float(attrs.get("add_offset", 0.0))
    codes = [attrs.get("_FillValue"), attrs.get("missing_value")]
    missing = [float(c) for code in codes if code is not None for c in np.ravel(code)]
    dtype = array.dtype
    if dtype.kind == "i" and str(attrs.get("_Unsigned", "")).lower() == "true":
        dtype = np.dtype(f"uint{8 * dtype.itemsize}")
        missing = [m % 2 ** (8 * dtype.itemsize) for m in missing]
    if dtype.kind == "f":
        dtype = np.dtype("float32")
    return Packing(
        str(dtype.newbyteorder("=")),
        scale * factor,
        offset * factor + shift,
        tuple(sorted({m for m in missing if np.isfinite(m)})),
    )


def _axis(array: xr.DataArray, dim: str) -> str | None:
    if dim in array.coords:
        coord = array[dim]
        standard = str(coord.attrs.get("standard_name", "")).lower()
        if standard in AXIS_NAMES:
            return AXIS_NAMES[standard]
        axis = str(coord.attrs.get("axis", "")).lower()
        if axis in {"y", "x"} or axis == "t":
            return {"t": "time"}.get(axis, axis)
    lower = dim.lower()
    return next((axis for axis, names in AXES.items() if lower in names), None)
