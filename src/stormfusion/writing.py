"""Files written whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """
    A temporary name beside a path, renamed to it if all went well.

    What was at the path stays there until then, and if anything goes wrong.

    Parameters
    ----------
    path
        Where the file shall be; `~` is the home folder.

    Raises
    ------
    FileNotFoundError
        If its folder does not exist.
    IsADirectoryError
        If it is a folder itself.
    PermissionError
        If its folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(f"{folder}/scores.csv") as temporary:
    ...         _ = temporary.write_text("csi")
    ...     [found.name for found in Path(folder).iterdir()]
    ['scores.csv']
    """
    place = Path(path).expanduser()
    folder = str(place.parent)
    if not place.parent.is_dir():
        raise FileNotFoundError(
            f"folder {folder!r} does not exist, so {place.name!r} cannot be written "
            "there; make it first"
        )
    if place.is_dir():
        raise IsADirectoryError(
            f"{str(place)!r} is a folder, wanted the name of a file in it"
        )
    if not os.access(place.parent, os.W_OK | os.X_OK):
        raise PermissionError(
            f"folder {folder!r} cannot be written, so {place.name!r} cannot be made "
            "there; choose another, or change its permissions"
        )
    temporary = place.with_name(f".{place.stem}.{uuid4().hex[:8]}{place.suffix}")
    try:
        yield temporary
        temporary.replace(place)
    finally:
        temporary.unlink(missing_ok=True)
