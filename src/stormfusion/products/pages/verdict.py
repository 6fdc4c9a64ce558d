"""The sheets of a report that tell how good a footprint was, and those before it."""

from html import escape
from typing import Any

import numpy as np
import xarray as xr

from stormfusion import plot
from stormfusion.products.pages.ground import Ground
from stormfusion.products.pages.webpage import picture, table
from stormfusion.products.pages.words import MINUS, NOTHING, hazard_words, names_of

TOLD = {
    "brier": "Brier score",
    "brier_skill": "Brier skill",
    "roc_area": "ROC area",
    "skillful_scale": "useful from [pixels]",
    "granularity": "granularity [km]",
    "crps": "CRPS",
}
"""Scores of the window that stand in the table, where there are some."""


def verification_sheet(scores: xr.Dataset, ground: Ground) -> str:
    """A sheet of the scores of a footprint: a table, and pictures of what is there."""
    drawn = "\n".join([*_window_pictures(scores, ground), *_lead_pictures(scores)])
    return (
        '<article class="sheet">\n<header><h1>How good it was</h1></header>\n'
        f"{score_table(scores)}\n"
        '<p class="note">Scores of the whole window, of this one forecast: whether '
        "30 % happen in 30 of 100 is seen over many. A score that is not defined is "
        f'told as {NOTHING}.</p>\n<div class="pictures">\n{drawn}\n</div>\n</article>'
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
            plot.reliability(past.isel(hazard=number, drop=True)),
            hazard_words(name),
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
        f'</p>\n<div class="pictures tall">\n{drawn}\n</div>\n</article>'
    )


def score_table(scores: xr.Dataset) -> str:
    """The scores of the window, a row for each hazard."""
    told = {
        name: words
        for name, words in TOLD.items()
        if f"window_{name}" in scores and scores[f"window_{name}"].dims == ("hazard",)
    }
    widths = list(scores["scale"].values) if "scale" in scores.coords else []
    useful = "window_fss" in scores and len(widths)
    columns = ["any time of the window", *told.values()]
    columns += [f"FSS, {width} pixels" for width in widths] if useful else []
    rows = []
    for number, name in enumerate(names_of(scores)):
        some = scores.isel(hazard=number)
        cells = [hazard_words(name)]
        cells += [_number(some[f"window_{each}"].item()) for each in told]
        if useful:
            cells += [_number(value) for value in some["window_fss"].values]
        rows.append(cells)
    return table("Scores", columns, rows)


def _number(value: Any) -> str:
    return f"{value:.3g}".replace("-", MINUS) if np.isfinite(value) else NOTHING


def _window_pictures(scores: xr.Dataset, ground: Ground) -> list[str]:
    """Pictures of the scores of the window, a curve for each hazard."""
    window = xr.Dataset(
        {
            str(name).removeprefix("window_"): score
            for name, score in scores.items()
            if str(name).startswith("window_")
        }
    )
    curves, rows = _hazards_as(window, "forecast"), _hazards_as(window, "threshold")
    spacing = None
    if ground.grid is not None and np.isclose(*ground.grid.spacing, rtol=0.05):
        spacing = ground.grid.spacing[0] / 1e3
    found = []
    points = ("forecast_probability", "observed_frequency", "count")
    if _has(curves, points, "bin"):
        figure = plot.reliability(curves)
        found.append(picture(figure, "Reliability", vector=True))
    if _has(curves, ("pod", "pofd"), "bin"):
        found.append(picture(plot.roc(curves), "What it tells apart", vector=True))
    if _has(curves, ("economic_value",), "cost_loss"):
        figure = plot.value(curves[["economic_value"]])
        found.append(picture(figure, "What it is worth", vector=True))
    if _has(rows, ("fss",), "scale"):
        figure = plot.fractions(rows, spacing=spacing)
        found.append(picture(figure, "From which scale on it is useful", vector=True))
    return found


def _lead_pictures(scores: xr.Dataset) -> list[str]:
    """Pictures of the scores by lead time."""
    if scores.sizes.get("lead", 0) < 2:
        return []
    by_lead = _hazards_as(scores, "forecast")
    found = []
    for name, words in (("brier_skill", "Brier skill"), ("crps", "CRPS")):
        if _has(by_lead, (name,), "lead"):
            figure = plot.scores(by_lead, score=name)
            found.append(picture(figure, f"{words} by lead time", vector=True))
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
