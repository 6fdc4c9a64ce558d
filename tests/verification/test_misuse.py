"""What a newcomer gave, and got a number for."""

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from stormfusion.errors import GridMismatchError
from stormfusion.verification import (
    Tally,
    bootstrap,
    brier,
    categorical_scores,
    contingency,
    crps,
    crps_sums,
    csi,
    energy_sums,
    fss_sums,
    gdl_sums,
    merge,
    perceptual_distance,
    probability_sums,
    rank_histogram,
    rank_sums,
    sal_sums,
    spread_sums,
    ssim_sums,
    twcrps_sums,
    variogram_sums,
    verify,
)


def rain(*shape: int, seed: int = 0) -> xr.DataArray:
    values = np.random.default_rng(seed).gamma(0.5, 4.0, shape).astype(np.float32)
    dims = ("member", "lead", "y", "x")[-len(shape) :]
    return xr.DataArray(values, dims=dims, name="rain_rate", attrs={"units": "mm h-1"})


OBSERVED, FORECAST, ENSEMBLE = (
    rain(2, 40, 40),
    rain(2, 40, 40, seed=1),
    rain(4, 2, 40, 40, seed=2),
)


BARE = OBSERVED.drop_attrs()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            contingency(FORECAST, OBSERVED, threshold=1),
            contingency(FORECAST, OBSERVED, threshold=10),
        ),
        (
            contingency(FORECAST, OBSERVED, threshold=[1], pool=4),
            contingency(FORECAST, OBSERVED, threshold=[1], pool=16),
        ),
        (
            contingency(FORECAST, OBSERVED, threshold=[1], pool=4),
            contingency(FORECAST, OBSERVED, threshold=[1]),
        ),
        (
            fss_sums(FORECAST, OBSERVED, threshold=1, scale=1),
            fss_sums(FORECAST, OBSERVED, threshold=1, scale=5),
        ),
        (
            probability_sums(ENSEMBLE, OBSERVED, threshold=1),
            probability_sums(ENSEMBLE, OBSERVED, threshold=2),
        ),
        (
            twcrps_sums(ENSEMBLE, OBSERVED, threshold=1),
            twcrps_sums(ENSEMBLE, OBSERVED, threshold=2),
        ),
        (
            twcrps_sums(ENSEMBLE, OBSERVED, threshold=1),
            twcrps_sums(ENSEMBLE, OBSERVED, threshold=1, tail="lower"),
        ),
        (crps_sums(ENSEMBLE, OBSERVED), crps_sums(ENSEMBLE, OBSERVED, fair=False)),
        (energy_sums(ENSEMBLE, OBSERVED), energy_sums(ENSEMBLE, OBSERVED, fair=False)),
        (energy_sums(ENSEMBLE, OBSERVED), energy_sums(ENSEMBLE, OBSERVED, patch=8)),
        (
            ssim_sums(FORECAST, OBSERVED, data_range=50.0),
            ssim_sums(FORECAST, OBSERVED, data_range=60.0),
        ),
        (
            rank_sums(ENSEMBLE, OBSERVED, threshold=1.0),
            rank_sums(ENSEMBLE, OBSERVED, threshold=2.0),
        ),
        (gdl_sums(BARE, BARE), gdl_sums(BARE, BARE, alpha=2)),
        (
            variogram_sums(ENSEMBLE, OBSERVED, lags=[1]),
            variogram_sums(ENSEMBLE, OBSERVED, lags=[2]),
        ),
        (
            variogram_sums(ENSEMBLE, OBSERVED),
            variogram_sums(ENSEMBLE, OBSERVED, fair=False),
        ),
        (sal_sums(FORECAST, OBSERVED, wet=0.1), sal_sums(FORECAST, OBSERVED, wet=1.0)),
        (spread_sums(ENSEMBLE, OBSERVED), spread_sums(ENSEMBLE[:2], OBSERVED)),
    ],
)
def test_states_of_other_settings_do_not_add(
    one: xr.Dataset, other: xr.Dataset
) -> None:
    with pytest.raises(ValueError, match="cannot merge states"):
        merge(one, other)
    merge(one, one)


def test_the_same_range_of_ssim_adds_however_it_is_told() -> None:
    dbz = OBSERVED.rename("reflectivity").assign_attrs(units="dBZ")
    merge(ssim_sums(dbz, dbz), ssim_sums(dbz, dbz, data_range=70.0))


def test_scores_are_no_states() -> None:
    scores = categorical_scores(contingency(FORECAST, OBSERVED, threshold=1))
    with pytest.raises(ValueError, match=r"'csi', .* which do not add"):
        merge(scores, scores)
    with pytest.raises(TypeError, match=r"merge\(\*states\)"):
        merge([scores, scores])  # type: ignore[arg-type]
    cases = xr.concat([scores] * 30, "case")
    with pytest.raises(ValueError, match="which do not add"):
        bootstrap(cases, lambda sums: sums.csi)


def test_tallies_of_other_things_do_not_merge() -> None:
    one = Tally("mine", thresholds=[1.0], distances=())
    for other in (
        Tally("yours", thresholds=[1.0], distances=()),
        Tally("mine", thresholds=[2.0], distances=()),
        Tally("mine", thresholds=[1.0], scales=[3], distances=()),
    ):
        with pytest.raises(ValueError, match="cannot merge tallies of other"):
            one.merge(other)


def test_observations_of_another_time_are_refused() -> None:
    times = np.array(["2020-01-01T00:05", "2020-01-01T00:10"], "datetime64[ns]")
    forecast = ENSEMBLE.assign_coords(time=("lead", times))
    same = OBSERVED.assign_coords(time=("lead", times))
    late = OBSERVED.assign_coords(time=("lead", times + np.timedelta64(1, "h")))
    assert crps(forecast, same).equals(crps(ENSEMBLE, OBSERVED))
    with pytest.raises(GridMismatchError, match=r"00:05:00 and from 2020-01-01T01:05"):
        crps(forecast, late)
    with pytest.raises(GridMismatchError, match="other times"):
        verify(forecast, late, distances=())
    gap = times.copy()
    gap[1] = np.datetime64("NaT")
    known = OBSERVED.assign_coords(time=("lead", gap))
    assert crps(ENSEMBLE.assign_coords(time=("lead", gap)), known).notnull().all()
    now, then = (FORECAST[0].assign_coords(time=time) for time in times)
    with pytest.raises(GridMismatchError, match="other times"):
        csi(now, then, threshold=1)


def test_pixel_numbers_are_not_metres() -> None:
    places = {"y": np.arange(40.0), "x": np.arange(40.0)}
    forecast, observed = FORECAST.assign_coords(places), OBSERVED.assign_coords(places)
    with pytest.warns(UserWarning, match=r"no spectra .*no units and steps of 1"):
        scores = verify(forecast, observed, thresholds=[1], distances=())
    assert scores.granularity.isnull().all()
    assert scores.effective_resolution.isnull().all()
    assert scores.csi.notnull().all()


def test_units_of_what_probabilities_were_made_of_do_not_matter() -> None:
    chance = (ENSEMBLE >= 5).mean("member").assign_attrs(units="1")
    came = (OBSERVED >= 5).astype(float).assign_attrs(units="mm h-1")
    expected = brier(chance.drop_attrs(), came.drop_attrs())
    assert brier(chance, came).equals(expected)
    np.testing.assert_array_equal(
        verify(chance, came, probability=True).brier, expected
    )


def test_a_network_may_be_a_little_below_zero() -> None:
    dry = FORECAST.where(FORECAST > 1, -0.5)
    for kind in (lambda a: a, lambda a: a.chunk(lead=1)):
        found = verify(kind(dry), kind(OBSERVED), thresholds=[1], distances=())
        assert found.pairs.values.tolist() == [1600, 1600]
        np.testing.assert_allclose(
            found.mae, abs(dry.clip(0) - OBSERVED).mean(("y", "x"))
        )
    filled = FORECAST.where(FORECAST > 1, -9999.0)
    with pytest.warns(UserWarning, match="below all weather"):
        found = verify(filled, OBSERVED, thresholds=[1], distances=())
    assert found.pairs.sum() == (FORECAST > 1).sum()


def test_the_variable_named_goes_before_the_name_of_the_observations() -> None:
    mine = (a.assign_attrs(units="K") for a in (FORECAST, OBSERVED))
    scores = verify(*mine, variable="mine", thresholds=[1], distances=())
    assert "network numbers" not in scores.spectrum.attrs["comment"]
    named = verify(FORECAST, OBSERVED, thresholds=[1], distances=())
    assert "network numbers of rain_rate" in named.spectrum.attrs["comment"]


@pytest.mark.parametrize("lazily", ["forecast", "observed", "both"])
def test_verify_takes_dask_with_all_its_defaults(lazily: str) -> None:
    pytest.importorskip("dask")
    forecast = ENSEMBLE if lazily == "observed" else ENSEMBLE.chunk(lead=1, y=16)
    observed = OBSERVED if lazily == "forecast" else OBSERVED.chunk(lead=1, x=16)
    found, expected = verify(forecast, observed), verify(ENSEMBLE, OBSERVED)
    assert set(found) == set(expected)
    for name in expected:
        np.testing.assert_allclose(
            found[name].compute(), expected[name], rtol=1e-5, atol=1e-9, err_msg=name
        )
    np.testing.assert_allclose(
        perceptual_distance(forecast, observed).compute(),
        perceptual_distance(ENSEMBLE, OBSERVED),
    )


def test_stations_have_all_scores_but_those_of_maps() -> None:
    forecast, observed = (
        a.stack(station=("y", "x")).reset_index("station") for a in (ENSEMBLE, OBSERVED)
    )
    forecast, observed = (
        a.drop_vars(["y", "x"], errors="ignore") for a in (forecast, observed)
    )
    found, maps = verify(forecast, observed), verify(ENSEMBLE, OBSERVED, distances=())
    for name in ("csi", "crps", "mae", "brier", "spread_skill", "roc_area"):
        np.testing.assert_allclose(found[name], maps[name], rtol=1e-6)
    assert not {"fss", "spectrum", "granularity", "perceptual"} & set(found)


def test_what_is_wrong_is_told() -> None:
    with pytest.raises(
        TypeError, match="a NumPy array, whose dimensions have no names"
    ):
        verify(FORECAST.values, OBSERVED.values)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="observed is a str, not a DataArray"):
        verify(pd.DataFrame({"a": [1.0]}), pd.DataFrame({"a": [1.0]}))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="forecast is a Tensor, not a DataArray"):
        verify([torch.ones(2)], [OBSERVED])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="forecasts end after 1 cases"):
        verify(iter([FORECAST]), [OBSERVED, OBSERVED], thresholds=[1], distances=())
    with pytest.raises(ValueError, match="observations end after 1 cases"):
        verify([FORECAST, FORECAST], iter([OBSERVED]), thresholds=[1], distances=())
    with pytest.raises(ValueError, match=r"threshold is \[1, 5\]; give one number"):
        rank_histogram(ENSEMBLE, OBSERVED, threshold=[1, 5])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="name the variable with variable="):
        verify(FORECAST.rename(None), OBSERVED.rename(None))
    leads = np.array([5, 10], "timedelta64[m]").astype("timedelta64[ns]")
    with pytest.raises(GridMismatchError, match="5 to 10 min and 10 to 20 min"):
        csi(
            FORECAST.assign_coords(lead=leads),
            OBSERVED.assign_coords(lead=2 * leads),
            threshold=1,
        )
