"""Where a footprint comes from, as the texts that go into every file."""

import json
import sys
from datetime import date
from typing import Any

import numpy as np
import xarray as xr

OURS = ("conventions", "title", "history", "source", "comment", "coordinates")
"""Attributes of a file, which say nothing of where its forecast comes from."""


def provenance(dataset: xr.Dataset) -> dict[str, str | int | float]:
    """
    Where a footprint comes from: its attributes, and when its forecast starts.

    Parameters
    ----------
    dataset
        As in `Footprint`.

    Returns
    -------
    dict of str to str, int or float
        The attributes of the dataset, such as `recipe`, `members` and `calibration`,
        as `plain` makes them; `reference_time`, as ISO text in UTC, where it is known;
        and `stormfusion`, the version of this library where the dataset names none.

    Examples
    --------
    >>> start = np.datetime64("2019-06-01", "ns")
    >>> made = xr.Dataset({"mean": ("x", [1.0])}, {"reference_time": start})
    >>> found = provenance(made.assign_attrs(recipe="steps", validated=False))
    >>> found["recipe"], found["validated"], found["reference_time"]
    ('steps', 0, '2019-06-01T00:00:00Z')
    """
    found: dict[str, str | int | float] = {}
    for name, value in dataset.attrs.items():
        text = plain(value)
        if text is not None and str(name).lower() not in OURS:
            found[str(name)] = text
    if "reference_time" in dataset.coords and dataset["reference_time"].ndim == 0:
        found["reference_time"] = moment(dataset["reference_time"].to_numpy())
    found.setdefault("stormfusion", version())
    return found


def version() -> str:
    """
    The version of this library.

    Examples
    --------
    >>> version()[0].isdigit()
    True
    """
    # the package itself stands above this floor, so it is not imported here
    return str(sys.modules["stormfusion"].__version__)


def plain(value: Any) -> str | int | float | None:
    """
    An attribute as text or number, which every format holds; None where it is none.

    Truth becomes 1 or 0, a time ISO text, and what has parts JSON.

    Examples
    --------
    >>> plain(True), plain({"a": 1}), plain(np.float32(0.5)), plain(None)
    (1, '{"a": 1}', 0.5, None)
    """
    if isinstance(value, np.datetime64):
        return moment(value)
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float) and not np.isfinite(value):
        return None if np.isnan(value) else str(value)
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, date):
        return value.isoformat()
    return json.dumps(value, default=str)


def moment(time: Any) -> str:
    """
    A time as ISO text, UTC, to the second; empty where there is none.

    Examples
    --------
    >>> moment(np.datetime64("2019-06-01T12:05", "ns"))
    '2019-06-01T12:05:00Z'
    """
    when = np.asarray(time, dtype="datetime64[ns]")
    return "" if np.isnat(when) else f"{np.datetime_as_string(when, 's')}Z"
