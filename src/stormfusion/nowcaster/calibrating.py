"""Calibration of a nowcaster on hindcasts of a catalog."""

import warnings
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from stormfusion import calibration, sampling
from stormfusion.calibration import Calibration, Case
from stormfusion.calibration.curves import Method
from stormfusion.data.catalog import Catalog
from stormfusion.data.event import Event
from stormfusion.data.windows import starts
from stormfusion.errors import CatalogError
from stormfusion.footprint import Means
from stormfusion.hazards import Hazard
from stormfusion.nowcaster import building
from stormfusion.nowcaster.forecasting import Forecaster
from stormfusion.nowcaster.hindcast import Hindcaster
from stormfusion.units import ZRLaw


class Calibrated(Forecaster):
    """
    An estimator whose ensembles can be calibrated.

    Parameters
    ----------
    recipe, loss, inputs, target, history, leads, device, seed
        As in `Nowcaster`.
    """

    def calibrate(
        self,
        validation: Catalog | Calibration,
        *,
        hazards: Sequence[str | Hazard] = (),
        members: int = 20,
        method: Method = "auto",
        folds: int = 5,
        law: str | ZRLaw | None = None,
        progress: bool = True,
    ) -> Self:
        """
        Calibrate the ensembles on hindcasts; from then on it is applied by default.

        Members are mapped lead by lead, so that their amounts come as often as they are
        forecast and their spread fits their errors; and the probabilities of each
        hazard that is named, so that what is said with 30 percent comes in 30 percent.
        Nothing that makes the CRPS, or the Brier score of a hazard, worse is kept, be
        it on these hindcasts or on those of them that are held out in turn, some events
        at a time; `calibration.report` holds what it does to both. Deterministic
        forecasts stay as they are.

        Parameters
        ----------
        validation
            Events that were not learned from; every window is forecast, as in
            `evaluate`. Or a calibration that was fitted before, on its forecasts.
        hazards
            Whose probabilities are calibrated besides the members.
        members
            Of each hindcast, 2 or more. A probability told by more members is taken
            between those that these can tell.
        method
            Of the probabilities: `"isotonic"`, `"beta"`, `"none"`, or the best of them
            on events held out, `"auto"`. One that is asked for is kept if it harms.
        folds
            Parts of the events that are held out in turn.
        law
            As in `Ensemble.footprint`.
        progress
            Draw progress bars.

        Returns
        -------
        Nowcaster
            Itself, with `calibration`, which `save` keeps.

        Warns
        -----
        UserWarning
            If there is one event only, so that nothing can be held out, or a method
            that was asked for makes a score worse by more than a percent on events held
            out, or a hazard never came, or the calibration is of another recipe.

        Raises
        ------
        CatalogError
            If there is nothing to forecast.
        ValueError
            If a setting is out of range, or the calibration of another variable or
            other leads.
        """
        if isinstance(validation, Calibration):
            self.calibration = self._accepted(validation)
            return self
        building.check_catalog(validation, "to calibrate on")
        caster = self._caster(*validation, dressed=True, calibrated=False)
        cases = hindcasts(
            caster, validation, building.whole("members", members, least=2)
        )
        if len({case.group for case in cases}) < 2:
            warnings.warn(
                "there is one event only, so that none can be held out and nothing is "
                "known of what the calibration does to others; give more",
                UserWarning,
                stacklevel=2,
            )
        self.calibration = calibration.fit(
            cases,
            hazards,
            method=method,
            folds=building.whole("folds", folds, least=2),
            means=Means(law),
            seed=self.seed,
            progress=progress,
        )
        self.calibration.report.attrs["recipe"] = self.name
        return self

    def _accepted(self, given: Calibration) -> Calibration:
        """A calibration that was fitted before; one of another recipe is told of."""
        target, leads = self.target or given.variable, self.leads
        if self._fitted is not None:
            target, leads = self.task.target, self.task.leads
        given.check_task(target, leads, of=repr(self.name))
        recipe = given.report.attrs.get("recipe", self.name)
        if recipe != self.name:
            warnings.warn(
                f"the calibration was fitted on forecasts by {recipe!r}, whose errors "
                f"are not those of {self.name!r}; calibrate that on a catalog",
                UserWarning,
                stacklevel=3,
            )
        return given


def hindcasts(caster: Hindcaster, catalog: Catalog, members: int) -> list[Case]:
    """Every hindcast window of a catalog, to be made when it is asked for."""
    task = caster.task
    if not caster.samples:
        raise ValueError(
            f"{caster.name!r} makes no ensemble before its errors are measured; call "
            "fit(catalog) first"
        )
    cases = [
        Case(event.id, _Made(caster, event, int(start), members))
        for event in catalog
        for start in starts(event, task, stride=task.leads)
    ]
    if not cases:
        raise CatalogError(
            f"no event has {task.frames} unbroken frames of {task.target!r}, wanted "
            "some to calibrate on; give longer events"
        )
    return cases


class _Made:
    """A hindcast from one start, made anew at each call."""

    def __init__(
        self, caster: Hindcaster, event: Event, start: int, members: int
    ) -> None:
        self.caster, self.event, self.start = caster, event, start
        self.members = members

    def __call__(
        self,
    ) -> tuple[xr.DataArray, xr.DataArray, NDArray[np.float32] | None]:
        caster = self.caster
        made = sampling.run(
            caster.network, self.event, self.start, caster.task, caster.device
        )
        members = caster.stack(made, self.members, None)
        observed = sampling.observation(self.event, self.start, caster.task)
        initial: Any = caster.initial(self.event, made)
        frame = None if initial is None else initial.to_numpy()
        return members, observed, frame
