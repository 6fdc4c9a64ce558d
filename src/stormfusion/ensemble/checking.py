"""Whether members, their labels and their weights make sense."""

import numpy as np
import xarray as xr

from stormfusion.grids import (
    PROJECTION_KEYS,
    grid_mapping,
    projection_of,
    tell_of_lost_projection,
)
from stormfusion.units import as_ours


def checked(dataset: xr.Dataset, name: str) -> xr.Dataset:
    """The dataset, infinite values missing, if its values and axes make sense."""
    values = dataset[name]
    if values.dtype.kind not in "iuf":
        raise TypeError(f"{name!r} holds {values.dtype}, wanted numbers; convert it")
    empty = [str(d) for d in values.dims if not values.sizes[d]]
    if empty:
        raise ValueError(
            f"{name!r} has nothing along {', '.join(empty)}, wanted one or more "
            "members, leads, rows and columns; check what was selected"
        )
    for dim in ("lead", "y", "x"):
        if dim not in values.coords:
            continue
        index = values.indexes[dim]
        falls = index.is_monotonic_decreasing and dim != "lead"
        if not index.is_unique or not (index.is_monotonic_increasing or falls):
            raise ValueError(
                f"{dim} has values twice or out of order, wanted each once and in "
                f"order; call dataset.drop_duplicates({dim!r}).sortby({dim!r})"
            )
    if "lead" in values.coords and values["lead"].dtype.kind != "m":
        raise TypeError(
            f"lead holds {values['lead'].dtype}, wanted times from the reference time; "
            "for minutes write lead.astype('timedelta64[m]')"
        )
    _check_times(values)
    if "weight" in dataset.coords:
        _check_weights(dataset["weight"])
    dataset = _projected(dataset, values)
    tell_of_lost_projection(dataset[name], name, stacklevel=3)
    found = {name: as_ours(values, name)}
    if "initial" in dataset:
        if set(dataset["initial"].dims) != {"y", "x"}:
            raise ValueError(
                f"initial has dimensions {tuple(dataset['initial'].dims)}, wanted y "
                "and x, the frame at the start of the forecast; select it"
            )
        found["initial"] = as_ours(dataset["initial"], name)
    return dataset.assign(found)


def _projected(dataset: xr.Dataset, values: xr.DataArray) -> xr.Dataset:
    """The dataset, its projection a coordinate, which what is made of it keeps."""
    keys = {key for key in PROJECTION_KEYS if key in values.attrs}
    bare = values.copy(deep=False)
    bare.attrs = {k: v for k, v in values.attrs.items() if k not in keys}
    known = projection_of(values) or projection_of(dataset)
    if known is None or projection_of(bare) is not None:
        return dataset
    return dataset.assign_coords(crs=((), np.int32(0), grid_mapping(known)))


def _check_times(values: xr.DataArray) -> None:
    """Times are in UTC, and those of the leads are what they say."""
    for name in ("reference_time", "time"):
        if name in values.coords and values[name].dtype.kind != "M":
            raise TypeError(
                f"{name} holds {values[name].dtype}, wanted datetime64 in UTC; write "
                f"np.datetime64('2019-06-01T12:00', 'ns'), without a time zone"
            )
    known = {"lead", "time", "reference_time"} <= set(values.coords)
    if not known or values["time"].dims != ("lead",) or values["reference_time"].ndim:
        return
    wanted = values["reference_time"].to_numpy() + values["lead"].to_numpy()
    if (values["time"].to_numpy() != wanted).any():
        raise ValueError(
            f"time begins at {values['time'].to_numpy()[0]}, but reference_time and "
            f"the first lead are {wanted[0]}, wanted the same; correct one of them"
        )


def _check_weights(weight: xr.DataArray) -> None:
    values = weight.to_numpy()
    if weight.dims != ("member",) or values.dtype.kind not in "iuf":
        raise ValueError(
            f"weight has dimensions {weight.dims} and holds {values.dtype}, wanted a "
            "number for each member; see Ensemble.mixed"
        )
    if not (np.isfinite(values).all() and (values >= 0).all() and values.sum() > 0):
        raise ValueError(
            f"weights run from {values.min()} to {values.max()}, wanted finite ones, "
            "0 or more, and not all of them 0; see Ensemble.mixed"
        )
