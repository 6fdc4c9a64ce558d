"""Disks: the same as slow filters, on any spacing and shape."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from stormfusion.hail.disks import Disk, in_map


def stamp(distance, spacing):
    """The disk as a picture, by its definition."""
    rows, columns = (int(distance / s) for s in spacing)
    y, x = np.mgrid[-rows : rows + 1, -columns : columns + 1]
    return np.hypot(y * spacing[0], x * spacing[1]) <= distance


@pytest.mark.parametrize(
    ("distance", "spacing"),
    [
        (10e3, (1000.0, 1000.0)),
        (10e3, (1112.0, 700.0)),
        (10e3, (2000.0, 500.0)),
        (1000.0, (1000.0, 1000.0)),
        (5e3, (1000.0, 9000.0)),
        (20e3, (1000.0, 1000.0)),
    ],
)
@pytest.mark.parametrize("shape", [(31, 47), (6, 90), (64, 5)])
def test_a_disk_is_its_definition(distance, spacing, shape):
    disk, picture = Disk.within(distance, spacing), stamp(distance, spacing)
    field = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    assert disk.size == picture.sum()
    highest = ndimage.maximum_filter(field, footprint=picture, mode="constant")
    np.testing.assert_array_equal(disk.largest(field), highest)
    total = ndimage.convolve(field.astype(int), picture.astype(int), mode="constant")
    np.testing.assert_array_equal(disk.total(field), total)
    ones = np.ones(shape, dtype=int)
    inside = ndimage.convolve(ones, picture.astype(int), mode="constant")
    np.testing.assert_array_equal(in_map(disk, shape), inside)


def test_a_sum_of_the_largest_bytes_does_not_run_over():
    for distance in (9e3, 10e3):  # 16 bits hold the first only
        disk = Disk.within(distance, (1000.0, 1000.0))
        field = np.full((40, 300), 255, dtype=np.uint8)
        assert disk.total(field).max() == 255 * disk.size


@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_reversed_rows_and_columns_give_reversed_results(seed, radius):
    field = np.random.default_rng(seed).integers(0, 256, (9, 12)).astype(np.uint8)
    disk = Disk.within(radius * 1000.0, (1000.0, 1300.0))
    for work in (disk.largest, disk.total):
        np.testing.assert_array_equal(work(field[::-1]), work(field)[::-1])
        np.testing.assert_array_equal(work(field[:, ::-1]), work(field)[:, ::-1])
