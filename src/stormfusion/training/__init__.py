"""
Training: the loop (`loop`), its steps (`step`), where it runs (`device`), how (`plan`).

Only the optimizers are imported here: the loop brings Lightning Fabric, which takes two
seconds, and comes when something is fitted.
"""

from stormfusion.training.hypergradient import HypergradientAdam
from stormfusion.training.optimizers import AdamHD, AdamW, Optimizer

__all__ = ["AdamHD", "AdamW", "HypergradientAdam", "Optimizer"]
