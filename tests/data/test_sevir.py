"""SEVIR catalogs of every make."""

import os
import time
from pathlib import Path

import pandas as pd
import pytest
from tests.data import sevir_files
from tests.data.sevir_files import Storm, write_catalog, write_sevir

from stormfusion.data import files
from stormfusion.data.sevir import is_sevir, open_sevir
from stormfusion.data.sevir_catalog import PROJECTION
from stormfusion.errors import CatalogError
from stormfusion.grids import latitude_longitude

EVERYTHING = slice(None), slice(None), slice(None)
VIL_FILE = "vil/2019/SEVIR_VIL_ALLEVENTS_2019_0101_0630.h5"


@pytest.fixture(autouse=True)
def _closed():
    yield
    files.close_all()


# ------------------------------------------------------------ the catalog


@pytest.mark.parametrize("layout", ["data/vil", "vil", "data", "flat"])
def test_opens_every_layout(tmp_path, layout):
    write_sevir(tmp_path, layout=layout)
    table, events = open_sevir(tmp_path)
    assert [e.id for e in events] == ["S728503", "R19060118327777"]
    assert events[0].variables == ("vil", "ir107", "ir069", "vis", "lightning")
    assert list(table.index) == [e.id for e in events]
    for event in events:
        for variable in event.variables:
            assert event[variable].load().sizes["time"] == 49


def test_table(tmp_path):
    write_sevir(tmp_path, [Storm(pct_missing=0.25), Storm("R1")])
    table, events = open_sevir(tmp_path)
    row = table.loc["S728503"]
    assert row["time"] == pd.Timestamp("2019-06-01 18:32")
    assert row["event_type"] == "Hail"
    assert (row["event_id"], row["episode_id"]) == (728503, 138793)
    assert table["event_id"].dtype == "Int64"
    assert row["pct_missing"] == 0.25
    assert row["variables"] == events[0].variables
    assert pd.isna(table.loc["R1", "event_id"])
    assert table.index.name == "id"
    assert events[0].attrs == {
        "event_type": "Hail",
        "pct_missing": 0.25,
        "event_id": 728503,
        "episode_id": 138793,
        "storm": True,
    }
    assert events[1].attrs["storm"] is False
    assert "event_id" not in events[1].attrs


def test_pct_missing_is_that_of_the_first_variable(tmp_path):
    rows = write_sevir(tmp_path, [Storm()])
    shares = {"vil": 0.5, "ir107": 0.0, "ir069": 0.1, "vis": 0.9, "lght": 0.2}
    write_catalog(
        tmp_path / "CATALOG.csv",
        [row | {"pct_missing": shares[row["img_type"]]} for row in rows],
    )
    assert open_sevir(tmp_path)[0]["pct_missing"].item() == 0.5
    without = open_sevir(tmp_path, variables=["vis", "ir069"])[0]
    assert without["pct_missing"].item() == 0.1


def test_takes_the_variables_asked_for(tmp_path):
    write_sevir(tmp_path)
    _, events = open_sevir(tmp_path, variables=("lightning", "vil"))
    assert events[0].variables == ("vil", "lightning")
    with pytest.raises(CatalogError, match="no variable 'radar'; choose among vil"):
        open_sevir(tmp_path, variables=["radar"])
    with pytest.raises(CatalogError, match="empty, wanted at least one"):
        open_sevir(tmp_path, variables=[])
    with pytest.raises(ValueError, match="'leading'"):
        open_sevir(tmp_path, lightning="lagging")


def test_says_what_the_catalog_lists(tmp_path):
    write_sevir(tmp_path, types=["vil", "lght"])
    with pytest.raises(CatalogError, match="lists vil, lightning, wanted ir107"):
        open_sevir(tmp_path, variables=["ir107"])


@pytest.mark.parametrize("name", ["catalog.csv", "SEVIR_Catalog_2019.csv"])
def test_other_names_of_the_catalog(tmp_path, name):
    write_sevir(tmp_path, types=["vil"], name=name)
    assert is_sevir(tmp_path)
    assert len(open_sevir(tmp_path)[1]) == 2
    assert is_sevir(tmp_path / name)
    assert len(open_sevir(tmp_path / name)[1]) == 2


def test_the_exact_name_wins(tmp_path):
    write_sevir(tmp_path, types=["vil"])
    write_sevir(tmp_path, [Storm()], types=["vil"], name="old_catalog.csv")
    write_sevir(tmp_path, types=["vil"])
    assert len(open_sevir(tmp_path)[1]) == 2


def test_two_catalogs_ask_for_one(tmp_path):
    for name in ("a_catalog.csv", "b_catalog.csv"):
        write_sevir(tmp_path, types=["vil"], name=name)
    with pytest.raises(CatalogError, match=r"2 catalogs \(a_catalog.csv, b_catalog"):
        open_sevir(tmp_path)


def test_what_is_not_sevir(tmp_path):
    assert not is_sevir(tmp_path)
    assert not is_sevir(tmp_path / "nothing")
    assert not is_sevir(f"{tmp_path}/*.csv")
    assert not is_sevir("memory://nothing/here")
    with pytest.raises(FileNotFoundError, match=r"wanted a folder or URL with CATALOG"):
        open_sevir(tmp_path)
    with pytest.raises(FileNotFoundError, match="check the path"):
        open_sevir(tmp_path / "CATALOG.csv")


def test_foreign_tables(tmp_path):
    path = tmp_path / "CATALOG.csv"
    path.write_text("id,size_x\nS1,384\n")
    with pytest.raises(
        CatalogError, match=r"lacks the columns file_name, file_index, "
    ):
        open_sevir(path)
    path.write_text("")
    with pytest.raises(CatalogError, match="not a readable table"):
        open_sevir(path)
    path.write_bytes(b"\x89HDF\r\n\x1a\n\xff\xfe\x00")
    with pytest.raises(CatalogError, match="not a readable table"):
        open_sevir(path)
    write_catalog(path, [])
    with pytest.raises(CatalogError, match="lists no event"):
        open_sevir(path)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "6/1/19 18:32",
            "06/01/2019 18:32",
            "2019-06-01 18:32:00",
            "2019-06-01T18:32",
        ),
        *("6/1/19 18:32:00", "2019-06-01T18:32:00Z", "2019-06-01 20:32:00+02:00"),
    ],
)
def test_dates(tmp_path, text):
    table, events = (
        write_sevir(tmp_path, [Storm(time_utc=text)], types=["vil"]),
        open_sevir(tmp_path)[1],
    )
    assert len(table) == 1
    assert events[0].time[24] == pd.Timestamp("2019-06-01 18:32")


def test_a_byte_order_mark_and_foreign_columns(tmp_path):
    rows = write_sevir(tmp_path, types=["vil"])
    path = tmp_path / "CATALOG.csv"
    rows = [row | {"mid_lat": 38.0} for row in rows]
    write_catalog(path, rows, columns=[*sevir_files.COLUMNS, "mid_lat"])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    table, _ = open_sevir(tmp_path)
    assert len(table) == 2
    assert "mid_lat" not in table


@pytest.mark.parametrize("text", ["#NAME?", "", "+proj=nonsense", "EPSG:4326"])
def test_a_damaged_projection_is_repaired(tmp_path, text):
    write_sevir(tmp_path, types=["vil"], proj=text)
    with pytest.warns(UserWarning, match="projection of 2 rows .* SEVIR's own") as said:
        _, events = open_sevir(tmp_path)
    assert len(said) == 1
    assert events[0].stored("vil").grid.crs == PROJECTION


def test_projections_that_are_good(tmp_path):
    same = "+proj=laea +ellps=sphere +a=6370997.0 +lat_0=38 +lon_0=-98 +units=m"
    write_sevir(tmp_path, types=["vil"], proj=same)
    assert open_sevir(tmp_path)[1][0].stored("vil").grid.crs == PROJECTION
    other = "+proj=laea +lat_0=45 +lon_0=-98 +units=m +R=6371228"
    write_sevir(tmp_path, types=["vil"], proj=other)
    assert open_sevir(tmp_path)[1][0].stored("vil").grid.crs == other


def test_duplicates_lose_the_variable(tmp_path):
    storms = [Storm(), Storm("R2"), Storm("R3")]
    rows = write_sevir(tmp_path, storms, types=["vil", "ir107"])
    twice = next(r for r in rows if r["id"] == "R2" and r["img_type"] == "vil")
    rows += [twice | {"file_index": 0}]
    rows += [r | {"file_index": 1} for r in rows[:6] if r["id"] == "R3"]
    write_catalog(tmp_path / "CATALOG.csv", rows)
    with pytest.warns(
        UserWarning, match=r"2 events more than once .*\(R3, R2\)|R2, R3"
    ):
        _, events = open_sevir(tmp_path)
    assert {e.id: e.variables for e in events} == {
        "S728503": ("vil", "ir107"),
        "R2": ("ir107",),
    }
    # a variable that was not asked for does not matter
    with pytest.warns(UserWarning, match=r"1 event more than once .*\(R3\)"):
        _, events = open_sevir(tmp_path, variables="ir107")
    assert [e.id for e in events] == ["S728503", "R2"]


def test_unknown_image_types_are_counted(tmp_path):
    rows = write_sevir(tmp_path, types=["vil"])
    rows += [row | {"img_type": "ir120"} for row in rows]
    write_catalog(tmp_path / "CATALOG.csv", rows)
    with pytest.warns(UserWarning, match=r"2 rows of .* unknown img_type \(ir120\)"):
        assert len(open_sevir(tmp_path)[1]) == 2


def test_without_ids_or_image_types_there_is_no_event(tmp_path):
    rows = write_sevir(tmp_path, types=["vil"])
    write_catalog(tmp_path / "CATALOG.csv", [row | {"id": ""} for row in rows])
    with (
        pytest.warns(UserWarning, match="2 rows of .* size, as one of no id"),
        pytest.raises(CatalogError, match="no usable row"),
    ):
        open_sevir(tmp_path)
    write_catalog(tmp_path / "CATALOG.csv", [row | {"img_type": ""} for row in rows])
    with (
        pytest.warns(UserWarning, match=r"unknown img_type \(none\)"),
        pytest.raises(CatalogError, match="lists no event, wanted vil"),
    ):
        open_sevir(tmp_path)


@pytest.mark.parametrize(
    "damage",
    [
        *({"time_utc": "yesterday"}, {"llcrnrlat": ""}, {"minute_offsets": "-120:x"}),
        *({"file_name": ""}, {"size_x": 0}, {"file_index": "?"}, {"width_m": 0}),
    ],
)
def test_incomplete_rows_are_left_out(tmp_path, damage):
    first, second = write_sevir(tmp_path, types=["vil"])
    write_catalog(tmp_path / "CATALOG.csv", [first, second | damage])
    with pytest.warns(UserWarning, match="1 row of .* lack .*'R19060118327777'"):
        assert len(open_sevir(tmp_path)[1]) == 1
    with pytest.raises(CatalogError, match="open without strict"):
        open_sevir(tmp_path, strict=True)
    write_catalog(tmp_path / "CATALOG.csv", [second | damage])
    with (
        pytest.warns(UserWarning, match="1 row"),
        pytest.raises(CatalogError, match="no usable row"),
    ):
        open_sevir(tmp_path)


def test_absent_files(tmp_path):
    write_sevir(tmp_path)
    (tmp_path / "data" / VIL_FILE).unlink()
    with pytest.warns(UserWarning, match=f"2 rows .* not here, such as .*{VIL_FILE}"):
        _, events = open_sevir(tmp_path)
    assert events[0].variables == ("ir107", "ir069", "vis", "lightning")
    with pytest.raises(
        FileNotFoundError, match=f"no file .*{VIL_FILE}.* without strict"
    ):
        open_sevir(tmp_path, strict=True)


def test_no_file_at_all(tmp_path):
    write_sevir(tmp_path, types=["vil"])
    (tmp_path / "data" / VIL_FILE).unlink()
    with pytest.warns(
        UserWarning, match="none of the 1 files .* reading them will fail"
    ):
        _, events = open_sevir(tmp_path)
    assert len(events) == 2
    with pytest.raises(FileNotFoundError, match="download the file"):
        events[0].stored("vil").read(*EVERYTHING)


def test_a_whole_catalog_opens_in_seconds(tmp_path):
    storm = write_sevir(tmp_path, [Storm()])
    rows = pd.concat([pd.DataFrame(storm)] * 3000, ignore_index=True)
    rows["id"] = [f"S{number // 5}" for number in range(len(rows))]
    rows.to_csv(tmp_path / "CATALOG.csv", index=False)
    begin = time.process_time()
    _, events = open_sevir(tmp_path)
    assert len(events) == 3000
    assert time.process_time() - begin < 5


# ------------------------------------------------------------ the real catalog


@pytest.mark.realdata
def test_the_damaged_extract():
    folder = os.environ.get("STORMFUSION_DATA")
    beside = Path(__file__).parents[2].parent / "shared" / "data"
    path = (Path(folder) if folder else beside) / "sevir_catalog_extract.csv"
    if not path.exists():
        pytest.skip(f"{path} is not here: name its folder in STORMFUSION_DATA")
    with pytest.warns(UserWarning, match="851 rows|1 files") as said:
        table, events = open_sevir(path)
    messages = [str(each.message) for each in said]
    assert len(messages) == 2
    assert "projection of 851 rows" in messages[0]
    assert "'#NAME?'" in messages[0]
    assert "none of the 1 files" in messages[1]
    assert len(events) == len(table) == 851
    assert table["event_type"].value_counts()["Thunderstorm Wind"] == 368
    assert table["event_type"].value_counts()["Tornado"] == 56
    assert (table["pct_missing"] == 0).sum() == 525
    assert (table.index == "S" + table["event_id"].astype(str)).all()
    # VIL's frames lie on clock multiples of five minutes
    assert all((event.time.minute % 5 == 0).all() for event in events)
    # the corner pixels lie half a pixel inside the catalog's corners
    for event in events[::100]:
        row = table.loc[event.id]
        place = latitude_longitude(event["vil"])
        for name, index in {"ll": (0, 0), "ur": (-1, -1)}.items():
            assert float(place.latitude[index]) == pytest.approx(
                row[f"{name}crnrlat"], abs=0.01
            )
            assert float(place.longitude[index]) == pytest.approx(
                row[f"{name}crnrlon"], abs=0.01
            )
