"""Storm nowcasting: forecasts, ensembles and verified probability footprints."""

__version__ = "0.1.0.dev0"

from stormfusion.data import Catalog, Event
from stormfusion.ensemble import Ensemble
from stormfusion.footprint import Footprint
from stormfusion.nowcaster import Nowcaster
from stormfusion.recipe import Recipe

__all__ = ["Catalog", "Ensemble", "Event", "Footprint", "Nowcaster", "Recipe"]
