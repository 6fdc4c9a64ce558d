"""Forecasts of an event: predict, ensemble, footprint, motion."""

from collections.abc import Sequence

import xarray as xr

from stormfusion.classical import Untrained
from stormfusion.data.event import Event
from stormfusion.ensemble import Ensemble
from stormfusion.footprint import (
    PERCENTILES,
    Accumulator,
    Footprint,
    Means,
    check_hazards,
)
from stormfusion.hail import HailModel
from stormfusion.hazards import Hazard
from stormfusion.nowcaster import building
from stormfusion.nowcaster.base import Estimator
from stormfusion.nowcaster.hindcast import Hindcaster
from stormfusion.nowcaster.moving import field_of_motion
from stormfusion.units import ZRLaw


class Forecaster(Estimator):
    """
    An estimator that forecasts from the last frames of an event.

    Parameters
    ----------
    recipe, loss, inputs, target, history, leads, device, seed
        As in `Nowcaster`.
    """

    def predict(
        self,
        event: Event | xr.Dataset,
        *,
        reference_time: object | None = None,
    ) -> xr.Dataset:
        """
        The deterministic nowcast.

        Parameters
        ----------
        event
            A storm, or a dataset with time, y and x.
        reference_time
            Time of the last frame that is read; by default the last there is.

        Returns
        -------
        Dataset
            The target with the dimensions (lead, y, x), in its units; NaN where it was
            missing in every frame seen.

        Raises
        ------
        CatalogError
            If there are too few unbroken frames, a variable is absent, or all is
            missing.
        GridMismatchError
            If the spacing is not the model's.
        """
        made = self._caster(event).forecast(event, reference_time)
        return self._stamped(made.array().to_dataset())

    def ensemble(
        self,
        event: Event | xr.Dataset,
        *,
        members: int = 20,
        reference_time: object | None = None,
        seed: int | None = None,
        calibrated: bool = True,
    ) -> Ensemble:
        """
        An ensemble of possible futures.

        Of `"steps"` they are its own; of all others they are the nowcast dressed in its
        past errors, which `fit` measures.

        Parameters
        ----------
        event, reference_time
            As in `predict`.
        members
            How many, 2 or more. Member 7 is the same however many are asked for.
        seed
            Another one gives other members; that of the nowcaster by default.
        calibrated
            Whether to apply the calibration, if the nowcaster has one.
        """
        caster = self._caster(event, dressed=True, calibrated=calibrated)
        made = caster.forecast(event, reference_time)
        dataset = caster.stack(made, members, seed).to_dataset()
        initial = caster.initial(event, made)
        if initial is not None:
            dataset["initial"] = initial
        if caster.calibration is not None:
            dataset.attrs["calibration"] = caster.calibration.text()
        return Ensemble(self._stamped(dataset), calibration=caster.calibration)

    def footprint(
        self,
        event: Event | xr.Dataset,
        *hazards: str | Hazard,
        members: int = 100,
        percentiles: Sequence[float] = PERCENTILES,
        by_lead: bool = True,
        accumulation: bool | None = None,
        law: str | ZRLaw | None = None,
        hail: HailModel | None = None,
        reference_time: object | None = None,
        seed: int | None = None,
        calibrated: bool = True,
    ) -> Footprint:
        """
        The footprint of an ensemble, member by member: memory does not grow with them.

        Parameters
        ----------
        event, reference_time
            As in `predict`.
        hazards, by_lead, accumulation, law, hail
            As in `Ensemble.footprint`.
        members, seed, calibrated
            As in `ensemble`.
        percentiles
            From 0 to 100. Of other variables than VIL they are the nearest of 256
            values, and `footprint.dataset.percentiles` says how near.
        """
        caster = self._caster(event, dressed=True, calibrated=calibrated)
        means = Means(law, hail)
        check_hazards(hazards, caster.task.target, means)
        made = caster.forecast(event, reference_time)
        initial = caster.initial(event, made)
        gathered = Accumulator(
            made.array(),
            hazards,
            percentiles=percentiles,
            by_lead=by_lead,
            accumulation=accumulation,
            means=means,
            initial=None if initial is None else initial.to_numpy(),
        )
        for member in caster.members(made, members, seed):
            gathered.add(member)
        dataset = gathered.finish().dataset
        if caster.calibration is not None:
            dataset = caster.calibration.footprint(dataset)
        else:
            dataset.attrs["calibration"] = "none"
        return Footprint(self._stamped(dataset))

    def motion(
        self, event: Event | xr.Dataset, *, reference_time: object | None = None
    ) -> xr.Dataset:
        """
        The motion of the target over the last frames.

        It is what `"extrapolation"` carries the last frame along by, found by the
        method that this nowcaster names, if it is one without training, and by
        Lucas-Kanade otherwise. `plot.motion` draws it.

        Parameters
        ----------
        event, reference_time
            As in `predict`.

        Returns
        -------
        Dataset
            `u` and `v` with the dimensions (y, x) [m s-1]: speed towards growing x
            (east) and growing y (north), whichever way the rows run. Never NaN: areas
            without rain move with the rain around them, and where there is too little
            rain to tell (fewer than 25 pixels of it in both of two frames) nothing
            moves, which the attribute `motion` says.

        Warns
        -----
        UserWarning
            If there is too little rain to tell.

        Raises
        ------
        CatalogError
            If there are fewer than two frames without a gap, or all are missing.

        Examples
        --------
        >>> from stormfusion import Catalog
        >>> from stormfusion.nowcaster import Nowcaster
        >>> event = Catalog.synthetic(events=1, size=128)[0]
        >>> motion = Nowcaster("extrapolation").motion(
        ...     event, reference_time=event.time[24]
        ... )
        >>> sorted(motion.data_vars)
        ['u', 'v']
        """
        caster = self._caster(event)
        method = getattr(self._network, "motion", "lucas-kanade")
        return self._stamped(field_of_motion(caster, event, reference_time, method))

    def _caster(
        self,
        *events: Event | xr.Dataset,
        dressed: bool = False,
        calibrated: bool = True,
    ) -> Hindcaster:
        free = isinstance(self._network, Untrained)
        if free and dressed:
            free = self._network.module.samples
        if self._fitted is None and free:
            task = self._infer([building.as_event(event) for event in events])
            network, dressing = building.build(self._network, task, self.seed), None
        else:
            fitted = self._checked()
            task, network, dressing = fitted.task, fitted.network, fitted.dressing
        return Hindcaster(
            self.name,
            task,
            network,
            dressing,
            self.device,
            self.seed,
            self.calibration if calibrated else None,
        )
