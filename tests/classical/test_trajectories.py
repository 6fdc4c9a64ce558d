"""Trajectories: fields carried along by a motion, beside an integration in NumPy."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.classical.fields import (
    Array,
    frames_of,
    places,
    rotation,
    texture,
    translation,
    velocity_of,
)
from torch import Tensor

from stormfusion.classical import carried, displacements, extrapolated, trajectories
from stormfusion.classical.trajectories import Carrier

SHAPE = (48, 65)
MODES = ["bilinear", "nearest", "bicubic"]

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA here")


def wind(down: float, along: float, shape: tuple[int, int] = SHAPE) -> Tensor:
    """The same motion everywhere."""
    return torch.tensor([down, along])[None, :, None, None].expand(1, 2, *shape).clone()


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.manual_seed(seed))


def shifted(field: Tensor, down: int, along: int) -> Tensor:
    """By whole pixels; what comes in is missing."""
    wide = torch.nn.functional.pad(field, (20, 20, 20, 20), value=torch.nan)
    wide = wide.roll((down, along), (0, 1))
    return wide[20:-20, 20:-20]


def every_pixel(path: Tensor, shape: tuple[int, int]) -> Tensor:
    """Displacements at each pixel, linear between the nodes: `(lead, 2, y, x)`."""
    return torch.nn.functional.interpolate(
        path[0], size=shape, mode="bilinear", align_corners=True
    )


def runge_kutta(
    speed: Callable[[Array, Array], tuple[Array, Array]],
    shape: tuple[int, int],
    leads: int,
) -> Array:
    """Displacements of what arrives at each pixel, with twenty steps a frame."""
    start = np.stack(places(shape))
    place, step, found = start.copy(), 0.05, []

    def v(at: Array) -> Array:
        return np.stack(speed(*at))

    for _ in range(leads):
        for _ in range(round(1 / step)):
            k1 = v(place)
            k2 = v(place - step / 2 * k1)
            k3 = v(place - step / 2 * k2)
            k4 = v(place - step * k3)
            place = place - step / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        found.append(start - place)
    return np.stack(found)


# ------------------------------------------------------------- displacements


@pytest.mark.parametrize(
    "shape", [SHAPE, (37, 48), (7, 5), (1, 40), (40, 1), (1, 1)], ids=str
)
@pytest.mark.parametrize("speed", [(0.0, 0.0), (1.3, -2.6), (-9.0, 0.4), (100.0, 0.0)])
def test_a_uniform_motion_takes_all_equally_far(
    shape: tuple[int, int], speed: tuple[float, float]
) -> None:
    path = displacements(wind(*speed, shape), 72)
    assert path.shape[:3] == (1, 72, 2)
    leads = torch.arange(1.0, 73)[:, None] * torch.tensor(speed)
    expected = leads[None, :, :, None, None].expand_as(path)
    torch.testing.assert_close(path, expected, rtol=1e-4, atol=1e-4)


def test_the_way_back_is_that_of_a_runge_kutta_integration() -> None:
    shape, wave = (129, 129), 2 * np.pi / 128

    def speed(y: Array, x: Array) -> tuple[Array, Array]:
        # beyond the edge it is that of the edge
        y, x = np.clip(y, 0, 128), np.clip(x, 0, 128)
        return 1.5 * np.sin(wave * x), 1.0 + 1.5 * np.sin(wave * y)

    velocity = torch.tensor(np.stack(speed(*places(shape))), dtype=torch.float32)[None]
    found = displacements(velocity, 12)[0].double().numpy()
    true = runge_kutta(speed, shape, 12)[..., ::8, ::8]

    # linear between nodes 8 pixels apart the wind errs by h^2 / 8 times its second
    # derivative, and the error grows by the wind's slope on the way (Gronwall)
    wind_error, slope = 8**2 / 8 * 1.5 * wave**2, 1.5 * wave
    assert found.shape == true.shape == (12, 2, 17, 17)
    for lead in (1, 6, 12):
        error = np.abs(found - true)[lead - 1].max()
        assert error <= wind_error * np.expm1(slope * lead) / slope
        assert np.abs(true[lead - 1]).max() > 20 * error


@pytest.mark.parametrize("angle", [2 * np.pi / 60, -2 * np.pi / 40, 2 * np.pi / 16])
def test_after_a_full_turn_all_is_where_it_was(angle: float) -> None:
    shape, leads = (65, 65), round(2 * np.pi / abs(angle))
    velocity = velocity_of(rotation(angle, 32, 32), shape)[None]
    y, x = places(shape)
    # none of the nodes around it is ever beyond the edge
    inside = torch.tensor(np.hypot(y - 32, x - 32) < 32 - 8 * np.sqrt(2))

    path = every_pixel(displacements(velocity, leads), shape)
    half = torch.tensor(2 * np.stack((y - 32, x - 32)), dtype=torch.float32)
    # the midpoint rule is late by a sixth of the cube of each step's angle
    step = angle / np.ceil(abs(angle) * 32 / 4)
    late = 2 * np.pi * step**2 / 6 * 32
    assert (path[leads // 2 - 1] - half)[:, inside].abs().max() <= late
    assert path[-1][:, inside].abs().max() <= late

    field = frames_of(translation(0, 0), shape, waves=(16, 48))[-1]
    turned = extrapolated(field, velocity, leads)[-1]
    assert (turned - field)[inside].abs().max() <= 0.05 * field.max()
    quarter = extrapolated(field, velocity, leads)[leads // 4 - 1]
    turn = torch.rot90(field, 1 if angle > 0 else -1)
    assert (quarter - turn)[inside].abs().max() <= 0.05 * field.max()
    assert (quarter - field)[inside].abs().max() > 0.5 * field.max()


def test_beyond_the_edge_the_motion_is_that_of_the_edge() -> None:
    velocity = wind(0.0, 2.0)
    velocity[..., :20] = 5.0
    path = every_pixel(displacements(velocity, 30), SHAPE)
    # all of them come in at 5 by 5 once they are in the left part
    assert path[-1, 1, 24, 0] == pytest.approx(150, abs=1e-2)
    assert path[-1, 0, 24, 0] == pytest.approx(150, abs=1e-2)


@pytest.mark.parametrize(
    ("speed", "right"),
    [((0.0, 2.0), (1.0, 0.0)), ((3.0, 0.0), (0.0, -1.0)), ((-3.0, -4.0), (-0.8, 0.6))],
)
def test_members_are_faster_along_the_motion_and_to_its_right(
    speed: tuple[float, float], right: tuple[float, float]
) -> None:
    generator = torch.manual_seed(1)
    faster = torch.randn(5, 6, 2, generator=generator)
    path = displacements(wind(*speed), 6, faster=faster)
    assert path.shape[:3] == (5, 6, 2)
    ahead = torch.tensor(speed) / np.hypot(*speed)
    each = torch.tensor(speed) + faster[..., :1] * ahead
    each = each + faster[..., 1:] * torch.tensor(right)
    expected = each.cumsum(1)[..., None, None].expand_as(path)
    torch.testing.assert_close(path, expected, rtol=1e-4, atol=1e-4)


def test_a_member_is_carried_as_if_it_were_alone() -> None:
    velocity = velocity_of(rotation(0.05, 24, 32), SHAPE)[None]
    faster = torch.randn(3, 4, 2, generator=torch.manual_seed(1))
    together = displacements(velocity, 4, faster=faster)
    none = displacements(velocity, 4, faster=torch.zeros(1, 4, 2))
    torch.testing.assert_close(none, displacements(velocity, 4), rtol=0, atol=1e-4)
    for member in range(3):
        alone = displacements(velocity, 4, faster=faster[member : member + 1])
        # the steps are as short as the fastest of all members wants
        torch.testing.assert_close(together[member], alone[0], rtol=0, atol=0.05)


def test_where_nothing_moves_there_is_no_ahead() -> None:
    path = displacements(wind(0.0, 0.0), 3, faster=torch.ones(2, 3, 2))
    torch.testing.assert_close(path, torch.zeros_like(path), rtol=0, atol=0)


# --------------------------------------------------------------- fields carried


@given(
    st.tuples(st.integers(1, 20), st.integers(1, 20)),
    st.tuples(st.integers(-6, 6), st.integers(-6, 6)),
    st.sampled_from(MODES),
    st.integers(1, 3),
)
@settings(max_examples=15, deadline=None)
def test_whole_pixels_shift_exactly_and_from_outside_nothing_is_known(
    shape: tuple[int, int], step: tuple[int, int], mode: str, leads: int
) -> None:
    field = noise(*shape) + 1
    speed = float(step[0]), float(step[1])
    found = extrapolated(field, wind(*speed, shape), leads, mode=mode)
    for lead in range(1, leads + 1):
        expected = shifted(field, lead * step[0], lead * step[1])
        torch.testing.assert_close(
            found[lead - 1], expected, rtol=0, atol=1e-4, equal_nan=True
        )


@pytest.mark.parametrize("mode", MODES)
def test_what_comes_from_outside_is_missing_and_never_dry(mode: str) -> None:
    field = noise(*SHAPE) + 1
    found = extrapolated(field, wind(1.3, -2.6), 30, mode=mode)
    y, x = places(SHAPE)
    for lead in range(30):
        from_y, from_x = y - 1.3 * (lead + 1), x + 2.6 * (lead + 1)
        outside = (from_y < -0.5) | (from_x > SHAPE[1] - 0.5)
        near = np.abs(from_y + 0.5) < 1e-3
        near |= np.abs(from_x - SHAPE[1] + 0.5) < 1e-3
        same = found[lead].isnan().numpy() == outside
        assert same[~near].all()
        assert not (found[lead] < 1).any()
    assert found[-1].isnan().all()


@pytest.mark.parametrize("mode", MODES)
def test_missing_pixels_are_carried_as_missing(mode: str) -> None:
    field = noise(*SHAPE)
    field[10:14, 20:27] = torch.nan
    field[30, 30] = torch.nan
    found = extrapolated(field, wind(3.0, -2.0), 4, mode=mode)
    for lead in range(4):
        down, left = 3 * (lead + 1), 2 * (lead + 1)
        inside = found[lead, down:, : SHAPE[1] - left]
        wanted = field[: SHAPE[0] - down, left:]
        torch.testing.assert_close(inside, wanted, rtol=0, atol=1e-4, equal_nan=True)

    less = extrapolated(field, wind(0.0, 0.4), 1, mode=mode)[0]
    assert torch.equal(less.isnan(), field.isnan())


@pytest.mark.parametrize("mode", MODES)
def test_next_to_what_is_missing_the_known_stays_what_it_is(mode: str) -> None:
    field = torch.full(SHAPE, 5.0)
    field[:, 40:] = 10.0
    field[10:20, 10:20] = torch.nan
    found = extrapolated(field, wind(0.3, 0.4), 3, mode=mode)[..., 4:38]
    known = found[~found.isnan()]
    torch.testing.assert_close(known, torch.full_like(known, 5.0), rtol=0, atol=1e-4)


def test_there_and_back_is_only_smoothed() -> None:
    field = frames_of(translation(0, 0), (96, 96), waves=(16, 48))[-1:]
    bend = field.diff(2, dim=-1).abs().max() + field.diff(2, dim=-2).abs().max()
    velocity = velocity_of(rotation(0.04, 47, 47), (96, 96))[None] + 0.3
    there = carried(field, displacements(velocity, 6)[:, -1])
    again = carried(there, displacements(-velocity, 6)[:, -1])
    known = ~again.isnan()
    assert known.float().mean() > 0.5
    # linear between pixels errs by an eighth of the second derivatives, each way
    inside = known & ~carried(known.float() / known, torch.zeros(1, 2, 13, 13)).isnan()
    assert (again - field)[inside].abs().max() <= 2 * bend / 8 + 1e-3


@pytest.mark.parametrize("speed", [(0.5, 0.5), (1.3, -0.7), (-0.21, 0.84)])
def test_uniform_motion_keeps_the_mass_inside_the_domain(
    speed: tuple[float, float],
) -> None:
    field = torch.zeros(64, 64)
    field[26:38, 26:38] = noise(12, 12)
    found = extrapolated(field, wind(*speed, (64, 64)), 12).nan_to_num(0.0)
    torch.testing.assert_close(
        found.sum((1, 2)), field.sum().expand(12), rtol=1e-3, atol=0
    )


def test_what_interpolation_smooths_does_not_grow_with_the_lead() -> None:
    field = noise(64, 64)
    found = extrapolated(field, wind(0.5, 0.5, (64, 64)), 11)
    left = torch.stack([frame[~frame.isnan()].var() for frame in found[::2]])
    assert left.std() <= 0.05 * left.mean()
    # of white noise, half a pixel along both axes leaves a quarter of the variance
    assert left.mean() == pytest.approx(float(field.var()) / 4, rel=0.1)


@given(st.integers(0, 999), st.floats(-5, 5), st.floats(-5, 5), st.sampled_from(MODES))
@settings(max_examples=15, deadline=None)
def test_values_stay_in_the_range_of_their_field(
    seed: int, down: float, along: float, mode: str
) -> None:
    fields = noise(2, 17, 23, seed=seed)
    fields = fields.pow(6) * torch.tensor((1.0, 100.0))[:, None, None] + 1
    found = carried(
        fields, displacements(wind(down, along, (17, 23)), 2)[:, 1], mode=mode
    )
    for field, moved in zip(fields, found, strict=True):
        known = moved[~moved.isnan()]
        if known.numel():
            low, high = field.aminmax()
            assert low - 1e-3 <= known.min() <= known.max() <= high * (1 + 1e-4)
        if mode == "nearest":
            assert torch.isin(known, field).all()


def test_bicubic_smooths_less_than_bilinear_and_nearest_not_at_all() -> None:
    waves = (8.0, 16.0)
    field = frames_of(translation(0, 0), (64, 64), waves=waves)[-1]
    true = texture(*(place - 0.4 for place in places((64, 64))), waves=waves)
    velocity = wind(0.4, 0.4, (64, 64))
    error = {}
    for mode in MODES:
        moved = extrapolated(field, velocity, 1, mode=mode)[0].numpy()
        error[mode] = np.square(moved - true)[4:-4, 4:-4].mean()
    assert error["bicubic"] < error["bilinear"] < error["nearest"]
    nearest = extrapolated(field, velocity, 1, mode="nearest")[0]
    torch.testing.assert_close(nearest, field, rtol=0, atol=0)


@pytest.mark.parametrize("mode", MODES)
def test_a_batch_is_carried_as_each_alone(mode: str) -> None:
    fields = noise(3, *SHAPE) * torch.tensor((1.0, 10.0, 0.1))[:, None, None]
    fields[1, 5:9, 5:9] = torch.nan
    velocity = torch.cat([wind(0.3, 1.7), wind(-2.2, 0.4), wind(0.0, 0.0)])
    path = displacements(velocity, 2)[:, 1]
    together = carried(fields, path, mode=mode)
    for number in range(3):
        alone = carried(fields[number][None], path[number][None], mode=mode)[0]
        torch.testing.assert_close(
            together[number], alone, rtol=0, atol=1e-4, equal_nan=True
        )

    by_one = carried(fields, path[:1], mode=mode)
    wanted = carried(fields[2:], path[:1], mode=mode)
    torch.testing.assert_close(by_one[2:], wanted, rtol=0, atol=1e-4, equal_nan=True)


def test_a_carrier_knows_what_is_missing_and_carries_what_has_numbers() -> None:
    fields, missing = noise(4, *SHAPE), torch.zeros(1, *SHAPE, dtype=torch.bool)
    missing[:, 20:24] = True
    path = displacements(wind(2.0, 0.0), 3)
    found = Carrier(missing)(fields, path[:, 2])
    assert found.shape == (4, *SHAPE)
    assert found[:, 26:30].isnan().all()
    assert found[:, :6].isnan().all()
    torch.testing.assert_close(found[:, 30:], fields[:, 24:42], rtol=0, atol=1e-4)
    assert not fields.isnan().any()


@pytest.mark.parametrize("mode", MODES)
def test_all_leads_at_once_or_one_by_one(
    monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    field = noise(*SHAPE)
    field[10:14, 20:27] = torch.nan
    velocity = velocity_of(rotation(0.05, 20, 40), SHAPE)[None]
    found = extrapolated(field, velocity, 7, mode=mode)
    assert found.shape == (7, *SHAPE)
    path = displacements(velocity, 7)
    for lead in range(7):
        one = carried(field[None], path[:, lead], mode=mode)[0]
        torch.testing.assert_close(found[lead], one, rtol=0, atol=0, equal_nan=True)
    for size in (1, 2 * field.numel(), 3 * field.numel() + 1):
        monkeypatch.setattr(trajectories, "AT_ONCE", size)
        again = extrapolated(field, velocity, 7, mode=mode)
        torch.testing.assert_close(again, found, rtol=0, atol=0, equal_nan=True)


def test_what_came_in_stays_as_it_was() -> None:
    field, velocity = noise(*SHAPE), wind(1.0, 2.0)
    field[3, 4] = torch.nan
    before = field.clone(), velocity.clone()
    extrapolated(field, velocity, 3)
    torch.testing.assert_close(field, before[0], rtol=0, atol=0, equal_nan=True)
    torch.testing.assert_close(velocity, before[1], rtol=0, atol=0)


def test_all_missing_stays_missing_and_dry_stays_dry() -> None:
    missing = extrapolated(torch.full(SHAPE, torch.nan), wind(1.0, 1.0), 3)
    assert missing.isnan().all()
    dry = extrapolated(torch.zeros(SHAPE), wind(0.4, -0.4), 3)
    assert not dry.nan_to_num(0.0).any()
    assert dry[0, 2:, :-2].isfinite().all()


@needs_cuda
@pytest.mark.parametrize("mode", MODES)
def test_a_gpu_carries_alike(mode: str) -> None:
    field = frames_of(translation(0, 0), SHAPE)[-1]
    field[10:14, 20:27] = torch.nan
    velocity = velocity_of(rotation(0.051, 20.2, 40.3), SHAPE)[None]
    ours = extrapolated(field, velocity, 6, mode=mode)
    theirs = extrapolated(field.to("cuda"), velocity.to("cuda"), 6, mode=mode)
    assert theirs.is_cuda
    same = ours.isnan() == theirs.cpu().isnan()
    # rounding decides which pixel is the nearest of two
    assert same.float().mean() > 0.999
    both = ~ours.isnan() & ~theirs.cpu().isnan()
    close = (ours - theirs.cpu())[both].abs() <= 1e-3
    assert close.float().mean() > (0.999 if mode == "nearest" else 0.9999)
