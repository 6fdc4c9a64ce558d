"""Tables and the picture of the runs that focal_frames.py keeps in a folder."""

import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from stormfusion.data.scaling import scaling_for
from stormfusion.plot import canvas
from stormfusion.plot.colors import LINES
from stormfusion.verification import (
    RAIN_WEIGHTS,
    balanced_scores,
    bootstrap,
    categorical_scores,
    gdl_score,
    psnr_score,
    ssim_score,
)

THRESHOLDS = (0.5, 2.0, 5.0, 10.0, 30.0)
WEIGHTS = {
    float(scaling_for("rain_rate").normalize(np.float64(rate))): weight
    for rate, weight in RAIN_WEIGHTS.items()
}
"""What an error weighs, from which network number on."""
SHARED: dict[str, Any] = {"compat": "equals", "join": "exact", "combine_attrs": "drop"}
PLAIN, FOCAL = "bmse+bmae", "ffl"
EVENTS = {"csi": "CSI", "hss": "HSS", "pod": "POD"}
PIXELS = 120 * 120
PAIRS = 2 * 120 * 119
ERRORS = ("mse", "mae", "bmse", "bmae", "gdl")
BY_FRAME = ("frame_error", "frame_pixels", "frame_weight")
LEVEL, DRAWS = 0.9, 1000
SOON, LATE = (f"CSI 5 mm/h, {which} leads" for which in ("first three", "last three"))

Key = tuple[str, str, str, int]
"""Network, loss, sequence and seed of a run."""
Baselines = dict[tuple[str, int], xr.Dataset]
"""By sequence, and windows that are scored at a start."""
Score = Callable[[xr.Dataset], xr.Dataset]


def report(folder: Path) -> str:
    """Tables of all runs in a folder."""
    runs, baselines = read(folder)
    if not runs:
        return "no runs"
    lines = sorted({a for r in runs.values() for a in (r.attrs["machine"],)})
    lines.append(
        f"\nDifferences are of {FOCAL} less {PLAIN} on the same windows; in brackets "
        f"{LEVEL:.0%} of windows drawn anew, in blocks of neighbours, and after them "
        "that of each seed. All errors are of network numbers (70 dBZ is 1), as sums "
        "over a frame of 120 x 120 pixels.\n"
    )
    lines += [f"{PLAIN}, {FOCAL}: difference.\n", *brief_table(runs), ""]
    for name in dict.fromkeys(key[0] for key in runs):
        lines += [f"### {name}\n", *of_network(name, runs, baselines), ""]
    return "\n".join([*lines, *weights_table(runs)])


def read(folder: Path) -> tuple[dict[Key, xr.Dataset], Baselines]:
    """The sums of all runs, and those of the baselines."""
    runs, baselines = {}, {}
    for path in sorted(folder.glob("*.nc")):
        with xr.open_dataset(path, engine="h5netcdf") as opened:
            sums = opened.load()
        a = sums.attrs
        if "network" in a:
            runs[a["network"], a["loss"], a["test"], int(a["seed"])] = sums
        else:
            baselines[a["test"], int(a["windows"])] = sums
    return runs, baselines


# -------------------------------------------------------------------------- the scores


def pooled(sums: xr.Dataset) -> xr.Dataset:
    """Scores of all leads together."""
    return by_lead(sums.sum("lead", keep_attrs=True))


def by_lead(sums: xr.Dataset) -> xr.Dataset:
    """The scores of the sums, each by its name in the tables."""
    found = {}
    events = categorical_scores(sums)
    for name, label in EVENTS.items():
        for threshold in THRESHOLDS:
            score = events[name].sel(threshold=threshold, drop=True)
            found[f"{label} {threshold:g} mm/h"] = score
    errors = {**plain_scores(sums), **balanced_scores(sums), "gdl": gdl_score(sums)}
    found["ssim"] = ssim_score(sums)
    found["psnr"] = psnr_score(sums, data_range=1.0)
    for name in ERRORS:
        found[name] = errors[name] * (PAIRS if name == "gdl" else PIXELS)
    return xr.Dataset(found)


def plain_scores(sums: xr.Dataset) -> dict[str, xr.DataArray]:
    """Both errors, of which alone the sums are kept."""
    pairs = sums["pairs"].where(sums["pairs"] > 0)
    return {
        "mse": sums["squared_error"] / pairs,
        "mae": sums["absolute_error"] / pairs,
    }


def heavy(sums: xr.Dataset) -> xr.Dataset:
    """CSI of 5 mm/h by lead."""
    table = by_lead(sums)
    return table[["CSI 5 mm/h", "mse"]]


def brief(sums: xr.Dataset) -> xr.Dataset:
    """What tells most: light and heavy rain, soon and late."""
    whole = pooled(sums)
    soon, late = (
        pooled(sums.isel(lead=leads))["CSI 5 mm/h"]
        for leads in (slice(0, 3), slice(-3, None))
    )
    found = {row: whole[row] for row in ("CSI 2 mm/h", "CSI 5 mm/h")}
    return xr.Dataset({**found, SOON: soon, LATE: late, "mse": whole["mse"]})


def known_of(name: str, runs: dict[Key, xr.Dataset]) -> list[tuple[str, int]]:
    """Sequences and seeds that a network learned with both losses."""
    return sorted(
        (test, seed)
        for network, loss, test, seed in runs
        if network == name and loss == PLAIN and (name, FOCAL, test, seed) in runs
    )


def brief_table(runs: dict[Key, xr.Dataset]) -> list[str]:
    """A row for each network."""
    rows = ("CSI 2 mm/h", "CSI 5 mm/h", SOON, LATE, "mse")
    lines = [
        f"| network | seeds | {' | '.join(map(shown, rows))} |",
        "|---" * (len(rows) + 2) + "|",
    ]
    for name in dict.fromkeys(key[0] for key in runs):
        if not (known := known_of(name, runs)):
            continue
        both = paired(name, runs, known)
        scores = brief(both.sum("case", keep_attrs=True))
        difference = apart(both, brief)
        cells = []
        for row in rows:
            digits = digits_of(row)
            values = (f"{v:.{digits}f}" for v in scores[row].values)
            change = interval(difference.sel(score=row), digits)
            cells.append(f"{', '.join(values)}: {change}")
        seeds = len({seed for _, seed in known})
        lines.append(f"| {name} | {seeds} | {' | '.join(cells)} |")
    return lines


def of_network(
    name: str, runs: dict[Key, xr.Dataset], baselines: Baselines
) -> list[str]:
    """The tables of one network."""
    known = known_of(name, runs)
    if not known:
        return [f"no run of both losses, {PLAIN} and {FOCAL}"]
    mine = {key: run for key, run in runs.items() if key[0] == name}
    about = {run.attrs["about"] for run in mine.values()}
    if len(about) > 1:
        raise SystemExit(
            f"runs of {name} differ: {'; '.join(sorted(about))}; give each --folder "
            "runs of the same settings"
        )
    both = paired(name, runs, known)
    tests = sorted({test for test, _ in known})
    few = int(next(iter(mine.values())).attrs["windows"])
    beside = xr.concat([baselines[test, few] for test in tests], "case")
    seconds = [
        runs[name, loss, *key].attrs["seconds"]
        for loss in (PLAIN, FOCAL)
        for key in known
    ]
    lines = [
        f"{about.pop()}, {min(seconds) / 60:.1f} to {max(seconds) / 60:.1f} min each, "
        f"seeds {', '.join(map(str, sorted({seed for _, seed in known})))}, "
        f"{both.sizes['case']} windows of {', '.join(tests)}\n",
    ]
    lines += pooled_table(name, runs, known, both, beside)
    lines += ["", *lead_table(both, beside)]
    if len(tests) > 1:
        lines += ["", *sequence_table(name, runs, known)]
    return lines


def paired(
    name: str, runs: dict[Key, xr.Dataset], known: Iterable[tuple[str, int]]
) -> xr.Dataset:
    """Sums of each window of both losses, those of all seeds added up."""
    known = list(known)
    both = []
    for loss in (PLAIN, FOCAL):
        parts = []
        for test in sorted({test for test, _ in known}):
            seeds = [bare(runs[name, loss, *key]) for key in known if key[0] == test]
            parts.append(sum(seeds[1:], start=seeds[0]))
        both.append(xr.concat(parts, "case"))
    return xr.concat(both, "forecast").assign_coords(forecast=[PLAIN, FOCAL])


def bare(sums: xr.Dataset) -> xr.Dataset:
    """Sums that score a forecast, without those by frame."""
    return sums.drop_vars([name for name in (*BY_FRAME, "frame") if name in sums])


def apart(both: xr.Dataset, score: Score) -> xr.Dataset:
    """The difference of the losses and its interval."""
    with warnings.catch_warnings():
        # the heading tells how many windows there are
        warnings.simplefilter("ignore", UserWarning)
        found = bootstrap(both, score, level=LEVEL, samples=DRAWS, against=PLAIN)
    return found.isel(forecast=0)


# -------------------------------------------------------------------------- the tables


def pooled_table(
    name: str,
    runs: dict[Key, xr.Dataset],
    known: list[tuple[str, int]],
    both: xr.Dataset,
    beside: xr.Dataset,
) -> list[str]:
    """Each score of both losses over all leads, and how they differ."""
    scores, others = (
        pooled(sums.sum("case", keep_attrs=True)) for sums in (both, beside)
    )
    difference = apart(both, pooled)
    seeds = []
    for seed in sorted({seed for _, seed in known}):
        single = paired(name, runs, [key for key in known if key[1] == seed])
        found = pooled(single.sum("case", keep_attrs=True))
        seeds.append(found.sel(forecast=FOCAL) - found.sel(forecast=PLAIN))
    columns = ("persistence", "extrapolation")
    lines = [
        f"| score | {' | '.join(columns)} | {PLAIN} | {FOCAL} | difference | by seed |",
        "|---" * 7 + "|",
    ]
    for row in scores:
        digits = digits_of(str(row))
        values = [others[row].sel(forecast=c).item() for c in columns]
        values += [scores[row].sel(forecast=c).item() for c in (PLAIN, FOCAL)]
        cells = [f"{value:.{digits}f}" for value in values]
        cells.append(interval(difference.sel(score=row), digits))
        cells.append(", ".join(f"{seed[row].item():+.{digits}f}" for seed in seeds))
        lines.append(f"| {shown(str(row))} | {' | '.join(cells)} |")
    return lines


def lead_table(both: xr.Dataset, beside: xr.Dataset) -> list[str]:
    """CSI of 5 mm/h at each lead."""
    row = "CSI 5 mm/h"
    ours, theirs = (
        by_lead(s.sum("case", keep_attrs=True))[row] for s in (both, beside)
    )
    difference = apart(both, heavy).sel(score=row)
    leads = ours.lead.values
    lines = [
        f"| {row}, lead | {' | '.join(map(str, leads))} |",
        "|---" * (len(leads) + 1) + "|",
    ]
    for scores in (theirs, ours):
        for forecast in scores.forecast.values:
            values = scores.sel(forecast=forecast).values
            lines.append(f"| {forecast} | {' | '.join(f'{v:.3f}' for v in values)} |")
    cells = [interval(difference.sel(lead=lead), 3) for lead in leads]
    return [*lines, f"| difference | {' | '.join(cells)} |"]


def sequence_table(
    name: str, runs: dict[Key, xr.Dataset], known: list[tuple[str, int]]
) -> list[str]:
    """How the losses differ in each sequence."""
    rows = ("CSI 2 mm/h", "CSI 5 mm/h", "CSI 10 mm/h", "ssim", "mse")
    heads = [f"{shown(row)}, {PLAIN} and {FOCAL}" for row in rows]
    lines = [f"| sequence | {' | '.join(heads)} |", "|---" * (len(rows) + 1) + "|"]
    for test in sorted({test for test, _ in known}):
        both = paired(name, runs, [key for key in known if key[0] == test])
        scores = pooled(both.sum("case", keep_attrs=True))
        cells = [
            ", ".join(f"{v:.{digits_of(row)}f}" for v in scores[row].values)
            for row in rows
        ]
        lines.append(f"| {test} | {' | '.join(cells)} |")
    return lines


def weights_table(runs: dict[Key, xr.Dataset]) -> list[str]:
    """What frames weigh in the focal frame loss, mean over windows."""
    found = frames_of(runs, "frame_weight")
    frames = max((values.frame.values for values in found.values()), key=len)
    lines = [
        "What a frame weighs in the focal frame loss after the training, the mean over "
        "windows, and below it the mean absolute error of the frame in thousandths of "
        "a network number. Frames 1 to 9 were observed, and are reconstructed.\n",
        f"| network | loss | of | {' | '.join(map(str, frames))} |",
        "|---" * (len(frames) + 3) + "|",
    ]
    errors = frames_of(runs, "frame_error")
    for (name, loss), weights in found.items():
        for what, values, digits in (
            ("weight", weights, 2),
            ("error", 1000 * errors[name, loss], 1),
        ):
            cells = values.reindex(frame=frames).values
            row = " | ".join("" if np.isnan(v) else f"{v:.{digits}f}" for v in cells)
            lines.append(f"| {name} | {loss} | {what} | {row} |")
    return lines


def frames_of(
    runs: dict[Key, xr.Dataset], what: str
) -> dict[tuple[str, str], xr.DataArray]:
    """Weight or absolute error by frame, the mean of all runs of a recipe."""
    found = {}
    for recipe in dict.fromkeys(key[:2] for key in runs):
        parts = [run for key, run in runs.items() if key[:2] == recipe]
        joined = xr.concat([part[[*BY_FRAME]] for part in parts], "case")
        if what == "frame_error":
            total = joined.sum("case")
            found[recipe] = total.frame_error / total.frame_pixels
        else:
            found[recipe] = joined[what].mean("case")
    return found


def digits_of(row: str) -> int:
    return 1 if row in ERRORS else 2 if row == "psnr" else 3


def shown(row: str) -> str:
    """A score as the tables call it."""
    names = {"bmse": "B-MSE", "bmae": "B-MAE", "psnr": "PSNR [dB]"}
    return row if row[:3] in EVENTS.values() else names.get(row, row.upper())


def interval(found: xr.Dataset, digits: int) -> str:
    """A difference, and what is likely of it."""
    middle, low, high = (
        f"{found[end].item():+.{digits}f}" for end in ("estimate", "lower", "upper")
    )
    return f"{middle} ({low} to {high})"


# ------------------------------------------------------------------------- the picture


def figure(folder: Path, path: Path) -> None:
    """Draw how far off networks are in each frame, by the loss without its focus."""
    runs, _ = read(folder)
    found = {
        name: values
        for (name, loss), values in frames_of(runs, "frame_error").items()
        if loss == PLAIN
    }
    drawn = canvas.blank(6.4, 4.0)
    ax = drawn.subplots()
    canvas.style(ax, grid=True)
    ax.axvspan(0.5, 9.5, color=canvas.GRID, alpha=0.6, linewidth=0)
    for color, (name, values) in zip(LINES, found.items(), strict=False):
        look: dict[str, Any] = {"color": color, "marker": "o", "markersize": 3.5}
        ax.plot(values.frame, values, label=name, linewidth=1.7, **look)
    ax.set(
        xlim=(0.5, 19.5),
        xticks=range(1, 20, 2),
        xlabel="frame",
        ylabel="mean absolute error [70 dBZ is 1]",
    )
    ax.set_ylim(bottom=0.0)
    for place, words in ((5.0, "observed, reconstructed"), (14.5, "forecast")):
        ax.annotate(
            words,
            (place, 0.02),
            xycoords=("data", "axes fraction"),
            ha="center",
            fontsize=9,
            color=canvas.FAINT,
        )
    ax.legend(frameon=False, fontsize=9, labelcolor=canvas.INK, loc="upper left")
    canvas.heading(ax, f"Mean absolute error by frame, {PLAIN}", width=5.6)
    canvas.finish(drawn, path=path)
