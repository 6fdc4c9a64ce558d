"""Swaths: what is told of each area, and GeoJSON by its rules."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from stormfusion import Footprint
from stormfusion.errors import GridMismatchError
from stormfusion.grids import Grid
from stormfusion.products.files.swaths import features_of, levels_of, write_geojson

shapely = pytest.importorskip(
    "shapely", reason="shapely is not installed; it comes with the extra 'geo'"
)
NAME = "vil >= 12 kg m-2"


def risk_of(values, grid: Grid, **more) -> xr.Dataset:
    """A footprint of one hazard and its probability over the window."""
    dims = ("hazard", "y", "x")
    maps = {"window_probability": values, **more}
    return xr.Dataset(
        {n: (dims, np.asarray(v, "f4")[None]) for n, v in maps.items()},
        {"hazard": [NAME], **grid.coords()},
        {"recipe": "steps", "calibration": None},
    )


def geometries(features) -> list:
    return [shapely.geometry.shape(f["geometry"]) for f in features]


def disk(shape, centre, radius):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return np.hypot(rows - centre[0], columns - centre[1]) <= radius


@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("left", [False, True])
def test_areas_lie_where_their_pixels_lie(grid_of, down, left) -> None:
    grid = grid_of((60, 80), down=down, left=left)
    inside = disk((60, 80), (20, 30), 12)
    (feature,) = features_of(risk_of(inside, grid), 0.5)
    (polygon,) = geometries([feature])
    assert polygon.is_valid
    assert feature["properties"]["area_km2"] == pytest.approx(inside.sum(), rel=0.02)
    from stormfusion.grids import places

    x, y = np.meshgrid(grid.x, grid.y)
    latitude, longitude = places(grid, y, x)
    within = shapely.contains_xy(polygon, longitude, latitude)
    np.testing.assert_array_equal(within, inside)


@pytest.mark.parametrize("chance", [0.0, 1.0])
def test_without_a_projection_there_are_no_areas_wet_or_dry(chance) -> None:
    bare = Grid(1e3 * np.arange(3), 1e3 * np.arange(3))
    made = risk_of(np.full((3, 3), chance), bare)
    with pytest.raises(GridMismatchError, match=r"projection of this grid is unknown"):
        features_of(made, 0.5)


def test_rings_turn_as_the_standard_asks(grid_of) -> None:
    ring = disk((40, 40), (20, 20), 15) & ~disk((40, 40), (20, 20), 6)
    for options in ({}, {"down": True}, {"left": True}, {"down": True, "left": True}):
        (feature,) = features_of(risk_of(ring, grid_of((40, 40), **options)), 0.5)
        outer, hole = feature["geometry"]["coordinates"]
        assert outer[0] == outer[-1]
        assert hole[0] == hole[-1]
        assert shapely.LinearRing(outer).is_ccw
        assert not shapely.LinearRing(hole).is_ccw
        assert feature["properties"]["area_km2"] == pytest.approx(ring.sum(), rel=0.02)


def test_what_is_told_of_an_area(grid_of) -> None:
    grid = grid_of((9, 9))
    risk = np.zeros((9, 9))
    risk[2:4, 2:4] = [[0.5, 0.6], [0.75, 0.5]]
    arrival = np.full((9, 9), np.nan)
    arrival[2:4, 2:4] = [[10, 20], [30, np.nan]]
    arrival[7, 7] = 1.0
    made = risk_of(
        risk,
        grid,
        arrival=arrival,
        arrival_lower=arrival - 5,
        arrival_upper=arrival + 5,
    )
    (feature,) = features_of(made, 0.5)
    told = feature["properties"]
    assert (told["hazard"], told["probability"], told["peak"]) == (NAME, 0.5, 0.75)
    assert told["arrival_min"] == 20.0
    assert (told["arrival_earliest_min"], told["arrival_latest_min"]) == (5.0, 35.0)
    assert told["recipe"] == "steps"
    assert "calibration" not in told
    assert "arrival" not in told
    start = np.datetime64("2019-06-01T23:50", "ns")
    (feature,) = features_of(made.assign_coords(reference_time=start), 0.5)
    told = feature["properties"]
    assert told["arrival"] == "2019-06-02T00:10:00Z"
    assert told["arrival_earliest"] == "2019-06-01T23:55:00Z"
    assert told["arrival_latest"] == "2019-06-02T00:25:00Z"
    assert told["reference_time"] == "2019-06-01T23:50:00Z"
    nowhere = made.assign(arrival=made.arrival * np.nan)
    (feature,) = features_of(nowhere.assign_coords(reference_time=start), 0.5)
    assert feature["properties"]["arrival_min"] is None
    assert feature["properties"]["arrival"] is None


def test_hazards_levels_and_leads(made) -> None:
    made = made.fillna(0.0)
    every = features_of(made, (0.3, 0.7))
    pairs = [(f["properties"]["hazard"], f["properties"]["probability"]) for f in every]
    assert pairs == sorted(pairs, key=lambda p: (p[0] == NAME, p[1]))
    assert len(set(pairs)) == 4
    one = features_of(made, 0.7, hazard=NAME)
    assert one == [f for f, p in zip(every, pairs, strict=True) if p == (NAME, 0.7)]
    early = features_of(made, 0.7, hazard=NAME, lead="10min")
    assert {f["properties"]["lead_min"] for f in early} == {10.0}
    peak = max(f["properties"]["peak"] for f in early)
    assert peak == pytest.approx(float(made.probability[1, 1].max()))


def test_a_map_that_is_all_one_or_all_zero(tmp_path, grid_of) -> None:
    grid = grid_of((20, 30))
    (feature,) = features_of(risk_of(np.ones((20, 30)), grid), 1.0)
    assert feature["properties"]["area_km2"] == pytest.approx(600, rel=0.01)
    for values in (np.zeros((20, 30)), np.full((20, 30), np.nan)):
        path = write_geojson(risk_of(values, grid), tmp_path / "risk.geojson", 0.5)
        assert json.loads(path.read_text())["features"] == []
        table = Footprint(risk_of(values, grid).assign(mean=0)).swaths(0.5)
        assert len(table) == 0
        assert table.crs.to_epsg() == 4326


def test_missing_pixels_are_no_part_of_an_area(grid_of) -> None:
    risk = np.ones((20, 30))
    risk[:, 10:20] = np.nan
    features = features_of(risk_of(risk, grid_of((20, 30))), 0.5)
    areas = [f["properties"]["area_km2"] for f in features]
    assert areas == pytest.approx([200, 200], rel=0.01)


def test_the_file_is_geojson(made, tmp_path) -> None:
    made = made.assign_attrs(calibration=float("inf"), note="Föhn")
    path = Footprint(made).to_geojson(tmp_path / "risk.geojson", probability=(0.3, 0.6))
    text = path.read_text(encoding="utf-8")
    assert "NaN" not in text
    assert "Infinity" not in text
    read = json.loads(text)
    assert read["type"] == "FeatureCollection"
    assert read["provenance"]["training_data"] == "0a1b"
    assert read["provenance"]["note"] == "Föhn"
    assert "crs" not in read
    assert all(shape.is_valid for shape in geometries(read["features"]))
    for feature in read["features"]:
        assert feature["properties"]["stormfusion"] == "0.1.0.dev0"
    assert [found.name for found in tmp_path.iterdir()] == ["risk.geojson"]


def test_a_table_has_what_the_file_has(made, tmp_path) -> None:
    import geopandas

    footprint = Footprint(made)
    table = footprint.swaths((0.3, 0.6))
    path = footprint.to_geojson(tmp_path / "risk.geojson", probability=(0.3, 0.6))
    read = geopandas.read_file(path)
    assert len(read) == len(table) > 4
    assert table.crs.to_epsg() == 4326
    assert table.area_km2.tolist() == read.area_km2.tolist()
    assert table.geometry.is_valid.all()


@pytest.mark.parametrize(
    "probability", [0, 1.01, -0.1, 50, np.nan, (0.5, 0.5), (), (0.5, 2)]
)
def test_probabilities_that_are_none(made, probability) -> None:
    with pytest.raises(
        ValueError, match=r"wanted (numbers above 0 and at most 1|one or more)"
    ):
        features_of(made, probability)


def test_probabilities_that_are_no_numbers() -> None:
    for wrong in ("half", "0.5", None, (0.5, None), (0.5, "0.7")):
        with pytest.raises(TypeError, match=r"wanted a number above 0 and at most 1"):
            levels_of(wrong)
    with pytest.raises(ValueError, match=r"for percent write 0.5"):
        levels_of(50)


def test_a_footprint_without_probabilities(made) -> None:
    with pytest.raises(ValueError, match=r"has no hazard, so no probabilities; name"):
        features_of(made[["mean"]], 0.5)
    with pytest.raises(ValueError, match=r"this footprint has no window_probability"):
        features_of(made.drop_vars("window_probability"), 0.5)
    with pytest.raises(ValueError, match=r"no probability; leave lead= out, or make"):
        features_of(made.drop_vars("probability"), 0.5, lead="5min")
    with pytest.raises(ValueError, match=r"hazard is 'vil >= 9 kg m-2', wanted one of"):
        features_of(made, 0.5, hazard="vil >= 9 kg m-2")


def test_without_geopandas_the_extra_is_named(made, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "geopandas", None)
    monkeypatch.setitem(sys.modules, "shapely", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'stormfusion\[geo\]'"):
        Footprint(made).swaths()
    path: Path = Footprint(made).to_geojson(tmp_path / "risk.geojson")
    assert path.exists()
