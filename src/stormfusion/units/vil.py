"""SEVIR's numbers for vertically integrated liquid, and what they stand for."""

import numpy as np

from stormfusion.units.arrays import Array, Bare, apply, numbers
from stormfusion.units.converting import in_units

# SEVIR's code below 19, where it is not yet exponential: straight between these.
_CODES = np.array([0.0, 5.0, 6.0, 18.0, 19.0])
_VILS = np.array([0.0, 0.0, 4 / 90.66, 16 / 90.66, np.exp((19 - 83.9) / 38.9)])


def vil_from_code(code: Array) -> Array:
    r"""
    Decode SEVIR's number for vertically integrated liquid, between bytes too.

    $$V = \begin{cases} 0 & c \le 5 \\ (c - 2) / 90.66 & 6 \le c \le 18 \\
    \exp((c - 83.9) / 38.9) & 19 \le c \le 254 \end{cases}$$

    with straight lines from 5 to 6 and from 18 to 19, where the bytes have steps: it
    is continuous, never falls, and equals `vil_from_bytes` on whole numbers.

    Parameters
    ----------
    code
        SEVIR's code, 0 to 254; numbers beyond are clipped. Missing stays missing.

    Returns
    -------
    DataArray or ndarray
        VIL [kg m-2], in the floating-point type of `code`.

    Examples
    --------
    >>> vil_from_code(np.array([0.0, 18.0, 133.0, 254.0])).round(2)
    array([ 0.  ,  0.18,  3.53, 79.26])
    """

    def decode(c: Bare) -> Bare:
        c = np.minimum(c.astype(np.float64), 254.0)
        low = np.interp(c, _CODES, _VILS)
        return np.where(c < 19, low, np.exp((c - 83.9) / 38.9))

    return apply(decode, code, "vil")


def vil_to_code(vil: Array) -> Array:
    """
    Encode VIL as SEVIR's number before rounding, so that `vil_from_code` inverts it.

    Parameters
    ----------
    vil
        VIL [kg m-2], clipped to the code; a DataArray whose `units` are others is
        converted. Missing stays missing.

    Returns
    -------
    DataArray or ndarray
        SEVIR's code, 0 where dry and 5 to 254 elsewhere, in the type of `vil`.

    Examples
    --------
    >>> vil_to_code(np.array([0.0, 0.1765, 3.5332, 100.0])).round(1)
    array([  0.,  18., 133., 254.])
    """

    def encode(v: Bare) -> Bare:
        v = v.astype(np.float64)
        low = np.where(v <= 0, 0.0, np.interp(v, _VILS[1:], _CODES[1:]))
        high = 83.9 + 38.9 * np.log(np.maximum(v, _VILS[-1]))
        return np.where(v < _VILS[-1], low, np.minimum(high, 254.0))

    return apply(encode, in_units(vil, "kg m-2"))


def vil_from_bytes(bytes: Array) -> Array:
    """
    Decode the bytes in which SEVIR stores vertically integrated liquid.

    Parameters
    ----------
    bytes
        Whole numbers, 0 to 255, of any integer type; 255 is SEVIR's missing.

    Returns
    -------
    DataArray or ndarray
        VIL [kg m-2] as float32, NaN where missing.

    Examples
    --------
    >>> vil_from_bytes(np.array([0, 5, 16, 133, 255], dtype=np.uint8)).round(4)
    array([0.    , 0.    , 0.1544, 3.5332,    nan], dtype=float32)
    """
    bytes = numbers(bytes)
    if not np.issubdtype(bytes.dtype, np.integer):
        raise TypeError(
            f"got bytes of type {bytes.dtype}, not whole numbers; use vil_from_code"
        )
    table = vil_from_code(np.append(np.arange(255.0), np.nan)).astype(np.float32)

    def decode(b: Bare) -> Bare:
        if b.size and (b.min() < 0 or b.max() > 255):
            found = f"{b.min()} to {b.max()}"
            raise ValueError(f"got bytes {found}; SEVIR's own lie in 0 to 255")
        return np.take(table, b)

    return apply(decode, bytes, "vil", np.float32)


def vil_to_bytes(vil: Array) -> Array:
    """
    Encode vertically integrated liquid as SEVIR stores it.

    The inverse of `vil_from_bytes`, but for bytes 1 to 5, which mean 0 and become 0.

    Parameters
    ----------
    vil
        VIL [kg m-2]; a DataArray whose `units` are others is converted. More than
        79.26 becomes 254, missing becomes 255.

    Returns
    -------
    DataArray or ndarray
        The nearest code as uint8.

    Examples
    --------
    >>> vil_to_bytes(np.array([0.0, 3.5, 500.0, np.nan]))
    array([  0, 133, 254, 255], dtype=uint8)
    """

    def encode(v: Bare) -> Bare:
        code = np.rint(vil_to_code(v))
        return np.where(np.isnan(code), 255.0, np.where(code < 6, 0.0, code))

    return apply(encode, in_units(vil, "kg m-2"), dtype=np.uint8)
