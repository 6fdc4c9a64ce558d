"""Forecasts and their members, as a stream."""

from stormfusion.sampling.classics import ClassicForecast
from stormfusion.sampling.dressing import Dressing
from stormfusion.sampling.forecast import Forecast
from stormfusion.sampling.measuring import measure
from stormfusion.sampling.running import first_frame, observation, run, unbroken
from stormfusion.sampling.statistics import ErrorAmounts, ErrorTexture

__all__ = [
    "ClassicForecast",
    "Dressing",
    "ErrorAmounts",
    "ErrorTexture",
    "Forecast",
    "first_frame",
    "measure",
    "observation",
    "run",
    "unbroken",
]
