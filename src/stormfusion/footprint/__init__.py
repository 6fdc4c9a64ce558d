"""What a storm may touch: probabilities, percentiles, mean and spread."""

from stormfusion.footprint.assembling import KNOWN
from stormfusion.footprint.fields import Fields, Means, Reading, check_hazards
from stormfusion.footprint.gathering import (
    PERCENTILES,
    Accumulator,
    check_percentiles,
    stacked,
)
from stormfusion.footprint.observing import at_leads, occurred
from stormfusion.footprint.ordering import Histogram, ordered, rank
from stormfusion.footprint.product import Footprint
from stormfusion.products.files.netcdf import write_netcdf

__all__ = [
    "KNOWN",
    "PERCENTILES",
    "Accumulator",
    "Fields",
    "Footprint",
    "Histogram",
    "Means",
    "Reading",
    "at_leads",
    "check_hazards",
    "check_percentiles",
    "occurred",
    "ordered",
    "rank",
    "stacked",
    "write_netcdf",
]
