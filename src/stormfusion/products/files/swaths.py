"""The areas that a hazard may touch, with what is known of each."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from stormfusion.grids import Grid
from stormfusion.products.files.conventions import PLANE
from stormfusion.products.files.lonlat import area_of, check_projection, polygons_of
from stormfusion.products.files.outlines import Outline, outlines
from stormfusion.products.files.provenance import moment, provenance
from stormfusion.products.files.selecting import hazards_of, lead_of
from stormfusion.writing import as_path, named, replacing

Feature = dict[str, Any]
ARRIVALS: dict[str, tuple[str, Callable[[NDArray[Any]], Any]]] = {
    "arrival": ("arrival", np.nanmedian),
    "arrival_earliest": ("arrival_lower", np.nanmin),
    "arrival_latest": ("arrival_upper", np.nanmax),
}
"""The properties of arrival: of which variable, and what of its pixels inside."""


def features_of(
    dataset: xr.Dataset,
    probability: Any,
    *,
    hazard: Any = None,
    lead: Any = None,
) -> list[Feature]:
    """
    The areas where a hazard is at least as probable as that, as GeoJSON features.

    Parameters
    ----------
    dataset
        As in `Footprint`.
    probability
        One, or several, above 0 and at most 1.
    hazard
        A text or `Hazard`, or several; all by default.
    lead
        A lead time. By default the probability is that of the whole window.

    Returns
    -------
    list of dict
        For each hazard and probability the contiguous areas, that with the most pixels
        first; the properties are as `Footprint.to_geojson` tells.

    Raises
    ------
    ValueError
        If a probability is out of range, or the footprint lacks what is asked for.
    GridMismatchError
        If the projection is unknown, also where there is no area, or one cannot be
        placed on the globe.

    Examples
    --------
    >>> grid = Grid(np.arange(4.0), np.arange(4.0), "EPSG:4326", degrees=True)
    >>> made = xr.Dataset(
    ...     {"window_probability": (("hazard", "y", "x"), np.ones((1, 4, 4)))},
    ...     {"hazard": ["vil >= 12 kg m-2"], **grid.coords()},
    ... )
    >>> (feature,) = features_of(made, 0.5)
    >>> feature["geometry"]["type"], feature["properties"]["peak"]
    ('Polygon', 1.0)
    """
    levels = levels_of(probability)
    hazards = hazards_of(dataset, hazard)
    name = "window_probability" if lead is None else "probability"
    if name not in dataset:
        advice = (
            "pass lead=, or make one such as footprint('vil >= 12 kg m-2')"
            if lead is None
            else "leave lead= out, or make it with by_lead=True"
        )
        raise ValueError(f"this footprint has no {name}; {advice}")
    maps = dataset[name]
    told: Feature = {}
    if lead is not None:
        chosen = lead_of(dataset, lead)
        maps = maps.sel(lead=chosen)
        told["lead_min"] = float(chosen / np.timedelta64(1, "s")) / 60
    grid = Grid.of(dataset)
    check_projection(grid)
    origin = provenance(dataset)
    found = []
    for text in hazards:
        values = maps.sel(hazard=text).transpose(*PLANE).to_numpy()
        beside = dataset.sel(hazard=text)
        for level in levels:
            for outline in outlines(values, grid.y, grid.x, level):
                geometry, area = _geometry(outline, grid)
                properties = {
                    "hazard": text,
                    "probability": level,
                    **told,
                    "peak": float(values[outline.pixels].max()),
                    "area_km2": area,
                    **_arrivals(beside, outline),
                    **origin,
                }
                found.append(
                    {"type": "Feature", "geometry": geometry, "properties": properties}
                )
    return found


def write_geojson(
    dataset: xr.Dataset,
    path: str | Path,
    probability: Any,
    *,
    hazard: Any = None,
    lead: Any = None,
) -> Path:
    """
    Write areas as GeoJSON, whole or not at all; arguments as in `features_of`.

    Examples
    --------
    >>> import tempfile
    >>> grid = Grid(np.arange(4.0), np.arange(4.0), "EPSG:4326", degrees=True)
    >>> made = xr.Dataset(
    ...     {"window_probability": (("hazard", "y", "x"), np.zeros((1, 4, 4)))},
    ...     {"hazard": ["vil >= 12 kg m-2"], **grid.coords()},
    ... )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_geojson(made, f"{folder}/risk.geojson", 0.5)
    ...     json.loads(path.read_text())["features"]
    []
    """
    collection = {
        "type": "FeatureCollection",
        "features": features_of(dataset, probability, hazard=hazard, lead=lead),
        "provenance": provenance(dataset),
    }
    text = json.dumps(collection, allow_nan=False, ensure_ascii=False)
    with replacing(named(path, ".geojson", ".json")) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return as_path(path)


def frame_of(features: list[Feature]) -> Any:
    """
    Features as a GeoDataFrame, in longitudes and latitudes.

    Raises
    ------
    ModuleNotFoundError
        If geopandas is not installed.

    Examples
    --------
    >>> frame_of([]).columns.tolist()
    ['geometry', 'hazard', 'probability', 'peak', 'area_km2']
    """
    try:
        import geopandas
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "swaths needs geopandas, which is not installed; pip install "
            "'stormfusion[geo]', or write them with to_geojson"
        ) from error
    columns = None if features else ["hazard", "probability", "peak", "area_km2"]
    if columns is not None:
        empty: dict[str, Any] = {name: [] for name in ("geometry", *columns)}
        return geopandas.GeoDataFrame(empty, geometry="geometry", crs="EPSG:4326")
    return geopandas.GeoDataFrame.from_features(features, crs="EPSG:4326")


def levels_of(probability: Any) -> tuple[float, ...]:
    """
    Probabilities above 0 and at most 1, each once.

    Raises
    ------
    TypeError
        If they are no numbers.
    ValueError
        If one is out of range or there twice, or there is none.

    Examples
    --------
    >>> levels_of(0.5), levels_of((0.3, 0.7))
    ((0.5,), (0.3, 0.7))
    """
    several = isinstance(probability, Iterable) and not isinstance(probability, str)
    given: Any = list(probability) if several else [probability]
    # text may hold a number, and it be one of percent
    given = [None if isinstance(each, str) else each for each in given]
    try:
        found = tuple(map(float, given))
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"probability is {probability!r}, wanted a number above 0 and at most 1, "
            "or several"
        ) from error
    for each in found:
        if not 0 < each <= 1 or found.count(each) > 1:
            hint = f"; for percent write {each / 100:g}" if 1 < each <= 100 else ""
            raise ValueError(
                f"probability is {probability!r}, wanted numbers above 0 and at most "
                f"1, each once{hint}"
            )
    if not found:
        raise ValueError("got no probability, wanted one or more, such as 0.5")
    return found


def _geometry(outline: Outline, grid: Grid) -> tuple[Feature, float]:
    """An area as a GeoJSON geometry, and its size [km2]."""
    polygons = polygons_of(outline, grid)
    parts = [[ring.tolist() for ring in polygon] for polygon in polygons]
    area = float(f"{area_of(polygons):.6g}")
    if len(parts) == 1:
        return {"type": "Polygon", "coordinates": parts[0]}, area
    return {"type": "MultiPolygon", "coordinates": parts}, area


def _arrivals(dataset: xr.Dataset, outline: Outline) -> Feature:
    """When the hazard comes to the area: minutes of lead time, and in UTC."""
    found: Feature = {}
    start = dataset.coords.get("reference_time")
    for name, (variable, of) in ARRIVALS.items():
        if variable not in dataset:
            continue
        inside = dataset[variable].transpose(*PLANE).to_numpy()[outline.pixels]
        known = not np.isnan(inside).all()
        minutes = round(float(of(inside)), 3) if known else None
        found[f"{name}_min"] = minutes
        if start is None or start.ndim or np.isnat(start.to_numpy()):
            continue
        ahead = np.timedelta64(round(60e9 * (minutes or 0)), "ns")
        found[name] = moment(start.to_numpy() + ahead) if known else None
    return found
