import json
import math

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from stormfusion.data.scaling import SCALINGS, scaling_for
from stormfusion.losses import BMAE, BMSE, FFL, LOSSES, MAE, MSE
from stormfusion.losses.balanced import RATES, WEIGHTS, levels
from stormfusion.units import rain_rate_to_reflectivity
from stormfusion.verification import bmae, bmse
from stormfusion.verification.balanced import RAIN_WEIGHTS

RAIN = ("rain_rate", "reflectivity", "vil")


def maps(values, variable: str) -> torch.Tensor:
    """Network numbers of physical values, in single precision as the data path has."""
    number = scaling_for(variable).normalize(torch.tensor(values, dtype=torch.float32))
    return number.reshape(1, 1, 1, -1)


def weights_at(values, variable: str, **options) -> list[float]:
    loss = BMSE(**options).bound(variable)
    return loss.pixel_weights(maps(values, variable)).flatten().tolist()


def test_by_hand() -> None:
    rates = [0.0, 1.99, 2.0, 4.99, 5.0, 9.99, 10.0, 29.99, 30.0, 200.0]
    wanted = [1, 1, 2, 2, 5, 5, 10, 10, 30, 30]
    assert weights_at(rates, "rain_rate") == wanted
    observed = maps(rates, "rain_rate")
    valid = torch.ones_like(observed, dtype=torch.bool)
    squared = BMSE().bound("rain_rate")(observed + 0.1, observed, valid)
    assert_close(squared, torch.tensor(sum(wanted) / 10 * 0.01))
    absolute = BMAE().bound("rain_rate")(observed - 0.1, observed, valid)
    assert_close(absolute, torch.tensor(sum(wanted) / 10 * 0.1))


def test_the_observed_rain_is_what_weighs() -> None:
    dry, storm = maps([0.0], "rain_rate"), maps([50.0], "rain_rate")
    valid = torch.ones_like(dry, dtype=torch.bool)
    loss = BMSE().bound("rain_rate")
    missed, false = loss(dry, storm, valid), loss(storm, dry, valid)
    assert_close(false, MSE()(storm, dry, valid))
    assert_close(missed, 30 * false)


@pytest.mark.parametrize("variable", RAIN)
def test_the_threshold_itself_reaches_it_however_it_was_rounded(variable: str) -> None:
    rates = np.array(RATES)
    values = {
        "rain_rate": rates,
        "reflectivity": rain_rate_to_reflectivity(rates),
        "vil": 4 * 3.44e-3 * (200 * rates**1.6) ** (4 / 7),
    }[variable]
    scaling = scaling_for(variable)
    single = values.astype(np.float32)
    paths = [
        scaling.normalize(values).astype(np.float32),  # as of a table of stored bytes
        scaling.normalize(single),
        scaling.normalize(single.astype(np.float64)).astype(np.float32),
        scaling.normalize(torch.tensor(single)).numpy(),
    ]
    loss = BMSE().bound(variable)
    for numbers in paths:
        found = loss.pixel_weights(torch.tensor(numbers).reshape(1, 1, 1, -1))
        assert found.flatten().tolist() == list(WEIGHTS[1:])
    # and nothing that radar could tell from less
    assert weights_at(values * (1 - 2e-5), variable) == list(WEIGHTS[:-1])


@pytest.mark.parametrize("of", [BMSE, BMAE])
def test_it_is_the_score_of_that_name(of) -> None:
    rng = np.random.default_rng(0)
    observed = xr.DataArray(rng.uniform(5, 58, (12, 13)), dims=("y", "x"))
    observed.attrs["units"] = "dBZ"
    forecast = observed + rng.normal(0, 1.5, observed.shape)
    observed[2, 3:6] = np.nan
    score = {BMSE: bmse, BMAE: bmae}[of](forecast, observed).item()
    f, o = (
        scaling_for("reflectivity").normalize(torch.tensor(field.values))[None, None]
        for field in (forecast, observed)
    )
    loss = of().bound("reflectivity")(f, o, ~o.isnan()).item()
    span = 70.0**2 if of is BMSE else 70.0
    assert loss * span == pytest.approx(score, rel=1e-5)
    assert dict(zip((0.0, *RATES), WEIGHTS, strict=True)) == RAIN_WEIGHTS


def test_reflectivity_by_the_law_of_ones_choice() -> None:
    # of 10 mm/h: by Marshall and Palmer, and by Hong Kong's own
    assert weights_at([39.0, 39.02], "reflectivity") == [5, 10]
    hong_kong = {"a": 58.53, "b": 1.56}
    assert weights_at([33.26, 33.28], "reflectivity", **hong_kong) == [5, 10]


def test_vil_by_a_column_of_rain() -> None:
    _, found = levels("bmse", "vil", None, 200.0, 1.6)
    back = scaling_for("vil").denormalize(np.array(found))
    # VIL = 0.0710 R^0.914 H of a column of 4 km
    assert back == pytest.approx(0.0710 * np.array(RATES) ** 0.914 * 4, rel=3e-3)
    assert back == pytest.approx([0.54, 1.24, 2.33, 6.37], abs=6e-3)


def test_thresholds_of_ones_own() -> None:
    own = {"thresholds": (5.0, 20.0), "weights": (1.0, 4.0, 9.0)}
    assert weights_at([0.0, 4.9, 5.0, 20.0], "rain", **own) == [1, 1, 4, 9]
    assert weights_at([0.0, 25.4], "mesh", thresholds=[25.4], weights=[1, 3]) == [1, 3]
    # of temperatures too an event is `value >= threshold`, though numbers fall
    warm = {"thresholds": (-40.0, 0.0), "weights": (9.0, 2.0, 1.0)}
    assert weights_at([-60.0, -40.0, -1.0, 0.0, 10.0], "ir107", **warm) == [
        9,
        2,
        2,
        1,
        1,
    ]


@pytest.mark.parametrize(
    "variable", sorted(set(SCALINGS) - {"rain_rate", "reflectivity", "vil"})
)
@pytest.mark.parametrize("of", [BMSE, BMAE, FFL])
def test_what_is_no_rain_rate_needs_thresholds(of, variable: str) -> None:
    with pytest.raises(ValueError, match=rf"no law from {variable}; give thresholds="):
        of().bound(variable)
    with pytest.raises(ValueError, match="no law"):
        of(variable=variable)
    one = {"thresholds": (0.5,), "weights": (1.0, 2.0)}
    assert of(**one).bound(variable).variable == variable


@pytest.mark.parametrize("of", [BMSE, BMAE, FFL])
def test_it_must_know_the_variable(of) -> None:
    field = torch.zeros(1, 1, 2, 2)
    with pytest.raises(ValueError, match=rf"call {of.__name__}\(\)\.bound\('rain_rate"):
        of()(field, field, field == 0)
    loss = of().bound("vil")
    assert loss.bound("vil") == loss == of(variable="vil")
    with pytest.raises(ValueError, match=r"is for vil, but the target is rain_rate; l"):
        loss.bound("rain_rate")
    with pytest.raises(ValueError, match="'rian' has no scaling"):
        of().bound("rian")


def test_sums_bind_their_terms() -> None:
    loss = (2.0 * BMSE() + BMAE() + LOSSES["ssim"]()).bound("vil")
    assert [getattr(t.loss, "variable", None) for t in loss.terms] == ["vil"] * 2 + [
        None
    ]
    assert str(loss) == "2*bmse+bmae+ssim"
    assert loss.weights == {"bmse": 2.0, "bmae": 1.0, "ssim": None}


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"thresholds": (5.0, 2.0), "weights": (1, 2, 3)}, "numbers that rise"),
        ({"thresholds": (2.0, 2.0), "weights": (1, 2, 3)}, "numbers that rise"),
        ({"thresholds": (), "weights": (1,)}, "numbers that rise"),
        ({"thresholds": (math.nan,), "weights": (1, 2)}, "numbers that rise"),
        ({"thresholds": (2.0, math.inf), "weights": (1, 2, 3)}, "numbers that rise"),
        ({"thresholds": ("much",), "weights": (1, 2)}, "numbers that rise"),
        ({"thresholds": (2.0,), "weights": (1,)}, "got 1 weights, wanted 2"),
        ({"thresholds": (2.0,)}, "got 5 weights, wanted 2: one for what is below"),
        ({"weights": (1, 2, 3)}, "got 3 weights, wanted 5"),
        ({"thresholds": (2.0,), "weights": (1, 0)}, "finite number above zero"),
        ({"thresholds": (2.0,), "weights": (1, -3)}, "finite number above zero"),
        ({"thresholds": (2.0,), "weights": (1, math.nan)}, "finite number above zero"),
        ({"a": 0.0}, "got a=0.0, but Z = a R"),
        ({"b": math.inf}, "got b=inf, but Z = a R"),
    ],
)
@pytest.mark.parametrize("of", [BMSE, FFL])
def test_errors_at_construction(of, options, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        of(**options)


@pytest.mark.parametrize(("variable", "value"), [("vil", 90.0), ("rain_rate", 0.001)])
def test_thresholds_beyond_the_network_numbers(variable: str, value: float) -> None:
    loss = BMSE(thresholds=(value,), weights=(1.0, 2.0))
    with pytest.raises(ValueError, match=rf"threshold {value:g} of {variable}, which"):
        loss.bound(variable)


@pytest.mark.parametrize("of", [BMSE, BMAE, FFL])
def test_its_options_make_it_again(of) -> None:
    for loss in (of(), of(thresholds=[1, 2], weights=[1, 2, 4], variable="rain")):
        options = json.loads(json.dumps(loss.options()))
        assert of(**options) == loss
        assert hash(of(**options)) == hash(loss)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 150, width=32), min_size=1, max_size=20), st.data())
def test_it_lies_between_the_plain_error_and_thirty_times_it(rates, data) -> None:
    observed = maps(rates, "rain_rate")
    errors = data.draw(
        st.lists(st.floats(-1, 1, width=32), min_size=len(rates), max_size=len(rates))
    )
    forecast = observed + torch.tensor(errors).reshape(observed.shape)
    valid = torch.ones_like(observed, dtype=torch.bool)
    for plain, balanced in ((MSE(), BMSE()), (MAE(), BMAE())):
        least = plain(forecast, observed, valid).item()
        found = balanced.bound("rain_rate")(forecast, observed, valid).item()
        assert least * (1 - 1e-5) <= found <= 30 * least * (1 + 1e-5)
    even = BMSE(weights=(1.0,) * 5).bound("rain_rate")
    assert_close(even(forecast, observed, valid), MSE()(forecast, observed, valid))
