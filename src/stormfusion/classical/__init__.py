"""Nowcasting without training."""

from stormfusion.classical.aligned import Aligned
from stormfusion.classical.autoregression import AR2
from stormfusion.classical.cascade import Cascade
from stormfusion.classical.classic import Classic, Untrained
from stormfusion.classical.extrapolation import Extrapolation
from stormfusion.classical.flow import motion, moving
from stormfusion.classical.local import LocalNoise
from stormfusion.classical.matching import Matching
from stormfusion.classical.noise import Noise
from stormfusion.classical.persistence import Persistence
from stormfusion.classical.perturbations import MotionErrors
from stormfusion.classical.rainfall import Rainfall, rainfall, seconds
from stormfusion.classical.scenarios import Scenarios
from stormfusion.classical.steps import Steps
from stormfusion.classical.trajectories import carried, displacements, extrapolated

__all__ = [
    "AR2",
    "CLASSICS",
    "Aligned",
    "Cascade",
    "Classic",
    "Extrapolation",
    "LocalNoise",
    "Matching",
    "MotionErrors",
    "Noise",
    "Persistence",
    "Rainfall",
    "Scenarios",
    "Steps",
    "Untrained",
    "carried",
    "displacements",
    "extrapolated",
    "motion",
    "moving",
    "rainfall",
    "seconds",
]

CLASSICS: dict[str, type[Untrained]] = {
    "persistence": Persistence,
    "extrapolation": Extrapolation,
    "steps": Steps,
}
"""The nowcasts without training by the name that a recipe calls them."""
