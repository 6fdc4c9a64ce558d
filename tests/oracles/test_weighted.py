"""The threshold-weighted CRPS beside that of other libraries, on fields with ties."""

import numpy as np
import pytest
import xarray as xr

from stormfusion.verification import twcrps

THRESHOLDS = (-1.0, 0.0, 0.5, 2.0, 7.0, 1000.0)


def rain(*shape, seed=0):
    """Rain with many ties: most of it none, and the rest in steps."""
    return np.random.default_rng(seed).gamma(0.4, 4, shape).round()


def fields(members=7):
    f = xr.DataArray(rain(members, 3, 50), dims=("member", "lead", "x"))
    o = xr.DataArray(rain(3, 50, seed=1), dims=("lead", "x"))
    gap = o.where((o.x % 9) > 0)
    return f, gap


@pytest.mark.parametrize("tail", ["upper", "lower"])
@pytest.mark.parametrize(("fair", "method"), [(True, "fair"), (False, "ecdf")])
def test_it_is_that_of_scores(tail, fair, method):
    peer = pytest.importorskip("scores.probability")
    f, o = fields()
    found = twcrps(f, o, threshold=THRESHOLDS, tail=tail, fair=fair, over=())
    chain = np.maximum if tail == "upper" else np.minimum
    for t in THRESHOLDS:
        options = {"method": method, "preserve_dims": "all"}
        of_tail = peer.tail_tw_crps_for_ensemble(
            f, o, "member", t, tail=tail, **options
        )
        of_chain = peer.tw_crps_for_ensemble(
            f, o, "member", lambda x, t=t: chain(x, t), **options
        )
        for theirs in (of_tail, of_chain):
            ours = found.sel(threshold=t)
            np.testing.assert_allclose(ours, theirs.transpose(*ours.dims), atol=1e-12)


@pytest.mark.parametrize("tail", ["upper", "lower"])
@pytest.mark.parametrize(("fair", "estimator"), [(True, "fair"), (False, "nrg")])
def test_it_is_that_of_scoringrules(tail, fair, estimator):
    peer = pytest.importorskip("scoringrules")
    f, o = fields()
    found = twcrps(f, o, threshold=THRESHOLDS, tail=tail, fair=fair, over=())
    for t in THRESHOLDS:
        ends = {"a": t} if tail == "upper" else {"b": t}
        theirs = peer.twcrps_ensemble(
            o.values, f.values, m_axis=0, estimator=estimator, backend="numpy", **ends
        )
        np.testing.assert_allclose(found.sel(threshold=t), theirs, atol=1e-12)


def test_the_outcome_weighted_score_is_another():
    """Theirs of `owcrps` forgets the cases without the event, false alarms included."""
    peer = pytest.importorskip("scoringrules")
    x, dry = np.array([0.0, 0.0, 8.0, 8.0]), 0.0
    options = {"a": 5.0, "backend": "numpy"}
    assert peer.owcrps_ensemble(dry, x, **options) == 0
    forecast = xr.DataArray(x, dims="member")
    found = twcrps(forecast, xr.DataArray(dry), threshold=5, fair=False).item()
    assert found == peer.twcrps_ensemble(dry, x, estimator="nrg", **options) == 0.75
