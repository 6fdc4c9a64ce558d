"""HKO-7: radar of Hong Kong, an image for each frame and a mask beside it."""

import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stormfusion.data import files
from stormfusion.data.frame_files import Options, Understood, name_of
from stormfusion.data.packing import Packing
from stormfusion.errors import CatalogError, CorruptFileError
from stormfusion.grids import Grid

IMAGES, MASKS = "radarPNG", "radarPNG_mask"
"""The folders of the images and of the masks, which lie beside each other."""

SIZE = 480
"""Rows and columns of an image."""

WIDTH = 512_000.0
"""What the images cover, from edge to edge [m]."""

MISSING = -1
"""Stored number of a pixel that the mask leaves out; an image holds 0 to 255."""

PACKING = Packing("int16", scale=70 / 255, offset=-10.0, missing=(MISSING,))
"""Pixels are floor(255 (dBZ + 10) / 70 + 0.5), from -10 to 60 dBZ."""

_NAME = re.compile(r"RAD(\d{12})\.png", re.IGNORECASE)
_TWO = "[0-9][0-9]"
_FOLDERS = ("", f"{_TWO}/", f"{_TWO}/{_TWO}/", f"{_TWO}{_TWO}/{_TWO}/{_TWO}/")
_BEGIN, _END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"


@dataclass(frozen=True)
class Images:
    """
    The images of HKO-7: reflectivity at a height of 2 km, every 6 minutes.

    Parameters
    ----------
    masked
        Whether each has a mask, which says which of its pixels are known.

    Examples
    --------
    >>> Images(masked=True).grid().spacing
    (1066.6666..., 1066.6666...)
    """

    masked: bool
    prefix: str = "hko7"
    variable: str = "reflectivity"
    packing: Packing = PACKING

    def grid(self) -> Grid:
        """
        Centres of the pixels [m] from the middle of the image, the north first.

        Neither the files nor their code tell the projection, so there is none.
        """
        step = WIDTH / SIZE
        x = step * (np.arange(SIZE, dtype=np.float64) + 0.5) - WIDTH / 2
        return Grid(-x, x)

    def read(self, path: str, options: Options) -> NDArray[Any]:
        """The stored numbers of an image, `MISSING` where its mask leaves it out."""
        stored = _decoded(files.read_bytes(path, options), path).astype("int16")
        if self.masked:
            mask = mask_of(path)
            stored[~_known(files.read_bytes(mask, options), mask)] = MISSING
        return stored


def is_image(path: str) -> bool:
    """
    Whether a path has the name of an image.

    Examples
    --------
    >>> is_image("radarPNG/2015/05/20/RAD150520000000.png"), is_image("radar.png")
    (True, False)
    """
    return _NAME.fullmatch(name_of(path)) is not None


def images_in(folder: Path) -> list[str]:
    """
    The images in a folder: that of the data set, `radarPNG`, or one of its folders.

    Examples
    --------
    >>> images_in(Path("nowhere"))
    []
    """
    roots = (folder, folder / IMAGES, folder / "hko_data" / IMAGES)
    found: Iterator[Path] = (
        path
        for root in roots
        for pattern in _FOLDERS
        for path in root.glob(f"{pattern}RAD*.[pP][nN][gG]")
    )
    return sorted({str(path) for path in found if is_image(path.name)})


def understand(path: str, options: Options) -> Understood:
    """
    What an image holds, and when: from its name, and from its beginning and end.

    Raises
    ------
    CatalogError
        If its name holds no time.
    FileNotFoundError
        If its mask is not there, though there are masks.
    CorruptFileError
        If it is no whole PNG image of the right size.
    """
    time = _time_of(path)
    if files.is_local(path):
        _check_whole(*_ends_of(path), path)
    mask = mask_of(path)
    masked = mask != "" and _has_masks(mask)
    if masked and files.is_local(mask) and not Path(mask).is_file():
        raise FileNotFoundError(
            f"{path!r} has no mask {mask!r}, though others have one; fetch it, or move "
            f"the folder {MASKS} away to open all images without"
        )
    return Images(masked), time


def mask_of(path: str) -> str:
    """
    Where the mask of an image lies; nowhere (`""`) if it is not under `radarPNG`.

    Examples
    --------
    >>> mask_of("hko/radarPNG/2015/05/20/RAD150520000000.png")
    'hko/radarPNG_mask/2015/05/20/RAD150520000000.mask'
    """
    parts = path.replace(os.sep, "/").split("/")
    if IMAGES not in parts:
        return ""
    last = len(parts) - 1 - parts[::-1].index(IMAGES)
    parts[last] = MASKS
    parts[-1] = parts[-1].rsplit(".", 1)[0] + ".mask"
    return "/".join(parts)


def _has_masks(mask: str) -> bool:
    folder = mask.rsplit(f"/{MASKS}/", 1)[0] + f"/{MASKS}"
    return files.is_local(mask) and Path(folder).is_dir()


def _time_of(path: str) -> np.datetime64:
    found = _NAME.fullmatch(name_of(path))
    digits = found[1] if found else ""
    pairs = [digits[i : i + 2] for i in range(0, len(digits), 2)]
    try:
        year, month, day, hour, minute, second = pairs
        date, clock = f"20{year}-{month}-{day}", f"{hour}:{minute}:{second}"
        return np.datetime64(f"{date}T{clock}", "ns")
    except ValueError as error:
        raise CatalogError(
            f"the name of {path!r} holds no time, wanted RADyymmddHHMMSS.png; rename "
            "it, or leave it out"
        ) from error


def _ends_of(path: str) -> tuple[bytes, bytes]:
    """What a file begins and ends with."""
    with Path(path).open("rb") as file:
        head = file.read(24)
        length = file.seek(0, os.SEEK_END)
        file.seek(max(length - len(_END), 0))
        return head, file.read()


def _check_whole(head: bytes, tail: bytes, path: str) -> None:
    """Look at what an image begins and ends with, which tells if all of it is here."""
    if len(head) < 24 or not head.startswith(_BEGIN):
        raise CorruptFileError(
            f"{path!r} begins with {head[:8]!r}, wanted a PNG image; fetch it again"
        )
    width, height = (int.from_bytes(head[i : i + 4], "big") for i in (16, 20))
    if (height, width) != (SIZE, SIZE):
        raise CorruptFileError(
            f"{path!r} has {height} x {width} pixels, wanted the {SIZE} x {SIZE} of "
            "HKO-7; open images of another source as netCDF"
        )
    if tail != _END:
        raise CorruptFileError(
            f"{path!r} is truncated: it does not end as a PNG image does; fetch it "
            "again"
        )


def _decoded(data: bytes, path: str) -> NDArray[np.uint8]:
    """The pixels of an image, whose colors must all be greys."""
    from PIL import Image

    _check_whole(data[:24], data[-len(_END) :], path)
    try:
        with Image.open(BytesIO(data), formats=["PNG"]) as image:
            mode = image.mode
            colors = np.array(image if mode == "L" else image.convert("RGB"))
    except (OSError, SyntaxError, ValueError, EOFError, zlib.error) as error:
        raise CorruptFileError(
            f"{path!r} cannot be read as a PNG image ({error}); fetch it again"
        ) from error
    if mode == "L":
        return colors
    # 16 bits and transparency would lose what they hold
    if mode not in {"RGB", "P"} or (colors != colors[..., :1]).any():
        raise CorruptFileError(
            f"{path!r} has pixels of the kind {mode!r}, wanted the 8-bit greys of "
            "HKO-7; fetch those"
        )
    return np.asarray(colors[..., 0])


def _known(data: bytes, path: str) -> NDArray[np.bool_]:
    """A mask: zlib of a byte for each pixel, 1 where it is known."""
    reader = zlib.decompressobj()
    try:
        values = np.frombuffer(reader.decompress(data, SIZE * SIZE + 1), "uint8")
    except zlib.error as error:
        raise CorruptFileError(
            f"{path!r} is not a mask of HKO-7 ({error}); fetch it again"
        ) from error
    if values.size != SIZE * SIZE or values.max() > 1:
        raise CorruptFileError(
            f"{path!r} holds {values.size} bytes up to {values.max(initial=0)}, wanted "
            f"{SIZE} x {SIZE} of 0 and 1; fetch it again"
        )
    return values.reshape(SIZE, SIZE).astype(bool)
