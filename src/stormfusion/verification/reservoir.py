"""A fair sample in bounded memory: the pairs whose random keys are smallest."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from stormfusion.verification.counts import reaches

Bare = npt.NDArray[Any]

NONE = np.uint64(2**64 - 1)
"""The key of a place in the sample that holds no error."""
BLOCK = 2**15
"""Pairs that are looked at together."""


@dataclass(frozen=True)
class Draw:
    """
    How many errors to draw, and from which value on a pair counts.

    Samples are bare arrays of 64 bits, to be joined by `least`: along the last axis the
    count of all pairs, the keys in rising order, and the bits of the errors.

    Examples
    --------
    >>> found = Draw(2, None)(np.array([4.0]), np.array([3.0]), hashed([0]), kept=0)
    >>> found[0], found[3:].view(float)
    (np.uint64(1), array([ 1., nan]))
    """

    size: int
    threshold: float | None

    def __call__(
        self, f: Bare, o: Bare, *hashes: Bare, kept: int, threads: int = 1
    ) -> Bare:
        """Draw for each place of the first `kept` axes; one array of hashes an axis."""
        packed = np.empty((*o.shape[:kept], 1 + 2 * self.size), np.uint64)

        def fill(at: tuple[int, ...]) -> None:
            start = np.zeros(1, np.uint64)
            for axis, place in enumerate(at):
                start = start + hashes[axis][place]
            x, y = (np.atleast_1d(a[at]) for a in (f, o))
            packed[at] = self._one(x, y, [start, *hashes[kept:]])

        places = np.ndindex(o.shape[:kept])
        if threads == 1:
            for place in places:
                fill(place)
            return packed
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(fill, places))
        return packed

    def _one(self, f: Bare, o: Bare, hashes: list[Bare]) -> Bare:
        size, bound, count = self.size, NONE, 0
        keys, errors = np.empty(0, np.uint64), np.empty(0)
        for part in _blocks(o.shape):
            x, y = f[part], o[part]
            with np.errstate(invalid="ignore"):
                error = x.astype(np.float64) - y
            wanted = ~np.isnan(error)
            if self.threshold is not None:
                wanted &= reaches(x, self.threshold) | reaches(y, self.threshold)
            count += int(np.count_nonzero(wanted))
            places = (h[s] for h, s in zip(hashes[1:], part, strict=False))
            key = _mixed(reduce(np.add.outer, places, hashes[0]).reshape(x.shape))
            wanted &= key < bound
            keys = np.concatenate([keys, key[wanted]])
            errors = np.concatenate([errors, error[wanted]])
            if keys.size > 2 * size:
                first = np.argpartition(keys, size - 1)[:size]
                keys, errors = keys[first], errors[first]
                bound = keys.max()
        order = np.argsort(keys)[:size]
        packed = np.full(1 + 2 * size, NONE)
        packed[0] = count
        packed[1 : 1 + order.size] = keys[order]
        ours = np.full(size, np.nan)
        ours[: order.size] = errors[order]
        packed[1 + size :] = ours.view(np.uint64)
        return packed


def drawn_lazily(
    draw: Draw, f: xr.DataArray, o: xr.DataArray, hashes: list[Bare], kept: int
) -> Any:
    """The same on Dask: a sample of each chunk, then of these."""
    import dask.array as da

    if o.chunks is None:
        o = o.chunk({dim: f.chunksizes[dim] for dim in o.dims})
    chunks: tuple[Any, ...] = o.chunks or ()
    f = f.chunk(dict(zip(o.dims, chunks, strict=True)))
    dims, width = list(range(o.ndim)), 1 + 2 * draw.size
    summed = tuple(dims[kept:])

    def one(x: Bare, y: Bare, *places: Bare) -> Bare:
        # Dask has threads of its own
        return np.expand_dims(draw(x, y, *places, kept=kept), summed)

    def same(parts: Bare, axis: tuple[int, ...], keepdims: bool) -> Bare:
        return parts

    def join(parts: Bare, axis: tuple[int, ...], keepdims: bool) -> Bare:
        found = least(parts.reshape(*parts.shape[:kept], -1, width))
        return np.expand_dims(found, axis) if keepdims else found

    blockwise: Any = da.blockwise
    from_array: Any = da.from_array
    places = [from_array(h, chunks=(chunks[i],)) for i, h in enumerate(hashes)]
    parts = blockwise(
        one,
        (*dims, o.ndim),
        *(f.data, dims, o.data, dims),
        *(given for i, place in enumerate(places) for given in (place, (i,))),
        new_axes={o.ndim: width},
        adjust_chunks=dict.fromkeys(summed, 1),
        concatenate=True,
        dtype=np.uint64,
        meta=np.empty((0,) * (o.ndim + 1), np.uint64),
    )
    if not summed:
        return parts
    reduction: Any = da.reduction
    return reduction(
        parts,
        chunk=same,
        combine=join,
        aggregate=join,
        axis=summed,
        dtype=np.uint64,
        concatenate=True,
        meta=np.empty((0,) * (kept + 1), np.uint64),
    )


def least(packed: Bare, *, unique: bool = False) -> Bare:
    """
    Join samples along the last axis but one: the smallest keys of all.

    Where they must be `unique`, an error is raised if two keys are one.
    """
    size = packed.shape[-1] // 2
    flat = (*packed.shape[:-2], packed.shape[-2] * size)
    keys = packed[..., 1 : 1 + size].reshape(flat)
    order = np.argsort(keys, axis=-1, kind="stable")
    keys = np.take_along_axis(keys, order, axis=-1)
    twice = (keys[..., 1:] == keys[..., :-1]) & (keys[..., 1:] < NONE)
    if unique and twice.any():
        raise ValueError(
            "two of the distributions hold the same pairs; pass another case to each "
            "call of error_distribution, and merge none of them twice"
        )
    errors = np.take_along_axis(packed[..., 1 + size :].reshape(flat), order, axis=-1)
    count = packed[..., 0].sum(axis=-1)[..., None]
    return np.concatenate([count, keys[..., :size], errors[..., :size]], axis=-1)


def hashed(labels: npt.ArrayLike, salt: str = "") -> Bare:
    """
    A random number for each label: always the same, on every machine.

    Examples
    --------
    >>> hashed([1, 2]) == hashed([2, 2])
    array([False,  True])
    """
    values = np.asarray(labels)
    if values.dtype.kind in "mM":
        values = values.astype(f"{values.dtype.kind}8[ns]").view(np.int64)
    if values.dtype.kind in "iub":
        numbers = values.astype(np.int64).view(np.uint64)
    elif values.dtype.kind == "f":
        numbers = (values.astype(np.float64) + 0.0).view(np.uint64)  # -0 is 0
    else:
        numbers = np.array([_number(str(value)) for value in values], np.uint64)
    return _mixed(numbers ^ np.uint64(_number(salt)))


def _number(text: str) -> int:
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def _mixed(numbers: Bare) -> Bare:
    """Spread 64 bits: each depends on all, and no two numbers become one."""
    z: Bare = numbers ^ (numbers >> np.uint64(30))
    z *= np.uint64(0xBF58476D1CE4E5B9)
    z ^= z >> np.uint64(27)
    z *= np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return z


def _blocks(shape: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    """Slices of the leading axes that cut an array in blocks."""
    axis, inner = len(shape) - 1, 1
    while axis > 0 and inner * shape[axis] <= BLOCK:
        inner *= shape[axis]
        axis -= 1
    step = max(1, BLOCK // max(inner, 1))
    rest = (slice(None),) * (len(shape) - axis - 1)
    for at in np.ndindex(shape[:axis]):
        ahead = tuple(slice(i, i + 1) for i in at)
        for start in range(0, shape[axis], step):
            yield (*ahead, slice(start, start + step), *rest)
