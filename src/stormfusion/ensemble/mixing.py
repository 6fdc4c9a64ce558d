"""Ensembles of several nowcasters as one."""

import warnings
from collections.abc import Sequence

import numpy as np
import xarray as xr

from stormfusion.errors import GridMismatchError
from stormfusion.grids import PROJECTION_KEYS, Grid, projection_of, title


def mixed(
    datasets: Sequence[xr.Dataset],
    variables: Sequence[str],
    weights: Sequence[float] | None,
) -> xr.Dataset:
    """
    One dataset of the members of several, with their weights.

    Parameters
    ----------
    datasets
        Of ensembles, each with `member`, `lead`, `y` and `x`.
    variables
        The variable of each.
    weights
        Of each ensemble as a whole, shared by its members; by default each member
        weighs the same.
    """
    name = variables[0]
    if len(set(variables)) > 1:
        raise ValueError(
            f"ensembles are of {', '.join(variables)}, wanted one variable; convert "
            "them to the same"
        )
    shares = _shares([d.sizes["member"] for d in datasets], weights)
    first = datasets[0][name]
    parts = []
    for number, dataset in enumerate(datasets):
        values = dataset[name]
        _check_same(first, values, number)
        # weights that members already have stay in proportion
        own = np.ones(values.sizes["member"])
        if "weight" in dataset.coords:
            own = dataset["weight"].to_numpy().astype(np.float64)
        source = str(dataset.attrs.get("recipe", f"ensemble {number}"))
        origin = [source] * own.size
        if "source" in dataset.coords:
            origin = [str(text) for text in dataset["source"].values]
        labels = {
            "weight": ("member", shares[number] * own / own.sum()),
            "source": ("member", origin),
        }
        kept = values.drop_vars(["weight", "source", "member"], errors="ignore")
        like = {dim: first[dim] for dim in ("lead", "y", "x") if dim in first.coords}
        parts.append(kept.assign_coords({**like, **labels}))
    joined = xr.concat(
        parts,
        "member",
        coords="minimal",
        compat="override",
        join="override",
        combine_attrs="override",
    )
    made = joined.assign_coords(member=np.arange(joined.sizes["member"])).to_dataset()
    made["weight"].attrs = {"units": "1", "long_name": "weight of the member"}
    # what the first does not tell and another does
    lent = {
        label: dataset[name].coords[label].variable
        for dataset in reversed(datasets)
        for label in ("crs", "reference_time", "time")
        if label in dataset[name].coords
    }
    made = made.assign_coords({k: v for k, v in lent.items() if k not in made.coords})
    if "crs" in made.coords:
        made[name].attrs["grid_mapping"] = "crs"
    frame = _initial(datasets)
    if frame is not None:
        made["initial"] = ("y", "x"), frame.to_numpy(), frame.attrs
    recipes = dict.fromkeys(map(str, made["source"].values))
    attrs = {"recipe": " and ".join(recipes)}
    for key in dict.fromkeys(str(k) for d in datasets for k in d.attrs):
        if key not in ("recipe", "calibration"):
            told = [str(d.attrs[key]) for d in datasets if key in d.attrs]
            # projections that are the same may be written in different ways
            once = told[:1] if key in PROJECTION_KEYS else dict.fromkeys(told)
            attrs[key] = "; ".join(once)
    attrs["calibration"] = _calibration(datasets)
    return made.assign_attrs(attrs)


def _initial(datasets: Sequence[xr.Dataset]) -> xr.DataArray | None:
    """The frame at the start, of the first that has it."""
    frames = [d["initial"].transpose("y", "x") for d in datasets if "initial" in d]
    if not frames:
        return None
    first = frames[0].to_numpy()
    if not all(
        np.allclose(first, frame.to_numpy(), rtol=1e-3, atol=1e-3, equal_nan=True)
        for frame in frames[1:]
    ):
        warnings.warn(
            "the ensembles differ in initial, the frame at their start, and rain is "
            "summed from that of the first; make them from the same frames",
            UserWarning,
            stacklevel=4,
        )
    return frames[0]


def _calibration(datasets: Sequence[xr.Dataset]) -> str:
    """How the members of each are calibrated, and how many they are."""
    told = [str(d.attrs.get("calibration", "none")) for d in datasets]
    if len(set(told)) == 1:
        return told[0]
    sizes = [d.sizes["member"] for d in datasets]
    return " | ".join(
        f"{n} members: {text}" for n, text in zip(sizes, told, strict=True)
    )


def _shares(sizes: Sequence[int], weights: Sequence[float] | None) -> list[float]:
    """The weight of each ensemble, their sum one."""
    given = list(map(float, sizes)) if weights is None else weights
    try:
        found = [float(weight) for weight in given]
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"weights are {weights!r}, wanted a number for each ensemble, such as "
            "(0.7, 0.3)"
        ) from error
    if len(found) != len(sizes):
        raise ValueError(
            f"got {len(found)} weights for {len(sizes)} ensembles, wanted one for each"
        )
    total = sum(found)
    if not (all(w >= 0 for w in found) and 0 < total < np.inf):
        raise ValueError(
            f"weights are {found}, wanted finite ones, 0 or more, and not all of them 0"
        )
    return [weight / total for weight in found]


def _check_same(first: xr.DataArray, other: xr.DataArray, number: int) -> None:
    """Members must be of the same times and pixels."""
    for dim in ("lead", "y", "x"):
        if first.sizes[dim] != other.sizes[dim]:
            raise GridMismatchError(
                f"ensembles 0 and {number} differ in {dim} ({first.sizes[dim]} and "
                f"{other.sizes[dim]} points); select or regrid one of them"
            )
        if (dim in first.coords) != (dim in other.coords):
            raise GridMismatchError(
                f"of ensembles 0 and {number} one has no coordinate {dim}; give it one"
            )
    if "lead" in first.coords and not first.indexes["lead"].equals(
        other.indexes["lead"]
    ):
        raise GridMismatchError(
            f"ensembles 0 and {number} differ in their lead times; select those that "
            "both have"
        )
    if "y" in first.coords and "x" in first.coords and not _same_places(first, other):
        one, two = (title(projection_of(array)) for array in (first, other))
        told = "" if one == two else f" (projections {one} and {two})"
        raise GridMismatchError(
            f"ensembles 0 and {number} lie on different grids{told}, or their rows run "
            "another way; regrid or sort one of them"
        )
    for name in ("reference_time", "time"):
        if name in first.coords and name in other.coords:
            a, b = first[name].to_numpy(), other[name].to_numpy()
            if not np.array_equal(a, b):
                a, b = (np.atleast_1d(times)[0] for times in (a, b))
                raise GridMismatchError(
                    f"ensembles 0 and {number} are of {a} and {b}, wanted one "
                    f"{name}; make both from the same frames"
                )


def _same_places(first: xr.DataArray, other: xr.DataArray) -> bool:
    """Whether rows and columns are the same, also of one row or column."""
    if min(first.sizes["y"], first.sizes["x"]) > 1:
        return Grid.of(first).same_as(Grid.of(other))
    return all(
        np.allclose(first[dim], other[dim], rtol=1e-9, atol=0.0) for dim in ("y", "x")
    )
