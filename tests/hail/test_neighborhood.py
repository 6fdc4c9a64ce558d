"""What is seen of a pixel: by hand, with missing data, and at the first frames."""

import numpy as np
import pytest

from stormfusion.data.scaling import scaling_for
from stormfusion.hail.neighborhood import Neighborhood, codes
from stormfusion.units import vil_from_bytes

KM = (1000.0, 1000.0)


def test_the_codes_of_vil_are_its_bytes():
    stored = np.arange(256, dtype=np.uint8)
    found = codes(vil_from_bytes(stored), "vil")
    np.testing.assert_array_equal(found[6:255], stored[6:255])
    assert (found[:6] == 0).all()
    assert found[255] == 0  # missing
    assert codes(np.array([np.inf, 1e3]), "vil").tolist() == [254, 254]


@pytest.mark.parametrize("variable", ["reflectivity", "rain_rate"])
def test_other_variables_have_even_codes_that_never_fall(variable):
    numbers = np.linspace(0.0, 1.5, 600)
    found = codes(scaling_for(variable).denormalize(numbers), variable)
    assert (np.diff(found.astype(int)) >= 0).all()
    assert found[0] == 0
    assert found[-1] == 255
    assert codes(np.array([-32.0, np.nan]), variable).tolist() == [0, 0]


def test_what_is_seen_by_hand():
    vil = np.zeros((3, 21, 21), dtype=np.float32)
    vil[0, 10, 10], vil[2, 10, 12] = vil_from_bytes(np.array([200, 100], dtype="uint8"))
    around = Neighborhood("vil", 4000.0, 2, KM)
    first, second, third = around.see(vil)
    assert first.peak[10, 10] == second.peak[10, 14] == 200
    assert second.peak[10, 15] == 0
    assert third.peak[10, 10] == 100  # the first frame has left the window
    # five pixels are the core, one of them 200
    assert around.core.size == 5
    assert first.core[10, 10] == 40
    # the disk has 49 pixels
    assert around.disk.size == 49
    assert first.mean[10, 10] == round(200 / 49)
    assert second.mean[10, 10] == round(200 / 49)


def test_one_window_is_the_last_of_its_frames():
    vil = np.random.default_rng(0).gamma(0.3, 20.0, (3, 16, 18)).astype(np.float32)
    vil[1, 3:9] = np.nan
    around = Neighborhood("vil", 3000.0, 3, KM)
    for one, other in zip(around.window(vil), list(around.see(vil))[-1], strict=True):
        np.testing.assert_array_equal(one, other)


def test_half_of_the_disk_and_window_must_be_known():
    vil = np.full((2, 31, 31), 30.0, dtype=np.float32)
    vil[:, :, :15] = np.nan
    around = Neighborhood("vil", 5000.0, 2, KM)
    seen = around.window(vil)
    assert seen.enough is not None
    known = seen.enough[15]
    assert known[15:26].all()
    # at column 14 the middle of the disk is missing, and with it more than half
    assert not known[:15].any()
    # known in one frame of two, the disk is half known everywhere
    vil = np.full((2, 31, 31), 30.0, dtype=np.float32)
    vil[0] = np.nan
    seen = around.window(vil)
    assert seen.enough is not None
    assert seen.enough[6:-6, 6:-6].all()
    assert not seen.enough[0].any()
    assert (seen.mean[6:-6, 6:-6] == seen.peak[6:-6, 6:-6]).all()


def test_missing_pixels_are_not_dry_in_a_mean():
    vil = np.full((1, 31, 31), 30.0, dtype=np.float32)
    vil[0, 12:15] = np.nan
    seen = Neighborhood("vil", 5000.0, 1, KM).window(vil)
    assert (seen.mean == seen.peak).all()
    assert (seen.core == seen.peak).all()


def test_beyond_the_map_nothing_is_known():
    seen = Neighborhood("vil", 5000.0, 1, KM).window(np.zeros((1, 31, 31)))
    assert seen.enough is not None
    assert not seen.enough[[0, 0, -1, -1], [0, -1, 0, -1]].any()
    assert seen.enough[0, 15]
    assert seen.enough[3:-3, 3:-3].all()
