"""Recurrent networks learn a storm, and keep it sharp."""

import pytest
import torch
import torch.nn.functional as F
from tests.nn.recurrent import SMALL, called
from torch import Tensor

from stormfusion.nn import ConvLSTM, Recurrent
from stormfusion.nn.recurrent import Rollout
from stormfusion.nn.teaching import Teacher


def storm() -> Tensor:
    """Six frames of a blob that moves by two pixels each, in grains of a pixel."""
    generator = torch.Generator().manual_seed(0)
    y, x = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
    grains = 0.5 + torch.rand(16, 16, generator=generator)
    frames = [
        torch.exp(-((y - 8) ** 2 + (x - 3 - 2 * t) ** 2) / 8) * grains.roll(2 * t, 1)
        for t in range(6)
    ]
    return torch.stack(frames)[None]


def trained(spec: Recurrent, *, steps: int) -> tuple[Rollout, Tensor, list[float]]:
    torch.manual_seed(0)
    frames = storm()
    past = torch.stack([frames[:, :3], torch.ones_like(frames[:, :3])], dim=2)
    module = spec.build(channels=2, history=3, leads=3)
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-2)
    errors = []
    for _ in range(steps):
        optimizer.zero_grad()
        told = module(past, teacher=Teacher.silent(past, leads=3))
        error = (told - frames[:, 1:]).square().mean()
        error.backward()
        optimizer.step()
        errors.append(error.item())
    return module, past, errors


@pytest.mark.slow
@pytest.mark.parametrize("spec", SMALL, ids=called)
def test_a_network_learns_one_storm(spec: Recurrent) -> None:
    module, past, errors = trained(spec, steps=100)
    with torch.no_grad():
        off = (module(past) - storm()[:, 3:]).square().mean()
    # the mean of these frames would be off by all of their variance
    assert off < 0.2 * storm()[:, 3:].var()
    assert errors[-1] < 0.1 * errors[0]


def small_scales(frames: Tensor) -> float:
    """Power at waves of up to four pixels."""
    power = torch.fft.rfft2(frames).abs().square()
    along_y = torch.fft.fftfreq(frames.shape[-2]).abs()[:, None]
    along_x = torch.fft.rfftfreq(frames.shape[-1])
    return float(power[..., torch.maximum(along_y, along_x) >= 0.25].sum())


@pytest.mark.slow
def test_patches_keep_what_is_small() -> None:
    told = {}
    for patch in (1, 4):
        spec = ConvLSTM(hidden=24, layers=2, patch=patch)
        module, past, _ = trained(spec, steps=150)
        with torch.no_grad():
            told[patch] = small_scales(module(past))
    true = small_scales(storm()[:, 3:])
    # as sharp as the storm, and at equal steps no less than a network without patches
    assert told[4] == pytest.approx(true, rel=0.05)
    assert told[4] > 0.95 * told[1]
    # of means over as many pixels little of that is left
    averaged = F.avg_pool2d(storm()[:, 3:], 4)
    blurred = F.interpolate(averaged, scale_factor=4.0, mode="bilinear")
    assert small_scales(blurred) < 0.3 * true
