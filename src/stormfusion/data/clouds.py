"""The clouds of a synthetic event: which are born where and when, and how they move."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stormfusion.data.weather import MODES, Array, Vector, Weather

EPOCH = 7200.0
"""Storm systems are drawn per epoch of this length [s], each from its own stream."""

MATURITY = 0.375
"""The part of its life after which a convective cell rains hardest."""

FLANK = np.deg2rad(-60.0)
"""Where new cells are triggered: right of the motion and ahead, as an angle."""

_MARGIN = 60e3
_GENERATIONS = 5
_CORES = 4
_MINUTE = 60.0


@dataclass(frozen=True)
class Clouds:
    """
    Clouds of Gaussian shape, each with a straight path and a life of its own.

    A cloud born at time $t_0$ for a life of $L$ has, at the age $s = (t - t_0) / L$,
    the strength $p s^a (1 - s)^b$, scaled to be $p$ at its maximum, and the radius
    $r (1 + g (s - 1/2))$.
    """

    x: Vector  # place of birth [m]
    y: Vector
    u: Vector  # velocity [m s-1]
    v: Vector
    birth: Vector  # [s]
    life: Vector  # [s]
    peak: Vector  # in the unit of the field that the clouds make
    radius: Vector  # standard deviation [m]
    aspect: Vector  # radius along x over the radius along y

    def __len__(self) -> int:
        return len(self.x)

    def where(self, chosen: NDArray[np.bool_]) -> "Clouds":
        """Return the chosen clouds."""
        return Clouds(*(getattr(self, f.name)[chosen] for f in fields(self)))

    def crossing(self, extent: tuple[float, float]) -> "Clouds":
        """Return the clouds that come near a domain of a size along y and x [m]."""
        near = np.ones(len(self), bool)
        for start, velocity, size in (
            (self.x, self.u, extent[1]),
            (self.y, self.v, extent[0]),
        ):
            end, reach = start + velocity * self.life, 4 * self.radius
            near &= (np.maximum(start, end) > -reach) & (
                np.minimum(start, end) < size + reach
            )
        return self.where(near)

    def render(
        self,
        time: float,
        y: Vector,
        x: Vector,
        *,
        rise: float = 1.5,
        fall: float = 2.5,
        growth: float = 0.5,
    ) -> Array:
        """
        Sum the clouds on a grid at one time.

        Parameters
        ----------
        time
            Seconds since the first frame.
        y, x
            Places of the rows and columns [m].
        rise, fall
            Powers $a$ and $b$ of the life cycle.
        growth
            Growth $g$ of the radius over a life.

        Returns
        -------
        ndarray
            Field of shape `(y, x)`.
        """
        age = (time - self.birth) / self.life
        cx = self.x + self.u * (time - self.birth)
        cy = self.y + self.v * (time - self.birth)
        reach = 4 * self.radius
        alive = (age > 0) & (age < 1)
        alive &= (cx > x[0] - reach) & (cx < x[-1] + reach)
        alive &= (cy > y[0] - reach) & (cy < y[-1] + reach)
        s = age[alive]
        top = rise / (rise + fall)
        cycle = s**rise * (1 - s) ** fall / (top**rise * (1 - top) ** fall)
        radius = self.radius[alive] * (1 + growth * (s - 0.5))
        stretch = np.sqrt(self.aspect[alive])
        gx = _profile(x, cx[alive], radius * stretch)
        gy = _profile(y, cy[alive], radius / stretch)
        gy *= (self.peak[alive] * cycle).astype(np.float32)[:, None]
        field: Array = gy.T @ gx
        return field


def _profile(grid: Vector, center: Vector, radius: Vector) -> Array:
    scale = np.sqrt(0.5) / radius
    z = grid.astype(np.float32) * scale.astype(np.float32)[:, None]
    z -= (center * scale).astype(np.float32)[:, None]
    # The floor keeps products of two tails out of the slow subnormal numbers.
    profile: Array = np.exp(np.maximum(-z * z, np.float32(-28.0)))
    return profile


def join(clouds: Sequence[Clouds]) -> Clouds:
    """Return all clouds of several collections, in their order."""
    columns = ([getattr(c, f.name) for c in clouds] for f in fields(Clouds))
    joined = [np.concatenate(column) for column in columns]
    for column in joined:
        column.flags.writeable = False
    return Clouds(*joined)


class Population(NamedTuple):
    """All clouds that can touch the domain in an event."""

    cells: Clouds  # convective cells, peak [mm h-1]
    cores: Clouds  # the cells in detail: several small clouds each
    sheets: Clouds  # stratiform clouds, peak [mm h-1]

    def towers(self) -> Clouds:
        """Return the growing cloud tops, which lead the rain of their cell."""
        towers = _earlier(self.cells, 15 * _MINUTE)
        depth = 1 - np.exp(-self.cells.peak / 25.0)
        return replace(towers, peak=1.3 * depth, radius=1.5 * self.cells.radius)

    def anvils(self, weather: Weather) -> Clouds:
        """Return the ice clouds that drift with the shear and outlive their cell."""
        return replace(
            self.cells,
            u=self.cells.u + weather.shear[0],
            v=self.cells.v + weather.shear[1],
            life=1.6 * self.cells.life + 60 * _MINUTE,
            peak=0.8 * (1 - np.exp(-self.cells.peak / 25.0)) ** 1.5,
            radius=3.2 * self.cells.radius,
        )

    def decks(self) -> Clouds:
        """Return the layered clouds of the stratiform rain, wider and longer lived."""
        return replace(
            self.sheets,
            life=1.3 * self.sheets.life,
            peak=np.sqrt(self.sheets.peak),
            radius=1.4 * self.sheets.radius,
        )

    def charges(self) -> Clouds:
        """Return what makes the lightning: the cores, some minutes early."""
        return _earlier(self.cores, 6 * _MINUTE)


def _earlier(clouds: Clouds, lead: float) -> Clouds:
    """Return the clouds on the same paths, born earlier [s]."""
    x, y = clouds.x - clouds.u * lead, clouds.y - clouds.v * lead
    return replace(clouds, x=x, y=y, birth=clouds.birth - lead)


@lru_cache(maxsize=8)
def populate(
    weather: Weather, seed: int, *, extent: tuple[float, float], duration: float
) -> Population:
    """
    Draw the clouds of an event.

    Parameters
    ----------
    weather
        The weather of the event.
    seed
        Seed of the event.
    extent
        Size of the domain along y and x [m].
    duration
        Seconds from the first frame to the last; a longer event only adds clouds that
        are not yet alive in a shorter one.

    Returns
    -------
    Population
        Clouds in and around the domain, whose southwest corner is at 0, 0.

    Examples
    --------
    >>> weather = Weather.of(seed=3)
    >>> len(populate(weather, 3, extent=(64e3, 64e3), duration=3600.0).cells) > 10
    True
    """
    # A system matures in its epoch. No cloud of it lives more than an epoch earlier, so
    # that the clouds of all frames are known once the next epoch is.
    epochs = range(-1, int(duration // EPOCH) + 2)
    parts = [_epoch(weather, seed, epoch, extent) for epoch in epochs]
    return Population(*(join(clouds) for clouds in zip(*parts, strict=True)))


def _epoch(
    weather: Weather, seed: int, epoch: int, extent: tuple[float, float]
) -> Population:
    rng = np.random.default_rng([seed, 1, epoch + 1])
    mode = MODES[weather.mode]
    height, width = extent
    area = (height + 2 * _MARGIN) * (width + 2 * _MARGIN) / 1e10
    central = epoch % mode.period == 0
    n = central + int(rng.poisson(mode.systems * area))
    mature = (epoch + rng.uniform(0.0, 1.0, n)) * EPOCH
    x = rng.uniform(-_MARGIN, width + _MARGIN, n)
    y = rng.uniform(-_MARGIN, height + _MARGIN, n)
    if central:  # so that no event is without rain
        mature[0] = (epoch + rng.uniform(0.1, 0.6)) * EPOCH
        x[0], y[0] = rng.uniform(0.25, 0.75, 2) * (width, height)
    tilt = weather.heading + rng.normal(0.0, 0.25, n)
    bow = rng.uniform(0.0, 2e-6, n)

    def member(mean: float, lag: float) -> tuple[Vector, ...]:
        """Draw places, times and vigor of the members of all systems."""
        i = np.repeat(np.arange(n), rng.poisson(mean, n) + (mean >= 1))
        m = len(i)
        when = rng.beta(1.6, 1.8, m) - 0.5
        time = mature[i] + mode.life * when
        along = mode.length * rng.uniform(-1.0, 1.0, m) + rng.normal(0, mode.spread, m)
        ahead = rng.normal(0.0, mode.spread, m) - lag - bow[i] * along**2
        u, v = weather.wind(x[i] - width / 2, y[i] - height / 2)
        east = ahead * np.cos(tilt[i]) - along * np.sin(tilt[i])
        north = ahead * np.sin(tilt[i]) + along * np.cos(tilt[i])
        vigor = np.sqrt(np.maximum(1 - 4 * when**2, 0.05))
        age = mode.life * when
        return x[i] + u * age + east, y[i] + v * age + north, time, vigor

    rx, ry, time, vigor = member(mode.roots, 0.0)
    peak = mode.peak * vigor * rng.lognormal(0.0, 0.4, len(rx))
    cells = _cells(rng, weather, extent, (rx, ry, time), peak=peak)
    family = [cells]
    for _ in range(_GENERATIONS):
        cells = _triggered(rng, weather, extent, cells)
        family.append(cells)
    cells = join(family)
    trailing = 25e3 if mode.length else 0.0
    sx, sy, time, vigor = member(mode.sheets, trailing)
    m = len(sx)
    u, v = weather.wind(sx - width / 2, sy - height / 2)
    life = mode.life * rng.uniform(0.35, 0.8, m)
    sheets = Clouds(
        sx + rng.normal(0.0, 0.3 * trailing, m),
        sy + rng.normal(0.0, 0.3 * trailing, m),
        u,
        v,
        time,
        life,
        mode.sheet_peak * vigor * rng.lognormal(0.0, 0.5, m),
        mode.sheet_radius * rng.lognormal(0.0, 0.35, m),
        rng.lognormal(0.0, 0.4, m),
    )
    cores = _cores(rng, cells).crossing(extent)
    return Population(cells, cores, join([sheets, _skirts(rng, cells)]))


def _cells(
    rng: np.random.Generator,
    weather: Weather,
    extent: tuple[float, float],
    born: tuple[Vector, Vector, Vector],
    *,
    peak: Vector,
    turn: Vector | float = 0.0,
) -> Clouds:
    """Draw cells, born at x, y and a time, that move with the wind turned a bit."""
    x, y, birth = born
    n = len(x)
    u, v = weather.wind(x - extent[1] / 2, y - extent[0] / 2)
    turned = (u + 1j * v) * np.exp(1j * (turn + rng.normal(0.0, 0.1, n)))
    turned = turned * rng.normal(1.0, 0.08, n)
    strength = np.clip(peak / 30.0, 0.2, 3.0)
    life = 46 * _MINUTE * strength**0.3 * rng.lognormal(0.0, 0.3, n)
    return Clouds(
        x,
        y,
        turned.real,
        turned.imag,
        birth,
        np.clip(life, 20 * _MINUTE, 90 * _MINUTE),
        peak,
        3.2e3 * strength**0.2 * rng.lognormal(0.0, 0.2, n),
        rng.lognormal(0.0, 0.25, n),
    )


def _triggered(
    rng: np.random.Generator,
    weather: Weather,
    extent: tuple[float, float],
    parents: Clouds,
) -> Clouds:
    """Draw the cells that the outflow of their parents triggers, or that split off."""
    mode = MODES[weather.mode]
    vigor = np.sqrt(np.minimum(parents.peak / mode.peak, 2.0))
    children = rng.poisson(mode.offspring * vigor)
    strong = parents.peak > 35.0
    splits = strong & (rng.uniform(size=len(parents)) < mode.split)
    i = np.repeat(np.arange(len(parents)), np.where(splits, 2, children))
    n, split = len(i), splits[i]
    side = np.where(np.arange(n) % 2 == 0, 1.0, -1.0) * split
    outflow = parents.life[i] * MATURITY + rng.uniform(0, 8 * _MINUTE, n)
    age = np.where(split, 0.3 * parents.life[i], outflow)
    angle = np.where(split, side * np.pi / 2, FLANK + rng.normal(0.0, 0.3, n))
    distance = np.where(split, 3e3, rng.uniform(6e3, 11e3, n))
    u, v = parents.u[i], parents.v[i]
    offset = distance * np.exp(1j * (np.arctan2(v, u) + angle))
    typical = parents.peak[i] ** 0.6 * mode.peak**0.4
    born = (
        parents.x[i] + u * age + offset.real,
        parents.y[i] + v * age + offset.imag,
        parents.birth[i] + age,
    )
    peak = typical * rng.lognormal(0.0, 0.3, n)
    return _cells(rng, weather, extent, born, peak=peak, turn=side * 0.4)


def _cores(rng: np.random.Generator, cells: Clouds) -> Clouds:
    """Draw the small clouds that a cell is made of."""
    i = np.repeat(np.arange(len(cells)), _CORES)
    n, radius = len(i), cells.radius[i]
    late = rng.uniform(-0.08, 0.08, n) * cells.life[i]
    offset = radius * (rng.normal(0, 0.75, n) + 1j * rng.normal(0, 0.75, n))
    return Clouds(
        cells.x[i] + offset.real + cells.u[i] * late,
        cells.y[i] + offset.imag + cells.v[i] * late,
        cells.u[i],
        cells.v[i],
        cells.birth[i] + late,
        cells.life[i],
        cells.peak[i] * rng.lognormal(-0.4, 0.4, n),
        radius * rng.uniform(0.35, 0.85, n),
        rng.lognormal(0.0, 0.3, n),
    )


def _skirts(rng: np.random.Generator, cells: Clouds) -> Clouds:
    """Draw the light rain that trails each cell and outlives it."""
    n = len(cells)
    late = 0.2 * cells.life
    return Clouds(
        cells.x + cells.u * late - 300.0 * cells.u,
        cells.y + cells.v * late - 300.0 * cells.v,
        cells.u,
        cells.v,
        cells.birth + late,
        2.0 * cells.life,
        0.11 * cells.peak * rng.lognormal(0.0, 0.4, n),
        2.2 * cells.radius * rng.lognormal(0.0, 0.2, n),
        rng.lognormal(0.0, 0.3, n),
    )
