"""The 3-D baseline where the CPU's half precision cannot be relied on."""

import pytest
import torch
from torch import nn

from stormfusion.nn import Conv3D


def dirtied() -> None:
    """Leave memory that is taken next full of numbers that would be noticed."""
    left = [torch.full((300_000,), float("nan")) for _ in range(20)]
    del left


@pytest.mark.parametrize("history", [1, 2, 3, 4])
def test_gradients_in_half_precision_are_those_of_few_frames(history: int) -> None:
    torch.manual_seed(0)
    module = Conv3D(width=4).build(channels=2, history=history, leads=2)
    for parameter in module.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.1)
    past = torch.rand(1, history, 2, 32, 32)
    found = []
    for enabled in (False, True, True):
        module.zero_grad()
        dirtied()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            forecast = module(past)
        dirtied()
        forecast.float().square().mean().backward()
        found.append(torch.cat([p.grad.flatten() for p in module.parameters()]))
    exact, *half = found
    for gradient in half:
        error = torch.linalg.vector_norm(gradient - exact)
        assert float(error / torch.linalg.vector_norm(exact)) < 0.1
