"""Sums that add: the states under the scores."""

from contextlib import suppress
from typing import Any

import xarray as xr

from stormfusion.units import conversion

MEANINGS = ("units", "order", "tail", "fair")
"""Attributes in which states that add do not differ."""


def merge(*states: xr.Dataset) -> xr.Dataset:
    """
    Add states: the result is the state of all their cases together.

    Parameters
    ----------
    states
        Sums of one kind, with equal coordinates and of fields in equal units. Zero, as
        `xr.zeros_like(state)`, is the state of no case at all.

    Returns
    -------
    Dataset
        Their sum, with the attributes of the first.

    Examples
    --------
    >>> merge(xr.Dataset({"hits": 2}), xr.Dataset({"hits": 3})).hits.item()
    5
    """
    if not states:
        raise ValueError("got no state to merge; pass one or more")
    total, *others = states
    if "key" in total:
        raise ValueError(
            "got samples of errors, which do not add; merge these with "
            "merge_distributions"
        )
    for state in others:
        if _shapes(state) != _shapes(total):
            raise ValueError(
                f"cannot merge states of {_told(total)} and of {_told(state)}; merge "
                "states of one kind"
            )
        try:
            xr.align(total, state, join="exact")
        except ValueError as error:
            raise ValueError(
                "cannot merge states whose coordinates differ; give each the same "
                f"leads, thresholds and scales ({error})"
            ) from error
        _check_meaning(total, state)
        total = total.copy(
            data={
                name: total.variables[name].data
                + state.variables[name].transpose(*total.variables[name].dims).data
                for name in total.data_vars
            }
        )
    return total


def _shapes(state: xr.Dataset) -> dict[str, set[str]]:
    return {str(k): set(map(str, v.dims)) for k, v in state.data_vars.items()}


def _told(state: xr.Dataset) -> str:
    shapes = _shapes(state).items()
    return ", ".join(f"{name} ({', '.join(sorted(dims))})" for name, dims in shapes)


def _check_meaning(one: xr.Dataset, other: xr.Dataset) -> None:
    """Refuse sums in other units, or of another order, where both say which."""
    both = [(one.attrs, other.attrs)]
    shared = [name for name in one.variables if name in other.variables]
    both += [(one.variables[n].attrs, other.variables[n].attrs) for n in shared]
    for a, b in both:
        for key in MEANINGS:
            if key in a and key in b and not _alike(a[key], b[key]):
                raise ValueError(
                    f"cannot merge states whose {key} differ ({a[key]!r} and "
                    f"{b[key]!r}); make both in the same, with the same options"
                )


def _alike(one: Any, other: Any) -> bool:
    """Whether units, or powers of them, are the same, however they are spelled."""
    if one == other:
        return True
    (a, _, p), (b, _, q) = (str(u).strip("(").partition(")") for u in (one, other))
    with suppress(ValueError):
        return p == q and conversion(a, b) == (1.0, 0.0)
    return False
