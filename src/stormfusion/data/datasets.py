"""Datasets that xarray opens: one handle for each file, in each process."""

import atexit
import os
import threading
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from stormfusion.data import files
from stormfusion.errors import CorruptFileError, MissingExtraError

MAX_OPEN = 64
"""Datasets that a process keeps open at a time."""

Stamp = tuple[int, ...]
"""What tells whether a local file was written anew: inode, size and time."""

GRIB = (".grib", ".grib2", ".grb", ".grb2")
_DAMAGED = (OSError, ValueError, LookupError, RuntimeError, TypeError, EOFError)


def stamp_of(path: str) -> Stamp:
    """
    What changes when a local file is written anew; nothing is known of a URL.

    Raises
    ------
    FileNotFoundError
        If the file is not there.

    Examples
    --------
    >>> stamp_of("s3://radar/rain.nc")
    ()
    """
    if not files.is_local(path):
        return ()
    place = Path(files.normalize(path))
    if not place.exists():
        raise FileNotFoundError(
            f"there is no file {path!r}; check the path, or fetch the file"
        )
    stamp: list[int] = []
    # of a zarr store the metadata tell
    for each in (place, *(place / n for n in ("zarr.json", ".zmetadata", ".zattrs"))):
        if each.exists():
            found = each.stat()
            stamp += [found.st_ino, found.st_size, found.st_mtime_ns]
    return tuple(stamp)


def open_file(path: str, options: Mapping[str, Any] | None = None) -> xr.Dataset:
    """
    Open a file with its numbers as stored: neither masked nor scaled.

    A file that is open already is not opened again, unless it was written anew since.

    Parameters
    ----------
    path
        A netCDF or GRIB file or a zarr store, or the URL of one.
    options
        What fsspec is told to reach a URL.

    Raises
    ------
    FileNotFoundError
        If it is not there.
    CorruptFileError
        If xarray cannot open it.
    MissingExtraError
        If a package is needed that is not installed.
    """
    key = (path, repr(sorted((options or {}).items())))
    stamp = stamp_of(path)
    with _open.lock:
        _open.check_process()
        if key in _open.datasets and _open.datasets[key][0] == stamp:
            _open.datasets.move_to_end(key)
            return _open.datasets[key][1]
        _open.close(key)
        dataset, file = _opened(path, options or {})
        _open.datasets[key] = (stamp, dataset, file)
        while len(_open.datasets) > MAX_OPEN:
            _open.close(next(iter(_open.datasets)))
    return dataset


def close_all() -> None:
    """Close every dataset that this process holds open."""
    with _open.lock:
        for key in list(_open.datasets):
            _open.close(key)


def is_zarr(path: str) -> bool:
    """
    Whether a path is a zarr store, by its name or by what lies in it.

    Examples
    --------
    >>> is_zarr("s3://radar/rain.zarr"), is_zarr("radar/rain.nc")
    (True, False)
    """
    if path.rstrip("/").endswith(".zarr"):
        return True
    held = [Path(path) / name for name in ("zarr.json", ".zgroup")]
    return files.is_local(path) and any(each.exists() for each in held)


def _opened(path: str, options: Mapping[str, Any]) -> tuple[xr.Dataset, Any]:
    """A dataset, and the open file that it reads through, if it does."""
    engine: str | None = None
    target: Any = files.normalize(path)
    local = files.is_local(path)
    if is_zarr(path):
        engine = "zarr"
        if not local:
            system, inner = files.filesystem(path, options)
            target = system.get_mapper(inner)
    elif path.lower().endswith(GRIB):
        engine = "cfgrib"
    try:
        if not local and engine is None:
            system, inner = files.filesystem(path, options)
            engine, target = "h5netcdf", system.open(inner, "rb")
        if engine is None and _is_hdf5(Path(target)):
            # through a Python file HDF5 takes no lock, which shared disks may refuse,
            # and lets the file be replaced while it is open
            engine, target = "h5netcdf", Path(target).open("rb")  # noqa: SIM115  # kept
        dataset = xr.open_dataset(
            target, engine=engine, mask_and_scale=False, decode_timedelta=False
        )
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"there is no file {path!r}; check the path, or fetch the file"
        ) from error
    except ImportError as error:
        raise _missing(path, engine) from error
    except _DAMAGED as error:
        if hasattr(target, "close"):
            target.close()
        if "unrecognized engine" in str(error):
            raise _missing(path, engine) from error
        reason = str(error).split("\n", 1)[0][:200]
        if "xarray's currently installed IO backends" in reason:
            reason = "none of xarray's readers knows what begins like it"
        raise CorruptFileError(
            f"{path!r} is not a file that xarray can open, wanted whole netCDF, zarr "
            f"or GRIB; fetch it again or convert it ({reason})"
        ) from error
    return dataset, target if hasattr(target, "close") else None


def _is_hdf5(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8) == b"\x89HDF\r\n\x1a\n"


def _missing(path: str, engine: str | None) -> MissingExtraError:
    return MissingExtraError(
        f"{path!r} needs the {engine} package, which is not installed; run "
        "pip install 'stormfusion[geo]'"
    )


class _Opened:
    """The open datasets of a process, the one used last at the end."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.lock = threading.RLock()
        self.datasets: OrderedDict[tuple[str, str], tuple[Stamp, xr.Dataset, Any]] = (
            OrderedDict()
        )

    def check_process(self) -> None:
        """After a fork, leave the parent's handles alone: a worker opens its own."""
        if self.pid != os.getpid():
            self.pid = os.getpid()
            _forgotten.append(self.datasets)
            self.datasets = OrderedDict()

    def close(self, key: tuple[str, str]) -> None:
        if key in self.datasets:
            _, dataset, file = self.datasets.pop(key)
            dataset.close()
            if file is not None:
                file.close()


_open = _Opened()
# what a fork brought along is kept, not closed: its closing would touch shared files
_forgotten: list[object] = []
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_open.lock.acquire,
        after_in_parent=_open.lock.release,
        after_in_child=_open.lock.release,
    )
atexit.register(close_all)
