"""Rain that moves along paths known exactly: what is there was where a while before."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import Module

Array: TypeAlias = NDArray[np.float64]

Back: TypeAlias = Callable[[float, Array, Array], tuple[Array, Array]]
"""Where what is at y, x was some frames before."""


def translation(down: float, along: float) -> Back:
    """All moves alike [pixels per frame]."""
    return lambda time, y, x: (y - time * down, x - time * along)


def rotation(angle: float, y0: float, x0: float) -> Back:
    """A solid turns about a place, from the rows to the columns [radians per frame]."""

    def back(time: float, y: Array, x: Array) -> tuple[Array, Array]:
        c, s = np.cos(angle * time), np.sin(angle * time)
        return y0 + c * (y - y0) + s * (x - x0), x0 - s * (y - y0) + c * (x - x0)

    return back


def shear(rate: float, y0: float, along: float = 0.0) -> Back:
    """Rows move along the columns, the faster the further down [pixels per frame]."""
    return lambda time, y, x: (y + 0 * x, x - time * (along + rate * (y - y0)))


def places(shape: tuple[int, int]) -> tuple[Array, Array]:
    """Rows and columns of the pixels."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float64)
    return y, x


def texture(
    y: Array,
    x: Array,
    *,
    seed: int = 0,
    waves: tuple[float, float] = (8.0, 48.0),
    dry: float = -0.5,
) -> Array:
    """
    Showers at any place, as network numbers of up to about 0.8.

    They are what a sum of plane waves of random directions has above `dry` standard
    deviations; the length of the `waves` is between two bounds [pixels], and the long
    ones are the strong ones. Known everywhere, it is interpolated nowhere.
    """
    rng = np.random.default_rng(seed)
    total, power = np.zeros(np.broadcast_shapes(y.shape, x.shape)), 0.0
    for _ in range(40):
        length = np.exp(rng.uniform(*np.log(waves)))
        turn, phase = rng.uniform(0, 2 * np.pi, 2)
        across = np.sin(turn) * y + np.cos(turn) * x
        total += length * np.cos(2 * np.pi * across / length + phase)
        power += length**2 / 2
    return 0.25 * np.clip(total / np.sqrt(power) - dry, 0.0, None)


def frames_of(
    back: Back,
    shape: tuple[int, int],
    *,
    count: int = 3,
    interval: float = 1.0,
    growth: float = 0.0,
    seed: int = 0,
    waves: tuple[float, float] = (8.0, 48.0),
    dry: float = -0.5,
) -> Tensor:
    """
    Frames of showers that move, `(time, y, x)`; the last one is the texture itself.

    They grow by a share of the last frame from one to the next; some frames of the
    motion pass in an `interval`.
    """
    y, x = places(shape)
    made = []
    for step in range(1 - count, 1):
        field = texture(*back(interval * step, y, x), seed=seed, waves=waves, dry=dry)
        made.append((1 + growth * step) * field)
    return torch.tensor(np.stack(made), dtype=torch.float32)


def motion_of(back: Back, shape: tuple[int, int], time: float = 1.0) -> Tensor:
    """How far each pixel came in some frames, `(2, y, x)` [pixels]."""
    y, x = places(shape)
    from_y, from_x = back(time, y, x)
    return torch.tensor(np.stack((y - from_y, x - from_x)), dtype=torch.float32)


def velocity_of(back: Back, shape: tuple[int, int]) -> Tensor:
    """The steady velocity at each pixel, `(2, y, x)` [pixels per frame]."""
    y, x = places(shape)
    before, after = back(1e-4, y, x), back(-1e-4, y, x)
    speed = (np.stack(after) - np.stack(before)) / 2e-4
    return torch.tensor(speed, dtype=torch.float32)


def error_of(found: Tensor, true: Tensor, where: Tensor | None = None) -> float:
    """Root mean square error of a motion, as a share of that of the motion itself."""
    wrong, size = (found - true).square().sum(-3), true.square().sum(-3)
    if where is not None:
        wrong, size = wrong[where], size.expand_as(where)[where]
    return float((wrong.mean() / size.mean()).sqrt())


def sees_these_alone(module: Module, past: Tensor, other: Tensor) -> None:
    """A forecast changes neither with frames before, nor with further channels."""
    noise = torch.rand(*past.shape[:2], 2, *past.shape[3:])
    wanted = module(past)
    for same in (other, torch.cat((past, noise), 2), past[:, 1:]):
        torch.testing.assert_close(module(same), wanted, rtol=0, atol=0, equal_nan=True)
