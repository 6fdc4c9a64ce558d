"""Weights of the shaping terms from measured gradients."""

import math

import torch

from stormfusion.losses.base import Loss, WeightedSum
from stormfusion.losses.weights import checked_weight
from stormfusion.types import Future, Scalar, Valid


def balance(
    loss: Loss | WeightedSum,
    forecast: Future,
    observed: Future,
    valid: Valid,
    *,
    share: float | None = None,
) -> dict[str, float]:
    r"""
    Weigh the shaping terms so that they neither drown nor are drowned.

    The weight of a shaping term $S$ beside the weighted sum $P$ of the pixel terms is

    $$w = s \, \frac{\lVert \partial P / \partial \hat{X} \rVert_2}
    {\lVert \partial S / \partial \hat{X} \rVert_2}$$

    so that at the output $\hat{X}$ of the network its gradient is the `share` $s$ of
    the pixel terms' gradient. As both are measured there, no network is run, and the
    answer depends on nothing but the three fields.

    Where one of the two gradients is zero (a perfect forecast, nothing observed, a
    dry map) there is nothing to measure, and the weight is `share`.

    Parameters
    ----------
    loss
        The sum.
    forecast, observed
        Network numbers, of a batch as in training.
    valid
        Where `observed` was observed.
    share
        Gradient of each shaping term as a multiple of the pixel terms'. If none is
        given, each term's own `Loss.share`: 0.3 for most, at which even three of them,
        all pulling against the pixel terms, do not turn the gradient round.

    Returns
    -------
    dict of str to float
        A weight for each term that has none written; empty if all have one.

    Raises
    ------
    ValueError
        If there is no pixel term to balance with, a gradient is not finite, or
        `share` is not a finite number above zero.

    Examples
    --------
    >>> from stormfusion.losses import GDL, MSE, SSIM
    >>> observed = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    >>> valid = torch.ones(1, 1, 16, 16, dtype=torch.bool)
    >>> weights = balance(MSE() + SSIM() + 0.1 * GDL(), observed / 2, observed, valid)
    >>> list(weights)
    ['ssim']
    >>> 0 < weights["ssim"] < 1
    True
    """
    if share is not None:
        share = checked_weight("share", share)
    terms = WeightedSum.of(loss).terms
    pixel = [t for t in terms if t.loss.kind == "pixel"]
    open_terms = [t for t in terms if t.weight is None]
    if not open_terms:
        return {}
    if not pixel:
        raise ValueError(
            f"{str(loss)!r} has no pixel term to balance {open_terms[0].loss.name!r} "
            f"with; add one, such as MSE(), or write the weight"
        )
    leaf = forecast.detach().float().requires_grad_()
    with torch.enable_grad():
        pixel_sum = WeightedSum(tuple(pixel))(leaf, observed, valid)
        pull = _gradient_norm(pixel_sum, leaf, str(WeightedSum(tuple(pixel))))
        weights = {}
        for term in open_terms:
            name = term.loss.name
            push = _gradient_norm(term.loss(leaf, observed, valid), leaf, name)
            ratio = pull / push if pull > 0 and push > 0 else 1.0
            weights[name] = ratio * (term.loss.share if share is None else share)
    return weights


def _gradient_norm(loss: Scalar, leaf: Future, name: str) -> float:
    (gradient,) = torch.autograd.grad(loss, leaf)
    norm = float(torch.linalg.vector_norm(gradient))
    if not math.isfinite(norm):
        raise ValueError(
            f"the gradient of {name!r} has norm {norm}, but only finite ones can be "
            f"balanced; look for NaN or overflow in the forecast"
        )
    return norm
