"""Inputs derived from the target's past: where it goes, and what comes of that."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stormfusion.classical import Extrapolation
from stormfusion.classical.extrapolation import Carried
from stormfusion.data.task import Task
from stormfusion.nn.from_motion import beside
from stormfusion.nn.teaching import Teacher
from stormfusion.types import Future, Past

FAST = 8.0
"""Motion that a network sees as one [pixels per frame]."""


def added(task: Task, *, rolled: bool = False) -> dict[str, int]:
    """
    How many channels each derived input of a task has.

    Parameters
    ----------
    task
        What is mapped.
    rolled
        Whether a recurrent network sees one lead after the other, not all at once.

    Examples
    --------
    >>> task = Task(("vil",), "vil", 4, 12, 300, (1e3, 1e3), derived=("extrapolation",))
    >>> added(task)
    {'extrapolation': 6}
    """
    shared = 1 if rolled else -(-task.leads // task.history)
    channels = {"extrapolation": 2 * shared, "motion": 2}
    return {name: channels[name] for name in task.derived}


class Deriving(nn.Module):
    """
    A network that sees more than was observed: what the target's past lets expect.

    It is computed on the device from the observed frames and nothing else, the same way
    in training and in forecasting. After the channels of the variables stand, as far as
    the task names them,

    * `extrapolation`: the last frame carried along to each lead, 0 where that is not
      known, then 1 where it is known; the first lead beside the first observed frame,
      in as many channels as the leads need;
    * `motion`: down the rows, then along them, at all times the same, 1 for 8 pixels
      per frame.

    A recurrent network sees the first lead of `extrapolation` beside the last observed
    frame, from which it forecasts that lead, and each later one beside its own forecast
    of the lead before.

    No gradient flows into them.

    Parameters
    ----------
    body
        The network, made for all these channels.
    task
        What it maps.

    Examples
    --------
    >>> from stormfusion.nn import UNet
    >>> task = Task(("vil",), "vil", 4, 3, 300, (1e3, 1e3), derived=("motion",))
    >>> body = UNet(width=2, depth=1).build(channels=4, history=4, leads=3)
    >>> Deriving(body, task)(torch.zeros(1, 4, 2, 32, 32)).shape
    torch.Size([1, 3, 32, 32])
    """

    def __init__(self, body: nn.Module, task: Task) -> None:
        super().__init__()
        self.body = body
        self.task = task
        self.carried = Carried(task, Extrapolation())

    @property
    def reconstructs(self) -> bool:
        """Whether the network tells the observed frames, too, given a teacher."""
        return bool(getattr(self.body, "reconstructs", False))

    def forward(self, past: Past, teacher: Teacher | None = None) -> Future:
        """Forecast from `past`, in training with a teacher where it is recurrent."""
        if not self.reconstructs:
            forecast: Tensor = self.body(torch.cat((past, self.channels(past)), dim=2))
            return forecast
        seen, ahead = self.rolled(past)
        told: Tensor = self.body(
            torch.cat((past, seen), dim=2), ahead=ahead, teacher=teacher
        )
        return told

    def channels(self, past: Past) -> Past:
        """What is derived from `past`, all leads beside the observed frames."""
        history = past.shape[1]
        by_lead, steady = self._derived(past)
        found = [beside(part[:, :, 0], history=history) for part in by_lead]
        found += [part.expand(-1, history, -1, -1, -1) for part in steady]
        return torch.cat(found, dim=2)

    def rolled(self, past: Past) -> tuple[Past, Past]:
        """What is derived from `past`: beside the observed frames, and the leads."""
        history, leads = past.shape[1], self.task.leads
        by_lead, steady = self._derived(past)
        # nothing is known of the leads before the last observed frame
        found = [F.pad(part, (0, 0, 0, 0, 0, 0, history - 1, 0)) for part in by_lead]
        found += [part.expand(-1, history + leads - 1, -1, -1, -1) for part in steady]
        whole = torch.cat(found, dim=2)
        return whole[:, :history], whole[:, history:]

    @torch.no_grad()
    def _derived(self, past: Past) -> tuple[list[Past], list[Past]]:
        """What there is for each lead, and what is the same at all times."""
        by_lead, steady = [], []
        # half precision would round the places that pixels come from by a pixel
        with torch.autocast(past.device.type, enabled=False):
            past = past.float()
            frames, velocity = self.carried.frames(past), self.carried.velocity(past)
            if "extrapolation" in self.task.derived:
                ahead = self.carried.along(frames, velocity)
                number = self.carried.scaling.normalize(ahead)
                known = number.isfinite()
                number = torch.where(known, number, 0.0)
                by_lead = [number[:, :, None], known.float()[:, :, None]]
            if "motion" in self.task.derived:
                steady = [(velocity / FAST)[:, None]]
        return by_lead, steady
