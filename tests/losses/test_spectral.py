import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from stormfusion.losses import MSE, Spectral
from stormfusion.losses.spectral import FAINT, QUIET, STILL, waves

TERMS = {
    "amplitude": Spectral(correlation=0, power=0),
    "correlation": Spectral(amplitude=0, power=0),
    "power": Spectral(amplitude=0, correlation=0, power=1),
}
SHAPES = [(32, 32), (45, 67), (67, 45), (44, 68), (8, 9)]


def storm(shape: tuple[int, int], *, seed: int = 0) -> np.ndarray:
    """Cells of rain with detail in them, and dry between."""
    rng = np.random.default_rng(seed)
    noise = [
        gaussian_filter(rng.standard_normal(shape), width, mode="wrap") * width
        for width in (4.0, 1.5, 0.8)
    ]
    return np.clip(2 * noise[0] + noise[1] + 0.5 * noise[2], 0, 1)


def maps(field: np.ndarray) -> torch.Tensor:
    return torch.tensor(np.ascontiguousarray(field), dtype=torch.float32)[None, None]


def of(loss, forecast: np.ndarray, observed: np.ndarray) -> float:
    f, o = maps(forecast), maps(observed)
    return loss(f, o, torch.ones_like(f, dtype=torch.bool)).item()


def blurred_as_far(field: np.ndarray, error: float) -> np.ndarray:
    """The field, smoothed until its mean squared error is that."""
    low, high = 0.1, 30.0
    for _ in range(50):
        width = (low + high) / 2
        smooth = gaussian_filter(field, width, mode="wrap")
        low, high = (
            (width, high) if ((smooth - field) ** 2).mean() < error else (low, width)
        )
    return smooth


def by_hand(forecast: np.ndarray, observed: np.ndarray) -> dict[str, float]:
    """The three terms of one complete map, in double precision on whole planes."""
    height, width = forecast.shape
    c = FAINT * height * width
    f, o = (np.fft.fft2(field, norm="ortho") for field in (forecast, observed))
    size_f, size_o = (np.sqrt(np.abs(x) ** 2 + STILL) for x in (f, o))
    power_f, power_o = ((np.abs(x) ** 2).sum() for x in (f, o))
    amplitude = ((size_f - size_o) ** 2).sum() / (power_o + c)
    both = (f * o.conj()).sum().real + c
    correlation = 1 - both / np.sqrt((power_f + c) * (power_o + c))
    hann = np.outer(
        *(np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 2 for n in (height, width))
    )
    spectra = [
        np.abs(np.fft.fft2(field * hann, norm="ortho")) ** 2
        for field in (forecast, observed)
    ]
    k = np.hypot(*np.meshgrid(np.fft.fftfreq(width), np.fft.fftfreq(height)))
    edges = [1.00003 * 2 ** (-n / 2) for n in range(1, 31)]
    squares = []
    for upper, lower in pairwise(edges):
        ring = (k <= upper) & (k > lower)
        if ring.any():
            ratio = [spectrum[ring].mean() + QUIET for spectrum in spectra]
            squares.append((np.log(ratio[0] / ratio[1]) / 2) ** 2)
    found = {"amplitude": amplitude, "correlation": correlation}
    return found | {"power": float(np.mean(squares))}


@pytest.mark.parametrize("shape", SHAPES)
def test_by_hand(shape: tuple[int, int]) -> None:
    forecast, observed = storm(shape), storm(shape, seed=1)
    wanted = by_hand(forecast, observed)
    for name, loss in TERMS.items():
        assert of(loss, forecast, observed) == pytest.approx(wanted[name], rel=2e-3)
    total = sum(
        share * wanted[name]
        for name, share in {"amplitude": 2, "correlation": 0.5, "power": 0.1}.items()
    )
    loss = Spectral(amplitude=2, correlation=0.5, power=0.1)
    assert of(loss, forecast, observed) == pytest.approx(total, rel=2e-3)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_waves_of_maps_of_any_sides(shape: tuple[int, int]) -> None:
    twice, rings, count = waves(*shape, torch.device("cpu"))
    assert twice.sum() == math.prod(shape)
    assert count.sum() == math.prod(shape) - 1
    assert (count > 0).all()
    assert (rings.sum(1) <= 1).all()
    # a wave of 4 pixels is one along either side, however long that is
    y, x = np.mgrid[: shape[0], : shape[1]]
    if not (shape[0] % 4 or shape[1] % 4):
        found = [
            (
                (np.abs(np.fft.rfft2(np.cos(np.pi / 2 * at))) ** 2).ravel()
                @ rings.numpy()
            )
            for at in (y, x)
        ]
        assert found[0].argmax() == found[1].argmax()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("shape", [(64, 64), (45, 67)])
def test_a_blurred_storm_is_farther_than_a_displaced_one(shape, seed: int) -> None:
    observed = storm(shape, seed=seed)
    displaced = np.roll(observed, 2, axis=1)
    smooth = blurred_as_far(observed, ((displaced - observed) ** 2).mean())
    assert of(MSE(), smooth, observed) == pytest.approx(
        of(MSE(), displaced, observed), rel=1e-3
    )
    assert of(Spectral(), smooth, observed) > 1.5 * of(Spectral(), displaced, observed)
    for name in ("amplitude", "power"):
        near, far = (of(TERMS[name], f, observed) for f in (displaced, smooth))
        assert far > 10 * near
    # which alone would let it be smooth
    near, far = (of(TERMS["correlation"], f, observed) for f in (displaced, smooth))
    assert far == pytest.approx(near, rel=0.3)


def test_it_grows_with_blur_and_with_displacement() -> None:
    observed = storm((45, 67))
    smooth = [gaussian_filter(observed, w, mode="wrap") for w in (0.5, 1, 2, 4)]
    moved = [np.roll(observed, n, axis=0) for n in (1, 2, 4)]
    for others in (smooth, moved):
        found = [of(Spectral(), other, observed) for other in others]
        assert found[0] > 0
        assert found == sorted(found)


def test_amplitude_and_power_do_not_see_where_it_lies() -> None:
    observed = storm((32, 48))
    moved = np.roll(observed, (5, 11), axis=(0, 1))
    assert of(TERMS["amplitude"], moved, observed) < 1e-6
    assert of(TERMS["correlation"], moved, observed) > 0.1
    assert of(TERMS["amplitude"], observed[::-1, ::-1], observed) < 1e-6


def test_the_amplitude_is_never_more_than_the_squared_error() -> None:
    for seed in range(5):
        forecast, observed = storm((45, 67), seed=seed), storm((45, 67), seed=seed + 9)
        share = (observed**2).mean() + FAINT
        error = ((forecast - observed) ** 2).mean()
        found = of(TERMS["amplitude"], forecast, observed) * share
        assert found <= error * (1 + 1e-5)


@pytest.mark.parametrize("loss", [Spectral(), *TERMS.values()], ids=repr)
@pytest.mark.parametrize("case", ["dry", "perfect", "false", "missed", "even"])
def test_dry_and_perfect_maps_have_finite_gradients(loss, case: str) -> None:
    rain, dry = maps(storm((45, 67))), torch.zeros(1, 1, 45, 67)
    forecast, observed = {
        "dry": (dry, dry),
        "perfect": (rain, rain),
        "false": (rain, dry),
        "missed": (dry, rain),
        "even": (torch.full_like(dry, 0.5), torch.full_like(dry, 0.5)),
    }[case]
    leaf = forecast.clone().requires_grad_()
    value = loss(leaf, observed, torch.ones_like(dry, dtype=torch.bool))
    value.backward()
    assert bool(leaf.grad.isfinite().all())
    if case in ("dry", "perfect", "even"):
        assert abs(value.item()) < 1e-6
        assert float(leaf.grad.abs().max()) < 1e-5
    else:
        assert value.item() > 0


def test_a_forecast_that_is_dry_learns_where_it_rains() -> None:
    rain = maps(storm((45, 67)))
    leaf = torch.zeros_like(rain).requires_grad_()
    Spectral()(leaf, rain, torch.ones_like(rain, dtype=torch.bool)).backward()
    assert float((leaf.grad * rain).sum()) < 0


def test_missing_pixels_are_dry_in_both() -> None:
    forecast, observed = maps(storm((45, 67))), maps(storm((45, 67), seed=1))
    valid = torch.ones_like(forecast, dtype=torch.bool)
    valid[..., :20, 30:] = False
    loss = Spectral(correlation=0)
    found = loss(forecast, observed, valid)
    masked = loss(forecast * valid, observed * valid, valid | True)
    # but for what was observed, by which the amplitude is divided
    assert found.item() == pytest.approx(masked.item(), rel=0.1)
    assert torch.equal(
        found, Spectral(correlation=0)(forecast * valid, observed, valid)
    )


def test_a_batch_may_be_cut_into_parts() -> None:
    forecast, observed = (
        torch.cat([maps(storm((32, 40), seed=s)) for s in seeds])
        for seeds in ((0, 1, 2), (3, 4, 5))
    )
    valid = torch.ones_like(forecast, dtype=torch.bool)
    valid[0, :, :10] = False
    valid[2] = False
    whole = Spectral()(forecast, observed, valid)
    parts = sum(
        Spectral()(forecast[[n]], observed[[n]], valid[[n]]) * valid[n].sum()
        for n in range(3)
    )
    torch.testing.assert_close(whole, parts / valid.sum())


@pytest.mark.parametrize(
    "shares",
    [
        {"amplitude": -1.0},
        {"correlation": math.nan},
        {"power": math.inf},
        {"amplitude": 0, "correlation": 0, "power": 0},
    ],
)
def test_shares_are_finite_and_not_all_zero(shares) -> None:
    with pytest.raises(ValueError, match=r"0 or more, of which one is above zero"):
        Spectral(**shares)
