"""The same numbers as other libraries, on random fields with ties."""

import numpy as np
import pytest
import xarray as xr

from stormfusion.verification import (
    correlation,
    gdl,
    mae,
    mean_error,
    mse,
    psnr,
    quantile_score,
    ssim,
)


def rainy(*shape, seed=0):
    """Half dry, the other half in steps of 0.5, as a radar gives it."""
    rng = np.random.default_rng(seed)
    wet = rng.random(shape) < 0.5
    return np.where(wet, np.round(2 * rng.gamma(0.5, 8, shape)) / 2, 0.0)


def labelled(values, *dims):
    return xr.DataArray(values, dims=dims)


@pytest.mark.parametrize("shape", [(11, 11), (40, 57), (64, 48)])
@pytest.mark.parametrize("L", [1.0, 70.0])
def test_ssim_is_that_of_scikit_image(shape, L):
    metrics = pytest.importorskip("skimage.metrics")
    f, o = rainy(*shape, seed=1), rainy(*shape, seed=2)
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    mean, every = metrics.structural_similarity(
        f, o, data_range=L, full=True, **options
    )
    found = ssim(labelled(f, "y", "x"), labelled(o, "y", "x"), data_range=L).item()
    assert found == pytest.approx(every[5:-5, 5:-5].mean(), abs=1e-10)
    assert found == pytest.approx(mean, abs=1e-10)


def test_psnr_is_that_of_scikit_image():
    metrics = pytest.importorskip("skimage.metrics")
    f, o = rainy(30, 20, seed=1), rainy(30, 20, seed=2)
    found = psnr(labelled(f, "y", "x"), labelled(o, "y", "x"), data_range=70)
    expected = metrics.peak_signal_noise_ratio(o, f, data_range=70)
    assert found.item() == pytest.approx(expected)


def test_errors_are_those_of_scores():
    continuous = pytest.importorskip("scores.continuous")
    f, o = (labelled(rainy(30, 20, seed=s), "y", "x") for s in (1, 2))
    f[3, 4] = o[5, 6] = np.nan
    for ours, theirs in (
        (mse, continuous.mse),
        (mae, continuous.mae),
        (mean_error, continuous.additive_bias),
        (correlation, continuous.correlation.pearsonr),
    ):
        assert ours(f, o).item() == pytest.approx(theirs(f, o).item())


@pytest.mark.parametrize("level", [0.1, 0.5, 0.95])
def test_the_quantile_score_is_that_of_scores_and_scoringrules(level):
    f, o = rainy(500, seed=1), rainy(500, seed=2)
    found = quantile_score(labelled(f, "x"), labelled(o, "x"), quantile=level, over=())
    continuous = pytest.importorskip("scores.continuous")
    theirs = continuous.quantile_score(
        labelled(f, "x"), labelled(o, "x"), alpha=level, preserve_dims="all"
    )
    np.testing.assert_allclose(found, theirs)
    rules = pytest.importorskip("scoringrules")
    np.testing.assert_allclose(found, rules.quantile_score(o, f, level))


@pytest.mark.parametrize("level", [0.05, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("count", [1, 4, 10])
def test_the_quantile_of_members_is_that_of_numpy(level, count):
    f, o = rainy(count, 300, seed=1), labelled(rainy(300, seed=2), "x")
    q = np.quantile(f, level, axis=0, method="inverted_cdf")
    xr.testing.assert_allclose(
        quantile_score(labelled(f, "member", "x"), o, quantile=level),
        quantile_score(labelled(q, "x"), o, quantile=level),
    )


def test_gdl_is_the_sum_of_the_papers_formula():
    torch = pytest.importorskip("torch")
    f, o = rainy(9, 7, seed=1), rainy(9, 7, seed=2)
    a, b = torch.tensor(f), torch.tensor(o)
    expected = sum(
        (a.diff(dim=d).abs() - b.diff(dim=d).abs()).abs().sum().item() for d in (0, 1)
    )
    found = gdl(labelled(f, "y", "x"), labelled(o, "y", "x")).item()
    assert found * (9 * 6 + 8 * 7) == pytest.approx(expected)
