"""One storm: its frames, as stored, and as labelled arrays."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from xarray.backends import BackendArray
from xarray.core import indexing

from stormfusion import units
from stormfusion.data.packing import Packing
from stormfusion.errors import CatalogError
from stormfusion.grids import Grid, Regridder

Times = NDArray[np.datetime64]


class Frames(Protocol):
    """
    The frames of one variable, wherever they lie.

    `read` returns stored numbers with the dimensions (time, y, x), for these frames,
    rows and columns; a file that cannot be read raises `CorruptFileError` or `OSError`.
    Every implementation is a small value that pickles, so that workers can have it.
    """

    @property
    def variable(self) -> str: ...
    @property
    def time(self) -> Times: ...
    @property
    def grid(self) -> Grid: ...
    @property
    def packing(self) -> Packing: ...
    def read(self, frames: slice, rows: slice, columns: slice) -> NDArray: ...


@dataclass(frozen=True, eq=False)
class Event:
    """
    One storm: an id, times and lazily read variables.

    Parameters
    ----------
    id
        Name of the event, unique in its catalog.
    frames
        The stored frames of each variable. The first is the principal one: its times
        are the event's.
    attrs
        What else is known: type of the event, ids of the weather service, place.

    Examples
    --------
    >>> from stormfusion import Catalog
    >>> event = Catalog.synthetic(events=1, size=64, seed=1)[0]
    >>> event["vil"].dims
    ('time', 'y', 'x')
    >>> event.to_dataset(like="vil")["ir107"].shape == event["vil"].shape
    True
    """

    id: str
    frames: Mapping[str, Frames] = field(repr=False)
    attrs: Mapping[str, object] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not self.frames:
            raise CatalogError(
                f"event {self.id!r} has no variable, wanted at least one"
            )

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the variables, the principal one first."""
        return tuple(self.frames)

    @property
    def time(self) -> pd.DatetimeIndex:
        """Valid times of the principal variable's frames, UTC."""
        return pd.DatetimeIndex(next(iter(self.frames.values())).time, name="time")

    def stored(self, variable: str) -> Frames:
        """The frames of a variable as they are stored."""
        if variable not in self.frames:
            raise CatalogError(
                f"event {self.id!r} has no variable {variable!r}, it has "
                f"{', '.join(self.variables)}; ask for one of them"
            )
        return self.frames[variable]

    def __getitem__(self, variable: str) -> xr.DataArray:
        frames = self.stored(variable)
        lazy = indexing.LazilyIndexedArray(_LazyFrames(frames))
        coords = frames.grid.coords()
        attrs = _attrs(variable)
        if "crs" in coords:
            attrs["grid_mapping"] = "crs"
        return xr.DataArray(
            xr.Variable(("time", "y", "x"), lazy, attrs),
            coords={"time": ("time", frames.time, {"standard_name": "time"}), **coords},
            name=variable,
            attrs=attrs,
        )

    def to_dataset(self, like: str | None = None) -> xr.Dataset:
        """
        All variables on one grid and at one set of times, loaded.

        Parameters
        ----------
        like
            The variable whose grid and times the others are brought to, by their
            coordinates; the principal one by default. Each takes its latest frame at
            or before that time, none older than one interval, and never a later one.

        Returns
        -------
        Dataset
            Every variable with the dimensions `time`, `y`, `x`; NaN where a variable
            has no frame, no pixel, or missing data.
        """
        like = self.variables[0] if like is None else like
        target = self.stored(like)
        found = {like: self[like].load()}
        for variable, frames in self.frames.items():
            if variable == like:
                continue
            at = latest(frames.time, target.time)
            values = self[variable].to_numpy()
            if not frames.grid.same_as(target.grid):
                values = Regridder.between(frames.grid, target.grid).apply(values)
            values = np.where(
                (at >= 0)[:, None, None], values[np.maximum(at, 0)], np.nan
            )
            found[variable] = found[like].copy(data=values.astype(np.float32))
            found[variable].attrs = self[variable].attrs
        return xr.Dataset(found, attrs={"id": self.id, **_plain(self.attrs)})

    def plot(self, variable: str | None = None, *, cmap: str = "standard"):  # type: ignore[no-untyped-def]
        """Draw six frames of a variable, evenly spaced in time; returns the figure."""
        from stormfusion import plot

        return plot.strip(self[variable or self.variables[0]].load(), cmap=cmap)

    def animate(
        self, path: str | Path, variable: str | None = None, *, fps: int = 5
    ) -> Path:
        """Write an animation (.gif or .mp4) of a variable; returns its path."""
        from stormfusion import plot

        return plot.animate(self[variable or self.variables[0]].load(), path, fps=fps)


def latest(available: Times, wanted: Times) -> NDArray[np.int64]:
    """
    Position of the latest available time at or before each wanted time.

    -1 where there is none, or where it is older than one interval of the wanted times
    (of the available ones, where those are further apart). A later frame is never
    taken: it would carry the future into a forecast.

    Examples
    --------
    >>> minutes = lambda *m: np.array(m, dtype="timedelta64[m]") + np.datetime64("2019-06-01", "ns")
    >>> latest(minutes(0, 5, 10), minutes(-2, 3, 8, 13, 30))
    array([-1,  0,  1,  2, -1])
    """
    at = np.searchsorted(available, wanted, side="right") - 1
    steps = [np.median(np.diff(t)) for t in (available, wanted) if t.size > 1]
    oldest = max(steps) if steps else np.timedelta64(0, "ns")
    age = wanted - available[np.maximum(at, 0)]
    return np.asarray(np.where((at >= 0) & (age <= oldest), at, -1), dtype=np.int64)


class _LazyFrames(BackendArray):
    """Stored frames as an array that xarray indexes without reading it all."""

    def __init__(self, frames: Frames) -> None:
        self.frames = frames
        self.shape = (frames.time.size, *frames.grid.shape)
        self.dtype = np.dtype("float32")

    def __getitem__(self, key: indexing.ExplicitIndexer) -> NDArray[np.float32]:
        values: NDArray[np.float32] = indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.BASIC, self._read
        )
        return values

    def _read(self, key: tuple[int | slice, ...]) -> NDArray[np.float32]:
        spans, then = [], []
        for index, size in zip(key, self.shape, strict=True):
            if isinstance(index, slice):
                start, stop, step = index.indices(size)
                picked = range(start, stop, step)
                lower, upper = (min(picked), max(picked) + 1) if picked else (0, 0)
                spans.append(slice(lower, upper))
                relative = np.arange(start, stop, step) - lower
                then.append(relative)
            else:
                position = int(index) % size
                spans.append(slice(position, position + 1))
                then.append(np.array([0]))
        values = self.frames.packing.decode(self.frames.read(*spans))[np.ix_(*then)]
        dropped = tuple(i for i, k in enumerate(key) if not isinstance(k, slice))
        return np.asarray(values.squeeze(axis=dropped) if dropped else values)


def _attrs(variable: str) -> dict[str, object]:
    known = units.VARIABLES[variable]
    attrs: dict[str, object] = {"units": known.units, "long_name": known.long_name}
    if known.standard_name is not None:
        attrs["standard_name"] = known.standard_name
    return attrs


def _plain(attrs: Mapping[str, object]) -> dict[str, object]:
    """The attributes that netCDF can hold."""
    return {
        key: value
        for key, value in attrs.items()
        if isinstance(value, str | int | float | np.number)
    }
