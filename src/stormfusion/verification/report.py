"""Every score of every forecast of many cases, gathered case by case."""

import copy
from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
import xarray as xr

from stormfusion.errors import GridMismatchError
from stormfusion.losses import Loss, Perceptual
from stormfusion.units import VARIABLES, vil_from_bytes
from stormfusion.verification.continuous import error_scores, error_sums
from stormfusion.verification.counts import categorical_scores, contingency
from stormfusion.verification.diagrams import reliability_scores
from stormfusion.verification.pairs import (
    checked_thresholds,
    described,
    in_ours,
    merge,
    pair,
)
from stormfusion.verification.perceptual import (
    checked_distances,
    distance_score,
    distance_sums,
)
from stormfusion.verification.probabilistic import crps_score, crps_sums
from stormfusion.verification.probability import (
    PARTS,
    probability_scores,
    probability_sums,
)
from stormfusion.verification.spatial import checked_scales, fss_score, fss_sums
from stormfusion.verification.spectrum import band_score, power_sums, spectrum_score

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

BAND = (4.0, 16.0)
"""Wavelengths whose power tells how sharp a forecast is [km]."""


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
    ) -> None:
        if thresholds is None and variable not in THRESHOLDS:
            raise ValueError(
                f"no usual thresholds are known for {variable!r}; pass thresholds "
                f"(known for: {', '.join(THRESHOLDS)})"
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
        """
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
            known = forecast.notnull()
            valid &= known.all("member") if "member" in known.dims else known
        bare = bare.where(valid).assign_attrs(observed.attrs)
        states = [
            self._sums(forecast, members.get(name, forecast), bare)
            for name, forecast in given.items()
        ]
        state = xr.concat(
            states, "forecast", coords="minimal", compat="override", join="exact"
        )
        state = state.assign_coords(forecast=list(given)).assign(cases=1)
        state.attrs = {k: v for k, v in bare.attrs.items() if k == "units"}
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
        both = copy.copy(self)
        states = [s for s in (self.state, other.state) if s is not None]
        both.state = merge(*states) if states else None
        both._ensembles = self._ensembles | other._ensembles
        return both

    def dataset(self) -> xr.Dataset:
        """
        The scores of all cases.

        Returns
        -------
        Dataset
            By `forecast` and what applies of `lead`, `threshold`, `scale` and `bin`:
            scores of events (`csi`, `pod`, `far`, `bias`, `hss`, ...) with their
            counts, errors (`mse`, `mae`, `mean_error`, ...), `crps`, `fss`, `brier`,
            the reliability diagram, `cases`; and how sharp it is: `perceptual`, the
            distance in the features of the radar encoder, `spectrum_ratio`, the power
            at 4 to 16 km as a share of the observed, and `spectrum` that of every
            `wavelength`, where the grid is regular. Scores of nothing are NaN.
        """
        if self.state is None:
            raise ValueError("there is no case to score; add one with Tally.add")
        sums = self.state
        ensembles = sorted(self._ensembles)
        brier = probability_scores(sums)["brier"]
        pooled = sums[list(PARTS)]
        diagram = reliability_scores(
            pooled.sum("lead") if "lead" in pooled.dims else pooled
        )
        diagram["base_rate"] = diagram["base_rate"].isel(forecast=0, drop=True)
        counts = sums[["hits", "misses", "false_alarms", "correct_negatives", "pairs"]]
        scores = xr.Dataset(
            {
                **categorical_scores(sums),
                **error_scores(sums),
                "crps": crps_score(sums, fair=bool(ensembles)),
                "fss": fss_score(sums),
                "spectrum_ratio": _detail(sums),
                "spectrum": spectrum_score(sums),
                **{d.name: distance_score(sums, d.name) for d in self.distances},
                "brier": brier,
                **diagram,
                **counts,
                "cases": described(sums["cases"], "cases scored"),
            }
        )
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
        order = ("forecast", "lead", "threshold", "scale", "wavelength", "bin")
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

    def _sums(
        self, forecast: xr.DataArray, members: xr.DataArray, observed: xr.DataArray
    ) -> xr.Dataset:
        single = forecast
        if "member" in forecast.dims:
            single = forecast.mean("member").assign_attrs(forecast.attrs)
        errors = error_sums(single, observed)
        if members.sizes.get("member", 1) > 1:
            crps = crps_sums(members, observed)
        else:
            crps = xr.Dataset(
                {"crps_pairs": errors["pairs"], "crps_sum": errors["absolute_error"]}
            )
        t = self.thresholds
        chances = probability_sums(members, observed, threshold=t, bins=self.bins)
        forms = [
            distance_sums(forecast, observed, loss=loss, variable=self.variable)
            for loss in self.distances
        ]
        return xr.merge(
            [
                *forms,
                self._powers(forecast, observed),
                contingency(single, observed, threshold=t),
                errors,
                crps,
                fss_sums(forecast, observed, threshold=t, scale=self.scales),
                chances,
            ],
            compat="equals",
            join="exact",
            combine_attrs="drop_conflicts",
        )

    def _powers(self, forecast: xr.DataArray, observed: xr.DataArray) -> xr.Dataset:
        """Power by wavelength; none on a grid that is not regular."""
        name = self.variable if self.variable in VARIABLES else None
        try:
            return power_sums(forecast, observed, variable=name)
        except GridMismatchError:
            bare = (a.drop_vars(["y", "x"]) for a in (forecast, observed))
            return xr.zeros_like(power_sums(*bare, variable=name))


def _detail(sums: xr.Dataset) -> xr.DataArray:
    """Power at the small wavelengths as a share of the observed."""
    found = band_score(sums, BAND)
    found = found.drop_vars(["wavelength_lower", "wavelength_upper"])
    found.attrs["long_name"] += f" at {BAND[0]:g} to {BAND[1]:g} km"
    return found
