import json
import os
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.testing import assert_close

from stormfusion.errors import WeightsError
from stormfusion.losses import MSE, Loss, balance
from stormfusion.losses.imagenet import LEAST, LPIPS, VGG
from stormfusion.nn import imagenet, pretrained

EVERY = [
    VGG("random"),
    LPIPS(pnet_rand=True),
    LPIPS("squeeze", pnet_rand=True),
]
LAST_RELUS = (3, 8, 15, 22)


def fields(*, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    forecast, observed = torch.rand(2, 2, 2, 33, 38, generator=generator)
    valid = torch.ones(2, 2, 33, 38, dtype=torch.bool)
    valid[0, :, 3:15, 12:] = False
    valid[1, 1] = False
    return forecast, observed, valid


def vgg_features(frames: Tensor) -> list[Tensor]:
    """Directly from torchvision, with ReLUs that change nothing in place."""
    from torchvision.models import vgg

    layers = vgg.make_layers(vgg.cfgs["D"])
    layers.load_state_dict(imagenet.trunk("vgg", "random").state_dict())
    hidden = frames[:, None].repeat(1, 3, 1, 1)
    mean = torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1)
    hidden, found = (hidden - mean) / std, []
    for index, layer in enumerate(layers[: LAST_RELUS[-1] + 1]):
        hidden = F.relu(hidden) if isinstance(layer, nn.ReLU) else layer(hidden)
        if index in LAST_RELUS:
            found.append(hidden)
    return found


@torch.no_grad()
def vgg_by_hand(forecast: Tensor, observed: Tensor, valid: Tensor) -> float:
    layers = []
    for stride, f, o in zip(
        (1, 2, 4, 8),
        vgg_features(forecast.flatten(0, 1)),
        vgg_features(observed.flatten(0, 1)),
        strict=True,
    ):
        total, weights = 0.0, 0.0
        for n, frame in enumerate(valid.flatten(0, 1)):
            for i in range(f.shape[-2]):
                for j in range(f.shape[-1]):
                    rows = slice(i * stride, (i + 1) * stride)
                    columns = slice(j * stride, (j + 1) * stride)
                    weight = frame[rows, columns].float().mean().item()
                    distance = (f[n, :, i, j] - o[n, :, i, j]).square().mean().item()
                    total += weight * distance
                    weights += weight
        layers.append(total / weights)
    return sum(layers) / 4


def test_vgg_is_the_mean_of_four_layers() -> None:
    torch.manual_seed(0)
    forecast, observed = torch.rand(2, 2, 2, 16, 24)
    valid = torch.ones(2, 2, 16, 24, dtype=torch.bool)
    found = VGG("random")(forecast, observed, valid)
    with torch.no_grad():
        layers = [
            F.mse_loss(f, o)
            for f, o in zip(
                vgg_features(forecast.flatten(0, 1)),
                vgg_features(observed.flatten(0, 1)),
                strict=True,
            )
        ]
    assert len({layer.item() for layer in layers}) == 4
    assert_close(found, torch.stack(layers).mean())


def test_vgg_weighs_each_cell_by_what_is_valid_in_it() -> None:
    torch.manual_seed(0)
    forecast, observed = torch.rand(2, 1, 2, 19, 17)
    valid = torch.rand(1, 2, 19, 17) > 0.4
    valid[0, 0, :8, 8:16] = False
    zero = torch.zeros(())
    hidden = [torch.where(valid, field, zero) for field in (forecast, observed)]
    expected = vgg_by_hand(*hidden, valid)
    found = VGG("random")(forecast, observed, valid)
    assert found.item() == pytest.approx(expected, rel=1e-4)


def test_vgg_takes_what_is_valid_in_few_layers_only() -> None:
    # a pixel in the odd last row is in no cell of the deeper layers
    forecast = torch.zeros(1, 1, 9, 8, requires_grad=True)
    valid = torch.zeros(1, 1, 9, 8, dtype=torch.bool)
    valid[..., 8, 3] = True
    value = VGG("random")(forecast, torch.ones(1, 1, 9, 8), valid)
    value.backward()
    assert value > 0
    assert forecast.grad.isfinite().all()


def package_map(net: str, forecast: Tensor, observed: Tensor) -> Tensor:
    """The spatial map as the package computes it, `(frame, y, x)`."""
    package = imagenet.lpips(net, "random").body.metric
    assert type(package).__module__ == "lpips.lpips"
    assert package.spatial
    color = [x.flatten(0, 1)[:, None].repeat(1, 3, 1, 1) for x in (forecast, observed)]
    with torch.no_grad():
        return package(*color, normalize=True)[:, 0]


@pytest.mark.parametrize("net", LEAST)
def test_lpips_is_that_of_the_package(net: str) -> None:
    torch.manual_seed(0)
    forecast, observed = torch.rand(2, 1, 2, 37, 50)
    valid = torch.ones(1, 2, 37, 50, dtype=torch.bool)
    expected = package_map(net, forecast, observed)
    assert expected.shape == (2, 37, 50)
    found = LPIPS(net, pnet_rand=True)(forecast, observed, valid)
    assert_close(found, expected.mean())
    assert found > 0.01
    # a frame that is missing does not count
    valid[:, 1] = False
    found = LPIPS(net, pnet_rand=True)(forecast, observed, valid)
    assert_close(found, expected[0].mean())


def test_lpips_averages_the_map_over_the_valid_pixels() -> None:
    forecast, observed, valid = fields()
    seen = [torch.where(valid, x, torch.zeros(())) for x in (forecast, observed)]
    expected = package_map("alex", *seen).reshape(valid.shape)[valid].mean()
    assert_close(LPIPS(pnet_rand=True)(forecast, observed, valid), expected)


@pytest.mark.parametrize("bias", [-1e6, 1e-25])
def test_lpips_has_a_gradient_where_no_feature_is_active(
    tmp_path: Path, bias: float
) -> None:
    # the square of 1e-25 is no float32
    tensors = imagenet.trunk("squeeze", "random").state_dict()
    tensors["0.weight"].zero_()
    tensors["0.bias"].fill_(bias)
    save_file(tensors, tmp_path / "dead.safetensors")
    forecast, observed, valid = fields()
    forecast.requires_grad_()
    value = LPIPS("squeeze", tmp_path / "dead.safetensors")(forecast, observed, valid)
    value.backward()
    assert value == 0
    assert (forecast.grad == 0).all()


@pytest.mark.parametrize("loss", EVERY, ids=repr)
def test_a_perfect_forecast_costs_nothing_and_a_false_cell_costs(loss: Loss) -> None:
    observed = torch.zeros(1, 2, 48, 48)
    observed[:, 0, 10:20, 12:24] = 0.7
    observed[:, 1, 24:38, 20:30] = 0.5
    valid = torch.ones_like(observed, dtype=torch.bool)
    assert loss(observed, observed, valid).item() == 0
    missed, false = observed.clone(), observed.clone()
    missed[:, 0, 10:20, 12:24] = 0.0
    false[:, 0, 30:40, 5:15] = 0.7
    for forecast in (missed, false):
        leaf = forecast.requires_grad_()
        cost = loss(leaf, observed, valid)
        assert cost > 1e-5
        (gradient,) = torch.autograd.grad(cost, leaf)
        step = 1e-2 * gradient / gradient.norm()
        assert loss(forecast.detach() - step, observed, valid) < cost


@pytest.mark.parametrize("loss", EVERY, ids=repr)
def test_missing_frames_weigh_nothing(loss: Loss) -> None:
    forecast, observed, valid = fields()
    valid[0] = True
    valid[1] = False
    alone = loss(forecast[:1], observed[:1], valid[:1])
    assert_close(loss(forecast, observed, valid), alone)


@pytest.mark.parametrize("loss", EVERY, ids=repr)
def test_a_forecast_beyond_the_range_is_led_back(loss: Loss) -> None:
    observed = torch.full((1, 1, 32, 32), 0.5)
    valid = torch.ones_like(observed, dtype=torch.bool)
    for number in (-0.5, 1.5):
        forecast = observed.clone()
        forecast[..., 8:20, 8:20] = number
        leaf = forecast.requires_grad_()
        loss(leaf, observed, valid).backward()
        assert leaf.grad[..., 8:20, 8:20].any()


@pytest.mark.parametrize("loss", EVERY, ids=repr)
def test_they_are_balanced(loss: Loss) -> None:
    args = fields()
    weights = balance(MSE() + loss, *args)
    assert list(weights) == [loss.name]
    norms = []
    for term, weight in ((MSE(), 1.0), (loss, weights[loss.name])):
        leaf = args[0].clone().requires_grad_()
        (weight * term(leaf, *args[1:])).backward()
        norms.append(leaf.grad.norm().item())
    assert norms[1] == pytest.approx(0.3 * norms[0], rel=1e-3)


@pytest.mark.parametrize(
    ("loss", "least"),
    [(VGG("random"), 8), *((LPIPS(n, pnet_rand=True), s) for n, s in LEAST.items())],
    ids=repr,
)
def test_maps_must_be_as_large_as_the_network_needs(loss: Loss, least: int) -> None:
    for shape in ((least - 1, 40), (40, least - 1)):
        field = torch.zeros(1, 1, *shape)
        wanted, got = f"{least} x {least}", f"{shape[0]} x {shape[1]}"
        told = f"at least {wanted} pixels, but got one of {got}; train on larger maps"
        with pytest.raises(ValueError, match=told):
            loss(field, field, field == 0)
    field = torch.rand(1, 1, least, least)
    assert loss(1 - field, field, field >= 0) > 0


def test_making_one_touches_neither_disk_nor_network(monkeypatch) -> None:
    def forbidden(*_, **__):
        raise AssertionError("touched")

    for owner, name in (
        (pretrained, "imported"),
        (pretrained, "loaded"),
        (imagenet, "trunk"),
        (os, "stat"),
        (torch, "load"),
    ):
        monkeypatch.setattr(owner, name, forbidden)
    for loss in (VGG(), VGG("vgg.pth"), LPIPS(), LPIPS("vgg", Path("vgg.pth"))):
        assert hash(loss) == hash(type(loss)(**loss.options()))
    monkeypatch.undo()


def test_options_make_an_equal_loss() -> None:
    for loss in (
        VGG(),
        VGG("random"),
        VGG(Path("w") / "vgg.pth"),
        LPIPS("squeeze", "w.safetensors"),
        LPIPS(pnet_rand=True),
    ):
        options = json.loads(json.dumps(loss.options()))
        assert type(loss)(**options) == loss
    assert VGG(Path("vgg.pth")) == VGG("vgg.pth")
    assert VGG("vgg.pth") != VGG()
    assert str(MSE() + 0.1 * VGG() + LPIPS()) == "mse+0.1*vgg+lpips"
    with pytest.raises(FrozenInstanceError):
        VGG().weights = "vgg.pth"


def test_without_weights_it_says_so_and_takes_no_random_ones(
    tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.setenv("no_proxy", "*")
    url = "http://127.0.0.1:9/weights-00000000.pth"
    monkeypatch.setattr(pretrained, "_url", lambda net: url)
    for loss in (VGG(), LPIPS(), LPIPS("vgg")):
        with pytest.raises(WeightsError, match="not on this machine"):
            loss.prepare()
        with pytest.raises(WeightsError, match="not on this machine"):
            loss(*fields())
    monkeypatch.chdir(tmp_path)
    for loss in (VGG(Path("random")), LPIPS(weights=Path("random"))):
        with pytest.raises(WeightsError, match="there is no file"):
            loss.prepare()


@pytest.mark.parametrize("name", ["vgg.pth", "vgg.safetensors", "safetensors.pth"])
def test_weights_of_a_file_are_those_compared_with(tmp_path: Path, name: str) -> None:
    tensors = {
        f"features.{name}": 0.5 * tensor
        for name, tensor in imagenet.trunk("vgg", "random").state_dict().items()
    }
    path = tmp_path / name  # which is not what tells the format
    torch.save(tensors, path) if name == "vgg.pth" else save_file(tensors, path)
    loss = VGG(path)
    loss.prepare()
    path.unlink()
    found = loss(*fields())
    assert 0 < found < 0.3 * VGG("random")(*fields())
    assert LPIPS("squeeze", pnet_rand=True).prepare() is None
    imagenet._vgg.cache_clear()


def test_arguments_that_are_wrong_are_told() -> None:
    with pytest.raises(ValueError, match="no net 'resnet', wanted one of alex, squeez"):
        LPIPS("resnet")
    with pytest.raises(ValueError, match="write pnet_rand=True"):
        LPIPS(weights="random")
    with pytest.raises(ValueError, match=r"'w\.pth' and pnet_rand=True, which reads"):
        LPIPS(weights="w.pth", pnet_rand=True)
    with pytest.raises(TypeError, match="pnet_rand"):
        LPIPS(pnet_rand="yes")
    for wrong in (3, "", True, b"vgg.pth"):
        with pytest.raises(TypeError, match="weights"):
            VGG(wrong)
        with pytest.raises(TypeError, match="weights"):
            LPIPS(weights=wrong)
