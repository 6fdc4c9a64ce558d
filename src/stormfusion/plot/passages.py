"""Films of probabilities: how a storm may pass, lead by lead."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from stormfusion.plot import canvas, contours, coords, films, maps, risks
from stormfusion.plot.colors import probabilities

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LINES = (0.1, 0.5, 0.9)
"""Probabilities of the lines that are drawn."""


def passage(
    dataset: xr.Dataset,
    path: str | os.PathLike[str],
    *,
    hazards: Sequence[int],
    fps: int | float,
    title: str | None,
) -> Path:
    """Write a film of the probabilities by lead, a panel for each hazard."""
    if "probability" not in dataset or not dataset.sizes.get("lead"):
        raise ValueError(
            "this footprint has no probability by lead time, wanted one to make a film "
            "of; name a hazard where it is made"
        )
    if title is not None and not isinstance(title, str):
        raise TypeError(f"title is {title!r}, wanted a text; write title='{title}'")
    if not hazards:
        raise ValueError("got no hazard, wanted one or more to make a film of")
    risk = dataset["probability"].isel(hazard=list(hazards)).load()
    return films.film(path, _play(risk, title), fps)


def _play(risk: xr.DataArray, title: str | None) -> Iterator["Figure"]:
    count = risk.sizes["hazard"]
    brush = probabilities("safe")
    every = [risk.isel(hazard=number) for number in range(count)]
    first = [risks.risk_frame(one.isel(lead=0)) for one in every]
    rows, columns = canvas.tiles(count)
    wide, high = maps.panel(coords.ratio(first[0]), largest=5.0 if count == 1 else 3.8)
    figure = canvas.blank(columns * (wide + 0.75) + 1.6, rows * (high + 0.75) + 0.9)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for spare in grid[count:]:
        spare.set_visible(False)
    images: list[Any] = []
    for index, (ax, one) in enumerate(zip(grid, first, strict=False)):
        images.append(maps.draw(ax, one, brush, said=False))
        canvas.heading(ax, risks.hazard_of(one), width=wide)
        ax.yaxis.label.set_visible(index % columns == 0)
        ax.xaxis.label.set_visible(index + columns >= count)
    missing = bool(np.isnan(risk.values).any())
    label = "probability"
    maps.bar(
        grid[count - 1], images[-1], brush, label=label, missing=missing, height=high
    )
    for lead in range(risk.sizes["lead"]):
        for ax, image, one in zip(grid, images, every, strict=False):
            frame = risks.risk_frame(one.isel(lead=lead))
            for old in [old for old in ax.collections if old is not image]:
                old.remove()  # lines, and their labels with them
            for old in list(ax.texts):
                old.remove()
            image.set_array(frame.values)
            contours.contour(ax, frame, LINES)
            if np.isnan(frame.values).all():
                # as before the end of the first whole window of a sum
                later = bool(one.isel(lead=slice(lead, None)).notnull().any())
                canvas.note(ax, "not known yet" if later else "no data", bare=False)
        moment = coords.moment(every[0].isel(lead=lead)) or f"lead {lead + 1}"
        canvas.headline(figure, "\n".join(filter(None, (title, moment))))
        if lead == 0:
            figure.draw_without_rendering()
            figure.set_layout_engine("none")
        yield figure
