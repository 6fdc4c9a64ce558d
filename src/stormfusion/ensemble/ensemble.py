"""An ensemble of possible futures, whoever made it."""

import warnings
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import xarray as xr

from stormfusion.ensemble.members import Members
from stormfusion.ensemble.mixing import mixed
from stormfusion.footprint import (
    KNOWN,
    PERCENTILES,
    Accumulator,
    Fields,
    Footprint,
    Hail,
    Means,
    Reading,
    at_leads,
    check_hazards,
    stacked,
)
from stormfusion.hazards import Hazard
from stormfusion.losses import Loss
from stormfusion.units import ZRLaw
from stormfusion.verification import Tally


class Ensemble(Members):
    """
    Members of a forecast, with what can be asked of them together.

    Parameters
    ----------
    dataset
        One variable with the dimensions `member`, `lead`, `y`, `x`, whoever made it:
        `nowcaster.ensemble` or a weather model, in any units, which become ours; what
        pysteps made goes through `from_pysteps`. A pixel that is missing (NaN, or a
        number that no weather has, such as -9999) in a member does not count in what
        is asked of all of them, and is missing there if fewer than half know it.

    Raises
    ------
    TypeError
        If it is no dataset, or holds no numbers.
    ValueError
        If a dimension is missing or empty, leads, rows or columns do not go one way,
        or there is more than one variable of ours.

    Examples
    --------
    >>> values = np.array([0.0, 1.0, 5.0, 20.0], dtype="float32").reshape(4, 1, 1, 1)
    >>> rain = xr.DataArray(values, dims=("member", "lead", "y", "x"))
    >>> rain.attrs["units"] = "mm/h"
    >>> ensemble = Ensemble(rain.to_dataset(name="rain_rate"))
    >>> ensemble.probability("rain_rate >= 5 mm/h").values.ravel()
    array([0.5], dtype=float32)
    >>> ensemble.percentile(50).values.ravel()
    array([1.], dtype=float32)
    """

    @classmethod
    def mixed(
        cls, *ensembles: "Ensemble", weights: Sequence[float] | None = None
    ) -> Self:
        """
        One ensemble of the members of several.

        Parameters
        ----------
        ensembles
            Of the same variable, leads, grid and start.
        weights
            Of each ensemble as a whole, which its members share; by default each member
            weighs the same. Everything that is asked of the ensemble goes by them, but
            for scores, which take members as they are.

        Returns
        -------
        Ensemble
            Its members have the coordinates `weight`, their sum one, and `source`.

        Raises
        ------
        GridMismatchError
            If they differ in leads, grid or start.
        TypeError, ValueError
            If they are no ensembles, of different variables, or weights are not one
            for each, finite and 0 or more.

        Examples
        --------
        >>> leads = np.array([5], "timedelta64[m]").astype("timedelta64[ns]")
        >>> rain = xr.DataArray(
        ...     np.zeros((2, 1, 1, 1)),
        ...     dims=("member", "lead", "y", "x"),
        ...     coords={"lead": leads},
        ...     attrs={"units": "mm h-1"},
        ... ).to_dataset(name="rain_rate")
        >>> both = Ensemble.mixed(Ensemble(rain), Ensemble(rain + 9), weights=(3, 1))
        >>> both.members, both.probability("rain_rate >= 5 mm/h").item()
        (4, 0.25)
        """
        if not ensembles or not all(isinstance(e, Ensemble) for e in ensembles):
            raise TypeError(
                f"got {', '.join(type(e).__name__ for e in ensembles) or 'nothing'}, "
                "wanted ensembles, one after the other; of a list write mixed(*list)"
            )
        return cls(
            mixed(
                [each.dataset for each in ensembles],
                [each.variable for each in ensembles],
                weights,
            )
        )

    def probability(
        self,
        hazard: str | Hazard,
        *,
        law: str | ZRLaw | None = None,
        hail: Hail | None = None,
    ) -> xr.DataArray:
        """
        Share of the members that know a pixel in which a hazard occurs, by lead [1].

        Parameters
        ----------
        hazard
            Such as `"vil >= 12 kg m-2"`; an event is `value >= threshold`.
        law, hail
            As in `footprint`.
        """
        means = Means(law, hail)
        found = check_hazards([hazard], self.variable, means)
        like = self.values.isel(member=0, drop=True)
        fields = Fields(like, found, means, self.initial)
        (group,) = fields.groups
        over, known = (np.zeros(like.shape) for _ in range(2))
        for member, weight in self._each():
            missing = np.isnan(member)
            reading = Reading(fields, member, ~missing if missing.any() else None)
            values, there = reading.of(group)
            (event,) = reading.events(group, values, there)
            over += weight * event
            known += weight if there is None else weight * there
        total = float(np.sum(self._shares()))
        hole = known < KNOWN * total * (1 - 1e-9)
        share = np.where(hole, np.nan, over / np.where(known > 0, known, 1.0))
        attrs = {"units": "1", "long_name": "probability of the hazard"}
        found_share = like.copy(data=share.clip(max=1.0).astype(np.float32))
        found_share.attrs = attrs
        return found_share.rename("probability").assign_coords(hazard=str(found[0]))

    def footprint(
        self,
        *hazards: str | Hazard,
        percentiles: Sequence[float] = PERCENTILES,
        by_lead: bool = True,
        accumulation: bool | None = None,
        law: str | ZRLaw | None = None,
        hail: Hail | None = None,
    ) -> Footprint:
        """
        What the storm may touch: probabilities, percentiles, mean and spread.

        Members that are in memory have exact percentiles. Those of a dataset in chunks
        (of dask) are read one after the other, and have the percentiles of
        `Nowcaster.footprint`.

        Parameters
        ----------
        hazards
            One or more, such as `"vil >= 12 kg m-2"`, `"rain >= 10 mm in 30 min"` or
            `"reflectivity >= 45 dBZ within 5 km"`.
        percentiles
            From 0 to 100.
        by_lead
            Whether each lead has maps of its own, besides those of the window. Without
            them a large domain takes a fraction of the memory.
        accumulation
            Whether to sum the rain over the window, along its motion, which takes most
            of the time; by default where the variable is `rain_rate` or `rain`, or
            `reflectivity` with a law. See `classical.rainfall`.
        law
            By which rain is had from reflectivity, as in
            `units.reflectivity_to_rain_rate`; there is none by default.
        hail
            A fitted `HailModel`, by which hazards of hail are told.

        Returns
        -------
        Footprint
            See there.

        Raises
        ------
        ValueError
            If a hazard cannot be told from the variable, or its window is none of the
            forecast.
        """
        options: dict[str, Any] = {
            "percentiles": percentiles,
            "by_lead": by_lead,
            "accumulation": accumulation,
            "means": Means(law, hail),
            "initial": self.initial,
        }
        if self.values.chunks is None:
            shares = None if self.weights is None else self._shares()
            made = stacked(self.values, hazards, weights=shares, **options)
        else:
            like = self.values.isel(member=0, drop=True)
            weighted = self.weights is not None
            gathered = Accumulator(like, hazards, weighted=weighted, **options)
            for member, weight in self._each():
                gathered.add(member, weight)
            made = gathered.finish()
        return Footprint(
            made.dataset.assign_attrs({**self.dataset.attrs, **made.dataset.attrs})
        )

    def verify(
        self,
        observed: xr.DataArray | xr.Dataset,
        *,
        thresholds: Sequence[float] | None = None,
        scales: Sequence[int] = (1, 5, 17),
        distances: Sequence[Loss] | None = None,
    ) -> xr.Dataset:
        """
        Score the ensemble against what came.

        Parameters
        ----------
        observed
            The variable at the times of the leads, with the dimension `lead` or `time`.
        thresholds
            Of events, in the variable's units; the usual ones by default.
        scales
            Widths of the windows of the fractions skill score [pixels], odd.
        distances
            Losses that compare whole maps, such as `[Perceptual(), LPIPS()]`; the
            perceptual distance by default, and none with `()`, which is faster.

        Returns
        -------
        Dataset
            Scores by lead, threshold and scale, as from `verification.verify`; CSI and
            the like of the ensemble mean, CRPS, perceptual distance and spectra of its
            members.
        """
        if self.weights is not None:
            warnings.warn(
                "the members have weights, and scores count all members alike; score "
                "the footprint, whose probabilities go by the weights",
                UserWarning,
                stacklevel=2,
            )
        truth = at_leads(observed, self.values, self.variable)
        tally = Tally(
            self.variable, thresholds=thresholds, scales=scales, distances=distances
        )
        tally.add({"ensemble": self.values}, truth)
        return tally.dataset()

    def plot(self):  # type: ignore[no-untyped-def]
        """Draw the mean and three members at four lead times; returns the figure."""
        from stormfusion import plot

        count = min(3, self.members)
        rows = {f"member {i}": self.values.isel(member=i) for i in range(count)}
        return plot.strip({"mean": self.mean(), **rows})
