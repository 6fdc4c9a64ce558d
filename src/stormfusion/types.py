"""Shapes of the bare tensors inside networks, losses and the engine."""

from typing import TypeAlias

from jaxtyping import Bool, Float
from torch import Tensor

Past: TypeAlias = Float[Tensor, "batch time channel y x"]
"""Network numbers of the inputs: a value and a validity channel per variable."""

Future: TypeAlias = Float[Tensor, "batch lead y x"]
"""Network numbers of the target variable, one frame per lead time."""

Members: TypeAlias = Float[Tensor, "batch member lead y x"]
"""Network numbers of the target variable, several forecasts of it."""

Valid: TypeAlias = Bool[Tensor, "batch lead y x"]
"""True where the target was observed."""

Scalar: TypeAlias = Float[Tensor, ""]
"""A loss."""
