"""Products by hand on one pixel; gathered one by one as all at once."""

import numpy as np
import pytest
import xarray as xr
from tests.test_footprint import labelled, one_pixel, stored, streamed

from stormfusion import Ensemble, Footprint
from stormfusion.data.scaling import scaling_for
from stormfusion.footprint import Accumulator, Means, stacked

nan = np.nan
MAKERS = pytest.mark.parametrize("make", [stacked, streamed], ids=["stacked", "stream"])
TIMES = ("arrival_lower", "arrival", "arrival_upper")


def at(made: Footprint, *names: str) -> list[float]:
    """Values at the one pixel."""
    return [float(made.dataset[name].squeeze()) for name in names]


@MAKERS
def test_arrival_by_hand(make) -> None:
    first = {1: 5, 2: 10, 3: 15, 4: 20}
    leads = [[12.0 * (lead >= n) for lead in range(1, 5)] for n in (1, 2, 2, 3, 4)]
    # of six members five have it, first at 5, 10, 10, 15 and 20 minutes
    made = make(one_pixel(*leads, [0, 0, 0, 0]), ["vil >= 12 kg m-2"])
    assert at(made, *TIMES) == [first[1], first[2], first[4]]
    # it lasts 20, 15, 15, 10, 5 and 0 minutes
    assert at(made, "duration") == [pytest.approx(65 / 6)]
    assert made.dataset.arrival.attrs["units"] == "min"
    never = make(one_pixel([0, 0], [0, 0]), ["vil >= 12 kg m-2"])
    np.testing.assert_array_equal(at(never, *TIMES, "duration"), [nan, nan, nan, 0])


@MAKERS
def test_it_arrives_once(make) -> None:
    made = make(one_pixel([0, 12, 0, 12], [12, 0, 0, 12]), ["vil >= 12 kg m-2"])
    assert at(made, *TIMES, "duration") == [5, 5, 10, 10]


@MAKERS
def test_duration_goes_by_the_steps(make) -> None:
    members = one_pixel([12, 0, 12], [12, 12, 0])
    minutes = np.array([0, 10, 40], dtype="m8[m]").astype("m8[ns]")
    made = make(members.assign_coords(lead=minutes), ["vil >= 12 kg m-2"])
    # the frame at the start stands for no time, the last one for half an hour
    assert at(made, "arrival", "duration") == [0, (30 + 10) / 2]


@MAKERS
def test_leads_before_the_start_have_no_length(make) -> None:
    members = one_pixel([12, 12], [12, 12])
    minutes = np.array([-5, 0], dtype="m8[m]").astype("m8[ns]")
    made = make(members.assign_coords(lead=minutes), ["vil >= 12 kg m-2"])
    assert at(made, "arrival", "duration") == [-5, 0]
    alone = make(
        one_pixel([3.0], [5.0], variable="rain_rate").assign_coords(lead=minutes[1:]),
        ["rain_rate >= 4 mm/h"],
    )
    assert at(alone, "probability", "arrival", "duration") == [0.5, 0, 0]
    assert "accumulation" not in alone.dataset


@MAKERS
def test_windows_by_hand(make) -> None:
    # 12 mm/h is 1 mm in 5 minutes; steady rain has no edges
    members = one_pixel([12] * 4, [24] * 4, variable="rain_rate")
    made = make(members, ["rain >= 3 mm in 15 min", "rain_rate >= 24 mm/h in 10 min"])
    np.testing.assert_array_equal(
        made.dataset.probability.squeeze(), [[nan, nan, 1, 1], [nan, 0.5, 0.5, 0.5]]
    )
    assert made.dataset.window_probability.values.ravel().tolist() == [1, 0.5]
    # the window is whole at 15 and at 10 minutes
    assert made.dataset.arrival.values.ravel().tolist() == [15, 10]
    assert np.isnan(made.dataset.duration).all()


@MAKERS
def test_accumulation_and_window_mean_by_hand(make) -> None:
    members = one_pixel([12, 24, 0], [0, 0, 12], [0, 0, 0], variable="rain_rate")
    made = make(members, (), percentiles=[0, 50, 100])
    # each the mean of the frames at both ends: 1 + 1.5 + 1, 0 + 0 + 0.5 and 0 mm
    assert at(made, "accumulation", "window_mean") == [
        pytest.approx(4 / 3, abs=1e-4),
        12,
    ]
    np.testing.assert_allclose(
        made.dataset.accumulation_percentile.squeeze(), [0, 0.5, 3.5], rtol=0.02
    )
    np.testing.assert_allclose(
        made.dataset.window_percentile.squeeze(), [0, 12, 24], rtol=0.03
    )
    assert made.dataset.accumulation.attrs["units"] == "mm"
    started = make(members, (), initial=np.full((1, 1), 12.0))
    assert at(started, "accumulation") == [pytest.approx((3.5 + 1 + 0.5) / 3, abs=1e-4)]


@MAKERS
def test_rain_is_summed_as_it_is(make) -> None:
    members = one_pixel([1, 2, 4], [0, 0, 2], variable="rain")
    made = make(members, ["rain >= 6 mm in 10 min"], percentiles=[100])
    assert at(made, "accumulation") == [4.5]
    np.testing.assert_array_equal(made.dataset.probability.squeeze(), [nan, 0, 0.5])
    # what is at lead 0 fell before the start
    minutes = np.array([0, 5, 10], dtype="m8[m]").astype("m8[ns]")
    made = make(members.assign_coords(lead=minutes), ())
    assert at(made, "accumulation") == [4.0]


@MAKERS
def test_a_missing_frame_is_missing_in_what_it_makes(make) -> None:
    gap, whole = [12, nan, 12, 12, 12], [12] * 5
    members = one_pixel(gap, whole, whole, variable="rain_rate")
    made = make(members, ["rain >= 2 mm in 10 min"]).dataset.squeeze()
    # two of three know the whole of it
    np.testing.assert_array_equal(made.probability, [nan, 1, 1, 1, 1])
    assert made.window_probability == 1
    assert made.accumulation == 5
    members = one_pixel(gap, gap, whole, variable="rain_rate")
    with pytest.warns(UserWarning, match="no pixel is known at all leads in half of"):
        made = make(members, ["rain >= 2 mm in 10 min"]).dataset.squeeze()
    np.testing.assert_array_equal(made.probability, [nan, nan, nan, nan, 1])
    for name in ("window_probability", "accumulation", "arrival", "window_mean"):
        assert np.isnan(made[name]), name


def rainy(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return np.where(rng.random(shape) < 0.5, 0.0, rng.gamma(0.7, 12.0, shape))


CASES = {
    "vil": (
        [
            "vil >= 12 kg m-2",
            "vil >= 3.5 kg m-2 in 10 min",
            "vil >= 32 kg m-2 within 2 km",
        ],
        {},
    ),
    "rain_rate": (
        [
            "rain_rate >= 10 mm/h",
            "rain >= 2 mm in 10 min",
            "rain >= 1 mm in 15 min within 1 km",
        ],
        {},
    ),
    "reflectivity": (
        ["reflectivity >= 30 dBZ", "rain >= 1 mm in 10 min", "rain_rate >= 5 mm/h"],
        {"means": Means("marshall-palmer")},
    ),
}


def case(variable: str, weighted: bool, gaps: bool):
    """Members, hazards and options of a case."""
    rng = np.random.default_rng(5)
    shape = (9, 5, 7, 8)
    values = {
        "vil": stored(rng, shape),
        "rain_rate": rainy(rng, shape),
        "reflectivity": rng.uniform(-10, 55, shape),
    }[variable]
    if gaps:
        values[rng.random(shape) < 0.05] = nan
        values[:6, :, 3, 3] = values[1, 2] = values[2] = nan
    hazards, options = CASES[variable]
    weights = rng.integers(0, 4, 9) * 0.3 if weighted else None
    initial = values[0, 0] if variable != "vil" else None
    return (
        labelled(values, variable),
        hazards,
        {"weights": weights, "initial": initial, **options},
    )


@pytest.mark.parametrize("gaps", [False, True], ids=["whole", "gaps"])
@pytest.mark.parametrize("weighted", [False, True], ids=["alike", "weights"])
@pytest.mark.parametrize("variable", sorted(CASES))
def test_streamed_equals_stacked(variable: str, weighted: bool, gaps: bool) -> None:
    members, hazards, options = case(variable, weighted, gaps)
    one = stacked(members, hazards, **options).dataset
    other = streamed(members, hazards, **options).dataset
    assert set(one) == set(other)
    assert len(one.data_vars) == (14 if variable == "vil" else 16)
    for name, array in one.items():
        near = other[name]
        np.testing.assert_array_equal(np.isnan(array), np.isnan(near), err_msg=name)
        if "percentile" not in str(name) or variable == "vil":
            np.testing.assert_allclose(near, array, rtol=2e-6, atol=1e-6, err_msg=name)
            continue
        own = "rain" if "accumulation" in str(name) else variable
        number = scaling_for(own).normalize
        apart = number(array.values) - number(near.values)
        assert np.nanmax(np.abs(apart)) <= 1.25 / 255 / 2 + 1e-5, name
    if gaps:
        assert np.isnan(one["mean"]).any()
        assert np.isfinite(one["mean"]).any()


@pytest.mark.parametrize("variable", sorted(CASES))
@pytest.mark.parametrize("gaps", [False, True], ids=["whole", "gaps"])
def test_the_order_of_members_does_not_matter(variable: str, gaps: bool) -> None:
    members, hazards, options = case(variable, True, gaps)
    order = np.random.default_rng(0).permutation(9)
    weights = options.pop("weights")
    one = streamed(members, hazards, weights=weights, **options).dataset
    turned = members.isel(member=order)
    other = streamed(turned, hazards, weights=weights[order], **options).dataset
    xr.testing.assert_allclose(other, one, rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize("variable", sorted(CASES))
def test_windows_alone_are_the_same_in_less_memory(variable: str) -> None:
    members, hazards, options = case(variable, False, True)
    for make in (stacked, streamed):
        whole = make(members, hazards, **options).dataset
        part = make(members, hazards, by_lead=False, **options).dataset
        by_lead = {"probability", "percentile", "mean", "spread", "known"}
        by_lead |= {"displacement", "duration"}
        assert set(whole) - set(part) == by_lead
        part = part.drop_vars(["lead", "time"])
        xr.testing.assert_identical(part, whole.drop_dims("lead").drop_vars("duration"))
    like = members.isel(member=0, drop=True)
    sizes = []
    for by_lead in (True, False):
        gathered = Accumulator(
            like, hazards, by_lead=by_lead, means=options.get("means")
        )
        held = [gathered.moments, gathered.histogram, gathered.counts[0].over]
        sizes.append(sum(one is not None for one in held))
    assert sizes == [3, 0]


def test_a_footprint_of_the_window_alone_is_one(tmp_path) -> None:
    members = labelled(np.ones((3, 2, 4, 5)))
    for hazards, percentiles in ((["vil >= 1 kg m-2"], ()), ((), (50,)), ((), ())):
        made = streamed(members, hazards, percentiles=percentiles, by_lead=False)
        again = Footprint.open(made.to_netcdf(tmp_path / "risk.nc"))
        assert set(again.dataset) == set(made.dataset)


def test_members_of_other_types() -> None:
    rng = np.random.default_rng(1)
    values = rng.integers(0, 60, (5, 3, 6, 6))
    hazards = ["rain_rate >= 20 mm/h", "rain >= 4 mm in 10 min"]
    whole = labelled(values, "rain_rate")
    wanted = stacked(whole, hazards).dataset
    for kind in (np.float64, np.int32, np.int16):
        members = whole.astype(kind)
        for make in (stacked, streamed):
            made = make(members, hazards).dataset
            rough = 0.025 if make is streamed else 1e-6
            xr.testing.assert_allclose(made, wanted, rtol=rough, atol=1e-5)
            assert {array.dtype for array in made.values()} == {np.dtype("float32")}
        made = Ensemble(members.to_dataset()).footprint(*hazards).dataset
        xr.testing.assert_allclose(made.drop_attrs(), wanted.drop_attrs(), rtol=1e-5)


def test_members_of_dask_are_gathered_one_by_one() -> None:
    members, hazards, options = case("rain_rate", False, True)
    dataset = members.to_dataset()
    dataset["initial"] = (("y", "x"), options["initial"], {"units": "mm h-1"})
    eager = Ensemble(dataset)
    lazy = Ensemble(dataset.chunk(member=2, y=3))
    assert lazy.values.chunks is not None
    one, other = (e.footprint(*hazards).dataset for e in (eager, lazy))
    for name, array in one.items():
        rough = 0.03 if "percentile" in str(name) else 2e-6
        np.testing.assert_allclose(other[name], array, rtol=rough, atol=rough)
    for number, hazard in enumerate(hazards):
        for ensemble in (eager, lazy):
            chance = ensemble.probability(hazard)
            np.testing.assert_array_equal(chance, one.probability[number])


def test_the_ensemble_and_its_footprint_tell_the_same_chance() -> None:
    for variable in CASES:
        members, hazards, options = case(variable, True, True)
        dataset = members.to_dataset().assign_coords(
            weight=("member", options["weights"])
        )
        if options["initial"] is not None:
            units = members.attrs["units"]
            dataset["initial"] = (("y", "x"), options["initial"], {"units": units})
        ensemble = Ensemble(dataset)
        law = {} if variable != "reflectivity" else {"law": "marshall-palmer"}
        made = ensemble.footprint(*hazards, **law).dataset
        for number, hazard in enumerate(hazards):
            chance = ensemble.probability(hazard, **law)
            np.testing.assert_allclose(chance, made.probability[number], rtol=1e-5)
        np.testing.assert_allclose(ensemble.mean(), made["mean"], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(ensemble.spread(), made.spread, rtol=1e-3, atol=1e-4)
        for number, percentile in enumerate((10, 50, 90)):
            exact = ensemble.percentile(percentile)
            np.testing.assert_array_equal(exact, made.percentile[number])


def test_a_finished_footprint_takes_no_more() -> None:
    members = one_pixel([1.0], [2.0])
    gathered = Accumulator(members.isel(member=0, drop=True), ())
    for member in members.to_numpy():
        gathered.add(member)
    gathered.finish()
    with pytest.raises(ValueError, match="finished and takes no member"):
        gathered.add(members.to_numpy()[0])
    with pytest.raises(ValueError, match="finished already"):
        gathered.finish()


def test_more_members_than_are_counted_are_refused() -> None:
    like = one_pixel([0.0]).isel(member=0, drop=True)
    gathered = Accumulator(like, ["vil >= 1 kg m-2"], percentiles=[50])
    dry, wet = (np.full((1, 1, 1), v, dtype=np.float32) for v in (0.0, 40.0))
    gathered.members = 65534
    gathered.add(dry)
    with pytest.raises(ValueError, match=r"more than 65535 members.*ask for fewer"):
        gathered.add(wet)


@pytest.mark.parametrize("wanted", [True, False])
def test_accumulation_is_of_rain(wanted: bool) -> None:
    rain = one_pixel([12.0], [12.0], variable="rain_rate")
    assert ("accumulation" in streamed(rain, accumulation=wanted).dataset) is wanted
    for members in (one_pixel([1.0], [2.0]), rain.drop_vars("lead")):
        assert "accumulation" not in streamed(members, accumulation=False).dataset
        with pytest.raises(ValueError, match=r"accumulation is asked of .*leave"):
            streamed(members, accumulation=True)
