import torch

from stormfusion.classical import Persistence
from stormfusion.data.task import Task

TASK = Task(("vil",), "vil", 5, 3, 300, (1000.0, 1000.0))


def past_of(values: torch.Tensor) -> torch.Tensor:
    return torch.stack((values, torch.ones_like(values)), 2)


def test_the_last_frame_for_every_lead() -> None:
    past = past_of(0.1 + 0.8 * torch.rand(2, 5, 6, 7))
    forecast = Persistence().build(TASK)(past)
    assert forecast.shape == (2, 3, 6, 7)
    for lead in range(3):
        torch.testing.assert_close(forecast[:, lead], past[:, -1, 0])


def test_what_is_missing_in_the_last_frame_is_missing_in_the_forecast() -> None:
    past = past_of(torch.rand(1, 5, 6, 7))
    past[0, -1, 1, 2, 3] = 0.0
    past[0, 0, 1, 4, 4] = 0.0
    forecast = Persistence().build(TASK)(past)
    assert forecast[0, :, 2, 3].isnan().all()
    assert int(forecast.isnan().sum()) == 3


def test_it_has_no_weights_and_equals_its_like() -> None:
    assert not list(Persistence().build(TASK).parameters())
    assert Persistence() == Persistence()
