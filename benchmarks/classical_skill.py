"""
Skill of nowcasts without training on real radar, beside those of pysteps.

Every sequence of a folder with 18 frames or more is forecast to 60 min from several
times, by ours through `Nowcaster` and by pysteps as its examples do it: Lucas-Kanade on
the last three frames, semi-Lagrangian extrapolation, STEPS and S-PROG. A pixel counts
where both and the observations are known, so both are scored on the same ones.
Reflectivity is compared as rain rate by Marshall and Palmer, below 0.1 mm/h all is dry.

Extrapolation is scored on the whole domain; STEPS, where the domain has more than two
million pixels, on the window of 512 x 512 with the most rain at the start, which is
then all that either sees. pysteps is slow, so its forecasts are kept in a folder.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import peer
import xarray as xr
from classical_scores import CSI, Forecasts, Members, dispersion, tables

from stormfusion import Catalog, Event, Nowcaster
from stormfusion.classical import Extrapolation, Steps
from stormfusion.classical.flow import Method
from stormfusion.classical.scenarios import Texture
from stormfusion.sampling.forecast import rounded
from stormfusion.units import reflectivity_to_rain_rate
from stormfusion.verification import merge

FEWEST = 18
FIRST = 5
"""Frames before the first start, of which both look at the last two."""
LARGE = 2_000_000
"""Pixels above which STEPS gets a window."""

Window = tuple[slice, slice]


@dataclass(frozen=True)
class Sequence:
    """One file: where it is forecast from, and how far."""

    event: Event
    name: str
    variable: str
    count: int
    horizon: float = 60.0
    """How far ahead [min]."""

    @cached_property
    def minutes(self) -> float:
        """Between frames."""
        return float(np.diff(self.event.time[:2])[0] / np.timedelta64(1, "m"))

    @property
    def leads(self) -> int:
        """How many there are to the horizon."""
        return int(self.horizon / self.minutes)

    @property
    def ahead(self) -> np.ndarray:
        """How far each lead is ahead [min]."""
        return self.minutes * np.arange(1, self.leads + 1)

    @property
    def kilometres(self) -> float:
        """Between pixels."""
        return sum(self.event.stored(self.variable).grid.spacing) / 2000

    @property
    def starts(self) -> list[int]:
        """Frames to forecast from, evenly apart, one an hour at least."""
        last = len(self.event.time) - self.leads - 1
        if self.count == 1:
            return [(FIRST + last) // 2]
        count = max(self.count, int((last - FIRST) / self.leads) + 1)
        return sorted(set(np.linspace(FIRST, last, count).astype(int).tolist()))

    def window(self, start: int, size: int) -> Window | None:
        """The square of a size with most pixels of 1 mm/h; none for all there is."""
        height, width = self.event.stored(self.variable).grid.shape
        if size >= max(height, width):
            return None
        now = in_rain(self.event[self.variable][start]) >= 1.0
        size_y, size_x = min(size, height), min(size, width)
        total = np.pad(now, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
        found = total[size_y:, size_x:] - total[:-size_y, size_x:]
        found = found - total[size_y:, :-size_x] + total[:-size_y, :-size_x]
        coarse = found[::16, ::16]
        y, x = (16 * int(i) for i in np.unravel_index(coarse.argmax(), coarse.shape))
        return slice(y, y + size_y), slice(x, x + size_x)

    def frames(self, start: int, window: Window | None) -> xr.DataArray:
        """From those before a start to the last lead."""
        whole = self.event[self.variable]
        rows, columns = window or (slice(None), slice(None))
        times = slice(start - FIRST, start + self.leads + 1)
        return whole.isel(time=times, y=rows, x=columns).load()


def in_rain(values: xr.DataArray | np.ndarray) -> np.ndarray:
    """Rain rate [mm h-1] that both are scored by, 0 below 0.1; NaN stays."""
    bare = np.asarray(values, np.float32)
    if getattr(values, "name", None) == "reflectivity":
        bare = np.asarray(reflectivity_to_rain_rate(bare), np.float32)
    bare = rounded(bare, "rain_rate")
    return np.where(bare < peer.WET, np.float32(0), bare)


def sequences(folder: Path, names: list[str] | None, count: int) -> Iterator[Sequence]:
    """Those that are long enough, and of rain."""
    for path in sorted(folder.glob("*.nc")):
        if names and path.stem not in names:
            continue
        event = Catalog.open(path)[0]
        variable = event.variables[0]
        if variable in ("rain_rate", "reflectivity") and len(event.time) >= FEWEST:
            yield Sequence(event, path.stem, variable, count)


def kept(path: Path, make: Callable[[], Forecasts]) -> Forecasts:
    """Forecasts of pysteps as rain rate [mm h-1], made if they are not there."""
    if not path.exists():
        part = path.with_suffix(".part.npz")
        np.savez_compressed(part, **make())
        part.rename(path)
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def extrapolations(
    sequence: Sequence,
    start: int,
    window: Window | None,
    cache: Path,
    *,
    motion: Method = "lucas-kanade",
) -> tuple[Forecasts, np.ndarray]:
    """Extrapolation of both, and what came."""
    frames = sequence.frames(start, window)
    rain, leads = in_rain(frames), sequence.leads
    nowcaster = Nowcaster(Extrapolation(motion=motion), leads=leads)
    now = frames.time[FIRST].values
    given = sequence.event if window is None else frames.to_dataset()
    ours = nowcaster.predict(given, reference_time=now)

    def theirs() -> Forecasts:
        past = peer.decibels(rain[FIRST - 2 : FIRST + 1])
        found = peer.extrapolated(past[-1], peer.motion(past), leads)
        return {"extrapolation": found.astype(np.float32)}

    path = cache / f"extrapolation-{sequence.name}-{start}-{told(window)}.npz"
    found = {
        "ours": in_rain(ours[sequence.variable]),
        "pysteps": in_rain(peer.rain_rate(kept(path, theirs)["extrapolation"])),
    }
    return found, rain[FIRST + 1 :]


def scenarios(
    sequence: Sequence,
    start: int,
    window: Window | None,
    cache: Path,
    members: int,
    *,
    noise: Texture = "global",
) -> tuple[Forecasts, Forecasts, np.ndarray]:
    """Members of STEPS and S-PROG of both, and what came."""
    frames = sequence.frames(start, window)
    rain, leads = in_rain(frames), sequence.leads
    nowcaster = Nowcaster(Steps(noise=noise), leads=leads)
    now = frames.time[FIRST].values
    given = sequence.event if window is None else frames.to_dataset()
    variable = sequence.variable
    ensemble = nowcaster.ensemble(given, members=members, reference_time=now)
    mean = nowcaster.predict(given, reference_time=now)

    def theirs() -> Forecasts:
        past = peer.decibels(rain[FIRST - 2 : FIRST + 1])
        velocity = peer.motion(past)
        drawn = peer.steps(
            past,
            velocity,
            leads,
            members=members,
            kilometres=sequence.kilometres,
            minutes=sequence.minutes,
        )
        smooth = peer.sprog(past, velocity, leads)
        # half precision of decibels is a fifth of a per cent of a rain rate
        return {"steps": drawn.astype(np.float16), "sprog": smooth.astype(np.float32)}

    path = cache / f"steps{members}-{sequence.name}-{start}-{told(window)}.npz"
    made = kept(path, theirs)
    drawn = {
        "ours": in_rain(ensemble.values.rename(variable)),
        "pysteps": np.stack([in_rain(peer.rain_rate(m)) for m in made["steps"]]),
    }
    smooth = {
        "ours": in_rain(mean[variable]),
        "pysteps": in_rain(peer.rain_rate(made["sprog"])),
    }
    return drawn, smooth, rain[FIRST + 1 :]


def told(window: Window | None) -> str:
    """A window in the name of a file."""
    if window is None:
        return "whole"
    return "-".join(f"{part.start}.{part.stop}" for part in window)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=os.environ.get("STORMFUSION_DATA"))
    parser.add_argument("--sequences", nargs="*")
    parser.add_argument("--members", type=int, default=20)
    parser.add_argument("--starts", type=int, default=4)
    parser.add_argument("--cache", type=Path)
    methods = ("lucas-kanade", "spectral")
    parser.add_argument("--motion", choices=methods, default=methods[0])
    parser.add_argument("--noise", choices=("global", "local"), default="global")
    parser.add_argument("--only", choices=("extrapolation", "steps"))
    parser.add_argument("--quick", action="store_true", help="one start, 256 x 256")
    settings = parser.parse_args()
    if settings.data is None:
        raise SystemExit("name the folder of the sequences with --data")
    count = 1 if settings.quick else settings.starts
    with tempfile.TemporaryDirectory() as temporary:
        cache = settings.cache or Path(temporary)
        cache.mkdir(parents=True, exist_ok=True)
        carried, smooth = CSI(f"Extrapolation, {settings.motion} motion"), CSI("S-PROG")
        members = Members(f"STEPS, {settings.members} members, {settings.noise} noise")
        starts = {}
        for sequence in sequences(Path(settings.data), settings.sequences, count):
            starts[sequence.name] = len(sequence.starts)
            if settings.only != "steps":
                counts = of_extrapolation(sequence, settings, cache)
                carried.add(sequence.name, sequence.ahead, counts)
            if settings.only != "extrapolation":
                drawn, mean = of_steps(sequence, settings, cache)
                members.add(sequence.name, sequence.ahead, drawn)
                smooth.add(sequence.name, sequence.ahead, mean)
    if not starts:
        raise SystemExit(f"found no sequence of {FEWEST} frames in {settings.data}")
    print(f"{peer.about()}\n")
    print("starts: " + ", ".join(f"{name} {n}" for name, n in starts.items()))
    if settings.only != "steps":
        print(carried)
    if settings.only != "extrapolation":
        print(members)
        print(smooth)


def of_extrapolation(
    sequence: Sequence, settings: argparse.Namespace, cache: Path
) -> xr.Dataset:
    """Counts of all starts."""
    found = []
    for start in sequence.starts:
        window = sequence.window(start, 256) if settings.quick else None
        made = extrapolations(sequence, start, window, cache, motion=settings.motion)
        found.append(tables(*made))
        tell(f"{sequence.name}, frame {start}: extrapolation")
    return merge(*found)


def of_steps(
    sequence: Sequence, settings: argparse.Namespace, cache: Path
) -> tuple[xr.Dataset, xr.Dataset]:
    """Sums of the members, and counts of the means, of all starts."""
    drawn, smooth = [], []
    height, width = sequence.event.stored(sequence.variable).grid.shape
    for start in sequence.starts:
        large = height * width > LARGE
        size = 256 if settings.quick else 512 if large else max(height, width)
        window = sequence.window(start, size)
        members, mean, observed = scenarios(
            sequence, start, window, cache, settings.members, noise=settings.noise
        )
        drawn.append(dispersion(members, observed))
        smooth.append(tables(mean, observed))
        tell(f"{sequence.name}, frame {start}: STEPS")
    return merge(*drawn), merge(*smooth)


def tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
