"""Sums over pairs and over maps: in cache, on all cores, lazily on Dask."""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import xarray as xr

Bare: TypeAlias = npt.NDArray[Any]
Sums: TypeAlias = Callable[[Bare, Bare], Bare]
"""From a forecast with its members first, and observations, to sums of them."""

NUMBERS = 2**13
"""Pairs of a block: few enough to stay in cache, with their members."""
BYTES = 2**18
"""Of a block at least, as far as it has so many: shorter ones cost more to begin."""
CHUNK = 2**18
"""Pairs that a thread takes at a time. Their sums are added in order, so that the
result does not depend on how many threads there are."""
FEW = 64
"""Pairs of a row, below which several rows go together."""


def block_sums(
    block: Sums,
    forecast: xr.DataArray,
    observed: xr.DataArray,
    over: Sequence[str],
    *,
    sizes: Mapping[str, int],
) -> xr.DataArray:
    """
    Add what a function gives for blocks of pairs.

    Parameters
    ----------
    block
        Takes members `(member, pair, row)` and observations `(pair, row)`, with mostly
        one row, and gives float64 sums over the pairs: `(row, ...)`, with the axes of
        `sizes`.
    forecast, observed
        As `pair` gives them, of NumPy or Dask.
    over
        Dimensions of the observations to sum over.
    sizes
        Axes of the sums, and how long they are.

    Returns
    -------
    DataArray
        Along the other dimensions of the observations, and those of `sizes`.

    Examples
    --------
    >>> rain = xr.DataArray([[1.0, 2.0], [3.0, 4.0]], dims=("lead", "x"))
    >>> block = lambda f, o: np.stack([f.sum((0, 1)), o.sum(0)], axis=-1)
    >>> block_sums(block, rain, rain, ["x"], sizes={"part": 2}).values
    array([[3., 3.],
           [7., 7.]])
    """
    run = _Run(_pairs, block, tuple(sizes.values()))
    return _summed(run, forecast, observed, over, sizes, unbroken=())


def map_sums(
    function: Sums,
    forecast: xr.DataArray,
    observed: xr.DataArray,
    over: Sequence[str],
    *,
    sizes: Mapping[str, int],
) -> xr.DataArray:
    """
    Add what a function gives for one map after the other.

    Parameters
    ----------
    function
        Takes the members `(member, y, x)` of a map and the observed `(y, x)`, and
        gives float64 sums with the axes of `sizes`.
    forecast, observed, over, sizes
        As in `block_sums`; `y` and `x` are summed in any case.

    Returns
    -------
    DataArray
        As from `block_sums`.

    Examples
    --------
    >>> rain = xr.DataArray(np.eye(3), dims=("y", "x"))
    >>> trace = lambda f, o: np.array([np.trace(o)])
    >>> map_sums(trace, rain, rain, [], sizes={"part": 1}).values
    array([3.])
    """
    if not {"y", "x"} <= set(observed.dims):
        raise ValueError(
            f"a score of maps needs the dimensions y and x, but got {observed.dims}; "
            "rename the axes with .rename"
        )
    over = [*(dim for dim in over if dim not in ("y", "x")), "y", "x"]
    run = _Run(_maps, function, tuple(sizes.values()))
    return _summed(run, forecast, observed, over, sizes, unbroken=("y", "x"))


def counted(event: Bare) -> Bare:
    """
    How often something is true in each row of a block, `(pair, row)`.

    Examples
    --------
    >>> counted(np.array([[True], [False], [True]]))
    array([2])
    """
    if event.shape[1] == 1:
        return np.array([np.count_nonzero(event)])
    return np.asarray(np.count_nonzero(event, axis=0))


def missing(f: Bare, o: Bare) -> Bare:
    """
    Pixels missing in the observations or in any member.

    Examples
    --------
    >>> missing(np.array([[np.nan, 1.0]]), np.array([1.0, 2.0]))
    array([ True, False])
    """
    gone = np.isnan(o)
    for member in f:
        gone |= np.isnan(member)
    return gone


def cores() -> int:
    """How many threads to use: as many as there are cores that this may run on."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


@dataclass(frozen=True)
class _Run:
    """Sums of bare arrays `(member, ...)` and `(...)`, over all but the first axes."""

    walk: Callable[["_Run", Bare, Bare, int], Bare]
    sums: Sums
    sizes: tuple[int, ...]
    kept: int = 0

    def __call__(self, f: Bare, o: Bare, threads: int) -> Bare:
        return self.walk(self, f, o, threads)


def _summed(
    run: _Run,
    forecast: xr.DataArray,
    observed: xr.DataArray,
    over: Sequence[str],
    sizes: Mapping[str, int],
    *,
    unbroken: Sequence[str],
) -> xr.DataArray:
    kept = [dim for dim in observed.dims if dim not in over]
    inner = [dim for dim in over if dim not in unbroken]
    order = [*kept, *sorted(inner, key=observed.dims.index), *unbroken]
    if "member" not in forecast.dims:
        forecast = forecast.expand_dims("member")
    f, o = forecast.transpose("member", *order), observed.transpose(*order)
    coords = {dim: observed[dim] for dim in kept if dim in observed.coords}
    run = replace(run, kept=len(kept))
    if f.chunks is None and o.chunks is None:
        data = run(f.to_numpy(), o.to_numpy(), cores())
    else:
        data = _lazily(run, f, o, unbroken)
    return xr.DataArray(data, dims=(*kept, *sizes), coords=coords)


def _pairs(run: _Run, f: Bare, o: Bare, threads: int) -> Bare:
    """In blocks of pairs."""
    block, kept, sizes = run.sums, run.kept, run.sizes
    total = np.zeros((*o.shape[:kept], *sizes))
    if not o.size:
        return total
    # axes that can be one without a copy of the data
    outer = max(_joined(o), _joined(f) - 1, kept)
    if outer > kept and math.prod(o.shape[outer:]) < FEW:
        outer = kept
    shape, pairs = o.shape[:outer], math.prod(o.shape[outer:])
    o, f = o.reshape(*shape, pairs), f.reshape(len(f), *shape, pairs)
    length = min(max(BYTES // (len(f) * f.itemsize), NUMBERS), CHUNK)

    def row(place: tuple[tuple[int, ...], int]) -> Bare:
        at, start = place
        found = np.zeros(sizes)
        for first in range(start, min(start + CHUNK, pairs), length):
            part = slice(first, first + length)
            found += block(f[:, *at, part, None], o[*at, part, None])[0]
        return found

    if pairs >= FEW:
        starts = range(0, pairs, CHUNK)
        places = [(at, start) for at in np.ndindex(shape) for start in starts]
        for (at, _), part in zip(places, _mapped(row, places, threads), strict=True):
            total[at[:kept]] += part
        return total
    rows = math.prod(shape)
    o, f = o.reshape(rows, pairs), f.reshape(len(f), rows, pairs)
    step = max(NUMBERS // pairs, 1)

    def several(start: int) -> Bare:
        part = slice(start, start + step)
        return block(f[:, part].swapaxes(1, 2), o[part].swapaxes(0, 1))

    found = _mapped(several, range(0, rows, step), threads)
    return np.concatenate(found).reshape(total.shape)


def _joined(array: Bare) -> int:
    """The first axis from which on all can be one, without a copy."""
    for axis in reversed(range(array.ndim - 1)):
        following = array.strides[axis + 1] * array.shape[axis + 1]
        if array.shape[axis] > 1 and array.strides[axis] != following:
            return axis + 1
    return 0


def _maps(run: _Run, f: Bare, o: Bare, threads: int) -> Bare:
    """One map after the other."""
    places = list(np.ndindex(o.shape[:-2]))
    found = _mapped(lambda at: run.sums(f[:, *at], o[at]), places, threads)
    total = np.zeros((*o.shape[: run.kept], *run.sizes))
    for place, part in zip(places, found, strict=True):
        total[place[: run.kept]] += part
    return total


def _lazily(
    run: _Run, f: xr.DataArray, o: xr.DataArray, unbroken: Sequence[str]
) -> Any:
    """The same on Dask: the sums of each chunk, then their sum."""
    import dask.array as da

    if o.chunks is None:
        o = o.chunk({dim: f.chunksizes[dim] for dim in o.dims})
    o = o.chunk(dict.fromkeys(unbroken, -1))
    chunks: dict[Any, Any] = dict(zip(o.dims, o.chunks or (), strict=True))
    f = f.chunk(chunks | {"member": -1})
    dims = list(range(o.ndim))
    summed = dims[run.kept :]
    news = {o.ndim + 1 + place: size for place, size in enumerate(run.sizes)}
    blockwise: Any = da.blockwise

    def one(ours: Bare, theirs: Bare) -> Bare:
        # Dask has threads of its own
        return np.expand_dims(run(ours, theirs, 1), tuple(summed))

    parts = blockwise(
        one,
        (*dims, *news),
        f.data,
        (o.ndim, *dims),
        o.data,
        dims,
        new_axes=news,
        adjust_chunks=dict.fromkeys(summed, 1),
        concatenate=True,
        dtype=np.float64,
        meta=np.empty((0,) * (o.ndim + len(news))),
    )
    return parts.sum(axis=tuple(summed)) if summed else parts


def _mapped(
    function: Callable[[Any], Bare], items: Sequence[Any], threads: int
) -> list[Bare]:
    if min(len(items), threads) < 2:
        return [function(item) for item in items]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(function, items))
