"""A footprint read from the file that it was written to."""

from pathlib import Path

import xarray as xr

from stormfusion.products.files.conventions import DIMENSIONS, as_before
from stormfusion.products.files.zarr import open_zarr
from stormfusion.writing import as_path

_BY_LEAD = ("probability", "percentile", "mean")
MAPS = frozenset((*_BY_LEAD, *(f"window_{name}" for name in _BY_LEAD)))
"""The variables of which a footprint has at least one."""


def read(path: str | Path) -> xr.Dataset:
    """
    The dataset of a footprint, from netCDF or zarr, whole in memory.

    Parameters
    ----------
    path
        What `Footprint.to_netcdf` or `Footprint.to_zarr` wrote.

    Returns
    -------
    Dataset
        As it was when it was written, attributes that no file holds apart; with those
        of the file, such as its `history`.

    Raises
    ------
    FileNotFoundError
        If there is nothing at the path.
    ValueError
        If it is no netCDF or zarr, or holds no footprint.

    Examples
    --------
    >>> import tempfile
    >>> from stormfusion.products.files.netcdf import write_netcdf
    >>> made = xr.Dataset({"mean": (("lead", "y", "x"), [[[1.0]]])})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     read(write_netcdf(made, f"{folder}/risk.nc"))["mean"].item()
    1.0
    """
    place = as_path(path)
    if not place.exists():
        raise FileNotFoundError(
            f"there is no {str(place)!r}, wanted a footprint in netCDF or zarr; write "
            "one with footprint.to_netcdf"
        )
    try:
        if place.is_dir():
            dataset = open_zarr(place)
        else:
            with xr.open_dataset(
                place, engine="h5netcdf", decode_timedelta=True
            ) as opened:
                dataset = opened.load()
    except (OSError, ValueError, KeyError) as error:
        if isinstance(error, PermissionError):
            raise
        raise ValueError(
            f"{str(place)!r} cannot be read as netCDF or zarr ({error}), wanted what "
            "footprint.to_netcdf or footprint.to_zarr wrote; write it again"
        ) from error
    return _checked(as_before(dataset), place)


def _checked(dataset: xr.Dataset, place: Path) -> xr.Dataset:
    """The dataset, if its variables are those of a footprint."""
    if not MAPS & {*dataset.data_vars}:
        held = ", ".join(map(str, dataset.data_vars)) or "nothing"
        raise ValueError(
            f"{str(place)!r} holds {held}, wanted the probability, percentile or "
            "mean of a footprint; open what footprint.to_netcdf wrote"
        )
    for name, dims in DIMENSIONS.items():
        if name in dataset and set(dataset[name].dims) != {*dims}:
            raise ValueError(
                f"{name!r} of {str(place)!r} has the dimensions "
                f"{tuple(map(str, dataset[name].dims))}, wanted {dims}; this is no "
                "footprint, open what footprint.to_netcdf wrote"
            )
    return dataset
