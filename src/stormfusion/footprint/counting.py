"""What is counted of members as they come: events, moments, and who knows a pixel."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stormfusion.footprint.agreement import Agreement

Event = NDArray[np.bool_] | NDArray[np.float32]


class Known:
    """
    How many members know each pixel, or their weight; one number while all know all.

    Parameters
    ----------
    shape
        Of a member: lead, y and x.
    dtype
        Of the counts: floating where members have weights of their own.
    """

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        self.shape = shape
        self.dtype = dtype
        self.total: Any = dtype(0)
        self.square: Any = np.float32(0)
        self.leads: NDArray[Any] | None = None
        self.window: NDArray[Any] | None = None
        self.squares: NDArray[np.float32] | None = None

    def add(
        self,
        known: NDArray[np.bool_] | None,
        always: NDArray[np.bool_] | None,
        weight: float,
    ) -> None:
        """Count a member; None where it knows all."""
        before, one = self.total, self.dtype(weight)
        square, squared = self.square, np.float32(weight * weight)
        self.total = self.dtype(before + one)
        self.square = square + squared
        if known is None and self.leads is None:
            return
        if self.leads is None or self.window is None:
            self.leads = np.full(self.shape, before, dtype=self.dtype)
            self.window = np.full(self.shape[1:], before, dtype=self.dtype)
            if issubclass(self.dtype, np.floating):
                self.squares = np.full(self.shape, square, dtype=np.float32)
        if known is None or always is None:
            self.leads += one
            self.window += one
            if self.squares is not None:
                self.squares += squared
            return
        for lead, there in enumerate(known):
            self.leads[lead] += there * one
            if self.squares is not None:
                self.squares[lead] += there * squared
        self.window += always * one

    def by_lead(self) -> Any:
        """Of each lead and pixel, or one number."""
        return self.total if self.leads is None else self.leads

    def in_window(self) -> Any:
        """Of each pixel, those that know it at all leads, or one number."""
        return self.total if self.window is None else self.window

    def squares_by_lead(self) -> Any:
        """Sum of the squares of their weights, of each lead and pixel, or one."""
        if self.leads is None:
            return self.square
        return self.leads if self.squares is None else self.squares


class Moments:
    r"""
    Mean and variance of members as they come, by Welford's updates.

    $m_k = m_{k-1} + (x_k - m_{k-1})\, w_k / W_k$ with $W_k$ the weight so far, and
    $S_k = S_{k-1} + w_k (x_k - m_{k-1})(x_k - m_k)$.

    Parameters
    ----------
    shape
        Of the fields.
    spread
        Whether the variance is wanted too.

    References
    ----------
    West, D. H. D., 1979: Updating mean and variance estimates: an improved method.
    *Comm. ACM*, **22**, 532-535.
    """

    def __init__(self, shape: tuple[int, ...], *, spread: bool = True) -> None:
        self.mean = np.zeros(shape, dtype=np.float32)
        self.excess = np.zeros(shape if spread else (0,), dtype=np.float32)

    def add(
        self,
        values: NDArray[np.float32],
        known: NDArray[np.bool_] | None,
        weight: float,
        total: Any,
    ) -> None:
        """Add a field; `total` is the weight that knows each pixel, with this one."""
        for lead, value in enumerate(values):
            mean = self.mean[lead]
            all_of_it = total if np.ndim(total) == 0 else np.maximum(total[lead], 1e-30)
            share = np.float32(weight) / np.asarray(all_of_it, dtype=np.float32)
            change = value - mean
            if known is not None:
                change[~known[lead]] = 0.0
            mean += change * share
            if not self.excess.size:
                continue
            left = value - mean
            left *= change
            if known is not None:
                left[~known[lead]] = 0.0
            if weight != 1.0:
                left *= np.float32(weight)
            self.excess[lead] += left

    def spread(self, known: Known) -> NDArray[np.float32]:
        r"""
        Standard deviation, NaN where fewer than two members know; the moments are gone.

        The divisor is $W - \sum w_k^2 / W$, where all weigh one $M - 1$.
        """
        total, squares = known.by_lead(), known.squares_by_lead()
        for lead, excess in enumerate(self.excess):
            one = total if np.ndim(total) == 0 else total[lead]
            two = squares if np.ndim(squares) == 0 else squares[lead]
            one = np.asarray(one, dtype=np.float32)
            divisor = one - two / np.maximum(one, 1e-30)
            few = divisor <= 1e-6 * one
            np.maximum(excess, 0.0, out=excess)
            np.divide(excess, np.where(few, np.nan, divisor), out=excess)
            np.sqrt(excess, out=excess)
        return self.excess


class Counts:
    """
    In how many members a hazard occurs: by lead, and at which lead first.

    Parameters
    ----------
    shape
        Of a member: lead, y and x.
    dtype
        Of the counts: floating where members have weights or chances of their own.
    by_lead
        Whether to count at each lead too.
    """

    def __init__(
        self, shape: tuple[int, int, int], dtype: Any, *, by_lead: bool = True
    ) -> None:
        self.dtype = dtype
        self.over = np.zeros(shape, dtype=dtype) if by_lead else None
        self.first = np.zeros(shape, dtype=dtype)
        self.agreement = Agreement(shape[1:]) if by_lead else None
        self.window_agreement = Agreement(shape[1:])

    def add(
        self, event: Event, always: NDArray[np.bool_] | None, weight: float
    ) -> None:
        """
        Count a member.

        Parameters
        ----------
        event
            Where it occurs, or with what chance; nothing where it is not known.
        always
            Which pixels are known at all leads, None for all.
        weight
            Of the member.
        """
        one = self.dtype(weight)
        if self.over is not None:
            for lead, now in enumerate(event):
                self.over[lead] += now if weight == 1.0 else now * one
        if event.dtype == bool:
            self._add_events(event, always, weight)
            return
        # the rises of the largest chance so far add up to the largest of all
        most = np.zeros(event.shape[1:], dtype=np.float32)
        for lead, now in enumerate(event):
            rise = np.maximum(now - most, 0.0)
            most = np.maximum(most, now)
            if always is not None:
                rise[~always] = 0.0
            self.first[lead] += rise * one

    def _add_events(
        self, event: NDArray[Any], always: NDArray[np.bool_] | None, weight: float
    ) -> None:
        one = self.dtype(weight)
        seen = np.zeros(event.shape[1:], dtype=bool)
        for lead, now in enumerate(event):
            new = now & ~seen
            seen |= now
            if always is not None:
                new &= always
            self.first[lead] += new if weight == 1.0 else new * one
        if always is not None:
            seen &= always
        self.window_agreement.add(seen[None], weight)
        if self.agreement is not None:
            self.agreement.add(event, weight)

    def arrival(
        self, shares: tuple[float, ...], times: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """
        When the hazard has first occurred in these shares of its members.

        The first dimension is the share; NaN where it occurs in none. `times` are those
        of the leads.
        """
        total = self.first.sum(0, dtype=np.float64)
        found = np.full((len(shares), *total.shape), np.nan, dtype=np.float32)
        reached = np.zeros_like(total)
        for time, first in zip(times, self.first, strict=True):
            reached += first
            for place, share in zip(found, shares, strict=True):
                now = (reached >= share * total * (1 - 1e-6)) & (reached > 0)
                place[now & np.isnan(place)] = time
        return found
