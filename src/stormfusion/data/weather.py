"""The weather of a synthetic event: how its storms are organized, and its winds."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Vector = NDArray[np.float64]


class Mode(NamedTuple):
    """How the storms of an event are organized."""

    share: float  # of all events
    period: int  # epochs from one system in the domain to the next
    systems: float  # per 100 km x 100 km and epoch, besides
    roots: float  # cells of a system that nothing triggers
    length: float  # half the length of the line [m]; 0 for a cluster
    spread: float  # of the roots about the line or the center [m]
    life: float  # of a system [s], at most 3.2 h; see `clouds.populate`
    peak: float  # typical rain rate of a cell [mm h-1]
    offspring: float  # cells triggered by a cell
    split: float  # probability that a strong cell splits
    sheets: float  # stratiform clouds of a system
    sheet_peak: float  # typical rain rate of a stratiform cloud [mm h-1]
    sheet_radius: float  # [m]


MODES = {
    "isolated cells": Mode(
        0.22, 1, 0.45, 2, 0, 12e3, 5400, 28, 0.55, 0.25, 0.5, 1.0, 8e3
    ),
    "multicell clusters": Mode(
        0.30, 1, 0.35, 6, 0, 14e3, 9000, 24, 0.55, 0.1, 3, 2.0, 11e3
    ),
    "squall line": Mode(0.22, 2, 0.03, 95, 75e3, 1.8e3, 11400, 22, 0, 0, 20, 2.2, 10e3),
    "stratiform": Mode(0.18, 1, 0.2, 4, 0, 32e3, 11400, 8, 0.3, 0, 8, 2.2, 15e3),
    "nearly dry": Mode(0.08, 1, 0.2, 1, 0, 10e3, 5400, 7, 0.3, 0, 0.5, 0.4, 7e3),
}


@dataclass(frozen=True)
class Weather:
    """
    What all storms of an event share.

    Examples
    --------
    >>> Weather.of(seed=3).mode
    'isolated cells'
    """

    mode: str
    speed: float  # of the steering wind [m s-1]
    heading: float  # of the steering wind, counterclockwise from east [rad]
    turning: float  # rotation of the wind across the domain [rad m-1]
    shear: tuple[float, float]  # anvil level minus steering level (x, y) [m s-1]
    clear: float  # cloud-free infrared temperature [degC]
    tropopause: float  # temperature [degC]

    @classmethod
    def of(cls, seed: int) -> "Weather":
        """Draw the weather of an event."""
        rng = np.random.default_rng([seed, 0])
        shares = np.array([mode.share for mode in MODES.values()])
        mode = str(rng.choice(list(MODES), p=shares / shares.sum()))
        speed = float(rng.uniform(3, 13))
        heading = float(np.deg2rad(rng.normal(30, 50)))
        turning = float(np.deg2rad(rng.normal(0, 8)) / 100e3)
        strength, veer = rng.uniform(5, 13), np.deg2rad(rng.normal(-15, 15))
        shear = (
            float(strength * np.cos(heading + veer)),
            float(strength * np.sin(heading + veer)),
        )
        clear, tropopause = float(rng.uniform(11, 24)), float(rng.uniform(-72, -62))
        return cls(mode, speed, heading, turning, shear, clear, tropopause)

    def wind(self, x: Vector, y: Vector) -> tuple[Vector, Vector]:
        """Return the steering wind [m s-1] at places relative to the center [m]."""
        across = -np.sin(self.heading) * x + np.cos(self.heading) * y
        angle = self.heading + self.turning * np.clip(across, -200e3, 200e3)
        return self.speed * np.cos(angle), self.speed * np.sin(angle)


def texture(
    weather: Weather,
    seed: list[int],
    *,
    size: int,
    frames: int,
    interval: float,
    spacing: float,
    slope: float = 3.2,
) -> Iterator[Array]:
    r"""
    Yield a Gaussian random field of unit variance per frame.

    Every Fourier mode drifts with the wind and turns at a frequency of its own, drawn
    so that the correlation at the scale $L$ decays as $e^{-t / \tau}$, with
    $\tau$ = 35 min at 10 km and proportional to $L^{0.8}$.

    Parameters
    ----------
    weather
        The weather of the event.
    seed
        Seed of the field.
    size
        Rows and columns needed; the field is larger and periodic.
    frames
        Number of frames.
    interval
        Seconds between frames.
    spacing
        Meters between pixels.
    slope
        Power of the wavenumber that the spectrum falls with, below 80 km.

    Yields
    ------
    ndarray
        Field with at least `size` rows and columns.

    Examples
    --------
    >>> weather = Weather.of(seed=3)
    >>> fields = texture(weather, [3], size=64, frames=2, interval=300, spacing=1e3)
    >>> [field.shape for field in fields]
    [(96, 96), (96, 96)]
    """
    rng = np.random.default_rng(seed)
    import scipy.fft  # takes a sixth of the time of an import

    n = scipy.fft.next_fast_len(size + 32, real=True)
    ky = np.fft.fftfreq(n, spacing)[:, None]
    kx = np.fft.rfftfreq(n, spacing)[None]
    k = np.hypot(kx, ky)
    power = (k**2 + 80e3**-2) ** (-slope / 2)
    power[0, 0] = 0
    power /= 2 * power.sum()
    modes = rng.normal(size=(*k.shape, 2)).view(complex)[..., 0]
    modes *= n * n * np.sqrt(power / 2)
    lifetime = 35 * 60 * (np.maximum(k, 1e-6) * 10e3) ** -0.8
    turn = rng.standard_cauchy(k.shape) / lifetime
    u = weather.speed * np.cos(weather.heading)
    v = weather.speed * np.sin(weather.heading)
    phase = turn - 2 * np.pi * (kx * u + ky * v)
    step = np.exp(1j * phase * interval).astype(np.complex64)
    modes = modes.astype(np.complex64)
    for _ in range(frames):
        yield scipy.fft.irfft2(modes, s=(n, n))
        modes = modes * step
