"""Dressing: members of the right amounts, texture and memory."""

import numpy as np
import pytest
import torch
from torch import Tensor

from stormfusion import Catalog, Event, sampling
from stormfusion.classical import Persistence
from stormfusion.data.task import Task
from stormfusion.data.windows import RandomWindows
from stormfusion.sampling import Dressing, ErrorAmounts, ErrorTexture
from stormfusion.sampling.conditions import (
    AMOUNT_EDGES,
    DEVIATES,
    RINGS,
    SURROUND_EDGES,
    bin_of,
    place_of,
    reaches,
    rings_of,
    surroundings,
)

LEADS = 3
SHAPES = [(64, 64), (48, 81), (37, 50)]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def dressing(*, slope: float = -2.0, memory: float = 0.8, radius: int = 6) -> Dressing:
    """Quantiles that rise with amount and deviate; power that falls with wavenumber."""
    amount = torch.linspace(0, 0.9, len(AMOUNT_EDGES) + 1)[:, None, None]
    surround = torch.ones(1, len(SURROUND_EDGES) + 1, 1)
    rows = (amount * surround + 0.05 * DEVIATES).clamp(min=0)
    power = (torch.arange(RINGS) + 1.0) ** slope
    return Dressing(
        rows.expand(LEADS, -1, -1, -1).contiguous(),
        power.expand(LEADS, -1).contiguous(),
        torch.tensor([0.0, memory, memory]),
        radius,
    )


def storm(shape: tuple[int, int] = (64, 64)) -> Tensor:
    y, x = torch.meshgrid(
        torch.arange(shape[0]) - 20.0, torch.arange(shape[1]) - 24.0, indexing="ij"
    )
    blob = 0.7 * torch.exp(-(y**2 + x**2) / 40)
    return torch.where(blob > 0.02, blob, 0.0).expand(LEADS, -1, -1).contiguous()


def drawn(made: Dressing, forecast: Tensor, members: range, seed: int = 1) -> Tensor:
    return torch.stack(list(made.members(forecast, members=members, seed=seed)))


def test_a_member_is_the_same_whoever_asks() -> None:
    few = drawn(dressing(), storm(), range(10))
    many = drawn(dressing(), storm(), range(100))
    assert torch.equal(few, many[:10])
    assert torch.equal(drawn(dressing(), storm(), range(7, 8))[0], many[7])
    assert len({member.sum().item() for member in many}) == 100


def test_another_seed_gives_other_members() -> None:
    one = drawn(dressing(), storm(), range(2))
    other = drawn(dressing(), storm(), range(2), seed=2)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_dry_stays_dry(shape: tuple[int, int]) -> None:
    dry = torch.zeros(LEADS, *shape)
    assert not drawn(dressing(), dry, range(3)).any()
    members = drawn(dressing(), storm(shape), range(5))
    assert members.isfinite().all()
    assert (members >= 0).all()
    for lead, reach in enumerate(reaches(LEADS, 6)):
        rain = (storm(shape)[lead] >= 0.1).nonzero()
        far = torch.ones(shape, dtype=torch.bool)
        y, x = rain.T
        far[
            max(int(y.min()) - reach, 0) : int(y.max()) + reach + 1,
            max(int(x.min()) - reach, 0) : int(x.max()) + reach + 1,
        ] = False
        assert far.any()
        assert torch.equal(members[:, lead, far], storm(shape)[lead, far].expand(5, -1))


def test_negative_forecasts_are_dry() -> None:
    members = drawn(dressing(), torch.full((LEADS, 20, 20), -0.3), range(2))
    assert not members.any()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("slope", [0.0, -2.0])
def test_noise_has_variance_one_and_the_spectrum(shape, slope: float) -> None:
    fitting = dressing(slope=slope).fitted_to(storm(shape))
    noise = torch.stack([fitting.noise(number, 0) for number in range(200)])
    # the mean of the map is of the noise, too: only over many members it is zero
    assert noise.mean().item() == pytest.approx(0, abs=0.1)
    variance = noise.square().mean((0, 2, 3))
    torch.testing.assert_close(variance, torch.ones(LEADS), atol=0.1, rtol=0)
    power = torch.fft.rfft2(noise[:, 0]).abs().square().mean(0).numpy()
    ring = rings_of(*shape)
    wanted = (ring + 1.0) ** slope
    inside = (ring > 2) & (ring < RINGS - 2)
    ratio = (power / wanted)[inside]
    ratio /= ratio.mean()
    coarse = [r.mean() for r in np.array_split(ratio[np.argsort(ring[inside])], 8)]
    np.testing.assert_allclose(coarse, 1, atol=0.12)


def test_noise_passes_from_lead_to_lead() -> None:
    fitting = dressing(slope=0.0, memory=0.8).fitted_to(storm())
    noise = torch.stack([fitting.noise(number, 0) for number in range(60)])
    for gap, expected in ((1, 0.8), (2, 0.64)):
        product = (noise[:, gap:] * noise[:, :-gap]).mean().item()
        assert product == pytest.approx(expected, abs=0.03)


def test_places_between_bins() -> None:
    amount = torch.tensor([0.0, 0.011, 0.0349, 0.0351, 0.5, 0.9, 2.0])
    place = place_of(amount, AMOUNT_EDGES)
    assert place[0] == 0
    assert place[-1] == len(AMOUNT_EDGES)
    assert (place.diff() >= 0).all()
    assert (place - bin_of(amount, AMOUNT_EDGES)).abs().max() <= 0.5 + 1e-5


def test_surroundings_by_hand() -> None:
    forecast = torch.zeros(2, 40, 30)
    forecast[:, 5, 7] = 0.4
    around, near = surroundings(forecast, 4)
    for lead, reach in enumerate(reaches(2, 4)):
        y, x = near[lead].nonzero().T
        rows, columns = (max(5 - reach, 0), 5 + reach), (max(7 - reach, 0), 7 + reach)
        assert (int(y.min()), int(y.max())) == rows
        assert (int(x.min()), int(x.max())) == columns
        inside = (5 + reach + 1 - rows[0]) * (7 + reach + 1 - columns[0])
        assert near[lead].sum() == inside
        # a pixel in the middle of its window: one of so many squares
        assert around[lead, 12, 14] == pytest.approx(
            0.4 / (2 * reach + 1) ** 2 if reach >= 7 else 0, abs=1e-6
        )
    assert not surroundings(torch.full((2, 9, 9), 0.09), 4)[1].any()


AMOUNTS = (0.225, 0.525, 0.775)
"""Centres of bins, so that nothing is lost between them."""


def toy(
    number: int, shape: tuple[int, int] = (60, 60)
) -> tuple[Tensor, Tensor, Tensor]:
    """
    A forecast of three amounts, and an observation of known distribution: dry with
    probability 0.3, else the amount and an exponential error.
    """
    generator = seeded(number)
    stripes = torch.tensor(AMOUNTS).repeat_interleave(shape[0] // 3)
    forecast = stripes[:, None].expand(LEADS, shape[0], shape[1]).contiguous()
    u = torch.rand(forecast.shape, generator=generator)
    excess = -0.1 * torch.log(torch.rand(forecast.shape, generator=generator))
    observed = torch.where(u < 0.3, 0.0, 0.6 * forecast + excess)
    return forecast, observed, torch.ones_like(forecast, dtype=torch.bool)


@pytest.fixture(scope="module")
def measured() -> Dressing:
    amounts = ErrorAmounts(LEADS, 6)
    for number in range(12):
        amounts.add(*toy(number))
    quantiles = amounts.quantiles()
    texture = ErrorTexture(quantiles, 6)
    for number in range(6):
        texture.add(*toy(number))
    return Dressing(quantiles, texture.spectrum(), texture.memory(), 6)


def interior(field: Tensor) -> Tensor:
    """Where the surroundings hold but one amount."""
    return torch.cat([field[..., 0:8, :], field[..., 48:60, :]], dim=-2)


def test_members_have_the_conditional_distribution(measured: Dressing) -> None:
    forecast, *_ = toy(99)
    members = interior(drawn(measured, forecast, range(120)))
    observed = interior(torch.stack([toy(n)[1] for n in range(100, 112)]))
    rows = interior(forecast)[0, :, 0]
    for amount in (AMOUNTS[0], AMOUNTS[2]):
        chosen = rows == amount
        ours, theirs = members[:, :, chosen], observed[:, :, chosen]
        for threshold in (0.01, 0.15, 0.3, 0.5, 0.7, 0.9):
            share = (ours >= threshold).float().mean().item()
            expected = (theirs >= threshold).float().mean().item()
            assert share == pytest.approx(expected, abs=0.035), (amount, threshold)
        assert ours.mean().item() == pytest.approx(theirs.mean().item(), rel=0.06)


def test_the_rank_histogram_is_flat(measured: Dressing) -> None:
    generator = seeded(5)
    counts = torch.zeros(10)
    for number in range(8):
        forecast, observed, _ = toy(200 + number)
        members = drawn(measured, forecast, range(9), seed=number)
        members, observed = interior(members), interior(observed)
        below = (members < observed).sum(0)
        ties = (members == observed).sum(0)
        chance = torch.rand(ties.shape, generator=generator)
        rank = below + (chance * (ties + 1)).floor().clamp(max=9)
        counts += torch.bincount(rank.long().flatten(), minlength=10)
    share = counts / counts.sum()
    assert share.sum() == pytest.approx(1)
    assert (share - 0.1).abs().max() < 0.025


def test_white_errors_have_no_memory_and_slow_ones_do() -> None:
    base, *_ = toy(0)
    valid = torch.ones_like(base, dtype=torch.bool)
    found = []
    for keep in (False, True):
        amounts = ErrorAmounts(LEADS, 6)
        samples = []
        for number in range(4):
            _, observed, _ = toy(number)
            if keep:
                observed = observed[:1].expand(LEADS, -1, -1).contiguous()
            samples.append((base, observed, valid))
            amounts.add(base, observed, valid)
        texture = ErrorTexture(amounts.quantiles(), 6)
        for sample in samples:
            texture.add(*sample)
        found.append(texture.memory())
    assert found[0].abs().max() < 0.05
    assert found[1][0] == 0
    assert found[1][1:].min() > 0.95


def test_smooth_errors_make_smooth_noise() -> None:
    base, *_ = toy(0)
    valid = torch.ones_like(base, dtype=torch.bool)
    power = []
    for size in (1, 9):
        amounts, samples = ErrorAmounts(LEADS, 6), []
        for number in range(4):
            noise = torch.randn((LEADS, 1, 60, 60), generator=seeded(number))
            if size > 1:
                noise = torch.nn.functional.avg_pool2d(noise, size, 1, size // 2)
            observed = (base + 0.1 * noise[:, 0] / noise.std()).clamp(min=0)
            samples.append((base, observed, valid))
            amounts.add(base, observed, valid)
        texture = ErrorTexture(amounts.quantiles(), 6)
        for sample in samples:
            texture.add(*sample)
        spectrum = texture.spectrum()[0]
        power.append(spectrum[20] / spectrum[4])
    assert power[1] < 0.1 * power[0]


def test_what_is_missing_is_not_counted() -> None:
    forecast, observed, valid = toy(0)
    spoilt = observed.clone()
    valid = valid.clone()
    valid[:, 10:30] = False
    spoilt[:, 10:30] = 1.0
    one, other = ErrorAmounts(LEADS, 6), ErrorAmounts(LEADS, 6)
    one.add(forecast, torch.where(valid, observed, 0.0), valid)
    other.add(forecast, spoilt, valid)
    assert np.array_equal(one.counts, other.counts)
    assert one.counts.sum() == valid.sum()


def test_nothing_known_is_an_error_and_a_dry_validation_is_not() -> None:
    forecast, observed, valid = toy(0)
    empty = ErrorAmounts(LEADS, 6)
    empty.add(forecast, observed, torch.zeros_like(valid))
    with pytest.raises(ValueError, match=r"no validation window holds a pixel"):
        empty.quantiles()
    dry = ErrorAmounts(LEADS, 6)
    dry.add(torch.zeros_like(forecast), torch.zeros_like(observed), valid)
    texture = ErrorTexture(dry.quantiles(), 6)
    texture.add(torch.zeros_like(forecast), torch.zeros_like(observed), valid)
    made = Dressing(dry.quantiles(), texture.spectrum(), texture.memory(), 6)
    # nothing is known of its errors, so the forecast stays about what it is
    members = drawn(made, forecast, range(2))
    assert (members - forecast).abs().max() < 0.03


def test_amounts_never_forecast_borrow_the_errors_of_lower_ones(
    measured: Dressing,
) -> None:
    strong = torch.full((LEADS, 40, 40), 0.88)
    members = drawn(measured, strong, range(20))
    wet = members[members > 0]
    assert wet.mean() > 0.5
    assert members.max() <= 1.25


def test_tensors_hold_it_all(measured: Dressing) -> None:
    again = Dressing.from_tensors(measured.to_tensors())
    forecast, *_ = toy(0)
    assert torch.equal(
        drawn(again, forecast, range(2)), drawn(measured, forecast, range(2))
    )


def test_windows_that_tell_the_same_are_counted_once() -> None:
    events = list(Catalog.synthetic(events=4, size=48, frames=26))
    task = Task.infer(events)
    network = Persistence().build(task)

    def windows(chosen: list[Event], count: int) -> RandomWindows:
        return RandomWindows(chosen, task, size=(48, 48), count=count)

    once, used = sampling.measure(network, task, [windows(events[:1], 1)], "cpu", {})
    often, same = sampling.measure(network, task, [windows(events[:1], 30)], "cpu", {})
    assert used == same == (1,)
    assert torch.equal(once.power, often.power)
    sources = [windows(events[:1], 8), windows(events[1:], 64)]
    both, used = sampling.measure(network, task, sources, "cpu", {})
    assert used == (1, 3)
    assert not torch.equal(both.quantiles, once.quantiles)
