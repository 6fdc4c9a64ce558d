"""Proper: nobody scores better, in the long run, than who forecasts what is true."""

import numpy as np
import pytest
import xarray as xr
from scipy.ndimage import gaussian_filter
from scipy.special import expit, logit, ndtr, ndtri

from stormfusion.verification import (
    brier,
    brier_skill,
    crps,
    economic_value,
    energy_score,
    log_score,
    quantile_score,
    roc,
    twcrps,
    variogram_score,
)

SAMPLES, GROUPS, CASES = 20, 10, 50
"""Ten thousand cases; a score is compared group by group, a skill sample by sample."""
SPREAD = 0.8
"""Of the truth about what is known of it, which varies by 1."""
DRY = -0.5
"""Below it is no rain: so it is in a third of all cases, which tie."""
CLEAR = 3.0
"""Standard errors, from which on a difference is no chance."""


def standard_errors(wrong, right):
    """By how much wrong forecasts score worse, in standard errors of the mean."""
    difference = np.asarray(wrong).ravel() - np.asarray(right).ravel()
    assert difference.size >= SAMPLES
    assert np.isfinite(difference).all()
    return difference.mean() / (difference.std(ddof=1) / np.sqrt(difference.size))


class Rain:
    """
    What comes true, and forecasts of it, right and wrong.

    All are of the same random numbers, so that their scores are paired.
    """

    def __init__(self, members=1, seed=0):
        rng = np.random.default_rng(seed)
        shape = (SAMPLES, GROUPS, CASES)
        self.known = rng.normal(size=shape)
        self.observed = rain(self.known + SPREAD * rng.normal(size=shape))
        self.other = rng.permutation(self.known.ravel()).reshape(shape)
        self.noise = np.random.default_rng(seed + 1).normal(size=(members, *shape))

    def forecast(self, which="right", noise=None):
        """Members, or quantiles if `noise` is that of a level."""
        noise = self.noise if noise is None else noise
        know, spread = self.known, SPREAD
        mean, factor = {
            "right": (know, spread),
            "too much": (know + 0.4, spread),
            "too little": (know - 0.4, spread),
            "too narrow": (know, 0.4 * spread),
            "too wide": (know, 2.0 * spread),
            # reliable, but it knows nothing
            "climatology": (0.0 * know, np.hypot(1.0, spread)),
            "of another case": (self.other, spread),
            "exaggerated": (1.6 * know, spread),
        }[which]
        return rain(mean + factor * noise)


def rain(values):
    dims = ("member", "sample", "group", "x")[-values.ndim :]
    return xr.DataArray(np.maximum(values - DRY, 0.0), dims=dims)


WRONG = (
    *("too much", "too little", "too narrow", "too wide"),
    *("climatology", "of another case", "exaggerated"),
)


# -------------------------------------------------------------------------- ensembles


def twcrps_2(f, o, **options):
    return twcrps(f, o, threshold=2.0, **options)  # reached by one case in 40


def lower_twcrps(f, o, **options):
    return twcrps(f, o, threshold=0.5, tail="lower", **options)


FAIR = {"crps": crps, "twcrps": twcrps_2, "lower twcrps": lower_twcrps}


@pytest.fixture(scope="module", params=[2, 10])
def few(request):
    return Rain(request.param)


@pytest.fixture(scope="module")
def many():
    return Rain(60)


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("name", FAIR)
def test_fair_scores_are_best_for_the_truth_however_few_the_members(few, name, wrong):
    def scored(which):
        return FAIR[name](few.forecast(which), few.observed, over="x")

    assert standard_errors(scored(wrong), scored("right")) > CLEAR


OF_MANY = {
    "crps": crps,
    "twcrps": twcrps_2,
    "lower twcrps": lower_twcrps,
    "brier": lambda f, o, **options: brier(f, o, threshold=1.0, **options),
    "log_score": lambda f, o, **options: log_score(f, o, threshold=1.0, **options),
    "quantile_score": lambda f, o, **options: quantile_score(
        f, o, quantile=0.9, **options
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("name", OF_MANY)
def test_scores_of_many_members_are_best_for_the_truth(many, name, wrong):
    options = {"over": "x"} | ({"fair": False} if "crps" in name else {})

    def scored(which):
        return OF_MANY[name](many.forecast(which), many.observed, **options)

    assert standard_errors(scored(wrong), scored("right")) > CLEAR


@pytest.mark.parametrize("name", FAIR)
def test_what_is_fair_does_not_depend_on_the_number_of_members(name):
    small, large = Rain(2), Rain(20)

    def scored(simulation, *, fair):
        f, o = simulation.forecast(), simulation.observed
        return FAIR[name](f, o, fair=fair, over="x")

    fair = standard_errors(scored(small, fair=True), scored(large, fair=True))
    ecdf = standard_errors(scored(small, fair=False), scored(large, fair=False))
    assert abs(fair) < CLEAR
    assert ecdf > 3 * CLEAR


@pytest.mark.parametrize("name", FAIR)
def test_few_members_as_a_distribution_are_rewarded_for_being_too_narrow(name):
    """Why `fair` is the default: the other score is not proper of few members."""
    simulation = Rain(2)

    def scored(which):
        f, o = simulation.forecast(which), simulation.observed
        return FAIR[name](f, o, fair=False, over="x")

    assert standard_errors(scored("too narrow"), scored("right")) < -CLEAR


def test_scores_of_heavy_rain_alone_reward_crying_wolf(few):
    """Why `twcrps` is of all cases, those without heavy rain included."""
    heavy = few.observed.where(few.observed >= 2.0)
    pooled = ("group", "x")

    def scored(which, observed, score):
        return score(few.forecast(which), observed, over=pooled)

    of_heavy = [scored(which, heavy, crps) for which in ("too much", "right")]
    assert standard_errors(*of_heavy) < -CLEAR
    of_all = [scored(which, few.observed, twcrps_2) for which in ("too much", "right")]
    assert standard_errors(*of_all) > CLEAR


def test_a_tail_does_not_see_what_is_wrong_elsewhere(few):
    """Proper, not strictly: what is below the threshold may be anything."""
    right = few.forecast()
    wrong = right.where(right > 2.0, right / 2)
    xr.testing.assert_identical(
        twcrps_2(wrong, few.observed), twcrps_2(right, few.observed)
    )
    both = (crps(forecast, few.observed, over="x") for forecast in (wrong, right))
    assert standard_errors(*both) > CLEAR


# -------------------------------------------------------------------------- quantiles


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("level", [0.3, 0.9])
def test_the_quantile_score_is_best_for_the_true_quantile(level, wrong):
    simulation = Rain()

    def scored(which):
        f = simulation.forecast(which, ndtri(level))
        return quantile_score(f, simulation.observed, quantile=level, over="x")

    assert standard_errors(scored(wrong), scored("right")) > CLEAR


@pytest.mark.parametrize("level", [0.3, 0.5, 0.9])
def test_and_for_no_other_quantile(level):
    simulation = Rain()

    def scored(named):
        f = simulation.forecast(noise=ndtri(named))
        return quantile_score(f, simulation.observed, quantile=level, over="x")

    for other in (level - 0.15, level + 0.08):
        assert standard_errors(scored(other), scored(level)) > CLEAR


# ---------------------------------------------------------------------- probabilities


class Chances(Rain):
    """Whether it rains more than 1, and chances of that."""

    def __init__(self):
        super().__init__()
        self.event = (self.observed >= 1.0).astype(float)

    def chance(self, which="right"):
        def true(known):
            return logit(ndtr((known - DRY - 1.0) / SPREAD))

        odds = {
            "right": true(self.known),
            "too high": true(self.known) + 0.7,
            "too low": true(self.known) - 0.7,
            "too sure": 1.8 * true(self.known),
            "too vague": 0.5 * true(self.known),
            "climatology": logit(self.event.values.mean()) + 0.0 * self.known,
            "of another case": true(self.other),
        }[which]
        return self.event.copy(data=expit(odds))


WRONG_CHANCES = (
    *("too high", "too low", "too sure", "too vague"),
    *("climatology", "of another case"),
)


@pytest.fixture(scope="module")
def chances():
    return Chances()


@pytest.mark.parametrize("wrong", WRONG_CHANCES)
@pytest.mark.parametrize("score", [brier, log_score])
def test_scores_of_probabilities_are_best_for_the_truth(chances, score, wrong):
    def scored(which):
        return score(chances.chance(which), chances.event, over="x")

    assert standard_errors(scored(wrong), scored("right")) > CLEAR


@pytest.mark.parametrize("wrong", WRONG_CHANCES)
def test_brier_skill_of_large_samples_is_best_for_the_truth(chances, wrong):
    # it divides by what was observed, so that of small samples it is not quite proper
    def scored(which):
        return -brier_skill(chances.chance(which), chances.event, over=("group", "x"))

    assert standard_errors(scored(wrong), scored("right")) > CLEAR


def value(f, o):
    over = ("group", "x")
    return economic_value(f, o, cost_loss=[0.2, 0.5], bins=2000, over=over)


def area(f, o):
    return roc(f, o, bins=2000, over=("group", "x")).roc_area


@pytest.mark.parametrize("score", [value, area])
def test_value_and_area_are_best_for_who_knows_most(chances, score):
    mixed = 0.5 * chances.chance() + 0.5 * chances.chance("of another case")
    right = score(chances.chance(), chances.event)
    for wrong in (mixed, *map(chances.chance, ("climatology", "of another case"))):
        assert standard_errors(-score(wrong, chances.event), -right) > CLEAR


@pytest.mark.parametrize("score", [value, area])
def test_value_and_area_do_not_see_whether_chances_are_right(chances, score):
    """A user who knows the record protects at the chance that pays best in it."""
    chance = (20 * chances.chance()).round() / 20  # each with a bin of its own
    found = score(chance, chances.event)
    for wrong in (chance**2, 0.5 * chance, 0.3 + 0.7 * chance):
        xr.testing.assert_allclose(score(wrong, chances.event), found)


# ------------------------------------------------------------------------ whole maps


MAPS, SIDE = 200, 12


class Maps:
    """Maps of waves, and ensembles of such, of the same random numbers."""

    def __init__(self, members):
        rng = np.random.default_rng(0)
        self.observed = maps(waves(rng.normal(size=(MAPS, SIDE, SIDE))))
        self.noise = rng.normal(size=(members, MAPS, SIDE, SIDE))

    def forecast(self, which="right"):
        add, factor, width = {
            "right": (0.0, 1.0, WIDTH),
            "too much": (0.5, 1.0, WIDTH),
            "too narrow": (0.0, 0.5, WIDTH),
            "too wide": (0.0, 1.7, WIDTH),
            # each pixel has the right distribution, but not the map
            "too rough": (0.0, 1.0, 0.1),
            "too smooth": (0.0, 1.0, 3.0),
        }[which]
        return maps(add + factor * waves(self.noise, width))


WIDTH = 1.2


def waves(noise, width=WIDTH):
    """Smooth waves of unit variance."""
    point = np.zeros((SIDE, SIDE))
    point[0, 0] = 1.0
    kernel = gaussian_filter(point, width, mode="wrap")
    smooth = gaussian_filter(noise, width, axes=(-2, -1), mode="wrap")
    return smooth / np.sqrt((kernel**2).sum())


def maps(values):
    return xr.DataArray(values, dims=("member", "map", "y", "x")[-values.ndim :])


@pytest.fixture(scope="module", params=[2, 6])
def a_few(request):
    return Maps(request.param)


@pytest.mark.parametrize("wrong", ["too much", "too narrow", "too wide"])
def test_the_energy_score_is_best_for_the_truth(a_few, wrong):
    def scored(which):
        return energy_score(a_few.forecast(which), a_few.observed, over=())

    assert standard_errors(scored(wrong), scored("right")) > CLEAR


@pytest.mark.parametrize("wrong", ["too rough", "too smooth"])
def test_the_energy_score_of_patches_sees_the_pattern(wrong):
    # of whole maps it is proper too, but hardly tells one pattern from another
    simulation = Maps(16)

    def scored(which):
        f, o = simulation.forecast(which), simulation.observed
        return energy_score(f, o, patch=3, over=())

    assert standard_errors(scored(wrong), scored("right")) > CLEAR
    pixels = [
        crps(simulation.forecast(which), simulation.observed, over=("y", "x"))
        for which in (wrong, "right")
    ]
    assert abs(standard_errors(*pixels)) < CLEAR  # pixel by pixel all is well


@pytest.mark.parametrize("wrong", ["too narrow", "too wide", "too rough", "too smooth"])
def test_the_variogram_score_is_best_for_the_truth(a_few, wrong):
    def scored(which):
        f, o = a_few.forecast(which), a_few.observed
        return variogram_score(f, o, lags=[1, 3], over=())

    assert standard_errors(scored(wrong), scored("right")) > CLEAR


def test_the_variogram_score_does_not_see_a_bias(a_few):
    """Proper, not strictly: it is of differences between pixels alone."""
    scores = [
        variogram_score(a_few.forecast(which), a_few.observed, over=())
        for which in ("too much", "right")
    ]
    xr.testing.assert_allclose(*scores)


@pytest.mark.parametrize("score", [energy_score, variogram_score])
def test_fair_scores_of_maps_do_not_depend_on_the_number_of_members(score):
    small, large = Maps(2), Maps(8)

    def scored(simulation, *, fair):
        return score(simulation.forecast(), simulation.observed, fair=fair, over=())

    fair = standard_errors(scored(small, fair=True), scored(large, fair=True))
    ecdf = standard_errors(scored(small, fair=False), scored(large, fair=False))
    assert abs(fair) < CLEAR
    assert ecdf > 3 * CLEAR
