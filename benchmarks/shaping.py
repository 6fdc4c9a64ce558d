"""
What a shaping term adds to the time and the memory of a training step.

Each figure is measured in a process of its own: the median of several steps of `unet`
at 256 x 256 from 13 to 12 frames with batches of one, and the largest resident memory
as the operating system counts it. `vgg` and `lpips` have networks at random: as large
and as slow as those of ImageNet, which cannot be had everywhere.
"""

import json
import resource
import statistics
import subprocess
import sys
import time

from skill import machine

TERMS = ("none", "gdl", "ssim", "perceptual", "perceptual+temporal", "lpips", "vgg")
STEPS = {"vgg": 3}
"""Steps that are timed, where they are not seven."""


def main() -> None:
    print(f"{machine()}\n")
    print("| term | a step | added | peak memory |")
    print("|---|---|---|---|")
    plain = None
    for term in TERMS:
        command = [sys.executable, __file__, term]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found = json.loads(done.stdout.strip().splitlines()[-1])
        plain = found if plain is None else plain
        seconds, gigabytes = found["seconds"], found["gigabytes"]
        added = seconds - plain["seconds"]
        print(
            f"| {term} | {seconds:.2f} s ({seconds / plain['seconds']:.2f}) | "
            f"{added:.2f} s | {gigabytes:.2f} GB "
            f"({gigabytes / plain['gigabytes']:.2f}) |"
        )


def step(terms: str) -> dict[str, float]:
    """Time some steps of the optimizer."""
    import torch

    from stormfusion.losses import LOSSES, LPIPS, MSE, VGG
    from stormfusion.nn import FromMotion, UNet

    random = {"vgg": VGG("random"), "lpips": LPIPS(pnet_rand=True)}
    loss = 1.0 * MSE()
    for name in () if terms == "none" else terms.split("+"):
        loss = loss + 0.01 * (random[name] if name in random else LOSSES[name]())
    torch.manual_seed(0)
    module = FromMotion.around(UNet(), channels=2, history=13, leads=12)
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3)
    past, future = torch.rand(1, 13, 2, 256, 256), torch.rand(1, 12, 256, 256)
    valid = torch.ones_like(future, dtype=torch.bool)
    laps = []
    for _ in range(1 + STEPS.get(terms, 7)):
        began = time.perf_counter()
        value = loss(module(past), future, valid)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        laps.append(time.perf_counter() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 1 if sys.platform == "darwin" else 1024
    seconds = statistics.median(laps[1:])
    return {"seconds": seconds, "gigabytes": peak * unit / 1e9}


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(step(sys.argv[1])))
    else:
        main()
