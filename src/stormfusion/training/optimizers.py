"""Optimizers: frozen descriptions, and what else makes one."""

import functools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch

from stormfusion.training.hypergradient import HypergradientAdam, check_options

Groups = Iterable[dict[str, Any]]
"""Groups of parameters, each with options of its own, as torch takes them."""


@runtime_checkable
class Optimizer(Protocol):
    """
    A description of an optimizer: a frozen value that builds the one of torch.

    What it builds may say `adaptive_rate = True`: then training leaves its learning
    rate alone, with neither warm-up nor decay.

    Examples
    --------
    >>> isinstance(AdamHD(), Optimizer)
    True
    """

    def build(self, groups: Groups, *, lr: float) -> torch.optim.Optimizer:
        """
        Build the optimizer.

        Parameters
        ----------
        groups
            Weights, which may decay, and then all else, which may not: the second
            group says so with a `weight_decay` of 0.
        lr
            The highest learning rate, or where an adaptive one begins.

        Returns
        -------
        Optimizer
            One of torch, over the parameters of both groups.
        """
        ...


Makes = Optimizer | Callable[..., torch.optim.Optimizer]
"""What makes an optimizer: a description, or a callable such as a class of torch."""


@dataclass(frozen=True)
class AdamW:
    """
    Adam with decoupled weight decay; its learning rate rises, then falls as a cosine.

    Parameters
    ----------
    weight_decay
        Share of the learning rate by which weights shrink in a step; biases and
        normalizations do not.
    betas
        Decay of the running means of gradient and squared gradient.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    References
    ----------
    Loshchilov, I., and F. Hutter, 2019: Decoupled weight decay regularization.
    *ICLR 2019*, <https://arxiv.org/abs/1711.05101>.

    Examples
    --------
    >>> weights = torch.nn.Linear(2, 1).parameters()
    >>> AdamW(weight_decay=0.0).build([{"params": weights}], lr=1e-3).defaults["lr"]
    0.001
    """

    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)

    def __post_init__(self) -> None:
        check_options(vars(self))

    def build(self, groups: Groups, *, lr: float) -> torch.optim.Optimizer:
        """Build the optimizer; see `Optimizer.build`."""
        return torch.optim.AdamW(groups, lr=lr, **vars(self))


@dataclass(frozen=True)
class AdamHD:
    """
    Adam with hypergradient descent, which adapts its own learning rate.

    The learning rate of the training is where it begins; there is neither warm-up nor
    decay. `HypergradientAdam` has the formula.

    Parameters
    ----------
    hypergradient_rate
        How fast the rate changes; 0 keeps it. The right one depends on the size of the
        network and the scale of the loss; 1e-7 is that of the paper.
    weight_decay
        As in `AdamW`; 0 as published.
    betas
        Decay of the running means of gradient and squared gradient.
    bounds
        Multiples of the first rate that the rate stays between.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    Examples
    --------
    >>> AdamHD(hypergradient_rate=-1e-7)
    Traceback (most recent call last):
    ValueError: hypergradient_rate is -1e-07, wanted a number, 0 or more, such as 1e-7
    """

    hypergradient_rate: float = 1e-7
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    bounds: tuple[float, float] = (0.01, 100.0)

    def __post_init__(self) -> None:
        check_options(vars(self))

    def build(self, groups: Groups, *, lr: float) -> torch.optim.Optimizer:
        """Build the optimizer; see `Optimizer.build`."""
        return HypergradientAdam(groups, lr, **vars(self))


def check_optimizer(optimizer: Any) -> None:
    """
    Make sure that something can make an optimizer, before there is a network.

    Raises
    ------
    TypeError
        If it cannot.
    ValueError
        If it brings a learning rate of its own.
    """
    wanted = (
        "wanted a description such as AdamHD(), a class such as torch.optim.SGD, or "
        "functools.partial(torch.optim.SGD, momentum=0.9)"
    )
    if isinstance(optimizer, torch.optim.Optimizer):
        raise TypeError(
            f"got a {type(optimizer).__name__} that holds parameters already, {wanted}"
        )
    kind = isinstance(optimizer, type)
    if kind and not issubclass(optimizer, torch.optim.Optimizer):
        if hasattr(optimizer, "build"):
            name = optimizer.__name__
            raise TypeError(f"got the class {name}, wanted one of it; write {name}()")
        raise TypeError(f"got the class {optimizer.__name__}, {wanted}")
    if not hasattr(optimizer, "build") and not callable(optimizer):
        raise TypeError(f"optimizer is {optimizer!r}, {wanted}")
    if isinstance(optimizer, functools.partial) and "lr" in optimizer.keywords:
        raise ValueError(
            f"the optimizer brings lr={optimizer.keywords['lr']!r}, wanted none; leave "
            "it out and give learning_rate="
        )


def built(optimizer: Makes, groups: Groups, *, lr: float) -> torch.optim.Optimizer:
    """
    The optimizer that a description, a class of torch or another callable makes.

    Raises
    ------
    TypeError, ValueError
        If it makes none.

    Examples
    --------
    >>> bias = torch.nn.Parameter(torch.zeros(1))
    >>> made = functools.partial(torch.optim.SGD, momentum=0.9)
    >>> built(made, [{"params": [bias]}], lr=0.1).param_groups[0]["momentum"]
    0.9
    """
    make = optimizer.build if isinstance(optimizer, Optimizer) else optimizer
    wanted = "wanted one that is made of groups of parameters and lr="
    try:
        found = make(groups, lr=lr)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{told(optimizer)} failed ({error}), {wanted}") from error
    if not isinstance(found, torch.optim.Optimizer):
        raise TypeError(
            f"{told(optimizer)} made a {type(found).__name__}, wanted a "
            "torch.optim.Optimizer"
        )
    return found


def told(optimizer: Makes) -> str:
    """
    An optimizer in words, the same in every process.

    Examples
    --------
    >>> told(AdamW())
    'AdamW(weight_decay=0.01, betas=(0.9, 0.999))'
    >>> told(functools.partial(torch.optim.SGD, momentum=0.9))
    "functools.partial(<class 'torch.optim.sgd.SGD'>, momentum=0.9)"
    """
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(optimizer))
