"""Models of hail in files: the same afterwards, and nothing else is read."""

import datetime as dt
import json

import numpy as np
import pytest
import xarray as xr

from stormfusion.errors import CheckpointError
from stormfusion.hail import HailModel, files
from stormfusion.hail.diagram import sums_of
from stormfusion.hail.logistic import Calibration, Curves


@pytest.fixture
def model():
    rng = np.random.default_rng(0)
    probability = rng.random(500)
    return HailModel(
        size=25.4,
        distance=4000.0,
        window=dt.timedelta(minutes=15),
        variable="vil",
        interval=300,
        spacing=(1000.0, 999.1),
        degrees=(0.01, 0.011),
        curves=Curves(-6.1, rng.random((3, 8))),
        calibration=Calibration(1.1, 0.2, -0.3),
        sums=sums_of(probability, rng.random(500) < probability, rng.random(500)),
        counts={"days": 7, "events": 9, "reports": 40, "pixels": 5000},
        notes={"start": "2019-01-01T00:00:00", "folds": 5, "ridge": 0.01},
    )


def test_a_model_comes_back_as_it_was(model, tmp_path):
    path = model.save(tmp_path / "hail.json")
    again = HailModel.load(path)
    assert repr(again) == repr(model)
    for name in ("size", "distance", "window", "variable", "interval", "spacing"):
        assert getattr(again, name) == getattr(model, name)
    assert (again.degrees, again.calibration) == (model.degrees, model.calibration)
    xr.testing.assert_identical(again.reliability, model.reliability)
    vil = np.random.default_rng(1).gamma(0.4, 15.0, (3, 20, 21)).astype(np.float32)
    one, two = (
        m.chances(vil, spacing_m=(1000.0, 999.1), interval_s=300)
        for m in (model, again)
    )
    np.testing.assert_array_equal(one, two)
    assert again.save(tmp_path / "again.json").read_bytes() == path.read_bytes()


def test_a_file_is_written_whole_or_not_at_all(model, tmp_path, monkeypatch):
    path = model.save(tmp_path / "hail.json")
    before = path.read_bytes()

    def broken(*_, **__):
        raise OSError("no space left")

    monkeypatch.setattr(files.Path, "write_text", broken)
    with pytest.raises(OSError, match="no space"):
        model.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["hail.json"]


def test_a_file_that_is_absent_cut_or_of_something_else(model, tmp_path):
    path = model.save(tmp_path / "hail.json")
    whole = path.read_text()
    with pytest.raises(FileNotFoundError, match="no file"):
        HailModel.load(tmp_path / "absent.json")
    for text, said in (
        (whole[:-50], "no whole file of JSON"),
        ("", "no whole file of JSON"),
        ("[" * 100_000, "no whole file of JSON"),
        ("[]", "of something else"),
        ('{"stormfusion": "a nowcaster"}', "of something else"),
        (whole.replace('"format": 1', '"format": 2'), "another format than 1"),
        (whole.replace("25.4", "35.4"), "is damaged"),
    ):
        path.write_text(text)
        with pytest.raises(CheckpointError, match=said):
            HailModel.load(path)
    path.write_bytes(b"\x93NUMPY\xff\xfe")
    with pytest.raises(CheckpointError, match="no whole file of JSON"):
        HailModel.load(path)


@pytest.mark.parametrize(
    "change",
    [
        {"weights": [[1.0] * 8] * 2},
        {"weights": [[-1.0] * 8] * 3},
        {"variable": "mesh"},
        {"calibration": [1.0]},
        {"spacing": None},
        {"size": "large"},
    ],
)
def test_a_file_that_holds_no_model(model, tmp_path, change):
    path = model.save(tmp_path / "hail.json")
    held = json.loads(path.read_text()) | change
    head = {name: held.pop(name) for name in ("stormfusion", "format", "sha256")}
    head["sha256"] = files.digest(held)
    path.write_text(json.dumps(head | held))
    with pytest.raises(CheckpointError, match="lacks a part of a model of hail"):
        HailModel.load(path)
