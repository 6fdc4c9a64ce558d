"""Physical quantities: their units, VIL bytes, reflectivity and rain, and events."""

from stormfusion.units.arrays import exceeds
from stormfusion.units.converting import as_ours, conversion, convert
from stormfusion.units.rain import (
    ZR_LAWS,
    ZRLaw,
    rain_rate_to_reflectivity,
    reflectivity_to_rain_rate,
)
from stormfusion.units.variables import FILL, VARIABLES, Variable
from stormfusion.units.vil import (
    vil_from_bytes,
    vil_from_code,
    vil_to_bytes,
    vil_to_code,
)

__all__ = [
    "FILL",
    "VARIABLES",
    "ZR_LAWS",
    "Variable",
    "ZRLaw",
    "as_ours",
    "conversion",
    "convert",
    "exceeds",
    "rain_rate_to_reflectivity",
    "reflectivity_to_rain_rate",
    "vil_from_bytes",
    "vil_from_code",
    "vil_to_bytes",
    "vil_to_code",
]
