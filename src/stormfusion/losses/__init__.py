"""Losses that add: `MSE() + 0.1 * SSIM()`."""

from stormfusion.losses.balance import balance
from stormfusion.losses.base import Loss, Weighted, WeightedSum
from stormfusion.losses.imagenet import LPIPS, VGG
from stormfusion.losses.perceptual import Perceptual, Temporal
from stormfusion.losses.pixel import MAE, MSE
from stormfusion.losses.structural import GDL, SSIM

__all__ = [
    "GDL",
    "LOSSES",
    "LPIPS",
    "MAE",
    "MSE",
    "SSIM",
    "VGG",
    "Loss",
    "Perceptual",
    "Temporal",
    "Weighted",
    "WeightedSum",
    "balance",
]

LOSSES: dict[str, type[Loss]] = {
    "mse": MSE,
    "mae": MAE,
    "ssim": SSIM,
    "gdl": GDL,
    "perceptual": Perceptual,
    "temporal": Temporal,
    "vgg": VGG,
    "lpips": LPIPS,
}
"""The losses by the name that a recipe calls them; add your own."""
