"""A footprint in a netCDF file, whole or not at all."""

from pathlib import Path

import xarray as xr

from stormfusion.footprint.conventions import conventional
from stormfusion.writing import as_path, replacing


def write_netcdf(dataset: xr.Dataset, path: str | Path) -> Path:
    """
    Write a footprint's dataset by the CF conventions, compressed.

    Parameters
    ----------
    dataset
        As in `Footprint`.
    path
        Where the file shall be. What is there stays if anything goes wrong.

    Returns
    -------
    Path
        The path.

    Raises
    ------
    OSError
        If it cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> made = xr.Dataset({"mean": (("lead", "y", "x"), [[[1.0]]])})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_netcdf(made, f"{folder}/risk.nc").name
    'risk.nc'
    """
    written = conventional(dataset)
    for variable in written.variables.values():
        if variable.dtype.kind == "f" and variable.ndim >= 2:
            variable.encoding.update(zlib=True, complevel=1, shuffle=True)
    with replacing(path) as temporary:
        written.to_netcdf(temporary, engine="h5netcdf", format="NETCDF4")
    return as_path(path)
