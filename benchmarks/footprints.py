"""
Footprints: time and memory beside the same written by hand in xarray, and pysteps.

100 members of 12 leads on 384 x 384 pixels, 3 hazards, 3 percentiles, mean and spread,
by lead and over the window. The members are a real sequence of rain rates, displaced
and scaled, in a file. Each contestant runs in a process of its own, in turns; the least
time of the turns counts, and the largest resident memory beyond what the process had
before, the members themselves included where it holds them.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

THRESHOLDS = (1.0, 5.0, 20.0)
QUANTILES = (0.1, 0.5, 0.9)
PROBABILITIES = ("pysteps excprob", "ours, probabilities alone")
ALL = ("by hand", "by hand, nothing missing", "ours, in memory", "ours, one by one")
SMALL = (slice(12, 24), slice(200, 584), slice(250, 634))
STREAMS: dict[str, tuple[int, str, tuple[slice, ...], dict[str, Any]]] = {
    "500 on 12 x 384 x 384, 3 hazards, 3 percentiles": (
        500,
        "mch_20150515.nc",
        SMALL,
        {"percentiles": (10, 50, 90)},
    ),
    "100 on 12 x 3500 x 3400, the window alone, 3 hazards, 3 percentiles": (
        100,
        "mrms_20190610_conus_east.nc",
        (slice(0, 12),),
        {"percentiles": (10, 50, 90), "by_lead": False},
    ),
    "100 on 12 x 3500 x 3400, each lead, 1 hazard, mean and spread": (
        100,
        "mrms_20190610_conus_east.nc",
        (slice(0, 12),),
        {"percentiles": (), "hazards": 1},
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=os.environ.get("STORMFUSION_DATA"))
    parser.add_argument("--members", type=int, default=100)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--streams", action="store_true", help="only the streams")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    settings = parser.parse_args()
    if settings.child:
        name, folder = settings.child
        measure = streamed if name in STREAMS else measured
        print(json.dumps(measure(name, Path(folder))))
        return
    if settings.data is None:
        raise SystemExit("name the folder of the sequences with --data")
    print(f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}\n")
    if settings.streams:
        print("| members one by one | time | memory of the process |\n|---|---|---|")
        for name in STREAMS:
            run = child(name, settings.data)
            gigabytes = run["megabytes"] / 1024
            print(f"| {name} | {run['seconds']:.0f} s | {gigabytes:.2f} GB |")
        return
    found: dict[str, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        write(Path(settings.data), Path(folder), settings.members)
        for _ in range(settings.turns):
            for name in (*ALL, *PROBABILITIES):
                found.setdefault(name, []).append(child(name, folder))
                print(name, found[name][-1], file=sys.stderr)
    print(f"| {settings.members} members | time | memory |\n|---|---|---|")
    for name, runs in found.items():
        seconds = min(run["seconds"] for run in runs)
        memory = min(run["megabytes"] for run in runs)
        print(f"| {name} | {seconds:.1f} s | {memory:.0f} MB |")


def child(name: str, folder: str) -> dict[str, float]:
    """Run one measurement in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--child", name, str(folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def streamed(name: str, data: Path) -> dict[str, float]:
    """Time and memory of the whole process, which makes its members as it goes."""
    from stormfusion.footprint import Accumulator

    members, source, part, options = STREAMS[name]
    with xr.open_dataset(data / source) as opened:
        chosen = opened.rain_rate[part]
        rain = np.empty(chosen.shape, dtype=np.float32)
        for number, frame in enumerate(chosen):
            rain[number] = frame.fillna(0.0)
    rng = np.random.default_rng(0)
    gathered = None
    member = np.empty_like(rain)
    start = time.perf_counter()
    for _ in range(members):
        shift, scale = rng.integers(-10, 11, 2), np.float32(rng.lognormal(0, 0.4))
        for out, frame in zip(member, rain, strict=True):
            out[:] = scale * np.roll(frame, tuple(shift), (0, 1))
        if gathered is None:
            hazards = [f"rain_rate >= {t} mm/h" for t in THRESHOLDS]
            gathered = Accumulator(
                labelled(member),
                hazards[: options.pop("hazards", 3)],
                accumulation=False,
                **options,
            )
        gathered.add(member)
    made = gathered.finish()
    seconds = time.perf_counter() - start
    del made
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "megabytes": memory}


def write(data: Path, folder: Path, members: int) -> None:
    """Members in a file: a sequence displaced by up to 10 pixels, and scaled."""
    with xr.open_dataset(data / "mch_20150515.nc") as opened:
        rain = opened.rain_rate[SMALL].fillna(0.0).to_numpy()
    rng = np.random.default_rng(0)
    out = np.lib.format.open_memmap(
        folder / "members.npy", "w+", np.float32, (members, *rain.shape)
    )
    for member in out:
        shift = tuple(rng.integers(-10, 11, 2))
        member[:] = np.roll(rain, shift, (1, 2)) * rng.lognormal(0, 0.4)


def labelled(values: np.ndarray) -> xr.DataArray:
    leads = (5 * np.arange(1, 13)).astype("timedelta64[m]").astype("timedelta64[ns]")
    return xr.DataArray(
        values,
        dims=("member", "lead", "y", "x")[-values.ndim :],
        coords={
            "lead": leads,
            "y": np.arange(values.shape[-2]) * 1000.0,
            "x": np.arange(values.shape[-1]) * 1000.0,
        },
        name="rain_rate",
        attrs={"units": "mm h-1"},
    )


def measured(name: str, folder: Path) -> dict[str, float]:
    """Time and memory of one contestant."""
    from stormfusion import Ensemble
    from stormfusion.footprint import Accumulator

    hazards = [f"rain_rate >= {t} mm/h" for t in THRESHOLDS]
    percentiles = [100 * q for q in QUANTILES]
    if name == "pysteps excprob":
        from pysteps.postprocessing.ensemblestats import excprob
    mapped = np.load(folder / "members.npy", mmap_mode="r")
    before = status("VmRSS")
    # from here on, the peak is that of the work (Linux alone)
    Path("/proc/self/clear_refs").write_text("5")
    if name == "ours, one by one":
        start = time.perf_counter()
        gathered = Accumulator(
            labelled(np.empty(mapped.shape[1:], dtype=np.float32)),
            hazards,
            percentiles=percentiles,
            accumulation=False,
        )
        for member in range(len(mapped)):
            gathered.add(
                np.fromfile(
                    folder / "members.npy",
                    np.float32,
                    mapped[0].size,
                    offset=mapped.offset + member * mapped[0].nbytes,
                ).reshape(mapped.shape[1:])
            )
        made = gathered.finish()
    else:
        values = np.fromfile(
            folder / "members.npy", np.float32, offset=mapped.offset
        ).reshape(mapped.shape)
        members = labelled(values)
        start = time.perf_counter()
        if name.startswith("by hand"):
            made = by_hand(members, skipna=None if name == "by hand" else False)
        elif name == "ours, in memory":
            made = Ensemble(members.to_dataset()).footprint(
                *hazards, percentiles=percentiles, accumulation=False
            )
        elif name == "pysteps excprob":
            made = [excprob(values[:, lead], list(THRESHOLDS)) for lead in range(12)]
        else:
            ensemble = Ensemble(members.to_dataset())
            made = [ensemble.probability(hazard) for hazard in hazards]
    seconds = time.perf_counter() - start
    del made
    return {"seconds": seconds, "megabytes": (status("VmHWM") - before) / 1024}


def status(name: str) -> float:
    """A figure of this process [kB]."""
    lines = Path("/proc/self/status").read_text().splitlines()
    found = next(line for line in lines if line.startswith(name))
    return float(found.split()[1])


def by_hand(members: xr.DataArray, *, skipna: bool | None) -> list[xr.DataArray]:
    """What a careful user writes in xarray."""
    found = []
    for threshold in THRESHOLDS:
        occurs = members >= threshold
        found += [occurs.mean("member"), occurs.any("lead").mean("member")]
    quantiles = list(QUANTILES)
    found.append(members.quantile(quantiles, "member", skipna=skipna))
    largest = members.max("lead")
    found.append(largest.quantile(quantiles, "member", skipna=skipna))
    return [*found, members.mean("member"), members.std("member", ddof=1)]


if __name__ == "__main__":
    main()
