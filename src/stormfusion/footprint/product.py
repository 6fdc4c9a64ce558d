"""What a storm may touch: probabilities, percentiles, mean and spread."""

from collections.abc import Sequence

import xarray as xr

from stormfusion.footprint.scoring import scored
from stormfusion.footprint.showing import Shown
from stormfusion.units import ZRLaw


class Footprint(Shown):
    """
    What a storm may touch, as a labelled dataset.

    Parameters
    ----------
    dataset
        Of each hazard `probability` at each lead and `window_probability` at any lead
        [1]; `arrival`, the median lead time at which it first occurs in the members in
        which it does, with its tenth and ninetieth percentile, `arrival_lower` and
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
            The observed variable at the times of the leads, with `lead` or `time`. With
            `time`, the frame at the start of the forecast is used for sums of rain
            where it is there too. Rain is summed as that of the forecast was.
        scales
            Widths of the windows of the fractions skill score [pixels], odd.
        bins
            Bins of the reliability diagram.
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
              `cost_loss`, of all leads together;
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
