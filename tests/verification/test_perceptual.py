import numpy as np
import pytest
import torch
import xarray as xr
from scipy.ndimage import gaussian_filter

from stormfusion import Catalog
from stormfusion.data.scaling import scaling_for
from stormfusion.losses import LPIPS, MSE, Perceptual
from stormfusion.nn import RadarEncoder
from stormfusion.verification import (
    distance_score,
    distance_sums,
    lpips,
    merge,
    perceptual_distance,
)


@pytest.fixture(scope="module")
def storm() -> xr.DataArray:
    """Three frames, as leads."""
    vil = Catalog.synthetic(events=1, size=64, variables=["vil"], seed=4)[0]["vil"]
    frames = vil.isel(time=[10, 20, 30]).rename(time="lead").load()
    return frames.drop_vars(["lead", *set(frames.coords) - {"y", "x", "lead"}])


def smooth(storm: xr.DataArray) -> xr.DataArray:
    return storm.copy(data=gaussian_filter(storm.values, (0, 2, 2)))


def test_the_twin_of_the_loss(storm: xr.DataArray) -> None:
    forecast = smooth(storm)
    forecast[1, 5:9, 7:30] = np.nan
    found = perceptual_distance(forecast, storm)
    assert found.dims == ("lead",)
    assert found.attrs["units"] == "1"
    assert found.attrs["encoder"] == RadarEncoder.shipped().digest
    north = [array.sortby("y", ascending=False) for array in (forecast, storm)]
    numbers = [
        scaling_for("vil").normalize(torch.tensor(a.values))[:, None] for a in north
    ]
    valid = numbers[0].isfinite() & numbers[1].isfinite()
    for lead in range(3):
        one = slice(lead, lead + 1)
        loss = Perceptual()(numbers[0][one], numbers[1][one], valid[one])
        assert found.values[lead] == pytest.approx(loss.item(), rel=1e-5)


def test_zero_for_a_perfect_forecast_and_more_for_a_smooth_one(storm) -> None:
    assert perceptual_distance(storm, storm).values.tolist() == [0, 0, 0]
    assert bool((perceptual_distance(smooth(storm), storm) > 0).all())


def test_the_order_of_rows_and_columns_does_not_matter(storm: xr.DataArray) -> None:
    forecast = smooth(storm)
    found = perceptual_distance(forecast, storm)
    turned = [a.isel(y=slice(None, None, -1)) for a in (forecast, storm)]
    xr.testing.assert_allclose(perceptual_distance(*turned), found)
    turned = [a.isel(x=slice(None, None, -1)) for a in (forecast, storm)]
    xr.testing.assert_allclose(perceptual_distance(*turned), found)


def test_what_is_missing_is_left_out_of_both(storm: xr.DataArray) -> None:
    forecast, observed = smooth(storm), storm.copy()
    forecast[0, :20, :20] = np.nan
    known = observed.where(forecast.notnull())
    spoilt = observed.where(forecast.notnull(), 50.0)
    one, two = (perceptual_distance(forecast, o) for o in (known, spoilt))
    xr.testing.assert_equal(one, two)
    assert bool(perceptual_distance(np.nan * storm, storm).isnull().all())


def test_members_are_compared_one_by_one(storm: xr.DataArray) -> None:
    members = xr.concat([smooth(storm), storm, 0.5 * storm], "member")
    each = [perceptual_distance(members.isel(member=i), storm) for i in range(3)]
    found = perceptual_distance(members, storm)
    xr.testing.assert_allclose(found, sum(each) / 3)


def test_sums_pool_pixels_and_add_up(storm: xr.DataArray) -> None:
    forecast = smooth(storm).where(storm.x > storm.x[9])
    parts = [
        distance_sums(
            forecast.isel(lead=[i]), storm.isel(lead=[i]), loss=MSE(), over=()
        )
        for i in range(2)
    ]
    parts = [part.sum("lead") for part in parts]
    both = distance_score(merge(*parts), "mse").item()
    whole = distance_sums(forecast[:2], storm[:2], loss=MSE(), over=("lead", "y", "x"))
    assert distance_score(whole, "mse").item() == pytest.approx(both)


def test_other_variables_and_small_maps(storm: xr.DataArray) -> None:
    with pytest.raises(ValueError, match="knows nothing of ir107; train one"):
        perceptual_distance(storm, storm, variable="ir107")
    with pytest.raises(ValueError, match="variable is 'depth', wanted one of vil"):
        perceptual_distance(storm, storm.rename("depth"))
    rain = storm.rename("rain_rate").assign_attrs(units="mm h-1")
    assert perceptual_distance(rain, rain).values[0] == 0
    small = storm[:, :20, :20]
    assert bool(perceptual_distance(small, small).isnull().all())
    with pytest.raises(ValueError, match="need the dimensions y and x"):
        perceptual_distance(storm.rename(y="row"), storm.rename(y="row"))


def test_an_encoder_of_ones_own(storm: xr.DataArray) -> None:
    own = RadarEncoder(("ir107",), widths=(4,), shares=(1.0,)).frozen()
    cold = (-storm).assign_attrs(units="degC")
    found = perceptual_distance(smooth(cold), cold, variable="ir107", encoder=own)
    assert bool((found > 0).all())


def test_lpips_is_the_loss_too(storm: xr.DataArray) -> None:
    loss = LPIPS(pnet_rand=True)
    found = lpips(smooth(storm), storm, loss=loss)
    assert found.attrs["long_name"] == "LPIPS"
    assert bool((found > 0).all())
    assert lpips(storm, storm, loss=loss).values.tolist() == [0, 0, 0]


def test_a_trace_everywhere_is_no_other_storm() -> None:
    vil = Catalog.synthetic(events=1, size=64, frames=6, variables=["vil"])[0]["vil"]
    observed = vil.isel(time=3).load()
    traces = (observed + 1e-4).assign_attrs(observed.attrs)
    near, dry = (perceptual_distance(f, observed).item() for f in (traces, 0 * traces))
    assert near < 0.01 * dry


def test_a_forecast_that_explodes_is_far_away(storm: xr.DataArray) -> None:
    with pytest.warns(UserWarning, match="beyond all weather"):
        far = perceptual_distance(storm * np.float32(1e6), storm)
    assert (far > perceptual_distance(0 * storm, storm)).all()
    infinite = storm.where(storm < storm.max(), np.inf)
    with pytest.warns(UserWarning, match="beyond all weather"):
        assert (perceptual_distance(infinite, storm) > 0).any()


def test_a_veil_of_faint_rain_is_as_far_as_a_lost_storm() -> None:
    """A limit, which docs/encoder.md names."""
    rain = Catalog.synthetic(events=1, size=64, frames=6, variables=["rain_rate"])
    observed = rain[0]["rain_rate"].isel(time=3).load()
    veil = (observed + 0.02).assign_attrs(observed.attrs)
    assert perceptual_distance(veil, observed) > perceptual_distance(
        0 * observed, observed
    )
