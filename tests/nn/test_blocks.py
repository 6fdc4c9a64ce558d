import pytest
import torch
from torch import nn

from stormfusion.nn import FromLastFrame, UNet, parameter_count
from stormfusion.nn.blocks import AnyGrid, ChannelNorm, doubled, zeroed


class Last(nn.Module):
    def forward(self, past):
        return past[:, -1:, 0]


def test_parameter_count_leaves_frozen_weights_out() -> None:
    layers = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 1, 1))
    assert parameter_count(layers) == 9 * 4 + 4 + 4 + 1
    layers[0].requires_grad_(False)
    assert parameter_count(layers) == 5


def test_channel_norm_by_hand() -> None:
    hidden = torch.tensor([[0.0, 0.0, 3.0, 3.0], [2.0, 4.0, 6.0, 8.0]])
    normalized = ChannelNorm(4)(hidden.reshape(2, 4, 1, 1)).reshape(2, 4)
    expected = torch.tensor([[-1.0, -1.0, 1.0, 1.0], [-3.0, -1.0, 1.0, 3.0]])
    expected[1] /= 5**0.5  # the variance of 2, 4, 6, 8 is 5
    torch.testing.assert_close(normalized, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (2, 3, 6, 4, 5)])
def test_channel_norm_sees_one_pixel(shape: tuple[int, ...]) -> None:
    norm = ChannelNorm(3)
    hidden = torch.rand(shape)
    changed = hidden.clone()
    changed[0, ..., 0, 0] += 5 * torch.rand(3, *shape[2:-2])
    before, after = norm(hidden), norm(changed)
    assert not torch.equal(before[0, ..., 0, 0], after[0, ..., 0, 0])
    assert torch.equal(before[..., 1:, 1:], after[..., 1:, 1:])
    assert torch.equal(before[1], after[1])


def test_any_grid_pads_with_unobserved_dryness_and_crops() -> None:
    seen = []

    class Record(nn.Module):
        def forward(self, past):
            seen.append(past)
            return past[:, -1:, 0]

    grid = AnyGrid(Record(), what="net", channels=2, history=3, multiple=4)
    past = torch.rand(1, 3, 2, 5, 8) + 1
    forecast = grid(past)
    assert seen[0].shape == (1, 3, 2, 8, 8)
    assert torch.equal(seen[0][..., :5, :], past)
    assert (seen[0][..., 5:, :] == 0).all()
    assert torch.equal(forecast, past[:, -1:, 0])


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 12, 2, 8, 8), r"built for 13 input frames, but got 12; pass the last 13"),
        ((1, 13, 4, 8, 8), r"2 channels .* but got 4; .* build it with channels=4"),
        ((1, 13, 2, 3, 8), r"at least 4 x 4 pixels, but got 3 x 8; pass a larger map"),
        ((1, 13, 2, 8, 3), r"at least 4 x 4 pixels, but got 8 x 3"),
    ],
)
def test_any_grid_names_what_does_not_fit(shape, message: str) -> None:
    grid = AnyGrid(Last(), what="UNet", channels=2, history=13, multiple=4)
    with pytest.raises(ValueError, match=message):
        grid(torch.zeros(shape))


def test_from_last_frame_adds_the_change() -> None:
    past = torch.arange(16.0).reshape(1, 2, 2, 2, 2)
    forecast = FromLastFrame(Last())(past)
    assert torch.equal(forecast, 2 * past[:, -1:, 0])


def test_doubled_and_zeroed() -> None:
    assert doubled(torch.ones(1, 1, 3, 5)).shape == (1, 1, 6, 10)
    layer = zeroed(nn.Conv2d(2, 3, 1))
    assert (layer(torch.rand(1, 2, 4, 4)) == 0).all()
    assert zeroed(nn.Conv2d(2, 3, 1, bias=False)).bias is None


@pytest.mark.parametrize("width", [0, -1, 1.5, True, "32"])
def test_sizes_are_whole_numbers_above_zero(width) -> None:
    with pytest.raises((ValueError, TypeError), match="width"):
        UNet(width=width)
