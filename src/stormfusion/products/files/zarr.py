"""A footprint in a zarr store, whole or not at all."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import xarray as xr

from stormfusion.products.files.conventions import conventional
from stormfusion.writing import as_path, named, no_room, placed

MARKS = (".zgroup", ".zmetadata", "zarr.json")
"""Files by which a folder is known as a zarr store."""


def write_zarr(dataset: xr.Dataset, path: str | Path) -> Path:
    """
    Write a footprint's dataset as a zarr store, its metadata consolidated.

    The store has format 2, which every version of zarr reads, and whose consolidated
    metadata and texts are specified.

    Parameters
    ----------
    dataset
        As in `Footprint`.
    path
        Where the store, a folder, shall be. One that is there is replaced when all is
        written, and stays if anything goes wrong.

    Returns
    -------
    Path
        The path.

    Raises
    ------
    ModuleNotFoundError
        If zarr is not installed.
    OSError
        If it cannot be written, or something is there that is no zarr store.

    Examples
    --------
    >>> import tempfile
    >>> made = xr.Dataset({"mean": (("lead", "y", "x"), [[[1.0]]])})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = write_zarr(made, f"{folder}/risk.zarr")
    ...     (store / ".zmetadata").exists()
    True
    """
    zarr = _zarr("writing")
    written = conventional(dataset)
    for variable in written.variables.values():
        if variable.dtype.kind == "U":
            variable.encoding = {}
    newest = int(zarr.__version__.split(".")[0]) >= 3
    form: dict[str, Any] = {"zarr_format": 2} if newest else {}
    with replacing_store(named(path, ".zarr")) as temporary:
        written.to_zarr(temporary, mode="w", consolidated=True, **form)
    return as_path(path)


def open_zarr(path: Path) -> xr.Dataset:
    """
    Read a zarr store into memory.

    Raises
    ------
    ModuleNotFoundError
        If zarr is not installed.
    ValueError
        If the folder is no zarr store.

    Examples
    --------
    >>> open_zarr(Path())
    Traceback (most recent call last):
    ...
    ValueError: '.' is a folder and no zarr store, wanted the store itself; ...
    """
    if not is_store(path):
        raise ValueError(
            f"{str(path)!r} is a folder and no zarr store, wanted the store itself; "
            "name what footprint.to_zarr wrote"
        )
    _zarr("reading")
    with xr.open_dataset(path, engine="zarr", decode_timedelta=True) as opened:
        return opened.load()


def is_store(path: Path) -> bool:
    """
    Whether a folder is a zarr store.

    Examples
    --------
    >>> is_store(Path("no/such/folder"))
    False
    """
    return any((path / mark).is_file() for mark in MARKS)


@contextmanager
def replacing_store(path: str | Path) -> Iterator[Path]:
    """
    A temporary folder beside a path, renamed to it if all went well.

    Raises
    ------
    OSError
        If the folder cannot be made there, or something is there that is no zarr store.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing_store(f"{folder}/risk.zarr") as temporary:
    ...         _ = (temporary / ".zgroup").write_text("{}")
    ...     [found.name for found in Path(folder).iterdir()]
    ['risk.zarr']
    """
    place = placed(path)
    if place.exists() and not is_store(place):
        raise FileExistsError(
            f"{str(place)!r} is there and is no zarr store, so it is not replaced; "
            "name another path"
        )
    name = f".{place.stem}.{uuid4().hex[:8]}"
    temporary = place.with_name(f"{name}{place.suffix}")
    old = place.with_name(f"{name}.old")
    try:
        temporary.mkdir()
        yield temporary
        if place.exists():
            place.rename(old)
        try:
            temporary.rename(place)
        except OSError:
            if old.exists():
                old.rename(place)
            raise
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise no_room(place) from error
        raise
    finally:
        for rest in (temporary, old):
            if os.path.lexists(rest):
                shutil.rmtree(rest, ignore_errors=True)


def _zarr(doing: str) -> Any:
    try:
        import zarr
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{doing} zarr needs zarr, which is not installed; pip install "
            "'stormfusion[geo]'"
        ) from error
    return zarr
