"""What a storm may touch: probabilities, percentiles, mean and spread."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from stormfusion import verification
from stormfusion.data.scaling import Scaling, scaling_for
from stormfusion.hazards import Hazard

BINS = 256
PERCENTILES = (10.0, 50.0, 90.0)


class Footprint:
    """
    What a storm may touch, as a labelled dataset.

    Parameters
    ----------
    dataset
        `probability` and `window_probability` of each hazard [1], `percentile` and
        `window_percentile`, `mean` and `spread` of the variable. Those of the window
        speak of the time from the first to the last lead: the probability that the
        hazard occurs at any lead, and the percentile of each member's maximum.

    Examples
    --------
    >>> from stormfusion import Catalog, Nowcaster
    >>> catalog = Catalog.synthetic(events=3, size=64)
    >>> nowcaster = Nowcaster("persistence").fit(catalog, progress=False)
    >>> footprint = nowcaster.footprint(catalog[0], "vil >= 3.5 kg m-2", members=8)
    >>> footprint.dataset.window_probability.dims
    ('hazard', 'y', 'x')
    """

    def __init__(self, dataset: xr.Dataset) -> None:
        if "probability" not in dataset and "percentile" not in dataset:
            raise ValueError(
                f"a footprint holds probability or percentile, got "
                f"{', '.join(map(str, dataset.data_vars)) or 'no variable'}; make one "
                "with Ensemble.footprint"
            )
        self.dataset = dataset

    @property
    def hazards(self) -> tuple[Hazard, ...]:
        """The hazards, in the order of the dataset."""
        if "hazard" not in self.dataset.coords:
            return ()
        return tuple(Hazard.parse(str(h)) for h in self.dataset["hazard"].values)

    def __repr__(self) -> str:
        names = "; ".join(map(str, self.hazards)) or "no hazard"
        return (
            f"<Footprint of {self.dataset.attrs.get('members', '?')} members: {names}>"
        )

    def plot(self):  # type: ignore[no-untyped-def]
        """Draw the probabilities over the window; returns the figure."""
        from stormfusion import plot

        return plot.footprint(self.dataset)

    def to_netcdf(self, path: str | Path) -> Path:
        """Write CF netCDF, whole or not at all; returns the path."""
        return write_netcdf(self.dataset, path)

    def verify(self, observed: xr.DataArray | xr.Dataset) -> xr.Dataset:
        """
        Score the probabilities against what came.

        Parameters
        ----------
        observed
            The observed variable at the times of the leads, with `lead` or `time`.

        Returns
        -------
        Dataset
            `brier` by hazard and lead and `window_brier` by hazard [1]; a pixel
            missing in forecast or observation is not counted.
        """
        scores = {}
        for hazard in self.hazards:
            truth = at_leads(observed, self.dataset, hazard.variable)
            occurred = hazard.occurs(truth)
            chosen = self.dataset.sel(hazard=str(hazard))
            window = occurred.max("lead", skipna=False)
            scores[str(hazard)] = xr.Dataset(
                {
                    "brier": verification.brier(chosen["probability"], occurred),
                    "window_brier": verification.brier(
                        chosen["window_probability"], window
                    ),
                }
            ).drop_vars(["hazard"], errors="ignore")
        joined = xr.concat(
            list(scores.values()), dim="hazard", coords="minimal", compat="override"
        )
        return joined.assign_coords(hazard=list(scores))


class Accumulator:
    """
    A footprint gathered member by member, in memory that does not grow with them.

    Percentiles come from a histogram of 256 network numbers a pixel and lead: exact
    for VIL, which is stored in as many, and else to half a bin, as the dataset says.

    Parameters
    ----------
    like
        A forecast of the variable with the dimensions (lead, y, x), for its labels.
    hazards
        Whose probabilities to gather.
    percentiles
        Which to give, from 0 to 100.
    """

    def __init__(
        self,
        like: xr.DataArray,
        hazards: Sequence[Hazard],
        *,
        percentiles: Sequence[float] = PERCENTILES,
    ) -> None:
        self.like = like
        self.hazards = check_hazards(hazards, str(like.name))
        self.percentiles = check_percentiles(percentiles)
        self.scaling = scaling_for(str(like.name))
        shape = like.shape
        count = len(self.hazards)
        self.members = 0
        self.over = np.zeros((count, *shape), dtype=np.uint16)
        self.over_window = np.zeros((count, *shape[1:]), dtype=np.uint16)
        self.total = np.zeros(shape)
        self.squares = np.zeros(shape)
        self.histogram = np.zeros((BINS, *shape), dtype=np.uint16)
        self.window_histogram = np.zeros((BINS, *shape[1:]), dtype=np.uint16)
        self.missing = np.zeros(shape, dtype=bool)

    def add(self, member: NDArray[np.float32]) -> None:
        """Gather one member, physical values with the dimensions (lead, y, x)."""
        if self.members == np.iinfo(np.uint16).max:
            raise ValueError(
                f"got more than {self.members} members, the most a footprint counts; "
                "ask for fewer"
            )
        self.members += 1
        missing = np.isnan(member)
        self.missing |= missing
        member = np.where(missing, 0.0, member)
        for number, hazard in enumerate(self.hazards):
            occurs = hazard.occurs(self.like.copy(data=member)).to_numpy() > 0
            self.over[number] += occurs
            self.over_window[number] += occurs.any(axis=0)
        # Welford's recurrence: no difference of large sums
        change = member - self.total
        self.total += change / self.members
        self.squares += change * (member - self.total)
        count(self.histogram, bins(member, self.scaling))
        count(self.window_histogram, bins(member.max(axis=0), self.scaling))

    def finish(self) -> Footprint:
        """The footprint of the members gathered."""
        if self.members < 2:
            raise ValueError(
                f"got {self.members} members, wanted 2 or more; raise members="
            )
        spread = np.sqrt(self.squares / (self.members - 1))
        levels = _physical_levels(self.scaling)
        ranks = [rank(p, self.members) for p in self.percentiles]
        exact = type(self.scaling).__name__ == "VilCode"
        return assemble(
            self.like,
            self.hazards,
            self.percentiles,
            members=self.members,
            probability=self.over / np.float32(self.members),
            window_probability=self.over_window / np.float32(self.members),
            percentile=_from_histogram(self.histogram, ranks, levels),
            window_percentile=_from_histogram(self.window_histogram, ranks, levels),
            mean=self.total,
            spread=spread,
            missing=self.missing,
            note="exact"
            if exact
            else f"to half of 1/{BINS - 1} of the range of the network's numbers",
        )


def stacked(
    members: xr.DataArray,
    hazards: Sequence[Hazard],
    *,
    percentiles: Sequence[float] = PERCENTILES,
) -> Footprint:
    """A footprint of members that are all in memory; its percentiles are exact."""
    members = members.transpose("member", "lead", "y", "x")
    like = members.isel(member=0, drop=True)
    hazards = check_hazards(hazards, str(members.name))
    percentiles = check_percentiles(percentiles)
    count = members.sizes["member"]
    if count < 2:
        raise ValueError(f"got {count} members, wanted 2 or more for a footprint")
    missing = members.isnull().any("member").to_numpy()
    occurs = [hazard.occurs(members).to_numpy() > 0 for hazard in hazards]
    values = members.to_numpy()
    ranks = np.array([rank(p, count) for p in percentiles]) - 1
    ordered = np.sort(values, axis=0)[ranks]
    window = np.sort(values.max(axis=1), axis=0)[ranks]
    shape = (len(hazards), *like.shape)
    return assemble(
        like,
        hazards,
        percentiles,
        members=count,
        probability=np.array([o.mean(0) for o in occurs]).reshape(shape),
        window_probability=np.array([o.any(1).mean(0) for o in occurs]).reshape(
            (len(hazards), *like.shape[1:])
        ),
        percentile=ordered,
        window_percentile=window,
        mean=values.mean(0, dtype=np.float64),
        spread=values.std(0, ddof=1, dtype=np.float64),
        missing=missing,
        note="exact",
    )


def assemble(
    like: xr.DataArray,
    hazards: Sequence[Hazard],
    percentiles: Sequence[float],
    *,
    members: int,
    missing: NDArray[np.bool_],
    note: str,
    **fields: NDArray[Any],
) -> Footprint:
    """The labelled dataset of a footprint's fields, missing pixels NaN."""
    known = {"hazard": [str(h) for h in hazards]}
    known_quantiles = [p / 100.0 for p in percentiles]
    units = like.attrs.get("units", "1")
    name = like.attrs.get("long_name", str(like.name))
    mapping = {k: v for k, v in like.attrs.items() if k == "grid_mapping"}
    plane = ("y", "x")
    described = {
        "probability": (("hazard", "lead", *plane), "1", "probability of the hazard"),
        "window_probability": (
            ("hazard", *plane),
            "1",
            "probability of the hazard at any lead time",
        ),
        "percentile": (("quantile", "lead", *plane), units, f"percentile of {name}"),
        "window_percentile": (
            ("quantile", *plane),
            units,
            f"percentile of the largest {name} of any lead time",
        ),
        "mean": (("lead", *plane), units, f"ensemble mean of {name}"),
        "spread": (("lead", *plane), units, f"ensemble standard deviation of {name}"),
    }
    found = {}
    for key, (dims, unit, text) in described.items():
        if "hazard" in dims and not hazards:
            continue
        hole = missing if "lead" in dims else missing.any(axis=0)
        values = np.where(hole, np.nan, fields[key]).astype(np.float32)
        attrs = {"units": unit, "long_name": text, **mapping}
        found[key] = (dims, values, attrs)
    dataset = xr.Dataset(found, coords=like.coords).assign_coords(
        quantile=known_quantiles
    )
    if hazards:
        dataset = dataset.assign_coords(known)
    dataset["quantile"].attrs = {
        "long_name": "quantile: the least member value that this share of the members "
        "does not exceed"
    }
    attrs = {"variable": str(like.name), "members": members, "percentiles": note}
    return Footprint(dataset.assign_attrs({**like.attrs.get("origin", {}), **attrs}))


def rank(percentile: float, members: int) -> int:
    """
    Which of the ordered members is a percentile, counted from 1.

    Examples
    --------
    >>> rank(50, 4), rank(90, 10), rank(0, 10), rank(100, 10)
    (2, 9, 1, 10)
    """
    return min(max(int(np.ceil(percentile / 100.0 * members - 1e-9)), 1), members)


def bins(values: NDArray[np.float32], scaling: Scaling) -> NDArray[np.int64]:
    """Bin of each physical value; dry has one of its own."""
    number = scaling.normalize(values.astype(np.float32)) * (BINS - 1)
    return np.asarray(np.rint(number).clip(0, BINS - 1).astype(np.int64))


def count(histogram: NDArray[np.uint16], chosen: NDArray[np.int64]) -> None:
    """Add one to the chosen bin of every pixel."""
    flat = histogram.reshape(BINS, -1)
    flat[chosen.ravel(), np.arange(chosen.size)] += 1


def check_hazards(hazards: Iterable[Hazard | str], variable: str) -> tuple[Hazard, ...]:
    """The hazards, each of this variable; a sentence names one that is not."""
    found = tuple(Hazard.parse(h) if isinstance(h, str) else h for h in hazards)
    for hazard in found:
        if hazard.variable != variable:
            raise ValueError(
                f"hazard {str(hazard)!r} speaks of {hazard.variable}, the forecast is "
                f"of {variable}; name a threshold of {variable}"
            )
    if len(set(map(str, found))) != len(found):
        raise ValueError(f"hazards {list(map(str, found))} name one twice; drop it")
    return found


def check_percentiles(percentiles: Sequence[float]) -> tuple[float, ...]:
    """Percentiles from 0 to 100, or a sentence."""
    found = tuple(float(p) for p in percentiles)
    for percentile in found:
        if not 0 <= percentile <= 100:
            raise ValueError(f"percentile {percentile} is not from 0 to 100")
    return found


def at_leads(
    observed: xr.DataArray | xr.Dataset, forecast: xr.Dataset | xr.DataArray, name: str
) -> xr.DataArray:
    """The observation at a forecast's valid times, with its leads."""
    array = observed[name] if isinstance(observed, xr.Dataset) else observed
    if "lead" in array.dims:
        return array
    if "time" not in array.dims:
        raise ValueError(
            f"observed has dimensions {array.dims}, wanted lead or time; give the "
            "frames that follow the reference time"
        )
    wanted = forecast["time"].to_numpy()
    absent = ~np.isin(wanted, array["time"].to_numpy())
    if absent.any():
        raise ValueError(
            f"observed has no frame at {wanted[absent][0]}, which is forecast; give "
            f"all frames from {wanted[0]} to {wanted[-1]}"
        )
    chosen = array.sel(time=wanted).drop_vars("time").rename(time="lead")
    return chosen.assign_coords(lead=forecast["lead"].to_numpy())


def write_netcdf(dataset: xr.Dataset, path: str | Path) -> Path:
    """Write a dataset under a temporary name and rename it."""
    path = Path(path).expanduser()
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"folder {str(path.parent)!r} does not exist; make it first"
        )
    temporary = path.with_name(f".{path.name}.{uuid4().hex[:8]}")
    packed = {
        name: {"zlib": True, "complevel": 1}
        for name, variable in dataset.data_vars.items()
        if variable.dtype.kind == "f" and variable.ndim >= 2
    }
    try:
        dataset.to_netcdf(temporary, engine="h5netcdf", encoding=packed)
        os.replace(temporary, path)  # noqa: PTH105  # the one atomic rename there is
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _physical_levels(scaling: Scaling) -> NDArray[np.float32]:
    numbers = (np.arange(BINS) / (BINS - 1)).astype(np.float32)
    return np.asarray(scaling.denormalize(numbers), dtype=np.float32)


def _from_histogram(
    histogram: NDArray[np.uint16], ranks: Sequence[int], levels: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The level at which as many members as a rank are reached, pixel by pixel."""
    shape = histogram.shape[1:]
    flat = histogram.reshape(BINS, -1)
    found = np.zeros((len(ranks), flat.shape[1]), dtype=np.float32)
    step = 2**15  # pixels at a time, so that the running counts stay in the cache
    for start in range(0, flat.shape[1], step):
        reached = flat[:, start : start + step].cumsum(axis=0, dtype=np.uint16)
        for number, wanted in enumerate(ranks):
            level = (reached < wanted).sum(axis=0)
            found[number, start : start + step] = levels[level]
    return found.reshape(len(ranks), *shape)
