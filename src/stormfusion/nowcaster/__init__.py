"""The nowcaster: fit, predict, ensemble, footprint, evaluate, save, load."""

from stormfusion.nowcaster.estimator import Nowcaster

__all__ = ["Nowcaster"]
