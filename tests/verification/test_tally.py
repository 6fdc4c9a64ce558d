import numpy as np
import pytest
import xarray as xr

from stormfusion import verification
from stormfusion.errors import GridMismatchError
from stormfusion.units import vil_from_bytes
from stormfusion.verification import THRESHOLDS, Tally

LEAD = np.array([5, 10, 15], "timedelta64[m]")
OVER = ("case", "y", "x")


def window(seed, *, members=0, missing=0.0):
    rng = np.random.default_rng(seed)
    shape = (members, 3, 7, 8) if members else (3, 7, 8)
    values = rng.gamma(0.5, 4, shape).astype(np.float32)
    values[rng.random(shape) < missing] = np.nan
    return xr.DataArray(
        values,
        dims=("member", "lead", "y", "x")[-values.ndim :],
        coords={"lead": LEAD, "y": 1e3 * np.arange(7), "x": 1e3 * np.arange(8)},
        attrs={"units": "mm h-1"},
        name="rain_rate",
    )


def tally():
    return Tally("rain_rate", thresholds=[0.5, 2.0], scales=[1, 3], bins=5)


def filled():
    scores = tally()
    for case in range(3):
        scores.add(
            {"net": window(10 + case, missing=0.1), "persistence": window(20 + case)},
            window(case, missing=0.1),
            ensembles={"net": window(30 + case, members=4)},
        )
    return scores


def test_one_dataset_with_everything():
    result = filled().dataset()
    assert result.cases.item() == 3
    assert dict(result.sizes) == {
        "forecast": 2,
        "lead": 3,
        "threshold": 2,
        "scale": 2,
        "bin": 5,
        "wavelength": 18,
        "rank": 5,
    }
    assert result.forecast.values.tolist() == ["net", "persistence"]
    for name in ("csi", "pod", "far", "bias", "hss", "brier", "hits", "misses"):
        assert result[name].dims == ("forecast", "lead", "threshold"), name
    for name in ("mse", "mae", "mean_error", "crps", "pairs"):
        assert result[name].dims == ("forecast", "lead"), name
    assert result.fss.dims == ("forecast", "lead", "threshold", "scale")
    for name in ("forecast_probability", "observed_frequency", "count"):
        assert result[name].dims == ("forecast", "threshold", "bin"), name
    assert result.base_rate.dims == ("threshold",)
    for name, array in result.items():
        assert array.attrs["long_name"], name
        assert array.attrs["units"], name
    assert result.mse.attrs["units"] == "(mm h-1)^2"
    assert result.threshold.attrs["units"] == "mm h-1"
    assert "fair for the members of net" in result.crps.attrs["comment"]


def test_the_scores_are_those_of_all_cases_together():
    result = filled().dataset()
    forecasts = [window(10 + case, missing=0.1) for case in range(3)]
    members = [window(30 + case, members=4) for case in range(3)]
    observed = xr.concat([window(case, missing=0.1) for case in range(3)], "case")
    forecast, ensemble = (
        xr.concat(a, "case", coords="minimal") for a in (forecasts, members)
    )
    valid = forecast.notnull()
    net = result.sel(forecast="net")
    at = {"threshold": [0.5, 2.0], "over": OVER}
    expected = {
        "csi": verification.csi(forecast, observed, **at),
        "hss": verification.hss(forecast, observed, **at),
        "mse": verification.mse(forecast, observed, over=OVER),
        "crps": verification.crps(ensemble, observed.where(valid), over=OVER),
        "brier": verification.brier(ensemble, observed.where(valid), **at),
        "fss": verification.fss(forecast, observed, scale=[1, 3], **at),
    }
    for name, score in expected.items():
        np.testing.assert_allclose(
            net[name].transpose(*score.dims), score, rtol=1e-6, err_msg=name
        )


def test_a_pixel_counts_for_all_forecasts_or_for_none():
    scores = tally()
    observed, good = window(0), window(1)
    gap = good.where(good.x > 2e3)
    members = window(2, members=3).where(good.y > 0)
    scores.add({"good": good, "gap": gap}, observed, ensembles={"good": members})
    result = scores.dataset()
    assert (result.pairs == 5 * 6).all()
    np.testing.assert_array_equal(
        result.mse.sel(forecast="good"), result.mse.sel(forecast="gap")
    )
    np.testing.assert_array_equal(result["count"].sum("bin"), 3 * 5 * 6)


def test_single_forecasts_have_the_absolute_error_for_crps():
    scores = tally()
    scores.add({"net": window(1), "one": window(1, members=1)}, window(0))
    result = scores.dataset()
    np.testing.assert_array_equal(result.crps.sel(forecast="net"), result.mae[0])
    np.testing.assert_array_equal(result.crps.sel(forecast="one"), result.mae[1])
    assert result.crps.attrs["comment"] == "absolute error of single forecasts"


def test_an_ensemble_is_scored_by_its_mean_and_its_members():
    scores = tally()
    members, observed = window(1, members=5), window(0)
    scores.add({"ensemble": members}, observed)
    result = scores.dataset().isel(forecast=0)
    mean = members.mean("member").assign_attrs(members.attrs)
    np.testing.assert_allclose(result.mse, verification.mse(mean, observed), rtol=1e-6)
    np.testing.assert_allclose(result.crps, verification.crps(members, observed))
    fss = verification.fss(members, observed, threshold=[0.5, 2.0], scale=[1, 3])
    np.testing.assert_allclose(result.fss.transpose(*fss.dims), fss)


def test_tallies_merge():
    first, second = tally(), tally()
    forecast, observed = {"net": window(1)}, window(0)
    first.add(forecast, observed)
    second.add(forecast, window(5))
    both = first.merge(second)
    assert both.cases == 2
    assert first.cases == second.cases == 1
    whole = tally()
    whole.add(forecast, observed)
    whole.add(forecast, window(5))
    xr.testing.assert_allclose(both.dataset(), whole.dataset())
    xr.testing.assert_identical(first.merge(tally()).dataset(), first.dataset())
    xr.testing.assert_identical(tally().merge(first).dataset(), first.dataset())
    assert tally().merge(tally()).cases == 0
    other = Tally("rain_rate", thresholds=[1.0, 2.0], scales=[1, 3], bins=5)
    other.add(forecast, observed)
    with pytest.raises(ValueError, match="cannot merge tallies of other thresholds"):
        first.merge(other)


def test_cases_may_lie_on_other_grids_with_the_same_leads():
    scores = tally()
    scores.add({"net": window(1)}, window(0))
    scores.add({"net": window(1).isel(x=slice(5))}, window(0).isel(x=slice(5)))
    assert (scores.dataset().pairs == 7 * 8 + 7 * 5).all()
    with pytest.raises(ValueError, match="same leads"):
        scores.add({"net": window(1)[:2]}, window(0)[:2])


def test_other_grids_within_a_case_are_refused():
    shifted = window(1).assign_coords(x=1e3 * np.arange(8) + 1e3)
    with pytest.raises(GridMismatchError, match="other places in x"):
        tally().add({"net": window(1), "other": shifted}, window(0))
    with pytest.raises(GridMismatchError, match="differ in y"):
        tally().add(
            {"net": window(1)},
            window(0),
            ensembles={"net": window(2, members=3).isel(y=slice(3))},
        )


def test_the_same_forecasts_in_every_case():
    scores = tally()
    with pytest.raises(ValueError, match="no forecast"):
        scores.add({}, window(0))
    scores.add({"net": window(1)}, window(0))
    with pytest.raises(ValueError, match=r"cases before were of \['net'\]"):
        scores.add({"persistence": window(1)}, window(0))
    with pytest.raises(ValueError, match=r"ensembles \['other'\] have no forecast"):
        scores.add({"net": window(1)}, window(0), ensembles={"other": window(1)})
    assert scores.cases == 1


def test_no_case_is_no_score():
    assert tally().cases == 0
    with pytest.raises(ValueError, match=r"Tally\.add"):
        tally().dataset()


def test_all_missing_is_nan_with_zero_counts():
    scores = tally()
    scores.add({"net": window(1)}, window(0, missing=1.1))
    result = scores.dataset()
    assert (result.pairs == 0).all()
    for name in ("csi", "mse", "crps", "fss", "brier", "base_rate"):
        assert result[name].isnull().all(), name


def test_usual_thresholds():
    levels = vil_from_bytes(np.array([16, 74, 133, 160, 181, 219]))
    np.testing.assert_array_equal(THRESHOLDS["vil"], levels.astype(np.float64))
    assert Tally("vil").thresholds == list(THRESHOLDS["vil"])
    with pytest.raises(ValueError, match=r"no usual thresholds.*'snow'"):
        Tally("snow")
    assert Tally("snow", thresholds=[0]).thresholds == [0]


def test_units_of_the_variable_where_observations_have_none():
    scores = tally()
    observed = window(0)
    observed.attrs = {}
    scores.add({"net": window(1)}, observed)
    assert scores.dataset().mae.attrs["units"] == "mm h-1"
    assert observed.attrs == {}


def large(seed, *, smooth=0.0):
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    rough = gaussian_filter(rng.normal(size=(2, 48, 40)), (0, 2, 2))
    decibel = gaussian_filter(60 * rough / rough.std() / 4 + 15, (0, smooth, smooth))
    return xr.DataArray(
        decibel.clip(-10),
        dims=("lead", "y", "x"),
        coords={"lead": LEAD[:2], "y": 1e3 * np.arange(48), "x": 1e3 * np.arange(40)},
        attrs={"units": "dBZ"},
        name="reflectivity",
    )


def test_sharpness_stands_beside_skill():
    scores = Tally("reflectivity")
    for seed in range(2):
        forecasts = {"smooth": large(seed, smooth=3), "perfect": large(seed)}
        scores.add(forecasts, large(seed))
    result = scores.dataset()
    assert result.perceptual.dims == result.spectrum_ratio.dims == ("forecast", "lead")
    assert result.spectrum.dims == ("forecast", "lead", "wavelength")
    perfect, smooth = (result.sel(forecast=f) for f in ("perfect", "smooth"))
    assert perfect.perceptual.values.tolist() == [0, 0]
    assert bool((smooth.perceptual > 0).all())
    np.testing.assert_allclose(perfect.spectrum_ratio, 1)
    assert bool((smooth.spectrum_ratio < 0.5).all())
    assert "4 to 16 km" in result.spectrum_ratio.attrs["long_name"]


def test_no_sharpness_of_small_maps_of_odd_grids_and_of_other_variables():
    result = filled().dataset()
    assert bool(result.perceptual.isnull().all())  # 7 x 8 pixels
    bent = large(0).assign_coords(y=1e3 * np.arange(48.0) ** 1.2)
    scores = Tally("reflectivity")
    with pytest.warns(UserWarning, match=r"no spectra.*wanted even spacing"):
        scores.add({"net": bent}, bent)
    assert bool(scores.dataset().spectrum_ratio.isnull().all())
    assert bool(scores.dataset().perceptual.notnull().all())
    warm = large(0).rename("ir107").assign_attrs(units="degC")
    scores = Tally("ir107")
    scores.add({"net": warm}, warm)
    assert "perceptual" not in scores.dataset()
    assert bool(scores.dataset().spectrum_ratio.notnull().all())


def test_other_distances_of_ones_choice():
    from stormfusion.losses import MSE, SSIM, Perceptual, Temporal

    with pytest.raises(ValueError, match="'mse' compares pixel by pixel"):
        Tally("reflectivity", distances=[MSE()])
    for wrong, message in (
        ([Temporal()], "'temporal' compares 2 leads at once"),
        ([SSIM(), SSIM()], "'ssim' twice"),
    ):
        with pytest.raises(ValueError, match=message):
            Tally("reflectivity", distances=wrong)
    for wrong in ("perceptual", SSIM(), 3, ["perceptual"], [SSIM], [0.1 * SSIM()]):
        with pytest.raises(TypeError, match="wanted losses of whole maps"):
            Tally("reflectivity", distances=wrong)
    with pytest.raises(FileNotFoundError):
        Tally("reflectivity", distances=[Perceptual("absent.safetensors")])
    with pytest.raises(ValueError, match=r"'perceptual': .* knows nothing of ir107"):
        Tally("ir107", distances=[Perceptual()])
    scores = Tally("reflectivity", distances=[SSIM()])
    scores.add({"net": large(0)}, large(1))
    assert "perceptual" not in scores.dataset()
    assert bool((scores.dataset().ssim > 0.5).all())


def test_ranks_of_ensembles_of_other_sizes_are_left_out_and_it_says_so() -> None:
    rain = xr.DataArray(np.eye(8), dims=("y", "x"))
    made = {
        f"{n} members": xr.concat([rain * (i + 1) for i in range(n)], "member")
        for n in (2, 3)
    }
    tally = Tally("rain_rate", thresholds=[1.0], scales=[1], distances=())
    tally.add(made, rain)
    scores = tally.dataset()
    assert "rank_histogram" not in scores
    assert "ranks of their own" in scores.attrs["comment"]
    assert "spread" in scores
