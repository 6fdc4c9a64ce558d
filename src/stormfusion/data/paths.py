"""Which files a path, a wildcard, a folder or a list of them names."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def expand(
    path: str | Path | Sequence[str | Path], options: Mapping[str, Any]
) -> list[str]:
    """The files that a path, wildcard, folder or list of them names."""
    if not isinstance(path, str | Path):
        return [each for one in path for each in expand(one, options)]
    text = str(path)
    if "://" in text:
        import fsspec

        if "*" not in text:
            return [text]
        system, _, roots = fsspec.get_fs_token_paths(
            text, storage_options=dict(options)
        )
        return [system.unstrip_protocol(root) for root in sorted(roots)]
    place = Path(text).expanduser()
    if "*" in text:
        anchor = Path(place.anchor) if place.anchor else Path()
        pattern = str(place.relative_to(place.anchor)) if place.anchor else str(place)
        found = sorted(map(str, anchor.glob(pattern)))
    elif place.is_dir() and place.suffix != ".zarr":
        kinds = ("*.nc", "*.nc4", "*.grib", "*.grib2", "*.grb2", "*.zarr")
        found = sorted(str(p) for kind in kinds for p in place.glob(kind))
        if not found:
            raise FileNotFoundError(
                f"folder {text!r} holds neither a SEVIR catalog (CATALOG.csv) nor "
                "netCDF, zarr or GRIB files; check the path"
            )
    else:
        if not place.exists():
            raise FileNotFoundError(f"there is no file or folder {text!r}; check it")
        found = [str(place)]
    if not found:
        raise FileNotFoundError(f"no file matches {text!r}; check the pattern")
    return found
