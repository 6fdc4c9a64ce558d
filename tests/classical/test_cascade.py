"""The cascade: levels that sum to the field, each of them waves of its own length."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from stormfusion.classical import Cascade
from stormfusion.classical.cascade import (
    fast,
    padded,
    products,
    tapered,
    wavenumbers,
)

SHAPES = [(2, 3), (7, 5), (1, 9), (2, 2), (37, 48), (31, 31), (64, 17), (50, 96)]
SIZES = st.tuples(st.integers(1, 40), st.integers(2, 40))
FEW = settings(max_examples=15, deadline=None)


def rough(*shape: int, seed: int = 0) -> Tensor:
    """White noise that is not centred, so that its mean is seen to go somewhere."""
    return 3.0 + torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def plane(shape: tuple[int, int], wavelength: float, degrees: float) -> Tensor:
    """A wave that runs in a direction, counted from the rows to the columns."""
    y, x = torch.meshgrid(*(torch.arange(size) for size in shape), indexing="ij")
    turn = math.radians(degrees)
    along = y * math.cos(turn) + x * math.sin(turn)
    return torch.cos(2 * math.pi * along / wavelength + 0.3)


def whole(cascade: Cascade, field: Tensor) -> Tensor:
    """Levels on the extended domain, from the full transform, in double precision."""
    transformed = torch.fft.fft2(cascade.extended(field).double())
    height, width = cascade.shape
    half = width // 2
    mirrored = cascade.filters[..., 1:half].flip(-1, -2).roll(1, -2)
    filters = torch.cat((cascade.filters, mirrored), -1).double()
    assert filters.shape[1:] == (height, width)
    return torch.fft.ifft2(transformed * filters).real


# ------------------------------------------------------------- levels and their sum


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("levels", [2, 6, 9])
def test_levels_sum_to_the_field(shape: tuple[int, int], levels: int) -> None:
    field = rough(*shape)
    found = Cascade.of(*shape, levels=levels).levels(field)
    assert found.shape == (levels, *shape)
    torch.testing.assert_close(found.sum(0), field, atol=1e-5, rtol=0)


@FEW
@given(SIZES, st.integers(2, 8), st.floats(1e-3, 1e6), st.booleans())
def test_levels_sum_to_any_field(
    size: tuple[int, int], levels: int, scale: float, turned: bool
) -> None:
    shape = size[::-1] if turned else size
    field = scale * rough(*shape, seed=levels)
    found = Cascade.of(*shape, levels=levels).levels(field).sum(0)
    torch.testing.assert_close(found / scale, field / scale, atol=1e-5, rtol=0)


def test_levels_of_many_fields_are_those_of_each() -> None:
    cascade = Cascade.of(13, 20, levels=3)
    fields = rough(2, 3, 13, 20)
    found = cascade.levels(fields)
    assert found.shape == (3, 2, 3, 13, 20)
    torch.testing.assert_close(found[:, 1, 2], cascade.levels(fields[1, 2]))


def test_a_transform_comes_back() -> None:
    cascade = Cascade.of(13, 20, levels=3)
    field = rough(13, 20)
    torch.testing.assert_close(cascade.back(cascade.transform(field)), field)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_constant_field_is_of_the_first_level(shape: tuple[int, int]) -> None:
    first, *others = Cascade.of(*shape).levels(torch.full(shape, 7.0))
    # Gaussians overlap: the second level is given exp(-2) for 1 of the first
    tails = sum(math.exp(-2.0 * k**2) for k in range(6))
    torch.testing.assert_close(first, torch.full(shape, 7 / tails))
    assert all((level < 7 * math.exp(-2)).all() for level in others)
    assert all(level.std() < 1e-5 for level in (first, *others))


# --------------------------------------------------------------- filters, and waves


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("levels", [2, 6, 9])
def test_filters_are_positive_and_sum_to_one(
    shape: tuple[int, int], levels: int
) -> None:
    filters = Cascade.of(*shape, levels=levels).filters
    assert len(filters) == levels
    assert filters.isfinite().all()
    assert (filters >= 0).all()
    torch.testing.assert_close(filters.sum(0), torch.ones_like(filters[0]))


@FEW
@given(SIZES, st.integers(2, 8))
@example((2, 2), 3)
def test_centres_descend_from_the_domain_to_two_pixels(
    size: tuple[int, int], levels: int
) -> None:
    longer = max(size)
    centres = np.array(Cascade.of(*size, levels=levels).centres)
    assert len(centres) == levels
    assert (centres <= longer).all()
    assert (centres >= 2 - 1e-9).all()
    # the ratio is the same everywhere, and its K-th power is half the longer side
    steps = centres[:-1] / centres[1:]
    np.testing.assert_allclose(steps**levels, longer / 2)
    assert (steps > 1).all() or longer == 2
    np.testing.assert_allclose(centres[0] ** 2, longer**2 / steps[0])


@pytest.mark.parametrize("shape", [(37, 48), (31, 31), (64, 17), (50, 96)], ids=str)
def test_filters_are_what_the_formula_says(shape: tuple[int, int]) -> None:
    levels, longer = 5, max(shape)
    cascade = Cascade.of(*shape, levels=levels)
    q = (longer / 2) ** (1 / levels)
    down, across = np.meshgrid(
        np.fft.fftfreq(cascade.shape[0]),
        np.fft.rfftfreq(cascade.shape[1]),
        indexing="ij",
    )
    kappa = np.hypot(down, across) * longer
    inside = (kappa > q**0.5) & (kappa < q ** (levels - 0.5))
    assert inside.mean() > 0.3
    place = np.log(kappa[inside]) / np.log(q)
    weights = np.exp(-2 * (place - np.arange(levels)[:, None] - 0.5) ** 2)
    expected = weights / weights.sum(0)
    np.testing.assert_allclose(cascade.filters[:, inside], expected, atol=1e-5)


@pytest.mark.parametrize("shape", [(96, 96), (50, 96), (97, 61)], ids=str)
@pytest.mark.parametrize("degrees", [0, 30, 45, 90, 120, 160])
def test_a_wave_is_of_the_level_of_its_length(
    shape: tuple[int, int], degrees: float
) -> None:
    cascade = Cascade.of(*shape, levels=5)
    tried = [k for k, at in enumerate(cascade.centres) if at < min(shape) / 2]
    assert len(tried) >= 3
    for level in tried:
        field = plane(shape, cascade.centres[level], degrees)
        variance = cascade.levels(field).var((1, 2))
        assert variance.argmax() == level
        assert variance[level] > 0.5 * variance.sum()


def test_a_level_does_not_know_directions() -> None:
    cascade = Cascade.of(60, 96, levels=5)
    for level in (2, 3):
        kept = [
            cascade.levels(plane((60, 96), cascade.centres[level], degrees))[level]
            for degrees in (0, 25, 50, 90, 140)
        ]
        # away from the edges, where a wave is not joined to anything; filters hold
        # 1 / (1 + 2 exp(-2) + 2 exp(-8)) of the amplitude at their centre
        middle = torch.stack(kept)[:, 20:-20, 20:-20].std((1, 2))
        expected = 0.787 / 2**0.5
        torch.testing.assert_close(
            middle, torch.full((5,), expected), atol=0, rtol=0.05
        )


def test_turning_the_domain_turns_its_levels() -> None:
    field = rough(25, 40)
    upright = Cascade.of(25, 40, levels=4).levels(field)
    turned = Cascade.of(40, 25, levels=4).levels(field.T)
    torch.testing.assert_close(turned.mT, upright, atol=1e-5, rtol=0)


@FEW
@given(st.integers(1, 40), st.integers(1, 40))
def test_wavenumbers_are_lengths_of_the_wave_vector(height: int, width: int) -> None:
    found = wavenumbers((height, width))
    assert found.shape == (height, width // 2 + 1)
    down, across = np.fft.fftfreq(height), np.fft.rfftfreq(width)
    expected = np.sqrt(down[:, None] ** 2 + across**2)
    np.testing.assert_allclose(found, expected, atol=1e-6)


# ------------------------------------------------------------- the extended domain


@FEW
@given(SIZES)
def test_the_extended_domain_joins_its_edges(size: tuple[int, int]) -> None:
    cascade = Cascade.of(*size)
    field = rough(*size)
    extended = cascade.extended(field)
    assert extended.shape == cascade.shape
    assert torch.equal(extended[: size[0], : size[1]], field)
    assert extended.amax() <= field.amax() + 1e-5
    assert extended.amin() >= field.amin() - 1e-5
    # beyond the edge it goes in even steps from the last pixel to the first
    for axis in (0, 1):
        beyond = cascade.shape[axis] - size[axis]
        assert beyond >= 16
        around = torch.cat((extended, extended.narrow(axis, 0, 1)), axis)
        step = around.narrow(axis, size[axis] - 1, beyond + 2).diff(dim=axis)
        torch.testing.assert_close(step, step.mean(axis, keepdim=True).expand_as(step))


@FEW
@given(st.integers(1, 3500))
@example(1)
@example(3516)
def test_fast_sizes_are_the_next_ones(size: int) -> None:
    powers = itertools.product(range(1, 13), range(9), range(6))
    smooth = (2**twos * 3**threes * 5**fives for twos, threes, fives in powers)
    assert fast(size) == min(number for number in smooth if number >= size)


# ------------------------------------------------------------------------ products


@pytest.mark.parametrize("shape", [(2, 3), (7, 5), (37, 48), (20, 33)], ids=str)
def test_products_are_those_of_the_levels(shape: tuple[int, int]) -> None:
    cascade = Cascade.of(*shape, levels=4)
    one, other = rough(*shape), rough(*shape, seed=1)
    found = products(cascade, cascade.transform(one), cascade.transform(other))
    levels = [whole(cascade, field) for field in (one, other)]
    a, b = (level - level.mean((1, 2), keepdim=True) for level in levels)
    expected = (a * b).sum((1, 2)) * math.prod(cascade.shape)
    size = (a.square().sum((1, 2)) * b.square().sum((1, 2))).sqrt()
    error = (found - expected).abs() / (size * math.prod(cascade.shape))
    assert error.max() < 1e-4


def power(cascade: Cascade, wave: torch.Tensor) -> torch.Tensor:
    return products(cascade, wave, wave)


def test_power_is_the_product_with_itself_whatever_the_mean() -> None:
    cascade = Cascade.of(20, 33, levels=4)
    fields = rough(2, 3, 20, 33)
    found = power(cascade, cascade.transform(fields))
    assert found.shape == (2, 3, 4)
    assert (found > 0).all()
    shifted = power(cascade, cascade.transform(fields[1, 2] + 5.0))
    torch.testing.assert_close(shifted, found[1, 2], rtol=1e-3, atol=0)
    doubled = power(cascade, cascade.transform(2.0 * fields))
    torch.testing.assert_close(doubled, 4.0 * found)


def test_correlations_of_levels_are_at_most_one() -> None:
    cascade = Cascade.of(7, 5, levels=3)
    fields = rough(50, 7, 5)
    waves = cascade.transform(fields)
    one, other = waves[:-1], waves[1:]
    both = products(cascade, one, other)
    torch.testing.assert_close(both, products(cascade, other, one))
    size = (power(cascade, one) * power(cascade, other)).sqrt()
    assert (both.abs() <= size * (1 + 1e-5)).all()
    assert both.min() < 0 < both.max()


# ----------------------------------------------------------------- the small helpers


@FEW
@given(st.integers(1, 60), st.integers(1, 60))
def test_tapered_fields_fade_at_the_edges_alone(height: int, width: int) -> None:
    weight = tapered(torch.ones(3, height, width))
    assert weight.shape == (3, height, width)
    assert (weight > 0).all()
    assert (weight <= 1).all()
    torch.testing.assert_close(weight, weight.flip(-1, -2))
    rows, columns = max(height // 10, 1), max(width // 10, 1)
    inner = weight[:, rows : height - rows, columns : width - columns]
    assert (inner == 1).all()
    # a half down, and another across, in the middle of each rim
    assert weight[0, 0, 0] <= 0.25 + 1e-6
    first, second = torch.ones(height, width), rough(height, width)
    both = tapered(first + second)
    torch.testing.assert_close(both, tapered(first) + tapered(second))


def test_padding_is_below_and_to_the_right() -> None:
    values = rough(2, 3, 4)
    found = padded(values, (5, 9))
    assert found.shape == (2, 5, 9)
    assert torch.equal(found[:, :3, :4], values)
    assert found.sum() == pytest.approx(values.sum().item(), rel=1e-6)
    assert torch.equal(padded(values, (3, 4)), values)


# -------------------------------------------------------------------------- errors


@pytest.mark.parametrize("levels", [1, 0, -3])
def test_fewer_than_two_levels_are_refused(levels: int) -> None:
    with pytest.raises(ValueError, match=f"levels is {levels}, wanted 2 or more; 6 is"):
        Cascade.of(32, 32, levels=levels)


def test_a_domain_of_one_pixel_is_refused() -> None:
    with pytest.raises(ValueError, match=r"has 1 x 1 pixels.*use a larger one"):
        Cascade.of(1, 1)
