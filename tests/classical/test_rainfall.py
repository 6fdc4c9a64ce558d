"""Depth of rain: a shower beside its finely sampled truth, gaps, starts and units."""

from importlib import import_module

import numpy as np
import pytest
import xarray as xr

from stormfusion.classical import Rainfall, rainfall, seconds
from stormfusion.errors import GridMismatchError

MODULE = import_module("stormfusion.classical.rainfall")
nan = np.nan
SIZE = 112
MINUTES = np.arange(5, 45, 5)


def shower(minutes, velocity=(0.6, 1.6), sigma: float = 2.0) -> np.ndarray:
    """A shower [mm/h] that moves so many pixels a minute."""
    y, x = np.mgrid[:SIZE, :SIZE]
    t = np.asarray(minutes, dtype=float)[..., None, None]
    down, along = y - 32 - velocity[0] * t, x - 24 - velocity[1] * t
    return 40 * np.exp(-(down**2 + along**2) / (2 * sigma**2))


def rates(values: np.ndarray, minutes=MINUTES, **attrs: str) -> xr.DataArray:
    """Rates by lead [min], the north first."""
    leads = np.asarray(minutes).astype("m8[m]").astype("m8[ns]")
    return xr.DataArray(
        np.asarray(values, dtype=np.float32),
        dims=("lead", "y", "x"),
        coords={
            "lead": leads,
            "y": 1000.0 * np.arange(values.shape[1])[::-1],
            "x": 1000.0 * np.arange(values.shape[2]),
        },
        name="rain_rate",
        attrs={"units": "mm h-1", **attrs},
    )


def frame(values: np.ndarray) -> xr.DataArray:
    return rates(values[None], [5]).isel(lead=0, drop=True)


def truth(start: float, stop: float, **options) -> np.ndarray:
    """Depth [mm] that falls between two times, sampled every two seconds."""
    fine = np.arange(start, stop, 1 / 30) + 1 / 60
    return sum(shower(t, **options) for t in fine) / 30 / 60


def off(depth, wanted: np.ndarray) -> float:
    return float(np.sqrt(np.mean((np.asarray(depth) - wanted) ** 2)))


@pytest.mark.parametrize("start", [True, False])
def test_a_moving_shower_leaves_no_fishbone(start: bool) -> None:
    initial = frame(shower(0)) if start else None
    forecast = rates(shower(MINUTES))
    wanted = truth(0, 40)
    moved = rainfall(forecast, initial=initial).sum("lead")
    still = rainfall(forecast, initial=initial, advection=False).sum("lead")
    assert off(moved, wanted) * 20 <= off(still, wanted)
    # along its track it rains alike; without motion there are gaps and ridges
    assert ripples(moved) < ripples(wanted) + 0.02
    assert ripples(still) > 0.5
    assert float(moved.sum()) == pytest.approx(wanted.sum(), rel=1e-3)
    assert float(moved.max()) == pytest.approx(wanted.max(), rel=0.02)


def ripples(depth) -> float:
    """How far the most along the track goes up and down, as a share of its mean."""
    along = np.asarray(depth)[:, 40:72].max(0)
    return float(np.ptp(along) / along.mean())


def test_each_interval_is_that_before_its_frame() -> None:
    depth = rainfall(rates(shower(MINUTES)), initial=frame(shower(0)))
    for lead, stop in enumerate(MINUTES):
        wanted = truth(stop - 5, stop)
        assert off(depth[lead], wanted) < 0.03 * wanted.std()


def test_steps_may_be_uneven() -> None:
    minutes = [5, 10, 15, 25, 40]
    forecast = rates(shower(minutes), minutes)
    moved = rainfall(forecast, initial=frame(shower(0)))
    still = rainfall(forecast, initial=frame(shower(0)), advection=False)
    wanted = truth(0, 40)
    assert off(moved.sum("lead"), wanted) * 15 < off(still.sum("lead"), wanted)
    assert off(moved[-1], truth(25, 40)) * 15 < off(still[-1], truth(25, 40))


@pytest.mark.parametrize("minutes", [[5, 10, 15], [10, 15, 45], [7]])
@pytest.mark.parametrize("start", [True, False])
def test_steady_rain_is_exact(minutes, start: bool) -> None:
    forecast = rates(np.full((len(minutes), 40, 50), 6.0), minutes)
    initial = frame(np.full((40, 50), 6.0)) if start else None
    depth = rainfall(forecast, initial=initial)
    wanted = np.diff(minutes, prepend=0) * 0.1
    np.testing.assert_allclose(
        depth, wanted[:, None, None] + np.zeros((1, 40, 50)), 1e-6
    )
    assert depth.attrs["units"] == "mm"
    assert depth.name == "rain"
    assert depth.dtype == np.float32


def test_dry_is_dry() -> None:
    depth = rainfall(rates(np.zeros((4, 40, 50)), MINUTES[:4]))
    assert (depth == 0).all()


def test_rain_that_grows_is_the_mean_of_both_frames() -> None:
    values = np.stack([np.full((40, 40), v) for v in (12.0, 36.0)])
    depth = rainfall(rates(values, [5, 10]), initial=frame(np.zeros((40, 40))))
    np.testing.assert_allclose(depth[:, 3, 3], [0.5, 2.0], rtol=1e-5)
    # without the start the first interval has the rain of the first frame
    depth = rainfall(rates(values, [5, 10]))
    np.testing.assert_allclose(depth[:, 3, 3], [1.0, 2.0], rtol=1e-5)


def test_what_is_missing_takes_its_interval_and_no_more() -> None:
    values = np.full((4, 40, 40), 12.0)
    values[1, 10, 10], values[3, 20, :] = nan, nan
    depth = rainfall(rates(values, MINUTES[:4]))
    expected = np.ones((4, 40, 40))
    expected[1, 10, 10] = expected[2, 10, 10] = expected[3, 20] = nan
    np.testing.assert_allclose(depth, expected, rtol=1e-5)


def test_what_is_missing_does_not_dry_its_neighbours() -> None:
    values = shower(MINUTES)
    whole = rainfall(rates(values))
    values[3, :, 80:] = nan
    broken = rainfall(rates(values))
    known = np.isfinite(np.asarray(broken))
    assert known[:, :, :80].all()
    assert not known[3:5, :, 80:].any()
    assert known[[0, 1, 2, 5, 6, 7]].all()
    near = np.asarray(broken)[:, :, 68:80], np.asarray(whole)[:, :, 68:80]
    np.testing.assert_allclose(*near, atol=0.1 * float(whole.max()))


def test_where_the_start_is_missing_the_first_frame_stands_for_it() -> None:
    initial = np.full((40, 40), 36.0)
    initial[:, :20] = nan
    depth = rainfall(rates(np.full((2, 40, 40), 12.0), [5, 10]), initial=frame(initial))
    np.testing.assert_allclose(depth[0, 5, [3, 35]], [1.0, 2.0], rtol=1e-5)
    nothing = rainfall(
        rates(shower([5, 10, 15]), [5, 10, 15]),
        initial=frame(np.full((SIZE, SIZE), nan)),
    )
    np.testing.assert_allclose(
        nothing, rainfall(rates(shower([5, 10, 15]), [5, 10, 15])), rtol=1e-4, atol=1e-4
    )


def test_a_first_lead_of_zero_is_the_start() -> None:
    values = shower([0, 5, 10, 15])
    depth = rainfall(rates(values, [0, 5, 10, 15]))
    assert (depth[0] == 0).all()
    later = rainfall(rates(values[1:], [5, 10, 15]), initial=frame(values[0]))
    np.testing.assert_allclose(depth[1:], later, atol=1e-3)
    # it is not overridden
    other = rainfall(rates(values, [0, 5, 10, 15]), initial=frame(0 * values[0] + 99))
    xr.testing.assert_equal(depth, other)


def test_one_lead_is_enough() -> None:
    alone = rainfall(rates(shower([5]), [5]))
    np.testing.assert_allclose(alone[0], shower(5) / 12, rtol=1e-4, atol=1e-6)
    started = rainfall(rates(shower([5]), [5]), initial=frame(shower(0)))
    assert off(started[0], truth(0, 5)) * 5 < off(alone[0], truth(0, 5))


@pytest.mark.parametrize("flip", ["y", "x"])
def test_rows_and_columns_may_run_either_way(flip: str) -> None:
    forecast, initial = rates(shower(MINUTES)), frame(shower(0))
    turned = {flip: slice(None, None, -1)}
    depth = rainfall(forecast.isel(turned), initial=initial.isel(turned)).isel(turned)
    np.testing.assert_allclose(depth, rainfall(forecast, initial=initial), atol=2e-2)
    with pytest.raises(GridMismatchError, match=f"differ in {flip} .*on their grid"):
        rainfall(forecast.isel(turned), initial=initial)


def test_units_dimensions_and_members() -> None:
    forecast = rates(shower(MINUTES[:4]), MINUTES[:4], grid_mapping="crs")
    wanted = rainfall(forecast)
    assert wanted.attrs["grid_mapping"] == "crs"
    metres = (forecast / 3.6e6).assign_attrs(units="m s-1")
    np.testing.assert_allclose(rainfall(metres), wanted, rtol=1e-5, atol=1e-6)
    members = xr.concat([forecast, forecast * 2], "member", combine_attrs="override")
    members = members.transpose("x", "lead", "member", "y")
    depth = rainfall(members)
    assert depth.dims == members.dims
    np.testing.assert_allclose(
        depth.isel(member=0).transpose("lead", "y", "x"), wanted, rtol=1e-6
    )
    lazy = rainfall(forecast.chunk(lead=1))
    xr.testing.assert_equal(lazy.compute(), wanted)
    before = forecast.copy(deep=True)
    rainfall(forecast)
    xr.testing.assert_identical(forecast, before)


def test_observed_frames_have_times() -> None:
    time = np.datetime64("2020-01-01T12:00", "ns") + np.arange(8) * np.timedelta64(
        5, "m"
    )
    observed = rates(shower(MINUTES)).drop_vars("lead").rename(lead="time")
    depth = rainfall(observed.assign_coords(time=time))
    np.testing.assert_array_equal(depth, rainfall(rates(shower(MINUTES))))


def test_large_maps_are_worked_on_in_bands(monkeypatch) -> None:
    values = shower(MINUTES)
    values[2, 50:60, 20:90] = nan
    forecast, initial = rates(values), frame(shower(0))
    whole = rainfall(forecast, initial=initial)
    monkeypatch.setattr(MODULE, "BAND", 7 * SIZE)
    monkeypatch.setattr(MODULE, "AT_ONCE", 14 * SIZE)
    np.testing.assert_allclose(
        rainfall(forecast, initial=initial), whole, rtol=1e-3, atol=1e-4
    )


def test_large_maps_move_like_coarse_ones(monkeypatch) -> None:
    forecast = rates(shower(MINUTES, sigma=4.0))
    wanted = truth(0, 40, sigma=4.0)
    monkeypatch.setattr(MODULE, "LARGE", SIZE * SIZE // 4)
    moved = rainfall(forecast).sum("lead")
    still = rainfall(forecast, advection=False).sum("lead")
    assert off(moved, wanted) * 5 < off(still, wanted)


def test_the_total_is_the_sum() -> None:
    values = shower(MINUTES).astype(np.float32)
    values[1, 3, 3] = nan
    summed = Rainfall(60.0 * MINUTES, initial=shower(0))
    np.testing.assert_allclose(
        summed.total(values), summed(values).sum(0, dtype=np.float64), rtol=1e-6
    )
    np.testing.assert_array_equal(seconds(rates(values)["lead"]), 60.0 * MINUTES)


@pytest.mark.parametrize(
    ("change", "error", "helpful"),
    [
        (lambda r: r.to_dataset(), TypeError, "pass one variable"),
        (lambda r: r.to_numpy(), TypeError, "got a ndarray, wanted a DataArray"),
        (lambda r: r.drop_vars("lead"), ValueError, "wanted lead or time"),
        (lambda r: r.isel(lead=0), ValueError, "wanted lead or time"),
        (lambda r: r.rename(x="lon"), ValueError, "y and x; rename or assign"),
        (lambda r: r.assign_coords(lead=MINUTES), ValueError, "holds int64, wanted"),
        (lambda r: r.isel(lead=slice(None, None, -1)), ValueError, "wanted rising"),
        (
            lambda r: r.assign_coords(lead=r.lead - np.timedelta64(10, "m")),
            ValueError,
            "after the start",
        ),
        (lambda r: r.assign_attrs(units="dBZ"), ValueError, "does not convert"),
        (
            lambda r: r.isel(lead=[0]).assign_coords(lead=r.lead[:1] * 0),
            ValueError,
            "runs from 0 to 0 min",
        ),
    ],
)
def test_what_is_no_rain(change, error, helpful: str) -> None:
    with pytest.raises(error, match=helpful):
        rainfall(change(rates(np.zeros((8, 9, 9)))))


def test_an_initial_frame_is_of_the_same_grid() -> None:
    forecast = rates(np.zeros((8, 9, 9)))
    with pytest.raises(GridMismatchError, match=r"shape \(9, 8\), wanted that of"):
        rainfall(forecast, initial=frame(np.zeros((9, 8))))
    with pytest.raises(ValueError, match="select one time"):
        rainfall(forecast, initial=forecast)
    moved = frame(np.zeros((9, 9))).assign_coords(x=np.arange(9) * 1000.0 + 500.0)
    with pytest.raises(GridMismatchError, match=r"differ in x .from 500"):
        rainfall(forecast, initial=moved)
    bare = frame(np.zeros((9, 9))).drop_vars(["y", "x"])
    assert (rainfall(forecast, initial=bare) == 0).all()
