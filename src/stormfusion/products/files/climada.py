"""The percentiles of a footprint as a hazard of CLIMADA."""

import json
from typing import Any

import numpy as np
import xarray as xr

from stormfusion.grids import Grid
from stormfusion.interop.climada import Events, days_of, hazard_of, kind_of
from stormfusion.products.files.conventions import PLANE
from stormfusion.products.files.provenance import provenance
from stormfusion.products.files.selecting import percentile_text


def percentile_hazard(dataset: xr.Dataset, *, kind: str | None = None) -> Any:
    """
    The percentiles of each member's largest value as events of CLIMADA.

    Parameters
    ----------
    dataset
        As in `Footprint`, with `window_percentile`.
    kind
        Two letters, as in `interop.climada.to_hazard`.

    Returns
    -------
    climada.hazard.Hazard
        As `Footprint.to_climada` tells.

    Raises
    ------
    ModuleNotFoundError
        If CLIMADA is not installed.
    ValueError
        If the footprint has no percentiles, or its variable no letters.
    GridMismatchError
        If the projection is unknown.

    Examples
    --------
    >>> percentile_hazard(xr.Dataset())
    Traceback (most recent call last):
    ...
    ValueError: this footprint has no percentiles of the window, wanted some; ...
    """
    if "window_percentile" not in dataset:
        raise ValueError(
            "this footprint has no percentiles of the window, wanted some; ask for "
            "them where it is made, with percentiles=(10, 30, 50, 70, 90)"
        )
    array = dataset["window_percentile"].transpose("quantile", *PLANE)
    variable = str(dataset.attrs.get("variable", ""))
    kind = kind_of(variable, kind)
    levels = array["quantile"].to_numpy()
    texts = [
        f"percentile {percentile_text(q)} of the largest {variable}" for q in levels
    ]
    day = days_of(dataset, 1)[:1]
    events = Events(
        array.to_numpy(),
        texts,
        np.repeat(day, levels.size),
        shares(levels),
        str(array.attrs.get("units", "")),
    )
    hazard = hazard_of(events, Grid.of(array), kind=kind)
    hazard.provenance = json.dumps(provenance(dataset))
    return hazard


def shares(levels: Any) -> Any:
    """
    The share of the members that each quantile stands for: those nearest to it.

    Examples
    --------
    >>> shares(np.array([0.1, 0.5, 0.9])).round(3).tolist()
    [0.3, 0.4, 0.3]
    """
    order = np.argsort(levels)
    between = (levels[order][1:] + levels[order][:-1]) / 2
    found = np.empty(len(levels))
    found[order] = np.diff(np.concatenate([[0.0], between, [1.0]]))
    return found
