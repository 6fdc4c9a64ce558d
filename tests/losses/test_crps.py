import numpy as np
import pytest
import torch
import xarray as xr
from torch.testing import assert_close

from stormfusion.losses import CRPS, MAE, MSE
from stormfusion.verification import crps


def ensemble(members: int, *, dry: bool = True, seed: int = 0):
    """Members, observation and what is valid; many pixels are dry in some of them."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(2, members, 3, 5, 7, generator=generator)
    y = torch.rand(2, 3, 5, 7, generator=generator)
    if dry:
        x, y = ((field - 0.4).clamp(min=0) for field in (x, y))
    valid = torch.rand(2, 3, 5, 7, generator=generator) > 0.2
    return x, y, valid


def by_pairs(x: torch.Tensor, y: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """The formula as it is written, with all pairs at once."""
    M = x.shape[1]
    error = (x - y[:, None]).abs().mean(1)
    between = (x[:, :, None] - x[:, None]).abs().sum((1, 2))
    return (error - between / (2 * M * (M - 1)))[valid].mean()


@pytest.mark.parametrize("members", [2, 3, 10, 51])
@pytest.mark.parametrize("dry", [True, False])
def test_it_is_the_score_of_that_name(members: int, dry: bool) -> None:
    x, y, valid = ensemble(members, dry=dry)
    forecast = xr.DataArray(x.numpy(), dims=("case", "member", "lead", "y", "x"))
    observed = xr.DataArray(
        torch.where(valid, y, torch.nan).numpy(), dims=("case", "lead", "y", "x")
    )
    score = crps(forecast, observed, over=observed.dims).item()
    assert CRPS()(x, y, valid).item() == pytest.approx(score, rel=1e-5)


@pytest.mark.parametrize("members", [2, 3, 11])
@pytest.mark.parametrize("dry", [True, False])
def test_value_and_gradient_are_those_of_all_pairs(members: int, dry: bool) -> None:
    x, y, valid = ensemble(members, dry=dry)
    one, other = x.clone().requires_grad_(), x.clone().requires_grad_()
    found, wanted = CRPS()(one, y, valid), by_pairs(other, y, valid)
    assert_close(found, wanted)
    found.backward()
    wanted.backward()
    assert_close(one.grad, other.grad, atol=1e-7, rtol=1e-5)


def test_by_hand_where_members_tie() -> None:
    y, valid = torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1, dtype=torch.bool)

    def of(*members: float) -> float:
        return CRPS()(torch.tensor(members).reshape(1, -1, 1, 1, 1), y, valid).item()

    # mean error 1/3; pairs 2 x 2 of distance 1: 4 / (2 x 3 x 2)
    assert of(0, 0, 1) == pytest.approx(1 / 3 - 1 / 3, abs=1e-7)
    assert of(0, 0, 0, 5) == pytest.approx(5 / 4 - 30 / 24)
    assert of(1, 1, 3) == pytest.approx(5 / 3 - 8 / 12)
    assert of(0, 0) == 0
    assert of(2, 2) == 2


def test_dry_members_over_a_dry_pixel_are_left_alone() -> None:
    x = torch.zeros(1, 8, 1, 4, 4, requires_grad=True)
    y = torch.zeros(1, 1, 4, 4)
    value = CRPS()(x, y, y == 0)
    value.backward()
    assert value.item() == 0
    assert not x.grad.any()


def test_members_that_are_alike_are_moved_alike() -> None:
    x = torch.full((1, 8, 1, 1, 1), 0.25, requires_grad=True)
    y = torch.full((1, 1, 1, 1), 0.5)
    CRPS()(x, y, y > 0).backward()
    assert_close(x.grad, torch.full_like(x, -1 / 8))


def test_the_order_of_members_does_not_matter() -> None:
    x, y, valid = ensemble(9)
    shuffled = x[:, torch.randperm(9, generator=torch.Generator().manual_seed(1))]
    assert_close(CRPS()(shuffled, y, valid), CRPS()(x, y, valid))


def test_its_expectation_does_not_depend_on_how_many_members_there_are() -> None:
    generator = torch.Generator().manual_seed(0)
    y = torch.randn(1, 1, 200, 200, generator=generator)
    for members in (2, 5, 20):
        x = torch.randn(1, members, 1, 200, 200, generator=generator)
        value = CRPS()(x, y, torch.ones_like(y, dtype=torch.bool)).item()
        assert value == pytest.approx(0.5642, abs=0.015)


def test_an_ensemble_as_wide_as_the_truth_is_best() -> None:
    generator = torch.Generator().manual_seed(0)
    y = torch.randn(1, 1, 100, 100, generator=generator)
    x = torch.randn(1, 10, 1, 100, 100, generator=generator)
    valid = torch.ones_like(y, dtype=torch.bool)
    right = CRPS()(x, y, valid)
    assert right < CRPS()(0.5 * x, y, valid)
    assert right < CRPS()(1.7 * x, y, valid)


def test_a_single_forecast_has_its_absolute_error() -> None:
    x, y, valid = ensemble(1)
    wanted = MAE()(x[:, 0], y, valid)
    assert torch.equal(CRPS()(x[:, 0], y, valid), wanted)
    assert_close(CRPS()(x, y, valid), wanted)
    assert "single forecast is its absolute error" in str(CRPS().beware("vil"))


@pytest.mark.parametrize("garbage", [torch.nan, torch.inf, 7.0])
def test_what_is_missing_tells_nothing(garbage: float) -> None:
    x, y, valid = ensemble(4)
    leaf = torch.where(valid[:, None], x, garbage).requires_grad_()
    value = CRPS()(leaf, torch.where(valid, y, garbage), valid)
    value.backward()
    assert torch.equal(value, CRPS()(x, y, valid))
    assert not leaf.grad[~valid[:, None].expand_as(x)].any()
    assert bool(leaf.grad.isfinite().all())
    none = CRPS()(leaf, y, valid & False)
    assert none.item() == 0


def test_it_computes_in_float32() -> None:
    x, y, valid = ensemble(5)
    half = x.to(torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = CRPS()(half, y, valid)
    assert inside.dtype == torch.float32
    assert torch.equal(inside, CRPS()(half.float(), y, valid))


def test_memory_grows_with_the_members_not_with_their_square() -> None:
    # of all pairs there would be 40 GB
    x = torch.rand(1, 1000, 1, 100, 100, generator=torch.Generator().manual_seed(0))
    y = torch.rand(1, 1, 100, 100, generator=torch.Generator().manual_seed(1))
    value = CRPS()(x, y, y >= 0)
    assert value.item() == pytest.approx(1 / 6, abs=0.01)  # of two uniform numbers


def test_only_it_takes_members() -> None:
    x, y, valid = ensemble(3)
    with pytest.raises((ValueError, TypeError), match="observed"):
        MSE()(x, y, valid)
    with pytest.raises((ValueError, TypeError), match=r"one member or more, but got"):
        CRPS()(x[:, :0], y, valid)
    with pytest.raises((ValueError, TypeError), match="observed"):
        CRPS()(x[..., :-1], y, valid)
    with pytest.raises((ValueError, TypeError), match="observed"):
        CRPS()(x[None], y, valid)


def test_many_seeds_agree_with_numpy() -> None:
    for seed in range(20):
        x, y, valid = ensemble(6, seed=seed)
        ordered = np.sort(x.numpy().astype(np.float64), axis=1)
        steps = np.arange(-5, 6, 2).reshape(6, 1, 1, 1)
        between = (steps * ordered).sum(1) / 30
        error = np.abs(x.numpy() - y.numpy()[:, None]).mean(1)
        wanted = (error - between)[valid.numpy()].mean()
        assert CRPS()(x, y, valid).item() == pytest.approx(wanted, rel=1e-5)
