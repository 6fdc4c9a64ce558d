"""Hail in footprints: by a model, by MESH, or refused with the reason."""

import numpy as np
import pytest
import xarray as xr
from tests.test_footprint import labelled

from stormfusion import Catalog, Ensemble, Nowcaster
from stormfusion.data import synthetic_reports
from stormfusion.hail import HailModel

HAIL = "hail >= 0.5 inch"


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.synthetic(events=24, size=64, frames=25, variables=["vil"])


@pytest.fixture(scope="module")
def model(catalog) -> HailModel:
    reports = synthetic_reports(catalog)
    return HailModel.fit(catalog, reports, size="0.5 inch", progress=False)


@pytest.fixture(scope="module")
def forecast(catalog) -> dict:
    event = max(catalog, key=lambda event: float(event["vil"].max()))
    return {"event": event, "reference_time": event.time[12], "members": 5}


def test_the_probability_is_the_mean_over_the_members(model, forecast) -> None:
    nowcaster = Nowcaster("steps", leads=4)
    event = forecast["event"]
    options = {key: forecast[key] for key in ("reference_time", "members")}
    made = nowcaster.footprint(event, HAIL, hail=model, **options).dataset
    assert made["hazard"].values.tolist() == ["hail >= 12.7 mm in 15 min within 10 km"]
    ensemble = nowcaster.ensemble(event, **options)
    chance = model.probability(ensemble.dataset["vil"])
    known = chance.notnull().mean("member")
    expected = chance.mean("member").where(known >= 0.5)
    np.testing.assert_allclose(made.probability[0], expected, atol=1e-5)
    # of the window, the largest of the leads of each member
    largest = chance.max("lead").where(chance.notnull().all("lead")).mean("member")
    found = made.window_probability[0]
    there = found.notnull() & largest.notnull()
    np.testing.assert_allclose(found.where(there), largest.where(there), atol=1e-5)
    assert float(found.max()) > 0.05
    again = ensemble.footprint(HAIL, hail=model).dataset
    np.testing.assert_allclose(made.probability, again.probability, atol=1e-6)
    alone = ensemble.probability(HAIL, hail=model)
    np.testing.assert_allclose(made.probability[0], alone, atol=1e-5)


def test_a_footprint_says_that_it_is_of_reports(model, forecast) -> None:
    event = forecast["event"]
    made = Nowcaster("steps", leads=3).footprint(
        event,
        HAIL,
        "vil >= 12 kg m-2",
        hail=model,
        members=3,
        reference_time=event.time[12],
    )
    told = made.dataset.attrs["hail_model"]
    assert "report" in told
    assert made.hazards[0].distance == model.distance
    # members have no displacement of a chance
    assert made.dataset.displacement.sel(hazard=str(made.hazards[0])).isnull().all()


def test_without_a_model_hail_is_refused_with_the_reason(forecast) -> None:
    event = forecast["event"]
    with pytest.raises(
        ValueError, match=r"hail cannot be told from vil alone.*HailModel\.fit\(catalog"
    ):
        Nowcaster("steps", leads=2).footprint(
            event, "hail >= 1 inch", members=2, reference_time=event.time[12]
        )


def test_another_hail_than_the_model_tells_is_refused(model, forecast) -> None:
    event = forecast["event"]
    options = {"members": 2, "reference_time": event.time[12], "hail": model}
    steps = Nowcaster("steps", leads=2)
    for text in (
        "hail >= 1 inch",
        "hail >= 0.5 inch in 30 min",
        "hail >= 0.5 inch within 5 km",
    ):
        with pytest.raises(ValueError, match=r"asked of a HailModel that tells 'hail"):
            steps.footprint(event, text, **options)
    rain = labelled(np.ones((2, 2, 4, 4)), "rain_rate").to_dataset()
    with pytest.raises(ValueError, match=r"HailModel is of 'vil', so fit one on rain"):
        Ensemble(rain).footprint(HAIL, hail=model)
    with pytest.raises(TypeError, match=r"wanted a fitted HailModel; see HailModel"):
        Ensemble(rain).footprint("rain_rate >= 1 mm/h", hail="yes")


def test_of_mesh_hail_is_an_exceedance() -> None:
    values = np.array([10.0, 25.4, 30.0, 0.0]).reshape(4, 1, 1, 1)
    made = Ensemble(labelled(values, "mesh").to_dataset()).footprint("hail >= 1 inch")
    assert made.dataset.probability.item() == 0.5
    assert made.dataset["hazard"].item() == "hail >= 25.4 mm"
    truth = labelled(values[1:2], "mesh").isel(member=0, drop=True)
    assert made.verify(truth).brier.item() == 0.25


def test_missing_pixels_are_not_counted(model, forecast) -> None:
    event = forecast["event"]
    ensemble = Nowcaster("steps", leads=2).ensemble(
        event, members=3, reference_time=event.time[12]
    )
    vil = ensemble.values.where(ensemble.values.x < ensemble.values.x[20])
    holed = Ensemble(vil.to_dataset(name="vil")).footprint(HAIL, hail=model).dataset
    assert holed.window_probability[0, :, 40:].isnull().all()
    assert holed.window_probability[0, 20:40, 5:15].notnull().all()
    assert isinstance(holed, xr.Dataset)
