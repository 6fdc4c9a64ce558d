"""The probability that hail is reported near a pixel, given the radar there."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from stormfusion import units
from stormfusion.data import Catalog, Task
from stormfusion.data.reports import checked_reports
from stormfusion.data.task import TOLERANCE
from stormfusion.errors import GridMismatchError
from stormfusion.grids import Grid
from stormfusion.hail import asking, files
from stormfusion.hail.applying import Applied
from stormfusion.hail.diagram import diagram_of, sums_of
from stormfusion.hail.learning import learn
from stormfusion.hail.logistic import Calibration, Curves
from stormfusion.hail.neighborhood import Neighborhood
from stormfusion.hail.samples import draw


@dataclass(frozen=True, eq=False, repr=False)
class HailModel:
    r"""
    The probability that hail is reported near a pixel, given the radar around it.

    It says how often, in a catalog of storms, somebody reported hail of at least
    `size` within `distance` of a pixel and in the `window` up to a frame,
    $(t - \mathrm{window}, t]$, when the radar looked as it does. It is a probability of
    a *report*: lower than that of hail, the more so where few people live, and true of
    storms like those of the catalog only. See the page on hail before it is used.

    From one variable it sees, within the distance and over the window, the largest
    value, the largest mean over a small disk, and the mean. Each enters through a curve
    that never falls, so that more VIL never lowers the probability. It is learned
    from observed frames (perfect prognosis) and applied to those of a forecast: of an
    ensemble, the mean over the members is the probability.

    Make one with `HailModel.fit` or `HailModel.load`. It never changes.

    Parameters
    ----------
    size
        Least diameter of the hail that counts [mm].
    distance
        How far from a pixel it counts [m].
    window
        How long before a frame it counts.
    variable
        What is seen: vil, reflectivity or rain_rate.
    interval
        Seconds between the frames it was learned from, and is applied to.
    spacing
        Distance between their rows and columns [m].
    degrees
        The same in degrees, where they are on latitudes and longitudes.
    curves, calibration
        What was learned.
    sums, counts, notes
        What `reliability` is made of.

    Examples
    --------
    >>> from stormfusion import Catalog
    >>> from stormfusion.data import synthetic_reports
    >>> catalog = Catalog.synthetic(events=24, size=64, frames=13, variables=["vil"])
    >>> reports = synthetic_reports(catalog)
    >>> model = HailModel.fit(catalog, reports, size="0.5 inch", progress=False)
    >>> model.size, model.distance, model.variable
    (12.7, 10000.0, 'vil')
    >>> probability = model.probability(catalog[0]["vil"])
    >>> probability.name, probability.dims
    ('hail_probability', ('time', 'y', 'x'))
    """

    size: float
    distance: float
    window: dt.timedelta
    variable: str
    interval: int
    spacing: tuple[float, float]
    degrees: tuple[float, float] | None
    curves: Curves
    calibration: Calibration
    sums: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, Any] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def fit(
        cls,
        catalog: Catalog,
        reports: pd.DataFrame,
        *,
        size: str | float = "1 inch",
        distance: str | float = "10 km",
        window: str | dt.timedelta = "15 min",
        variable: str | None = None,
        folds: int = 5,
        seed: int = 0,
        progress: bool = True,
    ) -> "HailModel":
        """
        Learn from the observed frames of a catalog, and from reports of hail.

        Windows lie side by side, and pixels a third of the distance apart. All of those
        near a report are learned from, and a draw of the others, weighted so that the
        frequency of reports is that of the catalog. Days are left out in turn to choose
        how far the curves are held back, to calibrate, and for `reliability`; a day
        begins at six in the morning by the sun.

        Parameters
        ----------
        catalog
            Storms with the variable, of one interval, spacing and a known projection.
        reports
            As from `stormfusion.data.read_hail_reports`, or any table with `time`
            [UTC], `size` [mm], `latitude` and `longitude`. A report that ends later or
            elsewhere than it begins goes there straight and at an even speed, and
            counts in a window with the part of its way that lies in it.
        size
            Least diameter that counts, with its units or in mm.
        distance
            How far from a pixel it counts, with its units or in m, in the grid's own
            projection.
        window
            How long before a frame it counts: a whole number of intervals.
        variable
            What is seen: `"vil"`, `"reflectivity"` or `"rain_rate"`; by default the
            first of them that the catalog holds.
        folds
            Groups of days left out in turn, 2 or more; there are as many at most as
            days with reports, and a warning says so.
        seed
            Of what is drawn.
        progress
            Whether to show it.

        Returns
        -------
        HailModel
            The fitted model.

        Warns
        -----
        UserWarning
            If nothing was learned: on days left out it was no better than the base
            rate.

        Raises
        ------
        CatalogError
            If the catalog lacks the variable or differs in its interval; if no report
            lies in its times and places, or on one day only; if all pixels or none are
            near a report.
        GridMismatchError
            If the catalog differs in its spacing, or a projection is unknown.
        TypeError, ValueError
            If an argument is wrong, or the variable is a size of hail itself.
        """
        wanted = asking.checked(size, distance, window)
        asking.check_whole(folds, name="folds", least=2)
        asking.check_whole(seed, name="seed", least=0)
        if not isinstance(catalog, Catalog):
            raise TypeError(
                f"got {type(catalog).__name__}, wanted a Catalog; make one with "
                "Catalog.open, Catalog.from_xarray or Catalog.synthetic"
            )
        variable = asking.variable_of(catalog, variable)
        events = [event for event in catalog if variable in event.variables]
        task = Task.infer(events, target=variable, history=1, leads=1)
        frames = asking.frames_of(wanted.window, task.interval)
        asking.check_distance(wanted.distance, task.spacing)
        told = asking.large_enough(checked_reports(reports), wanted.size)
        around = Neighborhood(variable, wanted.distance, frames, task.spacing)
        drawn = draw(
            events, told, around, interval=task.interval, seed=seed, progress=progress
        )
        samples = drawn.samples
        learned = learn(samples, folds=folds, seed=seed, progress=progress)
        model = cls(
            wanted.size,
            wanted.distance,
            wanted.window,
            variable,
            task.interval,
            task.spacing,
            task.degrees,
            learned.curves,
            learned.calibration,
            sums_of(learned.probability, samples.hit, samples.weight),
            drawn.counts,
            drawn.span | {"folds": learned.folds, "ridge": learned.ridge},
        )
        asking.warn_of_nothing(model.reliability)
        return model

    @property
    def reliability(self) -> xr.Dataset:
        """
        How reliable the probabilities were on days left out.

        `forecast_probability`, `observed_frequency` and `count` along `bin`, which
        `plot.reliability` draws; `brier`, `brier_skill` (against the base rate),
        `log_score` and `base_rate`; how many `days` with reports, `events`, `reports`
        and `pixels`; what was learned from when, as attributes.
        """
        attrs = {"long_name": self._long_name, "variable": self.variable, **self.notes}
        return diagram_of(self.sums, self.counts, attrs)

    def __repr__(self) -> str:
        minutes = self.window / dt.timedelta(minutes=1)
        # one that was made by hand has learned from nothing
        learned = ""
        if self.sums:
            skill = float(self.reliability["brier_skill"])
            learned = (
                f": {self.counts['reports']} reports on {self.counts['days']} days, "
                f"Brier skill {skill:.2f}"
            )
        return (
            f"<HailModel of reports of hail >= {self.size:g} mm within "
            f"{self.distance / 1000:g} km and {minutes:g} min, from {self.variable}"
            f"{learned}>"
        )

    def probability(self, values: xr.DataArray) -> xr.DataArray:
        """
        The probability of a report at each frame and pixel.

        The window of the first frames reaches back before them: of it, what there is
        is used, so that their probabilities are rather too low.

        Parameters
        ----------
        values
            The model's variable with the dimensions `lead` or `time`, `y` and `x`, in
            any order, and others such as `member`: each member is taken by itself.
            Values that say their `units` are converted.

        Returns
        -------
        DataArray
            `hail_probability` [1] on the coordinates of `values`; of an ensemble, its
            mean over `member` is the probability. NaN where less than half of the disk
            and window is known, beyond the map included: in the outermost corners.

        Raises
        ------
        TypeError, ValueError
            If it is another variable, lacks a dimension, or has frames at another
            interval than the model's.
        GridMismatchError
            If its grid is more than 15 % finer or coarser than the model's.

        """
        step = asking.check_values(values, self.variable)
        ours = units.as_ours(values, self.variable).transpose(..., step, "y", "x")
        interval = asking.interval_of(ours[step], self.interval)
        grid = Grid.of(ours)
        both = grid.degrees and self.degrees is not None
        self._check_spacing(grid.spacing, "y" if both else "yx")
        numbers = ours.to_numpy().astype(np.float32, copy=False)
        found = np.empty(numbers.shape, dtype=np.float32)
        for place in np.ndindex(numbers.shape[:-3]):
            found[place] = self.chances(
                numbers[place], spacing_m=grid.spacing, interval_s=interval
            )
        kept = {k: v for k, v in values.attrs.items() if k == "grid_mapping"}
        made = ours.copy(data=found).rename("hail_probability")
        made.attrs = {"units": "1", "long_name": self._long_name, **kept}
        return made.transpose(*values.dims)

    def chances(
        self,
        values: NDArray[np.floating[Any]],
        *,
        spacing_m: tuple[float, float],
        interval_s: float,
    ) -> NDArray[np.float32]:
        """
        The probability of a report, of bare numbers: what is quick for many members.

        Parameters
        ----------
        values
            The model's variable in its own units, with the dimensions (lead, y, x);
            NaN where missing.
        spacing_m
            Distance between rows and between columns [m]; of a grid in degrees that at
            its centre.
        interval_s
            Seconds between frames.

        Returns
        -------
        ndarray
            Probabilities (lead, y, x), as `probability` has them.

        Raises
        ------
        ValueError
            If the numbers have another shape, or the interval is not the model's.
        GridMismatchError
            If the spacing is more than 15 % off the model's. Where the model was
            learned on latitudes and longitudes that of the rows counts alone.

        Examples
        --------
        >>> learned = Curves(-6.0, np.full((3, 8), 0.3)), Calibration(1.0, 1.0, 0.0)
        >>> window = dt.timedelta(minutes=5)
        >>> model = HailModel(25.4, 2e3, window, "vil", 300, (1e3, 1e3), None, *learned)
        >>> vil = np.zeros((1, 8, 8), dtype=np.float32)
        >>> vil[0, 4, 4] = 60.0
        >>> model.chances(vil, spacing_m=(1e3, 1e3), interval_s=300)[0, 4].round(3)
        array([0.002, 0.002, 0.044, 0.044, 0.044, 0.044, 0.045, 0.002],
              dtype=float32)
        """
        values = np.asarray(values)
        if values.ndim != 3 or values.dtype.kind != "f":
            raise ValueError(
                f"values have the shape {values.shape} and the type {values.dtype}, "
                "wanted numbers (lead, y, x) with NaN where missing; pass one member"
            )
        asking.check_interval(interval_s, self.interval)
        spacing = float(spacing_m[0]), float(spacing_m[1])
        self._check_spacing(spacing, "yx" if self.degrees is None else "y")
        frames = asking.frames_of(self.window, self.interval)
        around = Neighborhood(self.variable, self.distance, frames, spacing)
        applied = Applied(self.curves, self.calibration)
        found = np.empty(values.shape, dtype=np.float32)
        for number, seen in enumerate(around.see(values)):
            found[number] = applied.probability(seen)
        return found

    def save(self, path: str | Path) -> Path:
        """
        Write the model to a file of JSON, whole or not at all.

        Parameters
        ----------
        path
            Where to, such as `"hail.json"`; its folder must exist.

        Returns
        -------
        Path
            The file written.

        Raises
        ------
        TypeError, OSError
            If nothing can be written there.

        """
        return files.write(path, self)

    @classmethod
    def load(cls, path: str | Path) -> "HailModel":
        """
        Read a model that `save` wrote; no code in the file is run.

        Parameters
        ----------
        path
            The file.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        CheckpointError
            If it is damaged, no model of hail, or comes from a later version.
        """
        return cls(**files.read(path))

    @property
    def _long_name(self) -> str:
        minutes = self.window / dt.timedelta(minutes=1)
        return (
            f"probability of a report of hail of {self.size:g} mm or more within "
            f"{self.distance / 1000:g} km in the {minutes:g} min before"
        )

    def _check_spacing(self, spacing: tuple[float, float], axes: str) -> None:
        for axis, got, wanted in zip(axes, spacing, self.spacing, strict=False):
            if not abs(got - wanted) <= TOLERANCE * wanted:
                raise GridMismatchError(
                    f"the grid has {got:.6g} m between points in {axis}, this model of "
                    f"hail was learned at {wanted:.6g} m; regrid the data, or fit a "
                    "model on data like it"
                )
