"""Which files a path, a wildcard, a folder or a list of them names."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stormfusion.data import files, hko7, radolan
from stormfusion.data.datasets import is_zarr
from stormfusion.errors import CatalogError

KINDS = (".nc", ".nc4", ".cdf", ".grib", ".grib2", ".grb", ".grb2", ".zarr")


def expand(
    path: str | Path | Sequence[str | Path], options: Mapping[str, Any]
) -> list[str]:
    """
    The files that a path, wildcard, folder or list of them names, each once.

    Parameters
    ----------
    path
        Local paths (`~` is the home folder) or URLs, with `*`, `?` and `[...]` as
        wildcards and `**` for folders in folders.
    options
        What fsspec is told to reach a URL.

    Returns
    -------
    list of str
        Absolute paths and URLs, sorted within a wildcard or folder.

    Raises
    ------
    CatalogError
        If an archive is named, or is all that a folder holds.
    FileNotFoundError
        If nothing is there.

    Examples
    --------
    >>> expand("s3://radar/rain.nc", {})
    ['s3://radar/rain.nc']
    """
    if isinstance(path, str | Path):
        return _one(str(path), options)
    found = [each for one in path for each in _one(str(one), options)]
    if not found:
        raise FileNotFoundError("got an empty list of files, wanted one or more")
    return list(dict.fromkeys(found))


def _one(text: str, options: Mapping[str, Any]) -> list[str]:
    wild = any(sign in text for sign in "*?[")
    if not files.is_local(text):
        return _remote(text, options, wild=wild)
    place = Path(files.normalize(text))
    if place.exists():
        wild = False
    if wild:
        pattern = str(place.relative_to(place.anchor))
        found = [p for p in Path(place.anchor).glob(pattern) if _is_data(p)]
        if not found:
            raise FileNotFoundError(f"no file matches {text!r}; check the pattern")
        return sorted(map(str, found))
    if not place.exists():
        raise FileNotFoundError(f"there is no file or folder {text!r}; check the path")
    if not place.is_dir() or is_zarr(str(place)):
        _refuse_archives([str(place)])
        return [str(place)]
    names = sorted(map(str, place.iterdir()))
    inside = _of_a_kind(names) or hko7.images_in(place)
    if not inside:
        _refuse_archives(names)
        raise FileNotFoundError(
            f"folder {text!r} holds neither a SEVIR catalog (CATALOG.csv) nor netCDF, "
            "zarr, GRIB or RADOLAN files, nor HKO-7 (radarPNG/2015/05/20/"
            "RAD150520003000.png, its time as yymmddHHMMSS); "
            "check the path, or name files in folders of it with '**/*.nc'"
        )
    return inside


def _of_a_kind(names: list[str]) -> list[str]:
    """The files that xarray opens, or else the composites of RADOLAN."""
    opened = [each for each in names if each.rstrip("/").lower().endswith(KINDS)]
    return opened or [each for each in names if radolan.is_composite(each)]


def _refuse_archives(names: list[str]) -> None:
    archives = [each for each in names if radolan.is_archive(each)]
    if archives:
        raise CatalogError(
            f"{archives[0]!r} is an archive, wanted the files in it; unpack it with "
            "'tar -xf'"
        )


def _is_data(place: Path) -> bool:
    return place.is_file() or is_zarr(str(place))


def _remote(text: str, options: Mapping[str, Any], *, wild: bool) -> list[str]:
    if not wild and (is_zarr(text) or text.lower().endswith(KINDS)):
        return [text]
    system, inner = files.filesystem(text, options)
    if wild:
        found = sorted(map(str, system.glob(inner)))
    elif system.isdir(inner):
        found = _of_a_kind(sorted(map(str, system.ls(inner, detail=False))))
    else:
        return [text]
    if not found:
        raise FileNotFoundError(f"no radar file is at {text!r}; check the URL")
    return [str(system.unstrip_protocol(each)) for each in found]
