"""Values of pysteps by hand: their kinds, units and transforms."""

import numpy as np
import pytest
import xarray as xr

from stormfusion.interop.values import bare, physical, values_of

NAN = np.nan


def rain(transform, **more):
    return {"unit": "mm/h", "transform": transform, "threshold": -10.0, **more}


def test_decibels_by_hand() -> None:
    values = np.array([-15.0, -10.01, -10.0, 0.0, 10.0, NAN, -np.inf])
    found, variable = physical(values, rain("dB"))
    assert variable == "rain_rate"
    np.testing.assert_allclose(found, [0, 0, 0.1, 1, 10, NAN, 0])


def test_a_threshold_is_reached_in_the_precision_of_the_values() -> None:
    threshold = 10 * np.log10(0.08)
    found, _ = physical(np.array([threshold], "f4"), rain("dB", threshold=threshold))
    assert found.dtype == np.float32
    assert found[0] == pytest.approx(0.08)


@pytest.mark.parametrize("threshold", [-10.0, np.float32(-10), np.array([-10])])
@pytest.mark.parametrize("unit", ["mm/h", "mm"])
def test_what_is_below_the_threshold_is_none(unit: str, threshold: object) -> None:
    metadata = rain("dB", unit=unit, threshold=threshold)
    found, variable = physical(np.array([-11.0, -9.0]), metadata)
    assert variable == {"mm/h": "rain_rate", "mm": "rain"}[unit]
    assert found[0] == 0 < found[1]


def test_other_transforms_by_hand() -> None:
    found, _ = physical(np.array([0.0, 3.0, -1.0, NAN]), rain("sqrt"))
    np.testing.assert_array_equal(found, [0, 9, 0, NAN])
    values = np.log([0.05, 0.1, 2.0, NAN])
    for name in ("log", "BoxCox"):
        found, _ = physical(values, rain(name, threshold=np.log(0.1)))
        np.testing.assert_allclose(found, [0, 0.1, 2, NAN])
    # below -1 / power the root is none, but there it is dry
    values = np.array([-9.0, 2.0, NAN])
    found, _ = physical(values, rain("BoxCox", threshold=0.0, BoxCox_lambda=0.5))
    np.testing.assert_allclose(found, [0, 4, NAN])


def test_reflectivity_stays_as_it_is() -> None:
    values = np.array([-32.0, 0.0, 45.5, NAN])
    metadata = {"unit": "dBZ", "transform": "dB", "threshold": 8.0}
    found, variable = physical(values, metadata)
    assert variable == "reflectivity"
    np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize("transform", [None, "sqrt", "BoxCox"])
def test_reflectivity_that_is_no_decibels_is_refused(transform) -> None:
    metadata = {"unit": "dBZ", "transform": transform, "threshold": 8.0}
    with pytest.raises(ValueError, match=r"which to pysteps is Z .*'dB' if the values"):
        physical(np.array([20.0]), metadata)


def test_a_transform_that_was_undone_or_forgotten_is_told() -> None:
    with pytest.raises(ValueError, match=r"wanted decibels; the transform seems undon"):
        physical(np.array([0.0, 0.1, 20.0]), rain("dB"))
    with pytest.raises(ValueError, match=r"down to -15 mm/h and the transform None"):
        physical(np.array([-15.0, 20.0, NAN]), rain(None))
    # what no weather has is missing, as in every ensemble
    for fill in (-9999.0, -np.inf, -0.05):
        physical(np.array([fill, 20.0]), rain(None))


@pytest.mark.parametrize("unit", ["kg m-2", "mm/hr", None, 3, ["mm"]])
def test_units_that_pysteps_does_not_have(unit: object) -> None:
    with pytest.raises(ValueError, match=r"the unit .*, wanted 'mm/h', 'mm', 'dBZ'; c"):
        physical(np.array([1.0]), rain(None, unit=unit))


@pytest.mark.parametrize("transform", ["NQT", "Box-Cox", "db", "", 1, ["dB"]])
def test_transforms_that_are_not_known(transform: object) -> None:
    with pytest.raises(ValueError, match=r"wanted None, 'dB', 'sqrt', 'BoxCox', 'log'"):
        physical(np.array([1.0]), rain(transform))


@pytest.mark.parametrize("threshold", [None, NAN, "low", [1.0, 2.0], np.inf])
@pytest.mark.parametrize("transform", ["dB", "BoxCox", "log"])
def test_without_a_threshold_nothing_is_guessed(transform, threshold) -> None:
    metadata = rain(transform, threshold=threshold)
    with pytest.raises(ValueError, match=r"threshold .*wanted the least"):
        physical(np.array([1.0]), metadata)


def test_a_nonsensical_power_is_told() -> None:
    with pytest.raises(ValueError, match="BoxCox_lambda='half', wanted one finite num"):
        physical(np.array([1.0]), rain("BoxCox", BoxCox_lambda="half"))


@pytest.mark.parametrize("transform", [None, "dB", "sqrt", "BoxCox"])
def test_all_missing_stays_missing(transform) -> None:
    values = np.full((2, 3), NAN)
    found, _ = physical(values, rain(transform, threshold=NAN))
    np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize(
    "array",
    [
        np.array([1j]),
        np.array([1.0, None], object),
        np.array(["1"]),
        np.array([True]),
        [[1.0], [1.0, 2.0]],
        None,
        "rain",
        np.array(["2019"], "datetime64[D]"),
    ],
)
def test_what_is_no_array_of_numbers(array: object) -> None:
    with pytest.raises(TypeError, match=r"array is a .*, wanted real numbers; pass"):
        bare(array)


def test_a_copy_in_native_floats() -> None:
    for dtype, wanted in (("i2", "f8"), ("f4", "f4"), (">f8", "f8"), ("u1", "f8")):
        given = np.arange(4, dtype=dtype)
        found = bare(given)
        assert found.dtype == np.dtype(wanted)
        assert found.dtype.isnative
        np.testing.assert_array_equal(found, given)
        found[0] = 9
        assert given[0] == 0
    masked = np.ma.masked_array([1, 2], mask=[False, True])
    np.testing.assert_array_equal(bare(masked), [1, NAN])


def labelled(name: str, *values: float, **attrs) -> xr.DataArray:
    return xr.DataArray(list(values), dims="x", name=name, attrs=attrs)


def test_what_pysteps_is_told_of_values() -> None:
    _, told = values_of(labelled("rain_rate", 0.0, 3.0), 5.0)
    assert told == {
        "unit": "mm/h",
        "transform": None,
        "zerovalue": 0.0,
        "threshold": 0.1,
    }
    # the depth that 0.1 mm/h leaves in the period of the rain, not in a step
    _, told = values_of(labelled("rain", 0.0, 3.0, accutime=60.0), 5.0)
    assert (told["unit"], told["accutime"], told["threshold"]) == ("mm", 60.0, 0.1)
    _, told = values_of(labelled("rain", 0.0, 3.0), 6.0)
    assert (told["accutime"], told["threshold"]) == (6.0, pytest.approx(0.01))
    _, told = values_of(labelled("rain", 0.0, 3.0), None)
    assert (told["accutime"], told["threshold"]) == (None, 0.1)


def test_what_pysteps_is_told_of_reflectivity() -> None:
    _, told = values_of(labelled("reflectivity", -32.0, NAN, 30.0), 5.0)
    assert (told["unit"], told["transform"], told["zerovalue"]) == ("dBZ", "dB", -32.0)
    assert told["threshold"] == pytest.approx(10 * np.log10(200 * 0.1**1.6))
    _, told = values_of(labelled("reflectivity", 30.0, zr_a=300.0, zr_b=1.4), 5.0)
    assert told["threshold"] == pytest.approx(10 * np.log10(300 * 0.1**1.4))
    for values in ((30.0, 40.0), (NAN, NAN)):
        _, told = values_of(labelled("reflectivity", *values), 5.0)
        assert told["zerovalue"] == told["threshold"] - 5


@pytest.mark.parametrize("variable", ["vil", "mesh", "ir107"])
def test_variables_that_pysteps_does_not_have(variable: str) -> None:
    with pytest.raises(ValueError, match=rf"no unit for {variable}, wanted rain_rate,"):
        values_of(labelled(variable, 1.0), 5.0)
