"""Nowcasts without training through the front door."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from tests.nowcaster.test_moving import radar
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from stormfusion import Catalog, Nowcaster
from stormfusion.classical import Extrapolation, Steps, warping
from stormfusion.errors import CatalogError, NotFittedError
from stormfusion.units import rain_rate_to_reflectivity

RECIPES = ("persistence", "extrapolation", "steps")
MOVING = ("extrapolation", "steps")
EVERY = pytest.mark.parametrize("recipe", RECIPES)


def made(recipe: Any, **options: Any) -> Nowcaster:
    return Nowcaster(recipe, **{"leads": 3, "device": "cpu", **options})


def rain_of(recipe: Any, event: xr.Dataset, **options: Any) -> xr.DataArray:
    return made(recipe, **options).predict(event).rain_rate


def members_of(event: xr.Dataset, recipe: Any = "steps", **options: Any) -> xr.Dataset:
    members = options.pop("members", 3)
    return made(recipe, **options).ensemble(event, members=members).dataset


def everything(recipe: str, event: xr.Dataset, **options: Any) -> list[xr.Dataset]:
    """The forecast, and the members where it has some of its own."""
    nowcaster = made(recipe)
    found = [nowcaster.predict(event, **options)]
    if recipe == "steps":
        found.append(nowcaster.ensemble(event, members=2, **options).dataset)
    return found


# -------------------------------------------------------------- labels


@EVERY
def test_a_forecast_is_labelled_as_its_event_is(recipe: str) -> None:
    event = radar()
    for found in everything(recipe, event):
        assert found.rain_rate.dims[-3:] == ("lead", "y", "x")
        np.testing.assert_array_equal(found.y, event.y)
        np.testing.assert_array_equal(found.x, event.x)
        assert (found.lead / np.timedelta64(1, "m")).values.tolist() == [5, 10, 15]
        last = event.time.values[-1]
        assert found.reference_time.values == last
        np.testing.assert_array_equal(found.time, last + found.lead.values)
        assert found.rain_rate.units == "mm h-1"
        assert found.rain_rate.dtype == np.float32
        assert found.attrs["recipe"] == recipe
        assert found.lead.standard_name == "forecast_period"


@EVERY
def test_leads_and_interval_are_those_asked_for_and_observed(recipe: str) -> None:
    event = radar()
    event = event.assign_coords(
        time=event.time[0] + 2 * (event.time - event.time[0])
    ).transpose("time", "y", "x")
    found = rain_of(recipe, event, leads=5)
    assert (found.lead / np.timedelta64(1, "m")).values.tolist() == [10, 20, 30, 40, 50]
    # each lead is the same however many there are
    xr.testing.assert_equal(found[:3], rain_of(recipe, event))


@EVERY
def test_no_later_frame_is_seen(recipe: str) -> None:
    event = radar(frames=7)
    now = event.time[3]
    changed = event.where(event.time <= now, 40.0)
    found = everything(recipe, event, reference_time=now)
    for one, two, three in zip(
        found,
        everything(recipe, changed, reference_time=now),
        everything(recipe, event.isel(time=slice(4))),
        strict=True,
    ):
        assert one.reference_time == now
        xr.testing.assert_identical(one, two)
        xr.testing.assert_identical(one, three)


@pytest.mark.parametrize("axes", ["y", "x", "yx"])
@EVERY
def test_the_order_of_rows_and_columns_changes_nothing_but_itself(
    recipe: str, axes: str
) -> None:
    event = radar()
    turned = event.isel({axis: slice(None, None, -1) for axis in axes})
    for one, two in zip(
        everything(recipe, event), everything(recipe, turned), strict=True
    ):
        np.testing.assert_array_equal(two.y, turned.y)
        np.testing.assert_array_equal(two.x, turned.x)
        xr.testing.assert_equal(two.sortby(["y", "x"]), one.sortby(["y", "x"]))


# -------------------------------------------------------------- variables


@EVERY
def test_units_are_converted_at_the_door(recipe: str) -> None:
    event = radar()
    other = (event / 3.6e6).astype(np.float64)
    other.rain_rate.attrs["units"] = "m s-1"
    expected = rain_of(recipe, event)
    # a rounding may change the rank of a pixel in 'steps'
    error = abs(rain_of(recipe, other) - expected)
    assert float(error.mean()) < 1e-3 * float(expected.mean())


@pytest.mark.parametrize("recipe", MOVING)
def test_reflectivity_is_forecast_as_its_rain_is(recipe: str) -> None:
    """They have the same network numbers, and are interpolated as rain rates."""
    event = radar()
    other = rain_rate_to_reflectivity(event.rain_rate.clip(1e-3)).to_dataset()
    found = made(recipe).predict(other).reflectivity
    expected = rain_rate_to_reflectivity(rain_of(recipe, event).clip(1e-3))
    assert found.units == "dBZ"
    assert (found.isnull() == expected.isnull()).all()
    wet = expected > 10
    assert int(wet.sum()) > 1000
    assert float(abs(found - expected).where(wet).mean()) < 0.05


def test_vil_comes_in_stored_values() -> None:
    event = radar().rename(rain_rate="vil")
    event.vil.attrs["units"] = "kg m-2"
    members = members_of(event).vil
    highest = float(event.vil[-1].max())
    assert 0 <= float(members.min()) < float(members.max()) <= highest * 1.02
    assert np.unique(members.values[np.isfinite(members)]).size < 256


def test_clouds_are_carried_along_but_have_no_scales_of_rain() -> None:
    event = radar().rename(rain_rate="ir107")
    event["ir107"] = (293.15 - 5 * event.ir107).assign_attrs(units="K")
    found = made("extrapolation", target="ir107").predict(event).ir107
    assert found.units == "degC"
    ahead = event.ir107[-1, 10:40, 10:50].values - 273.15
    error = found[2, 13:43, 16:56].values - ahead
    assert abs(error).mean() < 0.05 * np.ptp(ahead)
    refused = r"target is 'ir107', 'steps' .*; take 'extrapolation'"
    for given in ({"target": "ir107"}, {"inputs": ("ir107",)}):
        with pytest.raises(ValueError, match=refused):
            made("steps", **given)
    with pytest.raises(CatalogError, match=r"no radar variable; name .* target="):
        made("extrapolation").predict(event)


# -------------------------------------------------------------- members


def test_a_member_is_the_same_however_many_are_drawn() -> None:
    event = radar()
    few, many = (members_of(event, members=count) for count in (8, 20))
    xr.testing.assert_identical(few, many.isel(member=slice(8)))
    again = members_of(event, members=8)
    xr.testing.assert_identical(few, again)
    other = members_of(event, members=8, seed=1)
    for one, two in zip(few.rain_rate, other.rain_rate, strict=True):
        assert not one.equals(two)
    nowcaster = made("steps", seed=7)
    assert nowcaster.ensemble(event, members=8, seed=1).dataset.equals(other)


def test_members_differ_and_each_could_have_been_observed() -> None:
    """Of rain that stands still they have the amounts, at other places."""
    event = radar((0, 0), shape=(64, 64))
    now = event.rain_rate[-1]
    members = members_of(event, Steps(motion_errors=False), members=6).rain_rate
    assert members.notnull().all()
    for member in members:
        for lead in member:
            assert float(lead.mean()) == pytest.approx(float(now.mean()), rel=0.05)
            assert float(lead.max()) == pytest.approx(float(now.max()), rel=0.05)
            wet = float((lead >= 0.1).mean())
            assert wet == pytest.approx(float((now >= 0.1).mean()), rel=0.05)
    flat = members[:, -1].values.reshape(6, -1)
    alike = np.corrcoef(flat)[np.triu_indices(6, 1)]
    assert (alike < 0.999).all()
    assert (alike > 0.5).all()
    spread = members.std("member").mean(["y", "x"])
    assert (spread.diff("lead") > 0).all()


def test_the_deterministic_forecast_of_steps_is_its_mean() -> None:
    event = radar()
    one, two = (made("steps", seed=seed).predict(event) for seed in (0, 9))
    assert one.identical(two)
    assert not one.identical(made("extrapolation").predict(event))
    members = members_of(event, members=12)
    mean = members.rain_rate.mean("member", skipna=False)
    errors = abs(members.rain_rate - one.rain_rate).mean(["lead", "y", "x"])
    assert float(abs(mean - one.rain_rate).mean()) < 0.7 * float(errors.mean())


def test_its_footprint_is_one_of_probabilities() -> None:
    event = radar()
    hazards = [f"rain_rate >= {amount} mm h-1" for amount in (0.5, 2, 6, 500)]
    footprint = made("steps").footprint(
        event, *hazards, members=10, percentiles=(10, 50, 90)
    )
    chance = footprint.dataset.probability
    assert float(chance.min()) == 0
    assert float(chance.max()) == 1
    known = chance.notnull()
    assert bool((chance.diff("hazard") <= 1e-6).where(known.isel(hazard=0), True).all())
    assert float(chance.isel(hazard=-1).max()) == 0
    assert int(((chance > 0) & (chance < 1)).sum()) > 0
    percentile = footprint.dataset.percentile
    rising = percentile.diff("quantile") >= -1e-4
    assert bool(rising.where(percentile[{"quantile": slice(1, None)}].notnull()).all())
    ensemble = made("steps").ensemble(event, members=10)
    again = ensemble.footprint(*hazards, percentiles=(10, 50, 90)).dataset
    xr.testing.assert_allclose(again.probability, chance)


# -------------------------------------------------------------- fit, save, load


@pytest.fixture(scope="module")
def archive() -> Catalog:
    events = [
        Catalog.from_xarray(radar(frames=9, seed=seed), prefix=f"{seed}")
        for seed in (1, 2)
    ]
    return events[0] | events[1]


@pytest.mark.parametrize("recipe", [*MOVING, Steps(levels=3)], ids=str)
def test_fit_measures_errors_and_a_file_keeps_them(
    recipe: Any, archive: Catalog, tmp_path: Path
) -> None:
    event = radar()
    nowcaster = made(recipe, history=4)
    path = tmp_path / "classic.safetensors"
    with pytest.raises(NotFittedError, match=r"is not fitted; call fit"):
        nowcaster.save(path)
    before = nowcaster.predict(event)
    nowcaster.fit(archive[:1], validation=archive[1:], progress=False)
    xr.testing.assert_equal(nowcaster.predict(event), before)
    assert nowcaster.log.empty
    members = nowcaster.ensemble(event, members=2).dataset
    if recipe != "extrapolation":
        xr.testing.assert_equal(members, members_of(event, recipe, members=2))
    assert (members.rain_rate.isnull() == before.rain_rate.isnull()).mean() > 0.9
    loaded = Nowcaster.load(nowcaster.save(path), device="cpu")
    assert loaded.name == nowcaster.name
    assert loaded.predict(event).identical(nowcaster.predict(event))
    assert loaded.ensemble(event, members=2).dataset.identical(members)
    assert loaded._network == nowcaster._network


def test_members_of_extrapolation_need_its_errors() -> None:
    with pytest.raises(NotFittedError, match=r"'extrapolation' is not fitted; call"):
        made("extrapolation").ensemble(radar(), members=2)


# -------------------------------------------------------------- options


def test_options_change_the_forecast() -> None:
    event = radar()
    plain = rain_of("steps", event)
    xr.testing.assert_equal(rain_of(Steps(), event), plain)
    for other in (Steps(levels=3), Steps(motion="spectral")):
        assert not rain_of(other, event).equals(plain)
    still = members_of(event, Steps(motion_errors=False))
    assert not still.equals(members_of(event))
    carried = rain_of("extrapolation", event)
    for mode in ("nearest", "bicubic"):
        assert not rain_of(Extrapolation(interpolation=mode), event).equals(carried)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (Steps, {"levels": 1}, r"levels is 1, wanted a whole number, 2 or more"),
        (Steps, {"levels": 4.0}, r"levels is 4.0, wanted a whole number, 2 or more"),
        (Steps, {"levels": "6"}, r"levels is '6', wanted a whole number, 2 or more"),
        (Steps, {"motion": "darts"}, r"motion is 'darts', wanted one of 'lucas-kanad"),
        (Steps, {"motion_errors": None}, r"motion_errors is None, wanted one of True"),
        (Extrapolation, {"motion": 3}, r"motion is 3, wanted one of 'lucas-kanade'"),
        (Extrapolation, {"interpolation": "cubic"}, r"interpolation is 'cubic', want"),
    ],
)
def test_wrong_options_fail_at_once(kind: Any, options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kind(**options)
    with pytest.raises(TypeError, match=r"not trained, so it takes no loss"):
        Nowcaster(kind(), loss=3)


# -------------------------------------------------------------- devices


DOUBLE = (torch.float64, torch.complex128)


class Doubles(TorchDispatchMode):
    """Which operations make maps in double precision, which MPS lacks."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None) -> Any:
        made = function(*args, **(kwargs or {}))
        for each in made if isinstance(made, list | tuple) else (made,):
            # a model of a few numbers is fitted on the CPU
            if isinstance(each, Tensor) and each.numel() > 100 and each.dtype in DOUBLE:
                self.found.add(str(function))
        return made


@EVERY
def test_no_map_is_held_in_double_precision(recipe: str) -> None:
    with Doubles() as doubles:
        everything(recipe, radar().astype(np.float64))
    assert not doubles.found
    with Doubles() as doubles:
        torch.zeros(20, 20).double()
    assert doubles.found


@pytest.mark.parametrize("recipe", ["extrapolation", "steps"])
def test_a_device_without_padding_by_the_edge_gets_the_same(
    recipe: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = radar()
    expected = everything(recipe, event)
    plain = torch.nn.functional.grid_sample

    def poorer(*args: Any, padding_mode: str = "zeros", **options: Any) -> Tensor:
        assert padding_mode == "zeros"
        return plain(*args, padding_mode=padding_mode, **options)

    monkeypatch.setattr(torch.nn.functional, "grid_sample", poorer)
    monkeypatch.setattr(warping, "BORDERLESS", ("cpu",))
    for one, two in zip(everything(recipe, event), expected, strict=True):
        for name in one.data_vars:
            # rounded otherwise, a pixel may change its rank with another
            near = np.isclose(
                one[name], two[name], rtol=1e-2, atol=1e-2, equal_nan=True
            )
            assert near.mean() > 0.999


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@EVERY
def test_the_graphics_card_forecasts_what_the_processor_does(recipe: str) -> None:
    event = radar(shape=(128, 160))
    one, two = (rain_of(recipe, event, device=device) for device in ("cpu", "cuda"))
    # at the edge of what is known a rounding decides
    assert float((one.isnull() != two.isnull()).mean()) < 1e-3
    error = abs(one - two)
    if recipe == "steps":  # a rounding may change a rank, and so an amount
        assert float(error.mean()) < 1e-3 * float(one.mean())
    else:
        assert float(error.max()) < 1e-3
    if recipe == "steps":
        members = members_of(event, device="cuda")
        again = members_of(event, device="cuda", members=5)
        xr.testing.assert_allclose(members, again.isel(member=slice(3)))


def test_a_class_is_not_one_of_it() -> None:
    with pytest.raises(TypeError, match=r"got the class Steps, .* write Steps\(\)"):
        Nowcaster(Steps)  # type: ignore[arg-type]
