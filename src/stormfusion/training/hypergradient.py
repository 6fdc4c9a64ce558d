"""Adam with hypergradient descent: it adapts its own learning rate."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, overload

import numpy as np
import torch
from torch import Tensor
from torch.optim.adamw import adamw

SHARED = ("lr", "hypergradient_rate", "lowest", "highest")
"""Options that all groups of parameters have in common."""


class HypergradientAdam(torch.optim.Optimizer):
    r"""
    Adam whose learning rate descends the gradient of the loss with respect to itself.

    With the gradient $g_t$ and the running means $\hat m$ of it and $\hat v$ of its
    square, corrected for their bias as Adam does, before step $t$

    $$h_t = \sum_i g_{t,i} \frac{\hat m_{t-1,i}}{\sqrt{\hat v_{t-1,i}} + \epsilon},
    \qquad \alpha_t = \alpha_{t-1} + \beta_h h_t,$$

    and then a step of Adam is taken with $\alpha_t$. The sum is over all parameters of
    all groups, so that there is one rate and the order of the parameters means nothing:
    in another order the rates and the weights are equal to the last bit. A parameter
    without a gradient is left alone and adds nothing to the sum; one that had none for
    a while adds by the last step that it took, and in its first step nothing.

    Gradients are clipped, if they are, before `step`. The current rate stands in every
    group as `lr`.

    Parameters
    ----------
    params
        Parameters, or groups of them; a group may have its own `betas`, `eps` and
        `weight_decay`.
    lr
        The first learning rate $\alpha_1$.
    hypergradient_rate
        $\beta_h$; at 0 this is `torch.optim.AdamW`, bit for bit.
    betas, eps
        Of Adam.
    weight_decay
        Share of the learning rate by which parameters shrink in a step, decoupled from
        the gradient as in AdamW. It is no part of $h_t$. 0 as published.
    bounds
        Multiples of `lr` that the rate stays between. Unguarded it could go below zero,
        and climb the loss, or run away. A lower bound of 0 is no dead end: there, too,
        the sum tells whether to move on.

    Raises
    ------
    ValueError
        If a parameter is out of range, or a group wants a rate of its own.

    References
    ----------
    Baydin, A. G., R. Cornish, D. Martinez Rubio, M. Schmidt, and F. Wood, 2018: Online
    learning rate adaptation with hypergradient descent. *ICLR 2018*,
    <https://arxiv.org/abs/1703.04782>.

    Examples
    --------
    The minimum is far, all gradients agree, and the rate rises:

    >>> weight = torch.nn.Parameter(torch.tensor([5.0]))
    >>> optimizer = HypergradientAdam([weight], lr=0.01, hypergradient_rate=1e-3)
    >>> for _ in range(3):
    ...     optimizer.zero_grad()
    ...     weight.square().sum().backward()
    ...     optimizer.step()
    ...     print(round(optimizer.param_groups[0]["lr"], 4))
    0.01
    0.02
    0.0299
    """

    adaptive_rate: ClassVar[bool] = True
    """Training leaves its learning rate alone."""

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        *,
        hypergradient_rate: float = 1e-7,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        bounds: tuple[float, float] = (0.01, 100.0),
    ) -> None:
        check_options(
            {"lr": lr, "hypergradient_rate": hypergradient_rate, "bounds": bounds}
        )
        defaults = {
            "lr": float(lr),
            "hypergradient_rate": hypergradient_rate,
            "lowest": lr * bounds[0],
            "highest": lr * bounds[1],
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
        }
        super().__init__(params, defaults)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """
        Add parameters, such as those of layers that are trained only from now on.

        Parameters
        ----------
        param_group
            A dictionary with `params`, and perhaps `betas`, `eps` and `weight_decay`.

        Raises
        ------
        ValueError
            If it wants a rate of its own, or an option is out of range.
        """
        known = self.param_groups[0] if self.param_groups else self.defaults
        shared = {name: known[name] for name in SHARED}
        for name, value in shared.items():
            if param_group.get(name, value) != value:
                raise ValueError(
                    f"a group of parameters has {name}={param_group[name]!r}, wanted "
                    f"the one of all groups, {value!r}; leave it out"
                )
        whole = {**self.defaults, **param_group, **shared}
        check_options({name: whole[name] for name in ("betas", "eps", "weight_decay")})
        super().add_param_group(whole)

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """
        Adapt the rate, then take a step of Adam with it.

        Parameters
        ----------
        closure
            What evaluates the loss and its gradients anew, if they are not there yet.

        Returns
        -------
        float or None
            What the closure returned.

        Raises
        ------
        RuntimeError
            If a gradient is sparse.
        FloatingPointError
            If $h_t$ is not finite.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        moving = [
            [p for p in group["params"] if p.grad is not None]
            for group in self.param_groups
        ]
        if any(p.grad.is_sparse for params in moving for p in params):
            raise RuntimeError(
                "a gradient is sparse, wanted dense ones; make the embedding with "
                "sparse=False, or train by torch.optim.SparseAdam"
            )
        rate = self._rate(moving)
        for group, params in zip(self.param_groups, moving, strict=True):
            group["lr"] = rate
            self._adam(group, params)
        return loss

    def _rate(self, moving: list[list[Tensor]]) -> float:
        """The rate of this step."""
        first = self.param_groups[0]
        rate, beta_h = float(first["lr"]), float(first["hypergradient_rate"])
        if beta_h == 0:
            return rate
        parts: list[Tensor] = []
        for group, params in zip(self.param_groups, moving, strict=True):
            parts += self._products(group, [p for p in params if p in self.state])
        if not parts:
            return rate
        near = torch.stack([part.to(parts[0].device) for part in parts])
        values = near.tolist()
        if not all(map(math.isfinite, values)):
            raise FloatingPointError(
                "a gradient is not finite, wanted finite ones; begin with a lower "
                "learning rate, or clip them"
            )
        # rounded once, whatever the order
        h = math.fsum(values)
        rate = rate + beta_h * h
        return float(min(max(rate, first["lowest"]), first["highest"]))

    def _products(self, group: dict[str, Any], params: list[Tensor]) -> list[Tensor]:
        """The part of the sum that each parameter adds."""
        if not params:
            return []
        beta1, beta2 = group["betas"]
        steps = [float(self.state[p]["step"]) for p in params]
        g = [_real(p.grad) for p in params if p.grad is not None]
        m = [_real(self.state[p]["exp_avg"]) for p in params]
        v = [_real(self.state[p]["exp_avg_sq"]) for p in params]
        below = torch._foreach_div(v, [1 - beta2**step for step in steps])
        torch._foreach_sqrt_(below)
        torch._foreach_add_(below, group["eps"])
        made = torch._foreach_div(m, [1 - beta1**step for step in steps])
        torch._foreach_div_(made, below)
        # laid out, and so summed up, as the gradients are: means read of a file are not
        parts = torch._foreach_mul(g, made)
        return [t.sum(dtype=torch.promote_types(t.dtype, torch.float32)) for t in parts]

    def _adam(self, group: dict[str, Any], params: list[Tensor]) -> None:
        """A step of Adam with the rate of the group, by torch's own arithmetic."""
        if not params:
            return
        for p in params:
            if p not in self.state:
                self.state[p] = {
                    "step": torch.zeros((), dtype=torch.float32),
                    "exp_avg": torch.zeros_like(p),
                    "exp_avg_sq": torch.zeros_like(p),
                }
        states = [self.state[p] for p in params]
        beta1, beta2 = group["betas"]
        adamw(
            params,
            [p.grad for p in params if p.grad is not None],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            [state["step"] for state in states],
            has_complex=any(p.is_complex() for p in params),
            amsgrad=False,
            beta1=beta1,
            beta2=beta2,
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=False,
        )


def _real(tensor: Tensor) -> Tensor:
    """Complex numbers as two real ones each, which is how Adam sees them."""
    return torch.view_as_real(tensor) if tensor.is_complex() else tensor


def _number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _pair(value: Any) -> bool:
    two = isinstance(value, tuple | list) and len(value) == 2
    return two and all(map(_number, value))


RANGES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "lr": (lambda v: _number(v) and 0 < v < math.inf, "a number above zero"),
    "eps": (lambda v: _number(v) and 0 < v < math.inf, "a number above zero"),
    "hypergradient_rate": (
        lambda v: _number(v) and 0 <= v < math.inf,
        "a number, 0 or more, such as 1e-7",
    ),
    "weight_decay": (
        lambda v: _number(v) and 0 <= v < math.inf,
        "a number, 0 or more, such as 0.01",
    ),
    "betas": (
        lambda v: _pair(v) and all(0 <= beta < 1 for beta in v),
        "two numbers, 0 or more and below 1, such as (0.9, 0.999)",
    ),
    "bounds": (
        lambda v: _pair(v) and 0 <= v[0] <= 1 <= v[1],
        "multiples of the first rate to stay between, such as (0.01, 100)",
    ),
}
"""Which options are in range, and what is wanted of them."""


def check_options(options: Mapping[str, Any]) -> None:
    """
    Refuse an option of an optimizer that is out of range.

    Examples
    --------
    >>> check_options({"weight_decay": -0.1})
    Traceback (most recent call last):
    ValueError: weight_decay is -0.1, wanted a number, 0 or more, such as 0.01
    """
    for name, value in options.items():
        fits, wanted = RANGES[name]
        if not fits(value):
            raise ValueError(f"{name} is {value!r}, wanted {wanted}")
