import os
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from scipy.ndimage import gaussian_filter, shift

from stormfusion import Catalog
from stormfusion.data.scaling import scaling_for
from stormfusion.errors import WeightsError
from stormfusion.losses import LOSSES, MSE, Perceptual, Temporal, balance
from stormfusion.nn import RadarEncoder

DATA = Path(
    os.environ.get(
        "STORMFUSION_DATA", Path(__file__).parents[2].parent / "shared" / "data"
    )
)
SERVED = ("vil", "reflectivity", "rain_rate")


def frame(values) -> torch.Tensor:
    return torch.tensor(np.ascontiguousarray(values), dtype=torch.float32)[None, None]


def distance(forecast, observed, loss=None) -> float:
    forecast, observed = frame(forecast), frame(observed)
    loss = Perceptual() if loss is None else loss
    return float(loss(forecast, observed, torch.ones_like(observed) > 0))


def synthetic_fields() -> list[np.ndarray]:
    found = []
    for seed in (5, 6):
        for event in Catalog.synthetic(
            events=3, size=128, variables=["vil"], seed=seed
        ):
            values = event["vil"].isel(time=24).values
            found.append(scaling_for("vil").normalize(values.astype(np.float64)))
    return found


def real_fields(folder: Path) -> list[np.ndarray]:
    """Wet parts of storms of countries that the encoder never saw."""
    found = []
    for name in ("mch_20150515", "mch_20170131", "bom02_20180616"):
        with xr.open_dataset(folder / f"{name}.nc") as opened:
            rain = opened["rain_rate"].isel(time=[3, 20, 37]).load()
        for values in rain.values.astype(np.float64):
            number = np.nan_to_num(scaling_for("rain_rate").normalize(values))
            wet = gaussian_filter((number > 0.3).astype(float), 32)[64:-64, 64:-64]
            y, x = np.unravel_index(wet.argmax(), wet.shape)
            found.append(number[y : y + 128, x : x + 128])
    return found


def blurred_as_far(field: np.ndarray, mse: float) -> np.ndarray:
    """The field blurred until its squared error is that of another forecast."""
    low, high = 0.05, 30.0
    for _ in range(30):
        middle = (low + high) / 2
        found = gaussian_filter(field, middle)
        nearer = ((found - field) ** 2).mean() < mse
        low, high = (middle, high) if nearer else (low, middle)
    assert ((found - field) ** 2).mean() == pytest.approx(mse, rel=0.02)
    return found


def check_displacement_beats_blur(fields) -> None:
    for field in fields:
        for step in ((0, 2), (2, 0), (-1, 1)):
            moved = shift(field, step, order=1, mode="nearest")
            smooth = blurred_as_far(field, float(((moved - field) ** 2).mean()))
            assert distance(moved, field) < distance(smooth, field)


def check_growth(fields) -> None:
    for field in fields:
        blur = [gaussian_filter(field, width) for width in (0.5, 1, 2, 4, 8)]
        moved = [shift(field, (0, n), order=1, mode="nearest") for n in (1, 2, 4, 8)]
        for others in (blur, moved):
            found = [distance(other, field) for other in others]
            assert found[0] > 0
            assert found == sorted(found)


def check_texture(fields) -> None:
    for field in fields:
        smooth = gaussian_filter(field, 3)
        smooth *= field.mean() / smooth.mean()
        assert smooth.mean() == pytest.approx(field.mean())
        # more is lost than by a step of two pixels, which keeps all texture
        moved = shift(field, (0, 2), order=0, mode="nearest")
        assert distance(smooth, field) > distance(moved, field)


def test_a_displaced_storm_is_nearer_than_a_blurred_one() -> None:
    check_displacement_beats_blur(synthetic_fields())


def test_it_grows_with_blur_and_with_displacement() -> None:
    check_growth(synthetic_fields())


def test_it_sees_texture_lost_at_equal_mean() -> None:
    check_texture(synthetic_fields())
    for field in synthetic_fields():
        smooth = gaussian_filter(field, 3)
        smooth *= field.mean() / smooth.mean()
        blank = distance(np.zeros_like(field), field)
        assert distance(smooth, field) > 0.01 * blank


@pytest.mark.realdata
def test_all_of_it_on_real_storms() -> None:
    if not DATA.is_dir():
        pytest.skip(f"no {DATA}; set STORMFUSION_DATA to the folder of real radar")
    fields = real_fields(DATA)
    check_displacement_beats_blur(fields)
    check_growth(fields)
    check_texture(fields)


def blob(y: int, x: int, *, top: float = 0.7, width: float = 3.0) -> np.ndarray:
    rows, columns = np.mgrid[:96, :96]
    return top * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * width**2))


def test_it_is_indifferent_to_nothing_that_matters() -> None:
    storm = blob(30, 30) + blob(60, 66)
    missed = distance(blob(30, 30), storm)
    false = distance(storm + blob(70, 20), storm)
    halved = distance(storm / 2, storm)
    nothing = distance(0 * storm, storm)
    little = distance(shift(storm, (0, 1), order=1), storm)
    assert 0 < little < min(missed, false, halved)
    assert max(missed, halved) < nothing


def test_zero_for_equal_and_symmetric() -> None:
    one, other = synthetic_fields()[:2]
    assert distance(one, one) == 0
    assert distance(one, other) == pytest.approx(distance(other, one), rel=1e-5)
    assert 0.1 < distance(one, other) < 3  # of the order of 1


def test_dry_and_missing_fields() -> None:
    dry = torch.zeros(1, 2, 64, 64, requires_grad=True)
    none = torch.zeros(1, 2, 64, 64, dtype=torch.bool)
    for loss in (Perceptual(), Temporal()):
        assert loss(dry, torch.zeros(1, 2, 64, 64), ~none).item() == 0
        value = loss(dry, torch.full((1, 2, 64, 64), torch.nan), none)
        value.backward()
        assert value.item() == 0
        assert dry.grad is not None
        assert not dry.grad.any()


@pytest.mark.parametrize("name", ["perceptual", "temporal"])
def test_what_is_missing_tells_nothing(name: str) -> None:
    torch.manual_seed(0)
    loss = LOSSES[name]()
    forecast, observed = torch.rand(2, 2, 3, 64, 48)
    valid = torch.ones(2, 3, 64, 48, dtype=torch.bool)
    valid[0, 1, 10:40, 5:30] = False
    spoilt, odd = observed.clone(), forecast.clone()
    spoilt[~valid], odd[~valid] = torch.nan, 7.0
    leaf = odd.requires_grad_()
    value = loss(leaf, spoilt, valid)
    assert torch.equal(value, loss(forecast, observed, valid))
    value.backward()
    assert not leaf.grad[~valid].any()
    assert bool(leaf.grad.isfinite().all())
    assert float(leaf.grad.abs().sum()) > 0


def test_values_beyond_what_can_fall_stay_finite() -> None:
    wild = torch.full((1, 1, 64, 64), 40.0, requires_grad=True)
    value = Perceptual()(wild, torch.zeros(1, 1, 64, 64), torch.ones(1, 1, 64, 64) > 0)
    value.backward()
    assert bool(value.isfinite())
    assert bool(wild.grad.isfinite().all())
    below = distance(np.full((64, 64), -1.0), np.zeros((64, 64)))
    assert 0 < below < np.inf


def test_no_gradient_reaches_the_encoder_and_no_weight_changes() -> None:
    encoder = RadarEncoder.shipped()
    before = encoder.digest
    forecast = torch.rand(1, 2, 64, 64, requires_grad=True)
    valid = torch.ones(1, 2, 64, 64, dtype=torch.bool)
    (Perceptual()(forecast, torch.rand(1, 2, 64, 64), valid)).backward()
    assert all(weight.grad is None for weight in encoder.parameters())
    assert encoder.digest == before


def test_temporal_compares_changes() -> None:
    storm = [blob(40, 20 + 6 * step) for step in range(4)]
    observed = torch.tensor(np.stack(storm), dtype=torch.float32)[None]
    still = observed[:, :1].expand(-1, 4, -1, -1)
    valid = torch.ones_like(observed, dtype=torch.bool)
    elsewhere = observed.roll(20, -2)
    assert Temporal()(observed, observed, valid).item() == 0
    # it need not be in the right place to change as observed, but it must move
    assert (
        0 < Temporal()(still, observed, valid) < Temporal()(elsewhere, observed, valid)
    )
    one = (observed[:, :1], observed[:, 1:2], valid[:, :1])
    assert Temporal()(*one).item() == 0


def test_temporal_by_hand() -> None:
    torch.manual_seed(0)
    encoder = RadarEncoder(widths=(4,), shares=(1.0,)).frozen()
    forecast, observed = torch.rand(2, 1, 3, 32, 32)
    valid = torch.ones(1, 3, 32, 32, dtype=torch.bool)
    valid[0, 1, :16] = False
    forecast, observed = forecast * valid, observed * valid
    found = Temporal(encoder)(forecast, observed, valid)
    f, o = encoder(forecast[0])[0], encoder(observed[0])[0]
    squared = ((f[1:] - f[:-1]) - (o[1:] - o[:-1])).square().mean(1)
    # only the lower half is valid in both frames of each pair
    assert found.item() == pytest.approx(squared[:, 8:].mean().item() / 2, rel=1e-5)


def test_an_encoder_of_ones_own(tmp_path: Path) -> None:
    catalog = Catalog.synthetic(events=2, size=64, frames=8, variables=["ir107"])
    own = RadarEncoder.fit(
        catalog, target="ir107", steps=2, batch_size=4, patch=32, progress=False
    )
    one, other = synthetic_fields()[:2]
    path = own.save(tmp_path / "own.safetensors")
    by_object = distance(one, other, Perceptual(own))
    assert by_object == distance(one, other, Perceptual(path))
    assert by_object != distance(one, other)
    assert Perceptual(own).options() is None
    assert Perceptual(path).options() == {"encoder": str(path)}
    assert Perceptual(**Perceptual(path).options()) == Perceptual(str(path))
    assert Perceptual().options() == {"encoder": None}
    assert Perceptual(own).beware("ir107") is None
    assert "knows nothing of vil" in str(Perceptual(own).beware("vil"))


def test_encoders_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Perceptual(tmp_path / "absent.safetensors").prepare()
    (tmp_path / "text").write_text("nothing")
    with pytest.raises(WeightsError, match="holds no radar encoder"):
        Perceptual(tmp_path / "text").prepare()
    for wrong in (3, "", True, b"encoder"):
        with pytest.raises(TypeError, match="wanted a RadarEncoder or the file"):
            Perceptual(wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="can still be trained"):
        Perceptual(RadarEncoder()).prepare()


def test_maps_smaller_than_what_the_encoder_sees() -> None:
    with pytest.raises(
        ValueError, match="at least 32 x 32 pixels, but got one of 24 x"
    ):
        distance(np.zeros((24, 96)), np.zeros((24, 96)))


@pytest.mark.parametrize("variable", SERVED)
def test_it_serves_radar(variable: str) -> None:
    assert Perceptual().beware(variable) is None


@pytest.mark.parametrize("variable", ["ir107", "vis", "lightning", "rain"])
def test_it_says_what_it_does_not_serve(variable: str) -> None:
    assert f"knows nothing of {variable}" in str(Perceptual().beware(variable))


def test_balanced_it_has_its_share_of_the_gradient() -> None:
    observed = frame(synthetic_fields()[0])
    forecast = frame(gaussian_filter(observed[0, 0].numpy(), 2))
    valid = torch.ones_like(observed, dtype=torch.bool)
    weights = balance(MSE() + Perceptual() + Temporal(), forecast, observed, valid)
    leaf = forecast.clone().requires_grad_()
    MSE()(leaf, observed, valid).backward()
    pull = float(leaf.grad.norm())
    leaf.grad = None
    Perceptual()(leaf, observed, valid).backward()
    push = weights["perceptual"] * float(leaf.grad.norm())
    assert push == pytest.approx(Perceptual.share * pull, rel=1e-3)
    assert weights["temporal"] == 0.3  # one lead: no gradient, nothing to measure


@pytest.mark.realdata
def test_it_is_not_for_accumulations() -> None:
    """A fact that the model card states: if this fails, the card may claim more."""
    if not DATA.is_dir():
        pytest.skip(f"no {DATA}; set STORMFUSION_DATA to the folder of real radar")
    with xr.open_dataset(DATA / "mch_20150515.nc") as opened:
        rain = opened["rain_rate"].isel(y=slice(200, 328), x=slice(200, 328)).load()
    nearer = []
    for start in (3, 15, 30):
        amount = np.nan_to_num(rain.values[start : start + 6]).mean(0) / 2  # [mm]
        field = scaling_for("rain").normalize(amount.astype(np.float64))
        moved = shift(field, (0, 2), order=1, mode="nearest")
        smooth = blurred_as_far(field, float(((moved - field) ** 2).mean()))
        nearer.append(distance(moved, field) < distance(smooth, field))
    assert not all(nearer)


def test_a_file_written_anew_is_read_anew(tmp_path: Path) -> None:
    torch.manual_seed(0)
    path = tmp_path / "encoder.safetensors"
    found = []
    for stamp in (1_000, 2_000):
        RadarEncoder().frozen().save(path)
        os.utime(path, (stamp, stamp))
        found.append(Perceptual(path).digest)
    assert found[0] != found[1]
