"""Values between the pixels of a map."""

import torch
import torch.nn.functional as F
from torch import Tensor

BORDERLESS = ("mps",)
"""Devices that lack the padding mode `"border"`, and bicubic interpolation, in some
versions of torch."""


def warped(values: Tensor, y: Tensor, x: Tensor, mode: str = "bilinear") -> Tensor:
    """
    Values at places of a map; beyond the edge, those of the edge.

    Parameters
    ----------
    values
        `(batch, channel, y, x)`.
    y, x
        Places `(batch, rows, columns)`, counted in pixels from the first.
    mode
        `"bilinear"`, `"nearest"` or `"bicubic"`.

    Examples
    --------
    >>> values = torch.tensor([[0.0, 1.0], [2.0, 3.0]])[None, None]
    >>> warped(values, torch.full((1, 1, 1), 0.5), torch.full((1, 1, 1), 0.5)).item()
    1.5
    """
    height, width = values.shape[-2:]
    place = torch.stack(((2 * x + 1) / width - 1, (2 * y + 1) / height - 1), -1)
    batch = max(place.shape[0], values.shape[0])
    place = place.expand(batch, -1, -1, -1)
    values = values.expand(batch, -1, -1, -1)
    return sampled(values, place, mode)


def sampled(values: Tensor, place: Tensor, mode: str = "bilinear") -> Tensor:
    """
    Values at places counted from -1 to 1, from one outer edge of the map to the other.

    Beyond the center of the first and the last pixel they are those of the edge.

    Examples
    --------
    >>> values = torch.tensor([[[[1.0, 2.0]]]])
    >>> sampled(values, torch.tensor([[[[0.0, 0.0], [7.0, 0.0]]]])).tolist()
    [[[[1.5, 2.0]]]]
    """
    padding = "border"
    if values.device.type in BORDERLESS and mode == "bicubic":
        return sampled(values.cpu(), place.cpu(), mode).to(values.device)
    if values.device.type in BORDERLESS:
        last = 1 - 1 / torch.tensor(values.shape[:-3:-1], device=values.device)
        place, padding = place.minimum(last).maximum(-last), "zeros"
    return F.grid_sample(
        values, place, mode=mode, padding_mode=padding, align_corners=False
    )


def resized(values: Tensor, height: int, width: int) -> Tensor:
    """
    A map of cells brought to a finer grid, linear between the centres of the cells.

    Examples
    --------
    >>> resized(torch.tensor([[[[0.0, 4.0]]]]), 1, 4)[0, 0, 0].tolist()
    [0.0, 1.0, 3.0, 4.0]
    """
    return F.interpolate(values, size=(height, width), mode="bilinear")


def rows_and_columns(
    height: int, width: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """
    Row numbers as a column, and column numbers as a row.

    Examples
    --------
    >>> [tuple(part.shape) for part in rows_and_columns(2, 3, torch.device("cpu"))]
    [(2, 1), (3,)]
    """
    rows = torch.arange(height, device=device, dtype=torch.float32)[:, None]
    return rows, torch.arange(width, device=device, dtype=torch.float32)
