"""Colour tables: which colour a value has, and where the classes begin."""

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

if TYPE_CHECKING:
    from matplotlib.colors import Colormap, Normalize

MISSING = "#d4d4d4"
"""The flat light grey of pixels without data; no table holds it."""

LINES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#3d3d3d")
"""Line colours that colour-blind readers tell apart (Okabe and Ito)."""


@dataclass(frozen=True)
class Classes:
    """Flat colours between fixed levels; the last class is open to the top."""

    units: tuple[str, ...]
    levels: tuple[float, ...]
    colors: tuple[str, ...]


@dataclass(frozen=True)
class Ramp:
    """Colours that run smoothly from `levels[0]` to `levels[-1]`."""

    units: tuple[str, ...]
    levels: tuple[float, ...]
    colors: tuple[str, ...]
    safe: str


@dataclass(frozen=True)
class Paint:
    """What a map is painted with; `floor` is the value below which it is bare."""

    cmap: "Colormap"
    norm: "Normalize"
    ticks: tuple[float, ...] | None
    floor: float | None
    percent: bool = False


def _hex(text: str) -> tuple[str, ...]:
    return tuple(f"#{color}" for color in text.split())


_VIL_BYTES = (31, 59, 74, 100, 133, 160, 181, 219)

_RAIN = _hex("cfe3f5 9cc7ea 5b9fd8 2a6fb5 2f9e57 f5e02a f7a023 e8431f b3123f 6f1d8f")

TABLES: dict[str, Classes | Ramp] = {
    # SEVIR's levels (bytes 16, 31, ... 219); its lowest grey is a pale blue here,
    # for grey means missing
    "vil": Classes(
        ("kg m-2", "kg/m2", "kg/m^2", "kg m^-2", "kg m**-2"),
        (
            (16 - 2) / 90.66,
            *(math.exp((x - 83.9) / 38.9) for x in _VIL_BYTES),
        ),
        _hex("bcd3e6 7fd67f 28be28 199619 0a6a0a f5f000 edac00 f06e00 a00000"),
    ),
    # the National Weather Service's 5 dBZ classes; its white top is a dark violet
    "reflectivity": Classes(
        ("dBZ", "dbz"),
        tuple(map(float, range(5, 80, 5))),
        _hex(
            "9adfe6 019ff4 0300f4 02e002 01b501 008e00 fdf802 e5bc00 fd9500 "
            "fd0000 d40000 a80000 f800fd 9854c6 3b1a5e"
        ),
    ),
    "rain_rate": Classes(
        ("mm h-1", "mm/h", "mm/hr", "mm h^-1", "mm h**-1", "mm hr-1"),
        (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 50.0, 100.0),
        _RAIN,
    ),
    "rain": Classes(
        ("mm",), (0.2, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 50.0, 100.0), _RAIN
    ),
    "mesh": Classes(
        ("mm",), (1.0, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 75.0, 100.0), _RAIN
    ),
    "lightning": Classes(
        (),
        (1.0, 2.0, 3.0, 5.0, 10.0, 15.0, 20.0, 30.0, 50.0),
        _hex("fff3b0 ffe066 fcc419 ff922b f76707 e8380d c2255c 862e9c 3b1a5e"),
    ),
    "ir069": Ramp(
        ("degC", "celsius", "Celsius", "°C"),
        (-80.0, 0.0),
        _hex("4a1d6b 2b4fa8 4fb0d9 eaf6fb d9b27c 7a4a1c 2e1a0a"),
        "cividis_r",
    ),
    "ir107": Ramp(
        ("degC", "celsius", "Celsius", "°C"),
        (-90.0, 40.0),
        _hex(
            "f7e3f5 7a1fa2 c81d25 f08a24 f4e04d 3fae5a 2c86c7 bcd7e8 8fa9bd "
            "62798c 3c4e5e 1d2a36 0c141c"
        ),
        "cividis_r",
    ),
    "vis": Ramp(
        ("1", ""),
        (0.0, 1.0),
        _hex("0a1526 33527a 8fb2cf fffdf3"),
        "cividis",
    ),
}

_BY_UNITS = ("vil", "reflectivity", "rain_rate", "rain")


def table_of(array: xr.DataArray) -> Classes | Ramp | None:
    """Give the table of a variable by its name, else by its units, else none."""
    units = array.attrs.get("units")
    table = TABLES.get(str(array.name))
    if table is None:
        known = (TABLES[name] for name in _BY_UNITS)
        return next((table for table in known if units in table.units), None)
    if units is not None and table.units and units not in table.units:
        raise ValueError(
            f"{array.name} is in {units!r}, but its colour table is in "
            f"{table.units[0]!r}; convert it, or rename it to draw it without the table"
        )
    return table


def paint(arrays: Sequence[xr.DataArray], *, cmap: "str | Colormap") -> Paint:
    """Choose one painting for maps that are compared with each other."""
    tables = (table_of(array) for array in arrays)
    table = next((table for table in tables if table is not None), None)
    if isinstance(table, Classes):
        return _classes(table, cmap)
    if table is None:
        return _plain(arrays, cmap)
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    if isinstance(cmap, str) and cmap == "standard":
        colors: Colormap = LinearSegmentedColormap.from_list("own", list(table.colors))
    else:
        colors = colormap(cmap, safe=table.safe)
    return Paint(
        colors.with_extremes(bad=MISSING),
        Normalize(table.levels[0], table.levels[-1]),
        None,
        None,
    )


def probabilities(cmap: "str | Colormap") -> Paint:
    """Colours of probabilities; below one percent there is nothing to see."""
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    name = "YlGnBu" if isinstance(cmap, str) and cmap == "standard" else cmap
    colors = colormap(name, safe="YlGnBu")(np.linspace(0.04, 1.0, 256))
    smooth = LinearSegmentedColormap.from_list("probability", list(colors), N=256)
    return Paint(
        smooth.with_extremes(bad=MISSING, under=(1.0, 1.0, 1.0, 0.0)),
        Normalize(0.01, 1.0),
        (0.01, *(step / 10 for step in range(1, 11))),
        0.01,
        percent=True,
    )


def times(last: float, *, lasting: bool = False) -> Paint:
    """Colours of minutes up to `last`: what comes soon is dark, or what lasts long."""
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    name = "BuPu" if lasting else "YlOrRd_r"
    ends = (0.08, 1.0) if lasting else (0.0, 0.94)
    shades = colormap(name, safe=name)(np.linspace(*ends, 256))
    smooth = LinearSegmentedColormap.from_list("times", list(shades), N=256)
    return Paint(
        smooth.with_extremes(bad=MISSING, under=(1.0, 1.0, 1.0, 0.0)),
        Normalize(0.5 if lasting else 0.0, max(last, 1.0)),
        None,
        0.5 if lasting else None,
    )


def colormap(cmap: "str | Colormap", *, safe: str) -> "Colormap":
    """Look a colormap up; `"safe"` stands for the one named `safe`."""
    import matplotlib
    from matplotlib.colors import Colormap

    if isinstance(cmap, Colormap):
        return cmap
    if not isinstance(cmap, str):
        raise TypeError(
            f"cmap is a {type(cmap).__name__}; give 'standard', 'safe', the name of a "
            "matplotlib colormap or a Colormap"
        )
    name = safe if cmap == "safe" else cmap
    if name not in matplotlib.colormaps:
        known = ["standard", "safe", *matplotlib.colormaps]
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "nothing is near it"
        raise ValueError(
            f"unknown colormap {name!r}; {hint} (give 'standard', 'safe', or a "
            "matplotlib name)"
        )
    return matplotlib.colormaps[name]


def _classes(table: Classes, cmap: "str | Colormap") -> Paint:
    from matplotlib.colors import BoundaryNorm, ListedColormap

    if isinstance(cmap, str) and cmap == "standard":
        colors = ListedColormap(list(table.colors))
    else:
        chosen = colormap(cmap, safe="viridis_r")
        colors = ListedColormap(list(chosen(np.linspace(0.0, 1.0, len(table.levels)))))
    # a level stored in single precision may lie a hair below itself
    bounds = [level * (1 - 1e-6) for level in table.levels]
    return Paint(
        colors.with_extremes(bad=MISSING, under=(1.0, 1.0, 1.0, 0.0)),
        BoundaryNorm(bounds, ncolors=len(table.levels), extend="max"),
        table.levels,
        table.levels[0],
    )


def _plain(arrays: Sequence[xr.DataArray], cmap: "str | Colormap") -> Paint:
    from matplotlib.colors import Normalize

    name = "viridis" if isinstance(cmap, str) and cmap == "standard" else cmap
    finite = [values[np.isfinite(values)] for values in map(np.asarray, arrays)]
    both = np.concatenate([values.ravel().astype(float) for values in finite])
    low, high = (float(both.min()), float(both.max())) if both.size else (0.0, 1.0)
    if low == high:
        low, high = low - 0.5, high + 0.5
    colors = colormap(name, safe="cividis")
    return Paint(colors.with_extremes(bad=MISSING), Normalize(low, high), None, None)
