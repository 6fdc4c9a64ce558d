"""Losses that add: `MSE() + 0.1 * SSIM()`."""

from stormfusion.losses.balance import balance
from stormfusion.losses.balanced import BMAE, BMSE
from stormfusion.losses.base import Loss, Weighted, WeightedSum
from stormfusion.losses.crps import CRPS
from stormfusion.losses.focal import FFL, FFMAE, FFMSE
from stormfusion.losses.imagenet import LPIPS, VGG
from stormfusion.losses.perceptual import Perceptual, Temporal
from stormfusion.losses.pixel import MAE, MSE
from stormfusion.losses.spectral import Spectral
from stormfusion.losses.structural import GDL, SSIM

__all__ = [
    "BMAE",
    "BMSE",
    "CRPS",
    "FFL",
    "FFMAE",
    "FFMSE",
    "GDL",
    "LOSSES",
    "LPIPS",
    "MAE",
    "MSE",
    "SSIM",
    "VGG",
    "Loss",
    "Perceptual",
    "Spectral",
    "Temporal",
    "Weighted",
    "WeightedSum",
    "balance",
]

LOSSES: dict[str, type[Loss]] = {
    "mse": MSE,
    "mae": MAE,
    "bmse": BMSE,
    "bmae": BMAE,
    "ff_mse": FFMSE,
    "ff_mae": FFMAE,
    "ffl": FFL,
    "crps": CRPS,
    "ssim": SSIM,
    "gdl": GDL,
    "spectral": Spectral,
    "perceptual": Perceptual,
    "temporal": Temporal,
    "vgg": VGG,
    "lpips": LPIPS,
}
"""The losses by the name that a recipe calls them; add your own."""
