"""What a model maps: from which frames of what, to which."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stormfusion.data.event import Event
from stormfusion.data.scaling import scaling_for
from stormfusion.errors import CatalogError, GridMismatchError

RADAR = ("vil", "reflectivity", "rain_rate", "rain", "mesh")
TOLERANCE = 0.15
DERIVED = ("extrapolation", "motion")
"""Inputs that are no variables: what the target's own past tells of where it goes."""


@dataclass(frozen=True)
class Task:
    """
    What a model maps.

    Parameters
    ----------
    inputs
        Variables it sees, on grids of their own; the target first where it is one.
    target
        Variable it forecasts.
    history
        Number of observed frames it sees.
    leads
        Number of frames it forecasts.
    interval
        Time between frames [s].
    spacing
        Distance between rows and between columns of the target's grid [m]; of a grid in
        degrees that at its centre.
    first_lead
        Intervals from the last observed frame to the first forecast one: 1 for a
        nowcast, 0 for a model that maps other variables at the same time.
    degrees
        Distance between rows and between columns [degrees], where the target's grid is
        one of latitudes and longitudes.
    derived
        What the model sees besides, computed from the target's past in its inputs:
        `"extrapolation"`, `"motion"` or both.

    Raises
    ------
    ValueError
        If a number is out of range, or a variable is unknown or named twice; if
        something is derived of a target that is no input, or of one frame.

    Examples
    --------
    >>> Task(("ir107", "vil"), "vil", 13, 12, 300, (1000.0, 1000.0)).inputs
    ('vil', 'ir107')
    """

    inputs: tuple[str, ...]
    target: str
    history: int
    leads: int
    interval: int
    spacing: tuple[float, float]
    first_lead: int = 1
    degrees: tuple[float, float] | None = None
    derived: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        least = {"history": 1, "leads": 1, "interval": 1, "first_lead": 0}
        for name, low in least.items():
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or value < low:
                noun = "seconds" if name == "interval" else "frames"
                raise ValueError(
                    f"{name} is {value!r}, wanted a whole number of {noun}, {low} or "
                    "more"
                )
            object.__setattr__(self, name, int(value))
        if not self.inputs:
            raise ValueError(
                "inputs are empty, wanted at least one variable, such as ('vil',)"
            )
        if len(set(self.inputs)) != len(self.inputs):
            raise ValueError(
                f"inputs {self.inputs!r} name a variable twice; name each once"
            )
        for variable in (*self.inputs, self.target):
            scaling_for(variable)
        rest = tuple(v for v in self.inputs if v != self.target)
        known = self.target in self.inputs
        object.__setattr__(self, "inputs", (self.target, *rest) if known else rest)
        check_derived(self.derived, self.inputs, self.target, history=self.history)
        derived = tuple(name for name in DERIVED if name in self.derived)
        object.__setattr__(self, "derived", derived)
        object.__setattr__(self, "spacing", tuple(float(s) for s in self.spacing))
        if self.degrees is not None:
            object.__setattr__(self, "degrees", tuple(float(s) for s in self.degrees))

    @property
    def autoregressive(self) -> bool:
        """Whether the target's own past is among the inputs."""
        return self.target in self.inputs

    @property
    def seen(self) -> tuple[str, ...]:
        """All inputs, as `inputs=` of a nowcaster names them."""
        return (*self.inputs, *self.derived)

    @property
    def channels(self) -> int:
        """Channels of the observed frames: a value and a validity for each variable."""
        return 2 * len(self.inputs)

    @property
    def frames(self) -> int:
        """Frames from the first input to the last target."""
        return self.history + self.first_lead + self.leads - 1

    def lead_times(self) -> NDArray[np.timedelta64]:
        """Lead times, as timedelta64."""
        counts = np.arange(self.first_lead, self.first_lead + self.leads)
        return (
            (counts * self.interval).astype("timedelta64[s]").astype("timedelta64[ns]")
        )

    def to_header(self) -> dict[str, Any]:
        """What a checkpoint holds of the task."""
        return asdict(self)

    @classmethod
    def from_header(cls, header: dict[str, Any]) -> "Task":
        """
        The task a checkpoint holds.

        Examples
        --------
        >>> task = Task(("vil",), "vil", 13, 12, 300, (1000.0, 1000.0))
        >>> Task.from_header(task.to_header()) == task
        True
        """
        values = dict(header)
        values["inputs"] = tuple(values["inputs"])
        return cls(**values)

    @classmethod
    def infer(
        cls,
        events: Sequence[Event],
        *,
        inputs: Sequence[str] | None = None,
        target: str | None = None,
        history: int = 13,
        leads: int = 12,
    ) -> "Task":
        """
        Complete a task from what the events hold.

        Parameters
        ----------
        events
            Those to learn from; the interval and spacing of the target are theirs.
        inputs
            Variables that the model sees, and what is derived from the target; the
            target by default.
        target
            Variable to forecast; by default the radar variable that the events hold.
        history, leads
            Number of frames that are seen and forecast.

        Raises
        ------
        CatalogError
            If no event holds the variables, or if the target's interval differs
            between events.
        GridMismatchError
            If the target's spacing differs between events.

        Examples
        --------
        >>> from stormfusion import Catalog
        >>> Task.infer(list(Catalog.synthetic(events=1, size=64))).interval
        300
        """
        held = list(dict.fromkeys(v for event in events for v in event.variables))
        if target is None:
            target = next((v for v in RADAR if v in held), None)
            if target is None:
                raise CatalogError(
                    f"the catalog holds {', '.join(held) or 'no variable'} and no "
                    "radar variable; name what to forecast with target="
                )
        if isinstance(inputs, str):
            inputs = (inputs,)
        variables, derived = separated((target,) if inputs is None else inputs)
        if derived and not variables:
            variables = (target,)
        for variable in (target, *variables):
            if variable not in held:
                raise CatalogError(lacks("the catalog", held, variable))
        frames = [e.frames[target] for e in events if target in e.frames]
        intervals = [interval(f.time) for f in frames if f.time.size > 1]
        if not intervals:
            raise CatalogError(
                f"no event has two frames of {target!r}, which tell the interval; open "
                "data with two or more times"
            )
        if len(set(intervals)) > 1:
            apart = ", ".join(map(str, sorted(set(intervals))))
            raise CatalogError(
                f"frames of {target!r} are {apart} s apart in different events, wanted "
                "one interval; select events of one interval with catalog.where"
            )
        grid = frames[len(frames) // 2].grid
        task = cls(
            variables,
            target,
            history,
            leads,
            intervals[0],
            grid.spacing,
            degrees=grid.steps if grid.degrees else None,
            derived=derived,
        )
        for event in events:
            if target in event.frames:
                task.check(event)
        return task

    def check(self, event: Event) -> None:
        """
        Make sure that an event has the spacing and interval of this task.

        Parameters
        ----------
        event
            The storm that the model shall forecast.

        Raises
        ------
        GridMismatchError
            If the spacing differs by more than 15 %. Grids of the same step in degrees
            are alike, though their columns lie closer in the north than in the south.
        CatalogError
            If the interval differs or the target is absent.

        Examples
        --------
        >>> from stormfusion import Catalog
        >>> event = Catalog.synthetic(events=1, size=64, spacing=2000.0)[0]
        >>> Task(("vil",), "vil", 13, 12, 300, (1000.0, 1000.0)).check(event)
        Traceback (most recent call last):
        stormfusion.errors.GridMismatchError: event 'synthetic-0-0000' has 2000 m ...
        """
        if self.target in event.frames:
            frames = event.frames[self.target]
        elif self.autoregressive:
            held = event.variables
            raise CatalogError(lacks(f"event {event.id!r}", held, self.target))
        else:
            frames = next(iter(event.frames.values()))
        grid = frames.grid
        same = (
            grid.degrees
            and self.degrees is not None
            and np.allclose(grid.steps, self.degrees, rtol=0.01, atol=0.0)
        )
        pairs = zip("yx", grid.spacing, self.spacing, strict=True)
        for axis, got, wanted in () if same else pairs:
            if abs(got - wanted) > TOLERANCE * wanted:
                thousandth = any(
                    abs(got * factor - wanted) <= TOLERANCE * wanted
                    for factor in (1e3, 1e-3)
                )
                advice = (
                    f"correct the units of {axis}, where metres and kilometres seem to "
                    "be confused"
                    if thousandth
                    else "regrid the data, or fit a model on data like it"
                )
                raise GridMismatchError(
                    f"event {event.id!r} has {got:.6g} m between points in {axis}, the "
                    f"model was made for {wanted:.6g} m; {advice}"
                )
        if frames.time.size > 1 and interval(frames.time) != self.interval:
            raise CatalogError(
                f"event {event.id!r} has frames {interval(frames.time)} s apart, the "
                f"model was made for {self.interval} s; select frames at that interval"
            )


def separated(inputs: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """
    The variables among inputs, and what is derived from the target.

    Examples
    --------
    >>> separated(("vil", "motion", "ir107"))
    (('vil', 'ir107'), ('motion',))
    """
    variables = tuple(name for name in inputs if name not in DERIVED)
    return variables, tuple(name for name in inputs if name in DERIVED)


def check_derived(
    derived: Sequence[str],
    variables: Sequence[str],
    target: str | None,
    *,
    history: int,
) -> None:
    """
    Make sure that what is derived from the target's past can be.

    Parameters
    ----------
    derived, variables
        The two kinds of inputs; without variables the target is one.
    target
        Variable to forecast, if it is known.
    history
        Number of observed frames.

    Raises
    ------
    ValueError
        If something else is to be derived, or twice; if the target is not among the
        variables, or the frames are fewer than two.

    Examples
    --------
    >>> check_derived(("motion",), ("vil",), "vil", history=1)
    Traceback (most recent call last):
    ValueError: history is 1, 'motion' is derived from 2 frames or more; give as many...
    """
    if any(name not in DERIVED for name in derived) or len(set(derived)) < len(derived):
        raise ValueError(
            f"{tuple(derived)!r} is to be derived, wanted some of {DERIVED!r}, each "
            "once"
        )
    if derived and history < 2:
        raise ValueError(
            f"history is {history}, {derived[0]!r} is derived from 2 frames or more; "
            "give as many, or leave it out of the inputs"
        )
    if derived and variables and target is not None and target not in variables:
        raise ValueError(
            f"inputs are {(*variables, *derived)!r}, but {derived[0]!r} is derived "
            f"from the past of the target, {target!r}; name that among them"
        )


def lacks(what: str, held: Sequence[str], wanted: str) -> str:
    """
    A sentence for data without the variable that a model needs.

    Examples
    --------
    >>> lacks("the catalog", ("reflectivity",), "rain_rate")
    "the catalog has no variable 'rain_rate', it has reflectivity; convert it ..."
    """
    advice = "choose among them, or rename one"
    other = {"rain_rate": "reflectivity", "reflectivity": "rain_rate"}.get(wanted)
    if other in held:
        advice = f"convert it with stormfusion.units.{other}_to_{wanted}"
    there = ", ".join(held) or "none"
    return f"{what} has no variable {wanted!r}, it has {there}; {advice}"


def interval(time: NDArray[np.datetime64]) -> int:
    """
    The usual time between frames [s], rounded to 10 s where that changes little.

    Examples
    --------
    >>> interval(np.array(["2019-06-01T00:00", "2019-06-01T00:05"], "datetime64[ns]"))
    300
    """
    step = float(np.median(np.diff(time) / np.timedelta64(1, "s")))
    tens = 10 * round(step / 10)
    return tens if abs(tens - step) <= 0.05 * abs(step) else round(step)


def regular(time: NDArray[np.datetime64], seconds: int) -> NDArray[np.bool_]:
    """
    True for each step between frames that takes `seconds`, give or take a tenth.

    Examples
    --------
    >>> minutes = np.array([0, 5, 15], "timedelta64[m]")
    >>> regular(np.datetime64("2019-06-01", "ns") + minutes, 300)
    array([ True, False])
    """
    steps = np.diff(time) / np.timedelta64(1, "s")
    return np.asarray(np.abs(steps - seconds) <= 0.1 * seconds)
