"""Radar and satellite data: events, their sources, catalogs and windows."""

from stormfusion.data.catalog import Catalog
from stormfusion.data.event import Event
from stormfusion.data.scaling import SCALINGS
from stormfusion.data.task import Task

__all__ = ["SCALINGS", "Catalog", "Event", "Task"]
