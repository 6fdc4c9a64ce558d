import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stormfusion.losses import GDL
from stormfusion.verification import gdl, gdl_score, gdl_sums, merge

FEW = settings(max_examples=25, deadline=None)


def field(values, dims=("y", "x"), **attrs):
    return xr.DataArray(np.asarray(values), dims=dims, attrs=attrs)


def noise(*shape, seed=0, dims=("y", "x")):
    return field(np.random.default_rng(seed).random(shape), dims)


def test_by_hand():
    observed = field([[0.0, 2.0], [1.0, 1.0]], units="mm")
    forecast = field([[0.0, 0.0], [0.0, 4.0]])
    # along y: |0-1|, |4-1|; along x: |0-2|, |4-0|
    assert gdl(forecast, observed).item() == (1 + 3 + 2 + 4) / 4
    assert gdl(forecast, observed, alpha=2).item() == (1 + 9 + 4 + 16) / 4
    assert gdl(forecast, observed).attrs["units"] == "mm"
    assert gdl(forecast, observed, alpha=2).attrs["units"] == "(mm)^2"
    assert gdl(forecast, observed).attrs["long_name"] == "gradient difference loss"


def test_it_is_blind_to_a_constant_and_to_the_sign():
    observed = noise(5, 6)
    for forecast in (observed + 3, -observed):
        assert gdl(forecast, observed).item() == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize("alpha", [1, 2])
def test_it_is_the_twin_of_the_loss(alpha):
    f, o = noise(7, 5, seed=1), noise(7, 5, seed=2)
    o[3, 4] = o[0, 0] = f[5, 2] = np.nan
    valid = torch.tensor(f.notnull().values & o.notnull().values)[None, None]
    f_, o_ = (torch.tensor(a.values).float()[None, None] for a in (f, o))
    twin = GDL(alpha=alpha)(f_.nan_to_num(), o_, valid).item()
    assert gdl(f, o, alpha=alpha).item() == pytest.approx(twin, abs=1e-6)


def test_the_sum_of_hko_is_the_mean_times_the_neighbours():
    f, o = noise(7, 5, seed=1), noise(7, 5, seed=2)
    total = sum(
        abs(abs(np.diff(f, axis=axis)) - abs(np.diff(o, axis=axis))).sum()
        for axis in (0, 1)
    )
    assert gdl(f, o).item() * (7 * 4 + 6 * 5) == pytest.approx(total)


def test_a_gradient_needs_both_pixels_in_both_fields():
    f, o = field([[0.0, 5.0, np.nan, 7.0]]), field([[0.0, 1.0, 2.0, 3.0]])
    for one, other in ((f, o), (o, f)):
        sums = gdl_sums(one, other)
        assert sums.gdl_pairs.item() == 1
        assert sums.gdl_sum.item() == 4
    nothing = field([[np.nan, 1.0], [1.0, np.nan]])
    assert np.isnan(gdl(nothing, nothing))
    assert np.isnan(gdl(field([[1.0]]), field([[1.0]]))), "one pixel has no neighbour"


def test_an_ensemble_is_the_mean_of_its_members():
    f = noise(3, 6, 5, seed=1, dims=("member", "y", "x"))
    o = noise(6, 5, seed=2)
    each = [gdl(f[i], o).item() for i in range(3)]
    assert gdl(f, o).item() == pytest.approx(np.mean(each))
    assert gdl(f[::-1].transpose("y", "x", "member"), o).item() == pytest.approx(
        np.mean(each)
    )
    f[1, 2, 2] = np.nan  # in all members, then
    assert gdl_sums(f, o).gdl_pairs.item() == 6 * 4 + 5 * 5 - 4


@pytest.mark.parametrize("alpha", [0, 3, 1.5, "1"])
def test_an_exponent_that_is_none(alpha):
    with pytest.raises(ValueError, match="alpha must be 1 or 2"):
        gdl(noise(3, 3), noise(3, 3), alpha=alpha)


def test_maps_need_y_and_x():
    line = noise(4, 5, dims=("lat", "x"))
    with pytest.raises(ValueError, match="needs the dimensions y and x"):
        gdl(line, line)


def test_bytes_do_not_wrap_around():
    observed = field(np.array([[0, 255, 3]], np.uint8))
    assert gdl(0 * observed, observed).item() == (255 + 252) / 2


def test_infinite_values_do_not_warn():
    observed = field([[1.0, np.inf, np.inf, 2.0]])
    assert np.isnan(gdl(observed, observed))


def test_over():
    f, o = (noise(2, 3, 4, 5, seed=s, dims=("time", "lead", "y", "x")) for s in (1, 2))
    assert gdl(f, o).dims == ("lead",)
    assert gdl(f, o, over=["lead", "x"]).dims == ("time",)
    parts = [gdl_sums(f[[i]], o[[i]]) for i in range(2)]
    xr.testing.assert_allclose(gdl_score(merge(*parts)), gdl(f, o))


MAPS = hnp.arrays(
    np.float32,
    st.tuples(st.just(2), st.just(2), st.integers(1, 5), st.integers(1, 5)),
    elements=st.one_of(st.just(np.nan), st.integers(-9, 9)),
)


@FEW
@given(MAPS)
def test_sums_add_like_concatenated_cases(maps):
    f, o = (field(a, ("time", "y", "x")) for a in maps)
    parts = [gdl_sums(f[i], o[i]) for i in range(2)]
    xr.testing.assert_identical(merge(*parts), gdl_sums(f, o))


@FEW
@given(MAPS)
def test_a_perfect_forecast(maps):
    f = field(maps[0], ("time", "y", "x"))
    score = gdl(f, f, alpha=2)
    assert np.isnan(score) or score == 0


def test_dask_is_numpy():
    pytest.importorskip("dask")
    dims = ("member", "lead", "y", "x")
    f, o = noise(2, 3, 6, 7, seed=1, dims=dims), noise(3, 6, 7, seed=2, dims=dims[1:])
    f[0, 0, 1, 1] = np.nan
    lazy = gdl(f.chunk({"y": 4, "member": 1}), o.chunk({"x": 3, "lead": 2}))
    assert lazy.chunks is not None
    xr.testing.assert_allclose(lazy.compute(), gdl(f, o))
