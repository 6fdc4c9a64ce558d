"""Past forecasts and what came: what a calibration is fitted on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from stormfusion.errors import GridMismatchError


@dataclass(frozen=True, eq=False)
class Case:
    """
    A past forecast, made when it is asked for, and what came.

    Parameters
    ----------
    group
        What belongs together, such as the event: what is held out is held out whole.
    make
        Gives the members (member, lead, y, x), labelled, what was observed (lead, y,
        x) in the same units and on the same grid, and the frame at the start, if it is
        known.
    """

    group: str
    make: Callable[[], tuple[xr.DataArray, xr.DataArray, NDArray[Any] | None]]


def made(case: Any) -> tuple[xr.DataArray, xr.DataArray, NDArray[Any] | None]:
    """
    What a case makes, if it is one and its parts belong together.

    Raises
    ------
    TypeError, ValueError
        If they do not.
    """
    if not isinstance(case, Case):
        raise TypeError(
            f"got a {type(case).__name__} as a past forecast, wanted a Case; write "
            "Case(event, make)"
        )
    members, observed, initial = case.make()
    for role, part, dims in (
        ("members", members, {"member", "lead", "y", "x"}),
        ("observed", observed, {"lead", "y", "x"}),
    ):
        if not isinstance(part, xr.DataArray) or set(part.dims) != dims:
            found = part.dims if isinstance(part, xr.DataArray) else type(part).__name__
            raise TypeError(
                f"{role} of {case.group!r} are {found}, wanted a DataArray with "
                f"{', '.join(sorted(dims))}; label or select it"
            )
    sizes = {dim: (members.sizes[dim], observed.sizes[dim]) for dim in observed.dims}
    if differ := {dim: pair for dim, pair in sizes.items() if pair[0] != pair[1]}:
        dim, pair = next(iter(differ.items()))
        raise GridMismatchError(
            f"members and observed of {case.group!r} differ in {dim} ({pair[0]} and "
            f"{pair[1]} points); give both on one grid and for the same leads"
        )
    told = [str(part.attrs.get("units", "")) for part in (members, observed)]
    if all(told) and told[0] != told[1]:
        raise ValueError(
            f"members of {case.group!r} are in {told[0]!r}, observed in {told[1]!r}, "
            "wanted the same units; convert one with units.convert"
        )
    return members, observed, initial


@dataclass(frozen=True, eq=False)
class Sample:
    """
    Some pixels of past forecasts.

    Parameters
    ----------
    members
        With the dimensions (lead, member, pixel).
    observed
        With the dimensions (lead, pixel).
    fold
        Of each pixel.
    """

    members: NDArray[np.float32]
    observed: NDArray[np.float32]
    fold: NDArray[np.intp]

    def of(self, chosen: NDArray[np.bool_]) -> "Sample":
        """The chosen pixels of it."""
        return Sample(
            self.members[..., chosen], self.observed[:, chosen], self.fold[chosen]
        )

    @classmethod
    def joined(cls, parts: "list[Sample]") -> "Sample":
        """All pixels of several."""
        return cls(
            np.concatenate([part.members for part in parts], axis=-1),
            np.concatenate([part.observed for part in parts], axis=-1),
            np.concatenate([part.fold for part in parts]),
        )


def sampled(
    members: xr.DataArray,
    observed: xr.DataArray,
    *,
    fold: int,
    pixels: int,
    rng: np.random.Generator,
) -> Sample:
    """
    Pixels of a case, drawn at random; all of them where there are no more.

    Examples
    --------
    >>> dims = ("member", "lead", "y", "x")
    >>> members = xr.DataArray(np.zeros((3, 2, 4, 4)), dims=dims)
    >>> rng = np.random.default_rng(0)
    >>> part = sampled(members, members[0], fold=0, pixels=5, rng=rng)
    >>> part.members.shape, part.observed.shape
    ((2, 3, 5), (2, 5))
    """
    values = members.transpose("lead", "member", "y", "x").to_numpy()
    truth = observed.transpose("lead", "y", "x").to_numpy()
    flat = values.reshape(*values.shape[:2], -1)
    count = flat.shape[-1]
    chosen = np.arange(count)
    if count > pixels:
        chosen = np.sort(rng.choice(count, pixels, replace=False))
    return Sample(
        flat[..., chosen].astype(np.float32),
        truth.reshape(len(truth), -1)[:, chosen].astype(np.float32),
        np.full(chosen.size, fold),
    )


def folds_of(groups: "list[str]", folds: int) -> list[int]:
    """
    The fold of each case: cases of one group are in the same.

    Examples
    --------
    >>> folds_of(["a", "a", "b", "c"], 2)
    [0, 0, 1, 0]
    """
    number = {group: index for index, group in enumerate(dict.fromkeys(groups))}
    return [number[group] % folds for group in groups]
