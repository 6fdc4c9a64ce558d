"""Errors of motion: as large as they are said to be, of the units of the grid."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from stormfusion.classical import MotionErrors

FEW = settings(max_examples=15, deadline=None)
MEMBERS = 4000

STEADY = MotionErrors(along=(0.0, 1.0, 36.0), across=(0.0, 1.0, 18.0))
"""36 km/h are 10 m/s, 18 km/h are 5 m/s, at all leads."""


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn(
    errors: MotionErrors,
    *,
    leads: int = 1,
    interval: float = 300.0,
    spacing: float = 1000.0,
    members: int = MEMBERS,
) -> Tensor:
    generator = seeded()
    return torch.stack(
        [
            errors.draw(generator, leads=leads, interval=interval, spacing=spacing)
            for _ in range(members)
        ]
    )


# ------------------------------------------------------------------- how large


@FEW
@given(st.floats(0, 200), st.floats(0.01, 200))
def test_the_deviation_grows_with_the_lead(minutes: float, more: float) -> None:
    errors = MotionErrors()
    sooner, later = errors.deviation(minutes), errors.deviation(minutes + more)
    for one, other in zip(sooner, later, strict=True):
        assert 0 <= one <= other
        # for a minute or so it is none at all
        assert one < other or minutes + more < 2


def test_the_deviation_by_hand() -> None:
    errors = MotionErrors(along=(2.0, 0.5, -1.0), across=(1.0, 1.0, 3.0))
    assert errors.deviation(16) == (7, 19)
    assert errors.deviation(0.04) == (0, 3.04)


def test_defaults_are_three_times_what_pysteps_publishes() -> None:
    """Those of Lucas-Kanade over Finland and Switzerland, `lucaskanade/fmi+mch`."""
    published = {
        "along": (2.31970635, 0.33734287, -2.64972861),
        "across": (1.90769947, 0.33446594, -2.06603662),
    }
    for minutes in (5, 30, 60):
        expected = [3 * (a * minutes**b + c) for a, b, c in published.values()]
        np.testing.assert_allclose(
            MotionErrors().deviation(minutes), expected, rtol=1e-6
        )


@pytest.mark.parametrize(
    ("interval", "spacing", "along", "across"),
    [
        # 10 m/s for 5 min are 3 km: 3 pixels of 1 km, and half of that across
        (300, 1000, 3.0, 1.5),
        (300, 2000, 1.5, 0.75),
        (600, 1000, 6.0, 3.0),
        (150, 250, 6.0, 3.0),
    ],
)
def test_errors_in_pixels_by_hand(
    interval: float, spacing: float, along: float, across: float
) -> None:
    found = drawn(STEADY, interval=interval, spacing=spacing)[:, 0].double()
    # of a Laplace distribution: the variance of a square is five times its square
    error = math.sqrt(5 / MEMBERS)
    variance = found.square().mean(0)
    assert variance[0].item() == pytest.approx(along**2, rel=4 * error)
    assert variance[1].item() == pytest.approx(across**2, rel=4 * error)


def test_errors_are_as_large_as_the_deviation_says() -> None:
    found = drawn(MotionErrors(), leads=6, interval=600, spacing=2000).double()
    assert found.shape == (MEMBERS, 6, 2)
    kilometers = found * 2.0 / (600 / 3600)
    wanted = torch.tensor([MotionErrors().deviation(10 * n) for n in range(1, 7)])
    ratio = kilometers.square().mean(0) / wanted.double().square()
    assert ((ratio - 1).abs() < 4 * math.sqrt(5 / MEMBERS)).all()


# ------------------------------------------------------------------- how distributed


def test_errors_are_zero_in_the_mean() -> None:
    found = drawn(STEADY)[:, 0].double()
    error = found.std(0) / MEMBERS**0.5
    assert (found.mean(0).abs() < 4 * error).all()


@pytest.mark.parametrize("direction", [0, 1])
def test_errors_have_a_laplace_distribution(direction: int) -> None:
    found = drawn(STEADY)[:, 0, direction].double().numpy()
    found /= 3.0 if direction == 0 else 1.5
    laplace = stats.laplace(scale=math.sqrt(0.5))
    assert stats.kstest(found, laplace.cdf).pvalue > 1e-3
    assert stats.kstest(found, stats.norm.cdf).pvalue < 1e-6
    # heavy tails: with the variance fixed, the share beyond three deviations
    beyond = 2 * laplace.sf(3)
    error = math.sqrt(beyond * (1 - beyond) / MEMBERS)
    assert np.mean(np.abs(found) > 3) == pytest.approx(beyond, abs=4 * error)
    # the kurtosis is six; a hundred groups tell how well it is known
    fourth = (found**4).reshape(100, -1).mean(1)
    assert fourth.mean() == pytest.approx(6, abs=4 * fourth.std(ddof=1) / 10)


def test_along_and_across_know_nothing_of_each_other() -> None:
    along, across = drawn(STEADY)[:, 0].double().T
    correlation = torch.corrcoef(torch.stack((along, across)))[0, 1].item()
    assert correlation == pytest.approx(0, abs=4 / MEMBERS**0.5)
    # nor one member of the next
    for part in (along, across):
        neighbors = torch.corrcoef(torch.stack((part[1:], part[:-1])))[0, 1].item()
        assert neighbors == pytest.approx(0, abs=4 / MEMBERS**0.5)


def test_a_member_errs_to_the_same_side_at_all_leads() -> None:
    errors = MotionErrors()
    found = drawn(errors, leads=12, members=20)
    wanted = torch.tensor([errors.deviation(5 * n) for n in range(1, 13)])
    share = found / wanted
    torch.testing.assert_close(share, share[:, :1].expand_as(share))
    assert (found.abs().diff(dim=1) >= 0).all()


# ------------------------------------------------------------------ the same again


def test_the_same_seed_gives_the_same_error() -> None:
    options = {"leads": 3, "interval": 300, "spacing": 1000}
    errors = MotionErrors()
    one, again = (errors.draw(seeded(4), **options) for _ in range(2))
    assert torch.equal(one, again)
    assert not torch.equal(one, errors.draw(seeded(5), **options))


def test_more_leads_leave_the_first_ones_as_they_are() -> None:
    few, many = (
        MotionErrors().draw(seeded(4), leads=leads, interval=300, spacing=1000)
        for leads in (3, 12)
    )
    assert torch.equal(few, many[:3])


def test_drawing_leaves_the_global_numbers_alone() -> None:
    before = torch.random.get_rng_state()
    drawn(STEADY, members=2)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_no_deviation_is_no_error() -> None:
    none = MotionErrors(along=(0.0, 1.0, 0.0), across=(0.0, 1.0, -5.0))
    assert not drawn(none, leads=4, members=3).any()
