"""Networks: frozen descriptions that build modules once the shapes are known."""

from stormfusion.nn.blocks import FromLastFrame, Network, parameter_count
from stormfusion.nn.conv3d import Conv3D
from stormfusion.nn.encoder import RadarEncoder
from stormfusion.nn.from_motion import FromMotion
from stormfusion.nn.resunet import ResUNet
from stormfusion.nn.unet import UNet

__all__ = [
    "NETWORKS",
    "Conv3D",
    "FromLastFrame",
    "FromMotion",
    "Network",
    "RadarEncoder",
    "ResUNet",
    "UNet",
    "parameter_count",
]

NETWORKS: dict[str, type[Network]] = {
    "conv3d": Conv3D,
    "unet": UNet,
    "resunet": ResUNet,
}
"""The networks by the name that a recipe calls them."""
