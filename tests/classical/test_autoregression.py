"""AR(2): the correlations that were asked for, and always a stable series."""

import math

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter
from torch import Tensor

from stormfusion.classical import AR2
from stormfusion.classical.autoregression import MOST

FEW = settings(max_examples=15, deadline=None)
ANY = st.floats(-3, 3) | st.sampled_from([math.nan, math.inf, -math.inf, 0, 1, -1])
SHARE = st.floats(0, 1)


def fitted(one: float, two: float, dtype: torch.dtype = torch.float64) -> AR2:
    return AR2.fitted(
        torch.tensor([one], dtype=dtype), torch.tensor([two], dtype=dtype)
    )


def parameters(model: AR2) -> tuple[float, float, float]:
    return model.phi_1.item(), model.phi_2.item(), model.phi_0.item()


def roots(model: AR2) -> np.ndarray:
    phi_1, phi_2, _ = parameters(model)
    return np.roots([1.0, -phi_1, -phi_2])


def least(one: float) -> float:
    """The second correlation below which the roots are complex, as it was published."""
    if one < 0.05:
        return 0.75 * one**2 + one**4 / 8
    return (3 * one**2 - 2 + 2 * (1 - one**2) ** 1.5) / one**2


def stationary(one: float, share: float) -> tuple[float, float]:
    """Correlations of a series that does not oscillate."""
    return one, least(one) + share * (one - least(one))


def correlations(model: AR2, lags: int) -> np.ndarray:
    """What theory says of the coefficients, whatever they were fitted to."""
    phi_1, phi_2, _ = parameters(model)
    found = [1.0, phi_1 / (1 - phi_2)]
    for _ in range(lags - 1):
        found.append(phi_1 * found[-1] + phi_2 * found[-2])
    return np.array(found)


def variance(model: AR2) -> float:
    phi_1, phi_2, phi_0 = parameters(model)
    return phi_0**2 * (1 - phi_2) / (1 + phi_2) / ((1 - phi_2) ** 2 - phi_1**2)


def simulated(model: AR2, steps: int, seed: int = 0) -> np.ndarray:
    """A long series after it has forgotten that it began."""
    phi_1, phi_2, phi_0 = parameters(model)
    noise = np.random.default_rng(seed).standard_normal(steps + 2000)
    return lfilter([phi_0], [1.0, -phi_1, -phi_2], noise)[2000:]


# ------------------------------------------------------------- what a series tells


@pytest.mark.parametrize(
    ("one", "share"), [(0.9, 0.5), (0.95, 0.1), (0.6, 0.8), (0.3, 0.5), (0.0, 0.0)]
)
def test_parameters_come_back_from_a_long_series(one: float, share: float) -> None:
    model, steps = fitted(*stationary(one, share)), 40_000
    series = simulated(model, steps)
    lags = [np.mean(series[k:] * series[: steps - k]) for k in (0, 1, 2)]
    found = parameters(fitted(lags[1] / lags[0], lags[2] / lags[0]))
    expected = parameters(model)
    # of a Yule-Walker estimate of second order: both have the same sampling error
    error = math.sqrt((1 - expected[1] ** 2) / steps)
    if one > 0:
        assert found[0] == pytest.approx(expected[0], abs=4 * error)
        assert found[1] == pytest.approx(expected[1], abs=4 * error)
    else:
        # what came out below zero was taken for zero
        assert 0 <= found[0] < 4 * error
    # innovations are as many independent numbers
    innovation = found[2] ** 2 * lags[0]
    assert innovation == pytest.approx(
        expected[2] ** 2, rel=4 * math.sqrt(2 / steps) + 4 * error**2
    )


@pytest.mark.parametrize(("one", "share"), [(0.9, 0.2), (0.5, 0.9), (0.8, 0.0)])
def test_a_simulated_series_has_unit_variance(one: float, share: float) -> None:
    model, steps = fitted(*stationary(one, share)), 100_000
    squares = np.square(simulated(model, steps, seed=3)).reshape(100, -1).mean(1)
    # hundred stretches, each far longer than the memory
    error = squares.std(ddof=1) / 10
    assert error < 0.03
    assert squares.mean() == pytest.approx(1, abs=4 * error)


# ---------------------------------------------------------- what is asked for is had


@FEW
@given(st.floats(0, MOST), SHARE)
@example(0.0, 0.0)
@example(0.005, 0.0)
@example(0.01, 0.0)
@example(MOST, 0.0)
@example(MOST, 1.0)
def test_correlations_are_those_asked_for(one: float, share: float) -> None:
    one, two = stationary(one, share)
    found = correlations(fitted(one, two), 2)
    np.testing.assert_allclose(found, [1, one, two], atol=1e-9)


def test_each_level_has_a_model_of_its_own() -> None:
    pairs = [stationary(0.9, 0.5), stationary(0.4, 0.1), stationary(0.99, 0.9)]
    together = AR2.fitted(*torch.tensor(pairs, dtype=torch.float64).T)
    for level, pair in enumerate(pairs):
        alone = fitted(*pair)
        assert together.phi_1[level] == alone.phi_1[0]
        assert together.phi_2[level] == alone.phi_2[0]
        assert together.phi_0[level] == alone.phi_0[0]


def test_a_model_stays_in_its_precision() -> None:
    assert fitted(0.9, 0.8, torch.float32).phi_1.dtype == torch.float32
    assert fitted(0.9, 0.8).phi_0.dtype == torch.float64


# ------------------------------------------------------------------ the guard


@FEW
@given(ANY, ANY, st.sampled_from([torch.float32, torch.float64]))
@example(1.0, 1.0, torch.float32)
@example(1.0, -1.0, torch.float32)
@example(2.0, 0.5, torch.float32)
@example(math.nan, 0.9, torch.float32)
@example(0.9, math.nan, torch.float32)
@example(math.nan, math.nan, torch.float64)
@example(-0.9, 0.81, torch.float64)
@example(0.01, -1.0, torch.float64)
@example(1e-30, 1e-30, torch.float32)
def test_a_model_is_stable_whatever_was_measured(
    one: float, two: float, dtype: torch.dtype
) -> None:
    model = fitted(one, two, dtype)
    assert np.isfinite(parameters(model)).all()
    assert (np.abs(roots(model)) < 1).all()
    assert 0 <= model.phi_0.item() <= 1
    # near a correlation of one the variance is a small number over another
    exact = dtype == torch.float64
    assert variance(model) == pytest.approx(1, abs=1e-6 if exact else 1e-2)


@FEW
@given(ANY, ANY)
@example(1.0, 1.0)
@example(1.0, -1.0)
@example(0.01, -1.0)
@example(0.005, 0.0)
@example(0.5, 0.5)
def test_what_is_correlated_fades_and_never_turns_over(one: float, two: float) -> None:
    model = fitted(one, two)
    phi_1, phi_2, _ = parameters(model)
    # real roots: nothing goes round
    assert phi_1**2 + 4 * phi_2 >= -1e-12
    found = correlations(model, 50)
    assert (found >= -1e-12).all()
    assert (np.diff(found) <= 1e-12).all()


@FEW
@given(ANY, ANY)
@example(0.9, 0.95)
@example(0.9, -0.5)
@example(1.5, 0.7)
@example(-0.4, 0.3)
@example(math.nan, 0.5)
@example(0.5, math.nan)
def test_impossible_correlations_go_to_the_nearest(one: float, two: float) -> None:
    _, first, second = correlations(fitted(one, two), 2)
    wanted = np.clip(np.nan_to_num(one), 0, MOST)
    assert first == pytest.approx(wanted, abs=1e-9)
    assert second == pytest.approx(
        np.clip(np.nan_to_num(two), least(wanted), wanted), abs=1e-9
    )


def test_nothing_known_is_white_noise() -> None:
    assert parameters(fitted(math.nan, math.nan)) == (0, 0, 1)
    assert parameters(fitted(-0.7, 0.6)) == (0, 0, 1)


# ---------------------------------------------------------- steps, one after another


def stepped(model: AR2, before: Tensor, now: Tensor, fresh: Tensor) -> Tensor:
    found = []
    for new in fresh:
        before, now = now, model.phi_1 * now + model.phi_2 * before + model.phi_0 * new
        found.append(now)
    return torch.stack(found)


@FEW
@given(st.lists(st.tuples(SHARE, SHARE), min_size=1, max_size=4), st.integers(1, 20))
def test_shares_and_responses_are_those_of_a_simulation(
    pairs: list[tuple[float, float]], leads: int
) -> None:
    model = AR2.fitted(*torch.tensor(pairs, dtype=torch.float64).T)
    drawn = torch.randn(leads + 2, len(pairs), generator=torch.manual_seed(leads))
    before, now, *fresh = drawn.double()
    kept, response = model.kept(leads), model.response(leads)
    assert kept.shape == (leads, 2, len(pairs))
    assert response.shape == (leads, len(pairs))
    found = kept[:, 0] * now + kept[:, 1] * before
    for lead in range(leads):
        for ago in range(lead + 1):
            found[lead] += response[ago] * fresh[lead - ago]
    expected = stepped(model, before, now, torch.stack(fresh))
    torch.testing.assert_close(found, expected)


@FEW
@given(st.floats(0, 0.9), SHARE)
def test_what_was_new_adds_up_to_unit_variance(one: float, share: float) -> None:
    response = fitted(*stationary(one, share)).response(600)
    gathered = response.square().cumsum(0)[:, 0]
    assert (gathered.diff() >= 0).all()
    assert gathered[-1].item() == pytest.approx(1, abs=1e-6)


@FEW
@given(st.floats(0, 0.9), SHARE)
def test_what_is_kept_fades_away(one: float, share: float) -> None:
    kept = fitted(*stationary(one, share)).kept(600)
    assert kept[-1].abs().max() < 1e-6
    # the mean of a frame that follows one like it is no larger than they are
    assert kept.sum(1).abs().max() <= 1 + 1e-12
