"""Forecasts that go to pysteps and come from it: its own functions take them."""

import contextlib
import datetime as dt
import io

import numpy as np
import pytest
import xarray as xr
from tests.interop.test_pysteps import METADATA, NOON, rain

from stormfusion import Ensemble
from stormfusion.units import reflectivity_to_rain_rate

pytestmark = pytest.mark.filterwarnings("ignore")


def silently(name):
    """A module of pysteps, which speaks when it is imported."""
    with contextlib.redirect_stdout(io.StringIO()):
        return pytest.importorskip(name, exc_type=ImportError)


@pytest.fixture(scope="module")
def utils():
    return silently("pysteps.utils")


def made(unit="mm/h", transform=None, **more) -> Ensemble:
    values = rain(3, 6, 4, 5) + (20 if unit == "dBZ" else 0)
    values[0, 0, 0, 0] = np.nan
    metadata = {**METADATA, "unit": unit, "transform": transform, **more}
    return Ensemble.from_pysteps(values, metadata, reference_time=NOON)


@pytest.mark.parametrize("unit", ["mm/h", "mm"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("dB_transform", {"threshold": 0.1, "zerovalue": -15.0}),
        ("dB_transform", {"threshold": 0.08}),
        ("boxcox_transform", {"threshold": 0.1}),
        ("boxcox_transform", {"threshold": 0.1, "Lambda": 0.2, "zerovalue": -4.0}),
        ("sqrt_transform", {}),
    ],
)
def test_transforms_are_undone_as_pysteps_does(utils, name, more, unit, dtype) -> None:
    transform = getattr(utils, name)
    # no value but those that are none lies at the threshold, where theirs rounds
    values = np.where(rain(3, 2, 4, 5) < 0.2, 0.0, rain(3, 2, 4, 5)).astype(dtype)
    values[0, 0, 0, 0] = np.nan
    turned, metadata = transform(values, {**METADATA, "unit": unit}, **more)
    theirs, _ = transform(turned, metadata, inverse=True)
    found = Ensemble.from_pysteps(turned, metadata).values
    assert found.dtype == dtype
    rounding = 10 * np.finfo(dtype).eps
    np.testing.assert_allclose(found, theirs, rtol=rounding)
    np.testing.assert_allclose(found, values, rtol=1e-5)


def test_a_power_leaves_no_dry_pixel_missing(utils) -> None:
    """Theirs takes the logarithm of what is below zero."""
    values = np.array([0.0, 0.2, 5.0, 0.0]).reshape(1, 1, 2, 2)
    metadata = {**METADATA, "x2": 2000.0, "y2": 4000.0}
    turned, metadata = utils.boxcox_transform(values, metadata, Lambda=0.5)
    theirs, _ = utils.boxcox_transform(turned, metadata, inverse=True)
    assert np.isnan(theirs).sum() == 2
    found = Ensemble.from_pysteps(turned, metadata).values
    np.testing.assert_allclose(found, values, rtol=1e-12)


def test_its_conversions_take_what_comes_back(utils) -> None:
    array, metadata = made().to_pysteps()
    known = np.where(array < 0.1, 0.0, array)
    depth, of_depth = utils.to_raindepth(array, metadata)
    np.testing.assert_allclose(depth, array * 5 / 60)
    rate, of_rate = utils.to_rainrate(depth, of_depth)
    np.testing.assert_allclose(rate, array)
    assert of_rate["threshold"] == pytest.approx(metadata["threshold"])
    for unit, one, other in (("mm", depth, of_depth), ("mm/h", rate, of_rate)):
        found = Ensemble.from_pysteps(one, other)
        assert found.to_pysteps()[1]["unit"] == unit
    decibels, of_decibels = utils.dB_transform(array, metadata)
    assert of_decibels["threshold"] == pytest.approx(-10.0)
    found = Ensemble.from_pysteps(decibels, of_decibels)
    np.testing.assert_allclose(found.values, known)
    assert found.dataset.reference_time == np.datetime64(NOON)


def test_its_reflectivity_is_ours(utils) -> None:
    array, metadata = made("dBZ", "dB").to_pysteps()
    rate, of_rate = utils.to_rainrate(array, metadata)
    ours = reflectivity_to_rain_rate(array, a=METADATA["zr_a"])
    np.testing.assert_allclose(rate, ours, rtol=1e-12)
    dbz, of_dbz = utils.to_reflectivity(rate, of_rate)
    found = Ensemble.from_pysteps(dbz, of_dbz)
    assert found.variable == "reflectivity"
    np.testing.assert_allclose(found.values, array, rtol=1e-12)


def test_its_aggregation_in_time_takes_what_comes_back(utils) -> None:
    array, metadata = made().to_pysteps()
    half, of_half = utils.aggregate_fields_time(array, metadata, 15)
    found = Ensemble.from_pysteps(half, of_half, interval=15)
    expected = array.reshape(3, 2, 3, 4, 5).mean(axis=2)
    np.testing.assert_allclose(found.values, expected)
    minutes = found.values.lead / np.timedelta64(1, "m")
    assert minutes.values.tolist() == [15, 30]
    assert found.dataset.reference_time == np.datetime64(NOON)


@pytest.mark.parametrize("yorigin", ["upper", "lower"])
def test_its_clipping_takes_what_comes_back(utils, yorigin) -> None:
    ensemble = made(yorigin=yorigin)
    array, metadata = ensemble.to_pysteps()
    extent = (1000.0, 4000.0, 3000.0, 5000.0)
    part, of_part = utils.clip_domain(array[0], metadata, extent)
    found = Ensemble.from_pysteps(part, of_part).values
    y, x = found.y.values, found.x.values
    expected = ensemble.values.sel(member=[0], y=y, x=x)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("unit", ["mm/h", "mm", "dBZ"])
def test_its_netcdf_takes_what_comes_back(tmp_path, unit) -> None:
    pytest.importorskip("netCDF4")
    exporters, importers = (
        silently(f"pysteps.io.{name}") for name in ("exporters", "nowcast_importers")
    )
    ensemble = made(unit, "dB" if unit == "dBZ" else None)
    array, metadata = ensemble.to_pysteps()
    start = metadata["timestamps"][0] - dt.timedelta(minutes=metadata["leadtimes"][0])
    writer = exporters.initialize_forecast_exporter_netcdf(
        str(tmp_path), "nowcast", start, 5, 6, (4, 5), metadata, n_ens_members=3
    )
    exporters.export_forecast_dataset(array, writer)
    exporters.close_forecast_files(writer)
    path = tmp_path / "nowcast.nc"
    with xr.open_dataset(path, engine="netcdf4") as file:
        np.testing.assert_allclose(file.x, ensemble.values.x)
        np.testing.assert_allclose(file.y, ensemble.values.y)
        assert file.x.units == "m"
    theirs, told = importers.import_netcdf_pysteps(str(path), onerror="raise")
    found = Ensemble.from_pysteps(theirs, told).values
    np.testing.assert_allclose(found, ensemble.values, rtol=1e-6)
    for name in ("x", "y"):
        np.testing.assert_allclose(found[name], ensemble.values[name])
    for name in ("lead", "time", "reference_time"):
        np.testing.assert_array_equal(found[name], ensemble.values[name])


def test_what_steps_returns() -> None:
    silently("pysteps")
    steps = silently("pysteps.nowcasts.steps")
    transformation = silently("pysteps.utils.transformation")
    y, x = np.mgrid[:32, :32]
    waves = np.sin(x / 3.0) + np.cos(y / 4.0) + np.sin((x + 2 * y) / 5.0)
    frames = np.stack([np.roll(waves, i, axis=1) for i in range(3)])
    frames = np.where(frames > 0.5, np.exp(frames), 0.0)
    noon = dt.datetime(2019, 6, 1, 12)
    times = np.array([noon + i * dt.timedelta(minutes=5) for i in (-2, -1, 0)])
    metadata = {**METADATA, "x2": 32e3, "y2": 34e3, "timestamps": times}
    frames, metadata = transformation.dB_transform(
        frames, metadata, threshold=0.1, zerovalue=-15.0
    )
    with contextlib.redirect_stdout(io.StringIO()):
        forecast = steps.forecast(
            frames,
            np.stack([np.ones((32, 32)), np.zeros((32, 32))]),
            4,
            n_ens_members=2,
            n_cascade_levels=3,
            precip_thr=-10.0,
            kmperpixel=1.0,
            timestep=5,
            vel_pert_method=None,
            seed=1,
            num_workers=1,
        )
    found = Ensemble.from_pysteps(forecast, metadata)
    assert repr(found).endswith("2 members: rain_rate, 4 leads on 32 x 32 pixels>")
    assert found.dataset.reference_time == np.datetime64(noon)
    assert found.dataset.time[0] == np.datetime64(noon + dt.timedelta(minutes=5))
    undone, _ = transformation.dB_transform(forecast, metadata, inverse=True)
    np.testing.assert_array_equal(found.values, undone)
    # as in its examples, where the dictionary stays behind
    with pytest.raises(ValueError, match="the transform seems undone, so set metadata"):
        Ensemble.from_pysteps(undone, metadata)
