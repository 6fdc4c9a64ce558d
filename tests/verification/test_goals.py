import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from stormfusion.verification import GOALS, Goal, skill, skill_scores
from stormfusion.verification.goals import opponents

NUMBERS = st.floats(-100, 100)


def scores(**values):
    """Scores of three forecasts; the last is persistence."""
    return xr.Dataset(
        {
            name: ("forecast", np.asarray(value, float))
            for name, value in values.items()
        },
        coords={"forecast": ["unet", "advection", "persistence"]},
    )


@pytest.mark.parametrize(
    ("score", "baseline", "perfect", "found"),
    [
        (1.0, 4.0, 0.0, 0.75),  # a quarter of the error is left
        (4.0, 1.0, 0.0, -3.0),
        (0.6, 0.2, 1.0, 0.5),
        (1.0, 0.2, 1.0, 1.0),
        (0.2, 0.2, 1.0, 0.0),
        (2.0, 0.0, 0.0, np.nan),  # nothing is left to gain
        (0.0, 0.0, 0.0, np.nan),
        (np.nan, 1.0, 0.0, np.nan),
        (1.0, np.nan, 0.0, np.nan),
        (np.inf, 1.0, 0.0, np.nan),
        (1.0, np.inf, 0.0, np.nan),
    ],
)
def test_skill_by_hand(score, baseline, perfect, found):
    for base in (baseline, xr.DataArray(baseline)):
        result = skill(xr.DataArray(score), base, perfect=perfect)
        np.testing.assert_allclose(result, found)


@given(NUMBERS, NUMBERS, NUMBERS, st.floats(0.1, 10), NUMBERS)
def test_skill_does_not_depend_on_units(score, baseline, perfect, factor, offset):
    if abs(baseline - perfect) < 1:
        return
    one = skill(xr.DataArray(score), baseline, perfect=perfect)
    s, b, p = (factor * x + offset for x in (score, baseline, perfect))
    np.testing.assert_allclose(skill(xr.DataArray(s), b, perfect=p), one, atol=1e-6)


@given(NUMBERS, NUMBERS)
def test_perfect_has_skill_one_and_the_baseline_none(baseline, perfect):
    if abs(baseline - perfect) < 1e-3:
        return
    assert skill(xr.DataArray(perfect), baseline, perfect=perfect) == 1
    assert skill(xr.DataArray(baseline), baseline, perfect=perfect) == 0


def test_skill_says_what_it_is():
    error = xr.DataArray([1.0], dims="lead", attrs={"long_name": "squared error"})
    assert skill(error, error + 1).attrs == {
        "long_name": "skill by the squared error",
        "units": "1",
    }


def test_skill_refuses_what_it_would_misread():
    error = xr.DataArray([1.0, 2.0], dims="lead", coords={"lead": [5, 10]})
    with pytest.raises(TypeError, match="skill_scores"):
        skill(1.0, 2.0)
    with pytest.raises(ValueError, match="finite perfect score"):
        skill(error, error, perfect=np.inf)
    with pytest.raises(ValueError, match=r"the same leads.*\.sel"):
        skill(error, error.isel(lead=[0]))
    with pytest.raises(ValueError, match="'mm' and baseline in 'cm'"):
        skill(error.assign_attrs(units="mm"), error.assign_attrs(units="cm"))


def test_skill_of_every_score_of_a_table():
    found = skill_scores(
        scores(
            csi=[0.6, 0.2, 0.2],
            mse=[1.0, 8.0, 4.0],
            # a half and the double are as bad
            bias=[2.0, 0.5, 0.25],
            mean_error=[-1.0, 2.0, -4.0],
            hits=[1, 2, 3],
        ),
        against="persistence",
    )
    assert found.forecast.values.tolist() == ["unet", "advection"]
    assert set(found) == {"csi", "mse", "bias", "mean_error"}
    np.testing.assert_allclose(found.csi, [0.5, 0.0])
    np.testing.assert_allclose(found.mse, [0.75, -1.0])
    np.testing.assert_allclose(found.bias, [0.5, 0.5])
    np.testing.assert_allclose(found.mean_error, [0.75, 0.5])
    assert found.attrs["against"] == "persistence"
    assert found.csi.attrs["long_name"] == "skill by the csi against persistence"


def test_scores_of_nothing_have_no_skill():
    found = skill_scores(
        scores(csi=[0.5, np.nan, 0.2], mse=[1, 2, 0], bias=[0.0, 2.0, np.inf]),
        against="persistence",
    )
    np.testing.assert_allclose(found.csi, [0.375, np.nan])
    assert found.mse.isnull().all()
    assert found.bias.isnull().all()


def test_skill_scores_refuses_what_it_cannot_compare():
    table = scores(csi=[0.1, 0.2, 0.3])
    with pytest.raises(TypeError, match="not a Dataset"):
        skill_scores(table.csi, against="persistence")
    with pytest.raises(ValueError, match=r"one of the forecasts \['unet'"):
        skill_scores(table, against="climatology")
    with pytest.raises(ValueError, match="give two or more"):
        skill_scores(table.isel(forecast=[2]), against="persistence")
    with pytest.raises(ValueError, match=r"xr\.concat"):
        skill_scores(table.isel(forecast=0), against="unet")
    with pytest.raises(ValueError, match="GOALS"):
        skill_scores(table.rename(csi="beauty"), against="persistence")
    assert opponents(table, "unet") == ["advection", "persistence"]


@pytest.mark.parametrize("name", GOALS)
def test_no_score_costs_less_than_a_perfect_one(name):
    goal = GOALS[name]
    sides = {
        "higher": [goal.perfect - 0.5],
        "lower": [goal.perfect + 0.5],
        "nearer": [goal.perfect - 0.5, goal.perfect + 0.5],
        "ratio": [goal.perfect / 2, goal.perfect * 2, 0.0, np.inf],
    }[goal.better]
    assert (
        goal.cost(xr.DataArray(sides)) > goal.cost(xr.DataArray(goal.perfect))
    ).all()
    assert goal.cost(xr.DataArray(np.nan)).isnull()


def test_a_ratio_below_zero_is_none():
    assert Goal(1.0, "ratio").cost(xr.DataArray(-1.0)).isnull()


def test_on_dask_lazily():
    table = scores(csi=[0.6, 0.2, 0.2], bias=[2.0, 0.5, 0.25])
    found = skill_scores(table.chunk(forecast=1), against="persistence")
    assert found.csi.chunks is not None
    xr.testing.assert_allclose(
        found.compute(), skill_scores(table, against="persistence")
    )
