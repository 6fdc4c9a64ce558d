"""Where the rain goes: its motion over the last frames, in metres per second."""

import sys
from pathlib import Path

from stormfusion import Catalog, Nowcaster, plot

path = Path(sys.argv[1] if len(sys.argv) > 1 else "output/motion.png")
path.parent.mkdir(parents=True, exist_ok=True)

storm = Catalog.synthetic(events=3, variables=["rain_rate"], seed=4)[1]
now = storm.time[24]
motion = Nowcaster("extrapolation").motion(storm, reference_time=now)

plot.motion(motion, over=storm["rain_rate"].sel(time=now), path=path)
