import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stormfusion.units import rain_rate_to_reflectivity
from stormfusion.verification import (
    RAIN_WEIGHTS,
    balanced_scores,
    balanced_sums,
    bmae,
    bmse,
    mae,
    merge,
    mse,
)

FEW = settings(max_examples=25, deadline=None)


def rain(values, units="mm h-1", **options):
    attrs = {"units": units} if units else {}
    return xr.DataArray(np.asarray(values), dims="x", attrs=attrs, **options)


def test_the_weights_are_those_of_hko():
    levels = [0.0, 1.9, 2.0, 4.9, 5.0, 9.9, 10.0, 29.9, 30.0, 200.0]
    expected = [1, 1, 2, 2, 5, 5, 10, 10, 30, 30]
    observed = rain(levels)
    assert bmae(observed + 1, observed, over=()).values.tolist() == pytest.approx(
        expected
    )
    assert bmse(observed - 2, observed, over=()).values.tolist() == pytest.approx(
        [4 * weight for weight in expected]
    )
    assert RAIN_WEIGHTS == {0: 1, 2: 2, 5: 5, 10: 10, 30: 30}


def test_the_weight_is_that_of_the_observation():
    assert bmae(rain([40.0]), rain([0.0])).item() == 40
    assert bmae(rain([0.0]), rain([40.0])).item() == 30 * 40


def test_a_level_is_met_in_the_type_of_the_values():
    weights = {0: 1.0, 3.53: 5.0}
    observed = rain(np.array([3.53], np.float32), "kg m-2")
    assert bmae(observed + 1, observed, weights=weights).item() == pytest.approx(5)
    observed = rain(np.array([3, 4], np.uint8), "kg m-2")
    assert bmae(0 * observed, observed, weights=weights, over=()).values.tolist() == [
        3,
        20,
    ]


def test_what_is_below_all_levels_weighs_as_the_lowest():
    observed = rain([-1.0, 0.0])
    weights = {4: 2.0, 8: 3.0}
    assert bmae(observed + 1, observed, weights=weights).item() == 2


def test_the_order_of_the_weights_does_not_matter():
    observed = rain([1.0, 6.0, 12.0], "kg m-2")
    forward = bmse(observed + 1, observed, weights={0: 1, 5: 4, 10: 2})
    assert forward.item() == pytest.approx(7 / 3)
    xr.testing.assert_identical(
        bmse(observed + 1, observed, weights={10: 2, 0: 1, 5: 4}), forward
    )


@pytest.mark.parametrize("units", ["mm h-1", "mm/h", "kg m-2 h-1", "kg m-2 s-1"])
def test_rain_rates_in_other_units(units):
    scale = 1 / 3600 if units == "kg m-2 s-1" else 1.0
    observed = rain(np.array([0.0, 3.0, 6.0, 11.0, 31.0]) * scale, units)
    found = bmae(observed + scale, observed, over=()) / scale
    np.testing.assert_allclose(found, [1, 2, 5, 10, 30])


def test_reflectivity_weighs_as_its_rain():
    rates = xr.DataArray([0.0, 1.9, 2.1, 4.9, 5.1, 9.9, 10.1, 29.9, 30.1], dims="x")
    observed = rain_rate_to_reflectivity(rates)
    found = bmae(observed + 1, observed, over=())
    np.testing.assert_allclose(found, [1, 1, 2, 2, 5, 5, 10, 10, 30])
    assert found.attrs["units"] == "dBZ"


def test_a_name_will_do_where_there_are_no_units():
    observed = rain([30.0], None, name="rain_rate")
    assert bmae(observed + 1, observed).item() == 30
    observed = rain([31.0 / 3600], "kg m-2 s-1", name="rain_rate")
    found = bmae(observed + 1, observed).item()
    assert found == pytest.approx(30), "units of its own go before the name"
    observed = rain([30.0], None)
    assert bmae(rain([31.0]), observed).item() == 30, "the units of the forecast"


@pytest.mark.parametrize(
    ("units", "name"),
    [("kg m-2", "vil"), ("mm", "rain"), (None, None), ("1", "vis"), (None, "vil")],
)
def test_what_is_no_rain_rate_needs_weights(units, name):
    observed = rain([1.0], units, name=name)
    with pytest.raises(ValueError, match="pass weights of your own in its units"):
        bmse(observed, observed)
    assert bmse(observed + 1, observed, weights={0: 1, 1: 7}).item() == 7


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ({}, "give the weight from each level on"),
        ([1, 2], "give the weight from each level on"),
        ({0: -1.0}, "finite number above zero"),
        ({0: np.nan}, "finite number above zero"),
        ({0: 1, np.inf: 2}, "give a finite number"),
        ({"0": 1}, "give a finite number"),
    ],
)
def test_weights_that_are_none(weights, words):
    with pytest.raises(ValueError, match=words):
        bmse(rain([1.0]), rain([1.0]), weights=weights)


def test_even_weights_are_plain_errors():
    rng = np.random.default_rng(0)
    f, o = (rain(rng.gamma(0.3, 8, 50), "kg m-2") for _ in range(2))
    assert bmse(f, o, weights={0: 1}).item() == pytest.approx(mse(f, o).item())
    assert bmae(f, o, weights={0: 3}).item() == pytest.approx(3 * mae(f, o).item())


def test_missing_pairs_are_not_counted():
    f, o = rain([1.0, np.nan, 40.0, np.nan]), rain([2.0, 5.0, np.nan, np.nan])
    assert bmse(f, o).item() == 2
    assert balanced_sums(f, o).balanced_pairs.item() == 1
    nothing = rain([np.nan])
    assert np.isnan(bmse(nothing, nothing))
    assert np.isnan(bmae(nothing, nothing))


def test_units_and_names():
    score = bmse(rain([1.0]), rain([1.0]))
    assert score.attrs["units"] == "(mm h-1)^2"
    assert score.attrs["long_name"] == "balanced mean squared error"
    assert bmae(rain([1.0]), rain([1.0])).attrs["units"] == "mm h-1"


SAMPLES = hnp.arrays(
    np.float32,
    st.tuples(st.just(2), st.integers(0, 80)),
    elements=st.one_of(st.just(np.nan), st.integers(0, 50)),
)


@FEW
@given(SAMPLES, SAMPLES)
def test_sums_add_like_concatenated_fields(first, second):
    def sums(sample):
        return balanced_sums(rain(sample[0]), rain(sample[1]))

    whole = sums(np.concatenate([first, second], axis=1))
    xr.testing.assert_identical(merge(sums(first), sums(second)), whole)


@FEW
@given(SAMPLES)
def test_a_perfect_forecast(sample):
    scores = balanced_scores(balanced_sums(rain(sample[0]), rain(sample[0])))
    for score in scores.values():
        assert np.isnan(score) or score == 0


def test_dask_is_numpy():
    pytest.importorskip("dask")
    rng = np.random.default_rng(0)
    f, o = (
        xr.DataArray(
            np.where(a > 0.9, np.nan, 40 * a), dims=("lead", "x"), attrs=rain([]).attrs
        )
        for a in rng.random((2, 4, 60))
    )
    for over in (None, "lead", ["lead", "x"]):
        lazy = bmse(f.chunk({"x": 17}), o.chunk({"x": 17}), over=over)
        assert lazy.chunks is not None
        xr.testing.assert_allclose(lazy.compute(), bmse(f, o, over=over))
