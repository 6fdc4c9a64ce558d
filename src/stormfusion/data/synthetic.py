"""Catalogs of synthetic storms, for tests, docs and trying out."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stormfusion.data.cutting import pixels, span_of
from stormfusion.data.event import Event, Times
from stormfusion.data.packing import VIL_BYTES, Packing
from stormfusion.data.selection import names_of
from stormfusion.data.storms import StormWorld
from stormfusion.errors import CatalogError
from stormfusion.grids import Grid
from stormfusion.units import vil_to_bytes

MOST = 100_000
"""Events of a catalog and frames of an event, at the most."""

LAEA = "+proj=laea +lat_0=38 +lon_0=-98 +units=m +a=6370997.0 +ellps=sphere"
COARSER = {"ir069": 2, "ir107": 2, "lightning": 8}
PACKINGS = {
    "vil": VIL_BYTES,
    "rain_rate": Packing("int16", scale=0.01, missing=(-32768,)),
    "reflectivity": Packing("uint8", scale=0.5, offset=-32.0, missing=(255,)),
    "ir069": Packing("int16", scale=0.01, missing=(-32768,)),
    "ir107": Packing("int16", scale=0.01, missing=(-32768,)),
    "vis": Packing("int16", scale=1e-4, missing=(-32768,)),
    "lightning": Packing("int16", missing=(-32768,)),
}


@dataclass(frozen=True, eq=False)
class SyntheticFrames:
    """Frames of one variable of a synthetic storm, made when they are read."""

    variable: str
    world: StormWorld
    start: np.datetime64
    corner: tuple[float, float]

    @property
    def packing(self) -> Packing:
        """How the frames are stored: as SEVIR and radar archives do."""
        return PACKINGS[self.variable]

    @cached_property
    def time(self) -> Times:
        """Valid times of the frames."""
        step = np.timedelta64(int(1000 * self.world.interval), "ms")
        return (self.start + np.arange(self.world.frames) * step).astype(
            "datetime64[ns]"
        )

    @cached_property
    def grid(self) -> Grid:
        """The grid, with its first row in the south, as in SEVIR."""
        factor = COARSER.get(self.variable, 1)
        spacing = factor * self.world.spacing
        rows, columns = (-(-n // factor) for n in self.world.shape)
        y = self.corner[0] + (np.arange(rows) + 0.5) * spacing
        x = self.corner[1] + (np.arange(columns) + 0.5) * spacing
        return Grid(y.astype(np.float64), x.astype(np.float64), LAEA)

    def read(self, frames: slice, rows: slice, columns: slice) -> NDArray[Any]:
        """Stored numbers of these frames, rows and columns."""
        return _stored(self.world, self.variable)[frames, rows, columns]


@lru_cache(maxsize=32)
def _stored(world: StormWorld, variable: str) -> NDArray[Any]:
    """All frames of a variable; they are shared, and cannot be written."""
    values: NDArray[np.float32] = getattr(world, variable)()
    if variable == "vil":
        stored: NDArray[Any] = vil_to_bytes(values)
    else:
        packing = PACKINGS[variable]
        limits = np.iinfo(packing.dtype)
        # the code for missing, the least or the greatest number, is no value
        low = limits.min + (limits.min in packing.missing)
        high = limits.max - (limits.max in packing.missing)
        codes = np.rint((values - packing.offset) / packing.scale)
        stored = np.clip(codes, low, high).astype(packing.dtype)
    stored.flags.writeable = False
    return stored


def make_events(
    events: int,
    *,
    size: int | tuple[int, int] = 128,
    frames: int = 49,
    interval: str | pd.Timedelta = "5min",
    spacing: float = 1000.0,
    variables: Sequence[str] = ("vil", "ir069", "ir107", "vis", "lightning"),
    seed: int = 0,
) -> tuple[Event, ...]:
    """
    Synthetic events, spread over the year 2019; see `Catalog.synthetic`.

    Examples
    --------
    >>> event = make_events(1, size=64, variables=("reflectivity",))[0]
    >>> event.stored("reflectivity").grid.shape
    (64, 64)
    """
    variables = names_of(variables)
    for name, value, least in (
        ("events", events, 1),
        ("frames", frames, 1),
        ("seed", seed, 0),
    ):
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not whole or value < least:
            raise CatalogError(
                f"{name} is {value!r}, wanted a whole number, {least} or more"
            )
        if name != "seed" and value > MOST:
            raise CatalogError(
                f"{name} is {value!r}, wanted at most {MOST}; make several catalogs, "
                "each with a seed of its own"
            )
    unknown = [v for v in variables if v not in PACKINGS]
    if unknown or not variables:
        raise CatalogError(
            f"variables are {tuple(variables)!r}, wanted some of {', '.join(PACKINGS)}"
        )
    height, width = pixels(size)
    if min(height, width) < 8:
        raise CatalogError(f"size is {size!r}, wanted 8 pixels or more each way")
    seconds = span_of(interval, name="interval").total_seconds()
    first = np.datetime64("2019-01-01T00:00", "ns")
    apart = np.timedelta64(365 * 24 * 60 // max(int(events), 1) // 5 * 5, "m")
    made = []
    for number in range(events):
        entropy = np.random.SeedSequence((seed, number))
        place = np.random.default_rng(entropy)
        corner = (
            float(place.uniform(-1.0e6, 0.6e6)),
            float(place.uniform(-1.5e6, 1.5e6)),
        )
        world = StormWorld(
            seed=int(entropy.generate_state(1)[0]),
            shape=(height, width),
            frames=frames,
            interval=seconds,
            spacing=spacing,
        )
        start = first + number * apart
        made.append(
            Event(
                f"synthetic-{seed}-{number:04d}",
                {v: SyntheticFrames(v, world, start, corner) for v in variables},
                {"event_type": "Synthetic", "seed": world.seed},
            )
        )
    return tuple(made)
