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
    crps,
    crps_sums,
    energy_mean,
    energy_score,
    energy_sums,
    merge,
    multivariate,
)

FEW = settings(max_examples=25, deadline=None)

SAMPLES = hnp.arrays(
    np.float64,
    st.tuples(st.just(4), st.just(2), st.integers(2, 6), st.integers(2, 6)),
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


def slowly(f, o, *, fair):
    """The score of one map without a gap, as the formula has it."""
    f, o = f.reshape(len(f), -1), o.ravel()
    norm = lambda z: np.sqrt((z**2).mean(-1))  # noqa: E731
    pairs = norm(f[:, None] - f[None]).sum()
    members = len(f)
    return norm(f - o).mean() - pairs / (
        2 * members * (members - 1 if fair else members)
    )


def random(*shape, seed=0):
    return np.random.default_rng(seed).gamma(0.5, 3, shape)


def test_by_hand():
    # errors 3/sqrt(2) and 4/sqrt(2), the members 5/sqrt(2) apart
    f, o = ensemble([[[3.0, 0.0]], [[0.0, 4.0]]]), field([[0.0, 0.0]])
    root = np.sqrt(2)
    assert energy_score(f, o).item() == pytest.approx((3.5 - 2.5) / root)
    assert energy_score(f, o, fair=False).item() == pytest.approx((3.5 - 1.25) / root)


@pytest.mark.parametrize("fair", [True, False])
def test_the_formula(fair):
    f, o = random(7, 11, 13), random(11, 13, seed=1)
    found = energy_score(ensemble(f), field(o), fair=fair).item()
    assert found == pytest.approx(slowly(f, o, fair=fair), rel=1e-10)


@pytest.mark.parametrize("numbers", [1, 50, 1000])
def test_blocks_do_not_matter(monkeypatch, numbers):
    f, o = ensemble(random(5, 2, 13, 17)), field(random(2, 13, 17, seed=1))
    whole = [energy_sums(f, o, patch=patch) for patch in (None, 1, 4)]
    monkeypatch.setattr(multivariate, "NUMBERS", numbers)
    parts = [energy_sums(f, o, patch=patch) for patch in (None, 1, 4)]
    for one, other in zip(whole, parts, strict=True):
        xr.testing.assert_allclose(one, other)


@pytest.mark.parametrize("fair", [True, False])
def test_patches_of_a_pixel_are_the_crps(fair):
    f, o = random(5, 2, 6, 7).round(), random(2, 6, 7, seed=1).round()
    f[1, 0, 2, 3] = o[1, 3, 3] = np.nan
    f, o = ensemble(f, units="mm"), field(o, units="mm")
    found = energy_sums(f, o, patch=1, fair=fair)
    expected = crps_sums(f, o, fair=fair)
    np.testing.assert_array_equal(found.energy_patches, expected.crps_pairs)
    np.testing.assert_allclose(found.energy_sum, expected.crps_sum)
    score = energy_score(f, o, patch=1, fair=fair)
    xr.testing.assert_allclose(score, crps(f, o, fair=fair))
    assert score.attrs["units"] == "mm"


def test_patches_are_maps():
    f, o = random(4, 9, 11), random(9, 11, seed=1)
    sums = energy_sums(ensemble(f), field(o), patch=4)
    assert sums.energy_patches == 2 * 2  # the last row and columns are cut
    corners = [(0, 0), (0, 4), (4, 0), (4, 4)]
    each = [
        slowly(f[:, y : y + 4, x : x + 4], o[y : y + 4, x : x + 4], fair=True)
        for y, x in corners
    ]
    assert sums.energy_sum.item() == pytest.approx(sum(each))
    assert energy_score(ensemble(f), field(o), patch=4).item() == pytest.approx(
        np.mean(each)
    )
    full = energy_sums(ensemble(f), field(o), patch=9)
    assert full.energy_sum.item() == pytest.approx(
        slowly(f[:, :, :9], o[:, :9], fair=True)
    )


def test_missing_pixels_are_left_out():
    f, o = random(3, 6, 6), random(6, 6, seed=1)
    f[1, 2, 3] = o[4, 4] = np.nan
    valid = ~np.isnan(f).any(0) & ~np.isnan(o)
    found = energy_score(ensemble(f), field(o)).item()
    assert found == pytest.approx(slowly(f[:, valid], o[valid], fair=True))
    # the upper left patch loses all but four of nine pixels, the others none
    gone = random(3, 6, 6)
    gone[:, 0, :3] = np.nan
    gone[:, 1, :2] = np.nan
    o = random(6, 6, seed=1)
    assert energy_sums(ensemble(gone), field(o), patch=3).energy_patches == 3
    gone[:, 1, 1] = 0
    sums = energy_sums(ensemble(gone), field(o), patch=3)
    assert sums.energy_patches == 4


def test_a_patch_of_which_half_is_missing_counts():
    f, o = random(3, 2, 4), random(2, 4, seed=1)
    o[0, :2] = np.nan
    sums = energy_sums(ensemble(f), field(o), patch=2)
    assert sums.energy_patches == 2
    o[1, 0] = np.nan
    assert energy_sums(ensemble(f), field(o), patch=2).energy_patches == 1


@pytest.mark.parametrize("seed", range(5))
def test_rounding_of_nearly_equal_members_is_no_distance(seed):
    # far from the first member, next to each other: a square of 0, or just below it
    x = random(3, 9, 9, seed=seed) * [[[0]], [[1]], [[0]]]
    x[2] = x[1] * (1 + 1e-10 * random(9, 9, seed=seed + 9))
    o = random(9, 9, seed=seed + 99)
    for fair in (True, False):
        found = energy_score(ensemble(x), field(o), fair=fair).item()
        assert found == pytest.approx(slowly(x, o, fair=fair), rel=1e-8)


@pytest.mark.parametrize("seed", range(20))
def test_the_fair_score_of_two_is_never_below_0(seed):
    # it is 0 where the observation lies on the straight line between them
    f = random(2, 5, 6, seed=seed)
    found = energy_score(ensemble(f), field(0.3 * f[0] + 0.7 * f[1])).item()
    assert 0 <= found < 1e-12


def test_nothing_to_score_is_nan():
    f, o = ensemble(random(3, 2, 4, 4)), field(random(2, 4, 4, seed=1))
    o[1] = np.nan
    found = energy_score(f, o)
    assert np.isfinite(found[0])
    assert np.isnan(found[1])
    assert np.isnan(energy_score(f, o * np.nan, patch=2)).all()


@FEW
@given(SAMPLES)
def test_states_add(sample):
    f, o = ensemble(sample[:3]), field(sample[3])
    for patch in (None, 2):
        whole = energy_sums(f, o, patch=patch, over="lead")
        parts = [
            energy_sums(f[:, [i]], o[[i]], patch=patch, over="lead") for i in range(2)
        ]
        xr.testing.assert_allclose(merge(*parts), whole)
        score = energy_score(f, o, patch=patch, over="lead")
        xr.testing.assert_equal(energy_mean(whole), score)


@FEW
@given(SAMPLES, st.permutations(range(3)))
def test_order_of_members_and_perfection(sample, order):
    f, o = ensemble(sample[:3]), field(sample[3])
    found = energy_score(f, o)
    xr.testing.assert_allclose(energy_score(f[order], o), found, atol=1e-9)
    assert (found.fillna(0) >= 0).all()
    perfect = ensemble(np.stack([sample[3]] * 3))
    assert (energy_score(perfect, o).fillna(0) == 0).all()


@FEW
@given(SAMPLES)
def test_equal_members_are_one_forecast(sample):
    one = ensemble(sample[:1])
    many = ensemble(np.concatenate([sample[:1]] * 4))
    expected = energy_score(one, field(sample[3]), fair=False)
    for fair in (True, False):
        found = energy_score(many, field(sample[3]), fair=fair)
        xr.testing.assert_allclose(found, expected, rtol=1e-12)


def test_patches_tell_patterns_apart():
    # members with the right spread at each pixel, but noise for storms
    rng = np.random.default_rng(0)

    def smooth(n):
        maps = rng.standard_normal((n, 24, 24))
        maps = np.stack([gaussian_filter(m, 3, mode="wrap") for m in maps])
        return maps / maps.std()

    o = field(smooth(40))
    right = ensemble(np.stack([smooth(40) for _ in range(8)]))
    wrong = ensemble(rng.standard_normal(right.shape))
    dims = ["lead", "y", "x"]
    pixels = [crps(f, o, over=dims).item() for f in (right, wrong)]
    assert pixels[0] == pytest.approx(pixels[1], rel=0.05)
    # a whole map has too many storms for the score to tell
    maps = [energy_score(f, o, over=dims).item() for f in (right, wrong)]
    assert maps[0] == pytest.approx(maps[1], rel=0.05)
    patches = [energy_score(f, o, patch=4, over=dims).item() for f in (right, wrong)]
    assert patches[0] < 0.96 * patches[1]


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float16, np.float32, bool])
def test_any_kind_of_number(dtype):
    values = np.random.default_rng(0).integers(0, 2, (5, 8, 9))
    f, o = values[:4], values[4]
    expected = energy_score(ensemble(f * 1.0), field(o * 1.0)).item()
    found = energy_score(ensemble(f.astype(dtype)), field(o.astype(dtype))).item()
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("patch", [None, 3])
def test_dask_is_numpy(patch):
    f, o = ensemble(random(4, 3, 9, 10)), field(random(3, 9, 10, seed=1))
    f[1, 0, 3] = np.nan
    expected = energy_sums(f, o, patch=patch)

    def refuse(*_, **__):
        raise AssertionError("computed too soon")

    chunks = {"lead": 2, "y": 5}
    with dask.config.set(scheduler=refuse):
        lazy = energy_sums(
            f.chunk(chunks | {"member": 2}), o.chunk(chunks), patch=patch
        )
        score = energy_mean(lazy)
    xr.testing.assert_allclose(lazy.compute(), expected)
    xr.testing.assert_allclose(score.compute(), energy_score(f, o, patch=patch))


def test_bad_input():
    f, o = ensemble(random(3, 5, 6)), field(random(5, 6, seed=1))
    for patch in (0, -1, 2.0, True, "4"):
        with pytest.raises(ValueError, match="whole number of pixels, 1 or more"):
            energy_score(f, o, patch=patch)
    with pytest.raises(ValueError, match="do not fit y of 5; take smaller ones"):
        energy_score(f, o, patch=6)
    with pytest.raises(ValueError, match="do not fit x of 6; take smaller ones"):
        energy_score(ensemble(random(3, 8, 6)), field(random(8, 6)), patch=7)
    with pytest.raises(ValueError, match=r"no 'member'; give.*expand_dims"):
        energy_score(f[0], o)
    with pytest.raises(ValueError, match="give one or more"):
        energy_score(f[:0], o)
    with pytest.raises(ValueError, match=r"fair energy score needs 2 or more.*fair=F"):
        energy_score(f[:1], o)
    with pytest.raises(ValueError, match="energy score needs the dimensions y and x"):
        energy_score(f.rename(y="row"), o.rename(y="row"))
    with pytest.raises(GridMismatchError, match="differ in x"):
        energy_score(f, o[:, 1:])
    with pytest.raises(ValueError, match="cannot sum over"):
        energy_score(f, o, over="time")


def test_what_comes_in_stays_as_it_was():
    f, o = ensemble(random(3, 5, 6)), field(random(5, 6, seed=1))
    f[0, 1, 1] = np.nan
    before = f.copy(deep=True), o.copy(deep=True)
    energy_score(f, o)
    xr.testing.assert_identical(f, before[0])
    xr.testing.assert_identical(o, before[1])


@pytest.mark.parametrize("fair", [True, False])
@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinite_values_are_not_missing(value, fair):
    f, o = random(3, 4, 6), random(4, 6, seed=1)
    for member in range(4):
        odd = [f.copy(), o.copy()]
        odd[member == 3][(member, 1, 1) if member < 3 else (1, 1)] = value
        x, y = ensemble(odd[0]), field(odd[1])
        assert np.isnan(energy_score(x, y, fair=fair))
        sums = energy_sums(x, y, patch=2, fair=fair)
        assert sums.energy_patches == 6
        assert np.isnan(sums.energy_sum)
        # beside a missing value it is missing
        gone = y.where(np.indices(y.shape).sum(0) != 2)
        cleared = ensemble(np.where(np.isfinite(odd[0]), odd[0], 0)), gone
        found = energy_score(x, gone, fair=fair)
        xr.testing.assert_allclose(found, energy_score(*cleared, fair=fair))
