"""Inputs derived from the target's past: where it goes, and what comes of that."""

import torch
from torch import Tensor, nn

from stormfusion.classical import Extrapolation
from stormfusion.classical.extrapolation import Carried
from stormfusion.data.task import Task
from stormfusion.nn.from_motion import beside
from stormfusion.types import Future, Past

FAST = 8.0
"""Motion that a network sees as one [pixels per frame]."""


def added(task: Task) -> dict[str, int]:
    """
    How many channels each derived input of a task has.

    Examples
    --------
    >>> task = Task(("vil",), "vil", 4, 12, 300, (1e3, 1e3), derived=("extrapolation",))
    >>> added(task)
    {'extrapolation': 6}
    """
    channels = {"extrapolation": 2 * -(-task.leads // task.history), "motion": 2}
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

    def forward(self, past: Past) -> Future:
        """Forecast from `past`."""
        forecast: Tensor = self.body(torch.cat((past, self.channels(past)), dim=2))
        return forecast

    @torch.no_grad()
    def channels(self, past: Past) -> Past:
        """What is derived from `past`."""
        # half precision would round the places that pixels come from by a pixel
        with torch.autocast(past.device.type, enabled=False):
            past = past.float()
            frames, velocity = self.carried.frames(past), self.carried.velocity(past)
            found = []
            if "extrapolation" in self.task.derived:
                ahead = self.carried.along(frames, velocity)
                number = self.carried.scaling.normalize(ahead)
                known = number.isfinite()
                number = torch.where(known, number, 0.0)
                parts = (number, known.float())
                found += [beside(part, history=past.shape[1]) for part in parts]
            if "motion" in self.task.derived:
                steady = (velocity / FAST)[:, None]
                found.append(steady.expand(-1, past.shape[1], -1, -1, -1))
        return torch.cat(found, dim=2)
