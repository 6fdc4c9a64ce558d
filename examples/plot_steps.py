"""Three of the futures that STEPS draws from the last frames, beside their mean."""

import sys
from pathlib import Path

from stormfusion import Catalog, Nowcaster

path = Path(sys.argv[1] if len(sys.argv) > 1 else "output/steps.png")
path.parent.mkdir(parents=True, exist_ok=True)

storm = Catalog.synthetic(events=3, variables=["rain_rate"], seed=4)[1]
ensemble = Nowcaster("steps").ensemble(storm, members=12, reference_time=storm.time[24])

ensemble.plot().savefig(path)
