"""What nowcasts without training share: frames in, physical values out."""

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from stormfusion.classical.flow import Frames, Method, Velocity, motion
from stormfusion.data.scaling import scaling_for
from stormfusion.data.task import Task
from stormfusion.types import Future, Past

if TYPE_CHECKING:
    from stormfusion.classical.scenarios import Scenarios

WET = {"rain_rate": 0.1, "reflectivity": 7.0, "vil": 0.14, "rain": 0.01, "mesh": 1.0}
"""Least amount that counts as rain, in each variable's units."""
APART = 300.0
"""
Time between two frames that are looked at, about [s].

Composites of many radars, issued every minute or two, change piece by piece: what
lasts from one to the next is the sky in part, and in part what was not measured anew.
"""


class Classic(nn.Module, ABC):
    """
    A nowcast without training, of one task.

    Parameters
    ----------
    task
        Target, leads, interval and spacing.
    """

    least: ClassVar[int] = 1
    """Frames without which it cannot forecast."""
    looks: ClassVar[int] = 1
    """Frames that it looks at, if there are as many."""
    samples: ClassVar[bool] = False
    """Whether it has an ensemble of its own."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.check_target(task.target)
        self.task = task
        self.scaling = scaling_for(task.target)
        # decibels do not add: between two pixels lies the mean of their rain rates
        twin = "rain_rate" if task.target == "reflectivity" else task.target
        self.additive = scaling_for(twin)

    @classmethod
    def check_target(cls, target: str) -> None:
        """Raise `ValueError` for a variable that it does not forecast."""

    @abstractmethod
    def nowcast(self, past: Past) -> Future:
        """
        The forecast in the target's units, NaN where it is not known.

        Parameters
        ----------
        past
            Network numbers; the target first.
        """

    def scenarios(self, past: Past) -> "Scenarios | None":
        """Its own ensemble, where it has one."""
        return None

    def forward(self, past: Past) -> Future:
        """The forecast in network numbers, NaN where it is not known."""
        return self.scaling.normalize(self.nowcast(past))

    @property
    def most(self) -> int:
        """How far back it looks [frames], the last among them."""
        each = math.floor(APART / self.task.interval + 0.5)
        return 1 + (self.looks - 1) * max(each, 1)

    def apart(self, past: Past) -> int:
        """How many frames lie from one that it looks at to the next."""
        most = min(past.shape[1], self.most)
        return max((most - 1) // max(self.looks - 1, 1), 1)

    def frames(self, past: Past) -> Frames:
        """The frames that it looks at, NaN where missing."""
        first = (past.shape[1] - 1) % self.apart(past)
        shown = past[:, first :: self.apart(past)][:, -self.looks :]
        return torch.where(shown[:, :, 1] > 0, shown[:, :, 0], torch.nan)

    def velocity(self, past: Past, *, method: Method = "lucas-kanade") -> Velocity:
        """Motion of the last frames [pixels per frame]."""
        return motion(self.frames(past), method=method) / self.apart(past)

    def amounts(self, frames: Frames) -> Float[Tensor, "batch y x"]:
        """
        The last frame as what adds up, 0 where nothing falls.

        Of reflectivity that is the rain rate of the same network number.
        """
        return self.additive.denormalize(frames[:, -1])

    def physical(self, amounts: Tensor) -> Tensor:
        """Amounts in the target's units."""
        if self.additive is self.scaling:
            return amounts
        return self.scaling.denormalize(self.additive.normalize(amounts))

    def wet(self) -> float:
        """Network number from which on a pixel is rain."""
        amount = torch.tensor(WET.get(self.task.target, 0.0))
        return float(self.scaling.normalize(amount))


class Untrained(ABC):
    """
    A description of a nowcast without training; it builds one for a task.

    Those of the library are `Persistence`, `Extrapolation` and `Steps`.
    """

    name: ClassVar[str]
    module: ClassVar[type[Classic]]

    @abstractmethod
    def build(self, task: Task) -> Classic:
        """The nowcast of a task."""
