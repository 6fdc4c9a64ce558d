"""A model of hail: calibrated, monotone, and the same whichever way rows run."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from stormfusion import Catalog, plot
from stormfusion.data import synthetic_reports
from stormfusion.data.spotters import synthetic_report_probability
from stormfusion.errors import CatalogError, GridMismatchError
from stormfusion.grids import Grid, places
from stormfusion.hail import HailModel
from stormfusion.hail.logistic import Calibration, Curves

KM = (1000.0, 1000.0)


def storms(events=24, size=64, frames=13, seed=5, **options):
    options = {"variables": ["vil"], **options}
    return Catalog.synthetic(events, size=size, frames=frames, seed=seed, **options)


@pytest.fixture(scope="module")
def catalog():
    return storms()


@pytest.fixture(scope="module")
def reports(catalog):
    return synthetic_reports(catalog, seed=1)


@pytest.fixture(scope="module")
def model(catalog, reports):
    return HailModel.fit(catalog, reports, size="0.5 inch", progress=False)


def by_hand(distance=4000.0, frames=2, **options):
    """A model that sees something of everything."""
    curves = Curves(-6.0, np.linspace(0.1, 0.6, 24).reshape(3, 8))
    given = {
        "size": 25.4,
        "distance": distance,
        "variable": "vil",
        "interval": 300,
        "window": dt.timedelta(minutes=5 * frames),
        "spacing": KM,
        "degrees": None,
        "curves": curves,
        "calibration": Calibration(1, 0.5, 0),
    }
    return HailModel(**(given | options))


def test_what_a_fitted_model_tells(model, catalog):
    assert (model.size, model.distance, model.variable) == (12.7, 10e3, "vil")
    assert model.window == dt.timedelta(minutes=15)
    assert "reports of hail >= 12.7 mm within 10 km and 15 min, from vil" in repr(model)
    told = model.reliability
    assert told["brier_skill"] > 0.05
    assert told["days"] >= 5
    assert 0 < told["reports"] < 1000
    assert int(told["count"].sum()) == pytest.approx(int(told["pixels"]), rel=0.01)
    assert told["events"] == len(catalog)
    assert told.attrs["start"] == "2019-01-01T00:00:00"
    figure = plot.reliability(told)
    assert isinstance(figure, Figure)
    # its bins are narrow, the bars can be seen
    assert all(bar.get_width() >= 0.008 for bar in figure.axes[1].patches)
    with pytest.raises(AttributeError, match="cannot assign"):
        model.size = 3.0


@pytest.mark.slow
def test_probabilities_are_those_the_reports_were_drawn_with():
    learned = storms(60, frames=22)
    reports = synthetic_reports(learned, seed=1)
    model = HailModel.fit(learned, reports, size="0.5 inch", progress=False)
    forecast, truth = [], []
    for event in storms(24, frames=22, seed=99):
        vil = event["vil"].load()
        true = synthetic_report_probability(event, size=12.7).to_numpy()
        chance = model.probability(vil).to_numpy()
        forecast.append(chance[2::3][np.isfinite(chance[2::3])])
        truth.append(true[2::3][np.isfinite(chance[2::3])])
    forecast, truth = np.concatenate(forecast), np.concatenate(truth)
    assert forecast.mean() == pytest.approx(truth.mean(), rel=0.25)
    for low, high in ((0.0, 0.005), (0.02, 0.1), (0.1, 0.3), (0.3, 0.6)):
        some = (forecast >= low) & (forecast < high)
        assert some.sum() > 500
        assert truth[some].mean() == pytest.approx(
            forecast[some].mean(), rel=0.35, abs=0.002
        )
    # the truth knows where people live, the model does not
    error = np.mean((forecast - truth) ** 2)
    assert error < 0.6 * np.mean((truth - truth.mean()) ** 2)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.floats(0.1, 80.0), st.booleans())
def test_raising_vil_never_lowers_a_probability(seed, more, holed):
    rng = np.random.default_rng(seed)
    vil = (rng.gamma(0.4, 15.0, (3, 14, 15)) * (rng.random((3, 14, 15)) < 0.4)).astype(
        np.float32
    )
    if holed:
        vil[rng.random(vil.shape) < 0.3] = np.nan
    model = by_hand()
    before = model.chances(vil, spacing_m=KM, interval_s=300)
    raised = vil.copy()
    frame, row, column = (int(rng.integers(n)) for n in vil.shape)
    raised[frame, row, column:] += np.float32(more)
    after = model.chances(raised, spacing_m=KM, interval_s=300)
    np.testing.assert_array_equal(np.isnan(after), np.isnan(before))
    assert np.nanmin(after - before) >= -1e-6


def test_rows_and_columns_of_either_order_give_turned_results(model, catalog):
    vil = catalog[3]["vil"].load()
    found = model.probability(vil)
    for turn in ({"y": slice(None, None, -1)}, {"x": slice(None, None, -1)}):
        other = model.probability(vil.isel(turn))
        xr.testing.assert_identical(other, found.isel(turn))


def test_a_catalog_of_either_order_is_learned_alike(catalog, reports, model):
    turned = None
    for event in catalog:
        storm = event.to_dataset().isel(y=slice(None, None, -1))
        each = Catalog.from_xarray(storm)
        turned = each if turned is None else turned | each
    assert turned[0].stored("vil").grid.y[0] > turned[0].stored("vil").grid.y[-1]
    other = HailModel.fit(turned, reports, size="0.5 inch", progress=False)
    vil = max(catalog, key=lambda e: float(e["vil"].max()))["vil"].load()
    one, two = model.probability(vil), other.probability(vil)
    # other pixels are drawn
    assert float(np.abs(one - two).max()) < 0.12
    assert float(one.mean()) == pytest.approx(float(two.mean()), rel=0.25)


def test_hail_is_learned_on_degrees_too():
    def on_degrees(event, north):
        vil = event["vil"].load()
        y = north + 0.01 * np.arange(64)[::-1]  # from north to south
        grid = Grid(y, 255.0 + 0.01 * np.arange(64), "EPSG:4326", degrees=True)
        array = xr.DataArray(vil.to_numpy(), dims=vil.dims, attrs={"units": "kg m-2"})
        return array.assign_coords(time=vil["time"], **grid.coords()).rename("vil")

    events = [on_degrees(event, 40.0) for event in storms(24, frames=13)]
    catalog = None
    for event in events:
        each = Catalog.from_xarray(event.to_dataset())
        catalog = each if catalog is None else catalog | each
    reports = synthetic_reports(catalog, seed=1)
    assert reports["longitude"].between(-105.0, -104.0).all()
    model = HailModel.fit(catalog, reports, size=6.35, progress=False)
    assert model.degrees == pytest.approx((0.01, 0.01))
    assert model.reliability["reports"] > 20
    assert model.reliability["brier_skill"] > 0
    # the same step elsewhere is accepted, other spacings are not
    north = on_degrees(storms(1)[0], 50.0)
    assert model.probability(north).shape == north.shape
    with pytest.raises(GridMismatchError, match="in y"):
        model.probability(north.assign_coords(y=2 * north["y"] - 50.0))


def test_the_first_frames_use_what_there_is():
    vil = np.zeros((3, 12, 12), dtype=np.float32)
    vil[0, 6, 6] = 60.0
    model = by_hand(frames=2)
    found = model.chances(vil, spacing_m=KM, interval_s=300)
    assert found[0, 6, 6] == found[1, 6, 6] > found[2, 6, 6]
    later = model.chances(vil[1:], spacing_m=KM, interval_s=300)
    assert later[0, 6, 6] == found[2, 6, 6]


def test_little_known_is_nothing_known():
    vil = np.full((2, 30, 30), 20.0, dtype=np.float32)
    vil[:, :14] = np.nan
    found = by_hand().chances(vil, spacing_m=KM, interval_s=300)
    assert np.isnan(found[:, :14, 15]).all()
    assert np.isfinite(found[:, 14:, 4:-4]).all()
    nothing = np.full((2, 9, 9), np.nan)
    assert np.isnan(by_hand().chances(nothing, spacing_m=KM, interval_s=300)).all()


def forecast(values, **attrs):
    grid = Grid(np.arange(12) * 1000.0, np.arange(13) * 1000.0)
    lead = np.arange(1, values.shape[-3] + 1) * np.timedelta64(300, "s")
    return xr.DataArray(
        values,
        dims=("member", "lead", "y", "x"),
        coords={"lead": lead.astype("timedelta64[ns]"), **grid.coords()},
        name="vil",
        attrs={"units": "kg m-2", **attrs},
    )


def test_each_member_is_taken_by_itself():
    values = np.random.default_rng(0).gamma(0.4, 15.0, (3, 4, 12, 13))
    array, model = forecast(values.astype(np.float32)), by_hand()
    found = model.probability(array)
    assert found.dims == array.dims
    assert found.attrs["units"] == "1"
    assert "report of hail of 25.4 mm or more within 4 km" in found.attrs["long_name"]
    for member in range(3):
        alone = model.chances(
            values[member].astype(np.float32), spacing_m=KM, interval_s=300.0
        )
        np.testing.assert_array_equal(found[member], alone)
    mixed = model.probability(array.transpose("x", "member", "y", "lead"))
    xr.testing.assert_allclose(mixed.transpose(*array.dims), found)


def test_units_are_converted():
    values = np.random.default_rng(0).gamma(0.4, 15.0, (1, 2, 12, 13))
    model = by_hand()
    found = model.probability(forecast(values))
    grams = model.probability(forecast(values * 1000.0, units="g m-2"))
    np.testing.assert_allclose(grams, found, atol=1e-3)


def test_what_is_refused_of_a_field():
    model, array = by_hand(), forecast(np.zeros((1, 3, 12, 13), dtype=np.float32))
    with pytest.raises(TypeError, match="got Dataset, wanted a DataArray of 'vil'"):
        model.probability(array.to_dataset())
    with pytest.raises(ValueError, match="got 'rain_rate', this model of hail was"):
        model.probability(array.rename("rain_rate"))
    with pytest.raises(ValueError, match="wanted 'lead' or 'time'"):
        model.probability(array.isel(lead=0))
    with pytest.raises(ValueError, match="wanted 'lead' or 'time'"):
        model.probability(array.isel(x=0))
    with pytest.raises(ValueError, match="frames are 600 s apart"):
        model.probability(array.isel(lead=[0, 2]))
    gap = forecast(np.zeros((1, 5, 12, 13), dtype=np.float32)).isel(lead=[0, 1, 3])
    with pytest.raises(ValueError, match="300 to 600 s apart, wanted one step"):
        model.probability(gap)
    with pytest.raises(ValueError, match="'lead' holds no times"):
        model.probability(array.drop_vars("lead"))
    with pytest.raises(GridMismatchError, match="2000 m between points in x"):
        model.probability(array.assign_coords(x=array["x"] * 2))
    assert model.probability(array.isel(lead=[1])).sizes["lead"] == 1


def test_what_is_refused_of_bare_numbers():
    model, vil = by_hand(), np.zeros((2, 9, 9), dtype=np.float32)
    with pytest.raises(ValueError, match=r"shape \(9, 9\)"):
        model.chances(vil[0], spacing_m=KM, interval_s=300)
    with pytest.raises(ValueError, match="type int64"):
        model.chances(vil.astype(int), spacing_m=KM, interval_s=300)
    with pytest.raises(ValueError, match="frames are 600 s apart"):
        model.chances(vil, spacing_m=KM, interval_s=600)
    with pytest.raises(GridMismatchError, match="1200 m between points in y"):
        model.chances(vil, spacing_m=(1200.0, 1000.0), interval_s=300)
    assert model.chances(vil[:0], spacing_m=KM, interval_s=300).shape == (0, 9, 9)


def test_other_radar_is_learned_from(reports):
    radar = storms(variables=["rain_rate", "ir107"])
    model = HailModel.fit(radar, reports, size="0.5 inch", progress=False)
    assert model.variable == "rain_rate"
    assert model.reliability["brier_skill"] > 0


def test_a_model_of_nothing_warns(catalog, reports):
    # hail falls where it is driest, which no curve can tell that never falls
    moved = []
    for event in catalog:
        vil, grid = event["vil"].max("time").to_numpy(), event.stored("vil").grid
        row, column = np.unravel_index(vil[8:-8, 8:-8].argmin(), (48, 48))
        north, east = places(grid, grid.y[[row + 8]], grid.x[[column + 8]])
        time = event.time[[4]]
        moved.append({"time": time[0], "latitude": north[0], "longitude": east[0]})
    table = pd.DataFrame(moved).assign(size=25.4)
    with pytest.warns(UserWarning, match="nothing was learned of hail"):
        HailModel.fit(catalog, table, distance="4 km", progress=False)


def test_what_is_refused_of_a_fit(catalog, reports):
    fit = HailModel.fit
    options = {"progress": False}
    with pytest.raises(TypeError, match="got list, wanted a Catalog"):
        fit(list(catalog), reports, **options)
    with pytest.raises(TypeError, match="reports are list"):
        fit(catalog, [], **options)
    with pytest.raises(CatalogError, match=r"largest of .* mm, wanted some of hail"):
        fit(catalog, reports, size="200 mm", **options)
    with pytest.raises(CatalogError, match="got 0 reports, wanted"):
        fit(catalog, reports[:0], **options)
    with pytest.raises(CatalogError, match="are at other times than its events"):
        fit(catalog, reports.assign(time=pd.Timestamp("2001-01-01"), end_time=pd.NaT))
    with pytest.raises(ValueError, match="distance is 900 m, wanted that between"):
        fit(catalog, reports, distance="900 m", **options)
    with pytest.raises(ValueError, match="does not hold a whole number of frames"):
        fit(catalog, reports, window="12 min", **options)
    for name in ("folds", "seed"):
        with pytest.raises(ValueError, match=f"{name} is -1, wanted a whole number"):
            fit(catalog, reports, **{name: -1}, **options)
    one = reports[reports["id"].str.startswith(reports["id"][0][:16])]
    with pytest.raises(CatalogError, match="reported on 1 day of the catalog"):
        fit(catalog, one, size=6.0, **options)
    with pytest.raises(GridMismatchError, match="2000 m between points"):
        fit(catalog | storms(1, spacing=2000.0, seed=8), reports, **options)
    with pytest.raises(CatalogError, match="apart in different events"):
        fit(catalog | storms(1, interval="10min", seed=8), reports, **options)
