"""Futures of little rain, of what is not known, and of small maps."""

from typing import Any

import pytest
import torch
from tests.classical.futures import (
    BOTH,
    DUST,
    LEADS,
    SHAPE,
    amounts_of,
    both,
    changing,
    distributed,
    everywhere,
    futures,
)


@BOTH
def test_dry_stays_dry(noise: Any) -> None:
    found = both(futures(torch.zeros(3, *SHAPE), noise=noise))
    assert torch.equal(found, torch.zeros(3, LEADS, *SHAPE))


@BOTH
def test_dry_stays_dry_though_it_rained_before(noise: Any) -> None:
    frames = changing()
    frames[-1] = 0.0
    assert not both(futures(frames, noise=noise)).any()


@BOTH
def test_nothing_known_stays_unknown(noise: Any) -> None:
    assert both(futures(torch.full((3, *SHAPE), torch.nan), noise=noise)).isnan().all()


@BOTH
def test_a_constant_field_stays_constant(noise: Any) -> None:
    frames = torch.full((3, *SHAPE), 0.5)
    found = both(futures(frames, noise=noise))
    torch.testing.assert_close(found, amounts_of(frames[-1]).expand_as(found))


@BOTH
@pytest.mark.parametrize("value", [0.5, 1e3])
def test_a_single_wet_pixel(noise: Any, value: float) -> None:
    frames = torch.zeros(3, *SHAPE)
    frames[:, 20, 30] = value
    found = both(futures(frames, noise=noise))
    # once more than one pixel in a step would have it, each has a share
    assert found.isfinite().all()
    assert (found >= 0).all()
    assert (found.amax((2, 3)) <= amounts_of(frames[-1]).max()).all()
    assert ((found > DUST * value).sum((2, 3)) <= 2).all()
    assert found[:, 0].amax((1, 2)).min() > 0


@BOTH
def test_a_very_large_pixel_spoils_no_other(noise: Any) -> None:
    frames = changing()
    frames[-1, 20, 30] = 1e4
    found = both(futures(frames, noise=noise))
    assert found.isfinite().all()
    assert (found.amax((2, 3)) <= amounts_of(frames[-1]).max()).all()
    assert (found > 0).any((2, 3)).all()


@BOTH
def test_it_never_rains_where_nothing_is_known(noise: Any) -> None:
    frames = everywhere()
    frames[-1, :, :20] = torch.nan
    frames[0, 30:] = torch.nan
    found = both(futures(frames, noise=noise))
    assert found[..., :20].isnan().all()
    assert found[..., 20:].isfinite().all()
    # amounts go to pixels that are known, all of them
    for member in found:
        for field in member:
            distributed(field[:, 20:], amounts_of(frames[-1, :, 20:]))


@BOTH
@pytest.mark.parametrize("frame", [0, 1])
def test_a_whole_frame_missing_leaves_a_forecast(noise: Any, frame: int) -> None:
    frames = changing()
    frames[frame] = torch.nan
    found = both(futures(frames, noise=noise))
    assert found.isfinite().all()
    assert (found > 0).any((2, 3)).all()


@BOTH
@pytest.mark.parametrize("shape", [(37, 48), (7, 5), (1, 40), (64, 200)], ids=str)
def test_any_grid(noise: Any, shape: tuple[int, int]) -> None:
    frames = torch.rand(3, *shape, generator=torch.Generator().manual_seed(0))
    found = both(futures(frames, noise=noise, leads=2))
    assert found.shape == (3, 2, *shape)
    assert found.isfinite().all()
    assert (found.amax((2, 3)) <= amounts_of(frames[-1]).max() * (1 + 1e-5)).all()
    assert (found > 0).any((2, 3)).all()


@BOTH
@pytest.mark.parametrize("levels", range(2, 9))
def test_any_number_of_levels(noise: Any, levels: int) -> None:
    frames = changing((37, 48))
    found = both(futures(frames, noise=noise, levels=levels, leads=2))
    assert found.isfinite().all()
    for member in found:
        distributed(member[-1], amounts_of(frames[-1]))
