"""Hazards of CLIMADA, by a stand-in for it, and by itself where it is installed."""

import importlib.util
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from stormfusion import Ensemble
from stormfusion.errors import GridMismatchError
from stormfusion.grids import Grid
from stormfusion.interop.climada import (
    PER_FORECAST,
    Events,
    hazard_of,
    kind_of,
    to_hazard,
    write_hazard,
)

needs_climada = pytest.mark.skipif(
    importlib.util.find_spec("climada") is None,
    reason="CLIMADA is not installed; it comes with the extra 'climada'",
)


def members_of(
    members: int = 3, *, variable: str = "mesh", grid: Grid | None = None
) -> xr.Dataset:
    """An ensemble of two leads, whose values tell member, lead, row and column."""
    if grid is None:
        x = 1000.0 * np.arange(4)
        grid = Grid(1000.0 * np.arange(3)[::-1], x, "EPSG:3035")
    shape = (members, 2, *grid.shape)
    values = np.zeros(shape, "f4")
    for place in np.ndindex(*shape):
        m, k, row, column = place
        values[place] = 100 * (m % 2) + 10 * k + row + column / 10
    start = np.datetime64("2019-06-01T23:52", "ns")
    ahead = np.array([5, 10], "timedelta64[m]").astype("timedelta64[ns]")
    dims = ("member", "lead", "y", "x")
    return xr.Dataset(
        {variable: (dims, values, {"units": "mm"})},
        {"lead": ahead, "time": ("lead", start + ahead), **grid.coords()},
    )


class Fake:
    """What CLIMADA is given, kept."""

    def __init__(self, **given: object) -> None:
        self.__dict__.update(given)


@pytest.fixture
def climada(monkeypatch) -> ModuleType:
    """A CLIMADA without a forecast, as 6.1 is."""
    package, hazard = ModuleType("climada"), ModuleType("climada.hazard")
    hazard.Hazard = type("Hazard", (Fake,), {})
    hazard.Centroids = type("Centroids", (Fake,), {})
    package.hazard = hazard
    monkeypatch.setitem(sys.modules, "climada", package)
    monkeypatch.setitem(sys.modules, "climada.hazard", hazard)
    monkeypatch.delitem(sys.modules, "climada.hazard.forecast", raising=False)
    return hazard


def test_an_event_for_each_member_and_lead(climada) -> None:
    found = to_hazard(members_of())
    assert isinstance(found, climada.Hazard)
    assert found.event_name[:3] == [
        *("member 0, +5 min", "member 0, +10 min", "member 1, +5 min")
    ]
    assert found.intensity.shape == (6, 12)
    # member 1, the second lead; rows and columns in the order of the dataset
    row = found.intensity[3].toarray().reshape(3, 4)
    np.testing.assert_allclose(row[2, 3], 112.3, rtol=1e-6)
    np.testing.assert_allclose(row[0, 1], 110.1, rtol=1e-6)
    assert found.event_id.tolist() == [1, 2, 3, 4, 5, 6]
    np.testing.assert_allclose(found.frequency, 1 / 3)
    assert found.frequency_unit == PER_FORECAST
    assert (found.haz_type, found.units) == ("HL", "mm")
    assert not found.orig.any()
    assert not hasattr(found, "member")


def test_events_know_their_day(climada) -> None:
    dates = to_hazard(members_of()).date
    day = np.datetime64("2019-06-01").astype(object).toordinal()
    assert dates.tolist() == [day, day + 1] * 3
    assert to_hazard(members_of(), window=True).date.tolist() == [day] * 3
    without = members_of().drop_vars(["time", "lead"])
    found = to_hazard(without)
    assert found.date.tolist() == [1] * 6
    assert found.event_name[:2] == ["member 0, lead 0", "member 0, lead 1"]


def test_an_event_for_each_member(climada) -> None:
    found = to_hazard(members_of(), window=True)
    assert found.event_name == ["member 0", "member 1", "member 2"]
    wanted = members_of().mesh.max("lead").to_numpy().reshape(3, -1)
    np.testing.assert_array_equal(found.intensity.toarray(), wanted)
    assert found.frequency.sum() == pytest.approx(1)


@pytest.mark.parametrize("first", [5.0, 358.0])
def test_centroids_are_the_centres_of_pixels(climada, first) -> None:
    grid = Grid(
        np.arange(50.0, 47.0, -1), first + np.arange(4), "EPSG:4326", degrees=True
    )
    found = to_hazard(members_of(grid=grid)).centroids
    assert found.lat.reshape(3, 4)[:, 0].tolist() == [50, 49, 48]
    wanted = [5, 6, 7, 8] if first == 5 else [-2, -1, 0, 1]
    assert found.lon.reshape(3, 4)[0].tolist() == wanted


def test_pixels_missing_in_any_event_are_left_out(climada) -> None:
    made = members_of()
    made.mesh[1, 0, 2, 1] = np.nan
    found = to_hazard(made)
    assert found.intensity.shape == (6, 11)
    assert found.centroids.lat.size == 11
    assert np.isfinite(found.intensity.toarray()).all()
    # the window is unknown where a lead is
    assert to_hazard(made, window=True).intensity.shape == (3, 11)
    made.mesh[0] = np.nan
    with pytest.raises(ValueError, match=r"every pixel is missing in some event, want"):
        to_hazard(made)


def test_a_forecast_where_climada_has_one(climada, monkeypatch) -> None:
    forecast = ModuleType("climada.hazard.forecast")
    forecast.HazardForecast = type("HazardForecast", (Fake,), {})
    monkeypatch.setitem(sys.modules, "climada.hazard.forecast", forecast)
    monkeypatch.setattr(climada, "__path__", [], raising=False)
    made = members_of().assign_coords(member=[4, 5, 6])
    found = to_hazard(made)
    assert isinstance(found, forecast.HazardForecast)
    assert found.member.tolist() == [4, 4, 5, 5, 6, 6]
    assert found.lead_time.tolist() == 3 * made.lead.values.tolist()
    assert found.event_name[2] == "member 5, +5 min"
    found = to_hazard(made, window=True)
    assert found.member.tolist() == [4, 5, 6]
    assert (found.lead_time == made.lead.values[1]).all()
    # percentiles have no members
    events = Events(np.ones((1, 3, 4)), ["all"], np.ones(1), np.ones(1), "mm")
    assert isinstance(hazard_of(events, Grid.of(made), kind="HL"), climada.Hazard)


def test_what_cannot_be_a_hazard(climada) -> None:
    made = members_of()
    with pytest.raises(ValueError, match=r"got no variable with a dimension 'member'"):
        to_hazard(made.isel(member=0))
    with pytest.raises(ValueError, match=r"got mesh, other with .*, wanted exactly"):
        to_hazard(made.assign(other=made.mesh))
    with pytest.raises(GridMismatchError, match=r"unknown, wanted one for the cent"):
        to_hazard(made.drop_vars("crs"))
    with pytest.raises(ValueError, match=r"no kind of hazard is known for 'ir107';"):
        to_hazard(made.rename(mesh="ir107"))
    assert to_hazard(made.rename(mesh="ir107"), kind="XX").haz_type == "XX"
    for wrong in ("", 7):
        with pytest.raises(ValueError, match=r"wanted the letters of your impact"):
            kind_of("mesh", wrong)


def test_without_climada_the_extra_is_named(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "climada", None)
    monkeypatch.setitem(sys.modules, "climada.hazard", None)
    with pytest.raises(ModuleNotFoundError, match=r"install 'stormfusion\[climada\]"):
        to_hazard(members_of())


@needs_climada
@pytest.mark.filterwarnings("ignore")  # of other packages
def test_climada_takes_it_and_computes_the_expected_loss(tmp_path, monkeypatch) -> None:
    # one of its modules about lights at night wants GDAL, which pip does not bring
    if importlib.util.find_spec("osgeo") is None:
        monkeypatch.setitem(sys.modules, "osgeo", SimpleNamespace(gdal=None))
        monkeypatch.setitem(sys.modules, "osgeo.gdal", SimpleNamespace())
    from climada.engine import ImpactCalc
    from climada.entity import Exposures, ImpactFunc, ImpactFuncSet
    from climada.hazard import Hazard

    ensemble = Ensemble(members_of(4))
    hazard = to_hazard(ensemble.dataset, window=True)
    hazard.check()
    write_hazard(hazard, tmp_path / "hail.h5")
    read = Hazard.from_hdf5(tmp_path / "hail.h5")
    assert abs(read.intensity - hazard.intensity).max() == 0
    np.testing.assert_allclose(read.centroids.coord, hazard.centroids.coord)
    assert read.event_name == hazard.event_name
    assert (read.haz_type, read.units, read.frequency_unit) == (
        "HL",
        "mm",
        PER_FORECAST,
    )
    value = np.arange(1.0, 13.0)
    exposures = Exposures(
        lat=hazard.centroids.lat,
        lon=hazard.centroids.lon,
        value=value,
        data={"impf_HL": np.ones(12, dtype=int)},
    )
    damage = ImpactFunc(
        haz_type="HL",
        id=1,
        intensity=np.array([0.0, 60.0, 120.0]),
        mdd=np.array([0.0, 0.1, 1.0]),
        paa=np.ones(3),
        intensity_unit="mm",
    )
    impact = ImpactCalc(exposures, ImpactFuncSet([damage]), read).impact()
    largest = ensemble.values.max("lead").to_numpy().reshape(4, -1)
    losses = np.interp(largest, [0, 60, 120], [0, 0.1, 1]) * value
    np.testing.assert_allclose(impact.at_event, losses.sum(axis=1), rtol=1e-5)
    assert impact.aai_agg == pytest.approx(losses.sum(axis=1).mean(), rel=1e-5)
    by_lead = to_hazard(ensemble.dataset)
    by_lead.check()
    assert by_lead.size == 8
    assert by_lead.select(event_names=["member 3, +10 min"]).size == 1
