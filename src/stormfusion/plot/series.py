"""What charts of scores share: their curves, panels, words and legend."""

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import xarray as xr

from stormfusion.plot import canvas
from stormfusion.plot.colors import LINES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARKERS = "os^Dvph"


def check_scores(dataset: Any) -> None:
    """Refuse what is not a Dataset."""
    hint = "an xarray.Dataset of scores; give what Nowcaster.evaluate returns"
    canvas.wanted(dataset, xr.Dataset, role="dataset", hint=hint)


def forecasts(data: Any) -> list[tuple[str, Any]]:
    """Each forecast's name and its part of the data."""
    if "forecast" not in data.dims:
        return [("forecast", data)]
    labels = data["forecast"].values
    return [(str(labels[i]), data.isel(forecast=i)) for i in range(len(labels))]


def look_of(place: int, name: str) -> dict[str, Any]:
    """Colour, marker and line of a forecast; persistence is grey."""
    look = {
        "color": LINES[place % len(LINES)],
        "marker": _MARKERS[place % len(_MARKERS)],
        "markersize": 4,
        "linewidth": 1.7,
    }
    if name == "persistence":
        look |= {"color": "#7b8794", "linestyle": "--"}
    return look


def check_dims(array: xr.DataArray, dims: tuple[str, ...], *, needed: Hashable) -> None:
    """Refuse an array with other dims than a chart has, or without the one needed."""
    spare = [str(dim) for dim in array.dims if dim not in dims]
    shown = ", ".join(map(str, array.dims))
    if spare:
        raise ValueError(
            f"{array.name} has dims ({shown}), but the chart has only "
            f"{', '.join(dims)}; choose one with .isel({spare[0]}=0)"
        )
    if needed not in array.dims:
        raise ValueError(f"{array.name} has dims ({shown}), but {needed} is needed")


def pick(data: Any, dim: str, index: int) -> Any:
    """One element along a dim, where the data have it."""
    return data.isel({dim: index}) if dim in data.dims else data


def reached(coordinate: xr.DataArray) -> str:
    """A threshold in words."""
    value = coordinate.item()
    if isinstance(value, str):
        return value.replace(">=", "≥")
    units = coordinate.attrs.get("units", "")
    return f"≥ {value:.3g} {units}".strip()


def legend(figure: "Figure", ax: "Axes") -> None:
    """Name the curves of one panel under all of them."""
    handles, labels = ax.get_legend_handles_labels()
    if len(labels) < 2:
        return
    # inches: the words, and a handle with its gaps before each
    widths, room = [0.075 * len(label) + 0.6 for label in labels], figure.get_figwidth()
    columns = len(labels) if sum(widths) < room else max(1, int(room / max(widths)))
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=columns,
        frameon=False,
        fontsize=9.5,
        labelcolor=canvas.INK,
    )
