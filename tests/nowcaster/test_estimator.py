"""The nowcaster's verbs: labels, hindcasts, members, and what bad input gets."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from torch import Tensor, nn

from stormfusion import Catalog, Ensemble, Event, Footprint, Nowcaster
from stormfusion.errors import (
    CatalogError,
    GridMismatchError,
    NotFittedError,
    RecipeError,
)
from stormfusion.losses import MAE, MSE, SSIM
from stormfusion.nn import UNet
from stormfusion.training import AdamHD

HAZARDS = ("vil >= 0.8 kg m-2", "vil >= 12 kg m-2")


def only_vil(event: Event) -> xr.Dataset:
    return event["vil"].load().to_dataset()


def test_a_forecast_is_labelled(fitted: Nowcaster, storms: Catalog) -> None:
    event = storms[0]
    forecast = fitted.predict(event, reference_time=event.time[12])
    vil = forecast["vil"]
    assert vil.dims == ("lead", "y", "x")
    assert vil.dtype == np.float32
    assert vil.attrs["units"] == "kg m-2"
    assert vil.attrs["grid_mapping"] == "crs"
    minutes = vil["lead"].values / np.timedelta64(1, "m")
    assert minutes.tolist() == list(range(5, 65, 5))
    assert (vil["time"].values == event.time[13:25].values).all()
    assert vil["reference_time"].values == event.time[12].to_datetime64()
    for name, standard in (
        ("lead", "forecast_period"),
        ("time", "time"),
        ("reference_time", "forecast_reference_time"),
    ):
        assert vil[name].attrs["standard_name"] == standard
    for axis in "yx":
        np.testing.assert_array_equal(vil[axis], event["vil"][axis])
    assert forecast.attrs["recipe"] == "unet+mse"
    assert forecast.attrs["validated"] == (
        "on the last events in time, errors measured on 1 window of theirs and 4 of "
        "the training"
    )
    assert (vil >= 0).all()


@pytest.mark.parametrize("verb", ["predict", "ensemble", "footprint"])
def test_no_later_frame_is_seen(verb: str, fitted: Nowcaster, storms: Catalog) -> None:
    event = storms[0]
    now, plain = event.time[14], only_vil(event)
    cut, absurd, gone = (plain.copy(deep=True) for _ in range(3))
    cut = cut.isel(time=slice(15))
    absurd["vil"][15:] = 79.0
    gone["vil"][15:] = np.nan

    def made(dataset: xr.Dataset | Event) -> xr.Dataset:
        options: dict[str, Any] = {"reference_time": now}
        if verb == "predict":
            return fitted.predict(dataset, **options)
        if verb == "ensemble":
            return fitted.ensemble(dataset, members=3, **options).dataset
        return fitted.footprint(dataset, *HAZARDS, members=3, **options).dataset

    expected = made(plain)
    for dataset in (cut, absurd, gone):
        assert made(dataset).identical(expected)
    # the event holds bytes, the dataset what they stand for
    xr.testing.assert_allclose(made(event), expected, rtol=1e-4, atol=1e-5)


def test_the_last_frame_is_the_reference_by_default(
    fitted: Nowcaster, storms: Catalog
) -> None:
    event = storms[1]
    assert fitted.predict(event).identical(
        fitted.predict(event, reference_time=event.time[-1])
    )


@pytest.mark.parametrize(
    "form",
    [
        str,
        lambda time: time,
        lambda time: time.to_datetime64(),
        lambda t: t.isoformat(),
    ],
)
def test_a_reference_time_in_any_form(form, fitted, storms: Catalog) -> None:
    now = storms[0].time[13]
    forecast = fitted.predict(storms[0], reference_time=form(now))
    assert forecast["reference_time"].values == now.to_datetime64()


def test_reference_times_that_are_not_there(fitted: Nowcaster, storms: Catalog) -> None:
    event = storms[0]
    late = event.time[-1] + pd.Timedelta("1h")
    with pytest.raises(
        CatalogError, match=rf"the nearest is {event.time[-1]:%Y-%m-%dT}"
    ):
        fitted.predict(event, reference_time=late)
    between = event.time[13] + pd.Timedelta("1min")
    with pytest.raises(CatalogError, match=r"no frame at reference_time .* choose one"):
        fitted.predict(event, reference_time=between)
    with pytest.raises(CatalogError, match=r"has no 13 unbroken frames up to"):
        fitted.predict(event, reference_time=event.time[5])
    for wrong in (12, "noon", [1]):
        with pytest.raises(
            ValueError, match=r"reference_time is .* such as event.time"
        ):
            fitted.predict(event, reference_time=wrong)


def test_broken_frames(fitted: Nowcaster, storms: Catalog) -> None:
    whole = only_vil(storms[0])
    holed = whole.isel(time=[i for i in range(26) if i != 18])
    with pytest.raises(CatalogError, match=r"has no 13 unbroken frames up to"):
        fitted.predict(holed)
    before = whole.time.values[17]
    assert fitted.predict(holed, reference_time=before).identical(
        fitted.predict(whole, reference_time=before)
    )


def test_missing_pixels(fitted: Nowcaster, storms: Catalog) -> None:
    spoilt = only_vil(storms[0])
    spoilt["vil"][:, :8] = np.nan  # in every frame
    spoilt["vil"][-1, 20:30] = np.nan  # in the last one only
    spoilt["vil"][:, 30, 30] = np.inf
    forecast = fitted.predict(spoilt)["vil"]
    assert forecast[:, :8].isnull().all()
    assert forecast[:, 30, 30].isnull().all()
    assert forecast[:, 8:30].notnull().all()
    members = fitted.ensemble(spoilt, members=4).values
    assert (members.isnull() == forecast.isnull()).all()
    made = fitted.footprint(spoilt, *HAZARDS, members=4).dataset
    assert (made["probability"].isnull() == forecast.isnull()).all()


@pytest.mark.parametrize("gone", [1, 3])
def test_a_last_frame_without_data_is_told_and_no_dry_forecast(
    gone: int, fitted: Nowcaster, storms: Catalog
) -> None:
    data = only_vil(storms[0])
    wet = fitted.predict(data).vil
    data = data.where(data.time < data.time[-gone])
    with pytest.warns(UserWarning, match=f"nothing was observed in the last {gone}"):
        found = fitted.predict(data).vil
    assert found.notnull().all()
    assert float(found.mean()) > 0.5 * float(wet.mean())


def test_persistence_keeps_what_is_missing_now(storms: Catalog) -> None:
    spoilt = only_vil(storms[0])
    spoilt["vil"][-1, 20:30] = np.nan
    forecast = Nowcaster("persistence", device="cpu").predict(spoilt)["vil"]
    last = spoilt["vil"][-1].drop_vars("time")
    for lead in range(12):
        np.testing.assert_allclose(
            forecast[lead].values, last.values, rtol=1e-5, atol=1e-6
        )


def test_all_missing(fitted: Nowcaster, storms: Catalog) -> None:
    nothing = only_vil(storms[0])
    nothing["vil"][:] = np.nan
    with pytest.raises(CatalogError, match=r"all 13 frames of 'vil' .* are missing"):
        fitted.predict(nothing)
    with pytest.raises(CatalogError, match=r"is missing"):
        Nowcaster(UNet(width=4, depth=1), device="cpu").fit(
            Catalog.from_xarray(nothing) | Catalog.from_xarray(nothing, prefix="b"),
            validation=storms[1:2],
            epochs=1,
            progress=False,
        )


def test_other_spacing_and_interval(fitted: Nowcaster, storms: Catalog) -> None:
    plain = only_vil(storms[0])
    coarse = plain.assign_coords(y=2 * plain.y, x=2 * plain.x)
    with pytest.raises(GridMismatchError, match=r"2000 m between points .* 1000 m"):
        fitted.predict(coarse)
    slow = plain.assign_coords(time=plain.time[0] + 2 * (plain.time - plain.time[0]))
    with pytest.raises(
        CatalogError, match=r"600 s apart, the model was made for 300 s"
    ):
        fitted.predict(slow)
    with pytest.raises(CatalogError, match=r"has no variable 'vil', it has ir107"):
        fitted.predict(storms[0]["ir107"].load().to_dataset())


@pytest.mark.parametrize("shape", [(40, 40), (33, 27), (57, 8)], ids=str)
def test_any_grid(fitted: Nowcaster, shape: tuple[int, int]) -> None:
    storm = Catalog.synthetic(
        events=1, size=shape, frames=13, variables=("vil",), seed=8
    )[0]
    assert fitted.predict(storm)["vil"].shape == (12, *shape)
    assert fitted.ensemble(storm, members=2).values.notnull().all()


def test_a_grid_too_small_for_the_network(fitted: Nowcaster) -> None:
    storm = Catalog.synthetic(events=1, size=8, frames=13, variables=("vil",))[0]
    few = only_vil(storm).isel(y=slice(3), x=slice(3))
    with pytest.raises(ValueError, match=r"needs at least 4 x 4 pixels, but got 3 x 3"):
        fitted.predict(few)


def test_members_by_number_seed_and_time(fitted: Nowcaster, storms: Catalog) -> None:
    event = storms[0]
    few = fitted.ensemble(event, members=2, reference_time=event.time[12])
    more = fitted.ensemble(event, members=5, reference_time=event.time[12])
    assert more.values[:2].identical(few.values)
    other = fitted.ensemble(event, members=2, reference_time=event.time[12], seed=1)
    assert not np.array_equal(other.values, few.values)
    assert isinstance(few, Ensemble)
    assert few.dataset.attrs["recipe"] == "unet+mse"
    # the noise of another hour is another noise
    twice = xr.concat([only_vil(event)[{"time": slice(13)}]] * 2, "time")
    same = twice.assign_coords(time=event.time[:26])
    first, second = (
        fitted.ensemble(same, members=2, reference_time=event.time[i]).values
        for i in (12, 25)
    )
    np.testing.assert_array_equal(
        fitted.predict(same, reference_time=event.time[12])["vil"],
        fitted.predict(same, reference_time=event.time[25])["vil"],
    )
    assert not np.array_equal(first, second)


def test_members_are_stored_values(still: Nowcaster, storms: Catalog) -> None:
    from stormfusion.units import vil_from_bytes

    known = vil_from_bytes(np.arange(255, dtype=np.uint8))
    members = still.ensemble(storms[0], members=3).values.values
    distance = np.abs(members.ravel()[:, None] - known).min(1)
    assert (distance <= 1e-5 * (1 + members.ravel())).all()


def test_drawing_members_leaves_gradients_on(still: Nowcaster, storms: Catalog) -> None:
    made = still._caster(storms[0]).forecast(storms[0], None)
    for _ in made.members(still._fitted.dressing, range(2), seed=0):
        assert not torch.is_inference_mode_enabled()
        assert torch.is_grad_enabled()


def test_the_stream_makes_the_footprint_of_the_ensemble(
    fitted: Nowcaster, storms: Catalog
) -> None:
    stacked = fitted.ensemble(storms[0], members=7).footprint(*HAZARDS)
    streamed = fitted.footprint(storms[0], *HAZARDS, members=7)
    assert isinstance(streamed, Footprint)
    for name, values in stacked.dataset.data_vars.items():
        np.testing.assert_allclose(
            streamed.dataset[name], values, rtol=1e-5, atol=1e-5, err_msg=str(name)
        )
    assert streamed.dataset.attrs == stacked.dataset.attrs


def test_the_ensemble_is_better_than_its_forecast(still: Nowcaster) -> None:
    """On storms it has not seen, and sharper than a guess of the mean."""
    storms = Catalog.synthetic(events=8, size=64, frames=25, variables=("vil",), seed=6)
    train, test = storms.split(0.7)
    nowcaster = Nowcaster("persistence", device="cpu").fit(train, progress=False)
    scores = nowcaster.evaluate(test, members=10, scales=[1], progress=False)
    mine = scores.sel(forecast="persistence")
    assert (mine.crps < mine.mae).all()
    assert float(mine.crps.mean()) < 0.75 * float(mine.mae.mean())


def test_evaluate_pools_with_persistence_beside(
    fitted: Nowcaster, storms: Catalog
) -> None:
    spoilt = only_vil(storms[3])
    spoilt["vil"][20, :, :10] = np.nan
    catalog = Catalog.from_xarray(spoilt)
    scores = fitted.evaluate(
        catalog, thresholds=[0.5], scales=[1], members=3, progress=False
    )
    assert scores.forecast.values.tolist() == ["unet+mse", "persistence"]
    assert scores.attrs["recipe"] == "unet+mse"
    # both are scored on the same pairs: 40 x 40, less those missing at that lead
    expected = np.full(12, 1600)
    expected[7] = 1600 - 400
    for name in scores.forecast.values:
        pairs = scores["pairs"].sel(forecast=name)
        assert pairs.values.tolist() == expected.tolist()
    alone = fitted.evaluate(
        catalog, thresholds=[0.5], scales=[1], members=0, progress=False
    )
    np.testing.assert_allclose(
        alone.crps.sel(forecast="unet+mse"), alone.mae.sel(forecast="unet+mse")
    )
    two = fitted.evaluate(
        storms[3:], thresholds=[0.5], scales=[1], members=0, progress=False
    )
    assert int(two.cases) == 2
    assert np.isnan(
        fitted.evaluate(
            storms[3:4], thresholds=[500.0], scales=[1], members=0, progress=False
        ).csi
    ).all()


@pytest.mark.filterwarnings("ignore:.* the interval is too narrow")
def test_evaluate_draws_events_for_intervals(
    fitted: Nowcaster, storms: Catalog
) -> None:
    settings = {"thresholds": [0.5], "scales": [1], "members": 0, "progress": False}
    plain = fitted.evaluate(storms[3:], **settings)
    scores = fitted.evaluate(storms[3:], interval=0.8, **settings)
    xr.testing.assert_identical(plain.csi, scores.csi)
    assert bool((scores.csi_lower <= scores.csi).all())
    assert bool((scores.csi <= scores.csi_upper).all())
    assert scores.csi_better.sel(forecast="persistence").isnull().all()
    assert set(np.unique(scores.csi_better.sel(forecast="unet+mse"))) <= {
        *np.arange(2001) / 2000
    }
    assert "events" in scores.attrs["interval_comment"]
    alone = Nowcaster("persistence").fit(storms[:3])
    lone = alone.evaluate(storms[3:], interval=0.8, **settings)
    assert "csi_upper" in lone
    assert "csi_better" not in lone


def test_evaluate_skips_what_cannot_be_read(fitted: Nowcaster, storms: Catalog) -> None:
    nothing = only_vil(storms[0])
    nothing["vil"][:] = np.nan
    bad = Catalog.from_xarray(nothing, prefix="bad")
    with pytest.warns(UserWarning, match=r"1 of 2 event could not be forecast in full"):
        scores = fitted.evaluate(
            bad | storms[4:], scales=[1], members=0, progress=False
        )
    assert int(scores.cases) == 1
    with pytest.raises(CatalogError, match=r"no event has 25 unbroken .* are missing"):
        fitted.evaluate(bad, progress=False)
    with pytest.raises(CatalogError, match=r"all 13 frames"):
        fitted.evaluate(bad | storms[4:], strict=True, progress=False)


def test_bugs_are_not_taken_for_bad_files(
    fitted: Nowcaster, storms: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object, **options: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("stormfusion.sampling.run", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        fitted.evaluate(storms[3:], progress=False)


def test_corrupt_events_are_skipped_with_one_warning(storms: Catalog) -> None:
    class Damaged:
        def __init__(self, frames: Any) -> None:
            self.frames = frames

        def __getattr__(self, name: str) -> Any:
            return getattr(self.frames, name)

        def read(self, *args: Any) -> Any:
            raise OSError("truncated")

    events = [
        Event(e.id, {"vil": Damaged(e.frames["vil"])}) if i in (0, 4) else e
        for i, e in enumerate(storms)
    ]
    mixed = Catalog(
        [
            *events,
            *Catalog.synthetic(
                events=1, size=40, frames=26, variables=("vil",), seed=12
            ),
        ]
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Nowcaster("persistence", device="cpu").fit(mixed[:4], progress=False)
        Nowcaster(UNet(width=4, depth=1), device="cpu").fit(
            mixed[:4], validation=mixed[4:], time_limit=0.01, progress=False
        )
    texts = [str(w.message) for w in caught if w.category is UserWarning]
    assert any("2 events could not be read and were skipped" in t for t in texts)
    assert len([t for t in texts if "could not be read" in t]) <= 2
    assert all(w.filename == __file__ for w in caught if w.category is UserWarning)
    with pytest.raises(OSError, match="truncated"):
        Nowcaster("persistence", device="cpu").fit(
            mixed[4:], validation=mixed[:1], strict=True, progress=False
        )


@pytest.mark.parametrize(
    "verb", ["predict", "ensemble", "footprint", "evaluate", "save"]
)
def test_an_unfitted_nowcaster_says_so(verb: str, storms: Catalog, tmp_path) -> None:
    nowcaster = Nowcaster("unet", device="cpu")
    given = {"evaluate": storms, "save": tmp_path / "a"}.get(verb, storms[0])
    with pytest.raises(NotFittedError, match=r"'unet\+mse' is not fitted; call fit"):
        getattr(nowcaster, verb)(given)
    for name in ("log", "task", "network"):
        with pytest.raises(NotFittedError):
            getattr(nowcaster, name)
    assert repr(nowcaster) == "<Nowcaster unet+mse, not fitted>"


def test_persistence_needs_a_fit_for_its_members_only(storms: Catalog) -> None:
    nowcaster = Nowcaster("persistence", device="cpu")
    assert nowcaster.predict(storms[0])["vil"].notnull().all()
    scores = nowcaster.evaluate(storms[4:], scales=[1], progress=False)
    assert scores.forecast.values.tolist() == ["persistence"]
    with pytest.raises(NotFittedError, match=r"'persistence' is not fitted; call fit"):
        nowcaster.ensemble(storms[0])
    with pytest.raises(NotFittedError):
        nowcaster.footprint(storms[0])


def test_empty_and_wrong_catalogs(fitted: Nowcaster, storms: Catalog) -> None:
    empty = storms[:0]
    for verb in ("fit", "evaluate"):
        with pytest.raises(CatalogError, match=r"the catalog is empty, wanted events"):
            getattr(fitted, verb)(empty)
        with pytest.raises(
            TypeError, match=r"got a list of events .*, wanted a Catalog; make one"
        ):
            getattr(fitted, verb)([])
    with pytest.raises(TypeError, match=r"got a Catalog, wanted an Event or an xarray"):
        fitted.predict(storms)
    short = Catalog.synthetic(events=2, size=16, frames=20, variables=("vil",))
    nowcaster = Nowcaster("unet", device="cpu")
    with pytest.raises(CatalogError, match=r"no event has 25 unbroken frames of 'vil'"):
        nowcaster.fit(short[:1], validation=short[1:], progress=False)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"recipe": "unett"}, RecipeError, r"did you mean 'unet'\?"),
        ({"recipe": 7}, TypeError, r"got a int as network, wanted a recipe"),
        (
            {"recipe": "unet", "loss": MSE()},
            TypeError,
            r"write Nowcaster\(UNet\(\), loss=",
        ),
        (
            {"recipe": "persistence", "loss": MSE()},
            TypeError,
            r"'persistence' is not trained; leave loss= out",
        ),
        ({"recipe": "unet", "seed": 2**70}, ValueError, r"a whole number, 0 to 4294"),
        ({"recipe": "unet", "inputs": "vil"}, TypeError, r"write inputs=\('vil',\)"),
        ({"recipe": "unet", "inputs": ["vill"]}, ValueError, r"'vill' has no scaling"),
        ({"recipe": "unet", "target": "wind"}, ValueError, r"'wind' has no scaling"),
        ({"recipe": "unet", "history": 0}, ValueError, r"history is 0, wanted a whole"),
        ({"recipe": "unet", "leads": 2.5}, ValueError, r"leads is 2.5, wanted a whole"),
        ({"recipe": "unet", "seed": -1}, ValueError, r"seed is -1, wanted a whole num"),
    ],
)
def test_wrong_arguments_fail_at_once(options, error, message: str) -> None:
    recipe = options.pop("recipe")
    with pytest.raises(error, match=message):
        Nowcaster(recipe, **options)
    options["recipe"] = recipe


def test_wrong_numbers_of_members_and_epochs(
    fitted: Nowcaster, storms: Catalog
) -> None:
    for members in (0, 1, 2.5, True):
        with pytest.raises(
            ValueError, match=r"members is .*, wanted a whole number, 2"
        ):
            fitted.ensemble(storms[0], members=members)
    with pytest.raises(ValueError, match=r"epochs is 0, wanted a whole number, 1 or"):
        Nowcaster("unet", device="cpu").fit(storms, epochs=0)
    with pytest.raises(CatalogError, match=r"no variable 'mesh', it has vil"):
        Nowcaster("unet", device="cpu", target="mesh").fit(storms)


def test_several_inputs_one_of_them_absent(storms: Catalog) -> None:
    lacking = Event("lacking", {v: storms[1].frames[v] for v in ("vil", "lightning")})
    mixed = Catalog([storms[0], lacking, *storms[2:]])
    nowcaster = Nowcaster(
        UNet(width=4, depth=1), device="cpu", inputs=("ir107", "vil", "lightning")
    ).fit(mixed, time_limit=0.01, progress=False)
    assert nowcaster.task.inputs == ("vil", "ir107", "lightning")
    assert nowcaster.task.channels == 6
    assert nowcaster.predict(lacking)["vil"].notnull().all()
    assert nowcaster.predict(storms[0])["vil"].shape == (12, 40, 40)
    assert "3" not in repr(nowcaster).split(":")[1].split("of")[0].replace("13", "")


def test_inputs_without_the_target(storms: Catalog) -> None:
    """The first step to radar from satellite: fit and predict, no motion to find."""
    nowcaster = Nowcaster(
        UNet(width=4, depth=1), device="cpu", inputs=("ir107",), target="vil"
    ).fit(storms, time_limit=0.01, progress=False)
    assert not nowcaster.task.autoregressive
    forecast = nowcaster.predict(storms[0])["vil"]
    assert forecast.shape == (12, 40, 40)
    assert nowcaster.ensemble(storms[0], members=2).members == 2
    scores = nowcaster.evaluate(storms[4:], scales=[1], members=0, progress=False)
    assert scores.forecast.values.tolist() == ["unet+mse", "persistence"]


class Own(nn.Module):
    """A network of the user's own."""

    def __init__(self, leads: int = 12) -> None:
        super().__init__()
        self.leads = leads
        self.gain = nn.Parameter(torch.ones(leads))

    def forward(self, past: Tensor) -> Tensor:
        return past[:, -1:, 0] * self.gain[:, None, None]


class Wrapped(Own):
    """Its forecast stands in a tuple."""

    def forward(self, past: Tensor) -> tuple[Tensor]:
        return (super().forward(past),)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Own(leads=8), r"Own returned \(1, 8, 32, 32\) .* wanted a tensor of \(1, 12"),
        (Wrapped(), r"Wrapped returned tuple for a past of .* wanted a tensor of"),
        (Own().requires_grad_(requires_grad=False), "has no weights to train"),
    ],
)
def test_a_module_that_does_not_fit(
    module: nn.Module, message: str, storms: Catalog
) -> None:
    with pytest.raises(ValueError, match=message):
        Nowcaster(module, device="cpu").fit(storms, progress=False)


def test_a_module_of_ones_own(storms: Catalog) -> None:
    module = Own()
    nowcaster = Nowcaster(module, loss=MAE() + 0.1 * SSIM(), device="cpu")
    nowcaster.fit(storms, time_limit=0.01, progress=False)
    assert nowcaster.network is module
    assert nowcaster.name == "own+mae+0.1*ssim"
    assert nowcaster.predict(storms[0])["vil"].notnull().all()


def test_fit_is_the_same_for_a_seed(storms: Catalog, fitted: Nowcaster) -> None:
    again = Nowcaster(UNet(width=4, depth=1), device="cpu", inputs=("vil",))
    again.fit(storms, epochs=1, progress=False)
    if again._fitted.notes["precision"] != fitted._fitted.notes["precision"]:
        pytest.skip("the machine computes in another precision than a minute ago")
    assert again.predict(storms[0]).identical(fitted.predict(storms[0]))
    ours, theirs = (n.ensemble(storms[0], members=2).values for n in (again, fitted))
    assert ours.identical(theirs)


def test_a_single_event_says_what_it_is_worth(storms: Catalog) -> None:
    with pytest.warns(UserWarning, match=r"leaves none to validate on") as caught:
        nowcaster = Nowcaster("persistence", device="cpu").fit(
            storms[:1], progress=False
        )
    assert caught[0].filename == __file__
    forecast = nowcaster.predict(storms[0])
    assert forecast.attrs["validated"] == (
        "on the training windows, errors measured on 1 window"
    )


def test_log_and_repr(fitted: Nowcaster) -> None:
    assert isinstance(fitted.log, pd.DataFrame)
    assert len(fitted.log) == 1
    log = fitted.log
    log["loss"] = 0.0
    assert fitted.log["loss"][0] > 0
    assert "13 frames of vil to 12 of vil" in repr(fitted)


# -------------------------------------------------------------- orientation


@pytest.mark.parametrize("axes", ["y", "x", "yx"])
def test_the_order_of_rows_and_columns_changes_nothing_but_itself(
    axes: str, fitted: Nowcaster, storms: Catalog
) -> None:
    plain = only_vil(storms[0])
    turned = plain.isel({axis: slice(None, None, -1) for axis in axes})
    now = storms[0].time[13]
    for verb, options in (
        ("predict", {}),
        ("ensemble", {"members": 3}),
        ("footprint", {"members": 3}),
    ):
        made = getattr(fitted, verb)(plain, reference_time=now, **options)
        other = getattr(fitted, verb)(turned, reference_time=now, **options)
        one, two = (getattr(each, "dataset", each) for each in (made, other))
        np.testing.assert_array_equal(two.y, turned.y)
        np.testing.assert_array_equal(two.x, turned.x)
        xr.testing.assert_equal(two.sortby(["y", "x"]), one.sortby(["y", "x"]))


def test_scores_do_not_depend_on_the_order_of_rows(
    fitted: Nowcaster, storms: Catalog
) -> None:
    plain = only_vil(storms[0])
    scores = [
        fitted.evaluate(Catalog.from_xarray(each), members=0, progress=False)
        for each in (plain, plain.isel(y=slice(None, None, -1)))
    ]
    xr.testing.assert_allclose(scores[1], scores[0])


# -------------------------------------------------------------- odd arguments


def test_a_reference_time_may_be_any_one_time(
    fitted: Nowcaster, storms: Catalog
) -> None:
    event = storms[0]
    wanted = fitted.predict(event, reference_time=event.time[13])
    label = event["vil"].time[13]
    moment = event.time[13]
    for same in (
        label,
        label.values,
        moment.to_pydatetime(),
        moment.tz_localize("UTC").tz_convert("Europe/Paris"),
        moment.isoformat(),
    ):
        xr.testing.assert_equal(fitted.predict(event, reference_time=same), wanted)
    for wrong in ("yesterday", 12, True, [moment], 3.5):
        with pytest.raises(ValueError, match=r"reference_time is .*, wanted one time"):
            fitted.predict(event, reference_time=wrong)


def test_more_members_than_memory_are_refused(
    fitted: Nowcaster, storms: Catalog
) -> None:
    with pytest.raises(MemoryError, match=r"more than there is; .*footprint"):
        fitted.ensemble(storms[0], members=10**12, reference_time=storms[0].time[13])


def test_a_model_of_rain_says_how_to_come_from_reflectivity() -> None:
    rain = Catalog.synthetic(events=2, size=40, frames=26, variables=("rain_rate",))
    radar = Catalog.synthetic(events=1, size=40, frames=26, variables=("reflectivity",))
    still = Nowcaster("persistence", target="rain_rate").fit(rain, progress=False)
    law = r"convert it with stormfusion.units.reflectivity_to_rain_rate"
    with pytest.raises(CatalogError, match=law):
        still.predict(radar[0])
    with pytest.raises(CatalogError, match=law):
        still.evaluate(radar, progress=False)
    with pytest.raises(CatalogError, match=law):
        Nowcaster("unet", target="rain_rate").fit(radar)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"time_limit": "5"}, ValueError, r"time_limit is '5', wanted a number above"),
        ({"validation": 0.9}, TypeError, r"got a float of events to validate on"),
        ({"epochs": 1.5}, ValueError, r"epochs is 1.5, wanted a whole number"),
        ({"learning_rate": "x"}, ValueError, r"learning_rate is 'x', wanted a number"),
    ],
)
def test_odd_arguments_of_fit(
    options: dict[str, Any], error: type[Exception], message: str, storms: Catalog
) -> None:
    with pytest.raises(error, match=message):
        Nowcaster(UNet(width=4, depth=1)).fit(storms, progress=False, **options)


def test_inputs_are_a_sequence() -> None:
    with pytest.raises(TypeError, match=r"inputs is 3, wanted a sequence of names"):
        Nowcaster("unet", inputs=3)  # type: ignore[arg-type]


def test_a_loss_as_text_goes_into_the_recipe() -> None:
    with pytest.raises(TypeError, match=r"write 'unet\+ssim' as the recipe"):
        Nowcaster("unet", loss="ssim")  # type: ignore[arg-type]


def test_a_folder_to_resume_from_is_looked_for_first(
    storms: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*args: object, **options: object) -> None:
        pytest.fail("it trained")

    monkeypatch.setattr("stormfusion.training.loop.train", never)
    with pytest.raises(FileNotFoundError, match=r"does not exist, so 'a.st'"):
        Nowcaster("unet").fit(storms, resume=tmp_path / "no" / "a.st", progress=False)


def test_an_optimizer_of_ones_own_is_told_in_the_file(
    storms: Catalog, tmp_path: Path
) -> None:
    nowcaster = Nowcaster(UNet(width=4, depth=1), device="cpu", inputs=("vil",))
    options: dict[str, Any] = {"epochs": 1, "progress": False}
    nowcaster.fit(storms, learning_rate=5e-4, optimizer=AdamHD(1e-2), **options)
    rate = nowcaster.log["learning_rate"].item()
    assert rate not in (5e-4, 5e-6)
    loaded = Nowcaster.load(nowcaster.save(tmp_path / "own.safetensors"), device="cpu")
    assert loaded._checked().notes["optimizer"] == repr(AdamHD(1e-2))
    assert loaded.predict(storms[0]).identical(nowcaster.predict(storms[0]))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"optimizer": "adamhd"}, TypeError, "wanted a description such as AdamHD"),
        ({"optimizer": AdamHD}, TypeError, r"got the class AdamHD, .*write AdamHD\(\)"),
        ({"learning_rate": -1.0}, ValueError, "learning_rate is -1.0, wanted a number"),
    ],
)
def test_an_optimizer_that_is_none_stops_before_any_training(
    storms: Catalog,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    def never(*args: object, **options: object) -> None:
        pytest.fail("it trained")

    monkeypatch.setattr("stormfusion.training.loop.train", never)
    with pytest.raises(error, match=message):
        Nowcaster(UNet(width=4, depth=1)).fit(storms, progress=False, **options)


def test_values_on_a_threshold_stay_on_it(storms: Catalog) -> None:
    data = only_vil(storms[0]).rename(vil="rain_rate")
    steps = (100 * data.rain_rate).round().astype("int32")
    data["rain_rate"] = (0.01 * steps).astype("float32").assign_attrs(units="mm h-1")
    event = Catalog.from_xarray(data)[0]
    last = data.rain_rate[-1].values
    for given in (data, event, event.to_dataset()):
        found = Nowcaster("persistence", device="cpu").predict(given).rain_rate
        kept = last >= 0.01
        np.testing.assert_array_equal(found[0].values[kept], last[kept])


@pytest.mark.parametrize("inputs", [(), ("vil", "vil")])
def test_inputs_are_one_or_more_each_once(inputs: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"wanted one or more variables, each once"):
        Nowcaster("unet", inputs=inputs)
