"""The losses in the hands of a nowcaster: bound, kept in files, said in warnings."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from stormfusion import Catalog, Nowcaster, Recipe
from stormfusion.losses import BMAE, BMSE, FFL, GDL, MSE, Spectral
from stormfusion.nn import UNet
from stormfusion.nowcaster.tuning import Sweep
from stormfusion.verification.perceptual import distance_sums

SMALL = {"history": 2, "leads": 2, "device": "cpu"}
BRIEF = {"epochs": 1, "batch_size": 2, "progress": False}
TINY = UNet(width=4, depth=1)


def storms(variable: str) -> Catalog:
    return Catalog.synthetic(events=3, size=32, frames=6, variables=[variable])


@pytest.mark.parametrize("variable", ["rain_rate", "reflectivity", "vil"])
def test_the_target_decides_what_weighs(variable: str) -> None:
    loss = BMSE() + BMAE() + Spectral()
    made = Nowcaster(TINY, loss=loss, **SMALL).fit(storms(variable), **BRIEF)
    assert np.isfinite(made.log["loss"]).all()


@pytest.mark.parametrize("text", ["unet+bmse+bmae", "unet+ffl+spectral"])
def test_recipes_train_and_come_back_from_files(text: str, tmp_path: Path) -> None:
    made = Nowcaster(text, **SMALL).fit(storms("rain_rate"), **BRIEF)
    assert str(Recipe.parse(text)) == made.name == text
    path = tmp_path / "made.safetensors"
    made.save(path)
    loaded = Nowcaster.load(path)
    assert loaded.name == text
    assert loaded._loss == made._loss == Recipe.parse(text).loss()


def test_options_come_back_from_files(tmp_path: Path) -> None:
    own = {"thresholds": (1.0, 20.0), "weights": (1.0, 3.0, 9.0)}
    loss = BMSE(**own) + 0.5 * FFL(k=1.0, **own)
    made = Nowcaster(TINY, loss=loss, **SMALL).fit(storms("rain_rate"), **BRIEF)
    path = tmp_path / "made.safetensors"
    made.save(path)
    loaded = Nowcaster.load(path)
    assert loaded._loss == loss
    assert loaded.name == made.name
    loaded.fit(storms("rain_rate"), **BRIEF)


def test_a_single_forecast_by_crps_is_warned_of() -> None:
    made = Nowcaster("unet+crps", **SMALL)
    with pytest.warns(UserWarning, match="single forecast is its absolute error"):
        made.fit(storms("rain_rate"), **BRIEF)


def test_a_target_without_rain_is_refused_before_it_trains() -> None:
    catalog = storms("ir107")
    made = Nowcaster(TINY, loss=1.0 * BMSE(), target="ir107", **SMALL)
    with pytest.raises(ValueError, match="no law from ir107; give thresholds="):
        made.fit(catalog, **BRIEF)
    wrong = Nowcaster(TINY, loss=BMSE(variable="vil"), **SMALL)
    with pytest.raises(ValueError, match="is for vil, but the target is rain_rate"):
        wrong.fit(storms("rain_rate"), **BRIEF)


def test_tuning_begins_from_a_balanced_loss() -> None:
    made = Nowcaster(TINY, loss=BMSE(), **SMALL)
    sweep = Sweep(made, GDL(), {}, {}, folder=None, progress=False)
    weights = sweep._default(1.0 * BMSE(), storms("rain_rate"))
    assert len(weights) > 1
    assert all(weight > 0 for weight in weights)


def test_distances_are_of_their_variable() -> None:
    rain = np.linspace(0, 40, 64).reshape(8, 8)
    observed = xr.DataArray(rain, dims=("y", "x"), name="rain_rate")
    observed.attrs["units"] = "mm h-1"
    balanced = distance_sums(0 * observed, observed, loss=BMSE())
    plain = distance_sums(0 * observed, observed, loss=MSE())
    assert balanced.bmse_sum > 5 * plain.mse_sum
    assert distance_sums(0 * observed, observed, loss=Spectral()).spectral_sum > 0
