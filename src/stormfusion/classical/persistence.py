"""Persistence: the last observed frame, for every lead time."""

from dataclasses import dataclass
from typing import ClassVar

from stormfusion.classical.classic import Classic, Untrained
from stormfusion.data.task import Task
from stormfusion.types import Future, Past


class LastFrame(Classic):
    """The last frame, again and again; missing where it is."""

    def nowcast(self, past: Past) -> Future:
        """The last frame for each lead."""
        last = self.scaling.denormalize(self.frames(past)[:, -1])
        return last[:, None].repeat(1, self.task.leads, 1, 1)


@dataclass(frozen=True)
class Persistence(Untrained):
    """
    The baseline every nowcast must beat: tomorrow is as today.

    Examples
    --------
    >>> from stormfusion import Catalog, Nowcaster
    >>> event = Catalog.synthetic(events=1, size=64)[0]
    >>> forecast = Nowcaster(Persistence()).predict(event).vil
    >>> bool((forecast.isel(lead=11) == event["vil"].isel(time=-1).values).all())
    True
    """

    name: ClassVar[str] = "persistence"
    module: ClassVar[type[Classic]] = LastFrame

    def build(self, task: Task) -> Classic:
        """The nowcast of a task."""
        return LastFrame(task)
