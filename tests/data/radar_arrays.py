"""Small radar arrays, files and frames with known content."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from stormfusion.data.event import Event
from stormfusion.data.packing import Packing
from stormfusion.grids import Grid

START = np.datetime64("2019-06-01T00:00", "ns")
LAEA = "+proj=laea +lat_0=38 +lon_0=-98 +a=6370997 +b=6370997"
INT16 = Packing("int16", scale=0.1, missing=(-32768,))


def minutes(*m: float) -> np.ndarray:
    return START + (np.array(m) * 60).astype("timedelta64[s]")


def axis(count: int, spacing: float = 1000.0, first: float | None = None) -> np.ndarray:
    """Centres of pixels whose first edge lies at 0, or that begin at `first`."""
    return (spacing / 2 if first is None else first) + spacing * np.arange(count)


def rain(
    values: np.ndarray,
    *,
    time: np.ndarray | None = None,
    y: np.ndarray | None = None,
    x: np.ndarray | None = None,
    name: str = "rain_rate",
    units: str | None = "mm h-1",
    crs: str | None = None,
) -> xr.Dataset:
    """A dataset of one variable on (time, y, x), 5 minutes and 1 km apart."""
    frames, rows, columns = values.shape
    attrs = {} if units is None else {"units": units}
    dataset = xr.Dataset(
        {name: (("time", "y", "x"), values, attrs)},
        coords={
            "time": minutes(*(5 * np.arange(frames))) if time is None else time,
            "y": ("y", axis(rows) if y is None else y, {"units": "m"}),
            "x": ("x", axis(columns) if x is None else x, {"units": "m"}),
        },
    )
    if crs is not None:
        dataset[name].attrs["grid_mapping"] = "crs"
        dataset["crs"] = ((), 0, {"proj4": crs})
    return dataset


def ramp(frames: int, rows: int = 4, columns: int = 5) -> np.ndarray:
    """Values that tell frame, row and column: 100 frame + 10 row + column."""
    frame, row, column = np.ogrid[:frames, :rows, :columns]
    return (100.0 * frame + 10.0 * row + column).astype("float32")


def write(dataset: xr.Dataset, path: Path, **options: Any) -> Path:
    dataset.to_netcdf(path, engine="h5netcdf", **options)
    return path


@dataclass(frozen=True, eq=False)
class Held:
    """Frames in memory that note what is read of them."""

    variable: str
    time: np.ndarray
    grid: Grid
    values: np.ndarray
    packing: Packing = INT16
    log: list[tuple[slice, slice, slice]] = field(default_factory=list)
    error: Exception | None = None

    def read(self, frames: slice, rows: slice, columns: slice) -> np.ndarray:
        if self.error is not None:
            raise self.error
        self.log.append((frames, rows, columns))
        return self.values[frames, rows, columns]

    @property
    def last_read(self) -> int:
        return max(f.indices(self.time.size)[1] for f, _, _ in self.log) - 1


def held(
    variable: str,
    values: np.ndarray,
    *,
    time: np.ndarray | None = None,
    y: np.ndarray | None = None,
    x: np.ndarray | None = None,
    crs: str | None = None,
    degrees: bool = False,
    **more: Any,
) -> Held:
    """Frames of physical values, stored as tenths unless a packing is given."""
    frames, rows, columns = values.shape
    grid = Grid(
        axis(rows) if y is None else y, axis(columns) if x is None else x, crs, degrees
    )
    time = minutes(*(5 * np.arange(frames))) if time is None else time
    if "packing" not in more:
        stored = np.where(np.isnan(values), -3276.8, values) * 10
        values = np.rint(stored).astype("int16")
    return Held(variable, time, grid, values, **more)


def event(*frames: Held, id: str = "e") -> Event:
    return Event(id, {f.variable: f for f in frames})
