"""How reliable probabilities of hail were on days that were not seen."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from stormfusion.verification import probability_scores
from stormfusion.verification.probability import PARTS

EDGES = np.array(
    [0, 1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.02, 0.05, *np.arange(0.1, 1.01, 0.1)]
)
"""Bins of the probability, narrow where it is small, each with its lower end."""


def sums_of(
    probability: NDArray[np.float64],
    hit: NDArray[np.bool_],
    weight: NDArray[np.float64],
) -> dict[str, list[float]]:
    """
    Weighted sums of probabilities and events by bin, as `probability_sums` has them.

    Examples
    --------
    >>> sums = sums_of(np.array([0.0, 0.95]), np.array([False, True]), np.ones(2))
    >>> sums["event_sum"][-1], sum(sums["count"])
    (1.0, 2.0)
    """
    number = np.searchsorted(EDGES, probability, side="right") - 1
    number = np.minimum(number, EDGES.size - 2)
    p, o = probability, hit.astype(np.float64)
    with np.errstate(divide="ignore"):
        log = -np.log(np.where(hit, p, 1.0 - p))
    parts = (np.ones(p.size), p, p * p, o, p * o, np.minimum(log, 700.0))
    return {
        name: np.bincount(number, weight * part, EDGES.size - 1).tolist()
        for name, part in zip(PARTS, parts, strict=True)
    }


def diagram_of(
    sums: Mapping[str, Any], counts: Mapping[str, Any], attrs: Mapping[str, Any]
) -> xr.Dataset:
    """
    The reliability diagram of sums, with the scores they make.

    Examples
    --------
    >>> sums = sums_of(np.array([0.0, 0.95]), np.array([False, True]), np.ones(2))
    >>> diagram_of(sums, {"days": 2}, {})["brier_skill"].round(3).item()
    0.995
    """
    held = {name: ("bin", np.asarray(sums[name], dtype=np.float64)) for name in PARTS}
    middle = 0.5 * (EDGES[:-1] + EDGES[1:])
    what = {"units": "1", "long_name": "middle of the bin of forecast probabilities"}
    parts = xr.Dataset(held, coords={"bin": ("bin", middle, what)})
    scores = probability_scores(parts)
    count = parts["count"].where(parts["count"] > 0)
    found = {
        "forecast_probability": (
            parts["probability_sum"] / count,
            "mean forecast probability",
        ),
        "observed_frequency": (parts["event_sum"] / count, "observed frequency"),
        "count": (parts["count"].round().astype(np.int64), "pixels in the bin"),
        **{
            name: (scores[name], str(scores[name].attrs["long_name"]))
            for name in ("brier", "brier_skill", "log_score", "base_rate")
        },
    }
    said = {"days": "days", "events": "events", "reports": "reports that were near"}
    said["pixels"] = "pixels that were looked at"
    dataset = xr.Dataset(
        {
            name: array.assign_attrs(units="1", long_name=text)
            for name, (array, text) in found.items()
        }
    )
    for name, number in counts.items():
        dataset[name] = ((), int(number), {"units": "1", "long_name": said[name]})
    return dataset.assign_attrs(attrs)
