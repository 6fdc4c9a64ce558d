"""What a footprint holds, and the files that it is read from again."""

import warnings
from pathlib import Path
from typing import Self

import xarray as xr

from stormfusion.hazards import Hazard
from stormfusion.products.files.conventions import DIMENSIONS, OF_THE_WINDOW
from stormfusion.products.files.netcdf import write_netcdf
from stormfusion.products.files.reading import MAPS, read
from stormfusion.products.files.zarr import write_zarr


class Stored:
    """
    A footprint's dataset, and the files that it is read from again.

    Parameters
    ----------
    dataset
        As in `Footprint`.

    Examples
    --------
    >>> Stored(xr.Dataset({"mean": (("lead", "y", "x"), [[[1.0]]])}))
    <Footprint of ? members: no hazard>
    """

    def __init__(self, dataset: xr.Dataset) -> None:
        if not isinstance(dataset, xr.Dataset):
            raise TypeError(
                f"got a {type(dataset).__name__}, wanted an xarray Dataset; make one "
                "with Ensemble.footprint"
            )
        if not MAPS & set(dataset.data_vars):
            raise ValueError(
                f"a footprint holds probability, percentile or mean, got "
                f"{', '.join(map(str, dataset.data_vars)) or 'no variable'}; make one "
                "with Ensemble.footprint"
            )
        for dim in ("y", "x"):
            if dim not in dataset.dims:
                raise ValueError(
                    f"this dataset has no dimension {dim!r}, wanted maps on y and x; "
                    f"select with a slice, such as isel({dim}=slice(3, 4)), or read "
                    "numbers from the dataset itself"
                )
        if empty := [str(dim) for dim, size in dataset.sizes.items() if not size]:
            raise ValueError(
                f"this dataset has nothing along {', '.join(empty)}, wanted one or "
                "more; check what was selected"
            )
        for name in sorted(MAPS & set(map(str, dataset.data_vars))):
            if dataset[name].dtype.kind not in "fiu":
                raise TypeError(
                    f"{name!r} holds {dataset[name].dtype}, wanted numbers; convert it "
                    "with .astype('float32')"
                )
            if name.endswith("probability"):
                _check_probability(dataset[name])
        self.dataset = _of_all_leads(_whole(dataset))

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """
        Read a footprint from the netCDF file or zarr store that it was written to.

        Parameters
        ----------
        path
            What `to_netcdf` or `to_zarr` wrote. It is read whole, and closed.

        Returns
        -------
        Footprint
            With the same values and labels. Attributes that no file holds have become
            text, or 1 and 0 for true and false; those of the file, such as its
            `history`, are there too.

        Raises
        ------
        FileNotFoundError
            If there is nothing at the path.
        ValueError
            If it is no netCDF or zarr, or holds no footprint.

        Examples
        --------
        >>> import tempfile
        >>> from stormfusion import Catalog, Footprint, Nowcaster
        >>> event = Catalog.synthetic(events=1, size=64)[0]
        >>> made = Nowcaster("steps").footprint(event, "vil >= 3.5 kg m-2", members=4)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = made.to_netcdf(f"{folder}/risk.nc")
        ...     Footprint.open(path)
        <Footprint of 4 members: vil >= 3.5 kg m-2>
        """
        return cls(read(path))

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
        """
        Write a netCDF file by the CF conventions 1.11, compressed.

        Latitudes and longitudes of the pixels are added where the grid is projected.
        `xarray.open_dataset` gives the dataset again, lead times as such.

        Parameters
        ----------
        path
            Where the file shall be. It is written whole or not at all: what is there
            stays if anything goes wrong.

        Returns
        -------
        Path
            The path.

        Raises
        ------
        ValueError
            If the path ends as a file of another kind does.
        OSError
            If it cannot be written: the folder is not there or cannot be written, or
            the disk is full.

        Examples
        --------
        >>> import tempfile
        >>> from stormfusion import Catalog, Nowcaster
        >>> event = Catalog.synthetic(events=1, size=64)[0]
        >>> made = Nowcaster("steps").footprint(event, "vil >= 3.5 kg m-2", members=4)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with xr.open_dataset(made.to_netcdf(f"{folder}/risk.nc")) as opened:
        ...         opened.attrs["Conventions"], opened["window_probability"].dims
        ('CF-1.11', ('hazard', 'y', 'x'))
        """
        return write_netcdf(self.dataset, path)

    def to_zarr(self, path: str | Path) -> Path:
        """
        Write a zarr store of format 2, its metadata consolidated.

        It holds what `to_netcdf` writes. Needs the extra `geo`.

        Parameters
        ----------
        path
            Where the store, a folder, shall be. One that is there is replaced when all
            is written; nothing else is.

        Returns
        -------
        Path
            The path.

        Raises
        ------
        ModuleNotFoundError
            If zarr is not installed.
        ValueError
            If the path ends as a file of another kind does.
        OSError
            If it cannot be written, or something is there that is no zarr store.

        Examples
        --------
        >>> import tempfile
        >>> from stormfusion import Catalog, Footprint, Nowcaster
        >>> event = Catalog.synthetic(events=1, size=64)[0]
        >>> made = Nowcaster("steps").footprint(event, "vil >= 3.5 kg m-2", members=4)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Footprint.open(made.to_zarr(f"{folder}/risk.zarr"))
        <Footprint of 4 members: vil >= 3.5 kg m-2>
        """
        return write_zarr(self.dataset, path)


def _whole(dataset: xr.Dataset) -> xr.Dataset:
    """The dataset with the dimensions that a selection of one label has dropped."""
    for dim in ("hazard", "quantile", "lead"):
        if dim not in dataset.coords or dataset[dim].ndim:
            continue
        held = {
            name: [d for d in dims if d in dataset[name].dims or d == dim]
            for name, dims in DIMENSIONS.items()
            if name in dataset and dim in dims
        }
        held |= {
            str(name): [dim, *map(str, array.dims)]
            for name, array in dataset.data_vars.items()
            if dim == "hazard" and str(name).startswith(("calibrated", "reliability_"))
        }
        kept = {
            name: dataset[name].expand_dims(dim).transpose(*dims)
            for name, dims in held.items()
        }
        along = [d for d in (dim, "time" if dim == "lead" else dim) if d in dataset]
        labels = {d: (dim, [dataset[d].to_numpy()], dataset[d].attrs) for d in along}
        dataset = dataset.drop_vars([*kept, *labels]).assign_coords(labels)
        dataset = dataset.assign({k: v.drop_vars(along) for k, v in kept.items()})
    return dataset


def _of_all_leads(dataset: xr.Dataset) -> xr.Dataset:
    """Without what is said of the whole window, where it is not all there any more."""
    leads = int(dataset.attrs.get("leads", 0))
    if not leads or dataset.sizes.get("lead", leads) == leads:
        return dataset
    gone = [name for name in OF_THE_WINDOW if name in dataset]
    if gone:
        warnings.warn(
            f"of {leads} lead times {dataset.sizes['lead']} are selected, and what "
            f"speaks of the whole window is left out: {', '.join(gone)}; make a "
            "footprint of these leads to have it",
            UserWarning,
            stacklevel=4,
        )
    return dataset.drop_vars(gone)


def _check_probability(chance: xr.DataArray) -> None:
    """Probabilities lie between 0 and 1, or are missing."""
    least, most = float(chance.min()), float(chance.max())
    if least < -1e-6 or most > 1 + 1e-6:
        raise ValueError(
            f"{str(chance.name)!r} runs from {least:g} to {most:g}, wanted shares from "
            "0 to 1; divide percentages by 100"
        )
