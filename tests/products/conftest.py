"""Footprints with every variable, on grids of every kind."""

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from stormfusion.grids import Grid

LAEA = "+proj=laea +lat_0=38 +lon_0=-98 +R=6370997"
"""SEVIR's projection, on a sphere."""

HAZARDS = ("vil >= 3.5 kg m-2", "vil >= 12 kg m-2")
Maker = Callable[..., xr.Dataset]


def grid_of(
    shape: tuple[int, int] = (8, 11),
    *,
    crs: str | None = LAEA,
    degrees: bool = False,
    origin: tuple[float, float] = (0.0, 0.0),
    step: float = 1000.0,
    down: bool = False,
    left: bool = False,
) -> Grid:
    """A grid whose rows run down and whose columns run left, if so wanted."""
    y, x = (o + step * np.arange(n) for o, n in zip(origin, shape, strict=True))
    return Grid(y[::-1] if down else y, x[::-1] if left else x, crs, degrees)


def footprint_of(
    grid: Grid | None = None, *, variable: str = "vil", seed: int = 0
) -> xr.Dataset:
    """Every variable of a footprint, with two hazards, leads and three quantiles."""
    grid = grid_of() if grid is None else grid
    rng = np.random.default_rng(seed)
    hazards, leads, quantiles = 2, 2, 3

    def field(dims: tuple[str, ...], units: str, scale: float = 1.0):  # type: ignore
        sizes = {
            "hazard": hazards,
            "lead": leads,
            "quantile": quantiles,
            "y": grid.shape[0],
            "x": grid.shape[1],
        }
        values = scale * rng.random([sizes[d] for d in dims])
        if "y" in dims:
            values[..., 1, 2] = np.nan
        attrs = {"units": units, "long_name": "a map"}
        if grid.crs is not None and "y" in dims:
            attrs["grid_mapping"] = "crs"
        return dims, values.astype(np.float32), attrs

    plane, own = ("y", "x"), "kg m-2" if variable == "vil" else "mm"
    start = np.datetime64("2019-06-01T12:00", "ns")
    ahead = np.array([5, 10], dtype="timedelta64[m]").astype("timedelta64[ns]")
    names = [h.replace("vil", variable).replace("kg m-2", own) for h in HAZARDS]
    return xr.Dataset(
        {
            "probability": field(("hazard", "lead", *plane), "1"),
            "window_probability": field(("hazard", *plane), "1"),
            "percentile": field(("quantile", "lead", *plane), own, 20),
            "window_percentile": field(("quantile", *plane), own, 20),
            "mean": field(("lead", *plane), own, 20),
            "spread": field(("lead", *plane), own, 5),
            "window_mean": field(plane, own, 20),
            "accumulation": field(plane, "mm", 9),
            "accumulation_percentile": field(("quantile", *plane), "mm", 9),
            "arrival": field(("hazard", *plane), "min", 60),
            "arrival_lower": field(("hazard", *plane), "min", 60),
            "arrival_upper": field(("hazard", *plane), "min", 60),
            "duration": field(("hazard", *plane), "min", 60),
            "displacement": field(("hazard", "lead"), "km", 9),
            "window_displacement": field(("hazard",), "km", 9),
            "known": field(("lead", *plane), "1"),
        },
        {
            "hazard": names,
            "lead": ("lead", ahead, {"standard_name": "forecast_period"}),
            "quantile": [0.1, 0.5, 0.9],
            "time": ("lead", start + ahead, {"standard_name": "time"}),
            "reference_time": start,
            **grid.coords(),
        },
        {
            "variable": variable,
            "members": 8,
            "recipe": "steps",
            "calibration": "none",
            "training_data": "0a1b",
        },
    )


@pytest.fixture
def made() -> xr.Dataset:
    """A footprint on SEVIR's projection, the south first."""
    return footprint_of()


@pytest.fixture(name="grid_of")
def _grid_of() -> Callable[..., Grid]:
    return grid_of


@pytest.fixture(name="footprint_of")
def _footprint_of() -> Maker:
    return footprint_of
