"""Members of a forecast, checked and labelled, and what is said of all of them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from stormfusion.calibration import Calibration
from stormfusion.ensemble.checking import checked
from stormfusion.footprint import KNOWN, check_percentiles, ordered
from stormfusion.interop import (
    Interval,
    from_pysteps,
    to_hazard,
    to_pysteps,
    write_hazard,
)
from stormfusion.units import VARIABLES


class Members:
    """
    Members of a forecast on one grid.

    Parameters
    ----------
    dataset, calibration
        As in `Ensemble`.
    """

    def __init__(
        self, dataset: xr.Dataset, *, calibration: Calibration | None = None
    ) -> None:
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
        self.dataset = checked(
            dataset.transpose("member", "lead", "y", "x", ...), names[0]
        )
        if calibration is not None:
            calibration.check(self.values)
        self.calibration = calibration

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
        >>> from stormfusion import Ensemble
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
        >>> from stormfusion import Ensemble
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

    def to_climada(
        self,
        path: str | Path | None = None,
        *,
        kind: str | None = None,
        window: bool = False,
    ) -> Any:
        """
        The members as a hazard of CLIMADA. Needs the extra `climada`.

        Each member is an event at each lead time, or with `window=True` one event of
        its largest values. Its intensity is the variable in its units, at the centres
        of the pixels; see `interop.to_hazard`.

        Parameters
        ----------
        path
            Where to write the HDF5 file that `Hazard.from_hdf5` reads, if anywhere;
            whole or not at all.
        kind
            The two letters by which CLIMADA finds the impact function. By default
            `"HL"` for the size of hail, `"PR"` for rain, `"VI"` for VIL.
        window
            Whether a member is one event.

        Returns
        -------
        climada.hazard.Hazard
            A `HazardForecast` where CLIMADA has it.

        Raises
        ------
        ModuleNotFoundError
            If CLIMADA is not installed.
        ValueError
            If the variable has no letters, or members have weights.
        GridMismatchError
            If the projection is unknown.
        OSError
            If the file cannot be written.
        """
        if self.weights is not None:
            raise ValueError(
                "the members have weights, which events of CLIMADA would lose; give it "
                "the ensembles one by one"
            )
        hazard = to_hazard(self.dataset, kind=kind, window=window)
        if path is not None:
            write_hazard(hazard, path)
        return hazard

    @property
    def members(self) -> int:
        """How many members there are."""
        return int(self.dataset.sizes["member"])

    @property
    def values(self) -> xr.DataArray:
        """The members, with the dimensions (member, lead, y, x)."""
        return self.dataset[self.variable]

    @property
    def weights(self) -> NDArray[np.float64] | None:
        """Weights of the members, their sum one; None where all weigh the same."""
        if "weight" not in self.dataset.coords:
            return None
        weights = self.dataset["weight"].to_numpy().astype(np.float64)
        if np.ptp(weights) <= 1e-12 * weights.max():
            return None
        return np.asarray(weights / weights.sum())

    @property
    def initial(self) -> NDArray[Any] | None:
        """The frame at the start of the forecast, if the dataset holds it."""
        if "initial" not in self.dataset:
            return None
        return self.dataset["initial"].transpose("y", "x").to_numpy()

    def __repr__(self) -> str:
        sizes = self.dataset.sizes
        return (
            f"<Ensemble of {self.members} members: {self.variable}, {sizes['lead']} "
            f"leads on {sizes['y']} x {sizes['x']} pixels>"
        )

    def mean(self) -> xr.DataArray:
        """Mean of the members that know a pixel, in the variable's units."""
        return self._of_all(self._weighted(self.values))

    def spread(self) -> xr.DataArray:
        r"""
        Standard deviation of the members, in their units.

        The divisor is M - 1. With weights $w_i$, whose sum is $W$ of those that know a
        pixel, it is $W - \sum w_i^2 / W$.
        """
        if self.members < 2:
            raise ValueError("one member has no spread, wanted 2 or more")
        if self.weights is None:
            spread = self.values.std("member", ddof=1, keep_attrs=True)
        else:
            share = xr.DataArray(self.weights, dims="member")
            there = self.values.notnull()
            weight = (there * share).sum("member")
            off = (self.values - self._weighted(self.values)) ** 2
            divisor = weight - (there * share**2).sum("member") / weight
            divisor = divisor.where(divisor > 1e-6 * weight)
            spread = ((off * share).sum("member") / divisor) ** 0.5
            spread.attrs = dict(self.values.attrs)
        return self._of_all(spread).assign_attrs(
            long_name=f"ensemble standard deviation of {self._long_name}"
        )

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
        bare = self.values.to_numpy()
        (chosen,) = ordered(bare, [percentile], weights=self.weights)
        like = self.values.isel(member=0, drop=True).copy(data=chosen)
        return self._where_known(like).assign_coords(quantile=percentile / 100.0)

    @property
    def _long_name(self) -> str:
        return str(self.values.attrs.get("long_name", self.variable))

    def _of_all(self, array: xr.DataArray) -> xr.DataArray:
        return self._where_known(array).astype("float32").rename(self.variable)

    def _shares(self) -> NDArray[np.float64]:
        """A weight for each member, one where all weigh the same."""
        weights = self.weights
        return np.ones(self.members) if weights is None else weights * self.members

    def _each(self) -> Iterator[tuple[NDArray[Any], float]]:
        """Members one after the other, with their weights."""
        for number, weight in enumerate(self._shares()):
            member = self.values.isel(member=number).to_numpy()
            if member.dtype.kind != "f":
                member = member.astype(np.float32)
            yield member, float(weight)

    def _weighted(self, values: xr.DataArray) -> xr.DataArray:
        """Mean of values with members, by their weights."""
        if self.weights is None:
            return values.mean("member", keep_attrs=True)
        share = xr.DataArray(self.weights, dims="member")
        return values.weighted(share).mean("member", keep_attrs=True)

    def _where_known(self, array: xr.DataArray) -> xr.DataArray:
        """NaN where fewer than half of the members know a pixel."""
        known = self._weighted(self.values.notnull().astype(np.float64))
        return array.where(known >= KNOWN * (1 - 1e-9))
