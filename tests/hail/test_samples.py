"""Samples of a catalog: their weights, days, and what a catalog may lack."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from stormfusion import Catalog
from stormfusion.data.event import Event, Frames
from stormfusion.data.reports import checked_reports
from stormfusion.errors import CatalogError, GridMismatchError
from stormfusion.grids import places
from stormfusion.hail import samples
from stormfusion.hail.neighborhood import Neighborhood
from stormfusion.hail.samples import day_of, draw

AROUND = Neighborhood("vil", 6000.0, 3, (1000.0, 1000.0))


@pytest.fixture(scope="module")
def catalog():
    return Catalog.synthetic(events=4, size=48, frames=13, variables=["vil"], seed=5)


def report(event, minutes=20, **columns):
    """A report in the middle of an event, some minutes after its first frame."""
    grid = event.stored("vil").grid
    y, x = grid.y.mean(keepdims=True), grid.x.mean(keepdims=True)
    latitude, longitude = places(grid, y, x)
    time = event.time[0] + pd.to_timedelta([minutes], unit="min")
    found = {"time": time, "latitude": latitude, "longitude": longitude}
    return checked_reports(pd.DataFrame({"size": [25.4], **found, **columns}))


def drawn(catalog, reports, around=AROUND, **options):
    options = {"interval": 300, "seed": 0, "progress": False, **options}
    return draw(list(catalog), reports, around, **options)


def test_weights_keep_the_frequency_of_hits(catalog, monkeypatch):
    reports = pd.concat([report(event) for event in catalog], ignore_index=True)
    monkeypatch.setattr(samples, "DRAWN", 0)
    few = drawn(catalog, reports)
    monkeypatch.setattr(samples, "DRAWN", 10**9)
    monkeypatch.setattr(samples, "FEWEST", 10**9)
    every = drawn(catalog, reports)
    assert few.samples.peak.size < 0.5 * every.samples.peak.size
    # dry pixels of a day are one in both, and weigh as many
    assert few.samples.weight.sum() == pytest.approx(every.samples.weight.sum())
    assert few.samples.hit.sum() == every.samples.hit.sum() > 0
    assert (few.samples.weight[few.samples.hit] == 1.0).all()
    mean = [np.average(s.samples.peak, weights=s.samples.weight) for s in (few, every)]
    assert mean[0] == pytest.approx(mean[1], rel=0.05)
    assert few.counts["pixels"] == round(every.samples.weight.sum())


def test_a_report_hits_the_pixels_of_its_window_only(catalog):
    # windows end 10, 25, 40 and 55 minutes after the first frame
    found = drawn(catalog[:1], report(catalog[0], 11)).samples
    # every other row and column of a disk of 113 pixels
    assert 113 / 4 - 12 <= found.hit.sum() <= 113 / 4 + 12
    for minutes in (10.0, -4.0, 25.0):
        assert drawn(catalog[:1], report(catalog[0], minutes)).samples.hit.any()
    with pytest.raises(CatalogError, match="1 are at other times"):
        drawn(catalog[:1], report(catalog[0], -5.0))


def test_a_report_beside_the_map_hits_its_edge(catalog):
    event = catalog[0]
    grid = event.stored("vil").grid
    y, x = grid.y.mean(keepdims=True), grid.x[-1:] + 4000.0
    latitude, longitude = places(grid, y, x)
    columns = {"latitude": latitude, "longitude": longitude}
    found = drawn(catalog[:1], report(event, **columns))
    assert 0 < found.samples.hit.sum() < 12
    assert found.reports == 1


def test_reports_outside_are_counted_in_time_and_in_space(catalog):
    away = report(catalog[0], latitude=[60.0])
    late = report(catalog[0], 600)
    reports = pd.concat([away, late, late], ignore_index=True)
    said = "none of 3 reports lies in the catalog: 2 are at other times than its event"
    with pytest.raises(CatalogError, match=said + "s, 1 elsewhere"):
        drawn(catalog, reports)


def test_a_day_begins_at_six_by_the_sun():
    noon = np.datetime64("2019-06-01T12:00", "ns")
    hour = np.timedelta64(1, "h")
    # at 90 W the sun is six hours late
    assert day_of(noon, -90.0) == day_of(noon + 23 * hour, -90.0)
    assert day_of(noon - hour, -90.0) == day_of(noon, -90.0) - 1
    assert day_of(noon, 0.0) == day_of(noon - 6 * hour, 0.0) == day_of(noon, np.nan)


def test_missing_pixels_are_no_samples(catalog):
    storm = catalog[0].to_dataset()
    storm["vil"][:, :, :24] = np.nan
    holed = Catalog.from_xarray(storm)
    found = drawn(holed, report(catalog[0])).samples
    whole = drawn(catalog[:1], report(catalog[0])).samples
    share = found.weight.sum() / whole.weight.sum()
    assert 0.4 < share < 0.65
    storm["vil"][:] = np.nan
    nothing = drawn(Catalog.from_xarray(storm), report(catalog[0]))
    assert nothing.samples.weight.size == 0


@dataclass(frozen=True)
class Late:
    """Frames of which those from the eighth on come 20 minutes late."""

    held: Frames

    def __getattr__(self, name):
        return getattr(self.held, name)

    @property
    def time(self):
        late = np.where(np.arange(13) >= 7, 20, 0) * np.timedelta64(1, "m")
        return self.held.time + late


def test_a_gap_in_time_breaks_a_window(catalog):
    event = Event("late", {"vil": Late(catalog[0].stored("vil"))})
    whole = drawn(catalog[:1], report(catalog[0])).samples.weight.sum()
    # the third of four windows holds the seventh frame and the eighth
    left = drawn([event], report(catalog[0])).samples.weight.sum()
    assert left == pytest.approx(0.75 * whole, rel=0.1)


def test_events_that_cannot_be_read_are_told(catalog, monkeypatch):
    events = list(catalog[:2])
    frames = events[0].stored("vil")

    def broken(*_):
        raise OSError("the disk is gone")

    monkeypatch.setattr(type(frames), "read", broken)
    said = "2 of 2 events cannot be read"
    with (
        pytest.warns(UserWarning, match=said),
        pytest.raises(CatalogError, match="no event holds 3 frames 300 s apart"),
    ):
        drawn(catalog[:2], report(events[0]))


def test_an_unknown_projection_has_no_reports(catalog):
    storm = catalog[0].to_dataset().drop_vars("crs")
    storm["vil"].attrs.pop("grid_mapping")
    with pytest.raises(GridMismatchError, match="is unknown, so that reports"):
        drawn(Catalog.from_xarray(storm), report(catalog[0]))
