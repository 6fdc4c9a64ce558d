"""Two forecasts of equal squared error: to the perceptual distance one is nearer."""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import gaussian_filter

from stormfusion import Catalog, plot
from stormfusion.data import SCALINGS
from stormfusion.verification import perceptual_distance

path = Path(sys.argv[1] if len(sys.argv) > 1 else "output/sharpness.png")
path.parent.mkdir(parents=True, exist_ok=True)

event = Catalog.synthetic(events=1, size=128, variables=["vil"], seed=3)[0]
observed = event["vil"].isel(time=20).load()
number = SCALINGS["vil"].normalize(
    observed.values
)  # squared errors as a loss sees them

displaced = np.roll(number, 3, axis=1)  # by three pixels, which are 3 km
widths = np.arange(0.2, 12, 0.05)
smooth = [gaussian_filter(number, width) for width in widths]
errors = [np.square(field - number).mean() for field in smooth]
wanted = np.square(displaced - number).mean()
blurred = smooth[int(np.argmin(np.abs(errors - wanted)))]

figure, axes = plt.subplots(1, 3, figsize=(13, 5), layout="constrained")
plot.field(observed, ax=axes[0], title="observed", colorbar=False)
for ax, name, field in zip(
    axes[1:], ("displaced by 3 km", "blurred"), (displaced, blurred), strict=True
):
    forecast = observed.copy(data=SCALINGS["vil"].denormalize(field))
    error = np.square(field - number).mean()
    distance = perceptual_distance(forecast, observed).item()
    title = f"{name}\nsquared error {error:.4f}\nperceptual distance {distance:.3f}"
    plot.field(forecast, ax=ax, title=title, colorbar=False)
figure.savefig(path, dpi=110)
