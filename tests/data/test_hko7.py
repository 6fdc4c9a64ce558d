"""HKO-7: images and masks, as they lie on disk."""

import io
import pickle
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.data.frame_layouts import START, image_of, pixels, write_hko7

from stormfusion import Catalog
from stormfusion.data import hko7, sources
from stormfusion.errors import CatalogError, CorruptFileError


@pytest.fixture(autouse=True)
def _forgotten():
    yield
    sources.cache.clear()


def expected(number, *, masked=True):
    values = pixels(number) * (70 / 255) - 10
    if masked:
        values[number] = np.nan
    return values.astype("float32")


def png(array, **options):
    held = io.BytesIO()
    Image.fromarray(array).save(held, "PNG", **options)
    return held.getvalue()


def test_images_become_reflectivity_and_masked_pixels_are_missing(tmp_path):
    write_hko7(tmp_path)
    catalog = Catalog.open(tmp_path)
    assert list(catalog.table.index) == ["hko7-20150520T0000"]
    event = catalog[0]
    assert event.variables == ("reflectivity",)
    found = event["reflectivity"]
    assert found.attrs["units"] == "dBZ"
    np.testing.assert_array_equal(
        event.time, (START + np.timedelta64(6, "m") * np.arange(3)).astype("M8[ns]")
    )
    for number in range(3):
        np.testing.assert_allclose(found[number], expected(number), atol=1e-5)
    assert len(catalog.check(progress=False)) == 0


def test_pixels_are_what_reflectivity_is_stored_as():
    z = hko7.PACKING.decode(np.array([0, 84, 185, 255, -1], np.int16))
    np.testing.assert_allclose(z[[0, 3]], [-10, 60], rtol=0)
    np.testing.assert_array_equal(
        np.floor(255 * (z[:4] + 10) / 70 + 0.5)[1:3], [84, 185]
    )
    assert np.isnan(z[4])


def test_whole_numbers_stay_whole_and_255_is_no_fill_value(tmp_path):
    write_hko7(tmp_path)
    frames = pickle.loads(
        pickle.dumps(Catalog.open(tmp_path)[0].stored("reflectivity"))
    )
    stored = frames.read(slice(1, 2), slice(0, 3), slice(250, 256))[0]
    assert stored.dtype == np.int16
    np.testing.assert_array_equal(stored[0], pixels(1)[0, 250:256])
    assert (stored[1] == -1).all()
    assert 255 in frames.read(slice(0, 1), slice(None), slice(None))


def test_the_grid_is_centred_has_its_north_first_and_no_projection(tmp_path):
    write_hko7(tmp_path, [0])
    grid = Catalog.open(tmp_path)[0].stored("reflectivity").grid
    step = 512_000 / 480
    assert grid.crs is None
    assert grid.spacing == pytest.approx((step, step))
    assert grid.y[0] == pytest.approx(256_000 - step / 2)
    assert grid.x[0] == pytest.approx(-256_000 + step / 2)
    assert grid.y.sum() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    "part", ["", "radarPNG", "radarPNG/2015", "radarPNG/2015/05", "radarPNG/2015/05/20"]
)
def test_any_folder_of_the_data_set_opens_with_its_masks(tmp_path, part):
    write_hko7(tmp_path / "hko")
    event = Catalog.open(tmp_path / "hko" / part)[0]
    np.testing.assert_allclose(event["reflectivity"][2], expected(2), atol=1e-5)


def test_the_project_folder_and_a_wildcard_open_too(tmp_path):
    write_hko7(tmp_path / "hko_data")
    assert len(Catalog.open(tmp_path)[0].time) == 3
    some = Catalog.open(f"{tmp_path}/hko_data/radarPNG/2015/*/20/*0600.png")
    assert len(some[0].time) == 1


def test_without_masks_every_pixel_is_known(tmp_path):
    write_hko7(tmp_path, masks=False)
    found = Catalog.open(tmp_path)[0]["reflectivity"]
    np.testing.assert_allclose(found[1], expected(1, masked=False), atol=1e-5)


def test_no_event_spans_a_gap_and_windows_are_cut(tmp_path):
    write_hko7(tmp_path, [*range(4), *range(6, 9)])
    assert [len(e.time) for e in Catalog.open(tmp_path)] == [4, 3]
    windows = Catalog.open(tmp_path, duration="12min", size=160)
    assert len(windows) == 2 * 9
    assert windows[0]["reflectivity"].shape == (3, 160, 160)


def test_a_listing_reads_no_image(tmp_path, monkeypatch):
    write_hko7(tmp_path)

    def fail(*args):
        raise AssertionError("an image was read")

    monkeypatch.setattr(hko7, "_decoded", fail)
    assert len(Catalog.open(tmp_path).table) == 1


def test_grey_images_in_color_are_read_and_others_refused(tmp_path):
    first, second, *_ = write_hko7(tmp_path)
    grey = pixels(0)
    first.write_bytes(png(np.stack([grey] * 3, axis=-1)))
    second.write_bytes(png(np.stack([grey, grey, 255 - grey], axis=-1)))
    catalog = Catalog.open(tmp_path)
    np.testing.assert_allclose(catalog[0]["reflectivity"][0], expected(0), atol=1e-5)
    table = catalog.check(progress=False)
    assert "wanted the 8-bit greys" in table.problem[0]
    second.write_bytes(png(grey.astype("uint16") * 100))
    with pytest.raises(CorruptFileError, match=r"kind 'I;16', wanted the 8-bit greys"):
        Catalog.open(second)[0]["reflectivity"].load()


# ------------------------------------------------------------------- what is damaged


def truncated(path):
    path.write_bytes(path.read_bytes()[:-20])


def smaller(path):
    path.write_bytes(png(pixels(0, 240)))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: path.write_bytes(b""), r"begins with b'', wanted a PNG image"),
        (lambda path: path.write_bytes(b"GIF89a" * 9), "begins with b'GIF89aGI'"),
        (truncated, "is truncated: it does not end as"),
        (smaller, "has 240 x 240 pixels, wanted the 480 x 480 of HKO-7"),
    ],
)
def test_damaged_images_are_skipped_with_one_warning_and_listed(tmp_path, damage, said):
    paths = write_hko7(tmp_path, range(6))
    for path in paths[2:4]:
        damage(path)
    with pytest.warns(UserWarning, match=f"2 of 6 files are skipped.*{said}") as warned:
        catalog = Catalog.open(tmp_path)
    assert len(warned) == 1
    assert [len(event.time) for event in catalog] == [2, 2]
    table = catalog.check(progress=False)
    assert list(table.id) == [str(path) for path in paths[2:4]]
    with pytest.raises(CorruptFileError, match=said):
        Catalog.open(tmp_path, strict=True)
    with pytest.raises(CorruptFileError, match=said):
        Catalog.open(paths[2])


def spoil(path):
    data = bytearray(path.read_bytes())
    data[60:160] = bytes(100)
    path.write_bytes(bytes(data))


def test_what_only_reading_shows_is_listed_or_leaves_a_gap(tmp_path):
    paths = write_hko7(tmp_path, range(6))
    spoil(paths[0])
    catalog = Catalog.open(tmp_path)
    assert "cannot be read as a PNG" in catalog.check(progress=False).problem[0]
    with pytest.warns(UserWarning, match="1 of 6 files are skipped.*cannot be read"):
        windows = Catalog.open(tmp_path, duration="12min")
    assert [str(e.time[0])[11:16] for e in windows] == ["00:06"]
    with pytest.raises(CorruptFileError, match="cannot be read as a PNG"):
        Catalog.open(tmp_path, duration="12min", strict=True)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"nothing", "is not a mask of HKO-7"),
        (zlib.compress(bytes(100)), "holds 100 bytes up to 0, wanted 480 x 480"),
        (zlib.compress(bytes(480 * 480 + 9)), "wanted 480 x 480 of 0 and 1"),
        (zlib.compress(b"\x02" * 480 * 480), "bytes up to 2, wanted 480 x 480"),
    ],
)
def test_masks_that_are_none(tmp_path, content, said):
    write_hko7(tmp_path)
    image_of(tmp_path, START, folder="radarPNG_mask").write_bytes(content)
    assert said in Catalog.open(tmp_path).check(progress=False).problem[0]


def test_an_image_whose_mask_is_absent_is_skipped(tmp_path):
    write_hko7(tmp_path)
    image_of(tmp_path, START, folder="radarPNG_mask").unlink()
    with pytest.warns(UserWarning, match=r"1 of 3 files .* has no mask .*; fetch it"):
        assert len(Catalog.open(tmp_path)[0].time) == 2


def test_names_without_a_time_and_times_that_come_twice(tmp_path):
    first, *_ = write_hko7(tmp_path)
    wrong = first.with_name("RAD159920000000.png")
    wrong.write_bytes(first.read_bytes())
    with pytest.warns(UserWarning, match="holds no time, wanted RADyymmddHHMMSS"):
        Catalog.open(tmp_path)
    wrong.unlink()
    (tmp_path / "radarPNG/2015/05/21").mkdir()
    again = tmp_path / "radarPNG/2015/05/21" / first.name
    again.write_bytes(first.read_bytes())
    mask = Path(hko7.mask_of(str(again)))
    mask.parent.mkdir()
    mask.write_bytes(zlib.compress(b"\x01" * 480 * 480))
    with pytest.raises(CatalogError, match=r"both hold reflectivity at 2015-05-20T00"):
        Catalog.open(tmp_path)


def test_a_file_that_is_written_anew_is_not_mixed_up(tmp_path):
    first, *_ = write_hko7(tmp_path)
    event = Catalog.open(tmp_path)[0]
    first.write_bytes(png(255 - pixels(0), compress_level=1))
    with pytest.raises(CorruptFileError, match="was changed after its catalog"):
        event["reflectivity"].load()


def test_an_empty_data_set_and_options_that_do_not_fit(tmp_path):
    (tmp_path / "radarPNG").mkdir()
    with pytest.raises(FileNotFoundError, match=r"nor HKO-7 \(radarPNG/2015"):
        Catalog.open(tmp_path)
    write_hko7(tmp_path)
    with pytest.raises(ValueError, match="rename is for files that xarray opens"):
        Catalog.open(tmp_path, rename={"a": "reflectivity"})
    with pytest.raises(CatalogError, match="reflectivity"):
        Catalog.open(tmp_path, variables=["vil"])
