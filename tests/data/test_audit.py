"""What check finds: damaged, absent, empty and disordered events."""

import numpy as np
import pytest
from tests.data.radar_arrays import event, held, minutes, rain, ramp, write

from stormfusion import Catalog
from stormfusion.data import audit, datasets
from stormfusion.data.audit import centres_of, problem_of
from stormfusion.errors import CorruptFileError


def test_problems():
    assert problem_of(held("rain_rate", ramp(3))) is None
    dry = held("rain_rate", np.zeros((3, 4, 5)))
    assert problem_of(dry) is None
    assert problem_of(held("rain_rate", np.full((3, 4, 5), np.nan))) == "all missing"
    back = held("rain_rate", ramp(3), time=minutes(0, 10, 5))
    assert problem_of(back) == "frames out of order"
    twice = held("rain_rate", ramp(3), time=minutes(0, 5, 5))
    assert problem_of(twice) == "frames out of order"
    short = held("rain_rate", ramp(3))
    short = type(short)("rain_rate", short.time, short.grid, short.values[:2])
    assert problem_of(short).startswith("truncated: (2, 4, 5) was read")


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (CorruptFileError("cut"), "corrupt: cut"),
        (FileNotFoundError("gone"), "absent: gone"),
        (ValueError("odd"), "corrupt: odd"),
        (RuntimeError("h5"), "corrupt: h5"),
        (KeyError("rain"), "corrupt: 'rain'"),
    ],
)
def test_errors_are_problems(error, problem):
    assert problem_of(held("rain_rate", ramp(3), error=error)) == problem


def test_long_events_are_looked_at_in_pieces(monkeypatch):
    monkeypatch.setattr(audit, "PIECE", 4 * 20 * 2)
    values = np.full((7, 4, 5), np.nan)
    values[6, 0, 0] = 1.0
    frames = held("rain_rate", values)
    assert problem_of(frames) is None
    assert len(frames.log) == 4


def test_check_names_event_and_variable(tmp_path):
    good = event(held("rain_rate", ramp(3)), id="good")
    bad = event(
        held("rain_rate", ramp(3)),
        held("ir107", np.full((3, 4, 5), np.nan)),
        held("lightning", ramp(3), error=CorruptFileError("cut")),
        id="bad",
    )
    path = write(rain(ramp(2)), tmp_path / "gone.nc")
    catalog = Catalog([good, bad]) | Catalog.open(path)
    datasets.close_all()
    path.unlink()
    report = catalog.check(progress=False)
    assert list(report.columns) == ["id", "variable", "problem"]
    assert report["id"].tolist() == ["bad", "bad", "gone-20190601T0000"]
    assert report["variable"].tolist() == ["ir107", "lightning", "rain_rate"]
    assert [p.split(":")[0] for p in report["problem"]] == [
        "all missing",
        "corrupt",
        "absent",
    ]


def test_check_of_a_sound_catalog_is_empty():
    report = Catalog([event(held("rain_rate", ramp(3)))]).check(progress=False)
    assert report.empty
    assert list(report.columns) == ["id", "variable", "problem"]


def test_centres_without_projection_are_unknown():
    latitude, longitude = centres_of([event(held("rain_rate", ramp(2)))])
    assert np.isnan(latitude).all()
    assert np.isnan(longitude).all()
