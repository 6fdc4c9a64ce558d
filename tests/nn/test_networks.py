import json
from dataclasses import asdict

import pytest
import torch
from tests.nn import recurrent
from torch import Tensor, nn

from stormfusion.nn import (
    NETWORKS,
    Conv3D,
    FromLastFrame,
    Network,
    ResUNet,
    UNet,
    parameter_count,
)

DEFAULTS = [Conv3D(), UNet(), ResUNet()]
SMALL = [Conv3D(width=4), UNet(width=8, depth=2), ResUNet(width=8, depth=2)]
EVERY = [*SMALL, *recurrent.SMALL]


def named(spec: Network) -> str:
    return spec.name


def awake(spec: Network, **shape: int) -> nn.Module:
    """Build a network none of whose layers is zero any more."""
    torch.manual_seed(0)
    module = spec.build(**shape)
    for parameter in module.parameters():
        if parameter.ndim > 1 and not parameter.any():
            nn.init.normal_(parameter, std=0.1)
    return module


def test_the_table_names_the_specs() -> None:
    assert {name: spec.name for name, spec in NETWORKS.items()} == {
        "conv3d": "conv3d",
        "unet": "unet",
        "resunet": "resunet",
        "convlstm": "convlstm",
        "trajgru": "trajgru",
        "predrnn": "predrnn",
        "mim": "mim",
        "motionrnn": "motionrnn",
    }


@pytest.mark.parametrize("spec", DEFAULTS, ids=named)
def test_specs_are_values_that_json_can_hold(spec: Network) -> None:
    assert isinstance(spec, Network)
    text = json.dumps(asdict(spec))
    assert NETWORKS[spec.name](**json.loads(text)) == spec
    assert hash(spec) == hash(type(spec)())


@pytest.mark.parametrize("spec", [*DEFAULTS, *recurrent.LARGE], ids=named)
def test_a_spec_refuses_shapes_of_nothing(spec: Network) -> None:
    for wrong in ("channels", "history", "leads"):
        shape = {"channels": 2, "history": 13, "leads": 12, wrong: 0}
        with pytest.raises(ValueError, match=f"{wrong} that is a whole number"):
            spec.build(**shape)


def test_sizes_of_nothing_are_refused() -> None:
    for make in (Conv3D, UNet, ResUNet):
        with pytest.raises(ValueError, match="width that is a whole number above zero"):
            make(width=0)
    for make in (UNet, ResUNet):
        with pytest.raises(ValueError, match="depth that is a whole number above zero"):
            make(depth=0)


def conv(channels: int, width: int, *, kernel: int) -> int:
    return channels * width * kernel + width


def test_parameter_counts_by_formula() -> None:
    def pair(channels: int, width: int) -> int:  # two convolutions, two norms
        first, second = conv(channels, width, kernel=9), conv(width, width, kernel=9)
        return first + second + 2 * 2 * width

    # patches of 2 x 2 pixels: 4 * 26 channels in, 4 * 12 leads out
    encoder = pair(104, 32) + pair(32, 64) + pair(64, 128) + pair(128, 256)
    decoder = pair(64, 32) + pair(128, 64) + pair(256, 128)
    steps = [(32, 64), (64, 128), (128, 256)]
    narrow = sum(conv(coarse, fine, kernel=1) for fine, coarse in steps)
    unet = encoder + decoder + narrow + conv(32, 48, kernel=1)
    assert unet == 1_830_032
    assert parameter_count(UNet().build(channels=2, history=13, leads=12)) == unet

    def residual(width: int) -> int:
        return 2 * conv(width, width, kernel=9) + 2 * 2 * width

    blocks = sum(map(residual, (32, 64, 128, 256, 32, 64, 128)))
    down = sum(conv(fine, coarse, kernel=4) for fine, coarse in steps)
    ends = conv(104, 32, kernel=9) + 2 * 32 + conv(32, 48, kernel=1)
    resunet = ends + blocks + down + narrow
    assert resunet == 2_205_360
    made = ResUNet().build(channels=2, history=13, leads=12)
    assert parameter_count(made) == resunet

    norms = 2 * (16 + 32 + 64 + 32 + 16 + 64)
    cubes = [(2, 16), (16, 32), (32, 64), (32, 32), (16, 16)]
    conv3d = norms + sum(conv(a, b, kernel=27) for a, b in cubes)
    conv3d += conv(64, 32, kernel=1) + conv(32, 16, kernel=1)
    conv3d += conv(16 * 13, 64, kernel=1) + conv(64, 12, kernel=1)
    assert conv3d == 121_916
    assert parameter_count(Conv3D().build(channels=2, history=13, leads=12)) == conv3d


def test_without_patches_the_layers_are_those_of_the_paper() -> None:
    module = UNet(width=4, depth=1, patch=1).build(channels=2, history=3, leads=2)
    assert parameter_count(module) == sum(
        (
            *(conv(6, 4, kernel=9), conv(4, 4, kernel=9), 16),
            *(conv(4, 8, kernel=9), conv(8, 8, kernel=9), 32),
            *(conv(8, 4, kernel=9), conv(4, 4, kernel=9), 16),
            *(conv(8, 4, kernel=1), conv(4, 2, kernel=1)),
        )
    )


@pytest.mark.parametrize("make", [UNet, ResUNet], ids=["unet", "resunet"])
@pytest.mark.parametrize(("depth", "patch"), [(1, 1), (1, 2), (2, 2), (1, 3)])
def test_the_smallest_map(make, depth: int, patch: int) -> None:
    module = awake(
        make(width=2, depth=depth, patch=patch), channels=2, history=2, leads=3
    )
    least = patch * 2**depth
    assert module(torch.rand(1, 2, 2, least, least + 1)).shape == (
        1,
        3,
        least,
        least + 1,
    )
    with pytest.raises(ValueError, match=f"at least {least} x {least} pixels"):
        module(torch.rand(1, 2, 2, least - 1, 64))


@pytest.mark.parametrize("spec", DEFAULTS, ids=named)
def test_every_parameter_is_used(spec: Network) -> None:
    module = awake(spec, channels=2, history=4, leads=3)
    module(torch.rand(1, 4, 2, 32, 32)).square().sum().backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


@pytest.mark.parametrize("spec", DEFAULTS, ids=named)
def test_training_starts_from_persistence(spec: Network) -> None:
    module = FromLastFrame(spec.build(channels=2, history=4, leads=3))
    past = torch.rand(2, 4, 2, 17, 33)
    forecast = module(past)
    assert torch.equal(forecast, past[:, -1:, 0].expand(2, 3, 17, 33))
    forecast.square().mean().backward()
    assert any(p.grad is not None and p.grad.any() for p in module.parameters())


@pytest.mark.parametrize("spec", EVERY, ids=named)
@pytest.mark.parametrize(
    ("channels", "history", "leads"), [(2, 4, 3), (6, 13, 12), (2, 1, 5)]
)
def test_any_shape(spec: Network, channels: int, history: int, leads: int) -> None:
    module = awake(spec, channels=channels, history=history, leads=leads)
    forecast = module(torch.rand(2, history, channels, 45, 67))
    assert forecast.shape == (2, leads, 45, 67)
    assert forecast.isfinite().all()
    assert forecast.std() > 0


@pytest.mark.parametrize("spec", DEFAULTS, ids=named)
def test_errors_name_the_network(spec: Network) -> None:
    module = spec.build(channels=2, history=4, leads=3)
    with pytest.raises(ValueError, match=f"{type(spec).__name__} needs at least"):
        module(torch.rand(1, 4, 2, 3, 64))


@pytest.mark.parametrize("spec", EVERY, ids=named)
def test_a_dry_county_changes_nothing_far_away(spec: Network) -> None:
    module = awake(spec, channels=2, history=4, leads=3)
    # A storm near the origin; the border is beyond the receptive field.
    past = torch.zeros(1, 4, 2, 96, 96)
    past[:, :, 1] = 1.0
    past[:, :, 0, 8:24, 4:20] = torch.rand(1, 4, 16, 16)
    wide = torch.zeros(1, 4, 2, 128, 152)
    wide[:, :, 1] = 1.0
    wide[..., :96, :96] = past
    near, far = module(past), module(wide)
    torch.testing.assert_close(
        near[..., :40, :40], far[..., :40, :40], atol=1e-5, rtol=0
    )
    # The same county on the other side, by whole steps of the strides.
    before = torch.zeros(1, 4, 2, 96 + 64, 96 + 64)
    before[:, :, 1] = 1.0
    inner = past.clone()
    inner[:, :, 0] = inner[:, :, 0].roll((40, 40), (-2, -1))
    before[..., 64:, 64:] = inner
    shifted = module(before)[..., 64:, 64:]
    torch.testing.assert_close(
        module(inner)[..., 44:64, 44:64], shifted[..., 44:64, 44:64], atol=1e-5, rtol=0
    )


@pytest.mark.parametrize("spec", EVERY, ids=named)
def test_batches_do_not_mix(spec: Network) -> None:
    module = awake(spec, channels=2, history=4, leads=3)
    past = torch.rand(3, 4, 2, 16, 16)
    together = module(past)
    alone = torch.cat([module(event[None]) for event in past])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize("spec", EVERY, ids=named)
def test_channels_last_and_bfloat16(spec: Network) -> None:
    module = FromLastFrame(awake(spec, channels=2, history=4, leads=3))
    past = torch.rand(1, 4, 2, 16, 24)
    expected = module(past)
    if not isinstance(spec, Conv3D):
        module = module.to(memory_format=torch.channels_last)
        torch.testing.assert_close(module(past), expected, atol=1e-5, rtol=0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = module(past)
    rough.square().mean().backward()
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough, expected, atol=0.1, rtol=0)


def moving_blob() -> tuple[Tensor, Tensor]:
    """Three input and two future frames of a blob moving two pixels a frame."""
    y, x = torch.meshgrid(torch.arange(24.0), torch.arange(24.0), indexing="ij")
    frames = [torch.exp(-((y - 12) ** 2 + (x - 6 - 2 * t) ** 2) / 8) for t in range(5)]
    values = torch.stack(frames)[None]
    past = torch.stack([values[:, :3], torch.ones_like(values[:, :3])], dim=2)
    return past, values[:, 3:]


def train(spec: Network, *, steps: int) -> list[float]:
    torch.manual_seed(0)
    past, future = moving_blob()
    module = FromLastFrame(spec.build(channels=2, history=3, leads=2))
    optimizer = torch.optim.AdamW(module.parameters(), lr=3e-3)
    errors = []
    for _ in range(steps):
        optimizer.zero_grad()
        error = (module(past) - future).square().mean()
        error.backward()
        optimizer.step()
        errors.append(error.item())
    return errors


@pytest.mark.slow
@pytest.mark.parametrize("spec", SMALL, ids=named)
def test_a_network_learns_one_moving_blob(spec: Network) -> None:
    errors = train(spec, steps=60)
    assert errors[-1] < 0.1 * errors[0]


@pytest.mark.parametrize("spec", EVERY, ids=named)
def test_training_is_deterministic(spec: Network) -> None:
    assert train(spec, steps=3) == train(spec, steps=3)
