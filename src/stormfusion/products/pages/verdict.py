"""The sheets of a report that tell how good a footprint was, and those before it."""

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from stormfusion import plot
from stormfusion.plot.charts import curves as lines
from stormfusion.plot.decisions import detections, worths
from stormfusion.plot.diagrams import attributes
from stormfusion.plot.units import hazard_words
from stormfusion.products.pages.ground import Ground
from stormfusion.products.pages.webpage import picture, table
from stormfusion.products.pages.words import MINUS, NOTHING, names_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SMALL = 1.75
"""Size of the panels of pictures of which three stand beside one another [inches]."""
TOLD = {
    "brier": "Brier score",
    "brier_skill": "Brier skill",
    "roc_area": "ROC area",
    "skillful_scale": "useful from",
    "granularity": "granularity [km]",
    "crps": "CRPS",
}
"""Scores of the window that stand in the table, where there are some."""


def verification_sheet(scores: xr.Dataset, ground: Ground) -> str:
    """A sheet of the scores of a footprint: a table, and pictures of what is there."""
    spacing = _spacing(ground)
    drawn = "\n".join(_pictures(scores, spacing))
    bars = ""
    if "window_consistency_lower" in scores:
        bars = " Bars of chance are those of independent pixels, so they are too short."
    return (
        '<article class="sheet">\n<header><h1>How good it was</h1></header>\n'
        f"{score_table(scores, spacing)}\n"
        '<p class="note">Scores of the whole window, of this one forecast: whether '
        "30 % happen in 30 of 100 is seen over many. A score that is not defined is "
        f'told as {NOTHING}.{bars}</p>\n<div class="pictures">\n{drawn}\n</div>\n'
        "</article>"
    )


def calibration_sheet(dataset: xr.Dataset) -> str:
    """A sheet of how true the probabilities were in past forecasts, if it is known."""
    points = {
        "reliability_forecast": "forecast_probability",
        "reliability_observed": "observed_frequency",
        "reliability_count": "count",
    }
    if not points.keys() <= set(dataset.data_vars):
        return ""
    past = dataset[list(points)].rename(points)
    past = past.isel(hazard=past["count"].sum("bin").to_numpy() > 0)
    if not past.sizes["hazard"]:
        return ""
    pictures = [
        picture(
            attributes(past.isel(hazard=number, drop=True), size=2.8),
            hazard_words(name),
            "half high",
            vector=True,
        )
        for number, name in enumerate(names_of(past))
    ]
    comment = past["count"].attrs.get("comment", "of past forecasts")
    drawn = "\n".join(pictures)
    return (
        '<article class="sheet">\n<header><h1>How true it was before</h1></header>\n'
        f'<p class="note">Reliability {escape(comment)}, all lead times and the window '
        "together: how often the hazard came where it was told with that probability."
        f'</p>\n<div class="pictures">\n{drawn}\n</div>\n</article>'
    )


def score_table(scores: xr.Dataset, spacing: float | None) -> str:
    """The scores of the window, a row for each hazard; widths in km if known."""
    told = {
        name: words
        for name, words in TOLD.items()
        if f"window_{name}" in scores and scores[f"window_{name}"].dims == ("hazard",)
    }
    widths = list(scores["scale"].values) if "scale" in scores.coords else []
    useful = "window_fss" in scores and len(widths)
    columns = ["any time of the window", *told.values()]
    columns += [f"FSS, {_width(each, spacing)}" for each in widths] if useful else []
    rows = []
    for number, name in enumerate(names_of(scores)):
        some = scores.isel(hazard=number)
        cells = [hazard_words(name)]
        for each in told:
            value = some[f"window_{each}"].item()
            if each == "skillful_scale" and not np.isnan(value):
                cells.append(_width(value, spacing))
            else:
                cells.append(_number(value))
        if useful:
            cells += [_number(value) for value in some["window_fss"].values]
        rows.append(cells)
    return table("Scores", columns, rows)


def _number(value: Any) -> str:
    return f"{value:.3g}".replace("-", MINUS) if np.isfinite(value) else NOTHING


def _spacing(ground: Ground) -> float | None:
    """Width of a pixel [km], None where it is not known or not one."""
    if ground.grid is None or not np.isclose(*ground.grid.spacing, rtol=0.05):
        return None
    return ground.grid.spacing[0] / 1e3


def _width(pixels: float, spacing: float | None) -> str:
    """The width of a window in words."""
    if np.isinf(pixels):
        return "no scale"
    if spacing is not None:
        return f"{_number(pixels * spacing)} km"
    return f"{_number(pixels)} pixel{'' if pixels == 1 else 's'}"


def _pictures(scores: xr.Dataset, spacing: float | None) -> list[str]:
    """Pictures of the scores, that of reliability first and largest."""
    window = xr.Dataset(
        {
            str(name).removeprefix("window_"): score
            for name, score in scores.items()
            if str(name).startswith("window_")
        }
    )
    curves, rows = _hazards_as(window, "forecast"), _hazards_as(window, "threshold")
    leads = _hazards_as(scores, "forecast")
    several = rows.sizes.get("threshold", 1) > 1
    found = []

    def add(figure: "Figure", caption: str, kind: str) -> None:
        found.append(picture(figure, caption, kind, vector=True))

    points = ("forecast_probability", "observed_frequency", "count")
    if _has(rows, points, "bin"):
        figure = attributes(rows, size=2.1 if several else 2.7)
        add(figure, "Reliability", "whole" if several else "half high")
    if _has(rows, ("fss",), "scale"):
        figure = plot.fractions(rows, spacing=spacing)
        add(figure, "From which scale on it is useful", "half")
    named = _has(leads, ("brier_skill",), "lead") and leads.sizes["lead"] > 1
    others = ", colours as above" if named and several else ""
    if named:
        figure = lines(leads, score="brier_skill", wide=3.3)
        add(figure, "Brier skill by lead time", "half")
    if _has(curves, ("pod", "pofd"), "bin"):
        figure = detections(curves, size=SMALL, legend=not named)
        add(figure, f"What it tells apart{others}", "third")
    if _has(curves, ("economic_value",), "cost_loss"):
        figure = worths(curves[["economic_value"]], size=SMALL, legend=not named)
        add(figure, f"What it is worth{others}", "third")
    if _has(leads, ("crps",), "lead") and leads.sizes["lead"] > 1:
        add(lines(leads, score="crps", wide=2.9), "CRPS by lead time", "third")
    return found


def _hazards_as(scores: xr.Dataset, dim: str) -> xr.Dataset:
    """Scores whose hazards stand where a picture looks for its curves or panels."""
    if "hazard" not in scores.dims or dim in scores.dims:
        return scores
    words = [hazard_words(name) for name in names_of(scores)]
    return scores.rename(hazard=dim).assign_coords({dim: words})


def _has(scores: xr.Dataset, names: tuple[str, ...], dim: str) -> bool:
    """Whether there are these scores, along a dimension and by hazard at most."""
    hazards = {"forecast", "threshold"}
    return all(
        name in scores and {dim} <= set(scores[name].dims) <= {dim} | hazards
        for name in names
    )
