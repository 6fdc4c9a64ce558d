"""
Calibration on other days, and what blurred members do to a footprint.

Each of three sequences is forecast by nowcasters that were trained and calibrated on
the two others, of another day or another country (see skill.py): STEPS, the best
network of skill.py with its errors dressed, and networks of other seeds trained on
squared errors, whose forecasts are the members. For each, probabilities of rain sums
and rates before and after: reliability, Brier skill against the climatology of the
other days and against persistence (the hazard as it was observed last, yes or no),
CRPS, the granularity of the maps, and what members resolve. Two days are few to
calibrate on: what harms the other one is left as it is, unless a method is asked for.

The networks of squared errors are blurs. So are, with all else equal, the members of
STEPS after a Gaussian; of several widths, as one of them has the CRPS of the sharp
members.

Every run is kept in a folder; what is there is not run again. `--table` prints the
tables.
"""

import argparse
import os
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path

import numpy as np
import xarray as xr
from scipy.ndimage import gaussian_filter
from skill import LOSSES, SEQUENCES, catalog, fold, machine, rain_rate

from stormfusion import Catalog, Ensemble, Event, Nowcaster, calibration, sampling
from stormfusion.calibration import Calibration, Case
from stormfusion.classical import rainfall
from stormfusion.data.windows import starts
from stormfusion.footprint import Means, occurred
from stormfusion.hazards import Hazard
from stormfusion.nn import NETWORKS
from stormfusion.verification import (
    crps_score,
    crps_sums,
    granularity_score,
    granularity_sums,
    power_sums,
    probability_scores,
    probability_sums,
    reliability_scores,
    resolution_score,
)

RECIPES = ("steps", "squared error", "best learned")
HAZARDS = (
    "rain >= 1 mm in 30 min",
    "rain >= 5 mm in 30 min",
    "rain_rate >= 5 mm h-1",
)
PARTS = (
    "count",
    "probability_sum",
    "probability_squared",
    "event_sum",
    "event_probability",
    "log_sum",
)
WINDOW = tuple(f"window_{name}" for name in PARTS)
HISTORY, LEADS = 13, 12
"""Frames that networks see and forecast."""
LINES = {
    "raw": ("#fdb863", 5.0),
    "calibrated": ("#2166ac", 2.0),
    "isotonic, asked for": ("#1a1a1a", 0.8),
}
"""Colour and width of each in the diagrams: one upon the other all are seen."""
BLURS = (1, 2, 4, 8)
"""Standard deviations of the Gaussian [pixels of 1 km]."""
SEEDS = 4
"""Networks trained on squared errors."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=os.environ.get("STORMFUSION_DATA"))
    parser.add_argument("--folder", type=Path, default=Path("calibration"))
    parser.add_argument("--recipes", nargs="*", default=RECIPES)
    parser.add_argument("--test", nargs="*", default=SEQUENCES, choices=SEQUENCES)
    parser.add_argument("--minutes", type=float, default=3.0, help="of each training")
    parser.add_argument("--train", action="store_true", help="only train")
    parser.add_argument("--members", type=int, default=20)
    parser.add_argument("--table", action="store_true", help="only print the tables")
    parser.add_argument("--figure", type=Path, help="draw the reliability diagrams")
    settings = parser.parse_args()
    if not settings.table:
        if settings.data is None:
            raise SystemExit("name the folder of the sequences with --data")
        settings.folder.mkdir(parents=True, exist_ok=True)
        for recipe, test in product(settings.recipes, settings.test):
            path = settings.folder / f"{recipe} {test}.nc"
            if not path.exists():
                run(settings, recipe, test, path)
    if settings.train:
        return
    print(report(settings.folder))
    if settings.figure is not None:
        draw(settings.folder, settings.figure)


class Blurs:
    """Networks of other seeds, trained on squared errors: each says one member."""

    def __init__(self, casters: Sequence[Nowcaster]) -> None:
        self.casters = casters
        self.calibration: Calibration | None = None

    def ensemble(
        self, event: Event, *, reference_time: np.datetime64, **others: object
    ) -> Ensemble:
        """What each of them forecasts, as it is."""
        made = [c.predict(event, reference_time=reference_time) for c in self.casters]
        found = xr.concat(made, "member", combine_attrs="drop_conflicts")
        now = event["rain_rate"].sel(time=reference_time).load()
        initial = (("y", "x"), now.to_numpy(), {"units": "mm h-1"})
        return Ensemble(found.assign(initial=initial))

    def calibrate(
        self, others: Catalog, *, hazards: Sequence[str], members: int, method: str
    ) -> None:
        """As a nowcaster is calibrated."""
        task = self.casters[0].task
        self.calibration = calibration.fit(
            [
                Case(event.id, _Hindcast(self, event, int(start)))
                for event in others
                for start in starts(event, task, stride=task.leads)
            ],
            hazards,
            method=method,
        )


class _Hindcast:
    def __init__(self, blurs: Blurs, event: Event, start: int) -> None:
        self.blurs, self.event, self.start = blurs, event, start

    def __call__(self) -> tuple[xr.DataArray, xr.DataArray, np.ndarray]:
        task = self.blurs.casters[0].task
        now = self.event.time[self.start + task.history - 1]
        made = self.blurs.ensemble(self.event, reference_time=now)
        observed = sampling.observation(self.event, self.start, task)
        return made.values, observed, made.initial


def trained(
    settings: argparse.Namespace,
    recipe: str,
    test: str,
    train: Catalog,
    validation: Catalog,
) -> Nowcaster | Blurs:
    """The nowcaster of a recipe; its networks are kept."""
    if recipe == "steps":
        return Nowcaster("steps")
    best = recipe == "best learned"
    loss = LOSSES["skilful" if best else "mse"]
    minutes = settings.minutes * (2 if best else 1)
    made = []
    for seed in range(1 if best else SEEDS):
        path = settings.folder / f"{recipe} {test} {seed}.safetensors"
        if not path.exists():
            one = Nowcaster(NETWORKS["unet"](), loss=loss, seed=seed)
            one.fit(train, validation=validation, time_limit=60 * minutes, batch_size=4)
            one.save(path)
        made.append(Nowcaster.load(path))
    return made[0] if best else Blurs(made)


def run(settings: argparse.Namespace, recipe: str, test: str, path: Path) -> None:
    """Fit, calibrate and test one nowcaster; keep its sums."""
    train, validation, _ = fold(Path(settings.data), test)
    # as much of the largest as the others have
    rain = rain_rate(Path(settings.data) / f"{test}.nc")
    tested = catalog([rain.isel(y=slice(0, 640), x=slice(0, 710))])
    nowcaster = trained(settings, recipe, test, train, validation)
    if settings.train:
        return
    others = train if recipe == "steps" else validation
    kept = {}
    for method, name in (("auto", "calibrated"), ("isotonic", "isotonic, asked for")):
        nowcaster.calibrate(
            others, hazards=HAZARDS, members=settings.members, method=method
        )
        kept[name] = nowcaster.calibration
    rates = climatology(others, LEADS)
    total: dict[str, list[xr.Dataset]] = {}
    for event in tested:
        # of all recipes the same hindcasts
        for now in range(HISTORY - 1, len(event.time) - LEADS, LEADS):
            blurs = recipe == "steps"
            for name, sums in cases(
                nowcaster,
                kept,
                event,
                now,
                rates,
                members=settings.members,
                blurs=blurs,
            ):
                total.setdefault(name, []).append(sums)
    names = list(total)
    joined = xr.concat(
        [xr.concat(total[name], "case").sum("case", keep_attrs=True) for name in names],
        "forecast",
    ).assign_coords(forecast=names)
    joined.attrs |= {
        "recipe": recipe,
        "test": test,
        "cases": len(total[names[0]]),
        "about": machine(),
        "calibration": " | ".join(one.text() for one in kept.values()),
    }
    joined.to_netcdf(path, engine="h5netcdf")


def cases(
    nowcaster: Nowcaster | Blurs,
    kept: Mapping[str, Calibration],
    event: Event,
    now: int,
    rates: np.ndarray,
    *,
    members: int,
    blurs: bool,
):
    """Sums of one hindcast: raw, calibrated, climatology, persistence, blurs."""
    raw = nowcaster.ensemble(
        event,
        members=members,
        reference_time=event.time[now],
        calibrated=False,
    )
    leads = raw.values.sizes["lead"]
    frames = event["rain_rate"].isel(time=slice(now + 1, now + 1 + leads)).load()
    observed = raw.values.isel(member=0, drop=True).copy(data=frames.to_numpy())
    hazards = tuple(Hazard.parse(name) for name in HAZARDS)
    came, ever = occurred(observed, observed, hazards, Means(), raw.initial)
    ensembles = {"raw": raw}
    ensembles |= {name: raw.calibrate(one) for name, one in kept.items()}
    for width in BLURS if blurs else ():
        ensembles[f"blurred by {width} km"] = blurred(raw, width)
    for name, ensemble in ensembles.items():
        made = ensemble.footprint(*HAZARDS, percentiles=(), accumulation=False)
        waves = power_sums(ensemble.values.isel(member=slice(4)), observed)
        waves = waves.sum([d for d in waves.dims if d != "wavelength"])
        scored = crps_sums(ensemble.values, observed).sum("lead").merge(waves)
        chances = made.dataset.probability, made.dataset.window_probability
        yield name, sums(*chances, came, ever, scored)
    nothing = xr.zeros_like(scored)
    like = made.dataset
    chance = xr.zeros_like(like.probability) + xr.DataArray(rates[:, 0], dims="hazard")
    window = xr.zeros_like(like.window_probability) + xr.DataArray(
        rates[:, 1], dims="hazard"
    )
    yield "climatology", sums(chance, window, came, ever, nothing)
    past = event["rain_rate"].isel(time=slice(now - 6, now + 1)).load()
    depths = rainfall(past[1:], initial=past[0])
    last = [
        h.occurs(depths if h.sums else past).isel(time=-1).to_numpy() for h in hazards
    ]
    held = xr.zeros_like(like.window_probability).copy(data=np.stack(last))
    at_leads = held.broadcast_like(like.probability)
    yield "persistence", sums(at_leads, held, came, ever, nothing)


def blurred(ensemble: Ensemble, width: float) -> Ensemble:
    """Its members after a Gaussian, of what is known."""
    bare = ensemble.values.to_numpy()
    known = np.isfinite(bare)
    sigma = (0, 0, width, width)
    total = gaussian_filter(np.where(known, bare, 0.0), sigma)
    share = gaussian_filter(known.astype(np.float32), sigma)
    values = np.where(known, total / np.maximum(share, 1e-6), np.nan)
    made = ensemble.values.copy(data=values.astype(np.float32))
    return Ensemble(ensemble.dataset.assign(rain_rate=made))


def sums(chance, window, came, ever, scored) -> xr.Dataset:
    """Sums of the scores of probabilities, by hazard."""
    parts = []
    for number in range(len(HAZARDS)):
        one, other = chance[number].drop_vars("hazard"), window[number]
        truth = one.copy(data=came[number])
        by_lead = probability_sums(one, truth, bins=20)
        grains = granularity_sums(one)
        whole = probability_sums(
            other.drop_vars("hazard"),
            other.drop_vars("hazard").copy(data=ever[number]),
            bins=20,
        )
        parts.append(
            xr.merge(
                [
                    by_lead.sum("lead"),
                    grains.sum("lead"),
                    whole.rename({k: f"window_{k}" for k in whole.data_vars}),
                ],
                combine_attrs="drop_conflicts",
            )
        )
    made = xr.concat(parts, "hazard").assign_coords(hazard=list(HAZARDS))
    return made.merge(scored)


def climatology(others: Catalog, leads: int) -> np.ndarray:
    """How often each hazard was on the other days, at a lead and in a window."""
    found = np.zeros((len(HAZARDS), 2, 2))
    for event in others:
        frames = event["rain_rate"].load()
        for start in range(0, frames.sizes["time"] - leads, leads):
            part = frames[start + 1 : start + 1 + leads]
            lead = part.time - frames.time[start]
            part = part.rename(time="lead").assign_coords(lead=lead.to_numpy())
            hazards = tuple(Hazard.parse(name) for name in HAZARDS)
            came, ever = occurred(
                part, part, hazards, Means(), frames[start].to_numpy()
            )
            for number in range(len(HAZARDS)):
                for slot, values in enumerate((came[number], ever[number])):
                    known = ~np.isnan(values)
                    found[number, slot] += values[known].sum(), known.sum()
    return found[..., 0] / np.maximum(found[..., 1], 1)


def pooled(folder: Path) -> dict[str, xr.Dataset]:
    """Sums of each recipe over all tests."""
    found: dict[str, list[xr.Dataset]] = {}
    for path in sorted(folder.glob("*.nc")):
        with xr.open_dataset(path, engine="h5netcdf") as opened:
            held = opened.load()
        found.setdefault(held.attrs["recipe"], []).append(held)
    return {
        name: xr.concat(found[name], "test").sum("test", keep_attrs=True)
        for name in RECIPES
        if name in found
    }


def report(folder: Path) -> str:
    """Tables of what there is."""
    lines = []
    for recipe, total in pooled(folder).items():
        lines += [f"\n### {recipe}\n", f"{total.attrs['about']}\n"]
        lines += [
            "| hazard | forecast | Brier skill to climatology | to persistence | "
            "reliability term | resolution term | window: to climatology | "
            "granularity of the map |",
            "|---|---|---|---|---|---|---|---|",
        ]
        scores = probability_scores(total[list(PARTS)])
        window = probability_scores(
            total[list(WINDOW)].rename({f"window_{k}": k for k in PARTS})
        )
        grain = granularity_score(total)
        for hazard in HAZARDS:
            for name in map(str, total.forecast.values):
                at = {"hazard": hazard, "forecast": name}
                base = {"hazard": hazard, "forecast": "climatology"}
                last = {"hazard": hazard, "forecast": "persistence"}
                brier = float(scores.brier.sel(at))
                ever = float(window.brier.sel(at)) / float(window.brier.sel(base))
                lines.append(
                    f"| {hazard} | {name} | "
                    f"{1 - brier / float(scores.brier.sel(base)):.3f} | "
                    f"{1 - brier / float(scores.brier.sel(last)):.3f} | "
                    f"{float(scores.brier_reliability.sel(at)):.5f} | "
                    f"{float(scores.brier_resolution.sel(at)):.5f} | "
                    f"{1 - ever:.3f} | {kilometres(grain.sel(at))} |"
                )
        told = total.sel(forecast=total.crps_pairs > 0)
        crps, resolved = crps_score(told), resolution_score(told)
        lines += ["", "| forecast | CRPS | members resolve |", "|---|---|---|"]
        for name in map(str, crps.forecast.values):
            lines.append(
                f"| {name} | {float(crps.sel(forecast=name)):.4f} mm/h | "
                f"{kilometres(resolved.sel(forecast=name))} |"
            )
    return "\n".join(lines)


def kilometres(length: xr.DataArray) -> str:
    """A length, or a dash where nothing has one."""
    return f"{float(length):.1f} km" if np.isfinite(length) else "-"


def draw(folder: Path, path: Path) -> None:
    """Reliability diagrams before and after, a row for each recipe."""
    import matplotlib.pyplot as plt

    runs = pooled(folder)
    figure, grid = plt.subplots(
        len(runs),
        len(HAZARDS),
        figsize=(3.4 * len(HAZARDS), 3.3 * len(runs)),
        squeeze=False,
        sharex=True,
        sharey=True,
        layout="constrained",
    )
    for row, (recipe, total) in zip(grid, runs.items(), strict=True):
        diagram = reliability_scores(total[list(PARTS)])
        for ax, hazard in zip(row, HAZARDS, strict=True):
            ax.plot([0, 1], [0, 1], color="0.6", lw=1, ls="--")
            for name, (color, width) in LINES.items():
                one = diagram.sel(hazard=hazard, forecast=name)
                # of fewer pixels than these a point says nothing
                one = one.where(one["count"] >= 200).dropna("bin")
                ax.plot(
                    one.forecast_probability,
                    one.observed_frequency,
                    "o-",
                    color=color,
                    ms=width + 2,
                    lw=width,
                    label=name,
                )
            ax.set_title(f"{recipe}: {hazard}", fontsize=9, loc="left")
            ax.set(xlim=(0, 1), ylim=(0, 1))
        row[0].set_ylabel("observed frequency")
    for ax in grid[-1]:
        ax.set_xlabel("forecast probability")
    grid[0, 0].legend(frameon=False)
    figure.savefig(path)


if __name__ == "__main__":
    main()
