"""What a footprint holds, and the files it goes into."""

from pathlib import Path
from typing import Self

import xarray as xr

from stormfusion.footprint.netcdf import write_netcdf
from stormfusion.footprint.reading import read
from stormfusion.footprint.zarr import write_zarr
from stormfusion.hazards import Hazard


class Exported:
    """
    A footprint's dataset, and the files it goes into.

    Parameters
    ----------
    dataset
        As in `Footprint`.
    """

    def __init__(self, dataset: xr.Dataset) -> None:
        if not isinstance(dataset, xr.Dataset):
            raise TypeError(
                f"got a {type(dataset).__name__}, wanted an xarray Dataset; make one "
                "with Ensemble.footprint"
            )
        if not {"probability", "percentile", "mean"} & set(dataset.data_vars):
            raise ValueError(
                f"a footprint holds probability, percentile or mean, got "
                f"{', '.join(map(str, dataset.data_vars)) or 'no variable'}; make one "
                "with Ensemble.footprint"
            )
        self.dataset = dataset

    @property
    def hazards(self) -> tuple[Hazard, ...]:
        """The hazards, in the order of the dataset."""
        if "hazard" not in self.dataset.coords:
            return ()
        return tuple(Hazard.parse(str(h)) for h in self.dataset["hazard"].values)

    def __repr__(self) -> str:
        names = "; ".join(map(str, self.hazards)) or "no hazard"
        return (
            f"<Footprint of {self.dataset.attrs.get('members', '?')} members: {names}>"
        )

    def to_netcdf(self, path: str | Path) -> Path:
        """Write CF netCDF, whole or not at all; returns the path."""
        return write_netcdf(self.dataset, path)

    def to_zarr(self, path: str | Path) -> Path:
        """Write zarr."""
        return write_zarr(self.dataset, path)

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Read back."""
        return cls(read(path))
