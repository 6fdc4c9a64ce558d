"""Footprints gathered from members, all at once or one by one."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from stormfusion.data.scaling import Linear, Scaling, VilCode, scaling_for
from stormfusion.footprint.product import Footprint
from stormfusion.hazards import Hazard
from stormfusion.units import VARIABLES, conversion, exceeds

BINS = 256
KNOWN = 0.5
"""Share of the members that know a pixel without which nothing is said of it."""
PERCENTILES = (10.0, 50.0, 90.0)


class Accumulator:
    """
    A footprint gathered member by member, in memory that does not grow with them.

    A pixel counts in the members that know it; where fewer than half of them do, or for
    the window know it at all leads, it is missing. Percentiles come from a histogram of
    256 values a pixel and lead: exact for VIL, which is stored in as many, and else the
    nearest of them, as the dataset says.

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
        scaling = scaling_for(str(like.name))
        shape, plane = like.shape, like.shape[1:]
        self.members = 0
        self.over = np.zeros((len(self.hazards), *shape), dtype=np.uint16)
        self.over_window = np.zeros((len(self.hazards), *plane), dtype=np.uint16)
        some = bool(self.percentiles)
        self.histogram = Histogram(shape if some else (0,), scaling)
        self.window_histogram = Histogram(plane if some else (0,), scaling)
        self.total = np.zeros(shape)
        self.squares = np.zeros(shape)
        self.known = np.zeros(shape, dtype=np.uint16)
        self.known_window = np.zeros(plane, dtype=np.uint16)
        self._thresholds = [_threshold(hazard, like) for hazard in self.hazards]

    def add(self, member: NDArray[np.float32]) -> None:
        """Gather one member, physical values with the dimensions (lead, y, x)."""
        if self.members == np.iinfo(np.uint16).max:
            raise ValueError(
                f"got more than {self.members} members, the most a footprint counts; "
                "ask for fewer"
            )
        if member.shape != self.like.shape:
            raise ValueError(
                f"member {self.members} has the shape {member.shape}, wanted that of "
                f"the forecast, {self.like.shape}"
            )
        self.members += 1
        known = ~np.isnan(member)
        always = known.all(axis=0)
        self.known += known
        self.known_window += always
        for number, threshold in enumerate(self._thresholds):
            occurs = np.asarray(exceeds(member, threshold))
            self.over[number] += occurs
            self.over_window[number] += occurs.any(axis=0) & always
        # from the value of the first bin, which most pixels have
        change = member.astype(np.float64) - self.histogram.lowest
        change[~known] = 0.0
        self.total += change
        self.squares += change * change
        if self.percentiles:
            self.histogram.add(member)
            self.window_histogram.add(member.max(axis=0))

    def finish(self) -> Footprint:
        """The footprint of the members gathered."""
        if self.members < 2:
            raise ValueError(
                f"got {self.members} members, wanted 2 or more; raise members="
            )
        known, window = np.maximum(self.known, 1), np.maximum(self.known_window, 1)
        mean = self.total / known
        excess = self.squares - self.total * mean
        excess[excess < 1e-12 * self.squares] = 0.0  # members that are all equal
        return assemble(
            self.like,
            self.hazards,
            self.percentiles,
            members=self.members,
            known=self.known,
            known_window=self.known_window,
            probability=self.over / known.astype(np.float32),
            window_probability=self.over_window / window.astype(np.float32),
            percentile=self.histogram.ordered(self.percentiles, self.known),
            window_percentile=self.window_histogram.ordered(
                self.percentiles, self.known_window
            ),
            mean=mean + self.histogram.lowest,
            spread=np.sqrt(excess / np.maximum(known - 1.0, 1.0)),
            note=self.histogram.note(str(self.like.attrs.get("units", ""))),
        )


class Histogram:
    """
    How often each of 256 values came at each pixel.

    The first of them is not counted: it is what the other 255 leave of the members. So
    where it never rains the table is never written, and takes no memory.

    Parameters
    ----------
    shape
        Of the fields that are counted.
    scaling
        Of their variable; the values are evenly spaced in the network's numbers.
    """

    def __init__(self, shape: tuple[int, ...], scaling: Scaling) -> None:
        self.shape = shape
        self.scaling = scaling
        self.bounds = (0.0, 1.0) if isinstance(scaling, VilCode) else (0.0, 1.25)
        if isinstance(scaling, Linear):
            self.bounds = (-0.5, 1.25)
        numbers = np.linspace(*self.bounds, BINS, dtype=np.float32)
        self.levels = np.asarray(scaling.denormalize(numbers), dtype=np.float32)
        self.lowest = float(self.levels[0])
        pixels = int(np.prod(shape))
        # untouched, both take no memory: few values come more than 255 times
        self.counts, self.over = (self._table(pixels) for _ in range(2))
        self.met = np.zeros(pixels, dtype=bool)
        self.members = 0

    def add(self, values: NDArray[np.float32]) -> None:
        """Count one field; a missing value is not counted."""
        self.members += 1
        values = values.ravel()
        chosen = np.flatnonzero((values != self.levels[0]) & ~np.isnan(values))
        bins = self.bins(values[chosen])
        chosen, bins = chosen[bins > 0], bins[bins > 0]
        self.met[chosen] = True
        place, counts = chosen * BINS + bins, self.counts.reshape(-1)
        counts[place] += 1
        if self.members > np.iinfo(np.uint8).max:
            self.over.reshape(-1)[place[counts[place] == 0]] += 1

    def _table(self, pixels: int) -> NDArray[np.uint8]:
        try:
            return np.zeros((pixels, BINS), dtype=np.uint8)
        except MemoryError as error:
            raise MemoryError(
                f"percentiles of {' x '.join(map(str, self.shape))} pixels need "
                f"{pixels * BINS / 1e9:.0f} GB, more than there is; ask for "
                "percentiles=(), or for a part of the domain or fewer leads"
            ) from error

    def bins(self, values: NDArray[np.float32]) -> NDArray[np.int64]:
        """Number of the value that is nearest to each, in the network's numbers."""
        low, high = self.bounds
        number = (self.scaling.normalize(values) - low) * ((BINS - 1) / (high - low))
        return np.asarray(np.rint(number).clip(0, BINS - 1).astype(np.int64))

    def ordered(
        self, percentiles: Sequence[float], known: NDArray[np.uint16]
    ) -> NDArray[np.float32]:
        """The value that a share of the members that know a pixel do not exceed."""
        found = np.full((len(percentiles), self.met.size), self.levels[0])
        pixels = np.flatnonzero(self.met)
        for part in np.array_split(pixels, pixels.size // 2**13 + 1):
            counts = self.counts[part].astype(np.uint16)
            if self.members > np.iinfo(np.uint8).max:
                counts += np.uint16(256) * self.over[part]
            members = known.ravel()[part]
            counts[:, 0] = members - counts[:, 1:].sum(axis=1)
            reached = counts.cumsum(axis=1, dtype=np.uint16)
            for number, percentile in enumerate(percentiles):
                wanted = rank(percentile, members)[:, None]
                bins = (reached < wanted).sum(axis=1).clip(max=BINS - 1)
                found[number, part] = self.levels[bins]
        return found.reshape(len(percentiles), *self.shape)

    def note(self, units: str) -> str:
        """How exact the percentiles are."""
        if isinstance(self.scaling, VilCode):
            return "exact"
        ends = f"{self.levels[0]:.4g} to {self.levels[-1]:.4g} {units}".rstrip()
        return f"the nearest of {BINS} values from {ends}"


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
    values = members.to_numpy()
    there = ~np.isnan(values)
    known, always = there.sum(0), there.all(1)
    known_window = always.sum(0)
    one, one_window = np.maximum(known, 1), np.maximum(known_window, 1)
    occurs = [hazard.occurs(members).to_numpy() > 0 for hazard in hazards]
    ever = [o.any(1) & always for o in occurs]
    shape = (len(hazards), *like.shape)
    mean = np.where(there, values, 0.0).sum(0, dtype=np.float64) / one
    off = np.where(there, values - mean, 0.0)
    return assemble(
        like,
        hazards,
        percentiles,
        members=count,
        known=known,
        known_window=known_window,
        probability=np.array([o.sum(0) / one for o in occurs]).reshape(shape),
        window_probability=np.array([o.sum(0) / one_window for o in ever]).reshape(
            (len(hazards), *like.shape[1:])
        ),
        percentile=ordered(values, percentiles),
        window_percentile=ordered(values.max(axis=1), percentiles),
        mean=mean,
        spread=np.sqrt((off**2).sum(0) / np.maximum(one - 1, 1)),
        note="exact",
    )


def ordered(
    values: NDArray[np.floating[Any]], percentiles: Sequence[float]
) -> NDArray[np.floating[Any]]:
    """Percentiles over the first axis, of those that are not NaN."""
    known = (~np.isnan(values)).sum(0)
    values = np.sort(values, axis=0)  # what is NaN, last
    found = [
        np.take_along_axis(values, (rank(p, known) - 1)[None], 0)[0]
        for p in percentiles
    ]
    return np.array(found).reshape(len(percentiles), *values.shape[1:])


def assemble(
    like: xr.DataArray,
    hazards: Sequence[Hazard],
    percentiles: Sequence[float],
    *,
    members: int,
    known: NDArray[np.integer[Any]],
    known_window: NDArray[np.integer[Any]],
    note: str,
    **fields: NDArray[Any],
) -> Footprint:
    """The labelled dataset of a footprint's fields, NaN where few members know."""
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
        if ("hazard" in dims and not hazards) or (
            "quantile" in dims and not percentiles
        ):
            continue
        enough = 2 if key == "spread" else 1
        there = known if "lead" in dims else known_window
        hole = there < max(KNOWN * members, enough)
        values = np.where(hole, np.nan, fields[key]).astype(np.float32)
        attrs = {"units": unit, "long_name": text, **mapping}
        found[key] = (dims, values, attrs)
    share = (known / members).astype(np.float32)
    text = "share of the members that know the pixel"
    attrs = {"units": "1", "long_name": text, **mapping}
    found["known"] = (("lead", *plane), share, attrs)
    dataset = xr.Dataset(found, coords=like.coords)
    if hazards:
        dataset = dataset.assign_coords(hazard=[str(h) for h in hazards])
    if percentiles:
        dataset = dataset.assign_coords(quantile=[p / 100.0 for p in percentiles])
        dataset["quantile"].attrs = {
            "long_name": "quantile: the least member value that this share of the "
            "members does not exceed"
        }
    attrs = {"variable": str(like.name), "members": members, "percentiles": note}
    return Footprint(dataset.assign_attrs({**like.attrs.get("origin", {}), **attrs}))


def rank(percentile: float, members: Any) -> Any:
    """
    Which of the ordered members is a percentile, counted from 1.

    Examples
    --------
    >>> [int(rank(*given)) for given in ((50, 4), (90, 10), (0, 10), (100, 10))]
    [2, 9, 1, 10]
    """
    wanted = np.ceil(percentile / 100.0 * members - 1e-9)
    return np.clip(wanted, 1, np.maximum(members, 1)).astype(int)


def check_hazards(hazards: Iterable[Hazard | str], variable: str) -> tuple[Hazard, ...]:
    """The hazards, each of this variable; a sentence names one that is not."""
    found = tuple(Hazard.parse(h) if isinstance(h, str) else h for h in hazards)
    for hazard in found:
        if not isinstance(hazard, Hazard):
            raise TypeError(
                f"got {hazard!r} as a hazard, wanted a text such as "
                f"'{variable} >= 12 {VARIABLES[variable].units}', several of them one "
                "after the other; of a list write footprint(*hazards)"
            )
        if hazard.variable != variable:
            raise ValueError(
                f"hazard {str(hazard)!r} speaks of {hazard.variable}, the forecast is "
                f"of {variable}; name a threshold of {variable}"
            )
    if len(set(map(str, found))) != len(found):
        raise ValueError(f"hazards {list(map(str, found))} name one twice; drop it")
    return found


def check_percentiles(percentiles: Sequence[float]) -> tuple[float, ...]:
    """Percentiles from 0 to 100, each once, or a sentence."""
    try:
        found = tuple(float(p) for p in percentiles)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"percentiles are {percentiles!r}, wanted numbers from 0 to 100, such as "
            "(10, 50, 90)"
        ) from error
    for percentile in found:
        if not 0 <= percentile <= 100 or found.count(percentile) > 1:
            raise ValueError(
                f"percentiles are {found}, wanted numbers from 0 to 100, each once"
            )
    return found


def _threshold(hazard: Hazard, like: xr.DataArray) -> float:
    """The threshold in the units that a forecast has."""
    scale, offset = conversion(hazard.units, like.attrs.get("units", hazard.units))
    return scale * hazard.threshold + offset
