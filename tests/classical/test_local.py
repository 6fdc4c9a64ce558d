"""Local noise: of each place the texture and the strength that the field has there."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from stormfusion.classical import AR2, Aligned, Cascade, LocalNoise, Noise
from stormfusion.classical.local import HALF

SHAPE = (128, 256)
LEVELS = 4
FORGETFUL = AR2.fitted(torch.zeros(LEVELS), torch.zeros(LEVELS))
"""Each step is new."""
LASTING = AR2.fitted(torch.tensor([0.9, 0.8, 0.6, 0.3]), torch.full((LEVELS,), 0.1))
NONE = torch.zeros(LEVELS)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def white(seed: int = 0, shape: tuple[int, int] = SHAPE) -> Tensor:
    return torch.randn(shape, generator=seeded(seed))


def smoothed(field: Tensor, size: int, axis: int) -> Tensor:
    """Means over neighbors along one axis, of unit variance."""
    parts = [field.roll(shift, axis) for shift in range(size)]
    return torch.stack(parts).sum(0) / size**0.5


def made(
    field: Tensor,
    *,
    deviation: Tensor = NONE,
    model: AR2 = FORGETFUL,
    leads: int = 1,
    weight: Tensor | None = None,
    levels: int = LEVELS,
) -> LocalNoise:
    cascade = Cascade.of(*field.shape, levels=levels)
    known = torch.ones(field.shape, dtype=torch.bool)
    aligned = Aligned(field.expand(3, *field.shape), known, cascade)
    weight = torch.ones(field.shape) if weight is None else weight
    return LocalNoise(aligned, weight, deviation, model, leads)


def draws(noise: LocalNoise, members: int, first: int = 0) -> Tensor:
    return torch.stack([noise.draw(seeded(first + n)) for n in range(members)])


def agree(samples: Tensor, expected: float | Tensor, errors: float = 4.0) -> None:
    """The mean of independent samples is what was expected, within its error."""
    error = samples.std(0) / len(samples) ** 0.5
    assert (error > 0).all()
    assert ((samples.mean(0) - expected).abs() <= errors * error).all()


# ----------------------------------------------------------- as strong as the field


def test_noise_is_as_strong_as_the_field_around_it() -> None:
    """Three times as strong on the right, seen where no square holds both halves."""
    strength = torch.ones(SHAPE)
    strength[:, 128:] = 3.0
    ratios = []
    for seed in range(8):
        found = draws(made(strength * white(seed)), 3, 10 * seed).square()
        ratios.append(found[..., 192:].mean() / found[..., :64].mean())
    agree(torch.stack(ratios).sqrt(), 3.0)


def test_noise_is_as_strong_as_the_small_scales_are() -> None:
    found = []
    for seed in range(8):
        field = 2.0 * white(seed)
        cascade = Cascade.of(*SHAPE, levels=LEVELS)
        wave = cascade.transform(field)
        small = [n for n, centre in enumerate(cascade.centres) if centre <= HALF]
        texture = cascade.back(wave * cascade.filters[small].sum(0))
        # in the middle of a square nothing but its own texture counts
        here = draws(made(field), 6, 10 * seed)[..., HALF::HALF, HALF::HALF]
        found.append(here.square().mean() / texture.square().mean())
    agree(torch.stack(found), 1.0)


def test_pixels_without_weight_tell_nothing_of_the_strength() -> None:
    strength = torch.ones(SHAPE)
    strength[::2] = 5.0
    field = strength * white()
    # a checkered field has one variance in weighted pixels, and another in the others
    weight = torch.zeros(SHAPE)
    weight[1::2] = 1.0
    loud, quiet, between = (
        draws(made(field, weight=w), 4).square().mean()
        for w in (1.0 - weight, weight, torch.ones(SHAPE))
    )
    assert quiet < between < loud


def test_twice_the_field_is_twice_the_noise() -> None:
    once, twice = (draws(made(scale * white()), 1) for scale in (1.0, 2.0))
    torch.testing.assert_close(twice, 2 * once, rtol=1e-3, atol=1e-4)


def test_noise_stays_with_the_rain() -> None:
    field = white(1).abs()
    field[:, 64:] = 0.0
    found = draws(made(field, weight=(field > 0).float()), 2)
    assert found[..., :64].std() > 0.3
    # the square that holds the border ends there
    assert found[..., 128:].abs().max() < 1e-3


# ----------------------------------------------------------- its texture


def along(field: Tensor, lag: int, axis: int) -> Tensor:
    """Correlation of pixels some way apart, one for each member."""
    size = field.shape[axis] - lag
    product = field.narrow(axis, 0, size) * field.narrow(axis, lag, size)
    return product.mean((-2, -1)) / field.square().mean((-2, -1))


def test_stripes_have_the_direction_that_they_have_there() -> None:
    upright, level = smoothed(white(0), 16, 0), smoothed(white(1), 16, 1)
    field = torch.cat((upright[:, :128], level[:, 128:]), 1)
    found = draws(made(field), 12)[:, 0]
    left, right = found[..., :64], found[..., 192:]
    for part, axis in ((left, -2), (right, -1)):
        stretched, narrow = along(part, 4, axis), along(part, 4, -3 - axis)
        # of the field: 3/4 and 0
        agree(narrow, narrow.mean())
        assert (stretched > narrow + 0.3).all()
        agree(stretched - narrow, 0.75, errors=8.0)


# --------------------------------------------------------------- no seams


def test_noise_is_even_across_squares() -> None:
    """As strong where squares meet as in the middle of one, to five per cent."""
    total = torch.zeros(HALF, HALF)
    seeds, members = 12, 4
    for seed in range(seeds):
        found = draws(made(white(seed, (256, 256))), members, 10 * seed)[:, 0]
        inner = found.square().mean(0)[HALF:-HALF, HALF:-HALF]
        total += inner.unflatten(-1, (-1, HALF)).unflatten(0, (-1, HALF)).mean((0, 2))
    near = [*range(6), *range(HALF - 6, HALF)]
    middle = total[near][:, near].mean().sqrt()
    corner = total[26:38, 26:38].mean().sqrt()
    # of numbers that are nearly independent, from four squares
    error = (1 / (12 * 12 * 4 * seeds * members)) ** 0.5
    assert corner / middle == pytest.approx(1, abs=0.05 + 2 * error)


# ------------------------------------------------------ large scales, and memory


def test_large_scales_are_those_of_the_whole_domain() -> None:
    field, deviation = white(), torch.tensor([3.0, 2.0, 1.0, 0.5])
    cascade = Cascade.of(*SHAPE, levels=LEVELS)
    large = torch.tensor([centre > HALF for centre in cascade.centres])
    assert large.tolist() == [True, False, False, False]
    both = made(field, deviation=deviation, model=LASTING, leads=3).draw(seeded())
    small = made(field, model=LASTING, leads=3).draw(seeded())
    wide = Noise(cascade, field, deviation * large, LASTING, 3).draw(seeded())
    assert wide.std() > 0.1
    torch.testing.assert_close(both - small, wide, rtol=0, atol=1e-4)


def test_small_scales_do_not_ask_for_the_deviation_of_the_domain() -> None:
    field = white()
    one, other = (
        made(field, deviation=torch.tensor([0.0, *rest])).draw(seeded())
        for rest in ((1.0, 1.0, 1.0), (5.0, 0.0, 9.0))
    )
    torch.testing.assert_close(one, other)


def test_it_fades_as_the_model_says() -> None:
    leads, phi = 6, 0.8
    lag = torch.full((LEVELS,), phi)
    model = AR2.fitted(lag, lag.square())
    found = draws(made(white(shape=(64, 96)), model=model, leads=leads), 40)
    response = model.response(leads)[:, 0]
    fresh = (found[:, 0].square() / response[0] ** 2).mean((1, 2))
    for lead in range(leads):
        expected = response[: lead + 1].square().sum() * fresh.mean()
        agree(found[:, lead].square().mean((1, 2)), expected)
    for ago in (1, 2, 3):
        product = (found[:, -1] * found[:, -1 - ago]).mean((1, 2))
        expected = (response[ago:] * response[:-ago]).sum() * fresh.mean()
        agree(product, expected)


def test_each_level_has_its_own_memory() -> None:
    leads = 12
    found = draws(made(white(shape=(64, 96)), model=LASTING, leads=leads), 10)
    levels = Cascade.of(64, 96, levels=LEVELS).levels(found)
    both = (levels[:, :, -1] * levels[:, :, -2]).mean((1, 2, 3))
    kept = both / levels[:, :, -2:].square().mean((1, 2, 3, 4))
    # they overlap: each has a share of the next, and the largest nothing else
    lags = LASTING.phi_1 / (1 - LASTING.phi_2)
    assert (kept[1:].diff() < 0).all()
    assert lags[2] < kept[1] < lags[0]
    assert lags[3] < kept[2] < lags[1]


# -------------------------------------------------------------------- its members


def test_the_mean_over_members_is_zero() -> None:
    found = draws(
        made(white(shape=(64, 96)), deviation=torch.ones(LEVELS), leads=2), 200
    )
    agree(found.mean((2, 3)), 0.0)
    # pixel by pixel as well, of which there are many
    error = found.std(0) / 200**0.5
    assert (found.mean(0).abs() <= 6 * error).all()


def test_members_know_nothing_of_each_other() -> None:
    noise = made(white(shape=(64, 96)), deviation=torch.ones(LEVELS), leads=2)
    found = draws(noise, 60)
    apart = torch.stack([(one * other).mean((1, 2)) for one, other in pairwise(found)])
    agree(apart, 0.0)
    alone = found.square().mean((0, 2, 3))
    assert (apart.std(0) / 60**0.5 < 0.1 * alone).all()


def test_the_same_seed_gives_the_same_noise() -> None:
    before = torch.random.get_rng_state()
    noise = made(white(shape=(64, 96)), deviation=torch.ones(LEVELS), leads=2)
    found, again = draws(noise, 2), draws(noise, 2)
    assert torch.equal(found, again)
    assert not torch.equal(found[0], found[1])
    assert torch.equal(torch.random.get_rng_state(), before)


# ------------------------------------------------------------------ any domain


@pytest.mark.parametrize(
    "shape", [(37, 48), (7, 5), (1, 40), (64, 200), (129, 130), (128, 64)], ids=str
)
def test_any_domain_has_noise(shape: tuple[int, int]) -> None:
    field = torch.rand(shape, generator=seeded())
    noise = made(field, deviation=torch.ones(3), model=model_of(3), leads=4, levels=3)
    found = noise.draw(seeded(1))
    assert found.shape == (4, *shape)
    assert found.isfinite().all()
    # every corner of it
    assert (found[0, :, 0].any(), found[0, :, -1].any()) == (True, True)
    assert (found[0, 0].any(), found[0, -1].any()) == (True, True)


def model_of(levels: int) -> AR2:
    return AR2.fitted(torch.full((levels,), 0.8), torch.full((levels,), 0.6))


def test_a_part_of_a_square_is_as_strong_as_its_field() -> None:
    found = []
    for seed in range(30):
        field = white(seed, (37, 48))
        drawn = draws(made(field), 2, 10 * seed)
        found.append(drawn.square().mean() / field.square().mean())
    # a share of it is of scales larger than half a square
    assert 0.8 < torch.stack(found).mean() < 1.05


def test_the_mean_of_a_small_domain_is_not_texture() -> None:
    """Its largest scales fit in half a square, and they hold the mean."""
    field = 0.1 * white(shape=(37, 48))
    low, high = (draws(made(field + mean), 4) for mean in (0.0, 1.0))
    torch.testing.assert_close(high.std(), low.std(), rtol=0.05, atol=0)


@pytest.mark.parametrize("value", [0.0, 0.7])
def test_a_constant_field_has_no_noise(value: float) -> None:
    field = torch.full((37, 150), value)
    found = made(field, deviation=torch.ones(LEVELS), leads=2).draw(seeded())
    assert found.abs().max() < 1e-5
