"""Persistence: the last observed frame, for every lead time."""

from dataclasses import dataclass

from torch import nn

from stormfusion.types import Future, Past


@dataclass(frozen=True)
class Persistence:
    """
    The baseline every nowcast must beat: tomorrow is as today.

    Examples
    --------
    >>> import torch
    >>> past = torch.rand(1, 13, 2, 8, 8)
    >>> forecast = Persistence().build(channels=2, history=13, leads=12)(past)
    >>> bool((forecast[:, 11] == past[:, 12, 0]).all())
    True
    """

    def build(self, *, channels: int, history: int, leads: int) -> nn.Module:
        """The module that repeats the last frame."""
        return _LastFrame(leads)


class _LastFrame(nn.Module):
    def __init__(self, leads: int) -> None:
        super().__init__()
        self.leads = leads

    def forward(self, past: Past) -> Future:
        return past[:, -1:, 0].repeat(1, self.leads, 1, 1)
