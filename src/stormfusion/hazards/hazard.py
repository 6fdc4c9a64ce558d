"""An event at a pixel: `"vil >= 12 kg m-2"` and the object it stands for."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Self

import numpy as np
import xarray as xr

from stormfusion.grids import measured
from stormfusion.hazards.nearby import Nearby
from stormfusion.hazards.reading import (
    HAIL,
    UNITS,
    checked_distance,
    checked_threshold,
    checked_variable,
    checked_window,
    read,
    text_of,
)
from stormfusion.hazards.windows import Windows, ends_of
from stormfusion.units import conversion, convert, exceeds


@dataclass(frozen=True)
class Hazard:
    """
    An event at a pixel: a variable that reaches a threshold, `value >= threshold`.

    The threshold is converted to the units that the variable has in this library, so
    that two hazards are equal if they mean the same.

    Parameters
    ----------
    variable
        A name in `stormfusion.units.VARIABLES`, or `"hail"`, the size of hail [mm].
    threshold
        The least value of an event, in `units`.
    units
        Any units that convert to those of the variable, such as `"inch h-1"`.
    window
        How far back from each frame the event may lie, such as `"30 min"` or a
        timedelta. For `rain` it is the time over which the rain is summed; any other
        variable reaches the threshold in a frame after `t - window` and up to `t`. By
        default each frame stands for itself.
    distance
        How far from the pixel the event may lie, such as `"5 km"`, or in metres, from
        pixel centre to pixel centre. By default it is at the pixel.

    Examples
    --------
    >>> Hazard("rain_rate", 1, "inch h-1").threshold
    25.4
    >>> str(Hazard.parse("vil>=12 kg/m^2"))
    'vil >= 12 kg m-2'
    >>> hazard = Hazard("rain", 10, "mm", window="30 min", distance="5 km")
    >>> str(hazard)
    'rain >= 10 mm in 30 min within 5 km'
    """

    variable: str
    threshold: float
    units: str
    window: timedelta | None = None
    distance: float | None = None

    def __post_init__(self) -> None:
        name = checked_variable(self.variable)
        threshold = checked_threshold(name, self.threshold, self.units)
        object.__setattr__(self, "threshold", threshold)
        object.__setattr__(self, "units", UNITS[name])
        object.__setattr__(self, "window", checked_window(self.window))
        object.__setattr__(self, "distance", checked_distance(self.distance))

    def __str__(self) -> str:
        number = repr(self.threshold).removesuffix(".0")
        where = text_of(self.window, self.distance)
        return f"{self.variable} >= {number} {self.units}{where}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """
        Read a hazard: a variable, `>=` or `≥`, a number and its units.

        A window and a distance may follow, with units of their own.

        Parameters
        ----------
        text
            Such as `"vil >= 12 kg m-2"`, `"mesh >= 1 inch"`, `"rain >= 10 mm in 30
            min"` or `"reflectivity >= 45 dBZ within 5 km"`.

        Returns
        -------
        Hazard
            `Hazard.parse(str(hazard)) == hazard`.

        Raises
        ------
        ValueError
            If the text cannot be read, the variable is unknown, or the units are of
            another kind.

        Examples
        --------
        >>> Hazard.parse("ir107 >= 250 K").threshold
        -23.15
        >>> Hazard.parse("rain >= 1 inch in 1 h").window
        datetime.timedelta(seconds=3600)
        """
        return cls(*read(text))

    @property
    def sums(self) -> bool:
        """Whether it is about a sum over a window, of rain."""
        return self.variable == "rain" and self.window is not None

    def occurs(self, values: xr.DataArray) -> xr.DataArray:
        """
        Where the hazard occurs.

        Parameters
        ----------
        values
            The variable of this hazard; for rain in a window, what fell in the interval
            before each frame [mm], as `classical.rainfall` makes it of rain rates.
            Values that say their `units` are taken in them, others in the units of the
            hazard. With `y` and `x`, on a grid, where the hazard has a distance, and
            with evenly spaced `lead` or `time` where it has a window.

        Returns
        -------
        DataArray
            1 where the value reaches the threshold, 0 where it does not, NaN where it
            is missing or the window is not whole, on the coordinates of `values` [1].
            Of a neighbourhood the pixels count that are known.

        Raises
        ------
        TypeError
            If `values` are no labelled array.
        ValueError
            If they are another variable, have units of another kind, or times that do
            not suit the window.

        Examples
        --------
        >>> vil = xr.DataArray([0.0, 12.0, np.nan], dims="x", name="vil")
        >>> Hazard("vil", 12, "kg m-2").occurs(vil).values
        array([ 0.,  1., nan], dtype=float32)
        """
        if not isinstance(values, xr.DataArray):
            raise TypeError(
                f"got {type(values).__name__}, wanted a DataArray of "
                f"{self.variable!r}; pass one variable, such as "
                f"dataset[{self.variable!r}]"
            )
        self._check_variable(values)
        if self.window is None and self.distance is None:
            known = values.notnull()
            scale, offset = conversion(
                self.units, values.attrs.get("units", self.units)
            )
            event = exceeds(values, scale * self.threshold + offset)
        else:
            event, known = self._around(values)
        occurrence = event.astype(np.float32).where(known).rename(None)
        occurrence.attrs = {"units": "1", "long_name": f"occurrence of {self}"}
        return occurrence

    def _check_variable(self, values: xr.DataArray) -> None:
        """Hail is the maximum size expected by MESH where that is what is given."""
        names = (self.variable, "mesh") if self.variable == HAIL else (self.variable,)
        if values.name in UNITS and values.name not in names:
            raise ValueError(
                f"hazard '{self}' is about {self.variable!r}, but got "
                f"{values.name!r}; pass the variable {self.variable!r}"
            )

    def _around(self, values: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
        """Where it occurs in its window or distance, and where that is known."""
        values = convert(values, values.attrs.get("units", self.units), self.units)
        order = values.dims
        grid = None if self.distance is None else measured(values)
        dim = None
        if self.window is not None:
            dim, ends = ends_of(values, str(self))
            windows = Windows(self.window, ends, str(self))
            last = [d for d in ("y", "x") if d in order]
            values = values.transpose(..., dim, *last)
            if len(last) < 2:
                values = values.expand_dims([d for d in ("y", "x") if d not in last])
                values = values.transpose(..., dim, "y", "x")
        else:
            values = values.transpose(..., "y", "x")
        bare = values.to_numpy()
        if self.sums:
            bare = windows.total(bare)
        known = ~np.isnan(bare)
        event = np.asarray(exceeds(bare, self.threshold))
        if dim is not None and not self.sums:
            known = ~windows.any(~known) & windows.whole[:, None, None]
            event = windows.any(event)
        if grid is not None and self.distance is not None:
            event = Nearby(grid, self.distance)(event)
        found = (values.copy(data=part) for part in (event, known))
        return tuple(  # type: ignore[return-value]
            part.squeeze([d for d in part.dims if d not in order]).transpose(*order)
            for part in found
        )
