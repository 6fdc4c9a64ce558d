"""Pictures of labelled arrays: maps, footprints, curves and films."""

from stormfusion.plot.arrivals import arrival
from stormfusion.plot.arrows import motion
from stormfusion.plot.charts import scores, training
from stormfusion.plot.decisions import roc, value
from stormfusion.plot.diagrams import reliability
from stormfusion.plot.events import performance
from stormfusion.plot.films import animate
from stormfusion.plot.histograms import ranks
from stormfusion.plot.maps import field
from stormfusion.plot.panels import strip, triplet
from stormfusion.plot.risks import footprint, probability
from stormfusion.plot.scales import fractions, spectrum
from stormfusion.plot.tradeoffs import tradeoff
from stormfusion.plot.violins import violins

__all__ = [
    "animate",
    "arrival",
    "field",
    "footprint",
    "fractions",
    "motion",
    "performance",
    "probability",
    "ranks",
    "reliability",
    "roc",
    "scores",
    "spectrum",
    "strip",
    "tradeoff",
    "training",
    "triplet",
    "value",
    "violins",
]
