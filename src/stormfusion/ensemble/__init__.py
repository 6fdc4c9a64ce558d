"""An ensemble of possible futures: its members, and what can be asked of them."""

from stormfusion.ensemble.ensemble import Ensemble

__all__ = ["Ensemble"]
