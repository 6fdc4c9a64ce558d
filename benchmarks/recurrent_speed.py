"""
Time and memory of a training step of the recurrent networks, ours and as published.

A step is forward, backward and the optimizer, from 10 frames to 10, of which all but
the first are told. Beside ours stands `published.py`: the same weights and the same
numbers in the arithmetic of the public implementations. Each configuration is a process
of its own. Those that are compared take turns, step by step, so that a noisy machine is
noisy for all; the time is the least of these steps, *to* the longest, and a ratio of
times is that of the least, with the ratios of single turns in brackets. Memory is the
peak of the process less what it held before the first step; on CUDA the most that torch
had allocated.

*GFLOP/s* are the operations of the published convolutions over the time, whoever took
it, and *done* those that were really computed: ours leave out what is zero or not used,
see `recurrent_work.py`. *Of the best* is the share of *done* in the rate of a layer's
convolution alone (64 to 256 channels, 3 x 3, channels last, with both gradients), which
takes its turn with the rest.

The run of all networks at 64 and 120 pixels takes about an hour on two cores; `--quick`
is for trying the script, and its figures say nothing.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from classical_speed import forget_peak, peak, resident
from recurrent_work import (
    FRAMES,
    NAMES,
    clocked,
    convolution_flops,
    convolving,
    counted_flops,
    made,
    published_flops,
    spec_of,
    stepping,
    storms,
)
from skill import machine

from stormfusion.training.fabric import computes_bfloat16

BEST = "convolution"
PAPER = {"convlstm": "7.77", "predrnn": "16.72", "trajgru": "22.55"}
"""Memory that the paper of the focal frame loss reports at 120 x 120, batch 4 [GB]."""
LARGEST = "33.84 at most"
"""Of its other networks."""


@dataclass(frozen=True)
class Work:
    """What a process does again and again."""

    network: str
    whose: str
    precision: str
    size: int
    batch: int
    hidden: int
    device: str
    threads: int

    def step(self) -> Any:
        """The step, made in this process."""
        if self.whose == BEST:
            given = {"precision": self.precision, "device": self.device}
            return convolving(self.size, self.batch, **given)
        frames = storms(self.batch, self.size, self.device)
        module = made(self.network, self.whose, self.hidden)
        compiled = "compiled" in self.whose
        return stepping(module, frames, precision=self.precision, compiled=compiled)

    def flops(self, *, done: bool) -> float:
        """Operations of a step: those really done, or those of the published form."""
        if self.whose == BEST:
            return convolution_flops(self.size, self.batch)
        if done and self.whose != "published":
            whose, given = self.whose, (self.hidden, self.size, self.batch)
            return counted_flops(self.network, whose, *given)
        spec = spec_of(self.network, self.hidden)
        return published_flops(spec, self.size, self.batch)


# ----------------------------------------------------------------------- the measuring


def child(work: Work) -> None:
    """Make a step for every line that is read, and tell of it."""
    torch.set_num_threads(work.threads)
    step = work.step()
    if work.device == "cpu":
        before = resident()
        forget_peak()
    for line in sys.stdin:
        if line.strip() == "losses":
            print(json.dumps(float(step())), flush=True)
            continue
        seconds = clocked(step, work.device)
        if work.device == "cpu":
            memory = peak() - before
        else:
            memory = torch.cuda.max_memory_allocated()
        print(json.dumps([seconds, memory]), flush=True)


class Process:
    """A child that does its work when it is asked to."""

    def __init__(self, work: Work) -> None:
        names = ("OMP", "MKL", "OPENBLAS")
        environment = {f"{name}_NUM_THREADS": str(work.threads) for name in names}
        self.work = work
        self.running = subprocess.Popen(
            [sys.executable, __file__, "--child", json.dumps(asdict(work))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | environment,
        )

    def ask(self, what: str = "step") -> Any:
        """One more step: its seconds and the memory so far, or its loss; or nothing."""
        assert self.running.stdin is not None
        assert self.running.stdout is not None
        try:
            self.running.stdin.write(f"{what}\n")
            self.running.stdin.flush()
        except BrokenPipeError:
            return None
        answer = self.running.stdout.readline()
        return json.loads(answer) if answer else None

    def end(self) -> None:
        """Let it go."""
        self.running.communicate()


@dataclass(frozen=True, eq=False)
class Found:
    """The steps of a process [s], and its memory [bytes]."""

    work: Work
    laps: np.ndarray
    memory: float

    @property
    def seconds(self) -> float:
        """The least of the steps."""
        return float(self.laps.min())

    def rate(self, *, done: bool) -> float:
        """Operations per second, in thousands of millions."""
        return self.work.flops(done=done) / self.seconds / 1e9


def in_turns(works: Sequence[Work], turns: int) -> list[Found | None]:
    """Steps of all, one after the other, again and again; none of those that failed."""
    processes = [Process(work) for work in works]
    first = [process.ask() for process in processes]  # not counted
    laps: list[list[Any]] = [
        [
            process.ask() if ok else None
            for process, ok in zip(processes, first, strict=True)
        ]
        for _ in range(turns)
    ]
    for process in processes:
        process.end()
    found: list[Found | None] = []
    for work, mine in zip(works, zip(*laps, strict=True), strict=True):
        if any(lap is None for lap in mine):
            found.append(None)
            continue
        seconds = np.array([lap[0] for lap in mine])
        found.append(Found(work, seconds, max(lap[1] for lap in mine)))
    return found


def curve(work: Work, steps: int) -> np.ndarray:
    """The loss of each step of a training on one batch."""
    process = Process(work)
    losses = [process.ask("losses") for _ in range(steps)]
    process.end()
    return np.array(losses, dtype=float)


# ------------------------------------------------------------------------- the tables


def times(one: Found, other: Found) -> str:
    """How many times as long one takes as the other, and that of single turns."""
    each = one.laps / other.laps
    return f"{one.seconds / other.seconds:.2f} ({each.min():.2f} to {each.max():.2f})"


def steps_table(settings: argparse.Namespace, size: int) -> None:
    """A row for each network, precision and arithmetic."""
    print(f"\n### {size} x {size}, batch {settings.batch}\n")
    heads = (
        "network",
        "precision",
        "whose",
        "a step",
        "to",
        "published / this",
        "GFLOP/s",
        "done",
        "of the best",
        "memory",
        "published / this",
        *(("frames/s", "paper, A100") if settings.device == "cuda" else ()),
    )
    header(heads)
    for name in settings.networks:
        for precision in settings.precisions:
            works = [
                work_of(settings, name, whose, precision, size)
                for whose in (*settings.whose, BEST)
            ]
            *rows, best = in_turns(works, settings.turns)
            assert best is not None
            for work, row in zip(works, rows, strict=False):
                print(line(work, row, rows[0], best), flush=True)


def line(work: Work, row: Found | None, theirs: Found | None, best: Found) -> str:
    """What was found of one configuration."""
    cells = [work.network, work.precision, work.whose]
    if row is None:
        return f"| {' | '.join(cells)} | failed |"
    done = row.rate(done=True)
    cells += [f"{row.seconds:.3f} s", f"{row.laps.max():.3f} s"]
    cells.append("" if theirs is None or row is theirs else times(theirs, row))
    cells += [f"{row.rate(done=False):.0f}", f"{done:.0f}"]
    cells += [f"{done / best.rate(done=True):.0%}", f"{row.memory / 1e9:.2f} GB"]
    more = theirs is None or row is theirs
    cells.append("" if more else f"{theirs.memory / row.memory:.2f}")
    if work.device == "cuda":
        cells.append(f"{work.batch * FRAMES / row.seconds:.0f}")
        cells.append(PAPER.get(work.network, LARGEST))
    return f"| {' | '.join(cells)} |"


def best_table(settings: argparse.Namespace, size: int) -> None:
    """The rate of the convolution that all is compared with."""
    print(
        f"\nA convolution of 64 to 256 channels and its gradients, {size} x {size}:\n"
    )
    header(("precision", "GFLOP/s"))
    works = [
        work_of(settings, "", BEST, precision, size)
        for precision in settings.precisions
    ]
    for found in in_turns(works, 3 * settings.turns):
        assert found is not None
        print(f"| {found.work.precision} | {found.rate(done=True):.0f} |", flush=True)


def checkpoint_table(settings: argparse.Namespace, size: int) -> None:
    """What is saved, and lost, by computing again rather than keeping."""
    print(f"\nOurs checkpointed, as a multiple of ours, {size} x {size}, float32:\n")
    header(("network", "time", "memory", "memory kept"))
    for name in settings.networks:
        works = [
            work_of(settings, name, whose, "float32", size)
            for whose in ("ours", "ours, checkpointed")
        ]
        plain, less = in_turns(works, settings.turns)
        if plain is None or less is None:
            print(f"| {name} | failed |", flush=True)
            continue
        print(
            f"| {name} | {times(less, plain)} | {less.memory / plain.memory:.2f} | "
            f"{less.memory / 1e9:.2f} GB |",
            flush=True,
        )


def curves_table(settings: argparse.Namespace, size: int) -> None:
    """Whether training in half precision goes the same way."""
    print(
        f"\nThe loss of {settings.steps} steps on one batch, {size} x {size}, from the "
        "same weights:\n"
    )
    header(("network", "first", "last, float32", "last, bf16", "largest difference"))
    for name in settings.networks:
        exact, rough = (
            curve(work_of(settings, name, "ours", precision, size), settings.steps)
            for precision in ("float32", "bf16")
        )
        apart = np.abs(rough / exact - 1)
        print(
            f"| {name} | {exact[0]:.3e} | {exact[-1]:.3e} | {rough[-1]:.3e} | "
            f"{apart.max():.2%} at step {int(apart.argmax()) + 1} |",
            flush=True,
        )


def header(heads: Sequence[str]) -> None:
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|", flush=True)


def work_of(
    settings: argparse.Namespace, network: str, whose: str, precision: str, size: int
) -> Work:
    return Work(
        network,
        whose,
        precision,
        size,
        settings.batch,
        settings.hidden,
        settings.device,
        settings.threads,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    cuda = torch.cuda.is_available()
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--networks", nargs="*", default=NAMES, choices=NAMES)
    parser.add_argument(
        "--sizes", nargs="*", type=int, help="[pixels], by default 64 and 120"
    )
    parser.add_argument("--batch", type=int, help="by default 1, and 4 on CUDA")
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--turns", type=int, default=5, help="steps that are timed")
    parser.add_argument("--steps", type=int, default=30, help="of the loss curves")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--device", default="cuda" if cuda else "cpu")
    parser.add_argument(
        "--precisions",
        nargs="*",
        choices=("float32", "bf16"),
        help="by default bf16 too, where the device computes it faster than float32",
    )
    parser.add_argument(
        "--compiled", action="store_true", default=cuda, help="torch.compile of ours"
    )
    parser.add_argument("--tables", nargs="*", default=tuple(TABLES), choices=TABLES)
    parser.add_argument("--quick", action="store_true", help="tiny, to try the script")
    settings = parser.parse_args()
    if settings.child:
        child(Work(**json.loads(settings.child)))
        return
    small = settings.device == "cpu"
    settings.batch = settings.batch or (1 if small else 4)
    settings.sizes = settings.sizes or ((64, 120) if small else (120,))
    if settings.quick:
        settings.hidden, settings.sizes, settings.batch = 8, (24,), 1
        settings.turns, settings.steps = 2, 4
        settings.networks = settings.networks[:2]
    if settings.precisions is None:
        both = settings.quick or computes_bfloat16(settings.device)
        settings.precisions = ("float32", "bf16") if both else ("float32",)
    settings.whose = ("published", "ours")
    if settings.compiled:
        settings.whose = (*settings.whose, "ours, compiled")
    torch.set_num_threads(settings.threads)  # as its children do
    print(f"{settings.hidden} channels, least of {settings.turns} steps, {machine()}")
    for table in settings.tables:
        for size in settings.sizes[:1] if table == "curves" else settings.sizes:
            TABLES[table](settings, size)


TABLES = {
    "best": best_table,
    "steps": steps_table,
    "checkpoint": checkpoint_table,
    "curves": curves_table,
}

if __name__ == "__main__":
    main()
