"""What a training step of the recurrent networks is made of, and its arithmetic."""

import time
from collections.abc import Callable
from typing import Any

import torch
from published import Published, published
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from stormfusion.nn import NETWORKS, MotionRNN, Recurrent, TrajGRU
from stormfusion.nn.teaching import Teacher

NAMES = ("convlstm", "trajgru", "predrnn", "mim", "motionrnn")
HISTORY, LEADS = 10, 10
FRAMES = HISTORY + LEADS - 1
"""Frames that a network is trained to tell: all but the first."""
SMALL = 16
"""Pixels, in each direction, on which arithmetic is counted."""

Step = Callable[[], Tensor]


def spec_of(name: str, hidden: int, *, checkpoint: bool = False) -> Recurrent:
    """A network of a width, on every pixel as published."""
    kind = NETWORKS[name]
    assert issubclass(kind, Recurrent)
    return kind(hidden=hidden, patch=1, checkpoint=checkpoint)


def made(name: str, whose: str, hidden: int) -> nn.Module:
    """A network with fresh weights: ours, the same checkpointed, or as published."""
    torch.manual_seed(0)
    spec = spec_of(name, hidden, checkpoint="checkpoint" in whose)
    sizes = {"channels": 1, "history": HISTORY, "leads": LEADS}
    if whose == "published":
        return Published(published(spec), **sizes)
    module = spec.build(**sizes)
    for weight in module.parameters():
        if weight.ndim == 4:
            # as a training lays them out
            weight.data = weight.data.contiguous(memory_format=torch.channels_last)
    return module


def storms(batch: int, size: int, device: str) -> Tensor:
    """Rain that moves and grows: `(batch, frame, y, x)`, network numbers."""
    generator = torch.Generator().manual_seed(1)
    place = torch.linspace(0.0, 1.0, size)
    frames = torch.zeros(batch, HISTORY + LEADS, size, size)
    for case in range(batch):
        for _ in range(4):
            y, x, v, u, width, growth = torch.rand(6, generator=generator).tolist()
            for at in range(HISTORY + LEADS):
                down = place - y - 0.02 * (v - 0.5) * at
                along = place - x - 0.02 * (u - 0.5) * at
                far = down[:, None].square() + along.square()
                peak = 0.5 + 0.01 * (growth - 0.5) * at
                blob = peak * torch.exp(-far / (0.05 + 0.1 * width) ** 2)
                frames[case, at] = torch.maximum(frames[case, at], blob)
    return frames.to(device)


def stepping(
    module: nn.Module, frames: Tensor, *, precision: str, compiled: bool = False
) -> Step:
    """One step of the optimizer on the same batch, from the frames to the weights."""
    module = module.to(frames.device).train()
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3)
    past, wanted = frames[:, :HISTORY, None], frames[:, 1:]
    teacher = Teacher.silent(past, leads=LEADS)
    given: dict[str, Any] = (
        {} if isinstance(module, Published) else {"teacher": teacher}
    )
    model = torch.compile(module) if compiled else module
    kind = frames.device.type

    def step() -> Tensor:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(kind, dtype=torch.bfloat16, enabled=precision == "bf16"):
            told = model(past, **given)
        loss = (told.float() - wanted).square().mean()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def convolving(size: int, batch: int, *, precision: str, device: str) -> Step:
    """The convolution of a layer of 64 channels, 64 to 256, and both its gradients."""
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    given: dict[str, Any] = {"device": device, "dtype": dtype}
    layer = nn.Conv2d(64, 256, 3, padding=1, bias=False, **given)
    layer = layer.to(memory_format=torch.channels_last)
    field = torch.randn(batch, 64, size, size, **given)
    field = field.contiguous(memory_format=torch.channels_last).requires_grad_()
    down = torch.ones(batch, 256, size, size, **given)
    down = down.contiguous(memory_format=torch.channels_last)

    def step() -> Tensor:
        layer.weight.grad = field.grad = None
        layer(field).backward(down)
        return down[0, 0, 0, 0]

    return step


def convolution_flops(size: int, batch: int) -> float:
    """Floating-point operations of `convolving`: forward, and twice as many back."""
    return 3 * 2 * 9 * 64 * 256 * float(size * size * batch)


def clocked(step: Step, device: str) -> float:
    """Seconds of one step."""
    began = time.perf_counter()
    step()
    if device != "cpu":
        torch.accelerator.synchronize()
    return time.perf_counter() - began


# -------------------------------------------------------------------- the arithmetic


def published_flops(spec: Recurrent, size: int, batch: int) -> float:
    r"""
    Operations of the convolutions of a training step, as published.

    $$2 \cdot 19 \cdot B H W \left[3 (2 C + L M) - 2 U\right]$$

    The gradients by fields and by weights cost as much as the forecast does, each; a
    product and its sum are two. The embedding and the head take $C$ products a pixel
    each. Products $U$ are of what is not used and has no gradient: what changes and
    stays in the lowest layer of MIM, and the flow of the highest of MotionRNN. The
    products $M$ of a layer of width $C$ with a kernel of $K = k^2$ pixels are

    * of ConvLSTM $8 K C^2$: four gates of input and output;
    * of TrajGRU $3 K C^2$ of the input, $25 (2 C + 2 n) F$ for the $n$ flows by way of
      $F$ channels, and $3 n C^2$ to put together what they bring;
    * of PredRNN $(8 + 6 + 2) K C^2 + 2 C^2$: its own gates, those of the shared memory,
      the output gate of both memories, and their mixture;
    * of MIM $(6 + 2 + 8 + 1) K C^2$ more: what changes with its output gate, and what
      stays with its own;
    * of MotionRNN also, at half the resolution, $C^2$ to encode, $3 \cdot 18 (C / 4 +
      18)$ of gates, $9 C / 4$ of the mask, $9 C^2 / 16$ to narrow and $4 C^2$ to
      decode, and $2 C^2$ of a gate at the full one.
    """
    C, K = spec.hidden, spec.kernel**2
    st_lstm = 16 * K * C**2 + 2 * C**2
    M: float = 8 * K * C**2 if spec.name == "convlstm" else st_lstm
    U: float = 0
    if isinstance(spec, TrajGRU):
        n, F = spec.links, spec.flow_hidden
        M = 3 * K * C**2 + spec.flow_kernel**2 * (2 * C + 2 * n) * F + 3 * n * C**2
    if spec.name in ("mim", "motionrnn"):
        U = 17 * K * C**2
        M = st_lstm + U
    if isinstance(spec, MotionRNN):
        half = C**2 + 3 * 18 * (C / 4 + 18) + 9 * C / 4 + 9 * C**2 / 16 + 4 * C**2
        M, U = M + half / 4 + 2 * C**2, U + half / 4 + 2 * C**2
    products = 3 * (2 * C + spec.layers * M) - 2 * U
    return 2 * FRAMES * float(batch * size * size) * products


def counted_flops(name: str, whose: str, hidden: int, size: int, batch: int) -> float:
    """Operations of the convolutions of a training step, counted as they are done."""
    step = stepping(made(name, whose, hidden), storms(1, SMALL, "cpu"), precision="")
    with FlopCounterMode(display=False) as counter:
        step()
    return float(counter.get_total_flops()) * batch * (size / SMALL) ** 2
