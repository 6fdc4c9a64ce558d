"""The rate that adapts itself: the recurrence, its guard, its order, its state."""

import copy
import math
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from stormfusion.training import HypergradientAdam

SHAPES = ((3, 2), (4,), (2, 3, 5), (1,))
EXACT = {"dtype": torch.float64}


def parameters(seed: int = 0, **options: Any) -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(seed)
    return [
        nn.Parameter(torch.randn(shape, generator=generator, **options))
        for shape in SHAPES
    ]


def gradients(steps: int, seed: int = 1, **options: Any) -> Iterator[list[Tensor]]:
    """Gradients that mostly agree, so that the rate moves."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        yield [
            0.3 + torch.randn(shape, generator=generator, **options) for shape in SHAPES
        ]


def go(
    optimizer: torch.optim.Optimizer, params: list[nn.Parameter], steps: int = 20
) -> list[float]:
    """Take some steps, and tell the rates they were taken with."""
    rates = []
    for found in gradients(steps, dtype=params[0].dtype):
        for parameter, gradient in zip(params, found, strict=True):
            parameter.grad = gradient
        optimizer.step()
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


def reference(
    params: list[np.ndarray], steps: int, *, lr: float, beta_h: float, decay: float
) -> tuple[list[np.ndarray], list[float]]:
    """The recurrence on all parameters as one vector, in NumPy."""
    beta1, beta2, eps = 0.9, 0.999, 1e-8
    theta = np.concatenate([p.ravel() for p in params])
    m = v = u = np.zeros_like(theta)
    alpha, rates = lr, []
    for t, found in enumerate(gradients(steps, **EXACT), start=1):
        g = np.concatenate([gradient.numpy().ravel() for gradient in found])
        alpha = alpha + beta_h * (g @ u)
        rates.append(alpha)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        u = (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)
        theta = theta - alpha * decay * theta - alpha * u
    ends = np.cumsum([p.size for p in params])[:-1]
    shaped = zip(np.split(theta, ends), params, strict=True)
    return [part.reshape(p.shape) for part, p in shaped], rates


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("beta_h", [1e-5, -0.0, 3e-4])
def test_it_is_the_recurrence(decay: float, beta_h: float) -> None:
    params = parameters(**EXACT)
    expected, rates = reference(
        [p.detach().numpy() for p in params], 40, lr=1e-2, beta_h=beta_h, decay=decay
    )
    optimizer = HypergradientAdam(
        params, 1e-2, hypergradient_rate=beta_h, weight_decay=decay
    )
    np.testing.assert_allclose(go(optimizer, params, 40), rates, rtol=1e-12)
    for ours, theirs in zip(params, expected, strict=True):
        np.testing.assert_allclose(ours.detach(), theirs, rtol=1e-10)
    moved = abs(rates[-1] / 1e-2 - 1)
    assert moved == 0 if beta_h == 0 else moved > 0.03
    assert rates[0] == 1e-2, "the first step knows of no step before it"


@pytest.mark.parametrize("grouped", [False, True])
def test_the_order_of_parameters_and_groups_means_nothing(grouped: bool) -> None:
    found = []
    for order in ((0, 1, 2, 3), (3, 1, 0, 2), (2, 3, 1, 0)):
        params = parameters()
        turned: list[Any] = [params[i] for i in order]
        if grouped:
            turned = [{"params": turned[:1]}, {"params": turned[1:]}]
        rates = go(HypergradientAdam(turned, hypergradient_rate=1e-5), params)
        found.append((rates, params))
    for rates, params in found[1:]:
        assert rates == found[0][0]
        assert all(map(torch.equal, params, found[0][1]))
    assert len(set(found[0][0])) > 10


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_without_a_hypergradient_it_is_adam(dtype: torch.dtype, decay: float) -> None:
    ours, theirs = parameters(dtype=dtype), parameters(dtype=dtype)
    own = HypergradientAdam(ours, 1e-2, hypergradient_rate=0.0, weight_decay=decay)
    kind: Any = torch.optim.AdamW if decay else torch.optim.Adam
    assert set(go(own, ours)) == {1e-2}
    go(kind(theirs, 1e-2, weight_decay=decay), theirs)
    assert all(map(torch.equal, ours, theirs))


def test_precisions_may_differ() -> None:
    params = [
        nn.Parameter(torch.ones(3, dtype=dtype))
        for dtype in (torch.bfloat16, torch.float32, torch.float64)
    ]
    optimizer = HypergradientAdam(params, hypergradient_rate=1e-4)
    for _ in range(2):
        for parameter in params:
            parameter.grad = torch.full_like(parameter, 2.0)
        optimizer.step()
    # of each parameter 3 times 2, times a step of 1
    rate = optimizer.param_groups[0]["lr"]
    assert rate == pytest.approx(1e-3 + 1e-4 * 18, rel=2e-3)


def test_complex_numbers_are_two_real_ones() -> None:
    start = torch.randn(3, 2, generator=torch.Generator().manual_seed(0))
    real = nn.Parameter(start.clone())
    whole = nn.Parameter(torch.view_as_complex(start.clone()))
    made = [HypergradientAdam([p], hypergradient_rate=1e-3) for p in (real, whole)]
    for step in range(5):
        gradient = torch.sin(start + step)
        real.grad, whole.grad = gradient, torch.view_as_complex(gradient)
        for optimizer in made:
            optimizer.step()
    assert torch.equal(torch.view_as_real(whole.detach()), real.detach())
    assert made[0].param_groups[0]["lr"] == made[1].param_groups[0]["lr"] != 1e-3


def flipping(optimizer: HypergradientAdam, steps: int = 6) -> list[float]:
    weight = optimizer.param_groups[0]["params"][0]
    rates = []
    for step in range(steps):
        weight.grad = torch.full_like(weight, (-1.0) ** step)
        optimizer.step()
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


@pytest.mark.parametrize("low", [0.0, 0.01])
def test_a_gradient_that_flips_does_not_turn_the_rate_negative(low: float) -> None:
    weight = nn.Parameter(torch.zeros(3))
    optimizer = HypergradientAdam(
        [weight], lr=0.1, hypergradient_rate=10.0, bounds=(low, 5.0), betas=(0.0, 0.9)
    )
    assert flipping(optimizer) == [0.1, *[0.1 * low] * 5]
    # no dead end: gradients that agree raise it, as far as the other bound
    rates = []
    for _ in range(3):
        weight.grad = torch.ones(3)
        optimizer.step()
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates[-1] == 0.5
    assert bool(weight.isfinite().all())


def test_a_parameter_without_a_gradient_is_left_alone() -> None:
    one, other = parameters(**EXACT)[:2]
    alone = copy.deepcopy(one)
    both = HypergradientAdam([one, other], hypergradient_rate=1e-4)
    single = HypergradientAdam([alone], hypergradient_rate=1e-4)
    before = other.detach().clone()
    for step in range(5):
        one.grad = alone.grad = torch.full_like(one, 1.0 + step)
        both.step()
        single.step()
    assert torch.equal(one, alone)
    assert torch.equal(other, before)
    assert other not in both.state
    rate = both.param_groups[0]["lr"]
    assert rate == single.param_groups[0]["lr"] > 1e-3
    # it comes in later, corrected for the bias of its own steps: a first step of Adam
    one.grad, other.grad = None, torch.full_like(other, 7.0)
    both.step()
    assert both.param_groups[0]["lr"] == rate, "it took no step that could be judged"
    torch.testing.assert_close(before - other, torch.full_like(other, rate))
    other.grad = torch.full_like(other, 2.0)
    both.step()
    expected = rate + 1e-4 * 2.0 * other.numel()
    assert both.param_groups[0]["lr"] == pytest.approx(expected)
    assert float(both.state[other]["step"]) == 2


def test_a_step_without_any_gradient_changes_nothing() -> None:
    params = parameters()
    optimizer = HypergradientAdam(params)
    optimizer.step()
    assert optimizer.param_groups[0]["lr"] == 1e-3
    assert all(map(torch.equal, params, parameters()))


def by_state(optimizer: HypergradientAdam, params: list[Any]) -> tuple[Any, Any]:
    copies = copy.deepcopy(params)
    made = HypergradientAdam(copies, lr=0.5, hypergradient_rate=0.1)
    made.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    return made, copies


def by_pickle(optimizer: HypergradientAdam, params: list[Any]) -> tuple[Any, Any]:
    made, copies = pickle.loads(pickle.dumps((optimizer, params)))
    return made, copies


@pytest.mark.parametrize("kept", [by_state, by_pickle])
def test_it_goes_on_from_what_was_kept(kept: Callable[..., tuple[Any, Any]]) -> None:
    params = parameters()
    optimizer = HypergradientAdam(params, hypergradient_rate=1e-5, bounds=(0.5, 1.4))
    first = go(optimizer, params, 10)
    again, copies = kept(optimizer, params)
    assert again.param_groups[0]["lr"] == first[-1] != 1e-3
    rates = go(optimizer, params, 30)
    assert go(again, copies, 30) == rates
    assert all(map(torch.equal, params, copies))
    assert max(rates) == pytest.approx(1.4e-3), "the bounds are of the first rate"


def test_means_read_of_a_file_are_laid_out_otherwise() -> None:
    kernel = torch.randn(32, 24, 3, 3, generator=torch.Generator().manual_seed(0))
    kernel = kernel.contiguous(memory_format=torch.channels_last)
    weight = nn.Parameter(kernel.clone())
    rates = []
    for layout in (torch.channels_last, torch.contiguous_format):
        optimizer = HypergradientAdam([weight], hypergradient_rate=1e-3)
        weight.grad = (2 * kernel).cos()
        optimizer.step()
        for name in ("exp_avg", "exp_avg_sq"):
            mean = optimizer.state[weight][name]
            assert mean.is_contiguous(memory_format=torch.channels_last)
            optimizer.state[weight][name] = mean.contiguous(memory_format=layout)
        weight.grad = kernel.sin()
        optimizer.step()
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates[0] == rates[1] != 1e-3


def test_a_closure_evaluates_the_gradients() -> None:
    weight = nn.Parameter(torch.tensor([5.0]))
    optimizer = HypergradientAdam([weight], lr=0.01, hypergradient_rate=1e-3)

    def loss() -> Any:
        optimizer.zero_grad()
        value = weight.square().sum()
        value.backward()
        return value

    losses = [float(optimizer.step(loss).detach()) for _ in range(3)]
    assert losses[0] == 25.0 > losses[1] > losses[2]
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.02992, abs=1e-5)


def test_layers_that_come_later_take_the_rate_of_the_others() -> None:
    params = parameters()
    optimizer = HypergradientAdam(params, hypergradient_rate=1e-5)
    rate = go(optimizer, params)[-1]
    late = nn.Parameter(torch.ones(2))
    optimizer.add_param_group({"params": [late], "weight_decay": 0.1})
    assert optimizer.param_groups[1]["lr"] == rate != 1e-3
    assert optimizer.param_groups[1]["weight_decay"] == 0.1
    with pytest.raises(ValueError, match=r"has lr=0.5, wanted the one of all .*leave"):
        optimizer.add_param_group({"params": [nn.Parameter(late)], "lr": 0.5})
    with pytest.raises(ValueError, match=r"betas is \(1.0, 0.9\), wanted two numbers"):
        HypergradientAdam([{"params": [late], "betas": (1.0, 0.9)}])


def test_sparse_gradients_are_refused_before_anything_moves() -> None:
    layer = nn.Embedding(4, 2, sparse=True)
    other = nn.Parameter(torch.ones(2))
    optimizer = HypergradientAdam([other, layer.weight])
    (layer(torch.tensor([1])).sum() + other.sum()).backward()
    with pytest.raises(RuntimeError, match=r"is sparse, wanted dense .* sparse=False"):
        optimizer.step()
    assert torch.equal(other, torch.ones(2))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_gradient_that_is_not_finite_does_not_spoil_the_rate(value: float) -> None:
    params = parameters()
    optimizer = HypergradientAdam(params)
    rate = go(optimizer, params, 3)[-1]
    before = copy.deepcopy(params)
    for parameter in params:
        parameter.grad = torch.full_like(parameter, value)
    params[0].grad = -params[1].grad.sum() * torch.ones_like(params[0])
    with pytest.raises(FloatingPointError, match=r"not finite, .* lower learning rate"):
        optimizer.step()
    assert optimizer.param_groups[0]["lr"] == rate
    assert all(map(torch.equal, params, before))


@pytest.mark.parametrize("name", ["lr", "eps"])
@pytest.mark.parametrize("value", [0.0, -1e-3, math.nan, math.inf, torch.tensor(1e-3)])
def test_rates_are_above_zero(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"{name} is .*, wanted a number above zero"):
        HypergradientAdam(parameters(), **{name: value})
