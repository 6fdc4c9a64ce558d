"""Members packed: which pixels are wet, and one byte for each of these."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

BLOCK = 2**14
"""Pixels whose members are unpacked at once; of whole bytes of the masks."""

Codes = NDArray[np.uint8]


class Packed:
    """
    Codes of members from 0 to 255, of which 0 takes a bit and all others nine.

    Parameters
    ----------
    pixels
        Of a member.

    Examples
    --------
    >>> packed = Packed(4)
    >>> packed.add(np.array([1, 3]), np.array([7, 255]))
    >>> packed.add(np.array([0]), np.array([9]))
    >>> [codes.tolist() for _, codes in packed.blocks()]
    [[[0, 9], [7, 0], [0, 0], [255, 0]]]
    """

    def __init__(self, pixels: int) -> None:
        self.pixels = pixels
        self.masks: list[Codes] = []
        self.codes: list[Codes] = []
        self.nbytes = 0

    def add(self, place: NDArray[np.intp], codes: NDArray[np.integer]) -> None:
        """
        Add a member.

        Parameters
        ----------
        place
            Which pixels are not 0, in order.
        codes
            Of each of these, from 1 to 255.
        """
        wet = np.zeros(self.pixels, dtype=bool)
        wet[place] = True
        self.masks.append(np.packbits(wet))
        self.codes.append(codes.astype(np.uint8))
        self.nbytes += self.masks[-1].nbytes + self.codes[-1].nbytes

    def members(self) -> Iterator[tuple[NDArray[np.intp], Codes]]:
        """Each member as it was added; what was given is forgotten."""
        while self.masks:
            mask, codes = self.masks.pop(0), self.codes.pop(0)
            wet = np.unpackbits(mask, count=self.pixels).view(bool)
            yield np.flatnonzero(wet), codes
        self.nbytes = 0

    def blocks(self) -> Iterator[tuple[slice, NDArray[np.uint16]]]:
        """The codes of all members (pixel, member), for some pixels after the other."""
        starts = np.zeros(len(self.masks), dtype=np.int64)
        for first in range(0, self.pixels, BLOCK):
            part = slice(first, min(first + BLOCK, self.pixels))
            size = part.stop - part.start
            found = np.zeros((len(self.masks), size), dtype=np.uint16)
            for number, (mask, codes) in enumerate(
                zip(self.masks, self.codes, strict=True)
            ):
                some = mask[first // 8 : -(-part.stop // 8)]
                wet = np.unpackbits(some, count=size).view(bool)
                start = starts[number]
                starts[number] += np.count_nonzero(wet)
                found[number, wet] = codes[start : starts[number]]
            yield part, np.ascontiguousarray(found.T)
