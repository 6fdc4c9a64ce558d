"""Losses that compare storms in the features of the radar encoder."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Literal

from stormfusion.losses.base import Loss
from stormfusion.nn import RadarEncoder
from stormfusion.types import Future, Scalar, Valid


@dataclass(frozen=True)
class _ByEncoder(Loss):
    """What losses in the features of an encoder share: the encoder."""

    kind: ClassVar[Literal["pixel", "shaping"]] = "shaping"

    encoder: RadarEncoder | str | Path | None = None

    def __post_init__(self) -> None:
        known = self.encoder is None or isinstance(
            self.encoder, RadarEncoder | str | Path
        )
        if not known or self.encoder == "":
            raise TypeError(
                f"encoder is {self.encoder!r}, wanted a RadarEncoder or the file of "
                "one; make one with RadarEncoder.fit(catalog)"
            )

    def prepare(self) -> None:
        """Load the encoder."""
        encoder_of(self.encoder)

    @property
    def least(self) -> int:
        """Rows and columns that the encoder sees at once [pixels]."""
        return encoder_of(self.encoder).field

    def beware(self, variable: str) -> str | None:
        """Say if the encoder knows nothing of the variable; see `Loss.beware`."""
        known = encoder_of(self.encoder).variables
        if variable in known:
            return None
        return (
            f"the encoder was trained for {', '.join(known)} and knows nothing of "
            f"{variable}; train one with RadarEncoder.fit(catalog, "
            f"target={variable!r}) and pass it as encoder="
        )

    @property
    def digest(self) -> str:
        """SHA-256 of the weights of the encoder."""
        return encoder_of(self.encoder).digest

    def options(self) -> dict[str, Any] | None:
        """Name the file of the encoder; none if the encoder is an object."""
        if isinstance(self.encoder, RadarEncoder):
            return None
        return {"encoder": None if self.encoder is None else str(self.encoder)}


@dataclass(frozen=True)
class Perceptual(_ByEncoder):
    r"""
    Squared distance of the features of the radar encoder.

    $$\frac{1}{2 N} \sum_d s_d \, 4^d \sum_{i} v_{d,i} \frac{1}{2 C_d} \sum_c
    \big(\phi_{d,c,i}(\hat{X}) - \phi_{d,c,i}(X)\big)^2
    + \frac{1}{2 N} \sum_{d \le 2} \frac{3}{2} \sum_{t} V_t \frac{1}{2 C_d} \sum_c
    \big(a_{d,c,t}(\hat{X}) - a_{d,c,t}(X)\big)^2, \quad
    a_{d,c,t} = \sqrt{0.01 + \overline{\phi_{d,c}^2}^{\,t}}$$

    over the frames of all leads, the depths $d$ of the encoder with their shares $s_d$
    and $C_d$ channels, each divided by its spread over rain, and the places $i$ of the
    features, of which a share $v_{d,i}$ of the pixels is valid; $N$ is the number of
    valid pixels, and $V_t$ that in a tile $t$ of 16 x 16 pixels, over which the squares
    are averaged. It is 0 for equal maps and about 1 for storms that have nothing to do
    with each other.

    To the squared error a storm that is displaced is two errors, and one that is
    smoothed away is half of one. Here the displaced one is nearer: so a network keeps
    its storms sharp, where it knows roughly where they go. Where it does not know, the
    mean of all features at a place is near nothing, and the first sum alone would let
    it smooth. How rough the rain is around there it knows, and the second sum asks.

    Balanced, its gradient at the output is ten times that of the pixel terms; what that
    does to sharpness and to skill is in the benchmarks.

    Parameters
    ----------
    encoder
        The encoder, or the file of one; that of the library if none is given. It is for
        VIL, reflectivity and rain rate at about 1 km. For others, train one with
        `RadarEncoder.fit(catalog)`.

    Raises
    ------
    ValueError
        If a map has less than the 32 pixels, each way, that the encoder sees.
    TypeError
        If the encoder is none.
    WeightsError, FileNotFoundError
        If the file holds no encoder, or is not there: when the loss is first used.

    References
    ----------
    Hoffmann, S., and C. Lessig, 2023: AtmoDist: Self-supervised representation learning
    for atmospheric dynamics. *Environ. Data Sci.*, **2**, e6,
    <https://doi.org/10.1017/eds.2023.1>. Johnson, J., A. Alahi, and L. Fei-Fei, 2016:
    Perceptual losses for real-time style transfer and super-resolution. *ECCV 2016*,
    694-711, <https://doi.org/10.1007/978-3-319-46475-6_43>.

    Examples
    --------
    >>> import torch
    >>> observed = torch.zeros(1, 1, 64, 64)
    >>> observed[..., 20:40, 20:40] = 0.6
    >>> valid = torch.ones(1, 1, 64, 64, dtype=torch.bool)
    >>> Perceptual()(observed, observed, valid)
    tensor(0.)
    >>> displaced = Perceptual()(observed.roll(2, -1), observed, valid)
    >>> bool(0 < displaced < Perceptual()(0 * observed, observed, valid))
    True
    """

    name: ClassVar[str] = "perceptual"
    share: ClassVar[float] = 10.0

    def compare(self, forecast: Future, observed: Future, valid: Valid) -> Scalar:
        """Compute the loss; see `Loss.compare`."""
        encoder = encoder_of(self.encoder).to(forecast.device)
        total, pixels = encoder.distance(forecast, observed, valid)
        return total.sum() / pixels.sum().clamp(min=1)


@dataclass(frozen=True)
class Temporal(_ByEncoder):
    r"""
    Squared distance of how the features of the radar encoder change in time.

    $$\frac{1}{N} \sum_l \sum_d s_d \, 4^d \sum_{i} v_{d,i} \frac{1}{2 C_d} \sum_c
    \big(\phi_{d,c,i}(\hat{X}_{l+1}) - \phi_{d,c,i}(\hat{X}_l)
    - \phi_{d,c,i}(X_{l+1}) + \phi_{d,c,i}(X_l)\big)^2$$

    as the first sum in `Perceptual`, over all leads $l$ but the last, and pixels that
    are valid at both times. It asks that storms neither jump nor fade from frame to
    frame other than the observed ones. With one lead there is nothing to compare, and
    it is 0.

    Parameters
    ----------
    encoder
        As in `Perceptual`.

    Raises
    ------
    ValueError, TypeError, WeightsError, FileNotFoundError
        As in `Perceptual`.

    Examples
    --------
    >>> import torch
    >>> observed = torch.zeros(1, 2, 64, 64)
    >>> observed[:, 0, 20:40, 20:40] = observed[:, 1, 20:40, 24:44] = 0.6
    >>> valid = torch.ones(1, 2, 64, 64, dtype=torch.bool)
    >>> still = observed[:, :1].expand(-1, 2, -1, -1)
    >>> bool(Temporal()(still, observed, valid) > Temporal()(observed, observed, valid))
    True
    """

    name: ClassVar[str] = "temporal"
    frames: ClassVar[int] = 2

    def compare(self, forecast: Future, observed: Future, valid: Valid) -> Scalar:
        """Compute the loss; see `Loss.compare`."""
        encoder = encoder_of(self.encoder).to(forecast.device)
        total, pixels = encoder.change_distance(forecast, observed, valid)
        return total.sum() / pixels.sum().clamp(min=1)


def encoder_of(encoder: RadarEncoder | str | Path | None) -> RadarEncoder:
    """
    The encoder that is meant: the library's, one of the user's, or that of a file.

    Examples
    --------
    >>> encoder_of(None).digest == RadarEncoder.shipped().digest
    True
    """
    if encoder is None:
        return _shipped()
    if isinstance(encoder, RadarEncoder):
        if any(weight.requires_grad for weight in encoder.parameters()):
            raise ValueError(
                "the encoder can still be trained, wanted a frozen one; take what "
                "RadarEncoder.fit or load returned, or encoder.frozen()"
            )
        return encoder
    path = Path(encoder).expanduser()
    # a file that was written anew is read anew
    stamp = path.stat().st_mtime_ns if path.is_file() else 0
    return _from_file(str(path), stamp)


@lru_cache(maxsize=1)
def _shipped() -> RadarEncoder:
    return RadarEncoder.shipped()


@lru_cache(maxsize=8)
def _from_file(path: str, stamp: int) -> RadarEncoder:
    del stamp
    return RadarEncoder.load(path)
