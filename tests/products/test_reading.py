"""What is read as a footprint, and what is not."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from stormfusion import Footprint
from stormfusion.products.files.conventions import as_before
from stormfusion.products.files.reading import read


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no .*write one with foot"):
        read(tmp_path / "risk.nc")
    with pytest.raises(TypeError, match=r"wanted text or a Path; name the file"):
        Footprint.open(None)  # type: ignore[arg-type]


@pytest.mark.parametrize("content", [b"", b"half of a file", b"\x89HDF\r\n\x1a\nhalf"])
def test_what_is_no_netcdf(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "risk.nc"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"cannot be read as netCDF or zarr .*again"):
        read(path)


def test_a_folder_that_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"is a folder and no zarr store, wanted the"):
        read(tmp_path)


def test_a_file_cut_short(made, tmp_path: Path) -> None:
    path = Footprint(made).to_netcdf(tmp_path / "risk.nc")
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(ValueError, match=r"cannot be read as netCDF or zarr"):
        Footprint.open(path)


def test_other_data_are_refused(tmp_path: Path) -> None:
    rain = xr.Dataset({"rain": (("y", "x"), np.zeros((2, 2)))})
    rain.to_netcdf(tmp_path / "rain.nc", engine="h5netcdf")
    with pytest.raises(ValueError, match=r"holds rain, wanted the probability, perce"):
        Footprint.open(tmp_path / "rain.nc")
    mean = rain.rename(rain="mean")
    mean.to_netcdf(tmp_path / "mean.nc", engine="h5netcdf")
    with pytest.raises(ValueError, match=r"'mean' of .* has the dimensions \('y', 'x'"):
        Footprint.open(tmp_path / "mean.nc")


def test_it_is_read_whole_and_closed(made, tmp_path: Path) -> None:
    path = Footprint(made).to_netcdf(tmp_path / "risk.nc")
    opened = Footprint.open(str(path))
    path.unlink()
    assert isinstance(opened, Footprint)
    xr.testing.assert_equal(opened.dataset, made)


def test_a_footprint_of_the_window_alone(made, tmp_path: Path) -> None:
    alone = made[["window_probability", "window_mean", "arrival"]]
    path = Footprint(alone).to_netcdf(tmp_path / "risk.nc")
    xr.testing.assert_equal(Footprint.open(path).dataset, alone)


def test_percentages_are_no_probabilities(made) -> None:
    with pytest.raises(ValueError, match=r"wanted shares from 0 to 1; divide percent"):
        Footprint(made.assign(window_probability=100 * made.window_probability))


def test_a_grid_mapping_by_another_name_is_a_coordinate() -> None:
    mean = xr.Variable(("y", "x"), np.zeros((2, 2)), {"grid_mapping": "proj"})
    found = as_before(xr.Dataset({"mean": mean, "proj": 0}))
    assert list(found.coords) == ["proj"]
