"""Zarr stores: whole or not at all, and read again."""

import errno
import sys
from pathlib import Path

import pytest
import xarray as xr

from stormfusion import Footprint
from stormfusion.products.files.zarr import replacing_store, write_zarr

pytest.importorskip("zarr", reason="zarr is not installed; it comes with extra 'geo'")


def test_it_is_read_again(made, tmp_path: Path) -> None:
    path = write_zarr(made, tmp_path / "risk.zarr")
    assert path == tmp_path / "risk.zarr"
    assert [found.name for found in tmp_path.iterdir()] == ["risk.zarr"]
    assert (path / ".zmetadata").is_file()
    with xr.open_zarr(path) as opened:
        added = ["latitude", "longitude"]
        xr.testing.assert_equal(opened.drop_vars(added).load(), made)
        assert opened.attrs["Conventions"] == "CF-1.11"
        assert opened.attrs["training_data"] == "0a1b"
        assert opened.sel(hazard="vil >= 12 kg m-2", lead="10min").known.size
    xr.testing.assert_equal(Footprint.open(path).dataset, made)
    again = write_zarr(Footprint.open(path).dataset, tmp_path / "again.zarr")
    xr.testing.assert_equal(Footprint.open(again).dataset, made)


def test_what_came_from_netcdf_goes_into_zarr(made, tmp_path: Path) -> None:
    path = Footprint(made).to_netcdf(tmp_path / "risk.nc")
    with xr.open_dataset(path) as opened:
        store = write_zarr(opened.load(), tmp_path / "risk.zarr")
    xr.testing.assert_equal(Footprint.open(store).dataset, made)


def test_a_store_is_replaced_and_nothing_else(made, tmp_path: Path) -> None:
    path = write_zarr(made, tmp_path / "risk.zarr")
    write_zarr(made[["mean"]], path)
    assert list(Footprint.open(path).dataset.data_vars) == ["mean"]
    folder = tmp_path / "letters"
    folder.mkdir()
    (folder / "letter.txt").write_text("dear")
    file = tmp_path / "letter.txt"
    file.write_text("dear")
    for wrong in (folder, file, tmp_path):
        with pytest.raises(FileExistsError, match=r"is no zarr store, so it is not re"):
            write_zarr(made, wrong)
    assert (folder / "letter.txt").read_text() == file.read_text() == "dear"
    names = sorted(found.name for found in tmp_path.iterdir())
    assert names == ["letter.txt", "letters", "risk.zarr"]


def test_an_old_store_comes_back_if_the_new_cannot_be_moved(
    made, tmp_path: Path, monkeypatch
) -> None:
    path = write_zarr(made, tmp_path / "risk.zarr")
    rename = Path.rename

    def fail(self: Path, target: Path) -> Path:
        if target == path and "old" not in self.name:
            raise OSError(errno.EACCES, "locked")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(OSError, match="locked"):
        write_zarr(made[["mean"]], path)
    monkeypatch.undo()
    xr.testing.assert_equal(Footprint.open(path).dataset, made)
    assert [found.name for found in tmp_path.iterdir()] == ["risk.zarr"]


def test_a_failure_leaves_no_folder(tmp_path: Path) -> None:
    def write() -> None:
        with replacing_store(tmp_path / "risk.zarr") as temporary:
            (temporary / "part").write_text("half")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match=r"the disk of .* is full, so 'risk.zarr' was"):
        write()
    assert list(tmp_path.iterdir()) == []


def test_without_zarr_the_extra_is_named(made, tmp_path: Path, monkeypatch) -> None:
    path = write_zarr(made, tmp_path / "risk.zarr")
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(ModuleNotFoundError, match=r"writing zarr needs .*\[geo\]"):
        write_zarr(made, tmp_path / "other.zarr")
    with pytest.raises(ModuleNotFoundError, match=r"reading zarr needs zarr, which is"):
        Footprint.open(path)
