import math

import pytest
import torch

from stormfusion.losses import GDL, MAE, MSE, SSIM, balance

SHARES = [0.3, 0.05, 1.0]


def fields() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    forecast, observed = torch.rand(2, 2, 3, 16, 17)
    valid = torch.ones_like(forecast, dtype=torch.bool)
    valid[..., :3, :4] = False
    return forecast, observed, valid


def gradient_norm(loss, forecast, observed, valid) -> float:
    leaf = forecast.detach().clone().requires_grad_()
    loss(leaf, observed, valid).backward()
    return leaf.grad.norm().item()


def test_by_hand() -> None:
    forecast = torch.tensor([[[[1.0, 3.0], [1.0, 3.0]]]])
    observed = torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]]])
    valid = torch.ones_like(observed, dtype=torch.bool)
    # MSE: the differences 1, 2, 1, 2 give gradients 2 d / 4, of norm sqrt(2.5).
    # GDL: the rows rise by 2 where 1 was observed, the columns by 0. Each row pulls
    # its left pixel up and its right one down by 1 / 4 pairs: norm 1/2.
    weights = balance(MSE() + GDL(), forecast, observed, valid)
    assert weights == {"gdl": pytest.approx(0.3 * math.sqrt(2.5) / 0.5)}


@pytest.mark.parametrize("share", SHARES)
def test_each_shaping_term_gets_its_share(share: float) -> None:
    args = fields()
    loss = 2.0 * MSE() + MAE() + SSIM() + GDL()
    weights = balance(loss, *args, share=share)
    assert list(weights) == ["ssim", "gdl"]
    pull = gradient_norm(2.0 * MSE() + MAE(), *args)
    for term in (SSIM(), GDL()):
        push = weights[term.name] * gradient_norm(term, *args)
        assert push == pytest.approx(share * pull, rel=1e-4)


def test_written_weights_are_left_alone() -> None:
    assert balance(MSE() + 0.1 * SSIM(), *fields()) == {}
    assert balance(MSE(), *fields()) == {}
    assert list(balance(MSE() + 0.1 * SSIM() + GDL(), *fields())) == ["gdl"]
    both = balance(MSE() + 0.1 * SSIM() + GDL(), *fields())
    assert both == balance(MSE() + GDL(), *fields())


def test_it_leaves_no_trace() -> None:
    forecast, observed, valid = fields()
    forecast.requires_grad_()
    with torch.no_grad():
        weights = balance(MSE() + SSIM(), forecast, observed, valid)
    assert forecast.grad is None
    assert weights == balance(MSE() + SSIM(), forecast.detach(), observed, valid)
    assert balance(MSE() + SSIM(), forecast.bfloat16(), observed, valid)["ssim"] > 0


@pytest.mark.parametrize("case", ["perfect", "unobserved", "flat"])
def test_without_a_gradient_the_weight_is_the_share(case: str) -> None:
    forecast, observed, valid = fields()
    if case == "perfect":
        observed, valid = forecast, torch.ones_like(valid)
    elif case == "unobserved":
        valid = torch.zeros_like(valid)
    else:  # differences of nothing: GDL has no gradient, MSE has
        forecast, observed = torch.zeros_like(forecast), torch.ones_like(forecast)
    assert balance(MSE() + GDL(), forecast, observed, valid) == {"gdl": 0.3}


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_gradient_that_is_not_finite_is_an_error(bad: float) -> None:
    forecast, observed, _ = fields()
    forecast[0, 0, 0, 0] = bad
    valid = torch.ones_like(forecast, dtype=torch.bool)
    with pytest.raises(ValueError, match=r"'mse' has norm .* look for NaN"):
        balance(MSE() + GDL(), forecast, observed, valid)


def test_there_must_be_something_to_balance_with() -> None:
    with pytest.raises(ValueError, match="no pixel term to balance 'ssim'"):
        balance(0.1 * GDL() + SSIM(), *fields())
    with pytest.raises(ValueError, match="'share' must be a finite number above zero"):
        balance(MSE() + SSIM(), *fields(), share=0.0)
