import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.ndimage import gaussian_filter

from stormfusion.errors import GridMismatchError
from stormfusion.verification import (
    merge,
    variogram_mean,
    variogram_score,
    variogram_sums,
)

FEW = settings(max_examples=25, deadline=None)

SAMPLES = hnp.arrays(
    np.float64,
    st.tuples(st.just(4), st.just(2), st.integers(3, 6), st.integers(3, 6)),
    elements=st.sampled_from([0.0, 0.0, 0.5, 1.0, 3.0, np.nan]),
)
"""Three members and the observation."""


def field(values, **attrs):
    values = np.asarray(values)
    return xr.DataArray(values, dims=("lead", "y", "x")[-values.ndim :], attrs=attrs)


def ensemble(values, **attrs):
    values = np.asarray(values)
    dims = ("member", *("lead", "y", "x")[1 - values.ndim :])
    return xr.DataArray(values, dims=dims, attrs=attrs)


def on_grid(array, dy, dx):
    y, x = (np.arange(array.sizes[d]) * s for d, s in (("y", dy), ("x", dx)))
    return array.assign_coords(y=y, x=x)


def random(*shape, seed=0):
    return np.random.default_rng(seed).gamma(0.5, 3, shape)


def slowly(f, o, lags, *, order=0.5, fair=True, spacing=(1.0, 1.0)):
    """Pair by pair, as the formula has it."""
    total = weights = 0.0
    height, width = o.shape
    for y, x in np.ndindex(o.shape):
        for lag in lags:
            for yy, xx, km in (
                (y + lag, x, lag * spacing[0]),
                (y, x + lag, lag * spacing[1]),
            ):
                if yy >= height or xx >= width:
                    continue
                known = abs(o[y, x] - o[yy, xx]) ** order
                steps = abs(f[:, y, x] - f[:, yy, xx]) ** order
                error = (known - steps.mean()) ** 2
                if fair:
                    error -= steps.var(ddof=1) / len(f)
                if np.isnan(error):
                    continue
                total += error / km
                weights += 1 / km
    return total / weights


def test_by_hand():
    # steps of 2 in all; half of the members have none: (2 - 1)^2 = 1
    o = field([[0.0, 4.0, 0.0, 4.0]])
    f = ensemble(np.stack([0 * o, o]))
    sums = variogram_sums(f, o, lags=[1], fair=False)
    assert sums.variogram_pairs == 3
    assert sums.variogram_weight == 3
    assert variogram_score(f, o, lags=[1], fair=False).item() == pytest.approx(1)
    # less s^2 / M = 2 / 2
    assert variogram_score(f, o, lags=[1]).item() == pytest.approx(0)
    # two apart nothing changes
    assert variogram_score(f, o, lags=[2], fair=False).item() == 0
    sums = variogram_sums(f, o, lags=[1, 2], fair=False)
    assert sums.variogram_weight == pytest.approx(3 + 2 / 2)
    assert variogram_mean(sums).item() == pytest.approx(3 / 4)


@pytest.mark.parametrize("fair", [True, False])
@pytest.mark.parametrize("order", [0.5, 1, 2.0])
def test_the_formula(fair, order):
    f, o = random(5, 6, 9), random(6, 9, seed=1)
    f[1, 2, 3] = o[4, 4] = np.nan
    options = {"lags": [1, 3, 8], "order": order, "fair": fair}
    found = variogram_score(ensemble(f), field(o), **options).item()
    assert found == pytest.approx(slowly(f, o, **options))
    wide = variogram_score(
        *(on_grid(a, 500.0, 2000.0) for a in (ensemble(f), field(o))), **options
    )
    assert wide.item() == pytest.approx(slowly(f, o, spacing=(0.5, 2.0), **options))


def test_a_constant_added_does_not_matter():
    f, o = ensemble(random(4, 9, 9)), field(random(9, 9, seed=1))
    moved = variogram_score(f + 7, o, lags=[1, 4]).item()
    assert moved == pytest.approx(variogram_score(f, o, lags=[1, 4]).item())
    # nor does it drown the steps, where the fields are in double precision
    far = variogram_score(f + 2**30, o + 2**30, lags=[1, 4]).item()
    assert far == pytest.approx(variogram_score(f, o, lags=[1, 4]).item(), rel=1e-3)


def test_it_tells_patterns_apart():
    rng = np.random.default_rng(0)

    def smooth(n):
        maps = rng.standard_normal((n, 24, 24))
        maps = np.stack([gaussian_filter(m, 3, mode="wrap") for m in maps])
        return maps / maps.std()

    o = smooth(10)
    right = np.stack([smooth(10) for _ in range(8)])
    wrong = rng.standard_normal(right.shape)
    good, bad = (
        variogram_score(ensemble(f), field(o), over="lead") for f in (right, wrong)
    )
    assert good < 0.5 * bad


def test_the_fair_score_does_not_depend_on_the_number_of_members():
    rng = np.random.default_rng(0)
    o = field(rng.standard_normal((300, 8, 8)))
    few, many = (ensemble(rng.standard_normal((n, 300, 8, 8))) for n in (2, 16))
    fair = [variogram_score(f, o, lags=[1], over="lead").item() for f in (few, many)]
    plain = [
        variogram_score(f, o, lags=[1], over="lead", fair=False).item()
        for f in (few, many)
    ]
    assert fair[0] == pytest.approx(fair[1], rel=0.05)
    assert plain[0] > 1.2 * plain[1]


@FEW
@given(SAMPLES)
def test_states_add(sample):
    f, o = ensemble(sample[:3]), field(sample[3])
    options = {"lags": [1, 2], "over": "lead"}
    whole = variogram_sums(f, o, **options)
    parts = [variogram_sums(f[:, [i]], o[[i]], **options) for i in range(2)]
    xr.testing.assert_allclose(merge(*parts), whole)
    xr.testing.assert_equal(variogram_mean(whole), variogram_score(f, o, **options))
    assert variogram_sums(f, o, lags=[1]).variogram_pairs.dims == ("lead",)


@FEW
@given(SAMPLES, st.permutations(range(3)))
def test_order_of_members_and_perfection(sample, order):
    f, o = ensemble(sample[:3]), field(sample[3])
    found = variogram_score(f, o, lags=[1, 2])
    again = variogram_score(f[order], o, lags=[2, 1])
    xr.testing.assert_allclose(again, found, atol=1e-9)
    perfect = ensemble(np.stack([sample[3]] * 3))
    assert (variogram_score(perfect, o, lags=[1, 2]).fillna(0) == 0).all()
    valid = ~np.isnan(sample).any(0)
    pairs = (valid[:, 1:] & valid[:, :-1]).sum((1, 2))
    pairs += (valid[:, :, 1:] & valid[:, :, :-1]).sum((1, 2))
    sums = variogram_sums(f, o, lags=[1])
    np.testing.assert_array_equal(sums.variogram_pairs, pairs)
    np.testing.assert_array_equal(np.isnan(found.values), np.isnan(again.values))


def test_nothing_to_score_is_nan():
    f, o = ensemble(random(3, 2, 4, 4)), field(random(2, 4, 4, seed=1))
    o[1] = np.nan
    found = variogram_score(f, o, lags=[1])
    assert np.isfinite(found[0])
    assert np.isnan(found[1])


def test_units():
    f, o = ensemble(random(3, 4, 4), units="mm"), field(random(4, 4), units="mm")
    assert variogram_score(f, o, lags=[1]).attrs["units"] == "mm"
    assert variogram_score(f, o, lags=[1], order=1).attrs["units"] == "(mm)^2"
    assert variogram_score(f, o, lags=[1], order=0.25).attrs["units"] == "(mm)^0.5"
    sums = variogram_sums(f, o, lags=[1])
    assert "as if a pixel was 1 km" in sums.variogram_weight.attrs["comment"]
    sums = variogram_sums(*(on_grid(a, 1e3, 1e3) for a in (f, o)), lags=[1])
    assert "comment" not in sums.variogram_weight.attrs
    both = merge(sums, sums)
    assert variogram_mean(both).attrs["units"] == "mm"
    shares = f.assign_attrs(units="1"), o.assign_attrs(units="1")
    assert variogram_score(*shares, lags=[1], order=1).attrs["units"] == "1"
    assert (
        "units" not in variogram_score(f.drop_attrs(), o.drop_attrs(), lags=[1]).attrs
    )
    unknown = {"variogram_weight": 4.0, "variogram_sum": 1.0}
    assert variogram_mean(xr.Dataset(unknown, attrs=both.attrs)).attrs["units"] == "mm"


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float16, np.float32, bool])
def test_any_kind_of_number(dtype):
    values = np.random.default_rng(0).integers(0, 2, (5, 8, 9))
    f, o = values[:4], values[4]
    expected = variogram_score(ensemble(f * 1.0), field(o * 1.0), lags=[1, 2]).item()
    found = variogram_score(
        ensemble(f.astype(dtype)), field(o.astype(dtype)), lags=[1, 2]
    )
    assert found.item() == pytest.approx(expected)


def test_dask_is_numpy():
    f, o = ensemble(random(4, 3, 9, 10)), field(random(3, 9, 10, seed=1))
    f[1, 0, 3] = np.nan
    expected = variogram_sums(f, o)

    def refuse(*_, **__):
        raise AssertionError("computed too soon")

    chunks = {"lead": 2, "y": 5}
    with dask.config.set(scheduler=refuse):
        lazy = variogram_sums(f.chunk(chunks | {"member": 2}), o.chunk(chunks))
        score = variogram_mean(lazy)
    xr.testing.assert_allclose(lazy.compute(), expected)
    xr.testing.assert_allclose(score.compute(), variogram_score(f, o))


def test_bad_input():
    f, o = ensemble(random(3, 5, 6)), field(random(5, 6, seed=1))
    for lags in ([], [0], [-1], [1.0], [True], 2, "12", [[1]]):
        with pytest.raises(ValueError, match="whole numbers of pixels, 1 or more"):
            variogram_score(f, o, lags=lags)
    with pytest.raises(ValueError, match="each of them once"):
        variogram_score(f, o, lags=[1, 1])
    with pytest.raises(ValueError, match=r"no two pixels of 5 x 6.* up to 5"):
        variogram_score(f, o, lags=[6])
    assert np.isfinite(variogram_score(f, o, lags=[5]))
    for order in (0, -1, np.inf, np.nan, "1"):
        with pytest.raises(ValueError, match=r"a number above 0, such as 0\.5"):
            variogram_score(f, o, lags=[1], order=order)
    with pytest.raises(ValueError, match=r"no 'member'; give.*expand_dims"):
        variogram_score(f[0], o, lags=[1])
    with pytest.raises(ValueError, match="fair variogram score needs 2 or more"):
        variogram_score(f[:1], o, lags=[1])
    assert np.isfinite(variogram_score(f[:1], o, lags=[1], fair=False))
    with pytest.raises(
        ValueError, match="variogram score needs the dimensions y and x"
    ):
        variogram_score(f.rename(y="row"), o.rename(y="row"))
    with pytest.raises(GridMismatchError, match="differ in x"):
        variogram_score(f, o[:, 1:])


def test_what_comes_in_stays_as_it_was():
    f, o = ensemble(random(3, 5, 6)), field(random(5, 6, seed=1))
    before = f.copy(deep=True), o.copy(deep=True)
    variogram_score(f, o, lags=[1])
    xr.testing.assert_identical(f, before[0])
    xr.testing.assert_identical(o, before[1])


@pytest.mark.parametrize("fair", [True, False])
@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinite_values_are_not_missing(value, fair):
    f, o = ensemble(random(3, 4, 6)), field(random(4, 6, seed=1))
    pairs = variogram_sums(f, o, lags=[1, 2]).variogram_pairs
    odd, far = f.copy(), o.copy()
    odd[1, 1, 1] = far[1, 1] = value
    for x, y in ((odd, o), (f, far), (odd, far)):
        sums = variogram_sums(x, y, lags=[1, 2], fair=fair)
        assert sums.variogram_pairs == pairs
        assert not np.isfinite(variogram_mean(sums))
    gone = o.copy()
    gone[1, 1] = np.nan
    options = {"lags": [1, 2], "fair": fair}
    found = variogram_sums(odd, gone, **options)
    xr.testing.assert_allclose(found, variogram_sums(f, gone, **options))
