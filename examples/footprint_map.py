"""An interactive map of a footprint, and a page about it to print."""

import sys
from pathlib import Path

from stormfusion import Catalog, Nowcaster

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "output")
folder.mkdir(parents=True, exist_ok=True)

storm = Catalog.synthetic(events=3, size=128, variables=["rain_rate"], seed=4)[1]
footprint = Nowcaster("steps").footprint(
    storm,
    "rain_rate >= 2 mm h-1",
    "rain_rate >= 10 mm h-1",
    members=24,
    reference_time=storm.time[24],
)

print(footprint.to_html(folder / "footprint.html"))
print(footprint.report(folder / "report.html", storm["rain_rate"]))
print(footprint.animate(folder / "footprint.gif"))
