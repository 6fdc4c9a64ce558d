"""The probability of a report of hail, learned from radar and reports."""

from stormfusion.hail.model import HailModel
from stormfusion.hail.observing import reported

__all__ = ["HailModel", "reported"]
