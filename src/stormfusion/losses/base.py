"""What all losses share: missing data, and the algebra of weighted sums."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal, Self, Union

import torch

from stormfusion.losses.fields import check_fields
from stormfusion.losses.weights import checked_weight, weight_text
from stormfusion.types import Future, Members, Scalar, Valid


class Loss(ABC):
    """
    A distance between forecast and observation that training makes smaller.

    A loss is called with `forecast`, `observed` and `valid`. Where `valid` is false
    neither value nor gradient depends on the pixel, whatever it holds, NaN included;
    with no valid pixel at all both are exactly zero. Every loss is a mean, so its
    size depends neither on the map nor on the batch, and is computed in float32
    whatever the precision of the forecast.

    Losses add and take weights: `MSE() + 0.1 * SSIM()`.

    A loss of your own is a frozen dataclass with a `name`, a `kind` and a `compare`.

    Raises
    ------
    ValueError
        If the three are not `(batch, lead, y, x)`, differ in shape, as they never
        broadcast, or are smaller than `least`.

    Examples
    --------
    >>> from stormfusion.losses.fields import mean
    >>> @dataclass(frozen=True)
    ... class Bias(Loss):
    ...     name = "bias"
    ...     kind = "shaping"
    ...
    ...     def compare(self, forecast, observed, valid):
    ...         return mean(forecast - observed, valid).abs()
    >>> from stormfusion.losses import MSE
    >>> str(MSE() + 0.5 * Bias())
    'mse+0.5*bias'
    >>> observed = torch.zeros(1, 1, 2, 2)
    >>> valid = torch.tensor([[[[True, True], [True, False]]]])
    >>> Bias()(torch.full((1, 1, 2, 2), 0.25), observed, valid)
    tensor(0.2500)
    """

    name: ClassVar[str]
    """What a recipe calls the loss."""

    kind: ClassVar[Literal["pixel", "shaping"]]
    """A pixel loss stands alone; a shaping loss refines one and is balanced with it."""

    share: ClassVar[float] = 0.3
    """Gradient of a balanced shaping loss, as a multiple of that of the pixel terms."""

    frames: ClassVar[int] = 1
    """Leads that it compares at once, at least."""

    members: ClassVar[bool] = False
    """Whether it also compares forecasts of `(batch, member, lead, y, x)`."""

    @abstractmethod
    def compare(self, forecast: Future, observed: Future, valid: Valid) -> Scalar:
        """
        Compute the loss from float32 fields that are zero where not valid.

        Parameters
        ----------
        forecast, observed
            Network numbers.
        valid
            Where `observed` was observed. Other pixels must not count: `mean` leaves
            them out.

        Returns
        -------
        Scalar
            The loss.
        """

    def prepare(self) -> None:  # noqa: B027  # most losses have nothing to load
        """
        Load what the loss compares by, where it does: before training, not in it.

        Raises
        ------
        WeightsError
            If its weights are not to be had.
        """

    def bound(self, variable: str) -> Self:
        """The loss of the numbers of a variable: itself, if it need not know which."""
        del variable
        return self

    @property
    def least(self) -> int:
        """Rows and columns that a map must have, at least [pixels]."""
        return 1

    def beware(self, variable: str) -> str | None:
        """A sentence on what is wrong with comparing a variable by it, if anything."""
        return None

    @property
    def digest(self) -> str | None:
        """SHA-256 of the weights that it compares by, where it has some."""
        return None

    def options(self) -> dict[str, Any] | None:
        """
        What the loss was made with, as JSON holds it, for a checkpoint.

        Returns
        -------
        dict, optional
            Arguments that make an equal loss; none where they are no numbers or text.
        """
        return asdict(self)  # type: ignore[call-overload, no-any-return]  # every loss is a dataclass

    def __call__(
        self, forecast: Future | Members, observed: Future, valid: Valid
    ) -> Scalar:
        """Compare, in float32, what is valid."""
        check_fields(
            self.name, self.least, forecast, observed, valid, members=self.members
        )
        each = valid if forecast.ndim == valid.ndim else valid[:, None]
        with torch.autocast(forecast.device.type, enabled=False):
            forecast, observed = forecast.float(), observed.float()
            dry = torch.zeros((), device=forecast.device)
            return self.compare(
                torch.where(each, forecast, dry),
                torch.where(valid, observed, dry),
                valid,
            )

    def __add__(self, other: "Loss | WeightedSum") -> "WeightedSum":
        return WeightedSum.of(self) + other

    def __mul__(self, weight: float) -> "WeightedSum":
        return WeightedSum((Weighted(self, weight),))

    __rmul__ = __mul__

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Weighted:
    """
    A loss and its weight in a sum.

    Parameters
    ----------
    loss
        The loss.
    weight
        A finite number above zero. Without one a pixel loss weighs 1, and a shaping
        loss waits for `balance`.

    Raises
    ------
    ValueError
        If the weight is not a finite number above zero.

    Examples
    --------
    >>> from stormfusion.losses import MSE, SSIM
    >>> Weighted(MSE()).weight, Weighted(SSIM()).weight
    (1.0, None)
    """

    loss: Loss
    weight: float | None = None

    def __post_init__(self) -> None:
        weight = self.weight
        if weight is None:
            weight = 1.0 if self.loss.kind == "pixel" else None
        else:
            weight = checked_weight(self.loss.name, weight)
        object.__setattr__(self, "weight", weight)

    def __str__(self) -> str:
        implied = self.loss.kind == "pixel" and self.weight == 1.0
        if self.weight is None or implied:
            return self.loss.name
        return f"{weight_text(self.weight)}*{self.loss.name}"


@dataclass(frozen=True)
class WeightedSum:
    r"""
    A sum of losses, each with its weight.

    $$L = \sum_i w_i L_i$$

    Made by writing `MSE() + 0.1 * SSIM()`. Two sums are equal if they have equal
    losses and weights in the same order.

    Parameters
    ----------
    terms
        The losses and their weights, of different names.

    Raises
    ------
    ValueError
        If there is no term, or two of them share a name.

    Examples
    --------
    >>> from stormfusion.losses import GDL, MSE, SSIM
    >>> loss = MSE() + 0.1 * SSIM() + GDL()
    >>> str(loss)
    'mse+0.1*ssim+gdl'
    >>> loss.weights
    {'mse': 1.0, 'ssim': 0.1, 'gdl': None}

    The weight of the last is found by `balance`, which needs a forecast. Here it is
    given:

    >>> forecast, observed = torch.rand(2, 1, 1, 16, 16)
    >>> parts = loss.parts(forecast, observed, torch.ones(1, 1, 16, 16).bool())
    >>> list(parts)
    ['mse', 'ssim', 'gdl']
    >>> total = loss.total(parts, {"gdl": 0.5})
    >>> bool(total == parts["mse"] + 0.1 * parts["ssim"] + 0.5 * parts["gdl"])
    True
    """

    terms: tuple[Weighted, ...]

    def __post_init__(self) -> None:
        names = [term.loss.name for term in self.terms]
        if not names:
            raise ValueError("a sum of losses needs at least one, but got none")
        for name in names:
            if names.count(name) > 1:
                raise ValueError(
                    f"{name!r} stands {names.count(name)} times in the sum "
                    f"{'+'.join(names)!r}; write it once, with the weight of all"
                )

    @classmethod
    def of(cls, loss: Union[Loss, "WeightedSum"]) -> "WeightedSum":
        """
        Read a single loss as a sum of one; a sum stays as it is.

        Parameters
        ----------
        loss
            A loss or a sum.

        Returns
        -------
        WeightedSum
            The sum.

        Raises
        ------
        TypeError
            If it is neither.

        Examples
        --------
        >>> from stormfusion.losses import MSE
        >>> WeightedSum.of(MSE()) == 1.0 * MSE()
        True
        """
        if isinstance(loss, WeightedSum):
            return loss
        if isinstance(loss, Loss):
            return cls((Weighted(loss),))
        raise TypeError(
            f"expected a loss such as MSE() or MSE() + 0.1 * SSIM(), but got {loss!r}"
        )

    @property
    def weights(self) -> dict[str, float | None]:
        """Weight by name; `None` for the terms that `balance` must weigh."""
        return {term.loss.name: term.weight for term in self.terms}

    @property
    def unbalanced(self) -> tuple[str, ...]:
        """Names of the terms that `balance` must weigh."""
        return tuple(t.loss.name for t in self.terms if t.weight is None)

    def bound(self, variable: str) -> "WeightedSum":
        """The sum with each loss bound to a variable; see `Loss.bound`."""
        return WeightedSum(
            tuple(Weighted(t.loss.bound(variable), t.weight) for t in self.terms)
        )

    def parts(
        self, forecast: Future, observed: Future, valid: Valid
    ) -> dict[str, Scalar]:
        """
        Compute every term, without its weight.

        Parameters
        ----------
        forecast, observed
            Network numbers.
        valid
            Where `observed` was observed.

        Returns
        -------
        dict of str to Scalar
            The losses by name.
        """
        return {t.loss.name: t.loss(forecast, observed, valid) for t in self.terms}

    def total(
        self, parts: Mapping[str, Scalar], weights: Mapping[str, float]
    ) -> Scalar:
        """
        Add the parts up, each with its weight.

        Parameters
        ----------
        parts
            The losses by name, from `parts`.
        weights
            Weights of the terms that have none written, from `balance`. Empty if all
            have one.

        Returns
        -------
        Scalar
            The weighted sum.

        Raises
        ------
        ValueError
            If `weights` lacks a term, or weighs one whose weight is written.
        """
        if set(weights) != set(self.unbalanced):
            raise ValueError(
                f"the terms of {str(self)!r} without a written weight are "
                f"{list(self.unbalanced)}, but got weights for {sorted(weights)}; "
                f"pass what balance() returned"
            )
        addends = [
            parts[t.loss.name]
            * (weights[t.loss.name] if t.weight is None else t.weight)
            for t in self.terms
        ]
        return sum(addends[1:], start=addends[0])

    def __call__(self, forecast: Future, observed: Future, valid: Valid) -> Scalar:
        """Add up the terms, all of which need a written weight."""
        return self.total(self.parts(forecast, observed, valid), {})

    def __add__(self, other: Union[Loss, "WeightedSum"]) -> "WeightedSum":
        if not isinstance(other, Loss | WeightedSum):
            return NotImplemented
        return WeightedSum(self.terms + WeightedSum.of(other).terms)

    def __mul__(self, weight: float) -> "WeightedSum":
        if self.unbalanced:
            raise ValueError(
                f"{str(self)!r} times {weight!r} says nothing about "
                f"{self.unbalanced[0]!r}, which is balanced with the rest; write its "
                f"weight in the sum"
            )
        factor = checked_weight(str(self), weight)
        return WeightedSum(
            tuple(Weighted(t.loss, factor * (t.weight or 1.0)) for t in self.terms)
        )

    __rmul__ = __mul__

    def __str__(self) -> str:
        return "+".join(str(term) for term in self.terms)
