"""Files, local or at a URL: one open handle for each, in each process."""

import atexit
import contextlib
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import IO, Any

import fsspec
import h5py

from stormfusion.errors import CorruptFileError, MissingExtraError

MAX_OPEN = 64
"""Files that a process keeps open at a time."""

Options = Mapping[str, Any] | None
"""What fsspec is told to reach a URL, such as an endpoint or credentials."""

_SIGNED = {"anon", "key", "secret", "token", "profile", "session"}


def is_local(path: str | os.PathLike[str]) -> bool:
    """
    Whether a path lies in the local file system.

    Examples
    --------
    >>> is_local("radar/vil.h5"), is_local("s3://sevir")
    (True, False)
    """
    text = os.fspath(path)
    return "://" not in text or text.startswith(("file://", "local://"))


def normalize(path: str | os.PathLike[str]) -> str:
    """
    One text for one file: an absolute local path, or a URL without a final slash.

    Examples
    --------
    >>> normalize("s3://sevir/data/")
    's3://sevir/data'
    """
    text = os.fspath(path)
    if not is_local(text):
        return text if text.endswith("://") else text.rstrip("/")
    text = text.split("://", 1)[-1]
    # a path is normalized for every read, and most are absolute
    if text[:1] == "/" != text[-1:]:
        return text
    return str(Path(text).expanduser().absolute())


def filesystem(
    path: str | os.PathLike[str], options: Options = None
) -> tuple[fsspec.AbstractFileSystem, str]:
    """
    The file system of a path or URL, and the path in it.

    S3 is read without signing in, unless `options` hold credentials or `anon`.

    Raises
    ------
    MissingExtraError
        If the package for this kind of URL is not installed.

    Examples
    --------
    >>> filesystem("memory://radar/vil.h5")[1]
    '/radar/vil.h5'
    """
    url = normalize(path)
    protocol = "file" if is_local(url) else url.split("://", 1)[0].split("::")[0]
    known = dict(options or {})
    if protocol in {"s3", "s3a"} and not _SIGNED & known.keys():
        known["anon"] = True
    try:
        fsspec.get_filesystem_class(protocol)
    except ImportError as error:
        todo = (
            "pip install 'stormfusion[s3]'"
            if protocol in {"s3", "s3a"}
            else f"install it ({error})"
        )
        raise MissingExtraError(
            f"reading {url!r} needs a package for {protocol}:// that is not installed; "
            f"{todo}"
        ) from error
    except ValueError as error:
        raise ValueError(
            f"got {url!r}, wanted a local path or a URL that fsspec knows; check what "
            f"stands before '://' ({error})"
        ) from error
    found, inner = fsspec.url_to_fs(url, **(known if protocol != "file" else {}))
    return found, str(inner)


def read_bytes(path: str | os.PathLike[str], options: Options = None) -> bytes:
    """
    Everything in a file.

    Raises
    ------
    FileNotFoundError
        If it is not there.
    """
    url = normalize(path)
    if is_local(url):
        if not Path(url).is_file():
            raise _absent(url)
        return Path(url).read_bytes()
    found, inner = filesystem(url, options)
    try:
        return bytes(found.cat_file(inner))
    except FileNotFoundError as error:
        raise _absent(url) from error


def open_hdf5(path: str | os.PathLike[str], options: Options = None) -> "Hdf5":
    """
    The handle of an HDF5 file in this process, opened if it is not open yet.

    Up to `MAX_OPEN` files stay open; the one used longest ago makes room. A forked
    worker opens its own. A local file that was written anew is opened anew.

    Parameters
    ----------
    path
        A local path, or a URL that fsspec reads.
    options
        What fsspec is told to reach it.

    Raises
    ------
    FileNotFoundError
        If the file is not there.
    CorruptFileError
        If it is truncated, or no HDF5 file.
    """
    url = normalize(path)
    key = (url, repr(sorted((options or {}).items())))
    with _lock:
        if _opened.pid != os.getpid():
            # what a fork brought along belongs to the parent: let this copy go
            _opened.pid = os.getpid()
            _close(_opened.files)
        handle = _opened.files.get(key)
        state = _state(url)
        if handle is not None and handle.state == state:
            _opened.files.move_to_end(key)
            return handle
        if handle is not None:
            _close(_opened.files, key)
        handle = Hdf5(url, *_open(url, options), state)
        _opened.files[key] = handle
        while len(_opened.files) > MAX_OPEN:
            # a thread may still read it: it closes when nobody holds it any more
            _opened.files.popitem(last=False)
        return handle


def close_all() -> None:
    """Close every file that this process holds open."""
    with _lock:
        _close(_opened.files)


class Hdf5:
    """
    An open HDF5 file of this process.

    Parameters
    ----------
    url
        Where it lies.
    file, source
        The open HDF5 file, and the file that it reads.
    state
        What tells whether the file was written anew since: inode, size and time.
    """

    def __init__(
        self, url: str, file: h5py.File, source: IO[bytes], state: tuple[int, ...]
    ) -> None:
        self.url = url
        self.file = file
        self.source = source
        self.state = state
        self._datasets: dict[str, h5py.Dataset] = {}
        # a user block shifts the addresses that HDF5 gives
        direct = is_local(url) and hasattr(os, "preadv") and not file.userblock_size
        self.descriptor: int | None = source.fileno() if direct else None

    def dataset(self, name: str) -> h5py.Dataset:
        """
        A dataset of the file.

        Raises
        ------
        CorruptFileError
            If there is none of this name.
        """
        if name in self._datasets:
            return self._datasets[name]
        with reading(self.url):
            found = self.file.get(name)
            held = list(islice(self.file, 6))
        if isinstance(found, h5py.Dataset):
            if len(self._datasets) < MAX_OPEN:
                self._datasets[name] = found
            return found
        listed = ", ".join(held[:5]) + (", ..." if len(held) > 5 else "")
        raise CorruptFileError(
            f"{self.url} holds {listed or 'nothing'} and no dataset {name!r}; download "
            "it again, or correct its row of the catalog"
        )

    @cached_property
    def ids(self) -> list[str] | None:
        """Ids of the events in the file, in order, or None where it has none."""
        with reading(self.url):
            if "id" not in self.file:
                return None
            stored = self.dataset("id")[()].ravel()
        return [v.decode() if isinstance(v, bytes) else str(v) for v in stored]

    def close(self) -> None:
        """Close the file; what was read stays."""
        self._datasets.clear()
        self.descriptor = None
        self.file.close()
        self.source.close()

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.close()


@contextlib.contextmanager
def reading(url: str) -> Iterator[None]:
    """What HDF5 says of a damaged file, in a sentence that names the file."""
    try:
        yield
    except CorruptFileError:
        raise
    except (OSError, RuntimeError, KeyError) as error:
        raise CorruptFileError(
            f"{url} cannot be read to its end ({error}); download it again"
        ) from error


def _open(url: str, options: Options) -> tuple[h5py.File, IO[bytes]]:
    try:
        if is_local(url):
            source: IO[bytes] = Path(url).open("rb", buffering=0)  # noqa: SIM115  # kept
        else:
            system, inner = filesystem(url, options)
            source = system.open(inner, "rb")
    except FileNotFoundError as error:
        raise _absent(url) from error
    try:
        # HDF5 reads through the Python file: it then takes no locks, which shared disks
        # may refuse, and does not mind who else in this process has the file open
        return h5py.File(source, "r"), source
    except (OSError, RuntimeError, ValueError) as error:
        source.close()
        raise CorruptFileError(
            f"{url} is not a readable HDF5 file ({error}); download it again"
        ) from error


def _absent(url: str) -> FileNotFoundError:
    return FileNotFoundError(
        f"there is no file {url}; check the path, or download the file"
    )


def _state(url: str) -> tuple[int, ...]:
    if not is_local(url):
        return ()
    try:
        found = os.stat(url)  # noqa: PTH116  # a tenth of the time of Path.stat
    except FileNotFoundError as error:
        raise _absent(url) from error
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


class _Opened:
    """The open files of a process, the one used last at the end."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.files: OrderedDict[tuple[str, str], Hdf5] = OrderedDict()


def _close(
    files: OrderedDict[tuple[str, str], Hdf5], key: tuple[str, str] | None = None
) -> None:
    for each in [key] if key else list(files):
        with contextlib.suppress(Exception):
            files.pop(each).close()


_opened = _Opened()
_lock = threading.RLock()
if hasattr(os, "register_at_fork"):
    # a fork while another thread opens a file must not leave the lock taken
    os.register_at_fork(
        before=_lock.acquire,
        after_in_parent=_lock.release,
        after_in_child=_lock.release,
    )
atexit.register(close_all)
