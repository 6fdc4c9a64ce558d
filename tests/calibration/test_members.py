"""Calibrated members: right where the answer is known, and never worse."""

import numpy as np
import pytest

from stormfusion.calibration.cases import Sample, folds_of
from stormfusion.calibration.members import (
    MemberMap,
    _plain,
    applied,
    fit_members,
    scored,
)
from stormfusion.data.scaling import scaling_for

LEADS, MEMBERS, PIXELS = 3, 15, 4000


def sample(
    *, bias: float = 1.0, spread: float = 1.0, wet: float = 0.5, seed: int = 0
) -> Sample:
    """Members like the truth, but for their amount and their spread."""
    rng = np.random.default_rng(seed)
    middle = rng.normal(1.0, 1.0, (LEADS, 1, PIXELS))
    off = rng.normal(0, 0.5, (LEADS, MEMBERS + 1, PIXELS))
    amounts = np.exp(middle + off)
    rain = rng.random((LEADS, 1, PIXELS)) < wet
    members = np.exp(middle + spread * off[:, 1:]) * bias * rain
    observed = (amounts[:, :1] * rain)[:, 0]
    return Sample(
        members.astype(np.float32), observed.astype(np.float32), np.zeros(PIXELS, int)
    )


def test_members_that_are_too_strong_are_brought_down() -> None:
    given = sample(bias=2.0)
    made = fit_members(given, "rain_rate")
    assert (made.strength > 0).all()
    raw, after = scored(given, _plain(LEADS, "rain_rate")), scored(given, made)
    assert (after < 0.7 * raw).all()
    members = applied(given.members, made)
    assert members.mean() == pytest.approx(given.observed.mean(), rel=0.1)


def test_members_that_are_too_alike_are_spread() -> None:
    made = fit_members(sample(spread=0.4), "rain_rate")
    assert (made.spread > 1.2).all()


def test_members_that_are_right_are_hardly_changed() -> None:
    given = sample()
    made = fit_members(given, "rain_rate")
    raw, after = scored(given, _plain(LEADS, "rain_rate")), scored(given, made)
    assert (after <= raw).all()
    np.testing.assert_allclose(after, raw, rtol=0.02)


@pytest.mark.parametrize("seed", range(4))
def test_the_crps_never_gets_worse_where_it_was_fitted(seed) -> None:
    rng = np.random.default_rng(seed)
    given = sample(
        bias=rng.uniform(0.3, 3), spread=rng.uniform(0.2, 3), wet=rng.uniform(0.05, 1)
    )
    made = fit_members(given, "rain_rate")
    raw = scored(given, _plain(LEADS, "rain_rate"))
    assert (scored(given, made) <= raw * (1 + 1e-6)).all()


def test_dry_stays_dry_and_missing_stays_missing() -> None:
    given = sample(bias=0.3, spread=0.3)
    given.members[0, :, 0] = np.nan
    given.members[1, :3, 1] = np.nan
    made = fit_members(given, "rain_rate")
    assert not made.identity
    members = applied(given.members, made)
    assert (members[given.members == 0] == 0).all()
    np.testing.assert_array_equal(np.isnan(members), np.isnan(given.members))
    assert np.nanmin(members) >= 0


def test_the_map_never_turns_amounts_round() -> None:
    given = sample(bias=1.7)
    made = fit_members(given, "rain_rate")
    amounts = np.linspace(0, 90, 500, dtype=np.float32)
    for lead in range(LEADS):
        one = np.zeros((LEADS, 500), dtype=np.float32)
        one[lead] = amounts
        found = made.numbers(one)[lead]
        assert (np.diff(found) >= -1e-6).all()


def test_vil_stays_one_of_the_values_that_are_stored() -> None:
    rng = np.random.default_rng(0)
    observed = rng.gamma(0.5, 5, (LEADS, PIXELS)).astype(np.float32)
    off = rng.lognormal(0.5, 0.5, (LEADS, MEMBERS, PIXELS))
    members = (observed[:, None] * off).astype(np.float32)
    given = Sample(members, observed, np.zeros(PIXELS, int))
    made = fit_members(given, "vil")
    assert not made.identity
    codes = 255 * scaling_for("vil").normalize(applied(members, made))
    np.testing.assert_allclose(codes, np.rint(codes), atol=2e-3)


def test_temperatures_have_no_dry_value() -> None:
    rng = np.random.default_rng(0)
    observed = rng.normal(-40, 15, (LEADS, PIXELS)).astype(np.float32)
    off = rng.normal(8, 5, (LEADS, MEMBERS, PIXELS)).astype(np.float32)
    given = Sample(observed[:, None] + off, observed, np.zeros(PIXELS, int))
    made = fit_members(given, "ir107")
    members = applied(given.members, made)
    assert members.mean() == pytest.approx(observed.mean(), abs=1.5)


def test_the_identity_changes_nothing() -> None:
    given = sample()
    made = _plain(LEADS, "rain_rate")
    assert made.identity
    assert applied(given.members, made) is given.members
    assert isinstance(made, MemberMap)


def test_groups_are_never_in_two_folds() -> None:
    groups = ["a", "b", "a", "c", "b", "d"]
    folds = folds_of(groups, 3)
    assert [folds[0], folds[1]] == [folds[2], folds[4]]
    assert max(folds) == 2
