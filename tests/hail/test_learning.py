"""Learning: curves that never fall, probabilities of the sample, days kept apart."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import approx_fprime

from stormfusion.errors import CatalogError
from stormfusion.hail import logistic
from stormfusion.hail.learning import folds_of, learn, left_out
from stormfusion.hail.logistic import Calibration, fit_calibration, fit_curves
from stormfusion.hail.samples import Samples


def drawn(rows=4000, days=12, seed=0, slope=10.0):
    """Samples whose logit grows with the peak, and a day of each."""
    rng = np.random.default_rng(seed)
    peak = rng.integers(0, 256, rows).astype(np.uint8)
    core = (peak * rng.random(rows)).astype(np.uint8)
    middle = 0.7 if slope > 0 else 0.3
    chance = 1 / (1 + np.exp(-slope * (peak / 255 - middle)))
    return Samples(
        peak,
        core,
        (core // 2).astype(np.uint8),
        rng.random(rows) < chance,
        np.ones(rows),
        rng.integers(0, days, rows),
    )


@given(st.integers(0, 50), st.sampled_from([1e-3, 1.0]))
def test_curves_never_fall(seed, ridge):
    # even where hail falls from the weakest storms
    samples = drawn(300, seed=seed, slope=-10.0 if seed % 2 else 10.0)
    samples.hit[:2] = [True, False]
    curves = fit_curves(samples, ridge)
    assert (curves.weights >= 0).all()
    assert (np.diff(curves.tables, axis=1) >= 0).all()


def test_where_hail_falls_from_weak_storms_all_are_alike():
    samples = drawn(slope=-10.0, rows=20_000)
    logit = fit_curves(samples, 1e-3).logit(samples)
    frequency = samples.hit.mean()
    np.testing.assert_allclose(1 / (1 + np.exp(-logit)), frequency, rtol=0.02)


def test_the_gradient_is_that_of_the_loss(monkeypatch):
    held = {}

    def keep(function, start, **options):
        held.update(function=function, start=start)
        return minimize(function, start, **options)

    minimize = logistic.minimize
    monkeypatch.setattr(logistic, "minimize", keep)
    samples = drawn(200)
    for fit in (
        lambda: fit_curves(samples, 0.1),
        lambda: fit_calibration(samples.peak / 50.0 - 3.0, samples.hit, samples.weight),
    ):
        fit()
        theta = held["start"] + np.linspace(0.1, 0.5, held["start"].size)
        _, gradient = held["function"](theta)
        numeric = approx_fprime(theta, lambda x: held["function"](x)[0], 1e-7)
        np.testing.assert_allclose(gradient, numeric, rtol=1e-4, atol=1e-4)


def test_the_mean_probability_is_the_weighted_frequency():
    samples = drawn()
    # one of ten misses stays, and weighs ten
    kept = samples.hit | (np.arange(samples.hit.size) % 10 == 0)
    thinned = samples.where(kept)
    thinned.weight[~thinned.hit] = 10.0
    logit = fit_curves(thinned, 1e-3).logit(samples)
    probability = 1 / (1 + np.exp(-logit))
    assert probability.mean() == pytest.approx(samples.hit.mean(), rel=0.1)
    strong = samples.peak > 200
    assert probability[strong].mean() == pytest.approx(
        samples.hit[strong].mean(), rel=0.1
    )


@given(st.floats(0, 5), st.floats(0, 5), st.floats(-5, 5), st.lists(st.floats(-80, 80)))
def test_a_calibration_never_falls(a, b, c, logits):
    logit = np.sort(np.array([-1e3, *logits, 1e3], dtype=np.float32))
    probability = Calibration(a, b, c).probability(logit)
    assert probability.dtype == np.float32
    assert (np.diff(probability) >= -1e-6).all()
    assert ((probability >= 0) & (probability <= 1)).all()


def test_a_calibration_repairs_what_is_too_sure():
    rng = np.random.default_rng(0)
    true = rng.normal(-2.0, 1.5, 20_000)
    hit = rng.random(true.size) < 1 / (1 + np.exp(-true))
    found = fit_calibration(3.0 * true + 1.0, hit, np.ones(true.size))
    probability = found.probability(3.0 * true + 1.0)
    np.testing.assert_allclose(probability, 1 / (1 + np.exp(-true)), atol=0.05)
    same = fit_calibration(true, hit, np.ones(true.size))
    assert (same.a, same.b) == pytest.approx((1.0, 1.0), abs=0.15)


def test_no_day_is_in_two_folds():
    samples = drawn(days=23)
    fold = folds_of(samples, 5, seed=0)
    assert set(fold) == set(range(5))
    for day in np.unique(samples.day):
        assert np.unique(fold[samples.day == day]).size == 1
    hits = np.bincount(fold, samples.hit)
    assert hits.max() < 1.5 * hits.min()


def test_what_is_said_of_a_day_does_not_know_it():
    samples = drawn(days=6)
    fold = folds_of(samples, 3, seed=0)
    before, _ = left_out(samples, fold, 0.01)
    day = samples.day == 2
    # all that is known of that day is turned round; what was said of it stays
    changed = samples.where(np.arange(day.size))
    changed.hit[day] = ~changed.hit[day]
    after, _ = left_out(changed, fold, 0.01)
    np.testing.assert_allclose(after[day], before[day], atol=1e-9)
    assert (
        np.abs(after[fold != fold[day][0]] - before[fold != fold[day][0]]).max() > 0.1
    )


def test_calibration_is_learned_on_other_days_too():
    samples = drawn(days=6)
    first = learn(samples, folds=3, seed=0, progress=False)
    assert first.folds == 3
    mean = np.average(first.probability, weights=samples.weight)
    assert mean == pytest.approx(samples.hit.mean(), rel=0.1)


def test_noise_that_tells_the_day_is_not_learned():
    # the peak tells the day, and the day tells the hail: rows left out would look
    # as though all were known, days left out do not
    rng = np.random.default_rng(1)
    day = np.repeat(np.arange(12), 200)
    share = np.array([0.01, 0.5] * 6)
    peak = (10 + 20 * rng.permutation(12))[day].astype(np.uint8)
    hit = rng.random(day.size) < share[day]
    samples = Samples(peak, peak, peak, hit, np.ones(day.size), day)
    learned = learn(samples, folds=5, seed=0, progress=False)
    error = np.mean((learned.probability - hit) ** 2)
    assert error > 0.98 * hit.mean() * (1 - hit.mean())


def test_fewer_days_than_folds_are_told():
    samples = drawn(days=3)
    with pytest.warns(UserWarning, match="3 days, so that 3 folds .* in place of 5"):
        assert learn(samples, folds=5, seed=0, progress=False).folds == 3


@pytest.mark.parametrize(
    ("days", "hit", "said"),
    [
        (1, None, "on 1 day of the catalog"),
        (5, False, "no pixel that was looked at"),
        (5, True, "every pixel that was looked at"),
    ],
)
def test_what_cannot_be_learned_from(days, hit, said):
    samples = drawn(days=days)
    if hit is not None:
        samples.hit[:] = hit
    with pytest.raises(CatalogError, match=said):
        learn(samples, folds=2, seed=0, progress=False)
