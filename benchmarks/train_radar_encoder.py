"""
Train the radar encoder that ships with the library, and compare what it could be.

Learns from MRMS (NOAA, public domain), FMI and DWD (CC BY 4.0) radar and from synthetic
storms; the south quarter of every map is held out, and on it the encoders are compared:
weights at random, the lag between two frames (AtmoDist) and contrast (SimCLR).
"""

import argparse
import os
import platform
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from scipy.ndimage import gaussian_filter, shift

from stormfusion import Catalog
from stormfusion.data.scaling import scaling_for
from stormfusion.nn import RadarEncoder

SEQUENCES = {
    "mrms_20190610_conus_east": 20,
    "fmi_20160928": 10,
    "dwd_radolan_ry_20210823": 6,
}
"""Files, and how many pieces of 512 x 512 pixels are cut from each."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, type=Path, help="folder of sequences")
    parser.add_argument("--objective", default="contrast", choices=("lag", "contrast"))
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, help="where to write the weights")
    settings = parser.parse_args()
    learned, held_out = catalogs(settings.data)
    encoder = RadarEncoder.fit(
        learned,
        validation=held_out,
        objective=settings.objective,
        steps=settings.steps,
        seed=settings.seed,
        device=settings.device,
    )
    print(
        f"{settings.objective}, {settings.steps} steps, seed {settings.seed}, "
        f"{platform.machine()} with {os.cpu_count()} cores, torch {torch.__version__}"
    )
    print(encoder.notes)
    maps = list(fields(held_out))
    for depth, line in enumerate(scored(encoder, maps)):
        print(f"depth {depth + 1 if depth < 4 else 'all'}: {line}")
    if settings.out is not None:
        print(f"{encoder.save(settings.out)}: SHA-256 of the weights {encoder.digest}")


def catalogs(folder: Path) -> tuple[Catalog, Catalog]:
    """What is learned from, and the south quarters, held out."""
    parts: tuple[list[Catalog], list[Catalog]] = ([], [])
    for name, count in SEQUENCES.items():
        with xr.open_dataset(folder / f"{name}.nc") as opened:
            dataset = opened.load()
        line = dataset.sizes["y"] * 3 // 4
        # row 0 is in the north in all of them
        pieces = (dataset.isel(y=slice(line)), dataset.isel(y=slice(line, None)))
        for part, piece, most in zip(parts, pieces, (count, 3), strict=True):
            size = min(512, piece.sizes["y"], piece.sizes["x"])
            where = "north" if part is parts[0] else "south"
            prefix = f"{name}-{where}"
            cut = Catalog.from_xarray(piece, size=size, events=most, prefix=prefix)
            part.append(cut)
    synthetic = Catalog.synthetic(events=14, size=384, seed=1, variables=["vil"])
    parts[0].append(synthetic[:12])
    parts[1].append(synthetic[12:])
    return together(parts[0]), together(parts[1])


def together(catalogs: list[Catalog]) -> Catalog:
    found = catalogs[0]
    for other in catalogs[1:]:
        found = found | other
    return found


def fields(catalog: Catalog) -> Iterator[np.ndarray]:
    """Network numbers of 128 x 128 pixels with rain."""
    rng = np.random.default_rng(0)
    for event in catalog:
        variable = event.variables[0]
        values = event[variable].isel(time=slice(None, None, 9)).values
        for frame in scaling_for(variable).normalize(values.astype(np.float32)):
            number = np.nan_to_num(frame)
            for _ in range(20):
                y, x = (int(rng.integers(n - 127)) for n in number.shape)
                piece = number[y : y + 128, x : x + 128]
                if (piece > 0.3).mean() > 0.15:
                    yield piece
                    break


def scored(encoder: RadarEncoder, maps: list[np.ndarray]) -> list[str]:
    """What each depth, and all of them together, tells of displacement and blur."""
    ratios: dict[int, list[np.ndarray]] = {2: [], 4: []}
    rising: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for field in maps:
        for apart, found in ratios.items():
            moved = shift(field, (0, apart), order=1, mode="nearest")
            smooth = blurred(field, float(((moved - field) ** 2).mean()))
            if smooth is not None:
                far, near = (distances(encoder, x, field) for x in (smooth, moved))
                found.append(far / near)
        blur = [gaussian_filter(field, width) for width in (0.5, 1, 2, 4, 8)]
        away = [
            shift(field, (0, width), order=1, mode="nearest")
            for width in (1, 2, 4, 8, 16)
        ]
        for kept, changed in zip(rising, (blur, away), strict=True):
            steps = [distances(encoder, other, field) for other in changed]
            kept.append(np.all([b > a for a, b in pairwise(steps)], axis=0))
    lines = []
    for depth in range(len(encoder.widths) + 1):
        words = []
        for apart, found in ratios.items():
            ratio = np.array(found)[:, depth]
            mean = np.exp(np.log(ratio).mean())
            words.append(f"{apart} px: {mean:.2f} ({(ratio > 1).mean():.0%} above 1)")
        up = [f"{np.mean(kept, axis=0)[depth]:.0%}" for kept in rising]
        lines.append(
            f"blurred / displaced of equal MSE, {', '.join(words)}; rising with blur "
            f"{up[0]}, with displacement {up[1]} ({len(maps)} maps)"
        )
    return lines


def blurred(field: np.ndarray, mse: float) -> np.ndarray | None:
    """The map blurred until it is that far, None if no blur is."""
    low, high = 0.05, 40.0
    if ((gaussian_filter(field, high) - field) ** 2).mean() < mse:
        return None
    for _ in range(25):
        middle = (low + high) / 2
        found = gaussian_filter(field, middle)
        low, high = (
            (middle, high) if ((found - field) ** 2).mean() < mse else (low, middle)
        )
    return found


def distances(encoder: RadarEncoder, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Squared distance at each depth, and as a whole."""
    both = torch.from_numpy(np.stack([one, other])).float()
    with torch.no_grad():
        found = [
            float((features[0] - features[1]).square().mean() / 2)
            for features in encoder(both)
        ]
        valid = torch.ones(1, 1, *one.shape, dtype=torch.bool)
        total, pixels = encoder.distance(both[:1, None], both[1:, None], valid)
    return np.array([*found, float(total / pixels)])


if __name__ == "__main__":
    main()
