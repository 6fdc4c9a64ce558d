"""What came, what a U-Net forecast, and what persistence says: nothing moves."""

import sys
from pathlib import Path

from stormfusion import Catalog, Nowcaster, plot

path = Path(sys.argv[1] if len(sys.argv) > 1 else "output/nowcast.png")
path.parent.mkdir(parents=True, exist_ok=True)

train = Catalog.synthetic(events=16, size=64, variables=["vil"])
storm = Catalog.synthetic(events=2, size=128, variables=["vil"], seed=4)[1]
now = storm.time[12]

unet = Nowcaster("unet").fit(train, epochs=1, progress=False)
persistence = Nowcaster("persistence")
forecasts = {
    model.name: model.predict(storm, reference_time=now).vil
    for model in (unet, persistence)
}

plot.strip(
    forecasts,
    observed=storm["vil"],
    leads=["10 min", "20 min", "40 min", "60 min"],
    title=f"{now:%d %B %Y %H:%M} UTC",
    path=path,
)
