"""Forecasts and their members, as a stream."""

from stormfusion.sampling.dressing import Dressing
from stormfusion.sampling.forecast import (
    Forecast,
    first_frame,
    measure,
    observation,
    run,
)
from stormfusion.sampling.statistics import ErrorAmounts, ErrorTexture

__all__ = [
    "Dressing",
    "ErrorAmounts",
    "ErrorTexture",
    "Forecast",
    "first_frame",
    "measure",
    "observation",
    "run",
]
