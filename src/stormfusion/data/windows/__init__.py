"""Windows of frames: stored integers on the host, network numbers on the device."""

from stormfusion.data.windows.drawing import RandomWindows, window_size
from stormfusion.data.windows.numbers import Batch, batch, realize
from stormfusion.data.windows.reading import Sample, Stack, principal, starts, take

__all__ = [
    "Batch",
    "RandomWindows",
    "Sample",
    "Stack",
    "batch",
    "principal",
    "realize",
    "starts",
    "take",
    "window_size",
]
