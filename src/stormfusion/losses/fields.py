"""Fields that a loss can compare, and their mean."""

import torch
from torch import Tensor

from stormfusion.types import Future, Members, Scalar, Valid


def check_fields(
    name: str,
    least: int,
    forecast: Future | Members,
    observed: Future,
    valid: Valid,
    *,
    members: bool = False,
) -> None:
    """
    Refuse fields that a loss cannot compare, before they broadcast.

    Parameters
    ----------
    name, least
        Of the loss: what it is called, and how many rows and columns it needs.
    forecast, observed, valid
        What it was given.
    members
        Whether the forecast may also be `(batch, member, lead, y, x)`.

    Raises
    ------
    ValueError
        If the three are not `(batch, lead, y, x)`, differ in shape or are too small,
        or there is no member.
    TypeError
        If one is no tensor, or `valid` is not of bool.

    Examples
    --------
    >>> maps = torch.zeros(1, 1, 8, 8)
    >>> check_fields("ssim", 11, maps, maps, maps == 0)
    Traceback (most recent call last):
    ValueError: 'ssim' compares maps of at least 11 x 11 pixels, but got one of 8 x 8...
    """
    for what, field in {
        "forecast": forecast,
        "observed": observed,
        "valid": valid,
    }.items():
        if not isinstance(field, Tensor):
            raise TypeError(
                f"{what} of {name!r} is a {type(field).__name__}, wanted a tensor; "
                "make one with torch.as_tensor"
            )
    shape = forecast.shape
    if members and forecast.ndim == 5:
        if not shape[1]:
            raise ValueError(
                f"{name!r} compares forecasts of one member or more, but got "
                f"{tuple(shape)} of (batch, member, lead, y, x); draw some members"
            )
        shape = shape[:1] + shape[2:]
    if not shape == observed.shape == valid.shape:
        raise ValueError(
            f"a loss compares fields of one shape, but forecast is "
            f"{tuple(forecast.shape)}, observed {tuple(observed.shape)} and valid "
            f"{tuple(valid.shape)}; crop or repeat them first"
        )
    if valid.dtype != torch.bool:
        raise TypeError(
            f"valid is of {valid.dtype}, wanted bool, true where a pixel counts; make "
            "it with valid > 0"
        )
    if observed.ndim != 4:
        raise ValueError(
            f"a loss compares fields of (batch, lead, y, x), but got some of "
            f"{tuple(observed.shape)}; put the missing axes in with [None]"
        )
    height, width = forecast.shape[-2:]
    if min(height, width) < least:
        raise ValueError(
            f"{name!r} compares maps of at least {least} x {least} pixels, but got one "
            f"of {height} x {width}; train on larger maps or leave {name!r} out"
        )


def mean(values: Tensor, valid: Tensor) -> Scalar:
    """
    Mean over the valid values, zero where there is none.

    Parameters
    ----------
    values
        Finite numbers.
    valid
        Which of them count, of the same shape.

    Returns
    -------
    Scalar
        Their mean. Values that do not count get no gradient.

    Examples
    --------
    >>> mean(torch.tensor([1.0, 2.0, 9.0]), torch.tensor([True, True, False]))
    tensor(1.5000)
    >>> mean(torch.ones(3), torch.zeros(3, dtype=torch.bool))
    tensor(0.)
    """
    zero = torch.zeros((), device=values.device)
    return torch.where(valid, values, zero).sum() / valid.sum().clamp(min=1)
