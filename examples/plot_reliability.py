"""When the ensemble says 30 percent, it should happen in 30 cases out of 100."""

import sys
from pathlib import Path

from stormfusion import Catalog, Nowcaster, plot

path = Path(sys.argv[1] if len(sys.argv) > 1 else "output/reliability.png")
path.parent.mkdir(parents=True, exist_ok=True)

catalog = Catalog.synthetic(events=20, size=64, variables=["vil"])
train, test = catalog.split(0.8)

nowcaster = Nowcaster("unet").fit(train, epochs=1, progress=False)
scores = nowcaster.evaluate(test, thresholds=[0.8, 3.5], members=20, progress=False)

plot.reliability(
    scores.sel(forecast=[nowcaster.name]),
    title=f"{int(scores.cases)} forecasts of synthetic storms, all lead times",
    path=path,
)
