"""Where the next hour may bring heavy rain, with what probability, and how much."""

import sys
from pathlib import Path

from stormfusion import Catalog, Nowcaster, plot

path = Path(sys.argv[1] if len(sys.argv) > 1 else "output/footprint.png")
path.parent.mkdir(parents=True, exist_ok=True)

train = Catalog.synthetic(events=16, size=64, variables=["vil"])
storm = Catalog.synthetic(events=2, size=128, variables=["vil"], seed=4)[1]

nowcaster = Nowcaster("unet").fit(train, epochs=1, progress=False)
footprint = nowcaster.footprint(
    storm,
    "vil >= 3.5 kg m-2",
    "vil >= 12 kg m-2",
    members=50,
    reference_time=storm.time[12],
)

plot.footprint(footprint.dataset, path=path)
