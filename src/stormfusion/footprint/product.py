"""What a storm may touch: probabilities, percentiles, mean and spread."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from stormfusion.footprint.scoring import scored
from stormfusion.footprint.showing import Shown
from stormfusion.grids import measured
from stormfusion.products.files.swaths import levels_of
from stormfusion.products.pages.ground import Ground
from stormfusion.units import ZRLaw, exceeds


class Footprint(Shown):
    """
    What a storm may touch, as a labelled dataset.

    Parameters
    ----------
    dataset
        Of each hazard `probability` at each lead and `window_probability` at any lead
        [1]; `arrival`, the median lead time at which it first occurs in the members in
        which it does (of hail by a model, that by which half of its probability has
        come), with its tenth and ninetieth percentile, `arrival_lower` and
        `arrival_upper` [min]; `duration`, the mean over all members of the time for
        which it occurs [min]; and `displacement` and `window_displacement`, how far the
        members displace it from one another, so that no map can be trusted closer [km].
        Of the variable `percentile`, `mean` and `spread` at each lead, and
        `window_percentile` and `window_mean` of each member's largest value. Of rain
        `accumulation`, its mean over the window, and `accumulation_percentile` [mm].
        All are of the members that know a pixel, whose share is `known`, and NaN where
        they are fewer than half, or for the window fewer know it at all leads.

    Examples
    --------
    >>> from stormfusion import Catalog, Nowcaster
    >>> catalog = Catalog.synthetic(events=3, size=64)
    >>> nowcaster = Nowcaster("persistence").fit(catalog, progress=False)
    >>> footprint = nowcaster.footprint(catalog[0], "vil >= 3.5 kg m-2", members=8)
    >>> footprint.dataset.window_probability.dims
    ('hazard', 'y', 'x')
    """

    def area(
        self, probability: float | Sequence[float] = (0.1, 0.3, 0.5, 0.7, 0.9)
    ) -> xr.Dataset:
        """
        Area in which each hazard has a probability, or a higher one.

        Parameters
        ----------
        probability
            One or several, above 0 and up to 1, each once.

        Returns
        -------
        Dataset
            `area` by hazard, lead and probability, and `window_area` at any lead
            [km2], on the ground: where the projection is known, pixels are as large as
            they are there, none beside the Earth; NaN where nothing is known. Missing
            pixels do not count; how large they are is `missing` and `window_missing`.

        Raises
        ------
        TypeError
            If a probability is no number.
        ValueError
            If there is no hazard, or a probability is out of range or there twice.
        GridMismatchError
            If the grid has no coordinates.

        Examples
        --------
        >>> chance = np.array([[[0.0, 0.2], [0.6, 1.0]]])
        >>> coords = {"hazard": ["vil >= 12 kg m-2"], "y": [0, 2e3], "x": [0, 1e3]}
        >>> chance = xr.DataArray(chance, coords=coords, dims=("hazard", "y", "x"))
        >>> footprint = Footprint(chance.to_dataset(name="window_probability"))
        >>> footprint.area([0.2, 0.5]).window_area.values
        array([[6., 4.]])
        """
        if not self.hazards:
            raise ValueError(
                "this footprint has no hazard, so no probability; name one where it is "
                "made, such as footprint('vil >= 12 kg m-2')"
            )
        levels = np.asarray(levels_of(probability))
        measured(self.dataset)
        ground = Ground.of(self.dataset)
        size = np.flip(np.broadcast_to(ground.areas, ground.shape), ground.flips)
        pixel = xr.DataArray(size, dims=("y", "x"))
        level = xr.DataArray(levels, dims="probability")
        told = {"units": "1", "long_name": "least probability"}
        found = {}
        for prefix in ("", "window_"):
            name = f"{prefix}probability"
            if name not in self.dataset:
                continue
            chance = self.dataset[name]
            over = [
                (pixel * exceeds(chance.rename(None), p)).sum(("y", "x"))
                for p in level.values
            ]
            area = xr.concat(over, "probability").transpose(..., "probability")
            area = area.where(chance.rename(None).notnull().any(("y", "x")))
            attrs = {"units": "km2", "long_name": "area of this probability or more"}
            found[f"{prefix}area"] = area.assign_attrs(attrs)
            gone = (pixel * chance.isnull()).sum(("y", "x"))
            attrs = {"units": "km2", "long_name": "area where nothing is known"}
            found[f"{prefix}missing"] = gone.assign_attrs(attrs)
        made = xr.Dataset(found).assign_coords(probability=level)
        made["probability"].attrs = told
        return made.drop_vars(["crs"], errors="ignore")

    def verify(
        self,
        observed: xr.DataArray | xr.Dataset,
        *,
        scales: Sequence[int] = (1, 5, 17),
        bins: int = 10,
        law: str | ZRLaw | None = None,
    ) -> xr.Dataset:
        """
        Score the probabilities and percentiles against what came.

        How sharp a forecast looks is asked of maps, not of probabilities: for the
        perceptual distance see `Nowcaster.evaluate` and `Ensemble.verify`. One
        footprint is one case: whether 30 percent are 30 percent is seen over many, by
        `Nowcaster.evaluate` or `verification.verify`.

        Parameters
        ----------
        observed
            The observed variable at the times of the leads, with `lead` or `time`. Sums
            of rain follow its motion, as in the forecast; with `time` they begin at the
            frame at the start of the forecast, where that is there too.
        scales
            Widths of the windows of the fractions skill score [pixels], odd.
        bins
            Bins of the reliability diagram and of the ROC curve.
        law
            By which rain is had from reflectivity; that of the forecast, by default.

        Returns
        -------
        Dataset
            By hazard, and by lead where they are not of the window, whose names begin
            with `window_`:

            - `brier` and its parts, `brier_skill` against the observed frequency,
              `roc_area`, `fss` by scale, the reliability diagram with its consistency
              bars, and `granularity` [km], as from
              `verification.verify(..., probability=True)`;
            - `sharpness`, the variance of the probabilities;
            - `pod` and `pofd` along `bin`, the ROC curve, and `economic_value` along
              `cost_loss`. That and `roc_area` tell warnings apart in steps of half a
              percent, however few bins the curve has. These curves and the reliability
              diagram are of all leads together; of each lead they begin with `lead_`;
            - the `quantile_score` of each percentile, and `crps`, which is estimated
              from the percentiles and says from how many, in the units of the variable;
              for that of the members see `Ensemble.verify`.

            A pixel missing in forecast or observation is not counted; in the window
            none counts of which a frame is missing.

        Raises
        ------
        ValueError
            If there is no hazard, one of hail reports, which radar does not observe, or
            a frame is absent.
        GridMismatchError
            If the observation lies on another grid.
        """
        return scored(self.dataset, observed, scales=scales, bins=bins, law=law)
