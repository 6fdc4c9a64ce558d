"""
Time and memory of nowcasts without training, beside those of pysteps.

Each row is measured in a process of its own, with the same number of threads for both.
Time is the least of three runs after one that is not counted; what takes longer than 20
seconds is run once. *Peak* is the most memory that the process held, and *added* what
of it came with the work. *Kernel* takes arrays and a motion, as pysteps does; *call* is
the whole of `Nowcaster`: from a dataset to a labelled one, motion and all. The rain is
a sequence of FMI's, or synthetic storms.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import peer
import xarray as xr

LEADS, MEMBERS = 12, 20
SHAPE, CROP = (1226, 760), 512
LONG = 20.0
"""Seconds from which on work is done once."""
HAZARDS = ("rain_rate >= 1 mm h-1", "rain_rate >= 5 mm h-1")
BANDS = {4: (2.83, 5.66), 8: (5.66, 11.3)}

Work = Callable[[], object]


# ---------------------------------------------------------------------------- the rain


def storms(data: str | None) -> xr.Dataset:
    """Ten frames of rain rate on 1226 x 760 pixels of 1 km, 5 min apart."""
    from classical_skill import in_rain

    from stormfusion import Catalog

    path = None if data is None else Path(data) / "fmi_20160928.nc"
    if path is not None and not path.exists():
        raise SystemExit(f"found no {path}; leave --data out for synthetic storms")
    if path is None:
        made = Catalog.synthetic(1, size=SHAPE, frames=30, variables=("rain_rate",))
        rain = made[0]["rain_rate"][15:25].load()
    else:
        seen = Catalog.open(path)[0]["reflectivity"][11:21].load()
        rain = seen.copy(data=in_rain(seen)).rename("rain_rate")
    rain.attrs = {"units": "mm h-1", "grid_mapping": "crs"}
    rain.encoding = {}
    return rain.to_dataset()


def wettest(rain: xr.Dataset) -> xr.Dataset:
    """The 512 x 512 pixels with the most rain in the last frame, of 16 by 16 places."""
    last = rain.rain_rate[-1].fillna(0).values >= 1.0
    best, place = -1, (0, 0)
    for y in range(0, last.shape[0] - CROP + 1, 16):
        for x in range(0, last.shape[1] - CROP + 1, 16):
            wet = int(last[y : y + CROP, x : x + CROP].sum())
            best, place = max((best, place), (wet, (y, x)))
    y, x = place
    return rain.isel(y=slice(y, y + CROP), x=slice(x, x + CROP))


# ---------------------------------------------------------------------------- the work


def motion(rain: xr.Dataset, who: str, device: str) -> Work:
    if who.startswith("pysteps"):
        method = who.rsplit(maxsplit=1)[-1]
        frames = peer.decibels(rain.rain_rate.values)
        # DARTS needs a longer sequence
        frames = frames if method == "DARTS" else frames[-3:]
        return lambda: peer.motion(frames, method)
    from stormfusion import classical

    frames = numbers(rain, device)
    method = "spectral" if who.endswith("spectral") else "lucas-kanade"
    return lambda: classical.motion(frames, method=method)


def extrapolation(rain: xr.Dataset, who: str, device: str) -> Work:
    if who == "pysteps":
        frames = peer.decibels(rain.rain_rate[-3:].values)
        velocity = peer.motion(frames)
        return lambda: peer.extrapolated(frames[-1], velocity, LEADS)
    if who == "ours, call":
        nowcaster = nowcasting("extrapolation", device)
        return lambda: nowcaster.predict(rain)
    from stormfusion import classical

    frames = numbers(rain, device)
    last, velocity = amounts(rain, device), classical.motion(frames)
    return lambda: classical.extrapolated(last, velocity, LEADS)


def steps(rain: xr.Dataset, who: str, device: str) -> Work:
    if who == "pysteps":
        frames = peer.decibels(rain.rain_rate[-3:].values)
        velocity, workers = peer.motion(frames), int(os.environ["OMP_NUM_THREADS"])
        given = {"kilometres": 1.0, "minutes": 5, "workers": workers}
        return lambda: peer.steps(frames, velocity, LEADS, members=MEMBERS, **given)
    if who == "ours, call":
        nowcaster = nowcasting("steps", device)
        return lambda: nowcaster.ensemble(rain, members=MEMBERS)
    made = scenarios(rain, device)

    def run() -> None:
        for _ in made().members(range(MEMBERS), seed=0):
            pass

    return run


def sprog(rain: xr.Dataset, who: str, device: str) -> Work:
    if who == "pysteps":
        frames = peer.decibels(rain.rain_rate[-3:].values)
        velocity = peer.motion(frames)
        return lambda: peer.sprog(frames, velocity, LEADS)
    if who == "ours, call":
        nowcaster = nowcasting("steps", device)
        return lambda: nowcaster.predict(rain)
    made = scenarios(rain, device)
    return lambda: made().mean()


def footprint(rain: xr.Dataset, who: str, device: str) -> Work:
    members = int(who.split()[1])
    nowcaster = nowcasting("steps", device)
    return lambda: nowcaster.footprint(rain, *HAZARDS, members=members)


def numbers(rain: xr.Dataset, device: str):
    """The last three frames as network numbers."""
    import torch

    from stormfusion.data.scaling import scaling_for

    values = scaling_for("rain_rate").normalize(rain.rain_rate[-3:].values)
    return torch.as_tensor(values, dtype=torch.float32, device=device)[None]


def amounts(rain: xr.Dataset, device: str):
    """The last frame [mm h-1]."""
    import torch

    return torch.as_tensor(rain.rain_rate[-1].values, device=device)


def scenarios(rain: xr.Dataset, device: str):
    """What makes new scenarios, which have computed nothing yet."""
    from stormfusion import classical
    from stormfusion.classical.classic import WET
    from stormfusion.data.scaling import scaling_for

    frames, last = numbers(rain, device), amounts(rain, device)
    velocity = classical.motion(frames)
    least = float(scaling_for("rain_rate").normalize(np.float64(WET["rain_rate"])))
    given = {"leads": LEADS, "interval": 300, "spacing": 1000}
    return lambda: classical.Scenarios(frames, last, velocity, least, **given)


def nowcasting(recipe: str, device: str):
    from stormfusion import Nowcaster

    return Nowcaster(recipe, leads=LEADS, device=device)


WHOLE, PART = f"{SHAPE[0]} x {SHAPE[1]}", f"{CROP} x {CROP}"
BOTH = ("ours, kernel", "ours, call", "pysteps")
TASKS = {
    f"motion, {WHOLE}": (
        motion,
        ("ours", "ours, spectral", "pysteps LK", "pysteps DARTS", "pysteps farneback"),
    ),
    f"extrapolation, {LEADS} leads, {WHOLE}": (extrapolation, BOTH),
    f"S-PROG, {LEADS} leads, {WHOLE}": (sprog, BOTH),
    f"STEPS, {MEMBERS} x {LEADS}, {PART}": (steps, BOTH),
    f"STEPS, {MEMBERS} x {LEADS}, {WHOLE}": (steps, BOTH),
    f"footprint of STEPS, {PART}": (footprint, ("ours, 50", "ours, 500")),
}


# ----------------------------------------------------------------------- the measuring


def child(task: str, who: str, path: str, device: str) -> None:
    """Measure one piece of work, in a process that does nothing else."""
    warnings.simplefilter("ignore")
    with xr.open_dataset(path, engine="h5netcdf") as opened:
        rain = opened.load()
    work = TASKS[task][0](rain, who, device)
    before = resident()
    forget_peak()
    times = [clocked(work, device)]
    if times[0] < LONG:
        times = [clocked(work, device) for _ in range(3)]
    most = peak()
    found = {"seconds": min(times), "peak": most, "added": most - before}
    print(json.dumps(found))


def clocked(work: Work, device: str) -> float:
    start = time.perf_counter()
    work()
    if device != "cpu":
        import torch

        torch.accelerator.synchronize()
    return time.perf_counter() - start


def status(name: str) -> float:
    """A figure of this process [bytes]; that of `getrusage` knows the parent's too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    found = next(line for line in lines if line.startswith(name))
    return 1024.0 * int(found.split()[1])


def resident() -> float:
    return status("VmRSS")


def peak() -> float:
    return status("VmHWM")


def forget_peak() -> None:
    """From here on, the peak is that of the work."""
    Path("/proc/self/clear_refs").write_text("5")


def measured(task: str, who: str, path: Path, threads: int, device: str) -> dict:
    """Run a child on some cores."""
    cores = sorted(os.sched_getaffinity(0))[:threads]
    names = ("OMP", "NUMBA", "MKL", "OPENBLAS")
    environment = {f"{name}_NUM_THREADS": str(threads) for name in names}
    command = [sys.executable, __file__, "--child", task, who, str(path), device]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    if done.returncode:
        raise SystemExit(f"{task}, {who}:\n{done.stderr}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def table(task: str, paths: dict[str, Path], settings: argparse.Namespace) -> None:
    """A row for each, the ratios to the first of ours."""
    path = paths[PART if PART in task else WHOLE]
    for threads in settings.threads:
        first = None
        for who in TASKS[task][1]:
            device = "cpu" if who.startswith("pysteps") else settings.device
            found = measured(task, who, path, threads, device)
            first = found["seconds"] if first is None else first
            print(
                f"| {task} | {threads} | {who} | {found['seconds']:.3f} s | "
                f"{found['seconds'] / first:.1f} | {found['peak'] / 1e9:.2f} GB | "
                f"{found['added'] / 1e9:.2f} GB |",
                flush=True,
            )


# ------------------------------------------------------------------- the interpolation


def interpolation(rain: xr.Dataset) -> str:
    """Power and mass that are left of a field, mean of 12 leads."""
    import torch

    from stormfusion import classical

    # dry all around, so that nothing leaves
    field = np.pad(rain.rain_rate[-1].fillna(0.0).values, 64).astype(np.float32)
    velocity = np.broadcast_to(
        np.float32([1.37, 2.61])[:, None, None], (2, *field.shape)
    )
    tensor = torch.as_tensor(velocity.copy())[None]
    turned = classical.motion(numbers(rain, "cpu"))
    turned = torch.nn.functional.pad(turned, (64, 64, 64, 64), mode="replicate")
    lines = [
        "\n| interpolation | power left at 4 pixels | at 8 pixels | mass left | "
        "mass left, motion of the frames |",
        "|---|---|---|---|---|",
    ]
    for mode in ("bilinear", "bicubic", "nearest", "pysteps"):
        if mode == "pysteps":
            flow = np.stack((velocity[1], velocity[0])).astype(np.float64)
            moved = peer.extrapolated(field, flow, LEADS)
            flow = np.stack((turned[0, 1], turned[0, 0])).astype(np.float64)
            curled = peer.extrapolated(field, flow, LEADS)
        else:
            given = torch.as_tensor(field), LEADS
            moved = classical.extrapolated(given[0], tensor, LEADS, mode=mode).numpy()
            curled = classical.extrapolated(given[0], turned, LEADS, mode=mode).numpy()
        power = (f"{share:.3f}" for share in powers(field, moved, velocity[:, 0, 0]))
        mass = (f"{np.nansum(m) / field.sum() / LEADS:.4f}" for m in (moved, curled))
        name = "pysteps, order 1" if mode == "pysteps" else mode
        lines.append(f"| {name} | {' | '.join(power)} | {' | '.join(mass)} |")
    return "\n".join(lines)


def powers(field: np.ndarray, moved: np.ndarray, speed: np.ndarray) -> list[float]:
    """Power of a moved field by that of the same rain before, by wavelength."""
    from stormfusion.verification import band_score, merge, power_sums

    sums = []
    for lead, after in enumerate(moved, start=1):
        down, along = (round(lead * float(part)) for part in speed)
        here = after[64:-32, 64:-32]
        before = field[64 - down :, 64 - along :][: here.shape[0], : here.shape[1]]
        both = (xr.DataArray(np.nan_to_num(v), dims=("y", "x")) for v in (here, before))
        sums.append(power_sums(*both))
    return [float(band_score(merge(*sums), band)) for band in BANDS.values()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--data", default=os.environ.get("STORMFUSION_DATA"))
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--tasks", nargs="*", help="parts of their names")
    parser.add_argument("--device", default="cpu", help="of ours; pysteps has none")
    settings = parser.parse_args()
    if settings.child:
        child(*settings.child)
        return
    rain = storms(settings.data)
    of = "synthetic storms" if settings.data is None else "FMI 2016-09-28"
    print(f"{peer.about()}, {of}, ours on {settings.device}\n")
    print("| work | threads | whose | time | ratio | peak | added |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder) / f"{name}.nc" for name in (WHOLE, PART)}
        rain.to_netcdf(paths[WHOLE], engine="h5netcdf")
        part = wettest(rain)
        part.to_netcdf(paths[PART], engine="h5netcdf")
        for task in TASKS:
            if not settings.tasks or any(name in task for name in settings.tasks):
                table(task, paths, settings)
    if not settings.tasks or "interpolation" in settings.tasks:
        print(interpolation(part))


if __name__ == "__main__":
    main()
