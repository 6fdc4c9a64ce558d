"""A network run on a storm: one forecast, its labels and its members."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor
from tqdm.auto import tqdm

from stormfusion.data.event import Frames
from stormfusion.data.labels import forecast_array
from stormfusion.data.scaling import scaling_for
from stormfusion.data.task import Task
from stormfusion.grids import Grid
from stormfusion.sampling.dressing import Dressing


@dataclass(frozen=True, eq=False)
class Forecast:
    """
    A deterministic forecast in network numbers, with what labels it.

    Inside, its first row is in the north and its first column in the west; what leaves
    it, `array` and `members`, has the order of the data's own rows and columns.
    """

    numbers: Tensor
    missing: NDArray[np.bool_]
    task: Task
    frames: Frames
    reference_time: pd.Timestamp
    stale: int = 0
    """How many of the last frames seen hold nothing at all."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Leads, rows and columns."""
        leads, height, width = self.numbers.shape
        return leads, height, width

    def label(self, values: NDArray[np.float32]) -> xr.DataArray:
        """Physical values, of this forecast or of its members, with their labels."""
        return forecast_array(values, self.task, self.frames.grid, self.reference_time)

    def array(self) -> xr.DataArray:
        """The forecast itself, labelled."""
        return self.label(outward(self._physical(self.numbers), self.frames.grid))

    def members(
        self, dressing: Dressing | None, members: range, *, seed: int
    ) -> Iterator[NDArray[np.float32]]:
        """
        Members, physical values one after the other.

        VIL is rounded to the 256 values that SEVIR stores.
        """
        assert dressing is not None
        mixed = mixed_seed(seed, self.reference_time)
        fitting = dressing.fitted_to(self.numbers)
        where = fitting.where.cpu().numpy()
        base = self._physical(self._stored(self.numbers))
        hole = np.broadcast_to(self.missing, base.shape).ravel()[where]
        target = self.task.target
        for number in tqdm(members, desc="members", delay=3, leave=False):
            # a context around the yield would hold in the caller's code, too
            with torch.inference_mode():
                drawn = self._stored(fitting.draw(number, mixed))
                values = physical(drawn, target)
            values[hole] = np.nan
            member = base.copy()
            member.ravel()[where] = values
            yield outward(member, self.frames.grid)

    def _physical(self, numbers: Tensor) -> NDArray[np.float32]:
        """Physical values of network numbers, NaN where nothing was seen."""
        values = physical(numbers, self.task.target)
        return np.where(self.missing, np.float32(np.nan), values)

    def _stored(self, numbers: Tensor) -> Tensor:
        return (255 * numbers).round() / 255 if self.task.target == "vil" else numbers


def physical(numbers: Tensor, variable: str) -> NDArray[np.float32]:
    """
    Physical values of network numbers, as events compare them with a threshold.

    What was a hundredth on disk comes back from the logarithm within a millionth of it.
    So values are rounded, to a ten-thousandth below 10 and a thousandth above: a value
    that was on a threshold is on it again. VIL goes through a table and stays.

    Examples
    --------
    >>> physical(scaling_for("rain_rate").normalize(torch.tensor([4.97])), "rain_rate")
    array([4.97], dtype=float32)
    """
    values = scaling_for(variable).denormalize(numbers.float())
    return rounded(values.cpu().numpy(), variable)


def rounded(values: NDArray[np.float32], variable: str) -> NDArray[np.float32]:
    """
    Physical values as `physical` rounds them.

    Examples
    --------
    >>> rounded(np.array([4.9999995], dtype=np.float32), "rain_rate")
    array([5.], dtype=float32)
    """
    if variable == "vil":
        return values
    return np.where(np.abs(values) < 10, values.round(4), values.round(3))


def mixed_seed(seed: int, reference_time: pd.Timestamp) -> int:
    """
    A seed that differs from forecast to forecast.

    Examples
    --------
    >>> one, other = pd.Timestamp("2020-01-01"), pd.Timestamp("2020-01-02")
    >>> mixed_seed(0, one) == mixed_seed(0, other)
    False
    """
    when = int(reference_time.timestamp()) % 2**32
    return int(np.random.SeedSequence((seed, when)).generate_state(1)[0])


def outward(values: NDArray[np.float32], grid: Grid) -> NDArray[np.float32]:
    """Values with the north in their first row, in the order of a grid's own rows."""
    return np.ascontiguousarray(np.flip(values, grid.flips))
