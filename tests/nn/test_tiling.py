"""Large domains, tile by tile."""

import torch
from tests.nn.test_motion import carried
from torch import Tensor

from stormfusion.nn import FromMotion, UNet, tiling


def test_tiles_forecast_as_the_whole_does() -> None:
    """Far from tile edges a network of small reach cannot tell."""
    torch.manual_seed(0)
    network = UNet(width=4, depth=1).build(channels=2, history=2, leads=2)
    for parameter in network.parameters():
        if parameter.ndim > 1 and not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    past = torch.rand(1, 2, 2, 200, 170)
    with torch.inference_mode():
        whole = network(past)
        tiled = tiling.forecast(network, past, tile=64, halo=48)
    assert whole.std() > 1e-3
    assert (tiled - whole).abs().max() < 1e-5


def test_tiles_of_advection_join_without_seams() -> None:
    past = carried((1.0, 2.0), size=200)
    network = UNet(width=4, depth=1)
    module = FromMotion.around(network, channels=2, history=4, leads=3)
    with torch.inference_mode():
        whole = module(past)
        tiled = tiling.forecast(module, past, tile=96, halo=64)
    assert (tiled - whole).abs().mean() < 0.02 * whole.mean()
    step = (tiled[..., 1:] - tiled[..., :-1]).abs().amax((0, 1, 2))
    assert step.max() < 1.5 * (whole[..., 1:] - whole[..., :-1]).abs().max()


def test_a_domain_that_fits_is_one_tile() -> None:
    seen = []

    def network(past: Tensor) -> Tensor:
        seen.append(tuple(past.shape[-2:]))
        return past[:, -1:, 0]

    past = torch.rand(1, 2, 2, 100, 60)
    assert torch.equal(
        tiling.forecast(network, past, tile=64, halo=20), past[:, -1:, 0]
    )
    assert seen == [(100, 60)]
    tiling.forecast(network, past, tile=32, halo=8)
    assert len(seen) == 1 + 4 * 2
    assert max(rows for rows, _ in seen[1:]) <= 32 + 2 * 8 + 32
