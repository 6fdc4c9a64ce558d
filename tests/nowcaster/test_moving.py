"""Motion as a product: its units and signs, and what it says where it cannot tell."""

from typing import Any

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from stormfusion import Nowcaster
from stormfusion.classical import Extrapolation, Steps
from stormfusion.errors import CatalogError, NotFittedError
from stormfusion.units import rain_rate_to_reflectivity

NOON = np.datetime64("2020-06-01T12:00", "ns")
MINUTES = np.timedelta64(1, "m")
DEGREE = 111_195.0
"""Length of a degree of latitude [m]."""


def showers(height: int, width: int, seed: int = 0) -> NDArray[np.float64]:
    """Rain [mm h-1] over half of a map whose opposite edges meet."""
    ky, kx = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)
    noise = np.random.default_rng(seed).normal(size=(height, width))
    wave = np.fft.rfft2(noise) * np.exp(-300 * (ky**2 + kx**2))
    field = np.fft.irfft2(wave, s=(height, width))
    return 6 * np.clip(field / field.std() - 0.1, 0, None)


def radar(
    step: tuple[int, int] = (1, 2),
    *,
    shape: tuple[int, int] = (48, 64),
    frames: int = 4,
    seed: int = 0,
) -> xr.Dataset:
    """Showers that move by whole rows and columns, north first, a frame in 5 min."""
    field = showers(shape[0] + 40, shape[1] + 40, seed)
    at = range(frames)
    moved = [np.roll(field, (step[0] * t, step[1] * t), (0, 1)) for t in at]
    rain = np.stack(moved)[:, 20:-20, 20:-20].astype(np.float32)
    metres = {"units": "m"}
    return xr.Dataset(
        {"rain_rate": (("time", "y", "x"), rain, {"units": "mm h-1"})},
        coords={
            "time": NOON + np.arange(frames) * 5 * MINUTES,
            "y": ("y", 1000.0 * np.arange(shape[0])[::-1], metres),
            "x": ("x", 1000.0 * np.arange(shape[1]), metres),
        },
    )


def motion_of(event: xr.Dataset, recipe: Any = "extrapolation", **options: Any) -> Any:
    return Nowcaster(recipe, device="cpu").motion(event, **options)


def assert_moves(
    motion: xr.Dataset, east: float | NDArray[np.float64], north: float
) -> None:
    """Within 5 per cent of the speed, on average, away from the edges."""
    inner = motion.isel(y=slice(16, -16), x=slice(16, -16))
    error = np.hypot(inner.u - east, inner.v - north)
    speed = np.hypot(east, north)
    assert float((error / speed).mean()) < 0.05


# -------------------------------------------------------------- units and signs


@pytest.mark.parametrize("axes", ["", "y", "x", "yx"])
def test_u_is_east_and_v_is_north_however_rows_and_columns_run(axes: str) -> None:
    plain = radar(shape=(96, 96))
    event = plain.isel({axis: slice(None, None, -1) for axis in axes})
    motion = motion_of(event)
    # 2 km to the east and 1 km to the south in 5 minutes
    assert_moves(motion, 2000 / 300, -1000 / 300)
    np.testing.assert_array_equal(motion.y, event.y)
    np.testing.assert_array_equal(motion.x, event.x)
    xr.testing.assert_equal(
        motion.sortby(["y", "x"]), motion_of(plain).sortby(["y", "x"])
    )


def test_it_is_labelled() -> None:
    event = radar()
    motion = motion_of(event)
    assert sorted(motion.data_vars) == ["u", "v"]
    for name, long_name in (("u", "motion along x"), ("v", "motion along y")):
        assert motion[name].dims == ("y", "x")
        assert motion[name].dtype == np.float32
        assert motion[name].attrs == {"units": "m s-1", "long_name": long_name}
        assert motion[name].notnull().all()
    assert motion.y.standard_name == "projection_y_coordinate"
    assert motion.x.units == "m"
    assert motion.reference_time.values == event.time.values[-1]
    assert motion.reference_time.standard_name == "forecast_reference_time"
    assert motion.attrs["motion"] == "lucas-kanade"
    assert motion.attrs["recipe"] == "extrapolation"


def test_degrees_become_metres_at_the_latitude_of_each_row() -> None:
    event = radar(shape=(96, 96))
    latitude, longitude = 64.75 - 0.1 * np.arange(96), 5 + 0.3 * np.arange(96)
    event = event.assign_coords(
        y=("y", latitude, {"units": "degrees_north"}),
        x=("x", longitude, {"units": "degrees_east"}),
    )
    motion = motion_of(event)
    # 0.6 degrees to the east and 0.1 to the south in 5 minutes
    shrink = np.cos(np.radians(latitude[16:-16]))[:, None]
    assert_moves(motion, 0.6 * DEGREE * shrink / 300, -0.1 * DEGREE / 300)
    assert motion.y.standard_name == "latitude"
    assert motion.u.grid_mapping == "crs"
    assert "crs" in motion.coords
    south = motion_of(event.isel(y=slice(None, None, -1)))
    xr.testing.assert_equal(south.sortby("y"), motion.sortby("y"))


def test_kilometres_are_metres() -> None:
    event = radar()
    coarse = event.assign_coords(
        y=("y", event.y.values / 1000, {"units": "km"}),
        x=("x", event.x.values / 1000, {"units": "km"}),
    )
    xr.testing.assert_allclose(motion_of(coarse), motion_of(event))


def test_half_the_speed_in_twice_the_time() -> None:
    event = radar()
    slow = event.assign_coords(time=NOON + 2 * (event.time.values - NOON))
    fast = motion_of(event)
    for name in ("u", "v"):
        np.testing.assert_allclose(2 * motion_of(slow)[name], fast[name], rtol=1e-5)


def test_reflectivity_moves_as_its_rain_does() -> None:
    event = radar()
    other = rain_rate_to_reflectivity(event.rain_rate).to_dataset()
    one, two = motion_of(event), motion_of(other)
    for name in ("u", "v"):
        np.testing.assert_allclose(one[name], two[name], atol=0.01)


def test_clouds_move() -> None:
    event = radar(shape=(96, 96)).rename(rain_rate="ir107")
    event["ir107"] = (20 - 5 * event.ir107).assign_attrs(units="degC")
    motion = Nowcaster("persistence", target="ir107", device="cpu").motion(event)
    assert_moves(motion, 2000 / 300, -1000 / 300)


# -------------------------------------------------------------- who finds it


def test_the_method_is_that_of_the_nowcaster() -> None:
    event = radar()
    found = motion_of(event)
    spectral = motion_of(event, Extrapolation(motion="spectral"))
    assert spectral.attrs["motion"] == "spectral"
    assert float(abs(spectral.u - found.u).max()) > 0
    same = motion_of(event, Steps(motion="spectral"))
    xr.testing.assert_equal(same.drop_attrs(), spectral.drop_attrs())
    still = motion_of(event, "persistence")
    assert still.attrs["motion"] == "lucas-kanade"
    xr.testing.assert_equal(still.drop_attrs(), found.drop_attrs())


def test_the_extrapolation_goes_where_the_motion_points() -> None:
    """After three frames the rain is three times as far, in pixels."""
    event = radar((0, 3), shape=(64, 96), frames=7)
    now = event.time[3]
    nowcaster = Nowcaster("extrapolation", leads=3, device="cpu")
    motion = nowcaster.motion(event, reference_time=now)
    assert_moves(motion, 10.0, 0.0)
    forecast = nowcaster.predict(event, reference_time=now).rain_rate
    truth = event.rain_rate.isel(time=6, y=slice(8, -8), x=slice(24, -8))
    error = abs(forecast[-1, 8:-8, 24:-8].values - truth.values).mean()
    assert error < 0.05 * float(truth.mean())


def test_a_nowcaster_of_one_frame_tells_motion_all_the_same() -> None:
    event = radar()
    found = Nowcaster("persistence", history=1, device="cpu").motion(event)
    two = motion_of(event.isel(time=[2, 3]))
    xr.testing.assert_equal(found.drop_attrs(), two.drop_attrs())


def test_a_nowcaster_of_something_else_says_so() -> None:
    with pytest.raises(CatalogError, match=r"no variable 'vil', it has rain_rate"):
        Nowcaster("persistence", target="vil", device="cpu").motion(radar())
    with pytest.raises(NotFittedError, match=r"is not fitted; call fit"):
        Nowcaster("unet", device="cpu").motion(radar())


# -------------------------------------------------------------- too little to tell


def test_dry_says_that_nothing_moves() -> None:
    dry = radar().where(False, 0.0)
    with pytest.warns(UserWarning, match=r"fewer than 25 pixels .* given as zero; ch"):
        motion = motion_of(dry)
    assert motion.attrs["motion"] == "none: too little rain to tell it"
    assert not motion.u.values.any()
    assert not motion.v.values.any()


@pytest.mark.parametrize(("pixels", "told"), [(1, False), (24, False), (25, True)])
def test_nearly_dry_gives_no_motion(pixels: int, told: bool) -> None:
    event = radar().where(False, 0.0)
    for t in range(4):
        square = event.rain_rate.values[t, 20:25, 20 + 2 * t : 25 + 2 * t]
        square.flat[:pixels] = 5.0
    if not told:
        with pytest.warns(UserWarning, match=r"fewer than 25 pixels"):
            motion = motion_of(event)
        assert not motion.u.values.any()
        return
    motion = motion_of(event)
    assert motion.attrs["motion"] == "lucas-kanade"
    assert float(motion.u[22, 26]) > 0


def test_a_constant_field_does_not_move() -> None:
    motion = motion_of(radar().where(False, 3.0))
    assert not motion.u.values.any()
    assert not motion.v.values.any()


@pytest.mark.parametrize("shape", [(37, 48), (7, 5), (2, 40), (2, 2)], ids=str)
@pytest.mark.filterwarnings("ignore:fewer than 25 pixels")
def test_any_grid(shape: tuple[int, int]) -> None:
    for recipe in ("extrapolation", Extrapolation(motion="spectral")):
        motion = motion_of(radar(shape=shape), recipe)
        assert motion.u.shape == shape
        assert np.isfinite(motion.u).all()
        assert np.isfinite(motion.v).all()


# -------------------------------------------------------------- spoilt frames


def test_missing_regions_that_move_otherwise_do_not_mislead() -> None:
    event = radar(shape=(96, 96))
    for t in range(4):
        event.rain_rate[t, 30 - 6 * t : 50 - 6 * t] = np.nan
        event.rain_rate[t, :, 70 - 5 * t : 74 - 5 * t] = np.inf
    assert_moves(motion_of(event), 2000 / 300, -1000 / 300)


def test_a_hole_in_a_small_map_does_not_let_motion_run_away() -> None:
    """On coarse scales hardly a pixel of it is known."""
    event = radar(shape=(64, 80))
    for t in range(4):
        event.rain_rate[t, 8 + 3 * t : 20 + 3 * t, 30 - 4 * t : 50 - 4 * t] = np.nan
    assert_moves(motion_of(event), 2000 / 300, -1000 / 300)


def test_little_that_is_known_of_a_large_map_is_enough() -> None:
    event = radar(shape=(96, 128))
    known = xr.zeros_like(event.rain_rate, dtype=bool)
    known[:, 30:74, 40:84] = True
    motion = motion_of(event.where(known))
    inside = motion.isel(y=slice(40, 64), x=slice(50, 74))
    error = np.hypot(inside.u - 2000 / 300, inside.v + 1000 / 300)
    assert float(error.mean()) < 0.05 * 1000 * 5**0.5 / 300


def test_a_single_small_shower_is_followed() -> None:
    for step in ((3, 2), (-4, 1), (2, -4), (-1, -3), (4, 4), (0, 3)):
        event = radar(shape=(64, 80)).where(False, 0.0)
        for t in range(4):
            row, column = 28 + step[0] * t, 36 + step[1] * t
            shower = np.hanning(9)[1:-1, None] * np.hanning(9)[1:-1]
            event.rain_rate[t, row : row + 7, column : column + 7] = 1 + 5 * shower
        motion = motion_of(event).isel(y=row + 3, x=column + 3)
        error = np.hypot(motion.u * 0.3 - step[1], motion.v * 0.3 + step[0])
        assert float(error) < 1


def test_frames_before_a_gap_are_not_looked_at() -> None:
    one, other = radar((0, -2), frames=4), radar((1, 2), frames=6)
    event = one.isel(time=[0, 1]).combine_first(other.isel(time=[3, 4, 5]))
    found = motion_of(event)
    xr.testing.assert_equal(found, motion_of(other.isel(time=[3, 4, 5])))
    late = motion_of(event.isel(time=[0, 1, 2, 3]))
    assert float(late.u.mean()) == pytest.approx(2000 / 300, rel=0.05)


def test_no_later_frame_is_seen() -> None:
    event = radar(frames=7)
    now = event.time[3]
    found = motion_of(event, reference_time=now)
    changed = event.where(event.time <= now, 40.0)
    assert motion_of(changed, reference_time=now).identical(found)
    assert motion_of(event.isel(time=slice(4))).identical(found)


def test_one_frame_and_no_frame() -> None:
    event = radar()
    with pytest.raises(CatalogError, match=r"no event has two frames of 'rain_rate'"):
        motion_of(event.isel(time=[0]))
    with pytest.raises(CatalogError, match=r"has 1 frame without a gap .* needs 2; ch"):
        motion_of(event, reference_time=event.time[0])
    with pytest.raises(CatalogError, match=r"all 3 frames of 'rain_rate' .* missing"):
        motion_of(event.where(False))
