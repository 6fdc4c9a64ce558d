import contextlib
from dataclasses import FrozenInstanceError
from datetime import timedelta

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from stormfusion.hazards import HAIL, Hazard
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


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("rain >= 10 mm in 30 min", "rain >= 10 mm in 30 min"),
        ("rain >= 1 in in 30 min", "rain >= 25.4 mm in 30 min"),
        ("rain >= 1 inch in 1 hour", "rain >= 25.4 mm in 60 min"),
        ("rain>=10mm in 1800 s", "rain >= 10 mm in 30 min"),
        ("rain >= 10 mm in 90 s", "rain >= 10 mm in 90 s"),
        ("rain >= 10 mm in 0.5 h", "rain >= 10 mm in 30 min"),
        ("rain >= 10 mm in 1 day", "rain >= 10 mm in 1440 min"),
        ("vil >= 12 kg m-2 within 5 km", "vil >= 12 kg m-2 within 5 km"),
        ("vil >= 12 kg m-2 within 800 m", "vil >= 12 kg m-2 within 0.8 km"),
        ("vil >= 12 kg m-2 within 1 mile", "vil >= 12 kg m-2 within 1.609344 km"),
        ("rain >= 1 mm within 5 km in 30 min", "rain >= 1 mm in 30 min within 5 km"),
        ("rain >= 1 mm  in 30min  within 5km ", "rain >= 1 mm in 30 min within 5 km"),
        ("vis >= 0.4 1 in 30 min", "vis >= 0.4 1 in 30 min"),
        (
            "hail >= 1 inch in 1 h within 40 km",
            "hail >= 25.4 mm in 60 min within 40 km",
        ),
    ],
)
def test_reads_and_writes_windows_and_distances(text, canonical):
    hazard = Hazard.parse(text)
    assert str(hazard) == canonical
    assert Hazard.parse(canonical) == hazard


@pytest.mark.parametrize(
    "text",
    ["rain_rate >= 5 m/s", "rain_rate >= -5 mm/h", "vil >= 1e9 kg m-2", "hail >= 1 m"],
)
def test_thresholds_that_no_weather_reaches_are_refused(text):
    with pytest.raises(ValueError, match=r"has the threshold .*, wanted -0.1 to "):
        Hazard.parse(text)


WINDOWS = st.none() | st.timedeltas(
    min_value=timedelta(milliseconds=1), max_value=timedelta(days=90_000)
).map(lambda window: timedelta(seconds=round(window.total_seconds(), 3)))
DISTANCES = st.none() | st.floats(1e-3, 1e9)


@FEW
@given(
    st.sampled_from([*sorted(VARIABLES), HAIL]),
    st.floats(0, 1),
    WINDOWS,
    DISTANCES,
)
def test_round_trip(variable, share, window, distance):
    known = VARIABLES.get(variable, VARIABLES["mesh"])
    threshold = float(np.interp(share, [0, 1], [known.lowest, known.highest]))
    units = "mm" if variable == HAIL else VARIABLES[variable].units
    hazard = Hazard(variable, threshold, units, window, distance)
    assert hazard.threshold == threshold
    assert hazard.window == window
    if distance is not None:
        assert hazard.distance == pytest.approx(distance, rel=1e-8)
    assert Hazard.parse(str(hazard)) == hazard


WORDS = """rain vil hail >= >= 10 1 -3 0 nan 1e999 0.5 mm in in within over km min h s
m dBZ inch kg m-2 the next hour 30min 5km PT30M µm"""
PIECES = st.lists(st.sampled_from(WORDS.split()), max_size=10).map(" ".join)


@settings(max_examples=300, deadline=None)
@given(PIECES | PIECES.map("rain >= 10 mm {}".format))
def test_any_mix_of_words_is_read_or_refused(text):
    with contextlib.suppress(ValueError):
        hazard = Hazard.parse(text)
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
        ("vil <= 12 kg m-2", "nothing else is known"),
        ("vil ≤ 12 kg m-2", "an event is 'value >= threshold'"),
        (12, "hazard 12 cannot be read; write it like"),
        ("vil => 12 kg m-2", "compares with '=>'"),
        ("snow >= 1 inch", "unknown variable 'snow'.*known variables: vil.*hail"),
        ("VIL >= 12 kg m-2", "did you mean 'vil'"),
        ("", "write it like 'vil >= 12 kg m-2'"),
        ("thunder", "cannot be read"),
        ("vil >= kg m-2", "cannot be read"),
        ("vil >= nan kg m-2", "cannot be read"),
        ("vil >= 1e999 kg m-2", "finite"),
        ("vil >= 12 dBZ", "'dBZ' does not convert to 'kg m-2'"),
        ("vil >= 12 parrots", "unknown units 'parrots'"),
        ("rain >= 1 in 30 min", "has no units; write 'rain >= 1 inch in 30 min'"),
        ("vil >= 1 in 30 min", "has no units; write 'vil >= 1 kg m-2 in 30 min'"),
        ("rain >= 1 mm within 30 min", "'within' of a time; write 'in 30 min'"),
        ("rain >= 1 mm over 30 min", "'over' of a time; write 'in 30 min'"),
        ("rain >= 1 mm in 5 km", "'in' of a distance; write 'within 5 km'"),
        ("rain >= 1 mm in 30 m", "'in' of a distance; write 'within 30 m'"),
        ("rain >= 1 mm in 30 min in 1 h", "names two windows; name one"),
        ("rain >= 1 mm within 1 km within 2 km", "names two distances; name one"),
        ("vil >= 1 kg m-2 in the next hour", "'in the next hour'; write a number"),
        ("rain >= 1 mm in an hour", "'in an hour'; write a number and a unit"),
        ("rain >= 1 mm within a mile", "such as .*'within 5 km'"),
        ("rain >= 1 mm in 30 dBZ", "write a window as 'in 30 min' and a distance"),
        ("rain >= 1 mm in 0 min", "longer than zero"),
        ("rain >= 1 mm in -5 min", "longer than zero"),
        ("rain >= 1 mm in nan min", "unknown units 'mm in nan min'"),
        ("rain >= 1 mm in 1e999 min", "wanted a time such as '30 min'"),
        ("rain >= 1 mm in 1e99 h", "wanted a time such as '30 min'"),
        ("rain >= 1 mm within 0 km", "more than zero"),
        ("rain >= 1 mm within -1 km", "more than zero"),
        ("rain >= 1 mm in 30", "unknown units 'mm in 30'"),
        ("rain >= 1 mm within 5", "unknown units 'mm within 5'"),
    ],
)
def test_refusals_say_what_to_do(text, helpful):
    with pytest.raises(ValueError, match=helpful):
        Hazard.parse(text)


@pytest.mark.parametrize(
    ("window", "error"),
    [
        (30, TypeError),
        (True, TypeError),
        ("30", ValueError),
        ("half an hour", ValueError),
        ("5 km", ValueError),
        (timedelta(0), ValueError),
        (-timedelta(minutes=5), ValueError),
        (np.timedelta64("NaT"), ValueError),
    ],
)
def test_a_window_is_a_time(window, error):
    with pytest.raises(error, match=r"window is .*, wanted a time such as '30 min'"):
        Hazard("rain", 10, "mm", window=window)


@pytest.mark.parametrize(
    ("distance", "error"),
    [
        (True, TypeError),
        ([5], TypeError),
        ("5", ValueError),
        ("5 min", ValueError),
        (0, ValueError),
        (-1.0, ValueError),
        (np.nan, ValueError),
        (np.inf, ValueError),
    ],
)
def test_a_distance_is_a_length(distance, error):
    with pytest.raises(error, match=r"distance is .*, wanted a distance such as"):
        Hazard("rain", 10, "mm", distance=distance)


def test_windows_and_distances_are_given_in_many_ways():
    made = {
        Hazard("rain", 10, "mm", window=window, distance=distance)
        for window in (
            "30 min",
            "1800 s",
            timedelta(minutes=30),
            np.timedelta64(30, "m"),
        )
        for distance in ("5 km", 5000, np.float32(5000), "5000 m")
    }
    assert made == {Hazard.parse("rain >= 10 mm in 30 min within 5 km")}


@pytest.mark.parametrize("threshold", [np.nan, np.inf, -np.inf, "12", None])
def test_threshold_is_finite(threshold):
    with pytest.raises(ValueError, match="finite"):
        Hazard("vil", threshold, "kg m-2")


def test_threshold_is_finite_in_the_units_of_the_variable():
    with pytest.raises(ValueError, match="1e\\+308 km; give a finite number"):
        Hazard("rain", 1e308, "km")


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


def test_hail_is_what_mesh_expects():
    mesh = xr.DataArray([25.4, 10.0], dims="x", name="mesh", attrs={"units": "mm"})
    assert Hazard.parse("hail >= 1 inch").occurs(mesh).values.tolist() == [1, 0]
    with pytest.raises(ValueError, match="pass the variable 'hail'"):
        Hazard.parse("hail >= 1 inch").occurs(mesh.rename("vil"))


def test_a_float32_field_reaches_the_threshold_it_decodes_to():
    for byte in range(6, 255):
        vil = xr.DataArray(vil_from_bytes(np.array([byte])), dims="x")
        exact = (byte - 2) / 90.66 if byte <= 18 else np.exp((byte - 83.9) / 38.9)
        assert Hazard("vil", exact, "kg m-2").occurs(vil).item() == 1
