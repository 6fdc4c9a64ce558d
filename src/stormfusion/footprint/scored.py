"""The sheet of a report that tells how good a footprint was."""

from typing import Any

import numpy as np
import xarray as xr

from stormfusion import plot
from stormfusion.footprint.ground import Ground
from stormfusion.footprint.webpage import picture, table
from stormfusion.footprint.words import MINUS, NOTHING, hazard_words, names_of

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
    """Pictures of the scores of the window."""
    window = _as_thresholds(
        xr.Dataset(
            {
                str(name).removeprefix("window_"): score
                for name, score in scores.items()
                if str(name).startswith("window_")
            }
        )
    )
    spacing = None
    if ground.grid is not None and np.isclose(*ground.grid.spacing, rtol=0.05):
        spacing = ground.grid.spacing[0] / 1e3
    found = []
    curve = ("forecast_probability", "observed_frequency", "count")
    if _has(window, curve, "bin"):
        figure = plot.reliability(window)
        found.append(picture(figure, "Reliability", wide(window), vector=True))
    if _has(window, ("pod", "pofd"), "bin"):
        found.append(
            picture(plot.roc(window), "What it tells apart", wide(window), vector=True)
        )
    if _has(window, ("economic_value",), "cost_loss"):
        figure = plot.value(window)
        found.append(picture(figure, "What it is worth", wide(window), vector=True))
    if _has(window, ("fss",), "scale"):
        figure = plot.fractions(window, spacing=spacing)
        found.append(picture(figure, "From which scale on it is useful", vector=True))
    return found


def _lead_pictures(scores: xr.Dataset) -> list[str]:
    """Pictures of the scores by lead time."""
    if scores.sizes.get("lead", 0) < 2:
        return []
    by_lead = _as_thresholds(scores)
    found = []
    for name, words in (("brier_skill", "Brier skill"), ("crps", "CRPS")):
        if name in by_lead and {"lead"} <= set(by_lead[name].dims) <= {
            "lead",
            "threshold",
        }:
            figure = plot.scores(by_lead, score=name)
            kind = f"{wide(by_lead)} low" if "threshold" in by_lead[name].dims else ""
            found.append(picture(figure, f"{words} by lead time", kind, vector=True))
    return found


def wide(scores: xr.Dataset) -> str:
    """The kind of a picture that has a panel for each threshold."""
    return "wide" if scores.sizes.get("threshold", 1) > 1 else ""


def _as_thresholds(scores: xr.Dataset) -> xr.Dataset:
    """Scores whose hazards stand where pictures look for thresholds."""
    if "hazard" not in scores.dims or "threshold" in scores.dims:
        return scores
    words = [hazard_words(name) for name in names_of(scores)]
    return scores.rename(hazard="threshold").assign_coords(threshold=words)


def _has(scores: xr.Dataset, names: tuple[str, ...], dim: str) -> bool:
    """Whether there are these scores, along a dimension and by threshold at most."""
    return all(
        name in scores and {dim} <= set(scores[name].dims) <= {dim, "threshold"}
        for name in names
    )
