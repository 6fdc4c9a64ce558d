"""
Footing: memory of a training step, size of the networks, time of an import.

Each figure is measured in a process of its own: the largest resident memory of three
steps at 384 x 384 from 13 to 12 frames with batches of one, as the operating system
counts it, and the fastest of three imports.
"""

import contextlib
import json
import os
import platform
import resource
import subprocess
import sys
import time

NETWORKS = ("unet", "resunet", "conv3d")


def main() -> None:
    print(f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}\n")
    print("| network | parameters | peak memory of training | a step |")
    print("|---|---|---|---|")
    for name in NETWORKS:
        found = json.loads(child("step", name))
        print(
            f"| {name} | {found['parameters']:,} | {found['gigabytes']:.2f} GB | "
            f"{found['seconds']:.2f} s |"
        )
    laps = [json.loads(child("import", "stormfusion")) for _ in range(3)]
    fastest = min(lap["seconds"] for lap in laps)
    print(
        f"\n`import stormfusion`: {fastest:.2f} s, of which torch "
        f"{min(lap['torch'] for lap in laps):.2f} s; matplotlib imported: "
        f"{laps[0]['matplotlib']}"
    )


def child(task: str, name: str) -> str:
    """Run one measurement in a fresh process."""
    command = [sys.executable, __file__, task, name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip().splitlines()[-1]


def step(name: str) -> dict[str, float]:
    """Three training steps of a network, through the library's own engine."""
    from stormfusion import Catalog, Nowcaster
    from stormfusion.nn import parameter_count

    catalog = Catalog.synthetic(2, size=384, frames=25, variables=("vil",))
    train, validation = catalog.split(0.5)
    from stormfusion.data import windows

    windows.window_size.__kwdefaults__["largest"] = 384
    # a limit that ends the first epoch after its third step
    laps: list[float] = []
    import stormfusion.training.step as steps

    plain = steps.Stepper.step

    def counted(self, samples, turn, at, *, measure):
        began = time.perf_counter()
        loss = plain(self, samples, turn, at, measure=measure)
        laps.append(time.perf_counter() - began)
        if len(laps) == 3:
            raise KeyboardInterrupt
        return loss

    steps.Stepper.step = counted
    nowcaster = Nowcaster(name)
    with contextlib.suppress(KeyboardInterrupt):
        nowcaster.fit(train, validation=validation, batch_size=1, progress=False)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    module = Nowcaster(name)
    from stormfusion.data import Task
    from stormfusion.nowcaster import building

    network = building.build(module._network, Task.infer(list(train)), 0)
    unit = 1 if platform.system() == "Darwin" else 1024
    return {
        "parameters": parameter_count(network),
        "gigabytes": peak * unit / 1e9,
        "seconds": min(laps),
    }


def imported() -> dict[str, object]:
    """Import torch, then the library."""
    began = time.perf_counter()
    import torch  # noqa: F401

    torch_seconds = time.perf_counter() - began
    import stormfusion  # noqa: F401

    seconds = time.perf_counter() - began
    matplotlib = "matplotlib" in sys.modules
    return {"seconds": seconds, "torch": torch_seconds, "matplotlib": matplotlib}


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        print(json.dumps(step(sys.argv[2]) if sys.argv[1] == "step" else imported()))
