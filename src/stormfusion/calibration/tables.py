"""How often a hazard came where it was told with a probability."""

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from stormfusion.calibration.members import MemberMap
from stormfusion.footprint import Accumulator, Means, occurred
from stormfusion.hazards import Hazard

Table = NDArray[np.float64]


def tabled(
    members: xr.DataArray,
    observed: xr.DataArray,
    hazards: tuple[Hazard, ...],
    *,
    mapping: MemberMap,
    means: Means,
    initial: NDArray[Any] | None,
) -> Table:
    """
    Pairs and events of each probability that the members can tell.

    Parameters
    ----------
    members
        With the dimensions (member, lead, y, x).
    observed
        What came, (lead, y, x), in the same units.
    hazards, means, initial
        As of a footprint.
    mapping
        What is done to the members first.

    Returns
    -------
    ndarray
        By hazard, lead (the last of them is the window), number of members from 0 to
        all, and pairs or events.
    """
    like = members.isel(member=0, drop=True)
    count = members.sizes["member"]
    gathered = Accumulator(
        like,
        hazards,
        percentiles=(),
        accumulation=False,
        means=means,
        initial=initial,
    )
    for member in mapped_members(members.to_numpy(), mapping):
        gathered.add(member)
    told = gathered.finish().dataset
    came, window_came = occurred(observed, like, hazards, means, initial)
    table = np.zeros((len(hazards), like.shape[0] + 1, count + 1, 2))
    for number in range(len(hazards)):
        chance = told["probability"][number].to_numpy()
        for lead in range(like.shape[0]):
            _count(table[number, lead], chance[lead], came[number][lead])
        chance = told["window_probability"][number].to_numpy()
        _count(table[number, -1], chance, window_came[number])
    return table


def mapped_members(values: NDArray[Any], mapping: MemberMap) -> Any:
    """Members one after the other, as a map makes them."""
    if mapping.identity:
        yield from values
        return
    mean = None
    if mapping.spreads:
        total, known = None, None
        for member in values:
            numbers = mapping.numbers(member)
            there = ~np.isnan(numbers)
            part = np.where(there, numbers, 0.0)
            total = part if total is None else total + part
            known = there.astype(np.float32) if known is None else known + there
        assert total is not None
        assert known is not None
        mean = (total / np.maximum(known, 1)).astype(np.float32)
    for member in values:
        yield mapping.values(mapping.numbers(member), mean)


def _count(
    table: NDArray[np.float64], chance: NDArray[Any], came: NDArray[Any]
) -> None:
    known = ~np.isnan(chance) & ~np.isnan(came)
    members = len(table) - 1
    place = np.rint(chance[known] * members).astype(np.int64)
    table[:, 0] += np.bincount(place, minlength=members + 1)
    table[:, 1] += np.bincount(place, weights=came[known], minlength=members + 1)
