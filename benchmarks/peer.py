"""pysteps run as its own examples run it, to stand beside ours."""

import contextlib
import io
import sys
import warnings
from importlib import metadata
from typing import Any

import numpy as np
from skill import machine

WET = 0.1
"""Rain rate from which on a pixel is rain [mm h-1]."""


def quietly(name: str) -> Any:
    """A module of pysteps, which speaks when it is imported."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        __import__(name)
    return sys.modules[name]


@contextlib.contextmanager
def silence():
    """Neither its words nor its warnings."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def decibels(rain: np.ndarray) -> np.ndarray:
    """Rain rate [mm h-1] in decibels, -15 where dry; NaN stays."""
    found = 10 * np.log10(np.maximum(rain, WET, dtype=np.float64))
    return np.where(rain < WET, -15.0, found)


def rain_rate(found: np.ndarray) -> np.ndarray:
    """Rain rate [mm h-1] of decibels; NaN stays."""
    found = np.asarray(found, np.float64)
    return np.where(found < -10.0, 0.0, 10 ** (found / 10)).astype(np.float32)


def motion(frames: np.ndarray, method: str = "LK") -> np.ndarray:
    """Motion of frames in decibels [pixels per frame]."""
    methods = quietly("pysteps.motion")
    with silence():
        # farneback and LK know masks, DARTS wants numbers
        given = (
            np.nan_to_num(frames, nan=-15.0)
            if method == "DARTS"
            else np.ma.masked_invalid(frames)
        )
        return methods.get_method(method)(given)


def extrapolated(
    field: np.ndarray, velocity: np.ndarray, leads: int, **more: Any
) -> np.ndarray:
    """A field carried along."""
    methods = quietly("pysteps.extrapolation")
    carry = methods.get_method("semilagrangian")
    with silence():
        return carry(field, velocity, leads, allow_nonfinite_values=True, **more)


def steps(
    frames: np.ndarray,
    velocity: np.ndarray,
    leads: int,
    *,
    members: int,
    kilometres: float,
    minutes: float,
    workers: int = 1,
    seed: int = 42,
) -> np.ndarray:
    """Members of STEPS in decibels."""
    forecast = quietly("pysteps.nowcasts").get_method("steps")
    with silence():
        return forecast(
            frames,
            velocity,
            leads,
            n_ens_members=members,
            n_cascade_levels=6,
            precip_thr=-10.0,
            kmperpixel=kilometres,
            timestep=minutes,
            noise_method="nonparametric",
            vel_pert_method="bps",
            mask_method="incremental",
            num_workers=workers,
            seed=seed,
        )


def sprog(frames: np.ndarray, velocity: np.ndarray, leads: int) -> np.ndarray:
    """S-PROG in decibels."""
    forecast = quietly("pysteps.nowcasts").get_method("sprog")
    with silence():
        return forecast(frames, velocity, leads, precip_thr=-10.0, n_cascade_levels=6)


def about() -> str:
    """The machine, and the versions of both."""
    return f"{machine()}, pysteps {metadata.version('pysteps')}"
