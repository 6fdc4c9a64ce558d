"""One storm: its frames, as stored, and as labelled arrays."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

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

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Times = NDArray[np.datetime64]


class Frames(Protocol):
    """
    The frames of one variable, wherever they lie.

    Every implementation is a small value that pickles, so that workers can have it.
    """

    @property
    def variable(self) -> str:
        """Name of the variable, one of `units.VARIABLES`."""
        ...

    @property
    def time(self) -> Times:
        """Valid time of each frame, UTC."""
        ...

    @property
    def grid(self) -> Grid:
        """Where the pixels lie."""
        ...

    @property
    def packing(self) -> Packing:
        """How the stored numbers become physical values."""
        ...

    def read(self, frames: slice, rows: slice, columns: slice) -> NDArray[Any]:
        """
        Stored numbers with the dimensions (time, y, x), of these slices of step 1.

        Raises
        ------
        OSError
            If the file is absent, or cannot be read (`CorruptFileError`).
        """
        ...


@dataclass(frozen=True, eq=False)
class Event:
    """
    One storm: an id, times and lazily read variables.

    `event["vil"]` is a labelled array with the dimensions (time, y, x) on the
    variable's own grid, in its units, NaN where missing. Only what is asked of it is
    read, and not before its values are.

    Parameters
    ----------
    id
        Name of the event, unique in its catalog.
    frames
        The stored frames of each variable. The first is the principal one: its times
        are the event's.
    attrs
        What else is known: type of the event, ids of the weather service, place.

    Raises
    ------
    CatalogError
        If there is no variable; and for `event[name]`, if it is not one of the event's.

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
        object.__setattr__(self, "frames", dict(self.frames))
        object.__setattr__(self, "attrs", dict(self.attrs))

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the variables, the principal one first."""
        return tuple(self.frames)

    @property
    def time(self) -> pd.DatetimeIndex:
        """Valid times of the principal variable's frames, UTC."""
        return pd.DatetimeIndex(next(iter(self.frames.values())).time, name="time")

    def stored(self, variable: str) -> Frames:
        """
        The frames of a variable as they are stored.

        Raises
        ------
        CatalogError
            If the event has no such variable.

        Examples
        --------
        >>> from stormfusion import Catalog
        >>> Catalog.synthetic(events=1, size=64)[0].stored("vil").packing.dtype
        'uint8'
        """
        if not isinstance(variable, str):
            raise TypeError(
                f"got {variable!r}, wanted the name of one variable, such as "
                f"{self.variables[0]!r}; of several write event.to_dataset()[[...]]"
            )
        if variable not in self.frames:
            raise CatalogError(
                f"event {self.id!r} has no variable {variable!r}, it has "
                f"{', '.join(self.variables)}; ask for one of them"
            )
        return self.frames[variable]

    def __getitem__(self, variable: str) -> xr.DataArray:
        frames = self.stored(variable)
        lazy = indexing.LazilyIndexedArray(_LazyFrames(frames))
        return xr.DataArray(
            xr.Variable(("time", "y", "x"), lazy, _attrs(variable, frames.grid)),
            coords={
                "time": ("time", frames.time, {"standard_name": "time"}),
                **frames.grid.coords(),
            },
            name=variable,
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

        Raises
        ------
        CatalogError
            If the event has no variable `like`.
        GridMismatchError
            If one grid is in degrees and the projection of another is unknown.
        OSError
            If a file cannot be read.

        Examples
        --------
        >>> from stormfusion import Catalog
        >>> event = Catalog.synthetic(events=1, size=64)[0]
        >>> event.to_dataset(like="ir107").sizes["x"]
        32
        """
        like = self.variables[0] if like is None else like
        target = self.stored(like)
        found = {like: self[like].load()}
        for variable, frames in self.frames.items():
            if variable == like:
                continue
            values = np.full(found[like].shape, np.nan, dtype=np.float32)
            at = latest(frames.time, target.time)
            if (at >= 0).any():
                first, last = int(at[at >= 0].min()), int(at.max()) + 1
                held = self[variable][first:last].to_numpy()
                if not frames.grid.same_as(target.grid):
                    held = Regridder.between(frames.grid, target.grid).apply(held)
                values[at >= 0] = held[at[at >= 0] - first]
            found[variable] = found[like].copy(data=values)
            found[variable].attrs = _attrs(variable, target.grid)
        return xr.Dataset(found, attrs={"id": self.id, **_plain(self.attrs)})

    def plot(
        self,
        variable: str | None = None,
        *,
        cmap: str = "standard",
        path: str | Path | None = None,
    ) -> "Figure":
        """
        Draw up to six frames of a variable, evenly spaced in time.

        Parameters
        ----------
        variable
            The principal one by default.
        cmap
            Colours, as in `plot.field`.
        path
            Where to save the picture, if anywhere.

        Returns
        -------
        Figure
            A matplotlib figure.

        Examples
        --------
        >>> from stormfusion import Catalog
        >>> figure = Catalog.synthetic(events=1, size=64, frames=2)[0].plot()
        >>> type(figure).__name__
        'Figure'
        """
        from stormfusion import plot

        drawn = self[self.variables[0] if variable is None else variable].load()
        return plot.strip(drawn, cmap=cmap, path=path)

    def animate(
        self, path: str | Path, variable: str | None = None, *, fps: int = 5
    ) -> Path:
        """
        Write an animation of a variable, all its frames one after the other.

        Parameters
        ----------
        path
            Where to write: `.gif`, or `.mp4`, for which ffmpeg must be installed.
        variable
            The principal one by default.
        fps
            Frames per second.

        Returns
        -------
        Path
            The file written.

        Examples
        --------
        >>> import tempfile
        >>> from stormfusion import Catalog
        >>> event = Catalog.synthetic(events=1, size=64, frames=2)[0]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     event.animate(f"{folder}/storm.gif").name
        'storm.gif'
        """
        from stormfusion import plot

        drawn = self[self.variables[0] if variable is None else variable].load()
        return plot.animate(drawn, path, fps=fps)


def latest(available: Times, wanted: Times) -> NDArray[np.int64]:
    """
    Position of the latest available time at or before each wanted time.

    -1 where there is none, or where it is older than one interval of the wanted times
    (of the available ones, where those are further apart). A later frame is never
    taken: it would carry the future into a forecast.

    Examples
    --------
    >>> def minutes(*m):
    ...     return np.array(m, "timedelta64[m]") + np.datetime64("2019-06-01", "ns")
    >>> latest(minutes(0, 5, 10), minutes(-2, 3, 8, 13, 30))
    array([-1,  0,  1,  2, -1])
    """
    if not available.size:
        return np.full(wanted.shape, -1, dtype=np.int64)
    order = np.argsort(available, kind="stable")
    place = np.searchsorted(available[order], wanted, side="right") - 1
    at = order[np.maximum(place, 0)]
    steps = [np.median(np.diff(np.sort(t))) for t in (available, wanted) if t.size > 1]
    oldest = max(steps) if steps else np.timedelta64(0, "ns")
    near = wanted - available[at] <= oldest
    return np.asarray(np.where((place >= 0) & near, at, -1), dtype=np.int64)


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
        spans: list[slice] = []
        then: list[int | slice] = []
        for index, size in zip(key, self.shape, strict=True):
            if isinstance(index, slice):
                picked = range(*index.indices(size))
                lower, upper = (min(picked), max(picked) + 1) if picked else (0, 0)
                spans.append(slice(lower, upper))
                # a span begins and ends with a pixel that was picked
                then.append(slice(None, None, picked.step))
            else:
                position = int(index) % size
                spans.append(slice(position, position + 1))
                then.append(0)
        return self.frames.packing.decode(self.frames.read(*spans))[tuple(then)]


def _attrs(variable: str, grid: Grid) -> dict[str, object]:
    """The CF attributes of a variable on a grid."""
    known = units.VARIABLES[variable]
    attrs: dict[str, object] = {"units": known.units, "long_name": known.long_name}
    if known.standard_name is not None:
        attrs["standard_name"] = known.standard_name
    if grid.crs is not None:
        attrs["grid_mapping"] = "crs"
    return attrs


def _plain(attrs: Mapping[str, object]) -> dict[str, object]:
    """The attributes that netCDF can hold; it has no true and false."""
    return {
        key: int(value) if isinstance(value, bool | np.bool_) else value
        for key, value in attrs.items()
        if isinstance(value, str | int | float | np.number | np.bool_)
    }
