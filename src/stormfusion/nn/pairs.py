"""Pairs of patches that a radar encoder learns from: one place at two times."""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stormfusion.data.audit import READ_ERRORS
from stormfusion.data.catalog import Catalog
from stormfusion.data.event import Event, Frames
from stormfusion.data.scaling import numbers, scaling_for
from stormfusion.data.task import RADAR
from stormfusion.data.windows.reading import tensor_of
from stormfusion.errors import CatalogError

LAGS = 6
"""Classes of the time between two frames: one to six intervals."""
INTERVAL = 300.0
"""The interval [s], or that of the data where it is longer."""
WET = 0.2
"""Network number from which it rains."""


class Pairs(NamedTuple):
    """Patches `(batch, y, x)` of two times each, and how many intervals lie between."""

    before: Tensor
    after: Tensor
    lag: Tensor


class PairSource:
    """
    Pairs of patches from events: one place at two times, with rain at the first.

    Every event is drawn as often as any other, then a lag, a pair of its frames that
    are so far apart, and some places.
    """

    PLACES = 4

    def __init__(
        self, catalog: Catalog, target: str | None, patch: int, seed: int
    ) -> None:
        if not isinstance(catalog, Catalog):
            raise TypeError(
                f"got a {type(catalog).__name__}, wanted a Catalog of sequences; make "
                "one with Catalog.open or Catalog.from_xarray"
            )
        self.patch = patch
        self.rng = np.random.default_rng(seed)
        self.held: list[Pairs] = []
        self.choices: list[tuple[Event, Frames, dict[int, NDArray[np.int64]]]] = []
        for event in catalog:
            name = target or next((v for v in RADAR if v in event.frames), None)
            if name is None or name not in event.frames:
                continue
            frames = event.frames[name]
            scaling_for(frames.variable)
            pairs = _pairs(frames.time)
            if pairs and min(frames.grid.shape) >= patch:
                self.choices.append((event, frames, pairs))
        if not self.choices:
            raise CatalogError(_nothing(catalog, target, patch))
        self.variables = tuple(dict.fromkeys(f.variable for _, f, _ in self.choices))

    def batch(self, size: int) -> Pairs:
        """Pairs of patches; those of one read are mixed with others'."""
        wanted, tries = 4 * size, 0
        while sum(len(p.lag) for p in self.held) < wanted:
            found = self._read()
            tries += 1
            if found is not None:
                self.held.append(found)
            elif tries > 300 and not self.held:
                raise CatalogError(
                    "no patch with rain (or of another variable, with contrast) was "
                    "found, wanted some to learn from; use other events"
                )
            if tries > 200 * size:
                break
        pool = Pairs(*map(torch.cat, zip(*self.held, strict=True)))
        order = torch.from_numpy(self.rng.permutation(len(pool.lag)))
        self.held = [Pairs(*(part[order[size:]] for part in pool))]
        return Pairs(*(part[order[:size]] for part in pool))

    def _read(self) -> Pairs | None:
        number = int(self.rng.integers(len(self.choices)))
        event, frames, pairs = self.choices[number]
        lag = list(pairs)[int(self.rng.integers(len(pairs)))]
        first, second = pairs[lag][int(self.rng.integers(len(pairs[lag])))]
        try:
            one, two = (
                frames.read(slice(index, index + 1), slice(None), slice(None))[0]
                for index in (first, second)
            )
        except READ_ERRORS as error:
            raise CatalogError(
                f"event {event.id!r} cannot be read ({error}); leave it out, "
                "catalog.check() lists all that is damaged"
            ) from error
        places = (self._place(frames, one, two) for _ in range(self.PLACES))
        found = [place for place in places if place is not None]
        if not found:
            return None
        before, after = (torch.stack(part) for part in zip(*found, strict=True))
        return Pairs(before, after, torch.full((len(found),), lag - 1))

    def _place(
        self, frames: Frames, one: NDArray[Any], two: NDArray[Any]
    ) -> tuple[Tensor, Tensor] | None:
        size = self.patch
        for _ in range(10):
            y, x = (int(self.rng.integers(n - size + 1)) for n in one.shape)
            box = np.s_[y : y + size, x : x + size]
            before = realized(frames, one[box])
            if not _eventful(before, frames.variable):
                continue
            after = realized(frames, two[box])
            if float(torch.stack((before, after)).isnan().float().mean()) < 0.1:
                return before.nan_to_num(0.0), after.nan_to_num(0.0)
        return None


def _nothing(catalog: Catalog, target: str | None, patch: int) -> str:
    """What a catalog lacks to learn from."""
    held, known = catalog.variables, (target,) if target else RADAR
    if not set(known) & set(held):
        return (
            f"the catalog holds {', '.join(held) or 'no variable'}, wanted "
            f"{target or 'a radar variable'}; name another with target="
        )
    return (
        f"no event holds two frames of {target or 'radar'} of {patch} x {patch} pixels "
        "or more that are an interval apart, wanted some to learn from; use longer or "
        "larger events, or a smaller patch="
    )


def _eventful(numbers: Tensor, variable: str) -> bool:
    """Whether enough rain falls in a patch; of what is no rain, whether it differs."""
    if variable in RADAR:
        return float((numbers > WET).float().mean()) >= 0.1
    return float(numbers.nan_to_num(0.0).std()) > 0.01


def realized(frames: Frames, stored: NDArray[Any]) -> Tensor:
    """Network numbers of stored ones, NaN where missing."""
    # a copy: what was read may be a view of something large
    tensor = tensor_of(np.array(stored))
    return numbers(tensor, frames.packing, scaling_for(frames.variable)).float()


def _pairs(times: NDArray[np.datetime64]) -> dict[int, NDArray[np.int64]]:
    """Frames that lie one to six intervals apart, to a quarter of one, by lag."""
    if times.size < 2:
        return {}
    seconds = (times - times[0]) / np.timedelta64(1, "s")
    interval = max(INTERVAL, float(np.median(np.diff(seconds))))
    apart = (seconds[None] - seconds[:, None]) / interval
    found = {}
    for lag in range(1, LAGS + 1):
        pairs = np.argwhere(np.abs(apart - lag) <= 0.25)
        if len(pairs):
            found[lag] = pairs
    return found
