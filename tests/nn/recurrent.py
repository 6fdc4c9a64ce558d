"""The recurrent networks, at sizes that a test has time for."""

import importlib.util
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from stormfusion.nn import MIM, ConvLSTM, MotionRNN, PredRNN, Recurrent, TrajGRU
from stormfusion.nn.recurrent import Rollout

LARGE: list[Recurrent] = [ConvLSTM(), TrajGRU(), PredRNN(), MIM(), MotionRNN()]
SMALL: list[Recurrent] = [
    ConvLSTM(hidden=8, layers=2),
    TrajGRU(hidden=8, layers=2, links=3, flow_hidden=4, flow_kernel=3),
    PredRNN(hidden=8, layers=2),
    MIM(hidden=8, layers=2),
    MotionRNN(hidden=8, layers=2),
]


def called(spec: Recurrent) -> str:
    return spec.name


def full(spec: Recurrent) -> Recurrent:
    """As published."""
    return replace(spec, lean=False) if isinstance(spec, MIM | MotionRNN) else spec


def made(spec: Recurrent, *, seed: int = 0, **shape: int) -> Rollout:
    """Build a network whose flows move things by pixels."""
    torch.manual_seed(seed)
    module = spec.build(**{"channels": 2, "history": 3, "leads": 2, **shape})
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if ".flow" in name or ".renew" in name:
                parameter.mul_(5.0)
    return module


def gradients(module: torch.nn.Module) -> dict[str, Any]:
    return {name: parameter.grad for name, parameter in module.named_parameters()}


def published() -> ModuleType:
    """The benchmarks' networks in plain arithmetic."""
    path = Path(__file__).parents[2] / "benchmarks" / "published.py"
    found = importlib.util.spec_from_file_location("published", path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module
