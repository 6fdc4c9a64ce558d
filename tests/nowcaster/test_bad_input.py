"""What bad input gets from nowcasts without training: a nowcast, or a clear error."""

from typing import Any

import numpy as np
import pytest
import xarray as xr
from tests.nowcaster.test_classics import (
    EVERY,
    MOVING,
    everything,
    made,
    members_of,
    rain_of,
)
from tests.nowcaster.test_moving import radar

from stormfusion.classical import Steps
from stormfusion.errors import CatalogError

# -------------------------------------------------------------- too few frames


@EVERY
def test_one_frame_alone_has_no_interval(recipe: str) -> None:
    with pytest.raises(CatalogError, match=r"no event has two frames of 'rain_rate'"):
        everything(recipe, radar().isel(time=[3]))


def test_each_says_how_many_frames_it_needs() -> None:
    event = radar()
    for recipe, there in (("extrapolation", 1), ("steps", 1), ("steps", 2)):
        with pytest.raises(
            CatalogError,
            match=rf"has {there} frames? without a gap .* '{recipe}' needs .*; choose",
        ):
            made(recipe).predict(event, reference_time=event.time[there - 1])
    still = made("persistence").predict(event, reference_time=event.time[0])
    # below 0.009 mm/h, which is -10 dBZ, it is dry
    np.testing.assert_allclose(still.rain_rate[0], event.rain_rate[0], atol=0.01)
    for recipe, history in (("extrapolation", 1), ("steps", 2)):
        with pytest.raises(ValueError, match=rf"history is {history}, '{recipe}' nee"):
            made(recipe, history=history)


def test_frames_before_a_gap_are_not_looked_at() -> None:
    event = radar(frames=9)
    holed = event.isel(time=[0, 1, 2, 4, 5])
    for recipe in ("persistence", "extrapolation"):
        after = event.isel(time=[4, 5])
        assert made(recipe).predict(holed).identical(made(recipe).predict(after))
    with pytest.raises(CatalogError, match=r"2 frames without a gap .* 'steps' needs"):
        made("steps").predict(holed)
    longer = event.isel(time=[0, 1, 2, 4, 5, 6])
    for one, two in zip(
        everything("steps", longer),
        everything("steps", event.isel(time=[4, 5, 6])),
        strict=True,
    ):
        assert one.identical(two)


# -------------------------------------------------------------- missing and impossible


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -5.0])
@EVERY
def test_nothing_but_impossible_values_is_refused(recipe: str, value: float) -> None:
    with pytest.raises(CatalogError, match=r"of 'rain_rate' .* are missing, .* choose"):
        everything(recipe, radar().where(False, value))


@pytest.mark.parametrize("value", [np.inf, -np.inf, -4.0, 1e20])
@EVERY
def test_impossible_values_count_as_missing(recipe: str, value: float) -> None:
    spoilt = xr.zeros_like(radar().rain_rate, dtype=bool)
    spoilt[:, 5:9, 5] = True
    spoilt[-1, 20:24, 30:34] = True
    spoilt[1, 40] = True
    event = radar()
    for one, two in zip(
        everything(recipe, event.where(~spoilt, value)),
        everything(recipe, event.where(~spoilt)),
        strict=True,
    ):
        xr.testing.assert_identical(one, two)


@pytest.mark.parametrize("recipe", MOVING)
def test_a_last_frame_without_data_is_told_and_no_dry_forecast(recipe: str) -> None:
    event = radar()
    event = event.where(event.time < event.time[-1])
    with pytest.warns(UserWarning, match=r"in the last 1 of .* forecast is missing"):
        found = everything(recipe, event)
    for each in found:
        assert each.rain_rate.isnull().all()


@pytest.mark.parametrize("recipe", ["extrapolation", Steps(motion_errors=False)])
def test_missing_regions_are_carried_along_and_never_dry(recipe: Any) -> None:
    event = radar(shape=(64, 80))
    for t in range(4):
        event.rain_rate[t, 8 + 3 * t : 20 + 3 * t, 30 - 4 * t : 50 - 4 * t] = np.nan
    found = [rain_of(recipe, event)]
    if recipe != "extrapolation":
        found += list(members_of(event, recipe).rain_rate)
    # missing in the last frame: rows 17 to 28, columns 18 to 37
    for forecast in found:
        for lead in (1, 2, 3):
            missing = forecast[lead - 1].isnull().values
            down, along = lead, 2 * lead
            assert missing[18 + down : 28 + down, 19 + along : 37 + along].all()
            around = missing[down + 2 : -2, along + 2 : -2].copy()
            around[14:29, 15:38] = False
            assert not around.any()
    # and those ahead of what moves in are not known
    assert found[0][2, :2].isnull().all()
    assert found[0][2, :, :5].isnull().all()


# -------------------------------------------------------------- hardly any rain


@EVERY
@pytest.mark.parametrize("value", [0.0, 3.0])
def test_constant_fields_stay_what_they_are(recipe: str, value: float) -> None:
    event = radar().where(False, value)
    for found in everything(recipe, event):
        assert found.rain_rate.notnull().all()
        np.testing.assert_allclose(found.rain_rate, value, rtol=1e-4)


@EVERY
def test_a_single_wet_pixel_stays_one(recipe: str) -> None:
    event = radar().where(False, 0.0)
    event.rain_rate[:, 20, 30] = 5.0
    for found in everything(recipe, event):
        rain = found.rain_rate
        assert rain.notnull().all()
        assert float(rain.max()) <= 5.001
        total = rain.sum(["y", "x"])
        np.testing.assert_allclose(total, 5.0, rtol=0.05)


@EVERY
def test_rain_that_comes_or_goes_in_the_last_frame(recipe: str) -> None:
    first = radar().where(False, 0.0)
    first.rain_rate[-1, 20:26, 30:36] = 5.0
    last = radar()
    last.rain_rate[-1] = 0.0
    for event, rain in ((first, 180.0), (last, 0.0)):
        for found in everything(recipe, event):
            known = found.rain_rate.notnull()
            assert float(known.mean()) > 0.8
            total = found.rain_rate.sum(["y", "x"])
            np.testing.assert_allclose(total, rain, rtol=0.05)


@EVERY
@pytest.mark.parametrize("shape", [(37, 48), (7, 5), (2, 33), (2, 2)], ids=str)
def test_any_grid(recipe: str, shape: tuple[int, int]) -> None:
    event = radar(shape=shape)
    highest = float(event.rain_rate[-1].max())
    for found in everything(recipe, event):
        rain = found.rain_rate
        assert rain.shape[-2:] == shape
        known = rain.notnull()
        assert known.any(["y", "x"])[..., 0].all()
        assert 0 <= float(rain.min()) <= float(rain.max()) <= highest + 1e-3
