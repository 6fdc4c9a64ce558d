"""What a storm may do to a pixel: `"vil >= 12 kg m-2"` and the object it stands for."""

from stormfusion.hazards.hazard import Hazard
from stormfusion.hazards.nearby import Nearby
from stormfusion.hazards.reading import HAIL
from stormfusion.hazards.windows import Windows, depth

__all__ = ["HAIL", "Hazard", "Nearby", "Windows", "depth"]
