"""Noise: the texture of a field, the amounts and the memory of its levels."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from stormfusion.classical import AR2, Cascade, Noise
from stormfusion.classical.cascade import padded, products, tapered, wavenumbers
from stormfusion.classical.noise import spectrum, white

SHAPE = (22, 30)
LEVELS = 3
MEMBERS = 120

FORGETFUL = AR2.fitted(torch.zeros(LEVELS), torch.zeros(LEVELS))
"""Each step is new."""
LASTING = AR2.fitted(torch.tensor([0.8, 0.6, 0.3]), torch.tensor([0.7, 0.4, 0.1]))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def streaks(shape: tuple[int, int] = SHAPE) -> Tensor:
    """A field of streaks that run down to the right, some of them steeper."""
    drawn = torch.randn(*shape, generator=seeded(5))
    for _ in range(3):
        drawn = drawn + drawn.roll((1, 1), (0, 1)) + 0.5 * drawn.roll((1, 2), (0, 1))
    return 2.0 + drawn


def own(cascade: Cascade, field: Tensor) -> Tensor:
    """The standard deviation that each level of a field's texture has of itself."""
    wave = spectrum(cascade, field)
    return products(cascade, wave, wave).sqrt() / math.prod(cascade.shape)


def draws(
    deviation: Tensor, model: AR2, leads: int = 1, members: int = MEMBERS
) -> Tensor:
    cascade = Cascade.of(*SHAPE, levels=LEVELS)
    noise = Noise(cascade, streaks(), deviation, model, leads)
    return torch.stack([noise.draw(seeded(number)) for number in range(members)])


def agree(samples: Tensor, expected: float | Tensor, errors: float = 4.0) -> None:
    """The mean of independent samples is what was expected, within its error."""
    error = samples.std(0) / len(samples) ** 0.5
    assert (error > 0).all()
    assert ((samples.mean(0) - expected).abs() <= errors * error).all()


# -------------------------------------------------------------------- its texture


def test_covariances_are_those_of_the_field() -> None:
    """Counted in space, in every direction: no Fourier transform takes part."""
    field, cascade = streaks(), Cascade.of(*SHAPE, levels=LEVELS)
    size = math.prod(cascade.shape)
    found = draws(math.sqrt(size) * own(cascade, field), FORGETFUL, members=400)[:, 0]
    faded = padded(tapered(field - field.mean()), cascade.shape)
    assert faded.square().sum() > 0
    for y, x in [(0, 0), (0, 1), (1, 0), (1, 1), (1, -1), (3, 4), (5, 0), (4, -7)]:
        expected = (faded * faded.roll((-y, -x), (0, 1))).sum()
        here = found[:, : SHAPE[0] - y, max(-x, 0) : SHAPE[1] - max(x, 0)]
        there = found[:, y:, max(x, 0) : SHAPE[1] + min(x, 0)]
        agree((here * there).mean((1, 2)), expected)


def test_streaks_stay_streaks() -> None:
    found = draws(torch.ones(LEVELS), FORGETFUL)[:, 0]
    down = (found[:, 1:, 1:] * found[:, :-1, :-1]).mean((1, 2))
    up = (found[:, 1:, :-1] * found[:, :-1, 1:]).mean((1, 2))
    agree(down - up, (down - up).mean())
    assert (down - up).mean() > 5 * (down - up).std() / MEMBERS**0.5


def test_each_wave_has_the_power_of_the_field() -> None:
    field, cascade = streaks(), Cascade.of(*SHAPE, levels=LEVELS)
    members = 300
    found = draws(own(cascade, field), FORGETFUL, members=members)[:, 0]
    # what is known of a wave within a taper: its covariance, times that of the taper
    covariance = torch.fft.irfft2(spectrum(cascade, field).abs().double() ** 2)
    rim = padded(tapered(torch.ones(SHAPE)), cascade.shape).double()
    overlap = torch.fft.irfft2(torch.fft.rfft2(rim).abs() ** 2)
    expected = torch.fft.rfft2(covariance * overlap).real / math.prod(cascade.shape)
    faded = padded(tapered(found), cascade.shape).double()
    power = torch.fft.rfft2(faded).abs() ** 2
    ratio = power.mean(0) / expected
    # the power of a complex number is as uncertain as it is large; of a real one more
    assert (ratio - 1).abs().max() < 7 / members**0.5
    assert ratio.numel() == 40 * 25
    ring = (wavenumbers(cascade.shape) * 20).round().int()
    for number in range(1, 10):
        agree((power / expected)[:, ring == number].mean(1), 1.0)


@pytest.mark.parametrize("shape", [(2, 3), (7, 5), (37, 48), (1, 9)], ids=str)
def test_any_domain_has_noise(shape: tuple[int, int]) -> None:
    cascade = Cascade.of(*shape, levels=LEVELS)
    field = torch.rand(shape, generator=seeded())
    noise = Noise(cascade, field, torch.ones(LEVELS), LASTING, 4)
    found = noise.draw(seeded(1))
    assert found.shape == (4, *shape)
    assert found.isfinite().all()
    assert found.std() > 0


# ----------------------------------------------------------- its amount, by level


@pytest.mark.parametrize("level", range(LEVELS))
def test_a_level_has_the_deviation_and_the_memory_of_its_model(level: int) -> None:
    deviation = torch.zeros(LEVELS)
    deviation[level] = 2.5
    leads = 24
    found = draws(deviation, LASTING, leads)
    response = LASTING.response(leads)[:, level]
    # each step adds to what is left of those before
    variance = 2.5**2 * response.square().cumsum(0)
    agree(found.square().mean((2, 3)), variance)
    # at last it is as variable as was asked for, and forgets as the model says
    assert variance[-1] == pytest.approx(2.5**2, rel=0.01)
    lag_1 = LASTING.phi_1[level] / (1 - LASTING.phi_2[level])
    lag_2 = LASTING.phi_1[level] * lag_1 + LASTING.phi_2[level]
    for lag, wanted in ((1, lag_1), (2, lag_2)):
        product = (found[:, :-lag] * found[:, lag:]).mean((2, 3))[:, -1]
        expected = 2.5**2 * (response[:-lag] * response[lag:]).sum()
        agree(product, expected)
        assert expected / variance[-1] == pytest.approx(wanted.item(), abs=0.01)


def test_levels_that_are_of_the_field_add_up_to_it() -> None:
    field, cascade = streaks(), Cascade.of(*SHAPE, levels=LEVELS)
    found = draws(own(cascade, field), FORGETFUL)
    faded = padded(tapered(field - field.mean()), cascade.shape)
    agree(found.square().mean((1, 2, 3)), faded.square().mean())


def test_twice_the_deviation_is_twice_the_noise() -> None:
    once = draws(torch.tensor([1.0, 2.0, 3.0]), LASTING, 3, members=2)
    twice = draws(torch.tensor([2.0, 4.0, 6.0]), LASTING, 3, members=2)
    torch.testing.assert_close(twice, 2 * once)


def test_levels_are_drawn_from_the_same_numbers() -> None:
    parts = [draws(row, LASTING, 3, members=2) for row in torch.eye(LEVELS)]
    together = draws(torch.ones(LEVELS), LASTING, 3, members=2)
    torch.testing.assert_close(sum(parts), together, atol=1e-5, rtol=1e-5)


def test_the_mean_over_members_is_zero() -> None:
    found = draws(torch.ones(LEVELS), LASTING, 4, members=300)
    agree(found.mean((2, 3)), 0.0)
    # pixel by pixel as well, of which there are many
    error = found.std(0) / 300**0.5
    assert (found.mean(0).abs() <= 6 * error).all()


# ---------------------------------------------------------------------- its members


def test_members_know_nothing_of_each_other() -> None:
    found = draws(torch.ones(LEVELS), LASTING, 3)
    apart = torch.stack([(one * other).mean((1, 2)) for one, other in pairwise(found)])
    agree(apart, 0.0)
    alone = found.square().mean((0, 2, 3))
    assert (apart.std(0) / MEMBERS**0.5 < 0.1 * alone).all()


def test_draws_one_after_the_other_are_independent() -> None:
    cascade = Cascade.of(*SHAPE, levels=LEVELS)
    noise = Noise(cascade, streaks(), torch.ones(LEVELS), LASTING, 2)
    generator = seeded()
    found = torch.stack([noise.draw(generator) for _ in range(MEMBERS)])
    agree((found[1:] * found[:-1]).mean((2, 3)), 0.0)
    assert not torch.equal(found[0], found[1])


def test_the_same_seed_gives_the_same_noise() -> None:
    found = draws(torch.ones(LEVELS), LASTING, 3, members=3)
    again = draws(torch.ones(LEVELS), LASTING, 3, members=3)
    assert torch.equal(found, again)
    assert not torch.equal(found[0], found[1])


def test_drawing_leaves_the_global_numbers_alone() -> None:
    before = torch.random.get_rng_state()
    draws(torch.ones(LEVELS), LASTING, 2, members=1)
    assert torch.equal(torch.random.get_rng_state(), before)


# ------------------------------------------------------------------- nothing to draw


@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, 123.456])
@pytest.mark.parametrize("shape", [(32, 32), (37, 48), (7, 5)], ids=str)
def test_a_constant_field_has_no_noise(shape: tuple[int, int], value: float) -> None:
    cascade = Cascade.of(*shape, levels=LEVELS)
    field = torch.full(shape, value)
    noise = Noise(cascade, field, torch.ones(LEVELS), LASTING, 3)
    assert torch.equal(noise.draw(seeded()), torch.zeros(3, *shape))


def test_zero_deviation_gives_zero_noise() -> None:
    assert not draws(torch.zeros(LEVELS), LASTING, 3, members=2).any()


# ------------------------------------------------------------ the field's amplitudes


def test_the_spectrum_is_of_the_field_without_its_mean() -> None:
    cascade = Cascade.of(*SHAPE, levels=LEVELS)
    found = spectrum(cascade, streaks())
    assert found.shape == (cascade.shape[0], cascade.shape[1] // 2 + 1)
    assert found[0, 0] == 0
    assert not found.imag.any()
    assert (found.real >= 0).all()
    shifted = spectrum(cascade, streaks() + 10.0)
    torch.testing.assert_close(shifted, found, atol=1e-3, rtol=1e-3)
    tripled = spectrum(cascade, 3.0 * streaks())
    torch.testing.assert_close(tripled, 3.0 * found, atol=1e-3, rtol=1e-3)


def test_a_jump_from_edge_to_edge_is_not_texture() -> None:
    cascade = Cascade.of(40, 60, levels=LEVELS)
    slope = torch.linspace(0, 1, 60).expand(40, -1)
    found = spectrum(cascade, slope).abs().square()
    small = wavenumbers(cascade.shape) > 0.25
    centred = padded(slope - slope.mean(), cascade.shape)
    sharp = torch.fft.rfft2(centred).abs().square()
    assert found[small].sum() < 0.01 * sharp[small].sum()


# ------------------------------------------------------------------------ white noise


@pytest.mark.parametrize("shape", [(18, 20), (20, 18), (15, 24), (64, 2)], ids=str)
def test_white_noise_is_the_transform_of_a_real_field(shape: tuple[int, int]) -> None:
    wave = white(shape, 3, seeded())
    field = torch.fft.irfft2(wave, s=shape)
    torch.testing.assert_close(torch.fft.rfft2(field), wave, atol=1e-3, rtol=1e-4)


def test_white_noise_has_unit_variance_and_no_neighbours() -> None:
    shape, steps = (48, 60), 20
    field = torch.fft.irfft2(white(shape, steps, seeded(1)), s=shape)
    error = 1 / field.numel() ** 0.5
    # of the square of a normal number the variance is two
    assert field.square().mean() == pytest.approx(1, abs=4 * 2**0.5 * error)
    assert field.mean().item() == pytest.approx(0, abs=4 * error)
    for lag in [(0, 1), (1, 0), (1, 1), (1, -1), (0, 30), (24, 0), (7, 11)]:
        product = (field * field.roll(lag, (1, 2))).mean().item()
        assert product == pytest.approx(0, abs=4 * error), lag
    product = (field[1:] * field[:-1]).mean().item()
    assert product == pytest.approx(0, abs=4 * error)
    # normal numbers: the fourth power has mean three and variance 96
    fourth = field.double().pow(4).mean().item()
    assert fourth == pytest.approx(3, abs=4 * 96**0.5 * error)


def test_all_waves_of_white_noise_are_alike() -> None:
    shape, draws = (12, 10), 2000
    power = white(shape, draws, seeded(2)).abs().square() / math.prod(shape)
    # a real number at the four waves that are their own mirror image, complex elsewhere
    assert np.allclose(power.mean(0), 1, atol=7 / draws**0.5)
    assert power.mean().item() == pytest.approx(1, abs=4 * (2 / power.numel()) ** 0.5)
