"""Small sets of files in the exact layouts of HKO-7 and RADOLAN, with known content."""

import bz2
import gzip
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

RADARS = "<asb,boo,ros,hnr,umd,pro,ess,fld,drs,neu,nhb,oft,eis,tur,isn,fbg,mem> "
START = np.datetime64("2015-05-20T00:00", "m")


def pixels(number: int = 0, size: int = 480) -> np.ndarray:
    """Bytes that tell image, row and column: (7 number + 3 row + column) mod 256."""
    row, column = np.ogrid[:size, :size]
    return ((7 * number + 3 * row + column) % 256).astype("uint8")


def image_of(root: Path, time: np.datetime64, *, folder: str = "radarPNG") -> Path:
    """Where the image of a time lies, or with another folder its mask."""
    date, clock = str(time.astype("datetime64[m]")).split("T")
    year, month, day = date.split("-")
    stem = f"RAD{year[2:]}{month}{day}{clock.replace(':', '')}00"
    kind = "png" if folder == "radarPNG" else "mask"
    return root / folder / year / month / day / f"{stem}.{kind}"


def write_hko7(root: Path, numbers=range(3), *, masks: bool = True) -> list[Path]:
    """Images 6 minutes apart from `START` on; masks leave out row `number`."""
    paths = []
    for number in numbers:
        time = START + np.timedelta64(6 * number, "m")
        path = image_of(root, time)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels(number)).save(path)
        paths.append(path)
        if masks:
            known = np.ones((480, 480), dtype=bool)
            known[number] = False
            place = image_of(root, time, folder="radarPNG_mask")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(zlib.compress(known.tobytes(), 2))
    return paths


def words(number: int = 0, shape: tuple[int, int] = (900, 900)) -> np.ndarray:
    """Values that tell file, row and column: (11 number + 3 row + column) mod 2000."""
    row, column = np.ogrid[: shape[0], : shape[1]]
    return ((11 * number + 3 * row + column) % 2000).astype("<u2")


def header(
    product: str = "RY",
    time: np.datetime64 = START,
    *,
    size: int,
    shape: tuple[int, int] = (900, 900),
    version: int = 3,
    interval: str = "   5",
    power: str = "E-02",
    lead: int | None = None,
    site: str = "10000",
) -> bytes:
    """The text that a file begins with, as DWD writes it, up to its last byte."""
    date, clock = str(time.astype("datetime64[m]")).split("T")
    year, month, day = date.split("-")
    hour, minute = clock.split(":")
    software = "  P42001H" if version == 5 else "   2.21.0"
    text = (
        f"{product}{day}{hour}{minute}{site}{month}{year[2:]}BY{{size}}VS{version:2d}"
        f"SW{software}PR {power}INT{interval}GP{shape[0]:4d}x{shape[1]:4d}"
        + ("" if lead is None else f"VV{lead:4d}MF 00000008")
        + f"MS{len(RADARS):3d}{RADARS}\x03"
    )
    width = 10 if version == 5 else 7
    total = len(text) - len("{size}") + width + size
    return text.replace("{size}", f"{total:{width}d}").encode()


def write_radolan(
    path: Path,
    values: np.ndarray,
    product: str = "RY",
    time: np.datetime64 = START,
    **told,
) -> Path:
    """A file of stored numbers, packed as its name says."""
    body = values.tobytes()
    text = header(product, time, size=len(body), shape=values.shape, **told)
    data = text + body
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".gz":
        data = gzip.compress(data, 1)
    elif path.suffix == ".bz2":
        data = bz2.compress(data, 1)
    path.write_bytes(data)
    return path


def name(product: str, time: np.datetime64, packed: str = "") -> str:
    """The name that DWD gives a file."""
    digits = "".join(sign for sign in str(time)[2:16] if sign.isdigit())
    return f"raa01-{product.lower()}_10000-{digits}-dwd---bin{packed}"


def write_sequence(folder: Path, numbers=range(3), product="RY", packed="", **told):
    """Files 5 minutes apart from `START` on."""
    shape = told.pop("shape", (900, 900))
    return [
        write_radolan(
            folder / name(product, time, packed), words(n, shape), product, time, **told
        )
        for n in numbers
        for time in [START + np.timedelta64(5 * n, "m")]
    ]
