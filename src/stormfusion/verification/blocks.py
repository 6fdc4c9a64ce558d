"""Sums over pairs, block by block: in cache, on all cores, lazily on Dask."""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import xarray as xr

Bare: TypeAlias = npt.NDArray[Any]
Block: TypeAlias = Callable[[Bare, Bare], Bare]
"""From members `(member, pair, row)` and observations `(pair, row)` to sums over the
pairs, `(row, ...)`; mostly there is one row."""

PAIRS = 4096
"""Numbers of a block: 50 members of it fit in the second cache."""
CHUNK = 2**17
"""Numbers that a thread takes at a time. Their sums are added in order, so that the
result does not depend on how many threads there are."""
FEW = 64
"""Pairs of a row, below which several rows go together."""


def block_sums(
    block: Block,
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
        Takes members and observations, NaN where missing, and gives float64 sums whose
        further axes are those of `sizes`.
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
    kept = [dim for dim in observed.dims if dim not in over]
    order = [*kept, *(dim for dim in observed.dims if dim in over)]
    members = ["member"] if "member" in forecast.dims else []
    f, o = forecast.transpose(*members, *order), observed.transpose(*order)
    coords = {dim: observed[dim] for dim in kept if dim in observed.coords}
    run = _Run(block, len(kept), bool(members), tuple(sizes.values()))
    if f.chunks is None and o.chunks is None:
        data = run(f.to_numpy(), o.to_numpy())
    else:
        data = _lazily(run, f, o)
    return xr.DataArray(data, dims=(*kept, *sizes), coords=coords)


class _Run:
    """A block function run over whole arrays."""

    def __init__(
        self, block: Block, kept: int, members: bool, sizes: tuple[int, ...]
    ) -> None:
        self.block, self.kept, self.members, self.sizes = block, kept, members, sizes

    def __call__(self, f: Bare, o: Bare) -> Bare:
        shape, pairs = o.shape[: self.kept], math.prod(o.shape[self.kept :])
        rows = math.prod(shape)
        o = o.reshape(rows, pairs)
        f = f.reshape(f.shape[0] if self.members else 1, rows, pairs)
        if not o.size:
            return np.zeros((*shape, *self.sizes))
        each = self._row if pairs >= FEW else self._rows
        step = CHUNK if pairs >= FEW else max(CHUNK // pairs, 1)
        spans = [
            (row, slice(start, start + step))
            for row in range(rows if pairs >= FEW else 1)
            for start in range(0, pairs if pairs >= FEW else rows, step)
        ]
        found = _mapped(lambda span: each(f, o, *span), spans)
        if pairs < FEW:
            return np.concatenate(found).reshape(*shape, *self.sizes)
        total = np.zeros((rows, *self.sizes))
        for (row, _), part in zip(spans, found, strict=True):
            total[row] += part
        return total.reshape(*shape, *self.sizes)

    def _row(self, f: Bare, o: Bare, row: int, span: slice) -> Bare:
        """The sums of some pairs of one row."""
        members, pairs = f[:, row, span, None], o[row, span, None]
        total = np.zeros(self.sizes)
        for start in range(0, len(pairs), PAIRS):
            part = slice(start, start + PAIRS)
            total += self.block(members[:, part], pairs[part])[0]
        return total

    def _rows(self, f: Bare, o: Bare, _: int, span: slice) -> Bare:
        """The sums of all pairs of some rows."""
        members, pairs = f[:, span].swapaxes(1, 2), o[span].swapaxes(0, 1)
        step = max(PAIRS // len(pairs), 1)
        parts = [slice(start, start + step) for start in range(0, pairs.shape[1], step)]
        return np.concatenate(
            [self.block(members[..., part], pairs[:, part]) for part in parts]
        )


def _lazily(run: _Run, f: xr.DataArray, o: xr.DataArray) -> Any:
    """The same on Dask: the sums of each chunk, then their sum."""
    import dask.array as da

    o = o.chunk() if o.chunks is None else o
    chunks: dict[Any, Any] = dict(zip(o.dims, o.chunks or (), strict=True))
    f = f.chunk(chunks | ({"member": -1} if run.members else {}))
    dims = list(range(o.ndim))
    summed = dims[run.kept :]
    news = {o.ndim + 1 + place: size for place, size in enumerate(run.sizes)}

    def one(ours: Bare, theirs: Bare) -> Bare:
        return np.expand_dims(run(ours, theirs), tuple(summed))

    parts = da.blockwise(
        one,
        (*dims, *news),
        f.data,
        ((o.ndim, *dims) if run.members else dims),
        o.data,
        dims,
        new_axes=news,
        adjust_chunks=dict.fromkeys(summed, 1),
        concatenate=True,
        dtype=np.float64,
        meta=np.empty((0,) * (o.ndim + len(news))),
    )
    return parts.sum(axis=tuple(summed))


def _mapped(function: Callable[[Any], Bare], items: Sequence[Any]) -> list[Bare]:
    if len(items) < 2 or cores() < 2:
        return [function(item) for item in items]
    with ThreadPoolExecutor(cores()) as pool:
        return list(pool.map(function, items))


@lru_cache(maxsize=1)
def cores() -> int:
    """How many threads to use: as many as there are cores to run on."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
