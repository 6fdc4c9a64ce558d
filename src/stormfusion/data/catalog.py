"""An ordered, immutable collection of events."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
import pandas as pd
import xarray as xr
from tqdm.auto import tqdm

from stormfusion.data import gridded, sevir, synthetic
from stormfusion.data.audit import centres_of, problem_of, table_of
from stormfusion.data.event import Event
from stormfusion.data.paths import expand
from stormfusion.errors import CatalogError


class Catalog:
    """
    An ordered, immutable collection of events: a table, and the storms it lists.

    Make one with `Catalog.open`, `Catalog.from_xarray` or `Catalog.synthetic`.

    Parameters
    ----------
    events
        The events, each with an id of its own.
    table
        A row for each event, in the same order, with the id as index and at least the
        column `time`. By default it holds what the events know.

    Examples
    --------
    >>> catalog = Catalog.synthetic(events=4, size=64)
    >>> len(catalog), catalog.variables[0]
    (4, 'vil')
    >>> train, test = catalog.split(0.75)
    >>> len(train), len(test)
    (3, 1)
    >>> catalog[0].id, catalog["synthetic-0-0002"].id
    ('synthetic-0-0000', 'synthetic-0-0002')
    """

    def __init__(
        self, events: Sequence[Event], table: pd.DataFrame | None = None
    ) -> None:
        self._events = tuple(events)
        if table is None:
            table = table_of(self._events)
        ids = [event.id for event in self._events]
        if len(set(ids)) != len(ids):
            twice = next(i for i in ids if ids.count(i) > 1)
            raise CatalogError(
                f"two events have the id {twice!r}, wanted ids that differ; rename the "
                "files or drop one"
            )
        if list(table.index) != ids:
            raise CatalogError(
                f"the table lists {len(table)} events and there are {len(ids)}, or in "
                "another order; give a row for each event"
            )
        self._table = table

    @classmethod
    def open(
        cls,
        path: str | Path | Sequence[str | Path],
        *,
        variables: Sequence[str] | None = None,
        rename: Mapping[str, str] | None = None,
        duration: str | pd.Timedelta | None = None,
        size: int | tuple[int, int] | None = None,
        events: int | None = None,
        lightning: str = "leading",
        strict: bool = False,
        storage_options: Mapping[str, Any] | None = None,
    ) -> "Catalog":
        """
        Open radar on disk or in the cloud: SEVIR, or files that xarray can open.

        Parameters
        ----------
        path
            A SEVIR root (a folder or an fsspec URL such as `"s3://sevir"`) or its
            catalog file; or one or more netCDF, zarr or GRIB files, wildcards allowed
            (`"radar/*.nc"`), or a folder of them. Files with one time each that share
            a grid are joined into one sequence.
        variables
            Only these variables; by default all there are.
        rename
            For gridded files whose variables are not told by standard name, units or
            name: `{"name in the file": "rain_rate"}`.
        duration, size, events
            How to cut events out of gridded sequences; see `from_xarray`.
        lightning
            For SEVIR: `"leading"` counts the flashes in the five minutes up to a
            frame; `"sevir"` those in the five minutes after it, as its own code does,
            which lets a nowcast see the future.
        strict
            Raise an error for the first damaged or absent file, rather than skip them
            with one warning that counts them.
        storage_options
            For URLs: options of their fsspec file system.

        Raises
        ------
        FileNotFoundError
            If nothing is there.
        CatalogError
            If what is there holds no event.
        CorruptFileError
            If a file is damaged, and it is the only one or `strict` is set.
        """
        options = dict(storage_options or {})
        if isinstance(path, str | Path) and sevir.is_sevir(
            path, storage_options=options
        ):
            table, found = sevir.open_sevir(
                path,
                variables=variables,
                lightning=lightning,
                strict=strict,
                storage_options=options,
            )
            if not found:
                raise CatalogError(
                    f"the SEVIR catalog at {str(path)!r} lists no event with "
                    f"{', '.join(variables) if variables else 'any variable'}; check "
                    "the path and the variables"
                )
            return cls(found, table)
        paths = expand(path, options)
        readable, damaged = [], []
        for each in paths:
            try:
                gridded.open_file(each, options)
            except gridded.CorruptFileError as error:
                if strict or len(paths) == 1:
                    raise
                damaged.append((each, error))
            else:
                readable.append(each)
        if damaged:
            warnings.warn(
                f"{len(damaged)} of {len(paths)} files cannot be read and are skipped, "
                f"the first is {damaged[0][0]!r}; strict=True stops at it",
                UserWarning,
                stacklevel=2,
            )
        cuts = {"rename": rename, "duration": duration, "size": size}
        found_events = gridded.events_of_files(readable, options=options, **cuts)
        return cls._gathered(found_events, variables, events)

    @classmethod
    def from_xarray(
        cls,
        dataset: xr.Dataset | xr.DataArray,
        *,
        duration: str | pd.Timedelta | None = None,
        size: int | tuple[int, int] | None = None,
        events: int | None = None,
        variables: Sequence[str] | None = None,
        rename: Mapping[str, str] | None = None,
        prefix: str = "event",
    ) -> "Catalog":
        """
        Cut events out of a long radar sequence.

        Sequences are first broken where a frame is missing or late: an event never
        spans a gap. Windows are then ranked by how much rain they hold.

        Parameters
        ----------
        dataset
            Variables with time, y and x; dry is 0 and missing is NaN.
        duration
            Time from the first to the last frame of an event, such as `"4h"`; by
            default each unbroken run is one event.
        size
            Pixels of an event, a number or (y, x); by default the whole grid. A window
            with half its pixels missing, or more, is left out.
        events
            Keep only this many, those with the most rain.
        variables
            Only these variables; by default all there are.
        rename
            `{"name in the data": "rain_rate"}` where a variable is not told by its
            standard name, units or name.
        prefix
            Beginning of the events' ids.

        Raises
        ------
        CatalogError
            If no variable is known, frames are out of order, or no window fits.

        Examples
        --------
        >>> storm = Catalog.synthetic(events=1, size=64)[0].to_dataset()
        >>> Catalog.from_xarray(storm, duration="1h").table.index[0]
        'event-20190101T0000'
        """
        if isinstance(dataset, xr.DataArray):
            dataset = dataset.to_dataset(name=dataset.name or "variable")
        found = gridded.events_of_dataset(
            dataset, rename=rename, prefix=prefix, duration=duration, size=size
        )
        return cls._gathered(found, variables, events)

    @classmethod
    def synthetic(
        cls,
        events: int = 16,
        *,
        size: int | tuple[int, int] = 128,
        frames: int = 49,
        interval: str | pd.Timedelta = "5min",
        spacing: float = 1000.0,
        variables: Sequence[str] = ("vil", "ir069", "ir107", "vis", "lightning"),
        seed: int = 0,
    ) -> "Catalog":
        """
        Make plausible storms, for tests, docs and trying out.

        They move, grow, decay, split and trigger each other; cloud tops cool before
        the rain comes and stay cold after it. They are storms of no real place.

        Parameters
        ----------
        events
            How many.
        size
            Pixels of the radar grid, a number or (y, x); the infrared has half as many
            and lightning an eighth.
        frames, interval, spacing
            Number of frames, time between them, and distance between pixels [m].
        variables
            Some of vil, rain_rate, reflectivity, ir069, ir107, vis, lightning.
        seed
            The same seed makes the same storms.
        """
        return cls(
            synthetic.make_events(
                events,
                size=size,
                frames=frames,
                interval=interval,
                spacing=spacing,
                variables=variables,
                seed=seed,
            )
        )

    @classmethod
    def _gathered(
        cls,
        found: Sequence[Event],
        variables: Sequence[str] | None,
        events: int | None,
    ) -> "Catalog":
        catalog = cls(sorted(found, key=lambda e: (e.time[0], e.id)))
        if not len(catalog):
            raise CatalogError(
                "no window holds an event: the sequences are shorter than the duration, "
                "or half their pixels are missing; choose a shorter duration or a "
                "smaller size"
            )
        if variables is not None:
            catalog = catalog.where(variables=variables, only=True)
        if events is not None:
            if "wet_fraction" not in catalog.table:
                raise CatalogError(
                    f"events={events} ranks windows by their rain, but there are no "
                    "windows to rank; give a duration or a size"
                )
            wettest = catalog.table["wet_fraction"].rank(
                ascending=False, method="first"
            )
            catalog = catalog._select((wettest <= events).to_numpy())
        return catalog

    @property
    def table(self) -> pd.DataFrame:
        """A row for each event; a copy, so that the catalog stays as it is."""
        return self._table.copy()

    @property
    def variables(self) -> tuple[str, ...]:
        """Variables that at least one event holds, principal ones first."""
        return tuple(
            dict.fromkeys(v for event in self._events for v in event.variables)
        )

    def __len__(self) -> int:
        return len(self._events)

    def __iter__(self) -> Iterator[Event]:
        return iter(self._events)

    @overload
    def __getitem__(self, key: int | str) -> Event: ...
    @overload
    def __getitem__(self, key: slice) -> "Catalog": ...
    def __getitem__(self, key: int | str | slice) -> "Event | Catalog":
        if isinstance(key, slice):
            return Catalog(self._events[key], self._table.iloc[key])
        if isinstance(key, str):
            at = np.flatnonzero(self._table.index == key)
            if at.size == 0:
                raise KeyError(
                    f"no event {key!r} among {len(self)}; catalog.table.index lists them"
                )
            return self._events[int(at[0])]
        if not -len(self) <= key < len(self):
            raise IndexError(f"event {key} of a catalog of {len(self)}; count from 0")
        return self._events[key]

    def __or__(self, other: "Catalog") -> "Catalog":
        if not isinstance(other, Catalog):
            return NotImplemented
        fresh = ~other._table.index.isin(self._table.index)
        rest = other._select(fresh)
        table = pd.concat([self._table, rest._table]) if len(rest) else self._table
        return Catalog((*self._events, *rest._events), table)

    def __repr__(self) -> str:
        if not len(self):
            return "<Catalog of 0 events>"
        time = self._table["time"]
        noun = "event" if len(self) == 1 else "events"
        return (
            f"<Catalog of {len(self)} {noun}, {time.min():%Y-%m-%d} to "
            f"{time.max():%Y-%m-%d}: {', '.join(self.variables)}>"
        )

    def where(
        self,
        predicate: Callable[[pd.DataFrame], Any] | None = None,
        *,
        event_type: str | Sequence[str] | None = None,
        time: slice | None = None,
        box: tuple[float, float, float, float] | None = None,
        variables: Sequence[str] | None = None,
        only: bool = False,
    ) -> "Catalog":
        """
        The events that meet every condition.

        Parameters
        ----------
        predicate
            A function of the table that returns a true or false for each row.
        event_type
            One or more types, such as `"Hail"`.
        time
            A slice of times, both ends included: `slice("2019-06-01", None)`.
        box
            West, south, east and north [degrees]: events whose centre lies within.
        variables
            Events that hold all of these.
        only
            Also leave out their other variables.

        Examples
        --------
        >>> catalog = Catalog.synthetic(events=12, size=64)
        >>> len(catalog.where(time=slice("2019-07-01", None)))
        6
        >>> len(catalog.where(lambda table: table["seed"] < 0))
        0
        """
        keep = np.ones(len(self), dtype=bool)
        if predicate is not None:
            keep &= np.asarray(predicate(self.table), dtype=bool)
        if event_type is not None:
            types = [event_type] if isinstance(event_type, str) else list(event_type)
            self._need("event_type")
            keep &= self._table["event_type"].isin(types).to_numpy()
        if time is not None:
            when = self._table["time"]
            if time.start is not None:
                keep &= (when >= pd.Timestamp(time.start)).to_numpy()
            if time.stop is not None:
                keep &= (when <= pd.Timestamp(time.stop)).to_numpy()
        if box is not None:
            west, south, east, north = box
            latitude, longitude = centres_of(self._events)
            keep &= (longitude >= west) & (longitude <= east)
            keep &= (latitude >= south) & (latitude <= north)
        if variables is not None:
            wanted = [variables] if isinstance(variables, str) else list(variables)
            for variable in wanted:
                if variable not in self.variables:
                    raise CatalogError(
                        f"the catalog has no variable {variable!r}, it has "
                        f"{', '.join(self.variables)}; ask for one of them"
                    )
            keep &= np.array(
                [set(wanted) <= set(e.variables) for e in self], dtype=bool
            )
        chosen = self._select(keep)
        if variables is not None and only:
            slim = [
                Event(e.id, {v: e.frames[v] for v in wanted}, e.attrs) for e in chosen
            ]
            return Catalog(slim, chosen._table)
        return chosen

    def split(
        self, fraction: float | None = None, *, before: str | pd.Timestamp | None = None
    ) -> tuple["Catalog", "Catalog"]:
        """
        Split into an earlier and a later part, by whole events.

        Parameters
        ----------
        fraction
            Share of the events in the earlier part, between 0 and 1. Events of equal
            time stay together.
        before
            Or the time at which the later part begins.

        Raises
        ------
        CatalogError
            If one part would be empty.

        Examples
        --------
        >>> earlier, later = Catalog.synthetic(events=12).split(before="2019-06-01")
        >>> bool(earlier.table["time"].max() < later.table["time"].min())
        True
        """
        if (fraction is None) == (before is None):
            raise ValueError(
                "split wants a fraction or before=, and not both; write "
                "catalog.split(0.8) or catalog.split(before='2019-06-01')"
            )
        time = self._table["time"]
        if before is not None:
            cut = pd.Timestamp(before)
        else:
            if not 0 < float(str(fraction)) < 1:
                raise ValueError(f"fraction is {fraction!r}, wanted between 0 and 1")
            ordered = np.unique(time)
            ranks = np.searchsorted(np.sort(time.to_numpy()), ordered)
            nearest = int(np.argmin(np.abs(ranks - float(str(fraction)) * len(self))))
            if ordered.size > 1:
                nearest = max(nearest, 1)
            cut = pd.Timestamp(ordered[nearest]) if ordered.size else pd.Timestamp.max
        earlier = (time < cut).to_numpy(dtype=bool)
        if earlier.all() or not earlier.any():
            span = f" from {time.min()} to {time.max()}" if len(self) else ""
            raise CatalogError(
                f"splitting {len(self)} events{span} before {cut} leaves one part "
                "empty; choose another time, or events of more than one time"
            )
        return self._select(earlier), self._select(~earlier)

    def check(self, *, progress: bool = True) -> pd.DataFrame:
        """
        Read every variable of every event, and say what is wrong.

        Returns
        -------
        DataFrame
            A row for each variable that is corrupt, absent, all missing or broken in
            time, with the columns `id`, `variable`, `problem`. Empty if all is well.
        """
        found = []
        for event in tqdm(self, disable=not progress, desc="check", unit="event"):
            for variable, frames in event.frames.items():
                problem = problem_of(frames)
                if problem is not None:
                    found.append((event.id, variable, problem))
        return pd.DataFrame(found, columns=["id", "variable", "problem"])

    def _select(self, keep: np.ndarray) -> "Catalog":
        events = [e for e, kept in zip(self._events, keep, strict=True) if kept]
        return Catalog(events, self._table.loc[keep])

    def _need(self, column: str) -> None:
        if column not in self._table:
            raise CatalogError(
                f"the table has no column {column!r}, it has "
                f"{', '.join(map(str, self._table.columns))}; choose by one of them"
            )
