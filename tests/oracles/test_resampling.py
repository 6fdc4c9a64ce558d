"""Intervals beside those of scores, and skill beside that of properscoring."""

import numpy as np
import pytest
import xarray as xr

from stormfusion.verification import bootstrap, brier, skill

scores = pytest.importorskip("scores")


def test_the_block_bootstrap_of_a_mean_is_that_of_scores():
    from scores.processing import block_bootstrap

    rng = np.random.default_rng(4)
    values = np.convolve(rng.gamma(1, 1, 130), np.ones(6), "valid")[:120]
    cases = xr.DataArray(values, dims="case")
    np.random.seed(0)  # noqa: NPY002  of theirs
    drawn = block_bootstrap(cases, blocks={"case": 5}, n_iteration=4000, circular=True)
    theirs = drawn.mean("case").quantile([0.05, 0.95]).values
    states = xr.Dataset({"sum": cases, "count": ("case", np.ones(120, int))})
    found = bootstrap(states, lambda s: s["sum"] / s["count"], block=5, samples=4000)
    width = theirs[1] - theirs[0]
    np.testing.assert_allclose([found.lower, found.upper], theirs, atol=0.06 * width)


def test_the_brier_skill_score_is_that_of_properscoring():
    properscoring = pytest.importorskip("properscoring")

    rng = np.random.default_rng(0)
    event = (rng.random(500) < 0.3).astype(float)
    p = np.clip(0.5 * event + 0.5 * rng.random(500), 0, 1).round(1)
    forecast, observed = (xr.DataArray(a, dims="x") for a in (p, event))
    climatology = 0 * forecast + float(observed.mean())
    found = skill(brier(forecast, observed), brier(climatology, observed))
    ours, base = (
        properscoring.brier_score(event, q).mean() for q in (p, climatology.values)
    )
    np.testing.assert_allclose(found, 1 - ours / base)
