import numpy as np
import pytest
import torch
from torch.testing import assert_close

from stormfusion.losses import GDL, SSIM


def ssim_by_windows(forecast, observed, valid) -> float:
    """Wang et al. (2004), window by window in float64."""
    offsets = np.arange(11) - 5
    g = np.exp(-(offsets**2) / (2 * 1.5**2))
    w = np.outer(g, g) / np.outer(g, g).sum()
    values = []
    for f, o, v in zip(
        *(x.flatten(0, 1).double().numpy() for x in (forecast, observed, valid)),
        strict=True,
    ):
        for i in range(f.shape[0] - 10):
            for j in range(f.shape[1] - 10):
                box = np.s_[i : i + 11, j : j + 11]
                if not v[box].all():
                    continue
                mu_f, mu_o = (w * f[box]).sum(), (w * o[box]).sum()
                var_f = (w * (f[box] - mu_f) ** 2).sum()
                var_o = (w * (o[box] - mu_o) ** 2).sum()
                cov = (w * (f[box] - mu_f) * (o[box] - mu_o)).sum()
                luminance = (2 * mu_f * mu_o + 1e-4) / (mu_f**2 + mu_o**2 + 1e-4)
                values.append(luminance * (2 * cov + 9e-4) / (var_f + var_o + 9e-4))
    return 1 - float(np.mean(values))


@pytest.mark.parametrize(
    "missing", [[], [(0, 1, 12, 3)], [(0, 0, 5, 14), (1, 2, 0, 0)]]
)
def test_ssim_is_that_of_wang(missing) -> None:
    torch.manual_seed(0)
    forecast, observed = torch.rand(2, 2, 3, 13, 15)
    valid = torch.ones(2, 3, 13, 15, dtype=torch.bool)
    for index in missing:
        valid[index] = False
    expected = ssim_by_windows(forecast, observed, valid)
    assert SSIM()(forecast, observed, valid).item() == pytest.approx(expected, abs=2e-6)


def test_ssim_has_the_digits_for_intense_smooth_rain() -> None:
    y, x = torch.meshgrid(torch.arange(24.0), torch.arange(24.0), indexing="ij")
    observed = (0.95 + 0.02 * torch.sin(x / 3) * torch.cos(y / 4))[None, None]
    forecast = (0.95 + 0.02 * torch.sin(x / 3 + 1) * torch.cos(y / 4))[None, None]
    valid = torch.ones_like(observed, dtype=torch.bool)
    expected = ssim_by_windows(forecast, observed, valid)
    assert SSIM()(forecast, observed, valid).item() == pytest.approx(expected, abs=1e-4)


def test_ssim_of_a_perfect_and_of_an_inverted_forecast() -> None:
    observed = (torch.arange(256).reshape(1, 1, 16, 16) % 2).float()
    valid = torch.ones_like(observed, dtype=torch.bool)
    assert_close(
        SSIM()(observed, observed, valid), torch.tensor(0.0), atol=1e-6, rtol=0
    )
    assert SSIM()(1 - observed, observed, valid) > 1.9


@pytest.mark.parametrize("shape", [(10, 20), (20, 10)])
def test_ssim_needs_a_window(shape) -> None:
    field = torch.zeros(1, 1, *shape)
    with pytest.raises(ValueError, match=f"11 x 11 .* but got .* {shape[0]} x"):
        SSIM()(field, field, field == 0)


def test_gdl_by_hand() -> None:
    forecast = torch.tensor([[[[0.0, 0.5], [0.25, 0.25]]]])
    observed = torch.tensor([[[[1.0, 0.0], [1.0, 1.0]]]])
    valid = torch.ones_like(observed, dtype=torch.bool)
    # Rows: |0.5 - 1|, |0 - 0|. Columns: |0.25 - 0|, |0.25 - 1|.
    assert_close(GDL()(forecast, observed, valid), torch.tensor(1.5 / 4))
    squares = 0.25 + 0.0625 + 0.5625
    assert_close(GDL(alpha=2)(forecast, observed, valid), torch.tensor(squares / 4))
    # Without the lower right pixel: the upper row and the left column are left.
    valid[..., 1, 1] = False
    assert_close(GDL()(forecast, observed, valid), torch.tensor(0.75 / 2))


def test_gdl_does_not_see_the_level() -> None:
    observed = torch.rand(1, 2, 8, 8)
    valid = torch.ones_like(observed, dtype=torch.bool)
    loss = GDL()(observed + 0.25, observed, valid)
    assert_close(loss, torch.tensor(0.0), atol=1e-6, rtol=0)


@pytest.mark.parametrize("alpha", [0, 3, 1.5, None])
def test_gdl_has_two_exponents(alpha) -> None:
    with pytest.raises((ValueError, TypeError), match="alpha"):
        GDL(alpha=alpha)
