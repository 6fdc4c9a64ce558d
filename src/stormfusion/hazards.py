"""What a storm may do to a pixel: `"vil >= 12 kg m-2"` and the object it stands for."""

import difflib
import math
import re
from dataclasses import dataclass
from typing import NoReturn, Self

import numpy as np
import xarray as xr

from stormfusion.units import VARIABLES, conversion, exceeds

_HAZARD = re.compile(
    r"(?P<variable>\w+)\s*(?P<operator>[<>=!≥≤]+)\s*"
    r"(?P<threshold>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(?P<units>.*)"
)
_WINDOW = re.compile(r"\b(in|within|over|during)\s+(a|an|the|[-+]?[.\d]+)\b")


@dataclass(frozen=True)
class Hazard:
    """
    An event at a pixel: a variable that reaches a threshold, `value >= threshold`.

    The threshold is converted to the units that the variable has in this library, so
    that two hazards are equal if they mean the same.

    Parameters
    ----------
    variable
        A name in `stormfusion.units.VARIABLES`.
    threshold
        The least value of an event, in `units`.
    units
        Any units that convert to those of the variable, such as `"inch h-1"`.

    Examples
    --------
    >>> Hazard("rain_rate", 1, "inch h-1")
    Hazard(variable='rain_rate', threshold=25.4, units='mm h-1')
    >>> str(Hazard.parse("vil>=12 kg/m^2"))
    'vil >= 12 kg m-2'
    """

    variable: str
    threshold: float
    units: str

    def __post_init__(self) -> None:
        name = str(self.variable)
        if name not in VARIABLES:
            close = difflib.get_close_matches(name.lower(), VARIABLES, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise ValueError(
                f"unknown variable {self.variable!r} in a hazard{hint} "
                f"(known variables: {', '.join(VARIABLES)})"
            )
        number = isinstance(self.threshold, int | float | np.number)
        if not number or not math.isfinite(self.threshold):
            raise ValueError(
                f"a hazard of {self.variable} has the threshold {self.threshold!r}; "
                "give a finite number"
            )
        threshold = float(self.threshold)
        units = VARIABLES[self.variable].units
        scale, offset = conversion(self.units, units)
        if (scale, offset) != (1.0, 0.0):
            threshold = float(f"{scale * threshold + offset:.12g}")
        object.__setattr__(self, "threshold", threshold + 0.0)  # -0.0 becomes 0.0
        object.__setattr__(self, "units", units)

    def __str__(self) -> str:
        number = repr(self.threshold).removesuffix(".0")
        return f"{self.variable} >= {number} {self.units}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """
        Read a hazard: a variable, `>=` or `≥`, a number and its units.

        Parameters
        ----------
        text
            Such as `"vil >= 12 kg m-2"` or `"mesh >= 1 inch"`.

        Returns
        -------
        Hazard
            `Hazard.parse(str(hazard)) == hazard`.

        Raises
        ------
        ValueError
            If the text cannot be read, or asks for what is not available yet.

        Examples
        --------
        >>> Hazard.parse("ir107 >= 250 K")
        Hazard(variable='ir107', threshold=-23.15, units='degC')
        """
        match = _HAZARD.fullmatch(text.strip()) if isinstance(text, str) else None
        if match is None:
            _refuse(text, "cannot be read", "write it like 'vil >= 12 kg m-2'")
        variable, operator, threshold, units = match.groups()
        if operator not in (">=", "≥"):
            _refuse(
                text,
                f"compares with {operator!r}",
                "an event is 'value >= threshold', and nothing else is available yet",
            )
        window = _WINDOW.search(units)
        if window is not None:
            _refuse(
                text,
                "asks for a time window or a neighbourhood",
                "neither is available yet, so name what happens at one pixel and time, "
                f"such as '{variable} >= {threshold} "
                f"{units[: window.start()].strip() or 'mm'}'",
            )
        if not units:
            known = VARIABLES.get(variable)
            _refuse(
                text,
                "has no units",
                f"write '{variable} >= {threshold} {known.units if known else 'mm'}'",
            )
        return cls(variable, float(threshold), units)

    def occurs(self, values: xr.DataArray) -> xr.DataArray:
        """
        Where the hazard occurs.

        Parameters
        ----------
        values
            The variable of this hazard. Values that say their `units` are taken in
            them, others in the units of the hazard.

        Returns
        -------
        DataArray
            1 where the value reaches the threshold, 0 where it does not, NaN where it
            is missing, on the coordinates of `values` [1].

        Raises
        ------
        TypeError
            If `values` are no labelled array.
        ValueError
            If they are another variable, or have units of another kind.

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
        if values.name in VARIABLES and values.name != self.variable:
            raise ValueError(
                f"hazard '{self}' is about {self.variable!r}, but got "
                f"{values.name!r}; pass the variable {self.variable!r}"
            )
        scale, offset = conversion(self.units, values.attrs.get("units", self.units))
        event = exceeds(values, scale * self.threshold + offset)
        occurrence = event.astype(np.float32).where(values.notnull()).rename(None)
        occurrence.attrs = {"units": "1", "long_name": f"occurrence of {self}"}
        return occurrence


def _refuse(text: str, found: str, advice: str) -> NoReturn:
    raise ValueError(f"hazard {text!r} {found}; {advice}")
