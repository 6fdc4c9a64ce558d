import pytest
import torch
from torch.testing import assert_close

from stormfusion.losses import MAE, MSE

FORECAST = torch.tensor([[[[0.0, 0.5], [1.0, 0.25]]], [[[0.0, 0.0], [0.5, 0.5]]]])
OBSERVED = torch.tensor([[[[0.5, 0.5], [0.0, 0.75]]], [[[0.0, 0.0], [0.5, 0.0]]]])
ALL = torch.ones(2, 1, 2, 2, dtype=torch.bool)


def test_by_hand() -> None:
    # The differences are -0.5, 0, 1, -0.5 and 0, 0, 0, 0.5.
    assert_close(MSE()(FORECAST, OBSERVED, ALL), torch.tensor(1.75 / 8))
    assert_close(MAE()(FORECAST, OBSERVED, ALL), torch.tensor(2.5 / 8))


def test_the_mean_is_over_the_valid_pixels_of_the_whole_batch() -> None:
    valid = ALL.clone()
    valid[0, 0, 1] = False  # leaves -0.5, 0 of the first and all of the second
    assert_close(MSE()(FORECAST, OBSERVED, valid), torch.tensor(0.5 / 6))
    assert_close(MAE()(FORECAST, OBSERVED, valid), torch.tensor(1.0 / 6))


@pytest.mark.parametrize("loss", [MSE(), MAE()], ids=str)
def test_more_of_the_same_changes_nothing(loss) -> None:
    twice = [torch.cat([field, field], dim=-1) for field in (FORECAST, OBSERVED, ALL)]
    assert_close(loss(*twice), loss(FORECAST, OBSERVED, ALL))
