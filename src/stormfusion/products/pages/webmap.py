"""A footprint as an interactive map: one page that needs nothing else."""

import base64
import os
import warnings
from collections.abc import Mapping, Sequence
from html import escape
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from stormfusion.grids.grid import METRES_PER_DEGREE
from stormfusion.plot.units import hazard_words
from stormfusion.products.pages.areas import areas, partly, unknown
from stormfusion.products.pages.ground import Ground, check_places
from stormfusion.products.pages.layers import View, layer, sources
from stormfusion.products.pages.webpage import as_json, asset, fill, policy
from stormfusion.products.pages.words import (
    TIMES,
    chosen,
    day,
    heading_of,
    leads_of,
    names_of,
    origin,
    reference,
    valid_times,
)
from stormfusion.writing import as_path, named, replacing

LARGEST = 20_000_000
"""Bytes that a page has at most."""
MOST_PIXELS = 1_200_000
"""Pixels of a map as it is shown; with more of them a browser gets slow."""
MOST_VALUES = 120_000_000
"""Pixels of all maps of a page together, each a byte of the browser's memory."""
APART = "apart"
"""Stands for members that agree at no scale."""
SCRIPTS = ("fields", "lines", "globe", "chart", "map", "panel")


def write_map(
    dataset: xr.Dataset,
    path: str | os.PathLike[str],
    *,
    hazards: Any,
    probabilities: Sequence[float],
    title: str | None,
    places: Any,
    cmap: Any,
) -> Path:
    """Write the page of a footprint, whole or not at all."""
    levels = check_levels(probabilities)
    spots = check_places(places)
    some = chosen(dataset, hazards)
    ground = Ground.of(dataset)
    _warn_outside(ground, spots)
    with replacing(named(path, ".html", ".htm")) as temporary:
        factor = _factor(dataset, ground, len(some))
        while True:
            view = View(dataset, ground, some, factor, cmap)
            page = render(view, levels=levels, title=title, places=spots)
            data = page.encode("utf-8")
            if len(data) <= LARGEST:
                break
            factor += 1
        temporary.write_bytes(data)
    return as_path(path)


def render(
    view: View,
    *,
    levels: Sequence[float],
    title: str | None,
    places: Mapping[str, tuple[float, float]],
) -> str:
    """The text of the page."""
    frames: list[str] = []

    def keep(text: str) -> int:
        frames.append(text)
        return len(frames) - 1

    layers = [layer(view, source, keep) for source in sources(view.dataset)]
    layers = [each for each in layers if each["frames"]]
    if not layers:
        raise ValueError(
            "nothing of this footprint can be drawn; choose one of its hazards, or "
            "make it with percentiles"
        )
    heading = heading_of(view.dataset, title)
    content = {
        "title": heading,
        "reference": reference(view.dataset),
        **_ground(view),
        "stops": _stops(view.dataset),
        "hazards": [hazard_words(names_of(view.dataset)[h]) for h in view.hazards],
        "layers": layers,
        "levels": list(levels),
        "areas": _areas(view, levels),
        "unknown": _unknown(view),
        "partly": [
            bool(partly(view.dataset, view.ground, h).any()) for h in view.hazards
        ],
        "displaced": _displaced(view),
        "places": _places(view, places),
    }
    script = "\n".join(asset(f"{name}.js") for name in SCRIPTS)
    script = f'"use strict";\n(() => {{\n{script}\n}})();\n'
    style = asset("map.css")
    blocks = [
        f'<script type="text/plain" id="frame-{number}">{text}</script>'
        for number, text in enumerate(frames)
    ]
    return fill(
        asset("map.html"),
        title=escape(heading),
        policy=policy(style=style, script=script),
        style=style,
        script=script,
        page=as_json(content),
        frames="\n".join(blocks),
        facts=_facts(view, layers),
    )


def check_levels(levels: Any) -> tuple[float, ...]:
    """
    Probabilities of lines, ascending, or a sentence.

    Examples
    --------
    >>> check_levels([0.5, 0.1])
    (0.1, 0.5)
    """
    form = "wanted numbers above 0 up to 1, each once, such as (0.1, 0.5, 0.9)"
    if isinstance(levels, str) or not isinstance(levels, Sequence | np.ndarray):
        raise TypeError(f"probabilities are {levels!r}, {form}")
    if not all(isinstance(level, Real) for level in levels):
        raise TypeError(f"probabilities are {levels!r}, {form}")
    found = tuple(sorted(float(level) for level in levels))
    if not all(0 < level <= 1 for level in found) or len(set(found)) != len(found):
        raise ValueError(f"probabilities are {levels!r}, {form}")
    return found


def _factor(dataset: xr.Dataset, ground: Ground, hazards: int) -> int:
    """How many pixels become one, so that the page is not too large."""
    maps = 0
    for source in sources(dataset):
        leads = dataset.sizes["lead"] if source.by_lead in dataset else 0
        stops = leads + (source.window in dataset)
        maps += stops * (hazards if source.of_hazard else 1)
    factor = 1
    while True:
        rows, columns = (-(-size // factor) for size in ground.shape)
        pixels = rows * columns
        if pixels <= MOST_PIXELS and pixels * maps <= MOST_VALUES:
            return factor
        factor += 1


def _ground(view: View) -> dict[str, Any]:
    """Where the pixels lie, for the page."""
    ground, factor = view.ground, view.factor
    net = ground.net
    packed = None
    if net is not None:
        text = base64.b64encode(net.astype("<f4").tobytes()).decode("ascii")
        packed = {"rows": net.shape[0], "columns": net.shape[1], "points": text}
    dy, dx = ground.steps
    turned = ground.grid is not None and _turned(ground)
    return {
        "rows": ground.shape[0],
        "columns": ground.shape[1],
        "factor": factor,
        "aspect": ground.aspect,
        "kind": ground.kind,
        "turned": turned,
        "digits": _digits(ground),
        "y": [float(ground.y[0]), dy],
        "x": [float(ground.x[0]), dx],
        "net": packed,
    }


def _turned(ground: Ground) -> bool:
    from stormfusion.grids.projections import is_turned

    assert ground.grid is not None
    return ground.kind == "degree" and is_turned(ground.grid.crs)


def _digits(ground: Ground) -> int:
    """Decimals of a latitude that tell one pixel from the next."""
    if ground.grid is None:
        return 3
    spacing = min(ground.grid.spacing) / METRES_PER_DEGREE
    return int(np.clip(-np.floor(np.log10(spacing)), 2, 6))


def _stops(dataset: xr.Dataset) -> list[dict[str, Any]]:
    """The places of the slider: the leads, and then the window."""
    found: list[dict[str, Any]] = [
        {"lead": lead, "label": f"+{lead:g} min", "time": time, "short": day(time)}
        for lead, time in zip(leads_of(dataset), valid_times(dataset), strict=True)
    ]
    start, times = reference(dataset), valid_times(dataset)
    span = ""
    if start and times and times[-1]:
        span = f"{start.removesuffix(' UTC')} to {day(times[-1])}"
    return [
        *found,
        {"lead": None, "label": "any time", "time": span, "short": "any time"},
    ]


def _areas(view: View, levels: Sequence[float]) -> list[list[list[float | None]]]:
    """Areas [km2] by hazard, stop and level, counted on all pixels."""
    found = areas(view.dataset, view.ground, levels)[list(view.hazards)]
    return [[[_number(area) for area in stop] for stop in hazard] for hazard in found]


def _unknown(view: View) -> list[list[float | None]]:
    """Shares of the map that are not known, by hazard and stop."""
    found = unknown(view.dataset, view.ground)[list(view.hazards)]
    return [[_number(share) for share in hazard] for hazard in found]


def _displaced(view: View) -> list[list[float | str | None]]:
    """Distances [km] by which members displace the hazards, by hazard and stop."""
    dataset, count = view.dataset, view.dataset.sizes.get("lead", 0)
    found = []
    for hazard in view.hazards:
        values = np.full(count + 1, np.nan)
        if "displacement" in dataset:
            values[:count] = dataset["displacement"].isel(hazard=hazard)
        if "window_displacement" in dataset:
            values[count] = dataset["window_displacement"].isel(hazard=hazard)
        found.append([APART if v == np.inf else _number(v) for v in values])
    return found


def _number(value: Any) -> float | None:
    return float(f"{value:.6g}") if np.isfinite(value) else None


def _places(
    view: View, places: Mapping[str, tuple[float, float]]
) -> list[dict[str, Any]]:
    """Named places that are on the map."""
    found = []
    for name, (latitude, longitude) in places.items():
        if (spot := view.ground.find(latitude, longitude)) is not None:
            found.append({"name": name, "row": spot[0], "column": spot[1]})
    return found


def _warn_outside(ground: Ground, places: Mapping[str, tuple[float, float]]) -> None:
    outside = sum(ground.find(*spot) is None for spot in places.values())
    if outside:
        warnings.warn(
            f"{outside} of {len(places)} places lie outside of the domain; they are "
            "not on the map",
            UserWarning,
            stacklevel=4,
        )


def _facts(view: View, layers: Sequence[Mapping[str, Any]]) -> str:
    """The rows of the table of where all this comes from."""
    pairs = origin(view.dataset, view.ground)
    notes: dict[str, list[str]] = {}
    for each in layers:
        if each["label"]:
            notes.setdefault(each["note"], []).append(each["label"].lower())
    pairs += [(f"Shown {note}", "; ".join(names)) for note, names in notes.items()]
    if view.factor > 1:
        size = f"{view.factor} {TIMES} {view.factor}"
        words = (
            f"each pixel shown is {size} pixels of the footprint and has the largest "
            "value of them (the earliest, for arrival times); areas are counted on "
            "the footprint's own pixels"
        )
        pairs.append(("Coarsened", words))
    return "\n".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(text)}</td></tr>'
        for name, text in pairs
    )
