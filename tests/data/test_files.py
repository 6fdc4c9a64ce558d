"""Files: one handle each, in every process, local and at URLs."""

import multiprocessing
import os
import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fsspec
import h5py
import numpy as np
import pytest
import torch
from tests.data.sevir_files import content, write_sevir
from torch.utils.data import DataLoader

from stormfusion.data import files
from stormfusion.data.event import Event
from stormfusion.data.sevir import is_sevir, open_sevir
from stormfusion.errors import CorruptFileError

EVERYTHING = slice(None), slice(None), slice(None)
VIL_FILE = "vil/2019/SEVIR_VIL_ALLEVENTS_2019_0101_0630.h5"


@pytest.fixture(autouse=True)
def _closed():
    yield
    files.close_all()


def vil(root: Path, **options) -> Event:
    """The first event of a root that holds VIL only."""
    write_sevir(root, types=["vil"], **options)
    return open_sevir(root)[1][0]


# ------------------------------------------------------------ open files


def test_one_handle_per_file(tmp_path):
    write_sevir(tmp_path)
    _, events = open_sevir(tmp_path)
    for _ in range(3):
        for event in events:
            for variable in event.variables:
                event.stored(variable).read(*EVERYTHING)
    assert len(files._opened.files) == 5
    if Path("/proc/self/fd").is_dir():
        held = [os.path.realpath(p) for p in Path("/proc/self/fd").iterdir()]
        mine = [p for p in held if p.startswith(str(tmp_path.resolve()))]
        assert len(mine) == len(set(mine)) == 5
        files.close_all()
        held = [os.path.realpath(p) for p in Path("/proc/self/fd").iterdir()]
        assert not [p for p in held if p.startswith(str(tmp_path.resolve()))]


def test_the_number_of_open_files_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MAX_OPEN", 2)
    write_sevir(tmp_path)
    event = open_sevir(tmp_path)[1][0]
    first = files.open_hdf5(event.stored("vil").file)
    for variable in event.variables:
        event.stored(variable).read(*EVERYTHING)
    assert len(files._opened.files) == 2
    # who still holds the handle can go on
    assert first.ids == ["S728503", "R19060118327777"]
    assert files.open_hdf5(event.stored("vil").file) is not first


def test_a_file_that_is_written_anew_is_opened_anew(tmp_path):
    event = vil(tmp_path)
    before = event.stored("vil").read(*EVERYTHING)
    with h5py.File(event.stored("vil").file, "w") as file:
        file["vil"] = content("vil", 9, 16)[None]
    after = event.stored("vil").read(*EVERYTHING)
    assert (after != before).any()


def test_others_may_hold_the_file_open(tmp_path):
    event = vil(tmp_path)
    path = event.stored("vil").file
    with h5py.File(path, "r"):
        event.stored("vil").read(*EVERYTHING)
    with h5py.File(path, "r") as file:
        assert file["vil"].shape[0] == 2


def test_events_pickle(tmp_path):
    write_sevir(tmp_path)
    _, events = open_sevir(tmp_path)
    for variable in events[0].variables:
        events[0].stored(variable).read(*EVERYTHING)
    again = pickle.loads(pickle.dumps(events))
    assert again[0].stored("vil") is not events[0].stored("vil")
    for variable in events[1].variables:
        np.testing.assert_array_equal(
            again[1].stored(variable).read(*EVERYTHING),
            events[1].stored(variable).read(*EVERYTHING),
        )
        assert again[1].stored(variable).grid.same_as(events[1].stored(variable).grid)


def _sums(events: tuple[Event, ...], queue) -> None:
    sums = [int(e.stored("vil").read(*EVERYTHING).sum()) for e in events * 3]
    queue.put((os.getpid(), files._opened.pid, len(files._opened.files), sums))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_forked_workers_open_their_own_files(tmp_path):
    write_sevir(tmp_path, types=["vil"])
    _, events = open_sevir(tmp_path)
    expected = [int(e.stored("vil").read(*EVERYTHING).sum()) for e in events * 3]
    assert len(files._opened.files) == 1
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    workers = [context.Process(target=_sums, args=(events, queue)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    for _ in workers:
        process, owner, held, sums = queue.get()
        assert process == owner != os.getpid()
        assert held == 1
        assert sums == expected
    assert events[0].stored("vil").read(*EVERYTHING).sum() == expected[0]


@pytest.mark.slow
def test_spawned_workers(tmp_path):
    write_sevir(tmp_path, types=["vil", "lght"])
    _, events = open_sevir(tmp_path)
    values = [e.stored("vil").read(*EVERYTHING) for e in events]
    loader = DataLoader(
        _Everything(events), num_workers=2, multiprocessing_context="spawn"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = list(loader)
    for one, expected in zip(read, values, strict=True):
        assert torch.equal(one[0], torch.from_numpy(expected))


class _Everything:
    """What a DataLoader needs of a data set; the package is found when it unpickles."""

    def __init__(self, events: tuple[Event, ...]) -> None:
        self.events = events

    def __len__(self) -> int:
        return len(self.events)

    def __getitem__(self, number: int) -> np.ndarray:
        return self.events[number].stored("vil").read(*EVERYTHING)


def test_threads_share_the_handles(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MAX_OPEN", 1)
    write_sevir(tmp_path)
    _, events = open_sevir(tmp_path, variables=["vil", "ir107", "vis"])
    frames = [e.frames[v] for e in events for v in e.variables] * 20
    expected = [f.read(*EVERYTHING).sum() for f in frames]
    with ThreadPoolExecutor(8) as pool:
        sums = list(pool.map(lambda f: f.read(*EVERYTHING).sum(), frames))
    assert sums == expected


# ------------------------------------------------------------ URLs


@pytest.fixture
def memory(tmp_path):
    """A SEVIR root in fsspec's memory."""
    write_sevir(tmp_path)
    system = fsspec.filesystem("memory")
    system.put(str(tmp_path), "/sevir", recursive=True)
    yield "memory://sevir"
    files.close_all()
    system.rm("/sevir", recursive=True)


def test_a_url(memory):
    assert is_sevir(memory)
    assert is_sevir(f"{memory}/CATALOG.csv")
    for path in (memory, f"{memory}/", f"{memory}/CATALOG.csv"):
        _, events = open_sevir(path)
        read = events[1].stored("vil").read(slice(12, 37), slice(2, 9), slice(None))
        expected = np.moveaxis(content("vil", 1, 16), -1, 0)[12:37, 2:9]
        np.testing.assert_array_equal(read, expected)
        assert events[0]["lightning"].load().sum() == 0
    assert len(files._opened.files) == 2


def test_bad_files_at_a_url(memory):
    _, events = open_sevir(memory)
    system = fsspec.filesystem("memory")
    files.close_all()
    system.pipe(f"/sevir/data/{VIL_FILE}", b"<html>")
    with pytest.raises(CorruptFileError, match="not a readable HDF5"):
        events[0].stored("vil").read(*EVERYTHING)
    system.rm(f"/sevir/data/{VIL_FILE}")
    with pytest.raises(FileNotFoundError, match="no file memory://sevir/data/vil"):
        events[0].stored("vil").read(*EVERYTHING)
    with pytest.warns(UserWarning, match="2 rows .* not here"):
        assert "vil" not in open_sevir(memory)[1][0].variables


def test_url_of_a_local_file(tmp_path):
    write_sevir(tmp_path, types=["vil"])
    _, events = open_sevir(tmp_path.as_uri())
    assert files.is_local(events[0].stored("vil").file)
    assert files.open_hdf5(events[0].stored("vil").file).descriptor is not None


def test_unknown_protocols():
    with pytest.raises(ValueError, match="check what stands before '://'"):
        open_sevir("nonsense://sevir")


def test_what_to_install(monkeypatch):
    def refuse(protocol):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec, "get_filesystem_class", refuse)
    with pytest.raises(ImportError, match=r"pip install 'stormfusion\[s3\]'"):
        open_sevir("s3://sevir")
