"""RADOLAN: composites of DWD, as they lie on disk."""

import pickle

import numpy as np
import pytest
import xarray as xr
from pyproj import Transformer
from tests.data.frame_layouts import (
    START,
    header,
    name,
    words,
    write_radolan,
    write_sequence,
)
from tests.data.radar_arrays import rain, ramp, write

from stormfusion import Catalog
from stormfusion.data import radolan, sources
from stormfusion.errors import CatalogError, CorruptFileError


@pytest.fixture(autouse=True)
def _forgotten():
    yield
    sources.cache.clear()


def opened(path, **options):
    return Catalog.open(path, **options)[0]


@pytest.mark.parametrize("packed", ["", ".gz", ".bz2"])
def test_a_folder_of_ry_becomes_rain_rate(tmp_path, packed):
    write_sequence(tmp_path, packed=packed)
    catalog = Catalog.open(tmp_path)
    assert list(catalog.table.index) == ["radolan-ry-20150520T0000"]
    found = catalog[0]["rain_rate"]
    assert found.attrs["units"] == "mm h-1"
    np.testing.assert_array_equal(
        found.time, (START + np.timedelta64(5, "m") * np.arange(3)).astype("M8[ns]")
    )
    for number in range(3):
        # 0.01 mm in 5 min is 0.12 mm/h
        np.testing.assert_allclose(found[number], words(number) * 0.12, rtol=1e-6)
    assert len(catalog.check(progress=False)) == 0


def test_the_flags_of_two_bytes(tmp_path):
    values = np.zeros((900, 900), "<u2")
    values[0, :5] = [7, 0x1000 | 7, 0x2000 | 2500, 0x8000 | 7, 0x4000 | 7]
    values[1, :2] = [2490, 4095]  # values in earnest: no flag is set
    write_radolan(tmp_path / name("RY", START), values)
    event = opened(tmp_path)
    np.testing.assert_allclose(
        event["rain_rate"][0, 0, :6], [0.84, 0.84, *[np.nan] * 3, 0], rtol=1e-6
    )
    np.testing.assert_allclose(event["rain_rate"][0, 1, :2], [298.8, 491.4], rtol=1e-6)
    stored = event.stored("rain_rate").read(slice(0, 1), slice(0, 1), slice(0, 3))
    assert stored.dtype == np.int16
    assert stored.ravel().tolist() == [7, 7, -1]


def test_one_byte_is_reflectivity(tmp_path):
    values = np.zeros((900, 900), "u1")
    values[0, :6] = [0, 65, 185, 248, 249, 250]
    told = {"power": "E+00"}
    write_radolan(tmp_path / name("RX", START), values, "RX", **told)
    found = opened(tmp_path)["reflectivity"]
    np.testing.assert_array_equal(found[0, 0, :6], [-32.5, 0, 60, 91.5, np.nan, np.nan])


@pytest.mark.parametrize(
    ("product", "shape", "told", "means"),
    [
        ("YW", (1100, 900), {"interval": "   5U0"}, ("rain_rate", 0.12)),
        ("RW", (900, 900), {"interval": "  60", "power": "E-01"}, ("rain", 0.1)),
        ("SF", (900, 900), {"interval": "1440", "power": "E-01"}, ("rain", 0.1)),
        ("RV", (1200, 1100), {"version": 5, "lead": 0}, ("rain_rate", 0.12)),
    ],
)
def test_other_products(tmp_path, product, shape, told, means):
    variable, unit = means
    write_radolan(
        tmp_path / name(product, START), words(1, shape), product, START, **told
    )
    event = opened(tmp_path)
    assert event.variables == (variable,)
    np.testing.assert_allclose(event[variable][0], words(1, shape) * unit, rtol=1e-6)


def test_reflectivity_of_two_bytes(tmp_path):
    values = np.full((1200, 1100), 0x2000 | 2500, "<u2")
    values[0, :2] = [0, 1650]
    path = tmp_path / "WN2204091200_000"
    write_radolan(path, values, "WN", version=5, power="E-01", lead=0)
    found = opened(path)["reflectivity"]
    np.testing.assert_allclose(found[0, 0, :3], [-32.5, 50, np.nan])


# ------------------------------------------------------------------------ where it is


@pytest.mark.parametrize(
    ("product", "shape", "corners"),
    [
        ("RY", (900, 900), [(3.5889, 46.9526), (15.7208, 54.7405)]),
        ("YW", (1100, 900), [(4.6759, 46.1929), (17.1128, 55.5342)]),
    ],
)
def test_the_corners_are_where_dwd_says(product, shape, corners):
    grid = radolan.Composite(product, shape, 3, 0.01, 5).grid()
    # the published corners are those of the sphere
    to_places = Transformer.from_crs(
        grid.crs, "+proj=longlat +a=6370040 +b=6370040 +no_defs", always_xy=True
    )
    edges = [
        (grid.x[0] - 500, grid.y[0] - 500),
        (grid.x[-1] + 500, grid.y[-1] + 500),
    ]
    for edge, corner in zip(edges, corners, strict=True):
        assert to_places.transform(*edge) == pytest.approx(corner, abs=6e-5)
    assert grid.spacing == (1000, 1000)
    assert grid.y[0] < grid.y[-1], "the first row is the southernmost"


def test_the_fifth_version_lies_on_the_ellipsoid():
    grid = radolan.Composite("RV", (1200, 1100), 5, 0.01, 5).grid()
    assert grid.x[0] == pytest.approx(-543_196.835, abs=1e-3)
    assert grid.y[-1] == pytest.approx(-3_622_588.862, abs=1e-3)
    assert "WGS84" in str(grid.crs)


@pytest.mark.realdata
def test_the_binary_files_and_the_netcdf_of_an_hour_are_one(tmp_path):
    path = sources_folder() / "dwd_radolan_ry_20210823.nc"
    with xr.open_dataset(path, mask_and_scale=False) as dataset:
        for time in dataset.time[:2]:
            stored = dataset.rain_rate.sel(time=time).values[::-1]
            flagged = np.where(stored < 0, 0x2000 | 2500, stored).astype("<u2")
            moment = time.values.astype("datetime64[m]")
            write_radolan(tmp_path / name("RY", moment), flagged, "RY", moment)
    ours, theirs = opened(tmp_path)["rain_rate"], opened(path)["rain_rate"][:2]
    np.testing.assert_allclose(ours.x, theirs.x, atol=1e-2)
    np.testing.assert_allclose(ours.y[::-1], theirs.y, atol=1e-2)
    np.testing.assert_array_equal(ours.time, theirs.time)
    np.testing.assert_array_equal(ours.values[:, ::-1], theirs.values)


def sources_folder():
    from tests.data.test_catalog import DATA

    if not DATA.is_dir():
        pytest.skip(f"no {DATA}; set STORMFUSION_DATA to the folder of real radar")
    return DATA


# ---------------------------------------------------------------------- many of them


def test_gaps_windows_and_pickles(tmp_path):
    write_sequence(tmp_path, [0, 1, 2, 5, 6])
    assert [len(e.time) for e in Catalog.open(tmp_path)] == [3, 2]
    windows = Catalog.open(tmp_path, duration="10min", size=450)
    assert len(windows) == 4
    frames = pickle.loads(pickle.dumps(windows[3].stored("rain_rate")))
    part = frames.read(slice(1, 2), slice(0, 1), slice(0, 4))
    np.testing.assert_array_equal(part[0], words(1)[450:451, 450:454])


def test_opening_reads_headers_only(tmp_path, monkeypatch):
    write_sequence(tmp_path)

    def fail(*args):
        raise AssertionError("a frame was read")

    monkeypatch.setattr(radolan.Composite, "read", fail)
    assert len(Catalog.open(tmp_path).table) == 1


def test_a_url_is_read_too(tmp_path):
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.makedirs("/composites", exist_ok=True)
    for path in write_sequence(tmp_path, packed=".gz"):
        memory.pipe(f"/composites/{path.name}", path.read_bytes())
    try:
        found = opened("memory://composites")["rain_rate"]
        np.testing.assert_allclose(found[1], words(1) * 0.12, rtol=1e-6)
    finally:
        memory.rm("/composites", recursive=True)


def test_a_change_of_the_grid_makes_two_sequences(tmp_path):
    write_sequence(tmp_path, [0, 1])
    write_sequence(tmp_path, [2, 3], shape=(1100, 900))
    shapes = [event["rain_rate"].shape for event in Catalog.open(tmp_path)]
    assert shapes == [(2, 900, 900), (2, 1100, 900)]


def test_products_are_not_mixed(tmp_path):
    write_sequence(tmp_path)
    told = {"power": "E+00"}
    write_radolan(
        tmp_path / name("RX", START), np.zeros((900, 900), "u1"), "RX", **told
    )
    with pytest.raises(CatalogError, match=r"radolan-r[xy].*wanted one product; name"):
        Catalog.open(tmp_path)
    assert Catalog.open(f"{tmp_path}/*-ry_*").variables == ("rain_rate",)


def test_a_folder_with_netcdf_is_one_of_netcdf(tmp_path):
    write_sequence(tmp_path, [0])
    write(rain(ramp(4)), tmp_path / "r.nc")
    assert opened(tmp_path)["rain_rate"].shape == (4, 4, 5)
    assert opened(f"{tmp_path}/*-bin")["rain_rate"].shape == (1, 900, 900)


def test_files_of_one_time_and_files_of_another_kind(tmp_path):
    write_sequence(tmp_path, [0])
    write_sequence(tmp_path, [0], packed=".gz")
    with pytest.raises(CatalogError, match=r"both hold rain_rate at 2015-05-20T00:00"):
        Catalog.open(tmp_path)
    (tmp_path / "a.nc").write_bytes(b"")
    with pytest.raises(CatalogError, match=r"\(xarray\) and .*\(RADOLAN\), wanted"):
        Catalog.open(f"{tmp_path}/*")


# ------------------------------------------------------------------- what is damaged


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-1000])


def rewritten(old, new):
    def damage(path):
        path.write_bytes(path.read_bytes().replace(old, new, 1))

    return damage


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (cut_short, "is cut short or damaged: by its end it has 1619142 bytes"),
        (lambda path: path.write_bytes(b""), "begins with b'', wanted the header"),
        (lambda path: path.write_bytes(b"x" * 5000), "begins with b'xxxxxxx"),
        (rewritten(b"\x03", b" "), "speaks of 1620142 bytes, wanted 1620"),
        (rewritten(b"RY", b"QQ"), "the RADOLAN product 'QQ', wanted one of RX, WX"),
        (rewritten(b"10000", b"10132"), "is of the radar 10132, wanted a composite"),
        (rewritten(b" 900x", b" 901x"), "has 901 x 900 pixels, wanted a RADOLAN grid"),
        (rewritten(b" 900x", b"1100x"), "speaks of 162.... bytes, wanted 198"),
        (rewritten(b"0515BY", b"1315BY"), "gives the time 20.13.15"),
        (rewritten(b"INT   5", b"INT   0"), "gives an interval of 0 min"),
    ],
)
def test_damaged_files_are_skipped_with_one_warning_and_listed(tmp_path, damage, said):
    paths = write_sequence(tmp_path, range(6))
    damage(paths[1])
    with pytest.warns(UserWarning, match=f"1 of 6 files are skipped.*{said}") as warned:
        catalog = Catalog.open(tmp_path)
    assert len(warned) == 1
    assert [len(event.time) for event in catalog] == [1, 4]
    assert list(catalog.check(progress=False).id) == [str(paths[1])]
    for options in ({"strict": True}, {}):
        with pytest.raises((CatalogError, CorruptFileError), match=said):
            Catalog.open(tmp_path if options else paths[1], **options)


@pytest.mark.parametrize("packed", [".gz", ".bz2"])
def test_packed_files_that_break_off(tmp_path, packed):
    paths = write_sequence(tmp_path, range(6), packed=packed)
    data = paths[1].read_bytes()
    paths[1].write_bytes(data[: len(data) // 2])
    if packed == ".gz":
        with pytest.warns(UserWarning, match="1 of 6 files are skipped"):
            catalog = Catalog.open(tmp_path)
    else:  # only unpacking it all would tell
        catalog = Catalog.open(tmp_path)
    table = catalog.check(progress=False)
    assert len(table) == 1
    assert "fetch it again" in table.problem[0]
    with pytest.warns(UserWarning, match="1 of 6 files are skipped"):
        assert len(Catalog.open(tmp_path, size=900)) == 2


def test_forecasts_are_left_out(tmp_path):
    told = {"version": 5}
    for lead in (0, 5):
        write_radolan(
            tmp_path / f"DE1200_RV1505200000_{lead:03d}",
            words(lead, (1200, 1100)),
            "RV",
            lead=lead,
            **told,
        )
    with pytest.warns(UserWarning, match=r"is a forecast for 5 min ahead, wanted an"):
        assert len(Catalog.open(tmp_path)[0].time) == 1


def test_a_file_that_is_written_anew_is_not_mixed_up(tmp_path):
    path, *_ = write_sequence(tmp_path)
    event = opened(tmp_path)
    write_radolan(path, words(5), time=START + np.timedelta64(1, "D"))
    with pytest.raises(CorruptFileError, match="was changed after its catalog"):
        event["rain_rate"].load()


def test_archives_are_to_be_unpacked(tmp_path):
    archive = tmp_path / "YW2017.002_20160529.tar.gz"
    archive.write_bytes(b"")
    for path in (archive, tmp_path):
        with pytest.raises(CatalogError, match="is an archive, wanted the files in it"):
            Catalog.open(path)


def test_the_header_is_written_as_dwd_writes_it():
    text = header(size=900 * 900 * 2, time=np.datetime64("2019-10-18T23:55"))
    begin = b"RY182355100001019BY1620142VS 3SW   2.21.0PR E-02INT   5GP 900x 900MS 70"
    assert text.startswith(begin)
    assert text.endswith(b"mem> \x03")
