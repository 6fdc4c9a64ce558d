"""What a variable of somebody's dataset is: by standard name, name or units."""

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

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
    "thickness_of_rainfall_amount": "rain",
    "precipitation_amount": "rain",
    "lwe_thickness_of_precipitation_amount": "rain",
    "toa_bidirectional_reflectance": "vis",
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
    "precipitation": "rain", "tp": "rain",
    "ir069": "ir069", "ir107": "ir107", "vis": "vis", "lightning": "lightning",
}  # fmt: skip
SIBLINGS = {"rain_rate": "rain", "rain": "rain_rate"}
"""What a name may mean besides, where the units say so."""

DECIBELS = {"dbz": "dBZ", "dbze": "dBZ", "db": "dBZ"}
AXES = {
    "time": ("time", "valid_time", "t"),
    "y": ("y", "lat", "latitude", "rlat", "south_north", "northing", "yc", "nj"),
    "x": ("x", "lon", "longitude", "rlon", "west_east", "easting", "xc", "ni"),
}
DEGREES = {
    "lat": "degrees_north", "latitude": "degrees_north", "rlat": "degrees",
    "lon": "degrees_east", "longitude": "degrees_east", "rlon": "degrees",
}  # fmt: skip
AXIS_NAMES = {
    "time": "time",
    "projection_y_coordinate": "y", "latitude": "y", "grid_latitude": "y",
    "projection_x_coordinate": "x", "longitude": "x", "grid_longitude": "x",
}  # fmt: skip


def variable_of(array: xr.DataArray) -> str | None:
    """
    The canonical name of an array's quantity, or None if it is not one of ours.

    The CF standard name decides; then the name, if the units fit (an `rr` in mm is an
    accumulation, in mm/h a rate, and a `th` in K nothing of ours); then units that
    leave no doubt: dBZ and millimetres per hour.

    Examples
    --------
    >>> variable_of(xr.DataArray([0.0], attrs={"units": "dBZ"}, name="composite"))
    'reflectivity'
    >>> variable_of(xr.DataArray([0.0], attrs={"units": "mm"}, name="RR"))
    'rain'
    """
    standard = str(array.attrs.get("standard_name", "")).lower()
    if standard in STANDARD_NAMES:
        return STANDARD_NAMES[standard]
    text = units_of(array)
    named = NAMES.get(str(array.name).lower())
    for variable in (named, SIBLINGS.get(named or "")):
        if variable is not None and (text is None or _fits(text, variable)):
            return variable
    return None if text is None else _by_units(text, array)


def variables_of(
    dataset: xr.Dataset, rename: Mapping[str, str] | None = None
) -> dict[str, str]:
    """
    The names, in a dataset, of the variables we know.

    Only numbers on a map count: those with y and x among their dimensions.

    Parameters
    ----------
    dataset
        Somebody's data.
    rename
        `{"name in the data": "name here"}`; it overrules what the data say.

    Returns
    -------
    dict of str to str
        The name in the data of each of our variables.

    Raises
    ------
    CatalogError
        If there is none, or none of numbers, or two that are the same quantity.

    Examples
    --------
    >>> grid = xr.DataArray(np.zeros((2, 2)), dims=("lat", "lon"))
    >>> variables_of(xr.Dataset({"DBZH": grid, "height": grid}))
    {'reflectivity': 'DBZH'}
    """
    rename = dict(rename or {})
    for given, variable in rename.items():
        if given not in dataset.data_vars:
            raise CatalogError(
                f"rename names {given!r}, the dataset has "
                f"{', '.join(map(str, dataset.data_vars)) or 'no variable'}; "
                "write {'name in the data': 'name here'}"
            )
        if variable not in units.VARIABLES:
            raise CatalogError(
                f"rename makes {given!r} a {variable!r}, wanted one of "
                f"{', '.join(units.VARIABLES)}"
            )
    found = {variable: given for given, variable in rename.items()}
    if len(found) < len(rename):
        raise CatalogError(
            f"rename gives two variables one name, {rename!r}; name each once"
        )
    told = {
        str(name): ours
        for name, array in dataset.data_vars.items()
        if array.ndim >= 2 and name not in rename
        if (ours := variable_of(array)) is not None
    }
    known = {n: v for n, v in told.items() if dataset[n].dtype.kind in "iuf"}
    for name in rename or ({} if known else told):
        if (dtype := dataset[name].dtype).kind not in "iuf":
            raise CatalogError(
                f"{name!r} holds {dtype}, wanted numbers; convert with .astype(float)"
            )
    maps = {n: v for n, v in known.items() if _is_map(dataset[n])}
    # where no variable is a map, what is wrong with the dimensions is said later
    for name, variable in (maps or ({} if rename else known)).items():
        if found.get(variable) in rename:
            continue
        if variable in found:
            raise CatalogError(
                f"both {found[variable]!r} and {name!r} look like {variable}; say "
                f"which with rename={{{name!r}: {variable!r}}}"
            )
        found[variable] = name
    if not found:
        listed = [_described(array) for array in dataset.data_vars.values()]
        raise CatalogError(
            f"none of the variables {', '.join(listed) or '(none)'} is one we know by "
            "standard_name, name or units; say which with rename={'name': 'rain_rate'} "
            "or dataset.rename, or correct attrs['units']"
        )
    return found


def array_of(dataset: xr.Dataset, name: str) -> xr.DataArray:
    """
    One variable of a dataset, with the projection and the time that describe it.

    xarray leaves a grid mapping among the variables, and a projection that is an
    attribute of the dataset stays there; a variable taken out would lose both.

    Examples
    --------
    >>> mapping = xr.Variable((), 0, {"proj4": "EPSG:3035"})
    >>> rain = xr.Variable(("y", "x"), np.zeros((2, 2)), {"grid_mapping": "crs"})
    >>> array_of(xr.Dataset({"rain": rain, "crs": mapping}), "rain").crs.proj4
    'EPSG:3035'
    """
    array = dataset[name]
    given = array.attrs.get("grid_mapping") or array.encoding.get("grid_mapping") or ""
    for each in (str(given).split(":")[0].strip(), "crs", "spatial_ref"):
        if each in dataset.variables and each not in {*array.coords, *array.dims}:
            mapping = xr.Variable((), np.int32(0), dataset[each].attrs)
            array = array.assign_coords({each: mapping})
    loose = ("crs", "proj4", "projection", "proj")
    array = array.assign_attrs(
        {k: dataset.attrs[k] for k in loose if k in dataset.attrs} | array.attrs
    )
    if not any(n in array.dims or n in array.coords for n in AXES["time"]):
        for each in AXES["time"]:
            if each in dataset.data_vars and dataset[each].size == 1:
                scalar = dataset[each].variable
                first = dict.fromkeys(scalar.dims, 0)
                return array.assign_coords({each: scalar.isel(first)})
    return array


def standardize(array: xr.DataArray) -> xr.DataArray:
    """
    Bring an array to the dimensions (time, y, x), without reading it.

    Dimensions are told by the standard name or `axis` of their coordinates, or by
    their names; one time may be a scalar coordinate; other dimensions must have one
    element. Packed coordinates are unpacked.

    Raises
    ------
    GridMismatchError
        If it has other dimensions, or no time.

    Examples
    --------
    >>> frame = xr.DataArray(np.zeros((2, 3)), dims=("lat", "lon"), name="rain")
    >>> time = np.datetime64("2019-06-01", "ns")
    >>> standardize(frame.assign_coords(time=time)).dims
    ('time', 'y', 'x')
    """
    renames: dict[str, str] = {}
    for dim in array.dims:
        axis = _axis(array, str(dim))
        if axis is not None and axis not in array.dims and axis not in renames.values():
            renames[str(dim)] = axis
    clash = [n for n in renames.values() if n in array.coords and n not in renames]
    array = array.drop_vars(clash).rename(renames)
    for old, new in {**{n: n for n in ("y", "x")}, **renames}.items():
        if new in ("y", "x") and new in array.coords:
            array = array.assign_coords({new: _spatial(array[new], old)})
    if "time" not in array.dims:
        array = _with_time(array)
    extra = [str(d) for d in array.dims if d not in ("time", "y", "x")]
    for axis in ("y", "x"):
        if axis not in array.dims:
            raise GridMismatchError(
                f"{array.name!r} has dimensions {array.dims}, wanted time, y and x; "
                "rename its horizontal dimensions"
            )
    if any(array.sizes[d] != 1 for d in extra):
        long = next(d for d in extra if array.sizes[d] != 1)
        raise GridMismatchError(
            f"{array.name!r} has dimensions {array.dims}, wanted time, y and x; select "
            f"one {long} with .isel"
        )
    array = array.isel(dict.fromkeys(extra, 0), drop=True)
    return array.transpose("time", "y", "x")


def units_of(array: xr.DataArray) -> str | None:
    """
    The units of an array, None where it says nothing of them.

    Examples
    --------
    >>> units_of(xr.DataArray(0.0, attrs={"units": "dbz"}))
    'dBZ'
    """
    text = str(array.attrs.get("units", "")).strip()
    return DECIBELS.get(text.lower(), text) or None


def warn_without_units(arrays: Mapping[str, str]) -> None:
    """Say once which variables have no units: `{name in the data: variable}`."""
    if arrays:
        taken = [
            f"{name!r} as {variable} in {units.VARIABLES[variable].units}"
            for name, variable in arrays.items()
        ]
        warnings.warn(
            f"no units are given, taken {', '.join(taken)}; set attrs['units'] if they "
            "are others",
            UserWarning,
            stacklevel=2,
        )


def packing_of(array: xr.DataArray, variable: str) -> Packing:
    """
    How the stored numbers of an array become values in our units.

    What no weather has is missing: a fill value that the file does not declare.
    Numbers that are still packed are told by the CF attributes that an unmasked,
    unscaled `xarray.open_dataset` leaves on them. Without units they are taken to be
    in ours.

    Raises
    ------
    ValueError
        If the units do not convert to ours.

    Examples
    --------
    >>> attrs = {"units": "kg m-2 s-1", "scale_factor": 0.5, "_FillValue": -1}
    >>> packing_of(xr.DataArray(np.int16([0]), attrs=attrs), "rain_rate")
    Packing(dtype='int16', scale=1800.0, ..., lowest=-0.1, highest=5000.0)
    """
    attrs = array.attrs
    text = units_of(array)
    factor, shift = 1.0, 0.0
    if text is not None:
        factor, shift = units.conversion(text, units.VARIABLES[variable].units)
    scale = _number(attrs.get("scale_factor"), 1.0)
    offset = _number(attrs.get("add_offset"), 0.0)
    codes: Iterable[Any] = (attrs.get("_FillValue"), attrs.get("missing_value"))
    missing = [float(c) for code in codes if code is not None for c in np.ravel(code)]
    dtype = array.dtype
    bits = 8 * dtype.itemsize
    unsigned = str(attrs.get("_Unsigned", "")).lower()
    if dtype.kind == "i" and unsigned == "true":
        dtype = np.dtype(f"uint{bits}")
        missing = [m % 2**bits for m in missing]
    elif dtype.kind == "u" and unsigned == "false":
        dtype = np.dtype(f"int{bits}")
        missing = [(m + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1) for m in missing]
    if dtype.kind == "f":
        dtype = np.dtype("float32")
    return Packing(
        str(dtype.newbyteorder("=")),
        scale * factor,
        offset * factor + shift,
        tuple(sorted({m for m in missing if np.isfinite(m)})),
        lowest=units.VARIABLES[variable].lowest,
        highest=units.VARIABLES[variable].highest,
    )


def _axis(array: xr.DataArray, dim: str) -> str | None:
    if dim in array.coords:
        coord = array[dim]
        standard = str(coord.attrs.get("standard_name", "")).lower()
        if standard in AXIS_NAMES:
            return AXIS_NAMES[standard]
        axis = str(coord.attrs.get("axis", "")).lower()
        if axis in {"t", "y", "x"}:
            return {"t": "time"}.get(axis, axis)
    lower = dim.lower()
    return next((axis for axis, names in AXES.items() if lower in names), None)


def _is_map(array: xr.DataArray) -> bool:
    return {"y", "x"} <= {_axis(array, str(dim)) for dim in array.dims}


def _with_time(array: xr.DataArray) -> xr.DataArray:
    """An array of one frame, its scalar time made a dimension."""
    scalar = next((n for n in AXES["time"] if n in array.coords), None)
    if scalar is None or array[scalar].ndim:
        raise GridMismatchError(
            f"{array.name!r} has no time, its dimensions are {array.dims}; add one "
            "with .expand_dims(time=[...])"
        )
    time = xr.Variable("time", array[scalar].to_numpy()[None], array[scalar].attrs)
    return array.drop_vars(scalar).expand_dims("time").assign_coords(time=time)


def _spatial(coord: xr.DataArray, name: str) -> xr.Variable:
    """A horizontal coordinate, unpacked, and in degrees where its name says so."""
    attrs = dict(coord.attrs)
    values = coord.to_numpy()
    if attrs.keys() & {"scale_factor", "add_offset"}:
        scale = _number(attrs.pop("scale_factor", None), 1.0)
        values = values * scale + _number(attrs.pop("add_offset", None), 0.0)
    standard = str(attrs.get("standard_name", "")).lower()
    degrees = DEGREES.get(name.lower()) or DEGREES.get(standard.split("_")[-1])
    if degrees is not None and not str(attrs.get("units", "")).strip():
        attrs["units"] = degrees
    return xr.Variable(coord.dims, values, attrs)


def _number(value: Any, default: float) -> float:
    return default if value is None else float(np.ravel(value)[0])


def _by_units(text: str, array: xr.DataArray) -> str | None:
    if text == "dBZ" and str(array.attrs["units"]).strip().lower() != "db":
        return "reflectivity"
    if "mm" in text.lower() or "millim" in text.lower():
        try:
            hourly = units.conversion(text, "mm h-1") == (1.0, 0.0)
        except ValueError:
            return None
        return "rain_rate" if hourly else None
    return None


def _fits(text: str, variable: str) -> bool:
    try:
        units.conversion(text, units.VARIABLES[variable].units)
    except ValueError:
        return False
    return True


def _described(array: xr.DataArray) -> str:
    text = str(array.attrs.get("units", "")).strip()
    return f"{array.name} [{text}]" if text else str(array.name)
