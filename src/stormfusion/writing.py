"""Paths of files, and files written whole or not at all."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

ENDINGS = (
    *(".nc", ".nc4", ".h5", ".hdf5", ".zarr", ".csv", ".parquet", ".safetensors"),
    *(".tif", ".tiff", ".json", ".geojson", ".html", ".htm"),
    *(".png", ".jpg", ".jpeg", ".gif", ".svg", ".pdf"),
)
"""Endings of which everyone knows what they hold."""


def as_path(path: Any) -> Path:
    """
    The path of a file; `~` is the home folder.

    Raises
    ------
    TypeError
        If it is no path.

    Examples
    --------
    >>> as_path("storms/scores.csv").name
    'scores.csv'
    """
    if not isinstance(path, str | os.PathLike) or not str(path):
        raise TypeError(f"path is {path!r}, wanted text or a Path; name the file")
    return Path(path).expanduser()


def named(path: Any, *endings: str) -> Path:
    """
    A path, unless it ends as a file of another kind does.

    Parameters
    ----------
    path
        Where the file shall be.
    endings
        Of its kind, the usual one first. Names without an ending, or with one that says
        nothing of the kind, are as good.

    Raises
    ------
    ValueError
        If the ending is that of another kind.

    Examples
    --------
    >>> named("risk.nc", ".tif", ".tiff")
    Traceback (most recent call last):
    ...
    ValueError: 'risk.nc' ends in '.nc', wanted '.tif'; other programs would not ...
    """
    place = as_path(path)
    if place.suffix.lower() in ENDINGS and place.suffix.lower() not in endings:
        raise ValueError(
            f"{place.name!r} ends in {place.suffix!r}, wanted {endings[0]!r}; other "
            "programs would not know what it is"
        )
    return place


def writable(path: Any) -> Path:
    """
    The file that a path leads to, if one can be written there.

    Raises
    ------
    TypeError, OSError
        As `placed`, and if it is a folder itself, or no file, such as a device.

    Examples
    --------
    >>> writable(".")
    Traceback (most recent call last):
    ...
    IsADirectoryError: '...' is a folder, wanted the name of a file in it
    """
    place = placed(path)
    if place.is_dir():
        raise IsADirectoryError(
            f"{str(place)!r} is a folder, wanted the name of a file in it"
        )
    if place.exists() and not place.is_file():
        raise FileExistsError(
            f"{str(place)!r} is no ordinary file, wanted one that may be replaced; "
            "name another"
        )
    return place


def placed(path: Any) -> Path:
    """
    A path in full, if its folder is there and can be written.

    Raises
    ------
    TypeError
        If it is no path.
    FileNotFoundError
        If its folder does not exist.
    PermissionError
        If its folder cannot be written.

    Examples
    --------
    >>> placed("no/such/folder/risk.zarr")
    Traceback (most recent call last):
    ...
    FileNotFoundError: folder '...folder' does not exist, so 'risk.zarr' cannot be ...
    """
    place = as_path(path).resolve()
    folder = str(place.parent)
    if not place.parent.is_dir():
        raise FileNotFoundError(
            f"folder {folder!r} does not exist, so {place.name!r} cannot be written "
            "there; make it first"
        )
    if not os.access(place.parent, os.W_OK | os.X_OK):
        raise PermissionError(
            f"folder {folder!r} cannot be written, so {place.name!r} cannot be made "
            "there; choose another, or change its permissions"
        )
    return place


def no_room(place: Path) -> OSError:
    """
    What is said where a disk is full.

    Examples
    --------
    >>> raise no_room(Path("storms/scores.csv"))
    Traceback (most recent call last):
    ...
    OSError: [Errno ...] the disk of 'storms' is full, so 'scores.csv' was not ...
    """
    return OSError(
        errno.ENOSPC,
        f"the disk of {str(place.parent)!r} is full, so {place.name!r} was not "
        "written; make room, or choose another folder",
    )


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """
    A temporary name beside a path, renamed to it if all went well.

    What was at the path stays there until then, and if anything goes wrong. The new
    file has its permissions; a link stays one, and the file it leads to is replaced.

    Parameters
    ----------
    path
        Where the file shall be; `~` is the home folder.

    Raises
    ------
    TypeError, OSError
        As `writable` says, and if the disk is full.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(f"{folder}/scores.csv") as temporary:
    ...         _ = temporary.write_text("csi")
    ...     [found.name for found in Path(folder).iterdir()]
    ['scores.csv']
    """
    place = writable(path)
    temporary = place.with_name(f".{place.stem}.{uuid4().hex[:8]}{place.suffix}")
    try:
        temporary.touch()
        mode = (place if place.exists() else temporary).stat().st_mode
        yield temporary
        temporary.chmod(stat.S_IMODE(mode))
        temporary.replace(place)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise no_room(place) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)
