"""What a calibration did: to the cases it was fitted on, and to those held out."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from stormfusion.calibration.curves import brier_of, identity
from stormfusion.calibration.tables import Table
from stormfusion.hazards import Hazard

STAGES = ("raw", "fitted", "held out")
BINS = 10


def reported(
    scores: NDArray[np.float64],
    *,
    raw: Sequence[Table],
    fitted: Sequence[Table],
    apart: Sequence[Table],
    curves: Sequence[NDArray[np.float64]],
    held_curves: Sequence[Sequence[NDArray[np.float64]]],
    hazards: tuple[Hazard, ...],
    like: xr.DataArray,
    cases: int,
    groups: int,
    names: Sequence[Sequence[str]],
) -> xr.Dataset:
    """
    The report of a calibration.

    Parameters
    ----------
    scores
        CRPS by stage and lead.
    raw, fitted, apart
        Tables by fold: of the members as they were, mapped, and mapped by the others.
    curves, held_curves
        Of all, and of all but each fold.
    hazards, like, cases, groups, names
        What it is of, and which curves were chosen.
    """
    stages = xr.Variable("stage", list(STAGES))
    units = str(like.attrs.get("units", "1"))
    crps = {"units": units, "long_name": "fair CRPS of a sample of pixels"}
    found: dict[str, Any] = {"crps": (("stage", "lead"), scores, crps)}
    coords: dict[str, Any] = {"stage": stages}
    if "lead" in like.coords:
        standard = {"standard_name": "forecast_period"}
        coords["lead"] = ("lead", like["lead"].to_numpy(), standard)
    attrs = {"cases": cases, "groups": groups, "variable": str(like.name)}
    if not hazards:
        return xr.Dataset(found, coords=coords, attrs=attrs)
    shape = (len(hazards), fitted[0].shape[1])
    brier = np.full((3, *shape), np.nan)
    edges = np.linspace(0, 1, BINS + 1)
    diagram = np.zeros((len(hazards), 3, BINS, 3))
    for hazard in range(shape[0]):
        for lead in range(shape[1]):
            for stage, parts in enumerate(
                (
                    [(t, identity(*_of(t, hazard, lead))) for t in raw],
                    [(t, curves[hazard][lead]) for t in fitted],
                    [
                        (t, held_curves[f][hazard][lead])
                        for f, t in enumerate(apart)
                        if held_curves
                    ],
                )
            ):
                total = sum(float(_of(t, hazard, lead)[0].sum()) for t, _ in parts)
                if not total:
                    continue
                cost = sum(brier_of(c, *_of(t, hazard, lead)) for t, c in parts)
                brier[stage, hazard, lead] = cost / total
                for table, curve in parts:
                    _bin(
                        diagram[hazard, stage], curve, *_of(table, hazard, lead), edges
                    )
    coords |= {"hazard": [str(h) for h in hazards]}
    pairs = diagram[..., 0]
    with np.errstate(invalid="ignore"):
        told, came = diagram[..., 1] / pairs, diagram[..., 2] / pairs
    dims = ("stage", "hazard")
    score = {"units": "1", "long_name": "Brier score"}
    found |= {
        "brier": ((*dims, "lead"), brier[..., :-1], score),
        "window_brier": (dims, brier[..., -1], score),
    }
    rows = ("hazard", "stage", "bin")
    found |= {
        "reliability_forecast": (
            rows,
            told,
            {
                "units": "1",
                "long_name": "mean probability of the bin, of all leads and the window",
            },
        ),
        "reliability_observed": (
            rows,
            came,
            {"units": "1", "long_name": "observed frequency of the bin"},
        ),
        "reliability_count": (
            rows,
            pairs,
            {"units": "1", "long_name": "pixels of the bin"},
        ),
    }
    text = ["; ".join(dict.fromkeys(row)) for row in names]
    found["curve"] = (
        ("hazard",),
        np.array(text),
        {"long_name": "curves of the leads and the window"},
    )
    return xr.Dataset(found, coords=coords, attrs=attrs)


def _of(
    table: Table, hazard: int, lead: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return table[hazard, lead, :, 0], table[hazard, lead, :, 1]


def _bin(
    diagram: NDArray[np.float64],
    curve: NDArray[np.float64],
    pairs: NDArray[np.float64],
    events: NDArray[np.float64],
    edges: NDArray[np.float64],
) -> None:
    place = np.clip(np.searchsorted(edges, curve, side="right") - 1, 0, BINS - 1)
    for slot, values in enumerate((pairs, pairs * curve, events)):
        diagram[:, slot] += np.bincount(place, weights=values, minlength=BINS)
