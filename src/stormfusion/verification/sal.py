"""Rain as objects: structure, amplitude and location of what was forecast."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy import ndimage

from stormfusion.verification.blocks import map_sums
from stormfusion.verification.pairs import Dims, described, pair, ratio, summed
from stormfusion.verification.spacing import spacing_of

Bare = npt.NDArray[Any]

PARTS = {
    "sal_maps": "maps in which both fields are wet",
    "structure_sum": "sum of S",
    "amplitude_sum": "sum of A",
    "location_sum": "sum of L",
    "structure_absolute": "sum of |S|",
    "amplitude_absolute": "sum of |A|",
}


def sal_sums(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    threshold_factor: float = 1 / 15,
    quantile: float = 0.95,
    wet: float = 0.1,
    over: Dims = None,
) -> xr.Dataset:
    """
    Sum structure, amplitude and location of maps; see `sal`.

    Parameters
    ----------
    forecast, observed, threshold_factor, quantile, wet, over
        As in `sal`.

    Returns
    -------
    Dataset
        `sal_maps` as int64, `structure_sum`, `amplitude_sum`, `location_sum`,
        `structure_absolute` and `amplitude_absolute`, of the maps in which both fields
        are wet. Sums of several samples `merge`.

    Examples
    --------
    >>> observed = xr.DataArray(np.eye(4), dims=("y", "x"))
    >>> sums = sal_sums(3 * observed, observed)
    >>> sums.sal_maps.item(), sums.amplitude_sum.item()
    (1, 1.0)
    """
    objects = _Objects(threshold_factor, quantile, wet)
    f, o = pair(forecast, observed)
    spacing, where = spacing_of(o)
    sums = map_sums(
        lambda f, o: _components(f[0], o, spacing, objects),
        f,
        o,
        summed(o, over),
        sizes={"part": len(PARTS)},
    )
    state = xr.Dataset(
        {
            name: described(sums.isel(part=number), words)
            for number, (name, words) in enumerate(PARTS.items())
        }
    )
    state["sal_maps"] = described(state["sal_maps"].astype(np.int64), PARTS["sal_maps"])
    state["sal_maps"].attrs["settings"] = str(objects).strip("_")
    # distances are shares of the domain, so only the shape of a pixel is a guess
    return state.assign_attrs({"comment": f"objects{where}"} if where else {})


def sal_scores(sums: xr.Dataset) -> xr.Dataset:
    """
    Means of structure, amplitude and location of their sums.

    Parameters
    ----------
    sums
        As from `sal_sums`, or several of these merged.

    Returns
    -------
    Dataset
        As from `sal`.

    Examples
    --------
    >>> sums = {"structure_sum": -1.0, "amplitude_sum": 0.0, "location_sum": 0.5}
    >>> more = {"structure_absolute": 3.0, "amplitude_absolute": 2.0, "sal_maps": 2}
    >>> scores = sal_scores(xr.Dataset(sums | more))
    >>> scores.structure.item(), scores.structure_absolute.item()
    (-0.5, 1.5)
    """
    maps = sums["sal_maps"]
    means = {
        "structure": ("structure_sum", "structure of objects, S"),
        "amplitude": ("amplitude_sum", "amplitude of the whole field, A"),
        "location": ("location_sum", "location of the field and of its objects, L"),
        "structure_absolute": ("structure_absolute", "mean of |S|"),
        "amplitude_absolute": ("amplitude_absolute", "mean of |A|"),
    }
    found = {
        name: described(ratio(sums[total], maps), words)
        for name, (total, words) in means.items()
    }
    return xr.Dataset({**found, "maps": described(maps, PARTS["sal_maps"])})


def sal(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    threshold_factor: float = 1 / 15,
    quantile: float = 0.95,
    wet: float = 0.1,
    over: Dims = None,
) -> xr.Dataset:
    r"""
    Structure, amplitude and location of the rain of a map.

    With $D$ the mean of the domain, $R_n$ the rain of object $n$ and $V_n = R_n /
    R_n^\mathrm{max}$ its volume when it is scaled to a peak of 1,

    $$A = \frac{D_f - D_o}{(D_f + D_o) / 2}, \qquad
    S = \frac{V_f - V_o}{(V_f + V_o) / 2}, \quad V = \frac{\sum R_n V_n}{\sum R_n},$$

    $$L = \frac{|\mathbf{x}_f - \mathbf{x}_o|}{d} + 2 \frac{|r_f - r_o|}{d}, \quad
    r = \frac{\sum R_n |\mathbf{x} - \mathbf{x}_n|}{\sum R_n},$$

    with $\mathbf{x}$ the center of mass of the field, $\mathbf{x}_n$ that of an object
    and $d$ the diagonal of the domain. Objects are pixels that touch, at sides or
    corners, at which `value >= threshold_factor` times the quantile of the wet pixels
    of the field. Each map has its own S, A and L; those of several maps are averaged.

    Parameters
    ----------
    forecast
        One forecast of an amount or a rate, not negative.
    observed
        The observations on the grid of `forecast`, with the dimensions `y` and `x`. A
        pixel that is missing, or infinite, in either field is dry in both. If there are
        no coordinates, pixels count as square.
    threshold_factor
        Of the threshold of objects, above 0 and at most 1.
    quantile
        Of the wet pixels, 0 to 1; the paper of 2008 has the maximum, which is 1.
    wet
        Pixels of this value or more are wet, in the units of `observed`; more than 0.
        0.1 is that of the paper of 2009, for rain [mm].
    over
        Dimensions to average besides `y` and `x`; all but `lead` if not given, and
        `()` for S, A and L of every map.

    Returns
    -------
    Dataset
        `structure`, -2 to 2: above 0 the objects are too large or too flat;
        `amplitude`, -2 to 2: above 0 there is too much rain; `location`, 0 to 2; all
        three best 0. Their errors may cancel in a mean, so `structure_absolute` and
        `amplitude_absolute` are the means of |S| and |A| [all 1]. `maps` is how many
        maps count: those in which both fields have a wet pixel. NaN where none does.

    Raises
    ------
    ValueError
        If a value is negative, on Dask when it is computed.

    References
    ----------
    Wernli, H., M. Paulat, M. Hagen, and C. Frei, 2008: SAL, a novel quality measure for
    the verification of quantitative precipitation forecasts. *Mon. Wea. Rev.*, **136**,
    4470-4487, <https://doi.org/10.1175/2008MWR2415.1>.

    Wernli, H., C. Hofmann, and M. Zimmer, 2009: Spatial forecast verification methods
    intercomparison project: Application of the SAL technique. *Wea. Forecasting*,
    **24**, 1472-1484, <https://doi.org/10.1175/2009WAF2222271.1>.

    Examples
    --------
    >>> rain = np.zeros((8, 8))
    >>> rain[2:4, 2:4] = 5.0
    >>> observed = xr.DataArray(rain, dims=("y", "x"))
    >>> scores = sal(observed.roll(x=4), observed).round(2)
    >>> scores.structure.item(), scores.amplitude.item(), scores.location.item()
    (0.0, 0.0, 0.35)
    """
    return sal_scores(
        sal_sums(
            forecast,
            observed,
            threshold_factor=threshold_factor,
            quantile=quantile,
            wet=wet,
            over=over,
        )
    )


@dataclass(frozen=True)
class _Objects:
    """What an object is."""

    factor: float
    quantile: float
    wet: float

    def __post_init__(self) -> None:
        if not 0 < self.factor <= 1:
            raise ValueError(
                f"threshold_factor is {self.factor!r}; give a share of the quantile, "
                "above 0 and at most 1, such as 1 / 15"
            )
        if not 0 <= self.quantile <= 1:
            raise ValueError(
                f"quantile is {self.quantile!r}; give a number from 0 to 1, such as "
                "0.95"
            )
        if not 0 < self.wet < np.inf:
            raise ValueError(
                f"wet is {self.wet!r}; give the least value of a wet pixel, more than "
                "0, such as 0.1"
            )


def _components(
    f: Bare, o: Bare, spacing: tuple[float, float], objects: _Objects
) -> Bare:
    """The parts of the state of one map."""
    valid = np.isfinite(f) & np.isfinite(o)
    fields = [np.where(valid, field, 0.0) for field in (f, o)]
    least = min(field.min(initial=0.0) for field in fields)
    if least < 0:
        raise ValueError(
            f"SAL is of amounts, but got {least:g}; convert reflectivity to rain rate, "
            "or cut what is below 0 with .clip(min=0)"
        )
    features = [_features(field, spacing, objects) for field in fields]
    forecast, observed = features
    if forecast is None or observed is None:
        return np.zeros(len(PARTS))
    diagonal = np.hypot(*(n * step for n, step in zip(o.shape, spacing, strict=True)))
    structure = _difference(forecast.volume, observed.volume)
    amplitude = _difference(forecast.total, observed.total)
    apart = np.hypot(forecast.y - observed.y, forecast.x - observed.x)
    location = (apart + 2 * abs(forecast.scatter - observed.scatter)) / diagonal
    return np.array(
        [1.0, structure, amplitude, location, abs(structure), abs(amplitude)]
    )


def _difference(f: float, o: float) -> float:
    return (f - o) / ((f + o) / 2)


@dataclass(frozen=True)
class _Features:
    """Of a field: sum, center of mass, mean distance of objects from it, volume."""

    total: float
    y: float
    x: float
    scatter: float
    volume: float


def _features(
    field: Bare, spacing: tuple[float, float], objects: _Objects
) -> _Features | None:
    rain = field[field >= field.dtype.type(objects.wet)]
    if not rain.size:
        return None
    limit = objects.factor * np.quantile(rain, objects.quantile)
    touching = np.ones((3, 3), int)
    labels, count = ndimage.label(field >= limit, touching)
    y, x = (np.arange(n) * step for n, step in zip(field.shape, spacing, strict=True))
    total = float(field.sum(dtype=np.float64))
    center_y = float(y @ field.sum(1, dtype=np.float64)) / total
    center_x = float(field.sum(0, dtype=np.float64) @ x) / total
    rows, columns = np.nonzero(labels)
    of, values = labels[rows, columns], field[rows, columns].astype(np.float64)

    def sums(weights: Bare) -> Bare:
        return np.asarray(np.bincount(of, weights, count + 1)[1:])

    amount = sums(values)
    largest = np.zeros(count + 1)
    np.maximum.at(largest, of, values)
    away = np.hypot(
        sums(values * y[rows]) / amount - center_y,
        sums(values * x[columns]) / amount - center_x,
    )
    volume = amount / largest[1:]
    return _Features(
        total,
        center_y,
        center_x,
        scatter=float(amount @ away / amount.sum()),
        volume=float(amount @ volume / amount.sum()),
    )
