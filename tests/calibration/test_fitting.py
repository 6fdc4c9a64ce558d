"""Calibrations fitted on past forecasts: what they do, say, and refuse."""

import numpy as np
import pytest
import xarray as xr
from tests.test_footprint import labelled

from stormfusion import Ensemble
from stormfusion.calibration import Calibration, Case, fit
from stormfusion.errors import CheckpointError

HAZARDS = ["rain_rate >= 2 mm/h", "rain_rate >= 5 mm/h", "rain >= 0.4 mm in 10 min"]
MEMBERS, LEADS, SIZE = 8, 3, 24


def smooth(values: np.ndarray) -> np.ndarray:
    for axis in (-2, -1):
        values = sum(np.roll(values, k, axis) for k in range(-2, 3)) / 5**0.5
    return values


def case(number: int, *, bias: float = 2.0) -> Case:
    """Members that are too strong and too alike, and what came."""

    def make():
        rng = np.random.default_rng(number)
        middle = smooth(rng.normal(0, 1, (1, LEADS, SIZE, SIZE)))
        off = smooth(rng.normal(0, 1, (MEMBERS + 1, LEADS, SIZE, SIZE)))
        rain = np.exp(middle + 0.5 * off) * (middle > -0.5)
        members = labelled(bias * rain[1:] ** 0.9, "rain_rate")
        return members, labelled(rain[:1], "rain_rate").isel(member=0, drop=True), None

    return Case(f"event {number // 2}", make)


@pytest.fixture(scope="module")
def fitted() -> Calibration:
    return fit([case(n) for n in range(12)], HAZARDS, folds=3, progress=False)


def test_nothing_is_worse_where_it_was_fitted(fitted) -> None:
    raw, after = (fitted.report.sel(stage=s) for s in ("raw", "fitted"))
    assert (after.crps <= raw.crps * (1 + 1e-9)).all()
    for name in ("brier", "window_brier"):
        told = raw[name].notnull()
        better = after[name] <= raw[name] * (1 + 1e-9)
        assert bool((better | ~told).all())
        assert bool(told.any())


def test_what_is_held_out_gains_where_there_is_much_to_gain(fitted) -> None:
    raw, held = (fitted.report.sel(stage=s) for s in ("raw", "held out"))
    assert (held.crps < 0.9 * raw.crps).all()
    assert (held.window_brier < 0.9 * raw.window_brier).all()
    # held out is no more than a little worse than fitted
    assert (held.crps > 0.98 * fitted.report.crps.sel(stage="fitted")).all()


def test_held_out_reliability_is_near_the_diagonal(fitted) -> None:
    held = fitted.report.sel(stage="held out")
    many = held.reliability_count > 300
    off = abs(held.reliability_forecast - held.reliability_observed).where(many)
    raw = fitted.report.sel(stage="raw")
    before = abs(raw.reliability_forecast - raw.reliability_observed)
    before = before.where(raw.reliability_count > 300)
    assert float(off.mean()) < 0.5 * float(before.mean())


def test_a_calibrated_ensemble_says_so_on_what_and_how_well(fitted) -> None:
    members, _, _ = case(99).make()
    ensemble = Ensemble(members.to_dataset()).calibrate(fitted)
    made = ensemble.footprint(*HAZARDS[:2], "rain_rate >= 50 mm/h").dataset
    assert "fitted on 12 forecasts of 6 events" in made.attrs["calibration"]
    assert "held out" in made.attrs["calibration"]
    assert made.calibrated.values.tolist() == [1, 1, 0]
    assert made.reliability_count.isel(hazard=0).sum() > 1000
    assert made.reliability_count.isel(hazard=2).isnull().all()
    plain = Ensemble(members.to_dataset()).footprint(HAZARDS[0]).dataset
    assert plain.attrs["calibration"] == "none"
    assert float(made["mean"].mean()) < 0.8 * float(plain["mean"].mean())


def test_probabilities_agree_with_each_other(fitted) -> None:
    members, _, _ = case(98).make()
    made = Ensemble(members.to_dataset()).calibrate(fitted).footprint(*HAZARDS[:2])
    chance, window = made.dataset.probability, made.dataset.window_probability
    assert (chance[1] <= chance[0] + 1e-6).all()
    assert (window[1] <= window[0] + 1e-6).all()
    assert (window >= chance.max("lead") - 1e-6).all()
    expected = (5.0 * chance).sum("lead")
    np.testing.assert_allclose(made.dataset.duration, expected, rtol=1e-5, atol=1e-5)


def test_of_an_ensemble_and_its_footprint_the_probability_is_one(fitted) -> None:
    members, _, _ = case(97).make()
    made = Ensemble(members.to_dataset()).calibrate(fitted)
    for hazard, has in ((HAZARDS[0], 1), ("rain_rate >= 3 mm h-1", 0)):
        chance = made.probability(hazard)
        told = made.footprint(hazard).dataset
        np.testing.assert_allclose(chance, told.probability[0], rtol=1e-6)
        assert chance.attrs["calibrated"] == told.calibrated.item() == has
    plain = Ensemble(members.to_dataset()).probability(HAZARDS[0])
    assert plain.attrs["calibrated"] == 0
    assert not np.allclose(plain, made.probability(HAZARDS[0]))


def test_hazards_that_imply_each_other_agree(fitted) -> None:
    members, _, _ = case(96).make()
    members = members.assign_coords(
        y=("y", 1e3 * np.arange(SIZE), {"units": "m"}),
        x=("x", 1e3 * np.arange(SIZE), {"units": "m"}),
    )
    made = Ensemble(members.to_dataset()).calibrate(fitted)
    here = HAZARDS[0]
    wider = [
        f"{here} in 10 min",
        f"{here} within 1 km",
        f"{here} in 15 min within 2 km",
    ]
    alone = made.footprint(here).dataset
    told = made.footprint(*wider, here).dataset
    for name in ("probability", "window_probability"):
        own, easier = told[name][-1], told[name][:-1]
        # the calibrated one is what it is alone, whatever else is asked for
        np.testing.assert_array_equal(own, alone[name][0])
        assert ((easier >= own) | np.isnan(easier)).all()
        assert (easier == own).any()
        assert (told[name][2] >= told[name][0]).where(told[name][2].notnull(), 1).all()


def test_probabilities_follow_their_curve(fitted) -> None:
    dataset = xr.Dataset(
        {
            "probability": (
                ("hazard", "lead", "y", "x"),
                np.full((1, LEADS, 1, 3), 0.1875, dtype=np.float32),
            ),
            "window_probability": (
                ("hazard", "y", "x"),
                np.array([[[0.0, 1.0, np.nan]]], dtype=np.float32),
            ),
        },
        coords={"hazard": ["rain_rate >= 2 mm h-1"], "lead": np.arange(LEADS)},
    )
    curve = fitted.curves["rain_rate >= 2 mm h-1"]
    found = fitted.footprint(dataset)
    # between one member of eight and two
    expected = (curve[:-1, 1] + curve[:-1, 2]) / 2
    np.testing.assert_allclose(found.probability[0, :, 0, 0], expected, rtol=1e-5)
    assert np.isnan(found.window_probability[0, 0, 2])
    # what was given stays as it was
    assert (dataset.probability == np.float32(0.1875)).all()


def test_what_harms_other_events_is_not_kept_unless_asked_for() -> None:
    # what one event teaches is wrong for the other
    cases = [case(n, bias=4.0 if n < 2 else 0.25) for n in range(4)]
    made = fit(cases, HAZARDS[:1], folds=2, progress=False)
    assert made.mapping.identity
    for name in ("crps", "brier"):
        raw, held = (made.report[name].sel(stage=s) for s in ("raw", "held out"))
        np.testing.assert_allclose(held, raw, rtol=1e-6)
    # of the window both were told too often
    raw, held = (made.report.window_brier.sel(stage=s) for s in ("raw", "held out"))
    assert (held < raw).all()
    assert "over the window -41.5% and -3.7%" in made.text()
    with pytest.warns(UserWarning, match=r"held out the calibration makes the Brier"):
        asked = fit(cases, HAZARDS[:1], folds=2, method="isotonic", progress=False)
    raw, held = (asked.report.brier.sel(stage=s).mean() for s in ("raw", "held out"))
    assert held > 1.01 * raw
    assert "members as they are, probabilities of rain" in asked.text()


def test_of_two_events_what_is_held_out_is_told_of_the_curves_chosen() -> None:
    cases = [case(n, bias=0.5) for n in range(4)]
    light, held = "rain_rate >= 0.5 mm h-1", {}
    for method in ("isotonic", "beta", "auto"):
        made = fit(cases, [light], folds=2, method=method, progress=False)
        held[method] = made.report.brier.sel(stage="held out", hazard=light)
    assert str(made.report.curve[0].values) == "beta; isotonic"
    of_beta, of_isotonic = (held["auto"] == held[m] for m in ("beta", "isotonic"))
    assert of_beta.any()
    assert of_isotonic.any()
    assert (of_beta | of_isotonic).all()


@pytest.mark.parametrize("method", ["auto", "isotonic", "beta", "none"])
def test_a_hazard_that_never_came_stays_as_it_is_told(method) -> None:
    never = "rain_rate >= 4000 mm h-1"
    with pytest.warns(UserWarning, match=r">= 4000.* came in none of the past forec"):
        made = fit(
            [case(n) for n in range(4)],
            [never, HAZARDS[0]],
            folds=2,
            method=method,
            progress=False,
        )
    curve = made.curves[never]
    np.testing.assert_allclose(
        curve, np.tile(np.linspace(0, 1, curve.shape[1]), (4, 1))
    )
    assert f"probabilities as they are of {never}" in made.text()


def test_one_event_cannot_be_held_out() -> None:
    made = fit([case(0), case(1)], HAZARDS[:1], progress=False)
    assert made.report.crps.sel(stage="held out").isnull().all()
    assert made.report.brier.sel(stage="held out").isnull().all()
    assert "not known held out" in made.text()


def test_it_comes_back_from_its_file(fitted, tmp_path) -> None:
    path = fitted.save(tmp_path / "rain.safetensors")
    again = Calibration.load(path)
    xr.testing.assert_identical(again.report, fitted.report)
    assert again.text() == fitted.text()
    members, _, _ = case(97).make()
    ensemble = Ensemble(members.to_dataset())
    one, other = (ensemble.calibrate(c).footprint(*HAZARDS) for c in (fitted, again))
    xr.testing.assert_identical(one.dataset, other.dataset)


def test_files_of_other_things_are_refused(fitted, tmp_path) -> None:
    from stormfusion import checkpoint

    path = checkpoint.save(tmp_path / "other.safetensors", {}, {"mine": 1})
    with pytest.raises(CheckpointError, match=r"holds no calibration, wanted a file"):
        Calibration.load(path)
    tensors, header = fitted.to_tensors()
    del tensors["calibration.curve0"]
    with pytest.raises(CheckpointError, match=r"cannot be understood .*fit it again"):
        Calibration.from_tensors(tensors, header)


def test_other_ensembles_are_refused(fitted) -> None:
    members, _, _ = case(96).make()
    vil = members.rename("vil").assign_attrs(units="kg m-2").to_dataset()
    with pytest.raises(ValueError, match=r"is of rain_rate, the ensemble of vil; fit"):
        Ensemble(vil).calibrate(fitted)
    with pytest.raises(ValueError, match=r"is of 3 leads, the ensemble has 2; fit"):
        Ensemble(members.isel(lead=[0, 1]).to_dataset()).calibrate(fitted)
    later = members.drop_vars("time").assign_coords(lead=(members.lead * 2).values)
    with pytest.raises(ValueError, match=r"is of other lead times than the ensemble"):
        Ensemble(later.to_dataset()).calibrate(fitted)
    once = Ensemble(members.to_dataset()).calibrate(fitted)
    with pytest.raises(ValueError, match=r"calibrated already; ask the nowcaster"):
        once.calibrate(fitted)
    with pytest.raises(ValueError, match=r"calibrated already"):
        Ensemble(once.dataset).calibrate(fitted)
    mixed = Ensemble.mixed(*[Ensemble(members.to_dataset())] * 2, weights=(1, 3))
    with pytest.raises(ValueError, match=r"have weights, .* before they are mixed"):
        mixed.calibrate(fitted)
    with pytest.raises(TypeError, match=r"wanted a Calibration; take that of a now"):
        mixed.calibrate("good")


@pytest.mark.parametrize(
    ("options", "helpful"),
    [
        ({"method": "best"}, r"wanted one of 'auto', 'isotonic', 'beta', 'none'"),
        ({"hazards": ["vil >= 1 kg m-2"]}, r"speaks of vil, the forecast is of rain"),
    ],
)
def test_odd_settings_are_refused(options, helpful) -> None:
    with pytest.raises(ValueError, match=helpful):
        fit([case(0)], progress=False, **options)


def test_no_case_and_unlike_cases_are_refused() -> None:
    with pytest.raises(ValueError, match=r"no past forecast to calibrate on, wanted"):
        fit([], progress=False)

    def shorter():
        members, observed, frame = case(1).make()
        return members.isel(lead=[0]), observed.isel(lead=[0]), frame

    with pytest.raises(ValueError, match=r"have 3 and 1 leads, wanted as many"):
        fit([case(0), Case("b", shorter)], progress=False)


def test_missing_observations_do_not_count() -> None:
    def holed(number: int) -> Case:
        def make():
            members, observed, frame = case(number).make()
            observed = observed.where(observed.x < 12_000)
            # where nothing was observed, members are nonsense
            members = members.where(members.x < 12_000, 80.0)
            return members, observed, frame

        return Case(f"{number}", make)

    made = fit([holed(n) for n in range(4)], HAZARDS[:1], folds=2, progress=False)
    count = made.report.reliability_count.sel(stage="raw").sum().item()
    assert count == 4 * (LEADS + 1) * SIZE * 12
    assert made.report.crps.max() < 5


@pytest.mark.parametrize(
    ("change", "error", "helpful"),
    [
        (lambda m, o: (m, o.assign_attrs(units="inch h-1")), ValueError, "same units"),
        (lambda m, o: (m, o.isel(x=slice(5))), ValueError, r"differ in x \(24 and 5"),
        (lambda m, o: (m, o.isel(lead=0)), TypeError, "wanted a DataArray with lead"),
        (lambda m, o: (m, 3), TypeError, "observed of 'a' are int, wanted a DataArray"),
        (lambda m, o: (m, o * np.nan), ValueError, "no pixel is known in members and"),
    ],
)
def test_what_does_not_belong_together_is_refused(change, error, helpful) -> None:
    def make():
        members, observed, frame = case(0).make()
        return *change(members, observed), frame

    with pytest.raises(error, match=helpful):
        fit([Case("a", make)], HAZARDS[:1], progress=False)


def test_a_past_forecast_is_a_case() -> None:
    with pytest.raises(TypeError, match=r"got a function .*, wanted a Case; write"):
        fit([case(0).make], progress=False)


def test_one_hazard_needs_no_list() -> None:
    made = fit([case(0), case(2)], HAZARDS[0], method="isotonic", progress=False)
    assert list(made.curves) == ["rain_rate >= 2 mm h-1"]


def test_mixed_members_say_how_each_is_calibrated(fitted) -> None:
    members, _, _ = case(95).make()
    raw = Ensemble(members.to_dataset())
    ready = raw.calibrate(fitted)
    for both in (Ensemble.mixed(raw, ready), Ensemble.mixed(ready, raw)):
        told = both.footprint(HAZARDS[0]).dataset.attrs["calibration"]
        assert "8 members: none" in told
        assert "8 members: quantile mapping" in told
        with pytest.raises(ValueError, match=r"calibrated already"):
            both.calibrate(fitted)
    bare = Ensemble(members.drop_vars("member").to_dataset())
    assert Ensemble.mixed(bare, raw).members == 2 * MEMBERS
    plain = Ensemble.mixed(raw, raw).footprint(HAZARDS[0]).dataset
    assert plain.attrs["calibration"] == "none"
