"""Whatever goes wrong, the old file stays and nothing half-written is left."""

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import xarray as xr
from scipy import sparse

from stormfusion import Footprint
from stormfusion.interop.climada import write_hazard

FULL = OSError(errno.ENOSPC, "No space left on device")


class Heavy:
    """Stands for a hazard of CLIMADA."""

    intensity = sparse.csr_matrix((2, 3))

    def write_hdf5(self, path: str) -> None:
        """Write something."""
        Path(path).write_bytes(b"a hazard")


def _climada(made: xr.Dataset, path: Path) -> None:
    write_hazard(Heavy(), path)


WRITERS: dict[str, Callable[[xr.Dataset, Path], object]] = {
    "nc": lambda made, path: Footprint(made).to_netcdf(path),
    "zarr": lambda made, path: Footprint(made).to_zarr(path),
    "tif": lambda made, path: Footprint(made).to_geotiff(path),
    "geojson": lambda made, path: Footprint(made).to_geojson(path),
    "html": lambda made, path: Footprint(made).to_html(path),
    "h5": _climada,
}
NEEDS = {"zarr": "zarr", "tif": "rasterio"}
WRITTEN_BY = {
    "nc": (Path, "write_bytes"),
    "zarr": (xr.Dataset, "to_zarr"),
    "tif": (Path, "write_bytes"),
    "geojson": (Path, "write_text"),
    "html": (Path, "write_bytes"),
    "h5": (Heavy, "write_hdf5"),
}


@pytest.fixture(params=WRITERS)
def kind(request) -> str:
    """A format, if what it needs is installed."""
    pytest.importorskip(NEEDS.get(request.param, "json"))
    return str(request.param)


def content(path: Path) -> dict[str, bytes]:
    """Every file at a path, and what is in it."""
    files = [path] if path.is_file() else sorted(path.rglob("*"))
    return {str(p.relative_to(path)): p.read_bytes() for p in files if p.is_file()}


def test_a_full_disk_leaves_the_old_file(made, tmp_path, kind, monkeypatch) -> None:
    path = tmp_path / f"risk.{kind}"
    WRITERS[kind](made, path)
    before = content(path)
    assert before

    def fail(*given: object, **options: object) -> None:
        target = next(Path(g) for g in given if isinstance(g, str | Path))
        (target / "half" if target.is_dir() else target).open("wb").close()
        raise FULL

    monkeypatch.setattr(*WRITTEN_BY[kind], fail)
    with pytest.raises(OSError, match=r"the disk of .* is full, so '(risk|new)"):
        WRITERS[kind](made, path)
    assert content(path) == before
    with pytest.raises(OSError, match=r"the disk of .* is full, so '(risk|new)"):
        WRITERS[kind](made, tmp_path / f"new.{kind}")
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


def test_climada_is_not_asked_to_fill_a_disk(tmp_path, monkeypatch) -> None:
    # HDF5 crashes where there is no room, and takes all with it
    usage = SimpleNamespace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(OSError, match=r"the disk of .* is full, so 'hail.h5' was not"):
        write_hazard(Heavy(), tmp_path / "hail.h5")
    assert list(tmp_path.iterdir()) == []
    usage.free = 10**9
    write_hazard(Heavy(), tmp_path / "hail.h5")
    assert (tmp_path / "hail.h5").exists()


def test_a_folder_that_is_not_there(made, tmp_path, kind) -> None:
    path = tmp_path / "no" / f"risk.{kind}"
    with pytest.raises(FileNotFoundError, match=rf"so 'risk.{kind}' .* make"):
        WRITERS[kind](made, path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_a_folder_that_cannot_be_written(made, tmp_path, kind, monkeypatch) -> None:
    # whoever runs the tests may be allowed everything
    monkeypatch.setattr(os, "access", lambda *given, **options: False)
    with pytest.raises(PermissionError, match=rf"so 'risk.{kind}' .* choose"):
        WRITERS[kind](made, tmp_path / f"risk.{kind}")
    assert list(tmp_path.iterdir()) == []


def test_the_ending_of_another_kind(made, tmp_path, kind) -> None:
    other = tmp_path / ("risk.nc" if kind == "tif" else "risk.tif")
    other.write_text("kept")
    with pytest.raises(ValueError, match=rf"ends in '{other.suffix}', wanted '\."):
        WRITERS[kind](made, other)
    assert other.read_text() == "kept"
    WRITERS[kind](made, tmp_path / "risk.of.2019")
    assert (tmp_path / "risk.of.2019").exists()


def test_a_path_that_is_something_else(made, tmp_path, kind) -> None:
    with pytest.raises(OSError, match=r"is a folder, wanted the|is no zarr store"):
        WRITERS[kind](made, tmp_path)
    with pytest.raises(TypeError, match=r"wanted text or a Path; name the file"):
        WRITERS[kind](made, None)  # type: ignore[arg-type]


def test_the_dataset_stays_as_it_is(made, tmp_path, kind) -> None:
    before = made.copy(deep=True)
    WRITERS[kind](made, tmp_path / f"risk.{kind}")
    xr.testing.assert_identical(made, before)


def test_a_real_footprint_goes_into_every_file(tmp_path) -> None:
    pytest.importorskip("geopandas")
    pytest.importorskip("rasterio")
    from stormfusion import Catalog, Nowcaster

    event = Catalog.synthetic(events=3, size=64)[2]
    made = Nowcaster("steps").footprint(event, "vil >= 3.5 kg m-2", members=6)
    read = Footprint.open(made.to_netcdf(tmp_path / "risk.nc"))
    xr.testing.assert_equal(read.dataset, made.dataset)
    made.to_zarr(tmp_path / "risk.zarr")
    made.to_geotiff(tmp_path / "risk.tif", "percentile", quantile=0.9)
    made.to_geojson(tmp_path / "risk.geojson", (0.2, 0.5), lead="30min")
    assert made.swaths(0.2).geometry.is_valid.all()
    # and from what was read, the same
    again = read.to_geojson(tmp_path / "again.geojson", (0.2, 0.5), lead="30min")
    first, second = (
        json.loads(p.read_text()) for p in (again, again.with_stem("risk"))
    )
    assert first == second
    assert first["features"]
