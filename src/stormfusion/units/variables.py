"""The variables of the house: what each is measured in, and what it is called."""

from typing import NamedTuple


class Variable(NamedTuple):
    """
    What a variable of the house is measured in, and what it is called.

    Values below `lowest` or above `highest` [its units] are no weather: they are fill
    values that nobody declared, or in other units, and count as missing.
    """

    units: str
    long_name: str
    standard_name: str | None = None
    lowest: float = -0.1
    highest: float = 5000.0


_BRIGHTNESS = "toa_brightness_temperature"
VARIABLES: dict[str, Variable] = {
    "vil": Variable("kg m-2", "vertically integrated liquid", highest=1000.0),
    "reflectivity": Variable(
        "dBZ", "radar reflectivity", "equivalent_reflectivity_factor", -150.0, 100.0
    ),
    "rain_rate": Variable("mm h-1", "rain rate", "rainfall_rate"),
    "rain": Variable("mm", "rain accumulation", "thickness_of_rainfall_amount"),
    "mesh": Variable("mm", "maximum expected size of hail", highest=500.0),
    "ir069": Variable(
        "degC", "brightness temperature at 6.9 um", _BRIGHTNESS, -150.0, 150.0
    ),
    "ir107": Variable(
        "degC", "brightness temperature at 10.7 um", _BRIGHTNESS, -150.0, 150.0
    ),
    "vis": Variable(
        "1", "reflectance at 0.64 um", "toa_bidirectional_reflectance", highest=10.0
    ),
    "lightning": Variable(
        "count", "lightning flashes per pixel and interval", highest=1e6
    ),
}
"""Every variable of the house: units, long name, CF standard name and limits."""
FILL = 1e9
"""Numbers from here on are fill values, and nothing that was measured."""
