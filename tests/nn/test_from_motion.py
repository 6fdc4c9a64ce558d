"""The head that extrapolates, smooths where due, and adds."""

import pytest
import torch
from tests.nn.test_motion import carried

from stormfusion.nn import NETWORKS, FromMotion, UNet
from stormfusion.nn.from_motion import SCALES, smoothed
from stormfusion.nn.motion import advect, motion


def moving(leads: int = 3, history: int = 4, channels: int = 2) -> FromMotion:
    torch.manual_seed(0)
    network = UNet(width=4, depth=1)
    return FromMotion.around(network, channels=channels, history=history, leads=leads)


def outputs(module: FromMotion) -> torch.Tensor:
    """The bias of the body's outputs, each a patch of 2 x 2: to be set."""
    return module.body.body.body.head.bias.data.view(-1, 4)


@pytest.mark.parametrize("size", [(64, 64), (37, 51)], ids=str)
def test_untrained_it_extrapolates(size: tuple[int, int]) -> None:
    past = carried((1, -2), size=max(size))[..., : size[0], : size[1]]
    expected = advect(past[:, -1, 0], motion(past), 3)
    found = moving()(past)
    assert (found - expected).abs().max() < 0.1 * expected.max()
    correlation = torch.corrcoef(torch.stack([found.flatten(), expected.flatten()]))
    assert correlation[0, 1] > 0.995


def test_without_smoothing_it_is_extrapolation_to_the_last_digit() -> None:
    module, past = moving(), carried((1, -2), size=64)
    module.start = torch.tensor([1e4, 0.0, 0.0])[:, None, None]
    expected = advect(past[:, -1, 0], motion(past), 3)
    assert torch.equal(module(past), expected)


def test_the_body_may_correct_add_and_smooth() -> None:
    past = carried((0, 0), size=64)
    module = moving().requires_grad_(requires_grad=False)
    still = module(past)
    outputs(module)[1] = 0.25  # a pixel per frame along x
    inside = (..., slice(16, 48), slice(16, 48))
    expected = advect(
        past[:, -1, 0], motion(past) + torch.tensor([0.0, 1.0])[:, None, None], 3
    )
    assert (module(past) - expected)[inside].abs().mean() < 0.01
    outputs(module)[1] = 0.0
    outputs(module)[2] = 0.125  # added to the first lead
    change = module(past) - still
    assert torch.allclose(change[:, 0], torch.tensor(0.125), atol=1e-6)
    assert not change[:, 1:].any()
    outputs(module)[2] = 0.0
    outputs(module)[2 + 3 + len(SCALES) * 2 + 2] = 50.0  # the last lead, all smooth
    found = module(past)
    assert torch.equal(found[:, :2], still[:, :2])
    assert found[:, 2].std() < 0.7 * still[:, 2].std()
    assert found[:, 2].mean() == pytest.approx(float(still[:, 2].mean()), rel=0.02)


def test_all_it_may_do_is_learned() -> None:
    module, past = moving(), carried((2, 0), size=64)
    module(past).square().mean().backward()
    gradient = module.body.body.body.head.bias.grad.view(-1, 4)
    assert gradient.shape[0] == 2 + 3 * (1 + len(SCALES))
    assert (gradient.abs().sum(1) > 0).all()


@pytest.mark.parametrize("name", sorted(NETWORKS))
@pytest.mark.parametrize(("history", "leads"), [(4, 3), (2, 5), (1, 1), (3, 3)])
def test_any_history_leads_and_body(name: str, history: int, leads: int) -> None:
    network = NETWORKS[name]()
    module = FromMotion.around(network, channels=4, history=history, leads=leads)
    past = torch.rand(2, history, 4, 33, 20)
    assert module(past).shape == (2, leads, 33, 20)
    assert module(past).isfinite().all()


def test_the_body_sees_each_extrapolated_frame_once() -> None:
    seen = []

    class Body(torch.nn.Module):
        def forward(self, past: torch.Tensor) -> torch.Tensor:
            seen.append(past)
            return past.new_zeros((len(past), 2 + 5 * (1 + len(SCALES)), 32, 32))

    past = carried((0, 2), size=32, frames=2)
    FromMotion(Body(), 5)(past)
    expected = advect(past[:, -1, 0], motion(past), 5)[0]
    found = seen[0][0, :, 2:].transpose(0, 1).flatten(0, 1)  # channel by channel
    assert torch.equal(found[:5], expected)
    assert not found[5:].any()
    assert torch.equal(seen[0][:, :, :2], past)


def test_smoothing_keeps_what_is_even_on_any_grid() -> None:
    for size in ((16, 16), (33, 20), (1, 7)):
        found = smoothed(torch.full((1, 2, *size), 0.5))
        assert found.shape == (1, 2, len(SCALES), *size)
        assert torch.allclose(found, torch.tensor(0.5))


@pytest.mark.parametrize("gone", [1, 2])
def test_a_missing_last_frame_does_not_make_the_storm_vanish(gone: int) -> None:
    past = carried((1, -2), size=64, frames=6)
    module = moving(history=6).requires_grad_(requires_grad=False)
    whole = module(past)
    past[:, -gone:] = 0.0
    found = module(past)
    assert float(found.sum()) == pytest.approx(float(whole.sum()), rel=0.1)


def test_a_missing_patch_stands_as_it_was_last_seen() -> None:
    past = carried((0, 0), size=64)
    whole = moving()(past)
    past[:, -1, :, 20:40, 20:40] = 0.0
    assert (moving()(past) - whole).abs().mean() < 0.05 * whole.mean()
