"""Synthetic reports of hail: the same for a seed, and drawn with the told chance."""

import numpy as np
import pandas as pd
import pytest

from stormfusion import Catalog
from stormfusion.data import synthetic_reports
from stormfusion.data.reports import COLUMNS
from stormfusion.data.spotters import (
    SIZES,
    people,
    synthetic_report_probability,
)
from stormfusion.errors import CatalogError
from stormfusion.hail.labels import paths_of


@pytest.fixture(scope="module")
def catalog():
    return Catalog.synthetic(events=6, size=64, frames=13, variables=["vil"], seed=5)


def test_the_same_seed_makes_the_same_reports(catalog):
    reports = synthetic_reports(catalog, seed=3)
    assert list(reports.columns) == list(COLUMNS)
    pd.testing.assert_frame_equal(synthetic_reports(catalog, seed=3), reports)
    assert not synthetic_reports(catalog, seed=4).equals(reports)


def test_an_event_has_its_own_reports_whatever_else_is_there(catalog):
    whole = synthetic_reports(catalog, seed=3)
    some = synthetic_reports(catalog[2:4], seed=3)
    assert len(some)
    names = tuple(catalog[i].id for i in (2, 3))
    of_these = whole[whole["id"].str.startswith(names)].reset_index(drop=True)
    pd.testing.assert_frame_equal(some, of_these)


def test_reports_lie_at_cores_in_the_interval_before_a_frame(catalog):
    reports = pd.concat([synthetic_reports(catalog, seed=s) for s in range(5)])
    assert set(reports["size"]) <= set(SIZES.round(2))
    for event in catalog:
        mine = reports[reports["id"].str.startswith(event.id)]
        grid = event.stored("vil").grid
        paths = paths_of(mine, grid)
        row = np.abs(grid.y[:, None] - paths.y[:, 0]).argmin(axis=0)
        column = np.abs(grid.x[:, None] - paths.x[:, 0]).argmin(axis=0)
        np.testing.assert_allclose(grid.x[column], paths.x[:, 0], atol=0.01)
        frame = np.searchsorted(event.time, paths.begin)
        assert (event["vil"].to_numpy()[frame, row, column] >= 10.0).all()


def test_sizes_grow_with_vil(catalog):
    reports = pd.concat([synthetic_reports(catalog, seed=s) for s in range(20)])
    strongest = {event.id: float(event["vil"].max()) for event in catalog}
    vil = reports["id"].str.rsplit("-", n=2).str[0].map(strongest)
    strong = vil >= vil.median()
    assert reports["size"][strong].mean() > reports["size"][~strong].mean()


@pytest.mark.slow
def test_reports_come_as_often_as_told():
    # one event, many seeds: the share of seeds with a report near a pixel
    event = Catalog.synthetic(events=3, size=48, frames=7, variables=["vil"], seed=5)[1]
    one = Catalog([event])
    truth = synthetic_report_probability(event, size=12.7, distance=5e3, window=900.0)
    grid = event.stored("vil").grid
    rows, columns = np.arange(0, 48, 4), np.arange(0, 48, 4)
    end = event.time[-1].to_datetime64()
    count, seeds = np.zeros((12, 12)), 400
    for seed in range(seeds):
        reports = synthetic_reports(one, seed=seed)
        large = reports[reports["size"] >= 12.7]
        told = paths_of(large, grid).during(end - np.timedelta64(15, "m"), end)
        count += told.near(grid, rows, columns, 5e3)
    expected = truth.to_numpy()[-1][np.ix_(rows, columns)]
    assert expected.max() > 0.1
    error = np.sqrt(np.maximum(expected * (1 - expected) / seeds, 1e-9))
    assert (np.abs(count / seeds - expected) <= 4.5 * error + 1e-9).all()


def test_the_truth_grows_with_distance_window_and_falls_with_size(catalog):
    event = max(catalog, key=lambda event: float(event["vil"].max()))
    base = synthetic_report_probability(event)
    assert float(base.min()) == 0.0 < float(base.max())
    assert base.dims == ("time", "y", "x")
    assert (synthetic_report_probability(event, distance=15e3) >= base).all()
    assert (synthetic_report_probability(event, window=1800.0) >= base).all()
    assert (synthetic_report_probability(event, size=50.8) <= base).all()


def test_most_hail_goes_unreported_somewhere():
    latitude, longitude = np.meshgrid(np.linspace(30, 45, 301), np.linspace(-110, -90))
    share = people(latitude, longitude)
    assert 0.1 <= share.min() < 0.15
    assert 0.95 < share.max() <= 1.0


def test_what_has_no_vil_or_one_frame_or_no_reports():
    radar = Catalog.synthetic(events=1, size=16, frames=3, variables=["rain_rate"])
    with pytest.raises(CatalogError, match="holds rain_rate, wanted vil"):
        synthetic_reports(radar)
    single = Catalog.synthetic(events=1, size=16, frames=1, variables=["vil"])
    with pytest.raises(CatalogError, match="one frame"):
        synthetic_reports(single)
    with pytest.raises(ValueError, match="seed is -1"):
        synthetic_reports(single, seed=-1)
    small = Catalog.synthetic(events=1, size=8, frames=2, variables=["vil"])
    nothing = synthetic_reports(small)
    assert list(nothing.columns) == list(COLUMNS)
    assert len(nothing) == 0
