"""A nowcast without training run on a storm: its labels and its members."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor
from tqdm.auto import tqdm

from stormfusion.classical import Classic
from stormfusion.data.event import Frames
from stormfusion.data.labels import forecast_array
from stormfusion.data.scaling import scaling_for
from stormfusion.data.task import Task
from stormfusion.sampling.dressing import Dressing
from stormfusion.sampling.forecast import Forecast, mixed_seed, outward, rounded
from stormfusion.types import Past


@dataclass(frozen=True, eq=False)
class ClassicForecast:
    """
    A forecast from the last frames, in physical values, with what labels it.

    It has the face of a `Forecast`.
    """

    classic: Classic
    past: Past
    task: Task
    frames: Frames
    reference_time: pd.Timestamp
    stale: int = 0
    """How many of the last frames seen hold nothing at all."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Leads, rows and columns."""
        height, width = self.past.shape[-2:]
        return self.task.leads, height, width

    def label(self, values: NDArray[np.float32]) -> xr.DataArray:
        """Physical values, of this forecast or of its members, with their labels."""
        return forecast_array(values, self.task, self.frames.grid, self.reference_time)

    def array(self) -> xr.DataArray:
        """The forecast itself, labelled."""
        values = rounded(self._values.cpu().numpy(), self.task.target)
        return self.label(outward(values, self.frames.grid))

    def members(
        self, dressing: Dressing | None, members: range, *, seed: int
    ) -> Iterator[NDArray[np.float32]]:
        """Members one after the other: its own, or the forecast dressed in errors."""
        with torch.inference_mode():
            scenarios = self.classic.scenarios(self.past)
        if scenarios is None:
            yield from self._plain().members(dressing, members, seed=seed)
            return
        mixed = mixed_seed(seed, self.reference_time)
        for number in tqdm(members, desc="members", delay=3, leave=False):
            # a context around the yield would hold in the caller's code, too
            with torch.inference_mode():
                drawn = self.classic.physical(scenarios.member(number, seed=mixed))
                drawn = self._stored(drawn)
            yield outward(drawn.cpu().numpy(), self.frames.grid)

    @cached_property
    def _values(self) -> Tensor:
        with torch.inference_mode():
            return self.classic.nowcast(self.past)[0]

    def _plain(self) -> Forecast:
        """The same in network numbers."""
        numbers = scaling_for(self.task.target).normalize(self._values)
        missing = numbers.isnan()
        return Forecast(
            numbers.nan_to_num(0.0),
            missing.cpu().numpy(),
            self.task,
            self.frames,
            self.reference_time,
        )

    def _stored(self, values: Tensor) -> Tensor:
        """VIL as one of the 256 values that SEVIR stores."""
        if self.task.target != "vil":
            return values
        scaling = scaling_for("vil")
        return scaling.denormalize((255 * scaling.normalize(values)).round() / 255)
