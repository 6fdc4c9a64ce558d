"""How often a U-Net and persistence warn, and how often rightly, by threshold."""

import sys
from pathlib import Path

from stormfusion import Catalog, Nowcaster, plot

path = Path(sys.argv[1] if len(sys.argv) > 1 else "output/performance.png")
path.parent.mkdir(parents=True, exist_ok=True)

catalog = Catalog.synthetic(events=20, size=64, variables=["vil"])
train, test = catalog.split(0.8)

nowcaster = Nowcaster("unet").fit(train, epochs=1, progress=False)
scores = nowcaster.evaluate(
    test, thresholds=[0.15, 0.4, 0.8, 1.6, 3.5], members=0, progress=False
)

plot.performance(
    scores, title=f"{int(scores.cases)} forecasts of synthetic storms", path=path
)
