"""What a trade-off is drawn from: skill and sharpness of each point."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import xarray as xr

from stormfusion.plot import canvas, coords, series
from stormfusion.plot.units import bracketed

Floats: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]

HIGH = ("csi", "pod", "success_ratio", "hss", "ets", "pss", "fss", "correlation")
"""Scores that are better the higher they are."""

LOW = ("crps", "mse", "rmse", "mae", "lpips", "perceptual", "far", "pofd", "brier")
"""Scores that are better the lower they are."""

SHARP = {
    "perceptual": "perceptual distance",
    "lpips": "LPIPS",
    "spectrum_ratio": "small-scale power, share of the observed",
}
"""Measures of sharpness, in words."""


def gathered(
    dataset: Any, *, skill: str, sharpness: str, threshold: Any, lead: Any
) -> xr.Dataset:
    """Give skill and sharpness on point, lead and threshold, as asked for."""
    for name, known, role in (
        (skill, HIGH + LOW, "skill"),
        (sharpness, tuple(SHARP), "sharpness"),
    ):
        canvas.wanted(name, str, role=role, hint=f"a name such as {known[0]!r}")
        if name not in known:
            raise ValueError(
                f"{name!r} is no measure of {role} whose better side is known; choose "
                f"one of {', '.join(known)}"
            )
    if skill == sharpness:
        raise ValueError(f"skill and sharpness are both {skill!r}; choose two measures")
    if isinstance(dataset, Mapping) and not isinstance(dataset, xr.Dataset):
        runs = {}
        for name, each in dataset.items():
            canvas.wanted(name, str, role="the name of a run", hint="words")
            role = f"run {name!r}"
            whole = _scores(each, skill, sharpness, role=role)
            runs[name] = _chosen(whole, threshold=threshold, lead=lead, role=role)
        return _joined(runs)
    whole = _scores(dataset, skill, sharpness, role="the dataset")
    return _chosen(whole, threshold=threshold, lead=lead, role="the dataset")


def placed(some: xr.Dataset) -> tuple[Floats, Floats]:
    """
    Give rows of sharpness and skill, NaN where undefined, and the leads [min] used.

    A point is the mean over the leads at which all points are defined that are defined
    anywhere: a lead that only some have would favour or harm them.
    """
    order = [dim for dim in ("point", "lead") if dim in some.dims]
    both = [some[key].transpose(*order).values for key in ("sharpness", "skill")]
    known = np.isfinite(both[0]) & np.isfinite(both[1])
    leads = np.empty(0)
    if "lead" in some.dims:
        alive = known.any(axis=1)
        used = known[alive].all(axis=0) & alive.any()
        leads = coords.minutes(some["lead"])[used]
        known = alive & used.any()
        both = [
            np.where(used, values, 0.0).sum(axis=1) / max(used.sum(), 1)
            for values in both
        ]
    return np.where(known[:, None], np.stack(both, axis=1), np.nan), leads


def lead_words(used: Floats, every: Floats) -> str:
    """Name the leads used [min], of every lead there is."""
    if used.size < 2:
        return "".join(f"lead {value:g} min" for value in used)
    low, high = used.min(), used.max()
    if ((every >= low) & (every <= high)).sum() == used.size:
        return f"leads {low:g} to {high:g} min"
    if used.size > 4:
        return f"{used.size} leads from {low:g} to {high:g} min"
    *first, last = (f"{value:g}" for value in np.sort(used))
    return f"leads {', '.join(first)} and {last} min"


def _joined(runs: dict[str, xr.Dataset]) -> xr.Dataset:
    """Line up the first forecasts of all runs, and what else there is, once."""
    if not runs:
        raise ValueError("dataset is an empty mapping; give at least one run by name")
    first = next(iter(runs))
    parts: list[xr.Dataset] = []
    others: dict[str, list[tuple[str, xr.Dataset]]] = {}
    for name, found in runs.items():
        if "weight" in found.coords:
            raise ValueError(
                f"run {name!r} is a sweep of weights, wanted scores on forecast; draw "
                "the sweep by itself"
            )
        for dim in ("lead", "threshold"):
            mine, its = (_values(runs[each], dim) for each in (name, first))
            if not np.array_equal(mine, its):
                raise ValueError(
                    f"runs {first!r} and {name!r} have not the same {dim}; choose what "
                    f"they share with {dim}="
                )
        parts.append(found.isel(point=[0]).assign_coords(point=[name]))
        for place, label in enumerate(map(str, found["point"].values[1:]), start=1):
            part, same = found.isel(point=[place]), others.setdefault(label, [])
            if not any(part.broadcast_equals(known) for _, known in same):
                same.append((name, part))
    for label, same in others.items():
        for name, part in same:
            whose = label if len(same) == 1 else f"{label} ({name})"
            parts.append(part.assign_coords(point=[whose]))
    return xr.concat(parts, "point", join="override", combine_attrs="override")


def _scores(dataset: Any, skill: str, sharpness: str, *, role: str) -> xr.Dataset:
    hint = (
        "an xarray.Dataset of scores, or several by name; give what Nowcaster.tune or "
        "Nowcaster.evaluate returns"
    )
    canvas.wanted(dataset, xr.Dataset, role=role, hint=hint)
    for name, known in ((skill, HIGH + LOW), (sharpness, tuple(SHARP))):
        if name not in dataset:
            held = [other for other in known if other in dataset]
            hint = f"choose one of {held}" if held else f"score it anew with {known[0]}"
            raise ValueError(f"{role} holds no {name!r}; {hint}")
    group = "weight" if "weight" in dataset[skill].coords else "forecast"
    both = xr.Dataset()
    for key, name in (("skill", skill), ("sharpness", sharpness)):
        array = coords.labelled(dataset[name], role=name)
        if "wavelength" in array.dims:
            raise ValueError(
                f"{name} is given by wavelength, but a point has one; choose one with "
                ".isel(wavelength=0), or pool them with .mean('wavelength')"
            )
        dims = (group, "lead", "threshold") if key == "skill" else (group, "lead")
        if array.dims:
            series.check_dims(array, dims, needed=array.dims[0])
        kept = [dim for dim in (group, "lead", "threshold") if dim in array.coords]
        both[key] = (
            array.astype(float)
            .reset_coords(drop=True)
            .assign_coords({dim: array[dim] for dim in kept})
        )
        both[key].attrs = {"words": _words(array)}
    for dim in (group, "lead"):
        if (dim in both["skill"].dims) != (dim in both["sharpness"].dims):
            raise ValueError(
                f"only one of {skill} and {sharpness} is given by {dim}; give both so, "
                "or neither"
            )
    both = both.expand_dims(
        [
            d
            for d in (group, "lead", "threshold")
            if d in both.coords and d not in both.dims
        ]
    )
    if group not in both.dims:
        both = both.expand_dims({group: ["forecast"]})
    empty = [str(dim) for dim, size in both.sizes.items() if not size]
    if empty:
        raise ValueError(f"{role} has no {empty[0]}; give scores of at least one")
    both.attrs = dataset.attrs
    if group == "forecast":
        return both.rename(forecast="point")
    both = both.sortby("weight")
    return both.rename_dims(weight="point").assign_coords(
        point=[weight_words(weight) for weight in both["weight"].values]
    )


def weight_words(weight: float) -> str:
    """Write a weight in few digits, without an exponent."""
    return np.format_float_positional(
        float(weight), precision=3, fractional=False, trim="-"
    )


def _chosen(found: xr.Dataset, *, threshold: Any, lead: Any, role: str) -> xr.Dataset:
    for dim, asked in (("threshold", threshold), ("lead", lead)):
        if asked is not None and dim not in found.coords:
            raise ValueError(f"{role} has no {dim} to choose; leave {dim}= out")
    if threshold is not None:
        asked = np.atleast_1d(threshold).ravel().tolist()
        if not asked:
            raise ValueError("threshold is empty; name at least one, or leave it out")
        places = [_place(found["threshold"], value, role=role) for value in asked]
        found = found.isel(threshold=list(dict.fromkeys(places)))
    if lead is not None:
        timed = isinstance(lead, bool | np.timedelta64)  # which are numbers too
        number = isinstance(lead, int | float | np.number) and not timed
        if number and np.isfinite(lead):
            lead = pd.Timedelta(minutes=float(lead))
        picked = coords.at_lead(found["lead"], lead, role=role)
        found = found.isel(lead=found["lead"].values == picked.values)
    return found


def _place(coordinate: xr.DataArray, value: Any, *, role: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError(
            f"threshold is {value!r}, wanted a number or words; name one that the "
            "scores have"
        )
    known = coordinate.values
    if isinstance(value, int | float) and known.dtype.kind in "iuf":
        match = np.isclose(known, value, rtol=1e-6, atol=0.0)
    else:
        match = np.array([each == value for each in known.tolist()])
    if not match.any():
        shown = ", ".join(
            f"{each:.6g}" if isinstance(each, int | float) else repr(each)
            for each in known.tolist()
        )
        raise ValueError(f"{role} has no threshold {value!r}; choose from {shown}")
    return int(np.argmax(match))


def _values(found: xr.Dataset, dim: str) -> Any:
    return found[dim].values if dim in found.coords else found.sizes.get(dim)


def _words(array: xr.DataArray) -> str:
    name = str(array.name)
    short = SHARP.get(name, name.upper() if len(name) < 5 else name)
    words = str(array.attrs.get("long_name", short.replace("_", " ")))
    return bracketed(words, str(array.attrs.get("units", "1")))
