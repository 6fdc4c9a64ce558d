"""When the frames of a pysteps forecast are: leads, and the time they count from."""

import contextlib
import datetime as dt
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from stormfusion.data.cutting import span_of
from stormfusion.data.selection import moment
from stormfusion.errors import CatalogError

Interval: TypeAlias = float | str | dt.timedelta | np.timedelta64
Leads: TypeAlias = NDArray[np.timedelta64]

MINUTE = 60_000_000_000
"""In nanoseconds."""

SHORTEST, LONGEST = MINUTE // 60, 366 * 24 * 60 * MINUTE
"""What may be the time between frames: a second to a year."""

SLACK = np.timedelta64(1, "s")
"""By which times may miss an even step: files hold them in whole seconds."""

CALENDARS = ("standard", "gregorian", "proleptic_gregorian")


def leads_of(
    metadata: Mapping[str, Any],
    count: int,
    *,
    reference_time: object | None = None,
    interval: Interval | None = None,
) -> tuple[Leads, pd.Timestamp | None]:
    """
    Lead times, and the time they count from where it is known.

    Examples
    --------
    >>> leads, reference = leads_of({"accutime": 5.0}, 3, reference_time="2019-06-01")
    >>> leads.astype("timedelta64[m]"), reference
    (array([ 5, 10, 15], dtype='timedelta64[m]'), Timestamp('2019-06-01 00:00:00'))
    """
    stamps = _timestamps(metadata)
    told = _leadtimes(metadata, count)
    if interval is not None:
        leads = np.arange(1, count + 1) * span(interval)
    elif told is not None:
        leads = told
    elif stamps is not None and stamps.size > 1:
        leads = np.arange(1, count + 1) * _step(stamps)
    elif metadata.get("accutime") is not None:
        leads = np.arange(1, count + 1) * span(metadata["accutime"], name="accutime")
    else:
        raise ValueError(
            "metadata has no leadtimes, no two timestamps and no accutime, wanted the "
            "time between frames; pass interval='5min'"
        )
    if reference_time is not None:
        return leads, _moment(reference_time, "reference_time")
    return leads, None if stamps is None else _reference(stamps, told, count)


def times_of(forecast: xr.DataArray) -> dict[str, Any]:
    """
    What pysteps says of a forecast's times, as its importer of nowcasts does.

    Examples
    --------
    >>> lead = np.array([5, 10], "timedelta64[m]").astype("timedelta64[ns]")
    >>> times = times_of(xr.DataArray([0.0, 0.0], {"lead": lead}, dims="lead"))
    >>> times["leadtimes"], times["accutime"]
    (array([ 5., 10.]), 5.0)
    """
    if "lead" not in forecast.coords:
        raise ValueError(
            "the forecast has no lead times, pysteps needs the time between frames; "
            "give it the coordinate lead with dataset.assign_coords"
        )
    leads = forecast["lead"].to_numpy().astype("timedelta64[ns]")
    minutes = leads.astype(np.int64) / MINUTE
    steps = np.unique(np.diff(leads)).astype(np.int64) / MINUTE
    told: dict[str, Any] = {
        "accutime": float(steps[0]) if steps.size == 1 else None,
        "leadtimes": minutes,
    }
    valid = None
    if "time" in forecast.coords and forecast["time"].dims == ("lead",):
        valid = forecast["time"].to_numpy()
    elif "reference_time" in forecast.coords and not forecast["reference_time"].ndim:
        valid = forecast["reference_time"].to_numpy() + leads
    if valid is not None:
        # pysteps counts with datetime's attributes, which NumPy's times lack
        told["timestamps"] = valid.astype("datetime64[us]").astype(object)
    return told


def _timestamps(metadata: Mapping[str, Any]) -> NDArray[np.datetime64] | None:
    given = metadata.get("timestamps")
    if given is None or not np.size(given):
        return None
    stamps = np.array(
        [_moment(t, "a timestamp of metadata").to_datetime64() for t in np.ravel(given)]
    )
    if (np.diff(stamps) <= np.timedelta64(0)).any():
        raise ValueError(
            "metadata has timestamps twice or out of order, wanted each later than "
            "the one before; sort them"
        )
    return stamps


def _leadtimes(metadata: Mapping[str, Any], count: int) -> Leads | None:
    """Lead times that the metadata state [minutes]."""
    if metadata.get("leadtimes") is None:
        return None
    minutes = np.ravel(metadata["leadtimes"])
    numbers = minutes.dtype.kind in "iuf" and bool(np.isfinite(minutes).all())
    if not numbers or minutes.size != count or (np.diff(minutes) <= 0).any():
        raise ValueError(
            f"metadata has the leadtimes {np.array2string(minutes, threshold=6)} for "
            f"{count} frames, wanted as many numbers of minutes, in order; select the "
            "same frames of both, or drop them and pass interval"
        )
    nanoseconds = np.rint(np.asarray(minutes, dtype=np.float64) * MINUTE)
    return nanoseconds.astype(np.int64).astype("timedelta64[ns]")


def _reference(
    stamps: NDArray[np.datetime64], told: Leads | None, count: int
) -> pd.Timestamp:
    """The time before the forecast's own times, or the last of the observed ones."""
    if told is None:
        if stamps.size == count:
            raise ValueError(
                f"metadata has as many timestamps as there are leads, {count}, which "
                "may be those of the frames observed or forecast; pass reference_time, "
                "timestamps[-1] if they were observed, or leadtimes if forecast"
            )
        return pd.Timestamp(stamps[-1])
    if stamps.size != count:
        raise ValueError(
            f"metadata has {stamps.size} timestamps beside {count} leadtimes, wanted "
            "one for each; select the same frames of both"
        )
    starts = stamps - told
    if (abs(starts - starts[0]) > SLACK).any():
        raise ValueError(
            "metadata has timestamps that are not a lead time after one time, wanted "
            "timestamps and leadtimes of the same frames; drop one of them"
        )
    return pd.Timestamp(starts[0])


def _step(stamps: NDArray[np.datetime64]) -> np.timedelta64:
    steps = np.diff(stamps)
    if steps.max() - steps.min() > SLACK:
        least, most = (t / np.timedelta64(1, "m") for t in (steps.min(), steps.max()))
        raise ValueError(
            f"metadata has irregular timestamps, {least:g} to {most:g} minutes apart, "
            "wanted one step; pass interval='5min' if the forecast has one"
        )
    return np.timedelta64(steps[0])


def span(value: Any, *, name: str = "interval") -> np.timedelta64:
    """
    A time above zero; a bare number counts minutes, as in pysteps.

    Examples
    --------
    >>> float(span("1h") / span(5))
    12.0
    """
    number = np.asarray(value)
    is_number = number.dtype.kind in "iuf" and number.size == 1
    found = 0
    if is_number and 0 < number < LONGEST / MINUTE:
        found = round(float(number.item()) * MINUTE)
    elif not is_number:
        with contextlib.suppress(CatalogError):
            found = span_of(value).as_unit("ns").value
    if not SHORTEST <= found <= LONGEST:
        raise ValueError(
            f"{name} is {value!r}, wanted a time above zero such as '5min', or a "
            "number of minutes; correct it"
        )
    return np.timedelta64(found, "ns")


def _moment(value: Any, name: str) -> pd.Timestamp:
    wanted = "wanted a time in UTC such as '2019-06-01T12:00'"
    if isinstance(value, xr.DataArray | np.ndarray) and not value.ndim:
        value = np.asarray(value)[()]
    if getattr(value, "calendar", None) in CALENDARS:
        value = value.isoformat()
    try:
        time = moment(value).as_unit("ns")
        zone = pd.Timestamp(value).tzinfo
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} is {str(value)[:80]!r}, {wanted}; correct it"
        ) from error
    if zone is not None:
        raise ValueError(
            f"{name} is {str(value)!r}, in a time zone, {wanted}; convert it to UTC "
            "and drop the zone"
        )
    return time
