"""A footprint whose every value is known, and what is read back from its page."""

import base64
import json
import re
import zlib
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import xarray as xr

from stormfusion import Footprint
from stormfusion.grids import Grid

LAEA = "+proj=laea +lat_0=46 +lon_0=8 +ellps=WGS84 +units=m"
HAZARDS = ("rain_rate >= 5 mm h-1", "rain_rate >= 20 mm h-1")
ROWS, COLUMNS, LEADS = 30, 40, 3


def dataset(*, grid: Grid | None = None, members: int = 20) -> xr.Dataset:
    """
    A footprint with rows from south to north, 1 km apart.

    The probability of the first hazard is 1 in the middle of a disc that moves east,
    and falls to 0; its pixels are shares of the members. The first two columns are
    missing.
    """
    y, x = np.arange(ROWS) * 1000.0, np.arange(COLUMNS) * 1000.0
    grid = Grid(y, x, LAEA) if grid is None else grid
    row, column = np.mgrid[:ROWS, :COLUMNS]
    risk = np.empty((2, LEADS, ROWS, COLUMNS), dtype=np.float32)
    for lead in range(LEADS):
        far = np.hypot(row - 20, column - 12 - 6 * lead)
        for hazard, reach in enumerate((12.0, 6.0)):
            share = np.clip(1.2 - far / reach, 0, 1)
            risk[hazard, lead] = np.round(share * members) / members
    risk[..., :2] = np.nan
    leads = (np.arange(LEADS) + 1) * np.timedelta64(10, "m").astype("timedelta64[ns]")
    reference = np.datetime64("2019-06-01T12:00", "ns")
    window = risk.max(axis=1)
    first = np.where(risk >= 0.5, 1, 0).argmax(axis=1) * 10.0 + 10.0
    arrival = np.where(window > 0, first, np.nan).astype(np.float32)
    percentile = np.stack([10 * share * risk[0] for share in (0.1, 0.5, 0.9)])
    maps, plane = ("lead", "y", "x"), ("y", "x")
    attrs = {"units": "1", "grid_mapping": "crs"}
    rates = {"units": "mm h-1", "grid_mapping": "crs", "long_name": "rain rate"}
    minutes = {"units": "min", "grid_mapping": "crs"}
    return xr.Dataset(
        {
            "probability": (("hazard", *maps), risk, attrs),
            "window_probability": (("hazard", *plane), window, attrs),
            "percentile": (("quantile", *maps), percentile, rates),
            "window_percentile": (
                ("quantile", *plane),
                percentile.max(axis=1),
                rates,
            ),
            "mean": (maps, 7.3 * risk[0], rates),
            "arrival": (("hazard", *plane), arrival, minutes),
            "arrival_lower": (("hazard", *plane), arrival - 5, minutes),
            "arrival_upper": (("hazard", *plane), arrival + 5, minutes),
        },
        coords={
            **grid.coords(),
            "hazard": list(HAZARDS),
            "quantile": [0.1, 0.5, 0.9],
            "lead": leads,
            "time": ("lead", reference + leads),
            "reference_time": reference,
        },
        attrs={"variable": "rain_rate", "members": members, "recipe": "steps"},
    )


def footprint(**options) -> Footprint:
    return Footprint(dataset(**options))


class Elements(HTMLParser):
    """The elements of a page, and the texts of its scripts by their id."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.scripts: dict[str, str] = {}
        self._open: str | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "script":
            self._open = dict(attrs).get("id") or "code"
            self.scripts[self._open] = ""

    def handle_endtag(self, tag):
        if tag == "script":
            self._open = None

    def handle_data(self, data):
        if self._open is not None:
            self.scripts[self._open] += data


class Page:
    """What the map's script finds in its page."""

    def __init__(self, path: str | Path) -> None:
        self.text = Path(path).read_text(encoding="utf-8")
        self.elements = Elements(self.text)
        self.content = json.loads(self.elements.scripts["page"])

    def layer(self, name: str) -> dict:
        return next(each for each in self.content["layers"] if each["name"] == name)

    def codes(self, name: str, *, hazard: int = 0, stop: int = -1) -> np.ndarray:
        """The codes of a map, unpacked as the script does it."""
        number = self.layer(name)["frames"][hazard][stop]
        text = self.elements.scripts[f"frame-{number}"]
        factor = self.content["factor"]
        shape = [-(-self.content[side] // factor) for side in ("rows", "columns")]
        data = zlib.decompress(base64.b64decode(text[1:]))
        codes = np.frombuffer(data, dtype=np.uint8).reshape(shape)
        return np.cumsum(codes, axis=1, dtype=np.uint8) if text[0] == "d" else codes

    def values(self, name: str, **place: int) -> np.ndarray:
        """The values of a map, NaN where it has none."""
        table = np.full(256, np.nan)
        known = self.layer(name)["table"]
        table[: len(known)] = known
        return table[self.codes(name, **place)]

    def facts(self) -> str:
        """The text of the table of where it comes from."""
        return re.search(r"<table class=.facts.>.*?</table>", self.text, re.S)[0]
