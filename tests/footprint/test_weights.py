"""Members with weights: by hand, as repeated members, and where they are none."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.test_footprint import labelled, one_pixel, stored, streamed

from stormfusion import Ensemble
from stormfusion.footprint import Accumulator, stacked
from stormfusion.units import vil_from_bytes

nan = np.nan
HAZARDS = ["vil >= 12 kg m-2", "vil >= 3.5 kg m-2 in 10 min"]
MAKERS = pytest.mark.parametrize("make", [stacked, streamed], ids=["stacked", "stream"])


def close(one: xr.Dataset, other: xr.Dataset, *, but: tuple[str, ...] = ()) -> None:
    assert set(one) == set(other)
    for name, array in one.drop_vars(list(but)).items():
        np.testing.assert_allclose(
            other[name], array, rtol=2e-5, atol=2e-5, err_msg=str(name)
        )


@MAKERS
def test_weighted_members_by_hand(make) -> None:
    values = vil_from_bytes(np.array([0, 100, 150, 200], dtype=np.uint8))
    members = one_pixel(*[[v] for v in values])
    weights = np.array([0.1, 0.2, 0.3, 0.4])
    quantiles = [5, 10, 11, 30, 31, 60, 61, 100]
    made = make(members, HAZARDS[:1], percentiles=quantiles, weights=weights).dataset
    made = made.squeeze()
    assert float(made.probability) == pytest.approx(0.4)
    assert float(made.window_probability) == pytest.approx(0.4)
    np.testing.assert_allclose(
        made.percentile, values[[0, 0, 1, 1, 2, 2, 3, 3]], rtol=1e-6
    )
    mean = (weights * values).sum()
    assert float(made["mean"]) == pytest.approx(mean, rel=1e-5)
    # the divisor is 1 - sum w^2: that of weights that say how much each is worth
    spread = np.sqrt((weights * (values - mean) ** 2).sum() / (1 - (weights**2).sum()))
    assert float(made.spread) == pytest.approx(spread, rel=1e-5)
    assert made.attrs["members"] == 4


@MAKERS
def test_arrival_goes_by_the_weights(make) -> None:
    leads = [[12.0 * (lead >= n) for lead in range(4)] for n in (0, 1, 3)]
    members = one_pixel(*leads, [0.0] * 4)
    made = make(members, HAZARDS[:1], weights=np.array([0.25, 0.5, 0.25, 9])).dataset
    found = [
        float(made[n].squeeze()) for n in ("arrival_lower", "arrival", "arrival_upper")
    ]
    assert found == [5, 10, 20]
    # a tie of sums that no float holds: 0.3 of 0.6 have it at the first lead
    tied = one_pixel([12, 12], [12, 12], [0, 12], [0, 12])
    made = make(tied, HAZARDS[:1], weights=np.array([0.1, 0.2, 0.05, 0.25])).dataset
    assert float(made.arrival.squeeze()) == 5


@MAKERS
def test_half_of_the_weight_is_half(make) -> None:
    values = np.ones((3, 1, 1, 2))
    values[0, 0, 0, 0] = values[1:, 0, 0, 1] = nan
    # 0.1 + 0.2 of 0.6 is half, in whatever order
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        weights = np.array([0.3, 0.1, 0.2])[order]
        made = make(labelled(values[order]), HAZARDS[:1], weights=weights).dataset
        assert np.isfinite(made.probability).all()
        assert np.isfinite(made["mean"]).all()
        np.testing.assert_allclose(made.known, 0.5, rtol=1e-6)
        # one member alone has no spread
        np.testing.assert_array_equal(np.isnan(made.spread).values.ravel(), [0, 1])
        ensemble = Ensemble(
            labelled(values[order])
            .to_dataset()
            .assign_coords(weight=("member", weights))
        )
        np.testing.assert_allclose(ensemble.spread(), made.spread, atol=1e-6)


def fields(seed: int, members: int, gaps: bool = True) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = stored(rng, (members, 3, 4, 5))
    if gaps:
        values[rng.random(values.shape) < 0.04] = nan
    return values


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(0, 4), min_size=3, max_size=7),
    st.integers(0, 99),
    st.booleans(),
)
def test_whole_weights_are_repeated_members(counts, seed: int, gaps: bool) -> None:
    if np.count_nonzero(counts) < 2:
        counts = [2, 1, *counts]
    values = fields(seed, len(counts), gaps)
    members, repeated = labelled(values), labelled(np.repeat(values, counts, axis=0))
    weights = np.array(counts, dtype=float)
    quantiles = [0, 10, 25, 50, 90, 100]
    for make in (stacked, streamed):
        one = make(members, HAZARDS, percentiles=quantiles, weights=weights).dataset
        other = make(repeated, HAZARDS, percentiles=quantiles).dataset
        # repeated members are no new ones, so that spread and what members displace
        # from each other differ; means, shares and percentiles do not
        close(one, other, but=("spread", "displacement", "window_displacement"))
        total, square = weights.sum(), (weights**2).sum()
        if not gaps:
            larger = np.sqrt((total - 1) / (total - square / total))
            np.testing.assert_allclose(
                one.spread, other.spread * larger, rtol=1e-4, atol=1e-4
            )


@MAKERS
@pytest.mark.parametrize("scale", [1.0, 0.1, 37.0])
def test_equal_weights_are_none(make, scale: float) -> None:
    members = labelled(fields(1, 8))
    plain = make(members, HAZARDS).dataset
    close(make(members, HAZARDS, weights=np.full(8, scale)).dataset, plain)


@MAKERS
@pytest.mark.parametrize("place", [0, 3, 7])
def test_a_member_without_weight_is_none(make, place: int) -> None:
    values = fields(2, 8)
    weights = np.arange(1.0, 9.0)
    weights[place] = 0
    values[place] = 999.0
    values[place, 0, 0] = nan
    there = np.arange(8) != place
    one = make(labelled(values), HAZARDS, weights=weights).dataset
    other = make(labelled(values[there]), HAZARDS, weights=weights[there]).dataset
    close(one, other)
    assert one.attrs["members"] == 7


@MAKERS
def test_two_members_need_weight(make) -> None:
    members = one_pixel([1.0], [2.0], [3.0])
    with pytest.raises(ValueError, match="got 1 member, wanted 2 or more"):
        make(members, (), weights=np.array([0.0, 1.0, 0.0]))


@pytest.mark.parametrize("weight", [-1.0, nan, np.inf, 0.5])
def test_weights_are_numbers_that_were_announced(weight: float) -> None:
    like = one_pixel([0.0]).isel(member=0, drop=True)
    gathered = Accumulator(like, (), weighted=weight != 0.5)
    with pytest.raises(ValueError, match=r"member 0 has the weight .*wanted"):
        gathered.add(like.to_numpy(), weight)


def test_the_ensemble_goes_by_its_weights_in_everything() -> None:
    values = fields(3, 6)
    weights = np.array([3.0, 1.0, 0.0, 2.0, 5.0, 1.0])
    dataset = labelled(values).to_dataset()
    ensemble = Ensemble(dataset.assign_coords(weight=("member", weights)))
    assert ensemble.weights is not None
    np.testing.assert_allclose(ensemble.weights, weights / 12)
    repeated = np.repeat(values, weights.astype(int), axis=0)
    plain = Ensemble(labelled(repeated).to_dataset())
    np.testing.assert_allclose(ensemble.mean(), plain.mean(), rtol=1e-5)
    for percentile in (0, 30, 50, 100):
        np.testing.assert_array_equal(
            ensemble.percentile(percentile), plain.percentile(percentile)
        )
    for hazard in HAZARDS:
        np.testing.assert_allclose(
            ensemble.probability(hazard), plain.probability(hazard), rtol=1e-5
        )
    made, wanted = (e.footprint(*HAZARDS).dataset for e in (ensemble, plain))
    close(made, wanted, but=("spread", "displacement", "window_displacement"))
    lazy = Ensemble(ensemble.dataset.chunk(member=1)).footprint(*HAZARDS).dataset
    close(lazy, made)
    same = Ensemble(dataset.assign_coords(weight=("member", np.full(6, 0.2))))
    assert same.weights is None


@pytest.mark.parametrize(
    ("weight", "helpful"),
    [
        (("member", [1.0, -1.0, 1.0]), "finite ones, 0 or more"),
        (("member", [1.0, nan, 1.0]), "finite ones, 0 or more"),
        (("member", [0.0, 0.0, 0.0]), "not all of them 0"),
        (("member", ["a", "b", "c"]), "a number for each member"),
        (((), 3.0), "a number for each member"),
        (("lead", [1.0]), "a number for each member"),
    ],
)
def test_weights_that_are_none(weight, helpful: str) -> None:
    dataset = one_pixel([1.0], [2.0], [3.0]).to_dataset()
    with pytest.raises(ValueError, match=helpful):
        Ensemble(dataset.assign_coords(weight=weight))
