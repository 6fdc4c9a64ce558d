"""Motion of rain that moves along known paths, and of what misleads an optical flow."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.classical.fields import (
    Array,
    error_of,
    frames_of,
    motion_of,
    rotation,
    shear,
    translation,
)
from torch import Tensor

from stormfusion.classical import motion, moving

METHODS = ["lucas-kanade", "spectral"]
FEW = 0.05
"""A few per cent of the speed, root mean square."""
SHAPE = (192, 256)
CENTER = ((SHAPE[0] - 1) / 2, (SHAPE[1] - 1) / 2)
STEADY = translation(1.3, -2.6)
FLOWS = {
    "translation": STEADY,
    "fast": translation(-4.8, 6.4),
    "rotation": rotation(0.03, *CENTER),
    "shear": shear(0.03, CENTER[0]),
    "sheared wind": shear(0.03, CENTER[0], along=4.0),
}

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA here")
each_method = pytest.mark.parametrize("method", METHODS)


def found(frames: Tensor, method: str = "lucas-kanade") -> Tensor:
    """The motion of one event, `(2, y, x)`."""
    return motion(frames[None], method=method)[0]


def holes(frames: Tensor, step: tuple[int, int]) -> Tensor:
    """The frames without a region that moves by a step."""
    spoilt = frames.clone()
    for time in range(len(frames)):
        y, x = 50 + step[0] * time, 90 + step[1] * time
        spoilt[time, y : y + 50, x : x + 70] = torch.nan
    return spoilt


# -------------------------------------------------------- motion comes back


@pytest.mark.parametrize("name", list(FLOWS))
@each_method
def test_motion_comes_back_to_a_few_per_cent(name: str, method: str) -> None:
    events = [frames_of(FLOWS[name], SHAPE, seed=seed) for seed in range(3)]
    frames, true = torch.stack(events), motion_of(FLOWS[name], SHAPE)
    told = motion(frames, method=method)
    assert error_of(told, true) <= FEW
    assert error_of(told, true, frames[:, -1] >= 0.1) <= FEW


@each_method
def test_slow_motion_comes_back_to_a_tenth_of_a_pixel(method: str) -> None:
    back = translation(0.4, -0.3)
    off = found(frames_of(back, SHAPE), method) - motion_of(back, SHAPE)
    assert off.square().sum(0).mean().sqrt() <= 0.1


@each_method
def test_rain_that_stays_stands_still(method: str) -> None:
    told = found(frames_of(translation(0.0, 0.0), SHAPE), method)
    torch.testing.assert_close(told, torch.zeros(2, *SHAPE), rtol=0, atol=1e-3)


@each_method
def test_half_the_way_between_frames_is_half_the_motion(method: str) -> None:
    back = translation(-3.0, 4.0)
    half = found(frames_of(back, SHAPE, interval=0.5), method)
    assert error_of(half, motion_of(back, SHAPE) / 2) <= FEW
    assert error_of(2 * half, found(frames_of(back, SHAPE), method)) <= FEW


@each_method
def test_backward_in_time_it_moves_back(method: str) -> None:
    frames = frames_of(STEADY, SHAPE)
    assert error_of(-found(frames.flip(0), method), found(frames, method)) <= FEW


def test_two_frames_do_and_those_before_the_last_three_are_not_looked_at() -> None:
    frames = frames_of(STEADY, SHAPE, count=5)
    assert error_of(found(frames[-2:]), motion_of(STEADY, SHAPE)) <= FEW
    spoilt = torch.cat((torch.full_like(frames[:2], torch.nan), frames[2:]))
    torch.testing.assert_close(found(frames), found(frames[-3:]), rtol=0, atol=0)
    torch.testing.assert_close(found(spoilt), found(frames), rtol=0, atol=0)


# -------------------------------------------------------------- symmetries


@each_method
@pytest.mark.parametrize("name", ["translation", "rotation"])
def test_mirrored_frames_have_the_mirrored_motion(name: str, method: str) -> None:
    frames = frames_of(FLOWS[name], SHAPE)
    told = found(frames, method)
    size = float(told.abs().max())
    sign = torch.tensor((-1.0, 1.0))[:, None, None]

    upside_down = found(frames.flip(-2), method).flip(-2) * sign
    torch.testing.assert_close(upside_down, told, rtol=0, atol=0.01 * size)
    left_to_right = found(frames.flip(-1), method).flip(-1) * -sign
    torch.testing.assert_close(left_to_right, told, rtol=0, atol=0.01 * size)
    transposed = found(frames.mT, method).mT.flip(0)
    torch.testing.assert_close(transposed, told, rtol=0, atol=0.01 * size)


def test_showers_elsewhere_move_alike() -> None:
    small = frames_of(STEADY, (96, 96))
    edge = torch.linspace(-1, 1, 96).abs()
    small = small * ((1 - edge[:, None]) * (1 - edge)).clamp(max=0.5)
    told = []
    for down, along in ((32, 32), (64, 96), (37, 51)):
        frames = torch.zeros(3, 192, 256)
        frames[:, down : down + 96, along : along + 96] = small
        told.append(found(frames)[:, down : down + 96, along : along + 96])

    # by whole pixels of the coarsest scale nothing changes but the edges of the map
    assert error_of(told[1], told[0]) <= 1e-3
    assert error_of(told[2], told[0]) <= FEW


@given(st.integers(0, 99), st.integers(-40, 40), st.integers(-40, 40))
@settings(max_examples=8, deadline=None)
def test_another_window_on_the_same_rain_sees_the_same_motion(
    seed: int, down: int, along: int
) -> None:
    back = shear(0.01, CENTER[0], along=4.0)

    def shifted(time: float, y: Array, x: Array) -> tuple[Array, Array]:
        return back(time, y + down, x + along)

    here = found(frames_of(back, SHAPE, seed=seed))
    there = found(frames_of(shifted, SHAPE, seed=seed))
    here, there = in_both(here, down, along), in_both(there, -down, -along)
    inside = (slice(None), slice(16, -16), slice(16, -16))
    assert error_of(there[inside], here[inside]) <= FEW


def in_both(values: Tensor, down: int, along: int) -> Tensor:
    """The part of a map that one moved by so many pixels holds, too."""
    height, width = values.shape[-2:]
    rows = slice(max(down, 0), height + min(down, 0))
    return values[..., rows, max(along, 0) : width + min(along, 0)]


def test_a_batch_is_as_each_alone() -> None:
    some = [frames_of(FLOWS[n], (64, 96), seed=i) for i, n in enumerate(FLOWS)]
    some += [torch.zeros(3, 64, 96), torch.full((3, 64, 96), torch.nan)]
    frames = torch.stack(some)
    together = motion(frames)
    assert moving(frames).tolist() == [True] * len(FLOWS) + [False, False]
    for number, one in enumerate(some):
        torch.testing.assert_close(together[number], found(one), rtol=0, atol=1e-3)


def test_half_precision_around_it_changes_nothing() -> None:
    frames = frames_of(STEADY, (64, 96))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        told = found(frames)
    torch.testing.assert_close(told, found(frames), rtol=0, atol=0)


@needs_cuda
@each_method
@pytest.mark.parametrize("name", FLOWS)
def test_a_gpu_finds_the_same(name: str, method: str) -> None:
    frames = frames_of(FLOWS[name], SHAPE)
    told = found(frames.to("cuda"), method)
    assert told.is_cuda
    assert error_of(told.cpu(), found(frames, method)) <= 1e-3


# ------------------------------------------------------- what may mislead it


@each_method
@pytest.mark.parametrize("growth", [0.03, -0.03])
def test_rain_that_grows_or_decays(growth: float, method: str) -> None:
    frames = frames_of(STEADY, SHAPE, growth=growth)
    # as much again as without growth: of its own, rain that grows by g looks like one
    # that moves by g I / |grad I|, ten times as much
    assert error_of(found(frames, method), motion_of(STEADY, SHAPE)) <= 2 * FEW


@each_method
def test_clutter_that_stays_does_not_hold_the_rain(method: str) -> None:
    clutter = torch.rand(SHAPE, generator=torch.manual_seed(0)) < 0.02
    frames = torch.where(clutter, 0.7, frames_of(STEADY, SHAPE))
    assert error_of(found(frames, method), motion_of(STEADY, SHAPE)) <= FEW


@each_method
@pytest.mark.parametrize("step", [(0, 0), (5, 9), (-7, 4)])
def test_a_region_without_data_that_stays_or_moves(
    step: tuple[int, int], method: str
) -> None:
    frames = holes(frames_of(STEADY, SHAPE), step)
    assert error_of(found(frames, method), motion_of(STEADY, SHAPE)) <= FEW


@each_method
@pytest.mark.parametrize("frame", [0, 2])
def test_one_of_three_frames_missing_at_an_end(frame: int, method: str) -> None:
    frames = frames_of(STEADY, SHAPE)
    frames[frame] = torch.nan
    assert bool(moving(frames[None]))
    assert error_of(found(frames, method), motion_of(STEADY, SHAPE)) <= FEW


@each_method
def test_a_missing_frame_between_two_others_is_stepped_over(method: str) -> None:
    frames = frames_of(STEADY, SHAPE)
    frames[1] = torch.nan
    assert moving(frames[None]).tolist() == [True]
    assert error_of(found(frames, method), motion_of(STEADY, SHAPE)) <= FEW


@each_method
def test_pixels_missing_here_and_there_do_not_matter(method: str) -> None:
    frames = frames_of(STEADY, SHAPE)
    spoilt = torch.rand(frames.shape, generator=torch.manual_seed(0)) < 0.1
    told = found(frames.masked_fill(spoilt, torch.nan), method)
    assert error_of(told, motion_of(STEADY, SHAPE)) <= FEW


@pytest.mark.parametrize("waves", [(8, 48), (8, 128)], ids=str)
def test_fast_motion_comes_back(waves: tuple[float, float]) -> None:
    back = translation(20.0, 30.0)
    told = found(frames_of(back, (256, 320), waves=waves))
    assert error_of(told, motion_of(back, (256, 320))) <= FEW


@each_method
def test_infinite_values_are_missing_ones(method: str) -> None:
    frames = frames_of(STEADY, SHAPE)
    spoilt, missing = frames.clone(), frames.clone()
    spoilt[:, 50:60, 50:90], missing[:, 50:60, 50:90] = torch.inf, torch.nan
    spoilt[1, 5:9], missing[1, 5:9] = -torch.inf, torch.nan
    told = found(spoilt, method)
    torch.testing.assert_close(told, found(missing, method), rtol=0, atol=0)
    assert error_of(told, motion_of(STEADY, SHAPE)) <= FEW


# ----------------------------------------------- what has no motion to tell


def one_wet_pixel() -> Tensor:
    frames = torch.zeros(3, 64, 80)
    for time in range(3):
        frames[time, 30, 30 + 3 * time] = 0.9
    return frames


STILL = {
    "dry": torch.zeros(3, 64, 80),
    "all missing": torch.full((3, 64, 80), torch.nan),
    "all infinite": torch.full((3, 64, 80), torch.inf),
    "a single wet pixel": one_wet_pixel(),
    "rain in one frame only": torch.eye(3)[2].reshape(3, 1, 1) * torch.ones(64, 80),
}


@each_method
@pytest.mark.parametrize("name", STILL)
def test_where_no_pair_of_frames_shows_rain_nothing_moves(
    name: str, method: str
) -> None:
    assert moving(STILL[name][None]).tolist() == [False]
    told = found(STILL[name], method)
    torch.testing.assert_close(told, torch.zeros(2, 64, 80), rtol=0, atol=0)


@each_method
def test_a_constant_field_stands_still(method: str) -> None:
    told = found(torch.full((3, 64, 80), 0.5), method)
    torch.testing.assert_close(told, torch.zeros(2, 64, 80), rtol=0, atol=1e-3)


def test_enough_rain_to_tell_is_25_pixels_in_two_frames() -> None:
    frames = torch.zeros(2, 3, 16, 16)
    frames[0, :2, 4:9, 4:9] = 0.1
    frames[1, :2, 4:9, 4:9] = 0.1
    frames[1, 1, 4, 4] = 0.0999
    assert moving(frames).tolist() == [True, False]


@each_method
def test_dry_areas_are_no_wilder_than_the_rain(method: str) -> None:
    back = shear(0.02, CENTER[0], along=4.0)
    frames = frames_of(back, SHAPE, dry=0.7)
    told, wet = found(frames, method), frames[-1] >= 0.1
    assert 0.05 < wet.float().mean() < 0.2
    true = motion_of(back, SHAPE)
    margin = FEW * true.square().sum(0).sqrt().max()
    for part in range(2):
        low, high = torch.stack((told[part][wet], true[part][wet])).aminmax()
        dry = told[part][~wet]
        assert low - margin <= dry.min() <= dry.max() <= high + margin


@each_method
def test_dry_all_around_moves_with_the_rain(method: str) -> None:
    shower = torch.zeros(3, *SHAPE)
    y, x = torch.meshgrid(torch.arange(192.0), torch.arange(256.0), indexing="ij")
    for time in range(3):
        from_y, from_x = y - 1.3 * (time - 2) - 96, x + 2.6 * (time - 2) - 128
        shower[time] = 0.8 * torch.exp(-(from_y**2 / 200 + from_x**2 / 400))
    assert error_of(found(shower, method), motion_of(STEADY, SHAPE)) <= FEW


# ----------------------------------------------------------------- any grid


@each_method
@pytest.mark.parametrize("shape", [(37, 48), (33, 97), (65, 40)], ids=str)
def test_grids_of_any_size(shape: tuple[int, int], method: str) -> None:
    back = translation(1.2, -1.6)
    told = found(frames_of(back, shape, waves=(8, 24)), method)
    assert told.shape == (2, *shape)
    # of a twentieth of the pixels: further off than on a map of usual size
    most = {"lucas-kanade": 2, "spectral": 4}[method] * FEW
    assert error_of(told, motion_of(back, shape)) <= most


@each_method
@pytest.mark.parametrize("shape", [(7, 5), (1, 40), (40, 1), (1, 1), (2, 3)], ids=str)
def test_the_smallest_grids_have_a_motion_no_larger_than_they(
    shape: tuple[int, int], method: str
) -> None:
    frames = frames_of(translation(0.5, 0.5), shape, waves=(8, 16), dry=-2.0)
    told = found(frames, method)
    assert told.shape == (2, *shape)
    assert told.isfinite().all()
    assert told[0].abs().max() <= shape[0]
    assert told[1].abs().max() <= shape[1]


@given(
    st.integers(0, 999),
    st.tuples(st.integers(2, 5), st.integers(1, 50), st.integers(1, 50)),
    st.sampled_from(METHODS),
    st.sampled_from([torch.nan, torch.inf, -torch.inf, 1e30, -3.0, 0.0]),
    st.floats(0, 1),
)
@settings(max_examples=15, deadline=None)
def test_whatever_comes_in_finite_numbers_come_out(
    seed: int, shape: tuple[int, int, int], method: str, junk: float, share: float
) -> None:
    generator = torch.manual_seed(seed)
    frames = torch.rand(shape, generator=generator)
    spoilt = torch.rand(shape, generator=generator) < share
    frames = torch.where(spoilt, junk, frames)
    told = found(frames, method)
    assert told.shape == (2, *shape[1:])
    assert told.isfinite().all()


# ------------------------------------------------------------------- errors


def test_errors_say_what_to_do() -> None:
    with pytest.raises(ValueError, match=r"got 1 frame, .* use more history"):
        motion(torch.zeros(1, 1, 8, 8))
    with pytest.raises(ValueError, match=r"'farneback', wanted 'lucas-kanade' or"):
        motion(torch.zeros(1, 3, 8, 8), method="farneback")  # type: ignore[arg-type]
