"""Percentiles of members: by sorting them, or from how often each value came."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stormfusion.data.scaling import Linear, Scaling, VilCode

BINS = 256
AT_ONCE = 2**14
"""Pixels whose members are sorted at once."""
KEPT = 128
"""Members whose values are kept, before they are counted."""
COUNTED = 2**20
"""Values that are counted at once."""


def rank(percentile: float, members: Any) -> Any:
    """
    Which of the ordered members is a percentile, counted from 1.

    Examples
    --------
    >>> [int(rank(*given)) for given in ((50, 4), (90, 10), (0, 10), (100, 10))]
    [2, 9, 1, 10]
    """
    wanted = np.ceil(percentile / 100.0 * members - 1e-9)
    return np.clip(wanted, 1, np.maximum(members, 1)).astype(int)


def ordered(
    values: NDArray[np.floating[Any]],
    percentiles: Sequence[float],
    *,
    weights: NDArray[np.floating[Any]] | None = None,
) -> NDArray[np.floating[Any]]:
    """
    Percentiles over the first axis, of those that are not NaN.

    Parameters
    ----------
    values
        Members on the first axis.
    percentiles
        From 0 to 100. Each is the least value that this share of the members, or of
        their weight, does not exceed.
    weights
        Of the members, none of them negative; all alike by default.

    Examples
    --------
    >>> values = np.array([[3.0], [1.0], [2.0], [np.nan]])
    >>> ordered(values, [50])
    array([[2.]])
    >>> ordered(values, [50], weights=np.array([8.0, 1.0, 1.0, 1.0]))
    array([[3.]])
    """
    members = values.shape[0]
    flat = values.reshape(members, -1)
    found = np.empty((len(percentiles), flat.shape[1]), dtype=values.dtype)
    for start in range(0, flat.shape[1], AT_ONCE):
        part = slice(start, start + AT_ONCE)
        found[:, part] = _ordered(flat[:, part].T.copy(), percentiles, weights)
    return found.reshape(len(percentiles), *values.shape[1:])


def _ordered(
    values: NDArray[np.floating[Any]],
    percentiles: Sequence[float],
    weights: NDArray[np.floating[Any]] | None,
) -> NDArray[np.floating[Any]]:
    """Percentiles of rows; what is NaN is sorted last."""
    row = np.arange(len(values))
    if weights is None:
        values.sort(axis=1)
        known = values.shape[1] - np.isnan(values).sum(1)
        places = [rank(p, known) - 1 for p in percentiles]
        return np.array([values[row, place] for place in places])
    order = np.argsort(values, axis=1, kind="stable")
    values = np.take_along_axis(values, order, 1)
    shares = np.where(np.isnan(values), 0.0, weights[order])
    reached = shares.cumsum(1)
    total = reached[:, -1:]
    values[total[:, 0] == 0] = np.nan
    # a member without weight is none
    wanted = [np.maximum(p / 100.0 * total, 1e-12 * total) for p in percentiles]
    places = [(reached < w * (1 - 1e-9)).sum(1) for w in wanted]
    last = values.shape[1] - 1
    return np.array([values[row, np.minimum(place, last)] for place in places])


class Histogram:
    """
    How often each of 256 values came at each pixel.

    The first of them is not counted: it is what the other 255 leave of the members. So
    a pixel takes memory from when it is first met with another. The values of the first
    128 members are kept as they are, a byte each; with more they are counted.

    Parameters
    ----------
    shape
        Of the fields that are counted.
    scaling
        Of their variable; the values are evenly spaced in the network's numbers.
    weighted
        Whether members have weights of their own: the table is then four times as
        large.
    """

    def __init__(
        self, shape: tuple[int, ...], scaling: Scaling, *, weighted: bool = False
    ) -> None:
        self.shape = shape
        self.scaling = scaling
        self.bounds = (0.0, 1.0) if isinstance(scaling, VilCode) else (0.0, 1.25)
        if isinstance(scaling, Linear):
            self.bounds = (-0.5, 1.25)
        numbers = np.linspace(*self.bounds, BINS, dtype=np.float32)
        self.levels = np.asarray(scaling.denormalize(numbers), dtype=np.float32)
        self.weighted = weighted
        pixels = int(np.prod(shape))
        # untouched, they take no memory; few values come more than 255 times
        kind = np.float32 if weighted else np.uint8
        self.counts, self.over = (self._table(n, kind) for n in (pixels, pixels))
        # rows are given to pixels as they are met: a member has those there were
        self.row = np.full(pixels, -1, dtype=np.int32)
        self.met = 0
        self.members = 0
        self.kept: list[NDArray[np.uint8]] = []
        self.weights: list[float] = []

    def add(self, values: NDArray[np.float32], weight: float = 1.0) -> None:
        """Count one field; a missing value is not counted."""
        values = values.ravel()
        starts = range(0, values.size, COUNTED)
        parts = (slice(start, start + COUNTED) for start in starts)
        found = [self._rows(values[part], self.row[part]) for part in parts]
        if self.members < KEPT:
            codes = np.zeros(self.met, dtype=np.uint8)
            for rows, bins in found:
                codes[rows] = bins
            self.kept.append(codes)
            self.weights.append(weight)
        else:
            for codes, one in zip(self.kept, self.weights, strict=True):
                there = np.flatnonzero(codes)
                self._count(there, codes[there], one)
            self.kept, self.weights = [], []
            for rows, bins in found:
                self._count(rows, bins, weight)
        self.members += 1

    def _rows(
        self, values: NDArray[np.float32], row: NDArray[np.int32]
    ) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
        """The rows of the pixels that are met, and the numbers of their values."""
        chosen = np.flatnonzero((values != self.levels[0]) & ~np.isnan(values))
        bins = self.bins(values[chosen])
        chosen, bins = chosen[bins > 0], bins[bins > 0]
        fresh = chosen[row[chosen] < 0]
        last = self.met + fresh.size
        row[fresh] = np.arange(self.met, last, dtype=np.int32)
        self.met = last
        return row[chosen], bins.astype(np.uint8)

    def _count(
        self, rows: NDArray[np.integer[Any]], bins: NDArray[np.uint8], weight: float
    ) -> None:
        place, counts = rows.astype(np.int64) * BINS + bins, self.counts.reshape(-1)
        if self.weighted:
            counts[place] += weight
            return
        counts[place] += 1
        self.over.reshape(-1)[place[counts[place] == 0]] += 1

    def _table(self, pixels: int, kind: Any) -> NDArray[Any]:
        try:
            return np.zeros((pixels, BINS), dtype=kind)
        except MemoryError as error:
            size = pixels * BINS * np.dtype(kind).itemsize
            raise MemoryError(
                f"percentiles of {' x '.join(map(str, self.shape))} pixels need "
                f"{size / 1e9:.0f} GB, more than there is; ask for percentiles=(), for "
                "by_lead=False, or for a part of the domain or fewer leads"
            ) from error

    def bins(self, values: NDArray[np.float32]) -> NDArray[np.int64]:
        """Number of the value that is nearest to each, in the network's numbers."""
        low, high = self.bounds
        number = (self.scaling.normalize(values) - low) * ((BINS - 1) / (high - low))
        return np.asarray(np.rint(number).clip(0, BINS - 1).astype(np.int64))

    def ordered(self, percentiles: Sequence[float], known: Any) -> NDArray[np.float32]:
        """
        The value that a share of the members that know a pixel do not exceed.

        Parameters
        ----------
        percentiles
            From 0 to 100.
        known
            How many members know each pixel, or their weight.
        """
        found = np.full((len(percentiles), self.row.size), self.levels[0])
        members = np.broadcast_to(known, self.shape).reshape(-1)
        met = np.flatnonzero(self.row >= 0)
        pixels = np.empty(self.met, dtype=np.int32)
        pixels[self.row[met]] = met
        del met
        choose = self._sorted if self.kept else self._counted
        for start in range(0, self.met, AT_ONCE // 2):
            rows = slice(start, min(start + AT_ONCE // 2, self.met))
            part = pixels[rows]
            found[:, part] = self.levels[choose(rows, members[part], percentiles)]
        return found.reshape(len(percentiles), *self.shape)

    def _counted(
        self, rows: slice, total: NDArray[Any], percentiles: Sequence[float]
    ) -> NDArray[np.integer[Any]]:
        """Numbers of the values that are percentiles, from the table."""
        counts = self.counts[rows].astype(np.float32 if self.weighted else np.int32)
        if not self.weighted:
            counts += np.int32(256) * self.over[rows]
        left = total - counts[:, 1:].sum(axis=1)
        counts[:, 0] = np.where(left > self._least(total), left, 0)
        reached = counts.cumsum(axis=1)
        bins = [(reached < w[:, None]).sum(1) for w in self._wanted(percentiles, total)]
        return np.array(bins).clip(max=BINS - 1)

    def _sorted(
        self, rows: slice, total: NDArray[Any], percentiles: Sequence[float]
    ) -> NDArray[np.integer[Any]]:
        """Numbers of the values that are percentiles, from those of all members."""
        size, members = rows.stop - rows.start, len(self.kept)
        # rows of two bytes are sorted in registers, those of one are not
        codes = np.zeros((size, members), dtype=np.uint16)
        for member, kept in enumerate(self.kept):
            some = kept[rows]
            codes[: some.size, member] = some
        row = np.arange(size)
        wanted = self._wanted(percentiles, total)
        if not self.weighted:
            codes.sort(axis=1)
            # what is missing stands among the first
            missing = members - total.astype(np.int64)
            places = [np.minimum(w - 1 + missing, members - 1) for w in wanted]
            return np.array([codes[row, place] for place in places])
        order = codes.argsort(axis=1, kind="stable")
        codes = np.take_along_axis(codes, order, 1)
        weights = np.where(codes > 0, np.array(self.weights)[order], 0.0)
        left = total - weights.sum(1)
        left = np.where(left > self._least(total), left, 0.0)
        reached = left[:, None] + weights.cumsum(1)
        places = [(reached < w[:, None]).sum(1) for w in wanted]
        return np.array([codes[row, np.minimum(p, members - 1)] for p in places])

    def _wanted(self, percentiles: Sequence[float], total: Any) -> list[Any]:
        """Which member, or what weight, is each percentile."""
        if not self.weighted:
            return [rank(percentile, total) for percentile in percentiles]
        least = 2 * self._least(total)
        return [np.maximum(p / 100.0 * total * (1 - 1e-5), least) for p in percentiles]

    def _least(self, total: Any) -> Any:
        """What is no weight: sums of them are not exact."""
        return 1e-5 * total if self.weighted else 0

    def note(self, units: str) -> str:
        """How exact the percentiles are."""
        if isinstance(self.scaling, VilCode):
            return "exact"
        numbers = np.linspace(*self.bounds, 2 * BINS - 1, dtype=np.float32)
        halfway = np.asarray(self.scaling.denormalize(numbers[1::2]))
        apart = np.maximum(halfway - self.levels[:-1], self.levels[1:] - halfway)
        ends = f"{self.levels[0]:.4g} to {self.levels[-1]:.4g} {units}".rstrip()
        if isinstance(self.scaling, Linear) or units == "dBZ":
            bound = f"at most {float(apart.max()):.2g} {units} off"
        else:
            most = float((apart / halfway)[halfway >= 0.1].max())
            bound = f"at most {most:.1%} off from 0.1 {units} on"
        return f"the nearest of {BINS} values from {ends}, {bound}"
