"""Forecasts and their members, as a stream."""

from stormfusion.sampling.dressing import Dressing
from stormfusion.sampling.forecast import (
    Forecast,
    first_frame,
    measure,
    observation,
    run,
)
from stormfusion.sampling.statistics import ErrorStatistics

__all__ = [
    "Dressing",
    "ErrorStatistics",
    "Forecast",
    "first_frame",
    "measure",
    "observation",
    "run",
]
