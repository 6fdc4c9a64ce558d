"""Pictures of labelled arrays: maps, footprints, curves and films."""

from stormfusion.plot.charts import scores, training
from stormfusion.plot.diagrams import reliability
from stormfusion.plot.films import animate
from stormfusion.plot.maps import field
from stormfusion.plot.panels import strip, triplet
from stormfusion.plot.risks import footprint, probability
from stormfusion.plot.tradeoffs import tradeoff
from stormfusion.plot.violins import violins

__all__ = [
    "animate",
    "field",
    "footprint",
    "probability",
    "reliability",
    "scores",
    "strip",
    "tradeoff",
    "training",
    "triplet",
    "violins",
]
