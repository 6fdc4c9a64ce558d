"""In what precision a network trains, and on how many devices."""

import os
import time
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import nn

from stormfusion.device import checked_device

if TYPE_CHECKING:
    from lightning_fabric import Fabric


Precision = Literal["bf16-mixed", "32-true"]


def make_fabric(
    device: str = "auto", *, precision: Precision | None = None
) -> "Fabric":
    """
    A Fabric for a device.

    Parameters
    ----------
    device
        As in `checked_device`. Under `torchrun` every process gets its own one.
    precision
        `"bf16-mixed"` or `"32-true"`; the one that the device computes fastest by
        default.
    """
    from lightning_fabric import Fabric

    name = checked_device(device)
    kind, _, index = name.partition(":")
    if precision is None:
        precision = "bf16-mixed" if computes_bfloat16(kind) else "32-true"
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    local = int(os.environ.get("LOCAL_WORLD_SIZE", str(processes)))
    single = index and processes == 1 and kind != "cpu"
    devices: Any = [int(index)] if single else local
    fabric = Fabric(
        accelerator=kind,
        devices=devices,
        num_nodes=max(processes // local, 1),
        strategy="ddp" if processes > 1 else "auto",
        precision=precision,
    )
    if processes > 1:
        fabric.launch()
    return fabric


@cache
def computes_bfloat16(kind: str) -> bool:
    """
    Whether a device convolves clearly faster in bfloat16 than in float32.

    CUDA devices that have it do. Of CPUs some are twice as fast and others four times
    as slow, and their flags do not tell, so it is tried once in a process.
    """
    if kind == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if kind != "cpu":
        return False
    layer = nn.Conv2d(32, 32, 3, padding=1).to(memory_format=torch.channels_last)
    field_ = torch.zeros((2, 32, 96, 96)).to(memory_format=torch.channels_last)
    took = {}
    for dtype in (torch.float32, torch.bfloat16):
        enabled = dtype == torch.bfloat16
        laps = []
        for _ in range(4):
            began = time.perf_counter()
            with torch.autocast("cpu", dtype=dtype, enabled=enabled):
                layer(field_).float().sum().backward()
            laps.append(time.perf_counter() - began)
        took[dtype] = min(laps[1:])
    return took[torch.bfloat16] < 0.8 * took[torch.float32]


def channels_last(network: nn.Module) -> None:
    """Lay the kernels of plane convolutions out as they compute fastest."""
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(
                memory_format=torch.channels_last
            )
