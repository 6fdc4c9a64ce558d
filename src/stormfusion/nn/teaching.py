"""What a recurrent network is shown in training of the frames that it shall tell."""

from typing import NamedTuple, Self

import torch
from jaxtyping import Bool
from torch import Tensor

from stormfusion.types import Future, Past, Valid


class Teacher(NamedTuple):
    """
    The frames to be forecast, and which frames a network is shown.

    Parameters
    ----------
    shown
        Whether the frame of each step is the true one; else it is what the network
        told of it. The first is always true.
    future, valid
        The frames to be forecast, and where they were observed; none where none of
        them is shown.
    """

    shown: Bool[Tensor, "batch step"]
    future: Future | None = None
    valid: Valid | None = None

    @classmethod
    def silent(cls, past: Past, *, leads: int) -> Self:
        """Show the observed frames, and none of those to be forecast."""
        batch, history = past.shape[:2]
        shown = torch.zeros(batch, history + leads - 1, dtype=torch.bool)
        shown[:, :history] = True
        return cls(shown.to(past.device))
