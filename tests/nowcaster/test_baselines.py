"""Nowcasts without training as baselines of `evaluate`."""

from typing import Any

import numpy as np
import pytest
import xarray as xr
from tests.nowcaster.test_moving import radar

from stormfusion import Catalog, Nowcaster
from stormfusion.classical import Steps

ALL = ("persistence", "extrapolation", "steps")


@pytest.fixture(scope="module")
def storms() -> Catalog:
    """Two events of one window each: four frames seen, two forecast."""
    first = Catalog.from_xarray(radar(frames=6), prefix="a")
    return first | Catalog.from_xarray(radar((-1, 1), frames=6, seed=4), prefix="b")


def scores(recipe: Any, storms: Catalog, **options: Any) -> xr.Dataset:
    made = {"history": 4, "leads": 2, "device": "cpu"}
    made |= {name: options.pop(name) for name in (*made, "target") if name in options}
    settings = {
        "scales": [1],
        "thresholds": [0.5, 3.0],
        "members": 3,
        "progress": False,
        "distances": [],
    }
    return Nowcaster(recipe, **made).evaluate(storms, **{**settings, **options})


@pytest.fixture(scope="module")
def beside(storms: Catalog) -> xr.Dataset:
    return scores("persistence", storms, baselines=ALL)


def test_they_stand_after_the_nowcast_in_their_order(
    storms: Catalog, beside: xr.Dataset
) -> None:
    assert beside.forecast.values.tolist() == list(ALL)
    assert beside.attrs["recipe"] == "persistence"
    assert int(beside.cases) == 2
    one = storms[:1]
    found = scores("steps", one, members=0, baselines=("extrapolation", "steps"))
    assert found.forecast.values.tolist() == ["steps", "extrapolation"]
    twice = ["extrapolation", "extrapolation"]
    found = scores("persistence", one, members=0, baselines=twice)
    assert found.forecast.values.tolist() == ["persistence", "extrapolation"]
    alone = scores("persistence", one, members=0, baselines=())
    assert alone.forecast.values.tolist() == ["persistence"]


def test_all_are_scored_on_the_same_pairs(beside: xr.Dataset) -> None:
    pairs = beside.pairs.sel(forecast="persistence")
    assert (pairs < 2 * 48 * 64).all()
    assert (pairs > 1.5 * 48 * 64).all()
    assert (beside.pairs == pairs).all()


def test_a_baseline_has_the_scores_that_it_has_as_a_nowcast(
    storms: Catalog, beside: xr.Dataset
) -> None:
    itself = scores("steps", storms, baselines=ALL[:2])
    for score in ("csi", "mae", "mse", "crps", "fss", "bias"):
        np.testing.assert_allclose(
            itself[score].sel(forecast="steps"),
            beside[score].sel(forecast="steps"),
            rtol=1e-6,
            err_msg=score,
        )


def test_what_moves_is_better_extrapolated(beside: xr.Dataset) -> None:
    for score in ("mae", "mse", "crps"):
        still, moving = (beside[score].sel(forecast=name) for name in ALL[:2])
        assert (moving < 0.5 * still).all()
    csi = beside.csi.sel(threshold=0.5)
    assert (csi.sel(forecast="extrapolation") > csi.sel(forecast="persistence")).all()


def test_steps_brings_its_ensemble(storms: Catalog, beside: xr.Dataset) -> None:
    for name in ALL[:2]:  # the CRPS of one forecast is its absolute error
        one = beside.sel(forecast=name)
        np.testing.assert_allclose(one.crps, one.mae, rtol=1e-5)
    steps = beside.sel(forecast="steps")
    assert not np.allclose(steps.crps, steps.mae, rtol=0.01)
    without = scores("persistence", storms, members=0, baselines=ALL)
    steps = without.sel(forecast="steps")
    np.testing.assert_allclose(steps.crps, steps.mae, rtol=1e-5)


def test_no_baseline_sees_what_it_is_scored_on() -> None:
    event = radar(frames=6)
    now = event.time[3]
    found = scores("persistence", Catalog.from_xarray(event), members=0, baselines=ALL)
    observed = event.rain_rate.isel(time=slice(4, 6)).values
    options = {"leads": 2, "device": "cpu"}
    forecasts = {
        name: Nowcaster(name, **options).predict(event.isel(time=slice(4))).rain_rate
        for name in ALL
    }
    known = np.all([f.notnull() for f in forecasts.values()], axis=0)
    for name, forecast in forecasts.items():
        assert forecast.reference_time == now
        error = np.where(known, abs(forecast.values - observed), np.nan)
        np.testing.assert_allclose(
            found.mae.sel(forecast=name), np.nanmean(error, (1, 2)), rtol=0.01
        )


def test_intervals_are_against_the_first_baseline(storms: Catalog) -> None:
    with pytest.warns(UserWarning, match=r"the interval is too narrow"):
        found = scores(
            "extrapolation",
            storms,
            members=0,
            baselines=("steps", "persistence"),
            interval=0.8,
        )
    better = found.mae_better
    assert better.sel(forecast="steps").isnull().all()
    assert (better.sel(forecast="persistence") == 0).all()


# -------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("baselines", "error", "message"),
    [
        ("steps", TypeError, r"'steps', wanted a sequence of names, such as \('persis"),
        (7, TypeError, r"baselines is 7, wanted a sequence of names"),
        (None, TypeError, r"baselines is None, wanted a sequence of names"),
        (("stepz",), ValueError, r"name 'stepz', wanted some of persistence, extrap"),
        (("unet",), ValueError, r"'unet', .*; evaluate a trained nowcaster itself"),
        ((["steps"],), ValueError, r"name \['steps'\], wanted some of persistence"),
        ((Steps(),), ValueError, r"name Steps\(.*, wanted some of persistence"),
    ],
    ids=str,
)
def test_wrong_baselines(
    baselines: Any, error: type[Exception], message: str, storms: Catalog
) -> None:
    with pytest.raises(error, match=message):
        scores("persistence", storms, baselines=baselines)


@pytest.mark.parametrize(("name", "history"), [("extrapolation", 1), ("steps", 2)])
def test_a_baseline_that_needs_more_frames_says_so(
    name: str, history: int, storms: Catalog
) -> None:
    with pytest.raises(
        ValueError, match=rf"history is {history}, '{name}' needs .* leave it out of th"
    ):
        scores("persistence", storms, history=history, baselines=(name,))


def test_a_baseline_that_does_not_know_the_target_says_so(storms: Catalog) -> None:
    event = radar(frames=6).rename(rain_rate="ir107")
    event["ir107"] = (20 - 5 * event.ir107).assign_attrs(units="degC")
    clouds = Catalog.from_xarray(event)
    options = {"target": "ir107", "members": 0, "thresholds": [-20.0]}
    found = scores("persistence", clouds, baselines=("extrapolation",), **options)
    still, moving = found.mae.values
    assert (moving < 0.5 * still).all()
    with pytest.raises(ValueError, match=r"'ir107', 'steps' forecasts one of rain_ra"):
        scores("persistence", clouds, baselines=("steps",), **options)


def test_a_baseline_of_the_same_name_and_other_options_is_refused() -> None:
    catalog = Catalog.synthetic(1, size=32)
    with pytest.raises(ValueError, match="would have the same name"):
        Nowcaster(Steps(levels=3)).evaluate(catalog, baselines=("steps",))
