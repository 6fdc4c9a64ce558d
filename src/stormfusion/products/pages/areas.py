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
    known. A missing pixel counts as no area.

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


def risk_at(dataset: xr.Dataset, hazard: int, stop: int) -> xr.DataArray | None:
    """The map of a hazard's probability at a lead, or of the window after the last."""
    if stop < dataset.sizes.get("lead", 0):
        if "probability" in dataset:
            return dataset["probability"].isel(hazard=hazard, lead=stop)
    elif "window_probability" in dataset:
        return dataset["window_probability"].isel(hazard=hazard)
    return None
