"""Codes of fields: how near their values are, and what is never confused."""

import base64
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from stormfusion.products.pages.packing import coarse, codes_of, pack, probability_codes

FIELDS = arrays(
    np.float32, array_shapes(min_dims=2, max_dims=2), elements=st.floats(0, 1, width=32)
)


@given(FIELDS)
def test_probabilities_are_within_half_a_percent(field) -> None:
    codes = probability_codes()
    found = codes.encode(field)
    off = np.abs(codes.table[found] - field)
    assert off.max() <= 0.005 + 1e-6
    assert ((found == 0) == (field == 0)).all()
    assert ((found == 200) == (field == 1)).all()


def test_shares_of_members_are_kept_as_they_are() -> None:
    codes = probability_codes()
    for members in (2, 4, 5, 8, 10, 20, 25, 40, 50, 100, 200):
        shares = (np.arange(members + 1) / members).astype(np.float32)
        np.testing.assert_allclose(codes.table[codes.encode(shares)], shares, atol=1e-7)


def test_rain_is_within_two_percent_from_its_least_class_on() -> None:
    rng = np.random.default_rng(0)
    field = np.exp(rng.normal(1, 2, (60, 60))).clip(0, 120).astype(np.float32)
    field[0, :5] = 0.0
    field[0, 5] = 1e-4
    codes = codes_of([field], floor=0.1)
    assert codes.note == "within 2 %"
    found = codes.encode(field)
    shown = field >= 0.1
    off = np.abs(codes.table[found] / np.where(shown, field, 1) - 1)[shown]
    assert off.max() < 0.02
    assert (found[0, :5] == 0).all()
    assert found[0, 5] == 1  # little is not nothing


def test_temperatures_are_evenly_spaced() -> None:
    field = np.linspace(-80, 20, 5000, dtype=np.float32).reshape(50, 100)
    codes = codes_of([field], floor=None)
    assert codes.note == "within 0.2"
    assert np.abs(codes.table[codes.encode(field)] - field).max() < 0.21


def test_a_field_without_data_is_no_hindrance() -> None:
    field = np.arange(400, dtype=np.float32).reshape(20, 20)
    codes = codes_of([np.full((20, 20), np.nan, np.float32), field], floor=1.0)
    assert codes.table[-1] == 399
    nothing = codes_of([np.full((2, 2), np.nan, np.float32)], floor=1.0)
    assert (
        nothing.encode(np.full((2, 2), np.nan, np.float32)).tolist() == [[255] * 2] * 2
    )


def test_a_value_that_is_hard_to_find_counts() -> None:
    field = np.zeros((300, 300), np.float32)
    field[171, 13] = 42.0
    codes = codes_of([np.zeros((3, 3), np.float32), field], floor=0.1)
    assert codes.table.tolist() == [0, 42]


@given(arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=9)))
def test_packed_codes_come_back(codes) -> None:
    text = pack(codes)
    data = zlib.decompress(base64.b64decode(text[1:]))
    found = np.frombuffer(data, dtype=np.uint8).reshape(codes.shape)
    if text[0] == "d":
        found = np.cumsum(found, axis=1, dtype=np.uint8)
    np.testing.assert_array_equal(found, codes)


def test_smooth_fields_are_told_as_differences() -> None:
    row, column = np.mgrid[:80, :80]
    codes = ((row * 7 + column * 3) % 256).astype(np.uint8)
    assert pack(codes)[0] == "d"


@pytest.mark.parametrize("least", [False, True])
@given(field=FIELDS, factor=st.integers(1, 4))
def test_blocks_keep_their_extreme(least, field, factor) -> None:
    field = field.copy()
    field.flat[::3] = np.nan
    found = coarse(field, factor, least=least)
    rows, columns = field.shape
    assert found.shape == (-(-rows // factor), -(-columns // factor))
    for (i, j), value in np.ndenumerate(found):
        block = field[i * factor : (i + 1) * factor, j * factor : (j + 1) * factor]
        known = block[~np.isnan(block)]
        extreme = (known.min() if least else known.max()) if known.size else np.nan
        np.testing.assert_equal(value, extreme)
