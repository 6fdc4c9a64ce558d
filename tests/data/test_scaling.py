"""Scalings: invertible, the same in numpy and torch, dry at 0."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stormfusion import units
from stormfusion.data.packing import VIL_BYTES, Packing
from stormfusion.data.scaling import (
    SCALINGS,
    VilCode,
    from_header,
    numbers,
    physical,
    scaling_for,
    table,
    to_header,
)

RANGES = {
    "vil": (0.0, 79.26),
    "reflectivity": (-10.0, 80.0),
    "rain_rate": (0.01, 300.0),
    "rain": (0.0, 500.0),
    "mesh": (0.0, 120.0),
    "ir069": (-90.0, 10.0),
    "ir107": (-95.0, 50.0),
    "vis": (0.0, 1.3),
    "lightning": (0.0, 5000.0),
}
FAINTEST = 2.0 / 90.66
"""VIL that is not dry [kg m-2], the middle of bytes 5 and 6."""
DRY = {"vil": 0.0, "reflectivity": -32.0, "rain_rate": 0.0, "rain": 0.0, "mesh": 0.0}
DRY |= {"lightning": 0.0}
VARIABLES = sorted(SCALINGS)


def test_every_variable_of_the_house_has_a_scaling():
    assert set(SCALINGS) == set(units.VARIABLES) == set(RANGES)


@pytest.mark.parametrize("variable", VARIABLES)
@given(share=st.floats(0.0, 1.0))
def test_inverts(variable, share):
    low, high = RANGES[variable]
    low = FAINTEST if variable == "vil" else low
    value = np.array([low + share * (high - low)])
    scaling = scaling_for(variable)
    back = scaling.denormalize(scaling.normalize(value))
    np.testing.assert_allclose(back, value, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("variable", VARIABLES)
def test_numpy_equals_torch(variable):
    low, high = RANGES[variable]
    values = np.linspace(low - 20.0, high + 20.0, 4001).astype("float32")
    values[7] = np.nan
    scaling = scaling_for(variable)
    ours = scaling.normalize(values)
    theirs = scaling.normalize(torch.from_numpy(values))
    assert ours.dtype == np.float32
    assert theirs.dtype == torch.float32
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        scaling.denormalize(ours),
        scaling.denormalize(torch.from_numpy(ours)).numpy(),
        rtol=1e-4,
        atol=1e-5,
    )


@pytest.mark.parametrize("variable", VARIABLES)
def test_monotone(variable):
    low, high = RANGES[variable]
    scaling = scaling_for(variable)
    values = np.linspace(low, high, 5001)
    steps = np.diff(scaling.normalize(values))
    assert (steps > 0).all() or (steps < 0).all() or variable == "vil"
    vil = np.linspace(FAINTEST, 79.0, 9001)
    assert (np.diff(VilCode().normalize(vil)) > 0).all()
    back = np.diff(scaling.denormalize(np.linspace(-0.2, 1.4, 5001)))
    assert (back >= 0).all() or (back <= 0).all()


@pytest.mark.parametrize("variable", VARIABLES)
def test_missing_stays_missing_and_infinity_does_not_appear(variable):
    scaling = scaling_for(variable)
    for make in (np.asarray, torch.tensor):
        nan = make([np.nan])
        assert np.isnan(np.asarray(scaling.normalize(nan))).all()
        assert np.isnan(np.asarray(scaling.denormalize(nan))).all()


@pytest.mark.parametrize("variable", sorted(DRY))
def test_dry_is_0(variable):
    scaling = scaling_for(variable)
    assert scaling.normalize(np.array([DRY[variable]])) == 0.0
    if variable != "reflectivity":
        assert scaling.denormalize(np.array([0.0])) == 0.0


@pytest.mark.parametrize("variable", VARIABLES)
def test_no_negative_zero(variable):
    scaling = scaling_for(variable)
    values = np.array([0.0, -0.0, -1e-9, *RANGES[variable], -15.0, 20.0, -10.0, -32.0])
    for make in (np.asarray, torch.tensor):
        out = np.asarray(scaling.normalize(make(values)))
        assert not np.signbit(out[out == 0]).any()


@pytest.mark.parametrize("make", [np.asarray, torch.tensor])
def test_traces_of_vil_are_dry_as_in_bytes(make):
    vil = np.array([1e-12, 1e-4, 0.01, 0.999 * FAINTEST, FAINTEST])
    code = np.asarray(VilCode().normalize(make(vil))) * 255
    np.testing.assert_allclose(code, [0, 0, 0, 0, 5.5])
    assert (units.vil_to_bytes(vil[:4]) == 0).all()


@given(st.floats(FAINTEST, 79.26))
def test_vil_code_is_that_of_units(vil):
    code = VilCode().normalize(np.array([vil])) * 255
    np.testing.assert_allclose(code, units.vil_to_code(np.array([vil])), atol=1e-9)


@given(st.floats(0.0, 254.0))
def test_vil_of_code_is_that_of_units(code):
    vil = VilCode().denormalize(np.array([code / 255]))
    np.testing.assert_allclose(vil, units.vil_from_code(np.array([code])), atol=1e-9)


def test_vil_bytes_round_trip_exactly():
    codes = table(VIL_BYTES, VilCode()).numpy()
    assert np.isnan(codes[255])
    assert (codes[:6] == 0).all()
    wet = np.arange(6, 255)
    assert (codes[wet] == (wet / 255).astype("float32")).all()
    back = VilCode().denormalize(torch.from_numpy(codes[:255]))
    assert (units.vil_to_bytes(back.numpy())[wet] == wet).all()
    truth = VIL_BYTES.decode(np.arange(255, dtype="uint8"))
    np.testing.assert_allclose(back.numpy(), truth, rtol=2e-6)


PACKINGS = {
    "vil": VIL_BYTES,
    "reflectivity": Packing("uint8", scale=0.5, offset=-32.0, missing=(255,)),
    "rain_rate": Packing("int16", scale=0.02, offset=655.34, missing=(-32768,)),
    "ir107": Packing("int8", scale=1.0, offset=-30.0, missing=(-128,)),
    "rain": Packing("uint16", scale=0.1, missing=(65535,)),
}


@pytest.mark.parametrize("variable", sorted(PACKINGS))
def test_look_up_equals_decoding_and_scaling(variable):
    packing, scaling = PACKINGS[variable], scaling_for(variable)
    codes = packing.codes()
    wider = {"uint16": "int32"}.get(codes.dtype.name, codes.dtype.name)
    stored = torch.from_numpy(codes.astype(wider))
    np.testing.assert_array_equal(physical(stored, packing), packing.decode(codes))
    expected = scaling.normalize(packing.decode(codes).astype("float64"))
    np.testing.assert_allclose(
        numbers(stored, packing, scaling), expected, rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_numbers_too_wide_for_a_table(dtype):
    packing = Packing(dtype, scale=0.5, offset=1.0, missing=(-999.0,))
    stored = np.array([0, 3, -999, 100_000], dtype=dtype)
    expected = packing.decode(stored)
    assert np.isnan(expected[2])
    np.testing.assert_array_equal(physical(torch.from_numpy(stored), packing), expected)
    np.testing.assert_allclose(
        numbers(torch.from_numpy(stored), packing, SCALINGS["rain"]),
        SCALINGS["rain"].normalize(expected),
        rtol=1e-5,
    )


def test_infinite_pixels_are_missing():
    packing = Packing("float32")
    stored = np.array([1.0, np.inf, -np.inf, np.nan], dtype="float32")
    assert np.isnan(packing.decode(stored)[1:]).all()
    assert torch.isnan(physical(torch.from_numpy(stored), packing)[1:]).all()


def test_tables_made_while_forecasting_serve_in_training():
    table.cache_clear()
    with torch.inference_mode():
        numbers(torch.zeros(1, dtype=torch.uint8), VIL_BYTES, VilCode())
    assert not table(VIL_BYTES, VilCode()).is_inference()


@pytest.mark.parametrize("variable", VARIABLES)
def test_header_round_trip(variable):
    scaling = scaling_for(variable)
    assert from_header(to_header(scaling)) == scaling


@pytest.mark.parametrize(
    "header", [{"kind": "Cubic"}, {"kind": "Linear", "a": 1.0}, {}]
)
def test_header_of_another_version_says_so(header):
    with pytest.raises(ValueError, match="version that wrote it"):
        from_header(header)


def test_unknown_variable_names_those_there_are():
    with pytest.raises(ValueError, match=r"'hail'.*vil, reflectivity"):
        scaling_for("hail")
