"""The words of a footprint's pages: hazards, units, times and where it comes from."""

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from stormfusion.hazards import Hazard
from stormfusion.plot.coords import clock, minutes
from stormfusion.products.pages.ground import Ground

MINUS, TIMES = "\N{MINUS SIGN}", "\N{MULTIPLICATION SIGN}"
NOTHING = "\N{EN DASH}"
"""Stands where there is nothing to tell."""
_ORIGIN = {
    "recipe": "Recipe",
    "members": "Members",
    "calibration": "Calibration",
    "validated": "Validated",
    "training_data": "Training data",
    "percentiles": "Percentiles",
    "stormfusion": "Made by stormfusion",
}


def ordinal(percent: float) -> str:
    """
    A percentile by its number.

    Examples
    --------
    >>> ordinal(90), ordinal(1), ordinal(12), ordinal(2.5)
    ('90th', '1st', '12th', '2.5th')
    """
    text = f"{percent:g}"
    teens = text[-2:] in ("11", "12", "13") or "." in text
    ends = {} if teens else {"1": "st", "2": "nd", "3": "rd"}
    return text + ends.get(text[-1], "th")


def area_words(area: float) -> str:
    """
    An area [km2] in words, to three figures.

    Examples
    --------
    >>> area_words(12345.6), area_words(0.25), area_words(0.0), area_words(np.nan)
    ('12,300 km²', '0.25 km²', '0 km²', 'unknown')
    """
    if not np.isfinite(area):
        return "unknown"
    return f"{float(f'{area:.3g}'):,.12g} km²"


def percent_words(share: float) -> str:
    """
    A probability in words; what is near 0 or 1 is not called so.

    Examples
    --------
    >>> [percent_words(p) for p in (0.0, 0.001, 0.35, 0.999, 1.0)]
    ['0 %', 'under 1 %', '35 %', 'over 99 %', '100 %']
    """
    if 0 < share < 0.01:
        return "under 1 %"
    if 0.99 < share < 1:
        return "over 99 %"
    return f"{100 * share:.0f} %"


def place_words(latitude: float, longitude: float) -> str:
    """
    A latitude and a longitude [degrees] in words.

    Examples
    --------
    >>> place_words(46.2, -6.1404)
    '46.20° N, 6.14° W'
    """
    longitude = (longitude + 180.0) % 360.0 - 180.0
    north, east = "NS"[latitude < 0], "EW"[longitude < 0]
    return f"{abs(latitude):.2f}° {north}, {abs(longitude):.2f}° {east}"


def names_of(dataset: xr.Dataset) -> list[str]:
    """The hazards of a dataset, as they are written there."""
    if "hazard" not in dataset.coords:
        return []
    return [str(name) for name in np.atleast_1d(dataset["hazard"].values)]


def chosen(dataset: xr.Dataset, hazards: Any) -> list[int]:
    """
    Which of the dataset's hazards are meant, in the order asked for; None means all.

    Raises
    ------
    TypeError
        If `hazards` are no texts or hazards.
    ValueError
        If one is not in the dataset.

    Examples
    --------
    >>> names = ["vil >= 3.5 kg m-2", "vil >= 12 kg m-2"]
    >>> dataset = xr.Dataset(coords={"hazard": names})
    >>> chosen(dataset, "vil>=12 kg/m^2")
    [1]
    """
    known = names_of(dataset)
    if hazards is None:
        return list(range(len(known)))
    several = [hazards] if isinstance(hazards, str | Hazard) else list(hazards)
    found = []
    for hazard in several:
        name = str(hazard)
        if not isinstance(hazard, str | Hazard):
            raise TypeError(f"got {hazard!r} as a hazard, wanted one of {known}")
        if name not in known:
            name = _canonical(name)
        if name not in known:
            raise ValueError(
                f"this footprint has no hazard {str(hazard)!r}, it has "
                f"{', '.join(map(repr, known)) or 'none'}; choose one of them, or name "
                "it where the footprint is made"
            )
        found.append(known.index(name))
    if len(set(found)) != len(found):
        raise ValueError(f"hazards {list(map(str, several))} name one twice; drop it")
    return found


def _canonical(text: str) -> str:
    try:
        return str(Hazard.parse(text))
    except ValueError:
        return text


def leads_of(dataset: xr.Dataset) -> list[float]:
    """The lead times [min]."""
    if "lead" not in dataset.dims:
        return []
    if "lead" not in dataset.coords:
        raise ValueError(
            "the leads of this footprint have no coordinate, wanted timedelta64; "
            "assign it with .assign_coords(lead=...)"
        )
    return [float(lead) for lead in minutes(dataset["lead"])]


def valid_times(dataset: xr.Dataset) -> list[str]:
    """When each lead is valid [UTC], empty texts where that is not known."""
    count = dataset.sizes.get("lead", 0)
    if "time" not in dataset.coords or dataset["time"].dims != ("lead",):
        return [""] * count
    return [clock(time) for time in dataset["time"].values]


def reference(dataset: xr.Dataset) -> str:
    """The reference time [UTC], an empty text where it is not known."""
    if "reference_time" not in dataset.coords or dataset["reference_time"].ndim:
        return ""
    return clock(dataset["reference_time"].values)


def window_words(dataset: xr.Dataset) -> str:
    """The time that the footprint speaks of."""
    leads = leads_of(dataset)
    if not leads:
        return "the whole window"
    return f"the next {max(leads):g} min"


def heading_of(dataset: xr.Dataset, title: str | None) -> str:
    """A title, or what the footprint speaks of."""
    if title is None:
        return f"Footprint of {window_words(dataset)}"
    if not isinstance(title, str):
        raise TypeError(f"title is {title!r}, wanted a text; write title='{title}'")
    return title


def origin(dataset: xr.Dataset, ground: Ground) -> list[tuple[str, str]]:
    """Where a footprint comes from: pairs of a name and a text."""
    found = [("Reference time", reference(dataset) or "unknown")]
    leads = leads_of(dataset)
    if leads:
        ends = f"{min(leads):g} to {max(leads):g} min"
        found.append(("Lead times", f"{len(leads)}, {ends}" if leads[1:] else ends))
    found.append(("Domain", domain_words(ground)))
    if projection := projection_words(ground):
        found.append(("Projection", projection))
    for key, name in _ORIGIN.items():
        if key in dataset.attrs:
            found.append((name, str(dataset.attrs[key])))
    return found


def domain_words(ground: Ground) -> str:
    """How large a domain is."""
    rows, columns = ground.shape
    count = f"{columns} {TIMES} {rows} pixels"
    if ground.kind == "degree":
        dy, dx = (abs(step) for step in ground.steps)
        return f"{count} of {dx:.3g}° {TIMES} {dy:.3g}°"
    if ground.kind == "metre":
        dy, dx = (abs(step) / 1e3 for step in ground.steps)
        size = f"{dx:.3g} km" if np.isclose(dx, dy) else f"{dx:.3g} {TIMES} {dy:.3g} km"
        return f"{count} of {size}"
    return count


def projection_words(ground: Ground) -> str:
    """The name of the projection."""
    if ground.grid is None or ground.grid.crs is None:
        return "unknown" if ground.kind == "metre" else ""
    from pyproj import CRS

    crs = CRS.from_user_input(ground.grid.crs)
    if crs.is_bound and crs.source_crs is not None:
        crs = crs.source_crs
    way = crs.coordinate_operation
    if way is not None and crs.name.lower() in ("unknown", "undefined", ""):
        return str(way.method_name)
    return "latitude and longitude" if crs.name == "WGS 84" else str(crs.name)


def day(text: str) -> str:
    """
    The time of day of a time in words.

    Examples
    --------
    >>> day("2019-06-01 12:05 UTC")
    '12:05 UTC'
    """
    if not text:
        return ""
    return pd.Timestamp(text.removesuffix(" UTC")).strftime("%H:%M UTC")
