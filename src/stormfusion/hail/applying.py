"""What was learned, applied to the bare numbers of a forecast."""

import numpy as np
from numpy.typing import NDArray

from stormfusion.hail.logistic import Calibration, Curves
from stormfusion.hail.neighborhood import Seen


class Applied:
    """
    Curves and a calibration as tables, quick for many fields.

    Parameters
    ----------
    curves, calibration
        What was learned.

    Examples
    --------
    >>> curves = Curves(-1.0, np.ones((3, 8)))
    >>> byte = np.array([[0, 255]], dtype=np.uint8)
    >>> applied = Applied(curves, Calibration(1.0, 1.0, 0.0))
    >>> applied.probability(Seen(byte, byte, byte, None)).round(3)
    array([[0.269, 1.   ]], dtype=float32)
    """

    def __init__(self, curves: Curves, calibration: Calibration) -> None:
        self.tables = curves.tables.astype(np.float32)
        self.tables[0] += np.float32(curves.intercept)
        self.calibration = calibration

    def probability(self, seen: Seen) -> NDArray[np.float32]:
        """The probability at each pixel, NaN where too little is known."""
        peak, core, mean = self.tables
        dry = self.calibration.probability(peak[:1] + core[:1] + mean[:1])
        found = np.full(seen.peak.shape, dry[0], dtype=np.float32)
        # what is dry all around is all alike
        wet = seen.peak > 0
        logit = np.take(peak, seen.peak[wet])
        logit += np.take(core, seen.core[wet])
        logit += np.take(mean, seen.mean[wet])
        found[wet] = self.calibration.probability(logit)
        if seen.enough is not None:
            found[~seen.enough] = np.nan
        return found
