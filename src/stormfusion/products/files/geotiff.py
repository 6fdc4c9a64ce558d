"""A variable of a footprint as a Cloud-Optimized GeoTIFF."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from stormfusion.errors import GridMismatchError
from stormfusion.grids import Grid, same_projection
from stormfusion.grids.projections import LATITUDE_LONGITUDE, is_turned
from stormfusion.products.files.conventions import DIMENSIONS, PLANE
from stormfusion.products.files.provenance import provenance
from stormfusion.products.files.selecting import (
    hazards_of,
    lead_of,
    percentile_text,
    quantile_of,
    text_of,
)
from stormfusion.writing import as_path, named, replacing

BANDS = 65535
"""The most bands that a GeoTIFF has."""


def write_geotiff(
    dataset: xr.Dataset,
    path: str | Path,
    variable: str = "window_probability",
    *,
    hazard: Any = None,
    lead: Any = None,
    quantile: float | None = None,
) -> Path:
    """
    Write maps of a footprint as the bands of a Cloud-Optimized GeoTIFF.

    The first row is the northernmost and the first column the westernmost, whichever
    way those of the dataset run. Overviews, which a map shows from afar, hold means.

    Parameters
    ----------
    dataset
        As in `Footprint`.
    path
        Where the file shall be. What is there stays if anything goes wrong.
    variable
        Which one to write.
    hazard, lead, quantile
        Which of them to write; all by default, a band for each.

    Returns
    -------
    Path
        The path.

    Raises
    ------
    ModuleNotFoundError
        If rasterio is not installed.
    ValueError
        If the footprint lacks what is asked for, or its projection is unknown or none
        that GeoTIFF can hold.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> grid = Grid(np.arange(4.0), np.arange(5.0), "EPSG:4326", degrees=True)
    >>> made = xr.Dataset({"window_mean": (("y", "x"), np.eye(4, 5))}, grid.coords())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_geotiff(made, f"{folder}/risk.tif", "window_mean").name
    'risk.tif'
    """
    rasterio = _rasterio()
    maps = bands_of(dataset, variable, hazard=hazard, lead=lead, quantile=quantile)
    grid = Grid.of(dataset[variable].coords.to_dataset())
    values = np.stack([values for _, values in maps])
    if grid.flips:
        values = np.flip(values, grid.flips)
    crs = _crs(grid)
    profile = {
        "driver": "COG",
        "dtype": "float32",
        "count": len(maps),
        "height": values.shape[1],
        "width": values.shape[2],
        "crs": crs,
        "transform": _transform(grid),
        "nodata": float("nan"),
        "compress": "deflate",
        "predictor": "yes",
        "blocksize": 256,
        "overview_resampling": "average",
    }
    attrs = dataset[variable].attrs
    tags = {k: str(v) for k, v in provenance(dataset).items()}
    described = {k: str(attrs[k]) for k in ("long_name", "units") if k in attrs}
    with rasterio.MemoryFile() as memory:
        with memory.open(**profile) as made:
            made.write(values.astype(np.float32, copy=False))
            made.update_tags(AREA_OR_POINT="Area", quantity=variable, **tags)
            for number, (text, _) in enumerate(maps, start=1):
                made.set_band_description(number, text)
                made.update_tags(number, **described)
        content = bytes(memory.getbuffer())
    # what stands beside the file in memory would not be in the file
    with rasterio.MemoryFile(content) as memory, memory.open() as made:
        _check_crs(grid, made.crs)
    with replacing(named(path, ".tif", ".tiff")) as temporary:
        temporary.write_bytes(content)
    return as_path(path)


def bands_of(
    dataset: xr.Dataset,
    variable: str,
    *,
    hazard: Any = None,
    lead: Any = None,
    quantile: float | None = None,
) -> list[tuple[str, np.ndarray[Any, Any]]]:
    """
    The maps of a variable, each with words that say which it is.

    Raises
    ------
    ValueError
        If there is no such variable, or it has not what is asked for.

    Examples
    --------
    >>> made = xr.Dataset(
    ...     {"window_percentile": (("quantile", "y", "x"), np.zeros((2, 3, 3)))},
    ...     {"quantile": [0.1, 0.9]},
    ... )
    >>> [text for text, _ in bands_of(made, "window_percentile", quantile=0.9)]
    ['percentile 90']
    """
    written = [n for n, dims in DIMENSIONS.items() if {*PLANE} <= {*dims}]
    if variable not in written or variable not in dataset:
        held = ", ".join(n for n in written if n in dataset)
        raise ValueError(
            f"variable is {variable!r}, wanted a map of this footprint: {held}"
        )
    array = dataset[variable]
    asked = {"hazard": hazard, "lead": lead, "quantile": quantile}
    for name, value in asked.items():
        if value is not None and name not in array.dims:
            raise ValueError(
                f"{name} is {value!r}, but {variable!r} has no {name}; leave it out"
                + (", or write 'probability'" if name == "lead" else "")
            )
    choices: list[list[tuple[str, str, Any]]] = []
    for dim in DIMENSIONS[variable][:-2]:
        known = array[dim].to_numpy()
        if dim == "hazard":
            texts = hazards_of(dataset, hazard)
            choices.append([(dim, text, text) for text in texts])
        elif dim == "lead":
            leads = known if lead is None else [lead_of(dataset, lead)]
            is_time = known.dtype.kind == "m"
            choices.append(
                [
                    (dim, f"+{text_of(each)}" if is_time else f"lead {each}", each)
                    for each in leads
                ]
            )
        else:
            every = known if quantile is None else [quantile_of(dataset, quantile)]
            choices.append(
                [(dim, f"percentile {percentile_text(q)}", q) for q in every]
            )
    maps = []
    for chosen in product(*choices):
        text = ", ".join(words for _, words, _ in chosen) or variable
        one = array.sel({dim: value for dim, _, value in chosen})
        maps.append((text, one.transpose(*PLANE).to_numpy()))
    if len(maps) > BANDS:
        raise ValueError(
            f"{variable!r} has {len(maps)} maps, a GeoTIFF holds {BANDS}; choose some"
        )
    return maps


def _transform(grid: Grid) -> Any:
    """From columns and rows to the grid's coordinates, by the corners of pixels."""
    from rasterio import Affine

    dy, dx = grid.steps
    west, north = grid.x.min() - dx / 2, grid.y.max() + dy / 2
    if grid.degrees and grid.x.min() >= 180:
        west -= 360
    return Affine(dx, 0.0, west, 0.0, -dy, north)


def _crs(grid: Grid) -> Any:
    """The projection as rasterio has it."""
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    if grid.crs is None:
        raise GridMismatchError(
            "the projection of this grid is unknown, wanted one for a GeoTIFF; give "
            "the data a CF grid mapping, or an attribute 'crs', before forecasting"
        )
    if grid.degrees and not is_turned(grid.crs):
        return CRS.from_user_input(LATITUDE_LONGITUDE)
    try:
        return CRS.from_user_input(grid.crs)
    except CRSError as error:
        raise _unwritable(grid) from error


def _check_crs(grid: Grid, crs: Any) -> None:
    """That the projection in the file is that of the grid."""
    written = None if crs is None else crs.to_wkt()
    if written is None or not (
        (grid.degrees and not is_turned(grid.crs))
        or same_projection(grid, Grid(grid.y, grid.x, written, grid.degrees))
    ):
        raise _unwritable(grid)


def _unwritable(grid: Grid) -> GridMismatchError:
    return GridMismatchError(
        f"the projection {str(grid.crs)[:60]!r} is none that GeoTIFF can hold; write "
        "netCDF with footprint.to_netcdf, or regrid the data to another"
    )


def _rasterio() -> Any:
    try:
        import rasterio
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "writing GeoTIFF needs rasterio, which is not installed; pip install "
            "'stormfusion[geo]'"
        ) from error
    return rasterio
