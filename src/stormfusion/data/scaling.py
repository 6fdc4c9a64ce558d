"""The network's numbers: one fixed, invertible scale per variable."""

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stormfusion.data.packing import Packing

Array = TypeVar("Array", NDArray[np.floating], Tensor)


class Scaling(Protocol):
    """
    A fixed map between physical values and network numbers.

    `normalize` takes physical values to numbers that are 0 where nothing falls and
    about 1 where the variable is extreme; `denormalize` takes them back. It is fixed
    for a variable: it never looks at an event, so it cannot leak its future.
    """

    def normalize(self, values: Array) -> Array: ...
    def denormalize(self, numbers: Array) -> Array: ...


@dataclass(frozen=True)
class VilCode:
    r"""
    SEVIR's VIL code divided by 255.

    The code $X$ stands for $(X - 2)/90.66$ kg m-2 for $5 < X \le 18$, for
    $\exp((X - 83.9)/38.9)$ above, and for 0 below.

    Examples
    --------
    >>> number = VilCode().normalize(np.array([0.0, 12.1356], dtype=np.float32))
    >>> (number * 255).round(2)
    array([  0., 181.], dtype=float32)
    """

    def normalize(self, values: Array) -> Array:
        xp = _namespace(values)
        linear = 90.66 * values + 2.0
        curved = 83.9 + 38.9 * xp.log(xp.clip(values, 1e-3, None))
        code = xp.where(values <= 16 / 90.66, linear, xp.clip(curved, 18.0, 254.0))
        return xp.where(values > 0, code, 0.0 * xp.clip(values, 0.0, None)) / 255.0

    def denormalize(self, numbers: Array) -> Array:
        xp = _namespace(numbers)
        code = xp.clip(255.0 * numbers, 0.0, 254.0)
        curved = xp.exp((code - 83.9) / 38.9)
        values = xp.where(code <= 18.0, (code - 2.0) / 90.66, curved)
        return xp.where(code > 5.0, values, 0.0 * code)


@dataclass(frozen=True)
class Decibel:
    """Reflectivity: 0 at `low` dBZ and below, 1 at `high` dBZ."""

    low: float = -10.0
    high: float = 60.0

    def normalize(self, values: Array) -> Array:
        numbers = (values - self.low) / (self.high - self.low)
        return _namespace(values).clip(numbers, 0.0, None)

    def denormalize(self, numbers: Array) -> Array:
        xp = _namespace(numbers)
        return self.low + (self.high - self.low) * xp.clip(numbers, 0.0, None)


@dataclass(frozen=True)
class DecibelRain:
    """
    Rain rate on the scale of the reflectivity it belongs to, by $Z = a R^b$.

    A storm thus has the same numbers whether a radar archive holds its rain rate or
    its reflectivity. Rain below `low` dBZ (0.009 mm h-1) is 0.
    """

    a: float = 200.0
    b: float = 1.6
    low: float = -10.0
    high: float = 60.0

    def normalize(self, values: Array) -> Array:
        xp = _namespace(values)
        power = xp.clip(self.a * xp.clip(values, 0.0, None) ** self.b, 1e-9, None)
        numbers = (10.0 * xp.log10(power) - self.low) / (self.high - self.low)
        return xp.clip(numbers, 0.0, None)

    def denormalize(self, numbers: Array) -> Array:
        xp = _namespace(numbers)
        numbers = xp.clip(numbers, 0.0, 1.5)
        decibel = self.low + (self.high - self.low) * numbers
        values = (10.0 ** (decibel / 10.0) / self.a) ** (1.0 / self.b)
        return xp.where(numbers > 0, values, 0.0 * numbers)


@dataclass(frozen=True)
class Linear:
    """A straight line: 0 at `zero` and 1 at `one`, in physical values."""

    zero: float
    one: float

    def normalize(self, values: Array) -> Array:
        return (values - self.zero) / (self.one - self.zero)

    def denormalize(self, numbers: Array) -> Array:
        return self.zero + (self.one - self.zero) * numbers


@dataclass(frozen=True)
class Logarithm:
    """Counts and sizes from 0 up: $\\ln(1 + v) / \\ln(1 + one)$."""

    one: float

    def normalize(self, values: Array) -> Array:
        xp = _namespace(values)
        return xp.log1p(xp.clip(values, 0.0, None)) / float(np.log1p(self.one))

    def denormalize(self, numbers: Array) -> Array:
        xp = _namespace(numbers)
        return xp.expm1(xp.clip(numbers, 0.0, None) * float(np.log1p(self.one)))


SCALINGS: dict[str, Scaling] = {
    "vil": VilCode(),
    "reflectivity": Decibel(),
    "rain_rate": DecibelRain(),
    "rain": Logarithm(100.0),
    "mesh": Logarithm(100.0),
    "ir069": Linear(zero=-15.0, one=-75.0),
    "ir107": Linear(zero=20.0, one=-80.0),
    "vis": Linear(zero=0.0, one=1.0),
    "lightning": Logarithm(100.0),
}

_KINDS: dict[str, Any] = {
    kind.__name__: kind for kind in (VilCode, Decibel, DecibelRain, Linear, Logarithm)
}


def scaling_for(variable: str) -> Scaling:
    """The scaling of a variable, or a sentence that names those there are."""
    if variable not in SCALINGS:
        raise ValueError(
            f"variable {variable!r} has no scaling, wanted one of "
            f"{', '.join(SCALINGS)}; rename the variable, or add a scaling to "
            "stormfusion.data.SCALINGS"
        )
    return SCALINGS[variable]


def to_header(scaling: Scaling) -> dict[str, object]:
    """What a checkpoint holds of a scaling."""
    return {"kind": type(scaling).__name__, **asdict(scaling)}  # type: ignore[call-overload]  # every scaling is a dataclass


def from_header(header: dict[str, Any]) -> Scaling:
    """The scaling a checkpoint holds."""
    values = dict(header)
    scaling: Scaling = _KINDS[values.pop("kind")](**values)
    return scaling


@lru_cache(maxsize=64)
def table(packing: Packing, scaling: Scaling) -> Tensor:
    """The network's number for every stored number, NaN where it means missing."""
    physical = packing.decode(packing.codes()).astype(np.float64)
    return torch.from_numpy(scaling.normalize(physical).astype(np.float32))


def numbers(stored: Tensor, packing: Packing, scaling: Scaling) -> Tensor:
    """
    Network numbers of stored ones, on their device; NaN where missing.

    Integers of up to 16 bits take one look-up in a table; nothing is converted on the
    host.
    """
    if packing.tabulated:
        codes = table(packing, scaling).to(stored.device)
        lowest = int(np.iinfo(packing.dtype).min)
        return codes[stored.int() - lowest]
    values = stored.float() * packing.scale + packing.offset
    values = torch.where(torch.isfinite(values), values, torch.nan)
    for code in packing.missing:
        values = torch.where(stored == code, torch.nan, values)
    return scaling.normalize(values)


def _namespace(values: Any) -> Any:
    return torch if isinstance(values, Tensor) else np
