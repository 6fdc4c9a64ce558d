"""A footprint in a netCDF file, whole or not at all."""

from io import BytesIO
from pathlib import Path

import xarray as xr

from stormfusion.products.files.conventions import conventional
from stormfusion.writing import as_path, named, replacing


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
    content = _file(written)
    with replacing(named(path, ".nc", ".nc4", ".h5")) as temporary:
        temporary.write_bytes(content)
    return as_path(path)


def _file(dataset: xr.Dataset) -> memoryview:
    """The file, made in memory: on a full disk HDF5 does not fail, it crashes."""
    import h5netcdf
    from xarray.backends import H5NetCDFStore

    buffer = BytesIO()
    with h5netcdf.File(buffer, mode="w") as file:
        dataset.dump_to_store(H5NetCDFStore(file))
    return buffer.getbuffer()
