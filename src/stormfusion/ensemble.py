"""An ensemble of possible futures, whoever made it."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from stormfusion.footprint import (
    KNOWN,
    PERCENTILES,
    Footprint,
    at_leads,
    check_hazards,
    check_percentiles,
    ordered,
    stacked,
)
from stormfusion.hazards import Hazard
from stormfusion.interop import Interval, from_pysteps, to_pysteps
from stormfusion.losses import Loss
from stormfusion.units import VARIABLES, as_ours
from stormfusion.verification import Tally


class Ensemble:
    """
    Members of a forecast, with what can be asked of them together.

    Parameters
    ----------
    dataset
        One variable with the dimensions `member`, `lead`, `y`, `x`, whoever made it:
        `nowcaster.ensemble` or a weather model, in any units, which become ours; what
        pysteps made goes through `from_pysteps`. A pixel that is missing (NaN, or a
        number that no weather has, such as -9999) in a member does not count in what
        is asked of all of them, and is missing there if fewer than half know it.

    Raises
    ------
    TypeError
        If it is no dataset, or holds no numbers.
    ValueError
        If a dimension is missing or empty, leads, rows or columns do not go one way,
        or there is more than one variable of ours.

    Examples
    --------
    >>> values = np.array([0.0, 1.0, 5.0, 20.0], dtype="float32").reshape(4, 1, 1, 1)
    >>> rain = xr.DataArray(values, dims=("member", "lead", "y", "x"))
    >>> rain.attrs["units"] = "mm/h"
    >>> ensemble = Ensemble(rain.to_dataset(name="rain_rate"))
    >>> ensemble.probability("rain_rate >= 5 mm/h").values.ravel()
    array([0.5], dtype=float32)
    >>> ensemble.percentile(50).values.ravel()
    array([1.], dtype=float32)
    """

    def __init__(self, dataset: xr.Dataset) -> None:
        if not isinstance(dataset, xr.Dataset):
            raise TypeError(
                f"got a {type(dataset).__name__}, wanted an xarray Dataset; write "
                "array.to_dataset(name='rain_rate')"
            )
        names = [str(n) for n in dataset.data_vars if "member" in dataset[n].dims]
        if len(names) != 1 or names[0] not in VARIABLES:
            raise ValueError(
                f"got {', '.join(names) or 'no variable'} with a dimension 'member', "
                f"wanted exactly one of {', '.join(VARIABLES)}; select or rename the "
                "variable, and its dimensions to member, lead, y and x"
            )
        wanted = {"member", "lead", "y", "x"}
        dims = set(map(str, dataset[names[0]].dims))
        if dims != wanted:
            raise ValueError(
                f"{names[0]!r} has dimensions {tuple(dataset[names[0]].dims)}, wanted "
                "member, lead, y and x; rename or expand them"
            )
        self.variable = names[0]
        self.dataset = _checked(
            dataset.transpose("member", "lead", "y", "x", ...), names[0]
        )

    @classmethod
    def from_pysteps(
        cls,
        array: ArrayLike,
        metadata: Mapping[str, Any],
        *,
        reference_time: object | None = None,
        interval: Interval | None = None,
    ) -> Self:
        """
        Label a forecast of pysteps.

        Parameters
        ----------
        array
            With the dimensions (member, lead, y, x), as STEPS returns it, or (lead, y,
            x), which becomes one member. Missing (NaN, infinite or masked) stays
            missing. It is copied, and its rows keep their order.
        metadata
            What pysteps says of this array: its `unit` (mm/h, mm or dBZ), the
            `transform` that was not undone yet (dB, sqrt, BoxCox, log or None) with its
            `threshold`, the corners `x1`, `y1`, `x2` and `y2`, `yorigin`,
            `cartesian_unit` and `projection`. The transform is undone as pysteps does;
            what is below the threshold becomes 0.
        reference_time
            Time of the last observed frame, UTC. By default the last of the
            `timestamps`; where `leadtimes` stand beside them, they are those of the
            forecast, and it is what both say. Needed where there are as many as leads
            and no `leadtimes`, which may be either. Without any there are no valid
            times.
        interval
            From one lead to the next, such as `"5min"`, or minutes; the first lead is
            one interval. By default the `leadtimes` [min], the step of the
            `timestamps`, or `accutime` [min], whichever comes first.

        Returns
        -------
        Ensemble
            Of `rain_rate`, `rain` or `reflectivity`, on pixel centres in metres (or
            degrees), with the projection. The variable keeps `zr_a` and `zr_b` as
            attributes, and `rain` its period `accutime` [min].

        Raises
        ------
        TypeError
            If the array holds no real numbers, or the metadata are no dictionary.
        ValueError
            If the metadata lack a key, do not agree with each other or with the array,
            or name a unit or transform that is not known; if a time is none, in a time
            zone or irregular.

        Examples
        --------
        >>> decibels = np.array([-15.0, -10.0, 0.0, 10.0]).reshape(2, 1, 1, 2)
        >>> metadata = {
        ...     **{"unit": "mm/h", "transform": "dB", "threshold": -10.0},
        ...     **{"x1": 0.0, "x2": 2.0, "y1": -4.0, "y2": -2.0, "yorigin": "upper"},
        ...     **{"cartesian_unit": "km", "accutime": 5.0},
        ... }
        >>> ensemble = Ensemble.from_pysteps(
        ...     decibels.repeat(2, axis=2), metadata, reference_time="2019-06-01T12:00"
        ... )
        >>> ensemble
        <Ensemble of 2 members: rain_rate, 1 leads on 2 x 2 pixels>
        >>> ensemble.values.isel(lead=0, y=0).values
        array([[ 0. ,  0.1],
               [ 1. , 10. ]])
        >>> ensemble.values.y.values, str(ensemble.values.time.values[0])[:16]
        (array([-2500., -3500.]), '2019-06-01T12:05')
        """
        return cls(
            from_pysteps(
                array, metadata, reference_time=reference_time, interval=interval
            )
        )

    def to_pysteps(self) -> tuple[NDArray[np.floating[Any]], dict[str, Any]]:
        """
        The members as pysteps has them: an array, and a dictionary beside it.

        Rows keep their order, which `yorigin` tells: "lower" where the first is the
        southernmost. Not all of pysteps looks: its GeoTIFF files, and what it reads
        from its own netCDF files, have the north first. Columns go from west to east.
        `Ensemble.from_pysteps(*ensemble.to_pysteps())` is the ensemble
        again.

        Returns
        -------
        array : ndarray
            A copy of the values, with the dimensions (member, lead, y, x): rain rate
            [mm/h], accumulation [mm] or reflectivity [dBZ]; NaN where missing.
        metadata : dict
            What pysteps' functions ask for. `timestamps` and `leadtimes` [min] are
            those of the forecast, `accutime` [min] the step from lead to lead, None
            where there is no one step; of `rain` it is the period. The `threshold` is
            pysteps' own, 0.1 mm/h, and what corresponds to it.

        Raises
        ------
        GridMismatchError
            If the grid has no coordinates, or no regular ones.
        ValueError
            If there are no lead times, or the variable is none that pysteps knows.

        Examples
        --------
        >>> metadata = {
        ...     **{"unit": "mm", "transform": None, "yorigin": "lower"},
        ...     **{"x1": 0.0, "x2": 2.0, "y1": 1.0, "y2": 3.0, "cartesian_unit": "km"},
        ... }
        >>> ensemble = Ensemble.from_pysteps(
        ...     np.ones((20, 3, 2, 2)), metadata, interval="5min"
        ... )
        >>> array, again = ensemble.to_pysteps()
        >>> array.shape, again["y1"], again["cartesian_unit"], again["accutime"]
        ((20, 3, 2, 2), 1000.0, 'm', 5.0)
        """
        return to_pysteps(self.dataset, self.variable)

    @property
    def members(self) -> int:
        """How many members there are."""
        return int(self.dataset.sizes["member"])

    @property
    def values(self) -> xr.DataArray:
        """The members, with the dimensions (member, lead, y, x)."""
        return self.dataset[self.variable]

    def __repr__(self) -> str:
        sizes = self.dataset.sizes
        return (
            f"<Ensemble of {self.members} members: {self.variable}, {sizes['lead']} "
            f"leads on {sizes['y']} x {sizes['x']} pixels>"
        )

    def mean(self) -> xr.DataArray:
        """Mean of the members that know a pixel, in the variable's units."""
        return self._of_all(self.values.mean("member", keep_attrs=True))

    def spread(self) -> xr.DataArray:
        """Standard deviation of the members (divisor M - 1), in their units."""
        if self.members < 2:
            raise ValueError("one member has no spread, wanted 2 or more")
        spread = self.values.std("member", ddof=1, keep_attrs=True)
        return self._of_all(spread).assign_attrs(
            long_name=f"ensemble standard deviation of {self._long_name}"
        )

    def probability(self, hazard: str | Hazard) -> xr.DataArray:
        """
        Share of the members that know a pixel in which a hazard occurs, by lead [1].

        Parameters
        ----------
        hazard
            Such as `"vil >= 12 kg m-2"`; an event is `value >= threshold`.
        """
        (hazard,) = check_hazards([hazard], self.variable)
        share = self._where_known(hazard.occurs(self.values).mean("member"))
        attrs = {"units": "1", "long_name": "probability of the hazard"}
        share = share.astype("float32").rename("probability")
        return share.assign_coords(hazard=str(hazard)).assign_attrs(attrs)

    def percentile(self, percentile: float) -> xr.DataArray:
        """
        A percentile of the members, by lead.

        It is the least member value that this share of the members does not exceed.

        Parameters
        ----------
        percentile
            From 0 to 100.
        """
        if not isinstance(percentile, int | float | np.number):
            raise TypeError(
                f"percentile is {percentile!r}, wanted one number from 0 to 100; for "
                "several write footprint(percentiles=...)"
            )
        (percentile,) = check_percentiles([percentile])
        (chosen,) = ordered(self.values.to_numpy(), [percentile])
        like = self.values.isel(member=0, drop=True).copy(data=chosen)
        return self._where_known(like).assign_coords(quantile=percentile / 100.0)

    def footprint(
        self, *hazards: str | Hazard, percentiles: Sequence[float] = PERCENTILES
    ) -> Footprint:
        """
        What the storm may touch: probabilities, percentiles, mean and spread.

        Parameters
        ----------
        hazards
            One or more, such as `"vil >= 12 kg m-2"`.
        percentiles
            From 0 to 100.
        """
        found = check_hazards(hazards, self.variable)
        made = stacked(self.values, found, percentiles=percentiles)
        attrs = {**self.dataset.attrs, **made.dataset.attrs}
        return Footprint(made.dataset.assign_attrs(attrs))

    def verify(
        self,
        observed: xr.DataArray | xr.Dataset,
        *,
        thresholds: Sequence[float] | None = None,
        scales: Sequence[int] = (1, 5, 17),
        distances: Sequence[Loss] | None = None,
    ) -> xr.Dataset:
        """
        Score the ensemble against what came.

        Parameters
        ----------
        observed
            The variable at the times of the leads, with the dimension `lead` or `time`.
        thresholds
            Of events, in the variable's units; the usual ones by default.
        scales
            Widths of the windows of the fractions skill score [pixels], odd.
        distances
            Losses that compare whole maps, such as `[Perceptual(), LPIPS()]`; the
            perceptual distance by default, and none with `()`, which is faster.

        Returns
        -------
        Dataset
            Scores by lead, threshold and scale, as from `verification.verify`; CSI and
            the like of the ensemble mean, CRPS, perceptual distance and spectra of its
            members.
        """
        truth = at_leads(observed, self.values, self.variable)
        tally = Tally(
            self.variable, thresholds=thresholds, scales=scales, distances=distances
        )
        tally.add({"ensemble": self.values}, truth)
        return tally.dataset()

    def plot(self):  # type: ignore[no-untyped-def]
        """Draw the mean and three members at four lead times; returns the figure."""
        from stormfusion import plot

        count = min(3, self.members)
        rows = {f"member {i}": self.values.isel(member=i) for i in range(count)}
        return plot.strip({"mean": self.mean(), **rows})

    @property
    def _long_name(self) -> str:
        return str(self.values.attrs.get("long_name", self.variable))

    def _of_all(self, array: xr.DataArray) -> xr.DataArray:
        return self._where_known(array).astype("float32").rename(self.variable)

    def _where_known(self, array: xr.DataArray) -> xr.DataArray:
        """NaN where fewer than half of the members know a pixel."""
        known = self.values.notnull().sum("member")
        return array.where(known >= KNOWN * self.members)


def _checked(dataset: xr.Dataset, name: str) -> xr.Dataset:
    """The dataset, infinite values missing, if its values and axes make sense."""
    values = dataset[name]
    if values.dtype.kind not in "iuf":
        raise TypeError(f"{name!r} holds {values.dtype}, wanted numbers; convert it")
    empty = [str(d) for d in values.dims if not values.sizes[d]]
    if empty:
        raise ValueError(
            f"{name!r} has nothing along {', '.join(empty)}, wanted one or more "
            "members, leads, rows and columns; check what was selected"
        )
    for dim in ("lead", "y", "x"):
        if dim not in values.coords:
            continue
        index = values.indexes[dim]
        falls = index.is_monotonic_decreasing and dim != "lead"
        if not index.is_unique or not (index.is_monotonic_increasing or falls):
            raise ValueError(
                f"{dim} has values twice or out of order, wanted each once and in "
                f"order; call dataset.drop_duplicates({dim!r}).sortby({dim!r})"
            )
    if "lead" in values.coords and values["lead"].dtype.kind != "m":
        raise TypeError(
            f"lead holds {values['lead'].dtype}, wanted times from the reference time; "
            "for minutes write lead.astype('timedelta64[m]')"
        )
    return dataset.assign({name: as_ours(values, name)})
