"""The variables of the house: what each is measured in, and what it is called."""

from typing import NamedTuple


class Variable(NamedTuple):
    """What a variable of the house is measured in, and what it is called."""

    units: str
    long_name: str
    standard_name: str | None = None


_BRIGHTNESS = "toa_brightness_temperature"
VARIABLES: dict[str, Variable] = {
    "vil": Variable("kg m-2", "vertically integrated liquid"),
    "reflectivity": Variable(
        "dBZ", "radar reflectivity", "equivalent_reflectivity_factor"
    ),
    "rain_rate": Variable("mm h-1", "rain rate", "rainfall_rate"),
    "rain": Variable("mm", "rain accumulation", "thickness_of_rainfall_amount"),
    "mesh": Variable("mm", "maximum expected size of hail"),
    "ir069": Variable("degC", "brightness temperature at 6.9 um", _BRIGHTNESS),
    "ir107": Variable("degC", "brightness temperature at 10.7 um", _BRIGHTNESS),
    "vis": Variable("1", "reflectance at 0.64 um", "toa_bidirectional_reflectance"),
    "lightning": Variable("count", "lightning flashes per pixel and interval"),
}
"""Every variable of the house with its units, long name and CF standard name."""
