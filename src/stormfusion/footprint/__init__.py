"""What a storm may touch: probabilities, percentiles, mean and spread."""

from stormfusion.footprint.gathering import (
    KNOWN,
    PERCENTILES,
    Accumulator,
    check_hazards,
    check_percentiles,
    ordered,
    rank,
    stacked,
)
from stormfusion.footprint.netcdf import write_netcdf
from stormfusion.footprint.product import Footprint, at_leads

__all__ = [
    "KNOWN",
    "PERCENTILES",
    "Accumulator",
    "Footprint",
    "at_leads",
    "check_hazards",
    "check_percentiles",
    "ordered",
    "rank",
    "stacked",
    "write_netcdf",
]
