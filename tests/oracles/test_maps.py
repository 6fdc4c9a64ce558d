"""Spectra, objects and scores of whole maps beside those of other libraries."""

import contextlib
import io

import numpy as np
import pytest
import xarray as xr

from stormfusion.verification import (
    energy_score,
    power_sums,
    sal,
    variogram_score,
    variogram_sums,
)


def field(values):
    values = np.asarray(values)
    return xr.DataArray(values, dims=("member", "lead", "y", "x")[-values.ndim :])


def rain(*shape, seed=0):
    """Rain with many ties: most of it none, and the rest in steps."""
    return np.random.default_rng(seed).gamma(0.4, 4, shape).round()


# ------------------------------------------------------------------------ ensembles


@pytest.mark.parametrize(("fair", "estimator"), [(True, "fair"), (False, "nrg")])
def test_energy_score_is_that_of_scoringrules(fair, estimator):
    peer = pytest.importorskip("scoringrules")
    f, o = rain(6, 4, 7, 9), rain(4, 7, 9, seed=1)
    expected = peer.es_ensemble(
        o.reshape(4, -1), f.reshape(6, 4, -1), m_axis=0, estimator=estimator
    )
    found = energy_score(field(f), field(o), fair=fair)
    # theirs is of the sum of squares, ours of their mean
    np.testing.assert_allclose(found, expected / np.sqrt(7 * 9), rtol=1e-10)


@pytest.mark.parametrize(("fair", "estimator"), [(True, "fair"), (False, "nrg")])
@pytest.mark.parametrize("order", [0.5, 1.0])
def test_variogram_score_is_that_of_scoringrules(fair, estimator, order):
    peer = pytest.importorskip("scoringrules")
    f, o = rain(5, 2, 5, 6), rain(2, 5, 6, seed=1)
    lags = [1, 2, 4]
    y, x = (a.ravel() for a in np.indices((5, 6)))
    apart_y, apart_x = abs(y[:, None] - y), abs(x[:, None] - x)
    straight = (apart_y == 0) ^ (apart_x == 0)
    apart = apart_y + apart_x
    weights = np.where(straight & np.isin(apart, lags), 1 / np.maximum(apart, 1), 0.0)
    theirs = [
        peer.vs_ensemble(
            o[i].ravel(),
            f[:, i].reshape(5, -1),
            weights,
            p=order,
            estimator=estimator,
            backend="numpy",
        )
        for i in range(2)
    ]
    options = {"lags": lags, "order": order, "fair": fair}
    sums = variogram_sums(field(f), field(o), **options)
    # theirs counts each pair of pixels from both its ends, and is not divided
    np.testing.assert_allclose(2 * sums.variogram_sum, theirs)
    found = variogram_score(field(f), field(o), **options)
    np.testing.assert_allclose(found, np.array(theirs) / weights.sum())


# --------------------------------------------------------------------------- objects


def regions(values, label, regionprops, *, factor=1 / 15, quantile=0.95):
    """Volume, amount and centers of objects, as scikit-image measures them."""
    wet = values[values >= 0.1]
    event = values >= factor * np.quantile(wet, quantile)
    found = regionprops(label(event, connectivity=2), intensity_image=values)
    amount = np.array([r.image_intensity.sum() for r in found])
    volume = amount / np.array([r.intensity_max for r in found])
    return amount, volume, np.array([r.centroid_weighted for r in found])


@pytest.mark.parametrize("seed", range(4))
def test_objects_are_those_of_scikit_image(seed):
    measure = pytest.importorskip("skimage.measure")
    f, o = (np.maximum(rain(30, 40, seed=s) - 3, 0) for s in (seed, seed + 9))
    volumes, scatters, centers = [], [], []
    for values in (f, o):
        amount, volume, places = regions(values, measure.label, measure.regionprops)
        y, x = np.indices(values.shape)
        center = np.array([(values * a).sum() for a in (y, x)]) / values.sum()
        away = np.hypot(*(places - center).T)
        volumes.append((amount * volume).sum() / amount.sum())
        scatters.append((amount * away).sum() / amount.sum())
        centers.append(center)
    apart = np.hypot(*(centers[0] - centers[1])) + 2 * abs(scatters[0] - scatters[1])
    scores = sal(field(f), field(o))
    structure = (volumes[0] - volumes[1]) / np.mean(volumes)
    assert scores.structure.item() == pytest.approx(structure)
    assert scores.location.item() == pytest.approx(apart / np.hypot(30, 40))
    amplitude = (f.mean() - o.mean()) / ((f.mean() + o.mean()) / 2)
    assert scores.amplitude.item() == pytest.approx(amplitude)


def silently(name):
    """A module of pysteps, which speaks when it is imported."""
    with contextlib.redirect_stdout(io.StringIO()):
        return pytest.importorskip(name, exc_type=ImportError)


@pytest.mark.filterwarnings("ignore")
def test_amplitude_and_center_of_mass_are_those_of_pysteps():
    peer = silently("pysteps.verification.salscores")
    f, o = rain(20, 30), rain(20, 30, seed=1)
    scores = sal(field(f), field(o))
    assert scores.amplitude.item() == pytest.approx(peer.sal_amplitude(f, o))
    # one object each, at the center of mass: only the first part of L is left
    one, other = np.zeros((20, 30)), np.zeros((20, 30))
    one[3:8, 4:9], other[9:14, 20:25] = 2.0, 2.0
    apart = sal(field(one), field(other)).location.item()
    assert apart == pytest.approx(peer._sal_l1_param(one, other))


# --------------------------------------------------------------------------- spectra


@pytest.mark.filterwarnings("ignore")
def test_power_is_that_of_pysteps_on_a_square_grid_of_1_km():
    peer = silently("pysteps.utils.spectral")
    size = 128
    hann = np.sin(np.pi * (np.arange(size) + 0.5) / size) ** 2
    window = np.outer(hann, hann)
    # waves of 4.9 to 5.5 km: what the window spreads stays between 4 and 5.66 km
    k = np.fft.fftfreq(size) * size
    r = np.hypot(k[:, None], k)
    values = np.random.default_rng(0).standard_normal((size, size))
    wave = np.fft.ifft2(np.fft.fft2(values) * ((r > 24.5) & (r < 30))).real
    # theirs has no window and keeps the mean: give it what ours is made of
    about = (wave - np.average(wave, weights=window)) * window
    theirs = peer.rapsd(about / np.sqrt(np.mean(window**2)), fft_method=np.fft)
    rings = np.bincount(np.round(r).astype(int).ravel())[: theirs.size]
    ours = power_sums(field(wave), field(wave)).power_observed
    inside = ours.sel(wavelength=4.76, method="nearest").item()
    # theirs is a mean over rings of waves, ours a sum over them
    assert inside == pytest.approx((theirs * rings)[23:33].sum(), rel=1e-6)
    assert inside == pytest.approx(ours.sum().item(), rel=1e-6)


@pytest.mark.filterwarnings("ignore")
def test_pysteps_mixes_wavelengths_where_a_map_is_not_square():
    peer = silently("pysteps.utils.spectral")
    # a wave of 8 km along the short side and one along the long side
    x, y = np.arange(128.0), np.arange(64.0)[:, None]
    along, across = np.sin(2 * np.pi * x / 8) + 0 * y, np.sin(2 * np.pi * y / 8) + 0 * x
    theirs = [
        int(peer.rapsd(wave, fft_method=np.fft).argmax()) for wave in (along, across)
    ]
    assert theirs == [16, 8]
    ours = [
        power_sums(field(w), field(w)).power_observed.idxmax().item()
        for w in (along, across)
    ]
    assert ours[0] == ours[1] == pytest.approx(8, rel=0.2)
