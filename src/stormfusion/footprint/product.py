"""What a storm may touch: probabilities, percentiles, mean and spread."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from stormfusion import verification
from stormfusion.footprint.showing import Shown
from stormfusion.units import as_ours


class Footprint(Shown):
    """
    What a storm may touch, as a labelled dataset.

    Parameters
    ----------
    dataset
        `probability` and `window_probability` of each hazard [1], `percentile` and
        `window_percentile`, `mean` and `spread` of the variable. Those of the window
        speak of the time from the first to the last lead: the probability that the
        hazard occurs at any lead, and the percentile of each member's maximum. All are
        of the members that know a pixel, whose share is `known`, and NaN where they are
        fewer than half.

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
            The observed variable at the times of the leads, with `lead` or `time`.
        scales
            Widths of the windows of the fractions skill score [pixels], odd.
        bins
            Bins of the reliability diagram.

        Returns
        -------
        Dataset
            By hazard, and by lead where they are not of the window, whose names begin
            with `window_`: `brier` and its parts, `brier_skill`, `roc_area`, `fss`,
            the reliability diagram, and `granularity` [km], as from
            `verification.verify(..., probability=True)`; and the `quantile_score` of
            the percentiles, in the units of the variable. A pixel missing in forecast
            or observation is not counted; in the window none counts of which a frame
            is missing.
        """
        if not self.hazards:
            raise ValueError(
                "this footprint has no hazard to verify; name one where it is made, "
                "such as footprint('vil >= 12 kg m-2')"
            )
        scores = {}
        for hazard in self.hazards:
            truth = at_leads(observed, self.dataset, hazard.variable)
            occurred = hazard.occurs(truth)
            chosen = self.dataset.sel(hazard=str(hazard))
            window = occurred.max("lead", skipna=False)
            pairs = {"": occurred, "window_": window}
            found = {
                f"{what}{name}": score
                for what, truth in pairs.items()
                for name, score in verification.verify(
                    chosen[f"{what}probability"],
                    truth,
                    probability=True,
                    scales=scales,
                    bins=bins,
                ).items()
            }
            scores[str(hazard)] = xr.Dataset(found).drop_vars("hazard", errors="ignore")
        joined = xr.concat(
            list(scores.values()), dim="hazard", coords="minimal", compat="override"
        )
        return joined.assign_coords(hazard=list(scores)).assign(self._pinball(observed))

    def _pinball(self, observed: xr.DataArray | xr.Dataset) -> dict[str, xr.DataArray]:
        """The scores of the percentiles, where there are some."""
        if "percentile" not in self.dataset or "variable" not in self.dataset.attrs:
            return {}
        truth = at_leads(observed, self.dataset, self.dataset.attrs["variable"])
        levels = self.dataset["quantile"].values
        some = {"quantile": levels[(levels > 0) & (levels < 1)]}
        found = {}
        for what, came in (("", truth), ("window_", truth.max("lead", skipna=False))):
            values = self.dataset[f"{what}percentile"].sel(some)
            found[f"{what}quantile_score"] = verification.quantile_score(
                values, came, quantile=some["quantile"]
            )
        return found if some["quantile"].size else {}


def at_leads(
    observed: xr.DataArray | xr.Dataset, forecast: xr.Dataset | xr.DataArray, name: str
) -> xr.DataArray:
    """The observation at a forecast's valid times, with its leads."""
    if not isinstance(observed, xr.DataArray | xr.Dataset):
        raise TypeError(
            f"observed is a {type(observed).__name__}, wanted an xarray DataArray or "
            "Dataset of the frames that came; give them with lead or time"
        )
    if isinstance(observed, xr.Dataset):
        if name not in observed:
            raise ValueError(
                f"observed has no variable {name!r}, it has "
                f"{', '.join(map(str, observed.data_vars)) or 'none'}; rename one"
            )
        observed = observed[name]
    observed = as_ours(observed, name)
    if "lead" in observed.dims:
        return observed
    if "time" not in observed.dims:
        raise ValueError(
            f"observed has dimensions {observed.dims}, wanted lead or time; give the "
            "frames that follow the reference time"
        )
    if "time" not in forecast.coords:
        raise ValueError(
            "the forecast has no valid times, its leads cannot be found in observed; "
            "give it the coordinate time, or observed the dimension lead"
        )
    wanted = np.atleast_1d(forecast["time"].to_numpy())
    absent = ~np.isin(wanted, observed["time"].to_numpy())
    if absent.any():
        first, *_, last = np.datetime_as_string(wanted[[0, 0, -1]], "s")
        raise ValueError(
            f"observed has no frame at {np.datetime_as_string(wanted[absent][0], 's')} "
            f"and the forecast has; give all frames from {first} to {last}"
        )
    chosen = observed.sel(time=wanted).drop_vars("time").rename(time="lead")
    return chosen.assign_coords(lead=forecast["lead"].to_numpy())
