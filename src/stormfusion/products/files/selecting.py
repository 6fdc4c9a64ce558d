"""The hazards, lead times and quantiles of a footprint that are asked for."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from stormfusion.hazards import Hazard


def hazards_of(dataset: xr.Dataset, hazard: Any = None) -> tuple[str, ...]:
    """
    The hazards of a footprint, or those asked for, as the dataset writes them.

    Parameters
    ----------
    dataset
        As in `Footprint`.
    hazard
        A text or `Hazard`, or several; all of them by default.

    Raises
    ------
    ValueError
        If the footprint does not have one of them, or none at all.

    Examples
    --------
    >>> made = xr.Dataset(coords={"hazard": ["vil >= 12 kg m-2"]})
    >>> hazards_of(made, "vil >= 12 kg/m^2")
    ('vil >= 12 kg m-2',)
    """
    known = (
        tuple(map(str, np.atleast_1d(dataset["hazard"].to_numpy())))
        if ("hazard" in dataset.coords)
        else ()
    )
    if not known:
        raise ValueError(
            "this footprint has no hazard, so no probabilities; name one where it is "
            "made, such as footprint('vil >= 12 kg m-2')"
        )
    if hazard is None:
        return known
    asked = (
        [hazard]
        if isinstance(hazard, str | Hazard) or not isinstance(hazard, Iterable)
        else list(hazard)
    )
    found = []
    for each in asked:
        text = str(each if isinstance(each, Hazard) else Hazard.parse(each))
        if text not in known:
            raise ValueError(
                f"hazard is {text!r}, wanted one of this footprint, "
                f"{', '.join(map(repr, known))}; name it where the footprint is made"
            )
        found.append(text)
    if len(set(found)) != len(found) or not found:
        raise ValueError(f"hazards are {found}, wanted one or more, each once")
    return tuple(found)


def lead_of(dataset: xr.Dataset, lead: Any) -> np.timedelta64:
    """
    A lead time of a footprint.

    Parameters
    ----------
    dataset
        As in `Footprint`.
    lead
        Such as `"30min"`, a `timedelta`, or a `numpy.timedelta64`.

    Raises
    ------
    TypeError
        If it is no time.
    ValueError
        If the footprint does not have it.

    Examples
    --------
    >>> made = xr.Dataset(coords={"lead": np.array([5, 10], "timedelta64[m]")})
    >>> text_of(lead_of(made, "10min"))
    '10 min'
    """
    if np.ndim(lead) == 0 and np.asarray(lead).dtype.kind in "iuf":
        raise TypeError(
            f"lead is {lead!r}, wanted a time with its unit; for minutes write "
            f"'{lead:g}min'"
        )
    try:
        wanted = pd.Timedelta(lead)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"lead is {lead!r}, wanted a lead time; write it like '30min'"
        ) from error
    known: Any = dataset["lead"].to_numpy() if "lead" in dataset.coords else []
    for each in known:
        if pd.Timedelta(each) == wanted:
            return np.timedelta64(each)
    raise ValueError(
        f"lead is {text_of(lead)!r}, wanted one of this footprint, "
        f"{', '.join(text_of(each) for each in known) or 'which has none'}"
    )


def quantile_of(dataset: xr.Dataset, quantile: Any) -> float:
    """
    A quantile of a footprint, from 0 to 1.

    Raises
    ------
    TypeError
        If it is no number.
    ValueError
        If the footprint does not have it.

    Examples
    --------
    >>> quantile_of(xr.Dataset(coords={"quantile": [0.1, 0.9]}), 0.9)
    0.9
    """
    if not isinstance(quantile, int | float | np.number):
        raise TypeError(f"quantile is {quantile!r}, wanted a number from 0 to 1")
    known: Any = dataset["quantile"].to_numpy() if "quantile" in dataset.coords else []
    for each in known:
        if abs(float(each) - float(quantile)) < 1e-9:
            return float(each)
    hint = f"; for a percentile write {quantile / 100:g}" if quantile > 1 else ""
    raise ValueError(
        f"quantile is {quantile!r}, wanted one of this footprint, "
        f"{', '.join(f'{q:g}' for q in known) or 'which has none'}{hint}"
    )


def text_of(lead: Any) -> str:
    """
    A lead time in words.

    Examples
    --------
    >>> text_of(np.timedelta64(90, "s")), text_of("1h")
    ('1.5 min', '60 min')
    """
    return f"{pd.Timedelta(lead) / pd.Timedelta(1, 'min'):g} min"


def percentile_text(quantile: float) -> str:
    """
    A quantile as a percentile, in words.

    Examples
    --------
    >>> percentile_text(0.9), percentile_text(0.999)
    ('90', '99.9')
    """
    return f"{100 * quantile:.10g}"
