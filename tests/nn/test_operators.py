from collections.abc import Callable

import pytest
import torch
from tests.nn.operators import walk
from torch import Tensor

from stormfusion.losses import (
    GDL,
    LOSSES,
    MAE,
    MSE,
    SSIM,
    Perceptual,
    Temporal,
    balance,
)
from stormfusion.nn import (
    NETWORKS,
    FromLastFrame,
    FromMotion,
    PredRNN,
    Recurrent,
    UNet,
    tiling,
    warping,
)
from stormfusion.nn.motion import motion
from stormfusion.nn.teaching import Teacher
from stormfusion.sampling import Dressing
from stormfusion.sampling.conditions import (
    AMOUNT_EDGES,
    DEVIATES,
    RINGS,
    SURROUND_EDGES,
)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_networks_run_on_mps(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warping, "GATHERED", ("mps", "cpu"))
    module = FromLastFrame(NETWORKS[name]().build(channels=2, history=4, leads=3))
    past = torch.rand(1, 4, 2, 17, 20)
    recorded = walk(lambda: module(past))
    recorded.assert_runs_on_mps()
    assert "convolution_backward" in recorded.operators
    if not isinstance(NETWORKS[name](), Recurrent):
        assert "native_layer_norm_backward" in recorded.operators


def test_recurrent_networks_in_patches_run_on_mps() -> None:
    spec = PredRNN(hidden=8, patch=2, truncate=3)
    module = spec.build(channels=4, history=4, leads=3)
    past, ahead = torch.rand(2, 4, 4, 17, 20), torch.rand(2, 2, 2, 17, 20)
    shown = torch.rand(2, 6) < 0.5
    future = torch.rand(2, 3, 17, 20)
    teacher = Teacher(shown, future, future > 0.1)
    walk(lambda: module(past, ahead, teacher)).assert_runs_on_mps()


def moving() -> FromMotion:
    network = UNet(width=4, depth=1)
    return FromMotion.around(network, channels=2, history=4, leads=3)


@pytest.mark.parametrize("size", [(33, 38), (40, 48)])
def test_advection_with_a_network_runs_on_mps(size: tuple[int, int]) -> None:
    module, past = moving(), torch.rand(2, 4, 2, *size)
    recorded = walk(lambda: module(past))
    recorded.assert_runs_on_mps()
    assert {"argmin", "gather"} <= recorded.operators


def test_tiles_run_on_mps() -> None:
    module, past = moving(), torch.rand(1, 4, 2, 70, 90)
    walk(lambda: tiling.forecast(module, past, tile=32, halo=8)).assert_runs_on_mps()


def test_motion_stays_in_float32_under_autocast() -> None:
    past = torch.rand(1, 4, 2, 40, 40)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = motion(past)
    assert rough.dtype == torch.float32
    assert torch.equal(rough, motion(past))


def test_dressing_runs_on_mps() -> None:
    bins = (len(AMOUNT_EDGES) + 1, len(SURROUND_EDGES) + 1, DEVIATES.numel())
    dressing = Dressing(
        torch.rand(3, *bins).sort(-1).values, torch.ones(3, RINGS), torch.ones(3), 4
    )
    forecast = torch.rand(3, 20, 24)

    def member(*, seen: Callable[[Tensor], Tensor]) -> Tensor:
        (made,) = dressing.members(seen(forecast), members=range(1), seed=0)
        return made.requires_grad_()

    recorded = walk(lambda: member(seen=lambda tensor: tensor))
    # the noise is made by Fourier transforms: MPS has them since torch 2.3
    transforms = {"_fft_r2c", "_fft_c2r"}
    assert transforms <= recorded.operators
    recorded.operators -= transforms
    recorded.dtypes.discard(torch.complex64)
    recorded.assert_runs_on_mps()


@pytest.mark.parametrize(
    "loss",
    [MSE(), MAE(), SSIM(), GDL(), GDL(alpha=2), Perceptual(), Temporal()],
    ids=repr,
)
def test_losses_run_on_mps(loss) -> None:
    loss.prepare()
    forecast = torch.rand(2, 3, 34, 35, requires_grad=True)
    observed = torch.rand(2, 3, 34, 35)
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
