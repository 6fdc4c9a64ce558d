"""Grids: regular coordinates, their spacing and projection, and maps between them."""

from stormfusion.grids.grid import (
    FINEST,
    Grid,
    latitude_longitude,
    measured,
    places,
    same_projection,
)
from stormfusion.grids.projections import (
    PROJECTION_KEYS,
    grid_mapping,
    proj4,
    projection_of,
    tell_of_lost_projection,
    title,
)
from stormfusion.grids.regridder import KNOWN_AREA, Regridder, overlap

__all__ = [
    "FINEST",
    "KNOWN_AREA",
    "PROJECTION_KEYS",
    "Grid",
    "Regridder",
    "grid_mapping",
    "latitude_longitude",
    "measured",
    "overlap",
    "places",
    "proj4",
    "projection_of",
    "same_projection",
    "tell_of_lost_projection",
    "title",
]
