"""Quantities as labelled or bare arrays, and the events in them."""

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import xarray as xr

from stormfusion.units.variables import VARIABLES

Bare: TypeAlias = npt.NDArray[Any]
Array = TypeVar("Array", xr.DataArray, Bare)
"""A labelled or a bare array: what comes in is what goes out; a list becomes bare."""


def exceeds(values: Array, threshold: float | Array) -> Array:
    """
    Whether each value is an event, `value >= threshold`.

    The threshold is first rounded to the floating-point type of the values, so that
    a float32 field reaches a threshold given in full precision.

    Parameters
    ----------
    values
        Any quantity. A missing value is no event: mask it where that matters.
    threshold
        The least value of an event, in the units of `values`.

    Returns
    -------
    DataArray or ndarray
        True where the event occurs, broadcast over `values` and `threshold`.

    Examples
    --------
    >>> vil = xr.DataArray([0.0, 3.53, np.nan, 12.0], dims="x")
    >>> exceeds(vil, 3.53).values
    array([False,  True, False,  True])
    """
    values, limit = numbers(values), numbers(threshold)
    if np.issubdtype(values.dtype, np.floating):
        limit = limit.astype(values.dtype)
    event: Array = values >= limit
    return event


def numbers(values: Any) -> Any:
    """
    A labelled array as it is and anything else as a bare one, if it holds numbers.

    Examples
    --------
    >>> numbers([1, 2])
    array([1, 2])
    """
    if isinstance(values, xr.DataArray | np.ndarray):
        array: Any = values
    else:
        try:
            array = np.asarray(values)
        except (TypeError, ValueError):  # a dataset, or rows of different lengths
            array = np.empty(0, dtype=object)
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"got {type(values).__name__} of {array.dtype}, wanted numbers; pass an "
            "array of them, or one variable of a dataset"
        )
    return array


def apply(
    function: Callable[[Bare], Bare], values: Array, name: str = "", dtype: Any = None
) -> Array:
    """Apply a function of bare arrays; floating-point values keep their type."""
    values = numbers(values)
    is_floating = np.issubdtype(values.dtype, np.floating)
    dtype = dtype or (values.dtype if is_floating else np.float64)

    def typed(bare: Bare) -> Bare:
        return np.asarray(function(bare)).astype(dtype, copy=False)

    if not isinstance(values, xr.DataArray):
        return typed(values)
    options: Any = {"dask": "parallelized", "output_dtypes": [dtype]}
    result: xr.DataArray = xr.apply_ufunc(typed, values, keep_attrs=False, **options)
    if name:
        told = VARIABLES[name]
        result = result.assign_attrs(units=told.units, long_name=told.long_name)
    return result.rename(name or None)
