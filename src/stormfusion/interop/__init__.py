"""Forecasts of other libraries, labelled, and ours in their form."""

from stormfusion.interop.climada import to_hazard, write_hazard
from stormfusion.interop.pysteps import from_pysteps, to_pysteps
from stormfusion.interop.times import Interval

__all__ = ["Interval", "from_pysteps", "to_hazard", "to_pysteps", "write_hazard"]
