"""The network's numbers: one fixed, invertible scale per variable."""

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stormfusion.data.packing import Packing

Array = TypeVar("Array", NDArray[np.floating[Any]], Tensor)

# SEVIR's code below 19, where it is not yet exponential: straight between these.
_FIRST, _KNEE = 4 / 90.66, 16 / 90.66
_CURVE = float(np.exp((19 - 83.9) / 38.9))


class Scaling(Protocol):
    """
    A fixed map between physical values and network numbers.

    `normalize` takes physical values to numbers that are 0 where nothing falls and
    about 1 where the variable is extreme; `denormalize` takes them back. It is fixed
    for a variable: it never looks at an event, so it cannot leak its future. Missing
    stays missing (NaN), and no number is a negative zero.
    """

    def __hash__(self) -> int: ...

    def normalize(self, values: Array) -> Array:
        """Network numbers of physical values."""
        ...

    def denormalize(self, numbers: Array) -> Array:
        """Physical values of network numbers."""
        ...


@dataclass(frozen=True)
class VilCode:
    r"""
    SEVIR's VIL code divided by 255.

    The code $c$ is that of `units.vil_to_code`: $90.66 v + 2$ for $6 \le c \le 18$,
    $83.9 + 38.9 \ln v$ for $c \ge 19$, straight from 5 to 6 and from 18 to 19 where the
    bytes have steps; at most 254, which is 79.26 kg m-2. VIL below 0.022 kg m-2, nearer
    to SEVIR's byte for dry than to the first above it, is 0.

    Examples
    --------
    >>> number = VilCode().normalize(np.array([0.0, 12.1356], dtype=np.float32))
    >>> (number * 255).round(2)
    array([  0., 181.], dtype=float32)
    """

    def normalize(self, values: Array) -> Array:
        """Network numbers, 0 to 254/255, of VIL [kg m-2]."""
        xp = _namespace(values)
        first = 5.0 + values / _FIRST
        linear = 90.66 * values + 2.0
        second = 18.0 + (values - _KNEE) / (_CURVE - _KNEE)
        curved = 83.9 + 38.9 * xp.log(xp.clip(values, _CURVE, None))
        code = xp.where(values < _CURVE, second, xp.clip(curved, None, 254.0))
        code = xp.where(values < _KNEE, linear, code)
        code = xp.where(values < _FIRST, first, code)
        # the code steps from 0 to 5 at the faintest trace, which would be the most that
        # a network sees of it: what SEVIR's bytes cannot hold is dry
        dry = values < _FIRST / 2
        found: Array = xp.where(dry, xp.zeros_like(code), code) / 255.0
        return found

    def denormalize(self, numbers: Array) -> Array:
        """VIL [kg m-2] of network numbers; those beyond the code are clipped."""
        xp = _namespace(numbers)
        code = xp.clip(255.0 * numbers, 0.0, 254.0)
        values = xp.exp((xp.clip(code, 19.0, None) - 83.9) / 38.9)
        second = _KNEE + (code - 18.0) * (_CURVE - _KNEE)
        values = xp.where(code < 19.0, second, values)
        values = xp.where(code < 18.0, (code - 2.0) / 90.66, values)
        values = xp.where(code < 6.0, (code - 5.0) * _FIRST, values)
        found: Array = xp.where(code <= 5.0, xp.zeros_like(code), values)
        return found


@dataclass(frozen=True)
class Decibel:
    """
    Reflectivity: 0 at `low` dBZ and below, 1 at `high` dBZ.

    What is below `low` comes back as `low`.

    Examples
    --------
    >>> Decibel().normalize(np.array([-32.0, 25.0, 60.0]))
    array([0. , 0.5, 1. ])
    """

    low: float = -10.0
    high: float = 60.0

    def normalize(self, values: Array) -> Array:
        """Network numbers, from 0, of reflectivity [dBZ]."""
        numbers = (values - self.low) / (self.high - self.low)
        found: Array = _namespace(values).clip(numbers, 0.0, None) + 0.0
        return found

    def denormalize(self, numbers: Array) -> Array:
        """Reflectivity [dBZ] of network numbers, at least `low`."""
        xp = _namespace(numbers)
        found: Array = self.low + (self.high - self.low) * xp.clip(numbers, 0.0, None)
        return found


@dataclass(frozen=True)
class DecibelRain:
    """
    Rain rate on the scale of the reflectivity it belongs to, by $Z = a R^b$.

    A storm thus has the same numbers whether a radar archive holds its rain rate or
    its reflectivity. Rain below `low` dBZ (0.009 mm h-1) is 0.

    Examples
    --------
    >>> DecibelRain().normalize(np.array([0.0, 1.0, 100.0])).round(2)
    array([0.  , 0.47, 0.93])
    """

    a: float = 200.0
    b: float = 1.6
    low: float = -10.0
    high: float = 60.0

    def normalize(self, values: Array) -> Array:
        """Network numbers, from 0, of rain rate [mm h-1]."""
        xp = _namespace(values)
        power = xp.clip(self.a * xp.clip(values, 0.0, None) ** self.b, 1e-9, None)
        numbers = (10.0 * xp.log10(power) - self.low) / (self.high - self.low)
        found: Array = xp.clip(numbers, 0.0, None) + 0.0
        return found

    def denormalize(self, numbers: Array) -> Array:
        """Rain rate [mm h-1] of network numbers, 0 where they are 0 or less."""
        xp = _namespace(numbers)
        numbers = xp.clip(numbers, 0.0, 1.5)
        decibel = self.low + (self.high - self.low) * numbers
        values = (10.0 ** (decibel / 10.0) / self.a) ** (1.0 / self.b)
        found: Array = xp.where(numbers <= 0, xp.zeros_like(values), values)
        return found


@dataclass(frozen=True)
class Linear:
    """
    A straight line: 0 at `zero` and 1 at `one`, in physical values.

    Examples
    --------
    >>> Linear(zero=20.0, one=-80.0).normalize(np.array([20.0, -30.0]))
    array([0. , 0.5])
    """

    zero: float
    one: float

    def normalize(self, values: Array) -> Array:
        """Network numbers of physical values, of either sign."""
        found: Array = (values - self.zero) / (self.one - self.zero) + 0.0
        return found

    def denormalize(self, numbers: Array) -> Array:
        """Physical values of network numbers."""
        return self.zero + (self.one - self.zero) * numbers


@dataclass(frozen=True)
class Logarithm:
    r"""
    Counts and sizes from 0 up: $\ln(1 + v) / \ln(1 + \mathrm{one})$.

    Examples
    --------
    >>> Logarithm(100.0).normalize(np.array([0.0, 100.0]))
    array([0., 1.])
    """

    one: float

    def normalize(self, values: Array) -> Array:
        """Network numbers, from 0, of physical values."""
        xp = _namespace(values)
        scale = float(np.log1p(self.one))
        found: Array = xp.log1p(xp.clip(values, 0.0, None)) / scale + 0.0
        return found

    def denormalize(self, numbers: Array) -> Array:
        """Physical values, from 0, of network numbers."""
        xp = _namespace(numbers)
        scale = float(np.log1p(self.one))
        found: Array = xp.expm1(xp.clip(numbers, 0.0, None) * scale) + 0.0
        return found


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
"""The scaling of every variable of the house."""

_KINDS: dict[str, Any] = {
    kind.__name__: kind for kind in (VilCode, Decibel, DecibelRain, Linear, Logarithm)
}


def scaling_for(variable: str) -> Scaling:
    """
    The scaling of a variable, or a sentence that names those there are.

    Raises
    ------
    ValueError
        If there is none.

    Examples
    --------
    >>> scaling_for("reflectivity")
    Decibel(low=-10.0, high=60.0)
    """
    if variable not in SCALINGS:
        raise ValueError(
            f"variable {variable!r} has no scaling, wanted one of "
            f"{', '.join(SCALINGS)}; rename the variable, or add a scaling to "
            "stormfusion.data.SCALINGS"
        )
    return SCALINGS[variable]


def to_header(scaling: Scaling) -> dict[str, object]:
    """
    What a checkpoint holds of a scaling.

    Examples
    --------
    >>> to_header(Logarithm(100.0))
    {'kind': 'Logarithm', 'one': 100.0}
    """
    return {"kind": type(scaling).__name__, **asdict(scaling)}  # type: ignore[call-overload]  # every scaling is a dataclass


def from_header(header: dict[str, Any]) -> Scaling:
    """
    The scaling a checkpoint holds.

    Raises
    ------
    ValueError
        If this version has no scaling like it.

    Examples
    --------
    >>> from_header({"kind": "Logarithm", "one": 100.0})
    Logarithm(one=100.0)
    """
    values = dict(header)
    kind = values.pop("kind", None)
    try:
        scaling: Scaling = _KINDS[kind](**values)
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"got the scaling {header!r}, wanted one of {', '.join(_KINDS)} with its "
            "numbers; read it with the version that wrote it"
        ) from error
    return scaling


@lru_cache(maxsize=64)
def table(packing: Packing, scaling: Scaling) -> Tensor:
    """
    The network's number for every stored number, NaN where it means missing.

    The bytes of VIL are their own code: byte $b$ from 6 on is exactly $b / 255$.

    Examples
    --------
    >>> table(Packing("uint8", scale=0.5, offset=-32.0), Decibel())[114]
    tensor(0.5000)
    """
    codes = packing.codes()
    if packing.vil and isinstance(scaling, VilCode):
        exact = np.where(codes > 5, codes / 255.0, 0.0)
        exact[255] = np.nan
        return _lasting(exact.astype(np.float32))
    physical = packing.decode(codes).astype(np.float64)
    return _lasting(scaling.normalize(physical).astype(np.float32))


@lru_cache(maxsize=64)
def _physical_table(packing: Packing) -> Tensor:
    return _lasting(packing.decode(packing.codes()))


def numbers(stored: Tensor, packing: Packing, scaling: Scaling) -> Tensor:
    """
    Network numbers of stored ones, on their device; NaN where missing.

    Integers of up to 16 bits take one look-up in a table; nothing is converted on the
    host.

    Examples
    --------
    >>> numbers(torch.tensor([114, 255], dtype=torch.uint8),
    ...         Packing("uint8", scale=0.5, offset=-32.0, missing=(255,)), Decibel())
    tensor([0.5000,    nan])
    """
    if packing.tabulated:
        return _looked_up(table(packing, scaling), stored, packing)
    return scaling.normalize(physical(stored, packing))


def physical(stored: Tensor, packing: Packing) -> Tensor:
    """
    Physical values of stored numbers, on their device; NaN where missing.

    Examples
    --------
    >>> physical(torch.tensor([10, -1], dtype=torch.int16),
    ...          Packing("int16", scale=0.1, missing=(-1,)))
    tensor([1., nan])
    """
    if packing.tabulated:
        return _looked_up(_physical_table(packing), stored, packing)
    values = stored.float() * packing.scale + packing.offset
    values = torch.where(torch.isfinite(values), values, torch.nan)
    for code in packing.missing:
        values = torch.where(stored == code, torch.nan, values)
    if packing.lowest is not None:
        values = torch.where(values < packing.lowest, torch.nan, values)
    if packing.highest is not None:
        values = torch.where(values > packing.highest, torch.nan, values)
    return values


def _looked_up(codes: Tensor, stored: Tensor, packing: Packing) -> Tensor:
    lowest = int(np.iinfo(packing.dtype).min)
    return codes.to(stored.device)[stored.int() - lowest]


def _lasting(values: NDArray[np.float32]) -> Tensor:
    """A tensor that may be kept: made in inference mode, it could not be trained on."""
    with torch.inference_mode(mode=False):
        return torch.tensor(values)


def _namespace(values: Any) -> Any:
    return torch if isinstance(values, Tensor) else np
