"""The physics of synthetic storms: what radar and satellites would see of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from stormfusion.data.clouds import Population, populate
from stormfusion.data.weather import Array, Vector, Weather, texture

DRY = 0.1
"""Weaker rain than this [mm h-1] is none."""

NO_ECHO = -32.0
"""Reflectivity of a pixel without rain [dBZ]."""

_CEILING = 150.0


@dataclass(frozen=True)
class StormWorld:
    r"""
    One event of synthetic storms, determined by its seed.

    The rain is the sum of convective cells and stratiform sheets, each times a texture
    $T$ with a power-law spectrum that drifts with the steering wind and slowly evolves,

    $$R = e^{T/2} \sum_\mathrm{cores} G_i(t) + e^{T} \sum_\mathrm{sheets} G_j(t).$$

    Cells grow faster than they decay, trigger new cells on the right front flank when
    their outflow spreads, and split when they are strong. Towers cool the infrared
    before the rain is heaviest; anvils drift with the shear and outlive their cell.

    Frames are snapshots. Row 0 is the southernmost; the southwest corner of the domain
    is the origin. More frames leave the earlier ones as they are.

    Parameters
    ----------
    seed
        Seed of the event, not negative.
    shape
        Rows and columns of the radar grid, 8 or more each.
    frames
        Number of frames.
    interval
        Seconds between frames.
    spacing
        Meters between pixels of the radar grid.

    Raises
    ------
    TypeError
        If an argument is of the wrong type.
    ValueError
        If an argument is out of its range.

    Examples
    --------
    >>> world = StormWorld(seed=0, shape=(64, 96), frames=3)
    >>> world.rain_rate().shape, world.ir107().shape, world.lightning().shape
    ((3, 64, 96), (3, 32, 48), (3, 8, 12))
    """

    seed: int
    shape: tuple[int, int] = (128, 128)
    frames: int = 49
    interval: float = 300.0
    spacing: float = 1000.0

    def __post_init__(self) -> None:
        _check(self)

    @property
    def weather(self) -> Weather:
        """The weather that the storms share, such as their mode and the wind."""
        return Weather.of(self.seed)

    @property
    def population(self) -> Population:
        """The cells and sheets of cloud that the fields are made of."""
        extent = (self.shape[0] * self.spacing, self.shape[1] * self.spacing)
        duration = (self.frames - 1) * self.interval
        return populate(self.weather, self.seed, extent=extent, duration=duration)

    def rain_rate(self) -> Array:
        """
        Rain rate at the ground [mm h-1].

        Returns
        -------
        ndarray
            Array `(time, y, x)`; dry pixels are exactly 0, others at least 0.1.

        Examples
        --------
        >>> rain_rate = StormWorld(seed=0, frames=2).rain_rate()
        >>> float(rain_rate[rain_rate > 0].min()) >= 0.1
        True
        """
        rain = self._empty(1)
        for i, (convective, stratiform) in enumerate(self._rain()):
            rain[i] = _total(convective, stratiform)
        return rain

    def vil(self) -> Array:
        r"""
        Vertically integrated liquid [kg m-2].

        $$V = 0.0710\, R^{0.914} H$$ is the water of a uniform column of depth $H$
        (4 km in stratiform rain, up to 10 km in strong convective cores) whose drops
        are distributed as Marshall and Palmer have it.

        Returns
        -------
        ndarray
            Array `(time, y, x)`; dry pixels are exactly 0.

        Examples
        --------
        >>> world = StormWorld(seed=0, frames=2)
        >>> bool(((world.vil() > 0) == (world.rain_rate() > 0)).all())
        True
        """
        vil = self._empty(1)
        for i, (convective, stratiform) in enumerate(self._rain()):
            rain = _total(convective, stratiform)
            wet = rain > 0
            share = convective[wet] ** 2
            depth = 4 + 6 * share / (share + np.float32(25.0**2))
            vil[i, wet] = 0.0710 * rain[wet] ** np.float32(0.914) * depth
        return vil

    def reflectivity(self) -> Array:
        """
        Radar reflectivity [dBZ], from $Z = 200 R^{1.6}$.

        Returns
        -------
        ndarray
            Array `(time, y, x)`; pixels without rain are exactly -32.

        Examples
        --------
        >>> float(StormWorld(seed=0, frames=1).reflectivity().min())
        -32.0
        """
        rain = self.rain_rate()
        wet = rain > 0
        echo = np.full_like(rain, NO_ECHO)
        echo[wet] = 10 * np.log10(200 * rain[wet] ** 1.6)
        return echo

    def ir107(self) -> Array:
        """
        Infrared brightness temperature of the window channel at 10.7 um [degC].

        Returns
        -------
        ndarray
            Array `(time, y, x)` on a grid half as fine as the radar's.

        Examples
        --------
        >>> ir107 = StormWorld(seed=1, frames=13).ir107()
        >>> bool(ir107.min() > -80) and bool(ir107.max() < 30)
        True
        """
        cold = self._empty(2)
        clear, top = self.weather.clear, self.weather.tropopause
        for i, (tower, anvil, deck, noise) in enumerate(self._clouds(2)):
            ragged = np.exp(0.4 * noise)
            layer = 0.8 * deck * ragged
            low = 1 - np.exp(-(layer**1.5))
            thick = (2.2 * tower + 2.0 * anvil) * ragged
            high = 1 - np.exp(-(thick**1.5))
            cumulus = 4 * np.maximum(noise - 0.8, 0)
            below = clear - cumulus
            below += low * (-15 - 35 * layer / (1.2 + layer) - below)
            excess = np.maximum(tower * ragged - 0.7, 0)
            summit = top + 8 * np.exp(-thick) - 8 * excess / (0.5 + excess)
            cold[i] = below + high * (summit - below)
        return cold

    def ir069(self) -> Array:
        """
        Infrared brightness temperature of the water vapor channel at 6.9 um [degC].

        Returns
        -------
        ndarray
            Array `(time, y, x)` on a grid half as fine as the radar's.

        Examples
        --------
        >>> ir069 = StormWorld(seed=1, frames=13).ir069()
        >>> bool(ir069.max() < -15)
        True
        """
        cold = self._empty(2)
        top = self.weather.tropopause
        humidity = self._texture(2, stream=3, slope=5.0)
        parts = zip(self._clouds(2), humidity, strict=True)
        for i, ((tower, anvil, deck, _), moist) in enumerate(parts):
            clear = -30 - 5 * np.tanh(moist)
            opaque = 1 - np.exp(-1.6 * tower - 1.1 * anvil - 0.25 * deck)
            cold[i] = clear + opaque * (top + 2 - clear)
        return cold

    def vis(self) -> Array:
        """
        Visible reflectance at 0.64 um [1], under a steady sun.

        Returns
        -------
        ndarray
            Array `(time, y, x)` from 0 to 1 on the grid of the radar.

        Examples
        --------
        >>> vis = StormWorld(seed=1, frames=1).vis()
        >>> bool((vis >= 0).all() and (vis <= 1).all())
        True
        """
        bright = self._empty(1)
        for i, (tower, anvil, deck, noise) in enumerate(self._clouds(1)):
            thick = (6 * tower + 2.2 * anvil + 2.5 * deck) * np.exp(0.7 * noise)
            opaque = 1 - np.exp(-thick)
            cumulus = 0.3 * np.clip(noise - 0.9, 0, 1) * (1 - opaque)
            relief = 0.12 * np.tanh(tower) + 0.03 * noise
            bright[i] = 0.08 + cumulus + opaque * (0.62 + relief)
        return np.clip(bright, 0, 1)

    def lightning_flashes(self) -> Vector:
        """
        Lightning flashes one by one.

        Flashes are a Poisson process, strongest in cores above 40 dBZ some minutes
        before their heaviest rain; cores below 35 dBZ have none.

        Returns
        -------
        ndarray
            Array `(flash, 3)`: seconds since the first frame, y and x [m], ordered by
            frame. The interval that leads up to the first frame counts too.

        Examples
        --------
        >>> world = StormWorld(seed=1, frames=4)
        >>> len(world.lightning_flashes()) == int(world.lightning().sum())
        True
        """
        return np.concatenate([np.empty((0, 3)), *self._flashes()])

    def lightning(self) -> Array:
        """
        Lightning flashes per pixel and interval.

        Returns
        -------
        ndarray
            Whole numbers `(time, y, x)` on a grid an eighth as fine as the radar's;
            frame `i` counts the flashes of the interval that leads up to it.

        Examples
        --------
        >>> StormWorld(seed=1, shape=(100, 64), frames=4).lightning().shape
        (4, 13, 8)
        """
        counts = self._empty(8)
        for i, flashes in enumerate(self._flashes()):
            row, column = (flashes[:, 1:] / (8 * self.spacing)).astype(int).T
            np.add.at(counts[i], (row, column), 1)
        return counts

    def _empty(self, factor: int) -> Array:
        rows, columns = (-(-size // factor) for size in self.shape)
        return np.zeros((self.frames, rows, columns), np.float32)

    def _grid(self, factor: int) -> tuple[Vector, Vector]:
        """Return the centers of rows and columns [m]."""
        pixel = factor * self.spacing
        rows, columns = (-(-size // factor) for size in self.shape)
        y = np.asarray((np.arange(rows) + 0.5) * pixel, np.float64)
        x = np.asarray((np.arange(columns) + 0.5) * pixel, np.float64)
        return y, x

    def _texture(
        self, factor: int, *, stream: int = 2, slope: float = 3.2
    ) -> Iterator[Array]:
        """Yield a field of noise per frame."""
        rows, columns = (-(-size // factor) * factor for size in self.shape)
        for whole in texture(
            self.weather,
            [self.seed, stream],
            size=max(rows, columns),
            frames=self.frames,
            interval=self.interval,
            spacing=self.spacing,
            slope=slope,
        ):
            yield _coarse(whole[:rows, :columns], factor)

    def _rain(self) -> Iterator[tuple[Array, Array]]:
        """Yield convective and stratiform rain per frame."""
        y, x = self._grid(1)
        _, cores, sheets = self.population
        for i, noise in enumerate(self._texture(1)):
            time = i * self.interval
            uneven = np.exp(0.5 * noise)
            convective = 0.88 * uneven * cores.render(time, y, x)
            sheet = 0.6 * uneven**2 * sheets.render(time, y, x, rise=1.5, fall=1.5)
            # Light rain evaporates, so that sheets end abruptly.
            yield convective, sheet**2 / (sheet + 0.5)

    def _clouds(self, factor: int) -> Iterator[tuple[Array, Array, Array, Array]]:
        """Yield towers, anvils, stratiform decks and texture per frame."""
        y, x = self._grid(factor)
        population = self.population
        towers, decks = population.towers(), population.decks()
        anvils = population.anvils(self.weather)
        for i, noise in enumerate(self._texture(factor)):
            time = i * self.interval
            yield (
                towers.render(time, y, x, rise=1.0, fall=2.0),
                anvils.render(time, y, x, rise=1.5, fall=1.5, growth=1.2),
                decks.render(time, y, x, rise=1.0, fall=1.0),
                noise,
            )

    def _flashes(self) -> Iterator[Vector]:
        """Yield the flashes of the interval before each frame."""
        y, x = self._grid(1)
        cores, charges = self.population.cores, self.population.charges()
        for i in range(self.frames):
            rng = np.random.default_rng([self.seed, 4, i])
            middle = (i - 0.5) * self.interval
            core, rise = cores.render(middle, y, x), charges.render(middle, y, x)
            rate = np.where(core >= 5.6, np.maximum(rise - 11.5, 0), 0)
            rate *= 2e-5 * self.interval * (self.spacing / 1000) ** 2
            total = np.cumsum(rate, dtype=np.float64)
            n = int(rng.poisson(total[-1]))
            pixel = np.searchsorted(
                total[:-1], rng.uniform(0, total[-1], n), side="right"
            )
            row, column = np.unravel_index(pixel, self.shape)
            yield np.column_stack(
                [
                    (i - rng.uniform(0, 1, n)) * self.interval,
                    (row + rng.uniform(0, 1, n)) * self.spacing,
                    (column + rng.uniform(0, 1, n)) * self.spacing,
                ]
            )


def _coarse(fine: Array, factor: int) -> Array:
    """Average over squares of pixels."""
    if factor == 1:
        return fine
    rows, columns = (size // factor for size in fine.shape)
    squares = fine.reshape(rows, factor, columns, factor)
    coarse: Array = squares.mean((1, 3))
    return coarse


def _total(convective: Array, stratiform: Array) -> Array:
    """Return the rain rate: never quite at the ceiling, and dry where it is weak."""
    total = convective + stratiform
    rain: Array = total / np.sqrt(1 + (total / np.float32(_CEILING)) ** 2)
    rain[rain < DRY] = 0
    return rain


def _check(world: StormWorld) -> None:
    """Raise where an argument of a world is wrong."""
    shape: Any = world.shape
    if not isinstance(shape, tuple) or len(shape) != 2:
        raise ValueError(
            f"shape is {shape!r}, wanted a tuple of two; give (rows, columns)"
        )
    least = {"seed": (world.seed, 0), "frames": (world.frames, 1)}
    least |= {f"shape[{i}]": (shape[i], 8) for i in range(2)}
    number: Any
    for name, (number, minimum) in least.items():
        if not isinstance(number, int | np.integer) or isinstance(number, bool):
            raise TypeError(
                f"{name} is {number!r}, wanted a whole number; convert it with int()"
            )
        if number < minimum:
            raise ValueError(
                f"{name} is {number!r}, wanted {minimum} or more; give a larger number"
            )
    for name, unit in (("interval", "seconds"), ("spacing", "meters")):
        number = getattr(world, name)
        if not isinstance(number, Real) or not 0 < float(number) < np.inf:
            raise ValueError(
                f"{name} is {number!r}, wanted a positive number; give it in {unit}"
            )
