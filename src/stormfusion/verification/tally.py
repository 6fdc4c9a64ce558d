"""Every score of every forecast of many cases, gathered case by case."""

import copy
from collections.abc import Hashable, Mapping, Sequence
from typing import Self

import numpy as np
import xarray as xr

from stormfusion.losses import Loss, Perceptual
from stormfusion.units import VARIABLES, vil_from_bytes
from stormfusion.verification.everything import Settings, all_scores, all_sums
from stormfusion.verification.intervals import intervals
from stormfusion.verification.pairs import checked_thresholds, complete, described, pair
from stormfusion.verification.perceptual import checked_distances
from stormfusion.verification.spatial import checked_scales
from stormfusion.verification.states import merge
from stormfusion.verification.values import in_ours

THRESHOLDS: dict[str, tuple[float, ...]] = {
    # the levels of SEVIR, in which the bytes 16 to 219 are the VIP levels
    "vil": tuple(vil_from_bytes(np.array([16, 74, 133, 160, 181, 219])).tolist()),
    "reflectivity": (20.0, 30.0, 40.0, 50.0),
    "rain_rate": (0.5, 2.0, 5.0, 10.0, 30.0),
    "rain": (1.0, 5.0, 10.0, 30.0),
    "mesh": (10.0, 25.4, 50.8),
    "ir069": (-60.0, -50.0, -40.0, -30.0),
    "ir107": (-60.0, -40.0, -20.0, 0.0),
    "vis": (0.2, 0.4, 0.6, 0.8),
    "lightning": (1.0, 5.0),
}
"""The usual thresholds of each variable, in its units."""


class Tally:
    """
    Scores of several forecasts over many cases, in bounded memory.

    A case is one forecast window. Sums and counts are added case by case and divided
    once, at the end. A pixel counts for all forecasts of a case or for none: where one
    of them is missing, none is scored, so that all are compared on the same pairs.

    Parameters
    ----------
    variable
        What is scored; it has the usual thresholds and the units, where the
        observations do not say them.
    thresholds
        Of events, `value >= threshold`, in the units of the variable.
    scales
        Widths of the windows of the fractions skill score [pixels], odd.
    bins
        Bins of the reliability diagram.
    distances
        Losses that compare whole maps, each a score under its name. By default the
        perceptual distance by the encoder of the library, where it knows the variable.
    by_case
        Keep the sums of every case beside their total, which intervals need. Memory
        then grows with the cases, by some 0.1 to 1 MB each.

    Examples
    --------
    >>> tally = Tally("rain_rate", thresholds=[1.0], scales=[1])
    >>> observed = xr.DataArray(np.eye(4), dims=("y", "x"))
    >>> tally.add({"still": observed, "dry": 0 * observed}, observed)
    >>> tally.dataset().csi.sel(threshold=1.0).values
    array([1., 0.])
    """

    def __init__(
        self,
        variable: str,
        *,
        thresholds: Sequence[float] | None = None,
        scales: Sequence[int] = (1, 5, 17),
        bins: int = 10,
        distances: Sequence[Loss] | None = None,
        by_case: bool = False,
    ) -> None:
        if thresholds is None and variable not in THRESHOLDS:
            raise ValueError(
                f"no usual thresholds are known for {variable!r}; pass thresholds, or "
                f"name the variable with variable= (known: {', '.join(THRESHOLDS)})"
            )
        if thresholds is None:
            thresholds = THRESHOLDS[variable]
        self.variable = variable
        self.thresholds = np.atleast_1d(checked_thresholds(thresholds)).tolist()
        self.scales = checked_scales(scales)
        self.bins = bins
        if distances is None:
            usual = Perceptual()
            distances = (usual,) if usual.beware(variable) is None else ()
        self.distances = checked_distances(distances)
        for loss in self.distances:
            if (why := loss.beware(variable)) is not None:
                raise ValueError(f"distances hold {loss.name!r}: {why}")
        self.state: xr.Dataset | None = None
        self._ensembles: set[str] = set()
        self._cases: list[tuple[Hashable | None, xr.Dataset]] | None = (
            [] if by_case else None
        )

    @property
    def cases(self) -> int:
        """Cases added so far."""
        return 0 if self.state is None else int(self.state["cases"])

    def add(
        self,
        forecasts: Mapping[str, xr.DataArray],
        observed: xr.DataArray,
        *,
        ensembles: Mapping[str, xr.DataArray] | None = None,
        event: Hashable | None = None,
    ) -> None:
        """
        Add one case.

        Parameters
        ----------
        forecasts
            By name, each with the dimensions of `observed`, and `member` if it is an
            ensemble: then errors and events are those of the ensemble mean, fractions
            and probabilities those of the members.
        observed
            What came, on the grid of every forecast, such as `(lead, y, x)`.
        ensembles
            Members of some of the forecasts, where these are not their mean: CRPS,
            Brier score and reliability are theirs.
        event
            Which storm the case belongs to: intervals draw all its cases together. The
            scalar coordinate `event` of the observations, if not given.
        """
        if event is None and "event" in observed.coords and not observed["event"].ndim:
            event = observed["event"].item()
        ensembles = {} if ensembles is None else ensembles
        self._check(forecasts, ensembles)
        if self.variable in VARIABLES:
            both = (*forecasts.values(), *ensembles.values())
            observed, *ours = in_ours(self.variable, observed, *both)
            forecasts = dict(zip(forecasts, ours, strict=False))
            ensembles = dict(zip(ensembles, ours[len(forecasts) :], strict=True))
        given = {
            name: pair(forecast, observed, members=True)[0]
            for name, forecast in forecasts.items()
        }
        members = {
            name: pair(ensemble, observed, members=True)[0]
            for name, ensemble in ensembles.items()
        }
        _, bare = pair(next(iter(given.values())), observed, members=True)
        valid = bare.notnull()
        for forecast in (*given.values(), *members.values()):
            valid = valid & complete(forecast)
        bare = bare.where(valid).assign_attrs(observed.attrs)
        settings = Settings(
            self.variable, self.thresholds, self.scales, self.bins, self.distances
        )
        states = _alike(
            [
                all_sums(forecast, members.get(name, forecast), bare, settings)
                for name, forecast in given.items()
            ]
        )
        state = xr.concat(
            states, "forecast", coords="minimal", compat="override", join="exact"
        )
        state = state.assign_coords(forecast=list(given)).assign(cases=1)
        state.attrs = {k: v for k, v in bare.attrs.items() if k == "units"}
        if self._cases is not None:
            # ranks take much room, and have no goal
            kept = state.drop_dims(["below", "ties"], errors="ignore")
            self._cases.append((event, kept))
        self.state = state if self.state is None else merge(self.state, state)
        self._ensembles |= {
            name
            for name, forecast in (given | members).items()
            if forecast.sizes.get("member", 1) > 1
        }

    def merge(self, other: Self) -> Self:
        """
        Both tallies together, as of one that saw the cases of both.

        Parameters
        ----------
        other
            A tally of the same forecasts, thresholds and scales.

        Returns
        -------
        Tally
            A new one.
        """
        for name in ("variable", "thresholds", "scales", "bins"):
            ours, theirs = getattr(self, name), getattr(other, name)
            if ours != theirs:
                raise ValueError(
                    f"cannot merge tallies of other {name} ({ours} and {theirs}); make "
                    "both alike"
                )
        both = copy.copy(self)
        states = [s for s in (self.state, other.state) if s is not None]
        both.state = merge(*states) if states else None
        both._ensembles = self._ensembles | other._ensembles
        ours, theirs = self._cases, other._cases
        both._cases = None if ours is None or theirs is None else [*ours, *theirs]
        return both

    @property
    def states(self) -> xr.Dataset:
        """
        The sums of every case, along `case`, with the `event` of each.

        What `bootstrap` draws from; the ranks of the observations are not among them.
        """
        if self._cases is None:
            raise ValueError(
                "this tally has kept the total of its cases alone; make one with "
                "by_case=True"
            )
        if not self._cases:
            raise ValueError("there is no case to score; add one with Tally.add")
        events, states = zip(*self._cases, strict=True)
        joined: xr.Dataset = xr.concat(
            states, "case", coords="minimal", compat="override"
        )
        # a case of no event is one of its own
        names = [f"case {n}" if e is None else e for n, e in enumerate(events)]
        return joined.assign_coords(event=("case", names))

    def dataset(
        self, *, interval: float | None = None, against: str | None = None
    ) -> xr.Dataset:
        """
        The scores of all cases.

        Parameters
        ----------
        interval
            Level of intervals to add, such as 0.9, by drawing events anew; see
            `bootstrap`. They need `by_case=True`.
        against
            The forecast that the others are compared with in each such draw, if any.

        Returns
        -------
        Dataset
            By `forecast` and what applies of `lead`, `threshold`, `scale` and `bin`:
            scores of events (`csi`, `pod`, `far`, `bias`, `hss`, ...) with their
            counts, and `csi_pool4`, `csi_pool16` of the largest values in squares;
            errors (`mse`, `mae`, `mean_error`, ...); `crps`; `fss`, `fss_useful` and
            `skillful_scale`; `brier` and its parts, `roc_area`, the reliability
            diagram; for ensembles `spread`, `spread_skill` and `rank_histogram`;
            `cases`; and how sharp it is: `perceptual`, the distance in the features of
            the radar encoder, `spectrum_ratio`, the power at 4 to 16 km as a share of
            the observed, `spectrum` that of every `wavelength`,
            `effective_resolution`, and the `granularity` of the probabilities, where
            the grid is regular. Scores of nothing are NaN. With `interval` each score
            of `GOALS` has its `<score>_lower` and `<score>_upper` beside it, and with
            `against` its `<score>_better`, the share of draws in which it is better
            than that of this forecast.
        """
        if self.state is None:
            raise ValueError("there is no case to score; add one with Tally.add")
        ensembles = sorted(self._ensembles)

        def scored(sums: xr.Dataset) -> xr.Dataset:
            return all_scores(sums, self.distances, fair=bool(ensembles))

        scores = scored(self.state)
        scores["cases"] = described(self.state["cases"], "cases scored")
        whose = f"fair for the members of {', '.join(ensembles)}, " if ensembles else ""
        scores["crps"].attrs["comment"] = f"{whose}absolute error of single forecasts"
        scores["forecast"].attrs["long_name"] = "forecast"
        scores.attrs = {
            "variable": self.variable,
            "comment": (
                "sums and counts are pooled over pixels and cases before they are "
                "divided; an event is value >= threshold; pairs missing in any "
                "forecast or in the observations are not counted; errors and events of "
                "an ensemble are those of its mean; perceptual distances and spectra "
                "are those of its members"
            ),
        }
        if len(ensembles) > 1 and "rank_histogram" not in scores:
            scores.attrs["comment"] += (
                "; ensembles of other sizes have ranks of their own, so these are left "
                "out: see rank_histogram"
            )
        if interval is not None:
            ends = intervals(self.states, scored, level=interval, against=against)
            # on the same coordinates, whose attributes stay
            scores = scores.assign({name: end.variable for name, end in ends.items()})
            scores.attrs |= ends.attrs
        order = ("forecast", "lead", "threshold", "scale", "wavelength", "bin", "rank")
        return scores.transpose(*order, missing_dims="ignore")

    def _check(
        self,
        forecasts: Mapping[str, xr.DataArray],
        ensembles: Mapping[str, xr.DataArray],
    ) -> None:
        if not forecasts:
            raise ValueError("got no forecast to score; pass one or more by name")
        known = [] if self.state is None else self.state["forecast"].values.tolist()
        if known and known != list(forecasts):
            raise ValueError(
                f"got forecasts {list(forecasts)}, but the cases before were of "
                f"{known}; score the same forecasts in every case"
            )
        if stray := [name for name in ensembles if name not in forecasts]:
            raise ValueError(
                f"ensembles {stray} have no forecast of that name; pass their mean in "
                "forecasts too"
            )


def _alike(states: list[xr.Dataset]) -> list[xr.Dataset]:
    """Each with the sums of all: none, of what a single forecast has not."""
    known = {name: state[name] for state in states for name in state}
    for name in list(known):
        if len({state[name].shape for state in states if name in state}) > 1:
            # ensembles of other sizes have ranks of their own
            known.pop(name)
    found = []
    for state in states:
        lacking = {n: xr.zeros_like(v) for n, v in known.items() if n not in state}
        found.append(state.assign(lacking)[list(known)])
    return found
