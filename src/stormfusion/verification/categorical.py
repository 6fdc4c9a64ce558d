"""Scores of yes or no forecasts, straight from the fields."""

import xarray as xr

from stormfusion.verification.counts import categorical_scores, contingency
from stormfusion.verification.pairs import Dims, Thresholds


def csi(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    threshold: Thresholds,
    pool: int | None = None,
    over: Dims = None,
) -> xr.DataArray:
    """
    Critical success index.

    $h / (h + m + f)$ of hits $h$, misses $m$ and false alarms $f$. Also known as
    the threat score.

    Parameters
    ----------
    forecast, observed, threshold, pool, over
        As in `contingency`: an event is `value >= threshold`, missing pairs are not
        counted, and counts are pooled over `over` before they are divided.

    Returns
    -------
    DataArray
        0 to 1, best 1; NaN where no event was forecast or observed [1].

    Examples
    --------
    >>> forecast = xr.DataArray([9, 9, 9, 1, 1, 1, 1, 1], dims="x")
    >>> observed = xr.DataArray([9, 9, 1, 9, 1, 1, 1, 1], dims="x")
    >>> csi(forecast, observed, threshold=5).round(3).item()
    0.5
    """
    counts = contingency(forecast, observed, threshold=threshold, pool=pool, over=over)
    return categorical_scores(counts)["csi"]


def pod(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    threshold: Thresholds,
    pool: int | None = None,
    over: Dims = None,
) -> xr.DataArray:
    """
    Probability of detection.

    $h / (h + m)$ of hits $h$ and misses $m$. Also known as hit rate or recall.

    Parameters
    ----------
    forecast, observed, threshold, pool, over
        As in `contingency`: an event is `value >= threshold`, missing pairs are not
        counted, and counts are pooled over `over` before they are divided.

    Returns
    -------
    DataArray
        0 to 1, best 1; NaN where no event was observed [1].

    Examples
    --------
    >>> forecast = xr.DataArray([9, 9, 9, 1, 1, 1, 1, 1], dims="x")
    >>> observed = xr.DataArray([9, 9, 1, 9, 1, 1, 1, 1], dims="x")
    >>> pod(forecast, observed, threshold=5).round(3).item()
    0.667
    """
    counts = contingency(forecast, observed, threshold=threshold, pool=pool, over=over)
    return categorical_scores(counts)["pod"]


def far(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    threshold: Thresholds,
    pool: int | None = None,
    over: Dims = None,
) -> xr.DataArray:
    """
    False alarm ratio.

    $f / (h + f)$ of false alarms $f$ and hits $h$. The false alarm *rate* is
    `pofd`.

    Parameters
    ----------
    forecast, observed, threshold, pool, over
        As in `contingency`: an event is `value >= threshold`, missing pairs are not
        counted, and counts are pooled over `over` before they are divided.

    Returns
    -------
    DataArray
        0 to 1, best 0; NaN where no event was forecast [1].

    Examples
    --------
    >>> forecast = xr.DataArray([9, 9, 9, 1, 1, 1, 1, 1], dims="x")
    >>> observed = xr.DataArray([9, 9, 1, 9, 1, 1, 1, 1], dims="x")
    >>> far(forecast, observed, threshold=5).round(3).item()
    0.333
    """
    counts = contingency(forecast, observed, threshold=threshold, pool=pool, over=over)
    return categorical_scores(counts)["far"]


def pofd(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    threshold: Thresholds,
    pool: int | None = None,
    over: Dims = None,
) -> xr.DataArray:
    """
    Probability of false detection.

    $f / (f + r)$ of false alarms $f$ and correct negatives $r$. Also known as the
    false alarm rate.

    Parameters
    ----------
    forecast, observed, threshold, pool, over
        As in `contingency`: an event is `value >= threshold`, missing pairs are not
        counted, and counts are pooled over `over` before they are divided.

    Returns
    -------
    DataArray
        0 to 1, best 0; NaN where every pair was observed as an event [1].

    Examples
    --------
    >>> forecast = xr.DataArray([9, 9, 9, 1, 1, 1, 1, 1], dims="x")
    >>> observed = xr.DataArray([9, 9, 1, 9, 1, 1, 1, 1], dims="x")
    >>> pofd(forecast, observed, threshold=5).round(3).item()
    0.2
    """
    counts = contingency(forecast, observed, threshold=threshold, pool=pool, over=over)
    return categorical_scores(counts)["pofd"]


def success_ratio(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    threshold: Thresholds,
    pool: int | None = None,
    over: Dims = None,
) -> xr.DataArray:
    """
    Success ratio.

    $h / (h + f)$ of hits $h$ and false alarms $f$. Also known as precision; 1 less
    the false alarm ratio.

    Parameters
    ----------
    forecast, observed, threshold, pool, over
        As in `contingency`: an event is `value >= threshold`, missing pairs are not
        counted, and counts are pooled over `over` before they are divided.

    Returns
    -------
    DataArray
        0 to 1, best 1; NaN where no event was forecast [1].

    Examples
    --------
    >>> forecast = xr.DataArray([9, 9, 9, 1, 1, 1, 1, 1], dims="x")
    >>> observed = xr.DataArray([9, 9, 1, 9, 1, 1, 1, 1], dims="x")
    >>> success_ratio(forecast, observed, threshold=5).round(3).item()
    0.667
    """
    counts = contingency(forecast, observed, threshold=threshold, pool=pool, over=over)
    return categorical_scores(counts)["success_ratio"]


def bias(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    threshold: Thresholds,
    pool: int | None = None,
    over: Dims = None,
) -> xr.DataArray:
    """
    Frequency bias.

    $(h + f) / (h + m)$ of hits $h$, false alarms $f$ and misses $m$. It compares
    how often, not where.

    Parameters
    ----------
    forecast, observed, threshold, pool, over
        As in `contingency`: an event is `value >= threshold`, missing pairs are not
        counted, and counts are pooled over `over` before they are divided.

    Returns
    -------
    DataArray
        0 to infinity, best 1; infinite where events were forecast and none
        observed, NaN where neither [1].

    Examples
    --------
    >>> forecast = xr.DataArray([9, 9, 9, 1, 1, 1, 1, 1], dims="x")
    >>> observed = xr.DataArray([9, 9, 1, 9, 1, 1, 1, 1], dims="x")
    >>> bias(forecast, observed, threshold=5).round(3).item()
    1.0
    """
    counts = contingency(forecast, observed, threshold=threshold, pool=pool, over=over)
    return categorical_scores(counts)["bias"]


def hss(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    threshold: Thresholds,
    pool: int | None = None,
    over: Dims = None,
) -> xr.DataArray:
    """
    Heidke skill score.

    $2 (h r - m f) / ((h + m)(m + r) + (h + f)(f + r))$ of hits $h$, misses $m$,
    false alarms $f$ and correct negatives $r$. The share of right pairs beyond
    those that chance would give; Cohen's kappa.

    Parameters
    ----------
    forecast, observed, threshold, pool, over
        As in `contingency`: an event is `value >= threshold`, missing pairs are not
        counted, and counts are pooled over `over` before they are divided.

    Returns
    -------
    DataArray
        -1 to 1, best 1, chance 0; NaN where all pairs are alike [1].

    Examples
    --------
    >>> forecast = xr.DataArray([9, 9, 9, 1, 1, 1, 1, 1], dims="x")
    >>> observed = xr.DataArray([9, 9, 1, 9, 1, 1, 1, 1], dims="x")
    >>> hss(forecast, observed, threshold=5).round(3).item()
    0.467
    """
    counts = contingency(forecast, observed, threshold=threshold, pool=pool, over=over)
    return categorical_scores(counts)["hss"]


def ets(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    threshold: Thresholds,
    pool: int | None = None,
    over: Dims = None,
) -> xr.DataArray:
    """
    Equitable threat score.

    $(h - h_r) / (h + m + f - h_r)$ of hits $h$, misses $m$ and false alarms $f$. Of
    $n$ pairs, $h_r = (h + m)(h + f) / n$ are hits by chance. Also known as the
    Gilbert skill score.

    Parameters
    ----------
    forecast, observed, threshold, pool, over
        As in `contingency`: an event is `value >= threshold`, missing pairs are not
        counted, and counts are pooled over `over` before they are divided.

    Returns
    -------
    DataArray
        -1/3 to 1, best 1, chance 0; NaN where all pairs are alike [1].

    Examples
    --------
    >>> forecast = xr.DataArray([9, 9, 9, 1, 1, 1, 1, 1], dims="x")
    >>> observed = xr.DataArray([9, 9, 1, 9, 1, 1, 1, 1], dims="x")
    >>> ets(forecast, observed, threshold=5).round(3).item()
    0.304
    """
    counts = contingency(forecast, observed, threshold=threshold, pool=pool, over=over)
    return categorical_scores(counts)["ets"]


def pss(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    threshold: Thresholds,
    pool: int | None = None,
    over: Dims = None,
) -> xr.DataArray:
    """
    Peirce skill score.

    $h / (h + m) - f / (f + r)$ of hits $h$, misses $m$, false alarms $f$ and
    correct negatives $r$. Also known as the Hanssen and Kuipers discriminant, `pod`
    less `pofd`.

    Parameters
    ----------
    forecast, observed, threshold, pool, over
        As in `contingency`: an event is `value >= threshold`, missing pairs are not
        counted, and counts are pooled over `over` before they are divided.

    Returns
    -------
    DataArray
        -1 to 1, best 1, chance 0; NaN where `pod` or `pofd` is [1].

    Examples
    --------
    >>> forecast = xr.DataArray([9, 9, 9, 1, 1, 1, 1, 1], dims="x")
    >>> observed = xr.DataArray([9, 9, 1, 9, 1, 1, 1, 1], dims="x")
    >>> pss(forecast, observed, threshold=5).round(3).item()
    0.467
    """
    counts = contingency(forecast, observed, threshold=threshold, pool=pool, over=over)
    return categorical_scores(counts)["pss"]


def sedi(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    threshold: Thresholds,
    pool: int | None = None,
    over: Dims = None,
) -> xr.DataArray:
    r"""
    Symmetric extremal dependence index, for rare events.

    $$\frac{\ln F - \ln H - \ln(1 - F) + \ln(1 - H)}
    {\ln F + \ln H + \ln(1 - F) + \ln(1 - H)}$$

    of the hit rate $H$, `pod`, and the false alarm rate $F$, `pofd`. It does not go to
    zero, as others do, where events are rarer and rarer.

    Parameters
    ----------
    forecast, observed, threshold, pool, over
        As in `contingency`: an event is `value >= threshold`, missing pairs are not
        counted, and counts are pooled over `over` before they are divided.

    Returns
    -------
    DataArray
        -1 to 1, best 1, chance 0; its limit where one of the rates is 0 or 1, and NaN
        where that is none, or a rate is NaN [1].

    References
    ----------
    Ferro, C. A. T., and D. B. Stephenson, 2011: Extremal dependence indices: improved
    verification measures for deterministic forecasts of rare binary events. *Wea.
    Forecasting*, **26**, 699-713, <https://doi.org/10.1175/WAF-D-10-05030.1>.

    Examples
    --------
    >>> forecast = xr.DataArray([9, 9, 9, 1, 1, 1, 1, 1], dims="x")
    >>> observed = xr.DataArray([9, 9, 1, 9, 1, 1, 1, 1], dims="x")
    >>> sedi(forecast, observed, threshold=5).round(3).item()
    0.623
    """
    counts = contingency(forecast, observed, threshold=threshold, pool=pool, over=over)
    return categorical_scores(counts)["sedi"]
