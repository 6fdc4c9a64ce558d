"""What a footprint holds, and the files it goes into."""

from pathlib import Path

import xarray as xr

from stormfusion.footprint.netcdf import write_netcdf
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
        wanted = {"probability", "percentile", "mean"}
        wanted |= {f"window_{name}" for name in wanted}
        if not wanted & set(dataset.data_vars):
            raise ValueError(
                f"a footprint holds probability, percentile or mean, got "
                f"{', '.join(map(str, dataset.data_vars)) or 'no variable'}; make one "
                "with Ensemble.footprint"
            )
        for name in ("probability", "window_probability"):
            if name in dataset:
                _check_probability(dataset[name])
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


def _check_probability(chance: xr.DataArray) -> None:
    """Probabilities lie between 0 and 1, or are missing."""
    least, most = float(chance.min()), float(chance.max())
    if least < -1e-6 or most > 1 + 1e-6:
        raise ValueError(
            f"{str(chance.name)!r} runs from {least:g} to {most:g}, wanted shares from "
            "0 to 1; divide percentages by 100"
        )
