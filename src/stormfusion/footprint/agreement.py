"""How far members displace an event from one another."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

ROUNDING = 1e-5
"""By how much sums of counts in single precision may miss a score."""
ROWS = 512
"""Rows that are summed at once."""


class Agreement:
    r"""
    Agreement of the members with each other, by scale.

    In squares of $n$ pixels, and in those half a width away, $P_i$ is the share of
    pixels with the event in member $i$, whose weight is $w_i$. The dispersion fractions
    skill score compares each member with each other,

    $$\mathrm{dFSS}_n = 1 - \frac{\sum_{i<j} w_i w_j \sum (P_i - P_j)^2}
    {\sum_{i<j} w_i w_j \sum (P_i^2 + P_j^2)}
    = 1 - \frac{W Q_1 - S}{W Q_1 - Q_2},$$

    with $W = \sum w_i$, $Q_k = \sum \sum_i w_i^k P_i^2$ and
    $S = \sum (\sum_i w_i P_i)^2$: so no pair is ever looked at, and the sums grow
    member by member. Members that displace an event by $d$ reach 1/2 at $n = 2 d$.

    That is so of an event that is small beside $d$. Large areas overlap whatever their
    edges do, and there the edges tell: a displacement by $d$ leaves an area $D$ that
    only one of two members has, $d$ wide along the edges that it crosses. With edges of
    $L$ pixel sides, $d = 2 D / L$.

    Parameters
    ----------
    shape
        Of the fields: rows and columns.

    References
    ----------
    Dey, S. R. A., G. Leoncini, N. M. Roberts, R. S. Plant, and S. Migliorini, 2014: A
    spatial view of ensemble spread in convection permitting ensembles. *Mon. Wea.
    Rev.*, **142**, 4091-4107, <https://doi.org/10.1175/MWR-D-14-00172.1>.

    Examples
    --------
    >>> agreement = Agreement((1, 8))
    >>> event = np.zeros((2, 1, 1, 8), dtype=bool)
    >>> event[0, ..., 0] = event[1, ..., 1] = True
    >>> for member in event:
    ...     agreement.add(member, 1.0)
    >>> agreement.scores(event.sum(0))
    array([[0. , 0.5, 1. , 1. ]])
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        levels = int(np.ceil(np.log2(max(shape)))) + 1
        self.scales = 2 ** np.arange(levels)
        self.weight = 0.0
        self.weight_squares = 0.0
        self.squares: NDArray[np.float64] | None = None
        self.sides = np.zeros(0)

    def add(self, event: NDArray[np.bool_], weight: float) -> None:
        """Add a member: where the event is (lead, y, x), missing being none."""
        if self.squares is None:
            self.squares = np.zeros((2, len(event), self.scales.size))
            self.sides = np.zeros(len(event))
        self.weight += weight
        self.weight_squares += weight**2
        for lead, one in enumerate(event):
            sides = np.count_nonzero(one[1:] != one[:-1])
            sides += np.count_nonzero(one[:, 1:] != one[:, :-1])
            self.sides[lead] += weight * sides
        sums = event.view(np.uint8)
        for level, scale in enumerate(self.scales):
            found, sums = _next(sums, level)
            found /= float(scale) ** 4
            self.squares[0, :, level] += weight * found
            self.squares[1, :, level] += weight**2 * found

    def scores(self, counts: NDArray[Any]) -> NDArray[np.float64]:
        """
        The score by lead and scale, of the weight of members with the event.

        NaN where there is no event, or only one member has weight.
        """
        if self.squares is None:
            return np.full((len(counts), self.scales.size), np.nan)
        total = np.empty(self.squares.shape[1:])
        for lead in range(len(counts)):
            sums = counts[lead : lead + 1].astype(np.float32)
            for level, scale in enumerate(self.scales):
                found, sums = _next(sums, level)
                total[lead, level] = found[0] / float(scale) ** 4
        first, second = self.squares
        pairs = self.weight * first - second
        apart = self.weight * first - total
        scores: NDArray[np.float64] = np.full(pairs.shape, np.nan)
        np.divide(pairs - apart, pairs, out=scores, where=pairs > 1e-9 * first)
        return scores

    def distance(
        self, counts: NDArray[Any], rate: NDArray[Any], spacing: float
    ) -> NDArray[np.float64]:
        """
        How far members displace the event from one another, by lead.

        It is half the scale from which on they agree usefully, that of the first score
        of $1/2 + f/2$ with the mean probability $f$, or what the edges tell, whichever
        is more.

        Parameters
        ----------
        counts
            The weight of the members with the event, by lead and pixel.
        rate
            Mean probability, by lead.
        spacing
            Of the pixels, in whatever unit the distance shall have.

        Returns
        -------
        ndarray
            NaN where no member has the event, infinite where they agree at no scale of
            the domain. The least is half a pixel.
        """
        scores, edges = self.scores(counts), self.edges(counts)
        goal = 0.5 + rate / 2.0 - ROUNDING
        found = np.full(len(scores), np.nan)
        exponents = np.arange(self.scales.size)
        for lead, row in enumerate(scores):
            if np.isnan(row).any():
                continue
            useful = np.flatnonzero(row >= goal[lead])
            if not useful.size:
                found[lead] = np.inf
                continue
            first = int(useful[0])
            level = float(exponents[first])
            if first:
                low, high = row[first - 1], row[first]
                level -= (high - goal[lead]) / (high - low)
            found[lead] = max(2.0**level / 2.0, edges[lead]) * spacing
        return found

    def edges(self, counts: NDArray[Any]) -> NDArray[np.float64]:
        """
        How far edges lie from one another, by lead [pixels]; 0 where there are none.

        Parameters
        ----------
        counts
            As in `distance`.
        """
        if self.squares is None:
            return np.zeros(len(counts))
        total = np.array([_squares(c[None].astype(np.float32))[0] for c in counts])
        first = self.squares[0, :, 0]
        # of all pairs of two members, each the one and the other
        pairs = max(self.weight**2 - self.weight_squares, 1e-30)
        differ = 2.0 * (self.weight * first - total) / pairs
        sides = self.sides / self.weight
        return np.where(sides > 0, 2.0 * differ / np.maximum(sides, 1e-30), 0.0)


def _next(sums: NDArray[Any], level: int) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Sums of twice the width and their squares, of squares half a width apart, too."""
    if not level:
        return _squares(sums), sums
    between = _halved(np.pad(sums, ((0, 0), (1, 0), (1, 0))))
    sums = _halved(sums)
    return (_squares(sums) + _squares(between)) / 2.0, sums


def _squares(sums: NDArray[Any]) -> NDArray[np.float64]:
    """Sum of the squares of each lead."""
    if sums.dtype == np.uint8 and sums.size and sums.max() <= 1:
        return np.asarray(np.count_nonzero(sums, axis=(1, 2)), dtype=np.float64)
    found = np.zeros(len(sums))
    for lead, one in enumerate(sums):
        for top in range(0, len(one), ROWS):
            part = one[top : top + ROWS].astype(np.float64)
            found[lead] += np.vdot(part, part)
    return found


def _halved(sums: NDArray[Any]) -> NDArray[Any]:
    """Sums of squares of two by two."""
    odd = [(0, size % 2) for size in sums.shape[1:]]
    if any(after for _, after in odd):
        sums = np.pad(sums, ((0, 0), *odd))
    if sums.dtype == np.uint8 and sums.max() > 63:
        sums = sums.astype(np.float32)
    found: NDArray[Any] = sums[:, ::2, ::2] + sums[:, 1::2, ::2]
    found += sums[:, ::2, 1::2]
    found += sums[:, 1::2, 1::2]
    return found
