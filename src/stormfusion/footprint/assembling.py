"""The labelled dataset of what was gathered."""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from stormfusion.errors import GridMismatchError
from stormfusion.grids import measured
from stormfusion.units import VARIABLES

if TYPE_CHECKING:
    from stormfusion.footprint.gathering import Accumulator

KNOWN = 0.5
"""Share of the members that know a pixel without which nothing is said of it."""
ARRIVALS = {"arrival": 0.5, "arrival_lower": 0.1, "arrival_upper": 0.9}
"""Which of the first times of a hazard are given, as shares of its members."""
PLANE = ("y", "x")


def assemble(
    gathered: "Accumulator", exact: dict[str, NDArray[Any]] | None
) -> xr.Dataset:
    """The labelled dataset of a footprint's fields, NaN where few members know."""
    like = gathered.like
    mapping = {k: v for k, v in like.attrs.items() if k == "grid_mapping"}
    found = {
        name: (dims, values.astype(np.float32, copy=False), {**attrs, **mapping})
        for name, (dims, values, attrs) in {
            **_risks(gathered),
            **_values(gathered, exact),
            **_rain(gathered, exact),
        }.items()
    }
    for dims, _, attrs in found.values():
        if not {"y", "x"} <= set(dims):
            attrs.pop("grid_mapping", None)
    dataset = xr.Dataset(found, coords=like.coords)
    if gathered.hazards:
        dataset = dataset.assign_coords(hazard=[str(h) for h in gathered.hazards])
    if gathered.percentiles:
        quantile = [p / 100.0 for p in gathered.percentiles]
        dataset = dataset.assign_coords(quantile=quantile)
        dataset["quantile"].attrs = {
            "units": "1",
            "long_name": "quantile: the least member value that this share of the "
            "members does not exceed",
        }
    note = "exact"
    if exact is None and gathered.window_histogram is not None:
        note = gathered.window_histogram.note(str(like.attrs.get("units", "")))
    attrs = {
        "variable": str(like.name),
        "members": gathered.members,
        "leads": int(like.sizes["lead"]),
        "percentiles": note,
    }
    law = gathered.fields.means.law
    if law is not None and like.name == "reflectivity":
        attrs["zr_law"] = str(law)
    if any(group.kind == "hail" for group in gathered.fields.groups):
        model = gathered.fields.means.hail
        attrs["hail_model"] = f"probability of a report of hail, not of hail: {model}"
    return dataset.assign_attrs(attrs)


Found = dict[str, tuple[tuple[str, ...], NDArray[Any], dict[str, Any]]]


def _holes(known: Any, total: float, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Where too few members know a pixel; sums of weights are not exact."""
    least = max(KNOWN * total, 1e-9) * (1 - 1e-6)
    return np.broadcast_to(np.asarray(known) < least, shape)


def _void(values: NDArray[Any], hole: NDArray[np.bool_]) -> None:
    """Make maps missing where there is a hole."""
    for value, missing in zip(values, hole, strict=True):
        if missing.any():
            value[missing] = np.nan


def _share(counts: NDArray[Any], known: Any, found: NDArray[np.float32]) -> None:
    """Counts of maps as shares of those that know, NaN where none does."""
    for lead, count in enumerate(counts):
        total = np.asarray(known if np.ndim(known) == 0 else known[lead])
        total = total.astype(np.float32)
        total = np.where(total > 0, total, np.float32(np.nan))
        np.divide(count, total, out=found[lead], dtype=np.float32)
        np.minimum(found[lead], 1.0, out=found[lead])


def _risks(gathered: "Accumulator") -> Found:
    """Probabilities, arrival, duration and displacement of the hazards."""
    hazards = gathered.hazards
    if not hazards:
        return {}
    shape = gathered.like.shape
    number, plane = len(hazards), shape[1:]
    total = float(gathered.known.total)
    chance = np.empty((number, *shape), dtype=np.float32) if gathered.by_lead else None
    window = np.empty((number, *plane), dtype=np.float32)
    arrival = {name: np.empty_like(window) for name in ARRIVALS}
    apart = np.full((number, shape[0]), np.nan)
    window_apart = np.full(number, np.nan)
    minutes = _minutes(gathered.like)
    spacing = _spacing(gathered.like)
    for group, known in zip(gathered.fields.groups, gathered.group_known, strict=True):
        hole = _holes(known.by_lead(), total, shape)
        window_hole = _holes(known.in_window(), total, plane)
        for index in group.hazards:
            counts = gathered.counts.pop(index)
            ever = counts.first.sum(0, dtype=np.float32)[None]
            over_all = window[index : index + 1]
            _share(ever, np.asarray(known.in_window())[None], over_all)
            over_all[0, window_hole] = np.nan
            if minutes is not None:
                told = counts.arrival(tuple(ARRIVALS.values()), minutes)
                for name, when in zip(ARRIVALS, told, strict=True):
                    when[window_hole] = np.nan
                    arrival[name][index] = when
                del told
            # large maps leave no room for what is not needed any more
            counts.first = counts.first[:0].copy()
            if chance is not None and counts.over is not None:
                _share(counts.over, known.by_lead(), chance[index])
                _void(chance[index], hole)
            if spacing is None:
                continue
            window_apart[index] = counts.window_agreement.distance(
                ever, _mean(over_all), spacing
            )[0]
            if chance is not None and counts.agreement is not None:
                assert counts.over is not None
                apart[index] = counts.agreement.distance(
                    counts.over, _mean(chance[index]), spacing
                )
    found: Found = {
        "window_probability": (
            ("hazard", *PLANE),
            window,
            _attrs("1", "probability of the hazard at any lead time"),
        )
    }
    if chance is not None:
        found = {
            "probability": (
                ("hazard", "lead", *PLANE),
                chance,
                _attrs("1", "probability of the hazard"),
            ),
            **found,
        }
    if minutes is not None:
        found |= _times(arrival, chance, minutes, hazards)
    if spacing is not None:
        text = "distance by which members displace the hazard from one another"
        found["window_displacement"] = (
            ("hazard",),
            window_apart,
            _attrs("km", f"{text}, at any lead time"),
        )
        if chance is not None:
            found["displacement"] = (("hazard", "lead"), apart, _attrs("km", text))
    return found


def _times(
    arrival: dict[str, NDArray[Any]],
    chance: NDArray[Any] | None,
    minutes: NDArray[Any],
    hazards: Any,
) -> Found:
    """When a hazard arrives, and how long it lasts."""
    which = ("median", "tenth percentile", "ninetieth percentile")
    found: Found = {}
    for (name, values), text in zip(arrival.items(), which, strict=True):
        told = (
            f"{text} of the lead time at which the hazard first occurs, over the "
            "members in which it does"
        )
        found[name] = (("hazard", *PLANE), values, _attrs("min", told))
    if chance is None:
        return found
    # of a lead before the start nothing is left
    steps = np.maximum(np.diff(np.maximum(minutes, 0.0), prepend=0.0), 0.0)
    lasts = np.zeros_like(chance[:, 0])
    for lead, step in enumerate(steps):
        for index in range(len(lasts)):
            lasts[index] += np.float32(step) * chance[index, lead]
    for index, hazard in enumerate(hazards):
        if hazard.window is not None:
            lasts[index] = np.nan
    text = "mean over the members of the time for which the hazard occurs"
    found["duration"] = (("hazard", *PLANE), lasts, _attrs("min", text))
    return found


def _values(gathered: "Accumulator", exact: dict[str, NDArray[Any]] | None) -> Found:
    """Percentiles, mean and spread of the variable, and who knows it."""
    like, known = gathered.like, gathered.known
    units = str(like.attrs.get("units", "1"))
    name = str(like.attrs.get("long_name", like.name))
    shape, plane, total = like.shape, like.shape[1:], float(known.total)
    window_hole = _holes(known.in_window(), total, plane)
    found: Found = {}
    largest = f"of the largest {name} of any lead time"
    of_window = _percentiles(
        gathered, exact, "window_percentile", gathered.window_histogram
    )
    if of_window is not None:
        of_window[:, window_hole] = np.nan
        attrs = _attrs(units, f"percentile {largest}")
        found["window_percentile"] = (("quantile", *PLANE), of_window, attrs)
    highest = gathered.window_moments.mean[0]
    highest[window_hole] = np.nan
    attrs = _attrs(units, f"ensemble mean {largest}")
    found["window_mean"] = (PLANE, highest, attrs)
    if gathered.moments is None:
        return found
    hole = _holes(known.by_lead(), total, shape)
    of_leads = _percentiles(gathered, exact, "percentile", gathered.histogram)
    if of_leads is not None:
        of_leads[:, hole] = np.nan
        attrs = _attrs(units, f"percentile of {name}")
        found = {
            "percentile": (("quantile", "lead", *PLANE), of_leads, attrs),
            **found,
        }
    spread = gathered.moments.spread(known)
    _void(spread, hole)
    mean = gathered.moments.mean
    _void(mean, hole)
    share = np.asarray(known.by_lead(), dtype=np.float32) / np.float32(total)
    leads = ("lead", *PLANE)
    return {
        **found,
        "mean": (leads, mean, _attrs(units, f"ensemble mean of {name}")),
        "spread": (
            leads,
            spread,
            _attrs(units, f"ensemble standard deviation of {name}"),
        ),
        "known": (
            leads,
            np.broadcast_to(share, shape),
            _attrs("1", "share of the members that know the pixel"),
        ),
    }


def _rain(gathered: "Accumulator", exact: dict[str, NDArray[Any]] | None) -> Found:
    """The rain that falls over the window."""
    if gathered.rain is None:
        return {}
    known, units = gathered.rain_known, VARIABLES["rain"].units
    total, plane = float(known.total), gathered.like.shape[1:]
    hole = _holes(known.in_window(), total, plane)
    mean = gathered.rain.mean[0]
    mean[hole] = np.nan
    text = "rain that falls from the start of the forecast to its last lead"
    found: Found = {
        "accumulation": (PLANE, mean, _attrs(units, f"ensemble mean of the {text}"))
    }
    values = _percentiles(
        gathered,
        exact,
        "accumulation_percentile",
        gathered.rain_histogram,
        known.in_window(),
    )
    if values is not None:
        values[:, hole] = np.nan
        attrs = _attrs(units, f"percentile of the {text}")
        found["accumulation_percentile"] = (("quantile", *PLANE), values, attrs)
    return found


def _percentiles(
    gathered: "Accumulator",
    exact: dict[str, NDArray[Any]] | None,
    name: str,
    histogram: Any,
    known: Any = None,
) -> NDArray[np.float32] | None:
    """Those that were sorted, or those of a histogram."""
    if exact is not None:
        given = exact.get(name)
        return None if given is None else given.astype(np.float32, copy=False)
    if histogram is None:
        return None
    if known is None:
        known = (
            gathered.known.by_lead()
            if name == "percentile"
            else gathered.known.in_window()
        )
    values: NDArray[np.float32] = histogram.ordered(gathered.percentiles, known)
    return values


def _minutes(like: xr.DataArray) -> NDArray[np.float32] | None:
    """When the leads are [min], where that is known."""
    if "lead" not in like.coords:
        return None
    leads = like["lead"].to_numpy().astype("timedelta64[ns]").astype(np.int64)
    return (leads / 60e9).astype(np.float32)


def _spacing(like: xr.DataArray) -> float | None:
    """Of the pixels [km], where the grid is a regular one."""
    try:
        dy, dx = measured(like).spacing
    except GridMismatchError:
        return None
    return float(np.sqrt(dy * dx)) / 1000.0


def _mean(chance: NDArray[Any]) -> NDArray[np.float64]:
    """Mean of each map where it is known."""
    found = np.zeros(len(chance))
    for lead, one in enumerate(chance):
        known = one[~np.isnan(one)]
        found[lead] = known.mean(dtype=np.float64) if known.size else 0.0
    return found


def _attrs(units: str, text: str) -> dict[str, Any]:
    return {"units": units, "long_name": text}
