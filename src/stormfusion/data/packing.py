"""How stored numbers become physical values."""

import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stormfusion.units import FILL, vil_from_bytes


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
    lowest, highest
        Physical values beyond them are missing: there is no such weather. Of floats a
        warning tells of those above that are no fill values.

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
    lowest: float | None = None
    highest: float | None = None

    @property
    def tabulated(self) -> bool:
        """Whether every stored number fits a table of at most 65,536 entries."""
        return np.dtype(self.dtype).kind in "iu" and np.dtype(self.dtype).itemsize <= 2

    def codes(self) -> NDArray[Any]:
        """Every number the stored dtype can hold, in order."""
        limits = np.iinfo(self.dtype)
        return np.arange(limits.min, limits.max + 1).astype(self.dtype)

    def decode(self, stored: NDArray[Any]) -> NDArray[np.float32]:
        """
        Physical values, NaN where missing.

        Of whole numbers, a value nearer to 0 than a millionth of `scale` is 0: a dry
        pixel stays dry where `scale * stored + offset` rounds.
        """
        if self.tabulated and stored.dtype == np.dtype(self.dtype):
            table = _table(self)
            return np.take(table, stored.view(f"uint{8 * stored.dtype.itemsize}"))
        return self._computed(stored)

    def _computed(self, stored: NDArray[Any]) -> NDArray[np.float32]:
        if self.vil:
            return np.asarray(vil_from_bytes(stored), dtype=np.float32)
        plain = (self.scale, self.offset) == (1.0, 0.0) and stored.dtype.kind == "f"
        if plain:
            values: NDArray[Any] = stored
        else:
            values = stored.astype(np.float64) * self.scale + self.offset
            if stored.dtype.kind in "iu":  # floats hold small values in earnest
                values[np.abs(values) < 1e-6 * abs(self.scale)] = 0.0
        with np.errstate(over="ignore", invalid="ignore"):
            found = values.astype(np.float32)
        found[~np.isfinite(found)] = np.nan
        for code in self.missing:
            found[stored == code] = np.nan
        if self.lowest is not None:
            found[found < self.lowest] = np.nan
        if self.highest is not None:
            beyond = found > self.highest
            # of whole numbers in a table there is a code for each, seen or not
            if not self.tabulated and (found[beyond] < FILL).any():
                warnings.warn(
                    f"there are values above {self.highest:g} of the variable's own "
                    "units, which no weather is, and they count as missing; check "
                    "attrs['units'], or mask them",
                    UserWarning,
                    stacklevel=2,
                )
            found[beyond] = np.nan
        return found


@lru_cache(maxsize=64)
def _table(packing: Packing) -> NDArray[np.float32]:
    """The physical value of every stored number, by its bits."""
    bits = np.dtype(packing.dtype).itemsize * 8
    codes = np.arange(2**bits).astype(f"uint{bits}").view(packing.dtype)
    table = packing._computed(codes)
    table.flags.writeable = False
    return table


VIL_BYTES = Packing("uint8", missing=(255,), vil=True)
FLOAT = Packing("float32")
