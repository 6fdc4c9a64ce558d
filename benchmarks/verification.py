"""
Scores beside those of other libraries: the same work, answers compared before times.

Each library has a process of its own, on one core and then on all of them. Time is the
best of three runs after one that is not counted, memory the most that was taken beyond
the input. Where the answers differ the difference is printed, and the reason stands in
the docs of the scores.
"""

import argparse
import contextlib
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr
from scipy.ndimage import gaussian_filter
from skill import machine

THRESHOLDS = [0.5, 1.0, 2.0, 5.0, 10.0, 20.0]
SCALES = [1, 5, 9, 17, 33, 65]
CODES = [16, 74, 133, 160, 181, 219]
Task = Callable[[], np.ndarray]


def rain(*shape: int, seed: int = 0) -> np.ndarray:
    """Fields like rain: smooth, a third of them wet, with a long tail."""
    fields = np.empty(shape, np.float32)
    for number, place in enumerate(np.ndindex(shape[:-2])):
        rng = np.random.default_rng([seed, number])
        noise = gaussian_filter(rng.normal(size=shape[-2:]), 3.0)
        fields[place] = (np.exp(2.0 * noise / noise.std()) - 2.0).clip(0.0, 200.0)
    return fields


def labelled(f: np.ndarray, o: np.ndarray) -> tuple[xr.DataArray, xr.DataArray]:
    dims = ("time", "lead", "y", "x")[-o.ndim :]
    members = ("member",) * (f.ndim - o.ndim)
    return xr.DataArray(f, dims=(*members, *dims)), xr.DataArray(o, dims=dims)


def crps(who: str) -> Task:
    f, o = rain(50, 12, 384, 384), rain(12, 384, 384, seed=1)
    if who == "ours":
        from stormfusion.verification import crps as score

        forecast, observed = labelled(f, o)
        return lambda: score(forecast, observed, fair=False).values
    if who == "scoringrules":
        import scoringrules

        last = np.ascontiguousarray(np.moveaxis(f, 0, -1))
        del f
        return lambda: scoringrules.crps_ensemble(
            o, last, estimator="qd", backend="numba"
        ).mean((1, 2))
    if who == "scores":
        from scores.probability import crps_for_ensemble

        forecast, observed = labelled(f, o)
        return lambda: (
            crps_for_ensemble(
                forecast, observed, "member", preserve_dims=["lead"]
            ).values
        )
    import properscoring

    return lambda: properscoring.crps_ensemble(o, f, axis=0).mean((1, 2))


def fss(who: str, members: int = 0) -> Task:
    shape = (members,) * bool(members) + (12, 384, 384)
    f, o = rain(*shape), rain(12, 384, 384, seed=1)
    if who == "ours":
        from stormfusion.verification import fss as score

        forecast, observed = labelled(f, o)
        return lambda: (
            score(
                forecast,
                observed,
                threshold=THRESHOLDS,
                scale=SCALES,
                over=observed.dims,
            ).values
        )
    spatial = quietly("pysteps.verification.spatialscores")

    def run() -> np.ndarray:
        found = np.empty((len(THRESHOLDS), len(SCALES)))
        for i, threshold in enumerate(THRESHOLDS):
            for j, scale in enumerate(SCALES):
                state = spatial.fss_init(threshold, scale)
                for ours, theirs in zip(f, o, strict=True):
                    spatial.fss_accum(state, ours, theirs)
                found[i, j] = spatial.fss_compute(state)
        return found

    return run


def ensemble_fss(who: str) -> Task:
    return fss(who, members=20)


def counts(who: str) -> Task:
    rng = np.random.default_rng(0)
    f, o = (rng.integers(0, 255, (200, 12, 384, 384), np.uint8) for _ in range(2))
    if who == "ours":
        from stormfusion.verification import contingency

        forecast, observed = labelled(f, o)
        return lambda: (
            contingency(
                forecast, observed, threshold=CODES, over=observed.dims
            ).hits.values
        )
    scores = quietly("pysteps.verification.detcatscores")

    def run() -> np.ndarray:
        found = []
        for code in CODES:
            state = scores.det_cat_fct_init(code - 1)  # theirs is value > threshold
            scores.det_cat_fct_accum(state, f, o)
            found.append(state["hits"])
        return np.array(found)

    return run


def ranks(who: str) -> Task:
    f, o = rain(20, 12, 384, 384), rain(12, 384, 384, seed=1)
    if who == "ours":
        from stormfusion.verification import rank_histogram

        forecast, observed = labelled(f, o)
        return lambda: (
            rank_histogram(forecast, observed, threshold=0.1, over=observed.dims).values
        )
    scores = quietly("pysteps.verification.ensscores")

    def run() -> np.ndarray:
        state = scores.rankhist_init(20, X_min=0.1)
        scores.rankhist_accum(state, f, o)
        return scores.rankhist_compute(state, normalize=False)

    return run


def spectrum(who: str) -> Task:
    f = rain(12, 384, 384)
    if who == "ours":
        from stormfusion.verification import power_sums

        forecast, observed = labelled(f, f)
        # of forecast and observed: twice the work
        return lambda: power_sums(forecast, observed).power_observed.values
    rapsd = quietly("pysteps.utils.spectral").rapsd
    return lambda: np.array(
        [rapsd(field, fft_method=np.fft) for field in f for _ in range(2)]
    )


def reliability(who: str) -> Task:
    f, o = rain(20, 12, 384, 384), rain(12, 384, 384, seed=1)
    if who == "ours":
        from stormfusion.verification import (
            probability_sums,
            reliability_scores,
            roc_scores,
        )

        forecast, observed = labelled(f, o)

        def run() -> np.ndarray:
            sums = probability_sums(
                forecast, observed, threshold=1.0, over=observed.dims
            )
            reliability_scores(sums)
            return np.array([roc_scores(sums).roc_area.item()])

        return run
    scores = quietly("pysteps.verification.probscores")

    def theirs() -> np.ndarray:
        p = (f >= 1.0).mean(axis=0)
        diagram = scores.reldiag_init(1.0, n_bins=21)
        scores.reldiag_accum(diagram, p, o)
        scores.reldiag_compute(diagram)
        curve = scores.ROC_curve_init(1.0, n_prob_thrs=21)
        scores.ROC_curve_accum(curve, p, o)
        return np.array([scores.ROC_curve_compute(curve, compute_area=True)[2]])

    return theirs


def whole(who: str) -> Task:
    forecast, observed = labelled(rain(50, 12, 384, 384), rain(12, 384, 384, seed=1))
    observed = observed.rename("rain_rate").assign_attrs(units="mm h-1")
    forecast = forecast.rename("rain_rate").assign_attrs(units="mm h-1")
    from stormfusion import verification

    if who == "ours":
        return lambda: (
            verification.verify(
                forecast, observed, thresholds=THRESHOLDS, scales=SCALES, distances=()
            ).crps.values
        )

    def three() -> np.ndarray:
        given = {"threshold": THRESHOLDS}
        verification.contingency(forecast.mean("member"), observed, **given)
        verification.fss(forecast, observed, **given, scale=SCALES)
        return verification.crps(forecast, observed).values

    return three


TASKS = {
    "CRPS, 50 members": (crps, ("scoringrules", "scores", "properscoring")),
    "FSS, 6 thresholds, 6 scales": (fss, ("pysteps",)),
    "FSS of 20 members": (ensemble_fss, ()),
    "counts, 6 thresholds, 200 cases of bytes": (counts, ("pysteps",)),
    "rank histogram, 20 members": (ranks, ("pysteps",)),
    "power spectra of both": (spectrum, ("pysteps",)),
    "reliability and ROC, 20 members": (reliability, ("pysteps",)),
    "verify, 50 members": (whole, ("CRPS, FSS and counts",)),
}
SAME = ("CRPS", "FSS", "counts", "reliability")
"""Tasks whose answers are to be equal."""


def quietly(name: str):
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        __import__(name)
    return sys.modules[name]


def child(task: str, who: str, path: str) -> None:
    warnings.simplefilter("ignore")
    run = TASKS[task][0](who)
    before = resident()
    times = []
    # one run more than are counted; what takes long is not run so often
    while len(times) < (4 if not times or times[0] < 20 else 2):
        start = time.perf_counter()
        answer = run()
        times.append(time.perf_counter() - start)
    times = times[1:]
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    np.save(path, np.asarray(answer))
    print(json.dumps({"seconds": min(times), "megabytes": (most - before) / 2**20}))


def resident() -> float:
    """What is in memory, after what was never needed again has been given back."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def measured(task: str, who: str, cores: set[int]) -> tuple[dict, np.ndarray]:
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "answer.npy")
        environment = os.environ | {
            name: str(len(cores))
            for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "MKL_NUM_THREADS")
        }
        done = subprocess.run(
            [sys.executable, __file__, "--child", task, who, path],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )
        found = json.loads(done.stdout.strip().splitlines()[-1])
        return found, np.load(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--child", nargs=3)
    parser.add_argument("--tasks", nargs="*", default=list(TASKS), choices=TASKS)
    settings = parser.parse_args()
    if settings.child:
        child(*settings.child)
        return
    cores = sorted(os.sched_getaffinity(0))
    print(f"{machine()}\n")
    print("| work | whose | one core | ratio | all cores | ratio | memory |")
    print("|---|---|---|---|---|---|---|")
    for task in settings.tasks:
        rows = {}
        for who in ("ours", *TASKS[task][1]):
            one, answer = measured(task, who, {cores[0]})
            every, _ = measured(task, who, set(cores))
            rows[who] = one["seconds"], every["seconds"], one["megabytes"], answer
        ours = rows["ours"]
        for who, (one, every, memory, answer) in rows.items():
            note = ""
            if who != "ours" and task.startswith(SAME):
                off = np.nanmax(abs(answer - ours[3]))
                note = (
                    "" if off <= 1e-5 * np.nanmax(abs(answer)) else f" ({off:.2g} off)"
                )
            print(
                f"| {task} | {who}{note} | {one:.3f} s | {one / ours[0]:.1f} | "
                f"{every:.3f} s | {every / ours[1]:.1f} | {memory:.0f} MB |",
                flush=True,
            )


if __name__ == "__main__":
    main()
