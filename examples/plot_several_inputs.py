"""Radar, infrared and lightning, each on a grid of its own [km], make one forecast."""

import sys
from pathlib import Path

from matplotlib.figure import Figure

from stormfusion import Catalog, Nowcaster, plot

path = Path(sys.argv[1] if len(sys.argv) > 1 else "output/several_inputs.png")
path.parent.mkdir(parents=True, exist_ok=True)

inputs = ("vil", "ir107", "lightning")
train = Catalog.synthetic(events=16, size=64, variables=inputs)
storm = Catalog.synthetic(events=2, size=128, variables=inputs, seed=4)[1]
now = storm.time[12]

nowcaster = Nowcaster("unet", inputs=inputs).fit(train, epochs=1, progress=False)
forecast = nowcaster.predict(storm, reference_time=now).vil

figure = Figure(figsize=(13, 7), layout="constrained")
axes = figure.subplots(2, 3).ravel()
for ax, variable in zip(axes, inputs, strict=False):
    seen = storm[variable].sel(time=now)
    plot.field(seen, ax=ax, title=f"{variable}: {seen.sizes['y']} x {seen.sizes['x']}")
for ax, lead in zip(axes[3:], (2, 5, 11), strict=True):
    plot.field(forecast.isel(lead=lead), ax=ax)
for ax in axes:
    ax.set(xlabel="", ylabel="")
figure.savefig(path, bbox_inches="tight")
