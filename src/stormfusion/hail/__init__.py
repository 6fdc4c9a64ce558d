"""The probability of a report of hail, learned from radar and reports."""

from stormfusion.hail.model import HailModel

__all__ = ["HailModel"]
