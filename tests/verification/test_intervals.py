"""Intervals of every score at once: the draws of `bootstrap`, event by event."""

import numpy as np
import pytest
import xarray as xr

from stormfusion.verification import (
    GOALS,
    Tally,
    bootstrap,
    categorical_scores,
    crps_score,
    verify,
)

pytestmark = pytest.mark.filterwarnings("ignore:.* the interval is too narrow")
CASES = 24


def case(number: int) -> tuple[dict[str, xr.DataArray], xr.DataArray]:
    """A close ensemble and a far forecast of noise, of an event of two cases."""
    rng = np.random.default_rng(number)
    rain = rng.gamma(0.5, 2.0, (2, 16, 16)).astype(np.float32)
    observed = xr.DataArray(rain, dims=("lead", "y", "x"), name="rain_rate")
    near = rain * np.exp(0.2 * rng.normal(size=(4, *rain.shape)))
    members = xr.DataArray(near, dims=("member", "lead", "y", "x"))
    observed = observed.assign_coords(event=f"storm {number // 2}")
    return {"near": members, "far": observed.roll(x=5)}, observed


def tally(cases: range = range(CASES), *, by_case: bool = True) -> Tally:
    made = Tally("rain_rate", thresholds=[1.0, 4.0], by_case=by_case, distances=())
    for number in cases:
        made.add(*case(number))
    return made


@pytest.fixture(scope="module")
def whole() -> Tally:
    return tally()


@pytest.fixture(scope="module")
def scores(whole: Tally) -> xr.Dataset:
    with pytest.warns(UserWarning, match="12 events make 6 blocks of 2"):
        return whole.dataset(interval=0.9, against="far")


def test_states_add_up_to_the_total(whole: Tally) -> None:
    states, total = whole.states, whole.state
    assert total is not None
    assert states["event"].values.tolist() == [f"storm {n // 2}" for n in range(CASES)]
    for name in states:
        summed = states[name].sum("case").transpose(*total[name].dims)
        np.testing.assert_allclose(summed, total[name], rtol=1e-12)


def test_the_interval_is_that_of_bootstrap(whole: Tally, scores: xr.Dataset) -> None:
    def csi(sums: xr.Dataset) -> xr.DataArray:
        return categorical_scores(sums).csi

    found = bootstrap(whole.states, csi)
    for end in ("lower", "upper"):
        np.testing.assert_allclose(
            scores[f"csi_{end}"], found[end].transpose(*scores.csi.dims), rtol=1e-6
        )
    paired = bootstrap(whole.states, csi, against="far")
    np.testing.assert_array_equal(
        scores.csi_better.sel(forecast="near"), paired.better.sel(forecast="near")
    )
    crps = bootstrap(whole.states, crps_score)
    np.testing.assert_allclose(scores.crps_upper, crps.upper, rtol=1e-6)


def test_intervals_hold_the_scores_and_are_not_wide_of_them(scores: xr.Dataset) -> None:
    for name in ("csi", "crps", "fss", "mse", "brier", "bias"):
        lower, upper = scores[f"{name}_lower"], scores[f"{name}_upper"]
        assert bool(((lower <= scores[name]) & (scores[name] <= upper)).all()), name
        assert bool((upper - lower < 0.5 * abs(scores[name]) + 0.1).all()), name
        assert lower.attrs["units"] == scores[name].attrs["units"]
        assert "lower end of the 90 % interval of the" in lower.attrs["long_name"]


def test_what_is_better_is_better_in_every_draw(scores: xr.Dataset) -> None:
    for name in ("csi", "crps", "fss", "mse", "brier"):
        better = scores[f"{name}_better"]
        assert bool((better.sel(forecast="near") == 1).all()), name
        assert bool(better.sel(forecast="far").isnull().all()), name


def test_only_scores_with_a_goal_have_an_interval(scores: xr.Dataset) -> None:
    scored = {str(name).removesuffix("_better") for name in scores if "_better" in name}
    assert {"csi", "crps", "fss", "spectrum_ratio", "roc_area"} <= scored <= set(GOALS)
    assert "hits_lower" not in scores
    assert scores.attrs["interval_level"] == 0.9


def test_merged_tallies_have_the_cases_of_both(scores: xr.Dataset) -> None:
    both = tally(range(10)).merge(tally(range(10, CASES)))
    xr.testing.assert_allclose(both.dataset(interval=0.9, against="far"), scores)
    made = Tally("rain_rate", thresholds=[1.0], by_case=True, distances=())
    forecasts, observed = case(0)
    made.add(forecasts, observed.drop_vars("event"))
    assert made.merge(made).states["event"].values.tolist() == ["case 0", "case 1"]
    lost = tally(range(2)).merge(tally(range(2, 4), by_case=False))
    with pytest.raises(ValueError, match="by_case=True"):
        lost.dataset(interval=0.9)


def test_verify_streams_cases_and_gives_the_same(scores: xr.Dataset) -> None:
    pairs = [case(number) for number in range(CASES)]
    streamed = verify(
        (forecasts for forecasts, _ in pairs),
        (observed for _, observed in pairs),
        thresholds=[1.0, 4.0],
        distances=(),
        interval=0.9,
        against="far",
    )
    xr.testing.assert_allclose(streamed, scores)


def test_what_has_no_interval_says_so(whole: Tally) -> None:
    with pytest.raises(ValueError, match="by_case=True"):
        tally(range(1), by_case=False).dataset(interval=0.9)
    with pytest.raises(ValueError, match="no case to score"):
        _ = tally(range(0)).states
    with pytest.raises(ValueError, match="'other', which is not one of"):
        whole.dataset(interval=0.9, against="other")
    with pytest.raises(ValueError, match="level is 90"):
        whole.dataset(interval=90)
    forecasts, observed = case(0)
    with pytest.raises(ValueError, match="2 or more events, but got 1"):
        verify(forecasts, observed, thresholds=[1.0], distances=(), interval=0.9)
    with pytest.raises(ValueError, match=r"pass interval=0\.9"):
        verify(forecasts, observed, thresholds=[1.0], distances=(), against="far")
    chance = (observed > 1).astype(float)
    with pytest.raises(ValueError, match="pass them to bootstrap"):
        verify(chance, chance, probability=True, interval=0.9)
