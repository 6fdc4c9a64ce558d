"""Nowcasts without training beside those of pysteps: skill, trajectories, models."""

import contextlib
import io
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from stormfusion.classical import AR2, Cascade, displacements
from stormfusion.verification import (
    band_score,
    categorical_scores,
    crps_score,
    fss_score,
    rank_score,
)

pytestmark = pytest.mark.filterwarnings("ignore")

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("STORMFUSION_DATA", ROOT.parent / "shared" / "data"))


def silently(name):
    """A module of pysteps, which speaks when it is imported."""
    with contextlib.redirect_stdout(io.StringIO()):
        return pytest.importorskip(name, exc_type=ImportError)


@pytest.fixture
def skill(monkeypatch):
    """The benchmark, which asks the same at length."""
    silently("pysteps")
    pytest.importorskip("cv2")
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import classical_skill

    return classical_skill


@pytest.fixture
def scores(skill):
    """How the benchmark sums up."""
    import classical_scores

    return classical_scores


# ------------------------------------------------------------------ skill on real radar

SEQUENCES = ("fmi_20160928", "mch_20170131")


def cases(skill):
    """Two sequences to 30 min, from the middle, on 256 x 256 pixels with most rain."""
    for name in SEQUENCES:
        if not (DATA / f"{name}.nc").exists():
            pytest.skip(f"no {DATA}/{name}.nc; set STORMFUSION_DATA")
    for whole in skill.sequences(DATA, SEQUENCES, 1):
        sequence = replace(whole, horizon=30.0)
        (start,) = sequence.starts
        yield sequence, start, sequence.window(start, 256)


@pytest.mark.realdata
def test_extrapolation_is_as_skilful(skill, tmp_path) -> None:
    found = []
    for sequence, start, window in cases(skill):
        sums = skill.tables(*skill.extrapolations(sequence, start, window, tmp_path))
        # both know about the same pixels
        ours, theirs = sums.known.isel(lead=-1).values
        assert 0.98 * theirs < ours < 1.3 * theirs
        scores = categorical_scores(sums.drop_vars(["known", "observed"]))
        found.append(scores.csi.sel(threshold=1.0).transpose("forecast", "lead"))
    ours, theirs = np.mean(found, axis=0)
    assert ours.mean() >= 0.97 * theirs.mean()
    assert (ours >= 0.93 * theirs).all()


@pytest.mark.realdata
@pytest.mark.slow
def test_members_are_as_skilful(skill, scores, tmp_path) -> None:
    crps, power, fss, uneven = [], [], [], []
    for sequence, start, window in cases(skill):
        made = skill.scenarios(sequence, start, window, tmp_path, 8)
        members, smooth, observed = made
        sums = skill.dispersion(members, observed)
        crps.append(crps_score(sums).mean("lead").values)
        total = sums.sum("lead", keep_attrs=True)
        power.append(band_score(total, (4, 16)).values)
        fss.append(fss_score(total).values)
        ranks = rank_score(total).transpose("forecast", "rank").values
        uneven.append([scores.uneven(one) for one in ranks])
        # S-PROG too
        means = skill.tables(smooth, observed).drop_vars(["known", "observed"])
        csi = categorical_scores(means.sum("lead")).csi.sel(threshold=1.0)
        assert csi.sel(forecast="ours") > 0.9 * csi.sel(forecast="pysteps")
    ours, theirs = np.mean(crps, axis=0)
    assert ours <= theirs
    ours, theirs = np.mean(fss, axis=0)
    assert ours >= 0.97 * theirs
    # from 0, a flat rank histogram
    ours, theirs = np.mean(uneven, axis=0)
    assert ours <= theirs + 0.03
    ours, theirs = np.mean(power, axis=0)
    assert 0.7 < ours / theirs < 1.3
    # no further from the observed than theirs, or within a third of it
    assert abs(np.log(ours)) < max(abs(np.log(theirs)), np.log(1.33))


# -------------------------------------------------------------------------- mathematics


def test_trajectories_are_those_of_its_extrapolation() -> None:
    semilagrangian = silently("pysteps.extrapolation.semilagrangian")
    height, width = 129, 161  # whose nodes are pixels
    y, x = np.mgrid[:height, :width].astype(float)
    down, along = y - 64, x - 80
    turn, shear = 0.02, 0.01
    v = turn * along + 0.5 + 0.3 * np.sin(2 * np.pi * along / 320)
    u = -turn * down + shear * down - 1.0
    _, theirs = semilagrangian.extrapolate(
        None, np.stack((u, v)), 12, return_displacement=True
    )
    velocity = torch.tensor(np.stack((v, u)), dtype=torch.float32)[None]
    ours = displacements(velocity, 12)[0, -1].numpy()
    # theirs is to be added, along the rows first
    theirs = -theirs[::-1, ::8, ::8]
    assert ours.shape == theirs.shape
    size = np.hypot(*theirs)
    assert size.max() > 20
    off = np.hypot(*(ours - theirs))
    # where nothing comes from beyond the edge
    rows, columns = np.mgrid[:height:8, :width:8] - theirs
    inside = (rows >= 0) & (rows < height - 1) & (columns >= 0) & (columns < width - 1)
    assert inside.mean() > 0.5
    assert off[inside].max() < 0.05


@pytest.mark.parametrize(
    ("lag_1", "lag_2"),
    [(0.98, 0.95), (0.9, 0.81), (0.8, 0.5), (0.5, 0.4), (0.6, -0.9), (0.2, 0.1)],
)
def test_models_are_those_of_its_yule_walker_equations(lag_1, lag_2) -> None:
    series = silently("pysteps.timeseries.autoregression")
    adjusted = series.adjust_lag2_corrcoef2(lag_1, lag_2)
    theirs = series.estimate_ar_params_yw([lag_1, adjusted], check_stationarity=False)
    model = AR2.fitted(*torch.tensor([[lag_1], [lag_2]], dtype=torch.float64))
    ours = [part.item() for part in (model.phi_1, model.phi_2, model.phi_0)]
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_levels_are_like_those_of_its_cascade() -> None:
    filters = silently("pysteps.cascade.bandpass_filters")
    decomposition = silently("pysteps.cascade.decomposition")
    generator = np.random.default_rng(0)
    waves = np.hypot(np.fft.fftfreq(240)[:, None], np.fft.rfftfreq(240))
    amplitude = np.where(waves > 0, waves, 1.0) ** -1.5
    noise = np.fft.rfft2(generator.normal(size=(240, 240)))
    field = np.fft.irfft2(noise * amplitude, s=(240, 240))
    field = field / field.std() + 0.7
    theirs = decomposition.decomposition_fft(
        field, filters.filter_gaussian(field.shape, 6), compute_stats=True
    )
    cascade = Cascade.of(240, 240, levels=6)
    ours = cascade.levels(torch.tensor(field, dtype=torch.float32)).numpy()
    np.testing.assert_allclose(ours.sum(0), field, atol=1e-4)
    np.testing.assert_allclose(theirs["cascade_levels"].sum(0), field, atol=1e-4)
    # ours are of a domain that is larger by a margin, whose mean is another
    np.testing.assert_allclose(ours.mean((1, 2)), theirs["means"], atol=0.1)
    np.testing.assert_allclose(ours[1:].std((1, 2)), theirs["stds"][1:], rtol=0.15)
    middle = slice(40, -40)
    for level, (one, other) in enumerate(
        zip(ours, theirs["cascade_levels"], strict=True)
    ):
        both = np.corrcoef(one[middle, middle].ravel(), other[middle, middle].ravel())
        assert both[0, 1] > 0.9, level
