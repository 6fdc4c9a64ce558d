"""
Sharpness and what it costs: shaping terms beside the squared error alone.

Each of three sequences is forecast by networks trained on the two others, which are of
another day or another country (see skill.py), once for each recipe and seed, with the
same number of steps. Every run is kept in a folder; what is there is not run again, so
that several processes can share the work. `--table` prints what there is.
"""

import argparse
import os
from itertools import product
from pathlib import Path

import numpy as np
import xarray as xr
from skill import SEQUENCES, fold, machine

from stormfusion import Nowcaster

RECIPES = ("unet", "unet+perceptual", "unet+ssim", "unet+gdl")
THRESHOLDS = (1.0, 5.0, 10.0)
DRAWS = 2000
"""Resamplings of the runs, for the intervals."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=os.environ.get("STORMFUSION_DATA"))
    parser.add_argument("--folder", type=Path, default=Path("sharpness"))
    parser.add_argument("--recipes", nargs="*", default=RECIPES)
    parser.add_argument("--test", nargs="*", default=SEQUENCES, choices=SEQUENCES)
    parser.add_argument("--seeds", nargs="*", type=int, default=(0, 1))
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--members", type=int, default=10)
    parser.add_argument("--table", action="store_true", help="only print the tables")
    settings = parser.parse_args()
    if not settings.table:
        if settings.data is None:
            raise SystemExit("name the folder of the sequences with --data")
        settings.folder.mkdir(parents=True, exist_ok=True)
        for seed, test, recipe in product(
            settings.seeds, settings.test, settings.recipes
        ):
            path = settings.folder / f"{test} {recipe} {seed}.nc"
            claim = path.with_suffix(".running")
            if not path.exists() and not claim.exists():
                claim.touch()
                try:
                    run(settings, recipe, test, seed, path)
                finally:
                    claim.unlink()
    print(report(settings.folder))


def run(
    settings: argparse.Namespace, recipe: str, test: str, seed: int, path: Path
) -> None:
    """Train one network and keep its scores."""
    train, validation, tested = fold(Path(settings.data), test)
    nowcaster = Nowcaster(recipe, seed=seed)
    nowcaster.fit(train, validation=validation, epochs=settings.epochs, batch_size=4)
    scores = nowcaster.evaluate(
        tested, thresholds=THRESHOLDS, scales=(1, 9), members=settings.members
    )
    own = scores.sel(forecast=[nowcaster.name, "persistence"])
    weights = {k: v for k, v in nowcaster.log.iloc[-1].items() if "weight" in k}
    own = own.assign_attrs(
        {
            "run": recipe,
            "test": test,
            "seed": seed,
            "about": f"{settings.epochs} epochs on {machine()}",
            "weights": ", ".join(f"{k} {v:.3g}" for k, v in weights.items()),
        }
    )
    own.to_netcdf(path, engine="h5netcdf")


def report(folder: Path) -> str:
    """Tables of all runs in a folder."""
    runs = {}
    for path in sorted(folder.glob("*.nc")):
        with xr.open_dataset(path, engine="h5netcdf") as opened:
            scores = opened.load()
        a = scores.attrs
        runs[a["run"], a["test"], int(a["seed"])] = scores
    recipes = sorted({key[0] for key in runs}, key=lambda name: (len(name), name))
    lines = sorted({run.attrs["about"] for run in runs.values()}) or ["no runs"]
    lines.append("")
    lines += by_lead(runs, recipes)
    lines += ["", *changes(runs, [name for name in recipes if name != "unet"])]
    return "\n".join(lines)


def of_lead(scores: xr.Dataset, name: str, threshold: float | None) -> np.ndarray:
    """A score of the network at each lead."""
    values = scores[name].isel(forecast=0)
    if threshold is not None:
        values = values.sel(threshold=threshold)
    return values.values


ROWS = [
    *((f"CSI {t:g} mm/h", "csi", t) for t in THRESHOLDS),
    ("fair CRPS [mm/h]", "crps", None),
    ("perceptual distance", "perceptual", None),
    ("power ratio, 4 to 16 km", "spectrum_ratio", None),
]


def by_lead(runs: dict, recipes: list[str]) -> list[str]:
    """Each score by lead, the mean over sequences and seeds."""
    shown = [1, 3, 5, 7, 9, 11]
    head = " | ".join(f"{5 * (i + 1)} min" for i in shown)
    lines = [f"| score | recipe | {head} |", "|---|---|" + "---|" * len(shown)]
    for label, name, threshold in ROWS:
        for recipe in recipes:
            found = [
                of_lead(s, name, threshold) for k, s in runs.items() if k[0] == recipe
            ]
            mean = np.nanmean(found, axis=0)
            cells = " | ".join(f"{mean[i]:.3f}" for i in shown)
            lines.append(f"| {label} | {recipe} | {cells} |")
    return lines


def changes(runs: dict, recipes: list[str]) -> list[str]:
    """Changes against the squared error alone, over the runs that both have."""
    head = "| recipe | " + " | ".join(row[0] for row in ROWS[:-1])
    lines = [
        f"{head} | power lost, 4 to 16 km | runs |",
        "|---" * (len(ROWS) + 2) + "|",
    ]
    for recipe in recipes:
        keys = [
            (test, seed)
            for name, test, seed in runs
            if name == recipe and ("unet", test, seed) in runs
        ]
        if not keys:
            continue
        cells = []
        for _, name, threshold in ROWS:
            pairs = [
                [
                    of_lead(runs[which, *key], name, threshold)
                    for which in (recipe, "unet")
                ]
                for key in keys
            ]
            both = np.array(pairs)
            # a lead that only one of the two has a score at would favour one
            both[np.isnan(both).any(1, keepdims=True).repeat(2, axis=1)] = np.nan
            ours, theirs = np.nanmean(both, axis=2).T
            if name == "spectrum_ratio":
                ours, theirs = 1 - ours, 1 - theirs
            cells.append(interval(ours, theirs))
        lines.append(f"| {recipe} | {' | '.join(cells)} | {len(keys)} |")
    return lines


def interval(ours: np.ndarray, theirs: np.ndarray) -> str:
    """The change of the mean, with 90 % of it over resampled runs."""
    rng = np.random.default_rng(0)
    drawn = rng.integers(len(ours), size=(DRAWS, len(ours)))
    change = ours[drawn].mean(1) / theirs[drawn].mean(1) - 1
    low, high = np.quantile(change, (0.05, 0.95))
    return f"{ours.mean() / theirs.mean() - 1:+.1%} ({low:+.1%} to {high:+.1%})"


if __name__ == "__main__":
    main()
