"""
Skill of a trained nowcaster on real radar, beside persistence.

Each of three sequences is forecast by a network trained on the two others, which are of
another day or another country: MeteoSwiss 2015-05-15 (convection), MeteoSwiss
2017-01-31 (a winter front) and FMI 2016-09-28 (Finland, whose reflectivity is taken to
rain rate by its own Z-R relation). All are on 1 km and 5 min. Part of each training
grid, apart from the rest in space, is kept to choose weights by and to measure errors.
Extrapolation, which the network starts from, stands beside both.
"""

import argparse
import os
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
import xarray as xr

from stormfusion import Catalog, Nowcaster, sampling
from stormfusion.data.scaling import DecibelRain, scaling_for
from stormfusion.data.task import Task
from stormfusion.data.windows import batch, starts, take
from stormfusion.losses import MAE, MSE, Loss
from stormfusion.losses.fields import mean
from stormfusion.nn import NETWORKS
from stormfusion.nn.motion import advect, motion
from stormfusion.sampling.forecast import outward
from stormfusion.types import Future, Scalar, Valid
from stormfusion.units import reflectivity_to_rain_rate
from stormfusion.verification import Tally

SEQUENCES = ("mch_20170131", "mch_20150515", "fmi_20160928")
THRESHOLDS = (0.1, 1.0, 5.0)
SCALES = (1, 9)
KEPT = 256
"""Rows in the south of a training grid that are kept for validation."""
GAP = 64
"""Rows between them and the rest."""


@dataclass(frozen=True)
class HeavyMSE(Loss):
    """
    Squared error that weighs heavy rain more.

    The weight of a pixel is the observed rain rate [mm h-1], from 1 to 30: a pixel of
    10 mm h-1 counts as much as ten of drizzle.
    """

    name: ClassVar[str] = "heavy_mse"
    kind: ClassVar[str] = "pixel"

    def compare(self, forecast: Future, observed: Future, valid: Valid) -> Scalar:
        """The weighted mean of the squared differences."""
        rain_rate = DecibelRain().denormalize(observed)
        return mean(rain_rate.clamp(1.0, 30.0) * (forecast - observed) ** 2, valid)


@dataclass(frozen=True)
class SoftCSI(Loss):
    r"""
    One less the critical success index of each lead, with a soft edge.

    A pixel counts as forecast by $p = \sigma((x - t) / \tau)$, with its network number
    $x$, a threshold $t$ and a width $\tau$ of 2 dB. Counts are pooled over a batch, and
    the index is averaged over leads and over 1, 2, 5 and 10 mm h-1. Squared error alone
    makes the forecast smooth and low, and heavy rain is missed.
    """

    name: ClassVar[str] = "soft_csi"
    kind: ClassVar[str] = "shaping"

    def compare(self, forecast: Future, observed: Future, valid: Valid) -> Scalar:
        """One less the mean index."""
        total = torch.zeros((), device=forecast.device)
        for threshold in DecibelRain().normalize(torch.tensor([1.0, 2.0, 5.0, 10.0])):
            likely = torch.sigmoid((forecast - threshold) / 0.03) * valid
            event = ((observed >= threshold) & valid).float()
            hits = (likely * event).sum((0, 2, 3))
            either = (likely + event - likely * event).sum((0, 2, 3))
            total = total + (1 - hits / (either + 1.0)).mean() / 4
        return total


LOSSES = {
    "mse": MSE(),
    "mae": MAE(),
    "heavy_mse": HeavyMSE(),
    "skilful": HeavyMSE() + 0.05 * SoftCSI(),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=os.environ.get("STORMFUSION_DATA"))
    parser.add_argument("--network", default="unet", choices=sorted(NETWORKS))
    parser.add_argument("--inputs", nargs="*", help="such as extrapolation and motion")
    parser.add_argument("--loss", default="skilful", choices=sorted(LOSSES))
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--test", nargs="*", default=SEQUENCES, choices=SEQUENCES)
    parser.add_argument("--members", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    settings = parser.parse_args()
    if settings.data is None:
        raise SystemExit("name the folder of the sequences with --data")
    folder = Path(settings.data)
    print(about(settings))
    for test in settings.test:
        train, validation, tested = fold(folder, test)
        nowcaster = Nowcaster(
            NETWORKS[settings.network](),
            loss=LOSSES[settings.loss],
            inputs=settings.inputs,
            seed=settings.seed,
        )
        nowcaster.fit(
            train,
            validation=validation,
            time_limit=60 * settings.minutes,
            batch_size=4,
        )
        scores = nowcaster.evaluate(
            tested, thresholds=THRESHOLDS, scales=SCALES, members=settings.members
        )
        moved = extrapolation(tested, nowcaster.task)
        scores = xr.concat(
            [scores, moved],
            "forecast",
            data_vars="minimal",
            coords="minimal",
            compat="override",
        )
        print(table(test, nowcaster, scores), flush=True)


def fold(folder: Path, test: str) -> tuple[Catalog, Catalog, Catalog]:
    """What to train on, to validate on and to test on, one sequence held out."""
    train, validation = [], []
    for name in SEQUENCES:
        if name != test:
            rain = rain_rate(folder / f"{name}.nc")
            train.append(rain.isel(y=slice(None, -KEPT - GAP)))
            validation.append(rain.isel(y=slice(-KEPT, None)))
    tested = rain_rate(folder / f"{test}.nc")
    return catalog(train), catalog(validation), catalog([tested])


def rain_rate(path: Path) -> xr.Dataset:
    """Rain rate of a sequence; of reflectivity by the Z-R relation of its file."""
    with xr.open_dataset(path) as opened:
        dataset = opened.load()
    if "reflectivity" in dataset:
        a, b = (float(dataset.reflectivity.attrs[f"zr_{k}"]) for k in "ab")
        rain = reflectivity_to_rain_rate(dataset.reflectivity, a=a, b=b)
        rain = rain.astype("float32").rename("rain_rate")
        dataset = rain.assign_attrs(units="mm h-1").to_dataset()
    return dataset.assign_attrs(name=path.stem)


def catalog(parts: list[xr.Dataset]) -> Catalog:
    """One event for each part."""
    found = [
        Catalog.from_xarray(part, prefix=f"{part.attrs['name']}-{part.sizes['y']}")
        for part in parts
    ]
    together = found[0]
    for other in found[1:]:
        together = together | other
    return together


def extrapolation(tested: Catalog, task: Task) -> xr.Dataset:
    """Scores of the last frame carried along by the motion of those before it."""
    tally = Tally(task.target, thresholds=THRESHOLDS, scales=SCALES)
    for event in tested:
        for start in map(int, starts(event, task, stride=task.leads)):
            past = batch([take(event, task, start, target=False)]).past
            moved = advect(past[:, -1, 0], motion(past), task.leads)[0]
            observed = sampling.observation(event, start, task)
            values = scaling_for(task.target).denormalize(moved).numpy()
            values = outward(values, event.frames[task.target].grid)
            tally.add({"extrapolation": observed.copy(data=values)}, observed)
    return tally.dataset()


def table(test: str, nowcaster: Nowcaster, scores: xr.Dataset) -> str:
    """A Markdown table: a row for each forecast and score, a column for each lead."""
    ours = nowcaster.name
    leads = scores.lead.values / np.timedelta64(1, "m")
    shown = [i for i, lead in enumerate(leads) if lead % 10 == 0]
    lines = [
        f"\n### {test}: {int(scores.cases)} hindcasts, "
        f"{len(nowcaster.log)} epochs, {int(nowcaster.log.windows.sum())} windows\n",
        "| score | forecast | "
        + " | ".join(f"{leads[i]:.0f} min" for i in shown)
        + " |",
        "|---|---|" + "---|" * len(shown),
    ]
    for threshold in THRESHOLDS:
        for name, score in (("CSI", "csi"), ("bias", "bias")):
            values = scores[score].sel(threshold=threshold)
            for forecast in (ours, "persistence", "extrapolation"):
                row = values.sel(forecast=forecast).values[shown]
                cells = " | ".join(f"{v:.3f}" for v in row)
                lines.append(f"| {name} {threshold} mm/h | {forecast} | {cells} |")
    fss = scores.fss.sel(threshold=1.0, scale=9)
    for label, values in (
        ("CRPS [mm/h]", scores.crps),
        ("MAE [mm/h]", scores.mae),
        ("FSS 1 mm/h, 9 km", fss),
    ):
        for forecast in (ours, "persistence"):
            cells = " | ".join(f"{v:.3f}" for v in values.sel(forecast=forecast)[shown])
            lines.append(f"| {label} | {forecast} | {cells} |")
    better = scores.csi.sel(forecast=ours) > scores.csi.sel(forecast="persistence")
    chosen = better.sel(threshold=[1.0, 5.0]).isel(lead=leads >= 10)
    lines.append(
        f"\nCSI above persistence at 1 and 5 mm/h from 10 to 60 min: "
        f"{int(chosen.sum())} of {chosen.size} (threshold, lead)."
    )
    return "\n".join(lines)


def about(settings: argparse.Namespace) -> str:
    """What was run, where."""
    recipe = f"{settings.network}+{LOSSES[settings.loss]}"
    seen = f" of {', '.join(settings.inputs)}" if settings.inputs else ""
    return (
        f"recipe {recipe}{seen}, seed {settings.seed}, at most {settings.minutes:g} "
        f"min of training on {machine()}"
    )


def machine() -> str:
    """Threads, commit, cores and torch."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return (
        f"{torch.get_num_threads()} thread(s), commit {commit}, "
        f"{platform.machine()} with {os.cpu_count()} cores, torch {torch.__version__} "
        f"on the {'GPU' if torch.cuda.is_available() else 'CPU'}"
    )


if __name__ == "__main__":
    main()
