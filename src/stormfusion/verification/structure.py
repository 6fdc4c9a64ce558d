"""How alike as pictures: signal and noise, and structure."""

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from stormfusion.data.scaling import SCALINGS, Decibel, Linear
from stormfusion.losses.structural import SIGMA, WINDOW
from stormfusion.units import VARIABLES, conversion
from stormfusion.verification.blocks import map_sums, missing
from stormfusion.verification.continuous import error_sums
from stormfusion.verification.pairs import (
    Dims,
    described,
    pair,
    ratio,
    summed,
)

Bare = npt.NDArray[Any]

_STRIP = 32
"""Rows, or columns, of windows that are done at a time: few enough for the cache."""


def psnr_score(sums: xr.Dataset, *, data_range: float) -> xr.DataArray:
    """
    The peak signal-to-noise ratio of sums of errors.

    Parameters
    ----------
    sums
        As from `error_sums`, or several of these merged.
    data_range
        As in `psnr`, but always given.

    Returns
    -------
    DataArray
        [dB]; infinite where there is no error, NaN where there is no pair.

    Examples
    --------
    >>> sums = xr.Dataset({"pairs": 4, "squared_error": 1.0})
    >>> psnr_score(sums, data_range=5.0).item()
    20.0
    """
    peak = _checked_range(data_range)
    mse = ratio(sums["squared_error"], sums["pairs"])
    share = mse.where(mse > 0) / peak**2
    score: xr.DataArray = -10.0 * xr.apply_ufunc(np.log10, share, dask="allowed")
    score = score.where(~(mse == 0), np.inf)
    return described(score, "peak signal-to-noise ratio", "dB")


def psnr(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    data_range: float | None = None,
    over: Dims = None,
) -> xr.DataArray:
    r"""
    Peak signal-to-noise ratio.

    $$10 \log_{10} \frac{L^2}{\mathrm{MSE}}$$

    with the data range $L$ and the mean squared error of all pairs together. It is not
    the mean of the ratios of single frames, which one perfect frame makes infinite.

    Parameters
    ----------
    forecast
        One forecast, in the units of `observed`.
    observed
        The observations on the grid of `forecast`. Missing pairs are not counted.
    data_range
        Range $L$ of the variable, in the units of `observed`: fixed, never that of the
        sample, with which scores of two samples could not be compared. It may be left
        out where `observed` has the name of a variable whose scaling in
        `stormfusion.data` is a straight line: `reflectivity` (70 dBZ), `ir069` (60 K),
        `ir107` (100 K) and `vis` (1).
    over
        Dimensions to average over; all but `lead` if not given.

    Returns
    -------
    DataArray
        [dB], the more the better; infinite where there is no error, NaN where there is
        no pair.

    Raises
    ------
    ValueError
        If `data_range` is not a number above 0, or is needed.

    Examples
    --------
    >>> observed = xr.DataArray([0.0, 0.5], dims="x")
    >>> psnr(observed + 0.1, observed, data_range=1.0).round(6).item()
    20.0
    """
    peak = _range_of(observed, data_range)
    return psnr_score(error_sums(forecast, observed, over=over), data_range=peak)


def ssim_sums(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    data_range: float | None = None,
    over: Dims = None,
) -> xr.Dataset:
    """
    Sum the structural similarity over windows; see `ssim`.

    Parameters
    ----------
    forecast, observed, data_range, over
        As in `ssim`.

    Returns
    -------
    Dataset
        `ssim_windows` as int64 and `ssim_sum`. Sums of several samples with the same
        data range `merge`.

    Raises
    ------
    ValueError
        If a frame is smaller than a window, or `data_range` is not a number above 0,
        or is needed.

    Examples
    --------
    >>> observed = xr.DataArray(np.eye(12), dims=("y", "x"))
    >>> sums = ssim_sums(observed, observed, data_range=1.0)
    >>> sums.ssim_windows.item(), sums.ssim_sum.round(6).item()
    (4, 4.0)
    """
    f, o = pair(forecast, observed, members=True)
    peak = _range_of(observed, data_range)
    function = partial(_ssim, peak=peak)
    dims = summed(o, over)
    if short := [d for d in ("y", "x") if o.sizes.get(d, WINDOW) < WINDOW]:
        raise ValueError(
            f"the window of SSIM is {WINDOW} pixels wide, but {short[0]} has "
            f"{o.sizes[short[0]]}; score larger maps"
        )
    found = map_sums(function, f, o, dims, sizes={"part": 2})
    windows = found.isel(part=0).astype(np.int64)
    total = described(found.isel(part=1), "sum of the SSIM")
    return xr.Dataset(
        {
            "ssim_windows": described(windows, "windows that are not missing"),
            "ssim_sum": total.assign_attrs(settings=f"range {peak:.9g}"),
        }
    )


def ssim_score(sums: xr.Dataset) -> xr.DataArray:
    """
    The mean structural similarity of its sums.

    Parameters
    ----------
    sums
        As from `ssim_sums`, or several of these merged.

    Returns
    -------
    DataArray
        NaN where there is no window.

    Examples
    --------
    >>> ssim_score(xr.Dataset({"ssim_windows": 4, "ssim_sum": 3.0})).item()
    0.75
    """
    score = ratio(sums["ssim_sum"], sums["ssim_windows"])
    return described(score, "structural similarity")


def ssim(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    data_range: float | None = None,
    over: Dims = None,
) -> xr.DataArray:
    r"""
    Structural similarity.

    $$\left\langle \frac{(2 \mu_f \mu_o + C_1)(2 \sigma_{fo} + C_2)}
    {(\mu_f^2 + \mu_o^2 + C_1)(\sigma_f^2 + \sigma_o^2 + C_2)} \right\rangle$$

    with means $\mu$, variances $\sigma^2$ and covariance $\sigma_{fo}$ under a Gaussian
    window of 11 x 11 pixels and standard deviation 1.5, $C_1 = (0.01 L)^2$,
    $C_2 = (0.03 L)^2$ and the data range $L$. The mean is over all windows that lie
    inside their map and touch no missing pixel, and over the maps.

    Where both are dry it is 1, so on mostly dry radar it is near 1 whatever the storms
    do: compare it between forecasts of the same cases only.

    Parameters
    ----------
    forecast
        One forecast, or an ensemble along `member`: its score is the mean of those of
        the members, not that of their mean.
    observed
        The observations on the grid of `forecast`, with `y` and `x` of 11 pixels or
        more. A pixel is missing if it is in `observed` or in any member.
    data_range
        As in `psnr`. Network numbers have the range 1.
    over
        Dimensions to average besides `y` and `x`; all but `lead` if not given.

    Returns
    -------
    DataArray
        -1 to 1, best 1; NaN where no window is without a missing pixel, or where a
        value is infinite.

    Raises
    ------
    ValueError
        If a frame is smaller than a window, or `data_range` is not a number above 0,
        or is needed.

    References
    ----------
    Wang, Z., A. C. Bovik, H. R. Sheikh, and E. P. Simoncelli, 2004: Image quality
    assessment: From error visibility to structural similarity. *IEEE Trans. Image
    Process.*, **13**, 600-612, <https://doi.org/10.1109/TIP.2003.819861>.

    Examples
    --------
    >>> observed = xr.DataArray(np.eye(16), dims=("y", "x"))
    >>> ssim(observed, observed, data_range=1.0).round(6).item()
    1.0
    >>> ssim(0.5 * observed, observed, data_range=1.0).round(2).item()
    0.65
    """
    return ssim_score(ssim_sums(forecast, observed, data_range=data_range, over=over))


def _range_of(observed: xr.DataArray, data_range: float | None) -> float:
    if data_range is not None:
        return _checked_range(data_range)
    name = str(observed.name)
    scaling = SCALINGS.get(name)
    length = None
    if isinstance(scaling, Decibel):
        length = scaling.high - scaling.low
    elif isinstance(scaling, Linear):
        length = abs(scaling.one - scaling.zero)
    if length is None:
        raise ValueError(
            f"no fixed range is known for {name!r}; pass data_range in its units, or "
            "score network numbers with data_range=1"
        )
    ours = VARIABLES[name].units
    scale, _ = conversion(ours, str(observed.attrs.get("units", ours)))
    return scale * length


def _checked_range(data_range: float) -> float:
    number = isinstance(data_range, int | float | np.integer | np.floating)
    if not number or isinstance(data_range, bool) or not 0 < data_range < np.inf:
        raise ValueError(
            f"data_range is {data_range!r}; give the range of the variable, a finite "
            "number above 0 such as 70 for dBZ"
        )
    return float(data_range)


def _ssim(f: Bare, o: Bare, *, peak: float) -> Bare:
    """Windows of a map without a missing pixel, and the sum of their similarities."""
    C_1, C_2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    gone = missing(f, o)
    gaps = bool(gone.any())
    if gone.all():
        return np.zeros(2)
    # variances are of values less this, so that a large mean does not drown them
    middle = float(np.mean(o, where=~gone, dtype=np.float64))
    total = np.zeros(2)
    for first in range(0, len(o) - WINDOW + 1, _STRIP):
        rows = slice(first, first + _STRIP + WINDOW - 1)
        outside = gone[rows]

        def values(field: Bare, rows: slice = rows, outside: Bare = outside) -> Bare:
            part = field[rows] - np.float64(middle)
            return np.where(outside, 0.0, part) if gaps else part

        x_o = values(o)
        mu_o, square_o = _local(np.stack([x_o, x_o**2]))
        similarity = np.zeros_like(mu_o)
        for member in f:
            x_f = values(member)
            mu_f, square_f, product = _local(np.stack([x_f, x_f**2, x_f * x_o]))
            variances = (square_f - mu_f**2) + (square_o - mu_o**2)
            covariance = product - mu_f * mu_o
            m_f, m_o = mu_f + middle, mu_o + middle
            similarity += ((2 * m_f * m_o + C_1) * (2 * covariance + C_2)) / (
                (m_f**2 + m_o**2 + C_1) * (variances + C_2)
            )
        if gaps:
            valid = _local(outside.astype(np.float64)) == 0
            total += np.count_nonzero(valid), np.sum(similarity, where=valid)
        else:
            total += similarity.size, similarity.sum()
    total[1] /= len(f)
    return total


def _local(fields: Bare) -> Bare:
    """Means of fields `(..., y, x)` under the window, wherever it fits."""
    height, width = (size - WINDOW + 1 for size in fields.shape[-2:])
    middle = _BAND[:height, : height + WINDOW - 1] @ fields
    means = np.empty((*fields.shape[:-2], height, width))
    for first in range(0, width, _STRIP):
        few = min(_STRIP, width - first)
        band = _BAND[:few, : few + WINDOW - 1].T
        part = middle[..., first : first + few + WINDOW - 1]
        means[..., first : first + few] = part @ band
    return means


def _band() -> Bare:
    """A row of weights for each window of a strip: products of matrices are fastest."""
    distance = np.arange(WINDOW) - WINDOW // 2
    weights = np.exp(-(distance**2) / (2 * SIGMA**2))
    band = np.zeros((_STRIP, _STRIP + WINDOW - 1))
    for row in range(_STRIP):
        band[row, row : row + WINDOW] = weights / weights.sum()
    return band


_BAND = _band()
