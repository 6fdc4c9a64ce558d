"""How errors are distributed: a fair sample of them, whatever the order of cases."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from stormfusion.verification.blocks import cores
from stormfusion.verification.pairs import Dims, described, error_units, pair, summed
from stormfusion.verification.reservoir import NONE, Draw, drawn_lazily, hashed, least

Bare = npt.NDArray[Any]


def error_distribution(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    by: Dims = None,
    samples: int = 10_000,
    seed: int = 0,
    threshold: float | None = None,
    case: Any = None,
) -> xr.Dataset:
    """
    Draw a sample of the errors, `forecast - observed`, for `plot.violins`.

    Each pair has a random key, made of `seed` and of the labels of its place; those
    with the smallest keys are the sample. So every pair is as likely as any other, the
    order of the data and how they are cut do not matter, and the samples of forecasts
    that miss the same pixels are of the same pixels.

    Parameters
    ----------
    forecast
        One forecast, in the units of `observed`.
    observed
        The observations on the grid of `forecast`. A pair of which either is missing
        is not counted.
    by
        What to keep apart: dimensions, or coordinates along one dimension of
        `observed`, such as `stage`, whose missing labels are left out; `lead`, where
        there is one, if not given.
    samples
        Errors to keep of each.
    seed
        Of the keys.
    threshold
        Leave out pairs in which neither reaches this: dry pixels, of which most of a
        distribution may consist.
    case
        A name or number of this case, where others are drawn by other calls, to be
        merged: it tells their pixels apart. As if both had a dimension `case`.

    Returns
    -------
    Dataset
        `error` along `sample` in the units of `observed`, NaN where there are fewer
        pairs; `key`, in rising order; and `count`, all the pairs, as int64. Of several
        cases they `merge_distributions`.

    References
    ----------
    Cohen, E., and H. Kaplan, 2007: Summarizing data using bottom-k sketches. *Proc.
    26th ACM Symp. on Principles of Distributed Computing*, 225-234,
    <https://doi.org/10.1145/1281100.1281133>.

    Steele, G. L., D. Lea, and C. H. Flood, 2014: Fast splittable pseudorandom number
    generators. *ACM SIGPLAN Notices*, **49**, 453-472,
    <https://doi.org/10.1145/2714064.2660195>.

    Examples
    --------
    >>> forecast = xr.DataArray([3.0, 1.0, 0.0, np.nan], dims="x")
    >>> observed = xr.DataArray([1.0, 2.0, 0.0, 3.0], dims="x")
    >>> found = error_distribution(forecast, observed, samples=5, threshold=1)
    >>> found["count"].item(), sorted(found.error.values[:2].tolist())
    (2, [-1.0, 2.0])
    """
    f, o = pair(forecast, observed)
    draw = Draw(_checked_samples(samples), _checked_threshold(threshold))
    names = _kept_names(by, observed)
    labels = {name: observed[name] for name in names if name not in observed.dims}
    if case is not None:
        if "case" in o.dims:
            raise ValueError(
                f"case is {case!r}, but the observations have a dimension 'case'; give "
                "that its labels with .assign_coords(case=...), and no case here"
            )
        f, o = (array.expand_dims(case=[case]) for array in (f, o))
    hashes = {str(dim): _hashes(o, str(dim), seed) for dim in o.dims}
    kept = [name for name in names if name in o.dims]
    found = _grouped(draw, f, o, hashes=hashes, kept=kept, labels=labels)
    units = error_units(observed.attrs.get("units"))
    found["error"] = described(found["error"], "forecast - observed", units)
    found["key"].attrs = {"long_name": "random key, the smaller the sooner drawn"}
    found["count"] = described(found["count"], "pairs that are not missing")
    found.attrs = {"samples": draw.size, "seed": seed}
    if threshold is not None:
        found.attrs |= {"threshold": threshold}
        found["count"].attrs["long_name"] += ", of which one reaches the threshold"
    return found.transpose(*names, "sample")


def merge_distributions(*distributions: xr.Dataset) -> xr.Dataset:
    """
    The sample of all cases together, from those of each.

    Parameters
    ----------
    distributions
        As from `error_distribution`, with equal `samples`, `seed` and `threshold` and
        another `case` each. A lead or stage that one of them lacks has no pairs there.

    Returns
    -------
    Dataset
        As `error_distribution` gives of all cases at once.

    Raises
    ------
    ValueError
        If two hold the same pairs, as keys tell; on Dask, when it is computed.

    Examples
    --------
    >>> rain = xr.DataArray([1.0, 2.0], dims="x")
    >>> one = error_distribution(rain, rain - 1, samples=4, case="May")
    >>> other = error_distribution(rain, rain - 2, samples=4, case="June")
    >>> both = merge_distributions(one, other)
    >>> both["count"].item(), sorted(both.error.values.tolist())
    (4, [1.0, 1.0, 2.0, 2.0])
    """
    if not distributions:
        raise ValueError("got no distribution to merge; pass one or more")
    first = distributions[0]
    for other in distributions[1:]:
        ours, theirs = (d.attrs | d["error"].attrs for d in (first, other))
        told = {n for n in ours.keys() | theirs.keys() if ours.get(n) != theirs.get(n)}
        if told := told & {"samples", "seed", "threshold", "units"}:
            name = min(told)
            raise ValueError(
                f"cannot merge distributions whose {name} differ ({ours.get(name)!r} "
                f"and {theirs.get(name)!r}); draw both with the same"
            )
    filled = xr.align(
        *distributions,
        join="outer",
        fill_value={"error": np.nan, "key": NONE, "count": 0},
    )
    packed = [_packed(distribution) for distribution in filled]
    joined = xr.apply_ufunc(
        lambda *parts: least(np.stack(parts, axis=-2), unique=True),
        *packed,
        input_core_dims=[["part"]] * len(packed),
        output_core_dims=[["part"]],
        dask="parallelized",
        output_dtypes=[np.uint64],
        keep_attrs=True,
    )
    found = _unpacked(joined)
    for name in found:
        found[name].attrs = first[name].attrs
    return found.assign_attrs(first.attrs)


def error_quantiles(
    distribution: xr.Dataset, quantiles: Sequence[float] = (0.05, 0.25, 0.5, 0.75, 0.95)
) -> xr.DataArray:
    """
    Quantiles of a sample of errors.

    Those of all pairs, where these are no more than `samples`; else their estimate, of
    which the standard error is `(q (1 - q) / samples)^0.5` in probability: 0.2 percent
    at the 5 percent of 10,000.

    Parameters
    ----------
    distribution
        As from `error_distribution`, or several of these merged.
    quantiles
        Probabilities, 0 to 1.

    Returns
    -------
    DataArray
        Along `quantile`, in the units of the errors; NaN where there is no pair.

    Examples
    --------
    >>> rain = xr.DataArray([1.0, 2.0, 5.0], dims="x")
    >>> found = error_distribution(rain, 0 * rain)
    >>> error_quantiles(found, [0.0, 0.5, 1.0]).values
    array([1., 2., 5.])
    """
    levels = np.asarray(quantiles, dtype=np.float64)
    if levels.ndim != 1 or not ((levels >= 0) & (levels <= 1)).all():
        raise ValueError(
            f"quantiles is {quantiles!r}; give probabilities in 0 to 1, such as "
            "[0.25, 0.5, 0.75]"
        )
    errors = distribution["error"]
    found = xr.apply_ufunc(
        lambda x: np.moveaxis(percentiles(np.moveaxis(x, -1, 0), levels), 0, -1),
        errors,
        input_core_dims=[["sample"]],
        output_core_dims=[["quantile"]],
        dask="parallelized",
        dask_gufunc_kwargs={"output_sizes": {"quantile": levels.size}},
        output_dtypes=[np.float64],
    ).assign_coords(quantile=("quantile", levels, {"long_name": "probability"}))
    units = errors.attrs.get("units")
    return described(found, "quantile of forecast - observed", units)


def percentiles(values: Bare, levels: npt.NDArray[np.float64]) -> Bare:
    """
    Quantiles along the first axis, missing values left out; NaN of none.

    Examples
    --------
    >>> percentiles(np.array([[3.0], [np.nan], [1.0]]), np.array([0.5]))
    array([[2.]])
    """
    ordered = np.sort(values, axis=0)  # missing values last
    last = np.maximum(np.count_nonzero(~np.isnan(values), axis=0) - 1, 0)
    place = levels.reshape(-1, *(1,) * last.ndim) * last
    low = np.floor(place).astype(np.intp)
    a = np.take_along_axis(ordered, low, axis=0)
    b = np.take_along_axis(ordered, np.minimum(low + 1, last), axis=0)
    with np.errstate(invalid="ignore"):
        between = a + (b - a) * (place - low)
    # nothing lies between infinite ones, nor right above minus infinity
    return np.where((place == low) | (a == b) | np.isinf(a), a, between)


def _grouped(
    draw: Draw,
    f: xr.DataArray,
    o: xr.DataArray,
    *,
    hashes: dict[str, Bare],
    kept: list[str],
    labels: dict[str, xr.DataArray],
) -> xr.Dataset:
    """One sample for each label of the coordinates, and place of the dimensions."""
    if not labels:
        return _drawn(draw, f, o, hashes=hashes, kept=kept)
    (name, label), *others = labels.items()
    dim = str(label.dims[0])
    numbers, words = pd.factorize(label.values, sort=True)
    if not len(words):
        raise ValueError(f"every label of {name} is missing; there is nothing to keep")
    parts = []
    for number in range(len(words)):
        where = np.flatnonzero(numbers == number)
        some = {dim: where}
        rest = {n: la.isel(some, missing_dims="ignore") for n, la in others}
        ours = hashes | {dim: hashes[dim][where]}
        both = f.isel(some), o.isel(some)
        parts.append(_grouped(draw, *both, hashes=ours, kept=kept, labels=rest))
    plain = np.array(np.asarray(words).tolist()) if words.dtype == object else words
    return xr.concat(parts, xr.Variable(name, plain))


def _drawn(
    draw: Draw,
    f: xr.DataArray,
    o: xr.DataArray,
    *,
    hashes: dict[str, Bare],
    kept: list[str],
) -> xr.Dataset:
    order = [*kept, *(str(dim) for dim in o.dims if dim not in kept)]
    f, o = f.transpose(*order), o.transpose(*order)
    ours = [hashes[dim] for dim in order]
    if f.chunks is None and o.chunks is None:
        data = draw(f.values, o.values, *ours, kept=len(kept), threads=cores())
    else:
        data = drawn_lazily(draw, f, o, ours, len(kept))
    coords = {dim: o[dim] for dim in kept if dim in o.coords}
    return _unpacked(xr.DataArray(data, dims=(*kept, "part"), coords=coords))


def _packed(distribution: xr.Dataset) -> xr.DataArray:
    """One array of 64 bits: count, keys and errors."""
    parts = [
        distribution["count"].astype(np.uint64).expand_dims(part=1, axis=-1),
        distribution["key"].rename(sample="part"),
        distribution["error"].astype(np.float64).rename(sample="part"),
    ]
    parts[2] = parts[2].copy(data=parts[2].data.view(np.uint64))
    parts = [part.drop_vars("part", errors="ignore") for part in parts]
    joined = xr.concat(parts, "part", coords="minimal", compat="override")
    joined = joined.transpose(..., "part")
    return joined.chunk(part=-1) if joined.chunks is not None else joined


def _unpacked(packed: xr.DataArray) -> xr.Dataset:
    size = packed.sizes["part"] // 2
    count, keys, errors = (
        packed.isel(part=0),
        packed.isel(part=slice(1, 1 + size)).rename(part="sample"),
        packed.isel(part=slice(1 + size, None)).rename(part="sample"),
    )
    errors = errors.copy(data=errors.data.view(np.float64))
    count = count.astype(np.int64)
    return xr.Dataset({"error": errors, "key": keys, "count": count})


def _hashes(array: xr.DataArray, dim: str, seed: int) -> Bare:
    """Of the labels of a dimension, or of its places where it has none."""
    salt = f"{seed} {dim}"
    if dim not in array.indexes:
        return hashed(np.arange(array.sizes[dim]), salt)
    labels: Any = array.indexes[dim]
    if not labels.is_unique:
        raise ValueError(
            f"the coordinate {dim} holds {labels[labels.duplicated()][0]!r} more than "
            "once, so that its pixels cannot be told apart; give each its own label, "
            "or drop the coordinate"
        )
    return hashed(labels, salt)


def _kept_names(by: Dims, observed: xr.DataArray) -> list[str]:
    """Dimensions to keep, and coordinates to group by."""
    if by is None:
        return [
            dim for dim in map(str, observed.dims) if dim not in summed(observed, None)
        ]
    names = [by] if isinstance(by, str) else list(by)
    along = {str(n): c.dims[0] for n, c in observed.coords.items() if c.ndim == 1}
    if unknown := [n for n in names if n not in observed.dims and n not in along]:
        raise ValueError(
            f"cannot keep {unknown} apart; the observations have the dimensions "
            f"{list(observed.dims)} and the coordinates along one of them {list(along)}"
        )
    for name in names:
        if name not in observed.dims and along[name] in names:
            raise ValueError(
                f"by is {by!r}, but {name} lies along {along[name]}; keep one of them"
            )
    return names


def _checked_samples(samples: int) -> int:
    whole = isinstance(samples, int | np.integer) and not isinstance(samples, bool)
    if not whole or samples < 1:
        raise ValueError(f"samples is {samples!r}; give a whole number, 1 or more")
    return int(samples)


def _checked_threshold(threshold: float | None) -> float | None:
    if threshold is None:
        return None
    if isinstance(threshold, int | float | np.number) and np.isfinite(threshold):
        return float(threshold)
    raise ValueError(
        f"threshold is {threshold!r}; give a finite number, or None to keep dry pairs"
    )
