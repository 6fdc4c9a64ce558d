"""A footprint as a page to print: facts, maps, areas, and how good it was."""

import os
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from stormfusion.plot.extents import extents
from stormfusion.plot.risks import sheet
from stormfusion.plot.units import hazard_words
from stormfusion.products.pages.areas import areas, partly, risk_at, unknown
from stormfusion.products.pages.ground import Ground, check_places
from stormfusion.products.pages.verdict import calibration_sheet, verification_sheet
from stormfusion.products.pages.webpage import asset, fill, picture, policy, table
from stormfusion.products.pages.words import (
    NOTHING,
    area_words,
    heading_of,
    leads_of,
    names_of,
    origin,
    percent_words,
    place_words,
    reference,
)
from stormfusion.writing import as_path, named, replacing

LEVELS = (0.1, 0.5, 0.9)
"""Probabilities whose areas are told."""


def write_report(
    dataset: xr.Dataset,
    path: str | os.PathLike[str],
    *,
    scores: xr.Dataset | None,
    places: Any,
    title: str | None,
) -> Path:
    """Write the page, whole or not at all."""
    spots = check_places(places)
    ground = Ground.of(dataset)
    heading = heading_of(dataset, title)
    style = asset("report.css")
    start = reference(dataset)
    with replacing(named(path, ".html", ".htm")) as temporary:
        page = fill(
            asset("report.html"),
            title=escape(heading),
            reference=escape(f"from {start}" if start else ""),
            policy=policy(style=style),
            style=style,
            facts=facts(dataset, ground),
            body=body(dataset, ground, spots),
            calibration=calibration_sheet(dataset),
            verification="" if scores is None else verification_sheet(scores, ground),
        )
        temporary.write_text(page, encoding="utf-8")
    return as_path(path)


def facts(dataset: xr.Dataset, ground: Ground) -> str:
    """Where the footprint comes from."""
    found = []
    for name, text in origin(dataset, ground):
        kind = ' class="long"' if len(text) > 40 else ""
        kind = ' class="whole"' if len(text) > 120 else kind
        found.append(f"<div{kind}><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>")
    return "\n".join(found)


def body(
    dataset: xr.Dataset, ground: Ground, places: Mapping[str, tuple[float, float]]
) -> str:
    """Maps, areas, and the tables of hazards and places."""
    arrives = "arrival" in dataset
    drawn = {"probability", "window_probability", "percentile", "window_percentile"}
    parts = []
    if drawn & set(dataset.data_vars):
        # of more hazards the maps would be too small
        both = arrives and len(names_of(dataset)) <= 2
        words = ["Probability", "percentile"] + ["median arrival"] * both
        maps = sheet(dataset, arrival=both, largest=1.9)
        caption = f"{', '.join(words)}, any time of the window"
        parts.append(picture(maps, caption, "maps"))
    if names_of(dataset):
        sizes = areas(dataset, ground, LEVELS)
        leads, known = leads_of(dataset), sizes[:, :-1]
        if len(leads) > 1 and np.isfinite(known).any():
            names = [hazard_words(name) for name in names_of(dataset)]
            chart = extents(known, leads=leads, hazards=names, levels=LEVELS)
            caption = "Area where each hazard is as likely, by lead time"
            parts.append(picture(chart, caption, "charts", vector=True))
        parts.append(hazard_table(dataset, ground, sizes))
    if places:
        parts.append(place_table(dataset, ground, places))
    return "\n".join(parts)


def hazard_table(dataset: xr.Dataset, ground: Ground, sizes: Any) -> str:
    """The largest probability of each hazard, its areas, and when it comes first."""
    columns = ["any time of the window", "largest probability", "where"]
    columns += [
        f"area at {100 * level:.0f}\N{NO-BREAK SPACE}% or more" for level in LEVELS
    ]
    arrives = "arrival" in dataset
    columns += ["earliest median arrival"] * arrives
    rows = []
    for number, name in enumerate(names_of(dataset)):
        risk = risk_at(dataset, number, dataset.sizes.get("lead", 0))
        if risk is None:
            continue
        values = ground.read(risk)
        cells = [hazard_words(name), *largest(values, ground)]
        cells += [area_words(area) for area in sizes[number, -1]]
        if arrives:
            soon = ground.read(dataset["arrival"].isel(hazard=number))
            soon = soon[(values >= values.dtype.type(LEVELS[0])) & np.isfinite(soon)]
            cells.append(f"+{soon.min():g} min" if soon.size else "none")
        rows.append(cells)
    if not rows:
        return ""
    notes = [unknown_words(dataset, ground)]
    if arrives:
        notes.append(
            "Arrival is the median over the members in which the hazard occurs, where "
            "it does in a tenth of them or more."
        )
    text = " ".join(filter(None, notes))
    note = f'<p class="note">{text}</p>' if text else ""
    return table("Hazards", columns, rows) + note


def unknown_words(dataset: xr.Dataset, ground: Ground) -> str:
    """How much of the window the table does not know, if not nil."""
    shares = unknown(dataset, ground)[:, -1]
    shares = shares[np.isfinite(shares)]
    if not shares.any():
        return ""
    ends = dict.fromkeys(percent_words(each) for each in (shares.min(), shares.max()))
    text = (
        f"{' to '.join(ends)} of the map is unknown for the window, and counts in no "
        "number of this table."
    )
    if any(partly(dataset, ground, hazard).any() for hazard in range(len(shares))):
        text += " The lead times know more of it: see the areas by lead time."
    return text


def largest(values: Any, ground: Ground) -> tuple[str, str]:
    """The largest of a map of probabilities, and where; how many pixels share it."""
    if not np.isfinite(values).any():
        return "no data", NOTHING
    most = float(np.nanmax(values))
    if most <= 0:
        return percent_words(most), NOTHING
    (row, column), *others = np.argwhere(values == np.nanmax(values))
    if others:
        return percent_words(most), f"{len(others) + 1:,} pixels"
    spot = ground.located(float(row) + 0.5, float(column) + 0.5)
    return percent_words(most), place_words(*spot) if spot else f"row {row}, {column}"


def place_table(
    dataset: xr.Dataset, ground: Ground, places: Mapping[str, tuple[float, float]]
) -> str:
    """The probability of each hazard at places, and when it comes there."""
    columns = ["place", "at"]
    for name in names_of(dataset):
        columns.append(hazard_words(name))
        columns += ["median arrival"] * ("arrival" in dataset)
    rows = []
    for name, (latitude, longitude) in places.items():
        cells = [name, place_words(latitude, longitude)]
        spot = ground.find(latitude, longitude)
        for number in range(len(names_of(dataset))):
            cells.append(_at(dataset, ground, "window_probability", number, spot))
            if "arrival" in dataset:
                cells.append(_at(dataset, ground, "arrival", number, spot))
        rows.append(cells)
    return table("Places", columns, rows)


def _at(
    dataset: xr.Dataset,
    ground: Ground,
    name: str,
    hazard: int,
    spot: tuple[float, float] | None,
) -> str:
    """What a map says of a place, in words."""
    if spot is None:
        return "outside"
    if name not in dataset:
        return NOTHING
    value = float(
        ground.read(dataset[name].isel(hazard=hazard))[int(spot[0]), int(spot[1])]
    )
    if name == "arrival":
        return f"+{value:g} min" if np.isfinite(value) else NOTHING
    return percent_words(value) if np.isfinite(value) else "no data"
