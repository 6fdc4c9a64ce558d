"""An ordered, immutable collection of events."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from stormfusion.data import gridded, selection, synthetic
from stormfusion.data.audit import checked_table, problems_of
from stormfusion.data.cutting import Cuts, wettest
from stormfusion.data.event import Event
from stormfusion.data.opening import open_events


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

    Raises
    ------
    CatalogError
        If two events have one id, or the table lists others.

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
        self._table = checked_table(self._events, table)
        self._skipped: tuple[tuple[str, str], ...] = ()

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
        max_missing: float = 0.5,
        lightning: str = "leading",
        strict: bool = False,
        storage_options: Mapping[str, Any] | None = None,
    ) -> "Catalog":
        """
        Open radar on disk or in the cloud: SEVIR, HKO-7, RADOLAN, or what xarray opens.

        Parameters
        ----------
        path
            A SEVIR root (a folder or an fsspec URL such as `"s3://sevir"`) or its
            catalog file; or one or more netCDF, zarr, GRIB or RADOLAN files, wildcards
            allowed (`"radar/*.nc"`), or a folder of them or of HKO-7. Files with one
            time each that share a grid are joined into one sequence; so are, where a
            `duration` is given, longer files that follow each other.
        variables
            Only these; by default all there are.
        rename, duration, size, events, max_missing
            For all but SEVIR: how events are cut, and of files that xarray opens what
            their variables are; see `from_xarray`.
        lightning
            For SEVIR: `"leading"` counts the flashes in the five minutes up to a
            frame; `"sevir"` those in the five minutes after it, as its own code does,
            which lets a nowcast see the future.
        strict
            Raise an error for the first damaged, absent or foreign file, rather than
            skip them with one warning that counts them.
        storage_options
            For URLs: options of their fsspec file system.

        Raises
        ------
        FileNotFoundError, ConnectionError
            If nothing is there, or a URL cannot be reached.
        CatalogError, GridMismatchError
            If there is no event, no variable that is known, or no regular grid.
        CorruptFileError
            If a file is damaged, and it is the only one or `strict` is set.
        """
        found, table, skipped = open_events(
            path,
            variables=variables,
            rename=rename,
            cuts=Cuts(duration, size, max_missing, events),
            lightning=lightning,
            strict=strict,
            options=storage_options,
        )
        catalog = cls(found, table)
        catalog._skipped = skipped
        return catalog

    @classmethod
    def from_xarray(
        cls,
        dataset: xr.Dataset | xr.DataArray,
        *,
        duration: str | pd.Timedelta | None = None,
        size: int | tuple[int, int] | None = None,
        events: int | None = None,
        max_missing: float = 0.5,
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
            Pixels of an event, a number or (y, x); by default the whole grid.
        events
            Keep only this many, those with the most rain.
        max_missing
            Windows of which more than this share is missing are left out; the table
            has it as `missing_fraction`, and the share that is wet as `wet_fraction`.
        variables
            Only these; by default all there are.
        rename
            `{"name in the data": "rain_rate"}` where a variable is not told by its
            standard name, name or units.
        prefix
            Beginning of the events' ids.

        Raises
        ------
        CatalogError, GridMismatchError
            If no variable is known, frames are out of order, no window fits, or the
            grid is not a regular one.

        Examples
        --------
        >>> storm = Catalog.synthetic(events=1, size=64)[0].to_dataset()
        >>> Catalog.from_xarray(storm, duration="1h").table.index[0]
        'event-20190101T0000'
        """
        cuts = Cuts(duration, size, max_missing, events)
        found = gridded.events_of_dataset(dataset, cuts, rename=rename, prefix=prefix)
        return cls(wettest(found, cuts, variables=variables))

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
        the rain comes and stay cold after it.

        Parameters
        ----------
        events, frames, interval, spacing
            Number of events and of their frames, time between these, and distance
            between pixels [m].
        size
            Pixels of the radar grid, a number or (y, x); the infrared has half as many
            and lightning an eighth.
        variables
            Some of vil, rain_rate, reflectivity, ir069, ir107, vis, lightning.
        seed
            The same seed makes the same storms.

        Raises
        ------
        CatalogError, ValueError
            If a number or a variable is none of these.

        Examples
        --------
        >>> Catalog.synthetic(events=2, size=64, variables=("vil", "ir107"))
        <Catalog of 2 events, 2019-01-01 to 2019-07-02: vil, ir107>
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

    @property
    def table(self) -> pd.DataFrame:
        """A row for each event; a copy, so that the catalog stays as it is."""
        return self._table.copy()

    @property
    def variables(self) -> tuple[str, ...]:
        """Variables that at least one event holds, principal ones first."""
        return selection.variables_of(self._events)

    def __len__(self) -> int:
        return len(self._events)

    def __iter__(self) -> Iterator[Event]:
        return iter(self._events)

    def __contains__(self, key: object) -> bool:
        return any(key is event or key == event.id for event in self._events)

    @overload
    def __getitem__(self, key: int | str) -> Event: ...
    @overload
    def __getitem__(self, key: slice) -> "Catalog": ...
    def __getitem__(self, key: int | str | slice) -> "Event | Catalog":
        if isinstance(key, slice):
            return Catalog(self._events[key], self._table.iloc[key])
        return self._events[selection.position(self._table.index, key)]

    def __or__(self, other: "Catalog") -> "Catalog":
        if not isinstance(other, Catalog):
            return NotImplemented
        rest = other._select(selection.fresh(self._events, other._events))
        table = pd.concat([self._table, rest._table]) if len(rest) else self._table
        union = Catalog((*self._events, *rest._events), table)
        union._skipped = tuple(dict.fromkeys((*self._skipped, *other._skipped)))
        return union

    def __repr__(self) -> str:
        time = self._table["time"]
        if not len(self):
            return "<Catalog of 0 events>"
        count = f"{len(self)} event" + ("s" if len(self) > 1 else "")
        span = f"{time.min():%Y-%m-%d} to {time.max():%Y-%m-%d}"
        return f"<Catalog of {count}, {span}: {', '.join(self.variables)}>"

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
            A slice of times in UTC, both ends included: `slice("2019-06-01", None)`. A
            date or month in text means all of it.
        box
            West, south, east and north [degrees]: events whose centre lies within. It
            may cross the date line, west then being more than east.
        variables
            Events that hold all of these.
        only
            Also leave out their other variables.

        Returns
        -------
        Catalog
            The events in the order they had; it may be empty.

        Raises
        ------
        CatalogError
            If no event is of a type, or holds a variable.

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
            keep &= selection.by_predicate(self.table, predicate)
        if event_type is not None:
            keep &= selection.by_type(self._table, event_type)
        if time is not None:
            keep &= selection.by_time(self._table, time)
        if box is not None:
            keep &= selection.by_box(self._events, box)
        if variables is None:
            return self._select(keep)
        variables = selection.names_of(variables)
        keep &= selection.by_variables(self._events, variables)
        chosen = self._select(keep)
        if not only:
            return chosen
        slim = selection.only_variables(chosen._events, variables)
        return Catalog(slim, selection.listing(slim, chosen.table))

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
            Or the time [UTC] at which the later part begins.

        Returns
        -------
        tuple of Catalog and Catalog
            The earlier and the later part, neither of them empty.

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
        earlier = selection.earlier(self._table, fraction, before)
        return self._select(earlier), self._select(~earlier)

    def check(self, *, progress: bool = True) -> pd.DataFrame:
        """
        Read every variable of every event, and say what is wrong.

        Returns
        -------
        DataFrame
            A row for each variable that is corrupt, absent, truncated, all missing or
            broken in time, with the columns `id`, `variable`, `problem`; and one for
            each file that `Catalog.open` skipped, with its path as `id` and no
            variable. Empty if all is well.

        Examples
        --------
        >>> len(Catalog.synthetic(events=1, size=64).check(progress=False))
        0
        """
        found = problems_of(self._events, progress=progress)
        found += [(path, None, reason) for path, reason in self._skipped]
        return pd.DataFrame(found, columns=["id", "variable", "problem"])

    def _select(self, keep: NDArray[np.bool_]) -> "Catalog":
        events = [e for e, kept in zip(self._events, keep, strict=True) if kept]
        return Catalog(events, self._table.loc[keep])
