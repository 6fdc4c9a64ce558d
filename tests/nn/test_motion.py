"""Motion of the last frames, and what is forecast by it."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from stormfusion.nn.motion import FADE, advect, motion

DIRECTIONS = [(2, 0), (0, 3), (-2, 1), (1.5, -2.5), (-4, -4), (0.5, 0.3), (0, -8)]


def texture(size: int, *, margin: int = 60) -> Tensor:
    """A smooth field of showers, wider than the window that is cut from it."""
    field = torch.randn(
        (1, 1, size + 2 * margin, size + 2 * margin), generator=seeded()
    )
    for _ in range(3):
        field = F.avg_pool2d(field, 9, 1, 4)
    return 0.4 * (field / field.std() - 0.8).clamp(min=0)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def carried(
    velocity: tuple[float, float], *, size: int = 128, frames: int = 4
) -> Tensor:
    """Frames of a texture that moves uniformly: `(1, time, 2, y, x)`."""
    margin, field = 60, texture(size)
    whole = field.shape[-1]
    row, column = torch.meshgrid(
        torch.arange(size) + margin + 0.5,
        torch.arange(size) + margin + 0.5,
        indexing="ij",
    )
    found = []
    for step in range(frames):
        y, x = row - velocity[0] * step, column - velocity[1] * step
        grid = torch.stack([x, y], dim=-1)[None] / whole * 2 - 1
        found.append(F.grid_sample(field, grid, align_corners=False)[0, 0])
    values = torch.stack(found)
    return torch.stack([values, torch.ones_like(values)], dim=1)[None]


@pytest.mark.parametrize("velocity", DIRECTIONS, ids=str)
def test_a_uniform_translation_comes_back(velocity: tuple[float, float]) -> None:
    past = carried(velocity)
    found = motion(past)[0]
    inside = (past[0, -1, 0] > 0.05)[16:-16, 16:-16]
    error = found[:, 16:-16, 16:-16][:, inside] - torch.tensor(velocity)[:, None]
    assert error.norm(dim=0).mean() < 0.04 * max(map(abs, velocity)) + 0.1


def test_still_frames_do_not_move() -> None:
    assert motion(carried((0, 0))).abs().max() < 0.05


@pytest.mark.parametrize("shape", [(1, 4, 2, 64, 64), (2, 3, 4, 33, 50)])
def test_dry_frames_do_not_move(shape: tuple[int, ...]) -> None:
    past = torch.zeros(shape)
    past[:, :, 1] = 1
    assert torch.equal(motion(past), torch.zeros(shape[0], 2, *shape[-2:]))


@pytest.mark.parametrize("frames", [1, 2, 3, 13])
@pytest.mark.parametrize(
    "size", [(1, 1), (3, 5), (8, 8), (9, 31), (45, 67), (64, 17)], ids=str
)
def test_any_history_on_any_grid(frames: int, size: tuple[int, int]) -> None:
    past = torch.rand((1, frames, 2, *size), generator=seeded())
    velocity = motion(past)
    assert velocity.shape == (1, 2, *size)
    assert velocity.isfinite().all()
    if frames == 1 or min(size) < 8:
        assert not velocity.any()
    forecast = advect(past[:, -1, 0], velocity, 3)
    assert forecast.shape == (1, 3, *size)
    assert forecast.isfinite().all()


def test_a_displacement_is_per_frame_whatever_the_history() -> None:
    for frames in (2, 3, 4, 8):
        past = carried((0, 3), frames=frames)
        rain = past[0, -1, 0] > 0.05
        assert motion(past)[0, 1][rain].mean() == pytest.approx(3, abs=0.3)


def test_missing_data_does_not_hold_the_storms_back() -> None:
    past = carried((1.5, -2.5))
    row, column = torch.meshgrid(
        torch.arange(128.0), torch.arange(128.0), indexing="ij"
    )
    known = ((row - 64) ** 2 + (column - 64) ** 2 < 58**2).float()
    past *= known
    rain = past[0, -1, 0] > 0.05
    found = motion(past)[0][:, rain]
    assert found.mean(1).tolist() == pytest.approx([1.5, -2.5], abs=0.1)
    assert found.std(1).max() < 0.3


def test_frames_all_missing_do_not_move() -> None:
    assert not motion(torch.zeros(1, 4, 2, 40, 40)).any()


def test_each_of_a_batch_moves_by_itself() -> None:
    past = torch.cat([carried((2, 0)), carried((0, -2))])
    together = motion(past)
    alone = torch.cat([motion(one[None]) for one in past])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


def test_no_velocity_is_persistence() -> None:
    frame = torch.rand(2, 9, 7)
    forecast = advect(frame, torch.zeros(2, 2, 9, 7), 3)
    assert torch.equal(forecast, frame[:, None].expand(2, 3, 9, 7))


def test_whole_shifts_are_exact_and_what_comes_from_outside_fades() -> None:
    frame = torch.rand(1, 12, 15)
    velocity = torch.tensor([2.0, -1.0])[None, :, None, None].expand(1, 2, 12, 15)
    forecast = advect(frame, velocity, 2)
    assert torch.equal(forecast[0, 0, 2:, :-1], frame[0, :-2, 1:])
    assert torch.equal(forecast[0, 1, 4:, :-2], frame[0, :-4, 2:])
    torch.testing.assert_close(
        forecast[0, 0, 0, :-1], frame[0, 0, 1:] * math.exp(-2 / FADE)
    )


def test_half_a_pixel_is_the_mean_of_two() -> None:
    frame = torch.tensor([[[0.0, 1.0, 4.0]]])
    velocity = torch.tensor([0.0, 0.5])[None, :, None, None].expand(1, 2, 1, 3)
    assert advect(frame, velocity, 1).flatten().tolist() == [0.0, 0.5, 2.5]


def test_gradients_flow_to_the_velocity() -> None:
    frame = carried((0, 0))[:, -1, 0]
    velocity = torch.zeros(1, 2, 128, 128).requires_grad_()
    (advect(frame, velocity, 2) - frame.roll(1, -1)[:, None]).square().sum().backward()
    assert velocity.grad is not None
    assert velocity.grad.isfinite().all()
    # moving to the right makes it better
    assert velocity.grad[:, 1].sum() < 0


def test_far_too_fast_leaves_nothing() -> None:
    forecast = advect(torch.rand(1, 8, 8), torch.full((1, 2, 8, 8), 1e4), 3)
    assert torch.equal(forecast, torch.zeros(1, 3, 8, 8))
