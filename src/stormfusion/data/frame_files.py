"""Sequences that are stored as one file for each frame, in a layout of their own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from stormfusion.data.cutting import Cuts, cut
from stormfusion.data.datasets import Stamp, stamp_of
from stormfusion.data.event import Event
from stormfusion.data.packing import Packing
from stormfusion.data.sources import GriddedFrames, cache
from stormfusion.errors import CatalogError, CorruptFileError
from stormfusion.grids import Grid

Options = Mapping[str, Any]
Skipped = tuple[str, str]
"""A file that is no use, and the reason."""


class Product(Protocol):
    """
    What the files of one sequence have in common: a small value that pickles.

    Files of equal products are one sequence.
    """

    @property
    def prefix(self) -> str:
        """Beginning of the events' ids."""
        ...

    @property
    def variable(self) -> str:
        """Name of the variable, one of `units.VARIABLES`."""
        ...

    @property
    def packing(self) -> Packing:
        """How the stored numbers become physical values."""
        ...

    def grid(self) -> Grid:
        """Where the pixels lie."""
        ...

    def read(self, path: str, options: Options) -> NDArray[Any]:
        """The frame of a file, as stored; `CorruptFileError` if it is damaged."""
        ...


Understood = tuple[Product, np.datetime64]
"""What a file holds, and when."""


class DamagedFrameError(CorruptFileError):
    """The file of one frame that cannot be read."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(reason)
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path, str(self))


@dataclass(frozen=True, eq=False)
class FrameFiles:
    """
    Frames that lie in a file each.

    Parameters
    ----------
    product
        What they have in common, and how they are read.
    paths
        The files, in the order of their times.
    stamps
        What each file's size and time were when it was understood.
    options
        What fsspec is told to reach them.
    """

    product: Product
    paths: tuple[str, ...]
    stamps: tuple[Stamp, ...]
    options: Options

    def frame(self, number: int) -> NDArray[Any]:
        """One whole frame, as stored."""
        key = (self.paths[number], self.stamps[number], self.product)
        return cache.get(key, lambda: self._load(number))

    def _load(self, number: int) -> NDArray[Any]:
        path = self.paths[number]
        if stamp_of(path) != self.stamps[number]:
            raise DamagedFrameError(
                path,
                f"{path!r} was changed after its catalog was opened; open it again",
            )
        try:
            return self.product.read(path, self.options)
        except CorruptFileError as error:
            raise DamagedFrameError(path, str(error)) from error


def events_of_frames(
    paths: Sequence[str],
    understand: Callable[[str, Options], Understood],
    *,
    options: Options | None = None,
    cuts: Cuts | None = None,
    strict: bool = False,
) -> tuple[list[Event], tuple[Skipped, ...]]:
    """
    The events of files that hold a frame each, and the files that are no use.

    Parameters
    ----------
    paths
        The files, in any order.
    understand
        Tells what a file holds, and when, from as little of it as will do.
    options
        What fsspec is told to reach them.
    cuts
        How events are cut.
    strict
        Whether the first file that is no use is an error.

    Raises
    ------
    CatalogError
        If the files hold several products, or two of them the same frame.
    CorruptFileError
        If a file is no use, and `strict` is set or none is of use.
    """
    options = dict(options or {})
    groups: dict[Product, list[tuple[np.datetime64, str]]] = {}
    failed: list[tuple[str, Exception]] = []
    for path in tqdm(paths, desc="open", unit="file", delay=3, leave=False):
        try:
            product, time = understand(path, options)
        except (OSError, ValueError) as error:
            if strict:
                raise
            failed.append((path, error))
            continue
        groups.setdefault(product, []).append((time, path))
    _check_one_product(groups)
    events: list[Event] = []
    read = 0
    for product, members in groups.items():
        members.sort()
        _check_twice(product, members)
        found, damaged = _cut(product, members, options, cuts or Cuts(), strict=strict)
        events += found
        failed += damaged
        read += len(members)
    if failed and not read:
        raise failed[0][1]
    return events, tuple((path, str(error)) for path, error in failed)


def name_of(path: str) -> str:
    """
    The name of a file without its folders.

    Examples
    --------
    >>> name_of("s3://radar/2015/RAD150520000000.png")
    'RAD150520000000.png'
    """
    return Path(path.rsplit("/", 1)[-1]).name


def _check_one_product(
    groups: Mapping[Product, Sequence[tuple[np.datetime64, str]]],
) -> None:
    """Refuse a mixture, whose frames would be of the same times."""
    examples = {product.prefix: members[0][1] for product, members in groups.items()}
    if len(examples) > 1:
        held = " and ".join(f"{name} ({path!r})" for name, path in examples.items())
        raise CatalogError(
            f"the files hold {held}, wanted one product; name its files with a "
            "wildcard such as '*-ry_*'"
        )


def _check_twice(
    product: Product, members: Sequence[tuple[np.datetime64, str]]
) -> None:
    for (time, path), (other, second) in pairwise(members):
        if time == other:
            raise CatalogError(
                f"{path!r} and {second!r} both hold {product.variable} at "
                f"{np.datetime_as_string(time, 's')}; leave one of them out"
            )


def _cut(
    product: Product,
    members: list[tuple[np.datetime64, str]],
    options: Options,
    cuts: Cuts,
    *,
    strict: bool,
) -> tuple[list[Event], list[tuple[str, Exception]]]:
    """Events of a sequence; a frame that turns out to be damaged leaves a gap in it."""
    damaged: list[tuple[str, Exception]] = []
    while members:
        paths = tuple(path for _, path in members)
        stamps = tuple(map(stamp_of, paths))
        time = np.array([t for t, _ in members], dtype="datetime64[ns]")
        source = FrameFiles(product, paths, stamps, options)
        frames = GriddedFrames(
            product.variable, time, product.grid(), product.packing, source
        )
        try:
            return cut(
                {product.variable: frames}, prefix=product.prefix, cuts=cuts
            ), damaged
        except DamagedFrameError as error:
            if strict:
                raise
            damaged.append((error.path, error))
            members[:] = [each for each in members if each[1] != error.path]
    return [], damaged
