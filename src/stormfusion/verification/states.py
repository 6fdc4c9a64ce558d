"""Sums that add: the states under the scores."""

import xarray as xr


def merge(*states: xr.Dataset) -> xr.Dataset:
    """
    Add states: the result is the state of all their cases together.

    Parameters
    ----------
    states
        Sums of one kind, with equal coordinates. Zero, as `xr.zeros_like(state)`, is
        the state of no case at all.

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
