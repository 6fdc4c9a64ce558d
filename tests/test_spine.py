"""From radar to a verified footprint, and what bad input gets on the way."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from stormfusion import Catalog, Event, Nowcaster
from stormfusion.errors import (
    CatalogError,
    CheckpointError,
    CorruptFileError,
    GridMismatchError,
    NotFittedError,
    RecipeError,
)
from stormfusion.nn import UNet

SMALL = UNet(width=4, depth=1)


@pytest.fixture(scope="module")
def storms() -> Catalog:
    return Catalog.synthetic(events=5, size=48, frames=26, seed=3)


@pytest.fixture(scope="module")
def fitted(storms: Catalog) -> Nowcaster:
    nowcaster = Nowcaster(SMALL, device="cpu")
    return nowcaster.fit(storms, epochs=1, progress=False)


def sentence(message: str) -> bool:
    """One sentence in lower case with no full stop, as the house writes errors."""
    return "\n" not in message and not message.endswith(".")


def test_ten_lines_from_radar_to_a_verified_footprint(
    storms: Catalog, tmp_path: Path
) -> None:
    train, test = storms.split(0.8)
    nowcaster = Nowcaster(SMALL, device="cpu").fit(train, epochs=2, progress=False)
    event = test[0]
    now = event.time[12]
    forecast = nowcaster.predict(event, reference_time=now)
    assert forecast.vil.dims == ("lead", "y", "x")
    assert forecast.vil.attrs["units"] == "kg m-2"
    assert forecast.time.values[0] == event.time[13]
    ensemble = nowcaster.ensemble(event, members=6, reference_time=now)
    hazards = ("vil >= 0.8 kg m-2", "vil >= 12 kg m-2")
    footprint = ensemble.footprint(*hazards)
    streamed = nowcaster.footprint(event, *hazards, members=6, reference_time=now)
    for name, values in footprint.dataset.data_vars.items():
        np.testing.assert_allclose(streamed.dataset[name], values, atol=2e-5)
    written = footprint.to_netcdf(tmp_path / "footprint.nc")
    with xr.open_dataset(written) as opened:
        assert float(opened.probability.max()) <= 1
    scores = nowcaster.evaluate(test, members=3, progress=False)
    assert scores.forecast.values.tolist() == ["unet+mse", "persistence"]
    assert {"csi", "pod", "far", "bias", "hss", "mse", "mae", "crps", "fss"} <= set(
        scores.data_vars
    )
    brier = footprint.verify(event["vil"])
    assert 0 <= float(brier.window_brier[0]) <= 1


def test_nothing_after_the_reference_time_is_seen(
    storms: Catalog, fitted: Nowcaster
) -> None:
    dataset = storms[0].to_dataset()[["vil"]].load()
    now = storms[0].time[14]
    honest = fitted.predict(dataset, reference_time=now)
    poisoned = dataset.copy(deep=True)
    poisoned.vil[15:] = 79.0
    poisoned.vil[20:] = np.nan
    same = fitted.predict(poisoned, reference_time=now)
    xr.testing.assert_identical(honest.vil, same.vil)


def test_several_inputs_each_on_its_own_grid(storms: Catalog) -> None:
    inputs = ("vil", "ir107", "lightning")
    nowcaster = Nowcaster(SMALL, inputs=inputs, target="vil", device="cpu")
    nowcaster.fit(storms, epochs=1, progress=False)
    event, now = storms[0], storms[0].time[12]
    whole = nowcaster.predict(event, reference_time=now)
    lacking = Event(event.id, {"vil": event.frames["vil"]})
    masked = nowcaster.predict(lacking, reference_time=now)
    assert np.isfinite(masked.vil).all()
    assert masked.vil.shape == whole.vil.shape


@pytest.mark.parametrize("shape", [(33, 47), (64, 40), (130, 71)])
def test_any_grid_is_forecast(fitted: Nowcaster, shape: tuple[int, int]) -> None:
    event = Catalog.synthetic(1, size=shape, frames=13, variables=("vil",))[0]
    assert fitted.predict(event).vil.shape == (12, *shape)


def test_a_loaded_nowcaster_forecasts_to_the_last_bit(
    storms: Catalog, fitted: Nowcaster, tmp_path: Path
) -> None:
    path = fitted.save(tmp_path / "storm.safetensors")
    loaded = Nowcaster.load(path, device="cpu")
    now = storms[1].time[12]
    xr.testing.assert_identical(
        loaded.predict(storms[1], reference_time=now).vil,
        fitted.predict(storms[1], reference_time=now).vil,
    )
    one, other = (
        n.ensemble(storms[1], members=2, reference_time=now) for n in (fitted, loaded)
    )
    xr.testing.assert_identical(one.values, other.values)
    assert [p.name for p in tmp_path.iterdir()] == ["storm.safetensors"]


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_a_checkpoint_cut_short_is_refused(
    fitted: Nowcaster, tmp_path: Path, share: float
) -> None:
    path = fitted.save(tmp_path / "storm.safetensors")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(CheckpointError, match="no whole checkpoint") as caught:
        Nowcaster.load(path)
    assert sentence(str(caught.value))


def test_a_foreign_checkpoint_is_refused(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    path = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(CheckpointError, match="another program"):
        Nowcaster.load(path)


def test_missing_folder_and_empty_catalog(storms: Catalog, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no file or folder"):
        Catalog.open(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="neither a SEVIR catalog"):
        Catalog.open(tmp_path)
    empty = storms.where(lambda table: table["seed"] < 0)
    with pytest.raises(CatalogError, match="empty"):
        Nowcaster(SMALL).fit(empty)


def test_foreign_and_truncated_files(storms: Catalog, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.nc"
    foreign.write_text("this is no radar")
    with pytest.raises(CorruptFileError, match=r"foreign\.nc"):
        Catalog.open(foreign)
    whole = tmp_path / "whole.nc"
    dataset = storms[0].to_dataset()[["vil"]]
    dataset.to_netcdf(whole, engine="h5netcdf")
    cut = tmp_path / "cut.nc"
    cut.write_bytes(whole.read_bytes()[:5000])
    with pytest.warns(UserWarning, match="2 of 3 files are skipped"):
        catalog = Catalog.open(tmp_path)
    assert len(catalog) == 1
    with pytest.raises(CorruptFileError):
        Catalog.open(tmp_path, strict=True)


def test_frames_out_of_order(storms: Catalog) -> None:
    dataset = storms[0].to_dataset()[["vil"]].isel(time=slice(None, None, -1))
    with pytest.raises(CatalogError, match=r"out of order.*sortby"):
        Catalog.from_xarray(dataset)


def test_events_that_are_all_missing(storms: Catalog, fitted: Nowcaster) -> None:
    dataset = storms[0].to_dataset()[["vil"]] * np.nan
    dataset.vil.attrs["units"] = "kg m-2"
    with pytest.raises(CatalogError, match="are missing"):
        fitted.predict(dataset)
    missing = Catalog.from_xarray(dataset)
    nowcaster = Nowcaster(SMALL, device="cpu")
    with pytest.raises(CatalogError, match="every pixel of 'vil'"):
        nowcaster.fit(missing, validation=storms, epochs=1, progress=False)


def test_a_grid_too_small_for_the_network() -> None:
    tiny = Catalog.synthetic(3, size=(12, 12), frames=26, variables=("vil",))
    with pytest.raises(ValueError, match="needs at least 16 x 16"):
        Nowcaster("unet").fit(tiny, epochs=1, progress=False)


def test_unknown_recipe_and_unfitted_nowcaster(storms: Catalog) -> None:
    with pytest.raises(RecipeError, match="did you mean 'mse'"):
        Nowcaster("unet+mze")
    with pytest.raises(NotFittedError, match="call fit"):
        Nowcaster("unet").predict(storms[0])


def test_a_variable_the_catalog_lacks(storms: Catalog) -> None:
    with pytest.raises(CatalogError, match="no variable 'rain_rate', it has vil"):
        Nowcaster(SMALL, target="rain_rate").fit(storms)


def test_other_spacing_and_other_interval(fitted: Nowcaster) -> None:
    coarse = Catalog.synthetic(1, size=48, frames=13, spacing=2000.0)[0]
    with pytest.raises(GridMismatchError, match=r"2000 m between points.*1000 m"):
        fitted.predict(coarse)
    slow = Catalog.synthetic(1, size=48, frames=13, interval="10min")[0]
    with pytest.raises(CatalogError, match=r"600 s apart.*300 s"):
        fitted.predict(slow)


def test_nan_and_infinite_pixels(storms: Catalog, fitted: Nowcaster) -> None:
    dataset = storms[0].to_dataset()[["vil"]].isel(time=slice(0, 13)).load()
    dataset.vil[:, 4:9, 7] = np.nan
    dataset.vil[5, 20, 20:25] = np.inf
    forecast = fitted.predict(dataset).vil
    assert forecast[:, 4:9, 7].isnull().all()
    assert np.isfinite(forecast[:, 20, 20:25]).all()


def test_errors_of_arguments_are_sentences(fitted: Nowcaster, storms: Catalog) -> None:
    event = storms[0]
    for call in (
        lambda: fitted.predict(event, reference_time="2001-01-01"),
        lambda: fitted.predict(event, reference_time=event.time[3]),
        lambda: fitted.predict(3),
        lambda: fitted.ensemble(event, members=1),
        lambda: fitted.footprint(event, "rain_rate >= 5 mm/h"),
        lambda: fitted.footprint(event, "vil >= 5 mm/h"),
        lambda: Nowcaster("unet", inputs="vil"),
        lambda: Nowcaster("unet", loss=SMALL),
        lambda: Nowcaster(7),
    ):
        with pytest.raises((ValueError, TypeError)) as caught:
            call()
        assert sentence(str(caught.value)), str(caught.value)


def test_a_fit_that_is_interrupted_goes_on_where_it_stopped(
    storms: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stormfusion.training.step import Stepper

    whole = Nowcaster(SMALL, device="cpu").fit(storms, epochs=2, progress=False)
    plain, steps = Stepper.step, []

    def interrupted(self, *args, **kwargs):
        steps.append(1)
        if len(steps) == 20:  # in the second epoch of sixteen steps
            raise KeyboardInterrupt
        return plain(self, *args, **kwargs)

    path = tmp_path / "training.safetensors"
    monkeypatch.setattr(Stepper, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Nowcaster(SMALL, device="cpu").fit(
            storms, epochs=2, resume=path, progress=False
        )
    monkeypatch.setattr(Stepper, "step", plain)
    resumed = Nowcaster(SMALL, device="cpu").fit(
        storms, epochs=2, resume=path, progress=False
    )
    for name, weight in whole.network.state_dict().items():
        assert (weight == resumed.network.state_dict()[name]).all(), name
    with pytest.raises(CheckpointError, match="not of this training"):
        Nowcaster(SMALL, device="cpu", seed=1).fit(storms, epochs=2, resume=path)


def test_a_header_is_json_and_nothing_is_pickled(
    fitted: Nowcaster, tmp_path: Path
) -> None:
    from safetensors import safe_open

    path = fitted.save(tmp_path / "storm.safetensors")
    with safe_open(str(path), framework="pt") as file:
        header = json.loads(file.metadata()["stormfusion"])
    assert header["task"]["inputs"] == ["vil"]
    assert header["network"] == {
        "name": "unet",
        "options": {"width": 4, "depth": 1, "patch": 2},
    }
    assert re.fullmatch(r"[0-9a-f]{16}", header["notes"]["fingerprint"])
