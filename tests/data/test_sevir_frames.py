"""SEVIR frames are what was written, where and when it was."""

import os
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from tests.data.sevir_files import Storm, content, write_catalog, write_sevir

from stormfusion.data import files, sevir_frames
from stormfusion.data.event import Event
from stormfusion.data.sevir import open_sevir
from stormfusion.data.sevir_frames import OFFSETS, SevirRaster
from stormfusion.data.sevir_lightning import count_flashes
from stormfusion.errors import CorruptFileError
from stormfusion.grids import latitude_longitude
from stormfusion.units import vil_from_bytes

EVERYTHING = slice(None), slice(None), slice(None)


@pytest.fixture(autouse=True)
def _closed():
    yield
    files.close_all()


def vil(root: Path, **options) -> Event:
    """The first event of a root that holds VIL only."""
    write_sevir(root, types=["vil"], **options)
    return open_sevir(root)[1][0]


# ------------------------------------------------------------ rasters


def test_time_is_the_last_axis_of_the_file(tmp_path):
    write_sevir(tmp_path)
    _, events = open_sevir(tmp_path)
    for number, event in enumerate(events):
        for variable, size in {"vil": 16, "ir107": 8, "ir069": 8, "vis": 32}.items():
            stored = event.stored(variable).read(*EVERYTHING)
            expected = content(variable, number, size)
            assert stored.dtype == expected.dtype
            assert stored.shape == (49, size, size)
            np.testing.assert_array_equal(stored, np.moveaxis(expected, -1, 0))
    # by hand: frame 7, row 5, column 3 of the first event
    read = events[0].stored("vil").read(slice(7, 8), slice(5, 6), slice(3, 4))
    assert read.item() == 7 * 7 + 3 * 5 + 3


@pytest.mark.parametrize("kind", ["vil", "vis"])
@pytest.mark.parametrize("storage", ["chunk", "contiguous", "gzip", "bands", "frames"])
def test_every_storage_reads_the_same(tmp_path, storage, kind, monkeypatch):
    write_sevir(tmp_path, types=[kind], storage=storage, size=20)
    frames = open_sevir(tmp_path)[1][1].stored(kind)
    expected = np.moveaxis(content(kind, 1, 20 if kind == "vil" else 40), -1, 0)
    parts = [
        EVERYTHING,
        (slice(12, 37), slice(None), slice(None)),
        (slice(48, 49), slice(3, 4), slice(19, 20)),
        (slice(0, 13), slice(7, 18), slice(2, 11)),
        (slice(5, 5), slice(None), slice(None)),
        (slice(40, None), slice(-4, None), slice(None, 6)),
    ]
    for band in (1, 5000, 1 << 19):
        monkeypatch.setattr("stormfusion.data.sevir_frames.BAND_BYTES", band)
        for part in parts:
            read = frames.read(*part)
            np.testing.assert_array_equal(read, expected[part])
            assert read.flags.c_contiguous
    # and through HDF5 alone
    monkeypatch.setattr("stormfusion.data.sevir_frames._address", lambda *_: None)
    for part in parts:
        np.testing.assert_array_equal(frames.read(*part), expected[part])


@pytest.mark.parametrize("storage", ["chunk", "contiguous"])
def test_plain_events_are_read_past_hdf5(tmp_path, storage, monkeypatch):
    event = vil(tmp_path, storage=storage)

    def refuse(*_):
        raise AssertionError("read through HDF5")

    monkeypatch.setattr("stormfusion.data.sevir_frames._through_hdf5", refuse)
    event.stored("vil").read(*EVERYTHING)


@pytest.mark.parametrize("threads", [1, 2, 3, 4])
def test_threads_share_the_rows(tmp_path, monkeypatch, threads):
    write_sevir(tmp_path, types=["vil"], size=20)
    monkeypatch.setattr(sevir_frames, "BAND_BYTES", 1500)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    frames = open_sevir(tmp_path)[1][1].stored("vil")
    expected = np.moveaxis(content("vil", 1, 20), -1, 0)
    np.testing.assert_array_equal(frames.read(*EVERYTHING), expected)
    part = slice(5, 30), slice(1, 18), slice(2, 20)
    np.testing.assert_array_equal(frames.read(*part), expected[part])


def test_a_thread_that_fails_is_heard(tmp_path, monkeypatch):
    write_sevir(tmp_path, types=["vil"], size=20)
    monkeypatch.setattr(sevir_frames, "BAND_BYTES", 1500)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)

    def fail(*args):
        raise OSError("the disk is gone")

    monkeypatch.setattr(sevir_frames, "_fill", fail)
    with pytest.raises(OSError, match="the disk is gone"):
        open_sevir(tmp_path)[1][1].stored("vil").read(*EVERYTHING)


def test_a_user_block_does_not_shift_the_frames(tmp_path):
    event = vil(tmp_path)
    path = Path(event.stored("vil").file)
    with h5py.File(path, "w", userblock_size=1024) as file:
        file["vil"] = content("vil", 5, 16)[None]
    read = event.stored("vil").read(*EVERYTHING)
    np.testing.assert_array_equal(read, np.moveaxis(content("vil", 5, 16), -1, 0))


def test_steps_are_refused(tmp_path):
    with pytest.raises(ValueError, match="frames have the step 2"):
        vil(tmp_path).stored("vil").read(slice(0, 9, 2), slice(None), slice(None))


def test_labelled_arrays_index_lazily(tmp_path):
    event = vil(tmp_path)
    lazy = event["vil"].isel(time=slice(40, 10, -6), y=3, x=[2, 5])
    expected = vil_from_bytes(content("vil", 0, 16))[3, [2, 5], 40:10:-6].T
    np.testing.assert_array_equal(lazy.to_numpy(), expected.astype("float32"))


@pytest.mark.parametrize("first", [-122, -121, -120, -119, -118])
def test_times_follow_the_offsets_of_their_own_row(tmp_path, first):
    write_sevir(tmp_path, [Storm(first_offset=first)])
    event = open_sevir(tmp_path)[1][0]
    at = pd.Timestamp("2019-06-01 18:32")
    assert event.time[0] == at + pd.Timedelta(first, "min")
    assert event.time[-1] == at + pd.Timedelta(first + 240, "min")
    for variable in ("ir107", "vis", "lightning"):
        assert event.stored(variable).time[0] == at - pd.Timedelta("2h")
        assert event.stored(variable).time.dtype == "datetime64[ns]"


def test_absent_offsets_are_nominal(tmp_path):
    rows = write_sevir(tmp_path, types=["vil"])
    write_catalog(tmp_path / "CATALOG.csv", [r | {"minute_offsets": ""} for r in rows])
    frames = open_sevir(tmp_path)[1][0].stored("vil")
    assert isinstance(frames, SevirRaster)
    assert frames.offsets == OFFSETS == tuple(range(-120, 125, 5))


def test_decoding(tmp_path):
    write_sevir(tmp_path)
    event = open_sevir(tmp_path)[1][0]
    for kind, scale in {"ir107": 1e-2, "ir069": 1e-2, "vis": 1e-4}.items():
        path = Path(event.stored(kind).file)
        with h5py.File(path, "r+") as file:
            file[kind][0, 0, 0, :3] = [-6830, 2060, -32768]
        read = event[kind][:3, 0, 0].to_numpy()
        np.testing.assert_allclose(
            read, [-6830 * scale, 2060 * scale, np.nan], rtol=1e-6
        )
    with h5py.File(event.stored("vil").file, "r+") as file:
        file["vil"][0, 0, 0, :7] = [0, 5, 6, 18, 133, 254, 255]
    read = event["vil"][:7, 0, 0].to_numpy()
    expected = [0, 0, 0.0441, 0.1765, 3.5332, 79.261, np.nan]
    np.testing.assert_allclose(read, expected, rtol=1e-3)
    assert event["vil"].attrs["units"] == "kg m-2"


# ------------------------------------------------------------ georeference


@pytest.mark.parametrize("variable", ["vil", "ir107", "vis", "lightning"])
def test_pixels_lie_where_the_catalog_says(tmp_path, variable):
    write_sevir(tmp_path, [Storm(corner=(-276_000.0, 512_000.0))])
    table, events = open_sevir(tmp_path)
    array = events[0][variable]
    dx = 384_000 / array.sizes["x"]
    np.testing.assert_allclose(array.x[0], -276_000 + dx / 2, atol=0.01)
    np.testing.assert_allclose(array.y[0], 512_000 + dx / 2, atol=0.01)
    assert (np.diff(array.y) > 0).all()
    # half a pixel out from the corner pixels, on a grid of the corners themselves
    edges = xr.DataArray(
        np.zeros((2, 2)),
        coords={
            "y": ("y", array.y.to_numpy()[[0, -1]] + [-dx / 2, dx / 2], array.y.attrs),
            "x": ("x", array.x.to_numpy()[[0, -1]] + [-dx / 2, dx / 2], array.x.attrs),
            "crs": array.crs,
        },
        dims=("y", "x"),
    )
    corner = latitude_longitude(edges)
    row = table.iloc[0]
    for name, index in {"ll": (0, 0), "ur": (-1, -1)}.items():
        for part, short in {"latitude": "lat", "longitude": "lon"}.items():
            there = float(corner[part][index])
            assert there == pytest.approx(row[f"{name}crnr{short}"], abs=1e-3)
    assert corner.latitude[1, 0] > corner.latitude[0, 0]


def test_variables_come_to_one_grid(tmp_path):
    write_sevir(tmp_path, [Storm(first_offset=-121)])
    dataset = open_sevir(tmp_path)[1][0].to_dataset()
    assert dataset["ir107"].shape == dataset["vil"].shape == (49, 16, 16)
    # VIL's first frame is a minute before the infrared's, which it must not see
    assert dataset["ir107"][0].isnull().all()
    pixel = float(dataset["ir107"][1, 5, 7])
    assert pixel == pytest.approx((10 * 2 + 3 - 9000) * 0.01, rel=1e-5)


# ------------------------------------------------------------ lightning

FLASHES = [
    [1.0, 35.0, -97.0, 10.2, 20.7],  # just after frame 24
    [-1.0, 35.0, -97.0, 10.9, 20.0],  # just before it
    [0.0, 35.0, -97.0, 3.0, 4.0],  # at frame 24
    [-7200.0 - 400, 35.0, -97.0, 5.0, 6.0],  # before all frames
    [-7200.0 - 100, 35.0, -97.0, 6.0, 6.0],  # leads up to the first
    [7200.0 + 100, 35.0, -97.0, 7.0, 6.0],  # after all frames
    [50.0, 35.0, -97.0, -0.1, 6.0],  # outside
    [50.0, 35.0, -97.0, 48.0, 6.0],
    [50.0, 35.0, -97.0, 6.0, np.nan],
]


def test_lightning_leads_up_to_a_frame(tmp_path):
    write_sevir(tmp_path, [Storm(flashes=FLASHES)])
    frames = open_sevir(tmp_path)[1][0].stored("lightning")
    counts = frames.read(*EVERYTHING)
    assert counts.dtype == "int16"
    assert counts.shape == (49, 48, 48)
    assert np.argwhere(counts).tolist() == [
        *([0, 6, 6], [24, 4, 3], [24, 20, 10], [25, 20, 10])
    ]
    part = frames.read(slice(24, 26), slice(19, 22), slice(9, 12))
    np.testing.assert_array_equal(part, counts[24:26, 19:22, 9:12])


def test_lightning_as_in_the_public_code(tmp_path):
    write_sevir(tmp_path, [Storm(flashes=FLASHES)])
    _, events = open_sevir(tmp_path, lightning="sevir")
    counts = events[0].stored("lightning").read(*EVERYTHING)
    assert np.argwhere(counts).tolist() == [
        *([0, 6, 5], [0, 6, 6], [23, 20, 10], [24, 4, 3], [24, 20, 10], [48, 6, 7])
    ]


def test_no_frame_holds_a_later_flash():
    random = np.random.default_rng(0)
    seconds = np.sort(random.uniform(-9000, 9000, 400)).round()
    for flash in seconds:
        table = np.array([[flash, 35.0, -97.0, 1.0, 1.0]])
        held = np.flatnonzero(count_flashes(table).any(axis=(1, 2)))
        for frame in held:
            at = 60 * OFFSETS[frame]
            assert at - 300 < flash <= at
        assert held.size == (-7500 < flash <= 7200)


def test_flashes_add_up():
    table = np.tile([[60.0, 35.0, -97.0, 1.0, 2.0]], (40_000, 1))
    assert count_flashes(table[:7])[25, 2, 1] == 7
    assert count_flashes(table).max() == 32767


def test_events_without_flashes(tmp_path):
    write_sevir(tmp_path)
    _, events = open_sevir(tmp_path)
    assert not events[0].stored("lightning").read(*EVERYTHING).any()
    with h5py.File(events[0].stored("lightning").file, "r+") as file:
        del file["S728503"]
    with pytest.raises(CorruptFileError, match="no dataset 'S728503'; download"):
        events[0].stored("lightning").read(*EVERYTHING)
    assert not events[1].stored("lightning").read(*EVERYTHING).any()


def test_a_foreign_lightning_table(tmp_path):
    write_sevir(tmp_path)
    _, events = open_sevir(tmp_path)
    with h5py.File(events[0].stored("lightning").file, "r+") as file:
        del file["S728503"]
        file["S728503"] = np.zeros((3, 4))
    with pytest.raises(CorruptFileError, match=r"shape \(3, 4\).*wanted 5 columns"):
        events[0].stored("lightning").read(*EVERYTHING)


# ------------------------------------------------------------ damaged files


@pytest.mark.parametrize("storage", ["chunk", "contiguous", "gzip"])
def test_a_truncated_file(tmp_path, storage):
    event = vil(tmp_path, storage=storage)
    path = Path(event.stored("vil").file)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(
        CorruptFileError, match=r"not a readable HDF5 .*download it again"
    ):
        event.stored("vil").read(*EVERYTHING)


def test_a_file_cut_short_while_it_is_open(tmp_path, monkeypatch):
    event = vil(tmp_path)
    frames = event.stored("vil")
    frames.read(*EVERYTHING)
    # as on a disk that does not tell at once
    state = files.open_hdf5(frames.file).state
    os.truncate(frames.file, 5000)
    monkeypatch.setattr(files, "_state", lambda _: state)
    with pytest.raises(CorruptFileError, match=r"not whole .* download it again"):
        frames.read(*EVERYTHING)


def test_damaged_bytes_inside(tmp_path):
    event = vil(tmp_path, storage="gzip")
    frames = event.stored("vil")
    path = Path(frames.file)
    with h5py.File(path) as file:
        chunk = file["vil"].id.get_chunk_info(0)
    whole = bytearray(path.read_bytes())
    whole[chunk.byte_offset : chunk.byte_offset + 200] = bytes(200)
    path.write_bytes(whole)
    with pytest.raises(CorruptFileError, match="cannot be read to its end"):
        frames.read(*EVERYTHING)


def test_a_foreign_file(tmp_path):
    event = vil(tmp_path)
    Path(event.stored("vil").file).write_text("<html>not found</html>")
    with pytest.raises(CorruptFileError, match="is not a readable HDF5 file"):
        event.stored("vil").read(*EVERYTHING)


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("vil", np.zeros((2, 49, 16, 16), "uint8"), r"wanted \('events', 16, 16, 49\)"),
        ("vil", np.zeros((2, 16, 16, 48), "uint8"), "correct its rows of the catalog"),
        ("vil", np.zeros((2, 16, 16, 49), "float32"), "as float32, wanted uint8"),
        ("vil", np.zeros((0, 16, 16, 49), "uint8"), "holds 0 events, the catalog has"),
        ("vis", np.zeros((2, 16, 16, 49), "int16"), "holds vis and no dataset 'vil'"),
    ],
)
def test_other_content_than_the_catalog_says(tmp_path, name, values, said):
    event = vil(tmp_path)
    with h5py.File(event.stored("vil").file, "w") as file:
        file[name] = values
    with pytest.raises(CorruptFileError, match=said):
        event.stored("vil").read(*EVERYTHING)


def test_the_wrong_row(tmp_path):
    rows = write_sevir(tmp_path, types=["vil"])
    write_catalog(tmp_path / "CATALOG.csv", [rows[0] | {"file_index": 1}])
    frames = open_sevir(tmp_path)[1][0].stored("vil")
    with pytest.raises(
        CorruptFileError, match=r"holds 'R19.*' at 1, the catalog has 'S728503' there"
    ):
        frames.read(*EVERYTHING)
    write_sevir(tmp_path, types=["vil"], ids=False)
    open_sevir(tmp_path)[1][0].stored("vil").read(*EVERYTHING)
