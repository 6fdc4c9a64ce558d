"""The recurrent networks beside the arithmetic of their publications."""

from dataclasses import replace

import pytest
import torch
from tests.nn.recurrent import LARGE, SMALL, called, full, gradients, made, published

from stormfusion.nn import MIM, MotionRNN, Recurrent, parameter_count
from stormfusion.nn.mim import MIMCell
from stormfusion.nn.motionrnn import MotionCell
from stormfusion.nn.teaching import Teacher

COUNTS = {
    "convlstm": 886_465,
    "trajgru": 1_057_213,
    "predrnn": 1_797_505,
    "mim": 3_680_833,
    "motionrnn": 3_780_370,
}
"""Of 3 layers, 64 channels and kernels of 3, for one input channel."""

DEAD = {"mim": 775_488, "motionrnn": 808_667}
"""Of these, parameters that no forecast depends on."""


@pytest.mark.parametrize("spec", LARGE, ids=called)
def test_parameter_counts(spec: Recurrent) -> None:
    shape = {"channels": 1, "history": 10, "leads": 10}
    assert parameter_count(full(spec).build(**shape)) == COUNTS[spec.name]
    lean = COUNTS[spec.name] - DEAD.get(spec.name, 0)
    assert parameter_count(spec.build(**shape)) == lean


@pytest.mark.parametrize("spec", LARGE, ids=called)
def test_which_parameters_never_learn(spec: Recurrent) -> None:
    past = torch.rand(1, 3, 1, 4, 4)
    for form, dead in ((full(spec), DEAD.get(spec.name, 0)), (spec, 0)):
        torch.manual_seed(0)
        module = form.build(channels=1, history=3, leads=2)
        module(past, teacher=Teacher.silent(past, leads=2)).square().sum().backward()
        unused = sum(
            p.numel() if p.grad is None else int((p.grad == 0).sum())
            for p in module.parameters()
        )
        assert unused == dead
        if form == spec:  # processes that train together wait for every gradient
            assert all(p.grad is not None for p in module.parameters())


@pytest.mark.parametrize("merged", [True, False])
@pytest.mark.parametrize("spec", SMALL, ids=called)
def test_the_published_arithmetic(
    spec: Recurrent, merged: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not merged:
        monkeypatch.setattr("stormfusion.nn.cells.Stack.merges", False)
    spec = replace(full(spec), layers=3)
    shape = {"channels": 1, "history": 3, "leads": 3}
    module = made(spec, **shape).double()
    assert module.stack.merges == merged
    plain = published().Published(spec, **shape).double()
    weights = module.stack.state_dict()
    plain.load_state_dict(weights)
    past = torch.rand(2, 3, 1, 8, 6, dtype=torch.float64)
    found = module(past, teacher=Teacher.silent(past, leads=3))
    wanted = plain(past)
    torch.testing.assert_close(found, wanted, atol=1e-13, rtol=0)
    torch.testing.assert_close(module(past), wanted[:, 2:], atol=1e-13, rtol=0)
    weight = torch.randn_like(found)
    (found * weight).sum().backward()
    (wanted * weight).sum().backward()
    expected = gradients(plain)
    for name, gradient in gradients(module.stack).items():
        if gradient is None:
            assert expected[name] is None or not expected[name].any(), name
        else:
            assert expected[name] is not None, name
            torch.testing.assert_close(gradient, expected[name], atol=1e-11, rtol=1e-11)


def leaned(weights: dict[str, torch.Tensor], spec: MIM | MotionRNN) -> dict:
    """The weights of the published form that the lean one has, too."""
    kept = {}
    for name, value in weights.items():
        for layer in range(spec.layers):
            inner = ".base" if isinstance(spec, MotionRNN) else ""
            cell = f"stack.cells.{layer}{inner}."
            if name.startswith(f"{cell}base.of_") and layer:
                kept[name] = value[spec.hidden :]  # no gate that forgets
            elif name.startswith(f"{cell}base."):  # the lowest is an ST-LSTM alone
                kept[name if layer else name.replace(".base", "", 1)] = value
            elif name.startswith(cell) and not layer:
                continue
            elif ".motion." in name and name.startswith(f"stack.cells.{layer}."):
                if layer < spec.layers - 1:
                    kept[name] = value
            elif name.startswith(cell):
                kept[name] = value
        if ".cells." not in name:
            kept[name] = value
    return kept


@pytest.mark.parametrize("spec", SMALL[3:], ids=called)
def test_lean_forms_forecast_and_learn_the_same(spec: MIM | MotionRNN) -> None:
    spec = replace(spec, layers=3)
    whole = made(full(spec)).double()
    lean = made(spec, seed=1).double()
    weights = leaned(whole.state_dict(), spec)
    if isinstance(spec, MotionRNN):
        # of the lowest layer it is the cell inside that is an ST-LSTM alone
        inside = "stack.cells.0.base.base."
        weights = {
            name.replace(inside, "stack.cells.0.base."): value
            for name, value in weights.items()
        }
    lean.load_state_dict(weights)
    past = torch.rand(2, 3, 2, 7, 6, dtype=torch.float64)
    one, other = whole(past), lean(past)
    torch.testing.assert_close(one, other, atol=1e-14, rtol=0)
    one.square().sum().backward()
    other.square().sum().backward()
    for name in ("stack.embed.weight", "stack.head.weight"):
        same = gradients(whole)[name], gradients(lean)[name]
        torch.testing.assert_close(*same, atol=1e-13, rtol=1e-12)
    total, less = (
        sum(p.grad.square().sum() for p in m.parameters() if p.grad is not None)
        for m in (whole, lean)
    )
    torch.testing.assert_close(total, less)


def test_the_cells_are_as_the_papers_say() -> None:
    lowest, *others = (full(MIM()).cell(layer) for layer in range(3))
    assert isinstance(lowest, MIMCell)
    assert lowest.lowest
    assert not any(cell.lowest for cell in others)
    assert parameter_count(MotionRNN().cell(0).motion) == 33_179
    last = MotionRNN().cell(2)
    assert isinstance(last, MotionCell)
    assert last.motion is None
