import math
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stormfusion.losses import (
    FFL,
    FFMAE,
    FFMSE,
    GDL,
    LOSSES,
    LPIPS,
    MAE,
    MSE,
    SSIM,
    VGG,
    Loss,
    Weighted,
    WeightedSum,
)
from stormfusion.losses.fields import mean
from stormfusion.losses.weights import checked_weight, weight_text

RANDOM = {"vgg": VGG("random"), "lpips": LPIPS(pnet_rand=True)}
"""Networks at random in place of weights that tests cannot download."""

EVERY = [
    *(
        RANDOM[name] if name in RANDOM else make().bound("rain_rate")
        for name, make in LOSSES.items()
    ),
    GDL(alpha=2),
    LPIPS("squeeze", pnet_rand=True),
]


def fields(*, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    forecast, observed = torch.rand(2, 2, 3, 34, 35, generator=generator)
    valid = torch.ones(2, 3, 34, 35, dtype=torch.bool)
    valid[0, :, 3:5, 20:] = False
    valid[1, 2] = False
    return forecast, observed, valid


def test_the_table_names_the_losses() -> None:
    pixel = ["mse", "mae", "bmse", "bmae", "ff_mse", "ff_mae", "ffl", "crps"]
    shaping = ["ssim", "gdl", "spectral", "perceptual", "temporal", "vgg", "lpips"]
    assert {name: make.name for name, make in LOSSES.items()} == {
        name: name for name in pixel + shaping
    }
    kinds = {name for name, make in LOSSES.items() if make.kind == "pixel"}
    assert kinds == set(pixel)


@pytest.mark.parametrize("loss", EVERY, ids=repr)
def test_a_perfect_forecast_costs_nothing(loss: Loss) -> None:
    _, observed, valid = fields()
    assert abs(loss(observed, observed, valid).item()) < 1e-6


@pytest.mark.parametrize("loss", EVERY, ids=repr)
@pytest.mark.parametrize("garbage", [7.0, -1e30, math.inf, math.nan])
def test_invalid_pixels_weigh_exactly_nothing(loss: Loss, garbage: float) -> None:
    forecast, observed, valid = fields()
    results = []
    for fill in (0.0, garbage):
        leaf = torch.where(valid, forecast, fill).requires_grad_()
        value = loss(leaf, torch.where(valid, observed, fill), valid)
        value.backward()
        assert (leaf.grad[~valid] == 0).all()
        assert leaf.grad.isfinite().all()
        assert leaf.grad[valid].any()
        results.append((value.detach(), leaf.grad))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])


@pytest.mark.parametrize("loss", EVERY, ids=repr)
def test_nothing_valid_costs_nothing_and_teaches_nothing(loss: Loss) -> None:
    forecast = torch.full((1, 2, 32, 32), 0.5, requires_grad=True)
    observed = torch.full((1, 2, 32, 32), math.nan)
    value = loss(forecast, observed, observed == 0)
    value.backward()
    assert value.item() == 0
    assert (forecast.grad == 0).all()


@pytest.mark.parametrize("loss", EVERY, ids=repr)
def test_fields_of_other_axes_are_refused(loss: Loss) -> None:
    fields = torch.zeros(2, 48, 48)
    with pytest.raises(ValueError, match=r"\(batch, lead, y, x\), but got"):
        loss(fields, fields, fields == 0)


@pytest.mark.parametrize("loss", EVERY, ids=repr)
def test_maps_that_are_too_small_are_refused(loss: Loss) -> None:
    if loss.least == 1:
        pytest.skip("takes any map")
    fields = torch.zeros(1, 2, loss.least - 1, 48)
    with pytest.raises(ValueError, match=f"at least {loss.least} x {loss.least} pix"):
        loss(fields, fields, fields == 0)


@pytest.mark.parametrize("loss", EVERY, ids=repr)
def test_gradients_point_the_right_way(loss: Loss) -> None:
    forecast, observed, valid = fields()
    if isinstance(loss, FFMSE | FFMAE | FFL):
        loss = replace(loss, k=0.0)  # no gradient flows through the weights of frames
    leaf = forecast.requires_grad_()
    before = loss(leaf, observed, valid)
    (gradient,) = torch.autograd.grad(before, leaf)
    step = 1e-2 * gradient / gradient.norm()
    change = loss(forecast - step, observed, valid) - before
    expected = -1e-2 * gradient.norm()
    torch.testing.assert_close(change, expected, rtol=0.1, atol=1e-6)


@pytest.mark.parametrize("loss", EVERY, ids=repr)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_losses_compute_in_float32(loss: Loss, dtype: torch.dtype) -> None:
    forecast, observed, valid = fields()
    forecast, observed = forecast.to(dtype), observed.to(dtype)
    expected = loss(forecast.float(), observed.float(), valid)
    assert torch.equal(loss(forecast, observed, valid), expected)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = loss(forecast, observed, valid)
    assert inside.dtype == torch.float32
    assert torch.equal(inside, expected)


@pytest.mark.parametrize("loss", EVERY, ids=repr)
def test_shapes_never_broadcast(loss: Loss) -> None:
    forecast, observed, valid = fields()
    for args in (
        (forecast[:1], observed, valid),
        (forecast, observed[:, :1], valid),
        (forecast, observed, valid[..., :1]),
    ):
        # A TypeError where shapes in annotations are checked.
        with pytest.raises((ValueError, TypeError), match="observed"):
            loss(*args)


@pytest.mark.parametrize("loss", EVERY, ids=repr)
def test_a_mask_is_of_bool(loss: Loss) -> None:
    forecast, observed, valid = fields()
    with pytest.raises(TypeError, match=r"valid"):
        loss(forecast, observed, valid.float())


def test_mean_counts_what_is_valid() -> None:
    values = torch.tensor([1.0, 5.0, math.nan], requires_grad=True)
    average = mean(values, torch.tensor([True, True, False]))
    average.backward()
    assert average.item() == 3
    assert values.grad.tolist() == [0.5, 0.5, 0.0]


def test_sums_are_written_as_formulas() -> None:
    loss = MSE() + 0.1 * SSIM()
    assert loss == WeightedSum((Weighted(MSE(), 1.0), Weighted(SSIM(), 0.1)))
    assert loss == MSE() + SSIM() * 0.1
    assert loss != 0.1 * SSIM() + MSE()
    assert loss != MSE() + 0.2 * SSIM()
    assert MSE() + (MAE() + 0.1 * SSIM()) == (MSE() + MAE()) + 0.1 * SSIM()
    assert len({loss, MSE() + 0.1 * SSIM()}) == 1
    assert loss.weights == {"mse": 1.0, "ssim": 0.1}
    assert (2.0 * loss).weights == {"mse": 2.0, "ssim": 0.2}
    with pytest.raises(FrozenInstanceError):
        loss.terms = ()
    assert MSE() + GDL(alpha=2) != MSE() + GDL()


@pytest.mark.parametrize(
    ("loss", "text"),
    [
        (MSE() + 0.1 * SSIM(), "mse+0.1*ssim"),
        (1.0 * MSE() + SSIM(), "mse+ssim"),
        (2.0 * MAE(), "2*mae"),
        (MSE() + 1.0 * SSIM(), "mse+1*ssim"),
        (np.float32(0.5) * (MSE() + MAE()), "0.5*mse+0.5*mae"),
    ],
)
def test_sums_say_their_formula(loss: WeightedSum, text: str) -> None:
    assert str(loss) == text
    assert str(MSE()) == "mse"


def test_pixel_terms_weigh_one_and_shaping_terms_wait() -> None:
    loss = MSE() + SSIM() + 1.0 * GDL()
    assert loss.weights == {"mse": 1.0, "ssim": None, "gdl": 1.0}
    assert loss.unbalanced == ("ssim",)


def test_total_is_the_weighted_sum_of_the_parts() -> None:
    args = fields()
    loss = 2.0 * MSE() + 0.5 * MAE() + SSIM()
    parts = loss.parts(*args)
    assert parts["mse"] == MSE()(*args)
    total = loss.total(parts, {"ssim": 0.25})
    expected = 2 * parts["mse"] + 0.5 * parts["mae"] + 0.25 * parts["ssim"]
    torch.testing.assert_close(total, expected)
    complete = MSE() + 0.5 * MAE()
    torch.testing.assert_close(complete(*args), MSE()(*args) + 0.5 * MAE()(*args))


@pytest.mark.parametrize("weights", [{}, {"gdl": 1.0}, {"mse": 1.0, "ssim": 1.0}])
def test_total_wants_a_weight_for_what_is_unbalanced(weights) -> None:
    loss = MSE() + SSIM()
    parts = loss.parts(*fields())
    with pytest.raises(ValueError, match=r"\['ssim'\], but got .* balance\(\)"):
        loss.total(parts, weights)
    with pytest.raises(ValueError, match=r"\['ssim'\], but got"):
        loss(*fields())


@pytest.mark.parametrize("weight", [0.0, -1.0, math.inf, math.nan, True, "1", None, 1j])
def test_weights_are_finite_and_above_zero(weight) -> None:
    with pytest.raises((ValueError, TypeError), match=r"weight|Weighted"):
        SSIM() * weight if weight is not None else checked_weight("ssim", weight)
    with pytest.raises((ValueError, TypeError), match="weight"):
        (MSE() + MAE()) * weight


def test_sums_refuse_what_they_cannot_add() -> None:
    with pytest.raises(ValueError, match=r"'mse' stands 2 times .* write it once"):
        MSE() + MAE() + 0.1 * MSE()
    with pytest.raises(ValueError, match="needs at least one"):
        WeightedSum(())
    with pytest.raises(ValueError, match="says nothing about 'ssim'"):
        2.0 * (MSE() + SSIM())
    with pytest.raises(TypeError):
        MSE() + 1.0
    with pytest.raises(TypeError):
        (MSE() + MAE()) + 1.0
    with pytest.raises(TypeError, match=r"expected a loss such as|violates|Type-check"):
        WeightedSum.of("mse")


@settings(max_examples=200, deadline=None)
@given(st.floats(min_value=0, exclude_min=True, allow_infinity=False))
def test_a_written_weight_reads_back_as_itself(weight: float) -> None:
    text = weight_text(weight)
    assert float(text) == weight
    assert set(text) <= set("0123456789.")
