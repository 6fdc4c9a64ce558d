"""What hazards compare with a threshold: the forecast itself, or what is made of it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from stormfusion.classical import Rainfall, seconds
from stormfusion.grids import measured
from stormfusion.hail import HailModel
from stormfusion.hazards import HAIL, Hazard, Nearby, Windows
from stormfusion.units import (
    VARIABLES,
    ZRLaw,
    conversion,
    exceeds,
    reflectivity_to_rain_rate,
)

Values = NDArray[np.float32]
Mask = NDArray[np.bool_]
RAINY = ("rain_rate", "rain")
"""Variables that are summed to an accumulation."""


@dataclass(frozen=True)
class Means:
    """
    What hazards of other variables than the forecast's are told by.

    Parameters
    ----------
    law
        By which rain is had from reflectivity, as in `reflectivity_to_rain_rate`.
    hail
        A fitted `HailModel`.
    """

    law: str | ZRLaw | None = None
    hail: HailModel | None = None

    def __post_init__(self) -> None:
        if self.law is not None:
            reflectivity_to_rain_rate(np.zeros(1), law=self.law)
        if self.hail is not None and not isinstance(self.hail, HailModel):
            raise TypeError(
                f"hail is {self.hail!r}, wanted a fitted HailModel; see HailModel.fit"
            )

    def kind(self, hazard: Hazard, variable: str) -> str:
        """How a hazard is told from a forecast of a variable; or why it is not."""
        name = hazard.variable
        rate = variable == "rain_rate" or (
            variable == "reflectivity" and self.law is not None
        )
        if hazard.sums and (rate or variable == "rain"):
            return "sum"
        if name == HAIL and variable == "mesh" and self.hail is not None:
            raise ValueError(
                f"hazard {str(hazard)!r} is read from mesh, the size of hail itself, "
                "and hail= is a model of reports; leave it out"
            )
        if name == variable or (name == HAIL and variable == "mesh"):
            return "own"
        if name == "rain_rate" and rate:
            return "rate"
        if name == HAIL and self.hail is not None and self.hail.variable == variable:
            return "hail"
        raise ValueError(
            f"hazard {str(hazard)!r} speaks of {name}, the forecast is of {variable}; "
            f"{self._advice(hazard, variable, rate)}"
        )

    def _advice(self, hazard: Hazard, variable: str, rate: bool) -> str:
        name = hazard.variable
        if name == HAIL and self.hail is not None:
            return (
                f"the HailModel is of {self.hail.variable!r}, so fit one on {variable}"
            )
        if name == HAIL:
            return (
                f"hail cannot be told from {variable} alone, which has neither the "
                "heights of echoes nor of the melting level; fit a model of the "
                "reports of hail with HailModel.fit(catalog, reports) and pass it as "
                f"hail=, forecast 'mesh', or name a threshold of {variable}"
            )
        if name == "rain" and rate:
            return f"say in what time it falls, such as '{hazard} in 30 min'"
        if name in RAINY and variable == "reflectivity":
            return (
                "rain is had from reflectivity by a law between them, so name it, such "
                "as law='marshall-palmer'"
            )
        if name in RAINY and variable == "vil":
            return (
                "vertically integrated liquid is no rain rate, and no law makes one of "
                "it; name a threshold of vil, or forecast rain_rate"
            )
        return f"name a threshold of {variable}"


def check_hazards(
    hazards: Iterable[Hazard | str], variable: str, means: Means | None = None
) -> tuple[Hazard, ...]:
    """
    The hazards, each to be told from a forecast of a variable.

    A sentence names one that is not. Of hail the hazard is that of the model: of its
    size, in its window, within its distance.
    """
    means = Means() if means is None else means
    found = tuple(Hazard.parse(h) if isinstance(h, str) else h for h in hazards)
    known = []
    for hazard in found:
        if not isinstance(hazard, Hazard):
            raise TypeError(
                f"got {hazard!r} as a hazard, wanted a text such as "
                f"'{variable} >= 12 {VARIABLES[variable].units}', several of them one "
                "after the other; of a list write footprint(*hazards)"
            )
        kind = means.kind(hazard, variable)
        known.append(_of_model(hazard, means.hail) if kind == "hail" else hazard)
    if len(set(map(str, known))) != len(known):
        raise ValueError(f"hazards {list(map(str, known))} name one twice; drop it")
    return tuple(known)


def _of_model(hazard: Hazard, model: HailModel | None) -> Hazard:
    """The hazard that a model of hail tells, if that is the one asked for."""
    assert model is not None
    own = replace(
        hazard, threshold=model.size, window=model.window, distance=model.distance
    )
    asked = (hazard.threshold, hazard.window, hazard.distance)
    told = (own.threshold, own.window, own.distance)
    for one, other in zip(asked, told, strict=True):
        if one is not None and one != other:
            raise ValueError(
                f"hazard {str(hazard)!r} is asked of a HailModel that tells "
                f"{str(own)!r}; ask for that, or fit another model"
            )
    return own


@dataclass(frozen=True, eq=False)
class Group:
    """Hazards of one field and one window: what is known of them is the same."""

    kind: str
    windows: Windows | None
    hazards: tuple[int, ...]
    thresholds: tuple[float, ...]
    nearby: tuple[Nearby | None, ...]

    @property
    def plain(self) -> bool:
        """Whether a pixel is known wherever the forecast is."""
        return self.kind in ("own", "rate") and self.windows is None


class Fields:
    """
    Hazards of a forecast, ready to be looked for in its members.

    Parameters
    ----------
    like
        A forecast with the dimensions (lead, y, x), for its labels.
    hazards
        As `check_hazards` returns them.
    means
        What they are told by.
    initial
        The frame at the start of the forecast, where it is known; see `rainfall`.
    """

    def __init__(
        self,
        like: xr.DataArray,
        hazards: tuple[Hazard, ...],
        means: Means,
        initial: NDArray[Any] | None,
    ) -> None:
        self.like, self.means, self.initial = like, means, initial
        self.variable = str(like.name)
        grouped: dict[tuple[str, timedelta | None], list[int]] = {}
        for number, hazard in enumerate(hazards):
            kind = means.kind(hazard, self.variable)
            window = None if kind == "hail" else hazard.window
            grouped.setdefault((kind, window), []).append(number)
        self.groups = [
            self._group(kind, window, numbers, hazards)
            for (kind, window), numbers in grouped.items()
        ]

    def _group(
        self,
        kind: str,
        window: timedelta | None,
        numbers: list[int],
        hazards: tuple[Hazard, ...],
    ) -> Group:
        chosen = [hazards[number] for number in numbers]
        windows = None
        if window is not None:
            windows = Windows(window, self._ends(str(chosen[0])), str(chosen[0]))
            if kind == "sum":
                self._check_period(windows)
        thresholds, nearby = [], []
        for hazard in chosen:
            units = hazard.units
            if kind == "own":
                units = self.like.attrs.get("units", units)
            scale, offset = conversion(hazard.units, units)
            thresholds.append(scale * hazard.threshold + offset)
            around = None
            if hazard.distance is not None and kind != "hail":
                around = Nearby(measured(self.like), hazard.distance)
            nearby.append(around)
        return Group(kind, windows, tuple(numbers), tuple(thresholds), tuple(nearby))

    def _ends(self, name: str) -> NDArray[np.float64]:
        if "lead" not in self.like.coords:
            raise ValueError(
                f"hazard {name!r} has a window, but the forecast has no lead times; "
                "give it the coordinate lead"
            )
        return seconds(self.like["lead"])

    def _check_period(self, windows: Windows) -> None:
        """Depths of rain add up where each is that of one interval."""
        period = self.like.attrs.get("accutime") if self.variable == "rain" else None
        if period is not None and abs(60 * period - windows.interval) > 1.0:
            raise ValueError(
                f"hazard {windows.name!r} is a sum, and the forecast is of rain in "
                f"{period:g} min every {windows.interval / 60:g} min; select leads "
                "that far apart, or ask without a window"
            )

    @cached_property
    def rainfall(self) -> Rainfall:
        """What sums rain rates over time."""
        initial = self.initial
        if initial is not None and self.variable == "reflectivity":
            initial = self.rate(np.asarray(initial, dtype=np.float32))
        return Rainfall(self._ends("accumulation"), initial=initial)

    @property
    def rains(self) -> bool:
        """Whether the forecast can be summed to an accumulation."""
        law = self.variable == "reflectivity" and self.means.law is not None
        if "lead" not in self.like.coords or not (self.variable in RAINY or law):
            return False
        try:
            ends = self._ends("accumulation")
        except ValueError:
            return False
        period = self.like.attrs.get("accutime") if self.variable == "rain" else None
        steps = np.diff(ends, prepend=0.0)
        return period is None or bool((np.abs(steps - 60 * period) < 1.0).all())

    def rate(self, member: Values) -> Values:
        """Rain rate [mm h-1] of a member."""
        if self.variable == "reflectivity":
            return np.asarray(reflectivity_to_rain_rate(member, law=self.means.law))
        return member

    def depths(self, member: Values) -> Values:
        """What falls in the interval before each lead [mm]."""
        if self.variable == "rain":
            return member
        return self.rainfall(self.rate(member))

    def total(self, member: Values) -> NDArray[np.float64]:
        """What falls from the start to the last lead [mm]."""
        if self.variable == "rain":
            after = self._ends("accumulation") > 0
            return np.asarray(member[after].sum(0, dtype=np.float64))
        return self.rainfall.total(self.rate(member))

    def chances(self, member: Values) -> Values:
        """Chance of a report of hail."""
        assert self.means.hail is not None
        grid, ends = measured(self.like), self._ends("hail")
        steps = np.diff(ends) if ends.size > 1 else ends
        interval = float(steps[0])
        if np.abs(steps - interval).max() > 1.0:
            raise ValueError(
                f"leads are {steps.min() / 60:g} to {steps.max() / 60:g} min apart, "
                "wanted even steps for a HailModel; select some"
            )
        return self.means.hail.chances(
            member, spacing_m=grid.spacing, interval_s=interval
        )


class Reading:
    """One member, and what is made of it, each once."""

    def __init__(self, fields: Fields, member: Values, known: Mask | None) -> None:
        self.fields, self.member, self.known = fields, member, known

    @cached_property
    def depths(self) -> Values:
        """What falls in the interval before each lead [mm]."""
        return self.fields.depths(self.member)

    @property
    def total(self) -> NDArray[np.float64]:
        """What falls from the start to the last lead [mm]."""
        if "depths" in vars(self) and self.fields.variable != "rain":
            return np.asarray(self.depths.sum(0, dtype=np.float64))
        return self.fields.total(self.member)

    def of(self, group: Group) -> tuple[Values, Mask | None]:
        """The field of a group, and where it is known; None for all."""
        windows = group.windows
        if group.kind == "sum":
            assert windows is not None
            values = windows.total(self.depths)
            return values, ~np.isnan(values)
        if group.kind == "hail":
            values = self.fields.chances(self.member)
            missing = np.isnan(values)
            return values, ~missing if missing.any() else None
        values, known = self.member, self.known
        if group.kind == "rate":
            values = self.fields.rate(self.member)
        if windows is not None:
            whole = np.broadcast_to(windows.whole[:, None, None], values.shape)
            known = whole if known is None else whole & ~windows.any(~known)
        return values, known

    def events(
        self, group: Group, values: Values, known: Mask | None
    ) -> "Iterable[NDArray[Any]]":
        """Where each hazard of a group occurs, nothing where it is not known."""
        if group.kind == "hail":
            yield np.nan_to_num(values)
            return
        for threshold, nearby in zip(group.thresholds, group.nearby, strict=True):
            event = np.asarray(exceeds(values, threshold))
            if group.windows is not None and group.kind != "sum":
                event = group.windows.any(event)
            if nearby is not None:
                event = nearby(event)
            if known is not None and (group.windows is not None or nearby is not None):
                event &= known
            yield event
