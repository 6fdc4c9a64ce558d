"""Stored numbers as physical values."""

import numpy as np
import pytest

from stormfusion.data.packing import FLOAT, VIL_BYTES, Packing


def test_decodes_by_hand():
    packing = Packing("int16", scale=0.01, offset=-5.0, missing=(-32768, 7))
    out = packing.decode(np.array([[0, 500], [7, -32768]], dtype="int16"))
    assert out.dtype == np.float32
    np.testing.assert_array_equal(out, [[-5.0, 0.0], [np.nan, np.nan]])


def test_vil():
    out = VIL_BYTES.decode(np.array([0, 5, 16, 133, 254, 255], dtype="uint8"))
    expected = [0.0, 0.0, 0.1544, 3.5332, 79.261, np.nan]
    np.testing.assert_allclose(out, expected, atol=1e-3)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16"])
def test_table_equals_arithmetic(dtype):
    packing = Packing(dtype, scale=0.3, offset=1.5, missing=(3.0,))
    codes = packing.codes()
    swapped = codes.astype(codes.dtype.newbyteorder(">"))
    plain = np.where(codes == 3, np.nan, codes * 0.3 + 1.5).astype("float32")
    np.testing.assert_array_equal(packing.decode(codes), plain)
    np.testing.assert_array_equal(packing.decode(codes[::-7]), plain[::-7])
    np.testing.assert_array_equal(packing.decode(swapped), plain)


def test_dry_is_exactly_0_where_the_offset_is_large():
    opera = Packing("int16", scale=0.02, offset=655.34, missing=(-32768,))
    assert opera.decode(np.array([-32767], dtype="int16")) == 0.0
    fine = Packing("int32", scale=0.1, offset=-1e6 / 10)
    assert fine.decode(np.array([10**6], dtype="int32")) == 0.0


def test_floats():
    stored = np.array([0.0, 1e-9, 3.0, np.inf, np.nan, -9999.9, 1e39])
    packing = Packing("float32", missing=(-9999.9,))
    out = packing.decode(stored)
    np.testing.assert_allclose(out[:3], [0.0, 1e-9, 3.0])
    assert np.isnan(out[[3, 4]]).all()
    assert np.isnan(packing.decode(stored[:6].astype("float32"))[5])
    assert np.isnan(out[6])
    assert FLOAT.decode(np.array([2.5], dtype="float32")) == 2.5


def test_decoding_leaves_what_it_reads():
    stored = np.array([np.inf, 1.0], dtype="float32")
    FLOAT.decode(stored)[1] = 9.0
    assert stored.tolist() == [np.inf, 1.0]


def test_small_values_of_floats_in_other_units_are_kept() -> None:
    # rain of 2 mm h-1 that a file holds as floats in m s-1
    stored = np.array([0.0, 2 / 3.6e6], dtype=np.float32)
    decoded = Packing("float32", scale=3.6e6).decode(stored)
    np.testing.assert_allclose(decoded, [0.0, 2.0], rtol=1e-5)


def test_what_is_too_much_for_weather_is_missing_and_told_of() -> None:
    packing = Packing("float32", lowest=-0.1, highest=5000.0)
    with pytest.warns(UserWarning, match=r"values above 5000 of the variable's own"):
        found = packing.decode(np.array([1.0, 6000.0, 1e20], dtype=np.float32))
    np.testing.assert_array_equal(found, [1.0, np.nan, np.nan])
    # nobody doubts that these are fill values
    fills = np.array([1.0, 1e20, 9.97e36, -9999.0, np.inf], dtype=np.float32)
    assert np.isnan(packing.decode(fills)[1:]).all()
