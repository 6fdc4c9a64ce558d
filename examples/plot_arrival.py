"""When a storm may arrive: dark is soon, bare is where it most likely never does."""

import sys
from pathlib import Path

from stormfusion import Catalog, Nowcaster, plot

path = Path(sys.argv[1] if len(sys.argv) > 1 else "output/arrival.png")
path.parent.mkdir(parents=True, exist_ok=True)

storm = Catalog.synthetic(events=3, size=128, variables=["rain_rate"], seed=4)[1]
footprint = Nowcaster("steps").footprint(
    storm,
    "rain_rate >= 2 mm h-1",
    "rain_rate >= 10 mm h-1",
    members=24,
    reference_time=storm.time[24],
)

plot.arrival(footprint.dataset, path=path)
