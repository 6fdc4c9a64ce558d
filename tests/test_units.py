import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from stormfusion.units import (
    VARIABLES,
    conversion,
    convert,
    exceeds,
    rain_rate_to_reflectivity,
    reflectivity_to_rain_rate,
    vil_from_bytes,
    vil_from_code,
    vil_to_bytes,
    vil_to_code,
)

FEW = settings(max_examples=100, deadline=None)

BYTES = np.arange(256, dtype=np.uint8)


def decode_by_the_tutorial(byte):
    """SEVIR's own three branches, in double precision."""
    if byte <= 5:
        return 0.0
    if byte <= 18:
        return (byte - 2) / 90.66
    return np.exp((byte - 83.9) / 38.9)


def test_every_byte_decodes_as_sevir_says():
    vil = vil_from_bytes(BYTES)
    expected = np.array([decode_by_the_tutorial(b) for b in range(255)], np.float32)
    assert vil.dtype == np.float32
    np.testing.assert_array_equal(vil[:255], expected)
    assert np.isnan(vil[255])


@pytest.mark.parametrize(
    ("byte", "vil"),
    [
        (0, 0.0),
        (5, 0.0),
        (6, 0.0441),
        (16, 0.1544),
        (18, 0.1765),
        (19, 0.1886),
        (74, 0.7753),
        (133, 3.5332),
        (219, 32.2335),
        (254, 79.261),
    ],
)
def test_published_decodes(byte, vil):
    assert vil_from_bytes(np.array([byte]))[0] == pytest.approx(vil, abs=6e-4)


def test_bytes_survive_the_round_trip():
    back = vil_to_bytes(vil_from_bytes(BYTES))
    assert back.dtype == np.uint8
    np.testing.assert_array_equal(back[6:], BYTES[6:])
    np.testing.assert_array_equal(back[:6], 0)


def test_encoding_clips_and_keeps_missing():
    vil = np.array([-1.0, 500.0, np.inf, np.nan])
    np.testing.assert_array_equal(vil_to_bytes(vil), [0, 254, 254, 255])
    np.testing.assert_array_equal(vil_to_code(vil), [0, 254, 254, np.nan])
    code = np.array([-3.0, 300.0, np.nan])
    np.testing.assert_allclose(vil_from_code(code), [0, 79.26135, np.nan], rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_code_and_bytes_agree_on_whole_numbers(dtype):
    vil = vil_from_code(np.arange(255).astype(dtype))
    assert vil.dtype == dtype
    np.testing.assert_array_equal(vil.astype(np.float32), vil_from_bytes(BYTES[:255]))


@FEW
@given(st.floats(0, 79.26))
def test_code_inverts(vil):
    there = vil_to_code(np.array([vil]))
    assert vil_from_code(there)[0] == pytest.approx(vil, rel=1e-9, abs=1e-12)


def test_code_never_falls_and_never_jumps():
    vil = vil_from_code(np.linspace(0, 254, 100_001))
    steps = np.diff(vil)
    assert (steps >= 0).all()
    assert steps.max() < 0.006


def test_any_integer_type_holds_bytes():
    for dtype in (np.int16, np.int64, np.uint16):
        np.testing.assert_array_equal(
            vil_from_bytes(BYTES.astype(dtype)), vil_from_bytes(BYTES)
        )


@pytest.mark.parametrize("beyond", [-1, 256])
def test_numbers_beyond_bytes_are_refused(beyond):
    with pytest.raises(ValueError, match="0 to 255"):
        vil_from_bytes(np.array([3, beyond]))


def test_floating_point_bytes_are_refused():
    with pytest.raises(TypeError, match="vil_from_code"):
        vil_from_bytes(np.array([3.0]))


def test_labels_stay_and_names_are_set():
    stored = xr.DataArray(BYTES[:4], dims="x", coords={"x": [1, 2, 3, 4]}, name="vil")
    vil = vil_from_bytes(stored.assign_attrs(units="counts"))
    assert vil.name == "vil"
    assert vil.attrs["units"] == "kg m-2"
    xr.testing.assert_equal(vil.x, stored.x)
    assert "units" not in vil_to_bytes(vil).attrs
    assert isinstance(vil_from_bytes(stored.values), np.ndarray)


@pytest.mark.parametrize(
    ("units", "to", "expected"),
    [
        ("mm/h", "mm h-1", (1, 0)),
        ("mm hr^-1", "mm h-1", (1, 0)),
        ("m s-1", "mm h-1", (3.6e6, 0)),
        ("kg m-2 s-1", "mm h-1", (3600, 0)),
        ("kg m-2", "mm", (1, 0)),
        ("mm", "kg m**-2", (1, 0)),
        ("inch", "mm", (25.4, 0)),
        ("K", "degC", (1, -273.15)),
        ("celsius", "degC", (1, 0)),
        ("Celsius", "K", (1, 273.15)),
        ("dBZ", "dBz", (1, 0)),
        ("%", "1", (0.01, 0)),
        ("flashes", "count", (1, 0)),
        ("count", "1", (1, 0)),
    ],
)
def test_conversion(units, to, expected):
    assert conversion(units, to) == expected


def test_convert_keeps_type_and_says_the_units():
    warm = xr.DataArray(
        np.array([273.15, np.nan], np.float32),
        dims="x",
        attrs={"units": "K", "long_name": "temperature"},
    )
    cold = convert(warm, "K", "degC")
    assert cold.dtype == np.float32
    np.testing.assert_allclose(cold, [0, np.nan], atol=1e-4)
    assert cold.attrs == {"units": "degC", "long_name": "temperature"}
    assert warm.attrs["units"] == "K"
    assert convert(warm, "kelvin", "K").attrs["units"] == "K"


@pytest.mark.parametrize(("units", "to"), [("dBZ", "mm h-1"), ("mm", "mm h-1")])
def test_units_that_do_not_fit_are_both_named(units, to):
    with pytest.raises(ValueError, match=f"'{units}' does not convert to '{to}'"):
        conversion(units, to)


@pytest.mark.parametrize("units", ["parrots", "mm h^", "()", "1 2", "mm/5min"])
def test_unknown_units_say_how_to_write_them(units):
    with pytest.raises(ValueError, match="as in CF"):
        conversion(units, "mm")


def test_a_float32_field_reaches_its_own_threshold():
    for byte in range(6, 255):
        vil = vil_from_bytes(np.array([byte]))
        assert exceeds(vil, decode_by_the_tutorial(byte)).all(), byte
    # the trap: in double precision some of them fall short
    short = [vil_from_bytes(np.array([b])) < decode_by_the_tutorial(b) for b in BYTES]
    assert np.any(short)


def test_whole_numbers_are_compared_with_the_threshold_as_it_is():
    assert exceeds(np.array([0, 1], np.uint8), 0.5).tolist() == [False, True]
    assert exceeds(np.array([15, 16], np.uint8), 16).tolist() == [False, True]


def test_zero_is_a_threshold_and_missing_is_no_event():
    values = xr.DataArray([-1.0, 0.0, np.nan], dims="x")
    assert exceeds(values, 0.0).values.tolist() == [False, True, False]


def test_many_thresholds_broadcast():
    values = xr.DataArray([1.0, 2.0], dims="x")
    threshold = xr.DataArray([1.0, 2.0, 3.0], dims="threshold")
    assert exceeds(values, threshold).sum("x").values.tolist() == [2, 1, 0]


@pytest.mark.parametrize("name", VARIABLES)
def test_every_variable_has_units_that_can_be_read(name):
    assert conversion(VARIABLES[name].units, VARIABLES[name].units) == (1, 0)
    assert VARIABLES[name].long_name


CALLS = {
    "vil_from_code": vil_from_code,
    "vil_to_code": vil_to_code,
    "vil_from_bytes": vil_from_bytes,
    "vil_to_bytes": vil_to_bytes,
    "reflectivity_to_rain_rate": reflectivity_to_rain_rate,
    "rain_rate_to_reflectivity": rain_rate_to_reflectivity,
    "exceeds": lambda values: exceeds(values, 20),
    "convert": lambda values: convert(values, "inch", "mm"),
}

FIELD = xr.Dataset({"vil": ("x", [1.0])})


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_lists_and_numbers_are_taken_as_arrays(call):
    expected = call(np.array([20, 30]))
    for values in ([20, 30], (20, 30)):
        np.testing.assert_array_equal(call(values), expected)
    assert call(20) == expected[0]


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("values", ["x", None, ["a"], FIELD, np.array([None])])
def test_what_are_no_numbers(call, values):
    with pytest.raises(
        TypeError, match=r"got \w+ of .*, wanted numbers; pass an array"
    ):
        call(values)
