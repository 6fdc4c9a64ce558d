"""
Training: the loop (`loop`), its steps (`step`), where it runs (`device`), how (`plan`).

Only optimizers and schedules are imported here: the loop brings Lightning Fabric, which
takes two seconds, and comes when something is fitted.
"""

from stormfusion.training.hypergradient import HypergradientAdam
from stormfusion.training.optimizers import AdamHD, AdamW, Optimizer
from stormfusion.training.schedules import Approach, Ramp, ScheduledSampling

__all__ = [
    "AdamHD",
    "AdamW",
    "Approach",
    "HypergradientAdam",
    "Optimizer",
    "Ramp",
    "ScheduledSampling",
]
