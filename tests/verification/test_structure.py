import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from stormfusion.losses import SSIM
from stormfusion.verification import (
    error_sums,
    merge,
    mse,
    psnr,
    psnr_score,
    ssim,
    ssim_score,
    ssim_sums,
)

FEW = settings(max_examples=15, deadline=None)


def field(values, dims=("y", "x"), **options):
    return xr.DataArray(np.asarray(values), dims=dims, **options)


def noise(*shape, seed=0, dims=("y", "x"), **options):
    return field(np.random.default_rng(seed).random(shape), dims, **options)


def by_definition(f, o, L):
    """The index of each window, one after the other, from its weighted moments."""
    distance = np.arange(11) - 5
    w = np.exp(-(distance[:, None] ** 2 + distance**2) / (2 * 1.5**2))
    w /= w.sum()
    C_1, C_2 = (0.01 * L) ** 2, (0.03 * L) ** 2
    found = np.empty((f.shape[0] - 10, f.shape[1] - 10))
    for y, x in np.ndindex(found.shape):
        a, b = (field[y : y + 11, x : x + 11] for field in (f, o))
        mu_a, mu_b = (w * a).sum(), (w * b).sum()
        cov = [
            (w * (p - (w * p).sum()) * (q - (w * q).sum())).sum()
            for p, q in ((a, a), (b, b), (a, b))
        ]
        found[y, x] = ((2 * mu_a * mu_b + C_1) * (2 * cov[2] + C_2)) / (
            (mu_a**2 + mu_b**2 + C_1) * (cov[0] + cov[1] + C_2)
        )
    return found


def test_psnr_by_hand():
    observed = field([[0.0, 1.0, 2.0, 3.0]])
    forecast = observed + field([[1.0, 1.0, -1.0, 1.0]])
    assert psnr(forecast, observed, data_range=10).item() == pytest.approx(20)
    assert psnr(forecast, observed, data_range=1).item() == 0
    assert psnr(forecast, observed, data_range=1).attrs["units"] == "dB"


def test_psnr_of_identical_fields_is_infinite_without_a_warning():
    observed = field([[0.0, 1.0]])
    assert psnr(observed, observed, data_range=1).item() == np.inf


def test_psnr_pools_before_the_logarithm():
    observed = noise(3, 4, 5, dims=("time", "y", "x"))
    forecast = observed.copy()
    forecast[1:] += 0.1  # one of three is perfect
    expected = 10 * np.log10(1 / mse(forecast, observed).item())
    assert psnr(forecast, observed, data_range=1).item() == pytest.approx(expected)
    states = [error_sums(forecast[i], observed[i]) for i in range(3)]
    found = psnr_score(merge(*states), data_range=1.0).item()
    assert found == pytest.approx(expected)


def test_psnr_does_not_count_missing_pairs():
    observed = field([[0.0, 1.0, np.nan]])
    forecast = field([[0.1, np.nan, 5.0]])
    assert psnr(forecast, observed, data_range=1).item() == pytest.approx(20)
    nothing = field([[np.nan]])
    assert np.isnan(psnr(nothing, nothing, data_range=1))


@pytest.mark.parametrize(
    ("name", "units", "expected"),
    [
        ("reflectivity", "dBZ", 70),
        ("reflectivity", None, 70),
        ("ir107", "degC", 100),
        ("ir107", "K", 100),
        ("ir069", "K", 60),
        ("vis", "1", 1),
        ("vis", "percent", 100),
    ],
)
def test_the_range_of_a_variable_of_the_house(name, units, expected):
    attrs = {"units": units} if units else {}
    observed = noise(12, 12, name=name, attrs=attrs)
    forecast = observed + 0.1
    for score in (psnr, ssim):
        found = score(forecast.assign_attrs(attrs), observed).item()
        assert found == pytest.approx(
            score(forecast, observed, data_range=expected).item()
        )


@pytest.mark.parametrize("name", ["vil", "rain_rate", "mesh", None, "other"])
@pytest.mark.parametrize("score", [psnr, ssim])
def test_a_range_that_is_not_known(score, name):
    observed = noise(12, 12, name=name)
    with pytest.raises(ValueError, match="pass data_range in its units"):
        score(observed, observed)


@pytest.mark.parametrize("data_range", [0, -1.0, np.nan, np.inf, True, "70", [70.0]])
@pytest.mark.parametrize("score", [psnr, ssim])
def test_a_range_that_is_none(score, data_range):
    observed = noise(12, 12)
    with pytest.raises(ValueError, match="a finite number above 0"):
        score(observed, observed, data_range=data_range)
    with pytest.raises(ValueError, match="a finite number above 0"):
        psnr_score(error_sums(observed, observed), data_range=data_range)


def test_ssim_by_definition():
    f, o = noise(13, 15, seed=1), noise(13, 15, seed=2)
    expected = by_definition(f.values, o.values, 2.0)
    sums = ssim_sums(f, o, data_range=2.0)
    assert sums.ssim_windows.item() == 15
    assert sums.ssim_sum.item() == pytest.approx(expected.sum(), rel=1e-12)
    assert ssim(f, o, data_range=2.0).item() == pytest.approx(expected.mean())


@pytest.mark.parametrize("shape", [(11, 11), (11, 90), (42, 43), (43, 42), (75, 12)])
def test_strips_of_any_size(shape):
    f, o = noise(*shape, seed=1), noise(*shape, seed=2)
    f[0, 0] = o[-1, 3] = np.nan
    expected = by_definition(f.values, o.values, 1.0)
    sums = ssim_sums(f, o, data_range=1.0)
    assert sums.ssim_windows.item() == np.isfinite(expected).sum()
    assert sums.ssim_sum.item() == pytest.approx(np.nansum(expected), rel=1e-12)


def test_ssim_is_the_twin_of_the_loss():
    f, o = noise(20, 17, seed=1), noise(20, 17, seed=2)
    o[3, 4] = f[15, 15] = np.nan
    valid = torch.tensor(f.notnull().values & o.notnull().values)[None, None]
    f_, o_ = (torch.tensor(a.values).float()[None, None] for a in (f, o))
    twin = 1 - SSIM()(f_.nan_to_num(), o_, valid).item()
    assert ssim(f, o, data_range=1).item() == pytest.approx(twin, abs=1e-5)


def test_windows_with_a_missing_pixel_are_not_counted():
    f, o = noise(21, 12, seed=1), noise(21, 12, seed=2)
    cut = ssim_sums(f[:11], o[:11], data_range=1)
    for one, other in ((f, o), (o, f)):
        gap = one.copy()
        gap[11, :] = np.nan
        sums = ssim_sums(gap, other, data_range=1)
        assert sums.ssim_windows.item() == cut.ssim_windows.item() == 2
        assert sums.ssim_sum.item() == pytest.approx(cut.ssim_sum.item())
    nothing = f.where(False)
    assert np.isnan(ssim(nothing, o, data_range=1))
    assert np.isnan(ssim(f, o.where(o.x != 5), data_range=1)), "no window is whole"


def test_a_large_mean_does_not_drown_the_variances():
    f, o = noise(16, 16, seed=1).values, noise(16, 16, seed=2).values
    expected = by_definition(f + 1e6, o + 1e6, 1.0).mean()
    found = ssim(field(f + 1e6), field(o + 1e6), data_range=1).item()
    assert found == pytest.approx(expected, abs=1e-8)


def test_ssim_of_an_ensemble_is_the_mean_of_its_members():
    f = noise(3, 14, 13, seed=1, dims=("member", "y", "x"))
    o = noise(14, 13, seed=2)
    each = [ssim(f[i], o, data_range=1).item() for i in range(3)]
    assert ssim(f, o, data_range=1).item() == pytest.approx(np.mean(each))
    turned = ssim(f[::-1].transpose("y", "member", "x"), o, data_range=1)
    assert turned.item() == pytest.approx(np.mean(each))
    f[1, 0, 0] = np.nan  # in all members, then
    assert ssim_sums(f, o, data_range=1).ssim_windows.item() == 12 - 1
    hidden = ssim(f[[0, 2]], o.where(f[1].notnull()), data_range=1).item()
    whole = 3 * ssim(f, o, data_range=1).item()
    alone = ssim(f[1], o, data_range=1).item()
    assert whole == pytest.approx(2 * hidden + alone)


def test_a_dry_map_is_perfect():
    dry = field(np.zeros((12, 12)))
    assert ssim(dry, dry, data_range=70).item() == 1


@pytest.mark.parametrize("shape", [(10, 20), (20, 10)])
def test_a_map_smaller_than_the_window(shape):
    observed = noise(*shape)
    with pytest.raises(ValueError, match=r"11 pixels wide, but . has 10"):
        ssim(observed, observed, data_range=1)


def test_maps_need_y_and_x():
    line = noise(20, 20, dims=("lat", "x"))
    with pytest.raises(ValueError, match="needs the dimensions y and x"):
        ssim(line, line, data_range=1)


def test_over():
    f, o = (
        noise(2, 3, 12, 13, seed=s, dims=("time", "lead", "y", "x")) for s in (1, 2)
    )
    assert ssim(f, o, data_range=1).dims == ("lead",)
    by_time = ssim(f, o, data_range=1, over=["lead"])
    assert by_time.dims == ("time",)
    assert ssim(f[0], o[0], data_range=1, over=["lead"]) == pytest.approx(
        by_time[0].item()
    )
    assert ssim(f, o, data_range=1, over=()).dims == ("time", "lead")
    sums = ssim_sums(f, o, data_range=1)
    parts = [ssim_sums(f[[i]], o[[i]], data_range=1) for i in range(2)]
    xr.testing.assert_allclose(merge(*parts), sums)
    assert sums.ssim_windows.dtype == np.int64
    assert ssim_score(sums).attrs["long_name"] == "structural similarity"


@FEW
@given(st.integers(0, 2**32 - 1), st.floats(-300, 300), st.sampled_from([0.1, 1, 70]))
def test_a_perfect_forecast_and_the_order_of_the_fields(seed, mean, L):
    f, o = (noise(12, 14, seed=seed + i) + mean for i in range(2))
    assert ssim(o, o, data_range=L).item() == pytest.approx(1, abs=1e-12)
    one, other = ssim(f, o, data_range=L).item(), ssim(o, f, data_range=L).item()
    assert one == pytest.approx(other, abs=1e-9)
    assert -1 <= one <= 1


def test_dask_is_numpy():
    pytest.importorskip("dask")
    dims = ("member", "lead", "y", "x")
    f = noise(2, 3, 12, 14, seed=1, dims=dims)
    o = noise(3, 12, 14, seed=2, dims=dims[1:])
    f[0, 0, 1, 1] = np.nan
    f_, o_ = f.chunk({"y": 5, "lead": 2, "member": 1}), o.chunk({"x": 7, "lead": 1})
    for over in (None, "lead"):
        lazy = ssim(f_, o_, data_range=1, over=over)
        assert lazy.chunks is not None
        xr.testing.assert_allclose(lazy.compute(), ssim(f, o, data_range=1, over=over))
    lazy = psnr(f_[0], o_, data_range=1)
    assert lazy.chunks is not None
    xr.testing.assert_allclose(lazy.compute(), psnr(f[0], o, data_range=1))
    assert psnr(o_, o_, data_range=1).compute().values.tolist() == [np.inf] * 3


def test_bytes_do_not_wrap_around():
    o = (noise(12, 12) * 255).astype(np.uint8)
    f = o[::-1]
    expected = ssim(f.astype(float), o.astype(float), data_range=255).item()
    assert ssim(f, o, data_range=255).item() == pytest.approx(expected)
