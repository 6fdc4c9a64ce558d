"""
AdamW beside AdamHD, which adapts its own learning rate, at equal steps.

The same small U-Net is trained with each optimizer on two sequences of radar and
validated on a part of both that is apart in space (see skill.py), from the same first
weights and with the same windows for a seed. Without sequences it is trained on
synthetic storms. Every optimizer is used as the library uses it: AdamW warms up and
comes down as a cosine, AdamHD begins at its rate and goes where it wants. AdamHD with
a hypergradient rate of 0 is Adam at a constant rate. The weights of the best epoch
count, as in a training.
"""

import argparse
import os
import time
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev

import pandas as pd
from skill import SEQUENCES, fold, machine

from stormfusion import Catalog
from stormfusion.data.task import Task
from stormfusion.data.windows import RandomWindows
from stormfusion.losses import MSE, WeightedSum
from stormfusion.nn import UNet
from stormfusion.nowcaster.building import build
from stormfusion.training import AdamHD, AdamW
from stormfusion.training.fabric import make_fabric
from stormfusion.training.loop import train
from stormfusion.training.plan import Plan

NETWORK = UNet(width=16)
RUNS = [
    (AdamW(), 1e-3),
    (AdamW(), 5e-4),
    *((AdamHD(beta_h), 5e-4) for beta_h in (0.0, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4)),
    *((AdamHD(beta_h), 1e-3) for beta_h in (0.0, 1e-5)),
]
"""Optimizers, and the rate of each: the highest or, of AdamHD, the first."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=os.environ.get("STORMFUSION_DATA"))
    parser.add_argument("--without", default="mch_20170131", choices=SEQUENCES)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--windows", type=int, default=128, help="of an epoch")
    parser.add_argument("--size", type=int, default=96, help="of a window [pixels]")
    parser.add_argument("--seeds", nargs="*", type=int, default=(0, 1, 2))
    settings = parser.parse_args()
    learned, held = events(settings)
    plan = Plan(epochs=settings.epochs, batch_size=4)
    steps = settings.windows // plan.batch_size * plan.epochs
    print(
        f"{NETWORK!r}, {steps} steps of {plan.batch_size} windows of {settings.size} x "
        f"{settings.size} pixels, seeds {', '.join(map(str, settings.seeds))}, on "
        f"{machine()}\n"
    )
    print("| optimizer | rate | validation loss | change | CSI | last rate | CPU |")
    print("|---|---|---|---|---|---|---|")
    first: list[float] = []
    for optimizer, lr in RUNS:
        began = time.process_time()
        logs = [
            run(
                replace(plan, optimizer=optimizer, learning_rate=lr, seed=seed),
                learned,
                held,
                settings,
            )
            for seed in settings.seeds
        ]
        spent = (time.process_time() - began) / len(logs)
        best = [log.loc[log["validation_loss"].idxmin()] for log in logs]
        losses = [float(row["validation_loss"]) for row in best]
        first = first or losses
        changes = [100 * (a / b - 1) for a, b in zip(losses, first, strict=True)]
        rates = sorted(float(log["learning_rate"].iloc[-1]) for log in logs)
        name = type(optimizer).__name__
        if isinstance(optimizer, AdamHD):
            name += f" {optimizer.hypergradient_rate:g}"
        cells = [
            name,
            f"{lr:g}",
            f"{1e4 * mean(losses):.2f}e-4",
            f"{spread(changes, '+.2f')} %",
            spread([float(row["csi"]) for row in best], ".3f"),
            f"{rates[0]:.2g} to {rates[-1]:.2g}",
            f"{spent:.0f} s",
        ]
        print(f"| {' | '.join(cells)} |", flush=True)


def events(settings: argparse.Namespace) -> tuple[Catalog, Catalog]:
    """What to train on, and what to validate on."""
    if settings.data is None:
        return Catalog.synthetic(events=12, size=192, variables=("vil",)).split(0.75)
    learned, held, _ = fold(Path(settings.data), settings.without)
    return learned, held


def run(
    plan: Plan, learned: Catalog, held: Catalog, settings: argparse.Namespace
) -> pd.DataFrame:
    """The curves of one training."""
    task = Task.infer(list(learned))
    size = (settings.size, settings.size)
    windows = RandomWindows(
        list(learned), task, size=size, count=settings.windows, seed=plan.seed
    )
    # the same ones for every seed, so that their losses compare
    fixed = RandomWindows(list(held), task, size=size, count=48, seed=1000)
    return train(
        build(NETWORK, task, plan.seed),
        WeightedSum.of(MSE()),
        windows,
        fixed,
        plan,
        fabric=make_fabric("cpu", precision="32-true"),
        progress=False,
    ).table()


def spread(values: list[float], form: str) -> str:
    """The mean over the seeds, and how far they differ."""
    apart = stdev(values) if len(values) > 1 else 0.0
    return f"{mean(values):{form}} ± {apart:{form.lstrip('+')}}"


if __name__ == "__main__":
    main()
