"""Extrapolation: the last frame, carried along by the motion of the last frames."""

from dataclasses import dataclass
from typing import ClassVar, get_args

import torch

from stormfusion.classical.classic import Classic, Untrained
from stormfusion.classical.flow import Frames, Method, Velocity
from stormfusion.classical.trajectories import Mode, extrapolated
from stormfusion.data.task import Task
from stormfusion.types import Future, Past


class Carried(Classic):
    """
    The last frame, carried along.

    Parameters
    ----------
    task
        Target, leads, interval and spacing.
    spec
        How motion is found and values are interpolated.
    """

    least: ClassVar[int] = 2
    looks: ClassVar[int] = 3

    def __init__(self, task: Task, spec: "Extrapolation") -> None:
        super().__init__(task)
        self.spec = spec

    def nowcast(self, past: Past) -> Future:
        """The last frame at each lead; NaN where it comes from beyond the edge."""
        velocity = self.velocity(past, method=self.spec.motion)
        return self.along(self.frames(past), velocity)

    def along(self, frames: Frames, velocity: Velocity) -> Future:
        """The last of some frames, carried along by a motion that is known."""
        leads, mode = self.task.leads, self.spec.interpolation
        fields = zip(self.amounts(frames), velocity, strict=True)
        made = [extrapolated(f, v[None], leads, mode=mode) for f, v in fields]
        return self.physical(torch.stack(made))


@dataclass(frozen=True)
class Extrapolation(Untrained):
    """
    The last frame, carried along by the motion of the last three.

    Of frames that are less than five minutes apart every other is taken, or fewer.
    Amounts stay what they are: no storm grows or decays. What comes from beyond the
    edge of the domain is missing, not dry.

    Parameters
    ----------
    motion
        How motion is found: `"lucas-kanade"` or `"spectral"`; see
        `stormfusion.classical.motion`.
    interpolation
        Between pixels, in the target's units: `"bilinear"`, `"nearest"` or `"bicubic"`;
        see `stormfusion.classical.carried`.

    Raises
    ------
    ValueError
        If one of them is not known.

    Examples
    --------
    >>> from stormfusion import Catalog, Nowcaster
    >>> event = Catalog.synthetic(events=1, size=64)[0]
    >>> Nowcaster("extrapolation").predict(event).vil.sizes["lead"]
    12
    """

    motion: Method = "lucas-kanade"
    interpolation: Mode = "bilinear"

    name: ClassVar[str] = "extrapolation"
    module: ClassVar[type[Classic]] = Carried

    def __post_init__(self) -> None:
        checked("motion", self.motion, get_args(Method))
        checked("interpolation", self.interpolation, get_args(Mode))

    def build(self, task: Task) -> Classic:
        """The nowcast of a task."""
        return Carried(task, self)


def checked(name: str, value: object, known: tuple[object, ...]) -> None:
    """
    Make sure that an option is one of those there are.

    Examples
    --------
    >>> checked("motion", "farneback", ("lucas-kanade", "spectral"))
    Traceback (most recent call last):
    ValueError: motion is 'farneback', wanted one of 'lucas-kanade', 'spectral'
    """
    if value not in known:
        raise ValueError(
            f"{name} is {value!r}, wanted one of {', '.join(map(repr, known))}"
        )
