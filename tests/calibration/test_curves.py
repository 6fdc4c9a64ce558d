"""Curves of probabilities: monotone, never worse, right where the truth is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stormfusion.calibration.curves import (
    MAKERS,
    beta,
    brier_of,
    chosen,
    held_out,
    identity,
    isotonic,
    made,
)

NODES = 11
tables = st.lists(
    st.tuples(st.integers(0, 500), st.floats(0, 1)), min_size=NODES, max_size=NODES
)


def counted(drawn) -> tuple[np.ndarray, np.ndarray]:
    pairs = np.array([n for n, _ in drawn], dtype=float)
    events = np.array([np.floor(n * share) for n, share in drawn])
    return pairs, events


def test_isotonic_by_hand() -> None:
    pairs, events = np.array([10.0, 10.0, 20.0]), np.array([5.0, 1.0, 16.0])
    # the first two fall, and are pooled: 6 of 20
    np.testing.assert_allclose(isotonic(pairs, events), [0.3, 0.3, 0.8])


def test_empty_probabilities_lie_between_their_neighbours() -> None:
    pairs, events = np.array([0.0, 10, 0, 10, 0]), np.array([0.0, 2, 0, 6, 0])
    np.testing.assert_allclose(isotonic(pairs, events), [0.2, 0.2, 0.4, 0.6, 0.6])
    np.testing.assert_allclose(isotonic(np.zeros(3), np.zeros(3)), [0, 0.5, 1])


@settings(max_examples=60, deadline=None)
@given(tables)
def test_curves_never_fall_and_stay_between_none_and_all(drawn) -> None:
    pairs, events = counted(drawn)
    for maker in MAKERS.values():
        curve = maker(pairs, events)
        assert curve.shape == (NODES,)
        assert (np.diff(curve) >= -1e-9).all()
        assert curve.min() >= 0
        assert curve.max() <= 1


@settings(max_examples=60, deadline=None)
@given(tables)
def test_what_is_chosen_is_never_worse_where_it_was_fitted(drawn) -> None:
    pairs, events = counted(drawn)
    plain = brier_of(identity(pairs, events), pairs, events)
    for method in ("auto", "isotonic", "beta", "none"):
        _, curve = chosen([(pairs, events)] * 2, method, most=2 * plain + 1e-9)
        assert brier_of(curve, pairs, events) <= plain * (1 + 1e-9) + 1e-9
    assert brier_of(isotonic(pairs, events), pairs, events) <= plain + 1e-9


def test_beta_finds_a_curve_that_is_one() -> None:
    chance = (np.arange(21) + 0.5) / 21
    logit = 0.6 * np.log(chance) - 1.8 * np.log1p(-chance) - 0.4
    rate = 1 / (1 + np.exp(-logit))
    pairs = np.full(21, 1e6)
    np.testing.assert_allclose(beta(pairs, pairs * rate), rate, atol=2e-3)


def test_beta_of_little_stays_near_the_identity() -> None:
    none = np.zeros(21)
    # of nothing at all it is p = (k + 1/2) / (M + 1)
    np.testing.assert_allclose(beta(none, none), (np.arange(21) + 0.5) / 21, atol=1e-6)


def test_reliable_probabilities_are_left_alone() -> None:
    rng = np.random.default_rng(0)
    folds = []
    for _ in range(5):
        pairs = rng.integers(50, 150, NODES).astype(float)
        folds.append((pairs, rng.binomial(pairs.astype(int), identity(pairs, pairs))))
    plain = held_out(folds, "none")
    assert held_out(folds, "isotonic") > plain
    assert chosen(folds, "auto", most=np.inf)[0] == "none"


def test_overconfident_probabilities_are_not() -> None:
    rng = np.random.default_rng(0)
    told = np.linspace(0, 1, NODES)
    truth = 0.2 + 0.5 * told
    folds = []
    for _ in range(5):
        pairs = np.full(NODES, 2000.0)
        folds.append((pairs, rng.binomial(2000, truth).astype(float)))
    name, curve = chosen(folds, "auto", most=np.inf)
    assert name in ("isotonic", "beta")
    np.testing.assert_allclose(curve[1:-1], truth[1:-1], atol=0.05)


def test_a_curve_that_is_worse_gives_way() -> None:
    # more often than told where it is told seldom, less often where it is told often
    pairs = np.full(NODES, 100.0)
    events = pairs * identity(pairs, pairs)
    most = brier_of(identity(pairs, events), pairs, events)
    assert chosen([(pairs, events)], "auto", most=most * 0.999)[0] == "isotonic"
    # what was asked for is not exchanged for something else
    for method in ("beta", "none"):
        name, curve = chosen([(pairs, events)], method, most=most * 0.999)
        assert name == "none"
        np.testing.assert_allclose(curve, identity(pairs, events))


@pytest.mark.parametrize("method", ["beta", "isotonic"])
def test_what_was_hardly_ever_said_is_not_known_to_be_wrong(method) -> None:
    pairs = np.zeros(NODES)
    pairs[0], pairs[-1] = 1e5, 3.0
    curve = made(method, pairs, np.zeros(NODES))
    assert curve[0] < 0.01
    assert curve[-1] > 0.9
    # and what was said often is
    pairs[-1] = 1e5
    assert made(method, pairs, np.zeros(NODES))[-1] < 0.01


@pytest.mark.parametrize("method", ["beta", "isotonic", "none"])
def test_brier_is_that_of_the_pairs(method) -> None:
    rng = np.random.default_rng(1)
    k = rng.integers(0, NODES, 400)
    came = rng.random(400) < 0.3
    pairs = np.bincount(k, minlength=NODES).astype(float)
    events = np.bincount(k, weights=came, minlength=NODES)
    curve = MAKERS[method](pairs, events)
    expected = ((curve[k] - came) ** 2).sum()
    assert brier_of(curve, pairs, events) == pytest.approx(expected)
