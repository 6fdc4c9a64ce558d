"""A dataset in a netCDF file, whole or not at all."""

from pathlib import Path

import xarray as xr

from stormfusion.writing import as_path, replacing


def write_netcdf(dataset: xr.Dataset, path: str | Path) -> Path:
    """Write a dataset, compressed, whole or not at all."""
    packed = {
        name: {"zlib": True, "complevel": 1}
        for name, variable in dataset.data_vars.items()
        if variable.dtype.kind == "f" and variable.ndim >= 2
    }
    with replacing(path) as temporary:
        dataset.to_netcdf(temporary, engine="h5netcdf", encoding=packed)
    return as_path(path)
