"""People who report the hail of synthetic storms, and how likely they do."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.ndimage import label, maximum_filter
from scipy.special import ndtr

from stormfusion.data.catalog import Catalog
from stormfusion.data.event import Event
from stormfusion.data.reports import INCH, checked_reports
from stormfusion.errors import CatalogError
from stormfusion.grids import Grid, places

SIZES = INCH * np.array(
    [0.25, 0.5, 0.75, 0.88, 1, 1.25, 1.5, 1.75, 2, 2.5, 2.75, 3, 4, 4.5]
)
"""Sizes of coins and balls, which hail is told in [mm]."""

WEAKEST = 10.0
"""A core has at least this VIL [kg m-2]."""

APART = 5000.0
"""A core is the largest VIL within this distance in y and in x [m]."""

PER_VIL = 1.0
"""Median diameter of hail [mm] over the VIL of its core [kg m-2]."""

SPREAD = 0.35
"""Standard deviation of the logarithm of the diameter."""

RATE = 0.15
"""Reports per minute of a core that all people see."""


def synthetic_reports(catalog: Catalog, *, seed: int = 0) -> pd.DataFrame:
    r"""
    Draw reports of hail at the cores of storms, to try out what learns from reports.

    Any core of VIL may be reported once in each interval $\Delta t$ up to a frame, with
    the probability $s\,(1 - e^{-r \Delta t})$. The share $s$ of hail that people see
    varies over the map from 0.1 to 1, so that most goes unreported in places. The
    diameter is log-normal, its median 1 mm for each kg m-2 of the core's VIL, and is
    rounded down to the size of a coin or ball, such as 25.4 or 44.45 mm; smaller hail
    than 6.35 mm is not reported. The time is a whole minute of the interval.

    The physics is invented: it is of no use but in tests and examples.

    Parameters
    ----------
    catalog
        Events with VIL, such as those of `Catalog.synthetic`, whose projection is
        known.
    seed
        The same seed makes the same reports; an event has its own, whatever others
        are in the catalog.

    Returns
    -------
    DataFrame
        As from `read_hail_reports`; it may be empty.

    Raises
    ------
    CatalogError
        If an event has no VIL, or one frame only.

    Examples
    --------
    >>> reports = synthetic_reports(Catalog.synthetic(events=4, size=64), seed=1)
    >>> reports.columns.tolist()[:4]
    ['id', 'time', 'end_time', 'size']
    >>> bool((reports["size"] >= 6.35).all())
    True
    """
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or seed < 0:
        raise ValueError(f"seed is {seed!r}, wanted a whole number, 0 or more")
    found = []
    for event in catalog:
        entropy = [int(seed), *event.id.encode()]
        rng = np.random.default_rng(entropy)
        for number, (time, minutes, cores) in enumerate(_cores(event)):
            drawn = rng.random(len(cores)) < cores["seen"]
            spread = np.exp(SPREAD * rng.standard_normal(len(cores)))
            size = PER_VIL * cores["vil"] * spread
            rank = np.searchsorted(SIZES, size, side="right") - 1
            ago = rng.integers(0, max(int(minutes), 1), len(cores))
            said = cores[drawn & (rank >= 0)].copy()
            said["size"] = SIZES[rank[drawn & (rank >= 0)]].round(2)
            said["time"] = time - pd.to_timedelta(ago[drawn & (rank >= 0)], unit="min")
            said["id"] = [f"{event.id}-{number}-{i}" for i in range(len(said))]
            found.append(said)
    columns = ["id", "time", "size", "latitude", "longitude"]
    held = [each[columns] for each in found if len(each)]
    if not held:
        nothing = pd.DataFrame({name: pd.Series(dtype=float) for name in columns})
        return checked_reports(nothing.astype({"time": "datetime64[ns]"}))
    return checked_reports(pd.concat(held, ignore_index=True))


def synthetic_report_probability(
    event: Event, *, size: float = 25.4, distance: float = 10e3, window: float = 900.0
) -> xr.DataArray:
    """
    The probability with which `synthetic_reports` reports hail near each pixel.

    It is the truth that a model learned from such reports can be held against, and
    knows how many people live where, which a model does not.

    Parameters
    ----------
    event
        An event with VIL.
    size
        Least diameter [mm].
    distance
        How far from a pixel a report may be [m], in the projection of the event.
    window
        Seconds before each frame, that of the frame included and its beginning not.

    Returns
    -------
    DataArray
        Probability [1] with the dimensions (time, y, x) that a report of such hail
        is drawn within the distance, in the window up to the frame. In the first
        frames it counts what the window holds of the event.

    Examples
    --------
    >>> event = Catalog.synthetic(events=1, size=64, seed=2)[0]
    >>> probability = synthetic_report_probability(event)
    >>> bool((probability >= 0).all() and (probability < 1).all())
    True
    """
    like = event["vil"]
    grid = event.stored("vil").grid
    y, x = grid.metres()[1][:, :1], grid.metres()[0]
    rows, columns = np.arange(grid.shape[0])[:, None], np.arange(grid.shape[1])
    least = SIZES[SIZES.round(2) >= size - 1e-6].min(initial=np.inf)
    none = np.zeros(like.shape)  # logarithm of the probability of no report
    seconds = 0.0
    for number, (_, minutes, cores) in enumerate(_cores(event)):
        seconds = 60.0 * minutes
        median = np.log(PER_VIL * cores["vil"].to_numpy())
        chance = cores["seen"] * ndtr((median - np.log(least)) / SPREAD)
        spots = cores[["row", "column"]].to_numpy()
        for (row, column), p in zip(spots, chance, strict=True):
            off = np.hypot((rows - row) * y, (columns - column) * x)
            none[number][off <= distance] += np.log1p(-p)
    frames = max(round(window / seconds), 1)
    past = none.copy()
    for back in range(1, min(frames, len(none))):
        past[back:] += none[:-back]
    found = like.copy(data=0.0 - np.expm1(past))
    found.attrs = {"units": "1", "long_name": "true probability of a report of hail"}
    return found.rename("hail_probability")


def people(
    latitude: NDArray[np.float64], longitude: NDArray[np.float64]
) -> NDArray[np.float64]:
    """
    Share of hail that is seen and reported, 0.1 to 1, in waves of a degree.

    Examples
    --------
    >>> people(np.array([38.0, 38.5]), np.array([-98.0, -98.5])).round(2)
    array([0.1, 1. ])
    """
    waves = np.sin(np.pi * latitude) ** 2 * np.sin(np.pi * longitude) ** 2
    return np.asarray(0.1 + 0.9 * waves)


def _cores(event: Event) -> Iterator[tuple[pd.Timestamp, float, pd.DataFrame]]:
    """Time, interval [min] and cores of each frame: where, how strong, how seen."""
    if "vil" not in event.variables:
        raise CatalogError(
            f"event {event.id!r} holds {', '.join(event.variables)}, wanted vil, from "
            "which reports are drawn; make it with Catalog.synthetic(variables=...)"
        )
    frames = event["vil"].load()
    if frames.sizes["time"] < 2:
        raise CatalogError(
            f"event {event.id!r} has one frame, wanted two or more, which tell how far "
            "apart they are; choose another event"
        )
    grid = event.stored("vil").grid
    times = pd.DatetimeIndex(frames["time"].to_numpy())
    minutes = float(np.median(np.diff(times)) / np.timedelta64(1, "m"))
    for time, vil in zip(times, frames.to_numpy(), strict=True):
        yield time, minutes, _of_frame(np.nan_to_num(vil), grid, minutes)


def _of_frame(vil: NDArray[np.float32], grid: Grid, minutes: float) -> pd.DataFrame:
    reach = [2 * int(APART / spacing) + 1 for spacing in grid.spacing]
    highest = (vil >= WEAKEST) & (vil == maximum_filter(vil, size=reach))
    # pixels of one value that touch are one core: the first of them
    patches, count = label(highest, structure=np.ones((3, 3)))
    _, first = np.unique(patches, return_index=True)
    row, column = np.unravel_index(first[-count:] if count else first[:0], vil.shape)
    latitude, longitude = places(grid, grid.y[row], grid.x[column])
    seen = people(latitude, longitude) * -np.expm1(-RATE * minutes)
    return pd.DataFrame(
        {
            "row": row,
            "column": column,
            "vil": vil[row, column].astype(np.float64),
            "latitude": latitude,
            "longitude": longitude,
            "seen": seen,
        }
    )
