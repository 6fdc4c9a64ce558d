import contextlib
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from stormfusion.hazards import Hazard
from stormfusion.units import VARIABLES, vil_from_bytes

FEW = settings(max_examples=100, deadline=None)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("vil >= 12 kg m-2", "vil >= 12 kg m-2"),
        ("  vil>=12kg/m^2 ", "vil >= 12 kg m-2"),
        ("vil ≥ 12 kg m-2", "vil >= 12 kg m-2"),
        ("vil >= 1.2e1 mm", "vil >= 12 kg m-2"),
        ("reflectivity >= 35 dBZ", "reflectivity >= 35 dBZ"),
        ("rain_rate >= 1 inch h-1", "rain_rate >= 25.4 mm h-1"),
        ("rain_rate >= 1e-3 kg m-2 s-1", "rain_rate >= 3.6 mm h-1"),
        ("rain >= 1 in", "rain >= 25.4 mm"),
        ("mesh >= 2.54 cm", "mesh >= 25.4 mm"),
        ("ir107 >= 250 K", "ir107 >= -23.15 degC"),
        ("vis >= 40 %", "vis >= 0.4 1"),
        ("lightning >= 2 flashes", "lightning >= 2 count"),
        ("ir069 >= -0 degC", "ir069 >= 0 degC"),
    ],
)
def test_reads_and_writes(text, canonical):
    hazard = Hazard.parse(text)
    assert str(hazard) == canonical
    assert Hazard.parse(str(hazard)) == hazard


@FEW
@given(
    st.sampled_from(sorted(VARIABLES)),
    st.floats(allow_nan=False, allow_infinity=False),
)
def test_round_trip(variable, threshold):
    hazard = Hazard(variable, threshold, VARIABLES[variable].units)
    assert hazard.threshold == threshold
    assert Hazard.parse(str(hazard)) == hazard


@FEW
@given(st.text())
def test_any_text_is_read_or_refused(text):
    with contextlib.suppress(ValueError):
        hazard = Hazard.parse(text)
        assert Hazard.parse(str(hazard)) == hazard


@pytest.mark.parametrize(
    ("text", "helpful"),
    [
        ("vil >= 12", "has no units; write 'vil >= 12 kg m-2'"),
        ("vil > 12 kg m-2", "compares with '>'"),
        ("ir107 < -40 degC", "compares with '<'"),
        ("vil <= 12 kg m-2", "nothing else is available yet"),
        ("vil ≤ 12 kg m-2", "an event is 'value >= threshold'"),
        (12, "hazard 12 cannot be read; write it like"),
        ("vil => 12 kg m-2", "compares with '=>'"),
        ("hail >= 1 inch", "unknown variable 'hail'.*known variables: vil"),
        ("VIL >= 12 kg m-2", "did you mean 'vil'"),
        ("", "write it like 'vil >= 12 kg m-2'"),
        ("thunder", "cannot be read"),
        ("vil >= kg m-2", "cannot be read"),
        ("vil >= nan kg m-2", "cannot be read"),
        ("vil >= 1e999 kg m-2", "finite"),
        ("vil >= 12 dBZ", "'dBZ' does not convert to 'kg m-2'"),
        ("vil >= 12 parrots", "unknown units 'parrots'"),
        ("rain >= 10 mm in 30 min", "available yet.*such as 'rain >= 10 mm'"),
        ("rain >= 1 in in 30 min", "such as 'rain >= 1 in'"),
        ("rain >= 1 in 30 min", "available yet"),
        ("vil >= 12 kg m-2 within 5 km", "neighbourhood.*'vil >= 12 kg m-2'"),
        ("vil >= 12 kg m-2 in the next hour", "time window"),
    ],
)
def test_refusals_say_what_to_do(text, helpful):
    with pytest.raises(ValueError, match=helpful):
        Hazard.parse(text)


@pytest.mark.parametrize("threshold", [np.nan, np.inf, -np.inf, "12", None])
def test_threshold_is_finite(threshold):
    with pytest.raises(ValueError, match="finite"):
        Hazard("vil", threshold, "kg m-2")


def test_hazards_are_values():
    hazard = Hazard("rain", 1, "inch")
    assert hazard == Hazard("rain", 25.4, "mm")
    assert len({hazard, Hazard("rain", 25.4, "kg m-2")}) == 1
    with pytest.raises(FrozenInstanceError):
        hazard.threshold = 3.0


def test_occurs():
    vil = xr.DataArray(
        [[0.0, 12.0], [np.nan, 11.9]],
        dims=("y", "x"),
        coords={"x": [0.0, 1.0]},
        name="vil",
        attrs={"units": "kg m-2", "long_name": "vil"},
    )
    occurrence = Hazard.parse("vil >= 12 kg m-2").occurs(vil)
    np.testing.assert_array_equal(occurrence, [[0, 1], [np.nan, 0]])
    assert occurrence.dims == vil.dims
    assert occurrence.name is None
    assert occurrence.attrs == {
        "units": "1",
        "long_name": "occurrence of vil >= 12 kg m-2",
    }
    xr.testing.assert_equal(occurrence.x, vil.x)


@pytest.mark.parametrize("values", [np.ones(2), [1.0], xr.Dataset()])
def test_occurs_in_labelled_values_only(values):
    with pytest.raises(TypeError, match=r"wanted a DataArray of 'vil'; pass one"):
        Hazard("vil", 12, "kg m-2").occurs(values)


@pytest.mark.parametrize("variable", [3, ["vil"]])
def test_a_variable_that_is_no_name(variable):
    with pytest.raises(ValueError, match=r"unknown variable .* in a hazard"):
        Hazard(variable, 12, "kg m-2")


def test_occurs_in_the_units_of_the_values():
    kelvin = xr.DataArray([250.0, 260.0], dims="x", attrs={"units": "K"})
    occurrence = Hazard.parse("ir107 >= -20 degC").occurs(kelvin)
    assert occurrence.values.tolist() == [0, 1]
    with pytest.raises(ValueError, match="'degC' does not convert to 'dBZ'"):
        Hazard.parse("ir107 >= -20 degC").occurs(kelvin.assign_attrs(units="dBZ"))


def test_occurs_for_its_own_variable_only():
    rain = xr.DataArray([1.0], dims="x", name="rain")
    with pytest.raises(ValueError, match="pass the variable 'vil'"):
        Hazard.parse("vil >= 1 kg m-2").occurs(rain)


def test_a_float32_field_reaches_the_threshold_it_decodes_to():
    for byte in range(6, 255):
        vil = xr.DataArray(vil_from_bytes(np.array([byte])), dims="x")
        exact = (byte - 2) / 90.66 if byte <= 18 else np.exp((byte - 83.9) / 38.9)
        assert Hazard("vil", exact, "kg m-2").occurs(vil).item() == 1
