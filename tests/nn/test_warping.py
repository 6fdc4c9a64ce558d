import pytest
import torch
from torch.autograd import gradcheck

from stormfusion.nn import warping
from stormfusion.nn.warping import warped


@pytest.fixture(params=["cpu", "mps"])
def _as_on(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to sample."""
    if request.param == "mps":
        monkeypatch.setattr(warping, "GATHERED", ("mps", "cpu"))


@pytest.mark.parametrize("size", [(7, 5), (1, 9), (9, 1), (1, 1), (37, 384)])
@pytest.mark.usefixtures("_as_on")
def test_a_flow_of_zero_moves_nothing(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    field = torch.rand(2, 3, *size)
    still = warped(field, torch.zeros(2, 2, *size))
    torch.testing.assert_close(still, field, atol=3e-5, rtol=0)
    # nor does it blur what it moves often
    for _ in range(19):
        still = warped(still, torch.zeros(2, 2, *size))
    torch.testing.assert_close(still, field, atol=5e-4, rtol=0)


@pytest.mark.parametrize("size", [(7, 5), (2, 9), (3, 2)])
@pytest.mark.usefixtures("_as_on")
def test_a_flow_of_one_pixel_is_one_pixel(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    field = torch.rand(1, 2, *size, dtype=torch.float64)
    for axis, along in ((0, -1), (1, -2)):
        flow = torch.zeros(1, 2, *size, dtype=torch.float64)
        flow[:, axis] = 1.0
        wanted = field.roll(-1, along)
        wanted.select(along, -1).zero_()  # nothing comes from beyond the edge
        torch.testing.assert_close(warped(field, flow), wanted)
        flow[:, axis] = 0.25
        between = 0.75 * field + 0.25 * wanted
        torch.testing.assert_close(warped(field, flow), between)


@pytest.mark.usefixtures("_as_on")
def test_one_pixel_is_left_by_a_flow_across() -> None:
    field = torch.ones(1, 1, 4, 1)
    flow = torch.zeros(1, 2, 4, 1)
    flow[:, 0] = 0.75
    torch.testing.assert_close(warped(field, flow), 0.25 * field)
    flow[:, 0] = -3.0
    assert not warped(field, flow).any()


@pytest.mark.usefixtures("_as_on")
def test_each_sample_moves_by_its_own_flow() -> None:
    torch.manual_seed(0)
    field, flow = torch.rand(3, 2, 6, 5), 2 * torch.randn(3, 2, 6, 5)
    together = warped(field, flow)
    for at in range(3):
        alone = warped(field[at : at + 1], flow[at : at + 1])
        torch.testing.assert_close(together[at : at + 1], alone)


@pytest.mark.usefixtures("_as_on")
def test_gradients_of_field_and_flow() -> None:
    torch.manual_seed(0)
    field = torch.rand(2, 2, 5, 3, dtype=torch.float64, requires_grad=True)
    flow = torch.rand(2, 2, 5, 3, dtype=torch.float64, requires_grad=True)
    assert gradcheck(warped, (field, 3 * flow - 1))


def test_both_ways_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    field, flow = torch.rand(2, 3, 8, 9), 4 * torch.randn(2, 2, 8, 9)
    one = warped(field, flow)
    monkeypatch.setattr(warping, "GATHERED", ("cpu",))
    torch.testing.assert_close(warped(field, flow), one, atol=1e-5, rtol=0)


def test_half_precision_moves_in_single() -> None:
    field = torch.rand(1, 1, 4, 300)
    flow = torch.full((1, 2, 4, 300), 0.5).bfloat16()
    found = warped(field, flow)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, warped(field, flow.float()))
