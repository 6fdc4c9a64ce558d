"""Sums of scores on tensors, wherever these are: twins of those on labelled arrays."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from stormfusion.verification.spatial import checked_scales


@torch.no_grad()
def counts(
    forecast: Float[Tensor, "..."],
    observed: Float[Tensor, "..."],
    *,
    thresholds: Sequence[float],
) -> Int[Tensor, "threshold part"]:
    """
    Hits, misses, false alarms and correct negatives of tensors; see `contingency`.

    Parameters
    ----------
    forecast, observed
        Of one shape and on one device. NaN is missing, and not counted.
    thresholds
        An event is `value >= threshold`.

    Returns
    -------
    Tensor
        int64 on that device, whose sums over samples are those of all together.

    Examples
    --------
    >>> forecast = torch.tensor([9.0, 9.0, 1.0, 1.0, torch.nan])
    >>> observed = torch.tensor([9.0, 1.0, 9.0, 1.0, 9.0])
    >>> counts(forecast, observed, thresholds=[5.0]).tolist()
    [[1, 1, 1, 1]]
    """
    _check(forecast, observed)
    missing = forecast.isnan() | observed.isnan()
    pairs = missing.numel() - missing.sum()
    rows = []
    for threshold in thresholds:
        yes = (forecast >= threshold) & ~missing
        occurred = (observed >= threshold) & ~missing
        hits, said, came = ((yes & occurred).sum(), yes.sum(), occurred.sum())
        rows.append(
            torch.stack([hits, came - hits, said - hits, pairs - said - came + hits])
        )
    return torch.stack(rows)


@torch.no_grad()
def crps_sums(
    forecast: Float[Tensor, "member ..."],
    observed: Float[Tensor, "..."],
    *,
    fair: bool = True,
) -> Float[Tensor, " part"]:
    """
    Pairs and the sum of their CRPS; see `crps` for the formula.

    Parameters
    ----------
    forecast, observed
        On one device, the members first. A pixel with a missing member, NaN, or
        without observation is not counted.
    fair
        Whether the score is the fair one, which needs 2 or more members.

    Returns
    -------
    Tensor
        Two numbers, in double precision where the device has it.

    Examples
    --------
    >>> members = torch.tensor([[0.0], [0.0], [1.0]])
    >>> crps_sums(members, torch.zeros(1), fair=False)[1].round(decimals=3).item()
    0.111
    """
    _check(forecast[0], observed)
    members = len(forecast)
    if fair and members < 2:
        raise ValueError(
            "the fair CRPS needs 2 or more members, but got 1; pass fair=False, which "
            "gives the absolute error"
        )
    exact = torch.float32 if forecast.device.type == "mps" else torch.float64
    apart = (forecast - observed).reshape(members, -1)
    weight = torch.arange(1 - members, members, 2, device=apart.device).to(apart.dtype)
    total = torch.zeros(2, dtype=exact, device=apart.device)
    for start in range(0, apart.shape[1], PIXELS):
        part = apart[:, start : start + PIXELS]
        error = part.abs().mean(0)
        # NaN is sorted last, and what it is in is NaN
        between = weight @ part.sort(0).values
        score = error - between / (members * (members - 1 if fair else members))
        valid = ~part.isnan().any(0)
        score = torch.where(valid, score.clamp(min=0), 0).sum(dtype=exact)
        total += torch.stack([valid.sum().to(exact), score])
    return total


@torch.no_grad()
def fss_sums(
    forecast: Float[Tensor, "member ... y x"],
    observed: Float[Tensor, "... y x"],
    *,
    thresholds: Sequence[float],
    scales: Sequence[int],
) -> Float[Tensor, "threshold scale part"]:
    """
    Windows, and the sums of squared fractions over them; see `fss`.

    Parameters
    ----------
    forecast, observed
        On one device, the members first. A pixel with a missing member, NaN, or
        without observation is left out.
    thresholds
        An event is `value >= threshold`.
    scales
        Widths of the windows [pixels], odd.

    Returns
    -------
    Tensor
        How many windows count, the sums of $(p_f - p_o)^2$ and of $p_f^2 + p_o^2$, in
        double precision where the device has it.

    Examples
    --------
    >>> observed = torch.tensor([[1.0, 0.0, 0.0]])
    >>> fss_sums(observed.flip(1)[None], observed, thresholds=[1.0], scales=[1])
    tensor([[[3., 2., 2.]]], dtype=torch.float64)
    """
    _check(forecast[0], observed)
    exact = torch.float32 if forecast.device.type == "mps" else torch.float64
    widths = checked_scales(scales)
    valid = ~(forecast.isnan().any(0) | observed.isnan())
    whole = torch.ones(observed.shape[-2:], dtype=torch.bool, device=observed.device)
    shape = (len(thresholds), len(widths), 3)
    total = torch.zeros(shape, dtype=exact, device=observed.device)
    tables = _table(valid), _table(whole)
    for row, threshold in enumerate(thresholds):
        share = ((forecast >= threshold) & valid).sum(0)
        event = (observed >= threshold) & valid
        fields = _table(share), _table(event)
        for column, scale in enumerate(widths):
            n, inside = (_windows(table, scale) for table in tables)
            counts = 2 * n >= inside
            weight = (counts / n.clamp(min=1)).to(exact)
            p_f, p_o = (_windows(table, scale).to(exact) * weight for table in fields)
            p_f = p_f / len(forecast)
            squares = ((p_f - p_o) ** 2).sum(), (p_f**2 + p_o**2).sum()
            total[row, column] = torch.stack([counts.sum().to(exact), *squares])
    return total


PIXELS = 2**18
"""Pixels whose members are sorted at a time."""


def _table(field: Tensor) -> Tensor:
    """Sums over all pixels before each corner, with a border of zeros."""
    sums = field.to(torch.int32).cumsum(-2, dtype=torch.int32)
    sums = sums.cumsum(-1, dtype=torch.int32)
    return torch.nn.functional.pad(sums, (1, 0, 1, 0))


def _windows(table: Tensor, scale: int) -> Tensor:
    """Sums over the window around each pixel, cut at the edge."""
    for axis in (-2, -1):
        size = table.shape[axis] - 1
        at = torch.arange(size, device=table.device)
        last = (at + scale // 2 + 1).clamp(max=size)
        first = (at - scale // 2).clamp(min=0)
        table = table.index_select(axis, last) - table.index_select(axis, first)
    return table


def _check(forecast: Tensor, observed: Tensor) -> None:
    if forecast.shape != observed.shape:
        raise ValueError(
            f"forecast is {tuple(forecast.shape)} and observed "
            f"{tuple(observed.shape)}, wanted one shape; bring both to one grid"
        )
    if forecast.device != observed.device:
        raise ValueError(
            f"forecast is on {forecast.device} and observed on {observed.device}; "
            "bring one to the device of the other with .to"
        )
