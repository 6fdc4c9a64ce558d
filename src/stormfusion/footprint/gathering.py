"""Footprints gathered from members, all at once or one by one."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from stormfusion.data.scaling import scaling_for
from stormfusion.footprint.assembling import assemble
from stormfusion.footprint.counting import Counts, Known, Moments
from stormfusion.footprint.fields import Fields, Means, Reading, check_hazards
from stormfusion.footprint.ordering import Histogram, ordered
from stormfusion.footprint.product import Footprint
from stormfusion.hazards import Hazard
from stormfusion.hazards.windows import depth

PERCENTILES = (10.0, 50.0, 90.0)
Values = NDArray[np.float32]


class Accumulator:
    """
    A footprint gathered member by member, in memory that does not grow with them.

    It is gathered once: `finish` uses up what was counted.

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
    by_lead
        Whether each lead has maps of its own, besides those of the window.
    accumulation
        Whether to sum the rain over the window; by default where the variable is rain.
    means
        What hazards of other variables are told by.
    initial
        The frame at the start of the forecast [variable's units], for sums of rain.
    weighted
        Whether members come with weights of their own.
    histograms
        Whether percentiles are gathered here.
    """

    def __init__(
        self,
        like: xr.DataArray,
        hazards: Sequence[Hazard | str],
        *,
        percentiles: Sequence[float] = PERCENTILES,
        by_lead: bool = True,
        accumulation: bool | None = None,
        means: Means | None = None,
        initial: NDArray[Any] | None = None,
        weighted: bool = False,
        histograms: bool = True,
    ) -> None:
        for name, value, others in (
            ("by_lead", by_lead, "True or False"),
            ("accumulation", accumulation, "True, False or None"),
        ):
            known = value is None and name == "accumulation"
            if not isinstance(value, bool | np.bool_) and not known:
                raise TypeError(f"{name} is {value!r}, wanted {others}")
        means = Means() if means is None else means
        self.like = like
        self.hazards = check_hazards(hazards, str(like.name), means)
        self.percentiles = check_percentiles(percentiles)
        self.by_lead, self.weighted = by_lead, weighted
        self.fields = Fields(like, self.hazards, means, initial)
        self.sums = _sums(self.fields, accumulation)
        shape = (like.shape[0], like.shape[1], like.shape[2])
        kind: Any = np.float32 if weighted else np.uint16
        self.members = 0
        self.finished = False
        self.known = Known(shape, kind)
        self.counts = {
            number: Counts(
                shape,
                np.float32 if means.kind(h, str(like.name)) == "hail" else kind,
                by_lead=by_lead,
            )
            for number, h in enumerate(self.hazards)
        }
        self.group_known = [
            self.known if group.plain else Known(shape, kind)
            for group in self.fields.groups
        ]
        self.moments = Moments(shape) if by_lead else None
        self.window_moments = Moments((1, *shape[1:]), spread=False)
        self.rain_known = Known((1, *shape[1:]), kind)
        plane = (1, *shape[1:])
        self.rain = Moments(plane, spread=False) if self.sums else None
        some = bool(self.percentiles) and histograms
        own, rain = scaling_for(str(like.name)), scaling_for("rain")
        self.histogram, self.window_histogram, self.rain_histogram = (
            Histogram(shape_of, scaling, weighted=weighted) if wanted else None
            for wanted, shape_of, scaling in (
                (some and by_lead, shape, own),
                (some, shape[1:], own),
                (some and self.sums, shape[1:], rain),
            )
        )

    def add(self, member: Values, weight: float = 1.0) -> Values | None:
        """
        Gather one member, physical values with the dimensions (lead, y, x).

        Returns its accumulation over the window [mm], if that is gathered. A member
        without weight is none.
        """
        self._check_weight(weight)
        if weight == 0:
            return None
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
        known = _known(member)
        always = None if known is None else np.all(known, axis=0)
        self.known.add(known, always, weight)
        reading = Reading(self.fields, member, known)
        for group, held in zip(self.fields.groups, self.group_known, strict=True):
            values, there = reading.of(group)
            throughout = always
            if not group.plain:
                throughout = None
                if there is not None:
                    whole = slice(None)
                    if group.windows is not None:
                        whole = slice(int(np.argmax(group.windows.whole)), None)
                    throughout = np.all(there[whole], axis=0)
                held.add(there, throughout, weight)
            events = reading.events(group, values, there)
            for number, event in zip(group.hazards, events, strict=True):
                self.counts[number].add(event, throughout, weight)
        self._add_values(member, known, always, weight)
        return self._add_rain(reading, weight) if self.sums else None

    def _check_weight(self, weight: float) -> None:
        if self.finished:
            raise ValueError(
                "the footprint is finished and takes no member; gather another one"
            )
        if not 0 <= weight < np.inf or (weight != 1.0 and not self.weighted):
            wanted = "a finite one, 0 or more" if self.weighted else "1 of all"
            raise ValueError(
                f"member {self.members} has the weight {weight!r}, wanted {wanted}; "
                "for weights pass weighted=True"
            )

    def _add_values(
        self,
        member: Values,
        known: NDArray[np.bool_] | None,
        always: NDArray[np.bool_] | None,
        weight: float,
    ) -> None:
        if self.moments is not None:
            self.moments.add(member, known, weight, self.known.by_lead())
        largest = member.max(axis=0)
        window = self.known.in_window()
        self.window_moments.add(
            largest[None],
            None if always is None else always[None],
            weight,
            window if np.ndim(window) == 0 else window[None],
        )
        if self.histogram is not None:
            self.histogram.add(member, weight)
        if self.window_histogram is not None:
            self.window_histogram.add(largest, weight)

    def _add_rain(self, reading: Reading, weight: float) -> Values:
        total = depth(reading.total).astype(np.float32)
        known = _known(total)
        assert self.rain is not None
        there = None if known is None else known[None]
        self.rain_known.add(there, known, weight)
        self.rain.add(total[None], there, weight, self.rain_known.by_lead())
        if self.rain_histogram is not None:
            self.rain_histogram.add(total, weight)
        return total

    def finish(self, exact: "dict[str, NDArray[Any]] | None" = None) -> Footprint:
        """
        The footprint of the members gathered.

        Parameters
        ----------
        exact
            Percentiles where they were not gathered here, by name.

        Warns
        -----
        UserWarning
            If no pixel is known in half of the members at all leads.
        """
        if self.members < 2:
            noun = "member" if self.members == 1 else "members"
            raise ValueError(
                f"got {self.members} {noun}, wanted 2 or more of some weight for a "
                "footprint; ask a nowcaster for more with members="
            )
        if self.finished:
            raise ValueError("the footprint is finished already; keep what it returned")
        self.finished = True
        made = Footprint(assemble(self, exact))
        if made.dataset["window_mean"].isnull().all():
            warnings.warn(
                "no pixel is known at all leads in half of the members, so that "
                "nothing is said of the window; look at the forecast's missing data",
                UserWarning,
                stacklevel=4,
            )
        return made


def stacked(
    members: xr.DataArray,
    hazards: Sequence[Hazard | str],
    *,
    percentiles: Sequence[float] = PERCENTILES,
    weights: NDArray[Any] | None = None,
    **options: Any,
) -> Footprint:
    """
    A footprint of members that are all in memory; its percentiles are exact.

    Parameters
    ----------
    members
        With the dimensions member, lead, y and x.
    hazards, percentiles
        As in `Accumulator`.
    weights
        Of the members; all alike by default.
    options
        As in `Accumulator`.
    """
    members = members.transpose("member", "lead", "y", "x")
    like = members.isel(member=0, drop=True)
    if weights is not None and not np.all(weights > 0):
        there = np.flatnonzero(weights > 0)
        members, weights = members.isel(member=there), weights[there]
    gathered = Accumulator(
        like,
        hazards,
        percentiles=percentiles,
        weighted=weights is not None,
        histograms=False,
        **options,
    )
    values = members.to_numpy()
    if values.dtype.kind != "f":
        values = values.astype(np.float32)
    shares = np.ones(len(values)) if weights is None else weights
    rain = [
        gathered.add(member, float(weight))
        for member, weight in zip(values, shares, strict=True)
    ]
    if not gathered.percentiles:
        return gathered.finish({})
    found, given = {}, gathered.percentiles
    if gathered.by_lead:
        found["percentile"] = ordered(values, given, weights=weights)
    found["window_percentile"] = ordered(values.max(1), given, weights=weights)
    if gathered.sums:
        totals = np.stack([total for total in rain if total is not None])
        found["accumulation_percentile"] = ordered(totals, given, weights=weights)
    return gathered.finish(found)


def _known(values: NDArray[Any]) -> NDArray[np.bool_] | None:
    """Where values are known; None for everywhere."""
    missing = np.isnan(values)
    return np.logical_not(missing, out=missing) if missing.any() else None


def _sums(fields: Fields, wanted: bool | None) -> bool:
    if wanted is None:
        return fields.rains
    if wanted and not fields.rains:
        raise ValueError(
            f"accumulation is asked of {fields.variable}, wanted rain_rate or rain "
            "with lead times after the start, or reflectivity with law=; leave "
            "accumulation= out"
        )
    return bool(wanted)


def check_percentiles(percentiles: Sequence[float]) -> tuple[float, ...]:
    """Percentiles from 0 to 100, each once, or a sentence."""
    # of a text each letter would be one
    given: Any = (None,) if isinstance(percentiles, str | bytes) else percentiles
    try:
        found = tuple(float(p) for p in given)
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
    if found and min(found) > 0 and max(found) < 1:
        warnings.warn(
            f"percentiles are {found}, all below the first; of shares, such as 0.9, "
            "write 100 times as much",
            UserWarning,
            stacklevel=5,
        )
    return found
