"""Small files in SEVIR's exact layout, with known content."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from pyproj import Proj

PROJ = "+proj=laea +lat_0=38 +lon_0=-98 +units=m +a=6370997.0 +ellps=sphere "
COLUMNS = (
    *("id", "file_name", "file_index", "img_type", "time_utc", "minute_offsets"),
    *("episode_id", "event_id", "event_type", "llcrnrlat", "llcrnrlon", "urcrnrlat"),
    *("urcrnrlon", "proj", "size_x", "size_y", "height_m", "width_m", "data_min"),
    *("data_max", "pct_missing"),
)
TYPES = ("vis", "ir069", "ir107", "vil", "lght")
DTYPES = {"vil": "uint8", "ir069": "int16", "ir107": "int16", "vis": "int16"}
FRAMES = 49


@dataclass
class Storm:
    """One event: its id, times, lower left corner [m], and flashes."""

    id: str = "S728503"
    time_utc: str = "2019-06-01 18:32"
    first_offset: int = -120
    event_type: str = "Hail"
    corner: tuple[float, float] = (-100_000.0, -900_000.0)
    pct_missing: float = 0.0
    flashes: Sequence[Sequence[float]] = field(default_factory=list)

    @property
    def offsets(self) -> np.ndarray:
        return self.first_offset + 5 * np.arange(FRAMES)


def content(kind: str, number: int, size: int) -> np.ndarray:
    """
    Stored numbers (y, x, time) of event `number`, all the axes told apart.

    VIL's bytes are (7 frame + 3 row + column + 11 number) mod 251; the others are
    (1000 number + 100 frame + 10 row + column) - 9000.
    """
    row, column, frame = np.ogrid[:size, :size, :FRAMES]
    if kind == "vil":
        return ((7 * frame + 3 * row + column + 11 * number) % 251).astype("uint8")
    return (1000 * number + 100 * frame + 10 * row + column - 9000).astype("int16")


def write_sevir(
    root: Path,
    storms: Iterable[Storm] | None = None,
    *,
    types: Sequence[str] = TYPES,
    layout: str = "data/vil",
    storage: str = "chunk",
    size: int = 16,
    proj: str = PROJ,
    ids: bool = True,
    name: str = "CATALOG.csv",
) -> list[dict[str, Any]]:
    """
    Write CATALOG.csv and the HDF5 files that it names; return the catalog's rows.

    `layout` is one of `data/vil`, `vil`, `data` and `flat`; `storage` one of `chunk`,
    `contiguous`, `gzip`, `bands` (chunks of some rows) and `frames` (of one frame).
    The infrared has half the pixels of VIL, the visible twice as many.
    """
    storms = storms or [Storm(), Storm("R19060118327777", event_type="")]
    storms = list(storms)
    rows = []
    for kind in types:
        file_name = f"{kind}/2019/SEVIR_{kind.upper()}_ALLEVENTS_2019_0101_0630.h5"
        folder = root / layout.removesuffix("vil").removesuffix("flat")
        path = folder / (file_name if layout.endswith("vil") else Path(file_name).name)
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = {"vil": size, "vis": 2 * size, "lght": 48}.get(kind, size // 2)
        with h5py.File(path, "w") as file:
            if kind == "lght":
                for storm in storms:
                    table = np.array(storm.flashes, dtype="float32").reshape(-1, 5)
                    if storm.id not in file:
                        file.create_dataset(storm.id, data=table)
            else:
                if ids:
                    file["id"] = np.array([s.id.encode() for s in storms])
                _write(file, kind, storms, pixels, storage)
        rows += [
            {"proj": proj} | _row(storm, kind, file_name, number, pixels)
            for number, storm in enumerate(storms)
        ]
    write_catalog(root / name, rows)
    return rows


def write_catalog(
    path: Path, rows: Sequence[dict[str, Any]], *, columns: Sequence[str] = COLUMNS
) -> None:
    """Write rows as a catalog."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def _write(
    file: h5py.File, kind: str, storms: Sequence[Storm], pixels: int, storage: str
) -> None:
    shape = (len(storms), pixels, pixels, FRAMES)
    chunks = {
        "chunk": (1, *shape[1:]),
        "gzip": (1, *shape[1:]),
        "bands": (1, 3, 5, FRAMES),
        "frames": (1, pixels, pixels, 1),
        "contiguous": None,
    }[storage]
    compression = "gzip" if storage == "gzip" else None
    stored = file.create_dataset(
        kind, shape, DTYPES[kind], chunks=chunks, compression=compression
    )
    for number in range(len(storms)):
        stored[number] = content(kind, number, pixels)


def _row(
    storm: Storm, kind: str, file_name: str, number: int, pixels: int
) -> dict[str, Any]:
    x, y = storm.corner
    laea = Proj(PROJ)
    west, south = laea(x, y, inverse=True)
    east, north = laea(x + 384_000, y + 384_000, inverse=True)
    flashes = kind == "lght"
    named = storm.id.startswith("S")
    shift = storm.first_offset if kind == "vil" else -120
    offsets = ":".join(str(shift + 5 * i) for i in range(FRAMES))
    return {
        "id": storm.id,
        "file_name": file_name,
        "file_index": number,
        "img_type": kind,
        "time_utc": storm.time_utc,
        "minute_offsets": "" if flashes else offsets,
        "episode_id": 138793.0 if named else "",
        "event_id": float(storm.id[1:]) if named else "",
        "event_type": storm.event_type,
        "llcrnrlat": south,
        "llcrnrlon": west,
        "urcrnrlat": north,
        "urcrnrlon": east,
        "size_x": pixels,
        "size_y": pixels,
        "height_m": 384000.0,
        "width_m": 384000.0,
        "data_min": 0,
        "data_max": 254,
        "pct_missing": storm.pct_missing,
    }
