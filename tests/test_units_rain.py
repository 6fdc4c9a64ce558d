"""Rain rate and reflectivity: the laws, their caps, and the way back."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from stormfusion.units import (
    ZR_LAWS,
    ZRLaw,
    rain_rate_to_reflectivity,
    reflectivity_to_rain_rate,
    vil_to_bytes,
    vil_to_code,
)

FEW = settings(max_examples=100, deadline=None)
BOTH = reflectivity_to_rain_rate, rain_rate_to_reflectivity


def test_marshall_palmer_by_hand():
    rate = reflectivity_to_rain_rate(np.array([53.0, 60.0]))
    np.testing.assert_allclose(rate, [74.9, 205.0], rtol=1e-3)
    rate = reflectivity_to_rain_rate(np.array([53.0]), a=300, b=1.4)
    np.testing.assert_allclose(rate, [103.8], rtol=1e-3)


def test_no_echo_is_no_rain():
    reflectivity = np.array([-np.inf, -32.0, -10.0, np.nan], np.float32)
    rate = reflectivity_to_rain_rate(reflectivity, dry=-10.0)
    np.testing.assert_array_equal(rate, [0, 0, 0, np.nan])
    assert reflectivity_to_rain_rate(reflectivity)[2] > 0
    rate = np.array([-1.0, 0.0, 1e-30, np.nan])
    back = rain_rate_to_reflectivity(rate)
    np.testing.assert_array_equal(back, [-32, -32, -32, np.nan])


@FEW
@given(st.floats(0.01, 300), st.floats(1, 500), st.floats(1, 2))
def test_rain_and_reflectivity_invert(rate, a, b):
    there = rain_rate_to_reflectivity(np.array([rate]), a=a, b=b, dry=-60)
    back = reflectivity_to_rain_rate(there, a=a, b=b, dry=-60)
    assert back[0] == pytest.approx(rate, rel=1e-9)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (np.inf, 1.6),
        (0, 1.6),
        (200, 0),
        (-1, 1.6),
        (200, -1),
        ("200", 1.6),
        (200, np.nan),
    ],
)
def test_power_law_must_be_positive(a, b):
    for function in (reflectivity_to_rain_rate, rain_rate_to_reflectivity):
        with pytest.raises(ValueError, match="a > 0 and b > 0"):
            function(np.array([1.0]), a=a, b=b)


# ------------------------------------------------------------------- laws by name


@pytest.mark.parametrize(
    ("law", "at_53", "at_60"),
    [
        ("marshall-palmer", 74.9, 205),
        ("wsr-88d", 103.8, 103.8),
        ("hko", 183.9, 517),
        ("dwd", 108.8, 338),
    ],
)
def test_the_laws_at_hail(law, at_53, at_60):
    rate = reflectivity_to_rain_rate(np.array([53.0, 60.0]), law=law)
    np.testing.assert_allclose(rate, [at_53, at_60], rtol=2e-3)


def test_without_its_cap_the_law_of_the_wsr_88d_goes_on():
    rate = reflectivity_to_rain_rate(np.array([53.0, 60.0]), a=300, b=1.4)
    np.testing.assert_allclose(rate, [103.8, 328], rtol=2e-3)


@pytest.mark.parametrize(
    ("law", "reflectivity", "pixels"),
    [
        ("hko", [12.98, 22.37, 28.58, 33.27, 40.72], [84, 118, 141, 158, 185]),
        ("dwd", [19.81, 28.36, 34.01, 38.28, 45.06], [109, 140, 160, 176, 201]),
    ],
)
def test_the_thresholds_of_hko_7_and_dwd(law, reflectivity, pixels):
    rate = np.array([0.5, 2, 5, 10, 30])
    found = rain_rate_to_reflectivity(rate, law=law)
    np.testing.assert_allclose(found, reflectivity, atol=0.005)
    np.testing.assert_array_equal(np.floor(255 * (found + 10) / 70 + 0.5), pixels)


def test_the_lowest_pixel_of_hko_7_is_no_rain():
    lowest = np.array([-10.0, -9.9], np.float32)
    rate = reflectivity_to_rain_rate(lowest, law="hko")
    assert rate[0] == 0
    assert rate[1] == pytest.approx(0.0171, abs=1e-4)
    assert reflectivity_to_rain_rate(lowest, law="hko", dry=-32)[0] == pytest.approx(
        0.0168, abs=1e-4
    )
    assert rain_rate_to_reflectivity(np.array([0.0]), law="hko")[0] == -10


def test_no_law_is_that_of_marshall_and_palmer():
    values = np.linspace(-40, 70, 56)
    for function in BOTH:
        np.testing.assert_array_equal(
            function(values), function(values, law="marshall-palmer")
        )
        np.testing.assert_array_equal(
            function(values, a=300), function(values, a=300, b=1.6)
        )


@pytest.mark.parametrize("law", ZR_LAWS)
@FEW
@given(share=st.floats(0.001, 1))
def test_each_law_inverts_between_dry_and_cap(law, share):
    z_r = ZR_LAWS[law]
    top = 60.0 if z_r.cap is None else z_r.cap
    z = np.array([z_r.dry + share * (top - z_r.dry)])
    rate = reflectivity_to_rain_rate(z, law=law)
    assert rate[0] > 0
    back = rain_rate_to_reflectivity(rate, law=law)
    assert back[0] == pytest.approx(z[0], abs=1e-9)


def test_what_is_above_the_cap_is_the_cap_both_ways():
    z = np.array([40.0, 49.0, 55.0, np.nan], np.float32)
    rate = reflectivity_to_rain_rate(z, law="dwd", cap=49)
    assert rate.dtype == np.float32
    assert rate[2] == rate[1] > rate[0]
    assert np.isnan(rate[3])
    back = rain_rate_to_reflectivity(
        np.array([10 * rate[1], np.inf, np.nan]), law="dwd", cap=49
    )
    np.testing.assert_array_equal(back, [49, 49, np.nan])


def test_a_law_of_your_own():
    tropical = ZRLaw(250, 1.2, cap=50)
    found = reflectivity_to_rain_rate(np.array([60.0]), law=tropical)
    expected = (10**5.0 / 250) ** (1 / 1.2)
    assert found[0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("function", BOTH)
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"law": "hko", "a": 200}, "wanted a law or its coefficients; leave one"),
        ({"law": "hko", "b": 1.6}, "wanted a law or its coefficients; leave one"),
        ({"law": "dvd"}, r"unknown law 'dvd'; did you mean 'dwd'\? \(known laws: mars"),
        ({"law": "DWD"}, "did you mean 'dwd'"),
        ({"law": ""}, "did you mean"),
        ({"cap": np.inf}, r"cap is inf, wanted a reflectivity \[dBZ\] such as 53.0"),
        ({"cap": np.nan}, "cap is nan, wanted a reflectivity"),
        ({"cap": "53"}, "cap is '53', wanted a reflectivity"),
        ({"law": "hko", "cap": -10}, "cap is -10 dBZ, wanted more than dry"),
        ({"dry": np.nan}, "dry is nan, wanted a reflectivity"),
    ],
)
def test_laws_that_are_none(function, options, said):
    with pytest.raises(ValueError, match=said):
        function(np.array([1.0]), **options)


def test_a_number_is_no_law():
    with pytest.raises(TypeError, match="law is 200, wanted a name such as 'dwd'"):
        reflectivity_to_rain_rate(np.array([1.0]), law=200)


def test_units_that_are_told_are_converted():
    rain = xr.DataArray([30 / 3.6e6], dims="x", attrs={"units": "m s-1"})
    found = rain_rate_to_reflectivity(rain)
    expected = rain_rate_to_reflectivity(np.array([30.0]))
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert found.attrs["units"] == "dBZ"
    np.testing.assert_array_equal(
        rain_rate_to_reflectivity(rain.drop_attrs() * 3.6e6), found
    )


@pytest.mark.parametrize(
    ("function", "units"),
    [
        (rain_rate_to_reflectivity, "dBZ"),
        (reflectivity_to_rain_rate, "mm/h"),
        (vil_to_bytes, "dBZ"),
        (vil_to_code, "K"),
    ],
)
def test_units_of_another_kind_are_refused(function, units):
    values = xr.DataArray([30.0], dims="x", attrs={"units": units})
    with pytest.raises(ValueError, match=f"'{units}' does not convert to"):
        function(values)
