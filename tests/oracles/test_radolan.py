"""RADOLAN files and grids as wradlib reads them."""

import warnings

import numpy as np
import pytest
from tests.data.frame_layouts import START, name, write_radolan

from stormfusion import Catalog
from stormfusion.data.radolan import Composite

MISSING = -9999.0
CASES = [
    ("RX", (900, 900), {"power": "E+00"}),
    ("RY", (900, 900), {}),
    ("YW", (1100, 900), {"interval": "   5U0"}),
    ("RW", (900, 900), {"interval": "  60", "power": "E-01"}),
    ("EY", (1500, 1400), {}),
    ("RV", (1200, 1100), {"version": 5, "lead": 0}),
    ("RV", (1200, 1100), {"version": 3, "lead": 0}),
]
EACH = pytest.mark.parametrize(("product", "shape", "told"), CASES)


@pytest.fixture(scope="module")
def wradlib():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("wradlib", reason="wradlib is not installed")


def random(product, shape):
    rng = np.random.default_rng(0)
    if product == "RX":
        return rng.integers(0, 251, shape, dtype="u1")
    values = rng.integers(0, 2500, shape).astype("<u2")
    flag = rng.choice([0, 0x1000, 0x2000, 0x8000], shape, p=[0.7, 0.1, 0.1, 0.1])
    return np.where(flag == 0x2000, 0x2000 | 2500, values | flag).astype("<u2")


@EACH
def test_values_are_those_of_wradlib(wradlib, tmp_path, product, shape, told):
    path = tmp_path / name(product, START, ".gz")
    write_radolan(path, random(product, shape), product, START, **told)
    theirs, told = wradlib.io.read_radolan_composite(str(path), missing=MISSING)
    theirs = np.where(theirs == MISSING, np.nan, theirs)
    theirs.flat[told["cluttermask"]] = np.nan  # which wradlib leaves to its user
    event = Catalog.open(path)[0]
    assert event.time[0] == np.datetime64(told["datetime"].replace(tzinfo=None), "ns")
    variable = event.variables[0]
    if variable == "reflectivity":
        theirs = theirs / 2 - 32.5
    elif variable == "rain_rate":
        theirs = theirs * 3600 / told["intervalseconds"]
    assert np.isnan(theirs).mean() < 0.25
    np.testing.assert_allclose(event[variable][0], theirs, rtol=1e-6)


@EACH
def test_pixels_lie_where_wradlib_puts_them(wradlib, product, shape, told):
    version = told.get("version", 3)
    model = "wgs84" if version >= 5 else "sphere"
    crs = wradlib.georef.create_crs(f"dwd-radolan-{model}")
    kilometre = crs.axis_info[0].unit_conversion_factor
    x, y = wradlib.georef.get_radolan_coordinates(*shape, crs=crs, mode="center")
    grid = Composite(product, shape, version, 0.01, 5).grid()
    np.testing.assert_allclose(grid.x, x * kilometre, atol=1e-3)
    np.testing.assert_allclose(grid.y, y * kilometre, atol=1e-3)
