"""Models of hail in files of JSON, written whole or not at all."""

import datetime as dt
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stormfusion.errors import CheckpointError
from stormfusion.hail.logistic import FEATURES, RAMPS, Calibration, Curves
from stormfusion.hail.neighborhood import VARIABLES
from stormfusion.writing import as_path, replacing

if TYPE_CHECKING:
    from stormfusion.hail.model import HailModel

KIND = "model of hail"
FORMAT = 1


def write(path: str | Path, model: "HailModel") -> Path:
    """Write a model, under a temporary name first."""
    held = {
        "size": model.size,
        "distance": model.distance,
        "window": model.window.total_seconds(),
        "variable": model.variable,
        "interval": model.interval,
        "spacing": list(model.spacing),
        "degrees": None if model.degrees is None else list(model.degrees),
        "intercept": model.curves.intercept,
        "weights": model.curves.weights.tolist(),
        "calibration": [model.calibration.a, model.calibration.b, model.calibration.c],
        "sums": dict(model.sums),
        "counts": dict(model.counts),
        "notes": dict(model.notes),
    }
    whole = {"stormfusion": KIND, "format": FORMAT, "sha256": digest(held), **held}
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(whole, indent=1), encoding="utf-8")
    return as_path(path)


def read(path: str | Path) -> dict[str, Any]:
    """
    What a file holds of a model, as its constructor takes it.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    CheckpointError
        If it is damaged, no model of hail, or comes from a later version.
    """
    path = as_path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {str(path)!r}; check the path")
    wanted = "wanted a model of hail that HailModel.save wrote"
    try:
        held = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise CheckpointError(
            f"{str(path)!r} is no whole file of JSON ({error}), {wanted}; copy it again"
        ) from error
    if not isinstance(held, dict) or held.pop("stormfusion", None) != KIND:
        raise CheckpointError(
            f"{str(path)!r} is a file of something else, {wanted}; check the path"
        )
    if held.pop("format", None) != FORMAT:
        raise CheckpointError(
            f"{str(path)!r} has another format than {FORMAT}, which this version "
            "reads; install the stormfusion that wrote it"
        )
    if held.pop("sha256", None) != digest(held):
        raise CheckpointError(
            f"{str(path)!r} is damaged: what it holds is not what was written; copy it "
            "again"
        )
    try:
        return _arguments(held)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{str(path)!r} lacks a part of a model of hail ({error}); save it again"
        ) from error


def digest(held: dict[str, Any]) -> str:
    """SHA-256 of what a file holds, told in hexadecimal."""
    return hashlib.sha256(json.dumps(held, sort_keys=True).encode()).hexdigest()


def _arguments(held: dict[str, Any]) -> dict[str, Any]:
    weights = np.array(held["weights"], dtype=np.float64)
    if weights.shape != (len(FEATURES), RAMPS) or not (weights >= 0).all():
        raise ValueError(f"weights of the shape {weights.shape}")
    if held["variable"] not in VARIABLES:
        raise ValueError(f"the variable {held['variable']!r}")
    degrees = held["degrees"]
    return {
        "size": float(held["size"]),
        "distance": float(held["distance"]),
        "window": dt.timedelta(seconds=held["window"]),
        "variable": held["variable"],
        "interval": int(held["interval"]),
        "spacing": (float(held["spacing"][0]), float(held["spacing"][1])),
        "degrees": None if degrees is None else (float(degrees[0]), float(degrees[1])),
        "curves": Curves(float(held["intercept"]), weights),
        "calibration": Calibration(*map(float, held["calibration"])),
        "sums": held["sums"],
        "counts": held["counts"],
        "notes": held["notes"],
    }
