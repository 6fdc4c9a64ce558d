"""The reliability diagram of weighted pixels, by hand."""

import numpy as np
import pytest

from stormfusion.hail.diagram import EDGES, diagram_of, sums_of


def test_a_diagram_by_hand():
    probability = np.array([0.0, 0.15, 0.15, 0.95, 1.0])
    hit = np.array([0, 0, 1, 1, 1]) > 0
    weight = np.array([10.0, 3.0, 1.0, 1.0, 1.0])
    found = diagram_of(sums_of(probability, hit, weight), {"days": 2}, {"folds": 5})
    held = found.where(found["count"] > 0, drop=True)
    np.testing.assert_array_equal(held["count"], [10, 4, 2])
    np.testing.assert_allclose(held["forecast_probability"], [0.0, 0.15, 0.975])
    np.testing.assert_allclose(held["observed_frequency"], [0.0, 0.25, 1.0])
    assert found["base_rate"].item() == pytest.approx(3 / 16)
    brier = (3 * 0.15**2 + 0.85**2 + 0.05**2) / 16
    assert found["brier"].item() == pytest.approx(brier)
    skill = 1 - brier / (3 / 16 * 13 / 16)
    assert found["brier_skill"].item() == pytest.approx(skill)
    assert found["days"].item() == 2
    assert found.attrs == {"folds": 5}


def test_empty_bins_are_missing_and_edges_belong_to_the_bin_above():
    found = diagram_of(sums_of(np.array([0.1]), np.array([False]), np.ones(1)), {}, {})
    assert found["count"].values[np.isclose(EDGES[:-1], 0.1)].tolist() == [1]
    assert int(np.isnan(found["forecast_probability"]).sum()) == EDGES.size - 2
