"""Scores of footprints: by hand, of rain sums, and what is refused."""

import numpy as np
import pytest
import xarray as xr
from tests.test_footprint import labelled, one_pixel, streamed

from stormfusion import Ensemble, Footprint
from stormfusion.errors import GridMismatchError
from stormfusion.footprint.scoring import crps_of

RATE = "rain_rate >= 5 mm/h"


def rain(members: int = 5, leads: int = 4, size: int = 12) -> xr.DataArray:
    rng = np.random.default_rng(0)
    return labelled(rng.gamma(0.5, 10, (members, leads, size, size)), "rain_rate")


def by_time(truth: xr.DataArray, first: np.ndarray | None = None) -> xr.DataArray:
    """Frames by their times, with the one at the start if it is given."""
    frames = truth.swap_dims(lead="time").drop_vars("lead")
    if first is None:
        return frames
    start = frames[:1].copy(data=first[None])
    start = start.assign_coords(time=[truth.reference_time.to_numpy()])
    return xr.concat([start, frames], "time")


def test_rain_is_summed_as_that_of_the_forecast() -> None:
    # 12, 12 and 0 mm/h: 2 mm in the ten minutes to the second lead, 1.5 mm to the third
    members = one_pixel([12, 12, 0], [12, 12, 0], variable="rain_rate")
    made = streamed(members, ["rain >= 1.6 mm in 10 min"])
    scores = made.verify(members.isel(member=0, drop=True))
    np.testing.assert_array_equal(made.dataset.probability.squeeze(), [np.nan, 1, 0])
    np.testing.assert_array_equal(scores.brier.squeeze(), [np.nan, 0, 0])
    dry = members.isel(member=0, drop=True) * 0.0
    dry.attrs = members.attrs
    np.testing.assert_array_equal(made.verify(dry).brier.squeeze(), [np.nan, 1, 0])
    assert made.verify(dry).window_brier.item() == 1.0


def test_the_frame_at_the_start_is_used_where_it_is_given() -> None:
    members = one_pixel([24.0], [24.0], variable="rain_rate")
    dataset = members.to_dataset()
    dataset["initial"] = (("y", "x"), np.zeros((1, 1)), {"units": "mm h-1"})
    # from 0 to 24 mm/h in five minutes: 1 mm, and 2 mm without the start
    made = Ensemble(dataset).footprint("rain >= 1.5 mm in 5 min")
    assert made.dataset.probability.item() == 0.0
    truth = members.isel(member=0, drop=True)
    known = made.verify(by_time(truth, np.zeros((1, 1), dtype=np.float32)))
    assert known.brier.item() == 0.0
    assert made.verify(truth).brier.item() == 1.0


def test_curves_and_value_are_of_all_leads_together() -> None:
    members = rain()
    made = streamed(members, [RATE])
    truth = members.isel(member=0, drop=True)
    scores = made.verify(truth)
    assert scores.pod.dims == ("hazard", "bin")
    assert scores.economic_value.dims == ("hazard", "cost_loss")
    assert scores.brier.dims == ("hazard", "lead")
    assert {f"window_{n}" for n in ("pod", "pofd", "economic_value", "sharpness")} <= {
        *scores
    }
    # warned of everywhere, at the least probability
    assert scores.pod.isel(bin=0).item() == scores.pofd.isel(bin=0).item() == 1.0
    assert (scores.pod.diff("bin") <= 0).all()
    assert 0 < float(scores.economic_value.max()) <= 1


def test_of_each_lead_there_are_curves_and_value_too() -> None:
    members = rain()
    made = streamed(members, [RATE])
    truth = members.isel(member=1, drop=True)
    scores = made.verify(truth)
    curves = [str(name) for name in scores if str(name).startswith("lead_")]
    assert {"lead_pod", "lead_economic_value", "lead_consistency_upper"} <= {*curves}
    for lead in range(4):
        one = made.dataset[["probability"]].isel(lead=slice(lead, lead + 1))
        alone = Footprint(one).verify(truth.isel(lead=slice(lead, lead + 1)))
        for name in curves:
            np.testing.assert_allclose(
                scores[name].isel(lead=lead), alone[name.removeprefix("lead_")]
            )


def placed(array: xr.DataArray, scale: float = 1.0, **crs: str) -> xr.DataArray:
    """On a grid of kilometres, or in other units of length, of a projection."""
    attrs = {"units": {1.0: "m", 1e-3: "km"}[scale]}
    axes = {d: (d, scale * 1e3 * np.arange(array.sizes[d]), attrs) for d in "yx"}
    return array.assign_coords(axes).assign_attrs(crs)


def test_places_in_other_units_are_the_same() -> None:
    members = rain()
    made = streamed(placed(members, crs="EPSG:32632"), [RATE])
    truth = members.isel(member=0, drop=True)
    known = made.verify(placed(truth, crs="EPSG:32632"))
    xr.testing.assert_identical(made.verify(placed(truth, 1e-3)), known)
    moved = placed(truth, 1e-3)
    with pytest.raises(GridMismatchError, match=r"other places"):
        made.verify(moved.assign_coords(x=moved.x + 1.0))


def test_an_observation_in_another_projection_is_refused() -> None:
    members = placed(rain(), crs="EPSG:32632")
    truth = placed(rain().isel(member=0, drop=True), crs="EPSG:32633")
    with pytest.raises(GridMismatchError, match=r"zone 33N' and .* zone 32N', wanted"):
        Ensemble(members.to_dataset()).footprint(RATE).verify(truth)
    with pytest.raises(GridMismatchError, match=r"zone 33N' and .* zone 32N', wanted"):
        Ensemble(members.to_dataset()).verify(truth, distances=())


def test_sharpness_is_the_variance_of_the_probabilities() -> None:
    members = rain()
    made = streamed(members, [RATE])
    truth = members.isel(member=0, drop=True)
    hole = truth.where(truth.x > 3000)
    found = made.verify(hole).sharpness.squeeze()
    chance = made.dataset.probability.squeeze().where(truth.x > 3000)
    np.testing.assert_allclose(found, chance.var(("y", "x")), rtol=1e-5)


def test_the_crps_of_many_percentiles_is_that_of_the_members() -> None:
    from stormfusion.verification import crps

    members = rain(members=60)
    truth = members.isel(member=0, drop=True)
    others = members.isel(member=slice(1, None))
    percentiles = np.linspace(1, 99, 99)
    made = Ensemble(others.to_dataset()).footprint(
        RATE, percentiles=percentiles, accumulation=False
    )
    scores = made.verify(truth)
    expected = crps(others, truth, fair=False)
    np.testing.assert_allclose(scores.crps, expected, rtol=0.02)
    assert scores.crps.long_name == "CRPS, estimated from 99 percentiles"
    assert scores.crps.units == "mm h-1"
    few = Ensemble(others.to_dataset()).footprint(RATE, accumulation=False)
    assert few.verify(truth).window_crps.long_name.endswith("from 3 percentiles")


def test_levels_in_any_order_tell_the_same_crps() -> None:
    score = xr.DataArray(
        [0.1, 0.4, 0.2], dims="quantile", coords={"quantile": [0.2, 0.5, 0.9]}
    )
    assert crps_of(score).item() == pytest.approx(2 * (0.025 + 0.14 + 0.05))
    turned = score.isel(quantile=[2, 0, 1])
    assert crps_of(turned).item() == pytest.approx(crps_of(score).item())


def test_reflectivity_is_scored_by_the_law_of_the_forecast() -> None:
    members = labelled(np.full((3, 3, 2, 2), 40.0), "reflectivity")
    ensemble = Ensemble(members.to_dataset())
    hazard = "rain >= 0.9 mm in 5 min"
    made = ensemble.footprint(hazard, law="marshall-palmer")
    assert made.dataset.attrs["zr_law"] == "marshall-palmer"
    truth = members.isel(member=0, drop=True)
    # 11.5 mm/h by this law, and 9.1 mm/h by another
    assert made.verify(truth).brier.max().item() == 0.0
    assert made.verify(truth, law="hko").brier.notnull().all()
    own = ensemble.footprint(hazard, law="dwd")
    odd = Footprint(own.dataset.assign_attrs(zr_law="ZRLaw(a=1, b=1)"))
    with pytest.raises(ValueError, match=r"has no name; pass it again as law="):
        odd.verify(truth)


def test_the_window_alone_can_be_scored() -> None:
    members = rain()
    made = Ensemble(members.to_dataset()).footprint(RATE, by_lead=False)
    scores = made.verify(members.isel(member=0, drop=True))
    assert "brier" not in scores
    assert scores.window_brier.dims == ("hazard",)


def test_other_observations_are_refused() -> None:
    members = rain()
    made = streamed(members, [RATE])
    truth = members.isel(member=0, drop=True)
    with pytest.raises(GridMismatchError):
        made.verify(truth.isel(x=slice(0, 6)))
    with pytest.raises(ValueError, match=r"no frame at lead 20 min and the forecast"):
        made.verify(truth.isel(lead=slice(0, 3)))
    hail = Footprint(
        xr.Dataset(
            {"window_probability": (("hazard", "y", "x"), np.zeros((1, 1, 1)))},
            coords={"hazard": ["hail >= 25.4 mm in 15 min within 10 km"]},
            attrs={"variable": "vil"},
        )
    )
    with pytest.raises(ValueError, match=r"reports of hail, .* HailModel.reliability"):
        hail.verify(truth)


def test_more_frames_than_the_forecast_has_are_fine() -> None:
    members = rain()
    truth = members.isel(member=0, drop=True)
    few = streamed(members.isel(lead=[1, 3]), [RATE])
    whole, exact = few.verify(truth), few.verify(truth.isel(lead=[1, 3]))
    xr.testing.assert_equal(whole, exact)


def test_area_by_hand() -> None:
    values = np.zeros((4, 1, 2, 3), dtype=np.float32)
    values[0, 0, 0, 0] = values[:2, 0, 1, 1] = values[:, 0, 1, 2] = 12.0
    values[:, 0, 0, 2] = np.nan
    made = streamed(labelled(values), ["vil >= 12 kg m-2"])
    area = made.area([0.25, 0.5, 1.0])
    # a tie at the level counts; pixels of one km2
    assert area.area.values.tolist() == [[[3.0, 2.0, 1.0]]]
    assert area.window_area.values.tolist() == [[3.0, 2.0, 1.0]]
    assert area.missing.values.tolist() == [[1.0]]
    assert area.window_area.attrs["units"] == "km2"
    assert made.area(0.5).window_area.values.tolist() == [[2.0]]


def test_area_on_degrees_is_smaller_to_the_poles() -> None:
    chance = np.ones((1, 2, 2))
    made = Footprint(
        xr.Dataset(
            {"window_probability": (("hazard", "y", "x"), chance)},
            coords={
                "hazard": ["vil >= 12 kg m-2"],
                "y": ("y", [60.0, 59.0], {"units": "degrees_north"}),
                "x": ("x", [5.0, 6.0], {"units": "degrees_east"}),
            },
        )
    )
    expected = 2 * 111.195**2 * np.cos(np.deg2rad([60.0, 59.0])).sum()
    assert made.area(0.5).window_area.item() == pytest.approx(expected, rel=1e-4)


def test_area_wants_a_hazard() -> None:
    with pytest.raises(ValueError, match=r"no hazard, so no probability; name one"):
        streamed(one_pixel([12], [0])).area()


@pytest.mark.parametrize("worst", [1.2, -0.3, 80.0])
def test_probabilities_are_shares(worst) -> None:
    chance = np.array([[[0.2, worst]]])
    dataset = xr.Dataset(
        {"probability": (("hazard", "y", "x"), chance)}, coords={"hazard": ["a"]}
    )
    with pytest.raises(ValueError, match=r"wanted shares from 0 to 1; divide percent"):
        Footprint(dataset)


def test_text_is_no_probability() -> None:
    chance = xr.DataArray([[["0.2", "0.3"]]], dims=("hazard", "y", "x"))
    with pytest.raises(TypeError, match=r"'window_probability' holds <U3, wanted num"):
        Footprint(chance.to_dataset(name="window_probability"))


def test_observations_without_labels_lie_where_the_forecast_does() -> None:
    members = rain(size=16).assign_coords(
        y=("y", 50 - 0.01 * np.arange(16), {"units": "degrees_north"}),
        x=("x", 8 + 0.01 * np.arange(16), {"units": "degrees_east"}),
    )
    made = Ensemble(members.to_dataset()).footprint("rain_rate >= 30 mm/h within 2 km")
    truth = members.isel(member=0, drop=True)
    plain = truth.copy()
    for dim in ("y", "x"):
        plain[dim] = truth[dim].to_numpy()
    xr.testing.assert_equal(made.verify(plain), made.verify(truth))


def test_percentiles_are_no_text() -> None:
    with pytest.raises(TypeError, match=r"percentiles are '50', wanted numbers from"):
        Ensemble(rain().to_dataset()).footprint(RATE, percentiles="50")


def test_the_roc_area_is_that_of_all_probabilities_however_few_the_bins() -> None:
    rng = np.random.default_rng(4)
    chance = rng.integers(0, 101, (1, 1, 20, 30)) / 100
    came = (rng.random((1, 20, 30)) < chance[0]).astype("float32") * 20
    leads = np.array([5], "timedelta64[m]").astype("timedelta64[ns]")
    dataset = xr.Dataset(
        {"probability": (("hazard", "lead", "y", "x"), chance)},
        {
            "hazard": ["vil >= 12 kg m-2"],
            "lead": leads,
            "y": 1e3 * np.arange(20.0),
            "x": 1e3 * np.arange(30.0),
        },
        {"variable": "vil"},
    )
    truth = dataset.probability[0].copy(data=came).assign_attrs(units="kg m-2")
    truth = truth.drop_vars("hazard")
    hit, miss = chance[0][came > 0], chance[0][came == 0]
    wanted = ((hit[:, None] > miss) + (hit[:, None] == miss) / 2).mean()
    for bins in (2, 10):
        scores = Footprint(dataset).verify(truth, bins=bins)
        assert scores.roc_area.item() == pytest.approx(wanted, rel=1e-9)
        assert scores.sizes["bin"] == bins
