"""The radar encoder: features in which storms are compared, learned from radar."""

from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from stormfusion import checkpoint
from stormfusion.errors import WeightsError
from stormfusion.nn.depths import SHARES, WIDTHS, checked_depths, checked_variables
from stormfusion.nn.likeness import TEXTURE, TILE, in_place, in_texture
from stormfusion.nn.pairs import PairSource
from stormfusion.types import Future, Valid

if TYPE_CHECKING:
    from stormfusion.data.catalog import Catalog

SERVED = ("vil", "reflectivity", "rain_rate")
"""Variables whose network numbers the shipped encoder was trained on, or is like."""

Frames = Float[Tensor, "frame y x"]
PerFrame = Float[Tensor, "batch lead"]


class RadarEncoder(nn.Module):
    r"""
    Features of radar maps at several depths, in which storms are compared.

    Convolutions of stride two, each followed by a SiLU: the features of depth $d$ stand
    for $2^d$ pixels each way, and see 4, 8, 16 and 32. Each channel is divided by its
    spread over the rain it was trained on, such that two unrelated storms are at a
    squared distance of about 1.

    It sees network numbers, which are much the same for the VIL, the reflectivity and
    the rain rate of one storm, at about 1 km: lengths are told in pixels. What falls
    is 0 where it is dry or missing.

    `RadarEncoder.shipped()` is the one that comes with the library; `fit` trains
    another on your own radar.

    Parameters
    ----------
    variables
        Variables whose network numbers it is for.
    widths
        Channels of each depth.
    shares
        How much each depth counts in `distance`, place by place; they add up to 1.
    notes
        What is known of its training.

    Raises
    ------
    ValueError
        If a variable has no scaling, a width is no whole number above zero, or the
        shares are not one for each depth, 0 or more, that add up to 1.

    References
    ----------
    Hoffmann, S., and C. Lessig, 2023: AtmoDist: Self-supervised representation learning
    for atmospheric dynamics. *Environ. Data Sci.*, **2**, e6,
    <https://doi.org/10.1017/eds.2023.1>.

    Examples
    --------
    >>> encoder = RadarEncoder.shipped()
    >>> [tuple(features.shape) for features in encoder(torch.zeros(1, 64, 64))]
    [(1, 16, 32, 32), (1, 32, 16, 16), (1, 64, 8, 8), (1, 64, 4, 4)]
    """

    spread_0: Tensor

    def __init__(
        self,
        variables: Sequence[str] = SERVED,
        *,
        widths: Sequence[int] = WIDTHS,
        shares: Sequence[float] = SHARES,
        notes: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.variables = checked_variables(variables)
        self.widths, self.shares = checked_depths(widths, shares)
        self.notes = {} if notes is None else dict(notes)
        # an even kernel first: an odd one sees every other pixel less
        sizes = (4, *(3 for _ in widths[1:]))
        self.depths = nn.ModuleList(
            nn.Conv2d(fewer, width, size, stride=2, padding=1)
            for fewer, width, size in zip((1, *widths), widths, sizes, strict=False)
        )
        for layer in self.depths:
            assert isinstance(layer, nn.Conv2d)
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
        for depth, width in enumerate(widths):
            self.register_buffer(f"spread_{depth}", torch.ones(width))

    @property
    def stride(self) -> int:
        """Pixels, each way, that a feature of the last depth stands for."""
        return int(2 ** len(self.depths))

    @property
    def field(self) -> int:
        """Pixels, each way, that a feature of the last depth sees."""
        return 2 * self.stride

    @classmethod
    def shipped(cls) -> Self:
        """
        The encoder that comes with the library, frozen.

        Raises
        ------
        WeightsError
            If its file is damaged.

        Examples
        --------
        >>> RadarEncoder.shipped().variables
        ('rain_rate', 'reflectivity', 'vil')
        """
        with as_file(files("stormfusion.nn") / "radar_encoder.safetensors") as path:
            return cls.load(path)

    @classmethod
    def fit(
        cls,
        catalog: "Catalog",
        *,
        validation: "Catalog | None" = None,
        target: str | None = None,
        objective: str = "contrast",
        steps: int = 3000,
        batch_size: int = 32,
        patch: int = 96,
        time_limit: float | None = None,
        seed: int = 0,
        device: str = "auto",
        progress: bool = True,
    ) -> "RadarEncoder":
        """
        Train an encoder on radar sequences of your own, without labels.

        Parameters
        ----------
        catalog
            Events with at least two frames.
        validation
            Events to measure the objective on, such as another year's; what came out
            is in `notes`.
        target
            Variable to learn from; by default of each event the first that it holds of
            VIL, reflectivity, rain rate, rain and hail size.
        objective
            `"contrast"`: tell the frames of one place, up to half an hour apart, moved
            a little and turned, from those of other places, as in SimCLR. `"lag"`: tell
            how much time lies between two frames of one place, as in AtmoDist.
        steps
            Steps of the optimizer.
        batch_size
            Pairs of patches in a step.
        patch
            Width of a patch [pixels], at least 32.
        time_limit
            Seconds of training, at most; the result then depends on the machine.
        seed
            Of the weights and of the patches drawn; the same encoder comes out on the
            same kind of device.
        device
            `"auto"`, `"cpu"`, `"cuda"` or `"mps"`.
        progress
            Draw a progress bar.

        Returns
        -------
        RadarEncoder
            Frozen, for `Perceptual(encoder=...)`.

        Raises
        ------
        CatalogError
            If there is no pair of frames, or no patch with rain.
        ValueError
            If an argument is out of range.

        References
        ----------
        Hoffmann and Lessig (2023), see above; Chen, T., S. Kornblith, M. Norouzi, and
        G. Hinton, 2020: A simple framework for contrastive learning of visual
        representations. *ICML 2020*, <https://arxiv.org/abs/2002.05709>.

        Examples
        --------
        >>> from stormfusion import Catalog
        >>> catalog = Catalog.synthetic(events=2, size=64, variables=["vil"])
        >>> encoder = RadarEncoder.fit(catalog, patch=64, steps=2, progress=False)
        >>> encoder.variables
        ('vil',)
        """
        from stormfusion.nn.pretext import Pretext, learn

        task = Pretext(
            objective, steps, batch_size, patch, time_limit, seed, device, progress
        )
        source = PairSource(catalog, target, patch, seed)
        checked = source
        if validation is not None:
            checked = PairSource(validation, target, patch, seed + 1)
        with torch.random.fork_rng(devices=[]), torch.inference_mode(mode=False):
            torch.manual_seed(seed)
            made = cls(source.variables).to(task.device)
            made.notes = learn(made, made.widths[-1], source, checked, task)
            made._measure_spread(source)
        return made.cpu().frozen()

    @torch.no_grad()
    def _measure_spread(self, source: PairSource) -> None:
        """Divide the features by their spread over rainy patches."""
        patches = torch.cat([source.batch(32).before for _ in range(8)])
        for depth, features in enumerate(self(patches.to(self.spread_0.device))):
            found = features.transpose(0, 1).flatten(1).std(1)
            # a channel that never changes tells nothing; it must not be blown up
            least = 0.05 * float(found.mean()) + 1e-6
            getattr(self, f"spread_{depth}").copy_(found.clamp(min=least))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """
        Read an encoder that `save` wrote, frozen; no code in the file is run.

        Parameters
        ----------
        path
            The file.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        WeightsError
            If it is cut short, changed, or holds something else.
        """
        try:
            tensors, header = checkpoint.load(path)
            with torch.inference_mode(mode=False):
                made = cls(**header["encoder"])
                made.load_state_dict({k: t.clone() for k, t in tensors.items()})
        except (ValueError, KeyError, TypeError, RuntimeError) as error:
            raise WeightsError(
                f"{str(path)!r} holds no radar encoder ({error}), wanted a file that "
                "RadarEncoder.save wrote; give that, or train one with "
                "RadarEncoder.fit(catalog)"
            ) from error
        if not all(bool(tensor.isfinite().all()) for tensor in tensors.values()):
            raise WeightsError(
                f"weights of {str(path)!r} are not finite, wanted numbers that "
                "compare; train the encoder again"
            )
        return made.frozen()

    def save(self, path: str | Path) -> Path:
        """
        Write the encoder: safetensors with a JSON header, whole or not at all.

        Parameters
        ----------
        path
            Where to, such as `"encoder.safetensors"`.
        """
        header = {
            "variables": self.variables,
            "widths": self.widths,
            "shares": self.shares,
            "notes": self.notes,
        }
        return checkpoint.save(path, self.state_dict(), {"encoder": header})

    def frozen(self) -> Self:
        """Itself, with weights that no optimizer changes, for evaluation."""
        for weight in self.parameters():
            weight.requires_grad_(False)
        return self.eval()

    @property
    def digest(self) -> str:
        """SHA-256 of its weights, in hexadecimal: what tells it from others."""
        return checkpoint.digest({k: t.cpu() for k, t in self.state_dict().items()}, {})

    def forward(self, frames: Frames) -> tuple[Tensor, ...]:
        """Features of each depth, `(frame, channel, y, x)`, divided by their spread."""
        found = zip(self._features(frames), self.spreads, strict=True)
        return tuple(hidden / spread[:, None, None] for hidden, spread in found)

    @property
    def spreads(self) -> list[Tensor]:
        """What the channels of each depth are divided by."""
        return [getattr(self, f"spread_{depth}") for depth in range(len(self.widths))]

    def _features(self, frames: Frames) -> list[Tensor]:
        """Features that are not yet divided by their spread."""
        found: list[Tensor] = []
        for layer in self.depths:
            assert isinstance(layer, nn.Conv2d)
            folded = not (found or layer.weight.requires_grad)
            hidden = found[-1] if found else frames[:, None]
            found.append(F.silu(_folded(layer, hidden) if folded else layer(hidden)))
        return found

    def distance(
        self, forecast: Future, observed: Future, valid: Valid
    ) -> tuple[PerFrame, PerFrame]:
        r"""
        Sum the squared distance of the features of each frame, and its pixels.

        Half of it is that of the features place by place, half that of their texture,
        see `losses.Perceptual` for the formula. Divided by the number of valid pixels,
        which is the second number, this is a mean: 0 for equal maps, about 1 for two
        storms that have nothing to do with each other.

        Parameters
        ----------
        forecast, observed
            Network numbers, zero where not valid.
        valid
            Where both count.

        Returns
        -------
        tuple of Tensor
            Sums and pixels, each `(batch, lead)`.
        """
        forecast, observed, known = self._padded(forecast, observed, valid)
        both = *self._both(forecast, observed), self.spreads
        place = in_place(*both, known, self.shares)
        texture = in_texture(*both, known)
        total = (1 - TEXTURE) * place + TEXTURE * texture
        return total, known.sum((2, 3))

    def change_distance(
        self, forecast: Future, observed: Future, valid: Valid
    ) -> tuple[PerFrame, PerFrame]:
        """
        The same of the changes of the features from one frame to the next, in place.

        A pixel counts where it is valid in both frames.
        """
        forecast, observed, known = self._padded(forecast, observed, valid)
        known = known[:, 1:] * known[:, :-1]
        if not known.numel():
            return forecast[:, :0].sum((2, 3)), known.sum((2, 3))
        both = *self._both(forecast, observed), self.spreads
        total = in_place(*both, known, self.shares, changes=True)
        return total, known.sum((2, 3))

    def _padded(
        self, forecast: Future, observed: Future, valid: Valid
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Fields whose size is a multiple of stride and tile: more of nothing."""
        height, width = valid.shape[-2:]
        if min(height, width) < self.field:
            raise ValueError(
                f"the radar encoder sees {self.field} x {self.field} pixels at once, "
                f"but got a map of {height} x {width}; give larger maps, or leave "
                "'perceptual' and 'temporal' out"
            )
        step = max(self.stride, TILE)  # both are powers of two
        room = (0, -width % step, 0, -height % step)
        padded = [F.pad(field, room) for field in (forecast, observed, valid.float())]
        return padded[0], padded[1], padded[2]

    def _both(
        self, forecast: Tensor, observed: Tensor
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Features of forecast and observed; gradients flow to the forecast."""
        ours = self._features(forecast.flatten(0, 1))
        with torch.no_grad():
            theirs = self._features(observed.flatten(0, 1))
        return ours, theirs


def _folded(layer: nn.Conv2d, frames: Tensor) -> Tensor:
    """The same as a convolution of 2 x 2 on four channels: back in half the time."""
    four = F.pixel_unshuffle(F.pad(frames, (1, 1, 1, 1)), 2)
    return F.conv2d(four, F.pixel_unshuffle(layer.weight, 2), layer.bias)
