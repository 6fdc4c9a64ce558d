"""Each cell of a recurrent network, and the description it is made from."""

import json
from dataclasses import asdict, replace
from typing import Any

import pytest
import torch
from tests.nn.recurrent import LARGE, SMALL, called, made
from torch import Tensor
from torch.autograd import gradcheck
from torch.func import functional_call

from stormfusion.nn import (
    MIM,
    NETWORKS,
    ConvLSTM,
    MotionRNN,
    PredRNN,
    Recurrent,
    TrajGRU,
)
from stormfusion.nn.cells import Cell, Seen, Stepped

TINY: list[tuple[Recurrent, int]] = [
    (ConvLSTM(hidden=2), 0),
    (TrajGRU(hidden=2, links=2, flow_hidden=2, flow_kernel=3), 0),
    (PredRNN(hidden=2), 0),
    (MIM(hidden=2), 1),
    (MIM(hidden=2, lean=False), 0),
    (MotionRNN(hidden=4, kernel=1), 1),
]
"""A network, and the layer whose cell is checked."""

DOUBLE = {"dtype": torch.float64}


class Step(torch.nn.Module):
    """A cell from plain tensors to plain tensors: two frames from given states."""

    def __init__(self, cell: Cell) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, frames: Tensor, shared: Tensor, *state: Tensor) -> Tensor:
        ready = self.cell.ready(torch.float64, None)
        seen = Seen(frames[:, 0], frames[:, 1], state or None, shared)
        stepped: Stepped = self.cell(ready, seen)
        seen = Seen(frames[:, 2], frames[:, 0], stepped.state, stepped.shared)
        stepped = self.cell(ready, seen)
        rest = () if stepped.shared is None else (stepped.shared,)
        return torch.cat([tensor.flatten() for tensor in (*stepped.state, *rest)])


@pytest.mark.parametrize(("spec", "layer"), TINY, ids=lambda v: getattr(v, "name", v))
@pytest.mark.parametrize("starts", [True, False])
def test_gradients_of_a_cell(spec: Recurrent, layer: int, starts: bool) -> None:
    """By all that it sees, all that it remembers, and all of its weights."""
    torch.manual_seed(0)
    height, width = (3, 1) if spec.name == "trajgru" else (1, 3)
    step = Step(spec.cell(layer)).double()
    names = list(dict(step.named_parameters()))
    weights = [p.detach().clone().requires_grad_() for p in step.parameters()]
    frames = torch.randn(2, 3, spec.hidden, height, width, **DOUBLE).requires_grad_()
    shared = torch.randn(2, spec.hidden, height, width, **DOUBLE).requires_grad_()
    with torch.no_grad():
        seen = Seen(frames[:, 0], None, None, None)
        first = step.cell(step.cell.ready(torch.float64, None), seen)
    state = [torch.randn_like(s).requires_grad_() for s in first.state]

    def run(frames: Tensor, shared: Tensor, *rest: Tensor) -> Tensor:
        known = dict(zip(names, rest[: len(names)], strict=True))
        return functional_call(step, known, (frames, shared, *rest[len(names) :]))

    inputs = (frames, shared, *weights, *([] if starts else state))
    assert gradcheck(run, inputs, fast_mode=True)


@pytest.mark.parametrize("spec", LARGE, ids=called)
def test_descriptions_are_values_that_json_can_hold(spec: Recurrent) -> None:
    changed = replace(spec, patch=2, checkpoint=True, truncate=5)
    for one in (spec, changed):
        again = NETWORKS[one.name](**json.loads(json.dumps(asdict(one))))
        assert again == one
        assert hash(again) == hash(one)
    assert changed != spec


@pytest.mark.parametrize("make", [type(spec) for spec in LARGE])
@pytest.mark.parametrize(
    ("options", "help_"),
    [
        ({"hidden": 0}, "a hidden that is a whole number above zero, but got 0"),
        ({"layers": 1.0}, "a layers that is a whole number above zero, but got 1.0"),
        ({"kernel": 4}, "an odd kernel, which has a centre, but got 4; take 5"),
        ({"patch": 0}, "a patch that is a whole number"),
        ({"truncate": -1}, "a truncate that is a whole number"),
        ({"checkpoint": "yes"}, r"a checkpoint of True, False .* but got 'yes'"),
        ({"checkpoint": 1}, r"a checkpoint of True, False .* but got 1"),
    ],
)
def test_bad_options(make: type[Recurrent], options: dict, help_: str) -> None:
    with pytest.raises(ValueError, match=f"^{make.__name__} needs {help_}"):
        make(**options)


def test_options_of_one_network() -> None:
    with pytest.raises(ValueError, match=r"a multiple of 4, .* but got 6; take 8"):
        MotionRNN(hidden=6)
    with pytest.raises(ValueError, match="TrajGRU needs a links that is a whole"):
        TrajGRU(links=0)
    with pytest.raises(ValueError, match=r"an odd flow_kernel, .* got 2; take 3"):
        TrajGRU(flow_kernel=2)


def test_the_patch_follows_the_grid_unless_it_is_named() -> None:
    sizes = {(120, 120): 1, (160, 7): 1, (161, 7): 2, (320, 320): 2, (7, 384): 4}
    for size, patch in sizes.items():
        assert PredRNN().sized(*size) == PredRNN(patch=patch)
        assert PredRNN(patch=3).sized(*size) == PredRNN(patch=3)


@pytest.mark.parametrize("spec", SMALL, ids=called)
def test_every_parameter_is_used(spec: Recurrent) -> None:
    module = made(spec, channels=4, history=3, leads=2)
    module(torch.rand(1, 3, 4, 8, 8)).square().sum().backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


@pytest.mark.parametrize("make", [ConvLSTM, PredRNN, MIM, MotionRNN])
def test_a_text_is_neither_true_nor_false(make: Any) -> None:
    with pytest.raises(TypeError, match="needs True or False as its residual, but got"):
        make(residual="no")
    if make in (MIM, MotionRNN):
        with pytest.raises(TypeError, match=f"{make.__name__} .* lean, but got 'no'"):
            make(lean="no")
