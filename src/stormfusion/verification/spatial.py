"""How close is close enough: the fractions skill score."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from stormfusion.verification.blocks import map_sums
from stormfusion.verification.fractions import fraction_sums
from stormfusion.verification.pairs import (
    Dims,
    Thresholds,
    checked_thresholds,
    described,
    pair,
    ratio,
    summed,
    threshold_label,
)

Bare = npt.NDArray[Any]


def fss_sums(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    threshold: Thresholds | None = None,
    scale: int | Sequence[int],
    over: Dims = None,
) -> xr.Dataset:
    """
    Sum squares of fractions over windows; see `fss`.

    Parameters
    ----------
    forecast, observed, threshold, scale, over
        As in `fss`.

    Returns
    -------
    Dataset
        `fss_windows` as int64, `fss_numerator` and `fss_denominator`. Sums of several
        samples `merge`.

    Examples
    --------
    >>> observed = xr.DataArray([[1.0, 0.0, 0.0]], dims=("y", "x"))
    >>> sums = fss_sums(observed[:, ::-1], observed, threshold=1, scale=1)
    >>> sums.fss_numerator.item(), sums.fss_denominator.item()
    (2.0, 2.0)
    """
    scales = checked_scales(scale)
    forecast, observed = pair(forecast, observed, members=threshold is not None)
    if threshold is None:
        label, limits = None, [None]
    else:
        label = threshold_label(threshold, observed)
        limits = np.atleast_1d(checked_thresholds(threshold)).tolist()
    found = map_sums(
        lambda f, o: fraction_sums(f, o, limits, scales),
        forecast,
        observed,
        summed(observed, over),
        sizes={"threshold": len(limits), "scale": len(scales), "part": 5},
    )
    windows, numerator, denominator, events, pixels = (
        found.isel(part=part) for part in range(5)
    )
    events, pixels = (whole.isel(scale=0) for whole in (events, pixels))
    sums = xr.Dataset(
        {
            "fss_windows": described(windows.astype(np.int64), "windows that count"),
            "fss_numerator": described(numerator, "sum of (p_f - p_o)^2"),
            "fss_denominator": described(denominator, "sum of p_f^2 + p_o^2"),
            "fss_events": described(events.astype(np.int64), "events observed"),
            "fss_pixels": described(pixels.astype(np.int64), "pixels that are valid"),
        }
    )
    if label is None or label.ndim == 0:
        sums = sums.isel(threshold=0)
    if label is not None:
        sums = sums.assign_coords(threshold=label)
    if np.ndim(scale) == 0:
        sums = sums.isel(scale=0)
    width = xr.DataArray(
        np.asarray(scale),
        dims="scale" if np.ndim(scale) else (),
        attrs={"long_name": "width of the window in pixels", "units": "1"},
    )
    return sums.assign_coords(scale=width)


def fss_score(sums: xr.Dataset) -> xr.DataArray:
    """
    The fractions skill score of its sums.

    Parameters
    ----------
    sums
        As from `fss_sums`, or several of these merged.

    Returns
    -------
    DataArray
        NaN where no event was forecast or observed.

    Examples
    --------
    >>> fss_score(xr.Dataset({"fss_numerator": 1.0, "fss_denominator": 4.0})).item()
    0.75
    """
    error = ratio(sums["fss_numerator"], sums["fss_denominator"])
    return described(1.0 - error, "fractions skill score")


def useful_fss(sums: xr.Dataset) -> xr.DataArray:
    r"""
    The fractions skill score from which a forecast is held to be useful.

    It is $(1 + f_o) / 2$, with $f_o$ the share of pixels where the event occurred: half
    way from what a random forecast of that share would score, $f_o$, to 1.

    Parameters
    ----------
    sums
        As from `fss_sums`, or several of these merged.

    Returns
    -------
    DataArray
        0.5 to 1; NaN where no pixel was valid [1].

    Examples
    --------
    >>> useful_fss(xr.Dataset({"fss_events": 10, "fss_pixels": 100})).item()
    0.55
    """
    rate = ratio(sums["fss_events"], sums["fss_pixels"])
    return described(0.5 + rate / 2.0, "useful fractions skill score")


def skillful_scale(sums: xr.Dataset) -> xr.DataArray:
    """
    The smallest window from which on a forecast is useful.

    Parameters
    ----------
    sums
        As from `fss_sums` with several scales, or several of these merged.

    Returns
    -------
    DataArray
        Width [pixels], linear between the scales, at which the fractions skill score
        reaches `useful_fss` and stays there for all larger ones; the smallest scale if
        it is useful at all; infinite if it is not at the largest, NaN where there is no
        score.

    References
    ----------
    Roberts, N. M., and H. W. Lean, 2008: Scale-selective verification of rainfall
    accumulations from high-resolution forecasts of convective events. *Mon. Wea. Rev.*,
    **136**, 78-97, <https://doi.org/10.1175/2007MWR2123.1>.

    Examples
    --------
    >>> observed = xr.DataArray(np.eye(32), dims=("y", "x"))
    >>> forecast = observed.roll(x=3)
    >>> sums = fss_sums(forecast, observed, threshold=1, scale=[1, 3, 5, 9, 17])
    >>> skillful_scale(sums).round(1).item()
    4.8
    """
    if "scale" not in sums.dims:
        raise ValueError(
            "the sums are of one scale, wanted those of several; pass more to "
            "fss_sums, such as scale=[1, 5, 17]"
        )
    sums = sums.sortby("scale")
    score = fss_score(sums)
    widths = sums["scale"].values.astype(np.float64)
    found: xr.DataArray = xr.apply_ufunc(
        _crossing,
        score,
        useful_fss(sums),
        input_core_dims=[["scale"], []],
        vectorize=True,
        dask="parallelized",
        output_dtypes=[np.float64],
        kwargs={"widths": widths},
    )
    return described(found, "smallest useful width of the window in pixels")


def _crossing(score: Bare, useful: float, *, widths: Bare) -> float:
    if np.isnan(score).any() or np.isnan(useful):
        return np.nan
    (below,) = np.nonzero(score < useful)
    if not below.size:
        return float(widths[0])
    last = below[-1]
    if last == len(widths) - 1:
        return np.inf
    lower, upper = score[last], score[last + 1]
    step = widths[last + 1] - widths[last]
    return float(widths[last] + step * (useful - lower) / (upper - lower))


def fss(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    threshold: Thresholds | None = None,
    scale: int | Sequence[int],
    over: Dims = None,
) -> xr.DataArray:
    r"""
    Fractions skill score of the events in windows around each pixel.

    $$1 - \frac{\sum (p_f - p_o)^2}{\sum p_f^2 + \sum p_o^2}$$

    The fractions $p_f$ and $p_o$ of a square window around every pixel are those of its
    valid pairs: a window is cut at the edge of the domain, and pixels missing in either
    field are left out of both. A window counts if at least half of its pixels in the
    domain are valid. Sums are pooled over all windows and cases before dividing. With
    `scale` 1 this is $2 CSI / (1 + CSI)$.

    Parameters
    ----------
    forecast
        One forecast; an ensemble along `member`, whose fraction is that of all its
        members; or, without a threshold, probabilities.
    observed
        The observations on the grid of `forecast`, with the dimensions `y` and `x`.
    threshold
        One or several; an event is `value >= threshold`. Without it, `observed` is 1
        for an event and 0 for none.
    scale
        Widths of the window in pixels, one or several, odd.
    over
        Dimensions to pool besides `y` and `x`; all but `lead` if not given.

    Returns
    -------
    DataArray
        0 to 1, best 1, by threshold and scale; NaN where no event was forecast or
        observed [1].

    References
    ----------
    Roberts, N. M., and H. W. Lean, 2008: Scale-selective verification of rainfall
    accumulations from high-resolution forecasts of convective events. *Mon. Wea. Rev.*,
    **136**, 78-97, <https://doi.org/10.1175/2007MWR2123.1>.

    Examples
    --------
    >>> observed = xr.DataArray(np.eye(8), dims=("y", "x"))
    >>> forecast = observed.roll(x=1)
    >>> fss(forecast, observed, threshold=1, scale=[1, 3, 15]).round(2).values
    array([0.  , 0.81, 1.  ])
    """
    return fss_score(
        fss_sums(forecast, observed, threshold=threshold, scale=scale, over=over)
    )


def checked_scales(scale: int | Iterable[int]) -> list[int]:
    """
    Odd widths of windows [pixels] that differ, or a sentence.

    Examples
    --------
    >>> checked_scales(5)
    [5]
    """
    values = np.atleast_1d(np.asarray(scale))
    if (
        values.ndim > 1
        or values.size == 0
        or not np.issubdtype(values.dtype, np.integer)
        or np.unique(values).size != values.size
        or values.min() < 1
        or (values % 2 == 0).any()
    ):
        raise ValueError(
            f"scale is {scale!r}; give odd widths in pixels that differ, such as "
            "[1, 5, 17], so that a window has a pixel in its middle"
        )
    return [int(value) for value in values]
