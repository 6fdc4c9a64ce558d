"""Calibration: members and probabilities that are as often true as they say."""

from stormfusion.calibration.calibration import Calibration
from stormfusion.calibration.cases import Case
from stormfusion.calibration.fitting import fit

__all__ = ["Calibration", "Case", "fit"]
