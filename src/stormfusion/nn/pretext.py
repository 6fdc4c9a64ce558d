"""What the radar encoder learns by: the time between two frames, or what belongs."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm

from stormfusion.device import checked_device
from stormfusion.nn.pairs import LAGS, Pairs, PairSource

TEMPERATURE = 0.2
"""Of the similarities that the contrast compares."""
SHIFT = 8
"""Pixels, at most, by which the contrast moves a patch."""


@dataclass(frozen=True)
class Pretext:
    """How an encoder is trained; see `RadarEncoder.fit`."""

    objective: str
    steps: int
    batch_size: int
    patch: int
    time_limit: float | None
    seed: int
    device: str
    progress: bool

    def __post_init__(self) -> None:
        if self.objective not in ("lag", "contrast"):
            raise ValueError(
                f"objective is {self.objective!r}, wanted 'lag' or 'contrast'"
            )
        least = {"steps": 1, "batch_size": 2, "patch": 32, "seed": 0}
        for name, low in least.items():
            value = getattr(self, name)
            whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
            if not whole or value < low:
                raise ValueError(
                    f"{name} is {value!r}, wanted a whole number, {low} or more"
                )
        limit = self.time_limit
        if limit is not None and not (
            isinstance(limit, int | float) and 0 < limit < math.inf
        ):
            raise ValueError(f"time_limit is {limit!r}, wanted seconds above zero")
        object.__setattr__(self, "device", checked_device(self.device))


class _Tail(nn.Module):
    """From the features of two times to the lag between them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.join = nn.Conv2d(3 * channels, 64, 3, padding=1)
        self.shrink = nn.Conv2d(64, 64, 3, stride=2, padding=1)
        self.head = nn.Linear(64, LAGS)
        for layer in (self.join, self.shrink):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

    def forward(self, before: Tensor, after: Tensor) -> Tensor:
        both = torch.cat((before, after, before - after), 1)
        hidden = F.silu(self.shrink(F.silu(self.join(both))))
        logits: Tensor = self.head(hidden.mean((2, 3)))
        return logits


class _Projection(nn.Module):
    """From the features of a patch to where it stands among others."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(2 * channels, 128)
        self.head = nn.Linear(128, 64)

    def forward(self, features: Tensor) -> Tensor:
        pooled = torch.cat((features.mean((2, 3)), features.amax((2, 3))), 1)
        return F.normalize(self.head(F.silu(self.hidden(pooled))), dim=1)


def learn(
    encoder: nn.Module,
    channels: int,
    source: PairSource,
    checked: PairSource,
    task: Pretext,
) -> dict[str, Any]:
    """
    Train an encoder in place.

    Parameters
    ----------
    encoder
        On its device; of its features the last are used, which have some `channels`.
    channels
        Their number.
    source, checked
        What to learn from, and what to measure the objective on.
    task
        How.

    Returns
    -------
    dict
        How it was trained, and how well it meets the objective.
    """
    device = torch.device(task.device)
    tail = _Tail(channels) if task.objective == "lag" else _Projection(channels)
    tail = tail.to(device)
    reached = _train(encoder, tail, source, task, device)
    with torch.no_grad():
        scores = _scores(encoder, tail, checked, task, device)
    return {
        "objective": task.objective,
        "steps": reached,
        "batch_size": task.batch_size,
        "patch": task.patch,
        "seed": task.seed,
        "events": len(source.choices),
        "scored_on": "training" if checked is source else "validation",
        **scores,
    }


def _train(
    encoder: nn.Module,
    tail: nn.Module,
    source: PairSource,
    task: Pretext,
    device: torch.device,
) -> int:
    weights = [*encoder.parameters(), *tail.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=2e-3, weight_decay=1e-3)
    began, step, smooth = time.monotonic(), 0, math.nan
    with tqdm(total=task.steps, disable=not task.progress, desc="encoder") as bar:
        while step < task.steps:
            spent = 0.0
            if task.time_limit is not None:
                spent = (time.monotonic() - began) / task.time_limit
                if spent >= 1:
                    break
            done = max(step / task.steps, spent)
            for group in optimizer.param_groups:
                group["lr"] = 2e-3 * min((step + 1) / 100, _cosine(done))
            loss = _loss(encoder, tail, source.batch(task.batch_size), task, device)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch has no types for it
            nn.utils.clip_grad_norm_(weights, 5.0)
            optimizer.step()
            value = float(loss.detach())
            smooth = value if math.isnan(smooth) else 0.98 * smooth + 0.02 * value
            step += 1
            bar.update()
            bar.set_postfix_str(f"loss {smooth:.3f}", refresh=False)
    return step


def _cosine(done: float) -> float:
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


def _loss(
    encoder: nn.Module,
    tail: nn.Module,
    pairs: Pairs,
    task: Pretext,
    device: torch.device,
) -> Tensor:
    before, after = (part.to(device) for part in (pairs.before, pairs.after))
    if task.objective == "lag":
        before, after = _turned((before, after))
        gain = torch.exp(0.5 * torch.rand(len(before), 1, 1) - 0.25).to(device)
        logits = tail(encoder(before * gain)[-1], encoder(after * gain)[-1])
        return F.cross_entropy(logits, pairs.lag.to(device))
    return F.cross_entropy(*_alike(encoder, tail, before, after))


def _alike(
    encoder: nn.Module, tail: nn.Module, before: Tensor, after: Tensor
) -> tuple[Tensor, Tensor]:
    """How alike each view is to each other one, and which of them is its partner."""
    found = []
    for part in (before, after):
        view = _turned((_moved(part),))[0]
        gain = torch.exp(0.2 * torch.rand(len(view), 1, 1) - 0.1).to(view.device)
        found.append(tail(encoder(view * gain)[-1]))
    return compared(torch.cat(found), TEMPERATURE)


def compared(z: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    r"""
    Similarities of unit vectors, the second half the partners of the first.

    Their cross entropy is the NT-Xent loss of SimCLR,

    $$-\frac{1}{2N} \sum_i \log \frac{\exp(z_i \cdot z_{j(i)} / \tau)}
    {\sum_{k \ne i} \exp(z_i \cdot z_k / \tau)}$$

    Examples
    --------
    >>> z = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    >>> F.cross_entropy(*compared(z, 1.0))
    tensor(0.5514)
    """
    alike = (z @ z.T / temperature).fill_diagonal_(-math.inf)
    partner = torch.arange(len(z), device=z.device).roll(len(z) // 2)
    return alike, partner


def _turned(fields: Sequence[Tensor]) -> list[Tensor]:
    """One of the eight symmetries of the square, the same for all patches."""
    turn, mirror = int(torch.randint(4, ())), bool(torch.rand(()) < 0.5)
    found = [torch.rot90(field, turn, (-2, -1)) for field in fields]
    return [field.flip(-1) for field in found] if mirror else found


def _moved(patches: Tensor) -> Tensor:
    """Each patch cut a little smaller, anywhere."""
    size = patches.shape[-1] - SHIFT
    corners = torch.randint(SHIFT + 1, (len(patches), 2)).tolist()
    return torch.stack(
        [
            p[y : y + size, x : x + size]
            for p, (y, x) in zip(patches, corners, strict=True)
        ]
    )


def _scores(
    encoder: nn.Module,
    tail: nn.Module,
    source: PairSource,
    task: Pretext,
    device: torch.device,
) -> dict[str, float]:
    """How well it is told: a lag out of six, or the partner among all other views."""
    right, near, total, losses = 0, 0, 0, []
    for _ in range(16):
        pairs = source.batch(task.batch_size)
        before, after = (part.to(device) for part in pairs[:2])
        if task.objective == "lag":
            logits = tail(encoder(before)[-1], encoder(after)[-1])
            wanted = pairs.lag.to(device)
        else:
            logits, wanted = _alike(encoder, tail, before, after)
        losses.append(float(F.cross_entropy(logits, wanted)))
        found = logits.argmax(1)
        right += int((found == wanted).sum())
        near += int(((found - wanted).abs() <= 1).sum())
        total += len(found)
    scores = {"loss": sum(losses) / len(losses), "accuracy": right / total}
    return scores | ({"within_one": near / total} if task.objective == "lag" else {})
