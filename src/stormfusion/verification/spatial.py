"""How close is close enough: the fractions skill score."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from stormfusion.verification.pairs import Dims, Thresholds, described, ratio, summed
from stormfusion.verification.probability import event_sums

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

    def state(p: xr.DataArray, o: xr.DataArray) -> xr.Dataset:
        if not {"y", "x"} <= set(o.dims):
            raise ValueError(
                f"fractions need the dimensions y and x, but got {o.dims}; rename the "
                "axes with .rename"
            )
        others = [dim for dim in summed(o, over) if dim not in ("y", "x")]
        sums = xr.apply_ufunc(
            lambda p, o: _window_sums(p, o, scales),
            p.drop_vars(["y", "x"], errors="ignore").transpose(..., "y", "x"),
            o.drop_vars(["y", "x"], errors="ignore").transpose(..., "y", "x"),
            input_core_dims=[["y", "x"], ["y", "x"]],
            output_core_dims=[["part", "scale"]],
        ).sum(others)
        windows, numerator, denominator = (sums.isel(part=i) for i in range(3))
        windows = windows.astype(np.int64)
        return xr.Dataset(
            {
                "fss_windows": described(windows, "windows that count"),
                "fss_numerator": described(numerator, "sum of (p_f - p_o)^2"),
                "fss_denominator": described(denominator, "sum of p_f^2 + p_o^2"),
            }
        )

    sums = event_sums(state, forecast, observed, threshold).transpose(..., "scale")
    if np.ndim(scale) == 0:
        sums = sums.isel(scale=0)
    label = xr.DataArray(
        np.asarray(scale),
        dims="scale" if np.ndim(scale) else (),
        attrs={"long_name": "width of the window in pixels", "units": "1"},
    )
    return sums.assign_coords(scale=label)


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


def _window_sums(p: Bare, o: Bare, scales: list[int]) -> Bare:
    """Windows, (p_f - p_o)^2 and p_f^2 + p_o^2, one field after the other."""
    result = np.zeros((*p.shape[:-2], 3, len(scales)))
    pixels = _prefix_sums(np.ones(p.shape[-2:]))
    insides = [_windows(pixels, scale) for scale in scales]
    for place in np.ndindex(p.shape[:-2]):
        missing = np.isnan(p[place]) | np.isnan(o[place])
        gaps = bool(missing.any())
        fields = [
            np.where(missing, 0.0, f[place]) if gaps else f[place] for f in (p, o)
        ]
        valid = _prefix_sums(~missing) if gaps else pixels
        tables = [_prefix_sums(field) for field in fields]
        for number, (scale, inside) in enumerate(zip(scales, insides, strict=True)):
            n = _windows(valid, scale) if gaps else inside
            weight = (2 * n >= inside) / np.maximum(n, 1.0)
            p_f, p_o = ((_windows(t, scale) * weight).ravel() for t in tables)
            difference = p_f - p_o
            result[*place, :, number] = (
                np.count_nonzero(weight),
                difference @ difference,
                p_f @ p_f + p_o @ p_o,
            )
    return result


def _prefix_sums(field: Bare) -> Bare:
    """Sums over all pixels before each corner, with a border of zeros."""
    table = np.zeros((field.shape[0] + 1, field.shape[1] + 1))
    np.cumsum(np.cumsum(field, axis=0, dtype=np.float64), axis=1, out=table[1:, 1:])
    return table


def _windows(table: Bare, scale: int) -> Bare:
    """Sums over the window around each pixel, cut at the edge: four corners each."""
    half = [min(scale // 2, size - 1) for size in table.shape]
    table = np.pad(table, [(h, h) for h in half], mode="edge")
    y, x = (2 * h + 1 for h in half)
    table = table[y:] - table[:-y]
    return np.asarray(table[:, x:] - table[:, :-x])
