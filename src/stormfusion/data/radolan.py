"""RADOLAN: the binary composites of Deutscher Wetterdienst, a file for each frame."""

import bz2
import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from stormfusion.data import files
from stormfusion.data.frame_files import Options, Understood, name_of
from stormfusion.data.packing import Packing
from stormfusion.errors import CatalogError, CorruptFileError
from stormfusion.grids import Grid

PRODUCTS = {
    **dict.fromkeys(("RX", "WX", "EX", "WN"), "reflectivity"),
    **dict.fromkeys(("RY", "RZ", "EY", "EZ", "YW", "RV"), "rain_rate"),
    **dict.fromkeys(("RH", "RB", "RW", "RL", "RU", "EW", "SF"), "rain"),
}
"""
The variable of each product that is read.

Sums over five minutes are rain rates, those over an hour or a day accumulations.
"""

BYTES = frozenset({"RX", "WX", "EX"})
"""Products of one byte for each pixel; the others have two."""

CORNERS = {
    (900, 900): (-450, -450),
    (1100, 900): (-550, -370),
    (1200, 1100): (-600, -470),
    (1500, 1400): (-800, -600),
}
"""The south-western corner of each grid, from 51 N, 9 E northward and eastward [km]."""

SPHERE = (
    "+proj=stere +lat_0=90 +lat_ts=60 +lon_0=10 +x_0=0 +y_0=0 +a=6370040 +b=6370040 "
    "+units=m +no_defs"
)
ELLIPSOID = (
    "+proj=stere +lat_0=90 +lat_ts=60 +lon_0=10 +x_0=0 +y_0=0 +ellps=WGS84 +units=m "
    "+no_defs"
)
"""The projections of format versions up to 4, and from 5 on."""

MISSING = -1
"""Number that stands for a pixel without a value."""

_CLUTTER, _NO_DATA = 249, 250
_VALUE, _SET = 0x0FFF, 0xE000
"""Bits of a value, and of the flags that it is none; 0x1000 says it was filled in."""

_NAME = re.compile(
    r"(?:.+-dwd---bin|(?:DE1200_)?[A-Z]{2}\d{10}_\d{3}(?:_MF\d{3})?)(?:\.gz|\.bz2)?"
)
_ARCHIVE = re.compile(r".+\.(?:tar|tgz|tar\.gz|tar\.bz2)", re.IGNORECASE)
_HEADER = re.compile(
    rb"(?P<product>[A-Z]{2})(?P<dd>\d\d)(?P<HH>\d\d)(?P<MM>\d\d)(?P<site>\d{5})"
    rb"(?P<mm>\d\d)(?P<yy>\d\d)BY\s*(?P<bytes>\d+)VS\s*(?P<version>\d+)SW.{9}"
    rb"PR\s*E(?P<power>[+-]\d\d)INT\s*(?P<interval>\d+)(?:U(?P<unit>\d))?"
    rb"GP\s*(?P<rows>\d+)x\s*(?P<columns>\d+)(?:VV\s*(?P<lead>\d+))?"
)
_LONGEST = 2048
_ETX = b"\x03"
_UNREADABLE = (OSError, EOFError, zlib.error)


@dataclass(frozen=True)
class Composite:
    """
    What RADOLAN files have in common that are one sequence.

    Parameters
    ----------
    product
        Two letters, one of `PRODUCTS`.
    shape
        Rows and columns.
    version
        Of the format, which tells the projection.
    precision
        What a stored 1 means, in the product's own units.
    minutes
        The time that a sum covers [min].

    Examples
    --------
    >>> Composite("RY", (900, 900), 3, 0.01, 5).variable
    'rain_rate'
    """

    product: str
    shape: tuple[int, int]
    version: int
    precision: float
    minutes: int

    @property
    def prefix(self) -> str:
        """Beginning of the events' ids."""
        return f"radolan-{self.product.lower()}"

    @property
    def variable(self) -> str:
        """Name of the variable."""
        return PRODUCTS[self.product]

    @property
    def packing(self) -> Packing:
        """How the stored numbers become dBZ, mm h-1 or mm."""
        if self.variable == "reflectivity":
            scale, offset = 0.5 * self.precision, -32.5
        elif self.variable == "rain_rate":
            scale, offset = self.precision * 60 / self.minutes, 0.0
        else:
            scale, offset = self.precision, 0.0
        return Packing("int16", float(f"{scale:.12g}"), offset, missing=(MISSING,))

    def grid(self) -> Grid:
        """Centres of the pixels, 1 km apart, the south first."""
        x, y = _reference(self.version)
        south, west = (1000.0 * corner for corner in CORNERS[self.shape])
        rows, columns = (np.arange(n, dtype=np.float64) for n in self.shape)
        return Grid(
            y + south + 1000.0 * (rows + 0.5),
            x + west + 1000.0 * (columns + 0.5),
            _projection(self.version),
        )

    def read(self, path: str, options: Options) -> NDArray[Any]:
        """The stored numbers of a file, `MISSING` where there is no value."""
        rows, columns = self.shape
        count = rows * columns * _width(self.product)
        with _opened(path, options) as file:
            header, _ = _header_of(file, path)
            found = _composite(header, path)
            if found != self:
                raise CorruptFileError(
                    f"{path!r} holds {found}, and held {self} when its catalog was "
                    "opened; open it again"
                )
            file.seek(len(header) + 1)
            body = file.read(count)
        if len(body) < count:
            begin = len(header) + 1
            raise _truncated(path, begin + len(body), begin + count)
        if self.product in BYTES:
            stored = np.frombuffer(body, "uint8").astype("int16")
            stored[stored >= _CLUTTER] = MISSING
        else:
            words = np.frombuffer(body, "<u2")
            stored = (words & _VALUE).astype("int16")
            stored[(words & _SET) != 0] = MISSING
        return stored.reshape(self.shape)


def is_composite(path: str) -> bool:
    """
    Whether a path has the name of a RADOLAN file.

    Examples
    --------
    >>> is_composite("raa01-ry_10000-2108230850-dwd---bin.gz"), is_composite("ry.nc")
    (True, False)
    """
    return _NAME.fullmatch(name_of(path)) is not None


def is_archive(path: str) -> bool:
    """
    Whether a path has the name of an archive of many files.

    Examples
    --------
    >>> is_archive("YW2017.002_20160529.tar.gz"), is_archive("ry.gz")
    (True, False)
    """
    return _ARCHIVE.fullmatch(name_of(path)) is not None


def understand(path: str, options: Options) -> Understood:
    """
    What a RADOLAN file holds, and when: from its header, and from its length.

    Raises
    ------
    CatalogError
        If it is a product that is not read, or a forecast.
    CorruptFileError
        If it is no whole RADOLAN file.
    """
    with _opened(path, options) as file:
        header, fields = _header_of(file, path)
    composite = _composite(header, path)
    lead = int(fields["lead"] or 0)
    if lead:
        raise CatalogError(
            f"{path!r} is a forecast for {lead} min ahead, wanted an observation; open "
            "those with _000 in their name"
        )
    expected = (
        len(header)
        + 1
        + composite.shape[0] * composite.shape[1] * _width(composite.product)
    )
    if int(fields["bytes"]) != expected:
        raise CorruptFileError(
            f"the header of {path!r} speaks of {int(fields['bytes'])} bytes, wanted "
            f"{expected} for {composite.product} of {composite.shape[0]} x "
            f"{composite.shape[1]} pixels; fetch it again"
        )
    length = _length(path)
    if length is not None and length != expected:
        raise _truncated(path, length, expected)
    return composite, _time_of(fields, path)


def _width(product: str) -> int:
    return 1 if product in BYTES else 2


def _truncated(path: str, length: int, wanted: int) -> CorruptFileError:
    return CorruptFileError(
        f"{path!r} is cut short or damaged: by its end it has {length} bytes, "
        f"unpacked, by its header {wanted}; fetch it again"
    )


def _projection(version: int) -> str:
    return ELLIPSOID if version >= 5 else SPHERE


def _reference(version: int) -> tuple[float, float]:
    """Where 51 N, 9 E lies in the projection [m], whose origin is the pole."""
    from pyproj import Proj

    x, y = Proj(_projection(version))(9.0, 51.0)
    return float(x), float(y)


@contextmanager
def _opened(path: str, options: Options) -> Iterator[IO[bytes]]:
    """A file, unpacked while it is read; what goes wrong then is said of the file."""
    system, inner = files.filesystem(path, options)
    with system.open(inner, "rb") as file:
        unpacked: Any = file
        if path.lower().endswith(".gz"):
            unpacked = gzip.GzipFile(fileobj=file)
        elif path.lower().endswith(".bz2"):
            unpacked = bz2.BZ2File(file)
        try:
            yield cast(IO[bytes], unpacked)
        except CorruptFileError:
            raise
        except _UNREADABLE as error:
            raise CorruptFileError(
                f"{path!r} cannot be unpacked to its end ({error}); fetch it again"
            ) from error


def _header_of(file: IO[bytes], path: str) -> tuple[bytes, re.Match[bytes]]:
    """The text that a file begins with, and its fields."""
    header, end, _ = file.read(_LONGEST).partition(_ETX)
    fields = _HEADER.match(header)
    if not end or fields is None:
        raise CorruptFileError(
            f"{path!r} begins with {header[:17]!r}, wanted the header of a RADOLAN "
            "composite such as b'RY230850100000821'; fetch it again, or leave it out"
        )
    return header, fields


def _composite(header: bytes, path: str) -> Composite:
    fields = _HEADER.match(header)
    assert fields is not None
    product = fields["product"].decode()
    if product not in PRODUCTS:
        raise CatalogError(
            f"{path!r} holds the RADOLAN product {product!r}, wanted one of "
            f"{', '.join(PRODUCTS)}; leave it out"
        )
    if fields["site"] != b"10000":
        raise CatalogError(
            f"{path!r} is of the radar {fields['site'].decode()}, wanted a composite "
            "(10000); leave it out"
        )
    shape = int(fields["rows"]), int(fields["columns"])
    if shape not in CORNERS:
        known = ", ".join(f"{rows} x {columns}" for rows, columns in CORNERS)
        raise CatalogError(
            f"{path!r} has {shape[0]} x {shape[1]} pixels, wanted a RADOLAN grid of "
            f"{known}; leave it out"
        )
    minutes = int(fields["interval"]) * (1440 if fields["unit"] == b"1" else 1)
    if not minutes:
        raise CorruptFileError(
            f"the header of {path!r} gives an interval of 0 min; fetch it again"
        )
    precision = float(f"1e{fields['power'].decode()}")
    return Composite(product, shape, int(fields["version"]), precision, minutes)


def _time_of(fields: re.Match[bytes], path: str) -> np.datetime64:
    year, month, day, hour, minute = (
        fields[name].decode() for name in ("yy", "mm", "dd", "HH", "MM")
    )
    try:
        return np.datetime64(f"20{year}-{month}-{day}T{hour}:{minute}", "ns")
    except ValueError as error:
        raise CorruptFileError(
            f"the header of {path!r} gives the time {day}.{month}.{year} "
            f"{hour}:{minute}; fetch it again"
        ) from error


def _length(path: str) -> int | None:
    """Bytes in a file when unpacked, None where only unpacking would tell."""
    if not files.is_local(path) or path.lower().endswith(".bz2"):
        return None
    place = Path(files.normalize(path))
    if not path.lower().endswith(".gz"):
        return place.stat().st_size
    with place.open("rb") as file:
        file.seek(-4, 2)
        return int.from_bytes(file.read(4), "little")
