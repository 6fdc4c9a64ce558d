from itertools import product

import numpy as np
import pytest
import xarray as xr
from scipy.stats import binom

from stormfusion.verification import (
    economic_value,
    probability_sums,
    reliability,
    reliability_scores,
    roc,
    value_score,
)


def line(values):
    return xr.DataArray(np.asarray(values), dims="x")


def members(values):
    return xr.DataArray(np.asarray(values), dims=("member", "x"))


def test_roc_by_hand():
    # warned from 0.75 on: one of two events, no false alarm; from 0.25 on: both, one
    p, o = line([1.0, 0.5, 0.5, 0.0]), line([1, 1, 0, 0])
    curve = roc(p, o, bins=3)
    assert curve.pod.values.tolist() == [1, 1, 0.5]
    assert curve.pofd.values.tolist() == [1, 0.5, 0]
    assert curve.roc_area.item() == pytest.approx(1 - 0.5 * 0.5 * 0.5)


def test_the_area_is_the_chance_that_an_event_had_the_higher_probability():
    rng = np.random.default_rng(0)
    x = members(rng.integers(0, 5, (6, 300)))
    y = line(rng.integers(0, 5, 300))
    k, event = (x >= 3).sum("member").values, y.values >= 3
    yes, no = k[event][:, None], k[~event]
    chance = (yes > no).mean() + 0.5 * (yes == no).mean()
    assert roc(x, y, threshold=3).roc_area.item() == pytest.approx(chance)


def test_forecasts_without_skill_and_perfect_ones():
    o = line(np.arange(100) % 2)
    assert roc(line(np.full(100, 0.3)), o).roc_area.item() == 0.5
    assert roc(o.astype(float), o).roc_area.item() == 1
    assert roc(1.0 - o, o).roc_area.item() == 0


def test_without_events_there_is_no_discrimination():
    curve = roc(line([0.1, 0.9]), line([0, 0]))
    assert np.isnan(curve.roc_area)
    assert np.isnan(curve.pod).all()
    assert not np.isnan(curve.pofd).any()
    assert np.isnan(economic_value(line([0.1, 0.9]), line([1, 1]))).all()


def test_missing_pairs_are_not_counted():
    p, o = line([1.0, 0.0, np.nan, 0.0]), line([1, 0, 0, np.nan])
    assert roc(p, o).roc_area.item() == 1
    assert reliability(p, o)["count"].sum().item() == 2


def test_reliability_lies_in_its_bars_where_it_is_reliable():
    rng = np.random.default_rng(0)
    p = rng.integers(0, 11, 20_000) / 10
    o = (rng.random(p.size) < p).astype(float)
    diagram = reliability(line(p), line(o), bins=11, level=0.99)
    assert (diagram.consistency_lower <= diagram.observed_frequency).all()
    assert (diagram.observed_frequency <= diagram.consistency_upper).all()
    off = reliability(line(p), line(1 - o), bins=11, level=0.99)
    outside = off.observed_frequency > off.consistency_upper
    assert outside.values[:4].all()


def test_consistency_bars_by_hand():
    # of two pairs at 1/2: none, one or both with 1/4, 1/2, 1/4
    diagram = reliability(line([0.5, 0.5]), line([0, 1]), bins=1, level=0.4)
    assert diagram.consistency_lower.item() == diagram.consistency_upper.item() == 0.5
    wide = reliability(line([0.5, 0.5]), line([0, 1]), bins=1, level=0.6)
    assert (wide.consistency_lower.item(), wide.consistency_upper.item()) == (0, 1)
    empty = reliability(line([0.1]), line([0]), bins=2)
    assert np.isnan(empty.consistency_lower.values[1])
    for level in (90, 0, 1, np.nan):
        with pytest.raises(ValueError, match=f"level is {level}"):
            reliability(line([0.1]), line([0]), level=level)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.99])
def test_consistency_bars_are_quantiles_of_the_binomial(level):
    for n, p in product((1, 2, 3, 16, 57, 1000), (0.0, 1e-6, 0.1, 0.25, 0.5, 0.8, 1.0)):
        sums = probability_sums(line(np.full(n, p)), line(np.zeros(n)), bins=1)
        diagram = reliability_scores(sums, level=level)
        for end, share in (("lower", (1 - level) / 2), ("upper", (1 + level) / 2)):
            found = diagram[f"consistency_{end}"].item() * n
            assert found == pytest.approx(binom.ppf(share, n, p)), (n, p)


def test_value_by_hand():
    # half of the pairs are events; a quarter is a hit, a quarter a false alarm
    p, o = line([1.0, 0.0, 1.0, 0.0]), line([1, 1, 0, 0])
    assert economic_value(p, o, cost_loss=[0.5]).item() == pytest.approx(0)
    p = line([1.0, 1.0, 1.0, 0.0])
    # H = 1, F = 1/2, a = s = 1/2
    assert economic_value(p, o, cost_loss=[0.5]).item() == pytest.approx(0.5)


@pytest.mark.parametrize("seed", range(4))
def test_value_is_what_is_saved_of_what_can_be(seed):
    # expense of each rule: protect from a probability on, at a cost, or lose
    rng = np.random.default_rng(seed)
    p = rng.integers(0, 6, 80) / 5
    o = rng.random(80) < 0.1 + 0.3 * p
    rate = float(o.mean())
    ratios = [0.02, 0.2, rate, 0.6, 0.97]
    expected = []
    for alpha in ratios:
        rules = [np.where(p >= least, alpha, o).mean() for least in (*set(p), 2.0)]
        climatology, perfect = min(alpha, rate), alpha * rate
        best = min(*rules, climatology)
        expected.append((climatology - best) / (climatology - perfect))
    found = economic_value(line(p), line(o), cost_loss=ratios, bins=6)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_value_is_one_of_a_perfect_forecast_and_never_below_climatology():
    rng = np.random.default_rng(0)
    o = line(rng.integers(0, 2, 50))
    np.testing.assert_allclose(economic_value(o.astype(float), o), 1)
    value = economic_value(1.0 - o, o)
    assert value.sizes == {"cost_loss": 99}
    assert (value >= 0).all()
    sums = probability_sums(1.0 - o, o)
    xr.testing.assert_identical(value_score(sums), value)


@pytest.mark.parametrize("ratios", [[0.0], [1.0], [-0.2, 0.5], [], 0.5, ["a"]])
def test_ratios_of_cost_and_loss_are_shares(ratios):
    with pytest.raises(ValueError, match="cost_loss is"):
        economic_value(line([0.5]), line([1]), cost_loss=ratios)
