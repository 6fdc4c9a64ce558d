"""Networks: frozen descriptions that build modules once the shapes are known."""

from stormfusion.nn.blocks import FromLastFrame, Network, parameter_count
from stormfusion.nn.conv3d import Conv3D
from stormfusion.nn.convlstm import ConvLSTM
from stormfusion.nn.encoder import RadarEncoder
from stormfusion.nn.from_motion import FromMotion
from stormfusion.nn.mim import MIM
from stormfusion.nn.motionrnn import MotionRNN
from stormfusion.nn.predrnn import PredRNN
from stormfusion.nn.recurrent import Recurrent
from stormfusion.nn.resunet import ResUNet
from stormfusion.nn.trajgru import TrajGRU
from stormfusion.nn.unet import UNet

__all__ = [
    "MIM",
    "NETWORKS",
    "Conv3D",
    "ConvLSTM",
    "FromLastFrame",
    "FromMotion",
    "MotionRNN",
    "Network",
    "PredRNN",
    "RadarEncoder",
    "Recurrent",
    "ResUNet",
    "TrajGRU",
    "UNet",
    "parameter_count",
]

NETWORKS: dict[str, type[Network]] = {
    "conv3d": Conv3D,
    "unet": UNet,
    "resunet": ResUNet,
    "convlstm": ConvLSTM,
    "trajgru": TrajGRU,
    "predrnn": PredRNN,
    "mim": MIM,
    "motionrnn": MotionRNN,
}
"""The networks by the name that a recipe calls them."""
