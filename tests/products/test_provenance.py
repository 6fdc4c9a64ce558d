"""Where a footprint comes from is told in every file."""

import json
from datetime import date

import numpy as np
import pytest

import stormfusion
from stormfusion import Footprint
from stormfusion.products.files.provenance import moment, plain, provenance

TOLD = {
    "recipe": "steps",
    "training_data": "0a1b",
    "calibration": "isotonic",
    "members": 8,
    "reference_time": "2019-06-01T12:00:00Z",
    "stormfusion": "0.0.1",
}


def test_it_is_in_every_file(made, tmp_path) -> None:
    rasterio = pytest.importorskip("rasterio")
    pytest.importorskip("zarr")
    footprint = Footprint(
        made.assign_attrs(stormfusion="0.0.1", calibration="isotonic")
    )
    for path in (
        footprint.to_netcdf(tmp_path / "risk.nc"),
        footprint.to_zarr(tmp_path / "risk.zarr"),
    ):
        read = Footprint.open(path).dataset
        found = {k: v for k, v in provenance(read).items() if k in TOLD}
        assert found == TOLD
    with rasterio.open(footprint.to_geotiff(tmp_path / "risk.tif")) as file:
        tags = file.tags()
        assert {name: tags[name] for name in TOLD} == {
            k: str(v) for k, v in TOLD.items()
        }
    path = footprint.to_geojson(tmp_path / "risk.geojson", probability=0.5)
    read = json.loads(path.read_text(encoding="utf-8"))
    for holder in (read["provenance"], *(f["properties"] for f in read["features"])):
        assert {name: holder[name] for name in TOLD} == TOLD


def test_what_a_file_says_of_itself_is_no_provenance(made) -> None:
    attrs = {"Conventions": "CF-1.11", "history": "written", "title": "risk"}
    found = provenance(made.assign_attrs(attrs))
    assert not {*attrs} & {*found}
    assert found["stormfusion"] == stormfusion.__version__
    assert "reference_time" not in provenance(made.drop_vars("reference_time"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.bool_(True), 1),
        (False, 0),
        (np.int32(3), 3),
        (np.nan, None),
        (float("-inf"), "-inf"),
        (date(2019, 6, 1), "2019-06-01"),
        (np.array([1, 2]), "[1, 2]"),
        (("a", None), '["a", null]'),
        ({"a": date(2019, 6, 1)}, '{"a": "2019-06-01"}'),
    ],
)
def test_attributes_become_plain(value, expected) -> None:
    found = plain(value)
    assert found == expected
    assert type(found) is type(expected)


def test_a_time_that_is_none() -> None:
    assert moment(np.datetime64("NaT")) == ""
