"""Radar and satellite data: events, their sources, catalogs and windows."""

from stormfusion.data.catalog import Catalog
from stormfusion.data.event import Event
from stormfusion.data.scaling import SCALINGS
from stormfusion.data.spotters import synthetic_reports
from stormfusion.data.storm_events import read_hail_reports
from stormfusion.data.task import Task

__all__ = [
    "SCALINGS",
    "Catalog",
    "Event",
    "Task",
    "read_hail_reports",
    "synthetic_reports",
]
