"""What charts of scores share: their curves, panels, words and legend."""

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import xarray as xr

from stormfusion.plot import canvas, coords
from stormfusion.plot.colors import LINES
from stormfusion.plot.units import hazard_words, powers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARKERS = "os^Dvph"


def check_scores(dataset: Any, *, maker: str = "Nowcaster.evaluate") -> None:
    """Refuse what is not a Dataset."""
    hint = f"an xarray.Dataset of scores; give what {maker} returns"
    canvas.wanted(dataset, xr.Dataset, role="dataset", hint=hint)


def scored(data: Any, *names: str, what: str, maker: str) -> xr.Dataset:
    """
    Give the scores of a picture, or say what makes them.

    A lone score may come as the DataArray that its function returns.
    """
    if isinstance(data, xr.DataArray) and len(names) == 1:
        data = data.to_dataset(name=names[0])
    check_scores(data, maker=maker)
    lacking = [name for name in names if name not in data]
    if lacking:
        raise ValueError(
            f"{what} needs {', '.join(names)}, but the dataset lacks "
            f"{', '.join(lacking)}; make it with {maker}"
        )
    for name in names:
        array = coords.labelled(data[name], role=name)
        if empty := [str(dim) for dim, size in array.sizes.items() if not size]:
            raise ValueError(f"{name} has no {empty[0]}; give scores of at least one")
    found: xr.Dataset = data
    return found


def beside(dataset: xr.Dataset, name: str, *others: str) -> xr.Dataset:
    """Keep a score and what is drawn beside it, which must be of the same."""
    known = [other for other in others if other in dataset]
    for other in known:
        spare = [str(d) for d in dataset[other].dims if d not in dataset[name].dims]
        if spare:
            raise ValueError(
                f"{other} is given by {spare[0]} and {name} is not; score both over "
                f"the same dimensions, or leave {other} out"
            )
    return dataset[[name, *known]]


def at_lead(dataset: xr.Dataset, lead: coords.Lead | None) -> xr.Dataset:
    """Pick one lead time of scores; the last if none is named."""
    if "lead" in dataset.dims:
        if lead is None:
            return dataset.isel(lead=-1)
        picked = coords.at_lead(dataset["lead"], lead, role="the dataset")
        return dataset.isel(lead=int((dataset["lead"] == picked).values.argmax()))
    if lead is not None:
        raise ValueError("the dataset has no lead to choose; leave lead= out")
    return dataset


def together(given: xr.Dataset) -> str:
    """Say that the leads of a dataset are added up, and which these are."""
    if "lead" not in given.coords:
        return "all leads together"
    minutes = coords.minutes(given["lead"])
    return f"leads {minutes.min():g} to {minutes.max():g} min together"


def head(some: Any, *parts: str) -> str:
    """Say what a panel is of: a forecast, a threshold and a lead time, if of one."""
    words = list(parts)
    if "forecast" in some.coords and not some["forecast"].ndim:
        words.insert(0, str(some["forecast"].item()))
    if "threshold" in some.coords and not some["threshold"].ndim:
        words.append(reached(some["threshold"]))
    if "lead" in some.coords and not some["lead"].ndim:
        words.append(f"+{coords.minutes(some['lead']):g} min")
    return ", ".join(words)


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


def check_dims(
    array: xr.DataArray, dims: tuple[str, ...], *, needed: Hashable | None = None
) -> None:
    """Refuse an array with other dims than a chart has, or without the one needed."""
    spare = [str(dim) for dim in array.dims if dim not in dims]
    shown = ", ".join(map(str, array.dims))
    if spare:
        raise ValueError(
            f"{array.name} has dims ({shown}), but the chart has only "
            f"{', '.join(dims)}; choose one with .isel({spare[0]}=0)"
        )
    if needed is not None and needed not in array.dims:
        raise ValueError(f"{array.name} has dims ({shown}), but {needed} is needed")


def pick(data: Any, dim: str, index: int) -> Any:
    """One element along a dim, where the data have it."""
    return data.isel({dim: index}) if dim in data.dims else data


def reached(coordinate: xr.DataArray) -> str:
    """A threshold in words."""
    value = coordinate.item()
    if isinstance(value, str):
        return hazard_words(value)
    units = coordinate.attrs.get("units", "")
    return powers(f"≥ {value:.3g} {units}".strip())


def legend(figure: "Figure", *axes: "Axes") -> None:
    """Name the curves of panels under all of them, each name once."""
    named: dict[str, Any] = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            named.setdefault(label, handle)
    handles, labels = list(named.values()), list(named)
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
