"""Training: the loop, its steps, and where it runs."""

from stormfusion.training.device import best_device, channels_last, make_fabric
from stormfusion.training.loop import train, validate
from stormfusion.training.plan import Plan, Progress, Store
from stormfusion.training.split import fingerprint, validation_split

__all__ = [
    "Plan",
    "Progress",
    "Store",
    "best_device",
    "channels_last",
    "fingerprint",
    "make_fabric",
    "train",
    "validate",
    "validation_split",
]
