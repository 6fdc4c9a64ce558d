"""What hazards are told by: the variable, a law, a model, or nothing."""

from datetime import timedelta

import numpy as np
import pytest
import xarray as xr
from tests.test_footprint import labelled, one_pixel, streamed

from stormfusion import Ensemble
from stormfusion.footprint import Means, check_hazards, stacked
from stormfusion.hail import HailModel
from stormfusion.hail.logistic import Calibration, Curves
from stormfusion.units import reflectivity_to_rain_rate

MAKERS = pytest.mark.parametrize("make", [stacked, streamed], ids=["stacked", "stream"])
LAW = "marshall-palmer"


class Tenth(HailModel):
    """A model of hail that tells a tenth of the amount as a chance."""

    def chances(self, values, *, spacing_m, interval_s):  # type: ignore[no-untyped-def]
        assert spacing_m == (1000.0, 1000.0)
        assert interval_s == 300.0
        return np.clip(values / 10, 0, 1).astype(np.float32)


def told() -> HailModel:
    """Hail of an inch or more, within 40 km and an hour, told from VIL."""
    learned = Curves(-6.0, np.zeros((3, 8))), Calibration(1.0, 1.0, 0.0)
    hour = timedelta(hours=1)
    return Tenth(25.4, 40e3, hour, "vil", 300, (1e3, 1e3), None, *learned)


@MAKERS
def test_rain_of_reflectivity_is_that_of_its_rain_rate(make) -> None:
    rng = np.random.default_rng(0)
    echo = labelled(rng.uniform(-10, 50, (6, 5, 24, 24)), "reflectivity")
    echo[1, 2, 3, 4:9] = np.nan
    rate = labelled(reflectivity_to_rain_rate(echo.to_numpy(), law=LAW), "rain_rate")
    hazards = [
        "rain >= 1 mm in 15 min",
        "rain_rate >= 5 mm/h",
        "rain >= 1 mm in 25 min",
    ]
    initial = echo.to_numpy()[0, 0]
    first = reflectivity_to_rain_rate(initial, law=LAW)
    one = make(echo, hazards, means=Means(LAW), initial=initial).dataset
    other = make(rate, hazards, initial=first).dataset
    times = ("arrival", "duration", "accumulation", "accumulation_percentile")
    for name in ("probability", "window_probability", "displacement", *times):
        np.testing.assert_allclose(one[name], other[name], rtol=1e-5, err_msg=name)
    assert one.attrs["zr_law"] == LAW
    assert "zr_law" not in other.attrs
    assert "accumulation" not in make(echo, ()).dataset


@MAKERS
def test_hail_is_told_by_its_model(make) -> None:
    values = np.array([[1.0, 5.0, 2.0], [3.0, 0.0, 0.0]])
    members = labelled(np.tile(values[:, :, None, None], (1, 1, 4, 4)))
    made = make(members, ["hail >= 1 inch"], means=Means(hail=told())).dataset
    assert made.hazard.values.tolist() == ["hail >= 25.4 mm in 60 min within 40 km"]
    assert made.attrs["hail_model"].endswith("within 40 km and 60 min, from vil>")
    np.testing.assert_allclose(made.probability[0, :, 0, 0], [0.2, 0.25, 0.1])
    # of each member the largest chance
    np.testing.assert_allclose(made.window_probability, 0.4)
    assert np.isnan(made.displacement).all()
    chance = Ensemble(members.to_dataset()).probability("hail >= 1 inch", hail=told())
    np.testing.assert_allclose(chance, made.probability[0])
    members[0, 1, 0, 0] = np.nan
    made = make(members, ["hail >= 1 inch"], means=Means(hail=told())).dataset
    np.testing.assert_allclose(made.probability[0, :, 0, 0], [0.2, 0.0, 0.1])
    assert made.window_probability[0, 0, 0] == pytest.approx(0.3)


@MAKERS
def test_hail_of_mesh_is_its_size(make) -> None:
    members = one_pixel([10, 30], [26, 0], variable="mesh")
    made = make(members, ["hail >= 1 inch", "mesh >= 25.4 mm"]).dataset.squeeze()
    assert made.probability.values.tolist() == [[0.5, 0.5], [0.5, 0.5]]


@pytest.mark.parametrize(
    ("hazard", "variable", "means", "helpful"),
    [
        (
            "rain >= 1 mm in 30 min",
            "vil",
            Means(),
            "no rain rate, and no law makes one",
        ),
        ("rain_rate >= 1 mm/h", "vil", Means(LAW), "name a threshold of vil"),
        ("rain >= 1 mm in 1 h", "reflectivity", Means(), "law='marshall-palmer'"),
        ("rain_rate >= 1 mm/h", "reflectivity", Means(), "law='marshall-palmer'"),
        ("rain >= 1 mm", "rain_rate", Means(), "'rain >= 1 mm in 30 min'"),
        ("rain >= 1 mm", "reflectivity", Means(LAW), "'rain >= 1 mm in 30 min'"),
        ("rain_rate >= 1 mm/h", "rain", Means(), "name a threshold of rain"),
        ("vil >= 1 kg m-2", "rain_rate", Means(), "speaks of vil, the forecast is of"),
        ("hail >= 1 inch", "vil", Means(), "cannot be told from vil alone.*hail="),
        ("hail >= 1 inch", "reflectivity", Means(LAW), r"HailModel\.fit"),
        (
            "hail >= 1 inch",
            "rain_rate",
            Means(hail=told()),
            "HailModel is of 'vil', so fit",
        ),
        ("mesh >= 1 inch", "vil", Means(hail=told()), "name a threshold of vil"),
        ("hail >= 2 inch", "vil", Means(hail=told()), "tells 'hail >= 25.4 mm in 60"),
        ("hail >= 1 inch in 30 min", "vil", Means(hail=told()), "fit another model"),
        ("hail >= 1 inch within 5 km", "vil", Means(hail=told()), "ask for that"),
    ],
)
def test_what_cannot_be_told(hazard: str, variable: str, means, helpful: str) -> None:
    with pytest.raises(ValueError, match=helpful):
        check_hazards([hazard], variable, means)


def test_means_are_checked_when_they_are_named() -> None:
    with pytest.raises(ValueError, match=r"'marshal-palmer'.*marshall-palmer"):
        Means("marshal-palmer")
    for hail in ("mesh", 3, object()):
        with pytest.raises(TypeError, match=r"wanted a fitted HailModel; see HailMod"):
            Means(hail=hail)  # type: ignore[arg-type]
    members = Ensemble(one_pixel([1.0], [2.0]).to_dataset())
    with pytest.raises(TypeError, match="wanted a fitted HailModel"):
        members.footprint("hail >= 1 inch", hail="yes")  # type: ignore[arg-type]


def test_hail_is_told_of_even_steps() -> None:
    members = labelled(np.ones((2, 4, 3, 3))).isel(lead=[0, 1, 3])
    with pytest.raises(ValueError, match="5 to 10 min apart, wanted even steps for a"):
        stacked(members, ["hail >= 1 inch"], means=Means(hail=told()))


def test_hail_asked_in_two_ways_is_one_hazard() -> None:
    means = Means(hail=told())
    asked = ["hail >= 1 inch", "hail >= 25.4 mm in 1 h within 40 km"]
    with pytest.raises(ValueError, match="name one twice"):
        check_hazards(asked, "vil", means)


@pytest.mark.parametrize(
    ("change", "helpful"),
    [
        (lambda m: m.drop_vars("lead"), "has no lead times; give it the coordinate"),
        (lambda m: m.isel(lead=slice(1)), "longer than the forecast of 5 min"),
        (lambda m: m.isel(lead=[0, 1, 3]), "5 to 10 min apart, wanted even steps"),
    ],
)
def test_windows_that_are_none_of_the_forecast(change, helpful: str) -> None:
    members = change(labelled(np.ones((2, 4, 3, 3)), "rain_rate"))
    dataset = members.to_dataset()
    for hazard in ("rain >= 1 mm in 10 min", "rain_rate >= 1 mm/h in 10 min"):
        for ask in (
            lambda h=hazard: stacked(members, [h]),
            lambda h=hazard: streamed(members, [h]),
            lambda h=hazard: Ensemble(dataset).probability(h),
        ):
            with pytest.raises(ValueError, match=helpful):
                ask()


@MAKERS
def test_leads_that_were_left_out_are_in_no_window(make) -> None:
    # the rain up to the first lead fell in a quarter of an hour
    members = one_pixel(*[[12.0] * 6] * 2, variable="rain_rate").isel(
        lead=slice(2, None)
    )
    made = make(members, ["rain >= 1.5 mm in 10 min", "rain >= 2.5 mm in 10 min"])
    np.testing.assert_array_equal(
        made.dataset.probability.squeeze(),
        [[np.nan, np.nan, 1, 1], [np.nan, np.nan, 0, 0]],
    )
    assert made.dataset.accumulation.item() == 6.0


@MAKERS
def test_depths_of_other_periods_do_not_add_up(make) -> None:
    # rain of the last hour, every five minutes
    members = one_pixel([5, 6], [7, 8], variable="rain").assign_attrs(accutime=60.0)
    with pytest.raises(ValueError, match=r"rain in 60 min every 5 min; select leads"):
        make(members, ["rain >= 5 mm in 10 min"])
    assert "accumulation" not in make(members, ["rain >= 5 mm"]).dataset
    with pytest.raises(ValueError, match="accumulation is asked of rain"):
        make(members, (), accumulation=True)
    fitting = members.assign_attrs(accutime=5.0)
    made = make(fitting, ["rain >= 11 mm in 10 min"]).dataset
    assert made.accumulation.item() == 13
    np.testing.assert_array_equal(made.probability.squeeze(), [np.nan, 1])


def test_neighbourhoods_need_a_grid() -> None:
    members = labelled(np.ones((2, 1, 3, 3))).drop_vars(["y", "x"])
    with pytest.raises(ValueError, match="assign the grid's coordinates"):
        stacked(members, ["vil >= 1 kg m-2 within 1 km"])


@MAKERS
@pytest.mark.parametrize("up", [True, False])
def test_neighbourhoods_in_degrees(make, up: bool) -> None:
    values = np.zeros((2, 1, 9, 9))
    values[0, 0, 4, 4] = 20.0
    y = 60 + 0.01 * np.arange(-4, 5)
    degrees = {"units": "degrees"}
    members = labelled(values).assign_coords(
        y=("y", y if up else y[::-1], degrees),
        x=("x", 0.01 * np.arange(9), degrees),
    )
    made = make(members, ["vil >= 12 kg m-2 within 2.3 km"])
    near = made.dataset.probability[0, 0]
    assert near[4].values.tolist() == [0.5] * 9
    assert near[:, 4].values.tolist() == [0, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0, 0]
    # as the hazard itself finds it
    occurs = xr.concat(
        [made.hazards[0].occurs(members.isel(member=m)) for m in range(2)], "member"
    ).mean("member")
    np.testing.assert_array_equal(near, occurs[0])
