import pytest
import torch
from tests.nn.operators import walk

from stormfusion.losses import GDL, LOSSES, balance
from stormfusion.nn import NETWORKS, FromLastFrame


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_networks_run_on_mps(name: str) -> None:
    module = FromLastFrame(NETWORKS[name]().build(channels=2, history=4, leads=3))
    past = torch.rand(1, 4, 2, 17, 20)
    recorded = walk(lambda: module(past))
    recorded.assert_runs_on_mps()
    assert {"convolution_backward", "native_layer_norm_backward"} <= recorded.operators


@pytest.mark.parametrize("loss", [*(make() for make in LOSSES.values()), GDL(alpha=2)])
def test_losses_run_on_mps(loss) -> None:
    forecast = torch.rand(2, 3, 16, 17, requires_grad=True)
    observed = torch.rand(2, 3, 16, 17)
    walk(lambda: loss(forecast, observed, observed > 0.1)).assert_runs_on_mps()


def test_balancing_runs_on_mps() -> None:
    loss = LOSSES["mse"]() + LOSSES["ssim"]()
    forecast = torch.rand(2, 3, 16, 17, requires_grad=True)
    observed = torch.rand(2, 3, 16, 17)

    def total() -> torch.Tensor:
        weights = balance(loss, forecast, observed, observed > 0.1)
        return loss.total(loss.parts(forecast, observed, observed > 0.1), weights)

    walk(total).assert_runs_on_mps()


def test_the_walk_sees_the_backward_pass_and_float64() -> None:
    numbers = torch.ones(3, requires_grad=True)
    recorded = walk(lambda: torch.special.i0e(numbers.double()))
    assert torch.float64 in recorded.dtypes
    assert "special_i1e" in recorded.operators  # the derivative needs it
    with pytest.raises(AssertionError, match="float64"):
        recorded.assert_runs_on_mps()
    with pytest.raises(AssertionError, match="special_i0e"):
        walk(lambda: torch.special.i0e(numbers)).assert_runs_on_mps()
