"""All sums and scores that suit a forecast, together."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import xarray as xr

from stormfusion.errors import GridMismatchError
from stormfusion.losses import Loss
from stormfusion.units import VARIABLES
from stormfusion.verification.continuous import error_scores, error_sums
from stormfusion.verification.counts import (
    CATEGORICAL,
    COUNTS,
    categorical_scores,
    contingency,
)
from stormfusion.verification.diagrams import reliability_scores, roc_scores
from stormfusion.verification.dispersion import (
    rank_score,
    rank_sums,
    spread_scores,
    spread_sums,
)
from stormfusion.verification.granularity import grain_sums, granularity_score
from stormfusion.verification.pairs import described
from stormfusion.verification.perceptual import distance_score, distance_sums
from stormfusion.verification.probabilistic import crps_score, crps_sums
from stormfusion.verification.probability import (
    PARTS,
    probability_scores,
    probability_sums,
)
from stormfusion.verification.protocols import named
from stormfusion.verification.spatial import (
    fss_score,
    fss_sums,
    skillful_scale,
    useful_fss,
)
from stormfusion.verification.spectrum import (
    band_score,
    power_sums,
    resolution_score,
    spectrum_score,
)

BAND = (4.0, 16.0)
"""Wavelengths whose power tells how sharp a forecast is [km]."""
POOLS = (4, 16)
"""Widths of squares of which the largest values are compared [pixels]."""


@dataclass(frozen=True)
class Settings:
    """What to score by; see `Tally`."""

    variable: str
    thresholds: Sequence[float]
    scales: Sequence[int]
    bins: int
    distances: Sequence[Loss]


def all_sums(
    forecast: xr.DataArray,
    members: xr.DataArray,
    observed: xr.DataArray,
    settings: Settings,
) -> xr.Dataset:
    """
    Sums of all scores that suit a forecast, of one case.

    Parameters
    ----------
    forecast
        With `member` where it is an ensemble: then its mean has errors and events.
    members
        The members, or `forecast` again.
    observed
        NaN wherever any forecast of the case is missing.
    settings
        What to score by.

    Examples
    --------
    >>> rain = xr.DataArray([[0.0, 2.0], [0.0, 0.0]], dims=("y", "x"))
    >>> sums = all_sums(rain, rain, rain, Settings("mine", [1.0], [1], 10, []))
    >>> sums.hits.values
    array([1])
    """
    single = forecast
    if "member" in forecast.dims:
        single = forecast.mean("member", skipna=False, keep_attrs=True)
    t, maps = settings.thresholds, {"y", "x"} <= set(observed.dims)
    errors = error_sums(single, observed)
    if members.sizes.get("member", 1) > 1:
        crps = crps_sums(members, observed)
        ensemble = [
            spread_sums(members, observed),
            rank_sums(members, observed, threshold=min(t)),
        ]
    else:
        crps = xr.Dataset(
            {"crps_pairs": errors["pairs"], "crps_sum": errors["absolute_error"]}
        )
        ensemble = []
    chances = probability_sums(members, observed, threshold=t, bins=settings.bins)
    return xr.merge(
        [
            contingency(single, observed, threshold=t),
            *_pooled(single, observed, t),
            errors,
            crps,
            *ensemble,
            *(
                [fss_sums(forecast, observed, threshold=t, scale=settings.scales)]
                if maps
                else []
            ),
            chances,
            *_powers(forecast, observed, settings.variable),
            *grains(members, observed, t),
            *(
                distance_sums(forecast, observed, loss=d, variable=settings.variable)
                for d in (settings.distances if maps else ())
            ),
        ],
        compat="equals",
        join="exact",
        combine_attrs="drop_conflicts",
    )


def all_scores(
    sums: xr.Dataset, distances: Sequence[Loss], *, fair: bool
) -> xr.Dataset:
    """
    The scores of these sums.

    Parameters
    ----------
    sums
        As from `all_sums`, or several of these merged.
    distances
        As in the settings.
    fair
        Whether the CRPS is that of ensembles, for its label.

    Examples
    --------
    >>> rain = xr.DataArray([[0.0, 2.0], [0.0, 0.0]], dims=("y", "x"))
    >>> sums = all_sums(rain, rain, rain, Settings("mine", [1.0], [1], 10, []))
    >>> all_scores(sums, [], fair=False).csi.values
    array([1.])
    """
    scores = {**categorical_scores(sums), **error_scores(sums)}
    for pool in POOLS:
        names = {named(name, pool): name for name in COUNTS}
        if set(names) <= set(sums):
            table = sums[list(names)].rename(names)
            long_name, formula = CATEGORICAL["csi"]
            score = formula(*(table[name] for name in COUNTS))
            of = f"{long_name} of the largest of {pool} x {pool} pixels"
            scores[named("csi", pool)] = described(score, of)
    scores["crps"] = crps_score(sums, fair=fair)
    if "rank_pairs" in sums:
        ranks = rank_score(sums)
        scores["rank_histogram"] = ranks.assign_attrs(
            comment="of pairs in which a member or the observation reaches the "
            "smallest threshold; ties are drawn with seed 0"
        )
    if "spread_pairs" in sums:
        spread = spread_scores(sums)
        scores |= {"spread": spread["spread"], "spread_skill": spread["ratio"]}
    if "fss_numerator" in sums:
        scores |= {"fss": fss_score(sums), "fss_useful": useful_fss(sums)}
    if "fss_numerator" in sums and sums.sizes.get("scale", 1) > 1:
        scores["skillful_scale"] = skillful_scale(sums)
    chances = probability_scores(sums).drop_vars("base_rate")
    scores |= {**chances, "roc_area": roc_scores(sums)["roc_area"]}
    pooled = sums[list(PARTS)]
    diagram = reliability_scores(
        pooled.sum("lead") if "lead" in pooled.dims else pooled
    )
    if "forecast" in diagram["base_rate"].dims:
        diagram["base_rate"] = diagram["base_rate"].isel(forecast=0, drop=True)
    scores |= dict(diagram)
    if "power_modes" in sums:
        scores |= {"spectrum_ratio": _detail(sums), "spectrum": spectrum_score(sums)}
        scores["effective_resolution"] = resolution_score(sums)
    if "contour_length" in sums:
        scores["granularity"] = granularity_score(sums)
    found = [loss.name for loss in distances if f"{loss.name}_sum" in sums]
    scores |= {name: distance_score(sums, name) for name in found}
    scores |= dict(sums[[*COUNTS, "pairs"]])
    return xr.Dataset(scores)


def _pooled(
    forecast: xr.DataArray, observed: xr.DataArray, thresholds: Sequence[float]
) -> list[xr.Dataset]:
    """Tables of squares; of zeros where the map is too small for them."""
    found = []
    for pool in POOLS:
        fits = min(observed.sizes.get(dim, 0) for dim in ("y", "x")) >= pool
        table = contingency(
            forecast, observed, threshold=thresholds, pool=pool if fits else None
        )
        table = table.drop_vars("pool") if fits else xr.zeros_like(table)
        found.append(table.rename({name: named(name, pool) for name in COUNTS}))
    return found


def _powers(
    forecast: xr.DataArray, observed: xr.DataArray, variable: str
) -> list[xr.Dataset]:
    """Power by wavelength; none on a grid that is not regular, of zeros there."""
    name = variable if variable in VARIABLES else None
    if not {"y", "x"} <= set(observed.dims):
        return []
    # what is said to be scored goes before the name of the observations
    observed = observed.rename(name)
    try:
        return [power_sums(forecast, observed, variable=name)]
    except GridMismatchError as error:
        warnings.warn(
            f"there are no spectra and no granularity: {error}",
            UserWarning,
            stacklevel=4,
        )
        bare = (a.drop_vars(["y", "x"]) for a in (forecast, observed))
        return [xr.zeros_like(power_sums(*bare, variable=name))]


def grains(
    members: xr.DataArray,
    observed: xr.DataArray,
    thresholds: Sequence[float] | None = None,
) -> list[xr.Dataset]:
    """
    How fine the probabilities are; of zeros on a grid that is not regular.

    Examples
    --------
    >>> chance = xr.DataArray([[0.0, 1.0]] * 2, dims=("y", "x"))
    >>> [sums.contour_length.item() for sums in grains(chance, chance)]
    [1.0]
    """
    if not {"y", "x"} <= set(observed.dims):
        return []
    try:
        return [grain_sums(members, observed, threshold=thresholds)]
    except GridMismatchError:
        bare = (a.drop_vars(["y", "x"]) for a in (members, observed))
        return [xr.zeros_like(grain_sums(*bare, threshold=thresholds))]


def _detail(sums: xr.Dataset) -> xr.DataArray:
    """Power at the small wavelengths as a share of the observed."""
    found = band_score(sums, BAND)
    found = found.drop_vars(["wavelength_lower", "wavelength_upper"])
    found.attrs["long_name"] += f" at {BAND[0]:g} to {BAND[1]:g} km"
    return found
