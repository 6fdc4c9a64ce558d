"""What a footprint says of places: points and polygons in a table."""

import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from stormfusion.grids import Grid
from stormfusion.products.files.conventions import DIMENSIONS, PLANE
from stormfusion.products.files.pixels import in_grid, pixels_at, pixels_of
from stormfusion.products.files.selecting import lead_of, percentile_text

WINDOW = {
    "probability": "window_probability",
    "percentile": "window_percentile",
    "mean": "window_mean",
    "arrival": "arrival",
    "duration": "duration",
    "accumulation": "accumulation",
}
"""The columns, and the variable of each over the window."""

LEAD = {"probability": "probability", "percentile": "percentile", "mean": "mean"}
"""The same at one lead time."""

LEAST = ("arrival",)
"""Columns of which a polygon has the smallest value of its pixels, not the largest."""

NAMES = {"latitude": ("latitude", "lat"), "longitude": ("longitude", "lon")}


def at_places(dataset: xr.Dataset, places: Any, *, lead: Any = None) -> pd.DataFrame:
    """
    What a footprint says of places; arguments and result as `Footprint.at` tells.

    Raises
    ------
    TypeError
        If the places are no table.
    ValueError
        If it has no latitudes and longitudes, or some that are none, a projection is
        unknown, or there is nothing of what is asked for.

    Examples
    --------
    >>> grid = Grid(np.arange(4.0), np.arange(4.0), "EPSG:4326", degrees=True)
    >>> made = xr.Dataset({"window_mean": (("y", "x"), np.eye(4))}, grid.coords())
    >>> at_places(made, pd.DataFrame({"lat": [2.2, 1.0], "lon": [1.8, 3.0]}))
       mean  inside
    0   1.0    True
    1   0.0    True
    """
    if not isinstance(places, pd.DataFrame):
        raise TypeError(
            f"places are a {type(places).__name__}, wanted a table with the columns "
            "latitude and longitude; write pandas.DataFrame({'latitude': ..., "
            "'longitude': ...}), or give a GeoDataFrame"
        )
    grid = Grid.of(dataset)
    if _is_geographic(places):
        pixels = pixels_of(places, grid)
    else:
        latitude, longitude = _degrees(places)
        pixels = pixels_at(grid, *in_grid(grid, latitude, longitude))
        pixels.outside[np.isnan(latitude)] = False
    chosen = None if lead is None else lead_of(dataset, lead)
    columns = {
        name: pixels.gather(values, least=name.split("[")[0] in LEAST)
        for name, values in _maps(dataset, chosen)
    }
    if not columns:
        nothing, advice = "of the whole window, as leads were selected", "pass lead="
        if lead is not None:
            nothing = "at lead times, as it was made with by_lead=False"
            advice = "leave lead= out, or make it by lead"
        raise ValueError(f"this footprint has nothing {nothing}; {advice}")
    outside = int(pixels.outside.sum())
    unplaced = int((~pixels.inside & ~pixels.outside).sum())
    found = pd.DataFrame({**columns, "inside": pixels.inside}, index=places.index)
    found.attrs["outside"] = outside
    found.attrs["unplaced"] = unplaced
    told = []
    if outside:
        told.append("lie outside of the domain, or in part")
    if unplaced:
        told.append("have no coordinates")
    numbers = [n for n in (outside, unplaced) if n]
    if told:
        words = "; ".join(
            f"{n} of {len(places)} places {text}"
            for n, text in zip(numbers, told, strict=True)
        )
        warnings.warn(f"{words}; see the column 'inside'", UserWarning, stacklevel=3)
    return found


def _is_geographic(places: pd.DataFrame) -> bool:
    """Whether a table is a GeoDataFrame, without loading what makes them."""
    module = sys.modules.get("geopandas")
    return module is not None and isinstance(places, module.GeoDataFrame)


def _degrees(places: pd.DataFrame) -> tuple[NDArray[Any], NDArray[Any]]:
    """The latitudes and longitudes of a table."""
    found = []
    for wanted, names in NAMES.items():
        here = [c for c in places.columns if str(c).strip().lower() in names]
        if len(here) != 1:
            held = ", ".join(map(str, places.columns)) or "no column"
            raise ValueError(
                f"places have {held}, wanted one column {wanted!r} (or {names[1]!r}); "
                "rename yours"
            )
        try:
            values = places[here[0]].to_numpy(dtype=np.float64, na_value=np.nan)
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"column {here[0]!r} holds {places[here[0]].dtype}, wanted degrees as "
                "numbers; convert it with .astype(float)"
            ) from error
        limit = 90.0 if wanted == "latitude" else 360.0
        wrong = np.flatnonzero(np.abs(values) > limit)
        if wrong.size:
            row = places.index[wrong[0]]
            raise ValueError(
                f"row {row!r} has the {wanted} {values[wrong[0]]:g}, wanted degrees "
                f"from -{limit:g} to {limit:g}; look whether latitude and longitude "
                "are swapped"
            )
        found.append(values)
    latitude, longitude = found
    missing = np.isnan(latitude) | np.isnan(longitude)
    return np.where(missing, np.nan, latitude), np.where(missing, np.nan, longitude)


def _maps(dataset: xr.Dataset, lead: Any) -> Iterator[tuple[str, NDArray[Any]]]:
    """The columns of the result, each with its map."""
    for name, variable in (WINDOW if lead is None else LEAD).items():
        if variable not in dataset:
            continue
        array = dataset[variable]
        if lead is not None:
            array = array.sel(lead=lead)
        dim = DIMENSIONS[variable][0]
        if dim not in ("hazard", "quantile"):
            yield name, array.transpose(*PLANE).to_numpy()
            continue
        for label in array[dim].to_numpy():
            text = str(label) if dim == "hazard" else percentile_text(float(label))
            yield (
                f"{name}[{text}]",
                array.sel({dim: label}).transpose(*PLANE).to_numpy(),
            )
