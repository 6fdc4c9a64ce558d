"""What probabilities are worth: reliability, discrimination, value to a decision."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy.special import bdtr, bdtrik

from stormfusion.verification.pairs import Dims, Thresholds, described, ratio
from stormfusion.verification.probability import probability_sums

Bare = npt.NDArray[Any]


def reliability_scores(sums: xr.Dataset, *, level: float = 0.9) -> xr.Dataset:
    """
    The reliability diagram of its sums.

    Parameters
    ----------
    sums
        As from `probability_sums`, or several of these merged.
    level
        Of the consistency bars, between 0 and 1.

    Returns
    -------
    Dataset
        As from `reliability`.

    Examples
    --------
    >>> forecast = xr.DataArray([0.2, 0.3], dims="x")
    >>> sums = probability_sums(forecast, xr.DataArray([0, 1], dims="x"), bins=1)
    >>> reliability_scores(sums).observed_frequency.values
    array([0.5])
    """
    if not 0 < level < 1:
        raise ValueError(
            f"level is {level!r}; give a share between 0 and 1, such as .9"
        )
    n, p, o = (sums[name] for name in ("count", "probability_sum", "event_sum"))
    base_rate = ratio(o.sum("bin"), n.sum("bin"))
    mean = ratio(p, n)
    diagram = {
        "forecast_probability": described(mean, "mean forecast probability"),
        "observed_frequency": described(ratio(o, n), "observed frequency"),
        "count": described(n, "pairs in the bin"),
        "base_rate": described(base_rate, "observed frequency of the event"),
    }
    for name, share in (("lower", (1 - level) / 2), ("upper", (1 + level) / 2)):
        bar = xr.apply_ufunc(
            _binomial, share, n, mean, dask="parallelized", output_dtypes=[np.float64]
        )
        diagram[f"consistency_{name}"] = described(
            bar, f"{name} end of the bar of {level:g} consistency"
        )
    return xr.Dataset(diagram)


def reliability(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    threshold: Thresholds | None = None,
    bins: int | None = None,
    level: float = 0.9,
    over: Dims = None,
) -> xr.Dataset:
    """
    Reliability diagram: how often an event happens, by its forecast probability.

    The consistency bars hold the observed frequencies that a reliable forecast would
    show, by chance, with a probability of `level` or a little more: a point outside its
    bar is hardly reliable. They are quantiles of the binomial distribution of the pairs
    in the bin, as if each had the mean probability of the bin, where the paper draws
    probabilities anew. And they are those of independent pairs. Neighbouring pixels are
    not, and bars of whole maps are too short by far: there, `bootstrap` over events.

    Parameters
    ----------
    forecast, observed, threshold, bins, over
        As in `probability_sums`; missing pairs are not counted.
    level
        Of the consistency bars, between 0 and 1.

    Returns
    -------
    Dataset
        `forecast_probability`, the mean in each bin, `observed_frequency`, `count`,
        `consistency_lower` and `consistency_upper` along `bin`, and `base_rate`. Empty
        bins are NaN [1].

    References
    ----------
    Broecker, J., and L. A. Smith, 2007: Increasing the reliability of reliability
    diagrams. *Wea. Forecasting*, **22**, 651-661,
    <https://doi.org/10.1175/WAF993.1>.

    Examples
    --------
    >>> forecast = xr.DataArray([0.1, 0.3, 0.9], dims="x")
    >>> diagram = reliability(forecast, xr.DataArray([0, 1, 1], dims="x"), bins=2)
    >>> diagram.observed_frequency.values
    array([0.5, 1. ])
    """
    sums = probability_sums(
        forecast, observed, threshold=threshold, bins=bins, over=over
    )
    return reliability_scores(sums, level=level)


def roc_scores(sums: xr.Dataset) -> xr.Dataset:
    """
    The relative operating characteristic of its sums.

    Parameters
    ----------
    sums
        As from `probability_sums`, or several of these merged.

    Returns
    -------
    Dataset
        As from `roc`.

    Examples
    --------
    >>> forecast = xr.DataArray([0.2, 0.3, 0.9], dims="x")
    >>> sums = probability_sums(forecast, xr.DataArray([0, 1, 1], dims="x"), bins=10)
    >>> roc_scores(sums).roc_area.item()
    1.0
    """
    n, o = (sums[name].astype(np.float64) for name in ("count", "event_sum"))
    # a warning is given where the probability is that of the bin or more
    rates = []
    for part in (o, n - o):
        warned = part.isel(bin=slice(None, None, -1)).cumsum("bin")
        rates.append(ratio(warned.isel(bin=slice(None, None, -1)), part.sum("bin")))
    pod, pofd = (rate.assign_coords(bin=sums["bin"]) for rate in rates)
    above_pod, above_pofd = (rate.shift(bin=-1, fill_value=0.0) for rate in (pod, pofd))
    area = ((pofd - above_pofd) * (pod + above_pod) / 2.0).sum("bin", skipna=False)
    return xr.Dataset(
        {
            "pod": described(pod, "probability of detection"),
            "pofd": described(pofd, "probability of false detection"),
            "roc_area": described(area, "area under the ROC curve"),
        }
    )


def roc(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    threshold: Thresholds | None = None,
    bins: int | None = None,
    over: Dims = None,
) -> xr.Dataset:
    """
    Relative operating characteristic: how well probabilities tell events apart.

    A warning is given where the probability lies in a bin or above it: each bin is a
    point of the curve, which goes on to (0, 0), no warning at all. The area is that of
    trapezoids: with a bin for each probability, the chance that an event had a higher
    probability than a pair without, ties by half.

    Parameters
    ----------
    forecast, observed, threshold, bins, over
        As in `probability_sums`; missing pairs are not counted. Fewer bins than there
        are probabilities make the area smaller.

    Returns
    -------
    Dataset
        `pod` and `pofd` along `bin`, 0 to 1, and `roc_area`, best 1 and 0.5 without
        skill. It does not see whether probabilities are reliable. NaN where the event
        occurred always or never [1].

    References
    ----------
    Mason, S. J., and N. E. Graham, 2002: Areas beneath the relative operating
    characteristics (ROC) and relative operating levels (ROL) curves. *Quart. J. Roy.
    Meteor. Soc.*, **128**, 2145-2166, <https://doi.org/10.1256/003590002320603584>.

    Examples
    --------
    >>> members = [[1.0, 9.0], [9.0, 9.0], [1.0, 1.0]]
    >>> forecast = xr.DataArray(members, dims=("x", "member"))
    >>> observed = xr.DataArray([9.0, 1.0, 1.0], dims="x")
    >>> roc(forecast, observed, threshold=5).roc_area.item()
    0.5
    """
    sums = probability_sums(
        forecast, observed, threshold=threshold, bins=bins, over=over
    )
    return roc_scores(sums)


def economic_value(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    threshold: Thresholds | None = None,
    cost_loss: Sequence[float] | None = None,
    bins: int | None = None,
    over: Dims = None,
) -> xr.DataArray:
    r"""
    What a forecast is worth to who can protect against an event, at a cost.

    $$V = \frac{\min(\alpha, s) - F \alpha (1 - s) + H s (1 - \alpha) - s}
    {\min(\alpha, s) - s \alpha}$$

    for a ratio $\alpha$ of the cost of protection to the loss without, a frequency $s$
    of the event, hit rate $H$ and false alarm rate $F$: the share of what a perfect
    forecast would save beyond climatology. Protection is taken at the probability that
    pays best in the sample.

    Parameters
    ----------
    forecast, observed, threshold, bins, over
        As in `probability_sums`; missing pairs are not counted.
    cost_loss
        Ratios, each between 0 and 1; 0.01 to 0.99 if not given.

    Returns
    -------
    DataArray
        Along `cost_loss`, best 1; 0 where the climatology is as good [1]. NaN where
        the event occurred always or never. How often it did is the coordinate
        `base_rate`; events rarer than 0.01 are worth most below the usual ratios.

    References
    ----------
    Richardson, D. S., 2000: Skill and relative economic value of the ECMWF ensemble
    prediction system. *Quart. J. Roy. Meteor. Soc.*, **126**, 649-667,
    <https://doi.org/10.1002/qj.49712656313>.

    Examples
    --------
    >>> forecast = xr.DataArray([0.0, 0.2, 0.9, 1.0], dims="x")
    >>> observed = xr.DataArray([0, 0, 1, 1], dims="x")
    >>> economic_value(forecast, observed, cost_loss=[0.5]).values
    array([1.])
    """
    sums = probability_sums(
        forecast, observed, threshold=threshold, bins=bins, over=over
    )
    return value_score(sums, cost_loss=cost_loss)


def value_score(
    sums: xr.Dataset, *, cost_loss: Sequence[float] | None = None
) -> xr.DataArray:
    """
    The economic value of its sums; see `economic_value`.

    Parameters
    ----------
    sums
        As from `probability_sums`, or several of these merged.
    cost_loss
        Ratios of cost to loss, each between 0 and 1; 0.01 to 0.99 if not given.

    Returns
    -------
    DataArray
        As from `economic_value`.

    Examples
    --------
    >>> forecast = xr.DataArray([0.0, 1.0], dims="x")
    >>> sums = probability_sums(forecast, xr.DataArray([0, 1], dims="x"))
    >>> value_score(sums, cost_loss=[0.1, 0.5]).values
    array([1., 1.])
    """
    ratios = np.arange(1, 100) / 100 if cost_loss is None else np.asarray(cost_loss)
    if ratios.dtype.kind != "f" or ratios.ndim != 1 or not ratios.size:
        raise ValueError(f"cost_loss is {cost_loss!r}; give ratios such as [0.1, 0.5]")
    if not ((ratios > 0) & (ratios < 1)).all():
        raise ValueError(
            f"cost_loss is {cost_loss!r}; give ratios between 0 and 1, for protection "
            "that costs more than the loss pays for nobody"
        )
    what = {"long_name": "cost of protection by loss without", "units": "1"}
    alpha = xr.DataArray(ratios, dims="cost_loss", name="cost_loss", attrs=what)
    curve = roc_scores(sums)
    rate = ratio(sums["event_sum"].sum("bin"), sums["count"].sum("bin"))
    climatology = alpha.where(alpha < rate, rate)
    # protection from each probability on
    saved: xr.DataArray = (
        climatology
        - curve["pofd"] * alpha * (1.0 - rate)
        + curve["pod"] * rate * (1.0 - alpha)
        - rate
    )
    # or never, or always, of which one is as good as the climatology
    value = ratio(saved.max("bin"), climatology - rate * alpha).clip(0.0)
    value = value.where((rate > 0) & (rate < 1)).assign_coords(cost_loss=alpha)
    value = described(value.transpose(..., "cost_loss"), "relative economic value")
    return value.assign_coords(base_rate=described(rate, "observed frequency"))


def _binomial(share: float, n: Bare, p: Bare) -> Bare:
    """The frequency of events in n pairs that is not exceeded with a probability."""
    known = n > 0
    pairs, chance = np.where(known, n, 1), np.where(known, p, 0.5).clip(0.0, 1.0)
    above = np.ceil(bdtrik(share, pairs, chance)).clip(0, pairs)
    below = np.maximum(above - 1, 0)
    enough = bdtr(below, pairs, chance) >= share
    count = np.where(enough, below, above)
    # where it is certain there is nothing to invert
    count = np.where((chance == 0.0) | (chance == 1.0), chance * pairs, count)
    return np.where(known, count / pairs, np.nan)
