"""How good the maps of an ensemble are as wholes: the energy score."""

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from stormfusion.verification.blocks import map_sums, missing
from stormfusion.verification.pairs import (
    Dims,
    described,
    error_units,
    pair,
    ratio,
    summed,
)

Bare = npt.NDArray[Any]

NUMBERS = 2**19
"""Numbers in double precision at a time, of members or of their distances."""


def energy_sums(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    patch: int | None = None,
    fair: bool = True,
    over: Dims = None,
) -> xr.Dataset:
    """
    Sum the energy scores of maps, or of patches of them; see `energy_score`.

    Parameters
    ----------
    forecast, observed, patch, fair, over
        As in `energy_score`.

    Returns
    -------
    Dataset
        `energy_patches` as int64, maps being patches too, and `energy_sum`. Sums of
        several samples `merge`.

    Examples
    --------
    >>> forecast = xr.DataArray(np.zeros((2, 3, 4)), dims=("member", "y", "x"))
    >>> sums = energy_sums(forecast, xr.DataArray(np.ones((3, 4)), dims=("y", "x")))
    >>> sums.energy_patches.item(), sums.energy_sum.item()
    (1, 1.0)
    """
    f, o = checked_members(forecast, observed, "energy", fair=fair)
    width = None if patch is None else _checked_patch(patch, o)
    found = map_sums(
        lambda f, o: _energies(f, o, width, fair=fair),
        f,
        o,
        summed(o, over),
        sizes={"part": 2},
    )
    state = xr.Dataset(
        {
            "energy_patches": found.isel(part=0).astype(np.int64),
            "energy_sum": found.isel(part=1),
        }
    )
    state["energy_patches"].attrs = {"long_name": "maps or patches that count"}
    state["energy_sum"].attrs = {
        "long_name": "sum of energy scores",
        "settings": f"patch {width}, {'fair' if fair else 'not fair'}",
    }
    return with_units(state, o)


def energy_mean(sums: xr.Dataset) -> xr.DataArray:
    """
    The mean energy score of its sums.

    Parameters
    ----------
    sums
        As from `energy_sums`, or several of these merged.

    Returns
    -------
    DataArray
        The mean, NaN where there is no pair.

    Examples
    --------
    >>> energy_mean(xr.Dataset({"energy_patches": 4, "energy_sum": 1.0})).item()
    0.25
    """
    return described(
        ratio(sums["energy_sum"], sums["energy_patches"]),
        "energy score",
        error_units(sums.attrs.get("units")),
    )


def energy_score(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    patch: int | None = None,
    fair: bool = True,
    over: Dims = None,
) -> xr.DataArray:
    r"""
    Energy score of an ensemble: the CRPS of whole maps, or of patches of them.

    $$\frac{1}{M} \sum_i \|\mathbf{x}_i - \mathbf{y}\| - \frac{1}{2 K}
    \sum_{i,j} \|\mathbf{x}_i - \mathbf{x}_j\|, \qquad
    \|\mathbf{z}\|^2 = \frac{1}{n} \sum_k z_k^2$$

    for members $\mathbf{x}_i$ and the observed map $\mathbf{y}$ of $n$ valid pixels,
    with $K = M (M - 1)$ for the fair score and $M^2$ for that of the ensemble as a
    distribution. The norm is the root of the *mean* square, so that the score has the
    units of the field, does not grow with the map, and is the CRPS for patches of one
    pixel. It sees whether errors come together, as the CRPS does not, but in a large
    map it hardly tells one pattern of correlation from another: there patches, of
    storm size, say more, and `variogram_score`.

    Parameters
    ----------
    forecast
        An ensemble with the dimension `member`. A pixel with a missing member is
        missing.
    observed
        The observations on the grid of `forecast`, with the dimensions `y` and `x`.
        Missing pixels are left out of the norm.
    patch
        Width of squares [pixels] that are each scored as a map. They do not overlap; a
        square that is cut by the last row or column is left out, and so is one of which
        more than half is missing. Without it, the whole map.
    fair
        Whether to score the distribution that the members are drawn from, which needs
        2 or more of them, or the members themselves. Neither is ever negative.
    over
        Dimensions to average besides `y` and `x`; all but `lead` if not given.

    Returns
    -------
    DataArray
        In the units of `observed`, best 0; NaN where there is no pair, or where a value
        is infinite.

    References
    ----------
    Gneiting, T., and A. E. Raftery, 2007: Strictly proper scoring rules, prediction,
    and estimation. *J. Amer. Stat. Assoc.*, **102**, 359-378,
    <https://doi.org/10.1198/016214506000001437>.

    Pinson, P., and J. Tastu, 2013: Discrimination ability of the energy score.
    Technical University of Denmark, DTU Compute Technical Report 2013-15.

    Examples
    --------
    >>> members = xr.DataArray(
    ...     [[[3.0, 0.0]], [[0.0, 4.0]]], dims=("member", "y", "x")
    ... )
    >>> observed = xr.DataArray([[0.0, 0.0]], dims=("y", "x"))
    >>> energy_score(members, observed, fair=False).round(3).item()
    1.591
    """
    return energy_mean(
        energy_sums(forecast, observed, patch=patch, fair=fair, over=over)
    )


def checked_members(
    forecast: xr.DataArray, observed: xr.DataArray, name: str, *, fair: bool
) -> tuple[xr.DataArray, xr.DataArray]:
    """
    An ensemble and what was observed, fit for a score of its maps, or a sentence.

    Examples
    --------
    >>> members = xr.DataArray(np.zeros((2, 3, 3)), dims=("y", "x", "member"))
    >>> observed = xr.DataArray(np.zeros((2, 3)), dims=("y", "x"))
    >>> checked_members(members, observed, "energy", fair=True)[0].dims
    ('member', 'y', 'x')
    """
    f, o = pair(forecast, observed, members=True)
    members = f.sizes.get("member")
    if members is None:
        raise ValueError(
            f"forecast has the dimensions {forecast.dims} and no 'member'; give a "
            "single forecast one with .expand_dims('member'), and pass fair=False"
        )
    if not members:
        raise ValueError("forecast has no members; give one or more")
    if fair and members < 2:
        raise ValueError(
            f"the fair {name} score needs 2 or more members, but got 1; pass fair=False"
        )
    if not {"y", "x"} <= set(o.dims):
        raise ValueError(
            f"the {name} score needs the dimensions y and x, but got {o.dims}; rename "
            "the axes with .rename"
        )
    return f, o


def is_whole(value: Any) -> bool:
    """
    Whether a value is a whole number, which true and false are not.

    Examples
    --------
    >>> is_whole(np.int64(3)), is_whole(True), is_whole(3.0)
    (True, False, False)
    """
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def with_units(state: xr.Dataset, o: xr.DataArray) -> xr.Dataset:
    """
    A state that knows the units of what was observed.

    Examples
    --------
    >>> with_units(xr.Dataset(), xr.DataArray(0.0, attrs={"units": "mm"})).attrs
    {'units': 'mm'}
    """
    units = o.attrs.get("units")
    return state.assign_attrs({"units": units} if units else {})


def _checked_patch(patch: int, o: xr.DataArray) -> int:
    if not is_whole(patch) or patch < 1:
        raise ValueError(
            f"patch is {patch!r}; give a whole number of pixels, 1 or more, such as 16"
        )
    if short := [dim for dim in ("y", "x") if o.sizes[dim] < patch]:
        raise ValueError(
            f"patches of {patch} pixels do not fit {short[0]} of {o.sizes[short[0]]}; "
            "take smaller ones"
        )
    return int(patch)


def _energies(f: Bare, o: Bare, width: int | None, *, fair: bool) -> Bare:
    """Number and sum of the scores of the patches of a map, some of them at a time."""
    height, length = o.shape
    sides = (height, length) if width is None else (width, width)
    together = max(NUMBERS // (len(f) + 1) ** 2, 1)
    total = np.zeros(2)
    for top in range(0, height - sides[0] + 1, sides[0]):
        strip = slice(top, top + sides[0])
        for left in range(0, length - sides[1] + 1, sides[1] * together):
            columns = min((length - left) // sides[1], together) * sides[1]
            part = slice(left, left + columns)
            pixels, products = _products(f[:, strip, part], o[strip, part], sides[1])
            least = 1 if width is None else width**2 / 2
            counts = pixels >= least
            scores = _scores(pixels[counts], products[counts], fair=fair)
            total += scores.size, scores.sum()
    return total


def _products(f: Bare, o: Bare, width: int) -> tuple[Bare, Bare]:
    """
    Valid pixels of each patch of a strip, and products of members and observation.

    They are less the first member, so that equal members have no distance at all.
    """
    size, patches = len(f) + 1, o.shape[1] // width
    pixels, products = np.zeros(patches), np.zeros((patches, size, size))
    rows = max(NUMBERS // (size * o.shape[1]), 1)
    for top in range(0, len(o), rows):
        x, y = f[:, top : top + rows], o[top : top + rows]
        with np.errstate(invalid="ignore"):  # of infinite values
            z = np.empty((size, *y.shape))
            np.subtract(x, x[0], out=z[:-1], dtype=np.float64)
            np.subtract(y, x[0], out=z[-1], dtype=np.float64)
            valid = np.isfinite(z.sum(0))
            if not valid.all():
                valid = ~missing(x, y)
                z[:, ~valid] = 0.0
            z = z.reshape(size, len(y), patches, width).transpose(2, 0, 1, 3)
            z = z.reshape(patches, size, len(y) * width)
            products += z @ z.swapaxes(1, 2)
        pixels += valid.reshape(len(y), patches, width).sum((0, 2))
    return pixels, products


def _scores(pixels: Bare, products: Bare, *, fair: bool) -> Bare:
    members = products.shape[1] - 1
    norms = np.diagonal(products, axis1=1, axis2=2)
    both = norms[:, :, None] + norms[:, None, :]
    with np.errstate(invalid="ignore"):  # of infinite values
        squares = both - 2 * products
    # what is left of the difference of two equal sums is rounding alone
    squares[squares < 1e-13 * both] = 0.0
    distances = np.sqrt(squares / pixels[:, None, None])
    errors = distances[:, :-1, -1].mean(1)
    between = distances[:, :-1, :-1].sum((1, 2))
    score = errors - between / (2 * members * (members - 1 if fair else members))
    return np.asarray(np.maximum(score, 0.0))  # below it by rounding alone
