"""How stored numbers become physical values."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stormfusion.units import vil_from_bytes


@dataclass(frozen=True)
class Packing:
    """
    The code between the numbers in a file and physical values.

    Parameters
    ----------
    dtype
        Name of the stored dtype, such as `"uint8"`.
    scale, offset
        Physical value is `scale * stored + offset`, in the variable's own units.
    missing
        Stored numbers that mean "not observed"; NaN and infinity always do.
    vil
        Whether the numbers are SEVIR's VIL bytes, whose code is not linear.

    Examples
    --------
    >>> Packing("uint8", scale=0.5, offset=-32.0, missing=(255,)).decode(
    ...     np.array([0, 100, 255], dtype=np.uint8)
    ... )
    array([-32.,  18.,  nan], dtype=float32)
    """

    dtype: str
    scale: float = 1.0
    offset: float = 0.0
    missing: tuple[float, ...] = ()
    vil: bool = False

    @property
    def tabulated(self) -> bool:
        """Whether every stored number fits a table of at most 65,536 entries."""
        return np.dtype(self.dtype).kind in "iu" and np.dtype(self.dtype).itemsize <= 2

    def codes(self) -> NDArray:
        """Every number the stored dtype can hold, in order."""
        limits = np.iinfo(self.dtype)
        return np.arange(limits.min, limits.max + 1).astype(self.dtype)

    def decode(self, stored: NDArray) -> NDArray[np.float32]:
        """Physical values, NaN where missing."""
        if self.vil:
            return np.asarray(vil_from_bytes(stored), dtype=np.float32)
        values = stored.astype(np.float64) * self.scale + self.offset
        values = np.where(np.isfinite(values), values, np.nan)
        for code in self.missing:
            values = np.where(stored == code, np.nan, values)
        return values.astype(np.float32)


VIL_BYTES = Packing("uint8", missing=(255,), vil=True)
FLOAT = Packing("float32")
