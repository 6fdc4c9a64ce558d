"""Nowcasters that are calibrated: by default, in streams and in files."""

import numpy as np
import pytest
import xarray as xr

from stormfusion import Catalog, Nowcaster
from stormfusion.calibration import Calibration
from stormfusion.errors import CatalogError, NotFittedError

HAZARDS = ("vil >= 3.5 kg m-2", "vil >= 0.5 kg m-2 within 4 km")


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.synthetic(events=8, size=48)


@pytest.fixture(scope="module")
def nowcaster(catalog) -> Nowcaster:
    made = Nowcaster("persistence", history=2, leads=4)
    made.fit(catalog[:3], progress=False)
    return made.calibrate(
        catalog[3:7], hazards=HAZARDS, members=6, folds=4, progress=False
    )


def start(event) -> dict:
    return {"reference_time": event.time[12]}


def test_the_stream_equals_the_stack(nowcaster, catalog) -> None:
    event = catalog[7]
    streamed = nowcaster.footprint(event, *HAZARDS, members=7, **start(event))
    stacked = nowcaster.ensemble(event, members=7, **start(event)).footprint(*HAZARDS)
    xr.testing.assert_allclose(streamed.dataset, stacked.dataset, rtol=1e-5)
    assert streamed.dataset.attrs["calibration"] == nowcaster.calibration.text()
    assert stacked.dataset.attrs["calibration"] == nowcaster.calibration.text()


def test_it_is_applied_by_default_and_can_be_left_out(nowcaster, catalog) -> None:
    event = catalog[7]
    calibrated = nowcaster.ensemble(event, members=7, **start(event))
    plain = nowcaster.ensemble(event, members=7, calibrated=False, **start(event))
    assert not nowcaster.calibration.mapping.identity
    assert not calibrated.values.equals(plain.values)
    again = plain.calibrate(nowcaster.calibration)
    xr.testing.assert_allclose(again.values, calibrated.values, rtol=1e-6)
    raw = nowcaster.footprint(
        event, *HAZARDS, members=7, calibrated=False, **start(event)
    )
    assert raw.dataset.attrs["calibration"] == "none"
    assert "calibrated" not in raw.dataset


def test_the_deterministic_nowcast_stays(nowcaster, catalog) -> None:
    event = catalog[7]
    before = Nowcaster("persistence", history=2, leads=4).predict(event, **start(event))
    after = nowcaster.predict(event, **start(event))
    np.testing.assert_array_equal(before.vil, after.vil)


def test_scores_are_those_of_calibrated_members(nowcaster, catalog) -> None:
    scored = nowcaster.evaluate(
        catalog[3:7], members=6, baselines=(), distances=(), progress=False
    )
    crps = nowcaster.calibration.report.crps
    # the report's is of a sample of the pixels
    found = scored.crps.isel(forecast=0).mean().item()
    assert found == pytest.approx(crps.sel(stage="fitted").mean().item(), rel=0.1)


def test_the_file_keeps_it(nowcaster, catalog, tmp_path) -> None:
    loaded = Nowcaster.load(nowcaster.save(tmp_path / "nowcaster.safetensors"))
    event = catalog[7]
    one, other = (
        n.footprint(event, *HAZARDS, members=4, **start(event))
        for n in (nowcaster, loaded)
    )
    xr.testing.assert_identical(one.dataset, other.dataset)


def test_fitting_anew_forgets_it(catalog) -> None:
    made = Nowcaster("persistence", history=2, leads=2).fit(catalog[:2], progress=False)
    made.calibrate(catalog[2:4], members=3, progress=False)
    assert isinstance(made.calibration, Calibration)
    assert made.fit(catalog[:2], progress=False).calibration is None


def test_a_calibration_can_be_given(nowcaster, catalog) -> None:
    made = Nowcaster("persistence", history=2, leads=4).fit(catalog[:3], progress=False)
    assert made.calibrate(nowcaster.calibration).calibration is nowcaster.calibration
    assert "by persistence of 4 events" in nowcaster.calibration.text()


def test_a_calibration_of_another_recipe_is_told_of(nowcaster) -> None:
    given = nowcaster.calibration
    other = Nowcaster("steps", history=3, leads=4)
    with pytest.warns(UserWarning, match=r"by 'persistence', whose .* not .*'steps'"):
        assert other.calibrate(given).calibration is given
    for wrong, said in (
        ({"leads": 3}, "of 4 leads, 'steps' has 3; fit one on such"),
        ({"target": "rain_rate"}, "of vil, 'steps' of rain_rate; fit one on"),
    ):
        made = Nowcaster("steps", history=3, **{"leads": 4, **wrong})
        with pytest.raises(ValueError, match=said):
            made.calibrate(given)
        assert made.calibration is None


def test_one_event_is_warned_of(catalog) -> None:
    made = Nowcaster("steps", history=3, leads=2)
    with pytest.warns(UserWarning, match=r"one event only, .* give more"):
        made.calibrate(catalog[:1], members=2, progress=False)


def test_what_cannot_be_calibrated_is_refused(catalog) -> None:
    with pytest.raises(NotFittedError, match=r"call fit\(catalog\)"):
        Nowcaster("persistence", history=2).calibrate(catalog, progress=False)
    made = Nowcaster("steps", history=3, leads=40)
    with pytest.raises(CatalogError, match=r"unbroken frames .* give longer events"):
        made.calibrate(Catalog.synthetic(events=2, size=48, frames=12), progress=False)
    short = Nowcaster("steps", history=3, leads=2)
    with pytest.raises(TypeError, match=r"catalog"):
        short.calibrate([1, 2], progress=False)
    with pytest.raises(ValueError, match=r"members"):
        short.calibrate(catalog, members=1, progress=False)
    with pytest.raises(ValueError, match=r"folds"):
        short.calibrate(catalog, folds=1, progress=False)
