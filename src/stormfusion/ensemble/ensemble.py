"""An ensemble of possible futures, whoever made it."""

import warnings
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import xarray as xr

from stormfusion.calibration import Calibration
from stormfusion.ensemble.matching import matched
from stormfusion.ensemble.members import Members
from stormfusion.ensemble.mixing import mixed
from stormfusion.footprint import (
    KNOWN,
    PERCENTILES,
    Accumulator,
    Fields,
    Footprint,
    Means,
    Reading,
    at_leads,
    check_hazards,
    stacked,
)
from stormfusion.hail import HailModel
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
        pysteps made goes through `from_pysteps`. `y` and `x` have units, metres, km or
        degrees, wherever a distance or an area is asked for. A pixel that is missing
        (NaN, or a number that no weather has, such as -9999) in a member does not count
        in what is asked of all of them, and is missing there if fewer than half know
        it. With the coordinate `weight` on `member` members count by it, see `mixed`;
        with a variable `initial` (y, x), the frame at the start of the forecast, sums
        of rain begin there.
    calibration
        By which the members are calibrated already, so that footprints have calibrated
        probabilities too; see `calibrate`.

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
            Its members have the coordinates `weight`, their sum one, and `source`. What
            one does not tell of projection and start is taken from the others, and
            `initial` from the first that has it.

        Warns
        -----
        UserWarning
            If they differ in `initial`.

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
        hail: HailModel | None = None,
    ) -> xr.DataArray:
        """
        Share of the members that know a pixel in which a hazard occurs, by lead [1].

        It is calibrated as in a footprint of this hazard alone, where the ensemble is
        and its calibration has a curve for it; `attrs["calibrated"]` tells, 1 or 0.

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
        chance = like.copy(data=share.clip(max=1.0).astype(np.float32))
        told = False
        if self.calibration is not None:
            told = str(found[0]) in self.calibration.curves
            chance.data = self.calibration.probability(found[0], chance.to_numpy())
        chance.attrs = {
            "units": "1",
            "long_name": "probability of the hazard",
            "calibrated": int(told),
        }
        return chance.rename("probability").assign_coords(hazard=str(found[0]))

    def footprint(
        self,
        *hazards: str | Hazard,
        percentiles: Sequence[float] = PERCENTILES,
        by_lead: bool = True,
        accumulation: bool | None = None,
        law: str | ZRLaw | None = None,
        hail: HailModel | None = None,
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
        attrs = {"calibration": "none", **self.dataset.attrs, **made.dataset.attrs}
        dataset = made.dataset.assign_attrs(attrs)
        if self.calibration is not None:
            dataset = self.calibration.footprint(dataset)
        return Footprint(dataset)

    def calibrate(self, calibration: Calibration) -> Self:
        """
        The ensemble with calibrated members.

        Parameters
        ----------
        calibration
            Fitted on past forecasts, such as `nowcaster.calibration`; a nowcaster that
            has one applies it itself, see `Nowcaster.calibrate`.

        Returns
        -------
        Ensemble
            Its footprints have calibrated probabilities, where the calibration has
            curves for their hazards, and say on what it was fitted.

        Raises
        ------
        ValueError
            If it is calibrated already, has weights, or the calibration is of another
            variable or other leads.
        """
        if not isinstance(calibration, Calibration):
            raise TypeError(
                f"got a {type(calibration).__name__}, wanted a Calibration; take that "
                "of a nowcaster, nowcaster.calibrate(validation).calibration"
            )
        told = str(self.dataset.attrs.get("calibration", "none"))
        if self.calibration is not None or told != "none":
            raise ValueError(
                "the members are calibrated already; ask the nowcaster for "
                "ensemble(..., calibrated=False)"
            )
        if self.weights is not None:
            raise ValueError(
                "the members have weights, wanted an ensemble of one nowcaster; "
                "calibrate each before they are mixed"
            )
        calibration.check(self.values)
        members = calibration.members(self.values.to_numpy())
        values = self.values.copy(data=np.stack(list(members)))
        dataset = self.dataset.assign({self.variable: values})
        dataset.attrs["calibration"] = calibration.text()
        return type(self)(dataset, calibration=calibration)

    def probability_matched_mean(self) -> xr.DataArray:
        """
        The pattern of the mean with the amounts of the members, by lead.

        The mean of an ensemble is smooth and its largest values are too low. Here the
        values of all members together, in order, are put where the mean has the same
        rank: one deterministic nowcast, as wet and as strong as the members are.

        Returns
        -------
        DataArray
            In the variable's units; NaN where fewer than half of the members know.

        References
        ----------
        Ebert, E. E., 2001: Ability of a poor man's ensemble to predict the probability
        and distribution of precipitation. *Mon. Wea. Rev.*, **129**, 2461-2480.

        Examples
        --------
        >>> values = np.zeros((2, 1, 1, 3))
        >>> values[0, ..., 1], values[1, ..., 2], values[0, ..., 2] = 4.0, 4.0, 0.2
        >>> rain = xr.DataArray(values, dims=("member", "lead", "y", "x"))
        >>> rain.attrs["units"] = "mm h-1"
        >>> ensemble = Ensemble(rain.to_dataset(name="rain_rate"))
        >>> ensemble.mean().values.ravel().tolist()[1]
        2.0
        >>> ensemble.probability_matched_mean().values.ravel().tolist()[2]
        4.0
        """
        mean = self.mean()
        found = np.stack(
            [
                matched(
                    mean.isel(lead=lead).to_numpy(),
                    self.values.isel(lead=lead).to_numpy(),
                    self.weights,
                )
                for lead in range(mean.sizes["lead"])
            ]
        )
        return mean.copy(data=found).assign_attrs(
            long_name=f"probability-matched mean of {self._long_name}"
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
