"""
Balanced losses with and without the focal weights of frames, on five networks.

The experiment of the focal frame loss (Ma, Zhang and Liu, 2022) in small: recurrent
networks learn to tell 10 frames from 10, and to reconstruct the observed ones, once by
B-MSE and B-MAE and once by the focal frame loss, which is the same with frames that
weigh more the harder they are. Both losses of a seed begin with the same weights and
see the same windows, as many and turned alike.

Each of four sequences of radar is forecast by networks trained on the three others, of
another day or another country: those of skill.py, and BoM 2018-06-16 (Melbourne), whose
pixels of 500 m are averaged to 1 km and whose frames of 6 min are taken as if of 5.
Scored are the ten forecast frames, never the reconstructed ones, in windows that do not
overlap, 120 x 120 pixels: at each start those where it rained most in the last observed
frame. Extrapolation and persistence see the same windows and no more.

Every run is kept in a folder. What is there is not run again, so the script may be
interrupted, and several may share the work; `--report` only reads.

The default of 300 steps takes, with `--hidden 16`, some 5 (convlstm) to 20 minutes
(motionrnn) on two cores, as far as single steps tell, and with the published width of
64 some ten times as long. So few steps teach little of heavy rain: `--size 64` has more
of them in the time. Two losses times four sequences, for each of five networks, are 40
runs a seed; `--test`, `--networks` and `--seeds` choose among them.
"""

import argparse
import os
import time
from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from focal_report import SHARED, THRESHOLDS, WEIGHTS, figure, report
from skill import SEQUENCES as OTHERS
from skill import catalog, machine, rain_rate
from torch import Tensor, nn

from stormfusion import Catalog, Event, Recipe
from stormfusion.data.task import Task
from stormfusion.data.windows import Batch, RandomWindows, batch, starts, take
from stormfusion.losses import FFL
from stormfusion.losses.focal import frame_weights
from stormfusion.nn import NETWORKS, Recurrent
from stormfusion.nn.motion import advect, motion
from stormfusion.nn.teaching import Teacher
from stormfusion.nowcaster.building import build
from stormfusion.sampling.forecast import physical
from stormfusion.training.fabric import make_fabric
from stormfusion.training.loop import train
from stormfusion.training.plan import Plan
from stormfusion.verification import (
    balanced_sums,
    contingency,
    error_sums,
    gdl_sums,
    ssim_sums,
)

MELBOURNE = "bom02_20180616"
SEQUENCES = (*OTHERS, MELBOURNE)
RECURRENT = tuple(n for n, kind in NETWORKS.items() if issubclass(kind, Recurrent))
LOSSES = ("bmse+bmae", "ffl")
HISTORY, LEADS, SIZE = 10, 10, 120
"""Frames seen and forecast, and width of the windows that are scored [pixels]."""
WET, LEAST = 0.5, 0.02
"""Rain rate [mm h-1], and the share of a window that has it, to be scored."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default=os.environ.get("STORMFUSION_DATA"))
    parser.add_argument("--folder", type=Path, default=Path("focal_frames"))
    parser.add_argument(
        "--networks", nargs="*", default=RECURRENT, choices=sorted(NETWORKS)
    )
    parser.add_argument("--losses", nargs="*", default=LOSSES, help="of a recipe")
    parser.add_argument("--test", nargs="*", default=SEQUENCES, choices=SEQUENCES)
    parser.add_argument("--seeds", nargs="*", type=int, default=(0, 1))
    parser.add_argument("--hidden", type=int, default=64, help="channels of a layer")
    parser.add_argument("--steps", type=int, default=300, help="of the optimizer")
    parser.add_argument("--batch", type=int, default=2, help="windows of a step")
    parser.add_argument(
        "--size", type=int, default=SIZE, help="of the windows learned from [pixels]"
    )
    parser.add_argument(
        "--residual",
        action="store_true",
        help="tell changes, not the frames themselves",
    )
    parser.add_argument("--rate", type=float, default=1e-2, help="the highest one")
    parser.add_argument(
        "--precision", default="32-true", choices=("32-true", "bf16-mixed")
    )
    parser.add_argument("--windows", type=int, default=8, help="scored at a start")
    parser.add_argument("--report", action="store_true", help="only read the folder")
    parser.add_argument("--figure", type=Path, help="where to draw errors by frame")
    settings = parser.parse_args()
    if not settings.report:
        if settings.data is None:
            raise SystemExit("name the folder of the sequences with --data")
        settings.folder.mkdir(parents=True, exist_ok=True)
        for seed, test, name, loss in product(
            settings.seeds, settings.test, settings.networks, settings.losses
        ):
            recipe = f"{name}+{loss}"
            once(settings.folder / f"{test} {recipe} {seed}.nc", settings, recipe)
    print(report(settings.folder))
    if settings.figure is not None:
        figure(settings.folder, settings.figure)


def once(path: Path, settings: argparse.Namespace, recipe: str) -> None:
    """Run what is not there, and what no other process is at."""
    test, _, seed = path.stem.split()
    beside = path.with_name(f"{test} baselines {settings.windows}.nc")
    if not beside.exists():
        about = {"test": test, "windows": settings.windows}
        kept(score(None, settings, test), beside, **about)
    claim = path.with_suffix(".running")
    if path.exists() or (claim.exists() and alive(int(claim.read_text() or 0))):
        return
    claim.write_text(str(os.getpid()))
    try:
        run(settings, recipe, test, int(seed), path)
    finally:
        claim.unlink()


def alive(process: int) -> bool:
    """Whether there is such a process; one that was killed leaves its claim."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def kept(sums: xr.Dataset, path: Path, **attrs: Any) -> None:
    """Write the sums of all windows, whole or not at all."""
    part = path.with_suffix(f".{os.getpid()}.part")
    sums.assign_attrs(attrs).to_netcdf(part, engine="h5netcdf")
    part.rename(path)


# ---------------------------------------------------------------------- the training


@lru_cache(maxsize=1)
def events(folder: Path) -> dict[str, Catalog]:
    """Each sequence as rain rate on 1 km and 5 min."""
    return {name: catalog([alike(folder / f"{name}.nc")]) for name in SEQUENCES}


def alike(path: Path) -> xr.Dataset:
    """A sequence on the grid and at the interval of the others."""
    rain = rain_rate(path)
    if path.stem != MELBOURNE:
        return rain
    coarse = rain[["rain_rate"]].coarsen(y=2, x=2).mean(keep_attrs=True)
    minutes = np.arange(coarse.sizes["time"]) * np.timedelta64(5, "m")
    first = coarse.time.values[0]
    return coarse.assign_coords(time=first + minutes).assign_attrs(rain.attrs)


def run(
    settings: argparse.Namespace, recipe: str, test: str, seed: int, path: Path
) -> None:
    """Train a network and keep its sums."""
    all_events = events(Path(settings.data))
    learned = [e for name in SEQUENCES if name != test for e in all_events[name]]
    task = Task.infer(learned, history=HISTORY, leads=LEADS)
    parsed = Recipe.parse(recipe)
    network = NETWORKS[parsed.network]()
    if isinstance(network, Recurrent):
        network = type(network)(
            hidden=settings.hidden, patch=1, residual=settings.residual
        )
    windows = RandomWindows(
        learned,
        task,
        size=(settings.size, settings.size),
        count=settings.steps * settings.batch,
        seed=seed,
    )
    # one pass, so that the last weights are those that count
    plan = Plan(
        epochs=1,
        batch_size=settings.batch,
        learning_rate=settings.rate,
        seed=seed,
    )
    module = build(network, task, seed)
    began = time.monotonic()
    loss = parsed.loss().bound(task.target)
    # named, as what is faster here may be found otherwise in the next process
    fabric = make_fabric(precision=settings.precision)
    progress = train(module, loss, windows, None, plan, fabric=fabric)
    seconds = time.monotonic() - began
    sums = score(module.eval(), settings, test)
    about = {
        "network": parsed.network,
        "loss": recipe.partition("+")[2],
        "test": test,
        "seed": seed,
        "windows": settings.windows,
        "about": f"{network!r}, {settings.steps} steps of {settings.batch} windows of "
        f"{settings.size} pixels at {settings.rate:g}, {progress.precision}, scored on "
        f"{settings.windows} windows a start",
        "machine": machine(),
        "seconds": seconds,
        "training_loss": float(progress.rows[-1]["loss"]),
    }
    kept(sums, path, **about)


# ----------------------------------------------------------------------- the scoring


def score(
    module: nn.Module | None, settings: argparse.Namespace, test: str
) -> xr.Dataset:
    """Sums of each window of a sequence: of a network, or of both baselines."""
    found = []
    for data in tested(events(Path(settings.data))[test][0], settings.windows):
        observed = data.future.where(data.valid, torch.nan)[0]
        if module is None:
            last = data.past[:, -1, 0]
            still = last[:, None].expand(-1, LEADS, -1, -1)
            moved = advect(last, motion(data.past), LEADS)
            both = {"persistence": still, "extrapolation": moved}
            parts = [sums_of(values[0], observed) for values in both.values()]
            found.append(xr.concat(parts, "forecast").assign_coords(forecast=[*both]))
        else:
            told = every_frame(module, data)
            sums = sums_of(told[0, -LEADS:], observed)
            found.append(xr.merge([sums, by_frame(told, data)], **SHARED))
    return xr.concat(found, "case")


def tested(event: Event, most: int) -> Iterator[Batch]:
    """Windows of an event at each start, the wettest as the last frame seen tells."""
    task = Task.infer([event], history=HISTORY, leads=LEADS)
    height, width = event.stored(task.target).grid.shape
    corners = list(
        product(range(0, height - SIZE + 1, SIZE), range(0, width - SIZE + 1, SIZE))
    )
    for start in map(int, starts(event, task, stride=LEADS)):
        now = event[task.target][start + HISTORY - 1].values >= WET
        wet = {
            (y, x): float(now[y : y + SIZE, x : x + SIZE].mean()) for y, x in corners
        }
        wettest = sorted(corners, key=lambda corner: -wet[corner])[:most]
        for y, x in sorted(wettest):
            if wet[y, x] >= LEAST:
                rows, columns = slice(y, y + SIZE), slice(x, x + SIZE)
                yield batch([take(event, task, start, rows=rows, columns=columns)])


@torch.inference_mode()
def every_frame(module: nn.Module, data: Batch) -> Tensor:
    """What a network tells: the leads, after the frames that it reconstructs."""
    weight = next(module.parameters())
    past = data.past.to(weight.device)
    given: dict[str, Any] = {}
    if getattr(module, "reconstructs", False):
        given["teacher"] = Teacher.silent(past, leads=LEADS)
    told: Tensor = module(past, **given).float().cpu()
    return told


def sums_of(forecast: Tensor, observed: Tensor) -> xr.Dataset:
    """Sums of a window by lead: of events in mm/h, of all else in network numbers."""
    numbers = [labelled(values.numpy()) for values in (forecast.clamp(0, 1), observed)]
    rates = [
        labelled(physical(values, "rain_rate"), units="mm h-1")
        for values in (forecast, observed)
    ]
    errors = error_sums(*numbers)[["pairs", "absolute_error", "squared_error"]]
    return xr.merge(
        [
            contingency(*rates, threshold=THRESHOLDS),
            errors,
            balanced_sums(*numbers, weights=WEIGHTS),
            ssim_sums(*numbers, data_range=1.0),
            gdl_sums(*numbers),
        ],
        **SHARED,
    )


def labelled(values: np.ndarray, **attrs: str) -> xr.DataArray:
    """Frames with their leads."""
    leads = {"lead": np.arange(1, LEADS + 1)}
    return xr.DataArray(values, dims=("lead", "y", "x"), coords=leads, attrs=attrs)


def by_frame(told: Tensor, data: Batch) -> xr.Dataset:
    """Absolute error of every frame that was told, and what it weighs in FFL."""
    frames = told.shape[1]
    truth = torch.cat((data.past[:, :, 0], data.future), 1)[:, -frames:]
    valid = torch.cat((data.past[:, :, 1] > 0, data.valid), 1)[:, -frames:]
    apart = torch.where(valid, told - truth, 0.0).abs().sum((0, 2, 3))
    loss = FFL()
    zero = torch.zeros(())
    weights = frame_weights(
        told.where(valid, zero), truth.where(valid, zero), valid, k=loss.k, eps=loss.eps
    )
    found = {
        "frame_error": apart.double(),
        "frame_pixels": valid.sum((0, 2, 3)),
        "frame_weight": weights[0].double(),
    }
    last = HISTORY + LEADS
    return xr.Dataset(
        {name: ("frame", values.numpy()) for name, values in found.items()},
        coords={"frame": np.arange(last - frames, last)},
    )


if __name__ == "__main__":
    main()
