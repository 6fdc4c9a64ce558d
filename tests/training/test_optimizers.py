"""Descriptions of optimizers: what makes one, what is told of it, what is refused."""

import functools
import json
import math
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import nn

from stormfusion.training import AdamHD, AdamW, HypergradientAdam, Optimizer
from stormfusion.training.optimizers import built, check_optimizer, told
from stormfusion.training.plan import Plan


def parameters() -> list[nn.Parameter]:
    return [nn.Parameter(torch.ones(shape)) for shape in ((3, 2), (2, 1), (4,))]


BAD: list[tuple[str, Any, str]] = [
    ("hypergradient_rate", -1e-7, "0 or more, such as 1e-7"),
    ("hypergradient_rate", math.nan, "0 or more, such as 1e-7"),
    ("hypergradient_rate", "1e-7", "wanted a number"),
    ("weight_decay", -0.1, "0 or more, such as 0.01"),
    ("weight_decay", math.inf, "0 or more, such as 0.01"),
    ("weight_decay", True, "wanted a number"),
    ("betas", (0.9, 1.0), "two numbers, 0 or more and below 1"),
    ("betas", (-0.1, 0.9), "two numbers, 0 or more and below 1"),
    ("betas", (math.nan, 0.9), "two numbers, 0 or more and below 1"),
    ("betas", 0.9, "two numbers"),
    ("bounds", (0.1, 0.9), "multiples of the first rate"),
    ("bounds", (-0.1, 2.0), "multiples of the first rate"),
    ("bounds", (0.1, math.nan), "multiples of the first rate"),
]


@pytest.mark.parametrize(("name", "value", "wanted"), BAD)
def test_options_out_of_range(name: str, value: Any, wanted: str) -> None:
    message = rf"{name} is .*, wanted .*{wanted.removeprefix('wanted ')}"
    makers: list[Any] = [AdamHD, functools.partial(HypergradientAdam, parameters())]
    if name in ("weight_decay", "betas"):
        makers.append(AdamW)
    for make in makers:
        with pytest.raises(ValueError, match=message):
            make(**{name: value})


GROUPS = functools.partial(
    lambda params: [{"params": params[:2]}, {"params": params[2:], "weight_decay": 0.0}]
)


@dataclass(frozen=True)
class Own:
    momentum: float = 0.5

    def build(self, groups: Any, *, lr: float) -> torch.optim.Optimizer:
        return torch.optim.SGD(groups, lr=lr, momentum=self.momentum)


def by_function(groups: Any, *, lr: float) -> torch.optim.Optimizer:
    return torch.optim.SGD(groups, lr=lr)


@pytest.mark.parametrize(
    ("maker", "kind", "decays"),
    [
        (AdamW(), torch.optim.AdamW, [0.01, 0.0]),
        (AdamW(weight_decay=0.3), torch.optim.AdamW, [0.3, 0.0]),
        (AdamHD(), HypergradientAdam, [0.0, 0.0]),
        (AdamHD(weight_decay=0.3), HypergradientAdam, [0.3, 0.0]),
        (Own(), torch.optim.SGD, [0.0, 0.0]),
        (by_function, torch.optim.SGD, [0.0, 0.0]),
        (torch.optim.RAdam, torch.optim.RAdam, [0.0, 0.0]),
        (functools.partial(torch.optim.NAdam, weight_decay=0.2), None, [0.2, 0.0]),
    ],
)
def test_what_makes_an_optimizer(maker: Any, kind: Any, decays: list[float]) -> None:
    check_optimizer(maker)
    assert Plan(optimizer=maker).optimizer is maker
    made = built(maker, GROUPS(parameters()), lr=0.2)
    assert isinstance(made, torch.optim.NAdam if kind is None else kind)
    assert [group["lr"] for group in made.param_groups] == [0.2, 0.2]
    assert [group["weight_decay"] for group in made.param_groups] == decays


def test_descriptions_are_values() -> None:
    assert AdamHD() == AdamHD() != AdamHD(hypergradient_rate=1e-6)
    assert len({AdamW(), AdamW(), AdamHD()}) == 2
    assert isinstance(Own(), Optimizer)
    assert Plan().optimizer == AdamW()


def test_each_is_told_apart_and_alike_in_every_process() -> None:
    makers = (AdamW(), AdamHD(), AdamHD(1e-6), AdamHD(betas=(0.8, 0.9)), Own())
    others = (by_function, torch.optim.SGD, functools.partial(torch.optim.SGD, lr=1))
    words = [told(maker) for maker in (*makers, *others)]
    assert len(set(words)) == len(words)
    assert not any("0x" in word for word in words)
    assert json.loads(json.dumps(words)) == words


@pytest.mark.parametrize(
    ("maker", "error", "message"),
    [
        ("adamhd", TypeError, r"optimizer is 'adamhd', wanted a description such as"),
        (None, TypeError, r"optimizer is None, wanted a description"),
        (AdamHD, TypeError, r"got the class AdamHD, .* write AdamHD\(\)"),
        (nn.Linear, TypeError, r"got the class Linear, wanted a description"),
        (torch.optim.SGD(parameters(), lr=0.1), TypeError, r"SGD that holds parameter"),
        (
            functools.partial(torch.optim.SGD, lr=0.1),
            ValueError,
            r"brings lr=0.1, wanted none; leave it out and give learning_rate=",
        ),
    ],
)
def test_what_makes_none(maker: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Plan(optimizer=maker)


@pytest.mark.parametrize(
    ("maker", "error", "message"),
    [
        (torch.optim.LBFGS, ValueError, r"LBFGS.* failed .*groups of parameters and"),
        (lambda groups: None, TypeError, r"lambda.* failed .*wanted one that is made"),
        (lambda groups, lr: "sgd", TypeError, r"made a str, wanted a torch.optim"),
        (
            functools.partial(torch.optim.SGD, momentum=-1),
            ValueError,
            r"SGD.* failed \(Invalid momentum value: -1\), wanted",
        ),
    ],
)
def test_what_fails_to_make_one(maker: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        built(maker, GROUPS(parameters()), lr=0.1)
