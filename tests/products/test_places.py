"""What a footprint says of places: the right pixel, whichever way the grid runs."""

import sys
import time

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from stormfusion import Footprint
from stormfusion.errors import GridMismatchError
from stormfusion.grids import Grid, places
from stormfusion.products.files.places import at_places

TURNS = [(down, left) for down in (False, True) for left in (False, True)]
GRIDS = [
    {},
    {"crs": "EPSG:3035", "origin": (3e6, 4e6)},
    {"crs": "EPSG:4326", "degrees": True, "step": 0.1, "origin": (45.0, 7.0)},
    {"crs": "EPSG:4326", "degrees": True, "step": 0.1, "origin": (45.0, 359.5)},
    {
        "crs": "+proj=ob_tran +o_proj=longlat +o_lon_p=0 +o_lat_p=39.25 +lon_0=18",
        "degrees": True,
        "step": 0.1,
    },
]


def table_of(grid: Grid, rows, columns) -> pd.DataFrame:
    """The latitudes and longitudes of points given in pixels."""
    step_y, step_x = grid.y[1] - grid.y[0], grid.x[1] - grid.x[0]
    y = grid.y[0] + step_y * np.asarray(rows, dtype=float)
    x = grid.x[0] + step_x * np.asarray(columns, dtype=float)
    latitude, longitude = places(grid, y, x)
    return pd.DataFrame({"latitude": latitude, "longitude": longitude % 360})


@pytest.mark.parametrize("options", GRIDS)
@pytest.mark.parametrize(("down", "left"), TURNS)
def test_a_point_has_the_pixel_that_holds_it(
    grid_of, footprint_of, options, down, left
) -> None:
    grid = grid_of(**options, down=down, left=left)
    made = footprint_of(grid)
    table = table_of(grid, [0, 7, 3, 2.4, 2.6, -0.4], [0, 10, 5, 1.6, 1.4, 10.4])
    rows, columns = [0, 7, 3, 2, 3, 0], [0, 10, 5, 2, 1, 10]
    found = at_places(made, table)
    assert found["inside"].all()
    for number, hazard in enumerate(made.hazard.values):
        expected = made.window_probability.values[number, rows, columns]
        np.testing.assert_array_equal(found[f"probability[{hazard}]"], expected)
        expected = made.arrival.values[number, rows, columns]
        np.testing.assert_array_equal(found[f"arrival[{hazard}]"], expected)
    for number, percentile in enumerate((10, 50, 90)):
        expected = made.window_percentile.values[number, rows, columns]
        np.testing.assert_array_equal(found[f"percentile[{percentile}]"], expected)
    np.testing.assert_array_equal(found["mean"], made.window_mean.values[rows, columns])
    expected = made.accumulation.values[rows, columns]
    np.testing.assert_array_equal(found["accumulation"], expected)


@pytest.mark.parametrize("first", [350.0, -10.0])
def test_longitudes_either_way(first) -> None:
    x = first + np.arange(20.0)
    grid = Grid(np.arange(5.0), x, "EPSG:4326", degrees=True)
    values = np.arange(100.0).reshape(5, 20)
    made = xr.Dataset({"window_mean": (("y", "x"), values)}, grid.coords())
    table = pd.DataFrame({"lat": [2.0] * 4, "lon": [-5.0, 355.0, 4.0, 364.0 - 360]})
    assert at_places(made, table)["mean"].tolist() == [45.0, 45.0, 54.0, 54.0]


def test_columns_rows_and_index(made) -> None:
    table = pd.DataFrame(
        {"LAT": [38.0, 38.01], "Lon": [-98.0, -98.0]}, index=["a", "a"]
    )
    found = Footprint(made).at(table)
    assert found.index.tolist() == ["a", "a"]
    assert found.columns.tolist() == [
        "probability[vil >= 3.5 kg m-2]",
        "probability[vil >= 12 kg m-2]",
        *("percentile[10]", "percentile[50]", "percentile[90]", "mean"),
        "arrival[vil >= 3.5 kg m-2]",
        "arrival[vil >= 12 kg m-2]",
        "duration[vil >= 3.5 kg m-2]",
        "duration[vil >= 12 kg m-2]",
        *("accumulation", "inside"),
    ]
    early = Footprint(made).at(table, lead="5min")
    assert early.columns.tolist() == [*found.columns[:6], "inside"]
    assert early["mean"].iloc[0] == made["mean"].values[0, 0, 0]
    probability = made.probability.values[1, 0, 0, 0]
    assert early["probability[vil >= 12 kg m-2]"].iloc[0] == probability
    with pytest.raises(ValueError, match=r"lead is '7 min', wanted one of this footpr"):
        Footprint(made).at(table, lead="7min")
    empty = Footprint(made).at(table[:0])
    assert len(empty) == 0
    assert empty.columns.tolist() == found.columns.tolist()


def test_a_footprint_of_the_window_has_nothing_at_a_lead(grid_of, footprint_of) -> None:
    grid = grid_of()
    made = footprint_of(grid).drop_vars(["probability", "percentile", "mean"])
    with pytest.raises(ValueError, match=r"made with by_lead=False; leave lead= out"):
        at_places(made, table_of(grid, [1], [2]), lead=made.lead.values[0])


def test_outside_missing_and_unknown(grid_of, footprint_of) -> None:
    grid = grid_of()
    made = footprint_of(grid)
    table = table_of(grid, [1, 3, 7.6, 3, 3], [2, 3, 3, -0.6, 0])
    table.loc[4, "latitude"] = np.nan
    table.loc[5] = [0.0, 82.0]
    with pytest.warns(
        UserWarning, match=r"^3 of 6 places lie outside .*; 1 of 6 places have no coord"
    ):
        found = Footprint(made).at(table)
    assert found.attrs == {"outside": 3, "unplaced": 1}
    assert found["inside"].tolist() == [True, True, False, False, False, False]
    assert found["mean"].notna().tolist() == [False, True, False, False, False, False]


def test_the_rim_belongs_to_the_domain() -> None:
    grid = Grid(np.arange(4.0), np.arange(4.0), "EPSG:4326", degrees=True)
    made = xr.Dataset({"window_mean": (("y", "x"), np.ones((4, 4)))}, grid.coords())
    table = pd.DataFrame({"lat": [-0.5, 3.5, 3.5], "lon": [-0.5, 3.5, 0.5]})
    assert at_places(made, table)["inside"].all()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"a": [1]}, r"places have a, wanted one column 'latitude' \(or 'lat'\)"),
        ({"lat": [1]}, r"wanted one column 'longitude' \(or 'lon'\); rename yours"),
        ({"lat": [1], "latitude": [1], "lon": [1]}, r"wanted one column 'latitude'"),
        ({"lat": [38.0, -98.0], "lon": [1, 2]}, r"row 1 has the latitude -98, .*swap"),
        ({"lat": [38.0], "lon": [np.inf]}, r"row 0 has the longitude inf, wanted deg"),
    ],
)
def test_tables_that_say_no_place(made, table, message) -> None:
    with pytest.raises(ValueError, match=message):
        at_places(made, pd.DataFrame(table))


def test_what_is_no_table(made) -> None:
    with pytest.raises(TypeError, match=r"places are a list, wanted a table with the"):
        at_places(made, [(38.0, -98.0)])
    with pytest.raises(TypeError, match=r"column 'lat' holds .*, wanted degrees as n"):
        at_places(made, pd.DataFrame({"lat": ["north"], "lon": [1.0]}))


def test_whole_numbers_and_missing_ones_of_pandas(made) -> None:
    table = pd.DataFrame({"lat": [38, None], "lon": [-98, 1]}, dtype="Int64")
    with pytest.warns(UserWarning, match="^1 of 2 places have no coordinates"):
        assert at_places(made, table)["inside"].tolist() == [True, False]


def test_an_unknown_projection(grid_of, footprint_of) -> None:
    made = footprint_of(grid_of(crs=None))
    with pytest.raises(GridMismatchError, match=r"unknown, wanted one to find places"):
        at_places(made, pd.DataFrame({"lat": [1.0], "lon": [1.0]}))


@pytest.mark.slow
def test_a_hundred_thousand_points_are_quick(grid_of, footprint_of) -> None:
    grid = grid_of((384, 384))
    made = footprint_of(grid)
    rng = np.random.default_rng(0)
    table = table_of(grid, *rng.uniform(-0.4, 383.4, (2, 100_000)))
    at_places(made, table[:10])
    begin = time.perf_counter()
    found = at_places(made, table)
    assert time.perf_counter() - begin < 5
    assert found["inside"].all()


def test_geopandas_is_not_loaded_for_plain_tables(made, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "geopandas", None)
    table = pd.DataFrame({"lat": [38.0], "lon": [-98.0]})
    assert at_places(made, table)["inside"].all()
