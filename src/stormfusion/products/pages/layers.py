"""The layers of a map: what is shown of a footprint, in codes and with colours."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from stormfusion.plot import colors
from stormfusion.plot.units import powers
from stormfusion.products.pages.areas import partly
from stormfusion.products.pages.ground import Ground
from stormfusion.products.pages.packing import (
    PARTLY,
    Code,
    Codes,
    Values,
    coarse,
    codes_of,
    pack,
    probability_codes,
)
from stormfusion.products.pages.words import MINUS, leads_of, ordinal

if TYPE_CHECKING:
    from stormfusion.plot.colors import Paint

Frames = list[list[Values | None]]
"""By hazard, and for each the leads and then the window."""


@dataclass(frozen=True)
class Source:
    """
    Where a layer is found in a dataset.

    Parameters
    ----------
    name, label
        Of the layer, for the page and for its reader; one without label is not drawn.
    by_lead, window
        Variables of the leads and of the window, empty where there is none.
    of_hazard
        Whether each hazard has its own.
    quantile
        Which quantile, by number, None where there are none.
    group, share
        What several layers of percentiles are called together, and which this one is.
    """

    name: str
    label: str
    by_lead: str
    window: str
    of_hazard: bool = False
    quantile: int | None = None
    group: str = ""
    share: str = ""


@dataclass(frozen=True, eq=False)
class View:
    """How a footprint is looked at: which hazards, how coarse, and in which colours."""

    dataset: xr.Dataset
    ground: Ground
    hazards: Sequence[int]
    factor: int
    cmap: Any

    def field(
        self, name: str, place: Mapping[str, int], *, least: bool = False
    ) -> Values:
        """One map of a variable, north up and as coarse as is shown."""
        values = self.ground.read(self.dataset[name].isel(place))
        return coarse(values, self.factor, least=least)

    def frames(self, source: Source) -> Frames:
        """All maps of a layer."""
        least = source.name in ("arrival", "arrival early")
        found: Frames = []
        for hazard in self.hazards if source.of_hazard else [None]:
            given = {"quantile": source.quantile, "hazard": hazard}
            place = {dim: at for dim, at in given.items() if at is not None}
            row: list[Values | None] = [None] * self.dataset.sizes.get("lead", 0)
            if source.by_lead in self.dataset:
                row = [
                    self.field(source.by_lead, {**place, "lead": lead})
                    for lead in range(len(row))
                ]
            last = None
            if source.window in self.dataset:
                last = self.field(source.window, place, least=least)
            found.append([*row, last])
        return found


def sources(dataset: xr.Dataset) -> list[Source]:
    """
    The layers that a dataset has.

    Examples
    --------
    >>> dataset = xr.Dataset({"mean": (("lead", "y", "x"), np.zeros((1, 2, 2)))})
    >>> [source.label for source in sources(dataset)]
    ['Mean']
    """
    known = [
        Source("probability", "Probability", "probability", "window_probability", True)
    ]
    shares = _shares(dataset)
    known += [
        Source(
            f"percentile {share:g}",
            f"{ordinal(share)} percentile",
            "percentile",
            "window_percentile",
            quantile=number,
            group="Percentiles",
            share=f"{share:g}",
        )
        for number, share in enumerate(shares)
    ]
    known += [
        Source("mean", "Mean", "mean", "window_mean"),
        Source("spread", "Spread", "spread", ""),
        Source("accumulation", "Rain of the window, mean", "", "accumulation"),
    ]
    known += [
        Source(
            f"accumulation {share:g}",
            f"Rain of the window, {ordinal(share)} percentile",
            "",
            "accumulation_percentile",
            quantile=number,
            group="Rain of the window,",
            share=f"{share:g}",
        )
        for number, share in enumerate(shares)
    ]
    known += [
        Source("arrival", "Arrival time, median", "", "arrival", True),
        Source("arrival early", "", "", "arrival_lower", True),
        Source("arrival late", "", "", "arrival_upper", True),
        Source("duration", "Duration, mean", "", "duration", True),
    ]
    return [s for s in known if s.by_lead in dataset or s.window in dataset]


def _shares(dataset: xr.Dataset) -> list[float]:
    """The percentiles, from 0 to 100."""
    if "quantile" not in dataset.coords:
        return []
    return [round(100 * float(q), 6) for q in np.atleast_1d(dataset["quantile"])]


def layer(view: View, source: Source, keep: Callable[[str], int]) -> dict[str, Any]:
    """
    One layer for the page: its frames in codes, their table and colours.

    Parameters
    ----------
    view
        What is looked at, and how.
    source
        Which layer.
    keep
        Puts the text of a frame on the page, and tells its number there.
    """
    frames = view.frames(source)
    name = source.window if source.window in view.dataset else source.by_lead
    units = str(view.dataset[name].attrs.get("units", "1"))
    brush = paint_of(view, source, frames)
    if source.name == "probability":
        codes = probability_codes()
    else:
        fields = [field for row in frames for field in row if field is not None]
        codes = codes_of(fields, floor=brush.floor)
    numbers = [
        [
            None
            if field is None
            else keep(
                pack(
                    _encode(view, source, at, field, codes, window=stop + 1 == len(row))
                )
            )
            for stop, field in enumerate(row)
        ]
        for at, row in enumerate(frames)
    ]
    return {
        "name": source.name,
        "label": source.label,
        "group": source.group,
        "share": source.share,
        "units": "" if units == "1" else powers(units),
        "byHazard": source.of_hazard,
        "frames": numbers,
        "table": [float(f"{value:.6g}") for value in codes.table],
        "colors": table_colors(brush, codes),
        "legend": legend(brush),
        "faint": codes.no_less,
        "note": codes.note,
    }


def _encode(
    view: View, source: Source, at: int, field: Values, codes: Codes, *, window: bool
) -> Code:
    """The codes of a map; of what never comes, apart from what is not known."""
    if source.name == "probability":
        found = codes.encode(field)
        if window:
            hazard = view.hazards[at]
            some = partly(view.dataset, view.ground, hazard).astype(np.float32)
            found[np.isnan(field) & (coarse(some, view.factor) > 0)] = PARTLY
        return found
    if not source.name.startswith("arrival"):
        return codes.encode(field)
    never = np.isnan(field)
    if "window_probability" in view.dataset:
        risk = view.field("window_probability", {"hazard": view.hazards[at]})
        field = np.where(np.isnan(risk), np.float32(np.nan), field)
        never &= ~np.isnan(risk)
    return codes.encode(field, never)


def paint_of(view: View, source: Source, frames: Frames) -> "Paint":
    """The colours of a layer: those that the library's pictures have."""
    if source.name == "probability":
        return colors.probabilities("safe")
    if source.name.startswith(("arrival", "duration")):
        leads = leads_of(view.dataset) or [
            float(np.nanmax(field, initial=1.0))
            for row in frames
            for field in row
            if field is not None
        ]
        return colors.times(max(leads), lasting=source.name == "duration")
    fields = [field.ravel() for row in frames for field in row if field is not None]
    ends = [[np.nanmin(f), np.nanmax(f)] for f in fields if np.isfinite(f).any()]
    name = source.window if source.window in view.dataset else source.by_lead
    rain = source.name.startswith("accumulation")
    array = xr.DataArray(
        np.array(ends, dtype=np.float32).ravel(),
        dims="value",
        name="rain" if rain else view.dataset.attrs.get("variable"),
        attrs=view.dataset[name].attrs,
    )
    return colors.paint([array], cmap=view.cmap)


def table_colors(brush: "Paint", codes: Codes) -> list[str]:
    """The colour of each value of a table, an empty text where it is bare."""
    values = np.asarray(codes.table, dtype=np.float64)
    if brush.floor is not None:
        # a table's value may lie a hair below the class it is in
        values = np.where(
            np.isclose(values, brush.floor, rtol=1e-6), brush.floor, values
        )
    shades = brush.cmap(brush.norm(values))
    return [_hex(shade) for shade in shades]


def legend(brush: "Paint") -> dict[str, Any]:
    """A colour bar: its colours from left to right, and its ticks from 0 to 1."""
    from matplotlib.colors import BoundaryNorm
    from matplotlib.ticker import MaxNLocator

    if isinstance(brush.norm, BoundaryNorm) and brush.ticks is not None:
        count = len(brush.ticks)
        shades = brush.cmap(np.arange(count))
        spots = [(number / count, at) for number, at in enumerate(brush.ticks)]
    else:
        low, high = float(brush.norm.vmin or 0), float(brush.norm.vmax or 1)
        shades = brush.cmap(np.linspace(0.0, 1.0, 64))
        every = brush.ticks or MaxNLocator(6).tick_values(low, high)
        spots = [((at - low) / (high - low), at) for at in every if low <= at <= high]
    bare = ""
    if brush.floor is not None and brush.percent:
        bare = f"{100 * brush.floor:.0f} %"
    elif brush.floor is not None:
        bare = f"{brush.floor:.2g}"
    return {
        "colors": [_hex(shade) for shade in shades],
        "ticks": [
            [
                round(spot, 4),
                f"{100 * at:.0f} %"
                if brush.percent
                else f"{at:.3g}".replace("-", MINUS),
            ]
            for spot, at in spots
        ],
        "bare": bare,
    }


def _hex(shade: Any) -> str:
    from matplotlib.colors import to_hex

    return to_hex(shade) if shade[3] > 0 else ""
