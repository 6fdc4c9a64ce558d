"""What the networks share: their interface, their norm, their frame, their start."""

from typing import ClassVar, Protocol, runtime_checkable

import torch.nn.functional as F
from torch import Tensor, nn

from stormfusion.errors import GridMismatchError
from stormfusion.types import Future, Past


@runtime_checkable
class Network(Protocol):
    """
    A description of a network: a frozen value that builds the module.

    Describing a network apart from building it lets `Nowcaster(UNet(width=96))` be
    written before any shape is known, and lets a checkpoint store the description
    as JSON instead of pickled code.

    Examples
    --------
    >>> from stormfusion.nn import UNet
    >>> isinstance(UNet(width=96), Network)
    True
    """

    name: ClassVar[str]
    """What a recipe calls the network."""

    def build(self, *, channels: int, history: int, leads: int) -> nn.Module:
        """
        Build the module with fresh weights.

        Parameters
        ----------
        channels
            Channels of the input: a value and a validity channel per variable.
        history
            Input frames, the last of them the time of the forecast.
        leads
            Forecast frames.

        Returns
        -------
        Module
            Maps `past`, of any height and width that the depth allows, to the
            forecast. The weights of its last layer are zero, and so is its output
            before training.
        """
        ...


def parameter_count(module: nn.Module) -> int:
    r"""
    Count the trainable parameters of a module.

    Parameters
    ----------
    module
        Any module.

    Returns
    -------
    int
        Numbers that an optimizer would change.

    Examples
    --------
    A convolution has $3 \times 3 \times 2 \times 5$ weights and 5 biases:

    >>> parameter_count(nn.Conv2d(2, 5, 3))
    95
    """
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def positive_integers(what: str, /, **numbers: int) -> None:
    """
    Refuse a size that is not a whole number of at least one.

    Parameters
    ----------
    what
        Whose sizes they are, for the error.
    **numbers
        The sizes by name.

    Raises
    ------
    ValueError
        If one of them is not.

    Examples
    --------
    >>> positive_integers("UNet", width=0)
    Traceback (most recent call last):
    ValueError: UNet needs a width that is a whole number above zero, but got 0
    """
    for name, number in numbers.items():
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise ValueError(
                f"{what} needs a {name} that is a whole number above zero, "
                f"but got {number!r}"
            )


class ChannelNorm(nn.Module):
    r"""
    Layer normalization of each pixel over its own channels.

    $$\hat{h}_c = \gamma_c (h_c - \mu) / \sqrt{\sigma^2 + \epsilon} + \beta_c$$

    with the mean $\mu$ and variance $\sigma^2$ over the channels of one pixel.

    Batch, group and instance norm take their statistics over the map or the batch.
    Then a dry county added to the map changes the forecast of a storm far away, two
    tiles of one map disagree, and training with batches of one differs from
    forecasting. Statistics of one pixel know of no other, and need no running
    averages.

    Parameters
    ----------
    channels
        Channels, on axis 1.

    Examples
    --------
    >>> import torch
    >>> ChannelNorm(2)(torch.tensor([1.0, 3.0]).reshape(1, 2, 1, 1)).flatten()
    tensor([-1.0000,  1.0000], grad_fn=...)
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, hidden: Tensor) -> Tensor:
        """Normalize `hidden`, of any number of axes after the channels."""
        normalized: Tensor = self.norm(hidden.movedim(1, -1))
        return normalized.movedim(-1, 1)


def check_past(
    past: Past,
    *,
    what: str,
    channels: int,
    history: int,
    multiple: int,
) -> None:
    """
    Make sure that a past is one that a module was built for.

    Parameters
    ----------
    past
        Network numbers.
    what
        The module's name, for errors.
    channels, history
        What it was built for.
    multiple
        Rows and columns that it needs, at least.

    Raises
    ------
    TypeError
        If it is no tensor.
    ValueError
        If it has other dimensions, channels or frames than the network was built for.
    GridMismatchError
        If it is too small.

    Examples
    --------
    >>> import torch
    >>> past = torch.zeros(1, 3, 2, 8, 8)
    >>> check_past(past, what="UNet", channels=2, history=4, multiple=8)
    Traceback (most recent call last):
    ValueError: this UNet was built for 4 input frames, but got 3; ...
    """
    if not isinstance(past, Tensor):
        raise TypeError(
            f"this {what} got a {type(past).__name__}, wanted a tensor (batch, frame, "
            f"channel, y, x); a fitted nowcaster takes events"
        )
    if past.ndim != 5:
        raise ValueError(
            f"this {what} got {past.ndim} dimensions, {tuple(past.shape)}, wanted "
            f"(batch, frame, channel, y, x); give a batch of one with past[None]"
        )
    frames, found, height, width = past.shape[1:]
    if frames != history:
        raise ValueError(
            f"this {what} was built for {history} input frames, but got "
            f"{frames}; pass the last {history} frames, or build it with "
            f"history={frames}"
        )
    if found != channels:
        raise ValueError(
            f"this {what} was built for {channels} channels (a value and a validity "
            f"per variable), but got {found}; pass the variables it was trained on, or "
            f"build it with channels={found}"
        )
    if min(height, width) < multiple:
        raise GridMismatchError(
            f"this {what} needs at least {multiple} x {multiple} pixels, but got "
            f"{height} x {width}; pass a larger map or build a network of smaller "
            f"depth"
        )


class AnyGrid(nn.Module):
    """
    A network made to take any height and width, and to name what it cannot take.

    The input is padded at its right and bottom with zeros, which mean "dry, and not
    observed", to the next multiple that the strides of the network need. The forecast
    is cropped back.

    Parameters
    ----------
    body
        The network proper.
    what
        Its name, for errors.
    channels, history
        What the network was built for.
    multiple
        Height and width must be multiples of it inside the network.

    Raises
    ------
    ValueError
        If the input has other channels or frames than the network was built for.
    GridMismatchError
        If it is smaller than `multiple`.

    Examples
    --------
    >>> import torch
    >>> from stormfusion.nn import UNet
    >>> unet = UNet(width=2, depth=1).build(channels=2, history=4, leads=3)
    >>> unet(torch.zeros(1, 4, 2, 45, 67)).shape
    torch.Size([1, 3, 45, 67])
    """

    def __init__(
        self, body: nn.Module, *, what: str, channels: int, history: int, multiple: int
    ) -> None:
        super().__init__()
        self.body = body
        self.what = what
        self.channels = channels
        self.history = history
        self.multiple = multiple

    def forward(self, past: Past) -> Future:
        """Forecast from `past`."""
        check_past(
            past,
            what=self.what,
            channels=self.channels,
            history=self.history,
            multiple=self.multiple,
        )
        height, width = past.shape[-2:]
        padding = (0, -width % self.multiple, 0, -height % self.multiple)
        padded = F.pad(past, padding) if any(padding) else past
        forecast: Tensor = self.body(padded)
        return forecast[..., :height, :width]


class Patches(nn.Module):
    """
    A body that works on patches of pixels, each the channels of one coarser pixel.

    The convolutions then have fewer pixels to visit, by the square of the patch, and
    see further, while no pixel is averaged away: the way back puts each into its place.

    Parameters
    ----------
    body
        A network for `patch ** 2` as many input channels and leads.
    patch
        Pixels of a patch in each direction.

    Examples
    --------
    >>> import torch
    >>> Patches(nn.Flatten(1, 2), 2)(torch.rand(1, 3, 2, 8, 8)).shape
    torch.Size([1, 6, 8, 8])
    """

    def __init__(self, body: nn.Module, patch: int) -> None:
        super().__init__()
        self.body = body
        self.patch = patch

    def forward(self, past: Past) -> Future:
        """Forecast from `past`, whose height and width are multiples of the patch."""
        coarse = F.pixel_unshuffle(past, self.patch)
        forecast: Tensor = F.pixel_shuffle(self.body(coarse), self.patch)
        return forecast


class FromLastFrame(nn.Module):
    r"""
    A network that forecasts the change since the last observed frame.

    $$\hat{X}_{t+l} = X_t + f_l(X_{t-h+1}, \ldots, X_t)$$

    As the last layer of every network starts at zero, training starts from the
    persistence forecast. The forecast variable must be the first of the inputs.

    Parameters
    ----------
    body
        A built network, $f$.

    Examples
    --------
    >>> import torch
    >>> from stormfusion.nn import UNet
    >>> body = UNet(width=2, depth=1).build(channels=2, history=4, leads=3)
    >>> past = torch.rand(1, 4, 2, 8, 8)
    >>> torch.equal(FromLastFrame(body)(past)[:, 2], past[:, -1, 0])
    True
    """

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, past: Past) -> Future:
        """Forecast from `past`."""
        change: Tensor = self.body(past)
        return past[:, -1:, 0] + change


def zeroed(layer: nn.Conv2d) -> nn.Conv2d:
    """
    Set the weights of a layer to zero, so that it starts by changing nothing.

    Parameters
    ----------
    layer
        The layer, which is changed in place.

    Returns
    -------
    Conv2d
        `layer` itself.

    Examples
    --------
    >>> zeroed(nn.Conv2d(1, 1, 1)).weight.item()
    0.0
    """
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def doubled(tensor: Tensor) -> Tensor:
    """
    Repeat every pixel twice in both directions.

    A convolution that follows smooths the steps. Unlike a transposed convolution,
    the pair draws no checkerboard.

    Parameters
    ----------
    tensor
        Four axes, the last two of them space.

    Returns
    -------
    Tensor
        Twice as high and wide.

    Examples
    --------
    >>> import torch
    >>> doubled(torch.tensor([[[[1.0, 2.0]]]]))
    tensor([[[[1., 1., 2., 2.],
              [1., 1., 2., 2.]]]])
    """
    return F.interpolate(tensor, scale_factor=2.0, mode="nearest")
