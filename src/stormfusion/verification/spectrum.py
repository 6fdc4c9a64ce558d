"""How much detail: the power of forecast and observations, by wavelength."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from stormfusion.data.scaling import SCALINGS, DecibelRain, Scaling, scaling_for
from stormfusion.units import VARIABLES
from stormfusion.verification.blocks import map_sums
from stormfusion.verification.pairs import Dims, described, pair, ratio, summed
from stormfusion.verification.spacing import spacing_of
from stormfusion.verification.values import in_ours
from stormfusion.verification.waves import WAVELENGTHS, has_waves, wave_sums

Bare = npt.NDArray[Any]


def power_sums(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    variable: str | None = None,
    over: Dims = None,
) -> xr.Dataset:
    r"""
    Sum the power spectra of forecast and observations in classes of wavelength.

    The power of a wave is its periodogram $|F|^2 \Delta y \Delta x / \sum w^2$, with
    $F$ the Fourier transform of the field less its mean, times a Hann window $w$. Its
    wavelength [km] is a real one, whether pixels are square or not, and its class has
    lower edge <= wavelength < upper edge, on every grid: so grids of any size and
    spacing `merge`. Waves below 1 km or from 512 km on are in no class. The radially
    averaged spectrum is `power_observed / power_modes`.

    Parameters
    ----------
    forecast
        One forecast, or an ensemble along `member`: its power is the mean of that of
        the members, not that of their mean.
    observed
        The observations on the grid of `forecast`, with the dimensions `y` and `x`. If
        these have no coordinates, a pixel counts as 1 km wide, and `comment` says so.
    variable
        What is compared; the name of `observed` if not given. A variable of the house
        is compared in network numbers, such as decibels for rain rate, whose spectrum
        is not that of a few extreme pixels; others as they are. `comment` says which.
    over
        Dimensions to sum besides `y` and `x`; all but `lead` if not given.

    Returns
    -------
    Dataset
        `power_forecast` and `power_observed`, summed over waves and frames, and
        `power_modes`, the number of these waves, as int64; by `wavelength`, the
        geometric centre of the class. Pixels missing, or infinite, in the observations
        or in any member are 0 (dry) in all; a frame without a valid pair adds nothing,
        nor does a grid without a wave of 1 to 512 km. Fields in single precision are
        transformed in it: a class whose waves have less than about 3e-13 of the power
        of an average wave, that of the mean added, is rounding and counts as 0.

    Raises
    ------
    GridMismatchError
        If the grid is not regular.

    Examples
    --------
    >>> wave = np.ones((60, 1)) * np.sin(2 * np.pi * np.arange(60) / 3)
    >>> observed = xr.DataArray(wave, dims=("y", "x"))
    >>> sums = power_sums(observed / 2, observed)
    >>> sums.power_observed.idxmax().round(2).item()  # of the class from 2.83 to 4
    3.36
    """
    name = str(getattr(observed, "name", None) if variable is None else variable)
    if name in VARIABLES:
        observed, forecast = in_ours(name, observed, forecast)
    f, o = pair(forecast, observed, members=True)
    spacing, where = spacing_of(o)
    over = summed(o, over)
    units = o.attrs.get("units", f.attrs.get("units"))
    numbers: Callable[[Bare], Bare] = np.asarray
    if variable is not None or name in SCALINGS:
        numbers = quickly(scaling_for(name))
        of, units = f"the network numbers of {name}", None
    else:
        of = "the values as they are"
    sums = map_sums(
        lambda f, o: wave_sums(f, o, numbers, spacing),
        f,
        o,
        over,
        sizes={"part": 3, "wavelength": len(WAVELENGTHS) - 1},
    )
    state = xr.Dataset(coords=_labels())
    modes = sums.isel(part=0).astype(np.int64)
    state["power_modes"] = described(modes, "waves that count")
    for part, whose in enumerate(("forecast", "observed"), start=1):
        power = described(sums.isel(part=part), f"sum of {whose} power")
        power.attrs["units"] = f"({units})^2 km2" if units else "km2"
        power.attrs["comment"] = f"power of {of}{where}"
        state[f"power_{whose}"] = power
    return state


def quickly(scaling: Scaling) -> Callable[[Bare], Bare]:
    """
    Network numbers of a scaling; of rain rate to within rounding, by one logarithm.

    Examples
    --------
    >>> quickly(DecibelRain())(np.array([0.0, 1.0, 100.0])).round(2)
    array([0.  , 0.47, 0.93])
    """
    if not isinstance(scaling, DecibelRain):
        return scaling.normalize
    span = scaling.high - scaling.low
    slope = 10.0 * scaling.b / np.log(10.0) / span
    start = (10.0 * np.log10(scaling.a) - scaling.low) / span

    def numbers(values: Bare) -> Bare:
        found: Bare = np.maximum(values, np.finfo(values.dtype).tiny)
        np.log(found, out=found)
        found *= values.dtype.type(slope)
        found += values.dtype.type(start)
        return np.maximum(found, 0, out=found)

    return numbers


def spectrum_score(sums: xr.Dataset) -> xr.DataArray:
    """
    Forecast power over observed power of each class of wavelengths.

    Parameters
    ----------
    sums
        As from `power_sums`, or several of these merged.

    Returns
    -------
    DataArray
        By `wavelength` [km], best 1; below 1 the forecast is too smooth. NaN where
        there is no power at all, infinite where only the forecast has some.

    Examples
    --------
    >>> sums = xr.Dataset({"power_forecast": 1.0, "power_observed": 4.0})
    >>> spectrum_score(sums).item()
    0.25
    """
    f, o = sums["power_forecast"], sums["power_observed"]
    score = described(ratio(f, o), "ratio of forecast to observed power")
    return score.assign_attrs({k: v for k, v in o.attrs.items() if k == "comment"})


def band_score(sums: xr.Dataset, band: Sequence[float]) -> xr.DataArray:
    """
    Forecast power over observed power of a band of wavelengths, its classes pooled.

    Parameters
    ----------
    sums
        As from `power_sums`, or several of these merged.
    band
        A shorter and a longer wavelength [km], both of them edges in `WAVELENGTHS`.

    Returns
    -------
    DataArray
        As `spectrum_score`, with the ends of the band [km] as coordinates.

    Examples
    --------
    >>> noise = xr.DataArray(np.random.default_rng(0).random((32, 32)), dims=("y", "x"))
    >>> band_score(power_sums(3 * noise, noise), (4, 16)).round(6).item()
    9.0
    """
    lower, upper = _edges_of(band)
    inside = (sums["wavelength"] > lower) & (sums["wavelength"] < upper)
    powers = sums[["power_forecast", "power_observed"]].isel(wavelength=inside.values)
    score = spectrum_score(powers.sum("wavelength", keep_attrs=True))
    ends = {"wavelength_lower": lower, "wavelength_upper": upper}
    return score.assign_coords({k: ((), v, {"units": "km"}) for k, v in ends.items()})


def spectrum_ratio(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    band: Sequence[float] | None = None,
    variable: str | None = None,
    over: Dims = None,
) -> xr.DataArray:
    r"""
    Forecast power over observed power: whether a forecast has the detail of the rain.

    $$\frac{\sum P_f}{\sum P_o}$$

    The power spectra $P_f$ and $P_o$ are summed over all waves of a class or band of
    wavelengths, and over all cases, before dividing. Whether the detail is in its place
    this does not say: noise can have a ratio of 1.

    Parameters
    ----------
    forecast, observed, variable, over
        As in `power_sums`.
    band
        As in `band_score`, such as `(4, 16)` [km]; without it, each class has a ratio.

    Returns
    -------
    DataArray
        Best 1, below 1 too smooth, above 1 too rough; NaN where there is no power
        at all, infinite where only the forecast has some.

    Raises
    ------
    GridMismatchError, ValueError
        If the grid is not regular, or has no wave of 1 to 512 km.

    References
    ----------
    Harris, D., E. Foufoula-Georgiou, K. K. Droegemeier, and J. J. Levit, 2001:
    Multiscale statistical properties of a high-resolution precipitation forecast.
    *J. Hydrometeor.*, **2**, 406-418,
    <https://doi.org/10.1175/1525-7541(2001)002%3C0406:MSPOAH%3E2.0.CO;2>.

    Examples
    --------
    >>> observed = xr.DataArray(np.eye(64), dims=("y", "x"))
    >>> forecast = observed.rolling(x=5, center=True, min_periods=1).mean()
    >>> spectrum_ratio(forecast, observed, band=(4, 16)).round(2).item()
    0.38
    """
    sums = power_sums(forecast, observed, variable=variable, over=over)
    _check_waves(observed)
    return spectrum_score(sums) if band is None else band_score(sums, band)


def resolution_score(sums: xr.Dataset, *, fraction: float = 0.5) -> xr.DataArray:
    """
    The effective resolution of sums of power; see `effective_resolution`.

    Parameters
    ----------
    sums
        As from `power_sums`, or several of these merged.
    fraction
        As in `effective_resolution`.

    Returns
    -------
    DataArray
        Wavelength [km].

    Examples
    --------
    >>> power = {"power_forecast": [0.0, 2.0, 4.0], "power_observed": [1.0, 4.0, 4.0]}
    >>> sums = xr.Dataset({name: ("wavelength", p) for name, p in power.items()})
    >>> resolution_score(sums.assign_coords(wavelength=[2.0, 4.0, 8.0])).item()
    4.0
    """
    if not isinstance(fraction, int | float | np.number) or not 0 < fraction < 1:
        raise ValueError(
            f"fraction is {fraction!r}; give a share of the observed power between 0 "
            "and 1, such as 0.5"
        )
    ratios = spectrum_score(sums)
    length = sums["wavelength"].to_numpy()
    found = xr.apply_ufunc(
        lambda r: np.apply_along_axis(_falls_below, -1, r, length, float(fraction)),
        ratios,
        input_core_dims=[["wavelength"]],
        dask="parallelized",
        output_dtypes=[np.float64],
    )
    words = f"shortest wavelength with {fraction:g} of the observed power or more"
    found = described(found, "effective resolution", "km")
    of = [ratios.attrs[key] for key in ("comment",) if key in ratios.attrs]
    return found.assign_attrs(comment="; ".join([words, *of]))


def effective_resolution(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    fraction: float = 0.5,
    variable: str | None = None,
    over: Dims = None,
) -> xr.DataArray:
    r"""
    Wavelength down to which a forecast has the power of the observations.

    The ratio of the spectra, $\sum P_f / \sum P_o$ of each class of wavelengths, is
    followed from the longest class to the shorter ones until it falls below a fraction
    for the first time. The wavelength at which it does is interpolated, linearly in the
    ratio and in the logarithm of the wavelength, between the centres of the classes. A
    ratio that rises again further on, as that of noise does, does not count.

    The longest classes hold few waves: pool cases before trusting that they fail. As
    all of a spectrum this says nothing about whether detail is in its place.

    Parameters
    ----------
    forecast, observed, variable, over
        As in `power_sums`.
    fraction
        The share of the observed power that counts as resolved, between 0 and 1. The
        literature takes where the spectra part, by eye or at a half.

    Returns
    -------
    DataArray
        Wavelength [km], the shorter the finer. The centre of the shortest class with
        power where the ratio never falls below, so that all that the grid can tell is
        resolved; infinite where the longest class fails; NaN where there is no power
        at all. A class without any power is passed over.

    References
    ----------
    Skamarock, W. C., 2004: Evaluating mesoscale NWP models using kinetic energy
    spectra. *Mon. Wea. Rev.*, **132**, 3019-3032, <https://doi.org/10.1175/MWR2830.1>.

    Examples
    --------
    >>> noise = np.random.default_rng(0).random((64, 64))
    >>> observed = xr.DataArray(noise, dims=("y", "x"))
    >>> blurred = observed.rolling(x=5, y=5, center=True, min_periods=1).mean()
    >>> effective_resolution(blurred, observed).round(1).item()
    11.5
    """
    sums = power_sums(forecast, observed, variable=variable, over=over)
    _check_waves(observed)
    return resolution_score(sums, fraction=fraction)


def _falls_below(ratios: Bare, wavelengths: Bare, fraction: float) -> float:
    """Where the ratios, from the longest wavelength on, first fall below a fraction."""
    known = np.flatnonzero(~np.isnan(ratios))
    known = known[np.argsort(-wavelengths[known])]
    if not known.size:
        return np.nan
    short = np.flatnonzero(ratios[known] < fraction)
    if not short.size:
        return float(wavelengths[known[-1]])
    if short[0] == 0:
        return np.inf
    above, below = known[short[0] - 1], known[short[0]]
    part = (fraction - ratios[below]) / (ratios[above] - ratios[below])
    return float(wavelengths[below] * (wavelengths[above] / wavelengths[below]) ** part)


def _check_waves(observed: xr.DataArray) -> None:
    spacing, _ = spacing_of(observed)
    shape = observed.sizes["y"], observed.sizes["x"]
    if not has_waves(shape, spacing):
        (height, width), (dy, dx) = shape, spacing
        raise ValueError(
            f"a grid of {height} x {width} pixels of {dy:g} x {dx:g} km has no wave of "
            "1 to 512 km; give its y and x in metres, or with their units"
        )


def _edges_of(band: Sequence[float]) -> tuple[float, float]:
    """The edges that a band means, which may be rounded to three digits, as 2.83 km."""
    edges = np.array(WAVELENGTHS)
    with suppress(TypeError, ValueError):
        ends = [edges[np.isclose(edges, float(end), rtol=5e-3)] for end in band]
        lower, upper = (end.item() for end in ends)
        if lower < upper:
            return lower, upper
    raise ValueError(
        f"band is {band!r}; give a shorter and a longer wavelength [km], such as "
        f"(4, 16), out of {', '.join(f'{edge:.3g}' for edge in edges)}"
    )


def _labels() -> dict[str, xr.Variable]:
    def label(values: Bare, what: str) -> xr.Variable:
        return xr.Variable("wavelength", values, {"long_name": what, "units": "km"})

    lower, upper = np.array(WAVELENGTHS[:-1]), np.array(WAVELENGTHS[1:])
    return {
        "wavelength": label(np.sqrt(lower * upper), "wavelength"),
        "wavelength_lower": label(lower, "shortest wavelength of the class"),
        "wavelength_upper": label(upper, "longest wavelength of the class"),
    }
