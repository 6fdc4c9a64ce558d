"""Training with shaping terms: balanced, recorded, stable, and refused where due."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from stormfusion import Catalog, Nowcaster
from stormfusion.errors import CheckpointError, WeightsError
from stormfusion.losses import LPIPS, MSE, VGG, Perceptual, Temporal
from stormfusion.nn import RadarEncoder, UNet

SMALL = UNet(width=4, depth=1)


class Plain(nn.Module):
    """A network that begins with a forecast at random, not with extrapolation."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(8, 16, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(16, 16, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(16, 3, 3, padding=1),
        )

    def forward(self, past: torch.Tensor) -> torch.Tensor:
        return self.layers(past.flatten(1, 2))


@pytest.fixture(scope="module")
def storms() -> Catalog:
    return Catalog.synthetic(events=4, size=48, frames=16, variables=["vil"], seed=3)


def plain(loss) -> Nowcaster:
    torch.manual_seed(0)
    return Nowcaster(Plain(), loss=loss, history=4, leads=3)


@pytest.fixture(scope="module")
def weight(storms: Catalog) -> float:
    """The scale of the term, as balanced at random initialization."""
    made = plain(MSE() + Perceptual())
    made.fit(storms[:3], validation=storms[3:], epochs=1, progress=False)
    return float(made.log["weight_perceptual"].iloc[0])


def forecast(made: Nowcaster, storms: Catalog) -> np.ndarray:
    made.fit(storms[:3], validation=storms[3:], epochs=8, progress=False)
    log = made.log["validation_loss"]
    assert log.iloc[-1] < log.iloc[0]
    event = storms[3]
    return made.predict(event, reference_time=event.time[9]).vil.values


@pytest.fixture(scope="module")
def without(storms: Catalog) -> np.ndarray:
    return forecast(plain(MSE()), storms)


@pytest.mark.parametrize("times", [1, 10, 1000])
def test_nothing_collapses_from_random_initialization(
    times: int, weight: float, storms: Catalog, without: np.ndarray
) -> None:
    made = plain(MSE() + times * weight * Perceptual())
    found = forecast(made, storms)
    observed = storms[3]["vil"].isel(time=slice(10, 13)).values
    # no blank image and no noise: about as much rain, and much of it in its place
    assert 0.5 < found.std() / without.std() < 2
    for lead in range(2):
        ours, theirs = (
            np.corrcoef(field[lead].ravel(), observed[lead].ravel())[0, 1]
            for field in (found, without)
        )
        assert ours > 0.6 * theirs > 0


def test_the_weight_is_in_log_and_checkpoint(storms: Catalog, tmp_path: Path) -> None:
    made = Nowcaster("unet+perceptual+temporal", history=4, leads=3).fit(
        storms[:3], validation=storms[3:], time_limit=3, progress=False
    )
    assert made.name == "unet+mse+perceptual+temporal"
    for name in ("weight_perceptual", "weight_temporal"):
        assert bool((made.log[name] > 0).all())
    loaded = Nowcaster.load(made.save(tmp_path / "sharp.safetensors"))
    assert loaded.name == made.name
    assert loaded.log.equals(made.log)


def test_an_encoder_of_ones_own_in_a_checkpoint(
    storms: Catalog, tmp_path: Path
) -> None:
    own = RadarEncoder.fit(storms, steps=2, batch_size=4, patch=32, progress=False)
    path = own.save(tmp_path / "encoder.safetensors")
    options = {"validation": storms[3:], "epochs": 1, "progress": False}
    named = Nowcaster(SMALL, loss=MSE() + 0.1 * Perceptual(path), history=4, leads=3)
    named.fit(storms[:3], **options).save(tmp_path / "named.safetensors")
    again = Nowcaster.load(tmp_path / "named.safetensors")
    again.fit(storms[:3], **options)
    held = Nowcaster(SMALL, loss=MSE() + 0.1 * Perceptual(own), history=4, leads=3)
    held.fit(storms[:3], **options).save(tmp_path / "held.safetensors")
    assert held.log["loss"].equals(named.log["loss"])
    assert again.log["loss"].equals(named.log["loss"])
    # what is no file cannot be found again, and is not needed to forecast
    loaded = Nowcaster.load(tmp_path / "held.safetensors")
    event = storms[3]
    assert loaded.predict(event).equals(held.predict(event))
    assert loaded.name == held.name == "unet+mse+0.1*perceptual"
    with pytest.raises(TypeError, match="without its loss"):
        loaded.fit(storms[:3], **options)


def test_a_training_by_another_encoder_is_not_gone_on_with(
    storms: Catalog, tmp_path: Path
) -> None:
    options = {"validation": storms[3:], "epochs": 1, "progress": False}
    torch.manual_seed(0)
    kept = tmp_path / "going.safetensors"
    one, other = (MSE() + Perceptual(RadarEncoder().frozen()) for _ in range(2))
    Nowcaster(SMALL, loss=one, history=4, leads=3).fit(
        storms[:3], resume=kept, **options
    )
    with pytest.raises(CheckpointError, match="digests differ"):
        Nowcaster(SMALL, loss=other, history=4, leads=3).fit(
            storms[:3], resume=kept, **options
        )


def test_temporal_needs_two_leads(storms: Catalog) -> None:
    made = Nowcaster(SMALL, loss=MSE() + Temporal(), history=4, leads=1)
    with pytest.raises(ValueError, match="'temporal' compares 2 leads"):
        made.fit(storms[:3], validation=storms[3:], epochs=1, progress=False)
    with pytest.raises(ValueError, match="'temporal' compares 2 leads"):
        made.tune(storms[:3], validation=storms[3:], term="temporal", progress=False)


def test_a_variable_that_the_encoder_does_not_know_is_told() -> None:
    warm = Catalog.synthetic(events=2, size=64, frames=12, variables=["ir107"], seed=1)
    made = Nowcaster(SMALL, loss=MSE() + Temporal(), history=2, leads=2, target="ir107")
    with pytest.warns(UserWarning, match="'temporal' compares ir107.*knows nothing"):
        made.fit(warm[:1], validation=warm[1:], epochs=1, progress=False)
    assert "perceptual" not in made.evaluate(warm[1:], members=0, progress=False)


@pytest.mark.parametrize("term", [VGG(), LPIPS(), LPIPS(net="vgg")])
def test_no_weights_of_vgg_no_training(
    term, storms: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(
        "stormfusion.nn.pretrained._url", lambda net: "http://127.0.0.1:9/absent.pth"
    )
    made = Nowcaster(SMALL, loss=MSE() + term)
    with pytest.raises(WeightsError, match="'perceptual', which ships"):
        made.fit(storms[:3], validation=storms[3:], epochs=1, progress=False)
    assert "not fitted" in repr(made)


def test_maps_too_small_for_the_encoder_are_refused_before_training() -> None:
    tiny = Catalog.synthetic(events=2, size=24, frames=12, variables=["vil"])
    made = Nowcaster(SMALL, loss=MSE() + Perceptual(), history=2, leads=2)
    with pytest.raises(
        ValueError, match="at least 32 x 32 pixels, but got one of 24 x"
    ):
        made.fit(tiny[:1], validation=tiny[1:], progress=False)


def test_an_all_dry_catalog_trains_without_a_nan() -> None:
    wet = Catalog.synthetic(events=1, size=48, frames=12, variables=["vil"])[0]
    dry = 0 * wet.to_dataset()[["vil"]]
    dry["vil"].attrs = wet["vil"].attrs
    made = Nowcaster(SMALL, loss=MSE() + Perceptual(), history=2, leads=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # one event leaves no validation
        made.fit(Catalog.from_xarray(dry), epochs=1, progress=False)
    forecast = made.predict(dry).vil
    assert float(forecast.max()) < 0.1
    assert made.log["weight_perceptual"].isna().all()  # there was none to measure
