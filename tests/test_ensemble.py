"""Ensembles: what can be asked of members, whoever made them."""

import numpy as np
import pytest
import xarray as xr
from tests.test_footprint import HAZARD, labelled, one_pixel, stored

from stormfusion import Ensemble
from stormfusion.grids import grid_mapping, projection_of, title
from stormfusion.losses import MSE
from stormfusion.products.files.conventions import conventional


def ensemble(members: int = 7) -> Ensemble:
    values = stored(np.random.default_rng(0), (members, 3, 20, 22))
    return Ensemble(labelled(values).to_dataset())


def test_probability_by_hand() -> None:
    made = Ensemble(one_pixel([12, 0], [0, 11.9], [13, np.nan]).to_dataset())
    probability = made.probability(HAZARD)
    np.testing.assert_allclose(probability.values.ravel(), [2 / 3, 0])
    assert probability.attrs["units"] == "1"
    assert probability["hazard"].item() == HAZARD
    assert probability.dtype == np.float32


def test_half_precision_is_converted_in_single() -> None:
    kelvin = one_pixel([250.0], [250.0], variable="ir107").astype(np.float16)
    kelvin.attrs["units"] = "K"
    made = Ensemble(kelvin.to_dataset(name="ir107"))
    assert made.probability("ir107 >= 250 K").item() == 1.0
    slow = one_pixel([36.0], [36.0], variable="rain_rate") / 3.6e6
    slow.attrs["units"] = "m s-1"
    made = Ensemble(slow.astype(np.float16, keep_attrs=True).to_dataset())
    np.testing.assert_allclose(made.mean(), 36.0, rtol=0.01)


def test_a_projection_that_was_left_behind_is_told_of() -> None:
    values = labelled(stored(np.random.default_rng(0), (2, 1, 4, 4)))
    values.attrs["grid_mapping"] = "crs"
    with pytest.warns(
        UserWarning, match=r"'crs', which is not there.*\['vil', 'crs'\]"
    ) as told:
        made = Ensemble(values.to_dataset())
    assert told[0].filename == __file__
    written = conventional(made.footprint(HAZARD).dataset)
    assert "grid_mapping" not in written["probability"].attrs
    assert "grid_mapping" not in written["mean"].attrs


@pytest.mark.parametrize("where", ["array", "dataset", "variable", "coordinate"])
def test_footprints_keep_the_projection_wherever_it_is_told(where) -> None:
    axes = {d: (d, 1e3 * np.arange(4), {"units": "m"}) for d in "yx"}
    values = labelled(stored(np.random.default_rng(0), (2, 1, 4, 4)))
    dataset = values.assign_coords(axes).to_dataset()
    if where == "array":
        dataset["vil"].attrs["crs"] = "EPSG:32632"
    elif where == "dataset":
        dataset.attrs["crs"] = "EPSG:32632"
    else:
        dataset["crs"] = ((), 0, grid_mapping("EPSG:32632"))
        dataset["vil"].attrs["grid_mapping"] = "crs"
        dataset = dataset.set_coords("crs") if where == "coordinate" else dataset
    made = Ensemble(dataset)
    told = [made.probability(HAZARD), made.mean(), made.footprint(HAZARD).dataset]
    for result in told:
        assert "zone 32N" in title(projection_of(result))


def test_shares_are_not_taken_for_percentiles() -> None:
    with pytest.warns(UserWarning, match=r"all below the first; of shares"):
        ensemble().footprint(HAZARD, percentiles=(0.1, 0.9))


def test_percentile_mean_and_spread_by_hand() -> None:
    made = Ensemble(one_pixel([1.0], [2.0], [6.0], [7.0]).to_dataset())
    assert [made.percentile(p).item() for p in (0, 25, 26, 75, 100)] == [1, 1, 2, 6, 7]
    assert made.percentile(25)["quantile"].item() == 0.25
    assert made.mean().item() == 4.0
    assert made.spread().item() == pytest.approx(np.std([1, 2, 6, 7], ddof=1))
    assert made.mean().attrs["units"] == made.spread().attrs["units"] == "kg m-2"


def test_a_pixel_counts_in_the_members_that_know_it() -> None:
    nan = np.nan
    members = [1.0, nan, nan], [3.0, 5.0, nan], [nan, 7.0, nan], [nan, 15.0, 2.0]
    made = Ensemble(one_pixel(*members).to_dataset())
    found = {
        "mean": made.mean(),
        "spread": made.spread(),
        "probability": made.probability(HAZARD),
        "percentile": made.percentile(50),
    }
    found = {name: array.values.ravel() for name, array in found.items()}
    np.testing.assert_allclose(found["mean"], [2, 9, nan])
    np.testing.assert_allclose(found["spread"], [2**0.5, 28**0.5, nan], rtol=1e-6)
    np.testing.assert_allclose(found["probability"], [0, 1 / 3, nan], rtol=1e-6)
    np.testing.assert_allclose(found["percentile"], [1, 7, nan])


@pytest.mark.parametrize("value", [-9999.0, 1e20])
def test_what_no_weather_has_is_missing(value: float) -> None:
    values = np.ones((3, 1, 2, 2), dtype="float32")
    values[1, 0, 0, 0] = value
    made = Ensemble(labelled(values).to_dataset())
    for found in (made.mean(), made.percentile(90), made.probability(HAZARD)):
        assert found.values[0, 0, 0] == found.values[0, 1, 1]
        assert np.isfinite(found.values[0, 1]).all()


@pytest.mark.parametrize("value", [32767.0, np.inf])
def test_what_is_too_much_for_weather_is_missing_and_told_of(value: float) -> None:
    values = np.ones((3, 1, 2, 2), dtype="float32")
    values[1, 0, 0] = value
    with pytest.warns(UserWarning, match=r"2 of 12 values of 'vil' are above 1000 kg"):
        made = Ensemble(labelled(values).to_dataset())
    assert int(made.values.isnull().sum()) == 2


def test_units_become_ours() -> None:
    values = np.full((3, 1, 2, 2), 0.01, dtype="float32")
    rain = labelled(values).rename("rain_rate").assign_attrs(units="m h-1")
    made = Ensemble(rain.to_dataset())
    assert made.values.attrs["units"] == "mm h-1"
    assert made.mean().values == pytest.approx(10.0)
    with pytest.raises(ValueError, match="does not convert to 'mm h-1'"):
        Ensemble(rain.assign_attrs(units="K").to_dataset())
    with pytest.raises(TypeError, match=r"lead holds int64, wanted times from the ref"):
        Ensemble(rain.assign_coords(lead=[5]).to_dataset())


@pytest.mark.parametrize("spoilt", [-9999.0, 1e20, np.nan])
def test_what_no_weather_has_is_not_scored(spoilt: float) -> None:
    made = ensemble()
    observed = made.values.isel(member=0, drop=True).copy()
    observed[:, :, 5:] = spoilt
    scores = made.verify(observed, scales=[1])
    assert int(scores.pairs.isel(lead=0).max()) == 20 * 5
    assert float(scores.crps.max()) < 100
    footprint = made.footprint(HAZARD)
    known = footprint.verify(observed.where(observed.x < observed.x[5]))
    assert footprint.verify(observed).brier.equals(known.brier)


def test_a_footprint_agrees_with_the_ensemble() -> None:
    made = ensemble()
    footprint = made.footprint(HAZARD, percentiles=[10, 90]).dataset
    np.testing.assert_array_equal(
        footprint.probability.sel(hazard=HAZARD), made.probability(HAZARD)
    )
    np.testing.assert_array_equal(
        footprint.percentile.sel(quantile=0.9), made.percentile(90)
    )
    np.testing.assert_allclose(footprint["mean"], made.mean(), rtol=1e-6)
    np.testing.assert_allclose(footprint.spread, made.spread(), rtol=1e-5)
    assert footprint.attrs["members"] == 7
    assert footprint.attrs["variable"] == "vil"


def test_dimensions_come_in_any_order() -> None:
    made = ensemble()
    turned = Ensemble(made.dataset.transpose("y", "x", "lead", "member"))
    xr.testing.assert_identical(turned.values, made.values)


def test_members_made_elsewhere() -> None:
    """Rain rates as pysteps has them: no labels but units and dimensions."""
    values = np.random.default_rng(1).gamma(1.0, 4.0, (5, 2, 16, 16)).astype("float32")
    rain = xr.DataArray(values, dims=("member", "lead", "y", "x"), name="rain_rate")
    with pytest.warns(UserWarning, match="'rain_rate' has no units and is taken to be"):
        Ensemble(rain.to_dataset())
    rain.attrs["units"] = "mm h-1"
    made = Ensemble(rain.to_dataset().assign(crs=0))
    assert repr(made) == (
        "<Ensemble of 5 members: rain_rate, 2 leads on 16 x 16 pixels>"
    )
    footprint = made.footprint("rain_rate >= 5 mm/h")
    expected = (values >= 5).any(1).mean(0)
    np.testing.assert_allclose(footprint.dataset.window_probability[0], expected)
    observed = rain.isel(member=0, drop=True)
    scores = made.verify(observed, scales=[1])
    assert np.isfinite(scores.crps).all()
    assert footprint.verify(observed).brier.shape == (1, 2)
    with pytest.raises(ValueError, match=r"the forecast has no valid times"):
        made.verify(observed.rename(lead="time"))


def test_verify_by_lead_and_by_time() -> None:
    made = ensemble()
    truth = made.values.isel(member=0, drop=True)
    by_lead = made.verify(truth, scales=[1])
    by_time = made.verify(
        truth.swap_dims(lead="time").drop_vars("lead").to_dataset(), scales=[1]
    )
    xr.testing.assert_equal(by_lead, by_time)
    assert by_lead.forecast.values.tolist() == ["ensemble"]
    assert {"crps", "csi", "fss", "brier"} <= set(by_lead.data_vars)
    late = truth.swap_dims(lead="time").drop_vars("lead")[1:]
    with pytest.raises(ValueError, match=r"no frame at 2019-06-01T12:05:00 and"):
        made.verify(late)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (np.zeros((2, 1, 3, 3)), TypeError, "got a ndarray, wanted an xarray Dataset"),
        (labelled(np.zeros((2, 1, 3, 3))), TypeError, "write array.to_dataset"),
        (xr.Dataset({"vil": ("x", [1.0])}), ValueError, "no variable with a dimens"),
        (
            labelled(np.zeros((2, 1, 3, 3))).rename("precip").to_dataset(),
            ValueError,
            "got precip with a dimension 'member', wanted exactly one of vil, .*rename",
        ),
        (
            labelled(np.zeros((2, 1, 3, 3))).rename(lead="step").to_dataset(),
            ValueError,
            "wanted member, lead, y and x; rename or expand them",
        ),
        (
            labelled(np.zeros((2, 1, 3, 3))).astype(str).to_dataset(),
            TypeError,
            "holds <U32, wanted numbers",
        ),
        (
            labelled(np.zeros((0, 1, 3, 3))).to_dataset(),
            ValueError,
            "has nothing along member, wanted one or more",
        ),
        *(
            (
                labelled(np.zeros((2, 3, 3, 3)))
                .assign_coords({dim: order})
                .to_dataset(),
                ValueError,
                f"{dim} has values twice or out of order",
            )
            for dim, order in (
                ("lead", [5, 5, 10]),
                ("lead", [15, 10, 5]),
                ("x", [0.0, 2.0, 1.0]),
            )
        ),
    ],
)
def test_what_is_no_ensemble(wrong, error, message: str) -> None:
    with pytest.raises(error, match=message):
        Ensemble(wrong)


def test_what_cannot_be_asked() -> None:
    made = ensemble()
    with pytest.raises(
        ValueError, match=r"speaks of rain_rate, the forecast is of vil"
    ):
        made.probability("rain_rate >= 1 mm/h")
    with pytest.raises(ValueError, match=r"wanted numbers from 0 to 100"):
        made.percentile(-1)
    for several in ([10, 50], "50"):
        with pytest.raises(TypeError, match=r"for several write footprint"):
            made.percentile(several)  # type: ignore[arg-type]
    single = Ensemble(made.dataset.isel(member=[0]))
    with pytest.raises(ValueError, match=r"one member has no spread, wanted 2 or more"):
        single.spread()
    with pytest.raises(ValueError, match=r"got 1 member, wanted 2 or more"):
        single.footprint(HAZARD)


def test_plot_returns_the_figure() -> None:
    from matplotlib.figure import Figure

    assert isinstance(ensemble().plot(), Figure)


def test_verify_leaves_out_distances_that_are_not_wanted() -> None:
    made = ensemble()
    observed = made.values.isel(member=0, drop=True)
    assert "perceptual" not in made.verify(observed, scales=[1], distances=())
    with pytest.raises(ValueError, match="compares pixel by pixel"):
        made.verify(observed, distances=[MSE()])


def test_times_are_utc_and_agree() -> None:
    dataset = one_pixel([1.0], [2.0]).to_dataset()
    text = dataset.assign_coords(reference_time="2019-06-01T12:00")
    with pytest.raises(TypeError, match=r"reference_time holds .*, wanted datetime64"):
        Ensemble(text)
    late = dataset.assign_coords(reference_time=np.datetime64("2020-01-01", "ns"))
    with pytest.raises(ValueError, match=r"time begins at 2019.*first lead are 2020"):
        Ensemble(late)
