"""Rain that changes, and its futures."""

from typing import Any

import pytest
import torch
from tests.classical.fields import frames_of, translation
from torch import Tensor

from stormfusion.classical import Scenarios
from stormfusion.classical.matching import BINS

SHAPE = (48, 64)
LEADS = 4
LEAST = 0.1
DUST = 1e-3
"""What interpolation, to places known to a millionth, leaves beside heavy rain."""
BOTH = pytest.mark.parametrize("noise", ["global", "local"])


def amounts_of(numbers: Tensor) -> Tensor:
    """Network numbers as what adds up, faint rain too."""
    return 30.0 * numbers.clamp(min=0) ** 2


def still(shape: tuple[int, int], speed: tuple[float, float] = (0.0, 0.0)) -> Tensor:
    return torch.tensor(speed)[None, :, None, None].expand(1, 2, *shape)


def futures(frames: Tensor, **options: Any) -> Scenarios:
    shape = tuple(frames.shape[-2:])
    given = {
        "velocity": still(shape),
        "least": LEAST,
        "leads": LEADS,
        "interval": 300,
        "spacing": 1000.0,
        "levels": 4,
        "errors": None,
        **options,
    }
    return Scenarios(frames[None], amounts_of(frames[-1]), **given)


def changing(
    shape: tuple[int, int] = SHAPE, *, seed: int = 0, dry: float = -0.5
) -> Tensor:
    """Rain of which the small scales are new in each frame."""
    large = frames_of(translation(0, 0), shape, seed=seed, dry=dry)
    small = [
        frames_of(translation(0, 0), shape, seed=100 + 3 * seed + n, waves=(4, 8))[0]
        for n in range(3)
    ]
    both = (large + 0.5 * torch.stack(small) * (large > 0)).clamp(0, 1)
    return torch.where(both >= LEAST, both, 0.0)


def everywhere(shape: tuple[int, int] = SHAPE, *, seed: int = 0) -> Tensor:
    """Rain in each pixel, of which all scales change."""
    return 0.15 + changing(shape, seed=seed, dry=-3.0)


def drawn(scenarios: Scenarios, count: int, *, seed: int = 0) -> Tensor:
    return torch.stack(list(scenarios.members(range(count), seed=seed)))


def ranked(field: Tensor) -> Tensor:
    return field[~field.isnan()].sort(descending=True).values


def distributed(found: Tensor, observed: Tensor) -> None:
    """
    Each rank has its amount, to within the ranks of a step.

    No step of these fields holds more than a few times its even share.
    """
    wanted, values = ranked(observed), ranked(found)
    assert len(wanted) == len(values)
    wet = int((values > DUST).sum())
    some = max(16 * len(values) // BINS, 2)
    low = torch.cat((wanted[some:], torch.zeros(some)))
    high = torch.cat((wanted[:1].expand(some), wanted[:-some]))
    assert wet > 0
    assert (values[:wet] >= low[:wet] - DUST).all()
    assert (values <= high + DUST).all()


def both(scenarios: Scenarios) -> Tensor:
    return torch.cat((scenarios.mean()[None], drawn(scenarios, 2)))
