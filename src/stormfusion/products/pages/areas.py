"""How large the areas are where a hazard is likely."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from stormfusion.products.pages.ground import Ground
from stormfusion.units import exceeds


def areas(
    dataset: xr.Dataset, ground: Ground, levels: Sequence[float]
) -> NDArray[np.float64]:
    """
    Area where the probability reaches a level [km2].

    By hazard, lead and level; after the leads comes the window. NaN where the dataset
    does not hold the probability, knows it nowhere, or where the size of a pixel is not
    known. A missing pixel counts as no area, and so does one beside the Earth.

    Examples
    --------
    >>> risk = xr.Dataset(
    ...     {"window_probability": (("hazard", "y", "x"), [[[0.1, 0.7], [0.7, 0.0]]])},
    ...     coords={"y": [0.0, 2000.0], "x": [0.0, 1000.0]},
    ... )
    >>> areas(risk, Ground.of(risk), [0.5, 0.7, 0.9])
    array([[[4., 4., 0.]]])
    """
    leads = dataset.sizes.get("lead", 0)
    count = dataset.sizes.get("hazard", 0)
    found = np.full((count, leads + 1, len(levels)), np.nan)
    size = np.broadcast_to(ground.areas, ground.shape)
    if np.isnan(size).all():
        return found
    size = np.nan_to_num(size)
    for hazard in range(count):
        for stop in range(leads + 1):
            if (field := risk_at(dataset, hazard, stop)) is not None:
                values = ground.read(field)
                if np.isnan(values).all():
                    continue
                found[hazard, stop] = [
                    size[exceeds(values, level)].sum() for level in levels
                ]
    return found


def unknown(dataset: xr.Dataset, ground: Ground) -> NDArray[np.float64]:
    """
    Share of the map where the probability is not known, by hazard and lead.

    After the leads comes the window. A pixel counts as large as it is; NaN where the
    dataset does not hold the probability.

    Examples
    --------
    >>> values = [[[0.1, np.nan], [0.7, 0.0]]]
    >>> risk = xr.Dataset(
    ...     {"window_probability": (("hazard", "y", "x"), values)},
    ...     coords={"y": [0.0, 2000.0], "x": [0.0, 1000.0]},
    ... )
    >>> unknown(risk, Ground.of(risk))
    array([[0.25]])
    """
    leads, count = dataset.sizes.get("lead", 0), dataset.sizes.get("hazard", 0)
    found = np.full((count, leads + 1), np.nan)
    for hazard in range(count):
        for stop in range(leads + 1):
            if (field := risk_at(dataset, hazard, stop)) is not None:
                found[hazard, stop] = share(np.isnan(ground.read(field)), ground)
    return found


def partly(dataset: xr.Dataset, ground: Ground, hazard: int) -> NDArray[np.bool_]:
    """Where the window is not known and a lead is, north up."""
    window = risk_at(dataset, hazard, dataset.sizes.get("lead", 0))
    if window is None or "probability" not in dataset:
        return np.zeros(ground.shape, dtype=np.bool_)
    known = dataset["probability"].isel(hazard=hazard).notnull()
    known = known.any("lead") if "lead" in known.dims else known
    found = ground.read(window.isnull() & known) > 0
    return np.asarray(found)


def share(where: NDArray[np.bool_], ground: Ground) -> float:
    """Share of the map's area; of its pixels where their size is not known."""
    size = np.broadcast_to(ground.areas, ground.shape)
    size = np.where(np.isfinite(size), size, 0.0)
    size = size if size.any() else np.ones(ground.shape)
    return float(size[where].sum() / size.sum())


def risk_at(dataset: xr.Dataset, hazard: int, stop: int) -> xr.DataArray | None:
    """The map of a hazard's probability at a lead, or of the window after the last."""
    if stop < dataset.sizes.get("lead", 0):
        if "probability" in dataset:
            return dataset["probability"].isel(hazard=hazard, lead=stop)
    elif "window_probability" in dataset:
        return dataset["window_probability"].isel(hazard=hazard)
    return None
