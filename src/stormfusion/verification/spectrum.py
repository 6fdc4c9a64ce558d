"""How much detail: the power of forecast and observations, by wavelength."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from stormfusion.data.scaling import SCALINGS, scaling_for
from stormfusion.grids import Grid
from stormfusion.units import VARIABLES
from stormfusion.verification.pairs import Dims, described, in_ours, pair, ratio, summed

WAVELENGTHS: tuple[float, ...] = tuple(2.0 ** (i / 2) for i in range(19))
"""Edges of the classes of wavelength [km]: 1, 1.41, 2, 2.83, 4, ..., 512."""

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
        geometric centre of the class. Pixels missing in the observations or in any
        member are 0 (dry) in all; a frame without a valid pair adds nothing, nor does a
        grid without a wave of 1 to 512 km.

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
    if not {"y", "x"} <= set(o.dims):
        raise ValueError(
            f"spectra need the dimensions y and x, but got {o.dims}; rename the axes "
            "with .rename"
        )
    spacing, where = _spacing(o)
    others = set(summed(o, over)) - {"y", "x"}
    units = o.attrs.get("units", f.attrs.get("units"))
    numbers: Callable[[Bare], Bare] = np.asarray
    if variable is not None or name in SCALINGS:
        numbers = scaling_for(name).normalize
        of, units = f"the network numbers of {name}", None
    else:
        of = "the values as they are"
    if "member" not in f.dims:
        f = f.expand_dims("member")
    sums = xr.apply_ufunc(
        lambda f, o: _frame_sums(f, o, numbers, spacing),
        f,
        o,
        input_core_dims=[["member", "y", "x"], ["y", "x"]],
        output_core_dims=[["part", "wavelength"]],
    ).sum(others)
    state = xr.Dataset(coords=_labels())
    modes = sums.isel(part=0).astype(np.int64)
    state["power_modes"] = described(modes, "waves that count")
    for part, whose in enumerate(("forecast", "observed"), start=1):
        power = described(sums.isel(part=part), f"sum of {whose} power")
        power.attrs["units"] = f"({units})^2 km2" if units else "km2"
        power.attrs["comment"] = f"power of {of}{where}"
        state[f"power_{whose}"] = power
    return state


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
    (dy, dx), _ = _spacing(observed)
    height, width = observed.sizes["y"], observed.sizes["x"]
    if not _classes(height, width, dy, dx)[1].any():
        raise ValueError(
            f"a grid of {height} x {width} pixels of {dy:g} x {dx:g} km has no wave of "
            "1 to 512 km; give its y and x in metres, or with their units"
        )
    return spectrum_score(sums) if band is None else band_score(sums, band)


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


def _spacing(o: xr.DataArray) -> tuple[tuple[float, float], str]:
    """Distance between rows and between columns [km], and words where it is a guess."""
    guess = ", on a grid without coordinates, as if a pixel was 1 km wide"
    if not {"y", "x"} & set(o.coords):
        return (1.0, 1.0), guess
    # freed of the rounding of coordinates, so that equal grids share their classes
    dy, dx = (float(f"{length / 1000:.6g}") for length in Grid.of(o).spacing)
    return (dy, dx), ""


def _labels() -> dict[str, xr.Variable]:
    def label(values: Bare, what: str) -> xr.Variable:
        return xr.Variable("wavelength", values, {"long_name": what, "units": "km"})

    lower, upper = np.array(WAVELENGTHS[:-1]), np.array(WAVELENGTHS[1:])
    return {
        "wavelength": label(np.sqrt(lower * upper), "wavelength"),
        "wavelength_lower": label(lower, "shortest wavelength of the class"),
        "wavelength_upper": label(upper, "longest wavelength of the class"),
    }


def _frame_sums(
    f: Bare, o: Bare, numbers: Callable[[Bare], Bare], spacing: tuple[float, float]
) -> Bare:
    """Modes, forecast power and observed power, one frame after the other."""
    height, width = o.shape[-2:]
    number, modes = _classes(height, width, *spacing)
    hann = [np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 2 for n in (height, width)]
    window = np.outer(*hann)
    dtype = np.result_type(f, o, np.float32)
    result = np.zeros((*o.shape[:-2], 3, modes.size))
    for place in np.ndindex(o.shape[:-2]):
        frames = *f[place], o[place]
        with np.errstate(over="ignore", invalid="ignore"):
            fields = [numbers(frame.astype(dtype, copy=False)) for frame in frames]
        valid = np.logical_and.reduce([np.isfinite(field) for field in fields])
        if not valid.any():
            continue
        powers = [_power(field, valid, window, number, modes) for field in fields]
        result[place] = modes, np.mean(powers[:-1], axis=0), powers[-1]
    result[..., 1:, :] *= spacing[0] * spacing[1] / np.sum(window**2)
    return result


def _power(field: Bare, valid: Bare, window: Bare, number: Bare, modes: Bare) -> Bare:
    """$|F|^2$ of a field, summed by class; zero where it is rounding alone."""
    field = np.where(valid, field, 0.0)
    scale = np.sum((field * window) ** 2)
    field = (field - np.average(field, weights=window)) * window
    waves = np.fft.rfft2(field)
    squared = waves.real**2 + waves.imag**2
    squared[:, 1 : (field.shape[1] + 1) // 2] *= 2.0  # and their conjugates
    power = np.bincount(number, squared.ravel(), modes.size + 1)[1:]
    return np.where(power > 1e-24 * scale * modes, power, 0.0)


@lru_cache(maxsize=8)
def _classes(height: int, width: int, dy: float, dx: float) -> tuple[Bare, Bare]:
    """Class of each wave of `rfft2`, from 1, or 0 for none; and the waves of each."""
    ky, kx = np.fft.fftfreq(height, dy), np.fft.rfftfreq(width, dx)
    with np.errstate(divide="ignore"):
        # an edge is met in spite of rounding, and halves of octaves are counted from 1
        found = np.floor(1.0001 - 2.0 * np.log2(np.hypot(ky[:, None], kx)))
    number = np.where((found < 1) | (found >= len(WAVELENGTHS)), 0, found)
    number = number.astype(np.intp).ravel()
    twice = np.ones((height, kx.size))
    twice[:, 1 : (width + 1) // 2] = 2.0
    return number, np.bincount(number, twice.ravel(), len(WAVELENGTHS))[1:]
