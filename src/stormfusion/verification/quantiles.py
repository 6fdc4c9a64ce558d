"""How good quantiles are."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from stormfusion.verification.blocks import block_sums, counted
from stormfusion.verification.pairs import (
    Dims,
    described,
    error_units,
    pair,
    ratio,
    summed,
)

Bare = npt.NDArray[Any]
Quantiles = float | Sequence[float] | npt.NDArray[Any] | xr.DataArray


def pinball_sums(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    quantile: Quantiles,
    over: Dims = None,
) -> xr.Dataset:
    """
    Sum the pinball loss of quantiles over pairs; see `quantile_score`.

    Parameters
    ----------
    forecast, observed, quantile, over
        As in `quantile_score`.

    Returns
    -------
    Dataset
        `pinball_pairs` as int64 and `pinball_sum`, by `quantile`. Sums of several
        samples `merge`.

    Raises
    ------
    ValueError
        If a level is not between 0 and 1, or `forecast` has no quantile of it.

    Examples
    --------
    >>> forecast = xr.DataArray([1.0, 5.0, 2.0], dims="member")
    >>> sums = pinball_sums(forecast, xr.DataArray(4.0), quantile=[0.5, 0.9])
    >>> sums.pinball_sum.round(3).values
    array([1. , 0.1])
    """
    label = _label(quantile)
    levels = np.atleast_1d(label.values)
    dims = forecast.dims if isinstance(forecast, xr.DataArray) else ("member",)
    if "quantile" in dims or ("member" not in dims and "quantile" in forecast.coords):
        forecast = _labelled(forecast, levels)
    elif "member" not in dims and levels.size > 1:
        raise ValueError(
            f"forecast has neither 'member' nor 'quantile' among its dimensions "
            f"{dims}, so it is one quantile, but quantile is {quantile!r}; give the "
            "level that it has"
        )
    whole = "quantile" not in dims
    given = forecast if whole else forecast.rename(quantile="member")
    f, o = pair(given, observed, members=True)
    if f.sizes.get("member", 1) == 0:
        raise ValueError("forecast has no members; give one or more")

    def block(f: Bare, o: Bare) -> Bare:
        x = _of_members(f, levels) if whole else f
        sums = np.empty((o.shape[1], levels.size, 2))
        for number, (level, q) in enumerate(zip(levels, x, strict=True)):
            excess = q.astype(np.float64) - o
            valid = ~np.isnan(excess)
            loss = np.where(excess > 0, (1.0 - level) * excess, -level * excess)
            sums[:, number, 0] = counted(valid)
            sums[:, number, 1] = np.where(valid, loss, 0.0).sum(0)
        return sums

    sizes = {"quantile": levels.size, "part": 2}
    found = block_sums(block, f, o, summed(o, over), sizes=sizes)
    pairs = found.isel(part=0).astype(np.int64)
    state = xr.Dataset(
        {
            "pinball_pairs": described(pairs, "pairs that are not missing"),
            "pinball_sum": described(
                found.isel(part=1),
                "sum of the pinball loss",
                error_units(o.attrs.get("units")),
            ),
        }
    )
    state = state if label.ndim else state.isel(quantile=0)
    return state.assign_coords(quantile=label)


def pinball_score(sums: xr.Dataset) -> xr.DataArray:
    """
    The mean pinball loss of its sums.

    Parameters
    ----------
    sums
        As from `pinball_sums`, or several of these merged.

    Returns
    -------
    DataArray
        By `quantile`, NaN where there is no pair.

    Examples
    --------
    >>> pinball_score(xr.Dataset({"pinball_pairs": 4, "pinball_sum": 1.0})).item()
    0.25
    """
    score = ratio(sums["pinball_sum"], sums["pinball_pairs"])
    units = sums["pinball_sum"].attrs.get("units")
    return described(score, "quantile score (pinball loss)", units)


def quantile_score(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    quantile: Quantiles,
    over: Dims = None,
) -> xr.DataArray:
    r"""
    Quantile score, or pinball loss, of quantiles or of those of an ensemble.

    $$\frac{1}{N} \sum (\mathbf{1}\{o < q\} - \tau)(q - o)$$

    for the quantile $q$ of level $\tau$ and the observation $o$. It is least, in the
    long run, for the true quantile. The median's score is half the absolute error.

    The quantile of $M$ members is the $\lceil \tau M \rceil$-th in rising order, the
    lowest value that a share $\tau$ of them does not exceed: the one that scores best
    where the observation is like one of the members. So twice the mean over all levels
    is the CRPS of the members as a distribution, `crps(..., fair=False)`. A value
    interpolated between members, as `DataArray.quantile` gives it, has neither
    property, and between dry and wet members it is rain that none forecasts.

    Parameters
    ----------
    forecast
        An ensemble with the dimension `member`; or quantiles along `quantile`, whose
        labels are their levels; or one quantile. A pixel with a missing member is
        missing, and so is one with a missing quantile, for that level.
    observed
        The observations on the grid of `forecast`. Missing pairs are not counted.
    quantile
        The level $\tau$, or several that differ, between 0 and 1.
    over
        Dimensions to average over; all but `lead` if not given.

    Returns
    -------
    DataArray
        In the units of `observed`, best 0, by `quantile`; NaN where there is no pair.

    Raises
    ------
    ValueError
        If a level is not between 0 and 1, or `forecast` has no quantile of it.

    References
    ----------
    Gneiting, T., 2011: Making and evaluating point forecasts. *J. Amer. Stat. Assoc.*,
    **106**, 746-762, <https://doi.org/10.1198/jasa.2011.r10138>.

    Examples
    --------
    >>> forecast = xr.DataArray([1.0, 5.0, 2.0], dims="member")
    >>> quantile_score(forecast, xr.DataArray(4.0), quantile=0.5).item()  # |2 - 4| / 2
    1.0
    """
    sums = pinball_sums(forecast, observed, quantile=quantile, over=over)
    return pinball_score(sums)


def _label(quantile: Quantiles) -> xr.DataArray:
    values = np.asarray(quantile)
    numbers = values.dtype.kind in "iuf" and values.ndim <= 1 and values.size > 0
    if (
        not numbers
        or not ((values > 0) & (values < 1)).all()
        or np.unique(values).size < values.size
    ):
        raise ValueError(
            f"quantile is {quantile!r}; give a level between 0 and 1, or several that "
            "differ, such as [0.1, 0.5, 0.9]"
        )
    return xr.DataArray(
        values.astype(np.float64),
        dims="quantile" if values.ndim else (),
        attrs={"long_name": "level of the quantile", "units": "1"},
    )


def _labelled(forecast: xr.DataArray, levels: Bare) -> xr.DataArray:
    """The quantiles of some levels, by their labels."""
    if "member" in forecast.dims:
        raise ValueError(
            "forecast has both dimensions, 'member' and 'quantile'; pass the members, "
            "or their quantiles"
        )
    known = np.atleast_1d(forecast["quantile"].values)
    labelled = "quantile" in forecast.coords and known.dtype.kind in "iuf"
    same = np.isclose(known, levels[:, None], rtol=0, atol=1e-6) if labelled else None
    if same is None or not same.any(axis=1).all():
        there = known.tolist() if labelled else "no labels of them"
        raise ValueError(
            f"forecast has the quantiles {there}, but wanted {levels.tolist()}; name "
            "levels that it has, or label them with .assign_coords(quantile=[...])"
        )
    if "quantile" in forecast.dims:
        return forecast.isel(quantile=same.argmax(axis=1))
    return forecast.drop_vars("quantile")


def _of_members(f: Bare, levels: Bare) -> Bare:
    """The quantiles of members `(member, ...)`, NaN where one of these is missing."""
    members = len(f)
    # less what rounding adds to a product, so that 0.07 of 100 are 7 members
    ranks = np.ceil(levels * members - 1e-9).astype(np.intp) - 1
    x = np.array(f.reshape(members, -1).T, order="C")
    x.sort(axis=-1)  # NaN come last
    found = x[:, ranks.clip(0, members - 1)]
    if x.dtype.kind == "f":
        found = np.where(np.isnan(x[:, -1:]), np.nan, found)
    return np.asarray(found.T.reshape(levels.size, *f.shape[1:]))
