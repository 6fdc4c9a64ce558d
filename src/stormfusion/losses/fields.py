"""Fields that a loss can compare."""

import torch

from stormfusion.types import Future, Valid


def check_fields(
    name: str, least: int, forecast: Future, observed: Future, valid: Valid
) -> None:
    """
    Refuse fields that a loss cannot compare, before they broadcast.

    Parameters
    ----------
    name, least
        Of the loss: what it is called, and how many rows and columns it needs.
    forecast, observed, valid
        What it was given.

    Raises
    ------
    ValueError
        If the three are not `(batch, lead, y, x)`, differ in shape or are too small.
    TypeError
        If `valid` is not of bool.

    Examples
    --------
    >>> maps = torch.zeros(1, 1, 8, 8)
    >>> check_fields("ssim", 11, maps, maps, maps == 0)
    Traceback (most recent call last):
    ValueError: 'ssim' compares maps of at least 11 x 11 pixels, but got one of 8 x 8...
    """
    if not forecast.shape == observed.shape == valid.shape:
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
    if forecast.ndim != 4:
        raise ValueError(
            f"a loss compares fields of (batch, lead, y, x), but got some of "
            f"{tuple(forecast.shape)}; put the missing axes in with [None]"
        )
    height, width = forecast.shape[-2:]
    if min(height, width) < least:
        raise ValueError(
            f"{name!r} compares maps of at least {least} x {least} pixels, but got one "
            f"of {height} x {width}; train on larger maps or leave {name!r} out"
        )
