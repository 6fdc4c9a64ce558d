"""STEPS: extrapolation that forgets small scales, and makes new ones."""

from dataclasses import dataclass
from numbers import Integral
from typing import ClassVar, get_args

import torch

from stormfusion.classical.classic import WET, Classic, Untrained
from stormfusion.classical.extrapolation import checked
from stormfusion.classical.flow import Method
from stormfusion.classical.perturbations import MotionErrors
from stormfusion.classical.scenarios import Scenarios, Texture
from stormfusion.data.task import Task
from stormfusion.types import Future, Past


class Stochastic(Classic):
    """
    STEPS of one task.

    Parameters
    ----------
    task
        Target, leads, interval and spacing.
    spec
        Its options.
    """

    least: ClassVar[int] = 3
    looks: ClassVar[int] = 3
    samples: ClassVar[bool] = True

    def __init__(self, task: Task, spec: "Steps") -> None:
        super().__init__(task)
        self.spec = spec

    @classmethod
    def check_target(cls, target: str) -> None:
        """Raise `ValueError` for one that is not rain, or like it."""
        if target not in WET:
            raise ValueError(
                f"the target is {target!r}, 'steps' forecasts one of "
                f"{', '.join(WET)}; take 'extrapolation' for others"
            )

    def nowcast(self, past: Past) -> Future:
        """S-PROG: the mean of all futures, with the amounts of the last frame."""
        made = [self.scenarios(one[None]).mean() for one in past]
        return self.physical(torch.stack(made))

    def scenarios(self, past: Past) -> Scenarios:
        """The futures of one past."""
        frames = self.frames(past)
        return Scenarios(
            frames,
            self.amounts(frames)[0],
            self.velocity(past, method=self.spec.motion),
            self.wet(),
            leads=self.task.leads,
            interval=self.task.interval,
            spacing=sum(self.task.spacing) / 2,
            levels=self.spec.levels,
            apart=self.apart(past),
            noise=self.spec.noise,
            errors=MotionErrors() if self.spec.motion_errors else None,
        )


@dataclass(frozen=True)
class Steps(Untrained):
    """
    STEPS: an ensemble by extrapolation, a cascade of scales and noise of their texture.

    `predict` gives S-PROG, what of the last frame is still known at each lead; members
    come from noise, see `stormfusion.classical.Scenarios`. Both have the distribution
    of the amounts in the last frame. Three frames are looked at, some five minutes
    apart if they come more often. Nothing is trained, and `fit` is not needed.

    Parameters
    ----------
    levels
        Of the cascade, from 2.
    motion
        How motion is found: `"lucas-kanade"` or `"spectral"`.
    noise
        Texture of the noise: `"global"`, that of the whole field, or `"local"`, that of
        the rain nearby, which is closer to nature and takes two to three times as long;
        see `stormfusion.classical.LocalNoise`.
    motion_errors
        Whether each member has a motion of its own.

    Raises
    ------
    ValueError
        If one of them is out of range.

    References
    ----------
    Bowler, N. E., C. E. Pierce, and A. W. Seed, 2006: STEPS: A probabilistic
    precipitation forecasting scheme which merges an extrapolation nowcast with
    downscaled NWP. *Quart. J. Roy. Meteor. Soc.*, **132**, 2127-2155,
    <https://doi.org/10.1256/qj.04.100>.

    Seed, A. W., 2003: A dynamic and spatial scaling approach to advection forecasting.
    *J. Appl. Meteor.*, **42**, 381-388,
    <https://doi.org/10.1175/1520-0450(2003)042%3C0381:ADASSA%3E2.0.CO;2>.

    Examples
    --------
    >>> from stormfusion import Catalog, Nowcaster
    >>> event = Catalog.synthetic(events=1, size=64)[0]
    >>> Nowcaster(Steps(levels=5)).ensemble(event, members=4)
    <Ensemble of 4 members: vil, 12 leads on 64 x 64 pixels>
    """

    levels: int = 6
    motion: Method = "lucas-kanade"
    noise: Texture = "global"
    motion_errors: bool = True

    name: ClassVar[str] = "steps"
    module: ClassVar[type[Classic]] = Stochastic

    def __post_init__(self) -> None:
        given: object = self.levels
        whole = isinstance(given, Integral) and not isinstance(given, bool)
        if not whole or self.levels < 2:
            raise ValueError(
                f"levels is {self.levels!r}, wanted a whole number, 2 or more"
            )
        checked("motion", self.motion, get_args(Method))
        checked("noise", self.noise, get_args(Texture))
        checked("motion_errors", self.motion_errors, (True, False))

    def build(self, task: Task) -> Classic:
        """The nowcast of a task."""
        return Stochastic(task, self)
