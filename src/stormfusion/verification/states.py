"""Sums that add: the states under the scores."""

from contextlib import suppress
from typing import Any

import xarray as xr

from stormfusion.units import conversion
from stormfusion.verification.goals import GOALS

MEANINGS = ("units", "order", "tail", "fair", "settings")
"""Attributes in which states that add do not differ."""
LABELS = ("threshold", "scale", "pool", "quantile", "bin", "wavelength")
"""Coordinates that states that add both have, or neither, and alike."""


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
    for state in states:
        check_state(state)
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


def check_state(state: Any) -> None:
    """
    Refuse what holds no sums.

    Examples
    --------
    >>> check_state(xr.Dataset({"csi": 0.5}))
    Traceback (most recent call last):
    ValueError: got the scores 'csi', which do not add; merge the sums below them, such
    as from contingency or crps_sums, and score these
    """
    if not isinstance(state, xr.Dataset):
        raise TypeError(
            f"a state is a {type(state).__name__}, not a Dataset; pass one sum after "
            "the other, such as merge(*states), as contingency or crps_sums make them"
        )
    if scores := [str(name) for name in state if name in GOALS]:
        raise ValueError(
            f"got the scores {', '.join(map(repr, scores))}, which do not add; merge "
            "the sums below them, such as from contingency or crps_sums, and score "
            "these"
        )


def _shapes(state: xr.Dataset) -> dict[str, set[str]]:
    return {str(k): set(map(str, v.dims)) for k, v in state.data_vars.items()}


def _told(state: xr.Dataset) -> str:
    shapes = _shapes(state).items()
    return ", ".join(f"{name} ({', '.join(sorted(dims))})" for name, dims in shapes)


def _check_meaning(one: xr.Dataset, other: xr.Dataset) -> None:
    """Refuse sums in other units, or of another order, where both say which."""
    attrs = [(one.attrs, other.attrs)]
    for name in LABELS:
        if (name in one.coords) != (name in other.coords) or (
            name in one.coords and not one[name].equals(other[name])
        ):
            both = (one, other)
            ours, theirs = (s[name].values if name in s else "none" for s in both)
            raise ValueError(
                f"cannot merge states of another {name} ({ours} and {theirs}); give "
                "each the same"
            )
    shared = [name for name in one.variables if name in other.variables]
    attrs += [(one.variables[n].attrs, other.variables[n].attrs) for n in shared]
    for a, b in attrs:
        for key in MEANINGS:
            if key in a and key in b and not _alike(key, a[key], b[key]):
                raise ValueError(
                    f"cannot merge states whose {key} differ ({a[key]!r} and "
                    f"{b[key]!r}); make both in the same, with the same options"
                )


def _alike(key: str, one: Any, other: Any) -> bool:
    """Whether they are the same; units, or powers of them, however they are spelled."""
    if one == other or key != "units":
        return bool(one == other)
    (a, _, p), (b, _, q) = (str(u).strip("(").partition(")") for u in (one, other))
    with suppress(ValueError):
        return p == q and conversion(a, b) == (1.0, 0.0)
    return False
