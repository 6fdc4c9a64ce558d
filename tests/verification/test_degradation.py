"""The further off or the more blurred a forecast, the worse its scores."""

from functools import cache

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from stormfusion import Catalog
from stormfusion.losses import LPIPS
from stormfusion.verification import (
    GOALS,
    bias,
    brier,
    brier_skill,
    correlation,
    crps,
    csi,
    effective_resolution,
    energy_score,
    ets,
    far,
    fss,
    gdl,
    granularity,
    hss,
    log_score,
    lpips,
    mae,
    mean_error,
    mse,
    perceptual_distance,
    pod,
    psnr,
    pss,
    quantile_score,
    rmse,
    roc,
    sal,
    sedi,
    spectrum_ratio,
    ssim,
    success_ratio,
    twcrps,
    variogram_score,
)

FEW = settings(max_examples=10, deadline=None)
STEPS = (0, 1, 2, 4, 8)
"""Kilometres of a shift, or of the standard deviation of a blur."""
SIZE, MARGIN = 96, 16
RANGE = 70.0
EVENT = 3.5


# ---------------------------------------------------------------------------- storms


@cache
def weather(seed):
    """Several storms, with a margin from which some of them can move in."""
    size = SIZE + 2 * MARGIN
    catalog = Catalog.synthetic(
        events=1, size=size, frames=25, variables=["vil"], seed=seed
    )
    vil = catalog[0]["vil"].isel(time=18).load()
    return vil.drop_vars(set(vil.coords) - {"y", "x"})


def one_storm(y, x, radii, peak):
    """A storm with a sharp edge that no shift takes out of the domain."""
    size = np.arange(64.0)
    squared = ((size[:, None] - y) / radii[0]) ** 2 + ((size - x) / radii[1]) ** 2
    vil = np.where(squared < 1, peak * (1.0 - 0.8 * squared.clip(0, 1)), 0.0)
    labels = {"y": 1000.0 * size, "x": 1000.0 * size}
    return xr.DataArray(
        vil, dims=("y", "x"), coords=labels, name="vil", attrs={"units": "kg m-2"}
    )


STORMS = st.builds(
    one_storm,
    st.floats(27, 36),
    st.floats(27, 36),
    st.tuples(st.floats(4, 14), st.floats(4, 14)),
    st.floats(20, 60),
)


def cut(field, *, east=0):
    """The inner part of a field that has moved by so many pixels."""
    inner = slice(MARGIN, -MARGIN)
    moved = slice(MARGIN - east, -MARGIN - east)
    return field.isel(y=inner, x=moved).assign_coords(x=field.x[inner])


def blurred(field, sigma):
    return field.copy(data=gaussian_filter(field.values, sigma)) if sigma else field


def shifts(field):
    return cut(field), [cut(field, east=step) for step in STEPS]


def blurs(field):
    return cut(field), [cut(blurred(field, sigma)) for sigma in STEPS]


WORSE = {"shift": shifts, "blur": blurs}


@cache
def storms(worse, seed):
    """What was observed, and forecasts that are ever worse."""
    return WORSE[worse](weather(seed))


@cache
def ensembles(worse, seed):
    """The same, of members that are a little off to the north and south besides."""
    members = [WORSE[worse](weather(seed).roll(y=by))[1] for by in (-1, 0, 0, 1)]
    joined = [xr.concat(step, "member") for step in zip(*members, strict=True)]
    return storms(worse, seed)[0], joined


# ---------------------------------------------------------------------------- scores


RANDOM = LPIPS(pnet_rand=True)
"""A network that nobody trained, the same each time."""


def of_events(score, threshold=EVENT):
    return lambda f, o: score(f, o, threshold=threshold)


SCORES = {
    "csi": of_events(csi),
    "pod": of_events(pod),
    "ets": of_events(ets),
    "hss": of_events(hss),
    "pss": of_events(pss),
    "fss": lambda f, o: fss(f, o, threshold=EVENT, scale=5),
    "mae": mae,
    "mse": mse,
    "rmse": rmse,
    "correlation": correlation,
    "ssim": lambda f, o: ssim(f, o, data_range=RANGE),
    "psnr": lambda f, o: psnr(f, o, data_range=RANGE),
    "gdl": gdl,
    "perceptual": perceptual_distance,
    "lpips": lambda f, o: lpips(f, o, loss=RANDOM),
}
OF_SHIFTS = {
    "far": of_events(far),
    "success_ratio": of_events(success_ratio),
    "sedi": of_events(sedi),
    "location": lambda f, o: sal(f, o).location,
}
# What a blur does to these four is not always a decline: it weakens the storms until
# what is left of them above the threshold lies where they were, or nothing is left. So
# false alarms grow fewer again, at last there is no share of them at all, which is NaN,
# and the centers stay where they are.
OF_BLURS = {
    "structure": lambda f, o: sal(f, o).structure,
    "spectrum_ratio": lambda f, o: spectrum_ratio(f, o, band=(4.0, 16.0)),
    "resolution": effective_resolution,
}
# A shift leaves these as they are: what has moved is as fine as it was.
ENSEMBLES = {
    "crps": crps,
    "crps of members": lambda f, o: crps(f, o, fair=False),
    "twcrps": of_events(twcrps),
    "energy": energy_score,
    "energy of patches": lambda f, o: energy_score(f, o, patch=16),
    "variogram": variogram_score,
    "brier": of_events(brier),
    "brier_skill": of_events(brier_skill),
    "log_score": of_events(log_score),
    "median": lambda f, o: quantile_score(f, o, quantile=0.5),
    "roc_area": lambda f, o: roc(f, o, threshold=EVENT).roc_area,
}
# The score of a high quantile is not among them: it is the largest of the members, and
# where these lie beside each other it covers what a small shift misses.
HIGHER = ("psnr",)
"""Of those without a goal, the ones that should be high."""


def as_leads(forecasts, observed):
    """All forecasts in one, so that each is a row of the score."""
    return xr.concat(forecasts, "lead"), xr.concat([observed] * len(forecasts), "lead")


def costs(name, score, observed, forecasts):
    """How bad each forecast is."""
    found = score(*as_leads(forecasts, observed))
    if name in GOALS:
        found = GOALS[name].cost(found)
    return (-found if name in HIGHER else found).values


def check(cost, *, rounding=0.0):
    """Never better than a step before; and each of the first steps is seen."""
    assert not np.isnan(cost).any()
    assert (cost[1:] >= cost[:-1] - rounding).all(), cost
    assert cost[0] + rounding < cost[1], cost
    assert cost[1] + rounding < cost[2], cost


CASES = [
    pytest.param(worse, name, score, id=f"{worse}-{name}")
    for worse, special in (("shift", OF_SHIFTS), ("blur", OF_BLURS))
    for name, score in (SCORES | special).items()
]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(("worse", "name", "score"), CASES)
def test_scores_of_storms_get_worse(worse, name, score, seed):
    check(costs(name, score, *storms(worse, seed)))


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("worse", WORSE)
@pytest.mark.parametrize("name", ENSEMBLES)
def test_scores_of_ensembles_get_worse(worse, name, seed):
    check(costs(name, ENSEMBLES[name], *ensembles(worse, seed)))


@pytest.mark.parametrize("seed", [1, 2])
def test_chances_get_coarser_by_a_blur(seed):
    event = (weather(seed) >= EVENT).astype(float)
    check(granularity(xr.concat(blurs(event)[1], "lead")).values)


# ------------------------------------------------------- one storm, wherever it may be

PIXELS = ("csi", "pod", "ets", "hss", "pss", "fss", "mae", "mse", "rmse")
PIXELS += ("correlation", "psnr", "far", "success_ratio", "crps", "twcrps", "location")


@FEW
@given(STORMS, st.sampled_from(["x", "y"]), st.sampled_from([-1, 1]))
def test_one_storm_that_is_ever_further_off(storm, axis, side):
    forecasts = [storm.roll({axis: side * step}) for step in STEPS]
    members = [xr.concat([f, f], "member") for f in forecasts]
    for name in PIXELS:
        score = (SCORES | OF_SHIFTS | ENSEMBLES)[name]
        given = members if name in ENSEMBLES else forecasts
        check(costs(name, score, storm, given), rounding=1e-9)


@FEW
@given(STORMS)
def test_one_storm_that_is_ever_more_blurred(storm):
    forecasts = [blurred(storm, sigma) for sigma in STEPS]
    # not the GDL: a small storm that is washed out has no false gradients either
    for name in ("mae", "mse", "rmse", "correlation", "psnr", *OF_BLURS):
        score = (SCORES | OF_BLURS)[name]
        check(costs(name, score, storm, forecasts), rounding=1e-9)
    event = (storm >= EVENT).astype(float)
    check(granularity(xr.concat([blurred(event, s) for s in STEPS], "lead")).values)


# ------------------------------------------------------------ and what rightly does not


@FEW
@given(STORMS)
def test_a_storm_elsewhere_is_no_other_storm(storm):
    """What is of amounts alone does not see where they are."""
    forecast, observed = as_leads([storm.roll(x=step) for step in STEPS], storm)
    assert (bias(forecast, observed, threshold=EVENT) == 1).all()
    parts = sal(forecast, observed)
    for nothing in (mean_error(forecast, observed), parts.structure, parts.amplitude):
        np.testing.assert_allclose(nothing, 0, atol=1e-9)


def test_a_storm_elsewhere_is_as_fine():
    """A spectrum has no places, but for the window's: any blur is worse."""
    storm = one_storm(31.5, 27.5, (7, 9), 40.0)
    score = OF_BLURS["spectrum_ratio"]
    moved = [storm.roll(x=step) for step in STEPS]
    blur = [blurred(storm, sigma) for sigma in STEPS]
    off, coarse = (costs("spectrum_ratio", score, storm, f) for f in (moved, blur))
    assert off.max() < 0.1 < coarse[1]
    found = {effective_resolution(forecast, storm).item() for forecast in moved}
    assert found == {effective_resolution(storm, storm).item()}


@FEW
@given(STORMS)
def test_a_large_window_forgives_a_small_shift(storm):
    forecast = storm.roll(x=2)
    assert fss(forecast, storm, threshold=EVENT, scale=49) > 0.95
    assert csi(forecast, storm, threshold=EVENT) < 0.85


@FEW
@given(STORMS)
def test_a_blur_finds_all_of_what_is_weak(storm):
    """It spreads weak rain: more and more is forecast, so that none is missed."""
    blurs = [blurred(storm, sigma) for sigma in (0.0, 0.5, 1.0, 2.0)]
    forecast, observed = as_leads(blurs, storm)
    assert (pod(forecast, observed, threshold=0.5) == 1).all()
    check(bias(forecast, observed, threshold=0.5).values)
    # nor has it moved, and there is as much of it
    assert (sal(forecast, observed).location < 0.01).all()
    np.testing.assert_allclose(mean_error(forecast, observed), 0, atol=1e-9)
