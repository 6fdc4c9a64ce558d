"""Time to read one window of a SEVIR event: the usual route and stormfusion's."""

import argparse
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import Tensor

from stormfusion.data.sevir_catalog import PROJECTION
from stormfusion.data.sevir_frames import OFFSETS, Place, SevirRaster

SIZE = 384
PLACE = Place(PROJECTION, 0.0, 0.0, 1000.0, 1000.0, SIZE, SIZE)
STORAGE = {
    "one chunk per event": {"chunks": (1, SIZE, SIZE, 49)},
    "contiguous": {},
    "one chunk, gzip": {"chunks": (1, SIZE, SIZE, 49), "compression": "gzip"},
}


def write(path: Path, events: int, storage: str, seed: int = 0) -> None:
    """Write a VIL file of `events` events, each a moving blob on dry ground."""
    rng = np.random.default_rng(seed)
    y, x = np.ogrid[:SIZE, :SIZE]
    shape = (events, SIZE, SIZE, len(OFFSETS))
    with h5py.File(path, "w") as file:
        file["id"] = np.array([f"S{number}".encode() for number in range(events)])
        stored = file.create_dataset("vil", shape, "uint8", **STORAGE[storage])
        for number in range(events):
            event = np.empty(shape[1:], np.uint8)
            for frame in range(len(OFFSETS)):
                square = (y - 4 * frame - 90) ** 2 + (x - 3 * frame - 110) ** 2
                event[:, :, frame] = 200 * np.exp(-square / rng.uniform(2e3, 4e3))
            stored[number] = event


def usual(path: Path, number: int, frames: slice) -> Tensor:
    """Open, read the event, float32 / 255, time first, the window, contiguous."""
    with h5py.File(path, "r") as file:
        event = file["vil"][number].astype(np.float32) / 255
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(event, -1, 0)[frames]))


def viewed(path: Path, number: int, frames: slice) -> Tensor:
    """The usual route without its last copy: the window is a view with time last."""
    with h5py.File(path, "r") as file:
        event = file["vil"][number].astype(np.float32) / 255
    return torch.from_numpy(np.moveaxis(event, -1, 0)[frames])


def ours(path: Path, number: int, frames: slice) -> Tensor:
    """Stored bytes of the window, time first, contiguous."""
    time_utc = np.datetime64("2019-06-01T18:30")
    event = SevirRaster(
        "vil", f"S{number}", str(path), number, time_utc, OFFSETS, PLACE
    )
    return torch.from_numpy(event.read(frames, slice(None), slice(None)))


def medians(path: Path, events: int, repeats: int, frames: slice) -> list[float]:
    """Median time of each route over all events [ms], the routes taking turns."""
    routes = (usual, viewed, ours)
    taken: list[list[float]] = [[] for _ in routes]
    for _ in range(repeats):
        for route, times in zip(routes, taken, strict=True):
            for number in range(events):
                begin = time.perf_counter()
                route(path, number, frames)
                times.append(time.perf_counter() - begin)
    return [1e3 * statistics.median(times) for times in taken]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    frames = slice(12, 37)
    print(
        f"machine: {platform.platform()}, {os.cpu_count()} cores, one process; ours "
        f"with up to {torch.get_num_threads()} threads"
    )
    print(
        f"h5py {h5py.__version__} (HDF5 {h5py.version.hdf5_version}), numpy "
        f"{np.__version__}, torch {torch.__version__}"
    )
    print(
        f"window of 25 of 49 frames of {SIZE} x {SIZE} pixels, median [ms] over "
        f"{arguments.events} events, {arguments.repeats} times, in the page cache\n"
    )
    head = ("storage", "usual", "viewed", "ours", "usual / ours", "viewed / ours")
    print("{:<22}{:>8}{:>8}{:>8}{:>14}{:>15}".format(*head))
    with tempfile.TemporaryDirectory() as folder:
        for storage in STORAGE:
            path = Path(folder) / "vil.h5"
            write(path, arguments.events, storage)
            got = ours(path, 1, frames)
            assert got.dtype == torch.uint8
            assert torch.equal(got.float() / 255, usual(path, 1, frames))
            times = medians(path, arguments.events, arguments.repeats, frames)
            print(
                f"{storage:<22}"
                + "".join(f"{each:8.2f}" for each in times)
                + f"{times[0] / times[2]:14.1f}{times[1] / times[2]:15.1f}"
            )
            path.unlink()
    print(
        "\nusual: open, read the event, float32 / 255, time first, contiguous window"
        "\nviewed: the same, left as a view with time last in memory"
        "\nours: bytes of the window, time first, contiguous"
    )


if __name__ == "__main__":
    main()
