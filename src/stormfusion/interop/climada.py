"""Forecasts as hazards of CLIMADA, which computes what they cost."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from stormfusion.errors import GridMismatchError
from stormfusion.grids import Grid, places
from stormfusion.units import VARIABLES
from stormfusion.writing import named, no_room, replacing, writable

KINDS = {
    "mesh": "HL",
    "rain": "PR",
    "rain_rate": "PR",
    "vil": "VI",
    "reflectivity": "RE",
    "lightning": "LI",
}
"""Two letters for each variable, by which CLIMADA finds the impact function."""

PER_FORECAST = "1/forecast"
"""The unit of frequency: all events together are one forecast."""


@dataclass(frozen=True, eq=False)
class Events:
    """
    What CLIMADA is told of each event.

    Parameters
    ----------
    intensity
        With the dimensions (event, y, x), in `units`; NaN where missing.
    names
        Of the events, each once.
    dates
        Days of the events, as ordinals; 1 where unknown.
    frequency
        How often each occurs in one forecast, its probability.
    units
        Of the intensity.

    Examples
    --------
    >>> events = Events(np.ones((1, 2, 2)), ("all",), np.ones(1), np.ones(1), "mm")
    >>> events.names
    ('all',)
    """

    intensity: NDArray[Any]
    names: Sequence[str]
    dates: NDArray[Any]
    frequency: NDArray[Any]
    units: str


def to_hazard(
    dataset: xr.Dataset, *, kind: str | None = None, window: bool = False
) -> Any:
    """
    An ensemble as a hazard of CLIMADA: an event for each member and lead time.

    The intensity is the variable itself, in its units, at the centres of the pixels on
    WGS84. `fraction` is empty, which CLIMADA takes as 1 everywhere.

    Parameters
    ----------
    dataset
        One variable with the dimensions `member`, `lead`, `y`, `x`, as in `Ensemble`.
    kind
        The two letters by which CLIMADA finds the impact function. By default those of
        `KINDS`: `"HL"` for the size of hail, `"PR"` for rain.
    window
        Whether an event is a member's largest values over all lead times, one event for
        each member, instead of one for each lead time.

    Returns
    -------
    climada.hazard.Hazard
        A `HazardForecast`, with `member` and `lead_time`, where CLIMADA has it (its
        6.1 has not). The frequency of each event is one over the number of members, so
        that the average impact is that expected of the forecast with `window=True`, and
        else the sum of those expected at each lead time, which counts a storm that
        stays as often as it is there. Pixels that are missing in any event are left
        out; CLIMADA then says which exposures have no hazard.

    Raises
    ------
    ModuleNotFoundError
        If CLIMADA is not installed.
    ValueError
        If there is no such variable, or no letters are known for it.
    GridMismatchError
        If the projection is unknown.

    Examples
    --------
    >>> from stormfusion import Catalog, Nowcaster
    >>> steps, event = Nowcaster("steps"), Catalog.synthetic(events=1, size=64)[0]
    >>> ensemble = steps.ensemble(event, members=4)
    >>> to_hazard(ensemble.dataset).intensity.shape  # doctest: +SKIP
    (48, 4096)
    """
    names = [str(n) for n in dataset.data_vars if "member" in dataset[n].dims]
    if len(names) != 1:
        raise ValueError(
            f"got {', '.join(names) or 'no variable'} with a dimension 'member', "
            "wanted exactly one; select it"
        )
    array = dataset[names[0]].transpose("member", "lead", "y", "x")
    kind = kind_of(names[0], kind)
    members, leads = array.sizes["member"], array.sizes["lead"]
    values = array.max("lead", skipna=False) if window else array
    intensity = values.to_numpy().reshape(-1, array.sizes["y"], array.sizes["x"])
    count = intensity.shape[0]
    number = _numbers(array)
    ahead = array["lead"].to_numpy() if "lead" in array.coords else None
    words = _words(ahead, leads)
    labels = [
        f"member {m}" if window else f"member {m}, {text}"
        for m in number
        for text in (words[:1] if window else words)
    ]
    days = days_of(dataset, leads)
    dates = np.tile(days[:1] if window else days, members)
    events = Events(
        intensity,
        labels,
        dates,
        np.full(count, 1.0 / members),
        str(array.attrs.get("units", _units(names[0]))),
    )
    of_forecast: dict[str, Any] = {}
    if ahead is not None:
        of_forecast = {
            "lead_time": np.tile(ahead[-1:] if window else ahead, members),
            "member": np.repeat(number, 1 if window else leads),
        }
    return hazard_of(events, Grid.of(array), kind=kind, **of_forecast)


def hazard_of(
    events: Events,
    grid: Grid,
    *,
    kind: str,
    lead_time: NDArray[Any] | None = None,
    member: NDArray[Any] | None = None,
) -> Any:
    """
    Events on a grid as a hazard of CLIMADA.

    Parameters
    ----------
    events
        What they are.
    grid
        Where, with a known projection.
    kind
        Two letters.
    lead_time, member
        Of each event; both make it a `HazardForecast` where CLIMADA has that.

    Raises
    ------
    ModuleNotFoundError
        If CLIMADA is not installed.
    GridMismatchError
        If the projection is unknown.
    ValueError
        If every pixel is missing in some event.

    Examples
    --------
    >>> grid = Grid(np.arange(2.0), np.arange(2.0), degrees=True, crs="EPSG:4326")
    >>> events = Events(np.ones((1, 2, 2)), ["all"], np.ones(1), np.ones(1), "mm")
    >>> hazard_of(events, grid, kind="PR").centroids.size  # doctest: +SKIP
    4
    """
    if grid.crs is None:
        raise GridMismatchError(
            "the projection of this grid is unknown, wanted one for the centroids of "
            "CLIMADA; give the data a CF grid mapping, or an attribute 'crs'"
        )
    known = ~np.isnan(events.intensity).any(axis=0)
    if not known.any():
        raise ValueError(
            "every pixel is missing in some event, wanted some that are known in all; "
            "choose lead times at which they are"
        )
    hazard, centroids, forecast = _climada()
    x, y = np.meshgrid(grid.x, grid.y)
    latitude, longitude = places(grid, y[known], x[known])
    count = len(events.names)
    of_hazard = {
        "haz_type": kind,
        "units": events.units,
        "centroids": centroids(lat=latitude, lon=(longitude + 180.0) % 360.0 - 180.0),
        "event_id": np.arange(1, count + 1),
        "event_name": list(events.names),
        "date": np.asarray(events.dates, dtype=int),
        "orig": np.zeros(count, dtype=bool),
        "frequency": np.asarray(events.frequency, dtype=float),
        "frequency_unit": PER_FORECAST,
        "intensity": _sparse(events.intensity, known),
    }
    if forecast is None or lead_time is None or member is None:
        return hazard(**of_hazard)
    return forecast(lead_time=lead_time, member=member, **of_hazard)


def write_hazard(hazard: Any, path: str | Path) -> None:
    """
    Write a hazard as the HDF5 file that CLIMADA reads, whole or not at all.

    Raises
    ------
    OSError
        If it cannot be written.

    Examples
    --------
    >>> write_hazard(None, "no/such/folder/hail.h5")
    Traceback (most recent call last):
    ...
    FileNotFoundError: folder '...folder' does not exist, so 'hail.h5' cannot be ...
    """
    with replacing(named(path, ".hdf5", ".h5")) as temporary:
        # on a full disk HDF5 does not fail, it crashes
        if shutil.disk_usage(temporary.parent).free < _size(hazard):
            raise no_room(writable(path))
        hazard.write_hdf5(str(temporary))


def kind_of(variable: str, kind: str | None) -> str:
    """
    The two letters of a hazard.

    Raises
    ------
    ValueError
        If none are given and none known, or it is no such text.

    Examples
    --------
    >>> kind_of("mesh", None), kind_of("vil", "HL")
    ('HL', 'HL')
    """
    if kind is None and variable not in KINDS:
        raise ValueError(
            f"no kind of hazard is known for {variable!r}; give the letters of your "
            "impact function, such as kind='HL'"
        )
    found = KINDS[variable] if kind is None else kind
    if not isinstance(found, str) or not found:
        raise ValueError(
            f"kind is {kind!r}, wanted the letters of your impact function, such as "
            "'HL'"
        )
    return found


def days_of(dataset: xr.Dataset, leads: int) -> NDArray[Any]:
    """
    The day of each lead time as an ordinal, 1 where it is unknown.

    Examples
    --------
    >>> times = np.array(["2019-06-01T23:55", "2019-06-02T00:00"], "datetime64[ns]")
    >>> days_of(xr.Dataset(coords={"time": ("lead", times)}), 2).tolist()
    [737211, 737212]
    """
    if "time" not in dataset.coords:
        return np.ones(leads, dtype=int)
    days = np.atleast_1d(dataset["time"].to_numpy()).astype("datetime64[D]")
    found: NDArray[Any] = days.astype(int) + 719163
    return found


def _sparse(intensity: NDArray[Any], known: NDArray[np.bool_]) -> Any:
    """Events by centroids, event by event so that no second copy is held."""
    from scipy import sparse

    return sparse.vstack(
        [sparse.csr_matrix(each[known][None, :]) for each in intensity], format="csr"
    )


def _size(hazard: Any) -> int:
    """Bytes that a file of a hazard needs, rather too many."""
    events = hazard.intensity
    parts = (events.data, events.indices, events.indptr)
    return int(sum(part.nbytes for part in parts) + 100 * sum(events.shape)) + 2**20


def _numbers(array: xr.DataArray) -> NDArray[Any]:
    """The members' numbers: their own where they have some."""
    if "member" in array.coords and array["member"].dtype.kind in "iu":
        return array["member"].to_numpy()
    return np.arange(array.sizes["member"])


def _words(ahead: NDArray[Any] | None, leads: int) -> list[str]:
    if ahead is None:
        return [f"lead {number}" for number in range(leads)]
    return [f"+{each / np.timedelta64(1, 's') / 60:g} min" for each in ahead]


def _units(variable: str) -> str:
    return VARIABLES[variable].units if variable in VARIABLES else ""


def _climada() -> tuple[Any, Any, Any]:
    """The classes of CLIMADA; no forecast where it has none."""
    try:
        from climada.hazard import Centroids, Hazard
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "a hazard of CLIMADA needs climada, which is not installed; pip install "
            "'stormfusion[climada]'"
        ) from error
    try:
        from climada.hazard.forecast import HazardForecast
    except ModuleNotFoundError:
        return Hazard, Centroids, None
    return Hazard, Centroids, HazardForecast
