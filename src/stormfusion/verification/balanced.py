"""How far off where it matters: errors that weigh heavy rain more."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from stormfusion.losses.weights import checked_weight
from stormfusion.units import VARIABLES, conversion, rain_rate_to_reflectivity
from stormfusion.verification.blocks import block_sums
from stormfusion.verification.counts import reaches
from stormfusion.verification.pairs import (
    Dims,
    checked_thresholds,
    described,
    error_units,
    pair,
    ratio,
    summed,
)

Bare = npt.NDArray[Any]

RAIN_WEIGHTS: dict[float, float] = {
    0.0: 1.0,
    2.0: 2.0,
    5.0: 5.0,
    10.0: 10.0,
    30.0: 30.0,
}
"""What an error weighs from which observed rain rate [mm h-1] on, as for HKO-7."""


def balanced_sums(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    weights: Mapping[float, float] | None = None,
    over: Dims = None,
) -> xr.Dataset:
    """
    Sum errors, each times the weight of what was observed; see `bmse`.

    Parameters
    ----------
    forecast, observed, weights, over
        As in `bmse`.

    Returns
    -------
    Dataset
        `balanced_pairs` as int64, `balanced_squared_error` and
        `balanced_absolute_error`. Sums of several samples with the same weights
        `merge`.

    Raises
    ------
    ValueError
        If the observations are no rain rate and no weights are given, or the weights
        are none.

    Examples
    --------
    >>> observed = xr.DataArray([0.0, 40.0], dims="x", attrs={"units": "mm h-1"})
    >>> sums = balanced_sums(observed + 2, observed)
    >>> sums.balanced_absolute_error.item(), sums.balanced_squared_error.item()
    (62.0, 124.0)
    """
    f, o = pair(forecast, observed)
    steps = _steps(f, o) if weights is None else _checked(weights)

    def block(f: Bare, o: Bare) -> Bare:
        weight = np.full(o.shape, steps[0][1])
        for level, heavier in steps[1:]:
            weight[reaches(o, level)] = heavier
        error = f[0].astype(np.float64) - o
        valid = ~np.isnan(error)
        error = np.where(valid, np.abs(error), 0.0)
        weighed = weight * error
        sums = valid.sum(0), (weighed * error).sum(0), weighed.sum(0)
        return np.stack(sums, axis=-1)

    found = block_sums(block, f, o, summed(o, over), sizes={"part": 3})
    pairs, squared, absolute = (found.isel(part=i) for i in range(3))
    pairs = pairs.astype(np.int64)
    state = xr.Dataset(
        {
            "balanced_pairs": described(pairs, "pairs that are not missing"),
            "balanced_squared_error": described(squared, "sum of w e^2", None),
            "balanced_absolute_error": described(absolute, "sum of w |e|", None),
        }
    )
    units = o.attrs.get("units")
    return state.assign_attrs({"units": units} if units else {})


def balanced_scores(sums: xr.Dataset) -> xr.Dataset:
    """
    Both scores of the sums of weighted errors.

    Parameters
    ----------
    sums
        As from `balanced_sums`, or several of these merged.

    Returns
    -------
    Dataset
        `bmse` and `bmae`, means over the pairs; NaN where there is none.

    Examples
    --------
    >>> errors = {"balanced_squared_error": 124.0, "balanced_absolute_error": 62.0}
    >>> balanced_scores(xr.Dataset({"balanced_pairs": 2, **errors})).bmse.item()
    62.0
    """
    n, units = sums["balanced_pairs"], sums.attrs.get("units")
    squared, absolute = (
        ratio(sums[f"balanced_{name}_error"], n) for name in ("squared", "absolute")
    )
    return xr.Dataset(
        {
            "bmse": described(
                squared, "balanced mean squared error", error_units(units, squared=True)
            ),
            "bmae": described(
                absolute, "balanced mean absolute error", error_units(units)
            ),
        }
    )


def bmse(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    weights: Mapping[float, float] | None = None,
    over: Dims = None,
) -> xr.DataArray:
    r"""
    Balanced mean squared error, in which an error in heavy rain weighs more.

    $$\frac{1}{N} \sum w(o) (f - o)^2$$

    over the $N$ pairs of forecast $f$ and observed $o$. The weight $w$ is that of the
    observed rain alone, so false alarms weigh as dry pixels do.

    The benchmark HKO-7 gives the *sum* over the pixels of a frame, of reflectivity
    scaled to `(dBZ + 10) / 70`, with levels by its own power law: score reflectivity
    with `weights={-10: 1, 22.37: 2, 28.58: 5, 33.27: 10, 40.72: 30}`, and multiply by
    the pixels of a frame and by $1 / 70^2$ ($1 / 70$ for `bmae`).

    Parameters
    ----------
    forecast
        One forecast, in the units of `observed`.
    observed
        The observations on the grid of `forecast`. Missing pairs are not counted.
    weights
        What an error weighs from which observed value on, in the units of `observed`;
        what is below all levels weighs as the lowest. By default `RAIN_WEIGHTS`, if
        the units are those of a rain rate; or of reflectivity, whose levels are then
        those of the same rain by `units.rain_rate_to_reflectivity`. For other
        variables, such as VIL, no law gives a rain rate, and weights are yours to
        choose.
    over
        Dimensions to average over; all but `lead` if not given.

    Returns
    -------
    DataArray
        In the units of `observed` squared, best 0; NaN where there is no pair.

    Raises
    ------
    ValueError
        If the observations are no rain rate and no weights are given, or the weights
        are none.

    References
    ----------
    Shi, X., and Coauthors, 2017: Deep learning for precipitation nowcasting: A
    benchmark and a new model. *NeurIPS 2017*, <https://arxiv.org/abs/1706.03458>.

    Examples
    --------
    >>> observed = xr.DataArray([0.0, 40.0], dims="x", attrs={"units": "mm h-1"})
    >>> bmse(observed + 2, observed).item()
    62.0
    >>> vil = xr.DataArray([0.0, 12.0], dims="x", attrs={"units": "kg m-2"})
    >>> bmse(vil + 1, vil, weights={0: 1, 3.5: 5, 12: 20}).item()
    10.5
    """
    sums = balanced_sums(forecast, observed, weights=weights, over=over)
    return balanced_scores(sums)["bmse"]


def bmae(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    weights: Mapping[float, float] | None = None,
    over: Dims = None,
) -> xr.DataArray:
    r"""
    Balanced mean absolute error, $\frac{1}{N} \sum w(o) |f - o|$; see `bmse`.

    Parameters
    ----------
    forecast, observed, weights, over
        As in `bmse`; missing pairs are not counted.

    Returns
    -------
    DataArray
        In the units of `observed`, best 0; NaN where there is no pair.

    Examples
    --------
    >>> observed = xr.DataArray([0.0, 40.0], dims="x", attrs={"units": "mm h-1"})
    >>> bmae(observed + 2, observed).item()
    31.0
    """
    sums = balanced_sums(forecast, observed, weights=weights, over=over)
    return balanced_scores(sums)["bmae"]


Steps = list[tuple[float, float]]


def _steps(forecast: xr.DataArray, observed: xr.DataArray) -> Steps:
    """Levels in the units of the observations, rising, and their weights."""
    units = observed.attrs.get("units", forecast.attrs.get("units"))
    if units is None and observed.name in VARIABLES:
        units = VARIABLES[str(observed.name)].units
    rates = np.array(list(RAIN_WEIGHTS))
    values = list(RAIN_WEIGHTS.values())
    if units is not None:
        for known, levels in (
            ("mm h-1", rates),
            ("dBZ", rain_rate_to_reflectivity(rates)),
        ):
            with suppress(ValueError):
                scale, offset = conversion(known, str(units))
                return list(zip(scale * levels + offset, values, strict=True))
    raise ValueError(
        f"observed {observed.name!r} has the units {units!r}, which are not those of a "
        "rain rate or reflectivity; convert it, or pass weights of your own in its "
        "units, such as {0: 1, 3.5: 5, 12: 20}"
    )


def _checked(weights: Mapping[float, float]) -> Steps:
    if not isinstance(weights, Mapping) or not weights:
        raise ValueError(
            f"weights are {weights!r}; give the weight from each level on, such as "
            "{0: 1, 2: 2, 5: 5}"
        )
    levels = np.atleast_1d(checked_thresholds(list(weights)))
    values = [checked_weight(f"errors from {k}", w) for k, w in weights.items()]
    return sorted(zip(levels.tolist(), values, strict=True))
