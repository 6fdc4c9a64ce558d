"""Footprints of a nowcaster: the frame at the start, and what may be asked."""

import numpy as np
import pytest
import xarray as xr

from stormfusion import Nowcaster
from stormfusion.classical import rainfall
from stormfusion.units import rain_rate_to_reflectivity, reflectivity_to_rain_rate

nan = np.nan
LAW = "marshall-palmer"


def showers(frames: int = 8, size: int = 48) -> xr.Dataset:
    """Showers that move by two pixels a frame, the north first."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size]
    places = rng.uniform(0, size, (6, 2))
    values = [
        sum(
            20 * np.exp(-((y - top - t) ** 2 + (x - left - 2 * t) ** 2) / 18)
            for top, left in places
        )
        for t in range(frames)
    ]
    start = np.datetime64("2020-06-01T12:00", "ns")
    return xr.Dataset(
        {
            "rain_rate": (
                ("time", "y", "x"),
                np.asarray(values, dtype=np.float32),
                {"units": "mm h-1"},
            )
        },
        {
            "time": start + np.arange(frames) * np.timedelta64(5, "m"),
            "y": 1000.0 * np.arange(size)[::-1],
            "x": 1000.0 * np.arange(size),
        },
    )


def steps(target: str = "rain_rate") -> Nowcaster:
    return Nowcaster("steps", target=target, leads=4, history=4, seed=1)


def test_the_frame_at_the_start_is_the_last_one_seen() -> None:
    data = showers()
    for frame in (-1, 5):
        now = data.time.values[frame]
        ensemble = steps().ensemble(data, members=3, reference_time=now)
        np.testing.assert_allclose(ensemble.initial, data.rain_rate[frame], rtol=1e-6)
        initial = ensemble.dataset["initial"]
        assert initial.attrs["units"] == "mm h-1"
        assert initial.attrs["long_name"].startswith("last observed")
        xr.testing.assert_equal(initial.y, ensemble.values.y)
    # it says nothing of later frames
    early = data.copy(deep=True)
    early.rain_rate[6:] = 99.0
    other = steps().ensemble(early, members=3, reference_time=data.time.values[5])
    np.testing.assert_array_equal(other.initial, ensemble.initial)


def test_sums_of_rain_begin_there() -> None:
    data = showers()
    ensemble = steps().ensemble(data, members=3)
    made = steps().footprint(data, members=3).dataset
    depths = [
        rainfall(member, initial=data.rain_rate[-1].drop_vars("time"))
        for member in ensemble.values
    ]
    wanted = xr.concat(depths, "member").sum("lead", skipna=False)
    wanted = wanted.mean("member", skipna=False)
    there = made.accumulation.notnull() & wanted.notnull()
    assert there.mean() > 0.5
    np.testing.assert_allclose(
        made.accumulation.where(there), wanted.where(there), atol=2e-4
    )
    bare = type(ensemble)(ensemble.dataset.drop_vars("initial"))
    off = abs(bare.footprint().dataset.accumulation - made.accumulation)
    assert float(off.max()) > 0.01


@pytest.mark.parametrize("flip", [{}, {"y": slice(None, None, -1)}])
def test_streamed_as_the_ensemble_with_every_option(flip: dict) -> None:
    data = showers().isel(flip)
    hazards = ("rain >= 1 mm in 10 min", "rain_rate >= 5 mm h-1 within 2 km")
    for options in (
        {"percentiles": ()},
        {"by_lead": False, "percentiles": ()},
        {"accumulation": False, "percentiles": ()},
    ):
        one = steps().footprint(data, *hazards, members=5, **options).dataset
        ensemble = steps().ensemble(data, members=5)
        other = ensemble.footprint(*hazards, **options).dataset
        assert set(one) == set(other)
        xr.testing.assert_allclose(one.drop_attrs(), other.drop_attrs(), rtol=1e-4)
    assert "accumulation" not in one
    for hazard in hazards:
        np.testing.assert_allclose(
            ensemble.probability(hazard), one.probability.sel(hazard=hazard), rtol=1e-5
        )


def test_rain_of_reflectivity_by_a_law() -> None:
    rate = showers()
    echo = rain_rate_to_reflectivity(rate.rain_rate.clip(0.01), law=LAW)
    data = echo.to_dataset(name="reflectivity")
    made = steps("reflectivity").footprint(
        data, "rain >= 0.5 mm in 10 min", members=4, law=LAW
    )
    assert made.dataset.attrs["zr_law"] == LAW
    ensemble = steps("reflectivity").ensemble(data, members=4)
    assert ensemble.initial is not None
    first = reflectivity_to_rain_rate(ensemble.initial, law=LAW)
    depth = rainfall(
        reflectivity_to_rain_rate(ensemble.values[0], law=LAW),
        initial=xr.DataArray(first, dims=("y", "x"), attrs={"units": "mm h-1"}),
    )
    assert float(depth.max()) > 0.1
    again = ensemble.footprint("rain >= 0.5 mm in 10 min", law=LAW).dataset
    xr.testing.assert_allclose(
        made.dataset.accumulation.drop_attrs(),
        again.accumulation.drop_attrs(),
        atol=1e-3,
    )
    with pytest.raises(ValueError, match="law='marshall-palmer'"):
        steps("reflectivity").footprint(data, "rain >= 0.5 mm in 10 min", members=4)


def test_a_frame_that_is_missing_is_no_start() -> None:
    data = showers()
    data.rain_rate[-1, :, :24] = nan
    ensemble = steps().ensemble(data, members=2)
    assert ensemble.initial is not None
    assert np.isnan(ensemble.initial[:, :24]).all()
    made = ensemble.footprint().dataset
    assert made.accumulation[:, 30:40].notnull().any()


@pytest.mark.parametrize(
    ("hazard", "helpful"),
    [
        ("rain >= 1 mm in 7 min", r"multiple of the 5 min.*'in 5 min'"),
        ("rain >= 1 mm in 1 h", r"longer than the forecast of 20 min"),
        ("vil >= 1 kg m-2", r"speaks of vil, the forecast is of rain_rate"),
    ],
)
def test_hazards_that_are_none_of_the_forecast(hazard: str, helpful: str) -> None:
    with pytest.raises(ValueError, match=helpful):
        steps().footprint(showers(), hazard, members=2)
