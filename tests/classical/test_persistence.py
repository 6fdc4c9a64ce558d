import torch

from stormfusion.classical import Persistence


def test_the_last_frame_for_every_lead() -> None:
    past = torch.rand(2, 5, 4, 6, 7)
    forecast = Persistence().build(channels=4, history=5, leads=3)(past)
    assert forecast.shape == (2, 3, 6, 7)
    assert torch.equal(forecast, past[:, -1, 0][:, None].expand(2, 3, 6, 7))


def test_nothing_to_train() -> None:
    module = Persistence().build(channels=2, history=1, leads=1)
    assert not list(module.parameters())
    assert Persistence() == Persistence()
