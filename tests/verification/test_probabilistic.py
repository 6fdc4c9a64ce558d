import numpy as np
import properscoring
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stormfusion.verification import (
    blocks,
    crps,
    crps_score,
    crps_sums,
    mae,
    merge,
    rank_histogram,
    spread_skill,
)

FEW = settings(max_examples=25, deadline=None)


def line(values):
    return xr.DataArray(np.asarray(values), dims="x")


def members(values):
    return xr.DataArray(np.asarray(values), dims=("member", "x"))


def scored(values, observed, *, fair):
    forecast = xr.DataArray(np.asarray(values, float), dims="member")
    return crps(forecast, xr.DataArray(float(observed)), fair=fair).item()


@pytest.mark.parametrize(
    ("values", "observed", "exact"),
    [
        # ties, which pysteps scores 0.04, 0.08, 0, 0 and 0
        ([0, 0, 0, 5, 6], 0, 0.84),
        ([1, 2, 3, 4, 5], 3, 0.40),
        ([0, 0, 1], 0, 1 / 9),
        ([0, 0, 0, 5], 0, 0.3125),
        ([0, 1, 2], 1, 2 / 9),
        # and none
        ([0, 0, 1], 0.5, 0.5 - 4 / 18),
        ([3], 5, 2),
        ([2, 2, 2], 2, 0),
    ],
)
def test_crps_by_hand(values, observed, exact):
    assert scored(values, observed, fair=False) == pytest.approx(exact, abs=1e-12)


def test_fair_crps_by_hand():
    assert scored([0, 0, 1], 0, fair=True) == pytest.approx(1 / 3 - 4 / 12)
    assert scored([0, 2], 1, fair=True) == 0
    assert scored([0, 4], 2, fair=True) == 0
    assert scored([0, 4], 0, fair=True) == 0
    assert scored([0, 4, 4], 4, fair=True) == pytest.approx(4 / 3 - 16 / 12)
    assert scored([0, 0, 2, 2], 1, fair=True) == pytest.approx(1 - 16 / 24)


def test_fair_crps_does_not_depend_on_the_number_of_members():
    rng = np.random.default_rng(0)
    y = line(rng.normal(size=40_000))
    for count in (2, 5):
        x = members(rng.normal(size=(count, 40_000)))
        assert crps(x, y).item() == pytest.approx(0.5642, abs=0.01)
        ecdf = 0.5642 * (1 + 1 / count)
        assert crps(x, y, fair=False).item() == pytest.approx(ecdf, abs=0.012)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
def test_crps_as_properscoring_has_it(dtype):
    rng = np.random.default_rng(1)
    rain = np.maximum(rng.gamma(0.5, 20, (21, 500)) - 5, 0).astype(dtype)
    x, y = rain[1:], rain[0]
    ours = crps(members(x), line(y), fair=False, over=())
    theirs = properscoring.crps_ensemble(
        y.astype(np.float64), x.astype(np.float64), axis=0
    )
    # float32 is computed as it is
    near = 1e-6 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(ours, theirs, rtol=near, atol=near)


def test_crps_of_one_member():
    x, y = members([[1.0, 2.0]]), line([4.0, 0.0])
    assert crps(x, y, fair=False).item() == mae(x[0], y).item() == 2.5
    with pytest.raises(ValueError, match=r"2 or more members.*fair=False"):
        crps(x, y)


def test_scores_of_ensembles_need_members():
    for score in (crps, rank_histogram, spread_skill):
        with pytest.raises(ValueError, match=r"no 'member'.*mae"):
            score(line([1.0]), line([1.0]))
        with pytest.raises(ValueError, match="no members"):
            score(members(np.zeros((0, 1))), line([1.0]))


def test_a_missing_member_makes_the_pixel_missing():
    x = members([[1.0, 1.0, 1.0], [3.0, np.nan, 3.0]])
    y = line([1.0, 1.0, np.nan])
    assert crps_sums(x, y).crps_pairs.item() == 1
    assert crps(x, y).item() == crps(x[:, :1], y[:1]).item()
    assert rank_histogram(x, y).sum().item() == 1
    assert spread_skill(x, y).rmse.item() == 1
    assert np.isnan(crps(x[:, 1:], y[1:]))
    assert np.isnan(spread_skill(x[:, 1:], y[1:]).spread)


def test_crps_keeps_the_lead_and_says_its_units():
    x = xr.DataArray(np.zeros((4, 2, 3)), dims=("member", "lead", "x"))
    y = xr.DataArray([[1.0] * 3, [2.0] * 3], dims=("lead", "x"), attrs={"units": "mm"})
    score = crps(x.transpose("x", "lead", "member"), y)
    assert score.dims == ("lead",)
    assert score.values.tolist() == [1, 2]
    assert score.attrs["units"] == "mm"
    assert score.attrs["long_name"].startswith("fair")


def test_blocks_do_not_show(monkeypatch):
    rng = np.random.default_rng(2)
    x, y = members(rng.random((3, 100))), line(rng.random(100))
    whole = crps(x, y, over=())
    monkeypatch.setattr(blocks, "NUMBERS", 20)
    np.testing.assert_array_equal(crps(x, y, over=()), whole)


def test_an_empty_field():
    x, y = members(np.zeros((3, 0))), line(np.zeros(0))
    assert crps_sums(x, y).crps_pairs.item() == 0
    assert np.isnan(crps(x, y))


SAMPLES = hnp.arrays(
    np.float32,
    st.tuples(st.just(4), st.integers(0, 12)),
    elements=st.sampled_from([0, 0, 1, 2, 5, np.nan]),
)


@FEW
@given(SAMPLES, SAMPLES)
def test_sums_add_like_concatenated_fields(first, second):
    def sums(sample):
        return crps_sums(members(sample[1:]), line(sample[0]))

    whole = sums(np.concatenate([first, second], axis=1))
    both = merge(sums(first), sums(second))
    assert both.crps_pairs == whole.crps_pairs
    xr.testing.assert_allclose(both, whole)
    xr.testing.assert_allclose(crps_score(both), crps_score(whole))


@FEW
@given(SAMPLES, st.permutations([1, 2, 3]))
def test_order_of_members_does_not_matter(sample, order):
    x, shuffled, y = members(sample[1:]), members(sample[order]), line(sample[0])
    for fair in (True, False):
        xr.testing.assert_allclose(crps(x, y, fair=fair), crps(shuffled, y, fair=fair))


@FEW
@given(SAMPLES)
def test_crps_is_never_negative(sample):
    x, y = members(sample[1:]), line(sample[0])
    for fair in (True, False):
        score = crps(x, y, fair=fair, over=())
        assert score.fillna(0).values.min(initial=0) >= -1e-12


@FEW
@given(SAMPLES)
def test_missing_pairs_are_as_dropped(sample):
    kept = sample[:, ~np.isnan(sample).any(axis=0)]
    xr.testing.assert_allclose(
        crps(members(sample[1:]), line(sample[0])),
        crps(members(kept[1:]), line(kept[0])),
    )


def test_an_infinite_member_is_not_a_missing_one() -> None:
    inf = np.inf
    members = [[1.0, inf], [inf, inf], [-inf, -inf], [1.0, 1.0], [np.nan, inf]]
    forecast = xr.DataArray(members, dims=("x", "member"))
    observed = xr.DataArray([1.0, inf, 0.0, -inf, 1.0], dims="x")
    found = crps(forecast, observed, over=())
    np.testing.assert_array_equal(found, [inf, 0.0, inf, inf, np.nan])
    assert crps_sums(forecast, observed).crps_pairs.item() == 4
