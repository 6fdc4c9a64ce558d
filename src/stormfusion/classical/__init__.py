"""Nowcasting without training."""

from stormfusion.classical.persistence import Persistence

__all__ = ["Persistence"]
